/* test_quiet.c - when it is quiet, in a site's zone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/quiet.h"

static bool is_quiet(const char *json, const char *zone_name, const char *text)
{
    const struct lb_zone *zone = NULL;
    cJSON *item = cJSON_Parse(json);
    struct quiet quiet;
    struct lb_error err;
    int64_t at_ms = 0;

    assert_int_equal(lb_zone_find(zone_name, &zone, &err), LB_OK);
    assert_true(lb_zone_parse_instant(text, &at_ms));
    quiet_read(item, &quiet);
    cJSON_Delete(item);
    return quiet_holds(&quiet, zone, at_ms);
}

static void it_is_quiet_at_hours_on_days_in_the_zone(void **state)
{
    static const struct {
        const char *quiet;
        const char *at; /* 2026-11-24 is a Tuesday */
        bool is_quiet;
    } rows[] = {
        {"null", "2026-11-24T23:00:00+01:00", false},
        {"{\"hours\":\"22:00-07:00\"}", "2026-11-24T21:59:59+01:00", false},
        {"{\"hours\":\"22:00-07:00\"}", "2026-11-24T22:00:00+01:00", true},
        {"{\"hours\":\"22:00-07:00\"}", "2026-11-25T06:59:59+01:00", true},
        {"{\"hours\":\"22:00-07:00\"}", "2026-11-25T07:00:00+01:00", false},
        {"{\"hours\":\"12:00-13:30\"}", "2026-11-24T13:29:00+01:00", true},
        {"{\"hours\":\"12:00-13:30\"}", "2026-11-24T13:30:00+01:00", false},
        {"{\"hours\":\"20:00-24:00\"}", "2026-11-24T23:59:59+01:00", true},
        {"{\"hours\":\"20:00-24:00\"}", "2026-11-25T00:00:00+01:00", false},
        {"{\"hours\":\"08:00-08:00\"}", "2026-11-25T03:00:00+01:00", true},
        {"{\"days\":[\"sat\",\"sun\"]}", "2026-11-27T23:59:59+01:00", false},
        {"{\"days\":[\"sat\",\"sun\"]}", "2026-11-28T00:00:00+01:00", true},
        {"{\"days\":[\"sat\",\"sun\"]}", "2026-11-29T23:59:59+01:00", true},
        {"{\"days\":[\"sat\",\"sun\"]}", "2026-11-30T00:00:00+01:00", false},
        {"{\"days\":\"mon\"}", "2026-11-30T00:00:00+01:00", true},
        /* The night that begins on a Saturday ends on Sunday. */
        {"{\"hours\":\"22:00-07:00\",\"days\":[\"sat\"]}",
         "2026-11-29T06:00:00+01:00", true},
        {"{\"hours\":\"22:00-07:00\",\"days\":[\"sat\"]}",
         "2026-11-28T06:00:00+01:00", false},
        {"{\"hours\":\"22:00-07:00\",\"days\":[\"sun\"]}",
         "2026-11-30T06:00:00+01:00", true},
        {"[{\"hours\":\"22:00-07:00\"},{\"days\":[\"sat\",\"sun\"]}]",
         "2026-11-28T12:00:00+01:00", true},
        {"[{\"hours\":\"22:00-07:00\"},{\"days\":[\"sat\",\"sun\"]}]",
         "2026-11-24T12:00:00+01:00", false},
        {"[{\"hours\":\"22:00-07:00\"},{\"days\":[\"sat\",\"sun\"]}]",
         "2026-11-24T23:00:00+01:00", true},
        /* The hour that comes twice is quiet twice. */
        {"{\"hours\":\"02:00-03:00\"}", "2026-10-25T00:30:00Z", true},
        {"{\"hours\":\"02:00-03:00\"}", "2026-10-25T01:30:00Z", true},
        {"{\"hours\":\"02:00-03:00\"}", "2026-10-25T02:00:00Z", false},
        /* Long ago. */
        {"{\"days\":[\"wed\"]}", "1969-12-31T12:00:00+01:00", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s %s\n", rows[i].quiet, rows[i].at);
        assert_int_equal(is_quiet(rows[i].quiet, "Europe/Paris", rows[i].at),
                         rows[i].is_quiet);
    }
    assert_true(is_quiet("{\"hours\":\"22:00-07:00\"}", "America/New_York",
                         "2026-11-25T03:00:00Z"));
    assert_false(is_quiet("{\"hours\":\"22:00-07:00\"}", "America/New_York",
                          "2026-11-24T23:00:00Z"));
}

static void faults_are_named(void **state)
{
    static const struct {
        const char *yaml;
        const char *fault; /* NULL: there is none */
    } rows[] = {
        {"{ hours: \"22:00-07:00\" }", NULL},
        {"{ days: [sat, sun] }", NULL},
        {"[{ hours: \"22:00-07:00\" }, { days: sat }]", NULL},
        {"{ hours: \"22-7\" }", "two times of day"},
        {"{ hours: \"22:00-25:00\" }", "two times of day"},
        {"{ hours: \"24:00-07:00\" }", "two times of day"},
        {"{ hours: \"22:60-07:00\" }", "two times of day"},
        {"{ days: [saturday] }", "none of mon"},
        {"{ hour: \"22:00-07:00\" }", "must hold hours"},
        {"{ days: sat, hour: \"22:00-07:00\" }", "did you mean hours"},
        {"{}", "must hold hours"},
        {"[]", "1 to 8"},
        {"night", "must hold hours"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lb_config_faults faults;
        struct lb_yaml *root = NULL;
        struct lb_error err;
        char text[200];

        print_message("%s\n", rows[i].yaml);
        (void)snprintf(text, sizeof(text), "quiet: %s\n", rows[i].yaml);
        assert_int_equal(lb_yaml_parse(text, strlen(text), &root, &err), LB_OK);
        lb_config_faults_init(&faults);
        quiet_check(lb_yaml_find(root, "quiet"), &faults);
        if (rows[i].fault == NULL) {
            assert_int_equal(faults.lines.len, 0);
        } else {
            print_message("  %s\n", lb_buf_text(&faults.lines));
            assert_non_null(strstr(lb_buf_text(&faults.lines), rows[i].fault));
        }
        lb_config_faults_deinit(&faults);
        lb_yaml_free(root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_quiet_at_hours_on_days_in_the_zone),
        cmocka_unit_test(faults_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
