/* rule_common.h - the settings that rules have whatever their kind: how long it
 * must hold, what is told and when.  Pure. */
#ifndef LINKBELL_ALERTS_RULE_COMMON_H
#define LINKBELL_ALERTS_RULE_COMMON_H

#include "base/config.h"
#include "base/yaml.h"

/* Faults of for, resolve, template, quiet and digest; kind is the rule's. */
void rule_common_check(const struct lb_yaml *rule,
                       const char *kind,
                       struct lb_config_faults *faults);

#endif
