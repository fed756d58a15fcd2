/* secret_read.h - secrets from where a configuration names them: a variable of
 * the environment, or a file.  Errors name the place, never what stands there.
 */
#ifndef LINKBELL_BASE_SECRET_READ_H
#define LINKBELL_BASE_SECRET_READ_H

#include <stddef.h>

#include "base/err.h"

/* LB_ENOTFOUND: not set, or empty; LB_ELIMIT: longer than out. */
LB_MUST_CHECK enum lb_err lb_secret_read_env(const char *name,
                                             char *out,
                                             size_t out_bytes,
                                             struct lb_error *err);

/* The whole file.  LB_ENOENT: there is none; LB_EIO: it can't be read;
 * LB_ELIMIT: longer than out. */
LB_MUST_CHECK enum lb_err lb_secret_read_file(const char *path,
                                              char *out,
                                              size_t out_bytes,
                                              struct lb_error *err);

/* Takes the next line that is not empty off *at, without white space at its
 * ends; NULL when there is none.  The text is cut in place. */
char *lb_secret_read_line(char **at);

#endif
