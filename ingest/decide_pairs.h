/* decide_pairs.h - the (site, visitor) pairs that decide.c remembers: at most
 * DECIDE_PAIRS of them, those last touched.  Small, since there are so many,
 * and following commits.  The writer thread's. */
#ifndef LINKBELL_INGEST_DECIDE_PAIRS_H
#define LINKBELL_INGEST_DECIDE_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/entry.h"

#define DECIDE_PAIRS_NUMBERS 5
#define DECIDE_PAIRS_TEXTS 4

struct decide_tap {
    int64_t link;
    int64_t ts_ms;
    int64_t received_ms;
};

/* Of variable size: taps, then the texts one after the other, each with its
 * NUL, "" for none. */
struct decide_kept {
    uint16_t text_bytes; /* 0: no text at all */
    uint16_t tap_count;
    struct decide_tap taps[];
};

struct decide_state {
    int64_t received_ms; /* when last touched */
    int64_t last_ts_ms;
    int64_t last_received_ms; /* of the event at last_ts_ms */
    int64_t last_view_ms;
    int64_t view_received_ms;
    struct decide_kept *kept; /* owned; NULL: no taps and no texts */
    uint32_t dict[DECIDE_PAIRS_NUMBERS];
    bool has_view;
};

/* The order of the fields leaves no holes. */
struct decide_pair {
    struct decide_pair *next;  /* in its bucket */
    struct decide_pair *older; /* in the order of their last touches */
    struct decide_pair *newer;
    int64_t site;
    int64_t visitor;
    int32_t day;
    uint32_t is_human : 1;
    uint32_t is_new : 1;       /* made by this transaction */
    uint32_t journal : 30;     /* place in the journal, plus 1; 0: not there */
    struct decide_state state; /* the caller's to change when opened */
};

struct decide_pairs;

struct decide_pairs *decide_pairs_new(size_t max); /* NULL: out of memory */
void decide_pairs_free(struct decide_pairs *pairs);

/* The pair of the entry's site, visitor, day and class; NULL: there is none. */
const struct decide_pair *decide_pairs_find(const struct decide_pairs *pairs,
                                            const struct entry *entry);
/* Says that it will be asked for soon; and, a little later, once more. */
void decide_pairs_expect(const struct decide_pairs *pairs,
                         const struct entry *entry);
void decide_pairs_expect_pair(const struct decide_pairs *pairs,
                              const struct entry *entry);
/* The same for changing it, made when new, touched last; NULL: out of memory.
 */
struct decide_pair *decide_pairs_open(struct decide_pairs *pairs,
                                      const struct entry *entry);
/* Gives an opened pair other taps and texts, which it owns from here on, also
 * on LB_ENOMEM.  The old ones stay good until the transaction ends. */
LB_MUST_CHECK enum lb_err decide_pairs_replace(struct decide_pairs *pairs,
                                               struct decide_pair *pair,
                                               struct decide_kept *kept);
/* A text, borrowed; NULL when there is none. */
const char *decide_pairs_text(const struct decide_kept *kept, size_t index);

/* Wipes what is known of a visitor, or with visitor 0 of a whole site. */
void decide_pairs_forget(struct decide_pairs *pairs,
                         int64_t site,
                         int64_t day,
                         int64_t visitor);

void decide_pairs_commit(struct decide_pairs *pairs); /* lets the oldest go */
void decide_pairs_rollback(struct decide_pairs *pairs);
size_t decide_pairs_count(const struct decide_pairs *pairs);

#endif
