/* utm_cap_store.h - how many distinct values of a campaign parameter a site may
 * have on one local day; the rest are told as "(other)", so that nobody can
 * swell the dictionary by making values up.  What was seen stands in a table,
 * memory mirrors it, so a restart decides the same.  The writer thread's; it
 * follows commits. */
#ifndef LINKBELL_INGEST_UTM_CAP_STORE_H
#define LINKBELL_INGEST_UTM_CAP_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "sql/db.h"

#define UTM_CAP_OTHER "(other)"
#define UTM_CAP_KEPT_DAYS 5 /* behind today: later than late events come */

struct utm_cap_store;

/* values: of one site, key and day. */
struct utm_cap_store *
utm_cap_store_new(int64_t values,
                  const uint8_t key[LB_HASH_KEY_BYTES]); /* NULL: no memory */
void utm_cap_store_free(struct utm_cap_store *store);    /* NULL is fine */

/* A value of one site, key (field) and local day. */
struct utm_cap_value {
    int64_t site;
    int64_t day;
    int field;
    const char *text;
};

/* Inside a job: whether the value is one too many. */
LB_MUST_CHECK enum lb_err utm_cap_store_take(struct utm_cap_store *store,
                                             struct db *db,
                                             const struct utm_cap_value *value,
                                             bool *is_other_out,
                                             struct lb_error *err);
/* Drops what memory mirrors: after a rollback, or when rows are gone. */
void utm_cap_store_forget(struct utm_cap_store *store);
/* Removes a piece of the rows before day; true when there are more. */
bool utm_cap_store_expire(struct utm_cap_store *store,
                          struct db *db,
                          int64_t day);

#endif
