/* v2_rollup.c - questions of the stats dialect, from counted days. */
#include "aggregate/v2_rollup.h"

#include <string.h>

#include "aggregate/day.h"

static bool is_kept(enum v2_metric metric)
{
    static const enum v2_metric kept[] = {
        V2_METRIC_VISITORS,    V2_METRIC_PAGEVIEWS,  V2_METRIC_EVENTS,
        V2_METRIC_PERCENTAGE,  V2_METRIC_CLICKS,     V2_METRIC_LEADS,
        V2_METRIC_CONVERSIONS, V2_METRIC_CLICKS_RAW, V2_METRIC_ORPHAN_CLICKS,
        V2_METRIC_CLICKERS,    V2_METRIC_CTR,        V2_METRIC_VISITOR_CTR,
        V2_METRIC_LEAD_RATE,   V2_METRIC_VISITS,     V2_METRIC_VIEWS_PER_VISIT,
        V2_METRIC_VALUE};

    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (metric == kept[i]) {
            return true;
        }
    }
    return false;
}

static bool is_time(const struct v2_dimension *dimension)
{
    return dimension->kind == V2_DIMENSION_TIME &&
           dimension->grain >= (int)LB_ZONE_DAY;
}

/* The dimension of days that says the same; false when there is none. */
static bool find_dimension(const struct v2_dimension *dimension,
                           struct dimension *out)
{
    const char *name = strchr(dimension->name, ':');
    enum day_dimension day;

    /* A page that is none reads like one that is. */
    if (dimension->kind != V2_DIMENSION_TEXT || name == NULL ||
        dimension->text == ENTRY_TEXT_PAGE) {
        return false;
    }
    name = dimension->text == ENTRY_TEXT_HOST     ? "host"
           : dimension->text == ENTRY_TEXT_DEVICE ? "device"
           : dimension->text == ENTRY_TEXT_REGION ? "region"
           : dimension->text == ENTRY_TEXT_CITY   ? "city"
                                                  : name + 1;
    return dimension_find(name, false, out) && day_dimension_find(out, &day);
}

bool v2_rollup_can(const struct v2_request *request,
                   const struct v2_count_frame *frame)
{
    struct dimension found;
    size_t texts = 0;
    size_t times = 0;

    for (size_t i = 0; i < request->metric_count; i++) {
        if (!is_kept(request->metrics[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < request->dimension_count; i++) {
        bool is_text = find_dimension(&request->dimensions[i], &found);

        if (!is_text && !is_time(&request->dimensions[i])) {
            return false;
        }
        texts += is_text ? 1 : 0;
        times += is_text ? 0 : 1;
    }
    return frame->is_period_a_day && request->filter == NULL && texts <= 1 &&
           times <= 1;
}

static void make_query(struct v2_request *request,
                       const struct v2_count_frame *frame,
                       int64_t *site,
                       struct query *query)
{
    static const char *const times[] = {[LB_ZONE_DAY] = "time:day",
                                        [LB_ZONE_WEEK] = "time:week",
                                        [LB_ZONE_MONTH] = "time:month"};

    *site = request->site->number;
    *query = (struct query){.catalog = frame->catalog,
                            .sites = site,
                            .site_count = 1,
                            .zone = request->site->zone,
                            .from_at_ms = request->from_at_ms,
                            .to_at_ms = request->to_at_ms,
                            .traffic = 1u << ENTRY_HUMAN,
                            .has_day_periods = frame->is_period_a_day,
                            .dimension_count = request->dimension_count,
                            .metrics = {QUERY_VISITORS},
                            .metric_count = 1,
                            .order_metric = -1,
                            .order_dimension = -1,
                            .deadline_at_ms = frame->deadline_at_ms,
                            .is_cancelled = frame->is_cancelled};
    if (v2_request_has_metric(request, V2_METRIC_VISITS) ||
        v2_request_has_metric(request, V2_METRIC_VIEWS_PER_VISIT)) {
        query->metrics[query->metric_count++] = QUERY_VISITS;
    }
    if (v2_request_has_metric(request, V2_METRIC_VISITOR_CTR)) {
        query->metrics[query->metric_count++] = QUERY_CTR_UNIQUE;
    }
    if (v2_request_has_metric(request, V2_METRIC_VALUE)) {
        query->metrics[query->metric_count++] = QUERY_VALUE;
    }
    for (size_t i = 0; i < request->dimension_count; i++) {
        const struct v2_dimension *dimension = &request->dimensions[i];

        if (!find_dimension(dimension, &query->dimensions[i])) {
            (void)dimension_find(times[dimension->grain], true,
                                 &query->dimensions[i]);
        }
    }
}

/* Whether more than one day has visitors. */
static enum lb_err find_days(const struct query *asked,
                             struct db *db,
                             bool *is_summed_out,
                             struct lb_error *err)
{
    struct query by_day = *asked;
    struct query_result result;
    size_t days = 0;
    enum lb_err rc;

    by_day.dimension_count = 1;
    by_day.metric_count = 1;
    (void)dimension_find("time:day", true, &by_day.dimensions[0]);
    rc = query_run(&by_day, db, &result, err);
    for (size_t i = 0; rc == LB_OK && i < result.row_count; i++) {
        days += result.rows[i].figures.visitors > 0 ? 1 : 0;
    }
    query_result_deinit(&result);
    *is_summed_out = days > 1;
    return rc;
}

/* Whether a dimension has both rows without a value and rows whose value reads
 * like that. */
static bool
is_collision(const struct query_result *result, size_t index, const char *empty)
{
    bool has_none = false;
    bool has_text = false;

    for (size_t i = 0; i < result->row_count; i++) {
        const char *value = result->rows[i].values[index];

        has_none = has_none || value == NULL;
        has_text = has_text || (value != NULL && strcmp(value, empty) == 0);
    }
    return has_none && has_text;
}

static bool has_collision(const struct v2_request *request,
                          const struct query_result *result)
{
    for (size_t i = 0; i < request->dimension_count; i++) {
        const char *empty = request->dimensions[i].empty;

        if (empty != NULL && is_collision(result, i, empty)) {
            return true;
        }
    }
    return false;
}

enum lb_err v2_rollup_run(struct v2_request *request,
                          const struct v2_count_frame *frame,
                          struct v2_rollup *rollup_out,
                          struct lb_error *err)
{
    int64_t site;
    enum lb_err rc;

    make_query(request, frame, &site, &rollup_out->query);
    rc = query_run(&rollup_out->query, frame->db, &rollup_out->result, err);
    if (rc == LB_OK) {
        rollup_out->has_collision = has_collision(request, &rollup_out->result);
        rc = find_days(&rollup_out->query, frame->db, &rollup_out->is_summed,
                       err);
    }
    rollup_out->query.sites = NULL;
    return rc;
}

void v2_rollup_deinit(struct v2_rollup *rollup)
{
    query_result_deinit(&rollup->result);
}

void v2_rollup_figures(const struct v2_rollup *rollup,
                       const struct query_row *row,
                       struct v2_figures *figures_out)
{
    const struct query_figures *figures =
        row == NULL ? &rollup->result.totals : &row->figures;
    struct tally_group *own = &figures_out->own;

    memset(figures_out, 0, sizeof(*figures_out));
    own->counts = figures->counts;
    own->visitors = figures->visitors;
    own->viewers = figures->viewers;
    own->clickers = figures->clickers;
    own->viewers_clicked = figures->viewers_clicked;
    own->visits = figures->visits;
    own->amount_hundredths = figures->amount_hundredths;
    memcpy(own->currency, figures->currency, sizeof(own->currency));
    figures_out->views = figures->counts.views;
    figures_out->viewers = figures->viewers;
    figures_out->query_visitors = rollup->result.totals.visitors;
}

const char *v2_rollup_value(const struct v2_request *request,
                            const struct query_row *row,
                            size_t index)
{
    return row->values[index] == NULL ? request->dimensions[index].empty
                                      : row->values[index];
}
