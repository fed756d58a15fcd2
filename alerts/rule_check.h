/* rule_check.h - the faults of rules in a configuration file. */
#ifndef LINKBELL_ALERTS_RULE_CHECK_H
#define LINKBELL_ALERTS_RULE_CHECK_H

#include "base/config.h"
#include "base/yaml.h"

#include <cjson/cJSON.h>

void rule_check(const struct lb_yaml *rule,
                const struct lb_yaml *root,
                struct lb_config_faults *faults);

/* Whether a changed rule forgets what it knew: match, metric, per, key or
 * window. */
bool rule_check_begins_anew(const cJSON *before, const cJSON *after);

#endif
