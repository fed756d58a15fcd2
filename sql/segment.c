/* segment.c - reading the format of a segment. */
#include "sql/segment.h"

#include <string.h>

#include "base/varint.h"

#define TEXTS_MAX ((uint64_t)64 * 1024 * 1024) /* of a dictionary, raw */

#define SITE_BITS 63 /* sites share bits of a set, number modulo this */

static const enum entry_text texts_of_columns[] = {
    ENTRY_TEXT_CURRENCY,    ENTRY_TEXT_NAME,     ENTRY_TEXT_HOST,
    ENTRY_TEXT_PAGE,        ENTRY_TEXT_REFERRER, ENTRY_TEXT_UTM_TERM,
    ENTRY_TEXT_UTM_CONTENT, ENTRY_TEXT_CLICK_ID, ENTRY_TEXT_PROPS,
    ENTRY_TEXT_ID};

enum entry_text segment_text_of(int column)
{
    return texts_of_columns[column - SEGMENT_FIRST_TEXT];
}

int segment_column_of(enum entry_text text)
{
    static const enum entry_dict dicts[] = {
        [ENTRY_TEXT_LINK] = ENTRY_DICT_LINK,
        [ENTRY_TEXT_SOURCE] = ENTRY_DICT_SOURCE,
        [ENTRY_TEXT_CHANNEL] = ENTRY_DICT_CHANNEL,
        [ENTRY_TEXT_UTM_SOURCE] = ENTRY_DICT_UTM_SOURCE,
        [ENTRY_TEXT_UTM_MEDIUM] = ENTRY_DICT_UTM_MEDIUM,
        [ENTRY_TEXT_UTM_CAMPAIGN] = ENTRY_DICT_UTM_CAMPAIGN,
        [ENTRY_TEXT_COUNTRY] = ENTRY_DICT_PLACE,
        [ENTRY_TEXT_REGION] = ENTRY_DICT_PLACE,
        [ENTRY_TEXT_CITY] = ENTRY_DICT_PLACE,
        [ENTRY_TEXT_DEVICE] = ENTRY_DICT_DEVICE,
        [ENTRY_TEXT_BROWSER] = ENTRY_DICT_DEVICE,
        [ENTRY_TEXT_BROWSER_VERSION] = ENTRY_DICT_DEVICE,
        [ENTRY_TEXT_OS] = ENTRY_DICT_DEVICE,
        [ENTRY_TEXT_OS_VERSION] = ENTRY_DICT_DEVICE,
        [ENTRY_TEXT_REASON] = ENTRY_DICT_REASON,
        [ENTRY_TEXT_COUNT] = ENTRY_DICT_LINK};

    for (int column = SEGMENT_FIRST_TEXT; column <= SEGMENT_ID; column++) {
        if (segment_text_of(column) == text) {
            return column;
        }
    }
    return SEGMENT_DICT + (int)dicts[text];
}

int64_t segment_site_set(const int64_t *sites, size_t count)
{
    uint64_t set = sites == NULL ? INT64_MAX : 0;

    for (size_t i = 0; sites != NULL && i < count; i++) {
        set |= UINT64_C(1) << (sites[i] % SITE_BITS);
    }
    return (int64_t)set;
}

/* What is left to read; is_damaged once something was missing. */
struct taking {
    const unsigned char *at;
    size_t left;
    bool is_damaged;
};

static uint64_t take_varint(struct taking *taking)
{
    const uint8_t *end = taking->at + taking->left;
    uint64_t value = 0;
    const uint8_t *at = lb_varint_take(taking->at, end, &value);

    taking->is_damaged = taking->is_damaged || at == NULL;
    taking->at = at == NULL ? end : at;
    taking->left = (size_t)(end - taking->at);
    return at == NULL ? 0 : value;
}

static int64_t take_difference(struct taking *taking)
{
    return lb_varint_unzigzag(take_varint(taking));
}

static int64_t sum(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* The sites' rows follow each other and are all that there are. */
static bool take_sites(struct taking *taking,
                       struct segment_directory *directory)
{
    uint64_t rows = 0;
    int64_t site = 0;

    for (size_t i = 0; i < directory->site_count; i++) {
        struct segment_site *one = &directory->sites[i];
        uint64_t step = take_varint(taking);
        uint64_t count = take_varint(taking);
        int64_t first_ms = take_difference(taking);

        if (taking->is_damaged || step == 0 || step > INT32_MAX || count == 0 ||
            count > directory->row_count - rows) {
            return false;
        }
        site += (int64_t)step;
        one->site = site;
        one->first_row = (uint32_t)rows;
        one->row_count = (uint32_t)count;
        one->first_at_ms =
            i == 0 ? first_ms : sum(directory->sites[0].first_at_ms, first_ms);
        one->last_at_ms = sum(one->first_at_ms, take_difference(taking));
        segment_layout_add(&directory->layout, (size_t)count);
        rows += count;
    }
    return !taking->is_damaged && rows == directory->row_count;
}

enum lb_err segment_read_directory(const char *bytes,
                                   size_t len,
                                   struct lb_arena *arena,
                                   struct segment_directory *directory_out)
{
    struct taking taking = {(const unsigned char *)bytes, len, false};
    uint64_t version = take_varint(&taking);
    uint64_t rows = take_varint(&taking);
    uint64_t sites = take_varint(&taking);

    if (taking.is_damaged || version != SEGMENT_VERSION ||
        rows > SEGMENT_ROWS || sites > rows) {
        return LB_EFORMAT;
    }
    memset(directory_out, 0, sizeof(*directory_out));
    directory_out->row_count = (size_t)rows;
    directory_out->site_count = (size_t)sites;
    directory_out->sites =
        lb_arena_calloc(arena, (sites + 1) * sizeof(struct segment_site));
    if (directory_out->sites == NULL) {
        return LB_ENOMEM;
    }
    return take_sites(&taking, directory_out) && taking.left == 0 ? LB_OK
                                                                  : LB_EFORMAT;
}

const struct segment_site *
segment_find_site(const struct segment_directory *directory, int64_t site)
{
    size_t low = 0;
    size_t high = directory->site_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (directory->sites[middle].site < site) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < directory->site_count && directory->sites[low].site == site
               ? &directory->sites[low]
               : NULL;
}

/* --- columns -------------------------------------------------------------- */

static enum lb_err read_number_values(const char *raw,
                                      size_t raw_len,
                                      struct lb_arena *arena,
                                      struct segment_column *column)
{
    int64_t *numbers;

    if (raw_len != column->value_count * sizeof(int64_t)) {
        return LB_EFORMAT;
    }
    numbers = lb_arena_alloc(arena, raw_len + 1);
    if (numbers == NULL) {
        return LB_ENOMEM;
    }
    for (size_t i = 0; i < column->value_count; i++) {
        uint64_t value = 0;

        for (unsigned j = 0; j < 8; j++) {
            value |= (uint64_t)(unsigned char)raw[i * 8 + j] << 8 * j;
        }
        numbers[i] = (int64_t)value;
    }
    column->numbers = numbers;
    return LB_OK;
}

static enum lb_err read_text_values(const char *raw,
                                    size_t raw_len,
                                    struct lb_arena *arena,
                                    struct segment_column *column)
{
    const char **texts =
        lb_arena_alloc(arena, (column->value_count + 1) * sizeof(*texts));
    size_t at = 0;

    if (texts == NULL) {
        return LB_ENOMEM;
    }
    texts[0] = NULL;
    for (size_t i = 1; i < column->value_count; i++) {
        const char *end =
            at < raw_len ? memchr(raw + at, '\0', raw_len - at) : NULL;

        if (end == NULL) {
            return LB_EFORMAT;
        }
        texts[i] = raw + at;
        at = (size_t)(end - raw) + 1;
    }
    column->texts = texts;
    return at == raw_len && column->value_count > 0 ? LB_OK : LB_EFORMAT;
}

static enum lb_err take_dictionary(struct segment_packer *packer,
                                   int name,
                                   struct taking *taking,
                                   struct lb_arena *arena,
                                   struct segment_column *column)
{
    uint64_t raw_len = take_varint(taking);
    uint64_t packed_len = take_varint(taking);
    char *raw;
    enum lb_err rc = LB_OK;

    if (taking->is_damaged || packed_len > taking->left ||
        raw_len > TEXTS_MAX) {
        return LB_EFORMAT;
    }
    raw = lb_arena_alloc(arena, (size_t)raw_len + 1);
    if (raw == NULL) {
        return LB_ENOMEM;
    }
    if (raw_len > 0) {
        rc = segment_pack_read_bytes(packer, (const char *)taking->at,
                                     (size_t)packed_len, raw, (size_t)raw_len);
    }
    taking->at += packed_len;
    taking->left -= (size_t)packed_len;
    if (rc != LB_OK) {
        return rc;
    }
    return name < SEGMENT_FIRST_TEXT
               ? read_number_values(raw, (size_t)raw_len, arena, column)
               : read_text_values(raw, (size_t)raw_len, arena, column);
}

/* The varints of all blocks, then the blocks. */
static enum lb_err take_blocks(struct taking *taking,
                               const struct segment_layout *layout,
                               struct segment_column *column)
{
    size_t count = layout->block_count;
    uint64_t at = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t len = take_varint(taking);

        column->at[i] = (uint32_t)at;
        at += len;
        if (taking->is_damaged || len > UINT32_MAX || at > UINT32_MAX) {
            return LB_EFORMAT;
        }
    }
    column->at[count] = (uint32_t)at;
    column->bytes = (const char *)taking->at;
    return at == taking->left ? LB_OK : LB_EFORMAT;
}

enum lb_err segment_read_column(struct segment_packer *packer,
                                int column,
                                const struct segment_bytes *bytes,
                                const struct segment_layout *layout,
                                struct lb_arena *arena,
                                struct segment_column *column_out)
{
    struct taking taking = {(const unsigned char *)bytes->at, bytes->len,
                            false};
    bool is_coded = column >= SEGMENT_FIRST_CODED && column != SEGMENT_ID;
    enum lb_err rc = LB_OK;

    memset(column_out, 0, sizeof(*column_out));
    if (is_coded) {
        uint64_t width = take_varint(&taking);
        uint64_t count = take_varint(&taking);

        if (taking.is_damaged || width > 2 || count < 1 ||
            count > (uint64_t)SEGMENT_ROWS + 1) {
            return LB_EFORMAT;
        }
        column_out->width = (unsigned)width;
        column_out->value_count = (size_t)count;
        rc = take_dictionary(packer, column, &taking, arena, column_out);
        if (rc != LB_OK || width == 0) {
            return rc == LB_OK && taking.left != 0 ? LB_EFORMAT : rc;
        }
    }
    return take_blocks(&taking, layout, column_out);
}

enum lb_err segment_read_codes(struct segment_packer *packer,
                               const struct segment_column *column,
                               const struct segment_layout *layout,
                               size_t block,
                               uint16_t *codes_out)
{
    size_t count = segment_layout_rows(layout, block);
    unsigned greatest = 0;
    enum lb_err rc;

    if (column->width == 0) {
        uint16_t code = (uint16_t)(column->value_count - 1);

        for (size_t i = 0; i < count; i++) {
            codes_out[i] = code;
        }
        return LB_OK;
    }
    rc = segment_pack_read_codes(packer, column->bytes + column->at[block],
                                 column->at[block + 1] - column->at[block],
                                 count, column->width, codes_out);
    if (rc != LB_OK || column->value_count >> 8 * column->width != 0) {
        return rc; /* any code has a value */
    }
    for (size_t i = 0; i < count; i++) {
        greatest = codes_out[i] > greatest ? codes_out[i] : greatest;
    }
    return greatest >= column->value_count ? LB_EFORMAT : LB_OK;
}

enum lb_err segment_read_numbers(struct segment_packer *packer,
                                 const struct segment_column *column,
                                 const struct segment_layout *layout,
                                 size_t block,
                                 const int64_t *beside,
                                 int64_t *numbers_out)
{
    return segment_pack_read_numbers(packer, column->bytes + column->at[block],
                                     column->at[block + 1] - column->at[block],
                                     beside, segment_layout_rows(layout, block),
                                     numbers_out);
}

enum lb_err segment_read_ids(struct segment_packer *packer,
                             const struct segment_column *column,
                             const struct segment_layout *layout,
                             size_t block,
                             struct lb_arena *arena,
                             const char **ids_out)
{
    struct taking taking = {(const unsigned char *)column->bytes +
                                column->at[block],
                            column->at[block + 1] - column->at[block], false};
    size_t count = segment_layout_rows(layout, block);
    uint64_t raw_len = take_varint(&taking);
    size_t at = 0;
    char *raw;
    enum lb_err rc;

    if (taking.is_damaged || raw_len > TEXTS_MAX) {
        return LB_EFORMAT;
    }
    raw = lb_arena_alloc(arena, (size_t)raw_len + 1);
    if (raw == NULL) {
        return LB_ENOMEM;
    }
    rc = segment_pack_read_bytes(packer, (const char *)taking.at, taking.left,
                                 raw, (size_t)raw_len);
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        const char *end =
            at < raw_len ? memchr(raw + at, '\0', (size_t)raw_len - at) : NULL;

        if (end == NULL) {
            return LB_EFORMAT;
        }
        ids_out[i] = raw + at;
        at = (size_t)(end - raw) + 1;
    }
    return rc == LB_OK && at != raw_len ? LB_EFORMAT : rc;
}
