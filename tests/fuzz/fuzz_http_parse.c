/* fuzz_http_parse.c - a connection's bytes as requests, whole and in pieces:
 * the verdicts, the parts of the heads and the bodies are the same, and no byte
 * past those given is looked at (each piece has memory of its own size). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_parse.h"

#define BODY_BYTES 4096
#define EACH_SPLIT_BYTES 200 /* inputs up to it are cut at every place */
#define EACH_BYTE_BYTES 1500 /* and up to it into single bytes */
#define RANDOM_ROUNDS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct lb_http_parse_limits limits = {256, 1024, 20};

enum state { HEAD, LENGTH, CHUNKED, CLOSED };

/* What is to be the same however the bytes come. */
struct verdict {
    uint64_t digest; /* of heads and bodies */
    uint64_t requests;
    int64_t status; /* of the last one; 0: nothing to say so far */
    const char *reason;
    const char *limit;
    int64_t state;
};

struct reader {
    struct verdict verdict;
    struct lb_http_parse head;
    struct lb_http_parse_chunked chunked;
    int64_t left; /* of a body with a length */
    struct lb_buf body;
};

static void check(bool is_right)
{
    if (!is_right) {
        abort();
    }
}

static void digest(struct reader *reader, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < len; i++) {
        reader->verdict.digest =
            (reader->verdict.digest ^ at[i]) * UINT64_C(0x100000001b3);
    }
}

static void digest_piece(struct reader *reader,
                         const char *bytes,
                         const struct lb_http_parse_piece *piece)
{
    check(piece->at <= reader->head.head_bytes &&
          piece->len <= reader->head.head_bytes - piece->at);
    digest(reader, &piece->len, sizeof(piece->len));
    digest(reader, bytes + piece->at, piece->len);
}

static void
end_with(struct reader *reader, int status, const char *reason, const char *lim)
{
    check(reason != NULL && status >= 400 && status < 500);
    reader->verdict.state = CLOSED;
    reader->verdict.status = status;
    reader->verdict.reason = reason;
    reader->verdict.limit = lim;
}

static void take_head(struct reader *reader, const char *bytes, size_t len)
{
    const struct lb_http_parse *head = &reader->head;
    bool flags[] = {head->has_length, head->is_chunked, head->is_keep_alive,
                    head->has_expect, head->is_expect_continue};

    check(head->head_bytes <= len && head->method.len > 0);
    check(head->field_count <= limits.header_count);
    check(!head->has_length || !head->is_chunked);
    check(head->has_length || head->content_length == 0);
    check(head->content_length >= 0 && head->minor_version <= 1);
    digest_piece(reader, bytes, &head->method);
    digest_piece(reader, bytes, &head->target);
    digest_piece(reader, bytes, &head->host);
    for (size_t i = 0; i < head->field_count; i++) {
        check(head->fields[i].name.len > 0);
        digest_piece(reader, bytes, &head->fields[i].name);
        digest_piece(reader, bytes, &head->fields[i].value);
    }
    digest(reader, flags, sizeof(flags));
    digest(reader, &head->minor_version, sizeof(head->minor_version));
    reader->left = head->content_length;
    reader->verdict.state = head->is_chunked    ? CHUNKED
                            : reader->left == 0 ? HEAD
                                                : LENGTH;
    reader->verdict.requests += reader->verdict.state == HEAD ? 1 : 0;
    lb_http_parse_chunked_init(&reader->chunked, &limits);
    lb_buf_clear(&reader->body);
}

static size_t read_head(struct reader *reader, const char *bytes, size_t len)
{
    switch (lb_http_parse_head(&reader->head, bytes, len)) {
    case LB_HTTP_PARSE_MORE:
        return 0;
    case LB_HTTP_PARSE_BAD:
        end_with(reader, reader->head.status, reader->head.reason,
                 reader->head.limit);
        return 0;
    case LB_HTTP_PARSE_DONE:
        break;
    }
    take_head(reader, bytes, len);
    len = reader->head.head_bytes;
    lb_http_parse_init(&reader->head, &limits);
    return len;
}

static size_t read_length(struct reader *reader, const char *bytes, size_t len)
{
    len = (uint64_t)reader->left < len ? (size_t)reader->left : len;
    digest(reader, bytes, len);
    reader->left -= (int64_t)len;
    if (reader->left == 0) {
        reader->verdict.state = HEAD;
        reader->verdict.requests++;
    }
    return len;
}

static size_t read_chunked(struct reader *reader, const char *bytes, size_t len)
{
    size_t used = len + 1;
    enum lb_http_parse_result result = lb_http_parse_chunked_feed(
        &reader->chunked, bytes, len, &used, &reader->body);

    check(used <= len && reader->body.len <= BODY_BYTES);
    if (result == LB_HTTP_PARSE_BAD) {
        end_with(reader, reader->chunked.status, reader->chunked.reason,
                 reader->chunked.limit);
    } else if (reader->body.is_failed) {
        end_with(reader, 413, "too large", "body_bytes");
    } else if (result == LB_HTTP_PARSE_DONE) {
        digest(reader, lb_buf_text(&reader->body), reader->body.len);
        digest(reader, &reader->body.len, sizeof(reader->body.len));
        reader->verdict.state = HEAD;
        reader->verdict.requests++;
    } else {
        check(used == len);
    }
    return used;
}

/* Reads what it can of the bytes that are there by now; how much was that. */
static size_t read_some(struct reader *reader, const char *bytes, size_t len)
{
    size_t at = 0;
    size_t used = 1;

    while (at < len && used > 0 && reader->verdict.state != CLOSED) {
        used = reader->verdict.state == HEAD
                   ? read_head(reader, bytes + at, len - at)
               : reader->verdict.state == LENGTH
                   ? read_length(reader, bytes + at, len - at)
                   : read_chunked(reader, bytes + at, len - at);
        at += used;
    }
    return at;
}

/* Reads in pieces; ends are where they end, size the last one. */
static struct verdict
read_pieces(const uint8_t *data, const size_t *ends, size_t count)
{
    static struct reader reader;
    size_t begin = 0;

    memset(&reader.verdict, 0, sizeof(reader.verdict));
    lb_http_parse_init(&reader.head, &limits);
    lb_buf_init(&reader.body, BODY_BYTES);
    for (size_t i = 0; i < count && reader.verdict.state != CLOSED; i++) {
        size_t len = ends[i] - begin;
        char *own = malloc(len == 0 ? 1 : len);

        if (own == NULL) {
            break;
        }
        memcpy(own, data + begin, len);
        begin += read_some(&reader, own, len);
        free(own);
    }
    lb_buf_deinit(&reader.body);
    return reader.verdict;
}

static void compare(const struct verdict *whole,
                    const uint8_t *data,
                    size_t *ends,
                    size_t n)
{
    struct verdict verdict = read_pieces(data, ends, n);

    check(memcmp(whole, &verdict, sizeof(verdict)) == 0);
}

/* Ends of pieces of 1 to about most bytes, made from the state. */
static size_t
cut(size_t size, size_t most, uint64_t *state, size_t ends[EACH_BYTE_BYTES])
{
    size_t count = 0;
    size_t at = 0;

    while (at < size && count < EACH_BYTE_BYTES - 1) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        at += 1 + *state % most;
        ends[count++] = at < size ? at : size;
    }
    if (at < size) {
        ends[count++] = size;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static size_t ends[EACH_BYTE_BYTES];
    struct verdict whole = read_pieces(data, &size, 1);
    uint64_t state = UINT64_C(0x9e3779b97f4a7c15) ^ whole.digest ^ size;

    for (size_t at = 1; at < size && size <= EACH_SPLIT_BYTES; at++) {
        ends[0] = at;
        ends[1] = size;
        compare(&whole, data, ends, 2);
    }
    if (size <= EACH_BYTE_BYTES) {
        compare(&whole, data, ends, cut(size, 1, &state, ends));
    }
    for (size_t round = 0; round < RANDOM_ROUNDS; round++) {
        size_t most = (size_t)2 << (4 * round);

        compare(&whole, data, ends, cut(size, most, &state, ends));
    }
    return 0;
}
