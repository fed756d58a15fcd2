/* test_plausible.c - the dialect of POST /api/event: bodies and what is made of
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/engagement.h"
#include "tests/support/plausible_bench.h"

struct body_case {
    const char *body;
    const char *wanted;
};

static void check_cases(struct plausible_bench *bench,
                        const struct body_case *cases,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(plausible_bench_read(bench, cases[i].body),
                   cases[i].wanted) != 0) {
            fail_msg("%s\n  makes  %s\n  not    %s", cases[i].body, bench->text,
                     cases[i].wanted);
        }
    }
}

#define CHECK(bench, cases)                                                    \
    check_cases(bench, cases, sizeof(cases) / sizeof((cases)[0]))

static void both_spellings_of_a_key_are_read_the_short_one_first(void **state)
{
    static const struct body_case cases[] = {
        {"{\"n\":\"pageview\",\"u\":\"https://alice.bio/a\",\"d\":"
         "\"alice.bio\","
         "\"r\":\"https://t.co/x\",\"w\":1024,\"v\":36,\"new\":{}}",
         "{\"type\":\"view\",\"site\":\"alice.bio\",\"url\":"
         "\"https://alice.bio/a\",\"referrer\":\"https://t.co/x\",\"props\":{}"
         "}"},
        {"{\"name\":\"pageview\",\"url\":\"https://alice.bio/a\",\"domain\":"
         "\"alice.bio\",\"referrer\":\"https://t.co/x\"}",
         "{\"type\":\"view\",\"site\":\"alice.bio\",\"url\":"
         "\"https://alice.bio/a\",\"referrer\":\"https://t.co/x\",\"props\":{}"
         "}"},
        {"{\"n\":\"a\",\"name\":\"b\",\"url\":\"/l\",\"u\":\"/s\",\"domain\":"
         "\"bob.bio\",\"d\":\"alice.bio\",\"referrer\":\"l\",\"r\":\"s\","
         "\"props\":{\"x\":\"l\"},\"p\":{\"x\":\"s\"}}",
         "{\"type\":\"conversion\",\"site\":\"alice.bio\",\"name\":\"a\","
         "\"url\":\"/s\",\"referrer\":\"s\",\"props\":{\"x\":\"s\"}}"},
        {"{\"n\":null,\"name\":\"b\",\"u\":\"/\",\"d\":\"bob.bio\",\"r\":null,"
         "\"referrer\":null}",
         "{\"type\":\"conversion\",\"site\":\"bob.bio\",\"name\":\"b\",\"url\":"
         "\"/\",\"props\":{}}"},
        {"{\"n\":\"a\",\"n\":\"b\",\"u\":\"/\",\"d\":\"bob.bio\"}",
         "{\"type\":\"conversion\",\"site\":\"bob.bio\",\"name\":\"b\",\"url\":"
         "\"/\",\"props\":{}}"},
    };

    CHECK(*state, cases);
}

static void a_name_becomes_a_type(void **state)
{
    static const struct {
        const char *name;
        const char *more;
        const char *wanted; /* type, name and link */
    } cases[] = {
        {"pageview", "", "\"type\":\"view\",\"site\":\"alice.bio\""},
        {"Pageview", "",
         "\"type\":\"conversion\",\"site\":\"alice.bio\","
         "\"name\":\"Pageview\""},
        {"Outbound Link: Click", "",
         "\"type\":\"click\",\"site\":\"alice.bio\""},
        {"File Download", "",
         "\"type\":\"click\",\"site\":\"alice.bio\",\"name\":\"File "
         "Download\""},
        {"Form: Submission", "",
         "\"type\":\"lead\",\"site\":\"alice.bio\",\"name\":\"Form: "
         "Submission\""},
        {"  Signup\\n", "",
         "\"type\":\"lead\",\"site\":\"alice.bio\",\"name\":\"Signup\""},
        {"signup", "",
         "\"type\":\"conversion\",\"site\":\"alice.bio\",\"name\":\"signup\""},
        {"x", ",\"t\":\"lead\"",
         "\"type\":\"lead\",\"site\":\"alice.bio\",\"name\":\"x\""},
        {"Signup", ",\"type\":\"conversion\"",
         "\"type\":\"conversion\",\"site\":\"alice.bio\",\"name\":\"Signup\""},
        {"pageview", ",\"t\":\"click\",\"l\":\"a b\"",
         "\"type\":\"click\",\"site\":\"alice.bio\",\"name\":\"pageview\","
         "\"link\":\"a b\""},
        {"Outbound Link: Click", ",\"t\":\"lead\"",
         "\"type\":\"lead\",\"site\":\"alice.bio\",\"name\":\"Outbound Link: "
         "Click\""},
        {"engagement", ",\"t\":\"conversion\"",
         "\"type\":\"conversion\",\"site\":\"alice.bio\","
         "\"name\":\"engagement\""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[400];
        char wanted[400];

        (void)snprintf(body, sizeof(body),
                       "{\"n\":\"%s\",\"u\":\"/\",\"d\":\"alice.bio\"%s}",
                       cases[i].name, cases[i].more);
        (void)snprintf(wanted, sizeof(wanted), "{%s,\"url\":\"/\"",
                       cases[i].wanted);
        assert_memory_equal(plausible_bench_read(*state, body), wanted,
                            strlen(wanted));
    }
}

static void an_outbound_click_is_of_the_link_with_that_url(void **state)
{
    static const struct {
        const char *url;
        const char *slug; /* NULL: none */
    } cases[] = {
        {"https://shop.example/", "shop"},
        {"https://shop.example", "shop"},
        {"HTTPS://SHOP.example/", "shop"},
        {"https://cal.example/alice?x=1", "call"},
        {"https://cal.example/alice", NULL},
        {"https://cal.example/Alice?x=1", NULL},
        {"http://shop.example/", NULL},
        {"https://shop.example/a", NULL},
        {"https://shop.examplea", NULL},
        {"https://shop", NULL},
        {"https://gone.example/", NULL},
        {"shop", NULL},
    };
    struct plausible_bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[400];
        char wanted[400];

        (void)snprintf(body, sizeof(body),
                       "{\"n\":\"Outbound Link: Click\",\"u\":\"/\",\"d\":"
                       "\"alice.bio\",\"p\":{\"url\":\"%s\"}}",
                       cases[i].url);
        (void)snprintf(wanted, sizeof(wanted),
                       "{\"type\":\"click\",\"site\":\"alice.bio\",%s%s%s"
                       "\"url\":\"/\",\"props\":{\"url\":\"%s\"}}",
                       cases[i].slug == NULL ? "" : "\"link\":\"",
                       cases[i].slug == NULL ? "" : cases[i].slug,
                       cases[i].slug == NULL ? "" : "\",", cases[i].url);
        assert_string_equal(plausible_bench_read(bench, body), wanted);
    }
    assert_non_null(
        strstr(plausible_bench_read(
                   bench, "{\"n\":\"Outbound Link: Click\",\"u\":\"/\",\"d\":"
                          "\"alice.bio\",\"l\":\"own\",\"p\":{\"url\":"
                          "\"https://shop.example\"}}"),
               "\"link\":\"own\""));
    assert_null(
        strstr(plausible_bench_read(
                   bench, "{\"n\":\"Outbound Link: Click\",\"u\":\"/\",\"d\":"
                          "\"bob.bio\",\"p\":{\"url\":\"https://shop.example\"}"
                          "}"),
               "\"link\""));
}

static void an_event_goes_to_each_domain_once(void **state)
{
    static const struct {
        const char *domains; /* NULL: absent */
        const char *url;
        const char *sites;
        size_t unknown;
    } cases[] = {
        {"alice.bio", "/", "alice.bio", 0},
        {"www.alice.bio", "/", "alice.bio", 0},
        {"alice.bio,bob.bio", "/", "alice.bio bob.bio", 0},
        {" Alice.BIO , www.bob.bio,,alice.bio,", "/", "alice.bio bob.bio", 0},
        {"alice.bio,carol.bio,dan.bio", "/", "alice.bio", 2},
        {"carol.bio", "https://alice.bio/", "", 1},
        {NULL, "https://www.alice.bio:8080/x", "alice.bio", 0},
        {NULL, "https://carol.bio/x", "", 1},
    };
    struct plausible_bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[400];
        char sites[100] = "";
        size_t len = 0;

        (void)snprintf(body, sizeof(body),
                       "{\"n\":\"pageview\",\"u\":\"%s\"%s%s%s}", cases[i].url,
                       cases[i].domains == NULL ? "" : ",\"d\":\"",
                       cases[i].domains == NULL ? "" : cases[i].domains,
                       cases[i].domains == NULL ? "" : "\"");
        (void)plausible_bench_read(bench, body);
        for (size_t j = 0; j < bench->read.site_count; j++) {
            len +=
                (size_t)snprintf(sites + len, sizeof(sites) - len, "%s%s",
                                 j == 0 ? "" : " ", bench->read.sites[j]->id);
        }
        assert_string_equal(sites, cases[i].sites);
        assert_int_equal(bench->read.unknown_count, cases[i].unknown);
    }
}

static void more_than_100_domains_are_refused(void **state)
{
    const char *const parts[3] = {"{\"n\":\"pageview\",\"u\":\"/\",\"d\":\"",
                                  "carol.bio,,", "alice.bio\"}"};
    struct plausible_bench *bench = *state;

    assert_memory_equal(
        plausible_bench_read_long(bench, parts, PLAUSIBLE_DOMAINS - 1),
        "{\"type\":", 8);
    assert_int_equal(bench->read.site_count, 1);
    assert_int_equal(bench->read.unknown_count, PLAUSIBLE_DOMAINS - 1);
    assert_string_equal(
        plausible_bench_read_long(bench, parts, PLAUSIBLE_DOMAINS),
        "{\"errors\":{\"domain\":[\"should have at most 100 item(s)\"]}}");
}

static void as_many_sites_are_taken(void **state)
{
    struct plausible_bench *bench = *state;
    struct lb_error err = {LB_OK, ""};
    struct lb_buf body;

    assert_int_equal(db_begin(writer_db(bench->writer), &err), LB_OK);
    lb_buf_init(&body, PLAUSIBLE_BENCH_TEXT);
    lb_buf_add_text(&body, "{\"n\":\"pageview\",\"u\":\"/\",\"d\":\"");
    for (int i = 0; i < PLAUSIBLE_DOMAINS; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "s%d", i);
        (void)plausible_bench_put_site(bench, id, "{}");
        lb_buf_printf(&body, "%s,", id);
    }
    lb_buf_add_text(&body, "\"}");
    assert_int_equal(db_commit(writer_db(bench->writer), &err), LB_OK);
    catalog_unref(bench->catalog);
    assert_int_equal(
        catalog_load(writer_db(bench->writer), &bench->catalog, &err), LB_OK);
    (void)plausible_bench_read(bench, lb_buf_text(&body));
    assert_int_equal(bench->read.site_count, PLAUSIBLE_DOMAINS);
    lb_buf_deinit(&body);
}

static void faults_have_the_texts_of_the_dialect(void **state)
{
    static const struct body_case cases[] = {
        {"", "{\"errors\":{\"request\":[\"Unable to parse request body as "
             "json\"]}}"},
        {"[1]", "{\"errors\":{\"request\":[\"Unable to parse request body as "
                "json\"]}}"},
        {"\"x\"", "{\"errors\":{\"request\":[\"Unable to parse request body as "
                  "json\"]}}"},
        {"{\"n\":\"a\",}", "{\"errors\":{\"request\":[\"Unable to parse "
                           "request body as json\"]}}"},
        {"{\"n\":\"a\\u0000\"}", "{\"errors\":{\"request\":[\"Unable to parse "
                                 "request body as json\"]}}"},
        {"{\"n\":\"pageview\",\"d\":\"alice.bio\"}",
         "{\"errors\":{\"url\":[\"is required\"]}}"},
        {"{\"n\":\"pageview\",\"u\":null,\"d\":\"alice.bio\"}",
         "{\"errors\":{\"url\":[\"is required\"]}}"},
        {"{\"n\":\"pageview\",\"u\":5,\"d\":\"alice.bio\"}",
         "{\"errors\":{\"url\":[\"must be a string\"]}}"},
        {"{\"n\":\"pageview\",\"u\":\" Data:text/html,x\",\"d\":\"alice.bio\"}",
         "{\"errors\":{\"url\":[\"scheme is not allowed\"]}}"},
        {"{\"u\":\"/\",\"d\":\"alice.bio\"}",
         "{\"errors\":{\"event_name\":[\"can't be blank\"]}}"},
        {"{\"n\":\" \\t\",\"u\":\"/\",\"d\":\"alice.bio\"}",
         "{\"errors\":{\"event_name\":[\"can't be blank\"]}}"},
        {"{\"n\":404,\"u\":\"/\",\"d\":\"alice.bio\"}",
         "{\"errors\":{\"event_name\":[\"is invalid\"]}}"},
        {"{\"n\":\"pageview\",\"u\":\"/\"}",
         "{\"errors\":{\"domain\":[\"can't be blank\"]}}"},
        {"{" PLAUSIBLE_BENCH_PAGE ",\"d\":\" , \"}",
         "{\"errors\":{\"domain\":[\"can't be blank\"]}}"},
        {"{" PLAUSIBLE_BENCH_PAGE ",\"d\":7}",
         "{\"errors\":{\"domain\":[\"can't be blank\"]}}"},
        {"{" PLAUSIBLE_BENCH_PAGE ",\"t\":\"buy\"}",
         "{\"errors\":{\"type\":[\"is invalid\"]}}"},
        {"{" PLAUSIBLE_BENCH_PAGE ",\"t\":1}",
         "{\"errors\":{\"type\":[\"is invalid\"]}}"},
        {"{" PLAUSIBLE_BENCH_PAGE ",\"l\":1}",
         "{\"errors\":{\"link\":[\"is invalid\"]}}"},
        {"{}", "{\"errors\":{\"url\":[\"is required\"],\"event_name\":[\"can't "
               "be blank\"],\"domain\":[\"can't be blank\"]}}"},
        {"{\"n\":\"engagement\",\"u\":\"/\",\"d\":\"alice.bio\",\"sd\":255}",
         "{\"errors\":{\"event_name\":[\"engagement event requires a valid "
         "integer value for at least one of 'sd' or 'e' fields\"]}}"},
    };

    CHECK(*state, cases);
}

#define PAGE "{" PLAUSIBLE_BENCH_PAGE

static void lengths_count_characters_where_the_dialect_does(void **state)
{
    static const struct {
        const char *parts[3];
        size_t count; /* of the middle part, the most that are taken */
        const char *fault;
    } cases[] = {
        {{"{\"u\":\"/\",\"d\":\"alice.bio\",\"n\":\"", "\xc3\xa9", "\"}"},
         120,
         "event_name\":[\"should be at most 120 character(s)"},
        {{"{\"n\":\"x\",\"u\":\"https://alice.bio/", "\xf0\x9f\x94\x94",
          "?q=1\"}"},
         1999,
         "pathname\":[\"should be at most 2000 character(s)"},
        {{"{\"n\":\"x\",\"u\":\"https://alice.bio/", "a", "?q=1#b\"}"},
         1999,
         "pathname\":[\"should be at most 2000 character(s)"},
        {{"{\"n\":\"x\",\"d\":\"alice.bio\",\"h\":1,\"u\":\"/#", "a", "\"}"},
         1998,
         "pathname\":[\"should be at most 2000 character(s)"},
        {{PAGE ",\"r\":\"", "\xc3\xa9", "\"}"},
         2000,
         "referrer\":[\"should be at most 2000 character(s)"},
        {{PAGE ",\"l\":\"", "a", "\"}"}, 256, "link\":[\"is invalid"},
        {{PAGE ",\"p\":{\"", "k", "\":1}}"},
         300,
         "props\":[\"keys should have at most 300 bytes and values 2000 "
         "bytes"},
        {{PAGE ",\"p\":{\"a\":\"", "\xc3\xa9", "\"}}"},
         1000,
         "props\":[\"keys should have at most 300 bytes and values 2000 "
         "bytes"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char wanted[200];

        (void)snprintf(wanted, sizeof(wanted), "{\"errors\":{\"%s\"]}}",
                       cases[i].fault);
        assert_memory_equal(
            plausible_bench_read_long(*state, cases[i].parts, cases[i].count),
            "{\"type\":", 8);
        assert_string_equal(plausible_bench_read_long(*state, cases[i].parts,
                                                      cases[i].count + 1),
                            wanted);
    }
}

static void properties_are_texts(void **state)
{
    static const struct body_case cases[] = {
        {"{\"a\":\"x\",\"b\":1,\"c\":0.1,\"d\":-2.50,\"e\":1e21,\"f\":true,"
         "\"g\":false}",
         "{\"a\":\"x\",\"b\":\"1\",\"c\":\"0.1\",\"d\":\"-2.5\",\"e\":\"1e+21\""
         ",\"f\":\"true\",\"g\":\"false\"}"},
        {"{\"a\":\"\",\"b\":null,\"c\":[1],\"d\":{\"x\":1},\"e\":\"kept\","
         "\"\":\"x\"}",
         "{\"e\":\"kept\"}"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":\"3\",\"b\":\"2\"}"},
        {"\"{\\\"plan\\\":\\\"pro\\\",\\\"n\\\":2}\"",
         "{\"plan\":\"pro\",\"n\":\"2\"}"},
        {"\"no object\"", "{}"},
        {"\"[1]\"", "{}"},
        {"[1]", "{}"},
        {"7", "{}"},
        {"null", "{}"},
    };
    struct plausible_bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static const char *const keys[] = {"p", "m", "props", "meta"};

        for (size_t j = 0; j < sizeof(keys) / sizeof(keys[0]); j++) {
            char body[500];
            char wanted[500];

            (void)snprintf(body, sizeof(body),
                           "{" PLAUSIBLE_BENCH_PAGE ",\"%s\":%s}", keys[j],
                           cases[i].body);
            (void)snprintf(wanted, sizeof(wanted), "\"props\":%s}",
                           cases[i].wanted);
            assert_string_equal(
                strstr(plausible_bench_read(bench, body), "\"props\":"),
                wanted);
        }
    }
}

static void the_first_30_properties_that_count_are_kept(void **state)
{
    struct plausible_bench *bench = *state;
    struct lb_buf body;

    lb_buf_init(&body, PLAUSIBLE_BENCH_TEXT);
    lb_buf_add_text(&body, "{" PLAUSIBLE_BENCH_PAGE ",\"p\":{\"none\":\"\"");
    for (int i = 0; i < 40; i++) {
        lb_buf_printf(&body, ",\"k%d\":%d", i, i);
    }
    lb_buf_add_text(&body, ",\"k3\":\"last\"}}");
    (void)plausible_bench_read(bench, lb_buf_text(&body));
    assert_int_equal(bench->read.prop_count, PLAUSIBLE_PROPS);
    assert_string_equal(bench->read.props[0].name, "k0");
    assert_string_equal(bench->read.props[3].value, "last");
    assert_string_equal(bench->read.props[29].name, "k29");
    lb_buf_deinit(&body);
}

static void a_revenue_is_an_amount_and_a_currency(void **state)
{
    static const struct {
        const char *revenue;
        const char *wanted; /* NULL: dropped */
    } cases[] = {
        {"{\"currency\":\"EUR\",\"amount\":12.5}",
         "{\"amount\":12.50,\"currency\":\"EUR\"}"},
        {"{\"currency\":\"usd\",\"amount\":\"12.34\"}",
         "{\"amount\":12.34,\"currency\":\"USD\"}"},
        {"{\"currency\":\"EUR\",\"amount\":0.30000000000000004}",
         "{\"amount\":0.30,\"currency\":\"EUR\"}"},
        {"{\"currency\":\"EUR\",\"amount\":-0.05}",
         "{\"amount\":-0.05,\"currency\":\"EUR\"}"},
        {"{\"currency\":\"EUR\",\"amount\":1000000000000}",
         "{\"amount\":1000000000000.00,\"currency\":\"EUR\"}"},
        {"{\"currency\":\"EUR\",\"amount\":1000000000001}", NULL},
        {"{\"currency\":\"EUR\",\"amount\":\"12,5\"}", NULL},
        {"{\"currency\":\"EUR\",\"amount\":\"1-2\"}", NULL},
        {"{\"currency\":\"EUR\",\"amount\":\"nan\"}", NULL},
        {"{\"currency\":\"EUR\",\"amount\":\"\"}", NULL},
        {"{\"currency\":\"EUR\",\"amount\":true}", NULL},
        {"{\"currency\":\"EURO\",\"amount\":1}", NULL},
        {"{\"currency\":\"E1R\",\"amount\":1}", NULL},
        {"{\"amount\":1}", NULL},
        {"{\"currency\":\"EUR\"}", NULL},
        {"5", NULL},
    };
    struct plausible_bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[300];
        char wanted[300];
        const char *value;

        (void)snprintf(body, sizeof(body),
                       "{" PLAUSIBLE_BENCH_PAGE ",\"%s\":%s}",
                       i % 2 == 0 ? "$" : "revenue", cases[i].revenue);
        value = strstr(plausible_bench_read(bench, body), "\"value\":");
        if (cases[i].wanted == NULL) {
            assert_null(value);
            continue;
        }
        assert_non_null(value);
        (void)snprintf(wanted, sizeof(wanted), "\"value\":%s,\"props\":{}}",
                       cases[i].wanted);
        assert_string_equal(value, wanted);
    }
}

#define LEAD                                                                   \
    "{\"n\":\"x\",\"t\":\"lead\",\"u\":\"/\",\"d\":\"bob.bio\",\"c\":{"        \
    "\"phone\":\"1\",\"message\":\""

static void a_lead_keeps_its_contact_and_nothing_else_does(void **state)
{
    static const struct body_case cases[] = {
        {"{\"n\":\"x\",\"t\":\"lead\",\"u\":\"/\",\"d\":\"bob.bio\",\"c\":{"
         "\"phone\":\"1\",\"email\":\"a@b.example\",\"name\":\"\",\"age\":\"7\""
         ",\"message\":5}}",
         "{\"type\":\"lead\",\"site\":\"bob.bio\",\"name\":\"x\",\"url\":\"/\","
         "\"contact\":{\"email\":\"a@b.example\",\"phone\":\"1\"},\"props\":{}"
         "}"},
        {"{\"n\":\"x\",\"u\":\"/\",\"d\":\"bob.bio\",\"contact\":{\"email\":"
         "\"a@b.example\"}}",
         "{\"type\":\"conversion\",\"site\":\"bob.bio\",\"name\":\"x\",\"url\":"
         "\"/\",\"props\":{}}"},
        {"{\"n\":\"x\",\"t\":\"lead\",\"u\":\"/\",\"d\":\"bob.bio\",\"c\":[1]}",
         "{\"type\":\"lead\",\"site\":\"bob.bio\",\"name\":\"x\",\"url\":\"/\","
         "\"contact\":{},\"props\":{}}"},
    };
    struct plausible_bench *bench = *state;
    const char *const lead[3] = {LEAD, "m", "\"}}"};

    CHECK(bench, cases);
    assert_non_null(strstr(plausible_bench_read_long(bench, lead, 4096),
                           "\"message\":\"mmm"));
    assert_non_null(strstr(plausible_bench_read_long(bench, lead, 4097),
                           "\"contact\":{\"phone\":\"1\"}"));
}

static void flags_are_read(void **state)
{
    static const struct {
        const char *more;
        bool is_passive;
        bool is_fragment_page;
    } cases[] = {
        {"", false, false},
        {",\"i\":false", true, false},
        {",\"interactive\":false", true, false},
        {",\"i\":true,\"h\":1", false, true},
        {",\"i\":\"false\",\"h\":0", false, false},
        {",\"hashMode\":1", false, true},
        {",\"hashMode\":true", false, true},
        {",\"h\":\"1\"", false, false},
    };
    struct plausible_bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[200];

        (void)snprintf(body, sizeof(body), "{" PLAUSIBLE_BENCH_PAGE "%s}",
                       cases[i].more);
        assert_memory_equal(plausible_bench_read(bench, body), "{\"type\":", 8);
        assert_int_equal(bench->read.is_passive, cases[i].is_passive);
        assert_int_equal(bench->read.is_fragment_page,
                         cases[i].is_fragment_page);
    }
}

static void an_engagement_has_depth_and_time(void **state)
{
    static const struct {
        const char *more;
        int depth;
        int64_t ms;
    } cases[] = {
        {"\"sd\":42,\"e\":1500", 42, 1500},
        {"\"sd\":0,\"e\":0", 0, 0},
        {"\"sd\":101", 100, 0},
        {"\"sd\":255,\"e\":1", ENGAGEMENT_UNKNOWN, 1},
        {"\"sd\":-1,\"e\":1", ENGAGEMENT_UNKNOWN, 1},
        {"\"sd\":\"60\",\"e\":\"700\"", 60, 700},
        {"\"sd\":60.9,\"e\":-5", 60, 0},
        {"\"sd\":1,\"e\":1e300", 1, 0},
        {"\"e\":2591999999", ENGAGEMENT_UNKNOWN, 2591999999},
    };
    struct plausible_bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[200];

        (void)snprintf(body, sizeof(body),
                       "{\"n\":\"engagement\",\"u\":\"https://alice.bio/a\","
                       "%s}",
                       cases[i].more);
        assert_string_equal(plausible_bench_read(bench, body),
                            "{\"type\":\"view\",\"site\":\"alice.bio\",\"url\":"
                            "\"https://alice.bio/a\",\"props\":{}}");
        assert_true(bench->read.is_engagement);
        assert_int_equal(bench->read.scroll_depth, cases[i].depth);
        assert_int_equal(bench->read.attention_ms, cases[i].ms);
    }
}

static void a_url_without_a_host_is_a_path(void **state)
{
    static const struct body_case cases[] = {
        {"file:///home/a.html?utm_source=x", "/home/a.html?utm_source=x"},
        {"app://localhost/screen", "app://localhost/screen"},
        {"/only/a/path", "/only/a/path"},
        {"hello", "hello"},
        {"x:////y", "x:////y"},
        {"a?b=http:///c", "a?b=http:///c"},
        {" https://alice.bio/ ", "https://alice.bio/"},
    };
    struct plausible_bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[200];

        (void)snprintf(body, sizeof(body),
                       "{\"n\":\"pageview\",\"d\":\"bob.bio\",\"u\":\"%s\"}",
                       cases[i].body);
        (void)plausible_bench_read(bench, body);
        assert_string_equal(bench->read.url, cases[i].wanted);
    }
}

static void a_full_arena_is_no_fault_of_the_sender(void **state)
{
    static const char body[] =
        "{" PLAUSIBLE_BENCH_PAGE
        ",\"d\":\"alice.bio,bob.bio\",\"p\":\"{\\\"a\\\":1}\"}";
    struct plausible_bench *bench = *state;
    enum lb_err rc = LB_ENOMEM;

    for (size_t bytes = 64; rc == LB_ENOMEM; bytes += 64) {
        struct lb_arena *arena = lb_arena_new(bytes);

        assert_non_null(arena);
        rc = plausible_read(&bench->read, body, strlen(body), 32,
                            bench->catalog, arena);
        assert_true(rc == LB_ENOMEM || rc == LB_OK);
        assert_true(bytes > 256 || rc == LB_ENOMEM);
        lb_arena_free(arena);
    }
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, plausible_bench_open,                \
                                    plausible_bench_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_spellings_of_a_key_are_read_the_short_one_first),
        TEST(a_name_becomes_a_type),
        TEST(an_outbound_click_is_of_the_link_with_that_url),
        TEST(an_event_goes_to_each_domain_once),
        TEST(more_than_100_domains_are_refused),
        TEST(as_many_sites_are_taken),
        TEST(faults_have_the_texts_of_the_dialect),
        TEST(lengths_count_characters_where_the_dialect_does),
        TEST(properties_are_texts),
        TEST(the_first_30_properties_that_count_are_kept),
        TEST(a_revenue_is_an_amount_and_a_currency),
        TEST(a_lead_keeps_its_contact_and_nothing_else_does),
        TEST(flags_are_read),
        TEST(an_engagement_has_depth_and_time),
        TEST(a_url_without_a_host_is_a_path),
        TEST(a_full_arena_is_no_fault_of_the_sender),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
