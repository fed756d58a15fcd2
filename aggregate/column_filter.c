/* column_filter.c - a filter asked of a sealed segment. */
#include "aggregate/column_filter.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK SEGMENT_PACK_BLOCK

bool column_filter_init(struct column_filter *column_filter,
                        const struct filter *filter)
{
    size_t count = filter_clause_count(filter);
    bool is_whole;

    memset(column_filter, 0, sizeof(*column_filter));
    column_filter->filter = filter;
    column_filter->clauses = calloc(count + 1, sizeof(struct axis));
    column_filter->holds = calloc(count + 1, sizeof(uint8_t *));
    column_filter->verdicts = calloc(count + 1, sizeof(uint8_t *));
    column_filter->room = malloc((size_t)FILTER_ROOM * BLOCK);
    column_filter->passes = malloc(BLOCK);
    is_whole = column_filter->clauses != NULL && column_filter->holds != NULL &&
               column_filter->verdicts != NULL && column_filter->room != NULL &&
               column_filter->passes != NULL;
    for (size_t i = 0; i < count && is_whole; i++) {
        axis_init(&column_filter->clauses[i],
                  filter_clause_dimension(filter, i));
        column_filter->verdicts[i] = malloc(BLOCK);
        is_whole = column_filter->verdicts[i] != NULL;
        column_filter->clause_count = i + 1;
    }
    return is_whole;
}

void column_filter_deinit(struct column_filter *column_filter)
{
    for (size_t i = 0; i < column_filter->clause_count; i++) {
        free(column_filter->verdicts[i]);
    }
    free(column_filter->clauses);
    free(column_filter->holds);
    free(column_filter->verdicts);
    free(column_filter->room);
    free(column_filter->passes);
}

enum lb_err column_filter_open(struct column_filter *column_filter,
                               struct segment *segment,
                               const struct axis_context *context,
                               bool *is_empty_out,
                               struct lb_error *err)
{
    *is_empty_out = false;
    for (size_t i = 0; i < column_filter->clause_count; i++) {
        struct axis *axis = &column_filter->clauses[i];
        enum lb_err rc = axis_open(axis, segment, context, err);
        bool holds_any = false;
        uint8_t *holds;

        if (rc != LB_OK) {
            return rc;
        }
        holds = segment_store_alloc(segment, axis->count + 1);
        if (holds == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        for (size_t code = 0; code < axis->count; code++) {
            bool does_hold = filter_clause_holds(column_filter->filter, i,
                                                 axis->values[code]);

            holds[code] = does_hold ? FILTER_YES : FILTER_NO;
            holds_any = holds_any || does_hold;
        }
        column_filter->holds[i] = holds;
        *is_empty_out =
            *is_empty_out ||
            (!holds_any && filter_needs_clause(column_filter->filter, i));
    }
    return LB_OK;
}

enum lb_err column_filter_ask(struct column_filter *column_filter,
                              struct column_block *block,
                              size_t number,
                              size_t site,
                              size_t first,
                              size_t end,
                              struct lb_error *err)
{
    for (size_t i = 0; i < column_filter->clause_count; i++) {
        int column = column_filter->clauses[i].column;
        const uint8_t *holds = column_filter->holds[i];
        uint8_t *verdicts = column_filter->verdicts[i];
        const uint16_t *codes;
        enum lb_err rc;

        if (column == AXIS_SITE) {
            memset(verdicts + first, holds[site], end - first);
            continue;
        }
        rc = column_block_codes(block, column, number, err);
        if (rc != LB_OK) {
            return rc;
        }
        codes = block->codes[column];
        for (size_t row = first; row < end; row++) {
            verdicts[row] = holds[codes[row]];
        }
    }
    return LB_OK;
}

void column_filter_judge(struct column_filter *column_filter,
                         bool is_view_side,
                         size_t first,
                         size_t end)
{
    const uint8_t *verdicts[FILTER_CLAUSES];

    if (column_filter->filter == NULL) {
        memset(column_filter->passes + first, FILTER_YES, end - first);
        return;
    }
    for (size_t i = 0; i < column_filter->clause_count; i++) {
        verdicts[i] = column_filter->verdicts[i] + first;
    }
    filter_judge(column_filter->filter, is_view_side, verdicts, end - first,
                 column_filter->room, column_filter->passes + first);
}
