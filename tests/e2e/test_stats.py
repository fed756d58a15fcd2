"""GET /v1/stats and `linkbell query`: every figure against counting plainly, the form of
the answer, ranges and buckets of time, who may ask, and what is refused.

LINKBELL_SEED sets the random events."""
import collections
import csv
import datetime
import io
import json
import math
import os
import random
import time
import unittest
import urllib.parse
import zoneinfo

from harness import Linkbell

SEED = int(os.environ.get("LINKBELL_SEED", str(int(time.time()))))
PARIS = zoneinfo.ZoneInfo("Europe/Paris")
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
CHROME = ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
          "Chrome/120.0.0.0 Safari/537.36")
DAY_MS = 86_400_000

CONFIG = """
server: { listen: 127.0.0.1:0 }
privacy: { retention: 0 }
sites:
  - { id: alice.bio, timezone: Europe/Paris }
  - { id: bob.bio, timezone: America/New_York }
  - { id: form.bio, timezone: Europe/Paris }
  - { id: live.bio, timezone: UTC }
  - { id: kathmandu.bio, timezone: Asia/Kathmandu }
  - { id: empty.bio, timezone: Europe/Paris }
"""


def ms(text):
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1000)


def at(ms_):
    return datetime.datetime.fromtimestamp(ms_ / 1000, datetime.timezone.utc)


def encode(**query):
    pairs = [(name, one) for name, value in query.items()
             for one in (value if isinstance(value, list) else [value])]
    return urllib.parse.urlencode(pairs)


def wilson(hits, n):
    z = 1.959963984540054
    p = hits / n
    middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0, (middle - spread) / scale), min(1, (middle + spread) / scale)


def add_rate(row, name, hits, n):
    row[name + "_n"] = n
    row[name] = hits / n if n else None
    low, high = wilson(hits, n) if n and hits <= n else (None, None)
    row[name + "_lo"], row[name + "_hi"], row[name + "_low_n"] = low, high, n < 30


def bucket(zone, grain, ms_):
    """Start of the bucket of time as the answer labels it."""
    local = at(ms_).astimezone(zone)
    if grain == "15m":
        start = local.replace(minute=local.minute // 15 * 15, second=0, microsecond=0)
    elif grain == "hour":
        start = local.replace(minute=0, second=0, microsecond=0)
    else:
        date = local.date()
        if grain == "week":
            date -= datetime.timedelta(days=date.weekday())
        elif grain == "month":
            date = date.replace(day=1)
        start = datetime.datetime.combine(date, datetime.time(), zone)
    return start.isoformat()


# --- random events, and counting them plainly ------------------------------------------

COUNTRIES = ["FR", "BE", "DE"]
CAMPAIGNS = ["spring", "autumn", "x"]
LINKS = ["book-call", "shop", "about"]
BEGIN = ms("2025-10-24T00:00:00+02:00")  # holds the hour that Paris repeats
DAYS = 5


def make_events(random_, count):
    """In order of ts, at least 1 ms apart, so that log order is that order."""
    events = []
    times = sorted(random_.sample(range(BEGIN, BEGIN + DAYS * DAY_MS), count))
    for number, ts in enumerate(times):
        site = random_.choice(["alice.bio", "alice.bio", "bob.bio"])
        event = {"id": f"e{number}", "site": site, "ts": ts, "user_agent": CHROME,
                 "type": random_.choice(["view", "view", "view", "click", "click", "lead",
                                         "conversion"]),
                 "visitor": f"v{random_.randrange(40)}",
                 "country": random_.choice(COUNTRIES),
                 "url": f"https://{site}/p{random_.randrange(3)}"
                        f"?utm_source=news&utm_campaign={random_.choice(CAMPAIGNS)}",
                 "props": {"plan": random_.choice(["pro", "free"])}}
        if event["type"] == "click":
            event["link"] = random_.choice(LINKS)
        events.append(event)
        if event["type"] == "click" and random_.random() < 0.3:
            # A second tap, for some within the ten seconds.
            again = dict(event, id=f"e{number}-2", ts=ts + random_.randrange(1, 20_000))
            events.append(again)
    events.sort(key=lambda e: e["ts"])
    return events


def decide(events):
    """Adds what is decided in log order: double taps, orphans and visits."""
    taps, views, visits, rows = {}, {}, {}, []
    zones = {"alice.bio": PARIS, "bob.bio": NEW_YORK}
    for event in events:
        zone = zones[event["site"]]
        person = (event["site"], at(event["ts"]).astimezone(zone).date(), event["visitor"])
        row = dict(type=event["type"], site=event["site"], ts=event["ts"], person=person,
                   link=event.get("link"), country=event["country"],
                   page=urllib.parse.urlsplit(event["url"]).path,
                   utm_campaign=event["url"].rsplit("=", 1)[1], plan=event["props"]["plan"])
        row["prop:plan"] = row["plan"]
        row["tap"] = row["orphan"] = False
        if row["type"] == "view":
            views[person] = max(views.get(person, 0), row["ts"])
        if row["type"] == "click":
            key = person + (row["link"],)
            row["tap"] = row["ts"] - taps.get(key, 0) < 10_000
            if not row["tap"]:
                taps[key] = row["ts"]
            row["orphan"] = row["ts"] - views.get(person, 0) > 1_800_000
        last, campaign, number = visits.get(person, (-math.inf, None, 0))
        if row["ts"] - last > 1_800_000 or row["utm_campaign"] != campaign:
            number += 1
        visits[person] = (row["ts"], row["utm_campaign"], number)
        row["visit"] = person + (number,)
        rows.append(row)
    return rows


def count(rows, views):
    """All metrics of rows; views are the views that stand beside them."""
    out = {kind + "s": sum(r["type"] == kind for r in rows) for kind in ("lead", "conversion")}
    clicks = [r for r in rows if r["type"] == "click"]
    out["views"] = len(views)
    out["clicks_raw"] = len(clicks)
    out["clicks"] = sum(not r["tap"] for r in clicks)
    out["orphan_clicks"] = sum(r["orphan"] for r in clicks)
    out["clickers"] = len({r["person"] for r in clicks})
    out["visitors"] = len({r["person"] for r in rows})
    out["visits"] = len({r["visit"] for r in rows})
    first = {}
    for row in views:
        first[row["person"]] = min(first.get(row["person"], row["ts"]), row["ts"])
    after = {r["person"] for r in clicks if r["ts"] >= first.get(r["person"], math.inf)}
    add_rate(out, "ctr", out["clicks"], out["views"])
    add_rate(out, "ctr_unique", len(after), len(first))
    add_rate(out, "lead_rate", out["leads"], out["views"])
    return out


METRICS = ("views,clicks_raw,clicks,clickers,leads,conversions,visitors,visits,orphan_clicks,ctr,"
           "ctr_unique,lead_rate")


class Figures(unittest.TestCase):
    """Thousands of imported events over five days, one of which has 25 hours."""

    @classmethod
    def setUpClass(cls):
        print(f"LINKBELL_SEED={SEED}")
        random_ = random.Random(SEED)
        events = make_events(random_, 3000)
        cls.rows = decide(events)
        cls.bell = Linkbell(CONFIG).ready()
        lines = "\n".join(json.dumps(event) for event in events)
        done = cls.bell.run("import", "--json", "--format", "ndjson", "-", stdin=lines)
        got = json.loads(done.stdout)
        assert got["accepted"] == len(events), got

    @classmethod
    def tearDownClass(cls):
        cls.bell.__exit__(None, None, None)

    def check_row(self, got, want, about):
        for name, value in want.items():
            if isinstance(value, float):
                self.assertIsNotNone(got[name], (name, about))
                self.assertAlmostEqual(got[name], value, delta=0.000051, msg=f"{name} {about}")
            else:
                self.assertEqual(got[name], value, f"{name} {about}")

    def check(self, by, keep=lambda r: True, keep_view=None, zone=PARIS, **query):
        """Asks, and compares totals and every row with the events that keep() keeps."""
        site = query.setdefault("site", "alice.bio")
        sites = ["alice.bio", "bob.bio"] if site == "*" else [site]
        query = dict(query, by=",".join(by), limit=10000)
        rows = [r for r in self.rows if r["site"] in sites and keep(r)]
        views = [r for r in self.rows if r["site"] in sites and r["type"] == "view"
                 and (keep_view or keep)(r)]
        # Visits are counted from the log alone, what stands beside them from rollups too.
        for metrics in (METRICS.replace("visits,", ""), METRICS):
            query["metrics"] = metrics
            got = self.bell.stats(encode(**{k: v for k, v in query.items() if v}))
            asked = {name for name in got["totals"]}
            self.check_row(got["totals"], self.only(asked, count(rows, views)), query)
            if by:
                self.check_groups(got["rows"], by, rows, views, zone, query)

    def only(self, asked, figures):
        return {name: value for name, value in figures.items() if name in asked}

    def check_groups(self, got, by, rows, views, zone, about):
        of_click = {"link", "type", "name", "qr"}

        def key(row, names):
            return tuple(bucket(zone, name[5:], row["ts"]) if name.startswith("time:")
                         else row[name] for name in names)

        groups = collections.defaultdict(list)
        beside = collections.defaultdict(list)
        shared = [name for name in by if name not in of_click]
        for row in rows:
            if row["type"] != "view" or not of_click - {"type"} & set(by):
                groups[key(row, by)].append(row)
        for row in views:
            beside[key(row, shared)].append(row)
        seen = {}
        for row in got:
            names = tuple(row["time" if name.startswith("time:") else name] for name in by)
            self.assertNotIn(names, seen)
            seen[names] = row
        filled = {names for names in seen if names not in groups}
        if filled:
            self.assertTrue(len(by) == 1 and by[0].startswith("time:"), (filled, about))
        for names in filled:
            self.check_row(seen[names], self.only(seen[names], count([], [])), (names, about))
        for names, own in groups.items():
            self.assertIn(names, seen, about)
            value = tuple(v for v, name in zip(names, by) if name not in of_click)
            self.check_row(seen[names], self.only(seen[names], count(own, beside[value])),
                           (names, about))

    def test_totals_and_one_dimension(self):
        for by in ([], ["country"], ["page"], ["utm_campaign"], ["prop:plan"], ["site"]):
            with self.subTest(by=by):
                self.check(by)

    def test_times(self):
        for grain in ("15m", "hour", "day", "week", "month"):
            with self.subTest(grain=grain):
                self.check(["time:" + grain])

    def test_times_in_another_zone(self):
        for name in ("Asia/Kathmandu", "America/New_York", "UTC"):
            with self.subTest(zone=name):
                self.check(["time:day"], zone=zoneinfo.ZoneInfo(name), tz=name)
                self.check(["time:hour"], zone=zoneinfo.ZoneInfo(name), tz=name)

    def test_several_dimensions(self):
        self.check(["country", "page"])
        self.check(["time:day", "country"])
        self.check(["utm_campaign", "time:hour", "prop:plan"])
        self.check(["time:week", "page", "country", "utm_campaign", "prop:plan"])

    def test_views_beside_what_belongs_to_a_click(self):
        self.check(["link"])
        self.check(["link", "country"])
        self.check(["time:day", "link"])
        self.check(["type"])

    def test_filters(self):
        self.check([], lambda r: r["country"] == "FR", filter="country == FR")
        self.check(["page"], lambda r: r["country"] in ("FR", "BE"),
                   filter="country == [FR, BE]")
        self.check(["time:day"], lambda r: r["country"] != "FR", filter="country != FR")
        self.check(["country"], lambda r: r["page"] == "/p1" and r["utm_campaign"] != "spring",
                   filter="page ~ p1 and not utm_campaign == Spring")
        self.check(["utm_campaign"], lambda r: r["plan"] == "pro", filter="prop:plan == pro")

    def test_filters_of_clicks_leave_the_views(self):
        self.check([], lambda r: r["link"] == "shop", lambda r: True, filter="link == shop")
        self.check(["country"], lambda r: r["link"] == "shop" and r["page"] == "/p1",
                   lambda r: r["page"] == "/p1", filter="link == shop and page == /p1")
        self.check(["link"], lambda r: r["type"] == "click" and r["country"] == "FR",
                   lambda r: r["country"] == "FR", filter="type == click and country == FR")

    def test_ranges(self):
        for begin, end in (("2025-10-25T00:00:00+02:00", "2025-10-26T00:00:00+02:00"),
                           ("2025-10-25T22:00:00Z", "2025-10-26T01:00:00Z"),
                           ("2025-10-25T10:07:11.123Z", "2025-10-25T18:52:59.999Z")):
            first, last = ms(begin), ms(end)
            with self.subTest(begin=begin):
                for by in ([], ["time:15m"], ["country"]):
                    self.check(by, lambda r: first <= r["ts"] < last, **{"from": begin, "to": end})

    def test_several_sites(self):
        self.check([], site="*", tz="UTC")
        self.check(["site"], site="*", tz="UTC")
        self.check(["country"], site="*", tz="UTC")
        self.check(["time:day", "link"], site="*", tz="UTC", zone=zoneinfo.ZoneInfo("UTC"))

    def test_all_sites_among_others_are_all(self):
        want = self.bell.stats("site=*&metrics=views&by=site")
        self.assertEqual(self.bell.stats("site=alice.bio&site=*&metrics=views&by=site")["rows"],
                         want["rows"])

    def test_a_site_named_twice_counts_once(self):
        once = self.bell.stats("site=alice.bio&metrics=views,clicks,visitors")["totals"]
        for metrics in ("views,clicks", "views,clicks,visitors"):
            twice = self.bell.stats("site=alice.bio&site=alice.bio&metrics=" + metrics)["totals"]
            self.assertEqual(twice["views"], once["views"])
            self.assertEqual(twice["clicks"], once["clicks"])

    def test_totals_of_any_metric_alone_are_those_of_all(self):
        want = self.bell.stats("site=alice.bio&metrics=" + METRICS)["totals"]
        for metric in METRICS.split(","):
            got = self.bell.stats("site=alice.bio&metrics=" + metric)["totals"]
            self.assertEqual(got, {name: want[name] for name in got})


class Form(unittest.TestCase):
    """The answer's keys and texts, on a few events of now and of fixed days."""

    @classmethod
    def setUpClass(cls):
        cls.bell = Linkbell(CONFIG).ready()
        events = [{"type": "view", "site": "form.bio", "visitor": f"v{n}", "user_agent": CHROME,
                   "url": "https://form.bio/?utm_source=newsletter"} for n in range(120)]
        events += [{"type": "click", "site": "form.bio", "visitor": f"v{n}", "link": "shop",
                    "user_agent": CHROME, "url": "https://form.bio/?utm_source=newsletter"}
                   for n in range(30)]
        events += [{"type": "click", "site": "form.bio", "visitor": f"w{n}", "link": f"l{n}",
                    "user_agent": CHROME} for n in range(3)]
        events += [{"type": "view", "site": "live.bio", "visitor": "a", "user_agent": CHROME,
                    "url": "https://live.bio/?utm_source=" + urllib.parse.quote(text),
                    "props": {"cell": text}}
                   for text in ("=1+1", "+1", "-1", "@x", 'say "x", y', "a\nb", "plain")]
        cls.bell.send(*events)

    @classmethod
    def tearDownClass(cls):
        cls.bell.__exit__(None, None, None)

    def get(self, query, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.bell.get("/v1/stats?" + query, headers=headers)

    def test_keys_stand_in_order(self):
        answer = self.get("site=form.bio&metrics=views,ctr&by=utm_source&period=today")
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        got = json.loads(answer.body, object_pairs_hook=lambda pairs: pairs)
        self.assertEqual([key for key, _ in got],
                         ["site", "from", "to", "tz", "rows", "totals", "meta", "next"])
        self.assertEqual(dict(got)["rows"][0],
                         [("utm_source", "newsletter"), ("views", 120), ("ctr", 0.25),
                          ("ctr_n", 120), ("ctr_lo", 0.1811), ("ctr_hi", 0.3344),
                          ("ctr_low_n", False)])
        self.assertEqual([key for key, _ in dict(got)["meta"]][:4],
                         ["as_of", "coverage", "scope", "traffic"])

    def test_meta_says_what_the_answer_holds(self):
        meta = self.bell.stats("site=form.bio&metrics=views")["meta"]
        self.assertRegex(meta["as_of"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual((meta["coverage"], meta["scope"], meta["traffic"], meta["warnings"]),
                         ("complete", "day", "human", []))
        self.assertRegex(meta["data_from"], r"^\d{4}-\d\d-\d\d$")
        self.assertIsNone(self.bell.stats("site=empty.bio&metrics=views")["meta"]["data_from"])

    def test_defaults(self):
        got = self.bell.stats("site=form.bio")
        self.assertEqual([k for k in got["totals"] if "_" not in k],
                         ["views", "clicks", "visitors", "leads", "ctr"])
        self.assertEqual(len(got["rows"]), 1)
        self.assertEqual(got["rows"][0], got["totals"])
        self.assertEqual(got["site"], "form.bio")
        self.assertEqual(got["tz"], "Europe/Paris")
        self.assertIsNone(got["next"])
        self.assertEqual(self.bell.stats("")["totals"]["views"], 127)

    def test_a_rate_without_a_denominator_is_null(self):
        totals = self.bell.stats("site=empty.bio&metrics=views,ctr,ctr_unique,lead_rate")["totals"]
        for name in ("ctr", "ctr_unique", "lead_rate"):
            self.assertEqual([totals[name + end] for end in ("", "_n", "_lo", "_hi", "_low_n")],
                             [None, 0, None, None, True])

    def test_rows_are_sorted(self):
        def links(order):
            got = self.bell.stats("site=form.bio&metrics=clicks,views&by=link" + order)
            return [row["link"] for row in got["rows"]]
        self.assertEqual(links(""), ["shop", "l0", "l1", "l2"])
        self.assertEqual(links("&order=clicks:asc"), ["l0", "l1", "l2", "shop"])
        self.assertEqual(links("&order=clicks:desc"), ["shop", "l0", "l1", "l2"])
        self.assertEqual(links("&order=link:desc"), ["shop", "l2", "l1", "l0"])

    def test_pages_hold_every_row_once(self):
        query = "site=form.bio&metrics=clicks&by=link&limit=3"
        first = self.bell.stats(query)
        self.assertEqual(len(first["rows"]), 3)
        second = self.bell.stats(query + "&cursor=" + first["next"])
        self.assertIsNone(second["next"])
        self.assertEqual([r["link"] for r in first["rows"] + second["rows"]],
                         ["shop", "l0", "l1", "l2"])
        self.assertEqual(first["totals"], second["totals"])
        for cursor in ("x", first["next"] + "x", "", first["next"][1:],
                       first["next"].replace("-", "--"), "%20" + first["next"]):
            self.check_refused(query + "&cursor=" + cursor, "bad_cursor")
        self.check_refused(query.replace("=3", "=2") + "&cursor=" + first["next"], "bad_cursor")

    def test_a_cursor_belongs_to_all_sites_named(self):
        one = "site=form.bio&site=live.bio&metrics=views&by=prop:cell&limit=1"
        cursor = self.bell.stats(one)["next"]
        self.check_refused(one.replace("live", "alice") + "&cursor=" + cursor, "bad_cursor")

    def check_refused(self, query, code, text=""):
        answer = self.get(query)
        self.assertEqual(answer.status, 400, (query, answer))
        self.assertEqual(answer.json["error"]["code"], code, (query, answer))
        self.assertIn(text, json.dumps(answer.json["error"]))

    def test_faults_are_named(self):
        for query, code, text in (
                ("metrix=views", "unknown_parameter", "metrics"),
                ("metrics=vues", "bad_request", "vues"),
                ("metrics=views,", "bad_request", ""),
                ("metrics=views,clicks,views", "bad_request", "views twice"),
                ("metrics=views&metrics=clicks", "bad_request", "metrics is given twice"),
                ("compare=last", "bad_request", "previous or year"),
                ("by=sourc", "bad_request", "source"),
                ("by=xyzzyx", "bad_request", "There are: link, page"),
                ("metrics=xyzzyx", "bad_request", "orphan_clicks, ctr"),
                ("xyzzyx=1", "unknown_parameter", "There are: site, metrics"),
                ("by=time:day,time:hour", "bad_request", "time"),
                ("by=source,source", "bad_request", "source"),
                ("by=time:year", "bad_request", "time:year"),
                ("tz=Europe/Pari", "bad_request", "Europe/Pari"),
                ("tz=../../etc/passwd", "bad_request", ""),
                ("from=yesterday", "bad_request", "yesterday"),
                ("from=2026-02-30", "bad_request", "2026-02-30"),
                ("from=2026-01-02&to=2026-01-01", "bad_request", "from"),
                ("from=2026-01-02T00:00:00", "bad_request", "RFC 3339"),
                ("period=1d", "bad_request", "7d"),
                ("period=7d&from=2026-01-01", "bad_request", "period"),
                ("traffic=robots", "bad_request", "bot"),
                ("order=clicks&metrics=views", "bad_request", "order"),
                ("limit=0", "bad_request", "10000"),
                ("limit=10001", "bad_request", "10000"),
                ("limit=ten", "bad_request", "10000"),
                ("format=xml", "bad_request", "csv"),
                ("filter=" + urllib.parse.quote("country = FR"), "bad_request", "character 9"),
                ("filter=(", "bad_request", "character 2")):
            with self.subTest(query=query):
                self.check_refused("site=form.bio&" + query, code, text)

    def test_an_unknown_site_is_404(self):
        answer = self.get("site=nobody.bio")
        self.assertEqual((answer.status, answer.json["error"]["code"]), (404, "unknown_site"))

    def test_dates_and_instants_are_echoed(self):
        got = self.bell.stats("site=form.bio&metrics=views&from=2025-10-26&to=2025-10-26")
        self.assertEqual((got["from"], got["to"]),
                         ("2025-10-26T00:00:00+02:00", "2025-10-27T00:00:00+01:00"))
        got = self.bell.stats("site=form.bio&metrics=views&tz=Asia/Kathmandu&"
                              + encode(**{"from": "2025-10-26T00:00:00Z",
                                          "to": "2025-10-26T12:00:00+02:00"}))
        self.assertEqual((got["from"], got["to"], got["tz"]),
                         ("2025-10-26T05:45:00+05:45", "2025-10-26T15:45:00+05:45",
                          "Asia/Kathmandu"))

    def test_periods(self):
        today = datetime.datetime.now(PARIS).date()
        month = today.replace(day=1)
        next_month = (month + datetime.timedelta(days=31)).replace(day=1)
        last_month = (month - datetime.timedelta(days=1)).replace(day=1)
        year = month.replace(year=month.year - 1)
        year = (year + datetime.timedelta(days=31)).replace(day=1)

        def days(count_):
            return today - datetime.timedelta(days=count_)
        for period, first, end in (("today", today, days(-1)), ("yesterday", days(1), today),
                                   ("7d", days(6), days(-1)), ("28d", days(27), days(-1)),
                                   ("30d", days(29), days(-1)), ("month", month, next_month),
                                   ("last_month", last_month, month),
                                   ("12mo", year, next_month)):
            with self.subTest(period=period):
                got = self.bell.stats("site=form.bio&metrics=views&period=" + period)
                self.assertEqual((got["from"][:10], got["to"][:10]), (str(first), str(end)))
                self.assertEqual((got["from"][10:19], got["to"][10:19]),
                                 ("T00:00:00", "T00:00:00"))

    def test_the_repeated_hour_is_two_buckets(self):
        got = self.bell.stats("site=form.bio&metrics=views&by=time:hour&"
                              "from=2025-10-26&to=2025-10-26")
        times = [row["time"] for row in got["rows"]]
        self.assertEqual(len(times), 25)
        self.assertEqual(times[1:4], ["2025-10-26T01:00:00+02:00", "2025-10-26T02:00:00+02:00",
                                      "2025-10-26T02:00:00+01:00"])
        got = self.bell.stats("site=form.bio&metrics=views,visitors&by=time:hour&"
                              "from=2025-03-30&to=2025-03-30")
        self.assertEqual(len(got["rows"]), 23)

    def test_gaps_are_filled_when_time_is_the_one_dimension(self):
        query = "site=form.bio&metrics=views,ctr&from=2025-01-01&to=2025-03-31"
        for grain, buckets, first in (("day", 90, "2025-01-01"), ("week", 14, "2024-12-30"),
                                      ("month", 3, "2025-01-01")):
            with self.subTest(grain=grain):
                rows = self.bell.stats(f"{query}&by=time:{grain}&limit=10000")["rows"]
                self.assertEqual(len(rows), buckets)
                self.assertEqual(rows[0]["time"], first + "T00:00:00+01:00")
                self.assertEqual((rows[0]["views"], rows[0]["ctr"]), (0, None))
        self.assertEqual(self.bell.stats(query + "&by=time:day,link")["rows"], [])

    def test_gaps_are_filled_on_a_site_without_events_too(self):
        got = self.bell.stats("site=empty.bio&metrics=views&by=time:day&"
                              "from=2025-01-01&to=2025-01-03")
        self.assertEqual([row["views"] for row in got["rows"]], [0, 0, 0])

    def test_csv_has_a_header_and_guards_against_formulas(self):
        answer = self.get("site=live.bio&metrics=views,ctr&by=prop:cell&format=csv")
        self.assertEqual(answer.headers["Content-Type"], "text/csv; charset=utf-8")
        self.assertEqual(answer.body.count(b"\r\n"), 8)
        rows = list(csv.reader(io.StringIO(answer.body.decode(), newline="")))
        self.assertEqual(rows[0], ["prop:cell", "views", "ctr", "ctr_n", "ctr_lo", "ctr_hi",
                                   "ctr_low_n"])
        self.assertEqual(sorted(row[0] for row in rows[1:]),
                         sorted(["'=1+1", "'+1", "'-1", "'@x", 'say "x", y', "a\nb", "plain"]))
        self.assertEqual(rows[1][1:], ["1", "0", "1", "0", "0.7935", "true"])

    def test_csv_leaves_null_empty(self):
        for query in ("metrics=ctr,views", "metrics=views,ctr", "metrics=value,views",
                      "metrics=ctr&by=time:day&from=2025-01-01&to=2025-01-02"):
            with self.subTest(query=query):
                answer = self.get("site=empty.bio&format=csv&" + query)
                header, *rows = csv.reader(io.StringIO(answer.body.decode(), newline=""))
                self.assertTrue(rows)
                got = self.bell.stats("site=empty.bio&" + query)
                for row, want in zip(rows, got["rows"]):
                    self.assertEqual(len(row), len(header), answer)
                    texts = ["" if v is None else str(v).lower() if isinstance(v, bool)
                             else str(v) for v in want.values()]
                    self.assertEqual([cell.lower() for cell in row], [t.lower() for t in texts])

    def test_csv_of_a_null_dimension_alone_is_a_row(self):
        answer = self.get("site=form.bio&metrics=views&by=utm_term&format=csv")
        rows = list(csv.reader(io.StringIO(answer.body.decode(), newline="")))
        self.assertEqual(rows, [["utm_term", "views"], ["", "120"]])

    def test_an_unchanged_answer_is_304(self):
        for extra in ("", "&format=csv"):
            query = "site=form.bio&metrics=views,ctr&by=utm_source&period=yesterday" + extra
            first = self.get(query)
            tag = first.headers["ETag"]
            self.assertRegex(tag, r'^W/"[^"]+"$')
            time.sleep(0.01)
            again = self.get(query, If_None_Match=tag)
            self.assertEqual((again.status, again.body), (304, b""))
            self.assertEqual(again.headers["ETag"], tag)
            listed = self.get(query, If_None_Match='"x", ' + tag.removeprefix("W/"))
            self.assertEqual(listed.status, 304, "weak comparison")
            self.assertEqual(self.get(query, If_None_Match="*").status, 304)
            self.assertEqual(self.get(query, If_None_Match='W/"other"').status, 200)
            other = self.get(query.replace("ctr", "clicks"), If_None_Match=tag)
            self.assertEqual(other.status, 200)

    def test_head_has_no_body(self):
        answer = self.bell.request("HEAD", "/v1/stats?site=form.bio")
        self.assertEqual((answer.status, answer.body), (200, b""))

    def test_texts_of_outsiders_are_escaped(self):
        self.bell.send({"type": "view", "site": "kathmandu.bio", "user_agent": CHROME,
                        "props": {"<b>": "</script>\u2028&", 'quo"te': "x"}})
        answer = self.get("site=kathmandu.bio&metrics=views&by="
                          + urllib.parse.quote("prop:<b>"))
        self.assertEqual(answer.json["rows"][0]["prop:<b>"], "</script>\u2028&")
        for bad in (b"<", b">", b"&", "\u2028".encode()):
            self.assertNotIn(bad, answer.body)
        got = self.bell.stats("site=kathmandu.bio&metrics=views&by="
                              + urllib.parse.quote('prop:quo"te'))
        self.assertEqual(got["rows"][0]['prop:quo"te'], "x")


    def test_no_parameter_is_one_too_many(self):
        sites = "&".join(["site=form.bio"] * 70)
        got = self.bell.stats(sites + "&metrics=views&by=utm_source")
        self.assertEqual(got["rows"][0]["views"], 120)
        self.check_refused(sites + "&nonsense=1", "unknown_parameter", "nonsense")


class Compare(unittest.TestCase):
    """Figures beside those of an earlier range."""

    @classmethod
    def setUpClass(cls):
        cls.bell = Linkbell(CONFIG).ready()
        lines = []

        def add(day, count_, source, kind="view", hour="10:00:00"):
            for n in range(count_):
                lines.append({"id": f"{len(lines)}", "type": kind, "site": "alice.bio",
                              "visitor": f"v{n}", "user_agent": CHROME, "link": "shop",
                              "ts": ms(f"{day}T{hour}+01:00") + n,
                              "url": f"https://alice.bio/?utm_source={source}",
                              "value": {"amount": 2, "currency": "EUR"}})
        add("2025-02-01", 3, "a")
        add("2025-02-01", 2, "a", "click")
        add("2025-02-02", 5, "b")
        add("2025-01-31", 1, "a")
        add("2025-01-30", 4, "b")
        add("2025-01-30", 1, "b", "click")
        add("2025-01-31", 2, "c")
        add("2024-02-01", 7, "a")
        add("2024-02-29", 8, "a")
        done = cls.bell.run("import", "--json", "--format", "ndjson", "-",
                            stdin="\n".join(map(json.dumps, lines)))
        assert json.loads(done.stdout)["accepted"] == len(lines), done

    @classmethod
    def tearDownClass(cls):
        cls.bell.__exit__(None, None, None)

    def ask(self, **query):
        return self.bell.stats(encode(site="alice.bio", **query))

    def test_the_range_just_before_has_as_many_days(self):
        got = self.ask(metrics="views,clicks,ctr,visitors,value", by="utm_source",
                       compare="previous", **{"from": "2025-02-01", "to": "2025-02-02"})
        self.assertEqual(got["meta"]["compare"], {"from": "2025-01-30T00:00:00+01:00",
                                                  "to": "2025-02-01T00:00:00+01:00"})
        rows = {row["utm_source"]: row for row in got["rows"]}
        self.assertEqual(set(rows), {"a", "b"})
        self.assertEqual(list(rows["a"])[:3], ["utm_source", "views", "views_prev"])
        self.assertEqual([(rows[s]["views"], rows[s]["views_prev"], rows[s]["clicks_prev"],
                           rows[s]["ctr_prev"], rows[s]["visitors_prev"], rows[s]["value_prev"],
                           rows[s]["value_currency_prev"]) for s in "ab"],
                         [(3, 1, 0, 0, 1, 2, "EUR"), (5, 4, 1, 0.25, 4, 10, "EUR")])
        totals = got["totals"]
        self.assertEqual((totals["views"], totals["views_prev"], totals["ctr_prev"]),
                         (8, 7, 0.1429))

    def test_a_year_earlier_has_the_same_dates(self):
        got = self.ask(metrics="views", compare="year",
                       **{"from": "2025-02-01", "to": "2025-02-28"})
        self.assertEqual(got["meta"]["compare"], {"from": "2024-02-01T00:00:00+01:00",
                                                  "to": "2024-02-29T00:00:00+01:00"})
        self.assertEqual(got["totals"], {"views": 8, "views_prev": 7})
        got = self.ask(metrics="views", compare="year",
                       **{"from": "2024-02-29", "to": "2024-02-29"})
        self.assertEqual(got["meta"]["compare"]["from"][:10], "2023-02-28")
        got = self.ask(metrics="views", compare="year",
                       **{"from": "2025-02-01T09:30:00Z", "to": "2025-02-02T00:00:00Z"})
        self.assertEqual(got["meta"]["compare"], {"from": "2024-02-01T10:30:00+01:00",
                                                  "to": "2024-02-02T01:00:00+01:00"})

    def test_instants_are_as_far_apart_before(self):
        got = self.ask(metrics="views,visits", compare="previous",
                       **{"from": "2025-02-01T10:00:00+01:00", "to": "2025-02-02T16:00:00+01:00"})
        self.assertEqual(got["meta"]["compare"]["from"], "2025-01-31T04:00:00+01:00")
        self.assertEqual((got["totals"]["views"], got["totals"]["views_prev"]), (8, 3))

    def test_buckets_of_time_are_matched_by_position(self):
        got = self.ask(metrics="views,ctr", by="time:day", compare="previous",
                       **{"from": "2025-02-01", "to": "2025-02-02"})
        self.assertEqual([(r["time"][:10], r["views"], r["views_prev"], r["ctr_prev"])
                          for r in got["rows"]],
                         [("2025-02-01", 3, 4, 0.25), ("2025-02-02", 5, 3, 0)])
        got = self.ask(metrics="views", by="time:day,utm_source", compare="previous",
                       **{"from": "2025-02-01", "to": "2025-02-02"})
        self.assertEqual([(r["utm_source"], r["views"], r["views_prev"]) for r in got["rows"]],
                         [("a", 3, 0), ("b", 5, 0)])

    def test_the_whole_history_has_nothing_before(self):
        got = self.ask(metrics="views", compare="previous", period="all")
        self.assertEqual(got["totals"]["views_prev"], 0)

    def test_csv_and_the_verb_have_it_too(self):
        query = {"from": "2025-02-01", "to": "2025-02-02"}
        answer = self.bell.get("/v1/stats?" + encode(
            site="alice.bio", metrics="views,ctr", by="utm_source", compare="previous",
            format="csv", **query))
        rows = list(csv.reader(io.StringIO(answer.body.decode(), newline="")))
        self.assertEqual(rows[0], ["utm_source", "views", "views_prev", "ctr", "ctr_n", "ctr_lo",
                                   "ctr_hi", "ctr_low_n", "ctr_prev"])
        self.assertEqual([(r[0], r[1], r[2], r[8]) for r in rows[1:]],
                         [("b", "5", "4", "0.25"), ("a", "3", "1", "0")])
        out = self.bell.run("query", "--site", "alice.bio", "--metrics", "views,ctr", "--by",
                            "utm_source", "--from", "2025-02-01", "--to", "2025-02-02",
                            "--compare", "previous").stdout.splitlines()
        self.assertEqual(out[0].split(), ["utm_source", "views", "views_prev", "ctr", "ctr_prev"])
        self.assertEqual(out[1].split(), ["b", "5", "4", "0.0%", "25.0%"])


class LinkRate(unittest.TestCase):
    """link_ctr: views count while the link was there."""

    @classmethod
    def setUpClass(cls):
        cls.config = """
server: { listen: 127.0.0.1:0 }
sites:
  - id: alice.bio
    timezone: Europe/Paris
    links:
      - { slug: old, url: "https://x.example/1" }
      - { slug: gone, url: "https://x.example/2" }
LATER  - { id: bare.bio, timezone: Europe/Paris }
"""
        cls.bell = Linkbell(cls.config.replace("LATER", "")).ready()
        cls.send(4, "a")
        cls.apply(cls.config.replace("LATER",
                                     '      - { slug: new, url: "https://x.example/3" }\n'))
        cls.send(2, "b")
        cls.apply(cls.config.replace('      - { slug: gone, url: "https://x.example/2" }\n', "")
                  .replace("LATER", '      - { slug: new, url: "https://x.example/3" }\n'))
        cls.send(1, "c")
        cls.bell.send(*[{"type": "click", "site": site, "visitor": "a0", "link": link,
                         "user_agent": CHROME}
                        for site, link in (("alice.bio", "old"), ("alice.bio", "gone"),
                                           ("alice.bio", "new"), ("alice.bio", "unknown"),
                                           ("bare.bio", "unknown"), ("bare.bio", "unknown2"))])

    @classmethod
    def apply(cls, text):
        cls.bell.write_config(text)
        time.sleep(0.002)  # a view in the same millisecond would be on both sides
        cls.bell.run("apply", str(cls.bell.config))
        time.sleep(0.002)

    @classmethod
    def send(cls, count_, visitor):
        cls.bell.send(*[{"type": "view", "site": site, "visitor": f"{visitor}{n}",
                         "country": "FR" if n % 2 else "BE", "user_agent": CHROME,
                         "url": f"https://{site}/"}
                        for n in range(count_) for site in ("alice.bio", "bare.bio")])

    @classmethod
    def tearDownClass(cls):
        cls.bell.__exit__(None, None, None)

    def rates(self, query, key="link"):
        got = self.bell.stats(query + "&metrics=clicks,link_ctr,ctr")
        return got, {row[key]: (row["clicks"], row["link_ctr_n"], row["ctr_n"])
                     for row in got["rows"]}

    def test_by_link(self):
        for period in ("today", "all"):
            _, rates = self.rates("site=alice.bio&by=link&period=" + period)
            self.assertEqual(rates, {"old": (1, 7, 7), "gone": (1, 6, 7), "new": (1, 3, 7),
                                     "unknown": (1, 7, 7)})
        got, _ = self.rates("site=alice.bio&by=link")
        row = next(r for r in got["rows"] if r["link"] == "new")
        low, high = wilson(1, 3)
        self.assertEqual([row["link_ctr" + end] for end in ("", "_lo", "_hi", "_low_n")],
                         [0.3333, round(low, 4), round(high, 4), True])

    def test_by_link_and_others(self):
        got, _ = self.rates("site=alice.bio&by=link,country&filter=" +
                            urllib.parse.quote("link == [new, gone]"))
        self.assertEqual(got["rows"][0]["country"], None)
        self.assertEqual(got["rows"][0]["link_ctr_n"], 0)
        _, rates = self.rates("site=alice.bio&by=time:month,link")
        self.assertEqual(rates["gone"], (1, 6, 7))
        _, rates = self.rates("site=*&by=site,link")
        self.assertEqual(rates["unknown"], (1, 7, 7))
        _, rates = self.rates("site=*&by=link")
        self.assertEqual(rates["new"], (1, 3, 14))

    def test_of_one_link(self):
        got, _ = self.rates("site=alice.bio&by=country&filter=link==new", "country")
        self.assertEqual((got["totals"]["clicks"], got["totals"]["link_ctr_n"]), (1, 3))
        got, _ = self.rates("site=alice.bio&by=link")
        self.assertEqual(got["totals"]["link_ctr_n"], 7)



class Classes(unittest.TestCase):
    """Traffic classes, amounts, and who may ask."""

    @classmethod
    def setUpClass(cls):
        cls.bell = Linkbell(CONFIG).ready()
        cls.bell.send(
            {"type": "view", "site": "alice.bio", "visitor": "a", "user_agent": CHROME},
            {"type": "view", "site": "alice.bio", "visitor": "b",
             "user_agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"},
            {"type": "view", "site": "alice.bio", "visitor": "c", "user_agent": "Slackbot 1.0"},
            {"type": "conversion", "site": "alice.bio", "visitor": "a", "user_agent": CHROME,
             "name": "sale", "value": {"amount": 19.99, "currency": "EUR"}},
            {"type": "conversion", "site": "alice.bio", "visitor": "a", "user_agent": CHROME,
             "name": "sale", "value": {"amount": 0.01, "currency": "EUR"}},
            {"type": "conversion", "site": "bob.bio", "visitor": "a", "user_agent": CHROME,
             "value": {"amount": 5, "currency": "USD"}},
            {"type": "click", "site": "bob.bio", "visitor": "a", "user_agent": CHROME,
             "link": "shop"})

    @classmethod
    def tearDownClass(cls):
        cls.bell.__exit__(None, None, None)

    def test_traffic_is_human_unless_told(self):
        want = {}
        for row in self.bell.stats("site=alice.bio&metrics=views&traffic=all&by=traffic")["rows"]:
            want[row["traffic"]] = row["views"]
        self.assertEqual(sum(want.values()), 3)
        for traffic in ("human", "bot", "preview", "prefetch"):
            got = self.bell.stats("site=alice.bio&metrics=views&traffic=" + traffic)
            self.assertEqual(got["totals"]["views"], want.get(traffic, 0))
            self.assertEqual(got["meta"]["traffic"], traffic)
        self.assertEqual(self.bell.totals()["views"], want["human"])
        rows = self.bell.stats("site=alice.bio&metrics=views&traffic=all&by=reason")["rows"]
        self.assertEqual({row["reason"]: row["views"] for row in rows}[None], want["human"])

    def test_amounts_of_one_currency_are_added(self):
        totals = self.bell.stats("site=alice.bio&metrics=value,conversions")["totals"]
        self.assertEqual(totals, {"value": 20, "value_currency": "EUR", "conversions": 2})
        got = self.bell.stats("site=*&metrics=value")
        self.assertEqual(got["totals"], {"value": None, "value_currency": None})
        self.assertEqual([w["metric"] for w in got["meta"]["warnings"]], ["value"])
        rows = self.bell.stats("site=*&metrics=value&by=site")["rows"]
        self.assertEqual([(r["value"], r["value_currency"]) for r in rows if r["value"]],
                         [(20, "EUR"), (5, "USD")])

    def test_clicks_without_views_are_orphans_and_have_no_rate(self):
        totals = self.bell.stats("site=bob.bio&metrics=clicks,orphan_clicks,ctr")["totals"]
        self.assertEqual((totals["clicks"], totals["orphan_clicks"], totals["ctr"]), (1, 1, None))

    def test_rates_above_one_have_no_bounds(self):
        self.bell.send(*[{"type": kind, "site": "form.bio", "visitor": "z", "link": f"l{n}",
                          "user_agent": CHROME} for n, kind in enumerate(["view"] + ["click"] * 3)])
        totals = self.bell.stats("site=form.bio&metrics=ctr,ctr_unique")["totals"]
        self.assertEqual([totals[k] for k in ("ctr", "ctr_n", "ctr_lo", "ctr_hi")],
                         [3, 1, None, None])
        self.assertEqual((totals["ctr_unique"], totals["ctr_unique_hi"]), (1, 1))

    def test_who_may_ask(self):
        read = self.bell.make_token("read")
        self.assertEqual(self.bell.get("/v1/stats", token=read).status, 200)
        for scope in ("ingest", "export"):
            answer = self.bell.get("/v1/stats", token=self.bell.make_token(scope))
            self.assertEqual((answer.status, answer.json["error"]["code"]), (403, "scope"))
        answer = self.bell.get("/v1/stats", token=False)
        self.assertEqual(answer.status, 401)
        self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")

    def test_a_token_of_one_site_sees_that_site(self):
        token = self.bell.make_token("read", "--site", "alice.bio")
        for query in ("site=*&", ""):
            got = self.bell.get(f"/v1/stats?{query}metrics=conversions", token=token).json
            self.assertEqual(got["totals"], {"conversions": 2})
        for site in ("bob.bio", "nobody.bio"):
            for query in ("site=" + site, "site=alice.bio&site=" + site):
                answer = self.bell.get("/v1/stats?" + query, token=token)
                self.assertEqual((answer.status, answer.json["error"]["code"]), (403, "site"))

    def test_a_token_in_the_url_must_be_made_for_it(self):
        token = self.bell.make_token("read", "--site", "alice.bio", "--in-url")
        answer = self.bell.get("/v1/stats?site=alice.bio&metrics=views&key=" + token, token=False)
        self.assertEqual(answer.status, 200, answer)
        plain = self.bell.make_token("read", "--site", "alice.bio")
        answer = self.bell.get("/v1/stats?site=alice.bio&key=" + plain, token=False)
        self.assertEqual(answer.status, 401)
        self.assertNotIn(token, self.bell.log.read_text())

    def test_other_methods_are_refused(self):
        answer = self.bell.post("/v1/stats", {})
        self.assertEqual(answer.status, 405)
        self.assertIn("GET", answer.headers["Allow"])

    def test_the_verb_gives_the_routes_bytes(self):
        query = dict(site="alice.bio", metrics="views,value,conversions", by="traffic,name",
                     traffic="all", filter="country == null")
        words = [word for name, value in query.items() for word in ("--" + name, value)]
        query["from"], query["to"] = "2025-01-01", "2035-01-01"
        words += ["--from", query["from"], "--to", query["to"]]
        want = self.bell.get("/v1/stats?" + encode(**query, format="csv")).body
        self.assertEqual(self.bell.run("query", *words, "--format", "csv", text=False).stdout, want)
        want = self.bell.get("/v1/stats?" + encode(**query)).json
        for words_ in (["--format", "json"], ["--json"]):
            got = json.loads(self.bell.run("query", *words, *words_).stdout)
            want["meta"].pop("as_of", None)
            got["meta"].pop("as_of")
            self.assertEqual(got, want)

    def test_the_table_says_when_there_are_more_rows(self):
        words = ("--site", "live.bio", "--metrics", "views", "--by", "time:hour", "--limit", "2")
        first = self.bell.run("query", *words)
        cursor = first.stderr.strip().rsplit(" ", 1)[1]
        self.assertIn("There are more rows", first.stderr)
        second = self.bell.run("query", *words, "--cursor", cursor, "--quiet")
        self.assertEqual(second.stderr, "")
        self.assertNotEqual(first.stdout, second.stdout)

    def test_the_verb_prints_a_table(self):
        self.bell.send(
            {"type": "view", "site": "live.bio", "visitor": "a", "user_agent": CHROME,
             "city": "東京"},
            {"type": "view", "site": "live.bio", "visitor": "b", "user_agent": CHROME,
             "city": "Paris"},
            {"type": "view", "site": "live.bio", "visitor": "c", "user_agent": CHROME},
            {"type": "click", "site": "live.bio", "visitor": "b", "user_agent": CHROME,
             "city": "Paris", "link": "x"})
        out = self.bell.run("query", "--site", "live.bio", "--metrics", "views,clicks,ctr",
                            "--by", "city").stdout
        self.assertNotIn("\033", out)
        lines = out.splitlines()
        self.assertEqual(lines[0].split(), ["city", "views", "clicks", "ctr"])
        self.assertEqual(lines[-1].split(), ["total", "3", "1", "33.3%"])
        self.assertIn(["Paris", "1", "1", "100.0%"], [line.split() for line in lines])
        self.assertIn(["-", "1", "0", "0.0%"], [line.split() for line in lines])
        width = {len(line) + line.count("東") + line.count("京") for line in lines}
        self.assertEqual(len(width), 1, out)
        out = self.bell.run("query", "--site", "empty.bio", "--metrics", "views,ctr").stdout
        self.assertEqual(out.splitlines()[-1].split()[-2:], ["0", "-"])

    def test_the_verb_says_what_is_wrong(self):
        for words, code in ((["--metrics", "vues"], 1), (["--filter", "country = FR"], 1),
                            (["--nonsense"], 2), (["--format", "xml"], 2)):
            done = self.bell.run("query", *words, check=False)
            self.assertEqual(done.returncode, code, done)
            self.assertEqual(done.stdout, "")
            self.assertTrue(done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
