"""/v1/sites, /v1/links, /v1/rules, /v1/destinations: made, read, replaced, removed; the file's stay."""
import unittest

from harness import CONFIG, Linkbell, Receiver, wait_for

MORE = """
destinations:
  - { id: hook, type: webhook, url: "https://hooks.example/x", unsigned: true, enabled: false }
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [hook] }
"""
ROUTES = ("/v1/sites", "/v1/links", "/v1/rules", "/v1/destinations")
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


class Objects(unittest.TestCase):
    def setUp(self):
        self.bell = Linkbell(CONFIG + MORE)
        self.addCleanup(self.bell.__exit__, None, None, None)
        self.bell.ready()

    def put(self, path, body):
        return self.bell.request("PUT", path, body)

    def delete(self, path):
        return self.bell.request("DELETE", path)

    def check(self, answer, status, code=None, field=None):
        self.assertEqual(answer.status, status, answer)
        if code is not None:
            self.assertEqual(answer.json["error"]["code"], code, answer)
        if field is not None:
            self.assertEqual(answer.json["error"]["field"], field, answer)
            self.assertIn(field.split(".")[0] if field[-1].isdigit() else field.rsplit(".", 1)[-1], answer.json["error"]["message"])

    def test_the_files_objects_are_shown_and_kept(self):
        site = self.bell.get("/v1/sites/alice.bio").json
        self.assertEqual((site["id"], site["timezone"], site["hosts"], site["managed_by"]),
                         ("alice.bio", "Europe/Paris", ["l.alice.bio"], "file"))
        self.assertRegex(site["created"], r"^\d{4}-.*Z$")
        link = self.bell.get("/v1/links/alice.bio:book-call").json
        self.assertEqual(list(link), ["id", "site", "slug", "title", "url", "intent", "enabled", "created", "removed", "managed_by"])
        self.assertEqual((link["slug"], link["intent"], link["removed"]), ("book-call", "high", None))
        rule = self.bell.get("/v1/rules/hot-lead").json
        self.assertEqual((rule["kind"], rule["match"], rule["notify"], rule["managed_by"]), ("event", {"type": "lead"}, ["hook"], "file"))
        self.assertEqual(self.bell.get("/v1/destinations/hook").json["type"], "webhook")
        for path, body in (("/v1/sites/alice.bio", {"timezone": "UTC"}),
                           ("/v1/links/alice.bio:shop", {"site": "alice.bio", "slug": "shop", "url": "https://a.example/"}),
                           ("/v1/rules/hot-lead", {"kind": "event", "notify": ["hook"]}),
                           ("/v1/destinations/hook", {"type": "webhook", "url": "https://b.example/", "unsigned": True})):
            self.check(self.put(path, body), 409, "managed_by_file")
            self.check(self.delete(path), 409, "managed_by_file")

    def test_a_site_and_its_links_work_at_once(self):
        made = self.bell.post("/v1/sites", {"id": "carol.bio", "timezone": "America/St_Johns", "hosts": ["l.carol.bio"],
                                            "lead_events": ["Signup"]})
        self.check(made, 201)
        self.assertEqual((made.json["lead_events"], made.json["managed_by"]), (["Signup"], "api"))
        self.check(self.bell.post("/v1/sites", {"id": "carol.bio"}), 409, "exists")
        link = {"site": "carol.bio", "slug": "me", "url": "https://me.example/", "title": "Me"}
        made = self.bell.post("/v1/links", link)
        self.check(made, 201)
        self.assertEqual(made.json["id"], "carol.bio:me")
        go = {"Host": "l.carol.bio", "User-Agent": AGENT}
        self.assertEqual(self.bell.get("/me", headers=go, token=False).headers["Location"], "https://me.example/")
        self.check(self.put("/v1/links/carol.bio:me", link | {"url": "https://new.example/", "enabled": True}), 200)
        self.assertEqual(self.bell.get("/me", headers=go, token=False).headers["Location"], "https://new.example/")
        self.bell.send({"type": "view", "site": "carol.bio"})
        wait_for(lambda: self.bell.totals("carol.bio", "views,clicks") == {"views": 1, "clicks": 2} or
                 self.bell.totals("carol.bio", "views,clicks_raw")["clicks_raw"] == 2, "the clicks")
        self.check(self.delete("/v1/links/carol.bio:me"), 204)
        self.assertIsNotNone(self.bell.get("/v1/links/carol.bio:me").json["removed"])
        self.check(self.delete("/v1/links/carol.bio:me"), 404, "not_found")
        self.assertEqual(self.bell.get("/me", headers=go, token=False).status, 404)
        self.check(self.bell.post("/v1/links", link), 201)  # back again
        # A new link may be added to a site of the file, and the file leaves it alone.
        self.check(self.bell.post("/v1/links", {"site": "alice.bio", "slug": "extra", "url": "https://x.example/"}), 201)
        self.assertEqual(self.bell.run("apply", str(self.bell.config)).stdout, "no changes\n")
        self.assertEqual(self.bell.get("/v1/links/alice.bio:extra").json["managed_by"], "api")
        self.assertEqual(self.bell.get("/v1/sites/carol.bio").status, 200)
        self.check(self.delete("/v1/sites/carol.bio"), 204)
        self.check(self.bell.get("/v1/sites/carol.bio"), 404, "not_found")
        # A restart knows what was made.
        self.bell.stop()
        self.bell.start()
        self.assertEqual(self.bell.get("/v1/links/alice.bio:extra").json["url"], "https://x.example/")

    def test_a_rule_rings_at_a_destination_both_made_here(self):
        with Receiver() as receiver:
            self.bell.write_config(CONFIG.replace("127.0.0.1:0 }", "127.0.0.1:0 }\ndelivery: { allow_addresses: [127.0.0.0/8] }") + MORE)
            self.bell.stop()
            self.bell.start()
            self.check(self.bell.post("/v1/destinations", {"id": "mine", "type": "webhook", "url": receiver.url(), "unsigned": True}), 201)
            made = self.bell.post("/v1/rules", {"kind": "event", "match": {"type": "click"}, "notify": ["mine"]})
            self.check(made, 201)
            rule = made.json["id"]
            self.assertRegex(rule, "^rule-[0-9a-f]{16}$")
            self.bell.send({"type": "click", "site": "alice.bio", "link": "shop", "id": "c1"})
            wait_for(receiver.bodies, "the message")
            self.assertEqual([body["data"]["rule"] for body in receiver.bodies()], [rule])
            # The answer may be sent back as it came.
            self.check(self.put(f"/v1/rules/{rule}", made.json | {"match": {"type": "view"}}), 200)
            self.check(self.delete(f"/v1/rules/{rule}"), 204)
            self.check(self.delete("/v1/destinations/mine"), 204)

    def test_lists_are_paged(self):
        for n in range(5):
            self.check(self.bell.post("/v1/sites", {"id": f"s{n}.bio"}), 201)
        got, cursor = [], ""
        while cursor is not None:
            page = self.bell.get("/v1/sites?limit=2" + (f"&cursor={cursor}" if cursor else "")).json
            self.assertLessEqual(len(page["data"]), 2)
            got += [row["id"] for row in page["data"]]
            cursor = page["next"]
        self.assertEqual(got, ["alice.bio", "bob.bio", "s0.bio", "s1.bio", "s2.bio", "s3.bio", "s4.bio"])
        rows = self.bell.get("/v1/links?site=alice.bio").json["data"]
        self.assertEqual([row["id"] for row in rows], ["alice.bio:book-call", "alice.bio:shop"])
        self.assertEqual(self.bell.get("/v1/links?site=bob.bio").json, {"data": [], "next": None})

    def test_a_token_of_some_sites_sees_those_and_changes_nothing(self):
        one = self.bell.make_token("admin", "--site", "bob.bio")
        self.assertEqual([row["id"] for row in self.bell.get("/v1/sites", token=one).json["data"]], ["bob.bio"])
        self.assertEqual(self.bell.get("/v1/links", token=one).json["data"], [])
        self.assertEqual(self.bell.get("/v1/sites/bob.bio", token=one).status, 200)
        self.check(self.bell.get("/v1/sites/alice.bio", token=one), 404, "not_found")
        self.check(self.bell.get("/v1/links/alice.bio:shop", token=one), 404, "not_found")
        for method, path, body in (("POST", "/v1/sites", {"id": "new.bio"}), ("DELETE", "/v1/sites/bob.bio", None),
                                   ("GET", "/v1/rules", None), ("GET", "/v1/destinations/hook", None),
                                   ("POST", "/v1/rules", {"kind": "event", "notify": ["hook"]}),
                                   ("PUT", "/v1/destinations/hook", {"type": "webhook"})):
            self.check(self.bell.request(method, path, body, token=one), 403, "site")

    def test_faults_name_their_field(self):
        link = {"site": "alice.bio", "slug": "x", "url": "https://x.example/"}
        rule = {"id": "r", "kind": "event", "notify": ["hook"]}
        for path, body, code, field in (
                ("/v1/sites", {"timezone": "UTC"}, "invalid", "id"),
                ("/v1/sites", {"id": "A b"}, "invalid", "id"),
                ("/v1/sites", {"id": "new.bio", "timezone": "Europe/Pari"}, "invalid", "timezone"),
                ("/v1/sites", {"id": "new.bio", "zone": "UTC"}, "invalid", "zone"),
                ("/v1/sites", {"id": "new.bio", "hosts": ["l.alice.bio"]}, "invalid", "hosts.0"),
                ("/v1/sites", {"id": "new.bio", "hosts": "l.new.bio"}, "invalid", "hosts"),
                ("/v1/sites", {"id": "new.bio", "links": [{"slug": "a", "url": "ftp://x/"}]}, "bad_url", "links.0.url"),
                ("/v1/links", link | {"url": "javascript:alert(1)"}, "bad_url", "url"),
                ("/v1/links", link | {"slug": "v1"}, "invalid", "slug"),
                ("/v1/links", link | {"site": "never.bio"}, "invalid", "site"),
                ("/v1/links", {"slug": "x", "url": "https://x.example/"}, "invalid", "site"),
                ("/v1/links", link | {"colour": "red"}, "invalid", "colour"),
                ("/v1/rules", rule | {"kind": "evnt"}, "invalid", "kind"),
                ("/v1/rules", rule | {"notify": ["nobody"]}, "invalid", "notify.0"),
                ("/v1/rules", rule | {"match": {"colour": "red"}}, "invalid", "match.colour"),
                ("/v1/destinations", {"id": "d", "type": "carrier-pigeon"}, "invalid", "type"),
                ("/v1/destinations", {"id": "d", "type": "slack", "url_file": "/etc/shadow"}, "invalid", "url_file"),
                ("/v1/destinations", {"id": "d", "type": "csv", "path": "/etc/cron.d/x", "columns": ["id"], "allow_outside": True},
                 "invalid", "allow_outside"),
                ("/v1/destinations", {"id": "d", "type": "csv", "path": "/etc/cron.d/x", "columns": ["id"]}, "invalid", "path")):
            with self.subTest(path=path, body=body):
                self.check(self.bell.post(path, body), 422, code, field)
        self.check(self.bell.post("/v1/sites", b"{", headers={"Content-Type": "application/json"}), 400, "bad_json")
        self.check(self.bell.post("/v1/sites", [1]), 400, "bad_json")
        self.check(self.bell.post("/v1/sites", b'{"id":"a.bio","id":"b.bio"}'), 400, "bad_json")
        self.check(self.put("/v1/sites/alice.bio", {"id": "bob.bio"}), 409, "id_mismatch")
        self.check(self.put("/v1/links/alice.bio:shop", link), 409, "id_mismatch")
        for path in ROUTES:
            self.check(self.bell.get(path + "/never"), 404, "not_found")
            self.check(self.put(path + "/never", {"id": "never"}), 404, "not_found")
            self.check(self.delete(path + "/never"), 404, "not_found")
            self.check(self.bell.get(path + "?colour=red"), 400, "unknown_parameter")
            self.check(self.bell.get(path + "?limit=0"), 400, "bad_request")
            self.check(self.bell.get(path, token=False), 401)
            self.check(self.bell.get(path, token=self.bell.make_token("read")), 403, "scope")
        self.assertEqual(len(self.bell.get("/v1/sites").json["data"]), 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
