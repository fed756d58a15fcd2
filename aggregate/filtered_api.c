/* filtered_api.c - GET /v1/filtered. */
#include "aggregate/filtered_api.h"

#include <stdlib.h>
#include <string.h>

#include "aggregate/filtered_store.h"
#include "aggregate/query.h"
#include "aggregate/query_params.h"
#include "base/clock.h"
#include "base/http_respond.h"
#include "base/json.h"

#define ANSWER_BYTES ((size_t)1024 * 1024)
#define CODES 64 /* of refused events */
#define CODE_BYTES 32
#define DUPLICATE "duplicate"
#define AMBIGUOUS "ambiguous"

struct filtered_api {
    struct auth *auth;
    struct pool *readers;
    struct cursor *cursor;
    int64_t timeout_ms;
};

struct code {
    char name[CODE_BYTES];
    int64_t count;
};

struct filtered_request {
    struct pool_job job; /* first */
    struct filtered_api *api;
    struct lb_http_request *http;
    struct query_params params;
    struct lb_buf answer;
    int64_t as_of_ms;
    int64_t duplicates;
    int64_t ambiguous; /* counted, and perhaps one before */
    struct code codes[CODES];
    size_t code_count;
    enum lb_err rc;
    struct lb_error err;
};

static void add_code(void *ctx, const char *name, int64_t count)
{
    struct filtered_request *request = ctx;
    size_t at = 0;

    if (strcmp(name, DUPLICATE) == 0) {
        request->duplicates += count;
        return;
    }
    if (strcmp(name, AMBIGUOUS) == 0) {
        request->ambiguous += count;
        return;
    }
    while (at < request->code_count &&
           strcmp(request->codes[at].name, name) != 0) {
        at++;
    }
    if (at == CODES || strlen(name) >= CODE_BYTES) {
        return; /* there are not so many reasons */
    }
    if (at == request->code_count) {
        memcpy(request->codes[at].name, name, strlen(name) + 1);
        request->code_count++;
    }
    request->codes[at].count += count;
}

/* Hours are whole: those that the range touches. */
static enum lb_err read_refused(struct filtered_request *request, struct db *db)
{
    const struct query *query = &request->params.query;
    const int64_t hours[2] = {query->from_at_ms / LB_MS_PER_HOUR,
                              (query->to_at_ms - 1) / LB_MS_PER_HOUR};
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < query->site_count && rc == LB_OK; i++) {
        rc = filtered_store_read(db, query->sites[i], hours, add_code, request,
                                 &request->err);
    }
    return rc;
}

/* --- the answer ----------------------------------------------------------- */

static void add_head(struct filtered_request *request, int64_t from_at_ms)
{
    const struct query *query = &request->params.query;
    struct lb_buf *buf = &request->answer;
    char from[LB_ZONE_TEXT_BYTES];
    char to[LB_ZONE_TEXT_BYTES];

    lb_zone_format(query->zone, from_at_ms, from);
    lb_zone_format(query->zone, query->to_at_ms, to);
    lb_buf_add_text(buf, "{\"site\":");
    lb_json_add_string(buf, request->params.label);
    lb_buf_printf(buf, ",\"from\":\"%s\",\"to\":\"%s\",\"rows\":[", from, to);
}

static int64_t sum_of(const struct query_row *row)
{
    const struct rollup_counts *counts = &row->figures.counts;

    return counts->views + counts->clicks + counts->leads;
}

static int compare_rows(const void *left, const void *right)
{
    const struct query_row *a = left;
    const struct query_row *b = right;
    int64_t order = sum_of(b) - sum_of(a);

    if (order != 0) {
        return order < 0 ? -1 : 1;
    }
    order = strcmp(a->values[0], b->values[0]);
    if (order == 0 && a->values[1] != NULL && b->values[1] != NULL) {
        order = strcmp(a->values[1], b->values[1]);
    }
    return (int)order;
}

/* Rows of all classes; returns how many clicks were double taps. */
static int64_t add_rows(struct filtered_request *request,
                        struct query_result *result)
{
    struct lb_buf *buf = &request->answer;
    int64_t double_taps = 0;

    if (result->row_count > 0) {
        qsort(result->rows, result->row_count, sizeof(*result->rows),
              compare_rows);
    }
    for (size_t i = 0; i < result->row_count; i++) {
        const struct query_row *row = &result->rows[i];
        const struct rollup_counts *counts = &row->figures.counts;

        double_taps += counts->clicks_raw - counts->clicks;
        if (strcmp(row->values[0], "human") == 0) {
            continue;
        }
        lb_json_add_comma(buf);
        lb_buf_printf(buf, "{\"traffic\":\"%s\",\"reason\":", row->values[0]);
        lb_json_add_string(buf, row->values[1]);
        lb_buf_printf(buf, ",\"views\":%lld,\"clicks\":%lld,\"leads\":%lld}",
                      (long long)counts->views, (long long)counts->clicks,
                      (long long)counts->leads);
    }
    return double_taps;
}

static void add_tail(struct filtered_request *request, int64_t double_taps)
{
    struct lb_buf *buf = &request->answer;

    lb_buf_printf(buf,
                  "],\"duplicates\":%lld,\"double_taps\":%lld,\"rejected\":{",
                  (long long)request->duplicates, (long long)double_taps);
    for (size_t i = 0; i < request->code_count; i++) {
        lb_json_add_comma(buf);
        lb_buf_printf(buf, "\"%s\":%lld", request->codes[i].name,
                      (long long)request->codes[i].count);
    }
    lb_buf_printf(buf, "},\"ambiguous_duplicates\":%lld,\"meta\":{\"as_of\":",
                  (long long)request->ambiguous);
    lb_json_add_time(buf, request->as_of_ms);
    lb_buf_add_text(buf, "}}");
}

static void run(struct pool_job *job, struct db *db)
{
    struct filtered_request *request = (struct filtered_request *)job;
    struct query_result result;

    request->rc = query_run(&request->params.query, db, &result, &request->err);
    request->rc =
        request->rc == LB_OK ? read_refused(request, db) : request->rc;
    if (request->rc == LB_OK) {
        add_head(request, result.from_at_ms);
        add_tail(request, add_rows(request, &result));
    }
    query_result_deinit(&result);
}

static void
done(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct filtered_request *request = (struct filtered_request *)job;

    lb_http_request_tell_gone(request->http, NULL);
    if (rc != LB_OK || request->rc != LB_OK) {
        stats_api_respond_error(request->http, rc != LB_OK ? rc : request->rc,
                                rc != LB_OK ? err->text : request->err.text);
    } else {
        lb_http_respond_json(request->http, 200, &request->answer);
    }
    query_params_deinit(&request->params);
    lb_buf_deinit(&request->answer);
    free(request);
}

/* --- the route ------------------------------------------------------------ */

/* Views, clicks and leads of every class and reason. */
static void fill_query(struct query *query, int64_t timeout_ms)
{
    static const enum query_metric metrics[] = {QUERY_VIEWS, QUERY_CLICKS,
                                                QUERY_CLICKS_RAW, QUERY_LEADS};

    query->traffic = (1u << ENTRY_TRAFFIC_COUNT) - 1;
    (void)dimension_find("traffic", false, &query->dimensions[0]);
    (void)dimension_find("reason", false, &query->dimensions[1]);
    query->dimension_count = 2;
    query->metric_count = sizeof(metrics) / sizeof(metrics[0]);
    memcpy(query->metrics, metrics, sizeof(metrics));
    query->order_metric = -1;
    query->order_dimension = -1;
    query->deadline_at_ms = lb_clock_mono_ms() + timeout_ms;
}

static void handle(struct lb_http_request *http, void *ctx)
{
    struct filtered_api *api = ctx;
    struct filtered_request *request = calloc(1, sizeof(*request));

    if (request == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return;
    }
    lb_buf_init(&request->answer, ANSWER_BYTES);
    request->api = api;
    request->http = http;
    request->as_of_ms = cursor_as_of_ms(api->cursor);
    if (!query_params_read_range(http, &request->params)) {
        query_params_deinit(&request->params);
        free(request);
        return;
    }
    fill_query(&request->params.query, api->timeout_ms);
    request->job.run = run;
    request->job.done = done;
    request->params.query.is_cancelled = &request->job.is_cancelled;
    lb_http_request_tell_gone(http, &request->job.is_cancelled);
    pool_submit(api->readers, &request->job);
}

static void check(struct lb_http_request *http, void *ctx)
{
    struct filtered_api *api = ctx;

    (void)auth_check(api->auth, http, CATALOG_SCOPE_READ, false);
}

enum lb_err filtered_api_new(struct lb_http_server *server,
                             struct auth *auth,
                             const struct stats_parts *parts,
                             const struct lb_config *config,
                             struct filtered_api **api_out,
                             struct lb_error *err)
{
    struct filtered_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route route = {
        "GET", "/v1/filtered", check, handle, api, 0};

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->auth = auth;
    api->readers = parts->readers;
    api->cursor = parts->cursor;
    filtered_api_set_config(api, config);
    return lb_http_server_add_route(server, &route, err);
}

void filtered_api_set_config(struct filtered_api *api,
                             const struct lb_config *config)
{
    api->timeout_ms = config->query_timeout_ms;
}

void filtered_api_free(struct filtered_api *api)
{
    free(api);
}
