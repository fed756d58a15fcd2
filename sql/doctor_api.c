/* doctor_api.c - asks the doctor. */
#include "sql/doctor_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "sql/doctor.h"

#define ANSWER_BYTES ((size_t)1024 * 1024)

struct doctor_api {
    struct doctor_parts parts;
};

struct doctor_work {
    struct pool_job job; /* first */
    struct lb_http_request *http;
    struct doctor_facts facts;
    struct doctor doctor;
};

static void run(struct pool_job *job, struct db *db)
{
    struct doctor_work *work = (struct doctor_work *)job;

    doctor_look(&work->doctor, db, &work->facts);
}

static void
done(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct doctor_work *work = (struct doctor_work *)job;
    struct lb_buf answer;

    if (rc != LB_OK) {
        doctor_note(&work->doctor, DOCTOR_FAIL, "data", "%s", err->text);
    }
    lb_buf_init(&answer, ANSWER_BYTES);
    lb_buf_printf(&answer, "{\"ok\":%s,\"checks\":[",
                  work->doctor.worst == DOCTOR_FAIL ? "false" : "true");
    lb_buf_add_text(&answer, lb_buf_text(&work->doctor.rows));
    lb_buf_add_text(&answer, "]}");
    lb_http_respond_json(work->http, 200, &answer);
    lb_buf_deinit(&answer);
    lb_buf_deinit(&work->doctor.rows);
    catalog_unref(work->facts.catalog);
    free(work);
}

static void handle(struct lb_http_request *http, void *ctx)
{
    const struct doctor_parts *parts = &((struct doctor_api *)ctx)->parts;
    struct doctor_work *work = calloc(1, sizeof(*work));

    if (work == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return;
    }
    work->http = http;
    writer_get_status(parts->writer, &work->facts.writer);
    work->facts.lag_ms = lb_clock_wall_ms() - cursor_as_of_ms(parts->cursor);
    work->facts.geo = parts->geo.state(parts->geo.ctx);
    work->facts.catalog = catalog_current(parts->holder);
    lb_buf_init(&work->doctor.rows, ANSWER_BYTES);
    work->job.run = run;
    work->job.done = done;
    pool_submit(parts->readers, &work->job);
}

static void check(struct lb_http_request *http, void *ctx)
{
    struct doctor_api *api = ctx;

    (void)auth_check(api->parts.auth, http, CATALOG_SCOPE_ADMIN, false);
}

enum lb_err doctor_api_new(struct lb_http_server *server,
                           const struct doctor_parts *parts,
                           struct doctor_api **api_out,
                           struct lb_error *err)
{
    struct doctor_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route route = {"GET",  "/v1/doctor", check,
                                        handle, api,          0};

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->parts = *parts;
    return lb_http_server_add_route(server, &route, err);
}

void doctor_api_free(struct doctor_api *api)
{
    free(api);
}

/* --- the command ---------------------------------------------------------- */

/* The file that -c names: its faults are told line by line by apply_load(). */
static void look_at_file(struct lb_cli *cli,
                         const struct apply_kinds *kinds,
                         struct doctor *doctor)
{
    struct lb_config config;
    struct lb_yaml *root = NULL;
    struct lb_error err = {LB_OK, ""};

    if (cli->config_path == NULL) {
        return;
    }
    if (apply_load(cli->config_path, kinds, &config, &root, &err) == LB_OK) {
        doctor_note(doctor, DOCTOR_OK, "file", "%s is well", cli->config_path);
    } else {
        doctor_note(doctor, DOCTOR_FAIL, "file", "%s", err.text);
        cli->config_path = NULL; /* the rest is looked at without it */
    }
    lb_yaml_free(root);
    lb_config_deinit(&config);
}

static void ask(struct lb_cli *cli, struct doctor *doctor)
{
    const struct lb_client_request request = {.method = "GET",
                                              .path = "/v1/doctor"};
    struct lb_error err = {LB_OK, ""};
    struct lb_buf answer;
    int status = 0;
    cJSON *json = NULL;
    const cJSON *row;

    lb_buf_init(&answer, ANSWER_BYTES);
    if (lb_cli_request(cli, &request, &status, &answer, &err) != LB_OK) {
        doctor_note(doctor, DOCTOR_FAIL, "data", "%s%s", err.text,
                    err.code == LB_EFORMAT
                        ? "; keep a copy of the data directory, then linkbell "
                          "restore the last backup"
                        : "");
    } else if (status != 200 ||
               (json = cJSON_Parse(lb_buf_text(&answer))) == NULL) {
        doctor_note(doctor, DOCTOR_FAIL, "service",
                    "the running service answered %d; is it of this version?",
                    status);
    }
    cJSON_ArrayForEach (row, cJSON_GetObjectItemCaseSensitive(json, "checks")) {
        const char *level = lb_json_text(row, "status");

        doctor_note(doctor,
                    strcmp(level, "fail") == 0   ? DOCTOR_FAIL
                    : strcmp(level, "warn") == 0 ? DOCTOR_WARN
                                                 : DOCTOR_OK,
                    lb_json_text(row, "name"), "%s", lb_json_text(row, "text"));
    }
    cJSON_Delete(json);
    lb_buf_deinit(&answer);
}

static void print_rows(const struct lb_cli *cli, const struct doctor *doctor)
{
    static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};
    struct lb_buf all;
    cJSON *list;
    const cJSON *row;

    lb_buf_init(&all, ANSWER_BYTES);
    lb_buf_printf(&all, "[%s]", lb_buf_text(&doctor->rows));
    list = cJSON_Parse(lb_buf_text(&all));
    cJSON_ArrayForEach (row, list) {
        const char *level = lb_json_text(row, "status");
        int at = strcmp(level, "fail") == 0   ? 2
                 : strcmp(level, "warn") == 0 ? 1
                                              : 0;

        (void)printf("%s%s%s%*s %s: %s\n", cli->is_terminal ? colours[at] : "",
                     level, cli->is_terminal ? "\033[0m" : "", at == 0 ? 2 : 0,
                     "", lb_json_text(row, "name"), lb_json_text(row, "text"));
    }
    cJSON_Delete(list);
    lb_buf_deinit(&all);
}

int doctor_api_command(struct lb_cli *cli,
                       const struct apply_kinds *kinds,
                       const char *versions,
                       int argc,
                       char **argv)
{
    const struct lb_cli_usage usage = {.line = "doctor [-c linkbell.yaml]"};
    struct doctor doctor = {.worst = DOCTOR_OK};
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, NULL);

    if (exit_code >= 0) {
        return exit_code;
    }
    lb_buf_init(&doctor.rows, ANSWER_BYTES);
    look_at_file(cli, kinds, &doctor);
    ask(cli, &doctor);
    doctor_note(&doctor, DOCTOR_OK, "libraries", "%s", versions);
    if (cli->is_json) {
        (void)printf("{\"ok\":%s,\"checks\":[%s]}\n",
                     doctor.worst == DOCTOR_FAIL ? "false" : "true",
                     lb_buf_text(&doctor.rows));
    } else {
        print_rows(cli, &doctor);
    }
    lb_buf_deinit(&doctor.rows);
    return doctor.worst == DOCTOR_FAIL ? LB_CLI_FAILED : LB_CLI_OK;
}
