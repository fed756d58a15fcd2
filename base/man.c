/* man.c - prints the manual page. */
#include "base/man.h"

#include <stdio.h>

extern const char linkbell_man_page[];

int lb_man_command(struct lb_cli *cli, int argc, char **argv)
{
    const struct lb_cli_usage usage = {.line = "man"};
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, NULL);

    if (exit_code < 0) {
        (void)fputs(linkbell_man_page, stdout);
        exit_code = LB_CLI_OK;
    }
    return exit_code;
}
