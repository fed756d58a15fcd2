/* v2_work.h - one question of the stats dialect on its way: what is counted so
 * far, and the keys of its groups.  For v2_*.c alone. */
#ifndef LINKBELL_AGGREGATE_V2_WORK_H
#define LINKBELL_AGGREGATE_V2_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/query_work.h"
#include "aggregate/tally.h"
#include "aggregate/v2_attention.h"
#include "aggregate/v2_count.h"
#include "aggregate/v2_exposure.h"
#include "aggregate/v2_request.h"
#include "aggregate/visits.h"
#include "base/buf.h"
#include "sql/dict.h"

/* Groups, and those of the whole query. */
struct v2_work_tallies {
    struct tally *rows;
    struct tally *total;
};

/* The bucket of time that was labelled last. */
struct v2_work_label {
    int64_t from_at_ms;
    int64_t to_at_ms;
    char text[V2_DIMENSION_LABEL_BYTES];
};

struct v2_work {
    struct v2_request *request;
    const struct v2_count_frame *frame;
    struct lb_error *err;
    int64_t upto_seq;
    unsigned traffic;             /* bits of enum entry_traffic */
    struct v2_work_tallies own;   /* all owned */
    struct v2_work_tallies views; /* under what a view has; NULL: own ones do */
    struct v2_work_tallies goalless; /* but for the goal; NULL: not asked for */
    struct v2_work_tallies goals;    /* amounts of goals; likewise */
    struct v2_exposure *exposure;    /* owned; likewise */
    struct v2_attention *attention;
    struct visits *visits;
    bool has_whole_visits;
    struct dict_cache *cache; /* owned */
    struct lb_arena *arena;   /* owned; for one engagement */
    struct lb_buf scratch;
    struct v2_work_label labels[V2_REQUEST_DIMENSIONS];
    int64_t first_period; /* of the visitors counted */
    int64_t last_period;
    const struct v2_event *viewed; /* the view whose exposures are counted */
    char key[QUERY_WORK_KEY_BYTES];
    char other_key[QUERY_WORK_KEY_BYTES];
};

/* NULL: out of memory. */
struct v2_work *v2_work_new(struct v2_request *request,
                            const struct v2_count_frame *frame,
                            struct lb_error *err);
void v2_work_free(struct v2_work *work); /* NULL is fine */

/* Counts all events of the request's range. */
LB_MUST_CHECK enum lb_err v2_work_scan(struct v2_work *work);

/* Counts the visitors; nothing is added any more. */
void v2_work_finish(struct v2_work *work);

/* From the key of a row that of the views beside it (keeps_link: but for the
 * link), or without its goal; bytes written. */
size_t v2_work_view_key(void *request, const char *key, size_t len, char *out);
size_t v2_work_link_key(const struct v2_request *request,
                        const char *key,
                        size_t len,
                        char *out);
size_t v2_work_goalless_key(const struct v2_request *request,
                            const char *key,
                            size_t len,
                            char *out);

#endif
