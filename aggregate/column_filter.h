/* column_filter.h - a filter asked of a sealed segment: each clause of each
 * value once, then of the rows by their codes. */
#ifndef LINKBELL_AGGREGATE_COLUMN_FILTER_H
#define LINKBELL_AGGREGATE_COLUMN_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/axis.h"
#include "aggregate/column_block.h"
#include "aggregate/filter.h"
#include "base/err.h"

struct column_filter {
    const struct filter *filter; /* borrowed; NULL: all match */
    bool is_plain;               /* clauses that must hold, each of them */
    struct axis *clauses;        /* owned */
    const struct filter **asked; /* owned array; the clauses */
    uint8_t **holds;    /* owned; by clause and code; in the segment's memory */
    uint8_t **verdicts; /* owned, each too; by clause and row of the block */
    size_t clause_count;
    size_t *order;   /* owned; clauses, in the order in which they are asked */
    uint8_t *room;   /* owned */
    uint8_t *passes; /* owned; by row of the block: an enum filter_verdict */
};

/* False: out of memory; column_filter_deinit() in any case. */
bool column_filter_init(struct column_filter *column_filter,
                        const struct filter *filter);
void column_filter_deinit(struct column_filter *column_filter);

/* Asks of the segment's values.  *is_empty_out: no row of it can match, unless
 * clauses are left out (the view side). */
LB_MUST_CHECK enum lb_err
column_filter_open(struct column_filter *column_filter,
                   struct segment *segment,
                   const struct axis_context *context,
                   bool *is_empty_out,
                   struct lb_error *err);

/* Rows of the block, of one site. */
struct column_run {
    size_t block;
    size_t site; /* its place in the directory */
    size_t first;
    size_t end;
    bool is_view_side; /* clauses of the click are left out */
    bool is_whole;     /* all of them, and nobody has listed them yet */
};

/* Narrows the run to the times that are wished of its site. */
LB_MUST_CHECK enum lb_err column_filter_narrow(struct column_block *block,
                                               const struct segment_wish *wish,
                                               const struct segment_site *site,
                                               struct column_run *run,
                                               struct lb_error *err);

/* Keeps those of rows (places in the block, ascending, all within the run, or
 * not listed yet) that match; returns how many in *count.  Columns are unpacked
 * as far as rows are left that need them. */
LB_MUST_CHECK enum lb_err
column_filter_keep(struct column_filter *column_filter,
                   struct column_block *block,
                   const struct column_run *run,
                   uint16_t *rows,
                   size_t *count,
                   struct lb_error *err);

#endif
