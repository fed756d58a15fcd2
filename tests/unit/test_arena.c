/* test_arena.c - memory that is given back all at once. */
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static void pieces_are_aligned_and_apart(void **state)
{
    struct lb_arena *arena = lb_arena_new((size_t)1024 * 1024);
    unsigned char *pieces[200];
    (void)state;

    for (size_t i = 0; i < 200; i++) {
        pieces[i] = lb_arena_alloc(arena, i + 1);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        memset(pieces[i], (int)i, i + 1);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t j = 0; j <= i; j++) {
            assert_int_equal(pieces[i][j], i);
        }
    }
    lb_arena_free(arena);
}

static void the_maximum_holds(void **state)
{
    struct lb_arena *arena = lb_arena_new(1024);
    (void)state;

    assert_non_null(lb_arena_alloc(arena, 512));
    assert_null(lb_arena_alloc(arena, 513));
    assert_null(lb_arena_alloc(arena, SIZE_MAX));
    assert_null(lb_arena_alloc(arena, SIZE_MAX - 8));
    assert_non_null(lb_arena_alloc(arena, 512));
    assert_null(lb_arena_alloc(arena, 1));
    assert_int_equal(lb_arena_bytes(arena), 1024);
    lb_arena_free(arena);
}

static void one_piece_may_be_larger_than_a_block(void **state)
{
    const size_t bytes = (size_t)3 * 1024 * 1024;
    struct lb_arena *arena = lb_arena_new(bytes * 2);
    (void)state;

    assert_non_null(lb_arena_alloc(arena, 10));
    assert_non_null(lb_arena_calloc(arena, bytes));
    assert_non_null(lb_arena_alloc(arena, 10));
    lb_arena_free(arena);
}

static void cleared_memory_is_zero(void **state)
{
    struct lb_arena *arena = lb_arena_new(100000);
    (void)state;

    for (int round = 0; round < 20; round++) {
        unsigned char *dirty = lb_arena_alloc(arena, 64);
        const unsigned char *clean;

        memset(dirty, 0xff, 64);
        clean = lb_arena_calloc(arena, 64);
        for (int i = 0; i < 64; i++) {
            assert_int_equal(clean[i], 0);
        }
    }
    lb_arena_free(arena);
}

static void a_text_is_copied_with_its_end(void **state)
{
    struct lb_arena *arena = lb_arena_new(100);
    char *text = lb_arena_text(arena, "abcdef", 3);
    char *empty = lb_arena_text(arena, NULL, 0);
    (void)state;

    assert_string_equal(text, "abc");
    assert_string_equal(empty, "");
    assert_null(lb_arena_text(arena, "x", 100));
    lb_arena_free(arena);
}

static void a_cleared_arena_gives_its_whole_maximum_again(void **state)
{
    struct lb_arena *arena = lb_arena_new(100000);

    (void)state;
    lb_arena_clear(arena);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 90; i++) {
            assert_non_null(lb_arena_calloc(arena, 1000));
        }
        assert_null(lb_arena_alloc(arena, 20000));
        lb_arena_clear(arena);
        assert_int_equal(lb_arena_bytes(arena), 0);
    }
    lb_arena_free(arena);
}

static void freeing_nothing_is_fine(void **state)
{
    (void)state;

    lb_arena_free(NULL);
    lb_arena_free(lb_arena_new(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(the_maximum_holds),
        cmocka_unit_test(one_piece_may_be_larger_than_a_block),
        cmocka_unit_test(cleared_memory_is_zero),
        cmocka_unit_test(a_text_is_copied_with_its_end),
        cmocka_unit_test(a_cleared_arena_gives_its_whole_maximum_again),
        cmocka_unit_test(freeing_nothing_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
