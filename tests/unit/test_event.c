/* test_event.c - one event: what is taken, what is refused and how, and what
 * the log gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "ingest/event.h"
#include "tests/support/event_bench.h"

#define NOW_MS INGEST_WORLD_NOW_MS
#define HEAD "{\"type\":\"view\",\"site\":\"alice.bio\""

static void assert_text(const struct entry *entry,
                        enum entry_text which,
                        const char *wanted)
{
    const char *got = entry->text[which];

    if (wanted == NULL ? got != NULL
                       : got == NULL || strcmp(got, wanted) != 0) {
        fail_msg("text %d is %s, not %s", (int)which,
                 got == NULL ? "absent" : got,
                 wanted == NULL ? "absent" : wanted);
    }
}

static void the_least_event_is_type_and_site(void **state)
{
    struct event_bench *bench = *state;
    const struct entry *entry = event_bench_take(bench, HEAD "}");
    char first_id[EVENT_ID_BYTES];

    assert_int_equal(entry->kind, ENTRY_EVENT);
    assert_int_equal(entry->type, ENTRY_VIEW);
    assert_int_equal(entry->site,
                     ingest_world_site(&bench->world, "alice.bio")->number);
    assert_int_equal(entry->ts_at_ms, NOW_MS);
    assert_int_equal(entry->received_at_ms, NOW_MS);
    assert_null(bench->event.salt);
    assert_int_equal(bench->event.own, DECIDE_OWN_NOTHING);
    assert_text(entry, ENTRY_TEXT_SOURCE, "Direct / None");
    assert_text(entry, ENTRY_TEXT_CHANNEL, "Direct");
    for (int i = 1; i < ENTRY_TEXT_COUNT; i++) {
        if (i != ENTRY_TEXT_SOURCE && i != ENTRY_TEXT_CHANNEL) {
            assert_text(entry, (enum entry_text)i, NULL);
        }
    }
    assert_int_equal(strlen(entry->text[ENTRY_TEXT_ID]), 3 + 16);
    assert_memory_equal(entry->text[ENTRY_TEXT_ID], "ev_", 3);
    (void)snprintf(first_id, sizeof(first_id), "%s",
                   entry->text[ENTRY_TEXT_ID]);
    assert_string_not_equal(
        event_bench_take(bench, HEAD "}")->text[ENTRY_TEXT_ID], first_id);
}

static void a_full_event_is_kept_field_by_field(void **state)
{
    struct event_bench *bench = *state;
    const struct entry *entry = event_bench_take(
        bench,
        "{\"type\":\"lead\",\"site\":\"alice.bio\",\"id\":\"e-1\","
        "\"name\":\"Newsletter\",\"link\":\"book-call\","
        "\"url\":\"https://alice.bio/a/b?utm_medium=email&gclid=secret#x\","
        "\"referrer\":\"https://www.instagram.com/alice?x=1\","
        "\"ts\":\"2026-11-24T10:00:00.250+01:30\",\"ip\":\"192.0.2.1\","
        "\"user_agent\":\"Mozilla/5.0\",\"country\":\"FR\",\"region\":\"IDF\","
        "\"city\":\"Paris\",\"utm\":{\"source\":\"News\",\"utm_term\":\"Ab\"},"
        "\"value\":{\"amount\":19.99,\"currency\":\"EUR\"},"
        "\"contact\":{\"email\":\"a@b.example\",\"phone\":\"123\","
        "\"message\":\"hi\"},"
        "\"props\":{\"plan\":\"pro\",\"seats\":3,\"trial\":true}}");

    assert_int_equal(entry->type, ENTRY_LEAD);
    assert_text(entry, ENTRY_TEXT_ID, "e-1");
    assert_text(entry, ENTRY_TEXT_NAME, "Newsletter");
    assert_text(entry, ENTRY_TEXT_LINK, "book-call");
    assert_text(entry, ENTRY_TEXT_HOST, "alice.bio");
    assert_text(entry, ENTRY_TEXT_PAGE, "/a/b");
    assert_text(entry, ENTRY_TEXT_REFERRER, "instagram.com/alice");
    assert_text(entry, ENTRY_TEXT_UTM_SOURCE, "news");
    assert_text(entry, ENTRY_TEXT_UTM_MEDIUM, "email");
    assert_text(entry, ENTRY_TEXT_UTM_TERM, "Ab");
    assert_text(entry, ENTRY_TEXT_CLICK_ID, "gclid");
    assert_text(entry, ENTRY_TEXT_SOURCE, "news");
    assert_text(entry, ENTRY_TEXT_COUNTRY, "FR");
    assert_text(entry, ENTRY_TEXT_REGION, "IDF");
    assert_text(entry, ENTRY_TEXT_CITY, "Paris");
    assert_text(entry, ENTRY_TEXT_CURRENCY, "EUR");
    assert_text(entry, ENTRY_TEXT_PROPS,
                "{\"plan\":\"pro\",\"seats\":3,\"trial\":true}");
    assert_true(entry->has_amount);
    assert_int_equal(entry->amount_hundredths, 1999);
    assert_int_equal(entry->ts_at_ms, NOW_MS - 1800000 + 250);
    assert_string_equal(entry->contact[ENTRY_CONTACT_EMAIL], "a@b.example");
    assert_null(entry->contact[ENTRY_CONTACT_PHONE]);
    assert_null(entry->contact[ENTRY_CONTACT_MESSAGE]);
    assert_non_null(bench->event.salt);
    assert_int_equal(bench->event.own, DECIDE_OWN_CAMPAIGN);
}

struct refusal {
    const char *json;
    const char *code;
    const char *field; /* NULL: any */
    const char *word;  /* that the message names; NULL: any */
};

static void check_refusals(struct event_bench *bench,
                           const struct refusal *rows,
                           size_t count)
{
    int faults = 0;

    for (size_t i = 0; i < count; i++) {
        const struct refusal *row = &rows[i];

        if (event_bench_read(bench, row->json)) {
            print_error("taken: %s\n", row->json);
            faults++;
        } else if (strcmp(bench->fault.code, row->code) != 0 ||
                   (row->field != NULL &&
                    (bench->fault.field == NULL ||
                     strcmp(bench->fault.field, row->field) != 0)) ||
                   (row->word != NULL &&
                    strstr(bench->fault.message, row->word) == NULL) ||
                   bench->fault.message[0] == '\0') {
            print_error("%s: %s, field %s: %s\n", row->json, bench->fault.code,
                        bench->fault.field == NULL ? "none"
                                                   : bench->fault.field,
                        bench->fault.message);
            faults++;
        }
    }
    assert_int_equal(faults, 0);
}

#define CHECK(bench, rows)                                                     \
    check_refusals(bench, rows, sizeof(rows) / sizeof((rows)[0]))

static void what_is_missing_or_of_another_type_is_refused(void **state)
{
    static const struct refusal rows[] = {
        {"{}", "missing_field", "type", "type"},
        {"{\"type\":\"view\"}", "missing_field", "site", "site"},
        {"{\"site\":\"alice.bio\"}", "missing_field", "type", NULL},
        {"{\"type\":null,\"site\":\"alice.bio\"}", "missing_field", "type",
         NULL},
        {"[]", "bad_type", NULL, NULL},
        {"7", "bad_type", NULL, NULL},
        {"null", "bad_type", NULL, NULL},
        {"{\"type\":1,\"site\":\"alice.bio\"}", "bad_type", "type", "type"},
        {HEAD ",\"id\":7}", "bad_type", "id", "id"},
        {HEAD ",\"url\":[]}", "bad_type", "url", NULL},
        {HEAD ",\"name\":true}", "bad_type", "name", NULL},
        {HEAD ",\"ts\":true}", "bad_type", "ts", NULL},
        {HEAD ",\"utm\":\"x\"}", "bad_type", "utm", NULL},
        {HEAD ",\"utm\":{\"source\":1}}", "bad_type", NULL, NULL},
        {HEAD ",\"value\":3}", "bad_type", "value", NULL},
        {HEAD ",\"value\":{\"amount\":\"3\",\"currency\":\"EUR\"}}", "bad_type",
         "value.amount", NULL},
        {HEAD ",\"contact\":\"a@b.example\"}", "bad_type", "contact", NULL},
        {HEAD ",\"contact\":{\"email\":1}}", "bad_type", "contact.email", NULL},
        {HEAD ",\"props\":[1]}", "bad_type", "props", NULL},
        {HEAD ",\"props\":{\"a\":{}}}", "bad_type", NULL, "a"},
        {HEAD ",\"props\":{\"a\":[1]}}", "bad_type", NULL, "a"},
    };

    CHECK(*state, rows);
}

static void bad_values_are_refused(void **state)
{
    static const struct refusal rows[] = {
        {"{\"type\":\"View\",\"site\":\"alice.bio\"}", "bad_value", "type",
         "View"},
        {"{\"type\":\"view\",\"site\":\"nobody.bio\"}", "unknown_site", "site",
         "nobody.bio"},
        {"{\"type\":\"view\",\"site\":\"Alice.bio\"}", "unknown_site", "site",
         NULL},
        {HEAD ",\"country\":\"fr\"}", "bad_value", "country", NULL},
        {HEAD ",\"country\":\"FRA\"}", "bad_value", "country", NULL},
        {HEAD ",\"country\":\"F\"}", "bad_value", "country", NULL},
        {HEAD ",\"country\":\"\xc3\x89\"}", "bad_value", "country", NULL},
        {HEAD ",\"ip\":\"localhost\"}", "bad_value", "ip", NULL},
        {HEAD ",\"ip\":\"1.2.3\"}", "bad_value", "ip", NULL},
        {HEAD ",\"value\":{\"amount\":1.001,\"currency\":\"EUR\"}}",
         "bad_value", "value.amount", NULL},
        {HEAD ",\"value\":{\"amount\":1e13,\"currency\":\"EUR\"}}", "bad_value",
         "value.amount", NULL},
        {HEAD ",\"value\":{\"amount\":1,\"currency\":\"eur\"}}", "bad_value",
         "value.currency", NULL},
        {HEAD ",\"value\":{\"amount\":1,\"currency\":\"EURO\"}}", "bad_value",
         "value.currency", NULL},
    };

    CHECK(*state, rows);
}

static void a_typo_and_a_repeated_key_are_named(void **state)
{
    static const struct refusal rows[] = {
        {HEAD ",\"utm_sorce\":\"x\"}", "unknown_field", "utm_sorce",
         "utm_sorce"},
        {HEAD ",\"Type\":\"view\"}", "unknown_field", "Type", "Type"},
        {HEAD ",\"utm\":{\"sorce\":\"x\"}}", "unknown_field", NULL, "sorce"},
        {HEAD ",\"value\":{\"amount\":1,\"curency\":\"EUR\"}}", "unknown_field",
         NULL, "curency"},
        {HEAD ",\"contact\":{\"mail\":\"x\"}}", "unknown_field", NULL, "mail"},
        {HEAD ",\"type\":\"click\"}", "duplicate_key", "type", "type"},
        {HEAD ",\"id\":\"a\",\"id\":\"a\"}", "duplicate_key", "id", "id"},
        {HEAD ",\"utm\":{\"term\":\"a\",\"term\":\"b\"}}", "duplicate_key",
         NULL, "term"},
        {HEAD ",\"props\":{\"a\":1,\"b\":2,\"a\":1}}", "duplicate_key", NULL,
         "a"},
        {HEAD ",\"contact\":{\"email\":\"a\",\"email\":\"b\"}}",
         "duplicate_key", NULL, "email"},
        {HEAD ",\"value\":{\"amount\":1,\"amount\":2,\"currency\":\"EUR\"}}",
         "duplicate_key", NULL, "amount"},
    };

    CHECK(*state, rows);
}

static void the_window_of_ts_is_72_hours_back_and_10_minutes_on(void **state)
{
    static const struct {
        int64_t shift_ms;
        const char *code; /* NULL: taken */
    } cases[] = {
        {-72 * LB_MS_PER_HOUR, NULL},
        {-72 * LB_MS_PER_HOUR - 1, "too_old"},
        {10 * LB_MS_PER_MIN, NULL},
        {10 * LB_MS_PER_MIN + 1, "in_future"},
    };
    struct event_bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ts_ms = NOW_MS + cases[i].shift_ms;
        char text[LB_CLOCK_TEXT_BYTES];
        char json[200];

        for (int form = 0; form < 2; form++) {
            lb_clock_format(ts_ms, text);
            if (form == 0) {
                (void)snprintf(json, sizeof(json), HEAD ",\"ts\":\"%s\"}",
                               text);
            } else {
                (void)snprintf(json, sizeof(json), HEAD ",\"ts\":%lld}",
                               (long long)ts_ms);
            }
            if (event_bench_read(bench, json) != (cases[i].code == NULL)) {
                fail_msg("%s: %s", json, bench->fault.message);
            }
            if (cases[i].code != NULL) {
                assert_string_equal(bench->fault.code, cases[i].code);
                assert_string_equal(bench->fault.field, "ts");
            } else {
                assert_int_equal(bench->event.entry.ts_at_ms, ts_ms);
                assert_int_equal(bench->event.entry.received_at_ms, NOW_MS);
            }
        }
    }
}

static void a_ts_that_is_no_time_is_bad_ts(void **state)
{
    static const struct refusal rows[] = {
        {HEAD ",\"ts\":\"2026-11-24\"}", "bad_ts", "ts", NULL},
        {HEAD ",\"ts\":\"2026-11-24T09:00:00\"}", "bad_ts", "ts", NULL},
        {HEAD ",\"ts\":\"2026-02-30T09:00:00Z\"}", "bad_ts", "ts", NULL},
        {HEAD ",\"ts\":\"2026-11-24T24:00:00Z\"}", "bad_ts", "ts", NULL},
        {HEAD ",\"ts\":\"yesterday\"}", "bad_ts", "ts", NULL},
        {HEAD ",\"ts\":\"1969-12-31T23:59:59Z\"}", "bad_ts", "ts", NULL},
        {HEAD ",\"ts\":-1}", "bad_ts", "ts", NULL},
        {HEAD ",\"ts\":1795510800000.5}", "bad_ts", "ts", NULL},
        {HEAD ",\"ts\":253402300800000}", "bad_ts", "ts", NULL},
        {HEAD ",\"ts\":1e300}", "bad_ts", "ts", NULL},
        {HEAD ",\"ts\":\"\"}", "bad_ts", "ts", NULL},
        {HEAD ",\"ts\":1795510800}", "too_old", "ts", NULL},
        {HEAD ",\"ts\":0}", "too_old", "ts", NULL},
        {HEAD ",\"ts\":\"9999-12-31T23:59:59Z\"}", "in_future", "ts", NULL},
    };

    CHECK(*state, rows);
}

static void an_import_takes_any_age_and_is_silent(void **state)
{
    struct event_bench *bench = *state;
    const struct entry *entry;

    bench->context.is_any_age = true;
    bench->context.is_silent = true;
    bench->context.import = "one";
    entry = event_bench_take(bench, HEAD ",\"ts\":\"2019-03-01T00:00:00Z\"}");
    assert_int_equal(entry->received_at_ms, entry->ts_at_ms);
    assert_int_equal(entry->ts_at_ms, INT64_C(1551398400000));
    assert_true(entry->is_silent);
    assert_false(
        event_bench_read(bench, HEAD ",\"ts\":\"2031-03-01T00:00:00Z\"}"));
    assert_string_equal(bench->fault.code, "in_future");
}

/* {HEAD,"FIELD":"xxx..."} with len bytes of text. */
static char *long_event(const char *before, size_t len, const char *after)
{
    struct lb_buf buf;

    lb_buf_init(&buf, (size_t)1 << 20);
    lb_buf_add_text(&buf, HEAD ",");
    lb_buf_add_text(&buf, before);
    for (size_t i = 0; i < len; i++) {
        lb_buf_add_char(&buf, 'x');
    }
    lb_buf_add_text(&buf, after);
    lb_buf_add_char(&buf, '}');
    return lb_buf_take(&buf);
}

static void every_text_has_a_limit_and_is_never_cut(void **state)
{
    static const struct {
        const char *before;
        const char *after;
        size_t max;
        const char *field;
    } cases[] = {
        {"\"id\":\"", "\"", 64, "id"},
        {"\"name\":\"", "\"", 256, "name"},
        {"\"link\":\"", "\"", 256, "link"},
        {"\"url\":\"", "\"", 2048, "url"},
        {"\"referrer\":\"", "\"", 2048, "referrer"},
        {"\"user_agent\":\"", "\"", 1024, "user_agent"},
        {"\"visitor\":\"", "\"", 256, "visitor"},
        {"\"region\":\"", "\"", 256, "region"},
        {"\"city\":\"", "\"", 256, "city"},
        {"\"utm\":{\"source\":\"", "\"}", 256, NULL},
        {"\"contact\":{\"email\":\"", "\"}", 256, "contact.email"},
        {"\"contact\":{\"message\":\"", "\"}", 4096, "contact.message"},
        {"\"props\":{\"a\":\"", "\"}", 512, NULL},
    };
    struct event_bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *json = long_event(cases[i].before, cases[i].max, cases[i].after);

        (void)event_bench_take(bench, json);
        free(json);
        json = long_event(cases[i].before, cases[i].max + 1, cases[i].after);
        assert_false(event_bench_read(bench, json));
        assert_string_equal(bench->fault.code, "too_long");
        if (cases[i].field != NULL) {
            assert_string_equal(bench->fault.field, cases[i].field);
        }
        free(json);
    }
}

static void props_hold_30_pairs(void **state)
{
    struct event_bench *bench = *state;

    for (int count = 30; count <= 31; count++) {
        struct lb_buf buf;

        lb_buf_init(&buf, 4096);
        lb_buf_add_text(&buf, HEAD ",\"props\":{");
        for (int i = 0; i < count; i++) {
            lb_buf_printf(&buf, "%s\"k%d\":%d", i == 0 ? "" : ",", i, i);
        }
        lb_buf_add_text(&buf, "}}");
        assert_int_equal(event_bench_read(bench, lb_buf_text(&buf)),
                         count == 30);
        lb_buf_deinit(&buf);
    }
    assert_string_equal(bench->fault.code, "bad_value");
    assert_text(event_bench_take(bench, HEAD ",\"props\":{}}"),
                ENTRY_TEXT_PROPS, NULL);
}

static void amounts_are_exact_to_the_hundredth(void **state)
{
    static const struct {
        const char *text;
        int64_t hundredths;
    } cases[] = {{"0", 0},
                 {"0.01", 1},
                 {"19.99", 1999},
                 {"-5.5", -550},
                 {"1e3", 100000},
                 {"4.35", 435},
                 {"1000000000000", INT64_C(100000000000000)},
                 {"999999999999.99", INT64_C(99999999999999)}};
    struct event_bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[200];

        (void)snprintf(json, sizeof(json),
                       HEAD ",\"value\":{\"amount\":%s,\"currency\":\"USD\"}}",
                       cases[i].text);
        assert_int_equal(event_bench_take(bench, json)->amount_hundredths,
                         cases[i].hundredths);
    }
}

static void pages_and_hosts_come_from_the_url(void **state)
{
    static const struct {
        const char *url;
        const char *host;
        const char *page;
    } cases[] = {
        {"https://Alice.BIO:8080/a?b#c", "alice.bio", "/a"},
        {"https://alice.bio", "alice.bio", "/"},
        {"https://alice.bio?utm_source=x", "alice.bio", "/"},
        {"/path/only?x=1", NULL, "/path/only"},
        {"/", NULL, "/"},
        {"no url at all", NULL, NULL},
        {"mailto:a@b.example", NULL, NULL},
        {"?utm_source=x", NULL, NULL},
    };
    struct event_bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[200];
        const struct entry *entry;

        (void)snprintf(json, sizeof(json), HEAD ",\"url\":\"%s\"}",
                       cases[i].url);
        entry = event_bench_take(bench, json);
        assert_text(entry, ENTRY_TEXT_HOST, cases[i].host);
        assert_text(entry, ENTRY_TEXT_PAGE, cases[i].page);
    }
}

static void a_fragment_is_part_of_the_page_where_it_is_kept(void **state)
{
    static const struct {
        const char *url;
        const char *page;
    } cases[] = {
        {"https://alice.bio/a?b=1#/c?d#e", "/a#/c?d#e"},
        {"https://alice.bio#x", "/#x"},
        {"https://alice.bio/a#", "/a#"},
        {"https://alice.bio/a?b", "/a"},
        {"/a#b", "/a#b"},
    };
    struct event_bench *bench = *state;

    bench->context.is_fragment_kept = true;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[200];

        (void)snprintf(json, sizeof(json), HEAD ",\"url\":\"%s\"}",
                       cases[i].url);
        assert_text(event_bench_take(bench, json), ENTRY_TEXT_PAGE,
                    cases[i].page);
    }
}

static void an_event_may_come_by_itself(void **state)
{
    struct event_bench *bench = *state;

    assert_false(event_bench_take(bench, HEAD "}")->is_passive);
    bench->context.is_passive = true;
    assert_true(event_bench_take(bench, HEAD "}")->is_passive);
}

static void the_utm_object_beats_the_url_key_by_key(void **state)
{
    struct event_bench *bench = *state;
    const struct entry *entry = event_bench_take(
        bench, HEAD ",\"url\":\"https://alice.bio/?utm_source=url&"
                    "utm_campaign=kept\",\"utm\":{\"source\":\"Object\","
                    "\"campaign\":\" \",\"content\":\"a%20b+c\"}}");

    assert_text(entry, ENTRY_TEXT_UTM_SOURCE, "object");
    assert_text(entry, ENTRY_TEXT_UTM_CAMPAIGN, "kept");
    assert_text(entry, ENTRY_TEXT_UTM_CONTENT, "a%20b+c");
    bench->context.is_case_kept = true;
    entry = event_bench_take(bench, HEAD ",\"utm\":{\"source\":\"Object\"}}");
    assert_text(entry, ENTRY_TEXT_UTM_SOURCE, "Object");
}

static void own_attribution_is_campaign_referrer_or_nothing(void **state)
{
    static const struct {
        const char *members;
        enum decide_own own;
    } cases[] = {
        {"", DECIDE_OWN_NOTHING},
        {",\"url\":\"/?gclid=x\"", DECIDE_OWN_CAMPAIGN},
        {",\"url\":\"/?gclid=\"", DECIDE_OWN_NOTHING},
        {",\"url\":\"/?utm_term=x\"", DECIDE_OWN_CAMPAIGN},
        {",\"referrer\":\"https://t.co/x\"", DECIDE_OWN_REFERRER},
        {",\"referrer\":\"https://t.co/x\",\"url\":\"/?ref=y\"",
         DECIDE_OWN_CAMPAIGN},
        {",\"referrer\":\"https://www.alice.bio/\"", DECIDE_OWN_NOTHING},
        {",\"referrer\":\"https://l.alice.bio/x\"", DECIDE_OWN_NOTHING},
        {",\"referrer\":\"https://shop.example/\","
         "\"url\":\"https://www.shop.example/\"",
         DECIDE_OWN_NOTHING},
        {",\"referrer\":\"about:blank\"", DECIDE_OWN_NOTHING},
    };
    struct event_bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[300];

        (void)snprintf(json, sizeof(json), HEAD "%s}", cases[i].members);
        (void)event_bench_take(bench, json);
        if (bench->event.own != cases[i].own) {
            fail_msg("%s: %d", json, (int)bench->event.own);
        }
    }
}

static void visitors_come_from_id_or_address_and_agent(void **state)
{
    struct event_bench *bench = *state;
    uint64_t by_address;
    uint64_t by_agent;

    (void)event_bench_take(bench, HEAD ",\"ip\":\"192.0.2.1\"}");
    assert_non_null(bench->event.salt);
    by_address = bench->event.visitor_hash;
    (void)event_bench_take(bench, HEAD ",\"ip\":\"::ffff:192.0.2.1\"}");
    assert_int_equal(bench->event.visitor_hash, by_address);
    (void)event_bench_take(bench,
                           HEAD ",\"ip\":\"192.0.2.1\",\"user_agent\":\"M\"}");
    by_agent = bench->event.visitor_hash;
    assert_int_not_equal(by_agent, by_address);
    (void)event_bench_take(bench,
                           HEAD ",\"visitor\":\"u\",\"ip\":\"192.0.2.1\"}");
    by_address = bench->event.visitor_hash;
    (void)event_bench_take(bench, HEAD ",\"visitor\":\"u\"}");
    assert_int_equal(bench->event.visitor_hash, by_address);
    /* A user agent alone tells nobody apart. */
    (void)event_bench_take(bench, HEAD ",\"user_agent\":\"M\"}");
    assert_null(bench->event.salt);
    /* An address that the request brought along counts like `ip`. */
    assert_true(lb_ip_parse("192.0.2.1", &bench->context.address));
    (void)event_bench_take(bench, HEAD ",\"user_agent\":\"M\"}");
    assert_int_equal(bench->event.visitor_hash, by_agent);
}

static void a_visitor_belongs_to_the_period_of_ts(void **state)
{
    struct event_bench *bench = *state;
    uint64_t today;
    int64_t day;

    (void)event_bench_take(bench, HEAD ",\"visitor\":\"u\"}");
    today = bench->event.visitor_hash;
    day = bench->event.entry.visitor_day;
    (void)event_bench_take(
        bench, HEAD ",\"visitor\":\"u\",\"ts\":\"2026-11-23T12:00:00Z\"}");
    assert_int_not_equal(bench->event.visitor_hash, today);
    assert_int_equal(bench->event.entry.visitor_day, day - 1);
}

static void an_id_is_hashed_with_its_site(void **state)
{
    struct event_bench *bench = *state;
    uint64_t hash = event_bench_take(bench, HEAD ",\"id\":\"a\"}")->id_hash;

    assert_int_equal(event_bench_take(bench, HEAD ",\"id\":\"a\"}")->id_hash,
                     hash);
    assert_int_not_equal(
        event_bench_take(bench, HEAD ",\"id\":\"b\"}")->id_hash, hash);
    assert_int_not_equal(
        event_bench_take(
            bench, "{\"type\":\"view\",\"site\":\"bob.bio\",\"id\":\"a\"}")
            ->id_hash,
        hash);
    bench->context.id_key[0] ^= 1;
    assert_int_not_equal(
        event_bench_take(bench, HEAD ",\"id\":\"a\"}")->id_hash, hash);
}

static void null_is_as_good_as_absent(void **state)
{
    struct event_bench *bench = *state;
    const struct entry *entry = event_bench_take(
        bench, HEAD ",\"id\":null,\"name\":null,\"ts\":null,\"utm\":null,"
                    "\"value\":null,\"contact\":{\"email\":null},"
                    "\"props\":null,\"ip\":null}");

    assert_text(entry, ENTRY_TEXT_NAME, NULL);
    assert_int_equal(entry->ts_at_ms, NOW_MS);
    assert_false(entry->has_amount);
}

static void a_message_is_cut_between_characters(void **state)
{
    struct event_bench *bench = *state;
    struct lb_buf buf;

    lb_buf_init(&buf, 4096);
    lb_buf_add_text(&buf, "{\"type\":\"");
    for (int i = 0; i < 80; i++) {
        lb_buf_add_text(&buf, "\xf0\x9f\x98\x80");
    }
    lb_buf_add_text(&buf, "\",\"site\":\"alice.bio\"}");
    if (event_bench_read(bench, lb_buf_text(&buf))) {
        fail();
    }
    lb_buf_clear(&buf);
    /* A quoted fault is text that the answer can carry. */
    lb_json_add_string(&buf, bench->fault.message);
    assert_true(lb_buf_text(&buf)[0] == '"');
    lb_buf_deinit(&buf);
}

static void a_full_arena_is_a_fault_of_ours(void **state)
{
    struct event_bench *bench = *state;
    struct lb_json_fault json_fault;
    cJSON *json = NULL;
    const char *text =
        HEAD ",\"url\":\"https://alice.bio/?utm_source=a&utm_medium=b\","
             "\"referrer\":\"https://t.co/x\",\"props\":{\"a\":1}}";
    bool is_taken = false;

    assert_int_equal(
        lb_json_parse(text, strlen(text), 32, bench->arena, &json, &json_fault),
        LB_OK);
    for (size_t bytes = 0; !is_taken; bytes += 16) {
        struct lb_arena *arena = lb_arena_new(bytes);

        assert_non_null(arena);
        is_taken = event_read(&bench->context, json, arena, &bench->event,
                              &bench->fault);
        if (!is_taken) {
            assert_string_equal(bench->fault.code, "internal");
        }
        lb_arena_free(arena);
        assert_true(bytes < 65536);
    }
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, event_bench_open, event_bench_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_least_event_is_type_and_site),
        TEST(a_full_event_is_kept_field_by_field),
        TEST(what_is_missing_or_of_another_type_is_refused),
        TEST(bad_values_are_refused),
        TEST(a_typo_and_a_repeated_key_are_named),
        TEST(the_window_of_ts_is_72_hours_back_and_10_minutes_on),
        TEST(a_ts_that_is_no_time_is_bad_ts),
        TEST(an_import_takes_any_age_and_is_silent),
        TEST(every_text_has_a_limit_and_is_never_cut),
        TEST(props_hold_30_pairs),
        TEST(amounts_are_exact_to_the_hundredth),
        TEST(pages_and_hosts_come_from_the_url),
        TEST(a_fragment_is_part_of_the_page_where_it_is_kept),
        TEST(an_event_may_come_by_itself),
        TEST(the_utm_object_beats_the_url_key_by_key),
        TEST(own_attribution_is_campaign_referrer_or_nothing),
        TEST(visitors_come_from_id_or_address_and_agent),
        TEST(a_visitor_belongs_to_the_period_of_ts),
        TEST(an_id_is_hashed_with_its_site),
        TEST(null_is_as_good_as_absent),
        TEST(a_message_is_cut_between_characters),
        TEST(a_full_arena_is_a_fault_of_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
