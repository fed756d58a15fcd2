"""Short links: where they lead, what they count, and that they lead on whatever happens."""
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from harness import Linkbell, wait_for

PEOPLE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
CONFIG = """
server: { listen: 127.0.0.1:0 }
%s
sites:
  - id: alice.bio
    timezone: Europe/Paris
    hosts: [l.alice.bio]
    links:
      - { slug: book-call, title: Book, url: "https://cal.example/alice?plan=a#top", intent: high }
      - { slug: both, title: Both, url: "https://alice.example/" }
      - { slug: off, title: Off, url: "https://off.example/", enabled: false }
  - id: bob.bio
    timezone: Europe/Paris
    hosts: [l.bob.bio]
    links:
      - { slug: both, title: Both, url: "https://bob.example/" }
"""


def go(bell, path, host="l.alice.bio", method="GET", **headers):
    given = {"Host": host, "User-Agent": PEOPLE}
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    return bell.request(method, path, headers=given, token=False)


def stored(bell, clicks):
    """A visitor is sent on after 50 ms at the latest, though the disk may take longer."""
    wait_for(lambda: bell.stats("site=*&metrics=clicks_raw&traffic=all")["totals"]["clicks_raw"] == clicks,
             f"{clicks} stored clicks")


class Redirects(unittest.TestCase):
    def test_a_link_leads_on_and_counts(self):
        with Linkbell(CONFIG % "") as bell:
            bell.ready()
            answer = go(bell, "/r/book-call?utm_source=News&gclid=abc&x=1", Referer="https://l.instagram.com/")
            self.assertEqual(answer.status, 302, answer)
            self.assertEqual(answer.headers["Location"],
                             "https://cal.example/alice?plan=a&utm_source=News&gclid=abc#top")
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
            self.assertEqual(answer.headers["Referrer-Policy"], "strict-origin-when-cross-origin")
            self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
            self.assertNotIn("Access-Control-Allow-Origin", answer.headers)
            stored(bell, 1)
            rows = bell.stats("site=alice.bio&by=link,source,utm_source&metrics=clicks,visitors")["rows"]
            self.assertEqual(rows, [{"link": "book-call", "source": "news", "utm_source": "news", "clicks": 1, "visitors": 1}])

    def test_the_short_path_is_of_a_sites_own_host(self):
        with Linkbell(CONFIG % "") as bell:
            bell.ready()
            self.assertEqual(go(bell, "/book-call", "L.Alice.Bio:8787").status, 302)
            self.assertEqual(go(bell, "/both", "l.bob.bio").headers["Location"], "https://bob.example/")
            self.assertEqual(go(bell, "/both").headers["Location"], "https://alice.example/")
            self.assertEqual(go(bell, "/book-call", "elsewhere.example").status, 404)
            self.assertEqual(go(bell, "/book-call", "l.bob.bio").status, 404)
            self.assertEqual(go(bell, "/healthz").json, {"status": "ok"})
            self.assertEqual(go(bell, "/book-call", method="POST").status, 405)
            self.assertEqual(go(bell, "/book-call", method="POST").headers["Allow"], "GET, HEAD")
            self.assertEqual(go(bell, "/book-call", "elsewhere.example", method="POST").status, 404)

    def test_elsewhere_a_slug_must_be_of_one_site(self):
        with Linkbell(CONFIG % "") as bell:
            bell.ready()
            self.assertEqual(go(bell, "/r/book-call", "127.0.0.1").status, 302)
            answer = go(bell, "/r/both", "127.0.0.1")
            self.assertEqual((answer.status, answer.json["error"]["code"]), (404, "ambiguous_slug"))
            for slug in ("off", "never", "..", "%2e%2e", "a/b"):
                self.assertEqual(go(bell, f"/r/{slug}").status, 404, slug)
            stored(bell, 1)

    def test_no_request_chooses_where_it_goes(self):
        with Linkbell(CONFIG % "") as bell:
            bell.ready()
            for query in ("?url=https://evil.example/", "?utm_source=%0d%0aSet-Cookie:%20a=b", "?utm_source=a%26plan=evil",
                          "?utm_source=%23evil", "?//evil.example", "?utm_content=https://evil.example/"):
                answer = go(bell, "/r/book-call" + query)
                self.assertTrue(answer.headers["Location"].startswith("https://cal.example/alice?plan=a"), answer.headers)
                self.assertTrue(answer.headers["Location"].endswith("#top"))
                self.assertNotIn("Set-Cookie", answer.headers)
            absolute = go(bell, "http://l.alice.bio/book-call", "ignored.example")
            self.assertEqual(absolute.status, 302)

    def test_classes_are_kept_apart(self):
        with Linkbell(CONFIG % "") as bell:
            bell.ready()
            go(bell, "/r/book-call")
            head = go(bell, "/r/book-call", method="HEAD")
            self.assertEqual((head.status, head.body), (302, b""))
            go(bell, "/r/book-call", Sec_Purpose="prefetch;prerender")
            go(bell, "/r/book-call", User_Agent="Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)")
            go(bell, "/r/book-call", User_Agent="curl/8.0")
            go(bell, "/r/book-call", Cookie="a=b; lb_own=1")
            stored(bell, 6)
            rows = bell.stats("site=alice.bio&by=traffic,reason&metrics=clicks_raw&traffic=all&order=reason:asc")["rows"]
            self.assertEqual([(row["traffic"], row["reason"], row["clicks_raw"]) for row in rows], [
                ("human", None, 1), ("bot", "head", 1), ("bot", "own", 1), ("prefetch", "prefetch", 1),
                ("preview", "preview", 1), ("bot", "ua", 1)])
            self.assertEqual(bell.totals(metrics="clicks")["clicks"], 1)

    def test_a_scan_is_told_from_a_tap(self):
        with Linkbell(CONFIG % "") as bell:
            bell.ready()
            self.assertNotIn("qr", go(bell, "/r/book-call?qr=1").headers["Location"])
            go(bell, "/r/both?qr=0", User_Agent=PEOPLE + " Other")
            stored(bell, 2)
            rows = bell.stats("site=alice.bio&by=qr&metrics=clicks&order=qr:asc")["rows"]
            self.assertEqual(rows, [{"qr": False, "clicks": 1}, {"qr": True, "clicks": 1}])

    def test_a_full_queue_still_leads_on_and_shows_its_loss(self):
        with Linkbell(CONFIG % "limits: { queue_bytes: 64KiB, queue_events: 1 }") as bell:
            bell.ready()
            pipelined = b"".join(b"GET /r/book-call HTTP/1.1\r\nHost: l.alice.bio\r\nUser-Agent: Mozilla/5.0 (X11; Linux) N%d\r\n\r\n"
                                 % number for number in range(60))
            with socket.create_connection(("127.0.0.1", bell.port)) as wire:
                wire.sendall(pipelined)
                wire.settimeout(10)
                got = b""
                while got.count(b"HTTP/1.1 302") < 60:
                    got += wire.recv(65536)

            def lost():
                return bell.metric("linkbell_events_total", '{type="click",result="lost"}')

            def kept():
                return bell.stats("site=alice.bio&metrics=clicks_raw&traffic=all")["totals"]["clicks_raw"]

            wait_for(lambda: kept() + lost() == 60, "every click, stored or lost")
            self.assertGreater(lost(), 0)
            # The figures of that quarter say so, for good, and those of no other.
            gap = "site=alice.bio&metrics=clicks_raw&by=time:15m&period=today"
            wait_for(lambda: bell.stats(gap)["meta"]["coverage"] == "gap", "the gap")
            bell.stop()
            bell.start()
            self.assertEqual(bell.stats(gap)["meta"]["coverage"], "gap")
            self.assertEqual(bell.stats("site=bob.bio")["meta"]["coverage"], "complete")
            self.assertEqual(bell.stats("site=alice.bio&period=yesterday")["meta"]["coverage"], "complete")


@unittest.skipUnless(os.geteuid() == 0, "needs root to mount a small file system")
class SlowDisk(unittest.TestCase):
    def test_a_full_disk_still_leads_on(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="linkbell-full-"))
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(folder)], check=False).returncode != 0:
            shutil.rmtree(folder)
            self.skipTest("no file system may be mounted here")
        try:
            with Linkbell(CONFIG % "limits: { disk_reserve: 1MiB }") as bell:
                bell.data = folder / "data"
                bell.ready()
                self.assertEqual(go(bell, "/r/book-call").status, 302)
                with open(folder / "filler", "wb", buffering=0) as filler:
                    try:
                        while True:
                            filler.write(bytes(65536))
                    except OSError:
                        filler.truncate(filler.tell() - 262144)
                wait_for(lambda: bell.get("/readyz").status == 503, "the full disk to be noticed")
                began = time.monotonic()
                self.assertEqual(go(bell, "/r/book-call").status, 302)
                self.assertLess(time.monotonic() - began, 5)
                wait_for(lambda: bell.metric("linkbell_events_total", '{type="click",result="lost"}') >= 1, "the loss to be counted")
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=False)
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    unittest.main()
