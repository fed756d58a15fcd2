/* cli.c - what every verb of the command line shares. */
#include "base/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/completion.h"
#include "base/config.h"
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

static void print_help(const struct lb_cli_usage *usage)
{
    (void)printf("usage: linkbell %s\n\n", usage->line);
    for (size_t i = 0; i < usage->option_count; i++) {
        const struct lb_cli_option *option = &usage->options[i];
        char left[64];

        (void)snprintf(left, sizeof(left), "--%s %s", option->name,
                       option->value_name == NULL ? "" : option->value_name);
        (void)printf("  %-26s %s\n", left, option->help);
    }
    (void)printf("  %-26s %s\n", "-c FILE", "configuration file");
    (void)printf("  %-26s %s\n", "--data-dir DIR",
                 "data directory (server.data_dir, else ./data)");
    (void)printf("  %-26s %s\n", "--json", "machine-readable output");
    (void)printf("  %-26s %s\n", "--quiet", "no progress");
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
                          const struct lb_cli_usage *usage,
                          const char *word)
{
    const char *names[64] = {"data-dir", "json", "quiet", "help", NULL};
    const char *near;

    for (size_t i = 0; i < usage->option_count && i < 56; i++) {
        names[4 + i] = usage->options[i].name;
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

/* Takes the option at argv[*at] and its value, where *at is left; -1 to go on,
 * else an exit code. */
static int take_option(const struct lb_cli *cli,
                       const struct lb_cli_usage *usage,
                       const struct lb_cli_option *common,
                       int argc,
                       char **argv,
                       int *at)
{
    const char *word = strcmp(argv[*at], "-c") == 0 ? "--config" : argv[*at];
    const char *equals = strchr(word, '=');
    size_t len = equals == NULL ? strlen(word) : (size_t)(equals - word);
    const struct lb_cli_option *option =
        find_option(usage->options, usage->option_count, word + 2, len - 2);

    if (option == NULL) {
        option = find_option(common, COMMON_OPTIONS, word + 2, len - 2);
    }
    if (option == NULL) {
        return unknown_option(cli, usage, word);
    }
    if (option->is_given_out != NULL) {
        *option->is_given_out = true;
    }
    if (option->value_out == NULL) {
        return -1;
    }
    if (equals == NULL && *at + 1 == argc) {
        return usage_error(cli, "a value is missing after", word);
    }
    *option->value_out = equals != NULL ? equals + 1 : argv[++*at];
    return -1;
}

static int take_word(const struct lb_cli *cli,
                     const struct lb_cli_usage *usage,
                     const char *word,
                     struct lb_cli_words *words)
{
    if (words->count == usage->word_max ||
        (word[0] == '-' && word[1] != '\0')) {
        return usage_error(cli, "unexpected", word);
    }
    words->at[words->count++] = word;
    return -1;
}

int lb_cli_parse(struct lb_cli *cli,
                 int argc,
                 char **argv,
                 const struct lb_cli_usage *usage,
                 struct lb_cli_words *words_out)
{
    bool is_help = false;
    const struct lb_cli_option common[COMMON_OPTIONS] = {
        {"config", "FILE", "", &cli->config_path, NULL},
        {"data-dir", "DIR", "", &cli->data_dir, NULL},
        {"json", NULL, "", NULL, &cli->is_json},
        {"quiet", NULL, "", NULL, &cli->is_quiet},
        {"help", NULL, "", NULL, &is_help}};
    struct lb_cli_words words = {.count = 0};
    int exit_code = -1;

    for (int i = 1; i < argc && exit_code < 0; i++) {
        const char *word = argv[i];
        bool is_option = strncmp(word, "--", 2) == 0 || strcmp(word, "-c") == 0;

        exit_code = is_option ? take_option(cli, usage, common, argc, argv, &i)
                              : take_word(cli, usage, word, &words);
    }
    if (exit_code < 0 && is_help) {
        print_help(usage);
        exit_code = LB_CLI_OK;
    }
    if (words_out != NULL) {
        *words_out = words;
    }
    return exit_code;
}

enum lb_err lb_cli_request(struct lb_cli *cli,
                           const struct lb_client_request *request,
                           int *status_out,
                           struct lb_buf *answer_out,
                           struct lb_error *err)
{
    const char *socket_path = cli->socket_path(cli, err);

    *status_out = 0;
    if (socket_path == NULL) {
        return err->code;
    }
    return lb_client_send(socket_path, request, status_out, answer_out, err);
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

/* "1h 04m", "3m 20s", "12s" */
static void format_rest(double seconds, char *out, size_t out_bytes)
{
    long long rest = (long long)seconds;

    if (rest >= 3600) {
        (void)snprintf(out, out_bytes, "%lldh %02lldm", rest / 3600,
                       rest / 60 % 60);
    } else if (rest >= 60) {
        (void)snprintf(out, out_bytes, "%lldm %02llds", rest / 60, rest % 60);
    } else {
        (void)snprintf(out, out_bytes, "%llds", rest);
    }
}

static void print_bar(double share)
{
    (void)fputc('[', stderr);
    for (int i = 0; i < BAR_CELLS; i++) {
        (void)fputc(i < (int)(share * BAR_CELLS) ? '#' : '.', stderr);
    }
    (void)fprintf(stderr, "] %3.0f %%  ", share * 100);
}

void lb_cli_progress(const struct lb_cli *cli,
                     const char *what,
                     size_t done,
                     double share)
{
    static int64_t began_at_ms;
    static int64_t shown_at_ms;
    int64_t now_ms = lb_clock_mono_ms();
    int64_t period_ms =
        cli->is_stderr_terminal ? PROGRESS_TERMINAL_MS : PROGRESS_PLAIN_MS;
    double seconds;
    char rest[32] = "";

    if (began_at_ms == 0) {
        began_at_ms = now_ms;
        shown_at_ms = now_ms + LB_MS_PER_S - period_ms;
    }
    if (cli->is_quiet || now_ms - shown_at_ms < period_ms) {
        return;
    }
    shown_at_ms = now_ms;
    seconds = (double)(now_ms - began_at_ms) / 1000;
    if (share > 0 && share <= 1) {
        format_rest(seconds * (1 - share) / share, rest, sizeof(rest));
    }
    if (cli->is_stderr_terminal) {
        (void)fputc('\r', stderr);
        if (share >= 0) {
            print_bar(share > 1 ? 1 : share);
        }
    }
    (void)fprintf(stderr, "%zu %s, %.0f/s", done, what,
                  (double)done / (seconds > 0 ? seconds : 1));
    if (rest[0] != '\0') {
        (void)fprintf(stderr, ", %s left", rest);
    }
    (void)fputs(cli->is_stderr_terminal ? "\033[K" : "\n", stderr);
}

void lb_cli_progress_end(const struct lb_cli *cli)
{
    if (cli->is_stderr_terminal && !cli->is_quiet) {
        (void)fprintf(stderr, "\r\033[K");
    }
}

/* --- the command line as a whole
 * ------------------------------------------------------------------------ */

enum lb_err lb_cli_config(const struct lb_cli *cli,
                          struct lb_config *config,
                          struct lb_error *err)
{
    struct lb_yaml *root = NULL;
    struct lb_config_faults faults;
    enum lb_err rc = lb_config_init(config, err);

    lb_config_faults_init(&faults);
    if (rc == LB_OK && cli->config_path != NULL) {
        rc = lb_config_load_file(cli->config_path, &root, err);
    }
    if (rc == LB_OK && root != NULL) {
        lb_config_read(config, root, &faults);
        if (faults.count > 0) {
            const char *line = lb_buf_text(&faults.lines);

            rc = lb_err_set(err, LB_EINVAL, "%s:%.*s", cli->config_path,
                            (int)strcspn(line, "\n"), line);
        }
    }
    if (rc == LB_OK && cli->data_dir != NULL &&
        snprintf(config->data_dir, sizeof(config->data_dir), "%s",
                 cli->data_dir) >= (int)sizeof(config->data_dir)) {
        rc =
            lb_err_set(err, LB_EINVAL, "the data directory's name is too long");
    }
    lb_config_faults_deinit(&faults);
    lb_yaml_free(root);
    return rc;
}

static int print_verbs(FILE *out,
                       const struct lb_cli_verb *verbs,
                       size_t count,
                       int exit_code)
{
    (void)fprintf(out, "usage: linkbell COMMAND [options]\n\n");
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(out, "  %-12s %s\n", verbs[i].name, verbs[i].help);
    }
    (void)fprintf(out, "  %-12s %s\n", "completion",
                  "complete the command line in bash or zsh");
    (void)fprintf(
        out,
        "\n  linkbell COMMAND --help tells more; --version, --help-config\n");
    return exit_code;
}

static int print_settings(void)
{
    struct lb_buf help;

    lb_buf_init(&help, (size_t)256 * 1024);
    lb_config_help(&help);
    (void)fputs(lb_buf_text(&help), stdout);
    lb_buf_deinit(&help);
    return LB_CLI_OK;
}

int lb_cli_main(const struct lb_cli_verb *verbs,
                size_t count,
                const char *(*socket_path)(struct lb_cli *cli,
                                           struct lb_error *err),
                int argc,
                char **argv)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread so far */
    const char *no_color = getenv("NO_COLOR");
    struct lb_cli cli = {.socket_path = socket_path};

    if (argc < 2) {
        return print_verbs(stderr, verbs, count, LB_CLI_USAGE);
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("linkbell %s\n", LINKBELL_VERSION);
        return LB_CLI_OK;
    }
    if (strcmp(argv[1], "--help") == 0) {
        return print_verbs(stdout, verbs, count, LB_CLI_OK);
    }
    if (strcmp(argv[1], "--help-config") == 0) {
        return print_settings();
    }
    if (strcmp(argv[1], "completion") == 0) {
        return lb_completion_print(verbs, count, argc - 1, argv + 1);
    }
    cli.verb = argv[1];
    cli.is_terminal =
        isatty(STDOUT_FILENO) != 0 && (no_color == NULL || no_color[0] == '\0');
    cli.is_stderr_terminal = isatty(STDERR_FILENO) != 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            return verbs[i].run(&cli, argc - 1, argv + 1);
        }
    }
    (void)fprintf(stderr, "linkbell: there is no command %s\n\n", argv[1]);
    return print_verbs(stderr, verbs, count, LB_CLI_USAGE);
}
