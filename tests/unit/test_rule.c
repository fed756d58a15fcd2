/* test_rule.c - reading, matching, grouping, ids and sliding windows of rules.
 */
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
    assert_string_equal(rule->per[0], "country"); /* in byte order */
    assert_string_equal(rule->per[1], "link");
    assert_int_equal(rule->cooldown_ms, LB_MS_PER_HOUR);
    assert_int_equal(rule->max_per_day, 3);
    assert_string_equal(rule->notify[1], "crm");
    assert_int_equal(rule->traffic, 1u << ENTRY_HUMAN | 1u << ENTRY_BOT);
    assert_int_equal(rule->metric, RULE_VALUE);
    assert_int_equal(rule->window_ms, 15 * LB_MS_PER_MIN);
    assert_true(rule->above > 20.49 && rule->above < 20.51);
    assert_true(rule->clear > 9.99 && rule->clear < 10.01);
    drop_rule(&held);
}

static void a_rule_without_id_or_known_kind_is_refused(void **state)
{
    static const char *const rows[] = {
        "{}", "{\"id\":\"r\"}", "{\"kind\":\"event\"}",
        "{\"id\":\"r\",\"kind\":\"spike\"}", "{\"id\":\"r\",\"kind\":3}"};

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
                {"\"sites\":[\"alice.*\"]", true},
                {"\"sites\":[\"bob.*\",\"carol.*\"]", false},
                {"\"sites\":\"alice.bio\"", true},
                {"\"enabled\":false", false},
                {"\"traffic\":\"bot\"", false},
                {"\"traffic\":\"all\"", true}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct entry entry = make_event(ENTRY_CLICK);
        struct held_rule held;
        char json[256];

        print_message("%s\n", rows[i].match);
        (void)snprintf(json, sizeof(json),
                       "{\"id\":\"r\",\"kind\":\"event\",%s}", rows[i].match);
        read_rule(&held, json);
        assert_int_equal(rule_matches(&held.rule, &entry, "alice.bio", "high"),
                         rows[i].is_match);
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
        (void)snprintf(json, sizeof(json), "{\"id\":\"r\",%s}",
                       rows[i].members);
        read_rule(&held, json);
        lb_buf_init(&out, 4096);
        has_group = rule_group(&held.rule, &entry, "alice.bio", &out);
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

/* --- windows
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

static int64_t add_at(struct rule_window *window,
                      const struct rule *rule,
                      int64_t ts_ms,
                      int64_t now_ms)
{
    struct entry entry = make_event(ENTRY_CLICK);

    entry.ts_at_ms = ts_ms;
    entry.received_at_ms = now_ms;
    return rule_window_add(window, rule, &entry, now_ms);
}

static void a_window_holds_what_is_younger_than_its_length(void **state)
{
    struct held_rule held;
    struct rule_window window = {0};

    metric_rule(&held, "clicks", "10s");
    (void)state;
    assert_int_equal(add_at(&window, &held.rule, NOW_MS, NOW_MS), 1);
    assert_int_equal(add_at(&window, &held.rule, NOW_MS, NOW_MS), 2);
    assert_int_equal(add_at(&window, &held.rule, NOW_MS + 9999, NOW_MS + 9999),
                     3);
    /* The window ends 1 ms after now: its first instant moved on past both. */
    assert_int_equal(
        add_at(&window, &held.rule, NOW_MS + 10000, NOW_MS + 10000), 2);
    assert_int_equal(
        add_at(&window, &held.rule, NOW_MS + 60000, NOW_MS + 60000), 1);
    rule_window_deinit(&window);
    drop_rule(&held);
}

static void an_event_older_than_the_window_is_not_in_it(void **state)
{
    struct held_rule held;
    struct rule_window window = {0};

    metric_rule(&held, "clicks", "10s");
    (void)state;
    assert_int_equal(add_at(&window, &held.rule, NOW_MS - 10000, NOW_MS), 0);
    assert_int_equal(add_at(&window, &held.rule, NOW_MS - 9999, NOW_MS), 1);
    assert_int_equal(add_at(&window, &held.rule, NOW_MS - 3600000, NOW_MS), 1);
    rule_window_deinit(&window);
    drop_rule(&held);
}

static void a_time_ahead_of_now_counts_at_now(void **state)
{
    struct held_rule held;
    struct rule_window window = {0};

    metric_rule(&held, "clicks", "10s");
    (void)state;
    assert_int_equal(add_at(&window, &held.rule, NOW_MS + 600000, NOW_MS), 1);
    assert_int_equal(add_at(&window, &held.rule, NOW_MS + 9999, NOW_MS + 9999),
                     2);
    assert_int_equal(
        add_at(&window, &held.rule, NOW_MS + 10000, NOW_MS + 10000), 2);
    rule_window_deinit(&window);
    drop_rule(&held);
}

static int64_t visit(struct rule_window *window,
                     const struct rule *rule,
                     int64_t visitor,
                     int64_t ts_ms,
                     int64_t now_ms)
{
    struct entry entry = make_event(ENTRY_VIEW);

    entry.visitor = visitor;
    entry.ts_at_ms = ts_ms;
    entry.received_at_ms = now_ms;
    return rule_window_add(window, rule, &entry, now_ms);
}

static void a_visitor_counts_once_and_stays_while_it_comes(void **state)
{
    struct held_rule held;
    struct rule_window window = {0};
    const struct rule *rule = &held.rule;

    metric_rule(&held, "visitors", "10s");
    (void)state;
    assert_int_equal(visit(&window, rule, 1, NOW_MS, NOW_MS), 1);
    assert_int_equal(visit(&window, rule, 2, NOW_MS, NOW_MS), 2);
    assert_int_equal(visit(&window, rule, 1, NOW_MS + 8000, NOW_MS + 8000), 2);
    assert_int_equal(visit(&window, rule, 3, NOW_MS + 12000, NOW_MS + 12000),
                     2); /* 2 is gone, 1 is not */
    rule_window_deinit(&window);
    drop_rule(&held);
}

static void a_late_event_does_not_make_a_visitor_leave_early(void **state)
{
    struct held_rule held;
    struct rule_window window = {0};
    const struct rule *rule = &held.rule;

    metric_rule(&held, "visitors", "10s");
    (void)state;
    assert_int_equal(visit(&window, rule, 1, NOW_MS, NOW_MS), 1);
    assert_int_equal(visit(&window, rule, 1, NOW_MS - 5000, NOW_MS), 1);
    assert_int_equal(visit(&window, rule, 2, NOW_MS + 6000, NOW_MS + 6000), 2);
    rule_window_deinit(&window);
    drop_rule(&held);
}

static void visitors_of_two_periods_are_two(void **state)
{
    struct held_rule held;
    struct rule_window window = {0};
    struct entry entry = make_event(ENTRY_VIEW);

    metric_rule(&held, "visitors", "10s");
    (void)state;
    assert_int_equal(rule_window_add(&window, &held.rule, &entry, NOW_MS), 1);
    entry.visitor_day++;
    assert_int_equal(rule_window_add(&window, &held.rule, &entry, NOW_MS), 2);
    rule_window_deinit(&window);
    drop_rule(&held);
}

/* A generator of our own, so that a failing seed can be run again (xorshift64,
 * Marsaglia). */
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

#define RANDOM_EVENTS 2000

struct seen_event {
    int64_t ts_ms;
    int64_t visitor;
    int64_t amount;
};

/* What the window must hold, counted plainly. */
static int64_t count_plainly(const struct seen_event *events,
                             size_t count,
                             int64_t from_ms,
                             enum rule_metric metric)
{
    bool is_seen[64] = {false};
    int64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        if (events[i].ts_ms < from_ms) {
            continue;
        }
        if (metric != RULE_VISITORS) {
            sum += metric == RULE_VALUE ? events[i].amount : 1;
        } else if (!is_seen[events[i].visitor]) {
            is_seen[events[i].visitor] = true;
            sum++;
        }
    }
    return sum;
}

static void check_random(const char *metric, uint64_t seed)
{
    struct held_rule held;
    struct seen_event *events = calloc(RANDOM_EVENTS, sizeof(*events));
    struct rule_window window = {0};
    int64_t now_ms = NOW_MS;

    metric_rule(&held, metric, "1m");
    assert_non_null(events);
    for (size_t i = 0; i < RANDOM_EVENTS; i++) {
        struct entry entry = make_event(ENTRY_CLICK);
        int64_t late_ms = (int64_t)(next_random(&seed) % 80000);

        now_ms += (int64_t)(next_random(&seed) % 500);
        entry.ts_at_ms =
            next_random(&seed) % 4 == 0 ? now_ms - late_ms + 5000 : now_ms;
        entry.visitor = 1 + (int64_t)(next_random(&seed) % 60);
        entry.has_amount = true;
        entry.amount_hundredths = 1 + (int64_t)(next_random(&seed) % 9999);
        events[i] = (struct seen_event){
            entry.ts_at_ms > now_ms ? now_ms : entry.ts_at_ms, entry.visitor,
            entry.amount_hundredths};
        assert_int_equal(rule_window_add(&window, &held.rule, &entry, now_ms),
                         count_plainly(events, i + 1,
                                       now_ms + 1 - held.rule.window_ms,
                                       held.rule.metric));
    }
    rule_window_deinit(&window);
    free(events);
    drop_rule(&held);
}

static void a_window_agrees_with_counting_plainly(void **state)
{
    static const char *const metrics[] = {"clicks", "value", "visitors"};

    (void)state;
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        for (uint64_t seed = 1; seed <= 20; seed++) {
            print_message("%s, seed %llu\n", metrics[i],
                          (unsigned long long)seed);
            check_random(metrics[i], seed);
        }
    }
}

static void a_busy_window_stays_bounded_and_right_in_sum(void **state)
{
    struct held_rule held;
    struct rule_window window = {0};

    metric_rule(&held, "clicks", "1m");
    (void)state;
    for (int i = 0; i < 3 * RULE_WINDOW_CELLS; i++) {
        assert_int_equal(add_at(&window, &held.rule, NOW_MS + i, NOW_MS + i),
                         i + 1);
    }
    assert_in_range(window.count, 1, RULE_WINDOW_CELLS + 1);
    assert_int_equal(
        add_at(&window, &held.rule, NOW_MS + 3600000, NOW_MS + 3600000), 1);
    rule_window_deinit(&window);
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
        cmocka_unit_test(a_window_holds_what_is_younger_than_its_length),
        cmocka_unit_test(an_event_older_than_the_window_is_not_in_it),
        cmocka_unit_test(a_time_ahead_of_now_counts_at_now),
        cmocka_unit_test(a_visitor_counts_once_and_stays_while_it_comes),
        cmocka_unit_test(a_late_event_does_not_make_a_visitor_leave_early),
        cmocka_unit_test(visitors_of_two_periods_are_two),
        cmocka_unit_test(a_window_agrees_with_counting_plainly),
        cmocka_unit_test(a_busy_window_stays_bounded_and_right_in_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
