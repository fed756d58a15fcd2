/* template.h - a rule's or destination's own words: text with {{path}} into the
 * alert's data
 * ({{summary}}, {{event.contact.name}}).  A path that has no value is nothing.
 * No loops, no code.  Pure. */
#ifndef LINKBELL_ALERTS_TEMPLATE_H
#define LINKBELL_ALERTS_TEMPLATE_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/yaml.h"

#define TEMPLATE_BYTES 1000 /* of a template */

/* Not escaped for anything: whoever sends the text does that. */
void template_render(const char *text, const cJSON *data, struct lb_buf *out);

/* Names paths that an alert of the rule can't have; rule is the rule's map, or
 * NULL for a destination's template: paths that no alert can have. */
void template_check(const struct lb_yaml *node,
                    const struct lb_yaml *rule,
                    struct lb_config_faults *faults);

#endif
