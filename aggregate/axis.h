/* axis.h - a dimension's values in a sealed segment, by the code of the column
 * that holds them: what a question needs of 65,535 events is looked up once for
 * each value. */
#ifndef LINKBELL_AGGREGATE_AXIS_H
#define LINKBELL_AGGREGATE_AXIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/dimension.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/zone.h"
#include "sql/catalog.h"
#include "sql/dict.h"
#include "sql/segment_store.h"

#define AXIS_SITE (-1) /* no column: the segment's sites by their place */
#define AXIS_TIME (-2) /* no column: made of ts */
#define AXIS_UNKNOWN UINT16_MAX /* a place that nobody asked for */

/* A value that several codes, or segments, may have in common. */
struct axis_value {
    const char *text;        /* NULL: has none */
    struct axis_value *next; /* of the same hash */
    int64_t segment;         /* in which it was seen last */
    uint16_t place;          /* among the values there */
    uint8_t verdict;         /* for who asks each once; 0: not asked so far */
};

struct axis {
    const struct dimension *dimension; /* borrowed */
    int column;
    /* Of the open segment, good until it is closed; not of AXIS_TIME. */
    size_t code_count;
    size_t count; /* distinct values */
    const char *const *values;
    uint16_t *places; /* of a code's value among them, AXIS_UNKNOWN until it is
                         met; NULL: the code */
    struct axis_value **kept; /* the same values; NULL: none are */
    const char **kept_texts;  /* where their values are written */
    const struct segment_column *read;
    const struct axis_context *context; /* borrowed */
    int64_t segment;                    /* its number */
    bool is_settled;                    /* all are looked up, and count stays */
    /* Of all segments; owned. */
    struct lb_arena *arena;
    struct axis_value **buckets;
    size_t bucket_count;
    size_t value_count;
    struct axis_value **known; /* by number of the dictionary */
    size_t known_cap;
};

/* Where values are looked up; all borrowed. */
struct axis_context {
    struct db *db;
    struct dict_cache *cache;
    const struct catalog *catalog;
    struct lb_buf *scratch;
};

/* False: out of memory; axis_deinit() in any case. */
bool axis_init(struct axis *axis, const struct dimension *dimension);
void axis_deinit(struct axis *axis);

/* Reads the values of the segment; where they are kept, they are looked up when
 * they are met, and axis->count grows. */
LB_MUST_CHECK enum lb_err axis_open(struct axis *axis,
                                    struct segment *segment,
                                    const struct axis_context *context,
                                    struct lb_error *err);
/* Whether its values are a dictionary of the segment alone, as it lies there.
 */
bool axis_has_own_texts(const struct axis *axis);
/* Looks all of them up. */
LB_MUST_CHECK enum lb_err axis_settle(struct axis *axis, struct lb_error *err);

/* Rows of a block of one site. */
struct axis_rows {
    const uint16_t *rows; /* places in the block */
    size_t count;
    size_t site;           /* its place in the segment */
    const uint16_t *codes; /* by place in the block; not of AXIS_SITE */
};
/* Adds stride times the place of each row's value to its combination.
 * LB_ENOMEM. */
LB_MUST_CHECK enum lb_err axis_combine(struct axis *axis,
                                       const struct axis_rows *rows,
                                       uint32_t stride,
                                       uint32_t *combinations);
/* Of AXIS_TIME: numbers the buckets of the rows' times from first_ms on, by
 * place in the block. */
void axis_number_times(const struct axis *axis,
                       const struct lb_zone *zone,
                       int64_t first_ms,
                       const int64_t *ts,
                       const struct axis_rows *rows,
                       uint16_t *times);

#endif
