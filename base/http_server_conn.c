/* http_server_conn.c - one connection: reading requests, writing answers in
 * order. */
#include "base/http_server_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/http_respond.h"
#include "base/text.h"

#define LIMIT_HINT_BYTES 64

static void process(struct lb_http_conn *conn);

static void set_deadline(struct lb_http_conn *conn, int64_t after_ms)
{
    conn->deadline_at_ms = after_ms == 0 ? 0 : lb_clock_mono_ms() + after_ms;
}

static void on_closed(uv_handle_t *handle)
{
    struct lb_http_conn *conn = handle->data;

    lb_http_server_conn_gone(conn);
    lb_buf_deinit(&conn->in);
    lb_buf_deinit(&conn->out);
    lb_buf_deinit(&conn->writing);
    free(conn);
}

static void unlink_dirty(struct lb_http_conn *conn)
{
    struct lb_http_conn **at = &conn->server->dirty;

    while (*at != NULL && *at != conn) {
        at = &(*at)->next_dirty;
    }
    if (*at == conn) {
        *at = conn->next_dirty;
    }
    conn->is_dirty = false;
}

static void drop_requests(struct lb_http_conn *conn)
{
    struct lb_http_request *request = conn->first;

    conn->first = NULL;
    conn->last = NULL;
    while (request != NULL) {
        struct lb_http_request *next = request->next;
        bool is_pending = request->is_handed && !request->is_answered;
        void (*on_drain)(void *) = request->on_drain;

        request->next = NULL;
        request->conn = NULL;
        if (!is_pending) {
            lb_http_server_give_request(request);
        } else if (on_drain != NULL) {
            on_drain(request->drain_ctx);
        }
        request = next;
    }
}

static void close_conn(struct lb_http_conn *conn, bool is_reset)
{
    if (conn->state == LB_HTTP_CONN_CLOSED) {
        return;
    }
    conn->state = LB_HTTP_CONN_CLOSED;
    unlink_dirty(conn);
    if (!is_reset || conn->is_local ||
        uv_tcp_close_reset(&conn->uv.tcp, on_closed) != 0) {
        uv_close(&conn->uv.handle, on_closed);
    }
    drop_requests(conn);
}

void lb_http_server_conn_close(struct lb_http_conn *conn)
{
    close_conn(conn, false);
}

void lb_http_server_conn_mark(struct lb_http_conn *conn)
{
    if (!conn->is_dirty && conn->state != LB_HTTP_CONN_CLOSED) {
        conn->is_dirty = true;
        conn->next_dirty = conn->server->dirty;
        conn->server->dirty = conn;
    }
}

/* Gives bytes back that a body holds no more or holds now. */
static bool count_inflight(struct lb_http_request *request)
{
    struct lb_http_server *server = request->server;

    server->inflight_bytes += request->body.cap - request->inflight;
    request->inflight = request->body.cap;
    return server->inflight_bytes <= server->limits.inflight_bytes;
}

static struct lb_http_request *begin_request(struct lb_http_conn *conn)
{
    struct lb_http_request *request = lb_http_server_take_request(conn->server);
    struct lb_http_parse_limits limits = {
        conn->server->limits.request_line_bytes,
        conn->server->limits.header_bytes, conn->server->limits.header_count};

    if (request == NULL) {
        return NULL;
    }
    request->conn = conn;
    request->peer = conn->peer;
    request->is_local = conn->is_local;
    request->query = "";
    request->began_at_ns = lb_clock_mono_ns();
    lb_http_parse_init(&request->head, &limits);
    if (conn->last == NULL) {
        conn->first = request;
    } else {
        conn->last->next = request;
    }
    conn->last = request;
    conn->request_count++;
    return request;
}

static void hand_over(struct lb_http_conn *conn,
                      struct lb_http_request *request)
{
    request->is_complete = true;
    conn->state = LB_HTTP_CONN_HEAD;
    set_deadline(conn, 0);
    if (!request->is_answered && !request->is_streaming) {
        request->is_handed = true;
        request->route->handler(request, request->route->ctx);
    }
    if (conn->state == LB_HTTP_CONN_HEAD && request->is_closing) {
        conn->state = LB_HTTP_CONN_DEAF;
    }
}

static void refuse(struct lb_http_request *request,
                   int status,
                   const char *code,
                   const char *text,
                   const char *limit)
{
    char hint[LIMIT_HINT_BYTES] = "";

    if (limit != NULL) {
        lb_http_server_limit_hit(request->server, limit);
        (void)snprintf(hint, sizeof(hint), "See limits.%s.", limit);
    }
    lb_http_respond_error_close(request, status, code, text,
                                limit == NULL ? NULL : hint);
}

static size_t body_limit(const struct lb_http_request *request)
{
    size_t limit = request->route->body_bytes;

    return limit == 0 ? request->server->limits.body_bytes : limit;
}

/* The head is parsed: checks it, asks the route, and goes on with the body. */
static void after_head(struct lb_http_conn *conn,
                       struct lb_http_request *request)
{
    const struct lb_http_parse *head = &request->head;
    bool has_body = head->is_chunked || head->content_length > 0;

    request->is_closing = !head->is_keep_alive || conn->server->is_draining;
    lb_http_request_read_head(request);
    if (head->has_expect && !head->is_expect_continue) {
        refuse(request, 417, "bad_request",
               "Only Expect: 100-continue is known.", NULL);
        return;
    }
    if (!lb_http_request_find_route(request)) {
        if (has_body) {
            request->is_closing = true;
            conn->state = LB_HTTP_CONN_DEAF;
        }
        return;
    }
    if (request->route->head != NULL) {
        request->route->head(request, request->route->ctx);
        if (request->is_answered && has_body) {
            request->is_closing = true;
            conn->state = LB_HTTP_CONN_DEAF;
            return;
        }
    }
    if (head->has_length &&
        (uint64_t)head->content_length > body_limit(request)) {
        if (!request->is_answered) {
            refuse(request, 413, "too_large",
                   "The body is larger than is taken.", "body_bytes");
        }
        return;
    }
    if (has_body && head->is_expect_continue && head->minor_version == 1) {
        lb_buf_add_text(conn->first == request ? &conn->out : &request->out,
                        "HTTP/1.1 100 Continue\r\n\r\n");
        lb_http_server_conn_mark(conn);
    }
    conn->body_left = head->is_chunked ? -1 : head->content_length;
    lb_http_parse_chunked_init(&conn->chunked, &head->limits);
    request->body.max = body_limit(request);
    conn->state = LB_HTTP_CONN_BODY;
    set_deadline(conn, conn->server->limits.body_timeout_ms);
    if (!has_body) {
        hand_over(conn, request);
    }
}

static const char *code_of_status(int status)
{
    switch (status) {
    case 414:
        return "uri_too_long";
    case 431:
        return "headers_too_large";
    default:
        return "bad_request";
    }
}

/* Whether the peer must take answers before more of its requests are read. */
static bool is_full(const struct lb_http_conn *conn)
{
    size_t waiting = conn->out.len;

    if (conn->request_count >= conn->server->limits.pipeline) {
        return true;
    }
    for (const struct lb_http_request *at = conn->first; at != NULL;
         at = at->next) {
        waiting += at->out.len;
    }
    return waiting >= LB_HTTP_OUT_HIGH;
}

/* Empty lines between requests begin none; they are bounded like a request
 * line. */
static void skip_empty_lines(struct lb_http_conn *conn)
{
    size_t count = 0;

    while (conn->in.len - count >= 2 && conn->in.data[count] == '\r' &&
           conn->in.data[count + 1] == '\n' &&
           conn->empty_bytes < conn->server->limits.request_line_bytes) {
        count += 2;
        conn->empty_bytes += 2;
    }
    lb_buf_consume(&conn->in, count);
}

/* Begins the next request; false: none has begun, or must not yet. */
static bool begin_head(struct lb_http_conn *conn)
{
    if (is_full(conn)) {
        if (conn->is_reading) {
            lb_http_server_limit_hit(conn->server, "pipeline");
        }
        (void)uv_read_stop(&conn->uv.stream);
        conn->is_reading = false;
        return false;
    }
    skip_empty_lines(conn);
    if (conn->in.len == 0 || (conn->in.len == 1 && conn->in.data[0] == '\r')) {
        return false;
    }
    if (begin_request(conn) == NULL) {
        lb_http_server_conn_close(conn);
        return false;
    }
    conn->empty_bytes = 0;
    set_deadline(conn, conn->server->limits.header_timeout_ms);
    return true;
}

/* Returns whether to go on with what stands in the in buffer. */
static bool read_head(struct lb_http_conn *conn)
{
    struct lb_http_request *request;
    enum lb_http_parse_result result;

    if ((conn->last == NULL || conn->last->is_complete) && !begin_head(conn)) {
        return false;
    }
    request = conn->last;
    result = lb_http_parse_head(&request->head, conn->in.data, conn->in.len);
    switch (result) {
    case LB_HTTP_PARSE_MORE:
        return false;
    case LB_HTTP_PARSE_BAD:
        refuse(request, request->head.status,
               code_of_status(request->head.status), request->head.reason,
               request->head.limit);
        return false;
    case LB_HTTP_PARSE_DONE:
        break;
    }
    lb_buf_add(&request->text, conn->in.data, request->head.head_bytes);
    lb_buf_consume(&conn->in, request->head.head_bytes);
    if (request->text.is_failed) {
        lb_http_server_conn_close(conn);
        return false;
    }
    after_head(conn, request);
    return true;
}

static bool read_body(struct lb_http_conn *conn)
{
    struct lb_http_request *request = conn->last;
    enum lb_http_parse_result result = LB_HTTP_PARSE_MORE;
    size_t used = conn->in.len;

    if (conn->body_left < 0) {
        result = lb_http_parse_chunked_feed(
            &conn->chunked, conn->in.data, conn->in.len, &used, &request->body);
    } else {
        used =
            (uint64_t)conn->body_left < used ? (size_t)conn->body_left : used;
        lb_buf_add(&request->body, conn->in.data, used);
        conn->body_left -= (int64_t)used;
        result = conn->body_left == 0 ? LB_HTTP_PARSE_DONE : LB_HTTP_PARSE_MORE;
    }
    lb_buf_consume(&conn->in, used);
    if (result == LB_HTTP_PARSE_BAD) {
        refuse(request, conn->chunked.status,
               code_of_status(conn->chunked.status), conn->chunked.reason,
               conn->chunked.limit);
    } else if (request->body.is_failed) {
        refuse(request, 413, "too_large", "The body is larger than is taken.",
               "body_bytes");
    } else if (!count_inflight(request)) {
        lb_http_respond_header(request, "Retry-After", "1");
        refuse(request, 503, "overloaded",
               "Too many request bodies are held in memory.", "inflight_bytes");
    } else if (result == LB_HTTP_PARSE_DONE) {
        hand_over(conn, request);
        return true;
    }
    return false;
}

static void process(struct lb_http_conn *conn)
{
    bool is_going_on = true;

    while (is_going_on && conn->in.len > 0) {
        if (conn->state == LB_HTTP_CONN_HEAD) {
            is_going_on = read_head(conn);
        } else if (conn->state == LB_HTTP_CONN_BODY) {
            is_going_on = read_body(conn);
        } else {
            lb_buf_clear(&conn->in);
            return;
        }
    }
    if (conn->in.len == 0 && conn->in.cap > LB_HTTP_READ_BYTES) {
        lb_buf_deinit(&conn->in);
    }
    if (conn->state == LB_HTTP_CONN_HEAD && conn->first == NULL &&
        conn->deadline_at_ms == 0) {
        set_deadline(conn, conn->server->limits.idle_timeout_ms);
    }
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct lb_http_conn *conn = handle->data;

    (void)size;
    *buf = uv_buf_init(conn->server->read_buffer,
                       sizeof(conn->server->read_buffer));
}

/* Nothing more comes.  A request that is cut short is not acted upon; the
 * others get their answers. */
static void on_eof(struct lb_http_conn *conn)
{
    bool is_cut = conn->first != NULL && conn->first == conn->last &&
                  !conn->last->is_complete && !conn->last->is_answered;

    conn->has_eof = true;
    (void)uv_read_stop(&conn->uv.stream);
    if (conn->state == LB_HTTP_CONN_LINGER ||
        ((conn->first == NULL || is_cut) && !conn->is_writing &&
         conn->out.len == 0)) {
        lb_http_server_conn_close(conn);
        return;
    }
    conn->state = LB_HTTP_CONN_DEAF;
    set_deadline(conn, 0);
    lb_http_server_conn_mark(conn);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct lb_http_conn *conn = stream->data;

    if (got == 0 || conn->state == LB_HTTP_CONN_CLOSED) {
        return;
    }
    if (got == UV_EOF) {
        on_eof(conn);
        return;
    }
    if (got < 0) {
        lb_http_server_conn_close(conn);
        return;
    }
    if (conn->state == LB_HTTP_CONN_LINGER ||
        conn->state == LB_HTTP_CONN_DEAF) {
        conn->linger_bytes += (size_t)got;
        if (conn->linger_bytes > LB_HTTP_LINGER_BYTES) {
            if (conn->state == LB_HTTP_CONN_LINGER) {
                lb_http_server_conn_close(conn);
            } else {
                (void)uv_read_stop(&conn->uv.stream);
            }
        }
        return;
    }
    lb_buf_add(&conn->in, buf->base, (size_t)got);
    if (conn->in.is_failed) {
        lb_http_server_conn_close(conn);
        return;
    }
    process(conn);
}

static void on_shutdown(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown;
    (void)status;
}

/* The closing answer is written: lets it reach the peer before the connection
 * goes. */
static void begin_linger(struct lb_http_conn *conn)
{
    if (conn->has_eof) {
        lb_http_server_conn_close(conn);
        return;
    }
    if (conn->state == LB_HTTP_CONN_LINGER) {
        return;
    }
    conn->state = LB_HTTP_CONN_LINGER;
    conn->linger_bytes = 0;
    set_deadline(conn, LB_HTTP_LINGER_MS);
    if (uv_shutdown(&conn->shutdown, &conn->uv.stream, on_shutdown) != 0) {
        lb_http_server_conn_close(conn);
        return;
    }
    (void)uv_read_start(&conn->uv.stream, on_alloc, on_read);
}

static void after_write(struct lb_http_conn *conn)
{
    struct lb_http_request *first = conn->first;

    if (conn->is_closing) {
        begin_linger(conn);
    } else if (conn->has_eof && (first == NULL || !first->is_handed)) {
        lb_http_server_conn_close(conn);
    } else if (first != NULL && first->is_streaming && !first->is_answered) {
        first->on_drain(first->drain_ctx);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct lb_http_conn *conn = write->handle->data;

    conn->is_writing = false;
    conn->write_deadline_at_ms = 0;
    if (conn->writing.cap > LB_HTTP_READ_BYTES) {
        lb_buf_deinit(&conn->writing);
    }
    lb_buf_clear(&conn->writing);
    if (conn->state == LB_HTTP_CONN_CLOSED) {
        return;
    }
    if (status != 0) {
        lb_http_server_conn_close(conn);
        return;
    }
    lb_http_server_conn_flush(conn);
}

/* Writes what stands in out: at once if the socket takes it, else in the
 * background. */
static void write_out(struct lb_http_conn *conn)
{
    uv_buf_t piece = uv_buf_init(conn->out.data, (unsigned)conn->out.len);
    int done = uv_try_write(&conn->uv.stream, &piece, 1);
    struct lb_buf swap;

    if (done < 0 && done != UV_EAGAIN) {
        lb_http_server_conn_close(conn);
        return;
    }
    lb_buf_consume(&conn->out, done > 0 ? (size_t)done : 0);
    if (conn->out.len == 0) {
        if (conn->out.cap > LB_HTTP_READ_BYTES) {
            lb_buf_deinit(&conn->out);
        }
        return;
    }
    swap = conn->writing;
    conn->writing = conn->out;
    conn->out = swap;
    piece = uv_buf_init(conn->writing.data, (unsigned)conn->writing.len);
    conn->is_writing = true;
    conn->write_queue_bytes = conn->writing.len;
    conn->write_deadline_at_ms =
        lb_clock_mono_ms() + conn->server->limits.write_timeout_ms;
    if (uv_write(&conn->write, &conn->uv.stream, &piece, 1, on_written) != 0) {
        lb_http_server_conn_close(conn);
    }
}

/* Moves the answers whose turn it is to the out buffer. */
static void gather(struct lb_http_conn *conn)
{
    struct lb_http_request *request;

    while ((request = conn->first) != NULL && !conn->is_closing) {
        if (request->out.len > 0) {
            lb_buf_add(&conn->out, request->out.data, request->out.len);
            lb_buf_clear(&request->out);
        }
        if (!request->is_answered) {
            return;
        }
        conn->first = request->next;
        conn->last = conn->first == NULL ? NULL : conn->last;
        conn->request_count--;
        conn->is_closing = request->is_closing;
        lb_http_server_give_request(request);
    }
}

void lb_http_server_conn_flush(struct lb_http_conn *conn)
{
    if (conn->state == LB_HTTP_CONN_CLOSED) {
        return;
    }
    /* While the peer is behind, answers wait as requests, which are bounded. */
    if (!conn->is_writing) {
        gather(conn);
        if (conn->out.len > 0) {
            write_out(conn);
        }
    }
    if (conn->state == LB_HTTP_CONN_CLOSED || conn->is_writing) {
        return;
    }
    after_write(conn);
    if (conn->state != LB_HTTP_CONN_HEAD) {
        return;
    }
    if (!conn->is_reading && !is_full(conn)) {
        conn->is_reading = true;
        (void)uv_read_start(&conn->uv.stream, on_alloc, on_read);
    }
    if (conn->first == NULL || conn->first->is_complete) {
        process(conn);
    }
}

/* Whether the peer has taken no byte for too long. */
static bool is_stuck(struct lb_http_conn *conn, int64_t now_ms)
{
    size_t queued;

    if (!conn->is_writing) {
        return false;
    }
    queued = uv_stream_get_write_queue_size(&conn->uv.stream);
    if (queued != conn->write_queue_bytes) {
        conn->write_queue_bytes = queued;
        conn->write_deadline_at_ms =
            now_ms + conn->server->limits.write_timeout_ms;
    }
    return now_ms >= conn->write_deadline_at_ms;
}

void lb_http_server_conn_tick(struct lb_http_conn *conn, int64_t now_ms)
{
    struct lb_http_request *request = conn->last;

    if (is_stuck(conn, now_ms)) {
        lb_http_server_limit_hit(conn->server, "write_timeout");
        close_conn(conn, true);
        return;
    }
    if (conn->deadline_at_ms == 0 || now_ms < conn->deadline_at_ms) {
        return;
    }
    conn->deadline_at_ms = 0;
    if (conn->state == LB_HTTP_CONN_BODY && !request->is_answered) {
        refuse(request, 408, "timeout", "The body did not come in time.",
               "body_timeout");
    } else if (conn->state == LB_HTTP_CONN_HEAD && request != NULL &&
               !request->is_complete) {
        refuse(request, 408, "timeout", "The headers did not come in time.",
               "header_timeout");
    } else if (conn->state == LB_HTTP_CONN_LINGER) {
        lb_http_server_conn_close(conn);
    } else if (conn->first == NULL) {
        lb_http_server_limit_hit(conn->server, "idle_timeout");
        lb_http_server_conn_close(conn);
    }
}

void lb_http_server_conn_drain(struct lb_http_conn *conn)
{
    for (struct lb_http_request *request = conn->first; request != NULL;
         request = request->next) {
        request->is_closing = request->next == NULL;
    }
    if (conn->state == LB_HTTP_CONN_LINGER) {
        return; /* within a second it is gone */
    }
    if (conn->first == NULL && !conn->is_writing && conn->out.len == 0) {
        lb_http_server_conn_close(conn);
    } else if (conn->first != NULL && conn->last->is_complete) {
        conn->state =
            conn->state == LB_HTTP_CONN_HEAD ? LB_HTTP_CONN_DEAF : conn->state;
    } else {
        conn->is_closing = conn->is_closing || conn->first == NULL;
    }
}

void lb_http_server_conn_start(struct lb_http_conn *conn)
{
    conn->is_reading = true;
    set_deadline(conn, conn->server->limits.idle_timeout_ms);
    (void)uv_read_start(&conn->uv.stream, on_alloc, on_read);
}

void lb_http_server_conn_refuse(struct lb_http_conn *conn, const char *limit)
{
    struct lb_http_request *request = begin_request(conn);

    if (request == NULL) {
        lb_http_server_conn_close(conn);
        return;
    }
    lb_http_respond_header(request, "Retry-After", "1");
    refuse(request, 503, "overloaded", "Too many connections are open.", limit);
}
