/* cli.c - what every verb of the command line shares. */
#include "base/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/client.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/yaml.h"

#define PROGRESS_PLAIN_MS 5000
#define PROGRESS_TERMINAL_MS 100
#define BAR_CELLS 30
#define COMMON_OPTIONS 5

static int
usage_error(const struct lb_cli *cli, const char *what, const char *word)
{
    (void)fprintf(stderr, "linkbell %s: %s %s; see linkbell %s --help\n",
                  cli->verb, what, word, cli->verb);
    return LB_CLI_USAGE;
}

static void print_help(const struct lb_cli *cli,
                       const char *usage,
                       const struct lb_cli_option *options,
                       size_t count)
{
    (void)printf("usage: linkbell %s\n\n", usage);
    for (size_t i = 0; i < count; i++) {
        char left[64];

        (void)snprintf(left, sizeof(left), "--%s %s", options[i].name,
                       options[i].value_name == NULL ? ""
                                                     : options[i].value_name);
        (void)printf("  %-26s %s\n", left, options[i].help);
    }
    (void)printf("  %-26s %s\n", "-c FILE", "configuration file");
    (void)printf("  %-26s %s\n", "--data-dir DIR",
                 "data directory (server.data_dir, else ./data)");
    (void)printf("  %-26s %s\n", "--json", "machine-readable output");
    (void)printf("  %-26s %s\n", "--quiet", "no progress");
    (void)cli;
}

static const struct lb_cli_option *
find_option(const struct lb_cli_option *options,
            size_t count,
            const char *name,
            size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(options[i].name) == len &&
            strncmp(options[i].name, name, len) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static int unknown_option(const struct lb_cli *cli,
                          const char *word,
                          const struct lb_cli_option *options,
                          size_t count)
{
    const char *names[64] = {"data-dir", "json", "quiet", "help", NULL};
    const char *near;

    for (size_t i = 0; i < count && i < 56; i++) {
        names[4 + i] = options[i].name;
    }
    near = lb_yaml_suggest(word + 2, names);
    (void)fprintf(stderr, "linkbell %s: there is no option %s", cli->verb,
                  word);
    (void)fprintf(stderr,
                  near == NULL ? "; see linkbell %s --help\n"
                               : "; did you mean --%s?\n",
                  near == NULL ? cli->verb : near);
    return LB_CLI_USAGE;
}

int lb_cli_parse(struct lb_cli *cli,
                 int argc,
                 char **argv,
                 const char *usage,
                 const struct lb_cli_option *options,
                 size_t option_count,
                 const char **words_out,
                 size_t word_max,
                 size_t *word_count_out)
{
    bool is_help = false;
    const struct lb_cli_option common[COMMON_OPTIONS] = {
        {"config", "FILE", "", &cli->config_path, NULL},
        {"data-dir", "DIR", "", &cli->data_dir, NULL},
        {"json", NULL, "", NULL, &cli->is_json},
        {"quiet", NULL, "", NULL, &cli->is_quiet},
        {"help", NULL, "", NULL, &is_help}};

    *word_count_out = 0;
    for (int i = 1; i < argc; i++) {
        const struct lb_cli_option *option;
        const char *word = argv[i];
        const char *equals = strchr(word, '=');
        size_t len;

        if (strcmp(word, "-c") == 0) {
            word = "--config";
        }
        if (word[0] != '-' || word[1] != '-') {
            if (*word_count_out == word_max ||
                (word[0] == '-' && word[1] != '\0')) {
                return usage_error(cli, "unexpected", word);
            }
            words_out[(*word_count_out)++] = word;
            continue;
        }
        len = (equals == NULL ? strlen(word) : (size_t)(equals - word)) - 2;
        option = find_option(options, option_count, word + 2, len);
        option = option == NULL
                     ? find_option(common, COMMON_OPTIONS, word + 2, len)
                     : option;
        if (option == NULL) {
            return unknown_option(cli, word, options, option_count);
        }
        if (option->value_out == NULL) {
            *option->is_given_out = true;
        } else if (equals != NULL) {
            *option->value_out = equals + 1;
        } else if (i + 1 < argc) {
            *option->value_out = argv[++i];
        } else {
            return usage_error(cli, "a value is missing after", word);
        }
    }
    if (is_help) {
        print_help(cli, usage, options, option_count);
        return LB_CLI_OK;
    }
    return -1;
}

enum lb_err lb_cli_request(struct lb_cli *cli,
                           const char *method,
                           const char *path,
                           const char *content_type,
                           const struct lb_buf *body,
                           int *status_out,
                           struct lb_buf *answer_out,
                           struct lb_error *err)
{
    struct lb_client_request request = {method, path, content_type, NULL,
                                        body,   NULL, NULL};
    const char *socket_path = cli->socket_path(cli, err);

    *status_out = 0;
    if (socket_path == NULL) {
        return err->code;
    }
    return lb_client_send(socket_path, &request, status_out, answer_out, err);
}

int lb_cli_fail(const struct lb_cli *cli, const struct lb_error *err)
{
    (void)fprintf(stderr, "linkbell %s: %s\n", cli->verb, err->text);
    return LB_CLI_FAILED;
}

int lb_cli_fail_answer(const struct lb_cli *cli,
                       int status,
                       const struct lb_buf *answer)
{
    cJSON *json = cJSON_ParseWithLength(lb_buf_text(answer), answer->len);
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");
    const char *message = lb_json_text(error, "message");
    const char *hint = lb_json_text(error, "hint");

    if (message == NULL) {
        (void)fprintf(stderr, "linkbell %s: the service answered %d\n",
                      cli->verb, status);
    } else {
        (void)fprintf(stderr, "linkbell %s: %s%s%s\n", cli->verb, message,
                      hint == NULL ? "" : " ", hint == NULL ? "" : hint);
    }
    cJSON_Delete(json);
    return LB_CLI_FAILED;
}

void lb_cli_progress(const struct lb_cli *cli,
                     const char *what,
                     size_t done,
                     size_t total)
{
    static int64_t shown_at_ms;
    int64_t now_ms = lb_clock_mono_ms();
    int64_t period_ms =
        cli->is_stderr_terminal ? PROGRESS_TERMINAL_MS : PROGRESS_PLAIN_MS;
    size_t cells = total == 0 ? 0 : done * BAR_CELLS / total;

    if (shown_at_ms == 0) {
        shown_at_ms =
            now_ms + LB_MS_PER_S - period_ms; /* not for work under a second */
    }
    if (cli->is_quiet || now_ms - shown_at_ms < period_ms) {
        return;
    }
    shown_at_ms = now_ms;
    if (!cli->is_stderr_terminal) {
        (void)fprintf(stderr, "%s %zu\n", what, done);
        return;
    }
    (void)fprintf(stderr, "\r%s [", what);
    for (size_t i = 0; i < BAR_CELLS; i++) {
        (void)fputc(i < cells ? '#' : '.', stderr);
    }
    (void)fprintf(stderr, "] %zu", done);
}

void lb_cli_progress_end(const struct lb_cli *cli)
{
    if (cli->is_stderr_terminal && !cli->is_quiet) {
        (void)fprintf(stderr, "\r\033[K");
    }
}
