"""A flooding token, source or address slows no other: each has its own rate and its share of the
queue, and neither idle nor slow connections nor refused requests keep anybody out."""
import contextlib
import json
import resource
import socket
import threading
import unittest

from harness import CONFIG, Linkbell, wait_for

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
SECRET = "a-secret-of-the-source-0123456789"
SOURCES = """
sources:
  - { id: one, kind: generic, site: alice.bio, scheme: url_secret, secrets_env: [LB_ONE], map: { type: view } }
  - { id: two, kind: generic, site: alice.bio, scheme: url_secret, secrets_env: [LB_ONE], map: { type: view } }
"""
ENV = {"LB_ONE": SECRET}


def view(name, site="alice.bio"):
    return {"type": "view", "site": site, "id": name, "visitor": name}


class Flood:
    """Posts bodies of many events over some connections until it is told to stop."""

    def __init__(self, bell, token, connections, events):
        self.bell, self.token, self.events = bell, token, events
        self.is_over = threading.Event()
        self.statuses = []
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(connections)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def run(self, number):
        count = 0
        with contextlib.closing(self.bell.connect()) as connection:
            while not self.is_over.is_set():
                count += 1
                body = "\n".join(json.dumps(view(f"{number}-{count}-{n}", "bob.bio")) for n in range(self.events))
                self.statuses.append(self.bell.post("/v1/events", body.encode(), token=self.token, connection=connection,
                                                    headers={"Content-Type": "application/x-ndjson"}).status)


class Rates(unittest.TestCase):
    def serve(self, limits):
        bell = Linkbell(CONFIG.replace("127.0.0.1:0", "127.0.0.1:0, trusted_proxies: [127.0.0.0/8]") + SOURCES
                        + f"limits: {{ {limits} }}\n", ENV)
        self.addCleanup(bell.__exit__, None, None, None)
        return bell.ready()

    def check(self, bell, limit, flood, other):
        """flood() ends in 429 that says when, other() is taken all the while."""
        answer = wait_for(lambda: [a for a in [flood()] if a.status == 429], "a refusal")[0]
        self.assertEqual(answer.json["error"]["code"], "rate_limited")
        self.assertIn(f"limits.{limit}", answer.json["error"]["message"])
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.assertIn(other().status, (200, 202))
        self.assertGreaterEqual(bell.metric("linkbell_limit_hits_total", f'{{limit="{limit}"}}'), 1)

    def test_a_token_has_its_own_rate(self):
        bell = self.serve("rate: 2")
        other = bell.make_token("ingest")
        names = iter(range(10 ** 6))
        self.check(bell, "rate", lambda: bell.post("/v1/events", [view(f"a{next(names)}") for _ in range(40)]),
                   lambda: bell.post("/v1/events", view("b"), token=other))
        # After so many the answer tells how long they take.
        answer = bell.post("/v1/events", [view(f"a{next(names)}") for _ in range(2)])
        self.assertEqual(answer.status, 429)
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 5)

    def test_a_source_has_its_own_rate(self):
        bell = self.serve("rate_per_source: 1")
        count = iter(range(10 ** 6))
        self.check(bell, "rate_per_source",
                   lambda: bell.post(f"/in/one/{SECRET}", {"n": next(count)}, token=False),
                   lambda: bell.post(f"/in/two/{SECRET}", {"n": next(count)}, token=False))
        # Who does not know the secret uses nothing up.
        for _ in range(20):
            self.assertEqual(bell.post("/in/two/" + "x" * 33, {"n": 0}, token=False).status, 401)

    def test_an_address_has_its_own_rate(self):
        bell = self.serve("rate_per_ip: 1")

        def page(address):
            return bell.post("/api/event", {"n": "pageview", "d": "alice.bio", "u": "https://alice.bio/"}, token=False,
                             headers={"User-Agent": AGENT, "X-Forwarded-For": address})

        self.check(bell, "rate_per_ip", lambda: page("192.0.2.1"), lambda: page("192.0.2.2"))
        # Its visitors are still led on; that their clicks are lost is told.
        hits = bell.metric("linkbell_limit_hits_total", '{limit="rate_per_ip"}')
        for _ in range(20):
            answer = bell.get("/r/shop", token=False, headers={"User-Agent": AGENT, "X-Forwarded-For": "192.0.2.3"})
            self.assertEqual(answer.status, 302)
        self.assertGreater(bell.metric("linkbell_limit_hits_total", '{limit="rate_per_ip"}'), hits)
        def clicks():
            return bell.stats("site=alice.bio&metrics=clicks_raw&traffic=all")["totals"]["clicks_raw"]

        wait_for(lambda: clicks() + bell.metric("linkbell_events_total", '{type="click",result="lost"}') == 20, "every click, stored or lost")
        self.assertLess(clicks(), 20)
        wait_for(lambda: bell.stats("site=alice.bio")["meta"]["coverage"] == "gap", "the gap")


class Queue(unittest.TestCase):
    def test_who_floods_leaves_room_and_turns_to_others(self):
        with Linkbell(CONFIG + "limits: { queue_events: 1000 }\n") as bell:
            bell.ready()
            other = bell.make_token("ingest")
            with Flood(bell, other, 8, 400) as flood:
                wait_for(lambda: flood.statuses.count(503) > 3, "a full queue")
                for n in range(100):
                    self.assertEqual(bell.post("/v1/events", view(f"a{n}")).status, 202)
                self.assertEqual(go(bell).status, 302)
            self.assertEqual(set(flood.statuses), {202, 503})
            self.assertEqual(bell.totals(metrics="views")["views"], 100)
            self.assertEqual(bell.totals("bob.bio", "views")["views"], 400 * flood.statuses.count(202))
            self.assertEqual(bell.stats("site=alice.bio")["meta"]["coverage"], "complete")


def go(bell):
    return bell.get("/r/shop", token=False, headers={"User-Agent": AGENT})


class Crowd(unittest.TestCase):
    """Neither a crowd of idle and slow connections nor refused requests shut anybody out."""

    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.count = min(2000, hard // 2 - 200)

    def test_a_well_behaved_sender_is_answered(self):
        with Linkbell(CONFIG) as bell, contextlib.ExitStack() as stack:
            bell.ready()
            idle = [stack.enter_context(socket.create_connection(("127.0.0.1", bell.port))) for _ in range(self.count)]
            slow = idle[:100]
            is_over = threading.Event()
            threads = [threading.Thread(target=self.drip, args=(slow, is_over)),
                       *[threading.Thread(target=self.refused, args=(bell, is_over)) for _ in range(4)]]
            for thread in threads:
                thread.start()
            try:
                connection = stack.enter_context(contextlib.closing(bell.connect()))
                for n in range(200):
                    answer = bell.post("/v1/events", view(f"a{n}"), connection=connection)
                    self.assertEqual(answer.status, 202, answer)
            finally:
                is_over.set()
                for thread in threads:
                    thread.join()
            self.assertEqual(bell.totals(metrics="views")["views"], 200)

    @staticmethod
    def drip(wires, is_over):
        for byte in b"POST /v1/events HTTP/1.1\r\nHost: a\r\nX-Slow: " + b"a" * 10000:
            for wire in wires:
                with contextlib.suppress(OSError):
                    wire.send(bytes([byte]))
            if is_over.wait(0.02):
                return

    @staticmethod
    def refused(bell, is_over):
        with contextlib.closing(bell.connect()) as connection:
            while not is_over.is_set():
                for token, body in (("lb_wrong", view("x")), (bell.token, {"type": "view", "site": "nobody.bio"}),
                                    (bell.token, b"{")):
                    with contextlib.suppress(OSError):
                        answer = bell.post("/v1/events", body, token=token, connection=connection,
                                           headers={"Content-Type": "application/json"})
                        assert answer.status in (400, 401, 422, 429), answer


if __name__ == "__main__":
    unittest.main(verbosity=2)
