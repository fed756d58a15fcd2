/* event_fault.h - why an event is refused. */
#ifndef LINKBELL_INGEST_EVENT_FAULT_H
#define LINKBELL_INGEST_EVENT_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct event_fault {
    const char *code;
    const char *field; /* NULL: none is at fault */
    int64_t site;      /* catalog number, where the event names one that its
                          sender may use; else 0 */
    char message[200];
};

/* Fills fault and returns false, so that refusing is one line. */
bool event_fault_set(struct event_fault *fault,
                     const char *code,
                     const char *field,
                     const char *fmt,
                     ...) LB_PRINTF(4, 5);

/* Counts a refused event; type NULL: it was not read so far. */
void event_fault_count(const struct event_fault *fault, const char *type);

/* A sender's word as an error may repeat it: errors are kept under an
 * Idempotency-Key and end in the senders' logs, so a word that may be
 * somebody's address, browser or name is not shown. */
const char *event_fault_shown(const char *word);

#endif
