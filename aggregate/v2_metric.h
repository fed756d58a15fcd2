/* v2_metric.h - metrics of the stats dialect.  Pure. */
#ifndef LINKBELL_AGGREGATE_V2_METRIC_H
#define LINKBELL_AGGREGATE_V2_METRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregate/tally.h"
#include "base/buf.h"

enum v2_metric {
    V2_METRIC_VISITORS,
    V2_METRIC_VISITS,
    V2_METRIC_PAGEVIEWS,
    V2_METRIC_EVENTS,
    V2_METRIC_VIEWS_PER_VISIT,
    V2_METRIC_BOUNCE_RATE,
    V2_METRIC_VISIT_DURATION,
    V2_METRIC_PERCENTAGE,
    V2_METRIC_CONVERSION_RATE,
    V2_METRIC_GROUP_CONVERSION_RATE,
    V2_METRIC_SCROLL_DEPTH,
    V2_METRIC_TIME_ON_PAGE,
    V2_METRIC_TOTAL_REVENUE,
    V2_METRIC_AVERAGE_REVENUE,
    V2_METRIC_CLICKS,
    V2_METRIC_LEADS,
    V2_METRIC_CONVERSIONS,
    V2_METRIC_CLICKS_RAW,
    V2_METRIC_ORPHAN_CLICKS,
    V2_METRIC_CLICKERS,
    V2_METRIC_CTR,
    V2_METRIC_VISITOR_CTR,
    V2_METRIC_LINK_CTR,
    V2_METRIC_LEAD_RATE,
    V2_METRIC_VALUE,
    V2_METRIC_COUNT
};

/* By name or alias (views, ctr_unique); false when there is none. */
bool v2_metric_find(const char *name, enum v2_metric *metric_out);

/* What visits an answer needs. */
enum v2_metric_need {
    V2_METRIC_NEEDS_NOTHING,
    V2_METRIC_NEEDS_NUMBERS, /* how many */
    V2_METRIC_NEEDS_VISITS   /* what they came to */
};
enum v2_metric_need v2_metric_need(enum v2_metric metric);

/* What is counted of a row, or of the whole query. */
struct v2_figures {
    struct tally_group own;
    int64_t views; /* beside it: under what a view has of filters and dimensions
                    */
    int64_t viewers;
    int64_t exposures;        /* views at which the link was there */
    int64_t query_visitors;   /* of the whole query */
    int64_t without_goal;     /* visitors of it but for its goal */
    int64_t group_visitors;   /* likewise, of the row's other dimensions */
    struct tally_group goals; /* amounts of goals; counts.events: how many */
    int64_t depth_sum;        /* scroll depths, of so many visitors */
    int64_t depth_visitors;
    int64_t attention_ms; /* on the page, of so many visits that saw it */
    int64_t attention_visits;
    bool has_attention;
};

struct v2_value {
    bool is_null;
    double number;
    char currency[4]; /* of money; "" else */
};

struct v2_value v2_metric_value(enum v2_metric metric,
                                const struct v2_figures *figures);

/* As the dialect writes it. */
void v2_metric_add(struct lb_buf *buf,
                   enum v2_metric metric,
                   const struct v2_value *value);

#endif
