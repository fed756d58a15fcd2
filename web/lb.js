/* lb.js - linkbell's tracker: views, link clicks, forms as leads.  No cookie, no storage. */
(function () {
  var doc = document, place = location, script = doc.currentScript, root = window;
  var site = script.getAttribute("data-site") || place.hostname;
  var api = script.getAttribute("data-api") || new URL(script.src).origin + "/api/event";
  var auto = script.getAttribute("data-auto");
  var hash = script.hasAttribute("data-hash"), last;
  auto = auto === null ? "view,click,form" : auto;

  function send(name, options) {
    var event = {n: name, u: place.href, d: site, r: doc.referrer || null};
    var body, callback = options.callback;
    if (hash) event.h = 1;
    if (options.type) event.t = options.type;
    if (options.link) event.l = options.link;
    if (options.props) event.p = options.props;
    if (options.contact) event.c = options.contact;
    if (options.revenue) event.$ = options.revenue;
    body = JSON.stringify(event);
    /* A beacon outlives the page; only a request tells how it went. */
    if (!callback && navigator.sendBeacon && navigator.sendBeacon(api, body)) return;
    fetch(api, {method: "POST", headers: {"Content-Type": "text/plain"}, keepalive: true, body: body}).then(
      function (answer) { callback && callback({status: answer.status}); },
      function (error) { callback && callback({error: error}); });
  }

  function view(again) {
    var page = place.pathname + place.search + (hash ? place.hash : "");
    if (again !== true && page === last) return;
    last = page;
    send("pageview", {type: "view"});
  }

  /* data-lb-prop-plan="pro" is the property plan. */
  function props(element, more) {
    var found = more || {};
    [].forEach.call(element.attributes, function (attribute) {
      if (!attribute.name.indexOf("data-lb-prop-")) found[attribute.name.slice(13)] = attribute.value;
    });
    return found;
  }

  function near(event, selector) {
    var element = event.target.closest && event.target.closest(selector);
    return element && !element.closest("[data-lb-ignore]") ? element : null;
  }

  function click(event) {
    var named = near(event, "[data-lb-event]"), a = near(event, "a[href]"), link;
    if (event.type === "auxclick" && event.button !== 1) return;
    if (named) send(named.getAttribute("data-lb-event"), {type: "conversion", props: props(named)});
    if (!a || auto.indexOf("click") < 0) return;
    link = a.getAttribute("data-lb-link");
    if (link || (/^http/.test(a.protocol) && a.host !== place.host))
      send("Outbound Link: Click", {type: "click", link: link, props: props(a, {url: a.href})});
  }

  function submit(event) {
    var form = near(event, "form"), contact = {};
    if (!form) return;
    [].forEach.call(form.querySelectorAll("[data-lb-contact]"), function (field) {
      if (field.value && !field.closest("[data-lb-ignore]")) contact[field.getAttribute("data-lb-contact")] = field.value;
    });
    send(form.getAttribute("data-lb-lead") || form.getAttribute("name") || form.id || "Form: Submission",
      {type: "lead", contact: contact, props: props(form)});
  }

  function start() {
    var push = history.pushState, on = root.addEventListener;
    var waiting = (root.linkbell && root.linkbell.q) || [];
    root.linkbell = function (name, options) { send(name, options || {}); };
    waiting.forEach(function (words) { root.linkbell.apply(null, words); });
    on.call(doc, "click", click, true);
    on.call(doc, "auxclick", click, true);
    if (auto.indexOf("form") >= 0) on.call(doc, "submit", submit, true);
    if (auto.indexOf("view") < 0) return;
    history.pushState = function () { push.apply(this, arguments); view(); };
    on("popstate", view);
    if (hash) on("hashchange", view);
    on("pageshow", function (event) { if (event.persisted) view(true); });
    view(true);
  }

  if (!script.hasAttribute("data-local") &&
      (place.protocol === "file:" || /^(localhost|127\.[\d.]+|\[::1\])$/.test(place.hostname))) {
    root.linkbell = function () {};
  } else if (doc.prerendering) {
    doc.addEventListener("prerenderingchange", start);
  } else {
    start();
  }
})();
