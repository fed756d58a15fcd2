/* stats_answer.h - an answered question as GET /v1/stats writes it.  Pure. */
#ifndef LINKBELL_AGGREGATE_STATS_ANSWER_H
#define LINKBELL_AGGREGATE_STATS_ANSWER_H

#include <stdint.h>

#include "aggregate/coverage_store.h"
#include "aggregate/query.h"
#include "aggregate/query_compare.h"
#include "aggregate/query_params.h"
#include "base/buf.h"

/* What an answer is made of; borrowed. */
struct stats_answer {
    const struct query_params *params;
    const struct query_result *result;
    struct query_compare *before; /* NULL: nothing to compare with */
    const struct coverage_store_list *coverage; /* what is incomplete */
    int64_t as_of_ms;
    int64_t min_n;     /* below it a rate is `_low_n` */
    const char *scope; /* the visitor period */
    int64_t took_ns;   /* to count */
};

/* The page of the answer that the parameters ask for. */
void stats_answer_write_json(const struct stats_answer *answer,
                             struct lb_buf *buf);
/* RFC 4180 with CRLF; the rows alone. */
void stats_answer_write_csv(const struct stats_answer *answer,
                            struct lb_buf *buf);

#endif
