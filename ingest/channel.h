/* channel.h - the marketing channel of an event.  Order, names and tests 1 to
 * 13 and 16 to 19 follow Plausible's reading of Google Analytics 4's default
 * channel group (plausible/analytics, lib/plausible/ingestion/acquisition.ex at
 * 277f8f7), so that people who move over see the same figures.  Pure. */
#ifndef LINKBELL_INGEST_CHANNEL_H
#define LINKBELL_INGEST_CHANNEL_H

#include "ingest/source.h"
#include "ingest/utm.h"

/* Static text, "Direct" when nothing speaks for another one. */
const char *channel_decide(const struct utm *utm,
                           const struct source_verdict *source);

#endif
