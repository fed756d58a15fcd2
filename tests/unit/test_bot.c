/* test_bot.c - the list of crawlers: every row where it may and may not stand,
 * and real user agents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/bot.h"
#include "tests/support/cases.h"

#define PERSON                                                                 \
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, "    \
    "like Gecko) Chrome/126.0.0.0 Safari/537.36"

static int set_up(void **state)
{
    *state = bot_list_new();
    assert_non_null(*state);
    return 0;
}

static int tear_down(void **state)
{
    bot_list_free(*state);
    return 0;
}

static struct bot_verdict judge(void **state, const char *text)
{
    return bot_judge(*state, text, strlen(text));
}

static void expect(void **state, const char *text, enum entry_traffic traffic)
{
    struct bot_verdict got = judge(state, text);

    if (got.traffic != traffic) {
        fail_msg("%s: %s", text, entry_traffic_name(got.traffic));
    }
}

static void all_cases_of_the_data_come_out(void **state)
{
    cJSON *cases = cases_load("user_agents.json");
    const cJSON *row;
    int count = 0;

    cJSON_ArrayForEach (row, cases) {
        enum entry_traffic want;

        assert_true(entry_traffic_from_name(cases_text(row, "class"), &want));
        if (cases_text(row, "method") == NULL && want != ENTRY_PREFETCH) {
            expect(state, cases_text(row, "user_agent"), want);
            count++;
        }
    }
    assert_int_equal(count, 81);
    cJSON_Delete(cases);
}

static void no_real_visitor_is_taken_for_a_machine(void **state)
{
    char *text = cases_read("real_agents.txt");
    char *rest = text;
    int count = 0;

    for (char *line = strsep(&rest, "\n"); rest != NULL;
         line = strsep(&rest, "\n")) {
        expect(state, line, ENTRY_HUMAN);
        count++;
    }
    assert_int_equal(count, 159);
    free(text);
}

/* A user agent that a row matches, or, is_out_of_place, one that holds its text
 * and is kept from matching by its place alone. */
static void
write_agent(const struct bot_row *row, bool is_out_of_place, char out[256])
{
    const char *text = row->text;

    switch (row->where) {
    case BOT_ANYWHERE:
        (void)snprintf(out, 256, "Zz %s zz", text);
        break;
    case BOT_BEGIN:
        (void)snprintf(out, 256, "%s%s zz", is_out_of_place ? "Zz " : "", text);
        break;
    case BOT_END:
        (void)snprintf(out, 256, "Zz %s%s", text, is_out_of_place ? " zz" : "");
        break;
    case BOT_WORD:
        (void)snprintf(out, 256, "Zz%s%s", is_out_of_place ? "z" : " ", text);
        break;
    case BOT_NO_HYPHEN:
        (void)snprintf(out, 256, "Zz %s%s", text, is_out_of_place ? "-z" : "");
        break;
    case BOT_THEN:
        (void)snprintf(out, 256, "Zz %s zz %s",
                       is_out_of_place ? row->second : text,
                       is_out_of_place ? text : row->second);
        break;
    case BOT_VERSION_THEN:
        (void)snprintf(out, 256, "Zz %s%s%s zz", text,
                       is_out_of_place ? "1." : "1.23", row->second);
        break;
    }
}

static bool has_entry(uint32_t hash)
{
    for (size_t i = 0; i < bot_row_count(); i++) {
        if (bot_entry_hash(bot_row_entry(bot_row_at(i))) == hash) {
            return true;
        }
    }
    return false;
}

static void every_row_matches_in_its_place(void **state)
{
    for (size_t i = 0; i < bot_row_count(); i++) {
        const struct bot_row *row = bot_row_at(i);
        struct bot_verdict got;
        char text[256];

        if (bot_row_override(row) == BOT_DROP) {
            continue;
        }
        write_agent(row, false, text);
        got = judge(state, text);
        /* Another row may match, too, but it is one of the list. */
        if (got.traffic == ENTRY_HUMAN || !has_entry(got.entry) ||
            (row->is_preview && got.traffic != ENTRY_PREVIEW)) {
            fail_msg("%s: %s", text, entry_traffic_name(got.traffic));
        }
    }
}

static void a_text_out_of_its_place_is_noted_only(void **state)
{
    int count = 0;

    for (size_t i = 0; i < bot_row_count(); i++) {
        const struct bot_row *row = bot_row_at(i);
        struct bot_verdict got;
        char text[256 + sizeof(PERSON)];

        if (row->where == BOT_ANYWHERE) {
            continue;
        }
        (void)snprintf(text, sizeof(text), "%s ", PERSON);
        write_agent(row, true, text + sizeof(PERSON));
        got = judge(state, text);
        if (got.entry == 0) {
            fail_msg("%s: no entry", text);
        }
        count += got.traffic == ENTRY_HUMAN ? 1 : 0;
    }
    assert_true(count > 10);
}

static void patterns_with_a_condition_look_at_it(void **state)
{
    static const struct {
        const char *text;
        enum entry_traffic traffic;
    } cases[] = {
        {PERSON " AdsBot-Google", ENTRY_BOT},
        {PERSON " AdsBot-Google (+x)", ENTRY_BOT},
        {PERSON " AdsBot-Google-x", ENTRY_HUMAN},
        {PERSON " AdsBot-Google-x AdsBot-Google", ENTRY_BOT},
        {PERSON " sentry/1", ENTRY_BOT},
        {PERSON "-sentry/1", ENTRY_HUMAN},
        {"sentry/1", ENTRY_BOT},
        {PERSON " PTST/1", ENTRY_BOT},
        {PERSON "_PTST/1", ENTRY_HUMAN},
        {PERSON " BlogTraffic/1.4 Feed-Fetcher", ENTRY_BOT},
        {PERSON " BlogTraffic/1.42 Feed-Fetcher", ENTRY_BOT},
        {PERSON " BlogTraffic/11.4 Feed-Fetcher", ENTRY_HUMAN},
        {PERSON " BlogTraffic/1. Feed-Fetcher", ENTRY_HUMAN},
        {PERSON " BlogTraffic/1.4  Feed-Fetcher", ENTRY_HUMAN},
        {PERSON " BlogTraffic/1", ENTRY_HUMAN},
        {PERSON " BlogTraffic/1.4 Feed-Fetche", ENTRY_HUMAN},
        {PERSON " SSL Labs", ENTRY_BOT},
        {PERSON " SSL Labs ", ENTRY_HUMAN},
        {PERSON " curl/8", ENTRY_HUMAN},
        {"curl/8 Mozilla/", ENTRY_BOT},
        {PERSON " Current x RSS Reader", ENTRY_BOT},
        {PERSON " CurrentRSS Reader", ENTRY_BOT},
        {PERSON " RSS Reader Current", ENTRY_HUMAN},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect(state, cases[i].text, cases[i].traffic);
    }
}

static void an_entry_that_names_a_browser_does_not_count(void **state)
{
    static const struct {
        const char *text;
        enum entry_traffic traffic;
        const char *entry;
    } cases[] = {
        {PERSON " Viber", ENTRY_HUMAN, "Viber"},
        {"Viber", ENTRY_PREVIEW, "Viber"},
        {"Viber Mozilla/5.0", ENTRY_PREVIEW, "Viber"},
        {PERSON " Notion/1.0", ENTRY_HUMAN, "Notion/"},
        {"Notion/1.0 (https://notion.so)", ENTRY_PREVIEW, "Notion/"},
        {PERSON " Tumblr/14.0", ENTRY_HUMAN, "Tumblr/"},
        {"Tumblr/14.0.835.186", ENTRY_PREVIEW, "Tumblr/"},
        {PERSON " Bluesky/1", ENTRY_HUMAN, "Bluesky/"},
        {"Bluesky/1", ENTRY_PREVIEW, "Bluesky/"},
        {PERSON " AP3A.240617.008", ENTRY_HUMAN, "AP3A.240617.008"},
        {PERSON " MetaIAB Facebook", ENTRY_HUMAN, "MetaIAB Facebook"},
        {"x AP3A.240617.008", ENTRY_BOT, BOT_ENTRY_NO_BROWSER},
        {PERSON " Viber bingbot", ENTRY_BOT, "bingbot"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bot_verdict got = judge(state, cases[i].text);

        if (got.traffic != cases[i].traffic ||
            got.entry != bot_entry_hash(cases[i].entry)) {
            fail_msg("%s: %s", cases[i].text, entry_traffic_name(got.traffic));
        }
    }
}

static void a_preview_wins_over_a_crawler(void **state)
{
    struct bot_verdict got =
        judge(state, PERSON " facebookexternalhit/1.1 Facebot Googlebot/2.1");

    assert_int_equal(got.traffic, ENTRY_PREVIEW);
    assert_true(has_entry(got.entry));
}

static void of_several_entries_the_first_of_the_list_is_kept(void **state)
{
    assert_int_equal(judge(state, PERSON " bingbot Googlebot/").entry,
                     bot_entry_hash("Googlebot/"));
    assert_int_equal(judge(state, PERSON " Googlebot/ bingbot").entry,
                     bot_entry_hash("Googlebot/"));
}

static void only_browsers_leave_mozilla_out(void **state)
{
    static const char *const people[] = {"Opera/9.80 (Windows NT 6.1)",
                                         "BlackBerry9700/5.0.0.423",
                                         "Nokia6300/2.0",
                                         "SAMSUNG-SGH-E250/1.0",
                                         "LG-GC900/V10a",
                                         "MOT-V9mm/00.62",
                                         "SonyEricssonK810i/R1KG",
                                         "Vodafone/1.0/LG-KU990",
                                         "Dalvik/2.1.0 (Linux; U)",
                                         PERSON,
                                         "x Mozilla/5.0"};
    static const char *const machines[] = {"Mozilla",
                                           "mozilla/5.0",
                                           "opera/9.80",
                                           "x Opera/9.80",
                                           "TEST_INTERNET_AGENT",
                                           "x Dalvik/2.1",
                                           " ",
                                           "Safari/604.1"};

    for (size_t i = 0; i < sizeof(people) / sizeof(people[0]); i++) {
        expect(state, people[i], ENTRY_HUMAN);
    }
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        expect(state, machines[i], ENTRY_BOT);
    }
    assert_int_equal(judge(state, "").traffic, ENTRY_BOT);
    assert_int_equal(judge(state, "").entry, bot_entry_hash(BOT_ENTRY_EMPTY));
    assert_int_equal(judge(state, "x").entry,
                     bot_entry_hash(BOT_ENTRY_NO_BROWSER));
    assert_int_equal(judge(state, PERSON).entry, 0);
}

static void
what_stands_behind_the_first_kilobyte_counts_for_nothing(void **state)
{
    char text[2 * BOT_AGENT_BYTES];

    memset(text, 'x', sizeof(text));
    memcpy(text, "Mozilla/", 8);
    memcpy(text + BOT_AGENT_BYTES - 7, "bingbot", 7);
    assert_int_equal(bot_judge(*state, text, sizeof(text)).traffic, ENTRY_BOT);
    memcpy(text + BOT_AGENT_BYTES - 7, "xbingbot", 8);
    assert_int_equal(bot_judge(*state, text, sizeof(text)).traffic,
                     ENTRY_HUMAN);
}

/* The log keeps these numbers: they must stay, and tell entries apart. */
static void hashes_of_entries_are_distinct_and_stay(void **state)
{
    (void)state;
    assert_int_equal(bot_entry_hash(""), UINT32_C(2166136261));
    assert_int_equal(bot_entry_hash("a"), UINT32_C(0xe40c292c));
    assert_int_equal(bot_entry_hash("foobar"), UINT32_C(0xbf9cf968));
    for (size_t i = 0; i < bot_row_count(); i++) {
        const char *entry = bot_row_entry(bot_row_at(i));

        for (size_t j = 0; j < i; j++) {
            const char *other = bot_row_entry(bot_row_at(j));

            if (bot_entry_hash(entry) == bot_entry_hash(other)) {
                assert_string_equal(entry, other);
            }
        }
    }
}

/* An override of an entry that a newer list dropped would do nothing. */
static void every_override_names_an_entry(void **state)
{
    static const struct {
        const char *entry;
        int override;
    } overrides[] = {
#include "ingest/tables/crawler_overrides.inc"
    };
    (void)state;

    for (size_t i = 0; i < sizeof(overrides) / sizeof(overrides[0]); i++) {
        if (!has_entry(bot_entry_hash(overrides[i].entry))) {
            fail_msg("%s is in no list", overrides[i].entry);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_cases_of_the_data_come_out),
        cmocka_unit_test(no_real_visitor_is_taken_for_a_machine),
        cmocka_unit_test(every_row_matches_in_its_place),
        cmocka_unit_test(a_text_out_of_its_place_is_noted_only),
        cmocka_unit_test(patterns_with_a_condition_look_at_it),
        cmocka_unit_test(an_entry_that_names_a_browser_does_not_count),
        cmocka_unit_test(a_preview_wins_over_a_crawler),
        cmocka_unit_test(of_several_entries_the_first_of_the_list_is_kept),
        cmocka_unit_test(only_browsers_leave_mozilla_out),
        cmocka_unit_test(
            what_stands_behind_the_first_kilobyte_counts_for_nothing),
        cmocka_unit_test(hashes_of_entries_are_distinct_and_stay),
        cmocka_unit_test(every_override_names_an_entry),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
