/* test_wal_gate.c - readers wait while the gate is closed, and not for ever. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sql/wal_gate.h"

#define LONG_MS INT64_C(60000)

struct reader {
    struct wal_gate *gate;
    atomic_bool has_passed;
};

static void *pass(void *arg)
{
    struct reader *reader = arg;

    wal_gate_pass(reader->gate);
    atomic_store(&reader->has_passed, true);
    return NULL;
}

static void an_open_gate_holds_nobody(void **state)
{
    struct wal_gate *gate = wal_gate_new();

    (void)state;
    wal_gate_pass(gate);
    wal_gate_open(gate);
    wal_gate_pass(gate);
    wal_gate_free(gate);
}

static void readers_wait_until_it_opens(void **state)
{
    struct reader reader = {wal_gate_new(), false};
    pthread_t thread;

    (void)state;
    wal_gate_close(reader.gate, LONG_MS);
    assert_int_equal(pthread_create(&thread, NULL, pass, &reader), 0);
    assert_false(atomic_load(&reader.has_passed));
    wal_gate_open(reader.gate);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(atomic_load(&reader.has_passed));
    wal_gate_free(reader.gate);
}

static void it_opens_by_itself(void **state)
{
    struct wal_gate *gate = wal_gate_new();

    (void)state;
    wal_gate_close(gate, 20);
    wal_gate_pass(gate);
    wal_gate_free(gate);
}

static void it_rests_as_long_as_it_was_closed(void **state)
{
    struct wal_gate *gate = wal_gate_new();

    (void)state;
    wal_gate_close(gate, 300);
    wal_gate_pass(gate);
    wal_gate_close(gate, LONG_MS); /* too early */
    wal_gate_pass(gate);
    wal_gate_free(gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_gate_holds_nobody),
        cmocka_unit_test(readers_wait_until_it_opens),
        cmocka_unit_test(it_opens_by_itself),
        cmocka_unit_test(it_rests_as_long_as_it_was_closed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
