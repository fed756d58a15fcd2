"""Messages to Slack: the blocks a reader sees, Slack's limits, escapes, and what its
answers lead to.  The stub refuses what Slack refuses."""
import hashlib
import http.server
import json
import re
import threading
import time
import unittest

from harness import Linkbell, wait_for

CONFIG = """
server: { listen: 127.0.0.1:0, public_url: "https://l.alice.bio" }
privacy: { keep_contact: [email, name] }
delivery: { allow_addresses: [127.0.0.0/8], jitter: 0 }
sites:
  - id: alice.bio
    timezone: Europe/Paris
    links:
      - { slug: shop, title: "Shop & <more>", url: "https://shop.example/" }
destinations:
  - { id: sales, type: slack, url_env: LB_SLACK_URL, retry: [50ms, 50ms] }
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [sales] }
  - { id: flood, kind: threshold, metric: clicks, window: 1h, above: 2, per: [link], notify: [sales] }
  - { id: partner, kind: first_seen, match: { type: view }, key: [utm_campaign], notify: [sales] }
"""
PATH = "/services/T00000000/B00000000/ThisPartIsASecret"


def text_faults(text, most, what):
    if not isinstance(text, dict) or not text.get("text"):
        return [f"{what}: no text"]
    faults = []
    if len(text["text"]) > most:
        faults.append(f"{what}: {len(text['text'])} characters")
    if text["type"] == "mrkdwn":
        plain = re.sub(r"&(amp|lt|gt);", "", text["text"])
        plain = re.sub(r"<https://l\.alice\.bio/[^<>|]*\|Open in linkbell>", "", plain)
        if re.search(r"[&<>]", plain):
            faults.append(f"{what}: not escaped: {plain}")
    return faults


def payload_faults(payload):
    """What Slack documents of incoming webhooks and Block Kit."""
    faults = [] if payload.get("text") else ["no_text"]
    blocks = payload.get("blocks", [])
    if not 1 <= len(blocks) <= 50:
        faults.append(f"{len(blocks)} blocks")
    for block in blocks:
        kind = block["type"]
        if kind == "header":
            if block["text"]["type"] != "plain_text":
                faults.append("header: not plain_text")
            faults += text_faults(block["text"], 150, "header")
        elif kind == "section":
            if "text" not in block and "fields" not in block:
                faults.append("section: empty")
            if "text" in block:
                faults += text_faults(block["text"], 3000, "section")
            if "fields" in block and not 1 <= len(block["fields"]) <= 10:
                faults.append(f"section: {len(block['fields'])} fields")
            for field in block.get("fields", []):
                faults += text_faults(field, 2000, "field")
        elif kind == "context":
            if not 1 <= len(block["elements"]) <= 10:
                faults.append("context: elements")
            for element in block["elements"]:
                faults += text_faults(element, 3000, "context")
        elif kind == "actions":
            if not 1 <= len(block["elements"]) <= 25:
                faults.append("actions: elements")
            for button in block["elements"]:
                if button["type"] != "button" or button["text"]["type"] != "plain_text":
                    faults.append("actions: not a button with plain text")
                faults += text_faults(button["text"], 75, "button")
                if not re.fullmatch(r"https?://[^\s<>]{4,2990}", button.get("url", "")):
                    faults.append("button: url")
        else:
            faults.append("invalid_blocks: " + kind)
    if len(json.dumps(blocks, ensure_ascii=False)) > 12000:
        faults.append("msg_blocks_too_long")
    return faults


class Slack:
    """answer(number) gives status, headers and body for what is not refused."""

    def __init__(self, answer=lambda number: (200, {}, b"ok")):
        self.payloads, self.times, self.faults, self.headers = [], [], [], []
        lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                payload = json.loads(body)
                faults = payload_faults(payload)
                if self.path != PATH or self.headers["Content-Type"] != "application/json":
                    faults.append("invalid_payload")
                with lock:
                    number = len(outer.payloads)
                    outer.payloads.append(payload)
                    outer.headers.append({key.lower(): value for key, value in self.headers.items()})
                    outer.times.append(time.monotonic())
                    outer.faults += faults
                status, headers, text = (400, {}, b"invalid_blocks") if faults else answer(number)
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}{PATH}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def alert_id(rule, group, occasion):
    joined = b"".join(part.encode() + b"\0" for part in (rule, "alice.bio", group, occasion))
    return "al_" + hashlib.sha256(joined).hexdigest()[:16]


def lead(event_id, **more):
    return {"type": "lead", "site": "alice.bio", "id": event_id, **more}


def texts(payload):
    """Header, section, fields as a table, context."""
    header, section, fields, _, context = payload["blocks"]
    table = dict(field["text"].split("\n", 1) for field in fields["fields"])
    return header["text"]["text"], section["text"]["text"], table, context["elements"][0]["text"]


class Messages(unittest.TestCase):
    def run_events(self, *events, count=1, answer=lambda number: (200, {}, b"ok")):
        with Slack(answer) as slack, Linkbell(CONFIG, {"LB_SLACK_URL": slack.url}) as bell:
            bell.ready()
            bell.send(*events)
            wait_for(lambda: len(slack.payloads) >= count, f"{count} messages", 30)
            self.assertEqual(slack.faults, [])
            self.check_silence(bell)
            return slack

    def check_silence(self, bell):
        """The URL is a secret; a lead's contact is nobody's business."""
        log = bell.log.read_text()
        for path in ("/v1/deliveries", "/v1/alerts"):
            self.assertNotIn("ThisPartIsASecret", bell.get(path).body.decode())
        for text in ("ThisPartIsASecret", "zoe@example.com", "Zoë"):
            self.assertNotIn(text, log)

    def test_a_lead_reads_as_a_person_would_say_it(self):
        slack = self.run_events(lead(
            "l1", name="contact-form", country="FR", contact={"email": "zoe@example.com", "name": "Zoë Müller"},
            url="https://alice.bio/?utm_source=newsletter&utm_campaign=spring"))
        payload = slack.payloads[0]
        self.assertEqual(payload["text"], "New lead on alice.bio: Zoë Müller, campaign spring")
        self.assertIs(payload["unfurl_links"], False)
        self.assertIs(payload["unfurl_media"], False)
        self.assertNotIn("webhook-signature", slack.headers[0])
        header, section, fields, context = texts(payload)
        self.assertEqual(header, "New lead on alice.bio")
        self.assertEqual(section, "*Zoë Müller* came from campaign spring")
        self.assertEqual({key: fields[key] for key in ("*Email*", "*Form*", "*Campaign*", "*Country*")},
                         {"*Email*": "zoe@example.com", "*Form*": "contact-form", "*Campaign*": "spring",
                          "*Country*": "FR"})
        self.assertRegex(context, r"^<https://l\.alice\.bio/\?site=alice\.bio&amp;from=\d{4}-\d\d-\d\d\|"
                                  r"Open in linkbell> · " + alert_id("hot-lead", "{}", "l1") + "$")

    def test_a_threshold_says_the_number_and_the_link(self):
        slack = self.run_events(*[{"type": "click", "site": "alice.bio", "link": "shop", "visitor": f"v{n}"}
                                  for n in range(3)])
        header, section, fields, _ = texts(slack.payloads[0])
        self.assertIn("alice.bio", header)
        self.assertIn("3 clicks", section.replace("*", ""))
        self.assertIn("Shop &amp; &lt;more&gt;", section)
        self.assertEqual((fields["*Rule*"], fields["*Link*"], fields["*Severity*"]), ("flood", "shop", "warning"))

    def test_a_first_visit_names_what_is_new(self):
        slack = self.run_events({"type": "view", "site": "alice.bio",
                                 "url": "https://alice.bio/?utm_campaign=partner-x"})
        _, section, fields, _ = texts(slack.payloads[0])
        self.assertIn("partner-x", section)
        self.assertEqual(fields["*Rule*"], "partner")

    def test_many_that_wait_are_one_digest(self):
        with Slack() as slack, Linkbell(CONFIG, {"LB_SLACK_URL": slack.url}) as bell:
            bell.ready()
            bell.run("destinations", "disable", "sales")
            bell.send(*[lead(f"l{n}", contact={"name": f"<Zoë> {n}", "email": "zoe@example.com"}) for n in range(130)])
            held = wait_for(lambda: [r for r in bell.get("/v1/deliveries?limit=1000").json["data"] if r["state"] == "held"][129:], "130 held")
            bell.run("destinations", "enable", "sales")
            wait_for(lambda: not [r for r in bell.get("/v1/deliveries?limit=1000").json["data"] if r["state"] in ("waiting", "sending")],
                     "the end", 30)
            self.assertEqual((slack.faults, len(held)), ([], 1))
            self.assertLessEqual(len(slack.payloads), 3)
            rows = bell.get("/v1/deliveries?limit=1000").json["data"]
            digests = [r for r in rows if r["type"] == "alert.digest"]
            self.assertEqual({r["state"] for r in digests}, {"delivered"})
            merged = [r for r in rows if r["reason"] == "digested"]
            self.assertEqual({r["remote_id"] for r in merged}, {r["message"] for r in digests})
            count = sum(int(re.match(r"(\d+) alerts on alice.bio", p["text"])[1]) for p in slack.payloads if " alerts on " in p["text"])
            self.assertEqual(count, len(merged))
            self.assertEqual(len(merged) + sum(r["state"] == "delivered" and r["type"] == "alert.fired" for r in rows), 130)
            first = slack.payloads[0]["blocks"]
            self.assertEqual(first[0]["text"]["text"], "Digest on alice.bio")
            self.assertEqual((len(first), first[-2]["text"]["text"]), (44, "and 60 more"))
            self.assertIn("&lt;Zoë&gt; 0", first[2]["text"]["text"])
            self.check_silence(bell)

    def test_an_erased_site_is_in_no_digest_either(self):
        config = CONFIG.replace("destinations:", "  - { id: bob.bio, timezone: America/New_York }\ndestinations:")
        with Slack() as slack, Linkbell(config, {"LB_SLACK_URL": slack.url}) as bell:
            bell.ready()
            bell.run("destinations", "disable", "sales")
            bell.send(*[{**lead(f"l{n}", contact={"name": f"Zoe-{n:02}"}), "site": ["alice.bio", "bob.bio"][n % 2]} for n in range(20)])
            wait_for(lambda: len([r for r in bell.get("/v1/deliveries?limit=1000").json["data"] if r["state"] == "held"]) == 20, "20 held")
            bell.run("destinations", "enable", "sales")
            wait_for(lambda: [p for p in slack.payloads if "alerts on several sites" in p["text"]], "the digest", 30)
            wait_for(lambda: not [r for r in bell.get("/v1/deliveries?limit=1000").json["data"] if r["state"] in ("waiting", "sending")], "the end", 30)
            bell.run("erase", "--site", "bob.bio")
            bell.kill()
            left = b"".join(path.read_bytes() for path in bell.data.glob("linkbell.db*"))
            self.assertFalse([n for n in range(1, 20, 2) if b"Zoe-%02d" % n in left])

    def test_what_a_stranger_types_stays_text(self):
        names = ("<!channel>", "<https://evil.example|click>", "<@U123> & co", "&lt;!here&gt;", "*bold* `x`")
        rows = [lead(f"l{n}", name=name, contact={"name": name, "email": f"{name}@x"}) for n, name in enumerate(names)]
        slack = self.run_events(*rows, count=len(names))
        shown = json.dumps([p["blocks"] for p in slack.payloads] + [p["text"] for p in slack.payloads])
        for marker in ("<!", "<@", "<https://evil"):
            self.assertNotIn(marker, shown)
        self.assertIn("&amp;lt;!here&amp;gt;", shown)

    def test_long_and_awkward_texts_stay_in_the_limits(self):
        rows = [lead("l1", name="&" * 256, contact={"name": "<" * 256, "email": "é" * 128},
                     url="https://alice.bio/?utm_source=" + "n" * 256 + "&utm_campaign=" + "%26" * 200),
                lead("l2", name="予" * 85, contact={"name": "🔔" * 64}),
                lead("l3", contact={"name": "a\nb\tc\"\\"})]
        slack = self.run_events(*rows, count=3)
        for payload in slack.payloads:
            self.assertNotIn("\ufffd", json.dumps(payload, ensure_ascii=False))

    def test_the_lead_without_anything_is_told_too(self):
        slack = self.run_events(lead("l1"))
        header, section, _, _ = texts(slack.payloads[0])
        self.assertEqual(header, "New lead on alice.bio")
        self.assertIn("New lead on alice.bio", section)


class Answers(unittest.TestCase):
    def run_answers(self, answers, state):
        """Sends a lead; gives the delivery once it is in state, and the stub."""
        with Slack(lambda number: answers[min(number, len(answers) - 1)]) as slack, \
                Linkbell(CONFIG, {"LB_SLACK_URL": slack.url}) as bell:
            bell.ready()
            bell.send(lead("l1"))
            row = wait_for(lambda: [r for r in bell.get("/v1/deliveries").json["data"] if r["state"] in state],
                           f"state {state}", 20)[0]
            self.assertEqual(slack.faults, [])
            return row, slack

    def test_two_hundred_is_success_whatever_the_body(self):
        row, slack = self.run_answers([(200, {}, b"not ok at all")], ["delivered"])
        self.assertEqual((row["attempts"], len(slack.payloads)), (1, 1))

    def test_five_hundred_is_tried_again(self):
        row, slack = self.run_answers([(500, {}, b"rollup_error"), (200, {}, b"ok")], ["delivered"])
        self.assertEqual((row["attempts"], len(slack.payloads)), (2, 2))

    def test_a_refused_payload_is_dead_at_once(self):
        row, slack = self.run_answers([(400, {}, b"invalid_payload")], ["dead"])
        self.assertEqual((row["attempts"], len(slack.payloads)), (1, 1))

    def test_a_channel_that_is_gone_is_not_tried_again(self):
        for status in (404, 410):
            with self.subTest(status):
                row, slack = self.run_answers([(status, {}, b"no_service")], ["dead", "held"])
                self.assertEqual(len(slack.payloads), 1)

    def test_a_redirect_is_not_followed(self):
        with Slack() as other:
            row, slack = self.run_answers([(302, {"Location": other.url}, b"")], ["dead"])
            self.assertEqual((row["attempts"], len(slack.payloads), other.payloads), (3, 3, []))

    def test_too_many_requests_waits_as_long_as_told(self):
        row, slack = self.run_answers([(429, {"Retry-After": "2"}, b"rate_limited"), (200, {}, b"ok")], ["delivered"])
        self.assertEqual(len(slack.payloads), 2)
        self.assertGreaterEqual(slack.times[1] - slack.times[0], 1.9)


class Buttons(unittest.TestCase):
    """They are links: what they open asks, and does it when it is sent."""

    @staticmethod
    def opened(bell, payload, label):
        """The path of the button's link, on the server of the test."""
        buttons, = [block["elements"] for block in payload["blocks"] if block["type"] == "actions"]
        assert [b["text"]["text"] for b in buttons] == ["See the numbers", "Acknowledge", "Mute"], buttons
        url, = [b["url"] for b in buttons if b["text"]["text"] == label]
        assert url.startswith("https://l.alice.bio/"), url
        return url[len("https://l.alice.bio"):]

    def form(self, bell, path, body=b""):
        return bell.request("POST", path, body=body, token=False, headers={"Content-Type": "application/x-www-form-urlencoded"})

    def test_acknowledge_and_mute(self):
        with Slack() as slack, Linkbell(CONFIG, {"LB_SLACK_URL": slack.url}) as bell:
            bell.ready()
            bell.send(lead("l1", contact={"name": "<b>Zoë</b>", "email": "z@example.com"}))
            wait_for(lambda: slack.payloads, "the message")
            ack = self.opened(bell, slack.payloads[0], "Acknowledge")
            page = bell.get(ack, token=False)
            self.assertEqual((page.status, page.headers["content-type"]), (200, "text/html; charset=utf-8"))
            self.assertIn("<button>Acknowledge</button>", page.body.decode())
            self.assertNotIn("Zoë", page.body.decode())  # the link may be with one who must not have it
            self.assertIn("form method=\"post\"", page.body.decode())
            alert = bell.get("/v1/alerts").json["data"][0]
            self.assertIsNone(alert["acked"])  # looking at it does nothing
            self.assertEqual(self.form(bell, ack).status, 200)
            self.assertIsNotNone(bell.get("/v1/alerts").json["data"][0]["acked"])
            mute = self.opened(bell, slack.payloads[0], "Mute")
            self.assertIn('name="for" value="4h"', bell.get(mute, token=False).body.decode())
            self.assertEqual(self.form(bell, mute, b"for=ever").status, 422)
            self.assertEqual(self.form(bell, mute, b"rule=true&for=1h").status, 200)
            bell.send(lead("l2"))
            wait_for(lambda: len(bell.get("/v1/alerts").json["data"]) == 2, "the second alert")
            self.assertEqual(bell.get("/v1/alerts").json["data"][0]["held_back"], "muted")

    def test_a_key_is_for_one_act_on_one_alert(self):
        with Slack() as slack, Linkbell(CONFIG, {"LB_SLACK_URL": slack.url}) as bell:
            bell.ready()
            bell.send(lead("l1"))
            bell.send(lead("l2"))
            wait_for(lambda: len(slack.payloads) == 2, "the messages")
            ack = self.opened(bell, slack.payloads[0], "Acknowledge")
            other = self.opened(bell, slack.payloads[1], "Acknowledge")
            key = ack.split("key=")[1]
            for path in (ack.replace("/ack?", "/mute?"), other.split("key=")[0] + "key=" + key, ack[:-1] + "g", ack[:-1],
                         ack.split("key=")[0] + "key=" + "f" + key[1:], ack.split("key=")[0] + "key="):
                self.assertEqual(bell.get(path, token=False).status, 403, path)
                self.assertEqual(self.form(bell, path, b"for=1h").status, 403, path)
            self.assertEqual(self.form(bell, ack.split("?")[0]).status, 401)
            self.assertEqual({a["acked"] for a in bell.get("/v1/alerts").json["data"]}, {None})
            bell.run("erase", "--site", "alice.bio")
            self.assertEqual(bell.get(ack, token=False).status, 404)
            self.assertEqual(self.form(bell, ack).status, 404)


class Configuration(unittest.TestCase):
    def test_the_address_is_not_taken_from_the_file(self):
        config = CONFIG.replace("url_env: LB_SLACK_URL", 'url: "https://hooks.slack.com/services/T/B/X"')
        with Linkbell(config) as bell:
            done = bell.run("apply", "--check", str(bell.config), check=False)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout + done.stderr, r":\d+:\d+: .*url")
            self.assertNotIn("services/T/B/X", done.stdout + done.stderr)

    def test_a_missing_variable_is_named_and_holds_the_message(self):
        with Linkbell(CONFIG) as bell:
            bell.env.pop("LB_SLACK_URL", None)
            bell.ready()
            bell.send(lead("l1"))
            wait_for(lambda: "LB_SLACK_URL" in bell.log.read_text(), "the variable's name in the log")
            row = bell.get("/v1/deliveries").json["data"][0]
            self.assertIn(row["state"], ("waiting", "held"))
            self.assertEqual(row["attempts"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
