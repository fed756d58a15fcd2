/* day_builder.c - counts the days that are over.
 *
 * One round: look (writer thread: list the days anew where the zone changed,
 * choose stale days, watch them), count (reader, in pieces), swap (writer).  A
 * chore begins a round now and then; a round that found something is followed
 * by the next. */
#include "aggregate/day_builder.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/day_count.h"
#include "base/clock.h"
#include "base/log.h"

#define LOOK_MS (5 * LB_MS_PER_S)
#define CHORE_MS 250 /* between looks whether what was loaded is all there */
#define LOADED_MS LB_MS_PER_S         /* without a request, and it is */
#define AGAIN_MS (10 * LB_MS_PER_MIN) /* between two counts of a stale day */
#define PIECE_MS 500                  /* a snapshot of the log is held */
#define SPAN_DAYS 8                   /* between the days of one round */
#define SWAP_DAYS 32                  /* of one transaction; some 2 ms */

struct day_builder {
    struct writer *writer;
    struct pool *readers;
    struct catalog_holder *holder;
    struct day_store *store;
    struct pool_job count_job;
    struct writer_job look_job;
    struct writer_job swap_job;
    bool (*is_loading)(void *ctx); /* NULL: never; borrowed, as its context */
    void *loading_ctx;
    /* The writer thread's. */
    int64_t next_look_ms; /* monotonic */
    int64_t loading_ms;   /* likewise: when it was last seen; 0: never */
    /* Of a round; handed from thread to thread with it. */
    struct day_count *count; /* owned */
    struct day_store_stale days[DAY_COUNT_TARGETS];
    size_t day_count;
    size_t swapped;          /* of these */
    struct catalog *catalog; /* owned; while looking */
    int64_t now_ms;
    int64_t front_ms; /* days that end later may go on */
    int64_t forced_since_ms;
    enum lb_err rc;
    struct lb_error err;
    /* The loop thread's: a call of day_builder_run(). */
    void (*done)(void *ctx, enum lb_err rc, const struct lb_error *err);
    void *done_ctx;
    bool is_relist_wanted;
    /* Of a round again, and of those that follow: */
    bool is_forced; /* days that were tried lately, too, not since then */
    bool is_asked;  /* done waits for it */
    bool is_relist; /* of this one */
    bool is_over;   /* the count */
    /* The writer thread's. */
    bool was_loading;
    /* Any thread's. */
    atomic_bool is_busy; /* a round runs */
    atomic_bool is_stopping;
};

/* --- look: on the writer thread ------------------------------------------- */

static enum lb_err
relist_sites(struct day_builder *builder, struct db *db, struct lb_error *err)
{
    const struct catalog *catalog = builder->catalog;
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < catalog_site_count(catalog) && rc == LB_OK; i++) {
        const struct catalog_site *site = catalog_site_at(catalog, i);
        bool is_listed = false;

        rc = day_store_is_listed(db, site, &is_listed, err);
        if (rc == LB_OK && (!is_listed || builder->is_relist)) {
            rc = day_store_relist(builder->store, db, site, err);
        }
    }
    return rc;
}

/* Whether a day was tried so lately that it waits. */
static bool was_tried(const struct day_builder *builder, int64_t at_ms)
{
    return at_ms != 0 && at_ms <= builder->now_ms &&
           (builder->is_forced ? at_ms >= builder->forced_since_ms
                               : at_ms + AGAIN_MS > builder->now_ms);
}

static bool choose(void *ctx, const struct day_store_stale *stale)
{
    struct day_builder *builder = ctx;
    const struct catalog_site *site =
        catalog_site_by_number(builder->catalog, stale->site);

    if (site == NULL || stale->day < day_store_first_open(site) ||
        lb_zone_day_start_ms(site->zone, stale->day + 1) > builder->front_ms ||
        was_tried(builder, stale->built_at_ms)) {
        return true;
    }
    if (builder->day_count > 0 &&
        stale->day > builder->days[0].day + SPAN_DAYS) {
        return false;
    }
    if (!day_count_add(builder->count, stale->site, stale->day, site->zone)) {
        return false;
    }
    builder->days[builder->day_count++] = *stale;
    return true;
}

/* Whether events are loaded, or were a moment ago: a request comes after the
 * other. */
static bool is_loading(struct day_builder *builder)
{
    int64_t now_ms = lb_clock_mono_ms();

    if (builder->is_loading != NULL &&
        builder->is_loading(builder->loading_ctx)) {
        builder->loading_ms = now_ms;
    }
    return builder->loading_ms != 0 && now_ms - builder->loading_ms < LOADED_MS;
}

static enum lb_err
look(struct day_builder *builder, struct db *db, struct lb_error *err)
{
    enum lb_err rc;

    builder->catalog = catalog_current(builder->holder);
    builder->count = day_count_new(DAY_COUNT_BYTES);
    builder->day_count = 0;
    builder->swapped = 0;
    builder->now_ms = lb_clock_wall_ms();
    builder->front_ms = builder->now_ms;
    if (!builder->is_asked && is_loading(builder)) {
        int64_t front_ms = day_store_front_ms(builder->store);

        builder->front_ms =
            front_ms < builder->now_ms ? front_ms : builder->now_ms;
    }
    rc = builder->count == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                                : relist_sites(builder, db, err);
    rc = rc == LB_OK ? day_store_list_stale(db, choose, builder, err) : rc;
    catalog_unref(builder->catalog);
    builder->catalog = NULL;
    for (size_t i = 0; i < builder->day_count; i++) {
        day_store_watch(builder->store, builder->days[i].site,
                        builder->days[i].day);
    }
    return rc;
}

static enum lb_err
run_look(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct day_builder *builder =
        (struct day_builder *)(void *)((char *)job -
                                       offsetof(struct day_builder, look_job));

    return look(builder, db, err);
}

/* --- the rounds: on the loop thread --------------------------------------- */

static void begin_round(struct day_builder *builder);

static void end_round(struct day_builder *builder)
{
    day_count_free(builder->count);
    builder->count = NULL;
}

/* Nothing is left to do, or something failed. */
static void
rest(struct day_builder *builder, enum lb_err rc, const struct lb_error *err)
{
    void (*done)(void *, enum lb_err, const struct lb_error *) = builder->done;
    bool is_stopping = atomic_load(&builder->is_stopping);

    end_round(builder);
    if (rc == LB_OK && !is_stopping && done != NULL && !builder->is_asked) {
        begin_round(builder); /* asked for while this round was under way */
        return;
    }
    builder->done = NULL;
    builder->is_forced = false;
    builder->is_asked = false;
    builder->is_relist = false;
    atomic_store(&builder->is_busy, false);
    if (rc != LB_OK) {
        lb_log_limited(LB_LOG_ERROR, "days_failed", "text=\"%s\"", err->text);
    }
    if (done != NULL) {
        done(builder->done_ctx, is_stopping ? LB_ECANCELLED : rc, err);
    }
}

static void submit(struct day_builder *builder, struct writer_job *job)
{
    if (writer_submit(builder->writer, job) != LB_OK) {
        rest(builder, LB_ELIMIT, &job->err);
    }
}

/* One past the days of the next transaction. */
static size_t swap_end(const struct day_builder *builder)
{
    size_t end = builder->swapped + SWAP_DAYS;

    return end < builder->day_count ? end : builder->day_count;
}

static void
done_swap(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct day_builder *builder =
        (struct day_builder *)(void *)((char *)job -
                                       offsetof(struct day_builder, swap_job));

    builder->swapped = rc == LB_OK ? swap_end(builder) : builder->swapped;
    if (rc == LB_OK && builder->swapped < builder->day_count &&
        !atomic_load(&builder->is_stopping)) {
        submit(builder, &builder->swap_job);
        return;
    }
    if (rc != LB_OK || atomic_load(&builder->is_stopping)) {
        rest(builder, rc, err);
        return;
    }
    end_round(builder);
    begin_round(builder);
}

static enum lb_err
run_swap(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct day_builder *builder =
        (struct day_builder *)(void *)((char *)job -
                                       offsetof(struct day_builder, swap_job));
    size_t end = swap_end(builder);
    enum lb_err rc = LB_OK;

    for (size_t i = builder->swapped; i < end && rc == LB_OK; i++) {
        rc = day_store_put(db, &builder->days[i],
                           day_count_bodies(builder->count, i),
                           lb_clock_wall_ms(), err);
    }
    return rc;
}

static void run_count(struct pool_job *job, struct db *db)
{
    struct day_builder *builder =
        (struct day_builder *)(void *)((char *)job -
                                       offsetof(struct day_builder, count_job));

    builder->rc = day_count_run(builder->count, db, PIECE_MS, &builder->is_over,
                                &builder->err);
    if (builder->rc == LB_OK && builder->is_over) {
        builder->rc = day_count_pack(builder->count);
    }
    if (builder->rc == LB_ENOMEM) {
        (void)lb_err_set(&builder->err, LB_ENOMEM, "out of memory");
    }
}

static void
done_count(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct day_builder *builder =
        (struct day_builder *)(void *)((char *)job -
                                       offsetof(struct day_builder, count_job));

    if (atomic_load(&builder->is_stopping) || rc != LB_OK ||
        builder->rc != LB_OK) {
        rest(builder, rc != LB_OK ? rc : builder->rc,
             rc != LB_OK ? err : &builder->err);
    } else if (builder->is_over) {
        submit(builder, &builder->swap_job);
    } else {
        pool_submit(builder->readers, &builder->count_job);
    }
}

static void
done_look(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct day_builder *builder =
        (struct day_builder *)(void *)((char *)job -
                                       offsetof(struct day_builder, look_job));

    if (rc != LB_OK || builder->day_count == 0 ||
        atomic_load(&builder->is_stopping)) {
        rest(builder, rc, err);
    } else {
        pool_submit(builder->readers, &builder->count_job);
    }
}

static void begin_round(struct day_builder *builder)
{
    if (builder->done != NULL && !builder->is_asked) {
        builder->is_asked = true;
        builder->is_forced = true;
        builder->forced_since_ms = lb_clock_wall_ms();
    }
    builder->is_relist = builder->is_relist_wanted;
    builder->is_relist_wanted = false;
    submit(builder, &builder->look_job);
}

/* Writer thread: now and then a round begins, and when all is loaded: then of
 * days that were counted meanwhile, too. */
static bool chore(void *ctx, struct db *db)
{
    struct day_builder *builder = ctx;
    int64_t now_ms = lb_clock_mono_ms();
    bool is_loading_now = is_loading(builder);
    bool is_loaded = builder->was_loading && !is_loading_now;

    (void)db;
    builder->was_loading = builder->was_loading || is_loading_now;
    if ((!is_loaded && now_ms < builder->next_look_ms) ||
        atomic_load(&builder->is_stopping) ||
        atomic_exchange(&builder->is_busy, true)) {
        return false;
    }
    builder->next_look_ms = now_ms + LOOK_MS;
    if (is_loaded) {
        builder->was_loading = false;
        builder->is_forced = true;
        builder->forced_since_ms = lb_clock_wall_ms();
    }
    submit(builder, &builder->look_job);
    return false;
}

enum lb_err day_builder_run(struct day_builder *builder,
                            bool relist,
                            void (*done)(void *ctx,
                                         enum lb_err rc,
                                         const struct lb_error *err),
                            void *ctx,
                            struct lb_error *err)
{
    if (builder->done != NULL) {
        return lb_err_set(err, LB_EBUSY, "the days are being counted already");
    }
    builder->done = done;
    builder->done_ctx = ctx;
    builder->is_relist_wanted = relist;
    if (!atomic_exchange(&builder->is_busy, true)) {
        begin_round(builder);
    }
    return LB_OK;
}

enum lb_err day_builder_new(struct writer *writer,
                            struct pool *readers,
                            struct catalog_holder *holder,
                            struct day_store *store,
                            struct day_builder **builder_out,
                            struct lb_error *err)
{
    struct day_builder *builder = calloc(1, sizeof(*builder));

    *builder_out = builder;
    if (builder == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    builder->writer = writer;
    builder->readers = readers;
    builder->holder = holder;
    builder->store = store;
    builder->is_forced = true; /* what an import before the start left */
    builder->forced_since_ms = lb_clock_wall_ms();
    builder->look_job.run = run_look;
    builder->look_job.done = done_look;
    builder->look_job.is_background = true;
    builder->count_job.run = run_count;
    builder->count_job.done = done_count;
    builder->swap_job.run = run_swap;
    builder->swap_job.done = done_swap;
    builder->swap_job.is_background = true;
    writer_add_chore(writer, "days", chore, builder, CHORE_MS);
    return LB_OK;
}

void day_builder_loading(struct day_builder *builder,
                         bool (*loading)(void *ctx),
                         void *ctx)
{
    builder->is_loading = loading;
    builder->loading_ctx = ctx;
}

void day_builder_stop(struct day_builder *builder)
{
    atomic_store(&builder->is_stopping, true);
}

void day_builder_free(struct day_builder *builder)
{
    if (builder != NULL) {
        end_round(builder);
        free(builder);
    }
}
