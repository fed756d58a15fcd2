/* retention.h - ageing out: raw events, contacts and other entries of the log
 * by privacy.retention, counts by privacy.rollup_retention.  Whole days of a
 * site go, by ts, once they are counted; from then on the days are frozen:
 * their counts stay as they are, and no reader sees the events (horizon.h),
 * whose bytes go when rows are deleted and segments written anew (seal.h).
 *
 * Also says when the database comes near limits.max_db_bytes. */
#ifndef LINKBELL_SQL_RETENTION_H
#define LINKBELL_SQL_RETENTION_H

#include "base/config.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/cursor.h"
#include "sql/writer.h"

#define RETENTION_LATEST_DAYS                                                  \
    5 /* these stay in any case: events may come 72 hours late */

struct retention;

/* Adds a chore to the writer; the parts are borrowed. */
LB_MUST_CHECK enum lb_err retention_new(struct writer *writer,
                                        struct cursor *cursor,
                                        struct catalog_holder *holder,
                                        const struct lb_config *config,
                                        struct retention **retention_out,
                                        struct lb_error *err);
void retention_free(struct retention *retention); /* NULL is fine */
void retention_set_config(struct retention *retention,
                          const struct lb_config *config);

#endif
