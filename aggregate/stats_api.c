/* stats_api.c - GET /v1/stats. */
#include "aggregate/stats_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/coverage_store.h"
#include "aggregate/query.h"
#include "aggregate/query_params.h"
#include "aggregate/stats_answer.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/metrics.h"

#define ANSWER_BYTES ((size_t)64 * 1024 * 1024)

struct stats_api {
    struct auth *auth;
    struct pool *readers;
    struct cursor *cursor;
    int64_t min_n;
    int64_t timeout_ms;
    bool is_case_kept;
    char scope[16]; /* the visitor period */
    struct lb_metric *seconds;
    struct lb_metric *cancelled;
};

struct stats_request {
    struct pool_job job; /* first */
    struct stats_api *api;
    struct lb_http_request *http;
    struct query_params params;
    struct coverage_store_list coverage; /* what is incomplete so far */
    struct lb_buf answer;
    enum lb_err rc;
    struct lb_error err;
    int64_t as_of_ms;
    int64_t began_at_ns;
};

/* --- the route
 * -------------------------------------------------------------------- */

/* What is incomplete in the range, up to now: of the time after it nobody
 * knows. */
static enum lb_err read_coverage(struct stats_request *request,
                                 struct db *db,
                                 const struct query_result *result)
{
    const struct query *query = &request->params.query;
    const struct coverage_store_question question = {
        query->sites, query->site_count, result->from_at_ms,
        query->to_at_ms <= request->as_of_ms ? query->to_at_ms
                                             : request->as_of_ms + 1};

    return coverage_store_read(db, &question, &request->coverage,
                               &request->err);
}

static void run(struct pool_job *job, struct db *db)
{
    struct stats_request *request = (struct stats_request *)job;
    struct query_compare *before = NULL;
    struct query_result result;
    int64_t began_ns = lb_clock_mono_ns();

    request->rc = query_run(&request->params.query, db, &result, &request->err);
    request->rc = request->rc == LB_OK ? read_coverage(request, db, &result)
                                       : request->rc;
    if (request->rc == LB_OK && request->params.compare != QUERY_COMPARE_NONE) {
        request->rc = query_compare_run(
            &request->params.query, request->params.compare,
            request->params.is_by_days, db, &before, &request->err);
    }
    if (request->rc == LB_OK) {
        const struct stats_answer answer = {&request->params,
                                            &result,
                                            before,
                                            &request->coverage,
                                            request->as_of_ms,
                                            request->api->min_n,
                                            request->api->scope,
                                            lb_clock_mono_ns() - began_ns};

        if (request->params.is_csv) {
            stats_answer_write_csv(&answer, &request->answer);
        } else {
            stats_answer_write_json(&answer, &request->answer);
        }
        if (request->answer.is_failed) {
            request->rc =
                lb_err_set(&request->err, LB_ELIMIT,
                           "the answer is larger than 64 MiB; ask with limit");
        }
    }
    query_compare_free(before);
    query_result_deinit(&result);
}

void stats_api_respond_error(struct lb_http_request *http,
                             enum lb_err rc,
                             const char *text)
{
    int status = 503;
    const char *code = "not_ready";

    if (rc == LB_ETIMEOUT) {
        code = "query_timeout";
    } else if (rc == LB_ECANCELLED) {
        code = "cancelled"; /* nobody reads it, or only this side is open */
    } else if (rc == LB_ELIMIT) {
        status = 400;
        code = "too_many_groups";
    } else if (rc == LB_EINTERNAL) {
        status = 500;
        code = "internal";
    }
    if (status == 503) {
        lb_http_respond_header(http, "Retry-After", "5");
    }
    lb_http_respond_error(http, status, code, text, NULL);
}

/* The answer's tag: it changes with as_of only when the rest does. */
static void make_tag(const struct lb_buf *answer, char out[40])
{
    static const uint8_t key[LB_HASH_KEY_BYTES] = {2};
    const char *text = lb_buf_text(answer);
    const char *as_of =
        text[0] != '{' ? NULL : strstr(text, "\"as_of\":"); /* not in CSV */
    size_t head = as_of == NULL ? answer->len : (size_t)(as_of - text);
    size_t tail = as_of == NULL ? answer->len
                                : head + strlen("\"as_of\":\"\"") +
                                      LB_CLOCK_TEXT_BYTES - 1;
    uint64_t hash = lb_hash_sip(key, text, head);

    if (tail < answer->len) {
        hash = hash * 31 + lb_hash_sip(key, text + tail, answer->len - tail);
    }
    (void)snprintf(out, 40, "W/\"%016llx\"", (unsigned long long)hash);
}

void stats_api_respond(struct lb_http_request *http,
                       const char *content_type,
                       const struct lb_buf *answer)
{
    const char *known = lb_http_request_header(http, "If-None-Match");
    char tag[40];

    make_tag(answer, tag);
    lb_http_respond_header(http, "ETag", tag);
    if (known != NULL && (strcmp(known, "*") == 0 ||
                          strstr(known, tag + strlen("W/")) != NULL)) {
        lb_http_respond(http, 304, NULL, "", 0);
        return;
    }
    lb_http_respond(http, 200, content_type, lb_buf_text(answer), answer->len);
}

static void free_request(struct stats_request *request)
{
    query_params_deinit(&request->params);
    coverage_store_deinit(&request->coverage);
    lb_buf_deinit(&request->answer);
    free(request);
}

static void
done(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct stats_request *request = (struct stats_request *)job;

    lb_http_request_tell_gone(request->http, NULL);
    lb_metrics_add(request->api->cancelled,
                   request->rc == LB_ECANCELLED ? 1 : 0);
    lb_metrics_observe_ns(request->api->seconds,
                          lb_clock_mono_ns() - request->began_at_ns);
    if (rc != LB_OK) {
        stats_api_respond_error(request->http, rc, err->text);
    } else if (request->rc != LB_OK) {
        stats_api_respond_error(request->http, request->rc, request->err.text);
    } else {
        stats_api_respond(request->http,
                          request->params.is_csv ? "text/csv; charset=utf-8"
                                                 : "application/json",
                          &request->answer);
    }
    free_request(request);
}

static void handle(struct lb_http_request *http, void *ctx)
{
    struct stats_api *api = ctx;
    struct stats_request *request = calloc(1, sizeof(*request));

    if (request == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return;
    }
    lb_buf_init(&request->answer, ANSWER_BYTES);
    request->api = api;
    request->http = http;
    request->began_at_ns = lb_clock_mono_ns();
    request->as_of_ms = cursor_as_of_ms(api->cursor);
    if (!query_params_read(http, api->is_case_kept, &request->params)) {
        free_request(request);
        return;
    }
    request->params.query.has_day_periods = strcmp(api->scope, "day") == 0;
    request->params.query.deadline_at_ms = lb_clock_mono_ms() + api->timeout_ms;
    request->job.run = run;
    request->job.done = done;
    request->params.query.is_cancelled = &request->job.is_cancelled;
    lb_http_request_tell_gone(http, &request->job.is_cancelled);
    pool_submit(api->readers, &request->job);
}

static void check(struct lb_http_request *http, void *ctx)
{
    struct stats_api *api = ctx;

    (void)auth_check(api->auth, http, CATALOG_SCOPE_READ, true);
}

enum lb_err stats_api_new(struct lb_http_server *server,
                          struct auth *auth,
                          const struct stats_parts *parts,
                          const struct lb_config *config,
                          struct stats_api **api_out,
                          struct lb_error *err)
{
    struct stats_api *api = calloc(1, sizeof(*api));
    struct lb_http_route route = {"GET", "/v1/stats", check, handle, api, 0};

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->auth = auth;
    api->readers = parts->readers;
    api->cursor = parts->cursor;
    api->cancelled =
        lb_metrics_get(LB_METRIC_COUNTER, "linkbell_queries_cancelled_total",
                       "Stats queries ended because the client left.", "");
    api->seconds = lb_metrics_histogram("linkbell_query_seconds",
                                        "Time of a stats query.", "", true);
    stats_api_set_config(api, config);
    return lb_http_server_add_route(server, &route, err);
}

void stats_api_set_config(struct stats_api *api, const struct lb_config *config)
{
    api->min_n = config->min_n;
    api->timeout_ms = config->query_timeout_ms;
    api->is_case_kept = strcmp(config->utm_case, "keep") == 0;
    (void)snprintf(api->scope, sizeof(api->scope), "%.15s",
                   config->visitor_period);
}

void stats_api_free(struct stats_api *api)
{
    free(api);
}
