/* stats_api.c - GET /v1/stats. */
#include "aggregate/stats_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/coverage_store.h"
#include "aggregate/query.h"
#include "aggregate/query_params.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/text.h"

#define ANSWER_BYTES ((size_t)64 * 1024 * 1024)
#define FIGURES_BYTES ((size_t)16 * 1024) /* of a row */

struct stats_api {
    struct auth *auth;
    struct pool *readers;
    struct cursor *cursor;
    int64_t min_n;
    int64_t timeout_ms;
    bool is_case_kept;
    char scope[16]; /* the visitor period */
    struct lb_metric *seconds;
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

static const char *key_of(const struct dimension *dimension)
{
    return dimension->kind == DIMENSION_TIME ? "time" : dimension->name;
}

/* --- figures as text: the same for JSON and CSV
 * ---------------------------------- */

typedef void (*add_fn)(struct lb_buf *buf,
                       const char *metric,
                       const char *suffix,
                       const char *text);

static void add_number(struct lb_buf *buf,
                       add_fn add,
                       const char *metric,
                       const char *suffix,
                       double value,
                       int decimals)
{
    struct lb_buf text;

    lb_buf_init(&text, 64);
    lb_json_add_double(&text, value, decimals);
    add(buf, metric, suffix, lb_buf_text(&text));
    lb_buf_deinit(&text);
}

static void add_rate(struct lb_buf *buf,
                     add_fn add,
                     const struct query_figures *figures,
                     enum query_metric metric,
                     int64_t min_n)
{
    const char *name = query_metric_name(metric);
    double value = 0;
    double hits = 0;
    double n = 0;
    double low = 0;
    double high = 0;
    bool has_value = query_figure(figures, metric, &value, &hits, &n);
    bool has_bounds = has_value && hits <= n;

    if (has_value) {
        add_number(buf, add, name, "", value, 4);
    } else {
        add(buf, name, "", "null");
    }
    add_number(buf, add, name, "_n", n, 0);
    if (has_bounds) {
        rollup_wilson(hits, n, &low, &high);
        add_number(buf, add, name, "_lo", low, 4);
        add_number(buf, add, name, "_hi", high, 4);
    } else {
        add(buf, name, "_lo", "null");
        add(buf, name, "_hi", "null");
    }
    add(buf, name, "_low_n", n < (double)min_n ? "true" : "false");
}

static void add_metrics(struct lb_buf *buf,
                        add_fn add,
                        const struct query *query,
                        const struct query_figures *figures,
                        int64_t min_n)
{
    for (size_t i = 0; i < query->metric_count; i++) {
        enum query_metric metric = query->metrics[i];
        const char *name = query_metric_name(metric);
        double value = 0;
        double hits;
        double n;

        if (query_metric_is_rate(metric)) {
            add_rate(buf, add, figures, metric, min_n);
        } else if (query_figure(figures, metric, &value, &hits, &n)) {
            add_number(buf, add, name, "", value,
                       metric == QUERY_VALUE ? 2 : 0);
        } else {
            add(buf, name, "", "null");
        }
        if (metric == QUERY_VALUE) {
            bool has_one =
                figures->currency[0] != '\0' && figures->currency[0] != '*';
            char text[8];

            (void)snprintf(text, sizeof(text), has_one ? "\"%s\"" : "null",
                           figures->currency);
            add(buf, name, "_currency", text);
        }
    }
}

static void add_json(struct lb_buf *buf,
                     const char *metric,
                     const char *suffix,
                     const char *text)
{
    lb_json_add_comma(buf);
    lb_buf_printf(buf, "\"%s%s\":%s", metric, suffix, text);
}

static void add_csv_value(struct lb_buf *buf,
                          const char *metric,
                          const char *suffix,
                          const char *text)
{
    size_t len = strlen(text);

    (void)metric;
    (void)suffix;
    lb_buf_add_char(buf, ','); /* without dimensions the row drops the first */
    if (strcmp(text, "null") == 0) {
        return;
    }
    if (text[0] == '"') {
        lb_buf_add(buf, text + 1, len - 2);
    } else {
        lb_buf_add(buf, text, len);
    }
}

static void add_csv_name(struct lb_buf *buf,
                         const char *metric,
                         const char *suffix,
                         const char *text)
{
    (void)text;
    if (buf->len > 0) {
        lb_buf_add_char(buf, ',');
    }
    lb_buf_printf(buf, "%s%s", metric, suffix);
}

static const char *dimension_text(const struct query *query,
                                  const struct query_row *row,
                                  size_t index,
                                  char time[LB_ZONE_TEXT_BYTES])
{
    if (query->dimensions[index].kind == DIMENSION_TIME) {
        lb_zone_format(query->zone, row->time_at_ms, time);
        return time;
    }
    return row->values[index];
}

/* --- JSON
 * ----------------------------------------------------------------------- */

/* What a row by time says of itself when its figures are incomplete. */
static void add_coverage(struct lb_buf *buf,
                         const struct stats_request *request,
                         const struct query_row *row)
{
    const struct query *query = &request->params.query;
    const struct catalog_site *site = NULL;
    enum coverage_state state;
    int64_t end_ms = 0;

    for (size_t i = 0; i < query->dimension_count; i++) {
        const struct dimension *dimension = &query->dimensions[i];

        if (dimension->kind == DIMENSION_TIME) {
            end_ms = lb_zone_bucket_next_ms(
                query->zone, (enum lb_zone_grain)dimension->grain,
                row->time_at_ms);
        } else if (dimension->kind == DIMENSION_SITE &&
                   row->values[i] != NULL) {
            site = catalog_site_find(query->catalog, row->values[i]);
        }
    }
    if (end_ms == 0 || request->coverage.count == 0) {
        return;
    }
    state = coverage_store_worst(&request->coverage,
                                 site == NULL ? 0 : site->number,
                                 row->time_at_ms, end_ms);
    if (state != COVERAGE_COMPLETE) {
        lb_buf_printf(buf, ",\"coverage\":\"%s\"", coverage_name(state));
    }
}

static void add_row(struct lb_buf *buf,
                    const struct stats_request *request,
                    const struct query_row *row)
{
    const struct query *query = &request->params.query;
    char time[LB_ZONE_TEXT_BYTES];

    lb_json_add_comma(buf);
    lb_buf_add_char(buf, '{');
    for (size_t i = 0; i < query->dimension_count; i++) {
        const char *text = dimension_text(query, row, i, time);

        lb_json_add_key(buf, key_of(&query->dimensions[i]));
        if (query->dimensions[i].kind == DIMENSION_QR) {
            lb_buf_add_text(buf, text);
        } else {
            lb_json_add_string(buf, text);
        }
    }
    add_metrics(buf, add_json, query, &row->figures, request->api->min_n);
    add_coverage(buf, request, row);
    lb_buf_add_char(buf, '}');
}

static bool is_asked(const struct query *query, enum query_metric metric)
{
    for (size_t i = 0; i < query->metric_count; i++) {
        if (query->metrics[i] == metric) {
            return true;
        }
    }
    return false;
}

static void add_meta(struct lb_buf *buf,
                     const struct stats_request *request,
                     const struct query_result *result)
{
    const struct query *query = &request->params.query;
    char day[LB_ZONE_DAY_BYTES];

    lb_buf_add_text(buf, ",\"meta\":{\"as_of\":");
    lb_json_add_time(buf, request->as_of_ms);
    lb_buf_printf(buf,
                  ",\"coverage\":\"%s\",\"scope\":\"%s\",\"traffic\":"
                  "\"%s\",\"warnings\":[",
                  coverage_name(coverage_store_worst(&request->coverage, 0,
                                                     result->from_at_ms,
                                                     query->to_at_ms)),
                  request->api->scope, request->params.traffic);
    if (is_asked(query, QUERY_CTR) && result->clicks_without_visitor * 10 >
                                          result->totals.counts.clicks_raw) {
        lb_buf_add_text(
            buf,
            "{\"code\":\"clicks_without_visitor\",\"message\":\"Over 10 % of "
            "the clicks have no visitor, so they can't inherit a source; CTR "
            "by source is not meaningful.\",\"metric\":\"ctr\"}");
    }
    if (is_asked(query, QUERY_VALUE) && result->totals.currency[0] == '*') {
        lb_json_add_comma(buf);
        lb_buf_add_text(
            buf, "{\"code\":\"several_currencies\",\"message\":\"Amounts of "
                 "several currencies can't be added.\",\"metric\":\"value\"}");
    }
    lb_buf_add_text(buf, "],\"data_from\":");
    if (result->data_from_ms == 0) {
        lb_buf_add_text(buf, "null");
    } else {
        lb_zone_format_day(lb_zone_local_day(query->zone, result->data_from_ms),
                           day);
        lb_buf_printf(buf, "\"%s\"", day);
    }
    lb_buf_add_char(buf, '}');
}

static void page_of(const struct query_params *params,
                    size_t count,
                    size_t *first_out,
                    size_t *last_out)
{
    *first_out = params->offset < count ? params->offset : count;
    *last_out =
        count - *first_out > params->limit ? *first_out + params->limit : count;
}

static void write_json(struct stats_request *request,
                       const struct query_result *result)
{
    const struct query_params *params = &request->params;
    const struct query *query = &params->query;
    struct lb_buf *buf = &request->answer;
    char from[LB_ZONE_TEXT_BYTES];
    char to[LB_ZONE_TEXT_BYTES];
    size_t first;
    size_t last;

    page_of(params, result->row_count, &first, &last);
    lb_zone_format(query->zone, result->from_at_ms, from);
    lb_zone_format(query->zone, query->to_at_ms, to);
    lb_buf_add_text(buf, "{\"site\":");
    lb_json_add_string(buf, params->label);
    lb_buf_printf(buf,
                  ",\"from\":\"%s\",\"to\":\"%s\",\"tz\":\"%s\",\"rows\":[",
                  from, to, lb_zone_name(query->zone));
    for (size_t i = first; i < last; i++) {
        add_row(buf, request, &result->rows[i]);
    }
    lb_buf_add_text(buf, "],\"totals\":{");
    add_metrics(buf, add_json, query, &result->totals, request->api->min_n);
    lb_buf_add_char(buf, '}');
    add_meta(buf, request, result);
    if (last < result->row_count) {
        lb_buf_printf(buf, ",\"next\":\"%016llx-%zu\"}",
                      (unsigned long long)params->hash, last);
    } else {
        lb_buf_add_text(buf, ",\"next\":null}");
    }
}

static void write_csv_row(struct lb_buf *buf,
                          const struct query *query,
                          const struct query_row *row,
                          int64_t min_n)
{
    char time[LB_ZONE_TEXT_BYTES];
    struct lb_buf figures;

    for (size_t i = 0; i < query->dimension_count; i++) {
        const char *text = dimension_text(query, row, i, time);

        lb_buf_add_text(buf, i > 0 ? "," : "");
        lb_text_add_csv(buf, text == NULL ? "" : text);
    }
    lb_buf_init(&figures, FIGURES_BYTES);
    add_metrics(&figures, add_csv_value, query, &row->figures, min_n);
    lb_buf_add_text(buf, lb_buf_text(&figures) +
                             (query->dimension_count == 0 ? 1 : 0));
    lb_buf_deinit(&figures);
    lb_buf_add_text(buf, "\r\n");
}

static void write_csv(struct stats_request *request,
                      const struct query_result *result)
{
    const struct query *query = &request->params.query;
    struct lb_buf *buf = &request->answer;
    size_t first;
    size_t last;

    page_of(&request->params, result->row_count, &first, &last);
    for (size_t i = 0; i < query->dimension_count; i++) {
        add_csv_name(buf, key_of(&query->dimensions[i]), "", "");
    }
    add_metrics(buf, add_csv_name, query, &result->totals, request->api->min_n);
    lb_buf_add_text(buf, "\r\n");
    for (size_t r = first; r < last; r++) {
        write_csv_row(buf, query, &result->rows[r], request->api->min_n);
    }
}

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
    struct query_result result;

    request->rc = query_run(&request->params.query, db, &result, &request->err);
    request->rc = request->rc == LB_OK ? read_coverage(request, db, &result)
                                       : request->rc;
    if (request->rc == LB_OK) {
        if (request->params.is_csv) {
            write_csv(request, &result);
        } else {
            write_json(request, &result);
        }
        if (request->answer.is_failed) {
            request->rc =
                lb_err_set(&request->err, LB_ELIMIT,
                           "the answer is larger than 64 MiB; ask with limit");
        }
    }
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
static void make_tag(const struct stats_request *request, char out[40])
{
    static const uint8_t key[LB_HASH_KEY_BYTES] = {2};
    const char *text = lb_buf_text(&request->answer);
    const char *as_of =
        request->params.is_csv ? NULL : strstr(text, "\"as_of\":");
    size_t head = as_of == NULL ? request->answer.len : (size_t)(as_of - text);
    size_t tail = as_of == NULL ? request->answer.len
                                : head + strlen("\"as_of\":\"\"") +
                                      LB_CLOCK_TEXT_BYTES - 1;
    uint64_t hash = lb_hash_sip(key, text, head);

    if (tail < request->answer.len) {
        hash = hash * 31 +
               lb_hash_sip(key, text + tail, request->answer.len - tail);
    }
    (void)snprintf(out, 40, "W/\"%016llx\"", (unsigned long long)hash);
}

static void respond(struct stats_request *request)
{
    const char *known = lb_http_request_header(request->http, "If-None-Match");
    char tag[40];

    make_tag(request, tag);
    lb_http_respond_header(request->http, "ETag", tag);
    if (known != NULL && (strcmp(known, "*") == 0 ||
                          strstr(known, tag + strlen("W/")) != NULL)) {
        lb_http_respond(request->http, 304, NULL, "", 0);
        return;
    }
    lb_http_respond(request->http, 200,
                    request->params.is_csv ? "text/csv; charset=utf-8"
                                           : "application/json",
                    lb_buf_text(&request->answer), request->answer.len);
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

    lb_metrics_observe_ns(request->api->seconds,
                          lb_clock_mono_ns() - request->began_at_ns);
    if (rc != LB_OK) {
        stats_api_respond_error(request->http, rc, err->text);
    } else if (request->rc != LB_OK) {
        stats_api_respond_error(request->http, request->rc, request->err.text);
    } else {
        respond(request);
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
    request->params.query.deadline_at_ms = lb_clock_mono_ms() + api->timeout_ms;
    request->job.run = run;
    request->job.done = done;
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
