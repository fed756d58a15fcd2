/* test_redirect.c - where a short link sends its visitor on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/redirect.h"

#define PARAMS 8

static const struct {
    const char *url;
    struct redirect_param params[PARAMS];
    const char *want;
} cases[] = {
    {"https://cal.example/a", {{NULL, NULL}}, "https://cal.example/a"},
    {"https://cal.example/a",
     {{"utm_source", "news letter"}, {"foo", "1"}, {"GCLID", "x/y"}},
     "https://cal.example/a?utm_source=news%20letter&gclid=x%2Fy"},
    {"https://cal.example/a?b=1#part",
     {{"utm_medium", "mail"}},
     "https://cal.example/a?b=1&utm_medium=mail#part"},
    {"https://cal.example/a?UTM_Source=own",
     {{"utm_source", "theirs"}, {"utm_term", "t"}},
     "https://cal.example/a?UTM_Source=own&utm_term=t"},
    {"https://cal.example/a?utm%5Fsource=own",
     {{"utm_source", "theirs"}},
     "https://cal.example/a?utm%5Fsource=own"},
    {"https://cal.example/a?utm_source",
     {{"utm_source", "theirs"}},
     "https://cal.example/a?utm_source"},
    {"https://cal.example/a?",
     {{"utm_id", "7"}},
     "https://cal.example/a?utm_id=7"},
    {"https://cal.example/a?x=1&",
     {{"utm_id", "7"}},
     "https://cal.example/a?x=1&utm_id=7"},
    /* The first with a value counts, and stands once. */
    {"https://cal.example/",
     {{"utm_source", ""}, {"utm_source", "a"}, {"Utm_Source", "b"}},
     "https://cal.example/?utm_source=a"},
    /* No request text starts a line, a host or another parameter. */
    {"https://cal.example/",
     {{"utm_source", "a\r\nSet-Cookie: b&c=d#e"},
      {"url", "https://evil.example/"},
      {"utm_x&y", "z"}},
     "https://cal.example/?utm_source=a%0D%0ASet-Cookie%3A%20b%26c%3Dd%23e&"
     "utm_x%26y=z"},
    {"https://cal.example/#/a?b=1",
     {{"fbclid", "q"}},
     "https://cal.example/?fbclid=q#/a?b=1"},
    {"https://cal.example/caf\xc3\xa9",
     {{NULL, NULL}},
     "https://cal.example/caf%C3%A9"},
};

static void campaign_and_click_identifiers_are_passed_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_buf out;
        size_t count = 0;

        while (count < PARAMS && cases[i].params[count].key != NULL) {
            count++;
        }
        lb_buf_init(&out, 4096);
        redirect_add_target(&out, cases[i].url, cases[i].params, count);
        assert_string_equal(lb_buf_text(&out), cases[i].want);
        lb_buf_deinit(&out);
    }
}

static void keys_beyond_all_that_are_known_stay_behind(void **state)
{
    char key[200] = "utm_";
    struct redirect_param param = {key, "x"};
    struct lb_buf out;

    (void)state;
    memset(key + 4, 'a', sizeof(key) - 5);
    lb_buf_init(&out, 4096);
    redirect_add_target(&out, "https://cal.example/", &param, 1);
    assert_string_equal(lb_buf_text(&out), "https://cal.example/");
    lb_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(campaign_and_click_identifiers_are_passed_on),
        cmocka_unit_test(keys_beyond_all_that_are_known_stay_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
