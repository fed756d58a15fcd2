/* attempt_end.c - what becomes of a delivery after an attempt, and its record.
 */
#include <stdio.h>
#include <string.h>

#include "alerts/attempt.h"
#include "alerts/destination_store.h"
#include "alerts/stream_store.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"

#define STREAM_RETRY_MS 300000 /* where no delays are set */
#define FAILURES_LEAST 20      /* before a failing destination is disabled */

static bool is_severe_enough(const struct attempt *attempt)
{
    static const char *const names[] = {"info", "warning", "critical"};
    const char *least = lb_json_text(attempt->destination.body, "min_severity");
    cJSON *json;
    const char *severity;
    size_t need = 0;
    size_t have = 0;

    if (least == NULL) {
        return true;
    }
    json = cJSON_Parse(attempt->delivery.body);
    severity = lb_json_text(cJSON_GetObjectItemCaseSensitive(json, "data"),
                            "severity");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        need = strcmp(names[i], least) == 0 ? i : need;
        have = severity == NULL || strcmp(names[i], severity) == 0 ? i : have;
    }
    cJSON_Delete(json);
    return have >= need;
}

const char *attempt_skips(const struct attempt *attempt)
{
    const struct destination_type *type = attempt->destination.type;
    const struct destination_message message = {.id = attempt->delivery.message,
                                                .body = attempt->delivery.body};

    if (attempt_is_batch(attempt)) {
        return NULL;
    }
    if (!is_severe_enough(attempt)) {
        return "min_severity";
    }
    return type->skips == NULL ? NULL
                               : type->skips(&attempt->destination, &message);
}

/* --- what becomes of it
 * ------------------------------------------------------------------------ */

/* The delay after that many failed attempts; -1: the schedule is at its end. */
static int64_t delay_after(const struct destination *destination,
                           int64_t failed)
{
    return failed < 1 || (size_t)failed > destination->retry_count
               ? -1
               : destination->retries_ms[failed - 1];
}

static void die(struct attempt *attempt, const char *reason, int64_t now_ms)
{
    attempt->state = "dead";
    attempt->reason = reason;
    attempt->due_at_ms = now_ms;
}

static void decide_retry(struct attempt *attempt,
                         int64_t now_ms,
                         double jitter,
                         double random)
{
    int64_t delay_ms =
        delay_after(&attempt->destination, attempt->record.attempts);
    int64_t wait_ms = attempt->verdict.wait_ms;

    if (delay_ms < 0 && attempt_is_batch(attempt)) { /* a stream waits */
        delay_ms = attempt->destination.retry_count == 0
                       ? STREAM_RETRY_MS
                       : attempt->destination
                             .retries_ms[attempt->destination.retry_count - 1];
    }
    if (delay_ms < 0) {
        die(attempt, "retries_used_up", now_ms);
        return;
    }
    delay_ms = lane_jitter(delay_ms, jitter, random);
    attempt->due_at_ms = now_ms + (wait_ms > delay_ms ? wait_ms : delay_ms);
}

/* Throttled: the schedule's steps, but none is used up. */
static void decide_throttled(struct attempt *attempt,
                             int64_t now_ms,
                             double jitter,
                             double random)
{
    const struct destination *destination = &attempt->destination;
    int64_t step = attempt->delivery.attempts +
                   (attempt->lane == NULL ? 1 : attempt->lane->throttles);
    int64_t delay_ms = attempt->verdict.wait_ms;

    step = (size_t)step > destination->retry_count
               ? (int64_t)destination->retry_count
               : step;
    if (delay_ms <= 0 && step > 0) {
        delay_ms = lane_jitter(delay_after(destination, step), jitter, random);
    }
    attempt->due_at_ms = now_ms + delay_ms;
}

void attempt_decide(struct attempt *attempt,
                    int64_t now_ms,
                    double jitter,
                    double random)
{
    enum destination_outcome outcome = attempt->verdict.outcome;
    bool is_used = outcome == DESTINATION_SUCCESS ||
                   outcome == DESTINATION_PERMANENT ||
                   (outcome == DESTINATION_RETRY && !attempt->is_probe);

    attempt->record.attempts = attempt->delivery.attempts + (is_used ? 1 : 0);
    attempt->state = "waiting";
    attempt->reason = NULL;
    attempt->due_at_ms = now_ms;
    switch (outcome) {
    case DESTINATION_SUCCESS:
        attempt->state = "delivered";
        return;
    case DESTINATION_PERMANENT:
        if (attempt->half.has_batch) {
            attempt->state = "skipped";
            attempt->reason = "split";
            return;
        }
        die(attempt,
            attempt->transformed == LB_OK ? "rejected" : "transform_failed",
            now_ms);
        return;
    case DESTINATION_RETRY:
        if (is_used) {
            decide_retry(attempt, now_ms, jitter, random);
        }
        break;
    case DESTINATION_THROTTLED:
        decide_throttled(attempt, now_ms, jitter, random);
        break;
    case DESTINATION_AUTH:
    case DESTINATION_NEXT:
        break;
    case DESTINATION_DISABLE:
        attempt->state = "held";
        return;
    }
    if (strcmp(attempt->state, "waiting") == 0 && !attempt_is_batch(attempt) &&
        now_ms - attempt->delivery.queued_at_ms >
            attempt->destination.max_age_ms) {
        die(attempt, "expired", now_ms);
    }
}

static enum lb_err set_state(struct attempt *attempt,
                             struct db *db,
                             enum lane_state state,
                             const char *reason,
                             struct lb_error *err)
{
    const struct destination_store_state row = {
        attempt->delivery.destination, state, reason, attempt->fingerprint,
        lb_clock_wall_ms()};

    return destination_store_set(db, &row, err);
}

static enum lb_err
record_change(struct attempt *attempt, struct db *db, struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    switch (attempt->change) {
    case LANE_SAME:
        break;
    case LANE_HAS_OPENED:
        return set_state(attempt, db, LANE_OPEN, "failures", err);
    case LANE_HAS_CLOSED:
        rc = set_state(attempt, db, LANE_OK, NULL, err);
        return rc == LB_OK
                   ? destination_store_make_due(db,
                                                attempt->delivery.destination,
                                                lb_clock_wall_ms(), err)
                   : rc;
    case LANE_HAS_PAUSED:
        return set_state(attempt, db, LANE_PAUSED, attempt->record.error, err);
    case LANE_HAS_BEEN_DISABLED:
        return set_state(attempt, db, LANE_DISABLED, attempt->record.error,
                         err);
    }
    return rc;
}

enum lb_err attempt_record(struct attempt *attempt,
                           struct db *db,
                           int64_t disable_after_ms,
                           struct lb_error *err)
{
    enum destination_outcome outcome = attempt->verdict.outcome;
    bool is_success = outcome == DESTINATION_SUCCESS;
    struct destination_store_health health = {0, 0};
    int64_t now_ms = lb_clock_wall_ms();
    enum lb_err rc = outbox_finish(db, &attempt->record, attempt->state,
                                   attempt->reason, attempt->due_at_ms, err);

    for (size_t part = 2; rc == LB_OK && part <= attempt->reshaped.count &&
                          !attempt_is_batch(attempt) &&
                          attempt->delivery.part == 1 && attempt->lane != NULL;
         part++) {
        rc =
            outbox_put_part(db, &attempt->delivery, (int64_t)part, now_ms, err);
    }
    if (rc == LB_OK && attempt->half.has_batch) {
        const struct stream_store_batch half = {
            attempt->half.id, lb_buf_text(&attempt->half.body), now_ms};

        rc = stream_store_put(db, attempt->delivery.destination,
                              attempt->half.planned_seq, &half, err);
    }
    rc = rc == LB_OK ? record_change(attempt, db, err) : rc;
    if (rc == LB_OK && (is_success || outcome == DESTINATION_RETRY ||
                        outcome == DESTINATION_AUTH)) {
        rc = destination_store_note(db, attempt->delivery.destination,
                                    is_success, now_ms, &health, err);
    }
    attempt->is_failing = attempt->lane != NULL && !attempt_is_batch(attempt) &&
                          health.failures >= FAILURES_LEAST &&
                          now_ms - health.failing_since_ms >= disable_after_ms;
    if (rc == LB_OK && attempt->is_failing) {
        rc = set_state(attempt, db, LANE_DISABLED, "no_success", err);
    }
    return rc;
}

void attempt_count(const struct attempt *attempt)
{
    char labels[160];

    (void)snprintf(labels, sizeof(labels), "destination=\"%s\",outcome=\"%s\"",
                   attempt->destination.id, attempt->record.outcome);
    lb_metrics_add(
        lb_metrics_get(LB_METRIC_COUNTER, "linkbell_delivery_attempts_total",
                       "Attempts by destination and outcome.", labels),
        1);
    (void)snprintf(labels, sizeof(labels), "destination=\"%s\"",
                   attempt->destination.id);
    lb_metrics_observe_ns(lb_metrics_histogram("linkbell_delivery_seconds",
                                               "Attempts by destination.",
                                               labels, true),
                          attempt->record.ms * 1000000);
    lb_log(LB_LOG_INFO, "delivery",
           "delivery=%s message=%s destination=%s attempt=%lld outcome=%s "
           "status=%d ms=%lld error=%s state=%s",
           attempt->delivery.id, attempt->delivery.message,
           attempt->destination.id, (long long)attempt->record.number,
           attempt->record.outcome, attempt->record.status,
           (long long)attempt->record.ms,
           attempt->record.error == NULL ? "none" : attempt->record.error,
           attempt->state);
}
