/* test_zone.c - local days, buckets and texts at the odd hours of the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/zone.h"
#include "base/zone_file.h"

static const struct lb_zone *zone_of(const char *name)
{
    const struct lb_zone *zone = NULL;
    struct lb_error err = {0};

    if (lb_zone_find(name, &zone, &err) != LB_OK) {
        print_error("%s\n", err.text);
        fail();
    }
    return zone;
}

static int64_t instant(const char *text)
{
    int64_t at_ms = 0;

    assert_true(lb_zone_parse_instant(text, &at_ms));
    return at_ms;
}

static int64_t day_of(const char *text)
{
    int64_t day = 0;

    assert_true(lb_zone_parse_day(text, &day));
    return day;
}

static void
assert_reads(const struct lb_zone *zone, int64_t at_ms, const char *expected)
{
    char text[LB_ZONE_TEXT_BYTES];

    lb_zone_format(zone, at_ms, text);
    assert_string_equal(text, expected);
}

static void unknown_and_dangerous_names_are_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "Europe/Nowhere",
        "Europe",
        "../../etc/passwd",
        "Europe/../UTC",
        "/usr/share/zoneinfo/UTC",
        "Europe/Paris\n",
        "Europe/Par is",
        "zone.tab",
        "Europe/Paaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaas",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct lb_zone *zone = NULL;
        struct lb_error err = {0};

        assert_int_not_equal(lb_zone_find(cases[i], &zone, &err), LB_OK);
        assert_null(zone);
        assert_true(strlen(err.text) > 0);
    }
}

static void a_zone_is_read_once(void **state)
{
    (void)state;

    assert_ptr_equal(zone_of("Europe/Paris"), zone_of("Europe/Paris"));
    assert_string_equal(lb_zone_name(zone_of("Europe/Paris")), "Europe/Paris");
}

static void offsets_follow_the_clock(void **state)
{
    static const struct {
        const char *zone;
        const char *at;
        int64_t offset_s;
    } cases[] = {
        {"UTC", "2026-07-01T00:00:00Z", 0},
        {"Europe/Paris", "2026-03-29T00:59:59Z", 3600},
        {"Europe/Paris", "2026-03-29T01:00:00Z", 7200},
        {"Europe/Paris", "2026-10-25T00:59:59.999Z", 7200},
        {"Europe/Paris", "2026-10-25T01:00:00Z", 3600},
        {"Europe/Paris", "2099-07-01T00:00:00Z", 7200},
        {"America/New_York", "2026-07-01T00:00:00Z", -14400},
        {"America/New_York", "2090-12-31T23:59:59Z", -18000},
        {"Asia/Kathmandu", "2026-07-01T00:00:00Z", 20700},
        {"Australia/Lord_Howe", "2026-01-01T00:00:00Z", 39600},
        {"Australia/Lord_Howe", "2060-07-01T00:00:00Z", 37800},
        {"Australia/Sydney", "2080-01-01T00:00:00Z", 39600},
        {"Europe/Dublin", "2050-01-01T00:00:00Z", 0},
        {"Europe/Dublin", "2050-07-01T00:00:00Z", 3600},
        {"Asia/Tokyo", "2050-07-01T00:00:00Z", 32400},
        {"Africa/Monrovia", "1970-06-01T00:00:00Z", -2670},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(
            lb_zone_offset_s(zone_of(cases[i].zone), instant(cases[i].at)),
            cases[i].offset_s);
    }
}

static void days_begin_where_the_local_date_does(void **state)
{
    static const struct {
        const char *zone;
        const char *day;
        const char *start;
    } cases[] = {
        {"UTC", "2026-11-01", "2026-11-01T00:00:00Z"},
        {"Europe/Paris", "2026-03-29", "2026-03-29T00:00:00+01:00"},
        {"Europe/Paris", "2026-03-30", "2026-03-30T00:00:00+02:00"},
        {"Asia/Kathmandu", "2026-03-30", "2026-03-29T18:15:00Z"},
        /* midnight is skipped */
        {"America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00:00-02:00"},
        {"Asia/Beirut", "2022-03-27", "2022-03-27T01:00:00+03:00"},
        {"America/Havana", "2026-03-08", "2026-03-08T01:00:00-04:00"},
        /* midnight is met twice */
        {"America/Havana", "2026-11-01", "2026-11-01T00:00:00-04:00"},
        {"America/St_Johns", "2010-11-07", "2010-11-07T00:00:00-02:30"},
        /* the hour before midnight is met twice */
        {"America/Sao_Paulo", "2018-02-18", "2018-02-18T00:00:00-03:00"},
        /* a day that never was begins with the next */
        {"Pacific/Apia", "2011-12-30", "2011-12-31T00:00:00+14:00"},
        {"Pacific/Apia", "2011-12-31", "2011-12-31T00:00:00+14:00"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct lb_zone *zone = zone_of(cases[i].zone);
        int64_t day = day_of(cases[i].day);
        int64_t start_ms = lb_zone_day_start_ms(zone, day);

        if (start_ms != instant(cases[i].start)) {
            print_error("row %zu: %s %s\n", i, cases[i].zone, cases[i].day);
        }
        assert_int_equal(start_ms, instant(cases[i].start));
        assert_true(lb_zone_local_day(zone, start_ms) >= day);
        assert_true(lb_zone_local_day(zone, start_ms - 1) < day);
    }
}

static void days_do_not_overlap_where_midnight_comes_twice(void **state)
{
    const struct lb_zone *zone = zone_of("America/St_Johns");
    const int64_t sunday = day_of("2010-11-07");
    (void)state;

    /* One minute of Sunday, then the clock reads Saturday 23:01 again. */
    assert_int_equal(lb_zone_local_day(zone, instant("2010-11-07T02:30:00Z")),
                     sunday);
    assert_int_equal(lb_zone_local_day(zone, instant("2010-11-07T02:31:00Z")),
                     sunday);
    assert_int_equal(lb_zone_local_day(zone, instant("2010-11-07T02:29:59Z")),
                     sunday - 1);
}

static void buckets_are_labels_of_the_local_clock(void **state)
{
    static const struct {
        const char *zone;
        enum lb_zone_grain grain;
        const char *at;
        const char *start;
        const char *next;
    } cases[] = {
        {"Europe/Paris", LB_ZONE_15M, "2026-11-01T10:29:59.999+01:00",
         "2026-11-01T10:15:00+01:00", "2026-11-01T10:30:00+01:00"},
        {"Europe/Paris", LB_ZONE_HOUR, "2026-11-01T10:59:59+01:00",
         "2026-11-01T10:00:00+01:00", "2026-11-01T11:00:00+01:00"},
        {"Asia/Kathmandu", LB_ZONE_HOUR, "2026-11-01T10:59:59+05:45",
         "2026-11-01T10:00:00+05:45", "2026-11-01T11:00:00+05:45"},
        /* an hour that is repeated makes two */
        {"Europe/Paris", LB_ZONE_HOUR, "2026-10-25T02:30:00+02:00",
         "2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"},
        {"Europe/Paris", LB_ZONE_HOUR, "2026-10-25T02:30:00+01:00",
         "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"},
        /* an hour that is skipped makes none */
        {"Europe/Paris", LB_ZONE_HOUR, "2026-03-29T01:30:00+01:00",
         "2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"},
        /* a repeated half hour falls into its hour */
        {"Australia/Lord_Howe", LB_ZONE_HOUR, "2026-04-05T01:45:00+10:30",
         "2026-04-05T01:00:00+11:00", "2026-04-05T02:00:00+10:30"},
        {"Australia/Lord_Howe", LB_ZONE_15M, "2026-04-05T01:40:00+10:30",
         "2026-04-05T01:30:00+10:30", "2026-04-05T01:45:00+10:30"},
        {"Australia/Lord_Howe", LB_ZONE_HOUR, "2026-10-04T02:45:00+11:00",
         "2026-10-04T02:30:00+11:00", "2026-10-04T03:00:00+11:00"},
        /* the clock goes from 3:45 back to 2:45 */
        {"Pacific/Chatham", LB_ZONE_HOUR, "2026-04-05T03:40:00+13:45",
         "2026-04-05T03:00:00+13:45", "2026-04-05T02:45:00+12:45"},
        {"Pacific/Chatham", LB_ZONE_HOUR, "2026-04-05T02:50:00+12:45",
         "2026-04-05T02:45:00+12:45", "2026-04-05T03:00:00+12:45"},
        /* days of 23 and 25 hours */
        {"Europe/Paris", LB_ZONE_DAY, "2026-03-29T12:00:00+02:00",
         "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"},
        {"Europe/Paris", LB_ZONE_DAY, "2026-10-25T23:59:59+01:00",
         "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"},
        /* ISO weeks begin on Monday, over the year's end too */
        {"Europe/Paris", LB_ZONE_WEEK, "2027-01-03T23:59:59+01:00",
         "2026-12-28T00:00:00+01:00", "2027-01-04T00:00:00+01:00"},
        {"Europe/Paris", LB_ZONE_WEEK, "2026-03-29T12:00:00+02:00",
         "2026-03-23T00:00:00+01:00", "2026-03-30T00:00:00+02:00"},
        {"UTC", LB_ZONE_WEEK, "1969-12-31T00:00:00Z", "1969-12-29T00:00:00Z",
         "1970-01-05T00:00:00Z"},
        {"Europe/Paris", LB_ZONE_MONTH, "2028-02-29T12:00:00+01:00",
         "2028-02-01T00:00:00+01:00", "2028-03-01T00:00:00+01:00"},
        {"Europe/Paris", LB_ZONE_MONTH, "2026-12-31T23:59:59+01:00",
         "2026-12-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"},
        {"Pacific/Apia", LB_ZONE_DAY, "2011-12-29T12:00:00-10:00",
         "2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct lb_zone *zone = zone_of(cases[i].zone);
        int64_t at_ms = instant(cases[i].at);
        int64_t start_ms = lb_zone_bucket_start_ms(zone, cases[i].grain, at_ms);
        int64_t next_ms = lb_zone_bucket_next_ms(zone, cases[i].grain, at_ms);

        if (start_ms != instant(cases[i].start) ||
            next_ms != instant(cases[i].next)) {
            print_error("row %zu: %s %s\n", i, cases[i].zone, cases[i].at);
        }
        assert_int_equal(start_ms, instant(cases[i].start));
        assert_int_equal(next_ms, instant(cases[i].next));
    }
}

static void walk_a_year(const struct lb_zone *zone, enum lb_zone_grain grain)
{
    int64_t end_ms = instant("2027-01-15T00:00:00Z");
    int64_t at_ms =
        lb_zone_bucket_start_ms(zone, grain, instant("2026-01-15T00:00:00Z"));

    while (at_ms < end_ms) {
        int64_t next_ms = lb_zone_bucket_next_ms(zone, grain, at_ms);

        assert_true(next_ms > at_ms);
        assert_int_equal(lb_zone_bucket_start_ms(zone, grain, next_ms),
                         next_ms);
        assert_int_equal(lb_zone_bucket_start_ms(zone, grain, next_ms - 1),
                         at_ms);
        at_ms = next_ms;
    }
}

static void buckets_cover_a_year_without_gap_or_overlap(void **state)
{
    static const char *const names[] = {"UTC", "Europe/Paris",
                                        "Australia/Lord_Howe",
                                        "Pacific/Chatham", "America/Havana"};
    (void)state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (int grain = LB_ZONE_15M; grain <= LB_ZONE_MONTH; grain++) {
            walk_a_year(zone_of(names[i]), (enum lb_zone_grain)grain);
        }
    }
}

static void the_first_day_of_a_bucket_is_found(void **state)
{
    int64_t thursday = day_of("2026-01-01");
    (void)state;

    assert_int_equal(lb_zone_day_floor(LB_ZONE_DAY, thursday), thursday);
    assert_int_equal(lb_zone_day_floor(LB_ZONE_WEEK, thursday),
                     day_of("2025-12-29"));
    assert_int_equal(lb_zone_day_floor(LB_ZONE_MONTH, thursday + 30), thursday);
    assert_int_equal(lb_zone_day_floor(LB_ZONE_WEEK, -1), -3);
}

static void instants_are_written_with_their_offset(void **state)
{
    (void)state;

    assert_reads(zone_of("Europe/Paris"), instant("2026-10-31T23:00:00Z"),
                 "2026-11-01T00:00:00+01:00");
    assert_reads(zone_of("America/New_York"),
                 instant("2026-01-01T00:00:00.999Z"),
                 "2025-12-31T19:00:00-05:00");
    assert_reads(zone_of("Asia/Kathmandu"), 0, "1970-01-01T05:30:00+05:30");
    assert_reads(zone_of("UTC"), -1, "1969-12-31T23:59:59+00:00");
}

static void dates_that_exist_are_parsed(void **state)
{
    static const char *const wrong[] = {
        "",           "2026-02-29", "2026-13-01",  "2026-00-01",
        "2026-01-00", "2026-01-32", "2026-04-31",  "2026-1-1",
        "26-01-01",   "2026/01/01", "2026-01-01 ", " 2026-01-01",
        "2026-01-0a", "20260101",   "2100-02-29",  "2026-01-01T00:00:00Z"};
    char text[LB_ZONE_DAY_BYTES];
    int64_t day = 7;
    (void)state;

    assert_int_equal(day_of("1970-01-01"), 0);
    assert_int_equal(day_of("2028-02-29"), 21243);
    assert_int_equal(day_of("2000-02-29"), 11016);
    lb_zone_format_day(day_of("2028-02-29"), text);
    assert_string_equal(text, "2028-02-29");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (lb_zone_parse_day(wrong[i], &day)) {
            print_error("%s\n", wrong[i]);
            fail();
        }
    }
}

static void instants_of_rfc_3339_are_parsed(void **state)
{
    static const struct {
        const char *text;
        int64_t at_ms;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.1Z", 100},
        {"1970-01-01T00:00:00.12Z", 120},
        {"1970-01-01T00:00:00.123456789Z", 123},
        {"1970-01-01T00:00:00.9999Z", 999},
        {"1970-01-01t00:00:00z", 0},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1969-12-31T19:00:00-05:00", 0},
        {"1970-01-01T05:45:00+05:45", 0},
        {"1970-01-01T00:00:00-00:00", 0},
        {"2026-11-23T08:15:02.114Z", INT64_C(1795421702114)},
        {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
        {"0000-01-01T00:00:00Z", INT64_C(-62167219200000)},
        {"1969-12-31T23:59:59.500Z", -500},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(instant(cases[i].text), cases[i].at_ms);
    }
}

static void what_is_no_instant_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "2026-11-23",
        "2026-11-23T08:15:02",
        "2026-11-23 08:15:02Z",
        "2026-11-23T08:15Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T08:60:00Z",
        "2026-11-23T08:15:60Z",
        "2026-02-30T08:15:00Z",
        "2026-11-23T08:15:02.Z",
        "2026-11-23T08:15:02,5Z",
        "2026-11-23T08:15:02.1234567890Z",
        "2026-11-23T08:15:02+0100",
        "2026-11-23T08:15:02+01",
        "2026-11-23T08:15:02+1:00",
        "2026-11-23T08:15:02+24:00",
        "2026-11-23T08:15:02+01:60",
        "2026-11-23T08:15:02Zx",
        " 2026-11-23T08:15:02Z",
        "+2026-11-23T08:15:02Z",
        "2026-11-23T08:15:02 Z",
        "1795421702114",
        "2026-W48-1T00:00:00Z",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t at_ms;

        if (lb_zone_parse_instant(cases[i], &at_ms)) {
            print_error("%s\n", cases[i]);
            fail();
        }
    }
}

static void a_cut_file_is_no_zone(void **state)
{
    unsigned char bytes[64 * 1024];
    FILE *file = fopen("/usr/share/zoneinfo/Europe/Paris", "rbe");
    size_t len;
    (void)state;
    assert_non_null(file);
    len = fread(bytes, 1, sizeof(bytes), file);
    assert_int_equal(fclose(file), 0);
    assert_in_range(len, 1000, sizeof(bytes) - 1);

    for (size_t cut = 0; cut < len; cut += 7) {
        struct lb_zone *zone = calloc(1, sizeof(*zone));
        unsigned char *part = malloc(cut + 1);

        assert_non_null(zone);
        assert_non_null(part);
        memcpy(part, bytes, cut);
        if (lb_zone_file_parse(part, cut, zone)) {
            assert_true(cut > len - 32); /* only the footer is cut */
        }
        lb_zone_file_free(zone);
        free(part);
    }
}

static void a_file_with_a_wrong_byte_does_no_harm(void **state)
{
    unsigned char bytes[64 * 1024];
    FILE *file = fopen("/usr/share/zoneinfo/America/St_Johns", "rbe");
    size_t len;
    (void)state;
    assert_non_null(file);
    len = fread(bytes, 1, sizeof(bytes), file);
    assert_int_equal(fclose(file), 0);

    for (size_t at = 0; at < len; at++) {
        struct lb_zone *zone = calloc(1, sizeof(*zone));
        unsigned char *part = malloc(len);

        assert_non_null(zone);
        assert_non_null(part);
        memcpy(part, bytes, len);
        part[at] ^= 0xff;
        if (lb_zone_file_parse(part, len, zone)) {
            (void)lb_zone_offset_s(zone, INT64_C(1795421702114));
            (void)lb_zone_offset_s(zone, INT64_C(4000000000000));
            (void)lb_zone_offset_s(zone, 0);
        }
        lb_zone_file_free(zone);
        free(part);
    }
}

static void a_local_time_is_found_again(void **state)
{
    static const struct {
        const char *zone;
        const char *day;
        int64_t past_s;
        const char *wanted;
    } cases[] = {
        {"UTC", "2026-11-24", 36000, "2026-11-24T10:00:00Z"},
        {"Europe/Paris", "2026-11-24", 36000, "2026-11-24T10:00:00+01:00"},
        {"Europe/Paris", "2026-07-24", 36000, "2026-07-24T10:00:00+02:00"},
        /* Half past two comes twice, and does not come. */
        {"Europe/Paris", "2026-10-25", 9000, "2026-10-25T02:30:00+02:00"},
        {"Europe/Paris", "2026-03-29", 9000, "2026-03-29T02:30:00+01:00"},
        {"Europe/Paris", "2026-03-29", 10800, "2026-03-29T03:00:00+02:00"},
        {"America/New_York", "2026-11-01", 0, "2026-11-01T00:00:00-04:00"},
        {"America/New_York", "2026-11-01", 86399, "2026-11-01T23:59:59-05:00"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t got =
            lb_zone_instant_ms(zone_of(cases[i].zone), day_of(cases[i].day),
                               cases[i].past_s * 1000 + 7);

        if (got != instant(cases[i].wanted) + 7) {
            fail_msg("%s %s: %lld", cases[i].zone, cases[i].day,
                     (long long)got);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_local_time_is_found_again),
        cmocka_unit_test(unknown_and_dangerous_names_are_refused),
        cmocka_unit_test(a_zone_is_read_once),
        cmocka_unit_test(offsets_follow_the_clock),
        cmocka_unit_test(days_begin_where_the_local_date_does),
        cmocka_unit_test(days_do_not_overlap_where_midnight_comes_twice),
        cmocka_unit_test(buckets_are_labels_of_the_local_clock),
        cmocka_unit_test(buckets_cover_a_year_without_gap_or_overlap),
        cmocka_unit_test(the_first_day_of_a_bucket_is_found),
        cmocka_unit_test(instants_are_written_with_their_offset),
        cmocka_unit_test(dates_that_exist_are_parsed),
        cmocka_unit_test(instants_of_rfc_3339_are_parsed),
        cmocka_unit_test(what_is_no_instant_is_refused),
        cmocka_unit_test(a_cut_file_is_no_zone),
        cmocka_unit_test(a_file_with_a_wrong_byte_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
