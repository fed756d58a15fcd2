/* dedupe.h - the event ids that are known: a bounded window of 64-bit hashes,
 * oldest out in log order, in 13 to 15 bytes an id, grown on demand.  The
 * writer thread's; it follows commits. */
#ifndef LINKBELL_INGEST_DEDUPE_H
#define LINKBELL_INGEST_DEDUPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct dedupe;

struct dedupe *dedupe_new(size_t max_ids,
                          int64_t window_ms); /* NULL: out of memory */
void dedupe_free(struct dedupe *dedupe);
void dedupe_set_limits(struct dedupe *dedupe,
                       size_t max_ids,
                       int64_t window_ms);

/* Says that hash will be asked for soon: its slot comes from memory meanwhile.
 */
void dedupe_expect(const struct dedupe *dedupe, uint64_t hash);
bool dedupe_has(const struct dedupe *dedupe, uint64_t hash);
/* Adds one that is not there; received_at_ms must not go back by much. */
LB_MUST_CHECK enum lb_err
dedupe_add(struct dedupe *dedupe, uint64_t hash, int64_t received_at_ms);

void dedupe_commit(struct dedupe *dedupe,
                   int64_t now_ms); /* and lets old ones go */
void dedupe_rollback(struct dedupe *dedupe);

size_t dedupe_count(const struct dedupe *dedupe);
uint64_t
dedupe_evicted(const struct dedupe *dedupe); /* by the number, not by age */

#endif
