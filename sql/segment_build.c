/* segment_build.c - a segment out of events. */
#include "sql/segment_build.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/varint.h"

#define COLUMN_BYTES ((size_t)128 * 1024 * 1024)
#define FIRST_SLOTS 256
#define CODED_COUNT (SEGMENT_ID - SEGMENT_FIRST_CODED)
#define NUMBER_COUNT SEGMENT_FIRST_CODED

/* The values of a coded column, numbered as they come. */
struct coder {
    uint32_t *slots; /* owned; a code + 1; 0: free */
    size_t slot_count;
    size_t count;
    size_t cap;
    int64_t *numbers;   /* owned; or */
    const char **texts; /* owned; in the arena */
    uint32_t *uses;     /* owned */
    uint16_t last;      /* the code given last */
};

struct segment_builder {
    struct lb_arena *arena;        /* owned; texts */
    struct segment_packer *packer; /* owned */
    size_t count;
    int64_t *sites;                 /* owned, as all arrays by row */
    int64_t *numbers[NUMBER_COUNT]; /* seq, ts, received, visitor */
    uint16_t *codes[CODED_COUNT];
    const char **ids;
    uint32_t *order; /* of rows in the segment */
    struct segment_layout layout;
    struct coder coders[CODED_COUNT];
    /* One block on its way out. */
    int64_t block_numbers[SEGMENT_PACK_BLOCK];
    int64_t block_beside[SEGMENT_PACK_BLOCK];
    uint16_t block_codes[SEGMENT_PACK_BLOCK];
};

static bool is_text_column(int column)
{
    return column >= SEGMENT_FIRST_TEXT;
}

struct segment_builder *segment_build_new(void)
{
    struct segment_builder *builder = calloc(1, sizeof(*builder));
    bool is_whole;

    if (builder == NULL) {
        return NULL;
    }
    builder->arena = lb_arena_new(SEGMENT_BUILD_TEXT_BYTES);
    builder->packer = segment_pack_new();
    builder->sites = calloc(SEGMENT_ROWS, sizeof(*builder->sites));
    builder->ids = calloc(SEGMENT_ROWS, sizeof(*builder->ids));
    builder->order = calloc(SEGMENT_ROWS, sizeof(*builder->order));
    is_whole = builder->arena != NULL && builder->packer != NULL &&
               builder->sites != NULL && builder->ids != NULL &&
               builder->order != NULL;
    for (int i = 0; i < NUMBER_COUNT; i++) {
        builder->numbers[i] = calloc(SEGMENT_ROWS, sizeof(int64_t));
        is_whole = is_whole && builder->numbers[i] != NULL;
    }
    for (int i = 0; i < CODED_COUNT; i++) {
        builder->codes[i] = calloc(SEGMENT_ROWS, sizeof(uint16_t));
        is_whole = is_whole && builder->codes[i] != NULL;
    }
    if (!is_whole) {
        segment_build_free(builder);
        return NULL;
    }
    return builder;
}

void segment_build_free(struct segment_builder *builder)
{
    if (builder == NULL) {
        return;
    }
    lb_arena_free(builder->arena);
    segment_pack_free(builder->packer);
    free(builder->sites);
    free(builder->ids);
    free(builder->order);
    for (int i = 0; i < NUMBER_COUNT; i++) {
        free(builder->numbers[i]);
    }
    for (int i = 0; i < CODED_COUNT; i++) {
        free(builder->codes[i]);
        free(builder->coders[i].slots);
        free(builder->coders[i].numbers);
        free(builder->coders[i].texts);
        free(builder->coders[i].uses);
    }
    free(builder);
}

size_t segment_build_count(const struct segment_builder *builder)
{
    return builder->count;
}

/* --- values as codes ------------------------------------------------------ */

static uint64_t hash_number(int64_t number)
{
    uint64_t hash = (uint64_t)number * UINT64_C(0x9e3779b97f4a7c15);

    return hash ^ hash >> 32;
}

static uint64_t hash_text(const char *text)
{
    static const uint8_t key[LB_HASH_KEY_BYTES] = {2};

    return lb_hash_sip_fast(key, text, strlen(text));
}

static bool grow_values(struct coder *coder, bool is_text)
{
    size_t cap = coder->cap == 0 ? 64 : coder->cap * 2;
    uint32_t *uses = realloc(coder->uses, cap * sizeof(*uses));
    const char **texts = NULL;
    int64_t *numbers = NULL;

    coder->uses = uses == NULL ? coder->uses : uses;
    if (is_text) {
        texts = realloc(coder->texts, cap * sizeof(*texts));
        coder->texts = texts == NULL ? coder->texts : texts;
    } else {
        numbers = realloc(coder->numbers, cap * sizeof(*numbers));
        coder->numbers = numbers == NULL ? coder->numbers : numbers;
    }
    if (uses == NULL || (texts == NULL && numbers == NULL)) {
        return false;
    }
    coder->cap = cap;
    return true;
}

static uint64_t hash_value(const struct coder *coder, size_t code)
{
    return coder->texts != NULL ? hash_text(coder->texts[code])
                                : hash_number(coder->numbers[code]);
}

static bool grow_slots(struct coder *coder)
{
    size_t count = coder->slot_count == 0 ? FIRST_SLOTS : coder->slot_count * 2;
    uint32_t *slots = calloc(count, sizeof(*slots));

    if (slots == NULL) {
        return false;
    }
    for (size_t code = 0; code < coder->count; code++) {
        size_t at;

        if (coder->texts != NULL && coder->texts[code] == NULL) {
            continue; /* "none" is not looked up */
        }
        at = (size_t)hash_value(coder, code) & (count - 1);
        while (slots[at] != 0) {
            at = (at + 1) & (count - 1);
        }
        slots[at] = (uint32_t)code + 1;
    }
    free(coder->slots);
    coder->slots = slots;
    coder->slot_count = count;
    return true;
}

/* Room for one value more; text columns begin with "none". */
static bool make_room(struct coder *coder, bool is_text)
{
    if (coder->count == coder->cap && !grow_values(coder, is_text)) {
        return false;
    }
    if (is_text && coder->count == 0) {
        coder->texts[0] = NULL;
        coder->uses[0] = 0;
        coder->count = 1;
    }
    return coder->count * 2 < coder->slot_count || grow_slots(coder);
}

static void use_new(struct coder *coder, size_t slot, uint64_t *code_out)
{
    coder->uses[coder->count] = 0;
    coder->slots[slot] = (uint32_t)coder->count + 1;
    *code_out = coder->count++;
}

static enum lb_err
code_number(struct coder *coder, int64_t number, uint16_t *code_out)
{
    uint64_t code = coder->last;
    size_t at;

    if (!make_room(coder, false)) {
        return LB_ENOMEM;
    }
    if (coder->count == 0 || coder->numbers[code] != number) {
        at = (size_t)hash_number(number) & (coder->slot_count - 1);
        while (coder->slots[at] != 0 &&
               coder->numbers[coder->slots[at] - 1] != number) {
            at = (at + 1) & (coder->slot_count - 1);
        }
        if (coder->slots[at] == 0) {
            coder->numbers[coder->count] = number;
            use_new(coder, at, &code);
        } else {
            code = coder->slots[at] - 1;
        }
    }
    coder->last = (uint16_t)code;
    coder->uses[code]++;
    *code_out = (uint16_t)code;
    return LB_OK;
}

static enum lb_err find_text(struct segment_builder *builder,
                             struct coder *coder,
                             const char *text,
                             uint64_t *code_out)
{
    size_t at = (size_t)hash_text(text) & (coder->slot_count - 1);
    const char *copy;

    while (coder->slots[at] != 0 &&
           strcmp(coder->texts[coder->slots[at] - 1], text) != 0) {
        at = (at + 1) & (coder->slot_count - 1);
    }
    if (coder->slots[at] != 0) {
        *code_out = coder->slots[at] - 1;
        return LB_OK;
    }
    copy = lb_arena_text(builder->arena, text, strlen(text));
    if (copy == NULL) {
        return LB_ELIMIT;
    }
    coder->texts[coder->count] = copy;
    use_new(coder, at, code_out);
    return LB_OK;
}

static enum lb_err code_text(struct segment_builder *builder,
                             struct coder *coder,
                             const char *text,
                             uint16_t *code_out)
{
    uint64_t code = coder->last;
    enum lb_err rc = LB_OK;

    if (!make_room(coder, true)) {
        return LB_ENOMEM;
    }
    if (text == NULL) {
        code = 0;
    } else if (code == 0 || strcmp(coder->texts[code], text) != 0) {
        rc = find_text(builder, coder, text, &code);
    }
    if (rc == LB_OK) {
        coder->last = (uint16_t)code;
        coder->uses[code]++;
        *code_out = (uint16_t)code;
    }
    return rc;
}

static int64_t number_of(const struct entry *event, int column)
{
    switch (column) {
    case SEGMENT_BITS:
        return entry_bits(event);
    case SEGMENT_VISITOR_DAY:
        return event->visitor == 0 ? 0 : event->visitor_day;
    case SEGMENT_AMOUNT:
        return event->has_amount ? event->amount_hundredths : SEGMENT_NONE;
    case SEGMENT_BOT_ENTRY:
        return (int64_t)event->bot_entry;
    default:
        return event->dict[column - SEGMENT_DICT];
    }
}

static enum lb_err
code_row(struct segment_builder *builder, const struct entry *event, size_t row)
{
    enum lb_err rc = LB_OK;

    for (int i = 0; i < CODED_COUNT && rc == LB_OK; i++) {
        int column = SEGMENT_FIRST_CODED + i;

        rc = is_text_column(column)
                 ? code_text(builder, &builder->coders[i],
                             event->text[segment_text_of(column)],
                             &builder->codes[i][row])
                 : code_number(&builder->coders[i], number_of(event, column),
                               &builder->codes[i][row]);
    }
    return rc;
}

enum lb_err segment_build_add(struct segment_builder *builder,
                              const struct entry *event)
{
    size_t row = builder->count;
    const char *id = event->text[ENTRY_TEXT_ID];
    enum lb_err rc;

    if (row == SEGMENT_ROWS) {
        return LB_ELIMIT;
    }
    id = lb_arena_text(builder->arena, id == NULL ? "" : id,
                       id == NULL ? 0 : strlen(id));
    if (id == NULL) {
        return LB_ELIMIT;
    }
    rc = code_row(builder, event, row);
    if (rc != LB_OK) {
        return rc; /* values that no row has are in the way of nothing */
    }
    builder->sites[row] = event->site;
    builder->numbers[SEGMENT_SEQ][row] = event->seq;
    builder->numbers[SEGMENT_TS][row] = event->ts_at_ms;
    builder->numbers[SEGMENT_RECEIVED][row] = event->received_at_ms;
    builder->numbers[SEGMENT_VISITOR][row] = event->visitor;
    builder->ids[row] = id;
    builder->count++;
    return LB_OK;
}

/* --- writing -------------------------------------------------------------- */

static int compare_rows(const void *a, const void *b, void *ctx)
{
    const struct segment_builder *builder = ctx;
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    const int64_t *keys[] = {builder->sites, builder->numbers[SEGMENT_TS],
                             builder->numbers[SEGMENT_SEQ]};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (keys[i][left] != keys[i][right]) {
            return keys[i][left] < keys[i][right] ? -1 : 1;
        }
    }
    return 0;
}

/* And says which rows lie in which block. */
static void write_directory(struct segment_builder *builder,
                            struct segment_body *body)
{
    const int64_t *ts = builder->numbers[SEGMENT_TS];
    struct lb_buf *out = &body->directory;
    int64_t first_ms = ts[builder->order[0]];
    size_t site_count = 0;
    int64_t before = 0;

    for (size_t i = 0; i < builder->count; i++) {
        int64_t site = builder->sites[builder->order[i]];

        site_count += i == 0 || site != before ? 1 : 0;
        before = site;
    }
    lb_varint_add(out, SEGMENT_VERSION);
    lb_varint_add(out, builder->count);
    lb_varint_add(out, site_count);
    before = 0;
    memset(&builder->layout, 0, sizeof(builder->layout));
    for (size_t i = 0; i < builder->count;) {
        int64_t site = builder->sites[builder->order[i]];
        int64_t from_ms = ts[builder->order[i]];
        size_t end = i;

        while (end < builder->count &&
               builder->sites[builder->order[end]] == site) {
            end++;
        }
        lb_varint_add(out, (uint64_t)(site - before));
        lb_varint_add(out, end - i);
        segment_layout_add(&builder->layout, end - i);
        lb_varint_add(out,
                      lb_varint_zigzag(i == 0 ? from_ms : from_ms - first_ms));
        lb_varint_add(out,
                      lb_varint_zigzag(ts[builder->order[end - 1]] - from_ms));
        before = site;
        i = end;
    }
}

/* The varints of the blocks' lengths, then the blocks. */
static enum lb_err put_blocks(struct segment_builder *builder,
                              enum lb_err (*put)(struct segment_builder *,
                                                 int column,
                                                 size_t first,
                                                 size_t count,
                                                 struct lb_buf *out),
                              int column,
                              struct lb_buf *out)
{
    struct lb_buf blocks;
    enum lb_err rc = LB_OK;

    lb_buf_init(&blocks, COLUMN_BYTES);
    for (size_t i = 0; i < builder->layout.block_count && rc == LB_OK; i++) {
        size_t before = blocks.len;

        rc = put(builder, column, builder->layout.first_rows[i],
                 segment_layout_rows(&builder->layout, i), &blocks);
        lb_varint_add(out, blocks.len - before);
    }
    lb_buf_add(out, blocks.data, blocks.len);
    rc = rc == LB_OK && (blocks.is_failed || out->is_failed) ? LB_ENOMEM : rc;
    lb_buf_deinit(&blocks);
    return rc;
}

static enum lb_err put_numbers(struct segment_builder *builder,
                               int column,
                               size_t first,
                               size_t count,
                               struct lb_buf *out)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t row = builder->order[first + i];

        builder->block_numbers[i] = builder->numbers[column][row];
        builder->block_beside[i] = builder->numbers[SEGMENT_TS][row];
    }
    return segment_pack_numbers(
        builder->packer, builder->block_numbers,
        column == SEGMENT_RECEIVED ? builder->block_beside : NULL, count, out);
}

static enum lb_err put_ids(struct segment_builder *builder,
                           int column,
                           size_t first,
                           size_t count,
                           struct lb_buf *out)
{
    struct lb_buf raw;
    enum lb_err rc;

    (void)column;
    lb_buf_init(&raw, COLUMN_BYTES);
    for (size_t i = 0; i < count; i++) {
        const char *id = builder->ids[builder->order[first + i]];

        lb_buf_add(&raw, id, strlen(id) + 1);
    }
    lb_varint_add(out, raw.len);
    rc = raw.is_failed
             ? LB_ENOMEM
             : segment_pack_bytes(builder->packer, raw.data, raw.len, out);
    lb_buf_deinit(&raw);
    return rc;
}

static enum lb_err put_codes(struct segment_builder *builder,
                             int column,
                             size_t first,
                             size_t count,
                             struct lb_buf *out)
{
    const struct coder *coder = &builder->coders[column - SEGMENT_FIRST_CODED];
    const uint16_t *codes = builder->codes[column - SEGMENT_FIRST_CODED];

    for (size_t i = 0; i < count; i++) {
        builder->block_codes[i] = codes[builder->order[first + i]];
    }
    return segment_pack_codes(builder->packer, builder->block_codes, count,
                              coder->count > 256 ? 2 : 1, out);
}

static int compare_uses(const void *a, const void *b, void *ctx)
{
    const struct coder *coder = ctx;
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    if (coder->uses[left] != coder->uses[right]) {
        return coder->uses[left] > coder->uses[right] ? -1 : 1;
    }
    return left < right ? -1 : 1;
}

static void
add_value(const struct coder *coder, uint32_t rank, struct lb_buf *raw)
{
    if (coder->texts != NULL) {
        lb_buf_add(raw, coder->texts[rank], strlen(coder->texts[rank]) + 1);
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        lb_buf_add_char(raw, (char)((uint64_t)coder->numbers[rank] >> 8 * i));
    }
}

/* Writes the values in the order of ranks, without the unused. */
static enum lb_err put_values(struct segment_builder *builder,
                              const struct coder *coder,
                              const uint32_t *ranks,
                              size_t count,
                              struct lb_buf *out)
{
    struct lb_buf packed;
    struct lb_buf raw;
    enum lb_err rc = LB_OK;

    lb_buf_init(&raw, COLUMN_BYTES);
    lb_buf_init(&packed, COLUMN_BYTES);
    for (size_t i = coder->texts != NULL ? 1 : 0; i < count; i++) {
        add_value(coder, ranks[i], &raw);
    }
    if (raw.len > 0) {
        rc = segment_pack_bytes(builder->packer, raw.data, raw.len, &packed);
    }
    lb_varint_add(out, raw.len);
    lb_varint_add(out, packed.len);
    lb_buf_add(out, packed.data, packed.len);
    rc = rc == LB_OK && (raw.is_failed || out->is_failed) ? LB_ENOMEM : rc;
    lb_buf_deinit(&raw);
    lb_buf_deinit(&packed);
    return rc;
}

/* Frequent values get small codes: the upper byte is then mostly 0.  Text
 * columns keep 0 for "none". */
static size_t rank_values(struct coder *coder, uint32_t *ranks, uint16_t *codes)
{
    size_t first = coder->texts != NULL ? 1 : 0;
    size_t count = first;

    for (size_t i = 0; i < coder->count; i++) {
        ranks[i] = (uint32_t)i;
    }
    qsort_r(ranks + first, coder->count - first, sizeof(*ranks), compare_uses,
            coder);
    while (count < coder->count && coder->uses[ranks[count]] > 0) {
        count++;
    }
    for (size_t i = 0; i < coder->count; i++) {
        codes[ranks[i]] = (uint16_t)i;
    }
    return count;
}

static enum lb_err
put_coded(struct segment_builder *builder, int column, struct lb_buf *out)
{
    struct coder *coder = &builder->coders[column - SEGMENT_FIRST_CODED];
    uint16_t *codes = builder->codes[column - SEGMENT_FIRST_CODED];
    uint32_t *ranks = calloc(coder->count + 1, sizeof(*ranks));
    uint16_t *by_code = calloc(coder->count + 1, sizeof(*by_code));
    enum lb_err rc = ranks == NULL || by_code == NULL ? LB_ENOMEM : LB_OK;
    size_t count = 0;
    bool is_one = false;

    if (rc == LB_OK) {
        count = rank_values(coder, ranks, by_code);
        is_one = coder->texts == NULL
                     ? count == 1
                     : count == 1 || (count == 2 && coder->uses[0] == 0);
        lb_varint_add(out, is_one ? 0 : count > 256 ? 2 : 1);
        lb_varint_add(out, count);
        rc = put_values(builder, coder, ranks, count, out);
    }
    for (size_t i = 0; i < builder->count && rc == LB_OK; i++) {
        codes[i] = by_code[codes[i]];
    }
    coder->count = count;
    if (rc == LB_OK && !is_one) {
        rc = put_blocks(builder, put_codes, column, out);
    }
    free(ranks);
    free(by_code);
    return rc;
}

static void note_bounds(const struct segment_builder *builder,
                        struct segment_body *body)
{
    body->row_count = builder->count;
    for (size_t i = 0; i < builder->count; i++) {
        int64_t seq = builder->numbers[SEGMENT_SEQ][i];
        int64_t ts_ms = builder->numbers[SEGMENT_TS][i];

        body->site_set |= segment_site_set(&builder->sites[i], 1);
        body->first_seq =
            i == 0 || seq < body->first_seq ? seq : body->first_seq;
        body->last_seq = seq > body->last_seq ? seq : body->last_seq;
        body->first_at_ms =
            i == 0 || ts_ms < body->first_at_ms ? ts_ms : body->first_at_ms;
        body->last_at_ms =
            i == 0 || ts_ms > body->last_at_ms ? ts_ms : body->last_at_ms;
    }
}

enum lb_err segment_build_finish(struct segment_builder *builder,
                                 struct segment_body *body_out)
{
    enum lb_err rc = LB_OK;

    memset(body_out, 0, sizeof(*body_out));
    lb_buf_init(&body_out->directory, COLUMN_BYTES);
    for (int i = 0; i < SEGMENT_COLUMN_COUNT; i++) {
        lb_buf_init(&body_out->columns[i], COLUMN_BYTES);
    }
    for (size_t i = 0; i < builder->count; i++) {
        builder->order[i] = (uint32_t)i;
    }
    qsort_r(builder->order, builder->count, sizeof(*builder->order),
            compare_rows, builder);
    note_bounds(builder, body_out);
    write_directory(builder, body_out);
    for (int i = 0; i < SEGMENT_COLUMN_COUNT && rc == LB_OK; i++) {
        struct lb_buf *out = &body_out->columns[i];

        if (i < SEGMENT_FIRST_CODED) {
            rc = put_blocks(builder, put_numbers, i, out);
        } else {
            rc = i == SEGMENT_ID ? put_blocks(builder, put_ids, i, out)
                                 : put_coded(builder, i, out);
        }
    }
    return rc == LB_OK && body_out->directory.is_failed ? LB_ENOMEM : rc;
}

void segment_build_deinit(struct segment_body *body)
{
    lb_buf_deinit(&body->directory);
    for (int i = 0; i < SEGMENT_COLUMN_COUNT; i++) {
        lb_buf_deinit(&body->columns[i]);
    }
}
