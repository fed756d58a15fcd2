/* completion.h - `linkbell completion bash|zsh`: what a shell needs to complete
 * the command line. */
#ifndef LINKBELL_BASE_COMPLETION_H
#define LINKBELL_BASE_COMPLETION_H

#include "base/cli.h"

/* Prints the script for the shell that argv[1] names (argv[0] is the verb).
 * Returns the exit code. */
int lb_completion_print(const struct lb_cli_verb *verbs,
                        size_t count,
                        int argc,
                        char **argv);

#endif
