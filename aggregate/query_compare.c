/* query_compare.c - a question about an earlier range. */
#include "aggregate/query_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/query_work.h"
#include "aggregate/tally.h"
#include "base/clock.h"

/* Starts of the buckets of a range, in order. */
struct buckets {
    int64_t *starts; /* owned */
    size_t count;
    size_t cap;
};

struct query_compare {
    struct query query;         /* of the range before */
    struct query_result result; /* owned */
    struct buckets now;
    struct buckets before;
    struct tally *keys;        /* owned; the group at index i is the row at i */
    struct query_work *work;   /* owned; of the range before */
    struct query_figures none; /* of a row that is not there */
    char key[QUERY_WORK_KEY_BYTES];
};

static int64_t year_before(int64_t day)
{
    char text[LB_ZONE_DAY_BYTES];
    int year;

    lb_zone_format_day(day, text);
    year = (text[0] - '0') * 1000 + (text[1] - '0') * 100 +
           (text[2] - '0') * 10 + (text[3] - '0') - 1;
    if (year < 0) {
        return day;
    }
    text[0] = (char)('0' + year / 1000);
    text[1] = (char)('0' + year / 100 % 10);
    text[2] = (char)('0' + year / 10 % 10);
    text[3] = (char)('0' + year % 10);
    if (!lb_zone_parse_day(text, &day)) {
        text[9] = '8';
        (void)lb_zone_parse_day(text, &day);
    }
    return day;
}

static int64_t instant_year_before(const struct lb_zone *zone, int64_t at_ms)
{
    int64_t day = lb_zone_local_day(zone, at_ms);
    int64_t past_ms = at_ms + lb_zone_offset_s(zone, at_ms) * LB_MS_PER_S -
                      day * LB_MS_PER_DAY;

    return lb_zone_instant_ms(zone, year_before(day), past_ms);
}

void query_compare_range(const struct query *query,
                         enum query_compare_kind kind,
                         bool is_by_days,
                         int64_t *from_out,
                         int64_t *to_out)
{
    const struct lb_zone *zone = query->zone;
    int64_t first = lb_zone_local_day(zone, query->from_at_ms);
    int64_t last = lb_zone_local_day(zone, query->to_at_ms - 1);

    if (kind == QUERY_COMPARE_YEAR && is_by_days) {
        *from_out = lb_zone_day_start_ms(zone, year_before(first));
        *to_out = lb_zone_day_start_ms(zone, year_before(last) + 1);
    } else if (kind == QUERY_COMPARE_YEAR) {
        *from_out = instant_year_before(zone, query->from_at_ms);
        *to_out = instant_year_before(zone, query->to_at_ms);
    } else if (is_by_days) {
        *from_out = lb_zone_day_start_ms(zone, first - (last - first + 1));
        *to_out = query->from_at_ms;
    } else {
        *from_out = query->from_at_ms - (query->to_at_ms - query->from_at_ms);
        *to_out = query->from_at_ms;
    }
}

/* --- matching rows -------------------------------------------------------- */

static const struct dimension *time_of(const struct query *query)
{
    for (size_t i = 0; i < query->dimension_count; i++) {
        if (query->dimensions[i].kind == DIMENSION_TIME) {
            return &query->dimensions[i];
        }
    }
    return NULL;
}

static enum lb_err add_bucket(struct buckets *buckets, int64_t at_ms)
{
    if (buckets->count >= QUERY_GROUPS) {
        return LB_ELIMIT;
    }
    if (buckets->count == buckets->cap) {
        size_t cap = buckets->cap == 0 ? 64 : buckets->cap * 2;
        int64_t *starts = realloc(buckets->starts, cap * sizeof(*starts));

        if (starts == NULL) {
            return LB_ENOMEM;
        }
        buckets->starts = starts;
        buckets->cap = cap;
    }
    buckets->starts[buckets->count++] = at_ms;
    return LB_OK;
}

static enum lb_err list_buckets(const struct query *query, struct buckets *out)
{
    const struct dimension *time = time_of(query);
    enum lb_zone_grain grain;
    enum lb_err rc = LB_OK;

    if (time == NULL) {
        return LB_OK;
    }
    grain = (enum lb_zone_grain)time->grain;
    for (int64_t at =
             lb_zone_bucket_start_ms(query->zone, grain, query->from_at_ms);
         at < query->to_at_ms && rc == LB_OK;
         at = lb_zone_bucket_next_ms(query->zone, grain, at)) {
        rc = add_bucket(out, at);
    }
    return rc;
}

static size_t position(const struct buckets *buckets, int64_t at_ms)
{
    size_t low = 0;
    size_t high = buckets->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (buckets->starts[middle] < at_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static size_t make_key(struct query_compare *compare,
                       const struct buckets *buckets,
                       const struct query_row *row)
{
    const struct query *query = &compare->query;
    size_t used = 0;

    for (size_t i = 0; i < query->dimension_count; i++) {
        char text[24];

        if (query->dimensions[i].kind == DIMENSION_TIME) {
            (void)snprintf(text, sizeof(text), "%zu",
                           position(buckets, row->time_at_ms));
            used += query_work_put_value(compare->key + used, text);
        } else {
            used += query_work_put_value(compare->key + used, row->values[i]);
        }
    }
    return used;
}

static enum lb_err index_rows(struct query_compare *compare)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < compare->result.row_count && rc == LB_OK; i++) {
        struct tally_group one = {.key = compare->key};

        one.key_len =
            make_key(compare, &compare->before, &compare->result.rows[i]);
        rc = tally_merge(compare->keys, &one);
    }
    return rc;
}

enum lb_err query_compare_run(const struct query *query,
                              enum query_compare_kind kind,
                              bool is_by_days,
                              struct db *db,
                              struct query_compare **compare_out,
                              struct lb_error *err)
{
    struct query_compare *compare = calloc(1, sizeof(*compare));
    enum lb_err rc;

    *compare_out = compare;
    if (compare == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    compare->query = *query;
    compare->keys = tally_new(QUERY_GROUPS + QUERY_FILLED);
    query_compare_range(query, kind, is_by_days, &compare->query.from_at_ms,
                        &compare->query.to_at_ms);
    rc = query_run_open(&compare->query, db, &compare->result, &compare->work,
                        err);
    if (rc != LB_OK) {
        return rc;
    }
    rc = compare->keys == NULL ? LB_ENOMEM : list_buckets(query, &compare->now);
    rc = rc == LB_OK ? list_buckets(&compare->query, &compare->before) : rc;
    rc = rc == LB_OK ? index_rows(compare) : rc;
    return rc == LB_OK
               ? rc
               : lb_err_set(err, rc, "there are too many rows to compare");
}

void query_compare_free(struct query_compare *compare)
{
    if (compare != NULL) {
        query_work_free(compare->work);
        query_result_deinit(&compare->result);
        tally_free(compare->keys);
        free(compare->now.starts);
        free(compare->before.starts);
        free(compare);
    }
}

/* Start of the bucket that stands in the range before where row's stands here,
 * as text; false: there is none. */
static bool time_before(const struct query_compare *compare,
                        const struct query_row *row,
                        char text[24])
{
    size_t at = position(&compare->now, row->time_at_ms);

    if (at >= compare->before.count) {
        return false;
    }
    (void)snprintf(text, 24, "%lld", (long long)compare->before.starts[at]);
    return true;
}

/* The key that the range before would have for a row. */
static bool make_key_before(struct query_compare *compare,
                            const struct query_row *row,
                            size_t *len_out)
{
    const struct query *query = &compare->query;
    char text[24] = "";

    *len_out = 0;
    if (time_of(query) != NULL && !time_before(compare, row, text)) {
        return false;
    }
    for (size_t i = 0; i < query->dimension_count; i++) {
        bool is_time = query->dimensions[i].kind == DIMENSION_TIME;

        *len_out += query_work_put_value(compare->key + *len_out,
                                         is_time ? text : row->values[i]);
    }
    return true;
}

const struct query_figures *query_compare_find(struct query_compare *compare,
                                               const struct query_row *row)
{
    const struct tally_group *found;
    size_t len;

    if (compare->query.dimension_count == 0) {
        return &compare->result.totals;
    }
    found = tally_find(compare->keys, compare->key,
                       make_key(compare, &compare->now, row));
    if (found != NULL) {
        return &compare->result.rows[found - tally_at(compare->keys, 0)]
                    .figures;
    }
    memset(&compare->none, 0, sizeof(compare->none));
    if (make_key_before(compare, row, &len)) {
        query_figures_of(compare->work, compare->key, len, &compare->none);
    }
    return &compare->none;
}

const struct query_figures *
query_compare_totals(const struct query_compare *compare)
{
    return &compare->result.totals;
}

int64_t query_compare_from_ms(const struct query_compare *compare)
{
    return compare->query.from_at_ms;
}

int64_t query_compare_to_ms(const struct query_compare *compare)
{
    return compare->query.to_at_ms;
}

int64_t query_compare_aged_before_ms(const struct query_compare *compare)
{
    return compare->result.aged_before_ms;
}
