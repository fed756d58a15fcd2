/* metrics.h - counters, gauges and histograms of the process, written as
 * Prometheus text (exposition format 0.0.4).  A handle is looked up once and
 * lives as long as the process; adding is one atomic operation, from any
 * thread.  No label may hold a site, an address or a person's data. */
#ifndef LINKBELL_BASE_METRICS_H
#define LINKBELL_BASE_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct lb_metric; /* one family with one set of label values */

enum lb_metric_kind { LB_METRIC_COUNTER, LB_METRIC_GAUGE };

/* The child of family name with the given labels, text like
 * `route="/v1/events"`
 * ("" for none), made at the first call.  Past LB_METRICS_CHILDREN children of
 * one family all further ones share the child `other="true"`.  Never NULL. */
#define LB_METRICS_CHILDREN 256
struct lb_metric *lb_metrics_get(enum lb_metric_kind kind,
                                 const char *name,
                                 const char *help,
                                 const char *labels);
/* The same for a histogram over seconds or over a count; buckets are fixed:
 * 1, 2.5 and 5 times the powers of ten from 0.0001 to 10 for seconds, 1 to
 * 10000 for counts. */
struct lb_metric *lb_metrics_histogram(const char *name,
                                       const char *help,
                                       const char *labels,
                                       bool is_seconds);

void lb_metrics_add(struct lb_metric *metric, int64_t value);
void lb_metrics_set(struct lb_metric *metric, int64_t value);
void lb_metrics_set_milli(struct lb_metric *metric,
                          int64_t milli); /* in thousandths */
void lb_metrics_observe_ns(struct lb_metric *metric, int64_t ns);
void lb_metrics_observe_count(struct lb_metric *metric, int64_t count);
int64_t lb_metrics_value(const struct lb_metric *metric);

/* The common one: a limit was reached. */
void lb_metrics_limit_hit(const char *limit);

void lb_metrics_write(struct lb_buf *buf);

#endif
