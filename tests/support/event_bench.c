/* event_bench.c - one event read from text. */
#include "tests/support/event_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"

#define ARENA_BYTES ((size_t)8 << 20)

int event_bench_open(void **state)
{
    struct event_bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    lb_clock_fake_wall(INGEST_WORLD_NOW_MS);
    ingest_world_open(&bench->world, ":memory:");
    ingest_world_context(&bench->world, &bench->context);
    bench->arena = lb_arena_new(ARENA_BYTES);
    assert_non_null(bench->arena);
    *state = bench;
    return 0;
}

int event_bench_close(void **state)
{
    struct event_bench *bench = *state;

    lb_arena_free(bench->arena);
    ingest_world_close(&bench->world);
    free(bench);
    lb_clock_fake_wall(-1);
    return 0;
}

bool event_bench_read(struct event_bench *bench, const char *text)
{
    struct lb_json_fault fault;
    cJSON *json = NULL;

    if (lb_json_parse(text, strlen(text), 32, bench->arena, &json, &fault) !=
        LB_OK) {
        fail_msg("not JSON at column %zu: %s", fault.column, text);
    }
    memset(&bench->fault, 0, sizeof(bench->fault));
    return event_read(&bench->context, json, bench->arena, &bench->event,
                      &bench->fault);
}

const struct entry *event_bench_take(struct event_bench *bench,
                                     const char *text)
{
    if (!event_bench_read(bench, text)) {
        fail_msg("%s refused: %s: %s", text, bench->fault.code,
                 bench->fault.message);
    }
    return &bench->event.entry;
}
