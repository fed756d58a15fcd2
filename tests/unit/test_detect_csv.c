/* test_detect_csv.c - rows of a `timestamp,value` CSV. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/detect_csv.h"

#define AT_MS INT64_C(1442057640000) /* 12 September 2015, 11:34 */

static enum lb_err
read_row(const char *text, struct detect_csv_row *row_out, struct lb_error *err)
{
    static const struct detect_csv csv = {0, 1};
    static char line[512];

    (void)snprintf(line, sizeof(line), "%s", text);
    return detect_csv_read_row(&csv, line, row_out, err);
}

static void a_header_names_its_columns_in_any_order(void **state)
{
    static const struct {
        const char *text;
        size_t timestamp;
        size_t value;
    } cases[] = {{"timestamp,value", 0, 1},
                 {"\xEF\xBB\xBFtimestamp,value", 0, 1},
                 {"Value, id ,\"TimeStamp\"", 2, 0},
                 {"a,timestamp,b,value,c", 1, 3}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct detect_csv csv;
        struct lb_error err;
        char line[128];

        (void)snprintf(line, sizeof(line), "%s", cases[i].text);
        assert_int_equal(detect_csv_read_header(line, &csv, &err), LB_OK);
        assert_int_equal(csv.timestamp_column, cases[i].timestamp);
        assert_int_equal(csv.value_column, cases[i].value);
    }
}

static void a_header_without_them_is_refused_by_name(void **state)
{
    static const char *const cases[][2] = {{"time,value", "`timestamp`"},
                                           {"timestamp,v", "`value`"},
                                           {"1,2", "`timestamp`"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct detect_csv csv;
        struct lb_error err;
        char line[128];

        (void)snprintf(line, sizeof(line), "%s", cases[i][0]);
        assert_int_equal(detect_csv_read_header(line, &csv, &err), LB_EFORMAT);
        assert_non_null(strstr(err.text, cases[i][1]));
    }
}

static void timestamps_are_taken_as_written(void **state)
{
    static const struct {
        const char *text;
        int64_t at_ms;
    } cases[] = {{"2015-09-12 11:34:00", AT_MS},
                 {"2015-09-12 11:34", AT_MS},
                 {"2015-09-12T11:34:00Z", AT_MS},
                 {"2015-09-12T11:34:00+02:00", AT_MS},
                 {"2015-09-12 11:34:00.25", AT_MS + 250},
                 {"2015-09-12 11:34:00.000000", AT_MS},
                 {"2015-09-12", AT_MS - INT64_C(41640000)},
                 {"\"2015-09-12 11:34:00\"", AT_MS},
                 {"1442057640", AT_MS},
                 {"1442057640000", AT_MS},
                 {"2016-02-29 00:00:00", INT64_C(1456704000000)}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct detect_csv_row row;
        struct lb_error err;
        char line[128];

        (void)snprintf(line, sizeof(line), "%s,5", cases[i].text);
        if (read_row(line, &row, &err) != LB_OK ||
            row.at_ms != cases[i].at_ms) {
            print_error("%s\n", line);
            fail();
        }
    }
}

static void a_faulty_row_is_refused_with_its_fault(void **state)
{
    static const char *const cases[][2] = {
        {"2015-09-12 11:34:00", "1 cell"},
        {",5", "timestamp: ``"},
        {"12.09.2015 11:34,5", "timestamp: `12.09.2015 11:34`"},
        {"2015-13-12 11:34:00,5", "timestamp"},
        {"2015-02-29 11:34:00,5", "timestamp"},
        {"2015-09-12 24:34:00,5", "timestamp"},
        {"2015-09-12 11:34:00x,5", "timestamp"},
        {"2015-09-12 11:34:00+0200,5", "timestamp"},
        {"-5,5", "timestamp"},
        {"nan,5", "timestamp"},
        {"2015-09-12 11:34:00,", "number: ``"},
        {"2015-09-12 11:34:00,five", "number: `five`"},
        {"2015-09-12 11:34:00,5 6", "number: `5 6`"},
        {"2015-09-12 11:34:00,nan", "number: `nan`"},
        {"2015-09-12 11:34:00,1e999", "number"},
        {"2015-09-12 11:34:00,0x10", "number"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct detect_csv_row row;
        struct lb_error err;

        if (read_row(cases[i][0], &row, &err) != LB_EFORMAT ||
            strstr(err.text, cases[i][1]) == NULL) {
            print_error("%s: %s\n", cases[i][0], err.text);
            fail();
        }
    }
}

static void values_are_any_decimal_numbers(void **state)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {{"5", 5},    {" -0.25 ", -0.25}, {"1e3", 1000},     {"+7", 7},
                 {".5", 0.5}, {"\"8\"", 8},       {"1e-320", 1e-320}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct detect_csv_row row;
        struct lb_error err;
        char line[128];

        (void)snprintf(line, sizeof(line), "2015-09-12 11:34:00,%s",
                       cases[i].text);
        assert_int_equal(read_row(line, &row, &err), LB_OK);
        assert_true(row.value == cases[i].value);
    }
}

static void intervals_have_a_unit(void **state)
{
    (void)state;
    assert_int_equal(detect_csv_interval_ms("5m"), 300000);
    assert_int_equal(detect_csv_interval_ms("90s"), 90000);
    assert_int_equal(detect_csv_interval_ms("1h"), 3600000);
    assert_int_equal(detect_csv_interval_ms("31d"), INT64_C(2678400000));
    assert_int_equal(detect_csv_interval_ms("32d"), -1);
    assert_int_equal(detect_csv_interval_ms("5"), -1);
    assert_int_equal(detect_csv_interval_ms("m"), -1);
    assert_int_equal(detect_csv_interval_ms("0m"), -1);
    assert_int_equal(detect_csv_interval_ms("-5m"), -1);
    assert_int_equal(detect_csv_interval_ms("5mm"), -1);
    assert_int_equal(detect_csv_interval_ms("99999999999999999999s"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_names_its_columns_in_any_order),
        cmocka_unit_test(a_header_without_them_is_refused_by_name),
        cmocka_unit_test(timestamps_are_taken_as_written),
        cmocka_unit_test(a_faulty_row_is_refused_with_its_fault),
        cmocka_unit_test(values_are_any_decimal_numbers),
        cmocka_unit_test(intervals_have_a_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
