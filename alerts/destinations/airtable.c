/* airtable.c - a record of an Airtable base, upserted by the fields of
 * merge_on, so a repeat changes the record that it made. */
#include <stdio.h>
#include <string.h>

#include "alerts/destination.h"
#include "alerts/facts.h"
#include "base/json.h"
#include "base/text.h"

#define WAIT_MS 30000 /* Airtable refuses for so long after too many calls */
#define ID_FIELD "Linkbell ID"

static const char *const keys[] = {"token_env", "token_file", "base", "table",
                                   "merge_on",  "fields",     NULL};
static const char *const needs[] = {"base", "table", NULL};

static void check(const struct lb_yaml *destination,
                  struct lb_config_faults *faults)
{
    const struct lb_yaml *fields = lb_yaml_find(destination, "fields");
    const struct lb_yaml *merge_on = lb_yaml_find(destination, "merge_on");
    const struct lb_yaml *item;

    if (fields != NULL && fields->kind != LB_YAML_MAP) {
        lb_config_fault(faults, fields->line, fields->column, "fields",
                        "must be a map of columns to what stands there, such "
                        "as { Email: event.contact.email }");
        return;
    }
    if (merge_on != NULL && merge_on->kind != LB_YAML_LIST) {
        lb_config_fault(faults, merge_on->line, merge_on->column, "merge_on",
                        "must be a list of one to three columns");
        return;
    }
    item = merge_on == NULL ? NULL : merge_on->child;
    for (; item != NULL && fields != NULL; item = item->next) {
        if (item->kind != LB_YAML_SCALAR ||
            lb_yaml_find(fields, item->text) == NULL) {
            lb_config_fault(faults, item->line, item->column, "merge_on",
                            "is no column of fields");
        }
    }
    if (fields != NULL && merge_on == NULL &&
        lb_yaml_find(fields, ID_FIELD) == NULL) {
        lb_config_fault(faults, fields->line, fields->column, "fields",
                        "has no \"" ID_FIELD "\": id; add it, or say by which "
                        "columns to merge_on");
    }
}

static void add_field(struct lb_buf *out, const char *name, const cJSON *value)
{
    if (value != NULL) { /* empty ones are left out: they would erase */
        lb_json_add_key(out, name);
        lb_json_add_item(out, value);
    }
}

static void add_fields(struct lb_buf *out,
                       const struct destination *destination,
                       const struct facts *facts)
{
    const cJSON *fields =
        cJSON_GetObjectItemCaseSensitive(destination->body, "fields");
    const cJSON *item;

    if (fields == NULL) {
        add_field(out, ID_FIELD, facts_find(facts, "id"));
        add_field(out, "Summary", facts_find(facts, "summary"));
        add_field(out, "Time", facts_find(facts, "timestamp"));
        return;
    }
    cJSON_ArrayForEach (item, fields) {
        if (cJSON_IsString(item)) {
            add_field(out, item->string, facts_find(facts, item->valuestring));
        }
    }
}

static enum lb_err airtable_render(const struct destination *destination,
                                   const struct destination_message *message,
                                   struct destination_request *request,
                                   struct lb_error *err)
{
    const cJSON *merge_on =
        cJSON_GetObjectItemCaseSensitive(destination->body, "merge_on");
    const char *base = lb_json_text(destination->body, "base");
    const char *table = lb_json_text(destination->body, "table");
    struct facts facts;
    enum lb_err rc = facts_read(destination, message, &facts, err);

    if (rc != LB_OK) {
        return rc;
    }
    request->method = "PATCH";
    lb_buf_printf(&request->headers, "Authorization: Bearer %s\n",
                  destination->token);
    lb_buf_add_text(&request->url, "/v0/");
    lb_text_percent_encode(&request->url, base == NULL ? "" : base);
    lb_buf_add_char(&request->url, '/');
    lb_text_percent_encode(&request->url, table == NULL ? "" : table);
    lb_buf_add_text(&request->body, "{\"performUpsert\":{\"fieldsToMergeOn\":");
    if (merge_on == NULL) {
        lb_buf_add_text(&request->body, "[\"" ID_FIELD "\"]");
    } else {
        lb_json_add_item(&request->body, merge_on);
    }
    lb_buf_add_text(&request->body,
                    "},\"typecast\":true,\"records\":[{\"fields\":{");
    add_fields(&request->body, destination, &facts);
    lb_buf_add_text(&request->body, "}}]}");
    facts_free(&facts);
    return LB_OK;
}

static void airtable_judge(const struct destination *destination,
                           const struct destination_message *message,
                           const struct destination_answer *answer,
                           struct destination_verdict *verdict)
{
    cJSON *json = cJSON_Parse(answer->body);
    const char *id =
        lb_json_text(cJSON_GetArrayItem(
                         cJSON_GetObjectItemCaseSensitive(json, "records"), 0),
                     "id");

    (void)destination;
    (void)message;
    destination_judge(answer, verdict);
    switch (answer->status) {
    case 400:
    case 422:
        verdict->outcome = DESTINATION_PERMANENT;
        break;
    case 401:
    case 403:
        verdict->outcome = DESTINATION_AUTH;
        break;
    case 404:
        verdict->outcome = DESTINATION_DISABLE;
        break;
    case 429:
        verdict->wait_ms =
            answer->retry_after_ms > 0 ? answer->retry_after_ms : WAIT_MS;
        break;
    default:
        break;
    }
    if (verdict->outcome == DESTINATION_SUCCESS && id != NULL) {
        (void)snprintf(verdict->remote_id, sizeof(verdict->remote_id), "%.40s",
                       id);
    }
    cJSON_Delete(json);
}

const struct destination_type airtable_type = {.name = "airtable",
                                               .place = DESTINATION_SERVICE,
                                               .service =
                                                   "https://api.airtable.com",
                                               .token = "token",
                                               .rate = "4/s",
                                               .keys = keys,
                                               .needs = needs,
                                               .needs_body = true,
                                               .check = check,
                                               .render = airtable_render,
                                               .judge = airtable_judge};
