/* gap_store.c - what was lost, until the log knows. */
#include "ingest/gap_store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "sql/coverage.h"

#define SITES 1024 /* at a time; further ones only stand in the metrics */
#define LOOK_MS LB_MS_PER_S
#define QUARTER_MS (15 * LB_MS_PER_MIN)

struct gap {
    int64_t site;
    int64_t from_at_ms;
    int64_t to_at_ms; /* not included */
};

struct gap_store {
    struct writer *writer;
    struct event_store *store;
    pthread_mutex_t lock; /* for the gaps */
    struct gap gaps[SITES];
    size_t count;
    /* The writer thread's: what the transaction under way appends. */
    struct coverage_entry entries[SITES];
    struct gap told[SITES];
    size_t told_count;
    atomic_bool is_waking;
    struct writer_job wake;
};

/* Under the lock.  Losses of one site are one gap; that is at most as long as
 * the service could not write. */
static void add(struct gap_store *gaps, const struct gap *gap)
{
    size_t i = 0;

    while (i < gaps->count && gaps->gaps[i].site != gap->site) {
        i++;
    }
    if (i == SITES) {
        lb_log_limited(LB_LOG_WARN, "gap_untold", "sites=%d", SITES);
        return;
    }
    if (i == gaps->count) {
        gaps->gaps[gaps->count++] = *gap;
        return;
    }
    if (gap->from_at_ms < gaps->gaps[i].from_at_ms) {
        gaps->gaps[i].from_at_ms = gap->from_at_ms;
    }
    if (gap->to_at_ms > gaps->gaps[i].to_at_ms) {
        gaps->gaps[i].to_at_ms = gap->to_at_ms;
    }
}

void gap_store_note(struct gap_store *gaps, int64_t site, int64_t at_ms)
{
    struct gap gap = {site, at_ms / QUARTER_MS * QUARTER_MS, 0};

    gap.to_at_ms = gap.from_at_ms + QUARTER_MS;
    (void)pthread_mutex_lock(&gaps->lock);
    add(gaps, &gap);
    (void)pthread_mutex_unlock(&gaps->lock);
}

/* --- the writer's part ---------------------------------------------------- */

static enum lb_err begin(void *ctx, struct db *db, struct lb_error *err)
{
    struct gap_store *gaps = ctx;
    enum lb_err rc = LB_OK;

    (void)pthread_mutex_lock(&gaps->lock);
    gaps->told_count = gaps->count;
    memcpy(gaps->told, gaps->gaps, gaps->count * sizeof(gaps->gaps[0]));
    gaps->count = 0;
    (void)pthread_mutex_unlock(&gaps->lock);
    for (size_t i = 0; i < gaps->told_count && rc == LB_OK; i++) {
        const struct gap *gap = &gaps->told[i];
        const struct coverage_span span = {gap->site, gap->from_at_ms,
                                           gap->to_at_ms, COVERAGE_GAP};

        coverage_fill(&gaps->entries[i], &span, lb_clock_wall_ms());
        rc = event_store_append_other(gaps->store, db, &gaps->entries[i].entry,
                                      err);
    }
    return rc;
}

static void rolled_back(void *ctx)
{
    struct gap_store *gaps = ctx;

    (void)pthread_mutex_lock(&gaps->lock);
    for (size_t i = 0; i < gaps->told_count; i++) {
        add(gaps, &gaps->told[i]);
    }
    (void)pthread_mutex_unlock(&gaps->lock);
    gaps->told_count = 0;
}

static enum lb_err
run_nothing(struct writer_job *job, struct db *db, struct lb_error *err)
{
    (void)job;
    (void)db;
    (void)err;
    return LB_OK;
}

static void
done_wake(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct gap_store *gaps =
        (struct gap_store *)(void *)((char *)job -
                                     offsetof(struct gap_store, wake));

    (void)rc;
    (void)err;
    atomic_store(&gaps->is_waking, false);
}

/* A chore: what is still untold gets a transaction, if no event brings one. */
static bool look(void *ctx, struct db *db)
{
    struct gap_store *gaps = ctx;
    bool is_due;

    (void)db;
    (void)pthread_mutex_lock(&gaps->lock);
    is_due = gaps->count > 0;
    (void)pthread_mutex_unlock(&gaps->lock);
    if (is_due && !atomic_exchange(&gaps->is_waking, true) &&
        writer_submit(gaps->writer, &gaps->wake) != LB_OK) {
        atomic_store(&gaps->is_waking, false);
    }
    return false;
}

enum lb_err gap_store_new(struct writer *writer,
                          struct event_store *store,
                          struct gap_store **gaps_out,
                          struct lb_error *err)
{
    struct gap_store *gaps = calloc(1, sizeof(*gaps));
    struct writer_member member = {gaps, begin, NULL, NULL, rolled_back};

    *gaps_out = gaps;
    if (gaps == NULL || pthread_mutex_init(&gaps->lock, NULL) != 0) {
        free(gaps);
        *gaps_out = NULL;
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    gaps->writer = writer;
    gaps->store = store;
    gaps->wake.run = run_nothing;
    gaps->wake.done = done_wake;
    writer_add_member(writer, &member);
    writer_add_chore(writer, "gaps", look, gaps, LOOK_MS);
    return LB_OK;
}

void gap_store_free(struct gap_store *gaps)
{
    if (gaps != NULL) {
        (void)pthread_mutex_destroy(&gaps->lock);
        free(gaps);
    }
}
