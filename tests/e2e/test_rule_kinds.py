"""Each kind of rule as docs/rules.md shows it: it rings for what it is meant for, and its
quiet twin, something near to that, does not make it ring."""
import contextlib
import json
import re
import sqlite3
import time
import unittest

from harness import SOURCE, wait_for
from test_alerts import LEAD_RULE, World, alert_id, at_ms, event
from test_rules import check_id, entries

PAGE = (SOURCE / "docs/rules.md").read_text()


def example(heading, **changes):
    """The rules under a heading of the page, sent to the test's receiver; times made short."""
    text = re.search(rf"^### {heading}\n.*?^```yaml\n(.*?)^```", PAGE, re.M | re.S).group(1)
    for key, value in changes.items():
        text, count = re.subn(rf"\b{key}: [^,}}]+", f"{key}: {value}", text)
        assert count == 1, (heading, key)
    return re.sub(r"notify: \[\w+\]", "notify: [hook]", text)


def many(kind, name, count, **more):
    return [event(kind, f"{name}{n}", **more) for n in range(count)]


class Page(unittest.TestCase):
    def test_every_example_is_a_rule(self):
        rules = "".join(example(heading) for heading in re.findall(r"^### (\w+)\n", PAGE, re.M)
                        if heading != "Time")
        with World(rules) as world:
            self.assertIn("no changes", world.bell.run("apply", str(world.bell.config)).stdout)


class Milestone(unittest.TestCase):
    def test_the_hundredth_rings_and_neither_the_99th_nor_the_past(self):
        rules = LEAD_RULE.replace("type: lead", "type: conversion")
        with World(rules) as world:
            world.bell.send(*many("lead", "old", 230))
            world.apply(rules + example("milestone"))
            world.bell.send(*many("lead", "a", 69))
            self.assertEqual(world.alerts(), [])
            world.bell.kill()
            world.bell.start()
            world.bell.send(*many("lead", "b", 1))
            alert = world.alerts()[0]
            self.assertEqual(alert["id"], alert_id("every-100-leads", {}, "300"))
            self.assertEqual((alert["kind"], alert["severity"], alert["metric"], alert["value"], alert["summary"],
                              alert["event"], alert["window"], alert["state"]),
                             ("milestone", "info", "leads", 300, "300 leads on alice.bio", None, None, "firing"))
            data = world.messages(1)[0]["data"]
            self.assertEqual(data["value"], 300)
            self.assertNotIn("window", data)
            self.check_link(world, data["stats_url"])
            self.assertEqual(len(world.alerts()), 1)

    def check_link(self, world, url):
        got = world.bell.get(url.removeprefix("https://l.alice.bio"))
        self.assertEqual(got.json["totals"]["leads"], 300, got)


    def test_visitors_are_counted_once_and_the_past_is_known(self):
        rule = "  - { id: people, kind: milestone, metric: visitors, every: 50, notify: [hook] }\n"
        with World(LEAD_RULE) as world:
            for n in range(3):  # each of them comes three times
                world.bell.send(*[{**event("view", f"a{n}-{i}"), "visitor": f"p{i}"} for i in range(70)])
            world.apply(LEAD_RULE + rule)
            world.bell.send(*[{**event("view", f"b{i}"), "visitor": f"p{i}"} for i in range(99)])
            self.assertEqual(world.alerts(), [])
            world.bell.kill()
            world.bell.start()
            world.bell.send(*[{**event("view", f"c{i}"), "visitor": f"p{i}"} for i in range(40, 100)])
            self.assertEqual([(a["id"], a["value"], a["metric"]) for a in world.alerts()],
                             [(alert_id("people", {}, "100"), 100, "visitors")])
            self.assertEqual(world.bell.totals(metrics="visitors")["visitors"], 100)


class Burst(unittest.TestCase):
    def test_one_visitor_s_31_clicks_ring_and_those_of_many_do_not(self):
        with World(LEAD_RULE + example("burst")) as world:
            world.bell.send(*many("click", "crowd", 60, link="shop"))
            for n in range(30):
                world.bell.send(event("click", f"calm{n}", link="shop", visitor="calm"))
            self.assertEqual(world.fenced(), [])
            world.bell.send(*[{**event("click", f"hasty{n}"), "link": f"l{n}", "visitor": "hasty"} for n in range(40)])
            alert = world.alerts("?rule=click-fraud")[0]
            check_id(self, alert)
            self.assertEqual((alert["kind"], alert["severity"], alert["value"], list(alert["group"])),
                             ("burst", "warning", 31, ["visitor"]))
            self.assertEqual(alert["summary"], "31 clicks of one visitor on alice.bio in 1 minute, more than 30")
            self.assertEqual([d["alert"] for d in world.fenced("f2") if d["rule"] == "click-fraud"], [alert["id"]])


class Silence(unittest.TestCase):
    def test_no_view_rings_by_a_tick_and_is_over_with_one(self):
        rules = (LEAD_RULE + example("absent", window="3s") + example("not_pulled", after="3s")
                 + example("absent", id="still-there", window="1h") + example("not_pulled", id="later", after="1h"))
        with World(rules) as world:
            pull = world.bell.get("/v1/export/stats?site=alice.bio")
            self.assertEqual(pull.status, 200)
            wait_for(lambda: entries(world.bell, 5), "the note of the pull")
            self.assertIn('"sites":["alice.bio"]', entries(world.bell, 5)[0][2])
            world.bell.send(event("view", "a"))
            gone = wait_for(lambda: world.alerts("?rule=gone-quiet"), "a minute's tick", 90)[0]
            missed = world.alerts("?rule=nightly-pull")[0]
            tick = entries(world.bell, 1)[-1][1]
            for alert, name in ((gone, "No views on alice.bio for 3 seconds"),
                                (missed, "The stats export of alice.bio has not been pulled for 3 seconds")):
                check_id(self, alert)
                self.assertEqual((alert["summary"], alert["group"], alert["severity"], alert["state"], alert["event"]),
                                 (name, {}, "warning", "firing", None))
                self.assertEqual(at_ms(alert["window"]["to"]), tick)
            self.assertEqual(at_ms(missed["window"]["from"]), entries(world.bell, 5)[0][1])
            self.assertEqual((gone["metric"], gone["value"], missed["metric"], missed["value"]),
                             ("views", 0, None, None))
            got = world.bell.get(gone["stats_url"].removeprefix("https://l.alice.bio"))
            self.assertEqual(got.json["totals"]["views"], 0, got)
            world.bell.send(event("view", "b"))
            self.assertEqual(world.alerts("?rule=gone-quiet")[0]["state"], "resolved")
            world.bell.run("export", "stats", "--site", "alice.bio", "--out", str(world.bell.dir / "out"))
            wait_for(lambda: world.alerts("?rule=nightly-pull")[0]["state"] == "resolved", "the files' pull")
            self.assertEqual({a["rule"] for a in world.alerts()}, {"gone-quiet", "nightly-pull"})


class Ctr(unittest.TestCase):
    @staticmethod
    def send(world, day, count, every):
        """Views of a day that is so many days ago, and a click after each so many of them."""
        at = int(time.time() * 1000) - day * 86_400_000
        rows = []
        for n in range(count):
            rows.append(event("view", f"v{day}-{n}", ts=at))
            if n % every == 0:
                rows.append(event("click", f"c{day}-{n}", ts=at, link="shop"))
        for first in range(0, len(rows), 1000):
            world.bell.send(*rows[first:first + 1000])

    def test_a_share_that_fell_rings_once_and_one_that_only_wobbles_does_not(self):
        rules = LEAD_RULE + example("ctr") + example("ctr", id="wary", min_views=800)
        with World(rules) as world:
            self.send(world, 2, 2000, 5)
            self.send(world, 1, 1200, 6)  # before the window: what is usual
            self.assertEqual(world.alerts(), [])
            self.send(world, 0, 600, 12)
            alerts = world.alerts()
            self.assertEqual([a["rule"] for a in alerts], ["weak-ctr"])
            alert = alerts[0]
            check_id(self, alert)
            self.assertEqual((alert["kind"], alert["severity"], alert["metric"], alert["group"], alert["state"]),
                             ("ctr", "warning", "ctr", {}, "firing"))
            self.assertEqual(alert["value"], 0.084)  # 42 of 500, as soon as there are 500
            self.assertEqual(alert["expected"], 0.1875)
            self.assertLess(alert["probability"], 1e-6)
            self.assertEqual(alert["summary"], "8.4 clicks on 100 views of alice.bio in 1 day, where 18.8 are usual")
            self.assertEqual(at_ms(alert["window"]["to"]) - at_ms(alert["window"]["from"]), 86_400_000)
            got = world.bell.get(alert["stats_url"].removeprefix("https://l.alice.bio"))
            self.assertEqual(got.json["totals"]["ctr"], 0.0833, got)  # 50 of 600 by now
            self.assertEqual([d["alert"] for d in world.fenced()], [alert["id"]])


class Spike(unittest.TestCase):
    """Five weeks with two leads an hour at the link book-call and four views, loaded from a file."""
    WEEKS = 5

    def history(self, world):
        rows = []
        now = int(time.time() * 1000)
        for hour in range(24 * 7 * self.WEEKS, 0, -1):
            at = now - hour * 3_600_000
            rows += [event("lead", f"l{hour}-{n}", ts=at + n * 1_000_000, link="book-call") for n in range(2)]
            rows += [event("view", f"v{hour}-{n}", ts=at + n * 800_000) for n in range(4)]
        path = world.bell.dir / "history.ndjson"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return world.bell.run("import", "--format", "ndjson", str(path)).stdout

    def test_many_leads_ring_as_they_come_and_an_import_and_late_ones_do_not(self):
        rules = LEAD_RULE.replace("type: lead", "type: conversion")
        with World(rules) as world:
            self.history(world)
            rules += example("spike") + example("drop") + example("spike", id="patient", min=50)
            self.assertIn("lead-spike", world.apply(rules))
            late = int(time.time() * 1000) - 7_200_000
            world.bell.send(*many("lead", "late", 40, link="book-call", ts=late))
            self.assertEqual(world.alerts(), [])
            world.bell.send(*many("lead", "few", 2, link="book-call"))
            self.assertEqual(world.alerts(), [])
            for n in range(20):
                world.bell.send(event("lead", f"many{n}", link="book-call", country="FR" if n % 2 else "BE",
                                      url="https://alice.bio/?utm_source=newsletter"))
            alerts = world.alerts()
            self.assertLessEqual({a["rule"] for a in alerts}, {"lead-spike"})
            alert = alerts[0]
            check_id(self, alert)
            self.assertEqual((len(alerts), alert["kind"], alert["severity"], alert["group"], alert["metric"], alert["state"]),
                             (1, "spike", "warning", {"link": "book-call"}, "leads", "firing"))
            self.assertIn(alert["value"], (5, 6, 7, 8))
            self.assertTrue(0.2 < alert["expected"] < 1, alert)
            self.assertLess(alert["probability"], 1 / 2880)
            self.assertRegex(alert["summary"],
                             r"^\d leads on Book a strategy call in 15 minutes, where about 0\.\d are usual$")
            first = alert["contributors"][0]
            self.assertEqual((first["dimension"], first["value"]), ("utm_source", "newsletter"))
            self.assertIn(first["count"], (alert["value"], alert["value"] - 1, alert["value"] - 2))
            self.assertEqual([c["dimension"] for c in alert["contributors"]], ["utm_source", "country", "country"])
            self.assertEqual(at_ms(alert["window"]["to"]) - at_ms(alert["window"]["from"]), 900_000)
            self.assertEqual(at_ms(alert["window"]["from"]) % 900_000, 0)
            got = world.bell.get(alert["stats_url"].removeprefix("https://l.alice.bio"))
            self.assertGreaterEqual(got.json["totals"]["leads"], alert["value"], got)
            world.bell.kill()
            world.bell.start()
            world.bell.send(*many("lead", "more", 5, link="book-call"))
            again = [d for d in world.alerts() if d["window"]["from"] == alert["window"]["from"]]
            self.assertEqual([a["id"] for a in again if a["rule"] == "lead-spike"], [alert["id"]])
            self.history(world)
            self.assertEqual(len([a for a in world.alerts() if a["held_back"]]), 0)
            self.check_backtest(world)

    def check_backtest(self, world):
        """The same events, decided anew: the same alerts to the byte; nothing is written."""
        live = world.alerts("?rule=lead-spike")[::-1]
        for alert in live:
            del alert["deliveries"]
        since = live[0]["fired"]
        answer = world.bell.post("/v1/rules/backtest", json.dumps({"rule": "lead-spike", "from": since}).encode())
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(json.dumps(answer.json["alerts"]), json.dumps(live))
        self.assertEqual((answer.json["rule"], answer.json["held_back"]), ("lead-spike", {}))
        point = answer.json["series"][-1]
        self.assertEqual(list(point), ["time", "value", "expected", "limit"])
        shown = world.bell.run("rules", "backtest", "--rule", "lead-spike", "--from", since).stdout
        self.assertIn("This rule would have fired 1 time in", shown)
        self.assertIn(live[0]["summary"], shown)
        self.assertIn("fired |", shown)
        other = {"kind": "drop", "metric": "views", "window": "1h", "false_alarms": "2/day"}
        answer = world.bell.post("/v1/rules/backtest", json.dumps({"rule": other, "site": "alice.bio"}).encode())
        self.assertEqual((answer.status, answer.json["rule"]), (200, "backtest"), answer)
        self.assertGreater(len(answer.json["series"]), 24 * 7 * self.WEEKS - 3)
        self.assertEqual(answer.json["events"], 24 * 7 * self.WEEKS * 4)
        for body, fault in (({"rule": "nope"}, "no such rule"), ({"rule": {"kind": "drop"}}, "metric"),
                            ({"rule": "lead-spike", "form": "x"}, "is no key"),
                            ({"rule": "lead-spike", "from": "soon"}, "from")):
            answer = world.bell.post("/v1/rules/backtest", json.dumps(body).encode())
            self.assertEqual(answer.status, 422, answer)
            self.assertIn(fault, answer.json["error"]["message"])
        self.assertEqual(len(world.alerts("?rule=lead-spike")), len(live))


class Crowd(unittest.TestCase):
    """Four weeks with three visitors an hour, each with four views, loaded from a file."""
    RULE = "  - { id: throng, kind: spike, metric: visitors, window: 1h, min: 12, notify: [hook] }\n"

    def test_many_visitors_ring_and_much_of_one_does_not(self):
        with World(LEAD_RULE) as world:
            now = int(time.time() * 1000)
            rows = [event("view", f"v{hour}-{n}-{view}", ts=now - hour * 3_600_000 + view, visitor=f"v{hour}-{n}")
                    for hour in range(24 * 28, 0, -1) for n in range(3) for view in range(4)]
            path = world.bell.dir / "history.ndjson"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            world.bell.run("import", "--format", "ndjson", str(path))
            early = [event("view", f"early{n}", visitor=f"e{n}") for n in range(6)]  # before the rule is there
            world.bell.send(*early)
            self.assertIn("throng", world.apply(LEAD_RULE + self.RULE))
            for n in range(10):
                world.bell.send(*[event("view", f"one{n}-{i}", visitor="one") for i in range(10)])
            world.bell.send(*[event("view", f"early-again{n}", visitor=f"e{n}") for n in range(6)])
            self.assertEqual(world.alerts(), [])
            world.bell.kill()
            world.bell.start()
            world.bell.send(*[event("view", f"early-more{n}", visitor=f"e{n}") for n in range(6)])
            self.assertEqual(world.alerts(), [])
            for n in range(20):
                world.bell.send(event("view", f"many{n}", visitor=f"m{n}", country="FR", url="https://alice.bio/?utm_source=newsletter"),
                                event("view", f"more{n}", visitor=f"m{n}", country="FR", url="https://alice.bio/?utm_source=newsletter"))
            alerts = world.alerts()
            self.assertEqual([a["rule"] for a in alerts], ["throng"])
            alert = alerts[0]
            check_id(self, alert)
            # The hour may have turned in between; then it has those of the new hour alone.
            self.assertTrue(12 <= alert["value"] <= 16, alert)
            self.assertTrue(1 < alert["expected"] < 4.5, alert)
            self.assertLess(alert["probability"], 1 / 720)
            self.assertRegex(alert["summary"], r"^\d+ visitors on alice\.bio in 1 hour, where about \d(\.\d)? are usual$")
            self.assertEqual((alert["contributors"][0]["dimension"], alert["contributors"][0]["value"]), ("utm_source", "newsletter"))
            self.assertLessEqual(alert["contributors"][0]["count"], alert["value"])
            got = world.bell.get(alert["stats_url"].removeprefix("https://l.alice.bio"))
            self.assertGreaterEqual(got.json["totals"]["visitors"], alert["value"], got)
            del alert["deliveries"]
            answer = world.bell.post("/v1/rules/backtest", json.dumps({"rule": "throng"}).encode())
            self.assertEqual((json.dumps(answer.json["alerts"][-1:]), len(answer.json["alerts"])), (json.dumps([alert]), 1), answer)
            usual = [p["value"] for p in answer.json["series"][24:24 * 27]]
            self.assertEqual((min(usual), max(usual)), (3, 3))


class Told(unittest.TestCase):
    RULES = (LEAD_RULE + example("resolve", window="3s") + example("digest", digest="1s")
             + example("for", **{"above": 2, "window": "1h", "for": "1s"})
             + example("for", id="fleeting", **{"above": 2, "window": "1h", "for": "1h"})
             + example("template", id="in-words").replace("type: lead", "type: conversion")
             + example("quiet", hours='"00:00-24:00"').replace("type: lead", "type: conversion"))

    def test_it_is_told_as_the_rule_says(self):
        with World(self.RULES) as world:
            world.bell.send(event("view", "v1"), *many("click", "c", 2, link="book-call"))
            world.bell.kill()
            world.bell.start()
            began = time.monotonic()
            world.bell.send(*many("click", "d", 1, link="book-call"))
            self.assertEqual([a["rule"] for a in world.alerts()], ["clicks-in-one"] * 3)
            time.sleep(max(0.0, began + 1.1 - time.monotonic()))  # it has to hold so long
            world.bell.send(event("click", "e", link="shop"))
            held = world.alerts("?rule=flood-that-stays")
            self.assertEqual([(a["value"], a["metric"]) for a in held], [(4, "clicks")])
            world.bell.send(event("conversion", "k", name="Sale", contact={"name": "Zoe"},
                                  url="https://alice.bio/?utm_source=newsletter"))
            self.check_words(world)
            self.check_digest(world)
            self.check_resolved(world)
            self.check_quiet(world)
            self.assertEqual(world.alerts("?rule=fleeting"), [])
            self.assertEqual(world.receiver.bad_signatures, 0)

    def of_type(self, world, kind):
        with world.receiver.lock:
            rows = [({k.lower(): v for k, v in headers.items()}, json.loads(body))
                    for _, _, headers, body in world.receiver.received]
        return [(headers["webhook-id"], body["data"]) for headers, body in rows if body["type"] == kind]

    def check_words(self, world):
        row = wait_for(lambda: [d for _, d in self.of_type(world, "alert.fired") if d["rule"] == "in-words"], "words")[0]
        self.assertEqual(row["summary"], "Zoe wrote, from newsletter")
        self.assertEqual(world.alerts("?rule=in-words")[0]["summary"], row["summary"])

    def check_digest(self, world):
        name, data = wait_for(lambda: self.of_type(world, "alert.digest"), "a minute's tick", 90)[0]
        self.assertEqual(name, data["digest"])
        self.assertRegex(name, r"^dg_[0-9a-f]{16}$")
        ids = [a["id"] for a in world.alerts("?rule=clicks-in-one")][::-1]
        self.assertEqual((data["count"], [a["alert"] for a in data["alerts"]]), (3, ids))
        self.assertEqual(at_ms(data["to"]), entries(world.bell, 1)[-1][1])
        self.assertEqual(data["summary"].splitlines()[0], "3 alerts of clicks-in-one on alice.bio")
        self.assertNotIn("clicks-in-one", [d["rule"] for _, d in self.of_type(world, "alert.fired")])

    def check_resolved(self, world):
        alert = world.alerts("?rule=gone-and-back")[0]
        self.assertEqual((alert["state"], self.of_type(world, "alert.resolved")), ("firing", []))
        world.bell.send(event("view", "v2"))
        name, data = wait_for(lambda: self.of_type(world, "alert.resolved"), "that it is over")[0]
        self.assertEqual((name, data["alert"], data["value"]), (alert["id"] + "_resolved", alert["id"], 1))
        self.assertEqual(data["resolved"], world.alerts("?rule=gone-and-back")[0]["resolved"])
        self.assertEqual(data["lasted_s"], (at_ms(data["resolved"]) - at_ms(alert["fired"])) // 1000)
        fired = [n for n, _ in self.of_type(world, "alert.fired")]
        self.assertIn(alert["id"], fired)

    def check_quiet(self, world):
        row = world.alerts("?rule=leads-by-day")[0]
        self.assertEqual((row["state"], row["held_back"], row["deliveries"]), ("held", "quiet", []))
        self.assertEqual(len(self.of_type(world, "alert.digest")), 1)
        self.assertIn("leads-by-day", world.apply(re.sub(r"quiet: \{.*?\}, ", "", self.RULES)))
        _, data = wait_for(lambda: self.of_type(world, "alert.digest")[1:], "a minute's tick", 90)[0]
        self.assertEqual([a["alert"] for a in data["alerts"]], [row["id"]])
        self.assertEqual(data["rule"], "leads-by-day")
        self.assertEqual(data["alerts"][0]["event"]["contact"], {"name": "Zoe"})
        self.assertIn("erased: 1 event", world.bell.run("erase", "--visitor", "k").stdout)
        with contextlib.closing(sqlite3.connect(f"file:{world.bell.data}/linkbell.db?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT id, body FROM messages").fetchall()
        self.assertNotIn("Zoe", "".join(body for _, body in rows))
        self.assertEqual(json.loads(dict(rows)[data["digest"]])["data"]["alerts"], [])


class Rules(unittest.TestCase):
    RULES = (LEAD_RULE + example("burst") + example("template", id="worded")
             + "  - { id: nobody, kind: event, enabled: false }\n"
             + "  - { id: elsewhere, kind: event, sites: [none.bio], notify: [hook] }\n")

    def test_they_are_listed_with_how_they_fare(self):
        with World(self.RULES) as world:
            world.bell.send(event("lead", "l1"))
            alert = world.alerts("?rule=hot-lead")[0]
            world.bell.post(f"/v1/alerts/{alert['id']}/mute", {"for": "1h", "rule": True})
            world.bell.send(event("lead", "l2"))  # held back: it does not count as fired
            got = world.bell.get("/v1/rules").json
            self.assertIsNone(got["next"])
            rows = {row["id"]: row for row in got["data"]}
            self.assertEqual(list(rows), ["click-fraud", "elsewhere", "hot-lead", "nobody", "worded"])
            self.assertEqual({k: v for k, v in rows["hot-lead"].items() if k not in ("muted_until", "created")},
                             {"id": "hot-lead", "kind": "event", "match": {"type": "lead"}, "notify": ["hook"],
                              "managed_by": "file", "last_fired": alert["fired"]})
            self.assertGreater(at_ms(rows["hot-lead"]["muted_until"]), time.time() * 1000 + 3_000_000)
            self.assertEqual((rows["click-fraud"]["above"], rows["click-fraud"]["last_fired"],
                              rows["click-fraud"]["muted_until"]), (30, None, None))
            self.assertEqual(world.bell.get("/v1/rules/hot-lead").json, rows["hot-lead"])
            self.check_pages(world, list(rows))
            self.check_refusals(world)
            text = world.bell.run("rules", "list").stdout.splitlines()
            self.assertEqual([line.split()[:3] for line in text],
                             [["rule", "kind", "state"], ["click-fraud", "burst", "on"], ["elsewhere", "event", "on"],
                              ["hot-lead", "event", "on"], ["nobody", "event", "off"], ["worded", "event", "on"]])
            self.assertEqual(json.loads(world.bell.run("rules", "list", "--json").stdout), got)

    def check_pages(self, world, want):
        ids, cursor = [], ""
        while cursor is not None:
            page = world.bell.get("/v1/rules?limit=2" + cursor).json
            ids += [row["id"] for row in page["data"]]
            cursor = page["next"] and "&cursor=" + page["next"]
        self.assertEqual(ids, want)

    def check_refusals(self, world):
        read = world.bell.make_token("read")
        for path, token, status in (("/v1/rules", read, 403), ("/v1/rules/none", True, 404),
                                    ("/v1/rules?limit=0", True, 400), ("/v1/rules?limt=5", True, 400)):
            self.assertEqual(world.bell.get(path, token=token).status, status, path)
        for rule, status in (("none", 404), ("nobody", 422), ("elsewhere", 422)):
            self.assertEqual(world.bell.post(f"/v1/rules/{rule}/test").status, status, rule)
        self.assertEqual(world.bell.post("/v1/rules/hot-lead/test", token=read).status, 403)
        bob = world.bell.make_token("admin", "--site", "bob.bio")
        self.assertEqual(world.bell.get("/v1/rules", token=bob).status, 403)  # rules are of all sites
        self.assertEqual(world.bell.post("/v1/rules/elsewhere/test", token=bob).status, 404)

    def test_a_sample_goes_where_the_rule_s_alerts_go(self):
        with World(self.RULES) as world:
            done = world.bell.run("rules", "test", "worded").stdout
            body = world.messages(1)[0]
            self.assertEqual((body["type"], body["data"]["rule"], body["data"]["destination"],
                              body["data"]["summary"]),
                             ("test", "worded", "hook", "Sam Sample wrote, from newsletter"))
            self.assertRegex(done, r"^a sample of worded is on its way to hook: dl_[0-9a-f]{16}$")
            answer = world.bell.post("/v1/rules/click-fraud/test")
            self.assertEqual(answer.status, 202, answer)
            self.assertEqual([d["destination"] for d in answer.json["deliveries"]], ["hook"])
            self.assertEqual(world.messages(2)[1]["data"]["value"], 31)
            rows = world.bell.get("/v1/deliveries").json["data"]
            self.assertIn(answer.json["deliveries"][0]["id"], [row["id"] for row in rows])
            self.assertEqual(world.alerts(), [])  # it raises none
            self.assertEqual(world.bell.run("rules", "tset", check=False).returncode, 2)
            self.assertEqual(world.bell.run("rules", "test", "none", check=False).returncode, 1)


class Order(unittest.TestCase):
    def test_that_it_is_over_comes_after_the_alert(self):
        rules = LEAD_RULE + "  - { id: r, kind: burst, metric: clicks, window: 1s, above: 1, resolve: true, notify: [hook] }\n"
        with World(rules, lambda number, path: 500 if number < 5 else 200) as world:
            began = time.monotonic()
            world.bell.send(*many("click", "a", 2, link="shop"))
            time.sleep(max(0.0, began + 1.1 - time.monotonic()))  # until the window is empty
            world.bell.send(event("click", "b", link="shop"))
            self.assertEqual(world.alerts()[0]["state"], "resolved")
            bodies = world.messages(7)
            self.assertEqual([b["type"] for b in bodies], ["alert.fired"] * 6 + ["alert.resolved"])
            self.assertEqual({b["data"]["alert"] for b in bodies}, {world.alerts()[0]["id"]})
            self.assertEqual(bodies[-1]["data"]["value"], 0)


class Faults(unittest.TestCase):
    def test_faults_of_kinds_are_named(self):
        rule = "  - { id: r, kind: %s, notify: [hook] }\n"
        cases = (("milestone, metric: leads", "every"), ("milestone, metric: leads, every: 0.5", "whole number"),
                 ("milestone, metric: visitors, every: 5, per: [link]", "by site"),
                 ("milestone, metric: lead, every: 5", "did you mean leads"),
                 ("burst, metric: clicks, above: 5", "window"), ("absent, window: 5m", "metric"),
                 ("absent, metric: views, window: 5m, above: 3", "above"), ("not_pulled, after: 5m", "export"),
                 ("not_pulled, export: stat, after: 5m", "did you mean stats"),
                 ("not_pulled, export: stats", "after"),
                 ("not_pulled, export: stats, after: 1d, match: { type: lead }", "match"),
                 ("ctr, window: 7h", "part of a day"), ("ctr", "window"), ("ctr, window: 1d, drop: 2", "0.01 to 1"),
                 ("ctr, window: 1d, per: [link]", "match"), ("ctr, window: 1d, match: { type: click }", "type"),
                 ("ctr, window: 1d, confidence: 99", "confidence"),
                 ("event, for: 5m", "rings at once"), ("event, resolve: true", "no state"),
                 ("absent, metric: views, window: 5m, for: soon", "duration"),
                 ("event, digest: 8d", "7d"), ("event, quiet: { hours: 22-7 }", "22:00-07:00"),
                 ("event, quiet: { days: [saturday] }", "none of mon"),
                 ("event, template: '{{event.contact.nam}}'", "did you mean event.contact.name"),
                 ("event, template: '{{value}}'", "has no"), ("event, fro: 5m", "did you mean for"),
                 ("spike, metric: views", "window"), ("drop, window: 1h", "metric"),
                 ("spike, metric: views, window: 7m", "5m at least"),
                 ("spike, metric: views, window: 1h, false_alarms: monthly", "1/month"),
                 ("spike, metric: views, window: 1h, false_alarms: 0/day", "0.001 to 100"),
                 ("drop, metric: views, window: 1h, for: 2h", "rings at once"),
                 ("mileston, metric: leads, every: 5", "did you mean milestone"))
        with World(LEAD_RULE) as world:
            for words, fault in cases:
                with self.subTest(words):
                    world.bell.write_config(world.head + "rules:\n" + rule % words)
                    done = world.bell.run("apply", "--check", str(world.bell.config), check=False)
                    self.assertEqual(done.returncode, 1, done.stdout)
                    self.assertIn(fault, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
