/* rules_api.h - POST /v1/rules/{id}/test, which sends a made-up alert of the
 * rule to its destinations.  The loop thread's. */
#ifndef LINKBELL_ALERTS_RULES_API_H
#define LINKBELL_ALERTS_RULES_API_H

#include "alerts/alerts_api.h"
#include "base/config.h"
#include "base/http_server.h"

struct rules_api;

LB_MUST_CHECK enum lb_err rules_api_new(struct lb_http_server *server,
                                        const struct alerts_parts *parts,
                                        struct rules_api **api_out,
                                        struct lb_error *err);
/* Who sends messages; NULL: nobody yet. */
void rules_api_set_deliver(struct rules_api *api, struct deliver *deliver);
void rules_api_free(struct rules_api *api); /* NULL is fine */

#endif
