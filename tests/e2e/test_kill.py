"""The service is killed with SIGKILL at random moments under load.  Clients repeat what
was not acknowledged.  In the end every acknowledged event is there once, no alert has
two ids, nothing was announced that is not in the log, and verify finds no difference.

LINKBELL_KILLS (50) and LINKBELL_SEED set the length and the moments."""
import hashlib
import http.client
import json
import os
import random
import threading
import time
import unittest

from harness import Linkbell, Receiver, wait_for

KILLS = int(os.environ.get("LINKBELL_KILLS", "50"))
SEED = int(os.environ.get("LINKBELL_SEED", str(int(time.time()))))
SENDERS = 3
BATCH = 40
LEAD_EVERY = 400

CONFIG = """
server: { listen: 127.0.0.1:0 }
delivery: { allow_addresses: [127.0.0.0/8], jitter: 0 }
bots: { burst_per_minute: 10000 }
sites:
  - { id: alice.bio, timezone: Europe/Paris }
destinations:
  - { id: hook, type: webhook, url: "http://127.0.0.1:%d/", unsigned: true, retry: [50ms, 100ms, 200ms, 500ms, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s] }
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [hook] }
  - { id: first-campaign, kind: first_seen, match: { type: view }, key: [utm_campaign], max_per_day: 100000, notify: [hook] }
"""


class Sender(threading.Thread):
    """Sends batches until stopped; repeats each until it is acknowledged."""

    def __init__(self, bell, number):
        super().__init__(daemon=True)
        self.bell, self.number = bell, number
        self.acknowledged = []
        self.is_stopping = False
        self.repeats = 0
        self.fault = None

    def batch(self, first):
        lines = []
        for n in range(first, first + BATCH):
            kind = "lead" if n % LEAD_EVERY == 0 else "view" if n % 3 else "click"
            lines.append(json.dumps({
                "type": kind, "site": "alice.bio", "id": f"s{self.number}-{n}",
                "visitor": f"v{n % 500}", "link": "shop",
                "url": f"https://alice.bio/?utm_campaign=c{self.number}-{n // 2000}"}))
        return "\n".join(lines).encode()

    def run(self):
        first = 0
        connection = None
        while not self.is_stopping:
            try:
                connection = connection or self.bell.connect(5)
                answer = self.bell.post("/v1/events", self.batch(first), connection=connection,
                                        headers={"Content-Type": "application/x-ndjson"})
            except (OSError, http.client.HTTPException):
                connection = None
                self.repeats += 1
                time.sleep(0.005)
                continue
            if answer.status == 503:
                time.sleep(0.01)
                continue
            if answer.status != 202:
                self.fault = answer
                return
            got = answer.json
            if got["accepted"] + got["duplicates"] != BATCH:
                self.fault = answer
                return
            self.acknowledged += [f"s{self.number}-{n}" for n in range(first, first + BATCH)]
            first += BATCH


def alert_id(rule, group, occasion):
    parts = [rule, "alice.bio", group, occasion]
    joined = b"".join(part.encode() + b"\0" for part in parts)
    return "al_" + hashlib.sha256(joined).hexdigest()[:16]


def all_pages(bell, path):
    rows, cursor = [], None
    while True:
        more = f"&cursor={cursor}" if cursor else ""
        got = bell.get(f"{path}?limit=1000{more}").json
        rows += got["data"]
        cursor = got["next"]
        if not cursor:
            return rows


class Kill(unittest.TestCase):
    def run_load(self, bell, dice):
        senders = [Sender(bell, n) for n in range(SENDERS)]
        up_s = 0.0
        bell.ready()
        for sender in senders:
            sender.start()
        for _ in range(KILLS):
            start = time.monotonic()
            time.sleep(dice.uniform(0.02, 0.5))
            bell.kill()
            up_s += time.monotonic() - start
            bell.start()
        for sender in senders:
            sender.is_stopping = True
            sender.join(30)
            self.assertIsNone(sender.fault)
        return senders, up_s

    def test_nothing_is_lost_or_counted_twice(self):
        print(f"seed {SEED}, {KILLS} kills")
        dice = random.Random(SEED)
        with Receiver() as receiver, Linkbell(CONFIG % receiver.port) as bell:
            senders, up_s = self.run_load(bell, dice)
            sent = [name for sender in senders for name in sender.acknowledged]
            rate = len(sent) / up_s
            print(f"{len(sent)} events acknowledged in {up_s:.1f} s, {rate:.0f}/s, "
                  f"{sum(s.repeats for s in senders)} requests repeated")
            self.assertGreaterEqual(rate, 1000)
            self.check_log(bell, sent)
            self.check_alerts(bell, receiver)
            done = bell.run("verify", check=False, timeout=300)
            self.assertEqual(done.returncode, 0, done.stdout[-2000:])

    def check_log(self, bell, sent):
        rows = bell.get("/v1/export/events?site=alice.bio").body.decode().splitlines()
        self.events = [json.loads(row) for row in rows]
        ids = [event["id"] for event in self.events]
        self.assertEqual(len(ids), len(set(ids)), "an event was stored twice")
        self.assertEqual(set(sent) - set(ids), set(), "an acknowledged event is lost")
        totals = bell.totals(metrics="views,clicks_raw,leads")
        for metric, kind in (("views", "view"), ("clicks_raw", "click"), ("leads", "lead")):
            self.assertEqual(totals[metric], sum(e["type"] == kind for e in self.events), metric)

    def check_alerts(self, bell, receiver):
        leads = {e["id"] for e in self.events if e["type"] == "lead"}
        want = {alert_id("hot-lead", "{}", name) for name in leads}
        seen = set()
        for event in self.events:
            campaign = event["utm"]["campaign"]
            if event["type"] == "view" and campaign not in seen:
                seen.add(campaign)
                group = json.dumps({"utm_campaign": campaign}, separators=(",", ":"))
                want.add(alert_id("first-campaign", group, event["id"]))
        alerts = all_pages(bell, "/v1/alerts")
        got = [alert["id"] for alert in alerts]
        self.assertEqual(len(got), len(set(got)))
        self.assertEqual(set(got), want)
        wait_for(lambda: not bell.get("/v1/deliveries?state=waiting&limit=1").json["data"]
                 and not bell.get("/v1/deliveries?state=sending&limit=1").json["data"],
                 "all messages", 120)
        self.assertEqual({b["data"]["alert"] for b in receiver.bodies()}, want)
        for at, path, headers, body in receiver.received:
            self.assertEqual(headers["webhook-id"], json.loads(body)["data"]["alert"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
