/* disk_watch.h - whether there is room for more events: free bytes under the
 * data directory and the database's size, looked at now and then.  The writer
 * thread's. */
#ifndef LINKBELL_SQL_DISK_WATCH_H
#define LINKBELL_SQL_DISK_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/metrics.h"
#include "sql/db.h"

struct disk_watch {
    int64_t looked_at_ms; /* monotonic */
    bool is_short;
    struct lb_metric *wal_bytes;
    struct lb_metric *db_bytes;
    struct lb_metric *free_bytes;
};

void disk_watch_init(struct disk_watch *watch);

/* Looks when period_ms have gone by since the last look.  reserve_bytes: as
 * much must be free, or 5 % of the file system, whichever is less; once short,
 * half as much again.  max_db_bytes: the database is smaller, free
 * pages not counted; 0: of any size.
 * True when is_short changed, which was logged. */
bool disk_watch_look(struct disk_watch *watch,
                     struct db *db,
                     const int64_t reserve_and_max_bytes[2],
                     int64_t now_ms,
                     int64_t period_ms);

#endif
