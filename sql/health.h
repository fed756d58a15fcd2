/* health.h - /healthz, /readyz and /metrics, and the counting of requests. */
#ifndef LINKBELL_SQL_HEALTH_H
#define LINKBELL_SQL_HEALTH_H

#include "base/http_server.h"
#include "sql/auth.h"
#include "sql/cursor.h"
#include "sql/writer.h"

struct health_api;

/* A part that /readyz reports about and this folder does not know: a static
 * word, asked on the loop thread. */
struct health_check {
    const char *(*state)(void *ctx);
    void *ctx;
};

/* What it is made of; borrowed. */
struct health_parts {
    struct writer *writer;
    struct cursor *cursor;
    struct health_check geo;
};

LB_MUST_CHECK enum lb_err health_api_new(struct lb_http_server *server,
                                         struct auth *auth,
                                         const struct health_parts *parts,
                                         struct health_api **api_out,
                                         struct lb_error *err);
void health_api_free(struct health_api *api);
/* Who writes the destinations that take no messages as a JSON object, on the
 * loop thread. */
void health_api_set_destinations(struct health_api *api,
                                 void (*write)(void *ctx, struct lb_buf *out),
                                 void *ctx);

/* Counts answers and limits that were met: what main.c gives the HTTP server.
 */
struct lb_http_server_hooks health_hooks(void);

#endif
