/* event_parts.h - the objects within an event: value, contact, props.  Pure. */
#ifndef LINKBELL_INGEST_EVENT_PARTS_H
#define LINKBELL_INGEST_EVENT_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "ingest/event.h"

/* Each takes the object, or NULL where the event has none, and fills event;
 * false with fault filled when it is refused.  Texts are borrowed from it. */
bool event_parts_read_value(const cJSON *object,
                            struct event *event,
                            struct event_fault *fault);
bool event_parts_read_contact(const struct event_context *context,
                              const cJSON *object,
                              struct event *event,
                              struct event_fault *fault);
bool event_parts_read_props(const struct event_context *context,
                            const cJSON *object,
                            struct lb_arena *arena,
                            struct event *event,
                            struct event_fault *fault);

/* Whether item is a text of at most max_bytes (0: limits.text_bytes). */
bool event_parts_check_text(const struct event_context *context,
                            const char *path,
                            const cJSON *item,
                            size_t max_bytes,
                            struct event_fault *fault);

#endif
