/* groups.h - what rules know of their groups, in memory: the row of each (its
 * state) and, for thresholds, its window.  A rule keeps GROUPS_PER_SITE groups
 * a site, the one longest without an event out first; all rules together keep
 * GROUPS_MAX.  What is let go has its row, if it has one, on disk. */
#ifndef LINKBELL_ALERTS_GROUPS_H
#define LINKBELL_ALERTS_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alerts/alert_store.h"
#include "alerts/baseline.h"
#include "alerts/ctr.h"
#include "alerts/rule.h"
#include "alerts/rule_window.h"

#define GROUPS_PER_SITE 10000
#define GROUPS_MAX 100000

struct groups;
struct groups_shelf; /* a rule's groups of a site */

/* Of ctr: the window at hand and the days before it. */
struct group_rate {
    struct ctr_window window; /* empty: not looked at yet */
    struct ctr_counts before;
    struct ctr_counts now;
    struct ctr_counts pending; /* of now, and not saved yet */
};

struct group {
    struct alert_store_group row; /* row.group is key */
    struct rule_window window;    /* of thresholds */
    int64_t began_at_ms;          /* of thresholds: its first event; 0: none */
    int64_t last_at_ms; /* of rules for silence: the last sign since it rang;
                           0: none */
    int64_t learnt;     /* of milestones: what the log counts */
    struct group_rate rate;
    struct baseline baseline; /* of spike and drop; deinit */
    struct ctr_slots slots; /* owned; of aligned windows: what a rule learns */
    bool is_loaded;         /* the row says what stands on disk */
    bool is_changed;        /* the row is to be saved; it stays till then */
    bool is_waiting;        /* for time to pass */

    /* groups.c's own. */
    struct group *next_same_hash;
    struct group *newer, *older;             /* of all */
    struct group *newer_there, *older_there; /* of the shelf */
    struct group *next_changed;
    struct groups_shelf *shelf;
    uint64_t hash;
    char key[];
};

struct groups *groups_new(void); /* NULL: out of memory */
void groups_free(struct groups *groups);
void groups_clear(struct groups *groups);

/* NULL: it is not here. */
struct group *
groups_find(struct groups *groups, int64_t rule, int64_t site, const char *key);
/* Finds or makes the group and makes it the newest; the one longest not asked
 * for may have to go, but none that is changed.  A new one is not loaded and
 * has the rule's empty window.  NULL: out of memory. */
struct group *groups_get(struct groups *groups,
                         const struct rule *rule,
                         int64_t site,
                         const char *key);
void groups_drop(struct groups *groups, struct group *group);
void groups_drop_rule(struct groups *groups, int64_t rule);

/* Moves the groups of a rule from one to the other, in order, as the newest.
 * Those that the other had are dropped. */
enum lb_err groups_move(struct groups *from, struct groups *to, int64_t rule);

/* From the one longest without an event on; NULL at the end.  The group given
 * last may be dropped meanwhile, when next was taken before. */
struct group *groups_oldest(const struct groups *groups);
struct group *groups_next(const struct group *group);
size_t groups_count(const struct groups *groups);

/* The group's row is to be saved. */
void groups_note_change(struct groups *groups, struct group *group);
/* Hands out rows that are to be saved, at most max, and takes them for saved;
 * returns how many. */
size_t groups_take_changed(struct groups *groups,
                           struct alert_store_group **rows_out,
                           size_t max);

/* How many of them wait for time to pass. */
void groups_set_waiting(struct groups *groups,
                        struct group *group,
                        bool is_waiting);
size_t groups_waiting(const struct groups *groups);

#endif
