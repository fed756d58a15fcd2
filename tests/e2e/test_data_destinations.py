"""Alerts and streams of events into SQS, S3, ClickHouse, Redis, CSV files and webhooks: what
arrives is whole, in order and signed, and a repeat is known by its id."""
import collections
import gzip
import hashlib
import json
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from harness import BINARY, Linkbell, Receiver, free_port, wait_for
from services import S3, Sqs

SECRET = "whsec_Z3Tfz3r8CJtu21sBCHuhVYJy24XFsfE/Z2+rYdMneig="
CONFIG = """
server: { listen: 127.0.0.1:0, public_url: "https://l.alice.bio" }
privacy: { keep_contact: [email, name] }
delivery: { allow_addresses: [127.0.0.0/8], jitter: 0, breaker: { failures: 50, probe: [100ms] } }
sites: [{ id: alice.bio, timezone: Europe/Paris }, { id: bob.bio, timezone: America/New_York }]
destinations:
  - { id: lake, %s }
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [%s] }
"""
AWS = "region: eu-west-1, access_key_env: LB_ACCESS, secret_key_env: LB_KEY, retry: [20ms, 20ms, 20ms]"
LEAD = {"type": "lead", "site": "alice.bio", "id": "l1", "contact": {"email": "zoe@example.com", "name": "Zoë"},
        "url": "https://alice.bio/?utm_source=newsletter&utm_campaign=spring"}


def alert_id(rule, occasion):
    joined = b"".join(part.encode() + b"\0" for part in (rule, "alice.bio", "{}", occasion))
    return "al_" + hashlib.sha256(joined).hexdigest()[:16]


class World:
    def __init__(self, destination, service=None, env=None, alerts=True):
        self.service = service
        self.bell = Linkbell(CONFIG % (destination, "lake" if alerts else ""), {
            "LB_ACCESS": "AKIDEXAMPLE", "LB_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "LB_TEST_SECRET": SECRET, **(env or {})})

    def __enter__(self):
        self.bell.__enter__()
        self.bell.ready()
        return self

    def __exit__(self, *words):
        self.bell.__exit__(*words)
        if self.service:
            self.service.__exit__()

    def deliveries(self, *states):
        return [r for r in self.bell.get("/v1/deliveries?limit=1000").json["data"] if r["state"] in states]

    def wait(self, count, *states):
        return wait_for(lambda: len(self.deliveries(*states)) >= count and self.deliveries(*states), f"{count} {states}", 30)

    def settled(self):
        """All that is under way has an end, and for a while nothing new begins."""
        quiet_since = time.monotonic()
        end = time.monotonic() + 30
        while time.monotonic() - quiet_since < 1:
            if self.deliveries("waiting", "sending"):
                quiet_since = time.monotonic()
            if time.monotonic() > end:
                raise AssertionError("deliveries do not end")
            time.sleep(0.02)


def events(count, first=0):
    kinds = ["view", "click", "lead", "view"]
    return [{"type": kinds[n % 4], "site": ["alice.bio", "bob.bio"][n % 2], "id": f"e{n}", "visitor": f"v{n}",
             **({"link": "shop"} if n % 4 == 1 else {}), **({"contact": {"email": f"p{n}@example.com", "name": "P"}} if n % 4 == 2 else {})}
            for n in range(first, first + count)]


class Queues(unittest.TestCase):
    def world(self, answer=None, more="", path=Sqs.path):
        service = Sqs(answer)
        service.path = path
        return World(f'type: sqs, queue_url: "{service.base}{path}", {AWS}{more}', service)

    def test_an_alert_is_one_message_of_a_fifo_queue(self):
        with self.world() as world:
            world.bell.send(LEAD)
            world.wait(1, "delivered")
            self.assertEqual(world.service.faults, [])
            message = world.service.messages[0]
            want = alert_id("hot-lead", "l1")
            self.assertEqual((message["MessageGroupId"], message["MessageDeduplicationId"], message["MessageAttributes"]["id"]["StringValue"]),
                             ("alice.bio", want, want))
            body = json.loads(message["MessageBody"])
            self.assertEqual((body["type"], body["data"]["alert"], body["data"]["event"]["contact"]["name"]), ("alert.fired", want, "Zoë"))
            self.assertEqual(world.service.paths, ["/"])

    def test_a_stream_goes_in_tens_and_keeps_its_order(self):
        with self.world(more=", stream: { types: [all], max_wait: 100ms, from: start, max_rows: 200 }") as world:
            world.bell.send(*events(95))
            world.settled()
            self.assertEqual(world.service.faults, [])
            rows = [json.loads(m["MessageBody"]) for m in world.service.messages if m["MessageAttributes"]["type"]["StringValue"] != "alert.fired"]
            self.assertEqual([r["id"] for r in rows], [f"e{n}" for n in range(95)])
            self.assertEqual(collections.Counter(m["MessageGroupId"] for m in world.service.messages if "seq" in m["MessageBody"])["bob.bio"], 47)

    def test_what_was_not_taken_is_sent_again_or_dead(self):
        def answer(number):
            if number == 0:
                return 200, {}, b'{"Failed":[{"Id":"0","SenderFault":false,"Code":"InternalError"}],"Successful":[]}'
            if number == 1:
                return 400, {}, b'{"__type":"com.amazonaws.sqs#RequestThrottled"}'
            return 200, {}, b'{"Failed":[{"Id":"0","SenderFault":true,"Code":"InvalidMessageContents"}],"Successful":[]}'
        with self.world(answer) as world:
            world.bell.send(LEAD)
            row = world.wait(1, "dead")[0]
            self.assertEqual((row["attempts"], row["reason"]), (3, "rejected"))

    def test_what_was_taken_of_a_batch_is_not_sent_again(self):
        def answer(number):
            if number == 3:
                return 503, {}, b""
            usual = world.service.usual(number)
            if number == 1:  # one entry is at fault itself
                entry = world.service.messages[-1]
                world.service.messages.remove(entry)
                refused.append(json.loads(entry["MessageBody"])["id"])
                return 200, {}, b'{"Failed":[{"Id":"9","SenderFault":true,"Code":"InvalidMessageContents"}],"Successful":[]}'
            return usual
        refused = []
        with self.world(answer, ", stream: { types: [all], max_wait: 200ms, from: start, max_rows: 200 }", "/123456789012/plain") as world:
            world.bell.send(*[{"type": "view", "site": "alice.bio", "id": f"e{n}"} for n in range(60)])
            wait_for(lambda: len(world.service.messages) >= 59, "the rows")
            world.settled()
            self.assertEqual(world.service.faults, [])
            self.assertEqual([json.loads(m["MessageBody"])["id"] for m in world.service.messages],
                             [f"e{n}" for n in range(60) if f"e{n}" not in refused])
            self.assertEqual(len(refused), 1)

    def test_a_wrong_key_pauses_and_a_missing_queue_disables(self):
        with self.world(lambda number: (400, {}, b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}')) as world:
            world.bell.send(LEAD)
            wait_for(lambda: world.bell.get("/v1/destinations").json["data"][0]["state"] == "disabled", "the state")
        with World(f'type: sqs, queue_url: "http://127.0.0.1:9/q", base_url: "%s", {AWS}'.replace("LB_KEY", "LB_TEST_SECRET") % Sqs().base) as world:
            world.bell.send(LEAD)
            wait_for(lambda: world.bell.get("/v1/destinations").json["data"][0]["state"] == "paused", "the state")


class Lakes(unittest.TestCase):
    def world(self, answer=None, more="", alerts=True):
        service = S3(answer)
        return World(f'type: s3, endpoint: "{service.base}", bucket: my-lake, prefix: linkbell, rate: 1000/s, {AWS}{more}', service, alerts=alerts)

    def test_an_alert_is_an_object(self):
        with self.world() as world:
            world.bell.send(LEAD)
            world.wait(1, "delivered")
            self.assertEqual(world.service.faults, [])
            (path, [(headers, body)]), = world.service.objects.items()
            self.assertRegex(path, r"^/my-lake/linkbell/alerts/dt=\d{4}-\d\d-\d\d/" + alert_id("hot-lead", "l1") + r"\.json$")
            self.assertEqual(json.loads(body)["data"]["alert"], alert_id("hot-lead", "l1"))

    def test_a_batch_is_an_object_a_site_and_day_and_a_repeat_the_same_bytes(self):
        failed = []

        def answer(number):
            if number == 1 and not failed:
                failed.append(number)
                return 503, {}, b"<Error><Code>SlowDown</Code></Error>"
            return world.service.usual(number)
        with self.world(answer, ", stream: { types: [all], max_wait: 300ms, from: start }", alerts=False) as world:
            world.bell.send(*events(40))
            world.settled()
            self.assertEqual((world.service.faults, failed), ([], [1]))
            rows = []
            for path, puts in world.service.objects.items():
                self.assertEqual(len({body for _, body in puts}), 1, path)
                headers, body = puts[0]
                site = path.split("site=")[1].split("/")[0]
                text = gzip.decompress(body)
                here = [json.loads(line) for line in text.splitlines()]
                self.assertEqual({r["site"] for r in here}, {site})
                self.assertEqual((int(headers["x-amz-meta-rows"]), headers["x-amz-meta-sha256"]), (len(here), hashlib.sha256(text).hexdigest()))
                self.assertRegex(path, r"^/my-lake/linkbell/site=(alice|bob)\.bio/dt=\d{4}-\d\d-\d\d/ev_lake_\d+_\d+\.ndjson\.gz$")
                rows += here
            self.assertEqual(sorted(r["id"] for r in rows), sorted(f"e{n}" for n in range(40)))
            self.assertIn(2, [len(puts) for puts in world.service.objects.values()])  # what was done before the failure

    def test_a_batch_that_is_refused_is_held_and_nothing_is_lost(self):
        is_wrong = [True]
        with self.world(lambda number: (301, {}, b"<Error><Code>PermanentRedirect</Code><Region>us-west-2</Region></Error>") if is_wrong[0] else world.service.usual(number),
                        ", stream: { types: [all], max_wait: 50ms, max_rows: 10, from: start }", alerts=False) as world:
            world.bell.send(*events(35))
            wait_for(lambda: world.bell.get("/v1/destinations").json["data"][0]["state"] == "disabled", "the state")
            time.sleep(0.5)
            held = world.bell.get("/v1/deliveries").json["data"]
            self.assertEqual([r["state"] for r in held], ["held"])
            said = world.bell.get("/v1/deliveries/" + held[0]["id"]).json["log"][-1]["excerpt"]
            self.assertEqual(said, "wrong region: the bucket is in us-west-2; set region and endpoint to it")
            is_wrong[0] = False
            self.assertEqual(world.bell.post("/v1/destinations/lake/enable", {}).status, 200)
            wait_for(lambda: len(world.bell.get("/v1/deliveries").json["data"]) == 4, "four batches")
            world.settled()
            rows = [json.loads(line) for puts in world.service.objects.values() for line in gzip.decompress(puts[-1][1]).splitlines()]
            self.assertEqual(sorted(r["id"] for r in rows), sorted(f"e{n}" for n in range(35)))

    def test_what_the_service_says_is_kept_in_words(self):
        with self.world() as world:
            world.bell.send(LEAD)
            world.settled()
            row, = world.bell.get("/v1/deliveries").json["data"]
            self.assertEqual(world.bell.get("/v1/deliveries/" + row["id"]).json["remote_id"], "e")
        skewed = b"<Error><Code>RequestTimeTooSkewed</Code></Error>"
        with self.world(lambda number: (301, {"x-amz-bucket-region": "eu-north-1"}, b"") if number == 0 else (403, {}, skewed)) as world:
            for words in ("wrong region: the bucket is in eu-north-1;", "RequestTimeTooSkewed: this machine's clock is wrong"):
                done = world.bell.run("destinations", "test", "lake", check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(words, done.stderr)

    def test_no_bucket_disables(self):
        with self.world(lambda number: (404, {}, b"<Error><Code>NoSuchBucket</Code></Error>")) as world:
            world.bell.send(LEAD)
            wait_for(lambda: world.bell.get("/v1/destinations").json["data"][0]["state"] == "disabled", "the state")


class Redis:
    """A real redis-server, and the little of its protocol that the test needs."""

    def __init__(self, *words):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="linkbell-redis-"))
        self.port = free_port()
        self.words = words
        self.start()

    def start(self):
        self.process = subprocess.Popen([shutil.which("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.dir),
                                         "--save", "", "--appendonly", "yes", *self.words], stdout=subprocess.DEVNULL)
        wait_for(self.answers, "redis")

    def answers(self):
        try:
            return self.call("PING") in ("PONG", "NOAUTH Authentication required.")
        except OSError:
            return False

    def call(self, *words, password=None):
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
            stream = sock.makefile("rwb")
            for command in ([["AUTH", password]] if password else []) + [words]:
                stream.write(b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in (str(c).encode() for c in command)))
                stream.flush()
                answer = self.read(stream)
            return answer

    def read(self, stream):
        line = stream.readline().rstrip(b"\r\n").decode()
        kind, rest = line[:1], line[1:]
        if kind == "$":
            return None if rest == "-1" else stream.read(int(rest) + 2)[:-2].decode()
        if kind == "*":
            return [self.read(stream) for _ in range(int(rest))]
        return int(rest) if kind == ":" else rest

    def entries(self, key, password=None):
        return [(number, dict(zip(fields[::2], fields[1::2]))) for number, fields in self.call("XRANGE", key, "-", "+", password=password)]

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir)


class Streams(unittest.TestCase):
    def world(self, redis, more, url="redis://127.0.0.1:%d/0", alerts=True):
        return World("type: redis_stream, url_env: LB_REDIS, retry: [50ms, 50ms, 50ms, 50ms], timeout: 2s" + more, redis,
                     {"LB_REDIS": url % redis.port if "%d" in url else url}, alerts)

    def test_an_alert_is_an_entry(self):
        with self.world(Redis(), ', key: "linkbell:{site}"') as world:
            world.bell.send(LEAD)
            row = world.wait(1, "delivered")[0]
            (number, fields), = world.service.entries("linkbell:alice.bio")
            self.assertEqual((row["remote_id"], fields["id"], fields["type"]), (number, alert_id("hot-lead", "l1"), "alert.fired"))
            self.assertEqual(json.loads(fields["data"])["data"]["alert"], alert_id("hot-lead", "l1"))

    def test_a_stream_of_all_events_is_whole_across_restarts_of_redis_and_kills(self):
        redis = Redis()
        with self.world(redis, ', key: events, exact: true, stream: { types: [all], max_wait: 50ms, max_rows: 100, from: start }', alerts=False) as world:
            over = threading.Event()

            def disturb():
                for turn in range(4):
                    time.sleep(0.3)
                    if turn % 2:
                        redis.stop()
                        time.sleep(0.2)
                        redis.start()
                    else:
                        world.bell.kill()
                        world.bell.start()
                over.set()
            thread = threading.Thread(target=disturb)
            thread.start()
            number = 0
            while not over.is_set():
                try:
                    world.bell.send(*events(20, number))
                    number += 20
                except (OSError, AssertionError):
                    time.sleep(0.02)
            thread.join()
            wait_for(lambda: world.service.call("XLEN", "events") >= number, "all events", 60)
            world.settled()
            entries = redis.entries("events")
            self.assertEqual([f["id"] for _, f in entries], [f"e{n}" for n in range(number)])
            self.assertEqual([n for n, _ in entries], [f"{json.loads(f['data'])['seq']}-1" for _, f in entries])

    def test_a_password_and_a_database_are_used_and_a_wrong_one_pauses(self):
        redis = Redis("--requirepass", "s3cret")
        with self.world(redis, ", key: events", "redis://:s3cret@127.0.0.1:%d/2") as world:
            world.bell.send(LEAD)
            world.wait(1, "delivered")
            self.assertEqual(redis.call("INFO", "keyspace", password="s3cret").count("db2:keys=1"), 1)
            self.assertNotIn("s3cret", world.bell.log.read_text() + json.dumps(world.bell.get("/v1/destinations").json))
        redis = Redis("--requirepass", "s3cret")
        with self.world(redis, ", key: events", "redis://:wrong@127.0.0.1:%d/2") as world:
            world.bell.send(LEAD)
            wait_for(lambda: world.bell.get("/v1/destinations").json["data"][0]["state"] == "paused", "the state")

    def test_another_kind_of_key_or_an_older_log_disables(self):
        redis = Redis()
        redis.call("SET", "events", "1")
        with self.world(redis, ", key: events") as world:
            world.bell.send(LEAD)
            wait_for(lambda: world.bell.get("/v1/destinations").json["data"][0]["state"] == "disabled", "the state")
        redis = Redis()
        redis.call("XADD", "events", "99999999-1", "id", "somebody else")
        with self.world(redis, ", key: events, exact: true, stream: { types: [all], max_wait: 50ms, from: start }", alerts=False) as world:
            world.bell.send(*events(3))
            wait_for(lambda: world.bell.get("/v1/destinations").json["data"][0]["state"] == "disabled", "the state")
            self.assertEqual(redis.call("XLEN", "events"), 1)


class ClickHouse:
    """A real server of Debian's package."""
    USERS = """<?xml version="1.0"?><yandex><profiles><default><max_memory_usage>2000000000</max_memory_usage></default></profiles>
      <users><default><password>pass</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users>
      <quotas><default><interval><duration>3600</duration><queries>0</queries><errors>0</errors><result_rows>0</result_rows><read_rows>0</read_rows>
      <execution_time>0</execution_time></interval></default></quotas></yandex>"""
    CONFIG = """<?xml version="1.0"?><yandex><logger><level>warning</level><log>{dir}/log</log><errorlog>{dir}/err</errorlog></logger>
      <http_port>{port}</http_port><tcp_port>{tcp}</tcp_port><listen_host>127.0.0.1</listen_host><mark_cache_size>5368709</mark_cache_size>
      <path>{dir}/data/</path><tmp_path>{dir}/tmp/</tmp_path><users_config>{dir}/users.xml</users_config><default_profile>default</default_profile>
      <default_database>default</default_database><timezone>UTC</timezone><mlock_executable>false</mlock_executable></yandex>"""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="linkbell-clickhouse-"))
        self.port = free_port()
        (self.dir / "users.xml").write_text(self.USERS)
        (self.dir / "config.xml").write_text(self.CONFIG.format(dir=self.dir, port=self.port, tcp=free_port()))
        self.process = subprocess.Popen([shutil.which("clickhouse-server") or "/usr/sbin/clickhouse-server", f"--config-file={self.dir}/config.xml"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.dir)
        wait_for(self.answers, "clickhouse", 60)

    def answers(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=2).read() == b"Ok.\n"
        except OSError:
            return False

    def ask(self, sql):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/", sql.encode(), {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "pass"})
        try:
            return urllib.request.urlopen(request, timeout=30).read().decode()
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir)


class Tables(unittest.TestCase):
    def test_rows_and_alerts_arrive_in_a_real_server(self):
        server = ClickHouse()
        with World(f'type: clickhouse, url: "http://127.0.0.1:{server.port}", table: events, alerts_table: alerts, user_env: LB_USER, '
                   "password_env: LB_PASS, rate: 1000/s, retry: [50ms, 50ms], stream: { types: [all], max_wait: 100ms, max_rows: 50, from: start }", server,
                   {"LB_USER": "default", "LB_PASS": "pass"}) as world:
            made = world.bell.run("destinations", "schema", "lake").stdout
            self.assertEqual(made.count("non_replicated_deduplication_window = 1000"), 2)
            # The server is older than these types and that setting.
            for newer, older in {"LowCardinality(String)": "String", "DateTime64(3, 'UTC')": "String", "Bool": "UInt8",
                                 "SETTINGS non_replicated_deduplication_window = 1000": ""}.items():
                made = made.replace(newer, older)
            for statement in made.split(";")[:-1]:
                server.ask(statement)
            world.bell.send({"type": "conversion", "site": "alice.bio", "id": "c1", "value": {"amount": 12.3, "currency": "EUR"}})
            world.bell.send(*events(120))
            wait_for(lambda: server.ask("SELECT count() FROM events").strip() == "121", "the rows", 30)
            world.settled()
            self.assertEqual(server.ask("SELECT count(), uniqExact(id), sum(seq = 0) FROM events"), "121\t121\t0\n")
            self.assertEqual(server.ask("SELECT value_amount, value_currency FROM events WHERE id = 'c1'"), "12.30\tEUR\n")
            self.assertEqual(server.ask("SELECT contact_email FROM events WHERE id = 'e2'"), "p2@example.com\n")
            rows = server.ask("SELECT rule, site, summary FROM alerts ORDER BY id").splitlines()
            self.assertEqual(len(rows), 30)
            self.assertEqual({r.split("\t")[0] for r in rows}, {"hot-lead"})
            # These tables have no window, and the owner is told.
            done = world.bell.run("destinations", "test", "lake")
            self.assertIn("delivered to lake", done.stdout)
            self.assertIn("warning: the table alerts would take a batch that is sent again for a new one", done.stderr)
            self.assertEqual(server.ask("SELECT count() FROM alerts WHERE type = 'test'"), "1\n")
            server.ask("DROP TABLE alerts")
            server.ask("CREATE TABLE alerts (id String) ENGINE = Log")
            self.assertFalse(world.bell.post("/v1/destinations/lake/test").json["delivered"])

    def test_a_bad_row_is_dead_alone(self):
        server = ClickHouse()
        server.ask("CREATE TABLE events (seq UInt64, id String, name Nullable(UInt32)) ENGINE = MergeTree ORDER BY id")
        with World(f'type: clickhouse, url: "http://127.0.0.1:{server.port}/?input_format_skip_unknown_fields=1", table: events, user_env: LB_USER, '
                   "password_env: LB_PASS, rate: 1000/s, retry: [50ms, 50ms], stream: { types: [all], max_wait: 200ms, from: start }", server,
                   {"LB_USER": "default", "LB_PASS": "pass"}, alerts=False) as world:
            world.bell.send(*[{"type": "view", "site": "alice.bio", "id": f"e{n}", "name": "seven" if n in (13, 40) else str(n)} for n in range(60)])
            wait_for(lambda: server.ask("SELECT count() FROM events").strip() == "58", "the rows", 30)
            world.settled()
            self.assertEqual(server.ask("SELECT count(), uniqExact(id) FROM events"), "58\t58\n")
            dead = world.deliveries("dead")
            self.assertEqual(len(dead), 2)
            for row in dead:
                first, last = row["message"].split("_")[2:]
                self.assertEqual(first, last)
                log = json.dumps(world.bell.get(f"/v1/deliveries/{row['id']}").json["log"])
                self.assertNotIn("seven", log)
            world.bell.send({"type": "view", "site": "alice.bio", "id": "after", "name": "1"})
            wait_for(lambda: server.ask("SELECT count() FROM events").strip() == "59", "what comes after", 30)

    def test_a_table_of_another_make_disables(self):
        server = ClickHouse()
        server.ask("CREATE TABLE events (seq UInt64, id String) ENGINE = MergeTree ORDER BY id")
        with World(f'type: clickhouse, url: "http://127.0.0.1:{server.port}", table: events, user_env: LB_USER, password_env: LB_PASS, rate: 1000/s, '
                   "stream: { types: [all], max_wait: 200ms, from: start }", server, {"LB_USER": "default", "LB_PASS": "pass"}, alerts=False) as world:
            world.bell.send(*events(60))
            wait_for(lambda: world.bell.get("/v1/destinations").json["data"][0]["state"] == "disabled", "the state")
            self.assertLessEqual(len(world.deliveries("dead")), 3)
            self.assertGreaterEqual(len(world.deliveries("held")), 1)

    def test_faults_of_the_table_disable_and_of_the_login_pause(self):
        server = ClickHouse()
        place = f'type: clickhouse, url: "http://127.0.0.1:{server.port}", retry: [50ms, 50ms], user_env: LB_USER, password_env: LB_PASS, '
        with World(place + "alerts_table: nowhere", None, {"LB_USER": "default", "LB_PASS": "pass"}) as world:
            world.bell.send(LEAD)
            wait_for(lambda: world.bell.get("/v1/destinations").json["data"][0]["state"] == "disabled", "the state")
        with World(place + "alerts_table: nowhere", server, {"LB_USER": "default", "LB_PASS": "wrong"}) as world:
            world.bell.send(LEAD)
            wait_for(lambda: world.bell.get("/v1/destinations").json["data"][0]["state"] == "paused", "the state")


class Batches(unittest.TestCase):
    def test_a_webhook_gets_batches_and_an_outage_only_delays_them(self):
        receiver = Receiver(lambda number, path: 500 if number in (1, 2, 3) else 200, SECRET)
        with World(f'type: webhook, url: "{receiver.url("/events")}", secrets_env: [LB_TEST_SECRET], retry: [30ms], contact: [name], '
                   "stream: { types: [click, lead], sites: [\"alice.*\", \"bob.*\"], max_rows: 10, max_wait: 100ms }", alerts=False) as world:
            time.sleep(0.5)  # the stream begins before these
            world.bell.send(*events(4))
            for first in range(4, 84, 20):
                world.bell.send(*events(20, first))
            world.bell.send({"type": "click", "site": "alice.bio", "id": "bot", "user_agent": "Googlebot/2.1", "link": "shop"})
            world.settled()
            self.assertEqual(receiver.bad_signatures, 0)
            seen, order = {}, []
            for _, _, headers, body in receiver.received:
                batch = json.loads(body)
                self.assertEqual((batch["type"], batch["data"]["batch"]), ("event.batch", headers["webhook-id"]))
                if headers["webhook-id"] in seen:
                    self.assertEqual(batch["data"]["events"], seen[headers["webhook-id"]])
                else:
                    order.append(headers["webhook-id"])
                seen[headers["webhook-id"]] = batch["data"]["events"]
            rows = [r for name in order for r in seen[name]]
            self.assertEqual([r["id"] for r in rows], [f"e{n}" for n in range(84) if n % 4 in (1, 2)])
            self.assertEqual({r["contact"]["name"] for r in rows if r["contact"]}, {"P"})
            self.assertNotIn("@example.com", json.dumps(rows))
            self.assertTrue(all(len(e) <= 10 for e in seen.values()))
            self.assertEqual(len(receiver.received), len(order) + 3)
        receiver.close()

    def test_a_batch_that_is_too_long_goes_on_in_halves(self):
        receiver = Receiver(lambda number, path: 413 if len(json.loads(receiver.received[number][3])["data"]["events"]) > 7 else 200)
        with World(f'type: webhook, url: "{receiver.url("/events")}", unsigned: true, stream: {{ types: [all], max_wait: 200ms, from: start }}',
                   alerts=False) as world:
            world.bell.send(*events(50))
            wait_for(lambda: len(self.taken(receiver)) >= 50, "the events")
            world.settled()
            self.assertEqual([r["id"] for r in self.taken(receiver)], [f"e{n}" for n in range(50)])
            self.assertEqual({r["reason"] for r in world.deliveries("skipped")}, {"split"})
        receiver.close()

    @staticmethod
    def taken(receiver):
        batches = [json.loads(body)["data"]["events"] for _, _, _, body in receiver.received]
        return sorted((r for b in batches if len(b) <= 7 for r in b), key=lambda r: r["seq"])

    def test_an_outage_opens_the_breaker(self):
        is_out = [True]
        receiver = Receiver(lambda number, path: 503 if is_out[0] else 200)
        with World(f'type: webhook, url: "{receiver.url("/events")}", unsigned: true, retry: [20ms, 20ms, 1h], '
                   "stream: { types: [all], max_wait: 50ms, from: start }", alerts=False) as world:
            world.bell.config.write_text(world.bell.config.read_text().replace("failures: 50", "failures: 2"))
            world.bell.kill()
            world.bell.start()
            world.bell.send(*events(5))
            wait_for(lambda: world.bell.get("/v1/destinations").json["data"][0]["state"] == "open", "the state")
            is_out[0] = False
            wait_for(lambda: world.deliveries("delivered"), "the batch")
        receiver.close()

    def test_a_file_gets_a_row_an_event_and_no_row_twice_after_kills(self):
        with World("type: csv, path: exports/leads.csv, columns: [timestamp, site, event.contact.email, utm.source, id], "
                   "stream: { types: [lead], max_wait: 30ms, max_rows: 20, from: start }", alerts=False) as world:
            number = 0
            for _ in range(6):
                world.bell.send(*events(40, number))
                number += 40
                time.sleep(0.08)
                world.bell.kill()
                world.bell.start()
            world.settled()
            lines = (world.bell.data / "exports/leads.csv").read_bytes().decode().split("\r\n")
            self.assertEqual(lines[0], "timestamp,site,event.contact.email,utm.source,id")
            self.assertEqual([line.split(",")[-1] for line in lines[1:-1]], [f"e{n}" for n in range(number) if n % 4 == 2])
            self.assertEqual(lines[1].split(",")[1:3], ["alice.bio", "p2@example.com"])

    def test_a_stream_that_was_taken_out_begins_anew(self):
        with World("type: csv, path: a.csv, columns: [id], stream: { types: [all], max_wait: 30ms }", alerts=False) as world:
            time.sleep(0.5)
            whole = world.bell.config.read_text()
            world.bell.send(*events(3))
            wait_for(lambda: world.deliveries("delivered"), "the first rows")
            world.bell.config.write_text("\n".join(line for line in whole.splitlines() if "id: lake" not in line).replace("destinations:", "destinations: []"))
            self.assertIn("- destination lake", world.bell.run("apply", str(world.bell.config)).stdout)
            world.bell.send(*events(3, 3))
            world.bell.config.write_text(whole)
            world.bell.run("apply", str(world.bell.config))
            time.sleep(0.5)
            world.bell.send(*events(3, 6))
            wait_for(lambda: len(world.deliveries("delivered")) >= 2, "the rows behind")
            self.assertEqual((world.bell.data / "a.csv").read_text().split(), ["id", "e0", "e1", "e2", "e6", "e7", "e8"])

    def test_what_retention_will_overtake_is_said_a_day_ahead(self):
        with World("type: webhook, url: \"http://127.0.0.1:9/\", unsigned: true, retry: [1h], stream: { types: [all], max_wait: 30ms, from: start }",
                   alerts=False) as world:
            world.bell.config.write_text(world.bell.config.read_text().replace("privacy: {", "privacy: { retention: 6d,"))
            world.bell.send(*events(3))
            wait_for(lambda: world.deliveries("waiting"), "the batch")
            world.bell.kill()
            with sqlite3.connect(world.bell.data / "linkbell.db") as db:
                db.execute("UPDATE outbox SET created = created - 86400000 * 51 / 10")
            db.close()
            world.bell.start()
            told = wait_for(lambda: [a for a in world.bell.get("/v1/alerts?rule=linkbell-delivery").json["data"] if "retention" in a["summary"]], "the alert", 60)
            self.assertEqual(len(told), 1)
            self.assertEqual(told[0]["group"], {"destination": "lake"})

    def test_faults_are_named(self):
        faults = {
            "type: s3": ("endpoint: is missing", "bucket: is missing", "region: is missing", "access_key_env: is missing"),
            "type: sqs, queue_url: ftp://x, region: Eu": ("queue_url: must be an http", "region: must be a region", "secret_key_env: is missing"),
            "type: clickhouse, url: \"https://ch.example\", table: a-b": ("table: must be a name",),
            "type: clickhouse, url: \"https://ch.example\"": ("table: is missing",),
            "type: redis_stream, url_env: X, key: k, exact: true": ("exact: is for streams",),
            "type: redis_stream, url: \"redis://h/0\", key: k": ("url: is a secret of this type",),
            "type: slack, url_env: X, stream: { types: [lead] }": ("stream: is for destinations of type csv",),
            "type: csv, path: a.csv, columns: [id], stream: { types: [leads] }": ("stream.types: is none of view",),
            "type: csv, path: a.csv, columns: [id], stream: { types: [lead], filter: \"utm_source = x\" }": ("stream.filter: ",),
            "type: csv, path: a.csv, columns: [id], stream: { types: [lead], max_rows: 0, from: soon, rows: 3 }":
                ("stream.max_rows: must be a number from 1", "stream.from: must be now, start or", "rows: is no key of a stream"),
        }
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "linkbell.yaml")
            for words, wanted in faults.items():
                path.write_text(CONFIG % (words, "lake"))
                done = subprocess.run([BINARY, "apply", "--check", str(path)], capture_output=True, text=True, check=False)
                for text in wanted:
                    self.assertIn(text, done.stdout + done.stderr, words)


if __name__ == "__main__":
    unittest.main(verbosity=2)
