/* fuzz_event.c - a request's body as events: JSON or NDJSON, plain or packed.
 * Input: one byte of choices, then the body. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "ingest/batch.h"
#include "ingest/event_store.h"

#define NOW_MS INT64_C(1795510800000)

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
    const char *const hosts[] = {"l.alice.bio"};
    const struct catalog_site_draft draft = {
        "alice.bio", "Europe/Paris", hosts, 1, "{}", false};
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
    context.import = "";
    context.text_bytes = 256;
    context.is_contact_kept[ENTRY_CONTACT_EMAIL] = true;
}

static void check_event(const struct event *event)
{
    const struct entry *entry = &event->entry;

    must(entry->site > 0 && event->site != NULL);
    must(entry->ts_at_ms <= NOW_MS + EVENT_FUTURE_MS);
    must(entry->ts_at_ms >= NOW_MS - EVENT_LATE_MS);
    must(entry->text[ENTRY_TEXT_ID] != NULL &&
         strlen(entry->text[ENTRY_TEXT_ID]) <= EVENT_ID_BYTES);
    must(entry->text[ENTRY_TEXT_SOURCE] != NULL);
    must(entry->contact[ENTRY_CONTACT_PHONE] == NULL);
    for (int i = 0; i < ENTRY_TEXT_COUNT; i++) {
        const char *text = entry->text[i];

        must(text == NULL || lb_text_is_utf8(text, strlen(text)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct batch_limits limits = {.body_inflated_bytes = 1 << 20,
                                               .room_bytes = 1 << 20,
                                               .events = 100,
                                               .event_bytes = 65536,
                                               .json_depth = 32};
    static const enum lb_inflate_kind kinds[] = {
        LB_INFLATE_NONE, LB_INFLATE_NONE, LB_INFLATE_GZIP, LB_INFLATE_ZSTD};
    struct batch batch;
    struct lb_buf answer;
    struct lb_json_fault fault;
    struct batch_body sent;
    char *body;

    if (size == 0) {
        return 0;
    }
    if (context.visitors == NULL) {
        set_up();
    }
    body = malloc(size); /* exactly as long, so that a read past it shows */
    must(body != NULL);
    memcpy(body, data + 1, size - 1);
    batch_init(&batch);
    sent = (struct batch_body){kinds[data[0] >> 1 & 3], (data[0] & 1) != 0,
                               body, size - 1};
    batch_read(&batch, &context, &limits, &sent);
    for (size_t i = 0; batch.status == 0 && i < batch.event_count; i++) {
        check_event(batch.events[i]);
    }
    lb_buf_init(&answer, (size_t)1 << 20);
    if (batch.status == 0) {
        must(batch.event_count + batch.rejected_count == batch.sent_count);
        (void)batch_answer(&batch, &answer);
        must(lb_json_check(lb_buf_text(&answer), answer.len, 32, &fault) ==
             LB_OK);
    } else {
        must(batch.code != NULL && batch.status >= 400);
    }
    lb_buf_deinit(&answer);
    batch_deinit(&batch);
    free(body);
    return 0;
}
