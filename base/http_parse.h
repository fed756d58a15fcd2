/* http_parse.h - HTTP/1.1 requests (RFC 9112), strictly: what two readers might
 * understand differently is refused.  Pure and incremental: bytes may come one
 * by one, the verdict is the same. */
#ifndef LINKBELL_BASE_HTTP_PARSE_H
#define LINKBELL_BASE_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define LB_HTTP_PARSE_FIELDS 256     /* no setting allows more */
#define LB_HTTP_PARSE_EXTENSION 256  /* bytes of a chunk's extension */
#define LB_HTTP_PARSE_SIZE_DIGITS 16 /* of a chunk's size */

/* Line ends count for the fields, but neither for the request line nor for the
 * empty line that ends the head.  Empty lines before a request count as parts
 * of its line. */
struct lb_http_parse_limits {
    size_t request_line_bytes;
    size_t header_bytes; /* all fields together; of the trailers likewise */
    size_t header_count; /* at most LB_HTTP_PARSE_FIELDS */
};

enum lb_http_parse_result {
    LB_HTTP_PARSE_MORE, /* incomplete so far */
    LB_HTTP_PARSE_DONE,
    LB_HTTP_PARSE_BAD /* status and reason say why; the connection must close */
};

/* A piece of the message: where and how long. */
struct lb_http_parse_piece {
    uint32_t at;
    uint32_t len;
};

struct lb_http_parse_field {
    struct lb_http_parse_piece name;
    struct lb_http_parse_piece value; /* without white space around */
};

/* One request's line and header fields. */
struct lb_http_parse {
    struct lb_http_parse_limits limits;
    /* The verdict. */
    int status;         /* of BAD: 400, 414, 431 */
    const char *reason; /* of BAD: static sentence */
    const char *limit;  /* of BAD: the setting that was passed; NULL: none */
    size_t head_bytes;  /* of DONE: where the body begins */
    /* Of DONE. */
    struct lb_http_parse_piece method;
    struct lb_http_parse_piece
        target;                      /* path and query, of a URL too; or "*" */
    struct lb_http_parse_piece host; /* of the target if absolute, else Host */
    unsigned minor_version;          /* 0 or 1 */
    bool has_length;
    bool is_chunked;
    bool is_keep_alive;
    bool has_expect;
    bool is_expect_continue;
    int64_t content_length;
    size_t field_count; /* of fields, below */
    /* The parser's. */
    size_t line_at;
    size_t scan_at;
    size_t fields_at;
    unsigned host_count;
    bool has_request_line;
    bool has_absolute_host;
    bool has_close;
    struct lb_http_parse_field
        fields[LB_HTTP_PARSE_FIELDS]; /* last: not cleared */
};

void lb_http_parse_init(struct lb_http_parse *parse,
                        const struct lb_http_parse_limits *limits);

/* bytes is the message from its first byte, len what is there by now. */
enum lb_http_parse_result
lb_http_parse_head(struct lb_http_parse *parse, const char *bytes, size_t len);

/* A chunked body. */
struct lb_http_parse_chunked {
    size_t trailer_bytes_max;
    /* The verdict, as of the head. */
    int status;
    const char *reason;
    const char *limit;
    /* The parser's. */
    int state;
    unsigned digits;
    uint64_t left;
    size_t extension_bytes;
    size_t trailer_bytes;
};

void lb_http_parse_chunked_init(struct lb_http_parse_chunked *chunked,
                                const struct lb_http_parse_limits *limits);

/* Takes *consumed_out bytes, at most len, and appends data to body (whose
 * maximum is the caller's limit: body->is_failed tells that it was passed, or
 * would be by the chunk that begins). */
enum lb_http_parse_result
lb_http_parse_chunked_feed(struct lb_http_parse_chunked *chunked,
                           const char *bytes,
                           size_t len,
                           size_t *consumed_out,
                           struct lb_buf *body);

#endif
