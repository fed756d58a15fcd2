/* hook_map.c - events by a map of fields. */
#include "ingest/hook_map.h"

#include <string.h>

#include "base/json.h"
#include "ingest/hook_path.h"

#define PROPS "props."

static const char *const fields[] = {"type",
                                     "id",
                                     "name",
                                     "link",
                                     "url",
                                     "referrer",
                                     "ts",
                                     "ip",
                                     "user_agent",
                                     "visitor",
                                     "country",
                                     "region",
                                     "city",
                                     "utm.source",
                                     "utm.medium",
                                     "utm.campaign",
                                     "utm.term",
                                     "utm.content",
                                     "value.amount",
                                     "value.currency",
                                     "contact.email",
                                     "contact.name",
                                     "contact.message",
                                     "contact.phone",
                                     NULL};

bool hook_map_is_field(const char *name)
{
    if (strncmp(name, PROPS, sizeof(PROPS) - 1) == 0) {
        return name[sizeof(PROPS) - 1] != '\0';
    }
    for (size_t i = 0; fields[i] != NULL; i++) {
        if (strcmp(name, fields[i]) == 0) {
            return true;
        }
    }
    return false;
}

const char *const *hook_map_fields(void)
{
    return fields;
}

/* What a value of the map stands for in this body; NULL: nothing. */
static const cJSON *
look_up(const cJSON *value, const cJSON *body, bool *is_twice)
{
    if (cJSON_IsString(value) && hook_path_is_path(value->valuestring)) {
        value = hook_path_find(body, value->valuestring, is_twice);
    }
    return cJSON_IsNull(value) ? NULL : value;
}

/* The event's type; false when its value is not in the table. */
static bool
put_type(const cJSON *spec, const cJSON *body, cJSON *event, bool *is_twice)
{
    const cJSON *words = cJSON_GetObjectItemCaseSensitive(spec, "is");
    const cJSON *value;
    const char *word;

    if (!cJSON_IsObject(spec)) {
        hook_event_put_as_text(event, "type", look_up(spec, body, is_twice));
        return true;
    }
    value =
        look_up(cJSON_GetObjectItemCaseSensitive(spec, "path"), body, is_twice);
    hook_event_put_as_text(event, "type", value);
    word = lb_json_text(event, "type");
    if (word == NULL || words == NULL) {
        return true;
    }
    value = cJSON_GetObjectItemCaseSensitive(words, word);
    cJSON_DeleteItemFromObjectCaseSensitive(event, "type");
    hook_event_put(event, "type", value);
    return cJSON_IsString(value);
}

static void put_field(cJSON *event, const char *name, const cJSON *value)
{
    if (value == NULL) {
        return;
    }
    if (strcmp(name, "ts") == 0) {
        hook_event_put_time(event, value);
    } else if (strcmp(name, "value.amount") == 0) {
        hook_event_put_amount(event, value);
    } else if (strncmp(name, PROPS, sizeof(PROPS) - 1) == 0) {
        hook_event_put(event, name, value);
    } else {
        hook_event_put_as_text(event, name, value);
    }
}

static void write_one(const cJSON *map,
                      const cJSON *body,
                      struct hook_events *events,
                      size_t index)
{
    cJSON *event = cJSON_CreateObject();
    bool is_twice = false;
    const cJSON *item;

    if (!put_type(cJSON_GetObjectItemCaseSensitive(map, "type"), body, event,
                  &is_twice)) {
        events->ignored_count++;
        cJSON_Delete(event);
        return;
    }
    cJSON_ArrayForEach (item, map) {
        if (strcmp(item->string, "type") != 0) {
            put_field(event, item->string, look_up(item, body, &is_twice));
        }
    }
    /* A currency is nothing without its amount. */
    if (!cJSON_HasObjectItem(cJSON_GetObjectItemCaseSensitive(event, "value"),
                             "amount")) {
        cJSON_DeleteItemFromObjectCaseSensitive(event, "value");
    }
    if (is_twice) {
        events->fault = "a key that the map reads stands twice in its object";
    }
    hook_events_add(events, event, index);
}

void hook_map_write(const cJSON *source,
                    const cJSON *body,
                    struct hook_events *events)
{
    const cJSON *map = cJSON_GetObjectItemCaseSensitive(source, "map");
    const char *each = lb_json_text(source, "each");
    const cJSON *list;
    const cJSON *item;
    bool is_twice = false;
    size_t index = 0;

    if (each == NULL) {
        write_one(map, body, events, 0);
        return;
    }
    list = hook_path_find(body, each, &is_twice);
    if (!cJSON_IsArray(list)) {
        events->fault = "what the path of each leads to is no list";
        return;
    }
    cJSON_ArrayForEach (item, list) {
        if (events->count <= events->max_count) {
            write_one(map, item, events, ++index);
        }
    }
}
