/* utm_cap_store.c - distinct values of campaign parameters, counted by site,
 * key and day. */
#include "ingest/utm_cap_store.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"

#define DAYS 8 /* mirrored at once: those of late events, and an import's */
#define FIRST_SLOTS 256
#define EXPIRE_ROWS 500
#define TEXT_BYTES 256

/* Hashes of values, and under a hash of their own the counts: open addressing.
 */
struct slot {
    uint64_t hash; /* 0: free */
    int64_t count;
};

struct day {
    int64_t day;
    int64_t used_at;    /* a clock of its own, for choosing whom to let go */
    struct slot *slots; /* owned; NULL: the place is free */
    size_t slot_count;  /* a power of two */
    size_t used;
};

struct utm_cap_store {
    int64_t values;
    uint8_t key[LB_HASH_KEY_BYTES];
    struct day days[DAYS];
    int64_t clock;
    struct lb_metric *others;
};

struct utm_cap_store *utm_cap_store_new(int64_t values,
                                        const uint8_t key[LB_HASH_KEY_BYTES])
{
    struct utm_cap_store *store = calloc(1, sizeof(*store));

    if (store != NULL) {
        store->values = values;
        memcpy(store->key, key, sizeof(store->key));
        store->others = lb_metrics_get(
            LB_METRIC_COUNTER, "linkbell_limit_hits_total",
            "Requests and events that met a limit.", "limit=\"utm_values\"");
    }
    return store;
}

void utm_cap_store_forget(struct utm_cap_store *store)
{
    for (size_t i = 0; i < DAYS; i++) {
        free(store->days[i].slots);
        memset(&store->days[i], 0, sizeof(store->days[i]));
    }
}

void utm_cap_store_free(struct utm_cap_store *store)
{
    if (store != NULL) {
        utm_cap_store_forget(store);
        free(store);
    }
}

static uint64_t hash_value(const struct utm_cap_store *store,
                           const struct utm_cap_value *value)
{
    char bytes[sizeof(value->site) + 1 + TEXT_BYTES];
    size_t len = strnlen(value->text, TEXT_BYTES);
    uint64_t hash;

    memcpy(bytes, &value->site, sizeof(value->site));
    bytes[sizeof(value->site)] = (char)value->field;
    memcpy(bytes + sizeof(value->site) + 1, value->text, len);
    hash = lb_hash_sip(store->key, bytes, sizeof(value->site) + 1 + len);
    return hash == 0 ? 1 : hash;
}

/* Where the number of values of a site and key is kept. */
static uint64_t
hash_count(const struct utm_cap_store *store, int64_t site, int field)
{
    const struct utm_cap_value none = {site, 0, field + 100, ""};

    return hash_value(store, &none);
}

static struct slot *find(const struct day *day, uint64_t hash)
{
    size_t at = (size_t)hash & (day->slot_count - 1);

    while (day->slots[at].hash != 0 && day->slots[at].hash != hash) {
        at = (at + 1) & (day->slot_count - 1);
    }
    return &day->slots[at];
}

static enum lb_err grow(struct day *day)
{
    struct day more = *day;

    more.slot_count = day->slot_count == 0 ? FIRST_SLOTS : day->slot_count * 2;
    more.slots = calloc(more.slot_count, sizeof(*more.slots));
    if (more.slots == NULL) {
        return LB_ENOMEM;
    }
    for (size_t i = 0; i < day->slot_count; i++) {
        if (day->slots[i].hash != 0) {
            *find(&more, day->slots[i].hash) = day->slots[i];
        }
    }
    free(day->slots);
    *day = more;
    return LB_OK;
}

/* The slot of hash, made when there is none. */
static struct slot *put(struct day *day, uint64_t hash)
{
    struct slot *slot;

    if ((day->used + 1) * 4 > day->slot_count * 3 && grow(day) != LB_OK) {
        return NULL;
    }
    slot = find(day, hash);
    if (slot->hash == 0) {
        slot->hash = hash;
        day->used++;
    }
    return slot;
}

static enum lb_err count_value(const struct utm_cap_store *store,
                               struct day *day,
                               int64_t site,
                               int field,
                               uint64_t hash)
{
    struct slot *slot = put(day, hash);

    slot = slot == NULL ? NULL : put(day, hash_count(store, site, field));
    if (slot == NULL) {
        return LB_ENOMEM;
    }
    slot->count++;
    return LB_OK;
}

static enum lb_err load(const struct utm_cap_store *store,
                        struct db *db,
                        struct day *day,
                        struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_UTM_VALUES_OF_DAY);
    bool has_row = false;
    enum lb_err rc = grow(day);

    if (rc != LB_OK) {
        return lb_err_set(err, rc, "out of memory");
    }
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, day->day);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        if (count_value(store, day, sqlite3_column_int64(stmt, 0),
                        sqlite3_column_int(stmt, 1),
                        (uint64_t)sqlite3_column_int64(stmt, 2)) != LB_OK) {
            (void)sqlite3_reset(stmt);
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    return rc;
}

static enum lb_err find_day(struct utm_cap_store *store,
                            struct db *db,
                            int64_t number,
                            struct day **day_out,
                            struct lb_error *err)
{
    struct day *day = &store->days[0];
    enum lb_err rc;

    for (size_t i = 0; i < DAYS; i++) {
        struct day *other = &store->days[i];

        if (other->slots != NULL && other->day == number) {
            other->used_at = ++store->clock;
            *day_out = other;
            return LB_OK;
        }
        day = other->used_at < day->used_at ? other : day;
    }
    free(day->slots);
    memset(day, 0, sizeof(*day));
    day->day = number;
    rc = load(store, db, day, err);
    if (rc != LB_OK) {
        free(day->slots);
        memset(day, 0, sizeof(*day));
        return rc;
    }
    day->used_at = ++store->clock;
    *day_out = day;
    return LB_OK;
}

static enum lb_err add_row(struct db *db,
                           const struct utm_cap_value *value,
                           uint64_t hash,
                           struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_UTM_VALUES_ADD);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, value->day);
        (void)sqlite3_bind_int64(stmt, 2, value->site);
        (void)sqlite3_bind_int(stmt, 3, value->field);
        (void)sqlite3_bind_int64(stmt, 4, (int64_t)hash);
    }
    return db_run(db, stmt, err);
}

enum lb_err utm_cap_store_take(struct utm_cap_store *store,
                               struct db *db,
                               const struct utm_cap_value *value,
                               bool *is_other_out,
                               struct lb_error *err)
{
    uint64_t hash = hash_value(store, value);
    struct day *day = NULL;
    enum lb_err rc = find_day(store, db, value->day, &day, err);

    *is_other_out = false;
    if (rc != LB_OK || find(day, hash)->hash != 0) {
        return rc;
    }
    if (find(day, hash_count(store, value->site, value->field))->count >=
        store->values) {
        *is_other_out = true;
        lb_metrics_add(store->others, 1);
        return LB_OK;
    }
    rc = add_row(db, value, hash, err);
    if (rc == LB_OK &&
        count_value(store, day, value->site, value->field, hash) != LB_OK) {
        rc = lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    return rc;
}

bool utm_cap_store_expire(struct utm_cap_store *store,
                          struct db *db,
                          int64_t day)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_UTM_VALUES_EXPIRE);
    struct lb_error err;
    int changed;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, day);
        (void)sqlite3_bind_int(stmt, 2, EXPIRE_ROWS);
    }
    if (db_run(db, stmt, &err) != LB_OK) {
        lb_log_limited(LB_LOG_WARN, "utm_values_expire", "text=\"%s\"",
                       err.text);
        return false;
    }
    changed = sqlite3_changes(db_handle(db));
    for (size_t i = 0; i < DAYS && changed > 0; i++) {
        if (store->days[i].slots != NULL && store->days[i].day < day) {
            free(store->days[i].slots);
            memset(&store->days[i], 0, sizeof(store->days[i]));
        }
    }
    return changed == EXPIRE_ROWS;
}
