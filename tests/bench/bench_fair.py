"""bench_fair.py - what a well-behaved sender notices of others.

    python3 tests/bench/bench_fair.py [--seconds 5]

One sender posts single events over one connection, 200 a second at most, each acknowledged after
its fsync, while others flood: batches of another token, singles of another token, an inbound
webhook's source, page events of another address, refused requests over 64 connections, sixteen on
their way on each; and 2,000 connections are idle, 100 send slowly and requests are refused.  Printed
are the acknowledgement's p50 and p99 and how many events were refused, against the quiet service in
the same run.  The flood's generators share the machine's processors.  The settings are the shipped
ones."""
import argparse
import contextlib
import json
import multiprocessing
import pathlib
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import Linkbell  # noqa: E402

AGENT = ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/17.5 Mobile/15E148 Safari/604.1")
CONFIG = """
server: { listen: 127.0.0.1:0, trusted_proxies: [127.0.0.0/8] }
sites:
  - { id: alice.bio, timezone: Europe/Paris }
  - { id: flood.bio, timezone: Europe/Paris }
sources:
  - { id: flood, kind: generic, site: flood.bio, scheme: url_secret, secrets_env: [LB_FLOOD], map: { type: view } }
"""
IDLE, SLOW, PIPELINED = 2000, 100, 16


def victim(port, token, seconds, out):
    """A process of its own, so that no generator's lock holds up its clock."""
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
    times, refused, count = [], 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        count += 1
        body = json.dumps({"type": "view", "site": "alice.bio", "id": f"{end}-{count}", "visitor": f"v{count}"})
        began = time.perf_counter()
        connection.request("POST", "/v1/events", body, headers)
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - began) * 1000)
        refused += answer.status != 202
        time.sleep(0.005)
    times.sort()
    out.put((times[len(times) // 2], times[int(len(times) * 0.99)], times[-1], refused, len(times)))


class Flood:
    """Threads that send bodies of 1,000 or 10,000 events as fast as they are taken."""

    def __init__(self, bell, token, connections, events):
        self.bell, self.token, self.events = bell, token, events
        self.is_over = threading.Event()
        self.taken = self.refused = 0
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(connections)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def run(self, number):
        line = json.dumps({"type": "view", "site": "flood.bio", "id": "@@@@@@@@@@-####", "visitor": "v####",
                           "url": "https://flood.bio/?utm_source=newsletter", "user_agent": AGENT})
        body = "\n".join(line.replace("####", f"{n:05d}") for n in range(self.events)).encode()
        connection = self.bell.connect(60)
        count = 0
        while not self.is_over.is_set():
            count += 1
            answer = self.bell.post("/v1/events", body.replace(b"@@@@@@@@@@", b"%03d%07d" % (number, count)),
                                    headers={"Content-Type": "application/x-ndjson"}, token=self.token,
                                    connection=connection)
            if answer.status == 202:
                self.taken += self.events
            else:
                self.refused += self.events


@contextlib.contextmanager
def wrk(bell, connections, seconds, script):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        process = subprocess.Popen(["wrk", "-t1", f"-c{connections}", f"-d{seconds + 2}s", "-s", file.name,
                                    f"http://127.0.0.1:{bell.port}"], stdout=subprocess.PIPE, text=True)
        try:
            time.sleep(0.5)
            yield
        finally:
            process.terminate()
            process.wait()


def request_lua(method, path, headers, body, pipelined=1, more=""):
    """A wrk script; @ in the body is a number that counts up."""
    fields = ", ".join(f'["{name}"] = "{value}"' for name, value in headers.items())
    return f"""
local n, start = 0, os.time()
function init(args) math.randomseed(os.time()) end
function request()
  local all = {{}}
  for i = 1, {pipelined} do
    n = n + 1
    local headers = {{ {fields} }}
    {more}
    all[i] = wrk.format("{method}", "{path}", headers, (string.gsub([[{body}]], "@", start .. "-" .. n)))
  end
  return table.concat(all)
end
"""


@contextlib.contextmanager
def crowd(bell):
    """Idle connections, and some that send a byte of a request now and then."""
    idle = [socket.create_connection(("127.0.0.1", bell.port)) for _ in range(IDLE)]
    slow = [socket.create_connection(("127.0.0.1", bell.port)) for _ in range(SLOW)]
    is_over = threading.Event()

    def drip():
        text = b"POST /v1/events HTTP/1.1\r\nHost: a\r\nX-Slow: " + b"a" * 4000
        for at in range(len(text)):
            for wire in slow:
                with contextlib.suppress(OSError):
                    wire.send(text[at:at + 1])
            if is_over.wait(0.05):
                return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        for wire in idle + slow:
            wire.close()


def phases(bell, other, seconds):
    bearer = {"Authorization": "Bearer " + other, "Content-Type": "application/json"}
    single = '{"type":"view","site":"flood.bio","id":"@","visitor":"v@"}'
    bad = request_lua("POST", "/v1/events", bearer | {"Authorization": "Bearer lb_nothing"}, single, PIPELINED)
    invalid = request_lua("POST", "/v1/events", bearer, '{"type":"view","site":"nobody.bio"}', PIPELINED)
    page = request_lua("POST", "/api/event", {"Content-Type": "text/plain", "User-Agent": AGENT},
                       '{"n":"pageview","d":"flood.bio","u":"https://flood.bio/@"}', PIPELINED)
    source = request_lua("POST", "/in/flood/flood-secret-flood-secret-flood", {"Content-Type": "application/json"}, '{"at":"@"}', PIPELINED)
    yield "quiet", contextlib.nullcontext
    yield "batches of 1,000 of another token, 8 connections", lambda: Flood(bell, other, 8, 1000)
    yield "batches of 10,000 of another token, 8 connections", lambda: Flood(bell, other, 8, 10000)
    yield ("singles of another token, 64 connections, pipelined",
           lambda: wrk(bell, 64, seconds, request_lua("POST", "/v1/events", bearer, single, PIPELINED)))
    yield "page events of an address, 64 connections, pipelined", lambda: wrk(bell, 64, seconds, page)
    yield "webhooks of a source, 64 connections, pipelined", lambda: wrk(bell, 64, seconds, source)
    yield "wrong tokens, 64 connections, pipelined", lambda: wrk(bell, 64, seconds, bad)
    yield "refused events, 64 connections, pipelined", lambda: wrk(bell, 64, seconds, invalid)

    @contextlib.contextmanager
    def all_at_once():
        with crowd(bell), wrk(bell, 32, seconds, bad), wrk(bell, 32, seconds, invalid):
            yield
    yield f"{IDLE} idle, {SLOW} slow, wrong tokens and refused events", all_at_once


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=5)
    seconds = parser.parse_args().seconds
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Linkbell(CONFIG, {"LB_FLOOD": "flood-secret-flood-secret-flood"}) as bell:
        bell.ready()
        other = bell.make_token("ingest")
        out = multiprocessing.Queue()
        for name, begin in phases(bell, other, seconds):
            with begin() as flood:
                process = multiprocessing.Process(target=victim, args=(bell.port, bell.token, seconds, out))
                process.start()
                p50, p99, most, refused, count = out.get()
                process.join()
            text = f", flood {flood.taken / seconds:.0f} events/s taken, {flood.refused} refused" if isinstance(flood, Flood) else ""
            print(f"{name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, most {most:.1f} ms, {refused} of {count} refused{text}", flush=True)


if __name__ == "__main__":
    main()
