/* test_fair_queue.c - whose turn it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fair_queue.h"

#define QUANTUM 10
#define NODES 100

struct world {
    struct lb_fair_queue queue;
    struct lb_fair_node nodes[NODES];
    size_t count;
};

static int set_up(void **state)
{
    static struct world world;

    world.count = 0;
    lb_fair_queue_init(&world.queue, QUANTUM);
    *state = &world;
    return 0;
}

static void push(struct world *world, uint64_t sender, size_t cost)
{
    struct lb_fair_node *node = &world->nodes[world->count++];

    node->sender = sender;
    node->cost = cost;
    lb_fair_queue_push(&world->queue, node);
}

/* The next to come out is the one that went in as number. */
static void check_next(struct world *world, size_t number)
{
    assert_ptr_equal(lb_fair_queue_pop(&world->queue), &world->nodes[number]);
}

static void one_sender_keeps_its_order(void **state)
{
    struct world *world = *state;

    assert_null(lb_fair_queue_pop(&world->queue));
    for (size_t i = 0; i < 50; i++) {
        push(world, 7, i);
    }
    for (size_t i = 0; i < 25; i++) {
        check_next(world, i);
    }
    push(world, 7, 1);
    for (size_t i = 25; i < 51; i++) {
        check_next(world, i);
    }
    assert_null(lb_fair_queue_pop(&world->queue));
    assert_int_equal(world->queue.active, 0);
}

static void senders_take_turns_by_cost(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < 6; i++) {
        push(world, 1, 5); /* 0 to 5: two a turn */
    }
    for (size_t i = 0; i < 3; i++) {
        push(world, 2, 10); /* 6 to 8: one a turn */
    }
    push(world, 3, 25); /* 9: saves up over three turns */
    check_next(world, 0);
    check_next(world, 1);
    check_next(world, 6);
    check_next(world, 2);
    check_next(world, 3);
    check_next(world, 7);
    check_next(world, 4);
    check_next(world, 5);
    check_next(world, 8);
    check_next(world, 9);
    assert_null(lb_fair_queue_pop(&world->queue));
}

/* Who comes late waits for a turn of the others at most, not for all they sent.
 */
static void a_newcomer_waits_one_turn(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < 40; i++) {
        push(world, 1, QUANTUM);
    }
    check_next(world, 0);
    push(world, 2, 1);
    check_next(world, 40); /* the other's turn was over */
    check_next(world, 1);
    check_next(world, 2);
    push(world, 3, QUANTUM); /* 41 */
    push(world, 3, QUANTUM); /* 42 */
    check_next(world, 41);
    check_next(world, 3);
    check_next(world, 42);
    check_next(world, 4);
}

/* Credit is not kept while nothing waits. */
static void nothing_is_saved_for_later(void **state)
{
    struct world *world = *state;

    push(world, 1, 1);
    check_next(world, 0);
    push(world, 1, QUANTUM); /* 1 */
    push(world, 1, QUANTUM);
    push(world, 2, QUANTUM); /* 3 */
    check_next(world, 1);
    check_next(world, 3);
    check_next(world, 2);
}

static void one_sender_never_fills_it(void **state)
{
    size_t used = 0;

    (void)state;
    while (lb_fair_queue_has_room(1000, used, used, 1)) {
        used++;
    }
    assert_int_equal(used, 800);
    assert_true(lb_fair_queue_has_room(1000, used, 0, 200));
    assert_false(lb_fair_queue_has_room(1000, used, 0, 201));
    assert_false(lb_fair_queue_has_room(1000, 1000, 0, 1));
    assert_false(lb_fair_queue_has_room(1000, 2000, 0, 1));
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_sender_keeps_its_order), TEST(senders_take_turns_by_cost),
        TEST(a_newcomer_waits_one_turn),  TEST(nothing_is_saved_for_later),
        TEST(one_sender_never_fills_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
