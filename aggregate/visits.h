/* visits.h - which visit an event belongs to, and what a visit came to.  Where
 * a visit begins was decided when the event was appended and is stored with it
 * (api-compat: 30 minutes, or a source or utm_* of its own); here the events
 * are only counted off, in log order, the human ones of a visitor by themselves
 * and the others by themselves.  Pure. */
#ifndef LINKBELL_AGGREGATE_VISITS_H
#define LINKBELL_AGGREGATE_VISITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/entry.h"

#define VISITS_MAX 4000000 /* held at once */

/* What is kept of each visit. */
enum visits_kind {
    VISITS_NUMBERED, /* nothing */
    VISITS_WHOLE,    /* struct visit */
    VISITS_PAGED     /* struct visit_pages too */
};

/* A visit, whatever part of it a question is about. */
struct visit {
    uint32_t next;       /* the visitor's next one; 0: none */
    uint32_t marks;      /* the caller's bits */
    uint16_t views;      /* up to 65,535; those that came by themselves too */
    uint16_t acts;       /* what undoes a bounce: views by hand */
    uint16_t other_acts; /* and whatever else is no view */
    int64_t first_ms;    /* ts */
    int64_t last_ms;
};

/* Pages and hosts of its first and last view; NULL: none. */
struct visit_pages {
    int64_t first_view_ms;
    int64_t last_view_ms;
    const char *entry_page;
    const char *exit_page;
    const char *entry_host;
    const char *exit_host;
};

struct visits;

struct visits *visits_new(enum visits_kind kind); /* NULL: out of memory */
void visits_free(struct visits *visits);          /* NULL is fine */

size_t visits_bytes(const struct visits *visits); /* memory held */

/* The number of the entry's visit, from 1; 0 for an event without a visitor.
 * Entries come in log order.  LB_ELIMIT past VISITS_MAX, LB_ENOMEM. */
LB_MUST_CHECK enum lb_err visits_enter(struct visits *visits,
                                       const struct entry *entry,
                                       uint32_t *number_out);

/* From here on the same entries come once more and get the same numbers;
 * nothing is added.  Not for VISITS_NUMBERED. */
void visits_rewind(struct visits *visits);

/* The number of a human visitor's visit now; 0: none. */
uint32_t visits_current(const struct visits *visits,
                        int64_t site,
                        int64_t day,
                        int64_t visitor);

/* A visit that is kept, and its pages where these are. */
struct visit *visits_at(struct visits *visits, uint32_t number);
const struct visit_pages *visits_pages_at(const struct visits *visits,
                                          uint32_t number);

/* One view and nothing that undoes a bounce. */
bool visits_is_bounce(const struct visit *visit);

#endif
