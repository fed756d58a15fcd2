/* grouping.c - a tally's groups in one sealed segment. */
#include "aggregate/grouping.h"

#include <stdlib.h>
#include <string.h>

void grouping_deinit(struct grouping *grouping)
{
    free(grouping->local);
    free(grouping->groups);
    free(grouping->cells);
}

bool grouping_open(struct grouping *grouping, size_t space, size_t kind_count)
{
    grouping->kind_count = kind_count;
    grouping->group_count = 0;
    grouping->group_cap = 0; /* the cells are measured anew */
    if (space > grouping->local_cap) {
        free(grouping->local);
        grouping->local = malloc(space * sizeof(*grouping->local));
        grouping->local_cap = grouping->local == NULL ? 0 : space;
    }
    if (grouping->local == NULL) {
        return false;
    }
    memset(grouping->local, 0, space * sizeof(*grouping->local));
    return true;
}

static enum lb_err grow(struct grouping *grouping)
{
    size_t cap = grouping->group_cap == 0 ? 16 : grouping->group_cap * 2;
    uint32_t *groups = realloc(grouping->groups, cap * sizeof(*groups));
    uint32_t *cells;

    grouping->groups = groups == NULL ? grouping->groups : groups;
    cells =
        realloc(grouping->cells, cap * grouping->kind_count * sizeof(*cells));
    grouping->cells = cells == NULL ? grouping->cells : cells;
    if (groups == NULL || cells == NULL) {
        return LB_ENOMEM;
    }
    grouping->group_cap = cap;
    return LB_OK;
}

enum lb_err
grouping_add(struct grouping *grouping, size_t place, uint32_t group)
{
    if (grouping->group_count == grouping->group_cap &&
        grow(grouping) != LB_OK) {
        return LB_ENOMEM;
    }
    grouping->groups[grouping->group_count] = group;
    memset(grouping->cells + grouping->group_count * grouping->kind_count, 0,
           grouping->kind_count * sizeof(*grouping->cells));
    grouping->local[place] = (uint32_t)++grouping->group_count;
    return LB_OK;
}

static void fold_cells(struct grouping *grouping,
                       size_t group,
                       const struct segment_column *bits)
{
    const uint32_t *cells = grouping->cells + group * grouping->kind_count;
    struct rollup_counts counts = {0};
    int64_t without = 0;

    for (size_t kind = 0; kind < grouping->kind_count; kind++) {
        struct entry entry;

        if (cells[kind] != 0) {
            entry_set_bits(&entry, bits->numbers[kind / 2]);
            rollup_add_many(&counts, &entry, cells[kind]);
            without +=
                kind % 2 == 1 && entry.type == ENTRY_CLICK ? cells[kind] : 0;
        }
    }
    tally_add_counts(grouping->tally, grouping->groups[group], &counts,
                     without);
}

void grouping_fold(struct grouping *grouping, const struct segment_column *bits)
{
    for (size_t i = 0; i < grouping->group_count; i++) {
        fold_cells(grouping, i, bits);
    }
}
