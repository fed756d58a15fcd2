/* erase_api.c - POST /v1/erase: find on a reader, remove by the writer, drop
 * texts, truncate the WAL, answer. */
#include "sql/erase_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "base/zone.h"
#include "sql/erase_files.h"
#include "sql/erase_find.h"
#include "sql/erase_text.h"
#include "sql/scrub.h"
#include "sql/seal.h"

#define BODY_BYTES ((size_t)16 * 1024)
#define SCRUB_TIMEOUT_MS INT64_C(60000) /* for readers that hold the WAL */

struct erase_api {
    struct auth *auth;
    struct pool *readers;
    struct writer *writer;
    struct seal *seal;
    struct erase_hooks hooks;
};

enum phase {
    PHASE_WHO,
    PHASE_FIND,
    PHASE_FILES,
    PHASE_REMOVE,
    PHASE_TEXTS,
    PHASE_DROP,
    PHASE_SEGMENTS, /* that held it are written anew */
    PHASE_SCRUB,
    PHASE_OVER
};

struct work {
    struct pool_job read; /* first */
    struct writer_job write;
    struct seal_waiter sealing;
    struct erase_api *api;
    struct lb_http_request *http;
    struct erase *erase; /* owned */
    enum phase phase;
    bool is_over;    /* the phase */
    const char *dir; /* during a read */
    size_t files;
    int64_t next_page;
    int64_t scrub_until_ms; /* monotonic */
    enum lb_err rc;
    struct lb_error err;
};

static void advance(struct work *work);

static void free_work(struct work *work)
{
    if (work->scrub_until_ms != 0) {
        seal_hold(work->api->seal, false);
    }
    erase_free(work->erase);
    free(work);
}

static void fail(struct work *work, enum lb_err rc, const struct lb_error *err)
{
    if (rc == LB_ENOTFOUND) {
        lb_http_respond_error(work->http, 404, "unknown_site", err->text, NULL);
    } else if (rc == LB_EINVAL) {
        lb_http_respond_error(work->http, 422, "invalid", err->text, NULL);
    } else {
        lb_http_respond_error(work->http, 503, "not_ready", err->text,
                              "Run it again: it goes on where it ended.");
    }
    free_work(work);
}

static void respond(struct work *work)
{
    const struct erase_counts *counts = erase_counts(work->erase);
    struct lb_buf answer;

    lb_buf_init(&answer, BODY_BYTES);
    lb_buf_printf(&answer,
                  "{\"events\":%lld,\"contacts\":%lld,\"messages\":%lld,"
                  "\"alerts\":%lld,\"files\":%zu}",
                  (long long)counts->events, (long long)counts->contacts,
                  (long long)counts->messages, (long long)counts->alerts,
                  work->files);
    lb_http_respond_json(work->http, 200, &answer);
    lb_buf_deinit(&answer);
    free_work(work);
}

/* --- on a worker thread
 * ----------------------------------------------------- */

static void
remove_files(void *ctx, const struct catalog_site *site, int64_t day)
{
    struct work *work = ctx;
    char text[LB_ZONE_DAY_BYTES];

    lb_zone_format_day(day, text);
    if (work->rc == LB_OK) {
        work->rc = erase_files_remove(work->dir, site->id, text, &work->files,
                                      &work->err);
    }
}

static void run_read(struct pool_job *job, struct db *db)
{
    struct work *work = (struct work *)job;

    work->is_over = true;
    work->dir = db_dir(db);
    if (work->phase == PHASE_WHO) {
        work->rc = erase_find_who(work->erase, db, &work->err);
    } else if (work->phase == PHASE_FIND) {
        work->rc =
            erase_find_piece(work->erase, db, &work->is_over, &work->err);
    } else if (work->phase == PHASE_TEXTS) {
        work->rc = erase_text_find(work->erase, db, &work->is_over, &work->err);
    } else if (erase_is_whole_site(work->erase) &&
               work->erase->order.before_at_ms == INT64_MAX) {
        work->rc = erase_files_remove(db_dir(db), work->erase->order.site, NULL,
                                      &work->files, &work->err);
    } else {
        erase_find_each_day(work->erase, remove_files, work);
    }
}

static void
done_read(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct work *work = (struct work *)job;

    if (rc != LB_OK || work->rc != LB_OK) {
        fail(work, rc != LB_OK ? rc : work->rc, rc != LB_OK ? err : &work->err);
        return;
    }
    work->phase += work->is_over ? 1 : 0;
    advance(work);
}

/* --- on the writer thread
 * ------------------------------------------------- */

static struct work *work_of(struct writer_job *job)
{
    return (struct work *)(void *)((char *)job - offsetof(struct work, write));
}

static enum lb_err
run_write(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct work *work = work_of(job);

    work->is_over = true;
    if (work->phase == PHASE_REMOVE) {
        return erase_step(work->erase, db, &work->is_over, err);
    }
    if (work->phase == PHASE_DROP) {
        return erase_text_drop(work->erase, db, err);
    }
    if (lb_clock_mono_ms() > work->scrub_until_ms) {
        return lb_err_set(err, LB_EBUSY,
                          "readers hold the write-ahead log, so old bytes may "
                          "still stand in it");
    }
    return scrub_run(db, &work->next_page, &work->is_over, err);
}

static void
done_write(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct work *work = work_of(job);

    if (rc != LB_OK) {
        fail(work, rc, err);
        return;
    }
    work->phase += work->is_over ? 1 : 0;
    advance(work);
}

static void done_segments(struct seal_waiter *waiter,
                          enum lb_err rc,
                          const struct lb_error *err)
{
    struct work *work = (struct work *)(void *)((char *)waiter -
                                                offsetof(struct work, sealing));

    if (rc != LB_OK) {
        fail(work, rc, err);
        return;
    }
    work->phase++;
    advance(work);
}

static void advance(struct work *work)
{
    struct lb_error full = {LB_ELIMIT, "the queue is full"};

    switch (work->phase) {
    case PHASE_WHO:
    case PHASE_FIND:
    case PHASE_FILES:
    case PHASE_TEXTS:
        pool_submit(work->api->readers, &work->read);
        return;
    case PHASE_SEGMENTS:
        work->sealing.done = done_segments;
        seal_wait(work->api->seal, &work->sealing);
        return;
    case PHASE_SCRUB:
        if (work->scrub_until_ms == 0) {
            seal_hold(work->api->seal, true);
            work->scrub_until_ms = lb_clock_mono_ms() + SCRUB_TIMEOUT_MS;
        }
        break;
    case PHASE_REMOVE:
    case PHASE_DROP:
        break;
    case PHASE_OVER:
        respond(work);
        return;
    }
    work->write.is_outside = work->phase == PHASE_SCRUB;
    if (writer_submit(work->api->writer, &work->write) != LB_OK) {
        fail(work, LB_ELIMIT, &full);
    }
}

/* --- the route
 * ------------------------------------------------------------ */

static bool refuse(struct lb_http_request *http, const char *message)
{
    lb_http_respond_error(http, 422, "invalid", message, NULL);
    return false;
}

static bool read_before(struct lb_http_request *http,
                        const struct catalog *catalog,
                        const char *text,
                        struct erase_order *order)
{
    const struct catalog_site *site =
        order->site == NULL ? NULL : catalog_site_find(catalog, order->site);
    int64_t day = 0;

    order->before_at_ms = INT64_MAX;
    if (text == NULL) {
        return true;
    }
    if (lb_zone_parse_day(text, &day)) {
        order->before_at_ms = site == NULL
                                  ? day * LB_MS_PER_DAY
                                  : lb_zone_day_start_ms(site->zone, day);
        return true;
    }
    return lb_zone_parse_instant(text, &order->before_at_ms) ||
           refuse(http, "before is no date (2026-11-01) and no instant");
}

static bool read_order(struct lb_http_request *http,
                       const cJSON *json,
                       struct erase_order *order)
{
    order->visitor = lb_json_text(json, "visitor");
    order->email = lb_json_text(json, "email");
    order->site = lb_json_text(json, "site");
    if (order->visitor != NULL && order->email != NULL) {
        return refuse(http, "say visitor or email, not both");
    }
    if ((order->visitor == NULL || order->visitor[0] == '\0') &&
        (order->email == NULL || order->email[0] == '\0') &&
        (order->site == NULL || order->site[0] == '\0')) {
        return refuse(http, "say who is to be forgotten: visitor, email or "
                            "site");
    }
    return read_before(http, auth_who_of(http)->catalog,
                       lb_json_text(json, "before"), order);
}

static void handle(struct lb_http_request *http, void *ctx)
{
    struct erase_api *api = ctx;
    struct lb_buf *body = lb_http_request_body(http);
    struct lb_json_fault fault;
    struct erase_order order;
    struct lb_error err;
    struct work *work;
    cJSON *json = NULL;

    if (lb_json_parse(lb_buf_text(body), body->len, 4, NULL, &json, &fault) !=
            LB_OK ||
        !cJSON_IsObject(json)) {
        cJSON_Delete(json);
        lb_http_respond_error(http, 400, "bad_json",
                              "The body is no JSON object.", NULL);
        return;
    }
    if (!read_order(http, json, &order)) {
        cJSON_Delete(json);
        return;
    }
    work = calloc(1, sizeof(*work));
    if (work == NULL || erase_new(&order, auth_who_of(http)->catalog,
                                  &api->hooks, &work->erase, &err) != LB_OK) {
        if (work != NULL) {
            erase_free(work->erase);
        }
        free(work);
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
    } else {
        work->api = api;
        work->http = http;
        work->next_page = 1;
        work->read.run = run_read;
        work->read.done = done_read;
        work->write.run = run_write;
        work->write.done = done_write;
        advance(work);
    }
    cJSON_Delete(json);
}

static void check(struct lb_http_request *http, void *ctx)
{
    struct erase_api *api = ctx;

    (void)auth_check(api->auth, http, CATALOG_SCOPE_ADMIN, false);
}

enum lb_err erase_api_new(struct lb_http_server *server,
                          struct auth *auth,
                          const struct erase_parts *parts,
                          struct erase_api **api_out,
                          struct lb_error *err)
{
    struct erase_api *api = calloc(1, sizeof(*api));
    struct lb_http_route route = {"POST", "/v1/erase", check,
                                  handle, api,         BODY_BYTES};

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->auth = auth;
    api->readers = parts->readers;
    api->writer = parts->writer;
    api->seal = parts->seal;
    api->hooks = *parts->hooks;
    return lb_http_server_add_route(server, &route, err);
}

void erase_api_free(struct erase_api *api)
{
    free(api);
}

/* --- the command
 * ---------------------------------------------------------- */

static const char *plural(long long count)
{
    return count == 1 ? "" : "s";
}

static void print_counts(const struct lb_cli *cli, const struct lb_buf *answer)
{
    cJSON *json = cJSON_Parse(lb_buf_text(answer));
    long long events = lb_json_int(json, "events");
    long long contacts = lb_json_int(json, "contacts");
    long long messages = lb_json_int(json, "messages");
    long long alerts = lb_json_int(json, "alerts");
    long long files = lb_json_int(json, "files");

    (void)printf("erased: %lld event%s, %lld contact%s, %lld message%s", events,
                 plural(events), contacts, plural(contacts), messages,
                 plural(messages));
    if (alerts > 0) {
        (void)printf(", %lld alert%s", alerts, plural(alerts));
    }
    if (files > 0) {
        (void)printf(", %lld export file%s", files, plural(files));
    }
    (void)printf("\n");
    if (!cli->is_quiet) {
        (void)printf("not reached: backups, export files outside the data "
                     "directory's exports, and what destinations keep\n");
    }
    cJSON_Delete(json);
}

static void write_order(struct lb_buf *body,
                        const char *const names[4],
                        const char *const values[4])
{
    lb_buf_add_char(body, '{');
    for (int i = 0; i < 4; i++) {
        if (values[i] != NULL) {
            lb_json_add_key(body, names[i]);
            lb_json_add_string(body, values[i]);
        }
    }
    lb_buf_add_char(body, '}');
}

int erase_api_command(struct lb_cli *cli, int argc, char **argv)
{
    static const char *const names[4] = {"visitor", "email", "site", "before"};
    const char *values[4] = {NULL, NULL, NULL, NULL};
    const struct lb_cli_option options[] = {
        {"visitor", "ID", "what a client sent as visitor, or an export names",
         &values[0], NULL},
        {"email", "E", "a lead's address", &values[1], NULL},
        {"site", "S", "a whole site; or narrows the other two", &values[2],
         NULL},
        {"before", "DATE", "only events before that day", &values[3], NULL}};
    struct lb_error err;
    struct lb_buf answer;
    struct lb_buf body;
    const struct lb_cli_usage usage = {
        .line = "erase --visitor ID | --email E | --site S [--before DATE]",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0])};
    const struct lb_client_request request = {.method = "POST",
                                              .path = "/v1/erase",
                                              .content_type =
                                                  "application/json",
                                              .body = &body};
    int status = 0;
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, NULL);

    if (exit_code >= 0) {
        return exit_code;
    }
    if ((values[0] != NULL && values[1] != NULL) ||
        (values[0] == NULL && values[1] == NULL && values[2] == NULL)) {
        (void)fprintf(stderr, "linkbell erase: say --visitor, --email or "
                              "--site\n");
        return LB_CLI_USAGE;
    }
    lb_buf_init(&body, BODY_BYTES);
    lb_buf_init(&answer, BODY_BYTES);
    write_order(&body, names, values);
    exit_code = LB_CLI_OK;
    if (lb_cli_request(cli, &request, &status, &answer, &err) != LB_OK) {
        exit_code = lb_cli_fail(cli, &err);
    } else if (status != 200) {
        exit_code = lb_cli_fail_answer(cli, status, &answer);
    } else if (cli->is_json) {
        (void)printf("%s\n", lb_buf_text(&answer));
    } else {
        print_counts(cli, &answer);
    }
    lb_buf_deinit(&answer);
    lb_buf_deinit(&body);
    return exit_code;
}
