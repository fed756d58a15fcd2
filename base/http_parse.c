/* http_parse.c - HTTP/1.1 requests, strictly. */
#include "base/http_parse.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

enum {
    CLASS_TOKEN = 1,  /* RFC 9110, 5.6.2 */
    CLASS_TARGET = 2, /* what may stand in a request target */
    CLASS_VALUE = 4   /* in a field's value */
};

/* The sum of the classes that each octet belongs to. */
static const unsigned char classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 4, 7, 4, 5, 7, 7, 7, 7, 6, 6, 7, 7, 6, 7, 7, 6,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 4, 6, 4, 6, 6, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 6, 7, 6, 7, 0, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4};

static bool is_class(char c, unsigned char class)
{
    return (classes[(unsigned char)c] & class) != 0;
}

void lb_http_parse_init(struct lb_http_parse *parse,
                        const struct lb_http_parse_limits *limits)
{
    memset(parse, 0, offsetof(struct lb_http_parse, fields));
    parse->limits = *limits;
}

static enum lb_http_parse_result
bad(struct lb_http_parse *parse, int status, const char *reason)
{
    parse->status = status;
    parse->reason = reason;
    return LB_HTTP_PARSE_BAD;
}

static enum lb_http_parse_result bad_limit(struct lb_http_parse *parse,
                                           int status,
                                           const char *limit,
                                           const char *reason)
{
    parse->limit = limit;
    return bad(parse, status, reason);
}

static struct lb_http_parse_piece
piece(const char *bytes, const char *from, const char *to)
{
    return (struct lb_http_parse_piece){(uint32_t)(from - bytes),
                                        (uint32_t)(to - from)};
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_word(const char *at, const char *end, const char *word)
{
    return (size_t)(end - at) == strlen(word) &&
           strncasecmp(at, word, strlen(word)) == 0;
}

/* Every escape is %XX and none is %00. */
static bool has_good_escapes(const char *at, const char *end)
{
    for (; at < end; at++) {
        if (*at != '%') {
            continue;
        }
        if (end - at < 3 || lb_text_hex(at[1]) < 0 || lb_text_hex(at[2]) < 0 ||
            (at[1] == '0' && at[2] == '0')) {
            return false;
        }
        at += 2;
    }
    return true;
}

static bool is_host(const char *at, const char *end)
{
    for (; at < end; at++) {
        if (!is_class(*at, CLASS_TARGET) || strchr("/?@\\,", *at) != NULL) {
            return false;
        }
    }
    return true;
}

/* Splits "http://host/path" into host and origin form. */
static enum lb_http_parse_result read_absolute(struct lb_http_parse *parse,
                                               const char *bytes,
                                               const char *target,
                                               const char *end)
{
    const char *host = target;
    const char *path;

    if (end - target > 7 && strncasecmp(target, "http://", 7) == 0) {
        host += 7;
    } else if (end - target > 8 && strncasecmp(target, "https://", 8) == 0) {
        host += 8;
    } else {
        return bad(parse, 400, "The request target is no path and no URL.");
    }
    path = host;
    while (path < end && *path != '/' && *path != '?') {
        path++;
    }
    if (path == host || !is_host(host, path)) {
        return bad(parse, 400, "The URL of the request target has no host.");
    }
    parse->host = piece(bytes, host, path);
    parse->has_absolute_host = true;
    parse->target = piece(bytes, path, end);
    return LB_HTTP_PARSE_MORE;
}

/* RFC 9112, 3.2.4: of OPTIONS alone. */
static bool is_asterisk(const struct lb_http_parse *parse,
                        const char *bytes,
                        const char *target,
                        const char *end)
{
    const char *method = bytes + parse->method.at;

    return is_word(target, end, "*") &&
           is_word(method, method + parse->method.len, "OPTIONS");
}

static enum lb_http_parse_result read_target(struct lb_http_parse *parse,
                                             const char *bytes,
                                             const char *target,
                                             const char *end)
{
    for (const char *at = target; at < end; at++) {
        if (!is_class(*at, CLASS_TARGET)) {
            return bad(parse, 400,
                       "The request target holds a character that is not taken "
                       "there.");
        }
    }
    if (!has_good_escapes(target, end)) {
        return bad(parse, 400,
                   "The request target holds a bad percent escape.");
    }
    parse->target = piece(bytes, target, end);
    if (*target == '/' || is_asterisk(parse, bytes, target, end)) {
        return LB_HTTP_PARSE_MORE;
    }
    return read_absolute(parse, bytes, target, end);
}

static enum lb_http_parse_result read_request_line(struct lb_http_parse *parse,
                                                   const char *bytes,
                                                   const char *line,
                                                   const char *end)
{
    const char *at = line;
    const char *target;

    while (at < end && is_class(*at, CLASS_TOKEN)) {
        at++;
    }
    if (at == end || *at != ' ') {
        return bad(parse, 400,
                   "The request line does not begin with a method.");
    }
    parse->method = piece(bytes, line, at);
    target = at + 1;
    at = memchr(target, ' ', (size_t)(end - target));
    if (at == NULL || at == target) {
        return bad(parse, 400, "The request line has no target or no version.");
    }
    if (end - at != 9 || memcmp(at + 1, "HTTP/1.", 7) != 0 ||
        (at[8] != '0' && at[8] != '1')) {
        return bad(parse, 400, "The version is neither HTTP/1.1 nor HTTP/1.0.");
    }
    parse->minor_version = at[8] == '1' ? 1 : 0;
    parse->is_keep_alive = parse->minor_version == 1;
    return read_target(parse, bytes, target, at);
}

static enum lb_http_parse_result
read_length(struct lb_http_parse *parse, const char *at, size_t len)
{
    int64_t value = 0;

    if (parse->has_length) {
        return bad(parse, 400, "Content-Length stands there twice.");
    }
    if (len == 0) {
        return bad(parse, 400, "Content-Length is empty.");
    }
    for (size_t i = 0; i < len; i++) {
        int digit = at[i] - '0';

        if (digit < 0 || digit > 9) {
            return bad(parse, 400, "Content-Length is not a plain number.");
        }
        if (value > (INT64_MAX - digit) / 10) {
            return bad(parse, 400, "Content-Length is out of range.");
        }
        value = value * 10 + digit;
    }
    parse->has_length = true;
    parse->content_length = value;
    return LB_HTTP_PARSE_MORE;
}

static enum lb_http_parse_result
read_coding(struct lb_http_parse *parse, const char *at, size_t len)
{
    if (parse->is_chunked) {
        return bad(parse, 400, "Transfer-Encoding stands there twice.");
    }
    if (!is_word(at, at + len, "chunked")) {
        return bad(parse, 400, "Transfer-Encoding is not exactly chunked.");
    }
    if (parse->minor_version == 0) {
        return bad(parse, 400, "HTTP/1.0 has no Transfer-Encoding.");
    }
    parse->is_chunked = true;
    return LB_HTTP_PARSE_MORE;
}

static enum lb_http_parse_result
read_host(struct lb_http_parse *parse,
          const struct lb_http_parse_field *field,
          const char *bytes)
{
    const char *at = bytes + field->value.at;

    parse->host_count++;
    if (parse->host_count > 1) {
        return bad(parse, 400, "Host stands there twice.");
    }
    if (!is_host(at, at + field->value.len)) {
        return bad(parse, 400, "Host is no host.");
    }
    if (!parse->has_absolute_host) {
        parse->host = field->value;
    }
    return LB_HTTP_PARSE_MORE;
}

/* Connection: a list of words, of which close and keep-alive concern us; close
 * wins wherever it stands. */
static void
read_connection(struct lb_http_parse *parse, const char *at, size_t len)
{
    const char *end = at + len;

    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *next = comma == NULL ? end : comma + 1;
        const char *stop = comma == NULL ? end : comma;

        while (at < stop && is_space(*at)) {
            at++;
        }
        while (stop > at && is_space(stop[-1])) {
            stop--;
        }
        if (is_word(at, stop, "close")) {
            parse->has_close = true;
        } else if (is_word(at, stop, "keep-alive")) {
            parse->is_keep_alive = true;
        }
        at = next;
    }
}

static enum lb_http_parse_result
read_known(struct lb_http_parse *parse,
           const struct lb_http_parse_field *field,
           const char *bytes)
{
    const char *name = bytes + field->name.at;
    const char *name_end = name + field->name.len;
    const char *value = bytes + field->value.at;
    size_t len = field->value.len;

    if (is_word(name, name_end, "Content-Length")) {
        return read_length(parse, value, len);
    }
    if (is_word(name, name_end, "Transfer-Encoding")) {
        return read_coding(parse, value, len);
    }
    if (is_word(name, name_end, "Host")) {
        return read_host(parse, field, bytes);
    }
    if (is_word(name, name_end, "Connection")) {
        read_connection(parse, value, len);
    } else if (is_word(name, name_end, "Expect")) {
        parse->is_expect_continue =
            (!parse->has_expect || parse->is_expect_continue) &&
            is_word(value, value + len, "100-continue");
        parse->has_expect = true;
    }
    return LB_HTTP_PARSE_MORE;
}

static enum lb_http_parse_result read_field(struct lb_http_parse *parse,
                                            const char *bytes,
                                            const char *line,
                                            const char *end)
{
    struct lb_http_parse_field *field = &parse->fields[parse->field_count];
    const char *at = line;

    if (parse->field_count >= parse->limits.header_count) {
        return bad_limit(parse, 431, "header_count",
                         "There are more header fields than are taken.");
    }
    if (is_space(*line)) {
        return bad(parse, 400, "A header line begins with white space.");
    }
    while (at < end && is_class(*at, CLASS_TOKEN)) {
        at++;
    }
    if (at == line || at == end || *at != ':') {
        return bad(parse, 400, "A header field has no proper name.");
    }
    field->name = piece(bytes, line, at);
    at++;
    for (const char *c = at; c < end; c++) {
        if (!is_class(*c, CLASS_VALUE)) {
            return bad(parse, 400, "A header field holds a control character.");
        }
    }
    while (at < end && is_space(*at)) {
        at++;
    }
    while (end > at && is_space(end[-1])) {
        end--;
    }
    field->value = piece(bytes, at, end);
    parse->field_count++;
    return read_known(parse, field, bytes);
}

static enum lb_http_parse_result finish(struct lb_http_parse *parse,
                                        size_t head_bytes)
{
    if (parse->has_length && parse->is_chunked) {
        return bad(parse, 400,
                   "Content-Length and Transfer-Encoding stand there both.");
    }
    if (parse->host_count == 0 && parse->minor_version == 1) {
        return bad(parse, 400, "Host is missing.");
    }
    parse->is_keep_alive = parse->is_keep_alive && !parse->has_close;
    parse->head_bytes = head_bytes;
    return LB_HTTP_PARSE_DONE;
}

static enum lb_http_parse_result read_line(struct lb_http_parse *parse,
                                           const char *bytes,
                                           const char *line,
                                           const char *end)
{
    enum lb_http_parse_result result;

    if (parse->has_request_line) {
        return end == line ? finish(parse, (size_t)(end + 2 - bytes))
                           : read_field(parse, bytes, line, end);
    }
    if (end == line) {
        return LB_HTTP_PARSE_MORE; /* before a request it is skipped */
    }
    result = read_request_line(parse, bytes, line, end);
    parse->has_request_line = true;
    parse->fields_at = (size_t)(end + 2 - bytes);
    return result;
}

/* Where the part of the head that is being read must have ended at last. */
static size_t end_of_part(const struct lb_http_parse *parse)
{
    return parse->has_request_line
               ? parse->fields_at + parse->limits.header_bytes + 2
               : parse->limits.request_line_bytes + 2;
}

static enum lb_http_parse_result too_long(struct lb_http_parse *parse)
{
    return parse->has_request_line
               ? bad_limit(parse, 431, "header_bytes",
                           "The header fields are longer than is taken.")
               : bad_limit(parse, 414, "request_line",
                           "The request line is longer than is taken.");
}

/* A line is looked at when its line feed is there, and what may be said before
 * is said at the octet where it shows: the verdict does not depend on how the
 * octets come. */
static enum lb_http_parse_result
read_part(struct lb_http_parse *parse, const char *bytes, size_t len)
{
    const char *line = bytes + parse->line_at;
    const char *from = bytes + parse->scan_at;
    const char *lf = memchr(from, '\n', len - parse->scan_at);
    const char *stop = lf == NULL ? bytes + len : lf;
    const char *cr;

    from -= from > line ? 1 : 0; /* it may be a carriage return */
    cr = memchr(from, '\r', (size_t)(stop - from));
    if (!parse->has_request_line && *line != '\r' && *line != '\n' &&
        !is_class(*line, CLASS_TOKEN)) {
        return bad(parse, 400,
                   "The request line does not begin with a method.");
    }
    if (cr != NULL && cr + 1 < stop) {
        return bad(parse, 400,
                   "A line holds a carriage return that does not end it.");
    }
    parse->scan_at = (size_t)(stop - bytes);
    if (lf == NULL) {
        return LB_HTTP_PARSE_MORE;
    }
    if (cr == NULL) {
        return bad(parse, 400, "A line ends without a carriage return.");
    }
    parse->scan_at++;
    parse->line_at = parse->scan_at;
    return read_line(parse, bytes, line, cr);
}

enum lb_http_parse_result
lb_http_parse_head(struct lb_http_parse *parse, const char *bytes, size_t len)
{
    enum lb_http_parse_result result = LB_HTTP_PARSE_MORE;

    while (result == LB_HTTP_PARSE_MORE && parse->scan_at < len) {
        size_t end = end_of_part(parse);

        result = parse->scan_at >= end
                     ? too_long(parse)
                     : read_part(parse, bytes, len < end ? len : end);
    }
    return result;
}

enum {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER, /* at the begin of a line */
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF
};

void lb_http_parse_chunked_init(struct lb_http_parse_chunked *chunked,
                                const struct lb_http_parse_limits *limits)
{
    memset(chunked, 0, sizeof(*chunked));
    chunked->trailer_bytes_max = limits->header_bytes;
    chunked->state = CHUNK_SIZE;
}

static enum lb_http_parse_result
bad_chunk(struct lb_http_parse_chunked *chunked, const char *reason)
{
    chunked->status = 400;
    chunked->reason = reason;
    return LB_HTTP_PARSE_BAD;
}

static enum lb_http_parse_result
read_size(struct lb_http_parse_chunked *chunked, char c)
{
    int digit = lb_text_hex(c);

    if (digit >= 0) {
        chunked->left = chunked->left << 4 | (uint64_t)digit;
        chunked->digits++;
        return chunked->digits > LB_HTTP_PARSE_SIZE_DIGITS
                   ? bad_chunk(chunked,
                               "A chunk's size has more than 16 digits.")
                   : LB_HTTP_PARSE_MORE;
    }
    if (chunked->digits == 0 || (c != ';' && c != '\r')) {
        return bad_chunk(chunked, "A chunk's size is not a plain hex number.");
    }
    chunked->extension_bytes = 0;
    chunked->state = c == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
    return LB_HTTP_PARSE_MORE;
}

static enum lb_http_parse_result
read_extension(struct lb_http_parse_chunked *chunked, char c)
{
    if (c == '\r') {
        chunked->state = CHUNK_SIZE_LF;
        return LB_HTTP_PARSE_MORE;
    }
    chunked->extension_bytes++;
    if (!is_class(c, CLASS_VALUE) ||
        chunked->extension_bytes > LB_HTTP_PARSE_EXTENSION) {
        return bad_chunk(
            chunked,
            "A chunk's extension is too long or holds a control character.");
    }
    return LB_HTTP_PARSE_MORE;
}

/* A line feed that must come now; then the state goes on to next. */
static enum lb_http_parse_result
read_lf(struct lb_http_parse_chunked *chunked, char c, int next)
{
    if (c != '\n') {
        return bad_chunk(chunked, "A chunk's line does not end properly.");
    }
    chunked->state = next;
    return LB_HTTP_PARSE_MORE;
}

static enum lb_http_parse_result
read_trailer_text(struct lb_http_parse_chunked *chunked, char c)
{
    bool is_value = chunked->state == CHUNK_TRAILER_VALUE;

    if (is_value && c == '\r') {
        chunked->state = CHUNK_TRAILER_LF;
        return LB_HTTP_PARSE_MORE;
    }
    if (chunked->state == CHUNK_TRAILER_NAME && c == ':') {
        chunked->state = CHUNK_TRAILER_VALUE;
        return LB_HTTP_PARSE_MORE;
    }
    if (!is_class(c, is_value ? CLASS_VALUE : CLASS_TOKEN)) {
        return bad_chunk(
            chunked,
            "A trailer has no proper name or holds a control character.");
    }
    chunked->state = is_value ? CHUNK_TRAILER_VALUE : CHUNK_TRAILER_NAME;
    return LB_HTTP_PARSE_MORE;
}

/* Trailers are read as strictly as header fields, and dropped. */
static enum lb_http_parse_result
read_trailer(struct lb_http_parse_chunked *chunked, char c)
{
    if (chunked->state == CHUNK_TRAILER && c == '\r') {
        chunked->state = CHUNK_END_LF;
        return LB_HTTP_PARSE_MORE;
    }
    if (++chunked->trailer_bytes > chunked->trailer_bytes_max) {
        chunked->status = 431;
        chunked->limit = "header_bytes";
        chunked->reason = "The trailers are longer than is taken.";
        return LB_HTTP_PARSE_BAD;
    }
    return chunked->state == CHUNK_TRAILER_LF
               ? read_lf(chunked, c, CHUNK_TRAILER)
               : read_trailer_text(chunked, c);
}

static enum lb_http_parse_result read_end(struct lb_http_parse_chunked *chunked,
                                          char c)
{
    enum lb_http_parse_result result = read_lf(chunked, c, CHUNK_END_LF);

    return result == LB_HTTP_PARSE_MORE ? LB_HTTP_PARSE_DONE : result;
}

static enum lb_http_parse_result
read_control(struct lb_http_parse_chunked *chunked, char c)
{
    switch (chunked->state) {
    case CHUNK_SIZE:
        return read_size(chunked, c);
    case CHUNK_EXTENSION:
        return read_extension(chunked, c);
    case CHUNK_SIZE_LF:
        chunked->digits = 0;
        return read_lf(chunked, c,
                       chunked->left == 0 ? CHUNK_TRAILER : CHUNK_DATA);
    case CHUNK_DATA_CR:
        if (c != '\r') {
            return bad_chunk(chunked, "A chunk is longer than its size.");
        }
        chunked->state = CHUNK_DATA_LF;
        return LB_HTTP_PARSE_MORE;
    case CHUNK_DATA_LF:
        return read_lf(chunked, c, CHUNK_SIZE);
    case CHUNK_END_LF:
        return read_end(chunked, c);
    default:
        return read_trailer(chunked, c);
    }
}

enum lb_http_parse_result
lb_http_parse_chunked_feed(struct lb_http_parse_chunked *chunked,
                           const char *bytes,
                           size_t len,
                           size_t *consumed_out,
                           struct lb_buf *body)
{
    enum lb_http_parse_result result = LB_HTTP_PARSE_MORE;
    size_t at = 0;

    while (at < len && result == LB_HTTP_PARSE_MORE && !body->is_failed) {
        size_t part;

        if (chunked->state != CHUNK_DATA) {
            result = read_control(chunked, bytes[at++]);
            /* A chunk that can't fit is not waited for. */
            body->is_failed = chunked->state == CHUNK_DATA &&
                              chunked->left > body->max - body->len;
            continue;
        }
        part = chunked->left < len - at ? (size_t)chunked->left : len - at;
        lb_buf_add(body, bytes + at, part);
        at += part;
        chunked->left -= part;
        chunked->state = chunked->left == 0 ? CHUNK_DATA_CR : CHUNK_DATA;
    }
    *consumed_out = at;
    return result;
}
