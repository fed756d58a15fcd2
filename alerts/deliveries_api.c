/* deliveries_api.c - GET /v1/deliveries/{id}, POST .../retry and POST
 * /v1/deliveries/retry. */
#include "alerts/deliveries_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/alerts_store.h"
#include "alerts/outbox_store.h"
#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "base/zone.h"

#define ANSWER_BYTES ((size_t)4 * 1024 * 1024)
#define BODY_BYTES 16384
#define BODY_DEPTH 4
#define ID_BYTES 64

struct deliveries_api {
    struct auth *auth;
    struct pool *readers;
    struct writer *writer;
    struct deliver *deliver; /* NULL: nobody sends */
};

/* One request on its way through a reader or the writer. */
struct work {
    struct pool_job read; /* first */
    struct writer_job write;
    struct deliveries_api *api;
    struct lb_http_request *http;
    char id[ID_BYTES];
    bool has_body;
    struct outbox_choice choice; /* its texts are below */
    char destination[ID_BYTES];
    bool is_dry;
    bool is_over;
    int64_t count;
    struct lb_buf answer;
    enum lb_err rc;
    struct lb_error err;
};

static void free_work(struct work *work)
{
    lb_buf_deinit(&work->answer);
    free(work);
}

static bool may_site(void *ctx, const char *site)
{
    const struct auth_who *who = auth_who_of(ctx);
    const struct catalog_site *found = catalog_site_find(who->catalog, site);

    return who->token == NULL || who->token->is_all_sites ||
           (found != NULL && auth_may_site(who, found->number));
}

static struct work *make_work(struct deliveries_api *api,
                              struct lb_http_request *http)
{
    struct work *work = calloc(1, sizeof(*work));

    if (work == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return NULL;
    }
    work->api = api;
    work->http = http;
    lb_buf_init(&work->answer, ANSWER_BYTES);
    return work;
}

static void
respond(struct work *work, enum lb_err rc, const struct lb_error *err)
{
    if (rc == LB_ENOTFOUND) {
        lb_http_respond_error(work->http, 404, "not_found",
                              "There is no such delivery.", NULL);
    } else if (rc == LB_EBUSY) {
        lb_http_respond_error(work->http, 409, "in_progress",
                              "It is being sent just now.", NULL);
    } else if (rc == LB_EINVAL) {
        lb_http_respond_error(work->http, 409, "erased",
                              "Its message was erased.", NULL);
    } else {
        lb_http_respond_error(work->http, 503,
                              rc == LB_EFULL ? "disk_full" : "not_ready",
                              err->text, NULL);
    }
}

static void submit(struct work *work)
{
    if (writer_submit(work->api->writer, &work->write) != LB_OK) {
        lb_http_respond_error(work->http, 503, "overloaded",
                              "Too much waits to be stored.", NULL);
        free_work(work);
    }
}

static struct work *work_of(struct writer_job *job)
{
    return (struct work *)(void *)((char *)job - offsetof(struct work, write));
}

/* --- one of them
 * ------------------------------------------------------------------------ */

static enum lb_err get(struct work *work,
                       struct db *db,
                       bool has_log,
                       struct alerts_store_state *state_out,
                       struct lb_error *err)
{
    const struct alerts_store_delivery wanted = {work->id, has_log,
                                                 work->has_body};
    const struct alerts_store_question question = {.may_site = may_site,
                                                   .ctx = work->http};

    lb_buf_clear(&work->answer);
    return alerts_store_get_delivery(db, &wanted, &question, &work->answer,
                                     state_out, err);
}

static void run_get(struct pool_job *job, struct db *db)
{
    struct work *work = (struct work *)job;
    struct alerts_store_state state;

    work->rc = get(work, db, true, &state, &work->err);
}

static void
done_get(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct work *work = (struct work *)job;

    if (rc != LB_OK || work->rc != LB_OK) {
        respond(work, rc != LB_OK ? rc : work->rc,
                rc != LB_OK ? err : &work->err);
    } else {
        lb_http_respond_json(work->http, 200, &work->answer);
    }
    free_work(work);
}

static void handle_get(struct lb_http_request *http, void *ctx)
{
    struct deliveries_api *api = ctx;
    const char *body = lb_http_request_query(http, "body", 0);
    struct work *work = make_work(api, http);

    if (work == NULL) {
        return;
    }
    (void)snprintf(work->id, sizeof(work->id), "%s",
                   lb_http_request_param(http, "id"));
    work->has_body = body != NULL && strcmp(body, "0") != 0;
    if (work->has_body &&
        !auth_has_scope(auth_who_of(http), CATALOG_SCOPE_ADMIN)) {
        lb_http_respond_error(http, 403, "forbidden",
                              "The message itself needs the scope admin.",
                              NULL);
        free_work(work);
        return;
    }
    work->read.run = run_get;
    work->read.done = done_get;
    pool_submit(api->readers, &work->read);
}

static enum lb_err
run_retry(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct work *work = work_of(job);
    struct alerts_store_state state = {false, false};
    enum lb_err rc = get(work, db, false, &state, err);

    if (rc == LB_OK && (state.is_sending || state.is_erased)) {
        return lb_err_set(err, state.is_sending ? LB_EBUSY : LB_EINVAL,
                          "it can't be sent again");
    }
    rc = rc == LB_OK ? outbox_retry(db, work->id, lb_clock_wall_ms(), err) : rc;
    return rc == LB_OK ? get(work, db, false, &state, err) : rc;
}

static void
done_retry(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct work *work = work_of(job);

    if (rc != LB_OK) {
        respond(work, rc, err);
    } else {
        lb_http_respond_json(work->http, 202, &work->answer);
        if (work->api->deliver != NULL) {
            deliver_wake(work->api->deliver);
        }
    }
    free_work(work);
}

static void handle_retry(struct lb_http_request *http, void *ctx)
{
    struct work *work = make_work(ctx, http);

    if (work == NULL) {
        return;
    }
    (void)snprintf(work->id, sizeof(work->id), "%s",
                   lb_http_request_param(http, "id"));
    work->write.run = run_retry;
    work->write.done = done_retry;
    submit(work);
}

/* --- many of them
 * ------------------------------------------------------------------------ */

static enum lb_err
run_many(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct work *work = work_of(job);
    int64_t count = 0;
    enum lb_err rc;

    work->is_over = true;
    if (work->is_dry) {
        return outbox_count(db, &work->choice, &work->count, err);
    }
    rc = outbox_retry_piece(db, &work->choice, &count, err);
    work->count += count;
    work->is_over = count < OUTBOX_RETRY_PIECE;
    return rc;
}

static void
done_many(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct work *work = work_of(job);

    if (rc == LB_OK && !work->is_over) {
        submit(work);
        return;
    }
    if (work->api->deliver != NULL) {
        deliver_wake(work->api->deliver);
    }
    if (rc != LB_OK) {
        respond(work, rc, err);
    } else {
        lb_buf_printf(&work->answer, "{\"queued\":%lld}",
                      (long long)work->count);
        lb_http_respond_json(work->http, 202, &work->answer);
    }
    free_work(work);
}

static bool invalid(struct lb_http_request *http, const char *message)
{
    lb_http_respond_error(http, 422, "invalid", message, NULL);
    return false;
}

/* A day is its start for since, its end for until. */
static bool read_time(const char *text, bool is_until, int64_t *at_ms_out)
{
    int64_t day;

    if (text == NULL || lb_zone_parse_instant(text, at_ms_out)) {
        return true;
    }
    if (!lb_zone_parse_day(text, &day)) {
        return false;
    }
    *at_ms_out = (day + (is_until ? 1 : 0)) * LB_MS_PER_DAY;
    return true;
}

static bool is_known(const cJSON *json)
{
    static const char *const keys[] = {"destination", "state", "since", "until",
                                       "dry_run"};
    const cJSON *item;

    cJSON_ArrayForEach (item, json) {
        size_t at = 0;

        while (at < sizeof(keys) / sizeof(keys[0]) &&
               strcmp(keys[at], item->string) != 0) {
            at++;
        }
        if (at == sizeof(keys) / sizeof(keys[0])) {
            return false;
        }
    }
    return true;
}

static bool read_choice(struct work *work, const cJSON *json)
{
    struct outbox_choice *choice = &work->choice;
    const char *state = lb_json_text(json, "state");
    const char *destination = lb_json_text(json, "destination");

    *choice = (struct outbox_choice){.state = "dead",
                                     .since_ms = INT64_MIN,
                                     .until_ms = INT64_MAX,
                                     .now_ms = lb_clock_wall_ms()};
    if (!is_known(json)) {
        return invalid(work->http, "There are destination, state, since, until "
                                   "and dry_run.");
    }
    if (state != NULL && strcmp(state, "delivered") == 0) {
        choice->state = "delivered";
    } else if (state != NULL && strcmp(state, "skipped") == 0) {
        choice->state = "skipped";
    } else if (state != NULL && strcmp(state, "dead") != 0) {
        return invalid(work->http,
                       "state must be dead, delivered or skipped (those that "
                       "max_waiting left out).");
    }
    if (!read_time(lb_json_text(json, "since"), false, &choice->since_ms) ||
        !read_time(lb_json_text(json, "until"), true, &choice->until_ms)) {
        return invalid(work->http,
                       "since and until are dates or RFC 3339 instants.");
    }
    if (destination != NULL) {
        (void)snprintf(work->destination, sizeof(work->destination), "%s",
                       destination);
        choice->destination = work->destination;
    }
    work->is_dry = lb_json_is_true(json, "dry_run");
    return true;
}

static void handle_retry_many(struct lb_http_request *http, void *ctx)
{
    struct lb_buf *body = lb_http_request_body(http);
    struct lb_json_fault fault;
    struct work *work;
    cJSON *json = NULL;

    if (body->len > 0 &&
        (lb_json_parse(lb_buf_text(body), body->len, BODY_DEPTH, NULL, &json,
                       &fault) != LB_OK ||
         !cJSON_IsObject(json))) {
        cJSON_Delete(json);
        lb_http_respond_error(http, 400, "bad_json",
                              "The body is no JSON object.", NULL);
        return;
    }
    work = make_work(ctx, http);
    if (work != NULL && read_choice(work, json)) {
        work->write.run = run_many;
        work->write.done = done_many;
        submit(work);
    } else if (work != NULL) {
        free_work(work);
    }
    cJSON_Delete(json);
}

/* --- routes
 * ------------------------------------------------------------------------ */

static void check_read(struct lb_http_request *http, void *ctx)
{
    struct deliveries_api *api = ctx;

    (void)auth_check(api->auth, http, CATALOG_SCOPE_READ, false);
}

static void check_admin(struct lb_http_request *http, void *ctx)
{
    struct deliveries_api *api = ctx;

    (void)auth_check(api->auth, http, CATALOG_SCOPE_ADMIN, false);
}

enum lb_err deliveries_api_new(struct lb_http_server *server,
                               struct auth *auth,
                               struct pool *readers,
                               struct writer *writer,
                               struct deliveries_api **api_out,
                               struct lb_error *err)
{
    struct deliveries_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route routes[] = {
        {"POST", "/v1/deliveries/retry", check_admin, handle_retry_many, api,
         BODY_BYTES},
        {"GET", "/v1/deliveries/{id}", check_read, handle_get, api, 0},
        {"POST", "/v1/deliveries/{id}/retry", check_admin, handle_retry, api,
         BODY_BYTES},
    };
    enum lb_err rc = LB_OK;

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->auth = auth;
    api->readers = readers;
    api->writer = writer;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rc == LB_OK;
         i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

void deliveries_api_set_deliver(struct deliveries_api *api,
                                struct deliver *deliver)
{
    api->deliver = deliver;
}

void deliveries_api_free(struct deliveries_api *api)
{
    free(api);
}
