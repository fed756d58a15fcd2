/* test_source.c - campaign, referrer, source and channel against tables of
 * cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "base/arena.h"
#include "ingest/channel.h"
#include "ingest/source.h"
#include "ingest/utm.h"
#include "tests/support/cases.h"

#define ARENA_BYTES ((size_t)1024 * 1024)

static int
compare(const char *name, const char *what, const char *want, const char *got)
{
    if ((want == NULL && got == NULL) ||
        (want != NULL && got != NULL && strcmp(want, got) == 0)) {
        return 0;
    }
    print_error("%s: %s is %s, not %s\n", name, what,
                got == NULL ? "absent" : got, want == NULL ? "absent" : want);
    return 1;
}

static int check_utm_case(const cJSON *row)
{
    struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
    const cJSON *expect = cJSON_GetObjectItemCaseSensitive(row, "expect");
    const char *name = cases_text(row, "name");
    const char *url = cases_text(row, "url");
    struct utm utm;
    int faults = 0;

    assert_non_null(arena);
    assert_int_equal(utm_read_url(url, strlen(url), false, arena, &utm), LB_OK);
    for (int i = 0; i < UTM_KEY_COUNT; i++) {
        const char *key = utm_key_name((enum utm_key)i);

        faults += compare(name, key, cases_text(expect, key), utm.value[i]);
    }
    faults += compare(name, "click_id", cases_text(expect, "click_id"),
                      utm.click_id == NULL ? NULL : utm.click_id->name);
    lb_arena_free(arena);
    return faults;
}

static void campaign_parameters_follow_the_table_of_cases(void **state)
{
    cJSON *cases = cases_load("utm_cases.json");
    const cJSON *row;
    int faults = 0;

    (void)state;
    cJSON_ArrayForEach (row, cases) {
        faults += check_utm_case(row);
    }
    assert_int_equal(cJSON_GetArraySize(cases), 75);
    assert_int_equal(faults, 0);
    cJSON_Delete(cases);
}

struct attribution {
    const char *source;
    const char *channel;
    const char *stored;
};

static void attribute(const struct source_table *table,
                      struct lb_arena *arena,
                      const char *referrer,
                      const char *url,
                      const struct source_self *self_without_url,
                      struct attribution *out)
{
    struct source_self self = *self_without_url;
    struct source_referrer read;
    struct source_verdict verdict;
    struct utm utm;

    assert_int_equal(utm_read_url(url, strlen(url), false, arena, &utm), LB_OK);
    assert_int_equal(source_url_host(url, strlen(url), arena, &self.url_host),
                     LB_OK);
    assert_int_equal(source_read_referrer(table, referrer, strlen(referrer),
                                          &self, arena, &read),
                     LB_OK);
    assert_int_equal(source_decide(table, &utm, &read, arena, &verdict), LB_OK);
    out->source = verdict.name;
    out->channel = channel_decide(&utm, &verdict);
    out->stored = read.stored;
}

static void sources_and_channels_follow_the_table_of_cases(void **state)
{
    struct source_table *table = source_table_new();
    cJSON *cases = cases_load("source_cases.json");
    const cJSON *row;
    int faults = 0;

    (void)state;
    assert_non_null(table);
    cJSON_ArrayForEach (row, cases) {
        struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
        const char *hosts[8];
        struct source_self self = {NULL, "alice.bio", hosts, 0};
        const char *referrer = cases_text(row, "referrer");
        struct attribution got;
        const cJSON *host;

        cJSON_ArrayForEach (
            host, cJSON_GetObjectItemCaseSensitive(row, "site_hosts")) {
            hosts[self.host_count++] = host->valuestring;
        }
        referrer = referrer == NULL ? "" : referrer;
        attribute(table, arena, referrer, cases_text(row, "url"), &self, &got);
        faults +=
            compare(referrer, "source", cases_text(row, "source"), got.source);
        faults += compare(referrer, "channel", cases_text(row, "channel"),
                          got.channel);
        lb_arena_free(arena);
    }
    assert_int_equal(cJSON_GetArraySize(cases), 125);
    assert_int_equal(faults, 0);
    cJSON_Delete(cases);
    source_table_free(table);
}

/* Without a campaign the source's category alone decides. */
static void an_untagged_event_has_its_sources_channel(void **state)
{
    static const char *const rows[][2] = {
        {"https://www.google.com/", "Organic Search"},
        {"https://t.co/a", "Organic Social"},
        {"https://youtu.be/a", "Organic Video"},
        {"https://www.etsy.com/", "Organic Shopping"},
        {"https://mail.google.com/", "Email"},
        {"https://chatgpt.com/", "AI Assistants"},
        {"https://open.spotify.com/", "Audio"},
        {"https://news.google.com/", "Referral"},
        {"https://somebody.example/", "Referral"},
        {"android-app://com.example.reader", "Referral"},
        {"", "Direct"}};
    struct source_table *table = source_table_new();
    const struct source_self self = {NULL, "alice.bio", NULL, 0};
    (void)state;

    assert_non_null(table);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
        struct attribution got;

        attribute(table, arena, rows[i][0], "https://alice.bio/?a=b", &self,
                  &got);
        assert_int_equal(
            compare(rows[i][0], "channel", rows[i][1], got.channel), 0);
        lb_arena_free(arena);
    }
    source_table_free(table);
}

static void a_stored_referrer_has_no_query_and_no_www(void **state)
{
    static const struct {
        const char *referrer;
        const char *stored;
    } cases[] = {
        {"https://t.co/AbC123?x=1#y", "t.co/AbC123"},
        {"https://www.Example.org/", "example.org"},
        {"https://example.org", "example.org"},
        {"twitter.com", "twitter.com"},
        {"http://u:secret@example.org:81/a/b", "example.org/a/b"},
        {"android-app://com.Example.App/x", "android-app://com.example.app"},
        {"https://alice.bio/x", NULL},
        {"mailto:zoe@example.com", NULL},
        {"zoe@example.com", NULL},
    };
    struct source_table *table = source_table_new();
    struct source_self self = {NULL, "alice.bio", NULL, 0};
    int faults = 0;

    (void)state;
    assert_non_null(table);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
        struct attribution got;

        attribute(table, arena, cases[i].referrer, "", &self, &got);
        faults +=
            compare(cases[i].referrer, "referrer", cases[i].stored, got.stored);
        lb_arena_free(arena);
    }
    assert_int_equal(faults, 0);
    source_table_free(table);
}

static void a_long_referrer_is_cut_at_a_character(void **state)
{
    struct source_table *table = source_table_new();
    struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
    struct source_self self = {NULL, "alice.bio", NULL, 0};
    struct source_referrer read;
    char referrer[600] = "https://example.org/";
    size_t len = strlen(referrer);

    (void)state;
    assert_non_null(table);
    while (len + 2 < sizeof(referrer)) {
        referrer[len++] = (char)0xc3;
        referrer[len++] = (char)0xa9;
    }

    assert_int_equal(
        source_read_referrer(table, referrer, len, &self, arena, &read), LB_OK);

    assert_int_equal(strlen(read.stored), 254);
    assert_int_equal((unsigned char)read.stored[253], 0xa9);
    lb_arena_free(arena);
    source_table_free(table);
}

static void a_given_campaign_beats_the_url(void **state)
{
    struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
    static const char url[] = "/?utm_source=a&utm_medium=B&utm_term=T";
    struct utm utm;

    (void)state;
    assert_int_equal(utm_read_url(url, strlen(url), true, arena, &utm), LB_OK);

    assert_int_equal(utm_set(&utm, UTM_SOURCE, " New%20s ", 9, false, arena),
                     LB_OK);
    assert_int_equal(utm_set(&utm, UTM_TERM, " \t", 2, false, arena), LB_OK);

    assert_string_equal(utm.value[UTM_SOURCE], "new%20s");
    assert_string_equal(utm.value[UTM_MEDIUM], "B");
    assert_string_equal(utm.value[UTM_TERM], "T");
    lb_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(campaign_parameters_follow_the_table_of_cases),
        cmocka_unit_test(sources_and_channels_follow_the_table_of_cases),
        cmocka_unit_test(an_untagged_event_has_its_sources_channel),
        cmocka_unit_test(a_stored_referrer_has_no_query_and_no_www),
        cmocka_unit_test(a_long_referrer_is_cut_at_a_character),
        cmocka_unit_test(a_given_campaign_beats_the_url),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
