"""Sealed events: answers stay what they were, whatever is written anew meanwhile; many thin
sites, erasures, kills and readers that overlap; --explain; and a question that is given up."""
import contextlib
import json
import os
import random
import socket
import sqlite3
import threading
import time
import unittest
import urllib.parse

from harness import Linkbell, rfc3339, wait_for

CONFIG = """
server: { listen: 127.0.0.1:0 }
privacy: { retention: 0 }
limits: { segment_events: %d }
sites:
  - { id: alice.bio, timezone: Australia/Lord_Howe }
  - { id: bob.bio, timezone: America/St_Johns }
"""
QUESTIONS = [
    "metrics=views,clicks,clicks_raw,leads,orphan_clicks,ctr",
    "metrics=visitors,clickers,ctr_unique,visits",
    "by=source&metrics=views,visitors,clickers",
    "by=link&metrics=clicks,ctr,visitors",
    "by=country,device&metrics=views,clicks_raw",
    "by=time:hour&metrics=views,clicks",
    "by=time:day,page&metrics=views,visitors",
    "by=prop:plan&metrics=views,leads",
    "by=page&metrics=views&filter=source == [t.co, \"Google\"] or country == null",
    "by=country&metrics=views,visitors,ctr_unique&filter=device == Mobile and not (page ~ 3)",
    "by=link,utm_campaign&metrics=clicks,ctr&filter=type == click and utm_source == news",
    "by=traffic,type&traffic=all&metrics=views,clicks,leads&filter=qr == false",
    "by=site&metrics=views,value",
]


def made(count, seed=3, sites=("alice.bio", "bob.bio")):
    rng = random.Random(seed)
    begin = int((time.time() - 9 * 86400) * 1000)
    out = []
    for number in range(count):
        event = {"id": f"s{seed}-{number}", "type": rng.choice(["view", "view", "click", "lead", "conversion"]),
                 "site": rng.choice(sites), "ts": begin + int(number * 8 * 86400000 / count) + rng.randrange(4000),
                 "url": f"https://alice.bio/p{rng.randrange(6)}" + rng.choice(["", "?utm_source=news&utm_campaign=c1"]),
                 "referrer": rng.choice(["", "https://t.co/a", "https://www.google.com/"]),
                 "visitor": f"v{rng.randrange(200)}", "country": rng.choice(["FR", "US", "DE"]),
                 "user_agent": rng.choice(["Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Version/17.4 "
                                           "Mobile/15E148 Safari/604.1", "Mozilla/5.0 (X11; Linux x86_64; rv:126.0) Gecko/20100101 "
                                           "Firefox/126.0", "Googlebot/2.1"]),
                 "props": {"plan": rng.choice(["a", "b", 3])}}
        if event["type"] == "click":
            event["link"] = rng.choice(["shop", "call"])
        if event["type"] == "conversion":
            event["value"] = {"amount": rng.randrange(90) + 0.5, "currency": "EUR"}
        out.append(json.dumps(event) + "\n")
    return "".join(out)


class Segments(unittest.TestCase):
    maxDiff = 2000

    def log(self, bell, sql):
        with contextlib.closing(sqlite3.connect(f"file:{bell.data}/linkbell.db?mode=ro", uri=True, timeout=10)) as db:
            return db.execute(sql).fetchall()

    def load(self, bell, text):
        got = json.loads(bell.run("import", "--json", "--format", "ndjson", "-", stdin=text).stdout)
        self.assertEqual(got["rejected"], 0, got)
        return got["accepted"]

    def answers(self, bell, sites=("alice.bio", "bob.bio", "*")):
        first, last = rfc3339(time.time() - 12 * 86400)[:10], rfc3339()[:10]
        found = []
        for site in sites:
            for words in QUESTIONS:
                words = "&".join(f"{k}={urllib.parse.quote(v)}" for k, v in (w.split("=", 1) for w in words.split("&")))
                got = bell.stats(f"site={site}&{words}&tz=Asia/Kathmandu&from={first}&to={last}&limit=1000")
                found.append((words, got["rows"], got["totals"]))
        return found

    def wait_until_sealed(self, bell, left=0):
        wait_for(lambda: self.log(bell, "SELECT coalesce(sum(count), 0) FROM event_packs")[0][0] <= left and
                 self.log(bell, "SELECT count(*) FROM segments WHERE state != 1")[0][0] == 0, "segments", 60)

    def test_answers_are_the_same_and_say_what_was_read(self):
        with Linkbell(CONFIG % 65535) as bell:
            bell.ready()
            self.assertEqual(self.load(bell, made(4000)), 4000)
            before = self.answers(bell)
            self.assertEqual(bell.stats("site=*&metrics=views&filter=type==view&explain=true")["meta"]["explain"]["segments"], 0)
            self.assertEqual(bell.stop(), 0)
            for size in (900, 64):
                bell.write_config(CONFIG % size)
                bell.ready()
                self.wait_until_sealed(bell, size // 8)
                self.assertGreater(self.log(bell, "SELECT count(*) FROM segments")[0][0], 3)
                self.assertEqual(self.answers(bell), before)
                self.assertEqual(bell.run("verify").returncode, 0)
                explain = bell.stats("site=*&metrics=views&filter=type==view&explain=true")["meta"]["explain"]
                self.assertGreater(explain["segments"], 3)
                self.assertLess(explain["events"], 200)
                self.assertEqual(bell.stop(), 0)
            bell.ready()
            done = bell.run("query", "--site", "alice.bio", "--by", "country", "--filter", "device == Mobile", "--explain")
            self.assertRegex(done.stderr, r"Read: 0 rows of 15 minutes, 0 counted days, \d+ segments with \d+ events, \d+ events one by one; [\d.]+ ms")
            self.assertRegex(bell.run("doctor", check=False).stdout, r"ok +log: \d+ events in \d+ segments \([\d.]+ bytes an event\)")
            bell.run("rebuild")
            self.assertEqual(self.answers(bell), before)
            # Every id is still known: the same file adds nothing.
            self.assertEqual(self.load(bell, made(4000)), 0)

    def test_a_thousand_thin_sites(self):
        names = [f"site-{number}.bio" for number in range(1000)]
        sites = "".join(f"  - {{ id: {name}, timezone: Europe/Paris }}\n" for name in names)
        with Linkbell(CONFIG % 1000 + sites) as bell:
            bell.ready()
            text = made(6000, sites=names)
            self.load(bell, text)
            self.wait_until_sealed(bell, 125)
            events = [json.loads(line) for line in text.splitlines()]
            for name in random.Random(5).sample(names, 20):
                mine = [e for e in events if e["site"] == name and "Googlebot" not in e["user_agent"]]
                got = bell.stats(f"site={name}&metrics=views,leads&filter=country==FR&explain=true")
                self.assertEqual(got["totals"]["views"], sum(e["type"] == "view" and e["country"] == "FR" for e in mine))
                self.assertLess(got["meta"]["explain"]["sealed_events"], 60)
            self.assertEqual(bell.run("verify").returncode, 0)

    def test_erasing_while_events_are_sealed(self):
        with Linkbell(CONFIG % 64) as bell:
            bell.ready()
            self.load(bell, made(1500))
            over = threading.Event()
            sent = []

            def send():
                connection = bell.connect()
                while not over.is_set():
                    number = len(sent)
                    bell.send(*({"type": "view", "site": "bob.bio", "id": f"live-{number}-{i}", "visitor": f"w{i}"}
                                for i in range(20)), connection=connection)
                    sent.append(number)
                connection.close()

            sender = threading.Thread(target=send)
            sender.start()
            try:
                gone = 0
                for number in range(6):
                    gone += json.loads(bell.run("erase", "--visitor", f"v{number}", "--json").stdout)["events"]
                    live = json.loads(bell.run("erase", "--visitor", f"w{number}", "--json").stdout)["events"]
                    self.assertGreater(live, 0)
                bell.run("relabel")
            finally:
                over.set()
                sender.join()
            self.assertEqual(bell.run("verify").returncode, 0)
            rows = [json.loads(row) for row in bell.get("/v1/export/events?site=bob.bio").body.splitlines()]
            self.assertEqual(sorted(e["seq"] for e in rows), [e["seq"] for e in rows])
            bell.run("erase", "--site", "alice.bio")
            self.assertEqual(self.log(bell, "SELECT count(*) FROM segment_changes")[0][0], 0)
            self.assertEqual(bell.stats("site=alice.bio&metrics=views&period=all")["totals"]["views"], 0)
            self.assertEqual(bell.run("verify").returncode, 0)

    def disturb(self, bell, turn, copy):
        """What else is under way when the service is killed: nothing, an erasure, a backup."""
        if turn % 3 == 1:
            return threading.Thread(target=lambda: bell.run("erase", "--visitor", f"v{turn % 200}", check=False))
        if turn % 3 == 2:
            return threading.Thread(target=lambda: bell.run("backup", str(copy), check=False))
        return None

    def test_kills_while_segments_are_written(self):
        rng = random.Random(11)
        kills = int(os.environ.get("LINKBELL_SEGMENT_KILLS", "9"))
        with Linkbell(CONFIG % 64) as bell:
            bell.ready()
            copy = bell.data.parent / "copy.db"
            taken = 0
            for turn in range(kills):
                text = made(700, seed=100 + turn)
                self.assertEqual(self.load(bell, text), 700)
                taken += 700
                other = self.disturb(bell, turn, copy)
                if other:
                    other.start()
                time.sleep(rng.random() * (0.1 if other else 0.15))
                bell.kill()
                if other:
                    other.join()
                bell.ready()
                self.assertEqual(bell.run("verify").returncode, 0, turn)
                self.assertEqual(self.load(bell, text), 0)  # what was acknowledged is known, erased or not
                if copy.exists():  # whole, or not there
                    with contextlib.closing(sqlite3.connect(copy)) as db:
                        self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            self.wait_until_sealed(bell, 8)
            bell.run("erase", "--visitor", "v100")  # those before may all have been cut short
            self.assertEqual(bell.run("verify").returncode, 0)
            left = sum(len(bell.get(f"/v1/export/events?site={site}").body.splitlines()) for site in ("alice.bio", "bob.bio"))
            erased = taken - left
            self.assertTrue(0 < erased <= 700 * kills // 20, (left, taken))
            if copy.exists():
                bell.stop()
                bell.run("restore", str(copy))
                bell.ready()
                self.assertEqual(bell.run("verify").returncode, 0)

    def test_readers_that_overlap_leave_the_wal_bounded(self):
        with Linkbell(CONFIG % 500) as bell:
            bell.ready()
            self.load(bell, made(20000))
            over = threading.Event()
            largest = []

            def ask():
                connection = bell.connect()
                while not over.is_set():
                    answer = bell.get("/v1/stats?site=*&by=page,country,source&metrics=visits,views&period=all", connection=connection)
                    assert answer.status == 200, answer
                connection.close()

            readers = [threading.Thread(target=ask) for _ in range(6)]
            for reader in readers:
                reader.start()
            connection = bell.connect()
            until = time.time() + 4
            number = 0
            while time.time() < until:
                bell.send(*({"type": "view", "site": "bob.bio", "id": f"w{number}-{i}"} for i in range(500)), connection=connection)
                number += 1
                largest.append((bell.data / "linkbell.db-wal").stat().st_size)
            connection.close()
            over.set()
            for reader in readers:
                reader.join()
            self.assertLess(max(largest), 96 * 1024 * 1024)
            self.assertEqual(bell.run("verify").returncode, 0)

    def test_a_question_that_is_given_up(self):
        with Linkbell(CONFIG % 65535) as bell:
            bell.ready()
            self.load(bell, made(60000))
            request = (f"GET /v1/stats?site=*&by=page,country,source,device&metrics=visits,visitors&period=all HTTP/1.1\r\n"
                       f"Host: x\r\nAuthorization: Bearer {bell.token}\r\n\r\n").encode()
            for _ in range(5):
                with socket.create_connection(("127.0.0.1", bell.port)) as connection:
                    connection.sendall(request)
                    time.sleep(0.005)
            wait_for(lambda: bell.metric("linkbell_queries_cancelled_total") >= 3, "the questions to end", 10)
            self.assertEqual(bell.get("/v1/stats?site=*&metrics=views&period=all").status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
