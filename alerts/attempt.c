/* attempt.c - one attempt at a delivery. */
#include "alerts/attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/stream.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"

#define DEAD_ROWS 3 /* one after the other, without a success */
#define HALF_BYTES ((size_t)64 * 1024)

static void free_rows(struct destination_rows *rows)
{
    free((void *)(uintptr_t)rows->lines);
    free((void *)(uintptr_t)rows->places);
    *rows = (struct destination_rows){0};
}

void attempt_free(struct attempt *attempt)
{
    free_rows(&attempt->rows);
    catalog_unref(attempt->catalog);
    notice_deinit(&attempt->notice);
    lb_buf_deinit(&attempt->half.body);
    free(attempt->reshaped.body);
    free(attempt->delivery.body);
    free(attempt);
}

/* --- sending
 * ------------------------------------------------------------------------ */

static const char *error_of_status(int status)
{
    return status == 429                    ? "rate_limited"
           : status == 401 || status == 403 ? "auth"
           : status >= 500                  ? "http_5xx"
           : status >= 400                  ? "http_4xx"
           : status >= 300                  ? "redirect"
                                            : "rejected";
}

static void send_step(struct attempt *attempt);

bool attempt_is_batch(const struct attempt *attempt)
{
    /* By its id, which no transform can change. */
    return strncmp(attempt->delivery.message, STREAM_ID_MARK,
                   sizeof(STREAM_ID_MARK) - 1) == 0;
}

/* What a service refuses of a stream is lost for nobody: a batch with a bad row
 * goes on with its first half, and so on until that row is alone and dead; else
 * the batch is held, and its destination disabled, until somebody looks. */
static void save_batch(struct attempt *attempt)
{
    struct lb_error err = {LB_OK, ""};
    bool is_of_row = attempt->verdict.is_of_row;

    if (is_of_row && attempt->rows.count > 1) {
        lb_buf_init(&attempt->half.body, HALF_BYTES);
        is_of_row =
            stream_halve(attempt->destination.body, attempt->delivery.body,
                         &attempt->half, &err) == LB_OK;
    }
    if (is_of_row && !attempt->half.has_batch) {
        /* One row after the other: then it is none of them that is at fault. */
        is_of_row = ++attempt->lane->dead_rows <= DEAD_ROWS;
    }
    if (!is_of_row) {
        attempt->verdict.outcome = DESTINATION_DISABLE;
    }
}

static void end(struct attempt *attempt)
{
    if (attempt->verdict.outcome == DESTINATION_PERMANENT &&
        attempt_is_batch(attempt) && attempt->lane != NULL) {
        save_batch(attempt);
    } else if (attempt->verdict.outcome == DESTINATION_SUCCESS &&
               attempt->lane != NULL) {
        attempt->lane->dead_rows = 0;
    }
    attempt->record.delivery = attempt->delivery.id;
    attempt->record.number = attempt->delivery.tries + 1;
    attempt->record.started_at_ms = attempt->started_at_ms;
    attempt->record.outcome =
        destination_outcome_name(attempt->verdict.outcome);
    attempt->record.request_bytes = attempt->request_bytes;
    attempt->record.remote_id =
        attempt->remote_id[0] == '\0' ? NULL : attempt->remote_id;
    attempt->sent(attempt);
}

/* The path of a URL that is a secret, and the other secrets.  Of rows that are
 * quoted nothing is kept. */
static void keep_excerpt(struct attempt *attempt,
                         const struct deliver_curl_result *result)
{
    const struct destination *destination = &attempt->destination;
    const char *host = strstr(destination->url, "://");
    const char *path = host == NULL ? NULL : strchr(host + 3, '/');
    const char *secrets[2] = {destination->token, ""};

    if (destination->type->place != DESTINATION_SERVICE && path != NULL &&
        path[1] != '\0') {
        secrets[1] = path;
    }
    if (attempt->verdict.note[0] != '\0') {
        (void)snprintf(attempt->excerpt, sizeof(attempt->excerpt), "%s",
                       attempt->verdict.note);
    } else if (attempt->message.rows != NULL &&
               strncmp(result->body, "Code: ", 6) == 0) { /* of ClickHouse */
        (void)snprintf(attempt->excerpt, sizeof(attempt->excerpt), "%.*s",
                       (int)strcspn(result->body, ",."), result->body);
    } else {
        excerpt_make(result->body, secrets, 2, attempt->excerpt);
    }
    attempt->record.excerpt =
        attempt->excerpt[0] == '\0' ? NULL : attempt->excerpt;
}

static void keep_result(struct attempt *attempt,
                        const struct deliver_curl_result *result)
{
    (void)snprintf(attempt->address, sizeof(attempt->address), "%s",
                   result->address);
    attempt->record.ms += result->ms;
    attempt->record.dns_ms += result->dns_ms;
    attempt->record.connect_ms += result->connect_ms;
    attempt->record.tls_ms += result->tls_ms;
    attempt->record.first_byte_ms += result->first_byte_ms;
    attempt->record.address = attempt->address;
    attempt->record.status = result->status;
    attempt->record.error = result->error;
    attempt->has_answered = result->status != 0;
}

/* --- between two requests
 * ------------------------------------------------------------------------ */

static enum lb_err
run_note(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct attempt *attempt = (struct attempt *)job;

    return outbox_note_remote(db, attempt->delivery.id, attempt->remote_id,
                              err);
}

static void
done_note(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct attempt *attempt = (struct attempt *)job;

    (void)err;
    if (rc == LB_OK) {
        send_step(attempt);
    } else {
        attempt->verdict.outcome = DESTINATION_RETRY;
        attempt->record.error = "not_recorded";
        end(attempt);
    }
}

static void go_on(struct attempt *attempt)
{
    attempt->message.step = attempt->verdict.next_step;
    if (attempt->verdict.remote_id[0] == '\0') {
        send_step(attempt);
        return;
    }
    attempt->job.run = run_note;
    attempt->job.done = done_note;
    if (writer_submit(attempt->writer, &attempt->job) != LB_OK) {
        done_note(&attempt->job, LB_ELIMIT, NULL);
    }
}

static void on_result(void *ctx, const struct deliver_curl_result *result)
{
    struct attempt *attempt = ctx;
    struct destination_verdict *verdict = &attempt->verdict;
    struct destination_answer answer = {
        result->status,         result->body,      result->retry_after_ms,
        result->reset_after_ms, result->exception, result->etag,
        result->region};

    *verdict = (struct destination_verdict){.outcome = DESTINATION_RETRY};
    keep_result(attempt, result);
    if (result->error == NULL) {
        attempt->destination.type->judge(&attempt->destination,
                                         &attempt->message, &answer, verdict);
    } else if (attempt->request.is_look) {
        verdict->outcome = DESTINATION_SUCCESS;
        attempt->record.error = NULL;
    } else if (strcmp(result->error, "blocked_address") == 0) {
        verdict->outcome = DESTINATION_AUTH;
    }
    if (verdict->remote_id[0] != '\0') {
        (void)snprintf(attempt->remote_id, sizeof(attempt->remote_id), "%s",
                       verdict->remote_id);
    }
    if (verdict->refused > 0) {
        lb_log_limited(LB_LOG_WARN, "rows_refused",
                       "destination=%s message=%s rows=%d",
                       attempt->destination.id, attempt->delivery.message,
                       verdict->refused);
        keep_excerpt(attempt, result);
    }
    if (verdict->outcome == DESTINATION_NEXT) {
        if (attempt->requests < (attempt->message.rows == NULL
                                     ? DESTINATION_STEPS
                                     : DESTINATION_ROW_STEPS)) {
            go_on(attempt);
            return;
        }
        verdict->outcome = DESTINATION_RETRY;
    }
    if (verdict->outcome != DESTINATION_SUCCESS) {
        if (result->error == NULL) {
            attempt->record.error = verdict->outcome == DESTINATION_THROTTLED
                                        ? "rate_limited"
                                        : error_of_status(result->status);
        }
        keep_excerpt(attempt, result);
    }
    end(attempt);
}

/* --- of files
 * ------------------------------------------------------------------------ */

static const char *error_of_write(const struct attempt *attempt)
{
    switch ((int)attempt->written.code) {
    case LB_EFORBIDDEN:
        return "blocked_address";
    case LB_ENET:
        return "connect_refused";
    case LB_ETIMEOUT:
        return "timeout";
    default:
        return attempt->verdict.outcome == DESTINATION_AUTH    ? "auth"
               : attempt->verdict.outcome == DESTINATION_RETRY ? "write_failed"
                                                               : "rejected";
    }
}

/* On a thread of its own. */
static void run_write(void *ctx)
{
    struct attempt *attempt = ctx;

    attempt->destination.type->write(&attempt->destination, &attempt->message,
                                     &attempt->verdict, &attempt->written);
}

static void done_write(void *ctx)
{
    struct attempt *attempt = ctx;
    struct destination_verdict *verdict = &attempt->verdict;

    if (verdict->remote_id[0] != '\0') {
        (void)snprintf(attempt->remote_id, sizeof(attempt->remote_id), "%s",
                       verdict->remote_id);
    }
    if (verdict->outcome == DESTINATION_NEXT) {
        go_on(attempt);
        return;
    }
    if (verdict->outcome != DESTINATION_SUCCESS) {
        attempt->record.error = error_of_write(attempt);
        lb_log_limited(LB_LOG_WARN, "destination_unusable",
                       "destination=%s text=\"%s\"", attempt->destination.id,
                       attempt->written.text);
    }
    end(attempt);
}

static void write_step(struct attempt *attempt)
{
    attempt->verdict =
        (struct destination_verdict){.outcome = DESTINATION_RETRY};
    if (!deliver_thread_run(attempt->threads, run_write, done_write, attempt)) {
        attempt->record.error = "write_failed";
        end(attempt);
    }
}

/* --- of requests
 * ------------------------------------------------------------------------ */

/* On any thread. */
static void render(void *ctx)
{
    struct attempt *attempt = ctx;
    struct destination_request *request = &attempt->request;

    lb_buf_add_text(&request->url, attempt->destination.url);
    lb_buf_add_text(&request->headers, attempt->destination.headers);
    attempt->rendered = attempt->destination.type->render(
        &attempt->destination, &attempt->message, request,
        &attempt->render_err);
    if (request->url.is_failed || request->headers.is_failed ||
        request->body.is_failed) {
        attempt->rendered =
            attempt->rendered == LB_ENOMEM ? LB_ENOMEM : LB_ELIMIT;
    }
}

static void transmit(void *ctx)
{
    struct attempt *attempt = ctx;
    const struct destination_type *type = attempt->destination.type;
    struct destination_request *request = &attempt->request;
    const struct deliver_curl_request sent = {request->method,
                                              lb_buf_text(&request->url),
                                              &request->headers,
                                              &request->body,
                                              attempt->destination.timeout_ms,
                                              type->needs_body ||
                                                  request->is_look,
                                              request->is_answer_long,
                                              request->mail_from,
                                              request->mail_to,
                                              attempt->destination.user,
                                              attempt->destination.token,
                                              request->sigv4,
                                              request->has_login};
    enum lb_err rc = attempt->rendered;
    struct lb_error err = attempt->render_err;

    attempt->requests++;
    attempt->request_bytes += (int64_t)request->body.len;
    if (rc == LB_EAUTH) {
        lb_log_limited(LB_LOG_WARN, "destination_unusable",
                       "destination=%s text=\"%s\"", attempt->destination.id,
                       err.text);
    }
    if (rc != LB_OK) {
        attempt->verdict.outcome = rc == LB_EAUTH    ? DESTINATION_AUTH
                                   : rc == LB_ENOMEM ? DESTINATION_RETRY
                                                     : DESTINATION_PERMANENT;
        attempt->record.error = rc == LB_EAUTH    ? "auth"
                                : rc == LB_ENOMEM ? "out_of_memory"
                                                  : "rejected";
    } else {
        rc = deliver_curl_send(attempt->curl, &sent, on_result, attempt, &err);
        if (rc != LB_OK) {
            attempt->verdict.outcome = DESTINATION_RETRY;
            attempt->record.error = "bad_response";
        }
    }
    destination_request_deinit(request);
    if (rc != LB_OK) {
        end(attempt);
    }
}

/* Many rows are made into a request on another thread. */
static void send_request(struct attempt *attempt)
{
    destination_request_init(&attempt->request);
    if (attempt->message.rows == NULL ||
        !deliver_thread_run(attempt->threads, render, transmit, attempt)) {
        render(attempt);
        transmit(attempt);
    }
}

static void send_step(struct attempt *attempt)
{
    if (attempt->destination.type->write != NULL) {
        write_step(attempt);
    } else {
        send_request(attempt);
    }
}

static const struct lb_zone *find_zone(const struct attempt *attempt)
{
    /* A batch is of many sites, and long. */
    cJSON *json =
        attempt_is_batch(attempt) ? NULL : cJSON_Parse(attempt->delivery.body);
    const char *id =
        lb_json_text(cJSON_GetObjectItemCaseSensitive(json, "data"), "site");
    const struct catalog_site *site =
        id == NULL ? NULL : catalog_site_find(attempt->catalog, id);

    cJSON_Delete(json);
    return site == NULL ? NULL : site->zone;
}

/* Cuts the body of a batch into its message and rows (stream.h).  False: out of
 * memory. */
static bool cut_rows(struct attempt *attempt)
{
    char *at = strchr(attempt->delivery.body, '\n');
    size_t most = 0;
    const char **lines;
    uint32_t *places;
    uint32_t place = 0;
    size_t count = 0;

    for (const char *c = at; c != NULL; c = strchr(c + 1, '\n')) {
        most++;
    }
    lines = calloc(most + 1, sizeof(*lines));
    places = calloc(most + 1, sizeof(*places));
    attempt->rows = (struct destination_rows){lines, 0, places};
    if (lines == NULL || places == NULL) {
        return false;
    }
    while (at != NULL && at[1] != '\0') {
        char *line = at + 1;

        *at = '\0';
        at = strchr(line, '\n');
        if (at == line) {
            place++;
            continue;
        }
        lines[count] = line;
        places[count++] = place;
    }
    if (at != NULL) {
        *at = '\0';
    }
    attempt->rows.count = count;
    return true;
}

/* What a trial says of it. */
static void skip(struct attempt *attempt)
{
    attempt->verdict.outcome = DESTINATION_SUCCESS;
    if (attempt->lane == NULL) {
        attempt->verdict.outcome = DESTINATION_PERMANENT;
        attempt->record.error = attempt->skipped;
    }
    end(attempt);
}

/* With the message that goes out. */
static void send_message(struct attempt *attempt)
{
    attempt->message.body = attempt->delivery.body;
    if (attempt_is_batch(attempt)) {
        attempt->message.rows = &attempt->rows;
        if (!attempt->is_cut) {
            attempt->verdict.outcome = DESTINATION_RETRY;
            attempt->record.error = "out_of_memory";
            end(attempt);
            return;
        }
        if (attempt->rows.count == 0) { /* all were erased, or are not wanted */
            attempt->skipped = reshape_program(&attempt->destination) != NULL
                                   ? "filtered"
                                   : "no_rows";
            skip(attempt);
            return;
        }
    }
    send_step(attempt);
}

/* --- transforms
 * ------------------------------------------------------------------------ */

/* On a thread of its own. */
static void run_transform(void *ctx)
{
    struct attempt *attempt = ctx;
    const char *body = attempt->delivery.body;

    attempt->transformed =
        attempt_is_batch(attempt)
            ? reshape_batch(attempt->workers, &attempt->destination, body,
                            &attempt->reshaped, &attempt->written)
            : reshape_message(attempt->workers, &attempt->destination, body,
                              attempt->delivery.part, &attempt->reshaped,
                              &attempt->written);
    if (attempt->transformed == LB_OK && attempt->reshaped.body != NULL) {
        free(attempt->delivery.body);
        attempt->delivery.body = attempt->reshaped.body;
        attempt->reshaped.body = NULL;
        attempt->is_cut = !attempt_is_batch(attempt) || cut_rows(attempt);
    } else {
        attempt->skipped = attempt->transformed == LB_OK ? "filtered" : NULL;
    }
}

static void end_transform(struct attempt *attempt)
{
    const char *secrets[] = {attempt->destination.token};
    bool is_fault = attempt->transformed != LB_EIO;

    if (attempt->transformed == LB_ETIMEOUT) {
        lb_metrics_limit_hit("transform_time");
    } else if (attempt->transformed == LB_ELIMIT) {
        lb_metrics_limit_hit("transform_bytes");
    }
    attempt->verdict.outcome =
        is_fault ? DESTINATION_PERMANENT : DESTINATION_RETRY;
    attempt->record.error = "transform_failed";
    if (attempt_is_batch(attempt)) {
        /* Values stand in brackets, and could not be erased from here. */
        attempt->written.text[strcspn(attempt->written.text, "(")] = '\0';
    }
    excerpt_make(attempt->written.text, secrets, 1, attempt->excerpt);
    attempt->record.excerpt = attempt->excerpt;
    end(attempt);
}

static void done_transform(void *ctx)
{
    struct attempt *attempt = ctx;

    if (attempt->transformed != LB_OK) {
        end_transform(attempt);
    } else if (attempt->skipped != NULL) {
        skip(attempt);
    } else {
        send_message(attempt);
    }
}

/* --- the message, as it goes out
 * ------------------------------------------------------------------------ */

static void send_whole(struct attempt *attempt)
{
    if (reshape_program(&attempt->destination) == NULL) {
        send_message(attempt);
    } else if (!deliver_thread_run(attempt->threads, run_transform,
                                   done_transform, attempt)) {
        attempt->transformed = LB_EIO;
        end_transform(attempt);
    }
}

static struct attempt *attempt_of(struct pool_job *job)
{
    return (struct attempt *)(void *)((char *)job -
                                      offsetof(struct attempt, fill));
}

/* On a reader's thread. */
static void read_rows(struct pool_job *job, struct db *db)
{
    struct attempt *attempt = attempt_of(job);

    attempt->filled = stream_add_rows(
        &(struct stream_source){db, attempt->catalog, attempt->destination.body,
                                attempt->is_case_kept},
        &attempt->delivery.body, &attempt->written);
    if (attempt->filled == LB_OK &&
        reshape_program(&attempt->destination) == NULL) {
        attempt->is_cut = cut_rows(attempt);
    }
}

static void
done_rows(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct attempt *attempt = attempt_of(job);

    if (rc == LB_OK && attempt->filled == LB_OK) {
        send_whole(attempt);
        return;
    }
    lb_log_limited(LB_LOG_ERROR, "stream_not_read",
                   "destination=%s message=%s text=\"%s\"",
                   attempt->delivery.destination, attempt->delivery.message,
                   rc == LB_OK ? attempt->written.text : err->text);
    attempt->verdict.outcome = DESTINATION_RETRY;
    attempt->record.error = "not_read";
    end(attempt);
}

void attempt_send(struct attempt *attempt,
                  const struct attempt_means *means,
                  attempt_fn sent)
{
    attempt->curl = means->curl;
    attempt->threads = means->threads;
    attempt->dials = means->dials;
    attempt->workers = means->workers;
    attempt->writer = means->writer;
    attempt->destination.memory =
        attempt->lane != NULL ? &attempt->lane->memory : &attempt->memory;
    attempt->sent = sent;
    attempt->started_at_ms = lb_clock_wall_ms();
    (void)snprintf(attempt->remote_id, sizeof(attempt->remote_id), "%.63s",
                   attempt->delivery.remote_id);
    attempt->message = (struct destination_message){
        .id = attempt->delivery.message,
        .now_s = attempt->started_at_ms / LB_MS_PER_S,
        .remote_id = attempt->remote_id,
        .tries = attempt->delivery.tries,
        .data_dir = db_dir(writer_db(means->writer)),
        .dials = means->dials,
        .zone = find_zone(attempt),
        .links = means->links,
        .made_ms = attempt->delivery.created_at_ms};
    if (attempt_is_batch(attempt)) {
        attempt->is_case_kept = means->is_case_kept;
        attempt->fill.run = read_rows;
        attempt->fill.done = done_rows;
        pool_submit(means->readers, &attempt->fill);
    } else {
        send_whole(attempt);
    }
}
