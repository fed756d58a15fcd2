/* hook_cap_store.h - senders that stop at a number of deliveries in 24 hours:
 * what came is counted by quarter of an hour, and near the cap the quarters
 * that it may cut short are told to the log, and the owner once a day.  The
 * writer thread's, inside a job. */
#ifndef LINKBELL_INGEST_HOOK_CAP_STORE_H
#define LINKBELL_INGEST_HOOK_CAP_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/coverage.h"
#include "sql/db.h"
#include "sql/notice.h"

#define HOOK_CAP_BUCKET_MS INT64_C(900000)
#define HOOK_CAP_NEAR_PERCENT 95

struct hook_cap {
    /* Set by the caller. */
    int64_t source; /* catalog number */
    const char *source_id;
    int64_t site;
    const char *site_id;
    int64_t cap;
    int64_t received_at_ms;
    /* What is to be appended; alive until the transaction has ended. */
    bool has_coverage;
    struct coverage_entry coverage;
    bool has_notice;
    struct notice_entry notice;
    int64_t deliveries; /* within 24 hours, with this one */
};

/* Counts one delivery, and says what follows from it. */
LB_MUST_CHECK enum lb_err
hook_cap_store_count(struct db *db, struct hook_cap *cap, struct lb_error *err);

#endif
