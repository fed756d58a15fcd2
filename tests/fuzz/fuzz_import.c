/* fuzz_import.c - records of foreign files.  Input: one byte for the format,
 * the map of the columns up to a NUL, the first row where the format has one,
 * then records. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "ingest/event_store.h"
#include "ingest/import_batch.h"
#include "ingest/import_order.h"

#define NOW_MS INT64_C(1795510800000)
#define FORMATS 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct event_context context;

static void must(bool is_right)
{
    if (!is_right) {
        abort();
    }
}

/* One database in memory for the life of the process. */
static void set_up(void)
{
    static const struct writer_limits limits = {
        .queue_events = 1000, .queue_bytes = 1 << 20, .group_events = 100};
    const struct catalog_site_draft draft = {
        "alice.bio", "Europe/Paris", NULL, 0, "{}", false};
    static struct writer *writer;
    static struct catalog_holder *holder;
    static struct catalog *catalog;
    struct lb_error err;
    int64_t number;

    must(writer_new(NULL, ":memory:", &limits, &writer, &err) == LB_OK);
    must(catalog_holder_new(writer, &holder, &err) == LB_OK);
    must(db_begin(writer_db(writer), &err) == LB_OK);
    must(catalog_put_site(holder, writer_db(writer), &draft, &number, &err) ==
         LB_OK);
    must(db_commit(writer_db(writer), &err) == LB_OK);
    must(catalog_load(writer_db(writer), &catalog, &err) == LB_OK);
    must(visitor_new(writer, &context.visitors, &err) == LB_OK);
    context.catalog = catalog;
    context.sources = source_table_new();
    must(context.sources != NULL);
    must(agent_cache_new(&context.agents, &err) == LB_OK);
    context.received_at_ms = NOW_MS;
    context.import = "one";
    context.text_bytes = 256;
}

static void check_event(const struct event *event)
{
    const struct entry *entry = &event->entry;

    must(entry->site > 0 && entry->is_silent);
    must(entry->ts_at_ms >= 0 && entry->ts_at_ms == entry->received_at_ms);
    must(entry->text[ENTRY_TEXT_ID] != NULL &&
         entry->text[ENTRY_TEXT_SOURCE] != NULL);
    for (int i = 0; i < ENTRY_TEXT_COUNT; i++) {
        const char *text = entry->text[i];

        must(text == NULL || lb_text_is_utf8(text, strlen(text)));
    }
}

static void check_batch(const struct import_batch *batch)
{
    struct lb_json_fault fault;
    struct lb_buf answer;

    for (size_t i = 0; i < batch->batch.event_count; i++) {
        check_event(batch->batch.events[i]);
    }
    must(batch->batch.event_count + batch->batch.rejected_count +
             batch->ignored_count ==
         batch->batch.sent_count);
    lb_buf_init(&answer, (size_t)4 << 20);
    import_batch_answer(batch, &answer);
    must(lb_json_check(lb_buf_text(&answer), answer.len, 8, &fault) == LB_OK);
    lb_buf_deinit(&answer);
}

/* Sums may stand for many events: their records are only read. */
static void
read_sums(const struct import_spec *spec, const char *text, size_t len)
{
    struct import_reader *reader = NULL;
    struct lb_error err;

    if (import_reader_new(spec, &reader, &err) != LB_OK) {
        return;
    }
    while (len > 0) {
        struct lb_arena *arena = lb_arena_new((size_t)1 << 20);
        struct import_record record = {text, 0, "0123456789abcdef"};
        struct import_event event;
        struct event_fault fault = {.code = NULL};
        size_t next = 0;

        (void)import_format_record(spec->format, text, len, &record.len, &next);
        if (import_reader_read(reader, &record, arena, &event, &fault) ==
            IMPORT_EVENT) {
            must(event.count > 0 && event.ts_at_ms > INT64_MIN / 2);
        }
        text += next;
        len -= next;
        lb_arena_free(arena);
    }
    import_reader_free(reader);
}

static void
read_records(struct import_order *order, const char *text, size_t len)
{
    struct import_batch batch;
    struct event_context own = context;
    struct lb_buf sent;
    char *body;

    lb_buf_init(&sent, (size_t)16 << 20);
    import_order_write(order, &sent);
    lb_buf_add(&sent, text, len);
    body = malloc(sent.len); /* exactly as long, so that a read past it shows */
    must(body != NULL && !sent.is_failed);
    memcpy(body, sent.data, sent.len);
    import_batch_init(&batch);
    import_batch_read(&batch, &own, body, sent.len);
    if (batch.batch.status == 0) {
        check_batch(&batch);
    }
    import_batch_deinit(&batch);
    lb_buf_deinit(&sent);
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct import_order order;
    const char *text = (const char *)data + 1;
    size_t map_len;
    char *map;
    char *header = NULL;

    if (size < 2) {
        return 0;
    }
    if (context.visitors == NULL) {
        set_up();
    }
    memset(&order, 0, sizeof(order));
    order.spec.format = (enum import_format)(IMPORT_NDJSON + data[0] % FORMATS);
    order.spec.site = "alice.bio";
    order.is_strict = (data[0] & 128) != 0;
    map_len = strnlen(text, size - 1);
    map = strndup(text, map_len);
    size -= 1 + map_len + (map_len < size - 1 ? 1 : 0);
    text += map_len + 1;
    if (map_len > 0 && order.spec.format == IMPORT_CSV) {
        order.spec.map = map;
    }
    if (import_format_is_table(order.spec.format) && size > 0) {
        size_t used = 0;
        size_t next = 0;

        (void)import_format_record(order.spec.format, text, size, &used, &next);
        header = strndup(text, used);
        order.spec.header = header;
        text += next;
        size -= next;
    }
    if (size > 0 && (order.spec.format == IMPORT_PLAUSIBLE ||
                     strstr(map, "count") != NULL)) {
        read_sums(&order.spec, text, size);
    } else if (size > 0) {
        read_records(&order, text, size);
    }
    free(map);
    free(header);
    return 0;
}
