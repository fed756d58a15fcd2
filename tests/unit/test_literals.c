/* test_literals.c - many texts in one pass, against a search for each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/literals.h"

#define FOUND_MAX 4096

struct places {
    size_t count;
    size_t index[FOUND_MAX];
    size_t end[FOUND_MAX];
};

static void note(void *ctx, size_t index, size_t end)
{
    struct places *places = ctx;

    assert_true(places->count < FOUND_MAX);
    places->index[places->count] = index;
    places->end[places->count++] = end;
}

static struct places
scan(const char *const *texts, size_t count, const char *bytes)
{
    struct literals *literals = literals_new(texts, count);
    struct places places = {0};

    assert_non_null(literals);
    literals_scan(literals, bytes, strlen(bytes), note, &places);
    literals_free(literals);
    return places;
}

static void every_place_of_every_text_is_found(void **state)
{
    static const char *const texts[] = {"he", "she", "his", "hers"};
    struct places places;
    (void)state;

    places = scan(texts, 4, "ushers she");

    assert_int_equal(places.count, 5);
    assert_int_equal(places.index[0], 1); /* the longer one first */
    assert_int_equal(places.end[0], 4);
    assert_int_equal(places.index[1], 0);
    assert_int_equal(places.end[1], 4);
    assert_int_equal(places.index[2], 3);
    assert_int_equal(places.end[2], 6);
    assert_int_equal(places.index[3], 1);
    assert_int_equal(places.end[3], 10);
    assert_int_equal(places.index[4], 0);
}

static void a_text_that_stands_there_twice_is_found_twice(void **state)
{
    static const char *const texts[] = {"bot", "x", "bot", "", "ot"};
    struct places places;
    (void)state;

    places = scan(texts, 5, "a bot");

    assert_int_equal(places.count, 3);
    assert_int_equal(places.index[0], 0);
    assert_int_equal(places.index[1], 2);
    assert_int_equal(places.index[2], 4);
}

static void no_text_and_no_bytes_are_no_fault(void **state)
{
    static const char *const texts[] = {"a", ""};
    (void)state;

    assert_int_equal(scan(texts, 0, "abc").count, 0);
    assert_int_equal(scan(texts, 2, "").count, 0);
    assert_int_equal(scan(texts + 1, 1, "abc").count, 0);
}

static void bytes_above_127_are_found(void **state)
{
    static const char *const texts[] = {"\xc3\xa9", "\xff"};
    (void)state;

    assert_int_equal(scan(texts, 2, "caf\xc3\xa9 \xff\xff").count, 3);
}

static void too_much_text_is_refused(void **state)
{
    char *text = malloc(LITERALS_BYTES_MAX + 2);
    const char *texts[1];
    struct literals *literals;
    (void)state;
    assert_non_null(text);
    memset(text, 'a', LITERALS_BYTES_MAX + 1);
    text[LITERALS_BYTES_MAX + 1] = '\0';
    texts[0] = text;

    assert_null(literals_new(texts, 1));
    assert_null(literals_new(texts, LITERALS_MAX + 1));
    text[LITERALS_BYTES_MAX] = '\0';
    literals = literals_new(texts, 1);
    assert_non_null(literals);
    assert_int_equal(literals_states(literals), LITERALS_BYTES_MAX + 1);
    literals_free(literals);
    free(text);
}

/* Texts of two letters overlap in all ways. */
static void a_plain_search_finds_the_same(void **state)
{
    char texts[24][8];
    const char *list[24];
    char bytes[257];
    uint32_t seed = 1;
    (void)state;

    for (int round = 0; round < 50; round++) {
        struct places places;
        size_t count = 0;

        for (size_t i = 0; i < 24; i++) {
            seed = seed * 1103515245 + 12345;
            (void)snprintf(texts[i], sizeof(texts[i]), "%.*s",
                           (int)(seed >> 16 & 7),
                           seed >> 20 & 1 ? "abaabba" : "babbaab");
            list[i] = texts[i] + (strlen(texts[i]) > 1 ? seed >> 24 & 1 : 0);
        }
        for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
            seed = seed * 1103515245 + 12345;
            bytes[i] = seed >> 16 & 1 ? 'a' : 'b';
        }
        bytes[sizeof(bytes) - 1] = '\0';
        places = scan(list, 24, bytes);
        for (size_t i = 0; i < 24; i++) {
            const char *at = list[i][0] == '\0' ? NULL : strstr(bytes, list[i]);

            for (; at != NULL; at = strstr(at + 1, list[i])) {
                count++;
            }
        }
        assert_int_equal(places.count, count);
        for (size_t i = 0; i < places.count; i++) {
            const char *text = list[places.index[i]];

            assert_memory_equal(bytes + places.end[i] - strlen(text), text,
                                strlen(text));
            assert_true(i == 0 || places.end[i] >= places.end[i - 1]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_place_of_every_text_is_found),
        cmocka_unit_test(a_text_that_stands_there_twice_is_found_twice),
        cmocka_unit_test(no_text_and_no_bytes_are_no_fault),
        cmocka_unit_test(bytes_above_127_are_found),
        cmocka_unit_test(too_much_text_is_refused),
        cmocka_unit_test(a_plain_search_finds_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
