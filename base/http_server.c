/* http_server.c - listeners, routes, the pool of requests, and time. */
#include "base/http_server.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/http_server_conn.h"
#include "base/process.h"

#define BACKLOG 1024
#define TICK_MS 50 /* grain of the timeouts */
#define SPARE_REQUESTS 512
#define KEPT_BYTES ((size_t)4096) /* of a buffer for the next request */
#define SPARE_BODY_BYTES ((size_t)1024 * 1024)

static void free_request(struct lb_http_request *request)
{
    lb_buf_deinit(&request->text);
    lb_buf_deinit(&request->body);
    lb_buf_deinit(&request->extra);
    lb_buf_deinit(&request->out);
    free(request);
}

/* Half of the requests that lay unused since the last look are given back: what
 * a burst of connections took is not kept for ever. */
static void shrink_spare(struct lb_http_server *server)
{
    for (size_t i = server->spare_least / 2; i > 0; i--) {
        struct lb_http_request *request = server->spare;

        server->spare = request->next;
        server->spare_count--;
        free_request(request);
    }
    server->spare_least = server->spare_count;
}

static void on_tick(uv_timer_t *timer)
{
    struct lb_http_server *server = timer->data;
    int64_t now_ms = lb_clock_mono_ms();
    struct lb_http_conn *conn = server->conns;

    while (conn != NULL) {
        struct lb_http_conn *next = conn->next;

        lb_http_server_conn_tick(conn, now_ms);
        conn = next;
    }
    lb_http_server_keep_spare(server);
    shrink_spare(server);
    if (server->is_draining && now_ms >= server->drain_deadline_at_ms) {
        for (conn = server->conns; conn != NULL; conn = conn->next) {
            lb_http_server_conn_close(conn);
        }
    }
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void flush_dirty(struct lb_http_server *server)
{
    struct lb_http_conn *conn = server->dirty;

    server->dirty = NULL;
    while (conn != NULL) {
        struct lb_http_conn *next = conn->next_dirty;

        conn->is_dirty = false;
        conn->next_dirty = NULL;
        lb_http_server_conn_flush(conn);
        conn = next;
    }
    /* A flush may let further requests be read and answered: the loop must not
     * wait for events before these are flushed too. */
    if (server->dirty != NULL) {
        (void)uv_idle_start(&server->idle, on_idle);
    } else {
        (void)uv_idle_stop(&server->idle);
    }
}

static void on_check(uv_check_t *check)
{
    flush_dirty(check->data);
}

static void on_prepare(uv_prepare_t *prepare)
{
    flush_dirty(prepare->data);
}

enum lb_err lb_http_server_new(uv_loop_t *loop,
                               const struct lb_http_server_limits *limits,
                               const struct lb_http_server_hooks *hooks,
                               struct lb_http_server **server_out,
                               struct lb_error *err)
{
    struct lb_http_server *server = calloc(1, sizeof(*server));

    *server_out = server;
    if (server == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    server->loop = loop;
    server->hooks = *hooks;
    server->spare_fd = -1;
    lb_http_server_keep_spare(server);
    lb_http_server_set_limits(server, limits);
    /* These can't fail: they only fill the handle in. */
    (void)uv_timer_init(loop, &server->timer);
    (void)uv_check_init(loop, &server->check);
    (void)uv_prepare_init(loop, &server->prepare);
    (void)uv_idle_init(loop, &server->idle);
    server->timer.data = server;
    server->check.data = server;
    server->prepare.data = server;
    server->idle.data = server;
    (void)uv_timer_start(&server->timer, on_tick, TICK_MS, TICK_MS);
    (void)uv_check_start(&server->check, on_check);
    (void)uv_prepare_start(&server->prepare, on_prepare);
    uv_unref((uv_handle_t *)&server->check);
    uv_unref((uv_handle_t *)&server->prepare);
    return LB_OK;
}

void lb_http_server_set_limits(struct lb_http_server *server,
                               const struct lb_http_server_limits *limits)
{
    assert(limits->header_count <= LB_HTTP_PARSE_FIELDS);
    server->limits = *limits;
}

enum lb_err lb_http_server_add_route(struct lb_http_server *server,
                                     const struct lb_http_route *route,
                                     struct lb_error *err)
{
    struct lb_http_server_route **at = &server->routes;

    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = calloc(1, sizeof(**at));
    if (*at == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    (*at)->route = *route;
    return LB_OK;
}

void lb_http_server_set_fallback(
    struct lb_http_server *server,
    const struct lb_http_route *route,
    bool (*takes)(const struct lb_http_request *request, void *ctx))
{
    server->fallback = *route;
    server->fallback_takes = takes;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct lb_http_listener *listener = handle->data;
    struct lb_http_server *server = listener->server;
    struct lb_http_listener **at = &server->listeners;

    while (*at != listener) {
        at = &(*at)->next;
    }
    *at = listener->next;
    free(listener);
}

static void on_incoming(uv_stream_t *stream, int status)
{
    if (status == 0) {
        lb_http_server_conn_accept(stream->data);
    } else if (status == UV_EMFILE || status == UV_ENFILE) {
        lb_http_server_conn_accept_failed(stream->data);
    }
}

static struct lb_http_listener *new_listener(struct lb_http_server *server,
                                             bool is_local)
{
    struct lb_http_listener *listener = calloc(1, sizeof(*listener));

    if (listener == NULL) {
        return NULL;
    }
    listener->server = server;
    listener->is_local = is_local;
    if (is_local) {
        (void)uv_pipe_init(server->loop, &listener->uv.pipe, 0);
    } else {
        (void)uv_tcp_init(server->loop, &listener->uv.tcp);
    }
    listener->uv.handle.data = listener;
    listener->next = server->listeners;
    server->listeners = listener;
    return listener;
}

static int bound_port(const uv_tcp_t *tcp)
{
    struct sockaddr_storage address;
    int len = (int)sizeof(address);

    if (uv_tcp_getsockname(tcp, (struct sockaddr *)&address, &len) != 0) {
        return 0;
    }
    if (address.ss_family == AF_INET6) {
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    }
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

enum lb_err lb_http_server_listen(struct lb_http_server *server,
                                  const char *host,
                                  int port,
                                  int *port_out,
                                  struct lb_error *err)
{
    struct lb_http_listener *listener;
    struct sockaddr_storage address;
    int uv;

    if (uv_ip4_addr(host, port, (struct sockaddr_in *)&address) != 0 &&
        uv_ip6_addr(host, port, (struct sockaddr_in6 *)&address) != 0) {
        return lb_err_set(err, LB_EINVAL,
                          "server.listen: \"%s\" is no IP address; write it "
                          "like 127.0.0.1:8787 or [::1]:8787",
                          host);
    }
    listener = new_listener(server, false);
    if (listener == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    uv = uv_tcp_bind(&listener->uv.tcp, (struct sockaddr *)&address, 0);
    uv = uv == 0 ? uv_listen(&listener->uv.stream, BACKLOG, on_incoming) : uv;
    if (uv != 0) {
        uv_close(&listener->uv.handle, on_listener_closed);
        if (uv == UV_EADDRINUSE) {
            return lb_err_set(err, LB_EBUSY,
                              "port %d of %s is taken by another program; "
                              "choose another one with --listen or "
                              "server.listen",
                              port, host);
        }
        return lb_err_set(err, LB_ENET, "can't listen on %s port %d: %s", host,
                          port, uv_strerror(uv));
    }
    *port_out = bound_port(&listener->uv.tcp);
    return LB_OK;
}

enum lb_err lb_http_server_listen_local(struct lb_http_server *server,
                                        const char *path,
                                        struct lb_error *err)
{
    struct sockaddr_un address;
    struct lb_http_listener *listener;
    int uv;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return lb_err_set(err, LB_EINVAL,
                          "%s is too long for a local socket (%zu bytes at "
                          "most); use a shorter data directory",
                          path, sizeof(address.sun_path) - 1);
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        return lb_err_set(err, LB_EREADONLY, "%s can't be replaced", path);
    }
    listener = new_listener(server, true);
    if (listener == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    uv = uv_pipe_bind(&listener->uv.pipe, path);
    if (uv == 0 && chmod(path, S_IRUSR | S_IWUSR) != 0) {
        uv = UV_EPERM;
    }
    uv = uv == 0 ? uv_listen(&listener->uv.stream, BACKLOG, on_incoming) : uv;
    if (uv != 0) {
        uv_close(&listener->uv.handle, on_listener_closed);
        return lb_err_set(err, LB_EIO, "can't listen on %s: %s", path,
                          uv_strerror(uv));
    }
    return LB_OK;
}

struct lb_http_request *
lb_http_server_take_request(struct lb_http_server *server)
{
    struct lb_http_request *request = server->spare;

    if (request != NULL) {
        server->spare = request->next;
        server->spare_count--;
        server->spare_least = server->spare_count < server->spare_least
                                  ? server->spare_count
                                  : server->spare_least;
    } else {
        request = calloc(1, sizeof(*request));
        if (request == NULL) {
            return NULL;
        }
        lb_buf_init(&request->text, SIZE_MAX / 2);
        lb_buf_init(&request->body, SIZE_MAX / 2);
        lb_buf_init(&request->extra, (size_t)16 * 1024);
        lb_buf_init(&request->out, SIZE_MAX / 2);
    }
    request->next = NULL;
    request->server = server;
    return request;
}

/* The spare body with the least or the most memory. */
static struct lb_buf *spare_body(struct lb_http_server *server, bool is_most)
{
    struct lb_buf *found = &server->spare_bodies[0];

    for (size_t i = 1; i < LB_HTTP_SPARE_BODIES; i++) {
        struct lb_buf *spare = &server->spare_bodies[i];

        if (is_most ? spare->cap > found->cap : spare->cap < found->cap) {
            found = spare;
        }
    }
    return found;
}

void lb_http_server_give_body(struct lb_http_request *request)
{
    struct lb_http_server *server = request->server;
    struct lb_buf *spare = spare_body(server, false);

    (void)atomic_fetch_sub(&server->inflight_bytes, request->inflight);
    request->inflight = 0;
    if (request->body.cap > spare->cap &&
        request->body.cap <= SPARE_BODY_BYTES) {
        struct lb_buf body = request->body;

        request->body = *spare;
        *spare = body;
    }
    if (request->body.cap > KEPT_BYTES) {
        lb_buf_deinit(&request->body);
    }
    lb_buf_clear(&request->body);
}

void lb_http_server_take_body(struct lb_http_request *request, int64_t length)
{
    struct lb_buf *spare = spare_body(request->server, true);
    size_t max = request->body.max;
    struct lb_buf body = *spare;

    if (length <= (int64_t)LB_HTTP_READ_BYTES || spare->cap <= KEPT_BYTES) {
        return;
    }
    *spare = request->body;
    request->body = body;
    request->body.max = max;
    lb_buf_clear(&request->body);
}

/* Forgets everything but the small buffers. */
static void reset_request(struct lb_http_request *request)
{
    struct lb_buf *buffers[] = {&request->text, &request->extra, &request->out};

    if (request->free_user != NULL) {
        request->free_user(request->user);
    }
    free(request->part_text);
    free(request->parts);
    for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
        if (buffers[i]->cap > KEPT_BYTES) {
            lb_buf_deinit(buffers[i]);
        }
        lb_buf_clear(buffers[i]);
    }
    request->conn = NULL;
    request->route = NULL;
    request->query = "";
    request->part_count = 0;
    request->part_text = NULL;
    request->parts = NULL;
    request->is_head = false;
    request->is_complete = false;
    request->is_handed = false;
    request->is_answered = false;
    request->is_streaming = false;
    request->is_chunked_out = false;
    request->is_closing = false;
    request->status = 0;
    request->answer_bytes = 0;
    request->held = 0;
    request->on_drain = NULL;
    request->gone_flag = NULL;
    request->user = NULL;
    request->free_user = NULL;
    memset(request->params, 0, sizeof(request->params));
}

void lb_http_server_give_request(struct lb_http_request *request)
{
    struct lb_http_server *server = request->server;

    atomic_fetch_sub(&server->inflight_bytes, request->held);
    lb_http_server_give_body(request);
    if (server->hooks.answered != NULL && request->status != 0) {
        server->hooks.answered(server->hooks.ctx, lb_buf_text(&request->text),
                               request->route == NULL ? "none"
                                                      : request->route->pattern,
                               request->status, request->answer_bytes,
                               lb_clock_mono_ns() - request->began_at_ns);
    }
    reset_request(request);
    if (server->spare_count >= SPARE_REQUESTS) {
        free_request(request);
        return;
    }
    request->next = server->spare;
    server->spare = request;
    server->spare_count++;
}

void lb_http_server_limit_hit(struct lb_http_server *server, const char *limit)
{
    if (server->hooks.limit_hit != NULL) {
        server->hooks.limit_hit(server->hooks.ctx, limit);
    }
}

static void finish_drain(struct lb_http_server *server)
{
    if (!server->is_draining || server->conns != NULL ||
        server->drained == NULL) {
        return;
    }
    uv_close((uv_handle_t *)&server->timer, NULL);
    uv_close((uv_handle_t *)&server->check, NULL);
    uv_close((uv_handle_t *)&server->prepare, NULL);
    uv_close((uv_handle_t *)&server->idle, NULL);
    server->drained(server->drained_ctx);
    server->drained = NULL;
}

void lb_http_server_conn_gone(struct lb_http_conn *conn)
{
    struct lb_http_server *server = conn->server;

    if (conn->before != NULL) {
        conn->before->next = conn->next;
    } else {
        server->conns = conn->next;
    }
    if (conn->next != NULL) {
        conn->next->before = conn->before;
    }
    server->conn_count--;
    server->refused_count -= conn->is_refused ? 1 : 0;
    finish_drain(server);
}

void lb_http_server_drain(struct lb_http_server *server,
                          int64_t deadline_ms,
                          void (*done)(void *ctx),
                          void *ctx)
{
    struct lb_http_conn *conn = server->conns;

    server->is_draining = true;
    server->drain_deadline_at_ms = lb_clock_mono_ms() + deadline_ms;
    server->drained = done;
    server->drained_ctx = ctx;
    for (struct lb_http_listener *at = server->listeners; at != NULL;
         at = at->next) {
        if (!uv_is_closing(&at->uv.handle)) {
            uv_close(&at->uv.handle, on_listener_closed);
        }
    }
    while (conn != NULL) {
        struct lb_http_conn *next = conn->next;

        lb_http_server_conn_drain(conn);
        conn = next;
    }
    finish_drain(server);
}

void lb_http_server_free(struct lb_http_server *server)
{
    if (server == NULL) {
        return;
    }
    while (server->routes != NULL) {
        struct lb_http_server_route *route = server->routes;

        server->routes = route->next;
        free(route);
    }
    while (server->spare != NULL) {
        struct lb_http_request *request = server->spare;

        server->spare = request->next;
        free_request(request);
    }
    if (server->spare_fd >= 0) {
        (void)close(server->spare_fd);
    }
    for (size_t i = 0; i < LB_HTTP_SPARE_BODIES; i++) {
        lb_buf_deinit(&server->spare_bodies[i]);
    }
    free(server);
}

size_t lb_http_server_connection_count(const struct lb_http_server *server)
{
    return server->conn_count;
}

struct lb_http_server_limits
lb_http_server_limits_of(const struct lb_config *config)
{
    return (struct lb_http_server_limits){
        (size_t)config->request_line_bytes,
        (size_t)config->header_bytes,
        (size_t)config->header_count,
        config->header_timeout_ms,
        config->body_timeout_ms,
        config->idle_timeout_ms,
        config->write_timeout_ms,
        (size_t)config->body_bytes,
        (size_t)lb_process_raise_files(config->connections),
        (size_t)config->connections_per_ip,
        (size_t)config->pipeline,
        (size_t)config->inflight_bytes};
}
