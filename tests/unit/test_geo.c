/* test_geo.c - places of addresses, against MaxMind's test databases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/ip.h"
#include "base/metrics.h"
#include "geo/geo.h"
#include "tests/support/mmdb_file.h"
#include "tests/support/temp_dir.h"

#define DATA LINKBELL_TEST_DATA "/mmdb/"
#define CITY DATA "GeoIP2-City-Test.mmdb"

static struct geo *open_file(const char *path, enum geo_check check)
{
    const char *const paths[] = {path};
    struct geo *geo = NULL;
    struct lb_error err = {LB_OK, ""};

    if (geo_open(paths, 1, check, &geo, &err) != LB_OK) {
        fail_msg("%s", err.text);
    }
    return geo;
}

/* As a socket would hand it over: ::ffff:1.2.3.4 stays IPv6. */
static enum lb_err
find(const struct geo *geo, const char *text, struct geo_place *place)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        return geo_find(geo, (const struct sockaddr *)&v4, place);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return geo_find(geo, (const struct sockaddr *)&v6, place);
}

static void a_city_database_gives_country_region_and_city(void **state)
{
    static const struct {
        const char *address;
        const char *country;
        const char *region;
        const char *city;
    } cases[] = {
        {"81.2.69.160", "GB", "GB-ENG", "London"},
        {"::ffff:81.2.69.160", "GB", "GB-ENG", "London"},
        {"64:ff9b::81.2.69.160", "GB", "GB-ENG", "London"},
        {"2002:5102:45a0::1", "GB", "GB-ENG", "London"},
        {"2.125.160.216", "GB", "GB-ENG", "Boxford"},
        {"216.160.83.56", "US", "US-WA", "Milton"},
        {"89.160.20.112", "SE", "SE-E", "Linköping"},
        {"175.16.199.1", "CN", "CN-22", "Changchun"},
        {"67.43.156.1", "BT", "", ""},
        {"202.196.224.1", "PH", "", ""},
        {"2001:218::1", "JP", "", ""},
        {"2001:480:10::1", "US", "US-CA", "San Diego"},
        {"2a02:d500::1", "", "", ""},
        {"10.0.0.1", "", "", ""},
        {"8.8.4.4", "", "", ""},
    };
    struct geo *geo = open_file(CITY, GEO_CHECK_TYPE);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct geo_place place;
        enum lb_err rc = find(geo, cases[i].address, &place);

        if (strcmp(place.country, cases[i].country) != 0 ||
            strcmp(place.region, cases[i].region) != 0 ||
            strcmp(place.city, cases[i].city) != 0 ||
            rc != (cases[i].country[0] == '\0' ? LB_ENOTFOUND : LB_OK)) {
            fail_msg("%s: %s \"%s\" \"%s\" \"%s\"", cases[i].address,
                     lb_err_name(rc), place.country, place.region, place.city);
        }
    }
    geo_close(geo);
}

static void a_country_database_gives_the_country_alone(void **state)
{
    struct geo *geo =
        open_file(DATA "GeoIP2-Country-Test.mmdb", GEO_CHECK_TYPE);
    struct geo_place place;

    (void)state;
    assert_int_equal(find(geo, "81.2.69.160", &place), LB_OK);
    assert_string_equal(place.country, "GB");
    assert_string_equal(place.region, "");
    assert_string_equal(place.city, "");
    geo_close(geo);
}

/* The edges of each range, with a database that knows every address. */
static void special_addresses_have_no_place(void **state)
{
    static const struct {
        const char *address;
        bool is_special;
    } cases[] = {
        {"0.255.255.255", true},
        {"1.0.0.0", false},
        {"9.255.255.255", false},
        {"10.0.0.0", true},
        {"10.255.255.255", true},
        {"11.0.0.0", false},
        {"100.63.255.255", false},
        {"100.64.0.0", true},
        {"100.127.255.255", true},
        {"100.128.0.0", false},
        {"127.0.0.1", true},
        {"128.0.0.0", false},
        {"169.254.0.1", true},
        {"169.255.0.0", false},
        {"172.15.255.255", false},
        {"172.16.0.0", true},
        {"172.31.255.255", true},
        {"172.32.0.0", false},
        {"192.0.0.255", true},
        {"192.0.1.0", false},
        {"192.0.2.1", true},
        {"192.0.3.0", false},
        {"192.168.255.255", true},
        {"192.169.0.0", false},
        {"198.17.255.255", false},
        {"198.18.0.0", true},
        {"198.19.255.255", true},
        {"198.20.0.0", false},
        {"198.51.100.1", true},
        {"198.51.101.0", false},
        {"203.0.113.1", true},
        {"203.0.114.0", false},
        {"223.255.255.255", false},
        {"224.0.0.0", true},
        {"255.255.255.255", true},
        {"::", true},
        {"::1", true},
        {"::2", false},
        {"fbff::1", false},
        {"fc00::1", true},
        {"fdff::1", true},
        {"fe80::1", true},
        {"febf::1", true},
        {"ff02::1", true},
        {"2001:db7::1", false},
        {"2001:db8::1", true},
        {"2001:db9::1", false},
        {"100::1", true},
        {"100:0:0:1::", false},
        {"::ffff:10.0.0.1", true},
        {"64:ff9b::10.0.0.1", true},
        {"2002:a00:1::", true},
        {"2002:b00:1::", false},
    };
    char dir[TEMP_DIR_BYTES];
    char path[TEMP_DIR_BYTES + 16];
    struct geo *geo;

    (void)state;
    temp_dir_make(dir);
    (void)snprintf(path, sizeof(path), "%s/all.mmdb", dir);
    mmdb_file_write(path, "FR");
    geo = open_file(path, GEO_CHECK_TYPE);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct geo_place place;
        enum lb_err rc = find(geo, cases[i].address, &place);

        if (rc != (cases[i].is_special ? LB_ENOTFOUND : LB_OK)) {
            fail_msg("%s: %s %s", cases[i].address, lb_err_name(rc),
                     place.country);
        }
    }
    geo_close(geo);
    temp_dir_remove(dir);
}

static void a_file_that_is_broken_is_refused_with_its_name(void **state)
{
    static const char *const files[] = {
        "bad/libmaxminddb-metadata-marker-only.mmdb",
        "bad/libmaxminddb-offset-integer-overflow.mmdb",
        "bad/cyclic-data-structure.mmdb",
        "bad/invalid-bytes-length.mmdb",
        "bad/invalid-data-record-offset.mmdb",
        "bad/invalid-map-key-length.mmdb",
        "bad/invalid-string-length.mmdb",
        "bad/metadata-is-an-uint128.mmdb",
        "bad/unexpected-bytes.mmdb",
        "GeoIP2-City-Test-Invalid-Node-Count.mmdb",
        "README.md",
        "bad",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[4096];
        const char *const paths[] = {path};
        struct geo *geo = NULL;
        struct lb_error err = {LB_OK, ""};
        int64_t before = lb_metrics_value(lb_metrics_get(
            LB_METRIC_COUNTER, "linkbell_geo_errors_total", "", ""));

        (void)snprintf(path, sizeof(path), DATA "%s", files[i]);
        if (geo_open(paths, 1, GEO_CHECK_TYPE, &geo, &err) != LB_EFORMAT ||
            geo != NULL || strstr(err.text, "mmdb") == NULL) {
            geo_close(geo);
            fail_msg("%s: %s", files[i], err.text);
        }
        assert_int_equal(
            lb_metrics_value(lb_metrics_get(
                LB_METRIC_COUNTER, "linkbell_geo_errors_total", "", "")),
            before + 1);
    }
}

static void a_file_of_another_kind_is_refused(void **state)
{
    static const char *const files[] = {
        "bad/libmaxminddb-deep-nesting.mmdb",
        "bad/libmaxminddb-deep-array-nesting.mmdb",
        "bad/libmaxminddb-oversized-array.mmdb",
        "bad/libmaxminddb-oversized-map.mmdb",
        "bad/libmaxminddb-separator-record-max-left.mmdb",
        "bad/libmaxminddb-separator-record-min-left.mmdb",
        "bad/libmaxminddb-separator-record-min-right.mmdb",
        "bad/libmaxminddb-corrupt-search-tree.mmdb",
        "bad/libmaxminddb-empty-array-last-in-metadata.mmdb",
        "bad/libmaxminddb-empty-map-last-in-metadata.mmdb",
        "bad/libmaxminddb-uint64-max-epoch.mmdb",
        "bad/bad-unicode-in-map-key.mmdb",
        "MaxMind-DB-no-ipv4-search-tree.mmdb",
        "MaxMind-DB-string-value-entries.mmdb",
    };
    static const char *const addresses[] = {
        "1.1.1.1",     "1.1.1.32", "8.8.8.8",      "200.1.2.3",
        "2001:218::1", "2a00::1",  "::1:ffff:ffff"};

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[4096];
        const char *const paths[] = {path};
        struct geo *geo = NULL;
        struct lb_error err = {LB_OK, ""};

        (void)snprintf(path, sizeof(path), DATA "%s", files[i]);
        if (geo_open(paths, 1, GEO_CHECK_TYPE, &geo, &err) != LB_EFORMAT ||
            strstr(err.text, "holds no countries") == NULL) {
            geo_close(geo);
            fail_msg("%s: %s", files[i], err.text);
        }
        /* Were it taken all the same, no address would have a place. */
        geo = open_file(path, GEO_CHECK_NOTHING);
        for (size_t at = 0; at < sizeof(addresses) / sizeof(addresses[0]);
             at++) {
            struct geo_place place;

            if (find(geo, addresses[at], &place) == LB_OK ||
                place.country[0] != '\0') {
                fail_msg("%s: %s is in \"%s\"", files[i], addresses[at],
                         place.country);
            }
        }
        geo_close(geo);
    }
}

static void a_build_date_beyond_all_years_is_held_within(void **state)
{
    struct geo *geo = open_file(DATA "bad/libmaxminddb-uint64-max-epoch.mmdb",
                                GEO_CHECK_NOTHING);

    (void)state;
    assert_int_equal(geo_file_at(geo, 0).built_at_ms, INT64_C(253402300799000));
    geo_close(geo);
}

static void a_broken_field_leaves_the_others_readable(void **state)
{
    struct geo *geo = open_file(
        DATA "GeoIP2-City-Test-Broken-Double-Format.mmdb", GEO_CHECK_TYPE);
    struct geo_place place;

    (void)state;
    assert_int_not_equal(find(geo, "81.2.69.160", &place), LB_EINVAL);
    assert_string_equal(place.country, "GB");
    geo_close(geo);
}

static void the_first_file_that_knows_an_address_answers(void **state)
{
    const char *const paths[] = {DATA "GeoIP2-Country-Test.mmdb", CITY};
    struct geo *geo = NULL;
    struct geo_place place;
    struct lb_error err;

    (void)state;
    assert_int_equal(geo_open(paths, 2, GEO_CHECK_TYPE, &geo, &err), LB_OK);
    assert_int_equal(geo_file_count(geo), 2);
    assert_string_equal(geo_file_at(geo, 0).type, "GeoIP2-Country");
    assert_string_equal(geo_file_at(geo, 1).type, "GeoIP2-City");
    assert_int_equal(find(geo, "81.2.69.160", &place), LB_OK);
    assert_string_equal(place.city, "");
    geo_close(geo);
}

static void a_missing_file_is_named(void **state)
{
    const char *const paths[] = {CITY, DATA "none.mmdb"};
    struct geo *geo = NULL;
    struct lb_error err;

    (void)state;
    assert_int_equal(geo_open(paths, 2, GEO_CHECK_TYPE, &geo, &err), LB_ENOENT);
    assert_null(geo);
    assert_non_null(strstr(err.text, "none.mmdb"));
    assert_int_equal(geo_open(paths, 0, GEO_CHECK_TYPE, &geo, &err), LB_EINVAL);
}

/* Cutting a mapped file would end the process at the next look-up. */
static void a_file_may_be_cut_while_it_is_open(void **state)
{
    char dir[TEMP_DIR_BYTES];
    char path[TEMP_DIR_BYTES + 16];
    struct geo_place place;
    struct geo *geo;

    (void)state;
    temp_dir_make(dir);
    (void)snprintf(path, sizeof(path), "%s/all.mmdb", dir);
    mmdb_file_write(path, "FR");
    geo = open_file(path, GEO_CHECK_TYPE);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(find(geo, "1.1.1.1", &place), LB_OK);
    assert_string_equal(place.country, "FR");
    geo_close(geo);
    temp_dir_remove(dir);
}

static void another_family_is_no_address(void **state)
{
    struct sockaddr address = {.sa_family = AF_UNIX};
    struct geo *geo = open_file(CITY, GEO_CHECK_TYPE);
    struct geo_place place;

    (void)state;
    assert_int_equal(geo_find(geo, &address, &place), LB_EINVAL);
    assert_string_equal(place.country, "");
    geo_close(geo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_city_database_gives_country_region_and_city),
        cmocka_unit_test(a_country_database_gives_the_country_alone),
        cmocka_unit_test(special_addresses_have_no_place),
        cmocka_unit_test(a_file_that_is_broken_is_refused_with_its_name),
        cmocka_unit_test(a_file_of_another_kind_is_refused),
        cmocka_unit_test(a_build_date_beyond_all_years_is_held_within),
        cmocka_unit_test(a_broken_field_leaves_the_others_readable),
        cmocka_unit_test(the_first_file_that_knows_an_address_answers),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(a_file_may_be_cut_while_it_is_open),
        cmocka_unit_test(another_family_is_no_address),
    };

    return cmocka_run_group_tests_name("geo", tests, NULL, NULL);
}
