/* destination_check.h - the faults of a destination in a configuration file. */
#ifndef LINKBELL_ALERTS_DESTINATION_CHECK_H
#define LINKBELL_ALERTS_DESTINATION_CHECK_H

#include "base/config.h"
#include "base/yaml.h"

void destination_check(const struct lb_yaml *destination,
                       const struct lb_yaml *root,
                       struct lb_config_faults *faults);

#endif
