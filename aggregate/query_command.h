/* query_command.h - `linkbell query`. */
#ifndef LINKBELL_AGGREGATE_QUERY_COMMAND_H
#define LINKBELL_AGGREGATE_QUERY_COMMAND_H

#include "base/cli.h"

int query_command(struct lb_cli *cli, int argc, char **argv);

#endif
