/* test_event_client.c - device, class and visitor of an event's client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/bot.h"
#include "tests/support/event_bench.h"
#include "tests/support/temp_dir.h"

#define VIEW "{\"type\":\"view\",\"site\":\"alice.bio\""
#define VIEW_OF_BOB "{\"type\":\"view\",\"site\":\"bob.bio\""
#define CHROME                                                                 \
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, "    \
    "like Gecko) Chrome/126.0.0.0 Safari/537.36"

static void expect(const struct entry *entry,
                   enum entry_traffic traffic,
                   const char *reason)
{
    assert_int_equal(entry->traffic, traffic);
    if (reason == NULL) {
        assert_null(entry->text[ENTRY_TEXT_REASON]);
    } else {
        assert_string_equal(entry->text[ENTRY_TEXT_REASON], reason);
    }
}

static void an_event_says_what_its_user_agent_says(void **state)
{
    const struct entry *entry =
        event_bench_take(*state, VIEW ",\"user_agent\":\"" CHROME "\"}");

    expect(entry, ENTRY_HUMAN, NULL);
    assert_string_equal(entry->text[ENTRY_TEXT_DEVICE], "Desktop");
    assert_string_equal(entry->text[ENTRY_TEXT_BROWSER], "Chrome");
    assert_string_equal(entry->text[ENTRY_TEXT_BROWSER_VERSION], "126");
    assert_string_equal(entry->text[ENTRY_TEXT_OS], "Windows");
    assert_string_equal(entry->text[ENTRY_TEXT_OS_VERSION], "10");
    assert_int_equal(entry->bot_entry, 0);
}

static void an_event_without_a_user_agent_is_a_persons(void **state)
{
    static const char *const texts[] = {VIEW "}", VIEW ",\"user_agent\":null}",
                                        VIEW ",\"visitor\":\"v\"}"};

    for (size_t i = 0; i < 3; i++) {
        const struct entry *entry = event_bench_take(*state, texts[i]);

        expect(entry, ENTRY_HUMAN, NULL);
        assert_null(entry->text[ENTRY_TEXT_DEVICE]);
        assert_null(entry->text[ENTRY_TEXT_BROWSER]);
        assert_null(entry->text[ENTRY_TEXT_OS]);
    }
}

static void a_user_agent_that_is_empty_is_a_machines(void **state)
{
    const struct entry *entry =
        event_bench_take(*state, VIEW ",\"user_agent\":\"\"}");

    expect(entry, ENTRY_BOT, "ua");
    assert_int_equal(entry->bot_entry, bot_entry_hash(BOT_ENTRY_EMPTY));
}

static void machines_and_previews_have_their_entry(void **state)
{
    const struct entry *entry =
        event_bench_take(*state, VIEW ",\"user_agent\":\"Googlebot/2.1\"}");

    expect(entry, ENTRY_BOT, "ua");
    assert_int_equal(entry->bot_entry, bot_entry_hash("Googlebot/"));
    entry = event_bench_take(*state, VIEW
                             ",\"user_agent\":\"facebookexternalhit/1.1\"}");
    expect(entry, ENTRY_PREVIEW, "preview");
}

static void the_owners_address_is_no_visitors(void **state)
{
    struct event_bench *bench = *state;

    expect(event_bench_take(bench, VIEW ",\"ip\":\"192.0.2.70\"}"), ENTRY_BOT,
           "own");
    expect(event_bench_take(bench, VIEW ",\"ip\":\"::ffff:192.0.2.70\"}"),
           ENTRY_BOT, "own");
    expect(event_bench_take(bench, VIEW ",\"ip\":\"192.0.2.80\"}"), ENTRY_HUMAN,
           NULL);
    expect(event_bench_take(bench, VIEW_OF_BOB ",\"ip\":\"192.0.2.70\"}"),
           ENTRY_HUMAN, NULL);
    /* It goes before what the user agent says, and the entry is kept. */
    expect(event_bench_take(bench, VIEW ",\"ip\":\"192.0.2.70\","
                                        "\"user_agent\":\"Googlebot/2.1\"}"),
           ENTRY_BOT, "own");
    assert_int_equal(bench->event.entry.bot_entry,
                     bot_entry_hash("Googlebot/"));
    /* The request's address stands in for one that the event lacks. */
    assert_true(lb_ip_parse("192.0.2.70", &bench->context.address));
    expect(event_bench_take(bench, VIEW "}"), ENTRY_BOT, "own");
    expect(event_bench_take(bench, VIEW ",\"ip\":\"9.9.9.9\"}"), ENTRY_HUMAN,
           NULL);
}

static void write_list(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void addresses_of_data_centres_are_machines(void **state)
{
    struct event_bench *bench = *state;
    struct datacentre *datacentre = NULL;
    char dir[TEMP_DIR_BYTES];
    char path[TEMP_DIR_BYTES + 16];
    struct lb_error err;

    temp_dir_make(dir);
    (void)snprintf(path, sizeof(path), "%s/list", dir);
    write_list(path, "# clouds\n9.9.0.0/16\n\n2001:db8::/32 # one\n");
    assert_int_equal(datacentre_new(path, &datacentre, &err), LB_OK);
    bench->context.datacentres = datacentre_current(datacentre);
    assert_non_null(bench->context.datacentres);
    datacentre_free(datacentre); /* the list lives on with its users */
    expect(event_bench_take(bench, VIEW ",\"ip\":\"9.9.1.2\"}"), ENTRY_BOT,
           "datacentre");
    expect(event_bench_take(bench, VIEW ",\"ip\":\"2001:db8::1\","
                                        "\"user_agent\":\"" CHROME "\"}"),
           ENTRY_BOT, "datacentre");
    expect(event_bench_take(bench, VIEW ",\"ip\":\"9.8.1.2\"}"), ENTRY_HUMAN,
           NULL);
    expect(event_bench_take(bench, VIEW "}"), ENTRY_HUMAN, NULL);
    expect(event_bench_take(bench, VIEW ",\"ip\":\"9.9.1.2\","
                                        "\"user_agent\":\"curl/8\"}"),
           ENTRY_BOT, "ua");
    datacentre_release(bench->context.datacentres);
    temp_dir_remove(dir);
}

static void a_bad_or_missing_list_is_no_list(void **state)
{
    static const char *const bad[] = {"", "9.9.0.0/16\nrubbish\n",
                                      "9.9.0.0/33\n"};
    struct datacentre *datacentre = NULL;
    char dir[TEMP_DIR_BYTES];
    char path[TEMP_DIR_BYTES + 16];
    struct lb_error err;
    (void)state;

    temp_dir_make(dir);
    (void)snprintf(path, sizeof(path), "%s/list", dir);
    for (size_t i = 0; i < 3; i++) {
        if (bad[i][0] != '\0') {
            write_list(path, bad[i]);
        }
        assert_int_equal(datacentre_new(path, &datacentre, &err), LB_OK);
        assert_null(datacentre_current(datacentre));
        datacentre_free(datacentre);
    }
    assert_int_equal(datacentre_new("", &datacentre, &err), LB_OK);
    assert_null(datacentre_current(datacentre));
    datacentre_free(datacentre);
    assert_int_equal(datacentre_new(dir, &datacentre, &err), LB_OK);
    assert_null(datacentre_current(datacentre));
    datacentre_free(datacentre);
    temp_dir_remove(dir);
}

/* Where a visitor sends by itself: its request's signs come first. */
static void signs_of_the_request_go_before_the_user_agent(void **state)
{
    struct event_bench *bench = *state;

    bench->context.signs.is_prefetch = true;
    expect(event_bench_take(bench, VIEW ",\"user_agent\":\"curl/8\"}"),
           ENTRY_PREFETCH, "prefetch");
    bench->context.signs.is_head = true;
    expect(event_bench_take(bench, VIEW ",\"user_agent\":\"" CHROME "\"}"),
           ENTRY_BOT, "head");
    assert_string_equal(bench->event.entry.text[ENTRY_TEXT_BROWSER], "Chrome");
}

static void who_asks_not_to_be_recognised_has_a_device_still(void **state)
{
    struct event_bench *bench = *state;
    const struct entry *entry;

    bench->context.is_private = true;
    entry = event_bench_take(bench, VIEW ",\"visitor\":\"v\",\"user_agent\":"
                                         "\"" CHROME "\"}");
    expect(entry, ENTRY_HUMAN, NULL);
    assert_string_equal(entry->text[ENTRY_TEXT_BROWSER], "Chrome");
    assert_null(bench->event.salt);
}

static void the_user_agent_is_in_no_text_of_the_event(void **state)
{
    struct event_bench *bench = *state;
    const struct entry *entry = event_bench_take(
        bench, VIEW ",\"ip\":\"9.9.9.9\",\"user_agent\":\"Zq7/1.0 "
                    "Mozilla/5.0 (Zq7; Android 14; Zq7) Chrome/126 Zq7\"}");

    for (int i = 0; i < ENTRY_TEXT_COUNT; i++) {
        assert_true(entry->text[i] == NULL ||
                    strstr(entry->text[i], "Zq7") == NULL);
    }
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, event_bench_open, event_bench_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_says_what_its_user_agent_says),
        TEST(an_event_without_a_user_agent_is_a_persons),
        TEST(a_user_agent_that_is_empty_is_a_machines),
        TEST(machines_and_previews_have_their_entry),
        TEST(the_owners_address_is_no_visitors),
        TEST(addresses_of_data_centres_are_machines),
        TEST(a_bad_or_missing_list_is_no_list),
        TEST(signs_of_the_request_go_before_the_user_agent),
        TEST(who_asks_not_to_be_recognised_has_a_device_still),
        TEST(the_user_agent_is_in_no_text_of_the_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
