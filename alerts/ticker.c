/* ticker.c - the entries that tell of time. */
#include "alerts/ticker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define LOOK_MS 1000    /* how often it is looked whether something is due */
#define FORGET_ROWS 500 /* at once */
#define POKE_MS 5000    /* rules that have not learnt are reminded of */

enum job_state { JOB_NONE, JOB_UNDER_WAY, JOB_DONE, JOB_FAILED };

struct ticker {
    struct writer *writer;
    struct cursor *cursor;
    struct engine *engine;
    struct learn *learn;
    /* The writer thread's: */
    int64_t tick_due_at_ms; /* monotonic; 0: nobody waits */
    int64_t poke_due_at_ms;
    bool is_tick; /* the job under way is to append one */
    bool is_poke; /* it is to remind */
    struct entry tick;
    struct entry back;
    char back_data[48];
    bool is_back_told; /* and not decided yet */
    /* For both threads: */
    atomic_int state; /* enum job_state, of job */
    struct writer_job job;
    struct writer_job start;
    struct entry start_entry;
    char start_data[48];
    void (*started)(void *ctx, enum lb_err rc, const struct lb_error *err);
    void *started_ctx;
};

static void set_entry(struct entry *entry, enum entry_kind kind)
{
    memset(entry, 0, sizeof(*entry));
    entry->kind = kind;
    entry->received_at_ms = lb_clock_wall_ms();
    entry->ts_at_ms = entry->received_at_ms;
}

/* --- ticks and reminders
 * ------------------------------------------------------------------------ */

static enum lb_err
run_job(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct ticker *ticker =
        (struct ticker *)(void *)((char *)job - offsetof(struct ticker, job));

    if (!ticker->is_tick || !engine_is_waiting(ticker->engine)) {
        return LB_OK;
    }
    set_entry(&ticker->tick, ENTRY_TICK);
    return cursor_append(ticker->cursor, db, &ticker->tick, err);
}

static void
done_job(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct ticker *ticker =
        (struct ticker *)(void *)((char *)job - offsetof(struct ticker, job));
    bool is_poke = ticker->is_poke; /* the writer's again from here on */

    if (rc != LB_OK) {
        lb_log_limited(LB_LOG_WARN, "tick_failed", "text=\"%s\"", err->text);
    }
    atomic_store(&ticker->state, (int)(rc == LB_OK ? JOB_DONE : JOB_FAILED));
    if (is_poke) {
        learn_poke(ticker->learn);
    }
}

/* When the next tick is due, as far as anybody waits for one. */
static void plan_tick(struct ticker *ticker, int64_t now_ms, int state)
{
    if (!engine_is_waiting(ticker->engine)) {
        ticker->tick_due_at_ms = 0;
    } else if (ticker->tick_due_at_ms == 0) {
        ticker->tick_due_at_ms = now_ms + LB_MS_PER_MIN;
    } else if (state == (int)JOB_DONE && ticker->is_tick) {
        ticker->tick_due_at_ms += LB_MS_PER_MIN;
        if (ticker->tick_due_at_ms <= now_ms) {
            ticker->tick_due_at_ms = now_ms + LB_MS_PER_MIN;
        }
    }
}

/* What rules knew that are no longer there goes bit by bit, and so do the
 * visitors of windows that are long over. */
static bool forget(void *ctx, struct db *db)
{
    struct ticker *ticker = ctx;
    bool has_more = false;
    struct lb_error err;
    enum lb_err rc = alert_store_expire_seen(db, engine_now_ms(ticker->engine),
                                             FORGET_ROWS, &has_more, &err);

    if (rc == LB_OK && !has_more) {
        rc = alert_store_forget(db, FORGET_ROWS, &has_more, &err);
    }
    if (rc != LB_OK) {
        lb_log_limited(LB_LOG_WARN, "rules_forget", "text=\"%s\"", err.text);
        return false;
    }
    return has_more;
}

static bool look(void *ctx, struct db *db)
{
    struct ticker *ticker = ctx;
    int64_t now_ms = lb_clock_mono_ms();
    int state = atomic_load(&ticker->state);

    (void)db;
    if (state == (int)JOB_UNDER_WAY) {
        return false;
    }
    plan_tick(ticker, now_ms, state);
    ticker->is_tick =
        ticker->tick_due_at_ms != 0 && now_ms >= ticker->tick_due_at_ms;
    ticker->is_poke =
        engine_has_unready(ticker->engine) && now_ms >= ticker->poke_due_at_ms;
    atomic_store(&ticker->state, (int)JOB_NONE);
    if (ticker->is_tick || ticker->is_poke) {
        ticker->poke_due_at_ms = now_ms + POKE_MS;
        atomic_store(&ticker->state, (int)JOB_UNDER_WAY);
        if (writer_submit(ticker->writer, &ticker->job) != LB_OK) {
            atomic_store(&ticker->state, (int)JOB_FAILED);
        }
    }
    return false;
}

/* --- a clock that was set back
 * ------------------------------------------------------------------------ */

/* At the beginning of each transaction, before what it appends. */
static enum lb_err begin(void *ctx, struct db *db, struct lb_error *err)
{
    struct ticker *ticker = ctx;
    int64_t now_ms = engine_now_ms(ticker->engine);
    bool is_back = lb_clock_wall_ms() < now_ms - TICKER_BACK_MS;

    if (!is_back) {
        ticker->is_back_told = false;
        return LB_OK;
    }
    if (ticker->is_back_told) {
        return LB_OK;
    }
    ticker->is_back_told = true;
    set_entry(&ticker->back, ENTRY_CLOCK_BACK);
    (void)snprintf(ticker->back_data, sizeof(ticker->back_data),
                   "{\"from\":%lld}", (long long)now_ms);
    ticker->back.data = ticker->back_data;
    lb_log_limited(LB_LOG_WARN, "clock_back",
                   "text=\"the clock was set back; rules go on from there\"");
    return cursor_append(ticker->cursor, db, &ticker->back, err);
}

static void rolled_back(void *ctx)
{
    struct ticker *ticker = ctx;

    ticker->is_back_told = false;
}

/* --- the start
 * ------------------------------------------------------------------------ */

static enum lb_err
run_start(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct ticker *ticker =
        (struct ticker *)(void *)((char *)job - offsetof(struct ticker, start));
    int64_t now_ms = engine_now_ms(ticker->engine);

    set_entry(&ticker->start_entry, ENTRY_START);
    if (now_ms > 0 && now_ms < ticker->start_entry.received_at_ms) {
        (void)snprintf(ticker->start_data, sizeof(ticker->start_data),
                       "{\"down_from\":%lld}", (long long)now_ms);
        ticker->start_entry.data = ticker->start_data;
    }
    return cursor_append(ticker->cursor, db, &ticker->start_entry, err);
}

static void
done_start(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct ticker *ticker =
        (struct ticker *)(void *)((char *)job - offsetof(struct ticker, start));

    ticker->started(ticker->started_ctx, rc, err);
}

void ticker_start(struct ticker *ticker,
                  void (*done)(void *ctx,
                               enum lb_err rc,
                               const struct lb_error *err),
                  void *ctx)
{
    struct lb_error err;

    ticker->started = done;
    ticker->started_ctx = ctx;
    ticker->start.run = run_start;
    ticker->start.done = done_start;
    if (writer_submit(ticker->writer, &ticker->start) != LB_OK) {
        (void)lb_err_set(&err, LB_ELIMIT, "too much waits to be stored");
        done(ctx, LB_ELIMIT, &err);
    }
}

enum lb_err ticker_new(struct writer *writer,
                       struct cursor *cursor,
                       struct engine *engine,
                       struct learn *learn,
                       struct ticker **ticker_out,
                       struct lb_error *err)
{
    struct ticker *ticker = calloc(1, sizeof(*ticker));
    struct writer_member member = {ticker, begin, NULL, NULL, rolled_back};

    *ticker_out = ticker;
    if (ticker == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    ticker->writer = writer;
    ticker->cursor = cursor;
    ticker->engine = engine;
    ticker->learn = learn;
    ticker->job.run = run_job;
    ticker->job.done = done_job;
    writer_add_member(writer, &member);
    writer_add_chore(writer, "rules", look, ticker, LOOK_MS);
    writer_add_chore(writer, "rules_forget", forget, ticker, LB_MS_PER_MIN);
    return LB_OK;
}

void ticker_free(struct ticker *ticker)
{
    free(ticker);
}
