/* test_sender_rate.c - events of a sender in a second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "ingest/sender_rate.h"

#define RATE 4

static int set_up(void **state)
{
    *state = sender_rate_new();
    assert_non_null(*state);
    return 0;
}

static int tear_down(void **state)
{
    sender_rate_free(*state);
    return 0;
}

static uint64_t client(struct sender_rate *rate, const char *address)
{
    struct lb_ip ip;

    assert_true(lb_ip_parse(address, &ip));
    return sender_rate_of_client(rate, &ip);
}

/* 0: taken; else the milliseconds to wait. */
static int64_t
take_at(struct sender_rate *rate, uint64_t sender, size_t count, int64_t now_ms)
{
    int64_t wait_ms = -1;
    bool is_taken =
        sender_rate_take(rate, sender, count, RATE, now_ms, &wait_ms);

    assert_int_equal(is_taken, wait_ms == 0);
    return wait_ms;
}

static void so_many_are_taken_a_second(void **state)
{
    uint64_t sender = client(*state, "192.0.2.1");

    for (int i = 0; i < RATE; i++) {
        assert_int_equal(take_at(*state, sender, 1, 5000), 0);
    }
    assert_int_equal(take_at(*state, sender, 1, 5000), 250);
    assert_int_equal(take_at(*state, sender, 1, 5249), 1);
    assert_int_equal(take_at(*state, sender, 1, 5250), 0);
    assert_int_equal(take_at(*state, sender, 1, 5250), 250);
    assert_int_equal(take_at(*state, sender, RATE, 6250), 0);
}

static void what_is_refused_does_not_count(void **state)
{
    uint64_t sender = client(*state, "192.0.2.1");

    assert_int_equal(take_at(*state, sender, 3, 5000), 0);
    assert_int_equal(take_at(*state, sender, 2, 5000), 250);
    assert_int_equal(take_at(*state, sender, 1, 5000), 0);
}

/* Ten seconds' worth at once, and then none for nine. */
static void many_are_taken_of_who_owes_nothing(void **state)
{
    uint64_t sender = client(*state, "192.0.2.1");

    assert_int_equal(take_at(*state, sender, 10 * RATE, 5000), 0);
    assert_int_equal(take_at(*state, sender, 1, 5000), 9250);
    assert_int_equal(take_at(*state, sender, 10 * RATE, 14999), 1);
    assert_int_equal(take_at(*state, sender, 10 * RATE, 15000), 0);
}

static void senders_are_told_apart(void **state)
{
    assert_int_equal(take_at(*state, client(*state, "192.0.2.1"), RATE, 5000),
                     0);
    assert_int_not_equal(take_at(*state, client(*state, "192.0.2.1"), 1, 5000),
                         0);
    assert_int_equal(take_at(*state, client(*state, "192.0.2.2"), RATE, 5000),
                     0);
    assert_int_equal(
        take_at(*state, client(*state, "2001:db8:0:1::1"), RATE, 5000), 0);
    assert_int_equal(
        take_at(*state, client(*state, "2001:db8:0:2::1"), RATE, 5000), 0);
    assert_int_equal(
        take_at(*state, sender_rate_of_token(*state, "a"), RATE, 5000), 0);
    assert_int_equal(
        take_at(*state, sender_rate_of_token(*state, "b"), RATE, 5000), 0);
    assert_int_equal(
        take_at(*state, sender_rate_of_source(*state, "a"), RATE, 5000), 0);
}

static void a_network_of_ipv6_is_one_client(void **state)
{
    assert_true(client(*state, "2001:db8:0:1::1") ==
                client(*state, "2001:db8:0:1:ffff::2"));
}

static void no_address_is_one_client(void **state)
{
    const struct lb_ip none = {0};

    assert_true(sender_rate_of_client(*state, &none) ==
                sender_rate_of_client(*state, &none));
}

/* However many others come, who floods stays known. */
static void who_floods_is_not_forgotten(void **state)
{
    uint64_t sender = client(*state, "192.0.2.1");

    assert_int_equal(take_at(*state, sender, 100 * RATE, 5000), 0);
    for (int i = 0; i < 100000; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "token-%d", i);
        assert_int_equal(take_at(*state, sender_rate_of_token(*state, id), 1,
                                 5000 + i / 100),
                         0);
    }
    assert_true(take_at(*state, sender, 1, 6000) > 90000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(so_many_are_taken_a_second),
        TEST(what_is_refused_does_not_count),
        TEST(many_are_taken_of_who_owes_nothing),
        TEST(senders_are_told_apart),
        TEST(a_network_of_ipv6_is_one_client),
        TEST(no_address_is_one_client),
        TEST(who_floods_is_not_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
