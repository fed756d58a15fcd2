/* test_engagement.c - what the log keeps of how far a visitor read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/engagement.h"

#define BYTES 512

static int set_up(void **state)
{
    *state = lb_arena_new((size_t)64 * 1024);
    assert_non_null(*state);
    return 0;
}

static int tear_down(void **state)
{
    lb_arena_free(*state);
    return 0;
}

static void what_is_written_is_read(void **state)
{
    static const struct engagement cases[] = {
        {1, 20784, 17, "/a", 80, 5300},
        {INT64_C(1) << 40, -1, INT64_C(1) << 50, NULL, 0, 0},
        {2, 3, 4, "/\"\\\n\x01\xc3\xa9<&>", 100, 1},
        {2, 3, 4, "", ENGAGEMENT_UNKNOWN, 86400000},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct engagement got;
        struct lb_error err;
        char text[BYTES];

        assert_true(engagement_write(&cases[i], text, sizeof(text)));
        assert_int_equal(engagement_read(text, *state, &got, &err), LB_OK);
        assert_int_equal(got.site, cases[i].site);
        assert_int_equal(got.visitor_day, cases[i].visitor_day);
        assert_int_equal(got.visitor, cases[i].visitor);
        assert_int_equal(got.scroll_depth, cases[i].scroll_depth);
        assert_int_equal(got.attention_ms, cases[i].attention_ms);
        if (cases[i].page == NULL) {
            assert_null(got.page);
        } else {
            assert_string_equal(got.page, cases[i].page);
        }
    }
}

static void the_bytes_asked_for_suffice(void **state)
{
    struct engagement longest = {INT64_MIN, INT64_MIN, INT64_MIN,
                                 NULL,      -100000,   INT64_MIN};
    char page[101];

    (void)state;
    memset(page, 1, sizeof(page) - 1); /* six bytes each when escaped */
    page[sizeof(page) - 1] = '\0';
    for (int i = 0; i < 2; i++) {
        size_t bytes = engagement_bytes(longest.page);
        char *text = malloc(bytes);

        assert_non_null(text);
        assert_true(engagement_write(&longest, text, bytes));
        assert_false(engagement_write(&longest, text, strlen(text)));
        free(text);
        longest.page = page;
    }
}

static void what_is_none_is_told(void **state)
{
    static const char *const cases[] = {"", "[]", "{", "7", NULL};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct engagement got;
        struct lb_error err;

        assert_int_equal(engagement_read(cases[i], *state, &got, &err),
                         LB_EFORMAT);
        assert_string_equal(err.text,
                            "the log holds an engagement that can't be read");
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read),
        TEST(the_bytes_asked_for_suffice),
        TEST(what_is_none_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
