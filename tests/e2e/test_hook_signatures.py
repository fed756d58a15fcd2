"""Signatures agree with another implementation: node's crypto signs 1,000 random bodies for
each scheme, half of them not even JSON; the service takes each, and none of the same with a
bit changed somewhere."""
import base64
import json
import random
import shutil
import subprocess
import time
import unittest

from harness import Linkbell
from hooks import SECRETS, config

COUNT = 1000
SEED = random.SystemRandom().randrange(1 << 32)

# Standard input: {"now", "count", "secrets"}; a line a scheme: {"name", "sent": [[body in base64, headers]]}.
SIGN = r"""
const crypto = require('crypto');
const order = JSON.parse(require('fs').readFileSync(0));
const hmac = (key, ...parts) => {
  const made = crypto.createHmac('sha256', key);
  for (const part of parts) made.update(part);
  return made;
};
const key = order.secrets.LINKMI_SECRET;
const whsec = Buffer.from(order.secrets.CRM_WHSEC.slice(6), 'base64');
const at = () => String(order.now - 200 + crypto.randomInt(401));
const schemes = {
  hex: body => ({ 'X-Linkmi-Signature': hmac(key, body).digest('hex') }),
  'upper hex': body => ({ 'X-Linkmi-Signature': hmac(key, body).digest('hex').toUpperCase() }),
  'sha256=hex': body => ({ 'X-Linkmi-Signature': 'sha256=' + hmac(key, body).digest('hex') }),
  base64: body => ({ 'X-Linkmi-Signature': hmac(key, body).digest('base64') }),
  'bare base64': body => ({ 'X-Linkmi-Signature': hmac(key, body).digest('base64').replace(/=+$/, '') }),
  'old secret': body => ({ 'X-Linkmi-Signature': hmac(order.secrets.OLD_SECRET, body).digest('hex') }),
  timed: body => {
    const time = at();
    return { 'X-Time': time, 'X-Signature': hmac(key, time, '.', body).digest('hex') };
  },
  standard: body => {
    const id = 'msg_' + crypto.randomBytes(9).toString('base64url');
    const time = at();
    const good = 'v1,' + hmac(whsec, id, '.', time, '.', body).digest('base64');
    const noise = 'v1,' + crypto.randomBytes(32).toString('base64');
    return { 'webhook-id': id, 'webhook-timestamp': time,
             'webhook-signature': crypto.randomInt(2) ? good : noise + ' ' + good };
  },
};
for (const [name, sign] of Object.entries(schemes)) {
  const sent = [];
  for (let i = 0; i < order.count; i++) {
    const bytes = crypto.randomBytes(crypto.randomInt(i % 10 ? 200 : 5000));
    const body = i % 2 ? bytes : Buffer.from(JSON.stringify({ event: 'none', x: bytes.toString('latin1') }));
    sent.push([body.toString('base64'), sign(body)]);
  }
  console.log(JSON.stringify({ name, sent }));
}
"""
SOURCES = {"timed": "timed", "standard": "crm"}  # the others go to linkmi


def flip(data, rng):
    """One bit of data changed, or a byte more."""
    changed = bytearray(data)
    if not changed or rng.random() < 0.1:
        return bytes(changed) + b"x"
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


class Agreement(unittest.TestCase):
    def test_node_and_the_service_agree(self):
        node = shutil.which("node") or shutil.which("nodejs")
        self.assertTrue(node, "nodejs is listed in packages.txt")
        order = json.dumps({"now": int(time.time()), "count": COUNT, "secrets": SECRETS})
        done = subprocess.run([node, "-e", SIGN], input=order, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        rng = random.Random(SEED)
        print(f"seed {SEED}")
        schemes = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(schemes), 8)
        text = config().replace("log_level: debug", "log_level: error")
        text = text.replace("OLD_SECRET] }", "OLD_SECRET], daily_cap: 0 }")  # nothing to commit
        with Linkbell(text, env=SECRETS).ready() as bell:
            connection = bell.connect()
            for scheme in schemes:
                source = SOURCES.get(scheme["name"], "linkmi")
                self.assertEqual(len(scheme["sent"]), COUNT)
                for text, headers in scheme["sent"]:
                    body = base64.b64decode(text)
                    status = self.ask(bell, connection, source, body, headers)
                    self.assertNotEqual(status, 401, (scheme["name"], text, headers))
                    status = self.ask(bell, connection, source, flip(body, rng), headers)
                    self.assertEqual(status, 401, (scheme["name"], text, headers))
            connection.close()

    def ask(self, bell, connection, source, body, headers):
        return bell.request("POST", f"/in/{source}", body, headers, token=False, connection=connection).status


if __name__ == "__main__":
    unittest.main(verbosity=2)
