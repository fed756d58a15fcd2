/* gaps.h - the log's account of time: when the service did not listen, and when
 * the clock was set back.  Time without listening is no silence of the
 * visitors, so a window that waits for too little leaves it out.  Pure. */
#ifndef LINKBELL_ALERTS_GAPS_H
#define LINKBELL_ALERTS_GAPS_H

#include <stddef.h>
#include <stdint.h>

#define GAPS_MAX 256      /* starts remembered; the oldest out first */
#define GAPS_BACKS_MAX 64 /* clocks set back, likewise */

struct gaps {
    struct {
        int64_t from_ms;
        int64_t to_ms;
    } at[GAPS_MAX]; /* in order of time, apart from each other */
    size_t count;
    struct {
        int64_t seq; /* of the entry that says so */
        int64_t from_ms;
        int64_t to_ms;
    } backs[GAPS_BACKS_MAX]; /* in log order */
    size_t back_count;
};

/* One that ends later than all before; nothing when it is empty. */
void gaps_add(struct gaps *gaps, int64_t from_ms, int64_t to_ms);

/* The clock was set back: nothing lies ahead of to_ms any more. */
void gaps_set_back(struct gaps *gaps,
                   int64_t seq,
                   int64_t from_ms,
                   int64_t to_ms);

/* How much of from_ms..to_ms nobody listened. */
int64_t gaps_deaf_ms(const struct gaps *gaps, int64_t from_ms, int64_t to_ms);

/* The first instant of a window that ends 1 ms after at_ms and holds length_ms
 * of listening.  It never goes back as at_ms goes on. */
int64_t gaps_oldest(const struct gaps *gaps, int64_t at_ms, int64_t length_ms);

#endif
