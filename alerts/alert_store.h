/* alert_store.h - what rules know and what they raised, in the database.  The
 * writer thread's, inside the cursor's transaction, but for what says
 * otherwise. What a rule knows goes by key, a batch at a time: one load,
 * decisions in memory, one save. */
#ifndef LINKBELL_ALERTS_ALERT_STORE_H
#define LINKBELL_ALERTS_ALERT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "sql/db.h"
#include "sql/entry.h"

#define ALERT_STORE_ID_BYTES 20
#define ALERT_STORE_HASH_BYTES 16

struct alert_store_row {
    const char *id;
    const char *rule;
    const char *site;
    const char *severity;
    int64_t fired_at_ms;
    const char *held_back; /* NULL: it went out */
    const char *data;      /* JSON */
};

/* *is_new_out false: an alert of that id is there already, nothing was done. */
LB_MUST_CHECK enum lb_err alert_store_put(struct db *db,
                                          const struct alert_store_row *row,
                                          bool *is_new_out,
                                          struct lb_error *err);

/* A message about the alert and a delivery for each destination; due at once.
 */
struct alert_store_message {
    const char *type; /* "alert.fired" */
    const char *body;
    const char *const *destinations;
    size_t count;
};
LB_MUST_CHECK enum lb_err
alert_store_queue(struct db *db,
                  const struct alert_store_row *row,
                  const struct alert_store_message *message,
                  struct lb_error *err);

/* dl_ and 16 hex digits of SHA-256 over message, zero byte, destination. */
#define ALERT_STORE_DELIVERY_BYTES 20
void alert_store_delivery_id(const char *message,
                             const char *destination,
                             char out[ALERT_STORE_DELIVERY_BYTES]);

/* An alert as it was raised. */
struct alert_store_told {
    struct lb_buf data; /* the caller's, initialised; empty: there is none */
    int64_t fired_at_ms;
    bool has_message; /* of its own */
    bool is_held;     /* back, for any reason but the next */
    bool is_quiet;    /* held back for a digest */
};
LB_MUST_CHECK enum lb_err alert_store_get_told(struct db *db,
                                               const char *id,
                                               struct alert_store_told *told,
                                               struct lb_error *err);
/* Drops the message that the alert is over where the alert itself never came.
 */
LB_MUST_CHECK enum lb_err
alert_store_skip_resolved(struct db *db, const char *id, struct lb_error *err);

/* The alert is over; once. */
LB_MUST_CHECK enum lb_err alert_store_resolve(struct db *db,
                                              const char *id,
                                              int64_t at_ms,
                                              struct lb_error *err);

/* What a rule knows of a group.  The group "" of a site counts the day's
 * alerts; that of site 0 says until when the whole rule is mute. */
struct alert_store_state {
    int64_t last_fired_at_ms; /* 0: never, or nobody asks */
    int64_t began_at_ms;    /* of rules with below: its first event; 0: none */
    int64_t muted_until_ms; /* 0: not */
    int64_t day;
    int64_t day_count;   /* that went out */
    int64_t held_count;  /* that were held back */
    int64_t total;       /* of milestones: counted since the first event */
    int64_t since_at_ms; /* it has held what `for` waits for; 0: not */
    int64_t digest_from_at_ms; /* when the first alert was gathered; 0: none */
    bool is_firing;
    char alert[ALERT_STORE_ID_BYTES]; /* of the last firing; "" none */
};
struct alert_store_group {
    int64_t rule;
    int64_t site;
    const char *group; /* borrowed */
    struct alert_store_state state;
};
LB_MUST_CHECK enum lb_err
alert_store_load(struct db *db,
                 struct alert_store_group *const *groups,
                 size_t count,
                 struct lb_error *err);
/* A state that says nothing has no row. */
LB_MUST_CHECK enum lb_err
alert_store_save(struct db *db,
                 struct alert_store_group *const *groups,
                 size_t count,
                 struct lb_error *err);

/* The groups of a rule that fire, have begun, are mute or wait. */
LB_MUST_CHECK enum lb_err alert_store_each(
    struct db *db,
    int64_t rule,
    enum lb_err (*each)(void *ctx, const struct alert_store_group *group),
    void *ctx,
    struct lb_error *err);

/* A value of first_seen and when it was seen last; 0: never.  Or, with a time
 * at which it expires, a visitor of a window of a spike or drop. */
struct alert_store_seen {
    int64_t expires_at_ms; /* 0: it does not */
    int64_t rule;
    int64_t site;
    uint8_t hash[ALERT_STORE_HASH_BYTES];
    int64_t last_seen_at_ms;
    bool is_changed;
};
LB_MUST_CHECK enum lb_err alert_store_load_seen(struct db *db,
                                                struct alert_store_seen *rows,
                                                size_t count,
                                                struct lb_error *err);
/* Those that changed.  is_learning: a later time that stands there stays. */
LB_MUST_CHECK enum lb_err
alert_store_save_seen(struct db *db,
                      const struct alert_store_seen *rows,
                      size_t count,
                      bool is_learning,
                      struct lb_error *err);
/* Forgets at most max visitors that expired before at_ms. */
LB_MUST_CHECK enum lb_err alert_store_expire_seen(struct db *db,
                                                  int64_t at_ms,
                                                  int64_t max,
                                                  bool *has_more_out,
                                                  struct lb_error *err);
/* How many values of the rule were seen, by site. */
LB_MUST_CHECK enum lb_err alert_store_count_seen(
    struct db *db,
    int64_t rule,
    enum lb_err (*each)(void *ctx, int64_t site, int64_t count),
    void *ctx,
    struct lb_error *err);
/* The log number from which on a rule decides; 0: it has not learnt; -1: it was
 * never heard of. */
LB_MUST_CHECK enum lb_err alert_store_get_ready(struct db *db,
                                                int64_t rule,
                                                int64_t *seq_out,
                                                struct lb_error *err);
/* seq 0: it has to learn. */
LB_MUST_CHECK enum lb_err alert_store_set_ready(struct db *db,
                                                int64_t rule,
                                                int64_t seq,
                                                struct lb_error *err);

/* Forgets some of what a rule knew that is no longer there, at most max rows;
 * *has_more_out false: there is no such rule. */
LB_MUST_CHECK enum lb_err alert_store_forget(struct db *db,
                                             int64_t max,
                                             bool *has_more_out,
                                             struct lb_error *err);

/* Calls each for the entries of the log up to upto_seq that say how long nobody
 * listened, or that the clock was set back; the newest first, until it returns
 * false. */
LB_MUST_CHECK enum lb_err
alert_store_each_jump(struct db *db,
                      int64_t upto_seq,
                      bool (*each)(void *ctx, const struct entry *entry),
                      void *ctx,
                      struct lb_error *err);
/* The same for those that say which figures are incomplete. */
LB_MUST_CHECK enum lb_err
alert_store_each_coverage(struct db *db,
                          int64_t upto_seq,
                          bool (*each)(void *ctx, const struct entry *entry),
                          void *ctx,
                          struct lb_error *err);
/* The same for those that say that an export was pulled. */
LB_MUST_CHECK enum lb_err
alert_store_each_pull(struct db *db,
                      int64_t upto_seq,
                      bool (*each)(void *ctx, const struct entry *entry),
                      void *ctx,
                      struct lb_error *err);

#endif
