/* v2_filter.h - filters of the stats dialect: parsed from JSON into a bounded
 * tree and asked of events. */
#ifndef LINKBELL_AGGREGATE_V2_FILTER_H
#define LINKBELL_AGGREGATE_V2_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "aggregate/v2_dimension.h"
#include "base/buf.h"
#include "base/err.h"

#define V2_FILTER_DEPTH 10
#define V2_FILTER_CLAUSES 200
#define V2_FILTER_BEHAVIOURS 32 /* has_done and has_not_done, all together */

struct v2_filter; /* what a list of filters says, joined by and */

/* Parses the list, whose texts stay borrowed.  is_case_kept: clauses on
 * utm_source, utm_medium and utm_campaign stay as they are, as the stored
 * values did; else they are folded.  LB_EINVAL: fault holds the dialect's text.
 * An empty list gives NULL: everything matches. */
LB_MUST_CHECK enum lb_err v2_filter_parse(const cJSON *list,
                                          bool is_case_kept,
                                          struct v2_filter **filter_out,
                                          struct lb_buf *fault);
void v2_filter_free(struct v2_filter *filter); /* NULL is fine */

/* Which clauses count. */
enum v2_filter_side {
    V2_FILTER_ALL,
    V2_FILTER_VIEW,   /* not those on link, goal, type and name */
    V2_FILTER_NO_GOAL /* not those on the goal */
};

/* What a filter is asked about. */
struct v2_filter_question {
    struct v2_event event;
    enum v2_filter_side side;
    const char *slug; /* on side VIEW: a link that stands for the view's own;
                         NULL: none */
    struct lb_buf *scratch;
};

/* Not for two threads at once (regular expressions). */
bool v2_filter_matches(const struct v2_filter *filter,
                       const struct v2_filter_question *question);

/* The bits (visit.marks) of the behaviours that an event fulfils: what
 * has_done asks of some event of the visit. */
uint32_t v2_filter_behaviours(const struct v2_filter *filter,
                              const struct v2_filter_question *question);

/* What the filter's clauses are about. */
struct v2_filter_traits {
    bool has_goal;
    bool has_link;
    bool has_page;
    bool has_bot;
    bool has_of_click; /* link, goal, type or name, outside of behaviours */
    bool has_behaviour;
    bool needs_pages; /* of the visit */
};
struct v2_filter_traits v2_filter_traits_of(const struct v2_filter *filter);

/* The clause ("Visit /blog/..." and its like) by which a view reaches a goal of
 * the filter; NULL: by none. */
const char *v2_filter_page_goal(const struct v2_filter *filter,
                                const struct v2_event *event);

#endif
