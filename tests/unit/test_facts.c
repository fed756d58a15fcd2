/* test_facts.c - texts within a service's limits, and contact that stays
 * behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/facts.h"
#include "base/json.h"

static const char lead[] =
    "{\"type\":\"alert.fired\",\"timestamp\":\"2026-11-23T08:15:02.114Z\","
    "\"data\":{\"alert\":\"al_1\",\"rule\":\"r\",\"kind\":\"event\","
    "\"severity\":\"info\",\"site\":\"alice.bio\",\"group\":{},"
    "\"summary\":\"New lead on alice.bio: Zoe, campaign spring\","
    "\"event\":{\"type\":\"lead\",\"utm\":{\"campaign\":\"spring\"},"
    "\"contact\":{\"email\":\"z@x\",\"name\":\"Zoe\"}}}}";

static const char *escape(char c)
{
    return c == '&' ? "&amp;" : NULL;
}

static void a_text_is_cut_at_a_character_within_the_limit(void **state)
{
    static const struct {
        const char *text;
        size_t max_units;
        const char *want;
    } cases[] = {
        {"", 3, ""},
        {"abc", 3, "abc"},
        {"abcd", 3, "ab\xe2\x80\xa6"},
        {"\xc3\xa9\xc3\xa9\xc3\xa9", 2, "\xc3\xa9\xe2\x80\xa6"},
        {"\xf0\x9f\x94\x94", 2, "\xf0\x9f\x94\x94"},
        {"\xf0\x9f\x94\x94x", 2, "\xe2\x80\xa6"}, /* a bell has two units */
        {"&x", 6, "&amp;x"},
        {"&x", 5, "\xe2\x80\xa6"},
        {"&xy", 6, "&amp;\xe2\x80\xa6"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_buf out;

        lb_buf_init(&out, 1024);
        facts_add(&out, cases[i].text, cases[i].max_units, escape);
        assert_string_equal(lb_buf_text(&out), cases[i].want);
        assert_true(facts_units(lb_buf_text(&out)) <= cases[i].max_units);
        lb_buf_deinit(&out);
    }
}

static void read_lead(const char *contact, struct facts *facts, cJSON **body)
{
    static struct destination destination;
    const struct destination_message message = {.id = "al_1", .body = lead};
    struct lb_error err;

    *body = cJSON_Parse(contact);
    destination = (struct destination){.type = &webhook_type, .body = *body};
    assert_int_equal(facts_read(&destination, &message, facts, &err), LB_OK);
}

static void a_contact_is_in_no_text_of_a_destination_without_it(void **state)
{
    struct facts facts;
    cJSON *body;

    (void)state;
    read_lead("{}", &facts, &body);
    assert_string_equal(facts.contact_name, "Zoe");
    assert_string_equal(facts.contact_email, "z@x");
    assert_string_equal(facts.title, "New lead on alice.bio");
    facts_free(&facts);
    cJSON_Delete(body);

    read_lead("{\"contact\":[\"email\"]}", &facts, &body);
    assert_null(facts.contact_name);
    assert_string_equal(facts.contact_email, "z@x");
    assert_string_equal(facts.summary,
                        "New lead on alice.bio, campaign spring");
    facts_free(&facts);
    cJSON_Delete(body);

    read_lead("{\"contact\":[]}", &facts, &body);
    assert_null(facts.contact_email);
    assert_null(cJSON_GetObjectItemCaseSensitive(facts.event, "contact"));
    facts_free(&facts);
    cJSON_Delete(body);
}

static void a_damaged_message_is_an_error(void **state)
{
    static const char *const bodies[] = {"", "{", "[]", "{\"data\":{}}",
                                         "{\"type\":\"test\"}"};
    struct destination destination = {.type = &webhook_type};
    struct facts facts;
    struct lb_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        const struct destination_message message = {.id = "al_1",
                                                    .body = bodies[i]};

        assert_int_equal(facts_read(&destination, &message, &facts, &err),
                         LB_EFORMAT);
        facts_free(&facts);
    }
}

static void a_rate_is_the_time_between_two(void **state)
{
    static const struct {
        const char *text;
        int64_t spacing_us;
    } cases[] = {{"1/s", 1000000}, {"5/s", 200000},      {"30/m", 2000000},
                 {"5/2s", 400000}, {"1/1h", 3600000000}, {"", -1},
                 {"5", -1},        {"5/", -1},           {"0/s", -1},
                 {"5/x", -1},      {"5/sec", -1},        {"-1/s", -1},
                 {"5/0s", -1}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t spacing_us = -1;

        assert_int_equal(destination_read_rate(cases[i].text, &spacing_us),
                         cases[i].spacing_us >= 0);
        assert_int_equal(spacing_us, cases[i].spacing_us);
    }
}

/* In a rule's own words, and in a digest of such alerts and usual ones. */
static void no_words_and_no_digest_tell_it_either(void **state)
{
    static const char digest[] =
        "{\"type\":\"alert.digest\",\"data\":{\"digest\":\"dg_1\",\"rule\":"
        "\"r\","
        "\"site\":\"alice.bio\",\"count\":2,"
        "\"summary\":\"2 alerts of r on alice.bio\\n- Zoe (z@x)\\n- New lead "
        "on "
        "alice.bio: Bob\",\"alerts\":["
        "{\"summary\":\"Zoe (z@x)\",\"templated\":true,\"event\":{\"contact\":{"
        "\"email\":\"z@x\",\"name\":\"Zoe\"}}},"
        "{\"summary\":\"New lead on alice.bio: Bob\",\"event\":{\"contact\":{"
        "\"name\":\"Bob\"}}}]}}";
    const struct destination_message message = {.id = "dg_1", .body = digest};
    struct destination destination = {.type = &webhook_type};
    const cJSON *alerts;
    struct facts facts;
    struct lb_error err;
    cJSON *body = cJSON_Parse("{\"contact\":[\"email\"]}");

    (void)state;
    destination.body = body;
    assert_int_equal(facts_read(&destination, &message, &facts, &err), LB_OK);
    assert_string_equal(facts.title, "Digest on alice.bio");
    assert_string_equal(facts.summary,
                        "2 alerts of r on alice.bio\n-  (z@x)\n- "
                        "New lead on alice.bio");
    alerts = cJSON_GetObjectItemCaseSensitive(facts.data, "alerts");
    assert_string_equal(lb_json_text(alerts->child, "summary"), " (z@x)");
    assert_string_equal(lb_json_text(alerts->child->next, "summary"),
                        "New lead on alice.bio");
    facts_free(&facts);
    cJSON_Delete(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_cut_at_a_character_within_the_limit),
        cmocka_unit_test(a_contact_is_in_no_text_of_a_destination_without_it),
        cmocka_unit_test(no_words_and_no_digest_tell_it_either),
        cmocka_unit_test(a_damaged_message_is_an_error),
        cmocka_unit_test(a_rate_is_the_time_between_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
