/* v2_dimension.h - dimensions of the stats dialect (POST /api/v2/query), and
 * what an event shows under them.  Pure. */
#ifndef LINKBELL_AGGREGATE_V2_DIMENSION_H
#define LINKBELL_AGGREGATE_V2_DIMENSION_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregate/visits.h"
#include "base/buf.h"
#include "base/zone.h"
#include "sql/entry.h"

enum v2_dimension_kind {
    V2_DIMENSION_TEXT, /* a text of the event, or what stands for none */
    V2_DIMENSION_LINK,
    V2_DIMENSION_NAME,
    V2_DIMENSION_GOAL,
    V2_DIMENSION_PROP,
    V2_DIMENSION_TYPE,
    V2_DIMENSION_BOT,
    V2_DIMENSION_BOT_REASON,
    V2_DIMENSION_COUNTRY_NAME,
    V2_DIMENSION_ENTRY_PAGE,
    V2_DIMENSION_EXIT_PAGE,
    V2_DIMENSION_ENTRY_HOST,
    V2_DIMENSION_EXIT_HOST,
    V2_DIMENSION_TIME,
    V2_DIMENSION_TIME_AUTO /* as fits the range; v2_dimension_set_grain() */
};

struct v2_dimension {
    enum v2_dimension_kind kind;
    enum entry_text text;
    const char *empty;   /* shown where there is no value */
    const char *name;    /* as asked for; borrowed */
    int grain;           /* of time: an lb_zone_grain */
    bool is_event;       /* event:... */
    bool is_of_click;    /* a view has none: link, goal, type, name */
    bool is_folded;      /* clauses are folded as the stored values are */
    bool needs_pages;    /* pages of the visit */
    bool is_whole_visit; /* of session metrics: event:page, event:hostname */
};

/* An event and where it stands. */
struct v2_event {
    const struct entry *entry;
    const struct visit *visit;       /* NULL: none, or not asked for */
    const struct visit_pages *pages; /* likewise */
};

/* False when there is none of that name.  name stays borrowed. */
bool v2_dimension_find(const char *name, struct v2_dimension *dimension_out);

/* The grain of "time" that fits a range, and its name. */
void v2_dimension_set_grain(struct v2_dimension *dimension,
                            int64_t from_at_ms,
                            int64_t to_at_ms);

/* What an event shows; NULL: it forms no row.  Good until the next call with
 * that scratch.  Not for dimensions of time. */
const char *v2_dimension_value(const struct v2_dimension *dimension,
                               const struct v2_event *event,
                               struct lb_buf *scratch);

/* "2026-03-02 09:00:00" or "2026-03-02" and NUL: the bucket of an instant.  A
 * range that begins within a week has its first day as that week's label. */
#define V2_DIMENSION_LABEL_BYTES 20
struct v2_dimension_span {
    const struct lb_zone *zone;
    int64_t from_at_ms; /* of the range */
};
void v2_dimension_label(const struct v2_dimension *dimension,
                        const struct v2_dimension_span *span,
                        int64_t at_ms,
                        char out[V2_DIMENSION_LABEL_BYTES]);

#endif
