/* alert_page.h - GET /v1/alerts/{id}/ack and .../mute with the key of a link
 * (alert_links.h): the page that asks whether it is meant, and those that say
 * what was done.  HTML without script and style, for a phone. */
#ifndef LINKBELL_ALERTS_ALERT_PAGE_H
#define LINKBELL_ALERTS_ALERT_PAGE_H

#include "alerts/alert_links.h"
#include "base/http_server.h"
#include "sql/pool.h"

struct alert_page;

/* readers and links are borrowed. */
LB_MUST_CHECK enum lb_err alert_page_new(struct lb_http_server *server,
                                         struct pool *readers,
                                         const struct alert_links *links,
                                         struct alert_page **page_out,
                                         struct lb_error *err);
void alert_page_free(struct alert_page *page);

/* Whether the request's `key` allows the act on the alert of its path; false:
 * it was answered. */
bool alert_page_may(const struct alert_links *links,
                    struct lb_http_request *http,
                    const char *act);
/* Answers that the act ("ack", "mute") on the alert (as lists have it) is done.
 */
void alert_page_done(struct lb_http_request *http,
                     const char *act,
                     const char *alert);
/* Answers that it is not. */
void alert_page_failed(struct lb_http_request *http,
                       int status,
                       const char *text);

#endif
