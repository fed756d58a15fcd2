/* query.c - answering one question exactly. */
#include "aggregate/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/query_days.h"
#include "aggregate/query_totals.h"
#include "aggregate/query_work.h"
#include "aggregate/rollup_store.h"
#include "aggregate/tally.h"

#define RESULT_BYTES ((size_t)1024 * 1024 * 1024)

static const char *const metric_names[QUERY_METRIC_COUNT] = {
    "views",       "clicks_raw", "clicks",    "clickers",      "leads",
    "conversions", "visitors",   "visits",    "orphan_clicks", "ctr",
    "ctr_unique",  "link_ctr",   "lead_rate", "value"};

const char *query_metric_name(enum query_metric metric)
{
    return metric_names[metric];
}

bool query_metric_find(const char *name, enum query_metric *metric_out)
{
    for (int i = 0; i < QUERY_METRIC_COUNT; i++) {
        if (strcmp(name, metric_names[i]) == 0) {
            *metric_out = (enum query_metric)i;
            return true;
        }
    }
    return false;
}

bool query_metric_is_rate(enum query_metric metric)
{
    return metric == QUERY_CTR || metric == QUERY_CTR_UNIQUE ||
           metric == QUERY_LINK_CTR || metric == QUERY_LEAD_RATE;
}

bool query_has_metric(const struct query *query, enum query_metric metric)
{
    for (size_t i = 0; i < query->metric_count; i++) {
        if (query->metrics[i] == metric) {
            return true;
        }
    }
    return false;
}

static bool
rate(double hits, double n, double *value_out, double *hits_out, double *n_out)
{
    *hits_out = hits;
    *n_out = n;
    *value_out = n > 0 ? hits / n : 0;
    return n > 0;
}

bool query_figure(const struct query_figures *figures,
                  enum query_metric metric,
                  double *value_out,
                  double *hits_out,
                  double *n_out)
{
    const struct rollup_counts *counts = &figures->counts;

    switch (metric) {
    case QUERY_VIEWS:
        *value_out = (double)counts->views;
        return true;
    case QUERY_CLICKS_RAW:
        *value_out = (double)counts->clicks_raw;
        return true;
    case QUERY_CLICKS:
        *value_out = (double)counts->clicks;
        return true;
    case QUERY_CLICKERS:
        *value_out = (double)figures->clickers;
        return true;
    case QUERY_LEADS:
        *value_out = (double)counts->leads;
        return true;
    case QUERY_CONVERSIONS:
        *value_out = (double)counts->conversions;
        return true;
    case QUERY_VISITORS:
        *value_out = (double)figures->visitors;
        return true;
    case QUERY_VISITS:
        *value_out = (double)figures->visits;
        return true;
    case QUERY_ORPHAN_CLICKS:
        *value_out = (double)counts->orphan_clicks;
        return true;
    case QUERY_CTR:
        return rate((double)counts->clicks, (double)counts->views, value_out,
                    hits_out, n_out);
    case QUERY_CTR_UNIQUE:
        return rate((double)figures->viewers_clicked, (double)figures->viewers,
                    value_out, hits_out, n_out);
    case QUERY_LINK_CTR:
        return rate((double)counts->clicks, (double)figures->exposures,
                    value_out, hits_out, n_out);
    case QUERY_LEAD_RATE:
        return rate((double)counts->leads, (double)counts->views, value_out,
                    hits_out, n_out);
    case QUERY_VALUE:
        *value_out = (double)figures->amount_hundredths / 100;
        return figures->currency[0] != '\0' && figures->currency[0] != '*';
    case QUERY_METRIC_COUNT:
        break;
    }
    return false;
}

static size_t no_key(void *ctx, const char *key, size_t key_len, char *out)
{
    (void)ctx;
    (void)key;
    (void)key_len;
    (void)out;
    return 0;
}

/* --- rows
 * ------------------------------------------------------------------------- */

static void fill_figures(const struct tally_group *group,
                         const struct tally_group *views,
                         bool is_split,
                         struct query_figures *out)
{
    memset(out, 0, sizeof(*out));
    if (group != NULL) {
        out->counts = group->counts;
        out->visitors = group->visitors;
        out->viewers = group->viewers;
        out->clickers = group->clickers;
        out->viewers_clicked = group->viewers_clicked;
        out->visits = group->visits;
        out->amount_hundredths = group->amount_hundredths;
        memcpy(out->currency, group->currency, sizeof(out->currency));
    }
    if (is_split) {
        out->counts.views = views == NULL ? 0 : views->counts.views;
        out->viewers = views == NULL ? 0 : views->viewers;
    }
}

static void
read_values(const struct query *query, const char *key, struct query_row *row)
{
    for (size_t i = 0; i < query->dimension_count; i++) {
        row->values[i] = key[0] == 'V' ? key + 1 : NULL;
        if (query->dimensions[i].kind == DIMENSION_TIME &&
            row->values[i] != NULL) {
            row->time_at_ms = strtoll(row->values[i], NULL, 10);
        }
        key += strlen(key) + 1;
    }
}

static enum lb_err no_memory(const struct query_work *work)
{
    return lb_err_set(work->err, LB_ENOMEM, "out of memory");
}

/* group: NULL where there is none of that key. */
static void fill_row(struct query_work *work,
                     const struct tally_group *group,
                     const char *key,
                     size_t key_len,
                     struct query_figures *out)
{
    const struct tally_group *views = NULL;

    if (work->is_split) {
        views = tally_find(
            work->views, work->view_key,
            query_work_view_key(work->query, key, key_len, work->view_key));
    }
    fill_figures(group, views, work->is_split, out);
    if (work->exposure != NULL) {
        out->exposures =
            query_exposure_of(work->exposure, key, key_len, out->counts.views);
    }
}

void query_figures_of(struct query_work *work,
                      const char *key,
                      size_t key_len,
                      struct query_figures *figures_out)
{
    fill_row(work, NULL, key, key_len, figures_out);
}

static enum lb_err make_rows(struct query_work *work)
{
    struct query *query = work->query;
    struct query_result *result = work->result;
    size_t count = tally_count(work->rows);

    result->rows =
        lb_arena_calloc(result->arena, (count + 1) * sizeof(*result->rows));
    if (result->rows == NULL) {
        return no_memory(work);
    }
    for (size_t i = 0; i < count; i++) {
        const struct tally_group *group = tally_at(work->rows, i);
        char *key = lb_arena_alloc(result->arena, group->key_len + 1);

        if (key == NULL) {
            return no_memory(work);
        }
        memcpy(key, group->key, group->key_len);
        key[group->key_len] = '\0';
        fill_row(work, group, group->key, group->key_len,
                 &result->rows[i].figures);
        read_values(query, key, &result->rows[i]);
    }
    result->row_count = count;
    return LB_OK;
}

/* Time as the one dimension: buckets without an event get zeros. */
static enum lb_err fill_gaps(struct query_work *work)
{
    struct query *query = work->query;
    enum lb_zone_grain grain;
    size_t count = 0;

    if (query->dimension_count != 1 ||
        query->dimensions[0].kind != DIMENSION_TIME) {
        return LB_OK;
    }
    grain = (enum lb_zone_grain)query->dimensions[0].grain;
    for (int64_t at =
             lb_zone_bucket_start_ms(query->zone, grain, query->from_at_ms);
         at < query->to_at_ms;
         at = lb_zone_bucket_next_ms(query->zone, grain, at)) {
        char text[24];
        struct tally_group empty = {.key = work->key};

        if (++count > QUERY_FILLED) {
            return lb_err_set(work->err, LB_ELIMIT,
                              "the range has more than %d buckets; ask for a "
                              "larger grain of time",
                              QUERY_FILLED);
        }
        (void)snprintf(text, sizeof(text), "%lld", (long long)at);
        empty.key_len = query_work_put_value(work->key, text);
        if (tally_merge(work->rows, &empty) != LB_OK) {
            return no_memory(work);
        }
    }
    return LB_OK;
}

static int compare_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return a == b ? 0 : a == NULL ? -1 : 1;
    }
    return strcmp(a, b);
}

static int compare_dimension(const struct query *query,
                             size_t index,
                             const struct query_row *a,
                             const struct query_row *b)
{
    if (query->dimensions[index].kind == DIMENSION_TIME) {
        return a->time_at_ms < b->time_at_ms ? -1
                                             : a->time_at_ms > b->time_at_ms;
    }
    return compare_text(a->values[index], b->values[index]);
}

/* Null is less than any value. */
static int compare_metric(enum query_metric metric,
                          const struct query_row *a,
                          const struct query_row *b)
{
    double x = 0;
    double y = 0;
    double hits;
    double n;
    bool has_x = query_figure(&a->figures, metric, &x, &hits, &n);
    bool has_y = query_figure(&b->figures, metric, &y, &hits, &n);

    if (!has_x || !has_y) {
        return (int)has_x - (int)has_y;
    }
    return x < y ? -1 : x > y;
}

static int compare_rows(const void *left, const void *right, void *ctx)
{
    const struct query *query = ctx;
    const struct query_row *a = left;
    const struct query_row *b = right;
    bool is_time_first = query->dimensions[0].kind == DIMENSION_TIME;
    int order = 0;

    if (query->order_dimension >= 0) {
        order = compare_dimension(query, (size_t)query->order_dimension, a, b);
        order = query->is_descending ? -order : order;
    } else if (query->order_metric >= 0) {
        order = compare_metric((enum query_metric)query->order_metric, a, b);
        order = query->is_descending ? -order : order;
    } else if (is_time_first) {
        order = compare_dimension(query, 0, a, b);
    }
    if (order == 0 && query->order_metric < 0 && query->order_dimension < 0) {
        order = -compare_metric(query->metrics[0], a, b);
    }
    for (size_t i = 0; i < query->dimension_count && order == 0; i++) {
        order = compare_dimension(query, i, a, b);
    }
    return order;
}

/* --- the whole
 * --------------------------------------------------------------------- */

static enum lb_err find_bounds(struct query_work *work)
{
    struct query *query = work->query;
    int64_t earliest = INT64_MAX;
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < query->site_count && rc == LB_OK; i++) {
        int64_t first = 0;
        int64_t last = 0;
        bool has_any = false;

        rc = rollup_store_bounds(work->db, query->sites[i], &first, &last,
                                 &has_any, work->err);
        if (has_any && first < earliest) {
            earliest = first;
        }
    }
    if (rc != LB_OK) {
        return rc;
    }
    work->result->data_from_ms =
        earliest == INT64_MAX ? 0 : earliest * ROLLUP_BUCKET_MS;
    if (query->from_at_ms == INT64_MIN) {
        int64_t at_ms = earliest == INT64_MAX ? query->to_at_ms - 1
                                              : work->result->data_from_ms;

        query->from_at_ms = lb_zone_day_start_ms(
            query->zone, lb_zone_local_day(query->zone, at_ms));
    }
    work->result->from_at_ms = query->from_at_ms;
    return LB_OK;
}

static void look_at_dimensions(struct query_work *work)
{
    const struct query *query = work->query;

    work->is_split = filter_is_of_click(query->filter);
    for (size_t i = 0; i < query->dimension_count; i++) {
        const struct dimension *dimension = &query->dimensions[i];

        work->is_split = work->is_split || dimension->is_of_click;
        work->has_click_dimension =
            work->has_click_dimension ||
            (dimension->is_of_click && dimension->kind != DIMENSION_TYPE);
    }
}

static enum lb_err count_all(struct query_work *work)
{
    struct query *query = work->query;
    enum lb_err rc = find_bounds(work);

    rc = rc == LB_OK
             ? db_meta_get(work->db, "cursor", 0, &work->result->seq, work->err)
             : rc;
    if (rc != LB_OK) {
        return rc;
    }
    rc = query_work_begin(work);
    if (rc == LB_OK) {
        rc = query_totals_suffice(work) ? query_totals_read(work)
                                        : query_days_read(work);
    }
    if (rc == LB_ELIMIT && work->has_too_many_visits) {
        return lb_err_set(work->err, LB_ELIMIT,
                          "there are more than %d visits in the range; ask for "
                          "a shorter one, or leave out visits",
                          VISITS_MAX);
    }
    if (rc == LB_ELIMIT) {
        return lb_err_set(
            work->err, LB_ELIMIT,
            "the answer would hold more than %d groups at once; leave out %s "
            "or filter by it",
            QUERY_GROUPS,
            query->dimension_count == 0
                ? "a dimension"
                : query->dimensions[query->dimension_count - 1].name);
    }
    if (rc == LB_ENOMEM) {
        return no_memory(work);
    }
    return rc == LB_OK ? fill_gaps(work) : rc;
}

static enum lb_err finish(struct query_work *work)
{
    struct query *query = work->query;
    struct query_result *result = work->result;
    const struct tally_group *total;
    enum lb_err rc;

    if (work->is_split) {
        tally_finish(work->views, NULL, NULL, NULL);
        tally_finish(work->total_views, NULL, NULL, NULL);
        tally_finish(work->rows, work->views, query_work_view_key, query);
        tally_finish(work->total, work->total_views, no_key, NULL);
    } else {
        tally_finish(work->rows, NULL, NULL, NULL);
        tally_finish(work->total, NULL, NULL, NULL);
    }
    total = tally_find(work->total, "", 0);
    fill_figures(total, tally_find(work->total_views, "", 0), work->is_split,
                 &result->totals);
    if (work->exposure != NULL) {
        result->totals.exposures = query_exposure_of(
            work->exposure, NULL, 0, result->totals.counts.views);
    }
    result->clicks_without_visitor =
        total == NULL ? 0 : total->clicks_without_visitor;
    if (query->dimension_count == 0) {
        result->rows = lb_arena_calloc(result->arena, sizeof(*result->rows));
        if (result->rows == NULL) {
            return no_memory(work);
        }
        result->rows[0].figures = result->totals;
        result->row_count = 1;
        return LB_OK;
    }
    rc = make_rows(work);
    if (rc == LB_OK) {
        qsort_r(result->rows, result->row_count, sizeof(*result->rows),
                compare_rows, query);
    }
    return rc;
}

enum lb_err query_run_open(struct query *query,
                           struct db *db,
                           struct query_result *result_out,
                           struct query_work **work_out,
                           struct lb_error *err)
{
    struct query_work *work = NULL;
    enum lb_err rc;

    memset(result_out, 0, sizeof(*result_out));
    result_out->arena = lb_arena_new(RESULT_BYTES);
    if (result_out->arena != NULL) {
        work = query_work_new(query, db, result_out, err);
    }
    *work_out = work;
    if (work == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    look_at_dimensions(work);
    rc = count_all(work);
    return rc == LB_OK ? finish(work) : rc;
}

enum lb_err query_run(struct query *query,
                      struct db *db,
                      struct query_result *result_out,
                      struct lb_error *err)
{
    struct query_work *work = NULL;
    enum lb_err rc = query_run_open(query, db, result_out, &work, err);

    query_work_free(work);
    return rc;
}

void query_result_deinit(struct query_result *result)
{
    lb_arena_free(result->arena);
    result->arena = NULL;
}
