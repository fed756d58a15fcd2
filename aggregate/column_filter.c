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
    column_filter->asked = calloc(count + 1, sizeof(struct filter *));
    column_filter->holds = calloc(count + 1, sizeof(uint8_t *));
    column_filter->verdicts = calloc(count + 1, sizeof(uint8_t *));
    column_filter->room = malloc((size_t)FILTER_ROOM * BLOCK);
    column_filter->passes = malloc(BLOCK);
    column_filter->order = calloc(count + 1, sizeof(*column_filter->order));
    is_whole = column_filter->clauses != NULL && column_filter->asked != NULL &&
               column_filter->holds != NULL &&
               column_filter->verdicts != NULL && column_filter->room != NULL &&
               column_filter->passes != NULL && column_filter->order != NULL;
    for (size_t i = 0; i < count && is_whole; i++) {
        is_whole = axis_init(&column_filter->clauses[i],
                             filter_clause_dimension(filter, i));
        column_filter->asked[i] = filter_clause(filter, i);
        column_filter->verdicts[i] = malloc(BLOCK);
        is_whole = is_whole && column_filter->verdicts[i] != NULL;
        column_filter->clause_count = i + 1;
        column_filter->is_plain = (i == 0 || column_filter->is_plain) &&
                                  filter_needs_clause(filter, i);
    }
    return is_whole;
}

void column_filter_deinit(struct column_filter *column_filter)
{
    for (size_t i = 0; i < column_filter->clause_count; i++) {
        axis_deinit(&column_filter->clauses[i]);
        free(column_filter->verdicts[i]);
    }
    free(column_filter->clauses);
    free(column_filter->asked);
    free(column_filter->holds);
    free(column_filter->verdicts);
    free(column_filter->room);
    free(column_filter->passes);
    free(column_filter->order);
}

/* Whether the clause holds for a value of its axis; asked once where it is
 * kept. */
static uint8_t judge_value(const struct column_filter *column_filter,
                           size_t clause,
                           size_t place)
{
    const struct axis *axis = &column_filter->clauses[clause];
    struct axis_value *kept = axis->kept == NULL ? NULL : axis->kept[place];

    if (kept != NULL && kept->verdict != 0) {
        return (uint8_t)(kept->verdict - 1);
    }
    if (filter_clause_holds(column_filter->asked[clause],
                            axis->values[place])) {
        if (kept != NULL) {
            kept->verdict = FILTER_YES + 1;
        }
        return FILTER_YES;
    }
    if (kept != NULL) {
        kept->verdict = FILTER_NO + 1;
    }
    return FILTER_NO;
}

static enum lb_err open_clause(struct column_filter *column_filter,
                               size_t clause,
                               struct segment *segment,
                               bool *holds_any_out,
                               struct lb_error *err)
{
    const struct axis *axis = &column_filter->clauses[clause];
    uint8_t *holds = segment_store_alloc(segment, axis->code_count + 1);
    uint8_t *by_place = axis->places == NULL
                            ? holds
                            : segment_store_alloc(segment, axis->count + 1);

    if (holds == NULL || by_place == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    if (axis_has_own_texts(axis)) {
        filter_clause_judge(column_filter->asked[clause], axis->values,
                            axis->count, by_place);
    } else {
        for (size_t place = 0; place < axis->count; place++) {
            by_place[place] = judge_value(column_filter, clause, place);
        }
    }
    *holds_any_out = memchr(by_place, FILTER_YES, axis->count) != NULL;
    for (size_t code = 0; code < axis->code_count && axis->places != NULL;
         code++) {
        holds[code] = by_place[axis->places[code]];
    }
    column_filter->holds[clause] = holds;
    return LB_OK;
}

/* The first code for which the clause holds: codes are given by frequency, so
 * the later it comes, the fewer rows are left. */
static size_t first_code(const struct column_filter *column_filter,
                         size_t clause)
{
    size_t code = 0;

    while (code < column_filter->clauses[clause].code_count &&
           column_filter->holds[clause][code] != FILTER_YES) {
        code++;
    }
    return code;
}

/* The clause that leaves fewest rows comes first. */
static void order_clauses(struct column_filter *column_filter)
{
    for (size_t i = 0; i < column_filter->clause_count; i++) {
        size_t code = first_code(column_filter, i);
        size_t at = i;

        while (at > 0 &&
               first_code(column_filter, column_filter->order[at - 1]) < code) {
            column_filter->order[at] = column_filter->order[at - 1];
            at--;
        }
        column_filter->order[at] = i;
    }
}

enum lb_err column_filter_open(struct column_filter *column_filter,
                               struct segment *segment,
                               const struct axis_context *context,
                               bool *is_empty_out,
                               struct lb_error *err)
{
    *is_empty_out = false;
    for (size_t i = 0; i < column_filter->clause_count; i++) {
        bool holds_any = false;
        struct axis *axis = &column_filter->clauses[i];
        enum lb_err rc = axis_open(axis, segment, context, err);

        rc = rc == LB_OK ? axis_settle(axis, err) : rc;
        rc = rc == LB_OK
                 ? open_clause(column_filter, i, segment, &holds_any, err)
                 : rc;
        if (rc != LB_OK) {
            return rc;
        }
        *is_empty_out =
            *is_empty_out ||
            (!holds_any && filter_needs_clause(column_filter->filter, i));
    }
    if (column_filter->is_plain) {
        order_clauses(column_filter);
    }
    return LB_OK;
}

static void list_all(const struct column_run *run, uint16_t *rows)
{
    for (size_t row = run->first; row < run->end; row++) {
        rows[row - run->first] = (uint16_t)row;
    }
}

/* Clause after clause of the rows that are left. */
static enum lb_err keep_plainly(struct column_filter *column_filter,
                                struct column_block *block,
                                const struct column_run *run,
                                uint16_t *rows,
                                size_t *count,
                                struct lb_error *err)
{
    bool is_listed = !run->is_whole;

    for (size_t i = 0; i < column_filter->clause_count; i++) {
        size_t clause = column_filter->order[i];
        int column = column_filter->clauses[clause].column;
        const uint8_t *holds = column_filter->holds[clause];
        const uint16_t *codes;
        size_t left = 0;
        enum lb_err rc;

        if (column == AXIS_SITE) {
            *count = holds[run->site] == FILTER_YES ? *count : 0;
            continue;
        }
        rc = *count == 0 ? LB_OK
                         : column_block_codes(block, column, run->block, err);
        if (rc != LB_OK || *count == 0) {
            return rc;
        }
        codes = block->codes[column];
        for (size_t row = run->first; row < run->end && !is_listed; row++) {
            rows[left] = (uint16_t)row;
            left += holds[codes[row]];
        }
        for (size_t j = 0; j < *count && is_listed; j++) {
            uint16_t row = rows[j];

            rows[left] = row;
            left += holds[codes[row]];
        }
        is_listed = true;
        *count = left;
    }
    if (!is_listed) {
        list_all(run, rows);
    }
    return LB_OK;
}

/* The clauses' verdicts on all rows of the run. */
static enum lb_err ask_clauses(struct column_filter *column_filter,
                               struct column_block *block,
                               const struct column_run *run,
                               struct lb_error *err)
{
    for (size_t i = 0; i < column_filter->clause_count; i++) {
        int column = column_filter->clauses[i].column;
        const uint8_t *holds = column_filter->holds[i];
        uint8_t *verdicts = column_filter->verdicts[i];
        const uint16_t *codes;
        enum lb_err rc;

        if (column == AXIS_SITE) {
            memset(verdicts + run->first, holds[run->site],
                   run->end - run->first);
            continue;
        }
        rc = column_block_codes(block, column, run->block, err);
        if (rc != LB_OK) {
            return rc;
        }
        codes = block->codes[column];
        for (size_t row = run->first; row < run->end; row++) {
            verdicts[row] = holds[codes[row]];
        }
    }
    return LB_OK;
}

enum lb_err column_filter_keep(struct column_filter *column_filter,
                               struct column_block *block,
                               const struct column_run *run,
                               uint16_t *rows,
                               size_t *count,
                               struct lb_error *err)
{
    const uint8_t *verdicts[FILTER_CLAUSES];
    size_t left = 0;
    enum lb_err rc;

    if (column_filter->filter != NULL && column_filter->is_plain &&
        !run->is_view_side && *count > 0) {
        return keep_plainly(column_filter, block, run, rows, count, err);
    }
    if (run->is_whole) {
        list_all(run, rows);
    }
    if (column_filter->filter == NULL || *count == 0) {
        return LB_OK;
    }
    rc = ask_clauses(column_filter, block, run, err);
    if (rc != LB_OK) {
        return rc;
    }
    for (size_t i = 0; i < column_filter->clause_count; i++) {
        verdicts[i] = column_filter->verdicts[i] + run->first;
    }
    filter_judge(column_filter->filter, run->is_view_side, verdicts,
                 run->end - run->first, column_filter->room,
                 column_filter->passes + run->first);
    for (size_t i = 0; i < *count; i++) {
        uint16_t row = rows[i];

        rows[left] = row;
        left += column_filter->passes[row] != FILTER_NO ? 1 : 0;
    }
    *count = left;
    return LB_OK;
}

enum lb_err column_filter_narrow(struct column_block *block,
                                 const struct segment_wish *wish,
                                 const struct segment_site *site,
                                 struct column_run *run,
                                 struct lb_error *err)
{
    int64_t from_ms = segment_store_from_ms(wish, site->site);
    const int64_t *ts;
    enum lb_err rc;

    if (site->first_at_ms >= from_ms && site->last_at_ms < wish->to_at_ms) {
        return LB_OK;
    }
    rc = column_block_numbers(block, SEGMENT_TS, run->block, err);
    ts = block->numbers[SEGMENT_TS];
    while (rc == LB_OK && run->first < run->end && ts[run->first] < from_ms) {
        run->first++;
    }
    while (rc == LB_OK && run->first < run->end &&
           ts[run->end - 1] >= wish->to_at_ms) {
        run->end--;
    }
    return rc;
}
