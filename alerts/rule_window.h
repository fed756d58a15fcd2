/* rule_window.h - what a rule counted within a sliding window.  Pure.
 *
 * What a window holds depends on the events that lie in it and on nothing else:
 * neither on the order in which they came nor on when it was last looked at. So
 * one that is read from the log again, after a restart, says the same number.
 *
 * The newest RULE_WINDOW_RECENT milliseconds that have events are kept one by
 * one.  What is older is kept by steps, RULE_WINDOW_STEPS to a window, and a
 * step that is not wholly within the window counts no more: with that many
 * events a number may be short of those of one step.  A visitor counts once, at
 * the latest time; past RULE_WINDOW_VISITORS the count stands still. */
#ifndef LINKBELL_ALERTS_RULE_WINDOW_H
#define LINKBELL_ALERTS_RULE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULE_WINDOW_RECENT 1024
#define RULE_WINDOW_STEPS 1024
#define RULE_WINDOW_VISITORS 1000000

struct rule_window_cell {
    int64_t ts_ms; /* of a step: where it begins */
    int64_t weight;
};
struct rule_window_cells {
    struct rule_window_cell *cells; /* owned; by ts, each once */
    uint32_t first;
    uint32_t count;
    uint32_t cap;
};
struct rule_window_crowd; /* visitors and when each was last there */

struct rule_window {
    int64_t step_ms;
    int64_t sum;
    struct rule_window_cells recent;
    struct rule_window_cells older; /* steps; all before recent */
    bool is_of_visitors;
    struct rule_window_crowd *crowd; /* owned; NULL until somebody came */
};

/* Allocates nothing. */
void rule_window_init(struct rule_window *window,
                      int64_t length_ms,
                      bool is_of_visitors);
void rule_window_deinit(struct rule_window *window);

/* The metric's value: a sum of weights, or the number of visitors. */
int64_t rule_window_value(const struct rule_window *window);
bool rule_window_is_empty(const struct rule_window *window);

/* Lets go what lies before oldest_ms, which never goes back but for
 * rule_window_clamp(). */
void rule_window_move(struct rule_window *window, int64_t oldest_ms);

/* One event; nothing when it lies before oldest_ms, to which the window was
 * moved.  visitor counts only in a window of visitors, weight only in others.
 * False: out of memory. */
bool rule_window_add(struct rule_window *window,
                     int64_t oldest_ms,
                     int64_t ts_ms,
                     int64_t weight,
                     int64_t visitor);

/* Takes an event that was added out again: it was erased.  A visitor stays when
 * there was a later event. */
void rule_window_take_out(struct rule_window *window,
                          int64_t ts_ms,
                          int64_t weight,
                          int64_t visitor);

/* The clock was set back: what lies ahead of now_ms counts at now_ms.  False:
 * out of memory. */
bool rule_window_clamp(struct rule_window *window, int64_t now_ms);

#endif
