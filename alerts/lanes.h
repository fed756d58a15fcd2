/* lanes.h - the lanes of all destinations: found by id, paced as the catalog
 * says, taken up again when an address or secret changed.  The loop thread's.
 */
#ifndef LINKBELL_ALERTS_LANES_H
#define LINKBELL_ALERTS_LANES_H

#include "alerts/lane.h"
#include "base/config.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/writer.h"

struct lanes;

/* Reads the states that the database knows.  wake is called, on the loop
 * thread, after a lane was taken up again. */
LB_MUST_CHECK enum lb_err lanes_new(struct writer *writer,
                                    void (*wake)(void *ctx),
                                    void *ctx,
                                    struct lanes **lanes_out,
                                    struct lb_error *err);
void lanes_free(struct lanes *lanes); /* NULL is fine */

/* The breaker's settings; paused lanes are probed at once. */
void lanes_set_config(struct lanes *lanes, const struct lb_config *config);
/* Takes lanes up again whose destination has another address or secret now; of
 * those that a person disabled none. */
void lanes_follow(struct lanes *lanes, const struct catalog *catalog);

struct lane *lanes_first(struct lanes *lanes);
/* Made where there was none; NULL: out of memory. */
struct lane *lanes_get(struct lanes *lanes, const char *id);
struct lane_rules lanes_rules_of(const struct lanes *lanes,
                                 const struct destination *destination);
/* False: the catalog does not have the destination, or it is off. */
bool lanes_read_rules(const struct lanes *lanes,
                      const struct catalog *catalog,
                      const char *id,
                      struct lane_rules *rules_out,
                      bool *is_ordered_out);

/* A person's change of state, made in the database already. */
void lanes_set_state(struct lanes *lanes,
                     const char *id,
                     enum lane_state state,
                     const char *reason);
/* An attempt's change of state, or is_failing: disabled for having had no
 * success for too long.  Logs it. */
void lanes_note(struct lane *lane,
                enum lane_change change,
                bool is_failing,
                const uint8_t fingerprint[LB_SECRET_SHA256_BYTES]);

/* {"id":"paused",...}: those in another state than the usual one that are in
 * the catalog. */
void lanes_write_states(struct lanes *lanes,
                        const struct catalog *catalog,
                        struct lb_buf *out);

#endif
