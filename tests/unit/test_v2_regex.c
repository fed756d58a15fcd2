/* test_v2_regex.c - regular expressions of the stats dialect, against POSIX's
 * where that knows them. */
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "aggregate/v2_regex.h"

static void expressions_match_as_written(void **state)
{
    static const struct {
        const char *regex;
        const char *text;
        bool is_match;
    } cases[] = {{"", "", true},
                 {"", "a", true},
                 {"b", "abc", true},
                 {"^b", "abc", false},
                 {"c$", "abc", true},
                 {"^$", "", true},
                 {"^$", "a", false},
                 {"a.c", "abc", true},
                 {"a\\.c", "abc", false},
                 {"^/blog/.*", "/blog/", true},
                 {"^(/a|/b)$", "/b", true},
                 {"^(/a|/b)$", "/c", false},
                 {"^a*$", "aaaa", true},
                 {"^a+$", "", false},
                 {"^ab?c$", "ac", true},
                 {"^a{2,3}$", "a", false},
                 {"^a{2,3}$", "aaa", true},
                 {"^a{2,3}$", "aaaa", false},
                 {"^a{2,}$", "aaaaaa", true},
                 {"^a{0}$", "", true},
                 {"^(ab){2}$", "abab", true},
                 {"^((a|b)c){2,3}$", "acbcac", true},
                 {"^[a-c]+$", "abcba", true},
                 {"^[^a-c]+$", "xyz", true},
                 {"^[]a]+$", "a]", true},
                 {"^[[:digit:]x]+$", "12x", true},
                 {"^\\d+$", "2026", true},
                 {"^\\D+$", "2026", false},
                 {"^\\w+$", "a_1", true},
                 {"^[\\w-]+$", "a-1", true},
                 {"\\s", "a b", true},
                 {"\\bcat\\b", "the cat sat", true},
                 {"\\bcat\\b", "concatenate", false},
                 {"\\Bcat\\B", "concatenate", true},
                 {"a|b|c", "xxc", true},
                 {"(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaac", false},
                 {"(a|aa)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false},
                 {"(x+x+)+y", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", false},
                 {"\xc3\xa9", "caf\xc3\xa9", true}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct v2_regex *regex = v2_regex_new(cases[i].regex, false);

        if (regex == NULL ||
            v2_regex_matches(regex, cases[i].text) != cases[i].is_match) {
            fail_msg("/%s/ on \"%s\"", cases[i].regex, cases[i].text);
        }
        v2_regex_free(regex);
    }
}

static void what_is_none_is_refused(void **state)
{
    static const char *const faults[] = {
        "(",      ")",
        "[",      "[a",
        "a{",     "a{2",
        "a{3,2}", "a{256}",
        "*",      "+a",
        "a**",    "a*?",
        "(?:a)",  "(?=a)",
        "\\",     "\\1",
        "\\p{L}", "[z-a]",
        "a|*",    "[[:no:]]",
        "\\k",    "((((a{99}){99}){99}){99}){99}"};
    char longest[V2_REGEX_BYTES + 2];

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (v2_regex_new(faults[i], false) != NULL) {
            fail_msg("/%s/", faults[i]);
        }
    }
    memset(longest, 'a', sizeof(longest));
    longest[V2_REGEX_BYTES + 1] = '\0';
    assert_null(v2_regex_new(longest, false));
    memset(longest, '(', sizeof(longest) - 1);
    assert_null(v2_regex_new(longest + 1, false));
}

static void case_makes_no_difference_when_folded(void **state)
{
    static const struct {
        const char *regex;
        const char *text;
        bool is_match;
    } cases[] = {{"^news", "NEWSletter", true},
                 {"^[a-c]+$", "ABC", true},
                 {"^[^a]+$", "A", false},
                 {"^[^a]+$", "bC", true},
                 {"É", "é", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct v2_regex *regex = v2_regex_new(cases[i].regex, true);

        assert_non_null(regex);
        assert_int_equal(v2_regex_matches(regex, cases[i].text),
                         cases[i].is_match);
        v2_regex_free(regex);
    }
}

/* --- against POSIX -------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static size_t random_atom(uint64_t *seed, char *out, int depth);

static size_t random_regex(uint64_t *seed, char *out, int depth)
{
    size_t used = 0;

    for (uint64_t i = next_random(seed) % 3 + 1; i > 0; i--) {
        used += random_atom(seed, out + used, depth);
    }
    return used;
}

static size_t random_atom(uint64_t *seed, char *out, int depth)
{
    static const char *const atoms[] = {"a", "b", ".", "[ab]", "[^a]", "c"};
    static const char *const ends[] = {"",  "",  "",    "*",
                                       "+", "?", "{2}", "{1,2}"};
    size_t used;

    if (depth > 0 && next_random(seed) % 3 == 0) {
        out[0] = '(';
        used = 1 + random_regex(seed, out + 1, depth - 1);
        if (next_random(seed) % 2 == 0) {
            out[used++] = '|';
            used += random_regex(seed, out + used, depth - 1);
        }
        out[used++] = ')';
    } else {
        const char *atom = atoms[next_random(seed) % 6];

        used = strlen(atom);
        memcpy(out, atom, used);
    }
    used += (size_t)snprintf(out + used, 8, "%s", ends[next_random(seed) % 8]);
    return used;
}

static void random_expressions_match_as_posix_ones(void **state)
{
    const char *given = getenv("LINKBELL_SEED");
    uint64_t seed =
        given == NULL ? (uint64_t)time(NULL) : strtoull(given, NULL, 10);

    (void)state;
    print_message("LINKBELL_SEED=%llu\n", (unsigned long long)seed);
    seed = seed * 2 + 1;
    for (int i = 0; i < 3000; i++) {
        char text[2048];
        size_t len = 0;
        struct v2_regex *ours;
        regex_t posix;

        len += next_random(&seed) % 3 == 0 ? (size_t)snprintf(text, 2, "^") : 0;
        len += random_regex(&seed, text + len, 2);
        text[len] = '\0';
        if (next_random(&seed) % 3 == 0) {
            text[len++] = '$';
            text[len] = '\0';
        }
        if (len > V2_REGEX_BYTES) {
            continue;
        }
        ours = v2_regex_new(text, false);
        assert_non_null(ours);
        assert_int_equal(regcomp(&posix, text, REG_EXTENDED | REG_NOSUB), 0);
        for (int j = 0; j < 10; j++) {
            char subject[12];
            size_t count = next_random(&seed) % 10;

            for (size_t k = 0; k < count; k++) {
                subject[k] = (char)('a' + next_random(&seed) % 4);
            }
            subject[count] = '\0';
            if (v2_regex_matches(ours, subject) !=
                (regexec(&posix, subject, 0, NULL, 0) == 0)) {
                fail_msg("/%s/ on \"%s\"", text, subject);
            }
        }
        regfree(&posix);
        v2_regex_free(ours);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_match_as_written),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(case_makes_no_difference_when_folded),
        cmocka_unit_test(random_expressions_match_as_posix_ones)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
