/* detect_command.c - `linkbell detect`: the detector on a CSV file. */
#include "alerts/detect_command.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alerts/detect.h"
#include "alerts/detect_csv.h"

#define SCORE_UNITS 100000000L
#define GATHERED_BYTES 65536 /* read, and written, at once */
#define LINE_BYTES 65536     /* of a line with its end and NUL */

struct job {
    const struct lb_cli *cli;
    FILE *in;
    const char *name; /* of the input, for errors */
    size_t line_number;
    struct detect_csv csv;
    struct detect detect;
    char line[LINE_BYTES];
};

/* Errors name file, line and fault. */
static enum lb_err fail_line(const struct job *job,
                             const struct lb_error *why,
                             struct lb_error *err)
{
    return lb_err_set(err, why->code, "%s:%zu: %s", job->name, job->line_number,
                      why->text);
}

/* What the system says, of a file. */
static enum lb_err fail_system(const char *name, struct lb_error *err)
{
    char reason[128];

    return lb_err_set(err, LB_EIO, "%s: %s", name,
                      strerror_r(errno, reason, sizeof(reason)));
}

/* The next line that is not blank, without its end.  LB_ENOTFOUND at the end of
 * the input. */
static enum lb_err next_line(struct job *job, struct lb_error *err)
{
    struct lb_error why;

    while (fgets(job->line, sizeof(job->line), job->in) != NULL) {
        size_t len = strlen(job->line);

        job->line_number++;
        if (len == sizeof(job->line) - 1 && job->line[len - 1] != '\n') {
            (void)lb_err_set(&why, LB_EFORMAT, "a line of more than %d bytes",
                             LINE_BYTES - 2);
            return fail_line(job, &why, err);
        }
        while (len > 0 && strchr("\r\n", job->line[len - 1]) != NULL) {
            job->line[--len] = '\0';
        }
        if (len > 0) {
            return LB_OK;
        }
    }
    if (ferror(job->in) != 0) {
        return fail_system(job->name, err);
    }
    return lb_err_set(err, LB_ENOTFOUND, "%s: the end", job->name);
}

/* A comma, a score with eight digits behind the point, an end of line.  By
 * hand, because printf() takes longer than the detector. */
static void print_score(double score)
{
    char text[] = ",0.00000000\n";
    long units = lround(score * SCORE_UNITS);

    text[1] = units >= SCORE_UNITS ? '1' : '0';
    for (size_t i = sizeof(text) - 3; i > 2; i--) {
        text[i] = (char)('0' + units % 10);
        units /= 10;
    }
    (void)fputs(text, stdout);
}

static bool
print_row(const struct job *job, const struct detect_csv_row *row, double score)
{
    if (job->cli->is_json) {
        (void)printf("{\"timestamp\":\"%s\",\"value\":%.17g,"
                     "\"anomaly_score\":%.8f}\n",
                     row->timestamp_text, row->value, score);
    } else {
        (void)fputs(row->timestamp_text, stdout);
        (void)fputc(',', stdout);
        (void)fputs(row->value_text, stdout);
        print_score(score);
    }
    return ferror(stdout) == 0;
}

static enum lb_err run(struct job *job, struct lb_error *err)
{
    struct lb_error why;
    enum lb_err rc = next_line(job, err);

    if (rc == LB_ENOTFOUND) {
        return lb_err_set(err, LB_EFORMAT,
                          "%s: no header; the first line "
                          "names `timestamp` and `value`",
                          job->name);
    }
    if (rc != LB_OK) {
        return rc;
    }
    if (detect_csv_read_header(job->line, &job->csv, &why) != LB_OK) {
        return fail_line(job, &why, err);
    }
    if (!job->cli->is_json) {
        (void)puts("timestamp,value,anomaly_score");
    }
    for (rc = next_line(job, err); rc == LB_OK; rc = next_line(job, err)) {
        struct detect_csv_row row;
        struct detect_verdict verdict;

        if (detect_csv_read_row(&job->csv, job->line, &row, &why) != LB_OK) {
            return fail_line(job, &why, err);
        }
        detect_step(&job->detect, row.at_ms, row.value, &verdict);
        if (!print_row(job, &row, verdict.score)) {
            break;
        }
    }
    if (rc != LB_ENOTFOUND && rc != LB_OK) {
        return rc;
    }
    return fflush(stdout) == 0 && ferror(stdout) == 0
               ? LB_OK
               : lb_err_set(err, LB_EIO, "the output can't be written");
}

static int run_file(struct lb_cli *cli, const char *path, int64_t interval_ms)
{
    const bool is_stdin = path == NULL || strcmp(path, "-") == 0;
    static struct job job; /* its line is large for a stack */
    struct lb_error err;
    enum lb_err rc;

    job = (struct job){.cli = cli, .in = stdin, .name = "standard input"};
    if (!is_stdin) {
        job.name = path;
        job.in = fopen(path, "re");
        if (job.in == NULL) {
            (void)fail_system(path, &err);
            return lb_cli_fail(cli, &err);
        }
        (void)setvbuf(job.in, NULL, _IOFBF, GATHERED_BYTES);
    }
    if (isatty(STDOUT_FILENO) == 0) {
        (void)setvbuf(stdout, NULL, _IOFBF, GATHERED_BYTES);
    }
    detect_init(&job.detect, interval_ms);
    rc = run(&job, &err);
    if (!is_stdin) {
        (void)fclose(job.in);
    }
    if (rc == LB_OK) {
        return LB_CLI_OK;
    }
    (void)fflush(stdout);
    return lb_cli_fail(cli, &err);
}

int detect_command(struct lb_cli *cli, int argc, char **argv)
{
    const char *interval = NULL;
    int64_t interval_ms = 0;
    const struct lb_cli_option options[] = {
        {"interval", "5m", "from row to row (else taken from the rows)",
         &interval, NULL}};
    const struct lb_cli_usage usage = {
        .line = "detect [--interval 5m] [FILE]\n\n"
                "Reads a CSV with the columns timestamp and value (FILE, or "
                "standard input)\nand writes timestamp,value,anomaly_score: 0 "
                "to 1, of each row by those before\nit. From 0.5 on it is an "
                "alarm, at one false alarm a series and month.",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .word_max = 1};
    struct lb_cli_words words;
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, &words);

    if (exit_code >= 0) {
        return exit_code;
    }
    if (interval != NULL) {
        interval_ms = detect_csv_interval_ms(interval);
        if (interval_ms < 0) {
            (void)fprintf(stderr,
                          "linkbell detect: --interval is a number and s, m, h "
                          "or d, up to 31d, like 5m; not `%s`\n",
                          interval);
            return LB_CLI_USAGE;
        }
    }
    return run_file(cli, words.count == 0 ? NULL : words.at[0], interval_ms);
}
