/* log_lookup.h - one event of the log after the other by log number, for
 * whoever changes them.  What was unpacked of a segment stays for the next one.
 */
#ifndef LINKBELL_SQL_LOG_LOOKUP_H
#define LINKBELL_SQL_LOG_LOOKUP_H

#include <stdint.h>

#include "base/err.h"
#include "sql/db.h"
#include "sql/entry.h"

struct log_lookup;

struct log_lookup *log_lookup_new(void);         /* NULL: out of memory */
void log_lookup_free(struct log_lookup *lookup); /* NULL is fine */

/* Within the current transaction of db: the event at seq, of that site (0: of
 * any, which unpacks more), with its texts and without its contact.  *entry_out
 * is NULL when there is none, else good until the next call. */
LB_MUST_CHECK enum lb_err log_lookup_event(struct log_lookup *lookup,
                                           struct db *db,
                                           int64_t seq,
                                           int64_t site,
                                           const struct entry **entry_out,
                                           struct lb_error *err);

#endif
