/* import_store.c - the memory of an import. */
#include "ingest/import_store.h"

#include <sqlite3.h>
#include <stdlib.h>

#define PIECE_ENTRIES 262144 /* a fraction of a second's reading */

struct import_store *import_store_new(struct import_ids *ids,
                                      int64_t double_tap_window_ms)
{
    struct import_store *store = calloc(1, sizeof(*store));

    if (store == NULL) {
        return NULL;
    }
    store->decide = decide_new(double_tap_window_ms);
    store->burst = burst_new();
    store->ids = ids;
    if (store->decide == NULL || store->burst == NULL) {
        import_store_free(store);
        return NULL;
    }
    return store;
}

void import_store_free(struct import_store *store)
{
    if (store != NULL) {
        decide_free(store->decide);
        burst_free(store->burst);
        free(store);
    }
}

enum lb_err import_store_read_ids(struct import_ids *ids,
                                  struct db *db,
                                  bool *is_over_out,
                                  struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_IMPORT_IDS);
    int64_t upto_seq = ids->read_seq + PIECE_ENTRIES;
    int64_t next_seq = 1;
    bool has_row = false;
    enum lb_err rc = db_meta_get(db, "next_seq", 1, &next_seq, err);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, ids->read_seq);
        (void)sqlite3_bind_int64(stmt, 2, upto_seq);
    }
    while (rc == LB_OK && (rc = db_next(db, stmt, &has_row, err)) == LB_OK &&
           has_row) {
        if (id_set_add(&ids->known, (uint64_t)sqlite3_column_int64(stmt, 0),
                       false) != LB_OK) {
            (void)sqlite3_reset(stmt);
            rc = lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    ids->read_seq = upto_seq;
    *is_over_out = upto_seq + 1 >= next_seq;
    return rc;
}

void import_store_commit(struct import_store *store)
{
    decide_commit(store->decide);
    burst_commit(store->burst);
}

void import_store_rollback(struct import_store *store)
{
    decide_rollback(store->decide);
    burst_rollback(store->burst);
}
