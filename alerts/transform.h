/* transform.h - a destination's jq program (`transform`), which shapes, drops
 * or splits messages before they are rendered.  It runs in a process of its
 * own, kept while messages come (transform_worker.h), with a limit of time and
 * of memory.  For threads that may wait. */
#ifndef LINKBELL_ALERTS_TRANSFORM_H
#define LINKBELL_ALERTS_TRANSFORM_H

#include <stdint.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/err.h"
#include "base/yaml.h"

struct transform_workers; /* any thread; calls of one destination wait for each
                             other */

LB_MUST_CHECK enum lb_err
transform_workers_new(const struct lb_config *config,
                      struct transform_workers **workers_out,
                      struct lb_error *err);
/* Limits of workers that are started from now on. */
void transform_workers_set_config(struct transform_workers *workers,
                                  const struct lb_config *config);
void transform_workers_free(struct transform_workers *workers); /* NULL: fine */

/* Runs the destination's program on each line of JSON in text; appends the
 * outputs, a line each, and an empty line after those of each input.
 * LB_EINVAL: a fault of the program, in its own words, which may hold what the
 * input held; LB_ETIMEOUT and LB_ELIMIT: delivery.transform_time, _bytes;
 * LB_EIO: it could not be run, for a reason that may pass. */
LB_MUST_CHECK enum lb_err transform_run(struct transform_workers *workers,
                                        const char *destination,
                                        const char *program,
                                        const char *text,
                                        struct lb_buf *out,
                                        struct lb_error *err);

/* Faults of the key `transform` of a destination. */
void transform_check(const struct lb_yaml *destination,
                     struct lb_config_faults *faults);

#endif
