/* digest_content.h - the data of an `alert.digest`: that of several alerts, and
 * a text of the first of them. */
#ifndef LINKBELL_ALERTS_DIGEST_CONTENT_H
#define LINKBELL_ALERTS_DIGEST_CONTENT_H

#include <stdint.h>

#include "base/buf.h"

#define DIGEST_CONTENT_ALERTS 100 /* shown in one; all are counted */

struct digest_content {
    struct lb_buf alerts;
    struct lb_buf lines;
    int64_t count;
    int64_t line_count;
};
void digest_content_init(struct digest_content *content);
void digest_content_deinit(struct digest_content *content);

/* The data of an alert as JSON; NULL or no object: nothing.  resolved_at_ms, 0:
 * it is not over. */
void digest_content_add(struct digest_content *content,
                        const char *data,
                        int64_t resolved_at_ms);

struct digest_head {
    const char *id;
    const char *rule; /* NULL: of several, as severity and site */
    const char *severity;
    const char *site;
    int64_t from_at_ms;
    int64_t to_at_ms;
    const char *title; /* the text's first line */
    const char *dashboard_url;
};
void digest_content_write(const struct digest_content *content,
                          const struct digest_head *head,
                          struct lb_buf *out);

#endif
