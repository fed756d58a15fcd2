/* filter.h - filter expressions such as
 *     utm_source == newsletter and not (country == [FR, BE])
 * parsed into a bounded tree and asked of entries.  Pure. */
#ifndef LINKBELL_AGGREGATE_FILTER_H
#define LINKBELL_AGGREGATE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/dimension.h"
#include "base/buf.h"
#include "base/err.h"
#include "sql/entry.h"

#define FILTER_DEPTH 32    /* of brackets and not */
#define FILTER_CLAUSES 200 /* comparisons and values, all together */
#define FILTER_BYTES 8192

struct filter;

/* Parses text.  is_case_kept: clauses on utm_source, utm_medium and
 * utm_campaign stay as they are, as the stored values did
 * (attribution.utm_case); else they are folded.  LB_EINVAL: err says "at
 * character N: what is wrong and what may stand there".  An empty text gives
 * NULL: everything matches. */
LB_MUST_CHECK enum lb_err filter_parse(const char *text,
                                       bool is_case_kept,
                                       struct filter **filter_out,
                                       struct lb_error *err);
void filter_free(struct filter *filter); /* NULL is fine */

/* Whether an entry of the site matches.  is_view_side leaves out the clauses on
 * what belongs to a click or lead (link, type, name, qr). */
bool filter_matches(const struct filter *filter,
                    const struct entry *entry,
                    const char *site,
                    bool is_view_side,
                    struct lb_buf *scratch);

/* Whether a click on the link would match, were it where the view is: the
 * clauses on type, name and qr are left out. */
bool filter_matches_link(const struct filter *filter,
                         const struct entry *view,
                         const char *site,
                         const char *slug,
                         struct lb_buf *scratch);

/* --- asked of many rows at once ------------------------------------------- */

/* What a clause, or a whole filter, says of a row. */
enum filter_verdict {
    FILTER_NO = 0,
    FILTER_YES = 1,
    FILTER_LEFT_OUT = 2 /* of the click, where the view side is asked */
};

/* The clauses are numbered from 0 as they stand. */
size_t filter_clause_count(const struct filter *filter);
const struct dimension *filter_clause_dimension(const struct filter *filter,
                                                size_t clause);
/* The clause, and whether it holds for a value; NULL: the row has none. */
const struct filter *filter_clause(const struct filter *filter, size_t clause);
bool filter_clause_holds(const struct filter *clause, const char *value);
/* The same for the texts of a segment's dictionary: the first is NULL, the
 * others lie in memory one behind the other, each with a NUL at its end. */
void filter_clause_judge(const struct filter *clause,
                         const char *const *texts,
                         size_t count,
                         uint8_t *verdicts_out);
/* Whether no row can match when the clause holds for none of their values. */
bool filter_needs_clause(const struct filter *filter, size_t clause);

/* The verdict on each of count rows: verdicts[clause] has them for a clause.
 * room: FILTER_ROOM times count bytes. */
#define FILTER_ROOM (2 * FILTER_DEPTH + 2)
void filter_judge(const struct filter *filter,
                  bool is_view_side,
                  const uint8_t *const *verdicts,
                  size_t count,
                  uint8_t *room,
                  uint8_t *verdicts_out);

/* Whether the filter has a clause on link, type, name or qr. */
bool filter_is_of_click(const struct filter *filter);

#endif
