/* token.h - tokens through the API and the command line.  A token is shown
 * once. */
#ifndef LINKBELL_SQL_TOKEN_H
#define LINKBELL_SQL_TOKEN_H

#include "base/cli.h"
#include "base/http_server.h"
#include "sql/auth.h"
#include "sql/catalog.h"
#include "sql/writer.h"

struct token_api;

/* GET and POST /v1/tokens, DELETE /v1/tokens/{id}; scope admin. */
LB_MUST_CHECK enum lb_err token_api_new(struct lb_http_server *server,
                                        struct auth *auth,
                                        struct writer *writer,
                                        struct catalog_holder *holder,
                                        struct token_api **api_out,
                                        struct lb_error *err);
void token_api_free(struct token_api *api);

/* `linkbell token create|list|revoke`. */
int token_command(struct lb_cli *cli, int argc, char **argv);

#endif
