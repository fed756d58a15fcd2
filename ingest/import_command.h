/* import_command.h - `linkbell import`: bulk load, may be run again and adds
 * nothing twice. */
#ifndef LINKBELL_INGEST_IMPORT_COMMAND_H
#define LINKBELL_INGEST_IMPORT_COMMAND_H

#include "base/cli.h"

int import_command(struct lb_cli *cli, int argc, char **argv);

#endif
