/* segment_pack.c - blocks of a segment's columns as bytes. */
#include "sql/segment_pack.h"

#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "base/varint.h"

#define LEVEL 3
#define MATCH_BYTES 7
#define HEADER_BYTES 9
#define WIDTH_MASK 15

enum mode {
    MODE_PLAIN = 0, /* the number less the base */
    MODE_STEP = 1,  /* the difference to the number before, zigzag */
    MODE_BESIDE = 2 /* the difference to the number beside it, zigzag */
};

struct segment_packer {
    ZSTD_CCtx *pack;   /* owned; NULL until something is packed */
    ZSTD_DCtx *unpack; /* owned; likewise */
    uint64_t parts[SEGMENT_PACK_BLOCK];
    char planes[SEGMENT_PACK_BLOCK * sizeof(uint64_t)];
    char *packed; /* owned */
    size_t packed_cap;
};

struct segment_packer *segment_pack_new(void)
{
    return calloc(1, sizeof(struct segment_packer));
}

void segment_pack_free(struct segment_packer *packer)
{
    if (packer != NULL) {
        (void)ZSTD_freeCCtx(packer->pack);
        (void)ZSTD_freeDCtx(packer->unpack);
        free(packer->packed);
        free(packer);
    }
}

enum lb_err segment_pack_bytes(struct segment_packer *packer,
                               const char *bytes,
                               size_t len,
                               struct lb_buf *out)
{
    size_t bound = ZSTD_compressBound(len);
    size_t made;

    if (packer->pack == NULL) {
        packer->pack = ZSTD_createCCtx();
        if (packer->pack == NULL) {
            return LB_ENOMEM;
        }
        (void)ZSTD_CCtx_setParameter(packer->pack, ZSTD_c_compressionLevel,
                                     LEVEL);
        (void)ZSTD_CCtx_setParameter(packer->pack, ZSTD_c_checksumFlag, 1);
        /* Codes follow each other at random: matches shorter than this cost
         * more, to store and to read, than their bytes one by one. */
        (void)ZSTD_CCtx_setParameter(packer->pack, ZSTD_c_strategy, ZSTD_fast);
        (void)ZSTD_CCtx_setParameter(packer->pack, ZSTD_c_minMatch,
                                     MATCH_BYTES);
    }
    if (bound > packer->packed_cap) {
        char *packed = realloc(packer->packed, bound);

        if (packed == NULL) {
            return LB_ENOMEM;
        }
        packer->packed = packed;
        packer->packed_cap = bound;
    }
    made = ZSTD_compress2(packer->pack, packer->packed, packer->packed_cap,
                          bytes, len);
    if (ZSTD_isError(made) != 0) {
        return LB_ENOMEM;
    }
    lb_buf_add(out, packer->packed, made);
    return out->is_failed ? LB_ENOMEM : LB_OK;
}

enum lb_err segment_pack_read_bytes(struct segment_packer *packer,
                                    const char *bytes,
                                    size_t len,
                                    char *out,
                                    size_t raw_len)
{
    size_t made;

    if (packer->unpack == NULL) {
        packer->unpack = ZSTD_createDCtx();
        if (packer->unpack == NULL) {
            return LB_ENOMEM;
        }
    }
    made = ZSTD_decompressDCtx(packer->unpack, out, raw_len, bytes, len);
    return ZSTD_isError(made) != 0 || made != raw_len ? LB_EFORMAT : LB_OK;
}

/* --- numbers -------------------------------------------------------------- */

/* a - b of any two numbers, wrapping around. */
static int64_t less(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static void differ(const int64_t *numbers,
                   const int64_t *beside,
                   size_t count,
                   struct segment_packer *packer,
                   enum mode mode,
                   int64_t base)
{
    int64_t before = base;

    for (size_t i = 0; i < count; i++) {
        if (mode == MODE_PLAIN) {
            packer->parts[i] = (uint64_t)less(numbers[i], base);
        } else if (mode == MODE_BESIDE) {
            packer->parts[i] = lb_varint_zigzag(less(numbers[i], beside[i]));
        } else {
            packer->parts[i] = lb_varint_zigzag(less(numbers[i], before));
            before = numbers[i];
        }
    }
}

static unsigned bytes_of(uint64_t value)
{
    unsigned count = 0;

    while (value != 0) {
        value >>= 8;
        count++;
    }
    return count;
}

/* Bytes that all parts take, and how wide the widest is. */
static uint64_t weigh(const uint64_t *parts, size_t count, unsigned *width_out)
{
    uint64_t all = 0;
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        all |= parts[i];
        sum += bytes_of(parts[i]);
    }
    *width_out = bytes_of(all);
    return sum;
}

/* The mode that leaves least. */
static enum mode choose(struct segment_packer *packer,
                        const int64_t *numbers,
                        const int64_t *beside,
                        size_t count,
                        int64_t base)
{
    static const enum mode modes[] = {MODE_PLAIN, MODE_STEP, MODE_BESIDE};
    size_t mode_count = beside == NULL ? 2 : 3;
    enum mode best = MODE_PLAIN;
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < mode_count; i++) {
        unsigned width;
        uint64_t weight;

        differ(numbers, beside, count, packer, modes[i], base);
        weight = weigh(packer->parts, count, &width);
        if (weight < least) {
            least = weight;
            best = modes[i];
        }
    }
    return best;
}

enum lb_err segment_pack_numbers(struct segment_packer *packer,
                                 const int64_t *numbers,
                                 const int64_t *beside,
                                 size_t count,
                                 struct lb_buf *out)
{
    int64_t base = count == 0 ? 0 : numbers[0];
    unsigned width = 0;
    enum mode mode;
    char header[HEADER_BYTES];

    for (size_t i = 1; i < count; i++) {
        base = numbers[i] < base ? numbers[i] : base;
    }
    mode = choose(packer, numbers, beside, count, base);
    differ(numbers, beside, count, packer, mode, base);
    (void)weigh(packer->parts, count, &width);
    header[0] = (char)((unsigned)mode << 4 | width);
    for (unsigned i = 0; i < 8; i++) {
        header[1 + i] = (char)((uint64_t)base >> 8 * i);
    }
    lb_buf_add(out, header, sizeof(header));
    for (unsigned plane = 0; plane < width; plane++) {
        for (size_t i = 0; i < count; i++) {
            packer->planes[plane * count + i] =
                (char)(packer->parts[i] >> 8 * plane);
        }
    }
    if (width == 0) {
        return out->is_failed ? LB_ENOMEM : LB_OK;
    }
    return segment_pack_bytes(packer, packer->planes, count * width, out);
}

static void
join_planes(struct segment_packer *packer, size_t count, unsigned width)
{
    memset(packer->parts, 0, count * sizeof(packer->parts[0]));
    for (unsigned plane = 0; plane < width; plane++) {
        const unsigned char *bytes =
            (const unsigned char *)packer->planes + plane * count;

        for (size_t i = 0; i < count; i++) {
            packer->parts[i] |= (uint64_t)bytes[i] << 8 * plane;
        }
    }
}

enum lb_err segment_pack_read_numbers(struct segment_packer *packer,
                                      const char *bytes,
                                      size_t len,
                                      const int64_t *beside,
                                      size_t count,
                                      int64_t *numbers_out)
{
    unsigned width = len == 0 ? 0 : (unsigned char)bytes[0] & WIDTH_MASK;
    unsigned mode = len == 0 ? 0 : (unsigned char)bytes[0] >> 4;
    uint64_t base = 0;
    int64_t before;
    enum lb_err rc = LB_OK;

    if (len < HEADER_BYTES || width > 8 || mode > MODE_BESIDE ||
        count > SEGMENT_PACK_BLOCK || (mode == MODE_BESIDE && beside == NULL)) {
        return LB_EFORMAT;
    }
    for (unsigned i = 0; i < 8; i++) {
        base |= (uint64_t)(unsigned char)bytes[1 + i] << 8 * i;
    }
    if (width > 0) {
        rc = segment_pack_read_bytes(packer, bytes + HEADER_BYTES,
                                     len - HEADER_BYTES, packer->planes,
                                     count * width);
    }
    if (rc != LB_OK) {
        return rc;
    }
    join_planes(packer, count, width);
    before = (int64_t)base;
    for (size_t i = 0; i < count; i++) {
        if (mode == MODE_PLAIN) {
            numbers_out[i] = (int64_t)(packer->parts[i] + base);
        } else if (mode == MODE_BESIDE) {
            numbers_out[i] =
                plus(beside[i], lb_varint_unzigzag(packer->parts[i]));
        } else {
            before = plus(before, lb_varint_unzigzag(packer->parts[i]));
            numbers_out[i] = before;
        }
    }
    return LB_OK;
}

/* --- codes ---------------------------------------------------------------- */

enum lb_err segment_pack_codes(struct segment_packer *packer,
                               const uint16_t *codes,
                               size_t count,
                               unsigned width,
                               struct lb_buf *out)
{
    for (unsigned plane = 0; plane < width; plane++) {
        for (size_t i = 0; i < count; i++) {
            packer->planes[plane * count + i] = (char)(codes[i] >> 8 * plane);
        }
    }
    return segment_pack_bytes(packer, packer->planes, count * width, out);
}

enum lb_err segment_pack_read_codes(struct segment_packer *packer,
                                    const char *bytes,
                                    size_t len,
                                    size_t count,
                                    unsigned width,
                                    uint16_t *codes_out)
{
    const unsigned char *low = (const unsigned char *)packer->planes;
    const unsigned char *high = low + count;
    enum lb_err rc;

    if (count > SEGMENT_PACK_BLOCK || width < 1 || width > 2) {
        return LB_EFORMAT;
    }
    rc = segment_pack_read_bytes(packer, bytes, len, packer->planes,
                                 count * width);
    if (rc != LB_OK) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        codes_out[i] = low[i];
    }
    for (size_t i = 0; i < count && width == 2; i++) {
        codes_out[i] = (uint16_t)(codes_out[i] | high[i] << 8);
    }
    return LB_OK;
}
