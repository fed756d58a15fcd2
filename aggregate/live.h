/* live.h - what happens now, read on from a place in the log: the last events
 * of people, and how many are there.  Any thread with a read-only connection.
 */
#ifndef LINKBELL_AGGREGATE_LIVE_H
#define LINKBELL_AGGREGATE_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/db.h"

#define LIVE_NOW_MS 300000 /* who did something since then is there */
#define LIVE_BACK 1000     /* entries of the log that a reader may be behind */
#define LIVE_A_SECOND 20   /* events told */

/* A reader's place and what it may tell. */
struct live {
    const struct catalog *catalog; /* borrowed */
    const int64_t *sites;          /* catalog numbers; borrowed */
    size_t site_count;
    int64_t seq;      /* entries after it are new */
    bool has_no_rate; /* all are told at the next reading, as many as there are
                       */
    int64_t second;   /* of the monotonic clock, in which told were told */
    size_t told;
    int64_t skipped; /* entries that were not told */
};

/* Appends the events after live->seq up to upto_seq as server-sent events and
 * moves on.  Entries that imports wrote are no news. */
LB_MUST_CHECK enum lb_err live_read_events(struct live *live,
                                           struct db *db,
                                           int64_t upto_seq,
                                           struct lb_buf *out,
                                           struct lb_error *err);

struct live_state {
    int64_t visitors_now;
    int64_t views;
    int64_t clicks;
};

/* Counts the people of LIVE_NOW_MS before at_ms (wall clock). */
LB_MUST_CHECK enum lb_err live_read_state(const struct live *live,
                                          struct db *db,
                                          int64_t at_ms,
                                          struct live_state *state_out,
                                          struct lb_error *err);

/* Appends one server-sent event; seq 0: without an id. */
void live_add(struct lb_buf *out,
              const char *name,
              int64_t seq,
              const char *data);

#endif
