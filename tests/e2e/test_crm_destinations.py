"""HubSpot, Airtable and Google Sheets: one contact, note, record or row a lead, whatever
is repeated."""
import hashlib
import json
import pathlib
import signal
import tempfile
import unittest

from harness import Linkbell, wait_for
from services import Airtable, GoogleSheets, HubSpot, Service

CONFIG = """
server: { listen: 127.0.0.1:0, public_url: "https://l.alice.bio" }
privacy: { keep_contact: [email, name, phone] }
delivery: { allow_addresses: [127.0.0.0/8], jitter: 0 }
sites: [{ id: alice.bio, timezone: Europe/Paris }]
destinations:
  - { id: crm, %s, rate: 1000/s }
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [crm] }
  - { id: seen, kind: event, match: { type: view }, notify: [crm] }
"""
HUBSPOT = ('type: hubspot, token_env: LB_TOKEN, base_url: "%s", retry: [%s], note: true, '
           'properties: { lifecyclestage: lead }, map: { event.utm.campaign: campaign }')
AIRTABLE = ('type: airtable, token_env: LB_TOKEN, base_url: "%s", retry: [%s], base: appXXXXXXXXXXXXXX, table: New leads, '
            'fields: { "Linkbell ID": id, Name: event.contact.name, Email: event.contact.email, '
            'Campaign: event.utm.campaign, Time: timestamp, Value: event.value.amount }%s')
LEAD = {"type": "lead", "site": "alice.bio", "id": "l1", "contact": {"email": " Zoe@Example.com", "name": "Zoë van Müller"},
        "url": "https://alice.bio/?utm_source=newsletter&utm_campaign=spring"}


def alert_id(rule, occasion):
    joined = b"".join(part.encode() + b"\0" for part in (rule, "alice.bio", "{}", occasion))
    return "al_" + hashlib.sha256(joined).hexdigest()[:16]


class World:
    def __init__(self, service, destination):
        self.service = service
        self.bell = Linkbell(CONFIG % destination, {"LB_TOKEN": service.token})

    def __enter__(self):
        self.bell.ready()
        return self

    def __exit__(self, *words):
        self.bell.__exit__(*words)
        self.service.__exit__()

    def wait(self, count, *states):
        def rows():
            return [r for r in self.bell.get("/v1/deliveries").json["data"] if r["state"] in states]
        return wait_for(lambda: len(rows()) >= count and rows(), f"{count} {states}")


class HubSpots(unittest.TestCase):
    def world(self, answer=None, retry="20ms, 20ms, 20ms", more=""):
        service = HubSpot(answer)
        return World(service, HUBSPOT % (service.base, retry) + more)

    def test_a_lead_is_a_contact_with_a_note(self):
        with self.world() as world:
            world.bell.send(LEAD)
            row = world.wait(1, "delivered")[0]
            crm = world.service
            self.assertEqual(crm.faults, [])
            self.assertEqual(crm.contacts["zoe@example.com"]["properties"],
                             {"email": "zoe@example.com", "firstname": "Zoë", "lastname": "van Müller",
                              "lifecyclestage": "lead", "campaign": "spring"})
            self.assertEqual((row["remote_id"], row["attempts"]), ("501", 1))
            self.assertEqual(crm.received[0]["inputs"][0]["objectWriteTraceId"], alert_id("hot-lead", "l1"))
            self.assertEqual(crm.notes[0]["associations"][0]["to"], {"id": "501"})
            self.assertIn("<br>" + alert_id("hot-lead", "l1"), crm.notes[0]["properties"]["hs_note_body"])
            self.assertNotIn("ThisPart", world.bell.log.read_text())

    def test_the_dated_paths_take_the_same(self):
        with self.world(more=", api: 2026-03") as world:
            world.bell.send(LEAD)
            world.wait(1, "delivered")
            self.assertEqual((world.service.faults, len(world.service.notes)), ([], 1))

    def test_what_has_no_contact_is_skipped(self):
        with self.world() as world:
            world.bell.send({"type": "view", "site": "alice.bio"}, {"type": "lead", "site": "alice.bio"})
            rows = world.wait(2, "skipped")
            self.assertEqual({r["reason"] for r in rows}, {"no_contact"})
            self.assertEqual(world.service.received, [])

    def test_what_has_no_contact_may_be_a_note_somewhere(self):
        with self.world(more=", note_on: 77") as world:
            world.bell.send({"type": "view", "site": "alice.bio"})
            world.wait(1, "delivered")
            self.assertEqual([note["associations"][0]["to"]["id"] for note in world.service.notes], ["77"])

    def test_a_lost_answer_makes_no_second_note(self):
        """The note is made, its answer is lost, twice."""
        def answer(number, path):
            return (502, {}, b"") if path.endswith("/notes") and number < 4 else None

        with self.world(answer) as world:
            world.bell.send(LEAD)
            world.wait(1, "delivered")
            self.assertEqual((len(world.service.contacts), len(world.service.notes)), (1, 1))
            self.assertEqual([path.rsplit("/", 1)[1] for path in world.service.paths], ["upsert", "notes", "search"])

    def test_a_note_that_was_not_made_is_made(self):
        class Refusing(HubSpot):
            def serve_one(self, path, payload):
                if path.endswith("/notes") and len(self.received) == 2:
                    return 500, {}
                return super().serve_one(path, payload)

        service = Refusing()
        with World(service, HUBSPOT % (service.base, "20ms, 20ms")) as world:
            world.bell.send(LEAD)
            world.wait(1, "delivered")
            self.assertEqual((len(service.notes), [path.rsplit("/", 1)[1] for path in service.paths]),
                             (1, ["upsert", "notes", "search", "notes"]))

    def test_a_kill_between_contact_and_note_doubles_nothing(self):
        hang = []

        def answer(number, path):
            if path.endswith("/notes") and not hang:
                hang.append(path)
                wait_for(lambda: killed, "the kill")
            return None

        killed = []
        with self.world(answer) as world:
            world.bell.send(LEAD)
            wait_for(lambda: hang, "the note")
            world.bell.kill()
            killed.append(True)
            world.bell.start()
            row = world.wait(1, "delivered")[0]
            self.assertEqual((len(world.service.notes), row["remote_id"]), (1, "501"))

    def test_answers_lead_where_they_should(self):
        cases = ((400, "dead", 1), (409, "delivered", 2), (500, "delivered", 2))
        for status, state, calls in cases:
            with self.subTest(status), self.world(
                    lambda number, path: (status, {}, b"{}") if number == 0 else None, more="") as world:
                world.bell.send(dict(LEAD, id=str(status)))
                world.wait(1, state)
                upserts = [path for path in world.service.paths if path.endswith("upsert")]
                self.assertEqual(len(upserts), calls)

    def test_a_bad_token_pauses(self):
        with self.world(lambda number, path: (401, {}, b"{}")) as world:
            world.bell.send(LEAD)
            wait_for(lambda: world.bell.get("/v1/destinations/crm").json["state"] == "paused", "the pause")
            row = world.wait(1, "waiting")[0]
            self.assertEqual(row["attempts"], 0)

    def test_throttling_holds(self):
        with self.world(lambda number, path: (429, {"Retry-After": "1"}, b"{}") if number == 0 else None) as world:
            world.bell.send(LEAD)
            row = world.wait(1, "delivered")[0]
            self.assertEqual(row["attempts"], 1)
            self.assertGreaterEqual(world.service.times[1] - world.service.times[0], 0.95)

    def test_a_test_message_is_a_made_up_person(self):
        with self.world() as world:
            self.assertTrue(world.bell.post("/v1/destinations/crm/test").json["delivered"])
            self.assertEqual(list(world.service.contacts), ["linkbell-test@example.com"])


class Airtables(unittest.TestCase):
    def world(self, answer=None, more=""):
        service = Airtable(answer)
        return World(service, AIRTABLE % (service.base, "20ms, 20ms", more))

    def test_a_lead_is_a_record(self):
        with self.world() as world:
            world.bell.send(dict(LEAD, value={"amount": 12.5, "currency": "EUR"}))
            row = world.wait(1, "delivered")[0]
            table = world.service
            self.assertEqual(table.faults, [])
            fields = table.rows[0]["fields"]
            self.assertRegex(fields.pop("Time"), r"^\d{4}-\d\d-\d\dT")
            self.assertEqual(fields, {"Linkbell ID": alert_id("hot-lead", "l1"), "Name": "Zoë van Müller",
                                      "Email": " Zoe@Example.com", "Campaign": "spring", "Value": 12.5})
            self.assertEqual(row["remote_id"], table.rows[0]["id"])
            self.assertIs(table.received[0]["typecast"], True)
            self.assertNotIn("ThisPart", world.bell.log.read_text())

    def test_a_lost_answer_makes_no_second_record(self):
        with self.world(lambda number: (502, {}, b"") if number < 2 else None) as world:
            world.bell.send(LEAD, {"type": "view", "site": "alice.bio"})
            world.wait(2, "delivered")
            self.assertEqual(len(world.service.rows), 2)

    def test_one_row_a_person_where_it_is_asked_for(self):
        with self.world(more=", merge_on: [Email]") as world:
            world.bell.send(LEAD, dict(LEAD, id="l2"))
            world.wait(2, "delivered")
            self.assertEqual(len(world.service.rows), 1)

    def test_without_fields_there_are_three(self):
        service = Airtable()
        with World(service, 'type: airtable, token_env: LB_TOKEN, base_url: "%s", base: appXXXXXXXXXXXXXX, table: New leads'
                   % service.base) as world:
            world.bell.send(LEAD)
            world.wait(1, "delivered")
            self.assertEqual(set(service.rows[0]["fields"]), {"Linkbell ID", "Summary", "Time"})

    def test_answers_lead_where_they_should(self):
        for status, state in ((422, "dead"), (404, "held"), (413, "dead")):
            with self.subTest(status), self.world(lambda number: (status, {}, b"{}")) as world:
                world.bell.send(LEAD)
                world.wait(1, state)
                self.assertEqual(len(world.service.received), 1)
        with self.world(lambda number: (429, {"Retry-After": "1"}, b"") if number == 0 else None) as world:
            world.bell.send(LEAD)
            self.assertEqual(world.wait(1, "delivered")[0]["attempts"], 1)


class Sheets(unittest.TestCase):
    COLUMNS = "columns: [summary, event.contact.name, id]"

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)

    def world(self, answer=None, more=""):
        service = GoogleSheets(answer)
        service.token = ""
        path = pathlib.Path(self.dir.name) / "google.json"
        path.write_text(json.dumps(service.credentials(), indent=1))
        return World(service, f'type: google_sheets, credentials_file: "{path}", spreadsheet: 1AbC_x, '
                              f'range: "My leads!Z1", {self.COLUMNS}, base_url: "{service.base}", retry: [20ms, 20ms, 20ms]'
                              + more)

    def test_leads_are_rows_under_one_token(self):
        with self.world() as world:
            for number in range(3):
                lead = dict(LEAD, id=f"l{number}", contact={"name": "=HYPERLINK(1)", "email": "a@b"})
                world.bell.send(lead)
                world.wait(number + 1, "delivered")
            sheet = world.service
            self.assertEqual(sheet.kinds, ["token", "append", "append", "append"])
            self.assertEqual(sheet.rows[1], ["New lead on alice.bio: =HYPERLINK(1), campaign spring", "=HYPERLINK(1)",
                                             alert_id("hot-lead", "l1")])
            self.assertEqual(world.bell.get("/v1/deliveries").json["data"][0]["remote_id"], "'My leads'!Z3:AB3")
            self.assertNotIn("ThisPart", world.bell.log.read_text())
            self.assertNotIn("PRIVATE", world.bell.get("/v1/destinations").body.decode())

    def test_a_lost_answer_makes_no_second_row(self):
        with self.world(lambda number, kind: (502, {}, b"") if number == 1 else None) as world:
            world.bell.send(LEAD)
            world.wait(1, "delivered")
            self.assertEqual((world.service.kinds, len(world.service.rows)), (["token", "append", "read"], 1))

    def test_a_row_that_was_not_written_is(self):
        class Refusing(GoogleSheets):
            def serve_one(self, method, path, headers, body):
                if ":append" in path and len(self.kinds) == 1:
                    return "refused", 503, {}
                return super().serve_one(method, path, headers, body)

        with self.world() as world:
            world.service.__class__ = Refusing
            world.bell.send(LEAD)
            world.wait(1, "delivered")
            self.assertEqual((world.service.kinds, len(world.service.rows)),
                             (["token", "refused", "read", "append"], 1))

    def test_a_token_that_went_bad_is_renewed_once(self):
        with self.world() as world:
            world.bell.send(LEAD)
            world.wait(1, "delivered")
            world.service.tokens.append("another")
            world.bell.send(dict(LEAD, id="l2"))
            rows = world.wait(2, "delivered")
            self.assertEqual(world.service.kinds[2:], ["refused", "token", "append"])
            self.assertEqual({r["attempts"] for r in rows}, {1})

    def test_short_lived_tokens_are_not_kept(self):
        with self.world() as world:
            world.service.expires_in = 0
            world.bell.send(LEAD)
            wait_for(lambda: world.service.kinds.count("token") >= 3, "tokens")

    def test_answers_lead_where_they_should(self):
        denied = json.dumps({"error": {"code": 403, "status": "PERMISSION_DENIED"}}).encode()
        for answer, state in (((403, {}, denied), "paused"), ((400, {}, b'{"error":"invalid_grant"}'), "paused"),
                              ((404, {}, b"{}"), "disabled")):
            with self.subTest(answer[0]), self.world(lambda number, kind: answer) as world:
                world.bell.send(LEAD)
                wait_for(lambda: world.bell.get("/v1/destinations/crm").json["state"] == state, state)
        with self.world(lambda number, kind: (400, {}, b"{}") if kind == "append" else None) as world:
            world.bell.send(LEAD)
            world.wait(1, "dead")
        quota = json.dumps({"error": {"code": 403, "errors": [{"reason": "rateLimitExceeded"}]}}).encode()
        with self.world(lambda number, kind: (403, {"Retry-After": "1"}, quota) if number == 1 else None) as world:
            world.bell.send(LEAD)
            self.assertEqual(world.wait(1, "delivered")[0]["attempts"], 1)

    def test_a_missing_key_pauses_and_a_reload_goes_on(self):
        with self.world() as world:
            path = pathlib.Path(self.dir.name) / "google.json"
            text = path.read_text()
            path.write_text(text.replace("PRIVATE KEY", "KEY"))
            world.bell.send(LEAD)
            wait_for(lambda: world.bell.get("/v1/destinations/crm").json["state"] == "paused", "the pause")
            path.write_text(text)
            world.bell.process.send_signal(signal.SIGHUP)
            world.wait(1, "delivered")

    def test_an_apps_script_leads_on_when_it_has_run(self):
        class Script(Service):
            path = "/macros/s/ThisPartIsASecret/exec"
            token = ""

            def usual(self, number):
                return 302, {"Location": "https://script.googleusercontent.com/macros/echo"}, b""

        service = Script()
        service.token = service.url
        with World(service, f"type: google_sheets, url_env: LB_TOKEN, {self.COLUMNS}") as world:
            world.bell.send(LEAD)
            world.wait(1, "delivered")
            self.assertEqual(service.received, [{"rows": [["New lead on alice.bio: Zoë van Müller, campaign spring",
                                                           "Zoë van Müller", alert_id("hot-lead", "l1")]],
                                                 "ids": [alert_id("hot-lead", "l1")], "token": ""}])
            self.assertNotIn("ThisPart", world.bell.log.read_text())


class Configuration(unittest.TestCase):
    def check(self, destination):
        with Linkbell(CONFIG % destination) as bell:
            done = bell.run("apply", "--check", str(bell.config), check=False)
            return done.returncode, done.stdout + done.stderr

    def test_faults_are_named_with_what_to_do(self):
        base = "type: airtable, token_env: X, base: app1"
        cases = (("type: hubspot", "token_env"), ("type: hubspot, token_env: X, map: [a]", "map of names"),
                 ("type: hubspot, token_env: X, api: v2", "v3 or 2026-03"), (base, "table"),
                 (base + ", table: T, fields: [a]", "map of columns"),
                 (base + ", table: T, fields: { Email: event.contact.email }", "merge_on"),
                 (base + ", table: T, fields: { Email: id }, merge_on: [Mail]", "no column"))
        cases += (("type: google_sheets, columns: [id]", "credentials_file"),
                  ("type: google_sheets, url_env: X, columns: [summary]", "id in it"),
                  ("type: google_sheets, url_env: X", "columns"))
        for destination, word in cases:
            with self.subTest(destination):
                code, text = self.check(destination)
                self.assertEqual(code, 1, text)
                self.assertRegex(text, r":\d+:\d+: ")
                self.assertIn(word, text)

    def test_good_ones_have_no_fault(self):
        for destination in (HUBSPOT % ("https://x.example", "5s"), AIRTABLE % ("https://x.example", "5s", "")):
            self.assertEqual(self.check(destination)[0], 0, self.check(destination)[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
