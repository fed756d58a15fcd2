/* import_order.h - what `linkbell import` tells the service of the records that
 * it sends: one line of JSON, then the records as they stand in the file. */
#ifndef LINKBELL_INGEST_IMPORT_ORDER_H
#define LINKBELL_INGEST_IMPORT_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "ingest/import_reader.h"

#define IMPORT_ORDER_RECORDS 1000 /* of one request */

/* A record that stood before in the file, and how often. */
struct import_repeat {
    uint32_t index; /* in the request, from 0 */
    uint32_t count;
};

struct import_order {
    struct import_spec spec; /* its zone is not sent */
    bool is_strict;          /* nothing after a bad record is taken */
    bool is_firing;          /* rules may ring */
    size_t repeat_count;
    struct import_repeat repeats[IMPORT_ORDER_RECORDS]; /* by index */
};

/* With the line end. */
void import_order_write(const struct import_order *order, struct lb_buf *out);

/* Reads the line at body; *used_out is its length with the line end.  Strings
 * lie in arena.  LB_EFORMAT, LB_ENOMEM. */
LB_MUST_CHECK enum lb_err import_order_read(const char *body,
                                            size_t len,
                                            struct lb_arena *arena,
                                            struct import_order *order_out,
                                            size_t *used_out);

#endif
