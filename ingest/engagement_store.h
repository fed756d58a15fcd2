/* engagement_store.h - appending what is no event but tells of the visit that
 * is under way.  The writer thread's. */
#ifndef LINKBELL_INGEST_ENGAGEMENT_STORE_H
#define LINKBELL_INGEST_ENGAGEMENT_STORE_H

#include "base/err.h"
#include "ingest/decide.h"
#include "ingest/event.h"
#include "sql/cursor.h"

/* Inside a job: appends the engagement that event is, or sets is_dropped when
 * its visitor is no person or is within no visit.  Nothing is remembered of it
 * either way: it neither makes a visitor nor prolongs a visit. */
LB_MUST_CHECK enum lb_err engagement_store_append(struct cursor *cursor,
                                                  const struct decide *decide,
                                                  struct db *db,
                                                  struct event *event,
                                                  struct lb_error *err);

#endif
