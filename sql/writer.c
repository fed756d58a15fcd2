/* writer.c - the one thread that writes: groups, transactions, reports. */
#include "sql/writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "sql/disk_watch.h"
#include "sql/writer_queue.h"

#define MEMBER_MAX 16
#define CHORE_MAX 16
#define GROUP_EVENTS 20000   /* of one transaction */
#define IDLE_MS 200          /* between looks at disk and chores */
#define RETRY_DERIVE_MS 1000 /* after deriving failed */
#define RETRY_COMMIT_MS 1000 /* after a commit failed and no job came since */
#define CHECKPOINT_PAGES 1000
#define WAL_TRUNCATE_BYTES (INT64_C(64) * 1024 * 1024)
#define GATE_MS 2000 /* that readers wait for others, at most */

struct chore {
    struct lb_metric *seconds;
    bool (*run)(void *ctx, struct db *db);
    void *ctx;
    int64_t period_ms;
    int64_t due_at_ms; /* monotonic */
};

struct writer {
    struct db *db; /* owned; the writer thread's once started */
    uv_loop_t *loop;
    uv_thread_t thread;
    uv_async_t async;
    uv_prepare_t prepare;
    bool is_started;
    bool is_wake_due; /* the loop thread's: events wait, the writer may sleep */
    uv_mutex_t lock;
    uv_cond_t wake;
    /* By lock, from here: */
    struct writer_queue queue;
    struct writer_list reported;
    bool is_stopping;
    struct writer_status status;
    struct writer_limits limits;
    /* The writer thread's: */
    struct writer_member members[MEMBER_MAX];
    size_t member_count;
    struct writer_derive derive;
    struct chore chores[CHORE_MAX];
    size_t chore_count;
    size_t next_chore;
    int64_t derive_retry_at_ms;
    int64_t commit_retry_at_ms; /* 0: the last commit held */
    struct disk_watch disk;
    struct wal_gate *gate; /* owned */
    bool is_reopen_needed;
    int wal_pages;
    bool is_truncating; /* tried between groups until it is done */
    struct lb_metric *commit_seconds;
    struct lb_metric *commit_events;
    struct lb_metric *queue_events;
};

static int on_wal(void *ctx, sqlite3 *handle, const char *name, int pages)
{
    struct writer *writer = ctx;

    (void)handle;
    (void)name;
    writer->wal_pages = pages;
    return SQLITE_OK;
}

static void make_metrics(struct writer *writer)
{
    writer->commit_seconds = lb_metrics_histogram(
        "linkbell_commit_seconds", "Time of a group's transaction.", "", true);
    writer->commit_events = lb_metrics_histogram(
        "linkbell_commit_events", "Events in a group.", "", false);
    disk_watch_init(&writer->disk);
    writer->queue_events =
        lb_metrics_get(LB_METRIC_GAUGE, "linkbell_queue_events",
                       "Events accepted and not yet durable.", "");
}

struct writer_limits writer_limits_of(const struct lb_config *config)
{
    return (struct writer_limits){
        (size_t)config->queue_events, (size_t)config->queue_bytes, GROUP_EVENTS,
        config->disk_reserve_bytes, config->max_db_bytes};
}

enum lb_err writer_new(uv_loop_t *loop,
                       const char *dir,
                       const struct writer_limits *limits,
                       struct writer **writer_out,
                       struct lb_error *err)
{
    struct writer *writer = calloc(1, sizeof(*writer));
    enum lb_err rc;

    *writer_out = NULL;
    if (writer == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    writer->loop = loop;
    writer->limits = *limits;
    rc = db_open(dir, DB_WRITER, &writer->db, err);
    if (rc != LB_OK) {
        free(writer);
        return rc;
    }
    (void)sqlite3_wal_hook(db_handle(writer->db), on_wal, writer);
    writer_queue_init(&writer->queue);
    make_metrics(writer);
    writer->gate = wal_gate_new();
    if (writer->gate == NULL || uv_mutex_init(&writer->lock) != 0 ||
        uv_cond_init(&writer->wake) != 0) {
        db_close(writer->db);
        wal_gate_free(writer->gate);
        free(writer);
        return lb_err_set(err, LB_ENOMEM, "no lock to be had");
    }
    *writer_out = writer;
    return LB_OK;
}

struct wal_gate *writer_gate(struct writer *writer)
{
    return writer->gate;
}

struct db *writer_db(struct writer *writer)
{
    return writer->db;
}

void writer_add_member(struct writer *writer,
                       const struct writer_member *member)
{
    if (writer->member_count < MEMBER_MAX) {
        writer->members[writer->member_count++] = *member;
    }
}

void writer_set_derive(struct writer *writer,
                       const struct writer_derive *derive)
{
    writer->derive = *derive;
}

void writer_add_chore(struct writer *writer,
                      const char *name,
                      bool (*chore)(void *ctx, struct db *db),
                      void *ctx,
                      int64_t period_ms)
{
    char labels[64];

    (void)snprintf(labels, sizeof(labels), "chore=\"%s\"", name);
    if (writer->chore_count < CHORE_MAX) {
        writer->chores[writer->chore_count++] = (struct chore){
            lb_metrics_histogram("linkbell_housekeeping_seconds",
                                 "Time of one step of housekeeping, its "
                                 "transaction included.",
                                 labels, true),
            chore, ctx, period_ms, lb_clock_mono_ms() + period_ms};
    }
}

void writer_set_limits(struct writer *writer,
                       const struct writer_limits *limits)
{
    uv_mutex_lock(&writer->lock);
    writer->limits = *limits;
    uv_mutex_unlock(&writer->lock);
}

/* --- one group -------------------------------------------------------------
 */

static enum lb_err members_begin(struct writer *writer, struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < writer->member_count && rc == LB_OK; i++) {
        if (writer->members[i].begin != NULL) {
            rc = writer->members[i].begin(writer->members[i].ctx, writer->db,
                                          err);
        }
    }
    return rc;
}

static enum lb_err members_finish(struct writer *writer, struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < writer->member_count && rc == LB_OK; i++) {
        if (writer->members[i].finish != NULL) {
            rc = writer->members[i].finish(writer->members[i].ctx, writer->db,
                                           err);
        }
    }
    return rc;
}

static void members_end(struct writer *writer, bool is_committed)
{
    for (size_t i = 0; i < writer->member_count; i++) {
        void (*end)(void *) = is_committed ? writer->members[i].committed
                                           : writer->members[i].rolled_back;

        if (end != NULL) {
            end(writer->members[i].ctx);
        }
    }
}

/* Derives inside a savepoint.  A fault of ours leaves the append standing; one
 * that undid the transaction is the group's. */
static enum lb_err
derive(struct writer *writer, bool *is_derived_out, struct lb_error *err)
{
    int64_t now_ms = lb_clock_mono_ms();
    struct lb_error fault = {LB_OK, ""};
    enum lb_err rc;

    *is_derived_out = false;
    if (writer->derive.run == NULL || now_ms < writer->derive_retry_at_ms) {
        return LB_OK;
    }
    rc = db_savepoint(writer->db, err);
    if (rc != LB_OK) {
        return rc;
    }
    rc = writer->derive.run(writer->derive.ctx, writer->db, &fault);
    if (rc == LB_OK) {
        *is_derived_out = true;
        return db_release(writer->db, err);
    }
    if (!db_rollback_to(writer->db)) {
        return lb_err_set(err, rc, "%s", fault.text);
    }
    writer->derive.undone(writer->derive.ctx);
    writer->derive_retry_at_ms = now_ms + RETRY_DERIVE_MS;
    uv_mutex_lock(&writer->lock);
    writer->status.is_derive_failing = true;
    writer->status.last_error = fault;
    uv_mutex_unlock(&writer->lock);
    lb_log_limited(LB_LOG_ERROR, "derive_failed", "text=\"%s\"", fault.text);
    return LB_OK;
}

static enum lb_err
run_jobs(struct writer *writer, struct writer_job *jobs, struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (struct writer_job *job = jobs; job != NULL && rc == LB_OK;
         job = job->next) {
        rc = job->run(job, writer->db, err);
    }
    return rc;
}

static enum lb_err run_transaction(struct writer *writer,
                                   struct writer_job *jobs,
                                   struct lb_error *err)
{
    bool is_derived = false;
    enum lb_err rc = db_begin(writer->db, err);

    rc = rc == LB_OK ? members_begin(writer, err) : rc;
    rc = rc == LB_OK ? run_jobs(writer, jobs, err) : rc;
    rc = rc == LB_OK ? members_finish(writer, err) : rc;
    rc = rc == LB_OK ? derive(writer, &is_derived, err) : rc;
    rc = rc == LB_OK ? db_commit(writer->db, err) : rc;
    if (rc != LB_OK) {
        db_rollback(writer->db);
        if (writer->derive.undone != NULL) {
            writer->derive.undone(writer->derive.ctx);
        }
        members_end(writer, false);
        return rc;
    }
    members_end(writer, true);
    if (is_derived) {
        writer->derive.committed(writer->derive.ctx);
        uv_mutex_lock(&writer->lock);
        writer->status.is_derive_failing = false;
        uv_mutex_unlock(&writer->lock);
    }
    return LB_OK;
}

static void
note_outcome(struct writer *writer, enum lb_err rc, const struct lb_error *err)
{
    bool is_storage = rc == LB_EIO || rc == LB_EFULL || rc == LB_EREADONLY ||
                      rc == LB_EFORMAT;

    uv_mutex_lock(&writer->lock);
    writer->status.is_failing = is_storage;
    writer->status.is_disk_full = rc == LB_EFULL || writer->disk.is_short;
    if (is_storage) {
        writer->status.last_error = *err;
    }
    uv_mutex_unlock(&writer->lock);
    writer->commit_retry_at_ms =
        is_storage ? lb_clock_mono_ms() + RETRY_COMMIT_MS : 0;
    if (is_storage) {
        lb_log_limited(LB_LOG_ERROR, "commit_failed", "text=\"%s\"", err->text);
    }
    /* After a failed write or fsync nothing that the connection holds is
     * trusted. */
    if (rc == LB_EIO || rc == LB_EREADONLY || rc == LB_EFORMAT) {
        writer->is_reopen_needed = true; /* until reopen() succeeds */
    }
}

static enum lb_err reopen(struct writer *writer, struct lb_error *err)
{
    enum lb_err rc = db_reopen(writer->db, err);

    if (rc == LB_OK) {
        writer->is_reopen_needed = false;
        (void)sqlite3_wal_hook(db_handle(writer->db), on_wal, writer);
    }
    return rc;
}

static void report(struct writer *writer, struct writer_job *jobs)
{
    uv_mutex_lock(&writer->lock);
    while (jobs != NULL) {
        struct writer_job *next = jobs->next;

        writer_queue_release(&writer->queue, jobs);
        writer_queue_list_push(&writer->reported, jobs);
        jobs = next;
    }
    lb_metrics_set(writer->queue_events, (int64_t)writer->queue.events);
    uv_mutex_unlock(&writer->lock);
    if (writer->loop != NULL) {
        (void)uv_async_send(&writer->async);
        return;
    }
    for (struct writer_job *job = writer_queue_list_pop(&writer->reported);
         job != NULL; job = writer_queue_list_pop(&writer->reported)) {
        job->done(job, job->rc, &job->err);
    }
}

static void
set_result(struct writer_job *jobs, enum lb_err rc, const struct lb_error *err)
{
    for (struct writer_job *job = jobs; job != NULL; job = job->next) {
        job->rc = rc;
        if (rc != LB_OK) {
            job->err = *err;
            job->err.code = rc;
        }
    }
}

/* A group whose transaction failed without being undone by SQLite: one job may
 * be at fault, so each gets a transaction of its own. */
static void run_singly(struct writer *writer, struct writer_job *jobs)
{
    for (struct writer_job *job = jobs; job != NULL; job = job->next) {
        struct writer_job *next = job->next;
        struct lb_error err = {LB_OK, ""};

        job->next = NULL;
        job->rc = writer->is_reopen_needed ? reopen(writer, &err) : LB_OK;
        if (job->rc == LB_OK) {
            job->rc = run_transaction(writer, job, &err);
        }
        job->err = err;
        note_outcome(writer, job->rc, &err);
        job->next = next;
    }
}

static bool is_refused(struct writer *writer,
                       const struct writer_job *jobs,
                       struct lb_error *err)
{
    if (jobs == NULL || !jobs->is_append || !writer->disk.is_short) {
        return false;
    }
    (void)lb_err_set(err, LB_EFULL,
                     "the disk is full: less is free than limits.disk_reserve, "
                     "or the database passed limits.max_db_bytes");
    return true;
}

static void
run_group(struct writer *writer, struct writer_job *jobs, size_t event_count)
{
    struct lb_error err = {LB_OK, ""};
    int64_t began_ns = lb_clock_mono_ns();
    enum lb_err rc = LB_OK;

    if (writer->is_reopen_needed) {
        rc = reopen(writer, &err);
    }
    if (rc == LB_OK && is_refused(writer, jobs, &err)) {
        set_result(jobs, LB_EFULL, &err);
        report(writer, jobs);
        return;
    }
    if (rc == LB_OK && jobs != NULL && jobs->is_outside) {
        rc = jobs->run(jobs, writer->db, &err);
    } else {
        rc = rc == LB_OK ? run_transaction(writer, jobs, &err) : rc;
        note_outcome(writer, rc, &err);
    }
    if (rc != LB_OK && jobs != NULL && jobs->next != NULL &&
        !writer->is_reopen_needed && rc != LB_EFULL) {
        run_singly(writer, jobs);
    } else {
        set_result(jobs, rc, &err);
    }
    if (rc == LB_OK && jobs != NULL) {
        lb_metrics_observe_ns(writer->commit_seconds,
                              lb_clock_mono_ns() - began_ns);
        lb_metrics_observe_count(writer->commit_events, (int64_t)event_count);
    }
    if (jobs != NULL) {
        report(writer, jobs);
    }
}

/* --- between groups --------------------------------------------------------
 */

/* Readers that overlap keep the log from being reused: past its size they wait
 * for each other to end. */
static void truncate_wal(struct writer *writer)
{
    int rc;

    if (db_wal_bytes(writer->db) <= WAL_TRUNCATE_BYTES) {
        wal_gate_open(writer->gate);
        return;
    }
    wal_gate_close(writer->gate, GATE_MS);
    /* A reader must not hold up the writer: it is tried again soon. */
    (void)sqlite3_busy_timeout(db_handle(writer->db), 0);
    rc = sqlite3_wal_checkpoint_v2(db_handle(writer->db), NULL,
                                   SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    (void)sqlite3_busy_timeout(db_handle(writer->db), DB_BUSY_MS);
    if (rc == SQLITE_OK) {
        wal_gate_open(writer->gate);
    }
}

static void checkpoint(struct writer *writer)
{
    if (writer->is_reopen_needed) {
        return;
    }
    if (writer->wal_pages >= CHECKPOINT_PAGES) {
        (void)sqlite3_wal_checkpoint_v2(db_handle(writer->db), NULL,
                                        SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        writer->wal_pages = 0;
        writer->is_truncating = db_wal_bytes(writer->db) > WAL_TRUNCATE_BYTES;
    }
    if (writer->is_truncating) {
        truncate_wal(writer);
        writer->is_truncating = db_wal_bytes(writer->db) > WAL_TRUNCATE_BYTES;
    }
}

static void look_at_disk(struct writer *writer, int64_t now_ms)
{
    int64_t limits[2];

    uv_mutex_lock(&writer->lock);
    limits[0] = writer->limits.disk_reserve_bytes;
    limits[1] = writer->limits.max_db_bytes;
    uv_mutex_unlock(&writer->lock);
    if (disk_watch_look(&writer->disk, writer->db, limits, now_ms, IDLE_MS)) {
        uv_mutex_lock(&writer->lock);
        writer->status.is_disk_full = writer->disk.is_short;
        uv_mutex_unlock(&writer->lock);
    }
}

static bool is_chore_due(const struct writer *writer, int64_t now_ms)
{
    for (size_t i = 0; i < writer->chore_count; i++) {
        if (now_ms >= writer->chores[i].due_at_ms) {
            return true;
        }
    }
    return false;
}

/* At most one chore; true when it has more to do, or another has. */
static bool run_chore(struct writer *writer, int64_t now_ms)
{
    for (size_t i = 0; i < writer->chore_count && !writer->is_reopen_needed;
         i++) {
        struct chore *chore =
            &writer->chores[(writer->next_chore + i) % writer->chore_count];

        if (now_ms >= chore->due_at_ms) {
            int64_t began_ns = lb_clock_mono_ns();
            bool has_more = chore->run(chore->ctx, writer->db);

            lb_metrics_observe_ns(chore->seconds,
                                  lb_clock_mono_ns() - began_ns);
            chore->due_at_ms = has_more ? now_ms : now_ms + chore->period_ms;
            writer->next_chore =
                (writer->next_chore + i + 1) % writer->chore_count;
            return has_more || is_chore_due(writer, now_ms);
        }
    }
    return false;
}

static bool is_behind(struct writer *writer)
{
    return writer->derive.is_behind != NULL &&
           lb_clock_mono_ms() >= writer->derive_retry_at_ms &&
           writer->derive.is_behind(writer->derive.ctx);
}

/* After a fault an empty group tells whether it is over: a service that says it
 * is not ready may get no jobs to find out with. */
static bool is_retry_due(const struct writer *writer)
{
    return writer->commit_retry_at_ms != 0 &&
           lb_clock_mono_ms() >= writer->commit_retry_at_ms;
}

static void writer_thread(void *arg)
{
    struct writer *writer = arg;
    bool has_more = false;
    bool is_over = false;

    while (!is_over) {
        struct writer_job *jobs;
        size_t event_count = 0;

        uv_mutex_lock(&writer->lock);
        if (writer_queue_is_empty(&writer->queue) && !writer->is_stopping &&
            !has_more) {
            (void)uv_cond_timedwait(&writer->wake, &writer->lock,
                                    (uint64_t)IDLE_MS * 1000000);
        }
        jobs = writer_queue_take(&writer->queue, writer->limits.group_events,
                                 &event_count);
        is_over = jobs == NULL && writer->is_stopping;
        uv_mutex_unlock(&writer->lock);
        if (jobs != NULL) {
            run_group(writer, jobs, event_count);
        } else if (!is_over && (is_behind(writer) || is_retry_due(writer))) {
            run_group(writer, NULL, 0);
        }
        if (!is_over) {
            int64_t now_ms = lb_clock_mono_ms();

            checkpoint(writer);
            look_at_disk(writer, now_ms);
            has_more = run_chore(writer, now_ms) || is_behind(writer);
        }
    }
}

static void on_async(uv_async_t *async)
{
    struct writer *writer = async->data;
    struct writer_job *job;

    uv_mutex_lock(&writer->lock);
    job = writer->reported.first;
    writer->reported = (struct writer_list){NULL, NULL};
    uv_mutex_unlock(&writer->lock);
    while (job != NULL) {
        struct writer_job *next = job->next;

        job->done(job, job->rc, &job->err);
        job = next;
    }
}

/* Before the loop waits again: what it read in this turn is one group. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct writer *writer = prepare->data;

    if (writer->is_wake_due) {
        writer->is_wake_due = false;
        uv_cond_signal(&writer->wake);
    }
}

enum lb_err writer_start(struct writer *writer, struct lb_error *err)
{
    if (writer->loop != NULL) {
        if (uv_async_init(writer->loop, &writer->async, on_async) != 0) {
            return lb_err_set(err, LB_ENOMEM, "no wake-up handle to be had");
        }
        writer->async.data = writer;
        /* These can't fail: they only fill the handle in. */
        (void)uv_prepare_init(writer->loop, &writer->prepare);
        writer->prepare.data = writer;
        (void)uv_prepare_start(&writer->prepare, on_prepare);
        uv_unref((uv_handle_t *)&writer->prepare);
    }
    look_at_disk(writer, lb_clock_mono_ms() + IDLE_MS);
    if (uv_thread_create(&writer->thread, writer_thread, writer) != 0) {
        return lb_err_set(err, LB_ENOMEM, "no thread to be had");
    }
    writer->is_started = true;
    return LB_OK;
}

enum lb_err writer_submit(struct writer *writer, struct writer_job *job)
{
    bool is_later = job->is_append && writer->loop != NULL;
    const char *full;

    job->rc = LB_OK;
    job->err.code = LB_OK;
    job->err.text[0] = '\0';
    uv_mutex_lock(&writer->lock);
    full = writer_queue_put(&writer->queue, &writer->limits, job);
    uv_mutex_unlock(&writer->lock);
    if (full == NULL && is_later) {
        writer->is_wake_due = true;
    } else if (full == NULL) {
        uv_cond_signal(&writer->wake);
    }
    return full == NULL ? LB_OK : lb_err_set(&job->err, LB_ELIMIT, "%s", full);
}

bool writer_is_awaited(struct writer *writer)
{
    bool is_awaited;

    uv_mutex_lock(&writer->lock);
    is_awaited = writer_queue_has_live(&writer->queue);
    uv_mutex_unlock(&writer->lock);
    return is_awaited;
}

void writer_stop(struct writer *writer)
{
    if (!writer->is_started) {
        return;
    }
    uv_mutex_lock(&writer->lock);
    writer->is_stopping = true;
    uv_cond_signal(&writer->wake);
    uv_mutex_unlock(&writer->lock);
    (void)uv_thread_join(&writer->thread);
    writer->is_started = false;
    if (writer->loop != NULL) {
        on_async(&writer->async);
        uv_close((uv_handle_t *)&writer->async, NULL);
        uv_close((uv_handle_t *)&writer->prepare, NULL);
    }
    (void)sqlite3_wal_checkpoint_v2(db_handle(writer->db), NULL,
                                    SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

void writer_free(struct writer *writer)
{
    if (writer == NULL) {
        return;
    }
    db_close(writer->db);
    wal_gate_free(writer->gate);
    uv_cond_destroy(&writer->wake);
    uv_mutex_destroy(&writer->lock);
    free(writer);
}

void writer_get_status(struct writer *writer, struct writer_status *status_out)
{
    uv_mutex_lock(&writer->lock);
    *status_out = writer->status;
    status_out->queued_events = writer->queue.events;
    status_out->queued_bytes = writer->queue.bytes;
    uv_mutex_unlock(&writer->lock);
}
