/* backtest_command.h - `linkbell rules backtest`: when a rule would have rung.
 */
#ifndef LINKBELL_ALERTS_BACKTEST_COMMAND_H
#define LINKBELL_ALERTS_BACKTEST_COMMAND_H

#include "base/cli.h"

int backtest_command(struct lb_cli *cli, int argc, char **argv);

#endif
