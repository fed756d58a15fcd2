"""GET /v1/filtered: what is left out of the figures, and why, adds up."""
import time
import unittest

from harness import CONFIG, Linkbell, rfc3339, wait_for

PEOPLE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"


def event(kind="view", **more):
    return {"type": kind, "site": "alice.bio", "user_agent": PEOPLE, "ip": "81.2.69.160", **more}


class Filtered(unittest.TestCase):
    def test_classes_reasons_refusals_and_double_taps(self):
        with Linkbell(CONFIG) as bell:
            bell.ready()
            empty = bell.get("/v1/filtered?site=alice.bio").json
            self.assertEqual((empty["rows"], empty["duplicates"], empty["double_taps"], empty["rejected"]), ([], 0, 0, {}))
            bell.send(event(), event("click", link="shop"), event("click", link="shop"), event("click", link="shop"),
                      *[event(user_agent="curl/8") for _ in range(3)], event("lead", user_agent="curl/8"),
                      event("click", link="shop", user_agent="Slackbot-LinkExpanding 1.0"))
            bell.send(event(id="a"), event(id="a"), event(id="b"))
            bell.send(event(id="b"))
            late = rfc3339(time.time() - 80 * 3600)
            answer = bell.post("/v1/events", [event(ts=late), event(wrong=1), event(kind="tap"), {"type": "view", "site": "never"},
                                              event(url="x" * 3000), event(ts=rfc3339(time.time() + 3600))])
            self.assertEqual((answer.status, answer.json["rejected"]), (422, 6))
            want = {"too_old": 1, "unknown_field": 1, "bad_value": 1, "too_long": 1, "in_future": 1}
            wait_for(lambda: bell.get("/v1/filtered?site=alice.bio").json["rejected"] == want, "the refusals to be written")
            got = bell.get("/v1/filtered?site=alice.bio&period=today").json
            self.assertEqual(got["rows"], [
                {"traffic": "bot", "reason": "ua", "views": 3, "clicks": 0, "leads": 1},
                {"traffic": "preview", "reason": "preview", "views": 0, "clicks": 1, "leads": 0}])
            self.assertEqual((got["duplicates"], got["double_taps"], got["ambiguous_duplicates"]), (2, 2, 0))
            self.assertEqual((got["site"], set(got)), ("alice.bio", {"site", "from", "to", "rows", "duplicates", "double_taps",
                                                                     "rejected", "ambiguous_duplicates", "meta"}))
            # What is in the figures and what is left out is everything.
            people = bell.totals(metrics="clicks")["clicks"]
            self.assertEqual(people + sum(row["clicks"] for row in got["rows"]) + got["double_taps"],
                             bell.stats("site=alice.bio&metrics=clicks_raw&traffic=all")["totals"]["clicks_raw"])
            self.assertEqual(bell.get("/v1/filtered?site=bob.bio").json["rejected"], {})
            self.assertEqual(bell.get("/v1/filtered").json["rejected"], want)

            self.assertEqual(bell.stop(), 0)
            bell.ready()
            self.assertEqual(bell.get("/v1/filtered?site=alice.bio").json["rejected"], want)
            bell.run("erase", "--site", "alice.bio")
            self.assertEqual(bell.get("/v1/filtered?site=alice.bio").json["rejected"], {})

    def test_a_stop_writes_what_was_counted_last(self):
        with Linkbell(CONFIG) as bell:
            bell.ready()
            self.assertEqual(bell.post("/v1/events", [event(wrong=1)]).status, 422)
            bell.stop()
            bell.ready()
            self.assertEqual(bell.get("/v1/filtered").json["rejected"], {"unknown_field": 1})

    def test_questions_that_are_none(self):
        with Linkbell(CONFIG) as bell:
            bell.ready()
            for path, status, code in (("/v1/filtered?sit=alice.bio", 400, "unknown_parameter"),
                                       ("/v1/filtered?site=never", 404, "unknown_site"),
                                       ("/v1/filtered?from=x", 400, "bad_request"),
                                       ("/v1/filtered?by=link", 400, "unknown_parameter")):
                answer = bell.get(path)
                self.assertEqual((answer.status, answer.json["error"]["code"]), (status, code), path)
            self.assertEqual(bell.get("/v1/filtered", token=False).status, 401)
            self.assertEqual(bell.get("/v1/filtered", token=bell.make_token("ingest")).status, 403)


if __name__ == "__main__":
    unittest.main()
