/* sample.h - an alert as a rule would raise it, made up: for trying where it
 * goes and what it says.  Pure. */
#ifndef LINKBELL_ALERTS_SAMPLE_H
#define LINKBELL_ALERTS_SAMPLE_H

#include <stdint.h>

#include "alerts/rule.h"
#include "base/buf.h"
#include "sql/catalog.h"

struct sample {
    const struct rule *rule;
    const struct catalog_site *site;
    const char *id;          /* of the message */
    const char *destination; /* that it is sent to */
    const char *public_url;
    int64_t now_ms;
};

/* The message's body: type "test", the alert's data and "destination". */
void sample_write(const struct sample *sample, struct lb_buf *out);

#endif
