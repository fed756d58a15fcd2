/* pagerduty.c - PagerDuty's Events API v2: an alert triggers an incident, its
 * resolution resolves it; the alert's id is dedup_key, so a repeat folds into
 * the same one.  Limits kept: summary 1,024, event 512 KB. */
#include <string.h>

#include "alerts/destination.h"
#include "alerts/facts.h"
#include "base/json.h"

#define SUMMARY_UNITS 1024
#define VALUE_UNITS 1024

static const char *const keys[] = {"routing_key_env", "routing_key_file",
                                   "region", NULL};

static void check(const struct lb_yaml *destination,
                  struct lb_config_faults *faults)
{
    const struct lb_yaml *region = lb_yaml_find(destination, "region");

    if (region != NULL &&
        (region->kind != LB_YAML_SCALAR || (strcmp(region->text, "us") != 0 &&
                                            strcmp(region->text, "eu") != 0))) {
        lb_config_fault(faults, region->line, region->column, "region",
                        "must be us or eu");
    }
}

static void add_text(struct lb_buf *out, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        lb_json_add_key(out, key);
        facts_add_json(out, text, VALUE_UNITS, NULL);
    }
}

static void add_item(struct lb_buf *out, const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    if (item != NULL && !cJSON_IsNull(item)) {
        lb_json_add_key(out, key);
        lb_json_add_item(out, item);
    }
}

static void add_details(struct lb_buf *out, const struct facts *facts)
{
    static const char *const of_data[] = {"metric", "value", "expected",
                                          "window", "contributors"};
    static const char *const of_event[] = {
        "type", "name", "link", "country", "source", "utm", "contact", "value"};

    lb_json_add_key(out, "custom_details");
    lb_buf_add_char(out, '{');
    for (size_t i = 0; i < sizeof(of_data) / sizeof(of_data[0]); i++) {
        add_item(out, facts->data, of_data[i]);
    }
    for (size_t i = 0; i < sizeof(of_event) / sizeof(of_event[0]); i++) {
        add_item(out, facts->event, of_event[i]);
    }
    lb_buf_add_char(out, '}');
}

static void add_payload(struct lb_buf *out, const struct facts *facts)
{
    const cJSON *group = cJSON_GetObjectItemCaseSensitive(facts->data, "group");
    const char *severity = lb_json_text(facts->data, "severity");
    const char *site = lb_json_text(facts->data, "site");

    lb_buf_add_text(out, ",\"payload\":{\"summary\":");
    facts_add_json(out, facts->summary, SUMMARY_UNITS, NULL);
    add_text(out, "source", site == NULL ? "linkbell" : site);
    add_text(out, "severity", severity == NULL ? "info" : severity);
    add_text(out, "timestamp", facts->timestamp);
    add_text(out, "component", lb_json_text(group, "link"));
    if (facts->event == NULL || cJSON_IsNull(facts->event)) {
        add_text(out, "group", site);
    }
    add_text(out, "class", lb_json_text(facts->data, "rule"));
    add_details(out, facts);
    lb_buf_add_char(out, '}');
}

static enum lb_err pagerduty_render(const struct destination *destination,
                                    const struct destination_message *message,
                                    struct destination_request *request,
                                    struct lb_error *err)
{
    struct lb_buf *out = &request->body;
    const char *region = lb_json_text(destination->body, "region");
    struct facts facts;
    enum lb_err rc = facts_read(destination, message, &facts, err);
    bool is_over;

    if (rc != LB_OK) {
        return rc;
    }
    if (region != NULL && strcmp(region, "eu") == 0 &&
        lb_json_text(destination->body, "base_url") == NULL) {
        lb_buf_clear(&request->url);
        lb_buf_add_text(&request->url, "https://events.eu.pagerduty.com");
    }
    lb_buf_add_text(&request->url, "/v2/enqueue");
    is_over = strcmp(facts.type, "alert.resolved") == 0;
    lb_buf_add_text(out, "{\"routing_key\":");
    lb_json_add_plain_string(out, destination->token);
    lb_buf_printf(out, ",\"event_action\":\"%s\",\"dedup_key\":",
                  is_over ? "resolve" : "trigger");
    lb_json_add_plain_string(out, facts.alert);
    if (!is_over) {
        lb_buf_add_text(out, ",\"client\":\"linkbell\"");
        add_text(out, "client_url", facts.url);
        add_payload(out, &facts);
    }
    lb_buf_add_char(out, '}');
    facts_free(&facts);
    return LB_OK;
}

static void pagerduty_judge(const struct destination *destination,
                            const struct destination_message *message,
                            const struct destination_answer *answer,
                            struct destination_verdict *verdict)
{
    (void)destination;
    (void)message;
    destination_judge(answer, verdict);
    if (answer->status == 400) {
        verdict->outcome = DESTINATION_PERMANENT;
    } else if (answer->status == 403) {
        /* What PagerDuty calls forbidden is a limit on calls. */
        verdict->outcome = DESTINATION_THROTTLED;
        verdict->wait_ms = answer->retry_after_ms;
    }
}

const struct destination_type pagerduty_type = {
    .name = "pagerduty",
    .place = DESTINATION_SERVICE,
    .service = "https://events.pagerduty.com",
    .token = "routing_key",
    .rate = "2/s",
    .keys = keys,
    .is_without_contact = true,
    .check = check,
    .render = pagerduty_render,
    .judge = pagerduty_judge};
