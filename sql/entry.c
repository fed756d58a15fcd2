/* entry.c - what an event is in one number, and the words for it. */
#include "sql/entry.h"

#include <stddef.h>
#include <string.h>

#define BIT_TRAFFIC 2
#define BIT_DOUBLE_TAP 4
#define BIT_ORPHAN 5
#define BIT_QR 6
#define BIT_SILENT 7
#define BIT_VISIT_START 8
#define BIT_PASSIVE 9

static const char *const type_names[ENTRY_TYPE_COUNT] = {"view", "click",
                                                         "lead", "conversion"};
static const char *const traffic_names[ENTRY_TRAFFIC_COUNT] = {
    "human", "preview", "prefetch", "bot"};

int64_t entry_bits(const struct entry *entry)
{
    return (int64_t)entry->type | (int64_t)entry->traffic << BIT_TRAFFIC |
           (int64_t)entry->is_double_tap << BIT_DOUBLE_TAP |
           (int64_t)entry->is_orphan << BIT_ORPHAN |
           (int64_t)entry->is_qr << BIT_QR |
           (int64_t)entry->is_silent << BIT_SILENT |
           (int64_t)entry->is_visit_start << BIT_VISIT_START |
           (int64_t)entry->is_passive << BIT_PASSIVE;
}

void entry_set_bits(struct entry *entry, int64_t bits)
{
    entry->type = (enum entry_type)(bits & 3);
    entry->traffic = (enum entry_traffic)(bits >> BIT_TRAFFIC & 3);
    entry->is_double_tap = (bits >> BIT_DOUBLE_TAP & 1) != 0;
    entry->is_orphan = (bits >> BIT_ORPHAN & 1) != 0;
    entry->is_qr = (bits >> BIT_QR & 1) != 0;
    entry->is_silent = (bits >> BIT_SILENT & 1) != 0;
    entry->is_visit_start = (bits >> BIT_VISIT_START & 1) != 0;
    entry->is_passive = (bits >> BIT_PASSIVE & 1) != 0;
}

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
