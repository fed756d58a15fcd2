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
#include "ingest/batch.h"
#include "ingest/import_session.h"

#define INLINE_BYTES                                                           \
    ((size_t)64 * 1024) /* larger bodies are parsed on the pool */
#define KEY_BYTES 64
#define RATE_SLOTS 256

/* What requests look at; replaced as a whole, so one under way keeps its own.
 */
struct settings {
    struct batch_limits limits;
    bool is_case_kept;
    bool is_contact_kept[ENTRY_CONTACT_COUNT];
    size_t text_bytes;
    int64_t rate;
    int64_t double_tap_window_ms;
};

/* Events that a token may still send this second. */
struct rate_slot {
    char token[32];
    int64_t second;
    int64_t sent;
};

struct ingest_api {
    struct ingest_parts parts;
    struct settings settings;
    struct import_sessions *imports; /* owned */
    struct agent_cache *agents;      /* owned */
    struct datacentre *datacentre;   /* owned */
    struct rate_slot rates[RATE_SLOTS];
    struct lb_metric *accepted[ENTRY_TYPE_COUNT];
    struct lb_metric *duplicate[ENTRY_TYPE_COUNT];
    struct lb_metric *duplicates;
};

/* One request on its way: parsed here or on the pool, appended by the writer.
 */
struct ingest_request {
    struct writer_job job; /* first: jobs are cast back */
    struct pool_job parse;
    struct ingest_api *api;
    struct lb_http_request *http;
    struct event_context context;
    struct settings settings;
    struct batch batch;
    enum lb_inflate_kind encoding;
    bool is_ndjson;
    struct import_session *import; /* NULL: live */
    bool is_last;
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
    geo_close(request->context.geo);
    datacentre_release(request->context.datacentres);
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

    if (batch->limit != NULL) {
        lb_metrics_limit_hit(batch->limit);
    }
    if (batch->status == 503) {
        lb_http_respond_header(request->http, "Retry-After", "1");
    }
    lb_http_respond_error(request->http, batch->status, batch->code,
                          batch->message, NULL);
}

static void count_events(const struct ingest_request *request)
{
    int64_t accepted[ENTRY_TYPE_COUNT] = {0};
    int64_t duplicates[ENTRY_TYPE_COUNT] = {0};
    int64_t sum = 0;

    for (size_t i = 0; i < request->batch.event_count; i++) {
        int type = (int)request->batch.events[i]->entry.type;

        if (request->batch.is_duplicate[i]) {
            duplicates[type]++;
            sum++;
        } else {
            accepted[type]++;
        }
    }
    for (int type = 0; type < ENTRY_TYPE_COUNT; type++) {
        if (accepted[type] > 0) {
            lb_metrics_add(request->api->accepted[type], accepted[type]);
        }
        if (duplicates[type] > 0) {
            lb_metrics_add(request->api->duplicate[type], duplicates[type]);
        }
    }
    if (sum > 0) {
        lb_metrics_add(request->api->duplicates, sum);
    }
}

/* --- the writer's part -------------------------------------------------------
 */

static enum lb_err
keep_answer(struct ingest_request *request, struct db *db, struct lb_error *err)
{
    struct event_answer answer = {
        request->token, "/v1/events", request->key, {0}, 0, NULL};
    struct lb_buf text;
    enum lb_err rc;

    lb_buf_init(&text, (size_t)512 * 1024);
    memcpy(answer.body_hash, request->body_hash, sizeof(answer.body_hash));
    answer.status = batch_answer(&request->batch, &text);
    answer.text = lb_buf_text(&text);
    rc = event_store_keep_answer(db, &answer, err);
    lb_buf_deinit(&text);
    return rc;
}

/* Whether the key has an answer already: then nothing is appended. */
static enum lb_err
find_answer(struct ingest_request *request, struct db *db, struct lb_error *err)
{
    struct event_answer answer = {
        request->token, "/v1/events", request->key, {0}, 0, NULL};
    bool is_same = false;
    enum lb_err rc;

    free(request->stored);
    request->stored = NULL;
    memcpy(answer.body_hash, request->body_hash, sizeof(answer.body_hash));
    rc = event_store_find_answer(db, &answer, &is_same, &request->stored, err);
    request->stored_status = answer.status;
    request->is_mismatch = rc == LB_EEXIST && !is_same;
    return rc;
}

static enum lb_err
run_append(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct ingest_request *request = (struct ingest_request *)job;
    enum lb_err rc = LB_OK;

    if (request->key[0] != '\0') {
        rc = find_answer(request, db, err);
        if (rc != LB_OK) {
            return rc == LB_EEXIST ? LB_OK : rc;
        }
    }
    rc = event_store_append(
        request->api->parts.store, db, request->batch.events,
        request->batch.event_count,
        request->import == NULL ? NULL : import_session_events(request->import),
        request->batch.is_duplicate, err);
    if (rc == LB_OK && request->is_last) {
        rc = visitor_end_import(request->api->parts.visitors, db,
                                request->context.import, err);
    }
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

static void respond_storage_error(struct ingest_request *request,
                                  enum lb_err rc,
                                  const struct lb_error *err)
{
    bool is_full = rc == LB_EFULL;

    if (is_full) {
        lb_metrics_limit_hit("disk_reserve");
    }
    lb_log_limited(LB_LOG_ERROR, "append_failed", "text=\"%s\"", err->text);
    lb_http_respond_header(request->http, "Retry-After", is_full ? "30" : "1");
    lb_http_respond_error(
        request->http, 503, is_full ? "disk_full" : "not_ready",
        is_full ? "The disk is full; nothing of this request was stored."
                : "The database can't be written now; nothing of this request "
                  "was stored.",
        "Send the same request again, with the same ids, after Retry-After.");
}

static void
done_append(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct ingest_request *request = (struct ingest_request *)job;

    if (rc != LB_OK) {
        respond_storage_error(request, rc, err);
    } else if (request->stored != NULL) {
        respond_stored(request);
    } else {
        count_events(request);
        respond_batch(request);
    }
    if (request->import != NULL) {
        import_session_release(request->api->imports, request->import,
                               request->is_last && rc == LB_OK);
    }
    free_request(request);
}

/* --- after parsing -----------------------------------------------------------
 */

static bool is_within_rate(struct ingest_request *request)
{
    struct ingest_api *api = request->api;
    int64_t second = lb_clock_mono_ms() / LB_MS_PER_S;
    struct rate_slot *slot;
    unsigned hash = 0;

    if (request->settings.rate == 0 || request->import != NULL) {
        return true;
    }
    for (const char *c = request->token; *c != '\0'; c++) {
        hash = hash * 31 + (unsigned char)*c;
    }
    slot = &api->rates[hash % RATE_SLOTS];
    if (slot->second != second || strcmp(slot->token, request->token) != 0) {
        memcpy(slot->token, request->token, sizeof(slot->token));
        slot->second = second;
        slot->sent = 0;
    }
    if (slot->sent > 0 && slot->sent + (int64_t)request->batch.sent_count >
                              request->settings.rate) {
        return false;
    }
    slot->sent += (int64_t)request->batch.sent_count;
    return true;
}

static void after_parse(struct ingest_request *request)
{
    bool is_over = true;

    if (request->batch.status != 0) {
        respond_fault(request);
    } else if (!is_within_rate(request)) {
        lb_metrics_limit_hit("rate");
        lb_http_respond_header(request->http, "Retry-After", "1");
        lb_http_respond_error(
            request->http, 429, "rate_limited",
            "This token sends more events a second than limits.rate.", NULL);
    } else if (request->batch.event_count == 0 && !request->is_last &&
               request->key[0] == '\0') {
        respond_batch(request);
    } else {
        request->job.run = run_append;
        request->job.done = done_append;
        request->job.event_count = request->batch.event_count;
        request->job.bytes = lb_arena_bytes(request->batch.arena);
        request->job.is_append = request->import == NULL;
        request->job.is_background = request->import != NULL;
        is_over =
            writer_submit(request->api->parts.writer, &request->job) != LB_OK;
        if (is_over) {
            lb_metrics_limit_hit("queue_events");
            lb_http_respond_header(request->http, "Retry-After", "1");
            lb_http_respond_error(request->http, 503, "overloaded",
                                  "Too many events wait to be stored; nothing "
                                  "of this request was.",
                                  "Send it again after Retry-After.");
        }
    }
    if (is_over) {
        if (request->import != NULL) {
            import_session_release(request->api->imports, request->import,
                                   false);
        }
        free_request(request);
    }
}

static void parse(struct ingest_request *request)
{
    struct lb_buf *body = lb_http_request_body(request->http);

    batch_read(&request->batch, &request->context, &request->settings.limits,
               request->encoding, request->is_ndjson, lb_buf_text(body),
               body->len);
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

static bool read_encoding(struct lb_http_request *http,
                          enum lb_inflate_kind *kind_out)
{
    const char *encoding = lb_http_request_header(http, "Content-Encoding");

    *kind_out = LB_INFLATE_NONE;
    if (encoding == NULL || strcasecmp(encoding, "identity") == 0) {
        return true;
    }
    if (strcasecmp(encoding, "gzip") == 0) {
        *kind_out = LB_INFLATE_GZIP;
        return true;
    }
    *kind_out = LB_INFLATE_ZSTD;
    return strcasecmp(encoding, "zstd") == 0;
}

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
    } else if (!read_encoding(http, &kind)) {
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

    context->catalog = who->catalog;
    context->who = who;
    context->sources = api->parts.sources;
    context->visitors = api->parts.visitors;
    memcpy(context->id_key, event_store_id_key(api->parts.store),
           sizeof(context->id_key));
    context->received_at_ms = lb_clock_wall_ms();
    context->import = "";
    context->is_case_kept = request->settings.is_case_kept;
    context->text_bytes = request->settings.text_bytes;
    memcpy(context->is_contact_kept, request->settings.is_contact_kept,
           sizeof(context->is_contact_kept));
    context->address = lb_client_rules_given(api->parts.clients, request->http);
    context->is_private =
        lb_client_rules_is_private(api->parts.clients, request->http);
    context->geo = geo_watch_current(api->parts.geo);
    context->agents = api->agents;
    context->datacentres = datacentre_current(api->datacentre);
    context->referrer = lb_http_request_header(request->http, "Referer");
    if (context->referrer != NULL &&
        !lb_text_is_made_of(context->referrer, "!-~", SOURCE_REFERRER_BYTES)) {
        context->referrer = NULL;
    }
    (void)snprintf(request->token, sizeof(request->token), "%s",
                   who->token == NULL ? "local" : who->token->id);
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
    request->settings = api->settings;
    batch_init(&request->batch);
    request->is_ndjson = is_media(lb_http_request_header(http, "Content-Type"),
                                  "application/x-ndjson");
    (void)read_encoding(http, &request->encoding);
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
    pool_submit(request->api->parts.parsers, &request->parse);
}

static void handle_events(struct lb_http_request *http, void *ctx)
{
    struct ingest_request *request = new_request(ctx, http);

    if (request != NULL) {
        start(request);
    }
}

static void handle_import(struct lb_http_request *http, void *ctx)
{
    struct ingest_api *api = ctx;
    const char *name = lb_http_request_query(http, "session", 0);
    const char *last = lb_http_request_query(http, "last", 0);
    const char *fire = lb_http_request_query(http, "fire", 0);
    struct ingest_request *request;

    if (!import_session_is_name(name)) {
        lb_http_respond_error(http, 400, "bad_request",
                              "session must be 1 to 32 letters or digits.",
                              NULL);
        return;
    }
    request = new_request(api, http);
    if (request == NULL) {
        return;
    }
    request->import = import_session_take(api->imports, name,
                                          api->settings.double_tap_window_ms);
    if (request->import == NULL) {
        lb_http_respond_error(http, 503, "overloaded",
                              "Too many imports run, or this one is busy.",
                              NULL);
        free_request(request);
        return;
    }
    request->is_last = last != NULL && strcmp(last, "1") == 0;
    request->context.import = import_session_name(request->import);
    request->context.is_any_age = true;
    request->context.is_silent = fire == NULL || strcmp(fire, "1") != 0;
    start(request);
}

/* Imports come by the local socket alone. */
static void check_local(struct lb_http_request *http, void *ctx)
{
    if (!lb_http_request_is_local(http)) {
        lb_http_respond_error(http, 404, "not_found",
                              "There is nothing at this path.", NULL);
        return;
    }
    check_head(http, ctx);
}

static void handle_scan(struct lb_http_request *http, void *ctx)
{
    struct ingest_api *api = ctx;

    import_session_scan(api->imports, http, api->parts.readers,
                        event_store_id_key(api->parts.store),
                        api->settings.double_tap_window_ms);
}

static bool is_kept(const struct lb_config_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->values[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void fill_settings(struct ingest_api *api,
                          const struct lb_config *config)
{
    static const char *const names[ENTRY_CONTACT_COUNT] = {"email", "name",
                                                           "message", "phone"};
    struct settings *settings = &api->settings;

    settings->limits.body_inflated_bytes = (size_t)config->body_inflated_bytes;
    settings->limits.events = (size_t)config->events_per_request;
    settings->limits.event_bytes = (size_t)config->event_bytes;
    settings->limits.json_depth = (unsigned)config->json_depth;
    settings->is_case_kept = strcmp(config->utm_case, "keep") == 0;
    settings->text_bytes = (size_t)config->text_bytes;
    settings->rate = config->rate;
    settings->double_tap_window_ms = config->double_tap_window_ms;
    for (int i = 0; i < ENTRY_CONTACT_COUNT; i++) {
        settings->is_contact_kept[i] = is_kept(&config->keep_contact, names[i]);
    }
}

void ingest_api_set_config(struct ingest_api *api,
                           const struct lb_config *config)
{
    fill_settings(api, config);
    event_store_set_burst(api->parts.store, config->burst_per_minute);
    datacentre_reload(api->datacentre, config->datacentre_list,
                      api->parts.parsers);
}

static void make_metrics(struct ingest_api *api)
{
    const char *help = "Events by type and what became of them.";
    char labels[64];

    for (int type = 0; type < ENTRY_TYPE_COUNT; type++) {
        const char *name = entry_type_name((enum entry_type)type);

        (void)snprintf(labels, sizeof(labels),
                       "type=\"%s\",result=\"accepted\"", name);
        api->accepted[type] = lb_metrics_get(
            LB_METRIC_COUNTER, "linkbell_events_total", help, labels);
        (void)snprintf(labels, sizeof(labels),
                       "type=\"%s\",result=\"duplicate\"", name);
        api->duplicate[type] = lb_metrics_get(
            LB_METRIC_COUNTER, "linkbell_events_total", help, labels);
    }
    api->duplicates =
        lb_metrics_get(LB_METRIC_COUNTER, "linkbell_duplicates_total",
                       "Events whose id was known.", "");
}

enum lb_err ingest_api_new(struct lb_http_server *server,
                           const struct ingest_parts *parts,
                           const struct lb_config *config,
                           struct ingest_api **api_out,
                           struct lb_error *err)
{
    struct ingest_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route routes[] = {
        {"POST", "/v1/events", check_head, handle_events, api, 0},
        {"POST", "/v1/import", check_local, handle_import, api, 0},
        {"POST", "/v1/import/ids", check_local, handle_scan, api, 0},
    };
    enum lb_err rc = LB_OK;

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->parts = *parts;
    api->imports = import_sessions_new();
    if (api->imports == NULL) {
        rc = lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    rc = rc == LB_OK ? agent_cache_new(&api->agents, err) : rc;
    rc = rc == LB_OK
             ? datacentre_new(config->datacentre_list, &api->datacentre, err)
             : rc;
    make_metrics(api);
    fill_settings(api, config);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rc == LB_OK;
         i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

void ingest_api_free(struct ingest_api *api)
{
    if (api != NULL) {
        import_sessions_free(api->imports);
        agent_cache_free(api->agents);
        datacentre_free(api->datacentre);
        free(api);
    }
}
