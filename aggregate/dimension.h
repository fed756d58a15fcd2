/* dimension.h - what an event can be broken down or filtered by.  Pure. */
#ifndef LINKBELL_AGGREGATE_DIMENSION_H
#define LINKBELL_AGGREGATE_DIMENSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "sql/entry.h"

enum dimension_kind {
    DIMENSION_TEXT, /* a text of the entry */
    DIMENSION_TYPE,
    DIMENSION_TRAFFIC,
    DIMENSION_QR,
    DIMENSION_SITE,
    DIMENSION_PROP, /* prop:KEY */
    DIMENSION_TIME  /* time:15m and its like */
};

struct dimension {
    enum dimension_kind kind;
    enum entry_text text; /* of DIMENSION_TEXT */
    bool is_of_click; /* belongs to the click or lead: link, type, name, qr */
    bool is_folded;   /* clauses are folded as the stored values are */
    int grain;        /* of DIMENSION_TIME: an lb_zone_grain */
    char name[80];    /* as asked for, "prop:plan" */
};

/* Finds a dimension by its name; false when there is none.  is_time_taken:
 * time:... may be one. */
bool dimension_find(const char *name,
                    bool is_time_taken,
                    struct dimension *dimension_out);

/* Value of an entry, NULL when it has none; site is the id of the entry's site.
 * A prop's text is put into scratch. */
const char *dimension_value(const struct dimension *dimension,
                            const struct entry *entry,
                            const char *site,
                            struct lb_buf *scratch);

/* The texts of an entry that its values are made of, as bits. */
uint32_t dimension_texts(const struct dimension *dimension);

/* Value of a property in an event's props (NULL: none) as text, in scratch;
 * NULL when it has none. */
const char *
dimension_prop(const char *key, const char *props, struct lb_buf *scratch);

/* All names, for hints; NULL-terminated. */
const char *const *dimension_names(void);

#endif
