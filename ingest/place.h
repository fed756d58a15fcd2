/* place.h - country, region and city of an event: its own ones, and for what it
 * does not say those of its client's address. */
#ifndef LINKBELL_INGEST_PLACE_H
#define LINKBELL_INGEST_PLACE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/ip.h"
#include "geo/geo.h"
#include "sql/entry.h"

/* Fills the places of entry that are NULL from the database, texts in arena.
 * A country of its own that is another than the address's keeps the address's
 * region and city out: they lie elsewhere.  geo NULL or no address: nothing is
 * found.  LB_ENOMEM. */
LB_MUST_CHECK enum lb_err place_fill(struct entry *entry,
                                     const struct geo *geo,
                                     const struct lb_ip *address,
                                     struct lb_arena *arena);

#endif
