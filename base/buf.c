/* buf.c - a growing byte buffer with a maximum. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_BYTES 256

void lb_buf_init(struct lb_buf *buf, size_t max_bytes)
{
    memset(buf, 0, sizeof(*buf));
    buf->max = max_bytes;
}

void lb_buf_deinit(struct lb_buf *buf)
{
    free(buf->data);
    buf->data = NULL;
    buf->len = 0;
    buf->cap = 0;
}

void lb_buf_clear(struct lb_buf *buf)
{
    buf->len = 0;
    buf->is_failed = false;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

static enum lb_err grow(struct lb_buf *buf, size_t more)
{
    size_t cap = buf->cap == 0 ? BUF_FIRST_BYTES : buf->cap;
    char *data;

    while (cap <= buf->len + more) {
        cap += cap / 2;
    }
    data = realloc(buf->data, cap);
    if (data == NULL) {
        buf->is_failed = true;
        return LB_ENOMEM;
    }
    buf->data = data;
    buf->cap = cap;
    buf->data[buf->len] = '\0';
    return LB_OK;
}

enum lb_err lb_buf_reserve(struct lb_buf *buf, size_t more)
{
    if (buf->is_failed || more > buf->max || buf->len > buf->max - more) {
        buf->is_failed = true;
        return LB_ELIMIT;
    }
    return buf->len + more < buf->cap ? LB_OK : grow(buf, more);
}

void lb_buf_add(struct lb_buf *buf, const void *bytes, size_t len)
{
    if (len == 0 || lb_buf_reserve(buf, len) != LB_OK) {
        return;
    }
    memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void lb_buf_add_text(struct lb_buf *buf, const char *text)
{
    lb_buf_add(buf, text, strlen(text));
}

void lb_buf_add_char(struct lb_buf *buf, char c)
{
    lb_buf_add(buf, &c, 1);
}

void lb_buf_add_int(struct lb_buf *buf, int64_t value)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    lb_buf_add(buf, digits + at, sizeof(digits) - at);
}

void lb_buf_printf(struct lb_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_list again;
    int len;

    va_start(args, fmt);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len > 0 && lb_buf_reserve(buf, (size_t)len) == LB_OK) {
        (void)vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

void lb_buf_consume(struct lb_buf *buf, size_t count)
{
    if (count == 0 || count > buf->len) {
        return;
    }
    memmove(buf->data, buf->data + count, buf->len - count);
    buf->len -= count;
    buf->data[buf->len] = '\0';
}

char *lb_buf_take(struct lb_buf *buf)
{
    char *data;

    if (buf->is_failed) {
        return NULL;
    }
    if (buf->data == NULL) {
        return calloc(1, 1);
    }
    data = buf->data;
    buf->data = NULL;
    buf->len = 0;
    buf->cap = 0;
    return data;
}

const char *lb_buf_text(const struct lb_buf *buf)
{
    return buf->data == NULL ? "" : buf->data;
}
