"""browser.py - real Chromium without a window, spoken to over its debugging pipe, and pages for it
under any host name on one local server."""
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

from harness import DEADLINE_S, wait_for

CHROMIUM = "/usr/bin/chromium"
# What a person's browser says; "HeadlessChrome" is a crawler's.
AGENT = ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
         "Chrome/126.0.0.0 Safari/537.36")
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
           "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--disable-default-apps", "--no-proxy-server",
           "--disable-features=HttpsUpgrades,HttpsFirstBalancedMode,HttpsFirstBalancedModeAutoEnable",
           "--disable-blink-features=AutomationControlled",
           "--host-resolver-rules=MAP * 127.0.0.1", "--remote-debugging-pipe"]
# Chromium reads commands from descriptor 3 and writes to 4.
LAUNCH = """import os, sys
ends = [os.dup(int(sys.argv[1])), os.dup(int(sys.argv[2]))]
high = [os.dup2(ends[0], 60), os.dup2(ends[1], 61)]
os.dup2(60, 3), os.dup2(61, 4)
os.closerange(5, 64)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Chromium:
    """One browser with a profile of its own; tab() opens pages that share nothing."""

    def __init__(self, agent=AGENT):
        self.dir = tempfile.mkdtemp(prefix="linkbell-chromium-")
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(theirs_in), str(theirs_out), CHROMIUM, *OPTIONS,
             f"--user-data-dir={self.dir}", *([f"--user-agent={agent}"] if agent else [])],
            pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env=dict(os.environ, HOME=self.dir))
        os.close(theirs_in)
        os.close(theirs_out)
        self.read_end = os.fdopen(ours_in, "rb", buffering=0)
        self.write_end = os.fdopen(ours_out, "wb", buffering=0)
        self.lock = threading.Condition()
        self.answers, self.events, self.number = {}, [], 0
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        waiting = b""
        while piece := self.read_end.read(65536):
            *whole, waiting = (waiting + piece).split(b"\0")
            with self.lock:
                for message in map(json.loads, whole):
                    if "id" in message:
                        self.answers[message["id"]] = message
                    else:
                        self.events.append(message)
                self.lock.notify_all()

    def call(self, method, session=None, **params):
        with self.lock:
            self.number += 1
            number = self.number
            message = {"id": number, "method": method, "params": params}
            if session:
                message["sessionId"] = session
            self.write_end.write(json.dumps(message).encode() + b"\0")
            if not self.lock.wait_for(lambda: number in self.answers, DEADLINE_S):
                raise AssertionError(f"Chromium did not answer {method}")
            answer = self.answers.pop(number)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def tab(self):
        return Tab(self, self.call("Target.createBrowserContext")["browserContextId"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close")
            self.process.wait(10)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.thread.join(5)
        self.read_end.close()
        self.write_end.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Tab:
    """A page in a context of its own."""

    def __init__(self, browser, context):
        self.browser, self.context = browser, context
        self.target = browser.call("Target.createTarget", url="about:blank",
                                   browserContextId=context)["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target,
                                    flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Network.enable")

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def seen(self, method):
        with self.browser.lock:
            return [event["params"] for event in self.browser.events
                    if event.get("sessionId") == self.session and event["method"] == method]

    def loads(self):
        return len(self.seen("Page.loadEventFired"))

    def go(self, url):
        before = self.loads()
        answer = self.call("Page.navigate", url=url)
        if answer.get("errorText"):
            raise AssertionError(f"{url}: {answer['errorText']}")
        wait_for(lambda: self.loads() > before, f"{url} to load")
        return self

    def run(self, expression):
        """The value of an expression in the page; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True, userGesture=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, expression):
        return wait_for(lambda: self.run(expression), expression)

    def click(self, selector, button="left", modifiers=0):
        """A real click in the middle of the element."""
        x, y = self.run(f"(() => {{ const box = document.querySelector({json.dumps(selector)})"
                        ".getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1,
                      modifiers=modifiers)
        return self

    def back(self):
        at = self.call("Page.getNavigationHistory")
        entry = at["entries"][at["currentIndex"] - 1]
        self.call("Page.navigateToHistoryEntry", entryId=entry["id"])
        return self


class Pages:
    """Pages (text) and scripts (bytes) by path, the same under every host name; POST keeps bodies."""

    def __init__(self, pages):
        self.pages, self.asked, self.recorded = pages, [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, kind, body):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Access-Control-Allow-Origin", "*")
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                path = self.path.split("?")[0]
                outer.asked.append((path, dict(self.headers.items())))
                page = outer.pages.get(path)
                kind = "text/javascript" if isinstance(page, bytes) else "text/html; charset=utf-8"
                if page is None:
                    self.answer(404, "text/plain", b"")
                else:
                    self.answer(200, kind, page if isinstance(page, bytes) else page.encode())

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.recorded.append((dict(self.headers.items()), body))
                self.answer(202, "text/plain", b"ok")

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, host, path="/"):
        return f"http://{host}:{self.port}{path}"

    def bodies(self):
        return [json.loads(body) for _, body in self.recorded]

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
