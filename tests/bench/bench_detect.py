"""Measures `linkbell detect` on labelled series as the Numenta Anomaly Benchmark does (Lavin and
Ahmad 2015, arXiv:1510.03336):

    python3 tests/bench/bench_detect.py DATA [--labels FILE] [--binary FILE] [--per-file]

DATA holds CSV files (timestamp,value; .gz is fine), in folders or not; the labels are a JSON object
from a file's path below DATA to its anomaly windows, [[first, last], ...], by default labels.json
beside DATA.  Files without labels are left out.  Prints, for the three profiles of the benchmark, the
score at the limit 0.5 and at the best of its thresholds, and the false rows at 0.5."""
import argparse
import csv
import gzip
import json
import math
import pathlib
import subprocess

PROFILES = {"standard": (1.0, 0.11), "low false positives": (1.0, 0.22),
            "low false negatives": (2.0, 0.11)}


def sigmoid(y):
    return -1.0 if y > 3 else 2 / (1 + math.exp(5 * y)) - 1


def rows_of(path):
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else open(path)
    with opened as handle:
        return [(row["timestamp"], row["value"]) for row in csv.DictReader(handle)]


def scores_of(binary, rows):
    text = "timestamp,value\n" + "".join(f"{at},{value}\n" for at, value in rows)
    done = subprocess.run([binary, "detect"], input=text, stdout=subprocess.PIPE, text=True,
                          check=True)
    return [float(line.rsplit(",", 1)[1]) for line in done.stdout.splitlines()[1:]]


def worths_of(rows, windows):
    """(worth of a detection, window or None) of each row that counts."""
    places = {}
    for place, (at, _) in enumerate(rows):
        places.setdefault(at[:19], place)
    spans = sorted((places[first[:19]], places[last[:19]]) for first, last in windows)
    begin = min(len(rows) * 15 // 100, 750)
    worths = []
    for place in range(len(rows)):
        window = next((i for i, (first, last) in enumerate(spans) if first <= place <= last), None)
        past = [span for span in spans if span[1] < place]
        if window is not None:
            first, last = spans[window]
            worth = sigmoid(-(last - place + 1) / (last - first + 1)) / sigmoid(-1)
        elif past:
            first, last = past[-1]
            worth = sigmoid((place - last) / max(last - first, 1))
        else:
            worth = -1.0
        if place >= begin:
            worths.append((place, worth, window))
    return worths


class Series:
    def __init__(self, name, binary, path, windows):
        rows = rows_of(path)
        self.name, self.count = name, len(windows)
        scores = scores_of(binary, rows)
        self.rows = [(scores[place], worth, window)
                     for place, worth, window in worths_of(rows, windows)]

    def value(self, threshold, miss, false):
        """Its part of the raw score, counted from finding nothing."""
        best, raw = {}, 0.0
        for score, worth, window in self.rows:
            if score >= threshold:
                if window is None:
                    raw += false * worth
                else:
                    best[window] = max(best.get(window, worth), worth)
        return raw + sum(best.values()) + miss * len(best)

    def false_rows(self, threshold):
        return sum(score >= threshold and window is None for score, _, window in self.rows)


def total(series, threshold, miss, false):
    windows = sum(one.count for one in series)
    return 100 * sum(one.value(threshold, miss, false) for one in series) / ((1 + miss) * windows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--labels", type=pathlib.Path)
    parser.add_argument("--binary", default="build/release/linkbell")
    parser.add_argument("--per-file", action="store_true")
    args = parser.parse_args()
    labels = json.loads((args.labels or args.data.resolve().parent / "labels.json").read_text())
    series = []
    for name, windows in sorted(labels.items()):
        path = next((p for p in (args.data / name, args.data / (name + ".gz")) if p.exists()), None)
        if path:
            series.append(Series(name, args.binary, path, windows))
    steps = [i / 200 for i in range(40, 200)]
    print(f"{len(series)} series, {sum(one.count for one in series)} windows")
    for profile, (miss, false) in PROFILES.items():
        best = max(steps, key=lambda step: total(series, step, miss, false))
        print(f"{profile}: {total(series, 0.5, miss, false):.2f} at 0.5, "
              f"{total(series, best, miss, false):.2f} at {best:g}")
    print(f"false rows at 0.5: {sum(one.false_rows(0.5) for one in series)}")
    for one in series if args.per_file else ():
        print(f"  {one.name:60} {one.value(0.5, 1, 0.11) - one.count:7.3f} of {one.count}, "
              f"{one.false_rows(0.5)} false rows")


if __name__ == "__main__":
    main()
