/* export_since.h - Last-Modified of an export of closed days, and whether it
 * changed since the client's If-Modified-Since (RFC 9110, 8.8.2 and 13.1.3).
 *
 * A day's rows change when an event comes, goes or gets another class; each
 * makes the day stale, and it is counted again later.  So when that was is the
 * time; while a day is stale there is none. */
#ifndef LINKBELL_AGGREGATE_EXPORT_SINCE_H
#define LINKBELL_AGGREGATE_EXPORT_SINCE_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregate/query.h"
#include "base/err.h"
#include "base/http_request.h"
#include "sql/db.h"

/* Seconds since 1970, rounded up; 0: there is no such time, as of several
 * sites, or where events have aged out. */
LB_MUST_CHECK enum lb_err export_since_read(struct db *db,
                                            const struct query *query,
                                            int64_t *modified_at_s_out,
                                            struct lb_error *err);

/* Adds the header; true: the client has these rows (If-None-Match, which says
 * more, is not given). */
bool export_since_respond(struct lb_http_request *http, int64_t modified_at_s);

#endif
