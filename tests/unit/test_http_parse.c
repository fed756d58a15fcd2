/* test_http_parse.c - requests and chunked bodies, whole and in pieces; a lint
 * test asks that every branch of the parser is taken here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/http_parse.h"

#define H "Host: a\r\n"
#define GET(fields) "GET / HTTP/1.1\r\n" H fields "\r\n"
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X10 "xxxxxxxxxx"
#define BODY_MAX 64

static const struct lb_http_parse_limits limits = {32, 128, 5};

struct head_case {
    const char *bytes;
    size_t len; /* 0: strlen */
    int status; /* 0: more, 1: done, else of bad */
    const char *limit;
};

static int verdict_of(const struct lb_http_parse *parse,
                      enum lb_http_parse_result result)
{
    return result == LB_HTTP_PARSE_MORE   ? 0
           : result == LB_HTTP_PARSE_DONE ? 1
                                          : parse->status;
}

/* Feeds bytes, step more each time. */
static int feed_head(struct lb_http_parse *parse,
                     const char *bytes,
                     size_t len,
                     size_t step)
{
    enum lb_http_parse_result result = LB_HTTP_PARSE_MORE;
    size_t given = 0;

    lb_http_parse_init(parse, &limits);
    while (given < len && result == LB_HTTP_PARSE_MORE) {
        given = given + step < len ? given + step : len;
        result = lb_http_parse_head(parse, bytes, given);
    }
    return verdict_of(parse, result);
}

static void check_head(size_t row, const struct head_case *one)
{
    static const size_t steps[] = {SIZE_MAX / 2, 1, 2, 3, 7};
    static struct lb_http_parse parse;
    size_t len = one->len == 0 ? strlen(one->bytes) : one->len;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int verdict = feed_head(&parse, one->bytes, len, steps[i]);

        if (verdict != one->status) {
            print_error("row %zu, steps of %zu: %d, %s\n", row, steps[i],
                        verdict, parse.reason);
        }
        assert_int_equal(verdict, one->status);
        if (one->limit == NULL) {
            assert_null(parse.limit);
        } else {
            assert_string_equal(parse.limit, one->limit);
        }
        assert_int_equal(parse.reason != NULL, verdict > 1);
    }
}

static void a_head_has_one_verdict_however_it_comes(void **state)
{
    static const struct head_case cases[] = {
        /* complete, and not yet */
        {GET(""), 0, 1, NULL},
        {GET("a: b\r\n"), 0, 1, NULL},
        {"GET / HTTP/1.1\r\n" H, 0, 0, NULL},
        {"GET / HT", 0, 0, NULL},
        {"\r\n\r\n" GET(""), 0, 1, NULL},
        {"\r", 0, 0, NULL},
        {GET("") "GET /", 0, 1, NULL},
        {"GET / HTTP/1.0\r\n\r\n", 0, 1, NULL},
        /* the first octet */
        {"\x16\x03\x01", 0, 400, NULL},
        {"\x80", 0, 400, NULL},
        {" GET / HTTP/1.1\r\n", 0, 400, NULL},
        {":", 0, 400, NULL},
        {"\0", 1, 400, NULL},
        /* line ends */
        {"\n", 0, 400, NULL},
        {"GET / HTTP/1.1\n" H "\r\n", 0, 400, NULL},
        {"GET / HTTP/1.1\r" H "\r\n", 0, 400, NULL},
        {"GET / HTTP/1.1\r\r\n", 0, 400, NULL},
        {"GET / HTTP/1.1\r\n" H "\n", 0, 400, NULL},
        {"GET / HTTP/1.1\r\n" H "a: b\rc\r\n\r\n", 0, 400, NULL},
        /* request line */
        {"GET\r\n", 0, 400, NULL},
        {"G(T / HTTP/1.1\r\n", 0, 400, NULL},
        {"GET \r\n", 0, 400, NULL},
        {"GET  / HTTP/1.1\r\n", 0, 400, NULL},
        {"GET /\r\n", 0, 400, NULL},
        {"GET / HTTP/1.1 \r\n", 0, 400, NULL},
        {"GET / HTTP/1.2\r\n", 0, 400, NULL},
        {"GET / HTTP/2.0\r\n", 0, 400, NULL},
        {"GET / http/1.1\r\n", 0, 400, NULL},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, 400, NULL},
        /* targets */
        {"GET /a%20b HTTP/1.1\r\n" H "\r\n", 0, 1, NULL},
        {"GET /%2 HTTP/1.1\r\n", 0, 400, NULL},
        {"GET /%g0 HTTP/1.1\r\n", 0, 400, NULL},
        {"GET /%0g HTTP/1.1\r\n", 0, 400, NULL},
        {"GET /%00 HTTP/1.1\r\n", 0, 400, NULL},
        {"GET /%01 HTTP/1.1\r\n" H "\r\n", 0, 1, NULL},
        {"GET /\xc3\xa4 HTTP/1.1\r\n", 0, 400, NULL},
        {"GET /# HTTP/1.1\r\n", 0, 400, NULL},
        {"GET /\x01 HTTP/1.1\r\n", 0, 400, NULL},
        {"OPTIONS * HTTP/1.1\r\n" H "\r\n", 0, 1, NULL},
        {"OPTIONS *x HTTP/1.1\r\n", 0, 400, NULL},
        {"GET * HTTP/1.1\r\n", 0, 400, NULL},
        {"GET a HTTP/1.1\r\n", 0, 400, NULL},
        {"GET http://b/ HTTP/1.1\r\n" H "\r\n", 0, 1, NULL},
        {"GET HTTPS://b?x HTTP/1.1\r\n" H "\r\n", 0, 1, NULL},
        {"GET http://b HTTP/1.1\r\n" H "\r\n", 0, 1, NULL},
        {"GET http:// HTTP/1.1\r\n", 0, 400, NULL},
        {"GET https:// HTTP/1.1\r\n", 0, 400, NULL},
        {"GET http:/b/cd HTTP/1.1\r\n", 0, 400, NULL},
        {"GET http:///b HTTP/1.1\r\n", 0, 400, NULL},
        {"GET http://a@b/ HTTP/1.1\r\n", 0, 400, NULL},
        {"GET ftp://b/file HTTP/1.1\r\n", 0, 400, NULL},
        /* names and values */
        {GET(" a: b\r\n"), 0, 400, NULL},
        {GET("\ta: b\r\n"), 0, 400, NULL},
        {"GET / HTTP/1.1\r\n " H "\r\n", 0, 400, NULL},
        {GET("a : b\r\n"), 0, 400, NULL},
        {GET(": b\r\n"), 0, 400, NULL},
        {GET("a\r\n"), 0, 400, NULL},
        {GET("a:\r\n"), 0, 1, NULL},
        {GET("a: \t \r\n"), 0, 1, NULL},
        {GET("a: \xff\xc3\xa4 \t\r\n"), 0, 1, NULL},
        {GET("a: \x7f\r\n"), 0, 400, NULL},
        {GET("a: \x01\r\n"), 0, 400, NULL},
        {"GET / HTTP/1.1\r\na: \0\r\n\r\n", 23, 400, NULL},
        /* Host */
        {"GET / HTTP/1.1\r\n\r\n", 0, 400, NULL},
        {GET(H), 0, 400, NULL},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 0, 1, NULL},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 0, 400, NULL},
        {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 0, 400, NULL},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 0, 400, NULL},
        /* Content-Length */
        {GET("Content-Length: 5\r\n"), 0, 1, NULL},
        {GET("Content-Length: 9223372036854775807\r\n"), 0, 1, NULL},
        {GET("Content-Length: 9223372036854775808\r\n"), 0, 400, NULL},
        {GET("Content-Length:\r\n"), 0, 400, NULL},
        {GET("Content-Length: +5\r\n"), 0, 400, NULL},
        {GET("Content-Length: 5a\r\n"), 0, 400, NULL},
        {GET("Content-Length: 5, 5\r\n"), 0, 400, NULL},
        {GET("Content-Length: 5\r\ncontent-length: 5\r\n"), 0, 400, NULL},
        /* Transfer-Encoding */
        {GET("Transfer-Encoding: Chunked\r\n"), 0, 1, NULL},
        {GET("Transfer-Encoding: gzip\r\n"), 0, 400, NULL},
        {GET("Transfer-Encoding: gzip, chunked\r\n"), 0, 400, NULL},
        {GET("Transfer-Encoding: \"chunke\r\n"), 0, 400, NULL},
        {GET("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 0,
         400, NULL},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 0, 400, NULL},
        {GET("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 0, 400,
         NULL},
        {GET("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 0, 400,
         NULL},
        /* limits: the last that fits, and one more */
        {"GET /456789012345678901 HTTP/1.1\r\n" H "\r\n", 0, 1, NULL},
        {"GET /4567890123456789012 HTTP/1.1\r\n" H "\r\n", 0, 414,
         "request_line"},
        {"GET /4567890123456789012345678901234567", 0, 414, "request_line"},
        {"GET /456789012345678901234567890\r0", 0, 400, NULL},
        {"GET /4567890123456789012345678901\r00", 0, 414, "request_line"},
        {"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
         "\r\n\r\n",
         0, 414, "request_line"},
        {GET("b: 3\r\nc: 4\r\nd: 5\r\ne: 6\r\n"), 0, 1, NULL},
        {GET("b: 3\r\nc: 4\r\nd: 5\r\ne: 6\r\nf: 7\r\n"), 0, 431,
         "header_count"},
        {GET("a: " X64 X50 "\r\n"), 0, 1, NULL},
        {GET("a: " X64 X50 "x\r\n"), 0, 431, "header_bytes"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_head(i, &cases[i]);
    }
}

static void the_connection_stays_only_where_nobody_says_close(void **state)
{
    static const struct {
        const char *bytes;
        bool is_keep_alive;
    } cases[] = {
        {GET(""), true},
        {GET("Connection: close\r\n"), false},
        {GET("Connection: x , CLOSE\t, y\r\n"), false},
        {GET("Connection: close\r\nConnection: keep-alive\r\n"), false},
        {GET("Connection: keep-alive, close\r\n"), false},
        {GET("Connection: closed\r\n"), true},
        {GET("Connection: ,\t ,\r\n"), true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alivex\r\n\r\n", false},
    };
    static struct lb_http_parse parse;
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i].bytes);

        assert_int_equal(feed_head(&parse, cases[i].bytes, len, len), 1);
        if (parse.is_keep_alive != cases[i].is_keep_alive) {
            print_error("row %zu\n", i);
        }
        assert_int_equal(parse.is_keep_alive, cases[i].is_keep_alive);
    }
}

static void expectations_are_all_to_be_known(void **state)
{
    static const struct {
        const char *bytes;
        bool has_expect;
        bool is_continue;
    } cases[] = {
        {GET(""), false, false},
        {GET("Expect: 100-Continue\r\n"), true, true},
        {GET("Expect: 100-continuex\r\n"), true, false},
        {GET("Expect: x\r\nExpect: 100-continue\r\n"), true, false},
        {GET("Expect: 100-continue\r\nExpect: x\r\n"), true, false},
        {GET("Expect: 100-continue\r\nExpect: 100-continue\r\n"), true, true},
    };
    static struct lb_http_parse parse;
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i].bytes);

        assert_int_equal(feed_head(&parse, cases[i].bytes, len, 1), 1);
        assert_int_equal(parse.has_expect, cases[i].has_expect);
        assert_int_equal(parse.is_expect_continue, cases[i].is_continue);
    }
}

static void assert_piece(const char *bytes,
                         const struct lb_http_parse_piece *piece,
                         const char *text)
{
    assert_int_equal(piece->len, strlen(text));
    assert_memory_equal(bytes + piece->at, text, piece->len);
}

static void the_parts_of_a_request_are_found(void **state)
{
    static const char bytes[] = "\r\nPOST http://b:8/c?d HTTP/1.1\r\n"
                                "Host: a\r\nContent-Length: 12\r\nx:  y z\t\r\n"
                                "\r\nbody";
    static struct lb_http_parse parse;
    (void)state;

    assert_int_equal(feed_head(&parse, bytes, sizeof(bytes) - 1, 1), 1);
    assert_int_equal(parse.head_bytes, sizeof(bytes) - 1 - 4);
    assert_int_equal(parse.minor_version, 1);
    assert_int_equal(parse.content_length, 12);
    assert_true(parse.has_length);
    assert_int_equal(parse.field_count, 3);
    assert_piece(bytes, &parse.method, "POST");
    assert_piece(bytes, &parse.host, "b:8");
    assert_piece(bytes, &parse.target, "/c?d");
    assert_piece(bytes, &parse.fields[2].name, "x");
    assert_piece(bytes, &parse.fields[2].value, "y z");
}

struct body_case {
    const char *bytes;
    int status; /* 0: more, 1: done, 413: body failed, else of bad */
    const char *limit;
    const char *body;
};

static int feed_body(struct lb_http_parse_chunked *chunked,
                     const char *bytes,
                     size_t step,
                     struct lb_buf *body)
{
    enum lb_http_parse_result result = LB_HTTP_PARSE_MORE;
    size_t len = strlen(bytes);
    size_t at = 0;

    lb_http_parse_chunked_init(chunked, &limits);
    while (at < len && result == LB_HTTP_PARSE_MORE && !body->is_failed) {
        size_t part = len - at < step ? len - at : step;
        size_t used = 0;

        result =
            lb_http_parse_chunked_feed(chunked, bytes + at, part, &used, body);
        assert_true(used <= part);
        at += used;
    }
    if (body->is_failed) {
        return 413;
    }
    return result == LB_HTTP_PARSE_MORE   ? 0
           : result == LB_HTTP_PARSE_DONE ? (at <= len ? 1 : -1)
                                          : chunked->status;
}

static void check_body(size_t row, const struct body_case *one)
{
    static const size_t steps[] = {SIZE_MAX, 1, 2, 3, 7};
    struct lb_http_parse_chunked chunked;
    struct lb_buf body;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int verdict;

        lb_buf_init(&body, BODY_MAX);
        verdict = feed_body(&chunked, one->bytes, steps[i], &body);
        if (verdict != one->status) {
            print_error("row %zu, steps of %zu: %d\n", row, steps[i], verdict);
        }
        assert_int_equal(verdict, one->status);
        if (one->limit != NULL) {
            assert_string_equal(chunked.limit, one->limit);
        }
        if (one->body != NULL) {
            assert_string_equal(lb_buf_text(&body), one->body);
        }
        lb_buf_deinit(&body);
    }
}

static void a_chunked_body_has_one_verdict_however_it_comes(void **state)
{
    static const struct body_case cases[] = {
        {"0\r\n\r\n", 1, NULL, ""},
        {"5\r\nhello\r\n0\r\n\r\n", 1, NULL, "hello"},
        {"5\r\nhello\r\n0003\r\nabc\r\n0\r\n\r\nGET", 1, NULL, "helloabc"},
        {"3F\r\n", 0, NULL, ""},
        {"2a\r\n", 0, NULL, ""},
        {"5\r\nhel", 0, NULL, "hel"},
        {"1;a=b\r\nx\r\n0;c\r\n\r\n", 1, NULL, "x"},
        {"1\r\nx\r\n0\r\na: b\r\nc:\r\n\r\n", 1, NULL, "x"},
        {"0\r\na: b\r\n", 0, NULL, ""},
        {"0\r\na\r\n", 400, NULL, ""},
        {"0\r\n: b\r\n", 400, NULL, ""},
        {"0\r\na : b\r\n", 400, NULL, ""},
        {"0\r\na: b\r\n c", 400, NULL, ""},
        {"0\r\na: b\n", 400, NULL, ""},
        {"40\r\n" X64 "\r\n0\r\n\r\n", 1, NULL, X64},
        {"41\r\n", 413, NULL, ""},
        {"41\r", 0, NULL, ""},
        {"ffffffffffffffff\r\n", 413, NULL, ""},
        {"1\r\nx\r\n40\r\n", 413, NULL, "x"},
        {"0000000000000001\r\nx\r\n", 0, NULL, "x"},
        {"00000000000000001", 400, NULL, NULL},
        {"+1\r\n", 400, NULL, NULL},
        {"0x1\r\n", 400, NULL, NULL},
        {" 1\r\n", 400, NULL, NULL},
        {"1 \r\n", 400, NULL, NULL},
        {"\r\n", 400, NULL, NULL},
        {";a\r\n", 400, NULL, NULL},
        {"1\n", 400, NULL, NULL},
        {"1\rx", 400, NULL, NULL},
        {"1\r\nxy", 400, NULL, NULL},
        {"1\r\nx\rx", 400, NULL, NULL},
        {"1;a\x01\r\n", 400, NULL, NULL},
        {"1;a\n", 400, NULL, NULL},
        {"1;" X64 X64 X64 X64 "\r\n", 0, NULL, ""},
        {"1;" X64 X64 X64 X64 "x\r\n", 400, NULL, NULL},
        {"0\r\na:\rb", 400, NULL, NULL},
        {"0\r\n\rb", 400, NULL, NULL},
        {"0\r\na:\x01", 400, NULL, NULL},
        {"41\r\n" X64 "x\r\n0\r\n\r\n", 413, NULL, NULL},
        {"1\r\nx\r\n40\r\n" X64 "\r\n0\r\n\r\n", 413, NULL, NULL},
        {"0\r\na:" X50 X10 "\r\nb:" X50 X10 "\r\n\r\n", 1, NULL, ""},
        {"0\r\na:" X50 X10 "\r\nb:" X50 X10 "x\r\n\r\n", 431, "header_bytes",
         NULL},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_body(i, &cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_has_one_verdict_however_it_comes),
        cmocka_unit_test(the_connection_stays_only_where_nobody_says_close),
        cmocka_unit_test(expectations_are_all_to_be_known),
        cmocka_unit_test(the_parts_of_a_request_are_found),
        cmocka_unit_test(a_chunked_body_has_one_verdict_however_it_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
