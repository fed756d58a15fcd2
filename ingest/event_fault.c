/* event_fault.c - why an event is refused. */
#include "ingest/event_fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ip.h"
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

const char *event_fault_shown(const char *word)
{
    struct lb_ip address;

    return lb_text_is_made_of(word, "A-Za-z0-9_.:+-", SHOWN_BYTES) &&
                   !lb_ip_parse(word, &address)
               ? word
               : "(not shown)";
}
