/* test_traffic.c - classes and reasons: the order of the rules, and what
 * requests say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/traffic.h"
#include "tests/support/cases.h"

static const struct bot_verdict human = {ENTRY_HUMAN, 5};
static const struct bot_verdict preview = {ENTRY_PREVIEW, 6};
static const struct bot_verdict bot = {ENTRY_BOT, 7};

static void expect(const struct traffic_facts *facts,
                   enum entry_traffic traffic,
                   const char *reason)
{
    struct entry entry = {.traffic = ENTRY_PREFETCH,
                          .text = {[ENTRY_TEXT_REASON] = "old"}};

    traffic_decide(facts, &entry);
    assert_int_equal(entry.traffic, traffic);
    if (reason == NULL) {
        assert_null(entry.text[ENTRY_TEXT_REASON]);
    } else {
        assert_string_equal(entry.text[ENTRY_TEXT_REASON], reason);
    }
    assert_int_equal(entry.bot_entry,
                     facts->verdict == NULL ? 0 : facts->verdict->entry);
}

static void the_first_rule_that_holds_decides(void **state)
{
    struct traffic_facts facts = {{true, true, true}, true, &preview, true};
    (void)state;

    expect(&facts, ENTRY_BOT, "own");
    facts.is_ignored = false;
    expect(&facts, ENTRY_BOT, "own");
    facts.is_ignored = true;
    facts.signs.is_own = false;
    expect(&facts, ENTRY_BOT, "own");
    facts.is_ignored = false;
    expect(&facts, ENTRY_BOT, "head");
    facts.signs.is_head = false;
    expect(&facts, ENTRY_PREFETCH, "prefetch");
    facts.signs.is_prefetch = false;
    expect(&facts, ENTRY_PREVIEW, "preview");
    facts.verdict = &bot;
    expect(&facts, ENTRY_BOT, "ua");
    facts.verdict = &human;
    expect(&facts, ENTRY_BOT, "datacentre");
    facts.verdict = NULL;
    expect(&facts, ENTRY_BOT, "datacentre");
    facts.is_datacentre = false;
    expect(&facts, ENTRY_HUMAN, NULL);
    facts.verdict = &human;
    expect(&facts, ENTRY_HUMAN, NULL);
}

static void the_opt_out_cookie_is_found_among_others(void **state)
{
    static const struct {
        const char *cookie;
        bool is_own;
    } cases[] = {
        {NULL, false},          {"", false},
        {"lb_own=1", true},     {"a=b; lb_own=1; c=d", true},
        {"a=b;lb_own=1", true}, {"lb_own=10", false},
        {"lb_own=0", false},    {"lb_own", false},
        {"xlb_own=1", false},   {"LB_OWN=1", false},
        {"a=lb_own=1", false},  {"a=b; lb_own=0; lb_own=1", true},
        {";;", false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct traffic_fields fields = {.cookie = cases[i].cookie};
        struct traffic_signs signs = traffic_read_signs(&fields, false);

        if (signs.is_own != cases[i].is_own) {
            fail_msg("%s", cases[i].cookie);
        }
        assert_false(signs.is_head || signs.is_prefetch);
    }
}

static void a_prefetch_says_its_purpose(void **state)
{
    static const struct {
        struct traffic_fields fields;
        bool is_prefetch;
    } cases[] = {
        {{0}, false},
        {{.sec_purpose = "prefetch"}, true},
        {{.sec_purpose = "prefetch;prerender"}, true},
        {{.sec_purpose = "PreRender"}, true},
        {{.sec_purpose = "preview"}, false},
        {{.sec_purpose = ""}, false},
        {{.purpose = "prefetch"}, true},
        {{.purpose = "Preview"}, true},
        {{.x_purpose = "preview"}, true},
        {{.x_purpose = "prerender"}, true},
        {{.x_moz = "prefetch"}, true},
        {{.x_moz = "preview"}, false},
        {{.cookie = "prefetch"}, false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct traffic_signs signs =
            traffic_read_signs(&cases[i].fields, false);

        if (signs.is_prefetch != cases[i].is_prefetch) {
            fail_msg("row %zu", i);
        }
    }
    assert_true(traffic_read_signs(&cases[0].fields, true).is_head);
}

static const char *header(const cJSON *row, const char *name)
{
    return cases_text(cJSON_GetObjectItemCaseSensitive(row, "headers"), name);
}

static void all_cases_of_the_data_come_out(void **state)
{
    struct bot_list *list = bot_list_new();
    cJSON *cases = cases_load("user_agents.json");
    const cJSON *row;
    (void)state;
    assert_non_null(list);

    cJSON_ArrayForEach (row, cases) {
        const char *text = cases_text(row, "user_agent");
        struct bot_verdict verdict = bot_judge(list, text, strlen(text));
        const struct traffic_fields fields = {
            .sec_purpose = header(row, "Sec-Purpose"),
            .purpose = header(row, "Purpose"),
            .x_purpose = header(row, "X-Purpose"),
            .x_moz = header(row, "X-moz")};
        struct traffic_facts facts = {
            .signs =
                traffic_read_signs(&fields, cases_text(row, "method") != NULL),
            .verdict = &verdict};
        enum entry_traffic want;

        assert_true(entry_traffic_from_name(cases_text(row, "class"), &want));
        expect(&facts, want, cases_text(row, "reason"));
    }
    cJSON_Delete(cases);
    bot_list_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rule_that_holds_decides),
        cmocka_unit_test(the_opt_out_cookie_is_found_among_others),
        cmocka_unit_test(a_prefetch_says_its_purpose),
        cmocka_unit_test(all_cases_of_the_data_come_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
