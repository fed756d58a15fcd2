/* scrub.h - the last bytes of what was deleted.  secure_delete zeroes deleted
 * rows and freed pages, but when SQLite moves neighbours from page to page it
 * leaves their old bytes between a page's cell pointers and its content
 * (rebuildPage() of btree.c): unreachable, yet in the file. */
#ifndef LINKBELL_SQL_SCRUB_H
#define LINKBELL_SQL_SCRUB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/db.h"

#define SCRUB_PAGES 512 /* of one call */

/* Writer thread, outside a transaction: moves the WAL into the database,
 * truncates it, and zeroes the gaps of the next pages from *next_page on, which
 * begins at 1 and moves on.  Readers may go on: nobody reads a gap.  They may
 * hold the WAL: then nothing was done, and *next_page stays.  *is_over_out:
 * that was the last page. */
LB_MUST_CHECK enum lb_err scrub_run(struct db *db,
                                    int64_t *next_page,
                                    bool *is_over_out,
                                    struct lb_error *err);

#endif
