/* facts.h - what a stored message says, for types that render it for people:
 * title, text, rows of names and values; and cutting and escaping texts to a
 * service's limits. */
#ifndef LINKBELL_ALERTS_FACTS_H
#define LINKBELL_ALERTS_FACTS_H

#include "alerts/destination.h"

#define FACTS_ROWS 12
#define FACTS_TITLE_BYTES 160

struct facts_row {
    const char *name;
    const char *value;
};

/* Texts are good until facts_free(). */
struct facts {
    cJSON *json;        /* owned; the message and its id, contact narrowed */
    const cJSON *data;  /* never NULL */
    const cJSON *event; /* NULL: none */
    const char *type;   /* "alert.fired" */
    const char *timestamp;
    char title[FACTS_TITLE_BYTES]; /* "New lead on alice.bio" */
    char alert[64];                /* the alert's id, or the message's */
    const char *summary;           /* one sentence */
    bool is_templated;             /* and it is a rule's or destination's
                                      own words */
    const char *url;               /* the dashboard's; NULL: none */
    const char *contact_name;      /* NULL: none */
    const char *contact_email;
    const char *campaign;
    const char *source;
    struct facts_row rows[FACTS_ROWS]; /* about the event, then the rule */
    size_t row_count;
};

/* LB_EFORMAT: the stored message is damaged.  What the destination does not
 * take of a contact is in no text. */
LB_MUST_CHECK enum lb_err facts_read(const struct destination *destination,
                                     const struct destination_message *message,
                                     struct facts *facts_out,
                                     struct lb_error *err);
void facts_free(struct facts *facts);
/* Removes what the destination does not take of a contact, from summary and
 * event, out of a parsed message. */
void facts_narrow(const struct destination *destination, cJSON *json);
/* With a `template` of the destination: puts its words in the summary's place,
 * out of a parsed message that was narrowed. */
void facts_reword(const struct destination *destination, cJSON *json);

/* What stands at a path of a message: "id" (the message's), "type",
 * "timestamp", else of its data ("event.contact.email").  NULL: nothing, null,
 * an empty text, or what has no place in a cell (lists and objects). */
const cJSON *facts_find(const struct facts *facts, const char *path);

/* The replacement of a character, or NULL where it stands for itself. */
typedef const char *(*facts_escape_fn)(char c);

/* For HTML; a line end becomes <br>. */
const char *facts_escape_html(char c);

/* Appends text, escaped, cut with an ellipsis so that no more than max_units
 * UTF-16 code units are appended (services count those or code points, which
 * are fewer). */
void facts_add(struct lb_buf *out,
               const char *text,
               size_t max_units,
               facts_escape_fn escape);
/* The same as a JSON string. */
void facts_add_json(struct lb_buf *out,
                    const char *text,
                    size_t max_units,
                    facts_escape_fn escape);
/* "Zoe, campaign spring" where somebody left a name, else the summary. */
void facts_add_text(struct lb_buf *out,
                    const struct facts *facts,
                    size_t max_units,
                    facts_escape_fn escape);
/* How many UTF-16 code units text has. */
size_t facts_units(const char *text);

#endif
