/* import_bitly.h - lines of JSON as of bit.ly's public 1.USA.gov feed: each is
 * a click, but for heartbeats.  Pure. */
#ifndef LINKBELL_INGEST_IMPORT_BITLY_H
#define LINKBELL_INGEST_IMPORT_BITLY_H

#include "ingest/import_reading.h"

enum import_verdict import_bitly_read(struct import_reading *reading);

#endif
