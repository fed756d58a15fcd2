/* day_count.c - counts local days from the log. */
#include "aggregate/day_count.h"

#include <stdlib.h>

#include "aggregate/day_pack.h"
#include "base/clock.h"
#include "sql/dict.h"
#include "sql/log_store.h"

#define CHECK_ENTRIES 1024 /* between looks at clock and memory */

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
    int64_t sites[DAY_COUNT_TARGETS];
    size_t site_count;
    size_t last; /* the target that was counted last */
    bool is_begun;
    bool is_in_pass;
    unsigned left; /* dimensions not yet counted */
    unsigned mask; /* of this pass */
    int64_t after_seq;
    int64_t upto_seq;
};

struct day_count *day_count_new(void)
{
    struct day_count *count = calloc(1, sizeof(*count));

    if (count != NULL) {
        count->left = DAY_ALL_DIMENSIONS;
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
    free(count);
}

static void add_site(struct day_count *count, int64_t site)
{
    for (size_t i = 0; i < count->site_count; i++) {
        if (count->sites[i] == site) {
            return;
        }
    }
    count->sites[count->site_count++] = site;
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
    add_site(count, site);
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
    count->mask = count->left;
    count->after_seq = 0;
    count->is_in_pass = true;
    for (size_t i = 0; i < count->target_count; i++) {
        struct target *target = &count->targets[i];

        target->day = day_new(target->local_day, count->mask);
        if (target->day == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
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
    for (size_t i = 0; i < count->target_count; i++) {
        if (is_of(&count->targets[i], entry)) {
            count->last = i;
            return &count->targets[i];
        }
    }
    return NULL;
}

/* Leaves half of the pass's dimensions to the next one. */
static void shed(struct day_count *count)
{
    size_t bytes = 0;
    int dimensions = 0;

    for (size_t i = 0; i < count->target_count; i++) {
        bytes += day_bytes(count->targets[i].day);
    }
    for (int i = DAY_TOTAL + 1; i < DAY_DIMENSION_COUNT; i++) {
        dimensions += (count->mask & 1u << i) != 0 ? 1 : 0;
    }
    if (bytes <= DAY_COUNT_BYTES || dimensions < 2) {
        return;
    }
    dimensions /= 2;
    for (int i = DAY_DIMENSION_COUNT - 1; i > DAY_TOTAL && dimensions > 0;
         i--) {
        if ((count->mask & 1u << i) == 0) {
            continue;
        }
        count->mask &= ~(1u << i);
        dimensions--;
        for (size_t j = 0; j < count->target_count; j++) {
            day_drop(count->targets[j].day, (enum day_dimension)i);
        }
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

static enum lb_err end_pass(struct day_count *count, struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < count->target_count && rc == LB_OK; i++) {
        struct target *target = &count->targets[i];

        day_finish(target->day);
        for (int j = 0; j < DAY_DIMENSION_COUNT && rc == LB_OK; j++) {
            rc = (count->mask & 1u << j) == 0
                     ? LB_OK
                     : encode_body(target, (enum day_dimension)j);
        }
    }
    free_days(count);
    count->left &= ~count->mask;
    count->is_in_pass = false;
    return rc == LB_OK ? rc : lb_err_set(err, rc, "out of memory");
}

static struct log_range range_of(const struct day_count *count)
{
    struct log_range range = {.after_seq = count->after_seq,
                              .upto_seq = count->upto_seq,
                              .from_at_ms = INT64_MAX,
                              .to_at_ms = INT64_MIN,
                              .sites = count->sites,
                              .site_count = count->site_count,
                              .has_texts = true,
                              .texts = day_texts()};

    for (size_t i = 0; i < count->target_count; i++) {
        const struct target *target = &count->targets[i];

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
        if (++seen % CHECK_ENTRIES != 0) {
            continue;
        }
        shed(count);
        if (lb_clock_mono_ms() >= deadline_ms) {
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

    while (rc == LB_OK && count->left != 0 &&
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
    *is_over_out = rc == LB_OK && count->left == 0;
    return rc;
}
