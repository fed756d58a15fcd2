"""`linkbell erase`: a person or a site is gone from every byte of the data directory."""
import json
import threading
import time
import unittest

from harness import Linkbell, Receiver, rfc3339

CONFIG = """
server: { listen: 127.0.0.1:0 }
privacy: { keep_contact: [email, name, message] }
sites:
  - { id: alice.bio, timezone: Europe/Paris }
  - { id: bob.bio, timezone: America/New_York }
delivery: { allow_addresses: [127.0.0.0/8] }
destinations:
  - { id: hook, type: webhook, url_env: HOOK_URL, secrets_env: [HOOK_SECRET] }
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [hook] }
  - { id: eager, kind: threshold, metric: clicks_raw, per: [visitor], window: 1h, above: 1, notify: [hook] }
"""
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = time.time() - 60


def event(kind, who, number, site="alice.bio", **more):
    got = {"type": kind, "site": site, "visitor": who, "id": f"{who}-{number}-{site}",
           "ts": rfc3339(NOW + number)}
    if kind == "click":
        got["link"] = "shop"
    got.update(more)
    return got


def lead(who, number, **more):
    return event("lead", who, number, contact={
        "email": f" {who.upper()}@Example.org ", "name": f"Name-{who}",
        "message": f"Message-{who}"}, **more)


def whole(who, site="alice.bio"):
    """All that one person does, with marks of theirs in many fields."""
    return [event("view", who, 0, site, url=f"https://{site}/p-{who}?utm_campaign=camp-{who}",
                  referrer=f"https://{who}.example/{who}"),
            event("click", who, 1, site, props={"note": f"prop-{who}"}),
            event("click", who, 2, site, name=f"again-{who}", link="other"),
            lead(who, 3, **({"site": site}))]


def marks(who):
    """Texts that would give them away; ids are the client's own and go as well."""
    return [text.encode() for text in (
        f"{who}@example", f"{who.upper()}@Example", f"Name-{who}", f"Message-{who}", f"p-{who}",
        f"camp-{who}", f"prop-{who}", f"again-{who}", f"{who}-0", f"{who}-3", f"{who}.example")]


def files(bell):
    return [p for p in bell.data.rglob("*") if p.is_file()]


def found(bell, who):
    """Which marks stand in which file, and in the log."""
    texts = {str(p): p.read_bytes() for p in files(bell)}
    texts["log"] = bell.log.read_bytes() if bell.log.exists() else b""
    return [(name, mark) for name, body in texts.items() for mark in marks(who) if mark in body]


class Erase(unittest.TestCase):
    def setUp(self):
        self.receiver = Receiver(lambda number, path: 200)
        self.env = {"HOOK_URL": self.receiver.url("/hook"), "HOOK_SECRET": SECRET}
        self.bell = Linkbell(CONFIG, self.env).ready()

    def tearDown(self):
        self.bell.__exit__(None, None, None)
        self.receiver.close()

    def export(self):
        self.bell.run("export", "events", "--site", "alice.bio", "--out",
                      str(self.bell.data / "exports"))

    def erase(self, *words):
        return self.bell.run("erase", *words).stdout.splitlines()[0]

    def verify(self):
        self.assertIn("verify: ok", self.bell.run("verify").stdout)

    def wait_delivered(self, count):
        end = time.monotonic() + 20
        while len(self.receiver.received) < count:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def test_by_email_with_a_server_running(self):
        self.bell.send(*whole("zoe"), *whole("yan"))
        self.wait_delivered(4)
        self.export()
        self.assertNotEqual(found(self.bell, "zoe"), [])

        said = self.erase("--email", "\tZoe@example.ORG ")

        self.assertRegex(said, r"^erased: 4 events, 1 contact, 2 messages, 2 alerts, \d export file")
        self.assertEqual(found(self.bell, "zoe"), [])
        self.assertNotEqual(found(self.bell, "yan"), [])
        self.assertEqual(self.bell.totals(metrics="views,clicks,leads,visitors"),
                         self.bell.totals(metrics="views,clicks,leads,visitors") |
                         {"views": 1, "clicks": 2, "leads": 1, "visitors": 1})
        self.verify()
        alerts = self.bell.get("/v1/alerts").json["data"]
        self.assertEqual(len(alerts), 4)
        self.assertEqual(sorted(a["event"] is None for a in alerts), [False, True, True, True])
        self.assertEqual(sum(a["group"] is None for a in alerts), 1)
        self.assertEqual(self.erase("--email", "zoe@example.org"),
                         "erased: 0 events, 0 contacts, 0 messages")
        self.export()
        self.assertEqual(found(self.bell, "zoe"), [])

    def test_a_repeat_stays_a_duplicate_also_after_a_restart(self):
        self.bell.send(*whole("zoe"))
        self.erase("--visitor", "zoe")
        self.assertEqual(self.bell.send(*whole("zoe"))["duplicates"], 4)
        self.bell.kill()
        self.bell.start()
        self.assertEqual(self.bell.send(*whole("zoe"))["duplicates"], 4)
        self.assertEqual(found(self.bell, "zoe"), [])

    def test_by_visitor_offline_and_as_an_export_names_it(self):
        self.bell.send(*whole("zoe"), *whole("yan"), *whole("xia"), *whole("zoe", "bob.bio"))
        rows = [line for line in self.bell.get("/v1/export/events?site=alice.bio").body.decode()
                .splitlines() if "again-yan" in line]
        name = json.loads(rows[0])["visitor"]
        self.assertEqual(self.bell.stop(), 0)
        self.assertRegex(self.erase("--visitor", "zoe"), "erased: 8 events, 2 contacts")
        self.assertEqual(found(self.bell, "zoe"), [])
        self.assertRegex(self.erase("--visitor", name, "--site", "alice.bio"),
                         "erased: 4 events, 1 contact")
        self.assertEqual(found(self.bell, "yan"), [])
        self.assertNotEqual(found(self.bell, "xia"), [])
        self.verify()

    def test_two_people_behind_one_address_are_told_apart(self):
        shared = {"visitor": None, "ip": "198.51.100.7", "user_agent": "Mozilla/5.0 (X11)"}
        self.bell.send(event("view", "zoe", 0) | shared, lead("zoe", 1) | shared,
                       lead("yan", 2) | shared)
        self.assertRegex(self.erase("--email", "zoe@example.org"), "erased: 2 events, 1 contact")
        self.assertEqual(self.bell.totals(metrics="leads")["leads"], 1)
        self.assertIn(("YAN@Example.org"), self.bell.get("/v1/export/events?site=alice.bio").body.decode())

    def test_a_whole_site(self):
        self.bell.send(*whole("zoe"), *whole("yan", "bob.bio"))
        self.wait_delivered(4)
        self.export()
        said = self.erase("--site", "alice.bio")
        self.assertRegex(said, "erased: 4 events, 1 contact, 2 messages, 2 alerts")
        self.assertEqual(found(self.bell, "zoe"), [])
        self.assertFalse((self.bell.data / "exports/alice.bio").exists())
        self.assertEqual(self.bell.totals()["views"], 0)
        self.assertEqual(self.bell.totals(site="bob.bio")["views"], 1)
        self.verify()
        self.bell.send(event("view", "new", 9))
        self.assertEqual(self.bell.totals(metrics="visitors")["visitors"], 1)
        self.assertEqual(self.bell.run("erase", "--site", "nobody.bio", check=False).returncode, 1)

    def test_only_before_a_day(self):
        old = "2026-06-01T10:00:00Z"
        lines = "".join(f'{{"type":"view","site":"alice.bio","id":"o{i}","ts":"{old}"}}\n'
                        for i in range(5))
        self.bell.run("import", "-", stdin=lines)
        self.bell.send(*whole("zoe"))
        self.assertRegex(self.erase("--site", "alice.bio", "--before", "2026-06-02"),
                         "erased: 5 events, 0 contacts, 0 messages")
        self.assertEqual(self.bell.totals()["views"], 1)
        self.verify()

    def test_many_neighbours_leave_no_bytes_between_the_cells(self):
        for start in range(0, 1500, 50):
            self.bell.send(*[e for i in range(start, start + 50) for e in whole(f"w{i:04d}")[:2]])
        for i in range(0, 1500, 7):
            self.bell.run("erase", "--visitor", f"w{i:04d}") if i < 70 else None
        self.erase("--site", "alice.bio")
        texts = b"".join(p.read_bytes() for p in files(self.bell))
        self.assertEqual([i for i in range(1500) if f"p-w{i:04d}".encode() in texts], [])
        self.verify()

    def test_killed_in_the_middle_and_run_again(self):
        for start in range(0, 2000, 100):
            self.bell.send(*[event("view", "zoe", 0, id=f"zoe-0-{i}", url=f"/p-zoe/{i}")
                             for i in range(start, start + 100)])
        self.bell.send(*whole("yan"))
        runs = 0
        for delay in (0.0, 0.01, 0.02, 0.05, 0.1):
            thread = threading.Thread(target=lambda: self.bell.run("erase", "--visitor", "zoe",
                                                                   check=False))
            thread.start()
            time.sleep(delay + 0.05)
            self.bell.kill()
            thread.join()
            self.bell.start()
            self.verify()
            runs += 1
        self.erase("--visitor", "zoe")
        self.assertEqual(found(self.bell, "zoe"), [])
        self.assertEqual(self.bell.totals()["views"], 1)
        self.verify()

    def test_ingestion_goes_on_meanwhile(self):
        for start in range(0, 4000, 500):
            self.bell.send(*[event("view", "zoe", 0, id=f"zoe-0-{i}") for i in range(start, start + 500)])
        thread = threading.Thread(target=lambda: self.bell.run("erase", "--visitor", "zoe"))
        thread.start()
        sent = 0
        while thread.is_alive() or sent < 50:
            self.bell.send(event("view", "yan", 1, id=f"yan-{sent}"))
            sent += 1
        thread.join()
        self.assertEqual(found(self.bell, "zoe"), [])
        self.assertEqual(self.bell.totals(extra="&traffic=all")["views"], sent)
        self.verify()


if __name__ == "__main__":
    unittest.main(verbosity=2)
