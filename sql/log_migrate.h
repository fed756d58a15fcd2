/* log_migrate.h - what migration 0023_event_packs needs beyond SQL. */
#ifndef LINKBELL_SQL_LOG_MIGRATE_H
#define LINKBELL_SQL_LOG_MIGRATE_H

#include <sqlite3.h>
#include <stdbool.h>

/* Makes event_pack(column, ...) known to the connection: the columns of an
 * event as migrations 1 to 7 had them in table events, as a pack (log_pack.h);
 * or takes it away.  SQLite's code. */
int log_migrate_functions(sqlite3 *handle, bool is_there);

#endif
