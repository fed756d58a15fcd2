"""The service is killed at random moments while rules of every kind decide: what rang is what an
undisturbed run over the same log says, to the byte, none rang under two ids, and each arrived."""
import json
import os
import random
import threading
import time
import unittest

from harness import rfc3339, wait_for
from test_alerts import World, event
from test_rules import check_id

KILLS = int(os.environ.get("LINKBELL_RULE_KILLS", "8"))
RULES = """
  - { id: each, kind: event, match: { type: lead }, cooldown: 2s, max_per_day: 400, notify: [hook] }
  - { id: first, kind: first_seen, key: [utm_campaign], again_after: 1h, notify: [hook] }
  - { id: flood, kind: threshold, metric: clicks, window: 3s, above: 12, clear: 6, per: [link], resolve: true, cooldown: 1s, notify: [hook] }
  - { id: held, kind: threshold, metric: views, window: 5s, above: 20, for: 1s, cooldown: 1s, notify: [hook] }
  - { id: people, kind: threshold, metric: visitors, window: 4s, above: 15, cooldown: 1s, notify: [hook] }
  - { id: many, kind: burst, metric: clicks_raw, window: 2s, above: 4, cooldown: 1s, notify: [hook] }
  - { id: fifty, kind: milestone, metric: views, every: 50, notify: [hook] }
  - { id: hundred, kind: milestone, metric: visitors, every: 100, notify: [hook] }
  - { id: weak, kind: ctr, window: 1h, min_views: 20, drop: 0.2, confidence: 0.6, notify: [hook] }
  - { id: jump, kind: spike, metric: leads, window: 5m, min: 5, false_alarms: 100/month, notify: [hook] }
  - { id: throng, kind: spike, metric: visitors, window: 5m, min: 5, per: [link], false_alarms: 100/month, notify: [hook] }
"""


class Kills(unittest.TestCase):
    def history(self, world):
        """A day of little, so that spikes know what is usual."""
        now = int(time.time() * 1000)
        rows = [event("lead" if n % 3 == 0 else "click", f"past{n}", ts=now - 3 * 86_400_000 + n * 400_000, link="shop", visitor=f"p{n % 40}")
                for n in range(640)]
        path = world.bell.dir / "history.ndjson"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        world.bell.run("import", "--format", "ndjson", str(path))

    @staticmethod
    def send(world, over, chance):
        """Small requests, each repeated until it is answered."""
        number = 0
        while not over.is_set():
            rows = [event(chance.choice(["view", "view", "click", "click", "lead"]), f"e{number}-{n}", visitor=f"v{chance.randrange(300)}",
                          link=chance.choice(["shop", "book-call"]), url=f"https://alice.bio/?utm_campaign=c{number // 25}")
                    for n in range(chance.randrange(1, 6))]
            while not over.is_set():
                try:
                    world.bell.send(*rows)
                    break
                except (OSError, AssertionError):
                    time.sleep(0.02)
            number += 1
            time.sleep(chance.random() * 0.03)

    def test_what_rang_is_what_an_undisturbed_run_says(self):
        seed = random.randrange(10**6)
        print("seed", seed, flush=True)
        chance = random.Random(seed)
        with World("  - { id: none, kind: event, match: { type: conversion }, notify: [hook] }\n") as world:
            self.history(world)
            world.apply(RULES)
            since = rfc3339(time.time())
            over = threading.Event()
            sender = threading.Thread(target=self.send, args=(world, over, random.Random(seed)))
            sender.start()
            for _ in range(KILLS):
                time.sleep(chance.random() * 0.5)
                world.bell.kill()
                world.bell.start()
            time.sleep(1)
            over.set()
            sender.join()
            wait_for(lambda: world.bell.metric("linkbell_rollup_lag_seconds") == 0, "the rules", 60)
            self.check(world, since)

    def check(self, world, since):
        rows, cursor = [], ""
        while cursor is not None:
            page = world.bell.get("/v1/alerts?limit=1000" + cursor).json
            rows += page["data"]
            cursor = page["next"] and "&cursor=" + page["next"]
        self.assertEqual(len({row["id"] for row in rows}), len(rows))
        for row in rows:
            check_id(self, row)
        told = {row["id"] for row in rows if row["held_back"] is None}
        wait_for(lambda: told <= {b["data"]["alert"] for b in world.receiver.bodies()}, "all messages", 60)
        self.assertLessEqual({b["data"]["alert"] for b in world.receiver.bodies()}, told)
        rang = {}
        for row in rows[::-1]:
            if row["held_back"] is None:
                del row["deliveries"]
                rang.setdefault(row["rule"], []).append(row)
        wait_for(lambda: not world.under_way(), "the end of what is under way", 60)
        for line in RULES.strip().splitlines():
            rule = line.split("id: ")[1].split(",")[0]
            answer = world.bell.post("/v1/rules/backtest", json.dumps({"rule": rule, "from": since}).encode())
            self.assertEqual(answer.status, 200, answer)
            with self.subTest(rule=rule):
                self.assertEqual([json.dumps(a) for a in answer.json["alerts"]], [json.dumps(a) for a in rang.get(rule, [])])
        print({rule: len(found) for rule, found in rang.items()}, flush=True)
        self.assertGreaterEqual(len(rang), 7, rang.keys())


if __name__ == "__main__":
    unittest.main(verbosity=2)
