"""Devices, browsers and systems; people, previews and machines: from each way in to the answers."""
import gzip
import json
import signal
import time
import unittest

from harness import SOURCE, Linkbell, rfc3339, wait_for

DATA = SOURCE / "tests/data"
CASES = json.loads((DATA / "user_agents.json").read_text())
CHROME = ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
          "Chrome/126.0.0.0 Safari/537.36")
IPHONE = ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, "
          "like Gecko) Mobile/15E148 Instagram 338.0.0.31.96 (iPhone14,5; iOS 17_5_1)")
GOOGLE = "Googlebot/2.1 (+http://www.google.com/bot.html)"
FACEBOOK = "facebookexternalhit/1.1"


def config(bots="", site=""):
    return f"""
server: {{ listen: 127.0.0.1:0 }}
bots: {{ {bots} }}
sites:
  - {{ id: alice.bio, timezone: UTC{site} }}
"""


def event(kind="view", **more):
    return {"type": kind, "site": "alice.bio", **more}


def rows(bell, query="site=alice.bio"):
    body = bell.get("/v1/export/events?" + query).body.decode()
    return [json.loads(line) for line in body.splitlines()]


def views(bell, by, traffic="all"):
    got = bell.stats(f"site=alice.bio&metrics=views&by={by}&traffic={traffic}&limit=1000")
    return {row[by]: row["views"] for row in got["rows"]}


def classes(bell):
    """What became of each event, in the order in which they came."""
    return [row["reason"] or row["traffic"] for row in rows(bell)]


def reload(bell, text):
    """SIGHUP with another configuration; returns when it is in force."""
    seen = bell.log.read_text().count("event=reloaded")
    bell.write_config(text)
    bell.process.send_signal(signal.SIGHUP)
    wait_for(lambda: bell.log.read_text().count("event=reloaded") > seen, "the reload")


class Cases(unittest.TestCase):
    def test_every_case_of_the_data_comes_out(self):
        cases = [c for c in CASES if not c.get("headers") and not c.get("method")]
        with Linkbell(config()).ready() as bell:
            bell.send(*[event(name=str(i), user_agent=c["user_agent"]) for i, c in enumerate(cases)])
            got = rows(bell)
            self.assertEqual(len(got), len(cases))
            for row in got:
                case = cases[int(row["name"])]
                self.assertEqual((row["traffic"], row["reason"]), (case["class"], case["reason"]), case)
                for key in ("device", "browser", "os"):
                    if key in case:
                        self.assertEqual(row[key] or "", case[key], case)
            for traffic in ("human", "preview", "prefetch", "bot"):
                want = sum(c["class"] == traffic for c in cases)
                self.assertEqual(bell.totals(extra=f"&traffic={traffic}")["views"], want, traffic)
            self.assertEqual(bell.totals()["views"], sum(c["class"] == "human" for c in cases))
            self.assertEqual(bell.totals(extra="&traffic=all")["views"], len(cases))
            self.assertEqual(views(bell, "traffic"), {"human": 39, "preview": 16, "bot": 25})
            self.assertEqual(views(bell, "reason"), {None: 39, "preview": 16, "ua": 25})
            for key in ("device", "browser", "os"):
                want = {}
                for case in cases:
                    if case["class"] == "human":
                        want[case[key] or None] = want.get(case[key] or None, 0) + 1
                self.assertEqual(views(bell, key, "human"), want)
            self.assertEqual(bell.totals(extra="&filter=browser==Instagram+and+os==iOS")["views"], 1)

    def test_no_real_visitor_is_left_out(self):
        agents = (DATA / "real_agents.txt").read_text().splitlines()
        with Linkbell(config()).ready() as bell:
            bell.send(*[event(user_agent=a) for a in agents])
            self.assertEqual(views(bell, "traffic"), {"human": len(agents)})

    def test_versions_are_major_numbers(self):
        with Linkbell(config()).ready() as bell:
            bell.send(event(user_agent=IPHONE), event(user_agent="Googlebot/2.1"))
            row, bot = rows(bell)
            self.assertEqual([row[k] for k in ("device", "browser", "browser_version", "os", "os_version")],
                             ["Mobile", "Instagram", "338", "iOS", "17"])
            self.assertEqual([bot[k] for k in ("device", "browser", "browser_version", "os", "os_version")],
                             [None] * 5)


class BackEnd(unittest.TestCase):
    def test_its_own_headers_say_nothing_of_the_visitor(self):
        headers = {"User-Agent": GOOGLE, "Purpose": "prefetch", "Sec-Purpose": "prefetch",
                   "Cookie": "lb_own=1"}
        with Linkbell(config()).ready() as bell:
            bell.send(event(), event(user_agent=None), event(user_agent=CHROME), event(user_agent=""),
                      headers=headers)
            self.assertEqual(classes(bell), ["human", "human", "human", "ua"])
            self.assertEqual(views(bell, "browser", "human"), {None: 2, "Chrome": 1})


class People(unittest.TestCase):
    def test_only_people_give_and_take(self):
        with Linkbell(config()).ready() as bell:
            bell.send(event(visitor="v", user_agent=GOOGLE, url="/?utm_source=crawled"),
                      event("click", visitor="v", link="shop", user_agent=GOOGLE),
                      event("click", visitor="v", link="shop", user_agent=CHROME),
                      event("click", visitor="v", link="shop", user_agent=CHROME),
                      event(visitor="w", user_agent=CHROME, url="/?utm_source=people"),
                      event("click", visitor="w", link="shop", user_agent=GOOGLE),
                      event("click", visitor="w", link="shop", user_agent=CHROME))
            self.assertEqual([(row["source"], row["double_tap"]) for row in rows(bell)],
                             [("crawled", False), ("Direct / None", False), ("Direct / None", False),
                              ("Direct / None", True), ("people", False), ("Direct / None", False),
                              ("people", False)])
            got = bell.totals(metrics="views,clicks,clicks_raw,visitors")
            self.assertEqual(got, {"views": 1, "clicks": 2, "clicks_raw": 3, "visitors": 2})
            self.assertIn("verify: ok", bell.run("verify").stdout)


class Own(unittest.TestCase):
    def test_the_owners_addresses_are_no_visitors(self):
        sites = ", ignore_ips: [192.0.2.10, '2001:db8:5::/48']"
        with Linkbell(config(site=sites)).ready() as bell:
            bell.send(event(ip="192.0.2.10"), event(ip="192.0.2.11"),
                      event(ip="2001:db8:5::1", user_agent=GOOGLE), event(ip="2001:db8:6::1"))
            bell.send(event(), headers={"X-Forwarded-For": "192.0.2.10"})
            self.assertEqual(classes(bell), ["own", "human", "own", "human", "own"])
            reload(bell, config(site=", ignore_ips: [192.0.2.11]"))
            bell.send(event(ip="192.0.2.10"), event(ip="192.0.2.11"))
            self.assertEqual(classes(bell)[5:], ["human", "own"])

    def test_apply_names_what_is_no_address(self):
        for bad, column in (("[192.0.2.10, alice]", 62), ("192.0.2.10", 49), ("[[192.0.2.10]]", 50)):
            with Linkbell(config(site=f", ignore_ips: {bad}")) as bell:
                done = bell.run("apply", "--check", str(bell.config), check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"linkbell.yaml:5:{column}: ignore_ips: must", done.stderr)


class DataCentre(unittest.TestCase):
    def test_the_list_is_read_again_on_sighup(self):
        with Linkbell() as bell:
            networks = bell.dir / "clouds.txt"
            text = config(f"datacentre_list: {networks}")
            networks.write_text("# clouds\n198.51.100.0/24\n2001:db8:c::/48\n")
            bell.write_config(text)
            bell.ready()

            def send(address):
                bell.send(event(ip=address, user_agent=CHROME))
                return classes(bell)[-1]

            def warned(word):
                return wait_for(lambda: word in bell.log.read_text(), word)

            self.assertEqual(send("198.51.100.7"), "datacentre")
            self.assertEqual(send("2001:db8:c::7"), "datacentre")
            self.assertEqual(send("203.0.113.7"), "human")
            networks.write_text("203.0.113.0/24\n")
            reload(bell, text)
            wait_for(lambda: send("203.0.113.7") == "datacentre", "the new list")
            self.assertEqual(send("198.51.100.7"), "human")
            networks.write_text("198.51.100.0/24\n203.0.113.0/240\n")
            reload(bell, text)
            warned("line 2 is no address or network")
            self.assertEqual(send("203.0.113.7"), "datacentre")  # the old one stays
            networks.unlink()
            reload(bell, text)
            warned("No such file or directory")
            self.assertEqual(send("203.0.113.7"), "datacentre")
            reload(bell, config())
            wait_for(lambda: send("203.0.113.7") == "human", "no list")

    def test_a_missing_file_stops_nobody(self):
        with Linkbell(config("datacentre_list: /nowhere/clouds.txt")).ready() as bell:
            self.assertIn("event=datacentre_list", bell.log.read_text())
            bell.send(event(ip="198.51.100.7"))
            self.assertEqual(classes(bell), ["human"])


class Burst(unittest.TestCase):
    def send(self, bell, count, visitor="v"):
        for _ in range(count):
            bell.send(event("click", visitor=visitor, link="shop"))

    def test_more_than_sixty_a_minute_are_a_machines(self):
        with Linkbell(config()).ready() as bell:
            self.send(bell, 30)
            bell.kill()
            bell.start()
            bell.send(*[event("click", visitor="v", link="shop") for _ in range(30)])
            self.send(bell, 1, "w")
            self.assertEqual(set(classes(bell)), {"human"})
            self.send(bell, 1)
            bell.kill()
            bell.start()
            self.send(bell, 1)
            self.send(bell, 1, "w")
            self.assertEqual(classes(bell)[60:], ["human", "burst", "burst", "human"])
            want = {None: {"clicks_raw": 62, "visitors": 2}, "burst": {"clicks_raw": 2, "visitors": 1}}
            for _ in range(2):
                got = bell.stats("site=alice.bio&metrics=clicks_raw,visitors&by=reason&traffic=all")["rows"]
                self.assertEqual({row.pop("reason"): row for row in got}, want)
                self.assertIn("verify: ok", bell.run("verify").stdout)
                bell.run("rebuild")
            bell.run("erase", "--visitor", "v")
            self.send(bell, 1)
            self.assertEqual(classes(bell)[-1], "human")

    def test_the_limit_is_a_setting(self):
        with Linkbell(config("burst_per_minute: 2")).ready() as bell:
            self.send(bell, 4)
            self.assertEqual(classes(bell), ["human", "human", "burst", "burst"])
            reload(bell, config("burst_per_minute: 0"))
            self.send(bell, 100)
            self.assertEqual(set(classes(bell)[4:]), {"human"})
            reload(bell, config("burst_per_minute: 3"))
            self.send(bell, 4, "w")
            self.assertEqual(classes(bell)[-2:], ["human", "burst"])

    def test_events_without_a_visitor_are_nobodys_burst(self):
        with Linkbell(config("burst_per_minute: 2")).ready() as bell:
            bell.send(*[event() for _ in range(10)])
            bell.send(*[event(visitor="v") for _ in range(3)], headers={"Sec-GPC": "1"})
            self.assertEqual(set(classes(bell)), {"human"})


class Import(unittest.TestCase):
    def traffic(self, bell):
        got = bell.stats("site=alice.bio&metrics=clicks&by=traffic&traffic=all")["rows"]
        return {row["traffic"]: row["clicks"] for row in got}

    def test_the_real_clicks_are_told_apart(self):
        with Linkbell(config()).ready() as bell:
            bell.run("import", "--site", "alice.bio", str(DATA / "bitly-1usagov-20120316.ndjson.gz"))
            self.assertEqual(self.traffic(bell), {"human": 3262, "bot": 177, "preview": 1})
            self.assertEqual(bell.totals(metrics="clicks")["clicks"], 3262)
            got = bell.stats("site=alice.bio&metrics=clicks&by=device")["rows"]
            devices = {row["device"]: row["clicks"] for row in got}
            self.assertEqual(sum(devices.values()), 3262)
            self.assertGreater(devices["Desktop"], 2500)
            self.assertIn("verify: ok", bell.run("verify").stdout)

    def test_files_bring_user_agents(self):
        at = time.time() - 40 * 86400
        lines = [event("click", ts=rfc3339(at + i), user_agent=agent)
                 for i, agent in enumerate((CHROME, GOOGLE, FACEBOOK, ""))]
        lines.append(event("click", ts=rfc3339(at)))
        table = f'type,site,ts,user_agent\nclick,alice.bio,{rfc3339(at)},"{CHROME}"\n'
        table += f"click,alice.bio,{rfc3339(at)},{GOOGLE}\nclick,alice.bio,{rfc3339(at)},\n"
        with Linkbell(config()).ready() as bell:
            bell.run("import", "-", stdin="".join(json.dumps(line) + "\n" for line in lines))
            self.assertEqual(self.traffic(bell), {"human": 2, "bot": 2, "preview": 1})
            bell.run("import", "--format", "csv", "-", stdin=table)
            self.assertEqual(self.traffic(bell), {"human": 4, "bot": 3, "preview": 1})

    def test_an_import_has_bursts_of_its_own(self):
        at = time.time() - 40 * 86400
        lines = [event("click", visitor="v", link="shop", ts=rfc3339(at + i / 100)) for i in range(70)]
        lines += [event("click", visitor="w", link="shop", ts=rfc3339(at - 3600 * i)) for i in range(70)]
        with Linkbell(config()).ready() as bell:
            bell.run("import", "-", stdin="".join(json.dumps(line) + "\n" for line in lines))
            got = bell.stats("site=alice.bio&metrics=clicks_raw&by=traffic&traffic=all")["rows"]
            self.assertEqual({row["traffic"]: row["clicks_raw"] for row in got},
                             {"human": 130, "bot": 10})

    def test_a_long_user_agent_of_bitly_is_cut(self):
        click = {"a": "Mozilla/5.0 (Windows NT 10.0) Firefox/1 " + "\u00e9" * 2000, "h": "abc", "t": 1700000000,
                 "hh": "1.usa.gov", "r": "direct"}
        with Linkbell(config()).ready() as bell:
            bell.run("import", "--site", "alice.bio", "--format", "bitly", "-", stdin=json.dumps(click) + "\n")
            self.assertEqual([row["browser"] for row in rows(bell)], ["Firefox"])


class Compressed(unittest.TestCase):
    def test_both_parsing_threads_tell_the_same(self):
        """Bodies over 64 KiB or packed are read on another thread."""
        events = [event(user_agent=CASES[i % len(CASES)]["user_agent"]) for i in range(2000)]
        with Linkbell(config()).ready() as bell:
            for at in range(0, 2000, 100):
                bell.send(*events[at:at + 100])
            singly = views(bell, "browser")
            bell.send(*events)
            answer = bell.post("/v1/events", gzip.compress(json.dumps(events).encode()),
                               headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})
            self.assertEqual(answer.status, 202, answer)
            self.assertEqual(views(bell, "browser"), {k: 3 * n for k, n in singly.items()})


if __name__ == "__main__":
    unittest.main(verbosity=2)
