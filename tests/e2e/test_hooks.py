"""Inbound webhooks: what each kind of source sends becomes events, everything else gets the
same refusal, and nothing of a refused body is kept anywhere."""
import gzip
import json
import re
import signal
import subprocess
import time
import unittest

from harness import SOURCE, Linkbell, Receiver, wait_for
from hooks import (SECRETS, config, counts, digest, dub, linkmi, now, send, send_key, send_linkmi,
                   standard)

REJECTED = "linkbell_inbound_rejected_total"
AMBIGUOUS = "linkbell_ambiguous_duplicates_total"
IGNORED = "linkbell_inbound_ignored_total"


def service(more="", env=None):
    return Linkbell(config(more), env=SECRETS | (env or {}))


def rows(bell, site="alice.bio"):
    body = bell.get(f"/v1/export/events?site={site}").body.decode()
    return [json.loads(line) for line in body.splitlines()]


def reload(bell):
    before = bell.log.read_text().count("event=reloaded")
    bell.process.send_signal(signal.SIGHUP)
    wait_for(lambda: bell.log.read_text().count("event=reloaded") > before, "the reload")


class Kinds(unittest.TestCase):
    def test_linkmi_sends_views_clicks_and_leads(self):
        with service("privacy: { keep_contact: [email] }").ready() as bell:
            for body in (linkmi("profile.visit", profileCode="alice", referer="twitter.com", country="FR"),
                         linkmi("link.click", type="link", linkId="lnk_42", title="Book call", referer=None),
                         linkmi("subscriber.new", email="zoe@example.com", campaignId="c9", widgetTitle="News")):
                self.assertEqual(counts(send_linkmi(bell, body)), (202, 1, 0, 0, 0))
            view, click, lead = rows(bell)
            self.assertEqual((view["type"], view["page"], view["source"], view["country"]),
                             ("view", "/alice", "X (Twitter)", "FR"))
            self.assertEqual((click["type"], click["link"], click["name"], click["props"]),
                             ("click", "lnk_42", "Book call", {"type": "link"}))
            self.assertEqual((lead["type"], lead["name"], lead["contact"], lead["props"]),
                             ("lead", "News", {"email": "zoe@example.com"}, {"campaign": "c9"}))
            self.assertEqual(bell.totals(), {"views": 1, "clicks": 1, "leads": 1})
            self.assertIn("event=inbound_encoding source=linkmi encoding=hex", bell.log.read_text())

    def test_any_field_of_linkmi_may_be_missing(self):
        with service().ready() as bell:
            payloads = {"profile.visit": {"profileCode": "a", "referer": "t.co", "country": "FR"},
                        "link.click": {"type": "link", "linkId": "x", "title": "T", "referer": "t.co"},
                        "subscriber.new": {"email": "z@example.com", "campaignId": "c", "widgetTitle": "W"}}
            sent = 0
            for event, payload in payloads.items():
                for left_out in (*payload, None):
                    body = {"event": event, "timestamp": now(-sent),
                            "payload": {k: v for k, v in payload.items() if k != left_out}}
                    bodies = [body, {"event": event, "timestamp": now(-100 - sent)},
                              {k: v for k, v in body.items() if k != "timestamp"},
                              {**body, "payload": {k: None for k in payload}}]
                    for one in bodies:
                        sent += 1
                        answer = send_linkmi(bell, json.dumps(one | {"x": sent}).encode())
                        self.assertEqual(counts(answer), (202, 1, 0, 0, 0), one)
            self.assertEqual(len(rows(bell)), sent)
            answer = send_linkmi(bell, b'{"payload":{"linkId":"x"}}')
            self.assertEqual((answer.status, answer.json["errors"][0]["code"], answer.json["errors"][0]["field"]),
                             (422, "missing_field", "type"))

    def test_what_means_nothing_is_ignored_and_counted(self):
        with service().ready() as bell:
            self.assertEqual(counts(send_linkmi(bell, linkmi("shop.order", total=1))), (202, 0, 0, 0, 1))
            self.assertEqual(counts(send_linkmi(bell, linkmi("link.click", linkId="x", device="ios", os="x"))),
                             (202, 1, 0, 0, 2))
            self.assertEqual(bell.metric(IGNORED, '{source="linkmi"}'), 3)
            body = dub("link.created", 1, key="x")
            answer = send(bell, "dub", body, {"Dub-Signature": digest(SECRETS["DUB_SECRET"], body).hex()})
            self.assertEqual(counts(answer), (202, 0, 0, 0, 1))
            self.assertEqual(bell.metric(IGNORED, '{source="dub"}'), 1)

    def test_linkme_dub_and_bitly(self):
        with service("privacy: { keep_contact: [name] }").ready() as bell:
            body = json.dumps({"id": "u1", "event": "link.click", "ts": now(), "app_id": "a",
                               "data": {"link_id": "abc123", "platform": "ios"}}).encode()
            headers = {"X-LinkMe-Signature": "sha256=" + digest(SECRETS["LINKME_SECRET"], body).hex()}
            self.assertEqual(counts(send(bell, "linkme", body, headers)), (202, 1, 0, 0, 0))
            self.assertEqual(counts(send(bell, "linkme", body, headers)), (202, 0, 1, 0, 0))
            click = {"country": "US", "region": "CA", "city": "San Jose", "referer": "t.co", "qr": True,
                     "ip": "192.0.2.9"}
            link = {"key": "try", "shortLink": "https://d.sh/try", "utm_source": "news", "utm_medium": None}
            for number, (event, data) in enumerate((
                    ("link.clicked", {"click": click, "link": link}),
                    ("lead.created", {"eventName": "Signup", "customer": {"name": "Zoe", "email": "z@x.example"},
                                      "click": click, "link": link}),
                    ("sale.created", {"eventName": "Plan", "sale": {"amount": 1234, "currency": "usd"}}))):
                body = dub(event, number, **data)
                headers = {"Dub-Signature": digest(SECRETS["DUB_SECRET"], body).hex()}
                self.assertEqual(counts(send(bell, "dub", body, headers)), (202, 1, 0, 0, 0))
            body = json.dumps({"event_id": "42f1", "datetime": time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime()),
                               "bitlink": "b.ly/pendorama", "country": "US", "referrer": "direct",
                               "device_type": "Desktop"}).encode()
            self.assertEqual(counts(send(bell, "bitly", body, secret=SECRETS["BITLY_SECRET"])), (202, 1, 0, 0, 0))
            linkme, click, lead, sale, bitly = rows(bell)
            self.assertEqual((linkme["id"], linkme["link"], linkme["props"]), ("u1", "abc123", {"platform": "ios"}))
            self.assertEqual((click["id"], click["link"], click["country"], click["region"], click["qr"],
                              click["utm"]["source"], click["host"], click["traffic"]),
                             ("evt_0", "try", "US", "US-CA", True, "news", "d.sh", "human"))
            self.assertIsNotNone(click["visitor"])
            self.assertEqual((lead["type"], lead["name"], lead["contact"], lead["visitor"]),
                             ("lead", "Signup", {"name": "Zoe"}, click["visitor"]))
            self.assertEqual((sale["type"], sale["value"]), ("conversion", {"amount": 12.34, "currency": "USD"}))
            self.assertEqual((bitly["id"], bitly["link"], bitly["source"]), ("42f1", "pendorama", "Direct / None"))

    def test_a_map_makes_events_of_any_json(self):
        with service("privacy: { keep_contact: [email] }").ready() as bell:
            body = b'{"person":{"email":"zoe@example.com"}}'
            headers = standard(SECRETS["CRM_WHSEC"], body)
            self.assertEqual(counts(send(bell, "crm", body, headers)), (202, 1, 0, 0, 0))
            self.assertEqual(counts(send(bell, "crm", body, headers)), (202, 0, 1, 0, 0))
            self.assertEqual(counts(send(bell, "crm", body, standard(SECRETS["CRM_WHSEC"], body, "msg_2"))),
                             (202, 1, 0, 0, 0))
            items = [{"nr": 1, "what": "hit", "tags": ["pro"]}, {"nr": 2, "what": "sale", "sum": "12.50"},
                     {"nr": 3, "what": "other"}, {"nr": 4}, {"nr": 5, "what": "sale", "sum": {}}]
            answer = send_key(bell, "list", json.dumps({"items": items}).encode())
            self.assertEqual(counts(answer), (202, 2, 0, 2, 1))
            self.assertEqual([(e["index"], e["code"], e["field"]) for e in answer.json["errors"]],
                             [(2, "missing_field", "type"), (3, "bad_type", "value.amount")])
            first, second, hit, sale = rows(bell)
            self.assertEqual((first["id"], second["id"], first["contact"]["email"]),
                             ("msg_1", "msg_2", "zoe@example.com"))
            self.assertEqual((hit["id"], hit["type"], hit["props"]), ("1", "view", {"plan": "pro"}))
            self.assertEqual((sale["id"], sale["value"]), ("2", {"amount": 12.5, "currency": "EUR"}))
            self.assertEqual(counts(send_key(bell, "list", b'{"items":[]}')), (202, 0, 0, 0, 0))
            for body, status, code in ((b'{"item":[]}', 422, "invalid"), (b'{"items":', 400, "bad_json"),
                                       (b"", 400, "bad_json"), (b"[" * 40 + b"]" * 40, 400, "json_too_deep"),
                                       (json.dumps({"items": [{"what": "hit"}] * 10001}).encode(), 413,
                                        "too_many_events"),
                                       (b'{"items":[{"what":"hit","what":"sale"}]}', 422, "invalid")):
                answer = send_key(bell, "list", body)
                self.assertEqual((answer.status, answer.json["error"]["code"]), (status, code), body[:40])
            self.assertEqual(len(rows(bell)), 4)

    def test_times_are_the_bodys_and_not_older_than_three_days(self):
        with service().ready() as bell:
            at = int(time.time()) - 7200
            for value in (at, at * 1000, str(at), time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime(at))):
                body = json.dumps({"code": "x", "at": value}).encode()
                self.assertEqual(counts(send_key(bell, "keyed", body, "Authorization")), (202, 1, 0, 0, 0))
            self.assertEqual({r["ts"] for r in rows(bell)},
                             {time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))})
            for offset, code in ((-72 * 3600 - 60, "too_old"), (700, "in_future")):
                answer = send_linkmi(bell, linkmi("link.click", now(offset), linkId="x"))
                self.assertEqual((answer.status, answer.json["errors"][0]["code"]), (422, code))

    def test_large_and_packed_bodies(self):
        with service().ready() as bell:
            items = {"items": [{"nr": i, "what": "hit", "pad": "x" * 50} for i in range(3000)]}
            body = json.dumps(items).encode()
            self.assertGreater(len(body), 200000)
            self.assertEqual(counts(send_key(bell, "list", body)), (202, 3000, 0, 0, 0))
            packed = gzip.compress(body)
            headers = {"X-Key": SECRETS["HEADER_SECRET"], "Content-Encoding": "gzip"}
            self.assertEqual(counts(send(bell, "list", packed, headers)), (202, 0, 3000, 0, 0))
            # a signature is over the bytes as sent
            plain = linkmi("link.click", linkId="packed")
            packed = gzip.compress(plain)
            self.assertEqual(counts(send_linkmi(bell, packed, **{"Content-Encoding": "gzip"})), (202, 1, 0, 0, 0))
            headers = {"X-Linkmi-Signature": digest(SECRETS["LINKMI_SECRET"], plain).hex(),
                       "Content-Encoding": "gzip"}
            self.assertEqual(send(bell, "linkmi", packed, headers).status, 401)
            for coding, data, status in (("br", packed, 415), ("gzip, gzip", packed, 415),
                                         ("gzip", b"not packed", 400)):
                self.assertEqual(send_linkmi(bell, data, **{"Content-Encoding": coding}).status, status)
            big = b'{"items":[' + b"1," * (3 << 20) + b"1]}"
            answer = send_key(bell, "list", big)
            self.assertEqual((answer.status, answer.json["error"]["code"]), (413, "too_large"))

    def test_senders_headers_say_nothing_about_the_visitor(self):
        with service().ready() as bell:
            body = linkmi("link.click", linkId="x")
            answer = send_linkmi(bell, body, Referer="https://hooks.example/", DNT="1", **{
                "User-Agent": "Googlebot/2.1", "X-Forwarded-For": "192.0.2.1", "Sec-Purpose": "prefetch"})
            self.assertEqual(answer.status, 202)
            row = rows(bell)[0]
            self.assertEqual((row["traffic"], row["source"], row["visitor"], row["device"]),
                             ("human", "Direct / None", None, None))


class Refusals(unittest.TestCase):
    def test_each_refusal_is_the_same_401_and_the_metrics_tell_which(self):
        with service(env={"LINKME_SECRET": ""}).ready() as bell:
            body = linkmi("link.click", linkId="x")
            right = digest(SECRETS["LINKMI_SECRET"], body).hex()
            whsec = SECRETS["CRM_WHSEC"]
            at = int(time.time())
            timed = digest(SECRETS["LINKMI_SECRET"], f"{at - 400}.".encode() + body).hex()
            cases = [
                ("nobody", {"X-Linkmi-Signature": right}, None, "(unknown)", "unknown_source"),
                ("nobody", {}, "a" * 24, "(unknown)", "unknown_source"),
                ("linkmi", {}, None, "linkmi", "missing"),
                ("linkmi", {"X-Linkmi-Signature": right[:-1]}, None, "linkmi", "malformed"),
                ("linkmi", {"X-Linkmi-Signature": "0" * 64}, None, "linkmi", "wrong"),
                ("linkmi", {"X-Linkmi-Signature": right}, SECRETS["LINKMI_SECRET"], "linkmi", "malformed"),
                ("linkme", {"X-LinkMe-Signature": "sha256=" + right}, None, "linkme", "no_secret"),
                ("dub", {"Dub-Signature": "sha256=" + right}, None, "dub", "malformed"),
                ("bitly", {}, None, "bitly", "missing"),
                ("bitly", {}, SECRETS["BITLY_SECRET"][:-1] + "7", "bitly", "wrong"),
                ("crm", {}, None, "crm", "missing"),
                ("crm", standard(whsec, body, at=at - 301), None, "crm", "old"),
                ("crm", standard(whsec, body, at=at + 320), None, "crm", "old"),
                ("crm", standard(whsec, body + b" "), None, "crm", "wrong"),
                ("crm", standard(whsec, body) | {"webhook-timestamp": "now"}, None, "crm", "malformed"),
                ("timed", {"X-Signature": timed}, None, "timed", "missing"),
                ("timed", {"X-Signature": timed, "X-Time": str(at - 400)}, None, "timed", "old"),
                ("keyed", {"Authorization": "Bearer a-beare"}, None, "keyed", "wrong"),
            ]
            answers, want = set(), {}
            for source, headers, secret, label, reason in cases:
                answer = send(bell, source, body, headers, secret)
                kept = {k: v for k, v in answer.headers.items() if k not in ("Date",)}
                answers.add((answer.status, answer.body, json.dumps(kept, sort_keys=True)))
                key = f'{{source="{label}",reason="{reason}"}}'
                want[key] = want.get(key, 0) + 1
            self.assertEqual(len(answers), 1, answers)
            status, text, _ = answers.pop()
            self.assertEqual((status, json.loads(text)["error"]["code"]), (401, "bad_signature"))
            self.assertEqual({key: bell.metric(REJECTED, key) for key in want}, want)
            self.assertNotIn("nobody", bell.get("/metrics").body.decode())
            self.assertEqual(rows(bell), [])
            self.assertEqual(send(bell, "timed", body, {
                "X-Signature": digest(SECRETS["LINKMI_SECRET"], f"{at}.".encode() + body).hex(),
                "X-Time": str(at)}).status, 202)

    def test_a_header_that_stands_there_twice_is_missing(self):
        with service().ready() as bell:
            body = linkmi("link.click", linkId="x")
            right = digest(SECRETS["LINKMI_SECRET"], body).hex()
            connection = bell.connect()
            connection.putrequest("POST", "/in/linkmi")
            for value in (right, right):
                connection.putheader("X-Linkmi-Signature", value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            self.assertEqual(connection.getresponse().status, 401)
            connection.close()
            self.assertEqual(bell.metric(REJECTED, '{source="linkmi",reason="missing"}'), 1)

    def test_paths_methods_and_secrets_in_the_log(self):
        with service().ready() as bell:
            secret = SECRETS["BITLY_SECRET"]
            self.assertEqual(send(bell, "bitly", b"{}", secret=secret).status, 422)
            self.assertEqual(send(bell, "bitly", b"{}", secret=secret + "/x").status, 404)
            for method in ("GET", "PUT", "DELETE"):
                answer = bell.request(method, f"/in/bitly/{secret}", token=False)
                self.assertEqual((answer.status, answer.headers["Allow"]), (405, "POST"))
            log = bell.log.read_text()
            self.assertIn("route=/in/{source}/*** status=422", log)
            self.assertNotIn(secret, log)
            self.assertNotIn(secret, bell.get("/metrics").body.decode())

    def test_unsigned_is_taken_from_this_machine(self):
        with service().ready() as bell:
            self.assertEqual(counts(send(bell, "open", b"{}")), (202, 1, 0, 0, 0))

    def test_nothing_of_a_refused_body_is_kept(self):
        marks = [b"marker.zoe", b"198.51.100.77", b"MarkerEngine", b"my marker"]
        text = " ".join(m.decode() for m in marks)
        with service("privacy: { keep_contact: [email, name, message] }").ready() as bell:
            body = linkmi("subscriber.new", email=text, widgetTitle=text, campaignId=text)
            for source in ("linkmi", "linkme", "dub", "crm", "timed", "keyed", "list", "nobody", text.replace(" ", "%20")):
                for headers in ({}, {"X-Linkmi-Signature": "0" * 64, "X-Key": text, "Authorization": text,
                                     "webhook-id": text, "User-Agent": text, "Cookie": text}):
                    self.assertEqual(send(bell, source, body, headers).status, 401)
                    self.assertEqual(send(bell, source, body, headers, text.replace(" ", "%20")).status, 401)
            # right signatures, and still nothing that could be stored
            send_linkmi(bell, linkmi("order.new", customer=text))
            send_linkmi(bell, linkmi("subscriber.new", at=text, email=text))
            send_linkmi(bell, body[:-1])
            bell.stop()
            bell.start()
            found = {str(p): m for p in bell.data.rglob("*") if p.is_file() for m in marks if m in p.read_bytes()}
            self.assertEqual(found, {})
            said = bell.log.read_bytes() + bell.get("/metrics").body + bell.get("/v1/alerts").body
            self.assertEqual([m for m in marks if m in said], [])
            self.assertEqual(rows(bell), [])


class Secrets(unittest.TestCase):
    def test_two_secrets_live_and_change_by_a_reload(self):
        with service() as bell:
            path = bell.dir / "secrets"
            path.write_text("first\n")
            bell.write_config(config() + f"""
  - {{ id: filed, kind: linkmi, site: alice.bio, secrets_file: "{path}" }}
""")
            bell.ready()

            def takes(secret):
                body = linkmi("link.click", linkId=f"{secret}-{time.monotonic_ns()}")
                return send_linkmi(bell, body, secret, "filed").status == 202

            def live():
                return [s for s in ("first", "second", "third") if takes(s)]

            self.assertEqual(live(), ["first"])
            path.write_text("second\nfirst\n")
            self.assertEqual(live(), ["first"])  # until the reload
            reload(bell)
            self.assertEqual(live(), ["first", "second"])
            path.write_text("third\nsecond\n")
            reload(bell)
            self.assertEqual(live(), ["second", "third"])
            path.write_text("third\nsecond\nfirst\n")  # three: the old configuration stays
            bell.process.send_signal(signal.SIGHUP)
            wait_for(lambda: "event=reload_failed" in bell.log.read_text(), "the reload to fail")
            self.assertIn("more than two secrets", bell.log.read_text())
            self.assertEqual(live(), ["second", "third"])
            self.assertEqual(send_linkmi(bell, linkmi("link.click"), SECRETS["OLD_SECRET"]).status, 202)

    def test_a_source_without_its_secret_says_so_and_takes_nothing(self):
        with service(env={"DUB_SECRET": ""}).ready() as bell:
            log = bell.log.read_text()
            self.assertIn("event=source_unusable source=dub", log)
            self.assertIn("DUB_SECRET is not set", log)
            body = dub("link.clicked", 1)
            self.assertEqual(send(bell, "dub", body, {"Dub-Signature": digest("", body).hex()}).status, 401)
            self.assertEqual(send_linkmi(bell, linkmi("link.click", linkId="x")).status, 202)

    def test_a_source_comes_and_goes_with_the_file(self):
        with service().ready() as bell:
            body = linkmi("link.click", linkId="x")
            self.assertEqual(send_linkmi(bell, body, source="later").status, 401)
            bell.write_config(config() + "  - { id: later, kind: linkmi, site: alice.bio, secrets_env: [LINKMI_SECRET] }\n")
            self.assertIn("+ source later", bell.run("apply", str(bell.config)).stdout)
            self.assertEqual(send_linkmi(bell, body, source="later").status, 202)
            bell.write_config(config())
            self.assertIn("- source later", bell.run("apply", str(bell.config)).stdout)
            self.assertEqual(send_linkmi(bell, body, source="later").status, 401)


class Repeats(unittest.TestCase):
    def sources(self, *dedupes):
        return config() + "".join(
            f'  - {{ id: {d}, kind: linkmi, site: alice.bio, dedupe: "{d}", secrets_env: [LINKMI_SECRET] }}\n'
            for d in dedupes)

    def test_each_policy_of_equal_bodies(self):
        want = {"off": {"link.click": (3, 2), "subscriber.new": (3, 2)},
                "leads": {"link.click": (3, 2), "subscriber.new": (1, 0)},
                "body": {"link.click": (1, 0), "subscriber.new": (1, 0)}}
        with Linkbell(self.sources(*want), env=SECRETS).ready() as bell:
            for source, events in want.items():
                for event, (taken, ambiguous) in events.items():
                    before = bell.metric(AMBIGUOUS, f'{{source="{source}"}}')
                    body = linkmi(event, email="z@example.com", linkId="x")
                    got = [counts(send_linkmi(bell, body, source=source))[1:3] for _ in range(3)]
                    self.assertEqual(got.count((1, 0)), taken, (source, event, got))
                    self.assertEqual(got.count((0, 1)), 3 - taken)
                    self.assertEqual(bell.metric(AMBIGUOUS, f'{{source="{source}"}}') - before, ambiguous)
                    # a second later it is another visit
                    other = linkmi(event, now(-5), email="z@example.com", linkId="x")
                    self.assertEqual(counts(send_linkmi(bell, other, source=source))[1:3], (1, 0))
            total = sum(a for events in want.values() for _, a in events.values())
            wait_for(lambda: bell.get("/v1/filtered?site=alice.bio").json["ambiguous_duplicates"] == total,
                     "the ambiguous ones to be written")
            self.assertEqual(bell.get("/v1/filtered?site=alice.bio").json["rejected"], {})

    def test_a_lead_that_comes_again_after_a_kill_is_known(self):
        with service().ready() as bell:
            body = linkmi("subscriber.new", email="z@example.com")
            self.assertEqual(counts(send_linkmi(bell, body)), (202, 1, 0, 0, 0))
            bell.kill()
            bell.start()
            self.assertEqual(counts(send_linkmi(bell, body)), (202, 0, 1, 0, 0))
            self.assertEqual(bell.totals()["leads"], 1)

    def test_a_body_is_one_for_its_source_alone(self):
        with Linkbell(self.sources("body", "leads"), env=SECRETS).ready() as bell:
            body = linkmi("subscriber.new", email="z@example.com")
            for source in ("linkmi", "body", "leads"):
                self.assertEqual(counts(send_linkmi(bell, body, source=source)), (202, 1, 0, 0, 0))


class Cap(unittest.TestCase):
    MORE = """delivery: { fallback: [owner], allow_addresses: [127.0.0.0/8] }
destinations:
  - { id: owner, type: webhook, url: "%s", unsigned: true }
"""

    def cap(self, number):
        return f"  - {{ id: capped, kind: linkmi, site: alice.bio, daily_cap: {number}, secrets_env: [LINKMI_SECRET] }}\n"

    def deliver(self, bell, count):
        for number in range(count):
            body = linkmi("link.click", linkId=f"x{time.monotonic_ns()}{number}")
            self.assertEqual(send_linkmi(bell, body, source="capped").status, 202)

    def coverage(self, bell, extra=""):
        return bell.stats("site=alice.bio&metrics=clicks&period=7d" + extra)

    def test_near_the_cap_figures_are_truncated_and_the_owner_is_told_once(self):
        with Receiver() as owner:
            text = config(self.MORE % owner.url()) + self.cap(20)
            with Linkbell(text, env=SECRETS).ready() as bell:
                self.deliver(bell, 18)
                self.assertEqual(self.coverage(bell)["meta"]["coverage"], "complete")
                self.assertEqual(owner.bodies(), [])
                self.deliver(bell, 1)
                wait_for(lambda: len(owner.bodies()) == 1, "the owner to be told")
                message = owner.bodies()[0]
                self.assertEqual((message["type"], message["data"]["rule"], message["data"]["kind"],
                                  message["data"]["site"], message["data"]["group"], message["data"]["coverage"]),
                                 ("alert.fired", "linkbell-sources", "system", "alice.bio",
                                  {"source": "capped"}, "truncated"))
                self.assertIn("19 deliveries of capped in 24 hours", message["data"]["summary"])
                now_text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                got = self.coverage(bell)
                self.assertEqual(got["meta"]["coverage"], "truncated")
                by_time = bell.stats("site=alice.bio&metrics=clicks&by=time:15m&period=7d&limit=10000")
                marked = [r for r in by_time["rows"] if "coverage" in r]
                self.assertTrue(0 < len(marked) <= 2, marked)  # none of the time to come
                self.assertEqual({r["coverage"] for r in marked}, {"truncated"})
                self.assertIn(19, [r["clicks"] for r in marked] + [sum(r["clicks"] for r in marked)])
                self.assertEqual(bell.stats("site=alice.bio&metrics=clicks&by=link&period=7d")["rows"][0].get("coverage"), None)
                day = bell.stats("site=alice.bio&metrics=clicks&by=time:day&period=7d")["rows"]
                self.assertEqual([r.get("coverage") for r in day][:5], [None] * 5)
                self.assertEqual(day[-1].get("coverage", day[-2].get("coverage")), "truncated")
                text = bell.get("/v1/stats?site=alice.bio&metrics=clicks&by=time:day&period=7d&format=csv").body.decode()
                header, *lines = [line.split(",") for line in text.split("\r\n")[:-1]]
                self.assertEqual(header, ["time", "clicks", "coverage"])
                self.assertEqual([line[2] for line in lines], [r.get("coverage", "") for r in day])
                text = bell.get("/v1/stats?site=alice.bio&metrics=clicks&by=link&period=7d&format=csv").body.decode()
                self.assertTrue(text.startswith("link,clicks\r\n"), text)
                self.assertEqual(bell.stats("site=alice.bio&metrics=clicks&from=2026-01-01&to=2026-01-02")["meta"]["coverage"], "complete")
                alerts = [a for a in bell.get("/v1/alerts").json["data"] if a["rule"] == "linkbell-sources"]
                self.assertEqual([(a["kind"], a["state"], a["severity"]) for a in alerts],
                                 [("system", "firing", "warning")])
                self.assertLess(alerts[0]["window"]["from"], now_text.replace("Z", ".999Z"))
                # more deliveries and a kill tell nobody again
                self.deliver(bell, 3)
                bell.kill()
                bell.start()
                self.deliver(bell, 2)
                self.assertEqual(self.coverage(bell)["meta"]["coverage"], "truncated")
                self.assertEqual(len([a for a in bell.get("/v1/alerts").json["data"] if a["kind"] == "system"]), 1)
                self.assertEqual(len(owner.bodies()), 1)
                self.assertIn("verify: ok", bell.run("verify").stdout)
                bell.run("rebuild")
                self.assertEqual(self.coverage(bell)["meta"]["coverage"], "truncated")
                bell.run("erase", "--site", "alice.bio")
                self.assertEqual(self.coverage(bell)["meta"]["coverage"], "complete")

    def test_ignored_and_faulty_deliveries_count_and_refused_ones_do_not(self):
        text = config() + self.cap(20)
        with Linkbell(text, env=SECRETS).ready() as bell:
            for number in range(30):
                send(bell, "capped", linkmi("link.click"), {"X-Linkmi-Signature": "0" * 64})
            for body in [linkmi("shop.order", number=n) for n in range(10)] + [b"{not json"] * 8:
                self.assertIn(send_linkmi(bell, body, source="capped").status, (202, 400))
            self.assertEqual(bell.get("/v1/alerts").json["data"], [])
            self.deliver(bell, 1)
            self.assertEqual([a["kind"] for a in bell.get("/v1/alerts").json["data"]], ["system"])

    def test_a_cap_of_none_is_none(self):
        with Linkbell(config() + self.cap(0), env=SECRETS).ready() as bell:
            self.deliver(bell, 30)
            self.assertEqual(self.coverage(bell)["meta"]["coverage"], "complete")


class Limits(unittest.TestCase):
    def test_a_source_that_floods_is_slowed_alone(self):
        with service("limits: { rate_per_source: 5 }").ready() as bell:
            statuses = [send_linkmi(bell, linkmi("link.click", linkId=f"x{n}")) for n in range(40)]
            slowed = [a for a in statuses if a.status == 429]
            self.assertTrue(slowed)
            self.assertEqual((slowed[0].json["error"]["code"], slowed[0].headers["Retry-After"]), ("rate_limited", "1"))
            self.assertEqual(bell.metric("linkbell_limit_hits_total", '{limit="rate_per_source"}'), len(slowed))
            self.assertEqual(counts(send_key(bell, "keyed", b'{"code":"x"}', "Authorization")), (202, 1, 0, 0, 0))
            # wrong signatures use nothing up
            for _ in range(50):
                send(bell, "dub", b"{}", {"Dub-Signature": "0" * 64})
            body = dub("link.clicked", 1)
            headers = {"Dub-Signature": digest(SECRETS["DUB_SECRET"], body).hex()}
            self.assertEqual(send(bell, "dub", body, headers).status, 202)

    def test_a_full_disk_is_told_and_recovers(self):
        with service("limits: { disk_reserve: 64MiB }").ready() as bell:
            body = linkmi("subscriber.new", email="z@example.com")
            self.assertEqual(send_linkmi(bell, body).status, 202)
            text = config("limits: { max_db_bytes: 1KiB }")
            bell.write_config(text)
            reload(bell)
            other = linkmi("subscriber.new", email="y@example.com")
            wait_for(lambda: send_linkmi(bell, linkmi("link.click", linkId=str(time.monotonic_ns()))).status == 503,
                     "the limit")
            answer = send_linkmi(bell, other)
            self.assertEqual((answer.status, answer.json["error"]["code"]), (503, "disk_full"))
            bell.write_config(config())
            reload(bell)
            wait_for(lambda: send_linkmi(bell, other).status == 202, "the limit's end")
            self.assertEqual(bell.totals()["leads"], 2)


class Checks(unittest.TestCase):
    def test_apply_check_names_each_fault(self):
        with service() as bell:
            text = config() + """  - { id: a, kind: linkmy, site: alice.bio }
  - { id: b, kind: generic, site: bob.bio, scheme: url_secret, secrets_env: [HEADER_SECRET], map: { type: click, lnk: $.code } }
  - { id: c, kind: generic, site: alice.bio, scheme: none, map: { type: view } }
  - { id: d, kind: dub, site: alice.bio, secrets_env: [A, B, C] }
"""
            bell.write_config(text)
            done = bell.run("apply", "--check", str(bell.config), check=False)
            self.assertEqual(done.returncode, 1)
            first = text[:text.index("  - { id: a,")].count("\n") + 1
            for number, said in ((0, "kind: \"linkmy\" is none of"), (0, "did you mean linkmi?"),
                                 (1, "site: there is no site \"bob.bio\""),
                                 (1, "secrets_env: HEADER_SECRET holds fewer than 24 characters"),
                                 (1, "lnk: is no field of an event; did you mean link?"),
                                 (2, "allow_unsigned: must be true"), (3, "secrets_env: more than two secrets")):
                found = [line for line in done.stderr.splitlines() if said in line]
                self.assertTrue(found, (said, done.stderr))
                self.assertRegex(found[0], f"^{bell.config}:{first + number}:[0-9]+: ")
            self.assertNotIn(SECRETS["HEADER_SECRET"], done.stderr)
            bell.write_config(config().replace("127.0.0.1:0", "0.0.0.0:0"))
            done = bell.run("apply", "--check", str(bell.config), check=False)
            self.assertIn("scheme: none is refused unless server.listen is a loopback address", done.stderr)
            bell.write_config(config())
            self.assertEqual(bell.run("apply", "--check", str(bell.config)).returncode, 0)

    def test_the_examples_of_the_interface_are_well(self):
        with Linkbell("""
sites: [{ id: alice.bio }]
sources:
  - { id: alice-linkmi, kind: linkmi,  site: alice.bio, secrets_env: [LINKMI_SECRET] }
  - { id: alice-dub,    kind: dub,     site: alice.bio, secrets_env: [DUB_SECRET] }
  - { id: crm,          kind: generic, site: alice.bio, scheme: standard, secrets_env: [CRM_WHSEC], map: { type: lead, contact.email: $.person.email } }
  - { id: legacy,       kind: generic, site: alice.bio, scheme: url_secret, secrets_env: [LEGACY_URL_SECRET], map: { type: click, link: $.code } }
  - { id: full, kind: linkmi, site: alice.bio, secrets_env: [LINKMI_SECRET], encoding: auto, dedupe: leads, daily_cap: 1000 }
""") as bell:
            self.assertIn("is well", bell.run("apply", "--check", str(bell.config)).stdout)


class Manual(unittest.TestCase):
    def block(self, name, kind):
        text = (SOURCE / "docs/webhooks-in.md").read_text()
        return re.search(f"<!-- {name}:begin -->\n```{kind}\n(.*?)```", text, re.S).group(1)

    def test_the_examples_of_the_manual(self):
        env = {"LINKMI_SECRET": "s1", "BITLY_SECRET": "Zq3vN8tK2xW7bR5mD9cF4hJ6", "SHOP_KEY": "k",
               "CRM_WHSEC": SECRETS["CRM_WHSEC"]}
        text = "server: { listen: 127.0.0.1:0 }\n" + self.block("config", "yaml")
        with Linkbell(text, env=env) as bell:
            self.assertIn("is well", bell.run("apply", "--check", str(bell.config)).stdout)
            bell.ready()
            script = self.block("first", "sh").replace("https://l.alice.bio/", f"http://127.0.0.1:{bell.port}/")
            done = subprocess.run(["bash", "-c", "set -euo pipefail\n" + script.replace("\ncurl", "\necho\ncurl")],
                                  text=True, capture_output=True, timeout=60, env=bell.env)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual([line for line in done.stdout.splitlines() if line],
                             self.block("answers", "json").splitlines())
            click, bitly, order = rows(bell)
            self.assertEqual((click["link"], bitly["link"], bitly["country"]), ("book-call", "alice", "FR"))
            self.assertEqual((order["id"], order["value"], order["props"]),
                             ("7", {"amount": 12.5, "currency": "EUR"}, {"item": "print"}))


if __name__ == "__main__":
    unittest.main(verbosity=2)
