"""Importing: counts of real files, twice, cut in the middle, followed, and in every form."""
import ctypes
import ctypes.util
import gzip
import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import threading
import time
import unittest

from harness import BINARY, SOURCE, Linkbell, wait_for

DATA = SOURCE / "tests/data"
APACHE = DATA / "apache-combined-201505-a.log.gz"
BITLY = DATA / "bitly-1usagov-20120316.ndjson.gz"
CONFIG = """
server: { listen: 127.0.0.1:0 }
sites:
  - { id: alice.bio, timezone: Europe/Paris }
  - { id: semicomplete.com, timezone: America/Los_Angeles, hosts: [www.semicomplete.com] }
"""
# Its events are of 2020: a service that runs for a while would let them go.
QUIET = CONFIG + "bots: { burst_per_minute: 0 }\nprivacy: { retention: 0 }\n"
MAY_2015 = "&from=2015-05-01&to=2015-06-01"


def line(number, method="GET", path=None, at=None):
    """A line of a web server's log, of one of 200 clients."""
    at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(1431857103 + number * 7 if at is None else at))
    return (f'198.51.100.{number % 200} - - [{at}] "{method} {path or f"/p{number % 40}"} HTTP/1.1" 200 512 '
            f'"https://www.google.com/" "Mozilla/5.0 (X11; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/{100 + number % 30}.0"\n')


def clicks(count):
    """Native events in which much depends on what came before: visits with a campaign, double taps, orphans."""
    out = []
    for number in range(count):
        kind = ("view", "click", "click", "lead")[number % 4]
        event = {"type": kind, "site": "alice.bio", "ts": 1600000000000 + number * 700, "visitor": f"v{number % 97 // 3}"}
        if number % 31 == 0:
            event["utm"] = {"source": f"s{number % 7}"}
        if kind == "click":
            event["link"] = f"l{number % 3}"
        out.append(json.dumps(event) + "\n")
    return out


def count(bell):
    """Events in the log, in packs and in segments."""
    with sqlite3.connect(f"file:{bell.data}/linkbell.db?mode=ro", uri=True) as db:
        return db.execute("""SELECT (SELECT coalesce(sum(count), 0) FROM event_packs WHERE upto > coalesce(
                                 (SELECT value FROM meta WHERE key = 'sealed_to'), 0))
                             + coalesce((SELECT sum(row_count) FROM segments WHERE state = 1), 0)""").fetchone()[0]


def zstd(data):
    library = ctypes.CDLL(ctypes.util.find_library("zstd"))
    library.ZSTD_compressBound.restype = library.ZSTD_compress.restype = ctypes.c_size_t
    room = ctypes.create_string_buffer(library.ZSTD_compressBound(ctypes.c_size_t(len(data))))
    used = library.ZSTD_compress(room, ctypes.c_size_t(len(room)), data, ctypes.c_size_t(len(data)), 3)
    return room.raw[:used]


def load(bell, *words, **options):
    done = bell.run("import", "--json", *map(str, words), **options)
    return json.loads(done.stdout)


class RealFiles(unittest.TestCase):
    def classes(self, bell, site, when):
        rows = bell.stats(f"site={site}&metrics=views,clicks&by=traffic,reason&traffic=all{when}")["rows"]
        return {(row["traffic"], row["reason"]): row["views"] + row["clicks"] for row in rows}

    def test_a_web_servers_log(self):
        """As shipped: its bursts of requests are pages that bring images, and make no machine of anybody."""
        with Linkbell(CONFIG) as bell:
            bell.ready()
            got = load(bell, "--site", "semicomplete.com", APACHE)
            self.assertEqual([got[key] for key in ("lines", "accepted", "duplicates", "rejected", "ignored")],
                             [4000, 4000, 0, 0, 0])
            self.assertEqual(got["from"], "2015-05-17T10:05:00.000Z")
            classes = self.classes(bell, "semicomplete.com", MAY_2015)
            self.assertEqual(classes, {("human", None): 2575, ("bot", "ua"): 1364, ("preview", "preview"): 44,
                                       ("bot", "head"): 17})
            again = load(bell, "--site", "semicomplete.com", APACHE)
            self.assertEqual([again["accepted"], again["duplicates"]], [0, 4000])
            self.assertEqual(self.classes(bell, "semicomplete.com", MAY_2015), classes)
            sources = {row["source"] for row in
                       bell.stats(f"site=semicomplete.com&metrics=views&by=source{MAY_2015}")["rows"]}
            self.assertIn("Google", sources)
            self.assertNotIn("semicomplete.com", sources)
            self.check_addresses(bell)

    def check_addresses(self, bell):
        """None of the log's client addresses stands in any byte that was written."""
        found = {entry.split(b" ", 1)[0] for entry in gzip.decompress(APACHE.read_bytes()).splitlines()}
        self.assertEqual(len(found), 806)
        bell.run("verify")
        self.assertEqual(bell.stop(), 0)
        written = b"".join(path.read_bytes() for path in bell.data.rglob("*") if path.is_file())
        written += bell.log.read_bytes()
        for address in found:
            if b"." in address:
                packed = bytes(int(part) for part in address.split(b"."))
                self.assertIsNone(re.search(rb"(?<![0-9.])" + re.escape(address) + rb"(?![0-9.])", written), address)
                self.assertEqual(len(packed), 4)

    def test_clicks_of_bitly(self):
        with Linkbell(CONFIG) as bell:
            bell.ready()
            got = load(bell, "--site", "alice.bio", BITLY)
            self.assertEqual([got[key] for key in ("lines", "accepted", "duplicates", "ignored")], [3560, 3440, 0, 120])
            when = "&from=2012-03-01&to=2012-04-01"
            classes = self.classes(bell, "alice.bio", when)
            self.assertEqual(sum(classes.values()), 3440)
            by_class = {name: sum(value for (traffic, _), value in classes.items() if traffic == name)
                        for name in ("human", "bot", "preview")}
            self.assertEqual(by_class, {"human": 3262, "bot": 177, "preview": 1})
            self.assertEqual(bell.totals("alice.bio", "visitors", when)["visitors"], 0)
            again = load(bell, "--site", "alice.bio", "--format", "bitly", BITLY)
            self.assertEqual([again["accepted"], again["duplicates"]], [0, 3440])

    def test_moved_in_time_it_ends_now_and_is_still_the_same(self):
        with Linkbell(CONFIG) as bell:
            bell.run("apply", str(bell.config))
            got = load(bell, "--site", "alice.bio", "--shift", "now", BITLY)
            ended = time.mktime(time.strptime(got["to"][:19] + " UTC", "%Y-%m-%dT%H:%M:%S %Z")) - time.timezone
            self.assertLess(abs(time.time() - ended), 60)
            again = load(bell, "--site", "alice.bio", "--shift", "now", BITLY)
            self.assertEqual([again["accepted"], again["duplicates"]], [0, 3440])
            again = load(bell, "--site", "alice.bio", BITLY)
            self.assertEqual([again["accepted"], again["duplicates"]], [0, 3440])


class Interrupted(unittest.TestCase):
    def figures(self, bell):
        """What answers say, and all that was decided of each event; ids are hashed with a key of the database."""
        metrics = "views,clicks,clicks_raw,leads,visitors,clickers,ctr_unique,orphan_clicks"
        rows = bell.stats(f"site=alice.bio&metrics={metrics}&by=source&from=2020-09-01&to=2020-10-01")["rows"]
        events = map(json.loads, bell.get("/v1/export/events?site=alice.bio").body.splitlines())
        decided = sorted(json.dumps({**event, "seq": None, "id": None}) for event in events)
        return sorted(map(str, rows)), decided

    def whole(self, path):
        with Linkbell(QUIET) as bell:
            bell.run("apply", str(bell.config))
            got = load(bell, path)
            bell.ready()
            return got, self.figures(bell)

    def start_import(self, bell, path):
        return subprocess.Popen([BINARY, "import", "--data-dir", str(bell.data), "--quiet", str(path)],
                                env=bell.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def test_killed_in_the_middle_and_run_again(self):
        total = 120000
        with Linkbell(QUIET) as bell:
            path = bell.dir / "events.ndjson"
            path.write_text("".join(clicks(total)))
            got, wanted = self.whole(path)
            self.assertEqual(got["accepted"], total)
            for victim in ("service", "import", "import without a service"):
                with self.subTest(victim):
                    self.killed(bell, path, victim, total, wanted)

    def killed(self, outer, path, victim, total, wanted):
        with Linkbell(QUIET) as bell:
            if victim == "import without a service":
                bell.run("apply", str(bell.config))
            else:
                bell.ready()
            process = self.start_import(bell, path)
            wait_for(lambda: count(bell) > total // 20, "the first events")
            process.send_signal(signal.SIGKILL) if victim != "service" else bell.kill()
            process.wait()
            kept = count(bell)
            self.assertLess(kept, total)
            if bell.process is None:
                bell.start()
            got = load(bell, path)
            self.assertEqual(got["accepted"] + got["duplicates"], total)
            self.assertEqual(count(bell), total)
            bell.token = bell.make_token()
            self.assertTrue(self.figures(bell) == wanted)
            self.assertEqual(load(bell, path)["accepted"], 0)
            self.assertTrue(bell.run("verify").stdout.splitlines()[-1].startswith("verify: ok"))

    def test_told_to_end_it_says_how_to_go_on(self):
        with Linkbell(QUIET) as bell:
            bell.ready()
            path = bell.dir / "events.ndjson"
            path.write_text("".join(clicks(60000)))
            process = subprocess.Popen([BINARY, "import", "--data-dir", str(bell.data), "--json", str(path)],
                                       env=bell.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            wait_for(lambda: count(bell) > 2000, "the first events")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
            got = json.loads(out)
            self.assertEqual(got["accepted"], count(bell))
            if got["lines"] < 60000:
                self.assertEqual(process.returncode, 1)
                self.assertIn("run it again to go on", err)
            self.assertEqual(load(bell, path)["duplicates"], got["accepted"])


class Beside(unittest.TestCase):
    def test_live_events_are_taken_while_an_import_runs(self):
        with Linkbell(QUIET) as bell:
            bell.ready()
            path = bell.dir / "log"
            path.write_text("".join(line(number) for number in range(60000)))
            process = subprocess.Popen([BINARY, "import", "--data-dir", str(bell.data), "--quiet", "--site",
                                        "semicomplete.com", str(path)], env=bell.env, stdout=subprocess.DEVNULL)
            sent = 0
            connection = bell.connect()
            self.addCleanup(connection.close)
            while process.poll() is None:
                bell.send({"type": "view", "site": "alice.bio", "id": f"live-{sent}"}, connection=connection)
                sent += 1
            self.assertEqual(process.returncode, 0)
            self.assertGreater(sent, 5)
            self.assertEqual(count(bell), 60000 + sent)
            live, loaded = ([json.loads(row)["seq"] for row in bell.get(f"/v1/export/events?site={site}").body.splitlines()]
                            for site in ("alice.bio", "semicomplete.com"))
            self.assertTrue(any(live[0] < seq < live[-1] for seq in loaded))

    def test_two_imports_at_a_time_and_one_file_twice(self):
        with Linkbell(QUIET) as bell:
            bell.ready()
            words = []
            for name in ("a", "b"):
                path = bell.dir / name
                path.write_text("".join(line(number, path=f"/{name}{number}") for number in range(20000)))
                words.append(["--site", "semicomplete.com", str(path)])
            results = []
            threads = [threading.Thread(target=lambda w=w: results.append(load(bell, *w))) for w in words + words[:1]]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(sum(got["accepted"] for got in results), 40000)
            self.assertEqual(sum(got["duplicates"] for got in results), 20000)
            self.assertEqual(count(bell), 40000)

    def test_rules_learn_and_stay_silent_unless_told_otherwise(self):
        rules = QUIET + """
rules:
  - { id: any-lead, kind: event, match: { type: lead } }
"""
        with Linkbell(rules) as bell:
            bell.ready()
            for words, alerts in (([], 0), (["--fire-alerts"], 1)):
                event = {"type": "lead", "site": "alice.bio", "id": f"lead-{alerts}",
                         "ts": int(time.time() * 1000) - 1000}
                bell.run("import", *words, "-", stdin=json.dumps(event) + "\n")
                wait_for(lambda: bell.metric("linkbell_rollup_lag_seconds") == 0, "the rules")
                found = [alert for alert in bell.get("/v1/alerts").json["data"] if alert["state"] == "firing"]
                self.assertEqual(len(found), alerts)


class Followed(unittest.TestCase):
    def test_a_log_that_grows_and_is_rotated(self):
        with Linkbell(QUIET) as bell:
            bell.ready()
            path = bell.dir / "access.log"
            path.write_text("".join(line(number) for number in range(10)) + line(10)[:50])
            process = subprocess.Popen([BINARY, "import", "--data-dir", str(bell.data), "--json", "--follow", "--site",
                                        "semicomplete.com", str(path)], env=bell.env, stdout=subprocess.PIPE, text=True)
            wait_for(lambda: count(bell) == 10, "what was there")
            with path.open("a") as log:
                log.write(line(10)[50:] + line(11))
            wait_for(lambda: count(bell) == 12, "what came")
            old = path.with_suffix(".1")
            with path.open("a") as log:
                path.rename(old)
                log.write(line(12))  # the server still has the old one
                log.flush()
                path.write_text(line(13))
                log.write(line(14))
            wait_for(lambda: count(bell) == 15, "the new file and the rest of the old one")
            path.write_text("")  # copytruncate
            time.sleep(0.5)
            with path.open("a") as log:
                log.write(line(15) + line(15))
            wait_for(lambda: count(bell) == 17, "what came after the cut")
            process.send_signal(signal.SIGTERM)
            got = json.loads(process.communicate(timeout=30)[0])
            self.assertEqual(process.returncode, 0)
            self.assertEqual([got["lines"], got["accepted"]], [17, 17])
            for name in (old, path):
                self.assertEqual(load(bell, "--site", "semicomplete.com", name)["accepted"], 0)

    def test_what_can_not_be_followed_is_refused(self):
        with Linkbell(QUIET) as bell:
            bell.run("apply", str(bell.config))
            self.assertEqual(bell.run("import", "--follow", "-", check=False, stdin="").returncode, 2)
            done = bell.run("import", "--follow", "--site", "alice.bio", str(BITLY), check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("not packed", done.stderr)


class Lines(unittest.TestCase):
    GOOD = '{"type":"view","site":"alice.bio","ts":1600000000000,"id":"%s"}\n'

    def test_bad_lines_are_told_and_left_out(self):
        with Linkbell(QUIET) as bell:
            bell.run("apply", str(bell.config))
            path = bell.dir / "x.ndjson"
            path.write_text(self.GOOD % 1 + "\nhello\n" + self.GOOD % 2 +
                            '{"type":"view","site":"nobody.bio","ts":1600000000000}\n' + "x" * (3 << 20) + "\n" +
                            self.GOOD % 3)
            done = bell.run("import", str(path))
            wanted = [f"{path}:3: bad_json: ", f"{path}:5: unknown_site: ", f"{path}:6: bad_line: the line is too long"]
            told = done.stderr.splitlines()
            self.assertEqual(len(told), 3, told)
            for text, start in zip(told, wanted):
                self.assertTrue(text.startswith(start), text)
            self.assertIn("6 lines: 3 events taken, 0 known already, 3 refused, 0 ignored", done.stdout)

    def test_strict_ends_before_the_first_bad_line(self):
        with Linkbell(QUIET) as bell:
            bell.run("apply", str(bell.config))
            path = bell.dir / "x.ndjson"
            good = [self.GOOD % number for number in range(9000)]
            for at, bad in ((2500, "hello\n"), (5000, "x" * (3 << 20) + "\n")):
                path.write_text("".join(good[:at]) + bad + "".join(good[at:]))
                done = bell.run("import", "--strict", "--json", str(path), check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"{path}:{at + 1}: bad_", done.stderr)
                self.assertEqual(count(bell), at)
            path.write_text("".join(good))
            self.assertEqual(load(bell, "--strict", path)["accepted"], 4000)

    def test_an_import_of_nothing_good_fails(self):
        with Linkbell(QUIET) as bell:
            bell.run("apply", str(bell.config))
            done = bell.run("import", "--format", "ndjson", "-", stdin="a\nb\n", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(bell.run("import", "--format", "ndjson", "-", stdin="").returncode, 0)
            for words, text in ((["nothing.log"], "no such file"), (["--site", "x.bio", str(APACHE)], "no such site"),
                                (["--map", "nothing.yaml", str(APACHE)], "can't be read")):
                done = bell.run("import", *words, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(text, done.stderr)
            for words in ([], ["--format", "xml", "x"], ["--shift", "soon", "x"], ["--shift", "now", "-"]):
                self.assertEqual(bell.run("import", *words, check=False, stdin="").returncode, 2)

    def test_packed_and_piped_lines_are_the_same(self):
        with Linkbell(QUIET) as bell:
            bell.run("apply", str(bell.config))
            text = gzip.decompress(APACHE.read_bytes())
            words = ["--site", "semicomplete.com"]
            self.assertEqual(load(bell, *words, APACHE)["accepted"], 4000)
            packed = bell.dir / "log.zst"
            packed.write_bytes(zstd(text))
            self.assertEqual(load(bell, *words, packed)["duplicates"], 4000)
            got = bell.run("import", "--json", *words, "-", stdin=text, text=False)
            self.assertEqual(json.loads(got.stdout)["duplicates"], 4000)
            got = bell.run("import", "--json", *words, "-", stdin=APACHE.read_bytes(), text=False)
            self.assertEqual(json.loads(got.stdout)["duplicates"], 4000)
            cut = bell.dir / "cut.gz"
            cut.write_bytes(APACHE.read_bytes()[:50000])
            done = bell.run("import", *words, str(cut), check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("cut short", done.stderr)

    def run_held(self, bell, words, **options):
        """Runs an import that is held for a moment, so that it takes over a second however fast it is."""
        process = subprocess.Popen(words, env=bell.env, stdout=subprocess.DEVNULL, **options)
        before = count(bell)
        wait_for(lambda: count(bell) > before or process.poll() is not None, "the first events")
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.1)
        process.send_signal(signal.SIGCONT)
        err = process.communicate(timeout=600)[1]
        self.assertEqual(process.returncode, 0)
        return err

    def test_progress_is_for_terminals_or_lines(self):
        with Linkbell(QUIET) as bell:
            bell.run("apply", str(bell.config))
            paths = [bell.dir / f"log{file}" for file in range(2)]
            for file, path in enumerate(paths):
                path.write_text("".join(line(number, path=f"/{file}/{number % 40}") for number in range(400000)))
            words = [BINARY, "import", "--data-dir", str(bell.data), "--site", "semicomplete.com"]
            terminal, other = os.openpty()
            shown = []
            reader = threading.Thread(target=lambda: shown.append(read_terminal(terminal)))
            reader.start()
            self.run_held(bell, [*words, str(paths[0])], stderr=other)
            os.close(other)
            reader.join()
            self.assertRegex(shown[0], r"\r\[#*\.*\] +\d+ %  \d+ lines, \d+/s, (\d+m )?\d+s left")
            err = self.run_held(bell, [*words, str(paths[1])], stderr=subprocess.PIPE, text=True)
            self.assertRegex(err, r"\A(\d+ lines, \d+/s(, (\d+m )?\d+s left)?\n)+\Z")
            done = subprocess.run([*words, "--quiet", str(paths[0])], capture_output=True, text=True, env=bell.env,
                                  check=True)
            self.assertEqual(done.stderr, "")


def read_terminal(fd):
    text = b""
    try:
        while piece := os.read(fd, 4096):
            text += piece
    except OSError:
        pass
    os.close(fd)
    return text.decode()


class Forms(unittest.TestCase):
    def test_what_was_exported_comes_back(self):
        with Linkbell(QUIET) as bell, Linkbell(QUIET) as other:
            bell.ready()
            load(bell, "--site", "semicomplete.com", APACHE)
            load(bell, DATA / "import/events.ndjson")
            events = {}
            for form in ("ndjson", "csv"):
                events[form] = bell.run("export", "events", "--site", "semicomplete.com", "--format", form,
                                        *MAY_2015[1:].replace("from=", "--from=").replace("to=", "--to=").split("&")).stdout
            other.ready()
            got = other.run("import", "--json", "-", stdin=events["ndjson"])
            self.assertEqual(json.loads(got.stdout)["accepted"], 4000)
            got = other.run("import", "--json", "-", stdin=events["csv"])
            self.assertEqual(json.loads(got.stdout)["duplicates"], 4000)
            for by in ("traffic", "source", "browser", "page", "device"):
                query = f"site=semicomplete.com&metrics=views,visitors&traffic=all&by={by}&limit=1000{MAY_2015}"
                self.assertEqual(other.stats(query)["rows"], bell.stats(query)["rows"], by)

    def run_examples(self, bell, page, marker, least):
        """Runs the commands of a page in tests/data; each says what the page says."""
        text = (SOURCE / page).read_text()
        examples = []
        for part in re.findall(rf"<!-- {marker}:begin -->(.*?)<!-- {marker}:end -->", text, re.S):
            examples += re.findall(r"```sh\n(.*?)```\n```\n(.*?)```", part, re.S)
        self.assertGreaterEqual(len(examples), least)
        for command, wanted in examples:
            with self.subTest(command):
                words = shlex.split(command)
                self.assertEqual(words[:2], ["linkbell", "import"])
                done = subprocess.run([BINARY, words[1], "--data-dir", str(bell.data), *words[2:]], cwd=DATA,
                                      capture_output=True, text=True, env=bell.env, timeout=120)
                shown = (done.stderr + done.stdout).splitlines()
                self.assertEqual(shown[:len(wanted.splitlines())], wanted.splitlines())

    def test_moving_over(self):
        """From GoatCounter, Bitly and Shlink, as docs/ingest.md says."""
        text = (SOURCE / "docs/ingest.md").read_text()
        part = {name: re.search(rf"<!-- {name}:begin -->\n```yaml\n(.*?)```", text, re.S).group(1)
                for name in ("short", "shlink")}
        self.assertEqual(part["shlink"], (DATA / "import/shlink.yaml").read_text())
        for line in (DATA / "import/bitly-days.yaml").read_text().splitlines():
            self.assertIn(f"`{line}`", text)
        with Linkbell("server: { listen: 127.0.0.1:0 }\n" + part["short"]) as bell:
            bell.ready()
            self.run_examples(bell, "docs/ingest.md", "import", 3)
            when = "&from=2025-03-05&to=2025-03-08&traffic=all"
            rows = bell.stats(f"site=alice.bio&metrics=clicks_raw&by=link,country,source,traffic{when}")["rows"]
            self.assertEqual({(row["link"], row["country"], row["source"], row["traffic"]): row["clicks_raw"]
                              for row in rows},
                             {("shop", "FR", "Instagram", "human"): 1, ("shop", "US", "Direct / None", "bot"): 1,
                              ("book-call", None, "X (Twitter)", "human"): 1,
                              ("shop", None, "Direct / None", "human"): 3,
                              ("book-call", None, "Direct / None", "human"): 2})
            rows = bell.stats(f"site=alice.bio&metrics=clicks_raw&by=city,utm_medium,host{when}")["rows"]
            self.assertIn(("Paris", "bio", "go.alice.bio"), {(row["city"], row["utm_medium"], row["host"]) for row in rows})
            self.assertNotIn("Unknown", {row["city"] for row in rows})
            answer = bell.get("/shop", headers={"Host": "go.alice.bio"}, token=False)
            self.assertEqual([answer.status, answer.headers["Location"]], [302, "https://shop.example/"])

    def test_the_examples_of_the_manual(self):
        with Linkbell(QUIET) as bell:
            bell.run("apply", str(bell.config))
            self.run_examples(bell, "docs/import.md", "example", 9)
            bell.ready()
            when = "&from=2025-03-01&to=2025-03-04"
            rows = bell.stats(f"site=alice.bio&metrics=views,visitors&by=source{when}")["rows"]
            self.assertEqual({row["source"]: row["views"] for row in rows},
                             {"Direct / None": 2, "Google": 2, "Hacker News": 1, "Instagram": 2, "X (Twitter)": 3,
                              "newsletter": 4, "partner": 1})
            links = bell.stats(f"site=alice.bio&metrics=clicks&by=link{when}")["rows"]
            self.assertEqual({row["link"]: row["clicks"] for row in links if row["clicks"]},
                             {"book-call": 2, "shop": 1, "https://shop.example/": 3})

    def test_pages_of_plausible(self):
        with Linkbell(QUIET) as bell:
            bell.ready()
            got = load(bell, "--site", "alice.bio", DATA / "import/imported_pages_20250301_20250302.csv")
            self.assertEqual([got["lines"], got["accepted"]], [3, 8])
            rows = bell.stats("site=alice.bio&metrics=views,visitors&by=page&from=2025-03-01&to=2025-03-03")["rows"]
            self.assertEqual({row["page"]: (row["views"], row["visitors"]) for row in rows},
                             {"/": (7, 0), "/about": (1, 0)})


if __name__ == "__main__":
    unittest.main(verbosity=2)
