/* trust.h - how complete the figures are that an alert is about, as the log
 * says up to the entry that decides.  The writer thread's. */
#ifndef LINKBELL_ALERTS_TRUST_H
#define LINKBELL_ALERTS_TRUST_H

#include <stdint.h>

#include "base/err.h"
#include "sql/coverage.h"
#include "sql/db.h"

/* The worst of the quarters of an hour that span touches; span's state is not
 * looked at. */
LB_MUST_CHECK enum lb_err trust_read(struct db *db,
                                     const struct coverage_span *span,
                                     int64_t upto_seq,
                                     enum coverage_state *worst_out,
                                     struct lb_error *err);

#endif
