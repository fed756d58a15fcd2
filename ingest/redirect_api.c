/* redirect_api.c - short links. */
#include "ingest/redirect_api.h"

#include <stdlib.h>
#include <string.h>

#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/metrics.h"
#include "base/text.h"
#include "ingest/arrival.h"
#include "ingest/redirect.h"

#define LOCATION_BYTES ((size_t)32 * 1024)
#define HOST_BYTES 256
#define PARAMS 200 /* looked at */

struct redirect_api {
    struct lb_http_server *server;
    struct intake *intake;
};

/* One visitor on the way.  Freed when answered and counted. */
struct redirect {
    struct redirect_api *api;
    struct lb_http_request *http;       /* NULL: answered */
    struct lb_http_server_later *later; /* NULL: fired or called off */
    bool is_counting;                   /* the writer has the click */
    struct lb_buf location;             /* owned */
};

static void let_go(struct redirect *redirect)
{
    if (redirect->http == NULL && !redirect->is_counting) {
        lb_buf_deinit(&redirect->location);
        free(redirect);
    }
}

static void send_on(struct redirect *redirect)
{
    struct lb_http_request *http = redirect->http;

    if (http == NULL) {
        return;
    }
    redirect->http = NULL;
    lb_http_server_later_stop(redirect->later);
    redirect->later = NULL;
    lb_http_respond_header(http, "Location", lb_buf_text(&redirect->location));
    lb_http_respond_header(http, "Cache-Control", "no-store");
    lb_http_respond_header(http, "Referrer-Policy",
                           "strict-origin-when-cross-origin");
    lb_http_respond(http, 302, NULL, "", 0);
}

static void on_late(void *ctx)
{
    struct redirect *redirect = ctx;

    redirect->later = NULL; /* it fired */
    send_on(redirect);
    let_go(redirect);
}

static void on_counted(void *ctx, const struct arrival_result *result)
{
    struct redirect *redirect = ctx;

    (void)result; /* a loss is counted, and shown as a gap */
    redirect->is_counting = false;
    send_on(redirect);
    let_go(redirect);
}

/* --- the click ------------------------------------------------------------ */

static void add_event(struct lb_http_request *http,
                      const struct catalog_site *site,
                      const char *slug,
                      cJSON *json)
{
    const char *query = lb_http_request_query_text(http);
    struct lb_buf url;

    lb_buf_init(&url, LOCATION_BYTES);
    lb_buf_printf(&url, "https://%s%s%s%s", lb_http_request_host(http),
                  lb_http_request_path(http), query[0] == '\0' ? "" : "?",
                  query);
    (void)cJSON_AddStringToObject(json, "type", "click");
    (void)cJSON_AddStringToObject(json, "site", site->id);
    (void)cJSON_AddStringToObject(json, "link", slug);
    (void)cJSON_AddStringToObject(json, "url", lb_buf_text(&url));
    lb_buf_deinit(&url);
}

/* Hands the click to the writer; false when it is lost, or refused. */
static bool count_click(struct redirect *redirect,
                        const struct catalog_site *site,
                        const char *slug)
{
    struct lb_http_request *http = redirect->http;
    struct arrival *arrival =
        arrival_new(redirect->api->intake, http, ARRIVAL_VISITOR);
    const char *qr = lb_http_request_query(http, "qr", 0);
    cJSON *json = cJSON_CreateObject();
    struct event_fault fault;
    struct lb_error err;
    bool is_read = false;

    if (arrival != NULL && json != NULL) {
        arrival_context(arrival)->is_length_free = true;
        arrival_context(arrival)->is_qr = qr != NULL && strcmp(qr, "1") == 0;
        add_event(http, site, slug, json);
        is_read = arrival_add(arrival, json, &fault);
    }
    cJSON_Delete(json);
    if (!is_read) {
        arrival_free(arrival);
        return false;
    }
    if (!arrival_take_rate(arrival, NULL, 1)) {
        arrival_lose(arrival);
        return false;
    }
    redirect->is_counting = true;
    if (arrival_submit(arrival, on_counted, redirect, &err) != LB_OK) {
        lb_metrics_limit_hit(err.text);
        redirect->is_counting = false;
        return false;
    }
    return true;
}

/* --- the link ------------------------------------------------------------- */

/* The request's host, folded, without port. */
static void read_host(const struct lb_http_request *http, char out[HOST_BYTES])
{
    const char *host = lb_http_request_host(http);
    const char *port = host[0] == '[' ? NULL : strchr(host, ':');
    size_t len =
        port == NULL ? strnlen(host, HOST_BYTES - 1) : (size_t)(port - host);

    len = len < HOST_BYTES ? len : HOST_BYTES - 1;
    memcpy(out, host, len);
    out[len] = '\0';
    lb_text_fold_all(out);
}

static const struct catalog_link *live_link(const struct catalog_site *site,
                                            const char *slug)
{
    const struct catalog_link *link = catalog_link_find(site, slug);

    return link == NULL || !link->is_enabled || link->removed_at_ms != 0 ? NULL
                                                                         : link;
}

/* On a host that is no site's: the one site that has the slug. */
static const struct catalog_link *
find_anywhere(const struct catalog *catalog,
              const char *slug,
              const struct catalog_site **site_out,
              bool *is_ambiguous_out)
{
    const struct catalog_link *found = NULL;

    *is_ambiguous_out = false;
    for (size_t i = 0; i < catalog_site_count(catalog); i++) {
        const struct catalog_site *site = catalog_site_at(catalog, i);
        const struct catalog_link *link = live_link(site, slug);

        if (link != NULL) {
            *is_ambiguous_out = found != NULL;
            *site_out = site;
            found = link;
        }
        if (*is_ambiguous_out) {
            return NULL;
        }
    }
    return found;
}

static void refuse(struct lb_http_request *http, bool is_ambiguous)
{
    lb_http_respond_error(
        http, 404, is_ambiguous ? "ambiguous_slug" : "not_found",
        is_ambiguous ? "Several sites have a link of this name."
                     : "There is no such link.",
        is_ambiguous ? "Use the link on its site's own host." : NULL);
}

static void
make_location(struct lb_http_request *http, const char *url, struct lb_buf *out)
{
    struct redirect_param params[PARAMS];
    size_t count = lb_http_request_query_count(http);

    count = count < PARAMS ? count : PARAMS;
    for (size_t i = 0; i < count; i++) {
        params[i].key = lb_http_request_query_key(http, i);
        params[i].value = lb_http_request_query_value(http, i);
    }
    redirect_add_target(out, url, params, count);
    if (out->is_failed) { /* too long with them: the link itself goes */
        lb_buf_clear(out);
        redirect_add_target(out, url, NULL, 0);
    }
}

static void handle(struct lb_http_request *http, void *ctx)
{
    struct redirect_api *api = ctx;
    const char *slug = lb_http_request_param(http, "slug");
    struct catalog *catalog =
        catalog_current(intake_parts(api->intake)->holder);
    const struct catalog_site *site;
    const struct catalog_link *link;
    struct redirect *redirect = NULL;
    bool is_ambiguous = false;
    char host[HOST_BYTES];

    read_host(http, host);
    site = catalog_site_by_host(catalog, host);
    link = site != NULL ? live_link(site, slug)
                        : find_anywhere(catalog, slug, &site, &is_ambiguous);
    if (link == NULL) {
        refuse(http, is_ambiguous);
    } else if ((redirect = calloc(1, sizeof(*redirect))) == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
    } else {
        redirect->api = api;
        redirect->http = http;
        lb_buf_init(&redirect->location, LOCATION_BYTES);
        make_location(http, link->url, &redirect->location);
        redirect->later = lb_http_server_later_start(
            api->server, REDIRECT_WAIT_MS, on_late, redirect);
        if (!count_click(redirect, site, slug)) {
            send_on(redirect);
            let_go(redirect);
        }
    }
    catalog_unref(catalog);
}

/* Whether the request is for a site's own host. */
static bool is_on_site(const struct lb_http_request *http, void *ctx)
{
    const struct redirect_api *api = ctx;
    struct catalog *catalog =
        catalog_current(intake_parts(api->intake)->holder);
    char host[HOST_BYTES];
    bool is_one;

    read_host(http, host);
    is_one = catalog_site_by_host(catalog, host) != NULL;
    catalog_unref(catalog);
    return is_one;
}

enum lb_err redirect_api_new(struct lb_http_server *server,
                             struct intake *intake,
                             struct redirect_api **api_out,
                             struct lb_error *err)
{
    struct redirect_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route short_link = {"GET",  "/r/{slug}", NULL,
                                             handle, api,         0};
    const struct lb_http_route on_site = {"GET",  "/{slug}", NULL,
                                          handle, api,       0};

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->server = server;
    api->intake = intake;
    lb_http_server_set_fallback(server, &on_site, is_on_site);
    return lb_http_server_add_route(server, &short_link, err);
}

void redirect_api_free(struct redirect_api *api)
{
    free(api);
}
