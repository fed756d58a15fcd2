/* deliver_gauges.c - how much waits at each destination, for /metrics, and
 * whether that is too much. */
#include "alerts/deliver_gauges.h"

#include <stdio.h>
#include <stdlib.h>

#include "alerts/backlog.h"
#include "alerts/outbox_store.h"
#include "base/clock.h"
#include "base/metrics.h"

#define FIRST_MS 200
#define EVERY_MS 5000

struct deliver_gauges {
    struct pool_job job; /* first */
    uv_timer_t timer;
    struct pool *readers;
    struct catalog_holder *holder;
    struct backlog *backlog; /* owned */
    bool has_news;           /* for it */
    bool is_stopped;
};

static void set(const char *destination,
                const char *state,
                const char *name,
                const char *help,
                int64_t value)
{
    char labels[128];

    if (state == NULL) {
        (void)snprintf(labels, sizeof(labels), "destination=\"%s\"",
                       destination);
    } else {
        (void)snprintf(labels, sizeof(labels),
                       "destination=\"%s\",state=\"%s\"", destination, state);
    }
    lb_metrics_set(lb_metrics_get(LB_METRIC_GAUGE, name, help, labels), value);
}

static struct lb_metric *left_out(const char *destination)
{
    char labels[128];

    (void)snprintf(labels, sizeof(labels), "destination=\"%s\"", destination);
    return lb_metrics_get(LB_METRIC_COUNTER, "linkbell_outbox_left_out_total",
                          "Alerts not queued because max_waiting were.",
                          labels);
}

static void run(struct pool_job *job, struct db *db)
{
    struct deliver_gauges *gauges = (struct deliver_gauges *)job;
    struct catalog *catalog = catalog_current(gauges->holder);
    size_t count = catalog_object_count(catalog, CATALOG_DESTINATION);
    int64_t now_ms = lb_clock_wall_ms();
    struct outbox_backlog news;
    struct lb_error err;

    if (outbox_backlog_news(db, now_ms, &news, &gauges->has_news, &err) !=
        LB_OK) {
        gauges->has_news = false; /* the next time */
    }
    for (size_t i = 0; i < count; i++) {
        const char *id = catalog_object_at(catalog, CATALOG_DESTINATION, i)->id;
        struct outbox_depth depth;

        if (outbox_read_depth(db, id, &depth, &err) != LB_OK) {
            break; /* the next time */
        }
        set(id, "waiting", "linkbell_outbox_depth",
            "Messages that wait or are held.", depth.waiting);
        set(id, "held", "linkbell_outbox_depth",
            "Messages that wait or are held.", depth.held);
        set(id, NULL, "linkbell_outbox_oldest_seconds",
            "Age of the oldest message that waits.",
            depth.oldest_at_ms == 0
                ? 0
                : (now_ms - depth.oldest_at_ms) / LB_MS_PER_S);
        lb_metrics_set(left_out(id), depth.left_out);
    }
    catalog_unref(catalog);
}

static void on_timer(uv_timer_t *timer)
{
    struct deliver_gauges *gauges = timer->data;

    pool_submit(gauges->readers, &gauges->job);
}

static void
done(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct deliver_gauges *gauges = (struct deliver_gauges *)job;

    (void)rc;
    (void)err;
    if (!gauges->is_stopped) {
        if (gauges->has_news) {
            backlog_tell(gauges->backlog);
        }
        (void)uv_timer_start(&gauges->timer, on_timer, EVERY_MS, 0);
    }
}

enum lb_err deliver_gauges_new(uv_loop_t *loop,
                               const struct deliver_parts *parts,
                               struct deliver_gauges **gauges_out,
                               struct lb_error *err)
{
    struct deliver_gauges *gauges = calloc(1, sizeof(*gauges));

    *gauges_out = gauges;
    if (gauges == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    gauges->readers = parts->readers;
    gauges->holder = parts->holder;
    gauges->job.run = run;
    gauges->job.done = done;
    if (backlog_new(parts->writer, parts->cursor, &gauges->backlog, err) !=
        LB_OK) {
        return LB_ENOMEM;
    }
    (void)uv_timer_init(loop, &gauges->timer);
    gauges->timer.data = gauges;
    (void)uv_timer_start(&gauges->timer, on_timer, FIRST_MS, 0);
    return LB_OK;
}

void deliver_gauges_stop(struct deliver_gauges *gauges)
{
    gauges->is_stopped = true;
    uv_close((uv_handle_t *)&gauges->timer, NULL);
}

void deliver_gauges_free(struct deliver_gauges *gauges)
{
    backlog_free(gauges->backlog);
    free(gauges);
}
