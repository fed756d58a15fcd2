/* destination_check.h - the faults of a destination in a configuration file. */
#ifndef LINKBELL_ALERTS_DESTINATION_CHECK_H
#define LINKBELL_ALERTS_DESTINATION_CHECK_H

#include "base/config.h"
#include "base/yaml.h"

/* A key that holds an address, where it is there. */
void destination_check_url(const struct lb_yaml *node,
                           const char *key,
                           struct lb_config_faults *faults);

void destination_check(const struct lb_yaml *destination,
                       const struct lb_yaml *root,
                       struct lb_config_faults *faults);

#endif
