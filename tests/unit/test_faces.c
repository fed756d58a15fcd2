/* test_faces.c - who was met before, in bounded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alerts/faces.h"

#define MANY 2500000 /* more than two generations hold */

static bool is_new(struct faces *faces, uint32_t number)
{
    return faces_is_new(faces, &number, sizeof(number));
}

static void each_is_new_once(void **state)
{
    struct faces *faces = faces_new();

    (void)state;
    for (uint32_t i = 0; i < 100000; i++) {
        assert_true(is_new(faces, i));
        assert_false(is_new(faces, i));
        assert_false(is_new(faces, i / 2));
    }
    assert_true(faces_is_new(faces, "", 0));
    assert_false(faces_is_new(faces, "", 0));
    faces_free(faces);
    faces_free(NULL);
}

static void
who_came_long_ago_is_forgotten_and_who_came_last_is_not(void **state)
{
    struct faces *faces = faces_new();

    (void)state;
    for (uint32_t i = 0; i < MANY; i++) {
        assert_true(is_new(faces, i));
        if (i >= 1000000) {
            assert_false(is_new(faces, i - 1000000));
        }
    }
    assert_true(is_new(faces, 0));
    faces_free(faces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_new_once),
        cmocka_unit_test(
            who_came_long_ago_is_forgotten_and_who_came_last_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
