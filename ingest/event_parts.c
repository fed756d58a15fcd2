/* event_parts.c - the objects within an event. */
#include "ingest/event_parts.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "sql/erase.h"

#define CONTACT_MESSAGE_BYTES 4096
#define PROP_BYTES 512

static const char *const contact_names[ENTRY_CONTACT_COUNT] = {
    "email", "name", "message", "phone"};
static const char *const contact_paths[ENTRY_CONTACT_COUNT] = {
    "contact.email", "contact.name", "contact.message", "contact.phone"};

bool event_parts_check_text(const struct event_context *context,
                            const char *path,
                            const cJSON *item,
                            size_t max_bytes,
                            struct event_fault *fault)
{
    size_t max = max_bytes == 0 ? context->text_bytes : max_bytes;

    if (!cJSON_IsString(item)) {
        return event_fault_set(fault, "bad_type", path, "%s must be a text",
                               path);
    }
    if (!context->is_length_free && strlen(item->valuestring) > max) {
        return event_fault_set(fault, "too_long", path,
                               "%s has %zu bytes; %zu are taken", path,
                               strlen(item->valuestring), max);
    }
    return true;
}

bool event_parts_read_value(const cJSON *object,
                            struct event *event,
                            struct event_fault *fault)
{
    struct entry *entry = &event->entry;
    const cJSON *amount = NULL;
    const cJSON *currency = NULL;

    if (object == NULL) {
        return true;
    }
    if (!cJSON_IsObject(object)) {
        return event_fault_set(
            fault, "bad_type", "value",
            "value must be an object with amount and currency");
    }
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        const cJSON **slot = strcmp(item->string, "amount") == 0     ? &amount
                             : strcmp(item->string, "currency") == 0 ? &currency
                                                                     : NULL;

        if (slot == NULL) {
            return event_fault_set(
                fault, "unknown_field", event_fault_shown(item->string),
                "\"%.60s\" is no key of value; they are amount and currency",
                event_fault_shown(item->string));
        }
        if (*slot != NULL) {
            return event_fault_set(fault, "duplicate_key", "value",
                                   "%s stands in value twice",
                                   event_fault_shown(item->string));
        }
        *slot = item;
    }
    if (amount == NULL || currency == NULL) {
        return event_fault_set(fault, "missing_field",
                               amount == NULL ? "value.amount"
                                              : "value.currency",
                               "value needs amount and currency");
    }
    if (!cJSON_IsNumber(amount)) {
        return event_fault_set(fault, "bad_type", "value.amount",
                               "value.amount must be a number");
    }
    if (!lb_json_to_hundredths(amount, &entry->amount_hundredths)) {
        return event_fault_set(
            fault, "bad_value", "value.amount",
            "value.amount must have 2 places at most and be at most 10^12");
    }
    if (!cJSON_IsString(currency) || strlen(currency->valuestring) != 3 ||
        !lb_text_is_made_of(currency->valuestring, "A-Z", 3)) {
        return event_fault_set(fault, "bad_value", "value.currency",
                               "value.currency must be three letters A-Z");
    }
    entry->has_amount = true;
    entry->text[ENTRY_TEXT_CURRENCY] = currency->valuestring;
    return true;
}

/* The field's number; ENTRY_CONTACT_COUNT: there is none of that name. */
static int contact_field(const char *name)
{
    int field = 0;

    while (field < ENTRY_CONTACT_COUNT &&
           strcmp(contact_names[field], name) != 0) {
        field++;
    }
    return field;
}

bool event_parts_read_contact(const struct event_context *context,
                              const cJSON *object,
                              struct event *event,
                              struct event_fault *fault)
{
    const char *twice;

    if (object == NULL) {
        return true;
    }
    if (!cJSON_IsObject(object)) {
        return event_fault_set(
            fault, "bad_type", "contact",
            "contact must be an object with email, name, message, phone");
    }
    twice = lb_json_find_duplicate_key(object);
    if (twice != NULL) {
        return event_fault_set(fault, "duplicate_key", "contact",
                               "%.60s stands in contact twice",
                               event_fault_shown(twice));
    }
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        int field = contact_field(item->string);

        if (field == ENTRY_CONTACT_COUNT) {
            return event_fault_set(
                fault, "unknown_field", event_fault_shown(item->string),
                "\"%.60s\" is no key of contact; they are email, name, "
                "message, phone",
                event_fault_shown(item->string));
        }
        if (cJSON_IsNull(item)) {
            continue;
        }
        if (!event_parts_check_text(
                context, contact_paths[field], item,
                field == ENTRY_CONTACT_MESSAGE ? CONTACT_MESSAGE_BYTES : 0,
                fault)) {
            return false;
        }
        if (field == ENTRY_CONTACT_EMAIL && item->valuestring[0] != '\0') {
            event->entry.email_hash =
                erase_email_hash(context->id_key, item->valuestring);
        }
        if (context->is_contact_kept[field] && item->valuestring[0] != '\0') {
            event->entry.contact[field] = item->valuestring;
        }
    }
    return true;
}

static bool is_prop_short(const struct event_context *context,
                          const cJSON *item)
{
    if (item->string[0] == '\0') {
        return false;
    }
    return context->is_length_free ||
           (strlen(item->string) <= context->text_bytes &&
            (!cJSON_IsString(item) || strlen(item->valuestring) <= PROP_BYTES));
}

bool event_parts_read_props(const struct event_context *context,
                            const cJSON *object,
                            struct lb_arena *arena,
                            struct event *event,
                            struct event_fault *fault)
{
    struct lb_buf text;
    const char *twice;
    size_t count = 0;

    if (object == NULL || (cJSON_IsObject(object) && object->child == NULL)) {
        return true;
    }
    if (!cJSON_IsObject(object)) {
        return event_fault_set(fault, "bad_type", "props",
                               "props must be a flat object");
    }
    twice = lb_json_find_duplicate_key(object);
    if (twice != NULL) {
        return event_fault_set(fault, "duplicate_key", "props",
                               "%.60s stands in props twice",
                               event_fault_shown(twice));
    }
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        if (!cJSON_IsString(item) && !cJSON_IsNumber(item) &&
            !cJSON_IsBool(item)) {
            return event_fault_set(
                fault, "bad_type", "props",
                "props.%.60s must be a text, a number, true or false",
                event_fault_shown(item->string));
        }
        if (++count > EVENT_PROPS) {
            return event_fault_set(fault, "bad_value", "props",
                                   "props has more than %d pairs", EVENT_PROPS);
        }
        if (!is_prop_short(context, item)) {
            return event_fault_set(
                fault, "too_long", "props",
                "props.%.60s: a name has 1 to %zu bytes, a value at most %d",
                event_fault_shown(item->string), context->text_bytes,
                PROP_BYTES);
        }
    }
    lb_buf_init(&text, (size_t)256 * 1024);
    lb_json_add_item(&text, object);
    event->entry.text[ENTRY_TEXT_PROPS] =
        lb_arena_text(arena, lb_buf_text(&text), text.len);
    lb_buf_deinit(&text);
    return event->entry.text[ENTRY_TEXT_PROPS] != NULL ||
           event_fault_set(fault, "internal", NULL, "out of memory");
}
