/* relabel_api.h - POST /v1/relabel and `linkbell relabel`: the list of crawlers
 * applied to history. */
#ifndef LINKBELL_INGEST_RELABEL_API_H
#define LINKBELL_INGEST_RELABEL_API_H

#include "base/cli.h"
#include "base/err.h"
#include "base/http_server.h"
#include "ingest/intake.h"

struct relabel_api;

LB_MUST_CHECK enum lb_err relabel_api_new(struct lb_http_server *server,
                                          struct intake *intake,
                                          struct relabel_api **api_out,
                                          struct lb_error *err);
void relabel_api_free(struct relabel_api *api); /* NULL is fine */

int relabel_api_command(struct lb_cli *cli, int argc, char **argv);

#endif
