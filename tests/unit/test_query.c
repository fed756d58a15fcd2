/* test_query.c - what a query's range, metrics and dimensions mean, and exact
 * counting by group.  Random cases print their seed; LINKBELL_SEED sets it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "aggregate/query.h"
#include "aggregate/query_params.h"
#include "aggregate/tally.h"
#include "base/clock.h"

#define EVENTS 4000
#define GROUPS 6
#define SITES 3
#define DAYS 3
#define VISITORS 20
#define PEOPLE (INT64_C(1) * SITES * DAYS * VISITORS)

static int64_t instant(const char *text)
{
    int64_t at_ms = 0;

    assert_true(lb_zone_parse_instant(text, &at_ms));
    return at_ms;
}

static const struct lb_zone *zone_of(const char *name)
{
    const struct lb_zone *zone = NULL;

    assert_int_equal(lb_zone_find(name, &zone, NULL), LB_OK);
    return zone;
}

/* Now is noon of 24 November 2026 in Paris. */
static const struct {
    const char *from;
    const char *to;
    const char *period;
    const char *want_from; /* NULL: from the first event */
    const char *want_to;
} ranges[] = {
    {NULL, NULL, NULL, NULL, "2026-11-25T00:00:00+01:00"},
    {NULL, NULL, "all", NULL, "2026-11-25T00:00:00+01:00"},
    {NULL, NULL, "today", "2026-11-24T00:00:00+01:00",
     "2026-11-25T00:00:00+01:00"},
    {NULL, NULL, "yesterday", "2026-11-23T00:00:00+01:00",
     "2026-11-24T00:00:00+01:00"},
    {NULL, NULL, "7d", "2026-11-18T00:00:00+01:00",
     "2026-11-25T00:00:00+01:00"},
    {NULL, NULL, "28d", "2026-10-28T00:00:00+01:00",
     "2026-11-25T00:00:00+01:00"},
    {NULL, NULL, "30d", "2026-10-26T00:00:00+01:00",
     "2026-11-25T00:00:00+01:00"},
    {NULL, NULL, "month", "2026-11-01T00:00:00+01:00",
     "2026-12-01T00:00:00+01:00"},
    {NULL, NULL, "last_month", "2026-10-01T00:00:00+02:00",
     "2026-11-01T00:00:00+01:00"},
    {NULL, NULL, "12mo", "2025-12-01T00:00:00+01:00",
     "2026-12-01T00:00:00+01:00"},
    {"2026-10-25", "2026-10-25", NULL, "2026-10-25T00:00:00+02:00",
     "2026-10-26T00:00:00+01:00"},
    {"2026-03-29", "2026-03-29", NULL, "2026-03-29T00:00:00+01:00",
     "2026-03-30T00:00:00+02:00"},
    {"2026-11-01", NULL, NULL, "2026-11-01T00:00:00+01:00",
     "2026-11-25T00:00:00+01:00"},
    {NULL, "2026-11-02", NULL, NULL, "2026-11-03T00:00:00+01:00"},
    {"2026-11-01T10:00:00Z", "2026-11-01T10:00:00.001Z", NULL,
     "2026-11-01T10:00:00Z", "2026-11-01T10:00:00.001Z"},
    {"2026-11-01", "2026-11-01T10:00:00Z", NULL, "2026-11-01T00:00:00+01:00",
     "2026-11-01T10:00:00Z"},
};

static void a_range_is_of_dates_instants_or_a_period(void **state)
{
    const struct lb_zone *paris = zone_of("Europe/Paris");
    int64_t now_ms = instant("2026-11-24T12:00:00+01:00");

    (void)state;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        struct lb_error err = {LB_OK, ""};
        int64_t from = 0;
        int64_t to = 0;
        const struct query_params_dates dates = {ranges[i].from, ranges[i].to,
                                                 ranges[i].period};

        assert_true(
            query_params_range(&dates, paris, now_ms, &from, &to, &err));
        assert_int_equal(from, ranges[i].want_from == NULL
                                   ? INT64_MIN
                                   : instant(ranges[i].want_from));
        assert_int_equal(to, instant(ranges[i].want_to));
    }
}

static void a_range_that_is_none_is_refused(void **state)
{
    static const struct {
        const char *from;
        const char *to;
        const char *period;
        const char *text; /* of the message */
    } cases[] = {
        {"x", NULL, NULL, "from"},
        {NULL, "2026-02-30", NULL, "to"},
        {"2026-11-02", "2026-11-01", NULL, "before"},
        {"2026-11-01T10:00:00Z", "2026-11-01T10:00:00Z", NULL, "before"},
        {"2026-11-01T10:00:00", NULL, NULL, "RFC 3339"},
        {NULL, NULL, "8d", "7d"},
        {NULL, NULL, "", "today"},
        {"2026-11-01", NULL, "7d", "period"},
    };
    const struct lb_zone *paris = zone_of("Europe/Paris");
    int64_t now_ms = instant("2026-11-24T12:00:00+01:00");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_error err = {LB_OK, ""};
        int64_t from = 0;
        int64_t to = 0;
        const struct query_params_dates dates = {cases[i].from, cases[i].to,
                                                 cases[i].period};

        assert_false(
            query_params_range(&dates, paris, now_ms, &from, &to, &err));
        assert_non_null(strstr(err.text, cases[i].text));
    }
}

static void every_month_has_its_period(void **state)
{
    const struct query_params_dates this_month = {.period = "month"};
    const struct query_params_dates this_year = {.period = "12mo"};
    const struct lb_zone *utc = zone_of("UTC");
    int64_t day = lb_clock_days_from_civil(2023, 1, 1);
    int64_t end = lb_clock_days_from_civil(2029, 1, 1);

    (void)state;
    for (; day < end; day++) {
        int64_t year = 0;
        unsigned month = 0;
        unsigned date = 0;
        int64_t from = 0;
        int64_t to = 0;
        struct lb_error err;

        lb_clock_civil_from_days(day, &year, &month, &date);
        assert_true(query_params_range(&this_month, utc, day * LB_MS_PER_DAY,
                                       &from, &to, &err));
        assert_int_equal(from / LB_MS_PER_DAY, day - date + 1);
        assert_int_equal(to / LB_MS_PER_DAY,
                         month == 12
                             ? lb_clock_days_from_civil(year + 1, 1, 1)
                             : lb_clock_days_from_civil(year, month + 1, 1));
        assert_true(query_params_range(&this_year, utc, day * LB_MS_PER_DAY,
                                       &from, &to, &err));
        assert_int_equal(
            from / LB_MS_PER_DAY,
            month == 12 ? lb_clock_days_from_civil(year, 1, 1)
                        : lb_clock_days_from_civil(year - 1, month + 1, 1));
    }
}

static void metrics_have_their_names(void **state)
{
    enum query_metric metric = QUERY_VIEWS;

    (void)state;
    for (int i = 0; i < QUERY_METRIC_COUNT; i++) {
        const char *name = query_metric_name((enum query_metric)i);

        assert_true(query_metric_find(name, &metric));
        assert_int_equal((int)metric, i);
    }
    assert_false(query_metric_find("view", &metric));
    assert_false(query_metric_find("", &metric));
    assert_false(query_metric_find("Views", &metric));
    assert_true(query_metric_is_rate(QUERY_CTR));
    assert_true(query_metric_is_rate(QUERY_CTR_UNIQUE));
    assert_true(query_metric_is_rate(QUERY_LEAD_RATE));
    assert_false(query_metric_is_rate(QUERY_VALUE));
}

static void a_rate_without_a_denominator_has_no_value(void **state)
{
    struct query_figures figures = {.counts = {.clicks = 3, .leads = 1}};
    double value = -1;
    double hits = -1;
    double n = -1;

    (void)state;
    assert_false(query_figure(&figures, QUERY_CTR, &value, &hits, &n));
    assert_false(query_figure(&figures, QUERY_LEAD_RATE, &value, &hits, &n));
    assert_false(query_figure(&figures, QUERY_CTR_UNIQUE, &value, &hits, &n));

    figures.counts.views = 2;
    figures.viewers = 4;
    figures.viewers_clicked = 1;
    assert_true(query_figure(&figures, QUERY_CTR, &value, &hits, &n));
    assert_true(value > 1.49 && value < 1.51 && hits > 2.9 && n < 2.1);
    assert_true(query_figure(&figures, QUERY_CTR_UNIQUE, &value, &hits, &n));
    assert_true(value > 0.249 && value < 0.251);
}

static void value_has_one_currency_or_none(void **state)
{
    struct query_figures figures = {.amount_hundredths = 1999};
    double value = 0;
    double hits = 0;
    double n = 0;

    (void)state;
    assert_false(query_figure(&figures, QUERY_VALUE, &value, &hits, &n));
    memcpy(figures.currency, "EUR", 4);
    assert_true(query_figure(&figures, QUERY_VALUE, &value, &hits, &n));
    assert_true(value > 19.98 && value < 20.0);
    memcpy(figures.currency, "*", 2);
    assert_false(query_figure(&figures, QUERY_VALUE, &value, &hits, &n));
}

static void dimensions_are_found_by_name(void **state)
{
    struct dimension dimension;

    (void)state;
    for (const char *const *name = dimension_names(); *name != NULL; name++) {
        bool is_time = strncmp(*name, "time:", 5) == 0;

        assert_true(dimension_find(*name, true, &dimension));
        assert_string_equal(dimension.name, *name);
        assert_int_equal(dimension_find(*name, false, &dimension), !is_time);
    }
    assert_false(dimension_find("prop:", true, &dimension));
    assert_false(dimension_find("time:year", true, &dimension));
    assert_false(dimension_find("time", true, &dimension));
    assert_false(dimension_find("", true, &dimension));
    assert_false(dimension_find("Source", true, &dimension));
}

/* --- counting by group
 * ------------------------------------------------------------ */

static struct entry *make_entries(void)
{
    struct entry *entries = calloc(EVENTS, sizeof(*entries));
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    const char *given = getenv("LINKBELL_SEED");
    unsigned seed = given == NULL ? (unsigned)time(NULL)
                                  : (unsigned)strtoul(given, NULL, 10);

    assert_non_null(entries);
    print_message("LINKBELL_SEED=%u\n", seed);
    for (size_t i = 0; i < EVENTS; i++) {
        struct entry *entry = &entries[i];

        entry->type = (enum entry_type)(rand_r(&seed) % ENTRY_TYPE_COUNT);
        entry->site = 1 + rand_r(&seed) % SITES;
        entry->ts_at_ms = rand_r(&seed) % 100000;
        entry->visitor_day = rand_r(&seed) % DAYS;
        entry->visitor = rand_r(&seed) % (VISITORS + 1);
        entry->is_double_tap =
            entry->type == ENTRY_CLICK && rand_r(&seed) % 5 == 0;
        entry->dict[0] = rand_r(&seed) % GROUPS;
    }
    return entries;
}

static void
make_key(const struct entry *entry, bool is_all, char key[16], size_t *len_out)
{
    (void)snprintf(key, 16, "g%d", is_all ? 0 : (int)entry->dict[0]);
    *len_out = strlen(key) + 1;
}

/* What one person did in a group, by looking at every event. */
static void count_person(const struct entry *entries,
                         const struct entry *who,
                         bool is_all,
                         struct tally_group *out)
{
    int64_t first_view_ms = INT64_MAX;
    int64_t last_click_ms = INT64_MIN;
    bool is_there = false;

    for (size_t i = 0; i < EVENTS; i++) {
        const struct entry *entry = &entries[i];

        if (entry->site != who->site || entry->visitor != who->visitor ||
            entry->visitor_day != who->visitor_day ||
            (!is_all && entry->dict[0] != who->dict[0])) {
            continue;
        }
        is_there = true;
        if (entry->type == ENTRY_VIEW && entry->ts_at_ms < first_view_ms) {
            first_view_ms = entry->ts_at_ms;
        }
        if (entry->type == ENTRY_CLICK && entry->ts_at_ms > last_click_ms) {
            last_click_ms = entry->ts_at_ms;
        }
    }
    out->visitors += is_there ? 1 : 0;
    out->viewers += first_view_ms != INT64_MAX ? 1 : 0;
    out->clickers += last_click_ms != INT64_MIN ? 1 : 0;
    out->viewers_clicked += last_click_ms >= first_view_ms ? 1 : 0;
}

static void count_plainly(const struct entry *entries,
                          int64_t group,
                          bool is_all,
                          struct tally_group *out)
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < EVENTS; i++) {
        if (is_all || entries[i].dict[0] == group) {
            rollup_add(&out->counts, &entries[i]);
        }
    }
    for (int64_t at = 0; at < PEOPLE; at++) {
        struct entry who = {.site = 1 + at % SITES,
                            .visitor_day = at / SITES % DAYS,
                            .visitor = 1 + at / SITES / DAYS};

        who.dict[0] = group;
        count_person(entries, &who, is_all, out);
    }
}

static void check_group(const struct tally *tally,
                        const struct entry *entries,
                        int64_t group,
                        bool is_all)
{
    struct entry named = {.seq = 0};
    struct tally_group want;
    const struct tally_group *got;
    char key[16];
    size_t len = 0;

    named.dict[0] = group;
    make_key(&named, is_all, key, &len);
    count_plainly(entries, group, is_all, &want);
    got = tally_find(tally, key, len);
    assert_non_null(got);
    assert_memory_equal(&got->counts, &want.counts, sizeof(want.counts));
    assert_int_equal(got->visitors, want.visitors);
    assert_int_equal(got->viewers, want.viewers);
    assert_int_equal(got->clickers, want.clickers);
    assert_int_equal(got->viewers_clicked, want.viewers_clicked);
}

static void groups_agree_with_counting_plainly(void **state)
{
    struct entry *entries = make_entries();

    (void)state;
    for (int is_all = 0; is_all < 2; is_all++) {
        struct tally *tally = tally_new(GROUPS);

        assert_non_null(tally);
        for (size_t i = 0; i < EVENTS; i++) {
            char key[16];
            size_t len = 0;

            make_key(&entries[i], is_all, key, &len);
            assert_int_equal(tally_add(tally, key, len, &entries[i]), LB_OK);
        }
        tally_finish(tally, NULL, NULL, NULL);

        assert_int_equal(tally_count(tally), is_all ? 1 : GROUPS);
        for (int64_t group = 0; group < (is_all ? 1 : GROUPS); group++) {
            check_group(tally, entries, group, is_all);
        }
        tally_free(tally);
    }
    free(entries);
}

static void a_group_too_many_is_an_error_and_changes_nothing(void **state)
{
    struct tally *tally = tally_new(2);
    struct entry entry = {.type = ENTRY_VIEW, .visitor = 1};

    (void)state;
    assert_non_null(tally);
    assert_int_equal(tally_add(tally, "a", 1, &entry), LB_OK);
    assert_int_equal(tally_add(tally, "b", 1, &entry), LB_OK);

    assert_int_equal(tally_add(tally, "c", 1, &entry), LB_ELIMIT);

    assert_int_equal(tally_add(tally, "a", 1, &entry), LB_OK);
    assert_int_equal(tally_count(tally), 2);
    assert_null(tally_find(tally, "c", 1));
    assert_int_equal(tally_find(tally, "a", 1)->counts.views, 2);
    tally_free(tally);
}

static void keys_are_bytes_with_a_length(void **state)
{
    struct tally *tally = tally_new(10);
    struct entry entry = {.type = ENTRY_CLICK};

    (void)state;
    assert_non_null(tally);
    assert_int_equal(tally_add(tally, "V\0N\0", 4, &entry), LB_OK);
    assert_int_equal(tally_add(tally, "V\0N", 3, &entry), LB_OK);
    assert_int_equal(tally_add(tally, "V\0V\0", 4, &entry), LB_OK);
    assert_int_equal(tally_add(tally, "", 0, &entry), LB_OK);

    assert_int_equal(tally_count(tally), 4);
    assert_int_equal(tally_find(tally, "V\0V\0", 4)->counts.clicks, 1);
    tally_free(tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_is_of_dates_instants_or_a_period),
        cmocka_unit_test(a_range_that_is_none_is_refused),
        cmocka_unit_test(every_month_has_its_period),
        cmocka_unit_test(metrics_have_their_names),
        cmocka_unit_test(a_rate_without_a_denominator_has_no_value),
        cmocka_unit_test(value_has_one_currency_or_none),
        cmocka_unit_test(dimensions_are_found_by_name),
        cmocka_unit_test(groups_agree_with_counting_plainly),
        cmocka_unit_test(a_group_too_many_is_an_error_and_changes_nothing),
        cmocka_unit_test(keys_are_bytes_with_a_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
