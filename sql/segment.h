/* segment.h - the format of a segment: up to 65,535 events of a range of log
 * numbers, sorted by site, ts and log number, column by column in blocks of at
 * most 8,192 rows (segment_layout.h).  Version 1:
 *
 * Directory: version, count of rows, count of sites; for each site, ascending,
 * its number (difference), count of rows, first ts (the first site's as it is,
 * else the difference to that), last ts (difference to the first).  All are
 * LEB128 varints, differences of times zigzag.
 *
 * Column: a varint each of width (bytes a code, 0 where all rows have one
 * value; columns that are not coded: 0), count of values and raw and packed
 * bytes of the dictionary; the dictionary's zstd frame; then for each block the
 * varint of its bytes, and the blocks (segment_pack.h).  The dictionary holds
 * numbers as 8 bytes each, little-endian, or texts that end in NUL; code 0 of
 * texts is "none" and stands in no dictionary.  A block of ids is the varint of
 * its raw bytes and the frame of texts that end in NUL.
 *
 * Pure. */
#ifndef LINKBELL_SQL_SEGMENT_H
#define LINKBELL_SQL_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "sql/entry.h"
#include "sql/segment_layout.h"
#include "sql/segment_pack.h"

#define SEGMENT_VERSION 1
#define SEGMENT_NONE INT64_MIN /* an event without an amount */

/* Stored numbers: never renumber. */
enum segment_column_name {
    /* Numbers. */
    SEGMENT_SEQ = 0,
    SEGMENT_TS = 1,
    SEGMENT_RECEIVED = 2,
    SEGMENT_VISITOR = 3,
    /* Coded numbers. */
    SEGMENT_BITS = 4,
    SEGMENT_VISITOR_DAY = 5,
    SEGMENT_AMOUNT = 6,
    SEGMENT_BOT_ENTRY = 7,
    SEGMENT_DICT = 8, /* and on: the numbers of entry->dict */
    /* Coded texts. */
    SEGMENT_CURRENCY = 17,
    SEGMENT_NAME = 18,
    SEGMENT_HOST = 19,
    SEGMENT_PAGE = 20,
    SEGMENT_REFERRER = 21,
    SEGMENT_UTM_TERM = 22,
    SEGMENT_UTM_CONTENT = 23,
    SEGMENT_CLICK_ID = 24,
    SEGMENT_PROPS = 25,
    /* Texts. */
    SEGMENT_ID = 26,
    SEGMENT_COLUMN_COUNT = 27
};
#define SEGMENT_FIRST_CODED SEGMENT_BITS
#define SEGMENT_FIRST_TEXT SEGMENT_CURRENCY

/* Which text of an entry a column of texts holds; and in which column a text
 * lies, as such or as a number of the dictionary. */
enum entry_text segment_text_of(int column);
int segment_column_of(enum entry_text text);

struct segment_site {
    int64_t site;
    uint32_t first_row;
    uint32_t row_count;
    int64_t first_at_ms;
    int64_t last_at_ms;
};

struct segment_directory {
    size_t row_count;
    struct segment_site *sites; /* in the arena; by number */
    size_t site_count;
    struct segment_layout layout;
};

/* A column, read but for its blocks. */
struct segment_column {
    unsigned width;
    size_t value_count;       /* of the dictionary */
    const int64_t *numbers;   /* in the arena; of coded numbers, by code */
    const char *const *texts; /* in the arena; of texts, by code; NULL: none */
    const char *bytes;        /* borrowed */
    uint32_t at[SEGMENT_BLOCKS + 1]; /* of each block, and the end */
};

/* A set of site numbers modulo 63, as blocks and segments carry it; sites NULL:
 * all. */
int64_t segment_site_set(const int64_t *sites, size_t count);

/* LB_EFORMAT: damaged or of another version; LB_ENOMEM: arena is full. */
LB_MUST_CHECK enum lb_err
segment_read_directory(const char *bytes,
                       size_t len,
                       struct lb_arena *arena,
                       struct segment_directory *directory_out);

/* The site of number, NULL when the segment has none of its events. */
const struct segment_site *
segment_find_site(const struct segment_directory *directory, int64_t site);

/* Bytes as they are stored. */
struct segment_bytes {
    const char *at;
    size_t len;
};

/* The bytes must stay as long as column_out. */
LB_MUST_CHECK enum lb_err
segment_read_column(struct segment_packer *packer,
                    int column,
                    const struct segment_bytes *bytes,
                    const struct segment_layout *layout,
                    struct lb_arena *arena,
                    struct segment_column *column_out);

/* A block's codes (all below value_count), numbers or ids. */
LB_MUST_CHECK enum lb_err
segment_read_codes(struct segment_packer *packer,
                   const struct segment_column *column,
                   const struct segment_layout *layout,
                   size_t block,
                   uint16_t *codes_out);
LB_MUST_CHECK enum lb_err
segment_read_numbers(struct segment_packer *packer,
                     const struct segment_column *column,
                     const struct segment_layout *layout,
                     size_t block,
                     const int64_t *beside,
                     int64_t *numbers_out);
/* ids_out point into the arena. */
LB_MUST_CHECK enum lb_err segment_read_ids(struct segment_packer *packer,
                                           const struct segment_column *column,
                                           const struct segment_layout *layout,
                                           size_t block,
                                           struct lb_arena *arena,
                                           const char **ids_out);

#endif
