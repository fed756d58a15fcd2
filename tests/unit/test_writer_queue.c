/* test_writer_queue.c - what shares a transaction with what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sql/writer_queue.h"

static const struct writer_limits limits = {.queue_events = 1000,
                                            .queue_bytes = 1 << 20};

/* How many jobs are taken at once, and which is the first. */
static size_t take(struct writer_queue *queue, struct writer_job **first_out)
{
    size_t events = 0;
    size_t count = 0;
    struct writer_job *job = writer_queue_take(queue, 1000, &events);

    *first_out = job;
    for (; job != NULL; job = job->next) {
        count++;
    }
    return count;
}

static void small_ones_that_stand_together_share_a_transaction(void **state)
{
    struct writer_job jobs[6] = {{0}};
    struct writer_queue queue;
    struct writer_job *first;

    (void)state;
    writer_queue_init(&queue);
    for (size_t i = 0; i < 6; i++) {
        jobs[i].is_small = i != 3;
        assert_null(writer_queue_put(&queue, &limits, &jobs[i]));
    }
    assert_int_equal(take(&queue, &first), 3);
    assert_ptr_equal(first, &jobs[0]);
    assert_int_equal(take(&queue, &first), 1);
    assert_ptr_equal(first, &jobs[3]);
    assert_int_equal(take(&queue, &first), 2);
    assert_ptr_equal(first, &jobs[4]);
    assert_int_equal(take(&queue, &first), 0);
}

static void no_more_than_64_do(void **state)
{
    struct writer_job jobs[70] = {{0}};
    struct writer_queue queue;
    struct writer_job *first;

    (void)state;
    writer_queue_init(&queue);
    for (size_t i = 0; i < 70; i++) {
        jobs[i].is_small = true;
        assert_null(writer_queue_put(&queue, &limits, &jobs[i]));
    }
    assert_int_equal(take(&queue, &first), 64);
    assert_int_equal(take(&queue, &first), 6);
}

static void events_take_turns_with_them(void **state)
{
    struct writer_job jobs[4] = {{0}};
    struct writer_queue queue;
    struct writer_job *first;

    (void)state;
    writer_queue_init(&queue);
    for (size_t i = 0; i < 4; i++) {
        jobs[i].is_small = i < 3;
        jobs[i].is_append = i == 3;
        jobs[i].event_count = i == 3 ? 1 : 0;
        assert_null(writer_queue_put(&queue, &limits, &jobs[i]));
    }
    assert_int_equal(take(&queue, &first), 1);
    assert_ptr_equal(first, &jobs[3]);
    assert_int_equal(take(&queue, &first), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_ones_that_stand_together_share_a_transaction),
        cmocka_unit_test(no_more_than_64_do),
        cmocka_unit_test(events_take_turns_with_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
