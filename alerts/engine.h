/* engine.h - the consumer of the cursor that decides: entries in order, each
 * shown to the rules that it may concern; alerts, messages and deliveries in
 * the same transaction.
 *
 * Deciding is a function of the log: "now" is the receive time of the entry
 * that is decided, and goes back only at an entry that says the clock was set
 * back. A rule decides on the entries after the one that says it is ready;
 * until then it learns (learn.h).  Windows are read from the log again after a
 * start; the rest stands in rows that are saved with each batch. */
#ifndef LINKBELL_ALERTS_ENGINE_H
#define LINKBELL_ALERTS_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alerts/gaps.h"
#include "alerts/groups.h"
#include "base/config.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/cursor.h"
#include "sql/erase.h"

struct engine;

/* db is the writer's, before it starts. */
LB_MUST_CHECK enum lb_err engine_new(struct db *db,
                                     struct catalog_holder *holder,
                                     const struct lb_config *config,
                                     struct engine **engine_out,
                                     struct lb_error *err);
void engine_free(struct engine *engine);
/* Trying a rule on the past: all rules of catalog are ready, what is decided is
 * counted in no metric, and where the events of a spike come from is read from
 * another database than the engine's. */
struct engine_rehearsal {
    struct catalog *catalog; /* borrowed */
    struct db *log;          /* borrowed; of the call at hand */
    /* A window of a spike or drop ended; limit is below 0 when none is. */
    void (*observe)(void *ctx,
                    int64_t window_from_ms,
                    double expected,
                    double limit);
    void *ctx;
};
/* db is empty, in memory and the caller's; rehearsal is borrowed. */
LB_MUST_CHECK enum lb_err
engine_new_rehearsal(struct db *db,
                     const struct lb_config *config,
                     const struct engine_rehearsal *rehearsal,
                     struct engine **engine_out,
                     struct lb_error *err);
/* Its part in erasing: what was erased is taken out of windows. */
void engine_hook(struct engine *engine, struct erase_hooks *hooks);
struct cursor_consumer engine_consumer(struct engine *engine);

/* Called on the writer thread after a commit that queued messages. */
void engine_set_wake(struct engine *engine, void (*wake)(void *ctx), void *ctx);

/* --- for learn.c and ticker.c, on the writer thread ------------------------
 */

/* Inside a job: takes the current catalog over.  Rules that are off, or that
 * look at other events than before, have to learn again. */
LB_MUST_CHECK enum lb_err
engine_refresh(struct engine *engine, struct db *db, struct lb_error *err);

/* What learning needs to know, copied. */
struct engine_lessons {
    struct catalog *catalog; /* a reference: catalog_unref() it */
    bool folds_utm;
    uint8_t seen_key[ALERT_STORE_HASH_BYTES];
    struct gaps gaps;
    int64_t *rules; /* to free; numbers of those that are to learn */
    size_t rule_count;
};
/* After engine_refresh(). */
LB_MUST_CHECK enum lb_err engine_get_lessons(const struct engine *engine,
                                             struct db *db,
                                             struct engine_lessons *out,
                                             struct lb_error *err);
/* Whether the rule is still to learn, and as it stood in catalog. */
bool engine_is_lesson(const struct engine *engine,
                      const struct catalog *catalog,
                      int64_t rule);

/* Inside the job that appends a rule's ready entry: the groups it has learnt,
 * to be taken over when that entry is decided in the same transaction. */
void engine_offer(struct engine *engine, struct groups *learnt);

bool engine_is_waiting(const struct engine *engine); /* for time to pass */
bool engine_has_unready(const struct engine *engine);
int64_t engine_now_ms(const struct engine *engine); /* 0: there is none yet */

#endif
