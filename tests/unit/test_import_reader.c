/* test_import_reader.c - records of every format as native events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "ingest/import_reader.h"

#define GOAT2                                                                  \
    "2Path,Title,Event,UserAgent,Browser,System,Session,Bot,Referrer,"         \
    "Referrer scheme,Screen size,Location,FirstVisit,Date"
#define GOAT1                                                                  \
    "1Path,Title,Event,Bot,Session,FirstVisit,Referrer,Referrer scheme,"       \
    "Browser,Screen size,Location,Date"
#define PAGES                                                                  \
    "\"date\",\"hostname\",\"page\",\"visits\",\"visitors\",\"pageviews\""
#define SOURCES                                                                \
    "date,source,referrer,utm_source,utm_medium,utm_campaign,utm_content,"     \
    "utm_term,pageviews,visitors,visits,visit_duration,bounces"
#define EVENTS "date,name,link_url,path,visitors,events"

struct wanted {
    enum import_format format;
    const char *header;
    const char *map;
    const char *line;
    const char *event; /* as JSON; else the code of the fault, or "ignored" */
};

static const struct wanted cases[] = {
    /* Native lines keep what they say; what is missing is added. */
    {IMPORT_NDJSON, NULL, NULL,
     "{\"type\":\"view\",\"ts\":\"2026-11-24T09:00:00Z\",\"url\":\"/a\"}",
     "{\"type\":\"view\",\"url\":\"/a\",\"site\":\"s\",\"id\":\"made\",\"ts\":"
     "1795510800000}"},
    {IMPORT_NDJSON, NULL, NULL,
     "{\"ts\":1795510800000,\"id\":\"own\",\"site\":\"t\",\"typo\":1}",
     "{\"id\":\"own\",\"site\":\"t\",\"typo\":1,\"ts\":1795510800000}"},
    {IMPORT_NDJSON, NULL, NULL, "{\"ts\":5,\"id\":null,\"site\":\"\"}",
     "{\"site\":\"s\",\"id\":\"made\",\"ts\":5}"},
    {IMPORT_NDJSON, NULL, NULL, "{\"type\":\"view\"}", "missing_field"},
    {IMPORT_NDJSON, NULL, NULL, "{\"ts\":1.5}", "bad_ts"},
    {IMPORT_NDJSON, NULL, NULL, "{\"ts\":\"yesterday\"}", "bad_ts"},
    {IMPORT_NDJSON, NULL, NULL, "{\"ts\":true}", "bad_type"},
    {IMPORT_NDJSON, NULL, NULL, "{\"ts\":5", "bad_json"},
    {IMPORT_NDJSON, NULL, NULL, "[]", "bad_type"},
    /* A row of our own export loses what is decided anew. */
    {IMPORT_NDJSON, NULL, NULL,
     "{\"seq\":9,\"id\":\"x\",\"type\":\"click\",\"site\":\"t\",\"ts\":"
     "\"2026-11-24T09:00:00.000Z\",\"received\":\"2026-11-24T09:00:00.000Z\","
     "\"host\":\"h.example\",\"page\":\"/p\",\"source\":\"X\",\"device\":"
     "\"Mobile\",\"qr\":false,\"value\":null}",
     "{\"id\":\"x\",\"type\":\"click\",\"site\":\"t\",\"value\":null,\"url\":"
     "\"https://h.example/p\",\"ts\":1795510800000}"},

    /* Tables by the names of their columns. */
    {IMPORT_CSV, "type,ts,link,utm_source,props.plan,value_amount", NULL,
     "click,2026-11-24T09:00:00Z,shop,news,pro,9.50",
     "{\"type\":\"click\",\"link\":\"shop\",\"utm\":{\"source\":\"news\"},"
     "\"props\":{\"plan\":\"pro\"},\"value\":{\"amount\":9.5},\"site\":\"s\","
     "\"id\":\"made\",\"ts\":1795510800000}"},
    {IMPORT_CSV, "type,ts,name,contact.email", NULL,
     "lead,5,\"a \"\"b\"\", c\nd\",x@y.example",
     "{\"type\":\"lead\",\"name\":\"a \\\"b\\\", c\\nd\",\"contact\":{"
     "\"email\":\"x@y.example\"},\"site\":\"s\",\"id\":\"made\",\"ts\":5}"},
    {IMPORT_CSV, "seq,type,ts,page,name,props", NULL,
     "1,view,5,/p,'=1+1,\"{\"\"a\"\":1}\"",
     "{\"type\":\"view\",\"name\":\"=1+1\",\"props\":{\"a\":1},\"url\":\"/p\","
     "\"site\":\"s\",\"id\":\"made\",\"ts\":5}"},
    {IMPORT_CSV, "type,ts,name", NULL, "view,5,'=1+1",
     "{\"type\":\"view\",\"name\":\"'=1+1\",\"site\":\"s\",\"id\":\"made\","
     "\"ts\":5}"},
    {IMPORT_CSV, "type,ts", NULL, "view", "bad_line"},
    {IMPORT_CSV, "type,ts", NULL, "view,5,6", "bad_line"},
    {IMPORT_CSV, "type,ts", NULL, "view,\"5", "bad_line"},
    {IMPORT_CSV, "type,ts", NULL, "view,\"5\"6", "bad_line"},
    {IMPORT_CSV, "type,ts", NULL, "view,", "missing_field"},

    /* Tables by a map. */
    {IMPORT_CSV, "Code;When;From",
     "delimiter: ';'\ntime: '%d.%m.%Y %H:%M'\ntz: Europe/Paris\n"
     "columns: { ts: When, type: { is: click }, link: Code, utm.source: From }",
     "abc;24.11.2026 10:00;mail",
     "{\"type\":\"click\",\"link\":\"abc\",\"utm\":{\"source\":\"mail\"},"
     "\"site\":\"s\",\"id\":\"made\",\"ts\":1795510800000}"},
    {IMPORT_CSV, "Kind,At",
     "time: epoch_s\ncolumns: { ts: At, type: { column: Kind, is: { hit: view, "
     "tap: click } } }",
     "tap,1795510800",
     "{\"type\":\"click\",\"site\":\"s\",\"id\":\"made\",\"ts\":"
     "1795510800000}"},
    {IMPORT_CSV, "Kind,At",
     "time: epoch_ms\ncolumns: { ts: At, type: { column: Kind, is: { hit: view "
     "} } }",
     "other,1795510800000", "ignored"},
    {IMPORT_CSV, "At", "time: '%Y-%m-%d %H:%M:%S %z'\ncolumns: { ts: At }",
     "2026-11-24 10:00:00 +0100",
     "{\"site\":\"s\",\"id\":\"made\",\"ts\":1795510800000}"},
    {IMPORT_CSV, "At", "time: '%Y-%m-%d'\ncolumns: { ts: At }", "soon",
     "bad_ts"},
    {IMPORT_CSV, "At", "time: epoch_s\ncolumns: { ts: At }", "1e300", "bad_ts"},

    {IMPORT_CSV, "Url,Land,At",
     "time: epoch_ms\ncolumns: { ts: At, link: { column: Url, after: / }, "
     "country: { column: Land, is: { France: FR }, else: none } }",
     "https://s.example/a/shop?x=/y#/z,France,5",
     "{\"link\":\"shop\",\"country\":\"FR\",\"site\":\"s\",\"id\":\"made\","
     "\"ts\":5}"},
    {IMPORT_CSV, "Url,Land,At",
     "time: epoch_ms\ncolumns: { ts: At, link: { column: Url, after: '=>' }, "
     "country: { column: Land, is: { France: FR }, else: none } }",
     "a=>,Spain,5", "{\"site\":\"s\",\"id\":\"made\",\"ts\":5}"},
    {IMPORT_CSV, "Url,Land,At",
     "time: epoch_ms\ncolumns: { ts: At, link: { column: Url, after: ab, is: { "
     "c: shop } }, city: { column: Land, is: { Unknown: '' }, else: keep } }",
     "abab?abc,Unknown,5", "ignored"},
    {IMPORT_CSV, "Url,Land,At",
     "time: epoch_ms\ncolumns: { ts: At, link: { column: Url, after: ab, is: { "
     "c: shop } }, city: { column: Land, is: { Unknown: '' }, else: keep } }",
     "ababc?,Unknown,5",
     "{\"link\":\"shop\",\"site\":\"s\",\"id\":\"made\",\"ts\":5}"},
    {IMPORT_CSV, "Land,At",
     "time: epoch_ms\ncolumns: { ts: At, city: { column: Land, is: { Unknown: "
     "'' }, else: keep } }",
     "Paris,5", "{\"city\":\"Paris\",\"site\":\"s\",\"id\":\"made\",\"ts\":5}"},

    {IMPORT_CSV, "At,Clicks",
     "time: epoch_ms\ncolumns: { ts: At, type: { is: click }, count: Clicks }",
     "5,12",
     "12 of 0 {\"type\":\"click\",\"site\":\"s\",\"id\":\"made\",\"ts\":5}"},
    {IMPORT_CSV, "At,Clicks",
     "time: epoch_ms\ncolumns: { ts: At, count: Clicks }", "5,0", "ignored"},
    {IMPORT_CSV, "At,Clicks",
     "time: epoch_ms\ncolumns: { ts: At, count: Clicks }", "5,", "ignored"},
    {IMPORT_CSV, "At,Clicks",
     "time: epoch_ms\ncolumns: { ts: At, count: Clicks }", "5,-1", "bad_value"},
    {IMPORT_CSV, "At,Clicks",
     "time: epoch_ms\ncolumns: { ts: At, count: Clicks }", "5,100001",
     "bad_value"},

    /* Web servers' logs. */
    {IMPORT_COMBINED, NULL, NULL,
     "203.0.113.9 - - [24/Nov/2026:09:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 "
     "\"https://r.example/\" \"A\"",
     "{\"type\":\"view\",\"url\":\"/a\",\"referrer\":\"https://r.example/\","
     "\"ip\":\"203.0.113.9\",\"user_agent\":\"A\",\"site\":\"s\",\"id\":"
     "\"made\",\"ts\":1795510800000}"},
    {IMPORT_COMBINED, NULL, NULL, "nothing", "bad_line"},
    {IMPORT_COMBINED, NULL, NULL,
     "203.0.113.9 - - [24/Nov/2026:09:00:00 +0000] \"PUT /a HTTP/1.1\" 200 5",
     "ignored"},

    /* bit.ly. */
    {IMPORT_BITLY, NULL, NULL,
     "{\"a\":\"Mozilla\\/5.0\",\"c\":\"US\",\"nk\":1,\"gr\":\"MA\",\"g\":"
     "\"A6qOVH\",\"h\":\"wfLQtf\",\"l\":\"orofrog\",\"hh\":\"1.usa.gov\",\"r\":"
     "\"direct\",\"t\":1795510800,\"cy\":\"Danvers\"}",
     "{\"props\":{\"g\":\"A6qOVH\",\"login\":\"orofrog\",\"known_visitor\":"
     "true},\"type\":\"click\",\"link\":\"wfLQtf\",\"url\":\"http://1.usa.gov/"
     "wfLQtf\",\"user_agent\":\"Mozilla/5.0\",\"country\":\"US\",\"region\":"
     "\"MA\",\"city\":\"Danvers\",\"site\":\"s\",\"id\":\"made\",\"ts\":"
     "1795510800000}"},
    {IMPORT_BITLY, NULL, NULL, "{\"_heartbeat_\":1331923261}", "ignored"},
    {IMPORT_BITLY, NULL, NULL, "{\"h\":\"x\"}", "missing_field"},
    {IMPORT_BITLY, NULL, NULL, "{", "bad_json"},

    /* GoatCounter. */
    {IMPORT_GOATCOUNTER, GOAT2, NULL,
     "/a?x=1,A page,false,,Firefox 89,Linux,5f1,0,www.r.example/p,h,\"1,2,3\","
     "US-TX,true,2026-11-24T09:00:00Z",
     "{\"type\":\"view\",\"url\":\"/a?x=1\",\"visitor\":\"5f1\",\"referrer\":"
     "\"https://www.r.example/p\",\"country\":\"US\",\"region\":\"US-TX\","
     "\"props\":{\"title\":\"A page\"},\"site\":\"s\",\"id\":\"made\",\"ts\":"
     "1795510800000}"},
    {IMPORT_GOATCOUNTER, GOAT2, NULL,
     "signup,,true,,,,5f1,0,Newsletter,c,,DE,false,2026-11-24T09:00:00Z",
     "{\"type\":\"conversion\",\"name\":\"signup\",\"visitor\":\"5f1\",\"utm\":"
     "{\"source\":\"Newsletter\"},\"country\":\"DE\",\"site\":\"s\",\"id\":"
     "\"made\",\"ts\":1795510800000}"},
    {IMPORT_GOATCOUNTER, GOAT1, NULL,
     "/,,false,0,5f1,true,com.app.example,o,Mozilla/5.0,,,2026-11-24T09:00:00Z",
     "{\"type\":\"view\",\"url\":\"/\",\"user_agent\":\"Mozilla/5.0\","
     "\"visitor\":\"5f1\",\"referrer\":\"android-app://com.app.example\","
     "\"site\":\"s\",\"id\":\"made\",\"ts\":1795510800000}"},
    {IMPORT_GOATCOUNTER, GOAT2, NULL,
     "/,,false,,,,5f1,3,,,,,true,2026-11-24T09:00:00Z", "ignored"},
    {IMPORT_GOATCOUNTER, GOAT2, NULL, "/,,false,,,,5f1,0,,,,,true,now",
     "bad_ts"},
    {IMPORT_GOATCOUNTER, GOAT2, NULL, "/,2", "bad_line"},

    /* Plausible's sums, at noon of the day. */
    {IMPORT_PLAUSIBLE, PAGES, NULL, "\"2026-11-24\",\"h.example\",\"/p\",2,2,3",
     "3 of 0 {\"type\":\"view\",\"url\":\"https://h.example/p\",\"site\":\"s\","
     "\"id\":\"made\",\"ts\":1795525200000}"},
    {IMPORT_PLAUSIBLE, SOURCES, NULL,
     "2026-11-24,Twitter,t.co/a,,,,,,5,2,2,9,0",
     "5 of 2 {\"type\":\"view\",\"utm\":{},\"referrer\":\"https://t.co/a\","
     "\"site\":\"s\",\"id\":\"made\",\"ts\":1795525200000}"},
    {IMPORT_PLAUSIBLE, SOURCES, NULL,
     "2026-11-24,news,,news,email,c1,a,b,1,1,1,9,0",
     "1 of 1 {\"type\":\"view\",\"utm\":{\"source\":\"news\",\"medium\":"
     "\"email\",\"campaign\":\"c1\",\"term\":\"b\",\"content\":\"a\"},\"site\":"
     "\"s\",\"id\":\"made\",\"ts\":1795525200000}"},
    {IMPORT_PLAUSIBLE, SOURCES, NULL, "2026-11-24,Blog,,,,,,,1,1,1,9,0",
     "1 of 1 {\"type\":\"view\",\"utm\":{\"source\":\"Blog\"},\"site\":\"s\","
     "\"id\":\"made\",\"ts\":1795525200000}"},
    {IMPORT_PLAUSIBLE, EVENTS, NULL,
     "2026-11-24,Outbound Link: Click,https://o.example/,,1,2",
     "2 of 0 {\"type\":\"click\",\"link\":\"https://o.example/\",\"name\":"
     "\"Outbound Link: Click\",\"site\":\"s\",\"id\":\"made\",\"ts\":"
     "1795525200000}"},
    {IMPORT_PLAUSIBLE, EVENTS, NULL, "2026-11-24,Signup,,,1,1",
     "1 of 0 {\"type\":\"conversion\",\"name\":\"Signup\",\"site\":\"s\","
     "\"id\":\"made\",\"ts\":1795525200000}"},
    {IMPORT_PLAUSIBLE, PAGES, NULL, "2026-11-24,h,/p,0,0,0", "ignored"},
    {IMPORT_PLAUSIBLE, PAGES, NULL, "2026-11-24,h,/p,0,0,-1", "bad_value"},
    {IMPORT_PLAUSIBLE, PAGES, NULL, "2026-11-24,h,/p,0,0,999999999",
     "bad_value"},
    {IMPORT_PLAUSIBLE, PAGES, NULL, "24.11.2026,h,/p,0,0,1", "bad_ts"},
};

static struct import_spec spec_of(const struct wanted *wanted)
{
    struct import_spec spec = {.format = wanted->format,
                               .site = "s",
                               .header = wanted->header,
                               .map = wanted->map};
    struct lb_error err;

    if (wanted->format == IMPORT_PLAUSIBLE) {
        assert_int_equal(lb_zone_find("Atlantic/Azores", &spec.zone, &err),
                         LB_OK); /* UTC-1 */
    }
    return spec;
}

/* What came of a record, as cases has it. */
static void tell(enum import_verdict verdict,
                 const struct import_event *event,
                 const struct event_fault *fault,
                 enum import_format format,
                 struct lb_buf *out)
{
    switch (verdict) {
    case IMPORT_EVENT:
        if (format == IMPORT_PLAUSIBLE || event->count != 1) {
            lb_buf_printf(out, "%zu of %zu ", event->count,
                          event->visitor_count);
        }
        lb_json_add_item(out, event->json);
        break;
    case IMPORT_IGNORED:
        lb_buf_add_text(out, "ignored");
        break;
    case IMPORT_BAD:
        assert_true(strlen(fault->message) > 0);
        lb_buf_add_text(out, fault->code);
        break;
    case IMPORT_FULL:
        lb_buf_add_text(out, "full");
        break;
    }
}

static void
read_case(const struct wanted *wanted, size_t room, struct lb_buf *out)
{
    struct import_spec spec = spec_of(wanted);
    struct import_reader *reader = NULL;
    struct lb_error err = {LB_OK, ""};
    struct lb_arena *arena = lb_arena_new(room);
    struct import_record record = {wanted->line, strlen(wanted->line), "made"};
    struct event_fault fault = {.code = NULL};
    struct import_event event;
    enum import_verdict verdict;

    if (import_reader_new(&spec, &reader, &err) != LB_OK) {
        fail_msg("%s: %s", wanted->line, err.text);
    }
    verdict = import_reader_read(reader, &record, arena, &event, &fault);
    tell(verdict, &event, &fault, spec.format, out);
    import_reader_free(reader);
    lb_arena_free(arena);
}

static void records_become_events(void **state)
{
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_buf got;

        lb_buf_init(&got, 65536);
        read_case(&cases[i], (size_t)256 * 1024, &got);
        if (strcmp(lb_buf_text(&got), cases[i].event) != 0) {
            fail_msg("%s\n  got %s\n  not %s", cases[i].line, lb_buf_text(&got),
                     cases[i].event);
        }
        lb_buf_deinit(&got);
    }
}

static void without_memory_a_record_is_never_half_an_event(void **state)
{
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t room = 0; room < 4096; room += 64) {
            struct lb_buf got;

            lb_buf_init(&got, 65536);
            read_case(&cases[i], room, &got);
            if (strcmp(lb_buf_text(&got), cases[i].event) != 0 &&
                strcmp(lb_buf_text(&got), "full") != 0) {
                fail_msg("%s with %zu bytes: %s", cases[i].line, room,
                         lb_buf_text(&got));
            }
            lb_buf_deinit(&got);
        }
    }
}

static void a_shift_moves_every_time(void **state)
{
    struct import_spec spec = {.format = IMPORT_NDJSON, .shift_ms = 1000};
    struct import_reader *reader = NULL;
    struct lb_arena *arena = lb_arena_new(65536);
    struct import_record record = {"{\"ts\":5}", 8, "made"};
    struct event_fault fault;
    struct import_event event;
    struct lb_error err;
    (void)state;

    assert_int_equal(import_reader_new(&spec, &reader, &err), LB_OK);
    assert_int_equal(import_reader_read(reader, &record, arena, &event, &fault),
                     IMPORT_EVENT);
    assert_int_equal(event.ts_at_ms, 1005);
    assert_int_equal(lb_json_int(event.json, "ts"), 1005);
    assert_null(lb_json_text(event.json, "site"));
    import_reader_free(reader);
    lb_arena_free(arena);
}

static void what_can_not_be_read_is_told(void **state)
{
    static const struct {
        struct import_spec spec;
        const char *wanted; /* part of the message */
    } faults[] = {
        {{.format = IMPORT_CSV, .header = "type,when"},
         "column \"when\" is no field of an event"},
        {{.format = IMPORT_CSV}, "first row is missing"},
        {{.format = IMPORT_CSV, .header = "a,\"b"}, "no row of names"},
        {{.format = IMPORT_NDJSON, .map = "columns: {}"}, "csv alone"},
        {{.format = IMPORT_CSV, .header = "At", .map = "columns: { tss: At }"},
         "1:12: tss is no field of an event; did you mean ts"},
        {{.format = IMPORT_CSV, .header = "At", .map = "columns: { ts: On }"},
         "1:16: the file has no column On"},
        {{.format = IMPORT_CSV, .header = "At", .map = "colums: { ts: At }"},
         "1:1: a map has columns"},
        {{.format = IMPORT_CSV, .header = "At", .map = "time: soon"},
         "time is rfc3339"},
        {{.format = IMPORT_CSV,
          .header = "At",
          .map = "tz: Mars/Base\ncolumns: { ts: At }"},
         "1:5: there is no time zone Mars/Base"},
        {{.format = IMPORT_CSV, .header = "At", .map = "delimiter: ab"},
         "1:1: a map has columns"},
        {{.format = IMPORT_CSV,
          .header = "At",
          .map = "columns: { type: { column: At } }"},
         "write { is: TEXT }"},
        {{.format = IMPORT_CSV,
          .header = "At",
          .map = "columns: { type: { column: At, is: { a: b }, els: keep } }"},
         "a field has column, is, after and else, not els"},
        {{.format = IMPORT_CSV,
          .header = "At",
          .map = "columns: { type: { column: At, is: { a: b }, else: c } }"},
         "else is keep or none, not c"},
        {{.format = IMPORT_CSV,
          .header = "At",
          .map = "columns: { type: { column: At, after: '' } }"},
         "write { is: TEXT }"},
        {{.format = IMPORT_CSV,
          .header = "At",
          .map = "columns: { type: { is: view, after: / } }"},
         "write { is: TEXT }"},
        {{.format = IMPORT_CSV,
          .header = "At",
          .map = "columns: { type: { column: At, after: /, else: keep } }"},
         "write { is: TEXT }"},
        {{.format = IMPORT_CSV, .header = "At", .map = "tz: UTC"},
         "needs columns"},
        {{.format = IMPORT_CSV, .header = "At", .map = "- a"}, "needs columns"},
        {{.format = IMPORT_CSV, .header = "At", .map = "a"}, "needs columns"},
        {{.format = IMPORT_CSV, .header = "At", .map = "columns: ["}, "1:"},
        {{.format = IMPORT_GOATCOUNTER, .header = "a,b"}, "no export"},
        {{.format = IMPORT_PLAUSIBLE, .header = "date,visitors,bounces"},
         "load imported_pages"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct import_reader *reader = NULL;
        struct lb_error err = {LB_OK, ""};

        assert_int_equal(import_reader_new(&faults[i].spec, &reader, &err),
                         LB_EFORMAT);
        assert_null(reader);
        if (strstr(err.text, faults[i].wanted) == NULL) {
            fail_msg("%zu: %s, not %s", i, err.text, faults[i].wanted);
        }
    }
}

static void a_format_is_known_by_its_first_record(void **state)
{
    static const struct {
        const char *record;
        enum import_format wanted;
    } guesses[] = {
        {"{\"type\":\"view\"}", IMPORT_NDJSON},
        {"\xef\xbb\xbf {\"type\":\"view\"}", IMPORT_NDJSON},
        {"{\"h\":\"x\",\"hh\":\"bit.ly\"}", IMPORT_BITLY},
        {"{\"_heartbeat_\":1}", IMPORT_BITLY},
        {"203.0.113.9 - - [24/Nov/2026:09:00:00 +0000] \"GET / HTTP/1.1\" 200 "
         "5",
         IMPORT_COMBINED},
        {GOAT2, IMPORT_GOATCOUNTER},
        {GOAT1, IMPORT_GOATCOUNTER},
        {PAGES, IMPORT_PLAUSIBLE},
        {SOURCES, IMPORT_PLAUSIBLE},
        {"date,type,url", IMPORT_CSV},
        {"type,ts,site", IMPORT_CSV},
        {"", IMPORT_CSV},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
        if (import_format_guess(guesses[i].record) != guesses[i].wanted) {
            fail_msg(
                "%s: %s", guesses[i].record,
                import_format_name(import_format_guess(guesses[i].record)));
        }
    }
}

static void records_end_where_their_format_says(void **state)
{
    static const struct {
        enum import_format format;
        const char *text;
        size_t used;
        size_t next;
        bool is_whole;
    } ends[] = {
        {IMPORT_NDJSON, "a\nb", 1, 2, true},
        {IMPORT_NDJSON, "a\r\nb", 1, 3, true},
        {IMPORT_NDJSON, "ab", 2, 2, false},
        {IMPORT_NDJSON, "\n", 0, 1, true},
        {IMPORT_NDJSON, "", 0, 0, false},
        {IMPORT_NDJSON, "\"a\nb\"\n", 2, 3, true},
        {IMPORT_CSV, "\"a\nb\"\nc", 5, 6, true},
        {IMPORT_CSV, "\"a\n\"\"b\"\n", 7, 8, true},
        {IMPORT_CSV, "\"a\n", 3, 3, false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t used = 99;
        size_t next = 99;

        assert_int_equal(import_format_record(ends[i].format, ends[i].text,
                                              strlen(ends[i].text), &used,
                                              &next),
                         ends[i].is_whole);
        assert_int_equal(used, ends[i].used);
        assert_int_equal(next, ends[i].next);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_become_events),
        cmocka_unit_test(without_memory_a_record_is_never_half_an_event),
        cmocka_unit_test(a_shift_moves_every_time),
        cmocka_unit_test(what_can_not_be_read_is_told),
        cmocka_unit_test(a_format_is_known_by_its_first_record),
        cmocka_unit_test(records_end_where_their_format_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
