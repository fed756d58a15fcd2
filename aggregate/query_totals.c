/* query_totals.c - questions of counts alone. */
#include "aggregate/query_totals.h"

#include <string.h>

#include "aggregate/day_store.h"
#include "aggregate/query_days.h"
#include "aggregate/rollup_store.h"

struct adding {
    struct query_work *work;
    int64_t site;
    int64_t first_open; /* days before are as they were under another zone */
    /* Days in a row that are not counted; their totals are read together. */
    int64_t from_at_ms;
    int64_t to_at_ms;
};

static bool is_in_totals(enum query_metric metric)
{
    return metric == QUERY_VIEWS || metric == QUERY_CLICKS_RAW ||
           metric == QUERY_CLICKS || metric == QUERY_LEADS ||
           metric == QUERY_CONVERSIONS || metric == QUERY_ORPHAN_CLICKS ||
           metric == QUERY_CTR || metric == QUERY_LINK_CTR ||
           metric == QUERY_LEAD_RATE;
}

bool query_totals_suffice(const struct query_work *work)
{
    const struct query *query = work->query;
    bool is_by_time = query->dimension_count == 1 &&
                      query->dimensions[0].kind == DIMENSION_TIME;

    if (query_work_needs_log(work) || query->filter != NULL ||
        (query->dimension_count > 0 && !is_by_time) ||
        query->from_at_ms % ROLLUP_BUCKET_MS != 0 ||
        query->to_at_ms % ROLLUP_BUCKET_MS != 0) {
        return false;
    }
    for (size_t i = 0; i < query->metric_count; i++) {
        if (!is_in_totals(query->metrics[i])) {
            return false;
        }
    }
    return true;
}

/* Counts of one class, that began at at_ms. */
static enum lb_err add_counts(struct query_work *work,
                              const struct rollup_counts *counts,
                              enum entry_traffic traffic,
                              int64_t at_ms)
{
    const struct query *query = work->query;
    struct tally_group sums = {.key = "", .counts = *counts};
    enum lb_err rc;

    if ((query->traffic & 1u << traffic) == 0) {
        return LB_OK;
    }
    rc = tally_merge(work->total, &sums);
    if (rc != LB_OK || query->dimension_count == 0) {
        return rc;
    }
    sums.key = work->key;
    sums.key_len =
        query_work_put_time(work, work->key, at_ms, query->dimensions[0].grain);
    return tally_merge(work->rows, &sums);
}

static enum lb_err add_row(void *ctx, const struct rollup_store_row *row)
{
    struct query_work *work = ctx;

    work->result->read.totals++;
    return add_counts(work, &row->counts, row->traffic,
                      row->bucket * ROLLUP_BUCKET_MS);
}

static enum lb_err
add_buckets(struct adding *adding, int64_t from_at_ms, int64_t to_at_ms)
{
    struct query_work *work = adding->work;
    const struct rollup_store_range range = {
        adding->site, rollup_bucket(from_at_ms), rollup_bucket(to_at_ms)};

    return from_at_ms >= to_at_ms
               ? LB_OK
               : rollup_store_read(work->db, &range, add_row, work, work->err);
}

/* Those that wait. */
static enum lb_err add_waiting(struct adding *adding)
{
    int64_t from_at_ms = adding->from_at_ms;

    adding->from_at_ms = adding->to_at_ms;
    return add_buckets(adding, from_at_ms, adding->to_at_ms);
}

static enum lb_err
add_counted(struct query_work *work, struct day_reader total, int64_t at_ms)
{
    struct day_row row;
    enum lb_err rc = LB_OK;

    work->result->read.days++;
    while (rc == LB_OK && day_reader_next(&total, &row)) {
        rc = add_counts(work, &row.sums.counts, row.traffic, at_ms);
    }
    return rc;
}

static enum lb_err add_day(void *ctx, const struct day_store_day *day)
{
    struct adding *adding = ctx;
    struct query_work *work = adding->work;
    const struct lb_zone *zone = work->query->zone;
    int64_t start_ms = lb_zone_day_start_ms(zone, day->day);
    struct day_reader total;
    bool is_counted =
        day->is_built &&
        day_reader_init(&total, day->total, day->total_bytes) == LB_OK &&
        day_reader_is_sound(&total);
    enum lb_err rc = query_work_check(work);

    if (rc == LB_OK && (is_counted || adding->to_at_ms != start_ms)) {
        rc = add_waiting(adding);
        adding->from_at_ms = start_ms;
    }
    if (rc != LB_OK || is_counted) {
        adding->to_at_ms = adding->from_at_ms;
        return rc == LB_OK ? add_counted(work, total, start_ms) : rc;
    }
    adding->to_at_ms = lb_zone_day_start_ms(zone, day->day + 1);
    return LB_OK;
}

/* Whether counted days of the site may stand for its totals. */
static enum lb_err can_use_days(struct adding *adding, bool *can_out)
{
    const struct query *query = adding->work->query;
    const struct catalog_site *site =
        catalog_site_by_number(query->catalog, adding->site);

    *can_out = site != NULL &&
               strcmp(lb_zone_name(query->zone), site->timezone) == 0 &&
               (query->dimension_count == 0 ||
                query->dimensions[0].grain >= (int)LB_ZONE_DAY);
    adding->first_open = *can_out ? day_store_first_open(site) : INT64_MIN;
    return *can_out ? day_store_is_listed(adding->work->db, site, can_out,
                                          adding->work->err)
                    : LB_OK;
}

static enum lb_err read_site(struct adding *adding)
{
    struct query_work *work = adding->work;
    const struct query *query = work->query;
    struct day_store_range days = {.site = adding->site,
                                   .dimension = DAY_TOTAL};
    int64_t from_at_ms;
    int64_t to_at_ms;
    bool can_use = false;
    enum lb_err rc = can_use_days(adding, &can_use);

    query_days_whole(query, adding->first_open, &days, &from_at_ms, &to_at_ms);
    if (rc != LB_OK || !can_use || from_at_ms >= to_at_ms) {
        return rc != LB_OK
                   ? rc
                   : add_buckets(adding, query->from_at_ms, query->to_at_ms);
    }
    rc = add_buckets(adding, query->from_at_ms, from_at_ms);
    adding->from_at_ms = from_at_ms;
    adding->to_at_ms = from_at_ms;
    rc = rc == LB_OK
             ? day_store_read(work->db, &days, add_day, adding, work->err)
             : rc;
    rc = rc == LB_OK ? add_waiting(adding) : rc;
    return rc == LB_OK ? add_buckets(adding, to_at_ms, query->to_at_ms) : rc;
}

enum lb_err query_totals_read(struct query_work *work)
{
    const struct query *query = work->query;
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < query->site_count && rc == LB_OK; i++) {
        struct adding adding = {.work = work, .site = query->sites[i]};

        rc = read_site(&adding);
    }
    return rc;
}
