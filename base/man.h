/* man.h - `linkbell man`: the manual page, as man reads it. */
#ifndef LINKBELL_BASE_MAN_H
#define LINKBELL_BASE_MAN_H

#include "base/cli.h"

int lb_man_command(struct lb_cli *cli, int argc, char **argv);

#endif
