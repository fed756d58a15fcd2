/* log_rows.c - packs of events in rows. */
#include "sql/log_rows.h"

#include <string.h>

/* What a row may have so that it takes one page of 4,096 bytes and none of its
 * own behind it: 4,061 (sqlite.org/fileformat2.html, 1.6) less its other
 * columns. */
#define PACK_BYTES 4040
#define READ_BYTES ((size_t)32 * 1024) /* at a time, or one pack */

/* --- writing -------------------------------------------------------------- */

static enum lb_err write_pack(struct db *db,
                              enum sql_query query,
                              const struct log_pack *pack,
                              int64_t upto_seq,
                              int64_t received_ms,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt;

    if (pack->body.is_failed) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    stmt = db_stmt(db, query);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, upto_seq);
        (void)sqlite3_bind_int64(stmt, 2, (sqlite3_int64)pack->count);
        (void)sqlite3_bind_int64(stmt, 3, received_ms);
        (void)sqlite3_bind_blob64(stmt, 4, pack->body.data, pack->body.len,
                                  SQLITE_STATIC);
    }
    return db_run(db, stmt, err);
}

enum lb_err log_rows_put(struct db *db,
                         const struct entry *const *entries,
                         size_t count,
                         struct lb_error *err)
{
    struct log_pack pack;
    int64_t received_ms = 0;
    enum lb_err rc = LB_OK;

    log_pack_init(&pack);
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        const struct entry *event = entries[i];

        if (event->kind != ENTRY_EVENT) {
            continue;
        }
        log_pack_add(&pack, event);
        if (pack.body.len > PACK_BYTES && pack.count > 1) {
            log_pack_drop_last(&pack);
            rc = write_pack(db, SQL_LOG_PUT_PACK, &pack, pack.seq, received_ms,
                            err);
            log_pack_clear(&pack);
            log_pack_add(&pack, event);
        }
        received_ms = event->received_at_ms;
    }
    if (rc == LB_OK && (pack.count > 0 || pack.body.is_failed)) {
        rc =
            write_pack(db, SQL_LOG_PUT_PACK, &pack, pack.seq, received_ms, err);
    }
    log_pack_deinit(&pack);
    return rc;
}

/* --- reading -------------------------------------------------------------- */

/* A pack in memory; its body stands behind. */
struct held {
    int64_t upto_seq;
    int64_t count;
    size_t len;
};

static enum lb_err say_damaged(const struct log_rows *rows,
                               struct lb_error *err)
{
    return lb_err_set(err, LB_EFORMAT,
                      "the events behind log number %lld are damaged; restore "
                      "a backup (linkbell restore)",
                      (long long)rows->last_seq);
}

void log_rows_open(struct db *db,
                   int64_t after_seq,
                   int64_t upto_seq,
                   bool has_texts,
                   struct log_rows *rows_out)
{
    memset(rows_out, 0, sizeof(*rows_out));
    rows_out->db = db;
    rows_out->after_seq = after_seq;
    rows_out->upto_seq = upto_seq;
    rows_out->has_texts = has_texts;
    rows_out->read_to = after_seq;
    rows_out->last_seq = after_seq;
    lb_buf_init(&rows_out->packs, READ_BYTES + LOG_PACK_BYTES_MAX);
}

void log_rows_close(struct log_rows *rows)
{
    lb_buf_deinit(&rows->packs);
}

/* Reads some packs on, of so many bytes or one. */
static enum lb_err
fetch(struct log_rows *rows, size_t most_bytes, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(rows->db, SQL_LOG_PACKS);
    bool has_row = true;
    enum lb_err rc = LB_OK;

    lb_buf_clear(&rows->packs);
    rows->next_pack = 0;
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, rows->read_to);
    }
    do {
        struct held held;

        rc = db_next(rows->db, stmt, &has_row, err);
        if (rc != LB_OK || !has_row) {
            rows->read_to = INT64_MAX;
            return rc;
        }
        held = (struct held){sqlite3_column_int64(stmt, 0),
                             sqlite3_column_int64(stmt, 1),
                             (size_t)sqlite3_column_bytes(stmt, 2)};
        rows->read_to = held.upto_seq;
        lb_buf_add(&rows->packs, &held, sizeof(held));
        lb_buf_add(&rows->packs, sqlite3_column_blob(stmt, 2), held.len);
    } while (rows->packs.len < most_bytes && rows->read_to < rows->upto_seq);
    (void)sqlite3_reset(stmt);
    return rows->packs.is_failed ? lb_err_set(err, LB_ENOMEM, "out of memory")
                                 : LB_OK;
}

/* Opens the next of the packs in memory. */
static enum lb_err open_pack(struct log_rows *rows, struct lb_error *err)
{
    const char *at = rows->packs.data + rows->next_pack;
    struct held held;

    memcpy(&held, at, sizeof(held));
    rows->next_pack += sizeof(held) + held.len;
    rows->pack_upto = held.upto_seq;
    rows->left = held.count;
    return held.count > 0 && log_pack_open(at + sizeof(held), held.len,
                                           &rows->place) == LB_OK
               ? LB_OK
               : say_damaged(rows, err);
}

/* The next event of the pack: as many as the row says, their log numbers in
 * order and within it. */
static enum lb_err
take_event(struct log_rows *rows, struct entry *entry_out, struct lb_error *err)
{
    int64_t before_seq = rows->place.seq; /* 0 at the first */
    enum lb_err rc = log_pack_next(&rows->place, rows->has_texts, entry_out);
    bool is_last = --rows->left == 0;

    if (rc != LB_OK || entry_out->seq <= before_seq ||
        entry_out->seq > rows->pack_upto ||
        log_pack_has_next(&rows->place) == is_last) {
        return say_damaged(rows, err);
    }
    rows->last_seq = entry_out->seq;
    return LB_OK;
}

enum lb_err log_rows_next(struct log_rows *rows,
                          struct entry *entry_out,
                          bool *has_out,
                          struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    *has_out = false;
    do {
        if (rows->left == 0 && rows->next_pack == rows->packs.len &&
            rows->read_to < rows->upto_seq) {
            rc = fetch(rows, READ_BYTES, err);
        }
        if (rc != LB_OK ||
            (rows->left == 0 && rows->next_pack == rows->packs.len)) {
            return rc;
        }
        rc = rows->left == 0 ? open_pack(rows, err) : LB_OK;
        rc = rc == LB_OK ? take_event(rows, entry_out, err) : rc;
    } while (rc == LB_OK && entry_out->seq <= rows->after_seq);
    *has_out = rc == LB_OK && entry_out->seq <= rows->upto_seq;
    return rc;
}

/* --- changing ------------------------------------------------------------- */

static enum lb_err write_anew(struct db *db,
                              const struct log_pack *pack,
                              int64_t upto_seq,
                              int64_t received_ms,
                              struct lb_error *err)
{
    return pack->count == 0 && !pack->body.is_failed
               ? db_run_number(db, SQL_LOG_DROP_PACK, upto_seq, err)
               : write_pack(db, SQL_LOG_CHANGE_PACK, pack, upto_seq,
                            received_ms, err);
}

/* The events of the one pack in memory. */
static enum lb_err change_pack(struct log_rows *rows,
                               const struct log_rows_edit *edit,
                               struct lb_error *err)
{
    struct log_pack pack;
    struct entry event;
    int64_t received_ms = 0;
    bool is_changed = false;
    enum lb_err rc = open_pack(rows, err);

    log_pack_init(&pack);
    while (rc == LB_OK && rows->left > 0 &&
           (rc = take_event(rows, &event, err)) == LB_OK) {
        enum log_rows_fate fate = edit->decide(edit->ctx, &event);

        is_changed = is_changed || fate != LOG_ROWS_KEPT;
        if (fate != LOG_ROWS_GONE) {
            log_pack_add(&pack, &event);
            received_ms = event.received_at_ms;
        }
    }
    if (rc == LB_OK && is_changed) {
        rc = write_anew(rows->db, &pack, rows->pack_upto, received_ms, err);
    }
    log_pack_deinit(&pack);
    return rc;
}

enum lb_err log_rows_change(struct db *db,
                            int64_t after_seq,
                            const struct log_rows_edit *edit,
                            int64_t *upto_out,
                            struct lb_error *err)
{
    struct log_rows rows;
    enum lb_err rc;

    log_rows_open(db, after_seq, INT64_MAX, true, &rows);
    rc = fetch(&rows, 0, err);
    *upto_out = INT64_MAX;
    if (rc == LB_OK && rows.packs.len > 0) {
        rc = change_pack(&rows, edit, err);
        *upto_out = rows.pack_upto;
    }
    log_rows_close(&rows);
    return rc;
}

static enum log_rows_fate is_sealed(void *ctx, struct entry *event)
{
    return event->seq <= *(const int64_t *)ctx ? LOG_ROWS_GONE : LOG_ROWS_KEPT;
}

enum lb_err log_rows_cut(struct db *db, int64_t upto_seq, struct lb_error *err)
{
    const struct log_rows_edit edit = {&upto_seq, is_sealed};
    int64_t pack_upto = 0;

    return log_rows_change(db, upto_seq, &edit, &pack_upto, err);
}
