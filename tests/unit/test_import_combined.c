/* test_import_combined.c - lines of web servers' logs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ingest/import_combined.h"

#define TIME "[17/May/2015:10:05:03 +0000]"
#define TIME_MS INT64_C(1431857103000)

struct wanted {
    const char *line;
    enum import_combined_verdict verdict;
    const char *address;
    const char *url;
    const char *referrer;
    const char *agent;
    bool is_head;
};

static const struct wanted cases[] = {
    {"203.0.113.9 - - " TIME
     " \"GET /a?b=c HTTP/1.1\" 200 512 \"https://www.example/x\" \"Mozilla/5.0 "
     "(X11)\"",
     IMPORT_COMBINED_REQUEST, "203.0.113.9", "/a?b=c", "https://www.example/x",
     "Mozilla/5.0 (X11)", false},
    {"2001:db8::1 - frank " TIME " \"HEAD / HTTP/1.0\" 301 - \"-\" \"curl/7\"",
     IMPORT_COMBINED_REQUEST, "2001:db8::1", "/", NULL, "curl/7", true},
    /* An agent that was not sent is judged, one that was not logged is not. */
    {"203.0.113.9 - - " TIME " \"GET / HTTP/1.1\" 200 5 \"-\" \"-\"",
     IMPORT_COMBINED_REQUEST, "203.0.113.9", "/", NULL, "", false},
    {"203.0.113.9 - - " TIME " \"GET / HTTP/1.1\" 200 5",
     IMPORT_COMBINED_REQUEST, "203.0.113.9", "/", NULL, NULL, false},
    /* With a virtual host before it, and with more behind. */
    {"www.example:443 203.0.113.9 - - " TIME
     " \"GET /p HTTP/2.0\" 200 5 \"\" \"A\" \"203.0.113.77\" 0.003",
     IMPORT_COMBINED_REQUEST, "203.0.113.9", "/p", NULL, "A", false},
    /* A host name is nobody's address. */
    {"client.example.net - - " TIME " \"GET /p HTTP/1.1\" 200 5 \"-\" \"A\"",
     IMPORT_COMBINED_REQUEST, NULL, "/p", NULL, "A", false},
    /* Names of users may hold spaces and brackets. */
    {"203.0.113.9 - a [b] c " TIME " \"GET /p HTTP/1.1\" 200 5 \"-\" \"A\"",
     IMPORT_COMBINED_REQUEST, "203.0.113.9", "/p", NULL, "A", false},
    /* Escapes of Apache and nginx, and bytes that are no text. */
    {"203.0.113.9 - - " TIME " \"GET /\\xc3\\xa4\\\"b HTTP/1.1\" 200 5 \"-\" "
     "\"a\\x22\\\\\\t\\xff\xfe\\x00\"",
     IMPORT_COMBINED_REQUEST, "203.0.113.9", "/\xc3\xa4\"b", NULL,
     "a\"\\ \xef\xbf\xbd\xef\xbf\xbd ", false},
    {"203.0.113.9 - - " TIME " \"GET //evil//x HTTP/1.1\" 404 5 \"-\" \"A\"",
     IMPORT_COMBINED_REQUEST, "203.0.113.9", "/evil//x", NULL, "A", false},
    {"203.0.113.9 - - " TIME
     " \"GET http://www.example/p HTTP/1.1\" 200 5 \"-\" \"A\"",
     IMPORT_COMBINED_REQUEST, "203.0.113.9", "http://www.example/p", NULL, "A",
     false},
    {"203.0.113.9 - - " TIME " \"GET /a b HTTP/1.1\" 400 5 \"-\" \"A\"",
     IMPORT_COMBINED_REQUEST, "203.0.113.9", "/a b", NULL, "A", false},
    {"203.0.113.9 - - " TIME " \"GET /old\" 200 5 \"-\" \"A\"",
     IMPORT_COMBINED_REQUEST, "203.0.113.9", "/old", NULL, "A", false},
    /* No views. */
    {"203.0.113.9 - - " TIME " \"POST /form HTTP/1.1\" 200 5 \"-\" \"A\"",
     IMPORT_COMBINED_OTHER, NULL, NULL, NULL, NULL, false},
    {"203.0.113.9 - - " TIME " \"-\" 408 0 \"-\" \"-\"", IMPORT_COMBINED_OTHER,
     NULL, NULL, NULL, NULL, false},
    {"203.0.113.9 - - " TIME " \"\\x16\\x03\\x01\" 400 0 \"-\" \"-\"",
     IMPORT_COMBINED_OTHER, NULL, NULL, NULL, NULL, false},
    {"203.0.113.9 - - " TIME " \"GET \" 400 0 \"-\" \"-\"",
     IMPORT_COMBINED_OTHER, NULL, NULL, NULL, NULL, false},
    {"203.0.113.9 - - " TIME " \"GET * HTTP/1.1\" 400 0 \"-\" \"-\"",
     IMPORT_COMBINED_OTHER, NULL, NULL, NULL, NULL, false},
    /* No lines of such a log. */
    {"", IMPORT_COMBINED_BAD, NULL, NULL, NULL, NULL, false},
    {"hello", IMPORT_COMBINED_BAD, NULL, NULL, NULL, NULL, false},
    {"203.0.113.9 - - [17/May/2015:10:05:03 +0000", IMPORT_COMBINED_BAD, NULL,
     NULL, NULL, NULL, false},
    {"203.0.113.9 - - [31/Feb/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1",
     IMPORT_COMBINED_BAD, NULL, NULL, NULL, NULL, false},
    {"203.0.113.9 - - [17/Mai/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1",
     IMPORT_COMBINED_BAD, NULL, NULL, NULL, NULL, false},
    {"203.0.113.9 - - [17/May/2015:24:05:03 +0000] \"GET / HTTP/1.1\" 200 1",
     IMPORT_COMBINED_BAD, NULL, NULL, NULL, NULL, false},
    {"203.0.113.9 - - " TIME " GET / HTTP/1.1 200 1", IMPORT_COMBINED_BAD, NULL,
     NULL, NULL, NULL, false},
    {"203.0.113.9 - - " TIME " \"GET / HTTP/1.1", IMPORT_COMBINED_BAD, NULL,
     NULL, NULL, NULL, false},
};

static void assert_same(const char *line, const char *got, const char *wanted)
{
    if (got == NULL || wanted == NULL) {
        if (got != wanted) {
            fail_msg("%s: got %s, not %s", line, got == NULL ? "nothing" : got,
                     wanted == NULL ? "nothing" : wanted);
        }
        return;
    }
    if (strcmp(got, wanted) != 0) {
        fail_msg("%s: got %s, not %s", line, got, wanted);
    }
}

static void lines_are_read_or_refused(void **state)
{
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_arena *arena = lb_arena_new((size_t)64 * 1024);
        const struct wanted *wanted = &cases[i];
        struct import_combined got;
        const char *reason = NULL;
        enum import_combined_verdict verdict = import_combined_read(
            wanted->line, strlen(wanted->line), arena, &got, &reason);

        if (verdict != wanted->verdict) {
            fail_msg("%s: %d, not %d", wanted->line, (int)verdict,
                     (int)wanted->verdict);
        }
        assert_int_equal(reason != NULL, verdict == IMPORT_COMBINED_BAD);
        if (verdict == IMPORT_COMBINED_REQUEST) {
            assert_int_equal(got.ts_at_ms, TIME_MS);
            assert_int_equal(got.is_head, wanted->is_head);
            assert_same(wanted->line, got.address, wanted->address);
            assert_same(wanted->line, got.url, wanted->url);
            assert_same(wanted->line, got.referrer, wanted->referrer);
            assert_same(wanted->line, got.agent, wanted->agent);
        }
        lb_arena_free(arena);
    }
}

static void times_are_read_with_their_zone(void **state)
{
    static const struct {
        const char *time;
        const char *wanted;
    } times[] = {
        {"17/May/2015:10:05:03 +0000", "2015-05-17T10:05:03.000Z"},
        {"17/May/2015:10:05:03 +0530", "2015-05-17T04:35:03.000Z"},
        {"31/Dec/2015:23:59:59 -0700", "2016-01-01T06:59:59.000Z"},
        {"29/Feb/2016:00:00:00 +1400", "2016-02-28T10:00:00.000Z"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct lb_arena *arena = lb_arena_new((size_t)64 * 1024);
        char line[128];
        char text[LB_CLOCK_TEXT_BYTES];
        struct import_combined got;
        const char *reason = NULL;

        (void)snprintf(line, sizeof(line),
                       "203.0.113.9 - - [%s] \"GET / HTTP/1.1\" 200 5",
                       times[i].time);
        assert_int_equal(
            import_combined_read(line, strlen(line), arena, &got, &reason),
            IMPORT_COMBINED_REQUEST);
        lb_clock_format(got.ts_at_ms, text);
        assert_string_equal(text, times[i].wanted);
        lb_arena_free(arena);
    }
}

static void what_is_too_long_is_cut_between_characters(void **state)
{
    struct lb_arena *arena = lb_arena_new((size_t)256 * 1024);
    char *line = malloc(20000);
    struct import_combined got;
    const char *reason = NULL;
    size_t used;
    (void)state;

    used = (size_t)snprintf(line, 20000, "203.0.113.9 - - " TIME " \"GET /");
    for (int i = 0; i < 3000; i++) {
        memcpy(line + used, "\xc3\xa4", 2);
        used += 2;
    }
    used += (size_t)snprintf(line + used, 1000, " HTTP/1.1\" 200 5 \"-\" \"");
    memset(line + used, 'a', 5000);
    used += 5000;
    line[used++] = '"';
    assert_int_equal(import_combined_read(line, used, arena, &got, &reason),
                     IMPORT_COMBINED_REQUEST);
    assert_int_equal(strlen(got.url), 2047);
    assert_int_equal(strlen(got.agent), 1024);
    lb_arena_free(arena);
    free(line);
}

static void an_arena_that_is_full_is_told(void **state)
{
    struct import_combined got;
    const char *reason = NULL;
    int full = 0;
    (void)state;

    for (size_t room = 0; room < 512; room += 16) {
        struct lb_arena *arena = lb_arena_new(room);
        enum import_combined_verdict verdict = import_combined_read(
            cases[0].line, strlen(cases[0].line), arena, &got, &reason);

        assert_true(verdict == IMPORT_COMBINED_FULL ||
                    verdict == IMPORT_COMBINED_REQUEST);
        full += verdict == IMPORT_COMBINED_FULL ? 1 : 0;
        lb_arena_free(arena);
    }
    assert_in_range(full, 3, 16);
}

/* Bytes are looked at in words: wherever one stands, it is seen. */
static void no_odd_byte_comes_through_wherever_it_stands(void **state)
{
    (void)state;

    for (int byte = 1; byte < 256; byte++) {
        bool is_printable = byte >= 0x20 && byte < 0x7f;

        for (int at = 0; at < 20 && byte != '"' && byte != '\\'; at++) {
            struct lb_arena *arena = lb_arena_new((size_t)64 * 1024);
            char line[] =
                "203.0.113.9 - - " TIME
                " \"GET / HTTP/1.1\" 200 5 \"-\" \"aaaaaaaaaaaaaaaaaaaaa\"";
            char *agent = line + sizeof(line) - 23;
            struct import_combined got;
            const char *reason = NULL;

            agent[at] = (char)byte;
            assert_int_equal(
                import_combined_read(line, strlen(line), arena, &got, &reason),
                IMPORT_COMBINED_REQUEST);
            assert_non_null(got.agent);
            if (is_printable && byte != ' ') {
                agent[21] = '\0';
                assert_string_equal(got.agent, agent);
            }
            for (const char *c = got.agent; !is_printable && *c != '\0'; c++) {
                assert_true(*c >= 0x20 || (*c & 0x80) != 0);
                assert_true(*c != 0x7f);
            }
            lb_arena_free(arena);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_odd_byte_comes_through_wherever_it_stands),
        cmocka_unit_test(lines_are_read_or_refused),
        cmocka_unit_test(times_are_read_with_their_zone),
        cmocka_unit_test(what_is_too_long_is_cut_between_characters),
        cmocka_unit_test(an_arena_that_is_full_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
