/* column_open.h - what counting by columns holds (query_columns.c), and opening
 * a sealed segment for it: values, kinds of events and groups are numbered
 * before its rows are gone through. */
#ifndef LINKBELL_AGGREGATE_COLUMN_OPEN_H
#define LINKBELL_AGGREGATE_COLUMN_OPEN_H

#include "aggregate/axis.h"
#include "aggregate/column_block.h"
#include "aggregate/column_filter.h"
#include "aggregate/grouping.h"
#include "aggregate/query_columns.h"

#define COLUMN_GROUPINGS 4

struct query_columns {
    struct query_work *work;
    struct axis_context context;
    struct segment_packer *packer; /* owned */
    struct axis dimensions[QUERY_DIMENSIONS];
    size_t axis_count; /* of these */
    struct column_filter filter;
    struct grouping groupings[COLUMN_GROUPINGS];
    size_t grouping_count;
    bool has_visitors; /* somebody wants them */
    bool has_amounts;
    bool needs_times;
    /* Of the open segment. */
    struct segment *segment;
    const struct segment_wish *wish;
    struct column_block block;
    const struct segment_column *bits;
    const struct segment_column *days;
    bool has_days; /* some rows have a visitor and some have none, or all are
                      wanted: the column must be read */
    uint16_t no_visitor;     /* else: what that adds to a row's kind */
    uint8_t *is_traffic;     /* by code of bits; in the segment's memory */
    bool is_all_traffic;     /* of each of them */
    uint8_t *types;          /* likewise */
    int64_t first_bucket_ms; /* time buckets are numbered from here */
    size_t bucket_count;
    /* Of a run of rows: those that pass, and what they are. */
    uint16_t *rows;         /* owned; places in the block */
    uint16_t *kinds;        /* owned; by place in rows */
    uint16_t *times;        /* owned; bucket by place in the block */
    uint32_t *combinations; /* owned; of a grouping's codes, by place in rows */
    struct entry entry;
};

/* *is_empty_out: no event there passes the filter.  *is_possible_out: false
 * where groups or times are too many to be numbered. */
LB_MUST_CHECK enum lb_err column_open(struct query_columns *columns,
                                      bool *is_empty_out,
                                      bool *is_possible_out);

#endif
