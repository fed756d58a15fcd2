"""Each size and number of `limits:` that a request can pass: its status, its code, whether
the connection closes, that the answer names the limit, that the limit is counted."""
import gzip
import json
import signal
import unittest

from harness import CONFIG, Linkbell, wait_for
from wire import Wire, error_of

LIMITS = """
limits:
  request_line: 256
  header_bytes: 2KiB
  header_count: 8
  body_bytes: 64KiB
  body_inflated: 128KiB
  events_per_request: 5
  event_bytes: 2KiB
  json_depth: 5
  text_bytes: 100
  inflight_bytes: 256KiB
"""
VIEW = {"type": "view", "site": "alice.bio"}
NDJSON = "application/x-ndjson"


class Limits(unittest.TestCase):
    config = CONFIG + LIMITS

    @classmethod
    def setUpClass(cls):
        cls.bell = Linkbell(cls.config).ready()

    @classmethod
    def tearDownClass(cls):
        code = cls.bell.stop()
        cls.bell.__exit__(None, None, None)
        assert code == 0, code

    def hits(self, limit):
        return self.bell.metric("linkbell_limit_hits_total", f'{{limit="{limit}"}}')

    def views(self):
        return self.bell.totals(metrics="views")["views"]

    def check(self, wire, limit, status, code, closes=True):
        """The answer that names the limit; what then becomes of the connection."""
        answer = wire.answer()
        self.assertEqual((answer.status, error_of(answer)), (status, code), answer)
        said = answer.json["error"]
        self.assertIn(f"limits.{limit}", f"{said['message']} {said['hint']}")
        self.assertEqual(answer.headers["Connection"], "close" if closes else None)
        if closes:
            self.assertEqual(wire.end(), "closed")
        else:
            wire.get()
            self.assertEqual(wire.answer().status, 200)
        return answer


class Heads(Limits):
    def check_head(self, limit, status, code, line, *fields):
        before = self.hits(limit)
        with Wire(self.bell) as wire:
            wire.send(line + "\r\nHost: a\r\n", *fields, "\r\n")
            self.check(wire, limit, status, code)
        self.assertEqual(self.hits(limit), before + 1)

    def test_a_long_request_line_is_414(self):
        line = "GET /healthz?{} HTTP/1.1"
        fits = line.format("a" * (256 - len(line) + 2))
        with Wire(self.bell) as wire:
            wire.send(fits + "\r\nHost: a\r\n\r\n")
            self.assertEqual(wire.answer().status, 200)
        self.check_head("request_line", 414, "uri_too_long", fits.replace("?", "?a"))

    def test_many_bytes_of_fields_are_431(self):
        self.check_head("header_bytes", 431, "headers_too_large", "GET /healthz HTTP/1.1",
                        "X: " + "y" * 2048 + "\r\n")

    def test_many_fields_are_431(self):
        fields = [f"X{n}: y\r\n" for n in range(7)]
        with Wire(self.bell) as wire:
            wire.send("GET /healthz HTTP/1.1\r\nHost: a\r\n", *fields, "\r\n")
            self.assertEqual(wire.answer().status, 200)
        self.check_head("header_count", 431, "headers_too_large", "GET /healthz HTTP/1.1",
                        *fields, "X: y\r\n")


class Bodies(Limits):
    def check_body(self, limit, status, code, body, *fields, closes=True, **options):
        before, views = self.hits(limit), self.views()
        with Wire(self.bell) as wire:
            wire.post(body, *fields, **options)
            answer = self.check(wire, limit, status, code, closes)
        self.assertEqual(self.hits(limit), before + 1)
        self.assertEqual(self.views(), views)
        return answer

    def test_a_long_body_is_413_before_it_comes(self):
        before = self.hits("body_bytes")
        for announced in ("65537", "9223372036854775807"):
            with Wire(self.bell) as wire:
                wire.send(wire.head_of_post(f"Content-Length: {announced}"))
                self.check(wire, "body_bytes", 413, "too_large")
        for chunk in ("10001\r\n", "ffffffffffffffff\r\n"):
            with Wire(self.bell) as wire:
                wire.send(wire.head_of_post("Transfer-Encoding: chunked"), chunk)
                self.check(wire, "body_bytes", 413, "too_large")
        self.assertEqual(self.hits("body_bytes"), before + 4)

    def test_the_longest_body_is_taken_however_it_comes(self):
        body = json.dumps(VIEW).encode()
        body = b" " * (65536 - len(body)) + body
        chunked = b"".join(b"1000\r\n" + body[at:at + 4096] + b"\r\n" for at in range(0, 65536, 4096))
        with Wire(self.bell) as wire:
            wire.post(body)
            self.assertEqual(wire.answer().status, 202)
            wire.send(wire.head_of_post("Transfer-Encoding: chunked"), chunked, "0\r\n\r\n")
            self.assertEqual(wire.answer().status, 202)
            wire.send(wire.head_of_post("Transfer-Encoding: chunked"), chunked, "1\r\n")
            self.check(wire, "body_bytes", 413, "too_large")

    def test_a_body_that_unpacks_to_too_much_is_413(self):
        self.check_body("body_inflated", 413, "too_large", gzip.compress(b" " * 131073),
                        "Content-Encoding: gzip", closes=False)
        self.check_body("body_inflated", 413, "too_large", gzip.compress(b" " * 60_000_000),
                        "Content-Encoding: gzip", closes=False)

    def test_many_events_are_413_and_none_is_stored(self):
        self.check_body("events_per_request", 413, "too_many_events",
                        json.dumps([VIEW] * 6).encode(), closes=False)
        self.check_body("events_per_request", 413, "too_many_events",
                        b"\n".join([json.dumps(VIEW).encode()] * 6), kind=NDJSON, closes=False)

    def test_deep_json_is_400(self):
        self.check_body("json_depth", 400, "json_too_deep", b"[" * 6 + b"]" * 6, closes=False)

    def post(self, body, kind):
        with Wire(self.bell) as wire:
            wire.post(body, kind=kind)
            return wire.answer()

    def check_event(self, limit, code, bad):
        """One event of two is refused; the limit is counted."""
        before, views = self.hits(limit), self.views()
        good = json.dumps(VIEW).encode()
        answers = [self.post(bad + b"\n" + good, NDJSON)]
        if code != "bad_json":
            answers += [self.post(b"[" + bad + b"," + good + b"]", "application/json")]
        for answer in answers:
            self.assertEqual(answer.status, 202, answer)
            self.assertEqual((answer.json["accepted"], answer.json["rejected"]), (1, 1))
            self.assertEqual(answer.json["errors"][0]["code"], code)
        self.assertEqual(self.hits(limit), before + len(answers))
        self.assertEqual(self.views(), views + len(answers))

    def test_a_large_event_is_refused_alone_and_counted(self):
        self.check_event("event_bytes", "event_too_large",
                         json.dumps(dict(VIEW, props={f"k{n}": "x" * 90 for n in range(30)})).encode())

    def test_a_long_text_is_refused_alone_and_counted(self):
        self.check_event("text_bytes", "too_long", json.dumps(dict(VIEW, name="n" * 101)).encode())

    def test_a_deep_line_is_refused_alone_and_counted(self):
        self.check_event("json_depth", "bad_json", b"[" * 6 + b"]" * 6)


class Held(Limits):
    config = CONFIG + """
limits: { body_bytes: 200KiB, body_inflated: 4MiB, inflight_bytes: 256KiB, event_bytes: 1MiB }
"""

    def test_bodies_of_all_connections_together_are_503_past_the_limit(self):
        body = json.dumps(VIEW).encode()
        before, views = self.hits("inflight_bytes"), self.views()
        with Wire(self.bell) as first, Wire(self.bell) as second:
            # The first holds most of the room, without end.
            first.send(first.head_of_post("Content-Length: 204800"), body, b" " * (170 * 1024))
            wait_for(lambda: self.is_over(second, before), "a body too many")
            answer = second.answer()
            self.assertEqual((answer.status, error_of(answer)), (503, "overloaded"))
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
            self.assertEqual(second.end(), "closed")
            # Small ones still come in, and what was held is taken.
            self.bell.send(VIEW)
            first.send(b" " * (204800 - len(body) - 170 * 1024))
            self.assertEqual(first.answer().status, 202)
        with Wire(self.bell) as third:
            third.post(body + b" " * (150 * 1024))
            self.assertEqual(third.answer().status, 202)
        self.assertEqual(self.views(), views + 3)

    def is_over(self, wire, before):
        """Sends on until the limit is counted."""
        if self.hits("inflight_bytes") > before:
            return True
        if not hasattr(wire, "begun"):
            wire.begun = True
            wire.send(wire.head_of_post("Content-Length: 204800"))
        try:
            wire.send(b" " * 16384)
        except OSError:
            pass  # it has closed, so it is over
        return False

    def test_what_a_body_unpacks_to_counts_too(self):
        events = [dict(VIEW, id=f"u{n}", name="n" * 200) for n in range(2000)]
        body = json.dumps(events).encode()
        self.assertGreater(len(body), 262144)
        before, views = self.hits("inflight_bytes"), self.views()
        with Wire(self.bell) as wire:
            wire.post(gzip.compress(body), "Content-Encoding: gzip")
            answer = self.check(wire, "inflight_bytes", 503, "overloaded", closes=False)
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.assertEqual((self.hits("inflight_bytes"), self.views()), (before + 1, views))
        with Wire(self.bell) as wire:
            for _ in range(5):  # what was held is given back
                wire.post(gzip.compress(json.dumps(events[:500]).encode()), "Content-Encoding: gzip")
                self.assertEqual(wire.answer().status, 202)
        self.assertEqual(self.views(), views + 500)


class Reload(unittest.TestCase):
    def test_new_limits_hold_after_sighup(self):
        with Linkbell(CONFIG) as bell:
            bell.ready()
            bell.write_config(CONFIG + "limits: { body_bytes: 1KiB }\n")
            bell.process.send_signal(signal.SIGHUP)
            wait_for(lambda: bell.post("/v1/events", [VIEW] * 100).status == 413, "the new limit")
            self.assertEqual(bell.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
