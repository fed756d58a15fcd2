"""The README's tour works when it is pasted: every block, in order, in one shell."""
import re
import subprocess
import unittest

from harness import BINARY, SOURCE, Linkbell

DEMO = (SOURCE / "docs/demo.yaml").read_text()


class Tour(unittest.TestCase):
    def script(self, port):
        text = (SOURCE / "README.md").read_text()
        tour = text.split("<!-- tour:begin -->")[1].split("<!-- tour:end -->")[0]
        blocks = re.findall(r"```sh\n(.*?)```", tour, re.S)
        self.assertGreaterEqual(len(blocks), 5)
        script = "set -euo pipefail\n" + "\n".join(blocks)
        script = script.replace("build/release/linkbell", BINARY)
        return script.replace("127.0.0.1:8787", f"127.0.0.1:{port}")

    def test_the_tour(self):
        env = {"LINKBELL_DEMO_SLACK_URL": "http://127.0.0.1:8788/services/demo"}
        with Linkbell(DEMO.replace("127.0.0.1:8787, data_dir", "127.0.0.1:0, data_dir"), env) as bell:
            bell.run("apply", str(bell.config))
            bell.run("import", "--site", "demo.bio", "--shift", "now",
                     str(SOURCE / "tests/data/bitly-1usagov-20120316.ndjson.gz"))
            bell.start()
            done = subprocess.run(["bash", "-c", self.script(bell.port)], cwd=bell.dir, text=True,
                                  capture_output=True, timeout=60, env=bell.env)
            print(done.stdout)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("X (Twitter)", done.stdout)
            self.assertIn("New lead on demo.bio", done.stdout)
            self.assertIn("zoe@example.com", done.stdout)
            self.assertIn("verify: ok", done.stdout)
            self.assertTrue((bell.dir / "exports/demo.bio/manifest.json").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
