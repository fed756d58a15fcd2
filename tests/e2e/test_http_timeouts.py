"""The timeouts of `limits:` are absolute, answered and counted; a slow reader is not a dead one."""
import time
import unittest

from harness import CONFIG, Linkbell, wait_for
from wire import Wire, error_of

LIMITS = """
limits: { header_timeout: 300ms, body_timeout: 400ms, idle_timeout: 500ms, write_timeout: 700ms }
"""
LATE_S = 8  # much later than any of them
EVENT = b'{"type":"view","site":"alice.bio"}'


class Timeouts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bell = Linkbell(CONFIG + LIMITS).ready()

    @classmethod
    def tearDownClass(cls):
        cls.bell.__exit__(None, None, None)

    def hits(self, limit):
        return self.bell.metric("linkbell_limit_hits_total", f'{{limit="{limit}"}}')

    def check_timeout(self, wire, limit, seconds):
        """The 408 that comes after so many seconds, and the end."""
        before = self.hits(limit)
        answer = wire.answer()
        self.assertEqual((answer.status, error_of(answer)), (408, "timeout"))
        self.assertEqual(answer.headers["Connection"], "close")
        self.assertIn(f"limits.{limit}", answer.json["error"]["hint"])
        self.assertEqual(wire.end(), "closed")
        self.assertLess(seconds, LATE_S)
        self.assertLessEqual(before, self.hits(limit))
        self.assertGreaterEqual(self.hits(limit), 1)

    def test_dripping_headers_do_not_put_the_timeout_off(self):
        with Wire(self.bell) as wire:
            seconds = wire.drip(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1000)
            self.assertGreater(seconds, 0.25)
            self.check_timeout(wire, "header_timeout", seconds)

    def test_the_headers_of_a_later_request_have_their_own_timeout(self):
        with Wire(self.bell) as wire:
            for _ in range(3):
                wire.get()
                self.assertEqual(wire.answer().status, 200)
                time.sleep(0.2)
            seconds = wire.drip(b"GET /healthz HTTP/1.1\r\n" + b"y" * 1000)
            self.check_timeout(wire, "header_timeout", seconds)

    def test_a_408_waits_for_the_answers_before_it(self):
        with Wire(self.bell) as wire:
            wire.post(EVENT)
            wire.send("GET /healthz HT")
            self.assertEqual(wire.answer().status, 202)
            self.check_timeout(wire, "header_timeout", 0)

    def test_a_dripping_body_does_not_put_the_timeout_off(self):
        with Wire(self.bell) as wire:
            before = self.bell.totals(metrics="views")["views"]
            wire.send(wire.head_of_post("Content-Length: 1000"), EVENT)
            seconds = wire.drip(b" " * (999 - len(EVENT)))
            self.assertGreater(seconds, 0.3)
            self.check_timeout(wire, "body_timeout", seconds)
            self.assertEqual(self.bell.totals(metrics="views")["views"], before)

    def test_a_dripping_chunked_body_does_not_either(self):
        with Wire(self.bell) as wire:
            wire.send(wire.head_of_post("Transfer-Encoding: chunked"))
            self.check_timeout(wire, "body_timeout", wire.drip(b"1\r\n{\r\n" * 200))

    def check_silence(self, wire, began):
        self.assertEqual(wire.end(), "closed")
        self.assertGreater(time.monotonic() - began, 0.4)
        self.assertLess(time.monotonic() - began, LATE_S)

    def test_a_connection_that_never_sends_a_byte_is_closed_silently(self):
        before = self.hits("idle_timeout")
        with Wire(self.bell) as wire:
            self.check_silence(wire, time.monotonic())
        self.assertGreater(self.hits("idle_timeout"), before)

    def test_an_idle_connection_is_closed_silently(self):
        with Wire(self.bell) as wire:
            for _ in range(2):
                wire.get()
                self.assertEqual(wire.answer().status, 200)
                began = time.monotonic()
                time.sleep(0.1)
            self.check_silence(wire, began)

    def test_empty_lines_do_not_keep_a_connection(self):
        with Wire(self.bell) as wire:
            self.assertLess(wire.drip(b"\r\n" * 400), LATE_S)
            self.assertIn(wire.end(), ("closed", "reset"))

    def fill(self):
        """Enough events that their export fills every buffer on its way."""
        batch = [{"type": "view", "site": "bob.bio", "name": "n" * 250}] * 10000
        for _ in range(3):
            self.bell.send(*batch)

    def test_a_peer_that_takes_no_byte_is_reset_and_a_slow_one_is_served(self):
        self.fill()
        path = "/v1/export/events?site=bob.bio&format=ndjson"
        token = f"Authorization: Bearer {self.bell.token}"
        whole = len(self.bell.get(path).body)
        self.assertGreater(whole, 8_000_000)
        with Wire(self.bell, receive_bytes=4096) as dead, \
                Wire(self.bell, receive_bytes=32768) as slow:
            dead.get(path, token)
            slow.get(path, token)
            taken, end = 0, time.monotonic() + 2.0
            while time.monotonic() < end:  # longer than the timeout, a little at a time
                taken += len(slow.socket.recv(8192))
                time.sleep(0.05)
            wait_for(lambda: self.hits("write_timeout") == 1, "the reset")
            self.assertEqual(dead.end(), "reset")
            self.assertLess(taken, whole / 4)
            while taken < whole:
                got = slow.socket.recv(1 << 20)
                self.assertTrue(got, "a slow reader was cut off")
                taken += len(got)
            self.assertEqual(self.hits("write_timeout"), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
