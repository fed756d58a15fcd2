/* geo_command.h - `linkbell geo build` and `linkbell geo lookup`. */
#ifndef LINKBELL_GEO_GEO_COMMAND_H
#define LINKBELL_GEO_GEO_COMMAND_H

#include "base/cli.h"

int geo_command(struct lb_cli *cli, int argc, char **argv);

#endif
