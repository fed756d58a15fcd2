/* v2_answer.h - an answered question as POST /api/v2/query writes it.  Pure. */
#ifndef LINKBELL_AGGREGATE_V2_ANSWER_H
#define LINKBELL_AGGREGATE_V2_ANSWER_H

#include <stdint.h>

#include "aggregate/v2_count.h"
#include "aggregate/v2_request.h"
#include "base/buf.h"

/* as_of_ms: up to which receive time it is complete. */
void v2_answer_write(const struct v2_request *request,
                     const struct v2_result *result,
                     int64_t as_of_ms,
                     struct lb_buf *buf);

#endif
