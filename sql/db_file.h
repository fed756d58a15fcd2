/* db_file.h - the data directory and the database's file, before SQLite touches
 * them. */
#ifndef LINKBELL_SQL_DB_FILE_H
#define LINKBELL_SQL_DB_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* What a restore writes beside the database, after its name; one that was cut
 * short leaves it, and the next who takes the lock removes it. */
#define DB_FILE_RESTORE ".restore"

/* Makes the directory (0700) when absent and takes its lock; *fd_out keeps it.
 * LB_EBUSY: another process has it. */
LB_MUST_CHECK enum lb_err
db_file_lock(const char *dir, int *fd_out, struct lb_error *err);

/* Reads the file's header without changing anything.  *is_new_out: there is
 * none yet. */
LB_MUST_CHECK enum lb_err db_file_check(const char *path,
                                        bool is_for_writing,
                                        size_t newest_schema,
                                        bool *is_new_out,
                                        struct lb_error *err);

#endif
