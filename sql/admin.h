/* admin.h - the routes of whoever runs the service: tokens, the applied file,
 * objects, health, doctor.  One place that opens and closes them all. */
#ifndef LINKBELL_SQL_ADMIN_H
#define LINKBELL_SQL_ADMIN_H

#include "base/http_server.h"
#include "sql/apply.h"
#include "sql/auth.h"
#include "sql/cursor.h"
#include "sql/health.h"
#include "sql/object_json.h"
#include "sql/pool.h"

struct admin;

/* What they are made of; borrowed. */
struct admin_parts {
    struct auth *auth;
    struct writer *writer;
    struct pool *readers;
    struct cursor *cursor;
    const struct apply_target *target;
    struct health_check geo;
    object_more_fn more[OBJECT_KIND_COUNT]; /* NULL: nothing */
};

/* Adds the routes to server.  On an error what was made is in *admin_out, for
 * admin_free(). */
LB_MUST_CHECK enum lb_err admin_new(struct lb_http_server *server,
                                    const struct admin_parts *parts,
                                    struct admin **admin_out,
                                    struct lb_error *err);
struct health_api *admin_health(struct admin *admin);
void admin_free(struct admin *admin); /* NULL is fine */

#endif
