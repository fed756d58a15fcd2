"""docs/operations.md: its block works when it is pasted."""
import re
import subprocess
import unittest

from harness import BINARY, SOURCE, Linkbell

PAGE = (SOURCE / "docs/operations.md").read_text()


class Operations(unittest.TestCase):
    def test_the_block(self):
        block = re.search(r"operations:begin -->\n```sh\n(.*?)```", PAGE, re.S).group(1)
        with Linkbell() as bell:
            bell.ready()
            bell.send({"type": "view", "site": "alice.bio"})
            env = dict(bell.env, LB=BINARY, TOKEN=bell.token, URL=f"http://127.0.0.1:{bell.port}")
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=bell.dir, env=env, text=True,
                                  capture_output=True, timeout=120, check=False)
            self.assertEqual(done.returncode, 0, done)
            for word in ("ok   data", "1 events", "verify: ok", '"status":"ok"', '"id":"alice.bio:news"', '"step":"click:news"'):
                self.assertIn(word, done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
