/* stream.h - a destination's stream of events: which of the log's events it
 * takes, where the next batch ends, and the rows of a batch that was planned.
 * Reads the log; for threads of readers.
 *
 * A batch is kept as a message without its rows: the range of log numbers and
 * what the stream takes.  Rows are read again for each attempt, so they are the
 * same but for what was erased. */
#ifndef LINKBELL_ALERTS_STREAM_H
#define LINKBELL_ALERTS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "alerts/destination.h"
#include "base/config.h"
#include "base/err.h"
#include "base/yaml.h"
#include "sql/catalog.h"
#include "sql/db.h"

#define STREAM_ROWS 1000 /* of a batch, unless max_rows is set */
#define STREAM_WAIT_MS 5000
#define STREAM_ID_BYTES 96
#define STREAM_ID_MARK "ev_" /* what ids of batches begin with */

/* Faults of the key `stream` of a destination of the type. */
void stream_check(const struct lb_yaml *destination,
                  const struct destination_type *type,
                  struct lb_config_faults *faults);

/* Whether the destination has a stream. */
bool stream_is_there(const cJSON *destination);

struct stream_plan {
    int64_t planned_seq;  /* what lies up to it need not be looked at again */
    int64_t next_look_ms; /* wall; when a batch may be ready */
    bool has_batch;
    char id[STREAM_ID_BYTES];
    struct lb_buf body; /* the message; the caller's */
};
/* What is planned, and from what. */
struct stream_order {
    struct db *db;
    struct catalog_holder *holder;
    const cJSON *destination;
    int64_t now_ms;    /* wall */
    bool is_case_kept; /* attribution.utm_case; as filters have it */
};
/* Plans the batch that follows planned_seq (-1: the stream begins), if one is
 * ready: full, or its oldest event waited for max_wait. */
LB_MUST_CHECK enum lb_err stream_make_plan(const struct stream_order *order,
                                           int64_t planned_seq,
                                           struct stream_plan *plan_out,
                                           struct lb_error *err);

/* The first half of a batch's range; body is the message without rows.
 * part_out->has_batch is false where the range is of one number. */
LB_MUST_CHECK enum lb_err stream_halve(const cJSON *destination,
                                       const char *body,
                                       struct stream_plan *part_out,
                                       struct lb_error *err);

/* The log number of a row; 0: it has none. */
int64_t stream_row_seq(const char *line);

/* Where rows are read from, and for whom. */
struct stream_source {
    struct db *db;
    const struct catalog *catalog;
    const cJSON *destination;
    bool is_case_kept; /* attribution.utm_case */
};
/* Replaces *body (owned) by itself, a newline, and a line for each row; an
 * empty line stands before rows of another place, for types that are by place.
 */
LB_MUST_CHECK enum lb_err stream_add_rows(const struct stream_source *source,
                                          char **body,
                                          struct lb_error *err);

#endif
