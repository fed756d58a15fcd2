/* hook.c - inbound webhooks. */
#include "ingest/hook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/ip.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "ingest/dedupe.h"
#include "ingest/hook_cap_store.h"
#include "ingest/hook_delivery.h"
#include "ingest/hook_source.h"

#define INLINE_BYTES                                                           \
    ((size_t)64 * 1024) /* larger bodies are looked at on the pool */
#define ANSWER_BYTES ((size_t)512 * 1024)
#define BODIES 100000 /* remembered, to notice that one comes again */
#define LABEL_BYTES 96
#define NOBODY "(unknown)" /* no source can be called so */

struct hook_api {
    struct intake *intake;
    struct intake_parts parts;
    struct hook_source_set *set; /* owned reference; NULL: not read yet */
    struct dedupe *bodies;       /* owned; that could not be told apart */
};

/* One delivery on its way: looked at here or on the pool, appended by the
 * writer. */
struct hook_request {
    struct writer_job job; /* first: jobs are cast back */
    struct pool_job look;
    struct hook_api *api;
    struct lb_http_request *http;
    struct hook_source_set *set;     /* owned reference */
    struct hook_source *source;      /* NULL: there is none of that name */
    struct intake_settings settings; /* as they were when it came */
    struct hook_delivery delivery;
    struct hook_cap cap;
};

static void free_request(struct hook_request *request)
{
    notice_deinit(&request->cap.notice);
    intake_release(&request->delivery.context);
    hook_delivery_deinit(&request->delivery);
    hook_source_set_unref(request->set);
    free(request);
}

/* --- answers -------------------------------------------------------------- */

static void count(const char *name,
                  const char *help,
                  const struct hook_request *request,
                  size_t number)
{
    char labels[LABEL_BYTES];

    if (number > 0) {
        (void)snprintf(labels, sizeof(labels), "source=\"%s\"",
                       request->source->id);
        lb_metrics_add(lb_metrics_get(LB_METRIC_COUNTER, name, help, labels),
                       (int64_t)number);
    }
}

/* The same answer whatever is wrong; what it was, the metrics tell. */
static void reject(struct hook_request *request)
{
    const char *id = request->source == NULL ? NOBODY : request->source->id;
    const char *reason = request->source == NULL
                             ? "unknown_source"
                             : hook_sign_reason(request->delivery.verdict);
    char labels[LABEL_BYTES];

    (void)snprintf(labels, sizeof(labels), "source=\"%s\",reason=\"%s\"", id,
                   reason);
    lb_metrics_add(
        lb_metrics_get(LB_METRIC_COUNTER, "linkbell_inbound_rejected_total",
                       "Deliveries refused, by source and reason.", labels),
        1);
    lb_log_limited(LB_LOG_WARN, "inbound_rejected", "source=%s reason=%s", id,
                   reason);
    lb_http_respond_error(request->http, 401, "bad_signature",
                          "The signature or secret is not this source's.",
                          "See docs/webhooks-in.md.");
}

static void respond_fault(struct hook_request *request)
{
    const struct batch *batch = &request->delivery.batch;
    char hint[64] = "";

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

/* As POST /v1/events answers, and how many were ignored; nothing but ignored
 * ones is no fault of the sender. */
static void respond_events(struct hook_request *request)
{
    struct lb_buf answer;
    int status = 202;

    lb_buf_init(&answer, ANSWER_BYTES);
    if (request->delivery.batch.sent_count == 0) {
        lb_buf_add_text(&answer,
                        "{\"accepted\":0,\"duplicates\":0,\"rejected\":"
                        "0,\"errors\":[]");
    } else {
        status = batch_answer(&request->delivery.batch, &answer);
        answer.len -= answer.len > 0 ? 1 : 0; /* its bracket */
    }
    lb_buf_printf(&answer, ",\"ignored\":%zu}",
                  request->delivery.ignored_count);
    lb_http_respond_json(request->http, status, &answer);
    lb_buf_deinit(&answer);
}

static void respond(struct hook_request *request)
{
    count("linkbell_inbound_ignored_total",
          "Events and fields of deliveries that mean nothing here, by source.",
          request, request->delivery.ignored_count);
    if (request->delivery.batch.status != 0) {
        respond_fault(request);
    } else {
        respond_events(request);
    }
}

/* --- the writer's part ---------------------------------------------------- */

static enum lb_err count_delivery(struct hook_request *request,
                                  struct db *db,
                                  struct lb_error *err)
{
    struct event_store *store = request->api->parts.store;
    struct hook_cap *cap = &request->cap;
    enum lb_err rc = hook_cap_store_count(db, cap, err);

    if (rc == LB_OK && cap->has_coverage) {
        rc = event_store_append_other(store, db, &cap->coverage.entry, err);
    }
    if (rc == LB_OK && cap->has_notice) {
        rc = event_store_append_other(store, db, &cap->notice.entry, err);
    }
    return rc;
}

static enum lb_err
run_append(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct hook_request *request = (struct hook_request *)job;
    const struct batch *made = &request->delivery.batch;
    const struct event_batch batch = {.events = made->events,
                                      .is_duplicate = made->is_duplicate,
                                      .count = made->event_count};
    enum lb_err rc = LB_OK;

    if (made->status == 0) {
        rc = event_store_append(request->api->parts.store, db, &batch, err);
    }
    return rc == LB_OK && request->cap.cap > 0
               ? count_delivery(request, db, err)
               : rc;
}

/* Whether the delivery is the repeat of one that could not be told from it. */
static bool is_repeat(struct hook_request *request)
{
    struct dedupe *bodies = request->api->bodies;
    uint64_t hash =
        lb_hash_sip(request->delivery.context.id_key, request->delivery.body_id,
                    strlen(request->delivery.body_id));
    int64_t now_ms = lb_clock_wall_ms();

    dedupe_set_limits(bodies, BODIES, request->settings.dedupe_window_ms);
    dedupe_commit(bodies, now_ms); /* lets old ones go */
    if (dedupe_has(bodies, hash)) {
        return true;
    }
    if (dedupe_add(bodies, hash, now_ms) == LB_OK) {
        dedupe_commit(bodies, now_ms);
    }
    return false;
}

static void count_appended(struct hook_request *request)
{
    const struct batch *batch = &request->delivery.batch;
    const struct event_context *context = &request->delivery.context;

    if (batch->status != 0 || batch->event_count == 0) {
        return;
    }
    intake_count(request->api->intake, batch->events, batch->is_duplicate,
                 batch->event_count);
    if (request->delivery.is_repeatable &&
        batch_duplicates(batch) < batch->event_count && is_repeat(request)) {
        count("linkbell_ambiguous_duplicates_total",
              "Deliveries like one before that were counted again, since "
              "nothing tells whether they are one.",
              request, 1);
        refused_store_note(context->refused, batch->events[0]->entry.site,
                           REFUSED_AMBIGUOUS, context->received_at_ms);
    }
}

static void
done_append(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct hook_request *request = (struct hook_request *)job;

    if (rc != LB_OK) {
        intake_respond_failed(request->http, rc, err);
    } else {
        count_appended(request);
        respond(request);
    }
    free_request(request);
}

/* --- after looking -------------------------------------------------------- */

static bool takes_rate(struct hook_request *request)
{
    size_t sent = request->delivery.batch.sent_count;

    request->job.sender = sender_rate_of_source(
        intake_senders(request->api->intake), request->source->id);
    return intake_take_rate(request->api->intake, request->http,
                            INTAKE_RATE_PER_SOURCE, request->job.sender,
                            sent == 0 ? 1 : sent);
}

/* The first right signature of a source tells how its sender writes it. */
static void tell_encoding(const struct hook_request *request)
{
    struct hook_source *source = request->source;

    if (source->sign.scheme == HOOK_SIGN_HMAC &&
        source->sign.encoding == HOOK_SIGN_AUTO && !source->has_told) {
        source->has_told = true;
        lb_log(LB_LOG_INFO, "inbound_encoding", "source=%s encoding=%s",
               source->id, hook_sign_encoding_name(request->delivery.encoding));
    }
}

static void fill_cap(struct hook_request *request)
{
    const struct hook_source *source = request->source;
    const struct catalog_site *site =
        catalog_site_find(hook_source_set_catalog(request->set), source->site);

    request->cap.cap = site == NULL ? 0 : source->daily_cap;
    request->cap.source = source->number;
    request->cap.source_id = source->id;
    request->cap.site = site == NULL ? 0 : site->number;
    request->cap.site_id = source->site;
    request->cap.received_at_ms = request->delivery.context.received_at_ms;
}

/* Hands it to the writer; false: it is answered. */
static bool submit(struct hook_request *request)
{
    struct batch *batch = &request->delivery.batch;
    bool has_events = batch->status == 0 && batch->event_count > 0;

    fill_cap(request);
    if (!has_events && request->cap.cap == 0) {
        respond(request);
        return false;
    }
    request->job.run = run_append;
    request->job.done = done_append;
    request->job.event_count = has_events ? batch->event_count : 0;
    request->job.bytes =
        batch->arena == NULL ? 0 : lb_arena_bytes(batch->arena);
    request->job.is_append = true;
    if (writer_submit(request->api->parts.writer, &request->job) != LB_OK) {
        intake_respond_full(request->http, &request->job.err);
        return false;
    }
    return true;
}

static void after_look(struct hook_request *request)
{
    bool is_over = true;

    if (!hook_delivery_is_right(&request->delivery)) {
        reject(request);
    } else if (takes_rate(request)) {
        tell_encoding(request);
        is_over = !submit(request);
    }
    if (is_over) {
        free_request(request);
    }
}

static void hold(void *ctx, size_t bytes)
{
    lb_http_request_hold(ctx, bytes);
}

static void look(struct hook_request *request)
{
    struct batch_limits *limits = &request->delivery.limits;
    size_t held = lb_http_request_all_held(request->http);
    size_t most = request->settings.inflight_bytes;

    *limits = request->settings.limits;
    limits->room_bytes = held < most ? most - held : 0;
    limits->hold = hold;
    limits->hold_ctx = request->http;
    hook_delivery_look(&request->delivery);
}

static struct hook_request *of_look(struct pool_job *job)
{
    return (struct hook_request *)((char *)job -
                                   offsetof(struct hook_request, look));
}

static void run_look(struct pool_job *job, struct db *db)
{
    (void)db;
    look(of_look(job));
}

static void
done_look(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    (void)rc;
    (void)err;
    after_look(of_look(job));
}

/* --- requests ------------------------------------------------------------- */

/* The sources as the catalog has them now; NULL: out of memory. */
static struct hook_source_set *current_set(struct hook_api *api)
{
    struct catalog *catalog = catalog_current(api->parts.holder);

    if (api->set == NULL || catalog_version(hook_source_set_catalog(
                                api->set)) != catalog_version(catalog)) {
        hook_source_set_unref(api->set);
        api->set = hook_source_set_new(catalog);
    }
    catalog_unref(catalog);
    return api->set;
}

void hook_api_reload(struct hook_api *api)
{
    hook_source_set_unref(api->set);
    api->set = NULL;
    (void)current_set(api);
}

/* A field that stands there once. */
static const char *one_field(const struct lb_http_request *http,
                             const char *name)
{
    return name == NULL || lb_http_request_header_count(http, name) != 1
               ? NULL
               : lb_http_request_header(http, name);
}

static bool is_near(const struct lb_http_request *http)
{
    static const uint8_t v6[16] = {[15] = 1};
    struct lb_ip ip;

    if (lb_http_request_is_local(http)) {
        return true;
    }
    if (!lb_ip_from(lb_http_request_peer(http), &ip)) {
        return false;
    }
    return ip.len == 4 ? ip.bytes[0] == 127
                       : memcmp(ip.bytes, v6, sizeof(v6)) == 0;
}

static void fill_proof(struct hook_request *request, const char *url_secret)
{
    const struct lb_http_request *http = request->http;
    const struct hook_sign *sign =
        request->source == NULL ? NULL : &request->source->sign;
    bool is_standard = sign != NULL && sign->scheme == HOOK_SIGN_STANDARD;
    struct lb_buf *body = lb_http_request_body(request->http);
    struct hook_sign_proof *proof = &request->delivery.proof;

    proof->url_secret = url_secret[0] == '\0' ? NULL : url_secret;
    proof->is_near = is_near(http);
    proof->body = lb_buf_text(body);
    proof->len = body->len;
    proof->now_s = lb_clock_wall_ms() / LB_MS_PER_S;
    if (is_standard) {
        proof->value = one_field(http, "webhook-signature");
        proof->timestamp = one_field(http, "webhook-timestamp");
        proof->id = one_field(http, "webhook-id");
    } else if (sign != NULL) {
        proof->value = one_field(http, sign->header);
        proof->timestamp = one_field(http, sign->timestamp_header);
    }
}

/* What the sender's own request says is nothing about the visitor. */
static void fill_context(struct hook_request *request)
{
    intake_fill_context(request->api->intake,
                        hook_source_set_catalog(request->set), request->http,
                        &request->delivery.context);
    request->delivery.context.referrer = NULL;
    request->delivery.context.is_private = false;
}

static void handle(struct lb_http_request *http, void *ctx)
{
    struct hook_api *api = ctx;
    struct hook_source_set *set = current_set(api);
    struct hook_request *request =
        set == NULL ? NULL : calloc(1, sizeof(*request));
    struct lb_ip client = lb_client_rules_find(api->parts.clients, http);

    if (request == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return;
    }
    request->api = api;
    request->http = http;
    request->set = hook_source_set_ref(set);
    request->source =
        hook_source_set_find(set, lb_http_request_param(http, "source"));
    request->settings = *intake_settings(api->intake);
    hook_delivery_init(&request->delivery);
    request->delivery.source = request->source;
    request->delivery.is_packing_known =
        intake_read_encoding(http, &request->delivery.packing);
    notice_init(&request->cap.notice);
    fill_context(request);
    fill_proof(request, lb_http_request_param(http, LB_HTTP_PARAM_SECRET));
    if (request->delivery.proof.len <= INLINE_BYTES &&
        request->delivery.packing == LB_INFLATE_NONE) {
        look(request);
        after_look(request);
        return;
    }
    request->look.run = run_look;
    request->look.done = done_look;
    /* Nobody knows yet whether it is the source's sender. */
    request->look.sender =
        sender_rate_of_client(intake_senders(api->intake), &client);
    request->look.cost_bytes = request->delivery.proof.len;
    pool_submit(api->parts.parsers, &request->look);
}

enum lb_err hook_api_new(struct lb_http_server *server,
                         struct intake *intake,
                         struct hook_api **api_out,
                         struct lb_error *err)
{
    struct hook_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route routes[] = {
        {"POST", "/in/{source}", NULL, handle, api, 0},
        {"POST", "/in/{source}/" LB_HTTP_PARAM_SECRET, NULL, handle, api, 0},
    };
    enum lb_err rc = LB_OK;

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->intake = intake;
    api->parts = *intake_parts(intake);
    api->bodies = dedupe_new(BODIES, intake_settings(intake)->dedupe_window_ms);
    if (api->bodies == NULL) {
        rc = lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rc == LB_OK;
         i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

void hook_api_free(struct hook_api *api)
{
    if (api != NULL) {
        hook_source_set_unref(api->set);
        dedupe_free(api->bodies);
        free(api);
    }
}
