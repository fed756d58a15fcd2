/* replay.h - what rules know, read from the log without deciding: the windows
 * of thresholds, the last signs of absent, the counts of milestones and of
 * ctr, the windows of spikes and drops, and the values of first_seen. */
#ifndef LINKBELL_ALERTS_REPLAY_H
#define LINKBELL_ALERTS_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alerts/faces.h"
#include "alerts/gaps.h"
#include "alerts/groups.h"
#include "alerts/ruleset.h"
#include "alerts/seen.h"
#include "base/err.h"
#include "sql/db.h"
#include "sql/dict.h"

struct replay {
    const struct ruleset *set; /* all borrowed */
    const size_t *rules;       /* which of set are fed */
    size_t rule_count;
    struct groups *groups;
    struct seen *seen; /* NULL: no values are fed */
    const struct gaps *gaps;
    int64_t now_ms;      /* what a window holds then is counted */
    bool is_first;       /* milestones and aligned windows are fed too */
    struct faces *faces; /* for rules that count crowds */
};

struct replay_piece {
    int64_t after_seq; /* entries with a greater log number; moves on */
    int64_t upto_seq;  /* and at most this one */
    size_t entries;    /* read at most; 0: any number */
    int64_t until_ms;  /* monotonic time to stop at; 0: none */
};

/* Works what spikes and drops have learnt so far into their baselines, so that
 * little is left to do when they begin.  False: out of memory. */
LB_MUST_CHECK bool replay_digest(const struct replay *replay);

/* Reads a piece on db, within its current transaction; piece->after_seq is then
 * the last log number that is done with.  It also ends when seen is full. */
LB_MUST_CHECK enum lb_err replay_read(const struct replay *replay,
                                      struct db *db,
                                      struct replay_piece *piece,
                                      struct lb_error *err);

#endif
