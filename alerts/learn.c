/* learn.c - rules learn from the log. */
#include "alerts/learn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/replay.h"
#include "base/clock.h"
#include "base/log.h"

#define PIECE_MS 200     /* of one read transaction */
#define PIECE_SEEN 32768 /* values of one piece */
#define STORE_SEEN 1024  /* values of one transaction */
#define JOIN_ENTRIES                                                           \
    1000                 /* so near the end the writer reads the rest: 5 ms    \
                          */
#define JOIN_MOST 5000   /* but not more than that */
#define PATIENCE 1000000 /* log numbers that somebody waits for */
#define READY_BYTES 48

struct waiter {
    struct waiter *next;
    void (*done)(void *ctx);
    void *ctx;
};

/* An entry that says that a rule is ready. */
struct ready {
    struct entry entry;
    char data[READY_BYTES];
};

struct learn {
    struct writer *writer;
    struct cursor *cursor;
    struct pool *readers;
    struct engine *engine;
    struct waiter *waiters; /* owned */
    bool is_busy;
    bool is_asked_again;
    bool is_stopping;
    /* A round, from here: */
    struct writer_job look;
    struct pool_job read;
    struct writer_job store;
    struct writer_job join;
    struct engine_lessons lessons; /* owned */
    struct ruleset *set;           /* owned */
    size_t *rules; /* owned; those that learn, by place in set */
    size_t rule_count;
    struct groups *groups; /* owned */
    struct seen *seen;     /* owned */
    struct faces *faces;   /* owned */
    struct ready *ready;   /* owned; one for each rule */
    int64_t now_ms;
    int64_t after_seq; /* learnt up to here */
    int64_t last_seq;  /* of the log, when it was looked at last */
    int64_t known_seq; /* the same, for the loop thread */
    int64_t read_seq;  /* by the join under way */
    bool is_digested;  /* what was read; nothing joins in before */
    size_t stored;     /* of seen */
    bool is_joined;
    enum lb_err rc;
    struct lb_error err;
};

static void look(struct learn *learn);
static void step(struct learn *learn);

static void release(struct learn *learn)
{
    while (learn->waiters != NULL) {
        struct waiter *waiter = learn->waiters;

        learn->waiters = waiter->next;
        waiter->done(waiter->ctx);
        free(waiter);
    }
}

static void free_round(struct learn *learn)
{
    catalog_unref(learn->lessons.catalog);
    free(learn->lessons.rules);
    memset(&learn->lessons, 0, sizeof(learn->lessons));
    ruleset_free(learn->set);
    groups_free(learn->groups);
    seen_free(learn->seen);
    faces_free(learn->faces);
    free(learn->rules);
    free(learn->ready);
    learn->set = NULL;
    learn->groups = NULL;
    learn->seen = NULL;
    learn->faces = NULL;
    learn->rules = NULL;
    learn->ready = NULL;
    learn->rule_count = 0;
}

/* err NULL: it went well.  What failed is tried again by a poke. */
static void end_round(struct learn *learn, const struct lb_error *err)
{
    if (err != NULL && !learn->is_stopping) {
        lb_log_limited(
            LB_LOG_WARN, "rules_learn",
            "text=\"%s\" hint=\"rules that are not ready are silent; "
            "it is tried again\"",
            err->text);
    }
    free_round(learn);
    learn->is_busy = false;
    if (learn->is_asked_again && err == NULL && !learn->is_stopping) {
        look(learn);
        return;
    }
    learn->is_asked_again = false;
    release(learn);
}

static struct learn *learn_of(struct writer_job *job, size_t offset)
{
    return (struct learn *)(void *)((char *)job - offset);
}

/* --- joining in
 * ------------------------------------------------------------------------ */

static enum lb_err
read_rest(struct learn *learn, struct db *db, struct lb_error *err)
{
    struct replay replay = {learn->set,    learn->rules, learn->rule_count,
                            learn->groups, learn->seen,  &learn->lessons.gaps,
                            learn->now_ms, true,         learn->faces};
    int64_t next_seq = 1;
    enum lb_err rc = db_meta_get(db, "next_seq", 1, &next_seq, err);
    struct replay_piece piece = {learn->after_seq, next_seq - 1, JOIN_MOST, 0};

    rc = rc == LB_OK ? replay_read(&replay, db, &piece, err) : rc;
    rc = rc == LB_OK ? alert_store_save_seen(db, seen_rows(learn->seen),
                                             seen_count(learn->seen), true, err)
                     : rc;
    learn->last_seq = next_seq - 1;
    learn->read_seq = piece.after_seq;
    learn->is_joined = rc == LB_OK && piece.after_seq == next_seq - 1;
    return rc;
}

static enum lb_err append_ready(struct learn *learn,
                                struct db *db,
                                struct ready *ready,
                                int64_t rule,
                                struct lb_error *err)
{
    memset(&ready->entry, 0, sizeof(ready->entry));
    (void)snprintf(ready->data, sizeof(ready->data), "{\"rule\":%lld}",
                   (long long)rule);
    ready->entry.kind = ENTRY_RULE_READY;
    ready->entry.received_at_ms = lb_clock_wall_ms();
    ready->entry.ts_at_ms = ready->entry.received_at_ms;
    ready->entry.data = ready->data;
    return cursor_append(learn->cursor, db, &ready->entry, err);
}

static enum lb_err
run_join(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct learn *learn = learn_of(job, offsetof(struct learn, join));
    enum lb_err rc = engine_refresh(learn->engine, db, err);

    learn->is_joined = false;
    rc = rc == LB_OK ? read_rest(learn, db, err) : rc;
    if (rc != LB_OK || !learn->is_joined) {
        return rc;
    }
    engine_offer(learn->engine, learn->groups);
    for (size_t i = 0; i < learn->rule_count && rc == LB_OK; i++) {
        const struct rule *rule = &learn->set->rules[learn->rules[i]].rule;

        /* One that was changed meanwhile learns again. */
        if (engine_is_lesson(learn->engine, learn->lessons.catalog,
                             rule->number)) {
            rc = append_ready(learn, db, &learn->ready[i], rule->number, err);
        }
    }
    return rc;
}

static void
done_join(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct learn *learn = learn_of(job, offsetof(struct learn, join));

    if (rc != LB_OK) {
        end_round(learn, err);
    } else if (learn->is_joined) {
        end_round(learn, NULL);
    } else {
        learn->after_seq = learn->read_seq;
        seen_clear(learn->seen);
        step(learn); /* the log grew faster than it was read */
    }
}

/* --- a piece of the log
 * ------------------------------------------------------------------------ */

static bool is_near_end(const struct learn *learn)
{
    return learn->last_seq - learn->after_seq <= JOIN_ENTRIES;
}

static void run_read(struct pool_job *job, struct db *db)
{
    struct learn *learn =
        (struct learn *)(void *)((char *)job - offsetof(struct learn, read));
    struct replay replay = {learn->set,    learn->rules, learn->rule_count,
                            learn->groups, learn->seen,  &learn->lessons.gaps,
                            learn->now_ms, true,         learn->faces};
    int64_t next_seq = 1;
    struct replay_piece piece = {learn->after_seq, 0, 0,
                                 lb_clock_mono_ms() + PIECE_MS};

    learn->rc = db_meta_get(db, "next_seq", 1, &next_seq, &learn->err);
    piece.upto_seq = next_seq - 1;
    if (learn->rc == LB_OK) {
        learn->rc = replay_read(&replay, db, &piece, &learn->err);
    }
    learn->after_seq = piece.after_seq;
    learn->last_seq = next_seq - 1;
    if (learn->rc == LB_OK && is_near_end(learn)) {
        learn->is_digested = true;
        learn->rc = replay_digest(&replay)
                        ? LB_OK
                        : lb_err_set(&learn->err, LB_ENOMEM, "out of memory");
    }
}

static enum lb_err
run_store(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct learn *learn = learn_of(job, offsetof(struct learn, store));
    size_t count = seen_count(learn->seen) - learn->stored;

    return alert_store_save_seen(db, seen_rows(learn->seen) + learn->stored,
                                 count > STORE_SEEN ? STORE_SEEN : count, true,
                                 err);
}

static void submit(struct learn *learn, struct writer_job *job)
{
    struct lb_error err;

    if (writer_submit(learn->writer, job) != LB_OK) {
        (void)lb_err_set(&err, LB_ELIMIT, "too much waits to be stored");
        end_round(learn, &err);
    }
}

static void
done_store(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct learn *learn = learn_of(job, offsetof(struct learn, store));

    learn->stored += STORE_SEEN;
    if (rc != LB_OK || learn->is_stopping) {
        end_round(learn, err);
    } else if (learn->stored < seen_count(learn->seen)) {
        submit(learn, job);
    } else {
        seen_clear(learn->seen);
        step(learn);
    }
}

static void
done_read(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct learn *learn =
        (struct learn *)(void *)((char *)job - offsetof(struct learn, read));

    if (rc != LB_OK || learn->rc != LB_OK || learn->is_stopping) {
        end_round(learn, rc != LB_OK ? err : &learn->err);
    } else if (seen_count(learn->seen) > 0) {
        seen_sort(learn->seen);
        learn->stored = 0;
        submit(learn, &learn->store);
    } else {
        step(learn);
    }
}

static void step(struct learn *learn)
{
    if (is_near_end(learn) && learn->is_digested) {
        submit(learn, &learn->join);
    } else {
        pool_submit(learn->readers, &learn->read);
    }
}

/* --- a round
 * ------------------------------------------------------------------------ */

static enum lb_err
run_look(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct learn *learn = learn_of(job, offsetof(struct learn, look));
    int64_t next_seq = 1;
    enum lb_err rc = engine_refresh(learn->engine, db, err);

    rc = rc == LB_OK
             ? engine_get_lessons(learn->engine, db, &learn->lessons, err)
             : rc;
    rc = rc == LB_OK ? db_meta_get(db, "next_seq", 1, &next_seq, err) : rc;
    learn->after_seq = 0;
    learn->last_seq = next_seq - 1;
    learn->now_ms = engine_now_ms(learn->engine);
    return rc;
}

static enum lb_err prepare(struct learn *learn, struct lb_error *err)
{
    size_t count = learn->lessons.rule_count;
    enum lb_err rc = ruleset_new(learn->lessons.catalog,
                                 learn->lessons.folds_utm, &learn->set, err);

    learn->rules = calloc(count, sizeof(*learn->rules));
    learn->ready = calloc(count, sizeof(*learn->ready));
    learn->is_digested = true;
    learn->groups = groups_new();
    learn->seen = seen_new(PIECE_SEEN, learn->lessons.seen_key);
    learn->faces = faces_new();
    if (rc == LB_OK && (learn->rules == NULL || learn->ready == NULL ||
                        learn->groups == NULL || learn->seen == NULL ||
                        learn->faces == NULL)) {
        rc = lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        const struct ruleset_rule *row =
            ruleset_find(learn->set, learn->lessons.rules[i]);

        learn->rules[learn->rule_count++] = (size_t)(row - learn->set->rules);
        learn->is_digested =
            learn->is_digested && !rule_is_of_baseline(&row->rule);
    }
    return rc;
}

static void
done_look(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct learn *learn = learn_of(job, offsetof(struct learn, look));
    int64_t wall_ms = lb_clock_wall_ms();

    if (rc != LB_OK || learn->is_stopping) {
        end_round(learn, err);
        return;
    }
    if (learn->lessons.rule_count == 0) {
        end_round(learn, NULL);
        return;
    }
    /* The entry that says a rule is ready is no earlier. */
    learn->now_ms = wall_ms > learn->now_ms ? wall_ms : learn->now_ms;
    if (prepare(learn, &learn->err) != LB_OK) {
        end_round(learn, &learn->err);
        return;
    }
    learn->known_seq = learn->last_seq;
    if (learn->known_seq > PATIENCE) {
        release(learn);
    }
    step(learn);
}

static void look(struct learn *learn)
{
    learn->is_busy = true;
    learn->is_asked_again = false;
    submit(learn, &learn->look);
}

void learn_settle(void *ctx, void (*done)(void *ctx), void *done_ctx)
{
    struct learn *learn = ctx;
    struct waiter *waiter = calloc(1, sizeof(*waiter));

    if (waiter == NULL || learn->is_stopping ||
        (learn->is_busy && learn->known_seq > PATIENCE)) {
        learn->is_asked_again = true;
        free(waiter);
        done(done_ctx);
        return;
    }
    waiter->done = done;
    waiter->ctx = done_ctx;
    waiter->next = learn->waiters;
    learn->waiters = waiter;
    if (learn->is_busy) {
        learn->is_asked_again = true;
    } else {
        look(learn);
    }
}

void learn_poke(struct learn *learn)
{
    if (learn != NULL && !learn->is_busy && !learn->is_stopping) {
        look(learn);
    }
}

enum lb_err learn_new(struct writer *writer,
                      struct cursor *cursor,
                      struct pool *readers,
                      struct engine *engine,
                      struct learn **learn_out,
                      struct lb_error *err)
{
    struct learn *learn = calloc(1, sizeof(*learn));

    *learn_out = learn;
    if (learn == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    learn->writer = writer;
    learn->cursor = cursor;
    learn->readers = readers;
    learn->engine = engine;
    learn->look.run = run_look;
    learn->look.done = done_look;
    learn->read.run = run_read;
    learn->read.done = done_read;
    learn->store.run = run_store;
    learn->store.done = done_store;
    learn->store.is_background = true;
    learn->join.run = run_join;
    learn->join.done = done_join;
    return LB_OK;
}

void learn_stop(struct learn *learn)
{
    if (learn != NULL) {
        learn->is_stopping = true;
        release(learn);
    }
}

void learn_free(struct learn *learn)
{
    if (learn != NULL) {
        free_round(learn);
        free(learn);
    }
}
