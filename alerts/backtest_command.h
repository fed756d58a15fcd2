/* backtest_command.h - `linkbell rules backtest`: when a rule would have rung.
 */
#ifndef LINKBELL_ALERTS_BACKTEST_COMMAND_H
#define LINKBELL_ALERTS_BACKTEST_COMMAND_H

#include "base/cli.h"

/* As the command line says; NULL: not given, but for rule. */
struct backtest_order {
    const char *rule;
    const char *from;
    const char *to;
    const char *site;
};

/* Asks and prints; the exit code. */
int backtest_command(struct lb_cli *cli, const struct backtest_order *order);

#endif
