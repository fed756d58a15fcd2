/* test_mmdb_writer.c - databases that are written, read back by the library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "geo/geo.h"
#include "geo/mmdb_writer.h"
#include "tests/support/temp_dir.h"

static const struct mmdb_writer_about about = {
    "linkbell-Country", "countries for a test", "https://example.com/",
    "CC0-1.0", INT64_C(1782361239000)};

struct fixture {
    struct mmdb_writer *writer;
    struct lb_buf bytes;
    char dir[TEMP_DIR_BYTES];
    struct geo *geo;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof(fixture));
    fixture.writer = mmdb_writer_new();
    assert_non_null(fixture.writer);
    lb_buf_init(&fixture.bytes, (size_t)16 * 1024 * 1024);
    temp_dir_make(fixture.dir);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    geo_close(fixture->geo);
    mmdb_writer_free(fixture->writer);
    lb_buf_deinit(&fixture->bytes);
    temp_dir_remove(fixture->dir);
    return 0;
}

static struct lb_ip ip_of(const char *text)
{
    struct lb_ip ip;

    assert_true(lb_ip_parse(text, &ip));
    return ip;
}

static void add(struct fixture *fixture,
                const char *first,
                const char *last,
                const char *country)
{
    const struct lb_ip_range range = {ip_of(first), ip_of(last)};

    assert_int_equal(mmdb_writer_add(fixture->writer, &range, country), LB_OK);
}

static void finish(struct fixture *fixture)
{
    char path[TEMP_DIR_BYTES + 16];
    const char *const paths[] = {path};
    struct lb_error err = {LB_OK, ""};
    FILE *file;

    assert_int_equal(
        mmdb_writer_finish(fixture->writer, &about, &fixture->bytes), LB_OK);
    (void)snprintf(path, sizeof(path), "%s/out.mmdb", fixture->dir);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(
        fwrite(lb_buf_text(&fixture->bytes), 1, fixture->bytes.len, file),
        fixture->bytes.len);
    assert_int_equal(fclose(file), 0);
    if (geo_open(paths, 1, GEO_CHECK_TYPE, &fixture->geo, &err) != LB_OK) {
        fail_msg("%s", err.text);
    }
}

static void
check(struct fixture *fixture, const char *address, const char *code)
{
    struct sockaddr_storage socket_address;
    struct lb_ip ip = ip_of(address);
    struct geo_place place;

    lb_ip_to(&ip, &socket_address);
    assert_int_not_equal(geo_find(fixture->geo,
                                  (const struct sockaddr *)&socket_address,
                                  &place),
                         LB_EFORMAT);
    if (strcmp(place.country, code) != 0) {
        fail_msg("%s is in \"%s\", not \"%s\"", address, place.country, code);
    }
}

static void ranges_of_any_length_come_back(void **state)
{
    struct fixture *fixture = *state;

    add(fixture, "1.0.0.0", "1.0.0.255", "AU");
    add(fixture, "1.0.1.1", "1.0.3.254", "CN");
    add(fixture, "5.0.0.0", "5.0.0.0", "DE");
    add(fixture, "200.0.0.0", "223.255.255.255", "BR");
    add(fixture, "2001:200::", "2001:200:ffff:ffff:ffff:ffff:ffff:ffff", "JP");
    add(fixture, "2a00::1", "2a00::1", "FR");
    finish(fixture);
    check(fixture, "1.0.0.0", "AU");
    check(fixture, "1.0.0.255", "AU");
    check(fixture, "1.0.1.0", "");
    check(fixture, "1.0.1.1", "CN");
    check(fixture, "1.0.2.0", "CN");
    check(fixture, "1.0.3.254", "CN");
    check(fixture, "1.0.3.255", "");
    check(fixture, "4.255.255.255", "");
    check(fixture, "5.0.0.0", "DE");
    check(fixture, "5.0.0.1", "");
    check(fixture, "199.255.255.255", "");
    check(fixture, "223.255.255.255", "BR");
    check(fixture, "2001:1ff:ffff::", "");
    check(fixture, "2001:200::", "JP");
    check(fixture, "2001:200:ffff:ffff:ffff:ffff:ffff:ffff", "JP");
    check(fixture, "2001:201::", "");
    check(fixture, "2a00::", "");
    check(fixture, "2a00::1", "FR");
    check(fixture, "2a00::2", "");
}

static void a_later_range_wins(void **state)
{
    struct fixture *fixture = *state;

    add(fixture, "8.0.0.0", "8.255.255.255", "US");
    add(fixture, "8.8.0.0", "8.8.255.255", "CA");
    add(fixture, "8.8.8.8", "8.8.8.8", "MX");
    add(fixture, "9.1.0.0", "9.1.255.255", "FR");
    add(fixture, "9.0.0.0", "9.255.255.255", "DE");
    finish(fixture);
    check(fixture, "8.7.255.255", "US");
    check(fixture, "8.8.0.0", "CA");
    check(fixture, "8.8.8.7", "CA");
    check(fixture, "8.8.8.8", "MX");
    check(fixture, "8.8.8.9", "CA");
    check(fixture, "8.9.0.0", "US");
    check(fixture, "9.1.2.3", "DE");
}

static void neighbours_of_one_country_become_one_network(void **state)
{
    struct fixture *fixture = *state;
    struct lb_ip_range range;

    for (unsigned i = 0; i < 256; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "11.%u.0.0/16", i);
        assert_true(lb_ip_parse_range(text, &range));
        assert_int_equal(mmdb_writer_add(fixture->writer, &range, "US"), LB_OK);
    }
    finish(fixture);
    assert_int_equal(geo_file_at(fixture->geo, 0).node_count, 104);
    check(fixture, "11.0.0.0", "US");
    check(fixture, "11.255.255.255", "US");
    check(fixture, "12.0.0.0", "");
}

static void all_addresses_may_be_of_one_country(void **state)
{
    struct fixture *fixture = *state;

    add(fixture, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "FR");
    finish(fixture);
    check(fixture, "1.1.1.1", "FR");
    check(fixture, "fbff::", "FR");
    assert_int_equal(geo_file_at(fixture->geo, 0).node_count, 1);
}

static void an_empty_database_can_be_read(void **state)
{
    struct fixture *fixture = *state;

    finish(fixture);
    check(fixture, "1.1.1.1", "");
    check(fixture, "2a00::1", "");
}

static void the_metadata_says_what_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct geo_file file;

    add(fixture, "5.0.0.0", "5.0.0.0", "DE");
    finish(fixture);
    file = geo_file_at(fixture->geo, 0);
    assert_string_equal(file.type, "linkbell-Country");
    assert_int_equal(file.built_at_ms, about.built_at_ms);
    assert_int_equal(file.ip_version, 6);
    assert_non_null(memmem(fixture->bytes.data, fixture->bytes.len,
                           "https://example.com/", 20));
    assert_non_null(
        memmem(fixture->bytes.data, fixture->bytes.len, "CC0-1.0", 7));
}

static void a_range_of_mixed_or_turned_ends_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const struct lb_ip_range mixed = {ip_of("1.1.1.1"), ip_of("2a00::1")};
    const struct lb_ip_range turned = {ip_of("1.1.1.2"), ip_of("1.1.1.1")};
    const struct lb_ip_range none = {{0, {0}}, {0, {0}}};

    assert_int_equal(mmdb_writer_add(fixture->writer, &mixed, "FR"), LB_EINVAL);
    assert_int_equal(mmdb_writer_add(fixture->writer, &turned, "FR"),
                     LB_EINVAL);
    assert_int_equal(mmdb_writer_add(fixture->writer, &none, "FR"), LB_EINVAL);
}

static void a_buffer_that_is_too_small_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct lb_buf small;

    lb_buf_init(&small, 100);
    assert_int_equal(mmdb_writer_finish(fixture->writer, &about, &small),
                     LB_ELIMIT);
    lb_buf_deinit(&small);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ranges_of_any_length_come_back),
        TEST(a_later_range_wins),
        TEST(neighbours_of_one_country_become_one_network),
        TEST(all_addresses_may_be_of_one_country),
        TEST(an_empty_database_can_be_read),
        TEST(the_metadata_says_what_it_is),
        TEST(a_range_of_mixed_or_turned_ends_is_refused),
        TEST(a_buffer_that_is_too_small_is_an_error),
    };

    return cmocka_run_group_tests_name("mmdb_writer", tests, NULL, NULL);
}
