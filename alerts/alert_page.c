/* alert_page.c - what the links of a message open. */
#include "alerts/alert_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/alerts_store.h"
#include "alerts/facts.h"
#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"

#define ID_BYTES 32
#define ALERT_BYTES ((size_t)1024 * 1024)
#define PAGE_BYTES 65536
#define LINE_UNITS 2000
#define HTML "text/html; charset=utf-8"

struct alert_page {
    struct pool *readers;
    const struct alert_links *links;
};

/* One request for the page that asks. */
struct ask {
    struct pool_job job; /* first */
    struct lb_http_request *http;
    const char *act; /* static */
    char id[ID_BYTES];
    struct lb_buf alert;
    enum lb_err rc;
    struct lb_error err;
};

static bool is_mute(const char *act)
{
    return strcmp(act, "mute") == 0;
}

/* --- pages ---------------------------------------------------------------- */

static void begin(struct lb_buf *out, const char *title)
{
    lb_buf_printf(out,
                  "<!doctype html>\n<html lang=\"en\">\n<meta "
                  "charset=\"utf-8\">\n<meta name=\"viewport\" "
                  "content=\"width=device-width, initial-scale=1\">\n<meta "
                  "name=\"robots\" content=\"noindex\">\n<title>%s - "
                  "linkbell</title>\n<h1>%s</h1>\n",
                  title, title);
}

static void
respond(struct lb_http_request *http, int status, struct lb_buf *page)
{
    lb_http_respond_header(http, "Cache-Control", "no-store");
    lb_http_respond(http, status, HTML, lb_buf_text(page), page->len);
    lb_buf_deinit(page);
}

static void add_line(struct lb_buf *out, const char *name, const char *value)
{
    if (value != NULL) {
        lb_buf_printf(out, "<dt>%s<dd>", name);
        facts_add(out, value, LINE_UNITS, facts_escape_html);
        lb_buf_add_char(out, '\n');
    }
}

static void add_alert(struct lb_buf *out, const cJSON *alert)
{
    const cJSON *event = cJSON_GetObjectItemCaseSensitive(alert, "event");
    const cJSON *contact = cJSON_GetObjectItemCaseSensitive(event, "contact");
    const char *summary = lb_json_text(alert, "summary");

    /* The one whom the message went to may be kept from a lead's contact. */
    if (summary != NULL && contact == NULL) {
        lb_buf_add_text(out, "<p>");
        facts_add(out, summary, LINE_UNITS, facts_escape_html);
    }
    lb_buf_add_text(out, "\n<dl>\n");
    add_line(out, "Site", lb_json_text(alert, "site"));
    add_line(out, "Rule", lb_json_text(alert, "rule"));
    add_line(out, "Severity", lb_json_text(alert, "severity"));
    add_line(out, "Fired", lb_json_text(alert, "fired"));
    add_line(out, "Resolved", lb_json_text(alert, "resolved"));
    add_line(out, "Acknowledged", lb_json_text(alert, "acked"));
    add_line(out, "Alert", lb_json_text(alert, "id"));
    lb_buf_add_text(out, "</dl>\n");
}

/* The form goes to the address that the page came from. */
static void write_ask(struct lb_buf *out, const char *act, const cJSON *alert)
{
    static const char *const times[][2] = {
        {"1h", "1 hour"}, {"4h", "4 hours"}, {"1d", "a day"}, {"7d", "a week"}};

    begin(out, is_mute(act) ? "Mute this alert?" : "Acknowledge this alert?");
    add_alert(out, alert);
    lb_buf_add_text(out, "<form method=\"post\">\n");
    if (!is_mute(act)) {
        lb_buf_add_text(out, "<button>Acknowledge</button>\n");
    } else {
        lb_buf_add_text(out, "<p><label><input type=\"checkbox\" name=\"rule\" "
                             "value=\"true\"> the whole rule, not only what "
                             "this alert is about</label>\n<p>");
        for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
            lb_buf_printf(out,
                          "<button name=\"for\" value=\"%s\">Mute for "
                          "%s</button>\n",
                          times[i][0], times[i][1]);
        }
    }
    lb_buf_add_text(out, "</form>\n</html>\n");
}

void alert_page_done(struct lb_http_request *http,
                     const char *act,
                     const char *alert)
{
    cJSON *json = cJSON_Parse(alert);
    struct lb_buf page;

    lb_buf_init(&page, PAGE_BYTES);
    begin(&page, is_mute(act) ? "Muted" : "Acknowledged");
    add_alert(&page, json);
    lb_buf_add_text(&page, "</html>\n");
    cJSON_Delete(json);
    respond(http, 200, &page);
}

void alert_page_failed(struct lb_http_request *http,
                       int status,
                       const char *text)
{
    struct lb_buf page;

    lb_buf_init(&page, PAGE_BYTES);
    begin(&page, "That did not work");
    lb_buf_add_text(&page, "<p>");
    facts_add(&page, text, LINE_UNITS, facts_escape_html);
    lb_buf_add_text(&page, "\n</html>\n");
    respond(http, status, &page);
}

bool alert_page_may(const struct alert_links *links,
                    struct lb_http_request *http,
                    const char *act)
{
    const char *key = lb_http_request_query(http, "key", 0);
    const char *id = lb_http_request_param(http, "id");

    if (key != NULL && alert_links_may(links, id, act, key,
                                       lb_clock_wall_ms() / LB_MS_PER_S)) {
        return true;
    }
    alert_page_failed(http, 403,
                      "This link is not whole, or older than the 7 days for "
                      "which it was good. POST /v1/alerts/{id}/ack and "
                      "/mute do the same with an admin token.");
    return false;
}

/* --- asking --------------------------------------------------------------- */

/* The key is for this alert, whatever its site. */
static bool may_site(void *ctx, const char *site)
{
    (void)ctx;
    (void)site;
    return true;
}

static void run(struct pool_job *job, struct db *db)
{
    struct ask *ask = (struct ask *)job;
    const struct alerts_store_question question = {.may_site = may_site};

    ask->rc =
        alerts_store_get_alert(db, ask->id, &question, &ask->alert, &ask->err);
}

static void
done(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct ask *ask = (struct ask *)job;
    struct lb_buf page;
    cJSON *alert;

    if (rc != LB_OK || (ask->rc != LB_OK && ask->rc != LB_ENOTFOUND)) {
        alert_page_failed(ask->http, 503,
                          rc != LB_OK ? err->text : ask->err.text);
    } else if (ask->rc == LB_ENOTFOUND) {
        alert_page_failed(ask->http, 404, "There is no such alert any more.");
    } else {
        alert = cJSON_Parse(lb_buf_text(&ask->alert));
        lb_buf_init(&page, PAGE_BYTES);
        write_ask(&page, ask->act, alert);
        cJSON_Delete(alert);
        respond(ask->http, 200, &page);
    }
    lb_buf_deinit(&ask->alert);
    free(ask);
}

static void
handle(struct alert_page *page, struct lb_http_request *http, const char *act)
{
    struct ask *ask = calloc(1, sizeof(*ask));

    if (ask == NULL) {
        alert_page_failed(http, 503, "Out of memory.");
        return;
    }
    ask->http = http;
    ask->act = act;
    (void)snprintf(ask->id, sizeof(ask->id), "%s",
                   lb_http_request_param(http, "id"));
    lb_buf_init(&ask->alert, ALERT_BYTES);
    ask->job.run = run;
    ask->job.done = done;
    pool_submit(page->readers, &ask->job);
}

static void handle_ack(struct lb_http_request *http, void *ctx)
{
    handle(ctx, http, "ack");
}

static void handle_mute(struct lb_http_request *http, void *ctx)
{
    handle(ctx, http, "mute");
}

static void check_ack(struct lb_http_request *http, void *ctx)
{
    (void)alert_page_may(((struct alert_page *)ctx)->links, http, "ack");
}

static void check_mute(struct lb_http_request *http, void *ctx)
{
    (void)alert_page_may(((struct alert_page *)ctx)->links, http, "mute");
}

enum lb_err alert_page_new(struct lb_http_server *server,
                           struct pool *readers,
                           const struct alert_links *links,
                           struct alert_page **page_out,
                           struct lb_error *err)
{
    struct alert_page *page = calloc(1, sizeof(*page));
    const struct lb_http_route routes[] = {
        {"GET", "/v1/alerts/{id}/ack", check_ack, handle_ack, page, 0},
        {"GET", "/v1/alerts/{id}/mute", check_mute, handle_mute, page, 0},
    };
    enum lb_err rc = LB_OK;

    *page_out = page;
    if (page == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    page->readers = readers;
    page->links = links;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rc == LB_OK;
         i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

void alert_page_free(struct alert_page *page)
{
    free(page);
}
