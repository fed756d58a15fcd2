/* log_rows.c - packs of events in rows. */
#include "sql/log_rows.h"

#include <string.h>

/* What a row may have so that it takes one page of 4,096 bytes and none of its
 * own behind it: 4,061 (sqlite.org/fileformat2.html, 1.6) less its other
 * columns. */
#define PACK_BYTES 4040
#define PACK_BYTES_MAX ((size_t)16 * 1024 * 1024) /* of one large event */
#define READ_BYTES ((size_t)32 * 1024)            /* at a time, or one pack */

/* --- writing -------------------------------------------------------------- */

static enum lb_err put_pack(struct db *db,
                            const struct log_pack *pack,
                            int64_t upto_seq,
                            int64_t received_ms,
                            struct lb_error *err)
{
    sqlite3_stmt *stmt;

    if (pack->body.is_failed) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    stmt = db_stmt(db, SQL_LOG_PUT_PACK);
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

    log_pack_init(&pack, PACK_BYTES_MAX);
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        const struct entry *event = entries[i];

        if (event->kind != ENTRY_EVENT) {
            continue;
        }
        log_pack_add(&pack, event);
        if (pack.body.len > PACK_BYTES && pack.count > 1) {
            log_pack_drop_last(&pack);
            rc = put_pack(db, &pack, pack.seq, received_ms, err);
            log_pack_clear(&pack);
            log_pack_add(&pack, event);
        }
        received_ms = event->received_at_ms;
    }
    if (rc == LB_OK && (pack.count > 0 || pack.body.is_failed)) {
        rc = put_pack(db, &pack, pack.seq, received_ms, err);
    }
    log_pack_deinit(&pack);
    return rc;
}

/* --- reading -------------------------------------------------------------- */

static enum lb_err say_damaged(int64_t seq, struct lb_error *err)
{
    return lb_err_set(err, LB_EFORMAT,
                      "the events behind log number %lld are damaged; restore "
                      "a backup (linkbell restore)",
                      (long long)seq);
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
    lb_buf_init(&rows_out->packs, READ_BYTES + PACK_BYTES_MAX);
}

void log_rows_close(struct log_rows *rows)
{
    lb_buf_deinit(&rows->packs);
}

/* Reads some packs on. */
static enum lb_err fetch(struct log_rows *rows, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(rows->db, SQL_LOG_PACKS);
    bool has_row = true;
    enum lb_err rc = LB_OK;

    lb_buf_clear(&rows->packs);
    rows->next_pack = 0;
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, rows->read_to);
    }
    while (has_row && rows->packs.len < READ_BYTES &&
           rows->read_to < rows->upto_seq) {
        size_t len;

        rc = db_next(rows->db, stmt, &has_row, err);
        if (rc != LB_OK || !has_row) {
            rows->read_to = INT64_MAX;
            return rc;
        }
        len = (size_t)sqlite3_column_bytes(stmt, 1);
        rows->read_to = sqlite3_column_int64(stmt, 0);
        lb_buf_add(&rows->packs, &len, sizeof(len));
        lb_buf_add(&rows->packs, sqlite3_column_blob(stmt, 1), len);
    }
    (void)sqlite3_reset(stmt);
    return rows->packs.is_failed ? lb_err_set(err, LB_ENOMEM, "out of memory")
                                 : LB_OK;
}

/* Opens the next pack; the place stays at its end after the last one. */
static enum lb_err open_pack(struct log_rows *rows, struct lb_error *err)
{
    const char *at;
    size_t len;
    enum lb_err rc = LB_OK;

    if (rows->next_pack == rows->packs.len) {
        rc = fetch(rows, err);
        if (rc != LB_OK || rows->packs.len == 0) {
            return rc;
        }
    }
    at = rows->packs.data + rows->next_pack;
    memcpy(&len, at, sizeof(len));
    rows->next_pack += sizeof(len) + len;
    return log_pack_open(at + sizeof(len), len, &rows->place) == LB_OK
               ? LB_OK
               : say_damaged(rows->last_seq, err);
}

static enum lb_err take_next(struct log_rows *rows,
                             struct entry *entry_out,
                             bool *has_out,
                             struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    if (!log_pack_has_next(&rows->place)) {
        rc = open_pack(rows, err);
    }
    *has_out = rc == LB_OK && log_pack_has_next(&rows->place);
    if (!*has_out) {
        return rc;
    }
    if (log_pack_next(&rows->place, rows->has_texts, entry_out) != LB_OK) {
        *has_out = false;
        return say_damaged(rows->last_seq, err);
    }
    rows->last_seq = entry_out->seq;
    return LB_OK;
}

enum lb_err log_rows_next(struct log_rows *rows,
                          struct entry *entry_out,
                          bool *has_out,
                          struct lb_error *err)
{
    enum lb_err rc;

    do {
        rc = take_next(rows, entry_out, has_out, err);
    } while (*has_out && entry_out->seq <= rows->after_seq);
    *has_out = *has_out && entry_out->seq <= rows->upto_seq;
    return rc;
}

/* --- changing ------------------------------------------------------------- */

/* The first pack behind after_seq, read whole; packs is empty without one. */
static enum lb_err
read_one(struct log_rows *rows, int64_t *upto_out, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(rows->db, SQL_LOG_PACKS);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, rows->after_seq);
    }
    rc = db_next(rows->db, stmt, &has_row, err);
    *upto_out = INT64_MAX;
    if (rc != LB_OK || !has_row) {
        return rc;
    }
    *upto_out = sqlite3_column_int64(stmt, 0);
    lb_buf_add(&rows->packs, sqlite3_column_blob(stmt, 1),
               (size_t)sqlite3_column_bytes(stmt, 1));
    (void)sqlite3_reset(stmt);
    if (rows->packs.is_failed) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    return log_pack_open(rows->packs.data, rows->packs.len, &rows->place) ==
                   LB_OK
               ? LB_OK
               : say_damaged(rows->after_seq, err);
}

static enum lb_err write_anew(struct db *db,
                              const struct log_pack *pack,
                              int64_t upto_seq,
                              int64_t received_ms,
                              struct lb_error *err)
{
    return pack->count == 0
               ? db_run_number(db, SQL_LOG_DROP_PACK, upto_seq, err)
               : put_pack(db, pack, upto_seq, received_ms, err);
}

enum lb_err log_rows_change(struct db *db,
                            int64_t after_seq,
                            const struct log_rows_edit *edit,
                            int64_t *upto_out,
                            struct lb_error *err)
{
    struct log_rows rows;
    struct log_pack pack;
    struct entry event;
    int64_t received_ms = 0;
    bool is_changed = false;
    enum lb_err rc;

    log_rows_open(db, after_seq, INT64_MAX, true, &rows);
    log_pack_init(&pack, PACK_BYTES_MAX);
    rc = read_one(&rows, upto_out, err);
    while (rc == LB_OK && log_pack_has_next(&rows.place)) {
        enum log_rows_fate fate;

        if (log_pack_next(&rows.place, true, &event) != LB_OK) {
            rc = say_damaged(after_seq, err);
            break;
        }
        fate = edit->decide(edit->ctx, &event);
        is_changed = is_changed || fate != LOG_ROWS_KEPT;
        if (fate != LOG_ROWS_GONE) {
            log_pack_add(&pack, &event);
            received_ms = event.received_at_ms;
        }
    }
    if (rc == LB_OK && is_changed) {
        rc = write_anew(db, &pack, *upto_out, received_ms, err);
    }
    log_pack_deinit(&pack);
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
