/* zone.h - IANA time zones from the TZif files of tzdata (RFC 8536): many zones
 * in one process, which libc does not offer.  A zone is read once, kept for the
 * life of the process and read-only, so any thread may ask it. */
#ifndef LINKBELL_BASE_ZONE_H
#define LINKBELL_BASE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct lb_zone;

enum lb_zone_grain {
    LB_ZONE_15M,
    LB_ZONE_HOUR,
    LB_ZONE_DAY,
    LB_ZONE_WEEK, /* ISO 8601: begins on Monday */
    LB_ZONE_MONTH
};

/* The zone of an IANA name ("Europe/Paris", "UTC").  LB_ENOTFOUND for a name
 * that is none, LB_EFORMAT for a file that can't be read. */
LB_MUST_CHECK enum lb_err lb_zone_find(const char *name,
                                       const struct lb_zone **zone_out,
                                       struct lb_error *err);
const char *lb_zone_name(const struct lb_zone *zone);

/* Seconds east of UTC at an instant. */
int64_t lb_zone_offset_s(const struct lb_zone *zone, int64_t at_ms);

/* Local date as days since 1970-01-01, and the first instant of a local date.
 * Where the clock falls back over midnight the later day keeps what it has
 * begun, so days are ranges without overlap. */
int64_t lb_zone_local_day(const struct lb_zone *zone, int64_t at_ms);
int64_t lb_zone_day_start_ms(const struct lb_zone *zone, int64_t day);

/* The instant at which the local clock reads a date and so many milliseconds
 * past its midnight: the first one of two, or, of an hour that is skipped, the
 * instant that the clock before it would have called so. */
int64_t
lb_zone_instant_ms(const struct lb_zone *zone, int64_t day, int64_t past_ms);

/* Start of the bucket that holds at_ms, and of the one after it.  A bucket is
 * one label of the local clock: a repeated hour makes two, a repeated half hour
 * falls into its hour. */
int64_t lb_zone_bucket_start_ms(const struct lb_zone *zone,
                                enum lb_zone_grain grain,
                                int64_t at_ms);
int64_t lb_zone_bucket_next_ms(const struct lb_zone *zone,
                               enum lb_zone_grain grain,
                               int64_t at_ms);

/* First day of the bucket of day: itself, its Monday, the first of its month.
 */
int64_t lb_zone_day_floor(enum lb_zone_grain grain, int64_t day);

/* "2026-11-01T00:00:00+01:00" and NUL. */
#define LB_ZONE_TEXT_BYTES 26
void lb_zone_format(const struct lb_zone *zone,
                    int64_t at_ms,
                    char out[LB_ZONE_TEXT_BYTES]);

/* "2026-11-01" and NUL. */
#define LB_ZONE_DAY_BYTES 11
void lb_zone_format_day(int64_t day, char out[LB_ZONE_DAY_BYTES]);

/* "YYYY-MM-DD" of a date that exists. */
bool lb_zone_parse_day(const char *text, int64_t *day_out);

/* RFC 3339 with a zone; fractions are cut to milliseconds. */
bool lb_zone_parse_instant(const char *text, int64_t *at_ms_out);

#endif
