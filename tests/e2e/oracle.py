"""oracle.py - what the figures must be, counted plainly in Python: seeded random
histories, random questions of both dialects, and their answers.  Nothing here is fast;
everything is written down a second time, from the contract."""
import collections
import datetime
import functools
import json
import math
import random
import re
import time

import test_zone_python as zones
from test_stats import wilson
from test_v2_query import BOT, DESKTOP, MOBILE, PREVIEW

zones.FIRST = 1727740800                             # October 2024
zones.LAST = max(1798761600, int(time.time()) + 90 * 86400)
DAY_MS, HOUR_MS, HALF_MS = 86_400_000, 3_600_000, 1_800_000
GRAINS = {"15m": 900, "hour": 3600}
DAYS = {"day": zones.DAY_GRAIN, "week": zones.WEEK_GRAIN, "month": zones.MONTH_GRAIN}
SITES = {"paris.bio": "Europe/Paris", "howe.bio": "Australia/Lord_Howe",
         "nepal.bio": "Asia/Kathmandu", "johns.bio": "America/St_Johns"}
# Days at which these clocks change, both ways, and one at which a month ends.
WINDOWS = {"paris.bio": ["2025-10-26", "2026-03-29", "2025-12-31"],
           "howe.bio": ["2025-10-05", "2026-04-05", "2025-12-31"],
           "nepal.bio": ["2025-10-05", "2026-03-29", "2025-12-31"],
           "johns.bio": ["2025-11-02", "2026-03-08", "2025-12-31"]}
CONFIGURED = {"paris.bio": ["shop", "book", "old"], "howe.bio": ["shop"], "nepal.bio": [],
              "johns.bio": ["book", "late"]}
TEXTS = ["source", "channel", "referrer", "utm_source", "utm_medium", "utm_campaign", "utm_term",
         "utm_content"]
AGENTS = {DESKTOP: ("Desktop", "Chrome", "Windows", "human", None),
          MOBILE: ("Mobile", "Safari", "iOS", "human", None),
          BOT: (None, None, None, "bot", "ua"), PREVIEW: (None, None, None, "preview", "preview"),
          None: (None, None, None, "human", None)}
# What an event may come with, and what becomes of it.
ARRIVALS = {
    "nothing": ({}, ["Direct / None", "Direct"] + [None] * 6),
    "google": ({"referrer": "https://www.google.com/"},
               ["Google", "Organic Search", "google.com"] + [None] * 5),
    "instagram": ({"referrer": "https://l.instagram.com/"},
                  ["Instagram", "Organic Social", "l.instagram.com"] + [None] * 5),
    "news": ({"referrer": "https://news.example.org/a"},
             ["news.example.org", "Referral", "news.example.org/a"] + [None] * 5),
    "letter": ({"utm": {"source": "Newsletter", "medium": "email", "campaign": "Spring"}},
               ["newsletter", "Email", None, "newsletter", "email", "spring", None, None]),
    "ads": ({"referrer": "https://news.example.org/b",
             "utm": {"source": "ads", "medium": "cpc", "campaign": "x", "term": "Shoes",
                     "content": "A"}},
            ["ads", "Paid Other", "news.example.org/b", "ads", "cpc", "x", "Shoes", "A"])}


@functools.lru_cache(maxsize=None)
def zone(name):
    return zones.Zone(name)


def day_number(text):
    return (datetime.date.fromisoformat(text) - datetime.date(1970, 1, 1)).days


def date_of(day):
    return datetime.date(1970, 1, 1) + datetime.timedelta(days=day)


def instant_text(ms_, name):
    """RFC 3339 with the zone's offset, to the second."""
    at = datetime.datetime.fromtimestamp(ms_ // 1000, zone(name).info)
    return at.isoformat()


def bucket_start(name, grain, ms_):
    """Start of the bucket that holds an instant, in seconds."""
    there = zone(name)
    if grain in GRAINS:
        return there.clock_bucket(ms_ // 1000, GRAINS[grain])[0]
    return there.day_bucket(ms_ // 1000, DAYS[grain])[0]


def bucket_end(name, grain, ms_):
    there = zone(name)
    if grain in GRAINS:
        return there.clock_bucket(ms_ // 1000, GRAINS[grain])[1]
    return there.day_bucket(ms_ // 1000, DAYS[grain])[1]


def buckets(name, grain, first, end):
    """Starts of all buckets of a range, in seconds."""
    out, at = [], bucket_start(name, grain, first)
    while at * 1000 < end:
        out.append(at)
        at = bucket_end(name, grain, at * 1000)
    return out


# --- a history -----------------------------------------------------------------------


class History:
    """Events in log order, and what is decided about each."""
    windows = WINDOWS
    long = (["2025-10-01", "2025-10-05", "2025-12-31"], ["2026-04-10", "2026-01-31", "2026-03-29"])

    def __init__(self, rng, period, count):
        self.period, self.rows = period, []
        self.lifetimes = {site: {} for site in SITES}
        for site in SITES:
            for slug in CONFIGURED[site]:
                day = day_number(rng.choice(self.windows[site])) * DAY_MS
                begin = day + rng.randrange(DAY_MS) if slug != "shop" else 0
                end = begin + rng.randrange(60 * DAY_MS) if slug == "old" else None
                self.lifetimes[site][slug] = (begin, end)
        self.first = self.make(rng, count)
        self.late = self.make(rng, count // 6)       # imported afterwards
        self.decide(self.first, "first")

    def make(self, rng, count):
        events = []
        for _ in range(count):
            site = rng.choice(list(SITES))
            ts = self.make_time(rng, site)
            who = f"v{rng.randrange(25)}" if rng.random() < 0.93 else None
            for step in range(rng.choice([1, 1, 2, 4])):
                events.append(self.event(rng, site, ts, who, step))
                ts += rng.choice([0, 1, 4_000, 9_999, 10_000, 60_000, HALF_MS, HALF_MS + 1,
                                  rng.randrange(HOUR_MS)])
        # Nearly in order, as files are.
        order = [(event["ts"] + rng.choice([0, 0, 0, rng.randrange(HOUR_MS)]), i)
                 for i, event in enumerate(events)]
        return [events[i] for _, i in sorted(order)]

    def make_time(self, rng, site):
        day = day_number(rng.choice(self.windows[site])) + rng.randrange(-1, 2)
        begin = zone(SITES[site]).day_start(day) * 1000
        hour = rng.choice([0, 1, 2, 3, 9, 23, 23])
        return begin + hour * HOUR_MS + rng.choice([rng.randrange(HOUR_MS), 0, HALF_MS - 1])

    def event(self, rng, site, ts, who, step):
        kind = rng.choice(["view", "view", "view", "click", "click", "lead", "conversion"])
        arrival = rng.choice(list(ARRIVALS) if step == 0 else ["nothing"] * 9 + list(ARRIVALS))
        event = {"site": site, "ts": ts, "type": kind, "arrival": arrival, "visitor": who,
                 "page": rng.choice(["/", "/about", "/shop/a", "/shop/b"]),
                 "host": rng.choice([site, "www.example.org"]),
                 "country": rng.choice(["FR", "GB", "US", None]), "city": rng.choice(["Lyon", None]),
                 "user_agent": rng.choice([DESKTOP] * 6 + [MOBILE] * 6 + [BOT, PREVIEW, None]),
                 "plan": rng.choice(["pro", "free", "a b", None, None]), "link": None, "name": None,
                 "value": None}
        if kind == "click" or rng.random() < 0.05:
            event["link"] = rng.choice(["shop", "book", "old", "late", "other", None])
        if kind in ("lead", "conversion") and rng.random() < 0.7:
            event["name"] = rng.choice(["Booking", "Purchase", "Form"])
        if kind != "view" and rng.random() < 0.2:
            event["value"] = (rng.choice([1, 250, 1999, 100000]),
                              "EUR" if site != "johns.bio" or rng.random() < 0.8 else "USD")
        return event

    def lines(self, events, prefix):
        for number, event in enumerate(events):
            out = {"id": f"{prefix}{number}", "site": event["site"], "type": event["type"],
                   "ts": event["ts"], "url": f"https://{event['host']}{event['page']}",
                   **ARRIVALS[event["arrival"]][0]}
            for key in ("visitor", "country", "city", "user_agent", "link", "name"):
                if event[key] is not None:
                    out[key] = event[key]
            if event["plan"] is not None:
                out["props"] = {"plan": event["plan"]}
            if event["value"] is not None:
                out["value"] = {"amount": event["value"][0] / 100, "currency": event["value"][1]}
            yield json.dumps(out) + "\n"

    def period_of(self, site, ts):
        day = zone(SITES[site]).local_day(ts // 1000)
        date = date_of(day)
        return day - (date.weekday() if self.period == "week" else
                      date.day - 1 if self.period == "month" else 0)

    def decide(self, events, which, received=None):
        """Inheritance, visits, double taps and orphans, in log order; an import has a
        memory, and visitors, of its own.  An imported event is received at its ts."""
        pairs, count = {}, 0
        for event in events:
            device, browser, os_, traffic, reason = AGENTS[event["user_agent"]]
            row = {key: event[key] for key in ("site", "ts", "type", "page", "host", "country",
                                               "city", "link", "name", "value")}
            row.update(device=device, browser=browser, os=os_, traffic=traffic, reason=reason,
                       region=None, click_id=None, qr=False, person=None, visit=None,
                       tap=False, orphan=False)
            row["prop:plan"] = event["plan"]
            row.update(zip(TEXTS, ARRIVALS[event["arrival"]][1]))
            if event["visitor"] is not None:
                row["day"] = self.period_of(event["site"], event["ts"])
                row["person"] = (which, event["site"], row["day"], event["visitor"])
                pair = pairs.setdefault((row["person"], traffic == "human"), {})
                count = self.decide_one(row, event["arrival"], pair, count, received)
            self.rows.append(row)

    def decide_one(self, row, arrival, pair, count, received):
        ts, got = row["ts"], row["ts"] if received is None else received

        def recent(then):
            return got - then <= HALF_MS
        known = bool(pair) and recent(pair["got"])
        if not known:
            pair["view"], pair["taps"] = None, {}
        near = known and recent(pair["last_got"]) and abs(pair["last"] - ts) <= HALF_MS
        if row["type"] == "click":
            view = pair["view"]
            row["orphan"] = not (view and recent(view[1]) and 0 <= ts - view[0] <= HALF_MS)
            tap = pair["taps"].get(row["link"])
            row["tap"] = bool(tap and recent(tap[1]) and abs(tap[0] - ts) < 10_000)
        own = arrival != "nothing"
        again = (arrival in ("google", "instagram", "news") and near
                 and pair["texts"][2] == row["referrer"])
        starts = not near
        if near and row["traffic"] == "human" and (not own or again):
            row.update(zip(TEXTS, pair["texts"]))
        elif near:
            starts = [pair["texts"][i] for i in (0, 3, 4, 5, 6, 7)] != \
                     [row[TEXTS[i]] for i in (0, 3, 4, 5, 6, 7)]
        count += starts
        pair["visit"] = count if starts else pair["visit"]
        row["visit"] = pair["visit"]
        if row["type"] == "view":
            view = pair["view"]
            if not view or not recent(view[1]) or ts >= view[0]:
                pair["view"] = (ts, got)
        if row["type"] == "click" and not row["tap"]:
            tap = pair["taps"].get(row["link"])
            if not tap or ts >= tap[0] or not recent(tap[1]):
                pair["taps"][row["link"]] = (ts, got)
        if not known or ts >= pair["last"] or not recent(pair["last_got"]):
            pair["last"], pair["last_got"] = ts, got
            pair["texts"] = [row[name] for name in TEXTS]
        pair["got"] = got
        return count

    def visits(self):
        """Events of each visit: (which import, number within) is its name."""
        out = collections.defaultdict(list)
        for row in self.rows:
            if row["person"]:
                out[(row["person"][0], row["visit"])].append(row)
        return out


class Live(History):
    """Events of the last three days, sent as they are: nobody waits between them."""

    def __init__(self, rng, period, count):
        self.now = int(time.time() * 1000)
        today = datetime.date.fromtimestamp(self.now / 1000)
        days = [(today - datetime.timedelta(days=n)).isoformat() for n in range(3)]
        self.windows = {site: days for site in SITES}
        self.long = ([(today - datetime.timedelta(days=9)).isoformat()], days)
        super().__init__(rng, period, count)

    def make_time(self, rng, site):
        return self.now - 5 * HOUR_MS - rng.randrange(65 * HOUR_MS)

    def decide(self, events, which, received=None):
        super().decide(events, which, self.now)


class Part:
    """The first events of a history."""

    def __init__(self, history, count):
        self.rows, self.lifetimes = history.rows[:count], history.lifetimes
        self.windows, self.long = history.windows, history.long

    visits = History.visits


# --- GET /v1/stats -------------------------------------------------------------------

OF_CLICK = {"link", "type", "name", "qr"}
DIMENSIONS = ["link", "page", "host", "source", "channel", "referrer", "utm_source", "utm_medium",
              "utm_campaign", "utm_term", "utm_content", "country", "region", "city", "device",
              "browser", "os", "type", "name", "traffic", "reason", "click_id", "qr", "site",
              "prop:plan"]
METRICS = ["views", "clicks_raw", "clicks", "clickers", "leads", "conversions", "visitors", "visits",
           "orphan_clicks", "ctr", "ctr_unique", "link_ctr", "lead_rate", "value"]
RATES = {"ctr", "ctr_unique", "link_ctr", "lead_rate"}
TRAFFIC = {name: [name] for name in ("human", "bot", "preview", "prefetch")}
TRAFFIC["all"] = list(TRAFFIC)


def text_of(row, name):
    value = row[name]
    return ("true" if value else "false") if name == "qr" else value


def make_filter(rng, rows, depth=2):
    """A random filter as a tree: (word, ...)."""
    if depth == 0 or rng.random() < 0.5:
        name = rng.choice(DIMENSIONS)
        values = [text_of(rng.choice(rows), name) for _ in range(rng.choice([1, 1, 2, 3]))]
        op = rng.choice(["==", "==", "!=", "~", "!~"])
        if "~" in op:
            values = [v if v is None or len(v) < 3 else v[1:-1] for v in values]
        return op, name, values
    word = rng.choice(["and", "or", "not"])
    if word == "not":
        return word, make_filter(rng, rows, depth - 1)
    return word, *(make_filter(rng, rows, depth - 1) for _ in range(rng.choice([2, 3])))


def filter_text(node):
    if node[0] == "not":
        return f"not ({filter_text(node[1])})"
    if node[0] in ("and", "or"):
        return "(" + f" {node[0]} ".join(map(filter_text, node[1:])) + ")"
    op, name, values = node
    words = ["null" if v is None else json.dumps(v) for v in values]
    return f"{name} {op} " + (words[0] if len(words) == 1 else f"[{', '.join(words)}]")


def ask_filter(node, row, view_side=False, slug=None):
    """True, False, or None: left out, as are clauses on what a view has not."""
    if node is None:
        return True
    if node[0] == "not":
        got = ask_filter(node[1], row, view_side, slug)
        return None if got is None else not got
    if node[0] in ("and", "or"):
        parts = [ask_filter(child, row, view_side, slug) for child in node[1:]]
        parts = [part for part in parts if part is not None]
        return None if not parts else (all if node[0] == "and" else any)(parts)
    op, name, values = node
    value = text_of(row, name)
    if view_side and name in OF_CLICK:
        if name != "link" or slug is None:
            return None
        value = slug
    if name in ("utm_source", "utm_medium", "utm_campaign"):
        values = [v and v.lower() for v in values]
    found = any(v is None if value is None else
                v is not None and (v in value if "~" in op else v == value) for v in values)
    return found != op.startswith("!")


class Group:
    """Events of a row, and the views that stand beside them."""

    def __init__(self):
        self.rows, self.views, self.exposed = [], [], None

    def figures(self):
        clicks = [r for r in self.rows if r["type"] == "click"]
        first = {}
        for row in self.views:
            if row["person"]:
                first[row["person"]] = min(first.get(row["person"], row["ts"]), row["ts"])
        people = [r for r in clicks if r["person"]]
        after = {r["person"] for r in people if r["ts"] >= first.get(r["person"], math.inf)}
        out = {"views": len(self.views), "clicks_raw": len(clicks),
               "clicks": sum(not r["tap"] for r in clicks),
               "clickers": len({r["person"] for r in people}),
               "visitors": len({r["person"] for r in self.rows if r["person"]}),
               "visits": len({(r["person"][0], r["visit"]) for r in self.rows if r["person"]}),
               "orphan_clicks": sum(r["orphan"] for r in clicks)}
        for kind in ("lead", "conversion"):
            out[kind + "s"] = sum(r["type"] == kind for r in self.rows)
        views = len(self.views)
        exposed = views if self.exposed is None else self.exposed
        out["parts"] = {"ctr": (out["clicks"], views), "ctr_unique": (len(after), len(first)),
                        "link_ctr": (out["clicks"], exposed), "lead_rate": (out["leads"], views)}
        amounts = [r["value"] for r in self.rows if r["value"]]
        coins = {currency for _, currency in amounts}
        out["value_currency"] = coins.pop() if len(coins) == 1 else None
        out["value"] = (sum(a for a, _ in amounts) / 100 if out["value_currency"] else None)
        for name, (hits, n) in out["parts"].items():
            out[name] = hits / n if n else None
        return out


def digits(value, count):
    return None if value is None else float(f"{value:.{count}f}")


def shown(figures, metrics, before=None):
    """As the answer writes them."""
    out = {}
    for metric in metrics:
        value = figures[metric]
        if metric in RATES:
            hits, n = figures["parts"][metric]
            low, high = wilson(hits, n) if n and hits <= n else (None, None)
            out[metric], out[metric + "_n"] = digits(value, 4), n
            out[metric + "_lo"], out[metric + "_hi"] = digits(low, 4), digits(high, 4)
            out[metric + "_low_n"] = n < 30
        else:
            out[metric] = digits(value, 2) if metric == "value" else value
        if metric == "value":
            out["value_currency"] = figures["value_currency"]
        if before is not None:
            out[metric + "_prev"] = digits(before[metric], 4 if metric in RATES else 2)
            if metric == "value":
                out["value_currency_prev"] = before["value_currency"]
    return out


class Question:
    """A random question of GET /v1/stats."""

    def __init__(self, rng, history):
        self.history = history
        self.sites = rng.choice([[s] for s in SITES] * 3 + [list(SITES), ["paris.bio", "howe.bio"]])
        names = {SITES[site] for site in self.sites}
        self.tz = rng.choice([None, None, None] + sorted(SITES.values()) + ["UTC"])
        self.zone = self.tz or (names.pop() if len(names) == 1 else "UTC")
        self.metrics = rng.sample(METRICS, rng.choice([1, 2, 3, 5]))
        self.by = self.make_dimensions(rng)
        self.filter = make_filter(rng, history.rows) if rng.random() < 0.5 else None
        self.traffic = rng.choice(["human"] * 6 + ["bot", "preview", "all", "all"])
        self.make_range(rng)
        self.compare = rng.choice([None, None, None, "previous", "year"])
        self.order = rng.choice([None, None, rng.choice(self.metrics + self.by)])
        self.direction = rng.choice(["asc", "desc"])

    def make_dimensions(self, rng):
        by = rng.sample(DIMENSIONS, rng.choice([0, 0, 1, 1, 1, 2, 3]))
        if rng.random() < 0.35:
            grain = rng.choice(["15m", "hour", "day", "day", "week", "month"])
            by.insert(rng.choice([0, len(by)]), "time:" + grain)
        return by

    def is_fine(self):
        return any(name in ("time:15m", "time:hour") for name in self.by)

    def make_range(self, rng):
        window = day_number(rng.choice(self.history.windows[self.sites[0]]))
        first, last = window + rng.randrange(-3, 2), window + rng.randrange(2, 5)
        if rng.random() < 0.4 and not self.is_fine():
            first, last = (day_number(rng.choice(days)) for days in self.history.long)
        if not self.is_fine() and not isinstance(self.history, Live) and rng.random() < 0.1:
            first = None
        self.days = (first, last)
        there = zone(self.zone)
        self.end = there.day_start(last + 1) * 1000
        if first is None:
            rows = [r["ts"] for r in self.history.rows if r["site"] in self.sites]
            first = there.local_day(min(rows) // 900_000 * 900)
        self.begin = there.day_start(first) * 1000
        self.first, self.last = first, last
        if self.days[0] is not None and rng.random() < 0.4:
            self.days = None
            self.begin += rng.choice([0, 1, HOUR_MS, rng.randrange(3 * HOUR_MS)])
            self.end -= rng.choice([0, HALF_MS, rng.randrange(3 * HOUR_MS)])

    def parameters(self):
        def instant(ms_):
            return (datetime.datetime.fromtimestamp(ms_ // 1000, datetime.timezone.utc)
                    .strftime("%Y-%m-%dT%H:%M:%S") + f".{ms_ % 1000:03d}Z")
        out = {"site": self.sites if len(self.sites) < 4 else "*", "limit": 10000,
               "metrics": ",".join(self.metrics), "traffic": self.traffic}
        if self.days is None:
            out["from"], out["to"] = instant(self.begin), instant(self.end)
        else:
            if self.days[0] is not None:
                out["from"] = date_of(self.days[0]).isoformat()
            out["to"] = date_of(self.days[1]).isoformat()
        for name, value in (("by", ",".join(self.by)), ("tz", self.tz), ("compare", self.compare),
                            ("filter", self.filter and filter_text(self.filter)),
                            ("order", self.order and f"{self.order}:{self.direction}")):
            if value:
                out[name] = value
        return out

    def key(self, row, names):
        return tuple(bucket_start(self.zone, name[5:], row["ts"]) if name.startswith("time:")
                     else text_of(row, name) for name in names)

    def groups(self, begin, end):
        """Totals, and groups by the values of the dimensions."""
        total, groups = Group(), collections.defaultdict(Group)
        split = [name for name in self.by if name not in OF_CLICK]
        is_bare = bool({"link", "name", "qr"} & set(self.by))
        beside = collections.defaultdict(list)
        for row in self.history.rows:
            if not (row["site"] in self.sites and begin <= row["ts"] < end
                    and row["traffic"] in TRAFFIC[self.traffic]):
                continue
            is_view = row["type"] == "view"
            if is_view and ask_filter(self.filter, row, True) is not False:
                total.views.append(row)
                beside[self.key(row, split)].append(row)
            if ask_filter(self.filter, row) is False:
                continue
            total.rows.append(row)
            if not (is_view and is_bare):
                groups[self.key(row, self.by)].rows.append(row)
        for values, group in groups.items():
            group.views = beside[tuple(v for v, n in zip(values, self.by) if n not in OF_CLICK)]
            group.exposed = self.exposed(group.views, dict(zip(self.by, values)))
        total.exposed = self.exposed(total.views, {})

        def absent(values):
            """A row without an event of its own has the views beside it all the same."""
            group = Group()
            group.views = beside[tuple(v for v, n in zip(values, self.by) if n not in OF_CLICK)] \
                if self.is_split() else []
            group.exposed = self.exposed(group.views, dict(zip(self.by, values)))
            return group.figures()
        return total, groups, absent

    def is_split(self):
        def names(node):
            if node is None:
                return set()
            if node[0] in ("and", "or", "not"):
                return set().union(*map(names, node[1:]))
            return {node[1]}
        return bool(OF_CLICK & (set(self.by) | names(self.filter)))

    def exposed(self, views, values):
        """Views at which the row's link was there."""
        lives = self.history.lifetimes

        def there(row, slug):
            begin, end = lives[row["site"]][slug]
            return begin <= row["ts"] and (end is None or row["ts"] < end)
        if "link" in values:
            slug = values["link"]
            if slug is None:
                return 0
            if not any(slug in lives[site] for site in self.sites):
                return len(views)
            return sum(slug in lives[r["site"]] and there(r, slug) for r in views)
        count = 0
        for row in views:
            links = [slug for slug in lives[row["site"]]
                     if ask_filter(self.filter, row, True, slug) is not False]
            count += not links or any(there(row, slug) for slug in links)
        return count

    def range_before(self):
        there = zone(self.zone)
        if self.compare == "previous":
            if self.days is None:
                return self.begin - (self.end - self.begin), self.begin
            length = self.last - self.first + 1
            return there.day_start(self.first - length) * 1000, self.begin

        def year_before(day):
            date = date_of(day)
            return (date.replace(year=date.year - 1) - datetime.date(1970, 1, 1)).days
        if self.days is not None:
            return (there.day_start(year_before(self.first)) * 1000,
                    there.day_start(year_before(self.last) + 1) * 1000)

        def moved(ms_):
            day = there.local_day(ms_ // 1000)
            past = ms_ + there.offset(ms_ // 1000) * 1000 - day * DAY_MS
            local = year_before(day) * DAY_MS + past
            # The first instant that the clock calls so; in an hour that is skipped what
            # the clock before it would have called so.
            found = [local - offset * 1000 for offset in {there.offset(local // 1000 + shift)
                                                          for shift in (-86400, 86400)}
                     if there.offset((local - offset * 1000) // 1000) == offset]
            return min(found) if found else local - there.offset(local // 1000 - 86400) * 1000
        return moved(self.begin), moved(self.end)

    def sort_key(self, item):
        values, figures = item

        def least_first(value):
            return (0,) if value is None else (1, value.encode() if isinstance(value, str)
                                               else value)

        def turned(value, is_descending):
            first = least_first(value)
            if not is_descending:
                return Turned(first, False)
            return Turned(first, True)
        keys = []
        by_name = dict(zip(self.by, values))
        if self.order:
            value = by_name[self.order] if self.order in by_name else figures[self.order]
            keys.append(turned(value, self.direction == "desc"))
        else:
            if self.by and self.by[0].startswith("time:"):
                keys.append(turned(values[0], False))
            keys.append(turned(figures[self.metrics[0]], True))
        return keys + [turned(value, False) for value in values]

    def answer(self):
        total, groups, absent = self.groups(self.begin, self.end)
        figures = {values: group.figures() for values, group in groups.items()}
        old_total, old, places = None, {}, {}
        if self.compare:
            begin, end = self.range_before()
            before, old_groups, old_absent = self.groups(begin, end)
            old_total = before.figures()
            old = {values: group.figures() for values, group in old_groups.items()}
        time_ = next((name[5:] for name in self.by if name.startswith("time:")), None)
        if time_:
            starts = buckets(self.zone, time_, self.begin, self.end)
            if len(self.by) == 1:
                for start in starts:
                    figures.setdefault((start,), absent((start,)))
            if self.compare:
                earlier = buckets(self.zone, time_, begin, end)
                places = dict(zip(starts, earlier))

        def counterpart(values):
            return tuple(places.get(v, "nowhere") if n.startswith("time:") else v
                         for v, n in zip(values, self.by))
        rows = []
        for values, own in sorted(figures.items(), key=self.sort_key):
            row = {}
            for value, name in zip(values, self.by):
                if name.startswith("time:"):
                    row["time"] = instant_text(value * 1000, self.zone)
                else:
                    row[name] = value == "true" if name == "qr" else value
            then = None
            if self.compare:
                place = counterpart(values)
                then = Group().figures() if "nowhere" in place else \
                    old.get(place) or old_absent(place)
            row.update(shown(own, self.metrics, then))
            rows.append(row)
        totals = shown(total.figures(), self.metrics, old_total)
        return rows if self.by else [totals], totals


@functools.total_ordering
class Turned:
    def __init__(self, value, is_descending):
        self.value, self.is_descending = value, is_descending

    def __eq__(self, other):
        return self.value == other.value

    def __lt__(self, other):
        return other.value < self.value if self.is_descending else self.value < other.value


# --- POST /api/v2/query --------------------------------------------------------------

SHOWN = {"event:page": ("page", "/"), "event:hostname": ("host", "(none)"),
         "event:link": ("link", None), "visit:source": ("source", "Direct / None"),
         "visit:channel": ("channel", "Direct"), "visit:referrer": ("referrer", "Direct / None"),
         "visit:utm_source": ("utm_source", "(not set)"),
         "visit:utm_medium": ("utm_medium", "(not set)"),
         "visit:utm_campaign": ("utm_campaign", "(not set)"),
         "visit:utm_term": ("utm_term", "(not set)"),
         "visit:utm_content": ("utm_content", "(not set)"),
         "visit:country": ("country", "(not set)"), "visit:city": ("city", "(not set)"),
         "visit:device": ("device", "(not set)"), "visit:browser": ("browser", "(not set)"),
         "visit:os": ("os", "(not set)"), "event:props:plan": ("prop:plan", "(none)"),
         "event:type": ("type", None), "event:bot": ("traffic", None),
         "event:bot_reason": ("reason", None)}
VISIT_PAGES = {"visit:entry_page": (min, "page"), "visit:exit_page": (max, "page"),
               "visit:entry_page_hostname": (min, "host"),
               "visit:exit_page_hostname": (max, "host")}
V2_DIMENSIONS = list(SHOWN) + list(VISIT_PAGES) + ["event:name", "event:goal",
                                                   "visit:country_name"]
COUNTRIES = {"FR": "France", "GB": "United Kingdom", "US": "United States"}
V2_OF_CLICK = {"event:link", "event:goal", "event:type", "event:name"}
V2_METRICS = ["visitors", "visits", "pageviews", "events", "bounce_rate", "visit_duration",
              "percentage", "clicks", "leads", "conversions", "clicks_raw", "orphan_clicks",
              "clickers", "ctr", "visitor_ctr", "lead_rate", "value", "total_revenue",
              "average_revenue"]
DEFAULT_NAMES = {"view": "pageview", "click": "Outbound Link: Click", "lead": "Lead",
                 "conversion": "Conversion"}


class V2Question:
    """A random question of POST /api/v2/query."""

    def __init__(self, rng, history):
        self.history, self.visits = history, history.visits()
        self.site = rng.choice(list(SITES))
        self.zone = SITES[self.site]
        self.by = rng.sample(V2_DIMENSIONS, rng.choice([0, 1, 1, 2]))
        if rng.random() < 0.35:
            self.by.insert(0, rng.choice(["time:15m", "time:hour", "time:day", "time:week",
                                          "time:month", "time"]))
        self.filters = [self.make_filter(rng, 2, True) for _ in range(rng.choice([0, 0, 1, 2]))]
        self.metrics = self.make_metrics(rng)
        self.order = [[name, rng.choice(["asc", "desc"])]
                      for name in rng.sample(self.metrics + self.by, rng.choice([0, 0, 1, 1]))]
        self.page = rng.choice([None, None, (rng.randrange(1, 5), rng.randrange(4))])
        window = day_number(rng.choice(history.windows[self.site]))
        self.first, self.last = window + rng.randrange(-2, 2), window + rng.randrange(2, 4)
        if rng.random() < 0.3:
            self.first, self.last = (day_number(days[0]) for days in history.long)
        there = zone(self.zone)
        self.begin = there.day_start(self.first) * 1000
        self.end = there.day_start(self.last + 1) * 1000
        self.range = [date_of(self.first).isoformat(), date_of(self.last).isoformat()]
        if rng.random() < 0.4:
            self.begin += rng.randrange(20 * 3600) * 1000
            self.end -= rng.randrange(20 * 3600) * 1000
            self.range = [instant_text(self.begin, self.zone),
                          instant_text(self.end - 1000, self.zone)]

    def make_metrics(self, rng):
        pool = list(V2_METRICS)
        if any(name.startswith("event:") and name not in ("event:page", "event:hostname")
               for name in self.by):
            pool = [m for m in pool if m not in ("bounce_rate", "visit_duration")]
        if "event:goal" in self.by or any(f[1] == "event:goal" for f in self.filters):
            pool += ["conversion_rate", "group_conversion_rate"]
        if "event:link" in self.by or any('"event:link"' in json.dumps(f) for f in self.filters
                                          if not f[0].startswith("has_")):
            pool += ["link_ctr"] * 4
            return list(dict.fromkeys(rng.sample(pool, 4)))
        return rng.sample(pool, rng.choice([1, 2, 4, 6]))

    def make_filter(self, rng, depth, is_top):
        if is_top and rng.random() < 0.15:
            return [rng.choice(["has_done", "has_not_done"]), self.make_filter(rng, 0, False)]
        if is_top and rng.random() < 0.15:
            return ["is", "event:goal", rng.sample(["Booking", "Outbound Link: Click", "Purchase",
                                                    "Visit /shop/*", "Lead"], 2)]
        if depth == 0 or rng.random() < 0.6:
            name = rng.choice([n for n in V2_DIMENSIONS if n not in ("event:goal", "event:hostname",
                                                                     "event:bot")])
            values = [v for v in (self.value(rng.choice(self.history.rows), name)
                                  for _ in range(rng.choice([1, 1, 2]))) if v] or ["x"]
            op = rng.choice(["is", "is", "is_not", "contains", "contains_not", "matches"])
            if name == "visit:country" and op == "is_not":
                op = "is"
            if op.startswith("contains"):
                values = [v if len(v) < 3 else v[1:-1] for v in values]
            elif op.startswith("matches"):
                values = ["^" + re.escape(v[:3]).replace("\\ ", " ") + ".*$" for v in values]
            more = [{"case_sensitive": False}] if op != "matches" and rng.random() < 0.2 else []
            if more and name != "visit:country":
                values = [v.swapcase() for v in values]
            return [op, name, values] + more
        word = rng.choice(["and", "or", "not"])
        if word == "not":
            return [word, self.make_filter(rng, depth - 1, False)]
        return [word, [self.make_filter(rng, depth - 1, False) for _ in range(2)]]

    def body(self):
        out = {"site_id": self.site, "metrics": self.metrics, "date_range": self.range,
               "dimensions": self.by, "filters": self.filters}
        if self.order:
            out["order_by"] = self.order
        if self.page:
            out["pagination"] = {"limit": self.page[0], "offset": self.page[1]}
        return out

    def whole(self, row):
        return self.visits.get((row["person"][0], row["visit"])) if row["person"] else None

    def value(self, row, name):
        if name in SHOWN:
            field, empty = SHOWN[name]
            return empty if row[field] is None else row[field]
        if name in ("event:name", "event:goal"):
            if row["type"] == "view":
                return "pageview" if name == "event:name" else self.page_goal(row)
            return row["name"] or DEFAULT_NAMES[row["type"]]
        if name == "visit:country_name":
            return COUNTRIES.get(row["country"], "(not set)")
        views = [r for r in self.whole(row) or [] if r["type"] == "view"]
        if not views:
            return "(not set)"
        end, field = VISIT_PAGES[name]
        # Of several at one time the first is the first, the last the last.
        return end(enumerate(views), key=lambda pair: (pair[1]["ts"], pair[0]))[1][field]

    def page_goal(self, row):
        for node in self.__dict__.get("filters", []):
            if node[:2] == ["is", "event:goal"]:
                for goal in node[2]:
                    if self.reaches(goal, row):
                        return goal
        return None

    def reaches(self, goal, row):
        return (row["type"] == "view" and goal.startswith("Visit /") and
                re.fullmatch(re.escape(goal[6:]).replace("\\*", ".*"), row["page"]) is not None)

    def ask(self, node, row, side, slug=None):
        """side: all, view (nothing that a view has not), goalless."""
        op = node[0]
        if op == "not":
            got = self.ask(node[1], row, side, slug)
            return None if got is None else not got
        if op in ("and", "or"):
            parts = [self.ask(child, row, side, slug) for child in node[1]]
            parts = [part for part in parts if part is not None]
            return None if not parts else (all if op == "and" else any)(parts)
        if op in ("has_done", "has_not_done"):
            done = any(self.begin <= r["ts"] < self.end and self.ask(node[1], r, "all")
                       for r in self.whole(row) or [])
            return done == (op == "has_done")
        name, clauses = node[1], node[2]
        of_link = slug is not None and name == "event:link"
        if (side == "view" and name in V2_OF_CLICK and not of_link) or \
                (side == "goalless" and name == "event:goal"):
            return None
        value = slug if of_link else self.value(row, name)
        if name == "event:goal":
            value = None if row["type"] == "view" else value
            return value in clauses or any(self.reaches(goal, row) for goal in clauses)
        fold = len(node) > 3 or name in ("visit:utm_source", "visit:utm_medium",
                                         "visit:utm_campaign")
        if value is not None and len(node) > 3:
            value = value.lower()
        if fold and not op.startswith("matches"):
            clauses = [clause.lower() for clause in clauses]
        found = value is not None and any(
            clause == value if op.startswith("is") else clause in value
            if op.startswith("contains") else re.search(clause, value, re.I if fold else 0)
            for clause in clauses)
        return found != op.endswith("_not")

    def grain(self, name):
        if name != "time":
            return name[5:]
        length = self.end - self.begin - HOUR_MS
        return ("hour" if length <= 48 * HOUR_MS else "day" if length <= 40 * DAY_MS
                else "week" if length <= 364 * DAY_MS else "month")

    def label(self, name, row):
        grain = self.grain(name)
        start = bucket_start(self.zone, grain, row["ts"])
        if grain in GRAINS:
            return instant_text(start * 1000, self.zone)[:19].replace("T", " ")
        day = zone(self.zone).local_day(row["ts"] // 1000)
        date = date_of(day)
        first = (day if grain == "day" else day - date.weekday() if grain == "week"
                 else day - date.day + 1)
        if grain == "week":
            first = max(first, zone(self.zone).local_day(self.begin // 1000))
        return date_of(first).isoformat()

    def key(self, row, without=()):
        values = []
        for name in self.by:
            if name in without:
                values.append("")
                continue
            value = self.label(name, row) if name.startswith("time") else self.value(row, name)
            if value is None:
                return None
            values.append(value)
        return tuple(values)

    def answer(self):
        total, groups = Group(), collections.defaultdict(Group)
        beside, goalless = collections.defaultdict(list), collections.defaultdict(list)
        everyone = []
        for row in self.history.rows:
            if not (row["site"] == self.site and self.begin <= row["ts"] < self.end
                    and row["traffic"] == "human"):
                continue

            def kept(side):
                return all(self.ask(node, row, side) is not False for node in self.filters)
            if row["type"] == "view" and kept("view"):
                total.views.append(row)
                beside[self.key(row, V2_OF_CLICK)].append(row)
            if kept("goalless"):
                everyone.append(row)
                goalless[self.key(row, {"event:goal"})].append(row)
            if kept("all"):
                total.rows.append(row)
                if self.key(row) is not None:
                    groups[self.key(row)].rows.append(row)
        if not self.by:
            groups = {(): total}
        self.everyone = self.people(everyone)
        self.all_people = self.people(total.rows)
        rows = []
        for values, group in groups.items():
            if self.by:
                group.views = beside[self.cut(values, V2_OF_CLICK)]
            group.exposed = self.exposed(group.views, dict(zip(self.by, values)))
            near = self.people(goalless[self.cut(values, {"event:goal"})]) if self.by \
                else self.everyone
            figures = [self.figure(metric, group, near) for metric in self.metrics]
            rows.append((values, figures))
        is_timed = bool(self.by) and self.by[0].startswith("time")
        order = self.order or ([[self.by[0], "asc"]] if is_timed else []) + [
            [self.metrics[0], "desc"]]

        def place(item):
            keys = []
            for name, direction in order:
                if name in self.metrics:
                    value = item[1][self.metrics.index(name)][0]
                    key = (0,) if value is None else (1, value)
                else:
                    key = item[0][self.by.index(name)].encode()
                keys.append(Turned(key, direction == "desc"))
            return keys + [Turned(value.encode(), False) for value in item[0]]
        rows.sort(key=place)
        limit, offset = self.page or (10000, 0)
        return [{"metrics": [self.shown(*figure) for figure in figures],
                 "dimensions": list(values)} for values, figures in rows[offset:offset + limit]]

    def exposed(self, views, values):
        """Views at which the row's link was there, or any that the filters let through."""
        lives = self.history.lifetimes[self.site]

        def there(row, slug):
            begin, end = lives[slug]
            return begin <= row["ts"] and (end is None or row["ts"] < end)
        if "event:link" in values:
            slug = values["event:link"]
            return len(views) if slug not in lives else sum(there(r, slug) for r in views)
        count = 0
        for row in views:
            links = [slug for slug in lives
                     if all(self.ask(node, row, "view", slug) is not False
                            for node in self.filters)]
            count += not links or any(there(row, slug) for slug in links)
        return count

    def money(self, rows, is_average):
        amounts = [row["value"] for row in rows if row["value"]]
        coins = {currency for _, currency in amounts}
        if len(coins) != 1:
            return None, 2
        total = sum(amount for amount, _ in amounts) / (len(amounts) if is_average else 1)
        return total / 100, 2

    def cut(self, values, without):
        return tuple("" if name in without else value for value, name in zip(values, self.by))

    def people(self, rows):
        return len({row["person"] for row in rows if row["person"]})

    def shown(self, value, places):
        if value is None:
            return None
        if places == 0:
            return math.floor(value + 0.5)
        return float(f"{value:.{places}f}")

    def figure(self, metric, group, near):
        """A value and how many places it is shown with."""
        if not hasattr(group, "known"):
            group.known = group.figures()
        own = group.known
        names = {"pageviews": "views", "visitor_ctr": "ctr_unique"}
        if metric in ("value", "total_revenue", "average_revenue"):
            return self.money([r for r in group.rows if metric == "value" or r["type"] != "view"],
                              metric == "average_revenue")
        if metric in ("ctr", "visitor_ctr", "lead_rate", "link_ctr"):
            return own[names.get(metric, metric)], 4
        if metric == "pageviews":
            return sum(row["type"] == "view" for row in group.rows), 0
        if metric == "events":
            return len(group.rows), 0
        visitors = own["visitors"]
        if metric == "percentage":
            return (100 * visitors / self.all_people if self.all_people else None), 1
        if metric == "conversion_rate":
            return (100 * visitors / self.everyone if self.everyone else 0), 1
        if metric == "group_conversion_rate":
            return (100 * visitors / near if near else 0), 1
        if metric in ("bounce_rate", "visit_duration"):
            names = {(r["person"][0], r["visit"]) for r in group.rows if r["person"]}
            visits = [self.visits[name] for name in names]
            if not visits:
                return 0, 0
            if metric == "bounce_rate":
                bounces = sum(len(v) == 1 and v[0]["type"] == "view" for v in visits)
                return 100 * bounces / len(visits), 0
            length = sum(max(r["ts"] for r in v) - min(r["ts"] for r in v) for v in visits)
            return 0.001 * length / len(visits), 0
        return own[metric], 0


def make_rng(seed, part):
    return random.Random(f"{seed}/{part}")
