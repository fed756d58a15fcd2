/* deliver.c - sends what waits in the outbox. */
#include "alerts/deliver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/alert_links.h"
#include "alerts/deliver_curl.h"
#include "alerts/deliver_gauges.h"
#include "alerts/deliver_notice.h"
#include "alerts/deliver_read.h"
#include "alerts/deliver_sweep.h"
#include "alerts/deliver_thread.h"
#include "alerts/dial.h"
#include "alerts/lanes.h"
#include "alerts/merge.h"
#include "alerts/outbox_store.h"
#include "alerts/streams.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"

#define READ_EACH 64 /* deliveries of one destination, read at once */
#define DRAIN_LOOK_MS 10
#define DRAIN_MOST_MS 10000
#define LOOK_AGAIN_MS 1000 /* when messages wait for a free place */
#define UNREADY_MS 30000   /* a destination that can't be used is tried again */

struct deliver {
    uv_async_t async;
    uv_timer_t timer;
    struct writer *writer;
    struct pool *readers;
    struct catalog_holder *holder;
    struct cursor *cursor;
    struct deliver_curl *curl;         /* owned */
    struct deliver_thread *threads;    /* owned */
    struct transform_workers *workers; /* owned */
    struct dials *dials;               /* owned */
    struct deliver_sweep *sweep;       /* owned */
    struct deliver_gauges *gauges;     /* owned */
    struct alert_links links;
    struct streams *streams;  /* owned */
    struct attempt *attempts; /* owned; under way */
    size_t attempt_count;
    struct lanes *lanes; /* owned */
    struct attempt_means means;
    size_t in_flight_max;
    double jitter;
    int64_t disable_after_ms;
    bool is_reading;
    bool is_asked_again; /* woken while reading */
    bool is_stopping;
    /* Of the end: */
    int64_t drain_until_ms; /* mono */
    void (*drained)(void *ctx);
    void *drained_ctx;
};

/* An attempt that somebody waits for. */
struct trial {
    struct deliver *deliver;
    deliver_fn done;
    void *ctx;
};

static void start_reading(struct deliver *deliver);

static void remove_attempt(struct deliver *deliver, struct attempt *attempt)
{
    struct attempt **at = &deliver->attempts;

    while (*at != NULL && *at != attempt) {
        at = &(*at)->next;
    }
    if (*at == attempt) {
        *at = attempt->next;
        deliver->attempt_count--;
    }
    attempt_free(attempt);
}

/* What could not be recorded: meanwhile it may be possible. */
static void record_again(struct deliver *deliver)
{
    for (struct attempt *attempt = deliver->attempts; attempt != NULL;
         attempt = attempt->next) {
        if (attempt->is_unrecorded) {
            attempt->is_unrecorded =
                writer_submit(deliver->writer, &attempt->job) != LB_OK;
        }
    }
}

static void on_timer(uv_timer_t *timer)
{
    record_again(timer->data);
    start_reading(timer->data);
}

static void look_after(struct deliver *deliver, int64_t ms)
{
    if (!deliver->is_stopping) {
        (void)uv_timer_start(&deliver->timer, on_timer,
                             (uint64_t)(ms < 1 ? 1 : ms), 0);
    }
}

/* --- recording
 * --------------------------------------------------------------------- */

static enum lb_err
run_record(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct attempt *attempt = (struct attempt *)job;
    struct deliver *deliver = attempt->owner;

    enum lb_err rc =
        attempt_record(attempt, db, deliver->disable_after_ms, err);

    return rc == LB_OK ? deliver_notice_put(attempt, deliver->cursor, db, err)
                       : rc;
}

static void
done_record(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct attempt *attempt = (struct attempt *)job;
    struct deliver *deliver = attempt->owner;

    if (rc != LB_OK) {
        lb_log_limited(LB_LOG_ERROR, "delivery_record_failed", "text=\"%s\"",
                       err->text);
        attempt->is_unrecorded = !deliver->is_stopping;
    } else {
        lanes_note(attempt->lane, attempt->change, attempt->is_failing,
                   attempt->fingerprint);
    }
    if (attempt->is_unrecorded) {
        look_after(deliver, LOOK_AGAIN_MS);
        return;
    }
    if (attempt_is_batch(attempt) && !deliver->is_stopping) {
        streams_look(deliver->streams, attempt->delivery.destination);
    }
    remove_attempt(deliver, attempt);
    start_reading(deliver);
}

static enum lb_err
run_skip(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct attempt *attempt = (struct attempt *)job;

    return outbox_skip(db, attempt->delivery.id, attempt->reason,
                       lb_clock_wall_ms(), err);
}

static void skip(struct attempt *attempt, const char *reason)
{
    struct deliver *deliver = attempt->owner;

    attempt->lane->in_flight--;
    attempt->reason = reason;
    attempt->job.run = run_skip;
    attempt->job.done = done_record;
    if (writer_submit(deliver->writer, &attempt->job) != LB_OK) {
        remove_attempt(deliver, attempt);
    }
}

static void end_in_lane(struct attempt *attempt, int64_t now_ms)
{
    struct deliver *deliver = attempt->owner;
    const struct lane_rules rules =
        lanes_rules_of(deliver->lanes, &attempt->destination);
    const struct lane_end end = {
        attempt->verdict.outcome,  attempt->has_answered,
        attempt_is_batch(attempt), attempt->delivery.message,
        attempt->record.error,     attempt->verdict.wait_ms,
        attempt->is_probe,         lb_secret_share()};

    attempt->change = lane_finish(attempt->lane, &rules, &end, now_ms);
}

static void on_sent(struct attempt *attempt)
{
    struct deliver *deliver = attempt->owner;
    int64_t now_ms = lb_clock_wall_ms();

    if (attempt->skipped != NULL) {
        skip(attempt, attempt->skipped);
        return;
    }
    end_in_lane(attempt, now_ms);
    attempt_decide(attempt, now_ms, deliver->jitter, lb_secret_share());
    deliver_notice_choose(attempt, now_ms);
    attempt_count(attempt);
    attempt->job.run = run_record;
    attempt->job.done = done_record;
    if (writer_submit(deliver->writer, &attempt->job) != LB_OK) {
        remove_attempt(deliver, attempt); /* the next start finds it */
    }
}

/* --- claiming
 * --------------------------------------------------------------------- */

static enum lb_err
run_claim(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct attempt *attempt = (struct attempt *)job;
    const struct merge_wish wish = {attempt->destination.type->merges_over,
                                    attempt->destination.digest_ms};
    bool may_send = true;
    enum lb_err rc = LB_OK;

    attempt->is_claimed = false;
    if (reshape_program(&attempt->destination) == NULL) { /* is for each */
        rc = merge_before(db, &attempt->delivery, &wish, lb_clock_wall_ms(),
                          &may_send, err);
    }
    return rc != LB_OK || !may_send
               ? rc
               : outbox_set_sending(db, &attempt->delivery,
                                    &attempt->is_claimed, err);
}

static void
done_claim(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct attempt *attempt = (struct attempt *)job;
    struct deliver *deliver = attempt->owner;
    const char *reason;

    if (rc != LB_OK || deliver->is_stopping) {
        lb_log_limited(LB_LOG_WARN, "delivery_claim_failed", "text=\"%s\"",
                       err->text);
        attempt->lane->in_flight--;
        look_after(deliver, LOOK_AGAIN_MS);
        remove_attempt(deliver, attempt);
    } else if (!attempt->is_claimed) {
        /* It was read before an earlier attempt's end was recorded, or is part
         * of a digest now. */
        attempt->lane->in_flight--;
        remove_attempt(deliver, attempt);
        start_reading(deliver);
    } else if ((reason = attempt_skips(attempt)) != NULL) {
        skip(attempt, reason);
    } else {
        attempt_send(attempt, &deliver->means, on_sent);
    }
}

static bool is_under_way(const struct deliver *deliver, const char *id)
{
    for (const struct attempt *attempt = deliver->attempts; attempt != NULL;
         attempt = attempt->next) {
        if (strcmp(attempt->delivery.id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* An attempt with its destination, in the list; the row's body goes over. NULL:
 * err says why the destination can't be used. */
static struct attempt *make_attempt(struct deliver *deliver,
                                    struct outbox_delivery *row,
                                    struct lb_error *err)
{
    struct catalog *catalog = catalog_current(deliver->holder);
    const struct catalog_object *object =
        catalog_object_find(catalog, CATALOG_DESTINATION, row->destination);
    struct attempt *attempt = calloc(1, sizeof(*attempt));
    enum lb_err rc = LB_OK;

    if (attempt == NULL) {
        (void)lb_err_set(err, LB_ENOMEM, "out of memory");
    } else if (object == NULL) {
        rc = lb_err_set(err, LB_ENOTFOUND, "it is not configured");
    } else {
        rc = destination_read(object->body, &attempt->destination, err);
    }
    if (attempt == NULL || rc != LB_OK) {
        free(attempt);
        catalog_unref(catalog);
        return NULL;
    }
    destination_fingerprint(&attempt->destination, attempt->fingerprint);
    notice_init(&attempt->notice);
    attempt->owner = deliver;
    attempt->job.is_small = true;
    attempt->catalog = catalog;
    attempt->delivery = *row;
    row->body = NULL;
    attempt->next = deliver->attempts;
    deliver->attempts = attempt;
    deliver->attempt_count++;
    return attempt;
}

/* Claims a delivery, if its lane lets it. */
static void start_attempt(struct deliver *deliver,
                          struct lane *lane,
                          struct outbox_delivery *row,
                          int64_t now_ms)
{
    struct lb_error err = {LB_OK, ""};
    struct attempt *attempt = make_attempt(deliver, row, &err);
    struct lane_rules rules;

    if (attempt == NULL) {
        lb_log_limited(LB_LOG_WARN, "destination_unusable",
                       "destination=%s text=\"%s\"", lane->id, err.text);
        lane->hold_until_ms = now_ms + UNREADY_MS;
        return;
    }
    rules = lanes_rules_of(deliver->lanes, &attempt->destination);
    attempt->lane = lane;
    attempt->is_probe = lane_is_probing(lane);
    lane_start(lane, &rules, now_ms);
    attempt->job.run = run_claim;
    attempt->job.done = done_claim;
    if (writer_submit(deliver->writer, &attempt->job) != LB_OK) {
        lane->in_flight--;
        remove_attempt(deliver, attempt);
        look_after(deliver, LOOK_AGAIN_MS);
    }
}

/* --- what is due
 * --------------------------------------------------------------------- */

/* Starts what may start; what may not comes again when it is due. */
static void start_rows(struct deliver *deliver, struct deliver_read *read)
{
    struct catalog *catalog = catalog_current(deliver->holder);
    int64_t now_ms = lb_clock_wall_ms();

    for (size_t i = 0; i < read->count; i++) {
        struct outbox_delivery *row = &read->rows[i];
        struct lane *lane = lanes_get(deliver->lanes, row->destination);
        struct lane_rules rules;
        bool is_ordered;

        if (deliver->attempt_count < deliver->in_flight_max && lane != NULL &&
            !is_under_way(deliver, row->id) &&
            lanes_read_rules(deliver->lanes, catalog, row->destination, &rules,
                             &is_ordered) &&
            lane_may_start(lane, &rules, now_ms)) {
            start_attempt(deliver, lane, row, now_ms);
        }
        free(row->body);
        row->body = NULL;
    }
    catalog_unref(catalog);
}

/* When to look again, at the latest, at lanes that could not start anything at
 * that time; INT64_MAX: when something wakes us. */
static int64_t next_look(struct deliver *deliver, int64_t chosen_at_ms)
{
    struct catalog *catalog = catalog_current(deliver->holder);
    int64_t least_ms = INT64_MAX;

    for (struct lane *lane = lanes_first(deliver->lanes); lane != NULL;
         lane = lane->next) {
        struct lane_rules rules;
        bool is_ordered;
        int64_t at_ms;

        if (!lanes_read_rules(deliver->lanes, catalog, lane->id, &rules,
                              &is_ordered)) {
            continue;
        }
        at_ms = lane_next_ms(lane, &rules);
        if (at_ms > chosen_at_ms && at_ms < least_ms) {
            least_ms = at_ms;
        }
    }
    catalog_unref(catalog);
    return least_ms;
}

static void
done_read(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct deliver_read *read = (struct deliver_read *)job;
    struct deliver *deliver = read->owner;
    int64_t now_ms = lb_clock_wall_ms();
    int64_t at_ms = read->next_due_at_ms;
    bool is_well = rc == LB_OK && read->rc == LB_OK;

    (void)err;
    deliver->is_reading = false;
    if (is_well && !deliver->is_stopping) {
        start_rows(deliver, read);
    }
    if (!is_well) {
        look_after(deliver, LOOK_AGAIN_MS);
    } else if (deliver->is_asked_again) {
        start_reading(deliver);
    } else {
        int64_t lane_at_ms = next_look(deliver, read->chosen_at_ms);

        at_ms = lane_at_ms < at_ms ? lane_at_ms : at_ms;
        if (at_ms != INT64_MAX) {
            look_after(deliver, at_ms - now_ms);
        }
    }
    deliver_read_free(read);
}

/* The destinations of which something may start now. */
static void choose_lanes(struct deliver *deliver, struct deliver_read *read)
{
    struct catalog *catalog = catalog_current(deliver->holder);
    size_t count = catalog_object_count(catalog, CATALOG_DESTINATION);
    int64_t now_ms = lb_clock_wall_ms();

    read->chosen_at_ms = now_ms;
    lanes_follow(deliver->lanes, catalog);
    read->items = calloc(count + 1, sizeof(*read->items));
    for (size_t i = 0; i < count && read->items != NULL; i++) {
        const struct catalog_object *object =
            catalog_object_at(catalog, CATALOG_DESTINATION, i);
        struct lane *lane = lanes_get(deliver->lanes, object->id);
        struct lane_rules rules;
        struct deliver_read_item item = {.lane = lane};

        if (lane == NULL ||
            !lanes_read_rules(deliver->lanes, catalog, object->id, &rules,
                              &item.is_ordered) ||
            !lane_may_start(lane, &rules, now_ms)) {
            continue;
        }
        /* Those under way may still read as waiting. */
        item.max = (size_t)rules.concurrency + (size_t)lane->in_flight;
        item.max = item.max < READ_EACH ? item.max : READ_EACH;
        read->items[read->item_count++] = item;
    }
    catalog_unref(catalog);
}

static void start_reading(struct deliver *deliver)
{
    struct deliver_read *read;

    if (deliver->is_stopping || deliver->is_reading) {
        deliver->is_asked_again = true;
        return;
    }
    read = calloc(1, sizeof(*read));
    if (read == NULL) {
        look_after(deliver, LOOK_AGAIN_MS);
        return;
    }
    deliver->is_reading = true;
    deliver->is_asked_again = false;
    read->owner = deliver;
    read->next_due_at_ms = INT64_MAX;
    choose_lanes(deliver, read);
    read->job.run = deliver_read_run;
    read->job.done = done_read;
    pool_submit(deliver->readers, &read->job);
}

static void on_async(uv_async_t *async)
{
    start_reading(async->data);
}

void deliver_wake(void *ctx)
{
    struct deliver *deliver = ctx;

    (void)uv_async_send(&deliver->async);
}

/* --- one that somebody waits for
 * ------------------------------------------------------------------------ */

static void
done_trial(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct attempt *attempt = (struct attempt *)job;
    struct trial *trial = attempt->trial;

    (void)rc;
    (void)err;
    trial->done(trial->ctx, attempt);
    remove_attempt(trial->deliver, attempt);
    free(trial);
}

/* A trial is not repeated, and changes nothing for others. */
static void on_tried(struct attempt *attempt)
{
    struct deliver *deliver = attempt->owner;
    bool is_success = attempt->verdict.outcome == DESTINATION_SUCCESS;

    attempt->record.attempts = 1;
    attempt->state = is_success ? "delivered" : "dead";
    attempt->reason = is_success ? NULL : "test_failed";
    attempt->due_at_ms = lb_clock_wall_ms();
    attempt_count(attempt);
    attempt->job.run = run_record;
    attempt->job.done = done_trial;
    if (writer_submit(deliver->writer, &attempt->job) != LB_OK) {
        done_trial(&attempt->job, LB_ELIMIT, NULL);
    }
}

enum lb_err deliver_try(struct deliver *deliver,
                        struct outbox_delivery *delivery,
                        deliver_fn done,
                        void *ctx,
                        struct lb_error *err)
{
    struct trial *trial = calloc(1, sizeof(*trial));
    struct attempt *attempt;

    if (trial == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    attempt = make_attempt(deliver, delivery, err);
    if (attempt == NULL) {
        free(trial);
        return err->code;
    }
    *trial = (struct trial){deliver, done, ctx};
    attempt->trial = trial;
    attempt_send(attempt, &deliver->means, on_tried);
    return LB_OK;
}

/* --- its life
 * ------------------------------------------------------------------------ */

static void read_config(struct deliver *deliver, const struct lb_config *config)
{
    deliver->in_flight_max = (size_t)config->max_in_flight;
    deliver->disable_after_ms = config->disable_after_ms;
    deliver->jitter = config->jitter;
    deliver->means.is_case_kept = strcmp(config->utm_case, "keep") == 0;
    streams_set_config(deliver->streams, config);
    lanes_set_config(deliver->lanes, config);
}

void deliver_set_config(struct deliver *deliver, const struct lb_config *config)
{
    read_config(deliver, config);
    deliver_sweep_set_config(deliver->sweep, config);
    transform_workers_set_config(deliver->workers, config);
    start_reading(deliver);
}

void deliver_write_states(void *ctx, struct lb_buf *out)
{
    struct deliver *deliver = ctx;
    struct catalog *catalog = catalog_current(deliver->holder);

    lanes_write_states(deliver->lanes, catalog, out);
    catalog_unref(catalog);
}

void deliver_set_state(struct deliver *deliver,
                       const char *destination,
                       enum lane_state state,
                       const char *reason)
{
    lanes_set_state(deliver->lanes, destination, state, reason);
    start_reading(deliver);
}

enum lb_err deliver_new(uv_loop_t *loop,
                        const struct deliver_parts *parts,
                        const struct lb_config *config,
                        struct deliver **deliver_out,
                        struct lb_error *err)
{
    struct deliver *deliver = calloc(1, sizeof(*deliver));
    struct db *db = writer_db(parts->writer);
    enum lb_err rc;

    *deliver_out = NULL;
    if (deliver == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    deliver->writer = parts->writer;
    deliver->readers = parts->readers;
    deliver->holder = parts->holder;
    deliver->cursor = parts->cursor;
    rc = lanes_new(parts->writer, deliver_wake, deliver, &deliver->lanes, err);
    rc = rc == LB_OK ? outbox_reset_sending(db, err) : rc;
    rc = rc == LB_OK ? alert_links_init(db, config, &deliver->links, err) : rc;
    rc = rc == LB_OK ? deliver_sweep_new(loop, parts->writer, parts->holder,
                                         config, &deliver->sweep, err)
                     : rc;
    rc = rc == LB_OK ? deliver_gauges_new(loop, parts, &deliver->gauges, err)
                     : rc;
    rc = rc == LB_OK ? streams_new(loop,
                                   &(struct streams_parts){
                                       parts->writer, parts->readers,
                                       parts->holder, deliver_wake, deliver},
                                   &deliver->streams, err)
                     : rc;
    rc = rc == LB_OK ? deliver_thread_new(loop, &deliver->threads, err) : rc;
    rc = rc == LB_OK ? dials_new(config, &deliver->dials, err) : rc;
    rc = rc == LB_OK ? transform_workers_new(config, &deliver->workers, err)
                     : rc;
    rc = rc == LB_OK ? deliver_curl_new(loop, config, &deliver->curl, err) : rc;
    if (rc != LB_OK) {
        lanes_free(deliver->lanes);
        free(deliver);
        return rc;
    }
    deliver->means = (struct attempt_means){
        deliver->curl,    deliver->threads, parts->writer,   deliver->dials,
        deliver->workers, parts->readers,   &deliver->links, false};
    read_config(deliver, config);
    (void)uv_async_init(loop, &deliver->async, on_async);
    (void)uv_timer_init(loop, &deliver->timer);
    deliver->async.data = deliver;
    deliver->timer.data = deliver;
    look_after(deliver, 1);
    *deliver_out = deliver;
    return LB_OK;
}

static void on_drain(uv_timer_t *timer)
{
    struct deliver *deliver = timer->data;

    if (deliver->attempt_count == 0 ||
        lb_clock_mono_ms() >= deliver->drain_until_ms) {
        (void)uv_timer_stop(timer);
        deliver->drained(deliver->drained_ctx);
    }
}

void deliver_drain(struct deliver *deliver,
                   int64_t timeout_ms,
                   void (*done)(void *ctx),
                   void *ctx)
{
    if (deliver == NULL) {
        done(ctx);
        return;
    }
    deliver->is_stopping = true;
    deliver->drain_until_ms =
        lb_clock_mono_ms() +
        (timeout_ms < DRAIN_MOST_MS ? timeout_ms : DRAIN_MOST_MS);
    deliver->drained = done;
    deliver->drained_ctx = ctx;
    (void)uv_timer_start(&deliver->timer, on_drain, 0, DRAIN_LOOK_MS);
}

void deliver_stop(struct deliver *deliver)
{
    if (deliver == NULL) {
        return;
    }
    deliver->is_stopping = true;
    deliver_curl_stop(deliver->curl);
    deliver_sweep_stop(deliver->sweep);
    deliver_gauges_stop(deliver->gauges);
    streams_stop(deliver->streams);
    deliver_thread_stop(deliver->threads);
    uv_close((uv_handle_t *)&deliver->async, NULL);
    uv_close((uv_handle_t *)&deliver->timer, NULL);
}

void deliver_free(struct deliver *deliver)
{
    struct attempt *attempt;

    if (deliver == NULL) {
        return;
    }
    while ((attempt = deliver->attempts) != NULL) {
        deliver->attempts = attempt->next;
        free(attempt->trial);
        attempt_free(attempt);
    }
    lanes_free(deliver->lanes);
    deliver_curl_free(deliver->curl);
    deliver_thread_free(deliver->threads);
    dials_free(deliver->dials);
    transform_workers_free(deliver->workers);
    deliver_sweep_free(deliver->sweep);
    deliver_gauges_free(deliver->gauges);
    streams_free(deliver->streams);
    free(deliver);
}
