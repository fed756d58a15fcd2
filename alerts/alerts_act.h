/* alerts_act.h - POST /v1/alerts/{id}/ack and .../mute: somebody has seen to an
 * alert, or wants no more of its kind for a while.  Scope admin, or the
 * key of a link in a message (alert_links.h). */
#ifndef LINKBELL_ALERTS_ALERTS_ACT_H
#define LINKBELL_ALERTS_ALERTS_ACT_H

#include "alerts/alerts_api.h"
#include "base/http_server.h"

struct alerts_act;

LB_MUST_CHECK enum lb_err alerts_act_new(struct lb_http_server *server,
                                         const struct alerts_parts *parts,
                                         struct alerts_act **act_out,
                                         struct lb_error *err);
void alerts_act_free(struct alerts_act *act);

#endif
