/* test_excerpt.c - what is shown of an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/excerpt.h"

static void secrets_and_addresses_are_masked(void **state)
{
    static const struct {
        const char *answer;
        const char *want;
    } cases[] = {
        {"", ""},
        {"invalid_blocks", "invalid_blocks"},
        {"no such user zoe@example.com!", "no such user ***!"},
        {"no zo\xc3\xab@example.com", "no ***"},
        {"token xoxb-1234567890-abcdefghijkl is bad", "token *** is bad"},
        {"an internationalization_problem_of_ours",
         "an internationalization_problem_of_ours"},
        {"key=hush-1 here", "key=*** here"},
        {"POST /services/T0/B0/x failed", "POST *** failed"},
        {"a\nb\xff\xff c", "a ? c"},
        {"{\"error\":\"r\xc3\xa9gion\"}", "{\"error\":\"r\xc3\xa9gion\"}"},
    };
    static const char *const secrets[] = {"hush-1", "/services/T0/B0/x", ""};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[EXCERPT_BYTES];

        excerpt_make(cases[i].answer, secrets, 3, out);
        assert_string_equal(out, cases[i].want);
    }
}

static void a_long_answer_is_cut(void **state)
{
    char answer[2000];
    char out[EXCERPT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(answer); i++) {
        answer[i] = i % 5 == 4 ? ' ' : 'x';
    }
    answer[sizeof(answer) - 1] = '\0';
    excerpt_make(answer, NULL, 0, out);
    assert_true(strlen(out) <= 512);
    assert_true(strlen(out) > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_and_addresses_are_masked),
        cmocka_unit_test(a_long_answer_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
