/* metrics.c - counters, gauges and histograms as Prometheus text. */
#include "base/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_BYTES 160
#define NAME_BYTES 64
#define BUCKET_MAX 20

enum family_kind { FAMILY_COUNTER, FAMILY_GAUGE, FAMILY_SECONDS, FAMILY_COUNT };

struct lb_metric {
    char labels[LABEL_BYTES];
    enum family_kind kind;
    atomic_llong value; /* histograms: the sum, in ns or as a count */
    atomic_bool is_milli;
    atomic_ullong buckets[BUCKET_MAX + 1]; /* the last one: +Inf */
    struct lb_metric *next;
};

struct family {
    char name[NAME_BYTES];
    const char *help;
    enum family_kind kind;
    unsigned child_count;
    struct lb_metric *children; /* newest first */
    struct family *next;
};

static const int64_t seconds_ns[] = {
    100000,     250000,     500000,     1000000,    2500000,   5000000,
    10000000,   25000000,   50000000,   100000000,  250000000, 500000000,
    1000000000, 2500000000, 5000000000, 10000000000};
static const int64_t count_bounds[] = {1,   2,   5,    10,   25,   50,   100,
                                       250, 500, 1000, 2500, 5000, 10000};
#define SECONDS_COUNT (sizeof(seconds_ns) / sizeof(seconds_ns[0]))
#define COUNT_COUNT (sizeof(count_bounds) / sizeof(count_bounds[0]))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct family
    *families; /* by lock; families and children are never freed */

static struct family *
find_family(const char *name, const char *help, enum family_kind kind)
{
    struct family **at = &families;

    while (*at != NULL && strcmp((*at)->name, name) != 0) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        *at = calloc(1, sizeof(**at));
        if (*at != NULL) {
            (void)snprintf((*at)->name, sizeof((*at)->name), "%s", name);
            (*at)->help = help;
            (*at)->kind = kind;
        }
    }
    return *at;
}

static struct lb_metric *find_child(struct family *family, const char *labels)
{
    struct lb_metric *child = family->children;

    while (child != NULL && strcmp(child->labels, labels) != 0) {
        child = child->next;
    }
    return child;
}

static struct lb_metric *add_child(struct family *family, const char *labels)
{
    struct lb_metric *child = calloc(1, sizeof(*child));

    if (child != NULL) {
        (void)snprintf(child->labels, sizeof(child->labels), "%s", labels);
        child->kind = family->kind;
        child->next = family->children;
        family->children = child;
        family->child_count++;
    }
    return child;
}

static struct lb_metric *get(const char *name,
                             const char *help,
                             const char *labels,
                             enum family_kind kind)
{
    static struct lb_metric nowhere; /* where counts go when memory ran out */
    struct lb_metric *child = NULL;
    struct family *family;

    (void)pthread_mutex_lock(&lock);
    family = find_family(name, help, kind);
    if (family != NULL) {
        child = find_child(family, labels);
        if (child == NULL && (family->child_count >= LB_METRICS_CHILDREN ||
                              strlen(labels) >= LABEL_BYTES)) {
            labels = "other=\"true\"";
            child = find_child(family, labels);
        }
        if (child == NULL) {
            child = add_child(family, labels);
        }
    }
    (void)pthread_mutex_unlock(&lock);
    return child == NULL ? &nowhere : child;
}

struct lb_metric *lb_metrics_get(enum lb_metric_kind kind,
                                 const char *name,
                                 const char *help,
                                 const char *labels)
{
    return get(name, help, labels,
               kind == LB_METRIC_COUNTER ? FAMILY_COUNTER : FAMILY_GAUGE);
}

struct lb_metric *lb_metrics_histogram(const char *name,
                                       const char *help,
                                       const char *labels,
                                       bool is_seconds)
{
    return get(name, help, labels, is_seconds ? FAMILY_SECONDS : FAMILY_COUNT);
}

void lb_metrics_add(struct lb_metric *metric, int64_t value)
{
    (void)atomic_fetch_add_explicit(&metric->value, value,
                                    memory_order_relaxed);
}

void lb_metrics_set(struct lb_metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void lb_metrics_set_milli(struct lb_metric *metric, int64_t milli)
{
    atomic_store_explicit(&metric->is_milli, true, memory_order_relaxed);
    atomic_store_explicit(&metric->value, milli, memory_order_relaxed);
}

static void observe(struct lb_metric *metric,
                    int64_t value,
                    const int64_t *bounds,
                    size_t count)
{
    size_t at = 0;

    while (at < count && value > bounds[at]) {
        at++;
    }
    at = at == count ? BUCKET_MAX : at;
    (void)atomic_fetch_add_explicit(&metric->buckets[at], 1,
                                    memory_order_relaxed);
    lb_metrics_add(metric, value);
}

void lb_metrics_observe_ns(struct lb_metric *metric, int64_t ns)
{
    observe(metric, ns, seconds_ns, SECONDS_COUNT);
}

void lb_metrics_observe_count(struct lb_metric *metric, int64_t count)
{
    observe(metric, count, count_bounds, COUNT_COUNT);
}

int64_t lb_metrics_value(const struct lb_metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

void lb_metrics_limit_hit(const char *limit)
{
    char labels[LABEL_BYTES];

    (void)snprintf(labels, sizeof(labels), "limit=\"%s\"", limit);
    lb_metrics_add(
        lb_metrics_get(LB_METRIC_COUNTER, "linkbell_limit_hits_total",
                       "Requests or events that met a limit.", labels),
        1);
}

static void write_histogram(struct lb_buf *buf,
                            const struct family *family,
                            const struct lb_metric *child)
{
    bool is_seconds = family->kind == FAMILY_SECONDS;
    const int64_t *bounds = is_seconds ? seconds_ns : count_bounds;
    size_t count = is_seconds ? SECONDS_COUNT : COUNT_COUNT;
    const char *comma = child->labels[0] == '\0' ? "" : ",";
    const char *open = child->labels[0] == '\0' ? "" : "{";
    const char *close = child->labels[0] == '\0' ? "" : "}";
    double scale = is_seconds ? 1e-9 : 1;
    unsigned long long sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum += atomic_load(&child->buckets[i]);
        lb_buf_printf(buf, "%s_bucket{%s%sle=\"%g\"} %llu\n", family->name,
                      child->labels, comma, (double)bounds[i] * scale, sum);
    }
    sum += atomic_load(&child->buckets[BUCKET_MAX]);
    lb_buf_printf(buf, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", family->name,
                  child->labels, comma, sum);
    lb_buf_printf(buf, "%s_sum%s%s%s %.9g\n", family->name, open, child->labels,
                  close, (double)lb_metrics_value(child) * scale);
    lb_buf_printf(buf, "%s_count%s%s%s %llu\n", family->name, open,
                  child->labels, close, sum);
}

static void write_child(struct lb_buf *buf,
                        const struct family *family,
                        const struct lb_metric *child)
{
    bool has_labels = child->labels[0] != '\0';

    if (family->kind == FAMILY_SECONDS || family->kind == FAMILY_COUNT) {
        write_histogram(buf, family, child);
        return;
    }
    lb_buf_printf(buf, "%s%s%s%s ", family->name, has_labels ? "{" : "",
                  child->labels, has_labels ? "}" : "");
    if (atomic_load(&child->is_milli)) {
        lb_buf_printf(buf, "%.3f\n", (double)lb_metrics_value(child) / 1000);
    } else {
        lb_buf_printf(buf, "%lld\n", (long long)lb_metrics_value(child));
    }
}

void lb_metrics_write(struct lb_buf *buf)
{
    static const char *const types[] = {"counter", "gauge", "histogram",
                                        "histogram"};

    (void)pthread_mutex_lock(&lock);
    for (const struct family *family = families; family != NULL;
         family = family->next) {
        lb_buf_printf(buf, "# HELP %s %s\n# TYPE %s %s\n", family->name,
                      family->help, family->name, types[family->kind]);
        for (const struct lb_metric *child = family->children; child != NULL;
             child = child->next) {
            write_child(buf, family, child);
        }
    }
    (void)pthread_mutex_unlock(&lock);
}
