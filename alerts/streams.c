/* streams.c - plans the batches of destinations that get events as a stream. */
#include "alerts/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/stream.h"
#include "alerts/stream_store.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#define LOOK_MS 100
#define FAILED_MS 5000 /* where one could not be read, until the next look */
#define NAME_BYTES 48
#define PLAN_BYTES ((size_t)64 * 1024)
#define SKIP_SEQS 100000 /* of no interest, until that is stored */

/* What is known of one stream; kept while it is configured. */
struct state {
    struct state *next;
    char id[NAME_BYTES];
    int64_t planned_seq; /* looked at up to here; -1: not known */
    int64_t next_look_ms;
    bool is_asked; /* to be looked at at once, by what is stored */
};

/* One stream that is being looked at. */
struct item {
    struct state *state;
    const cJSON *destination; /* borrowed from the round's catalog */
    struct stream_plan plan;
    int64_t known_seq; /* the state's planned_seq when the round began */
    int64_t stored_seq;
    enum lb_err rc;
};

struct streams {
    uv_timer_t timer;
    struct streams_parts parts;
    struct state *states; /* owned */
    bool is_case_kept;
    bool is_stopping;
    /* A round: */
    bool is_busy;
    struct pool_job look;
    struct writer_job put;
    struct catalog *catalog; /* owned reference */
    struct item *items;      /* owned */
    size_t item_count;
    int64_t now_ms;
    bool looks_kept; /* is_case_kept of the round */
    struct lb_error err;
};

static void end_round(struct streams *streams)
{
    for (size_t i = 0; i < streams->item_count; i++) {
        lb_buf_deinit(&streams->items[i].plan.body);
    }
    free(streams->items);
    catalog_unref(streams->catalog);
    streams->items = NULL;
    streams->item_count = 0;
    streams->catalog = NULL;
    streams->is_busy = false;
}

static struct state *find_state(struct streams *streams, const char *id)
{
    struct state *state = streams->states;

    while (state != NULL && strcmp(state->id, id) != 0) {
        state = state->next;
    }
    if (state == NULL && (state = calloc(1, sizeof(*state))) != NULL) {
        (void)snprintf(state->id, sizeof(state->id), "%s", id);
        state->planned_seq = -1;
        state->next = streams->states;
        streams->states = state;
    }
    return state;
}

/* --- putting
 * ------------------------------------------------------------------------ */

static bool is_to_be_put(const struct item *item)
{
    return item->rc == LB_OK &&
           (item->plan.has_batch || item->stored_seq < 0 ||
            item->plan.planned_seq - item->stored_seq >= SKIP_SEQS);
}

static enum lb_err
run_put(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct streams *streams =
        (struct streams *)(void *)((char *)job - offsetof(struct streams, put));
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < streams->item_count && rc == LB_OK; i++) {
        const struct item *item = &streams->items[i];
        const struct stream_store_batch batch = {
            item->plan.id, lb_buf_text(&item->plan.body), streams->now_ms};

        if (is_to_be_put(item)) {
            rc = stream_store_put(db, item->state->id, item->plan.planned_seq,
                                  item->plan.has_batch ? &batch : NULL, err);
        }
    }
    return rc;
}

static void
done_put(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct streams *streams =
        (struct streams *)(void *)((char *)job - offsetof(struct streams, put));
    bool has_batch = false;

    if (rc != LB_OK) {
        lb_log_limited(LB_LOG_WARN, "stream_not_planned", "text=\"%s\"",
                       err->text);
    }
    for (size_t i = 0; i < streams->item_count && rc == LB_OK; i++) {
        struct item *item = &streams->items[i];

        if (item->rc == LB_OK) {
            item->state->planned_seq = item->plan.planned_seq;
            has_batch = has_batch || item->plan.has_batch;
        }
    }
    end_round(streams);
    if (has_batch && !streams->is_stopping) {
        streams->parts.wake(streams->parts.ctx);
    }
}

/* --- looking
 * ------------------------------------------------------------------------ */

static enum lb_err look_at(struct streams *streams,
                           struct db *db,
                           struct item *item,
                           struct lb_error *err)
{
    struct stream_store_state stored;
    int64_t from_seq;
    enum lb_err rc = stream_store_get(db, item->state->id, &stored, err);

    if (rc != LB_OK) {
        return rc;
    }
    item->stored_seq = stored.planned_seq;
    item->plan.planned_seq = stored.planned_seq;
    item->plan.next_look_ms = streams->now_ms + LOOK_MS;
    if (stored.is_open) {
        item->plan.planned_seq = item->known_seq;
        return LB_OK;
    }
    from_seq = stored.planned_seq < 0 || stored.planned_seq > item->known_seq
                   ? stored.planned_seq
                   : item->known_seq;
    return stream_make_plan(
        &(struct stream_order){db, streams->parts.holder, item->destination,
                               streams->now_ms, streams->looks_kept},
        from_seq, &item->plan, err);
}

static void run_look(struct pool_job *job, struct db *db)
{
    struct streams *streams =
        (struct streams *)(void *)((char *)job -
                                   offsetof(struct streams, look));

    for (size_t i = 0; i < streams->item_count; i++) {
        struct item *item = &streams->items[i];

        item->rc = look_at(streams, db, item, &streams->err);
    }
}

static void
done_look(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct streams *streams =
        (struct streams *)(void *)((char *)job -
                                   offsetof(struct streams, look));
    bool is_any = false;

    for (size_t i = 0; i < streams->item_count; i++) {
        struct item *item = &streams->items[i];

        if (rc != LB_OK || item->rc != LB_OK) {
            item->rc = rc != LB_OK ? rc : item->rc;
            lb_log_limited(LB_LOG_WARN, "stream_not_planned",
                           "destination=%s text=\"%s\"", item->state->id,
                           rc != LB_OK ? err->text : streams->err.text);
            item->state->next_look_ms = streams->now_ms + FAILED_MS;
            continue;
        }
        item->state->next_look_ms = item->plan.next_look_ms;
        is_any = is_any || is_to_be_put(item);
        if (!is_to_be_put(item)) {
            item->state->planned_seq = item->plan.planned_seq;
        }
    }
    streams->put.run = run_put;
    streams->put.done = done_put;
    if (!is_any || streams->is_stopping ||
        writer_submit(streams->parts.writer, &streams->put) != LB_OK) {
        end_round(streams);
    }
}

static void
add_item(struct streams *streams, struct state *state, const cJSON *destination)
{
    struct item *item = &streams->items[streams->item_count++];

    if (state->is_asked) {
        state->planned_seq = -1; /* it may have gone back */
    }
    state->is_asked = false;
    item->state = state;
    item->known_seq = state->planned_seq;
    item->destination = destination;
    lb_buf_init(&item->plan.body, PLAN_BYTES);
}

/* The streams that are due. */
static void choose(struct streams *streams)
{
    size_t count = catalog_object_count(streams->catalog, CATALOG_DESTINATION);

    streams->items = calloc(count + 1, sizeof(*streams->items));
    for (size_t i = 0; i < count && streams->items != NULL; i++) {
        const struct catalog_object *object =
            catalog_object_at(streams->catalog, CATALOG_DESTINATION, i);
        struct state *state = stream_is_there(object->body)
                                  ? find_state(streams, object->id)
                                  : NULL;

        if (state != NULL &&
            (state->is_asked || state->next_look_ms <= streams->now_ms)) {
            add_item(streams, state, object->body);
        }
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct streams *streams = timer->data;

    if (streams->is_busy || streams->is_stopping) {
        return;
    }
    streams->is_busy = true;
    streams->catalog = catalog_current(streams->parts.holder);
    streams->now_ms = lb_clock_wall_ms();
    streams->looks_kept = streams->is_case_kept;
    choose(streams);
    if (streams->item_count == 0) {
        end_round(streams);
        return;
    }
    streams->look.run = run_look;
    streams->look.done = done_look;
    pool_submit(streams->parts.readers, &streams->look);
}

void streams_set_config(struct streams *streams, const struct lb_config *config)
{
    streams->is_case_kept = strcmp(config->utm_case, "keep") == 0;
}

void streams_look(struct streams *streams, const char *destination)
{
    struct state *state = find_state(streams, destination);

    if (state == NULL || streams->is_stopping) {
        return;
    }
    state->is_asked = true;
    if (!streams->is_busy) {
        (void)uv_timer_start(&streams->timer, on_timer, 0, LOOK_MS);
    }
}

/* --- its life
 * ------------------------------------------------------------------------ */

enum lb_err streams_new(uv_loop_t *loop,
                        const struct streams_parts *parts,
                        struct streams **streams_out,
                        struct lb_error *err)
{
    struct streams *streams = calloc(1, sizeof(*streams));

    *streams_out = streams;
    if (streams == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    streams->parts = *parts;
    (void)uv_timer_init(loop, &streams->timer);
    streams->timer.data = streams;
    (void)uv_timer_start(&streams->timer, on_timer, 0, LOOK_MS);
    return LB_OK;
}

void streams_stop(struct streams *streams)
{
    streams->is_stopping = true;
    uv_close((uv_handle_t *)&streams->timer, NULL);
}

void streams_free(struct streams *streams)
{
    if (streams == NULL) {
        return;
    }
    while (streams->states != NULL) {
        struct state *state = streams->states;

        streams->states = state->next;
        free(state);
    }
    end_round(streams);
    free(streams);
}
