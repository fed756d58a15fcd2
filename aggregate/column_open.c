/* column_open.c - opens a sealed segment to count by its columns. */
#include "aggregate/column_open.h"

/* Whether rows differ in having a visitor; day 0 stands for none. */
static void open_days(struct query_columns *columns)
{
    const struct segment_column *days = columns->days;
    size_t none_count = 0;

    for (size_t code = 0; code < days->value_count; code++) {
        none_count += days->numbers[code] == 0 ? 1 : 0;
    }
    columns->has_days = columns->has_visitors ||
                        (none_count > 0 && none_count < days->value_count);
    columns->no_visitor = none_count == days->value_count ? 1 : 0;
}

/* What each value of the bits says; kinds are counted by it. */
static enum lb_err open_bits(struct query_columns *columns)
{
    struct lb_error *err = columns->work->err;
    enum lb_err rc = segment_store_column(columns->segment, SEGMENT_BITS,
                                          &columns->bits, err);

    rc = rc == LB_OK
             ? segment_store_column(columns->segment, SEGMENT_VISITOR_DAY,
                                    &columns->days, err)
             : rc;
    if (rc != LB_OK) {
        return rc;
    }
    columns->is_traffic =
        segment_store_alloc(columns->segment, columns->bits->value_count);
    columns->types =
        segment_store_alloc(columns->segment, columns->bits->value_count);
    if (columns->is_traffic == NULL || columns->types == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    open_days(columns);
    columns->is_all_traffic = true;
    for (size_t code = 0; code < columns->bits->value_count; code++) {
        entry_set_bits(&columns->entry, columns->bits->numbers[code]);
        columns->is_traffic[code] =
            (columns->work->query->traffic & 1u << columns->entry.traffic) != 0;
        columns->is_all_traffic =
            columns->is_all_traffic && columns->is_traffic[code] != 0;
        columns->types[code] = (uint8_t)columns->entry.type;
    }
    return LB_OK;
}

static size_t values_of(const struct query_columns *columns, size_t index)
{
    const struct axis *axis = &columns->dimensions[index];

    return axis->column == AXIS_TIME ? columns->bucket_count
           : axis->is_settled        ? axis->count
                                     : axis->code_count; /* at most */
}

/* Makes room for all combinations; false when they are too many. */
static bool open_grouping(struct query_columns *columns,
                          struct grouping *grouping)
{
    const struct query *query = columns->work->query;
    size_t space = 1;

    for (size_t i = 0; i < query->dimension_count && grouping->has_dimensions;
         i++) {
        bool is_left_out =
            grouping->is_view_side && query->dimensions[i].is_of_click;

        grouping->strides[i] = is_left_out ? 0 : space;
        if (!is_left_out && values_of(columns, i) > 0) {
            space *= values_of(columns, i);
        }
        if (space > GROUPING_SPACE_MAX) {
            return false;
        }
    }
    return grouping_open(grouping, space, columns->bits->value_count * 2);
}

/* Buckets of 15 minutes from the first one's begin to the segment's last time;
 * false: they are too many to be numbered. */
static bool open_times(struct query_columns *columns)
{
    const struct segment_info *info = segment_store_info(columns->segment);
    const struct query *query = columns->work->query;
    const struct dimension *time = NULL;
    size_t count = 0;
    int64_t span_ms;

    for (size_t i = 0; i < query->dimension_count; i++) {
        if (query->dimensions[i].kind == DIMENSION_TIME) {
            time = &query->dimensions[i];
            count++;
        }
    }
    columns->bucket_count = 0;
    if (count != 1) {
        return count == 0;
    }
    columns->first_bucket_ms = lb_zone_bucket_start_ms(
        query->zone, (enum lb_zone_grain)time->grain, info->first_at_ms);
    span_ms = info->last_at_ms - columns->first_bucket_ms;
    columns->bucket_count = (size_t)(span_ms / ROLLUP_BUCKET_MS) + 1;
    return span_ms >= 0 && span_ms / ROLLUP_BUCKET_MS < UINT16_MAX;
}

/* Room for the groups of all groupings; false: they are too many. */
static bool open_groupings(struct query_columns *columns)
{
    bool is_possible = true;

    for (size_t i = 0; i < columns->grouping_count && is_possible; i++) {
        is_possible = open_grouping(columns, &columns->groupings[i]);
    }
    return is_possible;
}

/* Codes are more than values: the values are counted only where it matters. */
static enum lb_err settle(struct query_columns *columns)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < columns->axis_count && rc == LB_OK; i++) {
        rc = axis_settle(&columns->dimensions[i], columns->work->err);
    }
    return rc;
}

enum lb_err column_open(struct query_columns *columns,
                        bool *is_empty_out,
                        bool *is_possible_out)
{
    const struct query *query = columns->work->query;
    enum lb_err rc = open_bits(columns);

    rc = rc == LB_OK ? column_filter_open(&columns->filter, columns->segment,
                                          &columns->context, is_empty_out,
                                          columns->work->err)
                     : rc;
    *is_empty_out = *is_empty_out && !columns->work->is_split;
    *is_possible_out = open_times(columns);
    if (*is_empty_out || !*is_possible_out) {
        return rc;
    }
    for (size_t i = 0; i < query->dimension_count && rc == LB_OK; i++) {
        rc = axis_open(&columns->dimensions[i], columns->segment,
                       &columns->context, columns->work->err);
    }
    if (rc == LB_OK && !open_groupings(columns)) {
        rc = settle(columns);
        *is_possible_out = rc == LB_OK && open_groupings(columns);
    }
    return rc;
}
