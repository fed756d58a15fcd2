/* attempt.h - one attempt at a delivery: rendered, sent (in several requests
 * where the type needs them), judged, recorded. */
#ifndef LINKBELL_ALERTS_ATTEMPT_H
#define LINKBELL_ALERTS_ATTEMPT_H

#include "alerts/deliver_curl.h"
#include "alerts/deliver_thread.h"
#include "alerts/destination.h"
#include "alerts/dial.h"
#include "alerts/excerpt.h"
#include "alerts/lane.h"
#include "alerts/outbox_store.h"
#include "alerts/reshape.h"
#include "alerts/stream.h"
#include "sql/catalog.h"
#include "sql/notice.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct attempt;
typedef void (*attempt_fn)(struct attempt *attempt);

struct attempt {
    struct writer_job job; /* first; the owner's */
    struct attempt *next;  /* the owner's */
    void *owner;
    void *trial;             /* the owner's */
    struct lane *lane;       /* borrowed; NULL: of no lane */
    struct catalog *catalog; /* owned reference; the destination's texts */
    struct destination destination;
    struct destination_memory memory;            /* of one of no lane */
    uint8_t fingerprint[LB_SECRET_SHA256_BYTES]; /* of the destination */
    struct outbox_delivery delivery;             /* its body owned */
    struct deliver_curl *curl;                   /* borrowed */
    struct deliver_thread *threads;              /* borrowed */
    const struct dials *dials;                   /* borrowed */
    struct transform_workers *workers;           /* borrowed */
    struct lb_error written;                     /* why it could not be */
    struct writer *writer;                       /* borrowed */
    attempt_fn sent;
    struct destination_message message;
    struct pool_job fill;         /* of a batch */
    struct destination_rows rows; /* of a stream; its lists are owned */
    struct stream_plan half;  /* of a batch that goes on in two: the first */
    struct reshaped reshaped; /* by its transform; the body goes over */
    const char *skipped;      /* why it is not sent after all; NULL: it is */
    /* What goes out, while it is made. */
    struct destination_request request;
    struct lb_error render_err;
    enum lb_err rendered;
    enum lb_err filled; /* whether the rows could be read */
    enum lb_err transformed;
    int requests; /* so far */
    enum lane_change change;
    struct destination_verdict verdict;
    bool is_case_kept;
    bool is_cut; /* the body, into rows */
    bool is_claimed;
    bool is_probe;
    bool has_answered;
    bool is_unrecorded; /* the owner's */
    bool is_failing;    /* out: so long that it is to be disabled */
    bool may_tell;      /* the owner */
    int64_t started_at_ms;
    int64_t request_bytes;
    /* What is recorded. */
    struct outbox_attempt record;
    char address[64];
    char excerpt[EXCERPT_BYTES];
    char remote_id[DESTINATION_REMOTE_BYTES];
    const char *state;
    const char *reason;
    int64_t due_at_ms;
    /* What the owner is told; NULL: nothing. */
    const char *told;
    struct notice_entry notice;
};

void attempt_free(struct attempt *attempt);

/* What it is sent with; borrowed until it has been. */
struct attempt_means {
    struct deliver_curl *curl;
    struct deliver_thread *threads;
    struct writer *writer;
    const struct dials *dials;
    struct transform_workers *workers;
    struct pool *readers;
    const struct alert_links *links;
    bool is_case_kept; /* attribution.utm_case; for filters of streams */
};
/* Whether it is a batch of a stream, whose rows are read before it is sent. */
bool attempt_is_batch(const struct attempt *attempt);
/* Sends it; what a request made over there is recorded before the next one of
 * the attempt.  sent is called once, maybe before this returns, with verdict
 * and record filled, but for state, reason and due. */
void attempt_send(struct attempt *attempt,
                  const struct attempt_means *means,
                  attempt_fn sent);
/* Why it is not sent at all; NULL: it is. */
const char *attempt_skips(const struct attempt *attempt);

/* By its verdict: what becomes of the delivery.  random is 0 to 1, jitter the
 * random share of a delay. */
void attempt_decide(struct attempt *attempt,
                    int64_t now_ms,
                    double jitter,
                    double random);

/* Writer thread, inside a job: the delivery, the attempt's row, the state of
 * the destination where it changed.  A destination without success for
 * disable_after_ms is disabled. */
LB_MUST_CHECK enum lb_err attempt_record(struct attempt *attempt,
                                         struct db *db,
                                         int64_t disable_after_ms,
                                         struct lb_error *err);
/* The log's line and the counter. */
void attempt_count(const struct attempt *attempt);

#endif
