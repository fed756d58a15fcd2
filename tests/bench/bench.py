"""bench.py - what linkbell does, as ratios against nginx in the same run.

    python3 tests/bench/bench.py [--seconds 15] [--batch-seconds 60]

Single-event POST /v1/events, each acknowledged after its fsync, against nginx's `return 204`
on the same POSTs, at 64 and 256 connections; NDJSON batches of 1,000 sustained; a lonely
event; resident memory, idle with the demo data and at most in each phase; the processor time of
an event, which other work on the machine changes least.  Everything is switched on: tokens, deduplication, inheritance,
visitors, places of addresses (country database), devices and classes of real visitors' user
agents, bursts, rollups, rules of three kinds.  The settings are the shipped ones."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import Linkbell, free_port, wait_for  # noqa: E402

HERE = pathlib.Path(__file__).parent
AGENTS = HERE.parent / "data/real_agents.txt"
SITES = 20
VISITORS = 50000
LINKS = ', links: [{ slug: shop, title: Shop, url: "https://shop.example/" }]'
ROUNDS = 400  # batches until a visitor comes again: fewer would be a burst, so no person's
CONFIG = """
server: { listen: 127.0.0.1:0 }
privacy: { keep_contact: [email] }
sites:
%s
destinations:
  - { id: hook, type: webhook, url: "https://hooks.invalid/x", unsigned: true, enabled: false }
rules:
  - { id: hot-lead, kind: event, match: { type: lead, utm_campaign: never }, notify: [hook] }
  - { id: partner, kind: first_seen, match: { type: view, utm_medium: partner }, key: [utm_campaign], notify: [hook] }
  - { id: flood, kind: threshold, metric: clicks, window: 1m, above: 1000000, per: [link], notify: [hook] }
""" % "\n".join(f"  - {{ id: site-{n}.bio, timezone: Europe/Paris{LINKS if n == 1 else ''} }}" for n in range(1, SITES + 1))

NGINX = """
worker_processes 1; daemon off; pid {dir}/pid; error_log {dir}/error.log crit;
events {{ worker_connections 1024; }}
http {{ access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  keepalive_requests 100000000;
  server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }} }}
"""


def wrk(port, connections, seconds, token):
    done = subprocess.run(["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "-s",
                           str(HERE / "ingest.lua"), f"http://127.0.0.1:{port}", "--", token,
                           str(SITES), str(VISITORS), str(AGENTS)], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    return {row[0]: float(row[1]) for row in rows if len(row) == 2 and row[0] in ("p50_ms", "p99_ms", "rate", "bad")}


class Phase:
    """What the service takes while something is measured: memory at most, processor time."""

    def __init__(self, bell):
        self.bell, self.pid = bell, bell.process.pid
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # the peak begins anew
        self.ids, self.cpu_s = self.now()

    def now(self):
        ids = self.bell.metric("linkbell_dedupe_ids") + self.bell.metric("linkbell_dedupe_evicted_total")
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return ids, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __str__(self):
        ids, cpu_s = self.now()
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        resident, peak = (int(text.split(f"Vm{key}:")[1].split()[0]) / 1024 for key in ("RSS", "HWM"))
        used = f"{(cpu_s - self.cpu_s) / (ids - self.ids) * 1e6:.1f} us of a processor an event, " if ids > self.ids else ""
        return f"{used}resident {resident:.0f} MB, at most {peak:.0f} MB"


class Batches(threading.Thread):
    """Sends NDJSON batches of 1,000 made beforehand; only ids and visitors change."""

    def __init__(self, bell, number, until):
        super().__init__()
        self.bell, self.number, self.until = bell, number, until
        self.sent = 0

    def make(self):
        lines = []
        agents = AGENTS.read_text().splitlines()
        for n in range(1000):
            kind = "lead" if n % 200 == 0 else "click" if n % 4 == 0 else "view"
            lines.append(json.dumps({
                "type": kind, "site": f"site-{n % SITES + 1}.bio", "id": f"@@@@@@@@{n:03d}",
                "visitor": f"v####{n:03d}", "link": "book-call",
                "url": f"https://site.bio/p{n % 50}?utm_source=newsletter&utm_medium=email&utm_campaign=c{n % 30}",
                "referrer": "https://l.instagram.com/", "ip": f"{n % 223 + 1}.{n % 251}.{n % 13}.7",
                "user_agent": agents[n % len(agents)], "props": {"plan": "pro"}}))
        return "\n".join(lines).encode()

    def run(self):
        template = self.make()
        connection = self.bell.connect()
        headers = {"Content-Type": "application/x-ndjson"}
        count = 0
        while time.monotonic() < self.until:
            mark = f"{self.number:02d}{count:06d}".encode()
            visitors = f"{count % ROUNDS:04d}".encode()
            answer = self.bell.post("/v1/events", template.replace(b"@@@@@@@@", mark).replace(b"####", visitors),
                                    headers=headers, connection=connection)
            if answer.status == 503:
                continue
            got = answer.json
            assert answer.status == 202 and got["accepted"] == 1000, answer
            self.sent += 1000
            count += 1


def singles(bell, nginx_port, seconds):
    for connections in (64, 256):
        peer = wrk(nginx_port, connections, seconds, bell.token)
        phase = Phase(bell)
        ours = wrk(bell.port, connections, seconds, bell.token)
        print(f"single POSTs, {connections} connections: linkbell {ours['rate']:.0f}/s, nginx {peer['rate']:.0f}/s, "
              f"ratio {ours['rate'] / peer['rate']:.2f}, p50 {ours['p50_ms']:.2f} ms, p99 {ours['p99_ms']:.2f} ms, "
              f"refused {ours['bad']:.0f}, {phase}")


def batches(bell, seconds):
    began = time.monotonic()
    phase = Phase(bell)
    threads = [Batches(bell, n, began + seconds) for n in range(2)]
    for thread in threads:
        thread.start()
    worst = 0.0
    while any(thread.is_alive() for thread in threads):
        worst = max(worst, bell.metric("linkbell_rollup_lag_seconds"))
        time.sleep(1)
    sent = sum(thread.sent for thread in threads)
    took = time.monotonic() - began
    print(f"NDJSON batches of 1,000: {sent / took:.0f} events/s over {took:.0f} s, {sent} distinct ids "
          f"({bell.metric('linkbell_dedupe_ids'):.0f} remembered), {ROUNDS * 1000} visitors, {SITES} sites, "
          f"{bell.totals('*', 'views')['views']} views of people, "
          f"rollups at most {worst:.2f} s behind, {phase}")


def lonely(bell):
    """One event at a time, and one visitor on a short link, who is sent on when the click is durable."""
    connection = bell.connect()
    events, links = [], []
    for n in range(200):
        began = time.perf_counter()
        bell.send({"type": "view", "site": "site-1.bio", "id": f"lonely-{n}"}, connection=connection)
        events.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        answer = bell.get("/r/shop?utm_source=news", token=False, connection=connection)
        links.append((time.perf_counter() - began) * 1000)
        assert answer.status == 302, answer
    events.sort()
    links.sort()
    print(f"a lonely event: p50 {events[100]:.2f} ms, p99 {events[197]:.2f} ms; "
          f"a short link: p50 {links[100]:.2f} ms, p99 {links[197]:.2f} ms")


def idle_with_demo():
    """What ./start leaves: the demo configuration and its clicks, served."""
    bell = Linkbell((HERE.parents[1] / "docs/demo.yaml").read_text(),
                    {"LINKBELL_DEMO_SLACK_URL": "http://127.0.0.1:9/services/demo"})
    with bell:
        bell.run("apply", str(bell.config))
        bell.run("import", "--site", "demo.bio", "--format", "bitly", "--shift", "now",
                 str(HERE.parent / "data/bitly-1usagov-20120316.ndjson.gz"))
        bell.run("geo", "build", str(bell.data / "geo.mmdb"))
        bell.ready("--listen", "127.0.0.1:0")
        clicks = bell.totals("demo.bio", "clicks_raw")["clicks_raw"]
        time.sleep(2)
        print(f"idle with the demo data ({clicks} clicks): {Phase(bell)}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--batch-seconds", type=int, default=60)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="linkbell-bench-")
    port = free_port()
    config = pathlib.Path(folder, "nginx.conf")
    config.write_text(NGINX.format(dir=folder, port=port))
    idle_with_demo()
    nginx = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(config), "-p", folder])
    try:
        with Linkbell(CONFIG) as bell:
            bell.ready()
            bell.run("geo", "build", str(bell.data / "geo.mmdb"))
            wait_for(lambda: b'"geo":"ok"' in bell.get("/readyz").body, "the country database")
            wait_for(lambda: os.path.exists(f"{folder}/pid"), "nginx")
            print(f"idle without data: {Phase(bell)}")
            lonely(bell)
            singles(bell, port, options.seconds)
            batches(bell, options.batch_seconds)
            lonely(bell)
    finally:
        nginx.terminate()
        nginx.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
