/* health.c - /healthz, /readyz and /metrics. */
#include "sql/health.h"

#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/log.h"
#include "base/metrics.h"

#define READY_BYTES 65536
#define LAG_MAX_MS (60 * LB_MS_PER_S)
#define OUTCOMES 64 /* routes and statuses whose metrics are at hand */

struct health_api {
    struct lb_http_server *server;
    struct auth *auth;
    struct writer *writer;
    struct cursor *cursor;
    struct health_check geo;
    void (*write_destinations)(void *ctx, struct lb_buf *out); /* NULL: none */
    void *destinations_ctx;
    struct lb_metric *connections;
};

static void handle_health(struct lb_http_request *request, void *ctx)
{
    (void)ctx;
    lb_http_respond(request, 200, "application/json", "{\"status\":\"ok\"}",
                    15);
}

static bool is_loopback(const struct lb_http_request *request)
{
    const struct sockaddr *peer = lb_http_request_peer(request);

    if (lb_http_request_is_local(request)) {
        return true;
    }
    if (peer->sa_family == AF_INET) {
        return (ntohl(((const struct sockaddr_in *)peer)->sin_addr.s_addr) >>
                24) == 127;
    }
    return IN6_IS_ADDR_LOOPBACK(
        &((const struct sockaddr_in6 *)peer)->sin6_addr);
}

static void handle_ready(struct lb_http_request *request, void *ctx)
{
    struct health_api *api = ctx;
    struct writer_status status;
    int64_t lag_ms = lb_clock_wall_ms() - cursor_as_of_ms(api->cursor);
    bool is_behind = lag_ms > LAG_MAX_MS;
    bool is_ready;
    struct lb_buf body;

    writer_get_status(api->writer, &status);
    is_ready = !status.is_failing && !status.is_disk_full && !is_behind;
    lb_buf_init(&body, READY_BYTES);
    lb_buf_printf(&body, "{\"status\":\"%s\"", is_ready ? "ok" : "not_ready");
    if (is_loopback(request)) {
        lb_buf_printf(
            &body,
            ",\"checks\":{\"database\":\"%s\",\"disk\":\"%s\",\"rollup\":\"%"
            "s\",\"geo\":\"%s\",\"destinations\":",
            status.is_failing && !status.is_disk_full ? "failing" : "ok",
            status.is_disk_full ? "full" : "ok",
            is_behind                  ? "behind"
            : status.is_derive_failing ? "failing"
                                       : "ok",
            api->geo.state(api->geo.ctx));
        if (api->write_destinations != NULL) {
            api->write_destinations(api->destinations_ctx, &body);
        } else {
            lb_buf_add_text(&body, "{}");
        }
        lb_buf_add_char(&body, '}');
    }
    lb_buf_add_char(&body, '}');
    lb_http_respond_json(request, is_ready ? 200 : 503, &body);
    lb_buf_deinit(&body);
}

static void check_metrics(struct lb_http_request *request, void *ctx)
{
    struct health_api *api = ctx;

    if (!is_loopback(request)) {
        (void)auth_check(api->auth, request, CATALOG_SCOPE_ADMIN, false);
    }
}

static void handle_metrics(struct lb_http_request *request, void *ctx)
{
    struct health_api *api = ctx;
    struct lb_buf body;

    lb_metrics_set(api->connections,
                   (int64_t)lb_http_server_connection_count(api->server));
    lb_buf_init(&body, (size_t)16 * 1024 * 1024);
    lb_metrics_write(&body);
    lb_http_respond(request, 200, "text/plain; version=0.0.4; charset=utf-8",
                    lb_buf_text(&body), body.len);
    lb_buf_deinit(&body);
}

/* The metrics of a route and status: looked up once, since that takes as long
 * as reading a request.  A route's pattern is the same text each time. */
struct outcome {
    const char *route; /* NULL: the place is free */
    int status;
    struct lb_metric *requests;
    struct lb_metric *seconds;
};

static struct outcome find_outcome(const char *route, int status)
{
    struct outcome outcome = {route, status, NULL, NULL};
    char labels[128];

    (void)snprintf(labels, sizeof(labels), "route=\"%s\",status=\"%d\"", route,
                   status);
    outcome.requests =
        lb_metrics_get(LB_METRIC_COUNTER, "linkbell_http_requests_total",
                       "Requests by route and status.", labels);
    (void)snprintf(labels, sizeof(labels), "route=\"%s\"", route);
    outcome.seconds = lb_metrics_histogram(
        "linkbell_http_seconds",
        "Time from a request's first byte to its answer.", labels, true);
    return outcome;
}

static void on_answered(void *ctx,
                        const char *method,
                        const char *route,
                        int status,
                        size_t bytes,
                        int64_t duration_ns)
{
    static struct outcome outcomes[OUTCOMES]; /* the loop thread's */
    struct outcome *outcome =
        &outcomes[((uintptr_t)route / 8 + (unsigned)status) % OUTCOMES];

    (void)ctx;
    if (outcome->route != route || outcome->status != status) {
        *outcome = find_outcome(route, status);
    }
    lb_metrics_add(outcome->requests, 1);
    lb_metrics_observe_ns(outcome->seconds, duration_ns);
    lb_log(LB_LOG_DEBUG, "request",
           "method=%s route=%s status=%d bytes=%zu ms=%lld", method, route,
           status, bytes, (long long)(duration_ns / 1000000));
}

static void on_limit(void *ctx, const char *limit)
{
    (void)ctx;
    lb_metrics_limit_hit(limit);
}

struct lb_http_server_hooks health_hooks(void)
{
    return (struct lb_http_server_hooks){NULL, on_answered, on_limit};
}

enum lb_err health_api_new(struct lb_http_server *server,
                           struct auth *auth,
                           const struct health_parts *parts,
                           struct health_api **api_out,
                           struct lb_error *err)
{
    struct health_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route routes[] = {
        {"GET", "/healthz", NULL, handle_health, api, 0},
        {"GET", "/readyz", NULL, handle_ready, api, 0},
        {"GET", "/metrics", check_metrics, handle_metrics, api, 0},
    };
    enum lb_err rc = LB_OK;

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->server = server;
    api->auth = auth;
    api->writer = parts->writer;
    api->cursor = parts->cursor;
    api->geo = parts->geo;
    api->connections = lb_metrics_get(LB_METRIC_GAUGE, "linkbell_connections",
                                      "Open connections.", "");
    lb_metrics_set(lb_metrics_get(LB_METRIC_GAUGE, "linkbell_build_info",
                                  "The running version.",
                                  "version=\"" LINKBELL_VERSION "\""),
                   1);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rc == LB_OK;
         i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

void health_api_free(struct health_api *api)
{
    free(api);
}

void health_api_set_destinations(struct health_api *api,
                                 void (*write)(void *ctx, struct lb_buf *out),
                                 void *ctx)
{
    api->write_destinations = write;
    api->destinations_ctx = ctx;
}
