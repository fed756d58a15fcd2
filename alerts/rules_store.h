/* rules_store.h - how a rule fares. */
#ifndef LINKBELL_ALERTS_RULES_STORE_H
#define LINKBELL_ALERTS_RULES_STORE_H

#include "base/buf.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/db.h"

/* Appends until when it is muted and when it last rang, as members of the
 * rule's object. */
LB_MUST_CHECK enum lb_err
rules_store_add_state(struct db *db,
                      const struct catalog_object *rule,
                      struct lb_buf *out,
                      struct lb_error *err);

#endif
