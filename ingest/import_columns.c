/* import_columns.c - rows of a table as events. */
#include "ingest/import_columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "ingest/import_native.h"

static bool read_epoch(const char *text, double unit_ms, int64_t *at_ms_out)
{
    char *end = NULL;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !isfinite(value) || value < 0 ||
        value * unit_ms > 253402300799999.0) {
        return false;
    }
    *at_ms_out = (int64_t)(value * unit_ms + 0.5);
    return true;
}

static bool
read_clock(const struct import_map *map, const char *text, int64_t *at_ms_out)
{
    struct tm tm = {.tm_mday = 1, .tm_gmtoff = INT32_MAX};
    const char *end = strptime(text, map->time_format, &tm);
    int64_t day;
    int64_t past_ms;

    if (end == NULL || *end != '\0') {
        return false;
    }
    day =
        lb_clock_days_from_civil(tm.tm_year + INT64_C(1900),
                                 (unsigned)tm.tm_mon + 1, (unsigned)tm.tm_mday);
    past_ms = tm.tm_hour * LB_MS_PER_HOUR + tm.tm_min * LB_MS_PER_MIN +
              tm.tm_sec * LB_MS_PER_S;
    *at_ms_out =
        tm.tm_gmtoff != INT32_MAX
            ? day * LB_MS_PER_DAY + past_ms - tm.tm_gmtoff * LB_MS_PER_S
        : map->zone == NULL ? day * LB_MS_PER_DAY + past_ms
                            : lb_zone_instant_ms(map->zone, day, past_ms);
    return *at_ms_out >= 0;
}

/* Adds ts as epoch milliseconds, or the text, if that is to be one of RFC 3339:
 * what reads native events reads it. */
static enum import_verdict put_time(const struct import_map *map,
                                    struct import_reading *reading,
                                    const char *text)
{
    int64_t at_ms = 0;
    bool is_known = false;

    switch (map->time) {
    case IMPORT_MAP_RFC3339:
        import_reading_put(reading, "ts", text);
        return IMPORT_EVENT;
    case IMPORT_MAP_ANY:
        if (!lb_text_is_made_of(text, "0-9", 16)) {
            import_reading_put(reading, "ts", text);
            return IMPORT_EVENT;
        }
        is_known = read_epoch(text, 1, &at_ms);
        break;
    case IMPORT_MAP_EPOCH_S:
        is_known = read_epoch(text, 1000, &at_ms);
        break;
    case IMPORT_MAP_EPOCH_MS:
        is_known = read_epoch(text, 1, &at_ms);
        break;
    case IMPORT_MAP_TEXT:
        is_known = read_clock(map, text, &at_ms);
        break;
    }
    if (!is_known) {
        return import_reading_bad(
            reading, "bad_ts", "ts", "ts is no time of the form %.60s",
            map->time == IMPORT_MAP_TEXT ? map->time_format
                                         : "that the map names");
    }
    if (lb_json_put_number(reading->event->json, "ts", (double)at_ms,
                           reading->arena) == NULL) {
        reading->is_full = true;
    }
    return IMPORT_EVENT;
}

static void put_props(struct import_reading *reading, const char *text)
{
    cJSON *json = reading->event->json;
    struct lb_json_fault fault;
    cJSON *props = NULL;

    if (cJSON_HasObjectItem(json, "props")) {
        return;
    }
    if (lb_json_parse(text, strlen(text), 2, reading->arena, &props, &fault) !=
        LB_OK) {
        import_reading_put(reading, "props", text); /* refused as no object */
        return;
    }
    /* A member of the event needs a name. */
    if (cJSON_IsObject(props)) {
        cJSON *group = import_reading_group(reading, "props");

        if (group != NULL) {
            group->child = props->child;
        }
    } else {
        import_reading_put(reading, "props", text);
    }
}

static void put_amount(struct import_reading *reading, const char *text)
{
    cJSON *group = import_reading_group(reading, "value");
    char *end = NULL;
    double value = strtod(text, &end);

    if (end == text || *end != '\0') {
        import_reading_put_in(reading, group, "amount", text);
    } else if (group != NULL && lb_json_put_number(group, "amount", value,
                                                   reading->arena) == NULL) {
        reading->is_full = true;
    }
}

static void
put_value(struct import_reading *reading, const char *field, const char *text)
{
    static const char *const groups[] = {"utm", "contact", "value", "props"};

    if (strcmp(field, "props") == 0) {
        put_props(reading, text);
        return;
    }
    if (strcmp(field, "value.amount") == 0) {
        put_amount(reading, text);
        return;
    }
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        size_t len = strlen(groups[i]);

        if (strncmp(field, groups[i], len) == 0 && field[len] == '.') {
            import_reading_put_in(reading,
                                  import_reading_group(reading, groups[i]),
                                  field + len + 1, text);
            return;
        }
    }
    import_reading_put(reading, field, text);
}

/* What stands behind the last text of that kind, without a query or fragment
 * behind it; "" where there is none.  NULL: out of memory. */
static const char *
behind(const char *cell, const char *after, struct lb_arena *arena)
{
    const char *tail = NULL;
    size_t len = strcspn(cell, "?#");

    for (const char *at = strstr(cell, after);
         at != NULL && (size_t)(at - cell) < len; at = strstr(at + 1, after)) {
        tail = at + strlen(after);
    }
    return tail == NULL || tail > cell + len
               ? ""
               : lb_arena_text(arena, tail, (size_t)(cell + len - tail));
}

/* What a column says in a row; NULL: its value is not in the table. */
static const char *value_of(const struct import_map_column *column,
                            struct import_reading *reading,
                            const char *cell)
{
    if (column->cell == IMPORT_MAP_CONSTANT) {
        return column->constant;
    }
    if (column->after != NULL) {
        cell = behind(cell, column->after, reading->arena);
        reading->is_full = reading->is_full || cell == NULL;
    }
    if (cell == NULL || column->words == NULL) {
        return cell;
    }
    for (const struct import_map_word *word = column->words; word != NULL;
         word = word->next) {
        if (strcmp(word->from, cell) == 0) {
            return word->to;
        }
    }
    switch (column->other) {
    case IMPORT_MAP_KEEP:
        return cell;
    case IMPORT_MAP_NONE:
        return "";
    case IMPORT_MAP_IGNORE:
        break;
    }
    return NULL;
}

/* Our export puts an apostrophe before what a spreadsheet would calculate. */
static const char *undo_apostrophe(const char *cell)
{
    return cell[0] == '\'' && cell[1] != '\0' &&
                   strchr("=+-@\t\r", cell[1]) != NULL
               ? cell + 1
               : cell;
}

static enum import_verdict put_count(struct import_reading *reading,
                                     const char *text)
{
    if (!import_reading_count(text, &reading->event->count)) {
        return import_reading_bad(reading, "bad_value", NULL,
                                  "count is no whole number up to %d",
                                  IMPORT_COUNT_MAX);
    }
    return reading->event->count == 0 ? IMPORT_IGNORED : IMPORT_EVENT;
}

/* One cell, or what stands for it in every row. */
static enum import_verdict put_cell(const struct import_map *map,
                                    struct import_reading *reading,
                                    const struct import_map_column *column,
                                    const char *cell)
{
    const char *value = value_of(column, reading,
                                 map->is_export ? undo_apostrophe(cell) : cell);

    if (value == NULL) {
        return IMPORT_IGNORED;
    }
    if (strcmp(column->field, IMPORT_MAP_COUNT) == 0) {
        return put_count(reading, value);
    }
    if (value[0] == '\0') {
        return IMPORT_EVENT;
    }
    if (strcmp(column->field, "ts") == 0) {
        return put_time(map, reading, value);
    }
    put_value(reading, column->field, value);
    return IMPORT_EVENT;
}

enum import_verdict import_columns_read(const struct import_map *map,
                                        struct import_reading *reading)
{
    struct import_cells cells;
    enum lb_err rc = import_cells_read(reading->text, reading->len,
                                       map->delimiter, reading->arena, &cells);

    reading->event->json = lb_json_new_object(reading->arena);
    if (rc == LB_ENOMEM || reading->event->json == NULL) {
        return IMPORT_FULL;
    }
    if (rc == LB_EFORMAT) {
        return import_reading_bad(reading, "bad_line", NULL,
                                  "a quote is not closed, or more stands "
                                  "behind it");
    }
    if (rc != LB_OK || cells.count != map->cell_count) {
        return import_reading_bad(reading, "bad_line", NULL,
                                  "the row has %zu%s cells, the first one %zu",
                                  cells.count, rc == LB_OK ? "" : " or more",
                                  map->cell_count);
    }
    for (size_t i = 0; i < map->count; i++) {
        const struct import_map_column *column = &map->columns[i];
        const char *cell =
            column->cell == IMPORT_MAP_CONSTANT ? "" : cells.text[column->cell];
        enum import_verdict verdict = put_cell(map, reading, column, cell);

        if (verdict != IMPORT_EVENT) {
            return verdict;
        }
    }
    return import_native_settle(reading, map->is_export);
}
