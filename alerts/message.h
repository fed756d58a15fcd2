/* message.h - what an alert says: the webhook's body as bytes, and its summary.
 */
#ifndef LINKBELL_ALERTS_MESSAGE_H
#define LINKBELL_ALERTS_MESSAGE_H

#include "alerts/rule.h"
#include "base/buf.h"
#include "sql/catalog.h"
#include "sql/entry.h"

#define MESSAGE_BYTES ((size_t)256 * 1024)

struct message_alert {
    const char *id;
    const struct rule *rule;
    const struct catalog_site *site;
    const char *group;         /* JSON */
    const struct entry *entry; /* the deciding one */
    int64_t fired_at_ms;
    double value;    /* as people count it; not of event, first_seen */
    double expected; /* of ctr, spike and drop; likewise: */
    double probability;
    int64_t window_from_ms; /* as value */
    int64_t window_to_ms;
    const char *public_url;   /* "" when unset */
    const char *coverage;     /* NULL: complete */
    const char *contributors; /* JSON; NULL: of other kinds than spike */
};

/* The alert's `data` as JSON; its summary is in the rule's own words, if it has
 * such. */
void message_data(const struct message_alert *alert, struct lb_buf *out);
/* The data of an alert that is over: data as it was, and when, how long it
 * lasted and, unless value is NULL, the value at that time. */
void message_resolved(const char *data,
                      int64_t fired_at_ms,
                      int64_t at_ms,
                      const double *value,
                      struct lb_buf *out);
/* The whole body: {"type","timestamp","data"} around data. */
void message_body(const char *type,
                  int64_t at_ms,
                  const char *data,
                  struct lb_buf *out);
/* The event as a message shows it; NULL texts are left out. */
void message_event(const struct entry *entry,
                   const char *site,
                   struct lb_buf *out);

#endif
