/* object_draft.h - a site, link, rule or destination as a client sends it,
 * checked by what the file's checks say. */
#ifndef LINKBELL_SQL_OBJECT_DRAFT_H
#define LINKBELL_SQL_OBJECT_DRAFT_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "sql/apply.h"

enum object_kind { OBJECT_SITE, OBJECT_LINK, OBJECT_RULE, OBJECT_DESTINATION };
#define OBJECT_KIND_COUNT 4

#define OBJECT_ID_BYTES 160
#define OBJECT_FIELD_BYTES 96
#define OBJECT_TEXT_BYTES 300

/* What is wrong, and where: "links.0.url". */
struct object_fault {
    const char *code; /* "invalid", or "bad_url" */
    char field[OBJECT_FIELD_BYTES];
    char text[OBJECT_TEXT_BYTES];
};

/* Checks body as an object of kind beside what stands in the catalog.  False:
 * *fault_out says why. */
bool object_draft_check(enum object_kind kind,
                        const cJSON *body,
                        const struct catalog *catalog,
                        const struct apply_kinds *kinds,
                        struct object_fault *fault_out);

#endif
