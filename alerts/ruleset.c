/* ruleset.c - the rules of a catalog's snapshot. */
#include "alerts/ruleset.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void read_rules(struct ruleset *set, bool folds_utm)
{
    size_t count = catalog_object_count(set->catalog, CATALOG_RULE);

    for (size_t i = 0; i < count; i++) {
        const struct catalog_object *object =
            catalog_object_at(set->catalog, CATALOG_RULE, i);
        struct ruleset_rule *row = &set->rules[set->count];
        struct lb_error fault;

        if (rule_read(object->body, &row->rule, &fault) != LB_OK) {
            lb_log_limited(LB_LOG_WARN, "rule_ignored", "rule=%s text=\"%s\"",
                           object->id, fault.text);
            continue;
        }
        row->rule.number = object->number;
        row->rule.created_at_ms = object->created_at_ms;
        row->rule.folds_utm = folds_utm;
        row->needs_intent = rule_needs_intent(&row->rule);
        set->count++;
    }
}

/* Few, and rare: insertion sort. */
static void sort_by_number(struct ruleset *set)
{
    for (size_t i = 0; i < set->count; i++) {
        size_t at = i;

        while (at > 0 && set->rules[set->by_number[at - 1]].rule.number >
                             set->rules[i].rule.number) {
            set->by_number[at] = set->by_number[at - 1];
            at--;
        }
        set->by_number[at] = i;
    }
}

static void note_site(struct ruleset *set, const struct catalog_site *site)
{
    set->sites[site->number] = site;
    for (size_t i = 0; i < set->count; i++) {
        size_t bit = i * set->row_bits + (size_t)site->number;

        if (rule_covers(&set->rules[i].rule, site->id)) {
            set->covers[bit / 8] |= (uint8_t)(1u << bit % 8);
        }
    }
}

enum lb_err ruleset_new(struct catalog *catalog,
                        bool folds_utm,
                        struct ruleset **set_out,
                        struct lb_error *err)
{
    struct ruleset *set = calloc(1, sizeof(*set));
    size_t rules = catalog_object_count(catalog, CATALOG_RULE);

    *set_out = NULL;
    if (set == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    set->catalog = catalog_ref(catalog);
    for (size_t i = 0; i < catalog_site_count(catalog); i++) {
        size_t number = (size_t)catalog_site_at(catalog, i)->number;

        set->site_max = number > set->site_max ? number : set->site_max;
    }
    set->row_bits = set->site_max + 1;
    set->rules = calloc(rules + 1, sizeof(*set->rules));
    set->sites = calloc(set->row_bits, sizeof(struct catalog_site *));
    set->covers = calloc(rules * set->row_bits / 8 + 1, 1);
    set->by_number = calloc(rules + 1, sizeof(*set->by_number));
    if (set->rules == NULL || set->sites == NULL || set->covers == NULL ||
        set->by_number == NULL) {
        ruleset_free(set);
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    read_rules(set, folds_utm);
    sort_by_number(set);
    for (size_t i = 0; i < catalog_site_count(catalog); i++) {
        note_site(set, catalog_site_at(catalog, i));
    }
    *set_out = set;
    return LB_OK;
}

void ruleset_free(struct ruleset *set)
{
    if (set != NULL) {
        catalog_unref(set->catalog);
        free(set->rules);
        free(set->sites);
        free(set->covers);
        free(set->by_number);
        free(set);
    }
}

const struct catalog_site *ruleset_site(const struct ruleset *set,
                                        int64_t number)
{
    return number < 0 || (size_t)number > set->site_max ? NULL
                                                        : set->sites[number];
}

struct ruleset_rule *ruleset_find(const struct ruleset *set, int64_t number)
{
    size_t low = 0;
    size_t high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct ruleset_rule *row = &set->rules[set->by_number[middle]];

        if (row->rule.number == number) {
            return row;
        }
        if (row->rule.number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

bool ruleset_covers(const struct ruleset *set,
                    const struct ruleset_rule *row,
                    int64_t site)
{
    size_t bit = (size_t)(row - set->rules) * set->row_bits + (size_t)site;

    return ruleset_site(set, site) != NULL &&
           (set->covers[bit / 8] & 1u << bit % 8) != 0;
}

static const char *intent_of(const struct catalog_site *site,
                             const struct entry *entry)
{
    const char *slug = entry->text[ENTRY_TEXT_LINK];
    const struct catalog_link *link =
        slug == NULL ? NULL : catalog_link_find(site, slug);

    return link == NULL || link->intent[0] == '\0' ? NULL : link->intent;
}

bool ruleset_matches(const struct ruleset *set,
                     size_t index,
                     const struct entry *entry,
                     const char **intent_out)
{
    const struct ruleset_rule *row = &set->rules[index];

    /* Most events end here. */
    if ((row->rule.types & 1u << entry->type) == 0 ||
        (row->rule.traffic & 1u << entry->traffic) == 0) {
        return false;
    }
    if (!ruleset_covers(set, row, entry->site)) {
        return false;
    }
    *intent_out =
        row->needs_intent ? intent_of(set->sites[entry->site], entry) : NULL;
    return rule_matches(&row->rule, entry, set->sites[entry->site]->id,
                        *intent_out);
}
