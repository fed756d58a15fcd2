/* import_native.h - lines that are native events as JSON, and rows of
 * linkbell's own export among them.  Pure. */
#ifndef LINKBELL_INGEST_IMPORT_NATIVE_H
#define LINKBELL_INGEST_IMPORT_NATIVE_H

#include "ingest/import_reading.h"

/* Reads a line of JSON. */
enum import_verdict import_native_read(struct import_reading *reading);

/* The same of an event's object that is made already.  Its ts goes to the event
 * read; of a row of our own export everything goes that is no field of an
 * event. */
enum import_verdict import_native_settle(struct import_reading *reading,
                                         bool is_export);

/* Gives an event that was read from a row of our own export back what the row
 * tells of device and class: what it was read from is gone. */
bool import_native_restore(const cJSON *given,
                           struct lb_arena *arena,
                           struct entry *entry);

/* Whether a column or member belongs to our own export alone. */
bool import_native_is_exported(const char *name);

#endif
