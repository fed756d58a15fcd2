/* redirect.h - where a short link sends its visitor on.  Pure. */
#ifndef LINKBELL_INGEST_REDIRECT_H
#define LINKBELL_INGEST_REDIRECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct redirect_param {
    const char *key; /* decoded */
    const char *value;
};

/* Appends the link's URL with those params that are passed on: utm_* and click
 * identifiers that have a value and that the URL has not itself, each once, in
 * order, keys folded.  Nothing else of a request gets there, and what does is
 * encoded anew. */
void redirect_add_target(struct lb_buf *out,
                         const char *url,
                         const struct redirect_param *params,
                         size_t count);

#endif
