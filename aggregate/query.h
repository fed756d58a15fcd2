/* query.h - one question to the numbers, and its exact answer.  Any thread with
 * a read-only connection; one transaction is one snapshot. */
#ifndef LINKBELL_AGGREGATE_QUERY_H
#define LINKBELL_AGGREGATE_QUERY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/dimension.h"
#include "aggregate/filter.h"
#include "aggregate/rollup.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/zone.h"
#include "sql/catalog.h"
#include "sql/db.h"

#define QUERY_DIMENSIONS 8
#define QUERY_METRICS 24
#define QUERY_GROUPS 1000000 /* held at once */
#define QUERY_FILLED 200000  /* empty buckets filled in */

enum query_metric {
    QUERY_VIEWS,
    QUERY_CLICKS_RAW,
    QUERY_CLICKS,
    QUERY_CLICKERS,
    QUERY_LEADS,
    QUERY_CONVERSIONS,
    QUERY_VISITORS,
    QUERY_VISITS,
    QUERY_ORPHAN_CLICKS,
    QUERY_CTR,
    QUERY_CTR_UNIQUE,
    QUERY_LINK_CTR,
    QUERY_LEAD_RATE,
    QUERY_VALUE,
    QUERY_METRIC_COUNT
};

const char *query_metric_name(enum query_metric metric);
bool query_metric_find(const char *name, enum query_metric *metric_out);
bool query_metric_is_rate(enum query_metric metric);

struct query {
    struct catalog *catalog; /* borrowed */
    int64_t *sites;          /* catalog numbers; borrowed */
    size_t site_count;
    const struct lb_zone *zone;
    int64_t from_at_ms; /* INT64_MIN: from the first event's day */
    int64_t to_at_ms;
    unsigned traffic;     /* bits of enum entry_traffic */
    bool has_day_periods; /* visitors' periods are days: visits end with them,
                             and counted days may tell how many there were */
    const struct filter *filter;
    struct dimension dimensions[QUERY_DIMENSIONS];
    size_t dimension_count;
    enum query_metric metrics[QUERY_METRICS];
    size_t metric_count;
    bool is_ordered; /* by order_metric or order_dimension, else the default
                        order */
    bool is_descending;
    int order_metric;                /* -1: none */
    int order_dimension;             /* -1: none */
    int64_t deadline_at_ms;          /* monotonic */
    const atomic_bool *is_cancelled; /* NULL: never */
};

/* Whether the query asks for the metric. */
bool query_has_metric(const struct query *query, enum query_metric metric);

struct query_figures {
    struct rollup_counts counts;
    int64_t visitors;
    int64_t viewers;
    int64_t clickers;
    int64_t viewers_clicked;
    int64_t visits;
    int64_t exposures; /* views for link_ctr (query_exposure.h) */
    int64_t amount_hundredths;
    char currency[4];
};

struct query_row {
    const char *values[QUERY_DIMENSIONS]; /* NULL: without a value */
    int64_t time_at_ms;                   /* of a time dimension */
    struct query_figures figures;
};

/* What was read for an answer. */
struct query_read {
    int64_t totals;        /* rows of 15 minutes */
    int64_t days;          /* counted ones */
    int64_t segments;      /* opened */
    int64_t sealed_events; /* in them, of the sites and about the times */
    int64_t events;        /* read one by one: rows, visits, what changed */
};

struct query_result {
    struct lb_arena *arena; /* owned */
    struct query_row *rows; /* sorted */
    size_t row_count;
    struct query_figures totals;
    int64_t from_at_ms;   /* as answered */
    int64_t data_from_ms; /* start of the first bucket held; 0: no data */
    int64_t seq;          /* the snapshot's cursor */
    int64_t clicks_without_visitor;
    /* Events before it were needed and have aged out; 0: none were. */
    int64_t aged_before_ms;
    struct query_read read;
};

/* LB_ELIMIT: more than QUERY_GROUPS groups; LB_ETIMEOUT; LB_ECANCELLED;
 * SQLite's. */
LB_MUST_CHECK enum lb_err query_run(struct query *query,
                                    struct db *db,
                                    struct query_result *result_out,
                                    struct lb_error *err);
void query_result_deinit(struct query_result *result);

/* The same, and keeps what was counted (query_work.h; query_work_free()), for
 * query_figures_of(). */
struct query_work;
LB_MUST_CHECK enum lb_err query_run_open(struct query *query,
                                         struct db *db,
                                         struct query_result *result_out,
                                         struct query_work **work_out,
                                         struct lb_error *err);

/* The figures of a group that has no row: the views that stand beside it, where
 * these are counted apart.  key as query_work_put_value() makes it. */
void query_figures_of(struct query_work *work,
                      const char *key,
                      size_t key_len,
                      struct query_figures *figures_out);

/* Value of a metric; false when it is null.  A rate's parts: hits out of n. */
bool query_figure(const struct query_figures *figures,
                  enum query_metric metric,
                  double *value_out,
                  double *hits_out,
                  double *n_out);

#endif
