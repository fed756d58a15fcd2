/* answers.h - every way of asking the numbers: one place that opens and closes
 * them all. */
#ifndef LINKBELL_AGGREGATE_ANSWERS_H
#define LINKBELL_AGGREGATE_ANSWERS_H

#include "aggregate/day_builder.h"
#include "base/config.h"
#include "base/err.h"
#include "base/http_server.h"
#include "sql/alert_feed.h"
#include "sql/auth.h"
#include "sql/cursor.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct answers;

/* What they are made of; borrowed. */
struct answer_parts {
    struct auth *auth;
    struct pool *readers;
    struct writer *writer;
    struct cursor *cursor;
    struct day_builder *days;
    alert_feed_fn alerts;
};

/* Adds the routes to server.  On an error what was made is in *answers_out, for
 * answers_free(). */
LB_MUST_CHECK enum lb_err answers_new(struct lb_http_server *server,
                                      const struct answer_parts *parts,
                                      const struct lb_config *config,
                                      struct answers **answers_out,
                                      struct lb_error *err);
void answers_set_config(struct answers *answers,
                        const struct lb_config *config);
void answers_free(struct answers *answers); /* NULL is fine */

#endif
