"""Every public way to fail: what is said, which status, that nothing is lost and that it
recovers."""
import contextlib
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
import unittest

from harness import BINARY, CONFIG, Linkbell, wait_for

VIEW = {"type": "view", "site": "alice.bio"}


class Start(unittest.TestCase):
    def refused(self, bell, *options):
        """Starts a service that must end by itself; returns what it said."""
        done = subprocess.run([BINARY, "serve", "-c", str(bell.config), "--data-dir", str(bell.data), *options],
                              capture_output=True, text=True, timeout=10, env=bell.env)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertNotIn("listening on", done.stdout)
        return done.stderr

    def test_a_second_service_on_the_directory_is_refused(self):
        with Linkbell() as bell:
            bell.ready()
            said = self.refused(bell)
            self.assertIn(str(bell.data), said)
            self.assertIn("in use by another linkbell", said)
            bell.send(VIEW)

    def test_a_taken_port_is_named(self):
        with Linkbell() as bell, Linkbell() as other:
            bell.start()
            said = self.refused(other, "--listen", f"127.0.0.1:{bell.port}")
            self.assertIn(f"port {bell.port}", said)
            self.assertIn("taken", said)

    def make_database(self, bell):
        bell.run("apply", str(bell.config))
        return bell.data / "linkbell.db"

    def test_a_newer_database_is_refused_and_untouched(self):
        with Linkbell() as bell:
            path = self.make_database(bell)
            with sqlite3.connect(path) as db:
                db.execute("PRAGMA user_version = 99")
            db.close()
            before = path.read_bytes()
            said = self.refused(bell)
            self.assertIn("newer linkbell", said)
            self.assertEqual(path.read_bytes(), before)

    def test_another_programs_database_is_refused_and_untouched(self):
        with Linkbell() as bell:
            bell.data.mkdir()
            path = bell.data / "linkbell.db"
            with sqlite3.connect(path) as db:
                db.execute("CREATE TABLE t (a)")
            db.close()
            before = path.read_bytes()
            self.assertIn("another program", self.refused(bell))
            self.assertEqual(path.read_bytes(), before)

    def test_a_damaged_header_is_refused_and_untouched(self):
        with Linkbell() as bell:
            path = self.make_database(bell)
            path.write_bytes(b"garbage" * 1000)
            said = self.refused(bell)
            self.assertIn("linkbell.db", said)
            self.assertIn("not a linkbell database", said)
            self.assertEqual(path.read_bytes(), b"garbage" * 1000)

    def test_a_directory_that_can_not_be_made_is_named(self):
        with Linkbell() as bell:
            blocker = bell.dir / "file"
            blocker.write_text("")
            bell.data = blocker / "data"
            self.assertIn("data", self.refused(bell))

    def test_a_faulty_configuration_names_line_column_and_the_likely_key(self):
        with Linkbell(CONFIG.replace("timezone: Europe/Paris", "timzone: Europe/Paris")) as bell:
            said = self.refused(bell)
            self.assertRegex(said, r"linkbell\.yaml:\d+:\d+: timzone: .*did you mean timezone\?")
            done = bell.run("apply", "--check", str(bell.config), check=False)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"linkbell\.yaml:\d+:\d+: timzone:")

    def test_a_torn_write_ahead_log_is_dropped(self):
        with Linkbell() as bell:
            bell.ready()
            bell.send({**VIEW, "id": "kept"})
            bell.kill()
            with open(bell.data / "linkbell.db-wal", "ab") as wal:
                wal.write(b"\x37" * 3000)
            bell.start()
            self.assertEqual(bell.totals(metrics="views")["views"], 1)


class Storage(unittest.TestCase):
    def test_another_program_may_look_into_the_database(self):
        """It must not take what is not checkpointed for its own, and remove it when it ends."""
        with Linkbell() as bell:
            bell.ready()
            for turn in range(5):
                bell.send(*[{"type": "view", "site": "alice.bio", "id": f"e{turn}-{n}"} for n in range(100)])
                with contextlib.closing(sqlite3.connect(bell.data / "linkbell.db")) as db:
                    db.execute("SELECT count(*) FROM sqlite_master").fetchall()
                self.assertTrue((bell.data / "linkbell.db-wal").exists())
            bell.kill()
            bell.start()
            self.assertEqual(bell.totals()["views"], 500)

    def test_a_full_database_is_503_and_recovers(self):
        with Linkbell(CONFIG + "limits: { max_db_bytes: 100KiB }\n") as bell:
            bell.ready()
            refused = wait_for(lambda: self.full_answer(bell), "a full database")
            self.assertEqual(refused.json["error"]["code"], "disk_full")
            self.assertIn("Retry-After", refused.headers)
            self.assertEqual(bell.get("/readyz").status, 503)
            self.assertEqual(bell.get("/healthz").status, 200)
            bell.write_config(CONFIG)
            bell.process.send_signal(signal.SIGHUP)
            wait_for(lambda: bell.get("/readyz").status == 200, "room again")
            before = bell.totals(metrics="views")["views"]
            bell.send({**VIEW, "id": "after"})
            self.assertEqual(bell.totals(metrics="views")["views"], before + 1)

    def full_answer(self, bell):
        answer = bell.post("/v1/events", [{**VIEW, "name": "x" * 200} for _ in range(200)])
        return answer if answer.status == 503 else None

    def test_a_failed_write_loses_nothing_and_a_repeat_counts_once(self):
        with Linkbell() as bell:
            bell.ready()
            bell.send({**VIEW, "id": "before"})
            pid = bell.process.pid
            size = max(path.stat().st_size for path in bell.data.iterdir() if path.is_file())
            hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
            batch = [{**VIEW, "id": f"e{n}", "name": "y" * 200} for n in range(3000)]
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
            answer = bell.post("/v1/events", batch)
            self.assertEqual(answer.status, 503, answer)
            self.assertEqual(bell.get("/readyz").status, 503)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
            answer = wait_for(lambda: self.taken(bell, batch), "the repeat")
            self.assertEqual((answer["accepted"], answer["duplicates"]), (3000, 0))
            answer = bell.post("/v1/events", batch).json
            self.assertEqual((answer["accepted"], answer["duplicates"]), (0, 3000))
            self.assertEqual(bell.totals(metrics="views")["views"], 3001)
            wait_for(lambda: bell.get("/readyz").status == 200, "readiness")
            self.assertEqual(bell.run("verify").returncode, 0)

    def taken(self, bell, batch):
        answer = bell.post("/v1/events", batch)
        return answer.json if answer.status == 202 else None


class Reload(unittest.TestCase):
    def test_a_bad_file_leaves_the_old_configuration(self):
        with Linkbell() as bell:
            bell.ready()
            bell.write_config("sites: [ { id: \n")
            bell.process.send_signal(signal.SIGHUP)
            wait_for(lambda: "reload_failed" in bell.log.read_text(), "the complaint")
            bell.send(VIEW)

    def test_a_new_site_is_there_after_sighup(self):
        with Linkbell() as bell:
            bell.ready()
            bell.write_config(CONFIG + "  - { id: carol.bio }\n")
            bell.process.send_signal(signal.SIGHUP)
            wait_for(lambda: bell.post("/v1/events", {"type": "view", "site": "carol.bio"}).status == 202, "the site")

    def test_sigterm_drains_and_ends_with_0(self):
        with Linkbell() as bell:
            bell.ready()
            bell.send(VIEW)
            self.assertEqual(bell.stop(), 0)
            self.assertFalse((bell.data / "linkbell.sock").exists())


class Durability(unittest.TestCase):
    def test_no_202_leaves_before_its_groups_fdatasync(self):
        strace = shutil.which("strace")
        self.assertIsNotNone(strace, "strace is in packages.txt")
        with Linkbell() as bell:
            trace = bell.dir / "trace"
            bell.ready()
            tracer = subprocess.Popen([strace, "-f", "-qq", "-s", "60", "-o", str(trace), "-e",
                                       "trace=read,recvfrom,fdatasync,write,writev,sendmsg,sendto",
                                       "-p", str(bell.process.pid)])
            try:
                wait_for(lambda: trace.exists(), "strace")
                time.sleep(0.5)
                for n in range(20):
                    bell.send({**VIEW, "id": f"traced-{n}"})
            finally:
                tracer.send_signal(signal.SIGINT)
                tracer.wait(10)
            state, answers = "idle", 0
            for line in trace.read_text(errors="replace").splitlines():
                if "POST /v1/events" in line:
                    state = "asked"
                elif "fdatasync" in line and "= 0" in line and state == "asked":
                    state = "synced"
                elif "HTTP/1.1 202" in line:
                    self.assertEqual(state, "synced", line)
                    state, answers = "idle", answers + 1
            self.assertEqual(answers, 20)


if __name__ == "__main__":
    unittest.main(verbosity=2)
