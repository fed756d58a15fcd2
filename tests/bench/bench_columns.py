"""bench_columns.py - questions that rollups can't answer, beside DuckDB and plain SQLite
rows on the same events; and how many bytes an event takes.

    python3 tests/bench/bench_columns.py [--events 10000000] [--duckdb DIR]

Makes up events of 20 sites over 365 days, each with an id of its client (8 characters),
imports them, waits until they are sealed and the days counted, and asks.  DuckDB runs from
Node (DIR is where `npm install @duckdb/node-api` was run; without it that column is left
out) with one thread, as an answer of ours has; SQLite has the events as rows in one table
with an index over site and time.  Times are medians of whole requests over HTTP, or of the
statement, asked by turns, from idle and warm."""
import argparse
import csv
import json
import pathlib
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import BINARY, Linkbell, rfc3339, wait_for  # noqa: E402

SITES = 20
DAYS = 365
CONFIG = """
server: { listen: 127.0.0.1:0 }
limits: { query_timeout: 60s }
sites:
%s
""" % "\n".join(f"  - {{ id: site-{n}.bio, timezone: UTC }}" for n in range(1, SITES + 1))
COLUMNS = ["ts", "id", "type", "site", "link", "page", "referrer", "utm_source", "utm_medium", "utm_campaign",
           "country", "region", "city", "user_agent", "visitor"]
AGENTS = ["Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1",
          "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36",
          "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
          "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
          "Mozilla/5.0 (X11; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0"]
DEVICES = ["Mobile", "Mobile", "desktop", "desktop", "desktop"]
QUESTIONS = [
    # name, words of ours, SQL of theirs
    ("a year by source, one site (rollups)", "site=site-1.bio&by=source&metrics=views",
     "SELECT referrer, utm_source, count(*) FROM e WHERE site = 'site-1.bio' AND type = 'view' GROUP BY 1, 2"),
    ("by country, two filters, the largest site", "site=site-1.bio&by=country&metrics=views,clicks_raw&filter=page == /p1 and device == Mobile",
     "SELECT country, count(*) FILTER (WHERE type = 'view'), count(*) FILTER (WHERE type = 'click') FROM e "
     "WHERE site = 'site-1.bio' AND page = '/p1' AND device = 'Mobile' GROUP BY 1"),
    ("by country, two filters, a middling site", "site=site-5.bio&by=country&metrics=views,clicks_raw&filter=page == /p1 and device == Mobile",
     "SELECT country, count(*) FILTER (WHERE type = 'view'), count(*) FILTER (WHERE type = 'click') FROM e "
     "WHERE site = 'site-5.bio' AND page = '/p1' AND device = 'Mobile' GROUP BY 1"),
    ("by country, two filters, all sites", "site=*&by=country&metrics=views,clicks_raw&filter=page == /p1 and device == Mobile",
     "SELECT country, count(*) FILTER (WHERE type = 'view'), count(*) FILTER (WHERE type = 'click') FROM e "
     "WHERE page = '/p1' AND device = 'Mobile' GROUP BY 1"),
    ("by country with visitors, two filters, all sites", "site=*&by=country&metrics=views,clicks_raw,visitors&filter=page == /p1 and device == Mobile",
     "SELECT country, count(*) FILTER (WHERE type = 'view'), count(*) FILTER (WHERE type = 'click'), count(DISTINCT (site, ts // 86400000, visitor)) "
     "FROM e WHERE page = '/p1' AND device = 'Mobile' GROUP BY 1"),
    ("by page, one filter, all sites", "site=*&by=page&metrics=views&filter=country == FR",
     "SELECT page, count(*) FROM e WHERE type = 'view' AND country = 'FR' GROUP BY 1"),
    ("visitors under a filter, all sites", "site=*&metrics=visitors&filter=device == Mobile",
     "SELECT count(*) FROM (SELECT DISTINCT site, ts // 86400000, visitor FROM e WHERE device = 'Mobile')"),
]


def pareto(rng, shape, limit):
    return int(rng.paretovariate(shape) - 1) % limit


def write_events(path, plain, count):
    """NDJSON for linkbell, CSV for the others: the same events."""
    rng = random.Random(7)
    end = time.time() - 86400
    begin = int((end - DAYS * 86400) * 1000)
    step = DAYS * 86400000 / count
    cities = [(c, f"{c}-{r}", f"{c}{r}{t}") for c in ("FR", "US", "DE", "GB", "BR", "IN", "ES", "IT", "NL", "PL")
              for r in range(12) for t in range(10)]
    rng.shuffle(cities)
    parts = []
    for _ in range(65536):
        kind = rng.choices(["view", "click", "lead"], [70, 28, 2])[0]
        campaign = rng.random() < 0.5
        utm = (rng.choice(["newsletter", "ig", "x", "tiktok"]), rng.choice(["social", "email", "cpc"]),
               f"c{pareto(rng, 0.9, 40)}") if campaign else ("", "", "")
        place = cities[pareto(rng, 0.7, len(cities))]
        agent = rng.choices(range(5), [35, 25, 20, 12, 8])[0]
        referrer = rng.choice(["", "", "https://l.instagram.com/", "https://t.co/a", "https://www.google.com/",
                               f"https://news{pareto(rng, 0.8, 200)}.example/"])
        parts.append((kind, f"link-{pareto(rng, 1, 12)}" if kind == "click" else "", f"/p{pareto(rng, 0.8, 300)}",
                      referrer, utm, place, agent))
    with open(path, "w") as out, open(plain, "w", newline="") as table:
        writer = csv.writer(table)
        for number in range(count):
            kind, link, page, referrer, utm, place, agent = parts[rng.getrandbits(16)]
            ts = begin + int(number * step + rng.random() * 20 * step)
            site = f"site-{1 + pareto(rng, 0.9, SITES)}.bio"
            visitor = f"v{pareto(rng, 0.3, 4000)}"
            name = f"{rng.getrandbits(40):08x}"[:8] + f"{number % 4096:03x}"
            query = f"?utm_source={utm[0]}&utm_medium={utm[1]}&utm_campaign={utm[2]}" if utm[0] else ""
            out.write(f'{{"ts":{ts},"id":"{name}","type":"{kind}","site":"{site}"' + (f',"link":"{link}"' if link else "") +
                      f',"url":"https://{site}{page}{query}","referrer":"{referrer}","country":"{place[0]}","region":"{place[1]}",'
                      f'"city":"{place[2]}","user_agent":"{AGENTS[agent]}","visitor":"{visitor}"}}\n')
            writer.writerow((ts, name, kind, site, link, page, referrer, *utm, *place, DEVICES[agent], visitor))


def log(bell, sql):
    with sqlite3.connect(f"file:{bell.data}/linkbell.db?mode=ro", uri=True) as db:
        return db.execute(sql).fetchone()


def log_all(bell, sql):
    with sqlite3.connect(f"file:{bell.data}/linkbell.db?mode=ro", uri=True) as db:
        return db.execute(sql).fetchall()


def wait_for_rest(bell):
    """Hashes of visitors whose period is over and values of long ago go by and by, and free pages after them."""
    wait_for(lambda: log(bell, "SELECT count(*) FROM visitor_hashes WHERE salt NOT IN (SELECT number FROM salts)")[0] == 0,
             "hashes to go", 3600)
    wait_for(lambda: log(bell, f"SELECT count(*) FROM utm_values WHERE day < {int(time.time() / 86400) - 6}")[0] == 0, "values to go", 3600)
    wait_for(lambda: log(bell, "SELECT freelist_count < 10000 OR freelist_count * 5 < page_count "
                               "FROM pragma_freelist_count, pragma_page_count")[0], "shrinking", 600)


def median(times):
    return sorted(times)[len(times) // 2]


class Ours:
    def __init__(self, bell):
        self.bell = bell
        self.connection = bell.connect(timeout=120)
        self.days = rfc3339(time.time() - 366 * 86400)[:10], rfc3339(time.time() - 86400)[:10]

    def ask(self, at):
        """Milliseconds, and the answer."""
        words = "&".join(f"{k}={urllib.parse.quote(v)}" for k, v in (w.split("=", 1) for w in QUESTIONS[at][1].split("&")))
        began = time.perf_counter()
        answer = self.bell.get(f"/v1/stats?{words}&from={self.days[0]}&to={self.days[1]}&tz=UTC", connection=self.connection)
        passed = (time.perf_counter() - began) * 1000
        assert answer.status == 200, answer
        return passed, answer.json


class DuckDB:
    """A table in a file, asked by a process that waits for numbers of questions."""
    SCRIPT = """
    const { DuckDBInstance } = require('@duckdb/node-api'); const fs = require('fs');
    (async () => {
      const file = process.argv[1], questions = JSON.parse(process.argv[2]);
      const at = file + '.duckdb', instance = await DuckDBInstance.create(at, { threads: '1' }), db = await instance.connect();
      await db.run(`CREATE TABLE e AS SELECT * FROM read_csv('${file}', header = false, columns = {
        'ts': 'BIGINT', 'id': 'VARCHAR', 'type': 'VARCHAR', 'site': 'VARCHAR', 'link': 'VARCHAR', 'page': 'VARCHAR', 'referrer': 'VARCHAR',
        'utm_source': 'VARCHAR', 'utm_medium': 'VARCHAR', 'utm_campaign': 'VARCHAR', 'country': 'VARCHAR', 'region': 'VARCHAR',
        'city': 'VARCHAR', 'device': 'VARCHAR', 'visitor': 'VARCHAR' }) ORDER BY site, ts`);
      await db.run('CHECKPOINT');
      console.log(fs.statSync(at).size);
      for await (const line of require('readline').createInterface({ input: process.stdin })) {
        const t = performance.now(), rows = (await db.runAndReadAll(questions[+line])).getRowsJson();
        console.log(JSON.stringify([performance.now() - t, rows]));
      }
    })();
    """

    def __init__(self, folder, plain):
        self.process = subprocess.Popen(["node", "-e", self.SCRIPT, str(plain), json.dumps([q[2] for q in QUESTIONS])],
                                        cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.bytes = int(self.process.stdout.readline())

    def ask(self, at):
        self.process.stdin.write(f"{at}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)


def ask_by_turns(peers, rounds=9):
    """Each question of each peer in turn, so that what else the machine does is the same for all: a list of (ms, answer) of
    each peer and question."""
    found = [[[] for _ in QUESTIONS] for _ in peers]
    for _ in range(rounds):
        for at in range(len(QUESTIONS)):
            for number, peer in enumerate(peers):
                found[number][at].append(peer.ask(at))
    return found


def ask_sqlite(plain, rounds=1):
    """Rows with an index, from the command line's importer."""
    names = ["ts INTEGER", *COLUMNS[1:13], "device", "visitor"]
    path = str(plain) + ".sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute(f"CREATE TABLE e ({', '.join(names)})")
        with open(plain, newline="") as table:
            db.executemany(f"INSERT INTO e VALUES ({', '.join('?' * len(names))})", csv.reader(table))
        db.execute("CREATE INDEX e_site ON e (site, ts)")
        db.commit()
        times = []
        for _, _, sql in QUESTIONS:
            began = time.perf_counter()
            sql = sql.replace("(site, ts // 86400000, visitor)", "site || ' ' || ts // 86400000 || ' ' || visitor")
            db.execute(sql.replace("//", "/")).fetchall()
            times.append((time.perf_counter() - began) * 1000)
    return times, pathlib.Path(path).stat().st_size


def agree(ours, theirs):
    """That both count the same, where both count alike: by country, and visitors."""
    for at in (1, 2, 3, 4):
        metrics = ("views", "clicks_raw", "visitors") if at == 4 else ("views", "clicks_raw")
        mine = {row["country"]: tuple(row[metric] for metric in metrics) for row in ours[at][0][1]["rows"]}
        other = {row[0]: tuple(int(value) for value in row[1:]) for row in theirs[at][0][1]}
        assert mine == other, (mine, other)
    assert ours[6][0][1]["totals"]["visitors"] == int(theirs[6][0][1][0][0]), (ours[6][0], theirs[6][0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--duckdb", help="where @duckdb/node-api is installed")
    parser.add_argument("--no-sqlite", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Linkbell(CONFIG) as bell:
        lines, plain = pathlib.Path(folder) / "events", pathlib.Path(folder) / "plain.csv"
        write_events(lines, plain, options.events)
        bell.run("apply", str(bell.config))
        began = time.monotonic()
        subprocess.run([BINARY, "import", "--data-dir", str(bell.data), "--format", "ndjson", "--quiet", str(lines)],
                       env=bell.env, check=True, stdout=subprocess.DEVNULL)
        loaded = time.monotonic() - began
        lines.unlink()
        print(f"import of {options.events} events: {loaded:.1f} s, {options.events / loaded:.0f} events/s", flush=True)
        bell.ready()
        wait_for(lambda: log(bell, "SELECT coalesce(sum(count), 0) FROM event_packs")[0] <= 66000, "sealing", 3600)
        print(f"sealed after {time.monotonic() - began:.1f} s: {options.events / (time.monotonic() - began):.0f} events/s", flush=True)
        wait_for(lambda: log(bell, "SELECT count(*) FILTER (WHERE generation = built_generation) >= count(*) - 20 FROM day_state")[0],
                 "the days", 3600)
        print(f"and counted after {time.monotonic() - began:.1f} s: {options.events / (time.monotonic() - began):.0f} events/s", flush=True)
        wait_for(lambda: log(bell, "SELECT count(*) FROM segments WHERE state != 1")[0] == 0, "dead segments to go", 600)
        wait_for_rest(bell)
        tables = dict(log_all(bell, "SELECT name, sum(pgsize) FROM dbstat WHERE aggregate = 1 GROUP BY name"))
        rows, body, ids = log(bell, "SELECT (SELECT sum(row_count) FROM segments WHERE state = 1), sum(length(body)), "
                                    "sum(length(body)) FILTER (WHERE key % 64 = 26) FROM segment_columns")
        size = (bell.data / "linkbell.db").stat().st_size
        parts = {"columns": tables["segment_columns"], "days": tables["rollup_days"], "totals": tables["rollup_totals"],
                 "rest": sum(tables.values()) - tables["segment_columns"] - tables["rollup_days"] - tables["rollup_totals"]}
        print(f"bytes an event: file {size / options.events:.1f} (of that free {1 - sum(tables.values()) / size:.0%}); "
              + ", ".join(f"{name} {part / options.events:.2f}" for name, part in parts.items())
              + f"; clients' ids {ids / rows:.2f}, so without them and what is free {(sum(tables.values()) - ids) / options.events:.2f}", flush=True)
        duckdb = DuckDB(options.duckdb, plain) if options.duckdb else None
        found = ask_by_turns([Ours(bell), *([duckdb] if duckdb else [])])
        bell.stop()
        if duckdb:
            duckdb.close()
            agree(*found)
            print(f"DuckDB: {duckdb.bytes / options.events:.1f} bytes an event")
        rows_ms, rows_bytes = ([None] * len(QUESTIONS), 0) if options.no_sqlite else ask_sqlite(plain)
        if rows_bytes:
            print(f"SQLite rows: {rows_bytes / options.events:.1f} bytes an event")
        for at, (name, _, _) in enumerate(QUESTIONS):
            ours, *theirs = (median([passed for passed, _ in asked[at]]) for asked in found)
            other = f", DuckDB {theirs[0]:.0f} ms ({theirs[0] / ours:.1f} times)" if theirs else ""
            plain_rows = f", SQLite rows {rows_ms[at]:.0f} ms" if rows_ms[at] else ""
            print(f"{name}: {ours:.1f} ms (the first time {found[0][at][0][0]:.1f}){other}{plain_rows}")


if __name__ == "__main__":
    main()
