/* deliver_sweep.c - removes deliveries that ended long ago. */
#include "alerts/deliver_sweep.h"

#include <stdlib.h>

#include "alerts/destination.h"
#include "alerts/outbox_store.h"
#include "base/clock.h"
#include "base/log.h"

#define EVERY_MOST_MS LB_MS_PER_HOUR
#define EVERY_LEAST_MS LB_MS_PER_S

struct deliver_sweep {
    struct writer_job job; /* first */
    uv_timer_t timer;
    struct writer *writer;
    struct catalog_holder *holder;
    int64_t keep_delivered_ms;
    int64_t keep_dead_ms;
    bool is_over;
    bool is_running;
    bool is_stopped;
};

static int64_t every_ms(const struct deliver_sweep *sweep)
{
    int64_t least_ms = sweep->keep_delivered_ms < sweep->keep_dead_ms
                           ? sweep->keep_delivered_ms
                           : sweep->keep_dead_ms;

    least_ms = least_ms / 4;
    return least_ms < EVERY_LEAST_MS  ? EVERY_LEAST_MS
           : least_ms > EVERY_MOST_MS ? EVERY_MOST_MS
                                      : least_ms;
}

static enum lb_err expire(struct deliver_sweep *sweep,
                          struct db *db,
                          int64_t now_ms,
                          struct lb_error *err)
{
    struct catalog *catalog = catalog_current(sweep->holder);
    size_t count = catalog_object_count(catalog, CATALOG_DESTINATION);
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        const struct catalog_object *object =
            catalog_object_at(catalog, CATALOG_DESTINATION, i);
        struct destination destination;

        if (destination_read_plain(object->body, &destination)) {
            rc = outbox_expire(db, object->id, now_ms,
                               now_ms - destination.max_age_ms, err);
        }
    }
    catalog_unref(catalog);
    return rc;
}

static enum lb_err
run(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct deliver_sweep *sweep = (struct deliver_sweep *)job;
    int64_t now_ms = lb_clock_wall_ms();
    const struct outbox_sweep_times times = {now_ms - sweep->keep_delivered_ms,
                                             now_ms - sweep->keep_dead_ms};
    enum lb_err rc = expire(sweep, db, now_ms, err);

    return rc == LB_OK ? outbox_sweep_piece(db, &times, &sweep->is_over, err)
                       : rc;
}

static void submit(struct deliver_sweep *sweep);

static void on_timer(uv_timer_t *timer)
{
    submit(timer->data);
}

static void plan(struct deliver_sweep *sweep, int64_t ms)
{
    if (!sweep->is_stopped) {
        (void)uv_timer_start(&sweep->timer, on_timer, (uint64_t)ms, 0);
    }
}

static void
done(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct deliver_sweep *sweep = (struct deliver_sweep *)job;

    sweep->is_running = false;
    if (rc != LB_OK) {
        lb_log_limited(LB_LOG_WARN, "outbox_sweep_failed", "text=\"%s\"",
                       err->text);
    }
    plan(sweep, rc == LB_OK && !sweep->is_over ? 1 : every_ms(sweep));
}

static void submit(struct deliver_sweep *sweep)
{
    if (sweep->is_running || sweep->is_stopped) {
        return;
    }
    sweep->is_running = true;
    sweep->job.run = run;
    sweep->job.done = done;
    if (writer_submit(sweep->writer, &sweep->job) != LB_OK) {
        sweep->is_running = false;
        plan(sweep, every_ms(sweep));
    }
}

void deliver_sweep_set_config(struct deliver_sweep *sweep,
                              const struct lb_config *config)
{
    sweep->keep_delivered_ms = config->keep_delivered_ms;
    sweep->keep_dead_ms = config->keep_dead_ms;
    plan(sweep, every_ms(sweep));
}

enum lb_err deliver_sweep_new(uv_loop_t *loop,
                              struct writer *writer,
                              struct catalog_holder *holder,
                              const struct lb_config *config,
                              struct deliver_sweep **sweep_out,
                              struct lb_error *err)
{
    struct deliver_sweep *sweep = calloc(1, sizeof(*sweep));

    *sweep_out = sweep;
    if (sweep == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    sweep->writer = writer;
    sweep->holder = holder;
    (void)uv_timer_init(loop, &sweep->timer);
    sweep->timer.data = sweep;
    deliver_sweep_set_config(sweep, config);
    return LB_OK;
}

void deliver_sweep_stop(struct deliver_sweep *sweep)
{
    sweep->is_stopped = true;
    uv_close((uv_handle_t *)&sweep->timer, NULL);
}

void deliver_sweep_free(struct deliver_sweep *sweep)
{
    free(sweep);
}
