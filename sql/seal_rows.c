/* seal_rows.c - deletes the packs of sealed events. */
#include "sql/seal_rows.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/log.h"
#include "sql/log_store.h"

#define LOOK_MS 200
/* Events deleted in one transaction: a part of those that wait, so many; and so
 * many packs, which have a page each where events come fast: as many as a large
 * group brings, or some 2 ms of them. */
#define DELETE_PART 16
#define DELETE_EVENTS_LEAST 2048
#define DELETE_EVENTS_MOST 16384
#define DELETE_PACKS_WITH_GROUP 256
#define DELETE_PACKS_ALONE 64

struct seal_rows {
    int64_t deleted_to;  /* no row up to here is left */
    bool has_rows;       /* some that are sealed are there yet */
    bool is_with_groups; /* groups came since the last look for them */
};

/* The end of the first pack; INT64_MAX: there is none. */
static enum lb_err
find_first_row(struct db *db, int64_t *seq_out, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SEAL_FIRST_ROW);
    bool has_row = false;
    enum lb_err rc = db_next(db, stmt, &has_row, err);

    *seq_out = INT64_MAX;
    if (has_row) {
        *seq_out = sqlite3_column_type(stmt, 0) == SQLITE_NULL
                       ? INT64_MAX
                       : sqlite3_column_int64(stmt, 0);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

static enum lb_err
delete_packs(struct db *db, int64_t upto_seq, int packs, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SEAL_DELETE);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, upto_seq);
        (void)sqlite3_bind_int(stmt, 2, packs);
    }
    return db_run(db, stmt, err);
}

/* Some of the packs that are sealed. */
static enum lb_err delete_some(struct seal_rows *rows,
                               struct db *db,
                               int packs,
                               struct lb_error *err)
{
    int64_t sealed_to = 0;
    int64_t first = 0;
    int64_t count;
    enum lb_err rc = log_sealed_to(db, &sealed_to, err);

    rows->has_rows = rc == LB_OK && sealed_to > rows->deleted_to;
    rc = rows->has_rows ? find_first_row(db, &first, err) : rc;
    if (rc != LB_OK || !rows->has_rows) {
        return rc;
    }
    if (first > sealed_to) {
        rows->deleted_to = sealed_to;
        rows->has_rows = false;
        return LB_OK;
    }
    count = (sealed_to - first) / DELETE_PART;
    count = count < DELETE_EVENTS_LEAST  ? DELETE_EVENTS_LEAST
            : count > DELETE_EVENTS_MOST ? DELETE_EVENTS_MOST
                                         : count;
    return delete_packs(
        db, first + count - 1 < sealed_to ? first + count - 1 : sealed_to,
        packs, err);
}

/* With a group of events, which is synced anyway. */
static enum lb_err finish_group(void *ctx, struct db *db, struct lb_error *err)
{
    struct seal_rows *rows = ctx;
    struct lb_error fault;

    rows->is_with_groups = true;
    if (!rows->has_rows ||
        delete_some(rows, db, DELETE_PACKS_WITH_GROUP, &fault) == LB_OK) {
        return LB_OK;
    }
    /* The group goes on without, unless it is gone. */
    rows->has_rows = false;
    lb_log_limited(LB_LOG_WARN, "seal_delete", "text=\"%s\"", fault.text);
    if (sqlite3_get_autocommit(db_handle(db)) == 0) {
        return LB_OK;
    }
    *err = fault;
    return fault.code;
}

/* Rows may be there again. */
static void group_undone(void *ctx)
{
    struct seal_rows *rows = ctx;

    rows->deleted_to = 0;
}

/* By itself when no group comes; else it looks whether the next one has some to
 * delete. */
static bool delete_chore(void *ctx, struct db *db)
{
    struct seal_rows *rows = ctx;
    struct lb_error err;
    bool is_with_groups = rows->is_with_groups;
    int64_t sealed_to = 0;

    rows->is_with_groups = false;
    if (is_with_groups) {
        rows->has_rows = log_sealed_to(db, &sealed_to, &err) == LB_OK &&
                         sealed_to > rows->deleted_to;
        return false;
    }
    if (delete_some(rows, db, DELETE_PACKS_ALONE, &err) != LB_OK) {
        lb_log_limited(LB_LOG_WARN, "seal_delete", "text=\"%s\"", err.text);
        rows->has_rows = false;
        return false;
    }
    return rows->has_rows;
}

enum lb_err seal_rows_new(struct writer *writer,
                          struct seal_rows **rows_out,
                          struct lb_error *err)
{
    struct seal_rows *rows = calloc(1, sizeof(*rows));
    const struct writer_member member = {rows, NULL, finish_group, NULL,
                                         group_undone};

    *rows_out = rows;
    if (rows == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    writer_add_member(writer, &member);
    writer_add_chore(writer, "seal_delete", delete_chore, rows, LOOK_MS);
    return LB_OK;
}

void seal_rows_free(struct seal_rows *rows)
{
    free(rows);
}
