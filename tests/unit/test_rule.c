/* test_rule.c - reading, matching, grouping, ids and limits of rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/rule.h"
#include "base/clock.h"

#define NOW_MS INT64_C(1795421702114)

/* A rule and the JSON that it borrows its texts from. */
struct held_rule {
    cJSON *body;
    struct rule rule;
};

/* In place: a rule may point into itself. */
static void read_rule(struct held_rule *held, const char *json)
{
    struct lb_error err;

    held->body = cJSON_Parse(json);
    assert_non_null(held->body);
    assert_int_equal(rule_read(held->body, &held->rule, &err), LB_OK);
}

static void drop_rule(struct held_rule *held)
{
    cJSON_Delete(held->body);
    held->body = NULL;
}

static struct entry make_event(enum entry_type type)
{
    struct entry entry = {.kind = ENTRY_EVENT,
                          .type = type,
                          .received_at_ms = NOW_MS,
                          .ts_at_ms = NOW_MS,
                          .site = 1,
                          .visitor_day = 20780,
                          .visitor = 7};

    entry.text[ENTRY_TEXT_ID] = "ev_1";
    entry.text[ENTRY_TEXT_LINK] = "shop";
    entry.text[ENTRY_TEXT_UTM_MEDIUM] = "partner";
    entry.text[ENTRY_TEXT_UTM_CAMPAIGN] = "spring";
    entry.text[ENTRY_TEXT_COUNTRY] = "FR";
    entry.text[ENTRY_TEXT_PROPS] =
        "{\"plan\":\"gold\",\"seats\":5,\"vip\":true}";
    return entry;
}

/* --- reading
 * --------------------------------------------------------------------- */

static void what_is_not_set_has_its_default(void **state)
{
    static const struct {
        const char *json;
        const char *severity;
        int64_t max_per_day;
    } rows[] = {{"{\"id\":\"r\",\"kind\":\"event\"}", "info", 0},
                {"{\"id\":\"r\",\"kind\":\"first_seen\",\"key\":\"page\"}",
                 "info", 100},
                {"{\"id\":\"r\",\"kind\":\"threshold\",\"metric\":\"views\","
                 "\"window\":\"5m\",\"above\":5}",
                 "warning", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct held_rule held;

        read_rule(&held, rows[i].json);
        print_message("%s\n", rows[i].json);
        assert_true(held.rule.is_enabled);
        assert_string_equal(held.rule.severity, rows[i].severity);
        assert_int_equal(held.rule.max_per_day, rows[i].max_per_day);
        assert_int_equal(held.rule.traffic, 1u << ENTRY_HUMAN);
        assert_int_equal(held.rule.cooldown_ms, 0);
        assert_int_equal(held.rule.learn_ms, 0);
        assert_int_equal(held.rule.again_after_ms, 0);
        assert_int_equal(held.rule.site_count, 0);
        assert_int_equal(held.rule.notify_count, 0);
        drop_rule(&held);
    }
}

static void every_key_is_read(void **state)
{
    struct held_rule held;
    const struct rule *rule = &held.rule;

    read_rule(
        &held,
        "{\"id\":\"r\",\"kind\":\"threshold\",\"enabled\":false,\"severity\":"
        "\"critical\",\"sites\":[\"alice.*\",\"bob.bio\"],\"match\":{\"utm_"
        "medium\":[\"partner-*\",\"vip\"]},\"per\":[\"link\",\"country\"],"
        "\"cooldown\":\"1h\",\"max_per_day\":3,\"notify\":[\"sales\",\"crm\"],"
        "\"traffic\":[\"human\",\"bot\"],\"metric\":\"value\",\"window\":"
        "\"15m\",\"above\":20.5,\"clear\":10}");
    (void)state;
    assert_int_equal(rule->kind, RULE_THRESHOLD);
    assert_false(rule->is_enabled);
    assert_string_equal(rule->severity, "critical");
    assert_int_equal(rule->site_count, 2);
    assert_int_equal(rule->match_count, 1);
    assert_int_equal(rule->matches[0].glob_count, 2);
    assert_int_equal(rule->group_count, 2);
    assert_string_equal(rule->group[0].name, "country"); /* in byte order */
    assert_string_equal(rule->group[1].name, "link");
    assert_int_equal(rule->cooldown_ms, LB_MS_PER_HOUR);
    assert_int_equal(rule->max_per_day, 3);
    assert_string_equal(rule->notify[1], "crm");
    assert_int_equal(rule->traffic, 1u << ENTRY_HUMAN | 1u << ENTRY_BOT);
    assert_int_equal(rule->metric, RULE_VALUE);
    assert_int_equal(rule->window_ms, 15 * LB_MS_PER_MIN);
    assert_false(rule->is_below);
    assert_true(rule->limit > 20.49 && rule->limit < 20.51);
    assert_true(rule->clear > 9.99 && rule->clear < 10.01);
    drop_rule(&held);
}

static void a_rule_without_id_or_known_kind_is_refused(void **state)
{
    static const char *const rows[] = {
        "{}", "{\"id\":\"r\"}", "{\"kind\":\"event\"}",
        "{\"id\":\"r\",\"kind\":\"spikes\"}", "{\"id\":\"r\",\"kind\":3}"};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cJSON *body = cJSON_Parse(rows[i]);
        struct rule rule;
        struct lb_error err;

        print_message("%s\n", rows[i]);
        assert_int_equal(rule_read(body, &rule, &err), LB_EINVAL);
        cJSON_Delete(body);
    }
}

/* --- matching
 * -------------------------------------------------------------------- */

static void a_match_joins_keys_by_and_and_lists_by_or(void **state)
{
    static const struct {
        const char *match; /* members of the rule */
        bool is_match;
    } rows[] = {{"\"match\":{}", true},
                {"\"match\":{\"type\":\"click\"}", true},
                {"\"match\":{\"type\":\"view\"}", false},
                {"\"match\":{\"type\":[\"view\",\"click\"]}", true},
                {"\"match\":{\"type\":\"click\",\"country\":\"FR\"}", true},
                {"\"match\":{\"type\":\"click\",\"country\":\"DE\"}", false},
                {"\"match\":{\"utm_campaign\":\"spr*\"}", true},
                {"\"match\":{\"utm_campaign\":\"spr\"}", false},
                {"\"match\":{\"utm_campaign\":[\"autumn\",\"*ring\"]}", true},
                {"\"match\":{\"city\":\"*\"}", false}, /* there is no value */
                {"\"match\":{\"intent\":\"high\"}", true},
                {"\"match\":{\"intent\":\"low\"}", false},
                {"\"match\":{\"traffic\":\"human\"}", true},
                {"\"match\":{\"site\":\"alice.*\"}", true},
                {"\"match\":{\"qr\":\"false\"}", true},
                {"\"match\":{\"qr\":\"true\"}", false},
                {"\"match\":{\"prop:plan\":\"gold\"}", true},
                {"\"match\":{\"prop:plan\":\"silver\"}", false},
                {"\"match\":{\"prop:none\":\"gold\"}", false},
                {"\"match\":{\"value\":12.5}", true},
                {"\"match\":{\"value\":[\"13\",\"12*\"]}", true},
                {"\"match\":{\"value\":12}", false},
                {"\"match\":{\"visitor\":\"20780.*\"}", true},
                {"\"enabled\":false", false},
                {"\"traffic\":\"bot\"", false},
                {"\"traffic\":\"all\"", true}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct entry entry = make_event(ENTRY_CLICK);
        struct held_rule held;
        char json[256];

        entry.has_amount = true;
        entry.amount_hundredths = 1250;
        print_message("%s\n", rows[i].match);
        (void)snprintf(json, sizeof(json),
                       "{\"id\":\"r\",\"kind\":\"event\",%s}", rows[i].match);
        read_rule(&held, json);
        assert_int_equal(rule_matches(&held.rule, &entry, "alice.bio", "high"),
                         rows[i].is_match);
        drop_rule(&held);
    }
}

static void a_rule_covers_the_sites_that_it_names(void **state)
{
    static const struct {
        const char *sites;
        bool is_covered;
    } rows[] = {{"[]", true},
                {"[\"alice.*\"]", true},
                {"[\"bob.*\",\"carol.*\"]", false},
                {"[\"bob.*\",\"*.bio\"]", true},
                {"\"alice.bio\"", true},
                {"\"alice\"", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct held_rule held;
        char json[128];

        print_message("%s\n", rows[i].sites);
        (void)snprintf(json, sizeof(json),
                       "{\"id\":\"r\",\"kind\":\"event\",\"sites\":%s}",
                       rows[i].sites);
        read_rule(&held, json);
        assert_int_equal(rule_covers(&held.rule, "alice.bio"),
                         rows[i].is_covered);
        drop_rule(&held);
    }
}

static void numbers_and_truths_match_as_their_words(void **state)
{
    static const struct {
        const char *match;
        bool is_match;
    } rows[] = {
        {"{\"qr\":true}", true},          {"{\"qr\":false}", false},
        {"{\"utm_term\":2026}", true},    {"{\"utm_term\":[2025,2026]}", true},
        {"{\"utm_term\":2025}", false},   {"{\"prop:seats\":5}", true},
        {"{\"prop:seats\":\"5\"}", true}, {"{\"prop:vip\":true}", true},
        {"{\"prop:vip\":false}", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct entry entry = make_event(ENTRY_CLICK);
        struct held_rule held;
        char json[256];

        print_message("%s\n", rows[i].match);
        entry.is_qr = true;
        entry.text[ENTRY_TEXT_UTM_TERM] = "2026";
        (void)snprintf(json, sizeof(json),
                       "{\"id\":\"r\",\"kind\":\"event\",\"match\":%s}",
                       rows[i].match);
        read_rule(&held, json);
        assert_int_equal(rule_matches(&held.rule, &entry, "alice.bio", NULL),
                         rows[i].is_match);
        drop_rule(&held);
    }
}

static void machines_match_only_rules_that_ask_for_them(void **state)
{
    static const struct {
        const char *traffic;
        bool is_match[ENTRY_TRAFFIC_COUNT]; /* human, preview, prefetch, bot */
    } rows[] = {{"null", {true, false, false, false}},
                {"\"human\"", {true, false, false, false}},
                {"\"bot\"", {false, false, false, true}},
                {"[\"preview\",\"prefetch\"]", {false, true, true, false}},
                {"\"all\"", {true, true, true, true}}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct held_rule held;
        char json[128];

        (void)snprintf(json, sizeof(json),
                       "{\"id\":\"r\",\"kind\":\"event\",\"traffic\":%s}",
                       rows[i].traffic);
        read_rule(&held, json);
        for (unsigned t = 0; t < ENTRY_TRAFFIC_COUNT; t++) {
            struct entry entry = make_event(ENTRY_VIEW);

            print_message("%s, %u\n", rows[i].traffic, t);
            entry.traffic = (enum entry_traffic)t;
            assert_int_equal(rule_matches(&held.rule, &entry, "a.b", NULL),
                             rows[i].is_match[t]);
        }
        drop_rule(&held);
    }
}

/* --- groups and ids
 * -------------------------------------------------------------- */

static void a_group_is_json_with_keys_in_byte_order(void **state)
{
    static const struct {
        const char *members;
        const char *group; /* NULL: a value of the key is missing */
    } rows[] = {
        {"\"kind\":\"event\"", "{}"},
        {"\"kind\":\"event\",\"per\":\"link\"", "{\"link\":\"shop\"}"},
        {"\"kind\":\"event\",\"per\":[\"link\",\"city\",\"country\"]",
         "{\"city\":null,\"country\":\"FR\",\"link\":\"shop\"}"},
        {"\"kind\":\"event\",\"per\":[\"site\",\"link\",\"link\"]",
         "{\"link\":\"shop\",\"site\":\"alice.bio\"}"},
        {"\"kind\":\"event\",\"per\":[\"prop:plan\"]",
         "{\"prop:plan\":\"gold\"}"},
        {"\"kind\":\"first_seen\",\"key\":[\"utm_medium\",\"utm_campaign\"]",
         "{\"utm_campaign\":\"spring\",\"utm_medium\":\"partner\"}"},
        {"\"kind\":\"first_seen\",\"key\":[\"utm_campaign\",\"city\"]", NULL},
        {"\"kind\":\"first_seen\",\"key\":\"prop:none\"", NULL},
        {"\"kind\":\"event\",\"per\":[\"intent\",\"value\",\"type\"]",
         "{\"intent\":\"high\",\"type\":\"click\",\"value\":\"12.5\"}"},
        {"\"kind\":\"event\",\"per\":\"visitor\"", "{\"visitor\":\"20780.7\"}"},
        {"\"kind\":\"event\",\"per\":\"name\"",
         "{\"name\":\"Zo\xc3\xab \\\"x\\\" <a>\"}"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct entry entry = make_event(ENTRY_CLICK);
        struct held_rule held;
        struct lb_buf out;
        char json[256];
        bool has_group;

        print_message("%s\n", rows[i].members);
        entry.text[ENTRY_TEXT_NAME] = "Zo\xc3\xab \"x\" <a>";
        entry.has_amount = true;
        entry.amount_hundredths = 1250;
        (void)snprintf(json, sizeof(json), "{\"id\":\"r\",%s}",
                       rows[i].members);
        read_rule(&held, json);
        lb_buf_init(&out, 4096);
        has_group = rule_group(&held.rule, &entry, "alice.bio", "high", &out);
        assert_int_equal(has_group, rows[i].group != NULL);
        if (rows[i].group != NULL) {
            assert_string_equal(lb_buf_text(&out), rows[i].group);
        }
        lb_buf_deinit(&out);
        drop_rule(&held);
    }
}

/* Made with Python: "al_" + hashlib.sha256(b"".join(part.encode() + b"\0" for
 * part in row)).hexdigest()[:16]. */
static void an_alert_id_is_a_hash_of_rule_site_group_and_occasion(void **state)
{
    static const struct {
        const char *rule;
        const char *site;
        const char *group;
        const char *occasion;
        const char *id;
    } rows[] = {
        {"hot-lead", "alice.bio", "{}", "ev_5c0de19a77b3f402",
         "al_e3c973c97327127b"},
        {"lead-spike", "alice.bio", "{\"link\":\"book-call\"}",
         "1795420800000-1795421700000", "al_03d0f4e804a4a246"},
        {"every-100-leads", "alice.bio", "{}", "300", "al_376ac0f95981ac8c"},
        {"partner-arrived", "caf\xc3\xa9.bio",
         "{\"utm_campaign\":\"Zo\xc3\xab \\\"x\\\"\"}", "a",
         "al_0cb21ebd4af5493d"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char id[RULE_ALERT_ID_BYTES];

        rule_alert_id(rows[i].rule, rows[i].site, rows[i].group,
                      rows[i].occasion, id);
        assert_string_equal(id, rows[i].id);
    }
}

/* --- metrics
 * --------------------------------------------------------------------- */

static void
metric_rule(struct held_rule *held, const char *metric, const char *window)
{
    char json[160];

    (void)snprintf(json, sizeof(json),
                   "{\"id\":\"r\",\"kind\":\"threshold\",\"metric\":\"%s\","
                   "\"window\":\"%s\",\"above\":1}",
                   metric, window);
    read_rule(held, json);
}

static void each_metric_counts_its_own(void **state)
{
    static const struct {
        const char *metric;
        int64_t weights[5]; /* view, click, double tap, lead, conversion */
    } rows[] = {{"views", {1, 0, 0, 0, 0}},       {"clicks", {0, 1, 0, 0, 0}},
                {"clicks_raw", {0, 1, 1, 0, 0}},  {"leads", {0, 0, 0, 1, 0}},
                {"conversions", {0, 0, 0, 0, 1}}, {"visitors", {1, 1, 1, 1, 1}},
                {"value", {0, 0, 0, 0, 1250}}};
    static const enum entry_type types[] = {
        ENTRY_VIEW, ENTRY_CLICK, ENTRY_CLICK, ENTRY_LEAD, ENTRY_CONVERSION};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct held_rule held;

        metric_rule(&held, rows[i].metric, "5m");
        for (int j = 0; j < 5; j++) {
            struct entry entry = make_event(types[j]);

            print_message("%s, %d\n", rows[i].metric, j);
            entry.is_double_tap = j == 2;
            entry.has_amount = j == 4;
            entry.amount_hundredths = j == 4 ? 1250 : 0;
            assert_int_equal(rule_weight(&held.rule, &entry),
                             rows[i].weights[j]);
        }
        drop_rule(&held);
    }
}

static void an_event_without_a_visitor_is_no_visitor(void **state)
{
    struct held_rule held;
    struct entry entry = make_event(ENTRY_VIEW);

    metric_rule(&held, "visitors", "5m");
    (void)state;
    entry.visitor = 0;
    assert_int_equal(rule_weight(&held.rule, &entry), 0);
    drop_rule(&held);
}

/* --- limits
 * --------------------------------------------------------------------- */

static void a_limit_is_passed_once_until_it_is_over(void **state)
{
    static const struct {
        const char *limit;
        int64_t value;
        bool is_firing;
        bool is_full;
        enum rule_turn turn;
    } rows[] = {{"\"above\":5", 5, false, false, RULE_STAYS}, /* more than */
                {"\"above\":5", 6, false, false, RULE_FIRES},
                {"\"above\":5", 6, true, false, RULE_STAYS},
                {"\"above\":5", 5, true, false, RULE_IS_OVER},
                {"\"above\":5,\"clear\":2", 3, true, true, RULE_STAYS},
                {"\"above\":5,\"clear\":2", 2, true, true, RULE_IS_OVER},
                {"\"above\":5,\"clear\":2", 3, false, true, RULE_STAYS},
                {"\"above\":0", 1, false, false, RULE_FIRES},
                {"\"below\":5", 5, false, true, RULE_STAYS}, /* less than */
                {"\"below\":5", 4, false, true, RULE_FIRES},
                {"\"below\":5", 4, false, false, RULE_STAYS},
                {"\"below\":5", 4, true, true, RULE_STAYS},
                {"\"below\":5", 5, true, true, RULE_IS_OVER},
                {"\"below\":5,\"clear\":8", 7, true, true, RULE_STAYS},
                {"\"below\":5,\"clear\":8", 8, true, false, RULE_IS_OVER},
                {"\"below\":5,\"clear\":8", 7, false, true, RULE_STAYS},
                {"\"below\":0.5", 0, false, true, RULE_FIRES},
                {"\"above\":\"5\"", 5, false, true, RULE_STAYS}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct held_rule held;
        char json[200];

        print_message("%s, %lld\n", rows[i].limit, (long long)rows[i].value);
        (void)snprintf(json, sizeof(json),
                       "{\"id\":\"r\",\"kind\":\"threshold\",\"metric\":"
                       "\"clicks\",\"window\":\"5m\",%s}",
                       rows[i].limit);
        read_rule(&held, json);
        assert_int_equal(rule_judge(&held.rule, rows[i].value,
                                    rows[i].is_firing, rows[i].is_full),
                         rows[i].turn);
        drop_rule(&held);
    }
}

static void a_limit_of_value_is_in_whole_amounts(void **state)
{
    struct held_rule held;

    metric_rule(&held, "value", "5m"); /* above 1 */
    (void)state;
    assert_int_equal(rule_judge(&held.rule, 100, false, true), RULE_STAYS);
    assert_int_equal(rule_judge(&held.rule, 101, false, true), RULE_FIRES);
    drop_rule(&held);
}

static void a_rule_names_the_types_it_can_concern(void **state)
{
    static const struct {
        const char *members;
        unsigned types;
    } rows[] = {
        {"\"kind\":\"event\"", 15},
        {"\"kind\":\"event\",\"match\":{\"type\":\"lead\"}", 1u << ENTRY_LEAD},
        {"\"kind\":\"event\",\"match\":{\"type\":[\"lead\",\"c*\"]}",
         1u << ENTRY_LEAD | 1u << ENTRY_CLICK | 1u << ENTRY_CONVERSION},
        {"\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"1m\","
         "\"above\":1",
         1u << ENTRY_CLICK},
        {"\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"1m\","
         "\"above\":1,\"match\":{\"type\":\"view\"}",
         0},
        {"\"kind\":\"threshold\",\"metric\":\"value\",\"window\":\"1m\","
         "\"above\":1",
         15}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct held_rule held;
        char json[256];

        print_message("%s\n", rows[i].members);
        (void)snprintf(json, sizeof(json), "{\"id\":\"r\",%s}",
                       rows[i].members);
        read_rule(&held, json);
        assert_int_equal(held.rule.types, rows[i].types);
        drop_rule(&held);
    }
}

static void campaigns_match_folded_when_they_are_stored_so(void **state)
{
    struct held_rule held;
    struct entry entry = make_event(ENTRY_CLICK);

    read_rule(&held, "{\"id\":\"r\",\"kind\":\"event\",\"match\":{"
                     "\"utm_campaign\":\"Spr*\"}}");
    (void)state;
    assert_false(rule_matches(&held.rule, &entry, "alice.bio", NULL));
    held.rule.folds_utm = true;
    assert_true(rule_matches(&held.rule, &entry, "alice.bio", NULL));
    drop_rule(&held);
    read_rule(&held, "{\"id\":\"r\",\"kind\":\"event\",\"match\":{\"link\":"
                     "\"Shop\"}}");
    held.rule.folds_utm = true;
    assert_false(rule_matches(&held.rule, &entry, "alice.bio", NULL));
    drop_rule(&held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_set_has_its_default),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(a_rule_without_id_or_known_kind_is_refused),
        cmocka_unit_test(a_match_joins_keys_by_and_and_lists_by_or),
        cmocka_unit_test(numbers_and_truths_match_as_their_words),
        cmocka_unit_test(machines_match_only_rules_that_ask_for_them),
        cmocka_unit_test(a_group_is_json_with_keys_in_byte_order),
        cmocka_unit_test(an_alert_id_is_a_hash_of_rule_site_group_and_occasion),
        cmocka_unit_test(each_metric_counts_its_own),
        cmocka_unit_test(an_event_without_a_visitor_is_no_visitor),
        cmocka_unit_test(a_limit_is_passed_once_until_it_is_over),
        cmocka_unit_test(a_limit_of_value_is_in_whole_amounts),
        cmocka_unit_test(a_rule_names_the_types_it_can_concern),
        cmocka_unit_test(campaigns_match_folded_when_they_are_stored_so),
        cmocka_unit_test(a_rule_covers_the_sites_that_it_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
