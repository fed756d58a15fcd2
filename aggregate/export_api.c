/* export_api.c - events and the stats sheet as streams.  Events are read in
 * pieces by log number, so that no read transaction lasts. */
#include "aggregate/export_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aggregate/export_row.h"
#include "aggregate/export_sheet.h"
#include "aggregate/export_since.h"
#include "aggregate/query.h"
#include "aggregate/query_params.h"
#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/inflate.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"
#include "sql/log_store.h"

#define PIECE_ROWS 8000 /* a segment is unpacked once for each piece */
#define PIECE_BYTES ((size_t)8 * 1024 * 1024)
#define SHEET_BYTES ((size_t)512 * 1024 * 1024)
#define PULL_BYTES ((size_t)1024 * 1024) /* thousands of names */
#define TAG_BYTES (2 * LB_SECRET_SHA256_BYTES + 3)

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
    bool is_digest;  /* the pass that only makes the digest */
    bool has_placed; /* the page's end was looked up */
    bool has_more;   /* rows follow the page */
    size_t piece_count;
    SHA256_CTX sha;
    int64_t modified_at_s; /* of closed days; 0: not known */
    bool is_named;         /* the site is, so it stays the same */
    int64_t begin_seq;     /* where the answer begins */
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

static struct log_range range_of(const struct export_work *work, bool has_texts)
{
    const struct query *query = &work->params.query;

    return (struct log_range){.after_seq = work->after_seq,
                              .upto_seq = work->upto_seq,
                              .from_at_ms = query->from_at_ms,
                              .to_at_ms = query->to_at_ms,
                              .sites = query->sites,
                              .site_count = query->site_count,
                              .has_texts = has_texts};
}

/* Where a page ends and whether rows follow it: the header that says so goes
 * out before the first row. */
static enum lb_err place_page(struct export_work *work, struct db *db)
{
    struct log_range range = range_of(work, false);
    struct dict_cache *cache = dict_cache_new();
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    int64_t rows = 0;
    int64_t last_seq = work->upto_seq;
    enum lb_err rc =
        cache == NULL ? LB_ENOMEM
                      : log_reader_open(db, cache, &range, &reader, &work->err);

    while (rc == LB_OK && rows <= work->left) {
        rc = log_reader_next(reader, &entry, &work->err);
        if (rc != LB_OK || entry == NULL) {
            break;
        }
        work->has_more = rows == work->left;
        last_seq = work->has_more ? last_seq : entry->seq;
        rows++;
    }
    work->upto_seq = work->has_more ? last_seq : work->upto_seq;
    work->has_placed = true;
    work->left = INT64_MAX; /* upto_seq bounds it from here on */
    log_reader_close(reader);
    dict_cache_free(cache);
    return rc;
}

static enum lb_err read_events(struct export_work *work, struct db *db)
{
    struct log_range range = range_of(work, true);
    struct dict_cache *cache = dict_cache_new();
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    int rows = 0;
    enum lb_err rc =
        cache == NULL ? LB_ENOMEM
                      : log_reader_open(db, cache, &range, &reader, &work->err);

    while (rc == LB_OK && rows < PIECE_ROWS && work->left > 0 &&
           work->piece.len < PIECE_BYTES / 2) {
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

static enum lb_err read_sheet(struct export_work *work, struct db *db)
{
    work->is_end = true;
    return export_sheet_write(&work->params.query, db, work->is_csv,
                              &work->piece, &work->err);
}

static void add_header(struct export_work *work)
{
    if (!work->is_csv || work->after_seq != work->begin_seq) {
        return;
    }
    if (work->is_stats) {
        export_sheet_csv_header(&work->piece);
    } else {
        export_row_csv_header(&work->piece);
    }
}

static void run(struct pool_job *job, struct db *db)
{
    struct export_work *work = (struct export_work *)job;

    work->rc = LB_OK;
    if (!work->is_stats && work->left != INT64_MAX && !work->has_placed) {
        work->rc = place_page(work, db);
    }
    if (work->rc == LB_OK && work->is_digest && work->is_named &&
        work->after_seq == work->begin_seq) {
        work->rc = export_since_read(db, &work->params.query,
                                     &work->modified_at_s, &work->err);
    }
    add_header(work);
    if (work->rc == LB_OK) {
        work->rc =
            work->is_stats ? read_sheet(work, db) : read_events(work, db);
    }
    if (work->rc == LB_OK && work->piece.is_failed) {
        work->rc = lb_err_set(&work->err, LB_ELIMIT,
                              "a piece of the export is too large");
    }
    if (work->rc == LB_OK && work->packer != NULL) {
        work->rc =
            lb_inflate_packer_add(work->packer, lb_buf_text(&work->piece),
                                  work->piece.len, work->is_end, &work->packed);
    }
    if (work->rc == LB_OK && work->is_digest) {
        const struct lb_buf *bytes =
            work->packer == NULL ? &work->piece : &work->packed;

        (void)SHA256_Update(&work->sha, lb_buf_text(bytes), bytes->len);
    }
}

static void start_piece(struct export_work *work);

static struct lb_inflate_packer *packer_of(const char *encoding)
{
    return lb_inflate_packer_new(
        strcmp(encoding, "zstd") == 0 ? LB_INFLATE_ZSTD : LB_INFLATE_GZIP);
}

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

/* The note in the log that an export was pulled. */
struct pull {
    struct writer_job job; /* first */
    struct cursor *cursor;
    struct entry entry;
    struct lb_buf data;
};

static enum lb_err
append_pull(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct pull *pull = (struct pull *)job;

    return cursor_append(pull->cursor, db, &pull->entry, err);
}

static void
free_pull(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    (void)rc;
    (void)err;
    lb_buf_deinit(&((struct pull *)job)->data);
    free(job);
}

/* The sites by name, unless they are all that there are. */
static void name_sites(const struct export_work *work, struct lb_buf *out)
{
    const struct query *query = &work->params.query;

    if (query->site_count == catalog_site_count(work->params.catalog)) {
        return;
    }
    lb_buf_add_text(out, ",\"sites\":[");
    for (size_t i = 0; i < query->site_count; i++) {
        const char *site = site_of(work, query->sites[i]);

        if (site != NULL) {
            lb_json_add_comma(out);
            lb_json_add_plain_string(out, site);
        }
    }
    lb_buf_add_char(out, ']');
}

/* An export that was sent whole counts as pulled. */
static void note_pull(const struct export_work *work)
{
    struct pull *pull = calloc(1, sizeof(*pull));

    if (pull == NULL) {
        return;
    }
    lb_buf_init(&pull->data, PULL_BYTES);
    lb_buf_printf(&pull->data, "{\"export\":\"%s\"",
                  work->is_stats ? "stats" : "events");
    name_sites(work, &pull->data);
    lb_buf_add_char(&pull->data, '}');
    pull->cursor = work->api->cursor;
    pull->entry.kind = ENTRY_PULL;
    pull->entry.received_at_ms = lb_clock_wall_ms();
    pull->entry.ts_at_ms = pull->entry.received_at_ms;
    pull->entry.data = lb_buf_text(&pull->data);
    pull->job.is_append = true;
    pull->job.run = append_pull;
    pull->job.done = free_pull;
    if (writer_submit(work->api->writer, &pull->job) != LB_OK) {
        free_pull(&pull->job, LB_ELIMIT, NULL);
    }
}

/* The digest is known: 304, or the second pass, which sends the same bytes.
 * False: answered. */
static bool end_digest(struct export_work *work)
{
    const char *known = lb_http_request_header(work->http, "If-None-Match");
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    char hex[2 * LB_SECRET_SHA256_BYTES + 1];
    char tag[TAG_BYTES];
    struct lb_buf text;

    work->is_digest = false;
    (void)SHA256_Final(digest, &work->sha);
    lb_text_to_hex(digest, sizeof(digest), hex);
    (void)snprintf(tag, sizeof(tag), "\"%s\"", hex);
    lb_http_respond_header(work->http, "ETag", tag);
    if (export_since_respond(work->http, work->modified_at_s) ||
        (known != NULL &&
         (strcmp(known, "*") == 0 || strstr(known, tag) != NULL))) {
        lb_http_respond(work->http, 304, NULL, "", 0);
        return false;
    }
    lb_buf_init(&text, 128);
    lb_buf_add_text(&text, "sha-256=:");
    lb_secret_add_base64(&text, digest, sizeof(digest));
    lb_buf_add_char(&text, ':');
    lb_http_respond_header(work->http, "Content-Digest", lb_buf_text(&text));
    lb_buf_deinit(&text);
    return true;
}

static void begin_answer(struct export_work *work)
{
    work->has_begun = true;
    if (work->encoding != NULL) {
        lb_http_respond_header(work->http, "Content-Encoding", work->encoding);
    }
    lb_http_respond_header(work->http, "Vary", "Accept, Accept-Encoding");
    if (work->has_more) {
        char cursor[32];

        (void)snprintf(cursor, sizeof(cursor), "%lld",
                       (long long)work->upto_seq);
        lb_http_respond_header(work->http, "X-Next-Cursor", cursor);
    }
    lb_http_respond_begin(work->http, 200,
                          work->is_csv ? "text/csv; charset=utf-8"
                                       : "application/x-ndjson",
                          on_drain, work);
}

static void fail(struct export_work *work, enum lb_err rc, const char *text)
{
    if (work->has_begun) {
        lb_http_respond_abort(work->http);
    } else {
        lb_http_respond_error(work->http, rc == LB_ELIMIT ? 400 : 503,
                              rc == LB_ELIMIT ? "too_many_groups" : "not_ready",
                              text, NULL);
    }
    free_work(work);
}

/* A piece of the pass for the digest.  True: it is over, and the piece in hand
 * is the whole answer; else all is taken care of. */
static bool go_on_with_digest(struct export_work *work, bool is_first)
{
    if (!work->is_end) {
        if (lb_http_request_is_gone(work->http)) {
            lb_http_respond_abort(work->http);
            free_work(work);
        } else {
            start_piece(work);
        }
        return false;
    }
    if (!end_digest(work)) {
        free_work(work);
        return false;
    }
    if (is_first) {
        return true;
    }
    work->is_end = false;
    work->after_seq = work->begin_seq;
    if (work->encoding != NULL) {
        lb_inflate_packer_free(work->packer);
        work->packer = packer_of(work->encoding);
    }
    start_piece(work);
    return false;
}

static void send_piece(struct export_work *work)
{
    struct lb_buf *piece = work->packer == NULL ? &work->piece : &work->packed;
    bool is_free;

    if (!work->has_begun) {
        begin_answer(work);
    }
    is_free =
        lb_http_respond_write(work->http, lb_buf_text(piece), piece->len) ||
        piece->len == 0;
    if (work->is_end || lb_http_request_is_gone(work->http)) {
        if (!lb_http_request_is_gone(work->http)) {
            note_pull(work);
        }
        lb_http_respond_end(work->http);
        free_work(work);
    } else if (is_free) {
        start_piece(work);
    }
}

static void
done(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct export_work *work = (struct export_work *)job;
    bool is_first = work->piece_count++ == 0;

    work->is_running = false;
    rc = rc == LB_OK ? work->rc : rc;
    if (rc != LB_OK) {
        fail(work, rc, work->rc != LB_OK ? work->err.text : err->text);
    } else if (!work->is_digest || go_on_with_digest(work, is_first)) {
        send_piece(work);
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
    const struct query_params_dates dates = {
        .from =
            day != NULL ? day : lb_http_request_query(work->http, "from", 0),
        .to = day != NULL ? day : lb_http_request_query(work->http, "to", 0)};
    struct lb_error err;

    if (!query_params_range(&dates, query->zone, lb_clock_wall_ms(),
                            &query->from_at_ms, &query->to_at_ms, &err)) {
        return refuse(work->http, "bad_request", err.text);
    }
    if (dates.to == NULL) {
        query->to_at_ms = INT64_MAX;
        if (work->is_stats) {
            query->to_at_ms = lb_zone_day_start_ms(
                query->zone,
                lb_zone_local_day(query->zone, lb_clock_wall_ms()) + 1);
        }
    }
    return true;
}

/* Whether Accept-Encoding names the coding, not with a weight of 0 (RFC 9110,
 * 12.5.3). */
static bool takes_encoding(const char *list, const char *name)
{
    size_t len = strlen(name);

    while (list != NULL) {
        list += strspn(list, ", \t");
        if (strncasecmp(list, name, len) == 0 &&
            strchr(" \t;,", list[len]) != NULL) {
            const char *weight = list + len + strspn(list + len, " \t;");

            return strncasecmp(weight, "q=0", 3) != 0 ||
                   strspn(weight + 3, ".0") < strcspn(weight + 3, ", \t");
        }
        list = strchr(list, ',');
    }
    return false;
}

static bool check_names(struct lb_http_request *http)
{
    static const char *const known[] = {"site", "from",   "to",    "day",
                                        "tz",   "format", "limit", "cursor",
                                        "key",  NULL};
    char message[120];

    for (size_t i = 0; i < lb_http_request_query_count(http); i++) {
        const char *name = lb_http_request_query_key(http, i);
        size_t at = 0;

        while (known[at] != NULL && strcmp(known[at], name) != 0) {
            at++;
        }
        if (known[at] == NULL) {
            (void)snprintf(message, sizeof(message),
                           "There is no parameter \"%.60s\" here.", name);
            return refuse(http, "unknown_parameter", message);
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
    work->begin_seq = number;
    work->encoding = takes_encoding(encodings, "zstd")   ? "zstd"
                     : takes_encoding(encodings, "gzip") ? "gzip"
                                                         : NULL;
    if (work->encoding != NULL) {
        work->packer = packer_of(work->encoding);
        work->encoding = work->packer == NULL ? NULL : work->encoding;
    }
    if (lb_http_request_query(work->http, "day", 0) != NULL) {
        work->is_digest = true;
        (void)SHA256_Init(&work->sha);
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
    work->is_named = lb_http_request_query(http, "site", 0) != NULL &&
                     strcmp(lb_http_request_query(http, "site", 0), "*") != 0;
    if (!check_names(http) || !query_params_sites(http, &work->params) ||
        !read_range(work) || !read_options(work)) {
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
                           const struct export_parts *parts,
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
    api->readers = parts->readers;
    api->writer = parts->writer;
    api->cursor = parts->cursor;
    for (size_t i = 0; i < 2 && rc == LB_OK; i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

void export_api_free(struct export_api *api)
{
    free(api);
}
