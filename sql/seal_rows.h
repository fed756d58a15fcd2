/* seal_rows.h - packs of events that lie in a segment by now are deleted, some
 * in each group's transaction, which is synced anyway, and by themselves when
 * no group comes. */
#ifndef LINKBELL_SQL_SEAL_ROWS_H
#define LINKBELL_SQL_SEAL_ROWS_H

#include "base/err.h"
#include "sql/writer.h"

struct seal_rows;

/* Registers with the writer, before it starts. */
LB_MUST_CHECK enum lb_err seal_rows_new(struct writer *writer,
                                        struct seal_rows **rows_out,
                                        struct lb_error *err);
void seal_rows_free(struct seal_rows *rows); /* NULL is fine */

#endif
