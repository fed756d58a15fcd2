/* refused_store.h - how many events of a known site were refused, known already
 * or perhaps so, by hour and reason: gathered in memory, written every second.
 * A kill loses the last of these counts, never an event. */
#ifndef LINKBELL_INGEST_REFUSED_STORE_H
#define LINKBELL_INGEST_REFUSED_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/writer.h"

#define REFUSED_DUPLICATE "duplicate"
#define REFUSED_AMBIGUOUS "ambiguous" /* not refused: perhaps a duplicate */

struct refused_store;

/* Adds a chore to the writer. */
LB_MUST_CHECK enum lb_err refused_store_new(struct writer *writer,
                                            struct refused_store **store_out,
                                            struct lb_error *err);
/* After writer_stop(): writes what is left.  NULL is fine. */
void refused_store_free(struct refused_store *store);

/* Any thread.  code is static: one of the interface's, REFUSED_DUPLICATE or
 * REFUSED_AMBIGUOUS. */
void refused_store_note(struct refused_store *store,
                        int64_t site,
                        const char *code,
                        int64_t at_ms);

#endif
