"""No address, user agent or e-mail that goes in is found in any byte that is written: the
data directory with its WAL, the log, /metrics, exports, alerts.  Each way in is one row of
WAYS; what privacy.keep_contact allows is found, and gone after `erase`."""
import gzip
import json
import time
import unittest

from harness import Linkbell, rfc3339

CONFIG = """
server: { listen: 127.0.0.1:0, log_level: debug }
privacy: { keep_contact: [%s] }
bots: { burst_per_minute: 5 }
sites:
  - { id: alice.bio, timezone: Europe/Paris, hosts: [l.alice.bio] }
sources:
  - { id: linkmi, kind: linkmi, site: alice.bio, scheme: none, allow_unsigned: true }
  - { id: dub, kind: dub, site: alice.bio, scheme: none, allow_unsigned: true }
  - { id: closed, kind: linkmi, site: alice.bio, header: X-Signature, secrets_env: [HOME] }
  - { id: crm, kind: generic, site: alice.bio, scheme: none, allow_unsigned: true,
      map: { type: lead, id: $.id, contact.email: $.email, contact.name: $.name, contact.message: $.message,
             contact.phone: $.phone, ip: $.ip, user_agent: $.agent, visitor: $.visitor, referrer: $.from } }
rules:
  - { id: lead, kind: event, match: { type: lead } }
  - { id: many, kind: threshold, metric: clicks_raw, per: [visitor], window: 1h, above: 0 }
  - { id: new, kind: first_seen, match: { type: view }, key: [utm_source] }
"""
V4 = "198.51.100.77"
V6 = "2001:db8:77:1234:5678:9abc:def0:1234"
MAPPED = "::ffff:198.51.100.78"
AGENT = "Mozilla/5.0 (MarkerOS 7.7) MarkerBrowser/77.1 (like MarkerEngine)"
CHROME = "Mozilla/5.0 (Linux; Android 14; MarkerOS) Chrome/126.0.77.1 Mobile MarkerBrowser/77"
AGENTS = [AGENT, CHROME, CHROME + " [FB_IAB/FB4A;FBAV/440.0;MarkerEngine;]", "MarkerBrowser/77",
          "Googlebot/2.1 MarkerEngine (+http://marker.zoe)", "Viber MarkerOS",
          CHROME + " Viber MarkerEngine"]
EMAIL = "marker.zoe+77@mail.example"
NAME = "Zoe Markerson"
MESSAGE = "my marker message is private"
PHONE = "+33 6 77 88 99 00"
CONTACT = {"email": EMAIL, "name": NAME, "message": MESSAGE, "phone": PHONE}
ADDRESSES = (V4, V6, MAPPED)
MARKS = [V4, V6, "198.51.100.78", "marker.zoe", "zoe+77", "MarkerOS", "MarkerBrowser",
         "MarkerEngine", NAME, "Markerson", MESSAGE, PHONE]
HEADERS = {"User-Agent": AGENT, "X-Forwarded-For": f"{V4}, {V6}", "Forwarded": f"for={V4}",
           "X-Real-IP": V4, "From": EMAIL, "Cookie": f"who={EMAIL}",
           "Referer": f"https://l.alice.bio/?email={EMAIL}&from={V4}"}
counter = iter(range(1, 10 ** 9))


def event(kind="view", **more):
    return {"type": kind, "site": "alice.bio", "id": f"e{next(counter)}", "ts": rfc3339(),
            "url": f"https://alice.bio/p?utm_source=ok&email={EMAIL}&ip={V4}#{EMAIL}", **more}


def identified():
    """Every way for an event to say who it is of."""
    found = [event(kind, ip=ip, user_agent=AGENT, link="shop")
             for kind in ("view", "click", "conversion") for ip in ADDRESSES]
    found += [event(ip=V4, user_agent=agent) for agent in AGENTS * 2]
    found += [event("view", visitor=EMAIL), event("click", visitor=V4, link="shop")]
    found += [event("lead", ip=V4, user_agent=AGENT, contact=CONTACT),
              event("lead", visitor=EMAIL, contact={"email": EMAIL})]
    found += [event("view", url=f"https://{EMAIL.replace('@', ':pw@')}/p?q={EMAIL}"),
              event("view", referrer=f"mailto:{EMAIL}"),
              event("view", referrer=f"https://{EMAIL}/?x={V4}"),
              event("view", referrer=f"http://{V4}/x"),
              event("view", url=f"https://alice.bio/?fbclid={EMAIL}&gclid={V4}")]
    return found


def faulty():
    """Events that are refused, with a mark in whatever is wrong with them."""
    found = []
    for mark in (EMAIL, V4, V6, AGENT):
        found += [event(type=mark), event() | {"site": mark}, event(ts=mark), event(country=mark),
                  event(**{mark: 1}), event(ip=mark + "x"), event(utm={mark: "x"}),
                  event("lead", contact={mark: "x"}), event("lead", contact=mark),
                  event(value={mark: 1}), event(value={"amount": mark, "currency": mark}),
                  event(value={"amount": 1, "currency": mark}), event(props={mark: [1]}),
                  event(props=mark), event(visitor={"a": mark}), event(utm=[mark]),
                  event(user_agent=mark * 90), event("lead", contact={"email": mark * 90}),
                  event("lead", contact={"message": mark * 300}), event(visitor=mark * 30),
                  event(props={"k": mark * 60}), event(props={mark * 60: 1}),
                  event(url="/" + mark * 200), event(name=mark * 40), event(ip=[mark])]
    return found


def body(events):
    return json.dumps(events).encode()


def lines(events):
    return b"\n".join(json.dumps(e).encode() for e in events)


def post(bell, data, content="application/json", **headers):
    answer = bell.post("/v1/events", data, headers=HEADERS | {"Content-Type": content} | headers)
    assert answer.status in (202, 400, 409, 415, 422), answer
    return answer


def way_one(bell):
    for one in identified() + faulty():
        post(bell, json.dumps(one).encode())


def way_array(bell):
    post(bell, body(identified() + faulty()))


def way_ndjson(bell):
    post(bell, lines(identified() + faulty()) + b'\n{"email": "' + EMAIL.encode() + b'"\nnot json '
         + EMAIL.encode(), "application/x-ndjson")


def way_gzip(bell):
    post(bell, gzip.compress(body(identified())), **{"Content-Encoding": "gzip"})


def way_duplicate_keys(bell):
    mark = json.dumps(EMAIL)
    for text in (f'{{"type":"view","site":"alice.bio",{mark}:1,{mark}:2}}',
                 f'{{"type":"view","site":"alice.bio","props":{{{mark}:1,{mark}:2}}}}',
                 f'{{"type":"view","site":"alice.bio","utm":{{{mark}:"a",{mark}:"b"}}}}',
                 f'{{"type":"lead","site":"alice.bio","contact":{{{mark}:"a",{mark}:"b"}}}}'):
        post(bell, text.encode())


def way_idempotency_key(bell):
    for data in (body(identified()[:3]), body(faulty())):
        key = f"{EMAIL}-{next(counter)}"
        first = post(bell, data, **{"Idempotency-Key": key})
        again = post(bell, data, **{"Idempotency-Key": key})
        assert (again.status, again.body) == (first.status, first.body), (first, again)
        assert again.headers["Idempotency-Replayed"] == "true", again.headers
        assert post(bell, body(identified()), **{"Idempotency-Key": key}).status == 409


def way_broken_requests(bell):
    post(bell, b"not json " + EMAIL.encode())
    post(bell, body(identified()), f"text/{AGENT[:7]}")
    post(bell, b"\x1f\x8b" + EMAIL.encode(), **{"Content-Encoding": "gzip"})
    for path in (f"/{EMAIL}", f"/v1/stats?site={EMAIL}&filter=country%20==%20{V4}",
                 f"/v1/stats?{EMAIL}=1", f"/v1/export/events?site={V4}", f"/v1/alerts?rule={EMAIL}"):
        bell.get(path, headers=HEADERS)
        bell.get(path, headers=HEADERS, token=EMAIL)
    bell.request("DELETE", f"/v1/events/{EMAIL}", headers=HEADERS)


def way_import_ndjson(bell):
    bell.run("import", "-", stdin=lines(identified() + faulty()).decode())


def way_import_csv(bell):
    text = "type,site,id,ts,ip,user_agent,visitor,contact.email,contact.name\n"
    text += f'lead,alice.bio,c1,{rfc3339()},{V4},"{AGENT}",{EMAIL},{EMAIL},{NAME}\n'
    text += f'view,alice.bio,c2,{EMAIL},{V6},"{AGENT}",,,\n{EMAIL},{V4},c3\n'
    bell.run("import", "--format", "csv", "-", stdin=text)


def way_import_bitly(bell):
    click = {"a": AGENT, "c": "FR", "nk": 1, "g": "abc", "h": "abc", "l": "alice", "hh": "1.usa.gov",
             "r": f"https://t.co/x?{EMAIL}", "u": f"https://alice.bio/?{EMAIL}",
             "t": int(time.time()) - 60, "hc": 1, "cy": "Paris", "ll": [48.8, 2.3], "i": V4}
    bell.run("import", "--site", "alice.bio", "--format", "bitly", "-", stdin=json.dumps(click) + "\n")


def way_hooks(bell):
    leads = [json.dumps({"id": f"h{next(counter)}", "email": EMAIL, "name": NAME, "message": MESSAGE,
                         "phone": PHONE, "ip": ip, "agent": agent, "visitor": EMAIL,
                         "from": f"https://{EMAIL}/?x={V4}"}).encode()
             for ip in ADDRESSES for agent in AGENTS]
    dub = {"id": "d1", "event": "lead.created", "createdAt": rfc3339(), "data": {
        "customer": {"email": EMAIL, "name": NAME, "id": PHONE}, "click": {"ip": V4, "refererUrl": f"https://t.co/?{EMAIL}"}}}
    linkmi = {"event": "subscriber.new", "timestamp": rfc3339(), "payload": {"email": EMAIL, MESSAGE: AGENT}}
    for path, sent in (("/in/crm", leads), ("/in/dub", [json.dumps(dub).encode()]),
                       ("/in/linkmi", [json.dumps(linkmi).encode(), json.dumps(linkmi | {"event": EMAIL}).encode(),
                                       json.dumps(linkmi | {"timestamp": EMAIL}).encode(), b"no json " + EMAIL.encode()])):
        for data in sent:
            answer = bell.post(path, data, headers=HEADERS, token=False)
            assert answer.status in (202, 400, 422), answer
            bell.post("/in/closed", data, headers=HEADERS | {"X-Signature": EMAIL}, token=False)
            bell.post(f"/in/{EMAIL}/{EMAIL}", data, headers=HEADERS, token=False)
    assert "route=/v1/tokens" in bell.log.read_text()


# A new way in is a new row.
WAYS = [way_hooks, way_one, way_array, way_ndjson, way_gzip, way_duplicate_keys, way_idempotency_key,
        way_broken_requests, way_import_ndjson, way_import_csv, way_import_bitly]


def written(bell):
    """All that the service has written or says, by name."""
    texts = {str(p.relative_to(bell.data)): p.read_bytes()
             for p in bell.data.rglob("*") if p.is_file()}
    texts["log"] = bell.log.read_bytes()
    for path in ("/metrics", "/v1/export/events?site=alice.bio", "/v1/alerts", "/v1/deliveries",
                 "/v1/export/events?site=alice.bio&format=csv", "/v1/stats?site=*&by=page,referrer",
                 "/v1/stats?site=*&by=source,utm_source,click_id",
                 "/v1/stats?site=*&traffic=all&by=device,browser,os,traffic,reason"):
        answer = bell.get(path)
        assert answer.status == 200, answer
        texts[path] = answer.body
    return texts


def found(bell, marks):
    return sorted({(name, mark) for name, text in written(bell).items()
                   for mark in marks if mark.encode() in text})


class Privacy(unittest.TestCase):
    def test_no_way_in_leaves_a_mark(self):
        for way in WAYS:
            with self.subTest(way.__name__), Linkbell(CONFIG % "") as bell:
                bell.ready()
                way(bell)
                self.assertIn("route=/v1/", bell.log.read_text())
                self.assertEqual(found(bell, MARKS), [])
                bell.kill()
                bell.start()
                self.assertEqual(found(bell, MARKS), [])

    def test_contact_is_kept_as_far_as_allowed_until_it_is_erased(self):
        fields = {"email": "marker.zoe", "name": NAME, "message": MESSAGE, "phone": PHONE}
        for kept in (["email"], ["name", "phone"], list(fields)):
            with self.subTest(kept), Linkbell(CONFIG % ", ".join(kept)) as bell:
                bell.ready()
                bell.send(*[e for e in identified() if e["type"] == "lead"])
                bell.run("export", "events", "--site", "alice.bio", "--out", str(bell.data / "exports"))
                rows = bell.get("/v1/export/events?site=alice.bio").body.decode()
                for field, mark in fields.items():
                    self.assertEqual(mark in rows, field in kept, field)
                    if field not in kept:
                        self.assertEqual(found(bell, [mark]), [])
                self.assertEqual([f for f in found(bell, MARKS) if f[0] in ("log", "/metrics")], [])
                said = bell.run("erase", "--email", EMAIL.upper()).stdout
                self.assertRegex(said, "erased: 2 events, 2 contacts")
                self.assertNotIn("marker.zoe", said.lower())
                self.assertEqual(found(bell, MARKS), [])
                self.assertIn("verify: ok", bell.run("verify").stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
