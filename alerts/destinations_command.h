/* destinations_command.h - `linkbell destinations list|test|enable|disable|
 * rotate|secret`. */
#ifndef LINKBELL_ALERTS_DESTINATIONS_COMMAND_H
#define LINKBELL_ALERTS_DESTINATIONS_COMMAND_H

#include "base/cli.h"

int destinations_command(struct lb_cli *cli, int argc, char **argv);

#endif
