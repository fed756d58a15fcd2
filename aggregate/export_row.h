/* export_row.h - an event as one row of an export.  Pure. */
#ifndef LINKBELL_AGGREGATE_EXPORT_ROW_H
#define LINKBELL_AGGREGATE_EXPORT_ROW_H

#include "base/buf.h"
#include "sql/entry.h"

void export_row_json(const struct entry *entry,
                     const char *site,
                     struct lb_buf *out); /* with newline */
void export_row_csv_header(struct lb_buf *out);
void export_row_csv(const struct entry *entry,
                    const char *site,
                    struct lb_buf *out);

#endif
