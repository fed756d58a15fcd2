"""Scripts in real Chromium: linkbell's own, and Plausible's two npm packages as they are published."""
import gzip
import json
import re
import sqlite3
import unittest

import packs
from browser import Chromium, Pages
from harness import SOURCE, Linkbell, wait_for

CONFIG = """
server: { listen: 127.0.0.1:0 }
privacy: { keep_contact: [email, name, message, phone] }
bots: { burst_per_minute: 0 }  # the tests are one visitor
sites:
  - id: alice.bio
    timezone: UTC
    hosts: [l.alice.bio]
    lead_events: [Newsletter]
    links:
      - { slug: shop, title: Shop, url: "http://shop.example" }
      - { slug: call, title: Call, url: "http://cal.example/alice" }
  - { id: bob.bio, timezone: UTC }
"""
TRACKERS = SOURCE / "tests/data/trackers"
EMPTY = "<!doctype html><title>page</title>"


def setUpModule():
    Browser.bell = unittest.enterModuleContext(Linkbell(CONFIG)).ready()
    Browser.browser = unittest.enterModuleContext(Chromium())


class Browser(unittest.TestCase):
    def setUp(self):
        self.seen = max([0, *(row["seq"] for row in self.rows(0))])
        self.pages = Pages({"/shop": EMPTY, "/alice": EMPTY, "/other": EMPTY})
        self.addCleanup(self.pages.close)
        self.tab = self.browser.tab()
        self.addCleanup(self.browser.call, "Target.disposeBrowserContext", browserContextId=self.tab.context)

    def rows(self, after):
        text = self.bell.get("/v1/export/events?site=alice.bio").body.decode()
        return [row for row in map(json.loads, text.splitlines()) if row["seq"] > after]

    def requests(self):
        """What the page itself has sent so far, whether it has come or not."""
        return [event for event in self.tab.seen("Network.requestWillBeSent")
                if event["request"]["url"].endswith("/api/event") and event["request"]["method"] == "POST"]

    def events(self, count, refused=0):
        """Exactly so many events came since the test began; the last is waited for.  A browser sends on
        several connections: what is sent quickly one after the other may come in another order."""
        wait_for(lambda: len(self.rows(self.seen)) >= count, f"{count} events: {self.rows(self.seen)}")
        rows = self.rows(self.seen)
        self.assertEqual(len(rows), count, [(row["type"], row["page"], row["name"]) for row in rows])
        names = [json.loads(event["request"]["postData"])["n"] for event in self.requests()]
        self.assertLessEqual(len([name for name in names if name != "engagement"]), count + refused, names)
        return rows

    def script(self, attributes='data-site="alice.bio"', path="/lb.js"):
        return f'<script defer src="http://l.alice.bio:{self.bell.port}{path}" {attributes}></script>'

    def open(self, body, path="/", attributes='data-site="alice.bio"', host="alice.bio"):
        self.pages.pages[path.split('?')[0]] = EMPTY + self.script(attributes) + body
        return self.tab.go(self.pages.url(host, path))

    def mark(self):
        """Whatever the page did before has come when this has."""
        self.tab.run("new Promise(done => linkbell('mark', {callback: done}))")


class Views(Browser):
    def test_a_page_and_where_it_was_found(self):
        self.open("", "/start?utm_source=Newsletter&utm_campaign=May")
        [view] = self.events(1)
        self.assertEqual((view["type"], view["page"], view["host"], view["source"], view["traffic"]),
                         ("view", "/start", "alice.bio", "newsletter", "human"))
        self.assertIsNone(view["name"])
        self.assertIsNotNone(view["visitor"])

    def test_the_referrer_is_sent(self):
        self.open(f'<a id=x href="{self.pages.url("alice.bio", "/here")}">x</a>', "/from",
                  'data-site="alice.bio" data-auto=""', "friend.example")
        self.pages.pages["/here"] = EMPTY + self.script()
        self.tab.click("#x")
        [view] = self.events(1)
        self.assertEqual((view["page"], view["source"]), ("/here", "friend.example"))

    def test_navigation_within_a_single_page(self):
        self.open("", "/")
        self.tab.run("history.pushState({}, '', '/two')")
        self.events(2)
        self.tab.run("history.pushState({}, '', '/two?tab=1')")
        self.tab.run("history.replaceState({}, '', '/three')")
        self.tab.run("history.pushState({}, '', '/four#there')")
        self.events(3)
        self.tab.back()
        self.tab.wait("location.pathname == '/three'")
        self.events(4)
        self.mark()
        self.assertEqual([row["page"] for row in self.events(5)], ["/", "/two", "/four", "/three", "/three"])

    def test_the_fragment_is_the_page_where_it_says_so(self):
        self.open("", "/", 'data-site="alice.bio" data-hash')
        self.tab.run("location.hash = '#/about?x=1'")
        self.events(2)
        self.tab.run("location.hash = '#/about?x=1'")
        self.tab.run("history.pushState({}, '', '#/next')")
        self.events(3)
        self.mark()
        self.assertEqual([row["page"] for row in self.events(4)],
                         ["/", "/#/about?x=1", "/#/next", "/#/next"])

    def test_a_page_that_comes_back_from_the_cache_is_seen_again(self):
        self.open("", "/")
        self.events(1)
        self.tab.run("window.kept = true; addEventListener('pageshow', e => { window.cached = e.persisted; })")
        self.tab.go(self.pages.url("other.example", "/other"))
        self.tab.back()
        self.tab.wait("window.kept && window.cached")
        self.assertEqual([row["page"] for row in self.events(2)], ["/", "/"])

    def test_a_prerendered_page_is_seen_when_it_is_shown(self):
        """Chromium makes no page ahead in a tab that is being debugged: the pages do it all."""
        rules = {"prerender": [{"urls": ["/next"], "eagerness": "immediate"}]}
        self.pages.pages["/"] = (
            EMPTY + self.script() + f'<script type="speculationrules">{json.dumps(rules)}</script>'
            "<script>setInterval(() => fetch('/go').then(got => { if (got.ok) location.href = '/next' }), 50)"
            "</script>")
        self.pages.pages["/next"] = (
            EMPTY + "<script>navigator.sendBeacon = null;"  # Chromium holds a beacon back by itself
            "document.addEventListener('prerenderingchange', () => "
            "fetch('/shown', {method: 'POST', body: '{}'}))</script>" + self.script() +
            "<script>addEventListener('load', () => fetch('/loaded', {method: 'POST', body: '{}'}))</script>")
        self.browser.call("Target.createTarget", url=self.pages.url("alice.bio"),
                          browserContextId=self.tab.context)
        wait_for(lambda: self.pages.recorded, "a page made ahead")
        purpose = [headers.get("Sec-Purpose") for path, headers in self.pages.asked if path == "/next"]
        self.assertEqual(purpose, ["prefetch;prerender"])
        self.assertEqual([row["page"] for row in self.events(1)], ["/"])
        self.pages.pages["/go"] = EMPTY
        wait_for(lambda: len(self.pages.recorded) > 1, "the page to be shown")
        self.assertEqual([row["page"] for row in self.events(2)], ["/", "/next"])

    def test_several_sites(self):
        before = self.bell.totals("bob.bio")["views"]
        self.open("", "/", 'data-site="alice.bio,www.bob.bio"')
        self.events(1)
        self.assertEqual(self.bell.totals("bob.bio")["views"], before + 1)

    def test_the_host_is_the_site_unless_told(self):
        self.open("", "/", "", "www.alice.bio")
        self.assertEqual(self.events(1)[0]["host"], "www.alice.bio")

    def test_nothing_by_itself_when_told_so(self):
        self.open('<a id=out href="http://shop.example/shop">x</a><form id=f><input id=s type=submit></form>'
                  "<script>document.addEventListener('click', e => e.preventDefault());"
                  "document.addEventListener('submit', e => e.preventDefault())</script>",
                  "/", 'data-site="alice.bio" data-auto=""')
        self.tab.click("#out").click("#s")
        self.tab.run("history.pushState({}, '', '/two')")
        self.mark()
        self.assertEqual([row["name"] for row in self.events(1)], ["mark"])

    def test_nothing_on_the_machine_where_the_page_is_made(self):
        for host in ("localhost", "127.0.0.1"):
            self.open("", "/", 'data-site="alice.bio"', host)
            self.assertEqual(self.tab.run("new Promise(done => linkbell('x', {callback: done}))"), {})
        self.assertEqual(self.rows(self.seen), [])
        self.open("", "/", 'data-site="alice.bio" data-local', "localhost")
        self.assertEqual(self.events(1)[0]["host"], "localhost")

    def test_no_cookie_and_no_storage(self):
        self.open('<form name=f onsubmit="return false"><input data-lb-contact=email value="z@example.com">'
                  "<input id=s type=submit></form>", "/")
        self.tab.click("#s")
        self.mark()
        self.events(3)
        kept = self.tab.run("(async () => [document.cookie, localStorage.length, sessionStorage.length, "
                            "(await indexedDB.databases()).length, window.caches ? "
                            "(await caches.keys()).length : 0])()")
        self.assertEqual(kept, ["", 0, 0, 0, 0])
        cookies = self.browser.call("Storage.getCookies", browserContextId=self.tab.context)["cookies"]
        self.assertEqual(cookies, [])

    def test_nothing_is_complained_about(self):
        self.tab.call("Log.enable")
        self.tab.call("Runtime.enable")
        self.open('<a id=out href="http://shop.example/shop" target=_blank>x</a>', "/")
        self.tab.click("#out")
        self.mark()
        self.events(3)
        faults = [entry["entry"]["text"] for entry in self.tab.seen("Log.entryAdded")
                  if "favicon" not in entry["entry"].get("url", "")]
        self.assertEqual(faults, [])
        self.assertEqual(self.tab.seen("Runtime.exceptionThrown"), [])


class Clicks(Browser):
    def links(self):
        port = self.pages.port
        return (f'<a id=named data-lb-link=call data-lb-prop-place=top href="http://x.example:{port}/other">a</a> '
                '<a id=known href="http://shop.example/">b</a> '
                f'<a id=other href="http://x.example:{port}/other"><b id=inner>c</b></a> '
                f'<a id=own href="/other">d</a> <a id=mail href="mailto:a@example.com">e</a> '
                f'<a id=short href="http://l.alice.bio:{self.bell.port}/r/shop">f</a> '
                f'<p data-lb-ignore><a id=quiet href="http://x.example:{port}/other">g</a></p> '
                f'<a id=half href="http://x.example:{port}/other"><i id=hush data-lb-ignore>h</i></a> '
                "<button id=buy data-lb-event=Buy data-lb-prop-plan=pro data-lb-prop-size=L>i</button> "
                "<button id=still data-lb-event=Buy data-lb-ignore>j</button>")

    STAY = "<script>document.addEventListener('click', e => e.preventDefault())</script>"

    def test_links_and_elements(self):
        self.open(self.links() + self.STAY)
        count = 1
        self.events(count)
        for element in ("own", "mail", "quiet", "hush", "still", "named", "known", "inner", "buy"):
            self.tab.click("#" + element)
            count += 1 if element in ("named", "known", "inner", "buy") else 0
            self.events(count)
        self.mark()
        rows = self.events(6)[1:-1]
        self.assertEqual([(row["type"], row["link"], row["name"]) for row in rows],
                         [("click", "call", None), ("click", "shop", None), ("click", None, None),
                          ("conversion", None, "Buy")])
        other = f"http://x.example:{self.pages.port}/other"
        self.assertEqual([row["props"] for row in rows],
                         [{"url": other, "place": "top"}, {"url": "http://shop.example/"}, {"url": other},
                          {"plan": "pro", "size": "L"}])

    def test_the_page_may_be_gone_at_once(self):
        self.open(self.links())
        self.events(1)
        self.tab.click("#other")
        self.tab.wait("location.host.startsWith('x.example')")
        view, click = self.events(2)
        self.assertEqual((click["type"], click["page"], click["visitor"]), ("click", "/", view["visitor"]))
        self.assertEqual([event["type"] for event in self.requests()], ["Ping", "Ping"])

    def test_also_where_there_are_no_beacons(self):
        self.open("<script>navigator.sendBeacon = null</script>" + self.links())
        self.events(1)
        self.tab.click("#other")
        self.tab.wait("location.host.startsWith('x.example')")
        self.assertEqual(self.events(2)[1]["type"], "click")

    def test_the_middle_button_opens_a_link(self):
        self.open(self.links())
        self.tab.click("#other", "middle").click("#buy", "middle").click("#other", "right")
        self.mark()
        self.assertCountEqual([(row["type"], row["name"]) for row in self.events(3)],
                              [("view", None), ("click", None), ("conversion", "mark")])

    def test_a_short_link_counts_itself(self):
        self.open(self.links() + self.STAY)
        self.tab.click("#short")
        self.mark()
        self.assertCountEqual([row["type"] for row in self.events(2)], ["view", "conversion"])


class Forms(Browser):
    FORM = ('<form data-lb-lead=Booking data-lb-prop-plan=pro onsubmit="return false">'
            '<input name=mail data-lb-contact=email value="zoe@example.com">'
            '<input name=who data-lb-contact=name value="Zoe">'
            '<textarea name=text data-lb-contact=message>Hello</textarea>'
            '<input name=tel data-lb-contact=phone value="">'
            '<input name=secret value="hush-1"><input type=hidden name=id value="hush-2">'
            '<input type=password name=name value="hush-3">'
            '<p data-lb-ignore><input data-lb-contact=phone value="hush-4"></p>'
            "<input id=s type=submit></form>")

    def test_a_form_is_a_lead(self):
        self.open(self.FORM)
        self.events(1)
        self.tab.click("#s")
        view, lead = self.events(2)
        self.assertEqual((lead["type"], lead["name"], lead["props"], lead["visitor"]),
                         ("lead", "Booking", {"plan": "pro"}, view["visitor"]))
        self.assertEqual(lead["contact"], {"email": "zoe@example.com", "name": "Zoe", "message": "Hello"})

    def test_only_the_fields_that_are_meant_are_read(self):
        self.open(self.FORM, attributes=f'data-site="alice.bio" data-api="{self.pages.url("api.example", "/e")}"')
        self.tab.click("#s")
        wait_for(lambda: len(self.pages.recorded) == 2, "two requests")
        [lead] = [body for body in self.pages.bodies() if body["t"] == "lead"]
        self.assertEqual(lead, {"n": "Booking", "t": "lead", "u": self.pages.url("alice.bio"), "d": "alice.bio",
                                "r": None, "p": {"plan": "pro"},
                                "c": {"email": "zoe@example.com", "name": "Zoe", "message": "Hello"}})
        self.assertNotIn(b"hush", b"".join(body for _, body in self.pages.recorded))
        self.assertTrue(all(headers["Content-Type"].startswith("text/plain")
                            for headers, _ in self.pages.recorded))

    def test_what_a_form_is_called(self):
        # A field may be called name or id, too: the form's own are its attributes.
        self.open('<form name=signup onsubmit="return false"><input type=hidden name=name value=1>'
                  "<input id=a type=submit></form>"
                  '<form id=offer onsubmit="return false"><input type=hidden name=id value=1>'
                  "<input id=b type=submit></form>"
                  '<form onsubmit="return false"><input id=c type=submit></form>'
                  '<form data-lb-ignore onsubmit="return false"><input id=d type=submit></form>'
                  '<form onsubmit="return false"><input required><input id=e type=submit></form>')
        for element in "abcde":
            self.tab.click("#" + element)
        self.mark()
        self.assertCountEqual([(row["type"], row["name"]) for row in self.events(5)],
                              [("view", None), ("lead", "signup"), ("lead", "offer"),
                               ("lead", "Form: Submission"), ("conversion", "mark")])


class Calls(Browser):
    def test_linkbell_tells_how_it_went(self):
        self.open("")
        self.events(1)
        call = "new Promise(done => linkbell({name}, Object.assign({more}, {{callback: done}})))"
        self.assertEqual(self.tab.run(call.format(name="'Sold'", more="{revenue: {amount: 12.5, currency: 'EUR'},"
                                                  " props: {plan: 'pro'}}")), {"status": 202})
        self.assertEqual(self.tab.run(call.format(name="'x'", more="{type: 'click', link: 'call'}")), {"status": 202})
        self.assertEqual(self.tab.run(call.format(name="'Newsletter'", more="{contact: {email: 'y@example.com'}}")),
                         {"status": 202})
        self.assertEqual(self.tab.run(call.format(name="'x'", more="{type: 'none'}")), {"status": 400})
        rows = self.events(4, refused=1)[1:]
        self.assertEqual([(row["type"], row["name"], row["link"]) for row in rows],
                         [("conversion", "Sold", None), ("click", "x", "call"), ("lead", "Newsletter", None)])
        self.assertEqual((rows[0]["value"], rows[0]["props"]),
                         ({"amount": 12.5, "currency": "EUR"}, {"plan": "pro"}))
        self.assertEqual(rows[2]["contact"], {"email": "y@example.com"})

    def test_calls_before_the_script_are_kept(self):
        self.open("<script>window.linkbell = window.linkbell || function () "
                  "{ (linkbell.q = linkbell.q || []).push(arguments) }; linkbell('Early')</script>")
        self.assertCountEqual([row["name"] for row in self.events(2)], [None, "Early"])

    def test_a_page_made_for_plausible_needs_another_host_name_only(self):
        self.pages.pages["/"] = (
            EMPTY + self.script('data-domain="alice.bio"', "/js/script.js") +
            "<script>window.plausible = window.plausible || function () "
            "{ (window.plausible.q = window.plausible.q || []).push(arguments) };"
            "plausible('Early', {props: {a: 1}, interactive: false})</script>")
        self.tab.go(self.pages.url("page.example"))
        self.tab.run("new Promise(done => plausible('Newsletter', {callback: done}))")
        self.assertCountEqual([(row["type"], row["name"], row["props"]) for row in self.events(3)],
                              [("view", None, {}), ("conversion", "Early", {"a": "1"}), ("lead", "Newsletter", {})])
        with sqlite3.connect(f"file:{self.bell.data / 'linkbell.db'}?mode=ro", uri=True) as db:
            packs.load(db)
            passive = db.execute("SELECT name FROM events WHERE bits >> 9 & 1 AND seq > ?", (self.seen,)).fetchall()
        self.assertEqual(passive, [("Early",)])

    def test_the_size(self):
        plain = self.bell.get("/lb.js", token=False)
        packed = self.bell.get("/lb.js", token=False, headers={"Accept-Encoding": "gzip"})
        self.assertEqual(packed.headers["Content-Encoding"], "gzip")
        self.assertEqual(gzip.decompress(packed.body), plain.body)
        self.assertEqual(plain.body, (SOURCE / "web/lb.js").read_bytes())
        self.assertLess(len(packed.body), 2048)


class Tracker(Browser):
    """npm @plausible-analytics/tracker 0.4.6."""

    def start(self, options="", body=""):
        self.pages.pages["/plausible.js"] = \
            (TRACKERS / "plausible-analytics-tracker-0.4.6/plausible.js").read_bytes()
        self.pages.pages["/"] = (
            EMPTY + body + '<script type=module>import { init, track } from "/plausible.js";'
            f'init({{domain: "alice.bio", endpoint: "http://l.alice.bio:{self.bell.port}/api/event", {options}}});'
            "window.track = track</script>")
        self.tab.go(self.pages.url("alice.bio"))
        self.tab.wait("!!window.track")

    def finish(self):
        return self.tab.run("new Promise(done => track('mark', {callback: done}))")

    def test_what_it_sends_is_understood(self):
        self.start("outboundLinks: true, fileDownloads: true, formSubmissions: true",
                   '<a id=out href="http://shop.example/">x</a> <a id=file href="/prices.pdf">y</a>'
                   '<form onsubmit="return false"><input id=s type=submit></form>'
                   "<script>document.addEventListener('click', e => e.target.href && e.preventDefault())</script>")
        self.events(1)
        for count, element in enumerate(("out", "file", "s"), 2):
            self.tab.click("#" + element)
            self.events(count)
        self.tab.run("track('Sold', {revenue: {amount: 0.1 + 0.2, currency: 'EUR'}, props: {n: 1, yes: true}, "
                     "interactive: false})")
        self.events(5)
        self.assertEqual(self.finish(), {"status": 202})
        rows = self.events(6)
        self.assertEqual([(row["type"], row["name"], row["link"]) for row in rows],
                         [("view", None, None), ("click", None, "shop"), ("click", "File Download", None),
                          ("lead", "Form: Submission", None), ("conversion", "Sold", None),
                          ("conversion", "mark", None)])
        self.assertEqual(rows[1]["props"], {"url": "http://shop.example/"})
        self.assertEqual(rows[2]["props"], {"url": self.pages.url("alice.bio", "/prices.pdf")})
        self.assertEqual((rows[4]["value"], rows[4]["props"]),
                         ({"amount": 0.3, "currency": "EUR"}, {"n": "1", "yes": "true"}))
        self.assertEqual(len({row["visitor"] for row in rows}), 1)

    def test_navigation_and_attention(self):
        self.start("", "<p style='height: 5000px'>long</p>")
        self.events(1)
        self.tab.run("scrollTo(0, 5000)")
        self.tab.run("new Promise(done => { requestAnimationFrame(() => requestAnimationFrame(done)) })")
        self.tab.run("history.pushState({}, '', '/two')")
        self.finish()
        self.assertCountEqual([row["page"] for row in self.events(3)], ["/", "/two", "/two"])
        sent = [json.loads(event["request"]["postData"])
                for event in self.tab.seen("Network.requestWillBeSent") if event["request"].get("postData")]
        [engagement] = [body for body in sent if body["n"] == "engagement"]
        self.assertEqual(engagement["sd"], 100)
        answers = {event["response"]["status"] for event in self.tab.seen("Network.responseReceived")
                   if event["response"]["url"].endswith("/api/event")}
        self.assertEqual(answers, {202})
        dropped = [event["response"]["headers"].get("x-plausible-dropped")
                   for event in self.tab.seen("Network.responseReceived")
                   if event["response"]["url"].endswith("/api/event")]
        self.assertEqual(set(dropped), {None})

    def test_fragments(self):
        self.start("hashBasedRouting: true")
        self.tab.run("location.hash = '#/about'")
        self.finish()
        self.assertCountEqual([row["page"] for row in self.events(3)], ["/", "/#/about", "/#/about"])


class OldTracker(Browser):
    """npm plausible-tracker 0.3.9."""

    def test_what_it_sends_is_understood(self):
        folder = TRACKERS / "plausible-tracker-0.3.9"
        for path, file in (("/p/index.js", "index.js"), ("/p/lib/tracker", "lib/tracker.js"),
                           ("/p/lib/request", "lib/request.js")):
            self.pages.pages[path] = (folder / file).read_bytes()
        self.pages.pages["/"] = (
            EMPTY + f'<a id=out href="http://shop.example:{self.pages.port}/shop">x</a>'
            '<script type=module>import Plausible from "/p/index.js";'
            f'const one = Plausible({{domain: "alice.bio", apiHost: "http://l.alice.bio:{self.bell.port}"}});'
            "one.enableAutoPageviews(); one.enableAutoOutboundTracking(); window.one = one</script>")
        self.tab.go(self.pages.url("alice.bio"))
        self.tab.wait("!!window.one")
        self.events(1)
        self.tab.run("new Promise(done => one.trackEvent('Newsletter', {props: {plan: 'pro'}, callback: done}))")
        self.tab.run("history.pushState({}, '', '/two')")
        self.events(3)
        self.tab.click("#out")
        self.tab.wait("location.host.startsWith('shop.example')")
        rows = self.events(4)
        self.assertEqual([(row["type"], row["name"], row["page"], row["props"]) for row in rows],
                         [("view", None, "/", {}), ("lead", "Newsletter", "/", {"plan": "pro"}),
                          ("view", None, "/two", {}),
                          ("click", None, "/two", {"url": f"http://shop.example:{self.pages.port}/shop"})])


class Manual(Browser):
    """The pages and scripts of docs/ingest.md."""

    def example(self, name):
        text = (SOURCE / "docs/ingest.md").read_text()
        part = text.split(f"<!-- {name}:begin -->")[1].split(f"<!-- {name}:end -->")[0]
        return re.search(r"```\w+\n(.*?)```", part, re.S).group(1).replace(
            "https://l.alice.bio/", f"http://l.alice.bio:{self.bell.port}/")

    def show(self, body):
        self.pages.pages["/"] = EMPTY + body + (
            "<script>document.addEventListener('click', e => e.target.href && e.preventDefault());"
            "document.addEventListener('submit', e => e.preventDefault())</script>")
        self.tab.go(self.pages.url("alice.bio"))

    def test_the_script(self):
        self.show(self.example("script"))
        self.tab.run("document.querySelector('[type=email]').value = 'zoe@example.com'")
        self.tab.click("a").click("button")
        rows = self.events(4)
        self.assertCountEqual([(row["type"], row["name"], row["link"], row["props"]) for row in rows],
                              [("view", None, None, {}),
                               ("click", None, "shop", {"url": "https://shop.example/", "place": "top"}),
                               ("conversion", "Booked", None, {"plan": "pro"}), ("lead", "Booking", None, {})])
        self.assertEqual([row["contact"] for row in rows if row["type"] == "lead"], [{"email": "zoe@example.com"}])

    def test_the_call(self):
        self.open("")
        self.events(1)
        call = self.example("call").replace("console.log(status, error)", "{ window.told = status }")
        self.tab.run(call)
        self.tab.wait("window.told == 202")
        row = self.events(2)[1]
        self.assertEqual((row["type"], row["name"], row["props"], row["value"]),
                         ("conversion", "Subscribed", {"plan": "pro"}, {"amount": 12.5, "currency": "EUR"}))
        early = re.search(r"^`(window\.linkbell = .*)`\.$", (SOURCE / "docs/ingest.md").read_text(), re.M).group(1)
        self.open(f"<script>{early}; linkbell('Early')</script>")
        self.assertIn("Early", [row["name"] for row in self.events(4)])

    def test_the_snippet(self):
        self.show(self.example("snippet"))
        self.events(1)
        self.tab.click("button")
        self.assertEqual([(row["type"], row["name"], row["props"]) for row in self.events(2)],
                         [("view", None, {}), ("conversion", "Signup", {"plan": "pro"})])

    def test_the_package(self):
        self.pages.pages["/plausible.js"] = \
            (TRACKERS / "plausible-analytics-tracker-0.4.6/plausible.js").read_bytes()
        code = self.example("npm").replace("@plausible-analytics/tracker", "/plausible.js")
        self.show(f'<a href="http://shop.example/">x</a><script type=module>{code}; window.there = true</script>')
        self.tab.wait("window.there")
        self.events(1)
        self.tab.click("a")
        self.assertEqual([(row["type"], row["link"]) for row in self.events(2)],
                         [("view", None), ("click", "shop")])

    def test_the_pixel(self):
        self.show(self.example("pixel"))
        self.assertEqual(self.tab.run("document.querySelector('img').naturalWidth"), 1)
        [row] = self.events(1)
        self.assertEqual((row["type"], row["name"], row["page"], row["source"], row["utm"]["medium"], row["props"]),
                         ("view", "May issue", "/mail/may", "newsletter", "email", {"issue": "12"}))


if __name__ == "__main__":
    unittest.main(verbosity=2)
