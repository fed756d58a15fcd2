/* query_columns.c - counting from sealed segments column by column.
 * Block by block the filter's clauses give a verdict for each row by its code,
 * the rows that pass are listed, and each grouping adds them to cells, one for
 * each group and kind of event.  At the segment's end cells become counts. */
#include "aggregate/query_columns.h"

#include <stdlib.h>
#include <string.h>

#include "aggregate/column_open.h"

/* --- making --------------------------------------------------------------- */

static void add_grouping(struct query_columns *columns,
                         struct tally *tally,
                         bool has_dimensions,
                         bool is_view_side)
{
    struct grouping *grouping = &columns->groupings[columns->grouping_count++];

    grouping->tally = tally;
    grouping->has_dimensions = has_dimensions;
    grouping->is_view_side = is_view_side;
}

struct query_columns *query_columns_new(struct query_work *work)
{
    struct query_columns *columns = calloc(1, sizeof(*columns));
    const struct query *query = work->query;
    bool is_whole;

    if (columns == NULL) {
        return NULL;
    }
    columns->work = work;
    columns->context = (struct axis_context){work->db, work->cache,
                                             query->catalog, &work->scratch};
    columns->packer = segment_pack_new();
    columns->rows = malloc(SEGMENT_PACK_BLOCK * sizeof(*columns->rows));
    columns->kinds = malloc(SEGMENT_PACK_BLOCK * sizeof(*columns->kinds));
    columns->times = malloc(SEGMENT_PACK_BLOCK * sizeof(*columns->times));
    columns->combinations =
        malloc(SEGMENT_PACK_BLOCK * sizeof(*columns->combinations));
    is_whole = column_filter_init(&columns->filter, query->filter) &&
               columns->packer != NULL && columns->rows != NULL &&
               columns->kinds != NULL && columns->times != NULL &&
               columns->combinations != NULL;
    add_grouping(columns, work->total, false, false);
    if (query->dimension_count > 0) {
        add_grouping(columns, work->rows, true, false);
    }
    if (work->is_split) {
        add_grouping(columns, work->total_views, false, true);
        add_grouping(columns, work->views, true, true);
    }
    columns->has_visitors = work->wants != TALLY_COUNTS;
    columns->has_amounts = query_has_metric(query, QUERY_VALUE);
    columns->needs_times = work->wants == TALLY_ALL ||
                           (columns->has_visitors && query->filter == NULL);
    for (size_t i = 0; i < query->dimension_count; i++) {
        is_whole = axis_init(&columns->dimensions[i], &query->dimensions[i]) &&
                   is_whole;
        columns->axis_count = i + 1;
        columns->needs_times =
            columns->needs_times || columns->dimensions[i].column == AXIS_TIME;
    }
    if (!is_whole) {
        query_columns_free(columns);
        return NULL;
    }
    return columns;
}

void query_columns_free(struct query_columns *columns)
{
    if (columns == NULL) {
        return;
    }
    segment_pack_free(columns->packer);
    column_filter_deinit(&columns->filter);
    for (size_t i = 0; i < columns->axis_count; i++) {
        axis_deinit(&columns->dimensions[i]);
    }
    free(columns->rows);
    free(columns->kinds);
    free(columns->times);
    free(columns->combinations);
    for (size_t i = 0; i < COLUMN_GROUPINGS; i++) {
        grouping_deinit(&columns->groupings[i]);
    }
    column_block_deinit(&columns->block);
    free(columns);
}

static enum lb_err no_memory(struct query_columns *columns)
{
    return lb_err_set(columns->work->err, LB_ENOMEM, "out of memory");
}

static enum lb_err
read_codes(struct query_columns *columns, int column, size_t block)
{
    return column_block_codes(&columns->block, column, block,
                              columns->work->err);
}

static enum lb_err
read_numbers(struct query_columns *columns, int column, size_t block)
{
    return column_block_numbers(&columns->block, column, block,
                                columns->work->err);
}

/* --- groups --------------------------------------------------------------- */

static size_t place_of(const struct query_columns *columns,
                       size_t index,
                       size_t site,
                       uint16_t row)
{
    const struct axis *axis = &columns->dimensions[index];
    uint16_t code;

    if (axis->column < 0) {
        return axis->column == AXIS_SITE ? site : columns->times[row];
    }
    code = columns->block.codes[axis->column][row];
    return axis->places == NULL ? code : axis->places[code];
}

/* The tally's group of a row's values. */
static enum lb_err find_group(struct query_columns *columns,
                              const struct grouping *grouping,
                              size_t site,
                              uint16_t row,
                              uint32_t *group_out)
{
    struct query_work *work = columns->work;
    const struct query *query = work->query;
    char *key = grouping->is_view_side ? work->view_key : work->key;
    size_t used = 0;

    for (size_t i = 0; i < query->dimension_count && grouping->has_dimensions;
         i++) {
        const struct dimension *dimension = &query->dimensions[i];

        if (grouping->is_view_side && dimension->is_of_click) {
            used += query_work_put_value(key + used, NULL);
        } else if (dimension->kind == DIMENSION_TIME) {
            used += query_work_put_time(work, key + used,
                                        columns->block.numbers[SEGMENT_TS][row],
                                        dimension->grain);
        } else {
            used += query_work_put_value(
                key + used,
                columns->dimensions[i].values[place_of(columns, i, site, row)]);
        }
    }
    return tally_group_of(grouping->tally, key, used, group_out);
}

/* --- rows ----------------------------------------------------------------- */

static void read_visitor(struct query_columns *columns, uint16_t row)
{
    const struct column_block *block = &columns->block;

    columns->entry.visitor = block->numbers[SEGMENT_VISITOR][row];
    columns->entry.visitor_day =
        columns->days->numbers[block->codes[SEGMENT_VISITOR_DAY][row]];
}

static enum lb_err note_visitor(struct query_columns *columns,
                                struct grouping *grouping,
                                uint32_t group,
                                uint16_t row)
{
    struct entry *entry = &columns->entry;
    uint16_t code = columns->block.codes[SEGMENT_BITS][row];

    read_visitor(columns, row);
    entry->type = (enum entry_type)columns->types[code];
    entry->ts_at_ms =
        columns->needs_times ? columns->block.numbers[SEGMENT_TS][row] : 0;
    return tally_add_visitor(grouping->tally, group, entry);
}

static enum lb_err note_amount(struct query_columns *columns,
                               struct grouping *grouping,
                               uint32_t group,
                               uint16_t row)
{
    const struct segment_column *amounts;
    const struct segment_column *currencies;
    struct lb_error *err = columns->work->err;
    enum lb_err rc =
        segment_store_column(columns->segment, SEGMENT_AMOUNT, &amounts, err);

    rc = rc == LB_OK ? segment_store_column(columns->segment, SEGMENT_CURRENCY,
                                            &currencies, err)
                     : rc;
    if (rc == LB_OK) {
        int64_t amount =
            amounts->numbers[columns->block.codes[SEGMENT_AMOUNT][row]];

        if (amount != SEGMENT_NONE) {
            tally_add_amount(
                grouping->tally, group, amount,
                currencies->texts[columns->block.codes[SEGMENT_CURRENCY][row]]);
        }
    }
    return rc;
}

static bool is_skipped(const struct query_columns *columns,
                       const struct grouping *grouping,
                       uint8_t type)
{
    /* A view has no row by what belongs to a click; the views that stand beside
     * rows are all that a view side counts. */
    return grouping->is_view_side
               ? type != ENTRY_VIEW
               : grouping->has_dimensions && type == ENTRY_VIEW &&
                     columns->work->has_click_dimension;
}

/* Numbers the rows' combinations of codes, dimension by dimension. */
static enum lb_err combine(struct query_columns *columns,
                           const struct grouping *grouping,
                           size_t site,
                           size_t count)
{
    size_t dimension_count =
        grouping->has_dimensions ? columns->work->query->dimension_count : 0;
    enum lb_err rc = LB_OK;

    memset(columns->combinations, 0, count * sizeof(*columns->combinations));
    for (size_t i = 0; i < dimension_count && rc == LB_OK; i++) {
        struct axis *axis = &columns->dimensions[i];
        const struct axis_rows rows = {columns->rows, count, site,
                                       axis->column >= 0
                                           ? columns->block.codes[axis->column]
                                           : columns->times};

        if (grouping->strides[i] != 0) {
            rc = axis_combine(axis, &rows, (uint32_t)grouping->strides[i],
                              columns->combinations);
        }
    }
    return rc == LB_OK ? rc : no_memory(columns);
}

/* The group of a combination that is new in the grouping. */
static enum lb_err make_local(struct query_columns *columns,
                              struct grouping *grouping,
                              size_t site,
                              size_t index)
{
    uint32_t group = 0;
    enum lb_err rc =
        find_group(columns, grouping, site, columns->rows[index], &group);

    return rc == LB_OK
               ? grouping_add(grouping, columns->combinations[index], group)
               : rc;
}

static enum lb_err note_row(struct query_columns *columns,
                            struct grouping *grouping,
                            uint32_t group,
                            uint16_t row)
{
    enum lb_err rc = columns->has_visitors
                         ? note_visitor(columns, grouping, group, row)
                         : LB_OK;

    return rc == LB_OK && columns->has_amounts
               ? note_amount(columns, grouping, group, row)
               : rc;
}

static enum lb_err add_rows(struct query_columns *columns,
                            struct grouping *grouping,
                            size_t site,
                            size_t count)
{
    const uint16_t *bits = columns->block.codes[SEGMENT_BITS];
    const uint32_t *combinations = columns->combinations;
    size_t kind_count = grouping->kind_count;
    bool may_skip =
        grouping->is_view_side ||
        (grouping->has_dimensions && columns->work->has_click_dimension);
    bool is_noted = columns->has_visitors || columns->has_amounts;
    enum lb_err rc;

    rc = combine(columns, grouping, site, count);
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        uint32_t local = grouping->local[combinations[i]];

        if (may_skip && is_skipped(columns, grouping,
                                   columns->types[bits[columns->rows[i]]])) {
            continue;
        }
        if (local == 0) {
            rc = make_local(columns, grouping, site, i);
            local = grouping->local[combinations[i]];
        }
        if (rc == LB_OK) {
            grouping->cells[(local - 1) * kind_count + columns->kinds[i]]++;
        }
        if (rc == LB_OK && is_noted) {
            rc = note_row(columns, grouping, grouping->groups[local - 1],
                          columns->rows[i]);
        }
    }
    return rc;
}

/* Lists the rows of the run that are of the classes asked for, unless all are.
 */
static size_t list_rows(struct query_columns *columns, struct column_run *run)
{
    const uint16_t *bits = columns->block.codes[SEGMENT_BITS];
    size_t count = run->end - run->first;

    run->is_whole = columns->is_all_traffic;
    if (run->is_whole) {
        return count;
    }
    count = 0;
    for (size_t row = run->first; row < run->end; row++) {
        columns->rows[count] = (uint16_t)row;
        count += columns->is_traffic[bits[row]];
    }
    return count;
}

static void list_kinds(struct query_columns *columns, size_t count)
{
    const uint16_t *bits = columns->block.codes[SEGMENT_BITS];
    const uint16_t *days = columns->block.codes[SEGMENT_VISITOR_DAY];
    const int64_t *day_numbers = columns->days->numbers;

    for (size_t i = 0; i < count && !columns->has_days; i++) {
        columns->kinds[i] =
            (uint16_t)(bits[columns->rows[i]] * 2 + columns->no_visitor);
    }
    for (size_t i = 0; i < count && columns->has_days; i++) {
        uint16_t row = columns->rows[i];

        columns->kinds[i] =
            (uint16_t)(bits[row] * 2 + (day_numbers[days[row]] == 0 ? 1 : 0));
    }
}

/* Whether visitors' periods are other than the days of the query's zone. */
static void note_periods(struct query_columns *columns, size_t count)
{
    struct query_work *work = columns->work;

    for (size_t i = 0; i < count; i++) {
        uint16_t row = columns->rows[i];

        columns->entry.ts_at_ms = columns->block.numbers[SEGMENT_TS][row];
        read_visitor(columns, row);
        query_work_note_period(work, &columns->entry);
    }
}

/* Numbers the buckets of the rows' times. */
static void number_times(struct query_columns *columns, size_t count)
{
    const struct axis_rows rows = {.rows = columns->rows, .count = count};
    const struct query *query = columns->work->query;

    for (size_t i = 0; i < query->dimension_count; i++) {
        if (columns->dimensions[i].column == AXIS_TIME) {
            axis_number_times(
                &columns->dimensions[i], query->zone, columns->first_bucket_ms,
                columns->block.numbers[SEGMENT_TS], &rows, columns->times);
        }
    }
}

static enum lb_err read_grouped(struct query_columns *columns, size_t block)
{
    const struct query *query = columns->work->query;
    enum lb_err rc = columns->has_days
                         ? read_codes(columns, SEGMENT_VISITOR_DAY, block)
                         : LB_OK;

    for (size_t i = 0; i < query->dimension_count && rc == LB_OK; i++) {
        if (columns->dimensions[i].column >= 0) {
            rc = read_codes(columns, columns->dimensions[i].column, block);
        }
    }
    if (rc == LB_OK && columns->has_visitors) {
        rc = read_numbers(columns, SEGMENT_VISITOR, block);
    }
    if (rc == LB_OK && columns->needs_times) {
        rc = read_numbers(columns, SEGMENT_TS, block);
    }
    if (rc == LB_OK && columns->has_amounts) {
        rc = read_codes(columns, SEGMENT_AMOUNT, block);
        rc = rc == LB_OK ? read_codes(columns, SEGMENT_CURRENCY, block) : rc;
    }
    return rc;
}

/* One side of the rows: of clicks and all, or of views. */
static enum lb_err count_side(struct query_columns *columns,
                              struct column_run *run)
{
    bool has_filter = columns->work->query->filter != NULL;
    size_t count = list_rows(columns, run);
    enum lb_err rc =
        column_filter_keep(&columns->filter, &columns->block, run,
                           columns->rows, &count, columns->work->err);

    if (rc != LB_OK || count == 0) {
        return rc;
    }
    rc = read_grouped(columns, run->block);
    if (rc != LB_OK) {
        return rc;
    }
    list_kinds(columns, count);
    number_times(columns, count);
    if (columns->has_visitors && !has_filter && !run->is_view_side) {
        note_periods(columns, count);
    }
    for (size_t i = 0; i < columns->grouping_count && rc == LB_OK; i++) {
        if (columns->groupings[i].is_view_side == run->is_view_side) {
            rc = add_rows(columns, &columns->groupings[i], run->site, count);
        }
    }
    return rc;
}

/* The rows of a site in one block. */
static enum lb_err count_run(struct query_columns *columns,
                             struct column_run *run)
{
    const struct segment_directory *directory =
        segment_store_directory(columns->segment);
    enum lb_err rc = column_filter_narrow(&columns->block, columns->wish,
                                          &directory->sites[run->site], run,
                                          columns->work->err);

    if (rc != LB_OK || run->first >= run->end) {
        return rc;
    }
    columns->entry.site = directory->sites[run->site].site;
    rc = read_codes(columns, SEGMENT_BITS, run->block);
    rc = rc == LB_OK ? count_side(columns, run) : rc;
    run->is_view_side = true;
    return rc == LB_OK && columns->work->is_split ? count_side(columns, run)
                                                  : rc;
}

static enum lb_err count_rows(struct query_columns *columns)
{
    const struct segment_directory *directory =
        segment_store_directory(columns->segment);
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < directory->site_count && rc == LB_OK; i++) {
        const struct segment_layout *layout = &directory->layout;
        const struct segment_site *site = &directory->sites[i];
        size_t row = site->first_row;
        size_t end = row + site->row_count;

        if (!segment_store_is_wished(columns->wish, site)) {
            continue;
        }
        columns->work->result->read.sealed_events += site->row_count;
        while (row < end && rc == LB_OK) {
            size_t block = segment_layout_block(layout, row);
            size_t first = layout->first_rows[block];
            size_t next = layout->first_rows[block + 1];
            size_t upto = next < end ? next : end;
            struct column_run run = {block,        i,     row - first,
                                     upto - first, false, false};

            rc = count_run(columns, &run);
            row = upto;
        }
    }
    return rc;
}

enum lb_err query_columns_count(struct query_columns *columns,
                                const struct segment_info *info,
                                const struct segment_wish *wish,
                                bool *is_counted_out)
{
    bool is_empty = false;
    bool is_possible = false;
    size_t change_count = 0;
    enum lb_err rc =
        segment_store_open(columns->work->db, info, columns->packer,
                           &columns->segment, columns->work->err);

    *is_counted_out = false;
    if (rc != LB_OK) {
        return rc;
    }
    segment_store_share(columns->segment);
    columns->work->result->read.segments++;
    columns->wish = wish;
    column_block_open(&columns->block, columns->segment);
    (void)segment_store_changes(columns->segment, &change_count);
    rc = change_count == 0 ? column_open(columns, &is_empty, &is_possible)
                           : LB_OK;
    *is_counted_out = is_possible || (is_empty && change_count == 0);
    if (rc == LB_OK && *is_counted_out && !is_empty) {
        rc = count_rows(columns);
        for (size_t i = 0; i < columns->grouping_count && rc == LB_OK; i++) {
            grouping_fold(&columns->groupings[i], columns->bits);
        }
    }
    segment_store_close(columns->segment);
    columns->segment = NULL;
    return rc;
}
