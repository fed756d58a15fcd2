/* test_writer.c - groups, transactions, faults of the disk. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "sql/writer.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/temp_dir.h"

#define JOB_MAX 16
#define THREADS 8
#define JOBS_A_THREAD 150

struct world;

struct test_job {
    struct writer_job job; /* first */
    struct world *world;
    const char *key;     /* counted up in table meta */
    enum lb_err verdict; /* what run returns after writing */
    enum lb_err rc;
    int reports;
    int order;          /* of the reports, from 1 */
    int opened_at_done; /* databases opened so far */
};

/* A writer on a faulty disk, a member that counts, and jobs. */
struct world {
    char dir[TEMP_DIR_BYTES];
    struct writer *writer;
    struct test_job jobs[JOB_MAX];
    size_t job_count;
    sem_t done;
    int begins;
    int commits;
    int rollbacks;
    int64_t memory; /* kept beside the database: jobs that hold */
    int64_t committed_memory;
    atomic_int reports;
    enum lb_err derive_verdict;
    int derives;
    int derive_undos;
    int derive_commits;
};

static enum lb_err member_begin(void *ctx, struct db *db, struct lb_error *err)
{
    struct world *world = ctx;

    (void)db;
    (void)err;
    world->begins++;
    return LB_OK;
}

static void member_committed(void *ctx)
{
    struct world *world = ctx;

    world->commits++;
    world->committed_memory = world->memory;
}

static void member_rolled_back(void *ctx)
{
    struct world *world = ctx;

    world->rollbacks++;
    world->memory = world->committed_memory;
}

static enum lb_err derive_run(void *ctx, struct db *db, struct lb_error *err)
{
    struct world *world = ctx;
    enum lb_err rc = db_meta_set(db, "derived", ++world->derives, err);

    return rc == LB_OK && world->derive_verdict != LB_OK
               ? lb_err_set(err, world->derive_verdict, "a fault in deriving")
               : rc;
}

static void derive_undone(void *ctx)
{
    ((struct world *)ctx)->derive_undos++;
}

static void derive_committed(void *ctx)
{
    ((struct world *)ctx)->derive_commits++;
}

static enum lb_err
job_run(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct test_job *test = (struct test_job *)(void *)job;
    int64_t value = 0;
    enum lb_err rc = db_meta_get(db, test->key, 0, &value, err);

    rc = rc == LB_OK ? db_meta_set(db, test->key, value + 1, err) : rc;
    test->world->memory++;
    return rc == LB_OK && test->verdict != LB_OK
               ? lb_err_set(err, test->verdict, "this job is at fault")
               : rc;
}

static void
job_done(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct test_job *test = (struct test_job *)(void *)job;

    (void)err;
    test->rc = rc;
    test->reports++;
    test->order = atomic_fetch_add(&test->world->reports, 1) + 1;
    test->opened_at_done = faulty_vfs_opened();
    (void)sem_post(&test->world->done);
}

static struct test_job *
add_job(struct world *world, const char *key, enum lb_err verdict)
{
    struct test_job *job = &world->jobs[world->job_count++];

    memset(job, 0, sizeof(*job));
    job->job = (struct writer_job){.run = job_run,
                                   .done = job_done,
                                   .event_count = 1,
                                   .bytes = 100,
                                   .is_append = true};
    job->world = world;
    job->key = key;
    job->verdict = verdict;
    return job;
}

static void submit(struct test_job *job)
{
    assert_int_equal(writer_submit(job->world->writer, &job->job), LB_OK);
}

static void wait_for(struct world *world, int count)
{
    for (int i = 0; i < count; i++) {
        while (sem_wait(&world->done) != 0) {
        }
    }
}

static void start(struct world *world)
{
    struct lb_error err = {LB_OK, ""};

    assert_int_equal(writer_start(world->writer, &err), LB_OK);
}

/* Looks with a connection of its own: what is on disk. */
static int64_t stored(const struct world *world, const char *key)
{
    struct lb_error err = {LB_OK, ""};
    struct db *db = NULL;
    int64_t value = -1;

    if (db_open(world->dir, DB_READER, &db, &err) != LB_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(db_meta_get(db, key, 0, &value, &err), LB_OK);
    db_close(db);
    return value;
}

static int open_world(void **state)
{
    static struct world world;
    const struct writer_limits limits = {
        .queue_events = 10, .queue_bytes = 100000, .group_events = 100};
    struct writer_member member = {&world, member_begin, NULL, member_committed,
                                   member_rolled_back};
    struct writer_derive derive = {&world, derive_run, derive_undone,
                                   derive_committed, NULL};
    struct lb_error err = {LB_OK, ""};

    memset(&world, 0, sizeof(world));
    temp_dir_make(world.dir);
    faulty_vfs_install();
    if (writer_new(NULL, world.dir, &limits, &world.writer, &err) != LB_OK) {
        fail_msg("%s", err.text);
    }
    writer_add_member(world.writer, &member);
    writer_set_derive(world.writer, &derive);
    *state = &world;
    return sem_init(&world.done, 0, 0);
}

static int close_world(void **state)
{
    struct world *world = *state;

    writer_stop(world->writer);
    writer_free(world->writer);
    faulty_vfs_remove();
    (void)sem_destroy(&world->done);
    temp_dir_remove(world->dir);
    return 0;
}

static void jobs_that_wait_share_a_transaction(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < 3; i++) {
        submit(add_job(world, "a", LB_OK));
    }
    start(world);
    wait_for(world, 3);
    assert_int_equal(world->begins, 1);
    assert_int_equal(world->commits, 1);
    assert_int_equal(world->derive_commits, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(world->jobs[i].rc, LB_OK);
        assert_int_equal(world->jobs[i].order, i + 1);
    }
    assert_int_equal(stored(world, "a"), 3);
}

static void a_job_at_fault_is_undone_alone(void **state)
{
    struct world *world = *state;

    submit(add_job(world, "a", LB_OK));
    submit(add_job(world, "bad", LB_EINVAL));
    submit(add_job(world, "b", LB_OK));
    start(world);
    wait_for(world, 3);
    assert_int_equal(world->jobs[0].rc, LB_OK);
    assert_int_equal(world->jobs[1].rc, LB_EINVAL);
    assert_int_equal(world->jobs[2].rc, LB_OK);
    assert_int_equal(stored(world, "a"), 1);
    assert_int_equal(stored(world, "bad"), 0);
    assert_int_equal(stored(world, "b"), 1);
    assert_int_equal(world->memory, 2);
}

static void other_jobs_have_transactions_of_their_own(void **state)
{
    struct world *world = *state;

    submit(add_job(world, "a", LB_OK));
    add_job(world, "b", LB_OK)->job.is_append = false;
    submit(&world->jobs[1]);
    submit(add_job(world, "c", LB_OK));
    start(world);
    wait_for(world, 3);
    assert_int_equal(world->commits, 2);
    assert_int_equal(world->jobs[2].order, 2); /* with a */
    assert_int_equal(world->jobs[1].order, 3);
}

/* Events and other jobs take turns: neither waits for all of the other. */
static void events_and_other_jobs_take_turns(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < 3; i++) {
        add_job(world, "own", LB_OK)->job.is_append = false;
        submit(&world->jobs[i]);
    }
    submit(add_job(world, "a", LB_OK));
    start(world);
    wait_for(world, 4);
    assert_true(world->jobs[3].order <= 2);
    assert_int_equal(world->jobs[2].order, 4);
}

/* Who sends much leaves room, and a turn, for who sends little. */
static void one_sender_holds_up_no_other(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < 8; i++) {
        submit(add_job(world, "much", LB_OK));
    }
    add_job(world, "much", LB_OK);
    assert_int_equal(writer_submit(world->writer, &world->jobs[8].job),
                     LB_ELIMIT);
    assert_string_equal(world->jobs[8].job.err.text, "queue_events");
    add_job(world, "little", LB_OK)->job.sender = 1;
    submit(&world->jobs[9]);
    start(world);
    wait_for(world, 9);
    assert_int_equal(stored(world, "much"), 8);
    assert_int_equal(stored(world, "little"), 1);
    submit(&world->jobs[8]);
    wait_for(world, 1);
}

static void background_waits_for_the_others(void **state)
{
    struct world *world = *state;

    add_job(world, "later", LB_OK)->job.is_background = true;
    submit(&world->jobs[0]);
    submit(add_job(world, "a", LB_OK));
    submit(add_job(world, "b", LB_OK));
    start(world);
    wait_for(world, 3);
    assert_int_equal(world->jobs[0].order, 3);
}

static void a_full_queue_refuses(void **state)
{
    struct world *world = *state;
    struct writer_status status;

    for (int i = 0; i < 10; i++) {
        add_job(world, "a", LB_OK)->job.sender = (uint64_t)i;
        submit(&world->jobs[i]);
    }
    add_job(world, "a", LB_OK)->job.sender = 10;
    assert_int_equal(writer_submit(world->writer, &world->jobs[10].job),
                     LB_ELIMIT);
    assert_string_equal(world->jobs[10].job.err.text, "queue_events");
    writer_get_status(world->writer, &status);
    assert_int_equal(status.queued_events, 10);
    assert_int_equal(status.queued_bytes, 1000);
    start(world);
    wait_for(world, 10);
    assert_int_equal(world->jobs[10].reports, 0);
    submit(&world->jobs[10]);
    wait_for(world, 1);
    assert_int_equal(stored(world, "a"), 11);
    writer_get_status(world->writer, &status);
    assert_int_equal(status.queued_events, 0);
    assert_int_equal(status.queued_bytes, 0);
}

static void a_queue_that_is_full_of_bytes_refuses(void **state)
{
    struct world *world = *state;
    struct writer_job *large;

    submit(add_job(world, "a", LB_OK));
    add_job(world, "a", LB_OK);
    large = &world->jobs[1].job;
    large->bytes = 100000;
    assert_int_equal(writer_submit(world->writer, large), LB_ELIMIT);
    assert_string_equal(large->err.text, "queue_bytes");
    start(world);
    wait_for(world, 1);

    submit(&world->jobs[1]); /* alone it is taken, however large */
    wait_for(world, 1);
    assert_int_equal(stored(world, "a"), 2);
}

/* Two jobs fail with the disk; tried again they hold, once. */
static void
check_fault(struct world *world, enum faulty_vfs_op op, enum lb_err want)
{
    struct writer_status status;

    submit(add_job(world, "a", LB_OK));
    submit(add_job(world, "a", LB_OK));
    faulty_vfs_fail(op, 0, 1);
    start(world);
    wait_for(world, 2);
    assert_int_equal(faulty_vfs_failed(op), 1);
    assert_int_equal(world->jobs[0].rc, want);
    assert_int_equal(world->jobs[1].rc, want);
    assert_int_equal(world->commits, 0);
    assert_int_equal(world->derive_commits, 0);
    assert_int_equal(world->rollbacks, 1);
    assert_true(world->derive_undos > 0);
    assert_int_equal(world->memory, 0);
    writer_get_status(world->writer, &status);
    assert_true(status.is_failing);
    assert_int_equal(stored(world, "a"), 0);

    submit(&world->jobs[0]);
    submit(&world->jobs[1]);
    wait_for(world, 2);
    assert_int_equal(world->jobs[0].rc, LB_OK);
    assert_int_equal(world->jobs[1].rc, LB_OK);
    assert_int_equal(world->memory, 2);
    assert_int_equal(stored(world, "a"), 2);
    writer_get_status(world->writer, &status);
    assert_false(status.is_failing);
}

static void a_failed_sync_acknowledges_nothing(void **state)
{
    struct world *world = *state;
    int opened = faulty_vfs_opened();

    check_fault(world, FAULTY_VFS_SYNC, LB_EIO);
    assert_true(world->jobs[0].opened_at_done > opened);
}

static void a_full_disk_acknowledges_nothing(void **state)
{
    check_fault(*state, FAULTY_VFS_WRITE, LB_EFULL);
}

/* One job at fault makes the group run singly; then a sync fails, and what
 * comes after it must not be acknowledged on the same connection. */
static void after_a_failed_sync_the_file_is_opened_anew_first(void **state)
{
    struct world *world = *state;
    int opened = faulty_vfs_opened();

    submit(add_job(world, "bad", LB_EINVAL));
    submit(add_job(world, "a", LB_OK));
    submit(add_job(world, "b", LB_OK));
    faulty_vfs_fail(FAULTY_VFS_SYNC, 0, 1);
    start(world);
    wait_for(world, 3);
    assert_int_equal(world->jobs[1].rc, LB_EIO);
    if (world->jobs[2].rc == LB_OK) {
        assert_true(world->jobs[2].opened_at_done > opened);
        assert_int_equal(stored(world, "b"), 1);
    }
    assert_int_equal(stored(world, "a"), 0);
}

static void a_file_that_cannot_be_opened_again_is_tried_again(void **state)
{
    struct world *world = *state;

    faulty_vfs_fail(FAULTY_VFS_SYNC, 0, 1);
    submit(add_job(world, "a", LB_OK));
    start(world);
    wait_for(world, 1);
    assert_int_equal(world->jobs[0].rc, LB_EIO);
    faulty_vfs_fail(FAULTY_VFS_OPEN, 0, 1);
    submit(&world->jobs[0]);
    wait_for(world, 1);
    assert_int_equal(world->jobs[0].rc, LB_EIO);
    submit(&world->jobs[0]);
    wait_for(world, 1);
    assert_int_equal(world->jobs[0].rc, LB_OK);
    assert_int_equal(stored(world, "a"), 1);
}

/* Posts when the fault is over. */
static bool watch(void *ctx, struct db *db)
{
    struct world *world = ctx;
    struct writer_status status;

    (void)db;
    writer_get_status(world->writer, &status);
    if (!status.is_failing && world->rollbacks > 0) {
        (void)sem_post(&world->done);
    }
    return false;
}

static void a_fault_is_over_without_another_job(void **state)
{
    struct world *world = *state;
    struct timespec until;

    writer_add_chore(world->writer, "watch", watch, world, 1);
    faulty_vfs_fail(FAULTY_VFS_SYNC, 0, 1);
    submit(add_job(world, "a", LB_OK));
    start(world);
    wait_for(world, 1);
    assert_int_equal(world->jobs[0].rc, LB_EIO);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += 20;
    assert_int_equal(sem_timedwait(&world->done, &until), 0);
}

static void an_append_holds_though_deriving_fails(void **state)
{
    struct world *world = *state;
    struct writer_status status;

    world->derive_verdict = LB_EINTERNAL;
    submit(add_job(world, "a", LB_OK));
    start(world);
    wait_for(world, 1);
    assert_int_equal(world->jobs[0].rc, LB_OK);
    assert_int_equal(stored(world, "a"), 1);
    assert_int_equal(stored(world, "derived"), 0);
    assert_int_equal(world->derives, 1);
    assert_int_equal(world->derive_undos, 1);
    assert_int_equal(world->commits, 1);
    writer_get_status(world->writer, &status);
    assert_true(status.is_derive_failing);
    assert_string_equal(status.last_error.text, "a fault in deriving");
}

static void past_its_size_the_database_takes_no_events(void **state)
{
    struct world *world = *state;
    const struct writer_limits limits = {.queue_events = 10,
                                         .queue_bytes = 100000,
                                         .group_events = 100,
                                         .max_db_bytes = 1};
    struct writer_status status;

    writer_set_limits(world->writer, &limits);
    submit(add_job(world, "a", LB_OK));
    add_job(world, "b", LB_OK)->job.is_append = false;
    submit(&world->jobs[1]);
    start(world);
    wait_for(world, 2);
    assert_int_equal(world->jobs[0].rc, LB_EFULL);
    assert_int_equal(world->jobs[1].rc, LB_OK);
    writer_get_status(world->writer, &status);
    assert_true(status.is_disk_full);
    assert_int_equal(stored(world, "a"), 0);
    assert_int_equal(stored(world, "b"), 1);
}

struct sender {
    struct world *world;
    struct test_job *jobs;
};

static void *send_all(void *ctx)
{
    struct sender *sender = ctx;

    for (int i = 0; i < JOBS_A_THREAD; i++) {
        if (writer_submit(sender->world->writer, &sender->jobs[i].job) !=
            LB_OK) {
            abort();
        }
    }
    return NULL;
}

static void many_threads_send_and_each_job_is_reported_once(void **state)
{
    struct world *world = *state;
    const struct writer_limits limits = {
        .queue_events = 100000, .queue_bytes = 100000000, .group_events = 64};
    const struct test_job *model = add_job(world, "a", LB_OK);
    struct test_job *jobs =
        calloc((size_t)THREADS * JOBS_A_THREAD, sizeof(*jobs));
    struct sender senders[THREADS];
    pthread_t threads[THREADS];

    assert_non_null(jobs);
    writer_set_limits(world->writer, &limits);
    for (int i = 0; i < THREADS * JOBS_A_THREAD; i++) {
        jobs[i] = *model;
    }
    start(world);
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){world, jobs + (size_t)i * JOBS_A_THREAD};
        assert_int_equal(
            pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    wait_for(world, THREADS * JOBS_A_THREAD);
    writer_stop(world->writer);
    for (int i = 0; i < THREADS * JOBS_A_THREAD; i++) {
        assert_int_equal(jobs[i].rc, LB_OK);
        assert_int_equal(jobs[i].reports, 1);
    }
    assert_int_equal(stored(world, "a"), THREADS * JOBS_A_THREAD);
    assert_true(world->commits <= THREADS * JOBS_A_THREAD);
    free(jobs);
}

static void stopping_runs_what_waits(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < 5; i++) {
        submit(add_job(world, "a", LB_OK));
    }
    start(world);
    writer_stop(world->writer);
    assert_int_equal(atomic_load(&world->reports), 5);
    assert_int_equal(stored(world, "a"), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(jobs_that_wait_share_a_transaction,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(a_job_at_fault_is_undone_alone,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(events_and_other_jobs_take_turns,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(one_sender_holds_up_no_other,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(
            other_jobs_have_transactions_of_their_own, open_world, close_world),
        cmocka_unit_test_setup_teardown(background_waits_for_the_others,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(a_full_queue_refuses, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(a_queue_that_is_full_of_bytes_refuses,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(a_failed_sync_acknowledges_nothing,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(a_full_disk_acknowledges_nothing,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(
            after_a_failed_sync_the_file_is_opened_anew_first, open_world,
            close_world),
        cmocka_unit_test_setup_teardown(
            a_file_that_cannot_be_opened_again_is_tried_again, open_world,
            close_world),
        cmocka_unit_test_setup_teardown(a_fault_is_over_without_another_job,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(an_append_holds_though_deriving_fails,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(
            past_its_size_the_database_takes_no_events, open_world,
            close_world),
        cmocka_unit_test_setup_teardown(
            many_threads_send_and_each_job_is_reported_once, open_world,
            close_world),
        cmocka_unit_test_setup_teardown(stopping_runs_what_waits, open_world,
                                        close_world),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
