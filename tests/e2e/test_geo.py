"""Countries from a database: built by hand, taken without a restart, asked by queries; and
clients who ask not to be recognised."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from harness import BINARY, CONFIG, Linkbell, wait_for

V4 = ("# Generated: Thu, 25 Jun 2026 04:33:59 GMT\n"
      "134744064,134744079,US\n1358054400,1358054655,GB\n3221225984,3221226239,FR\n")
V6 = "2001:67c:2e8::,2001:67c:2e8:ffff:ffff:ffff:ffff:ffff,NL\n"


def build(folder, out, v4=V4):
    (folder / "v4").write_text(v4)
    (folder / "v6").write_text(V6)
    return subprocess.run([BINARY, "geo", "build", "--ipv4", str(folder / "v4"), "--ipv6",
                           str(folder / "v6"), str(out)], capture_output=True, text=True)


class Geo(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.TemporaryDirectory()
        self.addCleanup(self.work.cleanup)
        self.folder = pathlib.Path(self.work.name)

    def test_build_and_lookup(self):
        out = self.folder / "geo.mmdb"
        done = build(self.folder, out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("4 ranges", done.stdout)
        for address, country in (("8.8.8.8", "US"), ("::ffff:8.8.8.8", "US"), ("81.2.69.160", ""),
                                 ("2001:67c:2e8:22::c100:68b", "NL"), ("192.0.2.1", "")):
            done = subprocess.run([BINARY, "geo", "lookup", "--json", "--data-dir", self.work.name,
                                   address], capture_output=True, text=True)
            self.assertEqual(json.loads(done.stdout)["country"], country, address)
        done = subprocess.run([BINARY, "geo", "lookup", "--data-dir", self.work.name, "9.9.9.9"],
                              capture_output=True, text=True)
        self.assertIn("country   (not set)", done.stdout)
        for words, code in ((["lookup", "1.2.3"], 2), (["lookup"], 2), (["build"], 2),
                            (["build", "/nowhere/x.mmdb"], 1)):
            done = subprocess.run([BINARY, "geo", *words], capture_output=True, text=True)
            self.assertEqual(done.returncode, code, words)

    def test_mmdblookup_agrees(self):
        out = self.folder / "geo.mmdb"
        build(self.folder, out)
        for address, country in (("8.8.8.8", "US"), ("2001:67c:2e8::1", "NL")):
            done = subprocess.run(["mmdblookup", "-f", str(out), "-i", address, "country",
                                   "iso_code"], capture_output=True, text=True)
            self.assertIn(f'"{country}"', done.stdout)

    def test_events_get_their_country(self):
        with Linkbell(CONFIG).ready() as bell:
            def checks():
                return bell.get("/readyz").json["checks"]["geo"]

            def countries():
                rows = bell.get("/v1/stats?site=alice.bio&by=country&metrics=views").json["rows"]
                return {row["country"] or "": row["views"] for row in rows}

            def view(headers=None, **fields):
                answer = bell.post("/v1/events", {"type": "view", "site": "alice.bio", **fields},
                                   headers=headers or {})
                self.assertEqual(answer.status, 202, answer.body)

            self.assertEqual(checks(), "missing")
            view(ip="8.8.8.8")
            wait_for(lambda: countries() == {"": 1}, "the view without a country")
            self.assertEqual(build(self.folder, bell.data / "geo.mmdb").returncode, 0)
            wait_for(lambda: checks() == "ok", "the new database")
            view(ip="8.8.8.8")
            view({"X-Forwarded-For": "[2001:67c:2e8::5]:443, 9.9.9.9"})
            view(ip="8.8.8.8", country="FR")
            view({"Sec-GPC": "1"}, ip="8.8.8.8", visitor="v", city="Milton")
            wait_for(lambda: countries() == {"": 1, "US": 2, "NL": 1, "FR": 1}, "the countries")
            answer = bell.get("/v1/stats?site=alice.bio&metrics=views,visitors&by=city").json["rows"]
            self.assertEqual([row["city"] or "" for row in answer], [""])
            (bell.data / "geo.mmdb").write_bytes(b"rubbish")
            wait_for(lambda: checks() == "failing", "the bad file to be noticed")
            view(ip="8.8.8.8")
            wait_for(lambda: countries()["US"] == 3, "the old database to answer")


if __name__ == "__main__":
    unittest.main()
