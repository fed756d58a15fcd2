"""backup while events come in, restore, and what neither does."""
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

from harness import BINARY, Linkbell, wait_for


def view(name, visitor=None):
    return {"type": "view", "site": "alice.bio", "id": name, "visitor": visitor or name}


class Backup(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="linkbell-backup-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.file = self.folder / "copy.db"
        self.bell = Linkbell()
        self.addCleanup(self.bell.__exit__, None, None, None)

    def views(self, bell=None):
        return (bell or self.bell).totals(metrics="views")["views"]

    def fill(self, count, name="a"):
        self.bell.send(*[view(f"{name}{n}") for n in range(count)])

    def test_a_copy_made_under_load_is_whole(self):
        self.bell.ready()
        self.fill(1000)
        is_over = threading.Event()
        sent = [1000]

        def load():
            while not is_over.is_set():
                self.fill(100, f"b{sent[0]}-")
                sent[0] += 100

        thread = threading.Thread(target=load)
        thread.start()
        try:
            wait_for(lambda: sent[0] >= 1500, "some load")
            before = sent[0]
            done = self.bell.run("backup", "--json", str(self.file))
            facts = json.loads(done.stdout)
            after = sent[0] + 100
        finally:
            is_over.set()
            thread.join()
        self.assertTrue(before <= facts["events"] <= after, (before, facts, after))
        self.assertEqual(facts["bytes"], self.file.stat().st_size)
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.assertEqual(os.listdir(self.folder), ["copy.db"])
        with Linkbell() as other:
            got = other.run("restore", str(self.file))
            self.assertIn(f"{facts['events']} events", got.stdout)
            self.assertIn("visitors", got.stderr)
            other.ready()
            self.assertEqual(self.views(other), facts["events"])
            self.assertIn("verify: ok", other.run("verify").stdout)
            # Ids are known, numbers go on.
            self.assertEqual(other.send(view("a0"), view("new"))["duplicates"], 1)
            self.assertEqual(self.views(other), facts["events"] + 1)

    def test_no_salt_leaves_with_it(self):
        self.bell.ready()
        self.fill(50)
        database = sqlite3.connect(f"file:{self.bell.data}/linkbell.db?mode=ro", uri=True)
        salts = [row[0] for row in database.execute("SELECT salt FROM salts")]
        hashes = [row[0] for row in database.execute("SELECT hash FROM visitor_hashes")]
        database.close()
        self.assertTrue(salts and len(hashes) == 50)
        self.bell.run("backup", str(self.file))
        content = self.file.read_bytes()
        for salt in salts:
            self.assertNotIn(salt, content)
        for number in hashes:
            self.assertNotIn(number.to_bytes(8, "big", signed=True), content)
        # After a restore the day's visitors are counted anew, and as nobody else.
        self.bell.stop()
        self.bell.run("restore", str(self.file))
        self.bell.ready()
        self.bell.send(view("again", "a0"), view("again2", "a0"))
        self.assertEqual(self.bell.totals(metrics="visitors")["visitors"], 51)

    def test_without_a_service_it_works_too_and_replaces_the_file(self):
        self.bell.ready()
        self.fill(3)
        self.bell.stop()
        self.file.write_text("old")
        self.bell.run("backup", str(self.file))
        self.assertTrue(self.file.read_bytes().startswith(b"SQLite format 3"))
        done = self.bell.run("backup", "--quiet", str(self.file))
        self.assertEqual((done.stdout, done.stderr), ("", ""))

    def test_the_directory_is_that_of_the_file_or_data(self):
        self.bell.ready()
        self.fill(3)
        self.bell.stop()
        config = self.folder / "where.yaml"
        config.write_text(f"server: {{ data_dir: {self.bell.data} }}\n")
        for words, place in ((["-c", str(config)], self.folder), ([], self.bell.dir)):  # ./data is the bell's there
            done = subprocess.run([BINARY, "backup", *words, str(self.file)], cwd=place, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, "3 events" in done.stdout), (0, True), done)
        done = subprocess.run([BINARY, "restore", str(self.file)], cwd=self.bell.dir, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done)

    def test_a_restore_brings_the_old_state_back(self):
        self.bell.ready()
        self.fill(10)
        self.bell.run("backup", str(self.file))
        self.fill(10, "b")
        refused = self.bell.run("restore", str(self.file), check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("in use by another linkbell", refused.stderr)
        self.bell.kill()  # its WAL holds what came last
        self.bell.run("restore", str(self.file))
        self.assertFalse((self.bell.data / "linkbell.db-wal").exists())
        self.bell.ready()
        self.assertEqual(self.views(), 10)

    def test_what_is_no_good_copy_touches_nothing(self):
        self.bell.ready()
        self.fill(200)
        self.bell.run("backup", str(self.file))
        self.bell.stop()
        before = (self.bell.data / "linkbell.db").read_bytes()
        good = self.file.read_bytes()
        newer = bytearray(good)
        newer[60:64] = (10 ** 6).to_bytes(4, "big")
        damaged = bytearray(good)
        for page in range(4096, len(damaged), 4096):
            damaged[page:page + 64] = b"\x55" * 64
        for name, content, word in (("text", b"hello" * 100, "not a linkbell database"), ("empty", b"", "empty"),
                                    ("newer", bytes(newer), "newer linkbell"), ("cut", good[:len(good) // 2], ""),
                                    ("damaged", bytes(damaged), "")):
            with self.subTest(name):
                path = self.folder / name
                path.write_bytes(content)
                done = self.bell.run("restore", str(path), check=False)
                self.assertEqual(done.returncode, 1, done)
                self.assertIn(str(path), done.stderr)
                self.assertIn(word, done.stderr)
                self.assertEqual(done.stderr.strip().count("\n"), 0)
                self.assertEqual((self.bell.data / "linkbell.db").read_bytes(), before)
        done = self.bell.run("restore", str(self.folder / "never"), check=False)
        self.assertEqual((done.returncode, "never" in done.stderr), (1, True))
        self.assertEqual(self.bell.run("restore", check=False).returncode, 2)
        done = self.bell.run("backup", str(self.folder / "no/such/dir"), check=False)
        self.assertEqual((done.returncode, "no/such/dir" in done.stderr), (1, True))
        with Linkbell() as empty:
            done = empty.run("backup", str(self.file), check=False)
            self.assertEqual((done.returncode, "there is no" in done.stderr), (1, True))
        self.assertEqual(self.file.read_bytes(), good)

    def test_a_kill_leaves_the_old_or_the_new(self):
        seed = random.randrange(10 ** 6)
        print(f"seed {seed}", end=" ")
        chance = random.Random(seed)
        self.bell.ready()
        self.fill(10000)
        self.bell.run("backup", str(self.file))
        self.fill(2000, "b")
        self.bell.kill()
        saved = self.folder / "saved"
        shutil.copytree(self.bell.data, saved, ignore=shutil.ignore_patterns("*.sock"))
        began = time.monotonic()
        self.bell.run("restore", str(self.file))
        took = time.monotonic() - began
        seen = set()
        for _ in range(8):
            shutil.rmtree(self.bell.data)
            shutil.copytree(saved, self.bell.data)
            process = subprocess.Popen([BINARY, "restore", "--data-dir", str(self.bell.data), str(self.file)],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.bell.env)
            time.sleep(chance.random() * took)
            process.kill()
            process.wait()
            self.bell.start()
            self.bell.token = self.bell.make_token()
            seen.add(self.views())
            self.assertFalse((self.bell.data / "linkbell.db.restore").exists())
            self.assertIn("verify: ok", self.bell.run("verify").stdout)
            self.bell.kill()
        self.assertLessEqual(seen, {10000, 12000})


if __name__ == "__main__":
    unittest.main(verbosity=2)
