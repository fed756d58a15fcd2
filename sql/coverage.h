/* coverage.h - log entries that say for which quarters of an hour a site's
 * figures are incomplete, and why.  Answers carry the worst of their range. */
#ifndef LINKBELL_SQL_COVERAGE_H
#define LINKBELL_SQL_COVERAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "sql/entry.h"

/* Stored numbers, from good to worst: never renumber. */
enum coverage_state {
    COVERAGE_COMPLETE = 0,
    COVERAGE_TRUNCATED = 1, /* an upstream cap */
    COVERAGE_GAP = 2        /* an outage of ours */
};

/* The word of the interface: "complete", ...  Static. */
const char *coverage_name(enum coverage_state state);

struct coverage_span {
    int64_t site;       /* catalog number */
    int64_t from_at_ms; /* instants whose quarters are meant, the first */
    int64_t to_at_ms;   /* and the end, not included */
    enum coverage_state state;
};

/* An entry and its text; kept by the caller until the transaction in which it
 * is appended has ended. */
#define COVERAGE_DATA_BYTES 128
struct coverage_entry {
    struct entry entry;
    char data[COVERAGE_DATA_BYTES];
};
void coverage_fill(struct coverage_entry *out,
                   const struct coverage_span *span,
                   int64_t received_at_ms);

/* The way back; false for an entry of another kind or a damaged one. */
bool coverage_read(const struct entry *entry, struct coverage_span *span_out);

#endif
