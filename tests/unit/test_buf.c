/* test_buf.c - a growing buffer keeps its maximum and its NUL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void what_is_added_stands_there_and_ends_with_nul(void **state)
{
    struct lb_buf buf;
    (void)state;
    lb_buf_init(&buf, 1000);

    lb_buf_add_text(&buf, "a");
    lb_buf_add(&buf, "bc", 2);
    lb_buf_add_char(&buf, 'd');
    lb_buf_printf(&buf, "%d-%s", 5, "e");

    assert_string_equal(lb_buf_text(&buf), "abcd5-e");
    assert_int_equal(buf.len, 7);
    assert_int_equal(buf.data[buf.len], 0);
    lb_buf_deinit(&buf);
}

static void an_empty_buffer_reads_as_an_empty_text(void **state)
{
    struct lb_buf buf;
    char *taken;
    (void)state;
    lb_buf_init(&buf, 10);

    assert_string_equal(lb_buf_text(&buf), "");
    taken = lb_buf_take(&buf);
    assert_string_equal(taken, "");

    free(taken);
    lb_buf_deinit(&buf);
    lb_buf_deinit(&buf);
}

static void the_maximum_can_be_reached_exactly(void **state)
{
    struct lb_buf buf;
    (void)state;
    lb_buf_init(&buf, 4);

    lb_buf_add_text(&buf, "abcd");

    assert_false(buf.is_failed);
    assert_string_equal(lb_buf_text(&buf), "abcd");
    lb_buf_deinit(&buf);
}

static void past_the_maximum_it_stays_failed_and_unchanged(void **state)
{
    struct lb_buf buf;
    (void)state;
    lb_buf_init(&buf, 4);
    lb_buf_add_text(&buf, "abc");

    lb_buf_add_text(&buf, "de");
    lb_buf_add_char(&buf, 'f');

    assert_true(buf.is_failed);
    assert_string_equal(lb_buf_text(&buf), "abc");
    assert_int_equal(lb_buf_reserve(&buf, 1), LB_ELIMIT);
    assert_null(lb_buf_take(&buf));
    lb_buf_deinit(&buf);
}

static void a_printed_text_past_the_maximum_fails_whole(void **state)
{
    struct lb_buf buf;
    (void)state;
    lb_buf_init(&buf, 4);

    lb_buf_printf(&buf, "%s", "abcde");

    assert_true(buf.is_failed);
    assert_string_equal(lb_buf_text(&buf), "");
    lb_buf_deinit(&buf);
}

static void clearing_forgets_text_and_failure(void **state)
{
    struct lb_buf buf;
    (void)state;
    lb_buf_init(&buf, 4);
    lb_buf_add_text(&buf, "abcd");
    lb_buf_add_char(&buf, 'e');

    lb_buf_clear(&buf);
    lb_buf_add_text(&buf, "xy");

    assert_false(buf.is_failed);
    assert_string_equal(lb_buf_text(&buf), "xy");
    lb_buf_deinit(&buf);
}

static void a_huge_reservation_does_not_overflow(void **state)
{
    struct lb_buf buf;
    (void)state;
    lb_buf_init(&buf, 100);
    lb_buf_add_text(&buf, "abc");

    assert_int_equal(lb_buf_reserve(&buf, SIZE_MAX), LB_ELIMIT);
    assert_string_equal(lb_buf_text(&buf), "abc");
    lb_buf_deinit(&buf);
}

static void integers_are_written_to_their_ends(void **state)
{
    static const struct {
        int64_t value;
        const char *text;
    } cases[] = {{0, "0"},
                 {-1, "-1"},
                 {10, "10"},
                 {INT64_MAX, "9223372036854775807"},
                 {INT64_MIN, "-9223372036854775808"}};
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_buf buf;

        lb_buf_init(&buf, 100);
        lb_buf_add_int(&buf, cases[i].value);

        assert_string_equal(lb_buf_text(&buf), cases[i].text);
        lb_buf_deinit(&buf);
    }
}

static void consuming_drops_from_the_front(void **state)
{
    struct lb_buf buf;
    (void)state;
    lb_buf_init(&buf, 100);
    lb_buf_consume(&buf, 0);
    lb_buf_add_text(&buf, "abcdef");

    lb_buf_consume(&buf, 4);
    assert_string_equal(lb_buf_text(&buf), "ef");

    lb_buf_consume(&buf, 2);
    assert_string_equal(lb_buf_text(&buf), "");
    lb_buf_deinit(&buf);
}

static void taking_hands_the_bytes_over(void **state)
{
    struct lb_buf buf;
    char *taken;
    (void)state;
    lb_buf_init(&buf, 100);
    lb_buf_add_text(&buf, "abc");

    taken = lb_buf_take(&buf);
    lb_buf_add_text(&buf, "x");

    assert_string_equal(taken, "abc");
    assert_string_equal(lb_buf_text(&buf), "x");
    free(taken);
    lb_buf_deinit(&buf);
}

static void many_small_additions_add_up(void **state)
{
    struct lb_buf buf;
    (void)state;
    lb_buf_init(&buf, 100000);

    for (int i = 0; i < 100000; i++) {
        lb_buf_add_char(&buf, (char)('a' + i % 26));
    }

    assert_false(buf.is_failed);
    assert_int_equal(buf.len, 100000);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(buf.data[i], 'a' + i % 26);
    }
    lb_buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_stands_there_and_ends_with_nul),
        cmocka_unit_test(an_empty_buffer_reads_as_an_empty_text),
        cmocka_unit_test(the_maximum_can_be_reached_exactly),
        cmocka_unit_test(past_the_maximum_it_stays_failed_and_unchanged),
        cmocka_unit_test(a_printed_text_past_the_maximum_fails_whole),
        cmocka_unit_test(clearing_forgets_text_and_failure),
        cmocka_unit_test(a_huge_reservation_does_not_overflow),
        cmocka_unit_test(integers_are_written_to_their_ends),
        cmocka_unit_test(consuming_drops_from_the_front),
        cmocka_unit_test(taking_hands_the_bytes_over),
        cmocka_unit_test(many_small_additions_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
