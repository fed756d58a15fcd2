"""The signature as the official library of Standard Webhooks verifies it: `npm install
standardwebhooks` into a directory of its own, so it runs apart from the short tests."""
import json
import pathlib
import subprocess
import tempfile
import unittest

from test_deliveries import World
from test_outbox import Hook

VERIFY = """
const { Webhook } = require('standardwebhooks');
const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const verdicts = given.secrets.map(secret => {
  try { new Webhook(secret).verify(given.body, given.headers); return true; } catch (e) { return e.message; }
});
console.log(JSON.stringify(verdicts));
"""


class Official(unittest.TestCase):
    def test_the_library_takes_what_is_sent(self):
        sent = []

        class Keeping(Hook):
            def take(self, method, path, headers, body):
                sent.append((dict(headers.items()), body.decode()))
                return super().take(method, path, headers, body)

        with tempfile.TemporaryDirectory() as folder, Keeping() as hook, World() as world:
            (pathlib.Path(folder) / "package.json").write_text("{}")
            subprocess.run(["npm", "install", "--silent", "standardwebhooks"], cwd=folder, check=True, timeout=300)
            secrets = world.bell.dir / "secrets"
            old = world.bell.run("destinations", "secret").stdout.strip()
            secrets.write_text(old + "\n")
            world.reload(url=hook.url, more=f', secrets_file: "{secrets}"')
            world.leads("Zo\u00e9 \U0001f600 \"quoted\"")
            world.wait(1, "delivered")
            world.bell.run("destinations", "rotate", "hook")
            self.assertTrue(world.bell.post("/v1/destinations/hook/test").json["delivered"])
            both = secrets.read_text().split()
            other = world.bell.run("destinations", "secret").stdout.strip()

            def verify(number, keys, change=lambda body: body):
                headers, body = sent[number]
                headers = {name.lower(): value for name, value in headers.items()}
                done = subprocess.run(["node", "-e", VERIFY], cwd=folder, capture_output=True, text=True, check=True,
                                      input=json.dumps({"secrets": keys, "headers": headers, "body": change(body)}))
                return json.loads(done.stdout)

            self.assertEqual(verify(0, [old]), [True])
            self.assertEqual(verify(-1, both), [True, True])
            self.assertEqual(verify(-1, [other]), ["No matching signature found"])
            self.assertEqual(verify(0, [old], lambda body: body + " "), ["No matching signature found"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
