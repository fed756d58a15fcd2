/* test_import_batch.c - requests of imports: what is said of the records, their
 * ids, and what becomes of bad ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/import_batch.h"
#include "ingest/import_order.h"
#include "ingest/import_store.h"
#include "tests/support/ingest_world.h"

#define LINE                                                                   \
    "203.0.113.9 - - [24/Nov/2026:08:00:00 +0000] \"%s /a HTTP/1.1\" 200 5 "   \
    "\"-\" \"%s\""

static int set_up(void **state)
{
    struct ingest_world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    ingest_world_open(world, ":memory:");
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    ingest_world_close(*state);
    free(*state);
    return 0;
}

static void
add_line(struct lb_buf *records, const char *method, const char *agent)
{
    lb_buf_printf(records, LINE "\n", method, agent);
}

static void read_records(struct ingest_world *world,
                         const struct import_order *order,
                         const char *records,
                         struct import_batch *batch)
{
    struct event_context context;
    struct lb_buf body;

    ingest_world_context(world, &context);
    context.import = "one";
    lb_buf_init(&body, (size_t)1 << 24);
    import_order_write(order, &body);
    lb_buf_add_text(&body, records);
    import_batch_init(batch);
    import_batch_read(batch, &context, lb_buf_text(&body), body.len);
    lb_buf_deinit(&body);
}

static const char *id_of(const struct import_batch *batch, size_t index)
{
    return batch->batch.events[index]->entry.text[ENTRY_TEXT_ID];
}

static void an_order_comes_back_as_it_was_sent(void **state)
{
    static struct import_order sent;
    static struct import_order got;
    struct lb_arena *arena = lb_arena_new((size_t)1 << 20);
    struct lb_buf body;
    size_t used = 0;
    (void)state;

    sent.spec.format = IMPORT_CSV;
    sent.spec.site = "alice.bio";
    sent.spec.header = "a,\"b\nc\"";
    sent.spec.map = "columns: { ts: \"At\" }\n";
    sent.spec.shift_ms = -5;
    sent.is_strict = true;
    sent.repeat_count = 2;
    sent.repeats[0] = (struct import_repeat){3, 1};
    sent.repeats[1] = (struct import_repeat){7, 4000000000};
    lb_buf_init(&body, (size_t)1 << 20);
    import_order_write(&sent, &body);
    lb_buf_add_text(&body, "rest");
    assert_int_equal(
        import_order_read(lb_buf_text(&body), body.len, arena, &got, &used),
        LB_OK);
    assert_int_equal(used, body.len - 4);
    assert_int_equal(got.spec.format, IMPORT_CSV);
    assert_string_equal(got.spec.site, sent.spec.site);
    assert_string_equal(got.spec.header, sent.spec.header);
    assert_string_equal(got.spec.map, sent.spec.map);
    assert_int_equal(got.spec.shift_ms, -5);
    assert_true(got.is_strict);
    assert_false(got.is_firing);
    assert_int_equal(got.repeat_count, 2);
    assert_memory_equal(got.repeats, sent.repeats, 2 * sizeof(got.repeats[0]));
    lb_buf_deinit(&body);
    lb_arena_free(arena);
}

static void an_order_that_is_none_is_refused(void **state)
{
    static const char *const bodies[] = {"",
                                         "{}",
                                         "{}\n",
                                         "[]\n",
                                         "x\n",
                                         "{\"format\":\"auto\"}\n",
                                         "{\"format\":\"xml\"}\n",
                                         "{\"format\":7}\n"};
    static struct import_order order;
    (void)state;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct lb_arena *arena = lb_arena_new((size_t)1 << 20);
        size_t used = 0;

        assert_int_equal(import_order_read(bodies[i], strlen(bodies[i]), arena,
                                           &order, &used),
                         LB_EFORMAT);
        lb_arena_free(arena);
    }
}

/* An id is a function of database, format, bytes and repetition. */
static void ids_are_made_of_the_record_and_its_repetition(void **state)
{
    struct ingest_world *world = *state;
    struct import_order order = {
        .spec = {.format = IMPORT_COMBINED, .site = "alice.bio"},
        .repeat_count = 1,
        .repeats = {{1, 1}}};
    struct import_batch first;
    struct import_batch second;
    struct lb_buf records;

    lb_buf_init(&records, 65536);
    add_line(&records, "GET", "A");
    add_line(&records, "GET", "A");
    add_line(&records, "GET", "B");
    read_records(world, &order, lb_buf_text(&records), &first);
    read_records(world, &order, lb_buf_text(&records), &second);
    assert_int_equal(first.batch.status, 0);
    assert_int_equal(first.batch.event_count, 3);
    assert_int_equal(strlen(id_of(&first, 0)), 16);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(id_of(&first, i), id_of(&second, i));
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(id_of(&first, i), id_of(&first, j));
        }
    }
    import_batch_deinit(&first);
    import_batch_deinit(&second);
    lb_buf_deinit(&records);
}

static void a_head_request_and_an_agent_are_judged(void **state)
{
    static const char *const reasons[] = {NULL, "head", "ua"};
    struct ingest_world *world = *state;
    struct import_order order = {
        .spec = {.format = IMPORT_COMBINED, .site = "alice.bio"}};
    struct import_batch batch;
    struct lb_buf records;

    lb_buf_init(&records, 65536);
    add_line(&records, "GET", "Mozilla/5.0 (X11; Linux x86_64) Firefox/126.0");
    add_line(&records, "HEAD", "Mozilla/5.0 (X11; Linux x86_64) Firefox/126.0");
    add_line(&records, "GET", "-");
    add_line(&records, "POST", "A");
    read_records(world, &order, lb_buf_text(&records), &batch);
    assert_int_equal(batch.batch.event_count, 3);
    assert_int_equal(batch.ignored_count, 1);
    for (size_t i = 0; i < 3; i++) {
        const struct entry *entry = &batch.batch.events[i]->entry;

        assert_true(entry->is_silent);
        assert_int_equal(entry->received_at_ms, entry->ts_at_ms);
        if (reasons[i] == NULL) {
            assert_null(entry->text[ENTRY_TEXT_REASON]);
            assert_string_equal(entry->text[ENTRY_TEXT_BROWSER], "Firefox");
        } else {
            assert_string_equal(entry->text[ENTRY_TEXT_REASON], reasons[i]);
        }
    }
    import_batch_deinit(&batch);
    lb_buf_deinit(&records);
}

static enum lb_err append(void *ctx, struct db *db, struct lb_error *err)
{
    struct ingest_world *world = ((void **)ctx)[0];
    struct import_batch *batch = ((void **)ctx)[1];
    struct import_store *import = ((void **)ctx)[2];
    const struct event_batch group = {batch->batch.events,
                                      batch->batch.is_duplicate,
                                      batch->batch.event_count, import};

    return event_store_append(world->store, db, &group, err);
}

/* Appends records of one visitor within a minute; how many are of a burst. */
static size_t count_bursts(struct ingest_world *world,
                           const struct import_order *order,
                           const char *records)
{
    static struct import_ids ids;
    struct import_store *import = import_store_new(&ids, 10000);
    struct import_batch batch;
    void *ctx[] = {world, &batch, import};
    size_t count = 0;

    assert_non_null(import);
    id_set_init(&ids.known);
    read_records(world, order, records, &batch);
    assert_int_equal(batch.batch.event_count, 200);
    assert_int_equal(ingest_world_run(world, append, ctx), LB_OK);
    for (size_t i = 0; i < batch.batch.event_count; i++) {
        const struct entry *entry = &batch.batch.events[i]->entry;

        assert_int_not_equal(entry->visitor, 0);
        count += entry->traffic == ENTRY_BOT ? 1 : 0;
    }
    import_batch_deinit(&batch);
    import_store_free(import);
    id_set_deinit(&ids.known);
    return count;
}

/* A page brings dozens of lines, and a daily sum is one instant. */
static void only_events_make_a_burst(void **state)
{
    struct ingest_world *world = *state;
    struct import_order log = {
        .spec = {.format = IMPORT_COMBINED, .site = "alice.bio"}};
    struct import_order sums = {
        .spec = {.format = IMPORT_PLAUSIBLE,
                 .site = "alice.bio",
                 .header = "date,source,referrer,pageviews,visitors"}};
    struct import_order events = {
        .spec = {.format = IMPORT_NDJSON, .site = "alice.bio"}};
    struct lb_buf records;

    lb_buf_init(&records, (size_t)1 << 20);
    for (uint32_t i = 0; i < 200; i++) {
        add_line(&records, "GET",
                 "Mozilla/5.0 (X11; Linux x86_64) Firefox/126.0");
        log.repeats[log.repeat_count++] = (struct import_repeat){i, i};
    }
    assert_int_equal(count_bursts(world, &log, lb_buf_text(&records)), 0);
    assert_int_equal(count_bursts(world, &sums, "2026-11-20,X,t.co/a,200,1\n"),
                     0);
    lb_buf_clear(&records);
    for (int i = 0; i < 200; i++) {
        lb_buf_printf(&records,
                      "{\"type\":\"view\",\"ts\":%d,\"visitor\":\"v\"}\n",
                      1600000000 + i);
    }
    assert_int_equal(count_bursts(world, &events, lb_buf_text(&records)),
                     200 - INGEST_WORLD_BURST);
    lb_buf_deinit(&records);
}

static void bad_records_are_all_told_or_end_it(void **state)
{
    struct ingest_world *world = *state;
    struct import_order order = {
        .spec = {.format = IMPORT_NDJSON, .site = "alice.bio"}};
    struct import_batch batch;
    struct lb_buf records;
    struct lb_buf answer;

    lb_buf_init(&records, 65536);
    lb_buf_init(&answer, (size_t)1 << 20);
    for (int i = 0; i < 300; i++) {
        lb_buf_add_text(&records, "{\"type\":\"view\",\"ts\":5}\nx\n");
    }
    read_records(world, &order, lb_buf_text(&records), &batch);
    assert_int_equal(batch.batch.event_count, 300);
    assert_int_equal(batch.batch.rejected_count, 300);
    assert_int_equal(batch.batch.listed_count, 300);
    assert_false(batch.is_stopped);
    import_batch_answer(&batch, &answer);
    assert_non_null(strstr(lb_buf_text(&answer), "{\"index\":599,\"code\":"
                                                 "\"bad_json\""));
    import_batch_deinit(&batch);
    order.is_strict = true;
    read_records(world, &order, lb_buf_text(&records), &batch);
    assert_int_equal(batch.batch.event_count, 1);
    assert_int_equal(batch.batch.rejected_count, 1);
    assert_true(batch.is_stopped);
    import_batch_deinit(&batch);
    lb_buf_deinit(&records);
    lb_buf_deinit(&answer);
}

static void a_sum_becomes_as_many_events_and_visitors(void **state)
{
    struct ingest_world *world = *state;
    struct import_order order = {
        .spec = {.format = IMPORT_PLAUSIBLE,
                 .site = "alice.bio",
                 .header = "date,source,referrer,pageviews,visitors"}};
    struct import_batch batch;

    read_records(world, &order, "2026-11-20,X,t.co/a,5,2\n", &batch);
    assert_int_equal(batch.batch.event_count, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct event *event = batch.batch.events[i];

        /* Noon in Paris. */
        assert_int_equal(event->entry.ts_at_ms, INT64_C(1795172400000));
        assert_int_equal(event->visitor_hash,
                         batch.batch.events[i % 2]->visitor_hash);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(id_of(&batch, i), id_of(&batch, j));
        }
    }
    assert_int_not_equal(batch.batch.events[0]->visitor_hash,
                         batch.batch.events[1]->visitor_hash);
    import_batch_deinit(&batch);
}

static void a_row_of_our_own_export_keeps_device_and_class(void **state)
{
    struct ingest_world *world = *state;
    struct import_order order = {.spec = {.format = IMPORT_NDJSON}};
    struct import_batch batch;
    const struct entry *entry;

    read_records(world, &order,
                 "{\"seq\":1,\"id\":\"x\",\"type\":\"view\",\"site\":"
                 "\"alice.bio\",\"ts\":5,\"device\":\"Mobile\",\"browser\":"
                 "\"Chrome\",\"browser_version\":\"126\",\"os\":null,"
                 "\"traffic\":\"bot\",\"reason\":\"burst\",\"qr\":true,"
                 "\"click_id\":\"gclid\"}\n",
                 &batch);
    assert_int_equal(batch.batch.event_count, 1);
    entry = &batch.batch.events[0]->entry;
    assert_string_equal(entry->text[ENTRY_TEXT_DEVICE], "Mobile");
    assert_string_equal(entry->text[ENTRY_TEXT_BROWSER_VERSION], "126");
    assert_null(entry->text[ENTRY_TEXT_OS]);
    assert_string_equal(entry->text[ENTRY_TEXT_CLICK_ID], "gclid");
    assert_int_equal(entry->traffic, ENTRY_BOT);
    assert_string_equal(entry->text[ENTRY_TEXT_REASON], "burst");
    assert_true(entry->is_qr);
    import_batch_deinit(&batch);
}

static void a_request_that_can_not_be_read_is_refused(void **state)
{
    struct ingest_world *world = *state;
    struct import_order order = {.spec = {.format = IMPORT_CSV}};
    struct import_batch batch;
    struct lb_buf records;

    read_records(world, &order, "a,b\n", &batch);
    assert_int_equal(batch.batch.status, 400);
    import_batch_deinit(&batch);
    order.spec.format = IMPORT_NDJSON;
    lb_buf_init(&records, 65536);
    for (int i = 0; i < IMPORT_ORDER_RECORDS + 1; i++) {
        lb_buf_add_text(&records, "x\n");
    }
    read_records(world, &order, lb_buf_text(&records), &batch);
    assert_int_equal(batch.batch.status, 400);
    import_batch_deinit(&batch);
    lb_buf_deinit(&records);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_comes_back_as_it_was_sent),
        cmocka_unit_test(an_order_that_is_none_is_refused),
        TEST(ids_are_made_of_the_record_and_its_repetition),
        TEST(a_head_request_and_an_agent_are_judged),
        TEST(only_events_make_a_burst),
        TEST(bad_records_are_all_told_or_end_it),
        TEST(a_sum_becomes_as_many_events_and_visitors),
        TEST(a_row_of_our_own_export_keeps_device_and_class),
        TEST(a_request_that_can_not_be_read_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
