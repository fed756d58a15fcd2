/* hook_check.h - the faults of inbound sources in a configuration file. */
#ifndef LINKBELL_INGEST_HOOK_CHECK_H
#define LINKBELL_INGEST_HOOK_CHECK_H

#include "base/config.h"
#include "base/yaml.h"

/* Notes every fault of one object under sources.  Secrets are looked at where
 * they can be read from here; a variable that is not set is no fault of the
 * file. */
void hook_check(const struct lb_yaml *source,
                const struct lb_yaml *root,
                struct lb_config_faults *faults);

#endif
