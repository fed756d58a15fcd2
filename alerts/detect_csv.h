/* detect_csv.h - rows of a `timestamp,value` CSV.  Pure. */
#ifndef LINKBELL_ALERTS_DETECT_CSV_H
#define LINKBELL_ALERTS_DETECT_CSV_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Where the two columns stand, counted from 0. */
struct detect_csv {
    size_t timestamp_column;
    size_t value_column;
};

struct detect_csv_row {
    const char *timestamp_text; /* both borrowed from the line */
    const char *value_text;
    int64_t
        at_ms;    /* as the clock reads that wrote it; an offset is not added */
    double value; /* finite */
};

/* Reads the header, which must name `timestamp` and `value`; other columns may
 * stand beside them.  line is changed.  LB_EFORMAT with err filled. */
LB_MUST_CHECK enum lb_err detect_csv_read_header(char *line,
                                                 struct detect_csv *csv_out,
                                                 struct lb_error *err);

/* Reads one row; line, without its end, is changed.  A timestamp is `YYYY-MM-DD
 * HH:MM[:SS[.fraction]]`, with T as well as a blank, with Z, an offset or
 * neither, or a number: seconds since the epoch, or from 1e11 on milliseconds.
 * LB_EFORMAT with err filled. */
LB_MUST_CHECK enum lb_err detect_csv_read_row(const struct detect_csv *csv,
                                              char *line,
                                              struct detect_csv_row *row_out,
                                              struct lb_error *err);

/* "5m", "90s", "1h", "1d" in milliseconds; -1 for anything else, or when it is
 * not within 1 s to 31 days. */
int64_t detect_csv_interval_ms(const char *text);

#endif
