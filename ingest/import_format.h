/* import_format.h - the kinds of files that an import reads.  Pure. */
#ifndef LINKBELL_INGEST_IMPORT_FORMAT_H
#define LINKBELL_INGEST_IMPORT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

enum import_format {
    IMPORT_AUTO,
    IMPORT_NDJSON,
    IMPORT_CSV,
    IMPORT_COMBINED,
    IMPORT_BITLY,
    IMPORT_GOATCOUNTER,
    IMPORT_PLAUSIBLE
};

#define IMPORT_FORMAT_NAMES                                                    \
    "auto, ndjson, csv, combined, bitly, goatcounter or plausible"

const char *import_format_name(enum import_format format); /* static */
bool import_format_find(const char *name, enum import_format *format_out);

/* What a file's first record looks like; never IMPORT_AUTO. */
enum import_format import_format_guess(const char *record);

/* Whether records are rows of cells: a quoted cell may hold line ends, and the
 * first record names the columns. */
bool import_format_is_table(enum import_format format);

/* Finds the end of the record at text: its length without its line end, and
 * where the next one begins.  False, with all of text, when it has no end
 * there.
 */
bool import_format_record(enum import_format format,
                          const char *text,
                          size_t len,
                          size_t *used_out,
                          size_t *next_out);

#endif
