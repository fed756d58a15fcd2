/* import_format.h - lines of foreign files as native events.  Pure. */
#ifndef LINKBELL_INGEST_IMPORT_FORMAT_H
#define LINKBELL_INGEST_IMPORT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum import_format { IMPORT_AUTO, IMPORT_NDJSON, IMPORT_CSV, IMPORT_BITLY };
enum import_verdict { IMPORT_EVENT, IMPORT_IGNORED, IMPORT_BAD };

struct import_header; /* the columns of a CSV file */

bool import_format_find(const char *name, enum import_format *format_out);
/* What a file's first line looks like. */
enum import_format import_format_guess(const char *line);

/* Reads a CSV header; NULL with reason when a column is no field of an event.
 */
struct import_header *
import_format_header(const char *line, char *reason, size_t reason_bytes);
void import_format_header_free(struct import_header *header);

struct import_line {
    const char *text; /* NUL-terminated */
    const char *site; /* for lines that name none */
    const char *id;   /* of a line that has none */
    int64_t shift_ms;
};

/* Writes the native event's JSON; its ts goes to *ts_out (0: it has none). */
enum import_verdict import_format_event(enum import_format format,
                                        const struct import_header *header,
                                        const struct import_line *line,
                                        struct lb_buf *out,
                                        int64_t *ts_out,
                                        char *reason,
                                        size_t reason_bytes);

#endif
