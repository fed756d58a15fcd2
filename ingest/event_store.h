/* event_store.h - appending events: duplicates dropped first, then what depends
 * on earlier events is decided, in log order.  The writer thread's. */
#ifndef LINKBELL_INGEST_EVENT_STORE_H
#define LINKBELL_INGEST_EVENT_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/err.h"
#include "ingest/event.h"
#include "sql/cursor.h"
#include "sql/dict.h"
#include "sql/erase.h"
#include "sql/writer.h"

struct event_store;
struct import_store;

struct event_store_limits {
    size_t dedupe_ids;
    int64_t dedupe_window_ms;
    int64_t double_tap_window_ms;
    int64_t utm_values;       /* distinct ones of a site, key and day */
    int64_t burst_per_minute; /* events of a visitor; 0: off */
};
struct event_store_limits event_store_limits_of(const struct lb_config *config);

/* What it is made of; borrowed. */
struct event_store_parts {
    struct writer *writer;
    struct cursor *cursor;
    struct dict *dict;
    struct visitors *visitors;
};

/* Reads known ids and the last half hour from the log; registers with the
 * writer. */
LB_MUST_CHECK enum lb_err
event_store_new(const struct event_store_parts *parts,
                const struct event_store_limits *limits,
                struct event_store **store_out,
                struct lb_error *err);
void event_store_free(struct event_store *store);

/* A new setting, from any thread; holds from the next append on. */
void event_store_set_burst(struct event_store *store, int64_t per_minute);

/* Its part in erasing: what is remembered of visitors. */
void event_store_hook(struct event_store *store, struct erase_hooks *hooks);

/* The key of log_ids_hash(), this database's own. */
const uint8_t *event_store_id_key(const struct event_store *store);

/* Events to be appended in one go. */
struct event_batch {
    struct event **events;
    bool *is_duplicate; /* one for each event, filled at append */
    size_t count;
    struct import_store *import; /* NULL: they are live */
};

/* Inside a job: appends those events that are not known. */
LB_MUST_CHECK enum lb_err event_store_append(struct event_store *store,
                                             struct db *db,
                                             const struct event_batch *batch,
                                             struct lb_error *err);

/* Inside a job: appends an entry that is no event, for what ingestion has to
 * tell; it stays valid until the transaction has ended. */
LB_MUST_CHECK enum lb_err event_store_append_other(struct event_store *store,
                                                   struct db *db,
                                                   struct entry *entry,
                                                   struct lb_error *err);

#endif
