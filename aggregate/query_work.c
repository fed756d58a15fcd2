/* query_work.c - groups, keys, and counting from the log. */
#include "aggregate/query_work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/aged.h"
#include "aggregate/query_columns.h"
#include "aggregate/visit_range.h"
#include "base/clock.h"
#include "sql/log_store.h"

#define CHECK_ENTRIES 4096 /* between looks at the deadline */

static void free_tallies(struct query_work *work)
{
    tally_free(work->rows);
    tally_free(work->views);
    tally_free(work->total);
    tally_free(work->total_views);
}

static bool make_tallies(struct query_work *work)
{
    work->rows = tally_new_of(QUERY_GROUPS, work->wants);
    work->views = tally_new_of(QUERY_GROUPS, work->wants);
    work->total = tally_new_of(1, work->wants);
    work->total_views = tally_new_of(1, work->wants);
    return work->rows != NULL && work->views != NULL && work->total != NULL &&
           work->total_views != NULL;
}

/* What the metrics need to know of visitors. */
static enum tally_wants wants_of(const struct query *query)
{
    if (query_has_metric(query, QUERY_CTR_UNIQUE) ||
        query_has_metric(query, QUERY_VISITS)) {
        return TALLY_ALL;
    }
    return query_has_metric(query, QUERY_VISITORS) ||
                   query_has_metric(query, QUERY_CLICKERS)
               ? TALLY_VISITORS
               : TALLY_COUNTS;
}

struct query_work *query_work_new(struct query *query,
                                  struct db *db,
                                  struct query_result *result,
                                  struct lb_error *err)
{
    struct query_work *work = calloc(1, sizeof(*work));

    if (work == NULL) {
        return NULL;
    }
    work->query = query;
    work->db = db;
    work->result = result;
    work->err = err;
    work->wants = wants_of(query);
    lb_buf_init(&work->scratch, (size_t)64 * 1024);
    work->cache = db_texts(db);
    if (work->cache == NULL || !make_tallies(work)) {
        query_work_free(work);
        return NULL;
    }
    return work;
}

void query_work_free(struct query_work *work)
{
    if (work == NULL) {
        return;
    }
    free_tallies(work);
    visits_free(work->visits);
    query_exposure_free(work->exposure);
    lb_buf_deinit(&work->scratch);
    free(work);
}

enum lb_err query_work_begin(struct query_work *work)
{
    const struct query *query = work->query;

    if (query_has_metric(query, QUERY_VISITS)) {
        work->visits = visits_new(VISITS_NUMBERED);
        if (work->visits == NULL) {
            return LB_ENOMEM;
        }
    }
    if (query_has_metric(query, QUERY_LINK_CTR)) {
        work->exposure = query_exposure_new(query);
        if (work->exposure == NULL) {
            return LB_ENOMEM;
        }
    }
    return LB_OK;
}

enum lb_err query_work_reset(struct query_work *work)
{
    free_tallies(work);
    if (!make_tallies(work)) {
        return LB_ENOMEM;
    }
    if (work->visits == NULL) {
        return LB_OK;
    }
    visits_free(work->visits);
    work->visits = visits_new(VISITS_NUMBERED);
    return work->visits == NULL ? LB_ENOMEM : LB_OK;
}

bool query_work_needs_log(const struct query_work *work)
{
    return (work->visits != NULL && !work->query->has_day_periods) ||
           (work->exposure != NULL &&
            query_exposure_is_limited(work->exposure));
}

/* --- keys of groups: each value is V and its text or N, ended by a NUL
 * ---------- */

size_t query_work_put_value(char *key, const char *value)
{
    size_t len = value == NULL ? 0 : strnlen(value, QUERY_WORK_VALUE_BYTES);

    key[0] = value == NULL ? 'N' : 'V';
    if (len > 0) {
        memcpy(key + 1, value, len);
    }
    key[len + 1] = '\0';
    return len + 2;
}

size_t query_work_put_time(struct query_work *work,
                           char *key,
                           int64_t at_ms,
                           int grain)
{
    char text[24];

    if (at_ms < work->bucket_from_ms || at_ms >= work->bucket_to_ms) {
        work->bucket_from_ms = lb_zone_bucket_start_ms(
            work->query->zone, (enum lb_zone_grain)grain, at_ms);
        work->bucket_to_ms = lb_zone_bucket_next_ms(
            work->query->zone, (enum lb_zone_grain)grain, at_ms);
    }
    (void)snprintf(text, sizeof(text), "%lld", (long long)work->bucket_from_ms);
    return query_work_put_value(key, text);
}

/* slug: of a view, stands for the link that it has not. */
static size_t put_key(struct query_work *work,
                      const struct entry *entry,
                      const char *site,
                      bool is_view_side,
                      const char *slug)
{
    const struct query *query = work->query;
    char *key = is_view_side ? work->view_key : work->key;
    size_t used = 0;

    for (size_t i = 0; i < query->dimension_count; i++) {
        const struct dimension *dimension = &query->dimensions[i];

        if (is_view_side && dimension->is_of_click) {
            bool is_link = dimension->kind == DIMENSION_TEXT &&
                           dimension->text == ENTRY_TEXT_LINK;

            used += query_work_put_value(key + used, is_link ? slug : NULL);
        } else if (dimension->kind == DIMENSION_TIME) {
            used += query_work_put_time(work, key + used, entry->ts_at_ms,
                                        dimension->grain);
        } else {
            used += query_work_put_value(
                key + used,
                dimension_value(dimension, entry, site, &work->scratch));
        }
    }
    return used;
}

size_t query_work_link_key(struct query_work *work,
                           const struct entry *view,
                           const struct catalog_site *site,
                           const char *slug)
{
    return put_key(work, view, site == NULL ? NULL : site->id, true, slug);
}

size_t
query_work_view_key(void *ctx, const char *key, size_t key_len, char *out)
{
    const struct query *query = ctx;
    const char *end = key + key_len;
    size_t used = 0;

    for (size_t i = 0; i < query->dimension_count && key < end; i++) {
        const char *value = key[0] == 'V' ? key + 1 : NULL;

        used += query_work_put_value(
            out + used, query->dimensions[i].is_of_click ? NULL : value);
        key += strlen(key) + 1;
    }
    return used;
}

/* --- scanning the log
 * ------------------------------------------------------------ */

void query_work_note_period(struct query_work *work, const struct entry *entry)
{
    const struct lb_zone *zone = work->query->zone;

    if (entry->visitor == 0) {
        return;
    }
    if (entry->ts_at_ms < work->day_from_ms ||
        entry->ts_at_ms >= work->day_to_ms) {
        work->day = lb_zone_local_day(zone, entry->ts_at_ms);
        work->day_from_ms = lb_zone_day_start_ms(zone, work->day);
        work->day_to_ms = lb_zone_day_start_ms(zone, work->day + 1);
    }
    if (entry->visitor_day != work->day) {
        work->is_spread[(size_t)entry->site % QUERY_WORK_SITES] = true;
    }
}

/* What stands beside the rows: views under the remaining filters, and at which
 * links were there. */
static enum lb_err add_view(struct query_work *work,
                            const struct entry *entry,
                            const struct catalog_site *site)
{
    const char *id = site == NULL ? NULL : site->id;
    enum lb_err rc = LB_OK;

    if (entry->type != ENTRY_VIEW ||
        (!work->is_split && work->exposure == NULL) ||
        !filter_matches(work->query->filter, entry, id, true, &work->scratch)) {
        return LB_OK;
    }
    if (work->is_split) {
        rc = tally_add(work->views, work->view_key,
                       put_key(work, entry, id, true, NULL), entry);
        rc = rc == LB_OK ? tally_add(work->total_views, "", 0, entry) : rc;
    }
    return rc == LB_OK && work->exposure != NULL &&
                   query_exposure_is_limited(work->exposure)
               ? query_exposure_add(work->exposure, work, entry, site)
               : rc;
}

static enum lb_err count_entry(struct query_work *work,
                               const struct entry *entry)
{
    const struct query *query = work->query;
    const struct catalog_site *found =
        catalog_site_by_number(query->catalog, entry->site);
    const char *site = found == NULL ? NULL : found->id;
    struct tally_visit visit = {.number = 0};
    enum lb_err rc = LB_OK;

    if (work->visits != NULL) {
        rc = visits_enter(work->visits, entry, &visit.number);
        work->has_too_many_visits = rc == LB_ELIMIT;
    }
    if (rc != LB_OK || (query->traffic & 1u << entry->traffic) == 0 ||
        entry->ts_at_ms < work->from_at_ms ||
        entry->ts_at_ms >= work->to_at_ms) {
        return rc;
    }
    query_work_note_period(work, entry);
    rc = add_view(work, entry, found);
    if (rc != LB_OK ||
        !filter_matches(query->filter, entry, site, false, &work->scratch)) {
        return rc;
    }
    rc = tally_add_in_visit(work->total, "", 0, entry, &visit);
    if (rc != LB_OK || query->dimension_count == 0 ||
        (entry->type == ENTRY_VIEW && work->has_click_dimension)) {
        return rc;
    }
    return tally_add_in_visit(work->rows, work->key,
                              put_key(work, entry, site, false, NULL), entry,
                              &visit);
}

enum lb_err query_work_check(const struct query_work *work)
{
    const struct query *query = work->query;

    if (query->is_cancelled != NULL && atomic_load(query->is_cancelled)) {
        return lb_err_set(work->err, LB_ECANCELLED, "the client is gone");
    }
    if (lb_clock_mono_ms() > query->deadline_at_ms) {
        return lb_err_set(work->err, LB_ETIMEOUT,
                          "the query ran longer than limits.query_timeout; ask "
                          "for a shorter range");
    }
    return LB_OK;
}

/* Visits at the range's ends are numbered right only when seen whole. */
static enum lb_err widen(struct query_work *work, struct log_range *range)
{
    struct visit_range wide = {.catalog = work->query->catalog,
                               .sites = range->sites,
                               .site_count = range->site_count,
                               .upto_seq = range->upto_seq,
                               .from_at_ms = range->from_at_ms,
                               .to_at_ms = range->to_at_ms};
    enum lb_err rc = visit_range_widen(&wide, work->db, work->cache, work->err);

    range->from_at_ms = wide.from_at_ms;
    range->to_at_ms = wide.to_at_ms;
    return rc;
}

/* The texts that the question looks at, as bits. */
static uint32_t texts_of(const struct query *query)
{
    uint32_t texts = UINT32_C(1) << (unsigned)ENTRY_TEXT_CURRENCY;

    for (size_t i = 0; i < query->dimension_count; i++) {
        texts |= dimension_texts(&query->dimensions[i]);
    }
    for (size_t i = 0; i < filter_clause_count(query->filter); i++) {
        texts |= dimension_texts(filter_clause_dimension(query->filter, i));
    }
    return texts;
}

/* Counts event by event. */
static enum lb_err read_events(struct query_work *work,
                               const struct log_range *range)
{
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    size_t count = 0;
    enum lb_err rc =
        log_reader_open(work->db, work->cache, range, &reader, work->err);

    while (rc == LB_OK &&
           (rc = log_reader_next(reader, &entry, work->err)) == LB_OK &&
           entry != NULL) {
        rc = count_entry(work, entry);
        if (rc == LB_OK && ++count % CHECK_ENTRIES == 0) {
            rc = query_work_check(work);
        }
    }
    log_reader_close(reader);
    work->result->read.events += (int64_t)count;
    return rc;
}

static enum lb_err count_segment(struct query_work *work,
                                 struct query_columns *columns,
                                 const struct segment_info *info,
                                 const struct segment_wish *wish)
{
    struct log_range range = {.after_seq = info->after_seq,
                              .upto_seq = info->upto_seq,
                              .from_at_ms = wish->from_at_ms,
                              .to_at_ms = wish->to_at_ms,
                              .sites = wish->sites,
                              .site_count = wish->site_count,
                              .has_texts = true,
                              .texts = texts_of(work->query)};
    bool is_counted = false;
    enum lb_err rc = query_columns_count(columns, info, wish, &is_counted);

    if (rc == LB_OK && !is_counted) {
        rc = read_events(work, &range);
    }
    return rc == LB_OK ? query_work_check(work) : rc;
}

/* Counts what is sealed column by column; range becomes the rest. */
static enum lb_err count_sealed(struct query_work *work,
                                struct log_range *range)
{
    struct segment_wish wish = {range->after_seq,
                                range->upto_seq,
                                range->from_at_ms,
                                range->to_at_ms,
                                range->sites,
                                range->site_count,
                                NULL};
    struct horizon *horizon = NULL;
    struct query_columns *columns = query_columns_new(work);
    struct segment_info *infos = NULL;
    size_t count = 0;
    enum lb_err rc = columns == NULL
                         ? LB_ENOMEM
                         : log_sealed_to(work->db, &wish.upto_seq, work->err);

    rc = rc == LB_OK ? horizon_load(work->db, &horizon, work->err) : rc;
    wish.horizon = horizon;
    /* Only what is derived is sealed: all of it lies before the cursor. */
    range->after_seq = wish.upto_seq;
    rc = rc == LB_OK
             ? segment_store_find(work->db, &wish, &infos, &count, work->err)
             : rc;
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        rc = count_segment(work, columns, &infos[i], &wish);
    }
    free(infos);
    horizon_free(horizon);
    query_columns_free(columns);
    return rc;
}

/* Notes that the log is asked for what it has no more. */
static void note_aged(struct query_work *work,
                      const int64_t *sites,
                      size_t site_count,
                      int64_t from_at_ms)
{
    struct query_result *result = work->result;
    int64_t before_ms =
        aged_before_ms(work->query->catalog, sites, site_count, from_at_ms);

    if (result->data_from_ms < before_ms &&
        result->aged_before_ms < before_ms) {
        result->aged_before_ms = before_ms;
    }
}

enum lb_err query_work_scan(struct query_work *work,
                            const int64_t *sites,
                            size_t site_count,
                            int64_t from_at_ms,
                            int64_t to_at_ms)
{
    struct log_range range = {.upto_seq = work->result->seq,
                              .from_at_ms = from_at_ms,
                              .to_at_ms = to_at_ms,
                              .sites = sites,
                              .site_count = site_count,
                              .has_texts = true,
                              .texts = texts_of(work->query)};
    enum lb_err rc = query_work_check(work);

    if (rc != LB_OK) {
        return rc;
    }
    work->from_at_ms = from_at_ms;
    work->to_at_ms = to_at_ms;
    note_aged(work, sites, site_count, from_at_ms);
    if (work->visits != NULL) { /* these go by each visitor's events in order */
        rc = widen(work, &range);
    } else if (work->exposure == NULL ||
               !query_exposure_is_limited(work->exposure)) {
        rc = count_sealed(work, &range);
    }
    return rc == LB_OK ? read_events(work, &range) : rc;
}
