"""Discord, Teams, Telegram, PagerDuty and Zapier: what a person reads there, the
services' limits and escapes, and what their answers lead to."""
import hashlib
import json
import unittest

from harness import Linkbell, wait_for
from services import Discord, PagerDuty, Teams, Telegram, Zapier

CONFIG = """
server: { listen: 127.0.0.1:0, public_url: "https://l.alice.bio" }
privacy: { keep_contact: [email, name, message, phone] }
delivery: { allow_addresses: [127.0.0.0/8], jitter: 0 }
sites:
  - id: alice.bio
    timezone: Europe/Paris
    links:
      - { slug: shop, title: "Shop & <more>", url: "https://shop.example/" }
destinations:
  - { id: there, %s, retry: [50ms, 50ms], rate: 1000/s%s }
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [there] }
  - { id: flood, kind: threshold, metric: clicks, window: 1h, above: 2, per: [link], notify: [there] }
"""
SERVICES = {
    "discord": (Discord, "type: discord, url_env: LB_PLACE", lambda s: {"LB_PLACE": s.url}),
    "teams": (Teams, "type: teams, url_env: LB_PLACE", lambda s: {"LB_PLACE": s.url}),
    "zapier": (Zapier, "type: zapier, url_env: LB_PLACE", lambda s: {"LB_PLACE": s.url}),
    "telegram": (Telegram, 'type: telegram, token_env: LB_PLACE, chat: "-1001234567890", base_url: "BASE/"',
                 lambda s: {"LB_PLACE": s.token}),
    "pagerduty": (PagerDuty, 'type: pagerduty, routing_key_env: LB_PLACE, base_url: "BASE"',
                  lambda s: {"LB_PLACE": s.key}),
}
LEAD = {"type": "lead", "site": "alice.bio", "id": "l1", "name": "contact-form", "country": "FR",
        "contact": {"email": "zoe@example.com", "name": "Zoë Müller"},
        "url": "https://alice.bio/?utm_source=newsletter&utm_campaign=spring"}
NASTY = ("@everyone", "<!channel>", "*bold* _x_ `y` ~z~ |w| [a](https://evil.example)", "</b><b>", "&lt;b&gt; & \"q\"",
         "# title", "\\", "a\nb\tc\"\\", "予" * 85, "🔔" * 64, "&" * 256, "<" * 256, "*" * 256, "\"" * 256)


def alert_id(rule, group, occasion):
    joined = b"".join(part.encode() + b"\0" for part in (rule, "alice.bio", group, occasion))
    return "al_" + hashlib.sha256(joined).hexdigest()[:16]


LEAD_ID = alert_id("hot-lead", "{}", "l1")


class World:
    def __init__(self, name, answers=None, more=""):
        service, words, env = SERVICES[name]
        answer = None if answers is None else lambda number: answers[min(number, len(answers) - 1)]
        self.service = service(answer)
        config = CONFIG % (words.replace("BASE", self.service.base), more)
        self.bell = Linkbell(config, env(self.service))

    def __enter__(self):
        self.bell.ready()
        return self

    def __exit__(self, *words):
        self.bell.__exit__(*words)
        self.service.__exit__()

    def messages(self, count):
        wait_for(lambda: len(self.service.received) >= count, f"{count} messages")
        return self.service.received

    def row(self, *states):
        return wait_for(lambda: [r for r in self.bell.get("/v1/deliveries").json["data"] if r["state"] in states],
                        f"state {states}")[0]


class Messages(unittest.TestCase):
    def send(self, name, *events, count=1, more=""):
        with World(name, more=more) as world:
            world.bell.send(*events)
            world.messages(count)
            wait_for(lambda: all(r["state"] in ("delivered", "dead")
                                 for r in world.bell.get("/v1/deliveries").json["data"]), "the ends")
            self.assertEqual(world.service.faults, [])
            text = world.bell.log.read_text()
            for path in ("/v1/deliveries", "/v1/alerts"):
                self.assertNotIn("ThisPart", world.bell.get(path).body.decode())
            for word in ("ThisPart", "zoe@example.com", "Zoë"):
                self.assertNotIn(word, text)
            self.rows = world.bell.get("/v1/deliveries").json["data"]
            return world.service.received

    def clicks(self):
        return [{"type": "click", "site": "alice.bio", "link": "shop", "visitor": f"v{n}"} for n in range(3)]

    def test_discord_shows_a_lead_and_keeps_its_message_id(self):
        embed = self.send("discord", LEAD)[0]["embeds"][0]
        fields = {field["name"]: field["value"] for field in embed["fields"]}
        self.assertEqual(embed["title"], "New lead on alice.bio")
        self.assertEqual(embed["description"], "Zoë Müller, campaign spring")
        self.assertTrue(embed["url"].startswith("https://l.alice.bio/?site=alice.bio"))
        self.assertEqual((fields["Email"], fields["Form"]), ("zoe@example.com", "contact-form"))
        self.assertEqual((embed["footer"]["text"], embed["color"]), (LEAD_ID, 3066993))
        self.assertEqual(self.rows[0]["remote_id"], "9000")

    def test_discord_shows_a_threshold(self):
        embed = self.send("discord", *self.clicks())[0]["embeds"][0]
        fields = {field["name"]: field["value"] for field in embed["fields"]}
        self.assertIn("3 clicks on Shop & <more\\>", embed["description"])
        self.assertEqual((fields["Rule"], fields["Link"]), ("flood", "shop"))
        self.assertEqual(embed["color"], 15105570)

    def test_teams_shows_a_lead(self):
        card = self.send("teams", LEAD)[0]["attachments"][0]["content"]
        facts = {fact["title"]: fact["value"] for fact in card["body"][-1]["facts"]}
        self.assertEqual(card["body"][0]["text"], "New lead on alice.bio")
        self.assertEqual((facts["Name"], facts["Email"], facts["Campaign"], facts["Id"]),
                         ("Zoë Müller", "zoe@example.com", "spring", LEAD_ID.replace("_", "\\_")))
        self.assertEqual(card["actions"][0]["title"], "Open in linkbell")

    def test_teams_shows_a_threshold(self):
        card = self.send("teams", *self.clicks())[0]["attachments"][0]["content"]
        self.assertIn("3 clicks on Shop", card["body"][1]["text"])

    def test_telegram_shows_a_lead(self):
        message = self.send("telegram", LEAD)[0]
        lines = message["text"].split("\n")
        self.assertEqual(message["chat_id"], "-1001234567890")
        self.assertIs(message["link_preview_options"]["is_disabled"], True)
        self.assertEqual(lines[0], "<b>New lead on alice.bio</b>")
        self.assertEqual(lines[1:3], ["Zoë Müller, zoe@example.com", "campaign spring"])
        self.assertRegex(lines[3], r'^<a href="https://l\.alice\.bio/\?site=alice\.bio&amp;from=\d{4}-\d\d-\d\d">'
                                   r"Open in linkbell</a>$")
        self.assertEqual(lines[4], f"<code>{LEAD_ID}</code>")
        self.assertEqual(self.rows[0]["remote_id"], "70")

    def test_pagerduty_gets_a_lead_without_contact(self):
        event = self.send("pagerduty", LEAD)[0]
        payload = event["payload"]
        self.assertEqual((event["event_action"], event["dedup_key"], event["client"]),
                         ("trigger", LEAD_ID, "linkbell"))
        self.assertEqual(payload["summary"], "New lead on alice.bio, campaign spring")
        self.assertEqual((payload["source"], payload["severity"], payload["class"]), ("alice.bio", "info", "hot-lead"))
        self.assertEqual(payload["custom_details"]["utm"]["campaign"], "spring")
        self.assertNotIn("Zo", json.dumps(event, ensure_ascii=False))
        self.assertNotIn("zoe@", json.dumps(event))

    def test_pagerduty_gets_the_contact_that_is_asked_for(self):
        event = self.send("pagerduty", LEAD, more=", contact: [name]")[0]
        self.assertEqual(event["payload"]["custom_details"]["contact"], {"name": "Zoë Müller"})
        self.assertIn("Zoë Müller", event["payload"]["summary"])

    def test_pagerduty_gets_a_threshold(self):
        payload = self.send("pagerduty", *self.clicks())[0]["payload"]
        self.assertEqual((payload["component"], payload["severity"], payload["group"]),
                         ("shop", "warning", "alice.bio"))
        self.assertEqual(payload["custom_details"]["value"], 3)

    def test_zapier_gets_flat_keys(self):
        message = self.send("zapier", LEAD)[0]
        self.assertEqual(list(message)[:2], ["id", "type"])
        self.assertEqual((message["id"], message["type"], message["rule"]), (LEAD_ID, "alert.fired", "hot-lead"))
        self.assertEqual(message["event__contact__email"], "zoe@example.com")
        self.assertEqual(message["event__utm__campaign"], "spring")
        message = self.send("zapier", *self.clicks())[0]
        self.assertEqual((message["group__link"], message["value"], message["event"]), ("shop", 3, ""))

    def test_a_destination_may_take_less_of_a_contact(self):
        for name in ("discord", "teams", "telegram", "zapier"):
            with self.subTest(name):
                text = json.dumps(self.send(name, LEAD, more=", contact: []"), ensure_ascii=False)
                self.assertNotIn("zoe@", text)
                self.assertNotIn("Zoë", text)
                self.assertIn("spring", text)

    def test_what_a_stranger_types_stays_text_within_the_limits(self):
        rows = [dict(LEAD, id=f"n{n}", name=text.replace("\n", " "), contact={"name": text, "email": text[:60] + "@x", "message": text * 12,
                                                           "phone": text},
                     url="https://alice.bio/?utm_source=x&utm_campaign=" + "n" * 250)
                for n, text in enumerate(NASTY)]
        rows += [dict(LEAD, id="long", contact={"name": "n" * 256, "message": "m" * 4096})]
        for name in SERVICES:
            with self.subTest(name):
                more = ", contact: [email, name, message, phone]"
                messages = self.send(name, *rows, count=len(rows), more=more)
                self.assertEqual(len(messages), len(rows))
                self.assertNotIn("\ufffd", json.dumps(messages, ensure_ascii=False))
                if name in ("discord", "teams"):
                    self.assertNotIn("[a](https", json.dumps(messages))


class Answers(unittest.TestCase):
    def run_answers(self, name, answers, *states):
        with World(name, answers) as world:
            world.bell.send(LEAD)
            row = world.row(*states)
            self.assertEqual(world.service.faults, [])
            self.log = world.bell.log.read_text()
            return row, world.service

    def test_trouble_is_tried_again(self):
        for name in SERVICES:
            with self.subTest(name):
                good = SERVICES[name][0].usual(None, 1)
                row, service = self.run_answers(name, [(500, {}, b"{}"), good], "delivered")
                self.assertEqual((row["attempts"], len(service.received)), (2, 2))

    def test_what_is_refused_for_good_is_dead_at_once(self):
        for name in ("discord", "teams", "telegram", "pagerduty"):
            with self.subTest(name):
                row, service = self.run_answers(name, [SERVICES[name][0].refused], "dead")
                self.assertEqual((row["attempts"], row["reason"], len(service.received)), (1, "rejected", 1))
        row, service = self.run_answers("zapier", [(413, {}, b"")], "dead")
        self.assertEqual(len(service.received), 1)

    def test_a_telegram_group_that_moved_gets_the_message_at_once(self):
        moved = (400, {}, json.dumps({"ok": False, "error_code": 400,
                                      "parameters": {"migrate_to_chat_id": -1009999999999}}).encode())
        row, service = self.run_answers("telegram", [moved, Telegram.usual(None, 5)], "delivered")
        self.assertEqual([m["chat_id"] for m in service.received], ["-1001234567890", "-1009999999999"])
        self.assertEqual((row["attempts"], row["remote_id"]), (1, "75"))

    def test_teams_connectors_of_old_say_it_in_the_body(self):
        bad = (200, {}, b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413")
        row, service = self.run_answers("teams", [bad], "dead")
        self.assertEqual(len(service.received), 1)

    def test_a_wait_is_kept(self):
        waits = {"discord": (429, {"Retry-After": "1"}, b'{"retry_after":1.2,"global":false}'),
                 "telegram": (429, {}, b'{"ok":false,"error_code":429,"parameters":{"retry_after":1}}'),
                 "pagerduty": (429, {"Retry-After": "1"}, b""), "teams": (429, {"Retry-After": "1"}, b""),
                 "zapier": (429, {"Retry-After": "1"}, b"")}
        for name, wait in waits.items():
            with self.subTest(name):
                row, service = self.run_answers(name, [wait, SERVICES[name][0].usual(None, 1)], "delivered")
                self.assertGreaterEqual(service.times[1] - service.times[0], 0.95)


class Configuration(unittest.TestCase):
    def check(self, destination):
        config = CONFIG.replace("  - { id: there, %s, retry: [50ms, 50ms], rate: 1000/s%s }", "  - { id: there, %s }")
        with Linkbell(config % destination) as bell:
            done = bell.run("apply", "--check", str(bell.config), check=False)
            return done.returncode, done.stdout + done.stderr

    def test_faults_are_named_with_what_to_do(self):
        cases = (("type: discrod, url_env: X", "discord, teams, telegram"),
                 ('type: discord, url: "https://discord.com/api/webhooks/1/x"', "url_env"),
                 ("type: teams", "url_env"), ("type: telegram, token_env: X", "chat"),
                 ("type: telegram, chat: 1", "token_env"), ("type: pagerduty", "routing_key_env"),
                 ("type: discord, url_env: X, chat: 1", "chat"),
                 ("type: discord, url_env: X, rate: fast", "5/s or 30/m"),
                 ("type: discord, url_env: X, concurrency: 0", "1 to 64"),
                 ("type: discord, url_env: X, retry: 5s", "list of durations"),
                 ("type: discord, url_env: X, retry: [soon]", "duration"),
                 ("type: discord, url_env: X, contact: [emial]", "email, name"),
                 ('type: telegram, token_env: X, chat: 1, base_url: "ftp://x"', "http or https"),
                 ("type: pagerduty, routing_key_env: X, region: mars", "us or eu"))
        for destination, word in cases:
            with self.subTest(destination):
                code, text = self.check(destination)
                self.assertEqual(code, 1, text)
                self.assertRegex(text, r":\d+:\d+: ")
                self.assertIn(word, text)

    def test_good_ones_have_no_fault(self):
        for destination in ("type: discord, url_env: X", "type: teams, url_file: /x", "type: zapier, url_env: X",
                            'type: telegram, token_env: X, chat: "-1"', "type: telegram, token_file: X, chat: -100",
                            "type: pagerduty, routing_key_env: X, region: eu, contact: []",
                            "type: zapier, url_env: X, secrets_env: [A, B], rate: 5/2s, ordered: true"):
            with self.subTest(destination):
                self.assertEqual(self.check(destination)[0], 0, self.check(destination)[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
