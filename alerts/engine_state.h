/* engine_state.h - what engine.c and engine_load.c share. */
#ifndef LINKBELL_ALERTS_ENGINE_STATE_H
#define LINKBELL_ALERTS_ENGINE_STATE_H

#include "alerts/by_site.h"
#include "alerts/engine.h"
#include "alerts/raise.h"
#include "alerts/ruleset.h"
#include "alerts/seen.h"
#include "base/buf.h"

#define ENGINE_CASES_MAX 4096 /* decided at once: one load, one save */

/* An event that a rule looks at. */
struct engine_case {
    const struct entry *entry;
    const struct rule *rule;
    const struct catalog_site *site;
    const char *intent;
    int64_t now_ms;
    struct group *group;           /* NULL: of first_seen */
    struct alert_store_seen *seen; /* of first_seen, or of a visitor */
};

struct engine {
    struct catalog_holder *holder;            /* NULL: of a rehearsal */
    const struct engine_rehearsal *rehearsal; /* borrowed; NULL: for real */
    char public_url[LB_CONFIG_TEXT_BYTES];
    bool folds_utm;
    void (*wake)(void *ctx);
    void *wake_ctx;
    uint8_t seen_key[ALERT_STORE_HASH_BYTES];
    struct ruleset *set; /* owned; NULL: to be read */
    size_t *active;      /* owned; by place in set: the rules that decide */
    size_t active_count;
    struct by_site *by_site;   /* owned; of these; NULL: to be made */
    size_t unready;            /* rules that are on and have to learn */
    struct groups *groups;     /* owned */
    struct groups *offered;    /* borrowed, for this transaction; NULL: none */
    struct seen *seen;         /* owned; of the cases at hand */
    struct engine_case *cases; /* owned */
    size_t case_count;
    struct lb_buf key; /* the group at hand */
    struct gaps gaps;
    int64_t now_ms;
    int64_t saved_now_ms;
    bool is_loaded;  /* groups and gaps hold what the log and the rows say */
    bool is_touched; /* by this transaction */
    bool has_queued;
};

/* Groups, gaps and now as they were after the entry upto_seq. */
LB_MUST_CHECK enum lb_err engine_load(struct engine *engine,
                                      struct db *db,
                                      int64_t upto_seq,
                                      struct lb_error *err);
/* The entry says that a rule has learnt. */
LB_MUST_CHECK enum lb_err engine_take_ready(struct engine *engine,
                                            struct db *db,
                                            const struct entry *entry,
                                            struct lb_error *err);
/* The entry says how long nobody listened, or that the clock was set back. */
void engine_take_jump(struct gaps *gaps, const struct entry *entry);

/* Reads the rows of those groups that are not loaded. */
LB_MUST_CHECK enum lb_err engine_load_groups(struct db *db,
                                             struct group *const *groups,
                                             size_t count,
                                             struct lb_error *err);
/* Saves what changed. */
LB_MUST_CHECK enum lb_err
engine_save(struct engine *engine, struct db *db, struct lb_error *err);

/* Now is when the entry was received, unless that is earlier. */
void engine_advance(struct engine *engine, const struct entry *entry);
/* Notes the event for the rules that it concerns; decides when there are many.
 */
LB_MUST_CHECK enum lb_err engine_show_event(struct engine *engine,
                                            struct db *db,
                                            const struct entry *entry,
                                            struct lb_error *err);
/* Decides what was noted. */
LB_MUST_CHECK enum lb_err
engine_flush(struct engine *engine, struct db *db, struct lb_error *err);
/* What the window of a threshold's group says, which begins at oldest_ms. */
LB_MUST_CHECK enum lb_err engine_take_turn(struct engine *engine,
                                           struct db *db,
                                           const struct engine_case *one,
                                           int64_t oldest_ms,
                                           struct lb_error *err);

/* Raises an alert about a group whose row is loaded; what raise needs to know
 * of engine and case is filled in. */
LB_MUST_CHECK enum lb_err engine_raise(struct engine *engine,
                                       struct db *db,
                                       const struct engine_case *one,
                                       struct raise *raise,
                                       struct lb_error *err);

/* The alert of the case's group is over; its metric has this value. */
LB_MUST_CHECK enum lb_err engine_end_firing(struct engine *engine,
                                            struct db *db,
                                            const struct engine_case *one,
                                            double value,
                                            struct lb_error *err);

#endif
