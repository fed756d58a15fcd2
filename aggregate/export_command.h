/* export_command.h - `linkbell export events|stats`: streams, or atomic files
 * by day. */
#ifndef LINKBELL_AGGREGATE_EXPORT_COMMAND_H
#define LINKBELL_AGGREGATE_EXPORT_COMMAND_H

#include "base/cli.h"

int export_command(struct lb_cli *cli, int argc, char **argv);

#endif
