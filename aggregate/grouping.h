/* grouping.h - a tally's groups in one sealed segment: combinations of codes
 * get small numbers, events are added to cells by group and kind, and at the
 * segment's end the cells become counts.  A kind is a code of the column of
 * bits, times two, one more without a visitor. */
#ifndef LINKBELL_AGGREGATE_GROUPING_H
#define LINKBELL_AGGREGATE_GROUPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/query.h"
#include "aggregate/tally.h"
#include "base/err.h"
#include "sql/segment.h"

#define GROUPING_SPACE_MAX                                                     \
    ((size_t)1 << 20) /* combinations of codes in a segment */

struct grouping {
    struct tally *tally; /* borrowed */
    bool has_dimensions;
    bool is_view_side;
    size_t strides[QUERY_DIMENSIONS]; /* of a code in a combination */
    size_t kind_count;
    uint32_t *local; /* owned; group of a combination + 1; 0: none yet */
    size_t local_cap;
    uint32_t *groups; /* owned; the tally's number of each */
    uint32_t *cells;  /* owned; by group and kind */
    size_t group_count;
    size_t group_cap;
};

void grouping_deinit(struct grouping *grouping);

/* Begins with a segment of as many combinations and kinds; false: out of
 * memory. */
bool grouping_open(struct grouping *grouping, size_t space, size_t kind_count);

/* Makes the combination stand for the tally's group. */
LB_MUST_CHECK enum lb_err
grouping_add(struct grouping *grouping, size_t place, uint32_t group);

/* Adds the cells to the tally; bits is the segment's column. */
void grouping_fold(struct grouping *grouping,
                   const struct segment_column *bits);

#endif
