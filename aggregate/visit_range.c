/* visit_range.c - how much of the log visits need. */
#include "aggregate/visit_range.h"

#include <stdbool.h>

#include "sql/log_store.h"

#define VISIT_GAP_MS INT64_C(1800000) /* at most, between two of its events */
#define PERIOD_DAYS 31                /* at most */

/* Days at one end of the range, and how far the periods seen there go. */
struct edge {
    int64_t from_at_ms;
    int64_t to_at_ms;
    int64_t begin_ms;
    int64_t end_ms;
};

static void widen(struct edge *edge, int64_t begin_ms, int64_t end_ms)
{
    edge->begin_ms = begin_ms < edge->begin_ms ? begin_ms : edge->begin_ms;
    edge->end_ms = end_ms > edge->end_ms ? end_ms : edge->end_ms;
}

/* A period of more than the day shows in an event of another day than its
 * first; a period's first day alone looks like a day. */
static enum lb_err look_at(const struct visit_range *range,
                           struct db *db,
                           struct dict_cache *cache,
                           struct edge *edge,
                           struct lb_error *err)
{
    const struct log_range part = {.upto_seq = range->upto_seq,
                                   .from_at_ms = edge->from_at_ms,
                                   .to_at_ms = edge->to_at_ms,
                                   .sites = range->sites,
                                   .site_count = range->site_count};
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    enum lb_err rc = log_reader_open(db, cache, &part, &reader, err);

    while (rc == LB_OK &&
           (rc = log_reader_next(reader, &entry, err)) == LB_OK &&
           entry != NULL) {
        const struct catalog_site *site =
            catalog_site_by_number(range->catalog, entry->site);
        int64_t day = entry->visitor_day;

        if (entry->visitor != 0 && site != NULL &&
            day != lb_zone_local_day(site->zone, entry->ts_at_ms)) {
            widen(edge, lb_zone_day_start_ms(site->zone, day),
                  lb_zone_day_start_ms(site->zone, day + PERIOD_DAYS));
        }
    }
    log_reader_close(reader);
    return rc;
}

/* Looked at are the local days that hold at_ms and what a gap reaches beside
 * it, and one more: a period that goes on past its first day shows there. */
static struct edge edge_at(const struct visit_range *range, int64_t at_ms)
{
    struct edge edge = {at_ms, at_ms, at_ms, at_ms};

    for (size_t i = 0; i < range->site_count; i++) {
        const struct catalog_site *site =
            catalog_site_by_number(range->catalog, range->sites[i]);
        const struct lb_zone *zone = site == NULL ? NULL : site->zone;
        int64_t from_ms;
        int64_t to_ms;
        int64_t day;

        if (zone == NULL) {
            continue;
        }
        from_ms = lb_zone_day_start_ms(
            zone, lb_zone_local_day(zone, at_ms - VISIT_GAP_MS));
        to_ms = lb_zone_day_start_ms(
            zone, lb_zone_local_day(zone, at_ms + VISIT_GAP_MS) + 2);
        day = lb_zone_local_day(zone, at_ms);
        edge.from_at_ms = from_ms < edge.from_at_ms ? from_ms : edge.from_at_ms;
        edge.to_at_ms = to_ms > edge.to_at_ms ? to_ms : edge.to_at_ms;
        widen(&edge, lb_zone_day_start_ms(zone, day),
              lb_zone_day_start_ms(zone, day + 1));
    }
    return edge;
}

/* Whether at_ms is a midnight of all sites: no period of a day crosses it. */
static bool is_midnight(const struct visit_range *range, int64_t at_ms)
{
    for (size_t i = 0; i < range->site_count; i++) {
        const struct catalog_site *site =
            catalog_site_by_number(range->catalog, range->sites[i]);

        if (site != NULL &&
            lb_zone_day_start_ms(
                site->zone, lb_zone_local_day(site->zone, at_ms)) != at_ms) {
            return false;
        }
    }
    return true;
}

enum lb_err visit_range_widen(struct visit_range *range,
                              struct db *db,
                              struct dict_cache *cache,
                              struct lb_error *err)
{
    struct edge first = edge_at(range, range->from_at_ms);
    struct edge last = edge_at(range, range->to_at_ms);
    const struct edge first_day = first;
    const struct edge last_day = last;
    enum lb_err rc = look_at(range, db, cache, &first, err);

    rc = rc == LB_OK ? look_at(range, db, cache, &last, err) : rc;
    if (rc != LB_OK) {
        return rc;
    }
    if (first.begin_ms != first_day.begin_ms ||
        first.end_ms != first_day.end_ms ||
        !is_midnight(range, range->from_at_ms)) {
        range->from_at_ms = first.begin_ms;
    }
    if (last.begin_ms != last_day.begin_ms || last.end_ms != last_day.end_ms ||
        !is_midnight(range, range->to_at_ms)) {
        range->to_at_ms = last.end_ms;
    }
    return LB_OK;
}
