/* agent_cache.h - all that a user agent says: device, browser, system, and
 * whether a person uses it.  Real traffic repeats itself, so answers are kept
 * in a bounded memory under a keyed hash; the user agent itself is not.  An
 * answer depends on the user agent alone.  Any thread may ask. */
#ifndef LINKBELL_INGEST_AGENT_CACHE_H
#define LINKBELL_INGEST_AGENT_CACHE_H

#include <stddef.h>

#include "base/err.h"
#include "ingest/agent.h"
#include "ingest/bot.h"

#define AGENT_CACHE_ANSWERS 8192 /* kept at most; 48 bytes each */

struct agent_cache;

struct agent_answer {
    struct agent agent;
    struct bot_verdict verdict;
};

LB_MUST_CHECK enum lb_err agent_cache_new(struct agent_cache **cache_out,
                                          struct lb_error *err);
void agent_cache_free(struct agent_cache *cache); /* NULL is fine */

struct agent_answer
agent_cache_find(struct agent_cache *cache, const char *text, size_t len);

#endif
