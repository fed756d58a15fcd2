/* segment_store.h - segments in the database: finding and reading them within a
 * transaction, putting them there in steps, swapping, dropping. */
#ifndef LINKBELL_SQL_SEGMENT_STORE_H
#define LINKBELL_SQL_SEGMENT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/db.h"
#include "sql/horizon.h"
#include "sql/segment.h"
#include "sql/segment_build.h"

struct segment_info {
    int64_t number;
    int64_t after_seq; /* it holds all events of after_seq < seq <= upto_seq */
    int64_t upto_seq;
    size_t row_count;
    int64_t first_at_ms; /* least and greatest ts */
    int64_t last_at_ms;
};

/* What a reader looks for; sites NULL: all. */
struct segment_wish {
    int64_t after_seq;
    int64_t upto_seq;
    int64_t from_at_ms;
    int64_t to_at_ms;
    const int64_t *sites;
    size_t site_count;
    const struct horizon *horizon; /* borrowed; NULL: see what is there */
};

/* From when on the wish sees events of the site. */
int64_t segment_store_from_ms(const struct segment_wish *wish, int64_t site);
/* Whether it may see any of a site of a segment. */
bool segment_store_is_wished(const struct segment_wish *wish,
                             const struct segment_site *site);

/* The live segments that may hold what is wished, in log order; free() what
 * infos_out gets. */
LB_MUST_CHECK enum lb_err segment_store_find(struct db *db,
                                             const struct segment_wish *wish,
                                             struct segment_info **infos_out,
                                             size_t *count_out,
                                             struct lb_error *err);

/* An event of a segment that is gone or of another class. */
struct segment_change {
    int64_t seq;
    bool is_gone;
    int64_t bits;
    int64_t reason; /* number of the dictionary; 0: none */
};

struct segment; /* one that is being read; columns come as they are asked for */

/* Within the current transaction of db.  LB_EFORMAT: it is damaged; err names
 * it. */
LB_MUST_CHECK enum lb_err segment_store_open(struct db *db,
                                             const struct segment_info *info,
                                             struct segment_packer *packer,
                                             struct segment **segment_out,
                                             struct lb_error *err);
void segment_store_close(struct segment *segment); /* NULL is fine */
/* Before its first column: coded ones come from the cache of db (db_segments)
 * and go there, if it has one.  For questions; not for what reads all once. */
void segment_store_share(struct segment *segment);
const struct segment_info *segment_store_info(const struct segment *segment);
const struct segment_directory *
segment_store_directory(const struct segment *segment);
/* In the order of log numbers. */
const struct segment_change *
segment_store_changes(const struct segment *segment, size_t *count_out);

/* Good until the segment is closed. */
LB_MUST_CHECK enum lb_err
segment_store_column(struct segment *segment,
                     int column,
                     const struct segment_column **column_out,
                     struct lb_error *err);
/* A block of a column, into room for SEGMENT_PACK_BLOCK values. */
LB_MUST_CHECK enum lb_err segment_store_codes(struct segment *segment,
                                              int column,
                                              size_t block,
                                              uint16_t *codes_out,
                                              struct lb_error *err);
/* The same without a copy where readers share it: *codes_out is room or good
 * until the segment is closed. */
LB_MUST_CHECK enum lb_err segment_store_look(struct segment *segment,
                                             int column,
                                             size_t block,
                                             uint16_t *room,
                                             const uint16_t **codes_out,
                                             struct lb_error *err);
LB_MUST_CHECK enum lb_err segment_store_numbers(struct segment *segment,
                                                int column,
                                                size_t block,
                                                int64_t *numbers_out,
                                                struct lb_error *err);
LB_MUST_CHECK enum lb_err segment_store_ids(struct segment *segment,
                                            size_t block,
                                            const char **ids_out,
                                            struct lb_error *err);

/* Memory for a reader's tables that goes with the segment; NULL when there is
 * none. */
void *segment_store_alloc(struct segment *segment, size_t bytes);

/* --- on the writer's connection ------------------------------------------- */

/* Puts a pending segment without its columns. */
LB_MUST_CHECK enum lb_err segment_store_put(struct db *db,
                                            const struct segment_body *body,
                                            int64_t after_seq,
                                            int64_t upto_seq,
                                            int64_t *number_out,
                                            struct lb_error *err);
LB_MUST_CHECK enum lb_err segment_store_put_column(struct db *db,
                                                   int64_t number,
                                                   int column,
                                                   const struct lb_buf *body,
                                                   struct lb_error *err);
/* The live ones of the range are dead, number (0: none) is live; what changed
 * in them is said by it. */
LB_MUST_CHECK enum lb_err segment_store_swap(struct db *db,
                                             int64_t after_seq,
                                             int64_t upto_seq,
                                             int64_t number,
                                             struct lb_error *err);
/* What was pending when the service ended is dead. */
LB_MUST_CHECK enum lb_err segment_store_give_up(struct db *db,
                                                struct lb_error *err);
/* Removes a piece of what is dead; *has_more_out: there is more. */
LB_MUST_CHECK enum lb_err
segment_store_sweep(struct db *db, bool *has_more_out, struct lb_error *err);
/* Segments that follow each other, of at most half of events each, which
 * together have so many that one more would not fit into a segment of events:
 * the range of log numbers that they hold, empty when there are none. */
LB_MUST_CHECK enum lb_err segment_store_find_small(struct db *db,
                                                   int64_t events,
                                                   int64_t *after_seq_out,
                                                   int64_t *upto_seq_out,
                                                   struct lb_error *err);
/* The next live segment by number, after *number, that may hold events from
 * before at_ms; *number becomes its own, 0 at the end. */
LB_MUST_CHECK enum lb_err segment_store_next_aged(struct db *db,
                                                  int64_t at_ms,
                                                  int64_t *number,
                                                  struct segment_info *info_out,
                                                  struct lb_error *err);
/* The log number of the first change, 0: there is none. */
LB_MUST_CHECK enum lb_err segment_store_next_change(struct db *db,
                                                    int64_t *seq_out,
                                                    struct lb_error *err);

#endif
