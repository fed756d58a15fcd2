/* test_segment_cache.c - columns that readers share, within their room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "sql/segment_cache.h"

#define ROWS 8192
#define KEYS 64
#define TURNS 4000

static struct segment_cached *
put(struct segment_cache *cache, int64_t key, unsigned width, size_t extra)
{
    struct lb_arena *arena = lb_arena_new(1 << 20);
    int64_t *numbers = lb_arena_alloc(arena, extra + sizeof(*numbers));
    struct segment_column column = {.width = width, .value_count = 1};
    struct segment_cached *cached;

    assert_non_null(numbers);
    numbers[0] = key;
    column.numbers = numbers;
    cached = segment_cache_put(cache, key, arena, &column);
    if (cached == NULL) {
        lb_arena_free(arena);
    }
    return cached;
}

static void fill(uint16_t *codes, int64_t key, size_t block, unsigned width)
{
    for (size_t i = 0; i < ROWS; i++) {
        codes[i] = (uint16_t)((i * 31 + (size_t)key * 7 + block) &
                              (width == 1 ? 255 : 65535));
    }
}

static void what_was_put_is_read(void **state)
{
    static uint16_t codes[ROWS];
    static uint16_t read[ROWS];
    struct segment_cache *cache = segment_cache_new(1 << 20);

    (void)state;
    assert_null(segment_cache_take(cache, 7));
    for (unsigned width = 1; width <= 2; width++) {
        struct segment_cached *cached = put(cache, width, width, 0);
        struct segment_cached *again = segment_cache_take(cache, width);

        assert_ptr_equal(cached, again);
        assert_int_equal(segment_cache_column(again)->numbers[0], width);
        assert_false(segment_cache_read(again, 3, ROWS, read));
        fill(codes, width, 3, width);
        segment_cache_put_codes(cache, cached, 3, codes, ROWS);
        segment_cache_put_codes(cache, cached, 3, codes, ROWS); /* twice */
        assert_true(segment_cache_read(again, 3, ROWS, read));
        assert_memory_equal(codes, read, sizeof(codes));
        assert_false(segment_cache_read(again, 4, ROWS, read));
        segment_cache_release(cache, cached);
        segment_cache_release(cache, again);
    }
    segment_cache_free(cache);
}

static void another_reader_s_is_taken_instead(void **state)
{
    struct segment_cache *cache = segment_cache_new(1 << 20);
    struct segment_cached *first = put(cache, 5, 1, 0);
    struct segment_cached *second = put(cache, 5, 1, 0);

    (void)state;
    assert_ptr_equal(first, second);
    segment_cache_release(cache, first);
    segment_cache_release(cache, second);
    segment_cache_free(cache);
}

static void it_keeps_to_its_room_and_what_is_used_stays(void **state)
{
    static uint16_t codes[ROWS];
    static uint16_t read[ROWS];
    size_t room = 200 * 1024;
    struct segment_cache *cache = segment_cache_new(room);
    struct segment_cached *held = put(cache, 0, 1, 0);
    size_t found = 0;

    (void)state;
    fill(codes, 0, 0, 1);
    segment_cache_put_codes(cache, held, 0, codes, ROWS);
    for (int64_t key = 1; key < 2000; key++) {
        struct segment_cached *cached = put(cache, key, 1, 2000);

        assert_true(segment_cache_bytes(cache) <= room);
        if (cached != NULL) {
            segment_cache_put_codes(cache, cached, 1, codes, ROWS);
            assert_true(segment_cache_bytes(cache) <= room);
            segment_cache_release(cache, cached);
        }
    }
    assert_true(segment_cache_read(held, 0, ROWS, read));
    assert_memory_equal(codes, read, sizeof(codes));
    for (int64_t key = 1; key < 2000; key++) {
        struct segment_cached *cached = segment_cache_take(cache, key);

        found += cached != NULL ? 1 : 0;
        segment_cache_release(cache, cached);
    }
    assert_in_range(found, 5, 60);
    segment_cache_release(cache, held);
    segment_cache_free(cache);
}

static void nothing_larger_than_its_room_comes_in(void **state)
{
    struct segment_cache *cache = segment_cache_new(4096);

    (void)state;
    for (int i = 0; i < 50; i++) {
        assert_null(put(cache, i, 1, 8192));
    }
    assert_int_equal(segment_cache_bytes(cache), 0);
    segment_cache_free(cache);
}

/* --- several readers ------------------------------------------------------ */

struct reader {
    uv_thread_t thread;
    struct segment_cache *cache;
    unsigned seed;
    size_t wrong;
};

static void turn(struct reader *reader, int64_t key, size_t block)
{
    unsigned width = (unsigned)(key % 2) + 1;
    struct segment_cached *cached = segment_cache_take(reader->cache, key);
    uint16_t codes[ROWS];
    uint16_t read[ROWS];

    cached = cached == NULL ? put(reader->cache, key, width, 500) : cached;
    if (cached == NULL) {
        return;
    }
    fill(codes, key, block, width);
    if (!segment_cache_read(cached, block, ROWS, read)) {
        segment_cache_put_codes(reader->cache, cached, block, codes, ROWS);
    } else {
        reader->wrong += memcmp(codes, read, sizeof(codes)) != 0 ? 1 : 0;
    }
    reader->wrong += segment_cache_column(cached)->numbers[0] != key ? 1 : 0;
    segment_cache_release(reader->cache, cached);
}

static void run_reader(void *arg)
{
    struct reader *reader = arg;

    for (int i = 0; i < TURNS; i++) {
        reader->seed = reader->seed * 1103515245u + 12345u;
        turn(reader, (int64_t)(reader->seed >> 8) % KEYS,
             (reader->seed >> 20) % 4);
    }
}

static void readers_share_it(void **state)
{
    struct segment_cache *cache = segment_cache_new(400 * 1024);
    struct reader readers[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        readers[i] = (struct reader){.cache = cache, .seed = i + 1};
        assert_int_equal(
            uv_thread_create(&readers[i].thread, run_reader, &readers[i]), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(uv_thread_join(&readers[i].thread), 0);
        assert_int_equal(readers[i].wrong, 0);
    }
    assert_true(segment_cache_bytes(cache) <= 400 * 1024);
    segment_cache_free(cache);
}

static void numbers_come_back(void **state)
{
    static const int64_t greatest[] = {
        0, 65535, 65536, UINT32_MAX, (int64_t)UINT32_MAX + 1, -1};
    struct segment_cache *cache = segment_cache_new(1 << 20);
    struct segment_cached *cached = put(cache, 9, 1, 0);
    int64_t numbers[ROWS];
    int64_t read[ROWS];

    (void)state;
    for (size_t block = 0; block < 6; block++) {
        bool is_kept = greatest[block] >= 0 && greatest[block] <= UINT32_MAX;

        for (size_t i = 0; i < ROWS; i++) {
            numbers[i] = i % 3 == 0 ? greatest[block] : (int64_t)i % 7;
        }
        assert_false(segment_cache_read_numbers(cached, block, ROWS, read));
        segment_cache_put_numbers(cache, cached, block, numbers, ROWS);
        assert_int_equal(segment_cache_read_numbers(cached, block, ROWS, read),
                         is_kept);
        if (is_kept) {
            assert_memory_equal(read, numbers, sizeof(numbers));
        }
    }
    segment_cache_release(cache, cached);
    segment_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back),
        cmocka_unit_test(what_was_put_is_read),
        cmocka_unit_test(another_reader_s_is_taken_instead),
        cmocka_unit_test(it_keeps_to_its_room_and_what_is_used_stays),
        cmocka_unit_test(nothing_larger_than_its_room_comes_in),
        cmocka_unit_test(readers_share_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
