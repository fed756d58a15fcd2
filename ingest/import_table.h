/* import_table.h - what the tables of other services have in common.  Pure. */
#ifndef LINKBELL_INGEST_IMPORT_TABLE_H
#define LINKBELL_INGEST_IMPORT_TABLE_H

#include "base/err.h"
#include "ingest/import_cells.h"
#include "ingest/import_reading.h"

/* Reads the names of the first row; places has a place for each of names
 * (NULL-terminated), -1 where the file lacks it. */
LB_MUST_CHECK enum lb_err import_table_find(const char *header,
                                            const char *const *names,
                                            int *places,
                                            size_t *cell_count_out,
                                            struct lb_error *err);

/* The cells of a row, and an empty object for its event. */
enum import_verdict import_table_read(struct import_reading *reading,
                                      size_t cell_count,
                                      struct import_cells *cells);

/* "" where the file has no such column (-1). */
const char *import_table_cell(const struct import_cells *cells, int place);

/* A referrer that was stored without its scheme. */
void import_table_put_referrer(struct import_reading *reading,
                               const char *referrer);

#endif
