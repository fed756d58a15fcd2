/* log_store.h - reading the log: entries in log order from a place on, with
 * what a reader wants of them.  Blocks of 4,096 log numbers carry their range
 * of times and sites, so that a question about a week reads a week. */
#ifndef LINKBELL_SQL_LOG_STORE_H
#define LINKBELL_SQL_LOG_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "sql/db.h"
#include "sql/dict.h"
#include "sql/entry.h"

#define LOG_BLOCK_SHIFT 12 /* log numbers in a block: 4,096 */

struct log_range {
    int64_t after_seq;    /* entries with a greater log number */
    int64_t upto_seq;     /* and at most this one; INT64_MAX: no end */
    int64_t from_at_ms;   /* events with ts at or after; INT64_MIN: all */
    int64_t to_at_ms;     /* events with ts before; INT64_MAX: all */
    const int64_t *sites; /* events of these sites; NULL: all */
    size_t site_count;
    bool has_other_kinds; /* also entries that are no events */
    bool has_texts; /* false: numbers only (text[], contact[] stay NULL) */
    /* Bits of enum entry_text that are enough, without contacts; 0: all. */
    uint32_t texts;
};

struct log_reader; /* a place in the log */

/* For reading range on db, within its current transaction; cache is borrowed.
 */
LB_MUST_CHECK enum lb_err log_reader_open(struct db *db,
                                          struct dict_cache *cache,
                                          const struct log_range *range,
                                          struct log_reader **reader_out,
                                          struct lb_error *err);
/* *entry_out is NULL at the end; else good until the next call. */
LB_MUST_CHECK enum lb_err log_reader_next(struct log_reader *reader,
                                          const struct entry **entry_out,
                                          struct lb_error *err);
void log_reader_close(struct log_reader *reader); /* NULL is fine */

/* Copies an entry and all its texts into arena; NULL when it is full. */
struct entry *log_copy_entry(struct lb_arena *arena, const struct entry *entry);

/* Writer thread, once a group: writes those of the entries that are events,
 * with contacts where there are any, and notes their times and sites in their
 * blocks.  The caller has appended them (cursor_append) and interned their
 * numbers of the dictionary. */
LB_MUST_CHECK enum lb_err log_insert_events(struct db *db,
                                            const struct entry *const *entries,
                                            size_t count,
                                            struct lb_error *err);

/* Up to which log number events lie in segments (segment.h), in packs
 * (log_rows.h) after that. */
LB_MUST_CHECK enum lb_err
log_sealed_to(struct db *db, int64_t *seq_out, struct lb_error *err);

/* Cuts a joined text of the dictionary (place, device) into parts; empty ones
 * are NULL. */
void log_split(const char *joined,
               char *out,
               size_t out_bytes,
               const char **parts,
               size_t count);

/* Smallest and greatest ts. */
struct log_bounds {
    int64_t first_at_ms;
    int64_t last_at_ms;
    bool has_events; /* false: there is none, and no ts */
};

/* Of all events of the sites (NULL: all), by the blocks: bounds, not exact. */
LB_MUST_CHECK enum lb_err log_time_bounds(struct db *db,
                                          const int64_t *sites,
                                          size_t site_count,
                                          struct log_bounds *bounds_out,
                                          struct lb_error *err);

#endif
