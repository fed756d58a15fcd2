/* retention.c - ageing out, a step at a time. */
#include "sql/retention.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/zone.h"
#include "sql/horizon.h"
#include "sql/log_change.h"
#include "sql/log_store.h"
#include "sql/notice.h"

#define STREAM_NAME_BYTES 64
#define SUMMARY_BYTES 400
#define LOOK_MS (2 * LB_MS_PER_S)
#define AGAIN_MS LB_MS_PER_MIN /* unless days had to be counted first */
#define STEP_ROWS 500          /* of one transaction */
#define STEP_PACKS 64          /* of events that are not sealed */
#define BUCKET_MS INT64_C(900000)
#define NEAR_PERCENT 80 /* of limits.max_db_bytes: the owner is told */
#define FAR_PERCENT 75  /* and told again after it was less than this */

/* A clock that is so much ahead of the last look may be wrong: nothing ages out
 * until it has said so for a day.  A service that was not run for so long waits
 * a day, too, as does a backup that is so old. */
#define JUMP_MS (7 * LB_MS_PER_DAY)
#define TRUST_MS LB_MS_PER_DAY
#define NOTE_MS LB_MS_PER_HOUR /* between two notes of the clock */

/* What a round does, in this order. */
enum part {
    PART_CLOCK,
    PART_STREAMS,
    PART_SITES,
    PART_ENTRIES,
    PART_EVENTS,
    PART_COUNTS,
    PART_SIZE,
    PART_OVER
};

struct retention {
    struct writer *writer;
    struct cursor *cursor;
    struct catalog_holder *holder;
    struct writer_job job;
    atomic_bool is_busy;
    _Atomic int64_t retention_ms;
    _Atomic int64_t rollup_retention_ms;
    _Atomic int64_t max_db_bytes;
    /* Of a round; the writer thread's. */
    enum part part;
    size_t next_site;
    int64_t aged_to_seq; /* of the events that are not sealed */
    int64_t age_to_seq;  /* where that ends */
    int64_t age_sum;     /* horizon_sum() as it began */
    bool is_waiting;
    bool is_clock_ahead;
    int64_t now_ms;    /* wall, as the round began */
    int64_t due_at_ms; /* monotonic */
    int64_t aged_sum;  /* horizon_sum() when events were gone through */
    struct notice_entry notice; /* owned */
    struct lb_metric *aged;
};

static enum lb_err run_three(struct db *db,
                             enum sql_query query,
                             const int64_t numbers[3],
                             int64_t *changed_out,
                             struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, query);
    int count = stmt == NULL ? 0 : sqlite3_bind_parameter_count(stmt);
    enum lb_err rc;

    for (int i = 0; i < count && i < 3; i++) {
        (void)sqlite3_bind_int64(stmt, i + 1, numbers[i]);
    }
    rc = db_run(db, stmt, err);
    *changed_out = rc == LB_OK ? sqlite3_changes(db_handle(db)) : 0;
    return rc;
}

static int64_t kept_ms(int64_t age_ms)
{
    int64_t least_ms = RETENTION_LATEST_DAYS * LB_MS_PER_DAY;

    return age_ms < least_ms ? least_ms : age_ms;
}

/* The first day that stays, in the site's zone. */
static int64_t day_from(const struct retention *retention,
                        const struct catalog_site *site,
                        int64_t age_ms)
{
    int64_t at_ms = retention->now_ms - kept_ms(age_ms);

    return lb_zone_local_day(site->zone, at_ms);
}

/* The first of the site's days whose events are there; 0: all are. */
static int64_t first_open_day(const struct catalog_site *site)
{
    return site->horizon_at_ms == HORIZON_NONE
               ? 0
               : lb_zone_local_day(site->zone, site->horizon_at_ms - 1) + 1;
}

/* --- raw events of a site ------------------------------------------------- */

static enum lb_err is_counted(struct db *db,
                              const struct catalog_site *site,
                              int64_t day,
                              bool *is_counted_out,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_RETENTION_UNCOUNTED);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, site->number);
        (void)sqlite3_bind_int64(stmt, 2, day);
        (void)sqlite3_bind_int64(stmt, 3, first_open_day(site));
    }
    rc = db_next(db, stmt, &has_row, err);
    *is_counted_out = has_row && sqlite3_column_int64(stmt, 0) == 0;
    if (has_row) {
        (void)sqlite3_reset(stmt);
    }
    return rc;
}

static enum lb_err move_horizon(struct retention *retention,
                                struct db *db,
                                const struct catalog_site *site,
                                int64_t at_ms,
                                struct lb_error *err)
{
    const int64_t numbers[] = {site->number, at_ms, 0};
    int64_t changed = 0;
    enum lb_err rc =
        run_three(db, SQL_RETENTION_SET_HORIZON, numbers, &changed, err);

    catalog_note_change(retention->holder);
    if (rc == LB_OK) {
        lb_metrics_add(retention->aged, 1);
        lb_log(LB_LOG_DEBUG, "aged_out", "site=%lld", (long long)site->number);
    }
    return rc;
}

/* A step of the site; *is_over_out: there is nothing more to do for it now. */
static enum lb_err age_site(struct retention *retention,
                            struct db *db,
                            const struct catalog_site *site,
                            bool *is_over_out,
                            struct lb_error *err)
{
    int64_t day =
        day_from(retention, site, atomic_load(&retention->retention_ms));
    int64_t at_ms = lb_zone_day_start_ms(site->zone, day);
    const int64_t numbers[] = {site->number, at_ms, STEP_ROWS};
    bool is_ready = false;
    int64_t changed = 0;
    enum lb_err rc;

    *is_over_out = true;
    rc = is_counted(db, site, day, &is_ready, err);
    if (rc != LB_OK || !is_ready) {
        retention->is_waiting = true; /* the days are counted first */
        return rc;
    }
    rc = run_three(db, SQL_RETENTION_CONTACTS, numbers, &changed, err);
    if (rc != LB_OK || changed > 0) {
        *is_over_out = false;
        return rc;
    }
    if (site->horizon_at_ms < at_ms) {
        rc = move_horizon(retention, db, site, at_ms, err);
    }
    return rc;
}

static enum lb_err age_sites(struct retention *retention,
                             struct db *db,
                             bool *is_over_out,
                             struct lb_error *err)
{
    struct catalog *catalog = catalog_current(retention->holder);
    bool is_site_over = true;
    enum lb_err rc = LB_OK;

    if (retention->next_site < catalog_site_count(catalog)) {
        rc = age_site(retention, db,
                      catalog_site_at(catalog, retention->next_site),
                      &is_site_over, err);
        retention->next_site += is_site_over ? 1 : 0;
    }
    *is_over_out = retention->next_site >= catalog_site_count(catalog);
    catalog_unref(catalog);
    return rc;
}

/* --- the rest ------------------------------------------------------------- */

/* Events and contacts of sites that were removed: nobody asks for their counts.
 */
static enum lb_err age_removed(struct db *db,
                               int64_t before_ms,
                               bool *is_over_out,
                               struct lb_error *err)
{
    const int64_t horizon[] = {before_ms - before_ms % LB_MS_PER_DAY, 0, 0};
    const int64_t contacts[] = {horizon[0], STEP_ROWS, 0};
    int64_t changed = 0;
    enum lb_err rc =
        run_three(db, SQL_RETENTION_REMOVED_CONTACTS, contacts, &changed, err);

    *is_over_out = changed < STEP_ROWS;
    return rc == LB_OK
               ? run_three(db, SQL_RETENTION_REMOVED, horizon, &changed, err)
               : rc;
}

/* What goes without regard to a site: entries that are no events, and blocks of
 * sealed events before all horizons. */
static enum lb_err age_entries(struct retention *retention,
                               struct db *db,
                               bool *is_over_out,
                               struct lb_error *err)
{
    int64_t before_ms =
        retention->now_ms - kept_ms(atomic_load(&retention->retention_ms));
    const int64_t entries[] = {before_ms, cursor_seq(retention->cursor),
                               STEP_ROWS};
    int64_t blocks[] = {0, 0, 0};
    int64_t changed[2] = {0, 0};
    enum lb_err rc = age_removed(db, before_ms, is_over_out, err);

    rc = rc == LB_OK
             ? run_three(db, SQL_RETENTION_ENTRIES, entries, &changed[0], err)
             : rc;
    rc = rc == LB_OK ? log_sealed_to(db, &blocks[0], err) : rc;
    blocks[0] >>= LOG_BLOCK_SHIFT;
    rc = rc == LB_OK
             ? run_three(db, SQL_RETENTION_BLOCKS, blocks, &changed[1], err)
             : rc;
    *is_over_out = *is_over_out && changed[0] < STEP_ROWS;
    return rc;
}

/* Events that are not sealed and lie before the horizons, once these moved. */
static enum lb_err age_events(struct retention *retention,
                              struct db *db,
                              bool *is_over_out,
                              struct lb_error *err)
{
    struct horizon *horizon = NULL;
    enum lb_err rc = horizon_load(db, &horizon, err);

    if (retention->aged_to_seq == 0) {
        retention->age_sum = horizon_sum(horizon);
        retention->age_to_seq = cursor_seq(retention->cursor);
    }
    *is_over_out = retention->age_sum == retention->aged_sum;
    if (rc == LB_OK && !*is_over_out) {
        rc = log_change_age(db, horizon, retention->aged_to_seq, STEP_PACKS,
                            &retention->aged_to_seq, err);
        *is_over_out = retention->aged_to_seq >= retention->age_to_seq;
    }
    if (rc == LB_OK && *is_over_out) {
        retention->aged_sum = retention->age_sum;
    }
    horizon_free(horizon);
    return rc;
}

/* Counts stay at least as long as their events; 0: for ever. */
static int64_t counts_age_ms(const struct retention *retention)
{
    int64_t events_ms = atomic_load(&retention->retention_ms);
    int64_t counts_ms = atomic_load(&retention->rollup_retention_ms);

    if (events_ms == 0 || counts_ms == 0) {
        return 0;
    }
    return counts_ms < events_ms ? events_ms : counts_ms;
}

/* Counts of the next site. */
static enum lb_err age_counts(struct retention *retention,
                              struct db *db,
                              bool *is_over_out,
                              struct lb_error *err)
{
    struct catalog *catalog = catalog_current(retention->holder);
    enum lb_err rc = LB_OK;

    *is_over_out = retention->next_site >= catalog_site_count(catalog);
    if (!*is_over_out) {
        const struct catalog_site *site =
            catalog_site_at(catalog, retention->next_site);
        int64_t day = day_from(retention, site, counts_age_ms(retention));
        int64_t frozen = first_open_day(site);
        int64_t last = day < frozen ? day : frozen;
        const int64_t totals[] = {
            site->number, lb_zone_day_start_ms(site->zone, last) / BUCKET_MS,
            STEP_ROWS};
        const int64_t days[] = {site->number, last, STEP_ROWS};
        int64_t changed[3] = {0, 0, 0};

        rc = run_three(db, SQL_RETENTION_TOTALS, totals, &changed[0], err);
        rc = rc == LB_OK
                 ? run_three(db, SQL_RETENTION_DAYS, days, &changed[1], err)
                 : rc;
        rc = rc == LB_OK ? run_three(db, SQL_RETENTION_DAY_STATES, days,
                                     &changed[2], err)
                         : rc;
        retention->next_site +=
            changed[0] < STEP_ROWS && changed[1] < STEP_ROWS ? 1 : 0;
    }
    catalog_unref(catalog);
    return rc;
}

static enum lb_err tell(struct retention *retention,
                        struct db *db,
                        const char *rule,
                        const char *group,
                        const char *summary,
                        struct lb_error *err)
{
    notice_warn(&retention->notice, rule, "*", group, summary,
                lb_clock_wall_ms());
    return cursor_append(retention->cursor, db, &retention->notice.entry, err);
}

static enum lb_err tell_size(struct retention *retention,
                             struct db *db,
                             int64_t bytes,
                             int64_t most,
                             struct lb_error *err)
{
    char summary[SUMMARY_BYTES];

    (void)snprintf(
        summary, sizeof(summary),
        "The database has %lld %% of limits.max_db_bytes: at 100 %% "
        "events are refused. Raise it, or shorten privacy.retention.",
        (long long)(bytes * 100 / most));
    return tell(retention, db, "linkbell-disk", "{\"limit\":\"max_db_bytes\"}",
                summary, err);
}

/* Says once that the database comes near its limit. */
static enum lb_err
look_at_size(struct retention *retention, struct db *db, struct lb_error *err)
{
    int64_t most = atomic_load(&retention->max_db_bytes);
    int64_t bytes = db_file_bytes(db);
    int64_t is_told = 0;
    bool is_near = most > 0 && bytes / NEAR_PERCENT >= most / 100;
    bool is_far = most <= 0 || bytes / FAR_PERCENT < most / 100;
    enum lb_err rc = db_meta_get(db, "max_db_told", 0, &is_told, err);

    if (rc == LB_OK && is_near && is_told == 0) {
        rc = tell_size(retention, db, bytes, most, err);
        rc = rc == LB_OK ? db_meta_set(db, "max_db_told", 1, err) : rc;
    } else if (rc == LB_OK && is_far && is_told != 0) {
        rc = db_meta_set(db, "max_db_told", 0, err);
    }
    return rc;
}

static enum lb_err tell_stream(struct retention *retention,
                               struct db *db,
                               const char *destination,
                               struct lb_error *err)
{
    char group[STREAM_NAME_BYTES + 32];
    char summary[SUMMARY_BYTES];

    (void)snprintf(group, sizeof(group), "{\"destination\":\"%s\"}",
                   destination);
    (void)snprintf(summary, sizeof(summary),
                   "Events that the destination %s has not taken reach "
                   "privacy.retention within a day, and will then not be sent. "
                   "Make it take them, or keep events longer.",
                   destination);
    return tell(retention, db, "linkbell-delivery", group, summary, err);
}

/* Says of a stream once, a day ahead, that what it has not sent will go. */
static enum lb_err look_at_streams(struct retention *retention,
                                   struct db *db,
                                   bool *is_over_out,
                                   struct lb_error *err)
{
    int64_t before_ms = retention->now_ms -
                        kept_ms(atomic_load(&retention->retention_ms)) +
                        LB_MS_PER_DAY;
    sqlite3_stmt *stmt = db_stmt(db, SQL_STREAM_LATE);
    char destination[STREAM_NAME_BYTES] = "";
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, before_ms);
    }
    rc = db_next(db, stmt, &has_row, err);
    *is_over_out = !has_row;
    if (rc != LB_OK || !has_row) {
        return rc;
    }
    (void)snprintf(destination, sizeof(destination), "%s",
                   (const char *)sqlite3_column_text(stmt, 0));
    (void)sqlite3_reset(stmt);
    stmt = db_stmt(db, SQL_STREAM_TOLD);
    db_bind_text(stmt, 1, destination);
    rc = db_run(db, stmt, err);
    return rc == LB_OK ? tell_stream(retention, db, destination, err) : rc;
}

/* --- the clock ------------------------------------------------------------ */

static enum lb_err tell_clock(struct retention *retention,
                              struct db *db,
                              int64_t before_ms,
                              int64_t now_ms,
                              struct lb_error *err)
{
    char summary[SUMMARY_BYTES];
    char before[LB_CLOCK_TEXT_BYTES];
    char now[LB_CLOCK_TEXT_BYTES];

    lb_clock_format(before_ms, before);
    lb_clock_format(now_ms, now);
    (void)snprintf(summary, sizeof(summary),
                   "The clock says %s, and at the last look it said %s. If it "
                   "is wrong, set it right: from a day after the jump on, "
                   "events go by their age again.",
                   now, before);
    lb_log(LB_LOG_WARN, "clock_jumped", "text=\"%s\"", summary);
    return tell(retention, db, "linkbell-clock", "{\"clock\":\"ahead\"}",
                summary, err);
}

static enum lb_err
note_clock(struct db *db, int64_t now_ms, struct lb_error *err)
{
    enum lb_err rc = db_meta_set(db, "retention_clock", now_ms, err);

    return rc == LB_OK ? db_meta_set(db, "retention_jump", 0, err) : rc;
}

/* Whether what the clock says may be trusted. */
static enum lb_err
look_at_clock(struct retention *retention, struct db *db, struct lb_error *err)
{
    int64_t now_ms = lb_clock_wall_ms();
    int64_t before_ms = 0;
    int64_t jump_ms = 0;
    enum lb_err rc = db_meta_get(db, "retention_clock", 0, &before_ms, err);

    rc = rc == LB_OK ? db_meta_get(db, "retention_jump", 0, &jump_ms, err) : rc;
    retention->now_ms = now_ms;
    retention->is_clock_ahead =
        rc != LB_OK || (before_ms != 0 && now_ms - before_ms > JUMP_MS);
    if (rc != LB_OK) {
        return rc;
    }
    if (!retention->is_clock_ahead) {
        return before_ms == 0 || jump_ms != 0 || now_ms < before_ms ||
                       now_ms - before_ms >= NOTE_MS
                   ? note_clock(db, now_ms, err)
                   : LB_OK;
    }
    if (jump_ms != 0 && now_ms >= jump_ms && now_ms - jump_ms < JUMP_MS) {
        retention->is_clock_ahead = now_ms - jump_ms < TRUST_MS;
        return retention->is_clock_ahead ? LB_OK : note_clock(db, now_ms, err);
    }
    rc = db_meta_set(db, "retention_jump", now_ms, err);
    return rc == LB_OK ? tell_clock(retention, db, before_ms, now_ms, err) : rc;
}

/* --- rounds --------------------------------------------------------------- */

static bool is_part_off(const struct retention *retention)
{
    bool is_age =
        retention->part == PART_STREAMS || retention->part == PART_SITES ||
        retention->part == PART_ENTRIES || retention->part == PART_COUNTS;

    return (is_age && retention->is_clock_ahead) ||
           ((retention->part == PART_STREAMS || retention->part == PART_SITES ||
             retention->part == PART_ENTRIES) &&
            atomic_load(&retention->retention_ms) == 0) ||
           (retention->part == PART_COUNTS && counts_age_ms(retention) == 0);
}

static enum lb_err
run_step(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct retention *retention =
        (struct retention *)(void *)((char *)job -
                                     offsetof(struct retention, job));
    bool is_over = true;
    enum lb_err rc = LB_OK;

    if (!is_part_off(retention)) {
        switch (retention->part) {
        case PART_CLOCK:
            rc = look_at_clock(retention, db, err);
            break;
        case PART_STREAMS:
            rc = look_at_streams(retention, db, &is_over, err);
            break;
        case PART_SITES:
            rc = age_sites(retention, db, &is_over, err);
            break;
        case PART_ENTRIES:
            rc = age_entries(retention, db, &is_over, err);
            break;
        case PART_EVENTS:
            rc = age_events(retention, db, &is_over, err);
            break;
        case PART_COUNTS:
            rc = age_counts(retention, db, &is_over, err);
            break;
        case PART_SIZE:
            rc = look_at_size(retention, db, err);
            break;
        case PART_OVER:
            break;
        }
    }
    if (is_over) {
        retention->part++;
        retention->next_site = 0;
    }
    if (retention->part == PART_OVER && retention->is_waiting) {
        retention->due_at_ms = lb_clock_mono_ms() + LOOK_MS;
    }
    return rc;
}

static void
done_step(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct retention *retention =
        (struct retention *)(void *)((char *)job -
                                     offsetof(struct retention, job));

    if (rc == LB_OK && retention->part < PART_OVER &&
        writer_submit(retention->writer, &retention->job) == LB_OK) {
        return;
    }
    if (rc != LB_OK) {
        lb_log_limited(LB_LOG_WARN, "retention", "text=\"%s\"", err->text);
    }
    atomic_store(&retention->is_busy, false);
}

static bool chore(void *ctx, struct db *db)
{
    struct retention *retention = ctx;
    int64_t now_ms = lb_clock_mono_ms();

    (void)db;
    if (now_ms >= retention->due_at_ms &&
        !atomic_exchange(&retention->is_busy, true)) {
        retention->due_at_ms = now_ms + AGAIN_MS;
        retention->is_waiting = false;
        retention->part = PART_CLOCK;
        retention->next_site = 0;
        retention->aged_to_seq = 0;
        if (writer_submit(retention->writer, &retention->job) != LB_OK) {
            atomic_store(&retention->is_busy, false);
        }
    }
    return false;
}

void retention_set_config(struct retention *retention,
                          const struct lb_config *config)
{
    atomic_store(&retention->retention_ms, config->retention_ms);
    atomic_store(&retention->rollup_retention_ms, config->rollup_retention_ms);
    atomic_store(&retention->max_db_bytes, config->max_db_bytes);
}

enum lb_err retention_new(struct writer *writer,
                          struct cursor *cursor,
                          struct catalog_holder *holder,
                          const struct lb_config *config,
                          struct retention **retention_out,
                          struct lb_error *err)
{
    struct retention *retention = calloc(1, sizeof(*retention));

    *retention_out = retention;
    if (retention == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    retention->writer = writer;
    retention->cursor = cursor;
    retention->holder = holder;
    retention->job.run = run_step;
    retention->job.done = done_step;
    retention->job.is_background = true;
    notice_init(&retention->notice);
    retention->aged =
        lb_metrics_get(LB_METRIC_COUNTER, "linkbell_aged_out_total",
                       "Times that a site's events aged out.", "");
    retention_set_config(retention, config);
    writer_add_chore(writer, "retention", chore, retention, LOOK_MS);
    return LB_OK;
}

void retention_free(struct retention *retention)
{
    if (retention != NULL) {
        notice_deinit(&retention->notice);
        free(retention);
    }
}
