/* test_segment.c - what goes into a segment comes out of it, and damage shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/segment_build.h"
#include "tests/support/series.h"

#define ARENA_BYTES ((size_t)256 * 1024 * 1024)

static struct series_random chance = {88172645463325252U};

static int64_t below(int64_t limit)
{
    return (int64_t)(series_uniform(&chance) * (double)limit);
}

/* --- blocks --------------------------------------------------------------- */

static void
check_numbers(const int64_t *numbers, const int64_t *beside, size_t count)
{
    static int64_t got[SEGMENT_PACK_BLOCK];
    struct segment_packer *packer = segment_pack_new();
    struct lb_buf out;

    lb_buf_init(&out, (size_t)1024 * 1024);
    assert_int_equal(segment_pack_numbers(packer, numbers, beside, count, &out),
                     LB_OK);
    assert_int_equal(segment_pack_read_numbers(packer, out.data, out.len,
                                               beside, count, got),
                     LB_OK);
    assert_memory_equal(got, numbers, count * sizeof(*numbers));
    lb_buf_deinit(&out);
    segment_pack_free(packer);
}

static void numbers_of_any_size_come_back(void **state)
{
    static int64_t numbers[SEGMENT_PACK_BLOCK];
    static int64_t beside[SEGMENT_PACK_BLOCK];
    const int64_t spans[] = {1, 2, 200, 70000, INT64_C(1) << 40, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        for (size_t j = 0; j < SEGMENT_PACK_BLOCK; j++) {
            numbers[j] = below(spans[i]) - (j % 3 == 0 ? spans[i] / 2 : 0);
            beside[j] = numbers[j] - below(300);
        }
        check_numbers(numbers, NULL, SEGMENT_PACK_BLOCK);
        check_numbers(numbers, beside, SEGMENT_PACK_BLOCK);
        check_numbers(numbers, NULL, 1);
    }
    numbers[0] = INT64_MIN;
    numbers[1] = INT64_MAX;
    numbers[2] = 0;
    check_numbers(numbers, NULL, 3);
    check_numbers(numbers, beside, 3);
}

/* --- whole segments ------------------------------------------------------- */

/* An event made of its log number alone. */
static void make(int64_t seq, int64_t sites, struct entry *entry, char text[96])
{
    uint64_t mix = (uint64_t)seq * UINT64_C(0x9e3779b97f4a7c15);

    memset(entry, 0, sizeof(*entry));
    entry->seq = seq;
    entry->site = 1 + (int64_t)(mix >> 40) % sites;
    entry->ts_at_ms = INT64_C(1795510800000) + (int64_t)(mix >> 30) % 90000000;
    entry->received_at_ms = entry->ts_at_ms + (int64_t)(mix >> 20) % 5000;
    entry->visitor = (int64_t)(mix >> 13) % 1000;
    entry->visitor_day = entry->visitor == 0 ? 0 : 20000 + seq % 2;
    entry->type = (enum entry_type)(mix >> 50 & 3);
    entry->traffic = (enum entry_traffic)(mix >> 52 & 3);
    entry->is_passive = (mix >> 54 & 1) != 0;
    entry->has_amount = (mix >> 55 & 3) == 0;
    entry->amount_hundredths =
        entry->has_amount ? (int64_t)(mix >> 10) % 100000 - 50 : 0;
    entry->bot_entry = (uint32_t)(mix >> 33 & 1);
    for (int i = 0; i < ENTRY_DICT_COUNT; i++) {
        entry->dict[i] = (int64_t)(mix >> (8 + i)) % (2 + i * 40);
    }
    (void)snprintf(text, 96, "id-%lld", (long long)seq);
    (void)snprintf(text + 32, 32, "/p%llu", (unsigned long long)(mix >> 48));
    (void)snprintf(text + 64, 32, "{\"n\":%lld}", (long long)seq % 7);
    entry->text[ENTRY_TEXT_ID] = text;
    entry->text[ENTRY_TEXT_PAGE] = text + 32;
    entry->text[ENTRY_TEXT_PROPS] = seq % 3 == 0 ? text + 64 : NULL;
    entry->text[ENTRY_TEXT_HOST] = "alice.bio";
}

static void build(int64_t count, int64_t sites, struct segment_body *body)
{
    struct segment_builder *builder = segment_build_new();
    struct entry entry;
    char text[96];

    for (int64_t seq = 1; seq <= count; seq++) {
        make(seq, sites, &entry, text);
        assert_int_equal(segment_build_add(builder, &entry), LB_OK);
    }
    assert_int_equal(segment_build_count(builder), count);
    assert_int_equal(segment_build_finish(builder, body), LB_OK);
    segment_build_free(builder);
}

/* A segment's columns, read. */
struct reading {
    struct segment_packer *packer;
    struct lb_arena *arena;
    struct segment_directory directory;
    struct segment_column columns[SEGMENT_COLUMN_COUNT];
};

static void open_body(struct reading *reading, const struct segment_body *body)
{
    reading->packer = segment_pack_new();
    reading->arena = lb_arena_new(ARENA_BYTES);
    assert_int_equal(segment_read_directory(body->directory.data,
                                            body->directory.len, reading->arena,
                                            &reading->directory),
                     LB_OK);
    for (int i = 0; i < SEGMENT_COLUMN_COUNT; i++) {
        const struct segment_bytes bytes = {body->columns[i].data,
                                            body->columns[i].len};

        assert_int_equal(segment_read_column(reading->packer, i, &bytes,
                                             &reading->directory.layout,
                                             reading->arena,
                                             &reading->columns[i]),
                         LB_OK);
    }
}

static void close_body(struct reading *reading)
{
    segment_pack_free(reading->packer);
    lb_arena_free(reading->arena);
}

static int64_t coded(const struct reading *reading,
                     int column,
                     uint16_t codes[SEGMENT_COLUMN_COUNT][SEGMENT_PACK_BLOCK],
                     size_t i)
{
    return reading->columns[column].numbers[codes[column][i]];
}

/* Row i of the block is the event that its log number makes. */
static void check_row(const struct reading *reading,
                      int64_t site,
                      int64_t numbers[SEGMENT_FIRST_CODED][SEGMENT_PACK_BLOCK],
                      uint16_t codes[SEGMENT_COLUMN_COUNT][SEGMENT_PACK_BLOCK],
                      size_t i,
                      int64_t sites)
{
    struct entry want;
    char text[96];

    make(numbers[SEGMENT_SEQ][i], sites, &want, text);
    assert_int_equal(site, want.site);
    assert_int_equal(numbers[SEGMENT_TS][i], want.ts_at_ms);
    assert_int_equal(numbers[SEGMENT_RECEIVED][i], want.received_at_ms);
    assert_int_equal(numbers[SEGMENT_VISITOR][i], want.visitor);
    assert_int_equal(coded(reading, SEGMENT_BITS, codes, i), entry_bits(&want));
    assert_int_equal(coded(reading, SEGMENT_VISITOR_DAY, codes, i),
                     want.visitor_day);
    assert_int_equal(coded(reading, SEGMENT_AMOUNT, codes, i),
                     want.has_amount ? want.amount_hundredths : SEGMENT_NONE);
    for (int j = 0; j < ENTRY_DICT_COUNT; j++) {
        assert_int_equal(coded(reading, SEGMENT_DICT + j, codes, i),
                         want.dict[j]);
    }
    for (int j = SEGMENT_FIRST_TEXT; j < SEGMENT_ID; j++) {
        const char *got = reading->columns[j].texts[codes[j][i]];
        const char *text_of = want.text[segment_text_of(j)];

        if (text_of == NULL) {
            assert_null(got);
        } else {
            assert_string_equal(got, text_of);
        }
    }
}

static void check_body(const struct segment_body *body, int64_t sites)
{
    static int64_t numbers[SEGMENT_FIRST_CODED][SEGMENT_PACK_BLOCK];
    static uint16_t codes[SEGMENT_COLUMN_COUNT][SEGMENT_PACK_BLOCK];
    static const char *ids[SEGMENT_PACK_BLOCK];
    struct reading reading;
    size_t site = 0;
    size_t row = 0;

    open_body(&reading, body);
    for (size_t block = 0; row < body->row_count; block++) {
        size_t rows = segment_layout_rows(&reading.directory.layout, block);

        for (int i = 0; i < SEGMENT_FIRST_CODED; i++) {
            assert_int_equal(
                segment_read_numbers(reading.packer, &reading.columns[i],
                                     &reading.directory.layout, block,
                                     numbers[SEGMENT_TS], numbers[i]),
                LB_OK);
        }
        /* The order above reads ts before received, which leans on it. */
        for (int i = SEGMENT_FIRST_CODED; i < SEGMENT_ID; i++) {
            assert_int_equal(
                segment_read_codes(reading.packer, &reading.columns[i],
                                   &reading.directory.layout, block, codes[i]),
                LB_OK);
        }
        assert_int_equal(segment_read_ids(reading.packer,
                                          &reading.columns[SEGMENT_ID],
                                          &reading.directory.layout, block,
                                          reading.arena, ids),
                         LB_OK);
        for (size_t i = 0; i < rows; i++, row++) {
            char id[32];

            while (row >= reading.directory.sites[site].first_row +
                              reading.directory.sites[site].row_count) {
                site++;
            }
            check_row(&reading, reading.directory.sites[site].site, numbers,
                      codes, i, sites);
            (void)snprintf(id, sizeof(id), "id-%lld",
                           (long long)numbers[SEGMENT_SEQ][i]);
            assert_string_equal(ids[i], id);
        }
    }
    assert_int_equal(row, body->row_count);
    close_body(&reading);
}

static void events_come_back_from_a_segment(void **state)
{
    static const struct {
        int64_t count;
        int64_t sites;
    } cases[] = {{1, 1},
                 {300, 7},
                 {SEGMENT_PACK_BLOCK, 3},
                 {SEGMENT_PACK_BLOCK + 1, 900},
                 {SEGMENT_ROWS, 20}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct segment_body body;

        build(cases[i].count, cases[i].sites, &body);
        assert_int_equal(body.row_count, cases[i].count);
        assert_int_equal(body.first_seq, 1);
        assert_int_equal(body.last_seq, cases[i].count);
        check_body(&body, cases[i].sites);
        segment_build_deinit(&body);
    }
}

/* Blocks follow each other, none is too long, and a site of many rows shares
 * none. */
static void check_layout(const size_t *sites, size_t count)
{
    struct segment_layout layout = {0};
    size_t row = 0;

    for (size_t i = 0; i < count; i++) {
        segment_layout_add(&layout, sites[i]);
    }
    assert_in_range(layout.block_count, 1, SEGMENT_BLOCKS);
    assert_int_equal(layout.first_rows[0], 0);
    for (size_t i = 0; i < layout.block_count; i++) {
        assert_in_range(segment_layout_rows(&layout, i), 1, SEGMENT_PACK_BLOCK);
    }
    for (size_t i = 0; i < count; row += sites[i++]) {
        size_t first = segment_layout_block(&layout, row);
        size_t last = segment_layout_block(&layout, row + sites[i] - 1);

        if (sites[i] >= SEGMENT_OWN_ROWS) {
            assert_int_equal(layout.first_rows[first], row);
            assert_int_equal(layout.first_rows[last + 1], row + sites[i]);
        } else {
            assert_int_equal(first, last);
        }
    }
    assert_int_equal(layout.first_rows[layout.block_count], row);
    assert_int_equal(segment_layout_rows(&layout, layout.block_count), 0);
}

static void a_site_of_many_rows_has_blocks_of_its_own(void **state)
{
    static size_t sites[SEGMENT_ROWS];
    static const size_t one[] = {SEGMENT_ROWS};
    static const size_t mixed[] = {5, 30000, 8192, 1024, 1023, 8193, 7000, 1};
    size_t count = 0;
    size_t rows = 0;

    (void)state;
    check_layout(one, 1);
    check_layout(mixed, sizeof(mixed) / sizeof(mixed[0]));
    /* As many blocks as there can be: own and shared in turns. */
    while (rows + SEGMENT_OWN_ROWS + 1 <= SEGMENT_ROWS) {
        sites[count++] = 1;
        sites[count++] = SEGMENT_OWN_ROWS;
        rows += SEGMENT_OWN_ROWS + 1;
    }
    sites[count++] = SEGMENT_ROWS - rows;
    check_layout(sites, count);
    for (count = 0; count < SEGMENT_ROWS; count++) {
        sites[count] = 1;
    }
    check_layout(sites, count);
}

static void a_full_segment_takes_no_more(void **state)
{
    struct segment_builder *builder = segment_build_new();
    struct segment_body body;
    struct entry entry;
    char text[96];

    (void)state;
    for (int64_t seq = 1; seq <= SEGMENT_ROWS; seq++) {
        make(seq, 5, &entry, text);
        entry.text[ENTRY_TEXT_PAGE] = text; /* as many values as rows */
        assert_int_equal(segment_build_add(builder, &entry), LB_OK);
    }
    assert_int_equal(segment_build_add(builder, &entry), LB_ELIMIT);
    assert_int_equal(segment_build_finish(builder, &body), LB_OK);
    assert_int_equal(body.row_count, SEGMENT_ROWS);
    segment_build_deinit(&body);
    segment_build_free(builder);
}

static void texts_past_their_limit_are_not_taken(void **state)
{
    struct segment_builder *builder = segment_build_new();
    char *long_text = calloc(1, 65537);
    struct entry entry;
    char text[96];
    enum lb_err rc = LB_OK;
    size_t taken = 0;

    (void)state;
    memset(long_text, 'x', 65536);
    while (rc == LB_OK) {
        make((int64_t)taken + 1, 1, &entry, text);
        (void)snprintf(long_text, 20, "%zu", taken);
        long_text[strlen(long_text)] = '-';
        entry.text[ENTRY_TEXT_PROPS] = long_text;
        rc = segment_build_add(builder, &entry);
        taken += rc == LB_OK ? 1 : 0;
    }
    assert_int_equal(rc, LB_ELIMIT);
    assert_in_range(taken, 100, SEGMENT_BUILD_TEXT_BYTES / 65536);
    assert_int_equal(segment_build_count(builder), taken);
    free(long_text);
    segment_build_free(builder);
}

/* --- damage --------------------------------------------------------------- */

/* Whether any row's content can be read from the column's bytes. */
static enum lb_err read_whole(int column, const char *bytes, size_t len)
{
    static uint16_t codes[SEGMENT_PACK_BLOCK];
    static int64_t numbers[SEGMENT_PACK_BLOCK];
    static const char *ids[SEGMENT_PACK_BLOCK];
    struct segment_packer *packer = segment_pack_new();
    struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
    struct segment_layout layout = {0};
    struct segment_column read;
    const struct segment_bytes stored = {bytes, len};
    enum lb_err rc;

    segment_layout_add(&layout, 300);
    rc = segment_read_column(packer, column, &stored, &layout, arena, &read);
    if (rc == LB_OK && column == SEGMENT_ID) {
        rc = segment_read_ids(packer, &read, &layout, 0, arena, ids);
    } else if (rc == LB_OK && column >= SEGMENT_FIRST_CODED) {
        rc = segment_read_codes(packer, &read, &layout, 0, codes);
    } else if (rc == LB_OK) {
        rc = segment_read_numbers(packer, &read, &layout, 0, numbers, numbers);
    }
    segment_pack_free(packer);
    lb_arena_free(arena);
    return rc;
}

static void a_cut_column_is_damaged(void **state)
{
    struct segment_body body;

    (void)state;
    build(300, 7, &body);
    for (int i = 0; i < SEGMENT_COLUMN_COUNT; i++) {
        assert_int_equal(
            read_whole(i, body.columns[i].data, body.columns[i].len), LB_OK);
        for (size_t len = 0; len < body.columns[i].len; len++) {
            char *bytes = malloc(len + 1); /* a sanitizer watches its end */

            memcpy(bytes, body.columns[i].data, len);
            assert_int_equal(read_whole(i, bytes, len), LB_EFORMAT);
            free(bytes);
        }
    }
    segment_build_deinit(&body);
}

static void a_changed_byte_in_a_frame_is_seen(void **state)
{
    struct segment_body body;
    size_t seen = 0;
    size_t tried = 0;

    (void)state;
    build(300, 7, &body);
    for (int i = 0; i < SEGMENT_COLUMN_COUNT; i++) {
        struct lb_buf *bytes = &body.columns[i];

        for (size_t at = 0; at < bytes->len; at += 3) {
            bytes->data[at] = (char)(bytes->data[at] ^ 0x11);
            tried++;
            seen += read_whole(i, bytes->data, bytes->len) != LB_OK ? 1 : 0;
            bytes->data[at] = (char)(bytes->data[at] ^ 0x11);
        }
    }
    /* zstd's checksum guards content; a few header bytes are not under it. */
    assert_true(tried > 500);
    assert_true(seen * 100 >= tried * 95);
    segment_build_deinit(&body);
}

static void a_damaged_directory_is_refused(void **state)
{
    struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
    struct segment_directory directory;
    struct segment_body body;

    (void)state;
    build(300, 7, &body);
    for (size_t len = 0; len < body.directory.len; len++) {
        assert_int_equal(
            segment_read_directory(body.directory.data, len, arena, &directory),
            LB_EFORMAT);
    }
    body.directory.data[0] = 99; /* another version */
    assert_int_equal(segment_read_directory(body.directory.data,
                                            body.directory.len, arena,
                                            &directory),
                     LB_EFORMAT);
    segment_build_deinit(&body);
    lb_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_any_size_come_back),
        cmocka_unit_test(events_come_back_from_a_segment),
        cmocka_unit_test(a_site_of_many_rows_has_blocks_of_its_own),
        cmocka_unit_test(a_full_segment_takes_no_more),
        cmocka_unit_test(texts_past_their_limit_are_not_taken),
        cmocka_unit_test(a_cut_column_is_damaged),
        cmocka_unit_test(a_changed_byte_in_a_frame_is_seen),
        cmocka_unit_test(a_damaged_directory_is_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
