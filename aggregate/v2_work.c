/* v2_work.c - counting for the stats dialect. */
#include "aggregate/v2_work.h"

#include <stdlib.h>
#include <string.h>

#include "aggregate/visit_range.h"
#include "base/clock.h"
#include "sql/engagement.h"
#include "sql/log_store.h"

#define CHECK_ENTRIES 4096 /* between looks at the deadline */
#define ENGAGEMENT_ARENA_BYTES ((size_t)256 * 1024)
#define SCRATCH_BYTES ((size_t)64 * 1024)

/* Of what a key leaves out dimensions. */
enum key_kind {
    KEY_ROW,
    KEY_VIEW,    /* what a view has not: link, goal, type, name */
    KEY_LINK,    /* the same but for the link */
    KEY_GOALLESS /* the goal */
};

static bool is_left_out(const struct v2_dimension *dimension,
                        enum key_kind kind)
{
    switch (kind) {
    case KEY_ROW:
        break;
    case KEY_VIEW:
        return dimension->is_of_click;
    case KEY_LINK:
        return dimension->is_of_click && dimension->kind != V2_DIMENSION_LINK;
    case KEY_GOALLESS:
        return dimension->kind == V2_DIMENSION_GOAL;
    }
    return false;
}

/* --- making and freeing --------------------------------------------------- */

static bool make_tallies(struct v2_work_tallies *tallies, bool is_needed)
{
    if (!is_needed) {
        return true;
    }
    tallies->rows = tally_new(QUERY_GROUPS);
    tallies->total = tally_new(1);
    return tallies->rows != NULL && tallies->total != NULL;
}

static bool is_of_click(const struct v2_request *request)
{
    for (size_t i = 0; i < request->dimension_count; i++) {
        if (request->dimensions[i].is_of_click) {
            return true;
        }
    }
    return request->traits.has_of_click;
}

static enum v2_metric_need find_need(const struct v2_request *request)
{
    enum v2_metric_need need = V2_METRIC_NEEDS_NOTHING;

    for (size_t i = 0; i < request->metric_count; i++) {
        enum v2_metric_need one = v2_metric_need(request->metrics[i]);

        need = one > need ? one : need;
    }
    return request->traits.has_behaviour ? V2_METRIC_NEEDS_VISITS : need;
}

static bool needs_pages(const struct v2_request *request)
{
    for (size_t i = 0; i < request->dimension_count; i++) {
        if (request->dimensions[i].needs_pages) {
            return true;
        }
    }
    return request->traits.needs_pages;
}

static bool make_visits(struct v2_work *work)
{
    enum v2_metric_need need = find_need(work->request);
    bool is_paged = needs_pages(work->request);

    if (need == V2_METRIC_NEEDS_NOTHING && !is_paged) {
        return true;
    }
    work->has_whole_visits = need == V2_METRIC_NEEDS_VISITS || is_paged;
    work->visits = visits_new(is_paged                 ? VISITS_PAGED
                              : work->has_whole_visits ? VISITS_WHOLE
                                                       : VISITS_NUMBERED);
    return work->visits != NULL;
}

static bool has_metric(const struct v2_request *request,
                       enum v2_metric one,
                       enum v2_metric other)
{
    return v2_request_has_metric(request, one) ||
           v2_request_has_metric(request, other);
}

static bool make_parts(struct v2_work *work)
{
    const struct v2_request *request = work->request;
    bool has_attention =
        has_metric(request, V2_METRIC_SCROLL_DEPTH, V2_METRIC_TIME_ON_PAGE);

    work->cache = dict_cache_new();
    work->arena = lb_arena_new(ENGAGEMENT_ARENA_BYTES);
    work->exposure = v2_request_has_metric(request, V2_METRIC_LINK_CTR)
                         ? v2_exposure_new(request)
                         : NULL;
    work->attention = has_attention ? v2_attention_new() : NULL;
    return work->cache != NULL && work->arena != NULL &&
           (work->exposure != NULL ||
            !v2_request_has_metric(request, V2_METRIC_LINK_CTR)) &&
           (work->attention != NULL || !has_attention) && make_visits(work) &&
           make_tallies(&work->own, true) &&
           make_tallies(&work->views, is_of_click(request)) &&
           make_tallies(&work->goalless,
                        has_metric(request, V2_METRIC_CONVERSION_RATE,
                                   V2_METRIC_GROUP_CONVERSION_RATE)) &&
           make_tallies(&work->goals,
                        has_metric(request, V2_METRIC_TOTAL_REVENUE,
                                   V2_METRIC_AVERAGE_REVENUE));
}

struct v2_work *v2_work_new(struct v2_request *request,
                            const struct v2_count_frame *frame,
                            struct lb_error *err)
{
    struct v2_work *work = calloc(1, sizeof(*work));

    if (work == NULL) {
        return NULL;
    }
    work->request = request;
    work->frame = frame;
    work->err = err;
    work->traffic = request->traits.has_bot ? (1u << ENTRY_TRAFFIC_COUNT) - 1
                                            : 1u << ENTRY_HUMAN;
    work->first_period = INT64_MAX;
    work->last_period = INT64_MIN;
    lb_buf_init(&work->scratch, SCRATCH_BYTES);
    if (!make_parts(work)) {
        v2_work_free(work);
        return NULL;
    }
    return work;
}

static void free_tallies(struct v2_work_tallies *tallies)
{
    tally_free(tallies->rows);
    tally_free(tallies->total);
}

void v2_work_free(struct v2_work *work)
{
    if (work == NULL) {
        return;
    }
    free_tallies(&work->own);
    free_tallies(&work->views);
    free_tallies(&work->goalless);
    free_tallies(&work->goals);
    v2_exposure_free(work->exposure);
    v2_attention_free(work->attention);
    visits_free(work->visits);
    dict_cache_free(work->cache);
    lb_arena_free(work->arena);
    lb_buf_deinit(&work->scratch);
    free(work);
}

/* --- keys ----------------------------------------------------------------- */

static size_t cut_key(const struct v2_request *request,
                      enum key_kind kind,
                      const char *key,
                      size_t len,
                      char *out)
{
    const char *end = key + len;
    size_t used = 0;

    for (size_t i = 0; i < request->dimension_count && key < end; i++) {
        const char *value = key[0] == 'V' ? key + 1 : NULL;

        used += query_work_put_value(
            out + used,
            is_left_out(&request->dimensions[i], kind) ? NULL : value);
        key += strlen(key) + 1;
    }
    return used;
}

size_t v2_work_view_key(void *request, const char *key, size_t len, char *out)
{
    return cut_key(request, KEY_VIEW, key, len, out);
}

size_t v2_work_link_key(const struct v2_request *request,
                        const char *key,
                        size_t len,
                        char *out)
{
    return cut_key(request, KEY_LINK, key, len, out);
}

size_t v2_work_goalless_key(const struct v2_request *request,
                            const char *key,
                            size_t len,
                            char *out)
{
    return cut_key(request, KEY_GOALLESS, key, len, out);
}

static const char *time_label(struct v2_work *work, size_t index, int64_t at_ms)
{
    const struct v2_request *request = work->request;
    const struct v2_dimension *dimension = &request->dimensions[index];
    const struct v2_dimension_span span = {request->site->zone,
                                           request->from_at_ms};
    struct v2_work_label *label = &work->labels[index];

    if (at_ms < label->from_at_ms || at_ms >= label->to_at_ms) {
        enum lb_zone_grain grain = (enum lb_zone_grain)dimension->grain;

        label->from_at_ms = lb_zone_bucket_start_ms(span.zone, grain, at_ms);
        label->to_at_ms = lb_zone_bucket_next_ms(span.zone, grain, at_ms);
        v2_dimension_label(dimension, &span, at_ms, label->text);
    }
    return label->text;
}

/* What an event shows in a key; NULL: it forms no row. */
static const char *
value_of(struct v2_work *work, size_t index, const struct v2_event *event)
{
    const struct v2_dimension *dimension = &work->request->dimensions[index];

    if (dimension->kind == V2_DIMENSION_TIME) {
        return time_label(work, index, event->entry->ts_at_ms);
    }
    if (dimension->kind == V2_DIMENSION_GOAL &&
        event->entry->type == ENTRY_VIEW) {
        return v2_filter_page_goal(work->request->filter, event);
    }
    return v2_dimension_value(dimension, event, &work->scratch);
}

/* What a dimension puts into a key; false: the event forms no row. */
static bool find_part(struct v2_work *work,
                      enum key_kind kind,
                      size_t index,
                      const struct v2_event *event,
                      const char **part_out)
{
    bool is_absent = is_left_out(&work->request->dimensions[index], kind);

    *part_out = is_absent ? NULL : value_of(work, index, event);
    return is_absent || *part_out != NULL;
}

/* slug: under KEY_LINK the link.  0: it forms no row. */
static size_t make_key(struct v2_work *work,
                       enum key_kind kind,
                       const struct v2_event *event,
                       const char *slug,
                       char *key)
{
    const struct v2_request *request = work->request;
    size_t used = 0;

    for (size_t i = 0; i < request->dimension_count; i++) {
        const char *part = slug;

        if ((kind != KEY_LINK ||
             request->dimensions[i].kind != V2_DIMENSION_LINK) &&
            !find_part(work, kind, i, event, &part)) {
            return 0;
        }
        used += query_work_put_value(key + used, part);
    }
    return used;
}

/* --- one event ------------------------------------------------------------ */

static size_t make_link_key(void *ctx, const char *slug, const char **key_out)
{
    struct v2_work *work = ctx;

    *key_out = work->other_key;
    return make_key(work, KEY_LINK, work->viewed, slug, work->other_key);
}

/* The views beside the rows, and at which links were there. */
static enum lb_err add_view(struct v2_work *work,
                            struct v2_filter_question *question)
{
    const struct entry *entry = question->event.entry;
    const struct v2_exposure_keys keys = {make_link_key, work};
    size_t len;
    enum lb_err rc;

    question->side = V2_FILTER_VIEW;
    if (entry->type != ENTRY_VIEW || work->views.total == NULL ||
        !v2_filter_matches(work->request->filter, question)) {
        return LB_OK;
    }
    rc = tally_add(work->views.total, "", 0, entry);
    if (rc == LB_OK && work->exposure != NULL) {
        work->viewed = &question->event;
        rc = v2_exposure_add(work->exposure, question, &keys);
    }
    if (rc != LB_OK) {
        return rc;
    }
    len = make_key(work, KEY_VIEW, &question->event, NULL, work->key);
    return len == 0 ? LB_OK
                    : tally_add(work->views.rows, work->key, len, entry);
}

static enum lb_err add_goalless(struct v2_work *work,
                                struct v2_filter_question *question)
{
    size_t len;
    enum lb_err rc;

    question->side = V2_FILTER_NO_GOAL;
    if (work->goalless.total == NULL ||
        !v2_filter_matches(work->request->filter, question)) {
        return LB_OK;
    }
    rc = tally_add(work->goalless.total, "", 0, question->event.entry);
    len = v2_request_has_metric(work->request, V2_METRIC_GROUP_CONVERSION_RATE)
              ? make_key(work, KEY_GOALLESS, &question->event, NULL, work->key)
              : 0;
    return rc == LB_OK && len > 0 ? tally_add(work->goalless.rows, work->key,
                                              len, question->event.entry)
                                  : rc;
}

static enum lb_err
add_amount(struct v2_work *work, const struct entry *entry, size_t key_len)
{
    struct tally_group one = {.key = "", .counts = {.events = 1}};
    const char *currency = entry->text[ENTRY_TEXT_CURRENCY];
    enum lb_err rc;

    if (work->goals.total == NULL || entry->type == ENTRY_VIEW ||
        !entry->has_amount || currency == NULL) {
        return LB_OK;
    }
    one.amount_hundredths = entry->amount_hundredths;
    memcpy(one.currency, currency, strnlen(currency, 3));
    rc = tally_merge(work->goals.total, &one);
    if (rc != LB_OK || key_len == 0) {
        return rc;
    }
    one.key = work->key;
    one.key_len = key_len;
    return tally_merge(work->goals.rows, &one);
}

static enum lb_err
add_attention(struct v2_work *work, const struct entry *entry, size_t key_len)
{
    const struct tally_group *group =
        key_len == 0 ? NULL : tally_find(work->own.rows, work->key, key_len);

    if (work->attention == NULL || entry->type != ENTRY_VIEW ||
        entry->visitor == 0 || entry->traffic != ENTRY_HUMAN) {
        return LB_OK;
    }
    return v2_attention_view(
        work->attention,
        visits_current(work->visits, entry->site, entry->visitor_day,
                       entry->visitor),
        entry->text[ENTRY_TEXT_PAGE],
        group == NULL ? V2_ATTENTION_TOTAL
                      : (size_t)(group - tally_at(work->own.rows, 0)) + 1);
}

static void note_period(struct v2_work *work, const struct entry *entry)
{
    if (entry->visitor == 0) {
        return;
    }
    if (entry->visitor_day < work->first_period) {
        work->first_period = entry->visitor_day;
    }
    if (entry->visitor_day > work->last_period) {
        work->last_period = entry->visitor_day;
    }
}

static enum lb_err add_own(struct v2_work *work,
                           struct v2_filter_question *question,
                           const struct tally_visit *visit)
{
    const struct entry *entry = question->event.entry;
    size_t len;
    enum lb_err rc;

    question->side = V2_FILTER_ALL;
    if (!v2_filter_matches(work->request->filter, question)) {
        return LB_OK;
    }
    note_period(work, entry);
    rc = tally_add_in_visit(work->own.total, "", 0, entry, visit);
    len = make_key(work, KEY_ROW, &question->event, NULL, work->key);
    if (rc == LB_OK && len > 0) {
        rc = tally_add_in_visit(work->own.rows, work->key, len, entry, visit);
    }
    rc = rc == LB_OK ? add_amount(work, entry, len) : rc;
    return rc == LB_OK ? add_attention(work, entry, len) : rc;
}

static bool is_in_range(const struct v2_work *work, const struct entry *entry)
{
    return (work->traffic & 1u << entry->traffic) != 0 &&
           entry->ts_at_ms >= work->request->from_at_ms &&
           entry->ts_at_ms < work->request->to_at_ms;
}

/* rc, or what to do about too many visits. */
static enum lb_err visits_error(const struct v2_work *work, enum lb_err rc)
{
    return rc == LB_ELIMIT
               ? lb_err_set(work->err, LB_EBUSY,
                            "There are more than %d visits in the range; ask "
                            "for a shorter one, or leave out what is about "
                            "visits.",
                            VISITS_MAX)
               : rc;
}

static enum lb_err count_event(struct v2_work *work, const struct entry *entry)
{
    struct v2_filter_question question = {.event = {.entry = entry},
                                          .scratch = &work->scratch};
    struct tally_visit visit = {.number = 0};
    enum lb_err rc = work->visits == NULL
                         ? LB_OK
                         : visits_enter(work->visits, entry, &visit.number);

    if (rc != LB_OK || !is_in_range(work, entry)) {
        return visits_error(work, rc);
    }
    if (work->has_whole_visits && visit.number != 0) {
        const struct visit *whole = visits_at(work->visits, visit.number);

        question.event.visit = whole;
        question.event.pages = visits_pages_at(work->visits, visit.number);
        visit.is_bounce = visits_is_bounce(whole);
        visit.length_ms = whole->last_ms - whole->first_ms;
    }
    rc = add_view(work, &question);
    rc = rc == LB_OK ? add_goalless(work, &question) : rc;
    return rc == LB_OK ? add_own(work, &question, &visit) : rc;
}

static enum lb_err count_engagement(struct v2_work *work,
                                    const struct entry *entry)
{
    struct engagement seen;
    enum lb_err rc;

    if (work->attention == NULL || entry->kind != ENTRY_ENGAGEMENT) {
        return LB_OK;
    }
    lb_arena_clear(work->arena);
    rc = engagement_read(entry->data, work->arena, &seen, work->err);
    if (rc != LB_OK || seen.site != work->request->site->number) {
        return rc;
    }
    return v2_attention_add(
        work->attention,
        visits_current(work->visits, seen.site, seen.visitor_day, seen.visitor),
        &seen);
}

static enum lb_err count_entry(struct v2_work *work, const struct entry *entry)
{
    return entry->kind == ENTRY_EVENT ? count_event(work, entry)
                                      : count_engagement(work, entry);
}

/* --- reading -------------------------------------------------------------- */

/* First time round: what each visit comes to. */
static enum lb_err note_entry(struct v2_work *work, const struct entry *entry)
{
    uint32_t number = 0;

    return visits_error(work, visits_enter(work->visits, entry, &number));
}

/* Then which behaviours it shows: they may ask for what it came to. */
static enum lb_err mark_entry(struct v2_work *work, const struct entry *entry)
{
    struct v2_filter_question question = {.event = {.entry = entry},
                                          .scratch = &work->scratch};
    uint32_t number = 0;
    enum lb_err rc = visits_enter(work->visits, entry, &number);

    if (rc == LB_OK && number != 0 && is_in_range(work, entry)) {
        struct visit *visit = visits_at(work->visits, number);

        question.event.visit = visit;
        question.event.pages = visits_pages_at(work->visits, number);
        visit->marks |= v2_filter_behaviours(work->request->filter, &question);
    }
    return rc;
}

static enum lb_err check_time(const struct v2_work *work)
{
    if (atomic_load(work->frame->is_cancelled)) {
        return lb_err_set(work->err, LB_ECANCELLED, "the client is gone");
    }
    return lb_clock_mono_ms() > work->frame->deadline_at_ms
               ? lb_err_set(work->err, LB_ETIMEOUT,
                            "the query ran longer than limits.query_timeout; "
                            "ask for a shorter range")
               : LB_OK;
}

static enum lb_err read_log(struct v2_work *work,
                            const struct log_range *range,
                            enum lb_err (*take)(struct v2_work *,
                                                const struct entry *))
{
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    size_t count = 0;
    enum lb_err rc = log_reader_open(work->frame->db, work->cache, range,
                                     &reader, work->err);

    while (rc == LB_OK &&
           (rc = log_reader_next(reader, &entry, work->err)) == LB_OK &&
           entry != NULL) {
        rc = take(work, entry);
        if (rc == LB_OK && ++count % CHECK_ENTRIES == 0) {
            rc = check_time(work);
        }
    }
    log_reader_close(reader);
    return rc;
}

/* Visits at the range's ends are read whole. */
static enum lb_err widen(struct v2_work *work, struct log_range *range)
{
    struct visit_range wide = {.catalog = work->frame->catalog,
                               .sites = range->sites,
                               .site_count = range->site_count,
                               .upto_seq = range->upto_seq,
                               .from_at_ms = range->from_at_ms,
                               .to_at_ms = range->to_at_ms};
    enum lb_err rc =
        visit_range_widen(&wide, work->frame->db, work->cache, work->err);

    range->from_at_ms = wide.from_at_ms;
    range->to_at_ms = wide.to_at_ms;
    return rc;
}

enum lb_err v2_work_scan(struct v2_work *work)
{
    const struct v2_request *request = work->request;
    struct log_range range = {.upto_seq = work->upto_seq,
                              .from_at_ms = request->from_at_ms,
                              .to_at_ms = request->to_at_ms,
                              .sites = &request->site->number,
                              .site_count = 1,
                              .has_texts = true};
    enum lb_err rc = work->visits == NULL ? LB_OK : widen(work, &range);

    if (rc == LB_OK && work->has_whole_visits) {
        rc = read_log(work, &range, note_entry);
        visits_rewind(work->visits);
    }
    if (rc == LB_OK && request->traits.has_behaviour) {
        rc = read_log(work, &range, mark_entry);
        visits_rewind(work->visits);
    }
    range.has_other_kinds = work->attention != NULL;
    return rc == LB_OK ? read_log(work, &range, count_entry) : rc;
}

void v2_work_finish(struct v2_work *work)
{
    struct v2_request *request = work->request;

    if (work->views.total != NULL) {
        tally_finish(work->views.rows, NULL, NULL, NULL);
        tally_finish(work->views.total, NULL, NULL, NULL);
    }
    if (work->goalless.total != NULL) {
        tally_finish(work->goalless.rows, NULL, NULL, NULL);
        tally_finish(work->goalless.total, NULL, NULL, NULL);
    }
    tally_finish(work->own.rows, work->views.rows, v2_work_view_key, request);
    tally_finish(work->own.total, work->views.total, v2_work_view_key, request);
}
