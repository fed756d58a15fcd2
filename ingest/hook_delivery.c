/* hook_delivery.c - from the bytes of a delivery to events. */
#include "ingest/hook_delivery.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"

#define TREE_BYTES ((size_t)32 * 1024 * 1024) /* of a body's JSON in memory */

/* What a source that is none is asked for: refusing it takes as long as
 * refusing a wrong signature. */
static const struct hook_sign nobody = {.scheme = HOOK_SIGN_HMAC};

void hook_delivery_init(struct hook_delivery *delivery)
{
    memset(delivery, 0, sizeof(*delivery));
    batch_init(&delivery->batch);
}

void hook_delivery_deinit(struct hook_delivery *delivery)
{
    batch_deinit(&delivery->batch);
}

bool hook_delivery_is_right(const struct hook_delivery *delivery)
{
    return delivery->source != NULL && delivery->verdict == HOOK_SIGN_RIGHT;
}

/* A name for events without one: what Standard Webhooks give, which is an id of
 * the sender's; NULL: nothing. */
static const char *name_delivery(const struct hook_delivery *delivery,
                                 char made[HOOK_EVENT_ID_BYTES])
{
    const struct hook_source *source = delivery->source;
    const char *id = delivery->proof.id;

    if (source->sign.scheme != HOOK_SIGN_STANDARD) {
        return NULL;
    }
    if (strlen(id) <= HOOK_EVENT_DELIVERY_BYTES) {
        return id;
    }
    hook_event_make_id(delivery->context.id_key, source->id, id, strlen(id),
                       made);
    return made;
}

/* From a body's tree to events. */
static void map_body(struct hook_delivery *delivery, const cJSON *body)
{
    const struct hook_source *source = delivery->source;
    struct batch *batch = &delivery->batch;
    char made[HOOK_EVENT_ID_BYTES];
    struct hook_events events;

    hook_events_init(&events, delivery->limits.body_inflated_bytes);
    events.site = source->site;
    events.dedupe = source->dedupe;
    events.delivery_id = name_delivery(delivery, made);
    memcpy(events.body_id, delivery->body_id, sizeof(events.body_id));
    events.text_bytes = delivery->context.text_bytes;
    events.max_count = delivery->limits.events;
    source->kind->write(source->body, body, &events);
    hook_events_end(&events);
    delivery->ignored_count = events.ignored_count;
    delivery->is_repeatable = events.is_repeatable;
    delivery->context.is_qr = events.is_qr;
    if (events.fault != NULL) {
        batch_fail(batch, 422, "invalid", "The body makes no events: %s.",
                   events.fault);
    } else if (events.json.is_failed) {
        batch->limit = "body_inflated";
        batch_fail(batch, 413, "too_large",
                   "The body makes more events than are taken at once.");
    } else if (events.count > 0) {
        const struct batch_body made_events = {.encoding = LB_INFLATE_NONE,
                                               .bytes =
                                                   lb_buf_text(&events.json),
                                               .len = events.json.len};

        batch_read(batch, &delivery->context, &delivery->limits, &made_events);
    }
    hook_events_deinit(&events);
}

static void
parse_body(struct hook_delivery *delivery, const char *body, size_t len)
{
    struct batch *batch = &delivery->batch;
    struct lb_arena *arena = lb_arena_new(TREE_BYTES);
    struct lb_json_fault fault = {NULL, NULL, 0, 0};
    cJSON *json = NULL;
    enum lb_err rc = arena == NULL
                         ? LB_ENOMEM
                         : lb_json_parse(body, len, delivery->limits.json_depth,
                                         arena, &json, &fault);

    if (rc == LB_OK) {
        map_body(delivery, json);
    } else if (rc == LB_ENOMEM) {
        batch_fail(batch, 413, "too_large",
                   "The body's JSON takes more memory than there is for it.");
    } else {
        batch->limit = rc == LB_ELIMIT ? "json_depth" : NULL;
        batch_fail(batch, 400, fault.code,
                   "The body is not JSON at line %zu, column %zu: %s.",
                   fault.line, fault.column, fault.reason);
    }
    lb_arena_free(arena);
}

static void read_body(struct hook_delivery *delivery)
{
    const struct hook_sign_proof *proof = &delivery->proof;
    const struct batch_body packed = {
        .encoding = delivery->packing, .bytes = proof->body, .len = proof->len};
    struct lb_buf unpacked;

    if (!delivery->is_packing_known) {
        batch_fail(&delivery->batch, 415, "unsupported_media_type",
                   "Content-Encoding must be gzip, zstd or identity.");
        return;
    }
    if (delivery->packing == LB_INFLATE_NONE) {
        parse_body(delivery, proof->body, proof->len);
        return;
    }
    lb_buf_init(&unpacked, 0);
    batch_unpack(&delivery->batch, &delivery->limits, &packed, &unpacked);
    if (delivery->batch.status == 0) {
        parse_body(delivery, lb_buf_text(&unpacked), unpacked.len);
    }
    lb_buf_deinit(&unpacked);
    if (delivery->limits.hold != NULL) {
        delivery->limits.hold(delivery->limits.hold_ctx, 0);
    }
}

void hook_delivery_look(struct hook_delivery *delivery)
{
    const struct hook_source *source = delivery->source;

    delivery->verdict =
        hook_sign_verify(source == NULL ? &nobody : &source->sign,
                         &delivery->proof, &delivery->encoding);
    if (!hook_delivery_is_right(delivery)) {
        return;
    }
    hook_event_make_id(delivery->context.id_key, source->id,
                       delivery->proof.body, delivery->proof.len,
                       delivery->body_id);
    read_body(delivery);
}
