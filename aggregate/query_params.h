/* query_params.h - the parameters of a question as text: names, ranges,
 * periods, lists. Shared by the stats route and exports. */
#ifndef LINKBELL_AGGREGATE_QUERY_PARAMS_H
#define LINKBELL_AGGREGATE_QUERY_PARAMS_H

#include "aggregate/query.h"
#include "aggregate/query_compare.h"
#include "base/http_request.h"
#include "sql/auth.h"

#define QUERY_PARAMS_SITES 1000

/* What was asked; query_params_deinit() frees it. */
struct query_params {
    struct query query;
    struct catalog *catalog; /* owned reference */
    struct filter *filter;   /* owned */
    int64_t *sites;          /* owned */
    char label[128];         /* "alice.bio", or "*" */
    size_t limit;
    size_t offset;
    bool is_csv;
    bool is_explained; /* the answer says what was read */
    bool is_by_days;   /* the range was given in days, not as instants */
    enum query_compare_kind compare;
    uint64_t hash; /* of all parameters but cursor */
    char traffic[16];
};

/* Reads the request's query; is_case_kept as filter_parse() takes it.  False:
 * an error was answered. */
bool query_params_read(struct lb_http_request *request,
                       bool is_case_kept,
                       struct query_params *params_out);
/* The same for a route that takes the parameters known (NULL-terminated): of
 * them site, from, to, period, tz, filter and traffic are read here, the others
 * by the caller. */
bool query_params_read_some(struct lb_http_request *request,
                            const char *const *known,
                            bool is_case_kept,
                            struct query_params *params_out);
/* The same for a route that takes site, from, to, period and tz alone. */
bool query_params_read_range(struct lb_http_request *request,
                             struct query_params *params_out);
void query_params_deinit(struct query_params *params);

/* A range of time as text: dates (days of the zone, both included) or instants,
 * or a period; NULL: not given. */
struct query_params_dates {
    const char *from;
    const char *to;
    const char *period;
};

/* *from_out is INT64_MIN without a start.  False: err says why. */
bool query_params_range(const struct query_params_dates *dates,
                        const struct lb_zone *zone,
                        int64_t now_ms,
                        int64_t *from_out,
                        int64_t *to_out,
                        struct lb_error *err);

/* Sites that the request names, or all that its token may read; the zone that
 * they share (UTC when they differ) unless tz names one.  False: an error was
 * answered. */
bool query_params_sites(struct lb_http_request *request,
                        struct query_params *params);

#endif
