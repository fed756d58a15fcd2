"""GET /v1/funnel: how many visitors went from step to step, in order of ts."""
import time
import unittest

from harness import CONFIG, Linkbell, rfc3339


class Funnel(unittest.TestCase):
    def setUp(self):
        self.bell = Linkbell(CONFIG)
        self.addCleanup(self.bell.__exit__, None, None, None)
        self.bell.ready()
        # The middle of a day in Paris that is over: no test runs into midnight.
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))
        self.noon = time.mktime(time.strptime(day, "%Y-%m-%d")) - time.timezone + 11 * 3600
        self.day = day

    def event(self, kind, visitor, minutes=0.0, site="alice.bio", **more):
        return {"type": kind, "site": site, "visitor": visitor, "ts": rfc3339(self.noon + minutes * 60), **more}

    def ask(self, query="", **params):
        answer = self.bell.get("/v1/funnel?site=alice.bio" + query, **params)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def counts(self, query=""):
        return [step["visitors"] for step in self.ask(query)["steps"]]

    def test_visitors_go_from_step_to_step(self):
        self.bell.send(
            # All the way; views again; a click before the view; nothing but a click; a view alone.
            self.event("view", "a"), self.event("click", "a", 1, link="shop"), self.event("lead", "a", 2),
            self.event("view", "b"), self.event("view", "b", 1), self.event("click", "b", 2, link="book-call"),
            self.event("click", "c", 0, link="shop"), self.event("view", "c", 1),
            self.event("click", "d", link="shop"),
            self.event("view", "e"), self.event("lead", "e", 1),
            # Sent in the wrong order: the times count.  At the same time is "at or after".
            self.event("click", "f", 5, link="shop"), self.event("view", "f", 4),
            self.event("click", "g", 3, link="shop"), self.event("view", "g", 3),
            self.event("view", "a", site="bob.bio"))
        got = self.ask()
        self.assertEqual(list(got), ["site", "from", "to", "tz", "steps", "rows", "meta"])
        self.assertEqual(got["steps"], [
            {"step": "view", "visitors": 6, "rate": 1, "from_previous": 1},
            {"step": "click", "visitors": 4, "rate": 0.6667, "from_previous": 0.6667},
            {"step": "lead", "visitors": 1, "rate": 0.1667, "from_previous": 0.25}])
        self.assertEqual((got["site"], got["rows"], got["tz"]), ("alice.bio", None, "Europe/Paris"))
        self.assertEqual(set(got["meta"]), {"as_of", "coverage", "scope", "traffic", "warnings"})
        self.assertEqual((got["meta"]["coverage"], got["meta"]["scope"], got["meta"]["traffic"]), ("complete", "day", "human"))
        self.assertEqual(self.counts("&steps=view,click:book-call"), [6, 1])
        self.assertEqual(self.counts("&steps=view,lead"), [6, 2])
        self.assertEqual(self.counts("&steps=view,view,click"), [6, 1, 1])
        self.assertEqual(self.counts(f"&from={self.day}&to={self.day}"), [6, 4, 1])
        self.assertEqual(self.counts("&period=today"), [0, 0, 0])
        self.assertIsNone(self.ask("&period=today")["steps"][0]["rate"])
        everything = self.bell.get("/v1/funnel?steps=view,click").json
        self.assertEqual((everything["site"], everything["steps"][0]["visitors"]), ("*", 7))

    def test_the_way_is_bounded_in_time_and_by_the_period(self):
        self.bell.send(
            self.event("view", "a"), self.event("click", "a", 20), self.event("lead", "a", 40),
            # Of two views the later one leaves the time.
            self.event("view", "b"), self.event("view", "b", 30), self.event("click", "b", 40), self.event("lead", "b", 50),
            # Past midnight it is another visitor.
            self.event("view", "c", 13 * 60 - 61), self.event("click", "c", 13 * 60 + 1))
        self.assertEqual(self.counts(), [4 - 1, 2, 2])
        self.assertEqual(self.counts("&within=30m"), [3, 2, 1])
        self.assertEqual(self.counts("&within=19m"), [3, 1, 0])

    def test_rows_by_the_value_at_the_first_step(self):
        def url(source):
            return f"https://alice.bio/?utm_source={source}" if source else "https://alice.bio/"

        self.bell.send(
            self.event("view", "a", url=url("news")), self.event("click", "a", 1, url=url("news")),
            self.event("view", "b", url=url("news")),
            self.event("view", "c", url=url("ads")), self.event("click", "c", 1, url=url("ads")), self.event("lead", "c", 2),
            self.event("view", "d"),
            self.event("view", "e", url=url("ads"), country="FR"))
        rows = self.ask("&by=utm_source")["rows"]
        self.assertEqual(rows, [{"utm_source": "ads", "visitors": [2, 1, 1]}, {"utm_source": "news", "visitors": [2, 1, 0]},
                                {"utm_source": None, "visitors": [1, 0, 0]}])
        self.assertEqual(self.counts("&filter=utm_source%20==%20news"), [2, 1, 0])
        # A clause on the click leaves the views.
        self.assertEqual(self.counts("&filter=link%20==%20nothing"), [5, 0, 0])
        self.assertEqual(self.ask("&by=country&steps=view,lead")["rows"],
                         [{"country": None, "visitors": [4, 1]}, {"country": "FR", "visitors": [1, 0]}])

    def test_machines_are_left_out(self):
        self.bell.send(self.event("view", "a", user_agent="curl/8"), self.event("click", "a", 1, user_agent="curl/8"),
                       self.event("view", "b"))
        self.assertEqual(self.counts("&steps=view,click"), [1, 0])
        self.assertEqual(self.counts("&steps=view,click&traffic=bot"), [1, 1])
        self.assertEqual(self.counts("&steps=view,click&traffic=all"), [2, 1])

    def test_a_year_is_counted_period_by_period(self):
        lines = "".join(f'{{"type":"{kind}","site":"alice.bio","id":"{day}{kind}{n}","visitor":"{n}",'
                        f'"ts":{int((self.noon - day * 86400 + wait) * 1000)}}}\n'
                        for day in range(1, 400, 3) for n in range(3)
                        for kind, wait in (("view", 0), ("click", 60))[:1 if n == 0 else 2])
        (self.bell.dir / "old.ndjson").write_text(lines)
        self.bell.run("import", "--format", "ndjson", str(self.bell.dir / "old.ndjson"))
        self.assertEqual(self.counts("&steps=view,click"), [3 * 133, 2 * 133])

    def test_faults_are_named(self):
        for query, word in (("steps=view", "2 to 8"), ("steps=view,tap", "tap"), ("steps=" + "view," * 8 + "view", "2 to 8"),
                            ("steps=view:x,click", "view"), ("steps=view,click:", "nothing"), ("steps=view,", "step"),
                            ("within=31d", "within"), ("within=soon", "within"), ("by=colour", "colour"), ("by=time:day", "time"),
                            ("filter=x", "filter"), ("traffic=cars", "traffic"), ("order=views", "order"), ("from=x", "from")):
            answer = self.bell.get("/v1/funnel?site=alice.bio&" + query)
            self.assertEqual(answer.status, 400, (query, answer))
            self.assertIn(word, answer.json["error"]["message"], query)
        self.assertEqual(self.bell.get("/v1/funnel?site=never.bio").status, 404)
        self.assertEqual(self.bell.get("/v1/funnel", token=False).status, 401)
        self.assertEqual(self.bell.get("/v1/funnel", token=self.bell.make_token("ingest")).status, 403)
        one = self.bell.make_token("read", "--site", "bob.bio")
        self.assertEqual(self.bell.get("/v1/funnel?site=alice.bio", token=one).status, 403)


if __name__ == "__main__":
    unittest.main(verbosity=2)
