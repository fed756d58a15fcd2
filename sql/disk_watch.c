/* disk_watch.c - whether there is room for more events. */
#include "sql/disk_watch.h"

#include <sys/statvfs.h>

#include "base/log.h"

void disk_watch_init(struct disk_watch *watch)
{
    watch->looked_at_ms = 0;
    watch->is_short = false;
    watch->wal_bytes = lb_metrics_get(LB_METRIC_GAUGE, "linkbell_wal_bytes",
                                      "Size of the write-ahead log.", "");
    watch->db_bytes = lb_metrics_get(LB_METRIC_GAUGE, "linkbell_db_bytes",
                                     "Size of the database file.", "");
    watch->free_bytes =
        lb_metrics_get(LB_METRIC_GAUGE, "linkbell_disk_free_bytes",
                       "Free bytes below the data directory.", "");
}

/* Bytes of the file that the next events take. */
static int64_t free_page_bytes(struct db *db)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_SEAL_FREE_PAGES);
    struct lb_error err;
    bool has_row = false;
    int64_t bytes = 0;

    if (db_next(db, stmt, &has_row, &err) == LB_OK && has_row) {
        int64_t pages = sqlite3_column_int64(stmt, 1);

        bytes = pages == 0 ? 0
                           : sqlite3_column_int64(stmt, 0) *
                                 (db_file_bytes(db) / pages);
        (void)sqlite3_reset(stmt);
    }
    return bytes;
}

bool disk_watch_look(struct disk_watch *watch,
                     struct db *db,
                     const int64_t reserve_and_max_bytes[2],
                     int64_t now_ms,
                     int64_t period_ms)
{
    int64_t reserve = reserve_and_max_bytes[0];
    int64_t largest = reserve_and_max_bytes[1];
    int64_t db_bytes = db_file_bytes(db);
    struct statvfs found;
    int64_t free_bytes;
    bool is_short;

    if (now_ms - watch->looked_at_ms < period_ms ||
        statvfs(db_dir(db), &found) != 0) {
        return false;
    }
    watch->looked_at_ms = now_ms;
    free_bytes = (int64_t)(found.f_bavail * found.f_frsize);
    if (reserve > (int64_t)(found.f_blocks * found.f_frsize / 20)) {
        reserve = (int64_t)(found.f_blocks * found.f_frsize / 20);
    }
    is_short = free_bytes < (watch->is_short ? reserve + reserve / 2 : reserve);
    is_short = is_short || (largest > 0 && db_bytes >= largest &&
                            db_bytes - free_page_bytes(db) >= largest);
    lb_metrics_set(watch->free_bytes, free_bytes);
    lb_metrics_set(watch->db_bytes, db_bytes);
    lb_metrics_set(watch->wal_bytes, db_wal_bytes(db));
    if (is_short == watch->is_short) {
        return false;
    }
    watch->is_short = is_short;
    lb_log(is_short ? LB_LOG_ERROR : LB_LOG_INFO,
           is_short ? "disk_full" : "disk_recovered", "free_bytes=%lld",
           (long long)free_bytes);
    return true;
}
