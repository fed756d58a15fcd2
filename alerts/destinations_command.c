/* destinations_command.c - `linkbell destinations list|test|enable|disable|
 * rotate|secret`. */
#include "alerts/destinations_command.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alerts/destination.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/secret_read.h"
#include "base/text.h"

#define ANSWER_BYTES ((size_t)16 * 1024 * 1024)
#define PATH_BYTES 4096
#define SECRET_BYTES 32
#define SECRET_TEXT_BYTES 256
#define SECRETS_BYTES 1024 /* of a file of them */

static const char *or_dash(const char *text)
{
    return text == NULL || text[0] == '\0' ? "-" : text;
}

/* Asks about one destination, or all with NULL; -1: a 2xx, else the exit code.
 */
static int ask(struct lb_cli *cli,
               const char *method,
               const char *id,
               const char *what,
               const struct lb_buf *body,
               struct lb_buf *answer)
{
    struct lb_client_request request = {
        .method = method,
        .content_type = body == NULL ? NULL : "application/json",
        .body = body};
    struct lb_error err;
    struct lb_buf path;
    int status = 0;
    int exit_code = -1;

    lb_buf_init(&path, PATH_BYTES);
    lb_buf_add_text(&path, "/v1/destinations");
    if (id != NULL) {
        lb_buf_add_char(&path, '/');
        lb_text_percent_encode(&path, id);
        lb_buf_add_text(&path, what);
    }
    request.path = lb_buf_text(&path);
    if (lb_cli_request(cli, &request, &status, answer, &err) != LB_OK) {
        exit_code = lb_cli_fail(cli, &err);
    } else if (status < 200 || status > 299) {
        exit_code = lb_cli_fail_answer(cli, status, answer);
    }
    lb_buf_deinit(&path);
    return exit_code;
}

static void print_row(const cJSON *row)
{
    (void)printf(
        "%-20s %-13s %-9s %-8" PRId64 " %-8" PRId64 " %-8" PRId64 " %-24s %s\n",
        or_dash(lb_json_text(row, "id")), or_dash(lb_json_text(row, "type")),
        or_dash(lb_json_text(row, "state")), lb_json_int(row, "waiting"),
        lb_json_int(row, "held"), lb_json_int(row, "dead"),
        or_dash(lb_json_text(row, "last_success")),
        or_dash(lb_json_text(row, "reason")));
}

static int list(struct lb_cli *cli)
{
    struct lb_buf answer;
    const cJSON *row;
    cJSON *json;
    int exit_code;

    lb_buf_init(&answer, ANSWER_BYTES);
    exit_code = ask(cli, "GET", NULL, NULL, NULL, &answer);
    if (exit_code < 0 && cli->is_json) {
        (void)printf("%s\n", lb_buf_text(&answer));
    } else if (exit_code < 0) {
        json = cJSON_Parse(lb_buf_text(&answer));
        if (!cli->is_quiet) {
            (void)printf("%-20s %-13s %-9s %-8s %-8s %-8s %-24s %s\n",
                         "destination", "type", "state", "waiting", "held",
                         "dead", "last success", "reason");
        }
        cJSON_ArrayForEach (row,
                            cJSON_GetObjectItemCaseSensitive(json, "data")) {
            print_row(row);
        }
        cJSON_Delete(json);
    }
    lb_buf_deinit(&answer);
    return exit_code < 0 ? LB_CLI_OK : exit_code;
}

static int test(struct lb_cli *cli, const char *id)
{
    struct lb_buf answer;
    cJSON *json;
    int exit_code;

    lb_buf_init(&answer, ANSWER_BYTES);
    exit_code = ask(cli, "POST", id, "/test", NULL, &answer);
    if (exit_code >= 0) {
        lb_buf_deinit(&answer);
        return exit_code;
    }
    json = cJSON_Parse(lb_buf_text(&answer));
    exit_code = lb_json_is_true(json, "delivered") ? LB_CLI_OK : LB_CLI_FAILED;
    if (cli->is_json) {
        (void)printf("%s\n", lb_buf_text(&answer));
    } else if (exit_code == LB_CLI_OK) {
        int64_t status = lb_json_int(json, "status");

        (void)printf("delivered to %s in %" PRId64 " ms", id,
                     lb_json_int(json, "ms"));
        if (status != 0) { /* of a file or queue there is none */
            (void)printf(", status %" PRId64, status);
        }
        (void)printf("\n");
        if (lb_json_text(json, "warning") != NULL) {
            (void)fprintf(stderr, "linkbell destinations: %s: warning: %s\n",
                          id, lb_json_text(json, "warning"));
        }
    } else {
        const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");

        (void)fprintf(stderr, "linkbell destinations: %s: %s: %s\n", id,
                      or_dash(lb_json_text(error, "code")),
                      or_dash(lb_json_text(error, "message")));
    }
    cJSON_Delete(json);
    lb_buf_deinit(&answer);
    return exit_code;
}

static int
set_state(struct lb_cli *cli, const char *id, const char *what, bool is_discard)
{
    struct lb_buf body;
    struct lb_buf answer;
    int exit_code;

    lb_buf_init(&body, PATH_BYTES);
    lb_buf_init(&answer, ANSWER_BYTES);
    lb_buf_add_text(&body, is_discard ? "{\"discard\":true}" : "{}");
    exit_code = ask(cli, "POST", id, what, &body, &answer);
    if (exit_code < 0) {
        if (cli->is_json) {
            (void)printf("%s\n", lb_buf_text(&answer));
        } else {
            (void)printf("%sd %s\n", what + 1, id);
        }
        exit_code = LB_CLI_OK;
    }
    lb_buf_deinit(&body);
    lb_buf_deinit(&answer);
    return exit_code;
}

/* --- secrets
 * ------------------------------------------------------------------------ */

static bool make_secret(struct lb_buf *out)
{
    uint8_t bytes[SECRET_BYTES];

    if (!lb_secret_random(bytes, sizeof(bytes))) {
        return false;
    }
    lb_buf_add_text(out, "whsec_");
    lb_secret_add_base64(out, bytes, sizeof(bytes));
    return true;
}

static int print_secret(const struct lb_cli *cli)
{
    struct lb_error err;
    struct lb_buf secret;
    int exit_code = LB_CLI_OK;

    lb_buf_init(&secret, SECRET_TEXT_BYTES);
    if (make_secret(&secret)) {
        (void)printf("%s\n", lb_buf_text(&secret));
    } else {
        (void)lb_err_set(&err, LB_EINTERNAL, "no random bytes to be had");
        exit_code = lb_cli_fail(cli, &err);
    }
    lb_buf_deinit(&secret);
    return exit_code;
}

/* Puts text in the place of the file at path, with its mode, whole or not at
 * all. */
static enum lb_err
replace_file(const char *path, const struct lb_buf *text, struct lb_error *err)
{
    char temporary[PATH_BYTES];
    struct stat info;
    enum lb_err rc = LB_OK;
    int fd;

    if (stat(path, &info) != 0) {
        return lb_err_set(err, LB_ENOENT, "%.120s can't be found", path);
    }
    (void)snprintf(temporary, sizeof(temporary), "%.4000s.new", path);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return lb_err_set(err, LB_EREADONLY, "%.120s can't be made (error %d)",
                          temporary, errno);
    }
    if (write(fd, lb_buf_text(text), text->len) != (ssize_t)text->len ||
        fchmod(fd, info.st_mode & 0777) != 0 || fsync(fd) != 0) {
        rc = lb_err_set(err, LB_EIO, "%.120s can't be written", temporary);
    }
    /* What made it belongs to whom it belonged, where that may be said. */
    if (rc == LB_OK && fchown(fd, info.st_uid, info.st_gid) != 0) {
        rc = LB_OK;
    }
    (void)close(fd);
    if (rc == LB_OK && rename(temporary, path) != 0) {
        rc = lb_err_set(err, LB_EIO, "%.120s can't be replaced", path);
    }
    if (rc != LB_OK) {
        (void)unlink(temporary);
    }
    return rc;
}

/* The new secret becomes the first line, the newest old one the second. */
static int rotate_file(const struct lb_cli *cli, const char *path)
{
    char old[SECRETS_BYTES];
    char *rest = old;
    const char *line;
    struct lb_buf text;
    struct lb_error err;
    enum lb_err rc = lb_secret_read_file(path, old, sizeof(old), &err);

    lb_buf_init(&text, SECRETS_BYTES);
    if (rc == LB_OK && !make_secret(&text)) {
        rc = lb_err_set(&err, LB_EINTERNAL, "no random bytes to be had");
    }
    if (rc == LB_OK) {
        lb_buf_add_char(&text, '\n');
        line = lb_secret_read_line(&rest);
        if (line != NULL) {
            lb_buf_printf(&text, "%s\n", line);
        }
        rc = replace_file(path, &text, &err);
    }
    if (rc == LB_OK) {
        (void)printf("%s has a new secret on its first line; messages carry "
                     "both signatures now.\nGive it to the receiver, then "
                     "remove the second line.\n",
                     path);
    }
    lb_buf_deinit(&text);
    return rc == LB_OK ? LB_CLI_OK : lb_cli_fail(cli, &err);
}

static int rotate_env(const struct lb_cli *cli, const cJSON *names)
{
    const cJSON *first = cJSON_GetArrayItem(names, 0);
    struct lb_buf secret;
    int exit_code = LB_CLI_OK;

    lb_buf_init(&secret, SECRET_TEXT_BYTES);
    if (!make_secret(&secret)) {
        exit_code = print_secret(cli); /* says why */
    } else {
        (void)printf(
            "%s\nNothing is changed: a running service keeps its "
            "environment.\n1. Set a new variable to this secret and name it "
            "first: secrets_env: [NEW, %s]\n2. Restart linkbell; messages "
            "carry both signatures.\n3. Give it to the receiver, then remove "
            "%s and restart.\nsecrets_file needs no restart.\n",
            lb_buf_text(&secret),
            cJSON_IsString(first) ? first->valuestring : "OLD",
            cJSON_IsString(first) ? first->valuestring : "OLD");
    }
    lb_buf_deinit(&secret);
    return exit_code;
}

/* The destination, cJSON_Delete() it; NULL: *exit_code_out says how it ends. */
static cJSON *get(struct lb_cli *cli, const char *id, int *exit_code_out)
{
    struct lb_buf answer;
    cJSON *json = NULL;

    lb_buf_init(&answer, ANSWER_BYTES);
    *exit_code_out = ask(cli, "GET", id, "", NULL, &answer);
    if (*exit_code_out < 0) {
        json = cJSON_Parse(lb_buf_text(&answer));
        *exit_code_out = LB_CLI_FAILED;
    }
    lb_buf_deinit(&answer);
    return json;
}

static int rotate(struct lb_cli *cli, const char *id)
{
    struct lb_error err;
    int exit_code;
    cJSON *json = get(cli, id, &exit_code);
    const char *path = lb_json_text(json, "secrets_file");
    const cJSON *names = cJSON_GetObjectItemCaseSensitive(json, "secrets_env");

    if (path != NULL) {
        exit_code = rotate_file(cli, path);
    } else if (names != NULL) {
        exit_code = rotate_env(cli, names);
    } else if (json != NULL) {
        (void)lb_err_set(&err, LB_EINVAL, "%.40s signs nothing", id);
        exit_code = lb_cli_fail(cli, &err);
    }
    cJSON_Delete(json);
    return exit_code;
}

/* What has to be made over there before messages can go. */
static int print_schema(struct lb_cli *cli, const char *id)
{
    struct lb_error err;
    struct lb_buf out;
    int exit_code;
    cJSON *json = get(cli, id, &exit_code);
    const char *name = lb_json_text(json, "type");
    const struct destination_type *type =
        name == NULL ? NULL : destination_type_find(name);

    if (type != NULL && type->schema != NULL) {
        lb_buf_init(&out, ANSWER_BYTES);
        type->schema(json, &out);
        (void)printf("%s", lb_buf_text(&out));
        lb_buf_deinit(&out);
        exit_code = LB_CLI_OK;
    } else if (json != NULL) {
        (void)lb_err_set(&err, LB_EINVAL, "%.40s needs no tables", id);
        exit_code = lb_cli_fail(cli, &err);
    }
    cJSON_Delete(json);
    return exit_code;
}

static int run_with_id(struct lb_cli *cli,
                       const char *what,
                       const char *id,
                       bool is_discard)
{
    if (strcmp(what, "test") == 0) {
        return test(cli, id);
    }
    if (strcmp(what, "enable") == 0) {
        return set_state(cli, id, "/enable", is_discard);
    }
    if (strcmp(what, "disable") == 0) {
        return set_state(cli, id, "/disable", false);
    }
    if (strcmp(what, "schema") == 0) {
        return print_schema(cli, id);
    }
    return strcmp(what, "rotate") == 0 ? rotate(cli, id) : -1;
}

int destinations_command(struct lb_cli *cli, int argc, char **argv)
{
    bool is_discard = false;
    const struct lb_cli_option options[] = {
        {"discard", NULL, "of enable: what is held is dead, not sent", NULL,
         &is_discard}};
    const struct lb_cli_usage usage = {
        .line =
            "destinations list | destinations test|disable|rotate|schema ID | "
            "destinations enable ID [--discard] | destinations secret",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .word_max = 2};
    struct lb_cli_words words;
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, &words);

    if (exit_code >= 0) {
        return exit_code;
    }
    if (words.count == 1 && strcmp(words.at[0], "list") == 0) {
        return list(cli);
    }
    if (words.count == 1 && strcmp(words.at[0], "secret") == 0) {
        return print_secret(cli);
    }
    exit_code = words.count == 2
                    ? run_with_id(cli, words.at[0], words.at[1], is_discard)
                    : -1;
    if (exit_code < 0) {
        (void)fprintf(stderr, "linkbell destinations: say list, test ID, "
                              "enable ID, disable ID, rotate ID, schema ID or "
                              "secret\n");
        return LB_CLI_USAGE;
    }
    return exit_code;
}
