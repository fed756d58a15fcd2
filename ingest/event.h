/* event.h - from one JSON object to one log entry: validation with every fault
 * named, and enrichment with what the event itself says.  Pure but for the
 * visitor's salt. */
#ifndef LINKBELL_INGEST_EVENT_H
#define LINKBELL_INGEST_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/ip.h"
#include "geo/geo.h"
#include "ingest/agent_cache.h"
#include "ingest/client_memo.h"
#include "ingest/datacentre.h"
#include "ingest/decide.h"
#include "ingest/event_fault.h"
#include "ingest/refused_store.h"
#include "ingest/source.h"
#include "ingest/traffic.h"
#include "ingest/visitor.h"
#include "sql/catalog.h"
#include "sql/entry.h"
#include "sql/log_ids.h"

#define EVENT_ID_BYTES LOG_ID_BYTES
#define EVENT_PROPS 30
#define EVENT_OWN_TEXTS 10
#define EVENT_LATE_MS (INT64_C(72) * 3600000)
#define EVENT_FUTURE_MS (INT64_C(10) * 60000)

/* An event on its way to the log. */
struct event {
    struct entry entry;
    const struct catalog_site *site;
    enum decide_own own;
    struct visitor_salt *salt; /* NULL: no visitor */
    uint64_t visitor_hash;
    /* What inheritance and bursts may replace, as it was read: an append that
     * was undone begins from it again. */
    bool is_own_kept;
    enum entry_traffic own_traffic;
    const char *own_texts[EVENT_OWN_TEXTS];
    /* How many of its visitor's come in a minute says nothing: a line of a web
     * server's log, of which a page brings dozens, or a part of a daily sum. */
    bool is_burst_free;
    /* Not an event: it tells of the visit that is under way. */
    struct event_engagement *engagement; /* NULL: an event */
    bool is_dropped; /* an engagement without a visit; set at append */
};

/* How much of a page was seen, and the place for what the log keeps of it. */
struct event_engagement {
    int scroll_depth; /* percent, or ENGAGEMENT_UNKNOWN */
    int64_t attention_ms;
    char *data; /* filled at append */
    size_t data_bytes;
};

/* What all events of a request share.  Read-only while events are read, but for
 * the memo. */
struct event_context {
    const struct catalog *catalog;
    const struct auth_who *who; /* whose sites count; NULL: all */
    const struct source_table *sources;
    struct visitors *visitors;
    uint8_t id_key[16];
    int64_t received_at_ms;
    const char *import; /* "" for live events */
    bool is_silent;
    bool is_any_age; /* imports: ts of any age, received is ts */
    bool is_case_kept;
    bool is_contact_kept[ENTRY_CONTACT_COUNT];
    size_t text_bytes;    /* of texts without a limit of their own */
    const char *referrer; /* the request's, for events without one; NULL */
    struct agent_cache *agents;
    struct client_memo *memo; /* of the batch; NULL: each client is looked up */
    struct datacentre_list *datacentres; /* NULL: none is known */
    struct refused_store
        *refused;          /* where refused events count; NULL: nowhere */
    const struct geo *geo; /* NULL: places come with the events alone */
    struct lb_ip address;  /* of the request, for events without one */
    /* Where the visitor sends by itself: */
    struct traffic_signs signs;
    const char *agent; /* its user agent; NULL: none is known */
    bool is_qr;        /* a QR code brought the visitor */
    /* Lengths were looked at before, by another dialect's rules. */
    bool is_length_free;
    bool is_passive;       /* the event came by itself, without the visitor */
    bool is_fragment_kept; /* the page is the path with its #fragment */
    bool is_private; /* the client asks not to be recognised: no visitor, city,
                        region or click identifier */
};

/* Reads json into *event_out, texts in arena.  False with *fault_out filled
 * when the event is refused.  Out of memory is code "internal". */
bool event_read(const struct event_context *context,
                const cJSON *json,
                struct lb_arena *arena,
                struct event *event_out,
                struct event_fault *fault_out);

/* Makes of an event that was read an engagement with its page; false when the
 * arena is full. */
bool event_engage(struct event *event,
                  int scroll_depth,
                  int64_t attention_ms,
                  struct lb_arena *arena);

/* Copies the texts of an event into arena, out of the one in which it was read;
 * false when it is full. */
bool event_keep(struct event *event, struct lb_arena *arena);

/* Says that an event which another thread read will be used soon: it lies in
 * the caches of that thread's processor. */
void event_expect(const struct event *event);

#endif
