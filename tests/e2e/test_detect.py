"""`linkbell detect`: one row out for each row in, scores that depend on earlier rows only, real
anomalies found, faults named by line, the same from a file and from standard input."""
import csv
import io
import json
import os
import pathlib
import random
import subprocess
import tempfile
import unittest

from harness import BINARY, SOURCE

SAMPLE = SOURCE / "tests/data/detect/speed_7578.csv"
WINDOWS = SOURCE / "tests/data/detect/speed_7578.windows.json"
ALARM = 0.5


def detect(text, *options, path=None, check=True):
    """Runs the verb on a text (or a file); returns the finished process."""
    done = subprocess.run([BINARY, "detect", *options, *([str(path)] if path else [])],
                          input=None if path else text, capture_output=True, text=True,
                          env=dict(os.environ, NO_COLOR="1"))
    if check and done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    return done


def rows_of(output):
    return list(csv.DictReader(io.StringIO(output)))


def leads(seed, weeks=3):
    random_ = random.Random(seed)
    lines = ["timestamp,value"]
    for hour in range(weeks * 168):
        rate = 2.0 if 8 <= hour % 24 < 22 else 0.5
        count = sum(random_.random() < rate / 20 for _ in range(20))
        lines.append(f"2025-03-{3 + hour // 24:02d} {hour % 24:02d}:00:00,{count}")
    return lines


class Detect(unittest.TestCase):
    def test_each_row_comes_back_as_it_was_with_a_score(self):
        given = rows_of(SAMPLE.read_text())
        came = rows_of(detect(None, path=SAMPLE).stdout)

        self.assertEqual([(r["timestamp"], r["value"]) for r in given],
                         [(r["timestamp"], r["value"]) for r in came])
        self.assertEqual(list(came[0]), ["timestamp", "value", "anomaly_score"])
        self.assertTrue(all(0 <= float(row["anomaly_score"]) <= 1 for row in came))

    def test_known_anomalies_are_found_once_and_little_else(self):
        rows = rows_of(detect(None, path=SAMPLE).stdout)
        windows = json.loads(WINDOWS.read_text())
        alarms = [row["timestamp"] for row in rows[len(rows) * 15 // 100:]
                  if float(row["anomaly_score"]) >= ALARM]
        found = [any(first[:19] <= at <= last[:19] for at in alarms) for first, last in windows]
        outside = [at for at in alarms
                   if not any(first[:19] <= at <= last[:19] for first, last in windows)]

        self.assertEqual(sum(found), 4, alarms)
        self.assertLessEqual(len(outside), 6, outside)
        self.assertLessEqual(len(alarms), 20)

    def test_scores_of_a_beginning_do_not_change_with_what_follows(self):
        for name, lines in (("speed", SAMPLE.read_text().splitlines()), ("leads", leads(1))):
            whole = detect("\n".join(lines) + "\n").stdout.splitlines()
            for cut in (2, 3, 34, len(lines) // 3, len(lines) - 1):
                with self.subTest(series=name, cut=cut):
                    part = detect("\n".join(lines[:cut]) + "\n").stdout.splitlines()
                    self.assertEqual(part, whole[:cut])

    def test_a_spike_in_small_counts_is_an_alarm(self):
        lines = leads(2)
        for place in range(400, 403):
            stamp, count = lines[place].split(",")
            lines[place] = f"{stamp},{int(count) + 12}"
        rows = rows_of(detect("\n".join(lines)).stdout)
        scores = [float(row["anomaly_score"]) for row in rows]

        self.assertGreaterEqual(max(scores[399:402]), ALARM)
        self.assertLess(max(scores[336:399]), ALARM)

    def test_file_standard_input_and_dash_say_the_same(self):
        text = SAMPLE.read_text()
        by_file = detect(None, path=SAMPLE).stdout

        self.assertEqual(detect(text).stdout, by_file)
        self.assertEqual(detect(text, "-").stdout, by_file)
        self.assertEqual(detect(text.replace("\n", "\r\n")).stdout, by_file)
        self.assertEqual(detect(text, "--interval", "5m").stdout.count("\n"), by_file.count("\n"))

    def test_other_columns_and_json(self):
        text = "id,value,timestamp\n7,1.5,2025-03-03T00:00:00Z\n8,2,2025-03-03T01:00:00Z\n"
        rows = rows_of(detect(text).stdout)
        lines = [json.loads(line) for line in detect(text, "--json").stdout.splitlines()]

        self.assertEqual([row["value"] for row in rows], ["1.5", "2"])
        self.assertEqual(lines[0], {"timestamp": "2025-03-03T00:00:00Z", "value": 1.5,
                                    "anomaly_score": 0.0})

    def test_faults_name_file_and_line(self):
        head = "timestamp,value\n2025-03-03 00:00:00,1\n"
        cases = [("", "standard input: no header"),
                 ("a,b\n", "standard input:1: the header names no column `timestamp`"),
                 ("timestamp,b\n", "standard input:1: the header names no column `value`"),
                 (head + "\nyesterday,1\n", "standard input:4: not a timestamp: `yesterday`"),
                 (head + "2025-03-03 01:00:00,many\n", "standard input:3: not a number: `many`"),
                 (head + "2025-03-03 01:00:00,nan\n", "standard input:3: not a number: `nan`"),
                 (head + "2025-03-03 01:00:00\n", "standard input:3: 1 cell, where"),
                 (head + "x" * 70000 + "\n", "standard input:3: a line of more than")]
        for text, wanted in cases:
            with self.subTest(wanted=wanted):
                done = detect(text, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn("linkbell detect: " + wanted, done.stderr)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "none.csv")
            done = detect(None, path=path, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"{path}: No such file", done.stderr)
            done = detect(None, path=folder, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("directory", done.stderr)

    def test_wrong_usage(self):
        for options in (("--interval", "5"), ("--interval", "soon"), ("--what",), ("a", "b")):
            with self.subTest(options=options):
                self.assertEqual(detect("", *options, check=False).returncode, 2)
        self.assertIn("anomaly_score", detect("", "--help").stdout)

    def test_an_output_that_is_full_is_an_error(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([BINARY, "detect", str(SAMPLE)], stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the output can't be written", done.stderr)


if __name__ == "__main__":
    unittest.main()
