/* test_log.c - one event is one line, whatever stands in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"

static FILE *caught;
static int real_stderr;
static char lines[8192];

static int catch_stderr(void **state)
{
    (void)state;
    caught = tmpfile();
    real_stderr = dup(STDERR_FILENO);
    lb_clock_fake_wall(INT64_C(1795421702114));
    lb_log_set_level(LB_LOG_INFO);
    return caught == NULL || dup2(fileno(caught), STDERR_FILENO) < 0 ? -1 : 0;
}

static int give_stderr_back(void **state)
{
    (void)state;
    (void)dup2(real_stderr, STDERR_FILENO);
    (void)close(real_stderr);
    lb_clock_fake_wall(-1);
    return fclose(caught);
}

static const char *written(void)
{
    ssize_t len = pread(fileno(caught), lines, sizeof(lines) - 1, 0);

    lines[len < 0 ? 0 : len] = '\0';
    return lines;
}

static size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++) {
        count += *text == '\n' ? 1 : 0;
    }
    return count;
}

static void a_line_has_time_level_event_and_values(void **state)
{
    (void)state;

    lb_log(LB_LOG_WARN, "disk_low", "free=%d", 12);

    assert_string_equal(
        written(), "2026-11-23T08:15:02.114Z warn event=disk_low free=12\n");
}

static void lines_below_the_level_are_dropped(void **state)
{
    (void)state;
    lb_log_set_level(LB_LOG_WARN);

    lb_log(LB_LOG_DEBUG, "one", "a=%d", 1);
    lb_log(LB_LOG_INFO, "two", "a=%d", 1);
    lb_log_limited(LB_LOG_INFO, "three", "a=%d", 1);
    lb_log(LB_LOG_ERROR, "four", "a=%d", 1);

    assert_int_equal(count_lines(written()), 1);
    assert_non_null(strstr(lines, " error event=four "));
}

static void control_characters_never_make_a_second_line(void **state)
{
    (void)state;

    lb_log(LB_LOG_INFO, "odd", "a=%s", "x\ny\r\t\x7f\x1bz");

    assert_int_equal(count_lines(written()), 1);
    assert_non_null(strstr(lines, "a=x y    z\n"));
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
    char text[4000];
    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';

    lb_log(LB_LOG_INFO, "long", "a=%s", text);

    assert_int_equal(count_lines(written()), 1);
    assert_true(strlen(lines) <= 1024);
    assert_int_equal(lines[strlen(lines) - 1], '\n');
}

static void repeats_within_a_minute_are_only_counted(void **state)
{
    (void)state;

    for (int i = 0; i < 50; i++) {
        lb_log_limited(LB_LOG_WARN, "repeated_one", "i=%d", i);
        lb_log_limited(LB_LOG_WARN, "repeated_two", "i=%d", i);
    }

    assert_int_equal(count_lines(written()), 2);
    assert_non_null(strstr(lines, "event=repeated_one i=0\n"));
    assert_non_null(strstr(lines, "event=repeated_two i=0\n"));
}

static void text_from_outside_is_quoted_when_it_is_not_plain(void **state)
{
    static const struct {
        const char *text;
        const char *quoted;
    } cases[] = {
        {"plain", "plain"},
        {"a/b.c:1", "a/b.c:1"},
        {"", "\"\""},
        {"a b", "\"a b\""},
        {"a=b", "\"a=b\""},
        {"say \"x\"", "\"say \\\"x\\\"\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"line\nend\x7f", "\"line\\x0aend\\x7f\""},
        {"\xc3\xa9", "\xc3\xa9"},
    };
    char out[100];
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_ptr_equal(lb_log_quote(cases[i].text, out, sizeof(out)), out);
        assert_string_equal(out, cases[i].quoted);
    }
}

static void a_quoted_text_is_cut_to_its_room(void **state)
{
    (void)state;

    for (size_t room = 1; room <= 64; room++) {
        char out[64];

        memset(out, '#', sizeof(out));
        (void)lb_log_quote("\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", out, room);
        assert_true(strnlen(out, sizeof(out)) < room);
        (void)lb_log_quote("plainplainplainplainplainplainplainplainplainplain"
                           "plainplain",
                           out, room);
        assert_true(strnlen(out, sizeof(out)) < room);
        for (size_t i = room; i < sizeof(out); i++) {
            assert_int_equal(out[i], '#');
        }
    }
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, catch_stderr, give_stderr_back)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_time_level_event_and_values),
        TEST(lines_below_the_level_are_dropped),
        TEST(control_characters_never_make_a_second_line),
        TEST(a_long_line_is_cut_and_still_ends),
        TEST(repeats_within_a_minute_are_only_counted),
        cmocka_unit_test(text_from_outside_is_quoted_when_it_is_not_plain),
        cmocka_unit_test(a_quoted_text_is_cut_to_its_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
