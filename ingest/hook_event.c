/* hook_event.c - native events out of a delivery's fields. */
#include "ingest/hook_event.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/zone.h"

#define ID_KEY_BYTES 16
#define NUMBER_BYTES 64
#define GROUP_BYTES 16                /* "contact" and its like */
#define EXACT_MOST 9007199254740992.0 /* 2^53: past it digits get lost */
#define SECONDS_MOST 1e11             /* as milliseconds the year 1973 */

static const char *const dedupes[HOOK_EVENT_DEDUPE_COUNT] = {"off", "leads",
                                                             "body"};

const char *hook_event_dedupe_name(enum hook_event_dedupe dedupe)
{
    return dedupes[dedupe];
}

bool hook_event_dedupe_find(const char *name,
                            enum hook_event_dedupe *dedupe_out)
{
    for (int i = 0; i < HOOK_EVENT_DEDUPE_COUNT; i++) {
        if (strcmp(name, dedupes[i]) == 0) {
            *dedupe_out = (enum hook_event_dedupe)i;
            return true;
        }
    }
    return false;
}

void hook_event_make_id(const uint8_t key[16],
                        const char *first,
                        const void *bytes,
                        size_t len,
                        char out[HOOK_EVENT_ID_BYTES])
{
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    struct lb_secret_hmac hmac;
    SHA256_CTX message;

    lb_secret_hmac_init(&hmac, key, ID_KEY_BYTES);
    lb_secret_hmac_start(&hmac, &message);
    lb_secret_hmac_add(&message, first, strlen(first) + 1);
    lb_secret_hmac_add(&message, bytes, len);
    lb_secret_hmac_finish(&hmac, &message, digest);
    (void)snprintf(out, HOOK_EVENT_ID_BYTES, "in_");
    lb_text_to_hex(digest, (HOOK_EVENT_ID_BYTES - 4) / 2, out + 3);
}

void hook_events_init(struct hook_events *events, size_t max_bytes)
{
    memset(events, 0, sizeof(*events));
    lb_buf_init(&events->json, max_bytes);
    lb_buf_add_char(&events->json, '[');
}

void hook_events_deinit(struct hook_events *events)
{
    lb_buf_deinit(&events->json);
}

/* --- ids ------------------------------------------------------------------ */

static bool is_same_as_body(const struct hook_events *events,
                            const cJSON *event)
{
    const char *type = lb_json_text(event, "type");

    return events->dedupe == HOOK_EVENT_DEDUPE_BODY ||
           (events->dedupe == HOOK_EVENT_DEDUPE_LEADS && type != NULL &&
            strcmp(type, "lead") == 0);
}

static void put_id(struct hook_events *events, cJSON *event, size_t index)
{
    const cJSON *own = cJSON_GetObjectItemCaseSensitive(event, "id");
    const char *given = events->delivery_id;
    char id[HOOK_EVENT_ID_BYTES + NUMBER_BYTES];

    if (own != NULL && (!cJSON_IsString(own) || own->valuestring[0] != '\0')) {
        return;
    }
    if (given == NULL && is_same_as_body(events, event)) {
        given = events->body_id;
    }
    if (given == NULL) {
        events->is_repeatable = true;
        return;
    }
    cJSON_DeleteItemFromObjectCaseSensitive(event, "id");
    if (index == 0) {
        hook_event_put_text(event, "id", given);
    } else {
        (void)snprintf(id, sizeof(id), "%.48s-%zu", given, index);
        hook_event_put_text(event, "id", id);
    }
}

void hook_events_add(struct hook_events *events, cJSON *event, size_t index)
{
    put_id(events, event, index);
    hook_event_put_text(event, "site", events->site);
    if (events->count > 0) {
        lb_buf_add_char(&events->json, ',');
    }
    lb_json_add_item(&events->json, event);
    events->count++;
    cJSON_Delete(event);
}

void hook_events_end(struct hook_events *events)
{
    lb_buf_add_char(&events->json, ']');
}

/* --- fields --------------------------------------------------------------- */

/* The object that holds the field, and its name in there. */
static cJSON *find_place(cJSON *event, const char *field, const char **name_out)
{
    const char *dot = strchr(field, '.');
    char group[GROUP_BYTES];
    cJSON *object;

    *name_out = field;
    if (dot == NULL || (size_t)(dot - field) >= sizeof(group)) {
        return event;
    }
    *name_out = dot + 1;
    memcpy(group, field, (size_t)(dot - field));
    group[dot - field] = '\0';
    object = cJSON_GetObjectItemCaseSensitive(event, group);
    return object == NULL ? cJSON_AddObjectToObject(event, group) : object;
}

void hook_event_put(cJSON *event, const char *field, const cJSON *value)
{
    const char *name;
    cJSON *copy;

    if (value == NULL || cJSON_IsNull(value)) {
        return;
    }
    copy = cJSON_Duplicate(value, true);
    if (copy != NULL) {
        cJSON *place = find_place(event, field, &name);

        (void)cJSON_AddItemToObject(place, name, copy);
    }
}

void hook_event_put_text(cJSON *event, const char *field, const char *text)
{
    const char *name;

    if (text != NULL) {
        cJSON *place = find_place(event, field, &name);

        (void)cJSON_AddStringToObject(place, name, text);
    }
}

/* The text of a scalar; numbers and truths are written into buffer.  NULL: it
 * is none, or a number whose digits are not all known. */
static const char *text_of(const cJSON *value, char buffer[NUMBER_BYTES])
{
    struct lb_buf text;

    if (cJSON_IsString(value)) {
        return value->valuestring;
    }
    if (!cJSON_IsBool(value) &&
        (!cJSON_IsNumber(value) || fabs(value->valuedouble) > EXACT_MOST)) {
        return NULL;
    }
    lb_buf_init(&text, NUMBER_BYTES - 1);
    lb_json_add_item(&text, value);
    (void)snprintf(buffer, NUMBER_BYTES, "%s", lb_buf_text(&text));
    lb_buf_deinit(&text);
    return buffer;
}

void hook_event_put_line(cJSON *event,
                         const char *field,
                         const cJSON *value,
                         size_t max_bytes)
{
    char buffer[NUMBER_BYTES];
    const char *text = text_of(value, buffer);
    size_t len = text == NULL ? 0 : strlen(text);
    char *cut;

    if (len <= max_bytes) {
        hook_event_put_text(event, field, len == 0 ? NULL : text);
        return;
    }
    cut = strndup(text, lb_text_cut(text, len, max_bytes));
    hook_event_put_text(event, field, cut);
    free(cut);
}

void hook_event_put_as_text(cJSON *event, const char *field, const cJSON *value)
{
    char buffer[NUMBER_BYTES];
    const char *text = text_of(value, buffer);

    if (text == NULL) {
        hook_event_put(event, field, value);
    } else {
        hook_event_put_text(event, field, text);
    }
}

/* --- times and amounts ---------------------------------------------------- */

static void put_number(cJSON *event, const char *field, double number)
{
    const char *name;
    cJSON *place = find_place(event, field, &name);

    (void)cJSON_AddNumberToObject(place, name, number);
}

static double to_ms(double number)
{
    return number < SECONDS_MOST ? nearbyint(number * 1000) : nearbyint(number);
}

/* Reads RFC 3339, and the same with an offset without its colon. */
static bool read_instant(const char *text, int64_t *at_ms_out)
{
    char with_colon[40];
    size_t len = strlen(text);
    const char *sign = len < 5 ? NULL : text + len - 5;

    if (lb_zone_parse_instant(text, at_ms_out)) {
        return true;
    }
    if (sign == NULL || len + 2 > sizeof(with_colon) ||
        (*sign != '+' && *sign != '-')) {
        return false;
    }
    (void)snprintf(with_colon, sizeof(with_colon), "%.*s:%s", (int)(len - 2),
                   text, text + len - 2);
    return lb_zone_parse_instant(with_colon, at_ms_out);
}

void hook_event_put_time(cJSON *event, const cJSON *value)
{
    long long whole = 0;
    int64_t at_ms = 0;

    if (cJSON_IsNumber(value) && value->valuedouble >= 0) {
        put_number(event, "ts", to_ms(value->valuedouble));
    } else if (cJSON_IsString(value) &&
               lb_text_is_made_of(value->valuestring, "0-9", 15) &&
               lb_text_to_int(value->valuestring, &whole)) {
        put_number(event, "ts", to_ms((double)whole));
    } else if (cJSON_IsString(value) &&
               read_instant(value->valuestring, &at_ms) && at_ms >= 0) {
        put_number(event, "ts", (double)at_ms);
    } else {
        hook_event_put(event, "ts", value);
    }
}

/* Digits with at most one point among them. */
static bool is_decimal(const char *text)
{
    const char *at = text + (text[0] == '-' ? 1 : 0);
    size_t whole = strspn(at, "0123456789");
    size_t rest = at[whole] == '.' ? strspn(at + whole + 1, "0123456789") : 0;

    at += whole + (rest > 0 ? rest + 1 : 0);
    return whole > 0 && *at == '\0' && strlen(text) < NUMBER_BYTES;
}

void hook_event_put_amount(cJSON *event, const cJSON *value)
{
    if (cJSON_IsString(value) && is_decimal(value->valuestring)) {
        put_number(event, "value.amount", strtod(value->valuestring, NULL));
    } else {
        hook_event_put(event, "value.amount", value);
    }
}
