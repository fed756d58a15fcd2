/* test_stream.c - which events a stream takes, where its batches end, and the
 * rows of a batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/stream.h"
#include "base/clock.h"
#include "base/json.h"
#include "tests/support/rule_world.h"

#define NOW_MS INGEST_WORLD_NOW_MS

/* What is asked for on the writer's thread, and what came of it. */
struct question {
    struct rule_world *world;
    cJSON *destination; /* owned */
    int64_t planned_seq;
    int64_t now_ms;
    struct stream_plan plan;
    char *whole; /* owned; a batch with its rows */
};

static void ask_for(struct question *question, const char *json)
{
    cJSON_Delete(question->destination);
    question->destination = cJSON_Parse(json);
    assert_non_null(question->destination);
}

static enum lb_err plan(void *ctx, struct db *db, struct lb_error *err)
{
    struct question *question = ctx;
    const struct stream_order order = {db, question->world->ingest.holder,
                                       question->destination, question->now_ms,
                                       false};
    enum lb_err rc;

    lb_buf_deinit(&question->plan.body);
    lb_buf_init(&question->plan.body, 65536);
    rc = stream_make_plan(&order, question->planned_seq, &question->plan, err);
    free(question->whole);
    question->whole = NULL;
    if (rc == LB_OK && question->plan.has_batch) {
        question->whole = strdup(lb_buf_text(&question->plan.body));
        rc = stream_add_rows(
            &(struct stream_source){db, question->world->ingest.catalog,
                                    question->destination, false},
            &question->whole, err);
    }
    return rc;
}

static void make_plan(struct question *question, int64_t planned_seq)
{
    question->planned_seq = planned_seq;
    assert_int_equal(ingest_world_run(&question->world->ingest, plan, question),
                     LB_OK);
}

/* The ids of the rows, joined by spaces; "|" stands between places. */
static void read_ids(const struct question *question, char *out, size_t bytes)
{
    const char *line = strchr(question->whole, '\n') + 1;
    size_t used = 0;

    out[0] = '\0';
    while (*line != '\0') {
        size_t len = strcspn(line, "\n");
        cJSON *row = len == 0 ? NULL : cJSON_ParseWithLength(line, len);

        used += (size_t)snprintf(out + used, bytes - used, "%s%s",
                                 used == 0 ? "" : " ",
                                 len == 0 ? "|" : lb_json_text(row, "id"));
        assert_true(used < bytes);
        cJSON_Delete(row);
        line += len + 1;
    }
}

/* e1 to e6: views, clicks and leads in turns, of both sites. */
static int set_up(void **state)
{
    static const enum entry_type types[] = {ENTRY_VIEW, ENTRY_CLICK,
                                            ENTRY_LEAD};
    struct rule_world *world = calloc(1, sizeof(*world));
    struct question *question = calloc(1, sizeof(*question));

    rule_world_open(world);
    for (int i = 0; i < 6; i++) {
        struct entry *entry = rule_world_event(
            world, types[i % 3], i % 2 == 0 ? RULE_WORLD_ALICE : RULE_WORLD_BOB,
            NOW_MS + i * 100);

        entry->traffic = i == 4 ? ENTRY_BOT : ENTRY_HUMAN;
        entry->text[ENTRY_TEXT_LINK] = i < 3 ? "shop" : "book";
    }
    rule_world_flush(world);
    question->world = world;
    question->now_ms = NOW_MS + LB_MS_PER_MIN;
    *state = question;
    return 0;
}

static int tear_down(void **state)
{
    struct question *question = *state;

    lb_buf_deinit(&question->plan.body);
    cJSON_Delete(question->destination);
    free(question->whole);
    rule_world_close(question->world);
    free(question->world);
    free(question);
    return 0;
}

static void bots_are_left_out_unless_they_are_asked_for(void **state)
{
    struct question *question = *state;
    char ids[128];

    ask_for(question, "{\"id\":\"x\",\"type\":\"csv\",\"stream\":"
                      "{\"types\":[\"all\"],\"from\":\"start\"}}");
    make_plan(question, -1);
    read_ids(question, ids, sizeof(ids));
    assert_string_equal(ids, "e1 e2 e3 e4 e6");
    ask_for(question, "{\"id\":\"x\",\"type\":\"csv\",\"stream\":"
                      "{\"types\":[\"all\"],\"from\":\"start\","
                      "\"filter\":\"traffic == [human, bot]\"}}");
    make_plan(question, -1);
    read_ids(question, ids, sizeof(ids));
    assert_string_equal(ids, "e1 e2 e3 e4 e5 e6");
}

static void types_sites_and_filter_choose(void **state)
{
    struct question *question = *state;
    char ids[128];

    ask_for(question, "{\"id\":\"x\",\"type\":\"csv\",\"stream\":"
                      "{\"types\":[\"click\",\"lead\"],\"from\":\"start\"}}");
    make_plan(question, -1);
    read_ids(question, ids, sizeof(ids));
    assert_string_equal(ids, "e2 e3 e6");
    ask_for(question, "{\"id\":\"x\",\"type\":\"csv\",\"stream\":"
                      "{\"types\":[\"all\"],\"sites\":[\"bob.*\"],"
                      "\"filter\":\"link == book\",\"from\":\"start\"}}");
    make_plan(question, -1);
    read_ids(question, ids, sizeof(ids));
    assert_string_equal(ids, "e4 e6");
}

static void a_batch_is_full_or_has_waited(void **state)
{
    struct question *question = *state;
    char ids[128];
    int64_t last_seq;

    ask_for(question,
            "{\"id\":\"x\",\"type\":\"csv\",\"stream\":{\"types\":[\"all\"],"
            "\"max_rows\":2,\"max_wait\":\"1h\",\"from\":\"start\"}}");
    make_plan(question, -1);
    read_ids(question, ids, sizeof(ids));
    assert_string_equal(ids, "e1 e2");
    last_seq = question->plan.planned_seq;
    make_plan(question, last_seq);
    read_ids(question, ids, sizeof(ids));
    assert_string_equal(ids, "e3 e4");
    make_plan(question, question->plan.planned_seq);
    assert_false(question->plan.has_batch); /* one is left, and has time */
    assert_true(question->plan.next_look_ms > question->now_ms);
    last_seq = question->plan.planned_seq;
    question->now_ms = NOW_MS + LB_MS_PER_HOUR + 1000;
    make_plan(question, last_seq);
    assert_true(question->plan.has_batch);
    read_ids(question, ids, sizeof(ids));
    assert_string_equal(ids, "e6");
    make_plan(question, question->plan.planned_seq);
    assert_false(question->plan.has_batch);
}

static void now_is_the_end_of_the_log(void **state)
{
    struct question *question = *state;
    int64_t end_seq;

    ask_for(question, "{\"id\":\"x\",\"type\":\"csv\",\"stream\":"
                      "{\"types\":[\"all\"],\"max_wait\":\"1ms\"}}");
    make_plan(question, -1);
    assert_false(question->plan.has_batch);
    end_seq = question->plan.planned_seq;
    (void)rule_world_event(question->world, ENTRY_VIEW, RULE_WORLD_ALICE,
                           NOW_MS + 700);
    rule_world_flush(question->world);
    make_plan(question, end_seq);
    assert_true(question->plan.has_batch);
    assert_non_null(strstr(question->whole, "\"id\":\"e7\""));
    assert_null(strstr(question->whole, "\"id\":\"e6\""));
}

static void places_have_their_rows_together(void **state)
{
    struct question *question = *state;
    char ids[128];

    ask_for(question, "{\"id\":\"x\",\"type\":\"s3\",\"stream\":"
                      "{\"types\":[\"all\"],\"from\":\"start\"}}");
    make_plan(question, -1);
    read_ids(question, ids, sizeof(ids));
    assert_string_equal(ids, "e1 e3 | e2 e4 e6");
}

static void a_batch_is_halved_until_one_number_is_left(void **state)
{
    struct question *question = *state;
    struct stream_plan half;
    struct lb_error err = {LB_OK, ""};
    char *body;
    int halves = 0;

    ask_for(question, "{\"id\":\"x\",\"type\":\"csv\",\"stream\":"
                      "{\"types\":[\"all\"],\"from\":\"start\"}}");
    make_plan(question, -1);
    body = strdup(lb_buf_text(&question->plan.body));
    do {
        lb_buf_init(&half.body, 65536);
        assert_int_equal(stream_halve(question->destination, body, &half, &err),
                         LB_OK);
        if (half.has_batch) {
            free(body);
            body = strdup(lb_buf_text(&half.body));
            halves++;
            assert_non_null(strstr(body, half.id));
            assert_non_null(strstr(body, "\"types\":[\"all\"]"));
            assert_true(half.planned_seq < question->plan.planned_seq);
        }
        lb_buf_deinit(&half.body);
    } while (half.has_batch);
    assert_int_equal(halves, 3); /* 1 to 6, to 3, to 2, to 1 */
    assert_non_null(strstr(body, "\"first\":1,\"last\":1"));
    free(body);
}

static void what_a_destination_does_not_take_is_in_no_row(void **state)
{
    struct question *question = *state;
    struct entry *entry = rule_world_event(question->world, ENTRY_LEAD,
                                           RULE_WORLD_ALICE, NOW_MS + 900);

    entry->contact[ENTRY_CONTACT_EMAIL] = "zoe@example.com";
    entry->contact[ENTRY_CONTACT_NAME] = "Zoe";
    rule_world_flush(question->world);
    ask_for(question, "{\"id\":\"x\",\"type\":\"csv\",\"contact\":[\"name\"],"
                      "\"stream\":{\"types\":[\"lead\"],\"from\":\"start\"}}");
    make_plan(question, -1);
    assert_non_null(strstr(question->whole, "Zoe"));
    assert_null(strstr(question->whole, "zoe@example.com"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bots_are_left_out_unless_they_are_asked_for),
        TEST(types_sites_and_filter_choose),
        TEST(a_batch_is_full_or_has_waited),
        TEST(now_is_the_end_of_the_log),
        TEST(places_have_their_rows_together),
        TEST(a_batch_is_halved_until_one_number_is_left),
        TEST(what_a_destination_does_not_take_is_in_no_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
