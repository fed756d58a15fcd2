"""linkbell doctor: says what is wrong and what to do, whether a service runs or not."""
import json
import re
import unittest

from harness import CONFIG, Linkbell, Receiver, wait_for

LINE = re.compile(r"^(ok  |warn|fail) [a-z]+: \S.*$")
MORE = """
destinations:
  - { id: hook, type: webhook, url: "%s", unsigned: true, retry: [50ms] }
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [hook] }
"""


class Doctor(unittest.TestCase):
    def look(self, bell, *words, code=0):
        done = bell.run("doctor", *words, check=False)
        self.assertEqual(done.returncode, code, done)
        for line in done.stdout.splitlines():
            self.assertRegex(line, LINE)
        found = {}
        for line in done.stdout.splitlines():
            level, name, text = line[:4].strip(), *line[5:].split(": ", 1)
            found.setdefault(name, []).append((level, text))
        return found

    def test_a_sound_service(self):
        with Linkbell() as bell:
            bell.ready()
            bell.send({"type": "view", "site": "alice.bio"})
            found = self.look(bell, "-c", str(bell.config))
            self.assertEqual(set(found), {"file", "data", "log", "rollup", "disk", "clock", "geo", "configuration", "libraries"})
            self.assertIn("2 sites", found["configuration"][0][1])
            self.assertIn("linkbell geo build", found["geo"][0][1])
            self.assertEqual([found[name][0][0] for name in ("file", "data", "rollup", "configuration")], ["ok"] * 4)
            for word in ("SQLite 3", "libuv 1", "libcurl/", "libmaxminddb"):
                self.assertIn(word, found["libraries"][0][1])
            answer = json.loads(bell.run("doctor", "--json").stdout)
            self.assertTrue(answer["ok"])
            self.assertEqual({tuple(row) for row in answer["checks"]}, {("status", "name", "text")})
            self.assertEqual(bell.get("/v1/doctor", token=False).status, 401)
            self.assertEqual(bell.get("/v1/doctor", token=bell.make_token("read")).status, 403)
            bell.stop()
            self.assertEqual(self.look(bell)["data"][0][0], "ok")

    def test_a_new_directory_is_told_what_to_do(self):
        with Linkbell() as bell:
            found = self.look(bell)
            self.assertEqual(found["configuration"][0][0], "warn")
            self.assertIn("linkbell apply", found["configuration"][0][1])

    def test_a_bad_file_and_damaged_data(self):
        with Linkbell() as bell:
            bell.ready()
            for part in range(20):
                bell.send(*[{"type": "view", "site": "alice.bio", "id": f"{part}-{n}", "url": f"https://a.example/{part}/{n}"}
                            for n in range(200)])
            bell.stop()
            bell.write_config(CONFIG.replace("timezone: Europe/Paris", "timezone: Europe/Pari"))
            found = self.look(bell, "-c", str(bell.config), code=1)
            self.assertEqual(found["file"][0][0], "fail")
            self.assertEqual(found["data"][0][0], "ok")
            path = bell.data / "linkbell.db"
            content = bytearray(path.read_bytes())
            for page in range(len(content) // 8192 * 4096, len(content), 4096):
                content[page:page + 32] = b"\x55" * 32
            path.write_bytes(bytes(content))
            found = self.look(bell, code=1)
            self.assertEqual(found["data"][0][0], "fail")
            self.assertIn("restore", found["data"][0][1])

    def test_messages_that_were_given_up(self):
        with Receiver(lambda number, path: 500) as receiver:
            config = CONFIG.replace("127.0.0.1:0 }", "127.0.0.1:0 }\ndelivery: { allow_addresses: [127.0.0.0/8], jitter: 0 }")
            with Linkbell(config + MORE % receiver.url()) as bell:
                bell.ready()
                bell.send({"type": "lead", "site": "alice.bio", "id": "l1"})
                wait_for(lambda: bell.get("/v1/deliveries?state=dead").json["data"], "the message's end")
                level, text = self.look(bell)["destination"][0]
                self.assertEqual(level, "warn")
                self.assertIn("hook: 1 messages were given up", text)
                self.assertIn("deliveries list", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
