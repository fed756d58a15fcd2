/* test_cursor.c - each log entry once, in order, to every consumer. */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "sql/cursor.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/temp_dir.h"

#define SEEN_MAX 50000

struct world {
    char dir[TEMP_DIR_BYTES];
    struct writer *writer;
    struct cursor *cursor;
    sem_t done;
    enum lb_err rc;
    struct writer_job job;
    struct entry *entries; /* what the job appends */
    size_t count;
    bool is_wiping;      /* the job deletes all entries instead */
    enum lb_err verdict; /* of the consumer */
    int64_t *seen;       /* log numbers applied, in order */
    size_t seen_count;
    size_t committed_count;
    char last_data[64];
};

static struct world *world_of(struct writer_job *job)
{
    return (struct world *)(void *)((char *)job - offsetof(struct world, job));
}

static enum lb_err apply(void *ctx,
                         struct db *db,
                         const struct entry *const *entries,
                         size_t count,
                         struct lb_error *err)
{
    struct world *world = ctx;

    (void)db;
    for (size_t i = 0; i < count; i++) {
        if (world->seen_count < SEEN_MAX) {
            world->seen[world->seen_count++] = entries[i]->seq;
        }
        (void)snprintf(world->last_data, sizeof(world->last_data), "%s",
                       entries[i]->data == NULL ? "" : entries[i]->data);
    }
    return world->verdict == LB_OK ? LB_OK
                                   : lb_err_set(err, world->verdict, "a fault");
}

static void applied(void *ctx)
{
    struct world *world = ctx;

    world->committed_count = world->seen_count;
}

static void undone(void *ctx)
{
    struct world *world = ctx;

    world->seen_count = world->committed_count;
}

static enum lb_err
run(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct world *world = world_of(job);
    enum lb_err rc = LB_OK;

    if (world->is_wiping) {
        return sqlite3_exec(db_handle(db), "DELETE FROM entries", NULL, NULL,
                            NULL) == SQLITE_OK
                   ? LB_OK
                   : db_error(db, "delete", err);
    }
    for (size_t i = 0; i < world->count && rc == LB_OK; i++) {
        rc = cursor_append(world->cursor, db, &world->entries[i], err);
    }
    return rc;
}

static void
done(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct world *world = world_of(job);

    (void)err;
    world->rc = rc;
    (void)sem_post(&world->done);
}

static enum lb_err run_job(struct world *world)
{
    world->job = (struct writer_job){
        .run = run, .done = done, .event_count = 1, .is_append = true};
    assert_int_equal(writer_submit(world->writer, &world->job), LB_OK);
    while (sem_wait(&world->done) != 0) {
    }
    return world->rc;
}

/* Appends count ticks in one job. */
static enum lb_err append(struct world *world, size_t count)
{
    enum lb_err rc;

    world->entries = calloc(count, sizeof(*world->entries));
    assert_non_null(world->entries);
    world->count = count;
    for (size_t i = 0; i < count; i++) {
        world->entries[i].kind = ENTRY_TICK;
        world->entries[i].received_at_ms = 1000 + (int64_t)i;
        world->entries[i].data = "{\"n\":1}";
    }
    rc = run_job(world);
    free(world->entries);
    world->entries = NULL;
    return rc;
}

static void start(struct world *world)
{
    const struct writer_limits limits = {
        .queue_events = 10, .queue_bytes = 1000, .group_events = 100};
    const struct cursor_consumer consumer = {"test", world, apply, applied,
                                             undone};
    struct lb_error err = {LB_OK, ""};

    world->seen_count = 0;
    world->committed_count = 0;
    assert_int_equal(
        writer_new(NULL, world->dir, &limits, &world->writer, &err), LB_OK);
    assert_int_equal(cursor_new(world->writer, &world->cursor, &err), LB_OK);
    cursor_add_consumer(world->cursor, &consumer);
    assert_int_equal(writer_start(world->writer, &err), LB_OK);
}

static void stop(struct world *world)
{
    writer_stop(world->writer);
    cursor_free(world->cursor);
    writer_free(world->writer);
}

static int open_world(void **state)
{
    static struct world world;

    memset(&world, 0, sizeof(world));
    world.seen = calloc(SEEN_MAX, sizeof(*world.seen));
    temp_dir_make(world.dir);
    faulty_vfs_install();
    *state = &world;
    if (world.seen == NULL || sem_init(&world.done, 0, 0) != 0) {
        return 1;
    }
    start(&world);
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;

    stop(world);
    faulty_vfs_remove();
    temp_dir_remove(world->dir);
    (void)sem_destroy(&world->done);
    free(world->seen);
    return 0;
}

/* All log numbers from first on were applied, in order, each once. */
static void check_seen(const struct world *world, int64_t first, size_t count)
{
    assert_int_equal(world->seen_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(world->seen[i], first + (int64_t)i);
    }
}

/* Empty jobs until the stage has caught up to seq: it reads on with each. */
static void wait_for_seq(struct world *world, int64_t seq)
{
    world->count = 0;
    for (int i = 0; i < 20 && cursor_seq(world->cursor) < seq; i++) {
        assert_int_equal(run_job(world), LB_OK);
    }
    assert_int_equal(cursor_seq(world->cursor), seq);
}

static void entries_are_applied_in_the_order_of_the_log(void **state)
{
    struct world *world = *state;

    assert_int_equal(cursor_seq(world->cursor), 0);
    assert_int_equal(append(world, 3), LB_OK);
    assert_int_equal(append(world, 2), LB_OK);
    assert_int_equal(cursor_seq(world->cursor), 5);
    check_seen(world, 1, 5);
    stop(world);
    check_seen(world, 1, 5);
    start(world);
    assert_int_equal(cursor_seq(world->cursor), 5);
    assert_int_equal(append(world, 1), LB_OK);
    check_seen(world, 6, 1);
}

static void answers_are_complete_up_to_now_when_nothing_waits(void **state)
{
    struct world *world = *state;

    assert_int_equal(append(world, 1), LB_OK);
    assert_true(llabs(cursor_as_of_ms(world->cursor) - lb_clock_wall_ms()) <
                2000);
}

static void what_failed_to_derive_is_read_from_the_log(void **state)
{
    struct world *world = *state;
    int64_t before_ms = lb_clock_wall_ms();

    world->verdict = LB_EINTERNAL;
    assert_int_equal(append(world, 3), LB_OK);
    assert_int_equal(cursor_seq(world->cursor), 0);
    assert_true(cursor_as_of_ms(world->cursor) >= before_ms);
    assert_int_equal(append(world, 2), LB_OK);
    stop(world);
    world->verdict = LB_OK;
    start(world);
    wait_for_seq(world, 5);
    stop(world);
    check_seen(world, 1, 5);
    assert_string_equal(world->last_data, "{\"n\":1}");
    start(world);
}

static void a_long_backlog_is_read_in_pieces(void **state)
{
    struct world *world = *state;

    world->verdict = LB_EINTERNAL;
    assert_int_equal(append(world, 25000), LB_OK);
    stop(world);
    world->verdict = LB_OK;
    start(world);
    wait_for_seq(world, 25000);
    assert_int_equal(append(world, 10), LB_OK);
    stop(world);
    check_seen(world, 1, 25010);
    start(world);
}

static void log_numbers_are_never_used_twice(void **state)
{
    struct world *world = *state;

    assert_int_equal(append(world, 4), LB_OK);
    world->is_wiping = true;
    assert_int_equal(run_job(world), LB_OK);
    world->is_wiping = false;
    stop(world);
    start(world);
    assert_int_equal(append(world, 1), LB_OK);
    check_seen(world, 5, 1);
}

static void an_erased_backlog_holds_up_nobody(void **state)
{
    struct world *world = *state;

    world->verdict = LB_EINTERNAL;
    assert_int_equal(append(world, 4), LB_OK);
    world->is_wiping = true;
    assert_int_equal(run_job(world), LB_OK);
    world->is_wiping = false;
    stop(world);
    world->verdict = LB_OK;
    start(world);
    wait_for_seq(world, 4);
    assert_int_equal(append(world, 2), LB_OK);
    stop(world);
    check_seen(world, 5, 2);
    start(world);
}

static void a_failed_commit_gives_its_numbers_back(void **state)
{
    struct world *world = *state;

    assert_int_equal(append(world, 2), LB_OK);
    faulty_vfs_fail(FAULTY_VFS_SYNC, 0, 1);
    assert_int_equal(append(world, 3), LB_EIO);
    check_seen(world, 1, 2);
    assert_int_equal(cursor_seq(world->cursor), 2);
    assert_int_equal(append(world, 3), LB_OK);
    check_seen(world, 1, 5);
    assert_int_equal(cursor_seq(world->cursor), 5);
}

#define IN_A_WORLD(test)                                                       \
    cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(entries_are_applied_in_the_order_of_the_log),
        IN_A_WORLD(answers_are_complete_up_to_now_when_nothing_waits),
        IN_A_WORLD(what_failed_to_derive_is_read_from_the_log),
        IN_A_WORLD(a_long_backlog_is_read_in_pieces),
        IN_A_WORLD(log_numbers_are_never_used_twice),
        IN_A_WORLD(an_erased_backlog_holds_up_nobody),
        IN_A_WORLD(a_failed_commit_gives_its_numbers_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
