/* test_text.c - UTF-8, folding, globs, percent-encoding, CSV cells, numbers. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void characters_have_their_utf8_length(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        int unit;
    } cases[] = {
        {"a", 1, 1},
        {"\0", 1, 1},
        {"\x7f", 1, 1},
        {"\xc2\x80", 2, 2},
        {"\xdf\xbf", 2, 2},
        {"\xe0\xa0\x80", 3, 3},
        {"\xed\x9f\xbf", 3, 3},
        {"\xee\x80\x80", 3, 3},
        {"\xef\xbf\xbf", 3, 3},
        {"\xf0\x90\x80\x80", 4, 4},
        {"\xf4\x8f\xbf\xbf", 4, 4},
        /* the maximal ill-formed part, as a negative length */
        {"\x80", 1, -1},
        {"\xc0\x80", 2, -1},
        {"\xc1\xbf", 2, -1},
        {"\xf5\x80\x80\x80", 4, -1},
        {"\xff", 1, -1},
        {"\xe0\x9f\x80", 3, -1},
        {"\xed\xa0\x80", 3, -1},
        {"\xf0\x8f\xbf\xbf", 4, -1},
        {"\xf4\x90\x80\x80", 4, -1},
        {"\xc3", 1, -1},
        {"\xc3(", 2, -1},
        {"\xe2\x82", 2, -2},
        {"\xe2\x82(", 3, -2},
        {"\xf0\x9f\x98", 3, -3},
        {"\xf0\x9f\x98(", 4, -3},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int unit = lb_text_char_len(cases[i].bytes, cases[i].len);

        if (unit != cases[i].unit) {
            print_error("row %zu: %d\n", i, unit);
        }
        assert_int_equal(unit, cases[i].unit);
        assert_int_equal(lb_text_is_utf8(cases[i].bytes, cases[i].len),
                         cases[i].unit > 0);
    }
    assert_true(lb_text_is_utf8("", 0));
    assert_false(lb_text_is_utf8("abc\xff", 4));
}

/* Unicode 15, table 3-7, written down a second way. */
static bool is_scalar_value(const unsigned char *b)
{
    unsigned long value = ((unsigned long)(b[0] & 0x0fu) << 12) |
                          ((unsigned long)(b[1] & 0x3fu) << 6) |
                          (unsigned long)(b[2] & 0x3fu);

    return (b[0] & 0xf0u) == 0xe0u && (b[1] & 0xc0u) == 0x80u &&
           (b[2] & 0xc0u) == 0x80u && value >= 0x800 &&
           (value < 0xd800 || value > 0xdfff);
}

static void every_three_bytes_are_judged_as_unicode_says(void **state)
{
    (void)state;

    for (unsigned a = 0xe0; a <= 0xef; a++) {
        for (unsigned rest = 0; rest < 0x10000; rest++) {
            const unsigned char bytes[3] = {(unsigned char)a,
                                            (unsigned char)(rest >> 8),
                                            (unsigned char)rest};

            assert_int_equal(lb_text_char_len((const char *)bytes, 3) == 3,
                             is_scalar_value(bytes));
        }
    }
}

static void a_text_is_never_cut_inside_a_character(void **state)
{
    const char text[] =
        "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"; /* 1 2 3 4 1 */
    static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    (void)state;

    for (size_t max = 0; max < sizeof(cuts) / sizeof(cuts[0]); max++) {
        assert_int_equal(lb_text_cut(text, strlen(text), max), cuts[max]);
    }
    assert_int_equal(lb_text_cut("", 0, 0), 0);
    assert_int_equal(lb_text_cut("\x80\x80\x80", 3, 2), 0);
}

static void only_ascii_letters_are_folded(void **state)
{
    char text[] = "AZaz09-\xc3\x89[@";
    (void)state;

    lb_text_fold_all(text);

    assert_string_equal(text, "azaz09-\xc3\x89[@");
    assert_int_equal(lb_text_fold('A'), 'a');
    assert_int_equal(lb_text_fold('['), '[');
    assert_int_equal(lb_text_fold('@'), '@');
}

static void folded_texts_compare(void **state)
{
    (void)state;

    assert_true(lb_text_is_same_folded("", ""));
    assert_true(lb_text_is_same_folded("Content-TYPE", "content-type"));
    assert_false(lb_text_is_same_folded("a", "ab"));
    assert_false(lb_text_is_same_folded("ab", "a"));
    assert_false(lb_text_is_same_folded("a{", "a["));
}

static void globs_match(void **state)
{
    static const struct {
        const char *glob;
        const char *text;
        bool is_match;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "anything", true},
        {"partner-*", "partner-", true},
        {"partner-*", "partner-acme", true},
        {"partner-*", "partner", false},
        {"partner-*", "my-partner-x", false},
        {"*.bio", "alice.bio", true},
        {"*.bio", "alice.bio.x", false},
        {"a*b*c", "abc", true},
        {"a*b*c", "axxbyybzzc", true},
        {"a*b*c", "acb", false},
        {"**a**", "bab", true},
        {"*ab", "aab", true},
        {"*aab", "aaaab", true},
        {"a?c", "abc", false},
        {"a?c", "a?c", true},
        {"[a]", "a", false},
        {"A*", "abc", false},
        {"abc", "abc", true},
        {"abc", "ab", false},
        {"ab", "abc", false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (lb_text_matches_glob(cases[i].glob, cases[i].text) !=
            cases[i].is_match) {
            print_error("row %zu: %s %s\n", i, cases[i].glob, cases[i].text);
            fail();
        }
    }
}

static void folded_globs_match_in_any_case(void **state)
{
    (void)state;
    assert_true(lb_text_matches_glob_folded("Partner-*", "pARTNER-Acme"));
    assert_true(lb_text_matches_glob_folded("*ABC", "xabc"));
    assert_false(lb_text_matches_glob_folded("Partner-*", "partner"));
    assert_false(lb_text_matches_glob_folded("[", "{")); /* letters alone */
    assert_false(lb_text_matches_glob_folded("\xc3\x89", "\xc3\xa9"));
}

static void many_stars_take_no_exponential_time(void **state)
{
    char text[2001];
    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';

    assert_false(
        lb_text_matches_glob("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
}

static void ids_are_made_of_their_characters(void **state)
{
    static const struct {
        const char *text;
        const char *ranges;
        size_t max;
        bool is_made_of;
    } cases[] = {
        {"alice.bio", "a-z0-9.-", 64, true},
        {"a-b", "a-z0-9.-", 64, true},
        {"Alice", "a-z0-9.-", 64, false},
        {"", "a-z", 64, false},
        {"abcd", "a-z", 4, true},
        {"abcde", "a-z", 4, false},
        {"a b", "a-z", 64, false},
        {"a_b-C", "A-Za-z0-9_-", 64, true},
        {"a\xc3\xa9", "a-z", 64, false},
        {"/", "a-z0-9.-", 64, false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(
            lb_text_is_made_of(cases[i].text, cases[i].ranges, cases[i].max),
            cases[i].is_made_of);
    }
}

static void percent_escapes_are_decoded_or_refused(void **state)
{
    static const struct {
        const char *text;
        bool is_form;
        const char *decoded; /* NULL: refused */
    } cases[] = {
        {"", false, ""},         {"abc", false, "abc"},
        {"a%20b", false, "a b"}, {"%41%4a%4A", false, "AJJ"},
        {"%2541", false, "%41"}, {"%c3%a9", false, "\xc3\xa9"},
        {"a+b", false, "a+b"},   {"a+b%2B", true, "a b+"},
        {"%", false, NULL},      {"%4", false, NULL},
        {"abc%4", false, NULL},  {"%4g", false, NULL},
        {"%g4", false, NULL},    {"% 4", false, NULL},
        {"%00", false, NULL},    {"a%00b", true, NULL},
        {"%%20", false, NULL},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[32];
        size_t len = strlen(cases[i].text);
        long decoded;

        memcpy(text, cases[i].text, len);
        decoded = lb_text_percent_decode(text, len, cases[i].is_form);
        if (cases[i].decoded == NULL) {
            assert_int_equal(decoded, -1);
        } else {
            assert_int_equal(decoded, strlen(cases[i].decoded));
            assert_memory_equal(text, cases[i].decoded, (size_t)decoded);
        }
    }
}

static void all_but_unreserved_characters_are_escaped(void **state)
{
    struct lb_buf buf;
    (void)state;
    lb_buf_init(&buf, 4096);

    lb_text_percent_encode(&buf, "AZaz09-._~ /?#%&+=\xc3\xa9\n");

    assert_string_equal(lb_buf_text(&buf),
                        "AZaz09-._~%20%2F%3F%23%25%26%2B%3D%C3%A9%0A");
    lb_buf_deinit(&buf);
}

static void encoding_and_decoding_are_inverse(void **state)
{
    char text[256];
    struct lb_buf buf;
    (void)state;
    for (int i = 1; i < 256; i++) {
        text[i - 1] = (char)i;
    }
    text[255] = '\0';
    lb_buf_init(&buf, 4096);

    lb_text_percent_encode(&buf, text);

    assert_int_equal(lb_text_percent_decode(buf.data, buf.len, true), 255);
    assert_memory_equal(buf.data, text, 255);
    lb_buf_deinit(&buf);
}

static void csv_cells_are_quoted_and_no_formulas(void **state)
{
    static const struct {
        const char *text;
        const char *cell;
    } cases[] = {
        {"", ""},
        {"plain text", "plain text"},
        {"a,b", "\"a,b\""},
        {"say \"x\"", "\"say \"\"x\"\"\""},
        {"two\nlines", "\"two\nlines\""},
        {"cr\rhere", "\"cr\rhere\""},
        {"=1+1", "'=1+1"},
        {"+1", "'+1"},
        {"-1", "'-1"},
        {"@x", "'@x"},
        {"\tx", "'\tx"},
        {"\rx", "\"'\rx\""},
        {"=a,\"b\"", "\"'=a,\"\"b\"\"\""},
        {"a=1", "a=1"},
        {"'=1", "'=1"},
    };
    struct lb_buf buf;
    (void)state;
    lb_buf_init(&buf, 1000);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lb_buf_clear(&buf);
        lb_text_add_csv(&buf, cases[i].text);
        assert_string_equal(lb_buf_text(&buf), cases[i].cell);
    }
    lb_buf_deinit(&buf);
}

static void hex_digits_go_both_ways(void **state)
{
    const unsigned char bytes[] = {0x00, 0x0f, 0xa5, 0xff};
    char text[2 * sizeof(bytes) + 1];
    (void)state;

    lb_text_to_hex(bytes, sizeof(bytes), text);

    assert_string_equal(text, "000fa5ff");
    for (int c = 0; c < 256; c++) {
        const char *digits = "0123456789abcdef";
        char low = (char)(c >= 'A' && c <= 'F' ? c + 32 : c);
        const char *at = c == 0 ? NULL : strchr(digits, low);

        assert_int_equal(lb_text_hex((char)c), at == NULL ? -1 : at - digits);
    }
}

static void whole_numbers_are_parsed_whole(void **state)
{
    static const struct {
        const char *text;
        bool is_number;
        long long value;
    } cases[] = {
        {"0", true, 0},
        {"-17", true, -17},
        {"9223372036854775807", true, LLONG_MAX},
        {"-9223372036854775808", true, LLONG_MIN},
        {"9223372036854775808", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"0x1", false, 0},
        {"--1", false, 0},
        {"1e3", false, 0},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        long long value = 0;

        assert_int_equal(lb_text_to_int(cases[i].text, &value),
                         cases[i].is_number);
        assert_true(value == cases[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_have_their_utf8_length),
        cmocka_unit_test(every_three_bytes_are_judged_as_unicode_says),
        cmocka_unit_test(a_text_is_never_cut_inside_a_character),
        cmocka_unit_test(only_ascii_letters_are_folded),
        cmocka_unit_test(folded_texts_compare),
        cmocka_unit_test(globs_match),
        cmocka_unit_test(folded_globs_match_in_any_case),
        cmocka_unit_test(many_stars_take_no_exponential_time),
        cmocka_unit_test(ids_are_made_of_their_characters),
        cmocka_unit_test(percent_escapes_are_decoded_or_refused),
        cmocka_unit_test(all_but_unreserved_characters_are_escaped),
        cmocka_unit_test(encoding_and_decoding_are_inverse),
        cmocka_unit_test(csv_cells_are_quoted_and_no_formulas),
        cmocka_unit_test(hex_digits_go_both_ways),
        cmocka_unit_test(whole_numbers_are_parsed_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
