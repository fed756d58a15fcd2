/* client_rules.h - what the settings say about clients: which proxies are
 * trusted to name them and whether their wish not to be recognised counts.
 * The loop thread's. */
#ifndef LINKBELL_BASE_CLIENT_RULES_H
#define LINKBELL_BASE_CLIENT_RULES_H

#include <stdbool.h>

#include "base/config.h"
#include "base/http_request.h"
#include "base/ip.h"

struct lb_client_rules;

/* Freed by lb_client_rules_free().  LB_EINVAL names a network that is none. */
LB_MUST_CHECK enum lb_err
lb_client_rules_new(const struct lb_config *config,
                    struct lb_client_rules **rules_out,
                    struct lb_error *err);
/* New settings; on an error, which is logged, the old ones stay. */
void lb_client_rules_set(struct lb_client_rules *rules,
                         const struct lb_config *config);
void lb_client_rules_free(struct lb_client_rules *rules); /* NULL is fine */

/* The client that a request counts for (lb_client_ip_find()). */
struct lb_ip lb_client_rules_find(const struct lb_client_rules *rules,
                                  const struct lb_http_request *request);

/* Whether the peer may name the client: a trusted proxy, or the local socket.
 */
bool lb_client_rules_is_trusted(const struct lb_client_rules *rules,
                                const struct lb_http_request *request);

/* The client that a back end with a token names (lb_client_ip_given()). */
struct lb_ip lb_client_rules_given(const struct lb_client_rules *rules,
                                   const struct lb_http_request *request);

/* Whether the client asks not to be recognised, by `Sec-GPC: 1` (Global Privacy
 * Control) or `DNT: 1`, and the settings honour it. */
bool lb_client_rules_is_private(const struct lb_client_rules *rules,
                                const struct lb_http_request *request);

#endif
