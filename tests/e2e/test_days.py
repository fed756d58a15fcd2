"""Counted days and the log give the same figures, whatever happens to either: closed days,
late events, a changed zone, erasure, rebuild, damage."""
import json
import os
import random
import sqlite3
import time
import unittest

from harness import Linkbell, rfc3339, wait_for

CONFIG = """
server: { listen: 127.0.0.1:0 }
sites:
  - { id: alice.bio, timezone: %s }
  - { id: bob.bio, timezone: America/St_Johns }
"""
DAY = 86400
DIMENSIONS = ["link", "page", "host", "source", "channel", "referrer", "utm_source", "utm_medium",
              "utm_campaign", "utm_term", "utm_content", "country", "region", "city", "device", "browser",
              "os", "name", "reason", "click_id", "type", "qr", "site", "traffic"]
METRICS = "views,clicks_raw,clicks,clickers,leads,conversions,visitors,orphan_clicks,ctr,ctr_unique,lead_rate,value"
# True of every event, and no counted day can answer it: the log is read.
FROM_LOG = "&filter=not%20(utm_term%20==%20never-there)"


def history(rng, count, days):
    """Events of a few visitors over the days before now."""
    now = time.time()
    for number in range(count):
        at = now - rng.random() * days * DAY
        kind = rng.choice(["view"] * 5 + ["click"] * 3 + ["lead", "conversion"])
        event = {"type": kind, "site": rng.choice(["alice.bio", "bob.bio"]), "id": f"e{number}", "ts": rfc3339(at),
                 "visitor": f"v{rng.randrange(40)}", "country": rng.choice(["FR", "BE", "US", None]),
                 "url": f"https://alice.bio/p{rng.randrange(4)}?utm_source={rng.choice(['x', 'y', ''])}"
                        f"&utm_campaign=c{rng.randrange(3)}"}
        if event["country"] is None:
            del event["country"]
        if kind == "click":
            event["link"] = rng.choice(["book-call", "shop", "blog"])
        if kind == "lead":
            event["name"] = rng.choice(["form", "chat"])
            event["contact"] = {"email": f"v{number}@example.com"}
        if kind == "conversion":
            event["name"] = "sale"
            event["value"] = {"amount": rng.randrange(1000) / 100, "currency": "EUR"}
        if rng.random() < 0.05:
            del event["visitor"]
        yield event


def built(bell):
    """Days that are counted and hold, of all that have events."""
    with sqlite3.connect(f"file:{bell.data}/linkbell.db?mode=ro", uri=True) as db:
        return db.execute("SELECT count(*) FILTER (WHERE generation = built_generation), count(*) FROM day_state"
                          ).fetchone()


class Days(unittest.TestCase):
    def setUp(self):
        self.seed = int(os.environ.get("LINKBELL_SEED", time.time_ns() % 1000000))
        print(f"seed {self.seed}")
        self.rng = random.Random(self.seed)

    def fill(self, bell, count=3000, days=12):
        lines = "\n".join(json.dumps(event) for event in history(self.rng, count, days))
        got = json.loads(bell.run("import", "--format", "ndjson", "--json", "-", stdin=lines).stdout)
        self.assertEqual(got["accepted"], count, got)

    def questions(self):
        for dimension in DIMENSIONS:
            yield f"site=alice.bio&by={dimension}&period=all"
        for site in ("bob.bio", "*"):
            for by in ("", "source", "link", "time:day", "time:month", "time:week,country", "time:day,link", "traffic,reason", "site,time:day,link"):
                yield f"site={site}&by={by}&period={self.rng.choice(['all', '7d', '30d', 'month', '12mo'])}"
        yield "site=alice.bio&by=source&period=7d&traffic=all&tz=Asia/Kathmandu"
        yield "site=alice.bio&by=country&traffic=bot"
        for _ in range(6):
            start = time.time() - self.rng.random() * 12 * DAY
            yield f"site=alice.bio&by=link&from={rfc3339(start)}&to={rfc3339(start + self.rng.random() * 5 * DAY)}"

    def assert_alike(self, bell):
        for question in self.questions():
            question += f"&metrics={METRICS}&limit=10000"
            counted = bell.stats(question)
            logged = bell.stats(question + FROM_LOG)
            for answer in (counted, logged):
                answer["meta"].pop("as_of")
            self.assertEqual(counted, logged, question)

    def test_counted_days_say_what_the_log_says(self):
        with Linkbell(CONFIG % "Europe/Paris") as bell:
            bell.ready()
            self.fill(bell)
            wait_for(lambda: built(bell)[0] >= 24 and built(bell)[0] >= built(bell)[1] - 2, "the days to be counted")
            self.assert_alike(bell)
            verdict = bell.run("verify").stdout
            self.assertRegex(verdict, r"^verify: ok, \d+ hours, \d+ rows\n$")

            # Late events make their days stale; answers go on to be exact.
            late = rfc3339(time.time() - 30 * 3600)
            before = built(bell)[0]
            bell.send({"type": "click", "site": "alice.bio", "link": "late", "visitor": "v1", "ts": late})
            self.assertEqual(built(bell)[0], before - 1)
            self.assert_alike(bell)
            self.assertEqual(bell.stats("site=alice.bio&by=link&metrics=clicks_raw&order=link:desc")["rows"][1],
                             {"link": "late", "clicks_raw": 1})
            self.assertIn("site days", bell.run("rebuild").stdout)
            self.assertEqual(built(bell)[0], before)
            self.assert_alike(bell)

    def test_a_changed_zone_moves_the_days(self):
        with Linkbell(CONFIG % "Europe/Paris") as bell:
            bell.ready()
            self.fill(bell, 1500, 8)
            bell.run("rebuild")
            bell.write_config(CONFIG % "Australia/Lord_Howe")
            bell.run("apply", str(bell.config))
            self.assert_alike(bell)
            bell.run("rebuild")
            self.assert_alike(bell)
            self.assertEqual(bell.run("verify").returncode, 0)

    def test_visitors_of_a_week_are_not_added_up_by_day(self):
        config = "privacy: { visitor_period: week }" + CONFIG % "Europe/Paris"
        with Linkbell(config) as bell:
            bell.ready()
            self.fill(bell, 1500, 12)
            bell.run("rebuild")
            self.assert_alike(bell)

    def test_an_erased_event_leaves_its_counted_day(self):
        with Linkbell(CONFIG % "Europe/Paris") as bell:
            bell.ready()
            self.fill(bell, 600, 6)
            late = rfc3339(time.time() - 50 * 3600)
            bell.send({"type": "lead", "site": "alice.bio", "name": "marker-of-zoe", "visitor": "zoe", "ts": late,
                       "contact": {"email": "zoe@example.com"}})
            bell.run("rebuild")
            self.assertIn({"name": "marker-of-zoe", "leads": 1},
                          bell.stats("site=alice.bio&by=name&metrics=leads")["rows"])
            self.assertIn(b"marker-of-zoe", (bell.data / "linkbell.db").read_bytes() +
                          (bell.data / "linkbell.db-wal").read_bytes())
            bell.run("erase", "--email", "zoe@example.com")
            for path in bell.data.rglob("*"):
                if path.is_file():
                    self.assertNotIn(b"marker-of-zoe", path.read_bytes(), path)
            self.assert_alike(bell)

    def test_a_wrong_day_is_found_named_and_mended(self):
        with Linkbell(CONFIG % "Europe/Paris") as bell:
            bell.ready()
            self.fill(bell, 600, 6)
            bell.run("rebuild")
            bell.stop()
            with sqlite3.connect(bell.data / "linkbell.db") as db:
                # The sources of one day stand where another's stood, and a BLOB is cut short.
                db.execute("""UPDATE rollup_days SET body = (SELECT body FROM rollup_days WHERE site = 1
                    AND dimension = 4 ORDER BY day LIMIT 1) WHERE site = 1 AND dimension = 4
                    AND day = (SELECT max(day) FROM rollup_days)""")
                db.execute("""UPDATE rollup_days SET body = substr(body, 1, length(body) - 1) WHERE site = 1
                    AND dimension = 12 AND day = (SELECT max(day) FROM rollup_days)""")
            bell.ready()
            found = bell.run("verify", check=False)
            self.assertEqual(found.returncode, 1)
            self.assertRegex(found.stdout, r"(?m)^alice\.bio \S+Z source=.* human: rollup \d+, log \d+ \(")
            self.assertRegex(found.stdout, r"(?m)^alice\.bio \S+Z country=.* human: rollup \d+, log \d+ \(")
            self.assertRegex(found.stdout, r"verify: \d+ differ")
            self.assertEqual(bell.run("verify", "--repair").returncode, 0)
            self.assertEqual(bell.run("verify").returncode, 0)
            self.assert_alike(bell)

    def test_a_kill_while_days_are_counted_loses_nothing(self):
        with Linkbell(CONFIG % "Europe/Paris") as bell:
            bell.ready()
            self.fill(bell, 3000, 12)
            for _ in range(3):
                time.sleep(self.rng.random() * 0.5)
                bell.kill()
                bell.ready()
            self.assert_alike(bell)
            bell.run("rebuild")
            self.assert_alike(bell)


if __name__ == "__main__":
    unittest.main()
