/* seal.c - events into segments, in rounds. */
#include "sql/seal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "sql/cursor.h"
#include "sql/log_change.h"
#include "sql/log_rows.h"
#include "sql/log_store.h"
#include "sql/seal_rows.h"
#include "sql/segment_build.h"
#include "sql/segment_store.h"

#define LOOK_MS 200
#define AGAIN_MS (5 * LB_MS_PER_S) /* after a round failed */
/* Packs are slow to read: a part of a segment's events is sealed already, and
 * segments that small are written anew as one later.  But where events come
 * so fast that a segment is full soon, that is waited for. */
#define SMALL_PART 32
#define AGAIN_PART 64 /* of its events comes before it is tried again */
#define FULL_MS (2 * LB_MS_PER_S)
#define STEP_BYTES ((size_t)512 * 1024) /* of columns in one transaction */
#define SHRINK_LOOK_MS LB_MS_PER_S
#define SHRINK_PART 5 /* free pages past one in so many go back */
#define SHRINK_PAGES                                                           \
    8192 /* and no fewer than these stay for events to come                    \
          */

enum task { TASK_NONE, TASK_SWEEP, TASK_SEAL, TASK_REWRITE, TASK_MERGE };

struct seal {
    struct writer *writer;
    struct pool *readers;
    struct cursor *cursor;
    size_t segment_events;
    struct seal_rows *rows; /* owned */
    struct writer_job look_job;
    struct writer_job put_job;
    struct pool_job build_job;
    atomic_bool is_busy; /* a round runs */
    atomic_bool is_stopping;
    struct seal_waiter *waiting; /* the loop thread's, as the next */
    bool has_failed;             /* something may be left that is pending */
    bool must_look;              /* it began to wait after this round did */
    /* The writer thread's. */
    _Atomic int64_t pause_until_ms; /* monotonic; after a failure */
    atomic_int shrink_holds;        /* who wants pages to stay in place */
    int64_t next_seal_seq;          /* too few events up to here */
    int64_t seen_seq;               /* the cursor a moment ago */
    int64_t seen_at_ms;             /* monotonic */
    int64_t events_a_second;        /* that came since the moment before */
    int64_t horizon_sum;            /* when segments were looked through */
    int64_t looked_at;              /* the last of them; -1: none is left */
    bool is_unmergeable; /* small segments stay as they are, until a start */
    /* Of a round; handed from thread to thread with it. */
    enum task task;
    int64_t after_seq; /* what the segment holds */
    int64_t upto_seq;
    int64_t changes;          /* log_change_count() as it was read */
    struct segment_body body; /* owned; while has_body */
    bool has_body;
    bool is_clean;   /* no segment is dead, or holds what is gone */
    bool is_short;   /* fewer events than a segment has */
    bool is_refused; /* something changed since it was read */
    int64_t number;  /* of the pending segment; 0: not yet, or no events left */
    int next_column;
    int64_t began_ns;
    enum lb_err rc;
    struct lb_error err;
    struct lb_metric *events;
    struct lb_metric *seconds;
};

static struct seal *seal_of(void *job, size_t offset)
{
    return (struct seal *)(void *)((char *)job - offset);
}

static void begin_round(struct seal *seal);

/* --- look: on the writer thread ------------------------------------------- */

static enum lb_err find_changed(struct seal *seal,
                                struct db *db,
                                int64_t seq,
                                struct lb_error *err)
{
    const struct segment_wish wish = {seq - 1, seq, INT64_MIN, INT64_MAX,
                                      NULL,    0,   NULL};
    struct segment_info *infos = NULL;
    size_t count = 0;
    enum lb_err rc = segment_store_find(db, &wish, &infos, &count, err);

    if (rc == LB_OK && count > 0) {
        seal->task = TASK_REWRITE;
        seal->after_seq = infos[0].after_seq;
        seal->upto_seq = infos[0].upto_seq;
    } else if (rc ==
               LB_OK) { /* its segment is gone, and what changed with it */
        rc = segment_store_swap(db, seq - 1, seq, 0, err);
    }
    free(infos);
    return rc;
}

/* Whether a site's events in the segment reach back before its horizon. */
static enum lb_err has_aged(const struct segment_info *info,
                            const struct horizon *horizon,
                            struct db *db,
                            bool *has_aged_out,
                            struct lb_error *err)
{
    struct segment_packer *packer = segment_pack_new();
    struct segment *segment = NULL;
    const struct segment_directory *directory;
    enum lb_err rc = packer == NULL
                         ? lb_err_set(err, LB_ENOMEM, "out of memory")
                         : segment_store_open(db, info, packer, &segment, err);

    *has_aged_out = false;
    if (rc == LB_OK) {
        directory = segment_store_directory(segment);
        for (size_t i = 0; i < directory->site_count; i++) {
            *has_aged_out = *has_aged_out ||
                            directory->sites[i].first_at_ms <
                                horizon_of(horizon, directory->sites[i].site);
        }
    }
    segment_store_close(segment);
    segment_pack_free(packer);
    return rc;
}

/* The next segment that holds events which have aged out; each is looked at
 * once, until horizons move. */
static enum lb_err
find_aged(struct seal *seal, struct db *db, struct lb_error *err)
{
    struct horizon *horizon = NULL;
    struct segment_info info = {.number = 0};
    bool is_found = false;
    enum lb_err rc = horizon_load(db, &horizon, err);

    if (rc == LB_OK && horizon_sum(horizon) != seal->horizon_sum) {
        seal->horizon_sum = horizon_sum(horizon);
        seal->looked_at = 0;
    }
    while (rc == LB_OK && horizon != NULL && !is_found &&
           seal->looked_at >= 0) {
        int64_t number = seal->looked_at;

        rc = segment_store_next_aged(db, horizon_latest(horizon), &number,
                                     &info, err);
        if (rc == LB_OK && number != 0) {
            rc = has_aged(&info, horizon, db, &is_found, err);
        }
        /* One that is found is there until it is written anew. */
        seal->looked_at = number == 0 ? -1 : is_found ? number - 1 : number;
    }
    if (rc == LB_OK && is_found) {
        seal->task = TASK_REWRITE;
        seal->after_seq = info.after_seq;
        seal->upto_seq = info.upto_seq;
    }
    horizon_free(horizon);
    return rc;
}

/* How fast events come. */
static void note_rate(struct seal *seal, int64_t cursor)
{
    int64_t now_ms = lb_clock_mono_ms();
    int64_t since_ms = now_ms - seal->seen_at_ms;

    if (since_ms >= LOOK_MS) {
        seal->events_a_second =
            (cursor - seal->seen_seq) * LB_MS_PER_S / since_ms;
        seal->seen_seq = cursor;
        seal->seen_at_ms = now_ms;
    }
}

/* Whether so many events that wait are worth a segment now. */
static bool is_enough(const struct seal *seal, int64_t waiting)
{
    int64_t full = (int64_t)seal->segment_events;

    return waiting >= full ||
           (waiting > full / SMALL_PART &&
            seal->events_a_second * FULL_MS / LB_MS_PER_S < full);
}

static enum lb_err look(struct seal *seal, struct db *db, struct lb_error *err)
{
    int64_t cursor = cursor_seq(seal->cursor);
    int64_t sealed_to = 0;
    int64_t changed_seq = 0;
    bool has_dead = false;
    enum lb_err rc = seal->has_failed ? segment_store_give_up(db, err) : LB_OK;

    note_rate(seal, cursor);
    seal->has_failed = rc != LB_OK;
    /* What is built next is read after this. */
    rc = rc == LB_OK ? log_change_forget(db, err) : rc;
    rc = rc == LB_OK ? segment_store_sweep(db, &has_dead, err) : rc;

    rc = rc == LB_OK ? log_sealed_to(db, &sealed_to, err) : rc;
    rc = rc == LB_OK ? segment_store_next_change(db, &changed_seq, err) : rc;
    if (rc != LB_OK || has_dead) {
        seal->task = TASK_SWEEP;
        return rc;
    }
    if (changed_seq != 0) {
        return find_changed(seal, db, changed_seq, err);
    }
    rc = find_aged(seal, db, err);
    seal->is_clean = rc == LB_OK && seal->task == TASK_NONE;
    if (!seal->is_clean) {
        return rc;
    }
    if (is_enough(seal, cursor - sealed_to) && cursor > seal->next_seal_seq) {
        seal->task = TASK_SEAL;
        seal->after_seq = sealed_to;
        seal->upto_seq = cursor;
        return LB_OK;
    }
    if (!seal->is_unmergeable) {
        rc = segment_store_find_small(db, (int64_t)seal->segment_events,
                                      &seal->after_seq, &seal->upto_seq, err);
        seal->task = rc == LB_OK && seal->after_seq < seal->upto_seq
                         ? TASK_MERGE
                         : TASK_NONE;
    }
    return rc;
}

static enum lb_err
run_look(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct seal *seal = seal_of(job, offsetof(struct seal, look_job));

    seal->task = TASK_NONE;
    seal->is_clean = false;
    return look(seal, db, err);
}

/* --- build: on a reader --------------------------------------------------- */

/* Takes the events of the range, to seal as many as there is room for. */
static enum lb_err
gather(struct seal *seal, struct db *db, struct segment_builder *builder)
{
    struct log_range range = {.after_seq = seal->after_seq,
                              .upto_seq = seal->upto_seq,
                              .from_at_ms = INT64_MIN,
                              .to_at_ms = INT64_MAX,
                              .has_texts = true,
                              .texts =
                                  seal->task == TASK_SEAL ? LOG_PACK_TEXTS : 0};
    struct dict_cache *cache = dict_cache_new();
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    int64_t taken_seq = seal->after_seq;
    bool is_full = false;
    enum lb_err rc =
        cache == NULL ? lb_err_set(&seal->err, LB_ENOMEM, "out of memory")
                      : log_reader_open(db, cache, &range, &reader, &seal->err);

    while (rc == LB_OK && !is_full &&
           (rc = log_reader_next(reader, &entry, &seal->err)) == LB_OK &&
           entry != NULL) {
        rc = segment_build_count(builder) == seal->segment_events &&
                     seal->task == TASK_SEAL
                 ? LB_ELIMIT
                 : segment_build_add(builder, entry);
        is_full = rc == LB_ELIMIT;
        taken_seq = is_full ? taken_seq : entry->seq;
        rc = is_full ? LB_OK : rc;
    }
    if (rc == LB_ENOMEM) {
        (void)lb_err_set(&seal->err, rc, "out of memory");
    }
    if (seal->task == TASK_SEAL) {
        seal->upto_seq = is_full ? taken_seq : seal->upto_seq;
        seal->is_short = !is_full && segment_build_count(builder) <
                                         seal->segment_events / SMALL_PART;
    } else { /* their texts are more than one can hold */
        seal->is_short = is_full;
    }
    log_reader_close(reader);
    dict_cache_free(cache);
    return rc;
}

static void run_build(struct pool_job *job, struct db *db)
{
    struct seal *seal = seal_of(job, offsetof(struct seal, build_job));
    struct segment_builder *builder = segment_build_new();

    seal->began_ns = lb_clock_mono_ns();
    seal->rc = builder == NULL
                   ? lb_err_set(&seal->err, LB_ENOMEM, "out of memory")
                   : log_change_count(db, &seal->changes, &seal->err);
    seal->rc = seal->rc == LB_OK ? gather(seal, db, builder) : seal->rc;
    if (seal->rc == LB_OK && !seal->is_short &&
        segment_build_count(builder) > 0) {
        seal->has_body = true;
        seal->rc = segment_build_finish(builder, &seal->body);
        if (seal->rc != LB_OK) {
            (void)lb_err_set(&seal->err, seal->rc, "out of memory");
        }
    }
    segment_build_free(builder);
}

/* --- put and swap: on the writer thread ----------------------------------- */

/* Some columns, after the first of them the segment itself. */
static enum lb_err
put_columns(struct seal *seal, struct db *db, struct lb_error *err)
{
    int64_t number = seal->number;
    int column = seal->next_column;
    size_t bytes = 0;
    enum lb_err rc = LB_OK;

    if (number == 0) {
        rc = segment_store_put(db, &seal->body, seal->after_seq, seal->upto_seq,
                               &number, err);
    }
    while (rc == LB_OK && column < SEGMENT_COLUMN_COUNT && bytes < STEP_BYTES) {
        rc = segment_store_put_column(db, number, column,
                                      &seal->body.columns[column], err);
        bytes += seal->body.columns[column++].len;
    }
    if (rc == LB_OK) {
        seal->number = number;
        seal->next_column = column;
    }
    return rc;
}

static enum lb_err swap(struct seal *seal, struct db *db, struct lb_error *err)
{
    bool is_changed = false;
    enum lb_err rc = log_change_any(db, seal->changes, seal->after_seq,
                                    seal->upto_seq, &is_changed, err);

    if (rc == LB_OK && is_changed) {
        seal->is_refused = true; /* read anew, with what changed */
        return segment_store_give_up(db, err);
    }
    rc = rc == LB_OK ? segment_store_swap(db, seal->after_seq, seal->upto_seq,
                                          seal->number, err)
                     : rc;
    if (rc != LB_OK || seal->task != TASK_SEAL) {
        return rc;
    }
    rc = log_rows_cut(db, seal->upto_seq, err);
    return rc == LB_OK ? db_meta_set(db, "sealed_to", seal->upto_seq, err) : rc;
}

static bool is_put(const struct seal *seal)
{
    return !seal->has_body || seal->next_column == SEGMENT_COLUMN_COUNT;
}

static enum lb_err
run_put(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct seal *seal = seal_of(job, offsetof(struct seal, put_job));
    enum lb_err rc = LB_OK;

    if (!is_put(seal)) {
        rc = put_columns(seal, db, err);
    }
    return rc == LB_OK && is_put(seal) ? swap(seal, db, err) : rc;
}

/* --- the rounds: on the loop thread --------------------------------------- */

static void end_round(struct seal *seal)
{
    if (seal->has_body) {
        segment_build_deinit(&seal->body);
    }
    seal->has_body = false;
    seal->is_refused = false;
    seal->number = 0;
    seal->next_column = 0;
}

static void tell_waiters(struct seal_waiter *waiting,
                         enum lb_err rc,
                         const struct lb_error *err)
{
    while (waiting != NULL) {
        struct seal_waiter *next = waiting->next;

        waiting->done(waiting, rc, err);
        waiting = next;
    }
}

/* Nothing is left to do, or something failed. */
static void rest(struct seal *seal, enum lb_err rc, const struct lb_error *err)
{
    struct seal_waiter *waiting = seal->waiting;

    if (rc == LB_OK && seal->must_look && !atomic_load(&seal->is_stopping)) {
        begin_round(seal);
        return;
    }
    end_round(seal);
    seal->waiting = NULL;
    seal->has_failed = seal->has_failed || rc != LB_OK;
    atomic_store(&seal->pause_until_ms,
                 rc == LB_OK ? 0 : lb_clock_mono_ms() + AGAIN_MS);
    atomic_store(&seal->is_busy, false);
    if (rc != LB_OK && !atomic_load(&seal->is_stopping)) {
        lb_log_limited(LB_LOG_ERROR, "seal_failed", "text=\"%s\"", err->text);
    }
    tell_waiters(waiting, atomic_load(&seal->is_stopping) ? LB_ECANCELLED : rc,
                 err);
}

static void submit(struct seal *seal, struct writer_job *job)
{
    if (writer_submit(seal->writer, job) != LB_OK) {
        rest(seal, LB_ELIMIT, &job->err);
    }
}

static void begin_round(struct seal *seal)
{
    end_round(seal);
    seal->must_look = false;
    submit(seal, &seal->look_job);
}

static void
done_put(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct seal *seal = seal_of(job, offsetof(struct seal, put_job));

    if (rc != LB_OK || atomic_load(&seal->is_stopping)) {
        rest(seal, rc, err);
        return;
    }
    if (!is_put(seal)) {
        submit(seal, &seal->put_job);
        return;
    }
    if (seal->has_body && !seal->is_refused) {
        lb_metrics_add(seal->events, (int64_t)seal->body.row_count);
        lb_metrics_observe_ns(seal->seconds,
                              lb_clock_mono_ns() - seal->began_ns);
    }
    begin_round(seal);
}

static void
done_build(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct seal *seal = seal_of(job, offsetof(struct seal, build_job));

    if (atomic_load(&seal->is_stopping) || rc != LB_OK || seal->rc != LB_OK) {
        rest(seal, rc != LB_OK ? rc : seal->rc, rc != LB_OK ? err : &seal->err);
    } else if (seal->is_short && seal->task != TASK_SEAL) {
        seal->is_unmergeable = true;
        rest(seal, LB_OK, NULL);
    } else if (seal->is_short) {
        seal->next_seal_seq =
            seal->upto_seq + (int64_t)seal->segment_events / AGAIN_PART;
        rest(seal, LB_OK, NULL);
    } else {
        submit(seal, &seal->put_job); /* without a body: no event is left */
    }
}

static void
done_look(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct seal *seal = seal_of(job, offsetof(struct seal, look_job));

    if (rc != LB_OK || seal->task == TASK_NONE ||
        atomic_load(&seal->is_stopping)) {
        rest(seal, rc, err);
        return;
    }
    if (seal->is_clean && !seal->must_look) { /* what is left may take long */
        struct seal_waiter *waiting = seal->waiting;

        seal->waiting = NULL;
        tell_waiters(waiting, LB_OK, NULL);
    }
    if (seal->task == TASK_SWEEP) {
        begin_round(seal);
    } else {
        pool_submit(seal->readers, &seal->build_job);
    }
}

void seal_wait(struct seal *seal, struct seal_waiter *waiter)
{
    struct lb_error err = {LB_ECANCELLED, "the service ends"};

    if (atomic_load(&seal->is_stopping)) {
        waiter->done(waiter, LB_ECANCELLED, &err);
        return;
    }
    waiter->next = seal->waiting;
    seal->waiting = waiter;
    seal->must_look = true;
    if (!atomic_exchange(&seal->is_busy, true)) {
        begin_round(seal);
    }
}

void seal_hold(struct seal *seal, bool is_held)
{
    (void)atomic_fetch_add(&seal->shrink_holds, is_held ? 1 : -1);
}

/* --- chores: on the writer thread ----------------------------------------- */

static bool look_chore(void *ctx, struct db *db)
{
    struct seal *seal = ctx;

    (void)db;
    if (!atomic_load(&seal->is_stopping) &&
        lb_clock_mono_ms() >= atomic_load(&seal->pause_until_ms) &&
        !atomic_exchange(&seal->is_busy, true) &&
        writer_submit(seal->writer, &seal->look_job) != LB_OK) {
        atomic_store(&seal->is_busy, false);
    }
    return false;
}

/* Free pages past a part of the file go back to the file system. */
static bool shrink_chore(void *ctx, struct db *db)
{
    struct seal *seal = ctx;
    sqlite3_stmt *stmt = db_stmt(db, SQL_SEAL_FREE_PAGES);
    struct lb_error err;
    int64_t free_pages = 0;
    int64_t pages = 0;
    bool has_row = false;
    enum lb_err rc = db_next(db, stmt, &has_row, &err);

    if (has_row) {
        free_pages = sqlite3_column_int64(stmt, 0);
        pages = sqlite3_column_int64(stmt, 1);
        (void)sqlite3_reset(stmt);
    }
    if (rc != LB_OK || atomic_load(&seal->shrink_holds) > 0 ||
        free_pages < SHRINK_PAGES || free_pages * SHRINK_PART < pages) {
        return false;
    }
    stmt = db_stmt(db, SQL_SEAL_SHRINK);
    while ((rc = db_next(db, stmt, &has_row, &err)) == LB_OK && has_row) {
        /* each step moves a page */
    }
    if (rc != LB_OK) {
        lb_log_limited(LB_LOG_WARN, "shrink", "text=\"%s\"", err.text);
    }
    return rc == LB_OK;
}

enum lb_err seal_new(struct writer *writer,
                     struct pool *readers,
                     struct cursor *cursor,
                     size_t segment_events,
                     struct seal **seal_out,
                     struct lb_error *err)
{
    struct seal *seal = calloc(1, sizeof(*seal));
    enum lb_err rc;

    *seal_out = seal;
    if (seal == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    seal->writer = writer;
    seal->readers = readers;
    seal->cursor = cursor;
    seal->segment_events = segment_events;
    seal->look_job.run = run_look;
    seal->look_job.done = done_look;
    seal->put_job.run = run_put;
    seal->put_job.done = done_put;
    seal->build_job.run = run_build;
    seal->build_job.done = done_build;
    seal->events =
        lb_metrics_get(LB_METRIC_COUNTER, "linkbell_sealed_events_total",
                       "Events written into segments.", "");
    seal->seconds = lb_metrics_histogram(
        "linkbell_seal_seconds", "Time from reading events to their segment.",
        "", true);
    writer_add_chore(writer, "seal", look_chore, seal, LOOK_MS);
    writer_add_chore(writer, "shrink", shrink_chore, seal, SHRINK_LOOK_MS);
    rc = seal_rows_new(writer, &seal->rows, err);
    return rc == LB_OK ? segment_store_give_up(writer_db(writer), err) : rc;
}

void seal_stop(struct seal *seal)
{
    atomic_store(&seal->is_stopping, true);
}

void seal_free(struct seal *seal)
{
    if (seal != NULL) {
        end_round(seal);
        seal_rows_free(seal->rows);
        free(seal);
    }
}
