"""bench_query.py - how long a question takes over a year of imported events.

    python3 tests/bench/bench_query.py [--events 10000000] [--keep DIR]

Imports made-up events of 20 sites over 365 days (NDJSON on standard input), serves them,
waits until the days that are over are counted, and asks in the site's own zone.  The
figures are of the whole request over HTTP on loopback, from an idle service."""
import argparse
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import BINARY, Linkbell, rfc3339, wait_for  # noqa: E402

SITES = 20
DAYS = 365
VISITORS = 3000  # of a site and day
CONFIG = """
server: { listen: 127.0.0.1:0 }
limits: { query_timeout: 60s }
sites:
%s
""" % "\n".join(f"  - {{ id: site-{n}.bio, timezone: Europe/Paris }}" for n in range(1, SITES + 1))
QUESTIONS = [
    ("30 closed days by source", "by=source&metrics=views,clicks,leads,ctr"),
    ("30 closed days by source, visitors", "by=source&metrics=views,visitors,clickers,ctr_unique"),
    ("30 closed days by link", "by=link&metrics=views,clicks,ctr,visitors"),
    ("30 closed days by country", "by=country&metrics=views,clicks,visitors"),
]


def write_events(out, count):
    """Whole lines, times ascending over the year up to yesterday; by parts made once."""
    rng = random.Random(7)
    tails = []
    for _ in range(4096):
        kind = rng.choices(["view", "click", "lead"], [70, 28, 2])[0]
        link = f',"link":"link-{int(rng.paretovariate(1.2)) % 12}"' if kind == "click" else ""
        utm = rng.choice(["", f"?utm_source={rng.choice(['newsletter', 'ig', 'x'])}&utm_campaign=c{rng.randrange(30)}"])
        referrer = rng.choice(["", "https://l.instagram.com/", "https://t.co/a", "https://www.google.com/", "https://news.example/"])
        tails.append(f'"type":"{kind}"{link},"site":"site-{1 + int(rng.paretovariate(1)) % SITES}.bio",'
                     f'"url":"https://site.bio/p{rng.randrange(20)}{utm}","referrer":"{referrer}",'
                     f'"country":"{rng.choice(["FR", "US", "DE", "GB", "BR", "IN"])}","visitor":"v{rng.randrange(VISITORS)}"}}\n')
    end = time.time() - 86400
    step = DAYS * 86400 / count
    begin = int((end - DAYS * 86400) * 1000)
    chunk = []
    for number in range(count):
        chunk.append(f'{{"ts":{begin + int(number * step * 1000)},' + tails[number * 2654435761 % 4096])
        if len(chunk) == 20000:
            out.write("".join(chunk).encode())
            chunk = []
    out.write("".join(chunk).encode())
    out.close()


def days(bell):
    with sqlite3.connect(f"file:{bell.data}/linkbell.db?mode=ro", uri=True) as db:
        return db.execute("SELECT count(*) FILTER (WHERE generation = built_generation), count(*) FROM day_state").fetchone()


def timed(bell, path, rounds=20):
    connection = bell.connect(timeout=120)
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        answer = bell.get(path, connection=connection)
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, answer
    times.sort()
    return times[len(times) // 2], times[-1], len(answer.json["rows"])


def ask(bell):
    first = rfc3339(time.time() - 33 * 86400)[:10]
    last = rfc3339(time.time() - 4 * 86400)[:10]
    for name, words in QUESTIONS:
        middle, worst, rows = timed(bell, f"/v1/stats?site=site-1.bio&from={first}&to={last}&{words}")
        print(f"{name}: median {middle:.2f} ms, worst {worst:.2f} ms ({rows} rows)")
    for name, words in (("a year by source", "site=site-1.bio"), ("a year by source, all sites", "site=*")):
        year = rfc3339(time.time() - 360 * 86400)[:10]
        middle, worst, rows = timed(bell, f"/v1/stats?{words}&from={year}&to={last}&by=source&metrics=views,visitors")
        print(f"{name}: median {middle:.2f} ms, worst {worst:.2f} ms ({rows} rows)")
    middle, worst, rows = timed(bell, f"/v1/stats?site=site-1.bio&from={first}&to={last}&by=source&metrics=views"
                                      "&filter=not%20(utm_term%20==%20never)", 3)
    print(f"30 days by source with a filter (reads the log): median {middle:.0f} ms ({rows} rows)")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=10_000_000)
    options = parser.parse_args()
    with Linkbell(CONFIG) as bell:
        bell.run("apply", str(bell.config))
        began = time.monotonic()
        load = subprocess.Popen([BINARY, "import", "--data-dir", str(bell.data), "--format", "ndjson", "--quiet", "-"],
                                stdin=subprocess.PIPE, env=bell.env)
        feeder = threading.Thread(target=write_events, args=(load.stdin, options.events))
        feeder.start()
        assert load.wait() == 0
        feeder.join()
        took = time.monotonic() - began
        size = (bell.data / "linkbell.db").stat().st_size
        print(f"import of {options.events} events: {took:.1f} s, {options.events / took:.0f} events/s, "
              f"{size / options.events:.0f} bytes an event")
        bell.ready()
        began = time.monotonic()
        wait_for(lambda: days(bell)[0] >= days(bell)[1] - SITES, "the days", 3600)
        size = (bell.data / "linkbell.db").stat().st_size
        print(f"counting {days(bell)[0]} site days: {time.monotonic() - began:.1f} s, then {size / options.events:.0f} bytes an event")
        ask(bell)


if __name__ == "__main__":
    main()
