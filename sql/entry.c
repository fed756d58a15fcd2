/* entry.c - the words for types and traffic classes. */
#include "sql/entry.h"

#include <stddef.h>
#include <string.h>

static const char *const type_names[ENTRY_TYPE_COUNT] = {"view", "click",
                                                         "lead", "conversion"};
static const char *const traffic_names[ENTRY_TRAFFIC_COUNT] = {
    "human", "preview", "prefetch", "bot"};

const char *entry_type_name(enum entry_type type)
{
    return type_names[type];
}

const char *entry_traffic_name(enum entry_traffic traffic)
{
    return traffic_names[traffic];
}

bool entry_type_from_name(const char *name, enum entry_type *type_out)
{
    for (int i = 0; i < ENTRY_TYPE_COUNT; i++) {
        if (strcmp(name, type_names[i]) == 0) {
            *type_out = (enum entry_type)i;
            return true;
        }
    }
    return false;
}

bool entry_traffic_from_name(const char *name, enum entry_traffic *traffic_out)
{
    for (int i = 0; i < ENTRY_TRAFFIC_COUNT; i++) {
        if (strcmp(name, traffic_names[i]) == 0) {
            *traffic_out = (enum entry_traffic)i;
            return true;
        }
    }
    return false;
}
