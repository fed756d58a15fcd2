/* pool.c - worker threads with read-only connections. */
#include "sql/pool.h"

#include <stdlib.h>
#include <string.h>

#include "sql/segment_cache.h"

#define THREAD_MAX 8
#define TURN_BYTES ((size_t)64 * 1024) /* of one sender while others wait */

struct worker {
    struct pool *pool;
    uv_thread_t thread;
    struct db *db; /* owned; opened by the thread at its first job */
};

struct pool {
    uv_loop_t *loop;
    char *dir;                      /* owned; NULL: no connections */
    struct wal_gate *gate;          /* borrowed; NULL: none */
    struct segment_cache *segments; /* owned; NULL: none */
    uv_async_t async;
    uv_mutex_t lock;
    uv_cond_t wake;
    /* By lock: */
    struct lb_fair_queue waiting;
    struct pool_job *done_first;
    struct pool_job *done_last;
    bool is_stopping;
    struct worker workers[THREAD_MAX];
    unsigned thread_count;
};

/* Under the lock: it waits to be reported. */
static void push_done(struct pool *pool, struct pool_job *job)
{
    job->next = NULL;
    if (pool->done_last == NULL) {
        pool->done_first = job;
    } else {
        pool->done_last->next = job;
    }
    pool->done_last = job;
}

static void run_job(struct worker *worker, struct pool_job *job)
{
    struct pool *pool = worker->pool;

    if (pool->dir == NULL) {
        job->run(job, NULL);
        return;
    }
    if (worker->db == NULL) {
        job->rc = db_open(pool->dir, DB_READER, &worker->db, &job->err);
        if (job->rc != LB_OK) {
            return;
        }
        db_set_segments(worker->db, pool->segments);
    }
    if (pool->gate != NULL) {
        wal_gate_pass(pool->gate);
    }
    job->rc = db_begin(worker->db, &job->err);
    if (job->rc != LB_OK) {
        db_close(worker->db);
        worker->db = NULL;
        return;
    }
    db_trim_texts(worker->db);
    job->run(job, worker->db);
    db_rollback(worker->db);
}

static struct pool_job *take(struct pool *pool)
{
    struct lb_fair_node *node = lb_fair_queue_pop(&pool->waiting);

    return node == NULL
               ? NULL
               : (struct pool_job *)(void *)((char *)node -
                                             offsetof(struct pool_job, node));
}

static void worker_thread(void *arg)
{
    struct worker *worker = arg;
    struct pool *pool = worker->pool;
    struct pool_job *job;

    for (;;) {
        uv_mutex_lock(&pool->lock);
        while (pool->waiting.active == 0 && !pool->is_stopping) {
            uv_cond_wait(&pool->wake, &pool->lock);
        }
        job = take(pool);
        uv_mutex_unlock(&pool->lock);
        if (job == NULL) {
            break;
        }
        run_job(worker, job);
        uv_mutex_lock(&pool->lock);
        push_done(pool, job);
        uv_mutex_unlock(&pool->lock);
        (void)uv_async_send(&pool->async);
    }
    db_close(worker->db);
    worker->db = NULL;
}

static void on_async(uv_async_t *async)
{
    struct pool *pool = async->data;
    struct pool_job *job;

    uv_mutex_lock(&pool->lock);
    job = pool->done_first;
    pool->done_first = NULL;
    pool->done_last = NULL;
    uv_mutex_unlock(&pool->lock);
    while (job != NULL) {
        struct pool_job *next = job->next;

        job->done(job, job->rc, &job->err);
        job = next;
    }
}

enum lb_err pool_new(uv_loop_t *loop,
                     const char *dir,
                     unsigned thread_count,
                     struct pool **pool_out,
                     struct lb_error *err)
{
    struct pool *pool = calloc(1, sizeof(*pool));

    *pool_out = NULL;
    if (pool == NULL || uv_mutex_init(&pool->lock) != 0 ||
        uv_cond_init(&pool->wake) != 0) {
        free(pool);
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    lb_fair_queue_init(&pool->waiting, TURN_BYTES);
    pool->loop = loop;
    pool->dir = dir == NULL ? NULL : strdup(dir);
    (void)uv_async_init(loop, &pool->async, on_async);
    pool->async.data = pool;
    thread_count = thread_count > THREAD_MAX ? THREAD_MAX : thread_count;
    for (unsigned i = 0; i < thread_count; i++) {
        pool->workers[i].pool = pool;
        if (uv_thread_create(&pool->workers[i].thread, worker_thread,
                             &pool->workers[i]) != 0) {
            break;
        }
        pool->thread_count++;
    }
    *pool_out = pool;
    return pool->thread_count > 0
               ? LB_OK
               : lb_err_set(err, LB_ENOMEM, "no thread to be had");
}

void pool_set_reading(struct pool *pool,
                      struct wal_gate *gate,
                      size_t segment_bytes)
{
    pool->gate = gate;
    pool->segments =
        segment_bytes == 0 ? NULL : segment_cache_new(segment_bytes);
}

void pool_submit(struct pool *pool, struct pool_job *job)
{
    job->rc = LB_OK;
    job->err.code = LB_OK;
    job->err.text[0] = '\0';
    job->node.sender = job->sender;
    job->node.cost = job->cost_bytes == 0 ? TURN_BYTES : job->cost_bytes;
    uv_mutex_lock(&pool->lock);
    lb_fair_queue_push(&pool->waiting, &job->node);
    uv_cond_signal(&pool->wake);
    uv_mutex_unlock(&pool->lock);
}

void pool_stop(struct pool *pool)
{
    uv_mutex_lock(&pool->lock);
    pool->is_stopping = true;
    uv_cond_broadcast(&pool->wake);
    uv_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->thread_count; i++) {
        (void)uv_thread_join(&pool->workers[i].thread);
    }
    pool->thread_count = 0;
    on_async(&pool->async);
    uv_close((uv_handle_t *)&pool->async, NULL);
}

void pool_free(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    uv_cond_destroy(&pool->wake);
    uv_mutex_destroy(&pool->lock);
    segment_cache_free(pool->segments);
    free(pool->dir);
    free(pool);
}
