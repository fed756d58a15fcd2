"""relabel: today's list of crawlers applied to events that an older list judged.  The older
list's judgement is put into the log by hand, as that list would have stored it."""
import sqlite3
import unittest

import packs
from harness import CONFIG, Linkbell

PEOPLE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"


def entry_hash(entry):
    """FNV-1a, 32 bits: what the log keeps of an entry of the list."""
    value = 2166136261
    for byte in entry.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return value


class Relabel(unittest.TestCase):
    def judge_before(self, bell, where, traffic, reason, entry):
        """What another list would have stored of the events."""
        classes = {"human": 0, "preview": 1, "prefetch": 2, "bot": 3}
        with sqlite3.connect(bell.data / "linkbell.db") as db:
            number = None
            if reason is not None:
                db.execute("INSERT OR IGNORE INTO dict (field, text) VALUES (8, ?)", (reason,))
                number = db.execute("SELECT number FROM dict WHERE field = 8 AND text = ?", (reason,)).fetchone()[0]
            packs.load(db)
            changed = db.execute(f"UPDATE events SET bits = (bits & ~12) | ?, reason = ?, bot_entry = ? WHERE {where}",
                                 (classes[traffic] << 2, number, entry_hash(entry) if entry else None)).rowcount
            self.assertGreater(changed, 0, where)
            packs.save(db)

    def test_history_follows_the_list(self):
        with Linkbell(CONFIG) as bell:
            bell.ready()
            for name, agent in (("person", PEOPLE), ("crawler", "Mozilla/5.0 (compatible; Googlebot/2.1)"),
                                ("preview", "Slackbot-LinkExpanding 1.0"), ("script", "curl/8.5.0"), ("server", None)):
                event = {"type": "view", "site": "alice.bio", "url": f"https://alice.bio/{name}", "visitor": name}
                bell.send(event if agent is None else {**event, "user_agent": agent})
            by_name = "site=alice.bio&by=page,traffic,reason&metrics=views&traffic=all&order=page:asc"
            right = bell.stats(by_name)["rows"]
            done = bell.run("relabel").stdout
            self.assertEqual(done, "relabel: 5 events looked at, 0 changed; of 1 what is stored does not tell\n")
            bell.stop()
            # The older list did not know Googlebot, took Slackbot for a crawler, and had an entry that is gone.
            self.judge_before(bell, "page = '/crawler'", "human", None, "Googlebot/")
            self.judge_before(bell, "page = '/person'", "bot", "ua", "an entry of long ago")
            with sqlite3.connect(bell.data / "linkbell.db") as db:
                packs.load(db)
                slack = db.execute("SELECT bot_entry FROM events WHERE page = '/preview'").fetchone()[0]
            self.judge_before(bell, "page = '/preview'", "bot", "ua", None)
            with sqlite3.connect(bell.data / "linkbell.db") as db:
                packs.load(db)
                db.execute("UPDATE events SET bot_entry = ? WHERE page = '/preview'", (slack,))
                packs.save(db)
            bell.ready()
            bell.run("rebuild")
            self.assertNotEqual(bell.stats(by_name)["rows"], right)
            self.assertEqual(bell.run("relabel", "--json").stdout, '{"events":5,"changed":3,"unknown":0}\n')
            self.assertEqual(bell.stats(by_name)["rows"], right)
            self.assertEqual(bell.totals(metrics="views")["views"], 2)
            self.assertEqual(bell.run("verify").returncode, 0)
            self.assertEqual(bell.run("relabel", "--json").stdout, '{"events":5,"changed":0,"unknown":1}\n')
            bell.run("rebuild")
            self.assertEqual(bell.stats(by_name)["rows"], right)

    def test_many_events_in_steps_while_others_come(self):
        with Linkbell(CONFIG) as bell:
            bell.ready()
            for _ in range(10):
                bell.send(*[{"type": "view", "site": "alice.bio", "user_agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}] * 500)
            bell.stop()
            self.judge_before(bell, "seq < (SELECT min(seq) + 4000 FROM events)", "human", None, "Googlebot/")
            bell.ready()
            bell.run("rebuild")
            self.assertEqual(bell.totals(metrics="views")["views"], 4000)
            self.assertEqual(bell.run("relabel", "--json").stdout, '{"events":5000,"changed":4000,"unknown":0}\n')
            self.assertEqual(bell.totals(metrics="views")["views"], 0)
            self.assertEqual(bell.run("verify").returncode, 0)

    def test_it_is_for_admins(self):
        with Linkbell(CONFIG) as bell:
            bell.ready()
            self.assertEqual(bell.post("/v1/relabel", token=bell.make_token("read")).status, 403)
            self.assertEqual(bell.post("/v1/relabel").json, {"events": 0, "changed": 0, "unknown": 0})


if __name__ == "__main__":
    unittest.main()
