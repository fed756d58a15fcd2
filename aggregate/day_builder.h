/* day_builder.h - counts the days that are over: a reader computes them from
 * its own snapshots, the writer swaps them in unless they went on meanwhile.  A
 * day that late events made stale is counted anew, at most every 10 minutes. */
#ifndef LINKBELL_AGGREGATE_DAY_BUILDER_H
#define LINKBELL_AGGREGATE_DAY_BUILDER_H

#include "aggregate/day_store.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct day_builder;

/* Adds a chore to the writer; the parts are borrowed. */
LB_MUST_CHECK enum lb_err day_builder_new(struct writer *writer,
                                          struct pool *readers,
                                          struct catalog_holder *holder,
                                          struct day_store *store,
                                          struct day_builder **builder_out,
                                          struct lb_error *err);
/* Before the writer starts: while loading answers true (any thread), events
 * are loaded in bulk: of the days that they make stale those are counted that
 * lie before whatever came in the last seconds. */
void day_builder_loading(struct day_builder *builder,
                         bool (*loading)(void *ctx),
                         void *ctx);
/* Loop thread, before the pool stops: what runs is the last. */
void day_builder_stop(struct day_builder *builder);
void day_builder_free(struct day_builder *builder); /* NULL is fine */

/* Loop thread: counts all stale days that are over now, however lately they
 * were tried, and calls done on the loop thread.  relist: all days of all sites
 * anew.  LB_EBUSY: such a call is under way. */
LB_MUST_CHECK enum lb_err day_builder_run(
    struct day_builder *builder,
    bool relist,
    void (*done)(void *ctx, enum lb_err rc, const struct lb_error *err),
    void *ctx,
    struct lb_error *err);

#endif
