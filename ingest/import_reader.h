/* import_reader.h - records of a foreign file as native events.  Pure: the same
 * record gives the same event, on any thread. */
#ifndef LINKBELL_INGEST_IMPORT_READER_H
#define LINKBELL_INGEST_IMPORT_READER_H

#include "base/err.h"
#include "base/zone.h"
#include "ingest/import_format.h"
#include "ingest/import_reading.h"

/* How a file is to be read.  Strings are borrowed while a reader is made. */
struct import_spec {
    enum import_format format; /* not IMPORT_AUTO */
    const char *site; /* of records that name none; NULL; borrowed longer: as
                         long as the reader */
    const struct lb_zone *zone; /* of that site; NULL: UTC */
    const char *header;         /* a table's first record; NULL */
    const char *map;            /* text of --map; NULL */
    int64_t shift_ms;           /* added to all times */
};

struct import_reader; /* read-only once made */

/* LB_EFORMAT with what is wrong with header or map ("LINE:COL: " first). */
LB_MUST_CHECK enum lb_err import_reader_new(const struct import_spec *spec,
                                            struct import_reader **reader_out,
                                            struct lb_error *err);
void import_reader_free(struct import_reader *reader); /* NULL is fine */

/* Whether records may stand for several events. */
bool import_reader_has_sums(const struct import_reader *reader);

struct import_record {
    const char *text; /* without its line end; NUL behind it */
    size_t len;
    const char *id; /* for an event that has none of its own: borrowed, and may
                       be written when has_records_id says that it is used */
};

/* Everything of the event lies in arena or is borrowed from the record. */
enum import_verdict import_reader_read(const struct import_reader *reader,
                                       const struct import_record *record,
                                       struct lb_arena *arena,
                                       struct import_event *event_out,
                                       struct event_fault *fault_out);

#endif
