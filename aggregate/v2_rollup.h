/* v2_rollup.h - questions of the stats dialect that counted days can answer:
 * without filters, by days and one dimension at most. */
#ifndef LINKBELL_AGGREGATE_V2_ROLLUP_H
#define LINKBELL_AGGREGATE_V2_ROLLUP_H

#include <stdbool.h>

#include "aggregate/query.h"
#include "aggregate/v2_count.h"
#include "aggregate/v2_request.h"
#include "base/err.h"

/* Whether the request, whose range is resolved, is such a question. */
bool v2_rollup_can(const struct v2_request *request,
                   const struct v2_count_frame *frame);

/* What query_run() says of it. */
struct v2_rollup {
    struct query query;
    struct query_result result;
    bool is_summed;     /* visitors of several days were added up */
    bool has_collision; /* a value reads like what stands for none: the rows
                           can't be told apart */
};

/* v2_rollup_deinit() frees, after an error too.  Errors as query_run(). */
LB_MUST_CHECK enum lb_err v2_rollup_run(struct v2_request *request,
                                        const struct v2_count_frame *frame,
                                        struct v2_rollup *rollup_out,
                                        struct lb_error *err);
void v2_rollup_deinit(struct v2_rollup *rollup);

/* Figures and values of a row, or figures alone of the totals (row NULL). */
void v2_rollup_figures(const struct v2_rollup *rollup,
                       const struct query_row *row,
                       struct v2_figures *figures_out);
const char *v2_rollup_value(const struct v2_request *request,
                            const struct query_row *row,
                            size_t index);

#endif
