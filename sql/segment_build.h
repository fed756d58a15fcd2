/* segment_build.h - a segment out of events: gathers them, sorts them, writes
 * its columns (segment.h).  Pure; some 16 MB while a full one is built, besides
 * the texts. */
#ifndef LINKBELL_SQL_SEGMENT_BUILD_H
#define LINKBELL_SQL_SEGMENT_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "sql/entry.h"
#include "sql/segment.h"

#define SEGMENT_BUILD_TEXT_BYTES                                               \
    ((size_t)16 * 1024 * 1024) /* a segment's texts, each counted once */

struct segment_builder;

/* A finished segment; the buffers are owned. */
struct segment_body {
    size_t row_count;
    int64_t first_seq;
    int64_t last_seq;
    int64_t first_at_ms; /* least ts */
    int64_t last_at_ms;
    int64_t site_set; /* segment_site_set() */
    struct lb_buf directory;
    struct lb_buf columns[SEGMENT_COLUMN_COUNT];
};

struct segment_builder *segment_build_new(void); /* NULL: out of memory */
void segment_build_free(struct segment_builder *builder); /* NULL is fine */

/* Takes an event with its texts.  LB_ELIMIT: full, it was not taken. */
LB_MUST_CHECK enum lb_err segment_build_add(struct segment_builder *builder,
                                            const struct entry *event);
size_t segment_build_count(const struct segment_builder *builder);

/* At least one event was taken.  segment_build_deinit() in any case. */
LB_MUST_CHECK enum lb_err segment_build_finish(struct segment_builder *builder,
                                               struct segment_body *body_out);
void segment_build_deinit(struct segment_body *body);

#endif
