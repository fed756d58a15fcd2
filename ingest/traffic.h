/* traffic.h - the class of an event, human, preview, prefetch or bot, and the
 * reason, as far as its request tells: one list of rules, the first that holds
 * decides.  The last rule, burst, looks at earlier events and is the writer's
 * (burst.h).  Pure. */
#ifndef LINKBELL_INGEST_TRAFFIC_H
#define LINKBELL_INGEST_TRAFFIC_H

#include <stdbool.h>

#include "ingest/bot.h"
#include "sql/entry.h"

#define TRAFFIC_REASON_BURST "burst"

/* What a visitor's own request says beside its address and user agent.  All
 * false where a back end sends the event: its headers are not the visitor's. */
struct traffic_signs {
    bool is_own; /* the browser has the opt-out cookie */
    bool is_head;
    bool is_prefetch;
};

/* The fields of a request that signs are read from; NULL: not sent. */
struct traffic_fields {
    const char *cookie;
    const char *sec_purpose;
    const char *purpose;
    const char *x_purpose;
    const char *x_moz;
};

struct traffic_signs traffic_read_signs(const struct traffic_fields *fields,
                                        bool is_head);

struct traffic_facts {
    struct traffic_signs signs;
    bool is_ignored; /* the address is the owner's own (sites[].ignore_ips) */
    const struct bot_verdict *verdict; /* NULL: no user agent to judge by */
    bool is_datacentre;
};

/* Sets class and reason, NULL for a human, and the entry of the list. */
void traffic_decide(const struct traffic_facts *facts, struct entry *entry);

#endif
