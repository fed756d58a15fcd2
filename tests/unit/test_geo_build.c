/* test_geo_build.c - country databases from lines of ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ip.h"
#include "base/text.h"
#include "geo/geo.h"
#include "geo/geo_build.h"
#include "tests/support/temp_dir.h"

#define PATH_BYTES (TEMP_DIR_BYTES + 16)

struct fixture {
    char dir[TEMP_DIR_BYTES];
    char v4[PATH_BYTES];
    char v6[PATH_BYTES];
    char out[PATH_BYTES];
};

static int set_up(void **state)
{
    static struct fixture fixture;

    temp_dir_make(fixture.dir);
    (void)snprintf(fixture.v4, sizeof(fixture.v4), "%s/v4", fixture.dir);
    (void)snprintf(fixture.v6, sizeof(fixture.v6), "%s/v6", fixture.dir);
    (void)snprintf(fixture.out, sizeof(fixture.out), "%s/out.mmdb",
                   fixture.dir);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    temp_dir_remove(((struct fixture *)*state)->dir);
    return 0;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct geo *open_out(const char *path)
{
    const char *const paths[] = {path};
    struct geo *geo = NULL;
    struct lb_error err = {LB_OK, ""};

    if (geo_open(paths, 1, GEO_CHECK_TYPE, &geo, &err) != LB_OK) {
        fail_msg("%s", err.text);
    }
    return geo;
}

static struct geo_place place_of(const struct geo *geo, const struct lb_ip *ip)
{
    struct sockaddr_storage address;
    struct geo_place place;

    lb_ip_to(ip, &address);
    assert_int_not_equal(
        geo_find(geo, (const struct sockaddr *)&address, &place), LB_EFORMAT);
    return place;
}

static void check(const struct geo *geo, const char *address, const char *code)
{
    struct lb_ip ip;

    assert_true(lb_ip_parse(address, &ip));
    if (strcmp(place_of(geo, &ip).country, code) != 0) {
        fail_msg("%s is in \"%s\", not \"%s\"", address,
                 place_of(geo, &ip).country, code);
    }
}

static void both_files_make_one_database(void **state)
{
    struct fixture *fixture = *state;
    struct geo_build_result result;
    struct lb_error err = {LB_OK, ""};
    struct geo *geo;

    put(fixture->v4, "# Generated: Thu, 25 Jun 2026 04:33:59 GMT\n#\n"
                     "16777216,16777471,AU\n16777472,16777727,??\n"
                     "16777728,16778239,EU\n134744072,134744072,US\n");
    put(fixture->v6, "# Generated: Wed, 24 Jun 2026 04:33:59 GMT\n"
                     "2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP\n"
                     "2001:300::,2001:300::ffff,AN\r\n");
    if (geo_build(fixture->v4, fixture->v6, fixture->out, &result, &err) !=
        LB_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(result.range_count, 3);
    assert_int_equal(result.left_out_count, 3);
    assert_int_equal(result.made_at_ms, INT64_C(1782362039000));
    geo = open_out(fixture->out);
    assert_int_equal(geo_file_at(geo, 0).built_at_ms, result.made_at_ms);
    check(geo, "1.0.0.0", "AU");
    check(geo, "1.0.1.0", "");
    check(geo, "1.0.2.0", "");
    check(geo, "8.8.8.8", "US");
    check(geo, "::ffff:8.8.8.8", "US");
    check(geo, "8.8.8.9", "");
    check(geo, "2001:200::1", "JP");
    check(geo, "2001:300::1", "");
    geo_close(geo);
}

static void a_bad_line_is_named_and_the_old_file_stays(void **state)
{
    static const char *const lines[] = {"16777216,16777471",
                                        "16777216,16777471,AUS",
                                        "a,b,AU",
                                        "16777471,16777216,AU",
                                        "-1,5,AU",
                                        "4294967296,4294967297,AU",
                                        "1.0.0.0,2001:200::,AU"};
    struct fixture *fixture = *state;
    struct geo_build_result result;

    put(fixture->v6, "2001:200::,2001:200::ffff,JP\n");
    put(fixture->out, "old");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct lb_error err = {LB_OK, ""};
        char text[100];
        FILE *file;

        (void)snprintf(text, sizeof(text), "# a comment\n%s\n", lines[i]);
        put(fixture->v4, text);
        if (geo_build(fixture->v4, fixture->v6, fixture->out, &result, &err) !=
                LB_EFORMAT ||
            strstr(err.text, "/v4:2: ") == NULL) {
            fail_msg("%s: %s", lines[i], err.text);
        }
        file = fopen(fixture->out, "re");
        assert_non_null(file);
        assert_non_null(fgets(text, sizeof(text), file));
        assert_string_equal(text, "old");
        assert_int_equal(fclose(file), 0);
    }
}

static void missing_and_empty_files_are_errors(void **state)
{
    struct fixture *fixture = *state;
    struct geo_build_result result;
    struct lb_error err;

    put(fixture->v6, "# nothing\n");
    assert_int_equal(
        geo_build(fixture->v4, fixture->v6, fixture->out, &result, &err),
        LB_ENOENT);
    assert_non_null(strstr(err.text, "tor-geoipdb"));
    put(fixture->v4, "");
    assert_int_equal(
        geo_build(fixture->v4, fixture->v6, fixture->out, &result, &err),
        LB_EFORMAT);
    put(fixture->v4, "16777216,16777471,AU\n");
    assert_int_equal(
        geo_build(fixture->v4, fixture->v6, "/nowhere/out.mmdb", &result, &err),
        LB_ENOENT);
    assert_int_not_equal(access(fixture->out, F_OK), 0);
}

/* --- Debian's own data ---------------------------------------------------- */

static bool read_end(const char *text, struct lb_ip *ip_out)
{
    long long number = 0;

    if (!lb_text_to_int(text, &number)) {
        return lb_ip_parse(text, ip_out);
    }
    *ip_out = (struct lb_ip){
        4,
        {(uint8_t)(number >> 24 & 0xff), (uint8_t)(number >> 16 & 0xff),
         (uint8_t)(number >> 8 & 0xff), (uint8_t)(number & 0xff)}};
    return true;
}

/* Every line's first and last address, against the file it came from. */
static size_t check_file(const struct geo *geo, const char *path)
{
    static const char *const none[] = {"??", "EU", "AP", "AN", "CS", "AB",
                                       "OS", "SU", "UN", "UK", "ZZ"};
    FILE *file = fopen(path, "re");
    char line[256];
    size_t count = 0;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        char *last = strchr(line, ',');
        char *code = last == NULL ? NULL : strchr(last + 1, ',');
        const char *wanted = code;
        struct lb_ip ends[2];

        if (line[0] == '#' || code == NULL) {
            continue;
        }
        *last++ = '\0';
        *code++ = '\0';
        code[strcspn(code, "\r\n")] = '\0';
        wanted = code;
        for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
            wanted = strcmp(code, none[i]) == 0 ? "" : wanted;
        }
        assert_true(read_end(line, &ends[0]) && read_end(last, &ends[1]));
        for (size_t i = 0; i < 2; i++) {
            struct geo_place place = place_of(geo, &ends[i]);

            /* What is for special use has no place, whatever the file says. */
            if (strcmp(place.country, wanted) != 0 &&
                !(place.country[0] == '\0' && ends[i].len == 16 &&
                  (ends[i].bytes[0] == 0x20 && ends[i].bytes[1] == 0x02))) {
                fail_msg("%s to %s: \"%s\", not \"%s\"", line, last,
                         place.country, wanted);
            }
        }
        count++;
    }
    assert_int_equal(fclose(file), 0);
    return count;
}

static void every_range_of_debians_data_gives_its_country(void **state)
{
    static const struct {
        const char *address;
        const char *country;
    } known[] = {
        {"8.8.8.8", "US"},         {"193.0.6.139", "NL"},
        {"202.12.27.33", "JP"},    {"200.160.2.3", "BR"},
        {"196.216.2.6", "ZA"},     {"202.12.29.175", "AU"},
        {"212.27.48.10", "FR"},    {"81.2.69.160", "GB"},
        {"194.25.0.60", "DE"},     {"168.126.63.1", "KR"},
        {"114.114.114.114", "CN"}, {"77.88.8.8", "RU"},
        {"195.186.1.111", "CH"},   {"2001:67c:2e8:22::c100:68b", "NL"},
        {"2a01:e00::2", "FR"},     {"203.0.113.1", ""},
        {"2001:db8::1", ""},
    };
    struct fixture *fixture = *state;
    struct geo_build_result result;
    struct lb_error err = {LB_OK, ""};
    struct geo *geo;

    if (access(GEO_BUILD_IPV4, R_OK) != 0) {
        skip(); /* tor-geoipdb is not installed */
    }
    if (geo_build(GEO_BUILD_IPV4, GEO_BUILD_IPV6, fixture->out, &result,
                  &err) != LB_OK) {
        fail_msg("%s", err.text);
    }
    geo = open_out(fixture->out);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        check(geo, known[i].address, known[i].country);
    }
    assert_int_equal(check_file(geo, GEO_BUILD_IPV4) +
                         check_file(geo, GEO_BUILD_IPV6),
                     result.range_count + result.left_out_count);
    geo_close(geo);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_files_make_one_database),
        TEST(a_bad_line_is_named_and_the_old_file_stays),
        TEST(missing_and_empty_files_are_errors),
        TEST(every_range_of_debians_data_gives_its_country),
    };

    return cmocka_run_group_tests_name("geo_build", tests, NULL, NULL);
}
