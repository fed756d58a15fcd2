/* digest.h - alerts gathered into one message, by rule and site: while it is
 * quiet, or for as long as the rule's `digest` says after the first of them.  A
 * tick sends it.  The writer thread's, inside the cursor's transaction. */
#ifndef LINKBELL_ALERTS_DIGEST_H
#define LINKBELL_ALERTS_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "alerts/groups.h"
#include "alerts/rule.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/db.h"

/* A rule's digest of a site; books is the group "" of both, loaded. */
struct digest {
    struct db *db;
    struct groups *groups;
    const struct rule *rule;
    const struct catalog_site *site;
    struct group *books;
    const char *public_url;
    int64_t now_ms;
};

/* The alert waits for the digest. */
LB_MUST_CHECK enum lb_err digest_gather(const struct digest *digest,
                                        const char *alert,
                                        struct lb_error *err);

bool digest_is_due(const struct digest *digest);
/* Queues the message about all that was gathered; *has_queued_out false: there
 * was nothing (left) to tell, or nobody to tell it to. */
LB_MUST_CHECK enum lb_err digest_send(const struct digest *digest,
                                      bool *has_queued_out,
                                      struct lb_error *err);

#endif
