/* v2_api.c - the route of Plausible's stats dialect. */
#include "aggregate/v2_api.h"

#include <stdlib.h>
#include <string.h>

#include "aggregate/v2_answer.h"
#include "aggregate/v2_count.h"
#include "aggregate/v2_request.h"
#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "base/metrics.h"

#define ANSWER_BYTES ((size_t)64 * 1024 * 1024)
#define FAULT_BYTES ((size_t)512 * 1024) /* may quote all that was sent */
#define BODY_BYTES ((size_t)256 * 1024)

#define WRONG_KEY                                                              \
    "Invalid API key or site ID. Please make sure you're using a valid API "   \
    "key with access to the site you've requested."

struct v2_api {
    struct auth *auth;
    struct pool *readers;
    struct cursor *cursor;
    int64_t timeout_ms;
    bool is_case_kept;
    bool is_period_a_day;
    struct lb_metric *seconds;
};

struct v2_job {
    struct pool_job job; /* first */
    struct v2_api *api;
    struct lb_http_request *http;
    struct catalog *catalog; /* owned reference */
    struct v2_request request;
    struct lb_buf fault;
    struct lb_buf hint;
    struct lb_buf answer;
    enum lb_err rc;
    struct lb_error err;
    int64_t as_of_ms;
    int64_t began_at_ns;
};

static void free_job(struct v2_job *job)
{
    v2_request_deinit(&job->request);
    catalog_unref(job->catalog);
    lb_buf_deinit(&job->fault);
    lb_buf_deinit(&job->hint);
    lb_buf_deinit(&job->answer);
    free(job);
}

/* The dialect's errors are one text. */
static void
respond_error(struct lb_http_request *http, int status, const char *text)
{
    struct lb_buf body;

    lb_buf_init(&body, FAULT_BYTES);
    lb_buf_add_text(&body, "{\"error\":");
    lb_json_add_plain_string(&body, text);
    lb_buf_add_char(&body, '}');
    if (status == 401) {
        lb_http_respond_header(http, "WWW-Authenticate", "Bearer");
    }
    lb_http_respond_json(http, status, &body);
    lb_buf_deinit(&body);
}

static void respond_fault(struct v2_job *job)
{
    if (job->hint.len > 0) {
        lb_http_respond_header(job->http, "x-linkbell-hint",
                               lb_buf_text(&job->hint));
    }
    respond_error(job->http, 400, lb_buf_text(&job->fault));
}

static void
respond_failure(struct lb_http_request *http, enum lb_err rc, const char *text)
{
    int status = rc == LB_ELIMIT || rc == LB_EBUSY ? 400
                 : rc == LB_EINTERNAL              ? 500
                                                   : 503;

    if (status == 503) {
        lb_http_respond_header(http, "Retry-After", "5");
    }
    respond_error(http, status, text);
}

static void run(struct pool_job *pool_job, struct db *db)
{
    struct v2_job *job = (struct v2_job *)pool_job;
    const struct v2_count_frame frame = {
        job->catalog, db, lb_clock_mono_ms() + job->api->timeout_ms,
        job->api->is_period_a_day, &job->job.is_cancelled};
    struct v2_result result;

    job->rc = v2_count_run(&job->request, &frame, &result, &job->err);
    if (job->rc == LB_OK) {
        v2_answer_write(&job->request, &result, job->as_of_ms, &job->answer);
        if (job->answer.is_failed) {
            job->rc = lb_err_set(&job->err, LB_ELIMIT,
                                 "The answer is larger than 64 MiB; ask with "
                                 "pagination.");
        }
    }
    v2_count_deinit(&result);
}

static void
done(struct pool_job *pool_job, enum lb_err rc, const struct lb_error *err)
{
    struct v2_job *job = (struct v2_job *)pool_job;

    lb_http_request_tell_gone(job->http, NULL);
    lb_metrics_observe_ns(job->api->seconds,
                          lb_clock_mono_ns() - job->began_at_ns);
    if (rc != LB_OK) {
        respond_failure(job->http, rc, err->text);
    } else if (job->rc != LB_OK) {
        respond_failure(job->http, job->rc, job->err.text);
    } else {
        stats_api_respond(job->http, "application/json", &job->answer);
    }
    free_job(job);
}

/* False: an error was answered. */
static bool find_site(struct v2_job *job)
{
    const char *id = v2_request_site(&job->request, &job->fault);
    const struct auth_who *who = auth_who_of(job->http);

    if (id == NULL) {
        respond_fault(job);
        return false;
    }
    job->catalog = catalog_ref(who->catalog);
    job->request.site = catalog_site_find(job->catalog, id);
    if (job->request.site == NULL ||
        !auth_may_site(who, job->request.site->number)) {
        respond_error(job->http, 401, WRONG_KEY);
        return false;
    }
    return true;
}

/* False: an error was answered. */
static bool read_request(struct v2_job *job)
{
    const struct lb_buf *body = lb_http_request_body(job->http);
    const struct v2_request_frame frame = {lb_clock_wall_ms(),
                                           job->api->is_case_kept};

    if (v2_request_open(lb_buf_text(body), body->len, &job->request,
                        &job->fault) != LB_OK) {
        respond_fault(job);
        return false;
    }
    if (!find_site(job)) {
        return false;
    }
    if (v2_request_read(&job->request, &frame, &job->fault, &job->hint) !=
        LB_OK) {
        respond_fault(job);
        return false;
    }
    return true;
}

static void handle(struct lb_http_request *http, void *ctx)
{
    struct v2_api *api = ctx;
    struct v2_job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        respond_failure(http, LB_ENOMEM, "Out of memory.");
        return;
    }
    lb_buf_init(&job->fault, FAULT_BYTES);
    lb_buf_init(&job->hint, FAULT_BYTES);
    lb_buf_init(&job->answer, ANSWER_BYTES);
    job->api = api;
    job->http = http;
    job->began_at_ns = lb_clock_mono_ns();
    job->as_of_ms = cursor_as_of_ms(api->cursor);
    if (!read_request(job)) {
        free_job(job);
        return;
    }
    job->job.run = run;
    job->job.done = done;
    lb_http_request_tell_gone(http, &job->job.is_cancelled);
    pool_submit(api->readers, &job->job);
}

static void check(struct lb_http_request *http, void *ctx)
{
    struct v2_api *api = ctx;

    switch (auth_find(api->auth, http, CATALOG_SCOPE_READ, false)) {
    case AUTH_OK:
        break;
    case AUTH_MISSING:
        respond_error(http, 401,
                      "Missing API key. Please use a valid linkbell token as a "
                      "Bearer Token.");
        break;
    case AUTH_WRONG:
        respond_error(http, 401, WRONG_KEY);
        break;
    case AUTH_LIMITED:
        lb_http_respond_header(http, "Retry-After", "60");
        respond_error(http, 429, "Too many bad tokens came from this address.");
        break;
    case AUTH_LACKS_SCOPE:
        respond_error(http, 403, "This token lacks the scope read.");
        break;
    case AUTH_NO_MEMORY:
        respond_failure(http, LB_ENOMEM, "Out of memory.");
        break;
    }
}

enum lb_err v2_api_new(struct lb_http_server *server,
                       struct auth *auth,
                       const struct stats_parts *parts,
                       const struct lb_config *config,
                       struct v2_api **api_out,
                       struct lb_error *err)
{
    struct v2_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route route = {"POST", "/api/v2/query", check, handle,
                                        api,    BODY_BYTES};

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->auth = auth;
    api->readers = parts->readers;
    api->cursor = parts->cursor;
    api->seconds = lb_metrics_histogram("linkbell_query_seconds",
                                        "Time of a stats query.", "", true);
    v2_api_set_config(api, config);
    return lb_http_server_add_route(server, &route, err);
}

void v2_api_set_config(struct v2_api *api, const struct lb_config *config)
{
    api->timeout_ms = config->query_timeout_ms;
    api->is_case_kept = strcmp(config->utm_case, "keep") == 0;
    api->is_period_a_day = strcmp(config->visitor_period, "day") == 0;
}

void v2_api_free(struct v2_api *api)
{
    free(api);
}
