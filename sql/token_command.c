/* token_command.c - `linkbell token create|list|revoke`. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "sql/token.h"

#define ANSWER_BYTES ((size_t)4 * 1024 * 1024)

static void add_words(struct lb_buf *out, const char *list)
{
    lb_buf_add_char(out, '[');
    while (*list != '\0') {
        char word[80];
        size_t len = strcspn(list, ",");

        (void)snprintf(word, sizeof(word), "%.*s",
                       (int)(len < sizeof(word) ? len : sizeof(word) - 1),
                       list);
        lb_json_add_comma(out);
        lb_json_add_string(out, word);
        list += len + (list[len] == ',' ? 1 : 0);
    }
    lb_buf_add_char(out, ']');
}

static int
create(struct lb_cli *cli, const char *scope, const char *site, bool is_in_url)
{
    struct lb_error err;
    struct lb_buf body;
    struct lb_buf answer;
    const struct lb_client_request request = {.method = "POST",
                                              .path = "/v1/tokens",
                                              .content_type =
                                                  "application/json",
                                              .body = &body};
    int status = 0;
    int exit_code = LB_CLI_OK;
    cJSON *json;

    if (scope == NULL) {
        (void)fprintf(stderr, "linkbell token create: --scope is missing: "
                              "ingest, read, export, admin\n");
        return LB_CLI_USAGE;
    }
    lb_buf_init(&body, 65536);
    lb_buf_init(&answer, ANSWER_BYTES);
    lb_buf_add_text(&body, "{\"scopes\":");
    add_words(&body, scope);
    if (site != NULL) {
        lb_buf_add_text(&body, ",\"sites\":");
        add_words(&body, site);
    }
    lb_buf_printf(&body, ",\"in_url\":%s}", is_in_url ? "true" : "false");
    if (lb_cli_request(cli, &request, &status, &answer, &err) != LB_OK) {
        exit_code = lb_cli_fail(cli, &err);
    } else if (status != 201) {
        exit_code = lb_cli_fail_answer(cli, status, &answer);
    } else if (cli->is_json) {
        (void)printf("%s\n", lb_buf_text(&answer));
    } else {
        json = cJSON_Parse(lb_buf_text(&answer));
        (void)printf("%s\n", lb_json_text(json, "token"));
        (void)fprintf(stderr, "id %s; the token is not shown again\n",
                      lb_json_text(json, "id"));
        cJSON_Delete(json);
    }
    lb_buf_deinit(&body);
    lb_buf_deinit(&answer);
    return exit_code;
}

static void print_row(const cJSON *row)
{
    const cJSON *scope;
    const char *revoked = lb_json_text(row, "revoked");
    const char *used = lb_json_text(row, "last_used");

    (void)printf("%-20s %-9s ", lb_json_text(row, "id"),
                 lb_json_text(row, "prefix"));
    cJSON_ArrayForEach (scope,
                        cJSON_GetObjectItemCaseSensitive(row, "scopes")) {
        (void)printf("%s ", scope->valuestring);
    }
    (void)printf(" used %s%s%s\n", used == NULL ? "never" : used,
                 revoked == NULL ? "" : "  revoked ",
                 revoked == NULL ? "" : revoked);
}

static int list(struct lb_cli *cli)
{
    const struct lb_client_request request = {.method = "GET",
                                              .path = "/v1/tokens"};
    struct lb_error err;
    struct lb_buf answer;
    int status = 0;
    int exit_code = LB_CLI_OK;
    const cJSON *row;
    cJSON *json;

    lb_buf_init(&answer, ANSWER_BYTES);
    if (lb_cli_request(cli, &request, &status, &answer, &err) != LB_OK) {
        exit_code = lb_cli_fail(cli, &err);
    } else if (status != 200) {
        exit_code = lb_cli_fail_answer(cli, status, &answer);
    } else if (cli->is_json) {
        (void)printf("%s\n", lb_buf_text(&answer));
    } else {
        json = cJSON_Parse(lb_buf_text(&answer));
        cJSON_ArrayForEach (row,
                            cJSON_GetObjectItemCaseSensitive(json, "data")) {
            print_row(row);
        }
        cJSON_Delete(json);
    }
    lb_buf_deinit(&answer);
    return exit_code;
}

static int revoke_token(struct lb_cli *cli, const char *id)
{
    char path[128];
    const struct lb_client_request request = {.method = "DELETE", .path = path};
    struct lb_error err;
    struct lb_buf answer;
    int status = 0;
    int exit_code = LB_CLI_OK;

    lb_buf_init(&answer, ANSWER_BYTES);
    (void)snprintf(path, sizeof(path), "/v1/tokens/%.80s", id);
    if (lb_cli_request(cli, &request, &status, &answer, &err) != LB_OK) {
        exit_code = lb_cli_fail(cli, &err);
    } else if (status != 204) {
        exit_code = lb_cli_fail_answer(cli, status, &answer);
    } else {
        (void)printf("revoked %s\n", id);
    }
    lb_buf_deinit(&answer);
    return exit_code;
}

int token_command(struct lb_cli *cli, int argc, char **argv)
{
    const char *scope = NULL;
    const char *site = NULL;
    bool is_in_url = false;
    const struct lb_cli_option options[] = {
        {"scope", "S,S", "ingest, read, export, admin", &scope, NULL},
        {"site", "S,S", "only these sites", &site, NULL},
        {"in-url", NULL, "may stand in a URL as ?key=", NULL, &is_in_url}};
    const struct lb_cli_usage usage = {
        .line = "token create --scope S,S [--site S] [--in-url] | token list "
                "| token revoke ID",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .word_max = 2};
    struct lb_cli_words words;
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, &words);

    if (exit_code >= 0) {
        return exit_code;
    }
    if (words.count == 1 && strcmp(words.at[0], "create") == 0) {
        return create(cli, scope, site, is_in_url);
    }
    if (words.count == 1 && strcmp(words.at[0], "list") == 0) {
        return list(cli);
    }
    if (words.count == 2 && strcmp(words.at[0], "revoke") == 0) {
        return revoke_token(cli, words.at[1]);
    }
    (void)fprintf(stderr, "linkbell token: say create, list or revoke ID\n");
    return LB_CLI_USAGE;
}
