/* log_rows.h - events that are not sealed yet, a pack of them (log_pack.h) in a
 * row.  A group of events is written as packs of at most a page of the
 * database; a pack is written anew when one of its events changes. */
#ifndef LINKBELL_SQL_LOG_ROWS_H
#define LINKBELL_SQL_LOG_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "sql/db.h"
#include "sql/log_pack.h"

/* Writer thread: writes those of the entries that are events, whose log
 * numbers ascend and are greater than any before. */
LB_MUST_CHECK enum lb_err log_rows_put(struct db *db,
                                       const struct entry *const *entries,
                                       size_t count,
                                       struct lb_error *err);

/* A place among the events.  No statement stays open between two calls, and
 * what was read stays as it was. */
struct log_rows {
    struct db *db;
    int64_t after_seq;
    int64_t upto_seq;
    bool has_texts;
    int64_t last_seq;    /* read last */
    int64_t read_to;     /* no pack up to here is left to be read */
    struct lb_buf packs; /* owned; some, each behind what its row says */
    size_t next_pack;    /* where it stands in packs */
    int64_t pack_upto;   /* of the one that is open */
    int64_t left;        /* events of it */
    struct log_pack_place place;
};

/* For the events of after_seq < seq <= upto_seq; log_rows_close() in any case.
 */
void log_rows_open(struct db *db,
                   int64_t after_seq,
                   int64_t upto_seq,
                   bool has_texts,
                   struct log_rows *rows_out);
/* *has_out: false at the end.  The entry's texts (none without has_texts) are
 * good until the next call.  LB_EFORMAT: a pack is damaged; err names it. */
LB_MUST_CHECK enum lb_err log_rows_next(struct log_rows *rows,
                                        struct entry *entry_out,
                                        bool *has_out,
                                        struct lb_error *err);
void log_rows_close(struct log_rows *rows); /* zeroed is fine */

enum log_rows_fate { LOG_ROWS_KEPT, LOG_ROWS_CHANGED, LOG_ROWS_GONE };

/* What becomes of each event of a pack; may change the event. */
struct log_rows_edit {
    void *ctx;
    enum log_rows_fate (*decide)(void *ctx, struct entry *event);
};

/* Writer thread: goes through the first pack with events after after_seq and
 * writes it anew if that is decided; *upto_out: no event of it is behind this
 * log number, INT64_MAX: there is no such pack. */
LB_MUST_CHECK enum lb_err log_rows_change(struct db *db,
                                          int64_t after_seq,
                                          const struct log_rows_edit *edit,
                                          int64_t *upto_out,
                                          struct lb_error *err);
/* The same where events up to upto_seq are sealed, so that they stand in no
 * pack together with others. */
LB_MUST_CHECK enum lb_err
log_rows_cut(struct db *db, int64_t upto_seq, struct lb_error *err);

#endif
