/* reshape.h - what a destination's transform makes of a message or of a batch's
 * rows.  For threads that may wait. */
#ifndef LINKBELL_ALERTS_RESHAPE_H
#define LINKBELL_ALERTS_RESHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "alerts/destination.h"
#include "alerts/transform.h"
#include "base/err.h"

struct reshaped {
    char *body;   /* free() it; NULL: there is no such output */
    size_t count; /* outputs, or rows that are left */
};

/* The program of a destination; NULL: it has none. */
const char *reshape_program(const struct destination *destination);

/* The program's output of that number (from 1) from the message, without what
 * the destination does not take of a contact.  Errors as transform_run(). */
LB_MUST_CHECK enum lb_err reshape_message(struct transform_workers *workers,
                                          const struct destination *destination,
                                          const char *body,
                                          int64_t part,
                                          struct reshaped *out,
                                          struct lb_error *err);

/* The batch (stream.h, with its rows) with the outputs from each row in its
 * place; further ones of a row have _2, _3 after its id. */
LB_MUST_CHECK enum lb_err reshape_batch(struct transform_workers *workers,
                                        const struct destination *destination,
                                        const char *body,
                                        struct reshaped *out,
                                        struct lb_error *err);

#endif
