/* verify.h - adds the rollups up against the log, and derives them anew. */
#ifndef LINKBELL_AGGREGATE_VERIFY_H
#define LINKBELL_AGGREGATE_VERIFY_H

#include "aggregate/day_builder.h"
#include "base/cli.h"
#include "base/http_server.h"
#include "sql/auth.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct verify_api;

/* What it is made of; borrowed. */
struct verify_parts {
    struct pool *readers;
    struct writer *writer;
    struct day_builder *days;
};

/* POST /v1/verify?repair=1 and POST /v1/rebuild, scope admin. */
LB_MUST_CHECK enum lb_err verify_api_new(struct lb_http_server *server,
                                         struct auth *auth,
                                         const struct verify_parts *parts,
                                         struct verify_api **api_out,
                                         struct lb_error *err);
void verify_api_free(struct verify_api *api);

int verify_command(struct lb_cli *cli, int argc, char **argv);
int rebuild_command(struct lb_cli *cli, int argc, char **argv);

#endif
