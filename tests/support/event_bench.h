/* event_bench.h - one event read from text in the world of ingest_world.h. */
#ifndef LINKBELL_TESTS_SUPPORT_EVENT_BENCH_H
#define LINKBELL_TESTS_SUPPORT_EVENT_BENCH_H

#include "ingest/event.h"
#include "tests/support/ingest_world.h"

struct event_bench {
    struct ingest_world world;
    struct event_context context;
    struct lb_arena *arena;
    struct event event; /* the last that was read */
    struct event_fault fault;
};

/* Set-up and tear-down of a cmocka test; *state is a struct event_bench. */
int event_bench_open(void **state);
int event_bench_close(void **state);

/* Reads text, which must be JSON, as an event. */
bool event_bench_read(struct event_bench *bench, const char *text);
/* The same for an event that is taken; else the test fails. */
const struct entry *event_bench_take(struct event_bench *bench,
                                     const char *text);

#endif
