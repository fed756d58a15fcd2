/* column_block.c - one block of a sealed segment at a time. */
#include "aggregate/column_block.h"

#include <stdlib.h>

void column_block_open(struct column_block *block, struct segment *segment)
{
    block->segment = segment;
    for (int i = 0; i < SEGMENT_COLUMN_COUNT; i++) {
        block->blocks[i] = SIZE_MAX;
    }
}

void column_block_deinit(struct column_block *block)
{
    for (int i = 0; i < SEGMENT_COLUMN_COUNT; i++) {
        free(block->rooms[i]);
        block->rooms[i] = NULL;
        block->codes[i] = NULL;
    }
    for (int i = 0; i < SEGMENT_FIRST_CODED; i++) {
        free(block->numbers[i]);
        block->numbers[i] = NULL;
    }
}

static enum lb_err no_memory(struct lb_error *err)
{
    return lb_err_set(err, LB_ENOMEM, "out of memory");
}

enum lb_err column_block_codes(struct column_block *block,
                               int column,
                               size_t number,
                               struct lb_error *err)
{
    if (block->rooms[column] == NULL) {
        block->rooms[column] =
            malloc(SEGMENT_PACK_BLOCK * sizeof(*block->rooms[column]));
    }
    if (block->rooms[column] == NULL) {
        return no_memory(err);
    }
    if (block->blocks[column] == number) {
        return LB_OK;
    }
    block->blocks[column] = number;
    return segment_store_look(block->segment, column, number,
                              block->rooms[column], &block->codes[column], err);
}

enum lb_err column_block_numbers(struct column_block *block,
                                 int column,
                                 size_t number,
                                 struct lb_error *err)
{
    if (block->numbers[column] == NULL) {
        block->numbers[column] =
            malloc(SEGMENT_PACK_BLOCK * sizeof(*block->numbers[column]));
    }
    if (block->numbers[column] == NULL) {
        return no_memory(err);
    }
    if (block->blocks[column] == number) {
        return LB_OK;
    }
    block->blocks[column] = number;
    return segment_store_numbers(block->segment, column, number,
                                 block->numbers[column], err);
}
