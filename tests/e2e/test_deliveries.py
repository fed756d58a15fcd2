"""The delivery log and what is done about it: show, retry, replay; destinations that are
listed, tested, taken out of use and into it, and given new secrets.  By command and route."""
import base64
import json
import os
import threading
import unittest

from harness import Linkbell, verify_signature, wait_for
from test_outbox import Hook, World


class Log(unittest.TestCase):
    def test_every_attempt_is_shown_and_no_secret(self):
        def answers(number, name):
            return (500, {}, b"user zoe@example.com, token abcdefghij0123456789xyz, oops") if number == 0 else 200

        with World(answers) as world:
            world.leads("a")
            row = world.wait(1, "delivered")[0]
            got = world.bell.get("/v1/deliveries/" + row["id"])
            self.assertEqual(got.status, 200)
            self.assertEqual({key: value for key, value in got.json.items() if key != "log"}, row)
            first, second = got.json["log"]
            self.assertEqual((first["number"], first["outcome"], first["status"], first["error"]),
                             (1, "retry", 500, "http_5xx"))
            self.assertEqual(first["excerpt"], "user ***, token ***, oops")
            self.assertEqual((second["outcome"], second["excerpt"], second["address"]), ("success", None, "127.0.0.1"))
            self.assertEqual(set(first), {"number", "started", "ms", "dns_ms", "connect_ms", "tls_ms", "first_byte_ms",
                                          "address", "outcome", "status", "error", "request_bytes", "excerpt"})
            text = world.bell.run("deliveries", "show", row["id"]).stdout
            self.assertIn("it said: user ***", text)
            self.assertNotIn("alert.fired\"", text)
            text = world.bell.run("deliveries", "show", row["id"], "--body").stdout
            self.assertIn('"type":"alert.fired"', text)
            text = world.bell.run("deliveries", "list", "--state", "delivered", "--since", "1h").stdout
            self.assertIn(row["id"], text)
            self.assertNotIn(row["id"], world.bell.run("deliveries", "list", "--state", "dead").stdout)
            self.assertEqual(json.loads(world.bell.run("deliveries", "list", "--json").stdout)["data"], [row])
            self.assertEqual(world.bell.get("/v1/deliveries/dl_0000000000000000").status, 404)

    def test_the_message_itself_needs_admin(self):
        with World() as world:
            world.leads("a")
            row = world.wait(1, "delivered")[0]
            reader = world.bell.make_token("read")
            path = "/v1/deliveries/" + row["id"]
            self.assertEqual(world.bell.get(path, token=reader).status, 200)
            self.assertEqual(world.bell.get(path + "?body=1", token=reader).status, 403)
            self.assertEqual(world.bell.get(path + "?body=1").json["body"]["type"], "alert.fired")
            self.assertEqual(world.bell.post(path + "/retry", token=reader).status, 403)
            self.assertEqual(world.bell.get("/v1/destinations", token=reader).status, 403)


class Retry(unittest.TestCase):
    def setUp(self):
        self.up = threading.Event()

    def answers(self, number, name):
        return 200 if self.up.is_set() else 413

    def test_a_dead_one_is_sent_again_under_its_id(self):
        with World(self.answers) as world:
            world.leads("a", "b")
            rows = world.wait(2, "dead")
            self.up.set()
            got = world.bell.post(f"/v1/deliveries/{rows[0]['id']}/retry")
            self.assertEqual((got.status, got.json["id"], got.json["attempts"]), (202, rows[0]["id"], 0))
            world.wait(1, "delivered")
            log = world.bell.get("/v1/deliveries/" + rows[0]["id"]).json["log"]
            self.assertEqual([entry["number"] for entry in log], [1, 2])
            ids = [headers["webhook-id"] for headers in world.hook.headers]
            self.assertEqual(len(set(ids)), 2)
            self.assertEqual(world.bell.post("/v1/deliveries/dl_0/retry").status, 404)
            self.assertIn("queued " + rows[1]["id"], world.bell.run("deliveries", "retry", rows[1]["id"]).stdout)
            world.wait(2, "delivered")

    def test_dead_ones_are_sent_again_by_choice(self):
        with World(self.answers) as world:
            world.leads(*[f"n{n}" for n in range(5)])
            world.wait(5, "dead")
            self.up.set()
            path = "/v1/deliveries/retry"
            for body, count in (({"destination": "other"}, 0), ({"since": "2999-01-01"}, 0),
                                ({"until": "2001-01-01T00:00:00Z"}, 0), ({"state": "delivered"}, 0), ({}, 5)):
                got = world.bell.post(path, dict(body, dry_run=True))
                self.assertEqual((got.status, got.json), (202, {"queued": count}), body)
            for body in ({"state": "waiting"}, {"since": "soon"}, {"dryrun": True}):
                self.assertEqual(world.bell.post(path, body).status, 422, body)
            self.assertEqual(world.bell.post(path, b"[", headers={"Content-Type": "application/json"}).status, 400)
            self.assertEqual(len(world.hook.received), 5)
            done = world.bell.run("deliveries", "retry", "--destination", "hook", "--since", "1d", "--dry-run")
            self.assertIn("would be queued: 5", done.stdout)
            self.assertIn("queued: 5", world.bell.run("deliveries", "retry", "--state", "dead", "--until", "0s").stdout)
            world.wait(5, "delivered")
            self.assertEqual(world.bell.run("deliveries", "retry", check=False).returncode, 2)

    def test_what_arrived_is_replayed_only_when_sure(self):
        self.up.set()
        with World(self.answers) as world:
            world.leads("a", "b", "c")
            world.wait(3, "delivered")
            words = ("deliveries", "retry", "--state", "delivered", "--destination", "hook")
            done = world.bell.run(*words, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn("would be queued: 3", done.stdout)
            self.assertIn("--yes", done.stderr)
            self.assertEqual(len(world.hook.received), 3)
            self.assertIn("queued: 3", world.bell.run(*words, "--yes").stdout)
            wait_for(lambda: len(world.hook.received) == 6, "the replay")
            world.wait(3, "delivered")
            self.assertEqual(len({headers["webhook-id"] for headers in world.hook.headers}), 3)

    def test_more_than_a_piece_comes_to_its_end(self):
        with World(self.answers) as world:
            for part in range(3):
                world.leads(*[f"n{part}-{n}" for n in range(1000)])
            wait_for(lambda: world.bell.post("/v1/deliveries/retry", {"dry_run": True}).json["queued"] == 3000,
                     "3000 dead", 600)
            self.up.set()
            self.assertEqual(world.bell.post("/v1/deliveries/retry", {}).json, {"queued": 3000})
            count = {"state": "delivered", "dry_run": True}
            wait_for(lambda: world.bell.post("/v1/deliveries/retry", count).json["queued"] == 3000, "3000 again", 600)

    def test_it_works_without_a_running_service(self):
        with World(self.answers) as world:
            world.leads("a")
            world.wait(1, "dead")
            world.bell.stop()
            self.up.set()
            self.assertIn("queued: 1", world.bell.run("deliveries", "retry", "--state", "dead").stdout)
            self.assertIn("hook", world.bell.run("destinations", "list").stdout)
            done = world.bell.run("destinations", "test", "hook", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("serve", done.stderr)
            world.bell.start()
            world.wait(1, "delivered")


class Destinations(unittest.TestCase):
    def test_they_are_listed_with_how_they_fare(self):
        def answers(number, name):
            return {"a": 200, "b": 413, "c": 410}[name]

        with World(answers, more=", timeout: 5s") as world:
            world.leads("a")
            world.wait(1, "delivered")
            world.leads("b")
            world.wait(1, "dead")
            world.leads("c")
            world.wait(1, "held")
            got = world.bell.get("/v1/destinations").json
            self.assertIsNone(got["next"])
            row = got["data"][0]
            self.assertEqual({key: row[key] for key in ("id", "type", "timeout", "state", "reason", "waiting", "held",
                                                        "dead", "managed_by")},
                             {"id": "hook", "type": "webhook", "timeout": "5s", "state": "disabled",
                              "reason": "http_4xx", "waiting": 0, "held": 1, "dead": 1, "managed_by": "file"})
            self.assertRegex(row["last_success"], r"^\d{4}-")
            self.assertEqual(world.bell.get("/v1/destinations/hook").json, row)
            self.assertEqual(world.bell.get("/v1/destinations/none").status, 404)
            text = world.bell.run("destinations", "list").stdout
            self.assertRegex(text, r"(?m)^hook +webhook +disabled +0 +1 +1 ")

    def test_metrics_say_what_waits_and_how_long_attempts_took(self):
        with World(lambda number, name: 200 if name == "a" else 410) as world:
            world.leads("a")
            world.wait(1, "delivered")
            world.leads("b", "c")
            world.wait(2, "held")
            name = '{destination="hook",state="held"}'
            wait_for(lambda: world.bell.metric("linkbell_outbox_depth", name) == 2, "the gauge")
            self.assertEqual(world.bell.metric("linkbell_outbox_oldest_seconds", '{destination="hook"}'), 0)
            self.assertEqual(world.bell.get("/readyz").json["checks"]["destinations"], {"hook": "disabled"})
            self.assertEqual(world.bell.metric("linkbell_breaker_open", '{destination="hook"}'), 1)
            self.assertGreaterEqual(world.bell.metric("linkbell_delivery_seconds_count", '{destination="hook"}'), 2)

    def test_out_of_use_and_into_it(self):
        with World() as world:
            self.assertIn("disabled hook", world.bell.run("destinations", "disable", "hook").stdout)
            world.leads("a", "b")
            world.wait(2, "held")
            world.bell.kill()
            world.bell.start()
            world.reload(more=", timeout: 9s")  # a change does not take up what a person put down
            self.assertEqual(world.bell.get("/v1/destinations/hook").json["reason"], "by_hand")
            self.assertEqual(world.hook.received, [])
            self.assertIn("enabled hook", world.bell.run("destinations", "enable", "hook").stdout)
            world.wait(2, "delivered")
            self.assertEqual(world.bell.get("/v1/destinations/hook").json["state"], "ok")
            world.bell.post("/v1/destinations/hook/disable")
            world.leads("c")
            world.wait(1, "held")
            got = world.bell.post("/v1/destinations/hook/enable", {"discard": True})
            self.assertEqual((got.status, got.json["dead"], got.json["state"]), (200, 1, "ok"))
            self.assertEqual(world.rows("dead")[0]["reason"], "discarded")
            world.leads("d")
            world.wait(3, "delivered")
            self.assertEqual(world.bell.post("/v1/destinations/none/enable").status, 404)
            self.assertEqual(world.bell.post("/v1/destinations/hook/enable", {"discard": 1}).status, 400)

    def test_the_file_has_the_last_word(self):
        with World(more=", enabled: false") as world:
            got = world.bell.post("/v1/destinations/hook/enable")
            self.assertEqual((got.status, got.json["error"]["code"]), (409, "managed_by_file"))
            self.assertEqual(world.bell.get("/v1/destinations/hook").json["state"], "disabled")

    def test_a_test_message_says_what_happened(self):
        answers = [200, (500, {}, b"no room for zoe@example.com"), 200]
        with World(lambda number, name: answers[number]) as world:
            got = world.bell.post("/v1/destinations/hook/test").json
            self.assertEqual((got["delivered"], got["status"], got["error"]), (True, 200, None))
            row = world.bell.get("/v1/deliveries/" + got["delivery"]).json
            self.assertEqual((row["type"], row["rule"], row["state"]), ("test", "test", "delivered"))
            self.assertRegex(world.hook.headers[0]["webhook-id"], r"^test_[0-9a-f]{16}$")
            done = world.bell.run("destinations", "test", "hook", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("http_5xx", done.stderr)
            self.assertIn("no room for ***", done.stderr)
            self.assertEqual(world.rows("dead")[0]["reason"], "test_failed")
            self.assertIn("delivered to hook", world.bell.run("destinations", "test", "hook").stdout)
            self.assertEqual(world.bell.post("/v1/destinations/none/test").status, 404)

    def test_a_test_reaches_what_is_disabled_and_changes_nothing(self):
        with World() as world:
            world.bell.post("/v1/destinations/hook/disable")
            self.assertTrue(world.bell.post("/v1/destinations/hook/test").json["delivered"])
            self.assertEqual(world.bell.get("/v1/destinations/hook").json["state"], "disabled")

    def test_a_test_names_what_keeps_it_away(self):
        others = ('  - { id: inside, type: webhook, url: "http://10.1.2.3/", unsigned: true }\n'
                  '  - { id: unset, type: slack, url_env: LB_NOT_SET }\n'
                  '  - { id: nobody, type: webhook, url: "http://127.0.0.1:1/", unsigned: true }\n')
        with World(others=others) as world:
            for name, code, word in (("inside", "blocked_address", "allow_addresses"), ("unset", "unusable", "LB_NOT_SET"),
                                     ("nobody", "connect_refused", "Nobody")):
                got = world.bell.post(f"/v1/destinations/{name}/test").json
                self.assertEqual((got["delivered"], got["status"], got["error"]["code"]), (False, None, code))
                self.assertIn(word, got["error"]["message"])


class Secrets(unittest.TestCase):
    def test_a_secret_is_made(self):
        with Linkbell() as bell:
            made = {bell.run("destinations", "secret").stdout.strip() for _ in range(3)}
            self.assertEqual(len(made), 3)
            for secret in made:
                self.assertEqual(len(base64.b64decode(secret.removeprefix("whsec_"))), 32)

    def test_a_file_of_secrets_is_rotated_under_way(self):
        with World() as world:
            old = world.bell.run("destinations", "secret").stdout.strip()
            path = world.bell.dir / "secrets"
            path.write_text(old + "\n")
            os.chmod(path, 0o640)
            world.parts["more"] = f', secrets_file: "{path}"'
            world.reload()
            world.leads("a")
            world.wait(1, "delivered")
            text = world.bell.run("destinations", "rotate", "hook").stdout
            new, second = path.read_text().splitlines()
            self.assertEqual((second, os.stat(path).st_mode & 0o777), (old, 0o640))
            self.assertNotIn("whsec_", text)
            world.leads("b")
            world.wait(2, "delivered")
            self.assertEqual([len(h["webhook-signature"].split(" ")) for h in world.hook.headers], [1, 2])
            world.bell.run("destinations", "rotate", "hook")
            self.assertEqual(path.read_text().splitlines()[1], new)
            self.assertNotEqual(new, old)

    def test_both_secrets_verify_the_same_message(self):
        bodies = []

        class Keeping(Hook):
            def take(self, method, path, headers, body):
                bodies.append((headers, body))
                return super().take(method, path, headers, body)

        with Keeping() as hook, World() as world:
            old = world.bell.run("destinations", "secret").stdout.strip()
            path = world.bell.dir / "secrets"
            path.write_text(old + "\n")
            world.bell.write_config("")
            world.reload(url=hook.url, more=f', secrets_file: "{path}"')
            world.bell.run("destinations", "rotate", "hook")
            self.assertTrue(world.bell.post("/v1/destinations/hook/test").json["delivered"])
            headers, body = bodies[-1]
            for secret in path.read_text().split():
                self.assertTrue(verify_signature(secret, headers, body))

    def test_variables_are_not_changed(self):
        key = "whsec_" + base64.b64encode(bytes(32)).decode()
        with World(more=", secrets_env: [LB_KEY]", env={"LB_KEY": key}) as world:
            text = world.bell.run("destinations", "rotate", "hook").stdout
            self.assertRegex(text.splitlines()[0], r"^whsec_")
            self.assertIn("LB_KEY", text)
            self.assertNotIn(key, text)

    def test_one_that_signs_nothing_has_none(self):
        with World() as world:
            done = world.bell.run("destinations", "rotate", "hook", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("signs nothing", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
