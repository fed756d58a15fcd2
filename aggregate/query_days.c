/* query_days.c - answers from counted days where they can. */
#include "aggregate/query_days.h"

#include <stdlib.h>
#include <string.h>

#include "aggregate/day_store.h"

/* A site's part of the range that must be read from the log. */
struct span {
    int64_t from_at_ms;
    int64_t to_at_ms;
    int64_t site;
};

/* Whether visitors of several days may be added up shows when the log's part is
 * read: so that comes first where they are asked for. */
enum pass { PASS_BOTH, PASS_LOG, PASS_DAYS };

struct reading {
    struct query_work *work;
    enum pass pass;
    const struct catalog_site *site;
    enum day_dimension kept;
    bool has_visitor_metric;
    struct span *spans; /* owned */
    size_t span_count;
    size_t span_cap;
};

static bool needs_visitors(enum query_metric metric)
{
    return metric == QUERY_VISITORS || metric == QUERY_CLICKERS ||
           metric == QUERY_CTR_UNIQUE || metric == QUERY_VISITS;
}

/* Whether days hold the query's dimension at index, beside those before it. */
static bool can_split_by(struct reading *reading, size_t index)
{
    const struct dimension *dimension =
        &reading->work->query->dimensions[index];

    if (dimension->kind == DIMENSION_TIME) {
        return dimension->grain >= (int)LB_ZONE_DAY;
    }
    /* A row says of which site and class it is, whatever else it counts by. */
    return dimension->kind == DIMENSION_SITE ||
           dimension->kind == DIMENSION_TRAFFIC ||
           (reading->kept == DAY_TOTAL &&
            day_dimension_find(dimension, &reading->kept));
}

/* Whether days hold such an answer: by one dimension at most, beside site and
 * class, and by days or what is made of them. */
static bool can_answer(struct reading *reading)
{
    const struct query *query = reading->work->query;

    reading->kept = DAY_TOTAL;
    for (size_t i = 0; i < query->metric_count; i++) {
        reading->has_visitor_metric =
            reading->has_visitor_metric || needs_visitors(query->metrics[i]);
    }
    for (size_t i = 0; i < query->dimension_count; i++) {
        if (!can_split_by(reading, i)) {
            return false;
        }
    }
    /* A visitor may be of several classes: only one of them adds up. */
    return query->filter == NULL && !query_work_needs_log(reading->work) &&
           (!reading->has_visitor_metric ||
            (query->traffic & (query->traffic - 1)) == 0);
}

static enum lb_err
add_span(struct reading *reading, int64_t from_at_ms, int64_t to_at_ms)
{
    if (from_at_ms >= to_at_ms) {
        return LB_OK;
    }
    if (reading->span_count > 0) {
        struct span *last = &reading->spans[reading->span_count - 1];

        if (last->site == reading->site->number &&
            last->to_at_ms == from_at_ms) {
            last->to_at_ms = to_at_ms;
            return LB_OK;
        }
    }
    if (reading->span_count == reading->span_cap) {
        size_t cap = reading->span_cap == 0 ? 64 : reading->span_cap * 2;
        struct span *spans = realloc(reading->spans, cap * sizeof(*spans));

        if (spans == NULL) {
            return LB_ENOMEM;
        }
        reading->spans = spans;
        reading->span_cap = cap;
    }
    reading->spans[reading->span_count++] =
        (struct span){from_at_ms, to_at_ms, reading->site->number};
    return LB_OK;
}

/* --- counted days --------------------------------------------------------- */

static size_t make_key(const struct reading *reading,
                       int64_t day_start_ms,
                       const struct day_row *row)
{
    struct query_work *work = reading->work;
    const struct query *query = work->query;
    size_t used = 0;

    for (size_t i = 0; i < query->dimension_count; i++) {
        const struct dimension *dimension = &query->dimensions[i];
        const char *value = row->value;

        if (dimension->kind == DIMENSION_TIME) {
            used += query_work_put_time(work, work->key + used, day_start_ms,
                                        dimension->grain);
            continue;
        }
        if (dimension->kind == DIMENSION_SITE) {
            value = reading->site->id;
        } else if (dimension->kind == DIMENSION_TRAFFIC) {
            value = entry_traffic_name(row->traffic);
        }
        used += query_work_put_value(work->key + used, value);
    }
    return used;
}

static enum lb_err
add_row(struct reading *reading, int64_t day_start_ms, struct day_row *row)
{
    struct query_work *work = reading->work;

    row->sums.key = work->key;
    row->sums.key_len = make_key(reading, day_start_ms, row);
    return tally_merge(work->rows, &row->sums);
}

static enum lb_err
add_total(struct reading *reading, int64_t day_start_ms, struct day_row *row)
{
    struct query_work *work = reading->work;
    struct tally_group *sums = &row->sums;
    enum lb_err rc;

    sums->key = "";
    sums->key_len = 0;
    rc = tally_merge(work->total, sums);
    if (rc != LB_OK || !work->is_split) {
        return rc;
    }
    rc = tally_merge(work->total_views, sums);
    if (rc == LB_OK && sums->counts.views > 0) {
        size_t len = make_key(reading, day_start_ms, row);

        sums->key = work->view_key;
        sums->key_len =
            query_work_view_key(work->query, work->key, len, work->view_key);
        rc = tally_merge(work->views, sums);
    }
    return rc;
}

typedef enum lb_err (*add_fn)(struct reading *reading,
                              int64_t day_start_ms,
                              struct day_row *row);

static enum lb_err add_rows(struct reading *reading,
                            struct day_reader blob,
                            int64_t day_start_ms,
                            add_fn add)
{
    struct day_row row;
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && day_reader_next(&blob, &row)) {
        if ((reading->work->query->traffic & 1u << row.traffic) != 0) {
            rc = add(reading, day_start_ms, &row);
        }
    }
    return rc;
}

static bool is_usable(const struct reading *reading,
                      const struct day_store_day *day,
                      struct day_reader *rows_out,
                      struct day_reader *total_out)
{
    return day->is_built &&
           day_reader_init(rows_out, day->body, day->body_bytes) == LB_OK &&
           day_reader_init(total_out, day->total, day->total_bytes) == LB_OK &&
           (total_out->is_additive || !reading->has_visitor_metric) &&
           (reading->work->visits == NULL ||
            (rows_out->has_visits && total_out->has_visits)) &&
           day_reader_is_sound(rows_out) && day_reader_is_sound(total_out);
}

static bool is_spread(const struct reading *reading)
{
    return reading->has_visitor_metric &&
           reading->work
               ->is_spread[(size_t)reading->site->number % QUERY_WORK_SITES];
}

static enum lb_err read_day(void *ctx, const struct day_store_day *day)
{
    struct reading *reading = ctx;
    const struct lb_zone *zone = reading->work->query->zone;
    int64_t start_ms = lb_zone_day_start_ms(zone, day->day);
    struct day_reader rows;
    struct day_reader total;
    bool is_counted = is_usable(reading, day, &rows, &total);
    enum lb_err rc = query_work_check(reading->work);

    if (rc != LB_OK || (reading->pass == PASS_LOG && is_counted) ||
        (reading->pass == PASS_DAYS && !is_counted)) {
        return rc;
    }
    if (!is_counted || is_spread(reading)) {
        return add_span(reading, start_ms,
                        lb_zone_day_start_ms(zone, day->day + 1));
    }
    reading->work->result->read.days++;
    if (reading->work->query->dimension_count > 0) {
        rc = add_rows(reading, rows, start_ms, add_row);
    }
    return rc == LB_OK ? add_rows(reading, total, start_ms, add_total) : rc;
}

/* What no counted day can answer is read from the log, once. */
static enum lb_err
add_edge(struct reading *reading, int64_t from_at_ms, int64_t to_at_ms)
{
    return reading->pass == PASS_DAYS ? LB_OK
                                      : add_span(reading, from_at_ms, to_at_ms);
}

void query_days_whole(const struct query *query,
                      int64_t least_day,
                      struct day_store_range *days,
                      int64_t *from_at_ms_out,
                      int64_t *to_at_ms_out)
{
    int64_t first = lb_zone_local_day(query->zone, query->from_at_ms - 1) + 1;

    days->first_day = first < least_day ? least_day : first;
    days->last_day = lb_zone_local_day(query->zone, query->to_at_ms) - 1;
    *from_at_ms_out = lb_zone_day_start_ms(query->zone, days->first_day);
    *to_at_ms_out = lb_zone_day_start_ms(query->zone, days->last_day + 1);
}

static enum lb_err read_site(struct reading *reading, int64_t number)
{
    const struct query *query = reading->work->query;
    struct day_store_range days = {.site = number, .dimension = reading->kept};
    int64_t from_at_ms;
    int64_t to_at_ms;
    bool is_listed = false;
    enum lb_err rc;

    reading->site = catalog_site_by_number(query->catalog, number);
    if (reading->site == NULL) {
        return LB_OK;
    }
    rc = day_store_is_listed(reading->work->db, reading->site, &is_listed,
                             reading->work->err);
    if (rc != LB_OK) {
        return rc;
    }
    query_days_whole(query, INT64_MIN, &days, &from_at_ms, &to_at_ms);
    if (!is_listed || from_at_ms >= to_at_ms ||
        strcmp(lb_zone_name(query->zone), reading->site->timezone) != 0) {
        return add_edge(reading, query->from_at_ms, query->to_at_ms);
    }
    rc = add_edge(reading, query->from_at_ms, from_at_ms);
    rc = rc == LB_OK ? day_store_read(reading->work->db, &days, read_day,
                                      reading, reading->work->err)
                     : rc;
    return rc == LB_OK ? add_edge(reading, to_at_ms, query->to_at_ms) : rc;
}

/* --- the rest from the log ------------------------------------------------ */

static int compare_spans(const void *left, const void *right)
{
    const struct span *a = left;
    const struct span *b = right;

    if (a->from_at_ms != b->from_at_ms) {
        return a->from_at_ms < b->from_at_ms ? -1 : 1;
    }
    if (a->to_at_ms != b->to_at_ms) {
        return a->to_at_ms < b->to_at_ms ? -1 : 1;
    }
    return a->site < b->site ? -1 : a->site > b->site;
}

/* Sites that need the same range are read together. */
static enum lb_err scan_spans(struct reading *reading)
{
    int64_t *sites = calloc(reading->span_count + 1, sizeof(*sites));
    enum lb_err rc = sites == NULL ? LB_ENOMEM : LB_OK;

    if (reading->span_count > 0) {
        qsort(reading->spans, reading->span_count, sizeof(*reading->spans),
              compare_spans);
    }
    for (size_t i = 0; i < reading->span_count && rc == LB_OK;) {
        const struct span *first = &reading->spans[i];
        size_t count = 0;

        while (i < reading->span_count &&
               reading->spans[i].from_at_ms == first->from_at_ms &&
               reading->spans[i].to_at_ms == first->to_at_ms) {
            sites[count++] = reading->spans[i++].site;
        }
        rc = query_work_scan(reading->work, sites, count, first->from_at_ms,
                             first->to_at_ms);
    }
    free(sites);
    return rc;
}

static enum lb_err run_pass(struct reading *reading, enum pass pass)
{
    const struct query *query = reading->work->query;
    enum lb_err rc = LB_OK;

    reading->pass = pass;
    reading->span_count = 0;
    for (size_t i = 0; i < query->site_count && rc == LB_OK; i++) {
        rc = read_site(reading, query->sites[i]);
    }
    return rc == LB_OK ? scan_spans(reading) : rc;
}

/* Whether the log showed visits that may go over midnight: they are counted off
 * in one go, or some twice. */
static bool has_long_visits(const struct query_work *work)
{
    for (size_t i = 0; work->visits != NULL && i < QUERY_WORK_SITES; i++) {
        if (work->is_spread[i]) {
            return true;
        }
    }
    return false;
}

static enum lb_err read_all(struct query_work *work)
{
    const struct query *query = work->query;
    enum lb_err rc = query_work_reset(work);

    return rc == LB_OK ? query_work_scan(work, query->sites, query->site_count,
                                         query->from_at_ms, query->to_at_ms)
                       : rc;
}

enum lb_err query_days_read(struct query_work *work)
{
    const struct query *query = work->query;
    struct reading reading = {.work = work};
    enum lb_err rc;

    if (!can_answer(&reading)) {
        return query_work_scan(work, query->sites, query->site_count,
                               query->from_at_ms, query->to_at_ms);
    }
    if (reading.has_visitor_metric) {
        rc = run_pass(&reading, PASS_LOG);
        if (rc == LB_OK) {
            rc = has_long_visits(work) ? read_all(work)
                                       : run_pass(&reading, PASS_DAYS);
        }
    } else {
        rc = run_pass(&reading, PASS_BOTH);
    }
    free(reading.spans);
    return rc;
}
