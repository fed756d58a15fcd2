/* v2_dates.c - the date_range of the stats dialect. */
#include "aggregate/v2_dates.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static int64_t months_before(int64_t month, int count)
{
    while (count-- > 0) {
        month = lb_zone_day_floor(LB_ZONE_MONTH, month - 1);
    }
    return month;
}

static int64_t next_month(int64_t month)
{
    return lb_zone_day_floor(LB_ZONE_MONTH, month + 31);
}

/* A range of whole days. */
struct days {
    int64_t first; /* INT64_MIN: all */
    int64_t end;   /* not included */
};

static bool read_days(const char *word, int64_t today, struct days *days)
{
    static const struct {
        const char *word;
        int days;
    } lengths[] = {
        {"day", 1}, {"7d", 7}, {"28d", 28}, {"30d", 30}, {"91d", 91}};
    int64_t month = lb_zone_day_floor(LB_ZONE_MONTH, today);

    days->end = today + 1;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        if (strcmp(word, lengths[i].word) == 0) {
            days->first = today + 1 - lengths[i].days;
            return true;
        }
    }
    if (strcmp(word, "all") == 0) {
        days->first = INT64_MIN;
        return true;
    }
    days->end = next_month(month);
    if (strcmp(word, "month") == 0) {
        days->first = month;
    } else if (strcmp(word, "6mo") == 0) {
        days->first = months_before(month, 5);
    } else if (strcmp(word, "12mo") == 0) {
        days->first = months_before(month, 11);
    } else if (strcmp(word, "year") == 0) {
        char text[LB_ZONE_DAY_BYTES];

        lb_zone_format_day(today, text);
        (void)snprintf(text + 5, sizeof(text) - 5, "01-01");
        (void)lb_zone_parse_day(text, &days->first);
        (void)snprintf(text + 5, sizeof(text) - 5, "12-31");
        (void)lb_zone_parse_day(text, &days->end);
        days->end++;
    } else {
        return false;
    }
    return true;
}

static bool read_word(const char *word,
                      const struct lb_zone *zone,
                      int64_t now_ms,
                      int64_t *from_out,
                      int64_t *to_out)
{
    static const struct {
        const char *word;
        int64_t length_ms;
    } lengths[] = {{"24h", LB_MS_PER_DAY},
                   {"30m", 30 * LB_MS_PER_MIN},
                   {"realtime", 5 * LB_MS_PER_MIN}};
    struct days days;

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        if (strcmp(word, lengths[i].word) == 0) {
            /* Up to the end of the second that it is. */
            *to_out = (now_ms / LB_MS_PER_S + 1) * LB_MS_PER_S;
            *from_out = *to_out - lengths[i].length_ms;
            return true;
        }
    }
    if (!read_days(word, lb_zone_local_day(zone, now_ms), &days)) {
        return false;
    }
    *from_out = days.first == INT64_MIN
                    ? INT64_MIN
                    : lb_zone_day_start_ms(zone, days.first);
    *to_out = lb_zone_day_start_ms(zone, days.end);
    return true;
}

bool v2_dates_read(const cJSON *json,
                   const struct lb_zone *zone,
                   int64_t now_ms,
                   int64_t *from_out,
                   int64_t *to_out)
{
    const cJSON *first = cJSON_GetArrayItem(json, 0);
    const cJSON *last = cJSON_GetArrayItem(json, 1);
    int64_t from_day;
    int64_t to_day;

    if (cJSON_IsString(json)) {
        return read_word(json->valuestring, zone, now_ms, from_out, to_out);
    }
    if (cJSON_GetArraySize(json) != 2 || !cJSON_IsString(first) ||
        !cJSON_IsString(last)) {
        return false;
    }
    if (lb_zone_parse_day(first->valuestring, &from_day) &&
        lb_zone_parse_day(last->valuestring, &to_day)) {
        *from_out = lb_zone_day_start_ms(zone, from_day);
        *to_out = lb_zone_day_start_ms(zone, to_day + 1);
        return from_day <= to_day;
    }
    if (!lb_zone_parse_instant(first->valuestring, from_out) ||
        !lb_zone_parse_instant(last->valuestring, to_out)) {
        return false;
    }
    /* The last second is included. */
    *to_out = (*to_out / LB_MS_PER_S + 1) * LB_MS_PER_S;
    return *from_out < *to_out;
}
