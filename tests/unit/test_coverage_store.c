/* test_coverage_store.c - incomplete figures: from a log entry to what an
 * answer says of its range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aggregate/coverage_store.h"
#include "aggregate/rollup_store.h"
#include "base/clock.h"
#include "tests/support/ingest_world.h"

#define QUARTER_MS (15 * LB_MS_PER_MIN)
#define NOON_MS (INGEST_WORLD_NOW_MS / LB_MS_PER_HOUR * LB_MS_PER_HOUR)

struct told {
    struct ingest_world world;
    struct rollup_store *rollups;
    struct coverage_entry entries[4];
    struct coverage_span spans[4];
    size_t count;
    /* A question and its answer. */
    int64_t sites[2];
    size_t site_count;
    int64_t from_at_ms;
    int64_t to_at_ms;
    struct coverage_store_list list;
};

static int set_up(void **state)
{
    static struct told told;
    struct cursor_consumer consumer;

    memset(&told, 0, sizeof(told));
    ingest_world_open(&told.world, ":memory:");
    assert_int_equal(rollup_store_new(&told.rollups, NULL), LB_OK);
    consumer = rollup_store_consumer(told.rollups);
    cursor_add_consumer(told.world.cursor, &consumer);
    told.sites[0] = ingest_world_site(&told.world, "alice.bio")->number;
    told.sites[1] = ingest_world_site(&told.world, "bob.bio")->number;
    told.site_count = 2;
    *state = &told;
    return 0;
}

static int tear_down(void **state)
{
    struct told *told = *state;

    coverage_store_deinit(&told->list);
    ingest_world_close(&told->world);
    rollup_store_free(told->rollups);
    return 0;
}

static enum lb_err append_spans(void *ctx, struct db *db, struct lb_error *err)
{
    struct told *told = ctx;
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < told->count && rc == LB_OK; i++) {
        coverage_fill(&told->entries[i], &told->spans[i], INGEST_WORLD_NOW_MS);
        rc =
            cursor_append(told->world.cursor, db, &told->entries[i].entry, err);
    }
    return rc;
}

static enum lb_err ask(void *ctx, struct db *db, struct lb_error *err)
{
    struct told *told = ctx;

    const struct coverage_store_question question = {
        told->sites, told->site_count, told->from_at_ms, told->to_at_ms};

    coverage_store_deinit(&told->list);
    return coverage_store_read(db, &question, &told->list, err);
}

static void tell(struct told *told,
                 int64_t site,
                 int64_t from_at_ms,
                 int64_t to_at_ms,
                 enum coverage_state coverage)
{
    told->spans[0] =
        (struct coverage_span){site, from_at_ms, to_at_ms, coverage};
    told->count = 1;
    assert_int_equal(ingest_world_run(&told->world, append_spans, told), LB_OK);
}

static void read_range(struct told *told, int64_t from_at_ms, int64_t to_at_ms)
{
    told->from_at_ms = from_at_ms;
    told->to_at_ms = to_at_ms;
    assert_int_equal(ingest_world_run(&told->world, ask, told), LB_OK);
}

static void an_entry_is_read_as_it_was_written(void **state)
{
    const struct coverage_span span = {7, 1000, 2000, COVERAGE_GAP};
    struct coverage_span read = {0, 0, 0, COVERAGE_COMPLETE};
    struct coverage_entry entry;

    (void)state;
    coverage_fill(&entry, &span, 3000);

    assert_int_equal(entry.entry.kind, ENTRY_COVERAGE);
    assert_int_equal(entry.entry.received_at_ms, 3000);
    assert_true(coverage_read(&entry.entry, &read));
    assert_int_equal(read.site, span.site);
    assert_int_equal(read.from_at_ms, span.from_at_ms);
    assert_int_equal(read.to_at_ms, span.to_at_ms);
    assert_int_equal(read.state, span.state);
}

static void an_entry_that_says_nothing_is_not_read(void **state)
{
    static const char *const datas[] = {
        NULL,
        "",
        "{}",
        "[]",
        "{\"site\":1,\"from\":1,\"to\":2,\"state\":\"complete\"}",
        "{\"site\":1,\"from\":1,\"to\":2,\"state\":\"worse\"}",
        "{\"site\":1,\"from\":2,\"to\":2,\"state\":\"gap\"}",
        "{\"site\":0,\"from\":1,\"to\":2,\"state\":\"gap\"}",
        "{\"from\":1,\"to\":2,\"state\":\"gap\"}"};
    struct entry entry = {.kind = ENTRY_COVERAGE};
    struct coverage_span span;

    (void)state;
    for (size_t i = 0; i < sizeof(datas) / sizeof(datas[0]); i++) {
        entry.data = datas[i];
        assert_false(coverage_read(&entry, &span));
    }
    entry.kind = ENTRY_TICK;
    entry.data = "{\"site\":1,\"from\":1,\"to\":2,\"state\":\"gap\"}";
    assert_false(coverage_read(&entry, &span));
}

static void a_range_without_an_entry_is_complete(void **state)
{
    struct told *told = *state;

    read_range(told, 0, INGEST_WORLD_NOW_MS);

    assert_int_equal(told->list.count, 0);
    assert_int_equal(
        coverage_store_worst(&told->list, 0, 0, INGEST_WORLD_NOW_MS),
        COVERAGE_COMPLETE);
}

/* 12:10 to 12:40 touches three quarters. */
static void each_quarter_that_a_span_touches_is_incomplete(void **state)
{
    static const struct {
        int64_t from_min;
        int64_t to_min;
        enum coverage_state worst;
    } cases[] = {{-60, 0, COVERAGE_COMPLETE},  {0, 1, COVERAGE_TRUNCATED},
                 {0, 15, COVERAGE_TRUNCATED},  {15, 30, COVERAGE_TRUNCATED},
                 {30, 45, COVERAGE_TRUNCATED}, {44, 45, COVERAGE_TRUNCATED},
                 {45, 60, COVERAGE_COMPLETE},  {-60, 60, COVERAGE_TRUNCATED}};
    struct told *told = *state;

    tell(told, told->sites[0], NOON_MS + 10 * LB_MS_PER_MIN,
         NOON_MS + 40 * LB_MS_PER_MIN, COVERAGE_TRUNCATED);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t from_ms = NOON_MS + cases[i].from_min * LB_MS_PER_MIN;
        int64_t to_ms = NOON_MS + cases[i].to_min * LB_MS_PER_MIN;

        read_range(told, from_ms, to_ms);

        assert_int_equal(coverage_store_worst(&told->list, 0, from_ms, to_ms),
                         cases[i].worst);
    }
}

static void the_worst_of_a_range_wins_and_is_never_taken_back(void **state)
{
    struct told *told = *state;
    int64_t end_ms = NOON_MS + 4 * QUARTER_MS;

    tell(told, told->sites[0], NOON_MS, NOON_MS + 1, COVERAGE_TRUNCATED);
    tell(told, told->sites[0], NOON_MS + QUARTER_MS, end_ms, COVERAGE_GAP);
    tell(told, told->sites[0], NOON_MS + QUARTER_MS, end_ms,
         COVERAGE_TRUNCATED);
    read_range(told, NOON_MS, end_ms);

    assert_int_equal(told->list.count, 4);
    assert_int_equal(coverage_store_worst(&told->list, 0, NOON_MS, end_ms),
                     COVERAGE_GAP);
    assert_int_equal(
        coverage_store_worst(&told->list, 0, NOON_MS, NOON_MS + QUARTER_MS),
        COVERAGE_TRUNCATED);
}

static void a_site_has_its_own_coverage(void **state)
{
    struct told *told = *state;
    int64_t end_ms = NOON_MS + QUARTER_MS;

    tell(told, told->sites[0], NOON_MS, end_ms, COVERAGE_GAP);
    tell(told, told->sites[1], NOON_MS, end_ms, COVERAGE_TRUNCATED);
    read_range(told, NOON_MS, end_ms);

    assert_int_equal(
        coverage_store_worst(&told->list, told->sites[0], NOON_MS, end_ms),
        COVERAGE_GAP);
    assert_int_equal(
        coverage_store_worst(&told->list, told->sites[1], NOON_MS, end_ms),
        COVERAGE_TRUNCATED);
    assert_int_equal(coverage_store_worst(&told->list, 0, NOON_MS, end_ms),
                     COVERAGE_GAP);
    told->sites[0] = told->sites[1];
    told->site_count = 1;
    read_range(told, NOON_MS, end_ms);
    assert_int_equal(told->list.count, 1);
}

static void a_span_is_bounded(void **state)
{
    struct told *told = *state;

    tell(told, told->sites[0], 0, NOON_MS, COVERAGE_GAP);
    read_range(told, 0, NOON_MS);

    assert_int_equal(told->list.count, COVERAGE_STORE_SPAN);
    assert_int_equal(told->list.rows[0].bucket, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_read_as_it_was_written),
        cmocka_unit_test(an_entry_that_says_nothing_is_not_read),
        cmocka_unit_test_setup_teardown(a_range_without_an_entry_is_complete,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            each_quarter_that_a_span_touches_is_incomplete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            the_worst_of_a_range_wins_and_is_never_taken_back, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(a_site_has_its_own_coverage, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_span_is_bounded, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
