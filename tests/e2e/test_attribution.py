"""Where a click is counted: the settings that attribution and recognition have."""
import time
import unittest

from harness import Linkbell, rfc3339

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


if __name__ == "__main__":
    unittest.main(verbosity=2)
