/* rules_command.h - `linkbell rules list|test`. */
#ifndef LINKBELL_ALERTS_RULES_COMMAND_H
#define LINKBELL_ALERTS_RULES_COMMAND_H

#include "base/cli.h"

int rules_command(struct lb_cli *cli, int argc, char **argv);

#endif
