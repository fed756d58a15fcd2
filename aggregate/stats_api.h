/* stats_api.h - GET /v1/stats. */
#ifndef LINKBELL_AGGREGATE_STATS_API_H
#define LINKBELL_AGGREGATE_STATS_API_H

#include "base/config.h"
#include "base/http_server.h"
#include "sql/auth.h"
#include "sql/cursor.h"
#include "sql/pool.h"

struct stats_api;

/* What it is made of; borrowed. */
struct stats_parts {
    struct pool *readers;
    struct cursor *cursor;
};

LB_MUST_CHECK enum lb_err stats_api_new(struct lb_http_server *server,
                                        struct auth *auth,
                                        const struct stats_parts *parts,
                                        const struct lb_config *config,
                                        struct stats_api **api_out,
                                        struct lb_error *err);
void stats_api_set_config(struct stats_api *api,
                          const struct lb_config *config);
void stats_api_free(struct stats_api *api);

/* The answer to a question that failed with rc; text says why. */
void stats_api_respond_error(struct lb_http_request *http,
                             enum lb_err rc,
                             const char *text);

/* A whole answer with its weak ETag, or 304 where the asker has it. */
void stats_api_respond(struct lb_http_request *http,
                       const char *content_type,
                       const struct lb_buf *answer);

#endif
