/* live_api.c - streams of what happens. */
#include "aggregate/live_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/live.h"
#include "aggregate/query_params.h"
#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/text.h"

#define TICK_MS 250 /* how often the log is looked at */
#define STATE_MS (5 * LB_MS_PER_S)
#define SILENCE_MS (15 * LB_MS_PER_S)
#define LONGEST_MS LB_MS_PER_HOUR /* then the client comes again, if it may */
#define PIECE_BYTES ((size_t)4 * 1024 * 1024)
#define STATE_BYTES 160
#define JSON_BYTES ((size_t)512)

struct live_api {
    struct auth *auth;
    struct lb_http_server *server;
    struct pool *readers;
    struct cursor *cursor;
    alert_feed_fn alerts;
    int64_t streams_most;
    int64_t stream_count;
};

/* One listener.  Alive until its answer is over and no job of it runs. */
struct live_stream {
    struct pool_job job; /* first */
    struct live_api *api;
    struct lb_http_request *http;
    struct query_params params;
    struct live live;
    bool is_first;
    bool is_behind; /* the peer has not taken the last piece */
    bool is_state_due;
    int64_t alert_number;
    int64_t upto_seq;
    int64_t began_at_ms; /* monotonic, as the others */
    int64_t state_due_at_ms;
    int64_t sent_at_ms;
    char state[STATE_BYTES]; /* as last told, without as_of */
    struct lb_buf piece;
    enum lb_err rc;
    struct lb_error err;
};

static void free_stream(struct live_stream *stream)
{
    stream->api->stream_count--;
    query_params_deinit(&stream->params);
    lb_buf_deinit(&stream->piece);
    free(stream);
}

/* --- reading -------------------------------------------------------------- */

static bool may_site(void *ctx, const char *id)
{
    const struct live_stream *stream = ctx;
    const struct catalog_site *site =
        catalog_site_find(stream->live.catalog, id);

    for (size_t i = 0; site != NULL && i < stream->live.site_count; i++) {
        if (stream->live.sites[i] == site->number) {
            return true;
        }
    }
    return false;
}

static void add_alert(void *ctx, const struct lb_buf *alert)
{
    struct live_stream *stream = ctx;

    live_add(&stream->piece, "alert", stream->live.seq, lb_buf_text(alert));
}

static enum lb_err read_state(struct live_stream *stream, struct db *db)
{
    int64_t now_ms = lb_clock_wall_ms();
    char text[STATE_BYTES];
    struct live_state state;
    struct lb_buf json;
    enum lb_err rc =
        live_read_state(&stream->live, db, now_ms, &state, &stream->err);

    if (rc != LB_OK) {
        return rc;
    }
    (void)snprintf(text, sizeof(text),
                   "{\"visitors_now\":%lld,\"views_5m\":%lld,\"clicks_5m\":"
                   "%lld,\"as_of\":",
                   (long long)state.visitors_now, (long long)state.views,
                   (long long)state.clicks);
    if (strcmp(text, stream->state) == 0) {
        return LB_OK;
    }
    memcpy(stream->state, text, sizeof(text));
    lb_buf_init(&json, JSON_BYTES);
    lb_buf_add_text(&json, text);
    lb_json_add_time(&json, now_ms);
    lb_buf_add_char(&json, '}');
    live_add(&stream->piece, "state", stream->live.seq, lb_buf_text(&json));
    lb_buf_deinit(&json);
    return LB_OK;
}

static void run(struct pool_job *job, struct db *db)
{
    struct live_stream *stream = (struct live_stream *)job;
    const struct alert_feed feed = {may_site, add_alert, stream};
    enum lb_err rc = stream->is_state_due ? read_state(stream, db) : LB_OK;

    rc = rc == LB_OK ? live_read_events(&stream->live, db, stream->upto_seq,
                                        &stream->piece, &stream->err)
                     : rc;
    stream->rc = rc == LB_OK
                     ? stream->api->alerts(db, &feed, &stream->alert_number,
                                           &stream->err)
                     : rc;
}

/* --- sending -------------------------------------------------------------- */

static void look(void *ctx);

static void look_later(struct live_stream *stream)
{
    if (lb_http_server_later_start(stream->api->server, TICK_MS, look,
                                   stream) == NULL) {
        lb_http_respond_abort(stream->http);
        free_stream(stream);
    }
}

static void end(struct live_stream *stream)
{
    lb_http_respond_end(stream->http);
    free_stream(stream);
}

static void on_drain(void *ctx)
{
    struct live_stream *stream = ctx;

    stream->is_behind = false;
}

static void tell(struct live_stream *stream, const char *bytes, size_t len)
{
    stream->sent_at_ms = lb_clock_mono_ms();
    stream->is_behind = !lb_http_respond_write(stream->http, bytes, len);
}

static void
done(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct live_stream *stream = (struct live_stream *)job;

    (void)err;
    if (lb_http_request_is_gone(stream->http) || rc != LB_OK ||
        stream->rc != LB_OK || stream->piece.is_failed) {
        end(stream); /* the client comes again with its Last-Event-ID */
        return;
    }
    if (stream->piece.len > 0) {
        tell(stream, lb_buf_text(&stream->piece), stream->piece.len);
    }
    look_later(stream);
}

/* Whether there is something to read. */
static bool is_due(struct live_stream *stream, int64_t now_ms)
{
    stream->is_state_due = now_ms >= stream->state_due_at_ms;
    stream->upto_seq = cursor_seq(stream->api->cursor);
    return stream->is_first || stream->is_state_due ||
           stream->upto_seq > stream->live.seq;
}

static void look(void *ctx)
{
    struct live_stream *stream = ctx;
    int64_t now_ms = lb_clock_mono_ms();

    if (lb_http_request_is_gone(stream->http) ||
        lb_http_request_is_draining(stream->http) ||
        now_ms - stream->began_at_ms > LONGEST_MS) {
        end(stream);
    } else if (!stream->is_behind && is_due(stream, now_ms)) {
        stream->is_first = false;
        if (stream->is_state_due) {
            stream->state_due_at_ms = now_ms + STATE_MS;
        }
        lb_buf_clear(&stream->piece);
        stream->job.run = run;
        stream->job.done = done;
        pool_submit(stream->api->readers, &stream->job);
    } else {
        if (!stream->is_behind && now_ms - stream->sent_at_ms >= SILENCE_MS) {
            tell(stream, ":\n\n", 3);
        }
        look_later(stream);
    }
}

/* --- the route ------------------------------------------------------------ */

static bool read_place(struct live_stream *stream)
{
    const char *last = lb_http_request_header(stream->http, "Last-Event-ID");
    int64_t now_seq = cursor_seq(stream->api->cursor);
    long long seq = now_seq;

    stream->live.seq = now_seq;
    if (last == NULL) {
        return true;
    }
    if (!lb_text_to_int(last, &seq) || seq < 0) {
        lb_http_respond_error(stream->http, 400, "bad_request",
                              "Last-Event-ID is none that was sent here.",
                              NULL);
        return false;
    }
    stream->live.has_no_rate = true;
    seq = seq < now_seq - LIVE_BACK ? now_seq - LIVE_BACK : seq;
    stream->live.seq = seq < now_seq ? seq : now_seq;
    return true;
}

static bool read_request(struct live_stream *stream)
{
    static const char *const known[] = {"site", NULL};

    if (!query_params_read_some(stream->http, known, false, &stream->params)) {
        return false;
    }
    stream->live.catalog = stream->params.catalog;
    stream->live.sites = stream->params.sites;
    stream->live.site_count = stream->params.query.site_count;
    return read_place(stream);
}

static void handle(struct lb_http_request *http, void *ctx)
{
    struct live_api *api = ctx;
    struct live_stream *stream;

    if (api->stream_count >= api->streams_most) {
        lb_metrics_limit_hit("live_streams");
        lb_http_respond_header(http, "Retry-After", "10");
        lb_http_respond_error(http, 503, "overloaded",
                              "Too many listen to /v1/live.",
                              "See limits.live_streams.");
        return;
    }
    stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return;
    }
    api->stream_count++;
    stream->api = api;
    stream->http = http;
    stream->is_first = true;
    stream->alert_number = -1;
    stream->began_at_ms = lb_clock_mono_ms();
    lb_buf_init(&stream->piece, PIECE_BYTES);
    if (!read_request(stream)) {
        free_stream(stream);
        return;
    }
    lb_http_respond_begin(http, 200, "text/event-stream", on_drain, stream);
    if (lb_http_request_is_head(http)) {
        end(stream);
    } else {
        look(stream);
    }
}

static void check(struct lb_http_request *http, void *ctx)
{
    struct live_api *api = ctx;

    (void)auth_check(api->auth, http, CATALOG_SCOPE_READ, false);
}

enum lb_err live_api_new(struct lb_http_server *server,
                         struct auth *auth,
                         const struct stats_parts *parts,
                         alert_feed_fn alerts,
                         struct live_api **api_out,
                         struct lb_error *err)
{
    struct live_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route route = {"GET",  "/v1/live", check,
                                        handle, api,        0};

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->auth = auth;
    api->server = server;
    api->readers = parts->readers;
    api->cursor = parts->cursor;
    api->alerts = alerts;
    return lb_http_server_add_route(server, &route, err);
}

void live_api_set_config(struct live_api *api, const struct lb_config *config)
{
    api->streams_most = config->live_streams;
}

void live_api_free(struct live_api *api)
{
    free(api);
}
