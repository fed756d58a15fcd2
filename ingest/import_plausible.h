/* import_plausible.h - the CSV files of Plausible's export.  They hold daily
 * sums, so what they stand for is put at noon of the site's day: imported_pages
 * as views, imported_sources as views with source and visitors (one of the two:
 * both count the same views), imported_custom_events as clicks and conversions.
 * Pure. */
#ifndef LINKBELL_INGEST_IMPORT_PLAUSIBLE_H
#define LINKBELL_INGEST_IMPORT_PLAUSIBLE_H

#include "base/err.h"
#include "base/zone.h"
#include "ingest/import_reading.h"

struct import_plausible; /* which file, and its columns; read-only once made */

/* LB_EFORMAT: header is no first row of such a file.  zone NULL: UTC. */
LB_MUST_CHECK enum lb_err
import_plausible_new(const char *header,
                     const struct lb_zone *zone,
                     struct import_plausible **plausible_out,
                     struct lb_error *err);
void import_plausible_free(struct import_plausible *plausible);

enum import_verdict
import_plausible_read(const struct import_plausible *plausible,
                      struct import_reading *reading);

#endif
