/* text.c - UTF-8, ASCII folding, globs, percent-encoding, CSV cells. */
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int lb_text_char_len(const char *bytes, size_t len)
{
    const unsigned char *in = (const unsigned char *)bytes;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    int need;

    if (in[0] < 0x80) {
        return 1;
    }
    if (in[0] < 0xc2 || in[0] > 0xf4) {
        return -1;
    }
    need = in[0] < 0xe0 ? 2 : in[0] < 0xf0 ? 3 : 4;
    if (in[0] == 0xe0) {
        low = 0xa0;
    } else if (in[0] == 0xed) {
        high = 0x9f;
    } else if (in[0] == 0xf0) {
        low = 0x90;
    } else if (in[0] == 0xf4) {
        high = 0x8f;
    }
    for (int i = 1; i < need; i++) {
        if ((size_t)i >= len || in[i] < low || in[i] > high) {
            return -i;
        }
        low = 0x80;
        high = 0xbf;
    }
    return need;
}

bool lb_text_is_utf8(const char *bytes, size_t len)
{
    size_t at = 0;

    while (at < len) {
        int unit = lb_text_char_len(bytes + at, len - at);

        if (unit < 0) {
            return false;
        }
        at += (size_t)unit;
    }
    return true;
}

size_t lb_text_cut(const char *text, size_t len, size_t max_bytes)
{
    if (len <= max_bytes) {
        return len;
    }
    while (max_bytes > 0 && ((unsigned char)text[max_bytes] & 0xc0) == 0x80) {
        max_bytes--;
    }
    return max_bytes;
}

char lb_text_fold(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (char)(c - 'A' + 'a');
    }
    return c;
}

void lb_text_fold_all(char *text)
{
    for (; *text != '\0'; text++) {
        *text = lb_text_fold(*text);
    }
}

bool lb_text_is_same_folded(const char *a, const char *b)
{
    while (*a != '\0' && lb_text_fold(*a) == lb_text_fold(*b)) {
        a++;
        b++;
    }
    return lb_text_fold(*a) == lb_text_fold(*b);
}

static bool matches_glob(const char *glob, const char *text, bool is_folded)
{
    const char *star = NULL;
    const char *from = NULL;

    while (*text != '\0') {
        if (*glob == '*') {
            star = glob++;
            from = text;
        } else if (*glob == *text ||
                   (is_folded && lb_text_fold(*glob) == lb_text_fold(*text))) {
            glob++;
            text++;
        } else if (star != NULL) {
            glob = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*glob == '*') {
        glob++;
    }
    return *glob == '\0';
}

bool lb_text_matches_glob(const char *glob, const char *text)
{
    return matches_glob(glob, text, false);
}

bool lb_text_matches_glob_folded(const char *glob, const char *text)
{
    return matches_glob(glob, text, true);
}

static bool is_in_ranges(char c, const char *ranges)
{
    for (const char *first = ranges; *first != '\0';) {
        bool is_range = first[1] == '-' && first[2] != '\0';
        const char *last = is_range ? first + 2 : first;

        if (c >= *first && c <= *last) {
            return true;
        }
        first = last + 1;
    }
    return false;
}

bool lb_text_is_made_of(const char *text, const char *ranges, size_t max_bytes)
{
    size_t len = strlen(text);

    if (len == 0 || len > max_bytes) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_in_ranges(text[i], ranges)) {
            return false;
        }
    }
    return true;
}

int lb_text_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void lb_text_to_hex(const unsigned char *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * len] = '\0';
}

/* The octet that %XX at text stands for; -1: that is none, or %00. */
static int read_escape(const char *text, size_t len)
{
    int high = len > 2 ? lb_text_hex(text[1]) : -1;
    int low = len > 2 ? lb_text_hex(text[2]) : -1;

    return high < 0 || low < 0 || (high == 0 && low == 0) ? -1
                                                          : high * 16 + low;
}

long lb_text_percent_decode(char *text, size_t len, bool is_form)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        int octet = c == '%' ? read_escape(text + i, len - i) : 0;

        if (octet < 0) {
            return -1;
        }
        if (c == '%') {
            c = (char)octet;
            i += 2;
        } else if (c == '+' && is_form) {
            c = ' ';
        }
        text[used++] = c;
    }
    return (long)used;
}

void lb_text_percent_encode(struct lb_buf *buf, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (is_in_ranges(*text, "A-Za-z0-9._~") || *text == '-') {
            lb_buf_add_char(buf, *text);
        } else {
            char escape[3] = {'%', digits[c >> 4], digits[c & 15]};

            lb_buf_add(buf, escape, sizeof(escape));
        }
    }
}

void lb_text_add_csv(struct lb_buf *buf, const char *text)
{
    bool is_formula = text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL;
    bool is_quoted = strpbrk(text, "\",\r\n") != NULL;

    if (is_quoted) {
        lb_buf_add_char(buf, '"');
    }
    if (is_formula) {
        lb_buf_add_char(buf, '\'');
    }
    if (!is_quoted) {
        lb_buf_add_text(buf, text);
        return;
    }
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            lb_buf_add_char(buf, '"');
        }
        lb_buf_add_char(buf, *text);
    }
    lb_buf_add_char(buf, '"');
}

bool lb_text_to_int(const char *text, long long *value_out)
{
    char *end = NULL;
    long long value;

    if (!is_in_ranges(text[0], "0-9-") || text[0] == '\0') {
        return false;
    }
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0' || end == text) {
        return false;
    }
    *value_out = value;
    return true;
}
