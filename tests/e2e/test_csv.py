"""Alerts as rows of a CSV file: once each, whole, in order, and no formulas."""
import csv
import hashlib
import io
import os
import signal
import sqlite3
import stat
import unittest

from harness import Linkbell, wait_for

CONFIG = """
server: { listen: 127.0.0.1:0, public_url: "https://l.alice.bio" }
privacy: { keep_contact: [email, name] }
delivery: { jitter: 0 }
sites: [{ id: alice.bio, timezone: Europe/Paris }]
destinations:
  - { id: file, type: csv, path: "%s", columns: [%s]%s, retry: [20ms, 20ms, 20ms, 20ms, 20ms, 1h] }
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [file] }
"""
COLUMNS = "site, event.contact.name, event.value.amount, id"


def alert_id(occasion):
    joined = b"".join(part.encode() + b"\0" for part in ("hot-lead", "alice.bio", "{}", occasion))
    return "al_" + hashlib.sha256(joined).hexdigest()[:16]


def lead(name, occasion, **more):
    return {"type": "lead", "site": "alice.bio", "id": occasion, "contact": {"name": name}, **more}


class World:
    def __init__(self, path="exports/leads.csv", columns=COLUMNS, more=""):
        self.bell = Linkbell(CONFIG % (path, columns, more))
        self.file = self.bell.data / path

    def __enter__(self):
        self.bell.ready()
        return self

    def __exit__(self, *words):
        self.bell.__exit__(*words)

    def wait(self, count, state="delivered"):
        def rows():
            return [r for r in self.bell.get("/v1/deliveries?limit=1000").json["data"] if r["state"] == state]
        return wait_for(lambda: len(rows()) >= count and rows(), f"{count} {state}")

    def rows(self, file=None):
        return list(csv.reader(io.StringIO((file or self.file).read_bytes().decode(), newline="")))


class Files(unittest.TestCase):
    def test_a_row_an_alert_under_a_header(self):
        with World() as world:
            world.bell.send(lead("Zoë, \"the\" Müller", "l1", value={"amount": 12.5, "currency": "EUR"}))
            world.wait(1)
            world.bell.send({"type": "lead", "site": "alice.bio", "id": "l2"})
            world.wait(2)
            self.assertEqual(world.file.read_bytes().count(b"\r\n"), 3)
            self.assertEqual(world.rows(), [["site", "event.contact.name", "event.value.amount", "id"],
                                            ["alice.bio", "Zoë, \"the\" Müller", "12.5", alert_id("l1")],
                                            ["alice.bio", "", "", alert_id("l2")]])
            self.assertEqual(stat.S_IMODE(os.stat(world.file).st_mode) & ~0o640, 0)

    def test_what_a_stranger_types_is_no_formula(self):
        names = ("=HYPERLINK(1)", "+1", "-1", "@x", "a\r\nb", "\tx")
        with World() as world:
            world.bell.send(*[lead(name, f"l{n}", value={"amount": -5, "currency": "EUR"}) for n, name in enumerate(names)])
            world.wait(len(names))
            rows = world.rows()[1:]
            self.assertEqual([row[2] for row in rows], ["-5"] * len(names))
            for row in rows:
                self.assertNotIn(row[1][:1], ("=", "+", "-", "@", "\t", "\r"))

    def test_the_name_may_hold_the_day_and_the_file_a_mark(self):
        with World(path="exports/leads-%Y-%m.csv", more=", bom: true") as world:
            world.bell.send(lead("a", "l1"))
            world.wait(1)
            [file] = (world.bell.data / "exports").iterdir()
            self.assertRegex(file.name, r"^leads-\d{4}-\d\d\.csv$")
            self.assertEqual(file.read_bytes().count(b"\xef\xbb\xbf"), 1)

    def test_other_columns_begin_another_file(self):
        with World() as world:
            world.bell.send(lead("a", "l1"))
            world.wait(1)
            world.bell.write_config(CONFIG % ("exports/leads.csv", "summary, id", ""))
            world.bell.process.send_signal(signal.SIGHUP)
            wait_for(lambda: "event=reloaded" in world.bell.log.read_text(), "the reload")
            world.bell.send(lead("b", "l2"))
            world.wait(2)
            self.assertEqual(len(world.rows()), 2)
            second = world.file.with_name("leads-2.csv")
            self.assertEqual(world.rows(second)[0], ["summary", "id"])

    def test_kills_double_and_tear_no_row(self):
        count = 40
        with World() as world:
            for number in range(count):
                world.bell.send(lead(f"n{number}", f"l{number}"))
                if number % 5 == 4:
                    world.bell.kill()
                    world.bell.start()
            world.wait(count)
            rows = world.rows()
            self.assertEqual([row[1] for row in rows[1:]], [f"n{number}" for number in range(count)])

    def test_a_torn_row_is_written_anew(self):
        with World() as world:
            world.bell.send(lead("a", "l1"))
            world.wait(1)
            # As if it had been killed within the second row's write: its place is recorded, half of it is there.
            whole = world.file.read_bytes()
            world.bell.post("/v1/destinations/file/disable")
            world.bell.send(lead("b", "l2"))
            world.wait(1, "held")
            row = f"alice.bio,b,,{alert_id('l2')}\r\n".encode()
            world.bell.kill()

            db = sqlite3.connect(world.bell.data / "linkbell.db")
            db.execute("UPDATE outbox SET remote_id = ? WHERE state = 'held'",
                       (f"{os.stat(world.file).st_ino}:{len(whole)}",))
            db.commit()
            db.close()
            world.file.write_bytes(whole + row[:7])
            world.bell.start()
            world.bell.post("/v1/destinations/file/enable")
            world.wait(2)
            self.assertEqual(world.file.read_bytes(), whole + row)

    def test_a_folder_that_takes_nothing_is_tried_again(self):
        with World() as world:
            world.bell.data.joinpath("exports").write_text("in the way")
            world.bell.send(lead("a", "l1"))
            wait_for(lambda: "error=write_failed" in world.bell.log.read_text(), "the failure")
            world.bell.data.joinpath("exports").unlink()
            world.wait(1)
            self.assertEqual(len(world.rows()), 2)

    def test_a_test_message_is_a_row(self):
        with World() as world:
            self.assertTrue(world.bell.post("/v1/destinations/file/test").json["delivered"])
            self.assertEqual(len(world.rows()), 2)

    def test_faults_are_named(self):
        for path, columns, more, word in (("../x.csv", "id", "", "allow_outside"), ("/tmp/x.csv", "id", "", "allow_outside"),
                                          ("a/../../x", "id", "", "allow_outside"), ("x.csv", "", "", "columns"),
                                          ("x.csv", "id", ", url_evn: X", "url_evn")):
            with self.subTest(path), Linkbell(CONFIG % (path, columns, more)) as bell:
                done = bell.run("apply", "--check", str(bell.config), check=False)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(word, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
