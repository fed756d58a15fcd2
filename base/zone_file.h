/* zone_file.h - one TZif file in memory (RFC 8536).  For zone.c. */
#ifndef LINKBELL_BASE_ZONE_FILE_H
#define LINKBELL_BASE_ZONE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LB_ZONE_NAME_BYTES 64

/* "M3.2.0/2": a day of the year and the second of it. */
struct lb_zone_file_rule {
    char kind; /* 'M' month.week.day, 'J' day without 29 February, 'N' day from
                  0 */
    int month;
    int week;
    int day;
    int64_t at_s; /* local seconds after midnight; may be negative */
};

struct lb_zone {
    char name[LB_ZONE_NAME_BYTES];
    int64_t *at_s;     /* owned; transitions, ascending */
    int32_t *offset_s; /* owned; the offset from each transition on */
    size_t count;
    int32_t first_offset_s; /* before the first transition */
    /* After the last transition: POSIX TZ rules of the footer. */
    bool has_footer;
    bool has_dst;
    int32_t std_offset_s;
    int32_t dst_offset_s;
    struct lb_zone_file_rule dst_start;
    struct lb_zone_file_rule dst_end;
    struct lb_zone *next; /* in the list of all zones read */
};

int64_t lb_zone_file_offset_s(const struct lb_zone *zone, int64_t at_s);

/* Parses the file's bytes; false when they do not follow the format. */
bool lb_zone_file_parse(const unsigned char *bytes,
                        size_t len,
                        struct lb_zone *zone);
void lb_zone_file_free(struct lb_zone *zone);

#endif
