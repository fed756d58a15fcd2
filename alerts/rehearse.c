/* rehearse.c - trying a rule on the past. */
#include "alerts/rehearse.h"

#include <stdlib.h>
#include <string.h>

#include "alerts/alerts_store.h"
#include "alerts/contributors.h"
#include "alerts/ctr.h"
#include "alerts/engine.h"
#include "alerts/faces.h"
#include "alerts/ruleset.h"
#include "alerts/threshold.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "sql/dict.h"
#include "sql/log_store.h"

#define BATCH 512
#define BATCH_BYTES ((size_t)8 * 1024 * 1024)
#define BATCH_GAP 4096     /* entries that are read and not fed */
#define TICK_GAP_MS 90000  /* a service that listens has ticks more often */
#define TICKS_AT_ONCE 1024 /* between two looks at the clock */
#define LOOK_EVERY 256     /* entries, likewise */
#define KEY_BYTES 8192

struct place {
    int64_t at_ms;
    int64_t seq;
};

struct point {
    int64_t at_ms;
    double expected;
    double limit;
    int64_t groups;
};

enum stage { GATHER, FEED, DONE };

struct rehearsal {
    struct rehearse_order order;
    cJSON *body; /* owned */
    struct lb_config config;
    struct catalog *catalog; /* owned reference */
    struct ruleset *set;     /* owned; to match with */
    struct db *scratch;      /* owned */
    struct engine *engine;   /* owned */
    struct cursor_consumer consumer;
    struct engine_rehearsal view;
    enum stage stage;
    struct place *places; /* owned */
    size_t count;
    size_t cap;
    size_t next;       /* place to be fed */
    int64_t after_seq; /* gathered up to here */
    int64_t end_ms;    /* of the log */
    int64_t tick_ms;
    int64_t last_ms;        /* the entry or tick that was fed last */
    int64_t events;         /* in the range */
    struct lb_arena *arena; /* owned; of a batch */
    struct ctr_slots slots; /* owned; what was counted, by window */
    struct faces *faces;    /* owned; visitors of these, by group */
    struct point *points;   /* owned; a ring of REHEARSE_POINTS */
    size_t point_count;
};

static const struct rule *rule_of(const struct rehearsal *rehearsal)
{
    return &rehearsal->set->rules[0].rule;
}

static const struct lb_zone *zone_of(const struct rehearsal *rehearsal)
{
    return rehearsal->order.site != NULL
               ? rehearsal->order.site->zone
               : catalog_site_at(rehearsal->catalog, 0)->zone;
}

static int64_t grain_ms(const struct rehearsal *rehearsal)
{
    int64_t window_ms = rule_of(rehearsal)->window_ms;

    return window_ms <= 0              ? LB_MS_PER_DAY
           : window_ms < LB_MS_PER_MIN ? LB_MS_PER_MIN
           : window_ms >= LB_MS_PER_DAY
               ? window_ms / LB_MS_PER_DAY * LB_MS_PER_DAY
               : window_ms;
}

static bool is_in_range(const struct rehearsal *rehearsal, int64_t at_ms)
{
    return at_ms >= rehearsal->order.from_at_ms &&
           at_ms < rehearsal->order.to_at_ms;
}

/* --- the series
 * ------------------------------------------------------------------------ */

static void
observe(void *ctx, int64_t window_from_ms, double expected, double limit)
{
    struct rehearsal *rehearsal = ctx;
    struct point *point = NULL;

    if (!is_in_range(rehearsal, window_from_ms)) {
        return;
    }
    /* Groups are looked at side by side, so the window stands near the end. */
    for (size_t i = 0; i < rehearsal->point_count && i < REHEARSE_POINTS; i++) {
        point =
            &rehearsal
                 ->points[(rehearsal->point_count - 1 - i) % REHEARSE_POINTS];
        if (point->at_ms <= window_from_ms) {
            break;
        }
    }
    if (point == NULL || point->at_ms != window_from_ms) {
        point = &rehearsal->points[rehearsal->point_count++ % REHEARSE_POINTS];
        *point = (struct point){.at_ms = window_from_ms};
    }
    point->expected += expected;
    point->limit = limit;
    point->groups++;
}

static int compare_points(const void *a, const void *b)
{
    const struct point *x = a;
    const struct point *y = b;

    return x->at_ms < y->at_ms ? -1 : x->at_ms > y->at_ms;
}

static const struct point *find_point(const struct rehearsal *rehearsal,
                                      int64_t at_ms)
{
    const struct point key = {.at_ms = at_ms};
    size_t count = rehearsal->point_count < REHEARSE_POINTS
                       ? rehearsal->point_count
                       : REHEARSE_POINTS;

    return bsearch(&key, rehearsal->points, count, sizeof(key), compare_points);
}

/* What an event adds to a window: of visitors, one whom its group has not had
 * there. */
static int64_t weigh(struct rehearsal *rehearsal,
                     const struct entry *entry,
                     int64_t window_from_ms)
{
    const struct rule *rule = rule_of(rehearsal);
    const char *intent = NULL;
    char visitor[RULE_VISITOR_BYTES];
    struct lb_buf key;
    int64_t weight = rule_is_of_event(rule) ? 1 : rule_weight(rule, entry);

    if (rule_is_of_event(rule) || rule->metric != RULE_VISITORS ||
        !rule_visitor(entry, visitor)) {
        return weight;
    }
    lb_buf_init(&key, KEY_BYTES);
    (void)ruleset_matches(rehearsal->set, 0, entry, &intent);
    (void)rule_group(rule, entry, ruleset_site(rehearsal->set, entry->site)->id,
                     intent, &key);
    lb_buf_printf(&key, " %lld %lld %s", (long long)entry->site,
                  (long long)window_from_ms, visitor);
    weight = faces_is_new(rehearsal->faces, key.data, key.len) ? 1 : 0;
    lb_buf_deinit(&key);
    return weight;
}

static bool count_event(struct rehearsal *rehearsal, const struct entry *entry)
{
    int64_t at_ms = threshold_time(entry);
    int64_t from_ms =
        ctr_window_at(zone_of(rehearsal), grain_ms(rehearsal), at_ms).from_ms;
    struct ctr_counts counts = {0, 0};

    rehearsal->events += is_in_range(rehearsal, entry->received_at_ms);
    if (!is_in_range(rehearsal, at_ms)) {
        return true;
    }
    counts.views = weigh(rehearsal, entry, from_ms);
    return ctr_slots_add(&rehearsal->slots, from_ms, &counts);
}

/* --- gathering what is to be fed
 * ------------------------------------------------------------------------ */

static bool is_of_time(const struct entry *entry)
{
    return entry->kind == ENTRY_START || entry->kind == ENTRY_CLOCK_BACK ||
           entry->kind == ENTRY_TICK || entry->kind == ENTRY_PULL ||
           entry->kind == ENTRY_MUTE;
}

static bool concerns(const struct rehearsal *rehearsal,
                     const struct entry *entry)
{
    const char *intent = NULL;

    if (entry->kind != ENTRY_EVENT) {
        return is_of_time(entry);
    }
    return (rehearsal->order.site == NULL ||
            entry->site == rehearsal->order.site->number) &&
           ruleset_matches(rehearsal->set, 0, entry, &intent);
}

static enum lb_err note_place(struct rehearsal *rehearsal,
                              const struct entry *entry,
                              struct lb_error *err)
{
    int64_t at_ms = entry->kind == ENTRY_EVENT ? contributors_received_ms(entry)
                                               : entry->received_at_ms;

    rehearsal->end_ms = at_ms > rehearsal->end_ms ? at_ms : rehearsal->end_ms;
    if (at_ms >= rehearsal->order.to_at_ms || !concerns(rehearsal, entry)) {
        return LB_OK;
    }
    if (rehearsal->count == REHEARSE_ENTRIES) {
        return lb_err_set(err, LB_ELIMIT,
                          "more than %d events match; name a site",
                          REHEARSE_ENTRIES);
    }
    if (rehearsal->count == rehearsal->cap) {
        size_t cap = rehearsal->cap == 0 ? 1024 : 2 * rehearsal->cap;
        struct place *more = realloc(rehearsal->places, cap * sizeof(*more));

        if (more == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        rehearsal->places = more;
        rehearsal->cap = cap;
    }
    rehearsal->places[rehearsal->count++] = (struct place){at_ms, entry->seq};
    return LB_OK;
}

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;

    if (x->at_ms != y->at_ms) {
        return x->at_ms < y->at_ms ? -1 : 1;
    }
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static enum lb_err open_log(struct db *log,
                            int64_t after_seq,
                            int64_t upto_seq,
                            struct dict_cache **cache_out,
                            struct log_reader **reader_out,
                            struct lb_error *err)
{
    const struct log_range range = {.after_seq = after_seq,
                                    .upto_seq = upto_seq,
                                    .from_at_ms = INT64_MIN,
                                    .to_at_ms = INT64_MAX,
                                    .has_other_kinds = true,
                                    .has_texts = true};

    *cache_out = dict_cache_new();
    return *cache_out == NULL
               ? lb_err_set(err, LB_ENOMEM, "out of memory")
               : log_reader_open(log, *cache_out, &range, reader_out, err);
}

static enum lb_err gather(struct rehearsal *rehearsal,
                          struct db *log,
                          int64_t until_ms,
                          struct lb_error *err)
{
    struct dict_cache *cache = NULL;
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    enum lb_err rc =
        open_log(log, rehearsal->after_seq, INT64_MAX, &cache, &reader, err);

    for (size_t i = 1; rc == LB_OK; i++) {
        rc = log_reader_next(reader, &entry, err);
        if (rc != LB_OK || entry == NULL) {
            break;
        }
        rc = note_place(rehearsal, entry, err);
        rehearsal->after_seq = entry->seq;
        if (i % LOOK_EVERY == 0 && lb_clock_mono_ms() >= until_ms) {
            break;
        }
    }
    log_reader_close(reader);
    dict_cache_free(cache);
    if (rc == LB_OK && entry == NULL) {
        if (rehearsal->count > 0) {
            qsort(rehearsal->places, rehearsal->count,
                  sizeof(*rehearsal->places), compare_places);
        }
        rehearsal->stage = FEED;
    }
    return rc;
}

/* --- feeding
 * ------------------------------------------------------------------------ */

static enum lb_err apply(struct rehearsal *rehearsal,
                         const struct entry *const *entries,
                         size_t count,
                         struct lb_error *err)
{
    enum lb_err rc = rehearsal->consumer.apply(
        rehearsal->consumer.ctx, rehearsal->scratch, entries, count, err);

    bool has_more = rc == LB_OK && rule_counts_crowds(rule_of(rehearsal));

    while (has_more && rc == LB_OK) {
        rc = alert_store_expire_seen(rehearsal->scratch,
                                     engine_now_ms(rehearsal->engine), BATCH,
                                     &has_more, err);
    }
    if (rc == LB_OK) {
        rehearsal->consumer.committed(rehearsal->consumer.ctx);
    }
    return rc;
}

/* Ticks while something waits, as the service makes them.  *has_more_out: the
 * time of `to` is not reached yet. */
static enum lb_err make_ticks(struct rehearsal *rehearsal,
                              int64_t to_ms,
                              bool *has_more_out,
                              struct lb_error *err)
{
    const struct entry *entries[1];
    enum lb_err rc = LB_OK;

    *has_more_out = false;
    if (rehearsal->last_ms == 0 || to_ms - rehearsal->last_ms <= TICK_GAP_MS) {
        return LB_OK;
    }
    for (size_t i = 0; rc == LB_OK && engine_is_waiting(rehearsal->engine);
         i++) {
        struct entry tick = {.kind = ENTRY_TICK};

        tick.seq = 1;
        tick.received_at_ms =
            (rehearsal->last_ms / rehearsal->tick_ms + 1) * rehearsal->tick_ms;
        tick.ts_at_ms = tick.received_at_ms;
        if (tick.received_at_ms >= to_ms) {
            break;
        }
        if (i == TICKS_AT_ONCE) {
            *has_more_out = true;
            break;
        }
        entries[0] = &tick;
        rc = apply(rehearsal, entries, 1, err);
        rehearsal->last_ms = tick.received_at_ms;
    }
    return rc;
}

/* How many places from next on are read as one piece of the log. */
static size_t piece_of(const struct rehearsal *rehearsal)
{
    const struct place *places = rehearsal->places + rehearsal->next;
    size_t most = rehearsal->count - rehearsal->next;
    size_t count = 1;

    while (count < most && count < BATCH &&
           places[count].seq > places[count - 1].seq &&
           places[count].seq - places[count - 1].seq <= BATCH_GAP &&
           places[count].at_ms - places[count - 1].at_ms <= TICK_GAP_MS) {
        count++;
    }
    return count;
}

/* Copies the entries of those places; fewer when the arena is full, or some
 * have been erased meanwhile. */
static enum lb_err copy_piece(struct rehearsal *rehearsal,
                              struct db *log,
                              size_t *count_in_out,
                              const struct entry **copies,
                              size_t *copied_out,
                              struct lb_error *err)
{
    const struct place *places = rehearsal->places + rehearsal->next;
    struct dict_cache *cache = NULL;
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    size_t at = 0;
    enum lb_err rc =
        open_log(log, places[0].seq - 1, places[*count_in_out - 1].seq, &cache,
                 &reader, err);

    *copied_out = 0;
    while (rc == LB_OK && at < *count_in_out) {
        struct entry *copy;

        rc = log_reader_next(reader, &entry, err);
        if (rc != LB_OK || entry == NULL) {
            break;
        }
        while (at < *count_in_out && places[at].seq < entry->seq) {
            at++;
        }
        if (at == *count_in_out || places[at].seq != entry->seq) {
            continue;
        }
        copy = log_copy_entry(rehearsal->arena, entry);
        if (copy == NULL) {
            *count_in_out = at;
            break;
        }
        copy->received_at_ms = places[at].at_ms;
        copy->is_silent = false;
        copies[(*copied_out)++] = copy;
        at++;
    }
    log_reader_close(reader);
    dict_cache_free(cache);
    if (rc == LB_OK && *count_in_out == 0) {
        rc = lb_err_set(err, LB_ELIMIT, "an entry is too large");
    }
    return rc;
}

static enum lb_err
feed_piece(struct rehearsal *rehearsal, struct db *log, struct lb_error *err)
{
    const struct entry *copies[BATCH];
    size_t count = piece_of(rehearsal);
    size_t copied = 0;
    enum lb_err rc;

    lb_arena_clear(rehearsal->arena);
    rc = copy_piece(rehearsal, log, &count, copies, &copied, err);
    for (size_t i = 0; rc == LB_OK && i < copied; i++) {
        if (copies[i]->kind == ENTRY_EVENT &&
            !count_event(rehearsal, copies[i])) {
            rc = lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    rc = rc == LB_OK && copied > 0 ? apply(rehearsal, copies, copied, err) : rc;
    rehearsal->next += count;
    rehearsal->last_ms = rehearsal->places[rehearsal->next - 1].at_ms;
    return rc;
}

static enum lb_err feed(struct rehearsal *rehearsal,
                        struct db *log,
                        int64_t until_ms,
                        struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && rehearsal->stage == FEED &&
           lb_clock_mono_ms() < until_ms) {
        bool is_last = rehearsal->next == rehearsal->count;
        int64_t end_ms = rehearsal->end_ms < rehearsal->order.to_at_ms
                             ? rehearsal->end_ms
                             : rehearsal->order.to_at_ms;
        bool has_more = false;

        rc = make_ticks(rehearsal,
                        is_last ? end_ms
                                : rehearsal->places[rehearsal->next].at_ms,
                        &has_more, err);
        if (rc != LB_OK || has_more) {
            continue;
        }
        if (is_last) {
            rehearsal->stage = DONE;
        } else {
            rc = feed_piece(rehearsal, log, err);
        }
    }
    return rc;
}

enum lb_err rehearse_step(struct rehearsal *rehearsal,
                          struct db *log,
                          int64_t until_ms,
                          bool *is_done_out,
                          struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    rehearsal->view.log = log;
    if (rehearsal->stage == GATHER) {
        rc = gather(rehearsal, log, until_ms, err);
    }
    if (rc == LB_OK && rehearsal->stage == FEED) {
        rc = feed(rehearsal, log, until_ms, err);
    }
    *is_done_out = rehearsal->stage == DONE;
    return rc;
}

/* --- beginning and end
 * ------------------------------------------------------------------------ */

static enum lb_err prepare(struct rehearsal *rehearsal, struct lb_error *err)
{
    enum lb_err rc = ruleset_new(
        rehearsal->catalog, strcmp(rehearsal->config.utm_case, "keep") != 0,
        &rehearsal->set, err);

    if (rc == LB_OK && rehearsal->set->count != 1) {
        rc = lb_err_set(err, LB_EINVAL, "that is no rule of this version");
    }
    rc = rc == LB_OK ? db_open(":memory:", DB_WRITER, &rehearsal->scratch, err)
                     : rc;
    rc = rc == LB_OK
             ? engine_new_rehearsal(rehearsal->scratch, &rehearsal->config,
                                    &rehearsal->view, &rehearsal->engine, err)
             : rc;
    if (rc == LB_OK) {
        rehearsal->consumer = engine_consumer(rehearsal->engine);
        /* Windows of those end at quarters and the like. */
        rehearsal->tick_ms =
            rule_is_of_baseline(rule_of(rehearsal)) &&
                    rule_of(rehearsal)->digest_ms == 0 &&
                    rule_of(rehearsal)->window_ms % (5 * LB_MS_PER_MIN) == 0
                ? 5 * LB_MS_PER_MIN
                : LB_MS_PER_MIN;
        rc = db_begin(rehearsal->scratch, err);
    }
    return rc;
}

enum lb_err rehearse_new(const struct rehearse_order *order,
                         struct rehearsal **rehearsal_out,
                         struct lb_error *err)
{
    struct rehearsal *rehearsal = calloc(1, sizeof(*rehearsal));
    struct catalog_object object = order->rule;
    enum lb_err rc = LB_OK;

    *rehearsal_out = NULL;
    if (rehearsal == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    rehearsal->order = *order;
    rehearsal->config = *order->config;
    rehearsal->body = cJSON_Duplicate(order->rule.body, true);
    cJSON_DeleteItemFromObjectCaseSensitive(rehearsal->body, "enabled");
    object.body = rehearsal->body;
    object.id = lb_json_text(rehearsal->body, "id");
    object.created_at_ms = 0;
    rehearsal->catalog =
        catalog_with_object(order->catalog, CATALOG_RULE, &object);
    rehearsal->points = calloc(REHEARSE_POINTS, sizeof(*rehearsal->points));
    rehearsal->arena = lb_arena_new(BATCH_BYTES);
    rehearsal->faces = faces_new();
    rehearsal->view =
        (struct engine_rehearsal){rehearsal->catalog, NULL, observe, rehearsal};
    if (rehearsal->body == NULL || rehearsal->catalog == NULL ||
        rehearsal->points == NULL || rehearsal->arena == NULL ||
        rehearsal->faces == NULL) {
        rc = lb_err_set(err, LB_ENOMEM, "out of memory");
    } else if (catalog_site_count(rehearsal->catalog) == 0) {
        rc = lb_err_set(err, LB_EINVAL, "there is no site yet");
    }
    rc = rc == LB_OK ? prepare(rehearsal, err) : rc;
    if (rc != LB_OK) {
        rehearse_free(rehearsal);
        return rc;
    }
    *rehearsal_out = rehearsal;
    return LB_OK;
}

void rehearse_free(struct rehearsal *rehearsal)
{
    if (rehearsal != NULL) {
        engine_free(rehearsal->engine);
        db_close(rehearsal->scratch);
        ruleset_free(rehearsal->set);
        catalog_unref(rehearsal->catalog);
        cJSON_Delete(rehearsal->body);
        lb_arena_free(rehearsal->arena);
        ctr_slots_deinit(&rehearsal->slots);
        faces_free(rehearsal->faces);
        free(rehearsal->places);
        free(rehearsal->points);
        free(rehearsal);
    }
}

static void add_point(struct rehearsal *rehearsal,
                      int64_t at_ms,
                      int64_t count,
                      struct lb_buf *out)
{
    const struct rule *rule = rule_of(rehearsal);
    const struct point *point = find_point(rehearsal, at_ms);
    bool has_limit = rule->kind == RULE_THRESHOLD || rule->kind == RULE_BURST;

    lb_json_add_comma(out);
    lb_buf_add_text(out, "{\"time\":");
    lb_json_add_time(out, at_ms);
    lb_buf_add_text(out, ",\"value\":");
    lb_json_add_double(out, rule_number(rule, count), 2);
    lb_buf_add_text(out, ",\"expected\":");
    if (point == NULL) {
        lb_buf_add_text(out, "null");
    } else {
        lb_json_add_double(out, point->expected, 4);
    }
    lb_buf_add_text(out, ",\"limit\":");
    if (point != NULL && point->groups == 1 && point->limit >= 0) {
        lb_json_add_double(out, point->limit, 2);
    } else if (point == NULL && has_limit) {
        lb_json_add_double(out, rule->limit, 2);
    } else {
        lb_buf_add_text(out, "null");
    }
    lb_buf_add_char(out, '}');
}

/* Windows of the range that the log reaches, with zeros where nothing came. */
static void add_series(struct rehearsal *rehearsal, struct lb_buf *out)
{
    const struct lb_zone *zone = zone_of(rehearsal);
    const struct ctr_slots *slots = &rehearsal->slots;
    int64_t grain = grain_ms(rehearsal);
    int64_t end_ms = rehearsal->end_ms + 1 < rehearsal->order.to_at_ms
                         ? rehearsal->end_ms + 1
                         : rehearsal->order.to_at_ms;
    int64_t first_ms = rehearsal->point_count > 0 ? rehearsal->points[0].at_ms
                       : slots->count > 0         ? slots->slots[0].at_ms
                                                  : end_ms;
    int64_t least_ms = end_ms - REHEARSE_POINTS * grain;
    struct ctr_window window;
    size_t at = 0;

    first_ms = first_ms > least_ms ? first_ms : least_ms;
    window = ctr_window_at(zone, grain,
                           first_ms > rehearsal->order.from_at_ms
                               ? first_ms
                               : rehearsal->order.from_at_ms);
    for (size_t i = 0; window.from_ms < end_ms && i < REHEARSE_POINTS; i++) {
        int64_t count = 0;

        while (at < slots->count && slots->slots[at].at_ms < window.to_ms) {
            count += slots->slots[at].at_ms >= window.from_ms
                         ? slots->slots[at].counts.views
                         : 0;
            at++;
        }
        add_point(rehearsal, window.from_ms, count, out);
        window = ctr_window_at(zone, grain, window.to_ms);
    }
}

enum lb_err rehearse_write(struct rehearsal *rehearsal,
                           struct lb_buf *out,
                           struct lb_error *err)
{
    const struct rehearse_order *order = &rehearsal->order;
    const struct alerts_store_question question = {
        .from_at_ms = order->from_at_ms, .to_at_ms = order->to_at_ms};
    size_t points = rehearsal->point_count < REHEARSE_POINTS
                        ? rehearsal->point_count
                        : REHEARSE_POINTS;
    struct lb_buf held;
    int64_t count = 0;
    enum lb_err rc;

    qsort(rehearsal->points, points, sizeof(struct point), compare_points);
    lb_buf_add_text(out, "{\"rule\":");
    lb_json_add_plain_string(out, rule_of(rehearsal)->id);
    lb_buf_add_text(out, ",\"from\":");
    lb_json_add_time(out, order->from_at_ms);
    lb_buf_add_text(out, ",\"to\":");
    lb_json_add_time(out, order->to_at_ms);
    lb_buf_printf(out,
                  ",\"events\":%lld,\"alerts\":", (long long)rehearsal->events);
    lb_buf_init(&held, (size_t)64 * 1024);
    rc = alerts_store_tell_all(rehearsal->scratch, &question, out, &held,
                               &count, err);
    lb_buf_add_text(out, ",\"held_back\":");
    lb_buf_add_text(out, lb_buf_text(&held));
    lb_buf_deinit(&held);
    lb_buf_add_text(out, ",\"per_day\":");
    lb_json_add_double(out,
                       (double)count * (double)LB_MS_PER_DAY /
                           (double)(order->to_at_ms - order->from_at_ms),
                       4);
    lb_buf_add_text(out, ",\"series\":[");
    add_series(rehearsal, out);
    lb_buf_add_text(out, "]}");
    return rc;
}
