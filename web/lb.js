/* lb.js - linkbell's tracker: views, link clicks, forms as leads.  No cookie, no storage. */
(function () {
  var doc = document, place = location, root = window, script = doc.currentScript;
  var own = new URL(script.src), waiting = [], names = ["linkbell"], last;

  function attribute(name) { return script.getAttribute("data-" + name); }

  var site = attribute("site") || attribute("domain") || place.hostname;
  var api = attribute("api") || own.origin + "/api/event";
  var auto = attribute("auto"), hash = attribute("hash") !== null;
  if (auto === null) auto = "view,click,form";
  /* Somebody is at work on the page. */
  var silent = attribute("local") === null &&
    (place.protocol === "file:" || /^(localhost|127\.[\d.]+|\[::1\])$/.test(place.hostname));
  /* A page made for Plausible calls it by that name. */
  if (attribute("domain")) names.push("plausible");

  function send(name, options) {
    var event = {n: name, u: options.u || place.href, d: site, r: doc.referrer || null};
    var callback = options.callback, body;
    if (silent) return callback && callback({});
    if (hash) event.h = 1;
    if (options.interactive === false) event.i = false;
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
    var page = place.pathname + (hash ? place.hash : "");
    if (again !== true && page === last) return;
    last = page;
    send("pageview", {type: "view"});
  }

  /* data-lb-prop-plan="pro" is the property plan. */
  function props(element, more) {
    var found = more || {};
    [].forEach.call(element.attributes, function (one) {
      if (!one.name.indexOf("data-lb-prop-")) found[one.name.slice(13)] = one.value;
    });
    return found;
  }

  /* The element around what was hit, unless that is to be silent. */
  function near(event, selector) {
    var hit = event.target;
    return hit.closest && !hit.closest("[data-lb-ignore]") && hit.closest(selector);
  }

  function click(event) {
    var named = near(event, "[data-lb-event]"), a = near(event, "a[href]"), link;
    /* The middle button opens links and does nothing else. */
    if (event.type === "auxclick" && (event.button !== 1 || !a)) return;
    if (named) send(named.getAttribute("data-lb-event"), {type: "conversion", props: props(named)});
    if (!a || auto.indexOf("click") < 0) return;
    link = a.getAttribute("data-lb-link");
    /* A short link of linkbell counts itself. */
    if (link || (/^http/.test(a.protocol) && a.host !== place.host && a.host !== own.host))
      send("Outbound Link: Click", {type: "click", link: link, props: props(a, {url: a.href})});
  }

  function submit(event) {
    var form = near(event, "form"), contact = {};
    if (!form) return;
    [].forEach.call(form.querySelectorAll("[data-lb-contact]"), function (field) {
      if (field.value && !field.closest("[data-lb-ignore]")) contact[field.getAttribute("data-lb-contact")] = field.value;
    });
    send(form.getAttribute("data-lb-lead") || form.getAttribute("name") || form.getAttribute("id") || "Form: Submission",
      {type: "lead", contact: contact, props: props(form)});
  }

  function start() {
    var push = history.pushState, on = root.addEventListener;
    names.forEach(function (name) {
      root[name] = function (what, options) { send(what, options || {}); };
    });
    if (auto.indexOf("view") >= 0) {
      history.pushState = function () { push.apply(this, arguments); view(); };
      on("popstate", view); /* also for another fragment */
      on("pageshow", function (event) { if (event.persisted) view(true); });
      view(true);
    }
    waiting.forEach(function (words) { send(words[0], words[1] || {}); });
    on.call(doc, "click", click, true);
    on.call(doc, "auxclick", click, true);
    if (auto.indexOf("form") >= 0) on.call(doc, "submit", submit, true);
  }

  /* Calls from before the script, and of a page that is not shown yet, wait. */
  names.forEach(function (name) {
    waiting = waiting.concat((root[name] && root[name].q) || []);
    root[name] = function () { waiting.push(arguments); };
  });
  if (doc.prerendering) doc.addEventListener("prerenderingchange", start);
  else start();
})();
