/* coverage_store.c - incomplete buckets in the database. */
#include "aggregate/coverage_store.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "aggregate/rollup.h"

#define FIRST_ROWS 64

enum lb_err coverage_store_apply(struct db *db,
                                 const struct entry *entry,
                                 struct lb_error *err)
{
    struct coverage_span span;
    sqlite3_stmt *stmt;
    int64_t first;
    int64_t last;

    if (!coverage_read(entry, &span)) {
        return LB_OK;
    }
    first = rollup_bucket(span.from_at_ms);
    last = rollup_bucket(span.to_at_ms - 1);
    last = last - first < COVERAGE_STORE_SPAN ? last
                                              : first + COVERAGE_STORE_SPAN - 1;
    stmt = db_stmt(db, SQL_COVERAGE_PUT);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, span.site);
        (void)sqlite3_bind_int64(stmt, 2, first);
        (void)sqlite3_bind_int64(stmt, 3, last);
        (void)sqlite3_bind_int(stmt, 4, (int)span.state);
    }
    return db_run(db, stmt, err);
}

static enum lb_err add_row(struct coverage_store_list *list,
                           const struct coverage_store_row *row,
                           struct lb_error *err)
{
    if (list->count == list->cap) {
        size_t cap = list->cap == 0 ? FIRST_ROWS : list->cap * 2;
        struct coverage_store_row *rows =
            realloc(list->rows, cap * sizeof(*rows));

        if (rows == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        list->rows = rows;
        list->cap = cap;
    }
    list->rows[list->count++] = *row;
    return LB_OK;
}

static enum lb_err read_site(struct db *db,
                             struct coverage_store_row row,
                             int64_t end,
                             struct coverage_store_list *list,
                             struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_COVERAGE_READ);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, row.site);
        (void)sqlite3_bind_int64(stmt, 2, row.bucket);
        (void)sqlite3_bind_int64(stmt, 3, end);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        row.bucket = sqlite3_column_int64(stmt, 0);
        row.state = (enum coverage_state)sqlite3_column_int(stmt, 1);
        rc = add_row(list, &row, err);
        if (rc != LB_OK) {
            (void)sqlite3_reset(stmt);
            return rc;
        }
    }
    return rc;
}

static int compare_rows(const void *left, const void *right)
{
    const struct coverage_store_row *a = left;
    const struct coverage_store_row *b = right;

    return a->bucket < b->bucket ? -1 : a->bucket > b->bucket;
}

/* The first row at or after bucket. */
static size_t find_bucket(const struct coverage_store_list *list,
                          int64_t bucket)
{
    size_t low = 0;
    size_t high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (list->rows[middle].bucket < bucket) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

enum lb_err coverage_store_read(struct db *db,
                                const struct coverage_store_question *question,
                                struct coverage_store_list *list_out,
                                struct lb_error *err)
{
    int64_t first = rollup_bucket(question->from_at_ms);
    int64_t end = rollup_bucket(question->to_at_ms - 1) + 1;
    enum lb_err rc = LB_OK;

    *list_out = (struct coverage_store_list){NULL, 0, 0};
    for (size_t i = 0; i < question->site_count &&
                       question->from_at_ms < question->to_at_ms && rc == LB_OK;
         i++) {
        const struct coverage_store_row from = {question->sites[i], first,
                                                COVERAGE_COMPLETE};

        rc = read_site(db, from, end, list_out, err);
    }
    if (rc == LB_OK && list_out->count > 0) {
        qsort(list_out->rows, list_out->count, sizeof(*list_out->rows),
              compare_rows);
    }
    return rc;
}

void coverage_store_deinit(struct coverage_store_list *list)
{
    free(list->rows);
    *list = (struct coverage_store_list){NULL, 0, 0};
}

enum coverage_state coverage_store_worst(const struct coverage_store_list *list,
                                         int64_t site,
                                         int64_t from_at_ms,
                                         int64_t to_at_ms)
{
    int64_t last = rollup_bucket(to_at_ms - 1);
    enum coverage_state worst = COVERAGE_COMPLETE;

    for (size_t i = find_bucket(list, rollup_bucket(from_at_ms));
         i < list->count && list->rows[i].bucket <= last &&
         worst != COVERAGE_GAP;
         i++) {
        const struct coverage_store_row *row = &list->rows[i];

        if ((site == 0 || row->site == site) && row->state > worst) {
            worst = row->state;
        }
    }
    return worst;
}
