/* click_id.h - click identifiers: URL parameters that advertising and mail
 * systems add.  Only the parameter's name is ever kept; its value identifies a
 * person.  The table is tables/click_ids.inc; its order is the order of
 * preference. */
#ifndef LINKBELL_INGEST_CLICK_ID_H
#define LINKBELL_INGEST_CLICK_ID_H

#include <stddef.h>

enum click_id_kind {
    CLICK_ID_PAID,
    CLICK_ID_DISPLAY,
    CLICK_ID_EMAIL,
    CLICK_ID_AFFILIATE,
    CLICK_ID_NONE /* on unpaid links too, proves nothing about payment */
};

struct click_id {
    const char *name;   /* folded */
    const char *source; /* name of a source; NULL when it names none */
    enum click_id_kind kind;
};

/* The row of a folded parameter name; NULL when it is none.  Static; rows
 * compare by address, the lower one is preferred. */
const struct click_id *click_id_find(const char *name, size_t len);

#endif
