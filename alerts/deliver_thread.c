/* deliver_thread.c - a thread for each piece of a delivery's work that waits.
 */
#include "alerts/deliver_thread.h"

#include <stdlib.h>

#define STACK_BYTES ((size_t)1024 * 1024)

struct task {
    struct task *next;
    struct deliver_thread *threads;
    uv_thread_t thread;
    void (*run)(void *ctx);
    void (*done)(void *ctx);
    void *ctx;
};

struct deliver_thread {
    uv_async_t async;
    uv_mutex_t mutex;
    struct task *ended; /* guarded by mutex */
    size_t running;     /* the loop thread's */
    bool is_stopping;
};

static void on_thread(void *arg)
{
    struct task *task = arg;
    struct deliver_thread *threads = task->threads;

    task->run(task->ctx);
    uv_mutex_lock(&threads->mutex);
    task->next = threads->ended;
    threads->ended = task;
    /* Under the lock: the handle may close as soon as the task is seen. */
    (void)uv_async_send(&threads->async);
    uv_mutex_unlock(&threads->mutex);
}

static void close_if_over(struct deliver_thread *threads)
{
    if (threads->is_stopping && threads->running == 0) {
        uv_close((uv_handle_t *)&threads->async, NULL);
    }
}

static void on_async(uv_async_t *async)
{
    struct deliver_thread *threads = async->data;
    struct task *task;

    uv_mutex_lock(&threads->mutex);
    task = threads->ended;
    threads->ended = NULL;
    uv_mutex_unlock(&threads->mutex);
    while (task != NULL) {
        struct task *next = task->next;

        (void)uv_thread_join(&task->thread);
        task->done(task->ctx);
        free(task);
        threads->running--;
        task = next;
    }
    close_if_over(threads);
}

bool deliver_thread_run(struct deliver_thread *threads,
                        void (*work)(void *ctx),
                        void (*done)(void *ctx),
                        void *ctx)
{
    const uv_thread_options_t options = {UV_THREAD_HAS_STACK_SIZE, STACK_BYTES};
    struct task *task = threads->is_stopping ? NULL : calloc(1, sizeof(*task));

    if (task == NULL) {
        return false;
    }
    task->threads = threads;
    task->run = work;
    task->done = done;
    task->ctx = ctx;
    if (uv_thread_create_ex(&task->thread, &options, on_thread, task) != 0) {
        free(task);
        return false;
    }
    threads->running++;
    return true;
}

enum lb_err deliver_thread_new(uv_loop_t *loop,
                               struct deliver_thread **threads_out,
                               struct lb_error *err)
{
    struct deliver_thread *threads = calloc(1, sizeof(*threads));

    *threads_out = NULL;
    if (threads == NULL || uv_mutex_init(&threads->mutex) != 0) {
        free(threads);
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    if (uv_async_init(loop, &threads->async, on_async) != 0) {
        uv_mutex_destroy(&threads->mutex);
        free(threads);
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    threads->async.data = threads;
    *threads_out = threads;
    return LB_OK;
}

void deliver_thread_stop(struct deliver_thread *threads)
{
    threads->is_stopping = true;
    close_if_over(threads);
}

void deliver_thread_free(struct deliver_thread *threads)
{
    if (threads != NULL) {
        uv_mutex_destroy(&threads->mutex);
        free(threads);
    }
}
