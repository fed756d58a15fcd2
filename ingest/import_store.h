/* import_store.h - what imports keep in memory while they run: together the ids
 * of the whole log, each a memory of its own for what depends on earlier
 * events, so that it does not push live visitors out.  The ids are read from
 * the log by a reader, then the writer thread's. */
#ifndef LINKBELL_INGEST_IMPORT_STORE_H
#define LINKBELL_INGEST_IMPORT_STORE_H

#include <stdint.h>

#include "base/err.h"
#include "ingest/burst.h"
#include "ingest/decide.h"
#include "ingest/id_set.h"
#include "sql/db.h"

/* Ids of the log, and of what any import has appended since they were read. */
struct import_ids {
    struct id_set known;
    int64_t read_seq; /* the log is read up to here */
};

/* Reads a piece of the log, inside a read transaction; *is_over_out: there is
 * no more. */
LB_MUST_CHECK enum lb_err import_store_read_ids(struct import_ids *ids,
                                                struct db *db,
                                                const uint8_t id_key[16],
                                                bool *is_over_out,
                                                struct lb_error *err);

struct import_store {
    struct decide *decide;  /* owned */
    struct burst *burst;    /* owned */
    struct import_ids *ids; /* borrowed */
};

struct import_store *
import_store_new(struct import_ids *ids,
                 int64_t double_tap_window_ms);     /* NULL: out of memory */
void import_store_free(struct import_store *store); /* NULL is fine */

/* With the transaction.  After a rollback ids holds some that were not stored:
 * whoever uses them begins anew. */
void import_store_commit(struct import_store *store);
void import_store_rollback(struct import_store *store);

#endif
