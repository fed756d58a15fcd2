/* hook_kind.h - what linkbell knows of the services that send webhooks: one row
 * a kind, with how it signs and what makes events of its body.  Pure. */
#ifndef LINKBELL_INGEST_HOOK_KIND_H
#define LINKBELL_INGEST_HOOK_KIND_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "ingest/hook_event.h"
#include "ingest/hook_sign.h"

struct hook_kind {
    const char *name;
    /* Makes events of a body; source is its configuration. */
    void (*write)(const cJSON *source,
                  const cJSON *body,
                  struct hook_events *events);
    bool has_map; /* the configuration tells what makes an event */
    /* What a source of this kind need not say. */
    bool has_scheme;
    enum hook_sign_scheme scheme;
    const char *header; /* NULL: none */
    enum hook_sign_encoding encoding;
    int daily_cap; /* deliveries in 24 hours; 0: the sender has no cap */
};

/* NULL: there is no such kind. */
const struct hook_kind *hook_kind_find(const char *name);
/* All names; NULL-terminated. */
const char *const *hook_kind_names(void);

#endif
