/* v2_count.h - the answer to a question of the stats dialect, counted from the
 * log.  Any thread with a read-only connection; one transaction is one
 * snapshot. */
#ifndef LINKBELL_AGGREGATE_V2_COUNT_H
#define LINKBELL_AGGREGATE_V2_COUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/v2_metric.h"
#include "aggregate/v2_request.h"
#include "base/arena.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/db.h"

struct v2_row {
    const char **values;        /* one a dimension */
    struct v2_value *values_of; /* one a metric */
};

struct v2_result {
    struct lb_arena *arena; /* owned */
    struct v2_row *rows;    /* in the order asked for */
    size_t row_count;
    bool is_summed;           /* visitors of several periods were added up */
    bool has_currencies;      /* amounts of more than one currency */
    bool has_goal_currencies; /* of goals likewise */
    bool has_unknown_clicks;  /* over 10 % of the clicks have no visitor */
    int64_t aged_before_ms;   /* events that were asked for are gone; 0: none */
};

/* What a question is answered with; borrowed. */
struct v2_count_frame {
    struct catalog *catalog;
    struct db *db;
    int64_t deadline_at_ms; /* monotonic */
    bool is_period_a_day;   /* visitors' periods are local days */
    const atomic_bool *is_cancelled;
};

/* Resolves the request's range and counts.  LB_ELIMIT: too many groups;
 * LB_ETIMEOUT; SQLite's. */
LB_MUST_CHECK enum lb_err v2_count_run(struct v2_request *request,
                                       const struct v2_count_frame *frame,
                                       struct v2_result *result_out,
                                       struct lb_error *err);
void v2_count_deinit(struct v2_result *result);

#endif
