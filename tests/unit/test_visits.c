/* test_visits.c - counting visits off, and what each came to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "aggregate/tally.h"
#include "aggregate/visits.h"

static struct entry
event(int64_t visitor, enum entry_type type, int64_t ts_ms, bool is_start)
{
    struct entry entry = {.site = 1,
                          .visitor_day = 20000,
                          .visitor = visitor,
                          .type = type,
                          .ts_at_ms = ts_ms,
                          .is_visit_start = is_start};

    entry.text[ENTRY_TEXT_PAGE] = "/";
    return entry;
}

static uint32_t enter(struct visits *visits, const struct entry *entry)
{
    uint32_t number = UINT32_MAX;

    assert_int_equal(visits_enter(visits, entry, &number), LB_OK);
    return number;
}

static void visits_are_numbered_by_their_starts(void **state)
{
    struct visits *visits = visits_new(VISITS_NUMBERED);
    struct entry a = event(1, ENTRY_VIEW, 1000, true);
    struct entry b = event(2, ENTRY_VIEW, 2000, true);
    struct entry c = event(1, ENTRY_CLICK, 3000, false);
    struct entry d = event(1, ENTRY_VIEW, 9000, true);
    struct entry nobody = event(0, ENTRY_VIEW, 9000, true);
    uint32_t first;

    (void)state;
    assert_non_null(visits);
    first = enter(visits, &a);
    assert_int_not_equal(enter(visits, &b), first);
    assert_int_equal(enter(visits, &c), first);
    assert_true(enter(visits, &d) > first);
    assert_int_equal(enter(visits, &nobody), 0);
    visits_free(visits);
}

static void a_visit_whose_start_is_not_there_counts(void **state)
{
    struct visits *visits = visits_new(VISITS_NUMBERED);
    struct entry a = event(1, ENTRY_VIEW, 1000, false);
    struct entry b = event(1, ENTRY_VIEW, 2000, false);
    uint32_t first;

    (void)state;
    first = enter(visits, &a);
    assert_int_not_equal(first, 0);
    assert_int_equal(enter(visits, &b), first);
    visits_free(visits);
}

static void human_events_and_others_are_apart(void **state)
{
    struct visits *visits = visits_new(VISITS_NUMBERED);
    struct entry a = event(1, ENTRY_VIEW, 1000, true);
    struct entry b = event(1, ENTRY_VIEW, 2000, true);
    struct entry c = event(1, ENTRY_VIEW, 3000, false);
    uint32_t human;
    uint32_t other;

    (void)state;
    b.traffic = ENTRY_BOT;
    human = enter(visits, &a);
    other = enter(visits, &b);
    assert_int_not_equal(human, other);
    assert_int_equal(enter(visits, &c), human);
    c.traffic = ENTRY_PREVIEW;
    assert_int_equal(enter(visits, &c), other);
    visits_free(visits);
}

static void the_second_time_numbers_are_the_same(void **state)
{
    struct visits *visits = visits_new(VISITS_PAGED);
    struct entry entries[300];
    uint32_t numbers[300];

    (void)state;
    for (int i = 0; i < 300; i++) {
        entries[i] = event(1 + i % 90, i % 7 == 0 ? ENTRY_CLICK : ENTRY_VIEW,
                           i * 10, i % 11 == 0);
        numbers[i] = enter(visits, &entries[i]);
    }
    visits_rewind(visits);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(enter(visits, &entries[i]), numbers[i]);
        assert_int_equal(visits_current(visits, 1, 20000, entries[i].visitor),
                         numbers[i]);
    }
    visits_free(visits);
}

static void a_visit_knows_its_length_and_pages(void **state)
{
    struct visits *visits = visits_new(VISITS_PAGED);
    struct entry entries[] = {
        event(1, ENTRY_VIEW, 5000, true), event(1, ENTRY_VIEW, 7000, false),
        event(1, ENTRY_VIEW, 4000, false), event(1, ENTRY_LEAD, 9000, false)};
    const struct visit *visit;
    const struct visit_pages *pages;
    uint32_t number = 0;

    (void)state;
    entries[0].text[ENTRY_TEXT_PAGE] = "/first";
    entries[1].text[ENTRY_TEXT_PAGE] = "/last";
    entries[1].text[ENTRY_TEXT_HOST] = "a.example";
    entries[2].text[ENTRY_TEXT_PAGE] = "/late";
    for (int i = 0; i < 4; i++) {
        number = enter(visits, &entries[i]);
    }
    visit = visits_at(visits, number);
    pages = visits_pages_at(visits, number);
    assert_int_equal(visit->last_ms - visit->first_ms, 5000);
    assert_string_equal(pages->entry_page, "/late");
    assert_string_equal(pages->exit_page, "/last");
    assert_string_equal(pages->exit_host, "a.example");
    assert_null(pages->entry_host);
    assert_false(visits_is_bounce(visit));
    visits_free(visits);
}

static void one_view_alone_is_a_bounce(void **state)
{
    static const struct {
        const char *types; /* v view, c click; upper case: by itself */
        bool is_bounce;
    } cases[] = {{"v", true},  {"c", false},  {"vv", false}, {"vc", false},
                 {"vC", true}, {"vV", true},  {"VV", true},  {"C", false},
                 {"Vv", true}, {"Vc", false}, {"cv", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct visits *visits = visits_new(VISITS_PAGED);
        uint32_t number = 0;

        for (const char *c = cases[i].types; *c != '\0'; c++) {
            struct entry entry =
                event(1, *c == 'v' || *c == 'V' ? ENTRY_VIEW : ENTRY_CLICK, 0,
                      c == cases[i].types);

            entry.is_passive = *c == 'V' || *c == 'C';
            number = enter(visits, &entry);
        }
        if (visits_is_bounce(visits_at(visits, number)) != cases[i].is_bounce) {
            fail_msg("%s", cases[i].types);
        }
        visits_free(visits);
    }
}

static void a_group_counts_a_visit_once(void **state)
{
    struct tally *tally = tally_new(10);
    struct tally_visit visit = {
        .number = 1, .is_bounce = true, .length_ms = 50};
    const struct tally_group *group;

    (void)state;
    for (int64_t i = 0; i < 400; i++) {
        struct entry entry = event(1 + i % 200, ENTRY_VIEW, i, true);

        visit.number = (uint32_t)(1 + i % 200);
        assert_int_equal(tally_add(tally, "b", 1, &entry), LB_OK);
        assert_int_equal(tally_add_in_visit(tally, "a", 1, &entry, &visit),
                         LB_OK);
    }
    visit.number = 0;
    for (int64_t i = 0; i < 3; i++) {
        struct entry entry = event(0, ENTRY_VIEW, i, false);

        assert_int_equal(tally_add_in_visit(tally, "a", 1, &entry, &visit),
                         LB_OK);
    }
    group = tally_find(tally, "a", 1);
    assert_int_equal(group->visits, 200);
    assert_int_equal(group->bounces, 200);
    assert_int_equal(group->visit_ms, 10000);
    assert_int_equal(tally_find(tally, "b", 1)->visits, 0);
    tally_free(tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(visits_are_numbered_by_their_starts),
        cmocka_unit_test(a_visit_whose_start_is_not_there_counts),
        cmocka_unit_test(human_events_and_others_are_apart),
        cmocka_unit_test(the_second_time_numbers_are_the_same),
        cmocka_unit_test(a_visit_knows_its_length_and_pages),
        cmocka_unit_test(one_view_alone_is_a_bounce),
        cmocka_unit_test(a_group_counts_a_visit_once)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
