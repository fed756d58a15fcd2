/* day.h - one local day of a site, counted: what each value of a dimension came
 * to, by traffic class, and its form in the database.  Pure.
 *
 * A BLOB is: version (1), flags, then rows by value and class.  A row is a head
 * (class in bits 0-1, 4: has a value, 8: has a currency), the value's text and
 * a NUL, a varint that says which figures follow, and these as varints (LEB128;
 * the amount zigzag), then the currency's three letters.  A BLOB without the
 * flag for visits was written before they were counted. */
#ifndef LINKBELL_AGGREGATE_DAY_H
#define LINKBELL_AGGREGATE_DAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/day_values.h"
#include "aggregate/dimension.h"
#include "aggregate/tally.h"
#include "base/buf.h"
#include "base/err.h"
#include "sql/entry.h"

#define DAY_VALUES 50000 /* of one dimension; with more there is no BLOB */
#define DAY_BLOB_BYTES ((size_t)16 * 1024 * 1024)

/* Stored numbers: never renumber. */
enum day_dimension {
    DAY_TOTAL = 0, /* no dimension: one row a traffic class */
    DAY_LINK,
    DAY_PAGE,
    DAY_HOST,
    DAY_SOURCE,
    DAY_CHANNEL,
    DAY_REFERRER,
    DAY_UTM_SOURCE,
    DAY_UTM_MEDIUM,
    DAY_UTM_CAMPAIGN,
    DAY_UTM_TERM,
    DAY_UTM_CONTENT,
    DAY_COUNTRY,
    DAY_REGION,
    DAY_CITY,
    DAY_DEVICE,
    DAY_BROWSER,
    DAY_OS,
    DAY_NAME,
    DAY_REASON,
    DAY_CLICK_ID,
    DAY_TYPE,
    DAY_QR
};
#define DAY_DIMENSION_COUNT 23
#define DAY_ALL_DIMENSIONS ((1u << DAY_DIMENSION_COUNT) - 1)

/* The interface's name; "total" for DAY_TOTAL. */
const char *day_dimension_name(enum day_dimension dimension);
/* The texts of entries that days look at, as bits (log_store.h). */
uint32_t day_texts(void);

/* Whether days are kept by this dimension. */
bool day_dimension_find(const struct dimension *dimension,
                        enum day_dimension *dimension_out);

struct day; /* counters of one site's day */

/* The values of days that are counted together; NULL: out of memory. */
struct day_values *day_values(void);

/* mask: the dimensions counted, 1u << enum day_dimension or-ed; the total is
 * always.  values is borrowed.  NULL: out of memory. */
struct day *
day_new(struct day_values *values, int64_t local_day, unsigned mask);
void day_free(struct day *day); /* NULL is fine */
/* Takes an event; they come in log order. */
LB_MUST_CHECK enum lb_err day_add(struct day *day, const struct entry *entry);
/* Memory held: by its events, and by what they came to. */
size_t day_event_bytes(const struct day *day);
size_t day_sum_bytes(const struct day *day);
/* Gives up a dimension that is counted another time. */
void day_drop(struct day *day, enum day_dimension dimension);
/* Gives up dimensions with more than DAY_VALUES values so far. */
LB_MUST_CHECK enum lb_err day_check_values(struct day *day);
/* Events that are held, by their visitors. */
size_t day_visitor_events(const struct day *day);
/* Gives up what is counted, the total as well; nothing is taken any more. */
void day_give_up(struct day *day);

/* What is too much at once is counted in parts: of one part are the visitors
 * whose hash leaves part when divided by parts.  All events come once for each
 * part, then day_finish(). */
void day_set_part(struct day *day, uint64_t part, uint64_t parts);
/* Sums up what came, of this part. */
LB_MUST_CHECK enum lb_err day_finish(struct day *day);

/* Appends the dimension's BLOB to out.  LB_ELIMIT: more than DAY_VALUES. */
LB_MUST_CHECK enum lb_err
day_encode(struct day *day, enum day_dimension dimension, struct lb_buf *out);

struct day_row {
    const char *value; /* NULL: without; points into the BLOB */
    enum entry_traffic traffic;
    struct tally_group sums; /* without its key */
};

struct day_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool is_additive; /* each visitor's period is this very day */
    bool has_visits;  /* else they were not counted */
    bool is_damaged;
};

/* LB_EFORMAT: not such a BLOB. */
LB_MUST_CHECK enum lb_err
day_reader_init(struct day_reader *reader, const void *bytes, size_t len);
/* Whether no row is damaged; none is taken. */
bool day_reader_is_sound(const struct day_reader *reader);
/* False at the end, and when is_damaged. */
bool day_reader_next(struct day_reader *reader, struct day_row *row_out);

#endif
