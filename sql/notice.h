/* notice.h - log entries by which the service tells its owner something about
 * itself: whoever raises alerts makes an alert of kind `system` of each. */
#ifndef LINKBELL_SQL_NOTICE_H
#define LINKBELL_SQL_NOTICE_H

#include <stdint.h>

#include "base/buf.h"
#include "sql/entry.h"

struct notice {
    const char *rule;     /* "linkbell-sources": who speaks */
    const char *severity; /* "info", "warning", "critical" */
    const char *site;     /* its id */
    const char *group;    /* what it is about, as JSON: {"source":"crm"} */
    int64_t from_at_ms;   /* the time that it is about */
    int64_t to_at_ms;
    const char *coverage; /* of that time: "truncated" */
    const char *summary;  /* one sentence */
};

/* An entry and its text; kept by the caller until the transaction in which it
 * is appended has ended. */
#define NOTICE_BYTES 1024
struct notice_entry {
    struct entry entry;
    struct lb_buf data; /* owned */
};
void notice_init(struct notice_entry *out);
void notice_deinit(struct notice_entry *entry);
void notice_fill(struct notice_entry *out,
                 const struct notice *notice,
                 int64_t received_at_ms);
/* Of now, a warning, with nothing missing: what most of them are. */
void notice_warn(struct notice_entry *out,
                 const char *rule,
                 const char *site,
                 const char *group,
                 const char *summary,
                 int64_t now_ms);

#endif
