/* test_client_memo.c - what is remembered of a client is what is found anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "geo/geo.h"
#include "ingest/client_memo.h"
#include "tests/support/event_bench.h"

#define ARENA_BYTES ((size_t)8 << 20)
#define ROUNDS 3
#define TEXT_BYTES 1024
#define CITIES LINKBELL_TEST_DATA "/mmdb/GeoIP2-City-Test.mmdb"

static const char *const clients[] = {
    "\"ip\":\"81.2.69.160\",\"user_agent\":\"Mozilla/5.0 (X11; Linux x86_64) "
    "Firefox/126.0\"",
    "\"ip\":\"81.2.69.160\",\"user_agent\":\"Googlebot/2.1\"",
    "\"ip\":\"81.2.69.160\",\"user_agent\":\"\"",
    "\"ip\":\"81.2.69.160\"",
    "\"ip\":\"81.2.69.161\",\"user_agent\":\"Googlebot/2.1\"",
    "\"ip\":\"2001:480:10::1\",\"user_agent\":\"Googlebot/2.1\"",
    "\"ip\":\"::ffff:81.2.69.160\",\"user_agent\":\"Googlebot/2.1\"",
    "\"ip\":\"10.0.0.1\",\"user_agent\":\"Mozilla/5.0 (X11; Linux x86_64) "
    "Firefox/126.0\"",
    "\"ip\":\"192.0.2.70\",\"user_agent\":\"Mozilla/5.0 (X11; Linux x86_64) "
    "Firefox/126.0\"",
    "\"ip\":\"81.2.69.160\",\"user_agent\":\"Googlebot/2.1\",\"visitor\":\"v\"",
    "\"ip\":\"81.2.69.160\",\"user_agent\":\"Googlebot/2.1\",\"visitor\":\"w\"",
    "\"ip\":\"81.2.69.160\",\"user_agent\":\"Googlebot/"
    "2.1\",\"country\":\"FR\"",
    "\"user_agent\":\"Googlebot/2.1\",\"visitor\":\"v\"",
    "\"user_agent\":\"Googlebot/2.1\"",
};
/* Around midnight in Paris, in New York, and where summer time ends. */
static const char *const times[] = {
    "2026-10-24T21:59:59Z", "2026-10-24T22:00:00Z", "2026-10-25T00:59:59Z",
    "2026-10-25T01:00:00Z", "2026-10-25T03:59:59Z", "2026-10-25T04:00:00Z",
    "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z", "2026-10-25T23:14:59Z"};
static const char *const sites[] = {"alice.bio", "bob.bio"};

static void assert_same(const struct event *got, const struct event *want)
{
    for (int i = 0; i < ENTRY_TEXT_COUNT; i++) {
        const char *a = got->entry.text[i];
        const char *b = want->entry.text[i];

        assert_string_equal(a == NULL ? "(none)" : a, b == NULL ? "(none)" : b);
    }
    assert_int_equal(got->entry.traffic, want->entry.traffic);
    assert_int_equal(got->entry.bot_entry, want->entry.bot_entry);
    assert_int_equal(got->entry.visitor_day, want->entry.visitor_day);
    assert_ptr_equal(got->salt, want->salt);
    assert_int_equal(got->visitor_hash, want->visitor_hash);
}

static void
check(struct event_bench *bench, struct client_memo *memo, size_t number)
{
    size_t client = number % (sizeof(clients) / sizeof(clients[0]));
    size_t rest = number / (sizeof(clients) / sizeof(clients[0]));
    char text[TEXT_BYTES];
    struct event want;

    (void)snprintf(text, sizeof(text),
                   "{\"type\":\"view\",\"id\":\"e\",\"site\":\"%s\",\"ts\":"
                   "\"%s\",%s}",
                   sites[rest % 2],
                   times[rest / 2 % (sizeof(times) / sizeof(times[0]))],
                   clients[client]);
    bench->context.memo = NULL;
    (void)event_bench_take(bench, text);
    want = bench->event;
    bench->context.memo = memo;
    (void)event_bench_take(bench, text);
    assert_same(&bench->event, &want);
}

static void a_client_is_what_it_is_without_a_memo(void **state)
{
    static const char *const paths[] = {CITIES};
    struct event_bench *bench = *state;
    struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
    struct client_memo *memo = client_memo_new(arena);
    const size_t count = sizeof(clients) / sizeof(clients[0]) * 2 *
                         (sizeof(times) / sizeof(times[0]));
    struct geo *geo = NULL;
    struct lb_error err;

    assert_non_null(memo);
    assert_int_equal(geo_open(paths, 1, GEO_CHECK_TYPE, &geo, &err), LB_OK);
    bench->context.geo = geo;
    bench->context.is_any_age = true;
    bench->context.import = "one";
    for (size_t i = 0; i < ROUNDS * count; i++) {
        check(bench, memo, i);
    }
    for (size_t i = 0; i < ROUNDS * count; i++) {
        check(bench, memo, i * 7919 % count); /* in another order */
    }
    for (size_t i = 0; i < ROUNDS * count; i++) {
        check(bench, memo, i / ROUNDS); /* each several times in a row */
    }
    bench->context.geo = NULL;
    bench->context.memo = NULL;
    geo_close(geo);
    lb_arena_free(arena);
}

static void a_full_arena_is_said(void **state)
{
    struct lb_arena *arena = lb_arena_new(100);
    (void)state;

    assert_null(client_memo_new(arena));
    lb_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_client_is_what_it_is_without_a_memo,
                                        event_bench_open, event_bench_close),
        cmocka_unit_test(a_full_arena_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
