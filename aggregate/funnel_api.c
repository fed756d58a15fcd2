/* funnel_api.c - GET /v1/funnel. */
#include "aggregate/funnel_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/aged.h"
#include "aggregate/coverage_store.h"
#include "aggregate/funnel.h"
#include "aggregate/query_params.h"
#include "base/clock.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "base/text.h"
#include "sql/log_store.h"

#define ANSWER_BYTES ((size_t)64 * 1024 * 1024)
#define STEPS_DEFAULT "view,click,lead"
#define WITHIN_DEFAULT_MS LB_MS_PER_DAY
#define WITHIN_MOST_MS (30 * LB_MS_PER_DAY)
#define SLICE_DAYS 31      /* periods of visitors counted at once */
#define CHECK_ENTRIES 4096 /* between looks at the deadline */

struct funnel_api {
    struct auth *auth;
    struct pool *readers;
    struct cursor *cursor;
    int64_t timeout_ms;
    bool is_case_kept;
    char scope[16]; /* the visitor period */
};

struct funnel_request {
    struct pool_job job; /* first */
    struct funnel_api *api;
    struct lb_http_request *http;
    struct query_params params;
    struct funnel_step steps[FUNNEL_STEPS];
    size_t step_count;
    int64_t within_ms;
    bool has_by;
    struct dimension by;
    struct funnel *funnel; /* owned */
    struct lb_buf scratch;
    struct lb_buf answer;
    int64_t aged_before_ms; /* events that were asked for are gone; 0: none */
    int64_t as_of_ms;
    enum lb_err rc;
    struct lb_error err;
};

/* --- counting ------------------------------------------------------------- */

static enum lb_err check_time(struct funnel_request *request)
{
    const struct query *query = &request->params.query;

    if (atomic_load(&request->job.is_cancelled)) {
        return lb_err_set(&request->err, LB_ECANCELLED, "the client is gone");
    }
    return lb_clock_mono_ms() <= query->deadline_at_ms
               ? LB_OK
               : lb_err_set(&request->err, LB_ETIMEOUT,
                            "the funnel ran longer than "
                            "limits.query_timeout; ask for a shorter range");
}

static enum lb_err take_entry(struct funnel_request *request,
                              const struct entry *entry,
                              const int64_t days[2])
{
    const struct query *query = &request->params.query;
    const struct catalog_site *found =
        catalog_site_by_number(query->catalog, entry->site);
    const char *site = found == NULL ? NULL : found->id;

    if (entry->visitor_day < days[0] || entry->visitor_day >= days[1] ||
        (query->traffic & 1u << entry->traffic) == 0 ||
        !filter_matches(query->filter, entry, site, entry->type == ENTRY_VIEW,
                        &request->scratch)) {
        return LB_OK;
    }
    return funnel_add(request->funnel, entry,
                      request->has_by ? dimension_value(&request->by, entry,
                                                        site, &request->scratch)
                                      : NULL,
                      &request->err);
}

/* Visitors whose periods begin on days[0] <= day < days[1].  Their events lie
 * within a day (zones differ) and a period around these. */
static enum lb_err count_slice(struct funnel_request *request,
                               struct db *db,
                               struct dict_cache *cache,
                               const int64_t days[2])
{
    const struct query *query = &request->params.query;
    int64_t period = strcmp(request->api->scope, "day") == 0 ? 1 : SLICE_DAYS;
    int64_t first_at_ms = (days[0] - 1) * LB_MS_PER_DAY;
    int64_t end_at_ms = (days[1] + period + 1) * LB_MS_PER_DAY;
    const struct log_range range = {
        .upto_seq = INT64_MAX,
        .from_at_ms =
            first_at_ms > query->from_at_ms ? first_at_ms : query->from_at_ms,
        .to_at_ms = end_at_ms < query->to_at_ms ? end_at_ms : query->to_at_ms,
        .sites = query->sites,
        .site_count = query->site_count,
        .has_texts = true};
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    size_t count = 0;
    enum lb_err rc = log_reader_open(db, cache, &range, &reader, &request->err);

    while (rc == LB_OK &&
           (rc = log_reader_next(reader, &entry, &request->err)) == LB_OK &&
           entry != NULL) {
        rc = take_entry(request, entry, days);
        if (rc == LB_OK && ++count % CHECK_ENTRIES == 0) {
            rc = check_time(request);
        }
    }
    log_reader_close(reader);
    funnel_count(request->funnel);
    return rc;
}

/* The range begins with the first event's day, when it has no beginning. */
static enum lb_err
find_bounds(struct funnel_request *request, struct db *db, int64_t *last_out)
{
    struct query *query = &request->params.query;
    struct log_bounds bounds;
    enum lb_err rc = log_time_bounds(db, query->sites, query->site_count,
                                     &bounds, &request->err);
    int64_t first_at_ms = query->to_at_ms - 1;

    *last_out = INT64_MIN;
    if (rc == LB_OK && bounds.has_events) {
        first_at_ms = bounds.first_at_ms;
        *last_out = bounds.last_at_ms;
    }
    if (query->from_at_ms == INT64_MIN) {
        query->from_at_ms = lb_zone_day_start_ms(
            query->zone, lb_zone_local_day(query->zone, first_at_ms));
    }
    *last_out = *last_out < query->to_at_ms ? *last_out : query->to_at_ms;
    return rc;
}

static enum lb_err count_all(struct funnel_request *request, struct db *db)
{
    const struct query *query = &request->params.query;
    struct dict_cache *cache = dict_cache_new();
    int64_t last_at_ms = 0;
    int64_t end;
    enum lb_err rc;

    request->aged_before_ms = aged_before_ms(
        query->catalog, query->sites, query->site_count, query->from_at_ms);
    rc = cache == NULL ? lb_err_set(&request->err, LB_ENOMEM, "out of memory")
                       : find_bounds(request, db, &last_at_ms);

    if (rc == LB_OK && last_at_ms >= query->from_at_ms) {
        /* A period of a month begins a month before its last event. */
        int64_t days[2] = {query->from_at_ms / LB_MS_PER_DAY - SLICE_DAYS - 1,
                           0};

        end = last_at_ms / LB_MS_PER_DAY + 2;
        while (rc == LB_OK && days[0] < end) {
            days[1] = days[0] + SLICE_DAYS;
            rc = count_slice(request, db, cache, days);
            days[0] = days[1];
        }
    }
    dict_cache_free(cache);
    return rc;
}

/* --- the answer ----------------------------------------------------------- */

static void
add_rate(struct lb_buf *buf, const char *name, int64_t hits, int64_t n)
{
    lb_json_add_key(buf, name);
    if (n == 0) {
        lb_buf_add_text(buf, "null");
    } else {
        lb_json_add_double(buf, (double)hits / (double)n, 4);
    }
}

static void add_steps(struct lb_buf *buf, const struct funnel_request *request)
{
    const struct funnel_row *totals = funnel_totals(request->funnel);

    for (size_t i = 0; i < request->step_count; i++) {
        lb_json_add_comma(buf);
        lb_buf_add_text(buf, "{\"step\":");
        lb_json_add_string(buf, request->steps[i].label);
        lb_buf_printf(buf, ",\"visitors\":%lld",
                      (long long)totals->visitors[i]);
        add_rate(buf, "rate", totals->visitors[i], totals->visitors[0]);
        add_rate(buf, "from_previous", totals->visitors[i],
                 totals->visitors[i == 0 ? 0 : i - 1]);
        lb_buf_add_char(buf, '}');
    }
}

static void add_rows(struct lb_buf *buf, const struct funnel_request *request)
{
    size_t count = 0;
    const struct funnel_row *rows = funnel_rows(request->funnel, &count);

    if (!request->has_by) {
        lb_buf_add_text(buf, "null");
        return;
    }
    lb_buf_add_char(buf, '[');
    for (size_t r = 0; r < count; r++) {
        lb_json_add_comma(buf);
        lb_buf_add_char(buf, '{');
        lb_json_add_key(buf, request->by.name);
        if (request->by.kind == DIMENSION_QR && rows[r].value != NULL) {
            lb_buf_add_text(buf, rows[r].value);
        } else {
            lb_json_add_string(buf, rows[r].value);
        }
        lb_buf_add_text(buf, ",\"visitors\":[");
        for (size_t i = 0; i < request->step_count; i++) {
            lb_buf_printf(buf, "%s%lld", i > 0 ? "," : "",
                          (long long)rows[r].visitors[i]);
        }
        lb_buf_add_text(buf, "]}");
    }
    lb_buf_add_char(buf, ']');
}

static enum lb_err write_answer(struct funnel_request *request, struct db *db)
{
    const struct query *query = &request->params.query;
    struct lb_buf *buf = &request->answer;
    const struct coverage_store_question question = {
        query->sites, query->site_count, query->from_at_ms,
        query->to_at_ms <= request->as_of_ms ? query->to_at_ms
                                             : request->as_of_ms + 1};
    struct coverage_store_list coverage = {0};
    char from[LB_ZONE_TEXT_BYTES];
    char to[LB_ZONE_TEXT_BYTES];
    enum lb_err rc =
        coverage_store_read(db, &question, &coverage, &request->err);

    lb_zone_format(query->zone, query->from_at_ms, from);
    lb_zone_format(query->zone, query->to_at_ms, to);
    lb_buf_add_text(buf, "{\"site\":");
    lb_json_add_string(buf, request->params.label);
    lb_buf_printf(buf,
                  ",\"from\":\"%s\",\"to\":\"%s\",\"tz\":\"%s\",\"steps\":[",
                  from, to, lb_zone_name(query->zone));
    add_steps(buf, request);
    lb_buf_add_text(buf, "],\"rows\":");
    add_rows(buf, request);
    lb_buf_add_text(buf, ",\"meta\":{\"as_of\":");
    lb_json_add_time(buf, request->as_of_ms);
    lb_buf_printf(buf,
                  ",\"coverage\":\"%s\",\"scope\":\"%s\",\"traffic\":\"%s\","
                  "\"warnings\":[",
                  coverage_name(coverage_store_worst(
                      &coverage, 0, query->from_at_ms, query->to_at_ms)),
                  request->api->scope, request->params.traffic);
    aged_add_warning(buf, query->zone, request->aged_before_ms);
    lb_buf_add_text(buf, "]}}");
    coverage_store_deinit(&coverage);
    return rc;
}

static void run(struct pool_job *job, struct db *db)
{
    struct funnel_request *request = (struct funnel_request *)job;

    request->rc = count_all(request, db);
    request->rc =
        request->rc == LB_OK ? write_answer(request, db) : request->rc;
}

static void free_request(struct funnel_request *request)
{
    query_params_deinit(&request->params);
    funnel_free(request->funnel);
    lb_buf_deinit(&request->scratch);
    lb_buf_deinit(&request->answer);
    free(request);
}

static void
done(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct funnel_request *request = (struct funnel_request *)job;

    lb_http_request_tell_gone(request->http, NULL);
    if (rc != LB_OK || request->rc != LB_OK) {
        stats_api_respond_error(request->http, rc != LB_OK ? rc : request->rc,
                                rc != LB_OK ? err->text : request->err.text);
    } else {
        lb_http_respond_json(request->http, 200, &request->answer);
    }
    free_request(request);
}

/* --- the route ------------------------------------------------------------ */

static bool refuse(struct lb_http_request *http, const char *text)
{
    lb_http_respond_error(http, 400, "bad_request", text,
                          "Write it like: steps=view,click:book-call,lead");
    return false;
}

static bool read_steps(struct funnel_request *request)
{
    const char *text = lb_http_request_query(request->http, "steps", 0);

    text = text == NULL ? STEPS_DEFAULT : text;
    while (request->step_count < FUNNEL_STEPS) {
        size_t len = strcspn(text, ",");

        if (funnel_read_step(text, len, &request->steps[request->step_count++],
                             &request->err) != LB_OK) {
            char message[LB_ERROR_TEXT_BYTES + 16];

            (void)snprintf(message, sizeof(message), "steps: %s",
                           request->err.text);
            return refuse(request->http, message);
        }
        text += len;
        if (*text == '\0') {
            break;
        }
        text++;
    }
    return (request->step_count >= 2 && *text == '\0') ||
           refuse(request->http, "steps: 2 to 8 are taken.");
}

static bool read_rest(struct funnel_request *request)
{
    const char *by = lb_http_request_query(request->http, "by", 0);
    const char *within = lb_http_request_query(request->http, "within", 0);
    char message[160];

    request->within_ms = WITHIN_DEFAULT_MS;
    if (within != NULL &&
        (!lb_config_parse_duration(within, &request->within_ms) ||
         request->within_ms < 1 || request->within_ms > WITHIN_MOST_MS)) {
        return refuse(request->http,
                      "within must be a duration such as 24h, 30d at most.");
    }
    request->has_by = by != NULL;
    if (by != NULL && !dimension_find(by, false, &request->by)) {
        (void)snprintf(message, sizeof(message),
                       "by: there is no dimension \"%.60s\" here; one is "
                       "taken, and none of time.",
                       by);
        return refuse(request->http, message);
    }
    return true;
}

static bool read_request(struct funnel_request *request)
{
    static const char *const known[] = {"site",    "from",   "to",    "period",
                                        "tz",      "filter", "steps", "within",
                                        "traffic", "by",     NULL};

    return query_params_read_some(request->http, known,
                                  request->api->is_case_kept,
                                  &request->params) &&
           read_steps(request) && read_rest(request);
}

static void handle(struct lb_http_request *http, void *ctx)
{
    struct funnel_api *api = ctx;
    struct funnel_request *request = calloc(1, sizeof(*request));

    if (request == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return;
    }
    request->api = api;
    request->http = http;
    lb_buf_init(&request->answer, ANSWER_BYTES);
    lb_buf_init(&request->scratch, (size_t)64 * 1024);
    request->as_of_ms = cursor_as_of_ms(api->cursor);
    if (!read_request(request)) {
        free_request(request);
        return;
    }
    request->funnel =
        funnel_new(request->steps, request->step_count, request->within_ms);
    if (request->funnel == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        free_request(request);
        return;
    }
    request->params.query.deadline_at_ms = lb_clock_mono_ms() + api->timeout_ms;
    request->job.run = run;
    request->job.done = done;
    request->params.query.is_cancelled = &request->job.is_cancelled;
    lb_http_request_tell_gone(http, &request->job.is_cancelled);
    pool_submit(api->readers, &request->job);
}

static void check(struct lb_http_request *http, void *ctx)
{
    struct funnel_api *api = ctx;

    (void)auth_check(api->auth, http, CATALOG_SCOPE_READ, false);
}

enum lb_err funnel_api_new(struct lb_http_server *server,
                           struct auth *auth,
                           const struct stats_parts *parts,
                           const struct lb_config *config,
                           struct funnel_api **api_out,
                           struct lb_error *err)
{
    struct funnel_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route route = {"GET",  "/v1/funnel", check,
                                        handle, api,          0};

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->auth = auth;
    api->readers = parts->readers;
    api->cursor = parts->cursor;
    funnel_api_set_config(api, config);
    return lb_http_server_add_route(server, &route, err);
}

void funnel_api_set_config(struct funnel_api *api,
                           const struct lb_config *config)
{
    api->timeout_ms = config->query_timeout_ms;
    api->is_case_kept = strcmp(config->utm_case, "keep") == 0;
    (void)snprintf(api->scope, sizeof(api->scope), "%.15s",
                   config->visitor_period);
}

void funnel_api_free(struct funnel_api *api)
{
    free(api);
}
