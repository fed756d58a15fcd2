/* pool.h - worker threads, each with a read-only connection when the pool has a
 * data directory (queries, exports), without one otherwise (parsing large
 * bodies).  Readers never block ingestion.  Senders take turns (fair_queue.h).
 */
#ifndef LINKBELL_SQL_POOL_H
#define LINKBELL_SQL_POOL_H

#include <stdatomic.h>
#include <uv.h>

#include "base/err.h"
#include "base/fair_queue.h"
#include "sql/db.h"
#include "sql/wal_gate.h"

struct pool;

/* Caller's struct, alive until done was called. */
struct pool_job {
    /* On a worker thread; db is NULL in a pool without a directory.  With one,
     * it runs inside one read transaction: one snapshot. */
    void (*run)(struct pool_job *job, struct db *db);
    /* On the loop thread.  rc: LB_OK, or why run was not called (LB_EIO ...).
     */
    void (*done)(struct pool_job *job,
                 enum lb_err rc,
                 const struct lb_error *err);
    /* Any thread may set it; long work looks at it between pieces. */
    atomic_bool is_cancelled;
    uint64_t sender;   /* whose turn it takes: a hash; 0: the service's */
    size_t cost_bytes; /* that it works on, if that tells how long it takes */

    /* The pool's. */
    struct lb_fair_node node;
    struct pool_job *next;
    enum lb_err rc;
    struct lb_error err;
};

LB_MUST_CHECK enum lb_err pool_new(uv_loop_t *loop,
                                   const char *dir, /* NULL: no connections */
                                   unsigned thread_count,
                                   struct pool **pool_out,
                                   struct lb_error *err);
/* Before the first job: what readers pass before they begin (borrowed), and how
 * many bytes they keep of segments that they have unpacked (segment_cache.h; 0,
 * or without memory: nothing). */
void pool_set_reading(struct pool *pool,
                      struct wal_gate *gate,
                      size_t segment_bytes);
void pool_submit(struct pool *pool, struct pool_job *job);
void pool_stop(struct pool *pool); /* finishes what waits, joins, closes */
void pool_free(struct pool *pool); /* NULL is fine */

#endif
