/* import_batch.c - records in, events out. */
#include "ingest/import_batch.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "ingest/import_native.h"
#include "ingest/import_order.h"

#define ARENA_BYTES ((size_t)256 * 1024 * 1024)
#define SCRATCH_BYTES ((size_t)64 * 1024 * 1024)
#define ID_BYTES 17
#define MANY_ID_BYTES 48 /* of one of several events of a record */

struct work {
    struct import_batch *out;
    struct event_context *context;
    struct import_order order;
    struct import_reader *reader; /* owned */
    struct lb_arena *scratch;     /* owned; of one record */
    uint8_t key[LB_HASH_KEY_BYTES];
    size_t next_repeat;
};

void import_batch_init(struct import_batch *batch)
{
    memset(batch, 0, sizeof(*batch));
    batch_init(&batch->batch);
    batch->batch.listed_max = IMPORT_ORDER_RECORDS;
}

void import_batch_deinit(struct import_batch *batch)
{
    batch_deinit(&batch->batch);
}

static void fail(struct import_batch *out, int status, const char *message)
{
    out->batch.status = status;
    out->batch.code = status == 400 ? "bad_request" : "overloaded";
    (void)snprintf(out->batch.message, sizeof(out->batch.message), "%s",
                   message);
}

/* --- ids ------------------------------------------------------------------
 */

/* Ids made of records are keyed with the database's own key and shown to
 * others: nobody may find an address by trying all of them. */
static void make_key(struct work *work)
{
    const uint8_t *secret = work->context->id_key;
    char purpose[64];

    for (int half = 0; half < 2; half++) {
        int len = snprintf(purpose, sizeof(purpose), "import %s %d",
                           import_format_name(work->order.spec.format), half);
        uint64_t hash = lb_hash_sip(secret, purpose, (size_t)len);

        memcpy(work->key + sizeof(hash) * (size_t)half, &hash, sizeof(hash));
    }
}

/* How often the record stood before in the file. */
static uint32_t repeats_of(struct work *work, size_t index)
{
    const struct import_order *order = &work->order;

    while (work->next_repeat < order->repeat_count &&
           order->repeats[work->next_repeat].index < index) {
        work->next_repeat++;
    }
    return work->next_repeat < order->repeat_count &&
                   order->repeats[work->next_repeat].index == index
               ? order->repeats[work->next_repeat].count
               : 0;
}

/* False: the arena is full. */
static bool make_id(struct work *work,
                    const char *text,
                    size_t len,
                    uint32_t repeat,
                    char id[ID_BYTES])
{
    char *bytes = lb_arena_alloc(work->scratch, len + sizeof(repeat));
    uint8_t digest[sizeof(uint64_t)];
    uint64_t hash;

    if (bytes == NULL) {
        return false;
    }
    memcpy(bytes, text, len);
    for (size_t i = 0; i < sizeof(repeat); i++) {
        bytes[len + i] = (char)(repeat >> (8 * i) & 0xff);
    }
    hash = lb_hash_sip(work->key, bytes, len + sizeof(repeat));
    for (size_t i = 0; i < sizeof(digest); i++) {
        digest[i] = (uint8_t)(hash >> (56 - 8 * i));
    }
    lb_text_to_hex(digest, sizeof(digest), id);
    return true;
}

/* --- events ---------------------------------------------------------------
 */

static void note_time(struct import_batch *out, int64_t at_ms)
{
    out->first_ms =
        out->first_ms == 0 || at_ms < out->first_ms ? at_ms : out->first_ms;
    out->last_ms = at_ms > out->last_ms ? at_ms : out->last_ms;
}

/* False: the event was refused, or the arena is full, as the status says. */
static bool keep(struct work *work, const struct import_event *source)
{
    struct batch *batch = &work->out->batch;
    struct event *event = lb_arena_alloc(batch->arena, sizeof(*event));
    struct event_fault fault = {.code = NULL};

    if (event == NULL) {
        fail(work->out, 503, "The records take too much memory.");
        return false;
    }
    work->context->signs.is_head = source->is_head;
    if (!event_read(work->context, source->json, work->scratch, event,
                    &fault)) {
        if (fault.site != 0 && work->context->refused != NULL) {
            refused_store_note(work->context->refused, fault.site, fault.code,
                               work->context->received_at_ms);
        }
        batch_reject(batch, &fault, event);
        return false;
    }
    event->is_burst_free = work->order.spec.format == IMPORT_COMBINED ||
                           work->order.spec.format == IMPORT_PLAUSIBLE ||
                           source->count > 1;
    if ((source->given != NULL &&
         !import_native_restore(source->given, work->scratch, &event->entry)) ||
        !event_keep(event, batch->arena) || !batch_add(batch, event)) {
        fail(work->out, 503, "The records take too much memory.");
        return false;
    }
    note_time(work->out, event->entry.ts_at_ms);
    return true;
}

/* A daily sum: its events differ in id, and in visitor as far as it tells. */
static void
keep_many(struct work *work, const struct import_event *source, const char *id)
{
    cJSON *json = source->json;
    cJSON *id_item = cJSON_GetObjectItemCaseSensitive(json, "id");
    char event_id[MANY_ID_BYTES];
    char visitor[MANY_ID_BYTES];

    if (id_item == NULL ||
        (source->visitor_count > 0 &&
         lb_json_put_text(json, "visitor", visitor, work->scratch) == NULL)) {
        fail(work->out, 503, "The records take too much memory.");
        return;
    }
    id_item->valuestring = event_id;
    for (size_t i = 0; i < source->count; i++) {
        (void)snprintf(event_id, sizeof(event_id), "%s-%zu", id, i);
        (void)snprintf(visitor, sizeof(visitor), "%s-%zu", id,
                       source->visitor_count == 0 ? 0
                                                  : i % source->visitor_count);
        if (!keep(work, source)) {
            break;
        }
    }
}

static void read_record(struct work *work, const char *text, size_t len)
{
    struct batch *batch = &work->out->batch;
    size_t index = batch->sent_count++;
    struct event_fault fault = {.code = NULL};
    struct import_event source;
    char id[ID_BYTES] = "-"; /* made when it is needed */
    struct import_record record = {text, len, id};

    lb_arena_clear(work->scratch);
    switch (import_reader_read(work->reader, &record, work->scratch, &source,
                               &fault)) {
    case IMPORT_IGNORED:
        work->out->ignored_count++;
        break;
    case IMPORT_BAD:
        batch_reject(batch, &fault, NULL);
        break;
    case IMPORT_FULL:
        fault.code = "event_too_large";
        (void)snprintf(fault.message, sizeof(fault.message),
                       "the record is too large");
        batch_reject(batch, &fault, NULL);
        break;
    case IMPORT_EVENT:
        if ((source.has_records_id || source.count != 1 ||
             source.visitor_count != 0) &&
            !make_id(work, text, len, repeats_of(work, index), id)) {
            fail(work->out, 503, "The records take too much memory.");
        } else if (source.count == 1 && source.visitor_count == 0) {
            (void)keep(work, &source);
        } else {
            keep_many(work, &source, id);
        }
        break;
    }
}

static void read_records(struct work *work, const char *text, size_t len)
{
    struct import_batch *out = work->out;

    while (len > 0 && out->batch.status == 0 && !out->is_stopped) {
        size_t used = 0;
        size_t next = 0;

        (void)import_format_record(work->order.spec.format, text, len, &used,
                                   &next);
        if (out->batch.sent_count == IMPORT_ORDER_RECORDS) {
            fail(out, 400, "The request holds too many records.");
            return;
        }
        read_record(work, text, used);
        out->is_stopped =
            work->order.is_strict && out->batch.rejected_count > 0;
        text += next;
        len -= next;
    }
}

static void open_work(struct work *work, const char *body, size_t len)
{
    struct import_batch *out = work->out;
    const struct catalog_site *site;
    struct lb_error err = {LB_OK, ""};
    size_t used = 0;
    struct lb_arena *arena = lb_arena_new(SCRATCH_BYTES);

    out->batch.arena = lb_arena_new(ARENA_BYTES);
    work->scratch = lb_arena_new(SCRATCH_BYTES);
    if (arena == NULL || out->batch.arena == NULL || work->scratch == NULL) {
        fail(out, 503, "Out of memory.");
    } else if (import_order_read(body, len, arena, &work->order, &used) !=
               LB_OK) {
        fail(out, 400, "The first line does not say how to read the records.");
    } else {
        site = work->order.spec.site == NULL
                   ? NULL
                   : catalog_site_find(work->context->catalog,
                                       work->order.spec.site);
        work->order.spec.zone = site == NULL ? NULL : site->zone;
        if (import_reader_new(&work->order.spec, &work->reader, &err) !=
            LB_OK) {
            fail(out, 400, err.text);
        }
    }
    if (out->batch.status == 0) {
        make_key(work);
        work->context->is_silent = !work->order.is_firing;
        work->context->is_any_age = true;
        work->context->memo = client_memo_new(out->batch.arena);
        read_records(work, body + used, len - used);
    }
    lb_arena_free(arena);
}

void import_batch_read(struct import_batch *batch,
                       struct event_context *context,
                       const char *body,
                       size_t len)
{
    struct work work;

    memset(&work, 0, sizeof(work));
    work.out = batch;
    work.context = context;
    open_work(&work, body, len);
    if (batch->batch.status == 0 && !batch_close(&batch->batch)) {
        fail(batch, 503, "The records take too much memory.");
    }
    import_reader_free(work.reader);
    context->memo = NULL;
    lb_arena_free(work.scratch);
}

void import_batch_answer(const struct import_batch *batch, struct lb_buf *out)
{
    size_t duplicates = batch_duplicates(&batch->batch);

    lb_buf_printf(out,
                  "{\"accepted\":%zu,\"duplicates\":%zu,\"rejected\":%zu,"
                  "\"ignored\":%zu,\"records\":%zu,\"first_ms\":%lld,"
                  "\"last_ms\":%lld,\"errors\":[",
                  batch->batch.event_count - duplicates, duplicates,
                  batch->batch.rejected_count, batch->ignored_count,
                  batch->batch.sent_count, (long long)batch->first_ms,
                  (long long)batch->last_ms);
    lb_buf_add(out, batch->batch.errors.data, batch->batch.errors.len);
    lb_buf_add_text(out, "]}");
}
