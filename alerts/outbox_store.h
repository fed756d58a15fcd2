/* outbox_store.h - messages on their way out, in the database. */
#ifndef LINKBELL_ALERTS_OUTBOX_STORE_H
#define LINKBELL_ALERTS_OUTBOX_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "sql/db.h"

#define OUTBOX_ID_BYTES 24
#define OUTBOX_NAME_BYTES 96

struct outbox_delivery {
    char id[OUTBOX_ID_BYTES];
    char message[OUTBOX_NAME_BYTES]; /* with _2 and so on of a part */
    char destination[OUTBOX_NAME_BYTES];
    char remote_id[OUTBOX_NAME_BYTES]; /* "" none */
    char *body;                        /* owned */
    int64_t created_at_ms;
    int64_t queued_at_ms; /* the last time; its age counts from then */
    int64_t due_at_ms;
    int64_t attempts; /* used up */
    int64_t tries;    /* made */
    int64_t part;     /* 1, or more: an output of a transform */
};

/* What is due at one destination. */
struct outbox_due {
    struct outbox_delivery *rows; /* the caller's, of max places */
    size_t max;
    size_t count;           /* read; each body is to be freed */
    int64_t next_due_at_ms; /* of a later one; INT64_MAX: none waits */
};

/* Fills due, in order, with the deliveries that are due at now; is_ordered:
 * with the oldest one that has no end, if it is due. */
LB_MUST_CHECK enum lb_err outbox_read_due(struct db *db,
                                          const char *destination,
                                          bool is_ordered,
                                          int64_t now_ms,
                                          struct outbox_due *due,
                                          struct lb_error *err);

/* Writer thread, inside jobs. */
LB_MUST_CHECK enum lb_err outbox_reset_sending(struct db *db,
                                               struct lb_error *err);
/* *is_claimed_out false: what was read of the delivery is old, and meanwhile
 * another attempt was made of it. */
LB_MUST_CHECK enum lb_err
outbox_set_sending(struct db *db,
                   const struct outbox_delivery *delivery,
                   bool *is_claimed_out,
                   struct lb_error *err);

struct outbox_attempt {
    const char *delivery;
    int64_t number;
    int64_t started_at_ms;
    int64_t ms;
    int64_t dns_ms;
    int64_t connect_ms;
    int64_t tls_ms;
    int64_t first_byte_ms;
    const char *address;
    const char *outcome;
    int status;        /* 0: none */
    const char *error; /* NULL: none */
    int64_t request_bytes;
    const char *excerpt;   /* NULL: none */
    const char *remote_id; /* NULL: none; else kept with the delivery */
    int64_t attempts;      /* of the delivery that are now used up */
};
/* A `waiting` one of a disabled destination is held. */
LB_MUST_CHECK enum lb_err outbox_finish(struct db *db,
                                        const struct outbox_attempt *attempt,
                                        const char *state,
                                        const char *reason,
                                        int64_t due_at_ms,
                                        struct lb_error *err);
/* What stands over there already. */
LB_MUST_CHECK enum lb_err outbox_note_remote(struct db *db,
                                             const char *delivery,
                                             const char *remote_id,
                                             struct lb_error *err);
/* A delivery of a further part of the message of delivery (of part 1), if there
 * is none. */
LB_MUST_CHECK enum lb_err
outbox_put_part(struct db *db,
                const struct outbox_delivery *delivery,
                int64_t part,
                int64_t now_ms,
                struct lb_error *err);
/* It waits until then. */
LB_MUST_CHECK enum lb_err outbox_postpone(struct db *db,
                                          const char *delivery,
                                          int64_t due_at_ms,
                                          struct lb_error *err);
/* It is not sent at all. */
LB_MUST_CHECK enum lb_err outbox_skip(struct db *db,
                                      const char *delivery,
                                      const char *reason,
                                      int64_t now_ms,
                                      struct lb_error *err);

/* Removes what ended long ago, with its attempts and messages.  One piece, on
 * the writer's thread inside a job; *is_over_out: nothing is left to remove. */
struct outbox_sweep_times {
    int64_t delivered_before_ms; /* also of skipped ones */
    int64_t dead_before_ms;
};
LB_MUST_CHECK enum lb_err
outbox_sweep_piece(struct db *db,
                   const struct outbox_sweep_times *times,
                   bool *is_over_out,
                   struct lb_error *err);

/* What waits there since before that is dead. */
LB_MUST_CHECK enum lb_err outbox_expire(struct db *db,
                                        const char *destination,
                                        int64_t now_ms,
                                        int64_t before_ms,
                                        struct lb_error *err);

/* Queued again, its schedule from the start; LB_ENOTFOUND: there is none of
 * that id. */
LB_MUST_CHECK enum lb_err outbox_retry(struct db *db,
                                       const char *delivery,
                                       int64_t now_ms,
                                       struct lb_error *err);
struct outbox_choice {
    /* "dead", "delivered" or "skipped": those that max_waiting left out. */
    const char *state;
    const char *destination; /* NULL: any */
    int64_t since_ms;        /* of their making */
    int64_t until_ms;        /* before it */
    int64_t now_ms; /* what ended later is left alone, so that pieces end */
};
/* A piece of those that are chosen; *count_out is below OUTBOX_RETRY_PIECE when
 * none is left. */
#define OUTBOX_RETRY_PIECE 2000
LB_MUST_CHECK enum lb_err outbox_retry_piece(struct db *db,
                                             const struct outbox_choice *choice,
                                             int64_t *count_out,
                                             struct lb_error *err);
LB_MUST_CHECK enum lb_err outbox_count(struct db *db,
                                       const struct outbox_choice *choice,
                                       int64_t *count_out,
                                       struct lb_error *err);

/* A destination at which max_waiting messages waited, so that alerts are left
 * out, or that has had half that room again. */
struct outbox_backlog {
    char destination[OUTBOX_NAME_BYTES];
    int64_t most; /* max_waiting */
    bool is_told; /* its owner knows that it is full: it no longer is */
};
/* One of which something is to be told or noted; *has_news_out false: there is
 * none.  An owner hears once an hour at most. */
LB_MUST_CHECK enum lb_err outbox_backlog_news(struct db *db,
                                              int64_t now_ms,
                                              struct outbox_backlog *out,
                                              bool *has_news_out,
                                              struct lb_error *err);
/* It is.  Writer thread. */
LB_MUST_CHECK enum lb_err outbox_backlog_note(struct db *db,
                                              const struct outbox_backlog *news,
                                              int64_t now_ms,
                                              struct lb_error *err);

/* A message for one destination that is being sent already. */
struct outbox_new {
    const char *message;
    const char *type;
    const char *rule;
    const char *site;
    const char *body;
    const char *destination;
    const char *delivery;
    int64_t now_ms;
};
LB_MUST_CHECK enum lb_err outbox_put_sending(struct db *db,
                                             const struct outbox_new *row,
                                             struct lb_error *err);

struct outbox_depth {
    int64_t waiting;
    int64_t held;
    int64_t oldest_at_ms; /* of those that wait; 0: none does */
    int64_t left_out;     /* alerts that max_waiting kept from it, ever */
};
LB_MUST_CHECK enum lb_err outbox_read_depth(struct db *db,
                                            const char *destination,
                                            struct outbox_depth *depth_out,
                                            struct lb_error *err);

#endif
