/* test_day.c - counting one day, and its BLOB.  Random cases print their seed;
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

#include "aggregate/day.h"

#define DAY 20000
#define AT_MS (INT64_C(86400000) * DAY)

static struct entry event(enum entry_type type, int64_t visitor)
{
    return (struct entry){.kind = ENTRY_EVENT,
                          .ts_at_ms = AT_MS,
                          .site = 1,
                          .type = type,
                          .visitor_day = DAY,
                          .visitor = visitor};
}

/* Reads all rows; the day's owner is the caller. */
static size_t read_rows(struct day *day,
                        enum day_dimension dimension,
                        struct lb_buf *blob,
                        struct day_row *rows,
                        size_t max)
{
    struct day_reader reader;
    size_t count = 0;

    lb_buf_clear(blob);
    assert_int_equal(day_encode(day, dimension, blob), LB_OK);
    assert_int_equal(day_reader_init(&reader, blob->data, blob->len), LB_OK);
    while (count < max && day_reader_next(&reader, &rows[count])) {
        count++;
    }
    assert_false(reader.is_damaged);
    return count;
}

static void rows_come_back_by_value_and_class(void **state)
{
    struct day *day = day_new(DAY, DAY_ALL_DIMENSIONS);
    struct entry view = event(ENTRY_VIEW, 1);
    struct entry sale = event(ENTRY_CONVERSION, 2);
    struct day_row rows[8];
    struct lb_buf blob;

    (void)state;
    lb_buf_init(&blob, DAY_BLOB_BYTES);
    assert_int_equal(day_add(day, &view), LB_OK);
    view.text[ENTRY_TEXT_COUNTRY] = "FR";
    assert_int_equal(day_add(day, &view), LB_OK);
    view.traffic = ENTRY_BOT;
    assert_int_equal(day_add(day, &view), LB_OK);
    sale.text[ENTRY_TEXT_COUNTRY] = "BE";
    sale.text[ENTRY_TEXT_CURRENCY] = "EUR";
    sale.has_amount = true;
    sale.amount_hundredths = -1234;
    assert_int_equal(day_add(day, &sale), LB_OK);
    day_finish(day);
    assert_int_equal(read_rows(day, DAY_COUNTRY, &blob, rows, 8), 4);
    assert_null(rows[0].value);
    assert_int_equal(rows[0].sums.counts.views, 1);
    assert_string_equal(rows[1].value, "BE");
    assert_int_equal(rows[1].sums.amount_hundredths, -1234);
    assert_string_equal(rows[1].sums.currency, "EUR");
    assert_string_equal(rows[2].value, "FR");
    assert_int_equal(rows[2].traffic, ENTRY_HUMAN);
    assert_string_equal(rows[3].value, "FR");
    assert_int_equal(rows[3].traffic, ENTRY_BOT);
    assert_int_equal(rows[3].sums.visitors, 1);
    assert_int_equal(read_rows(day, DAY_TOTAL, &blob, rows, 8), 2);
    assert_int_equal(rows[0].sums.visitors, 2);
    assert_int_equal(rows[0].sums.counts.events, 3);
    day_free(day);
    lb_buf_deinit(&blob);
}

static void a_click_looks_for_the_view_of_the_whole_site(void **state)
{
    struct day *day = day_new(DAY, 1u << DAY_LINK | 1u << DAY_SOURCE);
    struct entry view = event(ENTRY_VIEW, 7);
    struct entry click = event(ENTRY_CLICK, 7);
    struct day_row rows[4];
    struct lb_buf blob;

    (void)state;
    lb_buf_init(&blob, DAY_BLOB_BYTES);
    view.text[ENTRY_TEXT_SOURCE] = "Google";
    click.text[ENTRY_TEXT_SOURCE] = "Bing";
    click.text[ENTRY_TEXT_LINK] = "shop";
    click.ts_at_ms += 1000;
    assert_int_equal(day_add(day, &click), LB_OK);
    assert_int_equal(day_add(day, &view), LB_OK);
    click.visitor = 0;
    assert_int_equal(day_add(day, &click), LB_OK);
    day_finish(day);
    assert_int_equal(read_rows(day, DAY_LINK, &blob, rows, 4), 1);
    assert_string_equal(rows[0].value, "shop");
    assert_int_equal(rows[0].sums.viewers_clicked, 1);
    assert_int_equal(rows[0].sums.clicks_without_visitor, 1);
    /* A source is the view's own: nobody saw a page from Bing. */
    assert_int_equal(read_rows(day, DAY_SOURCE, &blob, rows, 4), 2);
    assert_string_equal(rows[0].value, "Bing");
    assert_int_equal(rows[0].sums.viewers_clicked, 0);
    day_free(day);
    lb_buf_deinit(&blob);
}

static void a_visitor_of_another_period_does_not_add_up(void **state)
{
    struct day *day = day_new(DAY, 0);
    struct entry view = event(ENTRY_VIEW, 1);
    struct day_reader reader;
    struct lb_buf blob;

    (void)state;
    lb_buf_init(&blob, DAY_BLOB_BYTES);
    view.visitor_day = DAY - 2;
    assert_int_equal(day_add(day, &view), LB_OK);
    day_finish(day);
    assert_int_equal(day_encode(day, DAY_TOTAL, &blob), LB_OK);
    assert_int_equal(day_reader_init(&reader, blob.data, blob.len), LB_OK);
    assert_false(reader.is_additive);
    day_free(day);
    lb_buf_deinit(&blob);
}

static void visits_are_counted_once_a_row(void **state)
{
    struct day *day = day_new(DAY, 1u << DAY_SOURCE);
    struct entry views[4];
    struct day_row rows[4];
    struct day_reader reader;
    struct lb_buf blob;

    (void)state;
    lb_buf_init(&blob, DAY_BLOB_BYTES);
    for (int i = 0; i < 4; i++) {
        views[i] = event(ENTRY_VIEW, 1);
        views[i].is_visit_start = i == 0 || i == 2;
        views[i].text[ENTRY_TEXT_SOURCE] = i < 3 ? "a" : "b";
        assert_int_equal(day_add(day, &views[i]), LB_OK);
    }
    day_finish(day);
    assert_int_equal(read_rows(day, DAY_SOURCE, &blob, rows, 4), 2);
    assert_int_equal(rows[0].sums.visits, 2);
    assert_int_equal(rows[1].sums.visits, 1);
    assert_int_equal(read_rows(day, DAY_TOTAL, &blob, rows, 4), 1);
    assert_int_equal(rows[0].sums.visits, 2);
    assert_int_equal(day_reader_init(&reader, blob.data, blob.len), LB_OK);
    assert_true(reader.has_visits);
    blob.data[1] = 1; /* as before they were counted */
    assert_int_equal(day_reader_init(&reader, blob.data, blob.len), LB_OK);
    assert_true(reader.is_additive);
    assert_false(reader.has_visits);
    day_free(day);
    lb_buf_deinit(&blob);
}

static void too_many_values_leave_the_other_dimensions(void **state)
{
    struct day *day = day_new(DAY, 1u << DAY_PAGE | 1u << DAY_COUNTRY);
    struct entry view = event(ENTRY_VIEW, 1);
    char page[16];
    struct lb_buf blob;

    (void)state;
    lb_buf_init(&blob, DAY_BLOB_BYTES);
    view.text[ENTRY_TEXT_PAGE] = page;
    for (int i = 0; i <= DAY_VALUES; i++) {
        (void)snprintf(page, sizeof(page), "/%d", i);
        assert_int_equal(day_add(day, &view), LB_OK);
    }
    day_finish(day);
    assert_int_equal(day_encode(day, DAY_PAGE, &blob), LB_ELIMIT);
    assert_int_equal(day_encode(day, DAY_COUNTRY, &blob), LB_OK);
    assert_int_equal(day_encode(day, DAY_TOTAL, &blob), LB_OK);
    day_free(day);
    lb_buf_deinit(&blob);
}

static void damaged_bytes_are_read_to_their_fault_only(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    const char *given = getenv("LINKBELL_SEED");
    struct day *day = day_new(DAY, 1u << DAY_COUNTRY);
    struct entry view = event(ENTRY_VIEW, 1);
    struct lb_buf blob;
    char *bytes;

    (void)state;
    seed = given == NULL ? seed : (unsigned)strtoul(given, NULL, 10);
    print_message("seed %u\n", seed);
    srand(seed);
    lb_buf_init(&blob, DAY_BLOB_BYTES);
    for (int i = 0; i < 40; i++) {
        char country[3] = {(char)('A' + i % 26), (char)('A' + i / 26), '\0'};

        view.text[ENTRY_TEXT_COUNTRY] = country;
        assert_int_equal(day_add(day, &view), LB_OK);
    }
    day_finish(day);
    assert_int_equal(day_encode(day, DAY_COUNTRY, &blob), LB_OK);
    for (int i = 0; i < 20000; i++) {
        size_t len = (size_t)rand() % (blob.len + 1);
        struct day_reader reader;
        struct day_row row;
        size_t count = 0;

        bytes = malloc(len + 1); /* exact, so that a sanitizer sees the end */
        assert_non_null(bytes);
        memcpy(bytes, blob.data, len);
        if (len > 0) {
            bytes[(size_t)rand() % len] = (char)rand();
        }
        if (day_reader_init(&reader, bytes, len) == LB_OK) {
            while (day_reader_next(&reader, &row)) {
                count++;
            }
        }
        assert_true(count <= len);
        free(bytes);
    }
    assert_int_equal(day_reader_init(&(struct day_reader){0}, NULL, 0),
                     LB_EFORMAT);
    day_free(day);
    lb_buf_deinit(&blob);
}

static void dimensions_have_the_names_of_the_interface(void **state)
{
    struct dimension dimension;
    enum day_dimension found = DAY_TOTAL;

    (void)state;
    for (int i = DAY_TOTAL + 1; i < DAY_DIMENSION_COUNT; i++) {
        assert_true(dimension_find(day_dimension_name((enum day_dimension)i),
                                   false, &dimension));
        assert_true(day_dimension_find(&dimension, &found));
        assert_int_equal(found, i);
    }
    assert_true(dimension_find("prop:plan", false, &dimension));
    assert_false(day_dimension_find(&dimension, &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_by_value_and_class),
        cmocka_unit_test(a_click_looks_for_the_view_of_the_whole_site),
        cmocka_unit_test(a_visitor_of_another_period_does_not_add_up),
        cmocka_unit_test(visits_are_counted_once_a_row),
        cmocka_unit_test(too_many_values_leave_the_other_dimensions),
        cmocka_unit_test(damaged_bytes_are_read_to_their_fault_only),
        cmocka_unit_test(dimensions_have_the_names_of_the_interface),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
