/* quiet.c - hours and days in which a rule's messages wait. */
#include "alerts/quiet.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

#define DAY_MIN 1440
#define WEEK 7
#define ALL_DAYS 0x7fu
#define MONDAY_SHIFT 3 /* 1970-01-01 was a Thursday */

static const char *const day_names[] = {"mon", "tue", "wed", "thu",
                                        "fri", "sat", "sun", NULL};
static const char *const keys[] = {"hours", "days", NULL};

static int find_day(const char *word)
{
    for (int i = 0; word != NULL && i < WEEK; i++) {
        if (strcmp(word, day_names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "22:00"; 24:00 is the day's end. */
static bool read_minute(const char *text, int *min_out)
{
    int hour;
    int minute;

    if (!is_digit(text[0]) || !is_digit(text[1]) || text[2] != ':' ||
        !is_digit(text[3]) || !is_digit(text[4])) {
        return false;
    }
    hour = (text[0] - '0') * 10 + text[1] - '0';
    minute = (text[3] - '0') * 10 + text[4] - '0';
    *min_out = hour * 60 + minute;
    return minute < 60 && *min_out <= DAY_MIN;
}

/* "22:00-07:00"; the same time twice is a whole day. */
static bool read_hours(const char *text, struct quiet_time *time)
{
    return text != NULL && strlen(text) == 11 && text[5] == '-' &&
           read_minute(text, &time->from_min) &&
           read_minute(text + 6, &time->to_min) && time->from_min < DAY_MIN;
}

/* --- reading
 * ------------------------------------------------------------------------ */

static unsigned day_bit(const cJSON *item)
{
    int day = cJSON_IsString(item) ? find_day(item->valuestring) : -1;

    return day < 0 ? 0 : 1u << day;
}

static void read_time(const cJSON *item, struct quiet *quiet)
{
    const cJSON *days = cJSON_GetObjectItemCaseSensitive(item, "days");
    struct quiet_time time = {0, DAY_MIN, ALL_DAYS};
    const cJSON *day;

    if (!cJSON_IsObject(item) || quiet->count == QUIET_TIMES) {
        return;
    }
    if (!read_hours(lb_json_text(item, "hours"), &time)) {
        time.from_min = 0;
        time.to_min = DAY_MIN;
    }
    if (days != NULL) {
        time.days = day_bit(days);
    }
    cJSON_ArrayForEach (day, days) {
        time.days |= day_bit(day);
    }
    quiet->times[quiet->count++] = time;
}

void quiet_read(const cJSON *item, struct quiet *quiet_out)
{
    const cJSON *child;

    memset(quiet_out, 0, sizeof(*quiet_out));
    if (!cJSON_IsArray(item)) {
        read_time(item, quiet_out);
        return;
    }
    cJSON_ArrayForEach (child, item) {
        read_time(child, quiet_out);
    }
}

static bool has_day(const struct quiet_time *time, int day)
{
    return (time->days & 1u << (day + WEEK) % WEEK) != 0;
}

bool quiet_holds(const struct quiet *quiet,
                 const struct lb_zone *zone,
                 int64_t at_ms)
{
    int64_t local_ms;
    int64_t past_ms;
    int minute;
    int day;

    if (quiet->count == 0) {
        return false;
    }
    local_ms = at_ms + lb_zone_offset_s(zone, at_ms) * LB_MS_PER_S;
    past_ms = local_ms % LB_MS_PER_DAY;
    past_ms += past_ms < 0 ? LB_MS_PER_DAY : 0;
    minute = (int)(past_ms / LB_MS_PER_MIN);
    day = (int)(((local_ms - past_ms) / LB_MS_PER_DAY + MONDAY_SHIFT) % WEEK);
    for (size_t i = 0; i < quiet->count; i++) {
        const struct quiet_time *time = &quiet->times[i];
        bool is_over_night = time->to_min <= time->from_min;

        if (minute >= time->from_min &&
            (is_over_night || minute < time->to_min) && has_day(time, day)) {
            return true;
        }
        if (is_over_night && minute < time->to_min && has_day(time, day - 1)) {
            return true;
        }
    }
    return false;
}

/* --- checking
 * ------------------------------------------------------------------------ */

static void check_day(const struct lb_yaml *node,
                      struct lb_config_faults *faults)
{
    const char *word = node->kind == LB_YAML_SCALAR ? node->text : "";

    if (find_day(word) < 0) {
        lb_config_fault(
            faults, node->line, node->column, "days",
            "\"%.20s\" is none of mon, tue, wed, thu, fri, sat, sun", word);
    }
}

static void check_time(const struct lb_yaml *time,
                       struct lb_config_faults *faults)
{
    const struct lb_yaml *hours = lb_yaml_find(time, "hours");
    const struct lb_yaml *days = lb_yaml_find(time, "days");
    struct quiet_time read;

    if (time->kind != LB_YAML_MAP || (hours == NULL && days == NULL)) {
        lb_config_fault(faults, time->line, time->column, "quiet",
                        "must hold hours, days or both, such as { hours: "
                        "\"22:00-07:00\" }");
        return;
    }
    for (const struct lb_yaml *node = time->child; node != NULL;
         node = node->next) {
        if (node != hours && node != days) {
            const char *near = lb_yaml_suggest(node->key, keys);

            lb_config_fault(faults, node->key_line, node->key_column, node->key,
                            "is no key of quiet; did you mean %s?",
                            near == NULL ? "hours" : near);
        }
    }
    if (hours != NULL &&
        (hours->kind != LB_YAML_SCALAR || !read_hours(hours->text, &read))) {
        lb_config_fault(faults, hours->line, hours->column, "hours",
                        "must be two times of day such as \"22:00-07:00\"");
    }
    if (days != NULL && days->kind != LB_YAML_LIST) {
        check_day(days, faults);
    }
    for (const struct lb_yaml *day =
             days == NULL || days->kind != LB_YAML_LIST ? NULL : days->child;
         day != NULL; day = day->next) {
        check_day(day, faults);
    }
}

void quiet_check(const struct lb_yaml *node, struct lb_config_faults *faults)
{
    size_t count = 0;

    if (node->kind != LB_YAML_LIST) {
        check_time(node, faults);
        return;
    }
    for (const struct lb_yaml *time = node->child; time != NULL;
         time = time->next) {
        check_time(time, faults);
        count++;
    }
    if (count == 0 || count > QUIET_TIMES) {
        lb_config_fault(faults, node->line, node->column, "quiet",
                        "must hold 1 to %d times", QUIET_TIMES);
    }
}
