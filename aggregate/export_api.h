/* export_api.h - GET /v1/export/events and /v1/export/stats. */
#ifndef LINKBELL_AGGREGATE_EXPORT_API_H
#define LINKBELL_AGGREGATE_EXPORT_API_H

#include "base/http_server.h"
#include "sql/auth.h"
#include "sql/cursor.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct export_api;

/* What it is made of; borrowed. */
struct export_parts {
    struct pool *readers;
    struct writer *writer;
    struct cursor *cursor;
};

LB_MUST_CHECK enum lb_err export_api_new(struct lb_http_server *server,
                                         struct auth *auth,
                                         const struct export_parts *parts,
                                         struct export_api **api_out,
                                         struct lb_error *err);
void export_api_free(struct export_api *api);

#endif
