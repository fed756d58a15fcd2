"""bench_import.py - loading history, as ratios against GoAccess in the same run.

    python3 tests/bench/bench_import.py [--lines 1000000] [--events 1000000] [--keep DIR]

A web server's log made from the real one in tests/data (the same bytes in each run: more visitors, pages and
days), taken in by `linkbell import --format combined` into a fresh directory, against GoAccess that reads the same
file and writes JSON or HTML; native NDJSON events with everything in them that tests/bench/bench.py sends, or little.
Each without a service, and through the socket of a running one, where a client that sends an event at a time measures
how long its acknowledgement takes meanwhile.  Memory at most and processor time are told.  The settings are the
shipped ones, with the country database; every event is on disk when an import ends.  An import uses two processors,
GoAccess one: beside other work the ratio is less.

GoAccess is Debian's package goaccess; without it there is no ratio, and the bench says so."""
import argparse
import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import BINARY, SOURCE, Linkbell, wait_for  # noqa: E402

SAMPLE = SOURCE / "tests/data/apache-combined-201505-a.log.gz"
AGENTS = SOURCE / "tests/data/real_agents.txt"
SITES = 20
AT_A_TIME = 10  # copies of each line of the sample within the same hours
SAMPLE_S = 33 * 3600  # that it lasts
DAYS_S = 30 * 86400
GOAL_RATIO, GOAL_EVENTS, GOAL_ACK_MS = 3, 150000, 100
CONFIG = """
server: { listen: 127.0.0.1:0 }
sites:
  - { id: semicomplete.com, timezone: America/Los_Angeles, hosts: [www.semicomplete.com] }
%s
""" % "\n".join(f"  - {{ id: site-{n}.bio, timezone: Europe/Paris }}" for n in range(1, SITES + 1))


# --- what is loaded


def read_sample():
    """Lines of the real log in parts: address, seconds since its first line, what stands before and after the path."""
    out = []
    for line in gzip.decompress(SAMPLE.read_bytes()).decode().splitlines():
        address, at, request, rest = re.fullmatch(r'(\S+) - - \[([^]]+)\] "([^"]*)"(.*)', line).groups()
        seconds = time.mktime(time.strptime(at[:20], "%d/%b/%Y:%H:%M:%S"))
        out.append((address, seconds, request, rest))
    first = out[0][1]
    return [(address, int(seconds - first), request, rest) for address, seconds, request, rest in out]


def other_address(address, copy):
    """Another public address for each copy, always the same."""
    number = sum(ord(c) * 31 ** i for i, c in enumerate(address)) * 2654435761 + copy * 40503 * 65537
    return f"{number % 200 + 11}.{(number >> 8) % 256}.{(number >> 16) % 256}.{(number >> 24) % 254 + 1}"


def make_log(path, count):
    """A busier site over more days: the sample again and again, ten of it at a time, each copy with addresses of its
    own; every third page is one that only that copy has."""
    sample = read_sample()
    addresses = {entry[0] for entry in sample}
    begin = 1420070400  # 2015
    made = 0
    with open(path, "w") as log:
        period = 0
        while made < count:
            names = [{a: other_address(a, period * AT_A_TIME + copy) for a in addresses} for copy in range(AT_A_TIME)]
            for number, (address, seconds, request, rest) in enumerate(sample):
                for copy in range(AT_A_TIME if made < count else 0):
                    at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(begin + period * SAMPLE_S + seconds))
                    if number % 3 == 0:
                        method, target, version = request.rsplit(" ", 2)[0].split(" ")[0], *request.split(" ")[1:3]
                        target += f"{'&' if '?' in target else '?'}page={period * AT_A_TIME + copy}"
                        asked = f"{method} {target} {version}"
                    else:
                        asked = request
                    log.write(f'{names[copy][address]} - - [{at}] "{asked}"{rest}\n')
                    made += 1
            period += 1
    return made


def make_events(path, count, is_rich):
    """Native events of 20 sites over 30 days, of people who come some ten times."""
    agents = [json.dumps(agent) for agent in AGENTS.read_text().splitlines()]
    begin = 1600000000000
    with open(path, "w") as out:
        for n in range(count):
            kind = "lead" if n % 200 == 0 else "click" if n % 4 == 0 else "view"
            visitor = n * 7919 % (count // 10 + 1)
            text = (f'{{"type":"{kind}","site":"site-{n % SITES + 1}.bio","id":"n{n:09d}",'
                    f'"ts":{begin + n * DAYS_S * 1000 // count},"visitor":"v{visitor}"')
            if kind != "view":
                text += f',"link":"book-call-{n % 7}"'
            if is_rich:
                text += (f',"url":"https://site.bio/p{n % 50}?utm_source=newsletter&utm_medium=email&utm_campaign=c{n % 30}",'
                         f'"referrer":"https://l.instagram.com/","ip":"{n % 223 + 1}.{n % 251}.{n % 13}.7",'
                         f'"user_agent":{agents[visitor % len(agents)]},"props":{{"plan":"pro"}}')
            else:
                text += f',"url":"https://site.bio/p{n % 50}"'
            out.write(text + "}\n")
    return count


# --- measuring


class Run:
    """A command to its end: seconds, processor time, memory at most."""

    def __init__(self, words, **options):
        began = time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        out, err = [], []
        readers = [threading.Thread(target=lambda f=f, to=to: to.append(f.read()))
                   for f, to in ((process.stdout, out), (process.stderr, err))]
        for reader in readers:
            reader.start()
        _, status, used = os.wait4(process.pid, 0)
        self.seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        for reader in readers:
            reader.join()
        process.stdout.close()
        process.stderr.close()
        self.out = out[0].decode(errors="replace")
        if process.returncode != 0:
            raise SystemExit(f"{words}: exit {process.returncode}: {err[0].decode(errors='replace')}{self.out}")
        self.cpu_s = used.ru_utime + used.ru_stime
        self.peak_mb = used.ru_maxrss / 1024

    def __str__(self):
        return f"{self.seconds:.1f} s, {self.cpu_s:.1f} s of a processor, at most {self.peak_mb:.0f} MB"


class Client(threading.Thread):
    """A well-behaved client: an event, its acknowledgement, a hundredth of a second."""

    def __init__(self, bell):
        super().__init__()
        self.bell = bell
        self.times = []
        self.is_over = threading.Event()

    def run(self):
        connection = self.bell.connect()
        while not self.is_over.wait(0.01):
            began = time.perf_counter()
            self.bell.send({"type": "view", "site": "site-1.bio", "id": f"live-{id(self)}-{len(self.times)}"},
                           connection=connection)
            self.times.append((time.perf_counter() - began) * 1000)
        connection.close()

    def stop(self):
        self.is_over.set()
        self.join()
        self.times.sort()
        return self

    def at(self, share):
        return self.times[int((len(self.times) - 1) * share)]


def words_of(bell, path, form):
    words = [BINARY, "import", "--data-dir", str(bell.data), "--json", "--format", form]
    return [*words, *(["--site", "semicomplete.com"] if form == "combined" else []), str(path)]


def check(run, count):
    got = json.loads(run.out)
    if got["lines"] != count or got["accepted"] + got["ignored"] + got["rejected"] + got["duplicates"] != count:
        raise SystemExit(f"{count} lines, but {run.out}")
    return got


def without_service(path, form, count):
    with Linkbell(CONFIG) as bell:
        bell.run("apply", str(bell.config))
        bell.run("geo", "build", str(bell.data / "geo.mmdb"))
        run = Run(words_of(bell, path, form), env=bell.env)
        got = check(run, count)
        size = sum(file.stat().st_size for file in bell.data.glob("linkbell.db*"))
        print(f"  linkbell, no service: {count / run.seconds:.0f}/s, {run}, {got['accepted']} taken, "
              f"{size / count:.0f} bytes each on disk")
        again = Run(words_of(bell, path, form), env=bell.env)
        if check(again, count)["accepted"] != 0:
            raise SystemExit(f"a second import took events: {again.out}")
        print(f"  the same a second time: {count / again.seconds:.0f}/s, {again}, nothing added")
        return count / run.seconds


def with_service(path, form, count):
    """Rate and acknowledgement while the import runs."""
    with Linkbell(CONFIG) as bell:
        bell.run("apply", str(bell.config))
        bell.run("geo", "build", str(bell.data / "geo.mmdb"))
        bell.ready()
        wait_for(lambda: b'"geo":"ok"' in bell.get("/readyz").body, "the country database")
        pid = bell.process.pid
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
        client = Client(bell)
        client.start()
        run = Run(words_of(bell, path, form), env=bell.env)
        client.stop()
        check(run, count)
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
        peak_mb = int(text.split("VmHWM:")[1].split()[0]) / 1024
        print(f"  linkbell, into a service: {count / run.seconds:.0f}/s, {run}; the service at most {peak_mb:.0f} MB; "
              f"a client's {len(client.times)} events meanwhile acknowledged p50 {client.at(0.5):.1f} ms, "
              f"p99 {client.at(0.99):.1f} ms, at most {client.times[-1]:.1f} ms")
        return count / run.seconds, client.at(0.99)


def goaccess(path, count):
    """Lines a second, the faster of JSON and HTML; None when it is not there."""
    binary = shutil.which("goaccess")
    if binary is None:
        print("  GoAccess is not installed (apt-get install goaccess): no ratio")
        return None
    best = 0
    for form in ("json", "html"):
        out = path.with_name(f"goaccess.{form}")
        run = Run([binary, str(path), "--no-global-config", "--log-format=COMBINED", "--no-progress", "-o", str(out)],
                  stdin=subprocess.DEVNULL, env=dict(os.environ, LC_ALL="C", TERM="xterm"))
        if form == "json":
            read = json.loads(out.read_text(errors="replace"))["general"]["total_requests"]
            if read != count:
                raise SystemExit(f"GoAccess read {read} of {count} lines")
        print(f"  GoAccess, {form}: {count / run.seconds:.0f}/s, {run}")
        best = max(best, count / run.seconds)
    return best


def verdict(what, value, goal, is_least=True):
    holds = value >= goal if is_least else value < goal
    print(f"{'holds' if holds else 'MISSED'}: {what} {value:.2f}, goal {'at least' if is_least else 'under'} {goal}")
    return holds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=1000000)
    parser.add_argument("--events", type=int, default=1000000)
    parser.add_argument("--keep", help="make the files here, and leave them")
    options = parser.parse_args()
    folder = pathlib.Path(options.keep or tempfile.mkdtemp(prefix="linkbell-bench-"))
    folder.mkdir(exist_ok=True)
    log, rich, plain = (folder / name for name in ("access.log", "rich.ndjson", "plain.ndjson"))
    try:
        print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}")
        lines = make_log(log, options.lines)
        print(f"combined log, {lines} lines, {log.stat().st_size / 1e6:.0f} MB:")
        peer = goaccess(log, lines)
        rates = [without_service(log, "combined", lines)]
        served, ack_ms = with_service(log, "combined", lines)
        rates.append(served)
        holds = [verdict("acknowledgement p99 during that, ms,", ack_ms, GOAL_ACK_MS, False)]
        if peer is not None:
            holds += [verdict(f"combined lines, {how}, times GoAccess", rate / peer, GOAL_RATIO)
                      for how, rate in zip(("no service", "into a service"), rates)]
        for path, is_rich, what in ((rich, True, "all fields"), (plain, False, "few fields")):
            count = make_events(path, options.events, is_rich)
            print(f"native NDJSON, {what}, {count} events, {path.stat().st_size / 1e6:.0f} MB:")
            rates = [without_service(path, "ndjson", count)]
            served, ack_ms = with_service(path, "ndjson", count)
            holds += [verdict("acknowledgement p99 during that, ms,", ack_ms, GOAL_ACK_MS, False),
                      verdict("events/s, no service,", rates[0], GOAL_EVENTS),
                      verdict("events/s, into a service,", served, GOAL_EVENTS)]
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if all(holds) else 1)


if __name__ == "__main__":
    main()
