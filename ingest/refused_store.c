/* refused_store.c - how many events were refused, by hour and reason. */
#include "ingest/refused_store.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define FLUSH_MS LB_MS_PER_S
#define SLOTS 1024 /* sites, hours and reasons between two flushes */

struct count {
    int64_t site; /* 0: free */
    int64_t hour;
    const char *code;
    int64_t count;
};

struct refused_store {
    struct writer *writer;
    pthread_mutex_t lock; /* for all below */
    struct count counts[SLOTS];
    size_t used;
};

static size_t home(int64_t site, int64_t hour, const char *code)
{
    uint64_t hash = (uint64_t)site * UINT64_C(0x9e3779b97f4a7c15) +
                    (uint64_t)hour * UINT64_C(0xc2b2ae3d27d4eb4f);

    for (const char *c = code; *c != '\0'; c++) {
        hash = hash * 31 + (unsigned char)*c;
    }
    return (size_t)(hash ^ hash >> 31) & (SLOTS - 1);
}

void refused_store_note(struct refused_store *store,
                        int64_t site,
                        const char *code,
                        int64_t at_ms)
{
    int64_t hour = at_ms / LB_MS_PER_HOUR;
    size_t at = home(site, hour, code);
    struct count *count = &store->counts[at];

    (void)pthread_mutex_lock(&store->lock);
    while (count->site != 0 && (count->site != site || count->hour != hour ||
                                strcmp(count->code, code) != 0)) {
        at = (at + 1) & (SLOTS - 1);
        count = &store->counts[at];
    }
    if (count->site == 0 && store->used < SLOTS / 2) {
        *count = (struct count){site, hour, code, 0};
        store->used++;
    }
    /* Past half of the slots the new ones wait for the next flush uncounted. */
    count->count += count->site != 0 ? 1 : 0;
    (void)pthread_mutex_unlock(&store->lock);
}

static enum lb_err
write_count(struct db *db, const struct count *count, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_REFUSED_ADD);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, count->site);
        (void)sqlite3_bind_int64(stmt, 2, count->hour);
        db_bind_text(stmt, 3, count->code);
        (void)sqlite3_bind_int64(stmt, 4, count->count);
    }
    return db_run(db, stmt, err);
}

static enum lb_err
write_all(struct db *db, const struct count *counts, struct lb_error *err)
{
    enum lb_err rc = db_begin(db, err);

    for (size_t i = 0; i < SLOTS && rc == LB_OK; i++) {
        rc = counts[i].site == 0 ? LB_OK : write_count(db, &counts[i], err);
    }
    rc = rc == LB_OK ? db_commit(db, err) : rc;
    if (rc != LB_OK) {
        db_rollback(db);
    }
    return rc;
}

/* Writer thread. */
static bool flush(void *ctx, struct db *db)
{
    struct refused_store *store = ctx;
    struct count *counts = NULL;
    struct lb_error err;

    (void)pthread_mutex_lock(&store->lock);
    if (store->used > 0) {
        counts = malloc(sizeof(store->counts));
    }
    if (counts != NULL) {
        memcpy(counts, store->counts, sizeof(store->counts));
        memset(store->counts, 0, sizeof(store->counts));
        store->used = 0;
    }
    (void)pthread_mutex_unlock(&store->lock);
    if (counts != NULL && write_all(db, counts, &err) != LB_OK) {
        lb_log_limited(LB_LOG_WARN, "refused_not_written", "text=\"%s\"",
                       err.text);
    }
    free(counts);
    return false;
}

enum lb_err refused_store_new(struct writer *writer,
                              struct refused_store **store_out,
                              struct lb_error *err)
{
    struct refused_store *store = calloc(1, sizeof(*store));

    *store_out = store;
    if (store == NULL || pthread_mutex_init(&store->lock, NULL) != 0) {
        free(store);
        *store_out = NULL;
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    store->writer = writer;
    writer_add_chore(writer, "refused", flush, store, FLUSH_MS);
    return LB_OK;
}

void refused_store_free(struct refused_store *store)
{
    if (store != NULL) {
        (void)flush(store, writer_db(store->writer)); /* the thread is over */
        (void)pthread_mutex_destroy(&store->lock);
        free(store);
    }
}
