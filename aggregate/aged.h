/* aged.h - what an answer says that was asked for events which retention has
 * removed. */
#ifndef LINKBELL_AGGREGATE_AGED_H
#define LINKBELL_AGGREGATE_AGED_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/zone.h"
#include "sql/catalog.h"

/* The latest time before which the sites have no events any more, of those
 * that lie after from_at_ms; 0: there is none. */
int64_t aged_before_ms(const struct catalog *catalog,
                       const int64_t *sites,
                       size_t site_count,
                       int64_t from_at_ms);
/* Appends the warning as an item of a list; nothing for 0. */
void aged_add_warning(struct lb_buf *out,
                      const struct lb_zone *zone,
                      int64_t before_ms);

#endif
