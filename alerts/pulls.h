/* pulls.h - the exports that were pulled, for rules of kind not_pulled: each
 * site that such a rule looks at is a group of its own.  The writer thread's,
 * inside the cursor's transaction. */
#ifndef LINKBELL_ALERTS_PULLS_H
#define LINKBELL_ALERTS_PULLS_H

#include <stdint.h>

#include "alerts/engine.h"
#include "base/err.h"
#include "sql/db.h"
#include "sql/entry.h"

/* The entry says that an export was pulled: data is {"export":"stats",
 * "sites":["alice.bio"]}; without "sites" it was one of all sites. */
LB_MUST_CHECK enum lb_err pulls_take(struct engine *engine,
                                     struct db *db,
                                     const struct entry *entry,
                                     struct lb_error *err);

/* The last pulls of all rules that decide, as the log up to upto_seq says. */
LB_MUST_CHECK enum lb_err pulls_read(struct engine *engine,
                                     struct db *db,
                                     int64_t upto_seq,
                                     struct lb_error *err);

#endif
