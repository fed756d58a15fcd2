/* test_hook_cap_store.c - senders that stop at a number of deliveries: which
 * quarters are told, and when the owner is.  Random cases print their seed;
 * LINKBELL_SEED sets it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "ingest/hook_cap_store.h"
#include "sql/db.h"

#define BEGIN_MS (INT64_C(1795478400000)) /* 2026-11-24T00:00:00Z */
#define BEGIN_BUCKET (BEGIN_MS / HOOK_CAP_BUCKET_MS)
#define DAY 96 /* buckets */
#define MARKS 2000

struct world {
    struct db *db;
    struct hook_cap cap;
    bool is_told[MARKS]; /* by bucket from BEGIN_BUCKET */
    int coverage_count;
    int notice_count;
    int64_t notice_buckets[64];
};

static int set_up(void **state)
{
    static struct world world;
    struct lb_error err = {LB_OK, ""};

    memset(&world, 0, sizeof(world));
    assert_int_equal(db_open(":memory:", DB_WRITER, &world.db, &err), LB_OK);
    notice_init(&world.cap.notice);
    world.cap.source = 7;
    world.cap.source_id = "alice-linkmi";
    world.cap.site = 3;
    world.cap.site_id = "alice.bio";
    world.cap.cap = 100;
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    notice_deinit(&world->cap.notice);
    db_close(world->db);
    return 0;
}

static void note_coverage(struct world *world)
{
    struct coverage_span span;

    assert_true(coverage_read(&world->cap.coverage.entry, &span));
    assert_int_equal(span.site, 3);
    assert_int_equal(span.state, COVERAGE_TRUNCATED);
    for (int64_t at_ms = span.from_at_ms; at_ms < span.to_at_ms;
         at_ms += HOOK_CAP_BUCKET_MS) {
        int64_t mark = at_ms / HOOK_CAP_BUCKET_MS - BEGIN_BUCKET;

        assert_true(mark >= 0 && mark < MARKS);
        assert_false(world->is_told[mark]); /* no quarter twice */
        world->is_told[mark] = true;
    }
    world->coverage_count++;
}

/* Deliveries at the begin of a bucket, counted from BEGIN_BUCKET. */
static void deliver(struct world *world, int64_t bucket, int count)
{
    struct lb_error err = {LB_OK, ""};

    for (int i = 0; i < count; i++) {
        world->cap.received_at_ms =
            (BEGIN_BUCKET + bucket) * HOOK_CAP_BUCKET_MS + i;
        assert_int_equal(hook_cap_store_count(world->db, &world->cap, &err),
                         LB_OK);
        if (world->cap.has_coverage) {
            note_coverage(world);
        }
        if (world->cap.has_notice) {
            world->notice_buckets[world->notice_count++] = bucket;
        }
    }
}

static void expect_told(const struct world *world, int64_t first, int64_t last)
{
    for (int64_t i = 0; i < MARKS; i++) {
        if (world->is_told[i] != (i >= first && i <= last)) {
            fail_msg("bucket %lld", (long long)i);
        }
    }
}

static void far_from_the_cap_nothing_is_told(void **state)
{
    struct world *world = *state;

    deliver(world, 0, 94);
    assert_int_equal(world->cap.deliveries, 94);
    deliver(world, DAY + 1, 94); /* those of the day before are over */

    assert_int_equal(world->cap.deliveries, 94);
    assert_int_equal(world->coverage_count + world->notice_count, 0);
}

/* 95 at once: as long as all of them are within 24 hours. */
static void near_the_cap_a_day_is_told_and_the_owner_once(void **state)
{
    struct world *world = *state;

    deliver(world, 10, 95);
    expect_told(world, 10, 10 + DAY);
    deliver(world, 10, 5);
    deliver(world, 40, 1);

    expect_told(world, 10, 10 + DAY);
    assert_int_equal(world->coverage_count, 1);
    assert_int_equal(world->notice_count, 1);
}

/* The more come late, the longer it lasts, also when nothing more comes. */
static void later_deliveries_lengthen_what_is_told(void **state)
{
    struct world *world = *state;

    deliver(world, 0, 10);
    deliver(world, 20, 80);
    deliver(world, 30, 5);
    expect_told(world, 30, 0 + DAY); /* then the ten fall out */
    deliver(world, 40, 10);

    expect_told(world, 30, 20 + DAY);
    assert_int_equal(world->coverage_count, 2);
    assert_int_equal(world->notice_count, 1);
}

static void the_owner_is_told_again_after_a_day(void **state)
{
    struct world *world = *state;

    for (int64_t bucket = 0; bucket < 4 * DAY; bucket++) {
        deliver(world, bucket, 1);
    }
    assert_int_equal(world->notice_count, 3);
    assert_int_equal(world->notice_buckets[0], 94);
    assert_int_equal(world->notice_buckets[1], 94 + DAY + 1);
    assert_int_equal(world->notice_buckets[2], 94 + 2 * (DAY + 1));
}

static void a_notice_says_what_happened(void **state)
{
    struct world *world = *state;
    cJSON *data;

    world->cap.cap = 2;
    deliver(world, 0, 1);
    assert_int_equal(world->notice_count, 0);
    deliver(world, 0, 1);

    assert_int_equal(world->cap.notice.entry.kind, ENTRY_NOTICE);
    data = cJSON_Parse(world->cap.notice.entry.data);
    assert_string_equal(lb_json_text(data, "rule"), "linkbell-sources");
    assert_string_equal(lb_json_text(data, "severity"), "warning");
    assert_string_equal(lb_json_text(data, "site"), "alice.bio");
    assert_string_equal(lb_json_text(data, "coverage"), "truncated");
    assert_string_equal(
        lb_json_text(cJSON_GetObjectItemCaseSensitive(data, "group"), "source"),
        "alice-linkmi");
    assert_int_equal(lb_json_int(data, "from"), BEGIN_MS);
    assert_int_equal(lb_json_int(data, "to"),
                     BEGIN_MS + (DAY + 1) * HOOK_CAP_BUCKET_MS);
    assert_non_null(strstr(lb_json_text(data, "summary"),
                           "2 deliveries of alice-linkmi in 24 hours"));
    cJSON_Delete(data);
}

static void each_source_counts_for_itself(void **state)
{
    struct world *world = *state;

    deliver(world, 0, 94);
    world->cap.source = 8;
    deliver(world, 0, 94);
    assert_int_equal(world->coverage_count, 0);
    world->cap.source = 7;
    deliver(world, 0, 1);
    assert_int_equal(world->coverage_count, 1);
}

static void a_clock_that_is_set_back_does_no_harm(void **state)
{
    struct world *world = *state;

    deliver(world, 200, 95);
    deliver(world, 100, 1); /* the others count still */
    assert_int_equal(world->cap.deliveries, 96);
    assert_int_equal(world->notice_count, 1);
}

/* A quarter is told when, with all that came up to its end, 95 % were within
 * the 24 hours before. */
static void random_deliveries_tell_what_a_plain_count_tells(void **state)
{
    const char *given = getenv("LINKBELL_SEED");
    unsigned seed = given == NULL ? (unsigned)time(NULL)
                                  : (unsigned)strtoul(given, NULL, 10);
    static int counts[MARKS];
    struct world *world = *state;
    const int64_t end = 900;

    (void)printf("seed %u\n", seed);
    srand(seed);
    memset(counts, 0, sizeof(counts));
    world->cap.cap = 30;
    for (int64_t bucket = DAY; bucket < end; bucket++) {
        counts[bucket] = rand() % 12 < 3 ? rand() % 4 : 0;
        deliver(world, bucket, counts[bucket]);
    }
    for (int64_t bucket = DAY; bucket < end + DAY; bucket++) {
        int sum = 0;

        for (int64_t i = bucket - DAY; i <= bucket; i++) {
            sum += counts[i];
        }
        if (world->is_told[bucket] != (sum >= 29)) {
            fail_msg("bucket %lld: %d", (long long)bucket, sum);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(far_from_the_cap_nothing_is_told),
        TEST(near_the_cap_a_day_is_told_and_the_owner_once),
        TEST(later_deliveries_lengthen_what_is_told),
        TEST(the_owner_is_told_again_after_a_day),
        TEST(a_notice_says_what_happened),
        TEST(each_source_counts_for_itself),
        TEST(a_clock_that_is_set_back_does_no_harm),
        TEST(random_deliveries_tell_what_a_plain_count_tells),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
