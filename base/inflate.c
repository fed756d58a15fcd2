/* inflate.c - gzip and zstd. */
#include "base/inflate.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define CHUNK_BYTES ((size_t)64 * 1024)
#define GZIP_WINDOW (15 + 16) /* zlib: largest window, gzip framing */

/* Room for the next chunk, at most what out may still take; 0 when it is full.
 */
static size_t make_room(struct lb_buf *out)
{
    size_t room = out->max - out->len;

    room = room > CHUNK_BYTES ? CHUNK_BYTES : room;
    return room > 0 && lb_buf_reserve(out, room) == LB_OK ? room : 0;
}

static enum lb_err no_room(const struct lb_buf *out)
{
    return out->len >= out->max ? LB_ELIMIT : LB_ENOMEM;
}

static enum lb_err
inflate_gzip(const char *bytes, size_t len, struct lb_buf *out)
{
    z_stream stream = {.next_in = (const Bytef *)bytes, .avail_in = (uInt)len};
    enum lb_err rc = LB_OK;
    int z = Z_OK;

    if (len > UINT32_MAX || inflateInit2(&stream, GZIP_WINDOW) != Z_OK) {
        return LB_ENOMEM;
    }
    while (rc == LB_OK && (z != Z_STREAM_END || stream.avail_in > 0)) {
        size_t room = make_room(out);
        char spare;

        if (z == Z_STREAM_END && inflateReset(&stream) != Z_OK) {
            rc = LB_EFORMAT;
            break;
        }
        /* At the limit one more byte tells whether the stream ends there. */
        stream.next_out = (Bytef *)(room > 0 ? out->data + out->len : &spare);
        stream.avail_out = (uInt)(room > 0 ? room : 1);
        z = inflate(&stream, Z_NO_FLUSH);
        if (room == 0 && stream.avail_out == 0) {
            rc = no_room(out);
        } else if (z != Z_OK && z != Z_STREAM_END) {
            rc = z == Z_MEM_ERROR ? LB_ENOMEM : LB_EFORMAT;
        }
        out->len += room > 0 ? room - stream.avail_out : 0;
    }
    (void)inflateEnd(&stream);
    return rc;
}

static enum lb_err
inflate_zstd(const char *bytes, size_t len, struct lb_buf *out)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {bytes, len, 0};
    enum lb_err rc = stream == NULL ? LB_ENOMEM : LB_OK;
    size_t left = 1;

    while (rc == LB_OK && (left != 0 || in.pos < in.size)) {
        size_t room = make_room(out);
        char spare;
        ZSTD_outBuffer piece = {room > 0 ? out->data + out->len : &spare,
                                room > 0 ? room : 1, 0};
        size_t before = in.pos;

        left = ZSTD_decompressStream(stream, &piece, &in);
        if (ZSTD_isError(left)) {
            rc = LB_EFORMAT;
        } else if (room == 0 && piece.pos > 0) {
            rc = no_room(out);
        } else if (piece.pos == 0 && in.pos == before && left != 0) {
            rc = LB_EFORMAT; /* cut short */
        }
        out->len += room > 0 ? piece.pos : 0;
    }
    (void)ZSTD_freeDStream(stream);
    return rc;
}

enum lb_err lb_inflate(enum lb_inflate_kind kind,
                       const char *bytes,
                       size_t len,
                       struct lb_buf *out)
{
    enum lb_err rc = LB_OK;

    switch (kind) {
    case LB_INFLATE_NONE:
        lb_buf_add(out, bytes, len);
        return out->is_failed ? LB_ELIMIT : LB_OK;
    case LB_INFLATE_GZIP:
        rc = inflate_gzip(bytes, len, out);
        break;
    case LB_INFLATE_ZSTD:
        rc = inflate_zstd(bytes, len, out);
        break;
    }
    if (out->data != NULL) {
        out->data[out->len] = '\0';
    }
    return rc;
}

struct lb_inflate_packer {
    enum lb_inflate_kind kind;
    z_stream gzip;
    ZSTD_CStream *zstd; /* owned */
};

struct lb_inflate_packer *lb_inflate_packer_new(enum lb_inflate_kind kind)
{
    struct lb_inflate_packer *stream = calloc(1, sizeof(*stream));
    bool is_ready = stream != NULL;

    if (is_ready && kind == LB_INFLATE_GZIP) {
        is_ready = deflateInit2(&stream->gzip, 6, Z_DEFLATED, GZIP_WINDOW, 8,
                                Z_DEFAULT_STRATEGY) == Z_OK;
    } else if (is_ready && kind == LB_INFLATE_ZSTD) {
        stream->zstd = ZSTD_createCStream();
        is_ready = stream->zstd != NULL;
    }
    if (!is_ready) {
        free(stream);
        return NULL;
    }
    stream->kind = kind;
    return stream;
}

void lb_inflate_packer_free(struct lb_inflate_packer *stream)
{
    if (stream == NULL) {
        return;
    }
    if (stream->kind == LB_INFLATE_GZIP) {
        (void)deflateEnd(&stream->gzip);
    }
    (void)ZSTD_freeCStream(stream->zstd);
    free(stream);
}

static enum lb_err pack_gzip(z_stream *gzip,
                             const char *bytes,
                             size_t len,
                             bool is_end,
                             struct lb_buf *out)
{
    int z = Z_OK;

    gzip->next_in = (const Bytef *)bytes;
    gzip->avail_in = (uInt)len;
    do {
        if (lb_buf_reserve(out, CHUNK_BYTES) != LB_OK) {
            return LB_ELIMIT;
        }
        gzip->next_out = (Bytef *)out->data + out->len;
        gzip->avail_out = (uInt)CHUNK_BYTES;
        z = deflate(gzip, is_end ? Z_FINISH : Z_NO_FLUSH);
        out->len += CHUNK_BYTES - gzip->avail_out;
    } while (gzip->avail_out == 0 || (is_end && z == Z_OK));
    return z == Z_STREAM_ERROR ? LB_EINTERNAL : LB_OK;
}

static enum lb_err pack_zstd(ZSTD_CStream *zstd,
                             const char *bytes,
                             size_t len,
                             bool is_end,
                             struct lb_buf *out)
{
    ZSTD_inBuffer in = {bytes, len, 0};
    size_t left = 1;

    while (in.pos < in.size || (is_end && left != 0)) {
        ZSTD_outBuffer piece;

        if (lb_buf_reserve(out, CHUNK_BYTES) != LB_OK) {
            return LB_ELIMIT;
        }
        piece = (ZSTD_outBuffer){out->data + out->len, CHUNK_BYTES, 0};
        left = ZSTD_compressStream2(zstd, &piece, &in,
                                    is_end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) {
            return LB_EINTERNAL;
        }
        out->len += piece.pos;
    }
    return LB_OK;
}

enum lb_err lb_inflate_packer_add(struct lb_inflate_packer *stream,
                                  const char *bytes,
                                  size_t len,
                                  bool is_end,
                                  struct lb_buf *out)
{
    switch (stream->kind) {
    case LB_INFLATE_GZIP:
        return pack_gzip(&stream->gzip, bytes, len, is_end, out);
    case LB_INFLATE_ZSTD:
        return pack_zstd(stream->zstd, bytes, len, is_end, out);
    case LB_INFLATE_NONE:
        break;
    }
    lb_buf_add(out, bytes, len);
    return out->is_failed ? LB_ELIMIT : LB_OK;
}
