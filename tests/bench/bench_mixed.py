"""bench_mixed.py - questions while events come in.

    python3 tests/bench/bench_mixed.py [--events 3000000] [--seconds 20] [--rate 10000] [--clients 50]

Loads events of 20 sites over a year, then sends events at a steady rate in requests of 100
while clients ask questions one after the other, half of them with filters.  Printed are the
acknowledgement's and the questions' times, the service's largest memory and WAL, and how
many events were sealed meanwhile."""
import argparse
import pathlib
import re
import random
import sys
import tempfile
import threading
import time
import subprocess
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
import bench_columns  # noqa: E402
from harness import BINARY, Linkbell, rfc3339, wait_for  # noqa: E402

WORDS = ["by=source&metrics=views,clicks", "by=country&metrics=views,visitors", "by=time:day&metrics=views,clicks,ctr",
         "by=page&metrics=views&filter=device == Mobile", "by=country&metrics=views,clicks&filter=page == /p1 and device == Mobile",
         "metrics=visitors&filter=country == FR"]


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def memory(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 1024


def ask(bell, until, times, seed):
    rng = random.Random(seed)
    connection = bell.connect(timeout=60)
    first, last = rfc3339(time.time() - 365 * 86400)[:10], rfc3339()[:10]
    while time.monotonic() < until:
        site = rng.choice(["*", "site-1.bio", "site-3.bio", "site-9.bio"])
        words = "&".join(f"{k}={urllib.parse.quote(v)}" for k, v in (w.split("=", 1) for w in rng.choice(WORDS).split("&")))
        began = time.perf_counter()
        answer = bell.get(f"/v1/stats?site={site}&{words}&from={first}&to={last}", connection=connection)
        assert answer.status == 200, answer
        times.append((time.perf_counter() - began) * 1000)
    connection.close()


def send(bell, until, rate, times):
    connection = bell.connect()
    due = time.monotonic()
    number = 0
    while time.monotonic() < until:
        events = [{"type": "view", "site": f"site-{1 + (number + i) % 20}.bio", "id": f"m{number}-{i}", "visitor": f"v{(number * 7 + i) % 5000}",
                   "url": f"https://x.example/p{i}", "country": "FR"} for i in range(100)]
        began = time.perf_counter()
        bell.send(*events, connection=connection)
        times.append((time.perf_counter() - began) * 1000)
        number += 1
        due += 100 / rate
        time.sleep(max(0, due - time.monotonic()))
    connection.close()


def steps(bell):
    """Steps of housekeeping that took longer than 5 and 25 ms, by chore."""
    found = {}
    for line in bell.get("/metrics").body.decode().splitlines():
        match = re.match(r'linkbell_housekeeping_seconds_bucket\{chore="(\w+)",le="([^"]+)"\} (\d+)', line)
        if match:
            found.setdefault(match[1], {})[match[2]] = int(match[3])
    return {name: (counts["+Inf"] - counts["0.005"], counts["+Inf"] - counts["0.025"], counts["+Inf"]) for name, counts in found.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Linkbell(bench_columns.CONFIG) as bell:
        lines = pathlib.Path(folder) / "events"
        bench_columns.write_events(lines, pathlib.Path(folder) / "plain.csv", options.events)
        bell.run("apply", str(bell.config))
        subprocess.run([BINARY, "import", "--data-dir", str(bell.data), "--format", "ndjson", "--quiet", str(lines)],
                       env=bell.env, check=True, stdout=subprocess.DEVNULL)
        bell.ready()
        wait_for(lambda: bench_columns.log(bell, "SELECT count(*) FILTER (WHERE generation = built_generation) >= count(*) - 20 "
                                                 "FROM day_state")[0], "the days", 3600)
        bell.stop()
        bell.ready()
        sealed = bell.metric("linkbell_sealed_events_total")
        until = time.monotonic() + options.seconds
        asked, sent, wal = [], [], 0
        threads = [threading.Thread(target=ask, args=(bell, until, asked, n)) for n in range(options.clients)]
        threads.append(threading.Thread(target=send, args=(bell, until, options.rate, sent)))
        for thread in threads:
            thread.start()
        while time.monotonic() < until:
            wal = max(wal, (bell.data / "linkbell.db-wal").stat().st_size)
            time.sleep(0.2)
        for thread in threads:
            thread.join()
        print(f"{options.clients} clients asked {len(asked)} questions: median {percentile(asked, 0.5):.0f} ms, p99 {percentile(asked, 0.99):.0f} ms, "
              f"worst {max(asked):.0f} ms")
        print(f"{len(sent) * 100 / options.seconds:.0f} events/s meanwhile, in requests of 100: acknowledged in median {percentile(sent, 0.5):.1f} ms, "
              f"p99 {percentile(sent, 0.99):.1f} ms, worst {max(sent):.1f} ms")
        late = {name: counts for name, counts in steps(bell).items() if counts[0]}
        print("steps of housekeeping over 5 ms, over 25 ms, of all: "
              + (", ".join(f"{name} {over}, {far}, {total}" for name, (over, far, total) in late.items()) or "none over 5 ms"))
        print(f"memory at most {memory(bell.process.pid):.0f} MB, WAL at most {wal / 1e6:.0f} MB, "
              f"{bell.metric('linkbell_sealed_events_total') - sealed:.0f} events sealed")


if __name__ == "__main__":
    main()
