/* export_api.c - events and the stats sheet as streams.  Events are read in
 * pieces by log number, so that no read transaction lasts. */
#include "aggregate/export_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/export_row.h"
#include "aggregate/query.h"
#include "aggregate/query_params.h"
#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/inflate.h"
#include "base/json.h"
#include "base/text.h"
#include "sql/log_store.h"

#define PIECE_ROWS 2000
#define PIECE_BYTES ((size_t)8 * 1024 * 1024)
#define SHEET_BYTES ((size_t)512 * 1024 * 1024)
#define SHEET_TIMEOUT_MS (10 * LB_MS_PER_MIN)

struct export_api {
    struct auth *auth;
    struct pool *readers;
    struct writer *writer;
    struct cursor *cursor;
};

struct export_work {
    struct pool_job job; /* first */
    struct export_api *api;
    struct lb_http_request *http;
    struct query_params params; /* sites, zone, range */
    bool is_stats;
    bool is_csv;
    bool has_begun;
    bool is_running; /* a piece is being read */
    bool is_end;
    int64_t after_seq;
    int64_t upto_seq;
    int64_t left;                     /* rows still wanted; INT64_MAX: all */
    struct lb_inflate_packer *packer; /* owned; NULL: not packed */
    const char *encoding;
    struct lb_buf piece;
    struct lb_buf packed;
    enum lb_err rc;
    struct lb_error err;
};

static void free_work(struct export_work *work)
{
    query_params_deinit(&work->params);
    lb_inflate_packer_free(work->packer);
    lb_buf_deinit(&work->piece);
    lb_buf_deinit(&work->packed);
    free(work);
}

static const char *site_of(const struct export_work *work, int64_t number)
{
    const struct catalog_site *site =
        catalog_site_by_number(work->params.catalog, number);

    return site == NULL ? NULL : site->id;
}

static enum lb_err read_events(struct export_work *work, struct db *db)
{
    const struct query *query = &work->params.query;
    struct log_range range = {.after_seq = work->after_seq,
                              .upto_seq = work->upto_seq,
                              .from_at_ms = query->from_at_ms,
                              .to_at_ms = query->to_at_ms,
                              .sites = query->sites,
                              .site_count = query->site_count,
                              .has_texts = true};
    struct dict_cache *cache = dict_cache_new();
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    int rows = 0;
    enum lb_err rc =
        cache == NULL ? LB_ENOMEM
                      : log_reader_open(db, cache, &range, &reader, &work->err);

    while (rc == LB_OK && rows < PIECE_ROWS && work->left > 0) {
        rc = log_reader_next(reader, &entry, &work->err);
        if (rc != LB_OK || entry == NULL) {
            work->is_end = true;
            break;
        }
        if (work->is_csv) {
            export_row_csv(entry, site_of(work, entry->site), &work->piece);
        } else {
            export_row_json(entry, site_of(work, entry->site), &work->piece);
        }
        work->after_seq = entry->seq;
        work->left--;
        rows++;
    }
    work->is_end = work->is_end || work->left == 0;
    log_reader_close(reader);
    dict_cache_free(cache);
    return rc;
}

static void add_sheet_number(struct lb_buf *out,
                             const struct query_figures *figures,
                             enum query_metric metric)
{
    double value = 0;
    double hits = 0;
    double n = 0;

    if (query_figure(figures, metric, &value, &hits, &n)) {
        lb_json_add_double(out, value, 4);
    }
}

/* One row: date, site, page, link, source, utm_campaign, country and the
 * figures. */
static void add_sheet_row(struct export_work *work, const struct query_row *row)
{
    static const char *const names[] = {
        "date", "site", "page", "link", "source", "utm_campaign", "country"};
    static const enum query_metric metrics[] = {QUERY_VIEWS, QUERY_CLICKS,
                                                QUERY_LEADS, QUERY_CTR};
    static const char *const metric_names[] = {"views", "clicks", "leads",
                                               "ctr",   "ctr_lo", "ctr_hi"};
    struct lb_buf *out = &work->piece;
    const struct rollup_counts *counts = &row->figures.counts;
    bool has_bounds = counts->views > 0 && counts->clicks <= counts->views;
    double bounds[2] = {0, 0};
    char date[LB_ZONE_DAY_BYTES];

    lb_zone_format_day(
        lb_zone_local_day(work->params.query.zone, row->time_at_ms), date);
    if (has_bounds) {
        rollup_wilson((double)counts->clicks, (double)counts->views, &bounds[0],
                      &bounds[1]);
    }
    if (!work->is_csv) {
        lb_buf_add_char(out, '{');
    }
    for (int i = 0; i < 7; i++) {
        const char *text = i == 0 ? date : row->values[i];

        if (work->is_csv) {
            lb_buf_add_text(out, i == 0 ? "" : ",");
            lb_text_add_csv(out, text == NULL ? "" : text);
        } else {
            lb_json_add_key(out, names[i]);
            lb_json_add_string(out, text);
        }
    }
    for (int i = 0; i < 6; i++) {
        size_t before;

        if (work->is_csv) {
            lb_buf_add_char(out, ',');
        } else {
            lb_json_add_key(out, metric_names[i]);
        }
        before = out->len;
        if (i < 4) {
            add_sheet_number(out, &row->figures, metrics[i]);
        } else if (has_bounds) {
            lb_json_add_double(out, bounds[i - 4], 4);
        }
        if (!work->is_csv && out->len == before) {
            lb_buf_add_text(out, "null");
        }
    }
    lb_buf_add_text(out, work->is_csv ? "\r\n" : "}\n");
}

static int compare_rows(const void *left, const void *right)
{
    const struct query_row *a = left;
    const struct query_row *b = right;

    if (a->time_at_ms != b->time_at_ms) {
        return a->time_at_ms < b->time_at_ms ? -1 : 1;
    }
    for (int i = 1; i < 7; i++) {
        int order = strcmp(a->values[i] == NULL ? "" : a->values[i],
                           b->values[i] == NULL ? "" : b->values[i]);

        if (order != 0) {
            return order;
        }
    }
    return 0;
}

static enum lb_err read_sheet(struct export_work *work, struct db *db)
{
    static const char *const names[] = {"time:day", "site",   "page",
                                        "link",     "source", "utm_campaign",
                                        "country"};
    struct query *query = &work->params.query;
    struct query_result result;
    enum lb_err rc;

    query->dimension_count = 7;
    for (size_t i = 0; i < 7; i++) {
        (void)dimension_find(names[i], true, &query->dimensions[i]);
        query->dimensions[i].is_of_click =
            false; /* a sheet shows views in rows of their own */
    }
    query->metrics[0] =
        QUERY_VISITORS; /* so that the log is read, not the totals */
    query->metric_count = 1;
    query->order_metric = -1;
    query->order_dimension = -1;
    query->traffic = 1u << ENTRY_HUMAN;
    query->deadline_at_ms = lb_clock_mono_ms() + SHEET_TIMEOUT_MS;
    rc = query_run(query, db, &result, &work->err);
    if (rc == LB_OK) {
        qsort(result.rows, result.row_count, sizeof(*result.rows),
              compare_rows);
        for (size_t i = 0; i < result.row_count; i++) {
            add_sheet_row(work, &result.rows[i]);
        }
    }
    query_result_deinit(&result);
    work->is_end = true;
    return rc;
}

static void add_header(struct export_work *work)
{
    if (!work->is_csv || work->has_begun) {
        return;
    }
    if (work->is_stats) {
        lb_buf_add_text(&work->piece,
                        "date,site,page,link,source,utm_campaign,country,views,"
                        "clicks,leads,ctr,ctr_lo,ctr_hi\r\n");
    } else {
        export_row_csv_header(&work->piece);
    }
}

static void run(struct pool_job *job, struct db *db)
{
    struct export_work *work = (struct export_work *)job;

    add_header(work);
    work->rc = work->is_stats ? read_sheet(work, db) : read_events(work, db);
    if (work->rc == LB_OK && work->piece.is_failed) {
        work->rc = lb_err_set(&work->err, LB_ELIMIT,
                              "a piece of the export is too large");
    }
    if (work->rc == LB_OK && work->packer != NULL) {
        work->rc =
            lb_inflate_packer_add(work->packer, lb_buf_text(&work->piece),
                                  work->piece.len, work->is_end, &work->packed);
    }
}

static void start_piece(struct export_work *work);

static void on_drain(void *ctx)
{
    struct export_work *work = ctx;

    if (work->is_running) {
        return;
    }
    if (lb_http_request_is_gone(work->http)) {
        lb_http_respond_abort(work->http);
        free_work(work);
        return;
    }
    start_piece(work);
}

/* An export that was sent whole counts as pulled. */
static void begin_answer(struct export_work *work)
{
    work->has_begun = true;
    if (work->encoding != NULL) {
        lb_http_respond_header(work->http, "Content-Encoding", work->encoding);
    }
    if (work->is_end && work->left == 0 && !work->is_stats) {
        char cursor[32];

        (void)snprintf(cursor, sizeof(cursor), "%lld",
                       (long long)work->after_seq);
        lb_http_respond_header(work->http, "X-Next-Cursor", cursor);
    }
    lb_http_respond_begin(work->http, 200,
                          work->is_csv ? "text/csv; charset=utf-8"
                                       : "application/x-ndjson",
                          on_drain, work);
}

static void
done(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct export_work *work = (struct export_work *)job;
    struct lb_buf *piece = work->packer == NULL ? &work->piece : &work->packed;
    bool is_free;

    work->is_running = false;
    rc = rc == LB_OK ? work->rc : rc;
    if (rc != LB_OK) {
        if (work->has_begun) {
            lb_http_respond_abort(work->http);
        } else {
            lb_http_respond_error(
                work->http, rc == LB_ELIMIT ? 400 : 503,
                rc == LB_ELIMIT ? "too_many_groups" : "not_ready",
                work->rc != LB_OK ? work->err.text : err->text, NULL);
        }
        free_work(work);
        return;
    }
    if (!work->has_begun) {
        begin_answer(work);
    }
    is_free =
        lb_http_respond_write(work->http, lb_buf_text(piece), piece->len) ||
        piece->len == 0;
    if (work->is_end || lb_http_request_is_gone(work->http)) {
        lb_http_respond_end(work->http);
        free_work(work);
    } else if (is_free) {
        start_piece(work);
    }
}

static void start_piece(struct export_work *work)
{
    work->is_running = true;
    lb_buf_clear(&work->piece);
    lb_buf_clear(&work->packed);
    work->job.run = run;
    work->job.done = done;
    pool_submit(work->api->readers, &work->job);
}

/* --- requests
 * -------------------------------------------------------------------------- */

static bool
refuse(struct lb_http_request *http, const char *code, const char *message)
{
    lb_http_respond_error(http, 400, code, message, NULL);
    return false;
}

static bool read_range(struct export_work *work)
{
    struct query *query = &work->params.query;
    const char *day = lb_http_request_query(work->http, "day", 0);
    const char *from =
        day != NULL ? day : lb_http_request_query(work->http, "from", 0);
    const char *to =
        day != NULL ? day : lb_http_request_query(work->http, "to", 0);
    struct lb_error err;

    if (!query_params_range(from, to, NULL, query->zone, lb_clock_wall_ms(),
                            &query->from_at_ms, &query->to_at_ms, &err)) {
        return refuse(work->http, "bad_request", err.text);
    }
    if (to == NULL) {
        query->to_at_ms = INT64_MAX;
        if (work->is_stats) {
            query->to_at_ms = lb_zone_day_start_ms(
                query->zone,
                lb_zone_local_day(query->zone, lb_clock_wall_ms()) + 1);
        }
    }
    return true;
}

static bool read_options(struct export_work *work)
{
    const char *format = lb_http_request_query(work->http, "format", 0);
    const char *accept = lb_http_request_header(work->http, "Accept");
    const char *encodings =
        lb_http_request_header(work->http, "Accept-Encoding");
    const char *limit = lb_http_request_query(work->http, "limit", 0);
    const char *cursor = lb_http_request_query(work->http, "cursor", 0);
    long long number = INT64_MAX;

    work->is_csv = format != NULL
                       ? strcmp(format, "csv") == 0
                       : accept != NULL && strstr(accept, "text/csv") != NULL;
    if (format != NULL && !work->is_csv && strcmp(format, "ndjson") != 0) {
        return refuse(work->http, "bad_request",
                      "format must be ndjson or csv.");
    }
    if (limit != NULL && (!lb_text_to_int(limit, &number) || number < 1)) {
        return refuse(work->http, "bad_request",
                      "limit must be a number from 1.");
    }
    work->left = number;
    number = 0;
    if (cursor != NULL && (!lb_text_to_int(cursor, &number) || number < 0)) {
        return refuse(work->http, "bad_cursor", "cursor is damaged.");
    }
    work->after_seq = number;
    if (encodings != NULL && strstr(encodings, "zstd") != NULL) {
        work->encoding = "zstd";
        work->packer = lb_inflate_packer_new(LB_INFLATE_ZSTD);
    } else if (encodings != NULL && strstr(encodings, "gzip") != NULL) {
        work->encoding = "gzip";
        work->packer = lb_inflate_packer_new(LB_INFLATE_GZIP);
    }
    return true;
}

static void
handle(struct export_api *api, struct lb_http_request *http, bool is_stats)
{
    struct export_work *work = calloc(1, sizeof(*work));

    if (work == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return;
    }
    lb_buf_init(&work->piece, is_stats ? SHEET_BYTES : PIECE_BYTES);
    lb_buf_init(&work->packed, is_stats ? SHEET_BYTES : PIECE_BYTES);
    work->api = api;
    work->http = http;
    work->is_stats = is_stats;
    if (!query_params_sites(http, &work->params) || !read_range(work) ||
        !read_options(work)) {
        free_work(work);
        return;
    }
    work->upto_seq = cursor_seq(api->cursor);
    start_piece(work);
}

static void handle_events(struct lb_http_request *http, void *ctx)
{
    handle(ctx, http, false);
}

static void handle_stats(struct lb_http_request *http, void *ctx)
{
    handle(ctx, http, true);
}

static void check(struct lb_http_request *http, void *ctx)
{
    struct export_api *api = ctx;

    (void)auth_check(api->auth, http, CATALOG_SCOPE_EXPORT, true);
}

enum lb_err export_api_new(struct lb_http_server *server,
                           struct auth *auth,
                           struct pool *readers,
                           struct writer *writer,
                           struct cursor *cursor,
                           struct export_api **api_out,
                           struct lb_error *err)
{
    struct export_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route routes[] = {
        {"GET", "/v1/export/events", check, handle_events, api, 0},
        {"GET", "/v1/export/stats", check, handle_stats, api, 0}};
    enum lb_err rc = LB_OK;

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->auth = auth;
    api->readers = readers;
    api->writer = writer;
    api->cursor = cursor;
    for (size_t i = 0; i < 2 && rc == LB_OK; i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

void export_api_free(struct export_api *api)
{
    free(api);
}
