/* import_goatcounter.h - GoatCounter's CSV export, versions 1 and 2: each row
 * is a view or an event.  Pure. */
#ifndef LINKBELL_INGEST_IMPORT_GOATCOUNTER_H
#define LINKBELL_INGEST_IMPORT_GOATCOUNTER_H

#include "base/err.h"
#include "ingest/import_reading.h"

struct import_goatcounter; /* where its columns are; read-only once made */

/* LB_EFORMAT: header is no first row of such a file. */
LB_MUST_CHECK enum lb_err
import_goatcounter_new(const char *header,
                       struct import_goatcounter **goatcounter_out,
                       struct lb_error *err);
void import_goatcounter_free(struct import_goatcounter *goatcounter);

enum import_verdict
import_goatcounter_read(const struct import_goatcounter *goatcounter,
                        struct import_reading *reading);

#endif
