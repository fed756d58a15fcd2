/* object_api.h - /v1/sites, /v1/links, /v1/rules and /v1/destinations: GET,
 * POST, PUT, DELETE.  What the applied file manages is not changed here. */
#ifndef LINKBELL_SQL_OBJECT_API_H
#define LINKBELL_SQL_OBJECT_API_H

#include "base/http_server.h"
#include "sql/apply.h"
#include "sql/auth.h"
#include "sql/object_json.h"
#include "sql/pool.h"

struct object_api;

/* What it is made of; borrowed. */
struct object_parts {
    struct auth *auth;
    struct writer *writer;
    struct pool *readers;
    const struct apply_target *target;
    object_more_fn more[OBJECT_KIND_COUNT]; /* NULL: nothing */
};

LB_MUST_CHECK enum lb_err object_api_new(struct lb_http_server *server,
                                         const struct object_parts *parts,
                                         struct object_api **api_out,
                                         struct lb_error *err);
void object_api_free(struct object_api *api); /* NULL is fine */

#endif
