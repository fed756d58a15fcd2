/* test_utm_cap_store.c - how many values of a campaign parameter a day takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "ingest/utm_cap_store.h"

#define DAY 20000

static const uint8_t key[LB_HASH_KEY_BYTES] = {1, 2, 3};

struct world {
    struct db *db;
    struct utm_cap_store *store;
};

static int set_up(void **state)
{
    static struct world world;
    struct lb_error err;

    assert_int_equal(db_open(":memory:", DB_WRITER, &world.db, &err), LB_OK);
    world.store = utm_cap_store_new(3, key);
    assert_non_null(world.store);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    utm_cap_store_free(world->store);
    db_close(world->db);
    return 0;
}

static bool is_other(
    struct world *world, int64_t site, int64_t day, int field, const char *text)
{
    const struct utm_cap_value value = {site, day, field, text};
    struct lb_error err;
    bool is_one = false;

    assert_int_equal(
        utm_cap_store_take(world->store, world->db, &value, &is_one, &err),
        LB_OK);
    return is_one;
}

static void fill(struct world *world)
{
    assert_false(is_other(world, 1, DAY, 0, "a"));
    assert_false(is_other(world, 1, DAY, 0, "b"));
    assert_false(is_other(world, 1, DAY, 0, "c"));
}

static void values_past_the_number_are_one_too_many(void **state)
{
    struct world *world = *state;

    fill(world);

    assert_true(is_other(world, 1, DAY, 0, "d"));
    assert_false(is_other(world, 1, DAY, 0, "a"));
    assert_false(is_other(world, 1, DAY, 1, "d"));
    assert_false(is_other(world, 2, DAY, 0, "d"));
    assert_false(is_other(world, 1, DAY + 1, 0, "d"));
}

static void a_restart_decides_the_same(void **state)
{
    struct world *world = *state;

    fill(world);
    utm_cap_store_free(world->store);
    world->store = utm_cap_store_new(3, key);

    assert_true(is_other(world, 1, DAY, 0, "d"));
    assert_false(is_other(world, 1, DAY, 0, "c"));
}

static void a_rollback_gives_the_values_back(void **state)
{
    struct world *world = *state;
    struct lb_error err;

    assert_int_equal(db_begin(world->db, &err), LB_OK);
    fill(world);
    db_rollback(world->db);
    utm_cap_store_forget(world->store);

    assert_false(is_other(world, 1, DAY, 0, "d"));
    assert_false(is_other(world, 1, DAY, 0, "e"));
    assert_false(is_other(world, 1, DAY, 0, "f"));
    assert_true(is_other(world, 1, DAY, 0, "a"));
}

static void many_values_of_many_days_are_each_counted(void **state)
{
    struct world *world = *state;
    char text[32];

    utm_cap_store_free(world->store);
    world->store = utm_cap_store_new(1000, key);
    for (int i = 0; i < 12000; i++) {
        (void)snprintf(text, sizeof(text), "v%d", i / 12);
        assert_false(is_other(world, 1, DAY + i % 12, 0, text));
    }

    for (int day = 0; day < 12; day++) {
        assert_true(is_other(world, 1, DAY + day, 0, "one more"));
        assert_false(is_other(world, 1, DAY + day, 0, "v500"));
    }
}

static void old_days_are_forgotten_piece_by_piece(void **state)
{
    struct world *world = *state;
    char text[32];
    int pieces = 1;

    utm_cap_store_free(world->store);
    world->store = utm_cap_store_new(1100, key);
    for (int i = 0; i < 1100; i++) {
        (void)snprintf(text, sizeof(text), "v%d", i);
        assert_false(is_other(world, 1, DAY, 0, text));
    }
    assert_false(is_other(world, 1, DAY + 1, 0, "new"));
    while (utm_cap_store_expire(world->store, world->db, DAY + 1)) {
        pieces++;
    }

    assert_int_equal(pieces, 3);
    assert_false(is_other(world, 1, DAY, 0, "one more"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_past_the_number_are_one_too_many),
        TEST(a_restart_decides_the_same),
        TEST(a_rollback_gives_the_values_back),
        TEST(many_values_of_many_days_are_each_counted),
        TEST(old_days_are_forgotten_piece_by_piece),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
