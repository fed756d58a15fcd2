/* test_v2_text.c - texts of the stats dialect, and ranges to compare with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "aggregate/query_compare.h"
#include "aggregate/v2_text.h"

static void json_is_quoted_with_spaces(void **state)
{
    static const char *const texts[] = {
        "[\"is\", \"event:page\", [\"/\"], {\"case_sensitive\": false}]",
        "\"8 weeks\"",
        "7",
        "[]",
        "{}",
        "[null, true, 1.5, \"a\\\"b\"]"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        cJSON *json = cJSON_Parse(texts[i]);
        struct lb_buf buf;

        assert_non_null(json);
        lb_buf_init(&buf, 4096);
        v2_text_add_json(&buf, json);
        assert_string_equal(lb_buf_text(&buf), texts[i]);
        lb_buf_deinit(&buf);
        cJSON_Delete(json);
    }
}

static void floats_have_a_digit_after_the_point(void **state)
{
    static const struct {
        double value;
        int decimals;
        const char *text;
    } cases[] = {{1, 4, "1.0"},          {0, 1, "0.0"},
                 {1.0 / 3, 4, "0.3333"}, {42.857142, 1, "42.9"},
                 {1.5, 2, "1.5"},        {1.111, 2, "1.11"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_buf buf;

        lb_buf_init(&buf, 64);
        lb_buf_add_text(&buf, "0.5,");
        v2_text_add_float(&buf, cases[i].value, cases[i].decimals);
        assert_string_equal(lb_buf_text(&buf) + 4, cases[i].text);
        lb_buf_deinit(&buf);
    }
}

static void money_has_a_short_and_a_long_form(void **state)
{
    static const struct {
        double value;
        const char *currency;
        const char *text;
    } cases[] = {
        {40, "EUR",
         "{\"value\":40.0,\"currency\":\"EUR\",\"short\":\"€40.0\",\"long\":"
         "\"€40.00\"}"},
        {1234.5, "USD",
         "{\"value\":1234.5,\"currency\":\"USD\",\"short\":\"$1.2K\",\"long\":"
         "\"$1,234.50\"}"},
        {1234567.89, "GBP",
         "{\"value\":1234567.89,\"currency\":\"GBP\",\"short\":\"£1.2M\","
         "\"long\":\"£1,234,567.89\"}"},
        {-0.25, "SEK",
         "{\"value\":-0.25,\"currency\":\"SEK\",\"short\":\"-SEK\u00a00.2\","
         "\"long\":\"-SEK\u00a00.25\"}"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_buf buf;

        lb_buf_init(&buf, 4096);
        v2_text_add_money(&buf, cases[i].value, cases[i].currency);
        assert_string_equal(lb_buf_text(&buf), cases[i].text);
        lb_buf_deinit(&buf);
    }
}

static void check_range(const char *name,
                        enum query_compare_kind kind,
                        bool is_by_days,
                        const char *const range[4])
{
    struct query query = {.zone = NULL};
    struct lb_error err;
    char text[LB_ZONE_TEXT_BYTES];
    int64_t from_ms;
    int64_t to_ms;

    assert_int_equal(lb_zone_find(name, &query.zone, &err), LB_OK);
    assert_true(lb_zone_parse_instant(range[0], &query.from_at_ms));
    assert_true(lb_zone_parse_instant(range[1], &query.to_at_ms));
    query_compare_range(&query, kind, is_by_days, &from_ms, &to_ms);
    lb_zone_format(query.zone, from_ms, text);
    assert_string_equal(text, range[2]);
    lb_zone_format(query.zone, to_ms, text);
    assert_string_equal(text, range[3]);
}

static void a_range_before_keeps_to_days_or_instants(void **state)
{
    static const char *const week[] = {
        "2026-03-27T00:00:00+01:00", "2026-04-03T00:00:00+02:00",
        "2026-03-20T00:00:00+01:00", "2026-03-27T00:00:00+01:00"};
    static const char *const hours[] = {
        "2026-03-29T00:00:00+01:00", "2026-03-29T12:00:00+02:00",
        "2026-03-28T13:00:00+01:00", "2026-03-29T00:00:00+01:00"};
    static const char *const leap[] = {
        "2028-02-29T00:00:00+01:00", "2028-03-01T00:00:00+01:00",
        "2027-02-28T00:00:00+01:00", "2027-03-01T00:00:00+01:00"};
    static const char *const skipped[] = {
        "2026-03-28T02:30:00+01:00", "2027-03-28T03:30:00+02:00",
        "2025-03-28T02:30:00+01:00", "2026-03-28T03:30:00+01:00"};

    (void)state;
    check_range("Europe/Paris", QUERY_COMPARE_PREVIOUS, true, week);
    check_range("Europe/Paris", QUERY_COMPARE_PREVIOUS, false, hours);
    check_range("Europe/Paris", QUERY_COMPARE_YEAR, true, leap);
    check_range("Europe/Paris", QUERY_COMPARE_YEAR, false, skipped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_quoted_with_spaces),
        cmocka_unit_test(floats_have_a_digit_after_the_point),
        cmocka_unit_test(money_has_a_short_and_a_long_form),
        cmocka_unit_test(a_range_before_keeps_to_days_or_instants)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
