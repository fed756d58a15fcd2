/* ingest_api.c - POST /v1/events. */
#include "ingest/ingest_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "base/text.h"
#include "ingest/answer_store.h"
#include "ingest/batch.h"

#define INLINE_BYTES                                                           \
    ((size_t)64 * 1024) /* larger bodies are parsed on the pool */
#define KEY_BYTES 64
#define HINT_BYTES 96

struct ingest_api {
    struct intake *intake;
    struct intake_parts parts;
};

/* One request on its way: parsed here or on the pool, appended by the writer.
 */
struct ingest_request {
    struct writer_job job; /* first: jobs are cast back */
    struct pool_job parse;
    struct ingest_api *api;
    struct lb_http_request *http;
    struct event_context context;
    struct intake_settings settings; /* as they were when it came */
    struct batch batch;
    enum lb_inflate_kind encoding;
    bool is_ndjson;
    char token[32];
    char key[KEY_BYTES + 1]; /* Idempotency-Key; "" none */
    uint8_t body_hash[32];
    char *stored; /* owned; the answer that the key already had */
    int stored_status;
    bool is_mismatch;
};

static void free_request(struct ingest_request *request)
{
    batch_deinit(&request->batch);
    intake_release(&request->context);
    free(request->stored);
    free(request);
}

static void respond_batch(struct ingest_request *request)
{
    struct lb_buf answer;
    int status;

    lb_buf_init(&answer, (size_t)512 * 1024);
    status = batch_answer(&request->batch, &answer);
    lb_http_respond_json(request->http, status, &answer);
    lb_buf_deinit(&answer);
}

static void respond_fault(struct ingest_request *request)
{
    const struct batch *batch = &request->batch;
    char hint[HINT_BYTES] = "";

    if (batch->limit != NULL) {
        lb_metrics_limit_hit(batch->limit);
        (void)snprintf(hint, sizeof(hint), "See limits.%s.", batch->limit);
    }
    if (batch->status == 503) {
        lb_http_respond_header(request->http, "Retry-After", "1");
    }
    lb_http_respond_error(request->http, batch->status, batch->code,
                          batch->message, batch->limit == NULL ? NULL : hint);
}

/* --- the writer's part -------------------------------------------------------
 */

static enum lb_err
keep_answer(struct ingest_request *request, struct db *db, struct lb_error *err)
{
    struct answer answer = {
        request->token, "/v1/events", request->key, {0}, 0, NULL};
    struct lb_buf text;
    enum lb_err rc;

    lb_buf_init(&text, (size_t)512 * 1024);
    memcpy(answer.body_hash, request->body_hash, sizeof(answer.body_hash));
    answer.status = batch_answer(&request->batch, &text);
    answer.text = lb_buf_text(&text);
    rc = answer_store_keep(db, &answer, err);
    lb_buf_deinit(&text);
    return rc;
}

/* Whether the key has an answer already: then nothing is appended. */
static enum lb_err
find_answer(struct ingest_request *request, struct db *db, struct lb_error *err)
{
    struct answer answer = {
        request->token, "/v1/events", request->key, {0}, 0, NULL};
    bool is_same = false;
    enum lb_err rc;

    free(request->stored);
    request->stored = NULL;
    memcpy(answer.body_hash, request->body_hash, sizeof(answer.body_hash));
    rc = answer_store_find(db, &answer, &is_same, &request->stored, err);
    request->stored_status = answer.status;
    request->is_mismatch = rc == LB_EEXIST && !is_same;
    return rc;
}

static enum lb_err
run_append(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct ingest_request *request = (struct ingest_request *)job;
    const struct event_batch batch = {.events = request->batch.events,
                                      .is_duplicate =
                                          request->batch.is_duplicate,
                                      .count = request->batch.event_count};
    enum lb_err rc = LB_OK;

    if (request->key[0] != '\0') {
        rc = find_answer(request, db, err);
        if (rc != LB_OK) {
            return rc == LB_EEXIST ? LB_OK : rc;
        }
    }
    rc = event_store_append(request->api->parts.store, db, &batch, err);
    return rc == LB_OK && request->key[0] != '\0'
               ? keep_answer(request, db, err)
               : rc;
}

static void respond_stored(struct ingest_request *request)
{
    if (request->is_mismatch) {
        lb_http_respond_error(
            request->http, 409, "idempotency_mismatch",
            "This Idempotency-Key came with another body before.",
            "Use a new key for each request.");
        return;
    }
    lb_http_respond_header(request->http, "Idempotency-Replayed", "true");
    lb_http_respond(request->http, request->stored_status, "application/json",
                    request->stored, strlen(request->stored));
}

static void
done_append(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct ingest_request *request = (struct ingest_request *)job;

    if (rc != LB_OK) {
        intake_respond_failed(request->http, rc, err);
    } else if (request->stored != NULL) {
        respond_stored(request);
    } else {
        intake_count(request->api->intake, request->batch.events,
                     request->batch.is_duplicate, request->batch.event_count);
        respond_batch(request);
    }
    free_request(request);
}

/* --- after parsing -----------------------------------------------------------
 */

static void after_parse(struct ingest_request *request)
{
    bool is_over = true;

    lb_http_request_drop_body(request->http);
    if (request->batch.status != 0) {
        respond_fault(request);
    } else if (!intake_take_rate(request->api->intake, request->http,
                                 INTAKE_RATE, request->job.sender,
                                 request->batch.sent_count)) {
        is_over = true; /* 429 was answered */
    } else if (request->batch.event_count == 0 && request->key[0] == '\0') {
        respond_batch(request);
    } else {
        request->job.run = run_append;
        request->job.done = done_append;
        request->job.event_count = request->batch.event_count;
        request->job.bytes = lb_arena_bytes(request->batch.arena);
        request->job.is_append = true;
        is_over =
            writer_submit(request->api->parts.writer, &request->job) != LB_OK;
        if (is_over) {
            intake_respond_full(request->http, &request->job.err);
        }
    }
    if (is_over) {
        free_request(request);
    }
}

static void hold(void *ctx, size_t bytes)
{
    lb_http_request_hold(ctx, bytes);
}

static void parse(struct ingest_request *request)
{
    struct lb_buf *body = lb_http_request_body(request->http);
    size_t held = lb_http_request_all_held(request->http);
    size_t most = request->settings.inflight_bytes;
    struct batch_limits limits = request->settings.limits;
    const struct batch_body sent = {.encoding = request->encoding,
                                    .is_ndjson = request->is_ndjson,
                                    .bytes = lb_buf_text(body),
                                    .len = body->len};

    limits.room_bytes = held < most ? most - held : 0;
    limits.hold = hold;
    limits.hold_ctx = request->http;
    batch_read(&request->batch, &request->context, &limits, &sent);
}

static void run_parse(struct pool_job *job, struct db *db)
{
    (void)db;
    parse((struct ingest_request *)((char *)job -
                                    offsetof(struct ingest_request, parse)));
}

static void
done_parse(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    (void)rc;
    (void)err;
    after_parse(
        (struct ingest_request *)((char *)job -
                                  offsetof(struct ingest_request, parse)));
}

/* --- requests ----------------------------------------------------------------
 */

/* Whether a media type, without its parameters, is the one given. */
static bool is_media(const char *type, const char *wanted)
{
    size_t len = strlen(wanted);

    return type != NULL && strncasecmp(type, wanted, len) == 0 &&
           strchr("; \t", type[len]) != NULL;
}

static void check_head(struct lb_http_request *http, void *ctx)
{
    struct ingest_api *api = ctx;
    const char *type = lb_http_request_header(http, "Content-Type");
    const char *key = lb_http_request_header(http, "Idempotency-Key");
    enum lb_inflate_kind kind;

    if (!auth_check(api->parts.auth, http, CATALOG_SCOPE_INGEST, false)) {
        return;
    }
    if (!is_media(type, "application/json") &&
        !is_media(type, "application/x-ndjson")) {
        lb_http_respond_error(
            http, 415, "unsupported_media_type",
            "Content-Type must be application/json or application/x-ndjson.",
            NULL);
    } else if (!intake_read_encoding(http, &kind)) {
        lb_http_respond_error(
            http, 415, "unsupported_media_type",
            "Content-Encoding must be gzip, zstd or identity.", NULL);
    } else if (key != NULL && !lb_text_is_made_of(key, "!-~", KEY_BYTES)) {
        lb_http_respond_error(
            http, 400, "bad_request",
            "Idempotency-Key must be 1 to 64 visible ASCII characters.", NULL);
    } else if (lb_http_request_length(http) == 0) {
        lb_http_respond_error(http, 400, "no_events",
                              "The body holds no event.", NULL);
    }
}

static void fill_context(struct ingest_request *request,
                         const struct auth_who *who)
{
    struct ingest_api *api = request->api;
    struct event_context *context = &request->context;
    const char *token = who->token == NULL ? "local" : who->token->id;

    intake_fill_context(api->intake, who->catalog, request->http, context);
    context->who = who;
    context->address = lb_client_rules_given(api->parts.clients, request->http);
    memcpy(request->token, token, strnlen(token, sizeof(request->token) - 1));
    request->job.sender =
        sender_rate_of_token(intake_senders(api->intake), token);
}

static void hash_keyed(const struct ingest_request *request,
                       const void *bytes,
                       size_t len,
                       uint8_t out[LB_SECRET_SHA256_BYTES])
{
    struct lb_secret_hmac hmac;
    SHA256_CTX message;

    lb_secret_hmac_init(&hmac, request->context.id_key,
                        sizeof(request->context.id_key));
    lb_secret_hmac_start(&hmac, &message);
    lb_secret_hmac_add(&message, bytes, len);
    lb_secret_hmac_finish(&hmac, &message, out);
}

/* Of key and body only keyed hashes are kept: a sender may have put an address
 * into either. */
static void
keep_key(struct ingest_request *request, const char *key, struct lb_buf *body)
{
    uint8_t digest[LB_SECRET_SHA256_BYTES];

    hash_keyed(request, key, strlen(key), digest);
    lb_text_to_hex(digest, KEY_BYTES / 2, request->key);
    hash_keyed(request, lb_buf_text(body), body->len, request->body_hash);
}

static struct ingest_request *new_request(struct ingest_api *api,
                                          struct lb_http_request *http)
{
    struct ingest_request *request = calloc(1, sizeof(*request));
    const char *key = lb_http_request_header(http, "Idempotency-Key");
    struct lb_buf *body = lb_http_request_body(http);

    if (request == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return NULL;
    }
    request->api = api;
    request->http = http;
    request->settings = *intake_settings(api->intake);
    batch_init(&request->batch);
    request->is_ndjson = is_media(lb_http_request_header(http, "Content-Type"),
                                  "application/x-ndjson");
    (void)intake_read_encoding(http, &request->encoding);
    fill_context(request, auth_who_of(http));
    if (key != NULL) {
        keep_key(request, key, body);
    }
    return request;
}

static void start(struct ingest_request *request)
{
    size_t len = lb_http_request_body(request->http)->len;

    if (len <= INLINE_BYTES && request->encoding == LB_INFLATE_NONE) {
        parse(request);
        after_parse(request);
        return;
    }
    request->parse.run = run_parse;
    request->parse.done = done_parse;
    request->parse.sender = request->job.sender;
    request->parse.cost_bytes = len;
    pool_submit(request->api->parts.parsers, &request->parse);
}

static void handle_events(struct lb_http_request *http, void *ctx)
{
    struct ingest_request *request = new_request(ctx, http);

    if (request != NULL) {
        start(request);
    }
}

enum lb_err ingest_api_new(struct lb_http_server *server,
                           struct intake *intake,
                           struct ingest_api **api_out,
                           struct lb_error *err)
{
    struct ingest_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route routes[] = {
        {"POST", "/v1/events", check_head, handle_events, api, 0},
    };
    enum lb_err rc = LB_OK;

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->intake = intake;
    api->parts = *intake_parts(intake);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rc == LB_OK;
         i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

void ingest_api_free(struct ingest_api *api)
{
    free(api);
}
