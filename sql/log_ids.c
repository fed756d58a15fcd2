/* log_ids.c - the ids of events in the log. */
#include "sql/log_ids.h"

#include <string.h>

#include "base/hash.h"
#include "sql/log_rows.h"
#include "sql/log_store.h"
#include "sql/sealed.h"

uint64_t log_ids_hash(const uint8_t key[16], int64_t site, const char *id)
{
    char bytes[sizeof(site) + LOG_ID_BYTES];
    size_t len = strnlen(id, LOG_ID_BYTES);

    memcpy(bytes, &site, sizeof(site));
    memcpy(bytes + sizeof(site), id, len);
    return lb_hash_sip(key, bytes, sizeof(site) + len);
}

static enum lb_err tell(enum lb_err (*each)(void *ctx, const struct log_id *id),
                        void *ctx,
                        const struct log_id *id,
                        struct lb_error *err)
{
    enum lb_err rc = each(ctx, id);

    return rc == LB_OK ? rc : lb_err_set(err, rc, "out of memory");
}

static enum lb_err each_sealed(struct db *db,
                               const struct log_ids_range *range,
                               enum lb_err (*each)(void *ctx,
                                                   const struct log_id *id),
                               void *ctx,
                               struct lb_error *err)
{
    const struct segment_wish wish = {
        range->after_seq, range->upto_seq, INT64_MIN, INT64_MAX, NULL, 0, NULL};
    struct sealed *sealed = NULL;
    struct entry *entry = NULL;
    enum lb_err rc = sealed_open(db, NULL, &wish, SEALED_IDS, &sealed, err);

    while (rc == LB_OK && (rc = sealed_next(sealed, &entry, err)) == LB_OK &&
           entry != NULL) {
        const struct log_id id = {
            log_ids_hash(range->key, entry->site, entry->text[ENTRY_TEXT_ID]),
            entry->received_at_ms, entry->seq};

        rc = tell(each, ctx, &id, err);
    }
    sealed_close(sealed);
    return rc;
}

static enum lb_err each_row(struct db *db,
                            const struct log_ids_range *range,
                            int64_t sealed_to,
                            enum lb_err (*each)(void *ctx,
                                                const struct log_id *id),
                            void *ctx,
                            struct lb_error *err)
{
    struct log_rows rows;
    struct entry entry;
    bool has_one = true;
    enum lb_err rc = LB_OK;

    log_rows_open(db,
                  range->after_seq > sealed_to ? range->after_seq : sealed_to,
                  range->upto_seq, false, &rows);
    while (rc == LB_OK &&
           (rc = log_rows_next(&rows, &entry, &has_one, err)) == LB_OK &&
           has_one) {
        const struct log_id id = {entry.id_hash, entry.received_at_ms,
                                  entry.seq};

        rc = tell(each, ctx, &id, err);
    }
    log_rows_close(&rows);
    return rc;
}

static enum lb_err each_erased(struct db *db,
                               const struct log_ids_range *range,
                               enum lb_err (*each)(void *ctx,
                                                   const struct log_id *id),
                               void *ctx,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_LOG_ERASED_IDS);
    bool has_row = false;
    enum lb_err rc = LB_OK;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, range->after_seq);
        (void)sqlite3_bind_int64(stmt, 2, range->upto_seq);
    }
    while (rc == LB_OK && (rc = db_next(db, stmt, &has_row, err)) == LB_OK &&
           has_row) {
        const struct log_id id = {(uint64_t)sqlite3_column_int64(stmt, 0),
                                  sqlite3_column_int64(stmt, 1),
                                  sqlite3_column_int64(stmt, 2)};

        rc = tell(each, ctx, &id, err);
        if (rc != LB_OK) {
            (void)sqlite3_reset(stmt);
        }
    }
    return rc;
}

enum lb_err log_ids_each(struct db *db,
                         const struct log_ids_range *range,
                         enum lb_err (*each)(void *ctx,
                                             const struct log_id *id),
                         void *ctx,
                         struct lb_error *err)
{
    int64_t sealed_to = 0;
    enum lb_err rc = log_sealed_to(db, &sealed_to, err);

    if (rc == LB_OK && range->after_seq < sealed_to) {
        rc = each_sealed(db, range, each, ctx, err);
    }
    rc = rc == LB_OK ? each_erased(db, range, each, ctx, err) : rc;
    return rc == LB_OK ? each_row(db, range, sealed_to, each, ctx, err) : rc;
}
