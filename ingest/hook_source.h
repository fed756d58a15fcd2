/* hook_source.h - the sources of inbound webhooks as they stand in the
 * configuration, with their secrets: a set that is read anew when the
 * configuration changed, and held by whoever works with it.  The loop thread's,
 * but for what a source says, which does not change. */
#ifndef LINKBELL_INGEST_HOOK_SOURCE_H
#define LINKBELL_INGEST_HOOK_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ingest/hook_event.h"
#include "ingest/hook_kind.h"
#include "ingest/hook_sign.h"
#include "sql/catalog.h"

#define HOOK_SOURCE_SECRETS_BYTES 2048 /* of a file of secrets */

struct hook_source {
    int64_t number; /* of the catalog */
    const char *id;
    const char *site;
    const cJSON *body;
    const struct hook_kind *kind;
    struct hook_sign sign;
    enum hook_event_dedupe dedupe;
    int64_t daily_cap; /* 0: none */
    /* The loop thread's notes. */
    bool has_told; /* the log has how its signature is written */
};

/* Reads a source that the check found well; texts are borrowed from body.
 * Without its secrets, which is an error (err names the variable or file), it
 * takes nothing. */
LB_MUST_CHECK enum lb_err hook_source_read(const cJSON *body,
                                           struct hook_source *source_out,
                                           struct lb_error *err);

struct hook_source_set;

/* NULL: out of memory.  Takes a reference to the catalog.  A source that can't
 * be read is logged. */
struct hook_source_set *hook_source_set_new(struct catalog *catalog);
struct hook_source_set *hook_source_set_ref(struct hook_source_set *set);
void hook_source_set_unref(struct hook_source_set *set); /* NULL is fine */
const struct catalog *
hook_source_set_catalog(const struct hook_source_set *set);
struct hook_source *hook_source_set_find(struct hook_source_set *set,
                                         const char *id);

#endif
