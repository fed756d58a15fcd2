/* listen.h - `linkbell listen`: a local receiver that prints what a destination
 * gets, verifies signatures and shows Slack blocks as text. */
#ifndef LINKBELL_ALERTS_LISTEN_H
#define LINKBELL_ALERTS_LISTEN_H

#include "base/cli.h"

int listen_command(struct lb_cli *cli, int argc, char **argv);

#endif
