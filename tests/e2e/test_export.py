"""GET /v1/export/... and `linkbell export`: every event once and as it was sent, the stats
sheet against counting plainly, pages, packing, closed days, atomic files with a manifest."""
import base64
import csv
import email.utils
import datetime
import gzip
import hashlib
import io
import json
import os
import pathlib
import random
import shutil
import subprocess
import time
import unittest
import urllib.parse
import zoneinfo

from harness import BINARY, Linkbell, wait_for

SEED = int(os.environ.get("LINKBELL_SEED", str(int(time.time()))))
PARIS = zoneinfo.ZoneInfo("Europe/Paris")
CHROME = ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
          "Chrome/120.0.0.0 Safari/537.36")
KEYS = ["seq", "id", "type", "site", "ts", "received", "name", "link", "host", "page", "referrer",
        "source", "channel", "utm", "click_id", "country", "region", "city", "device", "browser",
        "browser_version", "os", "os_version", "traffic", "reason", "visitor", "qr",
        "double_tap", "value", "contact", "props"]
COLUMNS = [column for key in KEYS for column in
           {"utm": ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"],
            "value": ["value_amount", "value_currency"],
            "contact": ["contact_email", "contact_name", "contact_message", "contact_phone"],
            }.get(key, [key])]
SHEET = ["date", "site", "page", "link", "source", "utm_campaign", "country", "views", "clicks",
         "leads", "ctr", "ctr_lo", "ctr_hi"]

CONFIG = """
server: { listen: 127.0.0.1:0 }
privacy: { retention: 0, keep_contact: [email] }
sites:
  - { id: alice.bio, timezone: Europe/Paris }
  - { id: bob.bio, timezone: Asia/Kathmandu }
  - { id: row.bio, timezone: UTC }
"""


def ms(text):
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1000)


def day_of(event, zone):
    return str(datetime.datetime.fromtimestamp(event["ts"] / 1000, zone).date())


def make_events(count):
    """Over four days in Paris, one of them with 25 hours; every hundredth on bob.bio."""
    random_ = random.Random(SEED)
    begin = ms("2025-10-24T00:00:00+02:00")
    end = ms("2025-10-28T00:00:00+01:00")
    events = []
    for number in range(count):
        event = {"id": f"e{number}", "site": "alice.bio" if number % 100 else "bob.bio",
                 "ts": random_.randrange(begin, end), "user_agent": CHROME,
                 "type": random_.choice(["view", "view", "click", "lead"]),
                 "visitor": f"v{random_.randrange(300)}",
                 "country": random_.choice(["FR", "BE"]),
                 "url": f"/p{random_.randrange(3)}?utm_campaign=c{random_.randrange(2)}"}
        if event["type"] == "click":
            event["link"] = random_.choice(["book-call", "shop"])
        events.append(event)
    return sorted(events, key=lambda e: e["ts"])


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"LINKBELL_SEED={SEED}")
        cls.bell = Linkbell(CONFIG).ready()
        cls.events = make_events(6000)
        lines = "\n".join(json.dumps(event) for event in cls.events)
        got = json.loads(cls.bell.run("import", "--json", "--format", "ndjson", "-",
                                      stdin=lines).stdout)
        assert got["accepted"] == len(cls.events), got
        cls.full = {
            "id": "full-1", "type": "lead", "site": "row.bio", "name": "=Signup, \"new\"",
            "link": "book-call", "url": "https://Row.bio/path?utm_source=News&utm_medium=email"
            "&utm_campaign=Spring&utm_term=Shoes&utm_content=Top&gclid=abc",
            "referrer": "https://www.google.com/search?q=x", "user_agent": CHROME,
            "visitor": "client-id", "country": "FR", "region": "FR-IDF", "city": "Paris",
            "value": {"amount": 12.5, "currency": "EUR"},
            "contact": {"email": "ann@example.com", "name": "Ann", "phone": "+33"},
            "props": {"plan": "pro\nplus", "seats": 3, "is_new": True}}
        cls.bell.send(cls.full, {"type": "view", "site": "row.bio", "visitor": "client-id",
                                 "user_agent": CHROME},
                      {"type": "view", "site": "row.bio"})

    @classmethod
    def tearDownClass(cls):
        cls.bell.__exit__(None, None, None)

    def setUp(self):
        self.out = self.bell.dir / "out"
        shutil.rmtree(self.out, ignore_errors=True)

    def get(self, path, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.bell.get("/v1/export/" + path, headers=headers)

    def rows(self, path, **headers):
        answer = self.get(path, **headers)
        self.assertEqual(answer.status, 200, answer)
        return [json.loads(line) for line in answer.body.splitlines()]

    # --- the event row -------------------------------------------------------------

    def test_a_row_has_every_key_in_order(self):
        answer = self.get("events?site=row.bio")
        self.assertEqual(answer.headers["Content-Type"], "application/x-ndjson")
        self.assertTrue(answer.body.endswith(b"\n"))
        pairs = json.loads(answer.body.splitlines()[0], object_pairs_hook=lambda p: p)
        self.assertEqual([key for key, _ in pairs], KEYS)
        row = json.loads(answer.body.splitlines()[0])
        self.assertEqual(list(row["utm"]), ["source", "medium", "campaign", "term", "content"])
        want = {"id": "full-1", "type": "lead", "site": "row.bio", "name": "=Signup, \"new\"",
                "link": "book-call", "host": "row.bio", "page": "/path",
                "utm": {"source": "news", "medium": "email", "campaign": "spring",
                        "term": "Shoes", "content": "Top"},
                "click_id": "gclid", "country": "FR", "region": "FR-IDF", "city": "Paris",
                "traffic": "human", "reason": None, "qr": False, "double_tap": False,
                "value": {"amount": 12.5, "currency": "EUR"},
                "contact": {"email": "ann@example.com"},
                "props": {"plan": "pro\nplus", "seats": 3, "is_new": True}}
        self.assertEqual({key: row[key] for key in want}, want)
        for key in ("ts", "received"):
            self.assertRegex(row[key], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertNotIn(b"search?q", answer.body)

    def test_a_visitor_is_equal_within_the_day_and_never_the_clients_id(self):
        first, second, bare = self.rows("events?site=row.bio")
        self.assertEqual(first["visitor"], second["visitor"])
        self.assertNotIn("client-id", json.dumps([first, second]))
        self.assertTrue(bare["visitor"] is None or bare["visitor"] != first["visitor"])

    def test_csv_has_the_same_as_columns(self):
        for answer in (self.get("events?site=row.bio&format=csv"),
                       self.get("events?site=row.bio", Accept="text/csv")):
            self.assertEqual(answer.headers["Content-Type"], "text/csv; charset=utf-8")
            header, *rows = csv.reader(io.StringIO(answer.body.decode(), newline=""))
            self.assertEqual(header, COLUMNS)
            self.assertEqual([len(row) for row in rows], [len(COLUMNS)] * 3)
            row = dict(zip(header, rows[0]))
            self.assertEqual(row["name"], "'=Signup, \"new\"")
            self.assertEqual((row["utm_source"], row["value_amount"], row["value_currency"]),
                             ("news", "12.5", "EUR"))
            self.assertEqual((row["contact_email"], row["contact_name"], row["reason"]),
                             ("ann@example.com", "", ""))
            self.assertEqual(json.loads(row["props"]), self.full["props"])

    def test_a_csv_export_can_be_imported(self):
        text = self.get("events?site=row.bio&format=csv").body.decode()
        with Linkbell(CONFIG) as other:
            other.ready()
            got = json.loads(other.run("import", "--json", "--format", "csv", "-",
                                       stdin=text, check=False).stdout)
            self.assertEqual(got["accepted"], 3)

    # --- streams -------------------------------------------------------------------

    def test_every_event_comes_once_in_log_order(self):
        rows = self.rows("events")
        self.assertEqual(len(rows), len(self.events) + 3)
        self.assertEqual([r["seq"] for r in rows], sorted({r["seq"] for r in rows}))
        want = {(e["id"], e["type"], e["site"]) for e in self.events}
        got = {(r["id"], r["type"], r["site"]) for r in rows if r["site"] != "row.bio"}
        self.assertEqual(got, want)
        times = {r["id"]: r["ts"] for r in rows}
        for event in self.events[::97]:
            self.assertEqual(ms(times[event["id"]]), event["ts"])

    def test_a_range_takes_days_of_the_zone_or_instants(self):
        def ids(**query):
            return {r["id"] for r in self.rows("events?site=alice.bio&"
                                               + urllib.parse.urlencode(query))}
        alice = [e for e in self.events if e["site"] == "alice.bio"]
        self.assertEqual(ids(**{"from": "2025-10-25", "to": "2025-10-26"}),
                         {e["id"] for e in alice
                          if day_of(e, PARIS) in ("2025-10-25", "2025-10-26")})
        self.assertEqual(ids(day="2025-10-26"),
                         {e["id"] for e in alice if day_of(e, PARIS) == "2025-10-26"})
        first, last = "2025-10-26T00:30:00Z", "2025-10-26T01:30:00.5Z"
        self.assertEqual(ids(**{"from": first, "to": last}),
                         {e["id"] for e in alice if ms(first) <= e["ts"] < ms(last)})
        self.assertEqual(ids(day="2025-01-01"), set())

    def test_pages_hold_every_row_once(self):
        want = [r["seq"] for r in self.rows("events?site=alice.bio")]
        for limit in (700, 2000, 2500, len(want) + 1):
            got, cursor, pages = [], "", 0
            while cursor is not None:
                answer = self.get(f"events?site=alice.bio&limit={limit}"
                                  + (f"&cursor={cursor}" if cursor else ""))
                self.assertEqual(answer.status, 200, answer)
                page = [json.loads(line)["seq"] for line in answer.body.splitlines()]
                self.assertLessEqual(len(page), limit)
                got += page
                cursor = answer.headers["X-Next-Cursor"]
                pages += 1
                self.assertLess(pages, 20)
            self.assertEqual(got, want, f"limit={limit}")

    def test_packed_streams_hold_the_same_bytes(self):
        plain = self.get("events?site=alice.bio").body
        packed = self.get("events?site=alice.bio", Accept_Encoding="gzip")
        self.assertEqual(packed.headers["Content-Encoding"], "gzip")
        self.assertEqual(gzip.decompress(packed.body), plain)
        self.assertLess(len(packed.body), len(plain) / 4)
        packed = self.get("events?site=alice.bio", Accept_Encoding="zstd, gzip;q=0.5")
        self.assertEqual(packed.headers["Content-Encoding"], "zstd")
        self.assertEqual(packed.body[:4], b"\x28\xb5\x2f\xfd")
        self.assertIsNone(self.get("events?site=alice.bio",
                                   Accept_Encoding="gzip;q=0").headers["Content-Encoding"])

    def test_faults_are_named(self):
        for query, code in (("frm=2025-10-25", "unknown_parameter"), ("format=xml", "bad_request"),
                            ("from=x", "bad_request"), ("day=2025-02-30", "bad_request"),
                            ("limit=0", "bad_request"), ("cursor=x", "bad_cursor")):
            with self.subTest(query=query):
                answer = self.get("events?site=alice.bio&" + query)
                self.assertEqual(answer.status, 400, answer)
                self.assertEqual(answer.json["error"]["code"], code)

    def test_who_may_export(self):
        for scope in ("read", "ingest"):
            for what in ("events", "stats"):
                answer = self.bell.get("/v1/export/" + what, token=self.bell.make_token(scope))
                self.assertEqual((answer.status, answer.json["error"]["code"]), (403, "scope"))
        token = self.bell.make_token("export", "--site", "row.bio")
        got = self.bell.get("/v1/export/events", token=token)
        self.assertEqual(len(got.body.splitlines()), 3)
        answer = self.bell.get("/v1/export/events?site=alice.bio", token=token)
        self.assertEqual((answer.status, answer.json["error"]["code"]), (403, "site"))

    def test_a_slow_reader_gets_it_all(self):
        connection = self.bell.connect()
        connection.request("GET", "/v1/export/events",
                           headers={"Authorization": "Bearer " + self.bell.token})
        answer = connection.getresponse()
        body = b""
        while piece := answer.read(65536):
            body += piece
            time.sleep(0.002)
        connection.close()
        self.assertEqual(len(body.splitlines()), len(self.events) + 3)

    def test_a_client_that_goes_away_costs_nothing(self):
        for _ in range(20):
            connection = self.bell.connect()
            connection.request("GET", "/v1/export/events",
                               headers={"Authorization": "Bearer " + self.bell.token})
            connection.getresponse().read(100)
            connection.close()
        self.assertEqual(len(self.rows("events?site=row.bio")), 3)

    # --- a closed day ----------------------------------------------------------------

    def test_a_day_has_a_tag_and_a_digest(self):
        for what in ("events", "stats"):
            answer = self.get(f"{what}?site=alice.bio&day=2025-10-25")
            digest = hashlib.sha256(answer.body)
            self.assertEqual(answer.headers["ETag"], f'"{digest.hexdigest()}"')
            self.assertEqual(answer.headers["Content-Digest"],
                             f"sha-256=:{base64.b64encode(digest.digest()).decode()}:")
            again = self.get(f"{what}?site=alice.bio&day=2025-10-25",
                             If_None_Match=answer.headers["ETag"])
            self.assertEqual((again.status, again.body), (304, b""))

    def test_a_counted_day_says_when_it_changed(self):
        path = "events?site=alice.bio&day=2025-10-25"
        wait_for(lambda: "Last-Modified" in self.get(path).headers, "the day to be counted", 30)
        answer = self.get(path)
        changed = answer.headers["Last-Modified"]
        self.assertLess(abs(email.utils.parsedate_to_datetime(changed).timestamp() - time.time()), 120)
        again = self.get(path, If_Modified_Since=changed)
        self.assertEqual((again.status, again.body, again.headers["Last-Modified"]), (304, b"", changed))
        before = email.utils.formatdate(email.utils.parsedate_to_datetime(changed).timestamp() - 1, usegmt=True)
        for words in ({"If_Modified_Since": before}, {"If_Modified_Since": "yesterday"},
                      {"If_Modified_Since": changed, "If_None_Match": '"other"'}):
            self.assertEqual(self.get(path, **words).body, answer.body, words)
        # A day without an event has none, and an open range neither.
        for path in ("events?site=alice.bio&day=2025-01-01", "events?site=alice.bio"):
            self.assertNotIn("Last-Modified", self.get(path).headers)

    # --- the stats sheet -------------------------------------------------------------

    def test_the_sheet_adds_up(self):
        answer = self.get("stats?site=alice.bio&format=csv&from=2025-10-24&to=2025-10-28")
        header, *rows = csv.reader(io.StringIO(answer.body.decode(), newline=""))
        self.assertEqual(header, SHEET)
        rows = [dict(zip(header, row)) for row in rows]
        want = {}
        taps = {}
        for event in self.events:
            if event["site"] != "alice.bio":
                continue
            page, campaign = event["url"].split("?utm_campaign=")
            key = (day_of(event, PARIS), "alice.bio", page, event.get("link", ""), campaign,
                   event["country"])
            counts = want.setdefault(key, {"views": 0, "clicks": 0, "leads": 0})
            if event["type"] == "click":
                person = (event["visitor"], day_of(event, PARIS), event["link"])
                if event["ts"] - taps.get(person, 0) < 10_000:
                    continue
                taps[person] = event["ts"]
            counts[event["type"] + "s"] += 1
        got = {(r["date"], r["site"], r["page"], r["link"], r["utm_campaign"], r["country"]):
               {name: int(r[name]) for name in ("views", "clicks", "leads")} for r in rows}
        self.assertEqual(len(got), len(rows))
        self.assertEqual({k: v for k, v in got.items() if any(v.values())},
                         {k: v for k, v in want.items() if any(v.values())})
        order = [[row[name] for name in SHEET[:7]] for row in rows]
        self.assertEqual(order, sorted(order))
        for row in rows:
            if int(row["views"]):
                self.assertAlmostEqual(float(row["ctr"]), int(row["clicks"]) / int(row["views"]),
                                       delta=0.00006)
            else:
                self.assertEqual((row["ctr"], row["ctr_lo"], row["ctr_hi"]), ("", "", ""))

    def test_the_sheet_as_ndjson_has_the_same(self):
        rows = self.rows("stats?site=alice.bio&day=2025-10-25")
        self.assertTrue(rows)
        self.assertTrue(all(list(row) == SHEET for row in rows))
        self.assertTrue(all(row["date"] == "2025-10-25" for row in rows))

    # --- files -----------------------------------------------------------------------

    def export(self, *words, check=True, **options):
        return self.bell.run("export", *words, "--out", str(self.out), check=check, **options)

    def manifest(self, site):
        got = json.loads((self.out / site / "manifest.json").read_text())
        self.assertEqual((list(got), got["site"]), (["site", "files"], site))
        return {(f["file"] or "").split("-")[0] + f["day"]: f for f in got["files"]}

    def check_files(self, site, zone, files, days):
        found = {p.name for p in (self.out / site).iterdir()} - {"manifest.json"}
        self.assertEqual(found, {f["file"] for f in files.values() if f["file"]})
        for day in days:
            entry = files["events" + day]
            self.assertEqual(list(entry), ["file", "day", "revision", "closed", "rows", "bytes",
                                           "sha256", "created"])
            body = (self.out / site / entry["file"]).read_bytes()
            self.assertEqual(entry["bytes"], len(body))
            self.assertEqual(entry["sha256"], hashlib.sha256(body).hexdigest())
            rows = [json.loads(line) for line in body.splitlines()]
            self.assertEqual(entry["rows"], len(rows))
            self.assertEqual({r["id"] for r in rows},
                             {e["id"] for e in self.events
                              if e["site"] == site and day_of(e, zone) == day})

    def test_files_by_site_and_day(self):
        self.export("events", "--site", "alice.bio", "--from", "2025-10-22", "--to", "2025-10-27")
        files = self.manifest("alice.bio")
        days = [f"2025-10-{n}" for n in range(24, 28)]
        for day in days:
            self.assertEqual(files["events" + day]["file"], f"events-alice.bio-{day}.r1.ndjson")
            self.assertEqual((files["events" + day]["revision"], files["events" + day]["closed"]),
                             (1, True))
        for day in ("2025-10-22", "2025-10-23"):
            self.assertEqual((files[day]["rows"], files[day]["file"]), (0, None))
        self.check_files("alice.bio", PARIS, files, days)

    def test_all_sites_in_their_own_zones(self):
        self.export("events", "--from", "2025-10-24", "--to", "2025-10-28")
        files = self.manifest("bob.bio")
        days = [key.removeprefix("events") for key in files if key.startswith("events")]
        self.check_files("bob.bio", zoneinfo.ZoneInfo("Asia/Kathmandu"), files, days)
        self.assertTrue((self.out / "alice.bio/manifest.json").exists())

    def test_unchanged_files_are_left_alone(self):
        words = ("events", "--site", "alice.bio", "--from", "2025-10-24", "--to", "2025-10-25")
        self.export(*words)
        path = self.out / "alice.bio/events-alice.bio-2025-10-24.r1.ndjson"
        before = path.stat()
        self.export(*words)
        after = path.stat()
        self.assertEqual((after.st_ino, after.st_mtime_ns), (before.st_ino, before.st_mtime_ns))
        self.assertEqual(len(list(path.parent.iterdir())), 3)

    def test_packed_files(self):
        self.export("events", "--site", "alice.bio", "--from", "2025-10-25", "--to",
                    "2025-10-25", "--format", "csv", "--compress", "gzip")
        entry = self.manifest("alice.bio")["events2025-10-25"]
        self.assertEqual(entry["file"], "events-alice.bio-2025-10-25.r1.csv.gz")
        body = (self.out / "alice.bio" / entry["file"]).read_bytes()
        rows = list(csv.reader(io.StringIO(gzip.decompress(body).decode(), newline="")))
        self.assertEqual(rows[0], COLUMNS)
        self.assertEqual(entry["rows"], len(rows) - 1)
        self.assertEqual(entry["sha256"], hashlib.sha256(body).hexdigest())

    def test_the_manifest_keeps_what_earlier_exports_wrote(self):
        self.export("events", "--site", "alice.bio", "--from", "2025-10-24", "--to", "2025-10-24")
        self.export("events", "--site", "alice.bio", "--from", "2025-10-25", "--to", "2025-10-25")
        self.export("stats", "--site", "alice.bio", "--from", "2025-10-25", "--to", "2025-10-25")
        files = self.manifest("alice.bio")
        for key in ("events2025-10-24", "events2025-10-25", "stats2025-10-25"):
            self.assertIn(key, files)

    def test_an_open_day_is_replaced_and_marked(self):
        today = str(datetime.datetime.now(datetime.timezone.utc).date())
        self.export("events", "--site", "row.bio", "--from", today, "--to", today)
        entry = self.manifest("row.bio")["events" + today]
        self.assertEqual((entry["file"], entry["revision"], entry["closed"]),
                         (f"events-row.bio-{today}.open.ndjson", None, False))

    def test_late_data_makes_a_revision(self):
        words = ("events", "--site", "bob.bio", "--from", "2025-10-20", "--to", "2025-10-20")
        line = json.dumps({"id": "late-1", "type": "view", "site": "bob.bio", "user_agent": CHROME,
                           "ts": ms("2025-10-20T12:00:00+05:45")})
        self.bell.run("import", "--format", "ndjson", "-", stdin=line)
        self.export(*words)
        first = (self.out / "bob.bio/events-bob.bio-2025-10-20.r1.ndjson").read_bytes()
        self.bell.run("import", "--format", "ndjson", "-", stdin=line.replace("late-1", "late-2"))
        self.export(*words)
        entry = self.manifest("bob.bio")
        names = [f["file"] for f in entry.values()]
        self.assertIn("events-bob.bio-2025-10-20.r2.ndjson", names)
        path = self.out / "bob.bio/events-bob.bio-2025-10-20.r1.ndjson"
        self.assertEqual(path.read_bytes(), first)
        second = (self.out / "bob.bio/events-bob.bio-2025-10-20.r2.ndjson").read_bytes()
        self.assertEqual(len(second.splitlines()), 2)

    def test_yesterday_is_the_sites_day(self):
        self.export("events", "--site", "bob.bio", "--yesterday")
        zone = zoneinfo.ZoneInfo("Asia/Kathmandu")
        yesterday = datetime.datetime.now(zone).date() - datetime.timedelta(days=1)
        self.assertEqual([f["day"] for f in self.manifest("bob.bio").values()], [str(yesterday)])

    def test_standard_output_is_the_route(self):
        words = ("export", "events", "--site", "alice.bio", "--from", "2025-10-25", "--to",
                 "2025-10-25")
        want = self.get("events?site=alice.bio&from=2025-10-25&to=2025-10-25").body
        self.assertEqual(self.bell.run(*words, text=False).stdout, want)
        packed = self.bell.run(*words, "--compress", "gzip", text=False).stdout
        self.assertEqual(gzip.decompress(packed), want)

    def test_yesterday_on_standard_output_is_packed_too(self):
        got = self.bell.run("export", "events", "--site", "row.bio", "--yesterday", "--format",
                            "csv", "--compress", "gzip", text=False).stdout
        self.assertEqual(gzip.decompress(got).decode().strip(), ",".join(COLUMNS))

    def test_nothing_is_left_of_an_export_that_fails(self):
        blocked = self.out / "alice.bio"
        blocked.parent.mkdir()
        blocked.write_text("a file where the directory would be")
        done = self.export("events", "--site", "alice.bio", "--from", "2025-10-25", "--to",
                           "2025-10-25", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr)
        self.assertEqual(blocked.read_text(), "a file where the directory would be")
        done = self.bell.run("export", "events", "--site", "nobody.bio", "--out", str(self.out),
                             check=False)
        self.assertEqual(done.returncode, 1)
        self.assertFalse((self.out / "nobody.bio").exists())

    def test_a_full_disk_leaves_no_file(self):
        if not pathlib.Path("/dev/full").exists():
            self.skipTest("no /dev/full")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([BINARY, "export", "--data-dir", str(self.bell.data), "events",
                                   "--site", "alice.bio"], stdout=full, stderr=subprocess.PIPE,
                                  timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr)

    def test_wrong_usage_is_2(self):
        for words in ((), ("clicks",), ("events", "--format", "xml"),
                      ("events", "--compress", "rar")):
            self.assertEqual(self.bell.run("export", *words, check=False).returncode, 2)


class Pulls(unittest.TestCase):
    """A rule that rings when nobody pulled an export knows who did."""

    def test_an_export_is_an_entry_of_the_log(self):
        with Linkbell(CONFIG) as bell:
            bell.ready()
            bell.send({"type": "view", "site": "row.bio", "user_agent": CHROME})
            before = bell.get("/v1/export/events?site=row.bio").body
            bell.send({"type": "view", "site": "row.bio", "user_agent": CHROME})
            after = bell.get("/v1/export/events?site=row.bio").body
            first, second = (json.loads(body.splitlines()[-1])["seq"]
                             for body in (before, after))
            self.assertGreater(second, first + 1, "the pull has a log number of its own")


if __name__ == "__main__":
    unittest.main(verbosity=2)
