/* deliver.c - sends what waits in the outbox. */
#include "alerts/deliver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/deliver_curl.h"
#include "alerts/destination.h"
#include "alerts/outbox_store.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"

#define READ_MOST 512      /* deliveries read at once */
#define READ_EACH 8        /* of one destination */
#define IN_FLIGHT_EACH 4   /* attempts at one destination at the same time */
#define LOOK_AGAIN_MS 1000 /* when messages wait for a free place */
#define UNREADY_MS 30000   /* a destination that can't be used is tried again */

struct attempt;

struct deliver {
    uv_loop_t *loop;
    uv_async_t async;
    uv_timer_t timer;
    struct writer *writer;
    struct pool *readers;
    struct catalog_holder *holder;
    struct deliver_curl *curl; /* owned */
    struct attempt *attempts;  /* owned; under way */
    size_t attempt_count;
    size_t in_flight_max;
    double jitter;
    bool is_reading;
    bool is_asked_again; /* woken while reading */
    bool is_stopping;
};

/* One attempt: claimed, sent, recorded. */
struct attempt {
    struct writer_job job; /* first */
    struct attempt *next;
    struct deliver *deliver;
    struct catalog *catalog; /* owned reference; the destination's texts */
    struct destination destination;
    struct outbox_delivery delivery;
    struct destination_message message;
    int requests; /* so far */
    int64_t started_at_ms;
    int64_t request_bytes;
    bool is_claimed; /* by this attempt */
    /* What is recorded. */
    struct outbox_attempt record;
    char address[64];
    char remote_id[DESTINATION_REMOTE_BYTES];
    const char *state;
    const char *reason;
    int64_t due_at_ms;
};

struct read_job {
    struct pool_job job; /* first */
    struct deliver *deliver;
    struct catalog *catalog; /* owned reference */
    struct outbox_delivery rows[READ_MOST];
    size_t count;
    int64_t next_due_at_ms;
    enum lb_err rc;
};

static void start_reading(struct deliver *deliver);

static void release_attempt(struct attempt *attempt)
{
    catalog_unref(attempt->catalog);
    free(attempt->delivery.body);
    free(attempt);
}

static void free_attempt(struct attempt *attempt)
{
    struct attempt **at = &attempt->deliver->attempts;

    while (*at != NULL && *at != attempt) {
        at = &(*at)->next;
    }
    if (*at == attempt) {
        *at = attempt->next;
        attempt->deliver->attempt_count--;
    }
    release_attempt(attempt);
}

static void on_timer(uv_timer_t *timer)
{
    start_reading(timer->data);
}

static void look_after(struct deliver *deliver, int64_t ms)
{
    if (!deliver->is_stopping) {
        (void)uv_timer_start(&deliver->timer, on_timer,
                             (uint64_t)(ms < 1 ? 1 : ms), 0);
    }
}

/* --- recording
 * --------------------------------------------------------------------- */

static enum lb_err
run_record(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct attempt *attempt = (struct attempt *)job;

    return outbox_finish(db, &attempt->record, attempt->state, attempt->reason,
                         attempt->due_at_ms, err);
}

static void
done_record(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct attempt *attempt = (struct attempt *)job;
    struct deliver *deliver = attempt->deliver;

    if (rc != LB_OK) {
        lb_log_limited(LB_LOG_ERROR, "delivery_record_failed", "text=\"%s\"",
                       err->text);
    }
    free_attempt(attempt);
    start_reading(deliver);
}

static double random_share(void)
{
    uint32_t bits = 0;

    return lb_secret_random(&bits, sizeof(bits)) ? (double)bits / 4294967296.0
                                                 : 0.5;
}

/* When the next attempt is due; -1 when the schedule is at its end. */
static int64_t
next_due(const struct attempt *attempt, int64_t now_ms, int64_t wait_ms)
{
    const struct destination *destination = &attempt->destination;
    size_t failed = (size_t)attempt->record.number;
    double factor = 1 + attempt->deliver->jitter * (2 * random_share() - 1);
    int64_t delay_ms;

    if (failed > destination->retry_count ||
        now_ms - attempt->delivery.created_at_ms > destination->max_age_ms) {
        return -1;
    }
    delay_ms = (int64_t)((double)destination->retries_ms[failed - 1] * factor);
    return now_ms + (wait_ms > delay_ms ? wait_ms : delay_ms);
}

static void count_attempt(const struct attempt *attempt)
{
    char labels[160];

    (void)snprintf(labels, sizeof(labels), "destination=\"%s\",outcome=\"%s\"",
                   attempt->destination.id, attempt->record.outcome);
    lb_metrics_add(
        lb_metrics_get(LB_METRIC_COUNTER, "linkbell_delivery_attempts_total",
                       "Attempts by destination and outcome.", labels),
        1);
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

static void record(struct attempt *attempt,
                   const struct destination_verdict *verdict)
{
    int64_t now_ms = lb_clock_wall_ms();

    attempt->record.delivery = attempt->delivery.id;
    attempt->record.number = attempt->delivery.attempts + 1;
    attempt->record.started_at_ms = attempt->started_at_ms;
    attempt->record.outcome = destination_outcome_name(verdict->outcome);
    attempt->record.request_bytes = attempt->request_bytes;
    attempt->record.remote_id =
        attempt->remote_id[0] == '\0' ? NULL : attempt->remote_id;
    attempt->due_at_ms = now_ms;
    switch (verdict->outcome) {
    case DESTINATION_SUCCESS:
        attempt->state = "delivered";
        break;
    case DESTINATION_PERMANENT:
    case DESTINATION_DISABLE:
        attempt->state = "dead";
        attempt->reason = "rejected";
        break;
    case DESTINATION_RETRY:
    case DESTINATION_THROTTLED:
    case DESTINATION_AUTH:
    case DESTINATION_NEXT:
        attempt->due_at_ms = next_due(attempt, now_ms, verdict->wait_ms);
        attempt->state = attempt->due_at_ms < 0 ? "dead" : "waiting";
        attempt->reason = attempt->due_at_ms < 0 ? "retries_used_up" : NULL;
        attempt->due_at_ms =
            attempt->due_at_ms < 0 ? now_ms : attempt->due_at_ms;
        break;
    }
    count_attempt(attempt);
    attempt->job.run = run_record;
    attempt->job.done = done_record;
    if (writer_submit(attempt->deliver->writer, &attempt->job) != LB_OK) {
        free_attempt(attempt);
    }
}

/* --- sending
 * ------------------------------------------------------------------------ */

static void send_step(struct attempt *attempt);

static const char *error_of_status(int status)
{
    return status == 429   ? "rate_limited"
           : status >= 500 ? "http_5xx"
           : status >= 400 ? "http_4xx"
           : status >= 300 ? "redirect"
                           : "rejected";
}

static void on_result(void *ctx, const struct deliver_curl_result *result)
{
    struct attempt *attempt = ctx;
    struct destination_verdict verdict = {.outcome = DESTINATION_RETRY};
    struct destination_answer answer = {result->status, result->body,
                                        result->retry_after_ms,
                                        result->reset_after_ms};

    if (result->error == NULL) {
        attempt->destination.type->judge(&attempt->message, &answer, &verdict);
    }
    (void)snprintf(attempt->address, sizeof(attempt->address), "%s",
                   result->address);
    attempt->record.ms += result->ms;
    attempt->record.dns_ms = result->dns_ms;
    attempt->record.connect_ms = result->connect_ms;
    attempt->record.tls_ms = result->tls_ms;
    attempt->record.first_byte_ms = result->first_byte_ms;
    attempt->record.address = attempt->address;
    attempt->record.status = result->status;
    attempt->record.error = result->error;
    if (verdict.remote_id[0] != '\0') {
        (void)snprintf(attempt->remote_id, sizeof(attempt->remote_id), "%s",
                       verdict.remote_id);
    }
    if (verdict.outcome == DESTINATION_NEXT &&
        attempt->requests < DESTINATION_STEPS) {
        attempt->message.step = verdict.next_step;
        send_step(attempt);
        return;
    }
    if (result->error == NULL && verdict.outcome != DESTINATION_SUCCESS) {
        attempt->record.error = error_of_status(result->status);
    }
    record(attempt, &verdict);
}

static void send_step(struct attempt *attempt)
{
    struct destination_verdict verdict = {.outcome = DESTINATION_PERMANENT};
    struct destination_request request;
    struct deliver_curl_request sent;
    struct lb_error err = {LB_OK, ""};
    enum lb_err rc;

    destination_request_init(&request);
    lb_buf_add_text(&request.url, attempt->destination.url);
    lb_buf_add_text(&request.headers, attempt->destination.headers);
    rc = attempt->destination.type->render(&attempt->destination,
                                           &attempt->message, &request, &err);
    if (request.url.is_failed || request.headers.is_failed ||
        request.body.is_failed) {
        rc = LB_ELIMIT;
    }
    attempt->requests++;
    attempt->request_bytes += (int64_t)request.body.len;
    sent = (struct deliver_curl_request){request.method,
                                         lb_buf_text(&request.url),
                                         &request.headers,
                                         &request.body,
                                         attempt->destination.timeout_ms,
                                         attempt->destination.type->needs_body};
    if (rc != LB_OK) {
        attempt->record.error = "rejected";
        record(attempt, &verdict);
    } else if (deliver_curl_send(attempt->deliver->curl, &sent, on_result,
                                 attempt, &err) != LB_OK) {
        attempt->record.error = "bad_response";
        verdict.outcome = DESTINATION_RETRY;
        record(attempt, &verdict);
    }
    destination_request_deinit(&request);
}

static void send_attempt(struct attempt *attempt)
{
    attempt->started_at_ms = lb_clock_wall_ms();
    attempt->message = (struct destination_message){
        attempt->delivery.message, attempt->delivery.body,
        attempt->started_at_ms / LB_MS_PER_S, 0, attempt->remote_id};
    send_step(attempt);
}

static enum lb_err
run_claim(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct attempt *attempt = (struct attempt *)job;

    return outbox_set_sending(db, &attempt->delivery, &attempt->is_claimed,
                              err);
}

static void
done_claim(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct attempt *attempt = (struct attempt *)job;

    if (rc != LB_OK || attempt->deliver->is_stopping) {
        lb_log_limited(LB_LOG_WARN, "delivery_claim_failed", "text=\"%s\"",
                       err->text);
        look_after(attempt->deliver, LOOK_AGAIN_MS);
        free_attempt(attempt);
        return;
    }
    /* It was read before an earlier attempt's end was recorded. */
    if (!attempt->is_claimed) {
        struct deliver *deliver = attempt->deliver;

        free_attempt(attempt);
        start_reading(deliver);
        return;
    }
    send_attempt(attempt);
}

/* --- what is due
 * --------------------------------------------------------------------- */

static bool is_under_way(const struct deliver *deliver, const char *id)
{
    for (const struct attempt *attempt = deliver->attempts; attempt != NULL;
         attempt = attempt->next) {
        if (strcmp(attempt->delivery.id, id) == 0) {
            return true;
        }
    }
    return false;
}

static size_t count_at(const struct deliver *deliver, const char *destination)
{
    size_t count = 0;

    for (const struct attempt *attempt = deliver->attempts; attempt != NULL;
         attempt = attempt->next) {
        count +=
            strcmp(attempt->delivery.destination, destination) == 0 ? 1 : 0;
    }
    return count;
}

/* Claims a delivery; false when it must wait, its text then still the caller's.
 */
static bool start_attempt(struct deliver *deliver, struct outbox_delivery *row)
{
    struct catalog *catalog = catalog_current(deliver->holder);
    const struct catalog_object *object =
        catalog_object_find(catalog, CATALOG_DESTINATION, row->destination);
    struct attempt *attempt = calloc(1, sizeof(*attempt));
    struct lb_error err = {LB_OK, "it is not configured any more"};
    enum lb_err rc = LB_ENOTFOUND;

    if (attempt != NULL && object != NULL) {
        rc = destination_read(object->body, &attempt->destination, &err);
    }
    if (attempt == NULL || rc != LB_OK || !attempt->destination.is_enabled) {
        if (rc != LB_OK) {
            lb_log_limited(LB_LOG_WARN, "destination_unusable",
                           "destination=%s text=\"%s\"", row->destination,
                           err.text);
        }
        free(attempt);
        catalog_unref(catalog);
        return false;
    }
    attempt->deliver = deliver;
    attempt->catalog = catalog;
    attempt->delivery = *row;
    row->body = NULL;
    attempt->next = deliver->attempts;
    deliver->attempts = attempt;
    deliver->attempt_count++;
    attempt->job.run = run_claim;
    attempt->job.done = done_claim;
    if (writer_submit(deliver->writer, &attempt->job) != LB_OK) {
        free_attempt(attempt);
        return false;
    }
    return true;
}

/* A few of each destination, so that none can hide another. */
static void run_read(struct pool_job *job, struct db *db)
{
    struct read_job *read = (struct read_job *)job;
    size_t destinations =
        catalog_object_count(read->catalog, CATALOG_DESTINATION);
    int64_t now_ms = lb_clock_wall_ms();
    struct lb_error err;

    for (size_t i = 0; i < destinations && read->rc == LB_OK &&
                       read->count + READ_EACH <= READ_MOST;
         i++) {
        const struct catalog_object *object =
            catalog_object_at(read->catalog, CATALOG_DESTINATION, i);
        struct outbox_due due = {.rows = read->rows + read->count,
                                 .max = READ_EACH,
                                 .next_due_at_ms = INT64_MAX};

        if (cJSON_IsFalse(
                cJSON_GetObjectItemCaseSensitive(object->body, "enabled"))) {
            continue;
        }
        read->rc = outbox_read_due(db, object->id, now_ms, &due, &err);
        read->count += due.count;
        read->next_due_at_ms = due.next_due_at_ms < read->next_due_at_ms
                                   ? due.next_due_at_ms
                                   : read->next_due_at_ms;
    }
}

static void
done_read(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct read_job *read = (struct read_job *)job;
    struct deliver *deliver = read->deliver;
    int64_t wait_ms = read->next_due_at_ms == INT64_MAX
                          ? 0
                          : read->next_due_at_ms - lb_clock_wall_ms();
    bool is_waiting = false;

    (void)err;
    deliver->is_reading = false;
    if (read->next_due_at_ms != INT64_MAX && wait_ms < 1) {
        wait_ms = 1; /* fell due while it was read */
    }
    for (size_t i = 0; i < read->count; i++) {
        struct outbox_delivery *row = &read->rows[i];
        bool may_start = !deliver->is_stopping && rc == LB_OK &&
                         deliver->attempt_count < deliver->in_flight_max &&
                         count_at(deliver, row->destination) < IN_FLIGHT_EACH &&
                         !is_under_way(deliver, row->id);

        if (may_start && !start_attempt(deliver, row)) {
            is_waiting = true;
        }
        free(row->body);
    }
    if (is_waiting && (wait_ms <= 0 || wait_ms > UNREADY_MS)) {
        wait_ms = UNREADY_MS;
    }
    if (rc != LB_OK || read->rc != LB_OK) {
        look_after(deliver, LOOK_AGAIN_MS);
    } else if (deliver->is_asked_again) {
        start_reading(deliver);
    } else if (wait_ms > 0) {
        look_after(deliver, wait_ms);
    }
    catalog_unref(read->catalog);
    free(read);
}

static void start_reading(struct deliver *deliver)
{
    struct read_job *read;

    if (deliver->is_stopping || deliver->is_reading) {
        deliver->is_asked_again = true;
        return;
    }
    read = calloc(1, sizeof(*read));
    if (read == NULL) {
        look_after(deliver, LOOK_AGAIN_MS);
        return;
    }
    deliver->is_reading = true;
    deliver->is_asked_again = false;
    read->deliver = deliver;
    read->catalog = catalog_current(deliver->holder);
    read->next_due_at_ms = INT64_MAX;
    read->job.run = run_read;
    read->job.done = done_read;
    pool_submit(deliver->readers, &read->job);
}

static void on_async(uv_async_t *async)
{
    start_reading(async->data);
}

void deliver_wake(void *ctx)
{
    struct deliver *deliver = ctx;

    (void)uv_async_send(&deliver->async);
}

enum lb_err deliver_new(uv_loop_t *loop,
                        const struct deliver_parts *parts,
                        const struct lb_config *config,
                        struct deliver **deliver_out,
                        struct lb_error *err)
{
    struct deliver *deliver = calloc(1, sizeof(*deliver));
    enum lb_err rc;

    *deliver_out = NULL;
    if (deliver == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    deliver->loop = loop;
    deliver->writer = parts->writer;
    deliver->readers = parts->readers;
    deliver->holder = parts->holder;
    deliver->in_flight_max = (size_t)config->max_in_flight;
    deliver->jitter = config->jitter;
    rc = outbox_reset_sending(writer_db(parts->writer), err);
    rc = rc == LB_OK ? deliver_curl_new(loop, config, &deliver->curl, err) : rc;
    if (rc != LB_OK) {
        free(deliver);
        return rc;
    }
    (void)uv_async_init(loop, &deliver->async, on_async);
    (void)uv_timer_init(loop, &deliver->timer);
    deliver->async.data = deliver;
    deliver->timer.data = deliver;
    look_after(deliver, 1);
    *deliver_out = deliver;
    return LB_OK;
}

void deliver_stop(struct deliver *deliver)
{
    deliver->is_stopping = true;
    deliver_curl_stop(deliver->curl);
    uv_close((uv_handle_t *)&deliver->async, NULL);
    uv_close((uv_handle_t *)&deliver->timer, NULL);
}

void deliver_free(struct deliver *deliver)
{
    struct attempt *attempt;

    if (deliver == NULL) {
        return;
    }
    while ((attempt = deliver->attempts) != NULL) {
        deliver->attempts = attempt->next;
        release_attempt(attempt);
    }
    deliver_curl_free(deliver->curl);
    free(deliver);
}
