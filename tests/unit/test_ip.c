/* test_ip.c - addresses and networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/ip.h"

static void to_hex(const struct lb_ip *ip, char out[40])
{
    out[0] = '\0';
    for (size_t i = 0; i < ip->len; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", (unsigned)ip->bytes[i]);
    }
}

static void an_address_is_read_as_inet_pton_reads_it(void **state)
{
    static const struct {
        const char *text;
        const char *hex; /* "": refused */
    } cases[] = {
        {"192.0.2.1", "c0000201"},
        {"::ffff:192.0.2.1", "c0000201"},
        {"::ffff:c000:201", "c0000201"},
        {"64:ff9b::192.0.2.1", "c0000201"},
        {"64:ff9b:1::1", "0064ff9b000100000000000000000001"},
        {"::192.0.2.1", "000000000000000000000000c0000201"},
        {"2002:c000:201::", "2002c000020100000000000000000000"},
        {"2001:db8::1", "20010db8000000000000000000000001"},
        {"::", "00000000000000000000000000000000"},
        {"", ""},
        {"1.2.3", ""},
        {"1.2.3.4.5", ""},
        {"01.2.3.4", ""},
        {"0x7f.0.0.1", ""},
        {"2130706433", ""},
        {"1.2.3.256", ""},
        {"1.2.3.4:56", ""},
        {"[::1]", ""},
        {"fe80::1%eth0", ""},
        {" 1.2.3.4", ""},
        {"1.2.3.4 ", ""},
        {"localhost", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_ip ip;
        char hex[40];
        bool is_read = lb_ip_parse(cases[i].text, &ip);

        to_hex(&ip, hex);
        if (is_read != (cases[i].hex[0] != '\0') ||
            strcmp(hex, cases[i].hex) != 0) {
            fail_msg("\"%s\": %d, %s", cases[i].text, is_read, hex);
        }
    }
}

static void a_socket_address_goes_there_and_back(void **state)
{
    static const char *const texts[] = {"192.0.2.1", "2001:db8::1", "::1"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct sockaddr_storage address;
        struct lb_ip ip;
        struct lb_ip back;

        assert_true(lb_ip_parse(texts[i], &ip));
        lb_ip_to(&ip, &address);
        assert_int_equal(address.ss_family, i == 0 ? AF_INET : AF_INET6);
        assert_true(lb_ip_from((const struct sockaddr *)&address, &back));
        assert_int_equal(lb_ip_compare(&ip, &back), 0);
    }
}

static void a_mapped_socket_address_is_ipv4(void **state)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    struct sockaddr local = {.sa_family = AF_UNIX};
    struct lb_ip ip;

    (void)state;
    assert_int_equal(
        inet_pton(AF_INET6, "::ffff:198.51.100.7", &address.sin6_addr), 1);
    assert_true(lb_ip_from((const struct sockaddr *)&address, &ip));
    assert_int_equal(ip.len, 4);
    assert_memory_equal(ip.bytes, "\xc6\x33\x64\x07", 4);
    assert_false(lb_ip_from(&local, &ip));
    assert_int_equal(ip.len, 0);
}

static void a_network_has_a_first_and_a_last_address(void **state)
{
    static const struct {
        const char *text;
        const char *first; /* "": refused */
        const char *last;
    } cases[] = {
        {"10.0.0.0/8", "0a000000", "0affffff"},
        {"10.1.2.3/8", "0a000000", "0affffff"},
        {"10.1.2.3", "0a010203", "0a010203"},
        {"192.0.2.5/31", "c0000204", "c0000205"},
        {"0.0.0.0/0", "00000000", "ffffffff"},
        {"2001:db8::/33", "20010db8000000000000000000000000",
         "20010db87fffffffffffffffffffffff"},
        {"::/0", "00000000000000000000000000000000",
         "ffffffffffffffffffffffffffffffff"},
        {"::ffff:10.0.0.0/104", "0a000000", "0affffff"},
        {"64:ff9b::/96", "00000000", "ffffffff"},
        {"10.0.0.0/33", "", ""},
        {"10.0.0.0/", "", ""},
        {"10.0.0.0/-1", "", ""},
        {"10.0.0.0/ 8", "", ""},
        {"10.0.0.0/8/8", "", ""},
        {"2001:db8::/129", "", ""},
        {"10/8", "", ""},
        {"", "", ""},
        {"2001:db8:0000:0000:0000:0000:0000:0000:0000:0000:0000/1", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_ip_range range;
        char first[40] = "";
        char last[40] = "";
        bool is_read = lb_ip_parse_range(cases[i].text, &range);

        if (is_read) {
            to_hex(&range.first, first);
            to_hex(&range.last, last);
        }
        if (strcmp(first, cases[i].first) != 0 ||
            strcmp(last, cases[i].last) != 0) {
            fail_msg("\"%s\": %d, %s to %s", cases[i].text, is_read, first,
                     last);
        }
    }
}

static void an_ipv6_network_holds_no_ipv4_address(void **state)
{
    struct lb_ip_range range;
    struct lb_ip ip;

    (void)state;
    assert_true(lb_ip_parse_range("::/0", &range));
    assert_true(lb_ip_parse("10.0.0.1", &ip));
    assert_false(lb_ip_is_within(&ip, &range));
    assert_true(lb_ip_parse("2001:db8::1", &ip));
    assert_true(lb_ip_is_within(&ip, &range));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_read_as_inet_pton_reads_it),
        cmocka_unit_test(a_socket_address_goes_there_and_back),
        cmocka_unit_test(a_mapped_socket_address_is_ipv4),
        cmocka_unit_test(a_network_has_a_first_and_a_last_address),
        cmocka_unit_test(an_ipv6_network_holds_no_ipv4_address),
    };

    return cmocka_run_group_tests_name("ip", tests, NULL, NULL);
}
