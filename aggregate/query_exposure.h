/* query_exposure.h - the views of link_ctr: those at which the link was there.
 * For query*.c alone.
 *
 * A row of one link takes the views while that link existed on their site; a
 * row of no link in particular takes those at which any link that the filter
 * lets through did.  Where no site asked has such a link configured, nobody
 * knows since when it is there, and all views count. */
#ifndef LINKBELL_AGGREGATE_QUERY_EXPOSURE_H
#define LINKBELL_AGGREGATE_QUERY_EXPOSURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/query.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/entry.h"

struct query_work;
struct query_exposure;

/* The query's range is resolved.  NULL: out of memory. */
struct query_exposure *query_exposure_new(const struct query *query);
void query_exposure_free(struct query_exposure *exposure); /* NULL is fine */

/* False: every link was there all the time, so that views say it all. */
bool query_exposure_is_limited(const struct query_exposure *exposure);

/* Counts a view that is of the query but for what a view has not. */
LB_MUST_CHECK enum lb_err query_exposure_add(struct query_exposure *exposure,
                                             struct query_work *work,
                                             const struct entry *view,
                                             const struct catalog_site *site);

/* The exposures of a row of so many views; key NULL: of the total. */
int64_t query_exposure_of(const struct query_exposure *exposure,
                          const char *key,
                          size_t key_len,
                          int64_t views);

#endif
