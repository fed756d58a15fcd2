/* v2_request.h - the body of POST /api/v2/query: checked in the dialect's
 * order, the first fault in its words. */
#ifndef LINKBELL_AGGREGATE_V2_REQUEST_H
#define LINKBELL_AGGREGATE_V2_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "aggregate/query.h"
#include "aggregate/v2_dimension.h"
#include "aggregate/v2_filter.h"
#include "aggregate/v2_metric.h"
#include "base/buf.h"
#include "base/err.h"
#include "sql/catalog.h"

#define V2_REQUEST_METRICS 32
#define V2_REQUEST_DIMENSIONS QUERY_DIMENSIONS
#define V2_REQUEST_LIMIT 10000

struct v2_order {
    bool is_metric;
    bool is_descending;
    size_t index; /* among the query's metrics or dimensions */
};

struct v2_request {
    cJSON *json; /* owned; what the texts below are part of */
    const struct catalog_site *site; /* borrowed */
    enum v2_metric metrics[V2_REQUEST_METRICS];
    const char *metric_names[V2_REQUEST_METRICS]; /* as asked for */
    size_t metric_count;
    int64_t from_at_ms; /* INT64_MIN: from the first event's day */
    int64_t to_at_ms;   /* its millisecond is not in the range */
    struct v2_dimension dimensions[V2_REQUEST_DIMENSIONS];
    size_t dimension_count;
    struct v2_filter *filter; /* owned */
    struct v2_filter_traits traits;
    struct v2_order order[V2_REQUEST_METRICS + V2_REQUEST_DIMENSIONS];
    size_t order_count; /* as executed: the default when none was given */
    bool has_time_labels;
    bool has_total_rows;
    bool has_imports;
    size_t limit;
    size_t offset;
};

/* Parses body into *request_out; v2_request_deinit() frees, after an error too.
 * LB_EINVAL: fault says it. */
LB_MUST_CHECK enum lb_err v2_request_open(const char *body,
                                          size_t len,
                                          struct v2_request *request_out,
                                          struct lb_buf *fault);
/* The site that it names; NULL: none, fault says so. */
const char *v2_request_site(const struct v2_request *request,
                            struct lb_buf *fault);

/* What a request is read under; the site is found already. */
struct v2_request_frame {
    int64_t now_ms;
    bool is_case_kept; /* as v2_filter_parse() takes it */
};

/* Reads the rest.  LB_EINVAL: fault says what is wrong, and hint, when not
 * empty, what would do. */
LB_MUST_CHECK enum lb_err v2_request_read(struct v2_request *request,
                                          const struct v2_request_frame *frame,
                                          struct lb_buf *fault,
                                          struct lb_buf *hint);
void v2_request_deinit(struct v2_request *request);

/* Whether a dimension is of that kind. */
bool v2_request_has_dimension(const struct v2_request *request,
                              enum v2_dimension_kind kind);
bool v2_request_has_metric(const struct v2_request *request,
                           enum v2_metric metric);

#endif
