"""GET /v1/live: a stream of what happens, without personal data."""
import contextlib
import http.client
import json
import socket
import threading
import time
import unittest

from harness import CONFIG, Linkbell, wait_for

RULES = """
destinations:
  - { id: nobody, type: webhook, url: "http://127.0.0.1:9/", unsigned: true, enabled: false }
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [nobody] }
"""
AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"


class Stream:
    """A listener: its messages as (name, id, data), read by a thread."""

    def __init__(self, bell, query="", token=None, **headers):
        self.messages, self.comments, self.is_over = [], 0, False
        self.connection = http.client.HTTPConnection("127.0.0.1", bell.port, timeout=60)
        headers = {"Authorization": "Bearer " + (token or bell.token), **{k.replace("_", "-"): v for k, v in headers.items()}}
        self.connection.request("GET", "/v1/live" + query, headers=headers)
        self.wire = self.connection.sock
        self.answer = self.connection.getresponse()
        self.thread = threading.Thread(target=self.read, daemon=True)
        if self.answer.status == 200:
            self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # The reading thread holds the socket open: shut down, it ends.
        with contextlib.suppress(OSError):
            self.wire.shutdown(socket.SHUT_RDWR)
        if self.thread.ident:
            self.thread.join()
        self.answer.close()
        self.connection.close()

    def read(self):
        message = {}
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
            for line in self.answer:
                line = line.decode().rstrip("\n")
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    key, value = line.split(": ", 1)
                    message[key] = value
                elif message:
                    self.messages.append((message["event"], int(message.get("id", 0)), json.loads(message["data"])))
                    message = {}
        self.is_over = True

    def of(self, name):
        return [data for kind, _, data in list(self.messages) if kind == name]

    def wait(self, name, count):
        wait_for(lambda: len(self.of(name)) >= count, f"{count} of {name}")
        return self.of(name)


def event(kind, number, **more):
    return {"type": kind, "site": "alice.bio", "id": f"{kind}{number}", "visitor": f"v{number}", **more}


class Live(unittest.TestCase):
    def serve(self, more=""):
        bell = Linkbell(CONFIG + RULES + more)
        self.addCleanup(bell.__exit__, None, None, None)
        return bell.ready()

    def test_state_events_and_alerts_come_as_they_happen(self):
        bell = self.serve()
        with Stream(bell, "?site=alice.bio") as stream:
            self.assertEqual(stream.answer.headers["Content-Type"], "text/event-stream")
            self.assertEqual(stream.answer.headers["Cache-Control"], "no-store")
            first = stream.wait("state", 1)[0]
            self.assertEqual(list(first), ["visitors_now", "views_5m", "clicks_5m", "as_of"])
            self.assertEqual(list(first.values())[:3], [0, 0, 0])
            bell.send(event("view", 1, url="https://alice.bio/shop?utm_source=news", country="FR", user_agent=AGENT, ip="192.0.2.77"),
                      event("click", 1, link="book-call"), event("view", 2, user_agent="curl/8"),
                      event("view", 3, site="bob.bio"),
                      event("lead", 1, contact={"email": "zoe@example.com", "name": "Zoë"}, name="form"))
            got = stream.wait("event", 3)
            self.assertEqual([list(row) for row in got], [["type", "ts", "site", "link", "page", "source", "country", "device"]] * 3)
            self.assertEqual([(row["type"], row["link"]) for row in got], [("view", None), ("click", "book-call"), ("lead", None)])
            self.assertEqual((got[0]["page"], got[0]["source"], got[0]["country"], got[0]["device"]), ("/shop", "news", "FR", "Mobile"))
            alert = stream.wait("alert", 1)[0]
            self.assertEqual(alert, bell.get("/v1/alerts").json["data"][0])
            state = stream.wait("state", 2)[-1]
            self.assertEqual((state["visitors_now"], state["views_5m"], state["clicks_5m"]), (1, 1, 1))
            text = json.dumps([data for kind, _, data in stream.messages if kind != "alert"])
            for word in ("zoe", "Zo", "192.0.2", "iPhone", "v1"):
                self.assertNotIn(word, text)

    def test_who_comes_back_goes_on_from_there(self):
        bell = self.serve()
        bell.send(event("view", 0))
        with Stream(bell) as stream:
            stream.wait("state", 1)
            bell.send(event("view", 1))
            stream.wait("event", 1)
            last = max(number for _, number, _ in stream.messages)
        bell.send(*[event("view", n) for n in range(2, 52)])
        with Stream(bell, Last_Event_ID=str(last)) as stream:
            self.assertEqual(len(stream.wait("event", 50)), 50)
            numbers = [number for kind, number, _ in stream.messages if kind == "event"]
            self.assertEqual(numbers, sorted(set(numbers)))
            self.assertGreater(numbers[0], last)
        # Who names no place hears only what is new, and a place ahead is no place.
        with Stream(bell, Last_Event_ID=str(10 ** 12)) as stream:
            stream.wait("state", 1)
            bell.send(event("click", 1, link="shop"))
            self.assertEqual([row["type"] for row in stream.wait("event", 1)], ["click"])

    def test_a_crowd_is_told_as_a_number(self):
        bell = self.serve()
        with Stream(bell) as stream:
            stream.wait("state", 1)
            for part in range(5):
                bell.send(*[event("view", f"{part}-{n}") for n in range(400)])
            told = wait_for(lambda: len(stream.of("event")) + sum(row["events"] for row in stream.of("skipped")) == 2000
                            and len(stream.of("event")), "all events, told or counted")
            self.assertGreaterEqual(told, 20)
            self.assertLess(told, 1000)

    def test_a_stop_ends_the_stream(self):
        bell = self.serve()
        with Stream(bell) as stream:
            stream.wait("state", 1)
            self.assertEqual(bell.stop(), 0)
            wait_for(lambda: stream.is_over, "the end")

    def test_listeners_are_bounded_and_leave_no_trace(self):
        bell = self.serve("limits: { live_streams: 2 }\n")
        with Stream(bell) as one, Stream(bell) as two:
            one.wait("state", 1)
            two.wait("state", 1)
            with Stream(bell) as third:
                self.assertEqual(third.answer.status, 503)
                self.assertIn("live_streams", third.answer.read().decode())
            self.assertEqual(bell.metric("linkbell_limit_hits_total", '{limit="live_streams"}'), 1)

        def free():
            bell.send(event("view", time.monotonic()))  # what is written finds out who is gone
            with Stream(bell) as stream:
                return stream.answer.status == 200
        wait_for(free, "a free place")

    def test_faults(self):
        bell = self.serve()
        self.assertEqual(bell.get("/v1/live", token=False).status, 401)
        self.assertEqual(bell.get("/v1/live", token=bell.make_token("ingest")).status, 403)
        self.assertEqual(bell.get("/v1/live?site=never.bio").status, 404)
        self.assertEqual(bell.get("/v1/live?colour=red").json["error"]["code"], "unknown_parameter")
        self.assertEqual(bell.get("/v1/live", headers={"Last-Event-ID": "x"}).status, 400)
        self.assertEqual(bell.request("HEAD", "/v1/live").status, 200)
        one = bell.make_token("read", "--site", "bob.bio")
        self.assertEqual(bell.get("/v1/live?site=alice.bio", token=one).status, 403)
        with Stream(bell, token=one) as stream:
            stream.wait("state", 1)
            bell.send(event("lead", 1), event("view", 1, site="bob.bio"))
            self.assertEqual([row["site"] for row in stream.wait("event", 1)], ["bob.bio"])
            self.assertEqual(stream.of("alert"), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
