/* click_id.c - the table of click identifiers. */
#include "ingest/click_id.h"

#include <string.h>

static const struct click_id rows[] = {
#include "ingest/tables/click_ids.inc"
};

const struct click_id *click_id_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strlen(rows[i].name) == len &&
            memcmp(rows[i].name, name, len) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}
