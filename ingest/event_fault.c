/* event_fault.c - why an event is refused. */
#include "ingest/event_fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "base/metrics.h"
#include "base/text.h"

#define SHOWN_BYTES 64 /* of a sender's word in an error */

bool event_fault_set(struct event_fault *fault,
                     const char *code,
                     const char *field,
                     const char *fmt,
                     ...)
{
    va_list args;

    fault->code = code;
    fault->field = field;
    va_start(args, fmt);
    if (vsnprintf(fault->message, sizeof(fault->message), fmt, args) < 0) {
        fault->message[0] = '\0';
    }
    va_end(args);
    /* A cut inside a character would not be UTF-8. */
    fault->message[lb_text_cut(fault->message, strlen(fault->message),
                               sizeof(fault->message) - 4)] = '\0';
    return false;
}

void event_fault_count(const struct event_fault *fault, const char *type)
{
    char labels[64];

    if (strcmp(fault->code, "event_too_large") == 0) {
        lb_metrics_limit_hit("event_bytes");
    } else if (strcmp(fault->code, "too_long") == 0) {
        lb_metrics_limit_hit("text_bytes");
    }
    (void)snprintf(labels, sizeof(labels), "code=\"%s\"", fault->code);
    lb_metrics_add(lb_metrics_get(LB_METRIC_COUNTER,
                                  "linkbell_events_rejected_total",
                                  "Events refused, by code.", labels),
                   1);
    (void)snprintf(labels, sizeof(labels), "type=\"%s\",result=\"rejected\"",
                   type == NULL ? "unknown" : type);
    lb_metrics_add(lb_metrics_get(LB_METRIC_COUNTER, "linkbell_events_total",
                                  "Events by type and what became of them.",
                                  labels),
                   1);
}

const char *event_fault_shown(const char *word)
{
    struct lb_ip address;

    return lb_text_is_made_of(word, "A-Za-z0-9_.:+-", SHOWN_BYTES) &&
                   !lb_ip_parse(word, &address)
               ? word
               : "(not shown)";
}
