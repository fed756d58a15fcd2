/* verify_days.h - the counted days beside the log. */
#ifndef LINKBELL_AGGREGATE_VERIFY_DAYS_H
#define LINKBELL_AGGREGATE_VERIFY_DAYS_H

#include <stdint.h>

#include "aggregate/day.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/db.h"

/* A row that is not alike on both sides; a side without it has zeros. */
struct verify_days_difference {
    const struct catalog_site *site;
    int64_t day_at_ms; /* the local day's first instant */
    const char *dimension;
    const struct day_row *rollup;
    const struct day_row *log;
};

struct verify_days_sink {
    void *ctx;
    enum lb_err (*differs)(void *ctx,
                           const struct verify_days_difference *difference);
};

/* Within the connection's transaction: counts every built day anew and compares
 * all of its dimensions.  *rows_out grows by the rows compared. */
LB_MUST_CHECK enum lb_err verify_days_run(struct db *db,
                                          const struct catalog *catalog,
                                          const struct verify_days_sink *sink,
                                          int64_t *rows_out,
                                          struct lb_error *err);

#endif
