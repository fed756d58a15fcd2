/* doctor_api.h - GET /v1/doctor, and `linkbell doctor`. */
#ifndef LINKBELL_SQL_DOCTOR_API_H
#define LINKBELL_SQL_DOCTOR_API_H

#include "base/cli.h"
#include "base/http_server.h"
#include "sql/apply.h"
#include "sql/auth.h"
#include "sql/cursor.h"
#include "sql/health.h"
#include "sql/pool.h"

struct doctor_api;

/* What it is made of; borrowed. */
struct doctor_parts {
    struct auth *auth;
    struct pool *readers;
    struct writer *writer;
    struct cursor *cursor;
    struct catalog_holder *holder;
    struct health_check geo;
};

LB_MUST_CHECK enum lb_err doctor_api_new(struct lb_http_server *server,
                                         const struct doctor_parts *parts,
                                         struct doctor_api **api_out,
                                         struct lb_error *err);
void doctor_api_free(struct doctor_api *api); /* NULL is fine */

/* versions: what main.c knows of the libraries that are linked, one a line as
 * "NAME VERSION". */
int doctor_api_command(struct lb_cli *cli,
                       const struct apply_kinds *kinds,
                       const char *versions,
                       int argc,
                       char **argv);

#endif
