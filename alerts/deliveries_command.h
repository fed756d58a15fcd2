/* deliveries_command.h - `linkbell deliveries list|show|retry`. */
#ifndef LINKBELL_ALERTS_DELIVERIES_COMMAND_H
#define LINKBELL_ALERTS_DELIVERIES_COMMAND_H

#include "base/cli.h"

int deliveries_command(struct lb_cli *cli, int argc, char **argv);

#endif
