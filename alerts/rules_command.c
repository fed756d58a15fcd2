/* rules_command.c - `linkbell rules list|test|backtest`. */
#include "alerts/rules_command.h"

#include <stdio.h>
#include <string.h>

#include "alerts/backtest_command.h"
#include "base/json.h"
#include "base/text.h"

#define ANSWER_BYTES ((size_t)16 * 1024 * 1024)
#define PATH_BYTES 4096

/* -1: a 2xx, else the exit code. */
static int ask(struct lb_cli *cli,
               const char *method,
               const char *path,
               struct lb_buf *answer)
{
    struct lb_client_request request = {.method = method, .path = path};
    struct lb_error err;
    int status = 0;

    if (lb_cli_request(cli, &request, &status, answer, &err) != LB_OK) {
        return lb_cli_fail(cli, &err);
    }
    return status < 200 || status > 299
               ? lb_cli_fail_answer(cli, status, answer)
               : -1;
}

static const char *or_dash(const char *text)
{
    return text == NULL || text[0] == '\0' ? "-" : text;
}

static void print_row(const cJSON *row)
{
    bool is_off =
        cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(row, "enabled"));
    const char *muted = lb_json_text(row, "muted_until");

    (void)printf(
        "%-32s %-11s %-6s %-24s %s%s\n", or_dash(lb_json_text(row, "id")),
        or_dash(lb_json_text(row, "kind")), is_off ? "off" : "on",
        or_dash(lb_json_text(row, "last_fired")),
        muted == NULL ? "-" : "muted until ", muted == NULL ? "" : muted);
}

static int list(struct lb_cli *cli)
{
    struct lb_buf answer;
    const cJSON *row;
    cJSON *json;
    int exit_code;

    lb_buf_init(&answer, ANSWER_BYTES);
    exit_code = ask(cli, "GET", "/v1/rules?limit=1000", &answer);
    if (exit_code < 0 && cli->is_json) {
        (void)printf("%s\n", lb_buf_text(&answer));
    } else if (exit_code < 0) {
        json = cJSON_Parse(lb_buf_text(&answer));
        if (!cli->is_quiet) {
            (void)printf("%-32s %-11s %-6s %-24s %s\n", "rule", "kind", "state",
                         "last fired", "mute");
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
    struct lb_buf path;
    const cJSON *row;
    cJSON *json;
    int exit_code;

    lb_buf_init(&answer, ANSWER_BYTES);
    lb_buf_init(&path, PATH_BYTES);
    lb_buf_add_text(&path, "/v1/rules/");
    lb_text_percent_encode(&path, id);
    lb_buf_add_text(&path, "/test");
    exit_code = ask(cli, "POST", lb_buf_text(&path), &answer);
    if (exit_code < 0 && cli->is_json) {
        (void)printf("%s\n", lb_buf_text(&answer));
    } else if (exit_code < 0) {
        json = cJSON_Parse(lb_buf_text(&answer));
        cJSON_ArrayForEach (
            row, cJSON_GetObjectItemCaseSensitive(json, "deliveries")) {
            (void)printf("a sample of %s is on its way to %s: %s\n", id,
                         or_dash(lb_json_text(row, "destination")),
                         or_dash(lb_json_text(row, "id")));
        }
        cJSON_Delete(json);
    }
    lb_buf_deinit(&path);
    lb_buf_deinit(&answer);
    return exit_code < 0 ? LB_CLI_OK : exit_code;
}

static bool
is_word(const struct lb_cli_words *words, const char *word, size_t count)
{
    return words->count == count && strcmp(words->at[0], word) == 0;
}

int rules_command(struct lb_cli *cli, int argc, char **argv)
{
    struct backtest_order order = {NULL, NULL, NULL, NULL};
    const struct lb_cli_option options[] = {
        {"rule", "ID", "backtest: the rule to try", &order.rule, NULL},
        {"from", "TIME",
         "backtest: a date or an instant; default: 90 days before --to",
         &order.from, NULL},
        {"to", "TIME",
         "backtest: a date (included) or an instant; default: now", &order.to,
         NULL},
        {"site", "S", "backtest: that site alone", &order.site, NULL}};
    const struct lb_cli_usage usage = {
        "rules list | rules test ID | rules backtest --rule ID [--from TIME] "
        "[--to TIME] [--site S]",
        options, sizeof(options) / sizeof(options[0]), 2};
    struct lb_cli_words words;
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, &words);

    if (exit_code >= 0) {
        return exit_code;
    }
    if (is_word(&words, "list", 1)) {
        return list(cli);
    }
    if (is_word(&words, "test", 2)) {
        return test(cli, words.at[1]);
    }
    if (is_word(&words, "backtest", 1) && order.rule != NULL) {
        return backtest_command(cli, &order);
    }
    (void)fprintf(stderr, "linkbell rules: say list, test and a rule's id, or "
                          "backtest --rule ID\n");
    return LB_CLI_USAGE;
}
