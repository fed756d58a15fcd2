/* v2_attention.h - how far down visitors came on a page and how long it had
 * their attention.  What the log holds of it belongs to the latest view of that
 * page in the visitor's visit, and so to the rows that the view stands in.
 * Pure; bounded by memory. */
#ifndef LINKBELL_AGGREGATE_V2_ATTENTION_H
#define LINKBELL_AGGREGATE_V2_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/engagement.h"

#define V2_ATTENTION_TOTAL 0 /* the row of the whole query; others from 1 */

struct v2_attention;

struct v2_attention *v2_attention_new(void); /* NULL: out of memory */
void v2_attention_free(struct v2_attention *attention); /* NULL is fine */

/* A view that counts in a row (and in the total).  row 0: in none. */
LB_MUST_CHECK enum lb_err v2_attention_view(struct v2_attention *attention,
                                            uint32_t visit,
                                            const char *page,
                                            size_t row);

/* What was read, in the visit that the visitor is in. */
LB_MUST_CHECK enum lb_err v2_attention_add(struct v2_attention *attention,
                                           uint32_t visit,
                                           const struct engagement *engagement);

/* Sums of a row. */
struct v2_attention_sums {
    int64_t depth_sum; /* greatest depths of the visitors that have one */
    int64_t depth_visitors;
    int64_t attention_ms;
    int64_t visits; /* that saw the page */
    bool has_attention;
};
struct v2_attention_sums v2_attention_of(const struct v2_attention *attention,
                                         size_t row);

#endif
