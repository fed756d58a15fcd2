/* deliver_file.h - work of deliveries that waits for the disk, on libuv's
 * threads. */
#ifndef LINKBELL_ALERTS_DELIVER_FILE_H
#define LINKBELL_ALERTS_DELIVER_FILE_H

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"

struct deliver_file;

LB_MUST_CHECK enum lb_err deliver_file_new(uv_loop_t *loop,
                                           struct deliver_file **files_out,
                                           struct lb_error *err);
void deliver_file_free(struct deliver_file *files); /* after the loop ran */

/* Runs work on another thread, then done on the loop's.  False: neither is
 * called. */
LB_MUST_CHECK bool deliver_file_run(struct deliver_file *files,
                                    void (*work)(void *ctx),
                                    void (*done)(void *ctx),
                                    void *ctx);

#endif
