/* alert_links.h - links by which whoever gets a message may do something about
 * its alert without a token: each is good for one act on one alert, and for 7
 * days.  What it opens only asks; the act is a POST, so that a chat that looks
 * at the links of its messages does nothing. */
#ifndef LINKBELL_ALERTS_ALERT_LINKS_H
#define LINKBELL_ALERTS_ALERT_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/err.h"
#include "base/secret.h"
#include "sql/db.h"

#define ALERT_LINKS_DAYS 7

struct alert_links {
    struct lb_secret_hmac hmac;
    char public_url[LB_CONFIG_TEXT_BYTES]; /* without a slash at its end */
};

/* db is the writer's: the key is the database's own. */
LB_MUST_CHECK enum lb_err alert_links_init(struct db *db,
                                           const struct lb_config *config,
                                           struct alert_links *links_out,
                                           struct lb_error *err);
/* Appends the URL; act is "ack" or "mute". */
void alert_links_add(const struct alert_links *links,
                     const char *alert,
                     const char *act,
                     int64_t now_s,
                     struct lb_buf *out);
/* Whether key came with such a link, which is still good. */
bool alert_links_may(const struct alert_links *links,
                     const char *alert,
                     const char *act,
                     const char *key,
                     int64_t now_s);

#endif
