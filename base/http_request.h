/* http_request.h - what a handler asks of a request. */
#ifndef LINKBELL_BASE_HTTP_REQUEST_H
#define LINKBELL_BASE_HTTP_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/http_server.h"

/* All texts are the request's, NUL-terminated. */
const char *lb_http_request_method(const struct lb_http_request *request);
const char *
lb_http_request_path(const struct lb_http_request *request); /* decoded once */
const char *
lb_http_request_route(const struct lb_http_request *request); /* its pattern */
const char *lb_http_request_host(const struct lb_http_request *request);
/* Value of "{name}" in the route's pattern, or of "***", which stands for a
 * part that nobody shows (LB_HTTP_PARAM_SECRET); "" when there is none. */
#define LB_HTTP_PARAM_SECRET "***"
const char *lb_http_request_param(const struct lb_http_request *request,
                                  const char *name);

/* A header field; NULL when absent.  Of several the first. */
const char *lb_http_request_header(const struct lb_http_request *request,
                                   const char *name);
size_t lb_http_request_header_count(const struct lb_http_request *request,
                                    const char *name);
/* All fields of that name, joined by commas, into buf. */
void lb_http_request_header_joined(const struct lb_http_request *request,
                                   const char *name,
                                   struct lb_buf *buf);

/* The query, decoded as a form.  Value of key number nth (from 0); NULL when
 * absent. */
const char *lb_http_request_query(struct lb_http_request *request,
                                  const char *key,
                                  size_t nth);
size_t lb_http_request_query_count(struct lb_http_request *request);
const char *lb_http_request_query_key(struct lb_http_request *request,
                                      size_t index);
const char *lb_http_request_query_value(struct lb_http_request *request,
                                        size_t index);
/* The query as sent, without '?'. */
const char *lb_http_request_query_text(const struct lb_http_request *request);

/* The body; the buffer may be taken (lb_buf_take) by the handler. */
struct lb_buf *lb_http_request_body(struct lb_http_request *request);
/* The handler needs it no more, though the answer is still to come. */
void lb_http_request_drop_body(struct lb_http_request *request);
/* Content-Length, or -1 for a chunked body, 0 for none. */
int64_t lb_http_request_length(const struct lb_http_request *request);

/* Any thread, while the request is worked on.  hold says how many bytes besides
 * the body are held for it from now on (what the body unpacks to); all_held is
 * what the server's requests hold together, which limits.inflight_bytes is
 * for. */
void lb_http_request_hold(struct lb_http_request *request, size_t bytes);
size_t lb_http_request_all_held(const struct lb_http_request *request);

const struct sockaddr *
lb_http_request_peer(const struct lb_http_request *request);
bool lb_http_request_is_local(
    const struct lb_http_request *request); /* local socket */
bool lb_http_request_is_gone(
    const struct lb_http_request *request); /* peer left */
/* Loop thread: *flag becomes true when the peer closes its side, or the
 * connection ends, before the answer; any thread may look at it.  NULL ends
 * that, and must come before the flag's memory goes and before the answer. */
void lb_http_request_tell_gone(struct lb_http_request *request,
                               atomic_bool *flag);
/* The service is about to end: a stream without an end is to be ended. */
bool lb_http_request_is_draining(const struct lb_http_request *request);
bool lb_http_request_is_head(const struct lb_http_request *request);

/* A handler's own data, freed with the request. */
void lb_http_request_set_user(struct lb_http_request *request,
                              void *user,
                              void (*free_fn)(void *));
void *lb_http_request_user(const struct lb_http_request *request);

#endif
