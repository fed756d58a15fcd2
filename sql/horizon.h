/* horizon.h - up to when the events of a site have aged out (retention.h): no
 * reader of the log sees what lies before, whether its bytes are gone or not.
 */
#ifndef LINKBELL_SQL_HORIZON_H
#define LINKBELL_SQL_HORIZON_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/db.h"

#define HORIZON_NONE INT64_MIN

struct horizon; /* of all sites; NULL: nothing has aged out anywhere */

/* Within the current transaction. */
LB_MUST_CHECK enum lb_err
horizon_load(struct db *db, struct horizon **horizon_out, struct lb_error *err);
void horizon_free(struct horizon *horizon); /* NULL is fine */

/* Events of the site with ts before it are gone; HORIZON_NONE: none are. */
int64_t horizon_of(const struct horizon *horizon, int64_t site);
/* Another number when any of them moved. */
int64_t horizon_sum(const struct horizon *horizon);
/* The latest of all. */
int64_t horizon_latest(const struct horizon *horizon);

#endif
