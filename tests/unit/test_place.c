/* test_place.c - the places of events, and clients who keep theirs to
 * themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "ingest/event.h"
#include "tests/support/event_bench.h"

#define NOW_MS INGEST_WORLD_NOW_MS
#define HEAD "{\"type\":\"view\",\"site\":\"alice.bio\""

static const struct geo *open_places(void)
{
    const char *const paths[] = {LINKBELL_TEST_DATA
                                 "/mmdb/GeoIP2-City-Test.mmdb"};
    struct geo *geo = NULL;
    struct lb_error err;

    assert_int_equal(geo_open(paths, 1, GEO_CHECK_TYPE, &geo, &err), LB_OK);
    return geo;
}

static void the_place_is_that_of_the_address(void **state)
{
    static const struct {
        const char *fields;
        const char *country; /* "": none */
        const char *region;
        const char *city;
    } cases[] = {
        {"", "", "", ""},
        {",\"ip\":\"216.160.83.56\"", "US", "US-WA", "Milton"},
        {",\"ip\":\"::ffff:81.2.69.160\"", "GB", "GB-ENG", "London"},
        {",\"ip\":\"10.0.0.1\"", "", "", ""},
        /* what the event says wins */
        {",\"country\":\"FR\"", "FR", "", ""},
        {",\"ip\":\"216.160.83.56\",\"country\":\"FR\"", "FR", "", ""},
        {",\"ip\":\"216.160.83.56\",\"country\":\"US\"", "US", "US-WA",
         "Milton"},
        {",\"ip\":\"216.160.83.56\",\"city\":\"Seattle\"", "US", "US-WA",
         "Seattle"},
        {",\"ip\":\"216.160.83.56\",\"country\":\"FR\",\"region\":\"FR-75\"",
         "FR", "FR-75", ""},
    };
    struct event_bench *bench = *state;

    bench->context.geo = open_places();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *wanted[3] = {cases[i].country, cases[i].region,
                                 cases[i].city};
        char json[400];
        const struct entry *entry;

        (void)snprintf(json, sizeof(json), HEAD "%s}", cases[i].fields);
        entry = event_bench_take(bench, json);
        for (int at = 0; at < 3; at++) {
            const char *text = entry->text[ENTRY_TEXT_COUNTRY + at];

            if (strcmp(text == NULL ? "" : text, wanted[at]) != 0) {
                fail_msg("%s: \"%s\", not \"%s\"", cases[i].fields,
                         text == NULL ? "" : text, wanted[at]);
            }
        }
    }
    geo_close(bench->context.geo);
    bench->context.geo = NULL;
}

static void an_address_of_the_request_gives_the_place_too(void **state)
{
    struct event_bench *bench = *state;

    bench->context.geo = open_places();
    assert_true(lb_ip_parse("81.2.69.160", &bench->context.address));
    assert_string_equal(
        event_bench_take(bench, HEAD "}")->text[ENTRY_TEXT_COUNTRY], "GB");
    assert_string_equal(event_bench_take(bench, HEAD ",\"ip\":\"67.43.156.1\"}")
                            ->text[ENTRY_TEXT_COUNTRY],
                        "BT");
    geo_close(bench->context.geo);
    bench->context.geo = NULL;
}

static void who_asks_not_to_be_recognised_keeps_the_country_alone(void **state)
{
    struct event_bench *bench = *state;
    const struct entry *entry;

    bench->context.geo = open_places();
    bench->context.is_private = true;
    entry = event_bench_take(bench, HEAD
                             ",\"visitor\":\"u\",\"ip\":\"216.160.83.56\","
                             "\"city\":\"Seattle\",\"region\":\"US-WA\","
                             "\"url\":\"https://alice.bio/?gclid=x&utm_source=a"
                             "\"}");
    assert_null(bench->event.salt);
    assert_string_equal(entry->text[ENTRY_TEXT_COUNTRY], "US");
    assert_null(entry->text[ENTRY_TEXT_REGION]);
    assert_null(entry->text[ENTRY_TEXT_CITY]);
    assert_null(entry->text[ENTRY_TEXT_CLICK_ID]);
    assert_string_equal(entry->text[ENTRY_TEXT_UTM_SOURCE], "a");
    geo_close(bench->context.geo);
    bench->context.geo = NULL;
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, event_bench_open, event_bench_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_place_is_that_of_the_address),
        TEST(an_address_of_the_request_gives_the_place_too),
        TEST(who_asks_not_to_be_recognised_keeps_the_country_alone),
    };

    return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
