/* test_message.c - the bytes of a message: keys, their order, summaries, links.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/message.h"
#include "base/json.h"

#define RECEIVED_MS INT64_C(1795421702114) /* 2026-11-23T08:15:02.114Z */
#define TS_MS INT64_C(1795421701900)

/* Everything that a message is made of. */
struct world {
    struct lb_error err;
    const struct lb_zone *zone;
    struct catalog_link links[2];
    struct catalog_site site;
    cJSON *body;
    struct rule rule;
    struct entry entry;
    struct message_alert alert;
    struct lb_buf out;
};

static void open_world(struct world *world, const char *rule_json)
{
    memset(world, 0, sizeof(*world));
    assert_int_equal(lb_zone_find("Europe/Paris", &world->zone, &world->err),
                     LB_OK);
    world->links[0] = (struct catalog_link){.slug = "book-call",
                                            .title = "Book a strategy call",
                                            .url = "https://cal.example/",
                                            .intent = "high"};
    world->links[1] = (struct catalog_link){
        .slug = "shop", .title = "", .url = "https://s.example/", .intent = ""};
    world->site = (struct catalog_site){.number = 1,
                                        .id = "alice.bio",
                                        .timezone = "Europe/Paris",
                                        .zone = world->zone,
                                        .links = world->links,
                                        .link_count = 2};
    world->body = cJSON_Parse(rule_json);
    assert_int_equal(rule_read(world->body, &world->rule, &world->err), LB_OK);
    world->entry = (struct entry){.kind = ENTRY_EVENT,
                                  .seq = 48213,
                                  .type = ENTRY_LEAD,
                                  .site = 1,
                                  .received_at_ms = RECEIVED_MS,
                                  .ts_at_ms = TS_MS,
                                  .visitor_day = 20780,
                                  .visitor = 17};
    world->entry.text[ENTRY_TEXT_ID] = "ev_5c0de19a77b3f402";
    world->alert = (struct message_alert){.id = "al_2b61d05fa9c3e748",
                                          .rule = &world->rule,
                                          .site = &world->site,
                                          .group = "{}",
                                          .entry = &world->entry,
                                          .fired_at_ms = RECEIVED_MS,
                                          .public_url = "https://l.alice.bio"};
    lb_buf_init(&world->out, MESSAGE_BYTES);
}

static void close_world(struct world *world)
{
    lb_buf_deinit(&world->out);
    cJSON_Delete(world->body);
}

/* The alert's data, parsed; the caller deletes it. */
static cJSON *make_data(struct world *world)
{
    cJSON *json;

    lb_buf_clear(&world->out);
    message_data(&world->alert, &world->out);
    assert_false(world->out.is_failed);
    json = cJSON_Parse(lb_buf_text(&world->out));
    assert_non_null(json);
    return json;
}

static const char *summary_of(struct world *world, char out[1024])
{
    cJSON *json = make_data(world);

    (void)snprintf(out, 1024, "%s", lb_json_text(json, "summary"));
    cJSON_Delete(json);
    return out;
}

#define EVENT_RULE                                                             \
    "{\"id\":\"hot-lead\",\"kind\":\"event\",\"match\":{\"type\":\"lead\"}}"
#define THRESHOLD_RULE                                                         \
    "{\"id\":\"click-flood\",\"kind\":\"threshold\",\"metric\":\"clicks\","    \
    "\"window\":\"5m\",\"above\":500}"

static void an_event_has_its_keys_in_order_and_no_others(void **state)
{
    struct world world;

    (void)state;
    open_world(&world, EVENT_RULE);
    world.entry.text[ENTRY_TEXT_NAME] = "contact-form";
    world.entry.text[ENTRY_TEXT_PAGE] = "/";
    world.entry.text[ENTRY_TEXT_UTM_SOURCE] = "newsletter";
    world.entry.text[ENTRY_TEXT_UTM_CAMPAIGN] = "spring";
    world.entry.text[ENTRY_TEXT_COUNTRY] = "FR";
    world.entry.text[ENTRY_TEXT_REASON] = "burst"; /* not shown */
    world.entry.contact[ENTRY_CONTACT_EMAIL] = "zoe@example.com";
    world.entry.contact[ENTRY_CONTACT_NAME] = "Zo\xc3\xab M\xc3\xbcller";
    message_event(&world.entry, "alice.bio", &world.out);
    assert_string_equal(
        lb_buf_text(&world.out),
        "{\"id\":\"ev_5c0de19a77b3f402\",\"type\":\"lead\",\"site\":\"alice."
        "bio\",\"ts\":\"2026-11-23T08:15:01.900Z\",\"received\":\"2026-11-"
        "23T08:15:02.114Z\",\"name\":\"contact-form\",\"page\":\"/\",\"utm\":{"
        "\"source\":\"newsletter\",\"campaign\":\"spring\"},\"country\":\"FR\","
        "\"qr\":false,\"double_tap\":false,\"contact\":{\"email\":\"zoe@"
        "example.com\",\"name\":\"Zo\xc3\xab M\xc3\xbcller\"},\"props\":{}}");
    close_world(&world);
}

static void an_event_shows_value_and_props_as_they_came(void **state)
{
    static const struct {
        int64_t hundredths;
        const char *amount;
    } rows[] = {{1250, "12.5"},
                {1999, "19.99"},
                {100, "1"},
                {0, "0"},
                {INT64_C(100000000000000), "1000000000000"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world world;
        char want[128];

        print_message("%s\n", rows[i].amount);
        open_world(&world, EVENT_RULE);
        world.entry.has_amount = true;
        world.entry.amount_hundredths = rows[i].hundredths;
        world.entry.text[ENTRY_TEXT_CURRENCY] = "EUR";
        world.entry.text[ENTRY_TEXT_PROPS] = "{\"plan\":\"gold\",\"n\":5}";
        message_event(&world.entry, "alice.bio", &world.out);
        (void)snprintf(want, sizeof(want),
                       "\"value\":{\"amount\":%s,\"currency\":\"EUR\"},"
                       "\"props\":{\"plan\":\"gold\",\"n\":5}}",
                       rows[i].amount);
        assert_non_null(strstr(lb_buf_text(&world.out), want));
        close_world(&world);
    }
}

static void check_keys(const cJSON *json, const char *const *keys, size_t count)
{
    const cJSON *item = json->child;

    for (size_t i = 0; i < count; i++) {
        assert_non_null(item);
        assert_string_equal(item->string, keys[i]);
        item = item->next;
    }
    assert_null(item);
}

static void the_data_of_an_event_leaves_out_what_does_not_apply(void **state)
{
    static const char *const keys[] = {
        "alert",    "rule",    "kind",      "severity",      "site", "group",
        "coverage", "summary", "stats_url", "dashboard_url", "event"};
    struct world world;
    cJSON *json;

    (void)state;
    open_world(&world, EVENT_RULE);
    json = make_data(&world);
    check_keys(json, keys, sizeof(keys) / sizeof(keys[0]));
    assert_string_equal(lb_json_text(json, "alert"), "al_2b61d05fa9c3e748");
    assert_string_equal(lb_json_text(json, "rule"), "hot-lead");
    assert_string_equal(lb_json_text(json, "kind"), "event");
    assert_string_equal(lb_json_text(json, "severity"), "info");
    cJSON_Delete(json);
    close_world(&world);
}

static void the_data_of_a_threshold_has_number_and_window(void **state)
{
    static const char *const keys[] = {
        "alert",   "rule",      "kind",          "severity", "site",
        "group",   "metric",    "value",         "window",   "coverage",
        "summary", "stats_url", "dashboard_url", "event"};
    struct world world;
    const cJSON *window;
    cJSON *json;

    (void)state;
    open_world(&world, THRESHOLD_RULE);
    world.alert.value = 600;
    world.alert.window_from_ms = RECEIVED_MS + 1 - 300000;
    world.alert.window_to_ms = RECEIVED_MS + 1;
    json = make_data(&world);
    check_keys(json, keys, sizeof(keys) / sizeof(keys[0]));
    window = cJSON_GetObjectItemCaseSensitive(json, "window");
    assert_string_equal(lb_json_text(window, "from"),
                        "2026-11-23T08:10:02.115Z");
    assert_string_equal(lb_json_text(window, "to"), "2026-11-23T08:15:02.115Z");
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(json, "event")));
    assert_int_equal(cJSON_GetObjectItemCaseSensitive(json, "value")->valueint,
                     600);
    assert_string_equal(lb_json_text(json, "severity"), "warning");
    assert_string_equal(lb_json_text(json, "summary"),
                        "600 clicks on alice.bio in 5 minutes, more than 500");
    cJSON_Delete(json);
    close_world(&world);
}

static void a_value_is_told_in_its_unit(void **state)
{
    struct world world;
    char text[1024];
    cJSON *json;

    (void)state;
    open_world(&world, "{\"id\":\"r\",\"kind\":\"threshold\",\"metric\":"
                       "\"value\",\"window\":\"1d\",\"above\":20.5}");
    world.alert.value = 30.75;
    json = make_data(&world);
    assert_non_null(strstr(lb_buf_text(&world.out), "\"value\":30.75,"));
    cJSON_Delete(json);
    assert_string_equal(summary_of(&world, text),
                        "30.75 value on alice.bio in 1 day, more than 20.5");
    close_world(&world);
}

static void a_summary_says_who_and_from_where(void **state)
{
    static const struct {
        enum entry_type type;
        const char *name;     /* of the contact */
        const char *campaign; /* utm_campaign */
        const char *source;
        const char *summary;
    } rows[] = {
        {ENTRY_LEAD, "Zo\xc3\xab M\xc3\xbcller", "spring", "newsletter",
         "New lead on alice.bio: Zo\xc3\xab M\xc3\xbcller, campaign spring"},
        {ENTRY_LEAD, "Zo", NULL, "newsletter",
         "New lead on alice.bio: Zo, from newsletter"},
        {ENTRY_LEAD, NULL, "spring", NULL,
         "New lead on alice.bio: campaign spring"},
        {ENTRY_LEAD, NULL, NULL, "Direct / None", "New lead on alice.bio"},
        {ENTRY_LEAD, "Zo", NULL, NULL, "New lead on alice.bio: Zo"},
        {ENTRY_CLICK, NULL, NULL, NULL,
         "Click on Book a strategy call on alice.bio"},
        {ENTRY_VIEW, NULL, "spring", NULL,
         "Visit of alice.bio: campaign spring"},
        {ENTRY_CONVERSION, NULL, NULL, NULL, "Conversion on alice.bio"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world world;
        char text[1024];

        print_message("%s\n", rows[i].summary);
        open_world(&world, EVENT_RULE);
        world.entry.type = rows[i].type;
        world.entry.text[ENTRY_TEXT_LINK] = "book-call";
        world.entry.contact[ENTRY_CONTACT_NAME] = rows[i].name;
        world.entry.text[ENTRY_TEXT_UTM_CAMPAIGN] = rows[i].campaign;
        world.entry.text[ENTRY_TEXT_SOURCE] = rows[i].source;
        assert_string_equal(summary_of(&world, text), rows[i].summary);
        close_world(&world);
    }
}

static void a_click_on_any_link_has_a_summary(void **state)
{
    static const struct {
        const char *link;
        const char *summary;
    } rows[] = {{"shop", "Click on shop on alice.bio"},
                {"unknown", "Click on unknown on alice.bio"},
                {NULL, "Click on a link on alice.bio"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world world;
        char text[1024];

        print_message("%s\n", rows[i].summary);
        open_world(&world, EVENT_RULE);
        world.entry.type = ENTRY_CLICK;
        world.entry.text[ENTRY_TEXT_LINK] = rows[i].link;
        assert_string_equal(summary_of(&world, text), rows[i].summary);
        close_world(&world);
    }
}

static void a_first_visit_names_the_values_of_its_key(void **state)
{
    struct world world;
    char text[1024];

    (void)state;
    open_world(&world, "{\"id\":\"p\",\"kind\":\"first_seen\",\"key\":"
                       "[\"utm_campaign\",\"country\"]}");
    world.entry.type = ENTRY_VIEW;
    world.alert.group = "{\"country\":\"FR\",\"utm_campaign\":\"partner-x\"}";
    (void)summary_of(&world, text);
    assert_non_null(strstr(text, "view"));
    assert_non_null(strstr(text, "alice.bio"));
    assert_non_null(strstr(text, "partner-x"));
    assert_non_null(strstr(text, "FR"));
    close_world(&world);
}

static void a_threshold_of_a_link_names_its_title(void **state)
{
    struct world world;
    char text[1024];

    (void)state;
    open_world(&world, THRESHOLD_RULE);
    world.alert.group = "{\"link\":\"book-call\"}";
    world.alert.value = 501;
    world.entry.text[ENTRY_TEXT_LINK] = "book-call";
    (void)summary_of(&world, text);
    assert_non_null(strstr(text, "501 clicks on Book a strategy call"));
    close_world(&world);
}

static void a_long_summary_is_cut_between_characters(void **state)
{
    struct world world;
    char name[257 * 3 + 1] = "";
    char text[1024];
    size_t len;

    (void)state;
    for (size_t i = 0; i < 256; i++) {
        memcpy(name + 3 * i, "\xe4\xba\x88", 4);
    }
    open_world(&world, EVENT_RULE);
    world.entry.contact[ENTRY_CONTACT_NAME] = name;
    (void)summary_of(&world, text);
    len = strlen(text);
    assert_in_range(len, 500, 610);
    assert_null(strstr(text, "\xef\xbf\xbd"));
    for (size_t i = strlen("New lead on alice.bio: "); i + 2 < len; i += 3) {
        bool is_whole = memcmp(text + i, "\xe4\xba\x88", 3) == 0 ||
                        memcmp(text + i, "\xe2\x80\xa6", 3) == 0;

        assert_true(is_whole);
    }
    close_world(&world);
}

static void what_strangers_type_is_escaped(void **state)
{
    static const char *const names[] = {"a\"b\\c", "line\nbreak\ttab",
                                        "</script><!channel>",
                                        "\xf0\x9f\x94\x94 \xe4\xba\x88"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct world world;
        const cJSON *contact;
        cJSON *json;

        print_message("%s\n", names[i]);
        open_world(&world, EVENT_RULE);
        world.entry.contact[ENTRY_CONTACT_NAME] = names[i];
        json = make_data(&world);
        contact = cJSON_GetObjectItemCaseSensitive(
            cJSON_GetObjectItemCaseSensitive(json, "event"), "contact");
        assert_string_equal(lb_json_text(contact, "name"), names[i]);
        assert_non_null(strstr(lb_json_text(json, "summary"), names[i]));
        cJSON_Delete(json);
        close_world(&world);
    }
}

static void links_reproduce_the_number(void **state)
{
    static const struct {
        const char *members; /* of a threshold rule */
        const char *group;
        const char *parts[4]; /* that stats_url must hold */
    } rows[] = {
        {"\"per\":[]",
         "{}",
         {"https://l.alice.bio/v1/stats?site=alice.bio", "metrics=clicks",
          "from=2026-11-23T08:10:02.115Z", "to=2026-11-23T08:15:02.115Z"}},
        {"\"per\":\"link\"",
         "{\"link\":\"book-call\"}",
         {"filter=link%20%3D%3D%20%22book-call%22", "metrics=clicks",
          "from=", "to="}},
        {"\"per\":\"city\"",
         "{\"city\":null}",
         {"filter=city%20%3D%3D%20null", "metrics=clicks", "from=", "to="}},
        {"\"match\":{\"utm_medium\":[\"a\",\"b c\"]}",
         "{}",
         {"filter=utm_medium%20%3D%3D%20%5B%22a%22%2C%20%22b%20c%22%5D",
          "metrics=clicks", "from=", "to="}},
        {"\"traffic\":\"all\"",
         "{}",
         {"traffic=all", "metrics=clicks", "from=", "to="}}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world world;
        char json_text[256];
        cJSON *json;

        print_message("%s\n", rows[i].members);
        (void)snprintf(json_text, sizeof(json_text),
                       "{\"id\":\"r\",\"kind\":\"threshold\",\"metric\":"
                       "\"clicks\",\"window\":\"5m\",\"above\":5,%s}",
                       rows[i].members);
        open_world(&world, json_text);
        world.alert.group = rows[i].group;
        world.alert.window_from_ms = RECEIVED_MS + 1 - 300000;
        world.alert.window_to_ms = RECEIVED_MS + 1;
        json = make_data(&world);
        print_message("  %s\n", lb_json_text(json, "stats_url"));
        for (int j = 0; j < 4; j++) {
            assert_non_null(
                strstr(lb_json_text(json, "stats_url"), rows[i].parts[j]));
        }
        cJSON_Delete(json);
        close_world(&world);
    }
}

static void a_glob_is_never_asked_for_as_a_plain_value(void **state)
{
    static const char *const rows[] = {"[\"b-*\"]", "[\"a\",\"b-*\"]",
                                       "[\"b-*\",\"a\"]"};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world world;
        char json_text[256];
        cJSON *json;

        print_message("%s\n", rows[i]);
        (void)snprintf(json_text, sizeof(json_text),
                       "{\"id\":\"r\",\"kind\":\"threshold\",\"metric\":"
                       "\"clicks\",\"window\":\"5m\",\"above\":5,\"match\":{"
                       "\"utm_medium\":%s}}",
                       rows[i]);
        open_world(&world, json_text);
        json = make_data(&world);
        assert_null(strstr(lb_json_text(json, "stats_url"), "%22b-%2A%22"));
        assert_null(strstr(lb_json_text(json, "stats_url"), "%22b-*%22"));
        cJSON_Delete(json);
        close_world(&world);
    }
}

static void the_day_in_a_link_is_the_sites_own(void **state)
{
    struct world world;
    cJSON *json;

    (void)state;
    open_world(&world, EVENT_RULE);
    world.entry.ts_at_ms = INT64_C(1795476600000); /* 23:30Z, 00:30 in Paris */
    json = make_data(&world);
    assert_string_equal(lb_json_text(json, "dashboard_url"),
                        "https://l.alice.bio/?site=alice.bio&from=2026-11-24");
    cJSON_Delete(json);
    close_world(&world);
}

static void a_body_is_type_time_and_data_without_spaces(void **state)
{
    struct lb_buf out;

    (void)state;
    lb_buf_init(&out, MESSAGE_BYTES);
    message_body("alert.fired", RECEIVED_MS, "{\"alert\":\"al_1\"}", &out);
    assert_string_equal(
        lb_buf_text(&out),
        "{\"type\":\"alert.fired\",\"timestamp\":\"2026-11-23T08:15:02.114Z\","
        "\"data\":{\"alert\":\"al_1\"}}");
    lb_buf_deinit(&out);
}

static void the_same_alert_makes_the_same_bytes(void **state)
{
    struct world world;
    char *first;
    cJSON *json;

    (void)state;
    open_world(&world, EVENT_RULE);
    world.entry.text[ENTRY_TEXT_PROPS] = "{\"b\":1,\"a\":2}";
    json = make_data(&world);
    first = strdup(lb_buf_text(&world.out));
    assert_non_null(first);
    cJSON_Delete(json);
    json = make_data(&world);
    assert_string_equal(lb_buf_text(&world.out), first);
    free(first);
    cJSON_Delete(json);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_has_its_keys_in_order_and_no_others),
        cmocka_unit_test(an_event_shows_value_and_props_as_they_came),
        cmocka_unit_test(the_data_of_an_event_leaves_out_what_does_not_apply),
        cmocka_unit_test(the_data_of_a_threshold_has_number_and_window),
        cmocka_unit_test(a_value_is_told_in_its_unit),
        cmocka_unit_test(a_summary_says_who_and_from_where),
        cmocka_unit_test(a_click_on_any_link_has_a_summary),
        cmocka_unit_test(a_first_visit_names_the_values_of_its_key),
        cmocka_unit_test(a_threshold_of_a_link_names_its_title),
        cmocka_unit_test(a_long_summary_is_cut_between_characters),
        cmocka_unit_test(what_strangers_type_is_escaped),
        cmocka_unit_test(links_reproduce_the_number),
        cmocka_unit_test(a_glob_is_never_asked_for_as_a_plain_value),
        cmocka_unit_test(the_day_in_a_link_is_the_sites_own),
        cmocka_unit_test(a_body_is_type_time_and_data_without_spaces),
        cmocka_unit_test(the_same_alert_makes_the_same_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
