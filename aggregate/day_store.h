/* day_store.h - which local days of a site have events, which of them are
 * counted (day.h) and whether that still holds: an event of a counted day makes
 * it stale in its own transaction.  A day has a row from its first event on; a
 * day is built by day_builder.h once it is over. */
#ifndef LINKBELL_AGGREGATE_DAY_STORE_H
#define LINKBELL_AGGREGATE_DAY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/day.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/cursor.h"

struct day_store;

LB_MUST_CHECK enum lb_err day_store_new(struct catalog_holder *holder,
                                        struct day_store **store_out,
                                        struct lb_error *err);
void day_store_free(struct day_store *store);
/* What main.c registers with the cursor, after the totals. */
struct cursor_consumer day_store_consumer(struct day_store *store);

/* --- building, on the writer thread --- */

struct day_store_stale {
    int64_t site;
    int64_t day;
    int64_t generation;
    int64_t built_at_ms; /* the last try; 0: never */
};

/* Calls each for every stale day, by day and site, until it returns false. */
LB_MUST_CHECK enum lb_err day_store_list_stale(
    struct db *db,
    bool (*each)(void *ctx, const struct day_store_stale *stale),
    void *ctx,
    struct lb_error *err);

/* From now on an event of that day grows its generation. */
void day_store_watch(struct day_store *store, int64_t site, int64_t day);

/* The earliest ts of the events of the last seconds; INT64_MAX: none came.
 * Days before that, of a file that is in order, are over. */
int64_t day_store_front_ms(struct day_store *store);

/* The first of the site's days whose events are all in the log; those before
 * are frozen: counted, and never anew.  INT64_MIN: none is frozen. */
int64_t day_store_first_open(const struct catalog_site *site);

/* Whether the site's days stand under its zone; else day_store_relist() drops
 * what is there and lists the days anew, from the totals.  In a transaction. */
LB_MUST_CHECK enum lb_err day_store_is_listed(struct db *db,
                                              const struct catalog_site *site,
                                              bool *is_listed_out,
                                              struct lb_error *err);
LB_MUST_CHECK enum lb_err day_store_relist(struct day_store *store,
                                           struct db *db,
                                           const struct catalog_site *site,
                                           struct lb_error *err);

/* In a transaction: what was counted at generation replaces the day's BLOBs,
 * unless the day went on meanwhile (then only the try is noted).  bodies has
 * DAY_DIMENSION_COUNT; an empty one is dropped. */
LB_MUST_CHECK enum lb_err day_store_put(struct db *db,
                                        const struct day_store_stale *day,
                                        const struct lb_buf *bodies,
                                        int64_t now_ms,
                                        struct lb_error *err);

/* In a transaction: the site's day of ts is stale, and its BLOBs are gone. */
LB_MUST_CHECK enum lb_err day_store_drop(struct db *db,
                                         int64_t site,
                                         int64_t ts_ms,
                                         struct lb_error *err);

/* --- reading, any thread with a connection --- */

/* Calls each for every built day, by day and site, while it returns LB_OK. */
LB_MUST_CHECK enum lb_err
day_store_list_built(struct db *db,
                     enum lb_err (*each)(void *ctx, int64_t site, int64_t day),
                     void *ctx,
                     struct lb_error *err);

struct day_store_day {
    int64_t day;
    bool is_built;    /* and nothing came since */
    const void *body; /* of the dimension; NULL: not kept */
    size_t body_bytes;
    const void *total; /* of DAY_TOTAL */
    size_t total_bytes;
};

/* Days of a site, counted by one dimension; both ends are included. */
struct day_store_range {
    int64_t site;
    enum day_dimension dimension;
    int64_t first_day;
    int64_t last_day;
};

/* Calls each for every day of the range that has events, in order, while it
 * returns LB_OK. */
LB_MUST_CHECK enum lb_err
day_store_read(struct db *db,
               const struct day_store_range *range,
               enum lb_err (*each)(void *ctx, const struct day_store_day *day),
               void *ctx,
               struct lb_error *err);

#endif
