/* import_map.h - tables of events: which column is which field, by the
 * names of the first row or by a map:
 *
 *   columns:                          # field of an event: name of a column, or
 *     ts: "Clicked at"
 *     type: { is: click }             # always the same, or
 *     name: { column: Kind, is: { s: Signup, d: Download } }  # by a table
 *     country: { column: Land, is: { France: FR }, else: none }
 *     link: { column: Url, after: "/" }  # what stands behind the last one
 *     utm.source: Source
 *     count: Clicks                   # the row stands for so many events
 *   delimiter: ";"
 *   time: "%d.%m.%Y %H:%M"    # rfc3339, epoch_s, epoch_ms or strptime's
 *   tz: Europe/Paris          # of times that name no zone
 *
 * A row whose value is not in a table is ignored, unless the table says "else":
 * then the field is as it stands (keep) or left out (none).  Pure. */
#ifndef LINKBELL_INGEST_IMPORT_MAP_H
#define LINKBELL_INGEST_IMPORT_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/zone.h"
#include "ingest/import_cells.h"

#define IMPORT_MAP_CONSTANT (-1) /* a column that is no cell */
#define IMPORT_MAP_COUNT "count" /* no field of an event */

struct import_map_word {
    struct import_map_word *next; /* owned */
    char *from;                   /* owned */
    char *to;                     /* owned */
};

/* What a value becomes that is not in the table. */
enum import_map_else { IMPORT_MAP_IGNORE, IMPORT_MAP_KEEP, IMPORT_MAP_NONE };

struct import_map_column {
    char *field;                   /* owned */
    int cell;                      /* CONSTANT: none */
    char *constant;                /* owned */
    struct import_map_word *words; /* owned; NULL: any value, as it is */
    enum import_map_else other;
    char *after; /* owned; NULL: the whole cell */
};

enum import_map_time {
    IMPORT_MAP_ANY,
    IMPORT_MAP_RFC3339,
    IMPORT_MAP_EPOCH_S,
    IMPORT_MAP_EPOCH_MS,
    IMPORT_MAP_TEXT
};

struct import_map {
    struct import_map_column columns[IMPORT_CELLS_MAX];
    size_t count;
    size_t cell_count; /* of each row */
    char delimiter;
    enum import_map_time time;
    char *time_format;          /* owned; of strptime */
    const struct lb_zone *zone; /* NULL: UTC */
    bool is_export;             /* linkbell's own */
    bool has_count;             /* rows stand for several events */
};

/* header is the first row; map NULL: its names are fields.  LB_EFORMAT says
 * what is wrong, for a map with "LINE:COL: " first. */
LB_MUST_CHECK enum lb_err import_map_new(const char *header,
                                         const char *map,
                                         struct import_map **map_out,
                                         struct lb_error *err);
void import_map_free(struct import_map *map); /* NULL is fine */

#endif
