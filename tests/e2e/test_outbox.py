"""The outbox: what uses up an attempt, what holds, pauses or disables a destination,
the breaker, rate, concurrency and order, and how long deliveries are kept."""
import email.utils
import json
import signal
import threading
import time
import unittest

from harness import Linkbell, wait_for
from services import Service

CONFIG = """
server: { listen: 127.0.0.1:0, public_url: "https://l.alice.bio" }
delivery:
  allow_addresses: [127.0.0.0/8]
  jitter: 0
%(delivery)s
sites:
  - { id: alice.bio, timezone: Europe/Paris }
destinations:
  - { id: hook, type: webhook, url: "%(url)s", unsigned: true, retry: %(retry)s%(more)s }
%(others)s
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [hook] }
%(rules)s
"""


class Hook(Service):
    """answers(number, lead's name) gives status, or (status, headers, body)."""
    path = "/in"

    def __init__(self, answers=lambda number, name: 200):
        super().__init__()
        self.answers = answers

    def take(self, method, path, headers, body):
        payload = json.loads(body)
        event = payload["data"].get("event") or {}
        with self.lock:
            number = len(self.received)
            self.received.append(event.get("name"))
            self.times.append(time.monotonic())
            self.headers.append(headers)
        answer = self.answers(number, event.get("name"))
        return answer if isinstance(answer, tuple) else (answer, {}, b"ok")


class World:
    def __init__(self, answers=lambda number, name: 200, retry="[20ms, 20ms, 20ms, 20ms, 20ms]", more="", delivery="",
                 others="", rules="", env=None):
        self.hook = Hook(answers)
        self.parts = {"url": self.hook.url, "retry": retry, "more": more, "delivery": delivery, "others": others,
                      "rules": rules}
        self.bell = Linkbell(CONFIG % self.parts, env)

    def __enter__(self):
        self.bell.ready()
        return self

    def __exit__(self, *words):
        self.bell.__exit__(*words)
        self.hook.__exit__()

    def leads(self, *names):
        self.bell.send(*[{"type": "lead", "site": "alice.bio", "id": "id-" + name, "name": name} for name in names])

    def rows(self, *states, destination="hook"):
        rows = self.bell.get("/v1/deliveries?limit=1000").json["data"]
        return [r for r in rows if r["destination"] == destination and (not states or r["state"] in states)]

    def wait(self, count, *states, destination="hook"):
        return wait_for(lambda: len(self.rows(*states, destination=destination)) >= count
                        and self.rows(*states, destination=destination), f"{count} {states}")

    def reload(self, **parts):
        self.parts.update(parts)
        self.bell.write_config(CONFIG % self.parts)
        log = len(self.bell.log.read_text())
        self.bell.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "event=reloaded" in self.bell.log.read_text()[log:], "the reload")


class Attempts(unittest.TestCase):
    def test_too_many_requests_use_up_no_attempt(self):
        with World(lambda number, name: 429 if number < 12 else 200, retry="[20ms, 20ms]") as world:
            world.leads("a")
            row = world.wait(1, "delivered")[0]
            self.assertEqual((row["attempts"], len(world.hook.received)), (1, 13))

    def test_but_age_ends_them(self):
        with World(lambda number, name: 429, more=", max_age: 300ms") as world:
            world.leads("a")
            row = world.wait(1, "dead")[0]
            self.assertEqual((row["attempts"], row["reason"]), (0, "expired"))

    def test_a_wait_holds_the_whole_destination_but_no_other(self):
        def answers(number, name):
            return (503, {"Retry-After": "2"}, b"") if number == 0 else 200

        with Hook() as other:
            others = f'  - {{ id: other, type: webhook, url: "{other.url}", unsigned: true }}\n'
            rules = "  - { id: too, kind: event, match: { type: lead }, notify: [other] }\n"
            with World(answers, others=others, rules=rules) as world:
                world.leads("a")
                wait_for(lambda: world.hook.received, "the first")
                world.leads("b", "c")
                world.wait(3, "delivered")
                self.assertGreaterEqual(world.hook.times[1] - world.hook.times[0], 1.9)
                self.assertLess(other.times[2], world.hook.times[1])

    def test_a_wait_may_be_a_date(self):
        def answers(number, name):
            return (429, {"Retry-After": email.utils.formatdate(time.time() + 3, usegmt=True)}, b"") if number == 0 else 200

        with World(answers) as world:
            world.leads("a")
            world.wait(1, "delivered")
            self.assertGreaterEqual(world.hook.times[1] - world.hook.times[0], 1.5)

    def test_an_answer_without_end_does_not_undo_its_status(self):
        class Endless(Hook):
            def take(self, method, path, headers, body):
                super().take(method, path, headers, body)
                return 200, {}, b"x" * 300000  # more than is read

        with Endless() as hook:
            with World() as world:
                world.reload(url=hook.url)
                world.leads("a")
                world.wait(1, "delivered")
                self.assertEqual(len(hook.received), 1)

    def test_a_body_that_never_comes_does_not_hold_the_message_up(self):
        release = threading.Event()
        self.addCleanup(release.set)

        class Hanging(Hook):
            def hang(self, handler):
                handler.send_response(200)
                handler.send_header("Content-Length", "100")
                handler.end_headers()
                handler.wfile.flush()
                release.wait(60)

        with Hanging() as hook, World(more=", timeout: 30s, concurrency: 1") as world:
            world.reload(url=hook.url)
            world.leads("a", "b")
            wait_for(lambda: len(world.rows("delivered")) == 2, "both", 25)
            self.assertEqual(len(hook.received), 2)

    def test_what_is_not_severe_enough_is_skipped(self):
        with World(more=", min_severity: warning") as world:
            world.leads("a")
            row = world.wait(1, "skipped")[0]
            self.assertEqual((row["reason"], world.hook.received), ("min_severity", []))


class States(unittest.TestCase):
    def test_a_gone_receiver_is_disabled_and_its_messages_are_held(self):
        with World(lambda number, name: 410 if number == 0 else 200) as world:
            world.leads("a")
            row = world.wait(1, "held")[0]
            self.assertEqual(row["attempts"], 0)
            world.leads("b")
            world.wait(2, "held")
            world.bell.kill()
            world.bell.start()
            world.leads("c")
            world.wait(3, "held")
            self.assertEqual(world.hook.received, ["a"])
            self.assertIn("state=disabled", world.bell.log.read_text())

    def test_another_address_takes_it_up_again(self):
        with Hook() as other, World(lambda number, name: 410) as world:
            world.leads("a", "b")
            world.wait(2, "held")
            world.reload(url=other.url)
            world.wait(2, "delivered")
            self.assertEqual(sorted(other.received), ["a", "b"])

    def test_a_pause_uses_up_no_message_and_a_reload_probes(self):
        good = threading.Event()
        others = '  - { id: slack, type: slack, url_env: LB_SLACK, rate: 1000/s }\n'
        rules = "  - { id: too, kind: event, match: { type: lead }, notify: [slack] }\n"

        class Slack(Service):
            path = "/services/T/B/x"

            def usual(self, number):
                return (200, {}, b"ok") if good.is_set() else (403, {}, b"action_prohibited")

        with Slack() as slack, World(others=others, rules=rules, env={"LB_SLACK": slack.url}) as world:
            world.leads("a")
            wait_for(lambda: "destination=slack state=paused" in world.bell.log.read_text(), "the pause")
            world.leads("b", "c")
            world.wait(3, "delivered")
            rows = world.rows(destination="slack")
            self.assertEqual([(r["state"], r["attempts"]) for r in rows], [("waiting", 0)] * 3)
            self.assertEqual(len(slack.received), 1)
            good.set()
            world.reload()
            world.wait(3, "delivered", destination="slack")

    def test_one_that_never_succeeds_is_disabled(self):
        delivery = "  disable_after: 100ms\n  breaker: { failures: 1000, probe: [20ms] }"
        with World(lambda number, name: 500, delivery=delivery, retry="[" + ", ".join(["20ms"] * 20) + "]") as world:
            world.leads(*[f"n{n}" for n in range(10)])
            world.wait(10, "held")
            self.assertIn("reason=no_success", world.bell.log.read_text())


class Telling(unittest.TestCase):
    """The owner hears of a destination that takes nothing, at the others of delivery.fallback."""

    def told(self, answers, lead_count=1, more=""):
        class Fallback(Service):
            path = "/in"

        with Fallback() as other:
            others = f'  - {{ id: owner, type: webhook, url: "{other.url}", unsigned: true }}\n'
            with World(answers, delivery="  fallback: [hook, owner]", others=others, more=more) as world:
                world.leads(*[f"n{n}" for n in range(lead_count)])
                wait_for(lambda: other.received, "the alert")
                world.wait(lead_count, "dead", "held", "waiting")
                alerts = [a for a in world.bell.get("/v1/alerts").json["data"] if a["rule"] == "linkbell-delivery"]
                to_hook = [r for r in world.rows() if r["rule"] == "linkbell-delivery"]
                return other.received, alerts, to_hook

    def test_a_disabled_one(self):
        received, alerts, to_hook = self.told(lambda number, name: 410)
        self.assertEqual((received[0]["data"]["kind"], received[0]["data"]["group"]), ("system", {"destination": "hook"}))
        self.assertIn("The destination hook is disabled", received[0]["data"]["summary"])
        self.assertEqual((len(alerts), to_hook), (1, []))

    def test_the_first_dead_message_of_an_hour(self):
        received, alerts, to_hook = self.told(lambda number, name: 413, lead_count=5)
        self.assertIn("could not be given a message", received[0]["data"]["summary"])
        self.assertEqual((len(received), len(alerts)), (1, 1))

    def test_a_fallback_that_fails_too_raises_nothing_more(self):
        with World(lambda number, name: 413, delivery="  fallback: [hook, nobody]",
                   others='  - { id: nobody, type: webhook, url: "http://127.0.0.1:1/", unsigned: true, retry: [20ms] }\n'
                   ) as world:
            world.leads("a")
            world.wait(1, "dead")
            world.wait(1, "dead", destination="nobody")
            alerts = [a for a in world.bell.get("/v1/alerts").json["data"] if a["rule"] == "linkbell-delivery"]
            self.assertEqual(len(alerts), 1)


class Breaker(unittest.TestCase):
    def test_an_outage_costs_probes_not_messages(self):
        up = threading.Event()
        delivery = "  breaker: { failures: 5, probe: [50ms, 100ms, 200ms] }"
        with World(lambda number, name: 200 if up.is_set() else 500, retry="[20ms, 20ms, 1h, 1h, 1h]",
                   delivery=delivery) as world:
            world.leads(*[f"n{n}" for n in range(20)])
            wait_for(lambda: "state=open" in world.bell.log.read_text(), "the breaker")
            wait_for(lambda: len(world.hook.received) >= 15, "probes")
            self.assertEqual(world.rows("dead"), [])
            up.set()
            rows = world.wait(20, "delivered")
            self.assertLessEqual(max(r["attempts"] for r in rows), 6)
            self.assertIn("destination=hook state=ok", world.bell.log.read_text())

    def test_one_message_that_cannot_be_digested_closes_nothing(self):
        delivery = "  breaker: { failures: 3, probe: [1h] }"
        with World(lambda number, name: 500 if name == "bad" else 200, delivery=delivery) as world:
            world.leads("bad")
            world.wait(1, "dead")
            world.leads("good")
            world.wait(1, "delivered")

    def test_an_open_breaker_survives_a_restart(self):
        up = threading.Event()
        delivery = "  breaker: { failures: 3, probe: [1h] }"
        with World(lambda number, name: 200 if up.is_set() else 500, delivery=delivery) as world:
            world.leads(*[f"n{n}" for n in range(6)])
            wait_for(lambda: "state=open" in world.bell.log.read_text(), "the breaker")
            up.set()
            world.bell.kill()
            world.bell.start()
            world.wait(6, "delivered")


class Pace(unittest.TestCase):
    def test_as_many_are_under_way_at_one_host_as_are_asked_for(self):
        together = threading.Barrier(16)

        def answer(number, name):
            together.wait(20)
            return 200
        with World(answer, more=", concurrency: 16, timeout: 30s") as world:
            world.bell.send(*[{"type": "lead", "site": "alice.bio", "id": f"l{n}"} for n in range(16)])
            wait_for(lambda: len([r for r in world.bell.get("/v1/deliveries").json["data"] if r["state"] == "delivered"]) == 16, "16 at once", 30)

    def test_one_that_hangs_holds_up_no_other_at_the_same_host(self):
        over = threading.Event()
        world = World(delivery="", rules="  - { id: too, kind: event, match: { type: lead }, notify: [stuck] }")
        usual = world.hook.take

        def take(method, path, headers, body):
            if path == "/stuck":
                over.wait(60)
            return usual(method, path, headers, body)
        world.hook.take = take
        world.parts["others"] = '  - { id: stuck, type: webhook, url: "%s", unsigned: true, timeout: 30s }' % world.hook.url.replace("/in", "/stuck")
        world.bell.write_config(CONFIG % world.parts)
        with world:
            for n in range(40):
                world.bell.send({"type": "lead", "site": "alice.bio", "id": f"l{n}"})
            wait_for(lambda: len([r for r in world.bell.get("/v1/deliveries?destination=hook").json["data"] if r["state"] == "delivered"]) == 40, "40", 20)
            self.assertFalse([r for r in world.bell.get("/v1/deliveries?destination=stuck").json["data"] if r["state"] == "delivered"])
            over.set()

    def test_a_rate_is_kept(self):
        with World(more=", rate: 10/s") as world:
            world.leads(*[f"n{n}" for n in range(12)])
            world.wait(12, "delivered")
            times = sorted(world.hook.times)
            self.assertGreaterEqual(times[-1] - times[0], 0.9)

    def test_so_many_are_under_way_as_may_be(self):
        lock, now, most = threading.Lock(), [0], [0]

        def answers(number, name):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.05)
            with lock:
                now[0] -= 1
            return 200

        with World(answers, more=", concurrency: 2") as world:
            world.leads(*[f"n{n}" for n in range(12)])
            world.wait(12, "delivered")
            self.assertLessEqual(most[0], 2)

    def test_order_is_kept_where_it_is_asked_for(self):
        failed = set()

        def answers(number, name):
            if name in ("n2", "n5") and name not in failed:
                failed.add(name)
                return 500
            return 200

        with World(answers, more=", ordered: true") as world:
            names = [f"n{n}" for n in range(8)]
            for name in names:
                world.leads(name)
            world.wait(8, "delivered")
            self.assertEqual(world.hook.received, ["n0", "n1", "n2", "n2", "n3", "n4", "n5", "n5", "n6", "n7"])


class Keeping(unittest.TestCase):
    def test_what_arrived_goes_and_what_is_dead_stays(self):
        delivery = "  keep_delivered: 500ms\n  keep_dead: 1h"
        with World(lambda number, name: 413 if name == "bad" else 200, delivery=delivery) as world:
            world.leads("good", "bad")
            wait_for(lambda: len(world.hook.received) >= 2 and [r["state"] for r in world.rows()] == ["dead"],
                     "the sweep")
            self.assertEqual(len(world.bell.get("/v1/alerts?rule=hot-lead").json["data"]), 2)

    def test_a_waiting_message_grows_too_old(self):
        delivery = "  keep_delivered: 500ms"
        with World(more=", max_age: 1s, enabled: false", delivery=delivery) as world:
            world.leads("a")
            row = world.wait(1, "dead")[0]
            self.assertEqual((row["reason"], row["attempts"]), ("expired", 0))


class Backlog(unittest.TestCase):
    def test_a_full_destination_gets_no_more_and_its_owner_hears_once(self):
        ops = '  - { id: ops, type: webhook, url: "http://127.0.0.1:1", unsigned: true }'
        with World(more=", max_waiting: 3, enabled: false", delivery="  fallback: [ops]", others=ops) as world:
            world.leads("a", "b", "c", "d", "e")
            rows = world.wait(2, "skipped")
            self.assertEqual([r["reason"] for r in rows], ["backlog"] * 2)
            alerts = world.bell.get("/v1/alerts?rule=hot-lead").json["data"]
            self.assertEqual(sorted(str(a["held_back"]) + a["state"] for a in alerts), ["Nonefiring"] * 3 + ["backlogheld"] * 2)
            self.assertEqual(len(world.bell.get("/v1/alerts?rule=hot-lead&state=held").json["data"]), 2)
            told = wait_for(lambda: world.bell.get("/v1/alerts?rule=linkbell-delivery").json["data"], "the notice", 20)
            self.assertIn("3 messages (max_waiting) waited at the destination hook", told[0]["summary"])
            self.assertEqual([d["destination"] for d in told[0]["deliveries"]], ["ops"])
            world.leads("f")
            wait_for(lambda: 'linkbell_outbox_left_out_total{destination="hook"} 3' in world.bell.get("/metrics").body.decode(), "the metric", 20)
            time.sleep(1)
            self.assertEqual(len(world.bell.get("/v1/alerts?rule=linkbell-delivery").json["data"]), 1)
            # Room again: what comes now is sent, and what was left out can be asked for.
            world.reload(more=", max_waiting: 3")
            world.wait(3, "delivered")
            world.leads("g")
            world.wait(4, "delivered")
            self.assertIn("3", world.bell.run("deliveries", "retry", "--destination", "hook", "--state", "skipped").stdout)
            world.wait(7, "delivered")
            self.assertEqual(sorted(world.hook.received), list("abcdefg"))
            alerts = world.bell.get("/v1/alerts?rule=hot-lead").json["data"]
            self.assertEqual({(a["held_back"], a["state"]) for a in alerts}, {(None, "firing")})

    def test_faults_are_named(self):
        for value in ("0", "many", "10000001"):
            world = World(more=f", max_waiting: {value}")
            done = world.bell.run("apply", "--check", str(world.bell.config), check=False)
            self.assertIn("max_waiting: must be a number from 1 to 10000000", done.stdout + done.stderr)


class Words(unittest.TestCase):
    def test_alerts_wait_for_others_and_are_one_message(self):
        bodies = []

        def answer(number, name):
            return 200
        with World(answer, more=", digest: 2s") as world:
            usual = world.hook.take
            world.hook.take = lambda method, path, headers, body: (bodies.append(json.loads(body)), usual(method, path, headers, body))[1]
            for n in range(5):
                world.bell.send({"type": "lead", "site": "alice.bio", "id": f"l{n}"})
            time.sleep(1)
            self.assertEqual(bodies, [])
            wait_for(lambda: bodies, "the digest")
            time.sleep(0.5)
            self.assertEqual([(b["type"], b["data"]["count"], len(b["data"]["alerts"])) for b in bodies], [("alert.digest", 5, 5)])
            rows = world.bell.get("/v1/deliveries").json["data"]
            self.assertEqual(sorted((r["type"], r["state"]) for r in rows), [("alert.digest", "delivered")] + [("alert.fired", "skipped")] * 5)
            world.bell.send({"type": "lead", "site": "alice.bio", "id": "alone"})
            wait_for(lambda: len(bodies) == 2, "the one")
            self.assertEqual((bodies[1]["type"], bodies[1]["data"]["event"]["id"]), ("alert.fired", "alone"))

    def test_a_destination_has_its_own_words(self):
        bodies = []
        with World(more=', template: "{{event.name}} from {{event.country}}{{event.city}}: {{summary}}"') as world:
            usual = world.hook.take
            world.hook.take = lambda method, path, headers, body: (bodies.append(json.loads(body)), usual(method, path, headers, body))[1]
            world.bell.send({"type": "lead", "site": "alice.bio", "id": "l1", "name": "form", "country": "FR"})
            wait_for(lambda: bodies, "the message")
            self.assertEqual(bodies[0]["data"]["summary"], "form from FR: New lead on alice.bio")
            self.assertIs(bodies[0]["data"]["templated"], True)

    def test_faults_are_named(self):
        for more, words in ((', template: "{{event.contry}}"', 'no alert has "event.contry"; did you mean event.country?'),
                            (', digest: soon', "digest: must be a duration"),
                            (', digest: 1m, transform: "."', "does not go with a transform")):
            world = World(more=more)
            done = world.bell.run("apply", "--check", str(world.bell.config), check=False)
            self.assertIn(words, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
