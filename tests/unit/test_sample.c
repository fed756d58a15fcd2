/* test_sample.c - made-up alerts of every kind, as whole messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/message.h"
#include "alerts/sample.h"
#include "base/json.h"

#define NOW_MS INT64_C(1795421702114)

static void every_kind_has_a_sample_in_its_own_form(void **state)
{
    static const struct {
        const char *rule;
        const char *summary;
    } rows[] = {
        {"\"kind\":\"event\",\"match\":{\"type\":\"lead\"}",
         "New lead on alice.bio: Sam Sample, campaign spring"},
        {"\"kind\":\"first_seen\",\"key\":[\"utm_campaign\"]",
         "First conversion on alice.bio from utm_campaign spring"},
        {"\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"5m\","
         "\"above\":500",
         "501 clicks on alice.bio in 5 minutes, more than 500"},
        {"\"kind\":\"threshold\",\"metric\":\"value\",\"window\":\"5m\","
         "\"below\":5",
         "2.5 value on alice.bio in 5 minutes, less than 5"},
        {"\"kind\":\"burst\",\"metric\":\"clicks\",\"window\":\"1m\","
         "\"above\":30,\"per\":[\"visitor\"]",
         "31 clicks of one visitor on alice.bio in 1 minute, more than 30"},
        {"\"kind\":\"milestone\",\"metric\":\"leads\",\"every\":100",
         "100 leads on alice.bio"},
        {"\"kind\":\"absent\",\"metric\":\"views\",\"window\":\"6h\"",
         "No views on alice.bio for 6 hours"},
        {"\"kind\":\"not_pulled\",\"export\":\"stats\",\"after\":\"26h\"",
         "The stats export of alice.bio has not been pulled for 26 hours"},
        {"\"kind\":\"ctr\",\"window\":\"1d\"",
         "14.0 clicks on 100 views of alice.bio in 1 day, where 20.0 are "
         "usual"},
        {"\"kind\":\"event\",\"template\":\"{{event.country}}!\"", "FR!"},
    };
    const struct lb_zone *zone = NULL;
    struct lb_error err;

    (void)state;
    assert_int_equal(lb_zone_find("Europe/Paris", &zone, &err), LB_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct catalog_site site = {
            .number = 1, .id = "alice.bio", .zone = zone};
        struct rule rule;
        struct sample sample = {
            &rule, &site, "te_0123456789abcdef", "hook", "https://x.example",
            NOW_MS};
        struct lb_buf out;
        char json[300];
        const cJSON *data;
        cJSON *body;
        cJSON *parsed;

        print_message("%s\n", rows[i].rule);
        (void)snprintf(json, sizeof(json), "{\"id\":\"r\",%s}", rows[i].rule);
        parsed = cJSON_Parse(json);
        assert_int_equal(rule_read(parsed, &rule, &err), LB_OK);
        lb_buf_init(&out, MESSAGE_BYTES);
        sample_write(&sample, &out);
        body = cJSON_Parse(lb_buf_text(&out));
        assert_non_null(body);
        assert_string_equal(lb_json_text(body, "type"), "test");
        data = cJSON_GetObjectItemCaseSensitive(body, "data");
        assert_string_equal(lb_json_text(data, "alert"), sample.id);
        assert_string_equal(lb_json_text(data, "rule"), "r");
        assert_string_equal(lb_json_text(data, "destination"), "hook");
        assert_string_equal(lb_json_text(data, "summary"), rows[i].summary);
        cJSON_Delete(body);
        cJSON_Delete(parsed);
        lb_buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_sample_in_its_own_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
