/* dial.h - connections for destinations that do not speak HTTP, by
 * libcurl, plain or TLS, held to the same rules of addresses.  For threads that
 * may wait. */
#ifndef LINKBELL_ALERTS_DIAL_H
#define LINKBELL_ALERTS_DIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/err.h"

struct dials; /* what connections are made with; any thread */
struct dial;  /* one of them; one thread's at a time */

struct dial_place {
    const char *host;
    unsigned port;
    bool is_tls;
};

LB_MUST_CHECK enum lb_err dials_new(const struct lb_config *config,
                                    struct dials **dials_out,
                                    struct lb_error *err);
void dials_free(struct dials *dials); /* NULL is fine */

/* Connects within timeout_ms, which holds for all that follows, too.
 * LB_EFORBIDDEN: the address is not allowed; LB_ENET: any other failure. */
LB_MUST_CHECK enum lb_err dial_open(const struct dials *dials,
                                    const struct dial_place *place,
                                    int64_t timeout_ms,
                                    struct dial **dial_out,
                                    struct lb_error *err);
void dial_close(struct dial *dial); /* NULL is fine */

/* Sends all of it.  LB_ENET: reset; LB_ETIMEOUT. */
LB_MUST_CHECK enum lb_err dial_send(struct dial *dial,
                                    const char *bytes,
                                    size_t len,
                                    struct lb_error *err);
/* Waits for bytes; 0 of them is no answer but an error. */
LB_MUST_CHECK enum lb_err dial_receive(struct dial *dial,
                                       char *out,
                                       size_t cap,
                                       size_t *len_out,
                                       struct lb_error *err);

#endif
