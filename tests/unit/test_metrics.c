/* test_metrics.c - handles, and the text that Prometheus reads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/metrics.h"

#define THREADS 4
#define ADDITIONS 20000

static char *written(void)
{
    struct lb_buf buf;

    lb_buf_init(&buf, (size_t)1024 * 1024);
    lb_metrics_write(&buf);
    return lb_buf_take(&buf);
}

static void assert_written(const char *expected)
{
    char *text = written();

    assert_non_null(text);
    if (strstr(text, expected) == NULL) {
        print_error("not there:\n%s\nin:\n%s\n", expected, text);
        fail();
    }
    free(text);
}

static void a_counter_is_found_again_and_counts(void **state)
{
    struct lb_metric *one =
        lb_metrics_get(LB_METRIC_COUNTER, "test_count_total", "Counted.", "");
    struct lb_metric *same =
        lb_metrics_get(LB_METRIC_COUNTER, "test_count_total", "Counted.", "");
    (void)state;

    lb_metrics_add(one, 2);
    lb_metrics_add(same, 3);

    assert_ptr_equal(one, same);
    assert_int_equal(lb_metrics_value(one), 5);
    assert_written("# HELP test_count_total Counted.\n"
                   "# TYPE test_count_total counter\n"
                   "test_count_total 5\n");
}

static void a_family_has_one_heading_for_its_children(void **state)
{
    char *text;
    char *heading;
    (void)state;

    lb_metrics_add(lb_metrics_get(LB_METRIC_COUNTER, "test_labelled_total",
                                  "By route.", "route=\"/a\",status=\"200\""),
                   1);
    lb_metrics_add(lb_metrics_get(LB_METRIC_COUNTER, "test_labelled_total",
                                  "By route.", "route=\"/b\",status=\"404\""),
                   7);

    assert_written("test_labelled_total{route=\"/a\",status=\"200\"} 1\n");
    assert_written("test_labelled_total{route=\"/b\",status=\"404\"} 7\n");
    text = written();
    heading = strstr(text, "# TYPE test_labelled_total counter\n");
    assert_non_null(heading);
    assert_null(strstr(heading + 1, "# TYPE test_labelled_total "));
    free(text);
}

static void a_gauge_goes_up_and_down(void **state)
{
    struct lb_metric *gauge =
        lb_metrics_get(LB_METRIC_GAUGE, "test_gauge", "Now.", "");
    (void)state;

    lb_metrics_set(gauge, 10);
    lb_metrics_add(gauge, -13);

    assert_written("# TYPE test_gauge gauge\ntest_gauge -3\n");
}

static void thousandths_are_written_as_a_fraction(void **state)
{
    (void)state;

    lb_metrics_set_milli(
        lb_metrics_get(LB_METRIC_GAUGE, "test_lag_seconds", "Behind.", ""),
        1250);

    assert_written("test_lag_seconds 1.250\n");
}

static void a_histogram_of_seconds_adds_its_buckets_up(void **state)
{
    struct lb_metric *histogram =
        lb_metrics_histogram("test_took_seconds", "Took.", "", true);
    (void)state;

    lb_metrics_observe_ns(histogram, 50000);                /* 0.05 ms */
    lb_metrics_observe_ns(histogram, 1000000);              /* 1 ms, a bound */
    lb_metrics_observe_ns(histogram, 3000000);              /* 3 ms */
    lb_metrics_observe_ns(histogram, INT64_C(60000000000)); /* a minute */

    assert_written("# TYPE test_took_seconds histogram\n"
                   "test_took_seconds_bucket{le=\"0.0001\"} 1\n"
                   "test_took_seconds_bucket{le=\"0.00025\"} 1\n"
                   "test_took_seconds_bucket{le=\"0.0005\"} 1\n"
                   "test_took_seconds_bucket{le=\"0.001\"} 2\n"
                   "test_took_seconds_bucket{le=\"0.0025\"} 2\n"
                   "test_took_seconds_bucket{le=\"0.005\"} 3\n");
    assert_written("test_took_seconds_bucket{le=\"10\"} 3\n"
                   "test_took_seconds_bucket{le=\"+Inf\"} 4\n"
                   "test_took_seconds_sum 60.00405\n"
                   "test_took_seconds_count 4\n");
}

static void a_histogram_of_counts_has_its_labels_before_the_bound(void **state)
{
    struct lb_metric *histogram = lb_metrics_histogram(
        "test_commit_events", "Events.", "kind=\"live\"", false);
    (void)state;

    lb_metrics_observe_count(histogram, 1);
    lb_metrics_observe_count(histogram, 64);
    lb_metrics_observe_count(histogram, 100000);

    assert_written("test_commit_events_bucket{kind=\"live\",le=\"1\"} 1\n"
                   "test_commit_events_bucket{kind=\"live\",le=\"2\"} 1\n"
                   "test_commit_events_bucket{kind=\"live\",le=\"5\"} 1\n");
    assert_written("test_commit_events_bucket{kind=\"live\",le=\"50\"} 1\n"
                   "test_commit_events_bucket{kind=\"live\",le=\"100\"} 2\n");
    assert_written("test_commit_events_bucket{kind=\"live\",le=\"+Inf\"} 3\n"
                   "test_commit_events_sum{kind=\"live\"} 100065\n"
                   "test_commit_events_count{kind=\"live\"} 3\n");
}

static void too_many_children_share_one(void **state)
{
    struct lb_metric *first = NULL;
    struct lb_metric *last = NULL;
    char labels[32];
    (void)state;

    for (int i = 0; i < 2 * LB_METRICS_CHILDREN; i++) {
        (void)snprintf(labels, sizeof(labels), "n=\"%d\"", i);
        last = lb_metrics_get(LB_METRIC_COUNTER, "test_many_total", "Many.",
                              labels);
        first = first == NULL ? last : first;
        lb_metrics_add(last, 1);
    }

    assert_int_equal(lb_metrics_value(first), 1);
    assert_int_equal(lb_metrics_value(last), LB_METRICS_CHILDREN);
    assert_written("test_many_total{other=\"true\"} 256\n");
    assert_ptr_equal(lb_metrics_get(LB_METRIC_COUNTER, "test_many_total",
                                    "Many.", "n=\"0\""),
                     first);
}

static void a_limit_that_is_hit_is_counted_under_its_name(void **state)
{
    (void)state;

    lb_metrics_limit_hit("body_bytes");
    lb_metrics_limit_hit("body_bytes");

    assert_written("linkbell_limit_hits_total{limit=\"body_bytes\"} 2\n");
}

static void *add_many(void *metric)
{
    for (int i = 0; i < ADDITIONS; i++) {
        struct lb_metric *same = lb_metrics_get(
            LB_METRIC_COUNTER, "test_threads_total", "Shared.", "");

        lb_metrics_add(i % 2 == 0 ? metric : same, 1);
    }
    return NULL;
}

static void no_addition_of_any_thread_is_lost(void **state)
{
    struct lb_metric *metric =
        lb_metrics_get(LB_METRIC_COUNTER, "test_threads_total", "Shared.", "");
    pthread_t threads[THREADS];
    (void)state;

    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, metric),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }

    assert_int_equal(lb_metrics_value(metric), THREADS * ADDITIONS);
}

/* name, labels in braces, one space, a number */
static void assert_is_sample(const char *line, size_t len)
{
    size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyz_0123456789");
    const char *rest = line + name;
    char *end = NULL;

    assert_true(name > 0);
    if (*rest == '{') {
        rest = memchr(rest, '}', len);
        assert_non_null(rest);
        rest++;
    }
    assert_int_equal(*rest, ' ');
    (void)strtod(rest + 1, &end);
    assert_ptr_equal(end, line + len);
}

static void every_line_is_a_heading_or_a_sample(void **state)
{
    char *text = written();
    (void)state;
    assert_non_null(text);

    for (const char *line = text; *line != '\0';) {
        const char *end = strchr(line, '\n');

        assert_non_null(end);
        if (*line == '#') {
            assert_true(strncmp(line, "# HELP ", 7) == 0 ||
                        strncmp(line, "# TYPE ", 7) == 0);
        } else {
            assert_is_sample(line, (size_t)(end - line));
        }
        line = end + 1;
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_is_found_again_and_counts),
        cmocka_unit_test(a_family_has_one_heading_for_its_children),
        cmocka_unit_test(a_gauge_goes_up_and_down),
        cmocka_unit_test(thousandths_are_written_as_a_fraction),
        cmocka_unit_test(a_histogram_of_seconds_adds_its_buckets_up),
        cmocka_unit_test(a_histogram_of_counts_has_its_labels_before_the_bound),
        cmocka_unit_test(too_many_children_share_one),
        cmocka_unit_test(a_limit_that_is_hit_is_counted_under_its_name),
        cmocka_unit_test(no_addition_of_any_thread_is_lost),
        cmocka_unit_test(every_line_is_a_heading_or_a_sample),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
