/* import_reading.h - one record while it is read, and what the formats share in
 * reading it.  Pure. */
#ifndef LINKBELL_INGEST_IMPORT_READING_H
#define LINKBELL_INGEST_IMPORT_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/arena.h"
#include "ingest/event.h"

/* What an event's fields take at most; foreign texts are cut there. */
#define IMPORT_URL_BYTES 2048
#define IMPORT_REFERRER_BYTES 2048
#define IMPORT_TEXT_BYTES 256

enum import_verdict {
    IMPORT_EVENT,
    IMPORT_IGNORED, /* well-formed, and nothing that linkbell counts */
    IMPORT_BAD,     /* the fault tells why */
    IMPORT_FULL     /* the arena is */
};

#define IMPORT_COUNT_MAX 100000 /* events of one record */

struct import_event {
    cJSON *json;        /* the native event, in the arena */
    int64_t ts_at_ms;   /* its time */
    bool is_head;       /* a HEAD request: a machine's */
    const cJSON *given; /* a row of linkbell's own export, which tells device
                           and class; NULL */
    /* Daily sums stand for count events of visitor_count visitors (0: nobody
     * knows of whom); 1 and 0 for everything else. */
    size_t count;
    size_t visitor_count;
    bool has_records_id; /* it has none of its own */
};

struct import_reading {
    const char *text; /* the record; NUL behind it */
    size_t len;
    struct lb_arena *arena;
    struct import_event *event;
    struct event_fault *fault;
    bool is_full; /* a put found no room */
};

/* Fills the fault; IMPORT_BAD.  code and field are static. */
enum import_verdict import_reading_bad(struct import_reading *reading,
                                       const char *code,
                                       const char *field,
                                       const char *fmt,
                                       ...) LB_PRINTF(4, 5);

/* Reads how many events a record stands for, "" as none; false: no whole number
 * up to IMPORT_COUNT_MAX. */
bool import_reading_count(const char *text, size_t *count_out);

/* Adds a text to the event; NULL and "" add nothing. */
void import_reading_put(struct import_reading *reading,
                        const char *key,
                        const char *text);
/* The same, cut at what the event's field takes. */
void import_reading_put_cut(struct import_reading *reading,
                            const char *key,
                            const char *text,
                            size_t max_bytes);
/* Into an object of the event ("utm"), made when it is not there; NULL: full.
 */
cJSON *import_reading_group(struct import_reading *reading, const char *key);
void import_reading_put_in(struct import_reading *reading,
                           cJSON *group,
                           const char *key,
                           const char *text);

/* A text of the arena; NULL marks the reading as full. */
const char *import_reading_print(struct import_reading *reading,
                                 const char *fmt,
                                 ...) LB_PRINTF(2, 3);

/* The end of a reading: IMPORT_FULL if anything found no room. */
enum import_verdict import_reading_end(const struct import_reading *reading);

#endif
