/* test_batch.c - the events of one request: large bodies are read like small
 * ones, in less memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "ingest/batch.h"
#include "tests/support/ingest_world.h"

#define LINES 400

static const struct batch_limits limits = {.body_inflated_bytes = 1 << 20,
                                           .events = 10000,
                                           .event_bytes = 64 * 1024,
                                           .json_depth = 32};

static int set_up(void **state)
{
    struct ingest_world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    ingest_world_open(world, ":memory:");
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    ingest_world_close(*state);
    free(*state);
    return 0;
}

/* Every third one is refused. */
static void add_line(struct lb_buf *body, int number)
{
    lb_buf_printf(
        body,
        "{\"type\":\"%s\",\"site\":\"%s\",\"id\":\"id-%d\",\"name\":\"n%d\","
        "\"link\":\"l%d\",\"url\":\"https://alice.bio/p%d?utm_source=s%d&"
        "utm_campaign=C%%20%d\",\"referrer\":\"https://r%d.example/a\","
        "\"visitor\":\"v%d\",\"utm\":{\"term\":\"t%d\"},\"country\":\"FR\","
        "\"city\":\"c%d\",\"value\":{\"amount\":%d,\"currency\":\"EUR\"},"
        "\"contact\":{\"email\":\"e%d@example.org\",\"phone\":\"%d\"},"
        "\"props\":{\"a\":\"%d\",\"b\":true}}\n",
        number % 2 == 0 ? "view" : "lead",
        number % 3 == 2 ? "nobody.bio" : "alice.bio", number, number, number,
        number, number, number, number, number, number, number, number, number,
        number, number);
}

static void read_sent(struct ingest_world *world,
                      const struct lb_buf *body,
                      bool is_lines,
                      struct batch *batch)
{
    const struct batch_body sent = {LB_INFLATE_NONE, is_lines,
                                    lb_buf_text(body), body->len};
    struct event_context context;

    ingest_world_context(world, &context);
    for (int i = 0; i < ENTRY_CONTACT_COUNT; i++) {
        context.is_contact_kept[i] = true;
    }
    batch_init(batch);
    batch_read(batch, &context, &limits, &sent);
    assert_int_equal(batch->status, 0);
}

static void read_body(struct ingest_world *world,
                      const struct lb_buf *body,
                      struct batch *batch)
{
    read_sent(world, body, true, batch);
}

static void assert_same_text(const char *a, const char *b, int line, int which)
{
    if ((a == NULL) != (b == NULL) || (a != NULL && strcmp(a, b) != 0)) {
        fail_msg("line %d, text %d: %s, not %s", line, which,
                 a == NULL ? "none" : a, b == NULL ? "none" : b);
    }
}

static void
assert_same_event(const struct event *a, const struct event *b, int line)
{
    for (int i = 0; i < ENTRY_TEXT_COUNT; i++) {
        assert_same_text(a->entry.text[i], b->entry.text[i], line, i);
    }
    for (int i = 0; i < ENTRY_CONTACT_COUNT; i++) {
        assert_same_text(a->entry.contact[i], b->entry.contact[i], line,
                         100 + i);
    }
    assert_int_equal(a->entry.id_hash, b->entry.id_hash);
    assert_int_equal(a->entry.amount_hundredths, b->entry.amount_hundredths);
    assert_int_equal(a->visitor_hash, b->visitor_hash);
    assert_int_equal(a->own, b->own);
}

static void a_large_body_is_read_as_its_lines_alone_are(void **state)
{
    struct batch large;
    struct lb_buf body;
    size_t at = 0;

    lb_buf_init(&body, 1 << 20);
    for (int i = 0; i < LINES; i++) {
        add_line(&body, i);
    }
    read_body(*state, &body, &large);
    assert_int_equal(large.sent_count, LINES);
    for (int i = 0; i < LINES; i++) {
        struct batch alone;

        lb_buf_clear(&body);
        add_line(&body, i);
        read_body(*state, &body, &alone);
        assert_int_equal(alone.event_count, i % 3 == 2 ? 0 : 1);
        if (alone.event_count == 1) {
            assert_same_event(large.events[at++], alone.events[0], i);
        }
        batch_deinit(&alone);
    }
    assert_int_equal(large.event_count, at);
    assert_int_equal(large.rejected_count, LINES - at);
    batch_deinit(&large);
    lb_buf_deinit(&body);
}

/* What a queue of 16 MiB holds depends on it. */
static void an_event_of_a_large_body_takes_a_kilobyte(void **state)
{
    struct batch batch;
    struct lb_buf body;

    lb_buf_init(&body, 1 << 20);
    for (int i = 0; i < LINES; i++) {
        add_line(&body, 3 * i);
    }
    read_body(*state, &body, &batch);
    assert_int_equal(batch.event_count, LINES);
    assert_true(lb_arena_bytes(batch.arena) < (size_t)LINES * 1024);
    batch_deinit(&batch);
    lb_buf_deinit(&body);
}

/* Brackets and commas behind an escaped quote belong to the text. */
static void a_quote_inside_a_text_ends_no_event(void **state)
{
    static const char *const names[] = {"a\\\"b", "a\\\"}],{", "\\\\",
                                        "\\\"\\\\\\\"", "]\\u0022}"};
    struct batch batch;
    struct lb_buf body;

    lb_buf_init(&body, 1 << 20);
    lb_buf_add_char(&body, '[');
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        lb_buf_printf(&body,
                      "%s{\"type\":\"lead\",\"site\":\"alice.bio\",\"id\":"
                      "\"id-%zu\",\"name\":\"%s\",\"country\":\"FR\"}",
                      i == 0 ? "" : ",", i, names[i]);
    }
    lb_buf_add_char(&body, ']');
    read_sent(*state, &body, false, &batch);
    assert_int_equal(batch.event_count, sizeof(names) / sizeof(names[0]));
    assert_int_equal(batch.rejected_count, 0);
    assert_string_equal(batch.events[1]->entry.text[ENTRY_TEXT_NAME],
                        "a\"}],{");
    batch_deinit(&batch);
    lb_buf_deinit(&body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_large_body_is_read_as_its_lines_alone_are),
        TEST(an_event_of_a_large_body_takes_a_kilobyte),
        TEST(a_quote_inside_a_text_ends_no_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
