/* backup_command.h - `linkbell backup` and `linkbell restore`. */
#ifndef LINKBELL_SQL_BACKUP_COMMAND_H
#define LINKBELL_SQL_BACKUP_COMMAND_H

#include "base/cli.h"

int backup_command(struct lb_cli *cli, int argc, char **argv);
int backup_command_restore(struct lb_cli *cli, int argc, char **argv);

#endif
