/* day_pack.c - BLOBs of counted days as they are stored. */
#include "aggregate/day_pack.h"

#include <stdlib.h>

#include <zstd.h>

#include "aggregate/day.h"

#define MARK 2 /* where a body that is not packed has its version, 1 */
#define HEAD_BYTES 5
#define LEVEL 6

struct day_pack {
    ZSTD_CCtx *pack;   /* owned; NULL until something is packed */
    ZSTD_DCtx *unpack; /* owned; likewise */
    struct lb_buf packed;
    struct lb_buf room;
};

struct day_pack *day_pack_new(void)
{
    struct day_pack *pack = calloc(1, sizeof(*pack));

    if (pack != NULL) {
        lb_buf_init(&pack->packed, ZSTD_compressBound(DAY_BLOB_BYTES) + 64);
        lb_buf_init(&pack->room, DAY_BLOB_BYTES + 1);
    }
    return pack;
}

void day_pack_free(struct day_pack *pack)
{
    if (pack != NULL) {
        (void)ZSTD_freeCCtx(pack->pack);
        (void)ZSTD_freeDCtx(pack->unpack);
        lb_buf_deinit(&pack->packed);
        lb_buf_deinit(&pack->room);
        free(pack);
    }
}

enum lb_err day_pack_body(struct day_pack *pack, struct lb_buf *body)
{
    size_t bound = ZSTD_compressBound(body->len);
    size_t made;

    if (body->len < DAY_PACK_BYTES) {
        return LB_OK;
    }
    if (pack->pack == NULL) {
        pack->pack = ZSTD_createCCtx();
    }
    lb_buf_clear(&pack->packed);
    if (pack->pack == NULL || lb_buf_reserve(&pack->packed, bound) != LB_OK) {
        return LB_ENOMEM;
    }
    made = ZSTD_compressCCtx(pack->pack, pack->packed.data, bound, body->data,
                             body->len, LEVEL);
    if (ZSTD_isError(made) != 0 || made + HEAD_BYTES >= body->len) {
        return LB_OK; /* as it was */
    }
    for (unsigned i = 1; i < HEAD_BYTES; i++) {
        body->data[i] = (char)(body->len >> 8 * (i - 1));
    }
    body->data[0] = MARK;
    body->len = HEAD_BYTES;
    lb_buf_add(body, pack->packed.data, made);
    return body->is_failed ? LB_ENOMEM : LB_OK;
}

enum lb_err day_pack_read(struct day_pack *pack,
                          const void *bytes,
                          size_t len,
                          const void **body_out,
                          size_t *len_out)
{
    const unsigned char *at = bytes;
    struct lb_buf *out = &pack->room;
    size_t raw_len = 0;
    size_t made;

    *body_out = bytes;
    *len_out = len;
    if (len < HEAD_BYTES || at[0] != MARK) {
        return LB_OK;
    }
    for (unsigned i = 1; i < HEAD_BYTES; i++) {
        raw_len |= (size_t)at[i] << 8 * (i - 1);
    }
    if (raw_len > DAY_BLOB_BYTES) {
        return LB_EFORMAT;
    }
    if (pack->unpack == NULL) {
        pack->unpack = ZSTD_createDCtx();
    }
    lb_buf_clear(out);
    if (pack->unpack == NULL || lb_buf_reserve(out, raw_len + 1) != LB_OK) {
        return LB_ENOMEM;
    }
    made = ZSTD_decompressDCtx(pack->unpack, out->data, raw_len,
                               at + HEAD_BYTES, len - HEAD_BYTES);
    if (ZSTD_isError(made) != 0 || made != raw_len) {
        return LB_EFORMAT;
    }
    *body_out = out->data;
    *len_out = raw_len;
    return LB_OK;
}
