/* cli.h - what every verb of the command line shares: common options, output on
 * a terminal or not, and a way to ask the service.  A verb talks HTTP to the
 * local socket of the running service; when none runs, main.c serves that
 * socket from inside the same process, so a verb has one way of working. */
#ifndef LINKBELL_BASE_CLI_H
#define LINKBELL_BASE_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/client.h"
#include "base/config.h"
#include "base/err.h"

#define LB_CLI_OK 0
#define LB_CLI_FAILED 1
#define LB_CLI_USAGE 2

struct lb_cli {
    const char *verb;        /* "query" */
    const char *config_path; /* -c; NULL */
    const char *data_dir;    /* as given; NULL: server.data_dir */
    bool is_json;
    bool is_quiet;
    bool is_terminal; /* standard output is one, and NO_COLOR is unset */
    bool is_stderr_terminal;
    /* Makes sure that the socket answers (see above) and returns its path,
     * owned by cli; NULL with err filled when it can't. */
    const char *(*socket_path)(struct lb_cli *cli, struct lb_error *err);
    void *owner; /* main.c's */
};

struct lb_cli_verb {
    const char *name;
    int (*run)(struct lb_cli *cli, int argc, char **argv);
    const char *help;
};

/* The command line as a whole: `linkbell VERB ...`, --help, --version,
 * --help-config.  Returns the exit code. */
int lb_cli_main(const struct lb_cli_verb *verbs,
                size_t count,
                const char *(*socket_path)(struct lb_cli *cli,
                                           struct lb_error *err),
                int argc,
                char **argv);

/* One option of a verb.  Given as --name VALUE or --name=VALUE, or --name
 * alone. */
struct lb_cli_option {
    const char *name;       /* without dashes */
    const char *value_name; /* "DIR" for the usage; NULL: takes no value */
    const char *help;
    const char **value_out; /* of an option with a value; last one wins */
    bool *is_given_out;     /* of one without */
};

/* What a verb takes besides the common options. */
struct lb_cli_usage {
    const char *line; /* "query --site S [--by D,D] ..." */
    const struct lb_cli_option *options;
    size_t option_count;
    size_t word_max; /* of words that are no options; LB_CLI_WORDS at most */
};

#define LB_CLI_WORDS 2
struct lb_cli_words {
    const char *at[LB_CLI_WORDS];
    size_t count;
};

/* Parses argv of a verb (argv[0] is the verb), also the common options -c,
 * --data-dir, --json, --quiet, --help, which land in cli; the words that are no
 * options are left in words_out (NULL for a verb that takes none).  Returns -1
 * to go on, else an exit code: 0 after --help, 2 after a wrong usage, which was
 * printed with what would be accepted. */
int lb_cli_parse(struct lb_cli *cli,
                 int argc,
                 char **argv,
                 const struct lb_cli_usage *usage,
                 struct lb_cli_words *words_out);

/* The settings of the file that the command line names, without one the
 * defaults; config->data_dir is then where the data is (--data-dir wins).
 * lb_config_deinit() config in any case. */
LB_MUST_CHECK enum lb_err lb_cli_config(const struct lb_cli *cli,
                                        struct lb_config *config,
                                        struct lb_error *err);

/* Sends a request to the service and waits for the answer.  *status_out is the
 * HTTP status.  Errors are those of reaching the service; a refusal is a
 * status. */
LB_MUST_CHECK enum lb_err
lb_cli_request(struct lb_cli *cli,
               const struct lb_client_request *request,
               int *status_out,
               struct lb_buf *answer_out,
               struct lb_error *err);

/* Prints "linkbell VERB: text" to standard error and returns LB_CLI_FAILED. */
int lb_cli_fail(const struct lb_cli *cli, const struct lb_error *err);
/* The same for an answer that refuses: its error's message and hint. */
int lb_cli_fail_answer(const struct lb_cli *cli,
                       int status,
                       const struct lb_buf *answer);

/* Progress of long work: a bar with rate and remaining time on a terminal, a
 * plain line every few seconds otherwise, nothing under --quiet or for work
 * under a second.  share of the work that is done, 0 to 1; below 0: unknown. */
void lb_cli_progress(const struct lb_cli *cli,
                     const char *what,
                     size_t done,
                     double share);
void lb_cli_progress_end(const struct lb_cli *cli);

#endif
