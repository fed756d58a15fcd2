"""POST /api/event, GET /e.gif, GET /lb.js: raw requests, as pages, mails and back ends send them."""
import gzip
import json
import re
import socket
import sqlite3
import subprocess
import unittest

import packs
from browser import AGENT
from harness import DEADLINE_S, SOURCE, Linkbell

SITES = """
sites:
  - id: alice.bio
    timezone: UTC
    hosts: [l.alice.bio]
    lead_events: [Newsletter]
    ignore_ips: [192.0.2.10]
    links:
      - { slug: shop, title: Shop, url: "https://shop.example" }
  - { id: bob.bio, timezone: UTC }
"""
CONFIG = "server: { listen: 127.0.0.1:0, trusted_proxies: [] }\nprivacy: { keep_contact: [email] }\n" + SITES
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
PAGE = {"n": "pageview", "u": "https://alice.bio/", "d": "alice.bio"}


def send(bell, body, **headers):
    if isinstance(body, dict):
        body = json.dumps(body)
    return bell.post("/api/event", body.encode(), token=False,
                     headers={"Content-Type": "text/plain", "User-Agent": AGENT} |
                             {name.replace("_", "-"): text for name, text in headers.items()})


def rows(bell, site="alice.bio"):
    return [json.loads(line) for line in
            bell.get(f"/v1/export/events?site={site}").body.decode().splitlines()]


def log(bell, query):
    """Reads the database itself, for what has no question of the API yet."""
    with sqlite3.connect(f"file:{bell.data / 'linkbell.db'}?mode=ro", uri=True) as db:
        packs.load(db)
        return db.execute(query).fetchall()


class Events(unittest.TestCase):
    def setUp(self):
        self.bell = Linkbell(CONFIG).ready()
        self.addCleanup(self.bell.__exit__, None, None, None)

    def check(self, answer, status, body, dropped=None):
        self.assertEqual((answer.status, answer.body.decode(), answer.headers["x-plausible-dropped"]),
                         (status, body, dropped))
        self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")
        self.assertEqual(answer.headers["Access-Control-Expose-Headers"], "x-plausible-dropped")

    def test_an_event_is_durable_when_it_is_answered(self):
        answer = send(self.bell, PAGE | {"r": "https://l.instagram.com/"}, Referer="https://other.example/")
        self.check(answer, 202, "ok")
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain"))
        self.bell.kill()
        self.bell.ready()
        [view] = rows(self.bell)
        self.assertEqual((view["type"], view["page"], view["source"], view["device"], view["browser"]),
                         ("view", "/", "Instagram", "Desktop", "Chrome"))

    def test_the_sender_s_own_page_is_no_referrer(self):
        self.check(send(self.bell, PAGE, Referer="https://elsewhere.example/"), 202, "ok")
        self.assertEqual(rows(self.bell)[0]["source"], "Direct / None")

    def test_any_content_type_will_do(self):
        for kind in ("text/plain", "application/json", "text/plain;charset=UTF-8", "x"):
            self.check(send(self.bell, PAGE, Content_Type=kind), 202, "ok")
        self.assertEqual(len(rows(self.bell)), 4)

    def test_faults_have_the_dialect_s_form(self):
        for body, text in (("nonsense", '{"errors":{"request":["Unable to parse request body as json"]}}'),
                           ("", '{"errors":{"request":["Unable to parse request body as json"]}}'),
                           ({"n": "pageview", "d": "alice.bio"}, '{"errors":{"url":["is required"]}}'),
                           (PAGE | {"n": " "}, '{"errors":{"event_name":["can\'t be blank"]}}')):
            self.check(send(self.bell, body), 400, text)
        self.assertEqual(rows(self.bell), [])
        self.assertEqual(self.bell.metric("linkbell_events_rejected_total", '{code="bad_value"}'), 4)

    def test_what_was_dropped_is_told(self):
        self.check(send(self.bell, PAGE | {"d": "carol.bio"}), 202, "ok", "1")
        self.check(send(self.bell, PAGE | {"d": "alice.bio,carol.bio,www.bob.bio,dan.bio"}), 202, "ok", "2")
        self.check(send(self.bell, PAGE, User_Agent=BOT), 202, "ok", "1")
        self.check(send(self.bell, PAGE | {"d": "alice.bio,bob.bio,carol.bio"}, User_Agent=BOT), 202, "ok", "3")
        self.check(send(self.bell, PAGE, Sec_Purpose="prefetch;prerender"), 202, "ok", "1")
        self.check(send(self.bell, PAGE, Cookie="lb_own=1"), 202, "ok", "1")
        self.assertEqual([row["reason"] for row in rows(self.bell)], [None, "ua", "ua", "prefetch", "own"])
        self.assertEqual(len(rows(self.bell, "bob.bio")), 2)
        self.assertEqual(self.bell.totals()["views"], 1)
        self.assertEqual(self.bell.metric("linkbell_events_rejected_total", '{code="unknown_site"}'), 4)

    def test_a_burst_is_told_when_it_is_found(self):
        got = [send(self.bell, PAGE).headers["x-plausible-dropped"] for _ in range(62)]
        self.assertEqual(got, [None] * 60 + ["1"] * 2)

    def test_a_page_of_another_origin_may_send(self):
        answer = self.bell.request("OPTIONS", "/api/event", token=False, headers={
            "Origin": "https://alice.bio", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type"})
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual({name: answer.headers["Access-Control-" + name] for name in
                          ("Allow-Origin", "Allow-Methods", "Allow-Headers", "Max-Age", "Allow-Credentials")},
                         {"Allow-Origin": "*", "Allow-Methods": "POST", "Allow-Headers": "Content-Type",
                          "Max-Age": "86400", "Allow-Credentials": None})
        for path in ("/v1/events", "/v1/stats", "/healthz", "/api/health"):
            self.assertIsNone(self.bell.get(path).headers["Access-Control-Allow-Origin"], path)

    def test_other_methods_and_the_health_of_the_dialect(self):
        answer = self.bell.get("/api/event", token=False)
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "POST, OPTIONS"))
        answer = self.bell.get("/api/health", token=False)
        self.assertEqual((answer.status, answer.json), (200, {"linkbell": "ok"}))

    def test_a_body_past_64_kib_is_refused(self):
        fill = 65536 - len(json.dumps(PAGE | {"x": ""}))
        self.check(send(self.bell, PAGE | {"x": "a" * fill}), 202, "ok")
        answer = send(self.bell, PAGE | {"x": "a" * (fill + 1)})
        self.assertEqual((answer.status, answer.json["error"]["code"]), (413, "too_large"))
        self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")

    def test_a_visitor_who_asks_not_to_be_known_is_not(self):
        self.check(send(self.bell, PAGE, Sec_GPC="1"), 202, "ok")
        self.check(send(self.bell, PAGE | {"n": "engagement", "e": 100}, Sec_GPC="1"), 202, "ok", "1")
        self.assertIsNone(rows(self.bell)[0]["visitor"])

    def test_who_may_name_the_visitor(self):
        token = self.bell.make_token("ingest")
        for address in ("198.51.100.1", "198.51.100.2"):
            self.check(send(self.bell, PAGE, X_Forwarded_For=address), 202, "ok")
        self.assertEqual(len({row["visitor"] for row in rows(self.bell)}), 1)
        for address in ("198.51.100.1, 10.0.0.1", "198.51.100.2"):
            self.check(send(self.bell, PAGE, X_Forwarded_For=address, Authorization="Bearer " + token), 202, "ok")
        self.assertEqual(len({row["visitor"] for row in rows(self.bell)}), 3)
        self.check(send(self.bell, PAGE, X_Forwarded_For="192.0.2.10", Authorization="Bearer " + token),
                   202, "ok", "1")
        self.assertEqual(rows(self.bell)[-1]["reason"], "own")

    def test_a_token_that_comes_along_must_be_good(self):
        answer = send(self.bell, PAGE, Authorization="Bearer lb_" + "x" * 49)
        self.assertEqual((answer.status, answer.json["error"]["code"]), (401, "unauthorized"))
        answer = send(self.bell, PAGE, Authorization="Bearer " + self.bell.make_token("read"))
        self.assertEqual((answer.status, answer.json["error"]["code"]), (403, "scope"))
        token = self.bell.make_token("ingest", "--site", "bob.bio")
        self.check(send(self.bell, PAGE | {"d": "alice.bio,bob.bio"}, Authorization="Bearer " + token),
                   202, "ok", "1")
        self.check(send(self.bell, PAGE, Authorization="Basic eDp5"), 202, "ok")
        self.assertEqual((len(rows(self.bell)), len(rows(self.bell, "bob.bio"))), (1, 1))

    def test_an_event_that_came_by_itself_is_marked(self):
        send(self.bell, PAGE)
        send(self.bell, PAGE | {"n": "Scrolled", "i": False})
        self.assertEqual(log(self.bell, "SELECT bits >> 9 & 1 FROM events ORDER BY seq"), [(0,), (1,)])


class Engagements(unittest.TestCase):
    SEEN = {"n": "engagement", "u": "https://alice.bio/long#there", "d": "alice.bio", "sd": 75, "e": 4200, "v": 36}

    def setUp(self):
        self.bell = Linkbell(CONFIG).ready()
        self.addCleanup(self.bell.__exit__, None, None, None)

    def entries(self):
        return [json.loads(data) for data, in log(self.bell, "SELECT data FROM entries WHERE kind = 10 ORDER BY seq")]

    def test_one_of_a_known_visit_is_kept_and_nothing_counts_it(self):
        self.assertEqual(send(self.bell, self.SEEN).headers["x-plausible-dropped"], "1")
        send(self.bell, PAGE)
        before = self.bell.totals(metrics="views,clicks,leads,visitors")
        self.assertEqual(send(self.bell, self.SEEN).headers["x-plausible-dropped"], None)
        self.assertEqual(send(self.bell, self.SEEN | {"h": 1, "sd": 255, "d": "bob.bio,alice.bio"})
                         .headers["x-plausible-dropped"], "1")
        day = self.entries()[0]["visitor_day"]
        self.assertEqual(self.entries(), [
            {"site": 1, "visitor_day": day, "visitor": 1, "ms": 4200, "scroll": 75, "page": "/long"},
            {"site": 1, "visitor_day": day, "visitor": 1, "ms": 4200, "page": "/long#there"}])
        self.assertEqual(self.bell.totals(metrics="views,clicks,leads,visitors"), before)
        self.assertEqual(len(rows(self.bell)), 1)
        self.assertEqual(self.bell.metric("linkbell_events_total", '{type="view",result="accepted"}'), 1)
        self.assertIn("verify: ok", self.bell.run("verify").stdout)
        self.bell.run("rebuild")
        self.assertEqual(self.bell.totals(metrics="views,clicks,leads,visitors"), before)

    def test_a_restart_knows_the_visit(self):
        send(self.bell, PAGE)
        send(self.bell, self.SEEN)
        self.bell.kill()
        self.bell.ready()
        self.assertEqual(send(self.bell, self.SEEN).headers["x-plausible-dropped"], None)
        self.assertEqual(len(self.entries()), 2)

    def test_erasing_takes_them_along(self):
        send(self.bell, PAGE)
        send(self.bell, {"n": "x", "t": "lead", "u": "https://alice.bio/", "c": {"email": "zoe@example.com"}})
        send(self.bell, self.SEEN)
        send(self.bell, PAGE, User_Agent=AGENT + " other")
        send(self.bell, self.SEEN, User_Agent=AGENT + " other")
        send(self.bell, PAGE | {"d": "bob.bio"})
        send(self.bell, self.SEEN | {"d": "bob.bio"})
        self.assertEqual(len(self.entries()), 3)
        said = self.bell.run("erase", "--email", "zoe@example.com").stdout
        self.assertIn("erased: 2 events, 1 contact", said)
        self.assertEqual([(one["site"], one["visitor"]) for one in self.entries()], [(1, 2), (2, 1)])
        self.bell.run("erase", "--site", "alice.bio")
        self.assertEqual([one["site"] for one in self.entries()], [2])
        for file in self.bell.data.rglob("*"):
            self.assertFalse(file.is_file() and b'"visitor":2' in file.read_bytes(), file)


class Limits(unittest.TestCase):
    def test_events_a_second_of_an_address(self):
        with Linkbell(CONFIG.replace("trusted_proxies: []", "trusted_proxies: [127.0.0.1]") +
                      "limits: { rate_per_ip: 3 }\n") as bell:
            bell.ready()

            def flood(address):
                return [send(bell, PAGE, X_Forwarded_For=address) for _ in range(40)]

            answers = flood("198.51.100.1")
            refused = [answer for answer in answers if answer.status != 202]
            self.assertGreater(len(refused), 0)
            self.assertEqual(refused[0].status, 429)
            self.assertEqual(refused[0].json["error"]["code"], "rate_limited")
            self.assertIn("limits.rate_per_ip", refused[0].json["error"]["message"])
            self.assertEqual(refused[0].headers["Retry-After"], "1")
            self.assertEqual(refused[0].headers["Access-Control-Allow-Origin"], "*")
            self.assertEqual(bell.metric("linkbell_limit_hits_total", '{limit="rate_per_ip"}'), len(refused))
            self.assertEqual(send(bell, PAGE, X_Forwarded_For="198.51.100.2").status, 202)
            self.assertEqual(bell.get("/e.gif?site=alice.bio", token=False,
                                      headers={"X-Forwarded-For": "198.51.100.3"}).status, 200)

    def test_a_full_queue(self):
        """Requests that come in one piece are read before the first of them is stored."""
        body = json.dumps(PAGE)
        one = ("POST /api/event HTTP/1.1\r\nHost: x\r\nUser-Agent: x\r\n"
               f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
        pixel = b"GET /e.gif?site=alice.bio HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        with Linkbell(CONFIG + "limits: { queue_events: 1 }\n") as bell:
            bell.ready()
            with socket.create_connection(("127.0.0.1", bell.port), DEADLINE_S) as peer:
                peer.sendall(one * 3 + pixel)
                got = b""
                while piece := peer.recv(65536):
                    got += piece
            answers = got.split(b"HTTP/1.1 ")[1:]
            self.assertEqual([answer[:3] for answer in answers], [b"202", b"503", b"503", b"503"])
            for answer in answers[1:]:
                self.assertIn(b"Retry-After: 1\r\n", answer)
                self.assertIn(b"Access-Control-Allow-Origin: *\r\n", answer)
                self.assertIn(b"limits.queue_events", answer)
            self.assertEqual(len(rows(bell)), 1)

    def test_who_is_told_the_address(self):
        with Linkbell(CONFIG) as bell:
            bell.ready()
            token = bell.make_token("ingest")
            wish = {"X_Debug_Request": "true", "X_Forwarded_For": "198.51.100.7"}
            self.assertEqual(send(bell, "", **wish).status, 400)
            self.assertEqual(send(bell, PAGE, **wish).body, b"ok")
            answer = send(bell, "", **wish, Authorization="Bearer " + token)
            self.assertEqual((answer.status, answer.body), (200, b"198.51.100.7"))
            self.assertEqual(len(rows(bell)), 1)
        with Linkbell(CONFIG.replace("trusted_proxies: []", "trusted_proxies: [127.0.0.1]")) as bell:
            bell.ready()
            wish["X_Forwarded_For"] = "203.0.113.5, 2001:db8::1"
            answer = send(bell, PAGE, **wish)
            self.assertEqual((answer.status, answer.body), (200, b"2001:db8::1"))
            self.assertEqual(send(bell, PAGE, **(wish | {"X_Debug_Request": "1"})).status, 202)
            self.assertEqual(len(rows(bell)), 1)


class Pixel(unittest.TestCase):
    def setUp(self):
        self.bell = Linkbell(CONFIG).ready()
        self.addCleanup(self.bell.__exit__, None, None, None)

    def ask(self, query, **headers):
        return self.bell.get("/e.gif?" + query, token=False,
                             headers={"User-Agent": AGENT} | headers)

    def test_it_is_an_image_of_43_bytes(self):
        answer = self.ask("site=alice.bio")
        self.assertEqual((answer.status, len(answer.body), answer.body[:6]), (200, 43, b"GIF89a"))
        self.assertEqual((answer.headers["Content-Type"], answer.headers["Cache-Control"],
                          answer.headers["Access-Control-Allow-Origin"]), ("image/gif", "no-store", "*"))
        [view] = rows(self.bell)
        self.assertEqual((view["type"], view["page"], view["source"]), ("view", None, "Direct / None"))

    def test_every_parameter(self):
        self.ask("site=alice.bio&type=click&name=Opened%20it&link=shop&referrer=https://l.instagram.com/"
                 "&url=https://alice.bio/mail%3Futm_source%3Da%26utm_campaign%3Db%26utm_term%3Dc"
                 "&utm_source=News+letter&utm_medium=email&utm_content=D"
                 "&prop.issue=12&prop.issue=13&prop.=x&prop.empty=&z=9", Referer="https://x.example/")
        [click] = rows(self.bell)
        self.assertEqual((click["type"], click["name"], click["link"], click["host"], click["page"],
                          click["referrer"], click["props"]),
                         ("click", "Opened it", "shop", "alice.bio", "/mail", "l.instagram.com",
                          {"issue": "12"}))
        self.assertEqual(click["utm"], {"source": "news letter", "medium": "email", "campaign": "b",
                                        "term": "c", "content": "D"})

    def test_the_page_is_the_one_it_stands_on(self):
        self.ask("site=alice.bio", Referer="https://alice.bio/here?utm_source=post")
        self.ask("site=alice.bio&url=/there", Referer="https://other.example/here")
        self.assertEqual([(row["page"], row["source"], row["referrer"]) for row in rows(self.bell)],
                         [("/here", "post", None), ("/there", "post", None)])

    def test_text_that_is_no_utf_8_is_replaced(self):
        self.ask("site=alice.bio&name=caf%E9&prop.%FF=%C0%AF")
        [view] = rows(self.bell)
        self.assertEqual((view["name"], view["props"]), ("caf\ufffd", {"\ufffd": "\ufffd\ufffd"}))

    def test_what_is_wrong_is_told(self):
        for query, status, code, text in (
                ("site=carol.bio", 404, "unknown_site", "site="), ("", 422, "invalid", "site is missing"),
                ("site=alice.bio&type=buy", 422, "invalid", "view, click, lead or conversion"),
                ("site=alice.bio&name=" + "n" * 257, 422, "invalid", "name has 257 bytes")):
            answer = self.ask(query)
            self.assertEqual((answer.status, answer.json["error"]["code"]), (status, code), query)
            self.assertIn(text, answer.json["error"]["message"])
        self.assertEqual(rows(self.bell), [])

    def test_machines_are_kept_as_such(self):
        self.ask("site=alice.bio", **{"User-Agent": BOT})
        self.assertEqual(self.bell.request("HEAD", "/e.gif?site=alice.bio", token=False,
                                           headers={"User-Agent": AGENT}).body, b"")
        self.assertEqual([row["reason"] for row in rows(self.bell)], ["ua", "head"])


class Script(unittest.TestCase):
    def test_it_is_served_packed_and_plain(self):
        with Linkbell(CONFIG) as bell:
            bell.ready()
            whole = (SOURCE / "web/lb.js").read_bytes()
            for path in ("/lb.js", "/js/script.js"):
                for accept, is_packed in (("gzip, deflate, br", True), ("br;q=1, GZIP;q=0.5", True),
                                          ("gzip;q=0", False), ("gzip;q=0.0, br", False), ("br", False),
                                          (None, False)):
                    headers = {"Accept-Encoding": accept} if accept else {}
                    answer = bell.get(path, token=False, headers=headers)
                    body = gzip.decompress(answer.body) if is_packed else answer.body
                    self.assertEqual(body, whole)
                    self.assertEqual(answer.headers["Content-Encoding"], "gzip" if is_packed else None, accept)
                    self.assertTrue(answer.headers["Content-Type"].startswith("text/javascript"))
                    self.assertEqual(answer.headers["Vary"], "Accept-Encoding")
                    self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")
                    age = int(re.search(r"max-age=(\d+)", answer.headers["Cache-Control"]).group(1))
                    self.assertTrue(3600 <= age <= 86400)
                    tag = answer.headers["ETag"]
                    again = bell.get(path, token=False, headers=headers | {"If-None-Match": tag})
                    self.assertEqual((again.status, again.body, again.headers["ETag"]), (304, b"", tag))
                    other = bell.get(path, token=False, headers=headers | {"If-None-Match": '"x"'})
                    self.assertEqual(other.status, 200)
            self.assertEqual(bell.request("HEAD", "/lb.js", token=False).headers["Content-Length"],
                             str(len(whole)))


class Manual(unittest.TestCase):
    def test_the_requests_of_the_manual(self):
        text = (SOURCE / "docs/ingest.md").read_text()
        script = re.search(r"event:begin -->\n```sh\n(.*?)```", text, re.S).group(1)
        with Linkbell(CONFIG) as bell:
            bell.ready()
            env = bell.env | {"TOKEN": bell.make_token("ingest"), "ADDRESS": "198.51.100.9", "AGENT": AGENT}
            done = subprocess.run(["bash", "-c", "set -euo pipefail\n" + script.replace(
                "https://l.alice.bio/", f"http://127.0.0.1:{bell.port}/")], text=True, capture_output=True,
                timeout=60, env=env)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout.count("HTTP/1.1 202 Accepted"), 2)
            self.assertNotIn("x-plausible-dropped", done.stdout.replace("Expose-Headers: x-plausible-dropped", ""))
            purchase, view = rows(bell)
            self.assertEqual((purchase["type"], purchase["name"], purchase["source"], purchase["value"]),
                             ("conversion", "Purchase", "newsletter", {"amount": 12.5, "currency": "EUR"}))
            self.assertEqual((view["type"], view["source"]), ("view", "Instagram"))
            self.assertNotEqual(purchase["visitor"], view["visitor"])
            self.assertEqual(len(rows(bell, "bob.bio")), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
