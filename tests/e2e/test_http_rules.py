"""What security.md says of HTTP beyond sizes and times: expectations, HEAD, methods, headers on
every answer, order, and peers that close too early or too late."""
import gzip
import json
import socket
import time
import unittest

from harness import CONFIG, Linkbell, wait_for
from wire import SECURITY, Wire, error_of

VIEW = {"type": "view", "site": "alice.bio"}
EVENT = json.dumps(VIEW).encode()
LIMITS = "limits: { body_bytes: 1MiB, header_timeout: 2s, idle_timeout: 5s }\n"
ROUTES = ["/healthz", "/readyz", "/metrics", "/v1/events", "/v1/stats", "/v1/export/events",
          "/v1/export/stats", "/v1/tokens", "/v1/alerts", "/v1/deliveries", "/v1/erase",
          "/v1/verify", "/v1/rebuild", "/r/book-call", "/", "/nothing"]
CORS_ROUTES = {"/api/event", "/e.gif", "/lb.js"}


class Rules(unittest.TestCase):
    config = CONFIG + LIMITS

    @classmethod
    def setUpClass(cls):
        cls.bell = Linkbell(cls.config).ready()

    @classmethod
    def tearDownClass(cls):
        code = cls.bell.stop()
        cls.bell.__exit__(None, None, None)
        assert code == 0, code

    def views(self):
        return self.bell.totals(metrics="views")["views"]


class Expect(Rules):
    def test_100_comes_when_the_head_passed_its_checks(self):
        with Wire(self.bell) as wire:
            for _ in range(2):
                wire.send(wire.head_of_post("Expect: 100-continue", f"Content-Length: {len(EVENT)}"))
                self.assertEqual(wire.answer().status, 100)
                wire.send(EVENT)
                self.assertEqual(wire.answer().status, 202)

    def test_100_waits_for_its_turn(self):
        with Wire(self.bell) as wire:
            wire.post(EVENT)
            wire.send(wire.head_of_post("Expect: 100-continue", f"Content-Length: {len(EVENT)}"))
            self.assertEqual([wire.answer().status for _ in range(2)], [202, 100])
            wire.send(EVENT)
            self.assertEqual(wire.answer().status, 202)

    def test_no_100_where_the_head_is_refused(self):
        expect = ["Expect: 100-continue", "Content-Length: 2"]
        for status, head in ((401, {"token": False}), (415, {"kind": "text/html"}),
                             (404, {"path": "/nothing"}), (405, {"path": "/v1/stats"})):
            with self.subTest(status), Wire(self.bell) as wire:
                wire.send(wire.head_of_post(*expect, **head))
                answer = wire.answer()
                self.assertEqual((answer.status, answer.headers["Connection"]), (status, "close"))
                self.assertEqual(wire.end(), "closed")
        with Wire(self.bell) as wire:
            wire.send(wire.head_of_post(expect[0], "Content-Length: 1048577"))
            self.assertEqual(wire.answer().status, 413)
            self.assertEqual(wire.end(), "closed")

    def test_another_expectation_is_417(self):
        with Wire(self.bell) as wire:
            wire.send(wire.head_of_post("Expect: 200-ok", f"Content-Length: {len(EVENT)}"), EVENT)
            self.assertEqual(wire.answer().status, 417)
            self.assertEqual(wire.end(), "closed")


class Methods(Rules):
    def test_head_equals_get_without_a_body(self):
        with Wire(self.bell) as wire:
            for path, status in (("/healthz", 200), ("/nothing", 404), ("/v1/stats", 401)):
                got = {}
                for method in ("GET", "HEAD"):
                    wire.get(path, method=method)
                    answer = wire.answer(method)
                    self.assertEqual(answer.status, status)
                    got[method] = [(k, v) for k, v in answer.headers.items() if k != "Date"]
                    if method == "GET":
                        self.assertEqual(len(answer.body), int(answer.headers["Content-Length"]))
                self.assertEqual(got["GET"], got["HEAD"])

    def test_head_of_a_streamed_answer_has_no_body(self):
        self.bell.send(VIEW)
        with Wire(self.bell) as wire:
            wire.get("/v1/export/events?site=alice.bio&format=ndjson",
                     f"Authorization: Bearer {self.bell.token}", method="HEAD")
            self.assertEqual(wire.answer("HEAD").status, 200)
            wire.get()
            self.assertEqual(wire.answer().status, 200)

    def test_405_says_what_is_allowed(self):
        with Wire(self.bell) as wire:
            for method, path, allow in (("GET", "/v1/events", "POST"), ("POST", "/healthz", "GET, HEAD"),
                                        ("PUT", "/v1/tokens", "GET, HEAD, POST"),
                                        ("OPTIONS", "/v1/tokens/x", "DELETE"), ("TRACE", "/metrics", "GET, HEAD")):
                wire.get(path, method=method)
                answer = wire.answer()
                self.assertEqual((answer.status, error_of(answer)), (405, "method_not_allowed"))
                self.assertEqual(answer.headers["Allow"], allow)

    def test_an_unknown_method_is_501_and_an_unknown_path_404(self):
        with Wire(self.bell) as wire:
            wire.get("/%2e%2e/healthz")
            answer = wire.answer()
            self.assertEqual((answer.status, error_of(answer)), (404, "not_found"))
            wire.get("/" + "a" * 2000)
            self.assertEqual(wire.answer().status, 404)
            wire.get(method="BREW")
            self.assertEqual(wire.answer().status, 501)
            self.assertEqual(wire.end(), "closed")

    def test_a_path_is_matched_after_one_decoding(self):
        with Wire(self.bell) as wire:
            for path, status in (("/%68ealth%7a", 200), ("/%2568ealthz", 404), ("//healthz", 404),
                                 ("/healthz/", 404), ("/./healthz", 404), ("/healthz%5c", 404)):
                wire.get(path)
                self.assertEqual(wire.answer().status, status, path)


    def test_the_host_of_an_absolute_target_wins_over_the_field(self):
        with Wire(self.bell) as wire:
            for target, host, status in (("http://l.alice.bio/book-call", "other.example", 302),
                                         ("HTTP://L.ALICE.BIO/book-call", "other.example", 302),
                                         ("/book-call", "l.alice.bio", 302), ("/book-call", "other.example", 404),
                                         ("http://other.example/book-call", "l.alice.bio", 404)):
                wire.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
                self.assertEqual(wire.answer().status, status, target)


class Headers(Rules):
    def answers(self):
        """Answers of each kind and status, from the parser's to the handlers'."""
        requests = {
            200: "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400: "GET / HTTP/1.1\r\n\r\n",
            401: "GET /v1/stats HTTP/1.1\r\nHost: a\r\n\r\n", 404: "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n",
            405: "PUT /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
            414: "GET /" + "a" * 8192 + " HTTP/1.1\r\nHost: a\r\n\r\n",
            417: "GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n",
            431: "GET /healthz HTTP/1.1\r\nHost: a\r\n" + "X: y\r\n" * 100 + "\r\n",
            501: "BREW /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        }
        for status, request in requests.items():
            with Wire(self.bell) as wire:
                wire.send(request)
                yield status, wire.answer()
        posts = {202: (EVENT, [], {}), 422: (b"{}", [], {}), 415: (EVENT, [], {"kind": "text/html"}),
                 413: (b"[" + b",".join([EVENT] * 10001) + b"]", [], {}),
                 409: (b"[" + EVENT + b"]", ["Idempotency-Key: k"], {})}
        self.bell.post("/v1/events", VIEW, headers={"Idempotency-Key": "k"})
        for status, (body, fields, options) in posts.items():
            with Wire(self.bell) as wire:
                wire.post(body, *fields, **options)
                yield status, wire.answer()
        with Wire(self.bell) as wire:
            wire.send("GET /healthz HTTP/1.1\r\n")
            yield 408, wire.answer()

    def test_every_answer_has_the_security_headers(self):
        for status, answer in self.answers():
            with self.subTest(status):
                self.assertEqual(answer.status, status)
                for name, value in SECURITY.items():
                    self.assertEqual(answer.headers.get_all(name), [value])
                self.assertEqual(answer.headers["Content-Type"], "application/json")
                self.assertNotIn("Server", answer.headers)
                self.assertEqual(len(answer.headers.get_all("Date")), 1)
                if status >= 400 and status != 422:
                    self.assertEqual(set(answer.json["error"]), {"code", "message", "hint"})

    def test_the_date_is_now(self):
        date = self.bell.get("/healthz").headers["Date"]
        at = time.mktime(time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT")) - time.timezone
        self.assertLess(abs(at - time.time()), 5)

    def test_no_other_route_sends_a_cors_header(self):
        for path in ROUTES:
            for method in ("GET", "POST", "OPTIONS"):
                with self.subTest(path, method=method), Wire(self.bell) as wire:
                    wire.get(path, "Origin: https://evil.example", "Access-Control-Request-Method: POST",
                             f"Authorization: Bearer {self.bell.token}", method=method)
                    answer = wire.answer()
                    found = [name for name in answer.headers if name.lower().startswith("access-control-")]
                    self.assertEqual(found, [])
                    self.assertNotIn(path, CORS_ROUTES)

    def test_two_codings_are_not_taken_for_one(self):
        packed = gzip.compress(EVENT)
        for fields in (["Content-Encoding: gzip", "Content-Encoding: identity"],
                       ["Content-Encoding: identity", "Content-Encoding: gzip"],
                       ["Content-Encoding: gzip", "Content-Encoding: gzip"], ["Content-Encoding: gzip, gzip"]):
            with self.subTest(fields), Wire(self.bell) as wire:
                wire.post(packed, *fields)
                self.assertEqual(wire.answer().status, 415)


class Peers(Rules):
    def test_what_is_pipelined_is_answered_in_order(self):
        before = self.views()
        with Wire(self.bell) as wire:
            for _ in range(20):
                wire.post(EVENT)
                wire.get()
                wire.get("/nothing")
                wire.get(method="HEAD")
            for _ in range(20):
                self.assertEqual([wire.answer(method).status for method in ("POST", "GET", "GET", "HEAD")],
                                 [202, 200, 404, 200])
        self.assertEqual(self.views(), before + 20)

    def test_a_request_that_was_refused_does_not_spoil_the_next(self):
        for path, method, status in (("/nothing", "GET", 404), ("/v1/events", "PUT", 405),
                                     ("/v1/stats", "GET", 401), ("/a", "GET", 404)):
            for after in ("HEAD", "GET"):
                with self.subTest(path, after=after), Wire(self.bell) as wire:
                    wire.send(f"{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"
                              f"{after} /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                    self.assertEqual([wire.answer().status, wire.answer(after).status], [status, 200])

    def test_a_half_closed_peer_gets_all_its_answers(self):
        before = self.views()
        with Wire(self.bell) as wire:
            wire.get()
            wire.post(EVENT)
            wire.post(EVENT)
            wire.get("/nothing")
            wire.socket.shutdown(socket.SHUT_WR)
            self.assertEqual([wire.answer().status for _ in range(4)], [200, 202, 202, 404])
            self.assertEqual(wire.end(), "closed")
        self.assertEqual(self.views(), before + 2)

    def test_a_half_closed_peer_gets_the_whole_of_a_stream(self):
        for _ in range(2):
            self.bell.send(*[dict(VIEW, name="n" * 200) for _ in range(4000)])
        path = "/v1/export/events?site=alice.bio&format=ndjson"
        whole = self.bell.get(path).body
        with Wire(self.bell) as wire:
            wire.get(path, f"Authorization: Bearer {self.bell.token}")
            wire.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(len(wire.answer().body), len(whole))
            self.assertEqual(wire.end(), "closed")

    def test_what_is_cut_short_is_not_acted_upon(self):
        before = self.views()
        for part in (lambda wire: wire.send("GET /healthz HT"),
                     lambda wire: wire.send(wire.head_of_post("Content-Length: 1000"), EVENT, b"\n", EVENT),
                     lambda wire: wire.send(wire.head_of_post("Transfer-Encoding: chunked"),
                                            f"{len(EVENT):x}\r\n", EVENT, "\r\n")):
            with Wire(self.bell) as wire:
                part(wire)
                wire.socket.shutdown(socket.SHUT_WR)
                self.assertEqual(wire.end(), "closed")
        self.assertEqual(self.views(), before)

    def test_a_reset_peer_s_events_are_not_stored(self):
        before = self.views()
        for _ in range(5):
            wire = Wire(self.bell)
            wire.send(wire.head_of_post("Content-Length: 1000", kind="application/x-ndjson"),
                      EVENT, b"\n", EVENT, b"\n")
            wire.reset()
        self.assertEqual(self.views(), before)
        self.settled()

    def test_a_peer_that_leaves_before_its_answer_hurts_nobody(self):
        for _ in range(20):
            wire = Wire(self.bell)
            wire.post(EVENT)
            wire.get("/v1/export/events?site=alice.bio", f"Authorization: Bearer {self.bell.token}")
            wire.reset()
        self.settled()

    def settled(self):
        """Only the connection that asks is open."""
        wait_for(lambda: self.bell.metric("linkbell_connections") == 1, "closed connections")
        self.assertEqual(self.bell.get("/healthz").status, 200)

    def test_a_reset_does_not_destroy_the_closing_answer(self):
        body = b" " * (200 * 1024)
        for status, head in ((401, {"token": False}), (415, {"kind": "text/html"}), (404, {"path": "/nothing"})):
            with self.subTest(status), Wire(self.bell) as wire:
                wire.post(body, **head)
                time.sleep(0.05)
                self.assertEqual(wire.answer().status, status)
                self.assertEqual(wire.end(), "closed")
        with Wire(self.bell) as wire:
            wire.send("GET / HTTP/1.1\r\n\r\n", body)
            self.assertEqual(wire.answer().status, 400)
            self.assertEqual(wire.end(), "closed")

    def check_linger(self, octets, every_s):
        """Sends on after an answer that closes; the seconds and bytes until that has an end."""
        with Wire(self.bell) as wire:
            wire.send("GET / HTTP/1.1\r\n\r\n")
            self.assertEqual(wire.answer().status, 400)
            began, sent = time.monotonic(), 0
            try:
                while time.monotonic() < began + 10:
                    wire.send(octets)
                    sent += len(octets)
                    time.sleep(every_s)
            except OSError:
                pass
            return time.monotonic() - began, sent

    def test_a_closing_connection_is_listened_to_for_a_second_at_most(self):
        seconds, _ = self.check_linger(b"x", 0.02)
        self.assertGreater(seconds, 0.7)
        self.assertLess(seconds, 5)

    def test_a_closing_connection_is_read_for_256_kib_at_most(self):
        _, sent = self.check_linger(b"x" * 65536, 0)
        self.assertLess(sent, 24_000_000)  # the system's buffers hold some of it

    def test_a_connection_serves_many_requests(self):
        with Wire(self.bell) as wire:
            for number in range(300):
                if number % 2:
                    wire.post(EVENT)
                else:
                    wire.get("/healthz", "Connection: keep-alive")
                answer = wire.answer()
                self.assertIn(answer.status, (200, 202))
                self.assertIsNone(answer.headers["Connection"])

    def test_http_1_0_closes_unless_asked_to_stay(self):
        with Wire(self.bell) as wire:
            wire.send("GET /healthz HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            self.assertEqual(wire.answer().headers["Connection"], "keep-alive")
            wire.send("GET /healthz HTTP/1.0\r\n\r\n")
            self.assertEqual(wire.answer().headers["Connection"], "close")
            self.assertEqual(wire.end(), "closed")


class LargeBodies(Rules):
    def lines(self, mark, size):
        """NDJSON of some size, each event with an id of its own, and how many there are."""
        out, number, length = [], 0, 0
        while length < size:
            out.append(json.dumps({**VIEW, "id": f"{mark}-{number}", "name": "x" * (number % 200)}).encode() + b"\n")
            length += len(out[-1])
            number += 1
        return b"".join(out), number

    def test_a_body_is_whole_whatever_pieces_it_comes_in(self):
        """Large ones are read into memory that earlier ones left; what follows in the same piece is the next request."""
        number = 0
        for _ in range(2):
            for size in (20_000, 70_000, 200_000, 900_000):
                for piece in (1_000, 65_536, 100_001, 1 << 21):
                    number += 1
                    with self.subTest(size=size, piece=piece), Wire(self.bell) as wire:
                        body, count = self.lines(number, size)
                        data = wire.head_of_post(f"Content-Length: {len(body)}",
                                                 kind="application/x-ndjson").encode() + body
                        data += b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
                        for at in range(0, len(data), piece):
                            wire.send(data[at:at + piece])
                        answer = wire.answer()
                        self.assertEqual(answer.status, 202, answer)
                        self.assertEqual([answer.json["accepted"], answer.json["rejected"]], [count, 0])
                        self.assertEqual(wire.answer().status, 200)

    def test_a_body_that_is_cut_short_leaves_nothing(self):
        before = self.views()
        for number, cut in enumerate((1, 30_000, 199_000)):
            with Wire(self.bell) as wire:
                body, _ = self.lines(f"cut-{number}", 200_000)
                wire.send(wire.head_of_post(f"Content-Length: {len(body)}", kind="application/x-ndjson"), body[:-cut])
        with Wire(self.bell) as wire:
            wire.post(EVENT)
            self.assertEqual(wire.answer().status, 202)
        self.assertEqual(self.views(), before + 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
