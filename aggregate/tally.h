/* tally.h - exact counting by group: events, and distinct visitors with their
 * first view and last click.  Entries may come in any order of ts.  Pure;
 * bounded. */
#ifndef LINKBELL_AGGREGATE_TALLY_H
#define LINKBELL_AGGREGATE_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/rollup.h"
#include "base/err.h"
#include "sql/entry.h"

struct tally_group {
    const char *key; /* as given, key_len bytes */
    size_t key_len;
    struct rollup_counts counts;
    int64_t visitors; /* from here: after tally_finish() */
    int64_t viewers;
    int64_t clickers;
    int64_t viewers_clicked; /* at or after their first view */
    int64_t visits;          /* from here at any time; tally_add_in_visit() */
    int64_t bounces;
    int64_t visit_ms; /* sum of the visits' lengths */
    int64_t clicks_without_visitor;
    int64_t amount_hundredths;
    char currency[4]; /* "" none, "*" more than one */
};

struct tally;

/* What is asked of visitors: nothing; how many there are and how many clicked;
 * also who clicked after a view, which needs their times, and visits. */
enum tally_wants { TALLY_COUNTS, TALLY_VISITORS, TALLY_ALL };

struct tally *
tally_new(size_t max_groups); /* of TALLY_ALL; NULL: out of memory */
struct tally *tally_new_of(size_t max_groups, enum tally_wants wants);
void tally_free(struct tally *tally);

/* Counts an entry in the group of key.  LB_ELIMIT past max_groups, LB_ENOMEM.
 */
LB_MUST_CHECK enum lb_err tally_add(struct tally *tally,
                                    const char *key,
                                    size_t key_len,
                                    const struct entry *entry);

/* The visit of an entry (visits.h). */
struct tally_visit {
    uint32_t number; /* from 1, never falls within a visitor's visits of one
                        kind; 0: none */
    bool is_bounce;
    int64_t length_ms;
};

/* As tally_add(), and counts the visit in the group, once. */
LB_MUST_CHECK enum lb_err tally_add_in_visit(struct tally *tally,
                                             const char *key,
                                             size_t key_len,
                                             const struct entry *entry,
                                             const struct tally_visit *visit);

/* --- of many events, for who counts them by column ------------------------ */

/* The number of key's group, made when it is new. */
LB_MUST_CHECK enum lb_err tally_group_of(struct tally *tally,
                                         const char *key,
                                         size_t key_len,
                                         uint32_t *group_out);
/* Counts what tally_add() would of each event but its visitor and amount. */
void tally_add_counts(struct tally *tally,
                      uint32_t group,
                      const struct rollup_counts *counts,
                      int64_t clicks_without_visitor);
void tally_add_amount(struct tally *tally,
                      uint32_t group,
                      int64_t hundredths,
                      const char *currency);
/* Of entry only site, visitor, visitor_day, type and ts_at_ms are looked at. */
LB_MUST_CHECK enum lb_err tally_add_visitor(struct tally *tally,
                                            uint32_t group,
                                            const struct entry *entry);

/* Adds sums that were counted elsewhere (rollups) to the group of key. */
LB_MUST_CHECK enum lb_err tally_merge(struct tally *tally,
                                      const struct tally_group *sums);

/* Counts the visitors.  With views not NULL, first views are looked up there,
 * in the group that view_key gives for a group of tally: views belong to fewer
 * dimensions. */
void tally_finish(
    struct tally *tally,
    struct tally *views,
    size_t (*view_key)(void *ctx, const char *key, size_t key_len, char *out),
    void *ctx);

size_t tally_bytes(const struct tally *tally); /* memory held */
size_t tally_count(const struct tally *tally);
const struct tally_group *tally_at(const struct tally *tally, size_t index);
const struct tally_group *
tally_find(const struct tally *tally, const char *key, size_t key_len);

#endif
