/* http_server_write.c - what goes out on a connection: answers in order, and
 * the end after the last one. */
#include "base/clock.h"
#include "base/http_server_conn.h"

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
    lb_http_server_conn_deadline(conn, LB_HTTP_LINGER_MS);
    if (uv_shutdown(&conn->shutdown, &conn->uv.stream, on_shutdown) != 0) {
        lb_http_server_conn_close(conn);
        return;
    }
    lb_http_server_read_start(conn);
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
    conn->untaken_bytes = SIZE_MAX; /* not yet looked at */
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
    if (!conn->is_reading && !lb_http_server_is_full(conn)) {
        conn->is_reading = true;
        lb_http_server_read_start(conn);
    }
    if (conn->first == NULL || conn->first->is_complete) {
        lb_http_server_read_on(conn);
    }
}
