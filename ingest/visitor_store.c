/* visitor_store.c - numbers of visitors, in memory and on disk. */
#include "ingest/visitor_store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD_BUCKETS 1024
#define SWEEP_ROWS 2000 /* looked at in a step: about a millisecond */
#define STEP_SALTS 500  /* deleted or freed in a step, likewise */

/* The next number of a site's period, shared by its salts. */
struct period {
    struct period *next;
    struct period *dirty; /* in the list of this transaction */
    int64_t site;
    int64_t day;
    int64_t next_number;
    int64_t committed_next;
    bool is_dirty;
};

/* What this transaction added, for its way back. */
struct added {
    struct visitor_salt *salt;
    uint64_t hash;
};

struct visitor_store {
    struct period *periods[PERIOD_BUCKETS]; /* owned */
    struct period *dirty;
    struct added *added; /* owned */
    size_t added_count;
    size_t added_cap;
    struct visitor_salt *
        *saved; /* owned array; salts saved by this transaction */
    size_t saved_count;
    size_t saved_cap;
    bool is_sweep_due;
    int64_t sweep_at; /* of the sweep under way: rows up to it are done */
    int64_t sweep_upto;
};

/* Scales 32 bits of the hash to the table's size, which is no power of two. */
static size_t home_of(const struct visitor_salt *salt, uint64_t hash)
{
    return (size_t)((hash >> 32) * salt->slot_count >> 32);
}

static size_t after(const struct visitor_salt *salt, size_t at)
{
    return at + 1 == salt->slot_count ? 0 : at + 1;
}

static uint64_t hash_at(const struct visitor_salt *salt, size_t at)
{
    return (uint64_t)salt->slots[at].hash_high << 32 | salt->slots[at].hash_low;
}

/* The slot of hash, or the free one that ends the search. */
static size_t find_slot(const struct visitor_salt *salt, uint64_t hash)
{
    size_t at = home_of(salt, hash);

    while (salt->slots[at].number != 0 && hash_at(salt, at) != hash) {
        at = after(salt, at);
    }
    return at;
}

void visitor_store_expect(const struct visitor_salt *salt, uint64_t hash)
{
    if (salt->slot_count > 0) {
        __builtin_prefetch(&salt->slots[home_of(salt, hash)]);
    }
}

int64_t visitor_store_known(const struct visitor_salt *salt, uint64_t hash)
{
    return salt->slot_count == 0 ? 0
                                 : salt->slots[find_slot(salt, hash)].number;
}

static void put_slot(struct visitor_salt *salt, uint64_t hash, uint32_t number)
{
    salt->slots[find_slot(salt, hash)] = (struct visitor_slot){
        (uint32_t)(hash >> 32), (uint32_t)(hash & UINT32_MAX), number};
    salt->used++;
}

static enum lb_err grow_slots(struct visitor_salt *salt)
{
    struct visitor_salt grown = *salt;

    grown.slot_count = salt->slot_count + salt->slot_count / 4 + 16;
    /* Written at once: memory that is read before takes two page faults. */
    grown.slots = malloc(grown.slot_count * sizeof(*grown.slots));
    if (grown.slots == NULL) {
        return LB_ENOMEM;
    }
    memset(grown.slots, 0, grown.slot_count * sizeof(*grown.slots));
    grown.used = 0;
    for (size_t i = 0; i < salt->slot_count; i++) {
        if (salt->slots[i].number != 0) {
            put_slot(&grown, hash_at(salt, i), salt->slots[i].number);
        }
    }
    free(salt->slots);
    salt->slots = grown.slots;
    salt->slot_count = grown.slot_count;
    return LB_OK;
}

static enum lb_err
remember(struct visitor_salt *salt, uint64_t hash, int64_t number)
{
    if (number > UINT32_MAX || ((salt->used + 1) * 8 > salt->slot_count * 7 &&
                                grow_slots(salt) != LB_OK)) {
        return LB_ENOMEM;
    }
    put_slot(salt, hash, (uint32_t)number);
    return LB_OK;
}

/* Steps from one slot on to another. */
static size_t steps(const struct visitor_salt *salt, size_t from, size_t to)
{
    return to >= from ? to - from : to + salt->slot_count - from;
}

/* Takes a hash out and closes the gap (linear probing; Knuth, TAOCP 3, 6.4 R).
 */
static void forget(struct visitor_salt *salt, uint64_t hash)
{
    size_t gap = find_slot(salt, hash);

    for (size_t at = after(salt, gap); salt->slots[at].number != 0;
         at = after(salt, at)) {
        size_t home = home_of(salt, hash_at(salt, at));

        if (steps(salt, home, at) >= steps(salt, gap, at)) {
            salt->slots[gap] = salt->slots[at];
            gap = at;
        }
    }
    salt->slots[gap].number = 0;
    salt->used--;
}

static void committed(void *ctx)
{
    struct visitor_store *store = ctx;

    for (size_t i = 0; i < store->saved_count; i++) {
        store->saved[i]->is_saved_now = false;
    }
    for (struct period *period = store->dirty; period != NULL;
         period = period->dirty) {
        period->committed_next = period->next_number;
        period->is_dirty = false;
    }
    store->dirty = NULL;
    store->saved_count = 0;
    store->added_count = 0;
}

static void rolled_back(void *ctx)
{
    struct visitor_store *store = ctx;

    for (size_t i = 0; i < store->added_count; i++) {
        forget(store->added[i].salt, store->added[i].hash);
    }
    for (size_t i = 0; i < store->saved_count; i++) {
        store->saved[i]->number = 0;
        store->saved[i]->is_saved_now = false;
    }
    for (struct period *period = store->dirty; period != NULL;
         period = period->dirty) {
        period->next_number = period->committed_next;
        period->is_dirty = false;
    }
    store->dirty = NULL;
    store->saved_count = 0;
    store->added_count = 0;
}

static enum lb_err run_period(struct db *db,
                              enum sql_query query,
                              const struct period *period,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, query);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, period->site);
        (void)sqlite3_bind_int64(stmt, 2, period->day);
        (void)sqlite3_bind_int64(stmt, 3, period->next_number);
    }
    return db_run(db, stmt, err);
}

static enum lb_err finish(void *ctx, struct db *db, struct lb_error *err)
{
    struct visitor_store *store = ctx;
    enum lb_err rc = LB_OK;

    for (struct period *period = store->dirty; period != NULL && rc == LB_OK;
         period = period->dirty) {
        rc = run_period(db, SQL_VISITOR_MOVE_PERIOD, period, err);
        if (rc == LB_OK && sqlite3_changes(db_handle(db)) == 0) {
            rc = run_period(db, SQL_VISITOR_PUT_PERIOD, period, err);
        }
    }
    return rc;
}

static enum lb_err
read_next(struct db *db, struct period *period, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_VISITOR_GET_PERIOD);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, period->site);
        (void)sqlite3_bind_int64(stmt, 2, period->day);
    }
    rc = db_next(db, stmt, &has_row, err);
    period->next_number = 1;
    if (has_row) {
        period->next_number = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_reset(stmt);
    }
    period->committed_next = period->next_number;
    return rc;
}

static enum lb_err find_period(struct visitor_store *store,
                               struct db *db,
                               const struct visitor_salt *salt,
                               struct period **period_out,
                               struct lb_error *err)
{
    size_t bucket = (size_t)((uint64_t)salt->site * 31 + (uint64_t)salt->day) %
                    PERIOD_BUCKETS;
    struct period *period = store->periods[bucket];
    enum lb_err rc;

    while (period != NULL &&
           (period->site != salt->site || period->day != salt->day)) {
        period = period->next;
    }
    *period_out = period;
    if (period != NULL) {
        return LB_OK;
    }
    period = calloc(1, sizeof(*period));
    if (period == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    period->site = salt->site;
    period->day = salt->day;
    rc = read_next(db, period, err);
    if (rc != LB_OK) {
        free(period);
        return rc;
    }
    period->next = store->periods[bucket];
    store->periods[bucket] = period;
    *period_out = period;
    return LB_OK;
}

static void *grow(void *items, size_t *cap, size_t item_bytes)
{
    size_t more = *cap == 0 ? 256 : *cap * 2;
    void *grown = realloc(items, more * item_bytes);

    if (grown != NULL) {
        *cap = more;
    }
    return grown;
}

static enum lb_err save_salt(struct visitor_store *store,
                             struct db *db,
                             struct visitor_salt *salt,
                             struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_VISITOR_PUT_SALT);
    enum lb_err rc;

    if (store->saved_count == store->saved_cap) {
        void *grown = grow(store->saved, &store->saved_cap,
                           sizeof(struct visitor_salt *));

        if (grown == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        store->saved = grown;
    }
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, salt->site);
        (void)sqlite3_bind_int64(stmt, 2, salt->day);
        db_bind_text(stmt, 3, salt->import);
        (void)sqlite3_bind_blob(stmt, 4, salt->bytes, (int)sizeof(salt->bytes),
                                SQLITE_STATIC);
        (void)sqlite3_bind_int64(stmt, 5, salt->expires_at_ms);
    }
    rc = db_run(db, stmt, err);
    if (rc == LB_OK) {
        salt->number = sqlite3_last_insert_rowid(db_handle(db));
        salt->is_saved_now = true;
        store->saved[store->saved_count++] = salt;
    }
    return rc;
}

static enum lb_err save_visitor(struct db *db,
                                const struct visitor_salt *salt,
                                uint64_t hash,
                                int64_t number,
                                struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_VISITOR_PUT_HASH);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, salt->number);
        (void)sqlite3_bind_int64(stmt, 2, number);
        (void)sqlite3_bind_int64(stmt, 3, (int64_t)hash);
    }
    return db_run(db, stmt, err);
}

enum lb_err visitor_store_number(struct visitor_store *store,
                                 struct db *db,
                                 struct visitor_salt *salt,
                                 uint64_t hash,
                                 int64_t *number_out,
                                 struct lb_error *err)
{
    struct period *period = NULL;
    enum lb_err rc;

    *number_out = visitor_store_known(salt, hash);
    if (*number_out != 0) {
        return LB_OK;
    }
    if (store->added_count == store->added_cap) {
        void *grown =
            grow(store->added, &store->added_cap, sizeof(*store->added));

        if (grown == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        store->added = grown;
    }
    rc = salt->number == 0 ? save_salt(store, db, salt, err) : LB_OK;
    rc = rc == LB_OK ? find_period(store, db, salt, &period, err) : rc;
    if (rc != LB_OK) {
        return rc;
    }
    rc = save_visitor(db, salt, hash, period->next_number, err);
    if (rc != LB_OK) {
        return rc;
    }
    if (remember(salt, hash, period->next_number) != LB_OK) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    store->added[store->added_count++] = (struct added){salt, hash};
    *number_out = period->next_number++;
    if (!period->is_dirty) {
        period->is_dirty = true;
        period->dirty = store->dirty;
        store->dirty = period;
    }
    return LB_OK;
}

void visitor_store_forget(struct visitor_salt *salt, int64_t number)
{
    if (number == 0) {
        free(salt->slots);
        salt->slots = NULL;
        salt->slot_count = 0;
        salt->used = 0;
        salt->number = 0;
        return;
    }
    for (size_t i = 0; i < salt->slot_count; i++) {
        if (salt->slots[i].number == number) {
            forget(salt, hash_at(salt, i));
            return;
        }
    }
}

struct visitor_salt *visitor_store_retire(struct visitor_salt *salts)
{
    for (int i = 0; salts != NULL && i < STEP_SALTS; i++) {
        struct visitor_salt *next = salts->next;

        free(salts->slots);
        free(salts);
        salts = next;
    }
    return salts;
}

/* Deletes a step of salts.  They go first, and without its salt a hash says
 * nothing; it goes with the next sweep, since hashes stand in the order of
 * their coming. */
static enum lb_err drop_salts(struct visitor_store *store,
                              struct db *db,
                              sqlite3_stmt *stmt,
                              bool *has_more_out,
                              struct lb_error *err)
{
    enum lb_err rc;
    int dropped;

    if (stmt != NULL) {
        (void)sqlite3_bind_int(stmt, 2, STEP_SALTS);
    }
    rc = db_run(db, stmt, err);
    dropped = rc == LB_OK ? sqlite3_changes(db_handle(db)) : 0;
    store->is_sweep_due = store->is_sweep_due || dropped > 0;
    *has_more_out = dropped == STEP_SALTS;
    return rc;
}

enum lb_err visitor_store_forget_import(struct visitor_store *store,
                                        struct db *db,
                                        const char *import,
                                        bool *has_more_out,
                                        struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_VISITOR_DROP_IMPORT);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, import);
    }
    return drop_salts(store, db, stmt, has_more_out, err);
}

enum lb_err visitor_store_expire(struct visitor_store *store,
                                 struct db *db,
                                 int64_t now_ms,
                                 bool *has_more_out,
                                 struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_VISITOR_EXPIRE);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, now_ms);
    }
    return drop_salts(store, db, stmt, has_more_out, err);
}

/* A sweep goes from the least row to the greatest that there are now. */
static enum lb_err
begin_sweep(struct visitor_store *store, struct db *db, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_VISITOR_SEQS);
    bool has_row = false;
    enum lb_err rc = db_next(db, stmt, &has_row, err);

    if (has_row) {
        store->sweep_at = sqlite3_column_int64(stmt, 0) - 1;
        store->sweep_upto = sqlite3_column_int64(stmt, 1);
        store->is_sweep_due = false;
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

enum lb_err visitor_store_sweep(struct visitor_store *store,
                                struct db *db,
                                bool *has_more_out,
                                struct lb_error *err)
{
    sqlite3_stmt *stmt;
    enum lb_err rc = LB_OK;

    if (store->sweep_at >= store->sweep_upto && store->is_sweep_due) {
        rc = begin_sweep(store, db, err);
    }
    *has_more_out = rc == LB_OK && store->sweep_at < store->sweep_upto;
    if (!*has_more_out) {
        return rc;
    }
    stmt = db_stmt(db, SQL_VISITOR_SWEEP);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, store->sweep_at);
        (void)sqlite3_bind_int64(stmt, 2, store->sweep_at + SWEEP_ROWS);
    }
    rc = db_run(db, stmt, err);
    store->sweep_at += rc == LB_OK ? SWEEP_ROWS : 0;
    *has_more_out = rc == LB_OK;
    return rc;
}

static int compare_numbers(const void *a, const void *b)
{
    const struct visitor_salt *const *one = a;
    const struct visitor_salt *const *other = b;

    return (*one)->number < (*other)->number
               ? -1
               : (*one)->number > (*other)->number;
}

/* The hashes of the salts, which are sorted by number. */
static enum lb_err load_hashes(struct db *db,
                               struct visitor_salt **salts,
                               size_t count,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_VISITOR_HASHES);
    bool has_row = false;
    enum lb_err rc;

    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        const struct visitor_salt wanted = {.number =
                                                sqlite3_column_int64(stmt, 0)};
        const struct visitor_salt *key = &wanted;
        struct visitor_salt **salt = bsearch(
            &key, salts, count, sizeof(struct visitor_salt *), compare_numbers);

        if (salt != NULL &&
            remember(*salt, (uint64_t)sqlite3_column_int64(stmt, 2),
                     sqlite3_column_int64(stmt, 1)) != LB_OK) {
            (void)sqlite3_reset(stmt);
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    return rc;
}

static enum lb_err
load_all_hashes(struct db *db, struct visitor_salt *first, struct lb_error *err)
{
    struct visitor_salt **salts;
    size_t count = 0;
    enum lb_err rc;

    for (struct visitor_salt *salt = first; salt != NULL; salt = salt->next) {
        count++;
    }
    if (count == 0) {
        return LB_OK;
    }
    salts = calloc(count, sizeof(struct visitor_salt *));
    if (salts == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    count = 0;
    for (struct visitor_salt *salt = first; salt != NULL; salt = salt->next) {
        salts[count++] = salt;
    }
    qsort(salts, count, sizeof(struct visitor_salt *), compare_numbers);
    rc = load_hashes(db, salts, count, err);
    free(salts);
    return rc;
}

static enum lb_err
load_salts(struct db *db, struct visitor_salt **salts_out, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_VISITOR_SALTS);
    bool has_row = false;
    enum lb_err rc;

    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        struct visitor_salt *salt = calloc(1, sizeof(*salt));

        if (salt == NULL ||
            sqlite3_column_bytes(stmt, 4) != (int)sizeof(salt->bytes)) {
            free(salt);
            (void)sqlite3_reset(stmt);
            return lb_err_set(err, LB_EFORMAT, "a visitor salt is damaged");
        }
        salt->number = sqlite3_column_int64(stmt, 0);
        salt->site = sqlite3_column_int64(stmt, 1);
        salt->day = sqlite3_column_int64(stmt, 2);
        (void)snprintf(salt->import, sizeof(salt->import), "%s",
                       (const char *)sqlite3_column_text(stmt, 3));
        memcpy(salt->bytes, sqlite3_column_blob(stmt, 4), sizeof(salt->bytes));
        salt->expires_at_ms = sqlite3_column_int64(stmt, 5);
        salt->next = *salts_out;
        *salts_out = salt;
    }
    return rc == LB_OK ? load_all_hashes(db, *salts_out, err) : rc;
}

enum lb_err visitor_store_new(struct writer *writer,
                              struct visitor_store **store_out,
                              struct visitor_salt **salts_out,
                              struct lb_error *err)
{
    struct visitor_store *store = calloc(1, sizeof(*store));
    struct writer_member member = {store, NULL, finish, committed, rolled_back};
    enum lb_err rc;

    *store_out = store;
    *salts_out = NULL;
    if (store == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    store->is_sweep_due = true; /* the last one may have been cut short */
    rc = load_salts(writer_db(writer), salts_out, err);
    if (rc == LB_OK) {
        writer_add_member(writer, &member);
    }
    return rc;
}

void visitor_store_free(struct visitor_store *store)
{
    if (store == NULL) {
        return;
    }
    for (size_t i = 0; i < PERIOD_BUCKETS; i++) {
        while (store->periods[i] != NULL) {
            struct period *period = store->periods[i];

            store->periods[i] = period->next;
            free(period);
        }
    }
    free(store->added);
    free(store->saved);
    free(store);
}
