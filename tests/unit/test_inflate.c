/* test_inflate.c - gzip and zstd: whole, cut, broken, joined, and bombs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/inflate.h"

#define TEXT_BYTES ((size_t)300 * 1000)
#define PACKED_BYTES ((size_t)8 * 1024 * 1024)

static const enum lb_inflate_kind kinds[] = {LB_INFLATE_GZIP, LB_INFLATE_ZSTD};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static char *text; /* compresses, but not to nothing */

static int make_text(void **state)
{
    uint32_t dice = 1;
    (void)state;

    text = malloc(TEXT_BYTES);
    for (size_t i = 0; text != NULL && i < TEXT_BYTES; i++) {
        dice = dice * 1664525u + 1013904223u;
        text[i] = (char)('a' + (dice >> 24) % 16);
    }
    return text == NULL ? -1 : 0;
}

static int free_text(void **state)
{
    (void)state;
    free(text);
    return 0;
}

static struct lb_buf
pack(enum lb_inflate_kind kind, const char *bytes, size_t len, size_t piece)
{
    struct lb_inflate_packer *packer = lb_inflate_packer_new(kind);
    struct lb_buf out;

    assert_non_null(packer);
    lb_buf_init(&out, PACKED_BYTES);
    for (size_t at = 0; at < len; at += piece) {
        size_t part = len - at < piece ? len - at : piece;

        assert_int_equal(
            lb_inflate_packer_add(packer, bytes + at, part, false, &out),
            LB_OK);
    }
    assert_int_equal(lb_inflate_packer_add(packer, "", 0, true, &out), LB_OK);
    lb_inflate_packer_free(packer);
    return out;
}

static void what_was_packed_comes_out_again(void **state)
{
    static const size_t lengths[] = {0,     1,     1000,      65535,
                                     65536, 65537, TEXT_BYTES};
    (void)state;

    for (size_t i = 0; i < KIND_COUNT * 7; i++) {
        enum lb_inflate_kind kind = kinds[i / 7];
        size_t len = lengths[i % 7];
        struct lb_buf packed = pack(kind, text, len, 7001);
        struct lb_buf out;

        lb_buf_init(&out, TEXT_BYTES);
        assert_int_equal(lb_inflate(kind, packed.data, packed.len, &out),
                         LB_OK);

        assert_int_equal(out.len, len);
        assert_memory_equal(lb_buf_text(&out), text, len);
        if (out.data != NULL) {
            assert_int_equal(out.data[out.len], '\0');
        }
        lb_buf_deinit(&out);
        lb_buf_deinit(&packed);
    }
}

static void bytes_are_appended_to_what_is_there(void **state)
{
    (void)state;

    for (size_t i = 0; i < KIND_COUNT; i++) {
        struct lb_buf packed = pack(kinds[i], "world", 5, 5);
        struct lb_buf out;

        lb_buf_init(&out, 100);
        lb_buf_add_text(&out, "hello ");
        assert_int_equal(lb_inflate(kinds[i], packed.data, packed.len, &out),
                         LB_OK);

        assert_string_equal(lb_buf_text(&out), "hello world");
        lb_buf_deinit(&out);
        lb_buf_deinit(&packed);
    }
}

static void bytes_that_are_not_packed_pass_through(void **state)
{
    struct lb_inflate_packer *packer = lb_inflate_packer_new(LB_INFLATE_NONE);
    struct lb_buf out;
    (void)state;
    lb_buf_init(&out, 6);

    assert_int_equal(lb_inflate_packer_add(packer, "abc", 3, true, &out),
                     LB_OK);
    assert_int_equal(lb_inflate(LB_INFLATE_NONE, "def", 3, &out), LB_OK);
    assert_string_equal(lb_buf_text(&out), "abcdef");
    assert_int_equal(lb_inflate(LB_INFLATE_NONE, "g", 1, &out), LB_ELIMIT);

    lb_inflate_packer_free(packer);
    lb_buf_deinit(&out);
}

static void the_limit_holds_to_the_byte(void **state)
{
    (void)state;

    for (size_t i = 0; i < KIND_COUNT; i++) {
        struct lb_buf packed = pack(kinds[i], text, TEXT_BYTES, TEXT_BYTES);

        for (size_t max = TEXT_BYTES - 1; max <= TEXT_BYTES + 1; max++) {
            struct lb_buf out;

            lb_buf_init(&out, max);
            assert_int_equal(
                lb_inflate(kinds[i], packed.data, packed.len, &out),
                max < TEXT_BYTES ? LB_ELIMIT : LB_OK);
            assert_true(out.len <= max);
            lb_buf_deinit(&out);
        }
        lb_buf_deinit(&packed);
    }
}

static void a_bomb_stops_at_the_limit(void **state)
{
    const size_t bytes = (size_t)64 * 1024 * 1024;
    char *zeros = calloc(1, bytes);
    (void)state;
    assert_non_null(zeros);

    for (size_t i = 0; i < KIND_COUNT; i++) {
        struct lb_buf packed = pack(kinds[i], zeros, bytes, bytes);
        struct lb_buf out;

        lb_buf_init(&out, 100000);
        assert_true(packed.len < 100000);
        assert_int_equal(lb_inflate(kinds[i], packed.data, packed.len, &out),
                         LB_ELIMIT);
        assert_true(out.len <= 100000);
        assert_true(out.cap <= 300000);
        lb_buf_deinit(&out);
        lb_buf_deinit(&packed);
    }
    free(zeros);
}

static void
assert_refused(enum lb_inflate_kind kind, const char *bytes, size_t len)
{
    struct lb_buf out;
    enum lb_err rc;

    lb_buf_init(&out, TEXT_BYTES);
    rc = lb_inflate(kind, bytes, len, &out);

    if (rc != LB_EFORMAT) {
        print_error("kind %d, %zu bytes: %d\n", (int)kind, len, (int)rc);
    }
    assert_int_equal(rc, LB_EFORMAT);
    lb_buf_deinit(&out);
}

static void a_stream_that_is_cut_short_is_refused(void **state)
{
    (void)state;

    for (size_t i = 0; i < KIND_COUNT; i++) {
        struct lb_buf packed = pack(kinds[i], text, 2000, 2000);

        for (size_t len = 0; len < packed.len; len++) {
            assert_refused(kinds[i], packed.data, len);
        }
        lb_buf_deinit(&packed);
    }
}

static void bytes_after_the_stream_are_refused(void **state)
{
    static const char *const garbage[] = {"x", "\n", "xxxxxxxxxxxxxxxx", "\x1f",
                                          "\x28\xb5\x2f"};
    (void)state;

    for (size_t i = 0; i < KIND_COUNT * 5; i++) {
        enum lb_inflate_kind kind = kinds[i / 5];
        struct lb_buf packed = pack(kind, text, 2000, 2000);
        struct lb_buf out;

        lb_buf_init(&out, TEXT_BYTES);
        lb_buf_add_text(&packed, garbage[i % 5]);

        assert_int_equal(lb_inflate(kind, packed.data, packed.len, &out),
                         LB_EFORMAT);
        lb_buf_deinit(&out);
        lb_buf_deinit(&packed);
    }
}

static void streams_may_be_joined(void **state)
{
    (void)state;

    for (size_t i = 0; i < KIND_COUNT; i++) {
        struct lb_buf one = pack(kinds[i], "one,", 4, 4);
        struct lb_buf none = pack(kinds[i], "", 0, 1);
        struct lb_buf two = pack(kinds[i], "two", 3, 3);
        struct lb_buf out;

        lb_buf_init(&out, 7);
        lb_buf_add(&one, none.data, none.len);
        lb_buf_add(&one, two.data, two.len);

        assert_int_equal(lb_inflate(kinds[i], one.data, one.len, &out), LB_OK);
        assert_string_equal(lb_buf_text(&out), "one,two");
        lb_buf_deinit(&out);
        lb_buf_deinit(&one);
        lb_buf_deinit(&none);
        lb_buf_deinit(&two);
    }
}

static void what_is_no_stream_is_refused(void **state)
{
    static const char *const cases[] = {"", "hello, this is no stream",
                                        "{\"type\":\"view\"}", "\x78\x9c\x03"};
    (void)state;

    for (size_t i = 0; i < KIND_COUNT * 4; i++) {
        struct lb_buf out;

        lb_buf_init(&out, TEXT_BYTES);
        assert_int_equal(
            lb_inflate(kinds[i / 4], cases[i % 4], strlen(cases[i % 4]), &out),
            LB_EFORMAT);
        lb_buf_deinit(&out);
    }
}

static void a_changed_byte_is_found_or_harmless(void **state)
{
    (void)state;

    for (size_t i = 0; i < KIND_COUNT; i++) {
        struct lb_buf packed = pack(kinds[i], text, 2000, 2000);

        for (size_t at = 0; at < packed.len; at++) {
            char kept = packed.data[at];
            struct lb_buf out;

            lb_buf_init(&out, TEXT_BYTES);
            packed.data[at] = (char)(kept ^ 0x55);
            (void)!lb_inflate(kinds[i], packed.data, packed.len, &out);
            assert_true(out.len <= TEXT_BYTES);
            packed.data[at] = kept;
            lb_buf_deinit(&out);
        }
        lb_buf_deinit(&packed);
    }
}

static void packing_past_the_room_says_so(void **state)
{
    (void)state;

    for (size_t i = 0; i < KIND_COUNT; i++) {
        struct lb_inflate_packer *packer = lb_inflate_packer_new(kinds[i]);
        struct lb_buf out;

        lb_buf_init(&out, 1000);
        assert_int_equal(
            lb_inflate_packer_add(packer, text, TEXT_BYTES, true, &out),
            LB_ELIMIT);
        lb_inflate_packer_free(packer);
        lb_buf_deinit(&out);
    }
    lb_inflate_packer_free(NULL);
}

/* Unpacks in pieces of the packed bytes, as a file is read. */
static enum lb_err take_all(const struct lb_buf *packed,
                            size_t len,
                            size_t piece,
                            struct lb_buf *out,
                            bool *is_whole_out)
{
    struct lb_inflate_reader *reader =
        lb_inflate_reader_new(lb_inflate_guess(packed->data, packed->len));
    enum lb_err rc = LB_OK;

    assert_non_null(reader);
    for (size_t at = 0; at < len && rc == LB_OK; at += piece) {
        const char *bytes = packed->data + at;
        size_t left = len - at < piece ? len - at : piece;

        while (left > 0 && rc == LB_OK) {
            rc = lb_inflate_reader_take(reader, &bytes, &left, out);
        }
    }
    for (size_t before = SIZE_MAX; rc == LB_OK && before != out->len;) {
        const char *bytes = "";
        size_t left = 0;

        before = out->len;
        if (!lb_inflate_reader_is_whole(reader)) {
            rc = lb_inflate_reader_take(reader, &bytes, &left, out);
        }
    }
    *is_whole_out = lb_inflate_reader_is_whole(reader);
    lb_inflate_reader_free(reader);
    return rc;
}

static void a_file_is_unpacked_in_pieces(void **state)
{
    static const size_t pieces[] = {1, 777, PACKED_BYTES};
    (void)state;

    for (size_t i = 0; i < KIND_COUNT * 3; i++) {
        struct lb_buf packed = pack(kinds[i / 3], text, TEXT_BYTES, 7001);
        struct lb_buf out;
        bool is_whole = false;

        lb_buf_init(&out, 2 * TEXT_BYTES);
        assert_int_equal(
            take_all(&packed, packed.len, pieces[i % 3], &out, &is_whole),
            LB_OK);
        assert_true(is_whole);
        assert_int_equal(out.len, TEXT_BYTES);
        assert_memory_equal(out.data, text, TEXT_BYTES);
        lb_buf_clear(&out);
        assert_int_equal(
            take_all(&packed, packed.len - 9, pieces[i % 3], &out, &is_whole),
            LB_OK);
        assert_false(is_whole);
        lb_buf_clear(&out);
        packed.data[packed.len / 2] ^= 0x55;
        packed.data[packed.len / 2 + 1] ^= 0x55;
        (void)take_all(&packed, packed.len, pieces[i % 3], &out, &is_whole);
        lb_buf_deinit(&out);
        lb_buf_deinit(&packed);
    }
}

static void what_is_packed_is_told_by_its_first_bytes(void **state)
{
    (void)state;

    assert_int_equal(lb_inflate_guess("\x1f\x8b\x08", 3), LB_INFLATE_GZIP);
    assert_int_equal(lb_inflate_guess("\x28\xb5\x2f\xfd", 4), LB_INFLATE_ZSTD);
    assert_int_equal(lb_inflate_guess("\x28\xb5\x2f", 3), LB_INFLATE_NONE);
    assert_int_equal(lb_inflate_guess("{", 1), LB_INFLATE_NONE);
    assert_int_equal(lb_inflate_guess("", 0), LB_INFLATE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_unpacked_in_pieces),
        cmocka_unit_test(what_is_packed_is_told_by_its_first_bytes),
        cmocka_unit_test(what_was_packed_comes_out_again),
        cmocka_unit_test(bytes_are_appended_to_what_is_there),
        cmocka_unit_test(bytes_that_are_not_packed_pass_through),
        cmocka_unit_test(the_limit_holds_to_the_byte),
        cmocka_unit_test(a_bomb_stops_at_the_limit),
        cmocka_unit_test(a_stream_that_is_cut_short_is_refused),
        cmocka_unit_test(bytes_after_the_stream_are_refused),
        cmocka_unit_test(streams_may_be_joined),
        cmocka_unit_test(what_is_no_stream_is_refused),
        cmocka_unit_test(a_changed_byte_is_found_or_harmless),
        cmocka_unit_test(packing_past_the_room_says_so),
    };

    return cmocka_run_group_tests(tests, make_text, free_text);
}
