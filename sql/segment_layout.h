/* segment_layout.h - which rows of a segment lie in which block: a site of many
 * rows has blocks of its own, so that a question about one site unpacks no
 * other's; sites of few share blocks.  Follows from the sites' row counts
 * alone.  Pure. */
#ifndef LINKBELL_SQL_SEGMENT_LAYOUT_H
#define LINKBELL_SQL_SEGMENT_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "sql/segment_pack.h"

#define SEGMENT_ROWS 65535 /* codes are 16 bits, one of them "none" */
#define SEGMENT_OWN_ROWS                                                       \
    1024 /* a site of so many rows shares no block with another */
/* Blocks of a site's own have so many rows at least; between two of them, and
 * beside, one may be shared. */
#define SEGMENT_BLOCKS (2 * (SEGMENT_ROWS / SEGMENT_OWN_ROWS) + 2)

/* From zeros. */
struct segment_layout {
    size_t block_count;
    size_t row_count;
    uint32_t first_rows[SEGMENT_BLOCKS + 1]; /* of each block, and the end */
    size_t shared_rows; /* of the last block, when a site may join it; else 0 */
};

/* The next site's rows, at least 1; all together at most SEGMENT_ROWS. */
void segment_layout_add(struct segment_layout *layout, size_t row_count);

size_t segment_layout_rows(const struct segment_layout *layout, size_t block);

/* The block of a row. */
size_t segment_layout_block(const struct segment_layout *layout, size_t row);

#endif
