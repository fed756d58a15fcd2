/* funnel.h - how many visitors went from step to step, in order of ts.  Pure;
 * bounded. */
#ifndef LINKBELL_AGGREGATE_FUNNEL_H
#define LINKBELL_AGGREGATE_FUNNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/entry.h"

#define FUNNEL_STEPS 8
#define FUNNEL_EVENTS 2000000 /* held at once */
#define FUNNEL_VALUES 1000000 /* of the dimension that it is broken down by */
#define FUNNEL_LABEL_BYTES 320

/* An event of a type; of a link (clicks) or name, when it has a text. */
struct funnel_step {
    enum entry_type type;
    bool has_text;
    char label[FUNNEL_LABEL_BYTES]; /* as asked for: "click:book-call" */
};

/* Reads "view" or "type:TEXT"; LB_EINVAL says in err what is wrong. */
LB_MUST_CHECK enum lb_err funnel_read_step(const char *text,
                                           size_t len,
                                           struct funnel_step *step_out,
                                           struct lb_error *err);

struct funnel_row {
    const char *value; /* NULL: without one */
    int64_t visitors[FUNNEL_STEPS];
};

struct funnel;

/* From the first to the last step at most within_ms pass.  NULL: out of memory.
 */
struct funnel *
funnel_new(const struct funnel_step *steps, size_t count, int64_t within_ms);
void funnel_free(struct funnel *funnel); /* NULL is fine */

/* Takes an event of a visitor, in any order; value (or NULL) is copied.
 * LB_ELIMIT: there are too many events or values; LB_ENOMEM. */
LB_MUST_CHECK enum lb_err funnel_add(struct funnel *funnel,
                                     const struct entry *entry,
                                     const char *value,
                                     struct lb_error *err);

/* Counts the visitors of the events so far, and forgets the events: periods of
 * visitors are counted one after another. */
void funnel_count(struct funnel *funnel);

/* After funnel_count(): all together, and by the value at the first step of a
 * visitor's longest way, largest first, ties by value; good until the funnel is
 * freed. */
const struct funnel_row *funnel_totals(const struct funnel *funnel);
const struct funnel_row *funnel_rows(struct funnel *funnel, size_t *count_out);

#endif
