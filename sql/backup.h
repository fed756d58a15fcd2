/* backup.h - a consistent copy of the database while it is in use, and its way
 * back. */
#ifndef LINKBELL_SQL_BACKUP_H
#define LINKBELL_SQL_BACKUP_H

#include <stdint.h>

#include "base/err.h"

/* What a copy holds. */
struct backup_facts {
    int64_t bytes;
    int64_t events;
    int64_t last_at_ms; /* receive time of the last one; 0: none */
};

struct backup_watch {
    void (*moved)(void *ctx, int64_t pages, double share); /* share 0 to 1 */
    void *ctx;
};

/* Writes one snapshot of DIR/linkbell.db beside path, syncs it and renames it
 * over path: a reader of path sees the old file or the new one.  It holds no
 * visitor salts.  Another process may serve dir meanwhile. */
LB_MUST_CHECK enum lb_err backup_write(const char *dir,
                                       const char *path,
                                       const struct backup_watch *watch,
                                       struct backup_facts *facts_out,
                                       struct lb_error *err);

/* Puts the copy at path into dir, whose lock it holds meanwhile (LB_EBUSY: a
 * service runs).  The copy is checked whole before anything is touched; a kill
 * at any point leaves the old database or the new one. */
LB_MUST_CHECK enum lb_err backup_restore(const char *dir,
                                         const char *path,
                                         const struct backup_watch *watch,
                                         struct backup_facts *facts_out,
                                         struct lb_error *err);

#endif
