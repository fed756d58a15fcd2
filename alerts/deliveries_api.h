/* deliveries_api.h - /v1/deliveries/{id}, and sending again. */
#ifndef LINKBELL_ALERTS_DELIVERIES_API_H
#define LINKBELL_ALERTS_DELIVERIES_API_H

#include "alerts/deliver.h"
#include "base/http_server.h"
#include "sql/auth.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct deliveries_api;

LB_MUST_CHECK enum lb_err deliveries_api_new(struct lb_http_server *server,
                                             struct auth *auth,
                                             struct pool *readers,
                                             struct writer *writer,
                                             struct deliveries_api **api_out,
                                             struct lb_error *err);
/* Who is woken when something waits again; NULL: nobody sends. */
void deliveries_api_set_deliver(struct deliveries_api *api,
                                struct deliver *deliver);
void deliveries_api_free(struct deliveries_api *api);

#endif
