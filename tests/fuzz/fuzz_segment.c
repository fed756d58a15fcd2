/* fuzz_segment.c - a segment's bytes, whatever they are: read or refused.
 * Input: the column, count of rows (two bytes), the column's bytes; column 27
 * is the directory. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "sql/segment.h"

#define ARENA_BYTES ((size_t)80 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_directory(const char *bytes, size_t len)
{
    struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
    struct segment_directory directory;
    uint64_t rows = 0;

    if (segment_read_directory(bytes, len, arena, &directory) == LB_OK) {
        for (size_t i = 0; i < directory.site_count; i++) {
            const struct segment_site *site = &directory.sites[i];

            if (site->first_row != rows ||
                segment_find_site(&directory, site->site) != site) {
                abort();
            }
            rows += site->row_count;
        }
        if (rows != directory.row_count) {
            abort();
        }
    }
    lb_arena_free(arena);
}

static enum lb_err read_block(struct segment_packer *packer,
                              int column,
                              const struct segment_column *read,
                              const struct segment_layout *layout,
                              size_t block,
                              struct lb_arena *arena)
{
    static uint16_t codes[SEGMENT_PACK_BLOCK];
    static int64_t numbers[SEGMENT_PACK_BLOCK];
    static const char *ids[SEGMENT_PACK_BLOCK];
    enum lb_err rc;

    if (column == SEGMENT_ID) {
        return segment_read_ids(packer, read, layout, block, arena, ids);
    }
    if (column < SEGMENT_FIRST_CODED) {
        return segment_read_numbers(packer, read, layout, block, numbers,
                                    numbers);
    }
    rc = segment_read_codes(packer, read, layout, block, codes);
    for (size_t i = 0; i < segment_layout_rows(layout, block) && rc == LB_OK;
         i++) {
        if (codes[i] >= read->value_count) {
            abort();
        }
    }
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct segment_packer *packer = segment_pack_new();
    struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
    struct segment_layout layout = {0};
    struct segment_column read;
    enum lb_err rc = LB_OK;

    if (size >= 3 &&
        data[0] % (SEGMENT_COLUMN_COUNT + 1) == SEGMENT_COLUMN_COUNT) {
        check_directory((const char *)data + 3, size - 3);
    } else if (size >= 3) {
        int column = data[0] % (SEGMENT_COLUMN_COUNT + 1);
        const struct segment_bytes bytes = {(const char *)data + 3, size - 3};
        size_t rows = (size_t)data[1] | (size_t)data[2] << 8;

        if (rows > 0) {
            segment_layout_add(&layout, rows);
        }
        rc = segment_read_column(packer, column, &bytes, &layout, arena, &read);
        for (size_t block = 0; block < layout.block_count && rc == LB_OK;
             block++) {
            rc = read_block(packer, column, &read, &layout, block, arena);
        }
    }
    segment_pack_free(packer);
    lb_arena_free(arena);
    return 0;
}
