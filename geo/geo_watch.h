/* geo_watch.h - the country database of the running service: opened, watched
 * and replaced by a thread of its own, so that no other thread waits for a
 * disk.  A new file is open before the old one goes; one that does not open
 * leaves the old one in place. */
#ifndef LINKBELL_GEO_GEO_WATCH_H
#define LINKBELL_GEO_GEO_WATCH_H

#include <stdint.h>

#include "base/config.h"
#include "geo/geo.h"

#define GEO_WATCH_POLL_MS INT64_C(2000) /* between looks at the files */

struct geo_watch;

/* Opens the files, or with an empty list DATA_DIR/geo.mmdb, and starts the
 * thread.  A missing or bad file is logged and no error: places stay unknown
 * until a good one is there.  LB_ENOMEM. */
LB_MUST_CHECK enum lb_err geo_watch_new(const struct lb_config_list *paths,
                                        const char *data_dir,
                                        int64_t poll_ms,
                                        struct geo_watch **watch_out,
                                        struct lb_error *err);
void geo_watch_free(struct geo_watch *watch); /* NULL is fine */

/* The file list of new settings; opens anew in any case, soon.  Returns at
 * once. */
void geo_watch_reload(struct geo_watch *watch,
                      const struct lb_config_list *paths);

/* The database of now for some lookups, given back by geo_close(); NULL: none.
 * Any thread. */
const struct geo *geo_watch_current(struct geo_watch *watch);

/* For /readyz: "ok", "missing" (there is no file), or "failing" (the file does
 * not open; one opened before still answers).  Any thread. */
const char *geo_watch_state(void *watch);

#endif
