/* excerpt.h - the beginning of an answer that can be shown: without addresses,
 * secrets and long tokens. */
#ifndef LINKBELL_ALERTS_EXCERPT_H
#define LINKBELL_ALERTS_EXCERPT_H

#include <stddef.h>

#define EXCERPT_BYTES 513 /* with NUL */

/* Words that hold an @, and runs of 20 and more letters, digits and - _ + = %
 * with a digit among them, become ***, as do occurrences of any of the secrets
 * (of 4 bytes at least).  What is no UTF-8 becomes ?. */
void excerpt_make(const char *answer,
                  const char *const *secrets,
                  size_t secret_count,
                  char out[EXCERPT_BYTES]);

#endif
