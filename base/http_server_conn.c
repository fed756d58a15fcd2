/* http_server_conn.c - one connection from its begin to its end: deadlines,
 * draining, closing. */
#include "base/http_server_conn.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/http_respond.h"

void lb_http_server_conn_deadline(struct lb_http_conn *conn, int64_t after_ms)
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
        bool is_pending = (request->is_handed || request->is_streaming) &&
                          !request->is_answered;
        void (*on_drain)(void *) = request->on_drain;

        request->next = NULL;
        request->conn = NULL;
        if (request->gone_flag != NULL) {
            atomic_store(request->gone_flag, true);
        }
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
    conn->server->counted_count -= conn->is_counted ? 1 : 0;
    conn->is_counted = false;
    unlink_dirty(conn);
    if (!is_reset || conn->is_local ||
        uv_tcp_close_reset(&conn->uv.tcp, on_closed) != 0) {
        uv_close(&conn->uv.handle, on_closed);
    }
    drop_requests(conn);
}

void lb_http_server_conn_tell_gone(struct lb_http_conn *conn)
{
    for (struct lb_http_request *request = conn->first; request != NULL;
         request = request->next) {
        if (request->gone_flag != NULL) {
            atomic_store(request->gone_flag, true);
        }
    }
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

/* Bytes of answers that the peer has not taken: ours, and the kernel's. */
static size_t count_untaken(const struct lb_http_conn *conn)
{
    size_t count = uv_stream_get_write_queue_size(&conn->uv.stream);
    uv_os_fd_t fd = -1;
    int held = 0;

    if (uv_fileno(&conn->uv.handle, &fd) == 0 &&
        ioctl(fd, SIOCOUTQ, &held) == 0 && held > 0) {
        count += (size_t)held;
    }
    return count;
}

/* Whether the peer has taken no byte for too long. */
static bool is_stuck(struct lb_http_conn *conn, int64_t now_ms)
{
    size_t untaken;

    if (!conn->is_writing) {
        return false;
    }
    untaken = count_untaken(conn);
    if (untaken != conn->untaken_bytes) {
        conn->untaken_bytes = untaken;
        conn->write_deadline_at_ms =
            now_ms + conn->server->limits.write_timeout_ms;
    }
    return now_ms >= conn->write_deadline_at_ms;
}

/* Frees what an idle connection does not need. */
static void rest(struct lb_http_conn *conn, int64_t now_ms)
{
    struct lb_buf *buffers[] = {&conn->in, &conn->out, &conn->writing};
    int64_t left_ms = conn->deadline_at_ms - now_ms;

    if (conn->state != LB_HTTP_CONN_HEAD || conn->first != NULL ||
        conn->is_writing ||
        left_ms > conn->server->limits.idle_timeout_ms - LB_HTTP_REST_MS) {
        return;
    }
    for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
        if (buffers[i]->len == 0 && buffers[i]->cap > LB_HTTP_KEPT_BYTES) {
            lb_buf_deinit(buffers[i]);
        }
    }
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
        rest(conn, now_ms);
        return;
    }
    conn->deadline_at_ms = 0;
    if (conn->state == LB_HTTP_CONN_BODY && !request->is_answered) {
        lb_http_server_refuse(request, 408, "timeout",
                              "The body did not come in time.", "body_timeout");
    } else if (conn->state == LB_HTTP_CONN_HEAD && request != NULL &&
               !request->is_complete) {
        lb_http_server_refuse(request, 408, "timeout",
                              "The headers did not come in time.",
                              "header_timeout");
    } else if (conn->state == LB_HTTP_CONN_LINGER) {
        lb_http_server_conn_close(conn);
    } else if (conn->first == NULL && !conn->is_writing) {
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
    lb_http_server_conn_deadline(conn, conn->server->limits.idle_timeout_ms);
    lb_http_server_read_start(conn);
}

void lb_http_server_conn_refuse(struct lb_http_conn *conn, const char *limit)
{
    struct lb_http_request *request = lb_http_server_begin_request(conn);

    if (request == NULL) {
        lb_http_server_conn_close(conn);
        return;
    }
    lb_http_respond_header(request, "Retry-After", "1");
    lb_http_server_refuse(request, 503, "overloaded",
                          "Too many connections are open.", limit);
}
