/* test_dict.c - short texts as numbers, in step with the transactions. */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sql/dict.h"

struct world {
    struct writer *writer;
    struct dict *dict;
    sem_t done;
    struct writer_job job;
    enum lb_err rc;
    enum entry_dict column;
    const char *text;
    enum lb_err verdict;
    int64_t number;
};

static struct world *world_of(struct writer_job *job)
{
    return (struct world *)(void *)((char *)job - offsetof(struct world, job));
}

static enum lb_err
run(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct world *world = world_of(job);
    enum lb_err rc = dict_intern(world->dict, db, world->column, world->text,
                                 &world->number, err);

    return rc == LB_OK && world->verdict != LB_OK
               ? lb_err_set(err, world->verdict, "a fault")
               : rc;
}

static void
done(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    (void)err;
    world_of(job)->rc = rc;
    (void)sem_post(&world_of(job)->done);
}

static int64_t
intern(struct world *world, enum entry_dict column, const char *text)
{
    world->column = column;
    world->text = text;
    world->number = -1;
    world->job =
        (struct writer_job){.run = run, .done = done, .is_append = true};
    assert_int_equal(writer_submit(world->writer, &world->job), LB_OK);
    while (sem_wait(&world->done) != 0) {
    }
    assert_int_equal(world->rc, world->verdict);
    return world->number;
}

static int open_world(void **state)
{
    static struct world world;
    const struct writer_limits limits = {
        .queue_events = 10, .queue_bytes = 1000, .group_events = 100};
    struct lb_error err = {LB_OK, ""};

    memset(&world, 0, sizeof(world));
    *state = &world;
    return sem_init(&world.done, 0, 0) != 0 ||
           writer_new(NULL, ":memory:", &limits, &world.writer, &err) !=
               LB_OK ||
           dict_new(world.writer, &world.dict, &err) != LB_OK ||
           writer_start(world.writer, &err) != LB_OK;
}

static int close_world(void **state)
{
    struct world *world = *state;

    writer_stop(world->writer);
    dict_free(world->dict);
    writer_free(world->writer);
    return sem_destroy(&world->done);
}

static void a_text_keeps_its_number(void **state)
{
    struct world *world = *state;
    int64_t shop = intern(world, ENTRY_DICT_LINK, "shop");
    int64_t about = intern(world, ENTRY_DICT_LINK, "about");

    assert_true(shop > 0);
    assert_true(about > 0);
    assert_int_not_equal(shop, about);
    assert_int_equal(intern(world, ENTRY_DICT_LINK, "shop"), shop);
    assert_int_not_equal(intern(world, ENTRY_DICT_SOURCE, "shop"), shop);
    assert_int_equal(intern(world, ENTRY_DICT_LINK, NULL), 0);
}

/* Memory that kept the number would point events at a row that isn't there. */
static void what_is_undone_is_interned_again(void **state)
{
    struct world *world = *state;
    struct lb_error err = {LB_OK, ""};
    int64_t number;
    int64_t found = 0;

    world->verdict = LB_EINVAL;
    (void)intern(world, ENTRY_DICT_LINK, "shop");
    world->verdict = LB_OK;
    number = intern(world, ENTRY_DICT_LINK, "shop");
    writer_stop(world->writer);
    assert_int_equal(dict_find(writer_db(world->writer), ENTRY_DICT_LINK,
                               "shop", &found, &err),
                     LB_OK);
    assert_int_equal(found, number);
}

static void many_texts_are_all_found(void **state)
{
    struct world *world = *state;
    struct dict_cache *cache = dict_cache_new();
    struct lb_error err = {LB_OK, ""};
    int64_t numbers[2000];
    char text[] = "0000";

    assert_non_null(cache);
    for (int i = 0; i < 2000; i++) {
        text[0] = (char)('0' + i / 1000);
        text[1] = (char)('0' + i / 100 % 10);
        text[2] = (char)('0' + i / 10 % 10);
        text[3] = (char)('0' + i % 10);
        numbers[i] = intern(world, ENTRY_DICT_UTM_CAMPAIGN, text);
    }
    assert_int_equal(intern(world, ENTRY_DICT_UTM_CAMPAIGN, "0007"),
                     numbers[7]);
    writer_stop(world->writer);
    for (int i = 0; i < 2000; i++) {
        const char *got =
            dict_cache_text(cache, writer_db(world->writer), numbers[i]);
        int64_t found = 0;

        assert_non_null(got);
        assert_int_equal(dict_find(writer_db(world->writer),
                                   ENTRY_DICT_UTM_CAMPAIGN, got, &found, &err),
                         LB_OK);
        assert_int_equal(found, numbers[i]);
    }
    assert_null(dict_cache_text(cache, writer_db(world->writer), 0));
    assert_null(dict_cache_text(cache, writer_db(world->writer), 999999));
    dict_cache_free(cache);
}

static void a_text_that_no_event_had_is_zero(void **state)
{
    struct world *world = *state;
    struct lb_error err = {LB_OK, ""};
    int64_t found = -1;

    (void)intern(world, ENTRY_DICT_LINK, "shop");
    writer_stop(world->writer);
    assert_int_equal(dict_find(writer_db(world->writer), ENTRY_DICT_SOURCE,
                               "shop", &found, &err),
                     LB_OK);
    assert_int_equal(found, 0);
    dict_cache_free(NULL);
}

#define IN_A_WORLD(test)                                                       \
    cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(a_text_keeps_its_number),
        IN_A_WORLD(what_is_undone_is_interned_again),
        IN_A_WORLD(many_texts_are_all_found),
        IN_A_WORLD(a_text_that_no_event_had_is_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
