/* log_change.h - what changes in the log after it was written: events that are
 * erased or get another class, sealed or not yet. */
#ifndef LINKBELL_SQL_LOG_CHANGE_H
#define LINKBELL_SQL_LOG_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/db.h"
#include "sql/entry.h"
#include "sql/horizon.h"

/* Writer thread: the event takes over its class and reason (the dict's number);
 * nothing else of it. */
LB_MUST_CHECK enum lb_err log_change_class(struct db *db,
                                           const struct entry *entry,
                                           struct lb_error *err);
/* Writer thread: removes the event. */
LB_MUST_CHECK enum lb_err
log_change_erase(struct db *db, int64_t seq, struct lb_error *err);

/* Writer thread: removes what has aged out of events that are not
 * sealed, a few packs (log_rows.h) behind after_seq; *upto_out: where to go on,
 * INT64_MAX: nowhere. */
LB_MUST_CHECK enum lb_err log_change_age(struct db *db,
                                         const struct horizon *horizon,
                                         int64_t after_seq,
                                         size_t packs,
                                         int64_t *upto_out,
                                         struct lb_error *err);

/* How many changes there were so far. */
LB_MUST_CHECK enum lb_err
log_change_count(struct db *db, int64_t *count_out, struct lb_error *err);

/* Whether an event of after_seq < seq <= upto_seq changed since there were
 * since_count; what changed before log_change_forget() is not known. */
LB_MUST_CHECK enum lb_err log_change_any(struct db *db,
                                         int64_t since_count,
                                         int64_t after_seq,
                                         int64_t upto_seq,
                                         bool *is_any_out,
                                         struct lb_error *err);
LB_MUST_CHECK enum lb_err log_change_forget(struct db *db,
                                            struct lb_error *err);

#endif
