/* sealed.h - events of the segments in log order, as the log's readers get
 * them.  For log_store.c. */
#ifndef LINKBELL_SQL_SEALED_H
#define LINKBELL_SQL_SEALED_H

#include <stdbool.h>

#include "base/err.h"
#include "sql/db.h"
#include "sql/dict.h"
#include "sql/entry.h"
#include "sql/segment_store.h"

struct sealed; /* a place in the segments */

/* Columns as a set of bits 1 << name. */
#define SEALED_ALL ((1u << SEGMENT_COLUMN_COUNT) - 1)
#define SEALED_NUMBERS                                                         \
    (((1u << SEGMENT_FIRST_TEXT) - 1) & ~(1u << SEGMENT_BOT_ENTRY))
#define SEALED_IDS (1u << SEGMENT_ID)

/* Within the current transaction of db; cache (NULL: no texts of the dictionary
 * are asked for) and wish->sites are borrowed.  columns: what is read besides
 * the log number, ts and receive time; the rest of an entry stays empty. */
LB_MUST_CHECK enum lb_err sealed_open(struct db *db,
                                      struct dict_cache *cache,
                                      const struct segment_wish *wish,
                                      uint32_t columns,
                                      struct sealed **sealed_out,
                                      struct lb_error *err);
void sealed_close(struct sealed *sealed); /* NULL is fine */

/* *entry_out is NULL at the end, else good until the next call; without its
 * contact and id_hash. */
LB_MUST_CHECK enum lb_err sealed_next(struct sealed *sealed,
                                      struct entry **entry_out,
                                      struct lb_error *err);

/* The event of that log number, however far the place is; *entry_out is NULL
 * when there is none.  The wish is one of a single segment.  What changed since
 * the segment was opened is not seen. */
LB_MUST_CHECK enum lb_err sealed_find(struct sealed *sealed,
                                      int64_t seq,
                                      struct entry **entry_out,
                                      struct lb_error *err);

#endif
