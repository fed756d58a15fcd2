/* test_json.c - what is JSON, what is refused and where, and what is written.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

#define DEPTH 32
#define ARENA_BYTES ((size_t)1024 * 1024)

static void what_json_allows_is_taken(void **state)
{
    static const char *const cases[] = {
        "{}",
        "[]",
        " \t\r\n{ \"a\" : [ 1 , 2 ] } \n",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0e-0",
        "10.25E+3",
        "1e-400",
        "1.7976931348623157e308",
        "\"\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\"",
        "\"\\ud83d\\ude00 \\uD83D\\uDE00\"",
        "\"\x7f\"",
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\"",
        "\"\xef\xbb\xbf\"",
        "\"\xef\xbf\xbe\"",
        "\xef\xbb\xbf{\"a\":1}",
        "[[],{},[{}],\"\",null]",
        "{\"a\":1,\"a\":2}",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_json_fault fault = {0};
        enum lb_err rc =
            lb_json_check(cases[i], strlen(cases[i]), DEPTH, &fault);

        if (rc != LB_OK) {
            print_error("row %zu: %s\n", i, cases[i]);
        }
        assert_int_equal(rc, LB_OK);
    }
}

struct refusal {
    const char *text;
    size_t line;
    size_t column;
};

static const struct refusal refusals[] = {
    /* no value */
    {"", 1, 1},
    {"  \n ", 2, 2},
    {"\xef\xbb\xbf", 1, 4},
    /* words of other languages */
    {"NaN", 1, 1},
    {"[1,NaN]", 1, 4},
    {"Infinity", 1, 1},
    {"{\"a\":-Infinity}", 1, 7},
    {"nan", 1, 1},
    {"True", 1, 1},
    {"nul", 1, 1},
    {"nulll", 1, 5},
    {"undefined", 1, 1},
    /* comments */
    {"/* x */ {}", 1, 1},
    {"{} // x", 1, 4},
    {"[1, # x\n2]", 1, 5},
    /* quotes */
    {"'a'", 1, 1},
    {"{'a':1}", 1, 2},
    {"{a:1}", 1, 2},
    /* trailing and missing commas */
    {"[1,]", 1, 4},
    {"{\"a\":1,}", 1, 8},
    {"[,1]", 1, 2},
    {"[1 2]", 1, 4},
    {"[1,,2]", 1, 4},
    {"{\"a\":1 \"b\":2}", 1, 8},
    {"{\"a\" 1}", 1, 6},
    {"{\"a\":}", 1, 6},
    {"{\"a\"}", 1, 5},
    {"{1:2}", 1, 2},
    {"{,}", 1, 2},
    {"{\n \"a\": 1,\n \"b\": oops\n}", 3, 7},
    /* brackets */
    {"[1}", 1, 3},
    {"{\"a\":1]", 1, 7},
    {"[", 1, 2},
    {"{", 1, 2},
    {"[1", 1, 3},
    {"]", 1, 1},
    {"[]]", 1, 3},
    /* numbers */
    {"01", 1, 1},
    {"-01", 1, 1},
    {"1.", 1, 3},
    {".5", 1, 1},
    {"-", 1, 2},
    {"+1", 1, 1},
    {"1e", 1, 3},
    {"1e+", 1, 4},
    {"0x10", 1, 2},
    {"1_000", 1, 2},
    {"1e999", 1, 1},
    {"[0,-1e309]", 1, 4},
    {"--1", 1, 2},
    /* strings */
    {"\"abc", 1, 1},
    {"\"a\nb\"", 1, 3},
    {"\"a\tb\"", 1, 3},
    {"\"\x01\"", 1, 2},
    {"\"\\x41\"", 1, 2},
    {"\"\\a\"", 1, 2},
    {"\"\\u12\"", 1, 2},
    {"\"\\u12g4\"", 1, 2},
    {"\"\\u0000\"", 1, 2},
    {"{\"\\u0000\":1}", 1, 3},
    {"\"\\ud800\"", 1, 2},
    {"\"\\ud800x\"", 1, 2},
    {"\"\\ud800\\n\"", 1, 2},
    {"\"\\ud800\\u0041\"", 1, 2},
    {"\"\\ud800\\ud800\"", 1, 2},
    {"\"\\udc00\"", 1, 2},
    {"\"\\", 1, 2},
    /* bytes that are no UTF-8 */
    {"\"\xff\"", 1, 2},
    {"\"\x80\"", 1, 2},
    {"\"\xc0\xaf\"", 1, 2},
    {"\"\xc1\xbf\"", 1, 2},
    {"\"\xe0\x80\x80\"", 1, 2},
    {"\"\xed\xa0\x80\"", 1, 2},
    {"\"\xf0\x80\x80\x80\"", 1, 2},
    {"\"\xf4\x90\x80\x80\"", 1, 2},
    {"\"\xf8\x88\x80\x80\x80\"", 1, 2},
    {"\"\xe2\x82\"", 1, 2},
    {"\"ab\xe2\x82", 1, 4},
    {"{\"\xff\":1}", 1, 3},
    /* a byte order mark anywhere but at the front */
    {"\xef\xbb\xbf\xef\xbb\xbf{}", 1, 4},
    {"{\xef\xbb\xbf}", 1, 2},
    {" \xef\xbb\xbf{}", 1, 2},
    {"{}\xef\xbb\xbf", 1, 3},
    /* bytes after the value, white space that is none */
    {"{} x", 1, 4},
    {"1 2", 1, 3},
    {"\"a\"\"b\"", 1, 4},
    {"\x0b{}", 1, 1},
    {"\xc2\xa0{}", 1, 1},
};

static void what_json_forbids_is_refused_with_its_place(void **state)
{
    (void)state;

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *row = &refusals[i];
        struct lb_json_fault fault = {0};
        enum lb_err rc =
            lb_json_check(row->text, strlen(row->text), DEPTH, &fault);

        if (rc != LB_EFORMAT || fault.line != row->line ||
            fault.column != row->column) {
            print_error("row %zu: %s: %zu:%zu %s\n", i, row->text, fault.line,
                        fault.column, fault.reason);
        }
        assert_int_equal(rc, LB_EFORMAT);
        assert_string_equal(fault.code, "bad_json");
        assert_non_null(fault.reason);
        assert_int_equal(fault.line, row->line);
        assert_int_equal(fault.column, row->column);
    }
}

static void a_nul_octet_is_refused_wherever_it_stands(void **state)
{
    const char text[] = "{\"a\":[1,\"x\"]}";
    (void)state;

    for (size_t at = 0; at < sizeof(text); at++) {
        char bytes[sizeof(text)];
        struct lb_json_fault fault;

        memcpy(bytes, text, at);
        bytes[at] = '\0';
        memcpy(bytes + at + 1, text + at, sizeof(text) - 1 - at);

        assert_int_equal(lb_json_check(bytes, sizeof(bytes), DEPTH, &fault),
                         LB_EFORMAT);
    }
}

/* Plain characters are passed by eight at a time: each other octet at each
 * place, in texts of each length. */
static void every_octet_in_a_text_is_looked_at(void **state)
{
    char text[32];

    (void)state;
    for (size_t len = 1; len <= 20; len++) {
        for (size_t at = 0; at < len; at++) {
            for (int octet = 1; octet < 256; octet++) {
                struct lb_json_fault fault = {NULL, NULL, 0, 0};
                bool is_plain = octet >= 0x20 && octet < 0x80 && octet != '"' &&
                                octet != '\\';
                enum lb_err rc;

                memset(text, 'x', sizeof(text));
                text[0] = '"';
                text[1 + at] = (char)octet;
                text[1 + len] = '"';
                rc = lb_json_check(text, len + 2, DEPTH, &fault);
                if ((rc == LB_OK) != is_plain ||
                    (octet < 0x20 && fault.column != at + 2)) {
                    fail_msg("octet %d at %zu of %zu", octet, at, len);
                }
            }
        }
    }
}

static void no_beginning_of_a_document_passes_for_it(void **state)
{
    const char text[] = "{\"a\":[1,-2.5e3,\"\\u00e9\xc3\xa9\",true,null]}";
    (void)state;

    for (size_t len = 0; len + 1 < sizeof(text); len++) {
        struct lb_json_fault fault;

        assert_int_equal(lb_json_check(text, len, DEPTH, &fault), LB_EFORMAT);
    }
}

static void deep_nesting_has_a_code_of_its_own(void **state)
{
    char text[400];
    struct lb_json_fault fault = {0};
    (void)state;

    memset(text, '[', 32);
    memset(text + 32, ']', 32);
    assert_int_equal(lb_json_check(text, 64, 32, &fault), LB_OK);

    memset(text, '[', 33);
    memset(text + 33, ']', 33);
    assert_int_equal(lb_json_check(text, 66, 32, &fault), LB_ELIMIT);
    assert_string_equal(fault.code, "json_too_deep");
    assert_int_equal(fault.column, 33);

    memset(text, '[', sizeof(text));
    assert_int_equal(lb_json_check(text, sizeof(text), 100000, &fault),
                     LB_ELIMIT);
    assert_int_equal(lb_json_check("[[", 2, 1, &fault), LB_ELIMIT);
    assert_int_equal(lb_json_check("1", 1, 0, &fault), LB_OK);
}

static void parsed_nodes_come_from_the_arena(void **state)
{
    const char text[] = "\xef\xbb\xbf{\"a\":{\"b\":[1,true,\"\\u00e9\"]},\"t\":"
                        "true}";
    struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
    struct lb_json_fault fault;
    cJSON *json;
    const cJSON *list;
    (void)state;

    assert_int_equal(
        lb_json_parse(text, sizeof(text) - 1, DEPTH, arena, &json, &fault),
        LB_OK);

    list = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(json, "a"), "b");
    assert_int_equal(cJSON_GetArraySize(list), 3);
    assert_string_equal(cJSON_GetArrayItem(list, 2)->valuestring, "\xc3\xa9");
    assert_true(lb_json_is_true(json, "t"));
    assert_false(lb_json_is_true(json, "a"));
    assert_null(lb_json_text(json, "a"));
    assert_true(lb_arena_bytes(arena) > 0);
    lb_arena_free(arena);
}

static void a_count_is_a_whole_number_or_nothing(void **state)
{
    struct lb_json_fault fault;
    const char text[] = "{\"n\":3000000000,\"f\":-2.9,\"big\":1e300,"
                        "\"t\":\"7\"}";
    cJSON *json;
    (void)state;

    assert_int_equal(
        lb_json_parse(text, sizeof(text) - 1, DEPTH, NULL, &json, &fault),
        LB_OK);

    assert_int_equal(lb_json_int(json, "n"), INT64_C(3000000000));
    assert_int_equal(lb_json_int(json, "f"), -2);
    assert_int_equal(lb_json_int(json, "big"), 0);
    assert_int_equal(lb_json_int(json, "t"), 0);
    assert_int_equal(lb_json_int(json, "none"), 0);
    cJSON_Delete(json);
}

static void without_an_arena_the_nodes_are_the_callers(void **state)
{
    struct lb_json_fault fault;
    cJSON *json;
    (void)state;

    assert_int_equal(
        lb_json_parse("{\"a\":\"x\"}", 9, DEPTH, NULL, &json, &fault), LB_OK);

    assert_string_equal(lb_json_text(json, "a"), "x");
    assert_null(lb_json_text(json, "b"));
    cJSON_Delete(json);
}

static void a_full_arena_is_no_crash(void **state)
{
    struct lb_arena *arena = lb_arena_new(100);
    struct lb_json_fault fault;
    cJSON *json;
    (void)state;

    assert_int_equal(
        lb_json_parse("[1,2,3,4,5]", 11, DEPTH, arena, &json, &fault),
        LB_ENOMEM);

    assert_null(json);
    lb_arena_free(arena);
}

static void bad_text_is_not_parsed(void **state)
{
    struct lb_json_fault fault;
    cJSON *json;
    (void)state;

    assert_int_equal(lb_json_parse("[1,]", 4, DEPTH, NULL, &json, &fault),
                     LB_EFORMAT);

    assert_null(json);
}

static void a_short_document_after_a_byte_order_mark_is_read(void **state)
{
    static const char *const cases[] = {"\xef\xbb\xbf\x31", "\xef\xbb\xbf[]",
                                        "\xef\xbb\xbf{} "};
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_json_fault fault;
        cJSON *json = NULL;

        assert_int_equal(lb_json_parse(cases[i], strlen(cases[i]), DEPTH, NULL,
                                       &json, &fault),
                         LB_OK);
        assert_non_null(json);
        cJSON_Delete(json);
    }
}

static void a_number_of_many_digits_keeps_its_value(void **state)
{
    char digits[120];
    char list[sizeof(digits) + 8];
    struct lb_json_fault fault;
    cJSON *json = NULL;
    (void)state;
    (void)snprintf(digits, sizeof(digits), "1%0100d", 0); /* 10^100 */
    (void)snprintf(list, sizeof(list), "[%s,7]", digits);

    assert_int_equal(
        lb_json_parse(list, strlen(list), DEPTH, NULL, &json, &fault), LB_OK);
    assert_true(cJSON_GetArrayItem(json, 0)->valuedouble == 1e100);
    assert_true(cJSON_GetArrayItem(json, 1)->valuedouble == 7);
    cJSON_Delete(json);

    assert_int_equal(
        lb_json_parse(digits, strlen(digits), DEPTH, NULL, &json, &fault),
        LB_OK);
    assert_true(json->valuedouble == 1e100);
    cJSON_Delete(json);
}

static void repeated_keys_are_found_at_any_depth(void **state)
{
    static const struct {
        const char *text;
        const char *key;
    } cases[] = {
        {"{\"a\":1,\"b\":2}", NULL},
        {"{\"a\":1,\"A\":2}", NULL},
        {"{\"a\":1,\"b\":{\"a\":1}}", NULL},
        {"{\"a\":1,\"b\":2,\"a\":3}", "a"},
        {"{\"x\":{\"y\":[1,{\"k\":1,\"k\":1}]}}", "k"},
        {"{\"a\":1,\"\\u0061\":2}", "a"},
        {"{\"\":1,\"\":2}", ""},
        {"[1,2]", NULL},
        {"1", NULL},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
        struct lb_json_fault fault;
        const char *key;
        cJSON *json;

        assert_int_equal(lb_json_parse(cases[i].text, strlen(cases[i].text),
                                       DEPTH, arena, &json, &fault),
                         LB_OK);
        key = lb_json_find_duplicate_key(json);
        if (cases[i].key == NULL) {
            assert_null(key);
        } else {
            assert_string_equal(key, cases[i].key);
        }
        lb_arena_free(arena);
    }
}

static void strings_are_written_safe_for_a_page(void **state)
{
    static const struct {
        const char *text;
        const char *safe;
        const char *plain;
    } cases[] = {
        {"", "\"\"", "\"\""},
        {NULL, "null", "null"},
        {"a\"b\\c/d", "\"a\\\"b\\\\c/d\"", "\"a\\\"b\\\\c/d\""},
        {"\n\r\t\x01\x1f\x7f", "\"\\n\\r\\t\\u0001\\u001f\x7f\"",
         "\"\\n\\r\\t\\u0001\\u001f\x7f\""},
        {"<a>&", "\"\\u003ca\\u003e\\u0026\"", "\"<a>&\""},
        {"\xe2\x80\xa8|\xe2\x80\xa9|\xe2\x80\xa7",
         "\"\\u2028|\\u2029|\xe2\x80\xa7\"",
         "\"\xe2\x80\xa8|\xe2\x80\xa9|\xe2\x80\xa7\""},
        {"\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\"",
         "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {"\xff|\xc3|\xe2\x82", "\"\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd\"",
         "\"\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
         "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    struct lb_buf buf;
    (void)state;
    lb_buf_init(&buf, 1000);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lb_buf_clear(&buf);
        lb_json_add_string(&buf, cases[i].text);
        assert_string_equal(lb_buf_text(&buf), cases[i].safe);

        lb_buf_clear(&buf);
        lb_json_add_plain_string(&buf, cases[i].text);
        assert_string_equal(lb_buf_text(&buf), cases[i].plain);
    }
    lb_buf_deinit(&buf);
}

static void every_byte_is_written_as_json_that_passes(void **state)
{
    (void)state;

    for (int byte = 1; byte < 256; byte++) {
        const char text[] = {'a', (char)byte, 'b', '\0'};
        struct lb_json_fault fault;
        struct lb_buf buf;

        lb_buf_init(&buf, 100);
        lb_json_add_string(&buf, text);

        assert_int_equal(lb_json_check(buf.data, buf.len, 1, &fault), LB_OK);
        lb_buf_deinit(&buf);
    }
}

static void commas_stand_between_and_nowhere_else(void **state)
{
    struct lb_buf buf;
    (void)state;
    lb_buf_init(&buf, 1000);

    lb_buf_add_char(&buf, '{');
    lb_json_add_key(&buf, "a");
    lb_buf_add_char(&buf, '[');
    lb_json_add_comma(&buf);
    lb_buf_add_char(&buf, '1');
    lb_json_add_comma(&buf);
    lb_json_add_string(&buf, "{");
    lb_json_add_comma(&buf);
    lb_json_add_double(&buf, 2, 0);
    lb_buf_add_char(&buf, ']');
    lb_json_add_key(&buf, "b");
    lb_json_add_time(&buf, INT64_C(1795421702114));
    lb_json_add_key(&buf, "c");
    lb_json_add_time(&buf, 0);
    lb_buf_add_char(&buf, '}');

    assert_string_equal(lb_buf_text(&buf),
                        "{\"a\":[1,\"{\",2],"
                        "\"b\":\"2026-11-23T08:15:02.114Z\",\"c\":null}");
    lb_buf_deinit(&buf);
}

static void numbers_are_rounded_without_trailing_zeros(void **state)
{
    static const struct {
        double value;
        int decimals;
        const char *text;
    } cases[] = {
        {0, 4, "0"},
        {0.25, 4, "0.25"},
        {0.5, 0, "0"},
        {1.5, 0, "2"},
        {0.33333333, 4, "0.3333"},
        {0.99999, 4, "1"},
        {100, 2, "100"},
        {1200, 0, "1200"},
        {-0.00001, 4, "0"},
        {-1.25, 2, "-1.25"},
        {-0.0, 0, "0"},
        {(double)NAN, 4, "null"},
        {(double)INFINITY, 4, "null"},
        {1e15, 2, "1000000000000000"},
    };
    struct lb_json_fault fault;
    struct lb_buf buf;
    (void)state;
    lb_buf_init(&buf, 1000);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lb_buf_clear(&buf);
        lb_json_add_double(&buf, cases[i].value, cases[i].decimals);
        assert_string_equal(lb_buf_text(&buf), cases[i].text);
    }
    lb_buf_clear(&buf);
    lb_json_add_double(&buf, 1e300, 4);
    assert_int_equal(lb_json_check(buf.data, buf.len, 1, &fault), LB_OK);
    lb_buf_deinit(&buf);
}

static void an_item_is_written_without_spaces(void **state)
{
    static const char *const cases[] = {
        "{\"a\":[1,-2.5,true,false,null],\"b\":{\"c\":\"x\"},\"d\":[]}",
        "[0,1e+20,123456789012]",
        "\"\\u003c\"",
        "null",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
        struct lb_json_fault fault;
        struct lb_buf buf;
        cJSON *json;

        lb_buf_init(&buf, 1000);
        assert_int_equal(lb_json_parse(cases[i], strlen(cases[i]), DEPTH, arena,
                                       &json, &fault),
                         LB_OK);
        lb_json_add_item(&buf, json);

        assert_string_equal(lb_buf_text(&buf), cases[i]);
        lb_buf_deinit(&buf);
        lb_arena_free(arena);
    }
}

static void amounts_are_exact_hundredths(void **state)
{
    static const struct {
        const char *text;
        bool is_amount;
        int64_t hundredths;
    } cases[] = {
        {"0", true, 0},
        {"0.1", true, 10},
        {"19.99", true, 1999},
        {"-19.99", true, -1999},
        {"1.005", false, 0},
        {"0.001", false, 0},
        {"0.019999999", false, 0},
        {"1e3", true, 100000},
        {"999999999999.99", true, INT64_C(99999999999999)},
        {"1000000000000", true, INT64_C(100000000000000)},
        {"999999999999.001", false, 0},
        {"999999999999.995", false, 0},
        {"1000000000000.01", false, 0},
        {"1e13", false, 0},
        {"-1e13", false, 0},
        {"\"1\"", false, 0},
        {"true", false, 0},
        {"null", false, 0},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_json_fault fault;
        int64_t hundredths = 0;
        cJSON *json;

        assert_int_equal(lb_json_parse(cases[i].text, strlen(cases[i].text),
                                       DEPTH, NULL, &json, &fault),
                         LB_OK);
        if (lb_json_to_hundredths(json, &hundredths) != cases[i].is_amount) {
            print_error("row %zu: %s\n", i, cases[i].text);
            fail();
        }
        if (cases[i].is_amount) {
            assert_int_equal(hundredths, cases[i].hundredths);
        }
        cJSON_Delete(json);
    }
}

static void an_object_is_made_by_hand(void **state)
{
    struct lb_arena *arena = lb_arena_new(8192);
    cJSON *object = lb_json_new_object(arena);
    cJSON *inner;
    cJSON *taken;
    struct lb_buf out;
    (void)state;

    assert_non_null(lb_json_put_text(object, "a", "x\"", arena));
    assert_non_null(lb_json_put_number(object, "b", 1.5, arena));
    assert_non_null(lb_json_put_bool(object, "c", true, arena));
    inner = lb_json_put_object(object, "d", arena);
    taken = lb_json_put_text(object, "e", "y", arena);
    assert_non_null(lb_json_put_text(object, "f", "z", arena));
    lb_json_take(object, taken);
    lb_json_give(inner, taken);
    lb_json_take(object, object->child);
    lb_buf_init(&out, 1024);
    lb_json_add_item(&out, object);
    assert_string_equal(lb_buf_text(&out), "{\"b\":1.5,\"c\":true,\"d\":{"
                                           "\"e\":\"y\"},\"f\":\"z\"}");
    assert_string_equal(lb_json_text(inner, "e"), "y");
    lb_buf_deinit(&out);
    lb_arena_free(arena);
    arena = lb_arena_new(16);
    assert_null(lb_json_new_object(arena));
    assert_null(lb_json_put_text(NULL, "a", "x", arena));
    lb_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_made_by_hand),
        cmocka_unit_test(what_json_allows_is_taken),
        cmocka_unit_test(what_json_forbids_is_refused_with_its_place),
        cmocka_unit_test(a_nul_octet_is_refused_wherever_it_stands),
        cmocka_unit_test(every_octet_in_a_text_is_looked_at),
        cmocka_unit_test(no_beginning_of_a_document_passes_for_it),
        cmocka_unit_test(deep_nesting_has_a_code_of_its_own),
        cmocka_unit_test(parsed_nodes_come_from_the_arena),
        cmocka_unit_test(without_an_arena_the_nodes_are_the_callers),
        cmocka_unit_test(a_full_arena_is_no_crash),
        cmocka_unit_test(bad_text_is_not_parsed),
        cmocka_unit_test(a_short_document_after_a_byte_order_mark_is_read),
        cmocka_unit_test(a_number_of_many_digits_keeps_its_value),
        cmocka_unit_test(repeated_keys_are_found_at_any_depth),
        cmocka_unit_test(strings_are_written_safe_for_a_page),
        cmocka_unit_test(every_byte_is_written_as_json_that_passes),
        cmocka_unit_test(commas_stand_between_and_nowhere_else),
        cmocka_unit_test(a_count_is_a_whole_number_or_nothing),
        cmocka_unit_test(numbers_are_rounded_without_trailing_zeros),
        cmocka_unit_test(an_item_is_written_without_spaces),
        cmocka_unit_test(amounts_are_exact_hundredths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
