/* import_combined.c - reading a web server's log. */
#include "ingest/import_combined.h"

#include <string.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/text.h"
#include "ingest/import_cells.h"

#define URL_BYTES 2048
#define REFERRER_BYTES 2048
#define AGENT_BYTES 1024
#define ADDRESS_BYTES 45
#define TIME_BYTES 26 /* 17/May/2015:10:05:03 +0000 */

struct part {
    const char *at;
    size_t len;
};

/* --- time -----------------------------------------------------------------
 */

static int two(const char *at)
{
    return at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9'
               ? -1
               : (at[0] - '0') * 10 + (at[1] - '0');
}

/* From 1; 0: none. */
static unsigned month_of(const char *at)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (unsigned i = 0; i < 12; i++) {
        if (memcmp(at, names + (size_t)3 * i, 3) == 0) {
            return i + 1;
        }
    }
    return 0;
}

static bool is_day(int64_t days, unsigned month, unsigned day)
{
    int64_t year;
    unsigned real_month;
    unsigned real_day;

    lb_clock_civil_from_days(days, &year, &real_month, &real_day);
    return real_month == month && real_day == day;
}

/* Reads TIME_BYTES bytes. */
static bool read_time(const char *at, int64_t *ts_out)
{
    unsigned month = month_of(at + 3);
    int day = two(at);
    int year = two(at + 7) < 0 || two(at + 9) < 0
                   ? -1
                   : two(at + 7) * 100 + two(at + 9);
    int hour = two(at + 12);
    int minute = two(at + 15);
    int second = two(at + 18);
    int zone_hour = two(at + 22);
    int zone_minute = two(at + 24);
    int64_t days;
    int64_t zone_ms;

    if (at[2] != '/' || at[6] != '/' || at[11] != ':' || at[14] != ':' ||
        at[17] != ':' || at[20] != ' ' || (at[21] != '+' && at[21] != '-') ||
        month == 0 || day < 1 || year < 0 || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || second < 0 || second > 60 ||
        zone_hour < 0 || zone_hour > 23 || zone_minute < 0 ||
        zone_minute > 59) {
        return false;
    }
    days = lb_clock_days_from_civil(year, month, (unsigned)day);
    zone_ms = zone_hour * LB_MS_PER_HOUR + zone_minute * LB_MS_PER_MIN;
    *ts_out = days * LB_MS_PER_DAY + hour * LB_MS_PER_HOUR +
              minute * LB_MS_PER_MIN + second * LB_MS_PER_S +
              (at[21] == '-' ? zone_ms : -zone_ms);
    return is_day(days, month, (unsigned)day);
}

/* The '[' of the time; what stands before it may hold others. */
static const char *find_time(const char *line, size_t len)
{
    const char *end = line + len;
    const char *at = line;

    while ((at = memchr(at, '[', (size_t)(end - at))) != NULL) {
        if (end - at < TIME_BYTES + 2) {
            return NULL;
        }
        if (at[TIME_BYTES + 1] == ']' && at[3] == '/' && at[7] == '/') {
            return at;
        }
        at++;
    }
    return NULL;
}

bool import_combined_is_line(const char *line, size_t len)
{
    const char *at = find_time(line, len);
    int64_t ts_ms = 0;

    return at != NULL && read_time(at + 1, &ts_ms);
}

/* --- texts ----------------------------------------------------------------
 */

/* The tops of the bytes of a word that are below a space, DEL, a backslash or
 * not ASCII; more may be set behind the first of them (Hacker's Delight, 6-1).
 */
static uint64_t odd_bytes(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t deletes = word ^ ones * 0x7f;
    uint64_t slashes = word ^ ones * '\\';

    return (word | (word - ones * 0x20) | ((deletes - ones) & ~deletes) |
            ((slashes - ones) & ~slashes)) &
           ones << 7;
}

/* Printable ASCII without escapes, looked at in words of eight. */
static bool is_plain(const char *bytes, size_t len)
{
    uint64_t word = 0;
    size_t at = 0;

    for (; len - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, bytes + at, sizeof(word));
        if (odd_bytes(word) != 0) {
            return false;
        }
    }
    memset(&word, ' ', sizeof(word));
    memcpy(&word, bytes + at, len - at);
    return odd_bytes(word) == 0;
}

/* One byte of a log's quoted text: \" and \\, \t and its like, \xHH. */
static char read_escape(const char *at, size_t left, size_t *used_out)
{
    int high = left > 3 ? lb_text_hex(at[2]) : -1;
    int low = left > 3 ? lb_text_hex(at[3]) : -1;

    *used_out = left > 1 ? 2 : 1;
    if (left > 1 && at[1] == 'x' && high >= 0 && low >= 0) {
        *used_out = 4;
        return (char)(high * 16 + low);
    }
    if (left == 1) {
        return '\\';
    }
    if (strchr("nrtbfv", at[1]) != NULL) {
        return ' ';
    }
    return at[1];
}

static size_t unescape(const struct part *part, char *out)
{
    size_t used = 0;

    for (size_t i = 0; i < part->len;) {
        size_t step = 1;
        char c = part->at[i];

        if (c == '\\') {
            c = read_escape(part->at + i, part->len - i, &step);
        }
        if ((unsigned char)c < 0x20 || c == 0x7f) {
            c = ' ';
        }
        out[used++] = c;
        i += step;
    }
    return used;
}

/* False: the arena is full. */
static bool keep(const struct part *part,
                 size_t max_bytes,
                 struct lb_arena *arena,
                 const char **text_out)
{
    char *text;
    char *bare;

    if (is_plain(part->at, part->len)) {
        text = lb_arena_text(arena, part->at,
                             part->len < max_bytes ? part->len : max_bytes);
        *text_out = text;
        return text != NULL;
    }
    bare = lb_arena_alloc(arena, part->len + 1);
    text = bare == NULL ? NULL
                        : import_cells_clean(bare, unescape(part, bare), arena);
    if (text != NULL) {
        text[lb_text_cut(text, strlen(text), max_bytes)] = '\0';
    }
    *text_out = text;
    return text != NULL;
}

/* The quote that no backslash stands before; end: there is none. */
static const char *find_close(const char *at, const char *end)
{
    while (at < end && *at != '"') {
        at += *at == '\\' && at + 1 < end ? 2 : 1;
    }
    return at;
}

/* The text in quotes at *at, which then stands behind it. */
static bool take_quoted(const char **at, const char *end, struct part *part)
{
    const char *close;

    if (*at >= end || **at != '"') {
        return false;
    }
    close = memchr(*at + 1, '"', (size_t)(end - *at - 1));
    if (close == NULL) {
        return false;
    }
    if (memchr(*at + 1, '\\', (size_t)(close - *at - 1)) != NULL) {
        close = find_close(*at + 1, end);
    }
    if (close >= end) {
        return false;
    }
    part->at = *at + 1;
    part->len = (size_t)(close - part->at);
    *at = close + 1;
    return true;
}

static bool is_none(const struct part *part)
{
    return part->len == 0 || (part->len == 1 && part->at[0] == '-');
}

/* --- the line -------------------------------------------------------------
 */

/* The first word, or the second where the first is a virtual host. */
static bool read_address(const char *line,
                         size_t len,
                         struct lb_arena *arena,
                         const char **address_out)
{
    const char *end = line + len;

    for (int word = 0; word < 2 && line < end; word++) {
        const char *space = memchr(line, ' ', (size_t)(end - line));
        size_t word_len = (size_t)((space == NULL ? end : space) - line);
        char *text = word_len > ADDRESS_BYTES
                         ? NULL
                         : lb_arena_text(arena, line, word_len);
        struct lb_ip ip;

        if (text == NULL && word_len <= ADDRESS_BYTES) {
            return false;
        }
        if (text != NULL && lb_ip_parse(text, &ip)) {
            *address_out = text;
            return true;
        }
        line += word_len + 1;
    }
    return true;
}

/* The target of "GET /path HTTP/1.1"; false for what is no view. */
static bool
read_request(const struct part *request, struct part *target, bool *is_head_out)
{
    const char *end = request->at + request->len;
    const char *at = request->at;

    *is_head_out = request->len > 5 && memcmp(at, "HEAD ", 5) == 0;
    if (!*is_head_out && (request->len <= 4 || memcmp(at, "GET ", 4) != 0)) {
        return false;
    }
    at += *is_head_out ? 5 : 4;
    for (const char *last = end - 1; last > at; last--) {
        if (*last == ' ') {
            end = end - last > 6 && memcmp(last, " HTTP/", 6) == 0 ? last : end;
            break;
        }
    }
    /* A path of several slashes is one of one slash, not a host. */
    while (end - at > 1 && at[0] == '/' && at[1] == '/') {
        at++;
    }
    target->at = at;
    target->len = (size_t)(end - at);
    return *at == '/' || (target->len > 8 && (memcmp(at, "http://", 7) == 0 ||
                                              memcmp(at, "https://", 8) == 0));
}

static const char *skip_spaces(const char *at, const char *end)
{
    while (at < end && *at == ' ') {
        at++;
    }
    return at;
}

/* Over status and size. */
static const char *skip_numbers(const char *at, const char *end)
{
    for (int word = 0; word < 2; word++) {
        at = skip_spaces(at, end);
        while (at < end && *at != ' ') {
            at++;
        }
    }
    return skip_spaces(at, end);
}

enum import_combined_verdict import_combined_read(const char *line,
                                                  size_t len,
                                                  struct lb_arena *arena,
                                                  struct import_combined *out,
                                                  const char **reason_out)
{
    const char *end = line + len;
    const char *at = find_time(line, len);
    struct part request;
    struct part target;
    struct part quoted;

    memset(out, 0, sizeof(*out));
    if (at == NULL || !read_time(at + 1, &out->ts_at_ms)) {
        *reason_out = "no time like [17/May/2015:10:05:03 +0000]";
        return IMPORT_COMBINED_BAD;
    }
    if (!read_address(line, (size_t)(at - line), arena, &out->address)) {
        return IMPORT_COMBINED_FULL;
    }
    at = skip_spaces(at + TIME_BYTES + 2, end);
    if (!take_quoted(&at, end, &request)) {
        *reason_out = "no request in quotes behind the time";
        return IMPORT_COMBINED_BAD;
    }
    if (!read_request(&request, &target, &out->is_head)) {
        return IMPORT_COMBINED_OTHER;
    }
    if (!keep(&target, URL_BYTES, arena, &out->url)) {
        return IMPORT_COMBINED_FULL;
    }
    at = skip_numbers(at, end);
    if (take_quoted(&at, end, &quoted) && !is_none(&quoted) &&
        !keep(&quoted, REFERRER_BYTES, arena, &out->referrer)) {
        return IMPORT_COMBINED_FULL;
    }
    at = skip_spaces(at, end);
    if (take_quoted(&at, end, &quoted)) {
        out->agent = "";
        if (!is_none(&quoted) &&
            !keep(&quoted, AGENT_BYTES, arena, &out->agent)) {
            return IMPORT_COMBINED_FULL;
        }
    }
    return IMPORT_COMBINED_REQUEST;
}
