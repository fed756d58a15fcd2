"""Every figure against counting plainly: random histories over days at which clocks
change, in zones of odd offsets, and random questions of both dialects.  Asked of the log,
of counted days, after late events, of sealed events, and after a rebuild, the answers are equal to the
last digit.

LINKBELL_SEED sets the histories and questions, LINKBELL_ORACLE how many of them."""
import contextlib
import json
import os
import sqlite3
import threading
import time
import unittest

import oracle
from harness import Linkbell, wait_for
from test_stats import encode

SEED = int(os.environ.get("LINKBELL_SEED", str(int(time.time()))))
QUESTIONS = int(os.environ.get("LINKBELL_ORACLE", "400"))
EVENTS = 700


def config(period, without=(), segment_events=65535):
    """Without the links that are removed: the service would bring them back."""
    lines = ["server: { listen: 127.0.0.1:0 }",
             f"privacy: {{ retention: 0, visitor_period: {period} }}",
             f"limits: {{ segment_events: {segment_events} }}", "sites:"]
    for site, name in oracle.SITES.items():
        lines += [f"  - id: {site}", f"    timezone: {name}"]
        slugs = [slug for slug in oracle.CONFIGURED[site] if slug not in without]
        if slugs:
            lines.append("    links:")
        for slug in slugs:
            lines.append(f"      - {{ slug: {slug}, url: \"https://x.example/{slug}\" }}")
    return "\n".join(lines) + "\n"


class Oracle(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        print(f"LINKBELL_SEED={SEED} LINKBELL_ORACLE={QUESTIONS}", flush=True)

    def load(self, bell, history, events, prefix):
        lines = "".join(history.lines(events, prefix))
        done = bell.run("import", "--json", "--format", "ndjson", "-", stdin=lines)
        self.assertEqual(json.loads(done.stdout)["accepted"], len(events), done)

    def set_lifetimes(self, bell, history):
        """Since when a link is there is when it was applied: history needs an earlier day."""
        with contextlib.closing(sqlite3.connect(bell.data / "linkbell.db")) as db, db:
            for site, links in history.lifetimes.items():
                for slug, (begin, end) in links.items():
                    done = db.execute("UPDATE links SET created = ?, removed = ? WHERE slug = ? AND "
                                      "site = (SELECT number FROM sites WHERE id = ?)",
                                      (begin, end, slug, site))
                    self.assertEqual(done.rowcount, 1)

    def wait_for_days(self, bell):
        """Each was counted once; one that late events made stale may wait for minutes."""
        def is_counted():
            with contextlib.closing(sqlite3.connect(f"file:{bell.data}/linkbell.db?mode=ro",
                                                    uri=True)) as db:
                return db.execute("SELECT count(*) FROM day_state WHERE built = 0").fetchone() \
                    == (0,)
        wait_for(is_counted, "the days to be counted", 120)

    def check(self, bell, question, about):
        parameters = question.parameters()
        answer = bell.get("/v1/stats?" + encode(**parameters))
        self.assertEqual(answer.status, 200, (about, parameters, answer))
        rows, totals = question.answer()
        got = answer.json
        self.assertEqual(got["totals"], totals, (about, parameters))
        self.assertEqual(got["rows"], rows, (about, parameters))
        self.assertEqual((got["from"], got["to"]),
                         (oracle.instant_text(question.begin, question.zone),
                          oracle.instant_text(question.end, question.zone)), parameters)

    def check_v2(self, bell, question, about):
        answer = bell.post("/api/v2/query", question.body())
        self.assertEqual(answer.status, 200, (about, question.body(), answer))
        self.assertEqual(self.plain(answer), question.answer(), (about, question.body()))

    def plain(self, answer):
        """The results, with amounts as their value alone."""
        return [{"metrics": [value["value"] if isinstance(value, dict) else value
                             for value in row["metrics"]], "dimensions": row["dimensions"]}
                for row in answer.json["results"]]

    def ask(self, bell, history, number, about, count):
        for i in range(count):
            rng = oracle.make_rng(SEED, f"{number}/{about}/{i}")
            if i % 3 == 2:
                self.check_v2(bell, oracle.V2Question(rng, history), f"{number}/{about}/{i}")
            else:
                self.check(bell, oracle.Question(rng, history), f"{number}/{about}/{i}")

    def wait_for_segments(self, bell):
        def is_sealed():
            with contextlib.closing(sqlite3.connect(f"file:{bell.data}/linkbell.db?mode=ro", uri=True, timeout=10)) as db:
                return db.execute("SELECT coalesce(sum(count), 0) FROM event_packs").fetchone()[0] <= 8
        wait_for(is_sealed, "segments", 30)

    def run_history(self, number, period, count):
        rng = oracle.make_rng(SEED, number)
        history = oracle.History(rng, period, EVENTS)
        with Linkbell(config(period)) as bell:
            bell.ready()
            bell.stop()
            self.set_lifetimes(bell, history)
            bell.write_config(config(period, without=["old"]))
            bell.start()
            self.load(bell, history, history.first, "a")
            self.ask(bell, history, number, "log", count // 4)
            self.wait_for_days(bell)
            self.ask(bell, history, number, "days", count // 4)
            self.load(bell, history, history.late, "b")
            history.decide(history.late, "late")
            self.ask(bell, history, number, "late", count // 8)
            bell.stop()
            bell.write_config(config(period, ["old"], 64))
            bell.start()
            self.wait_for_segments(bell)
            self.ask(bell, history, number, "sealed", count // 8)
            bell.stop()
            bell.run("rebuild")
            bell.start()
            self.ask(bell, history, number, "rebuilt", count // 8)
            self.wait_for_days(bell)
            self.ask(bell, history, number, "rebuilt days", count // 8)
            done = bell.run("verify")
            self.assertIn("verify: ok", done.stdout)

    def test_while_events_come_in(self):
        """Each answer is that of a number of whole requests: those answered when it was
        asked, and at most those begun when it came."""
        rng = oracle.make_rng(SEED, "live")
        history = oracle.Live(rng, "day", EVENTS)
        lines = list(history.lines(history.first, "l"))
        sizes = self.make_sizes(rng, len(lines))
        with Linkbell(config("day")) as bell:
            bell.ready()
            bell.stop()
            self.set_lifetimes(bell, history)
            bell.write_config(config("day", ["old"], 64))
            bell.start()
            done, begun, faults = [0], [0], []

            def send():
                for size in sizes:
                    chunk = [json.loads(line) for line in lines[begun[0]:begun[0] + size]]
                    begun[0] += size
                    answer = bell.post("/v1/events", chunk)
                    if answer.status != 202 or answer.json["accepted"] != size:
                        faults.append(answer)
                        return
                    done[0] += size
            sender = threading.Thread(target=send)
            sender.start()
            number, ends = 0, [sum(sizes[:i]) for i in range(len(sizes) + 1)]
            while sender.is_alive() or number < QUESTIONS // 4:
                self.ask_meanwhile(bell, history, number, (done, begun, ends))
                number += 1
            sender.join()
            self.assertEqual(faults, [])

    def make_sizes(self, rng, count):
        sizes = []
        while sum(sizes) < count:
            sizes.append(min(rng.choice([1, 5, 20, 40]), count - sum(sizes)))
        return sizes

    def ask_meanwhile(self, bell, history, number, progress):
        done, begun, ends = progress
        is_v2 = number % 3 == 2
        kind = oracle.V2Question if is_v2 else oracle.Question

        def question(count):
            """The same question of so many events; what it asks is of all of them."""
            out = kind(oracle.make_rng(SEED, f"live/{number}"), history)
            out.history = oracle.Part(history, count)
            out.visits = out.history.visits()
            return out
        first = done[0]
        asked = question(len(history.rows))
        if is_v2:
            answer = bell.post("/api/v2/query", asked.body())
        else:
            answer = bell.get("/v1/stats?" + encode(**asked.parameters()))
        last = begun[0]
        self.assertEqual(answer.status, 200, answer)
        got = self.plain(answer) if is_v2 else (answer.json["rows"], answer.json["totals"])
        wants = [question(end).answer() for end in ends if first <= end <= last]
        self.assertIn(got, wants, (f"live/{number}", first, last))

    def test_periods_of_a_day(self):
        self.run_history(1, "day", QUESTIONS // 2)

    def test_periods_of_a_week(self):
        self.run_history(2, "week", QUESTIONS // 4)

    def test_periods_of_a_month(self):
        self.run_history(3, "month", QUESTIONS // 4)


if __name__ == "__main__":
    unittest.main(verbosity=2)
