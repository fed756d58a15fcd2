/* day_store.c - which days have events, are counted, and still hold. */
#include "aggregate/day_store.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/day_pack.h"
#include "aggregate/rollup.h"
#include "base/clock.h"
#include "sql/horizon.h"

_Static_assert(DAY_DIMENSION_COUNT <= 32, "rollup_days.key has 5 bits");

#define DIRTY_SLOTS 16384 /* a power of two; half of them in use at most */
#define LOCAL_SLOTS 256   /* sites whose day is remembered */
#define FRONT_MS (2 * LB_MS_PER_S) /* of events that came lately, twice */

/* A day whose row already says that it is stale: further events need not. */
struct dirty {
    int64_t site; /* 0: free */
    int64_t day;
};

/* The local day of a site's event before. */
struct local {
    int64_t site;
    int64_t version; /* of the catalog */
    int64_t day;
    int64_t from_at_ms;
    int64_t to_at_ms;
};

struct day_store {
    struct catalog_holder *holder;
    struct dirty dirty[DIRTY_SLOTS];
    size_t dirty_count;
    struct local locals[LOCAL_SLOTS];
    int64_t least_at_ms[2]; /* ts, of this FRONT_MS and of the one before */
    int64_t front_since_ms; /* monotonic */
};

enum lb_err day_store_new(struct catalog_holder *holder,
                          struct day_store **store_out,
                          struct lb_error *err)
{
    *store_out = calloc(1, sizeof(**store_out));
    if (*store_out == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    (*store_out)->holder = holder;
    (*store_out)->least_at_ms[0] = INT64_MAX;
    (*store_out)->least_at_ms[1] = INT64_MAX;
    return LB_OK;
}

void day_store_free(struct day_store *store)
{
    free(store);
}

static enum lb_err run_numbers(struct db *db,
                               enum sql_query query,
                               const int64_t *numbers,
                               int count,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, query);

    for (int i = 0; stmt != NULL && i < count; i++) {
        (void)sqlite3_bind_int64(stmt, i + 1, numbers[i]);
    }
    return db_run(db, stmt, err);
}

/* --- the consumer --------------------------------------------------------- */

static size_t home(int64_t site, int64_t day)
{
    uint64_t hash = (uint64_t)site * UINT64_C(0x9e3779b97f4a7c15) +
                    (uint64_t)day * UINT64_C(0xc2b2ae3d27d4eb4f);

    return (size_t)(hash ^ hash >> 31) & (DIRTY_SLOTS - 1);
}

static struct dirty *
find_dirty(struct day_store *store, int64_t site, int64_t day)
{
    size_t at = home(site, day);

    while (store->dirty[at].site != 0 &&
           (store->dirty[at].site != site || store->dirty[at].day != day)) {
        at = (at + 1) & (DIRTY_SLOTS - 1);
    }
    return &store->dirty[at];
}

/* Forgetting costs a needless write later, never a wrong answer. */
static void forget_dirty(void *ctx)
{
    struct day_store *store = ctx;

    if (store->dirty_count > 0) {
        memset(store->dirty, 0, sizeof(store->dirty));
        store->dirty_count = 0;
    }
}

static const struct local *local_of(struct day_store *store,
                                    const struct catalog *catalog,
                                    const struct entry *entry)
{
    struct local *local =
        &store->locals[(size_t)entry->site & (LOCAL_SLOTS - 1)];
    const struct catalog_site *site;

    if (local->site == entry->site &&
        local->version == catalog_version(catalog) &&
        entry->ts_at_ms >= local->from_at_ms &&
        entry->ts_at_ms < local->to_at_ms) {
        return local;
    }
    site = catalog_site_by_number(catalog, entry->site);
    if (site == NULL || entry->ts_at_ms < site->horizon_at_ms) {
        return NULL; /* removed: nobody can ask for it; or final */
    }
    local->site = entry->site;
    local->version = catalog_version(catalog);
    local->day = lb_zone_local_day(site->zone, entry->ts_at_ms);
    local->from_at_ms = lb_zone_day_start_ms(site->zone, local->day);
    local->to_at_ms = lb_zone_day_start_ms(site->zone, local->day + 1);
    return local;
}

static enum lb_err touch(struct day_store *store,
                         struct db *db,
                         const struct local *local,
                         struct lb_error *err)
{
    struct dirty *dirty = find_dirty(store, local->site, local->day);
    const int64_t numbers[] = {local->site, local->day, 1};

    if (dirty->site != 0) {
        return LB_OK;
    }
    if (store->dirty_count >= DIRTY_SLOTS / 2) {
        forget_dirty(store);
        dirty = find_dirty(store, local->site, local->day);
    }
    *dirty = (struct dirty){local->site, local->day};
    store->dirty_count++;
    return run_numbers(db, SQL_DAY_TOUCH, numbers, 3, err);
}

static void move_front(struct day_store *store)
{
    int64_t now_ms = lb_clock_mono_ms();

    if (now_ms - store->front_since_ms >= FRONT_MS) {
        store->least_at_ms[1] = now_ms - store->front_since_ms < 2 * FRONT_MS
                                    ? store->least_at_ms[0]
                                    : INT64_MAX;
        store->least_at_ms[0] = INT64_MAX;
        store->front_since_ms = now_ms;
    }
}

int64_t day_store_front_ms(struct day_store *store)
{
    move_front(store);
    return store->least_at_ms[0] < store->least_at_ms[1]
               ? store->least_at_ms[0]
               : store->least_at_ms[1];
}

static enum lb_err apply(void *ctx,
                         struct db *db,
                         const struct entry *const *entries,
                         size_t count,
                         struct lb_error *err)
{
    struct day_store *store = ctx;
    struct catalog *catalog = catalog_current(store->holder);
    enum lb_err rc = LB_OK;

    move_front(store);
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        const struct local *local = entries[i]->kind == ENTRY_EVENT
                                        ? local_of(store, catalog, entries[i])
                                        : NULL;

        if (local != NULL && entries[i]->ts_at_ms < store->least_at_ms[0]) {
            store->least_at_ms[0] = entries[i]->ts_at_ms;
        }
        rc = local == NULL ? LB_OK : touch(store, db, local, err);
    }
    catalog_unref(catalog);
    return rc;
}

struct cursor_consumer day_store_consumer(struct day_store *store)
{
    return (struct cursor_consumer){"days", store, apply, NULL, forget_dirty};
}

/* --- building ------------------------------------------------------------- */

enum lb_err day_store_list_stale(
    struct db *db,
    bool (*each)(void *ctx, const struct day_store_stale *stale),
    void *ctx,
    struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_DAY_STALE);
    bool has_row = false;
    enum lb_err rc;

    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        const struct day_store_stale stale = {
            sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1),
            sqlite3_column_int64(stmt, 2), sqlite3_column_int64(stmt, 3)};

        if (!each(ctx, &stale)) {
            (void)sqlite3_reset(stmt);
            break;
        }
    }
    return rc;
}

void day_store_watch(struct day_store *store, int64_t site, int64_t day)
{
    /* Open addressing knows no single removal; the others cost a write each. */
    if (find_dirty(store, site, day)->site != 0) {
        forget_dirty(store);
    }
}

/* The zone under which a site's days stand; "" when they are not listed. */
static enum lb_err
read_zone(struct db *db, int64_t site, char out[64], struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_DAY_ZONE);
    bool has_row = false;
    enum lb_err rc;

    out[0] = '\0';
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, site);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        size_t len = text == NULL ? 0 : strnlen(text, 63);

        memcpy(out, text == NULL ? "" : text, len);
        out[len] = '\0';
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err day_store_is_listed(struct db *db,
                                const struct catalog_site *site,
                                bool *is_listed_out,
                                struct lb_error *err)
{
    char zone[64];
    enum lb_err rc = read_zone(db, site->number, zone, err);

    *is_listed_out = rc == LB_OK && strcmp(zone, site->timezone) == 0;
    return rc;
}

/* The one number of a query's one row; *has_row_out is false without. */
static enum lb_err ask_number(struct db *db,
                              sqlite3_stmt *stmt,
                              int64_t *number_out,
                              bool *has_row_out,
                              struct lb_error *err)
{
    enum lb_err rc = db_next(db, stmt, has_row_out, err);

    if (*has_row_out) {
        *has_row_out = sqlite3_column_type(stmt, 0) != SQLITE_NULL;
        *number_out = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

static enum lb_err next_bucket(struct db *db,
                               int64_t site,
                               int64_t from_bucket,
                               int64_t *bucket_out,
                               bool *has_any_out,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_ROLLUP_NEXT_BUCKET);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, site);
        (void)sqlite3_bind_int64(stmt, 2, from_bucket);
    }
    return ask_number(db, stmt, bucket_out, has_any_out, err);
}

int64_t day_store_first_open(const struct catalog_site *site)
{
    return site->horizon_at_ms == INT64_MIN
               ? INT64_MIN
               : lb_zone_local_day(site->zone, site->horizon_at_ms - 1) + 1;
}

static enum lb_err list_days(struct db *db,
                             const struct catalog_site *site,
                             int64_t generation,
                             struct lb_error *err)
{
    int64_t first = day_store_first_open(site);
    int64_t bucket =
        first == INT64_MIN
            ? INT64_MIN
            : rollup_bucket(lb_zone_day_start_ms(site->zone, first));
    bool has_any = true;
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && has_any) {
        rc = next_bucket(db, site->number, bucket, &bucket, &has_any, err);
        if (rc == LB_OK && has_any) {
            int64_t day =
                lb_zone_local_day(site->zone, bucket * ROLLUP_BUCKET_MS);
            const int64_t numbers[] = {site->number, day, generation};

            rc = run_numbers(db, SQL_DAY_TOUCH, numbers, 3, err);
            bucket =
                rollup_bucket(lb_zone_day_start_ms(site->zone, day + 1) - 1) +
                1;
        }
    }
    return rc;
}

enum lb_err day_store_relist(struct day_store *store,
                             struct db *db,
                             const struct catalog_site *site,
                             struct lb_error *err)
{
    const int64_t from[] = {site->number, day_store_first_open(site)};
    sqlite3_stmt *stmt = db_stmt(db, SQL_DAY_MAX_GENERATION);
    int64_t generation = 0;
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, site->number);
    }
    rc = ask_number(db, stmt, &generation, &has_row, err);
    /* Days whose events have aged out stay as they are. */
    rc =
        rc == LB_OK ? run_numbers(db, SQL_DAY_FORGET_STATES, from, 2, err) : rc;
    rc =
        rc == LB_OK ? run_numbers(db, SQL_DAY_FORGET_BODIES, from, 2, err) : rc;
    /* A build under way knows a smaller generation and is refused. */
    rc = rc == LB_OK ? list_days(db, site, generation + 1, err) : rc;
    stmt = rc == LB_OK ? db_stmt(db, SQL_DAY_SET_ZONE) : NULL;
    if (rc == LB_OK) {
        if (stmt != NULL) {
            (void)sqlite3_bind_int64(stmt, 1, site->number);
            db_bind_text(stmt, 2, site->timezone);
        }
        rc = db_run(db, stmt, err);
    }
    forget_dirty(store);
    return rc;
}

static enum lb_err read_generation(struct db *db,
                                   int64_t site,
                                   int64_t day,
                                   int64_t generations[2],
                                   struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_DAY_GET);
    bool has_row = false;
    enum lb_err rc;

    generations[0] = 0;
    generations[1] = 0;
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, site);
        (void)sqlite3_bind_int64(stmt, 2, day);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        generations[0] = sqlite3_column_int64(stmt, 0);
        generations[1] = sqlite3_column_int64(stmt, 1);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

static enum lb_err put_body(struct db *db,
                            const struct day_store_stale *day,
                            int dimension,
                            const struct lb_buf *body,
                            struct lb_error *err)
{
    const int64_t numbers[] = {day->site, dimension, day->day};
    sqlite3_stmt *stmt;

    if (body->len == 0) {
        return run_numbers(db, SQL_DAY_DROP, numbers, 3, err);
    }
    stmt = db_stmt(db, SQL_DAY_PUT);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, day->site);
        (void)sqlite3_bind_int(stmt, 2, dimension);
        (void)sqlite3_bind_int64(stmt, 3, day->day);
        (void)sqlite3_bind_blob64(stmt, 4, body->data, body->len,
                                  SQLITE_STATIC);
    }
    return db_run(db, stmt, err);
}

enum lb_err day_store_put(struct db *db,
                          const struct day_store_stale *day,
                          const struct lb_buf *bodies,
                          int64_t now_ms,
                          struct lb_error *err)
{
    int64_t generations[2];
    bool is_current;
    enum lb_err rc = read_generation(db, day->site, day->day, generations, err);

    is_current = generations[0] == day->generation;
    for (int i = 0; i < DAY_DIMENSION_COUNT && rc == LB_OK && is_current; i++) {
        rc = put_body(db, day, i, &bodies[i], err);
    }
    if (rc == LB_OK) {
        const int64_t numbers[] = {
            day->site, day->day, is_current ? day->generation : generations[1],
            now_ms};

        rc = run_numbers(db, SQL_DAY_SET_BUILT, numbers, 4, err);
    }
    return rc;
}

static enum lb_err
drop_day(struct db *db, int64_t site, int64_t day, struct lb_error *err)
{
    const int64_t touched[] = {site, day, 1};
    const int64_t unbuilt[] = {site, day, 0, 0};
    int64_t generations[2];
    enum lb_err rc = read_generation(db, site, day, generations, err);

    rc = rc == LB_OK ? run_numbers(db, SQL_DAY_TOUCH, touched, 3, err) : rc;
    if (rc != LB_OK || generations[1] == 0) {
        return rc;
    }
    for (int i = 0; i < DAY_DIMENSION_COUNT && rc == LB_OK; i++) {
        const int64_t body[] = {site, i, day};

        rc = run_numbers(db, SQL_DAY_DROP, body, 3, err);
    }
    return rc == LB_OK ? run_numbers(db, SQL_DAY_SET_BUILT, unbuilt, 4, err)
                       : rc;
}

enum lb_err
day_store_drop(struct db *db, int64_t site, int64_t ts_ms, struct lb_error *err)
{
    const struct lb_zone *zone = NULL;
    char name[64];
    struct horizon *horizon = NULL;
    int64_t horizon_ms;
    enum lb_err rc = read_zone(db, site, name, err);

    if (rc != LB_OK || name[0] == '\0') {
        return rc; /* nothing is built before the days are listed */
    }
    rc = horizon_load(db, &horizon, err);
    horizon_ms = horizon_of(horizon, site);
    horizon_free(horizon);
    if (rc != LB_OK || ts_ms < horizon_ms) {
        return rc; /* final */
    }
    rc = lb_zone_find(name, &zone, err);
    return rc == LB_OK ? drop_day(db, site, lb_zone_local_day(zone, ts_ms), err)
                       : rc;
}

/* --- reading -------------------------------------------------------------- */

enum lb_err
day_store_list_built(struct db *db,
                     enum lb_err (*each)(void *ctx, int64_t site, int64_t day),
                     void *ctx,
                     struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_DAY_BUILT);
    bool has_row = false;
    enum lb_err rc;

    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        rc = each(ctx, sqlite3_column_int64(stmt, 0),
                  sqlite3_column_int64(stmt, 1));
        if (rc != LB_OK) {
            (void)sqlite3_reset(stmt);
            break;
        }
    }
    return rc;
}

enum lb_err day_store_read(struct db *db,
                           const struct day_store_range *range,
                           enum lb_err (*each)(void *ctx,
                                               const struct day_store_day *day),
                           void *ctx,
                           struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_DAY_READ);
    struct day_pack *pack = day_pack_new();
    bool has_row = false;
    enum lb_err rc =
        pack == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory") : LB_OK;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, range->site);
        (void)sqlite3_bind_int(stmt, 2, (int)range->dimension);
        (void)sqlite3_bind_int64(stmt, 3, range->first_day);
        (void)sqlite3_bind_int64(stmt, 4, range->last_day);
    }
    while (rc == LB_OK && (rc = db_next(db, stmt, &has_row, err)) == LB_OK &&
           has_row) {
        struct day_store_day day = {
            .day = sqlite3_column_int64(stmt, 0),
            .is_built = sqlite3_column_int(stmt, 1) != 0,
            .total = sqlite3_column_blob(stmt, 3),
            .total_bytes = (size_t)sqlite3_column_bytes(stmt, 3)};

        /* One that is damaged stays as it is stored: who reads it sees that. */
        if (day_pack_read(pack, sqlite3_column_blob(stmt, 2),
                          (size_t)sqlite3_column_bytes(stmt, 2), &day.body,
                          &day.body_bytes) == LB_ENOMEM) {
            rc = lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        rc = rc == LB_OK ? each(ctx, &day) : rc;
        if (rc != LB_OK) {
            (void)sqlite3_reset(stmt);
        }
    }
    day_pack_free(pack);
    return rc;
}
