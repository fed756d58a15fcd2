/* test_engagement_store.c - engagements belong to a visit that is under way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "ingest/event_store.h"
#include "sql/log_store.h"
#include "tests/support/ingest_world.h"

#define NOW_MS INGEST_WORLD_NOW_MS
#define EVENTS 8
#define OF(visitor)                                                            \
    "{\"type\":\"view\",\"site\":\"alice.bio\",\"url\":\"/p\",\"visitor\":"    \
    "\"" visitor "\"}"
#define OF_NOBODY "{\"type\":\"view\",\"site\":\"alice.bio\",\"url\":\"/p\"}"

struct world {
    struct ingest_world ingest;
    struct lb_arena *arena;
    /* A request. */
    struct event *events[EVENTS];
    size_t count;
    bool is_failing; /* after the append */
    /* The log: what is no event. */
    char lines[EVENTS][160];
    size_t line_count;
    size_t event_count;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    lb_clock_fake_wall(NOW_MS);
    ingest_world_open(&world->ingest, ":memory:");
    world->arena = lb_arena_new((size_t)1 << 20);
    assert_non_null(world->arena);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    lb_arena_free(world->arena);
    ingest_world_close(&world->ingest);
    free(world);
    lb_clock_fake_wall(-1);
    return 0;
}

static struct event *add(struct world *world, const char *text)
{
    struct event_context context;
    struct lb_json_fault json_fault;
    struct event_fault fault;
    struct event *event = lb_arena_calloc(world->arena, sizeof(*event));
    cJSON *json = NULL;

    assert_true(world->count < EVENTS);
    ingest_world_context(&world->ingest, &context);
    assert_int_equal(
        lb_json_parse(text, strlen(text), 32, world->arena, &json, &json_fault),
        LB_OK);
    if (!event_read(&context, json, world->arena, event, &fault)) {
        fail_msg("%s: %s", text, fault.message);
    }
    world->events[world->count++] = event;
    return event;
}

static struct event *engage(struct world *world, const char *text)
{
    struct event *event = add(world, text);

    assert_true(event_engage(event, 80, 5300, world->arena));
    return event;
}

static enum lb_err append(void *ctx, struct db *db, struct lb_error *err)
{
    struct world *world = ctx;
    bool is_duplicate[EVENTS];
    const struct event_batch batch = {world->events, is_duplicate, world->count,
                                      NULL};
    enum lb_err rc = event_store_append(world->ingest.store, db, &batch, err);

    for (size_t i = 0; i < world->count; i++) {
        assert_false(is_duplicate[i]);
    }
    return rc == LB_OK && world->is_failing
               ? lb_err_set(err, LB_EINTERNAL, "on purpose")
               : rc;
}

/* Appends what was added; the next request begins. */
static void run_request(struct world *world)
{
    assert_int_equal(ingest_world_run(&world->ingest, append, world), LB_OK);
    world->count = 0;
}

static enum lb_err list(void *ctx, struct db *db, struct lb_error *err)
{
    struct log_range range = {.upto_seq = INT64_MAX,
                              .from_at_ms = INT64_MIN,
                              .to_at_ms = INT64_MAX,
                              .has_other_kinds = true};
    struct dict_cache *cache = dict_cache_new();
    struct world *world = ctx;
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    enum lb_err rc = log_reader_open(db, cache, &range, &reader, err);

    world->line_count = 0;
    world->event_count = 0;
    while (rc == LB_OK &&
           (rc = log_reader_next(reader, &entry, err)) == LB_OK &&
           entry != NULL) {
        if (entry->kind == ENTRY_EVENT) {
            world->event_count++;
        } else {
            assert_int_equal(entry->kind, ENTRY_ENGAGEMENT);
            (void)snprintf(world->lines[world->line_count++],
                           sizeof(world->lines[0]), "%s", entry->data);
        }
    }
    log_reader_close(reader);
    dict_cache_free(cache);
    return rc;
}

static void check_log(struct world *world, size_t events, size_t others)
{
    assert_int_equal(ingest_world_run(&world->ingest, list, world), LB_OK);
    assert_int_equal(world->event_count, events);
    assert_int_equal(world->line_count, others);
}

static void it_is_kept_with_its_visitor_and_page(void **state)
{
    struct world *world = *state;
    char wanted[160];
    int64_t day;

    (void)add(world, OF("v"));
    day = engage(world, OF("v"))->entry.visitor_day;
    run_request(world);
    (void)snprintf(wanted, sizeof(wanted),
                   "{\"site\":1,\"visitor_day\":%lld,\"visitor\":1,\"ms\":5300,"
                   "\"scroll\":80,\"page\":\"/p\"}",
                   (long long)day);
    check_log(world, 1, 1);
    assert_string_equal(world->lines[0], wanted);
}

static void without_a_visit_of_a_person_it_is_dropped(void **state)
{
    struct world *world = *state;
    const struct event *early = engage(world, OF("v"));
    const struct event *other;
    const struct event *nobody;
    struct event *bot;

    (void)add(world, OF("v"));
    other = engage(world, OF("w"));
    nobody = engage(world, OF_NOBODY);
    bot = engage(world, OF("v"));
    bot->entry.traffic = ENTRY_BOT;
    run_request(world);
    assert_true(early->is_dropped);
    assert_true(other->is_dropped);
    assert_true(nobody->is_dropped);
    assert_true(bot->is_dropped);
    check_log(world, 1, 0);
}

static void a_machines_visit_is_no_persons(void **state)
{
    struct world *world = *state;
    const struct event *event;

    add(world, OF("v"))->entry.traffic = ENTRY_BOT;
    event = engage(world, OF("v"));
    run_request(world);
    assert_true(event->is_dropped);
    check_log(world, 1, 0);
}

static void it_may_be_repeated(void **state)
{
    struct world *world = *state;

    (void)add(world, OF("v"));
    (void)engage(world, OF("v"));
    (void)engage(world, OF("v"));
    run_request(world);
    check_log(world, 1, 2);
}

static void it_prolongs_no_visit_and_makes_no_visitor(void **state)
{
    struct world *world = *state;
    const struct event *event;

    (void)add(world, OF("v"));
    run_request(world);
    lb_clock_fake_wall(NOW_MS + DECIDE_WINDOW_MS);
    (void)engage(world, OF("w"));
    event = engage(world, OF("v"));
    run_request(world);
    assert_false(event->is_dropped);
    lb_clock_fake_wall(NOW_MS + DECIDE_WINDOW_MS + 1);
    event = engage(world, OF("v"));
    (void)add(world, OF("x"));
    run_request(world);
    assert_true(event->is_dropped);
    assert_int_equal(world->events[1]->entry.visitor, 2);
    check_log(world, 2, 1);
}

static void what_was_undone_is_taken_when_it_is_repeated(void **state)
{
    struct world *world = *state;

    (void)add(world, OF("v"));
    run_request(world);
    (void)engage(world, OF("v"));
    world->is_failing = true;
    assert_int_equal(ingest_world_run(&world->ingest, append, world),
                     LB_EINTERNAL);
    world->is_failing = false;
    run_request(world);
    check_log(world, 1, 1);
}

static void a_full_arena_leaves_the_event_as_it_was(void **state)
{
    struct world *world = *state;
    struct lb_arena *full = lb_arena_new(1);
    struct event *event = add(world, OF("v"));

    assert_non_null(full);
    assert_false(event_engage(event, 50, 1000, full));
    assert_int_equal(event->entry.kind, ENTRY_EVENT);
    assert_null(event->engagement);
    lb_arena_free(full);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_kept_with_its_visitor_and_page),
        TEST(without_a_visit_of_a_person_it_is_dropped),
        TEST(a_machines_visit_is_no_persons),
        TEST(it_may_be_repeated),
        TEST(it_prolongs_no_visit_and_makes_no_visitor),
        TEST(what_was_undone_is_taken_when_it_is_repeated),
        TEST(a_full_arena_leaves_the_event_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
