/* hook_map.h - the map of a source of kind generic: which fields of its JSON
 * make an event.  Pure. */
#ifndef LINKBELL_INGEST_HOOK_MAP_H
#define LINKBELL_INGEST_HOOK_MAP_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "ingest/hook_event.h"

/* Whether an event has a field of that name ("contact.email", "props.plan"). */
bool hook_map_is_field(const char *name);
/* All names but those of props, for suggestions; NULL-terminated. */
const char *const *hook_map_fields(void);

/* Makes the events of body as a source's configuration (map, each) says; what
 * the check let through.  A value of `type` that is not in its table is ignored
 * and counted. */
void hook_map_write(const cJSON *source,
                    const cJSON *body,
                    struct hook_events *events);

#endif
