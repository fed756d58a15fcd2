/* agent.h - device, browser and operating system from a user agent.  The tables
 * are tables/devices.inc, browsers.inc and systems.inc.  Pure; the names are
 * static, so nothing of the user agent itself is kept. */
#ifndef LINKBELL_INGEST_AGENT_H
#define LINKBELL_INGEST_AGENT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "sql/entry.h"

#define AGENT_BYTES 1024 /* of a user agent that are looked at */
#define AGENT_NO_VERSION (-1)

struct agent_table; /* the tables, ready to be searched; immutable */

struct agent {
    const char *device; /* static; "" unknown, as the other names */
    const char *browser;
    const char *os;
    int32_t browser_version; /* major number; AGENT_NO_VERSION: none */
    int32_t os_version;
};

struct agent_table *agent_table_new(void); /* NULL: out of memory */
void agent_table_free(struct agent_table *table);

/* Reads the first AGENT_BYTES of a user agent of len bytes. */
struct agent
agent_read(const struct agent_table *table, const char *text, size_t len);

/* Puts what is known into entry; numbers as texts in arena.  LB_ENOMEM. */
LB_MUST_CHECK enum lb_err agent_fill(const struct agent *agent,
                                     struct entry *entry,
                                     struct lb_arena *arena);

#endif
