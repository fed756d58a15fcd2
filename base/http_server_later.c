/* http_server_later.c - something to do after a while, unless called off. */
#include <stdlib.h>

#include "base/http_server_conn.h"

struct lb_http_server_later {
    uv_timer_t timer; /* first: handles are cast back */
    void (*run)(void *ctx);
    void *ctx;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle); /* the timer is the first member */
}

static void on_time(uv_timer_t *timer)
{
    struct lb_http_server_later *later = (struct lb_http_server_later *)timer;
    void (*run)(void *) = later->run;
    void *ctx = later->ctx;

    uv_close((uv_handle_t *)timer, on_closed);
    run(ctx);
}

struct lb_http_server_later *
lb_http_server_later_start(struct lb_http_server *server,
                           int64_t after_ms,
                           void (*run)(void *ctx),
                           void *ctx)
{
    struct lb_http_server_later *later = calloc(1, sizeof(*later));

    if (later == NULL) {
        return NULL;
    }
    later->run = run;
    later->ctx = ctx;
    (void)uv_timer_init(server->loop, &later->timer);
    (void)uv_timer_start(&later->timer, on_time, (uint64_t)after_ms, 0);
    return later;
}

void lb_http_server_later_stop(struct lb_http_server_later *later)
{
    if (later != NULL) {
        uv_close((uv_handle_t *)&later->timer, on_closed);
    }
}
