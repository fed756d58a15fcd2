/* client.h - asking the service over its local socket, for the command line.
 * Blocks. */
#ifndef LINKBELL_BASE_CLIENT_H
#define LINKBELL_BASE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct lb_client_request {
    const char *method;
    const char *path;            /* with query, escaped */
    const char *content_type;    /* NULL: none */
    const char *accept_encoding; /* NULL: none */
    const struct lb_buf *body;   /* NULL: none */
    /* Body bytes as they come, or into answer when NULL; false stops. */
    bool (*on_body)(void *ctx, const char *bytes, size_t len);
    void *ctx;
};

/* *status_out is the answer's status; on_body is called for 2xx only, other
 * bodies go to answer.  LB_ENET: the service can't be reached. */
LB_MUST_CHECK enum lb_err
lb_client_send(const char *socket_path,
               const struct lb_client_request *request,
               int *status_out,
               struct lb_buf *answer,
               struct lb_error *err);

/* Whether a service answers on that socket. */
bool lb_client_is_served(const char *socket_path);

#endif
