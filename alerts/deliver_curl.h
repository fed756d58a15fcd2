/* deliver_curl.h - libcurl's multi interface on the loop: one transfer is one
 * attempt. */
#ifndef LINKBELL_ALERTS_DELIVER_CURL_H
#define LINKBELL_ALERTS_DELIVER_CURL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/err.h"

struct deliver_curl;

struct deliver_curl_result {
    int status;        /* 0: no answer */
    const char *error; /* stable code, NULL on an answer */
    char address[64];
    int64_t ms;
    int64_t dns_ms;
    int64_t connect_ms;
    int64_t tls_ms;
    int64_t first_byte_ms;
    int64_t retry_after_ms; /* -1: none */
    int64_t reset_after_ms; /* X-RateLimit-Remaining is 0 until then; -1 */
    int exception;          /* X-ClickHouse-Exception-Code; 0: none */
    const char *etag;       /* "": none; borrowed for the call */
    const char *region;     /* X-Amz-Bucket-Region; likewise */
    const char *body;       /* of the answer, as far as it came and is kept;
                               borrowed for the call */
};

typedef void (*deliver_curl_fn)(void *ctx,
                                const struct deliver_curl_result *result);

LB_MUST_CHECK enum lb_err deliver_curl_new(uv_loop_t *loop,
                                           const struct lb_config *config,
                                           struct deliver_curl **curl_out,
                                           struct lb_error *err);
/* Closes its handles and drops what is under way without calling back. */
void deliver_curl_stop(struct deliver_curl *curl);
void deliver_curl_free(struct deliver_curl *curl); /* after the loop ran */

/* What is sent; good for the call. */
struct deliver_curl_request {
    const char *method;
    const char *url;
    const struct lb_buf *headers; /* lines, each ended by a newline */
    const struct lb_buf *body;
    int64_t timeout_ms;    /* of the whole attempt */
    bool needs_body;       /* a status alone is no answer */
    bool is_answer_long;   /* megabytes may come */
    const char *mail_from; /* of mail, body being all of it; "": it is HTTP */
    const char *mail_to;
    const char *user; /* of mail, of sigv4 or of has_login; "" none */
    const char *password;
    const char *sigv4; /* "aws:amz:REGION:SERVICE"; "" none */
    bool has_login;    /* basic authentication */
};

/* Sends the request.  On an error done is never called. */
LB_MUST_CHECK enum lb_err
deliver_curl_send(struct deliver_curl *curl,
                  const struct deliver_curl_request *request,
                  deliver_curl_fn done,
                  void *ctx,
                  struct lb_error *err);

/* Of libcurl and what it is built on, as they run.  Static. */
const char *deliver_curl_version(void);

#endif
