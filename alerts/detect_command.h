/* detect_command.h - `linkbell detect`: the detector on a CSV file. */
#ifndef LINKBELL_ALERTS_DETECT_COMMAND_H
#define LINKBELL_ALERTS_DETECT_COMMAND_H

#include "base/cli.h"

int detect_command(struct lb_cli *cli, int argc, char **argv);

#endif
