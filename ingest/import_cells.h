/* import_cells.h - one row of a table (RFC 4180) as its cells, and the columns
 * that its first row names.  Pure. */
#ifndef LINKBELL_INGEST_IMPORT_CELLS_H
#define LINKBELL_INGEST_IMPORT_CELLS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

#define IMPORT_CELLS_MAX 128

struct import_cells {
    size_t count;
    const char *text[IMPORT_CELLS_MAX]; /* valid UTF-8 in the arena */
};

/* LB_EFORMAT: a quote that nothing closes, or bytes behind it; LB_ELIMIT: more
 * cells than there are places; LB_ENOMEM: the arena is full. */
LB_MUST_CHECK enum lb_err import_cells_read(const char *row,
                                            size_t len,
                                            char delimiter,
                                            struct lb_arena *arena,
                                            struct import_cells *out);

/* Place of a name in a row; -1: it is not there. */
int import_cells_find(const struct import_cells *cells, const char *name);

/* A copy of bytes that is UTF-8 whatever they are: what is no character becomes
 * U+FFFD, NUL a space.  NULL: the arena is full. */
char *import_cells_clean(const char *bytes, size_t len, struct lb_arena *arena);

#endif
