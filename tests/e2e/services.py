"""services.py - local stand-ins for the services that messages go to.  Each refuses
what the real service refuses, as destinations.md describes it, and keeps what came."""
import base64
import hashlib
import hmac
import http.server
import json
import re
import secrets
import threading
import time
import urllib.parse


class Service:
    """faults(path, headers, payload) lists what the real service would refuse, and
    refusal() is its answer then; answer(number) gives (status, headers, body) else."""

    content_type = "application/json"
    refused = (400, {}, b"refused")

    def __init__(self, answer=None):
        self.received, self.times, self.faults, self.paths, self.headers = [], [], [], [], []
        self.methods = []
        self.answer = answer or (lambda number: self.usual(number))
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {key.lower(): value for key, value in self.headers.items()}
                status, more, text = outer.take(self.command, self.path, headers, body)
                if hasattr(outer, "hang"):
                    outer.hang(self)
                    return
                self.send_response(status)
                for key, value in more.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
                self.wfile.flush()

            do_POST = do_PATCH = do_PUT = do_GET = serve

            def handle(self):
                try:
                    super().handle()
                except ConnectionError:  # linkbell reads no more than it wants
                    pass

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self, method, path, headers, body):
        if headers.get("content-type") != self.content_type:
            faults, payload = ["content-type: " + str(headers.get("content-type"))], body
        else:
            payload = json.loads(body)
            faults = self.check(path, headers, payload)
        with self.lock:
            number = len(self.received)
            self.received.append(payload)
            self.paths.append(path)
            self.headers.append(headers)
            self.methods.append(method)
            self.times.append(time.monotonic())
            self.faults += faults
        return self.refused if faults else self.answer(number)

    def check(self, path, headers, payload):
        return []

    def usual(self, number):
        return 200, {}, b"ok"

    @property
    def url(self):
        return self.base + self.path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def units(text):
    """UTF-16 code units, which some services count."""
    return len(text.encode("utf-16-le")) // 2


class Discord(Service):
    path = "/api/webhooks/1234567890/ThisPartIsASecret-0123456789"
    refused = (400, {}, b'{"message":"Invalid Form Body","code":50035}')

    def usual(self, number):
        return 200, {"Content-Type": "application/json"}, json.dumps({"id": str(9000 + number)}).encode()

    def check(self, path, headers, payload):
        faults = [] if path == self.path + "?wait=true" else ["path " + path]
        embeds = payload.get("embeds", [])
        if not 1 <= len(embeds) <= 10:
            faults.append(f"{len(embeds)} embeds")
        if payload.get("allowed_mentions") != {"parse": []}:
            faults.append("pings are possible")
        total = 0
        for embed in embeds:
            for key, most in (("title", 256), ("description", 4096)):
                if units(embed.get(key, "")) > most:
                    faults.append(f"{key} too long")
                total += units(embed.get(key, ""))
            if len(embed.get("fields", [])) > 25:
                faults.append("too many fields")
            for field in embed.get("fields", []):
                if not field["name"] or not field["value"]:
                    faults.append("empty field")
                if units(field["name"]) > 256 or units(field["value"]) > 1024:
                    faults.append("field too long")
                total += units(field["name"]) + units(field["value"])
            footer = embed.get("footer", {}).get("text", "")
            if units(footer) > 2048:
                faults.append("footer too long")
            total += units(footer)
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", embed["timestamp"]):
                faults.append("timestamp")
            if not 0 <= embed["color"] <= 0xffffff:
                faults.append("color")
            if "url" in embed and not embed["url"].startswith("http"):
                faults.append("url")
        if total > 6000:
            faults.append(f"{total} characters")
        return faults


class Teams(Service):
    path = "/workflows/0123456789abcdef/triggers/manual/paths/invoke?sig=ThisPartIsASecret"
    refused = (400, {}, b'{"error":{"code":"TriggerInputSchemaMismatch"}}')

    def usual(self, number):
        return 202, {}, b""

    def check(self, path, headers, payload):
        faults = [] if path == self.path else ["path " + path]
        if int(headers["content-length"]) > 20 * 1024:
            faults.append("too large")
        if payload.get("type") != "message" or len(payload["attachments"]) != 1:
            faults.append("not a message with one card")
            return faults
        attachment = payload["attachments"][0]
        card = attachment["content"]
        if attachment["contentType"] != "application/vnd.microsoft.card.adaptive" or card["type"] != "AdaptiveCard":
            faults.append("no Adaptive Card")
        if card["version"] not in ("1.2", "1.3", "1.4"):
            faults.append("version")
        for block in card["body"]:
            if block["type"] == "TextBlock" and not block.get("text"):
                faults.append("TextBlock without text")
            elif block["type"] == "FactSet":
                faults += ["fact" for fact in block["facts"] if not fact["title"] or not fact["value"]]
            elif block["type"] not in ("TextBlock", "FactSet"):
                faults.append(block["type"])
        for action in card.get("actions", []):
            if action["type"] != "Action.OpenUrl" or not action["url"].startswith("https://"):
                faults.append("action")
        return faults


class Telegram(Service):
    token = "123456789:ThisPartIsASecret-AbCdEfGhIjK"
    path = ""
    refused = (400, {}, b'{"ok":false,"error_code":400,"description":"Bad Request: can\'t parse entities"}')

    def usual(self, number):
        return 200, {}, json.dumps({"ok": True, "result": {"message_id": 70 + number}}).encode()

    def check(self, path, headers, payload):
        faults = [] if path == f"/bot{self.token}/sendMessage" else ["path " + path]
        if payload.get("parse_mode") != "HTML":
            faults.append("parse_mode")
        if not re.fullmatch(r"-?\d+|@\w+", str(payload.get("chat_id"))):
            faults.append("chat_id")
        text = payload.get("text", "")
        open_tags = []
        plain = ""
        for tag, closing, name, rest, entity, word in re.findall(
                r"(<(/?)(b|code|a)((?: href=\"[^\"<>]*\")?)>)|(&(?:amp|lt|gt|quot);)|([^<>&]+|.)", text, re.S):
            if tag and not closing:
                open_tags.append(name)
            elif tag and (not open_tags or open_tags.pop() != name):
                faults.append("can't parse entities: " + tag)
            elif word in ("<", ">", "&"):
                faults.append("can't parse entities: " + word)
            plain += "." if entity else word
        if open_tags:
            faults.append("can't parse entities: open")
        if not plain or units(plain) > 4096:
            faults.append(f"{units(plain)} characters")
        return faults


class PagerDuty(Service):
    key = "R0123456789abcdefThisPartASecret"
    path = ""
    refused = (400, {}, b'{"status":"invalid event","message":"Event object is invalid","errors":["payload"]}')

    def usual(self, number):
        return 202, {}, b'{"status":"success","message":"Event processed","dedup_key":"x"}'

    def check(self, path, headers, payload):
        faults = [] if path == "/v2/enqueue" else ["path " + path]
        if payload.get("routing_key") != self.key or len(self.key) != 32:
            faults.append("routing_key")
        if not 1 <= len(payload.get("dedup_key", "")) <= 255:
            faults.append("dedup_key")
        if payload.get("event_action") not in ("trigger", "acknowledge", "resolve"):
            faults.append("event_action")
        if payload.get("event_action") == "trigger":
            body = payload.get("payload", {})
            if not 1 <= len(body.get("summary", "")) <= 1024:
                faults.append("summary")
            if not body.get("source"):
                faults.append("source")
            if body.get("severity") not in ("info", "warning", "error", "critical"):
                faults.append("severity")
        if int(headers["content-length"]) > 512 * 1024:
            faults.append("too large")
        return faults


class Zapier(Service):
    path = "/hooks/catch/1234567/ThisPartIsASecret/"

    def usual(self, number):
        return 200, {}, b'{"status":"success"}'

    def check(self, path, headers, payload):
        faults = [] if path == self.path else ["path " + path]
        for key, value in payload.items():
            if isinstance(value, (dict, list)) or value is None:
                faults.append("not flat: " + key)
        if not payload.get("id"):
            faults.append("no id")
        return faults


class HubSpot(Service):
    """Contacts by e-mail and notes, as the CRM keeps them."""
    token = "pat-eu1-ThisPartIsASecret-0123456789"
    path = ""
    refused = (400, {}, b'{"status":"error","category":"VALIDATION_ERROR","message":"Invalid input JSON"}')
    known = {"email", "firstname", "lastname", "phone", "lifecyclestage", "campaign"}

    def __init__(self, answer=None):
        super().__init__()
        self.override = answer or (lambda number, path: None)
        self.contacts, self.notes = {}, []

    def take(self, method, path, headers, body):
        payload = json.loads(body)
        path = path.replace("/crm/objects/2026-03/", "/crm/v3/objects/")
        with self.lock:
            number = len(self.received)
            self.received.append(payload)
            self.paths.append(path)
            self.headers.append(headers)
            self.times.append(time.monotonic())
            if headers.get("authorization") != "Bearer " + self.token:
                self.faults.append("token")
            status, answer = self.serve_one(path, payload)
            if status == 400:
                self.faults.append(answer)
        override = self.override(number, path)
        return override or (status, {"Content-Type": "application/json"}, json.dumps(answer).encode())

    def serve_one(self, path, payload):
        if path == "/crm/v3/objects/contacts/batch/upsert":
            [given] = payload["inputs"]
            if given["idProperty"] != "email" or not re.fullmatch(r"[^@\s]+@[^@\s]+", given["id"]):
                return 400, "id"
            if given["properties"]["email"] != given["id"] or not set(given["properties"]) <= self.known:
                return 400, "properties " + str(given["properties"])
            if any(value == "" for value in given["properties"].values()):
                return 400, "an empty value over a filled one"
            is_new = given["id"] not in self.contacts
            contact = self.contacts.setdefault(given["id"], {"id": str(501 + len(self.contacts)), "properties": {}})
            contact["properties"].update(given["properties"])
            return 200, {"status": "COMPLETE", "results": [{"id": contact["id"], "new": is_new,
                                                            "objectWriteTraceId": given["objectWriteTraceId"]}]}
        if path == "/crm/v3/objects/notes/search":
            [[wanted]] = [group["filters"] for group in payload["filterGroups"]]
            found = [note for note in self.notes if wanted["value"] in note["properties"]["hs_note_body"]]
            return 200, {"total": len(found), "results": found[:payload["limit"]]}
        if path == "/crm/v3/objects/notes":
            if len(payload["properties"]["hs_note_body"]) > 65536 or not payload["properties"]["hs_timestamp"]:
                return 400, "note"
            [association] = payload["associations"]
            if association["types"] != [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}]:
                return 400, "association"
            self.notes.append(payload)
            return 201, {"id": str(900 + len(self.notes))}
        return 400, "path " + path


class Airtable(Service):
    """A table with upsert, as Airtable has it."""
    token = "patThisPartIsASecret.0123456789abcdef"
    path = ""
    columns = {"Linkbell ID", "Summary", "Time", "Name", "Email", "Campaign", "Value"}

    def __init__(self, answer=None):
        super().__init__()
        self.override = answer or (lambda number: None)
        self.rows = []

    def take(self, method, path, headers, body):
        payload = json.loads(body)
        with self.lock:
            number = len(self.received)
            self.received.append(payload)
            self.times.append(time.monotonic())
            status, answer = self.upsert(method, path, headers, payload)
            if status != 200:
                self.faults.append(answer)
        override = self.override(number)
        return override or (status, {}, json.dumps(answer).encode())

    def upsert(self, method, path, headers, payload):
        if headers.get("authorization") != "Bearer " + self.token:
            return 401, "token"
        if method != "PATCH" or path != "/v0/appXXXXXXXXXXXXXX/New%20leads":
            return 404, method + " " + path
        merge = payload["performUpsert"]["fieldsToMergeOn"]
        created, updated, records = [], [], []
        if not 1 <= len(payload["records"]) <= 10 or not 1 <= len(merge) <= 3:
            return 422, "records"
        for record in payload["records"]:
            fields = record["fields"]
            if not set(fields) <= self.columns or not set(merge) <= set(fields) or "" in fields.values():
                return 422, "fields " + str(fields)
            row = next((r for r in self.rows if all(r["fields"].get(m) == fields[m] for m in merge)), None)
            if row is None:
                row = {"id": f"rec{len(self.rows):014}", "fields": {}}
                self.rows.append(row)
                created.append(row["id"])
            else:
                updated.append(row["id"])
            row["fields"].update(fields)
            records.append(row)
        return 200, {"records": records, "createdRecords": created, "updatedRecords": updated}


def _der(tag, body):
    length = len(body)
    head = bytes([length]) if length < 128 else (
        lambda raw: bytes([0x80 | len(raw)]) + raw)(length.to_bytes((length.bit_length() + 7) // 8, "big"))
    return bytes([tag]) + head + body


def _integer(number):
    return _der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _is_prime(number):
    if any(number % small == 0 for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(16):
        x = pow(secrets.randbelow(number - 3) + 2, odd, number)
        if x in (1, number - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % number
            if x == number - 1:
                break
        else:
            return False
    return True


def make_rsa_key(bits=1024):
    """(PEM of the private key, n, e); for tests alone."""
    def prime():
        while True:
            number = secrets.randbits(bits // 2) | 1 | 3 << (bits // 2 - 2)
            if number % 65537 != 1 and _is_prime(number):
                return number

    p, q, e = prime(), prime(), 65537
    n, d = p * q, pow(e, -1, (p - 1) * (q - 1))
    numbers = (0, n, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
    body = base64.encodebytes(_der(0x30, b"".join(_integer(number) for number in numbers))).decode()
    return "-----BEGIN RSA PRIVATE KEY-----\n" + body + "-----END RSA PRIVATE KEY-----\n", n, e


def is_rs256(token, n, e):
    """RFC 8017, 8.2.2 for SHA-256."""
    text, _, signature = token.rpartition(".")
    size = (n.bit_length() + 7) // 8
    got = pow(int.from_bytes(base64.urlsafe_b64decode(signature + "=="), "big"), e, n).to_bytes(size, "big")
    info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(text.encode()).digest()
    return got == b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info


class GoogleSheets(Service):
    """Tokens for a signed claim, and a sheet that rows are appended to."""
    path = ""

    def __init__(self, answer=None):
        super().__init__()
        self.override = answer or (lambda number, kind: None)
        self.pem, self.n, self.e = make_rsa_key()
        self.rows, self.kinds, self.tokens, self.expires_in = [], [], [], 3599

    def credentials(self):
        return {"type": "service_account", "private_key_id": "kid-1", "private_key": self.pem,
                "client_email": "bell@project.iam.gserviceaccount.com", "token_uri": self.base + "/token"}

    def take(self, method, path, headers, body):
        with self.lock:
            number = len(self.kinds)
            self.times.append(time.monotonic())
            kind, status, answer = self.serve_one(method, path, headers, body)
            self.kinds.append(kind)
        override = self.override(number, kind)
        return override or (status, {}, json.dumps(answer).encode())

    def serve_one(self, method, path, headers, body):
        if path == "/token":
            form = urllib.parse.parse_qs(body.decode(), strict_parsing=True)
            parts = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in form["assertion"][0].split(".")[:2]]
            now = time.time()
            if (form["grant_type"] != ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
                    or headers["content-type"] != "application/x-www-form-urlencoded"
                    or parts[0] != {"alg": "RS256", "typ": "JWT", "kid": "kid-1"}
                    or parts[1]["iss"] != self.credentials()["client_email"] or parts[1]["aud"] != self.base + "/token"
                    or parts[1]["scope"] != "https://www.googleapis.com/auth/spreadsheets"
                    or abs(parts[1]["iat"] - now) > 60 or parts[1]["exp"] != parts[1]["iat"] + 3600
                    or "=" in form["assertion"][0] or not is_rs256(form["assertion"][0], self.n, self.e)):
                return "token", 400, {"error": "invalid_grant"}
            self.tokens.append(f"ya29.ThisPartIsASecret{len(self.tokens)}")
            return "token", 200, {"access_token": self.tokens[-1], "expires_in": self.expires_in, "token_type": "Bearer"}
        if headers.get("authorization") != "Bearer " + (self.tokens[-1] if self.tokens else ""):
            return "refused", 401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}}
        place, _, query = path.partition("?")
        if place == "/v4/spreadsheets/1AbC_x/values/My%20leads%21AB%3AAB" and method == "GET":
            return "read", 200, {"range": "'My leads'!AB1:AB1000", "majorDimension": "COLUMNS",
                                 "values": [[row[-1] for row in self.rows]]}
        if place == "/v4/spreadsheets/1AbC_x/values/My%20leads%21Z1:append" and method == "POST":
            given = json.loads(body)
            wanted = "valueInputOption=RAW&insertDataOption=INSERT_ROWS&includeValuesInResponse=false"
            if query != wanted or given["majorDimension"] != "ROWS":
                return "append", 400, {"error": {"code": 400}}
            self.rows += given["values"]
            return "append", 200, {"updates": {"updatedRange": f"'My leads'!Z{len(self.rows)}:AB{len(self.rows)}"}}
        return "unknown " + method + " " + path, 404, {"error": {"code": 404}}


def sigv4_fault(method, path, headers, body, region, service, access_key, secret_key):
    """What is wrong with a request's AWS Signature Version 4 ("Signature Version 4 signing
    process", AWS documentation); None when nothing is."""
    match = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
                         r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})", headers.get("authorization", ""))
    if not match:
        return "authorization: " + headers.get("authorization", "none")
    key, day, for_region, for_service, signed, signature = match.groups()
    at = headers.get("x-amz-date", "")
    if (key, for_region, for_service) != (access_key, region, service) or not at.startswith(day):
        return f"scope {key} {day} {for_region} {for_service} at {at}"
    if abs(time.time() - time.mktime(time.strptime(at + " UTC", "%Y%m%dT%H%M%SZ %Z")) + time.timezone) > 900:
        return "RequestTimeTooSkewed"
    if "host" not in signed.split(";"):
        return "the host is not signed"
    where, _, query = path.partition("?")
    digest = hashlib.sha256(body).hexdigest()
    if headers.get("x-amz-content-sha256", digest) != digest:
        return "XAmzContentSHA256Mismatch"
    # S3 takes the path as it was sent; other services encode it once more.
    where = where if service == "s3" else urllib.parse.quote(where, safe="/~")
    canonical = "\n".join([method, where, query, *[f"{name}:{' '.join(headers[name].split())}" for name in signed.split(";")], "", signed, digest])
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    secret = b"AWS4" + secret_key.encode()
    for part in (day, region, service, "aws4_request"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    return None if hmac.new(secret, text.encode(), hashlib.sha256).hexdigest() == signature else "SignatureDoesNotMatch"


class Aws(Service):
    region, access_key, secret_key = "eu-west-1", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

    def take(self, method, path, headers, body):
        fault = sigv4_fault(method, path, headers, body, self.region, self.service, self.access_key, self.secret_key)
        with self.lock:
            number = len(self.received)
            self.received.append(body)
            self.paths.append(path)
            self.headers.append(headers)
            self.methods.append(method)
            self.times.append(time.monotonic())
            self.faults += [fault] if fault else []
        if fault:
            return 403, {}, json.dumps({"__type": "com.amazon.coral.service#" + fault}).encode()
        return self.answer(number)


class Sqs(Aws):
    """A queue: what was sent is in messages, by FIFO rules when the queue's name says so."""
    service = "sqs"
    path = "/123456789012/linkbell.fifo"

    def __init__(self, answer=None):
        super().__init__(answer)
        self.messages, self.known = [], set()

    def usual(self, number):
        headers, request = self.headers[number], json.loads(self.received[number])
        entries = request["Entries"]
        faults = [] if headers["content-type"] == "application/x-amz-json-1.0" else ["content-type"]
        faults += [] if headers["x-amz-target"] == "AmazonSQS.SendMessageBatch" else ["target"]
        faults += [] if 1 <= len(entries) <= 10 else [f"{len(entries)} entries"]
        faults += [] if len({e["Id"] for e in entries}) == len(entries) else ["ids of entries"]
        faults += [] if request["QueueUrl"].endswith(self.path) else ["queue"]
        is_fifo = request["QueueUrl"].endswith(".fifo")
        with self.lock:
            for entry in entries:
                if is_fifo and ("MessageGroupId" not in entry or "MessageDeduplicationId" not in entry):
                    faults.append("no group or id")
                elif not is_fifo or entry["MessageDeduplicationId"] not in self.known:
                    self.messages.append(entry)
                    self.known.add(entry.get("MessageDeduplicationId"))
            self.faults += faults
        return 200, {}, json.dumps({"Successful": [{"Id": e["Id"], "MessageId": f"m{number}-{e['Id']}"} for e in entries], "Failed": []}).encode()


class S3(Aws):
    service = "s3"

    def __init__(self, answer=None):
        super().__init__(answer)
        self.objects = {}

    def usual(self, number):
        with self.lock:
            if self.methods[number] != "PUT":
                self.faults.append(self.methods[number])
            self.objects.setdefault(urllib.parse.unquote(self.paths[number]), []).append((self.headers[number], self.received[number]))
        return 200, {"ETag": '"e"'}, b""
