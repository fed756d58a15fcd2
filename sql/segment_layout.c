/* segment_layout.c - which rows of a segment lie in which block. */
#include "sql/segment_layout.h"

static void add_block(struct segment_layout *layout, size_t row_count)
{
    layout->row_count += row_count;
    layout->first_rows[++layout->block_count] = (uint32_t)layout->row_count;
}

void segment_layout_add(struct segment_layout *layout, size_t row_count)
{
    size_t count = (row_count + SEGMENT_PACK_BLOCK - 1) / SEGMENT_PACK_BLOCK;

    if (row_count >= SEGMENT_OWN_ROWS) {
        /* Of one size, but for a row. */
        for (size_t i = 0; i < count; i++) {
            add_block(layout,
                      row_count * (i + 1) / count - row_count * i / count);
        }
        layout->shared_rows = 0;
    } else if (layout->shared_rows > 0 &&
               layout->shared_rows + row_count <= SEGMENT_PACK_BLOCK) {
        layout->row_count += row_count;
        layout->first_rows[layout->block_count] = (uint32_t)layout->row_count;
        layout->shared_rows += row_count;
    } else {
        add_block(layout, row_count);
        layout->shared_rows = row_count;
    }
}

size_t segment_layout_rows(const struct segment_layout *layout, size_t block)
{
    return block < layout->block_count
               ? layout->first_rows[block + 1] - layout->first_rows[block]
               : 0;
}

size_t segment_layout_block(const struct segment_layout *layout, size_t row)
{
    size_t low = 0;
    size_t high = layout->block_count;

    while (low + 1 < high) {
        size_t middle = (low + high) / 2;

        if (layout->first_rows[middle] <= row) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}
