/* test_client_rate.c - events of a client within a second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/client_rate.h"

static int set_up(void **state)
{
    *state = client_rate_new();
    assert_non_null(*state);
    return 0;
}

static int tear_down(void **state)
{
    client_rate_free(*state);
    return 0;
}

static bool take_at(struct client_rate *rate,
                    const char *address,
                    size_t count,
                    int64_t now_ms)
{
    struct lb_ip client;

    assert_true(lb_ip_parse(address, &client));
    return client_rate_take(rate, &client, count, 3, now_ms);
}

static bool take(struct client_rate *rate, const char *address, size_t count)
{
    return take_at(rate, address, count, 5000);
}

static void so_many_are_taken_a_second(void **state)
{
    for (int64_t ms = 5000; ms <= 6000; ms += 1000) {
        for (int i = 0; i < 3; i++) {
            assert_true(take_at(*state, "192.0.2.1", 1, ms));
        }
        assert_false(take_at(*state, "192.0.2.1", 1, ms));
        assert_false(take_at(*state, "192.0.2.1", 1, ms + 999));
    }
}

static void what_is_refused_does_not_count(void **state)
{
    assert_true(take(*state, "192.0.2.1", 2));
    assert_false(take(*state, "192.0.2.1", 2));
    assert_true(take(*state, "192.0.2.1", 1));
}

static void the_first_ones_are_taken_however_many(void **state)
{
    assert_true(take(*state, "192.0.2.1", 100));
    assert_false(take(*state, "192.0.2.1", 1));
}

static void one_client_slows_no_other(void **state)
{
    assert_true(take(*state, "192.0.2.1", 3));
    assert_false(take(*state, "192.0.2.1", 1));
    assert_true(take(*state, "192.0.2.2", 3));
    assert_true(take(*state, "2001:db8:0:1::1", 3));
    assert_true(take(*state, "2001:db8:0:2::1", 3));
}

static void a_network_of_ipv6_is_one_client(void **state)
{
    assert_true(take(*state, "2001:db8:0:1::1", 3));
    assert_false(take(*state, "2001:db8:0:1:ffff::2", 1));
}

static void no_address_is_one_client(void **state)
{
    const struct lb_ip none = {0};

    assert_true(client_rate_take(*state, &none, 3, 3, 0));
    assert_false(client_rate_take(*state, &none, 1, 3, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(so_many_are_taken_a_second),
        TEST(what_is_refused_does_not_count),
        TEST(the_first_ones_are_taken_however_many),
        TEST(one_client_slows_no_other),
        TEST(a_network_of_ipv6_is_one_client),
        TEST(no_address_is_one_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
