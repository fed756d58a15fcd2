/* import_store.h - what an import keeps in memory while it runs: the ids of the
 * whole log, and a memory of its own for what depends on earlier events, so
 * that it does not push live visitors out.  Read from the log by a reader, then
 * the writer thread's. */
#ifndef LINKBELL_INGEST_IMPORT_STORE_H
#define LINKBELL_INGEST_IMPORT_STORE_H

#include <stdint.h>

#include "base/err.h"
#include "ingest/burst.h"
#include "ingest/decide.h"
#include "ingest/id_set.h"
#include "sql/db.h"

struct import_store {
    struct decide *decide; /* owned */
    struct burst *burst;   /* owned */
    struct id_set known;
    int64_t read_seq; /* the log is read up to here */
};

struct import_store *
import_store_new(int64_t double_tap_window_ms);     /* NULL: out of memory */
void import_store_free(struct import_store *store); /* NULL is fine */

/* Reads a piece of the log, inside a read transaction: ids of one site, or with
 * 0 of all.  *is_over_out: there is no more. */
LB_MUST_CHECK enum lb_err import_store_read_piece(struct import_store *store,
                                                  struct db *db,
                                                  int64_t site,
                                                  bool *is_over_out,
                                                  struct lb_error *err);

/* With the transaction.  After a rollback known holds ids that were not stored:
 * the import begins anew with another store. */
void import_store_commit(struct import_store *store);
void import_store_rollback(struct import_store *store);

#endif
