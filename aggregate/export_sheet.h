/* export_sheet.h - the stats sheet of exports: a row for each combination of
 * date, site, page, link, source, campaign and country. */
#ifndef LINKBELL_AGGREGATE_EXPORT_SHEET_H
#define LINKBELL_AGGREGATE_EXPORT_SHEET_H

#include <stdbool.h>

#include "aggregate/query.h"
#include "base/buf.h"

void export_sheet_csv_header(struct lb_buf *out);

/* Appends the rows of query's sites and range, sorted by what they combine.
 * Errors as query_run(). */
LB_MUST_CHECK enum lb_err export_sheet_write(struct query *query,
                                             struct db *db,
                                             bool is_csv,
                                             struct lb_buf *out,
                                             struct lb_error *err);

#endif
