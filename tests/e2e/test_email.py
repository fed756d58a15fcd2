"""Mail: what arrives, one transaction a recipient, and what a server's answers lead to."""
import base64
import email
import email.policy
import hashlib
import pathlib
import socketserver
import ssl
import subprocess
import tempfile
import threading
import unittest

from harness import Linkbell, wait_for

CONFIG = """
server: { listen: 127.0.0.1:0, public_url: "https://l.alice.bio" }
privacy: { keep_contact: [email, name, message] }
delivery: { allow_addresses: [127.0.0.0/8], jitter: 0 }
sites: [{ id: alice.bio, timezone: Europe/Paris }]
destinations:
  - { id: mail, type: email, smtp: "%s", from: "linkbell <alerts@alice.bio>", to: [%s], rate: 1000/s, retry: [20ms, 20ms]%s }
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [mail] }
"""
LEAD = {"type": "lead", "site": "alice.bio", "id": "l1", "name": "contact-form",
        "contact": {"email": "zoe@example.com", "name": "Zoë Müller"}}
LOGIN = ", user_env: LB_USER, password_env: LB_PASS"
ENV = {"LB_USER": "alice", "LB_PASS": "ThisPartIsASecret"}


class Server:
    """answer(number, verb, argument) gives a reply line instead of the usual one, or None."""

    def __init__(self, answer=lambda number, verb, argument: None, tls=None, starttls=None):
        """With an ssl.SSLContext as tls from the start, as starttls when asked."""
        self.mails, self.verbs, self.logins, self.plain_verbs = [], [], [], []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def reply(self, text):
                self.wfile.write(text.encode() + b"\r\n")

            def secure(self, context):
                self.request = context.wrap_socket(self.request, server_side=True)
                self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)

            def handle(self):
                try:
                    self.serve()
                except OSError:
                    pass  # of a client that does not like the certificate

            def serve(self):
                if tls:
                    self.secure(tls)
                self.reply("220 mail.example ESMTP")
                sender, recipients, is_plain = None, [], not tls
                while True:
                    line = self.rfile.readline().decode().rstrip("\r\n")
                    verb, _, argument = line.partition(" ")
                    verb = verb.upper()
                    if not line or verb == "QUIT":
                        return
                    own = answer(len(outer.mails), verb, argument)
                    outer.verbs.append(line)
                    outer.plain_verbs += [verb] if is_plain else []
                    if verb == "STARTTLS" and starttls:
                        self.reply("220 go on")
                        self.secure(starttls)
                        is_plain = False
                    elif own:
                        self.reply(own)
                    elif verb == "EHLO":
                        self.reply("250-mail.example\r\n" + ("250-STARTTLS\r\n" if starttls and is_plain else "") + "250-AUTH PLAIN\r\n250 SIZE 1000000")
                    elif verb == "AUTH":
                        words = argument.split(" ")
                        if len(words) == 1:
                            self.reply("334 ")
                            words.append(self.rfile.readline().decode().strip())
                        outer.logins.append(base64.b64decode(words[1]).split(b"\0")[1:])
                        self.reply("235 welcome")
                    elif verb == "MAIL":
                        sender, recipients = argument, []
                        self.reply("250 ok")
                    elif verb == "RCPT":
                        recipients.append(argument)
                        self.reply("250 ok")
                    elif verb == "DATA":
                        self.reply("354 go on")
                        text = b""
                        while not text.endswith(b"\r\n.\r\n"):
                            text += self.rfile.readline()
                        end = answer(len(outer.mails), "END", "")
                        if not end:
                            outer.mails.append((sender, recipients, text[:-3].replace(b"\r\n..", b"\r\n.")))
                        self.reply(end or "250 queued")
                    else:
                        self.reply("250 ok")

        class Threads(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.server = Threads(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"smtp{'s' if tls else ''}://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def recipients(self):
        return [recipient for _, recipients, _ in self.mails for recipient in recipients]


def make_certificate(folder):
    """A private authority's certificate, which is the server's, too: its file and a context."""
    key, certificate = str(pathlib.Path(folder, "key.pem")), str(pathlib.Path(folder, "ca.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=mail.example", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


def alert_id(occasion):
    joined = b"".join(part.encode() + b"\0" for part in ("hot-lead", "alice.bio", "{}", occasion))
    return "al_" + hashlib.sha256(joined).hexdigest()[:16]


class Tls(unittest.TestCase):
    def deliver(self, server, ca_file, state):
        config = (CONFIG % (server.url, "alice@alice.bio", LOGIN)).replace("jitter: 0", f"jitter: 0, ca_file: {ca_file}" if ca_file else "jitter: 0")
        with Linkbell(config, ENV) as bell:
            bell.ready()
            bell.send(LEAD)
            row = wait_for(lambda: [r for r in bell.get("/v1/deliveries").json["data"] if r["state"] == state], state)[0]
            return bell.get(f"/v1/deliveries/{row['id']}").json

    def test_from_the_start_and_when_asked(self):
        with tempfile.TemporaryDirectory() as folder:
            certificate, context = make_certificate(folder)
            with Server(tls=context) as server:
                self.deliver(server, certificate, "delivered")
                self.assertEqual((len(server.mails), server.plain_verbs), (1, []))
            with Server(starttls=context) as server:
                self.deliver(server, certificate, "delivered")
                self.assertEqual((len(server.mails), server.plain_verbs), (1, ["EHLO", "STARTTLS"]))
                self.assertEqual(server.logins, [[b"alice", b"ThisPartIsASecret"]])

    def test_a_certificate_that_nobody_vouches_for_gets_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            _, context = make_certificate(folder)
            for server in (Server(tls=context), Server(starttls=context)):
                with server:
                    row = self.deliver(server, None, "dead")
                    self.assertEqual(row["log"][-1]["error"], "tls_invalid")
                    self.assertEqual((server.mails, server.logins), ([], []))


class Mail(unittest.TestCase):
    def test_a_digest_says_how_to_get_no_more(self):
        with Server() as server:
            config = (CONFIG % (server.url, "alice@alice.bio", "")).replace("match: { type: lead }", "match: { type: lead }, digest: 1s")
            with Linkbell(config, ENV) as bell:
                bell.ready()
                bell.send(LEAD, dict(LEAD, id="l2"))
                wait_for(lambda: server.mails, "the digest", 90)
            mail = email.message_from_bytes(server.mails[0][2], policy=email.policy.default)
            self.assertEqual(mail["list-unsubscribe"], "<mailto:alerts@alice.bio?subject=unsubscribe>")
            self.assertIn("2 alerts of hot-lead on alice.bio", next(mail.iter_parts()).get_content())

    def run_lead(self, server, state, to="alice@alice.bio", more="", lead=None):
        with Linkbell(CONFIG % (server.url, to, more), ENV) as bell:
            bell.ready()
            bell.send(lead or LEAD)
            row = wait_for(lambda: [r for r in bell.get("/v1/deliveries").json["data"] if r["state"] == state], state)[0]
            self.log = bell.log.read_text()
            self.assertNotIn("ThisPart", self.log)
            self.assertNotIn("zoe@", self.log)
            return row

    def test_a_lead_reads_well_as_text_and_html(self):
        with Server() as server:
            self.run_lead(server, "delivered", more=LOGIN)
            sender, recipients, raw = server.mails[0]
            self.assertTrue(sender.startswith("FROM:<alerts@alice.bio>"))
            self.assertEqual(recipients, ["TO:<alice@alice.bio>"])
            self.assertEqual(server.logins, [[b"alice", b"ThisPartIsASecret"]])
            self.assertTrue(all(len(line) <= 78 for line in raw.split(b"\r\n")))
            self.assertNotIn(b"\n", raw.replace(b"\r\n", b""))
            mail = email.message_from_bytes(raw, policy=email.policy.default)
            self.assertEqual(mail["subject"], "[alice.bio] New lead: Zoë Müller")
            self.assertIn(b"Subject: =?UTF-8?Q?", raw)
            self.assertEqual((mail["from"], mail["to"]), ("linkbell <alerts@alice.bio>", "alice@alice.bio"))
            self.assertEqual(mail["message-id"], f"<{alert_id('l1')}@l.alice.bio>")
            self.assertEqual((mail["auto-submitted"], mail["x-linkbell-rule"]), ("auto-generated", "hot-lead"))
            self.assertIsNotNone(mail["date"].datetime)
            self.assertEqual([part.get_content_type() for part in mail.iter_parts()], ["text/plain", "text/html"])
            text, page = (part.get_content() for part in mail.iter_parts())
            for word in ("New lead on alice.bio: Zoë Müller", "zoe@example.com", "https://l.alice.bio/?site=alice.bio",
                         alert_id("l1")):
                self.assertIn(word, text)
            self.assertIn("<td>zoe@example.com</td>", page)

    def test_what_a_stranger_types_stays_text(self):
        name = "</td><script>x\r\nBcc: all@example.com\r\n.\r\n" + "予" * 60
        lead = dict(LEAD, contact={"name": name, "message": ".\r\n..\r\nQUIT", "email": "a@b"})
        with Server() as server:
            self.run_lead(server, "delivered", lead=lead)
            mail = email.message_from_bytes(server.mails[0][2], policy=email.policy.default)
            self.assertIsNone(mail["bcc"])
            self.assertIn("予", mail["subject"])
            page = list(mail.iter_parts())[1].get_content()
            self.assertNotIn("<script>", page)
            self.assertEqual(len(server.mails), 1)

    def test_a_repeat_goes_to_those_who_did_not_get_it(self):
        refused = []

        def answer(number, verb, argument):
            if verb == "RCPT" and "second" in argument and len(refused) < 2:
                refused.append(argument)
                return "451 try again later"
            return None

        with Server(answer) as server:
            row = self.run_lead(server, "delivered", to="first@a.bio, second@a.bio, third@a.bio")
            self.assertEqual(row["attempts"], 3)
            self.assertEqual(server.recipients(), ["TO:<first@a.bio>", "TO:<third@a.bio>", "TO:<second@a.bio>"])
            ids = {email.message_from_bytes(raw)["message-id"] for _, _, raw in server.mails}
            self.assertEqual(len(ids), 1)

    def test_a_refused_recipient_keeps_it_from_no_other(self):
        def answer(number, verb, argument):
            return "550 no such user" if verb == "RCPT" and "first" in argument else None

        with Server(answer) as server:
            row = self.run_lead(server, "dead", to="first@a.bio, second@a.bio")
            self.assertEqual((row["reason"], server.recipients()), ("rejected", ["TO:<second@a.bio>"]))

    def test_a_full_mailbox_is_tried_again(self):
        tries = []

        def answer(number, verb, argument):
            if verb == "END" and not tries:
                tries.append(1)
                return "452 full"
            return None

        with Server(answer) as server:
            self.assertEqual(self.run_lead(server, "delivered")["attempts"], 2)
            self.assertEqual(len(server.mails), 1)

    def test_a_bad_password_pauses(self):
        with Server(lambda number, verb, argument: "535 no" if verb == "AUTH" else None) as server:
            with Linkbell(CONFIG % (server.url, "a@b.bio", LOGIN), ENV) as bell:
                bell.ready()
                bell.send(LEAD)
                wait_for(lambda: bell.get("/v1/destinations/mail").json["state"] == "paused", "the pause")
                self.assertEqual(bell.get("/v1/deliveries").json["data"][0]["attempts"], 0)

    def test_no_private_address_is_called_unless_allowed(self):
        with Server() as server:
            config = (CONFIG % (server.url, "a@b.bio", "")).replace("allow_addresses: [127.0.0.0/8], ", "")
            with Linkbell(config, ENV) as bell:
                bell.ready()
                bell.send(LEAD)
                wait_for(lambda: "blocked_address" in bell.log.read_text(), "the refusal")
                self.assertEqual(server.verbs, [])

    def test_a_test_message_arrives(self):
        with Server() as server, Linkbell(CONFIG % (server.url, "a@b.bio", ""), ENV) as bell:
            bell.ready()
            self.assertTrue(bell.post("/v1/destinations/mail/test").json["delivered"])
            mail = email.message_from_bytes(server.mails[0][2], policy=email.policy.default)
            self.assertTrue(mail["subject"].startswith("[alice.bio] Test message: "))

    def test_faults_are_named(self):
        good = ("smtp://mail.example:587", "a@b.bio", "")
        for smtp, to, more, word in (("mail.example", "a@b", "", "smtps://"), ("smtp://u:p@mail.example", "a@b", "", "user"),
                                     (*good[:1], "alice", "", "address"), (*good[:2], ", cc: [a@b]", "cc"),
                                     (*good[:1], '"a@b\\r\\nBcc: c@d"', "", "address")):
            with self.subTest(word), Linkbell(CONFIG % (smtp, to, more)) as bell:
                done = bell.run("apply", "--check", str(bell.config), check=False)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(word, done.stdout + done.stderr)
        with Linkbell(CONFIG % good) as bell:
            bell.run("apply", "--check", str(bell.config))


if __name__ == "__main__":
    unittest.main(verbosity=2)
