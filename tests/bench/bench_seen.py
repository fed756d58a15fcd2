"""bench_seen.py - what a first_seen rule with many known keys costs.

    python3 tests/bench/bench_seen.py [--keys 10000000]

Puts as many made-up keys into the rule's table as they are stored, starts the service, and sends
20,000 events of which half bring a new key: seconds to the start and for the events, and the
service's memory at most.  Settings are the shipped ones."""
import argparse
import os
import pathlib
import sqlite3
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import Linkbell, wait_for  # noqa: E402

CONFIG = """
server: { listen: 127.0.0.1:0 }
sites: [{ id: alice.bio, timezone: Europe/Paris }]
rules:
  - { id: who, kind: first_seen, match: { type: view }, key: ["prop:ref"], notify: [] }
"""


def view(name, ref):
    return {"type": "view", "site": "alice.bio", "id": name, "props": {"ref": ref}}


def seen(bell):
    db = sqlite3.connect(bell.data / "linkbell.db")
    try:
        return db.execute("SELECT count(*) FROM rule_seen").fetchone()[0]
    finally:
        db.close()


def fill(bell, count):
    db = sqlite3.connect(bell.data / "linkbell.db")
    rule, site, last_seen = db.execute("SELECT rule, site, last_seen FROM rule_seen LIMIT 1").fetchone()
    db.execute("PRAGMA cache_size = -1000000")
    db.execute("INSERT OR IGNORE INTO rule_seen (rule, site, key_hash, last_seen) WITH RECURSIVE n(i) AS "
               "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?4) SELECT ?1, ?2, randomblob(16) h, ?3 FROM n ORDER BY h",
               (rule, site, last_seen, count))
    db.commit()
    db.close()


def memory_mb(bell):
    status = pathlib.Path(f"/proc/{bell.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=10_000_000)
    keys = parser.parse_args().keys
    with Linkbell(CONFIG) as bell:
        bell.ready()
        bell.send(view("first", "first"))
        wait_for(lambda: seen(bell) == 1, "the first key")
        bell.stop()
        fill(bell, keys)
        began = time.monotonic()
        bell.start()
        print(f"{keys} keys: start {time.monotonic() - began:.2f} s, {os.path.getsize(bell.data / 'linkbell.db') / keys:.0f} bytes a key")
        before = seen(bell)
        began = time.monotonic()
        for batch in range(40):
            bell.send(*[view(f"e{batch}-{n}", f"r{batch}-{n // 2}") for n in range(500)])
        wait_for(lambda: seen(bell) == before + 10000, "the new keys", 60)
        print(f"20000 events, 10000 new keys: {time.monotonic() - began:.2f} s, memory at most {memory_mb(bell)} MB")


if __name__ == "__main__":
    main()
