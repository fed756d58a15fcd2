/* export_command.c - `linkbell export events|stats`. */
#include "aggregate/export_command.h"

#include <stdio.h>
#include <string.h>

#include "aggregate/export_files.h"
#include "base/client.h"

#define ANSWER_BYTES ((size_t)4 * 1024 * 1024)

static bool to_stdout(void *ctx, const char *bytes, size_t len)
{
    (void)ctx;
    return fwrite(bytes, 1, len, stdout) == len;
}

static int stream(struct lb_cli *cli, const struct export_files_order *order)
{
    struct lb_buf answer;
    struct lb_buf path;
    struct lb_error err = {LB_EIO, "the output can't be written"};
    struct lb_client_request request = {.method = "GET", .on_body = to_stdout};
    const char *socket_path = cli->socket_path(cli, &err);
    int status = 0;
    int exit_code = LB_CLI_OK;

    if (socket_path == NULL) {
        return lb_cli_fail(cli, &err);
    }
    lb_buf_init(&path, 8192);
    lb_buf_init(&answer, ANSWER_BYTES);
    export_files_path(order, NULL, &path);
    request.path = lb_buf_text(&path);
    request.accept_encoding = order->compress;
    if (lb_client_send(socket_path, &request, &status, &answer, &err) !=
            LB_OK ||
        fflush(stdout) != 0) {
        exit_code = lb_cli_fail(cli, &err);
    } else if (status != 200) {
        exit_code = lb_cli_fail_answer(cli, status, &answer);
    }
    lb_buf_deinit(&path);
    lb_buf_deinit(&answer);
    return exit_code;
}

int export_command(struct lb_cli *cli, int argc, char **argv)
{
    struct export_files_order order = {.format = "ndjson"};
    bool is_yesterday = false;
    const struct lb_cli_option options[] = {
        {"site", "S", "one site", &order.site, NULL},
        {"from", "DAY", "first day, in the site's zone", &order.from, NULL},
        {"to", "DAY", "last day", &order.to, NULL},
        {"format", "F", "csv or ndjson", &order.format, NULL},
        {"compress", "C", "gzip or zstd", &order.compress, NULL},
        {"out", "DIR", "a file for each site and day, with a manifest",
         &order.out, NULL},
        {"yesterday", NULL, "the day before today, in the site's zone", NULL,
         &is_yesterday}};
    const struct lb_cli_usage usage = {
        .line =
            "export events|stats [--site S] [--from D --to D | --yesterday] "
            "[--format csv|ndjson] [--compress gzip|zstd] [--out DIR]",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .word_max = 1};
    struct lb_cli_words words;
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, &words);

    if (exit_code >= 0) {
        return exit_code;
    }
    if (words.count == 0 ||
        (strcmp(words.at[0], "events") != 0 &&
         strcmp(words.at[0], "stats") != 0) ||
        (strcmp(order.format, "csv") != 0 &&
         strcmp(order.format, "ndjson") != 0) ||
        (order.compress != NULL && strcmp(order.compress, "gzip") != 0 &&
         strcmp(order.compress, "zstd") != 0)) {
        (void)fprintf(stderr, "linkbell export: say events or stats; --format "
                              "is csv or ndjson, --compress gzip or zstd\n");
        return LB_CLI_USAGE;
    }
    order.what = words.at[0];
    order.is_yesterday = is_yesterday;
    if (order.out == NULL && !is_yesterday) {
        return stream(cli, &order);
    }
    return export_files_write(cli, &order);
}
