/* column_block.h - one block of a sealed segment at a time, each of its columns
 * unpacked when it is first asked for. */
#ifndef LINKBELL_AGGREGATE_COLUMN_BLOCK_H
#define LINKBELL_AGGREGATE_COLUMN_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/segment_store.h"

struct column_block {
    struct segment *segment; /* borrowed */
    /* Of the block that was read last: in rooms, or shared. */
    const uint16_t *codes[SEGMENT_COLUMN_COUNT];
    int64_t *numbers[SEGMENT_FIRST_CODED]; /* owned; NULL: none was so far */
    uint16_t *rooms[SEGMENT_COLUMN_COUNT]; /* likewise */
    size_t blocks[SEGMENT_COLUMN_COUNT];   /* which that is */
};

/* From zeros, and for each segment. */
void column_block_open(struct column_block *block, struct segment *segment);
void column_block_deinit(struct column_block *block);

/* Afterwards codes[column] or numbers[column] are those of the block. */
LB_MUST_CHECK enum lb_err column_block_codes(struct column_block *block,
                                             int column,
                                             size_t number,
                                             struct lb_error *err);
LB_MUST_CHECK enum lb_err column_block_numbers(struct column_block *block,
                                               int column,
                                               size_t number,
                                               struct lb_error *err);

#endif
