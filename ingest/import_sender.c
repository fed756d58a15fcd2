/* import_sender.c - requests of an import, and their answers. */
#include "ingest/import_sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/client_pipe.h"
#include "base/json.h"
#include "ingest/import_repeat.h"

#define PLACES 16 /* requests at a time */
#define RING 32   /* more than can be between the first and the last of them */
#define SEND_BYTES ((size_t)1024 * 1024)
#define PATH_BYTES 160
#define START_TRIES 600
#define START_PAUSE_US 100000

/* A request that is not answered, or whose turn to be told has not come. */
struct sent {
    size_t count;
    unsigned long lines[IMPORT_ORDER_RECORDS];
    bool is_answered;
    struct lb_buf messages;
};

struct import_sender {
    struct lb_cli *cli;
    const char *path;
    const char *session;
    struct import_order *order;
    struct lb_client_pipe *pipe; /* owned */
    struct lb_buf records;       /* of the next request */
    struct lb_buf body;
    uint64_t numbers[IMPORT_ORDER_RECORDS]; /* of these, as repeats has them */
    struct import_repeat_count *repeats;    /* owned */
    size_t weight;
    int64_t run;       /* as the service numbers it */
    size_t number;     /* of the next request */
    size_t told;       /* requests whose bad records are told */
    struct sent *ring; /* owned; RING */
    struct import_sums sums;
    bool is_stopped;         /* by the service, at a bad record */
    bool is_ending;          /* at one that was refused here */
    struct lb_error failure; /* LB_OK: none */
};

static struct sent *sent_of(const struct import_sender *sender, size_t number)
{
    return &sender->ring[number % RING];
}

/* --- answers --------------------------------------------------------------
 */

static void note_times(struct import_sums *sums, int64_t first, int64_t last)
{
    if (first != 0 && (sums->first_ms == 0 || first < sums->first_ms)) {
        sums->first_ms = first;
    }
    sums->last_ms = last > sums->last_ms ? last : sums->last_ms;
}

static void read_sums(struct import_sender *sender,
                      struct sent *sent,
                      const struct lb_buf *answer)
{
    cJSON *json = cJSON_ParseWithLength(lb_buf_text(answer), answer->len);
    struct import_sums *sums = &sender->sums;
    const cJSON *error;

    sums->accepted += (size_t)lb_json_int(json, "accepted");
    sums->duplicates += (size_t)lb_json_int(json, "duplicates");
    sums->rejected += (size_t)lb_json_int(json, "rejected");
    sums->ignored += (size_t)lb_json_int(json, "ignored");
    note_times(sums, lb_json_int(json, "first_ms"),
               lb_json_int(json, "last_ms"));
    cJSON_ArrayForEach (error,
                        cJSON_GetObjectItemCaseSensitive(json, "errors")) {
        size_t index = (size_t)lb_json_int(error, "index");

        lb_buf_printf(&sent->messages, "%s:%lu: %s: %s\n", sender->path,
                      index < sent->count ? sent->lines[index] : 0,
                      lb_json_text(error, "code"),
                      lb_json_text(error, "message"));
    }
    if (sender->order->is_strict && lb_json_int(json, "rejected") > 0) {
        sender->is_stopped = true;
    }
    cJSON_Delete(json);
}

/* Tells of bad records in the order of the file. */
static void tell(struct import_sender *sender)
{
    while (sender->told < sender->number &&
           sent_of(sender, sender->told)->is_answered) {
        struct sent *sent = sent_of(sender, sender->told);

        if (sent->messages.len > 0) {
            lb_cli_progress_end(sender->cli);
            (void)fputs(lb_buf_text(&sent->messages), stderr);
            lb_buf_clear(&sent->messages);
        }
        sender->told++;
    }
}

static void note_failure(struct import_sender *sender,
                         int status,
                         const struct lb_buf *answer)
{
    cJSON *json = cJSON_ParseWithLength(lb_buf_text(answer), answer->len);
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");
    const char *message = lb_json_text(error, "message");

    /* What only follows from a failure may be answered before it. */
    if (sender->failure.code == LB_OK ||
        (sender->failure.code == LB_ECANCELLED && status != 409)) {
        (void)lb_err_set(
            &sender->failure, status == 409 ? LB_ECANCELLED : LB_EIO, "%.180s",
            message == NULL ? "the service refused the records" : message);
    }
    cJSON_Delete(json);
}

static bool is_overloaded(int status, const struct lb_buf *answer)
{
    return status == 503 &&
           strstr(lb_buf_text(answer), "\"overloaded\"") != NULL;
}

static bool
answered(void *ctx, size_t tag, int status, const struct lb_buf *answer)
{
    struct import_sender *sender = ctx;
    struct sent *sent = sent_of(sender, tag);

    if (is_overloaded(status, answer)) {
        return true;
    }
    if (status == 200) {
        read_sums(sender, sent, answer);
    } else if (!sender->order->is_strict || status != 409) {
        note_failure(sender, status, answer);
    } else {
        sender->is_stopped = true; /* at a bad record of a request before */
    }
    sent->is_answered = true;
    tell(sender);
    return false;
}

/* --- requests -------------------------------------------------------------
 */

static enum lb_err start(struct import_sender *sender, struct lb_error *err)
{
    const char *site = sender->order->spec.site;
    char path[PATH_BYTES];
    const struct lb_client_request request = {.method = "POST", .path = path};
    struct lb_buf answer;
    int status = 0;
    enum lb_err rc = LB_OK;

    lb_buf_init(&answer, SEND_BYTES);
    (void)snprintf(path, sizeof(path), "/v1/import/start?session=%s%s%.64s",
                   sender->session,
                   site == NULL ? "" : "&site=", site == NULL ? "" : site);
    for (int i = 0; i < START_TRIES && rc == LB_OK && status != 200; i++) {
        if (i > 0) {
            (void)usleep(START_PAUSE_US);
        }
        lb_buf_clear(&answer);
        rc = lb_cli_request(sender->cli, &request, &status, &answer, err);
        if (rc == LB_OK && status != 200 && !is_overloaded(status, &answer)) {
            note_failure(sender, status, &answer);
            *err = sender->failure;
            rc = err->code;
        }
    }
    if (rc == LB_OK && status == 200) {
        cJSON *json = cJSON_Parse(lb_buf_text(&answer));

        sender->run = lb_json_int(json, "run");
        cJSON_Delete(json);
    } else if (rc == LB_OK) {
        rc = lb_err_set(err, LB_EBUSY,
                        "too many imports run, or this file is being imported "
                        "already");
    }
    lb_buf_deinit(&answer);
    return rc;
}

enum lb_err import_sender_new(struct lb_cli *cli,
                              const char *path,
                              const char *session,
                              struct import_order *order,
                              struct import_sender **sender_out,
                              struct lb_error *err)
{
    struct import_sender *sender = calloc(1, sizeof(*sender));
    const char *socket_path = cli->socket_path(cli, err);
    enum lb_err rc = LB_OK;

    *sender_out = NULL;
    if (socket_path == NULL || sender == NULL) {
        free(sender);
        return socket_path == NULL
                   ? err->code
                   : lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    sender->cli = cli;
    sender->path = path;
    sender->session = session;
    sender->order = order;
    lb_buf_init(&sender->records, 4 * SEND_BYTES);
    lb_buf_init(&sender->body, 8 * SEND_BYTES);
    sender->ring = calloc(RING, sizeof(*sender->ring));
    sender->repeats = import_repeat_new();
    if (sender->ring == NULL || sender->repeats == NULL) {
        rc = lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    for (size_t i = 0; rc == LB_OK && i < RING; i++) {
        lb_buf_init(&sender->ring[i].messages, SEND_BYTES);
    }
    rc = rc == LB_OK ? lb_client_pipe_new(socket_path, PLACES, answered, sender,
                                          &sender->pipe, err)
                     : rc;
    rc = rc == LB_OK ? start(sender, err) : rc;
    if (rc != LB_OK) {
        import_sender_free(sender);
        return rc;
    }
    *sender_out = sender;
    return LB_OK;
}

void import_sender_free(struct import_sender *sender)
{
    if (sender == NULL) {
        return;
    }
    lb_client_pipe_free(sender->pipe);
    for (size_t i = 0; sender->ring != NULL && i < RING; i++) {
        lb_buf_deinit(&sender->ring[i].messages);
    }
    free(sender->ring);
    import_repeat_free(sender->repeats);
    lb_buf_deinit(&sender->records);
    lb_buf_deinit(&sender->body);
    free(sender);
}

/* Says which records stood before in the file.  All at once: where the numbers
 * of a whole file lie is in no processor's cache, and was asked for as they
 * came. */
static enum lb_err count_repeats(struct import_sender *sender)
{
    struct import_order *order = sender->order;
    size_t count = sent_of(sender, sender->number)->count;
    enum lb_err rc = LB_OK;

    order->repeat_count = 0;
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        uint32_t before = 0;

        rc = import_repeat_add(sender->repeats, sender->numbers[i], &before);
        if (before > 0) {
            order->repeats[order->repeat_count++] =
                (struct import_repeat){(uint32_t)i, before};
        }
    }
    return rc;
}

static enum lb_err
send_records(struct import_sender *sender, bool is_last, struct lb_error *err)
{
    char path[PATH_BYTES];
    enum lb_err rc = count_repeats(sender);

    (void)snprintf(
        path, sizeof(path), "/v1/import?session=%s&run=%lld&number=%zu&last=%d",
        sender->session, (long long)sender->run, sender->number, is_last);
    lb_buf_clear(&sender->body);
    import_order_write(sender->order, &sender->body);
    lb_buf_add(&sender->body, sender->records.data, sender->records.len);
    if (rc != LB_OK || sender->body.is_failed || sender->records.is_failed) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    rc = lb_client_pipe_send(sender->pipe, path, &sender->body, sender->number,
                             err);
    sender->number++;
    lb_buf_clear(&sender->records);
    sender->weight = 0;
    /* The place of the next one was answered long ago. */
    sent_of(sender, sender->number)->count = 0;
    sent_of(sender, sender->number)->is_answered = false;
    if (rc == LB_OK && sender->failure.code != LB_OK) {
        *err = sender->failure;
        rc = err->code;
    }
    return rc;
}

enum lb_err import_sender_add(struct import_sender *sender,
                              const struct import_sender_record *record,
                              struct lb_error *err)
{
    struct sent *sent = sent_of(sender, sender->number);

    sender->numbers[sent->count] =
        import_repeat_expect(sender->repeats, record->text, record->len);
    sent->lines[sent->count++] = record->line;
    lb_buf_add(&sender->records, record->text, record->len);
    lb_buf_add_char(&sender->records, '\n');
    sender->weight += record->weight;
    return sent->count < IMPORT_ORDER_RECORDS &&
                   sender->weight < IMPORT_ORDER_RECORDS &&
                   sender->records.len < SEND_BYTES
               ? LB_OK
               : send_records(sender, false, err);
}

enum lb_err import_sender_refuse(struct import_sender *sender,
                                 unsigned long line,
                                 const char *message,
                                 struct lb_error *err)
{
    struct sent *sent = sent_of(sender, sender->number);
    enum lb_err rc = LB_OK;

    /* What is wrong with the records before it is told before it. */
    if (sent->count > 0) {
        rc = send_records(sender, false, err);
        sent = sent_of(sender, sender->number);
    }
    sender->sums.rejected++;
    lb_buf_printf(&sent->messages, "%s:%lu: bad_line: %s\n", sender->path, line,
                  message);
    sender->is_ending = sender->is_ending || sender->order->is_strict;
    return rc;
}

enum lb_err import_sender_flush(struct import_sender *sender,
                                bool is_last,
                                struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    if (!sender->is_stopped &&
        (sender->records.len > 0 || is_last ||
         sent_of(sender, sender->number)->messages.len > 0)) {
        rc = send_records(sender, is_last && !sender->is_ending, err);
    }
    rc = rc == LB_OK ? lb_client_pipe_wait(sender->pipe, err) : rc;
    if (rc == LB_OK && sender->failure.code != LB_OK) {
        *err = sender->failure;
        rc = err->code;
    }
    return rc;
}

void import_sender_forget(struct import_sender *sender)
{
    import_repeat_clear(sender->repeats);
}

bool import_sender_is_stopped(const struct import_sender *sender)
{
    return sender->is_stopped || sender->is_ending;
}

const struct import_sums *import_sender_sums(const struct import_sender *sender)
{
    return &sender->sums;
}
