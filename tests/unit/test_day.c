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
#include "aggregate/visits.h"

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
    struct day_values *values = day_values();
    struct day *day = day_new(values, DAY, DAY_ALL_DIMENSIONS);
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
    assert_int_equal(day_finish(day), LB_OK);
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
    day_values_free(values);
    lb_buf_deinit(&blob);
}

static void a_click_looks_for_the_view_of_the_whole_site(void **state)
{
    struct day_values *values = day_values();
    struct day *day = day_new(values, DAY, 1u << DAY_LINK | 1u << DAY_SOURCE);
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
    assert_int_equal(day_finish(day), LB_OK);
    assert_int_equal(read_rows(day, DAY_LINK, &blob, rows, 4), 1);
    assert_string_equal(rows[0].value, "shop");
    assert_int_equal(rows[0].sums.viewers_clicked, 1);
    assert_int_equal(rows[0].sums.clicks_without_visitor, 1);
    /* A source is the view's own: nobody saw a page from Bing. */
    assert_int_equal(read_rows(day, DAY_SOURCE, &blob, rows, 4), 2);
    assert_string_equal(rows[0].value, "Bing");
    assert_int_equal(rows[0].sums.viewers_clicked, 0);
    day_free(day);
    day_values_free(values);
    lb_buf_deinit(&blob);
}

static void a_visitor_of_another_period_does_not_add_up(void **state)
{
    struct day_values *values = day_values();
    struct day *day = day_new(values, DAY, 0);
    struct entry view = event(ENTRY_VIEW, 1);
    struct day_reader reader;
    struct lb_buf blob;

    (void)state;
    lb_buf_init(&blob, DAY_BLOB_BYTES);
    view.visitor_day = DAY - 2;
    assert_int_equal(day_add(day, &view), LB_OK);
    assert_int_equal(day_finish(day), LB_OK);
    assert_int_equal(day_encode(day, DAY_TOTAL, &blob), LB_OK);
    assert_int_equal(day_reader_init(&reader, blob.data, blob.len), LB_OK);
    assert_false(reader.is_additive);
    day_free(day);
    day_values_free(values);
    lb_buf_deinit(&blob);
}

static void visits_are_counted_once_a_row(void **state)
{
    struct day_values *values = day_values();
    struct day *day = day_new(values, DAY, 1u << DAY_SOURCE);
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
    assert_int_equal(day_finish(day), LB_OK);
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
    day_values_free(values);
    lb_buf_deinit(&blob);
}

static void too_many_values_leave_the_other_dimensions(void **state)
{
    struct day_values *values = day_values();
    struct day *day = day_new(values, DAY, 1u << DAY_PAGE | 1u << DAY_COUNTRY);
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
    assert_int_equal(day_finish(day), LB_OK);
    assert_int_equal(day_encode(day, DAY_PAGE, &blob), LB_ELIMIT);
    assert_int_equal(day_encode(day, DAY_COUNTRY, &blob), LB_OK);
    assert_int_equal(day_encode(day, DAY_TOTAL, &blob), LB_OK);
    day_free(day);
    day_values_free(values);
    lb_buf_deinit(&blob);
}

/* --- beside counters of another kind ---------------------------------------
 */

#define EVENTS 3000
#define DIMENSIONS                                                             \
    (1u << DAY_LINK | 1u << DAY_PAGE | 1u << DAY_COUNTRY | 1u << DAY_TYPE)

static const char *random_text(const char *const *texts, int count)
{
    int at = rand() % (count + 1);

    return at == count ? NULL : texts[at];
}

static struct entry random_event(int64_t seq)
{
    static const char *const pages[] = {"/", "/a", "/b", "/long/er"};
    static const char *const links[] = {"shop", "tour"};
    static const char *const countries[] = {"FR", "DE", "BR"};
    static const char *const currencies[] = {"EUR", "USD"};
    struct entry entry = event((enum entry_type)(rand() % 4), rand() % 60);

    entry.seq = seq;
    entry.ts_at_ms += rand() % 5000;
    entry.visitor_day = DAY - rand() % 2;
    entry.traffic =
        rand() % 4 == 0 ? (enum entry_traffic)(rand() % 4) : ENTRY_HUMAN;
    entry.is_visit_start = rand() % 3 == 0;
    entry.is_double_tap = entry.type == ENTRY_CLICK && rand() % 5 == 0;
    entry.is_orphan = entry.type == ENTRY_CLICK && rand() % 4 == 0;
    entry.text[ENTRY_TEXT_PAGE] = random_text(pages, 4);
    entry.text[ENTRY_TEXT_LINK] = random_text(links, 2);
    entry.text[ENTRY_TEXT_COUNTRY] = random_text(countries, 3);
    if (entry.type == ENTRY_CONVERSION) {
        entry.has_amount = true;
        entry.amount_hundredths = rand() % 1000 - 300;
        entry.text[ENTRY_TEXT_CURRENCY] = random_text(currencies, 2);
    }
    return entry;
}

static size_t class_key(void *ctx, const char *key, size_t key_len, char *out)
{
    (void)ctx;
    (void)key_len;
    out[0] = key[0];
    return 1;
}

/* As query_work.c counts: by class and value, with visitors in a table. */
static struct tally *tally_of(const struct entry *entries,
                              enum day_dimension number,
                              struct tally *total)
{
    struct visits *visits = visits_new(VISITS_NUMBERED);
    struct tally *tally = tally_new(1000);
    struct dimension dimension = {.name = ""};

    if (number != DAY_TOTAL) {
        assert_true(
            dimension_find(day_dimension_name(number), false, &dimension));
    }
    for (int i = 0; i < EVENTS; i++) {
        const struct entry *entry = &entries[i];
        const char *value =
            number == DAY_TOTAL
                ? NULL
                : dimension_value(&dimension, entry, NULL, NULL);
        struct tally_visit visit = {0, false, 0};
        char key[64];
        size_t len =
            (size_t)snprintf(key, sizeof(key), "%d%s", (int)entry->traffic,
                             value == NULL ? "" : value);

        assert_int_equal(visits_enter(visits, entry, &visit.number), LB_OK);
        if (number == DAY_TYPE || entry->type != ENTRY_VIEW ||
            !dimension.is_of_click) {
            assert_int_equal(tally_add_in_visit(tally, key, len, entry, &visit),
                             LB_OK);
        }
    }
    tally_finish(tally, dimension.is_of_click ? total : NULL, class_key, NULL);
    visits_free(visits);
    return tally;
}

static void check_dimension(struct day *day,
                            enum day_dimension dimension,
                            const struct tally *tally)
{
    struct day_row rows[64];
    struct lb_buf blob;
    size_t count;

    lb_buf_init(&blob, DAY_BLOB_BYTES);
    count = read_rows(day, dimension, &blob, rows, 64);
    assert_int_equal(count, tally_count(tally));
    for (size_t i = 0; i < count; i++) {
        const struct tally_group *got = &rows[i].sums;
        const struct tally_group *want;
        char key[64];
        size_t len =
            (size_t)snprintf(key, sizeof(key), "%d%s", (int)rows[i].traffic,
                             rows[i].value == NULL ? "" : rows[i].value);

        want = tally_find(tally, key, len);
        assert_non_null(want);
        assert_memory_equal(&got->counts, &want->counts, sizeof(got->counts));
        assert_int_equal(got->visitors, want->visitors);
        assert_int_equal(got->viewers, want->viewers);
        assert_int_equal(got->clickers, want->clickers);
        assert_int_equal(got->viewers_clicked, want->viewers_clicked);
        assert_int_equal(got->visits, want->visits);
        assert_int_equal(got->clicks_without_visitor,
                         want->clicks_without_visitor);
        assert_int_equal(got->amount_hundredths, want->amount_hundredths);
        assert_string_equal(got->currency, want->currency);
    }
    lb_buf_deinit(&blob);
}

/* In one part, and in several. */
static void a_day_agrees_with_other_counters(void **state)
{
    static const enum day_dimension dimensions[] = {DAY_LINK, DAY_PAGE,
                                                    DAY_COUNTRY, DAY_TYPE};
    static struct entry entries[EVENTS];
    unsigned seed = (unsigned)time(NULL);
    const char *given = getenv("LINKBELL_SEED");

    (void)state;
    seed = given == NULL ? seed : (unsigned)strtoul(given, NULL, 10);
    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < EVENTS; i++) {
        entries[i] = random_event(i + 1);
    }
    for (uint64_t parts = 1; parts <= 4; parts++) {
        struct day_values *values = day_values();
        struct day *day = day_new(values, DAY, DIMENSIONS);
        struct tally *total = tally_of(entries, DAY_TOTAL, NULL);

        for (uint64_t part = 0; part < parts; part++) {
            day_set_part(day, part, parts);
            for (int i = 0; i < EVENTS; i++) {
                assert_int_equal(day_add(day, &entries[i]), LB_OK);
            }
            assert_int_equal(day_finish(day), LB_OK);
        }
        check_dimension(day, DAY_TOTAL, total);
        for (size_t i = 0; i < 4; i++) {
            struct tally *tally = tally_of(entries, dimensions[i], total);

            check_dimension(day, dimensions[i], tally);
            tally_free(tally);
        }
        tally_free(total);
        day_free(day);
        day_values_free(values);
    }
}

static void values_that_are_too_many_are_noticed_early(void **state)
{
    struct day_values *values = day_values();
    struct day *day = day_new(values, DAY, 1u << DAY_PAGE | 1u << DAY_COUNTRY);
    struct entry view = event(ENTRY_VIEW, 1);
    size_t before;
    char page[16];
    struct lb_buf blob;

    (void)state;
    lb_buf_init(&blob, DAY_BLOB_BYTES);
    view.text[ENTRY_TEXT_PAGE] = page;
    for (int i = 0; i <= DAY_VALUES; i++) {
        (void)snprintf(page, sizeof(page), "/%d", i % DAY_VALUES);
        assert_int_equal(day_add(day, &view), LB_OK);
    }
    before = day_event_bytes(day);
    assert_int_equal(day_check_values(day), LB_OK);
    assert_int_equal(day_event_bytes(day), before);
    (void)snprintf(page, sizeof(page), "/%d", DAY_VALUES);
    assert_int_equal(day_add(day, &view), LB_OK);
    assert_int_equal(day_check_values(day), LB_OK);
    assert_true(day_event_bytes(day) < before);
    assert_int_equal(day_finish(day), LB_OK);
    assert_int_equal(day_encode(day, DAY_PAGE, &blob), LB_ELIMIT);
    assert_int_equal(day_encode(day, DAY_COUNTRY, &blob), LB_OK);
    day_free(day);
    day_values_free(values);
    lb_buf_deinit(&blob);
}

/* As they are in a text that is written over, and past what a key holds. */
static void values_are_told_apart_by_their_bytes(void **state)
{
    struct day_values *values = day_values();
    char text[DAY_VALUES_BYTES + 8];
    uint32_t codes[4] = {0};

    (void)state;
    assert_non_null(values);
    for (int i = 0; i < 4; i++) {
        (void)snprintf(text, sizeof(text), "%s", i % 2 == 0 ? "a" : "ab");
        assert_int_equal(day_values_code(values, 1, text, &codes[i]), LB_OK);
    }
    assert_int_equal(codes[0], codes[2]);
    assert_int_equal(codes[1], codes[3]);
    assert_int_not_equal(codes[0], codes[1]);
    assert_string_equal(day_values_text(values, 1, codes[1]), "ab");
    assert_null(day_values_text(values, 1, 0));
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(day_values_code(values, 1, text, &codes[0]), LB_OK);
    text[DAY_VALUES_BYTES] = 'y';
    assert_int_equal(day_values_code(values, 1, text + 0, &codes[1]), LB_OK);
    assert_int_equal(codes[0], codes[1]);
    assert_int_equal(strlen(day_values_text(values, 1, codes[0])),
                     DAY_VALUES_BYTES);
    assert_int_equal(day_values_count(values, 1), 4);
    day_values_drop(values, 1);
    assert_int_equal(day_values_count(values, 1), 1);
    day_values_free(values);
}

static void damaged_bytes_are_read_to_their_fault_only(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    const char *given = getenv("LINKBELL_SEED");
    struct day_values *values = day_values();
    struct day *day = day_new(values, DAY, 1u << DAY_COUNTRY);
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
    assert_int_equal(day_finish(day), LB_OK);
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
            bool is_sound = day_reader_is_sound(&reader);

            while (day_reader_next(&reader, &row)) {
                count++;
            }
            assert_int_equal(is_sound, !reader.is_damaged);
        }
        assert_true(count <= len);
        free(bytes);
    }
    assert_int_equal(day_reader_init(&(struct day_reader){0}, NULL, 0),
                     LB_EFORMAT);
    day_free(day);
    day_values_free(values);
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
        cmocka_unit_test(a_day_agrees_with_other_counters),
        cmocka_unit_test(values_that_are_too_many_are_noticed_early),
        cmocka_unit_test(values_are_told_apart_by_their_bytes),
        cmocka_unit_test(damaged_bytes_are_read_to_their_fault_only),
        cmocka_unit_test(dimensions_have_the_names_of_the_interface),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
