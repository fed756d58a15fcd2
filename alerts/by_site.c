/* by_site.c - which rules may concern an event of a site and type. */
#include "alerts/by_site.h"

#include <stdlib.h>

struct by_site {
    const struct ruleset *set;
    const size_t *candidates;
    size_t candidate_count;
    struct by_site_list none;   /* of a site that is not there (any more) */
    struct by_site_list *lists; /* owned; by site, then type */
};

struct by_site *
by_site_new(const struct ruleset *set, const size_t *candidates, size_t count)
{
    struct by_site *by_site = calloc(1, sizeof(*by_site));

    if (by_site == NULL) {
        return NULL;
    }
    by_site->set = set;
    by_site->candidates = candidates;
    by_site->candidate_count = count;
    by_site->lists =
        calloc((set->site_max + 1) * ENTRY_TYPE_COUNT, sizeof(*by_site->lists));
    if (by_site->lists == NULL) {
        free(by_site);
        return NULL;
    }
    return by_site;
}

void by_site_free(struct by_site *by_site)
{
    if (by_site == NULL) {
        return;
    }
    for (size_t i = 0; i < (by_site->set->site_max + 1) * ENTRY_TYPE_COUNT;
         i++) {
        free((void *)(uintptr_t)by_site->lists[i].places);
    }
    free(by_site->lists);
    free(by_site);
}

static bool make_list(const struct by_site *by_site,
                      int64_t site,
                      enum entry_type type,
                      struct by_site_list *list)
{
    uint32_t *places =
        calloc(by_site->candidate_count + 1, sizeof(*list->places));

    if (places == NULL) {
        return false;
    }
    list->places = places;
    for (size_t i = 0; i < by_site->candidate_count; i++) {
        size_t place = by_site->candidates[i];
        const struct ruleset_rule *row = &by_site->set->rules[place];

        if ((row->rule.types & 1u << type) != 0 &&
            ruleset_covers(by_site->set, row, site)) {
            places[list->count++] = (uint32_t)place;
        }
    }
    return true;
}

const struct by_site_list *
by_site_get(struct by_site *by_site, int64_t site, enum entry_type type)
{
    struct by_site_list *list;

    if (ruleset_site(by_site->set, site) == NULL) {
        return &by_site->none;
    }
    list = &by_site->lists[(size_t)site * ENTRY_TYPE_COUNT + (size_t)type];
    if (list->places == NULL && !make_list(by_site, site, type, list)) {
        return NULL;
    }
    return list;
}
