/* hook.h - inbound webhooks: POST /in/{source}, and /in/{source}/{secret} where
 * the source has no signature. */
#ifndef LINKBELL_INGEST_HOOK_H
#define LINKBELL_INGEST_HOOK_H

#include "base/err.h"
#include "base/http_server.h"
#include "ingest/intake.h"

struct hook_api;

LB_MUST_CHECK enum lb_err hook_api_new(struct lb_http_server *server,
                                       struct intake *intake,
                                       struct hook_api **api_out,
                                       struct lb_error *err);
/* Reads the sources and their secrets anew, and logs what is wrong with them;
 * what is under way keeps the old ones. */
void hook_api_reload(struct hook_api *api);
void hook_api_free(struct hook_api *api); /* no request may be under way */

#endif
