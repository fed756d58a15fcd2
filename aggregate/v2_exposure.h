/* v2_exposure.h - the views of link_ctr in the stats dialect: those at which
 * the link was there, or, where a row is of no link in particular, any that the
 * filter lets through.  A link that is not configured counts all. */
#ifndef LINKBELL_AGGREGATE_V2_EXPOSURE_H
#define LINKBELL_AGGREGATE_V2_EXPOSURE_H

#include <stddef.h>
#include <stdint.h>

#include "aggregate/v2_filter.h"
#include "aggregate/v2_request.h"
#include "base/err.h"

struct v2_exposure;

/* NULL: out of memory.  The request's range is resolved. */
struct v2_exposure *v2_exposure_new(const struct v2_request *request);
void v2_exposure_free(struct v2_exposure *exposure); /* NULL is fine */

/* Where a view goes: the key of the row of a link (slug NULL: of no link). */
struct v2_exposure_keys {
    size_t (*make)(void *ctx, const char *slug, const char **key_out);
    void *ctx;
};

/* Counts a view; question is that of its side. */
LB_MUST_CHECK enum lb_err
v2_exposure_add(struct v2_exposure *exposure,
                const struct v2_filter_question *question,
                const struct v2_exposure_keys *keys);

/* A row of so many views. */
struct v2_exposure_row {
    const char *key; /* NULL: the whole query */
    size_t key_len;
    const char *slug; /* of the row's link; NULL: none */
    int64_t views;
};
int64_t v2_exposure_of(const struct v2_exposure *exposure,
                       const struct v2_exposure_row *row);

#endif
