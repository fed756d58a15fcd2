/* http_server.h - HTTP/1.1 on libuv: connections, limits, absolute timeouts,
 * routes, answers in order.  Everything here belongs to the loop thread. */
#ifndef LINKBELL_BASE_HTTP_SERVER_H
#define LINKBELL_BASE_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/err.h"

struct lb_http_server;
struct lb_http_request; /* valid until it is answered */

struct lb_http_server_limits {
    size_t request_line_bytes;
    size_t header_bytes;
    size_t header_count;
    int64_t header_timeout_ms; /* first byte of a request to the end of its
                                  headers */
    int64_t body_timeout_ms;   /* end of headers to the end of the body */
    int64_t idle_timeout_ms;
    int64_t write_timeout_ms;
    size_t body_bytes;
    size_t connections;
    size_t connections_per_ip; /* 0: off */
    size_t pipeline;
    size_t inflight_bytes;
};

/* What the settings say (limits.*). */
struct lb_http_server_limits
lb_http_server_limits_of(const struct lb_config *config);

typedef void (*lb_http_handler_fn)(struct lb_http_request *request, void *ctx);

/* What the server tells its owner; any may be NULL. */
struct lb_http_server_hooks {
    void *ctx;
    void (*answered)(void *ctx,
                     const char *method,
                     const char *route, /* its pattern, or "none" */
                     int status,
                     size_t bytes,
                     int64_t duration_ns);
    void (*limit_hit)(void *ctx, const char *limit);
};

LB_MUST_CHECK enum lb_err
lb_http_server_new(uv_loop_t *loop,
                   const struct lb_http_server_limits *limits,
                   const struct lb_http_server_hooks *hooks,
                   struct lb_http_server **server_out,
                   struct lb_error *err);
void lb_http_server_set_limits(struct lb_http_server *server,
                               const struct lb_http_server_limits *limits);

/* A route: method and pattern ("/v1/alerts/{id}/ack").  Where a part of the
 * path is a secret, the pattern has *** for it: logs and metrics show patterns,
 * never paths.  head (NULL: none) runs when the headers are complete and may
 * answer at once: the body is then not read.  handler runs with the whole body.
 * GET serves HEAD too.  body_bytes 0: the common limit.  Strings are borrowed
 * for the server's life. */
struct lb_http_route {
    const char *method;
    const char *pattern;
    lb_http_handler_fn head;
    lb_http_handler_fn handler;
    void *ctx;
    size_t body_bytes;
};
LB_MUST_CHECK enum lb_err
lb_http_server_add_route(struct lb_http_server *server,
                         const struct lb_http_route *route,
                         struct lb_error *err);

/* A route for paths that no other route's pattern matches, where takes says so:
 * by the request's host, for instance. */
void lb_http_server_set_fallback(
    struct lb_http_server *server,
    const struct lb_http_route *route,
    bool (*takes)(const struct lb_http_request *request, void *ctx));

/* Calls run on the loop thread after after_ms, once, unless it is called off
 * before (NULL is fine).  NULL: out of memory, run is not called. */
struct lb_http_server_later;
struct lb_http_server_later *
lb_http_server_later_start(struct lb_http_server *server,
                           int64_t after_ms,
                           void (*run)(void *ctx),
                           void *ctx);
void lb_http_server_later_stop(struct lb_http_server_later *later);

/* Listens; *port_out is the real port.  host is an address. */
LB_MUST_CHECK enum lb_err lb_http_server_listen(struct lb_http_server *server,
                                                const char *host,
                                                int port,
                                                int *port_out,
                                                struct lb_error *err);
/* A local socket for this user and root (SO_PEERCRED).  A stale file is
 * replaced. */
LB_MUST_CHECK enum lb_err lb_http_server_listen_local(
    struct lb_http_server *server, const char *path, struct lb_error *err);

/* Stops listening, lets requests in progress be answered (deadline_ms at most),
 * closes all connections, then calls done once. */
void lb_http_server_drain(struct lb_http_server *server,
                          int64_t deadline_ms,
                          void (*done)(void *ctx),
                          void *ctx);
/* After done was called and the loop ran its close callbacks. */
void lb_http_server_free(struct lb_http_server *server);

size_t lb_http_server_connection_count(const struct lb_http_server *server);

#endif
