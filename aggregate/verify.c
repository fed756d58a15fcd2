/* verify.c - adds the rollups up against the log, and derives them anew. */
#include "aggregate/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/day_store.h"
#include "aggregate/recount.h"
#include "aggregate/verify_days.h"
#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "sql/horizon.h"
#include "sql/log_store.h"

#define ANSWER_BYTES ((size_t)64 * 1024 * 1024)
#define LISTED_MAX 10000 /* differences listed; all are counted */
#define DAY_BUCKETS (LB_MS_PER_DAY / ROLLUP_BUCKET_MS)
#define HOUR_BUCKETS (LB_MS_PER_HOUR / ROLLUP_BUCKET_MS)

struct verify_api {
    struct auth *auth;
    struct pool *readers;
    struct writer *writer;
    struct day_builder *days;
};

/* The to_bucket of a range that stands for a counted day: the one that holds
 * its start. */
#define NO_END INT64_MIN

struct work {
    struct pool_job read; /* first */
    struct writer_job write;
    struct verify_api *api;
    struct lb_http_request *http;
    bool is_repair;
    bool is_rebuild;
    struct lb_buf differences;
    size_t difference_count;
    int64_t hours;
    int64_t rows;
    struct rollup_store_range *ranges; /* owned; to be derived anew */
    size_t range_count;
    size_t range_cap;
    size_t next_range;
    enum lb_err rc;
    struct lb_error err;
};

static void free_work(struct work *work)
{
    lb_buf_deinit(&work->differences);
    free(work->ranges);
    free(work);
}

static enum lb_err add_range(struct work *work,
                             int64_t site,
                             int64_t from_bucket,
                             int64_t to_bucket)
{
    if (work->range_count > 0) {
        const struct rollup_store_range *last =
            &work->ranges[work->range_count - 1];

        if (last->site == site && last->from_bucket == from_bucket &&
            last->to_bucket == to_bucket) {
            return LB_OK;
        }
    }
    if (work->range_count == work->range_cap) {
        size_t cap = work->range_cap == 0 ? 64 : work->range_cap * 2;
        struct rollup_store_range *ranges =
            realloc(work->ranges, cap * sizeof(*ranges));

        if (ranges == NULL) {
            return lb_err_set(&work->err, LB_ENOMEM, "out of memory");
        }
        work->ranges = ranges;
        work->range_cap = cap;
    }
    work->ranges[work->range_count++] =
        (struct rollup_store_range){site, from_bucket, to_bucket};
    return LB_OK;
}

/* --- comparing
 * ---------------------------------------------------------------------- */

struct both {
    struct work *work;
    const struct catalog_site *site;
    const struct rollup_store_row *counted; /* of the site, from the log */
    size_t counted_count;
    size_t next;
    int64_t last_hour;
};

static const struct {
    const char *name;
    size_t offset;
} metrics[] = {
    {"events", offsetof(struct rollup_counts, events)},
    {"views", offsetof(struct rollup_counts, views)},
    {"clicks_raw", offsetof(struct rollup_counts, clicks_raw)},
    {"clicks", offsetof(struct rollup_counts, clicks)},
    {"leads", offsetof(struct rollup_counts, leads)},
    {"conversions", offsetof(struct rollup_counts, conversions)},
    {"orphan_clicks", offsetof(struct rollup_counts, orphan_clicks)}};

static int64_t count_of(const struct rollup_counts *counts, size_t index)
{
    int64_t value;

    memcpy(&value, (const char *)counts + metrics[index].offset, sizeof(value));
    return value;
}

/* What differs, and where. */
struct difference {
    const char *site;
    int64_t at_ms; /* the hour, or the local day */
    const char *dimension;
    const char *value;
    enum entry_traffic traffic;
};

static void list_difference(struct work *work,
                            const struct difference *where,
                            const char *metric,
                            int64_t rollup,
                            int64_t log)
{
    struct lb_buf *out = &work->differences;

    if (rollup == log || ++work->difference_count > LISTED_MAX) {
        return;
    }
    lb_json_add_comma(out);
    lb_buf_add_text(out, "{\"site\":");
    lb_json_add_string(out, where->site);
    lb_buf_add_text(out, ",\"hour\":");
    lb_json_add_time(out, where->at_ms);
    lb_buf_printf(out, ",\"dimension\":\"%s\",\"value\":", where->dimension);
    lb_json_add_string(out, where->value);
    lb_buf_printf(
        out,
        ",\"traffic\":\"%s\",\"metric\":\"%s\",\"rollup\":%lld,\"log\":%lld}",
        entry_traffic_name(where->traffic), metric, (long long)rollup,
        (long long)log);
}

static void list_counts(struct work *work,
                        const struct difference *where,
                        const struct rollup_counts *rollup,
                        const struct rollup_counts *log)
{
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        list_difference(work, where, metrics[i].name, count_of(rollup, i),
                        count_of(log, i));
    }
}

static enum lb_err note_difference(struct both *both,
                                   int64_t bucket,
                                   enum entry_traffic traffic,
                                   const struct rollup_counts *rollup,
                                   const struct rollup_counts *log)
{
    int64_t day_bucket =
        bucket - (bucket % DAY_BUCKETS + DAY_BUCKETS) % DAY_BUCKETS;
    int64_t hour =
        bucket - (bucket % HOUR_BUCKETS + HOUR_BUCKETS) % HOUR_BUCKETS;
    const struct difference where = {both->site->id, hour * ROLLUP_BUCKET_MS,
                                     "total", NULL, traffic};

    list_counts(both->work, &where, rollup, log);
    return add_range(both->work, both->site->number, day_bucket,
                     day_bucket + DAY_BUCKETS);
}

/* A row of a counted day that is not what the log says. */
static enum lb_err note_day(void *ctx,
                            const struct verify_days_difference *found)
{
    struct work *work = ctx;
    const struct tally_group *rollup = &found->rollup->sums;
    const struct tally_group *log = &found->log->sums;
    const struct difference where = {found->site->id, found->day_at_ms,
                                     found->dimension, found->rollup->value,
                                     found->rollup->traffic};

    list_counts(work, &where, &rollup->counts, &log->counts);
    list_difference(work, &where, "visitors", rollup->visitors, log->visitors);
    list_difference(work, &where, "viewers", rollup->viewers, log->viewers);
    list_difference(work, &where, "clickers", rollup->clickers, log->clickers);
    list_difference(work, &where, "viewers_clicked", rollup->viewers_clicked,
                    log->viewers_clicked);
    list_difference(work, &where, "visits", rollup->visits, log->visits);
    list_difference(work, &where, "clicks_without_visitor",
                    rollup->clicks_without_visitor,
                    log->clicks_without_visitor);
    list_difference(work, &where, "value", rollup->amount_hundredths,
                    log->amount_hundredths);
    return add_range(work, found->site->number, rollup_bucket(found->day_at_ms),
                     NO_END);
}

static bool is_same(const struct rollup_counts *a,
                    const struct rollup_counts *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* Rows of the log that come before a row of the rollup have no row there. */
static enum lb_err note_missing(struct both *both, int64_t bucket, int traffic)
{
    static const struct rollup_counts nothing = {0};
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && both->next < both->counted_count) {
        const struct rollup_store_row *row = &both->counted[both->next];

        if (row->bucket > bucket ||
            (row->bucket == bucket && (int)row->traffic >= traffic)) {
            break;
        }
        rc = note_difference(both, row->bucket, row->traffic, &nothing,
                             &row->counts);
        both->next++;
    }
    return rc;
}

static enum lb_err compare_row(void *ctx, const struct rollup_store_row *row)
{
    static const struct rollup_counts nothing = {0};
    struct both *both = ctx;
    const struct rollup_store_row *counted;
    enum lb_err rc = note_missing(both, row->bucket, (int)row->traffic);

    both->work->rows++;
    if (both->last_hour != row->bucket / HOUR_BUCKETS) {
        both->last_hour = row->bucket / HOUR_BUCKETS;
        both->work->hours++;
    }
    if (rc != LB_OK) {
        return rc;
    }
    counted =
        both->next < both->counted_count ? &both->counted[both->next] : NULL;
    if (counted == NULL || counted->bucket != row->bucket ||
        counted->traffic != row->traffic) {
        return note_difference(both, row->bucket, row->traffic, &row->counts,
                               &nothing);
    }
    both->next++;
    return is_same(&counted->counts, &row->counts)
               ? LB_OK
               : note_difference(both, row->bucket, row->traffic, &row->counts,
                                 &counted->counts);
}

/* The first 15 minutes of which the log still has the events: what lies before
 * is final. */
static int64_t horizon_buckets(const struct horizon *horizon, int64_t site)
{
    int64_t at_ms = horizon_of(horizon, site);

    return at_ms == HORIZON_NONE ? INT64_MIN : rollup_bucket(at_ms);
}

static enum lb_err compare_site(struct work *work,
                                struct db *db,
                                const struct horizon *horizon,
                                const struct catalog_site *site,
                                const struct rollup_store_row *rows,
                                size_t count)
{
    struct both both = {work, site, rows, count, 0, INT64_MIN};
    const struct rollup_store_range all = {
        site->number, horizon_buckets(horizon, site->number), INT64_MAX};
    enum lb_err rc =
        rollup_store_read(db, &all, compare_row, &both, &work->err);

    return rc == LB_OK ? note_missing(&both, INT64_MAX, 0) : rc;
}

static enum lb_err compare_all(struct work *work, struct db *db)
{
    const struct catalog *catalog = auth_who_of(work->http)->catalog;
    const struct rollup_store_range all = {0, INT64_MIN, INT64_MAX};
    struct rollup_store_row *rows = NULL;
    struct horizon *horizon = NULL;
    int64_t cursor = 0;
    size_t count = 0;
    enum lb_err rc = db_meta_get(db, "cursor", 0, &cursor, &work->err);

    rc = rc == LB_OK ? recount_log(db, &all, cursor, &rows, &count, &work->err)
                     : rc;
    rc = rc == LB_OK ? horizon_load(db, &horizon, &work->err) : rc;
    for (size_t i = 0; i < catalog_site_count(catalog) && rc == LB_OK; i++) {
        const struct catalog_site *site = catalog_site_at(catalog, i);
        size_t first = 0;
        size_t own = 0;

        while (first < count && rows[first].site != site->number) {
            first++;
        }
        while (first + own < count && rows[first + own].site == site->number) {
            own++;
        }
        rc = compare_site(work, db, horizon, site,
                          own == 0 ? NULL : rows + first, own);
    }
    free(rows);
    horizon_free(horizon);
    if (rc == LB_OK) {
        const struct verify_days_sink sink = {work, note_day};

        rc = verify_days_run(db, catalog, &sink, &work->rows, &work->err);
    }
    return rc;
}

/* Every day that a site has anything of. */
static enum lb_err list_days(struct work *work, struct db *db)
{
    const struct catalog *catalog = auth_who_of(work->http)->catalog;
    struct horizon *horizon = NULL;
    enum lb_err rc = horizon_load(db, &horizon, &work->err);

    for (size_t i = 0; i < catalog_site_count(catalog) && rc == LB_OK; i++) {
        int64_t site = catalog_site_at(catalog, i)->number;
        int64_t frozen;
        struct log_bounds bounds;

        frozen = horizon_buckets(horizon, site);
        rc = log_time_bounds(db, &site, 1, &bounds, &work->err);
        for (int64_t day = bounds.first_at_ms / LB_MS_PER_DAY;
             rc == LB_OK && bounds.has_events &&
             day <= bounds.last_at_ms / LB_MS_PER_DAY;
             day++) {
            int64_t first =
                day * DAY_BUCKETS < frozen ? frozen : day * DAY_BUCKETS;

            rc = first < (day + 1) * DAY_BUCKETS
                     ? add_range(work, site, first, (day + 1) * DAY_BUCKETS)
                     : LB_OK;
        }
    }
    horizon_free(horizon);
    return rc;
}

static void run_read(struct pool_job *job, struct db *db)
{
    struct work *work = (struct work *)job;

    work->rc = work->is_rebuild ? list_days(work, db) : compare_all(work, db);
}

/* --- replacing, a day at a time
 * ------------------------------------------------------- */

static void respond(struct work *work)
{
    struct lb_buf answer;

    lb_buf_init(&answer, ANSWER_BYTES);
    if (work->is_rebuild) {
        lb_buf_printf(&answer, "{\"days\":%zu}", work->range_count);
    } else {
        lb_buf_printf(&answer,
                      "{\"ok\":%s,\"hours\":%lld,\"rows\":%lld,\"count\":%zu,"
                      "\"differences\":[",
                      work->difference_count == 0 ? "true" : "false",
                      (long long)work->hours, (long long)work->rows,
                      work->difference_count);
        lb_buf_add(&answer, work->differences.data, work->differences.len);
        lb_buf_printf(&answer, "],\"repaired\":%s}",
                      work->is_repair ? "true" : "false");
    }
    lb_http_respond_json(work->http, 200, &answer);
    lb_buf_deinit(&answer);
    free_work(work);
}

static void fail(struct work *work, const struct lb_error *err)
{
    lb_http_respond_error(work->http, 503, "not_ready", err->text, NULL);
    free_work(work);
}

static struct work *work_of(struct writer_job *job)
{
    return (struct work *)(void *)((char *)job - offsetof(struct work, write));
}

static enum lb_err
run_write(struct writer_job *job, struct db *db, struct lb_error *err)
{
    const struct work *work = work_of(job);
    struct rollup_store_range range = work->ranges[work->next_range];
    struct horizon *horizon = NULL;
    int64_t frozen;
    enum lb_err rc;

    if (range.to_bucket == NO_END) {
        return day_store_drop(db, range.site,
                              range.from_bucket * ROLLUP_BUCKET_MS, err);
    }
    rc = horizon_load(db, &horizon, err); /* it may have moved meanwhile */
    frozen = horizon_buckets(horizon, range.site);
    horizon_free(horizon);
    range.from_bucket = range.from_bucket < frozen ? frozen : range.from_bucket;
    return rc == LB_OK && range.from_bucket < range.to_bucket
               ? recount_replace(db, &range, err)
               : rc;
}

static void
done_write(struct writer_job *job, enum lb_err rc, const struct lb_error *err);

static void done_days(void *ctx, enum lb_err rc, const struct lb_error *err)
{
    if (rc == LB_OK) {
        respond(ctx);
    } else {
        fail(ctx, err);
    }
}

static void write_next(struct work *work)
{
    if (work->next_range >= work->range_count) {
        if (day_builder_run(work->api->days, work->is_rebuild, done_days, work,
                            &work->err) != LB_OK) {
            fail(work, &work->err);
        }
        return;
    }
    work->write.run = run_write;
    work->write.done = done_write;
    work->write.is_background = true;
    if (writer_submit(work->api->writer, &work->write) != LB_OK) {
        fail(work, &work->err);
    }
}

static void
done_write(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct work *work = work_of(job);

    if (rc != LB_OK) {
        fail(work, err);
        return;
    }
    work->next_range++;
    write_next(work);
}

static void
done_read(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct work *work = (struct work *)job;

    if (rc != LB_OK || work->rc != LB_OK) {
        fail(work, rc != LB_OK ? err : &work->err);
    } else if (work->is_repair || work->is_rebuild) {
        write_next(work);
    } else {
        respond(work);
    }
}

/* --- routes
 * ----------------------------------------------------------------------------
 */

static void
start(struct verify_api *api, struct lb_http_request *http, bool is_rebuild)
{
    const char *repair = lb_http_request_query(http, "repair", 0);
    struct work *work = calloc(1, sizeof(*work));

    if (work == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return;
    }
    lb_buf_init(&work->differences, ANSWER_BYTES);
    work->api = api;
    work->http = http;
    work->is_rebuild = is_rebuild;
    work->is_repair = repair != NULL && strcmp(repair, "1") == 0;
    work->read.run = run_read;
    work->read.done = done_read;
    pool_submit(api->readers, &work->read);
}

static void handle_verify(struct lb_http_request *http, void *ctx)
{
    start(ctx, http, false);
}

static void handle_rebuild(struct lb_http_request *http, void *ctx)
{
    start(ctx, http, true);
}

static void check(struct lb_http_request *http, void *ctx)
{
    struct verify_api *api = ctx;

    (void)auth_check(api->auth, http, CATALOG_SCOPE_ADMIN, false);
}

enum lb_err verify_api_new(struct lb_http_server *server,
                           struct auth *auth,
                           const struct verify_parts *parts,
                           struct verify_api **api_out,
                           struct lb_error *err)
{
    struct verify_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route routes[] = {
        {"POST", "/v1/verify", check, handle_verify, api, 0},
        {"POST", "/v1/rebuild", check, handle_rebuild, api, 0}};
    enum lb_err rc = LB_OK;

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->auth = auth;
    api->readers = parts->readers;
    api->writer = parts->writer;
    api->days = parts->days;
    for (size_t i = 0; i < 2 && rc == LB_OK; i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

void verify_api_free(struct verify_api *api)
{
    free(api);
}

/* --- commands
 * ----------------------------------------------------------------------------
 */

static int ask(struct lb_cli *cli, const char *path, struct lb_buf *answer)
{
    const struct lb_client_request request = {.method = "POST", .path = path};
    struct lb_error err;
    int status = 0;

    lb_buf_init(answer, ANSWER_BYTES);
    if (lb_cli_request(cli, &request, &status, answer, &err) != LB_OK) {
        return lb_cli_fail(cli, &err);
    }
    return status == 200 ? LB_CLI_OK : lb_cli_fail_answer(cli, status, answer);
}

static int print_verdict(const struct lb_buf *answer, bool is_repair)
{
    cJSON *json = cJSON_Parse(lb_buf_text(answer));
    int64_t count = lb_json_int(json, "count");
    const cJSON *row;

    cJSON_ArrayForEach (row,
                        cJSON_GetObjectItemCaseSensitive(json, "differences")) {
        const char *value = lb_json_text(row, "value");
        bool is_total = strcmp(lb_json_text(row, "dimension"), "total") == 0;

        (void)printf(
            "%s %s %s%s%s %s: rollup %lld, log %lld (%s)\n",
            lb_json_text(row, "site"), lb_json_text(row, "hour"),
            lb_json_text(row, "dimension"), is_total ? "" : "=",
            is_total        ? ""
            : value == NULL ? "-"
                            : value,
            lb_json_text(row, "traffic"), (long long)lb_json_int(row, "rollup"),
            (long long)lb_json_int(row, "log"), lb_json_text(row, "metric"));
    }
    if (count == 0) {
        (void)printf("verify: ok, %lld hours, %lld rows\n",
                     (long long)lb_json_int(json, "hours"),
                     (long long)lb_json_int(json, "rows"));
    } else {
        (void)printf("verify: %lld differ%s\n", (long long)count,
                     is_repair ? ", derived anew" : "");
    }
    cJSON_Delete(json);
    return count == 0 || is_repair ? LB_CLI_OK : LB_CLI_FAILED;
}

int verify_command(struct lb_cli *cli, int argc, char **argv)
{
    bool is_repair = false;
    const struct lb_cli_option options[] = {
        {"repair", NULL, "derive anew what differs", NULL, &is_repair}};
    const struct lb_cli_usage usage = {"verify [--repair]", options, 1, 0};
    struct lb_buf answer;
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, NULL);

    if (exit_code >= 0) {
        return exit_code;
    }
    exit_code =
        ask(cli, is_repair ? "/v1/verify?repair=1" : "/v1/verify", &answer);
    if (exit_code == LB_CLI_OK && cli->is_json) {
        (void)printf("%s\n", lb_buf_text(&answer));
        exit_code =
            strncmp(lb_buf_text(&answer), "{\"ok\":true", 10) == 0 || is_repair
                ? LB_CLI_OK
                : LB_CLI_FAILED;
    } else if (exit_code == LB_CLI_OK) {
        exit_code = print_verdict(&answer, is_repair);
    }
    lb_buf_deinit(&answer);
    return exit_code;
}

int rebuild_command(struct lb_cli *cli, int argc, char **argv)
{
    const struct lb_cli_usage usage = {.line = "rebuild"};
    struct lb_buf answer;
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, NULL);

    if (exit_code >= 0) {
        return exit_code;
    }
    exit_code = ask(cli, "/v1/rebuild", &answer);
    if (exit_code == LB_CLI_OK) {
        cJSON *json = cJSON_Parse(lb_buf_text(&answer));

        (void)printf(cli->is_json ? "{\"days\":%lld}\n"
                                  : "rebuild: %lld site days derived anew\n",
                     (long long)lb_json_int(json, "days"));
        cJSON_Delete(json);
    }
    lb_buf_deinit(&answer);
    return exit_code;
}
