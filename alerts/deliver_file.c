/* deliver_file.c - work that waits for the disk, on libuv's threads. */
#include "alerts/deliver_file.h"

#include <stdlib.h>

struct deliver_file {
    uv_loop_t *loop;
};

struct task {
    uv_work_t work; /* first */
    void (*run)(void *ctx);
    void (*done)(void *ctx);
    void *ctx;
};

static void on_work(uv_work_t *work)
{
    struct task *task = (struct task *)work;

    task->run(task->ctx);
}

static void on_done(uv_work_t *work, int status)
{
    struct task *task = (struct task *)work;

    (void)status; /* nothing is cancelled */
    task->done(task->ctx);
    free(task);
}

bool deliver_file_run(struct deliver_file *files,
                      void (*work)(void *ctx),
                      void (*done)(void *ctx),
                      void *ctx)
{
    struct task *task = calloc(1, sizeof(*task));

    if (task == NULL) {
        return false;
    }
    task->run = work;
    task->done = done;
    task->ctx = ctx;
    if (uv_queue_work(files->loop, &task->work, on_work, on_done) != 0) {
        free(task);
        return false;
    }
    return true;
}

enum lb_err deliver_file_new(uv_loop_t *loop,
                             struct deliver_file **files_out,
                             struct lb_error *err)
{
    struct deliver_file *files = calloc(1, sizeof(*files));

    *files_out = files;
    if (files == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    files->loop = loop;
    return LB_OK;
}

void deliver_file_free(struct deliver_file *files)
{
    free(files);
}
