/* http_respond.h - answering a request, at once or later, whole or in pieces.
 * Each request is answered exactly once. */
#ifndef LINKBELL_BASE_HTTP_RESPOND_H
#define LINKBELL_BASE_HTTP_RESPOND_H

#include "base/http_server.h"

/* Adds a field to the answer to come.  Control characters in value become
 * spaces. */
void lb_http_respond_header(struct lb_http_request *request,
                            const char *name,
                            const char *value);

/* The whole answer; body is copied.  content_type NULL: none.  The request is
 * gone. */
void lb_http_respond(struct lb_http_request *request,
                     int status,
                     const char *content_type,
                     const char *body,
                     size_t len);
void lb_http_respond_json(struct lb_http_request *request,
                          int status,
                          const struct lb_buf *body);

/* {"error":{"code","message","hint"}}; hint may be NULL. */
void lb_http_respond_error(struct lb_http_request *request,
                           int status,
                           const char *code,
                           const char *message,
                           const char *hint);
/* The same, and the connection closes: what follows the request is not read. */
void lb_http_respond_error_close(struct lb_http_request *request,
                                 int status,
                                 const char *code,
                                 const char *message,
                                 const char *hint);

/* In pieces: begin, write any number of times, end.  write answers false while
 * the peer is behind: wait for on_drain before the next piece.  on_drain is for
 * starting to make that piece, and is also called when the peer is gone.  abort
 * breaks the connection off: the peer sees an incomplete answer. */
void lb_http_respond_begin(struct lb_http_request *request,
                           int status,
                           const char *content_type,
                           void (*on_drain)(void *ctx),
                           void *ctx);
bool lb_http_respond_write(struct lb_http_request *request,
                           const char *bytes,
                           size_t len);
void lb_http_respond_end(struct lb_http_request *request);
void lb_http_respond_abort(struct lb_http_request *request);

#endif
