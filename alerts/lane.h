/* lane.h - when attempts at one destination may start: its concurrency, rate,
 * holds and circuit breaker.  No clock, no I/O: times are given in. */
#ifndef LINKBELL_ALERTS_LANE_H
#define LINKBELL_ALERTS_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alerts/destination.h"

#define LANE_PROBES 16
#define LANE_ID_BYTES 40
#define LANE_REASON_BYTES 48
/* Between probes of a paused one. */
#define LANE_PAUSE_PROBE_MS INT64_C(900000)

struct lane_rules {
    int concurrency;
    int64_t spacing_us;
    int failures; /* in a row that open the breaker */
    int64_t probes_ms[LANE_PROBES];
    size_t probe_count; /* 1 at least */
    double jitter;      /* share of a delay */
};

enum lane_state {
    LANE_OK,
    LANE_OPEN,    /* the breaker: nothing starts but probes */
    LANE_PAUSED,  /* it wants other secrets, or its address is not allowed */
    LANE_DISABLED /* nothing starts */
};
const char *lane_state_name(enum lane_state state); /* static */
/* LANE_OK for anything that is no state's name. */
enum lane_state lane_state_read(const char *name);

struct lane {
    struct lane *next;
    char id[LANE_ID_BYTES];
    enum lane_state state;
    char reason[LANE_REASON_BYTES];              /* of the state */
    uint8_t fingerprint[LB_SECRET_SHA256_BYTES]; /* when it got into it */
    struct destination_memory memory;            /* of the type */
    int in_flight;
    int growing; /* in flight at most after the breaker closed; 0: no limit */
    int64_t next_start_us;
    int dead_rows; /* of a stream, one after the other */
    int64_t hold_until_ms;
    int64_t probe_at_ms;
    size_t probe;            /* the next one's index */
    int64_t opened_at_ms;    /* the breaker */
    int64_t dead_told_at_ms; /* 0: the owner was not told */
    bool is_open_told;
    int failures;      /* in a row */
    int throttles;     /* in a row */
    bool has_answered; /* a failure of the row was an answer */
    bool has_two;      /* the row is of two messages at least */
    char failed[96];   /* its first message */
};

/* Whether an attempt may start at that time. */
bool lane_may_start(const struct lane *lane,
                    const struct lane_rules *rules,
                    int64_t now_ms);
/* When the next one may start; INT64_MAX: after one that is under way ended,
 * or never. */
int64_t lane_next_ms(const struct lane *lane, const struct lane_rules *rules);
/* Whether an attempt that starts now is a probe. */
bool lane_is_probing(const struct lane *lane);
void lane_start(struct lane *lane,
                const struct lane_rules *rules,
                int64_t now_ms);

struct lane_end {
    enum destination_outcome outcome;
    bool has_answered;   /* there was an answer, whatever it said */
    bool is_batch;       /* of a stream: many messages in one */
    const char *message; /* its id */
    const char *reason;  /* of AUTH and DISABLE */
    int64_t wait_ms;     /* hold everything so long; 0: nothing said */
    bool is_probe;
    double random; /* 0 to 1, for the jitter */
};
enum lane_change {
    LANE_SAME,
    LANE_HAS_OPENED,
    LANE_HAS_CLOSED, /* the breaker, or a pause is over */
    LANE_HAS_PAUSED,
    LANE_HAS_BEEN_DISABLED
};
/* An attempt that was started ended. */
enum lane_change lane_finish(struct lane *lane,
                             const struct lane_rules *rules,
                             const struct lane_end *end,
                             int64_t now_ms);
/* It is taken out of whatever state it is in. */
void lane_reset(struct lane *lane);
/* delay_ms with the random part of that share. */
int64_t lane_jitter(int64_t delay_ms, double share, double random);

#endif
