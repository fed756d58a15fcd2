"""bench_alerts.py - how long after its event an alert arrives, and what rules cost ingestion.

    python3 tests/bench/bench_alerts.py [--seconds 20] [--rate 5000] [--rounds 3]

First 5,000 events/s to 100 sites with a rule each, of which some 20 a second ring: from
handing the event over to the receiver's socket (a webhook on the same machine).  Then batches of 1,000 as fast as they are taken, without rules
and with 1,000 of ten kinds (ten for each of 100 sites) in turns: events/s, and processor
time an event, which other work on the machine changes least.  Settings are the shipped ones."""
import argparse
import http.server
import json
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import Linkbell, wait_for  # noqa: E402
from bench import Phase  # noqa: E402

SITES = 100
HEAD = """
server: { listen: 127.0.0.1:0 }
delivery: { allow_addresses: [127.0.0.0/8] }
sites:
%s
destinations:
  - { id: hook, type: webhook, url: "%s", unsigned: true }
rules:
%s
"""
# Of each site: what people set up, some for most of its events, some for few.
KINDS = [
    "kind: event, match: { type: click, link: book-call, utm_campaign: never }",
    "kind: event, match: { type: lead, country: [FR, DE], utm_source: partner-* }",
    "kind: first_seen, match: { type: view, utm_medium: partner }, key: [utm_campaign]",
    "kind: threshold, metric: leads, window: 1h, above: 1000000",
    "kind: spike, metric: leads, window: 15m, min: 1000000",
    "kind: drop, metric: views, window: 1h",
    "kind: ctr, window: 1d, drop: 0.3, min_views: 100000000",
    "kind: milestone, metric: leads, every: 100000000",
    "kind: burst, metric: clicks_raw, match: { utm_campaign: never }, window: 1m, above: 1000000",
    "kind: absent, metric: leads, window: 1d",
]


class Receiver:
    """Notes when each message's connection had data, and what it says."""

    def __init__(self):
        self.arrivals = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                at = time.time()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(204)
                self.end_headers()
                outer.arrivals.append((at, body))

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"


def config(url, rules):
    sites = "\n".join(f"  - {{ id: site-{n}.bio, timezone: Europe/Paris, links: [{{ slug: call-{n}, title: Call, url: \"https://cal.example/\" }}] }}"
                      for n in range(SITES))
    return HEAD % (sites, url, "\n".join(rules) if rules else "  []")


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def line(number, kind, event_id):
    link = ',"link":"shop"' if kind == "click" else ""
    return (f'{{"type":"{kind}","site":"site-{number % SITES}.bio","id":"{event_id}","visitor":"v{number % 50000}"{link},'
            f'"url":"https://site.bio/p{number % 50}?utm_source=newsletter&utm_campaign=c{number % 30}","country":"FR"}}')


def latency(seconds, rate):
    receiver = Receiver()
    rules = [f"  - {{ id: hot-{n}, kind: event, sites: [site-{n}.bio], match: {{ type: lead, utm_campaign: [c1, c2, hot] }}, notify: [hook] }}"
             for n in range(SITES)]
    with Linkbell(config(receiver.url, rules)) as bell:
        bell.ready()
        sent = {}
        connection = bell.connect()
        headers = {"Content-Type": "application/x-ndjson"}
        due = began = time.monotonic()
        number = hot = 0
        while time.monotonic() < began + seconds:
            lines = []
            for _ in range(50):
                lines.append(line(number, "click" if number % 4 == 0 else "view", f"e{number}"))
                number += 1
            if number % (rate // 20) < 50:
                hot += 1
                lines[0] = (f'{{"type":"lead","site":"site-{hot % SITES}.bio","id":"hot-{hot}","visitor":"v{hot}",'
                            f'"url":"https://site.bio/?utm_campaign=hot"}}')
                sent[f"hot-{hot}"] = time.time()
            answer = bell.post("/v1/events", "\n".join(lines).encode(), headers=headers, connection=connection)
            assert answer.status == 202 and answer.json["accepted"] == 50, answer
            due += 50 / rate
            time.sleep(max(0, due - time.monotonic()))
        took = time.monotonic() - began
        wait_for(lambda: len(receiver.arrivals) >= len(sent), "the messages", 30)
        arrived = []
        for at, body in receiver.arrivals:
            arrived.append((at - sent.pop(json.loads(body)["data"]["event"]["id"])) * 1000)
        assert not sent, sent
        print(f"{number / took:.0f} events/s, {len(rules)} rules on {SITES} sites, {len(arrived)} alerts, each once: from the event to the receiver's socket, "
              f"decision and outbox between, p50 {percentile(arrived, 0.5):.0f} ms, p99 {percentile(arrived, 0.99):.0f} ms, worst {max(arrived):.0f} ms", flush=True)


def throughput(rules, seconds, mark):
    with Linkbell(config("http://127.0.0.1:9/hook", rules)) as bell:
        bell.ready()
        template = "\n".join(line(n, "lead" if n % 200 == 0 else "click" if n % 4 == 0 else "view", f"@@@@@@@@{n:03d}") for n in range(1000)).encode()
        sent = [0, 0]

        def send(worker, until):
            connection = bell.connect()
            count = 0
            while time.monotonic() < until:
                body = template.replace(b"@@@@@@@@", f"{mark}{worker}{count:06d}".encode())
                answer = bell.post("/v1/events", body, headers={"Content-Type": "application/x-ndjson"}, connection=connection)
                assert answer.status == 202 and answer.json["accepted"] == 1000, answer
                sent[worker] += 1000
                count += 1

        phase = Phase(bell)
        began = time.monotonic()
        threads = [threading.Thread(target=send, args=(worker, began + seconds)) for worker in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
        wait_for(lambda: bell.metric("linkbell_rollup_lag_seconds") < 0.01, "the rollups", 60)
        ids, cpu_s = phase.now()
        return sum(sent) / took, (cpu_s - phase.cpu_s) / (ids - phase.ids) * 1e6


def cost(seconds, rounds):
    rules = [f"  - {{ id: r{n}-{at}, sites: [site-{n}.bio], notify: [hook], {kind} }}" for n in range(SITES) for at, kind in enumerate(KINDS)]
    found = {False: [], True: []}
    for turn in range(rounds):
        for has_rules in (False, True):
            found[has_rules].append(throughput(rules if has_rules else [], seconds, "ab"[has_rules]))
    plain, ruled = ([percentile([pair[at] for pair in found[key]], 0.5) for at in (0, 1)] for key in (False, True))
    print(f"without rules {plain[0]:.0f} events/s, {plain[1]:.2f} us of a processor an event; with {len(rules)} rules {ruled[0]:.0f} events/s "
          f"({ruled[0] / plain[0] - 1:+.1%}), {ruled[1]:.2f} us ({ruled[1] / plain[1] - 1:+.1%})")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    latency(options.seconds, options.rate)
    cost(options.seconds / 2, options.rounds)


if __name__ == "__main__":
    main()
