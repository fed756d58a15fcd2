/* quiet.h - hours and days, in a site's zone, in which a rule's messages wait.
 * One time is hours ("22:00-07:00"), days of the week, or both: then the hours
 * that begin on those days.  A rule may have several.  Pure. */
#ifndef LINKBELL_ALERTS_QUIET_H
#define LINKBELL_ALERTS_QUIET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/config.h"
#include "base/yaml.h"
#include "base/zone.h"

#define QUIET_TIMES 8

struct quiet_time {
    int from_min;  /* of the local day */
    int to_min;    /* not after from_min: on the next day */
    unsigned days; /* bit 0 is Monday */
};
struct quiet {
    struct quiet_time times[QUIET_TIMES];
    size_t count; /* 0: never */
};

/* The rule's quiet, which quiet_check() found well; NULL: never. */
void quiet_read(const cJSON *item, struct quiet *quiet_out);
/* Whether it is quiet at that instant. */
bool quiet_holds(const struct quiet *quiet,
                 const struct lb_zone *zone,
                 int64_t at_ms);

void quiet_check(const struct lb_yaml *node, struct lb_config_faults *faults);

#endif
