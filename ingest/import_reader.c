/* import_reader.c - one way to all formats. */
#include "ingest/import_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "ingest/import_bitly.h"
#include "ingest/import_columns.h"
#include "ingest/import_combined.h"
#include "ingest/import_goatcounter.h"
#include "ingest/import_native.h"
#include "ingest/import_plausible.h"

struct import_reader {
    enum import_format format;
    const char *site; /* NULL: none */
    int64_t shift_ms;
    struct import_map *map;                 /* owned; of csv */
    struct import_goatcounter *goatcounter; /* owned; of goatcounter */
    struct import_plausible *plausible;     /* owned; of plausible */
};

static enum lb_err open_table(struct import_reader *reader,
                              const struct import_spec *spec,
                              struct lb_error *err)
{
    if (spec->map != NULL && spec->format != IMPORT_CSV) {
        return lb_err_set(err, LB_EFORMAT, "a map is for --format csv alone");
    }
    if (!import_format_is_table(spec->format)) {
        return LB_OK;
    }
    if (spec->header == NULL) {
        return lb_err_set(err, LB_EFORMAT, "the first row is missing");
    }
    if (spec->format == IMPORT_GOATCOUNTER) {
        return import_goatcounter_new(spec->header, &reader->goatcounter, err);
    }
    if (spec->format == IMPORT_PLAUSIBLE) {
        return import_plausible_new(spec->header, spec->zone,
                                    &reader->plausible, err);
    }
    return import_map_new(spec->header, spec->map, &reader->map, err);
}

enum lb_err import_reader_new(const struct import_spec *spec,
                              struct import_reader **reader_out,
                              struct lb_error *err)
{
    struct import_reader *reader = calloc(1, sizeof(*reader));
    enum lb_err rc;

    *reader_out = NULL;
    if (reader == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    reader->format = spec->format;
    reader->site = spec->site;
    reader->shift_ms = spec->shift_ms;
    rc = open_table(reader, spec, err);
    if (rc != LB_OK) {
        import_reader_free(reader);
        return rc;
    }
    *reader_out = reader;
    return LB_OK;
}

void import_reader_free(struct import_reader *reader)
{
    if (reader != NULL) {
        import_map_free(reader->map);
        import_goatcounter_free(reader->goatcounter);
        import_plausible_free(reader->plausible);
        free(reader);
    }
}

bool import_reader_has_sums(const struct import_reader *reader)
{
    return reader->plausible != NULL ||
           (reader->map != NULL && reader->map->has_count);
}

static enum import_verdict read_combined(struct import_reading *reading)
{
    struct import_combined line;
    const char *reason = "";

    switch (import_combined_read(reading->text, reading->len, reading->arena,
                                 &line, &reason)) {
    case IMPORT_COMBINED_OTHER:
        return IMPORT_IGNORED;
    case IMPORT_COMBINED_BAD:
        return import_reading_bad(reading, "bad_line", NULL, "%s", reason);
    case IMPORT_COMBINED_FULL:
        return IMPORT_FULL;
    case IMPORT_COMBINED_REQUEST:
        break;
    }
    reading->event->json = lb_json_new_object(reading->arena);
    if (reading->event->json == NULL) {
        return IMPORT_FULL;
    }
    reading->event->ts_at_ms = line.ts_at_ms;
    reading->event->is_head = line.is_head;
    import_reading_put(reading, "type", "view");
    import_reading_put(reading, "url", line.url);
    import_reading_put(reading, "referrer", line.referrer);
    import_reading_put(reading, "ip", line.address);
    if (line.agent != NULL &&
        lb_json_put_text(reading->event->json, "user_agent", line.agent,
                         reading->arena) == NULL) {
        return IMPORT_FULL;
    }
    return import_reading_end(reading);
}

static enum import_verdict read_kind(const struct import_reader *reader,
                                     struct import_reading *reading)
{
    switch (reader->format) {
    case IMPORT_NDJSON:
        return import_native_read(reading);
    case IMPORT_CSV:
        return import_columns_read(reader->map, reading);
    case IMPORT_COMBINED:
        return read_combined(reading);
    case IMPORT_BITLY:
        return import_bitly_read(reading);
    case IMPORT_GOATCOUNTER:
        return import_goatcounter_read(reader->goatcounter, reading);
    case IMPORT_PLAUSIBLE:
        return import_plausible_read(reader->plausible, reading);
    case IMPORT_AUTO:
        break;
    }
    return import_reading_bad(reading, "bad_line", NULL, "no format is known");
}

/* Whether the event has the member, and it says something. */
static bool has(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

    return item != NULL && !cJSON_IsNull(item) &&
           (!cJSON_IsString(item) || item->valuestring[0] != '\0');
}

/* Puts a member where there is none that says something. */
static void
put_missing(struct import_reading *reading, const char *key, const char *text)
{
    cJSON *json = reading->event->json;
    cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

    if (has(json, key)) {
        return;
    }
    if (item != NULL) {
        lb_json_take(json, item);
    }
    import_reading_put(reading, key, text);
}

enum import_verdict import_reader_read(const struct import_reader *reader,
                                       const struct import_record *record,
                                       struct lb_arena *arena,
                                       struct import_event *event_out,
                                       struct event_fault *fault_out)
{
    struct import_reading reading = {record->text, record->len, arena,
                                     event_out,    fault_out,   false};
    enum import_verdict verdict;

    memset(event_out, 0, sizeof(*event_out));
    event_out->count = 1;
    verdict = read_kind(reader, &reading);
    if (reading.is_full) {
        return IMPORT_FULL; /* whatever is missing, is so for that */
    }
    if (verdict != IMPORT_EVENT) {
        return verdict;
    }
    event_out->ts_at_ms += reader->shift_ms;
    event_out->has_records_id = !has(event_out->json, "id");
    if (reader->format == IMPORT_COMBINED) { /* lines name neither */
        import_reading_put(&reading, "site", reader->site);
        import_reading_put(&reading, "id", record->id);
    } else {
        put_missing(&reading, "site", reader->site);
        put_missing(&reading, "id", record->id);
    }
    if (lb_json_put_number(event_out->json, "ts", (double)event_out->ts_at_ms,
                           arena) == NULL) {
        reading.is_full = true;
    }
    return import_reading_end(&reading);
}
