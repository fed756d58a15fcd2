"""POST /v1/events: who may send, in which form, what is refused and how, and what is
counted once."""
import gzip
import http.client
import json
import socket
import struct
import threading
import time
import unittest

from harness import CONFIG, Linkbell, rfc3339, wait_for

NDJSON = {"Content-Type": "application/x-ndjson"}
VIEW = {"type": "view", "site": "alice.bio"}


def zstd(data):
    """A frame of one raw block (RFC 8878), for up to 255 bytes."""
    block = struct.pack("<I", len(data) << 3 | 1)[:3]
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(data)]) + block + data


def lines(*events):
    return "\n".join(json.dumps(event) for event in events).encode()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(str(self.path))


class Ingest(unittest.TestCase):
    config = CONFIG

    @classmethod
    def setUpClass(cls):
        cls.bell = Linkbell(cls.config).ready()

    @classmethod
    def tearDownClass(cls):
        code = cls.bell.stop()
        cls.bell.__exit__(None, None, None)
        assert code == 0, code

    def post(self, body, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers.setdefault("Content-Type", "application/json")
        return self.bell.post("/v1/events", body, headers=headers)

    def check_error(self, answer, status, code):
        self.assertEqual(answer.status, status, answer)
        error = answer.json["error"]
        self.assertEqual(error["code"], code, answer)
        self.assertTrue(error["message"])
        return error

    def check_counts(self, answer, accepted, duplicates, rejected):
        self.assertEqual(answer.status, 202 if accepted + duplicates else 422, answer)
        got = answer.json
        self.assertEqual((got["accepted"], got["duplicates"], got["rejected"]),
                         (accepted, duplicates, rejected), answer)
        return got["errors"]

    def rows(self, site="alice.bio"):
        body = self.bell.get(f"/v1/export/events?site={site}").body.decode()
        return [json.loads(line) for line in body.splitlines()]

    def row(self, event_id, site="alice.bio"):
        found = [row for row in self.rows(site) if row["id"] == event_id]
        self.assertEqual(len(found), 1, found)
        return found[0]


class Senders(Ingest):
    def test_a_full_request_of_refused_events_is_answered(self):
        with Linkbell() as bell:
            bell.ready()
            body = "[" + ",".join(["{}"] * 10000) + "]"
            answer = bell.post("/v1/events", body.encode(), headers={"Content-Type": "application/json"})
            self.assertEqual((answer.status, answer.json["rejected"], len(answer.json["errors"])), (422, 10000, 100))

    def test_without_a_good_token_it_is_the_same_401(self):
        bodies = set()
        for value in (None, "Bearer", "Bearer lb_x", "Basic eDp5", "Bearer " + "lb_" + "a" * 49):
            headers = {"Content-Type": "application/json"}
            if value:
                headers["Authorization"] = value
            answer = self.bell.post("/v1/events", json.dumps(VIEW), headers=headers, token=False)
            self.check_error(answer, 401, "unauthorized")
            self.assertTrue(answer.headers["WWW-Authenticate"].startswith("Bearer"))
            bodies.add(answer.body)
        self.assertEqual(len(bodies), 1)

    def test_auth_is_checked_before_the_body_is_sent(self):
        with socket.create_connection(("127.0.0.1", self.bell.port), 10) as sock:
            sock.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                         b"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
            self.assertTrue(sock.recv(100).startswith(b"HTTP/1.1 401 "))

    def test_a_body_is_invited_once_the_head_is_fine(self):
        body = json.dumps(VIEW).encode()
        with socket.create_connection(("127.0.0.1", self.bell.port), 10) as sock:
            sock.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                         b"Authorization: Bearer %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n"
                         % (self.bell.token.encode(), len(body)))
            self.assertTrue(sock.recv(100).startswith(b"HTTP/1.1 100 "))
            sock.sendall(body)
            self.assertTrue(sock.recv(1000).startswith(b"HTTP/1.1 202 "))

    def test_another_scope_is_403(self):
        token = self.bell.make_token("read")
        answer = self.bell.post("/v1/events", VIEW, token=token)
        self.check_error(answer, 403, "scope")

    def test_a_revoked_token_is_401(self):
        made = json.loads(self.bell.run("token", "create", "--scope", "ingest", "--json").stdout)
        self.assertEqual(self.bell.post("/v1/events", VIEW, token=made["token"]).status, 202)
        self.bell.run("token", "revoke", made["id"])
        self.check_error(self.bell.post("/v1/events", VIEW, token=made["token"]), 401, "unauthorized")

    def test_a_site_that_is_not_the_tokens_is_unknown_to_it(self):
        token = self.bell.make_token("ingest", "--site", "bob.bio")
        answer = self.bell.post("/v1/events", [VIEW, {"type": "view", "site": "bob.bio"},
                                               {"type": "view", "site": "nobody.bio"}], token=token)
        errors = self.check_counts(answer, 1, 0, 2)
        self.assertEqual([e["code"] for e in errors], ["unknown_site"] * 2)
        self.assertEqual([e["index"] for e in errors], [0, 2])

    def test_only_post_is_offered(self):
        answer = self.bell.get("/v1/events")
        self.check_error(answer, 405, "method_not_allowed")
        self.assertEqual(answer.headers["Allow"], "POST")


class Forms(Ingest):
    def test_an_object_an_array_and_lines_are_taken(self):
        self.check_counts(self.post(json.dumps(VIEW)), 1, 0, 0)
        self.check_counts(self.post(json.dumps([VIEW, VIEW])), 2, 0, 0)
        answer = self.post(lines(VIEW, VIEW, VIEW), Content_Type="application/x-ndjson")
        self.check_counts(answer, 3, 0, 0)
        self.assertEqual(answer.headers["Content-Type"].split(";")[0], "application/json")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")

    def test_blank_lines_and_cr_are_skipped_and_a_bad_line_is_refused_alone(self):
        body = b"\r\n" + json.dumps(VIEW).encode() + b"\r\n  \n{bad\n\n" + json.dumps(VIEW).encode()
        errors = self.check_counts(self.post(body, Content_Type="application/x-ndjson"), 2, 0, 1)
        self.assertEqual((errors[0]["index"], errors[0]["code"]), (1, "bad_json"))

    def test_content_types(self):
        body = json.dumps(VIEW)
        for kind, status in (("application/json; charset=utf-8", 202), ("APPLICATION/JSON", 202),
                             ("text/plain", 415), ("application/jsonx", 415), ("", 415)):
            answer = self.post(body, Content_Type=kind)
            self.assertEqual(answer.status, status, kind)
        self.check_error(self.post(body, Content_Type="text/plain"), 415, "unsupported_media_type")

    def test_packed_bodies(self):
        body = json.dumps(VIEW).encode()
        for name, packed, status in (("gzip", gzip.compress(body), 202), ("zstd", zstd(body), 202),
                                     ("identity", body, 202), ("GZIP", gzip.compress(body), 202),
                                     ("br", body, 415), ("gzip, gzip", body, 415),
                                     ("deflate", body, 415),
                                     ("gzip", gzip.compress(body)[:-4], 400),
                                     ("gzip", gzip.compress(body) + b"x", 400),
                                     ("zstd", zstd(body) + b"x", 400),
                                     ("zstd", zstd(body)[:-1], 400), ("gzip", body, 400)):
            answer = self.post(packed, Content_Encoding=name)
            self.assertEqual(answer.status, status, (name, answer))
            if status == 400:
                self.check_error(answer, 400, "bad_encoding")
            elif status == 415:
                self.check_error(answer, 415, "unsupported_media_type")

    def test_a_large_body_takes_the_same_way(self):
        events = [dict(VIEW, id=f"large-{n}", url="/" + "x" * 200) for n in range(2000)]
        self.check_counts(self.post(json.dumps(events)), 2000, 0, 0)
        packed = gzip.compress(lines(*events))
        self.check_counts(self.post(packed, Content_Type="application/x-ndjson",
                                    Content_Encoding="gzip"), 0, 2000, 0)

    def test_nothing_in_it_is_no_events(self):
        for body in ("[]", "", " \n ", " [ ] "):
            self.check_error(self.post(body), 400, "no_events")
        for body in ("", "\n\r\n \n"):
            self.check_error(self.post(body, Content_Type="application/x-ndjson"), 400, "no_events")

    def test_json_that_is_none_is_told_with_line_and_column(self):
        one = json.dumps(VIEW)
        bad = ["{", one + "x", one + one, "[" + one + ",]", "{'type':1}", "NaN", "[01]", "[1.]", "// x\n" + one,
               '{"a":"\\ud800"}', '{"a":"\\u0000"}', '{"a":"\t"}', "[" + one, one + "\ufeff"]
        for text in bad:
            error = self.check_error(self.post(text.encode()), 400, "bad_json")
            self.assertRegex(error["message"], r"line \d+.*column \d+", text)
        self.check_error(self.post(b'{"type":"\xff"}'), 400, "bad_json")
        error = self.check_error(self.post("[\n" + one + ",\n  tru]"), 400, "bad_json")
        self.assertIn("line 3", error["message"])

    def test_too_deep_is_its_own_code(self):
        self.check_error(self.post("[" * 33 + "]" * 33), 400, "json_too_deep")

    def test_one_leading_bom_is_dropped(self):
        bom = b"\xef\xbb\xbf"
        one = json.dumps(VIEW).encode()
        self.check_counts(self.post(bom + one), 1, 0, 0)
        self.check_counts(self.post(bom + b"[" + one + b"]"), 1, 0, 0)
        self.check_counts(self.post(bom + one + b"\n" + one, Content_Type="application/x-ndjson"), 2, 0, 0)
        errors = self.check_counts(self.post(one + b"\n" + bom + one, Content_Type="application/x-ndjson"), 1, 0, 1)
        self.assertEqual(errors[0]["code"], "bad_json")
        self.check_error(self.post(bom + bom + one), 400, "bad_json")


class Counting(Ingest):
    config = CONFIG + "privacy: { keep_contact: [email, name] }\n"

    def test_a_known_id_counts_once(self):
        event = dict(VIEW, id="once")
        before = self.bell.metric("linkbell_duplicates_total")
        self.check_counts(self.post(json.dumps([event, event])), 1, 1, 0)
        self.check_counts(self.post(json.dumps(event)), 0, 1, 0)
        self.check_counts(self.post(json.dumps(dict(event, site="bob.bio"))), 1, 0, 0)
        self.assertEqual(self.bell.metric("linkbell_duplicates_total") - before, 2)
        self.row("once")

    def test_what_was_acknowledged_is_in_the_next_answer(self):
        for _ in range(20):
            before = self.bell.totals()["views"]
            self.bell.send(VIEW, VIEW)
            self.assertEqual(self.bell.totals()["views"] - before, 2)

    def test_each_fault_is_named_and_the_rest_is_stored(self):
        now = time.time()
        events = [VIEW, {"type": "view"}, dict(VIEW, typo=1), dict(VIEW, id=7), dict(VIEW, type="look"),
                  dict(VIEW, name="x" * 257), dict(VIEW, site="nobody.bio"), dict(VIEW, ts="today"),
                  dict(VIEW, ts=rfc3339(now - 73 * 3600)), dict(VIEW, ts=rfc3339(now + 660)),
                  dict(VIEW, props={"a": "x" * 70000}), VIEW]
        want = ["missing_field", "unknown_field", "bad_type", "bad_value", "too_long", "unknown_site", "bad_ts",
                "too_old", "in_future", "event_too_large"]
        fields = ["site", "typo", "id", "type", "name", "site", "ts", "ts", "ts", None]
        errors = self.check_counts(self.post(json.dumps(events)), 2, 0, 10)
        self.assertEqual([e["code"] for e in errors], want)
        self.assertEqual([e["index"] for e in errors], list(range(1, 11)))
        self.assertEqual([e.get("field") for e in errors], fields)
        self.assertTrue(all(e["message"] for e in errors))
        twice = b'{"type":"view","type":"view","site":"alice.bio"}'
        errors = self.check_counts(self.post(b"[" + twice + b"," + json.dumps(VIEW).encode() + b"]"), 1, 0, 1)
        self.assertEqual((errors[0]["code"], errors[0]["field"]), ("duplicate_key", "type"))

    def test_all_refused_is_422_and_a_hundred_are_listed(self):
        answer = self.post(json.dumps([{}] * 150))
        errors = self.check_counts(answer, 0, 0, 150)
        self.assertEqual([e["index"] for e in errors], list(range(100)))
        self.assertEqual(answer.json["error"]["code"], "all_refused")

    def test_refusals_are_counted_by_code(self):
        label = '{code="bad_value"}'
        before = self.bell.metric("linkbell_events_rejected_total", label)
        self.post(json.dumps([dict(VIEW, type="x"), VIEW]))
        self.assertEqual(self.bell.metric("linkbell_events_rejected_total", label) - before, 1)

    def test_an_event_is_kept_as_it_was_sent(self):
        now = time.time()
        self.bell.send({"type": "lead", "site": "alice.bio", "id": "full", "name": "Signup", "link": "book-call",
                        "url": "https://alice.bio/a?utm_campaign=Spring&fbclid=secret", "ts": rfc3339(now - 60),
                        "referrer": "https://www.instagram.com/p?x=1", "country": "FR", "city": "Paris",
                        "visitor": "u-1", "value": {"amount": 19.99, "currency": "EUR"},
                        "contact": {"email": "a@b.example", "phone": "0123456"}, "props": {"plan": "pro"}})
        row = self.row("full")
        self.assertEqual((row["type"], row["name"], row["link"], row["page"], row["host"]),
                         ("lead", "Signup", "book-call", "/a", "alice.bio"))
        self.assertEqual(row["utm"]["campaign"], "spring")
        self.assertEqual((row["source"], row["channel"]), ("Instagram", "Organic Social"))
        self.assertEqual((row["referrer"], row["click_id"]), ("instagram.com/p", "fbclid"))
        self.assertEqual(row["value"], {"amount": 19.99, "currency": "EUR"})
        self.assertEqual(row["contact"]["email"], "a@b.example")
        self.assertIsNone(row["contact"].get("phone"))
        self.assertEqual(row["props"], {"plan": "pro"})
        self.assertEqual(row["ts"], rfc3339(now - 60))
        self.assertNotIn("u-1", json.dumps(row))
        self.assertNotIn("secret", json.dumps(row))

    def test_a_click_takes_its_visitors_campaign(self):
        self.bell.send(dict(VIEW, visitor="inherit", url="https://alice.bio/?utm_source=newsletter"))
        self.bell.send({"type": "click", "site": "alice.bio", "visitor": "inherit", "id": "inherit-click",
                        "link": "shop", "referrer": "https://alice.bio/"})
        self.bell.send({"type": "click", "site": "alice.bio", "visitor": "inherit", "id": "inherit-tap", "link": "shop"},
                       {"type": "click", "site": "alice.bio", "visitor": "stranger", "id": "stranger", "link": "shop"})
        click, tap = self.row("inherit-click"), self.row("inherit-tap")
        self.assertEqual(click["source"], "newsletter")
        self.assertEqual((click["double_tap"], tap["double_tap"]), (False, True))
        self.assertEqual(click["visitor"], tap["visitor"])
        self.assertNotEqual(click["visitor"], self.row("stranger")["visitor"])
        self.assertEqual(self.row("stranger")["source"], "Direct / None")


class Idempotency(Ingest):
    def test_the_same_body_gets_the_stored_answer(self):
        body = json.dumps([VIEW, {"type": "x"}])
        before = self.bell.totals()["views"]
        first = self.post(body, Idempotency_Key="k-1")
        self.check_counts(first, 1, 0, 1)
        self.assertIsNone(first.headers["Idempotency-Replayed"])
        again = self.post(body, Idempotency_Key="k-1")
        self.assertEqual((again.status, again.body), (first.status, first.body))
        self.assertEqual(again.headers["Idempotency-Replayed"], "true")
        self.assertEqual(self.bell.totals()["views"] - before, 1)

    def test_another_body_is_409(self):
        self.post(json.dumps(VIEW), Idempotency_Key="k-2")
        answer = self.post(json.dumps([VIEW]), Idempotency_Key="k-2")
        self.check_error(answer, 409, "idempotency_mismatch")

    def test_keys_are_each_tokens_own(self):
        token = self.bell.make_token("ingest")
        self.post(json.dumps(VIEW), Idempotency_Key="k-3")
        answer = self.bell.post("/v1/events", [VIEW, VIEW], token=token, headers={"Idempotency-Key": "k-3"})
        self.check_counts(answer, 2, 0, 0)

    def test_a_key_has_1_to_64_visible_characters(self):
        self.assertEqual(self.post(json.dumps(VIEW), Idempotency_Key="k" * 64).status, 202)
        for key in ("k" * 65, "a b"):
            self.check_error(self.post(json.dumps(VIEW), Idempotency_Key=key), 400, "bad_request")

    def test_an_answer_of_all_refused_is_kept_too(self):
        first = self.post(json.dumps({}), Idempotency_Key="k-4")
        self.assertEqual(first.status, 422)
        again = self.post(json.dumps({}), Idempotency_Key="k-4")
        self.assertEqual((again.status, again.body), (422, first.body))
        self.assertEqual(again.headers["Idempotency-Replayed"], "true")


class Restart(unittest.TestCase):
    def test_ids_keys_visitors_and_the_last_half_hour_outlive_a_kill(self):
        with Linkbell() as bell:
            bell.ready()
            key = {"Idempotency-Key": "over"}
            first = bell.post("/v1/events", [dict(VIEW, id="a", visitor="v", url="/?utm_source=news")], headers=key)
            self.assertEqual(first.status, 202, first)
            for number in range(3):
                bell.kill() if number else bell.stop()
                bell.start()
                self.assertEqual(bell.send(dict(VIEW, id="a")), {"accepted": 0, "duplicates": 1, "rejected": 0,
                                                                 "errors": []})
                again = bell.post("/v1/events", [dict(VIEW, id="a", visitor="v", url="/?utm_source=news")],
                                  headers=key)
                self.assertEqual(again.headers["Idempotency-Replayed"], "true", again)
                bell.send({"type": "click", "site": "alice.bio", "visitor": "v", "id": f"c{number}", "link": "shop"})
            rows = bell.get("/v1/export/events?site=alice.bio").body.decode().splitlines()
            rows = [json.loads(row) for row in rows]
            self.assertEqual([row["id"] for row in rows], ["a", "c0", "c1", "c2"])
            self.assertEqual({row["source"] for row in rows}, {"news"})
            self.assertEqual(len({row["visitor"] for row in rows}), 1)
            self.assertEqual(bell.totals(metrics="visitors,orphan_clicks"),
                             dict(bell.totals(metrics="visitors,orphan_clicks"), visitors=1, orphan_clicks=0))


class Limits(Ingest):
    config = CONFIG + """
limits: { events_per_request: 5, event_bytes: 2KiB, body_bytes: 64KiB, body_inflated: 128KiB, rate: 40 }
"""

    def setUp(self):
        # The bucket fills up again in a second.
        time.sleep(1.1)

    def test_too_many_events_store_nothing(self):
        before = self.bell.totals()["views"]
        self.check_error(self.post(json.dumps([VIEW] * 6)), 413, "too_many_events")
        self.check_error(self.post(lines(*[VIEW] * 6), Content_Type="application/x-ndjson"), 413, "too_many_events")
        self.assertEqual(self.bell.totals()["views"], before)
        self.assertGreaterEqual(self.bell.metric("linkbell_limit_hits_total", '{limit="events_per_request"}'), 2)
        self.check_counts(self.post(json.dumps([VIEW] * 5)), 5, 0, 0)

    def test_a_large_event_is_refused_alone(self):
        large = dict(VIEW, props={f"k{n}": "x" * 400 for n in range(6)})
        errors = self.check_counts(self.post(json.dumps([large, VIEW])), 1, 0, 1)
        self.assertEqual((errors[0]["index"], errors[0]["code"]), (0, "event_too_large"))

    def test_a_large_body_is_413(self):
        self.check_error(self.post(" " * 65537), 413, "too_large")
        self.check_error(self.post(gzip.compress(b" " * 200000), Content_Encoding="gzip"), 413, "too_large")
        self.assertGreaterEqual(self.bell.metric("linkbell_limit_hits_total", '{limit="body_bytes"}'), 1)
        self.assertGreaterEqual(self.bell.metric("linkbell_limit_hits_total", '{limit="body_inflated"}'), 1)

    def test_over_the_rate_is_429_with_retry_after(self):
        answers = [self.post(json.dumps([VIEW] * 5)) for _ in range(30)]
        refused = [answer for answer in answers if answer.status == 429]
        self.assertTrue(refused)
        self.check_error(refused[0], 429, "rate_limited")
        self.assertGreaterEqual(int(refused[0].headers["Retry-After"]), 1)
        self.assertEqual({answer.status for answer in answers}, {202, 429})
        self.assertEqual(self.bell.get("/healthz", token=False).status, 200)


class Together(Ingest):
    def at_once(self, count, send):
        answers = [None] * count
        gate = threading.Barrier(count)

        def run(number):
            gate.wait()
            answers[number] = send(number)
        threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertNotIn(None, answers)
        return answers

    def test_one_id_from_many_connections_counts_once(self):
        for round_number in range(10):
            event = json.dumps(dict(VIEW, id=f"race-{round_number}"))
            answers = self.at_once(12, lambda _, event=event: self.post(event))
            self.assertEqual({answer.status for answer in answers}, {202})
            self.assertEqual(sum(answer.json["accepted"] for answer in answers), 1)
            self.assertEqual(sum(answer.json["duplicates"] for answer in answers), 11)

    def test_one_key_from_many_connections_is_worked_on_once(self):
        for round_number in range(10):
            before = self.bell.totals()["views"]
            body = json.dumps([VIEW, VIEW])
            answers = self.at_once(12, lambda _, n=round_number: self.post(body, Idempotency_Key=f"race-{n}"))
            for answer in answers:
                if answer.status == 409:
                    self.check_error(answer, 409, "in_progress")
                else:
                    self.check_counts(answer, 2, 0, 0)
            self.assertEqual(self.bell.totals()["views"] - before, 2)

    def test_pipelined_requests_are_answered_in_order(self):
        head = (f"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                f"Authorization: Bearer {self.bell.token}\r\n").encode()
        large = json.dumps([VIEW] * 2000).encode()
        bodies = [json.dumps([VIEW] * 3).encode(), large, b"[]", json.dumps(VIEW).encode()]
        with socket.create_connection(("127.0.0.1", self.bell.port), 30) as sock:
            for body in bodies:
                sock.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            reader = sock.makefile("rb")
            for status, count in ((202, 3), (202, 2000), (400, None), (202, 1)):
                self.assertEqual(int(reader.readline().split()[1]), status)
                head_lines = iter(reader.readline, b"\r\n")
                fields = dict(line.decode().strip().lower().split(": ", 1) for line in head_lines)
                got = json.loads(reader.read(int(fields["content-length"])))
                self.assertEqual(got.get("accepted"), count)

    def test_a_request_that_is_not_whole_stores_nothing(self):
        before = self.bell.totals()["views"]
        body = json.dumps([VIEW] * 3).encode()
        with socket.create_connection(("127.0.0.1", self.bell.port), 30) as sock:
            sock.sendall(f"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                         f"Authorization: Bearer {self.bell.token}\r\n"
                         f"Content-Length: {len(body) + 10}\r\n\r\n".encode() + body)
        self.bell.send(VIEW)
        self.assertEqual(self.bell.totals()["views"] - before, 1)

    def test_a_peer_that_closed_its_side_gets_its_answer(self):
        body = json.dumps(VIEW).encode()
        with socket.create_connection(("127.0.0.1", self.bell.port), 30) as sock:
            sock.sendall(f"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                         f"Authorization: Bearer {self.bell.token}\r\n"
                         f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            sock.shutdown(socket.SHUT_WR)
            self.assertTrue(sock.recv(4096).startswith(b"HTTP/1.1 202 "))


class Pressure(Ingest):
    config = CONFIG + "limits: { queue_events: 100, max_db_bytes: 4MiB }\n"

    def test_1_a_queue_that_is_full_is_503_with_retry_after(self):
        answers = []

        def flood():
            while len(answers) < 4000 and not any(a.status == 503 for a in answers):
                answers.append(self.post(json.dumps([VIEW] * 60)))
        threads = [threading.Thread(target=flood) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        refused = [answer for answer in answers if answer.status != 202]
        self.assertTrue(refused)
        for answer in refused:
            self.check_error(answer, 503, "overloaded")
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.assertEqual(self.bell.totals()["views"], 60 * (len(answers) - len(refused)))
        self.assertGreaterEqual(self.bell.metric("linkbell_limit_hits_total", '{limit="queue_events"}'), 1)

    def test_2_a_database_that_reached_its_size_is_503_and_keeps_what_it_has(self):
        event = dict(VIEW, props={f"k{n}": "x" * 500 for n in range(30)})
        sent, answer = self.bell.totals()["views"], None
        for _ in range(400):
            answer = self.post(json.dumps([event] * 5))
            if answer.status != 202:
                break
            sent += 5
        self.check_error(answer, 503, "disk_full")
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.assertEqual(self.bell.totals()["views"], sent)
        self.assertEqual(self.bell.get("/readyz", token=False).status, 503)
        self.assertEqual(self.bell.get("/healthz", token=False).status, 200)


class Privacy(Ingest):
    config = CONFIG + "privacy: { keep_contact: [email] }\n"

    def test_address_agent_and_visitor_are_in_no_file(self):
        secrets = ["198.51.100.77", "MarkerAgent/7.1", "visitor-marker-9", "message-marker", "phone-marker",
                   "gclid-marker", "203.0.113.99"]
        self.bell.send(dict(VIEW, ip=secrets[0], user_agent=secrets[1], url="/?gclid=" + secrets[5]),
                       dict(VIEW, visitor=secrets[2], type="lead",
                            contact={"email": "kept@b.example", "message": secrets[3], "phone": secrets[4]}))
        self.bell.post("/v1/events", VIEW, headers={"X-Forwarded-For": secrets[6], "User-Agent": secrets[1]})
        self.post(json.dumps(dict(VIEW, ip=secrets[0] + "x", user_agent=secrets[1], type="wrong")))
        self.post(json.dumps(dict(VIEW, ip=secrets[0], user_agent=secrets[1]))[:-1])
        held = b"".join(path.read_bytes() for path in self.bell.data.iterdir() if path.is_file())
        held += self.bell.log.read_bytes()
        for secret in secrets:
            self.assertNotIn(secret.encode(), held)
        self.assertIn(b"kept@b.example", held)
        self.assertNotIn(b"kept@b.example", self.bell.log.read_bytes())
        self.assertNotIn(self.bell.token.encode(), held)

    def test_files_are_the_owners_alone(self):
        self.assertEqual(self.bell.data.stat().st_mode & 0o777, 0o700)
        for path in self.bell.data.iterdir():
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)


class Import(Ingest):
    ORDER = b'{"format":"ndjson"}\n'

    def local(self, path, body=None):
        connection = UnixConnection(self.bell.data / "linkbell.sock")
        try:
            return self.bell.request("POST", path, body, headers=NDJSON, token=False, connection=connection)
        finally:
            connection.close()

    def begin(self, session):
        answer = wait_for(lambda: (got := self.local(f"/v1/import/start?session={session}")).status != 503 and got, "a place")
        self.assertEqual(answer.status, 200, answer)
        return f"/v1/import?session={session}&run={answer.json['run']}"

    def send(self, path, number, *events, last=0):
        return self.local(f"{path}&number={number}&last={last}", self.ORDER + lines(*events) + b"\n")

    def check_sums(self, answer, accepted, duplicates, rejected):
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([answer.json[key] for key in ("accepted", "duplicates", "rejected")],
                         [accepted, duplicates, rejected])
        return answer.json["errors"]

    def test_the_routes_are_on_the_local_socket_alone(self):
        for path in ("/v1/import?session=x&run=1&number=0", "/v1/import/start?session=x"):
            answer = self.bell.post(path, lines(VIEW), headers=NDJSON)
            self.check_error(answer, 404, "not_found")

    def test_events_of_any_age_are_taken_once_and_silently(self):
        events = [dict(VIEW, id=f"old-{n}", ts=f"2019-03-0{n}T00:00:00Z", visitor="v") for n in range(1, 6)]
        path = self.begin("one")
        self.check_sums(self.send(path, 0, *events), 5, 0, 0)
        self.check_sums(self.send(path, 1, *events, last=1), 0, 5, 0)
        row = self.row("old-1")
        self.assertEqual(row["ts"], "2019-03-01T00:00:00.000Z")
        self.assertEqual(row["received"], row["ts"])
        errors = self.check_sums(self.send(self.begin("two"), 0, dict(VIEW, ts="2099-01-01T00:00:00Z"), last=1), 0, 0, 1)
        self.assertEqual(errors[0]["code"], "in_future")

    def test_requests_go_to_the_log_by_their_number(self):
        path = self.begin("order")
        count = 12
        answers = {}
        threads = []
        for number in reversed(range(count)):
            event = dict(VIEW, id=f"n-{number:02}", ts=1600000000000 + number)
            threads.append(threading.Thread(
                target=lambda n=number, e=event: answers.update({n: self.send(path, n, e, last=int(n == count - 1))})))
            threads[-1].start()
            time.sleep(0.01)
        for thread in threads:
            thread.join()
        for number in range(count):
            self.check_sums(answers[number], 1, 0, 0)
        rows = [row["id"] for row in self.rows() if row["id"].startswith("n-")]
        self.assertEqual(rows, [f"n-{number:02}" for number in range(count)])

    def test_a_run_that_is_none_or_over_is_refused(self):
        self.check_error(self.local("/v1/import", lines(VIEW)), 400, "bad_request")
        self.check_error(self.local("/v1/import/start?session=no-name"), 400, "bad_request")
        self.check_error(self.local("/v1/import/start?session=a&site=nobody.bio"), 404, "unknown_site")
        self.check_error(self.local("/v1/import?session=nobody&run=1&number=0", self.ORDER), 404, "no_import")
        path = self.begin("over")
        self.check_error(self.local("/v1/import/start?session=over"), 503, "overloaded")  # it has just begun
        self.check_error(self.local(path.replace("run=", "run=9") + "&number=0", self.ORDER), 409, "stopped")
        event = dict(VIEW, ts=1600000000000)
        self.check_sums(self.send(path, 0, event), 1, 0, 0)
        self.check_error(self.send(path, 0, event), 409, "stopped")
        self.check_sums(self.send(path, 1, dict(event, id="other"), last=1), 1, 0, 0)
        self.check_error(self.send(path, 2, event), 404, "no_import")
        self.check_error(self.local(self.begin("bad") + "&number=0", b"no order\n"), 400, "bad_request")

    def test_only_so_many_imports_run_at_a_time(self):
        paths = [self.begin(f"many{number}") for number in range(4)]
        self.check_error(self.local("/v1/import/start?session=many5"), 503, "overloaded")
        for number, path in enumerate(paths):
            self.check_sums(self.send(path, 0, dict(VIEW, ts=1700000000000 + number), last=1), 1, 0, 0)
        self.begin("many5")


if __name__ == "__main__":
    unittest.main(verbosity=2)
