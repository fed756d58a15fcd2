/* test_secret_read.c - secrets from the environment and from files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/secret_read.h"
#include "tests/support/temp_dir.h"

#define NAME "LINKBELL_TEST_SECRET"

static void a_variable_is_read_as_it_is(void **state)
{
    struct lb_error err;
    char out[8];

    (void)state;
    assert_int_equal(setenv(NAME, " s\tx ", 1), 0);

    assert_int_equal(lb_secret_read_env(NAME, out, sizeof(out), &err), LB_OK);
    assert_string_equal(out, " s\tx ");
}

static void a_variable_that_is_unset_empty_or_long_is_named(void **state)
{
    static const struct {
        const char *value; /* NULL: unset */
        enum lb_err want;
    } cases[] = {{NULL, LB_ENOTFOUND},
                 {"", LB_ENOTFOUND},
                 {"1234567", LB_OK},
                 {"12345678", LB_ELIMIT}};
    char out[8];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_error err = {LB_OK, ""};

        assert_int_equal(cases[i].value == NULL
                             ? unsetenv(NAME)
                             : setenv(NAME, cases[i].value, 1),
                         0);

        assert_int_equal(lb_secret_read_env(NAME, out, sizeof(out), &err),
                         cases[i].want);
        if (cases[i].want != LB_OK) {
            assert_string_equal(out, "");
            assert_non_null(strstr(err.text, NAME));
            assert_null(strstr(err.text, "12345678"));
        }
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wbe");

    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
}

static void a_file_is_read_whole_or_not_at_all(void **state)
{
    struct lb_error err = {LB_OK, ""};
    char dir[TEMP_DIR_BYTES];
    char path[TEMP_DIR_BYTES + 8];
    char out[8];

    (void)state;
    temp_dir_make(dir);
    (void)snprintf(path, sizeof(path), "%s/s", dir);

    assert_int_equal(lb_secret_read_file(path, out, sizeof(out), &err),
                     LB_ENOENT);
    assert_non_null(strstr(err.text, path));
    write_file(path, "a\nb\n");
    assert_int_equal(lb_secret_read_file(path, out, sizeof(out), &err), LB_OK);
    assert_string_equal(out, "a\nb\n");
    write_file(path, "12345678");
    assert_int_equal(lb_secret_read_file(path, out, sizeof(out), &err),
                     LB_ELIMIT);
    assert_string_equal(out, "");
    assert_null(strstr(err.text, "1234"));
    assert_int_equal(lb_secret_read_file(dir, out, sizeof(out), &err), LB_EIO);
    temp_dir_remove(dir);
}

static void
lines_come_without_white_space_and_empty_ones_not_at_all(void **state)
{
    char text[] = "\n  one \r\n\t\n two words\n\nlast";
    char *at = text;

    (void)state;
    assert_string_equal(lb_secret_read_line(&at), "one");
    assert_string_equal(lb_secret_read_line(&at), "two words");
    assert_string_equal(lb_secret_read_line(&at), "last");
    assert_null(lb_secret_read_line(&at));
    assert_null(lb_secret_read_line(&at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_variable_is_read_as_it_is),
        cmocka_unit_test(a_variable_that_is_unset_empty_or_long_is_named),
        cmocka_unit_test(a_file_is_read_whole_or_not_at_all),
        cmocka_unit_test(
            lines_come_without_white_space_and_empty_ones_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
