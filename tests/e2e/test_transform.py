"""A destination's transform (jq) shapes, drops and splits what goes out, within limits of time
and memory, apart from the service."""
import collections
import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

from harness import BINARY, Linkbell, Receiver, wait_for

CONFIG = """
server: { listen: 127.0.0.1:0 }
privacy: { keep_contact: [email, name] }
delivery: { allow_addresses: [127.0.0.0/8], jitter: 0, transform_time: 3s, breaker: { failures: 50, probe: [100ms] } }
sites: [{ id: alice.bio, timezone: Europe/Paris }]
destinations:
  - { id: crm, type: webhook, url: "%s", unsigned: true, retry: [30ms, 30ms]%s, transform: %s }
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [crm] }
"""


def lead(name, email="zoe@example.com"):
    return {"type": "lead", "site": "alice.bio", "id": name, "name": "form", "contact": {"email": email, "name": "Zoë"}}


class World:
    def __init__(self, program, more="", answer=lambda number, path: 200, env=None):
        self.receiver = Receiver(answer)
        self.bell = Linkbell(CONFIG % (self.receiver.url("/crm"), more, json.dumps(program)), env)

    def __enter__(self):
        self.bell.__enter__()
        self.bell.ready()
        return self

    def __exit__(self, *words):
        self.bell.__exit__(*words)
        self.receiver.close()

    def rows(self):
        return self.bell.get("/v1/deliveries?limit=1000").json["data"]

    def wait(self, count, state):
        return wait_for(lambda: [r for r in self.rows() if r["state"] == state][count - 1:], f"{count} {state}", 20)

    def bodies(self):
        return [json.loads(body) for _, _, _, body in self.receiver.received]


class Shapes(unittest.TestCase):
    def test_the_output_is_what_goes_out(self):
        with World('{type, timestamp, data: {lead: (.data.event.contact.email | ascii_downcase)}}') as world:
            world.bell.send(lead("l1", "ZOE@Example.com"))
            world.wait(1, "delivered")
            body, = world.bodies()
            self.assertEqual((body["type"], body["data"]), ("alert.fired", {"lead": "zoe@example.com"}))
            row = world.rows()[0]
            whole = world.bell.get(f"/v1/deliveries/{row['id']}?body=1").json
            self.assertEqual(whole["body"]["data"]["rule"], "hot-lead")  # the message stays as it was

    def test_no_output_is_no_message(self):
        with World('select(.data.event.contact.email | endswith("@example.org"))') as world:
            world.bell.send(lead("l1"), lead("l2", "a@example.org"))
            world.wait(1, "delivered")
            row, = world.wait(1, "skipped")
            self.assertEqual((row["reason"], row["attempts"], len(world.receiver.received)), ("filtered", 0, 1))

    def test_further_outputs_are_messages_of_their_own(self):
        program = '.data.alert as $a | ({n: 1}, {n: 2}, {n: 3}) | {type: "alert.fired", data: (. + {alert: $a})}'
        with World(program, answer=lambda number, path: 500 if number == 1 else 200) as world:
            world.bell.send(lead("l1"))
            rows = world.wait(3, "delivered")
            self.assertEqual(len(world.rows()), 3)
            ids = [headers["webhook-id"] for _, _, headers, _ in world.receiver.received]
            counts = collections.Counter(ids)
            base = min(ids, key=len)
            self.assertEqual(set(counts), {base, base + "_2", base + "_3"})
            self.assertEqual(sum(counts.values()), 4)
            got = {i: b["data"]["n"] for i, b in zip(ids, world.bodies())}
            self.assertEqual(got, {base: 1, base + "_2": 2, base + "_3": 3})
            self.assertEqual({r["message"] for r in world.rows()}, set(counts))

    def test_what_is_not_taken_of_a_contact_does_not_get_into_it(self):
        with World('{type, data: {text: tojson}}', ", contact: [name]") as world:
            world.bell.send(lead("l1"))
            world.wait(1, "delivered")
            self.assertIn("Zoë", world.bodies()[0]["data"]["text"])
            self.assertNotIn("zoe@example.com", world.bodies()[0]["data"]["text"])

    def test_a_corrected_program_repairs_what_is_dead(self):
        with World('{type, data: {n: (.data.summary | tonumber)}}') as world:
            world.bell.send(lead("l1"))
            row, = world.wait(1, "dead")
            self.assertEqual((row["reason"], row["attempts"]), ("transform_failed", 1))
            log = world.bell.get(f"/v1/deliveries/{row['id']}").json["log"][-1]
            self.assertEqual((log["error"]["code"] if isinstance(log["error"], dict) else log["error"]), "transform_failed")
            self.assertIn("Invalid numeric literal", json.dumps(log))
            config = pathlib.Path(world.bell.config)
            config.write_text(config.read_text().replace("tonumber", "length"))
            self.assertEqual(world.bell.run("apply", str(config)).returncode, 0)
            self.assertEqual(world.bell.post(f"/v1/deliveries/{row['id']}/retry", {}).status, 202)
            world.wait(1, "delivered")
            self.assertGreater(world.bodies()[0]["data"]["n"], 5)

    def test_rows_of_a_stream(self):
        program = 'select(.type == "lead") | {id, mail: .contact.email}, {id, again: true}'
        with World(program, ", stream: { types: [all], from: start, max_wait: 50ms }") as world:
            world.bell.send(lead("l1"), {"type": "view", "site": "alice.bio", "id": "v1"}, lead("l2"))
            wait_for(lambda: any(b["type"] == "event.batch" for b in world.bodies()), "the batch")
            rows = [e for b in world.bodies() if b["type"] == "event.batch" for e in b["data"]["events"]]
            self.assertEqual(rows, [{"id": "l1", "mail": "zoe@example.com"}, {"id": "l1_2", "again": True},
                                    {"id": "l2", "mail": "zoe@example.com"}, {"id": "l2_2", "again": True}])


class Limits(unittest.TestCase):
    def dead(self, program, words):
        with World(program) as world:
            world.bell.send(lead("l1"))
            row, = world.wait(1, "dead")
            self.assertEqual(row["reason"], "transform_failed")
            log = world.bell.get(f"/v1/deliveries/{row['id']}").json["log"][-1]
            self.assertIn(words, json.dumps(log))
            metrics = world.bell.get("/metrics").body.decode()
            began = time.monotonic()
            world.bell.send({"type": "view", "site": "alice.bio", "id": "v"})
            self.assertLess(time.monotonic() - began, 5)
            return metrics

    def test_one_that_does_not_end(self):
        self.assertIn('linkbell_limit_hits_total{limit="transform_time"} 1', self.dead("def f: f; f", "took longer"))

    def test_one_that_eats_memory(self):
        metrics = self.dead('reduce range(30) as $i ("x"; . + .) | {n: length}', "needed more memory")
        self.assertIn('linkbell_limit_hits_total{limit="transform_bytes"} 1', metrics)

    def test_outputs_that_are_no_messages_or_too_many(self):
        self.dead(".data.summary", "must be an object")
        self.dead("range(1000) | {n: .}", "more than 100 outputs")

    def test_it_sees_no_secret_and_no_file(self):
        with World('{type, data: {env: env, mine: $ENV}}', env={"LB_SECRET_WORD": "swordfish"}) as world:
            world.bell.send(lead("l1"))
            world.wait(1, "delivered")
            self.assertNotIn("swordfish", json.dumps(world.bodies()))
            self.assertEqual(set(world.bodies()[0]["data"]["env"]), {"TZ", "LC_ALL"})

    def test_the_worker_goes_with_the_service(self):
        with World("{type, data}") as world:
            world.bell.send(lead("l1"))
            world.wait(1, "delivered")
            workers = [pid for pid in os.listdir("/proc") if pid.isdigit() and self.is_worker(pid, world.bell.process.pid)]
            self.assertEqual(len(workers), 1)
            world.bell.kill()
            wait_for(lambda: not os.path.exists(f"/proc/{workers[0]}") or self.is_zombie(workers[0]), "the end of the worker", 5)
            world.bell.start()

    @staticmethod
    def is_worker(pid, parent):
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return False
        return words[1:3] == [b"transform-worker", b"crm"] and f"PPid:\t{parent}\n" in status

    @staticmethod
    def is_zombie(pid):
        try:
            return "State:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return True


class Trying(unittest.TestCase):
    def test_faults_are_named_at_apply(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "linkbell.yaml")
            for program, words in {".a | %": "is no jq program: syntax error", "nothing_known": "is no jq program: nothing_known/0 is not defined",
                                   "": "must be a jq program", 'import "a" as a; .': "is no jq program"}.items():
                path.write_text(CONFIG % ("http://127.0.0.1:9/", "", json.dumps(program)))
                done = subprocess.run([BINARY, "apply", "--check", str(path)], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 1, program)
                self.assertIn("transform: " + words, done.stdout + done.stderr)

    def test_a_sample_is_transformed_too(self):
        with World('{type, data: {n: 7}}') as world:
            self.assertIn("delivered", world.bell.run("destinations", "test", "crm").stdout)
            self.assertEqual(world.bodies()[0]["data"], {"n": 7})
        with World('empty') as world:
            done = world.bell.run("destinations", "test", "crm", check=False)
            self.assertIn("leaves nothing of the sample", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
