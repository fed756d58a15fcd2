/* json_check.c - is it exactly one JSON value (RFC 8259), in valid UTF-8? */
#include "base/json.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define CHECK_DEPTH_MAX 256
#define NUMBER_BYTES 400 /* longer texts of a number are refused */

struct check {
    const char *at;
    const char *end;
    const char *begin;
    const char *reason;
};

static bool fail(struct check *check, const char *at, const char *reason)
{
    check->at = at;
    check->reason = reason;
    return false;
}

/* Characters that may stand in a string as they are, ASCII only. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* The first character from at on that is not plain, looked for in words of
 * eight; it may stop a few too early. */
static const char *skip_plain(const char *at, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = ones << 7;

    while (end - at >= (ptrdiff_t)sizeof(uint64_t)) {
        uint64_t word;
        uint64_t quotes;
        uint64_t slashes;

        memcpy(&word, at, sizeof(word));
        quotes = word ^ ones * '"';
        slashes = word ^ ones * '\\';
        /* A byte's top is set where it is not ASCII, below a space, or equal
         * (Hacker's Delight, 6-1). */
        if (((word | (word - ones * 0x20) | ((quotes - ones) & ~quotes) |
              ((slashes - ones) & ~slashes)) &
             tops) != 0) {
            break;
        }
        at += sizeof(word);
    }
    return at;
}

static void skip_space(struct check *check)
{
    while (check->at < check->end &&
           (*check->at == ' ' || *check->at == '\n' || *check->at == '\r' ||
            *check->at == '\t')) {
        check->at++;
    }
}

/* Four hex digits at text; -1 when they are not. */
static long read_unit(const struct check *check, const char *text)
{
    long unit = 0;

    if (check->end - text < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        int digit = lb_text_hex(text[i]);

        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

static bool check_unicode_escape(struct check *check)
{
    long unit = read_unit(check, check->at + 2);
    long low;

    if (unit < 0) {
        return fail(check, check->at, "\\u needs four hex digits");
    }
    if (unit == 0) {
        return fail(check, check->at, "\\u0000 is not taken");
    }
    if (unit >= 0xdc00 && unit <= 0xdfff) {
        return fail(check, check->at, "a lone surrogate escape");
    }
    if (unit < 0xd800 || unit > 0xdbff) {
        check->at += 6;
        return true;
    }
    low = check->end - check->at >= 12 && check->at[6] == '\\' &&
                  check->at[7] == 'u'
              ? read_unit(check, check->at + 8)
              : -1;
    if (low < 0xdc00 || low > 0xdfff) {
        return fail(check, check->at, "a lone surrogate escape");
    }
    check->at += 12;
    return true;
}

static bool check_escape(struct check *check)
{
    if (check->end - check->at < 2) {
        return fail(check, check->at, "the text ends inside a string");
    }
    if (check->at[1] == 'u') {
        return check_unicode_escape(check);
    }
    if (strchr("\"\\/bfnrt", check->at[1]) == NULL || check->at[1] == '\0') {
        return fail(check, check->at, "an escape that JSON does not have");
    }
    check->at += 2;
    return true;
}

/* A character that is not plain and no quotation mark. */
static bool check_special(struct check *check)
{
    unsigned char c = (unsigned char)*check->at;
    int len;

    if (c == '\\') {
        return check_escape(check);
    }
    if (c < 0x20) {
        return fail(check, check->at, "a control character inside a string");
    }
    len = lb_text_char_len(check->at, (size_t)(check->end - check->at));
    if (len < 0) {
        return fail(check, check->at, "invalid UTF-8");
    }
    check->at += len;
    return true;
}

static bool check_string(struct check *check)
{
    const char *start = check->at++;

    check->at = skip_plain(check->at, check->end);
    while (check->at < check->end) {
        unsigned char c = (unsigned char)*check->at;

        if (is_plain(c)) {
            check->at++;
        } else if (c == '"') {
            check->at++;
            return true;
        } else if (!check_special(check)) {
            return false;
        }
    }
    return fail(check, start, "a string that is not ended");
}

static bool is_digit(const struct check *check)
{
    return check->at < check->end && *check->at >= '0' && *check->at <= '9';
}

static bool check_digits(struct check *check)
{
    if (!is_digit(check)) {
        return fail(check, check->at, "a digit is missing");
    }
    while (is_digit(check)) {
        check->at++;
    }
    return true;
}

static bool is_finite_text(const char *text, size_t len)
{
    char copy[NUMBER_BYTES];

    if (len >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    return isfinite(strtod(copy, NULL)) != 0;
}

static bool is_either(const struct check *check, char a, char b)
{
    return check->at < check->end && (*check->at == a || *check->at == b);
}

static bool check_number(struct check *check)
{
    const char *start = check->at;
    bool has_exponent = false;

    check->at += *check->at == '-' ? 1 : 0;
    if (is_digit(check) && *check->at == '0') {
        check->at++;
        if (is_digit(check)) {
            return fail(check, start, "a number with a leading zero");
        }
    } else if (!check_digits(check)) {
        return false;
    }
    if (check->at < check->end && *check->at == '.') {
        check->at++;
        if (!check_digits(check)) {
            return false;
        }
    }
    if (is_either(check, 'e', 'E')) {
        has_exponent = true;
        check->at++;
        check->at += is_either(check, '+', '-') ? 1 : 0;
        if (!check_digits(check)) {
            return false;
        }
    }
    if ((has_exponent || check->at - start > 300) &&
        !is_finite_text(start, (size_t)(check->at - start))) {
        return fail(check, start, "a number out of range");
    }
    return true;
}

static bool check_word(struct check *check)
{
    static const char *const words[] = {"true", "false", "null"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t len = strlen(words[i]);

        if ((size_t)(check->end - check->at) >= len &&
            memcmp(check->at, words[i], len) == 0) {
            check->at += len;
            return true;
        }
    }
    return fail(check, check->at, "not a JSON value");
}

static bool check_scalar(struct check *check)
{
    if (check->at >= check->end) {
        return fail(check, check->at, "the text ends where a value should be");
    }
    if (*check->at == '"') {
        return check_string(check);
    }
    if (*check->at == '-' || is_digit(check)) {
        return check_number(check);
    }
    return check_word(check);
}

/* After '{' or ',': a key and its colon. */
static bool check_key(struct check *check)
{
    skip_space(check);
    if (check->at >= check->end || *check->at != '"') {
        return fail(check, check->at, "a key in double quotes is missing");
    }
    if (!check_string(check)) {
        return false;
    }
    skip_space(check);
    if (check->at >= check->end || *check->at != ':') {
        return fail(check, check->at, "a colon is missing");
    }
    check->at++;
    skip_space(check);
    return true;
}

enum step { STEP_VALUE, STEP_DONE, STEP_FAULT };

/* Closes and continues the open brackets after a value, up to the place where
 * the next value begins. */
static enum step
after_value(struct check *check, const char *kinds, unsigned *depth)
{
    while (*depth > 0) {
        char close = kinds[*depth - 1] == '{' ? '}' : ']';

        skip_space(check);
        if (check->at < check->end && *check->at == ',') {
            check->at++;
            skip_space(check);
            return close == '}' && !check_key(check) ? STEP_FAULT : STEP_VALUE;
        }
        if (check->at >= check->end || *check->at != close) {
            (void)fail(check, check->at,
                       "a comma or a closing bracket is missing");
            return STEP_FAULT;
        }
        check->at++;
        (*depth)--;
    }
    return STEP_DONE;
}

/* Steps into brackets; STEP_DONE here means that a value is complete. */
static enum step open_value(struct check *check,
                            char *kinds,
                            unsigned *depth,
                            unsigned max_depth)
{
    while (check->at < check->end && (*check->at == '{' || *check->at == '[')) {
        char open = *check->at;

        if (*depth >= max_depth) {
            (void)fail(check, check->at, "nested too deeply");
            return STEP_FAULT;
        }
        check->at++;
        skip_space(check);
        if (check->at < check->end && *check->at == (open == '{' ? '}' : ']')) {
            check->at++;
            return STEP_DONE;
        }
        kinds[(*depth)++] = open;
        if (open == '{' && !check_key(check)) {
            return STEP_FAULT;
        }
    }
    return check_scalar(check) ? STEP_DONE : STEP_FAULT;
}

static bool check_all(struct check *check, unsigned max_depth)
{
    char kinds[CHECK_DEPTH_MAX];
    unsigned depth = 0;
    enum step step = STEP_VALUE;

    max_depth = max_depth > CHECK_DEPTH_MAX ? CHECK_DEPTH_MAX : max_depth;
    skip_space(check);
    while (step == STEP_VALUE) {
        step = open_value(check, kinds, &depth, max_depth);
        if (step == STEP_DONE) {
            step = after_value(check, kinds, &depth);
        }
    }
    if (step == STEP_FAULT) {
        return false;
    }
    skip_space(check);
    if (check->at < check->end) {
        return fail(check, check->at, "something stands after the value");
    }
    return true;
}

enum lb_err lb_json_check(const char *bytes,
                          size_t len,
                          unsigned max_depth,
                          struct lb_json_fault *fault)
{
    struct check check = {bytes, bytes + len, bytes, NULL};
    const char *line_start = bytes;
    bool is_deep;

    if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        check.at += 3;
    }
    if (check_all(&check, max_depth)) {
        return LB_OK;
    }
    is_deep = strcmp(check.reason, "nested too deeply") == 0;
    fault->code = is_deep ? "json_too_deep" : "bad_json";
    fault->reason = check.reason;
    fault->line = 1;
    for (const char *c = bytes; c < check.at; c++) {
        if (*c == '\n') {
            fault->line++;
            line_start = c + 1;
        }
    }
    fault->column = (size_t)(check.at - line_start) + 1;
    return is_deep ? LB_ELIMIT : LB_EFORMAT;
}
