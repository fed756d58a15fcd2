/* hubspot.c - a lead becomes a contact of HubSpot's CRM (batch upsert by
 * e-mail), and what came a note there.  A note has no key: after an answer
 * that nobody saw it is looked for before it is made. */
#include <stdio.h>
#include <string.h>

#include "alerts/destination.h"
#include "alerts/facts.h"
#include "base/json.h"
#include "base/text.h"

#define EMAIL_BYTES 320
#define VALUE_UNITS 1000
#define NOTE_UNITS 4000
#define WAIT_MS 10000 /* when the service does not say how long */

enum step {
    STEP_FIRST = 0, /* upsert; look for the note once the contact is known */
    STEP_NOTE = 1
};

static const char *const keys[] = {"token_env", "token_file", "properties",
                                   "map",       "note",       "note_on",
                                   "api",       NULL};

static void check_map(const struct lb_yaml *destination,
                      const char *key,
                      struct lb_config_faults *faults)
{
    const struct lb_yaml *map = lb_yaml_find(destination, key);

    if (map != NULL && map->kind != LB_YAML_MAP) {
        lb_config_fault(faults, map->line, map->column, key,
                        "must be a map of names, such as { %s }",
                        strcmp(key, "map") == 0 ? "event.utm.campaign: campaign"
                                                : "lifecyclestage: lead");
    }
}

static void check(const struct lb_yaml *destination,
                  struct lb_config_faults *faults)
{
    const struct lb_yaml *api = lb_yaml_find(destination, "api");

    check_map(destination, "properties", faults);
    check_map(destination, "map", faults);
    if (api != NULL &&
        (api->kind != LB_YAML_SCALAR ||
         (strcmp(api->text, "v3") != 0 && strcmp(api->text, "2026-03") != 0))) {
        lb_config_fault(faults, api->line, api->column, "api",
                        "must be v3 or 2026-03");
    }
}

/* HubSpot's key of a contact: lower case, trimmed; false: there is none. */
static bool read_email(const struct facts *facts, char out[EMAIL_BYTES])
{
    const char *text = facts->contact_email == NULL ? "" : facts->contact_email;
    size_t len;

    text += strspn(text, " \t");
    len = strcspn(text, " \t\r\n");
    if (len == 0 || len >= EMAIL_BYTES || memchr(text, '@', len) == NULL) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = lb_text_fold(text[i]);
    }
    out[len] = '\0';
    return true;
}

/* A contact's id by which alerts without one are noted; "" none. */
static void read_note_on(const struct destination *destination,
                         char out[DESTINATION_REMOTE_BYTES])
{
    const cJSON *item =
        cJSON_GetObjectItemCaseSensitive(destination->body, "note_on");

    out[0] = '\0';
    if (cJSON_IsString(item)) {
        (void)snprintf(out, DESTINATION_REMOTE_BYTES, "%.40s",
                       item->valuestring);
    } else if (cJSON_IsNumber(item)) {
        (void)snprintf(out, DESTINATION_REMOTE_BYTES, "%.0f",
                       item->valuedouble);
    }
}

static const char *hubspot_skips(const struct destination *destination,
                                 const struct destination_message *message)
{
    char email[EMAIL_BYTES];
    char note_on[DESTINATION_REMOTE_BYTES];
    struct facts facts;
    struct lb_error err;
    bool is_of_use;

    if (facts_read(destination, message, &facts, &err) != LB_OK) {
        return NULL; /* rendering says so */
    }
    read_note_on(destination, note_on);
    is_of_use = read_email(&facts, email) || note_on[0] != '\0';
    facts_free(&facts);
    return is_of_use ? NULL : "no_contact";
}

static void add_path(struct lb_buf *url,
                     const struct destination *destination,
                     const char *object)
{
    const char *api = lb_json_text(destination->body, "api");

    lb_buf_printf(url,
                  api != NULL && strcmp(api, "2026-03") == 0
                      ? "/crm/objects/2026-03/%s"
                      : "/crm/v3/objects/%s",
                  object);
}

static void add_property(struct lb_buf *out, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        lb_json_add_key(out, name);
        facts_add_json(out, text, VALUE_UNITS, NULL);
    }
}

static void add_name(struct lb_buf *out, const char *name)
{
    char first[256];
    size_t len = strcspn(name, " ");

    (void)snprintf(first, sizeof(first), "%.*s",
                   (int)(len < sizeof(first) ? len : sizeof(first) - 1), name);
    add_property(out, "firstname", first);
    name += len;
    add_property(out, "lastname", name + strspn(name, " "));
}

/* `map` by path of the message, `properties` as they stand. */
static void add_named(struct lb_buf *out,
                      const struct destination *destination,
                      const struct facts *facts)
{
    const cJSON *item;

    cJSON_ArrayForEach (
        item, cJSON_GetObjectItemCaseSensitive(destination->body, "map")) {
        const cJSON *value = facts_find(facts, item->string);

        if (value != NULL && cJSON_IsString(item)) {
            lb_json_add_key(out, item->valuestring);
            lb_json_add_item(out, value);
        }
    }
    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(
                                  destination->body, "properties")) {
        lb_json_add_key(out, item->string);
        lb_json_add_item(out, item);
    }
}

static void render_upsert(const struct destination *destination,
                          const struct destination_message *message,
                          const struct facts *facts,
                          struct destination_request *request)
{
    struct lb_buf *out = &request->body;
    char email[EMAIL_BYTES] = "";

    (void)read_email(facts, email);
    add_path(&request->url, destination, "contacts/batch/upsert");
    lb_buf_add_text(out, "{\"inputs\":[{\"idProperty\":\"email\",\"id\":");
    lb_json_add_plain_string(out, email);
    lb_json_add_key(out, "objectWriteTraceId");
    lb_json_add_plain_string(out, message->id);
    lb_json_add_key(out, "properties");
    lb_buf_add_text(out, "{\"email\":");
    lb_json_add_plain_string(out, email);
    if (facts->contact_name != NULL) {
        add_name(out, facts->contact_name);
    }
    add_property(
        out, "phone",
        lb_json_text(cJSON_GetObjectItemCaseSensitive(facts->event, "contact"),
                     "phone"));
    add_named(out, destination, facts);
    lb_buf_add_text(out, "}}]}");
}

static void render_search(const struct destination *destination,
                          const struct destination_message *message,
                          struct destination_request *request)
{
    add_path(&request->url, destination, "notes/search");
    lb_buf_add_text(&request->body,
                    "{\"filterGroups\":[{\"filters\":[{\"propertyName\":"
                    "\"hs_note_body\",\"operator\":\"CONTAINS_TOKEN\","
                    "\"value\":");
    lb_json_add_plain_string(&request->body, message->id);
    lb_buf_add_text(&request->body, "}]}],\"limit\":1}");
}

static void render_note(const struct destination *destination,
                        const struct destination_message *message,
                        const struct facts *facts,
                        struct destination_request *request)
{
    const cJSON *at = facts_find(facts, "event.ts");
    char contact[DESTINATION_REMOTE_BYTES];
    struct lb_buf text;

    read_note_on(destination, contact);
    if (message->remote_id[0] != '\0') {
        (void)snprintf(contact, sizeof(contact), "%s", message->remote_id);
    }
    add_path(&request->url, destination, "notes");
    lb_buf_init(&text, 65536);
    facts_add(&text, facts->summary, NOTE_UNITS, facts_escape_html);
    lb_buf_printf(&text, "<br>%s", message->id);
    lb_buf_add_text(&request->body, "{\"properties\":{\"hs_timestamp\":");
    lb_json_add_plain_string(&request->body,
                             at != NULL ? at->valuestring : facts->timestamp);
    lb_json_add_key(&request->body, "hs_note_body");
    lb_json_add_plain_string(&request->body, lb_buf_text(&text));
    lb_buf_add_text(&request->body, "},\"associations\":[{\"to\":{\"id\":");
    lb_json_add_plain_string(&request->body, contact);
    lb_buf_add_text(&request->body,
                    "},\"types\":[{\"associationCategory\":\"HUBSPOT_DEFINED\","
                    "\"associationTypeId\":202}]}]}");
    lb_buf_deinit(&text);
}

static enum lb_err hubspot_render(const struct destination *destination,
                                  const struct destination_message *message,
                                  struct destination_request *request,
                                  struct lb_error *err)
{
    char email[EMAIL_BYTES];
    struct facts facts;
    enum lb_err rc = facts_read(destination, message, &facts, err);

    if (rc != LB_OK) {
        return rc;
    }
    lb_buf_printf(&request->headers, "Authorization: Bearer %s\n",
                  destination->token);
    if (message->step == STEP_NOTE) {
        render_note(destination, message, &facts, request);
    } else if (message->remote_id[0] != '\0' || !read_email(&facts, email)) {
        render_search(destination, message, request);
    } else {
        render_upsert(destination, message, &facts, request);
    }
    facts_free(&facts);
    return LB_OK;
}

static void judge_refusal(const struct destination_answer *answer,
                          struct destination_verdict *verdict)
{
    switch (answer->status) {
    case 400:
        verdict->outcome = DESTINATION_PERMANENT;
        break;
    case 401:
    case 403:
        verdict->outcome = DESTINATION_AUTH;
        break;
    case 423:
    case 429:
        verdict->wait_ms =
            answer->retry_after_ms > 0 ? answer->retry_after_ms : WAIT_MS;
        break;
    default:
        break;
    }
}

/* The contact's id, or what was wrong with it (207). */
static void judge_upsert(const cJSON *json,
                         bool has_note,
                         struct destination_verdict *verdict)
{
    const cJSON *contact = cJSON_GetArrayItem(
        cJSON_GetObjectItemCaseSensitive(json, "results"), 0);
    const char *id = lb_json_text(contact, "id");

    if (id == NULL) {
        verdict->outcome = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(
                               json, "errors")) > 0
                               ? DESTINATION_PERMANENT
                               : DESTINATION_RETRY;
        return;
    }
    (void)snprintf(verdict->remote_id, sizeof(verdict->remote_id), "%.40s", id);
    verdict->outcome = has_note ? DESTINATION_NEXT : DESTINATION_SUCCESS;
    verdict->next_step = STEP_NOTE;
}

static void hubspot_judge(const struct destination *destination,
                          const struct destination_message *message,
                          const struct destination_answer *answer,
                          struct destination_verdict *verdict)
{
    bool has_note =
        lb_json_is_true(destination->body, "note") ||
        cJSON_GetObjectItemCaseSensitive(destination->body, "note_on") != NULL;
    cJSON *json;

    destination_judge(answer, verdict);
    if (verdict->outcome != DESTINATION_SUCCESS) {
        judge_refusal(answer, verdict);
        return;
    }
    json = cJSON_Parse(answer->body);
    if (message->step == STEP_FIRST) {
        if (cJSON_GetObjectItemCaseSensitive(json, "total") == NULL) {
            judge_upsert(json, has_note, verdict);
        } else if (lb_json_int(json, "total") == 0 && has_note) {
            verdict->outcome = DESTINATION_NEXT;
            verdict->next_step = STEP_NOTE;
        }
    }
    cJSON_Delete(json);
}

const struct destination_type hubspot_type = {.name = "hubspot",
                                              .place = DESTINATION_SERVICE,
                                              .service =
                                                  "https://api.hubapi.com",
                                              .token = "token",
                                              .rate = "5/s",
                                              .keys = keys,
                                              .needs_body = true,
                                              .is_of_people = true,
                                              .check = check,
                                              .skips = hubspot_skips,
                                              .render = hubspot_render,
                                              .judge = hubspot_judge};
