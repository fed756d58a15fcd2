/* engagement.h - what the log keeps of an ENTRY_ENGAGEMENT: how far down a
 * visitor came on a page and how long the page had their attention.  Not an
 * event: nothing counts it, no rule sees it. */
#ifndef LINKBELL_SQL_ENGAGEMENT_H
#define LINKBELL_SQL_ENGAGEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define ENGAGEMENT_UNKNOWN 255 /* as a scroll depth */

struct engagement {
    int64_t site;        /* catalog number */
    int64_t visitor_day; /* as of an entry; so is visitor, never 0 */
    int64_t visitor;
    const char *page; /* NULL: none */
    int scroll_depth; /* percent, or ENGAGEMENT_UNKNOWN */
    int64_t attention_ms;
};

/* Bytes that suffice for one with that page. */
size_t engagement_bytes(const char *page);

/* The entry's data, NUL-terminated; false when bytes do not suffice. */
bool engagement_write(const struct engagement *engagement,
                      char *out,
                      size_t bytes);

/* The way back; page in arena.  LB_EFORMAT: data is none. */
LB_MUST_CHECK enum lb_err engagement_read(const char *data,
                                          struct lb_arena *arena,
                                          struct engagement *engagement_out,
                                          struct lb_error *err);

#endif
