/* gap_store.h - tells the log when events were lost whose senders don't send
 * again (a visitor's redirect, a page's beacon): the quarters of an hour in
 * which it happened carry coverage "gap" from then on. */
#ifndef LINKBELL_INGEST_GAP_STORE_H
#define LINKBELL_INGEST_GAP_STORE_H

#include <stdint.h>

#include "base/err.h"
#include "ingest/event_store.h"
#include "sql/writer.h"

struct gap_store;

/* Both are borrowed for its life.  Before writer_start(). */
LB_MUST_CHECK enum lb_err gap_store_new(struct writer *writer,
                                        struct event_store *store,
                                        struct gap_store **gaps_out,
                                        struct lb_error *err);
/* Once the writer has stopped; NULL is fine. */
void gap_store_free(struct gap_store *gaps);

/* Any thread: an event of the site (catalog number) was lost just now.  It is
 * in the log with the next transaction that holds. */
void gap_store_note(struct gap_store *gaps, int64_t site, int64_t at_ms);

#endif
