/* writer.h - the one thread that writes.  Jobs queue up from any thread; the
 * writer takes all that wait as a group, runs them in one transaction, lets the
 * cursor stage derive in the same transaction, commits (one fdatasync) and only
 * then reports each job, on the loop thread.  While a commit is under way the
 * next group gathers: the window adapts by itself, and a lonely job goes at
 * once.  Senders take turns, and none fills the queue alone (fair_queue.h). */
#ifndef LINKBELL_SQL_WRITER_H
#define LINKBELL_SQL_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/config.h"
#include "base/err.h"
#include "base/fair_queue.h"
#include "sql/db.h"
#include "sql/wal_gate.h"

struct writer;

/* Caller's struct, alive until done was called. */
struct writer_job {
    /* Set by the caller. */
    /* On the writer thread, inside the group's transaction.  On an error of one
     * job its own changes are undone and it alone is told, unless the error
     * undid the whole transaction (full disk, I/O): then all jobs of the group
     * get it. */
    enum lb_err (*run)(struct writer_job *job,
                       struct db *db,
                       struct lb_error *err);
    /* On the loop thread, after COMMIT or after the failure.  err is for the
     * call. */
    void (*done)(struct writer_job *job,
                 enum lb_err rc,
                 const struct lb_error *err);
    size_t event_count; /* for the queue's limits and the metrics */
    size_t bytes;       /* memory held, likewise */
    uint64_t sender; /* of what is appended: a hash that tells senders apart */
    bool is_append;  /* joins a group; else it gets a transaction of its own */
    bool is_small;   /* shares that with small ones that wait behind it */
    bool is_outside; /* runs without a transaction, alone: a checkpoint */
    bool is_background; /* runs only while no other job waits (imports, days) */

    /* The writer's. */
    struct lb_fair_node node;
    struct writer_job *next;
    enum lb_err rc;
    struct lb_error err;
};

/* Modules that keep memory beside the database, in the order of registration.
 * All on the writer thread; any function may be NULL. */
struct writer_member {
    void *ctx;
    /* After BEGIN, before the jobs. */
    enum lb_err (*begin)(void *ctx, struct db *db, struct lb_error *err);
    /* After the jobs, before deriving: what is written once a group. */
    enum lb_err (*finish)(void *ctx, struct db *db, struct lb_error *err);
    /* After COMMIT returned OK: what changed since begin holds. */
    void (*committed)(void *ctx);
    /* The transaction is undone: memory falls back to what it was at begin. */
    void (*rolled_back)(void *ctx);
};

/* Derives from the log in the same transaction, inside a savepoint (cursor.h).
 */
struct writer_derive {
    void *ctx;
    enum lb_err (*run)(void *ctx, struct db *db, struct lb_error *err);
    void (*undone)(
        void *ctx); /* back to the savepoint; the append still holds */
    void (*committed)(void *ctx);
    /* Whether entries wait that no group brought: it then runs without one. */
    bool (*is_behind)(void *ctx);
};

struct writer_limits {
    size_t queue_events; /* accepted, not yet durable */
    size_t queue_bytes;
    size_t group_events;        /* a group is closed at this many */
    int64_t disk_reserve_bytes; /* free bytes below which events are refused; 0:
                                   off */
    int64_t max_db_bytes;       /* size at which events are refused; 0: off */
};

struct writer_limits writer_limits_of(const struct lb_config *config);

/* Opens the directory as DB_WRITER and makes the thread (started by
 * writer_start()).  Errors as db_open().  loop may be NULL in tests: done is
 * then called on the writer thread. */
LB_MUST_CHECK enum lb_err writer_new(uv_loop_t *loop,
                                     const char *dir,
                                     const struct writer_limits *limits,
                                     struct writer **writer_out,
                                     struct lb_error *err);
/* What readers are to pass before they begin; the writer's. */
struct wal_gate *writer_gate(struct writer *writer);
/* Before writer_start(): the connection, for loading state. */
struct db *writer_db(struct writer *writer);
void writer_add_member(struct writer *writer,
                       const struct writer_member *member);
void writer_set_derive(struct writer *writer,
                       const struct writer_derive *derive);
/* Called between groups, and when idle at most every period_ms: one piece of
 * housekeeping, 5 ms at most.  Returns true when there is more to do at once.
 * name is its label in linkbell_housekeeping_seconds. */
void writer_add_chore(struct writer *writer,
                      const char *name,
                      bool (*chore)(void *ctx, struct db *db),
                      void *ctx,
                      int64_t period_ms);
LB_MUST_CHECK enum lb_err writer_start(struct writer *writer,
                                       struct lb_error *err);

void writer_set_limits(struct writer *writer,
                       const struct writer_limits *limits);

/* Any thread; jobs with is_append come from the loop's own, and those of one
 * turn of the loop are handed over together.  LB_ELIMIT: the queue is full, or
 * too much of it is this sender's; job->err.text is the limit's name
 * (queue_events, queue_bytes), done is not called.  While nothing waits a job
 * is taken however large it is. */
LB_MUST_CHECK enum lb_err writer_submit(struct writer *writer,
                                        struct writer_job *job);

/* Any thread: whether a job that is not in the background waits.  A job of many
 * steps asks between them, and ends early. */
bool writer_is_awaited(struct writer *writer);

/* Runs what waits, commits, checkpoints, ends the thread.  Then free. */
void writer_stop(struct writer *writer);
void writer_free(struct writer *writer); /* closes; NULL is fine */

/* Figures for /readyz and /metrics, any thread. */
struct writer_status {
    size_t queued_events;
    size_t queued_bytes;
    bool is_failing; /* the last commit failed; tried again by itself */
    bool is_disk_full;
    bool is_derive_failing;     /* appends commit, the cursor stands still */
    int64_t behind_since_at_ms; /* receive time of the first underived entry; 0:
                                   none */
    struct lb_error last_error;
};
void writer_get_status(struct writer *writer, struct writer_status *status_out);

#endif
