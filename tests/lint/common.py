"""common.py - the files that the lint tests look at."""
import os
import pathlib
import subprocess

SOURCE = pathlib.Path(os.environ.get("LINKBELL_SOURCE", pathlib.Path(__file__).parents[2]))
BUILD = pathlib.Path(os.environ.get("LINKBELL_BUILD", SOURCE / "build/debug"))
FOLDERS = ["base", "sql", "ingest", "aggregate", "alerts", "geo", "tests"]


def c_files(*endings, tests=True):
    endings = endings or (".c", ".h")
    found = [SOURCE / "main.c"] if ".c" in endings else []
    for folder in FOLDERS:
        if folder != "tests" or tests:
            found += [p for p in sorted((SOURCE / folder).rglob("*")) if p.suffix in endings]
    return found


def product_files(*endings):
    return c_files(*endings, tests=False)


def report(faults):
    for fault in faults:
        print(fault)
    raise SystemExit(1 if faults else 0)
