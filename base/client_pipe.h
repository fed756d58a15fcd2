/* client_pipe.h - bulk work for the service over its local socket: several
 * requests at a time, each on a connection of its own that is kept.  Of one
 * thread; whoever sends waits while all places are taken. */
#ifndef LINKBELL_BASE_CLIENT_PIPE_H
#define LINKBELL_BASE_CLIENT_PIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct lb_client_pipe;

/* An answer, in any order; tag is the request's.  True sends the same request
 * again, after a pause. */
typedef bool (*lb_client_pipe_fn)(void *ctx,
                                  size_t tag,
                                  int status,
                                  const struct lb_buf *answer);

LB_MUST_CHECK enum lb_err lb_client_pipe_new(const char *socket_path,
                                             size_t places,
                                             lb_client_pipe_fn answered,
                                             void *ctx,
                                             struct lb_client_pipe **pipe_out,
                                             struct lb_error *err);
void lb_client_pipe_free(struct lb_client_pipe *pipe); /* NULL is fine */

/* POSTs body to path (with query, escaped).  The body's bytes are taken over:
 * it is then empty, with memory to be used again.  LB_ENET: the service can't
 * be reached. */
LB_MUST_CHECK enum lb_err lb_client_pipe_send(struct lb_client_pipe *pipe,
                                              const char *path,
                                              struct lb_buf *body,
                                              size_t tag,
                                              struct lb_error *err);
/* Until all are answered. */
LB_MUST_CHECK enum lb_err lb_client_pipe_wait(struct lb_client_pipe *pipe,
                                              struct lb_error *err);

#endif
