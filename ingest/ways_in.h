/* ways_in.h - every way by which events come: one place that opens and closes
 * them all. */
#ifndef LINKBELL_INGEST_WAYS_IN_H
#define LINKBELL_INGEST_WAYS_IN_H

#include <stdbool.h>

#include "base/config.h"
#include "base/err.h"
#include "base/http_server.h"
#include "ingest/intake.h"

struct ways_in;

/* Adds the routes to server.  On an error what was made is in *ways_out, for
 * ways_in_free(). */
LB_MUST_CHECK enum lb_err ways_in_new(struct lb_http_server *server,
                                      const struct intake_parts *parts,
                                      const struct lb_config *config,
                                      struct ways_in **ways_out,
                                      struct lb_error *err);
/* New settings, between requests: what is under way keeps the old ones. */
void ways_in_set_config(struct ways_in *ways, const struct lb_config *config);
/* Before the first request: says what is wrong with what they need. */
void ways_in_start(struct ways_in *ways);
/* Any thread: whether records of imports wait to be appended; ctx is the ways.
 */
bool ways_in_are_loading(void *ctx);
void ways_in_free(struct ways_in *ways); /* no request may be under way */

#endif
