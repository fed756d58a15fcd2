/* seen.h - the values of first_seen that a batch touches, each once: as keyed
 * hashes, so that nothing kept tells what was seen. */
#ifndef LINKBELL_ALERTS_SEEN_H
#define LINKBELL_ALERTS_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "alerts/alert_store.h"

struct seen;

/* Room for max values; NULL: out of memory. */
struct seen *seen_new(size_t max, const uint8_t key[ALERT_STORE_HASH_BYTES]);
void seen_free(struct seen *seen); /* NULL is fine */
void seen_clear(struct seen *seen);

/* The row of the values (a group's JSON), good until seen_clear(); a new one
 * was never seen.  NULL: there is no more room. */
struct alert_store_seen *
seen_get(struct seen *seen, int64_t rule, int64_t site, const char *values);
/* The same of a value that expires. */
struct alert_store_seen *seen_get_until(struct seen *seen,
                                        int64_t rule,
                                        int64_t site,
                                        int64_t expires_at_ms,
                                        const char *values);

/* Puts the rows in the order in which they stand on disk, so that many are
 * saved with few pages.  After it only seen_rows(), seen_count() and
 * seen_clear(). */
void seen_sort(struct seen *seen);

struct alert_store_seen *seen_rows(struct seen *seen);
size_t seen_count(const struct seen *seen);
size_t seen_room(const struct seen *seen); /* for so many more */

#endif
