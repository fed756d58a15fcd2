/* test_ticker.c - the entries that tell of time: starts and clocks set back. */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/ticker.h"
#include "base/clock.h"
#include "tests/support/rule_world.h"

#define NOW_MS INGEST_WORLD_NOW_MS

struct bench {
    struct rule_world world;
    struct ticker *ticker;
    sem_t is_started;
    /* What was asked for last. */
    int64_t count;
    int64_t received_at_ms;
    char data[64];
};

static int open_bench(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct lb_error err;

    assert_non_null(bench);
    rule_world_open(&bench->world);
    assert_int_equal(ticker_new(bench->world.ingest.writer,
                                bench->world.ingest.cursor, bench->world.engine,
                                NULL, &bench->ticker, &err),
                     LB_OK);
    assert_int_equal(sem_init(&bench->is_started, 0, 0), 0);
    rule_world_put(&bench->world, "all", "{\"id\":\"all\",\"kind\":\"event\"}",
                   false);
    rule_world_ready(&bench->world, NOW_MS);
    *state = bench;
    return 0;
}

static int close_bench(void **state)
{
    struct bench *bench = *state;

    rule_world_close(&bench->world);
    ticker_free(bench->ticker);
    (void)sem_destroy(&bench->is_started);
    free(bench);
    return 0;
}

struct question {
    struct bench *bench;
    int kind;
};

static enum lb_err run_ask(void *ctx, struct db *db, struct lb_error *err)
{
    struct question *question = ctx;
    struct bench *bench = question->bench;
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(db_handle(db),
                           "SELECT count(*), received, data FROM (SELECT * "
                           "FROM entries WHERE kind = ?1 ORDER BY seq)",
                           -1, &stmt, NULL) != SQLITE_OK) {
        return db_error(db, "ask", err);
    }
    (void)sqlite3_bind_int(stmt, 1, question->kind);
    (void)sqlite3_step(stmt);
    bench->count = sqlite3_column_int64(stmt, 0);
    bench->received_at_ms = sqlite3_column_int64(stmt, 1);
    (void)snprintf(bench->data, sizeof(bench->data), "%s",
                   sqlite3_column_text(stmt, 2) == NULL
                       ? ""
                       : (const char *)sqlite3_column_text(stmt, 2));
    return sqlite3_finalize(stmt) == SQLITE_OK ? LB_OK : LB_EINTERNAL;
}

/* The entries of that kind: how many, and one of them. */
static void look(struct bench *bench, enum entry_kind kind)
{
    struct question question = {bench, (int)kind};

    assert_int_equal(ingest_world_run(&bench->world.ingest, run_ask, &question),
                     LB_OK);
}

static void a_clock_set_back_is_told_once_before_what_follows(void **state)
{
    struct bench *bench = *state;
    struct rule_world *world = &bench->world;
    char data[64];

    (void)rule_world_event(world, ENTRY_LEAD, RULE_WORLD_ALICE, NOW_MS + 5000);
    rule_world_flush(world);
    look(bench, ENTRY_CLOCK_BACK);
    assert_int_equal(bench->count, 0);
    lb_clock_fake_wall(NOW_MS + 5000 - TICKER_BACK_MS);
    look(bench, ENTRY_CLOCK_BACK); /* so little is none */
    look(bench, ENTRY_CLOCK_BACK);
    assert_int_equal(bench->count, 0);
    lb_clock_fake_wall(NOW_MS - LB_MS_PER_HOUR);
    (void)rule_world_event(world, ENTRY_LEAD, RULE_WORLD_ALICE,
                           NOW_MS - LB_MS_PER_HOUR);
    rule_world_flush(world);
    look(bench, ENTRY_CLOCK_BACK);
    look(bench, ENTRY_CLOCK_BACK);
    assert_int_equal(bench->count, 1);
    assert_int_equal(bench->received_at_ms, NOW_MS - LB_MS_PER_HOUR);
    (void)snprintf(data, sizeof(data), "{\"from\":%lld}",
                   (long long)(NOW_MS + 5000));
    assert_string_equal(bench->data, data);
    assert_int_equal(engine_now_ms(world->engine), NOW_MS - LB_MS_PER_HOUR);
    rule_world_read(world);
    assert_int_equal(world->alert_count, 2);
}

static void started(void *ctx, enum lb_err rc, const struct lb_error *err)
{
    struct bench *bench = ctx;

    (void)err;
    assert_int_equal(rc, LB_OK);
    (void)sem_post(&bench->is_started);
}

static void a_start_tells_since_when_nobody_listened(void **state)
{
    struct bench *bench = *state;
    char data[64];

    lb_clock_fake_wall(NOW_MS + 77000);
    ticker_start(bench->ticker, started, bench);
    while (sem_wait(&bench->is_started) != 0) {
    }
    look(bench, ENTRY_START);
    assert_int_equal(bench->count, 1);
    assert_int_equal(bench->received_at_ms, NOW_MS + 77000);
    (void)snprintf(data, sizeof(data), "{\"down_from\":%lld}",
                   (long long)NOW_MS);
    assert_string_equal(bench->data, data);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_bench, close_bench)
    const struct CMUnitTest tests[] = {
        TEST(a_clock_set_back_is_told_once_before_what_follows),
        TEST(a_start_tells_since_when_nobody_listened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
