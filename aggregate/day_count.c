/* day_count.c - counts local days from the log. */
#include "aggregate/day_count.h"

#include <stdlib.h>

#include "aggregate/day_pack.h"
#include "base/clock.h"
#include "sql/dict.h"
#include "sql/log_store.h"

#define CHECK_ENTRIES 1024 /* between looks at clock and memory */
#define PARTS_MOST 256
#define HEAVY_EVENTS 1024 /* of each visitor: parts of them are no smaller */
#define OVER_TIMES 4      /* what one dimension may take more than is meant */

struct target {
    int64_t site;
    int64_t local_day;
    int64_t from_at_ms;
    int64_t to_at_ms;
    struct day *day; /* owned; of this pass */
    struct lb_buf bodies[DAY_DIMENSION_COUNT];
};

struct day_count {
    struct target targets[DAY_COUNT_TARGETS];
    size_t target_count;
    size_t max_bytes;
    struct day_values *values; /* owned; of all targets */
    size_t values_checked;     /* how many they were when days were checked */
    bool is_begun;
    int64_t upto_seq;
    /* Of a pass: some targets, in some dimensions, some of their visitors. */
    bool is_in_pass;
    size_t first;  /* those before are counted */
    size_t span;   /* of targets at once */
    unsigned left; /* dimensions not yet counted of these */
    unsigned mask; /* of this pass */
    bool is_again; /* it was too much at once, and is begun anew */
    uint64_t part;
    uint64_t parts;
    int64_t after_seq;
    size_t last; /* the target that was counted last */
    int64_t sites[DAY_COUNT_TARGETS];
};

struct day_count *day_count_new(size_t max_bytes)
{
    struct day_count *count = calloc(1, sizeof(*count));

    if (count == NULL) {
        return NULL;
    }
    count->max_bytes = max_bytes;
    count->values = day_values();
    count->span = DAY_COUNT_TARGETS;
    count->left = DAY_ALL_DIMENSIONS;
    count->parts = 1;
    if (count->values == NULL) {
        free(count);
        return NULL;
    }
    return count;
}

static void free_days(struct day_count *count)
{
    for (size_t i = 0; i < count->target_count; i++) {
        day_free(count->targets[i].day);
        count->targets[i].day = NULL;
    }
}

/* One past the pass's targets. */
static size_t end_of(const struct day_count *count)
{
    size_t end = count->first + count->span;

    return end < count->target_count ? end : count->target_count;
}

void day_count_free(struct day_count *count)
{
    if (count == NULL) {
        return;
    }
    free_days(count);
    for (size_t i = 0; i < count->target_count; i++) {
        for (int j = 0; j < DAY_DIMENSION_COUNT; j++) {
            lb_buf_deinit(&count->targets[i].bodies[j]);
        }
    }
    day_values_free(count->values);
    free(count);
}

bool day_count_add(struct day_count *count,
                   int64_t site,
                   int64_t local_day,
                   const struct lb_zone *zone)
{
    struct target *target = &count->targets[count->target_count];

    if (count->target_count == DAY_COUNT_TARGETS) {
        return false;
    }
    target->site = site;
    target->local_day = local_day;
    target->from_at_ms = lb_zone_day_start_ms(zone, local_day);
    target->to_at_ms = lb_zone_day_start_ms(zone, local_day + 1);
    for (int i = 0; i < DAY_DIMENSION_COUNT; i++) {
        lb_buf_init(&target->bodies[i], DAY_BLOB_BYTES);
    }
    count->target_count++;
    return true;
}

const struct lb_buf *day_count_bodies(const struct day_count *count,
                                      size_t index)
{
    return count->targets[index].bodies;
}

enum lb_err day_count_pack(struct day_count *count)
{
    struct day_pack *pack = day_pack_new();
    enum lb_err rc = pack == NULL ? LB_ENOMEM : LB_OK;

    for (size_t i = 0; i < count->target_count && rc == LB_OK; i++) {
        for (int j = 0; j < DAY_DIMENSION_COUNT && rc == LB_OK; j++) {
            rc = day_pack_body(pack, &count->targets[i].bodies[j]);
        }
    }
    day_pack_free(pack);
    return rc;
}

/* --- one pass over the log ------------------------------------------------ */

static enum lb_err
begin_pass(struct day_count *count, struct db *db, struct lb_error *err)
{
    if (!count->is_begun) {
        enum lb_err rc = db_meta_get(db, "cursor", 0, &count->upto_seq, err);

        if (rc != LB_OK) {
            return rc;
        }
        count->is_begun = true;
    }
    if (!count->is_again) {
        count->mask = count->left;
    }
    count->after_seq = 0;
    count->last = count->first;
    count->is_in_pass = true;
    for (size_t i = count->first; i < end_of(count); i++) {
        struct target *target = &count->targets[i];

        target->day = day_new(count->values, target->local_day, count->mask);
        if (target->day == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        day_set_part(target->day, count->part, count->parts);
    }
    return LB_OK;
}

static bool is_of(const struct target *target, const struct entry *entry)
{
    return target->site == entry->site &&
           entry->ts_at_ms >= target->from_at_ms &&
           entry->ts_at_ms < target->to_at_ms;
}

static struct target *find_target(struct day_count *count,
                                  const struct entry *entry)
{
    if (is_of(&count->targets[count->last], entry)) {
        return &count->targets[count->last];
    }
    for (size_t i = count->first; i < end_of(count); i++) {
        if (is_of(&count->targets[i], entry)) {
            count->last = i;
            return &count->targets[i];
        }
    }
    return NULL;
}

/* Leaves half of the pass's targets to the next one. */
static void shed_targets(struct day_count *count)
{
    size_t end = end_of(count);

    count->span = (end - count->first) / 2;
    for (size_t i = end_of(count); i < end; i++) {
        day_free(count->targets[i].day);
        count->targets[i].day = NULL;
    }
    count->last = count->first;
}

static int dimensions_of(const struct day_count *count)
{
    return __builtin_popcount(count->mask & ~(1u << DAY_TOTAL));
}

/* Leaves half of its dimensions to the next one. */
static void shed_dimensions(struct day_count *count)
{
    int dimensions = dimensions_of(count) / 2;

    for (int i = DAY_DIMENSION_COUNT - 1; i > DAY_TOTAL && dimensions > 0;
         i--) {
        if ((count->mask & 1u << i) == 0) {
            continue;
        }
        count->mask &= ~(1u << i);
        dimensions--;
        day_values_drop(count->values, (size_t)i);
        count->values_checked = 0;
        for (size_t j = count->first; j < end_of(count); j++) {
            day_drop(count->targets[j].day, (enum day_dimension)i);
        }
    }
}

static enum lb_err check_values(struct day_count *count)
{
    size_t values = 0;
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < DAY_DIMENSION_COUNT; i++) {
        values += day_values_count(count->values, i);
    }
    if (values < count->values_checked + DAY_VALUES) {
        return LB_OK;
    }
    count->values_checked = values;
    for (size_t i = count->first; i < end_of(count) && rc == LB_OK; i++) {
        rc = day_check_values(count->targets[i].day);
    }
    return rc;
}

/* Where it takes too much memory: fewer days at a time; then a part of the
 * visitors, which begins anew, or of the dimensions, whichever takes more. */
static void shed(struct day_count *count)
{
    size_t sums = day_values_bytes(count->values);
    size_t events = 0;
    struct day *day;

    for (size_t i = count->first; i < end_of(count); i++) {
        events += day_event_bytes(count->targets[i].day);
        sums += day_sum_bytes(count->targets[i].day);
    }
    if (events + sums <= count->max_bytes) {
        return;
    }
    day = count->targets[count->first].day;
    if (end_of(count) - count->first > 1) {
        shed_targets(count);
    } else if (events > sums && count->part == 0 && count->parts < PARTS_MOST &&
               day_visitor_events(day) < HEAVY_EVENTS) {
        count->parts *= 2;
        count->is_in_pass = false;
        count->is_again = true;
        free_days(count);
    } else if (dimensions_of(count) > 1) {
        shed_dimensions(count);
    } else if (events > OVER_TIMES * count->max_bytes) {
        day_give_up(day); /* a visitor with millions of events */
        count->left = count->mask;
    }
}

/* A dimension with too many values gets no body. */
static enum lb_err encode_body(struct target *target,
                               enum day_dimension dimension)
{
    struct lb_buf *body = &target->bodies[dimension];
    enum lb_err rc = day_encode(target->day, dimension, body);

    if (rc == LB_ELIMIT) {
        lb_buf_deinit(body);
        rc = LB_OK;
    }
    return rc;
}

static enum lb_err encode(struct target *target, unsigned mask)
{
    enum lb_err rc = LB_OK;

    for (int i = 0; i < DAY_DIMENSION_COUNT && rc == LB_OK; i++) {
        rc = (mask & 1u << i) == 0 ? LB_OK
                                   : encode_body(target, (enum day_dimension)i);
    }
    return rc;
}

/* Those of mask, which no day of these asks for any more, where they are many.
 */
static void forget_values(struct day_count *count, unsigned mask)
{
    if (day_values_bytes(count->values) <= count->max_bytes / 4) {
        return;
    }
    for (; mask != 0; mask &= mask - 1) {
        day_values_drop(count->values, (size_t)__builtin_ctz(mask));
    }
    count->values_checked = 0;
}

/* The log is through: the visitors, dimensions or days that come next. */
static enum lb_err end_pass(struct day_count *count, struct lb_error *err)
{
    bool is_last = count->part + 1 == count->parts;
    size_t end = end_of(count);
    enum lb_err rc = LB_OK;

    for (size_t i = count->first; i < end && rc == LB_OK; i++) {
        rc = day_finish(count->targets[i].day);
        rc = rc == LB_OK && is_last ? encode(&count->targets[i], count->mask)
                                    : rc;
    }
    if (rc != LB_OK) {
        return lb_err_set(err, rc, "out of memory");
    }
    if (!is_last) {
        count->part++;
        count->after_seq = 0;
        for (size_t i = count->first; i < end; i++) {
            day_set_part(count->targets[i].day, count->part, count->parts);
        }
        return LB_OK;
    }
    free_days(count);
    forget_values(count, count->mask);
    count->left &= ~count->mask;
    count->is_in_pass = false;
    count->is_again = false;
    count->part = 0;
    count->parts = 1;
    if (count->left == 0) {
        count->first = end;
        count->left = DAY_ALL_DIMENSIONS;
    }
    return LB_OK;
}

static void
add_site(struct day_count *count, struct log_range *range, int64_t site)
{
    for (size_t i = 0; i < range->site_count; i++) {
        if (count->sites[i] == site) {
            return;
        }
    }
    count->sites[range->site_count++] = site;
}

static struct log_range range_of(struct day_count *count)
{
    struct log_range range = {.after_seq = count->after_seq,
                              .upto_seq = count->upto_seq,
                              .from_at_ms = INT64_MAX,
                              .to_at_ms = INT64_MIN,
                              .sites = count->sites,
                              .has_texts = true,
                              .texts = day_texts()};

    for (size_t i = count->first; i < end_of(count); i++) {
        const struct target *target = &count->targets[i];

        add_site(count, &range, target->site);
        range.from_at_ms = target->from_at_ms < range.from_at_ms
                               ? target->from_at_ms
                               : range.from_at_ms;
        range.to_at_ms = target->to_at_ms > range.to_at_ms ? target->to_at_ms
                                                           : range.to_at_ms;
    }
    return range;
}

/* Counts on from after_seq until the end or the deadline; *is_over_out: the
 * pass is through. */
static enum lb_err read_on(struct day_count *count,
                           struct log_reader *reader,
                           int64_t deadline_ms,
                           bool *is_over_out,
                           struct lb_error *err)
{
    const struct entry *entry = NULL;
    size_t seen = 0;
    enum lb_err rc = LB_OK;

    *is_over_out = false;
    while (rc == LB_OK) {
        struct target *target;

        rc = log_reader_next(reader, &entry, err);
        if (rc != LB_OK || entry == NULL) {
            *is_over_out = rc == LB_OK;
            break;
        }
        target = find_target(count, entry);
        if (target != NULL && day_add(target->day, entry) != LB_OK) {
            rc = lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        count->after_seq = entry->seq;
        if (rc != LB_OK || ++seen % CHECK_ENTRIES != 0) {
            continue;
        }
        rc = check_values(count) == LB_OK
                 ? LB_OK
                 : lb_err_set(err, LB_ENOMEM, "out of memory");
        shed(count);
        if (!count->is_in_pass || lb_clock_mono_ms() >= deadline_ms) {
            break;
        }
    }
    return rc;
}

enum lb_err day_count_run(struct day_count *count,
                          struct db *db,
                          int64_t piece_ms,
                          bool *is_over_out,
                          struct lb_error *err)
{
    int64_t deadline_ms = lb_clock_mono_ms() + piece_ms;
    struct dict_cache *cache = dict_cache_new();
    enum lb_err rc =
        cache == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory") : LB_OK;

    while (rc == LB_OK && count->first < count->target_count &&
           lb_clock_mono_ms() < deadline_ms) {
        struct log_reader *reader = NULL;
        struct log_range range;
        bool is_through = false;

        rc = count->is_in_pass ? LB_OK : begin_pass(count, db, err);
        range = range_of(count);
        rc =
            rc == LB_OK ? log_reader_open(db, cache, &range, &reader, err) : rc;
        rc = rc == LB_OK ? read_on(count, reader, deadline_ms, &is_through, err)
                         : rc;
        log_reader_close(reader);
        rc = rc == LB_OK && is_through ? end_pass(count, err) : rc;
    }
    dict_cache_free(cache);
    *is_over_out = rc == LB_OK && count->first == count->target_count;
    return rc;
}
