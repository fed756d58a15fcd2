/* erase_files.h - export files below the data directory that hold events that
 * were erased. */
#ifndef LINKBELL_SQL_ERASE_FILES_H
#define LINKBELL_SQL_ERASE_FILES_H

#include <stddef.h>

#include "base/err.h"

/* Removes DIR/exports/SITE/events-SITE-DAY.*, and its lines in the manifest;
 * with day NULL the whole of DIR/exports/SITE.  *count grows by each file.  On
 * a worker thread: it touches the disk. */
LB_MUST_CHECK enum lb_err erase_files_remove(const char *dir,
                                             const char *site,
                                             const char *day,
                                             size_t *count,
                                             struct lb_error *err);

#endif
