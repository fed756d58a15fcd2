/* backup_command.c - `linkbell backup FILE` and `linkbell restore FILE`. */
#include "sql/backup_command.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "sql/backup.h"

typedef enum lb_err (*backup_fn)(const char *dir,
                                 const char *path,
                                 const struct backup_watch *watch,
                                 struct backup_facts *facts_out,
                                 struct lb_error *err);

static void on_moved(void *ctx, int64_t pages, double share)
{
    lb_cli_progress(ctx, "pages", (size_t)pages, share);
}

static void print_facts(const struct lb_cli *cli,
                        const char *path,
                        const struct backup_facts *facts)
{
    char last[LB_CLOCK_TEXT_BYTES] = "";

    if (facts->last_at_ms != 0) {
        lb_clock_format(facts->last_at_ms, last);
    }
    if (cli->is_json) {
        (void)printf("{\"bytes\":%" PRId64 ",\"events\":%" PRId64
                     ",\"last_received\":%s%s%s}\n",
                     facts->bytes, facts->events,
                     last[0] == '\0' ? "null" : "\"", last,
                     last[0] == '\0' ? "" : "\"");
    } else if (!cli->is_quiet) {
        (void)printf("%s: %" PRId64 " bytes, %" PRId64 " events%s%s\n", path,
                     facts->bytes, facts->events,
                     last[0] == '\0' ? "" : ", the last received at ", last);
    }
}

static int
run(struct lb_cli *cli, int argc, char **argv, const char *line, backup_fn work)
{
    const struct lb_cli_usage usage = {.line = line, .word_max = 1};
    const struct backup_watch watch = {on_moved, cli};
    struct backup_facts facts = {0, 0, 0};
    struct lb_config config;
    struct lb_cli_words words;
    struct lb_error err = {LB_OK, ""};
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, &words);
    enum lb_err rc;

    if (exit_code >= 0) {
        return exit_code;
    }
    if (words.count == 0) {
        (void)fprintf(stderr, "linkbell %s: name the backup's file\n",
                      cli->verb);
        return LB_CLI_USAGE;
    }
    rc = lb_cli_config(cli, &config, &err);
    rc = rc == LB_OK ? work(config.data_dir, words.at[0], &watch, &facts, &err)
                     : rc;
    lb_config_deinit(&config);
    lb_cli_progress_end(cli);
    if (rc != LB_OK) {
        return lb_cli_fail(cli, &err);
    }
    print_facts(cli, words.at[0], &facts);
    if (work == backup_restore && !cli->is_quiet) {
        (void)fprintf(stderr, "linkbell restore: a backup holds no visitor "
                              "salts, so visitors of periods that are open "
                              "are counted anew\n");
    }
    return LB_CLI_OK;
}

int backup_command(struct lb_cli *cli, int argc, char **argv)
{
    return run(cli, argc, argv, "backup FILE", backup_write);
}

int backup_command_restore(struct lb_cli *cli, int argc, char **argv)
{
    return run(cli, argc, argv, "restore FILE", backup_restore);
}
