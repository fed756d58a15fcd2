/* test_groups.c - what rules keep in memory: found again, the oldest out first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/groups.h"

static const struct rule one = {.number = 1, .window_ms = 1000};
static const struct rule two = {.number = 2, .window_ms = 1000};

static int open_groups(void **state)
{
    *state = groups_new();
    assert_non_null(*state);
    return 0;
}

static int close_groups(void **state)
{
    groups_free(*state);
    return 0;
}

static struct group *
get(struct groups *groups, const struct rule *rule, int64_t site, int number)
{
    char key[32];
    struct group *group;

    (void)snprintf(key, sizeof(key), "g%d", number);
    group = groups_get(groups, rule, site, key);
    assert_non_null(group);
    return group;
}

static bool
has(struct groups *groups, const struct rule *rule, int64_t site, int number)
{
    char key[32];

    (void)snprintf(key, sizeof(key), "g%d", number);
    return groups_find(groups, rule->number, site, key) != NULL;
}

static void a_group_is_found_by_rule_site_and_key(void **state)
{
    struct groups *groups = *state;
    struct group *group = get(groups, &one, 1, 1);

    assert_ptr_equal(get(groups, &one, 1, 1), group);
    assert_ptr_not_equal(get(groups, &one, 1, 2), group);
    assert_ptr_not_equal(get(groups, &one, 2, 1), group);
    assert_ptr_not_equal(get(groups, &two, 1, 1), group);
    assert_int_equal(groups_count(groups), 4);
    assert_false(has(groups, &two, 2, 1));
    groups_drop_rule(groups, 1);
    assert_int_equal(groups_count(groups), 1);
    assert_true(has(groups, &two, 1, 1));
}

static void past_the_number_of_a_site_the_oldest_goes(void **state)
{
    struct groups *groups = *state;

    (void)get(groups, &one, 2, 0);
    for (int i = 0; i < GROUPS_PER_SITE; i++) {
        (void)get(groups, &one, 1, i);
    }
    (void)get(groups, &one, 1, 0); /* had an event */
    (void)get(groups, &one, 1, GROUPS_PER_SITE);
    assert_true(has(groups, &one, 1, 0));
    assert_false(has(groups, &one, 1, 1));
    assert_true(has(groups, &one, 1, 2));
    assert_true(has(groups, &one, 2, 0)); /* another site's */
    assert_int_equal(groups_count(groups), GROUPS_PER_SITE + 1);
}

static void past_the_number_of_all_the_oldest_of_all_goes(void **state)
{
    struct groups *groups = *state;

    for (int i = 0; i < GROUPS_MAX; i++) {
        (void)get(groups, i % 2 == 0 ? &one : &two, 1 + i / 2000, i);
    }
    (void)get(groups, &two, 999, 1);
    assert_int_equal(groups_count(groups), GROUPS_MAX);
    assert_false(has(groups, &one, 1, 0));
    assert_true(has(groups, &two, 1, 1));
}

static void what_is_to_be_saved_does_not_go(void **state)
{
    struct groups *groups = *state;
    struct alert_store_group *rows[4];

    for (int i = 0; i < GROUPS_PER_SITE; i++) {
        struct group *group = get(groups, &one, 1, i);

        if (i < 3) {
            groups_note_change(groups, group);
            groups_note_change(groups, group);
        }
    }
    (void)get(groups, &one, 1, GROUPS_PER_SITE);
    assert_true(has(groups, &one, 1, 0));
    assert_false(has(groups, &one, 1, 3));
    assert_int_equal(groups_take_changed(groups, rows, 2), 2);
    groups_drop(groups, groups_find(groups, 1, 1, "g0"));
    assert_int_equal(groups_take_changed(groups, rows, 4), 0);
    (void)get(groups, &one, 1, GROUPS_PER_SITE + 1);
    (void)get(groups, &one, 1, GROUPS_PER_SITE + 2);
    assert_false(has(groups, &one, 1, 1));
}

static void groups_move_in_order_from_one_to_the_other(void **state)
{
    struct groups *groups = *state;
    struct groups *learnt = groups_new();
    const struct group *group;

    assert_non_null(learnt);
    (void)get(groups, &one, 1, 9); /* what was known before */
    (void)get(groups, &two, 1, 9);
    (void)get(learnt, &two, 1, 1);
    for (int i = 1; i < 4; i++) {
        struct group *moved = get(learnt, &one, 1, i);

        groups_set_waiting(learnt, moved, true);
    }
    assert_int_equal(groups_move(learnt, groups, 1), LB_OK);
    assert_int_equal(groups_count(learnt), 1);
    assert_int_equal(groups_waiting(learnt), 0);
    assert_int_equal(groups_waiting(groups), 3);
    assert_false(has(groups, &one, 1, 9));
    group = groups_oldest(groups);
    assert_string_equal(group->key, "g9");
    assert_int_equal(group->row.rule, 2);
    for (int i = 1; i < 4; i++) {
        group = groups_next(group);
        assert_int_equal(group->key[1] - '0', i);
    }
    assert_null(groups_next(group));
    groups_free(learnt);
}

static void those_that_wait_are_counted(void **state)
{
    struct groups *groups = *state;
    struct group *group = get(groups, &one, 1, 1);

    groups_set_waiting(groups, group, true);
    groups_set_waiting(groups, group, true);
    groups_set_waiting(groups, get(groups, &one, 1, 2), true);
    assert_int_equal(groups_waiting(groups), 2);
    groups_set_waiting(groups, group, false);
    assert_int_equal(groups_waiting(groups), 1);
    groups_clear(groups);
    assert_int_equal(groups_waiting(groups), 0);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_groups, close_groups)
    const struct CMUnitTest tests[] = {
        TEST(a_group_is_found_by_rule_site_and_key),
        TEST(past_the_number_of_a_site_the_oldest_goes),
        TEST(past_the_number_of_all_the_oldest_of_all_goes),
        TEST(what_is_to_be_saved_does_not_go),
        TEST(groups_move_in_order_from_one_to_the_other),
        TEST(those_that_wait_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
