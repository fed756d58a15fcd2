/* v2_count.c - rows of the stats dialect, from what was counted. */
#include "aggregate/v2_count.h"

#include <stdlib.h>
#include <string.h>

#include "aggregate/aged.h"
#include "aggregate/rollup.h"
#include "aggregate/rollup_store.h"
#include "aggregate/v2_rollup.h"
#include "aggregate/v2_work.h"
#include "base/clock.h"

#define RESULT_BYTES ((size_t)1024 * 1024 * 1024)

static enum lb_err no_memory(struct lb_error *err)
{
    return lb_err_set(err, LB_ENOMEM, "out of memory");
}

/* --- the range ------------------------------------------------------------ */

static enum lb_err resolve(struct v2_request *request,
                           const struct v2_count_frame *frame,
                           struct lb_error *err)
{
    const struct lb_zone *zone = request->site->zone;
    int64_t at_ms = request->to_at_ms - 1;
    int64_t first = 0;
    int64_t last = 0;
    bool has_any = false;
    enum lb_err rc = LB_OK;

    if (request->from_at_ms == INT64_MIN) {
        rc = rollup_store_bounds(frame->db, request->site->number, &first,
                                 &last, &has_any, err);
        if (has_any && first * ROLLUP_BUCKET_MS < at_ms) {
            at_ms = first * ROLLUP_BUCKET_MS;
        }
        request->from_at_ms =
            lb_zone_day_start_ms(zone, lb_zone_local_day(zone, at_ms));
    }
    for (size_t i = 0; i < request->dimension_count; i++) {
        v2_dimension_set_grain(&request->dimensions[i], request->from_at_ms,
                               request->to_at_ms);
    }
    return rc;
}

/* --- figures -------------------------------------------------------------- */

static int64_t visitors_of(const struct tally_group *group)
{
    return group == NULL ? 0 : group->visitors;
}

/* What all rows have in common, and the attention of one. */
static void
fill_shared(const struct v2_work *work, size_t row, struct v2_figures *out)
{
    out->query_visitors = visitors_of(tally_find(work->own.total, "", 0));
    if (work->goalless.total != NULL) {
        out->without_goal =
            visitors_of(tally_find(work->goalless.total, "", 0));
    }
    if (work->attention != NULL) {
        struct v2_attention_sums sums = v2_attention_of(work->attention, row);

        out->depth_sum = sums.depth_sum;
        out->depth_visitors = sums.depth_visitors;
        out->attention_ms = sums.attention_ms;
        out->attention_visits = sums.visits;
        out->has_attention = sums.has_attention;
    }
}

static void fill_views(const struct v2_work *work,
                       const struct tally_group *views,
                       struct v2_figures *out)
{
    if (work->views.total == NULL) {
        out->views = out->own.counts.views;
        out->viewers = out->own.viewers;
    } else if (views != NULL) {
        out->views = views->counts.views;
        out->viewers = views->viewers;
    }
}

static void fill_total(struct v2_work *work, struct v2_figures *out)
{
    const struct tally_group *total = tally_find(work->own.total, "", 0);
    const struct v2_exposure_row whole = {.key = NULL};

    memset(out, 0, sizeof(*out));
    if (total != NULL) {
        out->own = *total;
    }
    fill_views(work,
               work->views.total == NULL ? NULL
                                         : tally_find(work->views.total, "", 0),
               out);
    fill_shared(work, V2_ATTENTION_TOTAL, out);
    out->group_visitors = out->without_goal;
    if (work->goals.total != NULL &&
        tally_find(work->goals.total, "", 0) != NULL) {
        out->goals = *tally_find(work->goals.total, "", 0);
    }
    if (work->exposure != NULL) {
        out->exposures = v2_exposure_of(work->exposure, &whole);
    }
}

static const char *link_of(const struct v2_request *request, const char *key)
{
    for (size_t i = 0; i < request->dimension_count; i++) {
        if (request->dimensions[i].kind == V2_DIMENSION_LINK) {
            return key[0] == 'V' ? key + 1 : NULL;
        }
        key += strlen(key) + 1;
    }
    return NULL;
}

static void fill_row(struct v2_work *work,
                     const struct tally_group *group,
                     size_t row,
                     struct v2_figures *out)
{
    const struct v2_request *request = work->request;
    const struct tally_group *found = NULL;
    size_t len;

    memset(out, 0, sizeof(*out));
    out->own = *group;
    if (work->views.total != NULL) {
        len = v2_work_view_key(work->request, group->key, group->key_len,
                               work->key);
        found = tally_find(work->views.rows, work->key, len);
    }
    fill_views(work, found, out);
    fill_shared(work, row + 1, out);
    if (work->goalless.total != NULL) {
        len = v2_work_goalless_key(request, group->key, group->key_len,
                                   work->key);
        out->group_visitors =
            visitors_of(tally_find(work->goalless.rows, work->key, len));
    }
    if (work->goals.total != NULL) {
        found = tally_find(work->goals.rows, group->key, group->key_len);
        out->goals = found == NULL ? out->goals : *found;
    }
    if (work->exposure != NULL) {
        const struct v2_exposure_row exposed = {
            work->key,
            v2_work_link_key(request, group->key, group->key_len, work->key),
            link_of(request, group->key), out->views};

        out->exposures = v2_exposure_of(work->exposure, &exposed);
    }
}

/* --- rows ----------------------------------------------------------------- */

static enum lb_err make_row(const struct v2_request *request,
                            const struct v2_figures *figures,
                            struct lb_arena *arena,
                            struct v2_row *row)
{
    row->values_of =
        lb_arena_calloc(arena, request->metric_count * sizeof(*row->values_of));
    row->values = lb_arena_calloc(arena, (request->dimension_count + 1) *
                                             sizeof(*row->values));
    if (row->values_of == NULL || row->values == NULL) {
        return LB_ENOMEM;
    }
    for (size_t i = 0; i < request->metric_count; i++) {
        row->values_of[i] = v2_metric_value(request->metrics[i], figures);
    }
    return LB_OK;
}

static enum lb_err read_key(const struct v2_request *request,
                            const struct tally_group *group,
                            struct lb_arena *arena,
                            struct v2_row *row)
{
    const char *key = lb_arena_text(arena, group->key, group->key_len);

    if (key == NULL) {
        return LB_ENOMEM;
    }
    for (size_t i = 0; i < request->dimension_count; i++) {
        row->values[i] = key + 1;
        key += strlen(key) + 1;
    }
    return LB_OK;
}

static enum lb_err make_rows(struct v2_work *work, struct v2_result *result)
{
    const struct v2_request *request = work->request;
    bool is_total = request->dimension_count == 0;
    struct v2_figures figures;
    enum lb_err rc = LB_OK;

    result->row_count = is_total ? 1 : tally_count(work->own.rows);
    result->rows = lb_arena_calloc(result->arena, (result->row_count + 1) *
                                                      sizeof(*result->rows));
    if (result->rows == NULL) {
        return LB_ENOMEM;
    }
    if (is_total) {
        fill_total(work, &figures);
        return make_row(request, &figures, result->arena, &result->rows[0]);
    }
    for (size_t i = 0; i < result->row_count && rc == LB_OK; i++) {
        const struct tally_group *group = tally_at(work->own.rows, i);

        fill_row(work, group, i, &figures);
        rc = make_row(request, &figures, result->arena, &result->rows[i]);
        rc = rc == LB_OK
                 ? read_key(request, group, result->arena, &result->rows[i])
                 : rc;
    }
    return rc;
}

/* Null is less than any value. */
static int compare_values(const struct v2_value *a, const struct v2_value *b)
{
    if (a->is_null || b->is_null) {
        return (int)b->is_null - (int)a->is_null;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

static int compare_rows(const void *left, const void *right, void *ctx)
{
    const struct v2_request *request = ctx;
    const struct v2_row *a = left;
    const struct v2_row *b = right;
    int result = 0;

    for (size_t i = 0; i < request->order_count && result == 0; i++) {
        const struct v2_order *order = &request->order[i];

        result = order->is_metric
                     ? compare_values(&a->values_of[order->index],
                                      &b->values_of[order->index])
                     : strcmp(a->values[order->index], b->values[order->index]);
        result = order->is_descending ? -result : result;
    }
    for (size_t i = 0; i < request->dimension_count && result == 0; i++) {
        result = strcmp(a->values[i], b->values[i]);
    }
    return result;
}

static bool has_several(const struct tally *total)
{
    const struct tally_group *group =
        total == NULL ? NULL : tally_find(total, "", 0);

    return group != NULL && group->currency[0] == '*';
}

static enum lb_err finish(struct v2_work *work, struct v2_result *result)
{
    const struct tally_group *total;
    enum lb_err rc;

    v2_work_finish(work);
    rc = make_rows(work, result);
    if (rc != LB_OK) {
        return no_memory(work->err);
    }
    total = tally_find(work->own.total, "", 0);
    result->is_summed = work->first_period < work->last_period;
    result->has_currencies = has_several(work->own.total);
    result->has_goal_currencies = has_several(work->goals.total);
    result->has_unknown_clicks =
        total != NULL &&
        total->clicks_without_visitor * 10 > total->counts.clicks_raw;
    return LB_OK;
}

static enum lb_err count_log(struct v2_request *request,
                             const struct v2_count_frame *frame,
                             struct v2_result *result,
                             struct lb_error *err)
{
    struct v2_work *work = v2_work_new(request, frame, err);
    enum lb_err rc;

    if (work == NULL) {
        return no_memory(err);
    }
    rc = db_meta_get(frame->db, "cursor", 0, &work->upto_seq, err);
    result->aged_before_ms = aged_before_ms(
        frame->catalog, &request->site->number, 1, request->from_at_ms);
    rc = rc == LB_OK ? v2_work_scan(work) : rc;
    if (rc == LB_ELIMIT) {
        rc = lb_err_set(
            err, LB_ELIMIT,
            "The answer would hold more than %d groups at once; "
            "leave out %s or filter by it.",
            QUERY_GROUPS,
            request->dimension_count == 0
                ? "a dimension"
                : request->dimensions[request->dimension_count - 1].name);
    } else if (rc == LB_ENOMEM) {
        rc = no_memory(err);
    }
    rc = rc == LB_OK ? finish(work, result) : rc;
    v2_work_free(work);
    return rc;
}

/* --- from counted days ---------------------------------------------------- */

static enum lb_err take_row(const struct v2_request *request,
                            const struct v2_rollup *rollup,
                            const struct query_row *row,
                            struct v2_result *result)
{
    const struct v2_dimension_span span = {request->site->zone,
                                           request->from_at_ms};
    struct v2_row *out = &result->rows[result->row_count];
    struct v2_figures figures;
    enum lb_err rc;

    v2_rollup_figures(rollup, row, &figures);
    if (row != NULL && figures.own.counts.events == 0) {
        return LB_OK; /* a bucket of time that was filled in */
    }
    result->row_count++;
    rc = make_row(request, &figures, result->arena, out);
    for (size_t i = 0;
         rc == LB_OK && row != NULL && i < request->dimension_count; i++) {
        const struct v2_dimension *dimension = &request->dimensions[i];
        char label[V2_DIMENSION_LABEL_BYTES];
        const char *text = label;

        if (dimension->kind == V2_DIMENSION_TIME) {
            v2_dimension_label(dimension, &span, row->time_at_ms, label);
        } else {
            text = v2_rollup_value(request, row, i);
        }
        out->values[i] = lb_arena_text(result->arena, text, strlen(text));
        rc = out->values[i] == NULL ? LB_ENOMEM : LB_OK;
    }
    return rc;
}

static enum lb_err take_rollup(const struct v2_request *request,
                               const struct v2_rollup *rollup,
                               struct v2_result *result)
{
    const struct query_result *from = &rollup->result;
    enum lb_err rc = LB_OK;

    result->rows = lb_arena_calloc(result->arena, (from->row_count + 1) *
                                                      sizeof(*result->rows));
    if (result->rows == NULL) {
        return LB_ENOMEM;
    }
    if (request->dimension_count == 0) {
        rc = take_row(request, rollup, NULL, result);
    }
    for (size_t i = 0;
         rc == LB_OK && request->dimension_count > 0 && i < from->row_count;
         i++) {
        rc = take_row(request, rollup, &from->rows[i], result);
    }
    result->is_summed = rollup->is_summed;
    result->aged_before_ms = from->aged_before_ms;
    result->has_currencies = from->totals.currency[0] == '*';
    result->has_unknown_clicks =
        from->clicks_without_visitor * 10 > from->totals.counts.clicks_raw;
    return rc;
}

/* LB_ENOTFOUND: days can't tell. */
static enum lb_err count_days(struct v2_request *request,
                              const struct v2_count_frame *frame,
                              struct v2_result *result,
                              struct lb_error *err)
{
    struct v2_rollup rollup = {.is_summed = false};
    enum lb_err rc;

    if (!v2_rollup_can(request, frame)) {
        return LB_ENOTFOUND;
    }
    rc = v2_rollup_run(request, frame, &rollup, err);
    if (rc == LB_OK && rollup.has_collision) {
        rc = LB_ENOTFOUND;
    } else if (rc == LB_OK && take_rollup(request, &rollup, result) != LB_OK) {
        rc = no_memory(err);
    }
    v2_rollup_deinit(&rollup);
    return rc;
}

enum lb_err v2_count_run(struct v2_request *request,
                         const struct v2_count_frame *frame,
                         struct v2_result *result_out,
                         struct lb_error *err)
{
    enum lb_err rc;

    memset(result_out, 0, sizeof(*result_out));
    result_out->arena = lb_arena_new(RESULT_BYTES);
    if (result_out->arena == NULL) {
        return no_memory(err);
    }
    rc = resolve(request, frame, err);
    rc = rc == LB_OK ? count_days(request, frame, result_out, err) : rc;
    rc = rc == LB_ENOTFOUND ? count_log(request, frame, result_out, err) : rc;
    if (rc == LB_OK) {
        qsort_r(result_out->rows, result_out->row_count,
                sizeof(*result_out->rows), compare_rows, request);
    }
    return rc;
}

void v2_count_deinit(struct v2_result *result)
{
    lb_arena_free(result->arena);
    result->arena = NULL;
}
