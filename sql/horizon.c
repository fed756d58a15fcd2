/* horizon.c - up to when the events of a site have aged out. */
#include "sql/horizon.h"

#include <stdbool.h>
#include <stdlib.h>

struct place {
    int64_t site;
    int64_t at_ms;
};

struct horizon {
    struct place *places; /* owned; by site */
    size_t count;
    size_t cap;
    int64_t latest_at_ms;
};

static bool add_place(struct horizon *horizon, int64_t site, int64_t at_ms)
{
    if (horizon->count == horizon->cap) {
        size_t cap = horizon->cap == 0 ? 32 : horizon->cap * 2;
        struct place *places = realloc(horizon->places, cap * sizeof(*places));

        if (places == NULL) {
            return false;
        }
        horizon->places = places;
        horizon->cap = cap;
    }
    horizon->places[horizon->count++] = (struct place){site, at_ms};
    if (horizon->count == 1 || at_ms > horizon->latest_at_ms) {
        horizon->latest_at_ms = at_ms;
    }
    return true;
}

enum lb_err
horizon_load(struct db *db, struct horizon **horizon_out, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_HORIZON_ALL);
    struct horizon *horizon = NULL;
    bool has_row = false;
    enum lb_err rc;

    *horizon_out = NULL;
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        horizon = horizon == NULL ? calloc(1, sizeof(*horizon)) : horizon;
        if (horizon == NULL ||
            !add_place(horizon, sqlite3_column_int64(stmt, 0),
                       sqlite3_column_int64(stmt, 1))) {
            (void)sqlite3_reset(stmt);
            horizon_free(horizon);
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    if (rc != LB_OK) {
        horizon_free(horizon);
        return rc;
    }
    *horizon_out = horizon;
    return LB_OK;
}

void horizon_free(struct horizon *horizon)
{
    if (horizon != NULL) {
        free(horizon->places);
        free(horizon);
    }
}

int64_t horizon_of(const struct horizon *horizon, int64_t site)
{
    size_t low = 0;
    size_t high = horizon == NULL ? 0 : horizon->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (horizon->places[middle].site == site) {
            return horizon->places[middle].at_ms;
        }
        if (horizon->places[middle].site < site) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return HORIZON_NONE;
}

int64_t horizon_latest(const struct horizon *horizon)
{
    return horizon == NULL ? HORIZON_NONE : horizon->latest_at_ms;
}

int64_t horizon_sum(const struct horizon *horizon)
{
    uint64_t sum = 0;

    for (size_t i = 0; horizon != NULL && i < horizon->count; i++) {
        sum = sum * UINT64_C(31) + (uint64_t)horizon->places[i].at_ms;
    }
    return (int64_t)sum;
}
