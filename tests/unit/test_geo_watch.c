/* test_geo_watch.c - the running service's country database and its changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/log.h"
#include "geo/geo_watch.h"
#include "tests/support/mmdb_file.h"
#include "tests/support/temp_dir.h"

#define PATH_BYTES (TEMP_DIR_BYTES + 16)
#define DEADLINE_MS 20000
#define NEVER_MS 3600000

struct fixture {
    char dir[TEMP_DIR_BYTES];
    char path[PATH_BYTES];
    struct lb_config_list none;
    struct geo_watch *watch;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof(fixture));
    temp_dir_make(fixture.dir);
    (void)snprintf(fixture.path, sizeof(fixture.path), "%s/geo.mmdb",
                   fixture.dir);
    lb_log_set_level(LB_LOG_ERROR);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    geo_watch_free(fixture->watch);
    temp_dir_remove(fixture->dir);
    return 0;
}

static void start(struct fixture *fixture, int64_t poll_ms)
{
    struct lb_error err;

    assert_int_equal(geo_watch_new(&fixture->none, fixture->dir, poll_ms,
                                   &fixture->watch, &err),
                     LB_OK);
}

static struct geo_place look_up(struct geo_watch *watch)
{
    const struct geo *geo = geo_watch_current(watch);
    struct geo_place place = {"", "", ""};
    struct sockaddr_storage address;
    struct lb_ip ip;

    assert_true(lb_ip_parse("1.1.1.1", &ip));
    lb_ip_to(&ip, &address);
    if (geo != NULL) {
        assert_int_equal(
            geo_find(geo, (const struct sockaddr *)&address, &place), LB_OK);
    }
    geo_close(geo);
    return place;
}

static void wait_for(struct geo_watch *watch, const char *country)
{
    int64_t until_ms = lb_clock_mono_ms() + DEADLINE_MS;

    while (strcmp(look_up(watch).country, country) != 0) {
        assert_true(lb_clock_mono_ms() < until_ms);
        (void)sched_yield();
    }
}

static void wait_for_state(struct geo_watch *watch, const char *state)
{
    int64_t until_ms = lb_clock_mono_ms() + DEADLINE_MS;

    while (strcmp(geo_watch_state(watch), state) != 0) {
        assert_true(lb_clock_mono_ms() < until_ms);
        (void)sched_yield();
    }
}

static void put_rubbish(const char *path)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs("no database", file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void the_file_of_the_data_directory_is_the_default(void **state)
{
    struct fixture *fixture = *state;

    mmdb_file_write(fixture->path, "FR");
    start(fixture, NEVER_MS);
    assert_string_equal(look_up(fixture->watch).country, "FR");
    assert_string_equal(geo_watch_state(fixture->watch), "ok");
}

static void without_a_file_places_are_unknown_until_there_is_one(void **state)
{
    struct fixture *fixture = *state;

    start(fixture, 1);
    assert_string_equal(geo_watch_state(fixture->watch), "missing");
    assert_null(geo_watch_current(fixture->watch));
    mmdb_file_write(fixture->path, "FR");
    wait_for(fixture->watch, "FR");
    assert_string_equal(geo_watch_state(fixture->watch), "ok");
}

static void a_changed_file_is_taken(void **state)
{
    struct fixture *fixture = *state;

    mmdb_file_write(fixture->path, "FR");
    start(fixture, 1);
    mmdb_file_write(fixture->path, "DE");
    wait_for(fixture->watch, "DE");
}

static void a_bad_file_leaves_the_old_one_in_place(void **state)
{
    struct fixture *fixture = *state;

    mmdb_file_write(fixture->path, "FR");
    start(fixture, 1);
    put_rubbish(fixture->path);
    wait_for_state(fixture->watch, "failing");
    assert_string_equal(look_up(fixture->watch).country, "FR");
    assert_int_equal(unlink(fixture->path), 0);
    mmdb_file_write(fixture->path, "DE");
    wait_for(fixture->watch, "DE");
    assert_string_equal(geo_watch_state(fixture->watch), "ok");
}

static void a_bad_file_at_the_start_is_no_error(void **state)
{
    struct fixture *fixture = *state;

    put_rubbish(fixture->path);
    start(fixture, NEVER_MS);
    assert_string_equal(geo_watch_state(fixture->watch), "failing");
    assert_null(geo_watch_current(fixture->watch));
}

static void a_reload_takes_the_list_of_new_settings(void **state)
{
    struct fixture *fixture = *state;
    char other[PATH_BYTES];
    const struct lb_config_list list = {1, {other}};

    (void)snprintf(other, sizeof(other), "%s/other.mmdb", fixture->dir);
    mmdb_file_write(fixture->path, "FR");
    mmdb_file_write(other, "DE");
    start(fixture, NEVER_MS);
    geo_watch_reload(fixture->watch, &list);
    wait_for(fixture->watch, "DE");
    geo_watch_reload(fixture->watch, &fixture->none);
    wait_for(fixture->watch, "FR");
}

static void too_many_files_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct lb_config_list list = {GEO_FILES + 1, {NULL}};
    struct lb_error err;

    for (size_t i = 0; i < list.count; i++) {
        list.values[i] = fixture->path;
    }
    assert_int_equal(
        geo_watch_new(&list, fixture->dir, NEVER_MS, &fixture->watch, &err),
        LB_EINVAL);
    assert_null(fixture->watch);
}

/* --- look-ups while the file changes -------------------------------------- */

struct reader {
    struct geo_watch *watch;
    _Atomic bool is_over;
    size_t looked_up;
    size_t failed;
};

static void *read_on(void *arg)
{
    struct reader *reader = arg;

    while (!atomic_load(&reader->is_over)) {
        struct geo_place place = look_up(reader->watch);

        reader->looked_up++;
        reader->failed +=
            strcmp(place.country, "FR") != 0 && strcmp(place.country, "DE") != 0
                ? 1
                : 0;
    }
    return NULL;
}

static void no_look_up_fails_while_files_change(void **state)
{
    struct fixture *fixture = *state;
    struct reader readers[3];
    pthread_t threads[3];

    mmdb_file_write(fixture->path, "FR");
    start(fixture, NEVER_MS);
    for (size_t i = 0; i < 3; i++) {
        readers[i].watch = fixture->watch;
        atomic_init(&readers[i].is_over, false);
        readers[i].looked_up = 0;
        readers[i].failed = 0;
        assert_int_equal(
            pthread_create(&threads[i], NULL, read_on, &readers[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        mmdb_file_write(fixture->path, i % 2 == 0 ? "DE" : "FR");
        geo_watch_reload(fixture->watch, &fixture->none);
        wait_for(fixture->watch, i % 2 == 0 ? "DE" : "FR");
    }
    for (size_t i = 0; i < 3; i++) {
        atomic_store(&readers[i].is_over, true);
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(readers[i].looked_up > 0);
        assert_int_equal(readers[i].failed, 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_file_of_the_data_directory_is_the_default),
        TEST(without_a_file_places_are_unknown_until_there_is_one),
        TEST(a_changed_file_is_taken),
        TEST(a_bad_file_leaves_the_old_one_in_place),
        TEST(a_bad_file_at_the_start_is_no_error),
        TEST(a_reload_takes_the_list_of_new_settings),
        TEST(too_many_files_are_refused),
        TEST(no_look_up_fails_while_files_change),
    };

    return cmocka_run_group_tests_name("geo_watch", tests, NULL, NULL);
}
