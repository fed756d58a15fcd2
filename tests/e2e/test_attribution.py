"""Where a click is counted: the settings that attribution and recognition have."""
import json
import re
import subprocess
import time
import unittest

from harness import BINARY, SOURCE, Linkbell, rfc3339

SITES = """
sites:
  - { id: alice.bio, timezone: UTC }
"""
DAY_S = 86400


def config(settings):
    return "server: { listen: 127.0.0.1:0 }\n" + settings + SITES


def import_views(bell, *times):
    lines = "".join(f'{{"type":"view","site":"alice.bio","visitor":"v","id":"{i}","ts":"{t}"}}\n'
                    for i, t in enumerate(times))
    bell.run("import", "-", stdin=lines)


class Period(unittest.TestCase):
    """One visitor on Monday, Tuesday and the Monday after, all in one month."""
    TIMES = ("2026-06-01T10:00:00Z", "2026-06-02T10:00:00Z", "2026-06-08T10:00:00Z")

    def visitors(self, period):
        with Linkbell(config(f"privacy: {{ visitor_period: {period} }}")) as bell:
            bell.ready()
            import_views(bell, *self.TIMES)
            got = bell.stats("site=alice.bio&metrics=visitors&from=2026-06-01&to=2026-06-30")
            by_day = bell.stats("site=alice.bio&metrics=visitors&by=time:day"
                                "&from=2026-06-01&to=2026-06-08")
            days = [row["visitors"] for row in by_day["rows"]]
            return got["meta"]["scope"], got["totals"]["visitors"], days

    def test_visitors_are_exact_within_a_period_and_add_up_across(self):
        days = [1, 1, 0, 0, 0, 0, 0, 1]
        self.assertEqual(self.visitors("day"), ("day", 3, days))
        self.assertEqual(self.visitors("week"), ("week", 2, days))
        self.assertEqual(self.visitors("month"), ("month", 1, days))

    def test_a_reload_changes_the_period(self):
        with Linkbell(config("")) as bell:
            bell.ready()
            bell.write_config(config("privacy: { visitor_period: month }"))
            bell.process.send_signal(1)
            end = time.monotonic() + 10
            while bell.stats("site=alice.bio&metrics=views")["meta"]["scope"] != "month":
                self.assertLess(time.monotonic(), end)
                time.sleep(0.01)
            import_views(bell, "2026-06-01T10:00:00Z", "2026-06-20T10:00:00Z")
            self.assertEqual(bell.totals(metrics="visitors")["visitors"], 1)


class UtmCase(unittest.TestCase):
    def send(self, bell):
        bell.send({"type": "view", "site": "alice.bio", "ts": rfc3339(),
                   "url": "https://alice.bio/?utm_source=Spring&utm_medium=EMail&utm_term=Red+Shoes"})

    def views(self, bell, clause):
        return bell.totals(metrics="views", extra=f"&filter={clause}")["views"]

    def test_lower_folds_values_and_clauses(self):
        with Linkbell(config("")) as bell:
            bell.ready()
            self.send(bell)
            self.assertEqual(self.views(bell, "utm_source==Spring"), 1)
            self.assertEqual(self.views(bell, "utm_source==spring"), 1)
            self.assertEqual(self.views(bell, "utm_term=='Red+Shoes'"), 1)
            self.assertEqual(self.views(bell, "utm_term=='red+shoes'"), 0)

    def test_keep_keeps_both_as_they_are(self):
        with Linkbell(config("attribution: { utm_case: keep }")) as bell:
            bell.ready()
            self.send(bell)
            self.assertEqual(self.views(bell, "utm_source==Spring"), 1)
            self.assertEqual(self.views(bell, "utm_medium==EMail"), 1)
            self.assertEqual(self.views(bell, "utm_source==spring"), 0)


class RefererHeader(unittest.TestCase):
    def test_it_stands_in_for_a_referrer_that_an_event_lacks(self):
        with Linkbell(config("")) as bell:
            bell.ready()
            for name, more in (("a", {}), ("b", {"referrer": "https://t.co/x"}), ("c", {"referrer": "-"})):
                bell.send({"type": "view", "site": "alice.bio", "name": name} | more,
                          headers={"Referer": "https://news.ycombinator.com/item?id=1"})
            rows = bell.stats("site=alice.bio&metrics=views&by=referrer")["rows"]
            self.assertEqual({row["referrer"]: row["views"] for row in rows},
                             {"news.ycombinator.com/item": 1, "t.co/x": 1, None: 1})


class Cardinality(unittest.TestCase):
    """A site takes so many values of a key and day; the rest are told as one."""

    def send(self, bell, *values):
        bell.send(*[{"type": "view", "site": "alice.bio",
                     "url": f"/?utm_source={v}&utm_campaign=c&utm_content=t{v}"} for v in values])

    def sources(self, bell, by="utm_source"):
        rows = bell.stats(f"site=alice.bio&metrics=views&by={by}")["rows"]
        return {row[by]: row["views"] for row in rows}

    def test_further_values_are_other_also_after_a_restart(self):
        with Linkbell(config("limits: { utm_values: 3 }")) as bell:
            bell.ready()
            self.send(bell, "v1", "v2", "v1", "fb")
            bell.kill()
            bell.start()
            self.send(bell, "v3", "v2", "v4", "instagram")
            want = {"v1": 2, "v2": 2, "fb": 1, "(other)": 3}
            self.assertEqual(self.sources(bell), want)
            self.assertEqual(self.sources(bell, "utm_content"),
                             {("t" + k if k != "(other)" else k): v for k, v in want.items()})
            self.assertEqual(self.sources(bell, "utm_campaign"), {"c": 8})
            self.assertEqual(self.sources(bell, "source"),
                             {"v1": 2, "v2": 2, "Facebook": 1, "(other)": 2, "Instagram": 1})
            self.assertEqual(bell.metric("linkbell_limit_hits_total", '{limit="utm_values"}'), 6)


def table(page, name):
    """The rows of a marked table of a page, as dictionaries; an empty cell is None."""
    text = (SOURCE / "docs" / page).read_text()
    part = text.split(f"<!-- {name}:begin -->")[1].split(f"<!-- {name}:end -->")[0]
    rows = [[cell.strip().strip("`") or None for cell in line.strip("|").split("|")]
            for line in part.strip().splitlines()]
    return [dict(zip(rows[0], row)) for row in rows[2:]]


class Manual(unittest.TestCase):
    """What docs/attribution.md and docs/privacy.md show is what happens."""

    def test_the_cases_of_attribution(self):
        cases = table("attribution.md", "cases")
        self.assertGreater(len(cases), 15)
        with Linkbell(config("")) as bell:
            bell.ready()
            for number, case in enumerate(cases):
                bell.send({"type": "view", "site": "alice.bio", "referrer": case["referrer"],
                           "url": f"https://alice.bio/c{number}{case['URL'][1:]}"})
                rows = bell.stats("site=alice.bio&metrics=views&by=source,channel"
                                  f"&filter=page=='/c{number}'")["rows"]
                self.assertEqual([(row["source"], row["channel"]) for row in rows],
                                 [(case["source"], case["channel"])], case)

    def test_the_agents_of_attribution(self):
        cases = table("attribution.md", "agents")
        self.assertGreater(len(cases), 8)
        keys = ("device", "browser", "os", "reason")
        with Linkbell(config("")) as bell:
            bell.ready()
            bell.send(*[{"type": "view", "site": "alice.bio", "user_agent": case["user agent"]} for case in cases])
            rows = [json.loads(row) for row in
                    bell.get("/v1/export/events?site=alice.bio").body.splitlines()]
            self.assertEqual([[row["traffic"]] + [row[key] for key in keys] for row in rows],
                             [[case["class"]] + [case[key] for key in keys] for case in cases])
            said = bell.run("query", "--site", "alice.bio", "--by", "traffic,reason,browser", "--metrics",
                            "views,clicks_raw", "--traffic", "all").stdout
            self.assertIn("Instagram", said)

    def test_the_visit_of_attribution(self):
        steps = table("attribution.md", "visit")
        with Linkbell(config("")) as bell:
            bell.ready()
            lines = []
            for number, step in enumerate(steps):
                lines.append({"type": step["type"], "site": "alice.bio", "visitor": "v",
                              "url": "https://alice.bio" + step["URL"], "referrer": step["referrer"],
                              "id": f"s{number}",
                              "ts": rfc3339(1780308000 + 60 * int(step["minute"]))})
            bell.run("import", "-", stdin="".join(json.dumps(one) + "\n" for one in lines))
            rows = [json.loads(row) for row in
                    bell.get("/v1/export/events?site=alice.bio").body.splitlines()]
            self.assertEqual([(row["source"], row["utm"]["campaign"]) for row in rows],
                             [(step["source"], step["utm_campaign"]) for step in steps])

    def test_the_commands_of_privacy(self):
        text = (SOURCE / "docs/privacy.md").read_text()
        script = re.search(r"example:begin -->\n```sh\n(.*?)```", text, re.S).group(1)
        sites = SITES + "  - { id: old.bio, timezone: UTC }\n"
        with Linkbell("server: { listen: 127.0.0.1:0 }\n" + sites) as bell:
            bell.ready()
            bell.send({"type": "lead", "site": "alice.bio", "contact": {"email": "Zoe@example.com"}},
                      {"type": "view", "site": "alice.bio", "visitor": "customer-42"},
                      {"type": "view", "site": "old.bio"})
            done = subprocess.run(["bash", "-c", "set -euo pipefail\n" +
                                   script.replace("build/release/linkbell", BINARY)],
                                  cwd=bell.dir, text=True, capture_output=True, timeout=60, env=bell.env)
            self.assertEqual(done.returncode, 0, done.stderr)
            said = [line for line in done.stdout.splitlines() if line.startswith("erased:")]
            self.assertEqual([line.split(",")[0] for line in said],
                             ["erased: 1 event", "erased: 1 event", "erased: 0 events", "erased: 1 event"])
            self.assertIn("verify: ok", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
