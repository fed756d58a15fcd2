/* test_import_repeat.c - how often a record stood before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/import_repeat.h"

static uint32_t add(struct import_repeat_count *count, const char *text)
{
    uint32_t before = 99;

    assert_int_equal(
        import_repeat_add(
            count, import_repeat_expect(count, text, strlen(text)), &before),
        LB_OK);
    return before;
}

static void each_record_has_its_own_count(void **state)
{
    struct import_repeat_count *count = import_repeat_new();
    (void)state;

    assert_non_null(count);
    assert_int_equal(add(count, "a"), 0);
    assert_int_equal(add(count, "b"), 0);
    assert_int_equal(add(count, "a"), 1);
    assert_int_equal(add(count, "a"), 2);
    assert_int_equal(add(count, "b"), 1);
    assert_int_equal(add(count, ""), 0);
    assert_int_equal(add(count, ""), 1);
    import_repeat_clear(count);
    assert_int_equal(add(count, "a"), 0);
    import_repeat_free(count);
}

static void many_records_keep_their_counts(void **state)
{
    struct import_repeat_count *count = import_repeat_new();
    char text[32];
    (void)state;

    for (uint32_t round = 0; round < 4; round++) {
        for (int i = 0; i < 20000; i++) {
            /* Every third record comes again and again. */
            if (round == 0 || i % 3 == 0) {
                (void)snprintf(text, sizeof(text), "line %d", i);
                assert_int_equal(add(count, text), round);
            }
        }
    }
    import_repeat_free(count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_has_its_own_count),
        cmocka_unit_test(many_records_keep_their_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
