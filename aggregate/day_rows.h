/* day_rows.h - the events of a site's day as columns, and what the values of a
 * dimension came to: events are gone through visitor by visitor, so that the
 * one at hand is all that is to be remembered of visitors.  Pure. */
#ifndef LINKBELL_AGGREGATE_DAY_ROWS_H
#define LINKBELL_AGGREGATE_DAY_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/entry.h"

#define DAY_ROWS_COLUMNS 32
#define DAY_ROWS_NONE UINT32_MAX /* no key */

struct day_rows;

/* columns: 1u << column or-ed, those that are kept.  NULL: out of memory. */
struct day_rows *day_rows_new(unsigned columns);
void day_rows_free(struct day_rows *rows); /* NULL is fine */

/* Takes an event and its key in each column; DAY_ROWS_NONE where it does not
 * count.  Events come in log order.
 * LB_ENOMEM. */
LB_MUST_CHECK enum lb_err day_rows_add(struct day_rows *rows,
                                       const struct entry *entry,
                                       const uint32_t *keys);
size_t day_rows_count(const struct day_rows *rows);
size_t day_rows_visitors(const struct day_rows *rows);
size_t day_rows_bytes(const struct day_rows *rows); /* memory held */
void day_rows_drop(struct day_rows *rows, int column);
/* The keys of a column, by row. */
const uint32_t *day_rows_keys(const struct day_rows *rows, int column);

/* Orders what was added by visitor, before it is summed up.  LB_ENOMEM. */
LB_MUST_CHECK enum lb_err day_rows_sort(struct day_rows *rows);
/* Forgets all rows. */
void day_rows_clear(struct day_rows *rows);

/* The kinds of events that are counted one by one: type in bits 0-1, 4: a
 * double tap, 8: an orphan. */
#define DAY_ROWS_KINDS 16
/* Its type and flags into an entry that is otherwise cleared. */
void day_rows_kind(unsigned kind, struct entry *entry_out);

/* What the events of one key came to; visits, bounds as in tally.h. */
struct day_sum {
    uint32_t key;
    uint32_t kinds[DAY_ROWS_KINDS];
    uint32_t visitors;
    uint32_t viewers;
    uint32_t clickers;
    uint32_t viewers_clicked;
    uint32_t visits;
    uint32_t clicks_without_visitor;
    int64_t amount_hundredths;
    char currency[4];
    /* Of the visitor at hand. */
    uint32_t who;
    uint32_t visit;
    int64_t first_view_ms;
    int64_t last_click_ms;
};

/* Sums by key; from zeros. */
struct day_sums {
    struct day_sum *list; /* owned */
    size_t count;
    size_t cap;
};

void day_rows_free_sums(struct day_sums *sums);

/* Adds the rows to sums, column's or, when it is negative, with the class for
 * a key.  With is_of_click, a click looks for a view of its visitor and class
 * wherever it was, else among those of its own key.  map: 0 for each key.
 * LB_ELIMIT: more than max sums; LB_ENOMEM. */
struct day_rows_wish {
    int column;
    bool is_of_click;
    size_t max;
    uint32_t *map;
};
LB_MUST_CHECK enum lb_err day_rows_sum(const struct day_rows *rows,
                                       const struct day_rows_wish *wish,
                                       struct day_sums *sums);

#endif
