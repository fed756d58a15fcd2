/* hook_event.h - the events that one delivery of an inbound webhook makes, on
 * their way from a service's fields to native events: collected as the text of
 * a JSON array, which is then read like the body of POST /v1/events.  Pure. */
#ifndef LINKBELL_INGEST_HOOK_EVENT_H
#define LINKBELL_INGEST_HOOK_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/buf.h"

#define HOOK_EVENT_ID_BYTES 36       /* "in_", 32 hex digits, NUL */
#define HOOK_EVENT_DELIVERY_BYTES 48 /* of a delivery's id, at most */

/* Which events without an id of their own are one when their bodies are equal.
 */
enum hook_event_dedupe {
    HOOK_EVENT_DEDUPE_OFF,
    HOOK_EVENT_DEDUPE_LEADS,
    HOOK_EVENT_DEDUPE_BODY
};
#define HOOK_EVENT_DEDUPE_COUNT 3
/* The words of the configuration.  Static. */
const char *hook_event_dedupe_name(enum hook_event_dedupe dedupe);
bool hook_event_dedupe_find(const char *name,
                            enum hook_event_dedupe *dedupe_out);

struct hook_events {
    /* Set by the caller. */
    const char *site;
    enum hook_event_dedupe dedupe;
    const char *delivery_id;           /* of events without one; NULL: none */
    char body_id[HOOK_EVENT_ID_BYTES]; /* made of the body's bytes */
    size_t text_bytes;                 /* of a short text */
    size_t max_count;                  /* events; one more tells of too many */
    /* What came of it. */
    struct lb_buf json; /* owned; the array, without its end while it grows */
    size_t count;
    size_t ignored_count; /* events and fields that mean nothing here */
    bool is_repeatable;   /* some have no id: a repeat of the body can't be told
                             from another visit */
    bool is_qr;           /* the one event was a scan */
    const char *fault; /* why there is none; static; NULL: nothing is wrong */
};

/* "in_" and hex digits of a keyed hash of two texts. */
void hook_event_make_id(const uint8_t key[16],
                        const char *first,
                        const void *bytes,
                        size_t len,
                        char out[HOOK_EVENT_ID_BYTES]);

void hook_events_init(struct hook_events *events, size_t max_bytes);
void hook_events_deinit(struct hook_events *events);

/* Adds a native event and deletes it; site and, where it has none, the id are
 * put in.  index counts the elements of the delivery from 1; 0: it is one
 * event.
 */
void hook_events_add(struct hook_events *events, cJSON *event, size_t index);
void hook_events_end(struct hook_events *events);

/* Fields of a native event, by name with dots ("contact.email").  NULL and null
 * put nothing. */
void hook_event_put(cJSON *event, const char *field, const cJSON *value);
void hook_event_put_text(cJSON *event, const char *field, const char *text);
/* A text, number, true or false, as a text; cut to max_bytes between
 * characters.  Anything else puts nothing. */
void hook_event_put_line(cJSON *event,
                         const char *field,
                         const cJSON *value,
                         size_t max_bytes);
/* A number or truth as its text; what is no scalar is put as it is, for whoever
 * reads the event to refuse. */
void hook_event_put_as_text(cJSON *event,
                            const char *field,
                            const cJSON *value);
/* RFC 3339 (also with an offset like +0100), epoch seconds or milliseconds. */
void hook_event_put_time(cJSON *event, const cJSON *value);
/* A number, or a decimal as a text. */
void hook_event_put_amount(cJSON *event, const cJSON *value);

#endif
