"""Rules from the outside: too little rings by time alone, a new rule knows the log and
stops nobody, what is held back says why, a backlog and kills change no id, and what
people do about alerts."""
import contextlib
import json
import sqlite3
import threading
import time
import unittest

from harness import Linkbell, wait_for
from test_alerts import ENV, HEAD, HOOK, LEAD_RULE, World, alert_id, at_ms, event

THRESHOLD = "  - { id: %s, kind: threshold, metric: %s, window: %s, %s, notify: [hook] }\n"


def check_id(test, alert):
    """The id is made of nothing but what the alert shows."""
    if alert["kind"] in ("event", "first_seen"):
        occasion = alert["event"]["id"]
    elif alert["kind"] == "milestone":
        occasion = str(alert["value"])
    else:
        occasion = f"{at_ms(alert['window']['from'])}-{at_ms(alert['window']['to'])}"
    test.assertEqual(alert["id"], alert_id(alert["rule"], alert["group"], occasion, alert["site"]))


def entries(bell, kind):
    """The log's entries of that kind, from the file; the service may run."""
    with contextlib.closing(sqlite3.connect(f"file:{bell.data}/linkbell.db?mode=ro", uri=True)) as db:
        return db.execute("SELECT seq, received, data FROM entries WHERE kind = ? ORDER BY seq", (kind,)).fetchall()


def clicks(world, name, count, **more):
    more = {"link": "shop", **more}
    world.bell.send(*[event("click", f"{name}{n}", **more) for n in range(count)])


class Below(unittest.TestCase):
    def test_too_little_rings_by_time_alone_and_is_over_with_events(self):
        rules = (LEAD_RULE + THRESHOLD % ("quiet", "views", "5s", "below: 3, clear: 4, per: [site]")
                 + THRESHOLD % ("flood", "clicks", "2s", "above: 2"))
        with World(rules) as world:
            world.bell.send(*[event("view", f"a{n}") for n in range(5)])
            clicks(world, "c", 3)
            self.assertEqual([a["rule"] for a in world.alerts()], ["flood"])
            alert = wait_for(lambda: world.alerts("?rule=quiet"), "a minute's tick", 90)[0]
            ticks = entries(world.bell, 1)
            self.assertGreaterEqual(len(ticks), 1)
            check_id(self, alert)
            self.assertEqual((alert["kind"], alert["severity"], alert["site"], alert["group"], alert["metric"],
                              alert["value"], alert["event"], alert["state"], alert["resolved"]),
                             ("threshold", "warning", "alice.bio", {"site": "alice.bio"}, "views", 0, None, "firing",
                              None))
            self.assertEqual(at_ms(alert["fired"]), ticks[0][1])
            self.assertEqual(at_ms(alert["window"]["to"]), ticks[0][1] + 1)
            self.assertEqual(at_ms(alert["window"]["to"]) - at_ms(alert["window"]["from"]), 5000)
            self.assertEqual(alert["summary"], "0 views on alice.bio in 5 seconds, less than 3")
            data = world.messages(2)[-1]["data"]
            self.assertEqual((data["alert"], data["value"], data["event"]), (alert["id"], 0, None))
            flood = world.alerts("?rule=flood")[0]
            self.assertEqual((flood["state"], flood["resolved"]), ("resolved", alert["fired"]))
            world.bell.send(*[event("view", f"b{n}") for n in range(3)])
            self.assertEqual(world.alerts("?rule=quiet")[0]["state"], "firing")
            world.bell.send(event("view", "b3"))
            rows = world.alerts("?rule=quiet&state=resolved")
            self.assertEqual([row["id"] for row in rows], [alert["id"]])
            self.assertGreater(at_ms(rows[0]["resolved"]), at_ms(alert["fired"]))
            self.assertEqual(len(world.alerts()), 2)

    def test_a_start_says_how_long_nobody_listened(self):
        rules = LEAD_RULE + THRESHOLD % ("quiet", "views", "1s", "below: 1")
        with World(rules) as world:
            world.bell.send(event("view", "a"))
            sent = time.time() * 1000
            world.bell.kill()
            time.sleep(1.5)
            world.bell.start()
            up = time.time() * 1000
            seq, received, data = entries(world.bell, 2)[-1]
            down_from = json.loads(data)["down_from"]
            self.assertLess(abs(down_from - sent), 2000)
            self.assertGreaterEqual(received - down_from, 1500)
            self.assertLessEqual(received, up)
            self.assertEqual(world.alerts(), [])  # the time between was no silence of the visitors


class NewRule(unittest.TestCase):
    COUNT = 100_000

    def fill(self, world):
        """Events of the last minutes, on 500 pages, all of them views and clicks."""
        base = time.time() * 1000
        for first in range(0, self.COUNT, 10_000):
            lines = "\n".join(json.dumps({
                "type": "click" if n % 4 == 0 else "view", "site": "alice.bio", "id": f"old{n}",
                "visitor": f"v{n % 3000}", "link": "shop", "ts": int(base - 600_000 + n * 5),
                "url": f"https://alice.bio/p{n % 500}"}) for n in range(first, first + 10_000))
            answer = world.bell.post("/v1/events", lines.encode(), headers={"Content-Type": "application/x-ndjson"})
            self.assertEqual(answer.json["accepted"], 10_000, answer)

    def send_on(self, world, stop, waits, names):
        connection = world.bell.connect()
        while not stop.is_set():
            name = f"live{len(names)}"
            start = time.monotonic()
            world.bell.send(event("view", name, url="https://alice.bio/p1"), connection=connection)
            waits.append(time.monotonic() - start)
            names.append(name)
        connection.close()

    def test_it_learns_from_the_log_and_stops_nobody(self):
        rules = LEAD_RULE + ("  - { id: pages, kind: first_seen, match: { type: view }, key: [page], notify: [hook] }\n"
                             "  - { id: every, kind: event, match: { type: click }, notify: [hook] }\n"
                             + THRESHOLD % ("flood", "clicks", "1h", "above: 100")
                             + THRESHOLD % ("crowd", "visitors", "1h", "above: 100")
                             + THRESHOLD % ("quiet", "clicks", "1h", "below: 1000000"))
        with World(LEAD_RULE) as world:
            self.fill(world)
            stop, waits, names = threading.Event(), [], []
            sender = threading.Thread(target=self.send_on, args=(world, stop, waits, names))
            sender.start()
            start = time.monotonic()
            world.apply(rules)
            took = time.monotonic() - start
            stop.set()
            sender.join(30)
            print(f"five rules learnt {self.COUNT} events in {took:.2f} s; {len(names)} events meanwhile, "
                  f"the longest wait {max(waits) * 1000:.0f} ms")
            self.assertLess(max(waits), 2)
            self.assertEqual(len(entries(world.bell, 7)), 6)
            self.assertEqual(world.alerts(), [])
            world.bell.send(event("view", "known", url="https://alice.bio/p77"),
                            event("view", "new", url="https://alice.bio/fresh"), event("click", "click", link="shop"))
            got = {(d["rule"], d["event"] and d["event"]["id"]) for d in world.fenced()}
            self.assertEqual(got, {("pages", "new"), ("every", "click")})
            self.check_counts(world, len(names))

    def check_counts(self, world, live):
        totals = world.bell.totals(metrics="views,clicks_raw")
        self.assertEqual(totals["views"] + totals["clicks_raw"], self.COUNT + live + 3)

    def test_a_kill_while_it_learns_only_makes_it_learn_again(self):
        rules = LEAD_RULE + "  - { id: pages, kind: first_seen, match: { type: view }, key: [page], notify: [hook] }\n"
        with World(LEAD_RULE) as world:
            self.fill(world)
            world.bell.kill()
            world.bell.write_config(world.head + "rules:\n" + rules)
            for pause in (0.05, 0.15, 0.3):
                world.bell.start(wait=False)
                time.sleep(pause)
                world.bell.kill()
            world.bell.start()
            world.bell.send(event("view", "known", url="https://alice.bio/p77"),
                            event("view", "new", url="https://alice.bio/fresh"))
            self.assertEqual([d["event"]["id"] for d in world.fenced()], ["new"])

    def test_a_change_of_what_counts_begins_anew_other_changes_do_not(self):
        rule = "  - { id: pages, kind: first_seen, match: { type: %s }, key: [page], %snotify: [hook] }\n"
        with World(LEAD_RULE + rule % ("view", "")) as world:
            world.bell.send(event("view", "a1", url="https://alice.bio/a"),
                            event("click", "b1", url="https://alice.bio/b"))
            world.apply(LEAD_RULE + rule % ("view", "severity: critical, "))
            world.bell.send(event("view", "a2", url="https://alice.bio/a"),
                            event("view", "c1", url="https://alice.bio/c"))
            world.apply(LEAD_RULE + rule % ("[view, click]", ""))
            world.bell.send(event("click", "a3", url="https://alice.bio/a"),
                            event("view", "b2", url="https://alice.bio/b"),
                            event("view", "d1", url="https://alice.bio/d"))
            got = [(d["event"]["id"], d["severity"]) for d in world.fenced()]
            self.assertEqual(sorted(got), [("a1", "info"), ("c1", "critical"), ("d1", "info")])


class HeldBack(unittest.TestCase):
    def test_each_reason_is_named_and_no_message_goes_out(self):
        rules = LEAD_RULE + """
  - { id: rare, kind: event, match: { type: click, link: shop }, cooldown: 1h, notify: [hook] }
  - { id: few, kind: event, match: { type: conversion }, max_per_day: 1, notify: [hook] }
  - { id: young, kind: first_seen, match: { type: view }, key: [page], learn: 1d, notify: [hook] }
"""
        with World(rules) as world:
            lines = "\n".join(json.dumps({"type": "conversion", "site": "alice.bio", "id": f"i{n}", "name": "x",
                                          "ts": "2026-01-02T03:04:05Z"}) for n in range(2))
            world.bell.run("import", "--format", "ndjson", "-", stdin=lines + "\n")
            clicks(world, "c", 3)
            world.bell.send(event("conversion", "v1", name="x"), event("conversion", "v2", name="x"),
                            event("view", "p1", url="https://alice.bio/a"))
            got = sorted(d["event"]["id"] for d in world.fenced())
            self.assertEqual(got, ["c0", "v1"])
            rows = {a["event"]["id"]: a for a in world.alerts("?state=held")}
            want = {"i0": "import", "i1": "import", "c1": "cooldown", "c2": "cooldown", "v2": "max_per_day",
                    "p1": "learning"}
            self.assertEqual({name: row["held_back"] for name, row in rows.items()}, want)
            for row in rows.values():
                self.assertEqual(row["deliveries"], [])
            for row in world.alerts():
                check_id(self, row)
            self.assertEqual(world.bell.metric("linkbell_alerts_total", '{rule="rare",result="cooldown"}'), 2)

    def test_machines_ring_where_a_rule_asks_for_them(self):
        rules = LEAD_RULE + ("  - { id: machines, kind: event, match: { type: view }, traffic: bot, notify: [hook] }\n"
                             "  - { id: people, kind: event, match: { type: view }, notify: [hook] }\n"
                             "  - { id: both, kind: event, match: { type: view, browser: '*' }, traffic: [human, bot], "
                             "severity: critical, notify: [hook] }\n")
        firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
        with World(rules) as world:
            world.bell.send(event("view", "machine", user_agent="curl/8.5.0"),
                            event("view", "person", user_agent=firefox))
            self.assertEqual({(d["rule"], d["event"]["id"]) for d in world.fenced()} - {("both", "machine")},
                             {("machines", "machine"), ("people", "person"), ("both", "person")})

    def test_an_import_that_may_ring_rings(self):
        with World(LEAD_RULE) as world:
            line = json.dumps({"type": "lead", "site": "alice.bio", "id": "i1", "ts": "2026-01-02T03:04:05Z"})
            world.bell.run("import", "--format", "ndjson", "--fire-alerts", "-", stdin=line + "\n")
            self.assertEqual(world.messages(1)[0]["data"]["event"]["id"], "i1")
            self.assertEqual(world.alerts()[0]["fired"], "2026-01-02T03:04:05.000Z")


class Same(unittest.TestCase):
    RULES = LEAD_RULE + ("  - { id: partner, kind: first_seen, match: { type: view }, key: [utm_campaign], "
                         "max_per_day: 10000, notify: [hook] }\n"
                         "  - { id: forty, kind: milestone, metric: clicks, every: 40, notify: [hook] }\n"
                         + THRESHOLD % ("links", "clicks", "1h", "above: 3, per: [link], cooldown: 1ms"))

    def send(self, world, first, count):
        rows = []
        for n in range(first, first + count):
            rows.append(event("click", f"c{n}", link=f"l{n % 5}") if n % 2 else
                        event("view", f"v{n}", url=f"https://alice.bio/?utm_campaign=c{n // 20}"))
            if n % 50 == 0:
                rows.append(event("lead", f"l{n}"))
        for at in range(0, len(rows), 500):
            world.bell.send(*rows[at:at + 500])

    def check_ids(self, world):
        rows = []
        cursor = ""
        while cursor is not None:
            page = world.bell.get("/v1/alerts?limit=1000" + cursor).json
            rows += page["data"]
            cursor = page["next"] and "&cursor=" + page["next"]
        for row in rows:
            check_id(self, row)
        return {row["id"]: (row["rule"], row["value"], row["held_back"]) for row in rows}

    @staticmethod
    def arrived(world):
        return {body["data"]["alert"] for body in world.receiver.bodies()}

    def test_kills_between_requests_change_no_alert(self):
        with World(self.RULES) as plain, World(self.RULES) as killed:
            for part in range(8):
                self.send(plain, part * 30, 30)
                self.send(killed, part * 30, 30)
                killed.bell.kill()
                killed.bell.start()
            wants, gots = self.check_ids(plain), self.check_ids(killed)
            for rule in ("hot-lead", "partner", "forty"):
                self.assertEqual({i for i, v in wants.items() if v[0] == rule},
                                 {i for i, v in gots.items() if v[0] == rule})
            values = [sorted(v[1:] for v in rows.values() if v[0] == "links") for rows in (wants, gots)]
            self.assertEqual(values[0], [(4, None)] * 5)
            self.assertEqual(values[1], values[0])
            # What was under way at a kill may arrive again, under the same id.
            wait_for(lambda: self.arrived(killed) >= set(gots), "all messages", 60)
            self.assertEqual(self.arrived(killed), set(gots))

    def test_a_backlog_is_decided_later_with_the_same_ids(self):
        with World(self.RULES) as world:
            ready = entries(world.bell, 7)[-1]
            self.send(world, 0, 12_000)
            want = self.check_ids(world)
            self.assertGreater(len(want), 800)
            world.bell.kill()
            with sqlite3.connect(world.bell.data / "linkbell.db") as db:  # as if nothing had been derived since
                db.execute("UPDATE meta SET value = ? WHERE key = 'cursor'", (ready[0],))
                db.execute("UPDATE meta SET value = ? WHERE key = 'rules_now'", (ready[1],))
                for table in ("alerts", "messages", "outbox", "attempts", "rule_state", "rule_seen"):
                    db.execute(f"DELETE FROM {table}")
            db.close()
            world.bell.start()
            wait_for(lambda: len(self.check_ids(world)) >= len(want), "the backlog", 60)
            self.assertEqual(self.check_ids(world), want)

    def test_a_rebuild_removes_and_sends_nothing(self):
        with World(self.RULES) as world:
            self.send(world, 0, 200)
            world.fenced()
            before, count = world.alerts("?limit=1000"), len(world.receiver.bodies())
            self.assertIn("derived anew", world.bell.run("rebuild").stdout)
            world.fenced("f2")
            after = [a for a in world.alerts("?limit=1000") if a["event"] is None or a["event"]["id"] != "f2"]
            self.assertEqual(after, before)
            self.assertEqual(len(world.receiver.bodies()), count + 1)


class Acting(unittest.TestCase):
    def post(self, world, alert, what, body=None, **more):
        return world.bell.post(f"/v1/alerts/{alert}/{what}", body, **more)

    def test_a_group_or_a_rule_is_mute_for_a_while(self):
        rules = LEAD_RULE + ('  - { id: odd, kind: event, match: { type: view }, per: [page], notify: [hook] }\n'
                             '  - { id: all, kind: event, match: { type: click }, per: [link], notify: [hook] }\n')
        with World(rules) as world:
            page = "https://alice.bio/<a>%22é"
            world.bell.send(event("view", "v1", url=page), event("click", "c1", link="shop"))
            rows = {a["rule"]: a["id"] for a in world.alerts()}
            first = self.post(world, rows["odd"], "mute", {"for": "1h"})
            self.assertEqual((first.status, first.json["id"]), (200, rows["odd"]))
            self.assertEqual(self.post(world, rows["odd"], "mute", {"for": "1h"}).status, 200)
            self.assertEqual(self.post(world, rows["all"], "mute", {"for": "1h", "rule": True}).status, 200)
            wait_for(lambda: not world.under_way(), "what a kill would send again", 60)
            world.bell.kill()
            world.bell.start()
            world.bell.send(event("view", "v2", url=page), event("view", "v3", url="https://alice.bio/b"),
                            event("click", "c2", link="shop"), event("click", "c3", link="book-call"))
            self.assertEqual(sorted(d["event"]["id"] for d in world.fenced()), ["c1", "v1", "v3"])
            held = {a["event"]["id"]: a["held_back"] for a in world.alerts("?state=held")}
            self.assertEqual(held, {"v2": "muted", "c2": "muted", "c3": "muted"})
            self.post(world, rows["all"], "mute", {"for": "1ms", "rule": True})
            time.sleep(0.01)
            world.bell.send(event("click", "c4", link="shop"))
            self.assertIn("c4", [d["event"]["id"] for d in world.fenced("f2")])

    def test_an_alert_is_acknowledged_once(self):
        with World(LEAD_RULE) as world:
            world.bell.send(event("lead", "l1"))
            row = world.alerts()[0]
            self.assertIsNone(row["acked"])
            answer = self.post(world, row["id"], "ack", {"note": "called back"})
            self.assertEqual(answer.status, 200)
            self.assertEqual({k: v for k, v in answer.json.items() if k not in ("acked", "deliveries")},
                             {k: v for k, v in row.items() if k not in ("acked", "deliveries")})
            self.assertLess(abs(at_ms(answer.json["acked"]) - time.time() * 1000), 10_000)
            self.assertEqual(self.post(world, row["id"], "ack").json["acked"], answer.json["acked"])
            self.assertEqual(world.alerts()[0]["acked"], answer.json["acked"])

    def test_what_cannot_be_done_is_refused(self):
        with World(LEAD_RULE) as world:
            world.bell.send(event("lead", "l1"))
            alert = world.alerts()[0]["id"]
            for what, body, status, word in (
                    ("mute", {}, 422, "for"), ("mute", {"for": "soon"}, 422, "for"), ("mute", {"for": "0s"}, 422, "for"),
                    ("mute", {"for": "1h", "rule": 1}, 422, "rule"), ("ack", {"note": 5}, 422, "note"),
                    ("ack", b"{", 400, "bad_json"), ("ack", {"note": "x" * 1001}, 422, "note")):
                answer = self.post(world, alert, what, body)
                self.assertEqual(answer.status, status, answer)
                self.assertIn(word, (answer.json["error"].get("field"), answer.json["error"]["code"]))
            self.assertEqual(self.post(world, "al_0000000000000000", "ack").status, 404)
            read = world.bell.make_token("read")
            self.assertEqual(self.post(world, alert, "ack", token=read).status, 403)
            bob = world.bell.make_token("admin", "--site", "bob.bio")
            self.assertEqual(self.post(world, alert, "mute", {"for": "1h"}, token=bob).status, 404)


class Configuration(unittest.TestCase):
    def test_faults_of_limits_are_named(self):
        many = "[" + ", ".join(f"c{n}" for n in range(40)) + "]"
        cases = (
            (THRESHOLD % ("r", "clicks", "5m", "clear: 3"), "above"),
            (THRESHOLD % ("r", "clicks", "5m", "above: 5, below: 3"), "one of them"),
            (THRESHOLD % ("r", "clicks", "5m", "below: 0"), "more than 0"),
            (THRESHOLD % ("r", "clicks", "5m", "below: 5, clear: 4"), "less than below"),
            (THRESHOLD % ("r", "clicks", "5m", "above: 5, clear: 6"), "more than above"),
            (THRESHOLD % ("r", "clicks", "5m", "above: inf"), "number"),
            (THRESHOLD % ("r", "visitors", "5m", "above: 1000000"), "visitors"),
            ("  - { id: r, kind: event, traffic: humans, notify: [hook] }\n", "human"),
            ("  - { id: r, kind: event, match: { utm_campaign: %s }, notify: [hook] }\n" % many, "32 is the most"),
            ("  - { id: r, kind: event, for: 5m, notify: [hook] }\n", "at once"))
        for rule, word in cases:
            with self.subTest(rule), Linkbell(HEAD + HOOK % "https://hooks.example/" + "rules:\n" + rule, ENV) as bell:
                done = bell.run("apply", "--check", str(bell.config), check=False)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(word, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
