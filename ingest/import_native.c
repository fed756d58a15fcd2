/* import_native.c - native events and rows of our own export. */
#include "ingest/import_native.h"

#include <string.h>

#include "base/json.h"
#include "base/zone.h"

#define JSON_DEPTH 32
#define GIVEN_BYTES 128 /* of a text that a row gives back */

/* What only a row of our own export has.  The first two become the URL. */
static const char *const exported[] = {
    "host", "page",       "seq",      "received", "source",  "channel",
    "qr",   "double_tap", "click_id", "device",   "browser", "browser_version",
    "os",   "os_version", "traffic",  "reason"};
#define EXPORTED (sizeof(exported) / sizeof(exported[0]))

/* The texts that a row gives back. */
static const struct {
    const char *key;
    enum entry_text text;
} restored[] = {{"device", ENTRY_TEXT_DEVICE},
                {"browser", ENTRY_TEXT_BROWSER},
                {"browser_version", ENTRY_TEXT_BROWSER_VERSION},
                {"os", ENTRY_TEXT_OS},
                {"os_version", ENTRY_TEXT_OS_VERSION},
                {"click_id", ENTRY_TEXT_CLICK_ID}};

bool import_native_is_exported(const char *name)
{
    for (size_t i = 0; i < EXPORTED; i++) {
        if (strcmp(name, exported[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Takes the members that are no fields of an event out of it. */
static void part_row(struct import_reading *reading)
{
    cJSON *json = reading->event->json;
    cJSON *given = lb_json_new_object(reading->arena);
    const char *host;
    const char *page;

    if (given == NULL) {
        reading->is_full = true;
        return;
    }
    for (size_t i = 0; i < EXPORTED; i++) {
        cJSON *item = cJSON_GetObjectItemCaseSensitive(json, exported[i]);

        if (item != NULL) {
            lb_json_take(json, item);
            lb_json_give(given, item);
        }
    }
    reading->event->given = given;
    host = lb_json_text(given, "host");
    page = lb_json_text(given, "page");
    if (page != NULL && page[0] == '/' && !cJSON_HasObjectItem(json, "url")) {
        import_reading_put(
            reading, "url",
            host == NULL || host[0] == '\0'
                ? page
                : import_reading_print(reading, "https://%s%s", host, page));
    }
}

static enum import_verdict take_ts(struct import_reading *reading)
{
    const double last_ms = 253402300799999.0; /* the end of 9999 */
    cJSON *json = reading->event->json;
    cJSON *ts = cJSON_GetObjectItemCaseSensitive(json, "ts");

    if (ts == NULL || cJSON_IsNull(ts)) {
        return import_reading_bad(reading, "missing_field", "ts",
                                  "ts is missing; what is imported has a time");
    }
    lb_json_take(json, ts);
    if (cJSON_IsNumber(ts)) {
        if (ts->valuedouble < 0 || ts->valuedouble > last_ms ||
            ts->valuedouble != (double)(int64_t)ts->valuedouble) {
            return import_reading_bad(reading, "bad_ts", "ts",
                                      "ts must be whole milliseconds since "
                                      "1970, up to the year 9999");
        }
        reading->event->ts_at_ms = (int64_t)ts->valuedouble;
        return IMPORT_EVENT;
    }
    if (!cJSON_IsString(ts)) {
        return import_reading_bad(
            reading, "bad_type", "ts",
            "ts must be an RFC 3339 text or epoch milliseconds");
    }
    return lb_zone_parse_instant(ts->valuestring, &reading->event->ts_at_ms)
               ? IMPORT_EVENT
               : import_reading_bad(reading, "bad_ts", "ts",
                                    "ts is no RFC 3339 time with a zone, such "
                                    "as 2026-11-23T08:15:02Z");
}

enum import_verdict import_native_settle(struct import_reading *reading,
                                         bool is_export)
{
    enum import_verdict verdict = take_ts(reading);

    if (verdict == IMPORT_EVENT && is_export) {
        part_row(reading);
    }
    return verdict == IMPORT_EVENT ? import_reading_end(reading) : verdict;
}

enum import_verdict import_native_read(struct import_reading *reading)
{
    struct lb_json_fault fault;
    cJSON *json = NULL;
    enum lb_err rc = lb_json_parse(reading->text, reading->len, JSON_DEPTH,
                                   reading->arena, &json, &fault);

    if (rc == LB_ENOMEM) {
        return IMPORT_FULL;
    }
    if (rc != LB_OK) {
        return import_reading_bad(reading, "bad_json", NULL,
                                  "not JSON at column %zu: %s", fault.column,
                                  fault.reason);
    }
    if (!cJSON_IsObject(json)) {
        return import_reading_bad(reading, "bad_type", NULL,
                                  "the line is no JSON object");
    }
    reading->event->json = json;
    return import_native_settle(
        reading, cJSON_GetObjectItemCaseSensitive(json, "seq") != NULL);
}

static bool restore_text(const cJSON *given,
                         const char *key,
                         struct lb_arena *arena,
                         const char **text_out)
{
    const char *text = lb_json_text(given, key);

    if (text == NULL || text[0] == '\0' || strlen(text) > GIVEN_BYTES) {
        return true;
    }
    *text_out = lb_arena_text(arena, text, strlen(text));
    return *text_out != NULL;
}

bool import_native_restore(const cJSON *given,
                           struct lb_arena *arena,
                           struct entry *entry)
{
    const cJSON *qr = cJSON_GetObjectItemCaseSensitive(given, "qr");
    const char *traffic = lb_json_text(given, "traffic");
    bool is_kept = true;

    for (size_t i = 0; i < sizeof(restored) / sizeof(restored[0]); i++) {
        is_kept = is_kept && restore_text(given, restored[i].key, arena,
                                          &entry->text[restored[i].text]);
    }
    entry->is_qr = cJSON_IsTrue(qr) ||
                   (cJSON_IsString(qr) && strcmp(qr->valuestring, "true") == 0);
    if (traffic != NULL && entry_traffic_from_name(traffic, &entry->traffic) &&
        entry->traffic != ENTRY_HUMAN) {
        is_kept = is_kept && restore_text(given, "reason", arena,
                                          &entry->text[ENTRY_TEXT_REASON]);
    }
    return is_kept;
}
