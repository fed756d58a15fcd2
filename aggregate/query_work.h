/* query_work.h - one question on its way: the groups so far, their keys, and
 * counting from the log.  For query*.c alone. */
#ifndef LINKBELL_AGGREGATE_QUERY_WORK_H
#define LINKBELL_AGGREGATE_QUERY_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/query.h"
#include "aggregate/query_exposure.h"
#include "aggregate/tally.h"
#include "aggregate/visits.h"
#include "base/buf.h"
#include "base/err.h"
#include "sql/dict.h"

#define QUERY_WORK_VALUE_BYTES 2100 /* of one dimension in a key */
#define QUERY_WORK_KEY_BYTES                                                   \
    (QUERY_DIMENSIONS * ((size_t)QUERY_WORK_VALUE_BYTES + 2))

#define QUERY_WORK_SITES 1024

struct query_work {
    struct query *query;
    struct db *db;
    struct query_result *result;
    struct lb_error *err;
    enum tally_wants wants;    /* of visitors, by the metrics */
    struct tally *rows;        /* owned; by all dimensions */
    struct tally *views;       /* owned; by the dimensions that a view has */
    struct tally *total;       /* owned; one group */
    struct tally *total_views; /* owned */
    struct dict_cache *cache;  /* of db */
    struct visits *visits;     /* owned; NULL unless they are asked for */
    bool has_too_many_visits;
    int64_t from_at_ms; /* of the part that is read; visits need more */
    int64_t to_at_ms;
    struct query_exposure *exposure; /* owned; likewise, of link_ctr */
    struct lb_buf scratch;
    bool is_split; /* views are counted apart: dimensions or filter are the
                      click's */
    bool has_click_dimension; /* link, name or qr: a view makes no row */
    int64_t bucket_from_ms;   /* the time bucket of the entry before */
    int64_t bucket_to_ms;
    /* Sites (number mod QUERY_WORK_SITES) of which the log showed a visitor
     * whose period is not the local day alone: their days don't add up. */
    bool is_spread[QUERY_WORK_SITES];
    int64_t day; /* of the entry before, in the query's zone */
    int64_t day_from_ms;
    int64_t day_to_ms;
    char key[QUERY_WORK_KEY_BYTES];
    char view_key[QUERY_WORK_KEY_BYTES];
};

/* NULL: out of memory. */
struct query_work *query_work_new(struct query *query,
                                  struct db *db,
                                  struct query_result *result,
                                  struct lb_error *err);
void query_work_free(struct query_work *work); /* NULL is fine */

/* Once the query's range is resolved. */
LB_MUST_CHECK enum lb_err query_work_begin(struct query_work *work);

/* Forgets what was counted. */
LB_MUST_CHECK enum lb_err query_work_reset(struct query_work *work);

/* Whether only the log can answer: a metric that nothing else holds. */
bool query_work_needs_log(const struct query_work *work);

/* Parts of a key, each V and its text or N, ended by a NUL; bytes written. */
size_t query_work_put_value(char *key, const char *value);
size_t query_work_put_time(struct query_work *work,
                           char *key,
                           int64_t at_ms,
                           int grain);
/* The key of the views that stand beside a row: without what a view has not.
 * ctx is the query. */
size_t
query_work_view_key(void *ctx, const char *key, size_t key_len, char *out);

/* Notes whether the entry's visitor period is the local day. */
void query_work_note_period(struct query_work *work, const struct entry *entry);

/* The key, in view_key, of a view at which a link was there. */
size_t query_work_link_key(struct query_work *work,
                           const struct entry *view,
                           const struct catalog_site *site,
                           const char *slug);

/* Counts the events of the sites in the log, from <= ts < to. */
LB_MUST_CHECK enum lb_err query_work_scan(struct query_work *work,
                                          const int64_t *sites,
                                          size_t site_count,
                                          int64_t from_at_ms,
                                          int64_t to_at_ms);

/* LB_OK, or that the client is gone or the time is over. */
LB_MUST_CHECK enum lb_err query_work_check(const struct query_work *work);

#endif
