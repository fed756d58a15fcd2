/* destination.h - one destination: what its type makes of a message, and what
 * it makes of the answer.  A type is one constant table; deliver.c knows no
 * type by name. */
#ifndef LINKBELL_ALERTS_DESTINATION_H
#define LINKBELL_ALERTS_DESTINATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

#define DESTINATION_RETRIES 24
#define DESTINATION_SECRETS 2

enum destination_outcome {
    DESTINATION_SUCCESS,
    DESTINATION_RETRY,
    DESTINATION_PERMANENT
};

struct destination {
    const struct destination_type *type;
    const char *id;    /* borrowed from the catalog */
    const cJSON *body; /* likewise */
    char url[2048];
    uint8_t secrets[DESTINATION_SECRETS][LB_SECRET_WEBHOOK_BYTES];
    size_t secret_bytes[DESTINATION_SECRETS];
    size_t secret_count;
    int64_t timeout_ms;
    int64_t max_age_ms;
    int64_t retries_ms[DESTINATION_RETRIES];
    size_t retry_count;
    bool is_enabled;
};

struct destination_message {
    const char *id;
    const char *body; /* the webhook's bytes */
    int64_t now_s;    /* of this attempt */
};

struct destination_type {
    const char *name;
    /* Writes the request's body, and header lines "Name: value" each ended by a
     * newline. */
    enum lb_err (*render)(const struct destination *destination,
                          const struct destination_message *message,
                          struct lb_buf *body,
                          struct lb_buf *headers,
                          struct lb_error *err);
    /* What a status means; 0 is no answer. */
    enum destination_outcome (*judge)(int status);
};

extern const struct destination_type webhook_type;
extern const struct destination_type slack_type;

/* Reads a destination as it stands in the configuration; secrets come from the
 * environment or files.  err names the variable, never its value. */
LB_MUST_CHECK enum lb_err destination_read(const cJSON *body,
                                           struct destination *destination_out,
                                           struct lb_error *err);

/* The value of the Standard Webhooks signature: one "v1,..." a secret, newest
 * first. */
void destination_sign(const struct destination *destination,
                      const char *id,
                      int64_t at_s,
                      const char *body,
                      size_t len,
                      struct lb_buf *out);

#endif
