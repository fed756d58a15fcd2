/* zone.c - local days, buckets and texts of an IANA time zone. */
#include "base/zone.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/zone_file.h"

#define S_PER_DAY INT64_C(86400)
#define S_PER_HOUR INT64_C(3600)
#define S_PER_MIN INT64_C(60)
#define S_PER_15M INT64_C(900)
#define FAR_S (26 * S_PER_HOUR) /* further than any offset and its change */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

const char *lb_zone_name(const struct lb_zone *zone)
{
    return zone->name;
}

static int64_t offset_at_s(const struct lb_zone *zone, int64_t at_s)
{
    return lb_zone_file_offset_s(zone, at_s);
}

int64_t lb_zone_offset_s(const struct lb_zone *zone, int64_t at_ms)
{
    return offset_at_s(zone, floor_div(at_ms, LB_MS_PER_S));
}

static int64_t local_s(const struct lb_zone *zone, int64_t at_s)
{
    return at_s + offset_at_s(zone, at_s);
}

/* The instant at which the local clock first reads midnight_s or later, when
 * midnight itself is skipped. */
static int64_t search_start(const struct lb_zone *zone, int64_t midnight_s)
{
    int64_t before = midnight_s - FAR_S;
    int64_t after = midnight_s + FAR_S;

    while (after - before > 1) {
        int64_t middle = before + (after - before) / 2;

        if (local_s(zone, middle) >= midnight_s) {
            after = middle;
        } else {
            before = middle;
        }
    }
    return after;
}

static int64_t day_start_s(const struct lb_zone *zone, int64_t day)
{
    int64_t midnight_s = day * S_PER_DAY;
    int64_t early = midnight_s - offset_at_s(zone, midnight_s - FAR_S);
    int64_t late = midnight_s - offset_at_s(zone, midnight_s + FAR_S);
    int64_t first = early < late ? early : late;
    int64_t second = early < late ? late : early;

    if (local_s(zone, first) == midnight_s) {
        return first;
    }
    if (local_s(zone, second) == midnight_s) {
        return second;
    }
    return search_start(zone, midnight_s);
}

int64_t lb_zone_day_start_ms(const struct lb_zone *zone, int64_t day)
{
    return day_start_s(zone, day) * LB_MS_PER_S;
}

int64_t
lb_zone_instant_ms(const struct lb_zone *zone, int64_t day, int64_t past_ms)
{
    int64_t past_s = floor_div(past_ms, LB_MS_PER_S);
    int64_t label_s = day * S_PER_DAY + past_s;
    int64_t before = offset_at_s(zone, label_s - FAR_S);
    int64_t after = offset_at_s(zone, label_s + FAR_S);
    int64_t at_s = label_s - before;

    if (local_s(zone, at_s) != label_s &&
        local_s(zone, label_s - after) == label_s) {
        at_s = label_s - after;
    }
    return at_s * LB_MS_PER_S + (past_ms - past_s * LB_MS_PER_S);
}

int64_t lb_zone_local_day(const struct lb_zone *zone, int64_t at_ms)
{
    int64_t at_s = floor_div(at_ms, LB_MS_PER_S);
    int64_t local = local_s(zone, at_s);
    int64_t day = floor_div(local, S_PER_DAY);

    /* The clock may have fallen back over midnight: the new day goes on. */
    if (local - day * S_PER_DAY >= S_PER_DAY - 3 * S_PER_HOUR &&
        at_s >= day_start_s(zone, day + 1)) {
        day++;
    }
    return day;
}

/* Start of the hour or quarter (grain_s) that holds at_s. */
static int64_t
clock_start_s(const struct lb_zone *zone, int64_t grain_s, int64_t at_s)
{
    int64_t offset = offset_at_s(zone, at_s);
    int64_t label = floor_div(at_s + offset, grain_s) * grain_s;
    int64_t start = label - offset;
    int64_t before = offset_at_s(zone, start);
    int64_t after;

    if (before == offset) {
        return start;
    }
    if (floor_div(start + before, grain_s) * grain_s == label) {
        return label - before; /* a repeated part falls into its label */
    }
    after = at_s;
    while (after - start > 1) {
        int64_t middle = start + (after - start) / 2;

        if (offset_at_s(zone, middle) == offset) {
            after = middle;
        } else {
            start = middle;
        }
    }
    return after; /* the label began when the clock jumped into it */
}

/* Where the first bucket after the one of start_s begins; a later one holds
 * at_s.  Around a change of the clock it may be shorter than its grain. */
static int64_t search_next(const struct lb_zone *zone,
                           int64_t grain_s,
                           int64_t start_s,
                           int64_t at_s)
{
    int64_t before = start_s;

    if (clock_start_s(zone, grain_s, at_s) == at_s &&
        offset_at_s(zone, start_s) == offset_at_s(zone, at_s)) {
        return at_s;
    }
    while (at_s - before > 1) {
        int64_t middle = before + (at_s - before) / 2;

        if (clock_start_s(zone, grain_s, middle) > start_s) {
            at_s = middle;
        } else {
            before = middle;
        }
    }
    return at_s;
}

int64_t lb_zone_day_floor(enum lb_zone_grain grain, int64_t day)
{
    int64_t year;
    unsigned month;
    unsigned day_of_month;

    switch (grain) {
    case LB_ZONE_WEEK:
        return day - (day + 3 - floor_div(day + 3, 7) * 7);
    case LB_ZONE_MONTH:
        lb_clock_civil_from_days(day, &year, &month, &day_of_month);
        return day - (int64_t)day_of_month + 1;
    case LB_ZONE_15M:
    case LB_ZONE_HOUR:
    case LB_ZONE_DAY:
        break;
    }
    return day;
}

int64_t lb_zone_bucket_start_ms(const struct lb_zone *zone,
                                enum lb_zone_grain grain,
                                int64_t at_ms)
{
    if (grain == LB_ZONE_15M || grain == LB_ZONE_HOUR) {
        int64_t grain_s = grain == LB_ZONE_15M ? S_PER_15M : S_PER_HOUR;
        int64_t at_s = floor_div(at_ms, LB_MS_PER_S);

        return clock_start_s(zone, grain_s, at_s) * LB_MS_PER_S;
    }
    return lb_zone_day_start_ms(
        zone, lb_zone_day_floor(grain, lb_zone_local_day(zone, at_ms)));
}

int64_t lb_zone_bucket_next_ms(const struct lb_zone *zone,
                               enum lb_zone_grain grain,
                               int64_t at_ms)
{
    int64_t start = lb_zone_bucket_start_ms(zone, grain, at_ms);
    int64_t step = grain == LB_ZONE_15M ? S_PER_15M : S_PER_HOUR;
    int64_t day;
    int64_t next;

    if (grain == LB_ZONE_15M || grain == LB_ZONE_HOUR) {
        int64_t at_s = start / LB_MS_PER_S + step;

        while (clock_start_s(zone, step, at_s) * LB_MS_PER_S <= start) {
            at_s += S_PER_15M;
        }
        return search_next(zone, step, start / LB_MS_PER_S, at_s) * LB_MS_PER_S;
    }
    day = lb_zone_day_floor(grain, lb_zone_local_day(zone, start));
    day += grain == LB_ZONE_DAY ? 1 : grain == LB_ZONE_WEEK ? 7 : 32;
    next = lb_zone_day_start_ms(zone, lb_zone_day_floor(grain, day));
    /* A day that the zone skipped altogether has no bucket. */
    while (next <= start) {
        next = lb_zone_day_start_ms(zone, lb_zone_day_floor(grain, ++day));
    }
    return next;
}

static void put(char *out, int64_t value, int digits)
{
    while (digits-- > 0) {
        out[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

void lb_zone_format_day(int64_t day, char out[LB_ZONE_DAY_BYTES])
{
    int64_t year;
    unsigned month;
    unsigned day_of_month;

    lb_clock_civil_from_days(day, &year, &month, &day_of_month);
    year = year < 0 ? 0 : year > 9999 ? 9999 : year;
    memcpy(out, "0000-00-00", LB_ZONE_DAY_BYTES);
    put(out, year, 4);
    put(out + 5, month, 2);
    put(out + 8, day_of_month, 2);
}

void lb_zone_format(const struct lb_zone *zone,
                    int64_t at_ms,
                    char out[LB_ZONE_TEXT_BYTES])
{
    int64_t at_s = floor_div(at_ms, LB_MS_PER_S);
    int64_t offset = offset_at_s(zone, at_s);
    int64_t local = at_s + offset;
    int64_t day = floor_div(local, S_PER_DAY);
    int64_t rest = local - day * S_PER_DAY;
    int64_t size = offset < 0 ? -offset : offset;

    lb_zone_format_day(day, out);
    memcpy(out + 10, "T00:00:00+00:00", 16);
    put(out + 11, rest / S_PER_HOUR, 2);
    put(out + 14, rest / 60 % 60, 2);
    put(out + 17, rest % 60, 2);
    out[19] = offset < 0 ? '-' : '+';
    put(out + 20, size / S_PER_HOUR, 2);
    put(out + 23, size / 60 % 60, 2);
}

/* Reads exactly digits decimal digits; -1 when they are not there. */
static int read_digits(const char **text, int digits)
{
    int value = 0;

    for (int i = 0; i < digits; i++) {
        char c = **text;

        if (c < '0' || c > '9') {
            return -1;
        }
        value = value * 10 + (c - '0');
        (*text)++;
    }
    return value;
}

static bool read_char(const char **text, char c)
{
    if (**text != c) {
        return false;
    }
    (*text)++;
    return true;
}

static bool read_day(const char **text, int64_t *day_out)
{
    int year = read_digits(text, 4);
    int month = year >= 0 && read_char(text, '-') ? read_digits(text, 2) : -1;
    int day = month >= 1 && read_char(text, '-') ? read_digits(text, 2) : -1;
    int64_t back_year;
    unsigned back_month;
    unsigned back_day;

    if (day < 1 || day > 31 || month > 12) {
        return false;
    }
    *day_out = lb_clock_days_from_civil(year, (unsigned)month, (unsigned)day);
    lb_clock_civil_from_days(*day_out, &back_year, &back_month, &back_day);
    return back_month == (unsigned)month && back_day == (unsigned)day;
}

bool lb_zone_parse_day(const char *text, int64_t *day_out)
{
    return read_day(&text, day_out) && *text == '\0';
}

/* ".123456" as milliseconds; 0 without one, -1 when malformed. */
static int read_fraction(const char **text)
{
    int ms = 0;
    int digits = 0;

    if (!read_char(text, '.')) {
        return 0;
    }
    while (**text >= '0' && **text <= '9') {
        ms = digits < 3 ? ms * 10 + (**text - '0') : ms;
        digits++;
        (*text)++;
    }
    for (int i = digits; i < 3; i++) {
        ms *= 10;
    }
    return digits == 0 || digits > 9 ? -1 : ms;
}

/* "Z" or "+01:00" as seconds. */
static bool read_offset(const char **text, int64_t *offset_out)
{
    bool is_west = **text == '-';
    int hours;
    int minutes;

    if (read_char(text, 'Z') || read_char(text, 'z')) {
        *offset_out = 0;
        return true;
    }
    if (!read_char(text, '+') && !read_char(text, '-')) {
        return false;
    }
    hours = read_digits(text, 2);
    minutes = hours >= 0 && read_char(text, ':') ? read_digits(text, 2) : -1;
    if (hours > 23 || minutes < 0 || minutes > 59) {
        return false;
    }
    *offset_out = (int64_t)hours * S_PER_HOUR + (int64_t)minutes * 60;
    *offset_out = is_west ? -*offset_out : *offset_out;
    return true;
}

bool lb_zone_parse_instant(const char *text, int64_t *at_ms_out)
{
    int64_t day;
    int64_t offset = 0;
    int hour;
    int minute;
    int second;
    int ms;

    if (!read_day(&text, &day) ||
        (!read_char(&text, 'T') && !read_char(&text, 't'))) {
        return false;
    }
    hour = read_digits(&text, 2);
    minute = hour >= 0 && read_char(&text, ':') ? read_digits(&text, 2) : -1;
    second = minute >= 0 && read_char(&text, ':') ? read_digits(&text, 2) : -1;
    ms = second >= 0 ? read_fraction(&text) : -1;
    if (ms < 0 || hour > 23 || minute > 59 || second > 59 ||
        !read_offset(&text, &offset) || *text != '\0') {
        return false;
    }
    *at_ms_out =
        ((day * S_PER_DAY + hour * S_PER_HOUR + minute * S_PER_MIN + second) -
         offset) *
            LB_MS_PER_S +
        ms;
    return true;
}
