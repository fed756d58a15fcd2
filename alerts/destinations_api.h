/* destinations_api.h - /v1/destinations/{id}: a test message, taken out of use
 * and into it.  Scope admin. */
#ifndef LINKBELL_ALERTS_DESTINATIONS_API_H
#define LINKBELL_ALERTS_DESTINATIONS_API_H

#include "alerts/deliver.h"
#include "base/http_server.h"
#include "sql/auth.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct destinations_api;

struct destinations_parts {
    struct auth *auth;
    struct writer *writer;
    const struct lb_config *config; /* for links in a test message */
};

LB_MUST_CHECK enum lb_err
destinations_api_new(struct lb_http_server *server,
                     const struct destinations_parts *parts,
                     struct destinations_api **api_out,
                     struct lb_error *err);
/* Who sends; NULL: nobody, so there are no test messages. */
void destinations_api_set_deliver(struct destinations_api *api,
                                  struct deliver *deliver);
void destinations_api_free(struct destinations_api *api);

#endif
