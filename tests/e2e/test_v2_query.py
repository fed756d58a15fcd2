"""POST /api/v2/query, Plausible's stats dialect: the worked examples, visits, filters,
dates, pages, and every fault in the dialect's words."""
import datetime
import json
import time
import unittest
import zoneinfo

from harness import SOURCE, Linkbell

PARIS = zoneinfo.ZoneInfo("Europe/Paris")
DESKTOP = ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
           "Chrome/120.0.0.0 Safari/537.36")
MOBILE = ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, "
          "like Gecko) Version/17.2 Mobile/15E148 Safari/604.1")
BOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"
PREVIEW = "Slackbot 1.0"

CONFIG = """
server: { listen: 127.0.0.1:0 }
privacy: { retention: 0 }
sites:
  - { id: alice.bio, timezone: Europe/Paris }
  - { id: visits.bio, timezone: Europe/Paris }
  - { id: clocks.bio, timezone: Australia/Lord_Howe }
  - { id: live.bio, timezone: UTC }
  - { id: empty.bio, timezone: UTC }
  - { id: other.bio, timezone: UTC }
"""
CAMPAIGN = {"source": "newsletter", "medium": "email", "campaign": "spring"}
INSTAGRAM, NEWS, GOOGLE = ("https://l.instagram.com/", "https://news.example.org/a",
                           "https://www.google.com/")

# day, time, visitor, type, page, referrer, utm, country, device, what else
EVENTS = [
    ("02T08:00:00", "A", "view", "/", INSTAGRAM, None, "FR", MOBILE, {}),
    ("02T08:00:40", "A", "click", "/", None, None, "FR", MOBILE, {"link": "book-call"}),
    ("02T08:05:00", "A", "lead", "/", None, None, "FR", MOBILE, {"name": "Booking"}),
    ("02T08:10:00", "B", "view", "/", NEWS, CAMPAIGN, "FR", DESKTOP, {}),
    ("02T08:12:00", "B", "view", "/about", NEWS, None, "FR", DESKTOP, {}),
    ("02T08:12:30", "B", "click", "/about", None, None, "FR", DESKTOP, {"link": "shop"}),
    ("02T09:00:00", "C", "view", "/", GOOGLE, None, "US", DESKTOP, {}),
    ("02T09:45:00", "C", "view", "/", None, None, "US", DESKTOP, {}),
    ("02T09:46:00", "C", "click", "/", None, None, "US", DESKTOP, {"link": "book-call"}),
    ("02T10:00:00", "D", "view", "/", INSTAGRAM, None, "US", MOBILE, {}),
    ("02T10:10:00", "D", "view", "/", None, CAMPAIGN, "US", MOBILE, {}),
    ("02T10:11:00", "R", "view", "/", None, None, "US", BOT, {}),
    ("02T22:30:00", "E", "view", "/", None, None, "DE", DESKTOP, {}),
    ("02T23:10:00", "E", "click", "/", None, None, "DE", DESKTOP, {"link": "shop"}),
    ("03T07:00:00", "G", "view", "/", "https://twitter.com/", None, "GB", MOBILE, {}),
    ("03T07:00:20", "G", "click", "/", None, None, "GB", MOBILE, {"link": "book-call"}),
    ("03T07:00:25", "G", "click", "/", None, None, "GB", MOBILE, {"link": "shop"}),
    ("03T07:03:00", "G", "conversion", "/", None, None, "GB", MOBILE,
     {"name": "Purchase", "value": {"amount": 40, "currency": "EUR"}}),
    ("03T08:00:00", None, "view", "/", GOOGLE, None, "GB", DESKTOP, {}),
    ("03T12:00:00", "P", "view", "/", None, None, "US", PREVIEW, {}),
]


def worked_events():
    for number, (at, who, kind, page, referrer, utm, country, agent, more) in enumerate(EVENTS, 1):
        event = {"id": f"w{number}", "site": "alice.bio", "type": kind, "ts": f"2026-03-{at}Z",
                 "url": "https://alice.bio" + page, "country": country, "user_agent": agent, **more}
        if who:
            event["visitor"] = who
        if referrer:
            event["referrer"] = referrer
        if utm:
            event["utm"] = utm
        yield event


def load(bell, events):
    lines = "".join(json.dumps(event) + "\n" for event in events)
    done = bell.run("import", "--json", "--format", "ndjson", "-", stdin=lines)
    got = json.loads(done.stdout)
    assert got["accepted"] == lines.count("\n"), got


class Dialect(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bell = Linkbell(CONFIG).ready()
        cls.prepare()

    @classmethod
    def prepare(cls):
        load(cls.bell, worked_events())

    @classmethod
    def tearDownClass(cls):
        cls.bell.__exit__(None, None, None)

    def post(self, body, **options):
        return self.bell.post("/api/v2/query", body, **options)

    def ask(self, site="alice.bio", **query):
        query.setdefault("date_range", ["2026-03-02", "2026-03-03"])
        answer = self.post({"site_id": site, **query})
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def rows(self, *metrics, **query):
        got = self.ask(metrics=list(metrics), **query)
        return [(row["dimensions"], row["metrics"]) for row in got["results"]]

    def totals(self, *metrics, **query):
        ((dimensions, values),) = self.rows(*metrics, **query)
        self.assertEqual(dimensions, [])
        return values


class Worked(Dialect):
    """The examples of the contract, in its words."""

    def check(self, query, results, meta=None):
        got = self.ask(**json.loads(query))
        self.assertEqual(got["results"], json.loads(results))
        for key, value in (meta or {}).items():
            self.assertEqual(got["meta"][key], value)
        return got

    def test_1_totals(self):
        self.check('{"metrics": ["visitors", "visits", "pageviews", "events", "views_per_visit", '
                   '"bounce_rate", "visit_duration"]}',
                   '[{"metrics": [7, 9, 10, 18, 1.11, 44, 77], "dimensions": []}]')

    def test_2_linkbells_own(self):
        self.check('{"metrics": ["clicks", "clickers", "leads", "conversions", "ctr", '
                   '"visitor_ctr", "lead_rate"]}',
                   '[{"metrics": [6, 5, 1, 1, 0.6, 0.6667, 0.1], "dimensions": []}]')

    def test_3_by_source(self):
        self.check(
            '{"metrics": ["visitors", "pageviews", "percentage", "ctr"], '
            '"dimensions": ["visit:source"]}',
            '[{"metrics": [3, 2, 42.9, 1.0], "dimensions": ["Direct / None"]}, '
            '{"metrics": [2, 2, 28.6, 0.5], "dimensions": ["Instagram"]}, '
            '{"metrics": [2, 3, 28.6, 0.3333], "dimensions": ["newsletter"]}, '
            '{"metrics": [1, 2, 14.3, 0.0], "dimensions": ["Google"]}, '
            '{"metrics": [1, 1, 14.3, 2.0], "dimensions": ["X (Twitter)"]}]')

    def test_4_by_link(self):
        self.check('{"metrics": ["clicks", "clickers", "ctr", "visitor_ctr"], '
                   '"dimensions": ["event:link"]}',
                   '[{"metrics": [3, 3, 0.3, 0.5], "dimensions": ["book-call"]}, '
                   '{"metrics": [3, 3, 0.3, 0.3333], "dimensions": ["shop"]}]')

    def test_5_by_hour(self):
        self.check('{"metrics": ["visitors", "visits"], "date_range": '
                   '["2026-03-02T09:00:00+01:00", "2026-03-02T12:59:59+01:00"], '
                   '"dimensions": ["time:hour"], "include": {"time_labels": true}}',
                   '[{"metrics": [2, 2], "dimensions": ["2026-03-02 09:00:00"]}, '
                   '{"metrics": [1, 2], "dimensions": ["2026-03-02 10:00:00"]}, '
                   '{"metrics": [1, 2], "dimensions": ["2026-03-02 11:00:00"]}]',
                   {"time_labels": ["2026-03-02 09:00:00", "2026-03-02 10:00:00",
                                    "2026-03-02 11:00:00", "2026-03-02 12:00:00"]})

    def test_6_automatic_unit(self):
        got = self.check('{"metrics": ["visitors", "pageviews", "clicks"], '
                         '"date_range": ["2026-03-01", "2026-03-04"], "dimensions": ["time"]}',
                         '[{"metrics": [5, 8, 3], "dimensions": ["2026-03-02"]}, '
                         '{"metrics": [2, 2, 3], "dimensions": ["2026-03-03"]}]')
        self.assertEqual(got["query"]["dimensions"], ["time:day"])

    def test_7_one_goal(self):
        self.check('{"metrics": ["visitors", "events", "conversion_rate"], '
                   '"filters": [["is", "event:goal", ["Booking"]]]}',
                   '[{"metrics": [1, 1, 14.3], "dimensions": []}]')

    def test_8_goal_within_a_source(self):
        self.check(
            '{"metrics": ["visitors", "events", "conversion_rate", "group_conversion_rate"], '
            '"dimensions": ["visit:source"], '
            '"filters": [["is", "event:goal", ["Outbound Link: Click"]]]}',
            '[{"metrics": [2, 2, 28.6, 66.7], "dimensions": ["Direct / None"]}, '
            '{"metrics": [1, 1, 14.3, 50.0], "dimensions": ["Instagram"]}, '
            '{"metrics": [1, 2, 14.3, 100.0], "dimensions": ["X (Twitter)"]}, '
            '{"metrics": [1, 1, 14.3, 50.0], "dimensions": ["newsletter"]}]')

    def test_9_and_or_not_contains(self):
        self.check(
            '{"metrics": ["visitors", "pageviews"], "filters": [["or", [["is", "visit:country", '
            '["GB"]], ["contains", "visit:source", ["INSTA"], {"case_sensitive": false}]]], '
            '["not", ["is", "visit:device", ["Desktop"]]]]}',
            '[{"metrics": [3, 3], "dimensions": []}]')

    def test_10_has_done(self):
        self.check('{"metrics": ["visitors", "visits", "pageviews", "clicks"], "filters": '
                   '[["has_done", ["is", "event:goal", ["Outbound Link: Click"]]], '
                   '["is_not", "visit:source", ["Direct / None"]]]}',
                   '[{"metrics": [3, 3, 4, 4], "dimensions": []}]')

    def test_11_two_dimensions(self):
        got = self.check(
            '{"metrics": ["visitors", "clicks"], "dimensions": ["visit:country", "visit:device"], '
            '"order_by": [["visitors", "desc"], ["visit:country", "asc"]], '
            '"include": {"total_rows": true}, "pagination": {"limit": 2, "offset": 1}}',
            '[{"metrics": [1, 1], "dimensions": ["FR", "Desktop"]}, '
            '{"metrics": [1, 1], "dimensions": ["FR", "Mobile"]}]', {"total_rows": 7})
        self.assertEqual(got["query"], json.loads(
            '{"site_id": "alice.bio", "metrics": ["visitors", "clicks"], "date_range": '
            '["2026-03-02T00:00:00+01:00", "2026-03-03T23:59:59+01:00"], "filters": [], '
            '"dimensions": ["visit:country", "visit:device"], '
            '"order_by": [["visitors", "desc"], ["visit:country", "asc"]], '
            '"include": {"total_rows": true}, "pagination": {"offset": 1, "limit": 2}}'))

    def test_12_revenue_by_goal(self):
        self.check(
            '{"metrics": ["events", "total_revenue", "average_revenue"], '
            '"dimensions": ["event:goal"]}',
            '[{"metrics": [6, null, null], "dimensions": ["Outbound Link: Click"]}, '
            '{"metrics": [1, null, null], "dimensions": ["Booking"]}, {"metrics": [1, {"value": '
            '40.0, "currency": "EUR", "short": "€40.0", "long": "€40.00"}, {"value": 40.0, '
            '"currency": "EUR", "short": "€40.0", "long": "€40.00"}], "dimensions": ["Purchase"]}]')

    def test_13_what_was_filtered_out(self):
        self.check('{"metrics": ["pageviews", "visitors"], "dimensions": ["event:bot"], '
                   '"filters": [["is_not", "event:bot", ["human"]]]}',
                   '[{"metrics": [1, 1], "dimensions": ["bot"]}, '
                   '{"metrics": [1, 1], "dimensions": ["preview"]}]')

    def test_14_nothing_there(self):
        self.check('{"metrics": ["visitors", "ctr", "bounce_rate"], '
                   '"date_range": ["2026-03-05", "2026-03-06"]}',
                   '[{"metrics": [0, null, 0], "dimensions": []}]')


class Meaning(Dialect):
    """What the examples leave open."""

    def test_the_other_dialect_says_the_same(self):
        got = self.bell.stats("site=alice.bio&from=2026-03-02&to=2026-03-03&metrics="
                              "visitors,visits,views,clicks,clickers,ctr,ctr_unique,orphan_clicks,"
                              "clicks_raw,lead_rate")["totals"]
        self.assertEqual(self.totals("visitors", "visits", "views", "clicks", "clickers", "ctr",
                                     "ctr_unique", "orphan_clicks", "clicks_raw", "lead_rate"),
                         [got[name] for name in ("visitors", "visits", "views", "clicks",
                                                 "clickers", "ctr", "ctr_unique", "orphan_clicks",
                                                 "clicks_raw", "lead_rate")])

    def test_every_dimension_answers(self):
        names = ["event:page", "event:hostname", "event:name", "event:goal", "event:props:plan",
                 "event:link", "event:type", "event:bot", "event:bot_reason", "visit:source",
                 "visit:referrer", "visit:channel", "visit:utm_source", "visit:utm_medium",
                 "visit:utm_campaign", "visit:utm_term", "visit:utm_content", "visit:click_id",
                 "visit:device", "visit:screen", "visit:browser", "visit:browser_version",
                 "visit:os", "visit:os_version", "visit:country", "visit:country_name",
                 "visit:region", "visit:region_name", "visit:city", "visit:city_name",
                 "visit:entry_page", "visit:exit_page", "visit:entry_page_hostname",
                 "visit:exit_page_hostname", "time", "time:15m", "time:hour", "time:day",
                 "time:week", "time:month"]
        some = {"event:link": 6, "event:goal": 8, "event:bot_reason": 0}
        for name in names:
            with self.subTest(name=name):
                rows = self.rows("events", dimensions=[name])
                self.assertEqual(sum(values[0] for _, values in rows), some.get(name, 18))
                got = self.ask(metrics=["events"], dimensions=[name])["query"]["dimensions"]
                self.assertEqual(got, ["time:hour" if name == "time" else name])
        self.assertEqual(self.rows("events", dimensions=["visit:country_name"])[0],
                         (["France"], [6]))
        self.assertEqual(self.rows("events", dimensions=["event:name"],
                                   filters=[["is", "event:type", ["lead", "view"]]]),
                         [(["pageview"], [10]), (["Booking"], [1])])

    def test_counted_days_say_what_the_log_says(self):
        metrics = ["visitors", "visits", "pageviews", "events", "percentage", "clicks", "clicks_raw",
                   "leads", "conversions", "orphan_clicks", "clickers", "ctr", "visitor_ctr",
                   "lead_rate", "value"]
        everything = [["is_not", "event:page", ["/nowhere"]]]
        for dimensions in ([], ["visit:source"], ["time:day"], ["visit:country", "time:week"],
                           ["visit:city"], ["visit:referrer"], ["visit:screen"],
                           ["event:hostname"], ["visit:utm_campaign", "time:month"]):
            with self.subTest(dimensions=dimensions):
                query = dict(metrics=metrics, dimensions=dimensions)
                days, log = self.ask(**query), self.ask(filters=everything, **query)
                self.assertEqual(days["results"], log["results"])
                self.assertEqual(days["meta"]["visitors_summed_over_periods"],
                                 log["meta"]["visitors_summed_over_periods"])

    def test_what_stands_for_no_value(self):
        for name, text in (("visit:utm_source", "(not set)"), ("visit:city", "(not set)"),
                           ("event:props:plan", "(none)"), ("visit:referrer", "Direct / None")):
            with self.subTest(name=name):
                rows = dict((d[0], v[0]) for d, v in self.rows("events", dimensions=[name]))
                self.assertIn(text, rows)
                self.assertEqual(self.totals("events", filters=[["is", name, [text]]]),
                                 [rows[text]])
                self.assertEqual(self.totals("events", filters=[["is_not", name, [text]]]),
                                 [18 - rows[text]])

    def test_pages_of_the_visit(self):
        self.assertEqual(self.rows("visits", "pageviews", dimensions=["visit:exit_page"]),
                         [(["/"], [7, 7]), (["(not set)"], [1, 1]), (["/about"], [1, 2])])
        self.assertEqual(self.totals("visits", filters=[["is", "visit:exit_page", ["/about"]]]),
                         [1])
        self.assertEqual(self.totals("visits", filters=[["is", "event:page", ["/about"]]]), [1])

    def test_a_visit_counts_whole_when_part_of_it_matches(self):
        self.assertEqual(self.totals("visits", "bounce_rate", "visit_duration",
                                     filters=[["is", "event:page", ["/about"]]]), [1, 0, 150])
        self.assertEqual(self.totals("visits", "visit_duration", date_range=[
            "2026-03-02T09:04:00+01:00", "2026-03-02T09:06:00+01:00"]), [1, 300])

    def test_goals(self):
        goal = "event:goal"
        self.assertEqual(self.totals("visitors", "events", "conversion_rate",
                                     filters=[["is", goal, ["Visit /about", "Booking"]]]),
                         [2, 2, 28.6])
        self.assertEqual(self.totals("events", filters=[["is", goal, ["Visit /ab*"]]]), [1])
        self.assertEqual(self.totals("events", filters=[["is", goal, ["Visit *"]]]), [0])
        self.assertEqual(self.totals("events", filters=[["is", goal, ["Visit /*"]]]), [10])
        self.assertEqual(self.totals("events", filters=[["contains", goal, ["ook", "urch"]]]), [2])
        self.assertEqual(self.totals("events", filters=[["is", goal, ["nothing"]]]), [0])
        self.assertEqual(self.rows("visitors", "conversion_rate", dimensions=[goal]),
                         [(["Outbound Link: Click"], [5, 71.4]), (["Booking"], [1, 14.3]),
                          (["Purchase"], [1, 14.3])])
        self.assertEqual(self.rows("events", dimensions=[goal],
                                   filters=[["is", goal, ["Visit /about", "Purchase"]]]),
                         [(["Purchase"], [1]), (["Visit /about"], [1])])

    def test_behaviours(self):
        done = ["is", "event:goal", ["Outbound Link: Click"]]
        self.assertEqual(self.totals("visits", "events", filters=[["has_done", done]]), [5, 13])
        for other in (["has_not_done", done], ["not", ["has_done", done]]):
            self.assertEqual(self.totals("visits", "events", filters=[other]), [4, 5])  # and an event of no visit
        self.assertEqual(
            self.totals("visits", filters=[["has_done", ["is", "event:page", ["/about"]]],
                                           ["has_not_done", ["is", "event:type", ["lead"]]]]),
            [1])
        self.assertEqual(
            self.totals("visits", filters=[["has_done", ["is", "visit:entry_page", ["/"]]]]), [8])

    def test_filters(self):
        def count(*filters):
            return self.totals("events", filters=list(filters))[0]
        self.assertEqual(count(["matches", "event:page", ["^/ab.*t$"]]), 2)
        self.assertEqual(count(["matches_not", "event:page", ["about"]]), 16)
        self.assertEqual(count(["matches", "visit:source", [r"^\w+$", r"\bNone\b"]]), 14)
        self.assertEqual(count(["contains_not", "visit:source", ["agram", "oogle"]]), 12)
        self.assertEqual(count(["is", "visit:utm_source", ["NewsLetter"]]), 4)
        self.assertEqual(count(["is", "visit:source", ["NEWSLETTER"]]), 0)
        self.assertEqual(count(["is", "visit:source", ["NEWSLETTER"], {"case_sensitive": False}]),
                         4)
        self.assertEqual(count(["is", "visit:country", ["GB", "DE"]]), 7)
        self.assertEqual(count(["and", [["is", "visit:country", ["GB"]],
                                        ["is_not", "event:type", ["view"]]]]), 3)
        self.assertEqual(count(["is", "event:bot", ["human", "bot", "preview", "prefetch"]]), 20)
        self.assertEqual(count(["is", "event:link", ["shop"]]), 3)
        self.assertEqual(self.totals("clicks", "ctr", "link_ctr",
                                     filters=[["is", "event:link", ["shop"]]]), [3, 0.3, 0.3])
        self.assertEqual(count(["is", "event:hostname", ["alice.bio"]]), 18)

    def test_order(self):
        def sources(*order):
            return [d[0] for d, _ in self.rows("visitors", "ctr", dimensions=["visit:source"],
                                               order_by=list(order))]
        self.assertEqual(sources(["ctr", "asc"])[:2], ["Google", "newsletter"])
        self.assertEqual(sources(["visit:source", "desc"])[0], "newsletter")
        self.assertEqual(sources(["visitors", "asc"], ["visit:source", "desc"])[:2],
                         ["X (Twitter)", "Google"])
        self.assertEqual(self.ask(metrics=["visitors"], dimensions=["time:day", "visit:source"])
                         ["query"]["order_by"], [["time:day", "asc"], ["visitors", "desc"]])

    def test_pages_of_the_answer(self):
        seen = []
        for offset in range(0, 6):
            seen += [d for d, _ in self.rows("events", dimensions=["visit:source"],
                                             pagination={"limit": 1, "offset": offset})]
        self.assertEqual(seen, [d for d, _ in self.rows("events", dimensions=["visit:source"])])
        self.assertEqual(len(seen), 5)

    def test_meta(self):
        meta = self.ask(metrics=["visitors"], include={"imports": True})["meta"]
        self.assertEqual((meta["imports_included"], meta["imports_skip_reason"]),
                         (False, "no_imported_data"))
        self.assertIs(meta["visitors_summed_over_periods"], True)
        self.assertRegex(meta["as_of"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        meta = self.ask(metrics=["visitors"], date_range=["2026-03-02", "2026-03-02"])["meta"]
        self.assertNotIn("visitors_summed_over_periods", meta)
        self.assertNotIn("total_rows", meta)

    def test_an_unchanged_answer_is_304(self):
        body = {"site_id": "alice.bio", "metrics": ["visitors"],
                "date_range": ["2026-03-02", "2026-03-03"]}
        first = self.post(body)
        time.sleep(0.005)
        again = self.post(body, headers={"If-None-Match": first.headers["ETag"]})
        self.assertEqual((again.status, again.body), (304, b""))


    def test_the_manuals_example(self):
        text = (SOURCE / "docs/stats.md").read_text()
        example = text.split("<!-- query:begin -->\n```json\n")[1].split("```")[0]
        got = self.post(json.loads(example))
        self.assertEqual((got.status, got.json["results"]), (200, []))


class Dates(Dialect):
    def range_of(self, date_range, site="alice.bio"):
        return self.ask(site, metrics=["visitors"], date_range=date_range)["query"]["date_range"]

    def test_words(self):
        def local(day, end=False):
            at = datetime.datetime.combine(day, datetime.time(23, 59, 59) if end
                                           else datetime.time(), PARIS)
            return at.isoformat()
        today = datetime.datetime.now(PARIS).date()
        month = today.replace(day=1)
        next_month = (month + datetime.timedelta(days=31)).replace(day=1)
        months = [month]
        while len(months) < 12:
            months.append((months[-1] - datetime.timedelta(days=1)).replace(day=1))
        one = datetime.timedelta(days=1)
        for word, first, last in [("day", today, today), ("7d", today - 6 * one, today),
                                  ("28d", today - 27 * one, today),
                                  ("30d", today - 29 * one, today),
                                  ("91d", today - 90 * one, today),
                                  ("month", month, next_month - one),
                                  ("6mo", months[5], next_month - one),
                                  ("12mo", months[11], next_month - one),
                                  ("year", today.replace(month=1, day=1),
                                   today.replace(month=12, day=31)),
                                  ("all", datetime.date(2026, 3, 2), today)]:
            with self.subTest(word=word):
                self.assertEqual(self.range_of(word), [local(first), local(last, True)])
        for word, seconds in (("24h", 86400), ("30m", 1800), ("realtime", 300)):
            first, last = map(datetime.datetime.fromisoformat, self.range_of(word))
            self.assertEqual((last - first).total_seconds(), seconds - 1)
            self.assertLess(abs(last.timestamp() - time.time()), 60)

    def test_timestamps_include_the_last_second(self):
        got = self.range_of(["2026-03-02T08:00:00Z", "2026-03-02T08:00:40Z"])
        self.assertEqual(got, ["2026-03-02T09:00:00+01:00", "2026-03-02T09:00:40+01:00"])
        self.assertEqual(self.totals("events", date_range=["2026-03-02T08:00:00Z",
                                                           "2026-03-02T08:00:40Z"]), [2])
        self.assertEqual(self.totals("events", date_range=["2026-03-02T08:00:00Z",
                                                           "2026-03-02T08:00:39Z"]), [1])

    def test_the_unit_of_time_fits_the_range(self):
        for last, unit in (("2026-03-02", "time:hour"), ("2026-03-03", "time:hour"),
                           ("2026-03-04", "time:day"), ("2026-04-10", "time:day"),
                           ("2026-04-12", "time:week"), ("2027-02-28", "time:week"),
                           ("2027-03-02", "time:month")):
            got = self.ask(metrics=["visitors"], dimensions=["time"],
                           date_range=["2026-03-02", last])
            self.assertEqual(got["query"]["dimensions"], [unit], last)

    def test_labels(self):
        def labels(unit, first, last, site="alice.bio"):
            return self.ask(site, metrics=["visitors"], dimensions=[unit],
                            include={"time_labels": True},
                            date_range=[first, last])["meta"]["time_labels"]
        self.assertEqual(labels("time:week", "2026-03-04", "2026-03-17"),
                         ["2026-03-04", "2026-03-09", "2026-03-16"])
        self.assertEqual(labels("time:month", "2026-01-31", "2026-03-01"),
                         ["2026-01-01", "2026-02-01", "2026-03-01"])
        self.assertEqual(len(labels("time:15m", "2026-03-04", "2026-03-04")), 96)
        self.assertEqual(len(labels("time:hour", "2026-03-29", "2026-03-29")), 23)
        self.assertEqual(len(labels("time:hour", "2026-10-25", "2026-10-25")), 24)
        self.assertEqual(len(labels("time:hour", "2026-04-05", "2026-04-05", "clocks.bio")), 24)


class Visits(Dialect):
    """Rules of visits, and what pages were read like."""

    @classmethod
    def prepare(cls):
        events = []

        def add(who, at, kind="view", **more):
            events.append({"id": f"v{len(events)}", "site": "visits.bio", "type": kind,
                           "ts": f"2026-03-{at}Z", "visitor": who, "user_agent": DESKTOP,
                           "url": "https://visits.bio/" + more.pop("page", ""), **more})
        add("a", "02T10:00:00")
        add("a", "02T10:30:00", page="two")         # exactly 30 minutes: the same visit
        add("a", "02T11:00:00.001")                 # and a millisecond more: another
        add("b", "02T12:00:00", utm={"source": "one"})
        add("b", "02T12:01:00", utm={"source": "two"})
        add("b", "02T12:02:00", "click", link="l")
        add("c", "02T12:00:00", "lead")             # without a view it is no bounce
        add("d", "02T22:50:00")
        add("d", "02T23:05:00", page="after")       # past midnight: another visitor
        load(cls.bell, events)
        cls.bell.send({"type": "view", "site": "live.bio", "visitor": "k", "user_agent": DESKTOP,
                       "url": "https://live.bio/a", "props": {"cell": "<b>"}},
                      {"type": "conversion", "site": "live.bio", "visitor": "m", "name": "Buy",
                       "user_agent": DESKTOP, "value": {"amount": 1234.5, "currency": "USD"}},
                      {"type": "conversion", "site": "live.bio", "visitor": "m", "name": "Buy",
                       "user_agent": DESKTOP, "value": {"amount": 5, "currency": "EUR"}},
                      {"type": "lead", "site": "live.bio", "visitor": "m", "name": "Form",
                       "user_agent": DESKTOP, "value": {"amount": -1234567.5, "currency": "CHF"}})

    def test_where_visits_end(self):
        self.assertEqual(
            self.rows("visitors", "visits", site="visits.bio", dimensions=["time:day"]),
            [(["2026-03-02"], [4, 6]), (["2026-03-03"], [1, 1])])
        self.assertEqual(
            self.totals("visits", "bounce_rate", "visit_duration", "views_per_visit",
                        site="visits.bio"), [7, 57, 266, 1.0])
        self.assertEqual(self.rows("visits", "bounce_rate", site="visits.bio",
                                   dimensions=["visit:source"]),
                         [(["Direct / None"], [5, 60]), (["one"], [1, 100]), (["two"], [1, 0])])

    def test_currencies(self):
        got = self.ask("live.bio", metrics=["total_revenue", "average_revenue", "value"],
                       date_range="7d")
        self.assertEqual(got["results"][0]["metrics"], [None, None, None])
        self.assertEqual(sorted(got["meta"]["metric_warnings"]),
                         ["average_revenue", "total_revenue", "value"])
        rows = self.rows("total_revenue", site="live.bio", date_range="7d",
                         dimensions=["event:goal"], order_by=[["event:goal", "asc"]])
        self.assertIsNone(rows[0][1][0])
        self.assertEqual(rows[1][1][0], {"value": -1234567.5, "currency": "CHF",
                                         "short": "-CHF\u00a01.2M",
                                         "long": "-CHF\u00a01,234,567.50"})

    def test_attention(self):
        def beacon(name, page, **more):
            body = {"n": name, "d": "other.bio", "u": "https://other.bio" + page, **more}
            answer = self.bell.request("POST", "/api/event", json.dumps(body).encode(), token=False,
                                       headers={"User-Agent": DESKTOP,
                                                "Content-Type": "text/plain"})
            self.assertEqual((answer.status, answer.headers["x-plausible-dropped"]), (202, None))
        beacon("pageview", "/read")
        beacon("engagement", "/read", sd=40, e=3000)
        beacon("engagement", "/read", sd=75, e=4000)
        beacon("pageview", "/next")
        beacon("engagement", "/next", sd=255, e=1000)
        beacon("engagement", "/read", sd=10, e=2000)
        beacon("pageview", "/unread")
        rows = self.rows("scroll_depth", "time_on_page", "pageviews", site="other.bio",
                         date_range="day", dimensions=["event:page"],
                         order_by=[["event:page", "asc"]])
        self.assertEqual(rows, [(["/next"], [None, 1, 1]), (["/read"], [75, 9, 1]),
                                (["/unread"], [None, None, 1])])
        self.assertEqual(self.totals("scroll_depth", "time_on_page", site="other.bio",
                                     date_range="day",
                                     filters=[["is", "event:page", ["/read"]]]), [75, 9])
        self.assertEqual(self.totals("events", site="other.bio", date_range="day"), [3])


class Faults(Dialect):
    """Each fault, in the dialect's words."""

    @classmethod
    def prepare(cls):
        pass

    def check(self, body, text, status=400, **options):
        answer = self.post(body, **options)
        self.assertEqual((answer.status, answer.json), (status, {"error": text}), body)
        return answer

    def wrong(self, text, drop=(), **query):
        body = {"site_id": "alice.bio", "metrics": ["visitors"],
                "date_range": ["2026-03-02", "2026-03-03"], **query}
        return self.check({k: v for k, v in body.items() if k not in drop}, text)

    def test_who_may_ask(self):
        body = {"site_id": "alice.bio", "metrics": ["visitors"], "date_range": "day"}
        answer = self.check(body, "Missing API key. Please use a valid linkbell token as a Bearer "
                                  "Token.", 401, token=False)
        self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
        wrong = ("Invalid API key or site ID. Please make sure you're using a valid API key with "
                 "access to the site you've requested.")
        self.check(body, wrong, 401, token="lb_nonsense")
        self.check(dict(body, site_id="nobody.bio"), wrong, 401)
        one = self.bell.make_token("read", "--site", "other.bio")
        self.check(body, wrong, 401, token=one)
        self.check(body, "This token lacks the scope read.", 403,
                   token=self.bell.make_token("ingest"))
        self.assertEqual(self.post(dict(body, site_id="other.bio"), token=one).status, 200)

    def test_method_and_type(self):
        answer = self.bell.get("/api/v2/query")
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "POST"))
        body = json.dumps({"site_id": "alice.bio", "metrics": ["visitors"], "date_range": "day"})
        for kind in ("text/plain", "application/octet-stream"):
            answer = self.bell.request("POST", "/api/v2/query", body.encode(),
                                       headers={"Content-Type": kind})
            self.assertEqual(answer.status, 200)

    def test_form(self):
        text = "Request body must be a JSON object"
        for body in (b"", b"[]", b"{", b'"x"', b'{"a":1,}'):
            self.check(body, text)
        self.wrong("Missing site ID. Please provide the required site_id parameter with your "
                   "request.", drop=["site_id"])
        self.wrong("#/metric: Schema does not allow additional properties.", metric=["visitors"])
        self.wrong("#: Required property metrics was not present.", drop=["metrics", "date_range"])
        self.wrong("#: Required property date_range was not present.", drop=["date_range"])
        self.wrong("#/metrics: Expected a minimum of 1 items but got 0.", metrics=[])
        self.wrong("#/metrics: Expected items to be unique but they were not.",
                   metrics=["visits", "visits"])
        self.wrong("#/dimensions: Expected items to be unique but they were not.",
                   dimensions=["time", "time"])
        self.wrong("#/metrics: Type mismatch. Expected Array but got String.", metrics="visits")
        self.wrong("#/metrics/0: Type mismatch. Expected String but got Integer.", metrics=[1])
        self.wrong("#/filters: Type mismatch. Expected Array but got Object.", filters={})
        self.wrong("#/include/time_labels: Type mismatch. Expected Boolean but got String.",
                   include={"time_labels": "yes"})
        self.wrong("#/include/labels: Schema does not allow additional properties.",
                   include={"labels": True})
        self.wrong("#/pagination/limit: Expected the value to be <= 10000 but got 10001.",
                   pagination={"limit": 10001})
        self.wrong("#/pagination/offset: Expected the value to be >= 0 but got -1.",
                   pagination={"offset": -1})
        self.wrong("#/pagination/limit: Type mismatch. Expected Integer but got Number.",
                   pagination={"limit": 1.5})

    def test_dates(self):
        answer = self.wrong("Invalid date_range '\"8 weeks\"'.", date_range="8 weeks")
        self.assertIn("30d", answer.headers["x-linkbell-hint"])
        self.wrong("Invalid date_range '[\"2026-03-03\", \"2026-03-02\"]'.",
                   date_range=["2026-03-03", "2026-03-02"])
        self.wrong("Invalid date_range '[\"2026-02-30\", \"2026-03-02\"]'.",
                   date_range=["2026-02-30", "2026-03-02"])
        self.wrong("Invalid date_range '[\"2026-03-02\"]'.", date_range=["2026-03-02"])
        self.wrong("Invalid date_range '7'.", date_range=7)

    def test_metrics_and_dimensions(self):
        self.wrong("Unknown metric 'foo'.", metrics=["visitors", "foo"])
        self.wrong("Invalid dimensions '[\"visit:name\"]'", dimensions=["visit:name"])
        self.wrong("Invalid dimensions '[\"visit:source\", \"event:props:\"]'",
                   dimensions=["visit:source", "event:props:"])
        self.wrong("#/dimensions: Expected a maximum of 8 items but got 9.",
                   dimensions=[f"event:props:{n}" for n in range(9)])

    def test_filters(self):
        def bad(text, *filters):
            self.wrong(text, filters=list(filters))
        bad("Unknown operator for filter '[\"like\", \"event:page\", [\"/\"]]'.",
            ["like", "event:page", ["/"]])
        bad("Invalid filter '[\"is\", \"visit:name\", [\"x\"]]'.", ["is", "visit:name", ["x"]])
        bad("Invalid filter '[\"is\", \"segment\", [1]]'.", ["is", "segment", [1]])
        bad("Invalid filter '[\"is\", \"event:page\", []]'.", ["is", "event:page", []])
        bad("Invalid filter '[\"is\", \"event:page\"]'.", ["is", "event:page"])
        bad("Invalid filter '[\"is\", \"time:day\", [\"2026-03-02\"]]'.",
            ["is", "time:day", ["2026-03-02"]])
        bad("Invalid filter '[\"is\", \"event:page\", [\"/\"], {\"x\": false}]'.",
            ["is", "event:page", ["/"], {"x": False}])
        bad("Invalid filter '\"event:page\"'.", "event:page")
        bad("Invalid filter '[\"is_not\", \"event:goal\", [\"a\"]]'.",
            ["is_not", "event:goal", ["a"]])
        for regex in ("(?=x)", "a**", "(", "a{9999}", "x" * 257, r"\p{L}", "a*?"):
            answer = self.post({"site_id": "alice.bio", "metrics": ["visitors"],
                                "date_range": "day",
                                "filters": [["matches", "event:page", [regex]]]})
            self.assertEqual(answer.status, 400)
            self.assertIn("Invalid filter", answer.json["error"])
        bad("Invalid visit:country filter, visit:country needs to be a valid 2-letter country "
            "code.", ["is", "visit:country", ["FRA"]])
        bad("Invalid filters. Dimension `event:goal` can only be filtered at the top level.",
            ["not", ["is", "event:goal", ["a"]]])
        bad("Invalid filters. Dimension `event:hostname` can only be filtered at the top level.",
            ["or", [["is", "event:hostname", ["a"]], ["is", "event:page", ["/"]]]])
        bad("Invalid filters. Behavioral filters (has_done, has_not_done) can only be used at the "
            "top level.", ["or", [["has_done", ["is", "event:goal", ["a"]]]]])
        deep = ["is", "event:page", ["/"]]
        for _ in range(10):
            deep = ["not", deep]
        bad("Invalid filters. Filters may be nested 10 deep at most.", deep)
        bad("Invalid filters. Filters may hold 200 clauses at most.",
            ["is", "event:page", [str(n) for n in range(201)]])
        self.assertIn("[\"is\", \"visit:source\"", self.post(
            {"site_id": "alice.bio", "metrics": ["visitors"], "date_range": "day",
             "filters": [1]}).headers["x-linkbell-hint"])

    def test_order_and_include(self):
        self.wrong("Invalid order_by entry '[\"visits\", \"desc\"]'. Entry is not a queried "
                   "metric or dimension.", order_by=[["visits", "desc"]])
        self.wrong("Invalid order_by entry '[\"visitors\", \"up\"]'.",
                   order_by=[["visitors", "up"]])
        self.wrong("Invalid include.time_labels: requires a time dimension.",
                   include={"time_labels": True})

    def test_rules_across(self):
        for metric in ("conversion_rate", "group_conversion_rate"):
            self.wrong(f"Metric `{metric}` can only be queried with event:goal filters or "
                       "dimensions.", metrics=[metric])
        for metric in ("scroll_depth", "time_on_page"):
            self.wrong(f"Metric `{metric}` can only be queried with event:page filters or "
                       "dimensions.", metrics=[metric])
        self.wrong("Metric `link_ctr` can only be queried with event:link filters or dimensions.",
                   metrics=["link_ctr"])
        self.wrong("Metric `views_per_visit` cannot be queried with `dimensions`.",
                   metrics=["views_per_visit"], dimensions=["visit:source"])
        self.wrong("Metric `views_per_visit` cannot be queried with a filter on `event:page`.",
                   metrics=["views_per_visit"], filters=[["is", "event:page", ["/"]]])
        self.wrong("Session metric(s) `bounce_rate` cannot be queried along with event "
                   "dimensions.", metrics=["bounce_rate"], dimensions=["event:name"])
        answer = self.post({"site_id": "alice.bio", "metrics": ["bounce_rate"],
                            "date_range": "day", "dimensions": ["event:page"]})
        self.assertEqual(answer.status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
