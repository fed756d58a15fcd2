/* export_files.h - exports as files: DIR/SITE/events-SITE-DAY.r1.ndjson,
 * written aside and renamed, listed in a manifest that is written last. */
#ifndef LINKBELL_AGGREGATE_EXPORT_FILES_H
#define LINKBELL_AGGREGATE_EXPORT_FILES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/cli.h"

struct export_files_order {
    const char *what; /* "events" or "stats" */
    const char *site; /* NULL: all */
    const char *from;
    const char *to;
    const char *format;
    const char *compress; /* NULL: not packed */
    const char *out;      /* NULL: to standard output */
    bool is_yesterday;
};

/* The request that gives the order's rows, of one day when day is not NULL. */
void export_files_path(const struct export_files_order *order,
                       const char *day,
                       struct lb_buf *path);
int export_files_write(struct lb_cli *cli,
                       const struct export_files_order *order);

#endif
