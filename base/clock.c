/* clock.c - wall clock, monotonic clock, and dates as text. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t fake_wall_at_ms = -1;

int64_t lb_clock_wall_ms(void)
{
    struct timespec now;

    if (fake_wall_at_ms >= 0) {
        return fake_wall_at_ms;
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * LB_MS_PER_S + now.tv_nsec / 1000000;
}

int64_t lb_clock_mono_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t lb_clock_mono_ms(void)
{
    return lb_clock_mono_ns() / 1000000;
}

void lb_clock_fake_wall(int64_t at_ms)
{
    fake_wall_at_ms = at_ms;
}

int64_t lb_clock_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2 ? 1 : 0);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t mp = (int64_t)((month + 9) % 12);
    int64_t doy = (153 * mp + 2) / 5 + (int64_t)day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + doe - 719468;
}

void lb_clock_civil_from_days(int64_t days,
                              int64_t *year_out,
                              unsigned *month_out,
                              unsigned *day_out)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *day_out = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *month_out = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *year_out = yoe + era * 400 + (*month_out <= 2 ? 1 : 0);
}

static void put_digits(char *out, unsigned value, unsigned count)
{
    while (count > 0) {
        count--;
        out[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

void lb_clock_format(int64_t at_ms, char out[LB_CLOCK_TEXT_BYTES])
{
    static const char shape[LB_CLOCK_TEXT_BYTES] = "0000-00-00T00:00:00.000Z";
    const int64_t first_ms = INT64_C(-62167219200000);
    const int64_t last_ms = INT64_C(253402300799999);
    int64_t clamped = at_ms < first_ms ? first_ms : at_ms;
    int64_t days;
    int64_t rest;
    int64_t year;
    unsigned month;
    unsigned day;
    unsigned i;

    clamped = clamped > last_ms ? last_ms : clamped;
    days = clamped / LB_MS_PER_DAY - (clamped % LB_MS_PER_DAY < 0 ? 1 : 0);
    rest = clamped - days * LB_MS_PER_DAY;
    lb_clock_civil_from_days(days, &year, &month, &day);
    for (i = 0; i < LB_CLOCK_TEXT_BYTES; i++) {
        out[i] = shape[i];
    }
    put_digits(out, (unsigned)year, 4);
    put_digits(out + 5, month, 2);
    put_digits(out + 8, day, 2);
    put_digits(out + 11, (unsigned)(rest / LB_MS_PER_HOUR), 2);
    put_digits(out + 14, (unsigned)(rest / LB_MS_PER_MIN % 60), 2);
    put_digits(out + 17, (unsigned)(rest / LB_MS_PER_S % 60), 2);
    put_digits(out + 20, (unsigned)(rest % LB_MS_PER_S), 3);
}
