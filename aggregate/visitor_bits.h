/* visitor_bits.h - visitors of groups as bits by their dense numbers, two bits
 * each: that he was there, and that he clicked.  A group has a set of its own
 * in each period of a site; events of a period come one after the other in a
 * column, so that one period is at hand. */
#ifndef LINKBELL_AGGREGATE_VISITOR_BITS_H
#define LINKBELL_AGGREGATE_VISITOR_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/entry.h"

struct visitor_bits_period;

/* From zeros. */
struct visitor_bits {
    struct visitor_bits_period *periods; /* owned; open addressing */
    size_t cap;
    size_t count;
    size_t set_count; /* of all periods */
    size_t words;     /* of 64 bits, of all sets */
    size_t last;      /* the period that was noted in last */
};

void visitor_bits_deinit(struct visitor_bits *bits);
size_t visitor_bits_bytes(const struct visitor_bits *bits);

/* Whether bits would be too many, or mostly empty, with that visitor. */
bool visitor_bits_are_wasteful(const struct visitor_bits *bits,
                               size_t group_count,
                               int64_t visitor);
/* Notes the entry's visitor (above 0) in the group.  LB_ENOMEM. */
LB_MUST_CHECK enum lb_err visitor_bits_note(struct visitor_bits *bits,
                                            uint32_t group,
                                            const struct entry *entry);
/* Calls each for all visitors, as entries of a click or of a lead. */
LB_MUST_CHECK enum lb_err visitor_bits_each(
    const struct visitor_bits *bits,
    enum lb_err (*each)(void *ctx, uint32_t group, const struct entry *entry),
    void *ctx);
/* Calls count once for each set: how many there are, and of these clicked. */
void visitor_bits_count(const struct visitor_bits *bits,
                        void (*count)(void *ctx,
                                      uint32_t group,
                                      int64_t visitors,
                                      int64_t clickers),
                        void *ctx);

#endif
