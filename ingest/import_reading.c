/* import_reading.c - what the formats share. */
#include "ingest/import_reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

enum import_verdict import_reading_bad(struct import_reading *reading,
                                       const char *code,
                                       const char *field,
                                       const char *fmt,
                                       ...)
{
    char *message = reading->fault->message;
    size_t bytes = sizeof(reading->fault->message);
    va_list args;

    reading->fault->code = code;
    reading->fault->field = field;
    va_start(args, fmt);
    if (vsnprintf(message, bytes, fmt, args) < 0) {
        message[0] = '\0';
    }
    va_end(args);
    message[lb_text_cut(message, strlen(message), bytes - 4)] = '\0';
    return IMPORT_BAD;
}

bool import_reading_count(const char *text, size_t *count_out)
{
    long long value = 0;

    if (text[0] != '\0' && (!lb_text_to_int(text, &value) || value < 0 ||
                            value > IMPORT_COUNT_MAX)) {
        return false;
    }
    *count_out = (size_t)value;
    return true;
}

void import_reading_put_in(struct import_reading *reading,
                           cJSON *group,
                           const char *key,
                           const char *text)
{
    if (group != NULL && text != NULL && text[0] != '\0' &&
        lb_json_put_text(group, key, text, reading->arena) == NULL) {
        reading->is_full = true;
    }
}

void import_reading_put(struct import_reading *reading,
                        const char *key,
                        const char *text)
{
    import_reading_put_in(reading, reading->event->json, key, text);
}

void import_reading_put_cut(struct import_reading *reading,
                            const char *key,
                            const char *text,
                            size_t max_bytes)
{
    size_t len = text == NULL ? 0 : strlen(text);

    if (len > max_bytes) {
        text = lb_arena_text(reading->arena, text,
                             lb_text_cut(text, len, max_bytes));
        reading->is_full = reading->is_full || text == NULL;
    }
    import_reading_put(reading, key, text);
}

cJSON *import_reading_group(struct import_reading *reading, const char *key)
{
    cJSON *json = reading->event->json;
    cJSON *group = cJSON_GetObjectItemCaseSensitive(json, key);

    if (group == NULL) {
        group = lb_json_put_object(json, key, reading->arena);
        reading->is_full = reading->is_full || group == NULL;
    }
    return group;
}

const char *
import_reading_print(struct import_reading *reading, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    text = len < 0 ? NULL : lb_arena_alloc(reading->arena, (size_t)len + 1);
    if (text == NULL) {
        reading->is_full = true;
        return NULL;
    }
    va_start(args, fmt);
    (void)vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    return text;
}

enum import_verdict import_reading_end(const struct import_reading *reading)
{
    return reading->is_full ? IMPORT_FULL : IMPORT_EVENT;
}
