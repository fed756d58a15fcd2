/* relabel_api.c - the list of crawlers applied to history: a reader finds what
 * changes, piece by piece; the writer changes a few events at a time, each with
 * its counts in one transaction.  So it may be broken off and begun again. */
#include "ingest/relabel_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "ingest/relabel.h"
#include "sql/dict.h"
#include "sql/log_change.h"
#include "sql/log_lookup.h"
#include "sql/log_store.h"

#define PIECE_SEQS 65536 /* log numbers read in one snapshot */
#define CHANGES_MAX 4096 /* found in one piece; more end it */
#define STEP_CHANGES 32  /* of one transaction */
#define ANSWER_BYTES 4096

struct relabel_api {
    struct intake *intake;
    bool is_busy;
};

struct change {
    int64_t seq;
    int64_t site;
    enum entry_traffic traffic;
    const char *reason; /* static; NULL: none */
};

/* One run.  Handed from thread to thread. */
struct work {
    struct pool_job read; /* first */
    struct writer_job write;
    struct relabel_api *api;
    struct lb_http_request *http;
    struct log_lookup *lookup; /* owned; the writer thread's */
    struct relabel *relabel;   /* owned */
    struct change changes[CHANGES_MAX];
    size_t change_count;
    size_t next_change;
    int64_t after_seq;
    int64_t upto_seq; /* of this piece */
    bool is_read;
    int64_t events;
    int64_t changed;
    int64_t unknown;
    enum lb_err rc;
    struct lb_error err;
};

static void finish(struct work *work, enum lb_err rc, const char *text)
{
    struct lb_buf answer;

    if (rc != LB_OK) {
        lb_http_respond_error(work->http, 503, "not_ready", text, NULL);
    } else {
        lb_buf_init(&answer, ANSWER_BYTES);
        lb_buf_printf(&answer,
                      "{\"events\":%lld,\"changed\":%lld,\"unknown\":%lld}",
                      (long long)work->events, (long long)work->changed,
                      (long long)work->unknown);
        lb_http_respond_json(work->http, 200, &answer);
        lb_buf_deinit(&answer);
    }
    work->api->is_busy = false;
    relabel_free(work->relabel);
    log_lookup_free(work->lookup);
    free(work);
}

/* --- finding: on a reader ------------------------------------------------- */

static void judge(struct work *work, const struct entry *entry)
{
    struct change *change = &work->changes[work->change_count];

    work->events++;
    switch (relabel_judge(work->relabel, entry, &change->traffic,
                          &change->reason)) {
    case RELABEL_SAME:
        break;
    case RELABEL_UNKNOWN:
        work->unknown++;
        break;
    case RELABEL_CHANGED:
        change->seq = entry->seq;
        change->site = entry->site;
        work->change_count++;
        break;
    }
}

static enum lb_err read_piece(struct work *work, struct db *db, int64_t cursor)
{
    struct log_range range = {.after_seq = work->after_seq,
                              .upto_seq = work->upto_seq,
                              .from_at_ms = INT64_MIN,
                              .to_at_ms = INT64_MAX,
                              .has_texts = true};
    struct dict_cache *cache = dict_cache_new();
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    enum lb_err rc =
        cache == NULL ? lb_err_set(&work->err, LB_ENOMEM, "out of memory")
                      : log_reader_open(db, cache, &range, &reader, &work->err);

    while (rc == LB_OK && work->change_count < CHANGES_MAX) {
        rc = log_reader_next(reader, &entry, &work->err);
        if (rc != LB_OK || entry == NULL) {
            work->after_seq = work->upto_seq;
            break;
        }
        judge(work, entry);
        work->after_seq = entry->seq;
    }
    log_reader_close(reader);
    dict_cache_free(cache);
    work->is_read = work->after_seq >= cursor;
    return rc;
}

static void run_read(struct pool_job *job, struct db *db)
{
    struct work *work = (struct work *)job;
    int64_t cursor = 0;

    work->change_count = 0;
    work->next_change = 0;
    work->rc = db_meta_get(db, "cursor", 0, &cursor, &work->err);
    work->upto_seq = work->after_seq + PIECE_SEQS < cursor
                         ? work->after_seq + PIECE_SEQS
                         : cursor;
    if (work->rc == LB_OK) {
        work->rc = read_piece(work, db, cursor);
    }
}

/* --- changing: on the writer ---------------------------------------------- */

static struct work *work_of(struct writer_job *job)
{
    return (struct work *)(void *)((char *)job - offsetof(struct work, write));
}

static enum lb_err change_event(struct work *work,
                                struct db *db,
                                const struct change *change,
                                struct lb_error *err)
{
    const struct intake_parts *parts = intake_parts(work->api->intake);
    const struct entry *found = NULL;
    struct entry before;
    struct entry after;
    enum lb_err rc = log_lookup_event(work->lookup, db, change->seq,
                                      change->site, &found, err);

    if (rc != LB_OK || found == NULL) { /* it was erased meanwhile */
        return rc;
    }
    before = *found;
    after = before;
    after.traffic = change->traffic;
    rc = dict_intern(parts->dict, db, ENTRY_DICT_REASON, change->reason,
                     &after.dict[ENTRY_DICT_REASON], err);
    rc = rc == LB_OK ? log_change_class(db, &after, err) : rc;
    return rc == LB_OK ? parts->reclass(db, &before, &after, err) : rc;
}

static size_t step_end(const struct work *work)
{
    return work->change_count - work->next_change > STEP_CHANGES
               ? work->next_change + STEP_CHANGES
               : work->change_count;
}

static enum lb_err
run_write(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct work *work = work_of(job);
    enum lb_err rc = LB_OK;

    for (size_t i = work->next_change; i < step_end(work) && rc == LB_OK; i++) {
        rc = change_event(work, db, &work->changes[i], err);
    }
    return rc;
}

/* --- step by step: on the loop -------------------------------------------- */

static void advance(struct work *work)
{
    if (work->next_change < work->change_count) {
        if (writer_submit(intake_parts(work->api->intake)->writer,
                          &work->write) != LB_OK) {
            finish(work, LB_ELIMIT, "the queue is full");
        }
    } else if (work->is_read) {
        finish(work, LB_OK, NULL);
    } else {
        pool_submit(intake_parts(work->api->intake)->readers, &work->read);
    }
}

static void
done_write(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct work *work = work_of(job);

    if (rc != LB_OK) {
        finish(work, rc, err->text);
        return;
    }
    work->changed += (int64_t)(step_end(work) - work->next_change);
    work->next_change = step_end(work);
    advance(work);
}

static void
done_read(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct work *work = (struct work *)job;

    if (rc != LB_OK || work->rc != LB_OK) {
        finish(work, LB_EIO, rc != LB_OK ? err->text : work->err.text);
        return;
    }
    advance(work);
}

static void handle(struct lb_http_request *http, void *ctx)
{
    struct relabel_api *api = ctx;
    struct work *work;

    if (api->is_busy) {
        lb_http_respond_error(http, 409, "in_progress",
                              "History is being relabelled already.", NULL);
        return;
    }
    work = calloc(1, sizeof(*work));
    if (work != NULL) {
        work->relabel = relabel_new();
        work->lookup = log_lookup_new();
    }
    if (work == NULL || work->relabel == NULL || work->lookup == NULL) {
        if (work != NULL) {
            relabel_free(work->relabel);
            log_lookup_free(work->lookup);
        }
        free(work);
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return;
    }
    api->is_busy = true;
    work->api = api;
    work->http = http;
    work->read.run = run_read;
    work->read.done = done_read;
    work->write.run = run_write;
    work->write.done = done_write;
    work->write.is_background = true;
    pool_submit(intake_parts(api->intake)->readers, &work->read);
}

static void check(struct lb_http_request *http, void *ctx)
{
    struct relabel_api *api = ctx;

    (void)auth_check(intake_parts(api->intake)->auth, http, CATALOG_SCOPE_ADMIN,
                     false);
}

enum lb_err relabel_api_new(struct lb_http_server *server,
                            struct intake *intake,
                            struct relabel_api **api_out,
                            struct lb_error *err)
{
    struct relabel_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route route = {"POST", "/v1/relabel", check,
                                        handle, api,           0};

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->intake = intake;
    return lb_http_server_add_route(server, &route, err);
}

void relabel_api_free(struct relabel_api *api)
{
    free(api);
}

/* --- the command ---------------------------------------------------------- */

int relabel_api_command(struct lb_cli *cli, int argc, char **argv)
{
    const struct lb_cli_usage usage = {.line = "relabel"};
    const struct lb_client_request request = {.method = "POST",
                                              .path = "/v1/relabel"};
    struct lb_buf answer;
    struct lb_error err;
    int status = 0;
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, NULL);

    if (exit_code >= 0) {
        return exit_code;
    }
    lb_buf_init(&answer, ANSWER_BYTES);
    exit_code = LB_CLI_OK;
    if (lb_cli_request(cli, &request, &status, &answer, &err) != LB_OK) {
        exit_code = lb_cli_fail(cli, &err);
    } else if (status != 200) {
        exit_code = lb_cli_fail_answer(cli, status, &answer);
    } else if (cli->is_json) {
        (void)printf("%s\n", lb_buf_text(&answer));
    } else {
        cJSON *json = cJSON_Parse(lb_buf_text(&answer));

        (void)printf("relabel: %lld events looked at, %lld changed; of %lld "
                     "what is stored does not tell\n",
                     (long long)lb_json_int(json, "events"),
                     (long long)lb_json_int(json, "changed"),
                     (long long)lb_json_int(json, "unknown"));
        cJSON_Delete(json);
    }
    lb_buf_deinit(&answer);
    return exit_code;
}
