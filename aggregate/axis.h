/* axis.h - a dimension's values in a sealed segment, by the code of the column
 * that holds them: what a question needs of 65,535 events is looked up once for
 * each value. */
#ifndef LINKBELL_AGGREGATE_AXIS_H
#define LINKBELL_AGGREGATE_AXIS_H

#include <stddef.h>

#include "aggregate/dimension.h"
#include "base/buf.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/dict.h"
#include "sql/segment_store.h"

#define AXIS_SITE (-1) /* no column: the segment's sites by their place */
#define AXIS_TIME (-2) /* no column: made of ts */

struct axis {
    const struct dimension *dimension; /* borrowed */
    int column;
    /* Of the open segment, good until it is closed; not of AXIS_TIME. */
    size_t count;
    const char **values; /* NULL: has none */
};

/* Where values are looked up; all borrowed. */
struct axis_context {
    struct db *db;
    struct dict_cache *cache;
    const struct catalog *catalog;
    struct lb_buf *scratch;
};

void axis_init(struct axis *axis, const struct dimension *dimension);

/* Reads the values of the segment. */
LB_MUST_CHECK enum lb_err axis_open(struct axis *axis,
                                    struct segment *segment,
                                    const struct axis_context *context,
                                    struct lb_error *err);

#endif
