"""harness.py - what the end-to-end tests share: the built binary with a directory of
its own on a free port, HTTP by hand, and a receiver that verifies signatures.
Nothing sleeps for luck: waiting is by deadline on a condition."""
import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

SOURCE = pathlib.Path(os.environ.get("LINKBELL_SOURCE",
                                     pathlib.Path(__file__).resolve().parents[2]))
BINARY = os.environ.get("LINKBELL", str(SOURCE / "build/release/linkbell"))
DEADLINE_S = 30.0

CONFIG = """
server: { listen: 127.0.0.1:0 }
sites:
  - id: alice.bio
    timezone: Europe/Paris
    hosts: [l.alice.bio]
    links:
      - { slug: book-call, title: Book a strategy call, url: "https://cal.example/alice", intent: high }
      - { slug: shop, title: Shop, url: "https://shop.example/" }
  - id: bob.bio
    timezone: America/New_York
"""


def wait_for(condition, what, deadline_s=DEADLINE_S):
    """Returns the first true value of condition()."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline_s} s for {what}")
        time.sleep(0.01)


def rfc3339(at=None):
    at = time.time() if at is None else at
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:400]!r}"


class Linkbell:
    """A data directory, its configuration, and the service when started."""

    def __init__(self, config=CONFIG, env=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="linkbell-e2e-"))
        self.data = self.dir / "data"
        self.config = self.dir / "linkbell.yaml"
        self.env = dict(os.environ, NO_COLOR="1", **(env or {}))
        self.process = None
        self.port = None
        self.token = None
        self.log = self.dir / "log"
        self.write_config(config)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.kill()
        if kind is not None and self.log.exists():
            print("--- end of the service's log:")
            print("\n".join(self.log.read_text(errors="replace").splitlines()[-30:]))
        shutil.rmtree(self.dir, ignore_errors=True)

    def write_config(self, text):
        self.config.write_text(text)

    def run(self, *words, check=True, stdin=None, timeout=120, text=True):
        """Runs a verb of the command line on this directory."""
        done = subprocess.run([BINARY, words[0], "--data-dir", str(self.data), *words[1:]],
                              input=stdin, capture_output=True, text=text, env=self.env,
                              timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"{words}: exit {done.returncode}: {done.stderr}{done.stdout}")
        return done

    def start(self, *options, wait=True):
        log = open(self.log, "ab")
        self.process = subprocess.Popen(
            [BINARY, "serve", "-c", str(self.config), "--data-dir", str(self.data), *options],
            stdout=subprocess.PIPE, stderr=log, env=self.env)
        log.close()
        if wait:
            self.read_ready()
        return self

    def read_ready(self):
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening on http://"):
            self.process.wait(10)
            raise AssertionError(f"no ready line: {line!r}\n{self.log.read_text(errors='replace')}")
        self.port = int(line.strip().rsplit(":", 1)[1])

    def make_token(self, scope="admin", *options):
        words = ["token", "create", "--scope", scope, *options]
        return self.run(*words).stdout.splitlines()[0]

    def ready(self, *options):
        """Started, with an admin token."""
        self.start(*options)
        self.token = self.make_token()
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(DEADLINE_S)
        self.process.stdout.close()
        self.process = None
        return code

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def connect(self, timeout=DEADLINE_S):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None, token=True, connection=None):
        headers = dict(headers or {})
        if token and "Authorization" not in headers:
            headers["Authorization"] = "Bearer " + (token if isinstance(token, str) else self.token)
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        own = connection is None
        connection = connection or self.connect()
        try:
            connection.request(method, path, body=body, headers=headers)
            got = connection.getresponse()
            return Answer(got.status, got.headers, got.read())
        finally:
            if own:
                connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body=body, **options)

    def send(self, *events, **options):
        """Sends events in one request; all must be taken."""
        answer = self.post("/v1/events", list(events), **options)
        assert answer.status == 202, answer
        return answer.json

    def stats(self, query):
        answer = self.get("/v1/stats?" + query)
        assert answer.status == 200, answer
        return answer.json

    def totals(self, site="alice.bio", metrics="views,clicks,leads", extra=""):
        got = self.stats(f"site={site}&metrics={metrics}{extra}")
        return got["totals"]

    def metric(self, name, labels=""):
        """Value of a sample of /metrics; 0 when absent."""
        text = self.get("/metrics").body.decode()
        for line in text.splitlines():
            if line.startswith(name + labels + " ") or (labels == "" and line.startswith(name + " ")):
                return float(line.rsplit(" ", 1)[1])
        return 0.0


def verify_signature(secret, headers, body):
    """Standard Webhooks 1.0.0, symmetric scheme; True when one v1 value matches."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    want = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    values = [v.split(",", 1) for v in headers["webhook-signature"].split(" ")]
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) <= 300
    return fresh and any(kind == "v1" and hmac.compare_digest(value, want) for kind, value in values)


class Receiver:
    """A local destination.  answer(number, path) gives the status of each request."""

    def __init__(self, answer=lambda number, path: 200, secret=None):
        self.received = []
        self.bad_signatures = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536  # one packet an answer

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with outer.lock:
                    number = len(outer.received)
                    if secret and not verify_signature(secret, self.headers, body):
                        outer.bad_signatures += 1
                    outer.received.append((time.time(), self.path, dict(self.headers.items()), body))
                status = answer(number, self.path)
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")
                self.wfile.flush()

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def bodies(self):
        with self.lock:
            return [json.loads(body) for _, _, _, body in self.received]

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
