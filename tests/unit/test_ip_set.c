/* test_ip_set.c - sets of addresses and networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/ip_set.h"

static bool has(const struct lb_ip_set *set, const char *text)
{
    struct lb_ip ip;

    assert_true(lb_ip_parse(text, &ip));
    return lb_ip_set_contains(set, &ip);
}

static void a_set_holds_what_its_networks_hold(void **state)
{
    static const char *const networks[] = {"192.0.2.0/24",  "10.0.0.0/8",
                                           "10.1.0.0/16",   "10.255.255.255",
                                           "2001:db8::/32", "::1"};
    static const struct {
        const char *text;
        bool is_in;
    } cases[] = {
        {"10.0.0.0", true},
        {"10.255.255.255", true},
        {"9.255.255.255", false},
        {"11.0.0.0", false},
        {"192.0.2.77", true},
        {"::ffff:192.0.2.77", true},
        {"192.0.3.0", false},
        {"2001:db8::5", true},
        {"2001:db9::", false},
        {"::1", true},
        {"::2", false},
        {"0.0.0.0", false},
        {"255.255.255.255", false},
    };
    struct lb_ip_set *set = NULL;
    struct lb_error err;

    (void)state;
    assert_int_equal(lb_ip_set_new(networks, 6, &set, &err), LB_OK);
    assert_int_equal(lb_ip_set_count(set), 4);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (has(set, cases[i].text) != cases[i].is_in) {
            fail_msg("%s", cases[i].text);
        }
    }
    lb_ip_set_free(set);
}

static void no_set_and_an_empty_set_hold_nothing(void **state)
{
    struct lb_ip_set *set = NULL;
    struct lb_ip none = {0};
    struct lb_error err;

    (void)state;
    assert_int_equal(lb_ip_set_new(NULL, 0, &set, &err), LB_OK);
    assert_false(has(set, "10.0.0.1"));
    assert_false(has(NULL, "10.0.0.1"));
    assert_false(lb_ip_set_contains(set, &none));
    lb_ip_set_free(set);
    lb_ip_set_free(NULL);
}

static void a_text_that_is_no_network_is_named(void **state)
{
    static const char *const networks[] = {"10.0.0.0/8", "10.0.0.0/88"};
    struct lb_ip_set *set = NULL;
    struct lb_error err;

    (void)state;
    assert_int_equal(lb_ip_set_new(networks, 2, &set, &err), LB_EINVAL);
    assert_null(set);
    assert_non_null(strstr(err.text, "\"10.0.0.0/88\""));
}

static void a_file_has_one_network_a_line(void **state)
{
    static const char text[] = "# hosting\n\n 198.51.100.0/24 \t# one\r\n"
                               "2001:db8::/32\r\n203.0.113.9";
    struct lb_ip_set *set = NULL;
    struct lb_error err;

    (void)state;
    assert_int_equal(lb_ip_set_parse(text, sizeof(text) - 1, &set, &err),
                     LB_OK);
    assert_int_equal(lb_ip_set_count(set), 3);
    assert_true(has(set, "198.51.100.200"));
    assert_true(has(set, "2001:db8:1::"));
    assert_true(has(set, "203.0.113.9"));
    assert_false(has(set, "203.0.113.8"));
    lb_ip_set_free(set);
}

static void a_bad_line_is_numbered(void **state)
{
    static const char *const texts[] = {"10.0.0.0/8\nexample.com\n",
                                        "\n10.0.0.0/8 11.0.0.0/8\n",
                                        "#\n10.0.0.0/8,11.0.0.0/8"};
    struct lb_ip_set *set = NULL;
    struct lb_error err;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(
            lb_ip_set_parse(texts[i], strlen(texts[i]), &set, &err),
            LB_EFORMAT);
        assert_non_null(strstr(err.text, "line 2"));
        assert_null(set);
    }
    assert_int_equal(lb_ip_set_parse("10.0.0.1\0", 9, &set, &err), LB_EFORMAT);
}

/* Against a walk over all networks, with random small ones that overlap. */
static void a_set_agrees_with_a_walk(void **state)
{
    struct lb_ip_range ranges[200];
    char texts[200][32];
    const char *networks[200];
    struct lb_ip_set *set = NULL;
    struct lb_error err;
    unsigned seed = 7;

    (void)state;
    for (size_t i = 0; i < 200; i++) {
        seed = seed * 1103515245u + 12345u;
        (void)snprintf(texts[i], sizeof(texts[i]), "10.0.%u.%u/%u",
                       seed >> 16 & 3, seed >> 20 & 255,
                       26 + (seed >> 28 & 7) % 7);
        networks[i] = texts[i];
        assert_true(lb_ip_parse_range(texts[i], &ranges[i]));
    }
    assert_int_equal(lb_ip_set_new(networks, 200, &set, &err), LB_OK);
    for (unsigned n = 0; n < 1024; n++) {
        struct lb_ip ip = {4, {10, 0, (uint8_t)(n >> 8), (uint8_t)(n & 255)}};
        bool is_in = false;

        for (size_t i = 0; i < 200; i++) {
            is_in = is_in || lb_ip_is_within(&ip, &ranges[i]);
        }
        assert_int_equal(lb_ip_set_contains(set, &ip), is_in);
    }
    lb_ip_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_holds_what_its_networks_hold),
        cmocka_unit_test(no_set_and_an_empty_set_hold_nothing),
        cmocka_unit_test(a_text_that_is_no_network_is_named),
        cmocka_unit_test(a_file_has_one_network_a_line),
        cmocka_unit_test(a_bad_line_is_numbered),
        cmocka_unit_test(a_set_agrees_with_a_walk),
    };

    return cmocka_run_group_tests_name("ip_set", tests, NULL, NULL);
}
