/* erase_find.h - who is meant by an erasure, and what they left; on a reader.
 */
#ifndef LINKBELL_SQL_ERASE_FIND_H
#define LINKBELL_SQL_ERASE_FIND_H

#include "sql/erase.h"

/* On a reader: who is meant.  LB_ENOTFOUND: there is no such site; LB_EINVAL:
 * the visitor of an export is one of several sites. */
LB_MUST_CHECK enum lb_err
erase_find_who(struct erase *erase, struct db *db, struct lb_error *err);

/* On a reader: looks through the next piece of the log; *is_over_out when all
 * of it was seen. */
LB_MUST_CHECK enum lb_err erase_find_piece(struct erase *erase,
                                           struct db *db,
                                           bool *is_over_out,
                                           struct lb_error *err);

/* Calls each for the site and time of every event that goes, once
 * erase_find_piece() is over. */
void erase_find_each_day(const struct erase *erase,
                         void (*each)(void *ctx,
                                      const struct catalog_site *site,
                                      int64_t day),
                         void *ctx);

#endif
