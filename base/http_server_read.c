/* http_server_read.c - what comes in on a connection: heads, bodies, and when
 * to stop listening. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/http_respond.h"
#include "base/http_server_conn.h"

#define LIMIT_HINT_BYTES 64
#define DIRECT_BYTES ((size_t)16 * 1024) /* of room in a body worth a read */
#define DIRECT_MOST ((size_t)256 * 1024) /* so that all get their turn */

/* Counts what the body holds by now; false: that is too much. */
static bool count_inflight(struct lb_http_request *request)
{
    struct lb_http_server *server = request->server;
    size_t more = request->body.cap - request->inflight;

    request->inflight = request->body.cap;
    return atomic_fetch_add(&server->inflight_bytes, more) + more <=
           server->limits.inflight_bytes;
}

struct lb_http_request *lb_http_server_begin_request(struct lb_http_conn *conn)
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
    lb_http_server_conn_deadline(conn, 0);
    if (!request->is_answered && !request->is_streaming) {
        request->is_handed = true;
        request->route->handler(request, request->route->ctx);
    }
    if (conn->state == LB_HTTP_CONN_HEAD && request->is_closing) {
        conn->state = LB_HTTP_CONN_DEAF;
    }
}

void lb_http_server_refuse(struct lb_http_request *request,
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

/* Checks the head and asks the route; false: it was answered, or the request is
 * gone with its connection. */
static bool passes_checks(struct lb_http_conn *conn,
                          struct lb_http_request *request)
{
    const struct lb_http_parse *head = &request->head;

    if (head->has_expect && !head->is_expect_continue) {
        lb_http_server_refuse(request, 417, "bad_request",
                              "Only Expect: 100-continue is known.", NULL);
        return false;
    }
    if (!lb_http_request_find_route(request)) {
        return false;
    }
    if (request->route->head != NULL) {
        request->route->head(request, request->route->ctx);
        if (conn->state == LB_HTTP_CONN_CLOSED || request->is_answered) {
            return false;
        }
    }
    if ((uint64_t)head->content_length > body_limit(request)) {
        lb_http_server_refuse(request, 413, "too_large",
                              "The body is larger than is taken.",
                              "body_bytes");
        return false;
    }
    return true;
}

/* The head passed: goes on with the body. */
static void begin_body(struct lb_http_conn *conn,
                       struct lb_http_request *request)
{
    const struct lb_http_parse *head = &request->head;

    if (head->is_expect_continue && head->minor_version == 1) {
        lb_buf_add_text(conn->first == request ? &conn->out : &request->out,
                        "HTTP/1.1 100 Continue\r\n\r\n");
        lb_http_server_conn_mark(conn);
    }
    conn->body_left = head->is_chunked ? -1 : head->content_length;
    lb_http_parse_chunked_init(&conn->chunked, &head->limits);
    lb_http_server_take_body(request, head->content_length);
    request->body.max = body_limit(request);
    conn->state = LB_HTTP_CONN_BODY;
    lb_http_server_conn_deadline(conn, conn->server->limits.body_timeout_ms);
}

static void after_head(struct lb_http_conn *conn,
                       struct lb_http_request *request)
{
    const struct lb_http_parse *head = &request->head;
    bool has_body = head->is_chunked || head->content_length > 0;
    bool is_last = !head->is_keep_alive || conn->server->is_draining;
    bool is_passed;

    lb_http_request_read_head(request);
    /* Whoever answers before the body closes: it is not read. */
    request->is_closing = is_last || has_body;
    is_passed = passes_checks(conn, request);
    if (conn->state == LB_HTTP_CONN_CLOSED || (!is_passed && has_body)) {
        return;
    }
    if (is_passed) {
        request->is_closing = is_last;
    }
    if (has_body) {
        begin_body(conn, request);
    } else {
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
bool lb_http_server_is_full(const struct lb_http_conn *conn)
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
    if (lb_http_server_is_full(conn)) {
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
    if (lb_http_server_begin_request(conn) == NULL) {
        lb_http_server_conn_close(conn);
        return false;
    }
    conn->empty_bytes = 0;
    lb_http_server_conn_deadline(conn, conn->server->limits.header_timeout_ms);
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
        lb_http_server_refuse(request, request->head.status,
                              code_of_status(request->head.status),
                              request->head.reason, request->head.limit);
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

/* Adds to a body of known length what stands at bytes, which may be its own
 * room; returns how much of it is the body's. */
static size_t
feed_body(struct lb_http_conn *conn, const char *bytes, size_t len)
{
    struct lb_buf *body = &conn->last->body;

    len = (uint64_t)conn->body_left < len ? (size_t)conn->body_left : len;
    if (body->data != NULL && bytes == body->data + body->len) {
        body->len += len;
        body->data[body->len] = '\0';
    } else {
        lb_buf_add(body, bytes, len);
    }
    conn->body_left -= (int64_t)len;
    return len;
}

/* A piece of the body came; returns whether to go on with what stands in the in
 * buffer. */
static bool end_piece(struct lb_http_conn *conn,
                      enum lb_http_parse_result result)
{
    struct lb_http_request *request = conn->last;

    if (result == LB_HTTP_PARSE_BAD) {
        lb_http_server_refuse(request, conn->chunked.status,
                              code_of_status(conn->chunked.status),
                              conn->chunked.reason, conn->chunked.limit);
    } else if (request->body.is_failed) {
        lb_http_server_refuse(request, 413, "too_large",
                              "The body is larger than is taken.",
                              "body_bytes");
    } else if (!count_inflight(request)) {
        lb_http_respond_header(request, "Retry-After", "1");
        lb_http_server_refuse(request, 503, "overloaded",
                              "Too many request bodies are held in memory.",
                              "inflight_bytes");
    } else if (result == LB_HTTP_PARSE_DONE) {
        hand_over(conn, request);
        return true;
    }
    return false;
}

static bool read_body(struct lb_http_conn *conn)
{
    enum lb_http_parse_result result;
    size_t used = conn->in.len;

    if (conn->body_left < 0) {
        result =
            lb_http_parse_chunked_feed(&conn->chunked, conn->in.data,
                                       conn->in.len, &used, &conn->last->body);
    } else {
        used = feed_body(conn, conn->in.data, conn->in.len);
        result = conn->body_left == 0 ? LB_HTTP_PARSE_DONE : LB_HTTP_PARSE_MORE;
    }
    lb_buf_consume(&conn->in, used);
    return end_piece(conn, result);
}

void lb_http_server_read_on(struct lb_http_conn *conn)
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
        !conn->is_writing && conn->deadline_at_ms == 0) {
        lb_http_server_conn_deadline(conn,
                                     conn->server->limits.idle_timeout_ms);
    }
}

/* Whether all that comes next is a body whose length is known. */
static bool is_body_next(const struct lb_http_conn *conn)
{
    return conn->state == LB_HTTP_CONN_BODY && conn->body_left > 0 &&
           conn->in.len == 0;
}

/* Where the next bytes go: into the room that a large body has, else into a
 * buffer that all share, so that nobody gets memory for a promise. */
static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct lb_http_conn *conn = handle->data;
    struct lb_http_server *server = conn->server;

    (void)size;
    *buf = uv_buf_init(server->read_buffer, sizeof(server->read_buffer));
    if (is_body_next(conn)) {
        struct lb_buf *body = &conn->last->body;
        size_t room = body->cap > body->len ? body->cap - body->len - 1 : 0;

        room =
            (uint64_t)conn->body_left < room ? (size_t)conn->body_left : room;
        if (room >= DIRECT_BYTES) {
            *buf = uv_buf_init(
                body->data + body->len,
                (unsigned)(room < DIRECT_MOST ? room : DIRECT_MOST));
        }
    }
}

/* Nothing more comes.  A request that is cut short is not acted upon; the
 * others get their answers. */
static void on_eof(struct lb_http_conn *conn)
{
    bool is_cut = conn->first != NULL && conn->first == conn->last &&
                  !conn->last->is_complete && !conn->last->is_answered;

    conn->has_eof = true;
    (void)uv_read_stop(&conn->uv.stream);
    lb_http_server_conn_tell_gone(conn);
    if (conn->state == LB_HTTP_CONN_LINGER ||
        ((conn->first == NULL || is_cut) && !conn->is_writing &&
         conn->out.len == 0)) {
        lb_http_server_conn_close(conn);
        return;
    }
    conn->state = LB_HTTP_CONN_DEAF;
    lb_http_server_conn_deadline(conn, 0);
    lb_http_server_conn_mark(conn);
}

/* What comes after the last request counts, nothing else. */
static void drop(struct lb_http_conn *conn, size_t count)
{
    conn->linger_bytes += count;
    if (conn->linger_bytes <= LB_HTTP_LINGER_BYTES) {
        return;
    }
    if (conn->state == LB_HTTP_CONN_LINGER) {
        lb_http_server_conn_close(conn);
    } else {
        (void)uv_read_stop(&conn->uv.stream); /* the answer comes first */
    }
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct lb_http_conn *conn = stream->data;
    size_t used = 0;

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
        drop(conn, (size_t)got);
        return;
    }
    if (is_body_next(conn)) {
        used = feed_body(conn, buf->base, (size_t)got);
    }
    lb_buf_add(&conn->in, buf->base + used, (size_t)got - used);
    if (conn->in.is_failed) {
        lb_http_server_conn_close(conn);
        return;
    }
    if (used > 0) {
        (void)end_piece(conn, conn->body_left == 0 ? LB_HTTP_PARSE_DONE
                                                   : LB_HTTP_PARSE_MORE);
    }
    lb_http_server_read_on(conn);
}

void lb_http_server_read_start(struct lb_http_conn *conn)
{
    (void)uv_read_start(&conn->uv.stream, on_alloc, on_read);
}
