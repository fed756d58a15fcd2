/* zone_file.c - TZif files (RFC 8536) and the POSIX TZ rules of their footer.
 */
#include "base/zone_file.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/zone.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"
#define ZONE_FILE_BYTES ((size_t)256 * 1024)
#define HEADER_BYTES 44
#define TRANSITIONS_MAX 4096

struct counts {
    size_t isut;
    size_t isstd;
    size_t leap;
    size_t time;
    size_t type;
    size_t chars;
};

static uint32_t be32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
           (uint32_t)bytes[2] << 8 | (uint32_t)bytes[3];
}

static int64_t be64(const unsigned char *bytes)
{
    return (int64_t)((uint64_t)be32(bytes) << 32 | be32(bytes + 4));
}

static bool
read_header(const unsigned char *bytes, size_t len, struct counts *out)
{
    if (len < HEADER_BYTES || memcmp(bytes, "TZif", 4) != 0 || bytes[4] < '2') {
        return false;
    }
    out->isut = be32(bytes + 20);
    out->isstd = be32(bytes + 24);
    out->leap = be32(bytes + 28);
    out->time = be32(bytes + 32);
    out->type = be32(bytes + 36);
    out->chars = be32(bytes + 40);
    return out->time <= TRANSITIONS_MAX && out->type >= 1 && out->type <= 256 &&
           out->chars <= 256 && out->leap <= 1024 && out->isut <= 256 &&
           out->isstd <= 256;
}

static size_t body_bytes(const struct counts *counts, size_t time_bytes)
{
    return counts->time * (time_bytes + 1) + counts->type * 6 + counts->chars +
           counts->leap * (time_bytes + 4) + counts->isstd + counts->isut;
}

static const char *read_number(const char *text, int *value_out)
{
    int value = 0;

    if (*text < '0' || *text > '9') {
        return NULL;
    }
    while (*text >= '0' && *text <= '9' && value < 100000) {
        value = value * 10 + (*text++ - '0');
    }
    *value_out = value;
    return text;
}

/* "[+-]hh[:mm[:ss]]" as seconds. */
static const char *read_clock(const char *text, int64_t *seconds_out)
{
    bool is_negative = *text == '-';
    int64_t unit = 3600;
    int64_t sum = 0;
    int part = 0;

    text += *text == '-' || *text == '+' ? 1 : 0;
    do {
        text = read_number(text, &part);
        if (text == NULL) {
            return NULL;
        }
        sum += part * unit;
        unit /= 60;
    } while (unit > 0 && *text == ':' && text++ != NULL);
    *seconds_out = is_negative ? -sum : sum;
    return text;
}

static const char *skip_name(const char *text)
{
    if (*text == '<') {
        text = strchr(text, '>');
        return text == NULL ? NULL : text + 1;
    }
    while ((*text >= 'A' && *text <= 'Z') || (*text >= 'a' && *text <= 'z')) {
        text++;
    }
    return text;
}

static const char *read_rule(const char *text, struct lb_zone_file_rule *rule)
{
    rule->kind = 'N';
    if (*text == 'M' || *text == 'J') {
        rule->kind = *text++;
    }
    if (rule->kind == 'M') {
        text = read_number(text, &rule->month);
        text = text != NULL && *text == '.' ? read_number(text + 1, &rule->week)
                                            : NULL;
        text = text != NULL && *text == '.' ? read_number(text + 1, &rule->day)
                                            : NULL;
        if (text == NULL || rule->month < 1 || rule->month > 12 ||
            rule->week < 1 || rule->week > 5 || rule->day > 6) {
            return NULL;
        }
    } else {
        text = read_number(text, &rule->day);
    }
    rule->at_s = 7200;
    return text != NULL && *text == '/' ? read_clock(text + 1, &rule->at_s)
                                        : text;
}

/* POSIX.1-2017, 8.3, TZ; with RFC 8536's hours of -167 to 167. */
static bool parse_footer(const char *text, struct lb_zone *zone)
{
    int64_t west_s = 0;

    if (*text == '\0') {
        return true;
    }
    text = skip_name(text);
    text = text == NULL ? NULL : read_clock(text, &west_s);
    if (text == NULL) {
        return false;
    }
    zone->has_footer = true;
    zone->std_offset_s = (int32_t)-west_s;
    zone->dst_offset_s = zone->std_offset_s + 3600;
    if (*text == '\0') {
        return true;
    }
    text = skip_name(text);
    if (text != NULL && *text != ',' && *text != '\0') {
        text = read_clock(text, &west_s);
        zone->dst_offset_s = (int32_t)-west_s;
    }
    text = text != NULL && *text == ',' ? read_rule(text + 1, &zone->dst_start)
                                        : NULL;
    text = text != NULL && *text == ',' ? read_rule(text + 1, &zone->dst_end)
                                        : NULL;
    zone->has_dst = text != NULL && *text == '\0';
    return zone->has_dst;
}

static bool read_body(const unsigned char *at,
                      const struct counts *counts,
                      struct lb_zone *zone)
{
    const unsigned char *indexes = at + counts->time * 8;
    const unsigned char *types = indexes + counts->time;

    zone->at_s = calloc(counts->time + 1, sizeof(*zone->at_s));
    zone->offset_s = calloc(counts->time + 1, sizeof(*zone->offset_s));
    if (zone->at_s == NULL || zone->offset_s == NULL) {
        return false;
    }
    for (size_t i = 0; i < counts->time; i++) {
        if (indexes[i] >= counts->type) {
            return false;
        }
        zone->at_s[i] = be64(at + i * 8);
        zone->offset_s[i] = (int32_t)be32(types + (size_t)indexes[i] * 6);
    }
    zone->first_offset_s = (int32_t)be32(types);
    zone->count = counts->time;
    return true;
}

bool lb_zone_file_parse(const unsigned char *bytes,
                        size_t len,
                        struct lb_zone *zone)
{
    const unsigned char *end = bytes + len;
    struct counts counts;
    char footer[128];
    size_t used;

    if (!read_header(bytes, len, &counts)) {
        return false;
    }
    bytes += HEADER_BYTES;
    used = body_bytes(&counts, 4);
    if ((size_t)(end - bytes) < used) {
        return false;
    }
    bytes += used;
    if (!read_header(bytes, (size_t)(end - bytes), &counts)) {
        return false;
    }
    bytes += HEADER_BYTES;
    used = body_bytes(&counts, 8);
    if ((size_t)(end - bytes) < used + 2 || !read_body(bytes, &counts, zone)) {
        return false;
    }
    bytes += used + 1; /* and the footer's first newline */
    used = 0;
    while (bytes < end && *bytes != '\n' && used + 1 < sizeof(footer)) {
        footer[used++] = (char)*bytes++;
    }
    footer[used] = '\0';
    return parse_footer(footer, zone);
}

void lb_zone_file_free(struct lb_zone *zone)
{
    if (zone != NULL) {
        free(zone->at_s);
        free(zone->offset_s);
        free(zone);
    }
}

/* Local second, from the start of the year's epoch day, at which a rule holds.
 */
static int64_t rule_local_s(const struct lb_zone_file_rule *rule, int64_t year)
{
    int64_t january = lb_clock_days_from_civil(year, 1, 1);
    int64_t day;

    if (rule->kind == 'M') {
        int64_t first =
            lb_clock_days_from_civil(year, (unsigned)rule->month, 1);
        int64_t next =
            rule->month == 12
                ? lb_clock_days_from_civil(year + 1, 1, 1)
                : lb_clock_days_from_civil(year, (unsigned)rule->month + 1, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 0: Sunday */

        day = first + (rule->day - weekday + 7) % 7 +
              (rule->week - 1) * INT64_C(7);
        while (day >= next) {
            day -= 7;
        }
    } else if (rule->kind == 'J') {
        bool is_leap =
            lb_clock_days_from_civil(year + 1, 1, 1) - january == 366;

        day = january + rule->day - 1 + (is_leap && rule->day >= 60 ? 1 : 0);
    } else {
        day = january + rule->day;
    }
    return day * 86400 + rule->at_s;
}

static int64_t footer_offset(const struct lb_zone *zone, int64_t at_s)
{
    int64_t year;
    unsigned month;
    unsigned day;
    int64_t start;
    int64_t end;
    bool is_dst;

    if (!zone->has_dst) {
        return zone->std_offset_s;
    }
    lb_clock_civil_from_days((at_s + zone->std_offset_s) / 86400, &year, &month,
                             &day);
    start = rule_local_s(&zone->dst_start, year) - zone->std_offset_s;
    end = rule_local_s(&zone->dst_end, year) - zone->dst_offset_s;
    is_dst =
        start < end ? at_s >= start && at_s < end : at_s >= start || at_s < end;
    return is_dst ? zone->dst_offset_s : zone->std_offset_s;
}

int64_t lb_zone_file_offset_s(const struct lb_zone *zone, int64_t at_s)
{
    size_t low = 0;
    size_t high = zone->count;

    if (zone->has_footer &&
        (zone->count == 0 || at_s >= zone->at_s[zone->count - 1])) {
        return footer_offset(zone, at_s);
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (zone->at_s[middle] <= at_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? zone->first_offset_s : zone->offset_s[low - 1];
}

static bool is_zone_name(const char *name)
{
    if (name[0] == '\0' || name[0] == '/' || strstr(name, "..") != NULL ||
        strlen(name) >= LB_ZONE_NAME_BYTES) {
        return false;
    }
    for (const char *c = name; *c != '\0'; c++) {
        bool is_plain = (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
                        (*c >= '0' && *c <= '9') || strchr("_+-/", *c) != NULL;

        if (!is_plain) {
            return false;
        }
    }
    return true;
}

static enum lb_err
read_zone(const char *name, struct lb_zone **zone_out, struct lb_error *err)
{
    char path[sizeof(ZONE_FOLDER) + 1 + LB_ZONE_NAME_BYTES];
    struct lb_zone *zone = calloc(1, sizeof(*zone));
    unsigned char *bytes = malloc(ZONE_FILE_BYTES);
    enum lb_err rc = LB_OK;
    FILE *file = NULL;
    size_t len;

    *zone_out = NULL;
    if (zone == NULL || bytes == NULL) {
        rc = lb_err_set(err, LB_ENOMEM, "out of memory");
        goto out;
    }
    (void)snprintf(path, sizeof(path), "%s/%s", ZONE_FOLDER, name);
    file = fopen(path, "rbe");
    len = file == NULL ? 0 : fread(bytes, 1, ZONE_FILE_BYTES, file);
    if (len == 0) {
        rc = lb_err_set(err, LB_ENOTFOUND,
                        "there is no time zone \"%s\"; use an IANA name such "
                        "as Europe/Paris",
                        name);
        goto out;
    }
    if (!lb_zone_file_parse(bytes, len, zone)) {
        rc = lb_err_set(err, LB_EFORMAT, "%s is no time zone file", path);
        goto out;
    }
    (void)snprintf(zone->name, sizeof(zone->name), "%s", name);
    *zone_out = zone;
    zone = NULL;
out:
    if (file != NULL) {
        (void)fclose(file);
    }
    free(bytes);
    lb_zone_file_free(zone);
    return rc;
}

enum lb_err lb_zone_find(const char *name,
                         const struct lb_zone **zone_out,
                         struct lb_error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct lb_zone *zones; /* by lock; entries never change */
    struct lb_zone *zone;
    enum lb_err rc = LB_OK;

    *zone_out = NULL;
    if (!is_zone_name(name)) {
        return lb_err_set(err, LB_ENOTFOUND,
                          "this is no time zone; use an IANA name such as "
                          "Europe/Paris");
    }
    (void)pthread_mutex_lock(&lock);
    for (zone = zones; zone != NULL && strcmp(zone->name, name) != 0;) {
        zone = zone->next;
    }
    if (zone == NULL) {
        rc = read_zone(name, &zone, err);
        if (zone != NULL) {
            zone->next = zones;
            zones = zone;
        }
    }
    (void)pthread_mutex_unlock(&lock);
    *zone_out = zone;
    return rc;
}
