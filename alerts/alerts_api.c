/* alerts_api.c - GET /v1/alerts and /v1/deliveries. */
#include "alerts/alerts_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/alerts_act.h"
#include "alerts/alerts_store.h"
#include "alerts/deliveries_api.h"
#include "alerts/destinations_api.h"
#include "alerts/rehearse_api.h"
#include "alerts/rules_api.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/text.h"
#include "base/zone.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000
#define ANSWER_BYTES ((size_t)64 * 1024 * 1024)

struct alerts_api {
    struct auth *auth;
    struct pool *readers;
    struct alerts_act *act;                /* owned */
    struct deliveries_api *deliveries;     /* owned */
    struct destinations_api *destinations; /* owned */
    struct rules_api *rules;               /* owned */
    struct rehearse_api *rehearse;         /* owned */
};

struct list_request {
    struct pool_job job; /* first */
    struct lb_http_request *http;
    struct alerts_store_question question;
    bool is_of_deliveries;
    struct lb_buf answer;
    enum lb_err rc;
    struct lb_error err;
};

static bool may_site(void *ctx, const char *site)
{
    const struct auth_who *who = auth_who_of(ctx);
    const struct catalog_site *found = catalog_site_find(who->catalog, site);

    return who->token == NULL || who->token->is_all_sites ||
           (found != NULL && auth_may_site(who, found->number));
}

static bool
refuse(struct lb_http_request *http, const char *code, const char *message)
{
    lb_http_respond_error(http, 400, code, message, NULL);
    return false;
}

static bool
read_bound(struct lb_http_request *http, const char *name, int64_t *at_out)
{
    const char *text = lb_http_request_query(http, name, 0);
    int64_t day;

    if (text == NULL || lb_zone_parse_instant(text, at_out)) {
        return true;
    }
    if (lb_zone_parse_day(text, &day)) {
        *at_out = (day + (name[0] == 't' ? 1 : 0)) * INT64_C(86400000);
        return true;
    }
    return refuse(http, "bad_request",
                  "from and to are dates or RFC 3339 instants.");
}

static bool read_question(struct list_request *list)
{
    static const char *const known[] = {"site",  "rule",        "severity",
                                        "state", "destination", "from",
                                        "to",    "limit",       "cursor"};
    struct lb_http_request *http = list->http;
    struct alerts_store_question *question = &list->question;
    const char *limit = lb_http_request_query(http, "limit", 0);
    const char *cursor = lb_http_request_query(http, "cursor", 0);
    long long number = LIMIT_DEFAULT;

    for (size_t i = 0; i < lb_http_request_query_count(http); i++) {
        size_t at = 0;

        while (at < sizeof(known) / sizeof(known[0]) &&
               strcmp(known[at], lb_http_request_query_key(http, i)) != 0) {
            at++;
        }
        if (at == sizeof(known) / sizeof(known[0])) {
            char message[120];

            (void)snprintf(message, sizeof(message),
                           "There is no parameter \"%.60s\" here.",
                           lb_http_request_query_key(http, i));
            return refuse(http, "unknown_parameter", message);
        }
    }
    if (limit != NULL &&
        (!lb_text_to_int(limit, &number) || number < 1 || number > LIMIT_MAX)) {
        return refuse(http, "bad_request", "limit must be from 1 to 1000.");
    }
    question->limit = number;
    number = INT64_MAX;
    if (cursor != NULL && (!lb_text_to_int(cursor, &number) || number < 1)) {
        return refuse(http, "bad_cursor", "cursor is damaged.");
    }
    question->before_number = number;
    question->from_at_ms = INT64_MIN;
    question->to_at_ms = INT64_MAX;
    question->site = lb_http_request_query(http, "site", 0);
    question->rule = lb_http_request_query(http, "rule", 0);
    question->state = lb_http_request_query(http, "state", 0);
    question->severity = lb_http_request_query(http, "severity", 0);
    question->destination = lb_http_request_query(http, "destination", 0);
    question->may_site = may_site;
    question->ctx = http;
    return read_bound(http, "from", &question->from_at_ms) &&
           read_bound(http, "to", &question->to_at_ms);
}

static void run(struct pool_job *job, struct db *db)
{
    struct list_request *list = (struct list_request *)job;

    list->rc = list->is_of_deliveries
                   ? alerts_store_list_deliveries(db, &list->question,
                                                  &list->answer, &list->err)
                   : alerts_store_list_alerts(db, &list->question,
                                              &list->answer, &list->err);
}

static void
done(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct list_request *list = (struct list_request *)job;

    if (rc != LB_OK || list->rc != LB_OK) {
        lb_http_respond_error(list->http, 503, "not_ready",
                              rc != LB_OK ? err->text : list->err.text, NULL);
    } else {
        lb_http_respond_json(list->http, 200, &list->answer);
    }
    lb_buf_deinit(&list->answer);
    free(list);
}

static void handle(struct alerts_api *api,
                   struct lb_http_request *http,
                   bool is_of_deliveries)
{
    struct list_request *list = calloc(1, sizeof(*list));

    if (list == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return;
    }
    list->http = http;
    list->is_of_deliveries = is_of_deliveries;
    if (!read_question(list)) {
        free(list);
        return;
    }
    lb_buf_init(&list->answer, ANSWER_BYTES);
    list->job.run = run;
    list->job.done = done;
    pool_submit(api->readers, &list->job);
}

static void handle_alerts(struct lb_http_request *http, void *ctx)
{
    handle(ctx, http, false);
}

static void handle_deliveries(struct lb_http_request *http, void *ctx)
{
    handle(ctx, http, true);
}

static void check(struct lb_http_request *http, void *ctx)
{
    struct alerts_api *api = ctx;

    (void)auth_check(api->auth, http, CATALOG_SCOPE_READ, false);
}

enum lb_err alerts_api_new(struct lb_http_server *server,
                           const struct alerts_parts *parts,
                           struct alerts_api **api_out,
                           struct lb_error *err)
{
    struct alerts_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route routes[] = {
        {"GET", "/v1/alerts", check, handle_alerts, api, 0},
        {"GET", "/v1/deliveries", check, handle_deliveries, api, 0},
    };
    const struct destinations_parts outgoing = {parts->auth, parts->writer,
                                                parts->config};
    enum lb_err rc = LB_OK;

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->auth = parts->auth;
    api->readers = parts->readers;
    rc = alerts_act_new(server, parts, &api->act, err);
    rc = rc == LB_OK ? deliveries_api_new(server, parts->auth, parts->readers,
                                          parts->writer, &api->deliveries, err)
                     : rc;
    rc = rc == LB_OK
             ? destinations_api_new(server, &outgoing, &api->destinations, err)
             : rc;
    rc = rc == LB_OK ? rules_api_new(server, parts, &api->rules, err) : rc;
    rc =
        rc == LB_OK ? rehearse_api_new(server, parts, &api->rehearse, err) : rc;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rc == LB_OK;
         i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

void alerts_api_set_deliver(struct alerts_api *api, struct deliver *deliver)
{
    deliveries_api_set_deliver(api->deliveries, deliver);
    destinations_api_set_deliver(api->destinations, deliver);
    rules_api_set_deliver(api->rules, deliver);
}

void alerts_api_free(struct alerts_api *api)
{
    if (api != NULL) {
        rules_api_free(api->rules);
        destinations_api_free(api->destinations);
        deliveries_api_free(api->deliveries);
        alerts_act_free(api->act);
        rehearse_api_free(api->rehearse);
        free(api);
    }
}
