/* verify_days.c - the counted days beside the log. */
#include "aggregate/verify_days.h"

#include <stdlib.h>
#include <string.h>

#include "aggregate/day_count.h"
#include "aggregate/day_store.h"

#define PIECE_MS                                                               \
    INT64_C(3600000) /* all in one: the snapshot is held anyway                \
                      */

struct chosen {
    const struct catalog_site *site;
    int64_t day;
};

struct checking {
    struct db *db;
    const struct catalog *catalog;
    const struct verify_days_sink *sink;
    struct day_count *count; /* owned */
    struct chosen chosen[DAY_COUNT_TARGETS];
    size_t chosen_count;
    int64_t *rows;
    struct lb_error *err;
    /* What is compared now. */
    size_t at;
    enum day_dimension dimension;
};

/* Order of rows in a BLOB: without a value first, by bytes, then by class. */
static int compare(const struct day_row *a, const struct day_row *b)
{
    int order;

    if (a->value == NULL || b->value == NULL) {
        order = (a->value != NULL) - (b->value != NULL);
    } else {
        order = strcmp(a->value, b->value);
    }
    return order != 0 ? order : (int)a->traffic - (int)b->traffic;
}

static bool are_same(const struct tally_group *a, const struct tally_group *b)
{
    return memcmp(&a->counts, &b->counts, sizeof(a->counts)) == 0 &&
           a->visitors == b->visitors && a->viewers == b->viewers &&
           a->clickers == b->clickers &&
           a->viewers_clicked == b->viewers_clicked && a->visits == b->visits &&
           a->clicks_without_visitor == b->clicks_without_visitor &&
           a->amount_hundredths == b->amount_hundredths &&
           strncmp(a->currency, b->currency, sizeof(a->currency)) == 0;
}

/* NULL: that side has no such row. */
static enum lb_err note(const struct checking *checking,
                        const struct day_row *rollup,
                        const struct day_row *log)
{
    const struct chosen *chosen = &checking->chosen[checking->at];
    const struct day_row *either = rollup == NULL ? log : rollup;
    struct day_row nothing = {either->value, either->traffic, {0}};
    const struct verify_days_difference difference = {
        chosen->site, lb_zone_day_start_ms(chosen->site->zone, chosen->day),
        day_dimension_name(checking->dimension),
        rollup == NULL ? &nothing : rollup, log == NULL ? &nothing : log};

    return checking->sink->differs(checking->sink->ctx, &difference);
}

static enum lb_err compare_row(const struct checking *checking,
                               const struct day_row *rollup,
                               const struct day_row *log)
{
    return rollup != NULL && log != NULL && are_same(&rollup->sums, &log->sums)
               ? LB_OK
               : note(checking, rollup, log);
}

/* Walks both sides in step. */
static enum lb_err compare_rows(const struct checking *checking,
                                struct day_reader rollup,
                                struct day_reader log)
{
    struct day_row left;
    struct day_row right;
    bool has_left = day_reader_next(&rollup, &left);
    bool has_right = day_reader_next(&log, &right);
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && (has_left || has_right)) {
        int order = !has_left ? 1 : !has_right ? -1 : compare(&left, &right);

        if (!rollup.has_visits && order >= 0) {
            right.sums.visits = 0; /* they were not counted then */
        }
        rc = compare_row(checking, order <= 0 ? &left : NULL,
                         order >= 0 ? &right : NULL);
        has_left = order <= 0 ? day_reader_next(&rollup, &left) : has_left;
        has_right = order >= 0 ? day_reader_next(&log, &right) : has_right;
        ++*checking->rows;
    }
    return rc;
}

static enum lb_err compare_body(void *ctx, const struct day_store_day *day)
{
    struct checking *checking = ctx;
    const struct lb_buf *counted =
        &day_count_bodies(checking->count, checking->at)[checking->dimension];
    struct day_reader rollup;
    struct day_reader log;

    if (day->body == NULL && counted->len == 0) {
        return LB_OK; /* too many values on both sides */
    }
    if (day_reader_init(&rollup, day->body, day->body_bytes) != LB_OK) {
        rollup = (struct day_reader){0}; /* damaged: no rows */
    }
    if (day_reader_init(&log, counted->data, counted->len) != LB_OK) {
        log = (struct day_reader){0};
    }
    return compare_rows(checking, rollup, log);
}

static enum lb_err compare_day(struct checking *checking)
{
    const struct chosen *chosen = &checking->chosen[checking->at];
    struct day_store_range range = {.site = chosen->site->number,
                                    .first_day = chosen->day,
                                    .last_day = chosen->day};
    enum lb_err rc = LB_OK;

    for (int i = 0; i < DAY_DIMENSION_COUNT && rc == LB_OK; i++) {
        checking->dimension = (enum day_dimension)i;
        range.dimension = checking->dimension;
        rc = day_store_read(checking->db, &range, compare_body, checking,
                            checking->err);
    }
    return rc;
}

static enum lb_err compare_chosen(struct checking *checking)
{
    bool is_over = false;
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && !is_over && checking->chosen_count > 0) {
        rc = day_count_run(checking->count, checking->db, PIECE_MS, &is_over,
                           checking->err);
    }
    for (checking->at = 0; checking->at < checking->chosen_count && rc == LB_OK;
         checking->at++) {
        rc = compare_day(checking);
    }
    day_count_free(checking->count);
    checking->count = day_count_new(DAY_COUNT_BYTES);
    checking->chosen_count = 0;
    if (rc == LB_OK && checking->count == NULL) {
        rc = lb_err_set(checking->err, LB_ENOMEM, "out of memory");
    }
    return rc;
}

static enum lb_err choose(void *ctx, int64_t number, int64_t day)
{
    struct checking *checking = ctx;
    const struct catalog_site *site =
        catalog_site_by_number(checking->catalog, number);
    bool is_listed = false;
    enum lb_err rc = LB_OK;

    if (site == NULL || day < day_store_first_open(site)) {
        return LB_OK;
    }
    rc = day_store_is_listed(checking->db, site, &is_listed, checking->err);
    if (rc != LB_OK || !is_listed) {
        return rc; /* under another zone: not answered from */
    }
    if (!day_count_add(checking->count, number, day, site->zone)) {
        rc = compare_chosen(checking);
        if (rc == LB_OK) {
            (void)day_count_add(checking->count, number, day, site->zone);
        }
    }
    checking->chosen[checking->chosen_count++] = (struct chosen){site, day};
    return rc;
}

enum lb_err verify_days_run(struct db *db,
                            const struct catalog *catalog,
                            const struct verify_days_sink *sink,
                            int64_t *rows_out,
                            struct lb_error *err)
{
    struct checking checking = {.db = db,
                                .catalog = catalog,
                                .sink = sink,
                                .count = day_count_new(DAY_COUNT_BYTES),
                                .rows = rows_out,
                                .err = err};
    enum lb_err rc = checking.count == NULL
                         ? lb_err_set(err, LB_ENOMEM, "out of memory")
                         : day_store_list_built(db, choose, &checking, err);

    rc = rc == LB_OK ? compare_chosen(&checking) : rc;
    day_count_free(checking.count);
    return rc;
}
