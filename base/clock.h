/* clock.h - the one place that reads a clock.  Tests replace both clocks. */
#ifndef LINKBELL_BASE_CLOCK_H
#define LINKBELL_BASE_CLOCK_H

#include <stdint.h>

#define LB_MS_PER_S INT64_C(1000)
#define LB_MS_PER_MIN INT64_C(60000)
#define LB_MS_PER_HOUR INT64_C(3600000)
#define LB_MS_PER_DAY INT64_C(86400000)

/* Milliseconds since the Unix epoch, UTC. */
int64_t lb_clock_wall_ms(void);

/* Monotonic time since an arbitrary start; never goes back. */
int64_t lb_clock_mono_ms(void);
int64_t lb_clock_mono_ns(void);

/* For tests: fixes the wall clock at at_ms, or gives it back with at_ms < 0.
 * Not for use while other threads read the clock. */
void lb_clock_fake_wall(int64_t at_ms);

/* "2026-11-23T08:15:02.114Z" and NUL into out, 25 bytes.  at_ms must lie in the
 * years 0 to 9999; it is clamped to them. */
#define LB_CLOCK_TEXT_BYTES 25
void lb_clock_format(int64_t at_ms, char out[LB_CLOCK_TEXT_BYTES]);

/* Days since 1970-01-01 of a proleptic Gregorian date, and its way back
 * (algorithm: Howard Hinnant, "chrono-compatible low-level date algorithms").
 */
int64_t lb_clock_days_from_civil(int64_t year, unsigned month, unsigned day);
void lb_clock_civil_from_days(int64_t days,
                              int64_t *year_out,
                              unsigned *month_out,
                              unsigned *day_out);

#endif
