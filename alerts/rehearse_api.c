/* rehearse_api.c - POST /v1/rules/backtest. */
#include "alerts/rehearse_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/rehearse.h"
#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "sql/object_draft.h"

#define BODY_BYTES 65536
#define BODY_DEPTH 16
#define ANSWER_BYTES ((size_t)64 * 1024 * 1024)
#define PIECE_MS 500        /* of one read transaction */
#define DAYS 90             /* unless from says otherwise */
#define NO_NUMBER INT32_MAX /* of a rule that does not exist */

struct rehearse_api {
    struct auth *auth;
    struct pool *readers;
    const struct lb_config *config;
    const struct apply_kinds *kinds;
};

struct request {
    struct pool_job job; /* first */
    struct rehearse_api *api;
    struct lb_http_request *http;
    struct catalog *catalog; /* owned reference */
    struct lb_config config; /* as it was */
    struct rehearse_order order;
    cJSON *body;                 /* owned; the order's texts */
    struct rehearsal *rehearsal; /* owned */
    struct lb_buf answer;
    bool is_done;
    enum lb_err rc;
    struct lb_error err;
};

static void free_request(struct request *request)
{
    rehearse_free(request->rehearsal);
    catalog_unref(request->catalog);
    cJSON_Delete(request->body);
    lb_buf_deinit(&request->answer);
    free(request);
}

static void run(struct pool_job *job, struct db *db)
{
    struct request *request = (struct request *)job;

    if (request->rehearsal == NULL) {
        request->rc =
            rehearse_new(&request->order, &request->rehearsal, &request->err);
    }
    if (request->rc == LB_OK) {
        request->rc =
            rehearse_step(request->rehearsal, db, lb_clock_mono_ms() + PIECE_MS,
                          &request->is_done, &request->err);
    }
    if (request->rc == LB_OK && request->is_done) {
        request->rc =
            rehearse_write(request->rehearsal, &request->answer, &request->err);
    }
}

static void
done(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct request *request = (struct request *)job;

    if (rc == LB_OK && request->rc == LB_OK && !request->is_done) {
        pool_submit(request->api->readers, &request->job);
        return;
    }
    if (rc != LB_OK) {
        lb_http_respond_error(request->http, 503, "not_ready", err->text, NULL);
    } else if (request->rc != LB_OK) {
        lb_http_respond_error(
            request->http,
            request->rc == LB_EINVAL || request->rc == LB_ELIMIT ? 422 : 503,
            "backtest", request->err.text, NULL);
    } else {
        lb_http_respond_json(request->http, 200, &request->answer);
    }
    free_request(request);
}

static bool refuse(struct request *request, const char *field, const char *text)
{
    char message[400];

    (void)snprintf(message, sizeof(message), "%.90s: %.290s", field, text);
    lb_http_respond_error(request->http, 422, "invalid", message, NULL);
    return false;
}

/* A rule's id, or a rule. */
static bool read_rule(struct request *request)
{
    cJSON *rule = cJSON_GetObjectItemCaseSensitive(request->body, "rule");
    struct object_fault fault;

    if (cJSON_IsString(rule)) {
        const struct catalog_object *found = catalog_object_find(
            request->catalog, CATALOG_RULE, rule->valuestring);

        if (found == NULL) {
            return refuse(request, "rule", "there is no such rule");
        }
        request->order.rule = *found;
        return true;
    }
    if (!cJSON_IsObject(rule)) {
        return refuse(request, "rule", "must be a rule's id, or a rule");
    }
    if (cJSON_GetObjectItemCaseSensitive(rule, "id") == NULL) {
        (void)cJSON_AddStringToObject(rule, "id", "backtest");
    }
    if (!object_draft_check(OBJECT_RULE, rule, request->catalog,
                            request->api->kinds, &fault)) {
        return refuse(request, fault.field, fault.text);
    }
    request->order.rule =
        (struct catalog_object){.number = NO_NUMBER, .body = rule};
    return true;
}

static bool
read_bound(struct request *request, const char *name, int64_t *at_out)
{
    const struct catalog_site *site = request->order.site;
    const char *text = lb_json_text(request->body, name);
    int64_t day;

    if (text == NULL || lb_zone_parse_instant(text, at_out)) {
        return true;
    }
    if (!lb_zone_parse_day(text, &day)) {
        return refuse(request, name, "must be a date or an RFC 3339 instant");
    }
    day += name[0] == 't' ? 1 : 0;
    if (site == NULL && catalog_site_count(request->catalog) > 0) {
        site = catalog_site_at(request->catalog, 0);
    }
    *at_out = site == NULL ? day * LB_MS_PER_DAY
                           : lb_zone_day_start_ms(site->zone, day);
    return true;
}

static bool read_order(struct request *request)
{
    static const char *const known[] = {"rule", "from", "to", "site"};
    const char *site = lb_json_text(request->body, "site");
    struct rehearse_order *order = &request->order;
    const cJSON *item;

    cJSON_ArrayForEach (item, request->body) {
        size_t at = 0;

        while (at < 4 && strcmp(known[at], item->string) != 0) {
            at++;
        }
        if (at == 4) {
            return refuse(request, item->string,
                          "is no key here; there are rule, from, to and site");
        }
    }
    order->config = &request->config;
    order->catalog = request->catalog;
    if (site != NULL) {
        order->site = catalog_site_find(request->catalog, site);
    }
    if (site != NULL && order->site == NULL) {
        return refuse(request, "site", "there is no such site");
    }
    order->to_at_ms = lb_clock_wall_ms() + 1;
    if (!read_bound(request, "to", &order->to_at_ms)) {
        return false;
    }
    order->from_at_ms = order->to_at_ms - DAYS * LB_MS_PER_DAY;
    if (!read_bound(request, "from", &order->from_at_ms) ||
        !read_rule(request)) {
        return false;
    }
    return order->from_at_ms < order->to_at_ms ||
           refuse(request, "from", "must be before to");
}

static void handle(struct lb_http_request *http, void *ctx)
{
    struct rehearse_api *api = ctx;
    struct lb_buf *body = lb_http_request_body(http);
    struct request *request = calloc(1, sizeof(*request));
    struct lb_json_fault fault;

    if (request == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return;
    }
    request->api = api;
    request->http = http;
    request->config = *api->config;
    request->catalog = catalog_ref(auth_who_of(http)->catalog);
    request->job.run = run;
    request->job.done = done;
    lb_buf_init(&request->answer, ANSWER_BYTES);
    if (lb_json_parse(lb_buf_text(body), body->len, BODY_DEPTH, NULL,
                      &request->body, &fault) != LB_OK ||
        !cJSON_IsObject(request->body)) {
        lb_http_respond_error(http, 400, "bad_json",
                              "The body is no JSON object.", NULL);
        free_request(request);
    } else if (!read_order(request)) {
        free_request(request);
    } else {
        pool_submit(api->readers, &request->job);
    }
}

static void check(struct lb_http_request *http, void *ctx)
{
    struct rehearse_api *api = ctx;

    (void)auth_check(api->auth, http, CATALOG_SCOPE_ADMIN, false);
}

enum lb_err rehearse_api_new(struct lb_http_server *server,
                             const struct alerts_parts *parts,
                             struct rehearse_api **api_out,
                             struct lb_error *err)
{
    struct rehearse_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route route = {
        "POST", "/v1/rules/backtest", check, handle, api, BODY_BYTES};

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    *api = (struct rehearse_api){parts->auth, parts->readers, parts->config,
                                 parts->kinds};
    return lb_http_server_add_route(server, &route, err);
}

void rehearse_api_free(struct rehearse_api *api)
{
    free(api);
}
