/* test_err.c - codes, their names, and the text that travels with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void setting_an_error_returns_its_code(void **state)
{
    struct lb_error err = {0};
    (void)state;

    enum lb_err rc = lb_err_set(&err, LB_ENOENT, "%s: %d", "a.yaml", 7);

    assert_int_equal(rc, LB_ENOENT);
    assert_int_equal(err.code, LB_ENOENT);
    assert_string_equal(err.text, "a.yaml: 7");
}

static void nobody_has_to_listen(void **state)
{
    (void)state;

    assert_int_equal(lb_err_set(NULL, LB_EIO, "%s", "unheard"), LB_EIO);
}

static void a_long_text_is_cut(void **state)
{
    char text[2 * LB_ERROR_TEXT_BYTES];
    struct lb_error err;
    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';

    (void)lb_err_set(&err, LB_EINVAL, "%s", text);

    assert_int_equal(strlen(err.text), LB_ERROR_TEXT_BYTES - 1);
}

static void a_prefix_goes_before_what_is_there(void **state)
{
    struct lb_error err;
    (void)state;
    (void)lb_err_set(&err, LB_EFORMAT, "not a number");

    enum lb_err rc = lb_err_prefix(&err, "%s:%d", "a.yaml", 3);

    assert_int_equal(rc, LB_EFORMAT);
    assert_int_equal(err.code, LB_EFORMAT);
    assert_string_equal(err.text, "a.yaml:3: not a number");
}

static void a_long_prefix_is_cut(void **state)
{
    char text[2 * LB_ERROR_TEXT_BYTES];
    struct lb_error err;
    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    (void)lb_err_set(&err, LB_EFORMAT, "%s", text);

    (void)lb_err_prefix(&err, "%s", text);

    assert_int_equal(strlen(err.text), LB_ERROR_TEXT_BYTES - 1);
}

static void every_code_has_a_name_of_its_own(void **state)
{
    (void)state;

    for (int a = LB_OK; a <= LB_EINTERNAL; a++) {
        assert_string_not_equal(lb_err_name((enum lb_err)a), "unknown");
        for (int b = LB_OK; b < a; b++) {
            assert_string_not_equal(lb_err_name((enum lb_err)a),
                                    lb_err_name((enum lb_err)b));
        }
    }
    assert_string_equal(lb_err_name(LB_OK), "ok");
    assert_string_equal(lb_err_name(LB_EINTERNAL), "internal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_an_error_returns_its_code),
        cmocka_unit_test(nobody_has_to_listen),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(a_prefix_goes_before_what_is_there),
        cmocka_unit_test(a_long_prefix_is_cut),
        cmocka_unit_test(every_code_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
