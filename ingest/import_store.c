/* import_store.c - the memory of an import. */
#include "ingest/import_store.h"

#include <stdlib.h>

#include "sql/log_ids.h"

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

static enum lb_err read_id(void *ctx, const struct log_id *id)
{
    return id_set_add(ctx, id->hash, false);
}

enum lb_err import_store_read_ids(struct import_ids *ids,
                                  struct db *db,
                                  const uint8_t id_key[16],
                                  bool *is_over_out,
                                  struct lb_error *err)
{
    const struct log_ids_range range = {id_key, ids->read_seq,
                                        ids->read_seq + PIECE_ENTRIES};
    int64_t next_seq = 1;
    enum lb_err rc = db_meta_get(db, "next_seq", 1, &next_seq, err);

    rc = rc == LB_OK ? log_ids_each(db, &range, read_id, &ids->known, err) : rc;
    ids->read_seq = range.upto_seq;
    *is_over_out = range.upto_seq + 1 >= next_seq;
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
