/* test_client_ip.c - the client's address behind proxies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/client_ip.h"

#define LONG_WORD                                                              \
    "1.1.1.1111111111111111111111111111111111111111111111111111111111111111"

static const char *const networks[] = {"10.0.0.0/8", "127.0.0.1",
                                       "2001:db8:f::/48"};

struct row {
    const char *peer; /* "": the local socket */
    const char *forwarded;
    const char *named;
    const char *wanted; /* "": no address */
};

static void check(const struct row *row,
                  struct lb_ip (*find)(const struct lb_ip_set *trusted,
                                       const struct lb_client_ip_hops *hops))
{
    struct lb_client_ip_hops hops = {{0}, row->forwarded, row->named};
    struct lb_ip_set *trusted = NULL;
    struct lb_error err;
    struct lb_ip wanted;
    struct lb_ip found;

    assert_int_equal(lb_ip_set_new(networks, 3, &trusted, &err), LB_OK);
    (void)lb_ip_parse(row->peer, &hops.peer);
    (void)lb_ip_parse(row->wanted, &wanted);
    found = find(trusted, &hops);
    if (lb_ip_compare(&found, &wanted) != 0) {
        fail_msg("peer \"%s\", forwarded \"%s\": not \"%s\" but %u.%u.%u.%u",
                 row->peer, row->forwarded == NULL ? "-" : row->forwarded,
                 row->wanted, found.bytes[0], found.bytes[1], found.bytes[2],
                 found.bytes[3]);
    }
    lb_ip_set_free(trusted);
}

static void the_walk_ends_at_the_first_address_that_is_not_trusted(void **state)
{
    static const struct row rows[] = {
        /* a peer that is not trusted is the client, whatever it sends */
        {"203.0.113.9", NULL, NULL, "203.0.113.9"},
        {"203.0.113.9", "1.1.1.1", NULL, "203.0.113.9"},
        {"203.0.113.9", "1.1.1.1", "2.2.2.2", "203.0.113.9"},
        /* a trusted one */
        {"10.0.0.1", NULL, NULL, "10.0.0.1"},
        {"10.0.0.1", "", NULL, "10.0.0.1"},
        {"10.0.0.1", "1.1.1.1", NULL, "1.1.1.1"},
        {"::ffff:10.0.0.1", "1.1.1.1", NULL, "1.1.1.1"},
        {"2001:db8:f::2", "1.1.1.1", NULL, "1.1.1.1"},
        {"10.0.0.1", "6.6.6.6, 1.1.1.1", NULL, "1.1.1.1"},
        {"10.0.0.1", "6.6.6.6,1.1.1.1,10.0.0.7", NULL, "1.1.1.1"},
        {"10.0.0.1", "6.6.6.6, 1.1.1.1 ,\t10.0.0.7 , 127.0.0.1", NULL,
         "1.1.1.1"},
        {"10.0.0.1", "10.0.0.8, 10.0.0.7", NULL, "10.0.0.8"},
        /* ports and brackets */
        {"10.0.0.1", "1.2.3.4:56", NULL, "1.2.3.4"},
        {"10.0.0.1", "2a00::1", NULL, "2a00::1"},
        {"10.0.0.1", "[2a00::1]", NULL, "2a00::1"},
        {"10.0.0.1", "[2a00::1]:443", NULL, "2a00::1"},
        {"10.0.0.1", "::ffff:1.2.3.4", NULL, "1.2.3.4"},
        {"10.0.0.1", "[::ffff:1.2.3.4]:80", NULL, "1.2.3.4"},
        /* what can't be read ends the walk */
        {"10.0.0.1", "unknown", NULL, "10.0.0.1"},
        {"10.0.0.1", "1.1.1.1, unknown", NULL, "10.0.0.1"},
        {"10.0.0.1", "1.1.1.1, unknown, 10.0.0.7", NULL, "10.0.0.7"},
        {"10.0.0.1", "1.1.1.1,", NULL, "10.0.0.1"},
        {"10.0.0.1", "1.1.1.1,,10.0.0.7", NULL, "10.0.0.7"},
        {"10.0.0.1", "1.2.3.4:", NULL, "10.0.0.1"},
        {"10.0.0.1", "1.2.3.4:123456", NULL, "10.0.0.1"},
        {"10.0.0.1", "1.2.3.4:8a", NULL, "10.0.0.1"},
        {"10.0.0.1", "[1.2.3.4]:80", NULL, "10.0.0.1"},
        {"10.0.0.1", "[2a00::1", NULL, "10.0.0.1"},
        {"10.0.0.1", "[2a00::1]x", NULL, "10.0.0.1"},
        {"10.0.0.1", "_hidden", NULL, "10.0.0.1"},
        {"10.0.0.1", LONG_WORD, NULL, "10.0.0.1"},
        /* the header that the settings name */
        {"10.0.0.1", "1.1.1.1", "2.2.2.2", "2.2.2.2"},
        {"10.0.0.1", "1.1.1.1", "nothing", "1.1.1.1"},
        {"10.0.0.1", NULL, " 2a00::7 ", "2a00::7"},
        /* the local socket is trusted */
        {"", "1.1.1.1", NULL, "1.1.1.1"},
        {"", "6.6.6.6, 1.1.1.1, 10.0.0.3", NULL, "1.1.1.1"},
        {"", NULL, NULL, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&rows[i], lb_client_ip_find);
    }
}

static void a_back_end_sets_the_first_valid_address(void **state)
{
    static const struct row rows[] = {
        {"203.0.113.9", NULL, NULL, ""},
        {"203.0.113.9", "", NULL, ""},
        {"203.0.113.9", "1.1.1.1", NULL, "1.1.1.1"},
        {"203.0.113.9", "1.1.1.1, 2.2.2.2", NULL, "1.1.1.1"},
        {"203.0.113.9", "unknown, 2.2.2.2:80", NULL, "2.2.2.2"},
        {"203.0.113.9", "unknown", NULL, ""},
        {"", "1.1.1.1", NULL, "1.1.1.1"},
        /* a trusted proxy has added the back end's own address */
        {"10.0.0.1", "203.0.113.9", NULL, ""},
        {"10.0.0.1", "1.1.1.1, 203.0.113.9", NULL, "1.1.1.1"},
        {"10.0.0.1", "1.1.1.1, 2.2.2.2, 203.0.113.9, 10.0.0.2", NULL,
         "1.1.1.1"},
        {"10.0.0.1", NULL, NULL, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&rows[i], lb_client_ip_given);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_walk_ends_at_the_first_address_that_is_not_trusted),
        cmocka_unit_test(a_back_end_sets_the_first_valid_address),
    };

    return cmocka_run_group_tests_name("client_ip", tests, NULL, NULL);
}
