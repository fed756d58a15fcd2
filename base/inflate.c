/* inflate.c - gzip and zstd. */
#include "base/inflate.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define CHUNK_BYTES ((size_t)64 * 1024)
#define GZIP_WINDOW (15 + 16) /* zlib: largest window, gzip framing */

/* Where a stream's next bytes go: to out, or, when it is full, to one spare
 * byte that tells whether the stream ends there. */
struct piece {
    char *at;
    size_t room;
    bool is_spare;
    char spare;
};

static void begin_piece(struct lb_buf *out, struct piece *piece)
{
    size_t room = out->max - out->len;

    room = room > CHUNK_BYTES ? CHUNK_BYTES : room;
    piece->is_spare = room == 0 || lb_buf_reserve(out, room) != LB_OK;
    piece->at = piece->is_spare ? &piece->spare : out->data + out->len;
    piece->room = piece->is_spare ? 1 : room;
}

/* LB_ELIMIT, LB_ENOMEM: the used bytes of the piece found no room in out. */
static enum lb_err
end_piece(struct lb_buf *out, const struct piece *piece, size_t used)
{
    if (!piece->is_spare) {
        out->len += used;
        return LB_OK;
    }
    if (used == 0) {
        return LB_OK;
    }
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
        struct piece piece;

        if (z == Z_STREAM_END && inflateReset(&stream) != Z_OK) {
            rc = LB_EFORMAT;
            break;
        }
        begin_piece(out, &piece);
        stream.next_out = (Bytef *)piece.at;
        stream.avail_out = (uInt)piece.room;
        z = inflate(&stream, Z_NO_FLUSH);
        rc = end_piece(out, &piece, piece.room - stream.avail_out);
        if (rc == LB_OK && z != Z_OK && z != Z_STREAM_END) {
            rc = z == Z_MEM_ERROR ? LB_ENOMEM : LB_EFORMAT;
        }
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
        struct piece piece;
        ZSTD_outBuffer sink;
        size_t before = in.pos;

        begin_piece(out, &piece);
        sink = (ZSTD_outBuffer){piece.at, piece.room, 0};
        left = ZSTD_decompressStream(stream, &sink, &in);
        rc = end_piece(out, &piece, sink.pos);
        if (ZSTD_isError(left) ||
            (sink.pos == 0 && in.pos == before && left != 0)) {
            rc = LB_EFORMAT; /* damaged, or cut short */
        }
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

enum lb_inflate_kind lb_inflate_guess(const char *bytes, size_t len)
{
    if (len >= 2 && memcmp(bytes, "\x1f\x8b", 2) == 0) {
        return LB_INFLATE_GZIP;
    }
    return len >= 4 && memcmp(bytes, "\x28\xb5\x2f\xfd", 4) == 0
               ? LB_INFLATE_ZSTD
               : LB_INFLATE_NONE;
}

struct lb_inflate_reader {
    enum lb_inflate_kind kind;
    z_stream gzip;
    ZSTD_DStream *zstd; /* owned */
    bool is_whole;      /* at the end of a member or frame */
};

struct lb_inflate_reader *lb_inflate_reader_new(enum lb_inflate_kind kind)
{
    struct lb_inflate_reader *reader = calloc(1, sizeof(*reader));
    bool is_ready = reader != NULL;

    if (is_ready && kind == LB_INFLATE_GZIP) {
        is_ready = inflateInit2(&reader->gzip, GZIP_WINDOW) == Z_OK;
    } else if (is_ready && kind == LB_INFLATE_ZSTD) {
        reader->zstd = ZSTD_createDStream();
        is_ready = reader->zstd != NULL;
    }
    if (!is_ready) {
        free(reader);
        return NULL;
    }
    reader->kind = kind;
    reader->is_whole = true;
    return reader;
}

void lb_inflate_reader_free(struct lb_inflate_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    if (reader->kind == LB_INFLATE_GZIP) {
        (void)inflateEnd(&reader->gzip);
    }
    (void)ZSTD_freeDStream(reader->zstd);
    free(reader);
}

static enum lb_err take_gzip(struct lb_inflate_reader *reader,
                             const char **at,
                             size_t *left,
                             char *room)
{
    z_stream *gzip = &reader->gzip;
    uInt some = *left > CHUNK_BYTES ? (uInt)CHUNK_BYTES : (uInt)*left;
    int z;

    if (reader->is_whole && inflateReset(gzip) != Z_OK) {
        return LB_EFORMAT;
    }
    gzip->next_in = (const Bytef *)*at;
    gzip->avail_in = some;
    gzip->next_out = (Bytef *)room;
    gzip->avail_out = (uInt)CHUNK_BYTES;
    z = inflate(gzip, Z_NO_FLUSH);
    *at += some - gzip->avail_in;
    *left -= some - gzip->avail_in;
    reader->is_whole = z == Z_STREAM_END;
    /* Z_BUF_ERROR: all of the input is used, and more is needed. */
    return z == Z_OK || z == Z_STREAM_END || (z == Z_BUF_ERROR && *left == 0)
               ? LB_OK
               : LB_EFORMAT;
}

static enum lb_err take_zstd(struct lb_inflate_reader *reader,
                             const char **at,
                             size_t *left,
                             ZSTD_outBuffer *out)
{
    ZSTD_inBuffer in = {*at, *left, 0};
    size_t more = ZSTD_decompressStream(reader->zstd, out, &in);

    *at += in.pos;
    *left -= in.pos;
    reader->is_whole = more == 0;
    return ZSTD_isError(more) ? LB_EFORMAT : LB_OK;
}

enum lb_err lb_inflate_reader_take(struct lb_inflate_reader *reader,
                                   const char **at,
                                   size_t *left,
                                   struct lb_buf *out)
{
    ZSTD_outBuffer room;
    enum lb_err rc;

    if (reader->kind == LB_INFLATE_NONE) {
        lb_buf_add(out, *at, *left);
        *at += *left;
        *left = 0;
        return out->is_failed ? LB_ENOMEM : LB_OK;
    }
    if (lb_buf_reserve(out, CHUNK_BYTES) != LB_OK) {
        return LB_ENOMEM;
    }
    room = (ZSTD_outBuffer){out->data + out->len, CHUNK_BYTES, 0};
    if (reader->kind == LB_INFLATE_ZSTD) {
        rc = take_zstd(reader, at, left, &room);
    } else {
        rc = take_gzip(reader, at, left, room.dst);
        room.pos = CHUNK_BYTES - reader->gzip.avail_out;
    }
    out->len += room.pos;
    out->data[out->len] = '\0';
    return rc;
}

bool lb_inflate_reader_is_whole(const struct lb_inflate_reader *reader)
{
    return reader->is_whole;
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
