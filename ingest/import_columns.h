/* import_columns.h - rows of a table as events, by a map of its columns.  Pure.
 */
#ifndef LINKBELL_INGEST_IMPORT_COLUMNS_H
#define LINKBELL_INGEST_IMPORT_COLUMNS_H

#include "ingest/import_map.h"
#include "ingest/import_reading.h"

enum import_verdict import_columns_read(const struct import_map *map,
                                        struct import_reading *reading);

#endif
