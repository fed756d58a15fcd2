/* rows.h - events of a stream on their way out: what stands in a row, rows in
 * parts, gzip.  Pure. */
#ifndef LINKBELL_ALERTS_ROWS_H
#define LINKBELL_ALERTS_ROWS_H

#include <stddef.h>

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/err.h"

/* A row without its nested objects: {"utm":{"source":"x"}} becomes
 * {"utm_source":"x"}; props stay together, as a text of JSON.  LB_EFORMAT: the
 * row is damaged. */
LB_MUST_CHECK enum lb_err rows_add_flat(const char *line, struct lb_buf *out);

/* Appends text as gzip (RFC 1952) without a time, so that the same text is the
 * same bytes. */
LB_MUST_CHECK enum lb_err
rows_add_gzip(const char *text, size_t len, struct lb_buf *out);

#endif
