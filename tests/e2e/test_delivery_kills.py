"""The service is killed with SIGKILL at random moments while deliveries are under way to two
receivers, one of which is slow and fails now and then, and to two CSV files.  Leads keep coming; one
whose acknowledgement was lost is sent again.  In the end each acknowledged lead has arrived
everywhere, under one id and in the same bytes, and stands once in each file.

LINKBELL_DELIVERY_KILLS (8) and LINKBELL_SEED set the length and the moments."""
import collections
import csv
import http.client
import io
import json
import os
import random
import threading
import time
import unittest

from harness import Linkbell, Receiver, wait_for
from test_alerts import OLD_SECRET, SECRET

KILLS = int(os.environ.get("LINKBELL_DELIVERY_KILLS", "8"))
SEED = int(os.environ.get("LINKBELL_SEED", str(random.randrange(10**6))))
COLUMNS = ["timestamp", "site", "event.contact.email", "event.contact.name", "event.name", "id"]
CONFIG = """
server: { listen: 127.0.0.1:0 }
privacy: { keep_contact: [email, name] }
delivery: { allow_addresses: [127.0.0.0/8], breaker: { failures: 5, probe: [100ms, 200ms] } }
sites: [{ id: alice.bio, timezone: Europe/Paris }, { id: bob.bio, timezone: America/New_York }]
destinations:
  - { id: good, type: webhook, url: "%s", secrets_env: [LB_TEST_SECRET] }
  - { id: slow, type: webhook, url: "%s", secrets_env: [LB_TEST_OLD], retry: [%s] }
  - { id: file, type: csv, path: exports/alerts.csv, columns: [%s] }
  - { id: lake, type: csv, path: exports/leads.csv, columns: [%s], stream: { types: [lead], from: start, max_wait: 50ms } }
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [good, slow, file] }
"""
RETRIES = ["50ms", "100ms", "200ms"] + ["300ms"] * 20


def lead(number):
    """The name has what CSV quotes, and says again which lead it is."""
    return {"type": "lead", "site": ["alice.bio", "bob.bio"][number % 2], "id": f"lead-{number}", "visitor": f"v{number}", "name": f"form-{number}",
            "contact": {"email": f"p{number}@example.com", "name": f"Zoë \"{number}\", of\nlead {number}"},
            "url": f"https://alice.bio/?utm_source=newsletter&utm_campaign=c{number % 7}"}


class Sender(threading.Thread):
    """Sends a few leads at a time until stopped; repeats each request until it is acknowledged."""

    def __init__(self, bell, chance):
        super().__init__(daemon=True)
        self.bell, self.chance = bell, chance
        self.acknowledged, self.repeats = 0, 0
        self.is_stopping = False
        self.fault = None

    def run(self):
        while not self.is_stopping and self.fault is None:
            count = self.chance.randrange(1, 4)
            self.send([lead(number) for number in range(self.acknowledged, self.acknowledged + count)])
            self.acknowledged += count
            time.sleep(self.chance.random() * 0.03)

    def send(self, leads):
        end = time.monotonic() + 30
        answer = "no answer for 30 s"
        while time.monotonic() < end:
            try:
                answer = self.bell.post("/v1/events", leads)
            except (OSError, http.client.HTTPException):
                self.repeats += 1
                time.sleep(0.01)
                continue
            if answer.status == 202:
                return
            if answer.status != 503:
                break
        self.fault = answer


def slow_answer(number, path):
    chance = random.Random(f"{SEED} {number}")
    time.sleep(chance.random() * 0.1 if chance.random() < 0.5 else 0)
    return 500 if chance.random() < 0.15 else 200


class Kills(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}, {KILLS} kills", flush=True)
        self.receivers = {"good": Receiver(secret=SECRET), "slow": Receiver(slow_answer, OLD_SECRET)}
        for receiver in self.receivers.values():
            receiver.server.handle_error = lambda *words: None  # whoever waited for the answer was killed
            self.addCleanup(receiver.close)

    def settle(self, bell):
        """All that is under way has an end, and for a second nothing new begins."""
        wait_for(lambda: bell.metric("linkbell_rollup_lag_seconds") == 0, "the rules", 60)
        quiet_since = time.monotonic()
        end = quiet_since + 90
        while time.monotonic() - quiet_since < 1:
            left = {state: len(bell.get(f"/v1/deliveries?limit=1000&state={state}").json["data"]) for state in ("waiting", "sending")}
            if any(left.values()):
                quiet_since = time.monotonic()
            self.assertLess(time.monotonic(), end, left)
            time.sleep(0.05)

    def test_what_was_acknowledged_arrives_under_one_id(self):
        chance = random.Random(SEED)
        config = CONFIG % (self.receivers["good"].url("/good"), self.receivers["slow"].url("/slow"), ", ".join(RETRIES),
                           ", ".join(COLUMNS), ", ".join(COLUMNS))
        with Linkbell(config, {"LB_TEST_SECRET": SECRET, "LB_TEST_OLD": OLD_SECRET}) as bell:
            bell.ready()
            sender = Sender(bell, random.Random(SEED + 1))
            sender.start()
            for _ in range(KILLS):
                time.sleep(chance.random() * 0.6)
                bell.kill()
                bell.start()
            time.sleep(0.5)
            sender.is_stopping = True
            sender.join(40)
            self.assertIsNone(sender.fault)
            self.settle(bell)
            print(f"{sender.acknowledged} leads acknowledged, {sender.repeats} requests sent again", flush=True)
            self.check_log(bell, sender.acknowledged)
            self.check_messages(sender.acknowledged)
            for name in ("alerts", "leads"):
                with self.subTest(file=name):
                    self.check_file(bell, name, sender.acknowledged)

    def check_log(self, bell, count):
        rows = [json.loads(line) for line in bell.get("/v1/export/events").body.decode().splitlines()]
        self.assertEqual(sorted(row["id"] for row in rows), sorted(f"lead-{number}" for number in range(count)))
        for state in ("dead", "skipped", "held"):
            self.assertEqual(bell.get(f"/v1/deliveries?state={state}").json["data"], [])

    def check_messages(self, count):
        """What came to both, together: a lead's id says which message, and that which bytes."""
        messages, bodies = collections.defaultdict(set), collections.defaultdict(set)
        for name, receiver in self.receivers.items():
            rows = {}  # as a receiver that knows repeats by their id keeps them
            for _, _, headers, body in receiver.received:
                said = json.loads(body)
                self.assertEqual((said["type"], headers["webhook-id"]), ("alert.fired", said["data"]["alert"]))
                messages[said["data"]["event"]["id"]].add(headers["webhook-id"])
                bodies[headers["webhook-id"]].add(body)
                rows[headers["webhook-id"]] = said["data"]["event"]["id"]
            print(f"{name}: {len(receiver.received)} requests, {len(rows)} messages", flush=True)
            self.assertEqual(receiver.bad_signatures, 0)
            self.assertEqual(sorted(rows.values()), sorted(f"lead-{number}" for number in range(count)))
        self.assertEqual({event: ids for event, ids in messages.items() if len(ids) > 1}, {}, "a lead came under two ids")
        self.assertEqual({message: texts for message, texts in bodies.items() if len(texts) > 1}, {}, "a repeat has other bytes")

    def check_file(self, bell, name, count):
        folder = bell.data / "exports"
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["alerts.csv", "leads.csv"])
        text = (folder / f"{name}.csv").read_bytes().decode()
        self.assertTrue(text.endswith("\r\n"))
        header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        self.assertEqual(header, COLUMNS)
        leads = [lead(number) for number in range(count)]
        self.assertEqual([row[1:5] for row in rows],
                         [[one["site"], one["contact"]["email"], one["contact"]["name"], one["name"]] for one in leads])
        self.assertEqual(len({row[5] for row in rows}), count)
        if name == "leads":
            self.assertEqual([row[5] for row in rows], [one["id"] for one in leads])


if __name__ == "__main__":
    unittest.main(verbosity=2)
