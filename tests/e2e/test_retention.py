"""Events go by age: contacts, rows and segments of days that are counted, whose counts
stay; and the owner is told before the database's limit is reached."""
import json
import sqlite3
import subprocess
import time
import unittest

import packs
from harness import BINARY, Linkbell, rfc3339, wait_for

DAY = 86400
CONFIG = """
server: { listen: 127.0.0.1:0 }
privacy: { retention: %s, rollup_retention: %s, keep_contact: [email] }
limits: { segment_events: %s, max_db_bytes: %s }
sites:
  - { id: alice.bio, timezone: Europe/Paris }
  - { id: bob.bio, timezone: Asia/Kathmandu }
"""


def config(retention="10d", rollups="60d", most="0", segment="200"):
    return CONFIG % (retention, rollups, segment, most)


def events(days, each=40):
    """Some events of each site and day before now, in the order of time."""
    now = time.time()
    out = []
    for day in range(days, 0, -1):
        for number in range(each):
            kind = ("view", "view", "click", "lead")[number % 4]
            event = {"id": f"e{day}-{number}", "type": kind, "site": ("alice.bio", "bob.bio")[number % 2],
                     "ts": int((now - day * DAY + number * 60) * 1000), "visitor": f"v{number % 9}",
                     "referrer": ("https://t.co/a", "https://www.google.com/")[number % 3 % 2]}
            if kind == "lead":
                event["contact"] = {"email": f"person-{day}@example.org"}
            out.append(json.dumps(event) + "\n")
    return "".join(out)


class Retention(unittest.TestCase):
    def log(self, bell, sql, *values):
        with sqlite3.connect(f"file:{bell.data}/linkbell.db?mode=ro", uri=True) as db:
            packs.load(db)
            return db.execute(sql, values).fetchall()

    def load(self, bell, text, check=True):
        if bell.process is None:
            bell.ready()
        bell.run("apply", str(bell.config))
        return json.loads(bell.run("import", "--json", "--format", "ndjson", "-", stdin=text, check=check).stdout)

    def wait_for_horizon(self, bell, before=None):
        """Chores of a minute: a start looks after one."""
        wait_for(lambda: all(h is not None and h != before for (h,) in
                             self.log(bell, "SELECT horizon FROM sites")), "the horizon", 90)

    def answers(self, bell):
        first, last = rfc3339(time.time() - 40 * DAY)[:10], rfc3339()[:10]
        asked = [f"site=alice.bio&by={by}&metrics={metrics}&from={first}&to={last}"
                 for by in ("source", "time:day", "country")
                 for metrics in ("views,clicks,leads", "visitors,clickers,ctr_unique")]
        return [bell.stats(words)["rows"] for words in asked]

    def wait_until_counted(self, bell):
        wait_for(lambda: self.log(bell, "SELECT count(*) FROM day_state WHERE generation != built_generation "
                                        "AND day < ?", int(time.time() // DAY) - 1)[0][0] == 0, "the days", 30)

    def test_old_events_go_and_their_counts_stay(self):
        with Linkbell(config("0")) as bell:
            self.assertEqual(self.load(bell, events(30))["accepted"], 1200)
            self.wait_until_counted(bell)
            before = self.answers(bell)
            self.assertEqual(self.log(bell, "SELECT count(*) FROM contacts WHERE email = 'person-29@example.org'"), [(10,)])
            self.assertEqual(bell.stop(), 0)
            bell.write_config(config("10d"))
            bell.ready()
            self.wait_for_horizon(bell)
            self.assertEqual(self.answers(bell), before)
            # Nothing that reads the log sees them, whole days of the site's zone.
            for site in ("alice.bio", "bob.bio"):
                rows = [json.loads(row) for row in bell.get(f"/v1/export/events?site={site}").body.splitlines()]
                self.assertTrue(8 * 20 <= len(rows) <= 11 * 20, len(rows))
            oldest = time.time() - 12 * DAY
            wait_for(lambda: self.log(bell, "SELECT min(min_ts) FROM segments WHERE state = 1")[0][0] > oldest * 1000,
                     "segments without them", 30)
            self.assertLess(self.log(bell, "SELECT count(*) FROM contacts")[0][0], 130)
            wait_for(lambda: self.log(bell, "SELECT count(*) FROM segments WHERE state != 1")[0][0] == 0, "dead segments", 30)
            self.assertEqual(bell.run("verify").returncode, 0)
            # A question that only events answer says from when on it does.
            first = rfc3339(time.time() - 25 * DAY)[:10]
            asked = bell.stats(f"site=alice.bio&metrics=views&from={first}&filter=type == view".replace(" ", "%20"))
            self.assertEqual([w["code"] for w in asked["meta"]["warnings"]], ["aged_out"])
            self.assertLess(asked["totals"]["views"], 12 * 10)
            funnel = bell.get(f"/v1/funnel?site=alice.bio&steps=view,lead&from={first}").json
            self.assertEqual([w["code"] for w in funnel["meta"]["warnings"]], ["aged_out"])
            for filters, codes in (([["is", "visit:country", ["FR"]]], ["aged_out"]), ([], [])):
                other = bell.post("/api/v2/query", {"site_id": "alice.bio", "metrics": ["pageviews"], "date_range": [first, rfc3339(time.time())[:10]],
                                                    "filters": filters}).json
                self.assertEqual([w["code"] for w in other["meta"].get("warnings", [])], codes, other)
            since = rfc3339(time.time() - 5 * DAY)[:10]
            self.assertEqual(bell.get(f"/v1/funnel?site=alice.bio&steps=view,lead&from={since}").json["meta"]["warnings"], [])
            # What lies before is final: a late file is told so.
            late = self.load(bell, events(28, 4).splitlines()[0].replace("e28", "late") + "\n", check=False)
            self.assertEqual((late["accepted"], late["rejected"]), (0, 1), late)
            bell.run("rebuild")
            self.assertEqual(self.answers(bell), before)
            self.assertEqual(bell.run("verify").returncode, 0)
            self.assertEqual(bell.stop(), 0)
            self.assertFalse(b"person-29@" in (bell.data / "linkbell.db").read_bytes())

    def test_a_short_retention_keeps_five_days_of_rows(self):
        """As rows, in blocks that are older than what is asked to be kept."""
        with Linkbell(config("1d", segment="65535")) as bell:
            self.load(bell, events(8, 200))
            self.wait_for_horizon(bell)
            horizons = [h for (h,) in self.log(bell, "SELECT horizon FROM sites ORDER BY id")]
            for site, horizon in zip(("alice.bio", "bob.bio"), horizons):
                self.assertAlmostEqual(time.time() - horizon / 1000, 5.5 * DAY, delta=0.7 * DAY)
                want = self.log(bell, "SELECT count(*) FROM events WHERE ts >= ? AND site = (SELECT number FROM sites WHERE id = ?)",
                                horizon, site)[0][0]
                self.assertGreater(want, 400)
                rows = [json.loads(row) for row in bell.get(f"/v1/export/events?site={site}").body.splitlines()]
                self.assertEqual(len(rows), want)
            self.assertEqual(bell.run("verify").returncode, 0)

    def test_totals_stay_when_the_zone_changes_after_ageing(self):
        """Days that were counted before are days of the zone of before."""
        with Linkbell(config()) as bell:
            self.load(bell, events(20))
            self.wait_for_horizon(bell)
            for zone in ("America/New_York", "Pacific/Kiritimati", "Europe/Paris"):
                before = self.log(bell, "SELECT horizon FROM sites WHERE id = 'alice.bio'")[0][0]
                bell.stop()
                bell.config.write_text(config().replace("id: alice.bio, timezone: Europe/Paris", f"id: alice.bio, timezone: {zone}"))
                bell.ready()
                bell.run("apply", str(bell.config))
                wait_for(lambda: self.log(bell, "SELECT count(*) FROM day_zones z JOIN sites s ON s.number = z.site "
                                                "WHERE s.id = 'alice.bio' AND z.timezone = ?", zone)[0][0], "the days of " + zone, 60)
                wait_for(lambda: self.log(bell, "SELECT count(*) FILTER (WHERE generation != built_generation) <= 2 FROM day_state")[0][0],
                         "counted days", 60)
                first = rfc3339(time.time() - 25 * DAY)[:10]
                for by in ("", "&by=time:day", "&by=time:month"):
                    answer = bell.get(f"/v1/stats?site=alice.bio&metrics=views{by}&from={first}&to={rfc3339(time.time() + DAY)[:10]}").json
                    want = self.log(bell, "SELECT sum(views) FROM rollup_totals WHERE traffic = 0 AND site = "
                                          "(SELECT number FROM sites WHERE id = 'alice.bio')")[0][0]
                    self.assertEqual(answer["totals"]["views"], want, (zone, by))
                    if by:
                        self.assertEqual(sum(row["views"] for row in answer["rows"]), want, (zone, by))
                self.assertGreaterEqual(self.log(bell, "SELECT horizon FROM sites WHERE id = 'alice.bio'")[0][0], before)

    def test_a_clock_that_jumped_ages_nothing_out_for_a_day(self):
        with Linkbell(config("400d")) as bell:
            self.load(bell, events(20))
            wait_for(lambda: self.log(bell, "SELECT value FROM meta WHERE key = 'retention_clock'"), "a look at the clock", 90)
            self.wait_for_horizon(bell)
            bell.stop()
            horizons = self.log(bell, "SELECT horizon FROM sites ORDER BY id")
            bell.config.write_text(config())
            self.set_meta(bell, retention_clock=time.time() - 9 * DAY)
            bell.ready()
            wait_for(lambda: self.log(bell, "SELECT value FROM meta WHERE key = 'retention_jump' AND value > 0"), "the jump", 90)
            found = wait_for(lambda: [a for a in bell.get("/v1/alerts").json["data"] if a["rule"] == "linkbell-clock"],
                             "an alert of the clock", 30)
            self.assertEqual(len(found), 1)
            self.assertIn("at the last look it said", found[0]["summary"])
            self.assertEqual(self.log(bell, "SELECT horizon FROM sites ORDER BY id"), horizons)
            bell.stop()
            self.set_meta(bell, retention_jump=time.time() - 1.1 * DAY)
            bell.ready()
            self.wait_for_horizon(bell, horizons[0][0])
            self.assertEqual(self.log(bell, "SELECT value FROM meta WHERE key = 'retention_jump'"), [(0,)])

    def set_meta(self, bell, **values):
        with sqlite3.connect(bell.data / "linkbell.db") as db:
            for key, value in values.items():
                db.execute("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                           (key, int(value * 1000)))

    def test_a_verb_without_the_service_lets_nothing_go(self):
        """It may not know the service's configuration."""
        old = json.dumps({"id": "old", "type": "view", "site": "alice.bio", "ts": int((time.time() - 600 * DAY) * 1000)}) + "\n"
        with Linkbell(config("0")) as bell:
            self.assertEqual(self.load(bell, old)["accepted"], 1)
            self.wait_until_counted(bell)
            self.assertEqual(bell.stop(), 0)
            load = subprocess.Popen([BINARY, "import", "--data-dir", str(bell.data), "--quiet", "--format", "ndjson", "-"],
                                    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=bell.env, cwd=bell.dir.parent)
            load.stdin.write(old.replace('"old"', '"new"').encode())
            load.stdin.flush()
            time.sleep(4)  # longer than the service takes to look
            load.communicate(timeout=30)
            self.assertEqual(load.returncode, 0)
            self.assertEqual(self.log(bell, "SELECT count(*) FROM sites WHERE horizon IS NOT NULL")[0][0], 0)

    def test_counts_go_by_their_own_age(self):
        with Linkbell(config("10d", "20d")) as bell:
            self.load(bell, events(30))
            wait_for(lambda: self.log(bell, "SELECT min(bucket) FROM rollup_totals")[0][0] * 900 > time.time() - 22 * DAY,
                     "old counts to go", 90)
            self.wait_until_counted(bell)
            days = self.log(bell, "SELECT min(day), max(day) FROM rollup_days")[0]
            self.assertGreaterEqual(days[0], int(time.time() // DAY) - 21)
            self.assertEqual(bell.run("verify").returncode, 0)

    def test_the_owner_is_told_before_the_database_is_full(self):
        with Linkbell(config("0", "0")) as bell:
            self.load(bell, events(20, 200))
            self.assertEqual(bell.stop(), 0)
            size = (bell.data / "linkbell.db").stat().st_size
            bell.write_config(config("0", "0", str(size + size // 10)))
            bell.ready()
            wait_for(lambda: bell.get("/v1/alerts").json["data"], "the alert", 90)
            alert = bell.get("/v1/alerts").json["data"][0]
            self.assertEqual((alert["severity"], alert["rule"]), ("warning", "linkbell-disk"))
            self.assertIn("limits.max_db_bytes", alert["summary"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
