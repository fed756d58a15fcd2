/* test_hook_kind.c - from what each service sends to native events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/hook_kind.h"

struct made {
    char json[4096];
    size_t ignored_count;
    size_t count;
    bool is_repeatable;
    bool is_qr;
    const char *fault;
};

/* Equal as JSON, whatever the order of members. */
static void expect_json(const char *got, const char *want, const char *body)
{
    cJSON *a = cJSON_Parse(got);
    cJSON *b = cJSON_Parse(want);
    bool is_same = a != NULL && b != NULL && cJSON_Compare(a, b, true);

    cJSON_Delete(a);
    cJSON_Delete(b);
    if (!is_same) {
        fail_msg("%s\nmakes   %s\nnot     %s", body, got, want);
    }
}

static struct made make_with(const char *kind,
                             const char *source,
                             const char *body,
                             struct hook_events *events)
{
    cJSON *json = cJSON_Parse(body);
    cJSON *config = cJSON_Parse(source);
    struct made made = {.json = ""};

    assert_non_null(json);
    assert_non_null(config);
    hook_kind_find(kind)->write(config, json, events);
    hook_events_end(events);
    (void)snprintf(made.json, sizeof(made.json), "%s",
                   lb_buf_text(&events->json));
    made.ignored_count = events->ignored_count;
    made.count = events->count;
    made.is_repeatable = events->is_repeatable;
    made.is_qr = events->is_qr;
    made.fault = events->fault;
    hook_events_deinit(events);
    cJSON_Delete(json);
    cJSON_Delete(config);
    return made;
}

static void begin(struct hook_events *events, enum hook_event_dedupe dedupe)
{
    hook_events_init(events, 65536);
    events->site = "alice.bio";
    events->dedupe = dedupe;
    events->text_bytes = 16;
    events->max_count = 100;
    (void)snprintf(events->body_id, sizeof(events->body_id), "in_body");
}

static struct made make(const char *kind, const char *body)
{
    struct hook_events events;

    begin(&events, HOOK_EVENT_DEDUPE_LEADS);
    return make_with(kind, "{}", body, &events);
}

static struct made map(const char *source, const char *body)
{
    struct hook_events events;

    begin(&events, HOOK_EVENT_DEDUPE_LEADS);
    return make_with("generic", source, body, &events);
}

struct row {
    const char *body;
    const char *want;
    size_t ignored_count;
};

static void expect_rows(const char *kind, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct made made = make(kind, rows[i].body);

        expect_json(made.json, rows[i].want, rows[i].body);
        if (made.ignored_count != rows[i].ignored_count) {
            fail_msg("%s: %zu ignored", rows[i].body, made.ignored_count);
        }
        assert_null(made.fault);
    }
}
#define EXPECT_ROWS(kind, rows)                                                \
    expect_rows(kind, rows, sizeof(rows) / sizeof(rows[0]))

#define AT "\"timestamp\":\"2026-03-25T14:32:01Z\""
#define TS "\"site\":\"alice.bio\",\"ts\":1774449121000"

static void linkmi_makes_views_clicks_and_leads(void **state)
{
    static const struct row rows[] = {
        {"{\"event\":\"profile.visit\",\"payload\":{\"profileCode\":\"al ice\","
         "\"referer\":\"twitter.com\",\"country\":\"fr\"}," AT "}",
         "[{\"type\":\"view\",\"url\":\"/al%20ice\",\"referrer\":"
         "\"twitter.com\",\"country\":\"FR\"," TS "}]",
         0},
        {"{\"event\":\"link.click\",\"payload\":{\"type\":\"link\",\"linkId\":"
         "\"lnk_42\",\"title\":\"Book call\",\"referer\":null}," AT "}",
         "[{\"type\":\"click\",\"link\":\"lnk_42\",\"name\":\"Book call\","
         "\"props\":{\"type\":\"link\"}," TS "}]",
         0},
        {"{\"event\":\"subscriber.new\",\"payload\":{\"email\":\"zoe@x.example"
         "\",\"campaignId\":\"c9\",\"widgetTitle\":\"Newsletter\"}," AT "}",
         "[{\"type\":\"lead\",\"id\":\"in_body\",\"name\":\"Newsletter\","
         "\"contact\":{\"email\":\"zoe@x.example\"},\"props\":{\"campaign\":"
         "\"c9\"}," TS "}]",
         0},
    };

    (void)state;
    EXPECT_ROWS("linkmi", rows);
}

static void linkmi_may_leave_anything_out(void **state)
{
    static const struct row rows[] = {
        {"{\"event\":\"profile.visit\",\"payload\":{}," AT "}",
         "[{\"type\":\"view\"," TS "}]", 0},
        {"{\"event\":\"link.click\",\"payload\":null," AT "}",
         "[{\"type\":\"click\"," TS "}]", 0},
        {"{\"event\":\"subscriber.new\"," AT "}",
         "[{\"type\":\"lead\",\"id\":\"in_body\"," TS "}]", 0},
        {"{\"event\":\"link.click\",\"payload\":{\"linkId\":\"\",\"title\":"
         "null,\"referer\":\"\",\"type\":\"\"}," AT "}",
         "[{\"type\":\"click\",\"referrer\":\"\"," TS "}]", 0},
        {"{\"event\":\"link.click\",\"payload\":{\"linkId\":7,\"title\":{}}," AT
         "}",
         "[{\"type\":\"click\",\"link\":\"7\"," TS "}]", 0},
        {"{\"event\":\"profile.visit\",\"payload\":{\"country\":\"Unknown\","
         "\"profileCode\":7}," AT "}",
         "[{\"type\":\"view\"," TS "}]", 0},
        {"{\"event\":\"link.click\"}",
         "[{\"type\":\"click\",\"site\":\"alice.bio\"}]", 0},
        {"{\"event\":\"link.click\",\"timestamp\":\"soon\"}",
         "[{\"type\":\"click\",\"site\":\"alice.bio\",\"ts\":\"soon\"}]", 0},
        {"{\"payload\":{\"linkId\":\"x\"}}", "[{\"site\":\"alice.bio\"}]", 0},
        {"[]", "[{\"site\":\"alice.bio\"}]", 0},
        {"7", "[{\"site\":\"alice.bio\"}]", 0},
    };

    (void)state;
    EXPECT_ROWS("linkmi", rows);
}

static void linkmi_texts_are_cut_between_characters(void **state)
{
    static const struct row rows[] = {
        {"{\"event\":\"link.click\",\"payload\":{\"title\":\"12345678901234"
         "\xc3\xa9xyz\"}," AT "}",
         "[{\"type\":\"click\",\"name\":\"12345678901234\xc3\xa9\"," TS "}]",
         0},
        {"{\"event\":\"link.click\",\"payload\":{\"title\":\"123456789012345"
         "\xc3\xa9xyz\"}," AT "}",
         "[{\"type\":\"click\",\"name\":\"123456789012345\"," TS "}]", 0},
    };

    (void)state;
    EXPECT_ROWS("linkmi", rows);
}

static void what_linkmi_sends_besides_is_ignored_and_counted(void **state)
{
    static const struct row rows[] = {
        {"{\"event\":\"shop.order\",\"payload\":{\"a\":1}," AT "}", "[]", 1},
        {"{\"event\":\"\"," AT "}", "[]", 1},
        {"{\"event\":\"link.click\",\"payload\":{\"linkId\":\"x\",\"device\":"
         "\"ios\",\"email\":\"zoe@x.example\"}," AT "}",
         "[{\"type\":\"click\",\"link\":\"x\"," TS "}]", 2},
        {"{\"event\":\"profile.visit\",\"payload\":{\"linkId\":\"x\"}," AT "}",
         "[{\"type\":\"view\"," TS "}]", 1},
        {"{\"event\":\"subscriber.new\",\"payload\":{\"referer\":\"x\"}," AT
         "}",
         "[{\"type\":\"lead\",\"id\":\"in_body\"," TS "}]", 1},
        {"{\"event\":\"link.click\",\"payload\":{\"linkId\":\"x\"},\"more\":"
         "1," AT "}",
         "[{\"type\":\"click\",\"link\":\"x\"," TS "}]", 0},
    };

    (void)state;
    EXPECT_ROWS("linkmi", rows);
}

static void linkme_makes_clicks_and_conversions(void **state)
{
    static const struct row rows[] = {
        {"{\"id\":\"u1\",\"event\":\"link.click\",\"ts\":\"2026-03-25T14:32:"
         "01.000Z\",\"app_id\":\"app_1\",\"data\":{\"link_id\":\"abc123\","
         "\"platform\":\"ios\",\"dest_url\":\"https://x.example/\"}}",
         "[{\"type\":\"click\",\"id\":\"u1\",\"link\":\"abc123\",\"props\":{"
         "\"platform\":\"ios\"}," TS "}]",
         0},
        {"{\"id\":\"u2\",\"event\":\"link.claim\",\"ts\":1774449121,\"data\":{"
         "\"link_id\":\"abc\"}}",
         "[{\"type\":\"conversion\",\"id\":\"u2\",\"name\":\"link.claim\","
         "\"link\":\"abc\"," TS "}]",
         0},
        {"{\"id\":\"u3\",\"event\":\"link.app_open\",\"ts\":1774449121000}",
         "[{\"type\":\"conversion\",\"id\":\"u3\",\"name\":\"link.app_"
         "open\"," TS "}]",
         0},
        {"{\"id\":\"u4\",\"event\":\"link.token_created\"}", "[]", 1},
        {"{\"id\":\"u5\",\"event\":\"link.deferred_claim_attempt\"}", "[]", 1},
        {"{\"event\":\"link.click\"}",
         "[{\"type\":\"click\",\"site\":\"alice.bio\"}]", 0},
    };

    (void)state;
    EXPECT_ROWS("linkme", rows);
}

#define DUB(event, data)                                                       \
    "{\"id\":\"evt_1\",\"event\":\"" event                                     \
    "\",\"createdAt\":\"2026-03-25T14:32:01.000Z\",\"data\":{" data "}}"
#define DUB_CLICK                                                              \
    "\"click\":{\"id\":\"c\",\"url\":\"https://x.example/?utm_source=no\","    \
    "\"country\":\"US\",\"city\":\"San Jose\",\"region\":\"CA\",\"device\":"   \
    "\"Desktop\",\"referer\":\"t.co\",\"refererUrl\":\"https://t.co/a\","      \
    "\"qr\":true,\"ip\":\"192.0.2.7\"}"
#define DUB_LINK                                                               \
    "\"link\":{\"id\":\"l\",\"key\":\"try\",\"shortLink\":"                    \
    "\"https://d.sh/try\",\"utm_source\":\"news\",\"utm_medium\":null,"        \
    "\"utm_campaign\":\"spring\",\"clicks\":882}"
#define DUB_MADE                                                               \
    "\"id\":\"evt_1\",\"country\":\"US\",\"region\":\"US-CA\",\"city\":"       \
    "\"San Jose\",\"ip\":\"192.0.2.7\",\"referrer\":\"https://t.co/a\","       \
    "\"link\":\"try\",\"url\":\"https://d.sh/try\",\"utm\":{\"source\":"       \
    "\"news\",\"campaign\":\"spring\"}," TS

static void dub_makes_clicks_leads_and_sales(void **state)
{
    static const struct row rows[] = {
        {DUB("link.clicked", DUB_CLICK "," DUB_LINK),
         "[{\"type\":\"click\"," DUB_MADE "}]", 0},
        {DUB("lead.created",
             "\"eventName\":\"Signup\",\"customer\":{\"id\":\"cus\",\"name\":"
             "\"Zoe M\",\"email\":\"zoe@x.example\"}," DUB_CLICK "," DUB_LINK),
         "[{\"type\":\"lead\",\"name\":\"Signup\",\"contact\":{\"email\":"
         "\"zoe@x.example\",\"name\":\"Zoe M\"}," DUB_MADE "}]",
         0},
        {DUB("sale.created", "\"eventName\":\"Plan\",\"sale\":{\"amount\":1234,"
                             "\"currency\":\"usd\",\"invoiceId\":\"i\"}"),
         "[{\"type\":\"conversion\",\"id\":\"evt_1\",\"name\":\"Plan\","
         "\"value\":{\"amount\":12.34,\"currency\":\"USD\"}," TS "}]",
         0},
        {DUB("sale.created", "\"sale\":{\"amount\":1437,\"currency\":\"jpy\"}"),
         "[{\"type\":\"conversion\",\"id\":\"evt_1\",\"value\":{\"amount\":"
         "1437,\"currency\":\"JPY\"}," TS "}]",
         0},
        {DUB("sale.created", "\"sale\":{\"amount\":null,\"currency\":\"usd\"}"),
         "[{\"type\":\"conversion\",\"id\":\"evt_1\"," TS "}]", 0},
        {DUB("link.clicked", "\"click\":{\"country\":\"??\",\"region\":\"sfo1\""
                             ",\"ip\":\"hidden\",\"referer\":\"(direct)\"}"),
         "[{\"type\":\"click\",\"id\":\"evt_1\",\"referrer\":\"(direct)\"," TS
         "}]",
         0},
        {DUB("link.created", "\"key\":\"x\""), "[]", 1},
        {DUB("partner.enrolled", ""), "[]", 1},
        {DUB("link.clicked", ""),
         "[{\"type\":\"click\",\"id\":\"evt_1\"," TS "}]", 0},
    };

    (void)state;
    EXPECT_ROWS("dub", rows);
    assert_true(make("dub", rows[0].body).is_qr);
    assert_false(make("dub", rows[5].body).is_qr);
}

static void bitly_makes_clicks_in_its_old_and_its_new_form(void **state)
{
    static const struct row rows[] = {
        {"{\"event_id\":\"42f1\",\"datetime\":\"2026-03-25T14:32:01+0000\","
         "\"url\":\"https://x.example/?utm_source=no\",\"bitlink\":"
         "\"b.ly/a-b\",\"passed_params\":\"utm_source=news&x=1\",\"country\":"
         "\"US\",\"referrer\":\"direct\",\"device_type\":\"Desktop\"}",
         "[{\"type\":\"click\",\"id\":\"42f1\",\"link\":\"a-b\",\"url\":"
         "\"https://b.ly/a-b?utm_source=news&x=1\",\"country\":\"US\","
         "\"referrer\":\"direct\",\"props\":{\"device_type\":\"Desktop\"}," TS
         "}]",
         0},
        {"{\"event_id\":\"e\",\"event_type\":\"engagement\",\"timestamp\":"
         "\"2026-03-25T14:32:01Z\",\"bitlink\":\"https://b.ly/x\","
         "\"passed_params\":\"\",\"country\":\"none\"}",
         "[{\"type\":\"click\",\"id\":\"e\",\"link\":\"x\",\"url\":"
         "\"https://b.ly/x\"," TS "}]",
         0},
        {"{\"event_id\":\"e\",\"bitlink\":\"b.ly/\",\"timestamp\":1774449121}",
         "[{\"type\":\"click\",\"id\":\"e\"," TS "}]", 0},
        {"{\"event_type\":\"other\",\"bitlink\":\"b.ly/x\"}", "[]", 1},
        {"{\"hello\":1}", "[{\"site\":\"alice.bio\"}]", 0},
    };

    (void)state;
    EXPECT_ROWS("bitly", rows);
}

static void a_map_takes_paths_and_constants(void **state)
{
    static const struct {
        const char *source;
        const char *body;
        const char *want;
        size_t ignored_count;
    } rows[] = {
        {"{\"map\":{\"type\":\"lead\",\"contact.email\":\"$.person.email\","
         "\"id\":\"$.nr\",\"props.plan\":\"$.plan\",\"props.n\":3}}",
         "{\"person\":{\"email\":\"z@x.example\"},\"nr\":12,\"plan\":\"pro\"}",
         "[{\"type\":\"lead\",\"id\":\"12\",\"contact\":{\"email\":"
         "\"z@x.example\"},\"props\":{\"plan\":\"pro\",\"n\":3},\"site\":"
         "\"alice.bio\"}]",
         0},
        /* what a path does not lead to is left out */
        {"{\"map\":{\"type\":\"click\",\"link\":\"$.code\",\"name\":\"$.n\"}}",
         "{\"n\":null}", "[{\"type\":\"click\",\"site\":\"alice.bio\"}]", 0},
        /* scalars become texts, the rest is for the reader to refuse */
        {"{\"map\":{\"type\":\"click\",\"link\":\"$.a\",\"name\":\"$.b\","
         "\"id\":\"$.big\",\"url\":\"$.o\",\"props.t\":\"$.b\"}}",
         "{\"a\":1.5,\"b\":true,\"big\":9007199254740994,\"o\":{}}",
         "[{\"type\":\"click\",\"link\":\"1.5\",\"name\":\"true\",\"id\":"
         "9007199254740994,\"url\":{},\"props\":{\"t\":true},\"site\":"
         "\"alice.bio\"}]",
         0},
        /* amounts */
        {"{\"map\":{\"type\":\"conversion\",\"value.amount\":\"$.a\","
         "\"value.currency\":\"EUR\"}}",
         "{\"a\":\"12.50\"}",
         "[{\"type\":\"conversion\",\"value\":{\"amount\":12.5,\"currency\":"
         "\"EUR\"},\"site\":\"alice.bio\"}]",
         0},
        {"{\"map\":{\"type\":\"conversion\",\"value.amount\":\"$.a\","
         "\"value.currency\":\"EUR\"}}",
         "{}", "[{\"type\":\"conversion\",\"site\":\"alice.bio\"}]", 0},
        {"{\"map\":{\"type\":\"conversion\",\"value.amount\":\"$.a\","
         "\"value.currency\":\"EUR\"}}",
         "{\"a\":\"1.2.3\"}",
         "[{\"type\":\"conversion\",\"value\":{\"amount\":\"1.2.3\","
         "\"currency\":\"EUR\"},\"site\":\"alice.bio\"}]",
         0},
        /* types */
        {"{\"map\":{\"type\":{\"path\":\"$.e\",\"is\":{\"sent\":\"lead\","
         "\"hit\":\"view\"}}}}",
         "{\"e\":\"hit\"}", "[{\"type\":\"view\",\"site\":\"alice.bio\"}]", 0},
        {"{\"map\":{\"type\":{\"path\":\"$.e\",\"is\":{\"1\":\"lead\"}}}}",
         "{\"e\":1}",
         "[{\"type\":\"lead\",\"id\":\"in_body\",\"site\":\"alice.bio\"}]", 0},
        {"{\"map\":{\"type\":{\"path\":\"$.e\",\"is\":{\"sent\":\"lead\"}}}}",
         "{\"e\":\"other\"}", "[]", 1},
        {"{\"map\":{\"type\":{\"path\":\"$.e\",\"is\":{\"sent\":\"lead\"}}}}",
         "{}", "[{\"site\":\"alice.bio\"}]", 0},
        {"{\"map\":{\"type\":\"$.e\"}}", "{\"e\":\"view\"}",
         "[{\"type\":\"view\",\"site\":\"alice.bio\"}]", 0},
        /* each */
        {"{\"each\":\"$.items\",\"map\":{\"type\":{\"path\":\"$.t\",\"is\":{"
         "\"c\":\"click\"}},\"link\":\"$.l\"}}",
         "{\"items\":[{\"t\":\"c\",\"l\":\"a\"},{\"t\":\"x\"},{\"t\":\"c\","
         "\"l\":\"b\"}]}",
         "[{\"type\":\"click\",\"link\":\"a\",\"site\":\"alice.bio\"},{\"type"
         "\":\"click\",\"link\":\"b\",\"site\":\"alice.bio\"}]",
         1},
        {"{\"each\":\"$\",\"map\":{\"type\":\"lead\",\"name\":\"$[0]\"}}",
         "[[\"a\"],[\"b\"]]",
         "[{\"type\":\"lead\",\"name\":\"a\",\"id\":\"in_body-1\",\"site\":"
         "\"alice.bio\"},{\"type\":\"lead\",\"name\":\"b\",\"id\":"
         "\"in_body-2\",\"site\":\"alice.bio\"}]",
         0},
        {"{\"each\":\"$.items\",\"map\":{\"type\":\"lead\"}}", "{\"items\":[]}",
         "[]", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct made made = map(rows[i].source, rows[i].body);

        expect_json(made.json, rows[i].want, rows[i].body);
        assert_int_equal(made.ignored_count, rows[i].ignored_count);
        assert_null(made.fault);
    }
}

static void a_map_reads_times_of_every_form(void **state)
{
    static const struct {
        const char *ts;
        const char *want;
    } rows[] = {
        {"\"2026-03-25T14:32:01Z\"", "1774449121000"},
        {"\"2026-03-25T15:32:01+01:00\"", "1774449121000"},
        {"\"2026-03-25T15:32:01+0100\"", "1774449121000"},
        {"\"2026-03-25T14:32:01.250Z\"", "1774449121250"},
        {"1774449121", "1774449121000"},
        {"1774449121.25", "1774449121250"},
        {"1774449121250", "1774449121250"},
        {"\"1774449121\"", "1774449121000"},
        {"\"1774449121250\"", "1774449121250"},
        {"\"soon\"", "\"soon\""},
        {"\"2026-03-25\"", "\"2026-03-25\""},
        {"-5", "-5"},
        {"true", "true"},
    };
    char body[128];
    char want[128];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct made made;

        (void)snprintf(body, sizeof(body), "{\"at\":%s}", rows[i].ts);
        (void)snprintf(want, sizeof(want),
                       "[{\"type\":\"view\",\"ts\":%s,\"site\":\"alice.bio\"}]",
                       rows[i].want);
        made = map("{\"map\":{\"type\":\"view\",\"ts\":\"$.at\"}}", body);
        expect_json(made.json, want, body);
    }
}

static void what_a_map_can_not_read_is_a_fault(void **state)
{
    (void)state;
    assert_non_null(
        map("{\"each\":\"$.items\",\"map\":{\"type\":\"lead\"}}", "{}").fault);
    assert_non_null(map("{\"each\":\"$.items\",\"map\":{\"type\":\"lead\"}}",
                        "{\"items\":{}}")
                        .fault);
    assert_non_null(map("{\"map\":{\"type\":\"lead\",\"name\":\"$.a\"}}",
                        "{\"a\":1,\"a\":2}")
                        .fault);
}

static void events_past_the_limit_are_not_made(void **state)
{
    struct hook_events events;
    struct made made;

    (void)state;
    begin(&events, HOOK_EVENT_DEDUPE_OFF);
    events.max_count = 2;
    made = make_with("generic", "{\"each\":\"$\",\"map\":{\"type\":\"view\"}}",
                     "[1,2,3,4,5,6]", &events);

    assert_int_equal(made.count, 3); /* one more tells of too many */
}

static void equal_bodies_are_one_where_the_policy_says_so(void **state)
{
    static const struct {
        enum hook_event_dedupe dedupe;
        const char *delivery_id;
        const char *body;
        bool has_id;
        bool is_repeatable;
    } rows[] = {
        {HOOK_EVENT_DEDUPE_OFF, NULL, "{\"event\":\"subscriber.new\"}", false,
         true},
        {HOOK_EVENT_DEDUPE_OFF, NULL, "{\"event\":\"link.click\"}", false,
         true},
        {HOOK_EVENT_DEDUPE_LEADS, NULL, "{\"event\":\"subscriber.new\"}", true,
         false},
        {HOOK_EVENT_DEDUPE_LEADS, NULL, "{\"event\":\"link.click\"}", false,
         true},
        {HOOK_EVENT_DEDUPE_BODY, NULL, "{\"event\":\"subscriber.new\"}", true,
         false},
        {HOOK_EVENT_DEDUPE_BODY, NULL, "{\"event\":\"link.click\"}", true,
         false},
        {HOOK_EVENT_DEDUPE_OFF, "msg_1", "{\"event\":\"link.click\"}", true,
         false},
        {HOOK_EVENT_DEDUPE_BODY, NULL, "{\"event\":\"shop.order\"}", false,
         false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hook_events events;
        struct made made;

        begin(&events, rows[i].dedupe);
        events.delivery_id = rows[i].delivery_id;
        made = make_with("linkmi", "{}", rows[i].body, &events);

        assert_int_equal(made.is_repeatable, rows[i].is_repeatable);
        assert_int_equal(strstr(made.json, "\"id\"") != NULL, rows[i].has_id);
        assert_int_equal(strstr(made.json, "msg_1") != NULL,
                         rows[i].delivery_id != NULL);
    }
}

static void an_id_of_the_body_beats_that_of_the_delivery(void **state)
{
    struct hook_events events;
    struct made made;

    (void)state;
    begin(&events, HOOK_EVENT_DEDUPE_BODY);
    events.delivery_id = "msg_1";
    made = make_with("linkme", "{}",
                     "{\"id\":\"own\",\"event\":\"link.click\"}", &events);

    assert_non_null(strstr(made.json, "\"id\":\"own\""));
    assert_false(made.is_repeatable);
}

static void ids_made_of_bytes_differ_with_each_of_their_parts(void **state)
{
    static const uint8_t keys[2][16] = {{1}, {2}};
    char ids[4][HOOK_EVENT_ID_BYTES];

    (void)state;
    hook_event_make_id(keys[0], "crm", "body", 4, ids[0]);
    hook_event_make_id(keys[1], "crm", "body", 4, ids[1]);
    hook_event_make_id(keys[0], "crm2", "body", 4, ids[2]);
    hook_event_make_id(keys[0], "crm", "bodies", 6, ids[3]);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(strlen(ids[i]), HOOK_EVENT_ID_BYTES - 1);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(ids[i], ids[j]);
        }
    }
    hook_event_make_id(keys[0], "crm", "body", 4, ids[1]);
    assert_string_equal(ids[0], ids[1]);
}

static void every_kind_is_found_by_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; hook_kind_names()[i] != NULL; i++) {
        assert_string_equal(hook_kind_find(hook_kind_names()[i])->name,
                            hook_kind_names()[i]);
    }
    assert_null(hook_kind_find("linktree"));
    assert_null(hook_kind_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linkmi_makes_views_clicks_and_leads),
        cmocka_unit_test(linkmi_may_leave_anything_out),
        cmocka_unit_test(linkmi_texts_are_cut_between_characters),
        cmocka_unit_test(what_linkmi_sends_besides_is_ignored_and_counted),
        cmocka_unit_test(linkme_makes_clicks_and_conversions),
        cmocka_unit_test(dub_makes_clicks_leads_and_sales),
        cmocka_unit_test(bitly_makes_clicks_in_its_old_and_its_new_form),
        cmocka_unit_test(a_map_takes_paths_and_constants),
        cmocka_unit_test(a_map_reads_times_of_every_form),
        cmocka_unit_test(what_a_map_can_not_read_is_a_fault),
        cmocka_unit_test(events_past_the_limit_are_not_made),
        cmocka_unit_test(equal_bodies_are_one_where_the_policy_says_so),
        cmocka_unit_test(an_id_of_the_body_beats_that_of_the_delivery),
        cmocka_unit_test(ids_made_of_bytes_differ_with_each_of_their_parts),
        cmocka_unit_test(every_kind_is_found_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
