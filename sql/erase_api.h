/* erase_api.h - POST /v1/erase and `linkbell erase`. */
#ifndef LINKBELL_SQL_ERASE_API_H
#define LINKBELL_SQL_ERASE_API_H

#include "base/cli.h"
#include "base/http_server.h"
#include "sql/auth.h"
#include "sql/erase.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct erase_api;
struct seal;

/* What it is made of; borrowed, the hooks copied. */
struct erase_parts {
    struct pool *readers;
    struct writer *writer;
    struct seal *seal;
    const struct erase_hooks *hooks;
};

/* The route, scope admin; what is asked stands in its body, never in a URL. */
LB_MUST_CHECK enum lb_err erase_api_new(struct lb_http_server *server,
                                        struct auth *auth,
                                        const struct erase_parts *parts,
                                        struct erase_api **api_out,
                                        struct lb_error *err);
void erase_api_free(struct erase_api *api);

int erase_api_command(struct lb_cli *cli, int argc, char **argv);

#endif
