/* burst.h - visitors that send more events than a person can: more than so many
 * within 60 seconds, until they were quiet for 10 minutes.  Decided in log
 * order by receive time, so it is a function of the log: what lies more than 10
 * minutes back changes nothing.  The writer thread's; it follows commits. */
#ifndef LINKBELL_INGEST_BURST_H
#define LINKBELL_INGEST_BURST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/entry.h"

#define BURST_WINDOW_MS INT64_C(60000)
#define BURST_QUIET_MS INT64_C(600000)
#define BURST_VISITORS 100000 /* held at most; the one quiet longest goes */

struct burst;

struct burst *burst_new(void); /* NULL: out of memory */
void burst_free(struct burst *burst);

/* Says that an entry with its visitor's number will be counted soon. */
void burst_expect(const struct burst *burst, const struct entry *entry);

/* Counts an event, of whatever class, whose visitor is known; *is_burst_out
 * says whether it belongs to a burst of more than per_minute.  per_minute 0: no
 * event does, and nothing is counted.  LB_ENOMEM. */
LB_MUST_CHECK enum lb_err burst_take(struct burst *burst,
                                     const struct entry *entry,
                                     int64_t per_minute,
                                     bool *is_burst_out);

/* The same at start for an entry of the log: one that was stored as burst holds
 * its visitor, however its burst began. */
LB_MUST_CHECK enum lb_err burst_remember(struct burst *burst,
                                         const struct entry *entry,
                                         int64_t per_minute);

/* Inside a job: forgets a visitor, or with visitor 0 a whole site. */
void burst_forget(struct burst *burst,
                  int64_t site,
                  int64_t day,
                  int64_t visitor);

void burst_commit(struct burst *burst);
void burst_rollback(struct burst *burst);
size_t burst_count(const struct burst *burst); /* visitors held */

#endif
