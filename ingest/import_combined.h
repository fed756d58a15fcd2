/* import_combined.h - one line of the combined log format of Apache and nginx:
 *
 *   203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 512
 *   "https://www.example/" "Mozilla/5.0 ..."
 *
 * also with the virtual host in front (vhost_combined), without the last two
 * (common), and with more behind.  Pure. */
#ifndef LINKBELL_INGEST_IMPORT_COMBINED_H
#define LINKBELL_INGEST_IMPORT_COMBINED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct import_combined {
    int64_t ts_at_ms;
    bool is_head; /* HEAD, else GET */
    /* Valid UTF-8 in the arena, cut at what an event takes; NULL: none. */
    const char *address; /* an IP address */
    const char *url;
    const char *referrer;
    const char *agent; /* "" when the client sent none */
};

enum import_combined_verdict {
    IMPORT_COMBINED_REQUEST,
    IMPORT_COMBINED_OTHER, /* neither GET nor HEAD, or no HTTP at all */
    IMPORT_COMBINED_BAD,   /* no such line; *reason_out is static */
    IMPORT_COMBINED_FULL   /* the arena is */
};

enum import_combined_verdict import_combined_read(const char *line,
                                                  size_t len,
                                                  struct lb_arena *arena,
                                                  struct import_combined *out,
                                                  const char **reason_out);

/* Whether a line may be one, told by its time. */
bool import_combined_is_line(const char *line, size_t len);

#endif
