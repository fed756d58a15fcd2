/* plausible.h - the dialect of POST /api/event, as trackers of Plausible and
 * lb.js speak it: from a request's body to native events, one for each site
 * named, or to the faults with the texts that clients of the dialect know
 * (Plausible's events API).  Pure. */
#ifndef LINKBELL_INGEST_PLAUSIBLE_H
#define LINKBELL_INGEST_PLAUSIBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/entry.h"

#define PLAUSIBLE_BODY_BYTES ((size_t)64 * 1024)
#define PLAUSIBLE_DOMAINS 100 /* of an event; more would be work for many */
#define PLAUSIBLE_PROPS 30

enum plausible_field {
    PLAUSIBLE_REQUEST,
    PLAUSIBLE_URL,
    PLAUSIBLE_NAME,
    PLAUSIBLE_DOMAIN,
    PLAUSIBLE_PATHNAME,
    PLAUSIBLE_REFERRER,
    PLAUSIBLE_PROPERTIES,
    PLAUSIBLE_TYPE,
    PLAUSIBLE_LINK,
    PLAUSIBLE_FIELD_COUNT
};

struct plausible_prop {
    const char *name;
    const char *value;
};

/* What a body says; texts in the arena that it was read with. */
struct plausible {
    const char *fault[PLAUSIBLE_FIELD_COUNT]; /* NULL: none; else static */
    const struct catalog_site *sites[PLAUSIBLE_DOMAINS]; /* each once */
    size_t site_count;
    size_t unknown_count; /* domains that are no site */
    const char *name;     /* trimmed */
    const char *url;      /* as a native event has it: a URL, or a path for one
                             without a host */
    const char *referrer; /* NULL: none */
    struct plausible_prop props[PLAUSIBLE_PROPS];
    size_t prop_count;
    bool has_revenue;
    int64_t revenue_hundredths;
    char currency[4];
    bool is_passive;       /* "interactive": false */
    bool is_fragment_page; /* "hashMode": 1 */
    bool has_type;
    enum entry_type type;
    const char *link;                         /* NULL: none */
    const char *contact[ENTRY_CONTACT_COUNT]; /* NULL: none */
    /* An engagement is no event. */
    bool is_engagement;
    int scroll_depth; /* percent, or ENGAGEMENT_UNKNOWN */
    int64_t attention_ms;
};

/* Reads a body.  LB_EINVAL: refused, fault tells why; LB_ENOMEM.  Sites are
 * borrowed from catalog. */
LB_MUST_CHECK enum lb_err plausible_read(struct plausible *plausible,
                                         const char *body,
                                         size_t len,
                                         unsigned json_depth,
                                         const struct catalog *catalog,
                                         struct lb_arena *arena);

/* {"errors":{"url":["is required"]}} */
void plausible_write_faults(const struct plausible *plausible,
                            struct lb_buf *out);

/* The native event for sites[index].  An engagement is a view, so that its
 * client and page are read like one's. */
void plausible_write_event(const struct plausible *plausible,
                           size_t index,
                           struct lb_buf *out);

#endif
