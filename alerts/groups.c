/* groups.c - what rules know of their groups, in memory. */
#include "alerts/groups.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define SLOTS 32768  /* of the table of groups */
#define SHELVES 1024 /* of the table of shelves */

struct groups_shelf {
    struct groups_shelf *next;
    int64_t rule;
    int64_t site;
    size_t count;
    struct group *newest, *oldest;
};

struct groups {
    struct group *slots[SLOTS];
    struct groups_shelf *shelves[SHELVES];
    struct group *newest, *oldest;
    struct group *changed;
    size_t count;
    size_t waiting;
};

struct groups *groups_new(void)
{
    return calloc(1, sizeof(struct groups));
}

void groups_free(struct groups *groups)
{
    if (groups != NULL) {
        groups_clear(groups);
        free(groups);
    }
}

void groups_clear(struct groups *groups)
{
    while (groups->oldest != NULL) {
        groups_drop(groups, groups->oldest);
    }
}

static uint64_t mix(uint64_t hash)
{
    hash ^= hash >> 31;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static uint64_t hash_of(int64_t rule, int64_t site, const char *key)
{
    uint64_t hash = mix((uint64_t)rule) + mix((uint64_t)site << 1);

    for (; *key != '\0'; key++) {
        hash = hash * UINT64_C(0x100000001b3) ^ (unsigned char)*key;
    }
    return mix(hash);
}

/* --- the lists, newest to oldest, of all and of a shelf
 * ------------------------------------------------------------------------ */

static void unlink_group(struct groups *groups, struct group *group)
{
    struct groups_shelf *shelf = group->shelf;

    *(group->newer == NULL ? &groups->newest : &group->newer->older) =
        group->older;
    *(group->older == NULL ? &groups->oldest : &group->older->newer) =
        group->newer;
    *(group->newer_there == NULL ? &shelf->newest
                                 : &group->newer_there->older_there) =
        group->older_there;
    *(group->older_there == NULL ? &shelf->oldest
                                 : &group->older_there->newer_there) =
        group->newer_there;
}

static void link_newest(struct groups *groups, struct group *group)
{
    struct groups_shelf *shelf = group->shelf;

    group->newer = NULL;
    group->older = groups->newest;
    *(groups->newest == NULL ? &groups->oldest : &groups->newest->newer) =
        group;
    groups->newest = group;
    group->newer_there = NULL;
    group->older_there = shelf->newest;
    *(shelf->newest == NULL ? &shelf->oldest : &shelf->newest->newer_there) =
        group;
    shelf->newest = group;
}

static struct groups_shelf **
find_shelf(struct groups *groups, int64_t rule, int64_t site)
{
    uint64_t hash = mix(mix((uint64_t)rule) + (uint64_t)site);
    struct groups_shelf **at = &groups->shelves[hash % SHELVES];

    while (*at != NULL && ((*at)->rule != rule || (*at)->site != site)) {
        at = &(*at)->next;
    }
    return at;
}

static struct groups_shelf *
get_shelf(struct groups *groups, int64_t rule, int64_t site)
{
    struct groups_shelf **at = find_shelf(groups, rule, site);

    if (*at == NULL) {
        *at = calloc(1, sizeof(**at));
        if (*at != NULL) {
            (*at)->rule = rule;
            (*at)->site = site;
        }
    }
    return *at;
}

/* Takes the group out of everything but its memory. */
static void take_out(struct groups *groups, struct group *group)
{
    struct group **at = &groups->slots[group->hash % SLOTS];
    struct groups_shelf *shelf = group->shelf;

    while (*at != group) {
        at = &(*at)->next_same_hash;
    }
    *at = group->next_same_hash;
    unlink_group(groups, group);
    groups->count--;
    shelf->count--;
    if (group->is_waiting) {
        groups->waiting--;
    }
    if (shelf->count == 0) {
        struct groups_shelf **place =
            find_shelf(groups, shelf->rule, shelf->site);

        *place = shelf->next;
        free(shelf);
    }
}

static void
put_in(struct groups *groups, struct group *group, struct groups_shelf *shelf)
{
    struct group **slot = &groups->slots[group->hash % SLOTS];

    group->shelf = shelf;
    group->next_same_hash = *slot;
    *slot = group;
    link_newest(groups, group);
    groups->count++;
    shelf->count++;
    if (group->is_waiting) {
        groups->waiting++;
    }
}

/* --- groups
 * ------------------------------------------------------------------------ */

struct group *
groups_find(struct groups *groups, int64_t rule, int64_t site, const char *key)
{
    uint64_t hash = hash_of(rule, site, key);
    struct group *group = groups->slots[hash % SLOTS];

    while (group != NULL &&
           (group->hash != hash || group->row.rule != rule ||
            group->row.site != site || strcmp(group->key, key) != 0)) {
        group = group->next_same_hash;
    }
    return group;
}

/* Before one more of the rule and site comes. */
static void make_room(struct groups *groups, int64_t rule, int64_t site)
{
    const struct groups_shelf *shelf = *find_shelf(groups, rule, site);
    struct group *victim = NULL;

    if (shelf != NULL && shelf->count >= GROUPS_PER_SITE) {
        victim = shelf->oldest;
    } else if (groups->count >= GROUPS_MAX) {
        victim = groups->oldest;
    }
    while (victim != NULL && victim->is_changed) {
        victim = victim->newer; /* until what it says is saved */
    }
    if (victim != NULL) {
        lb_log_limited(LB_LOG_WARN, "rule_groups",
                       "text=\"a rule has too many groups; those longest "
                       "without an event are forgotten\"");
        groups_drop(groups, victim);
    }
}

struct group *groups_get(struct groups *groups,
                         const struct rule *rule,
                         int64_t site,
                         const char *key)
{
    struct group *group = groups_find(groups, rule->number, site, key);
    struct groups_shelf *shelf;
    size_t len = strlen(key);

    if (group != NULL) {
        unlink_group(groups, group);
        link_newest(groups, group);
        return group;
    }
    make_room(groups, rule->number, site);
    group = calloc(1, sizeof(*group) + len + 1);
    shelf = group == NULL ? NULL : get_shelf(groups, rule->number, site);
    if (shelf == NULL) {
        free(group);
        return NULL;
    }
    memcpy(group->key, key, len + 1);
    group->row.rule = rule->number;
    group->row.site = site;
    group->row.group = group->key;
    group->hash = hash_of(rule->number, site, key);
    rule_window_init(&group->window, rule->window_ms,
                     rule->metric == RULE_VISITORS);
    put_in(groups, group, shelf);
    return group;
}

void groups_note_change(struct groups *groups, struct group *group)
{
    if (!group->is_changed) {
        group->is_changed = true;
        group->next_changed = groups->changed;
        groups->changed = group;
    }
}

size_t groups_take_changed(struct groups *groups,
                           struct alert_store_group **rows_out,
                           size_t max)
{
    size_t count = 0;

    while (count < max && groups->changed != NULL) {
        struct group *group = groups->changed;

        groups->changed = group->next_changed;
        group->next_changed = NULL;
        group->is_changed = false;
        rows_out[count++] = &group->row;
    }
    return count;
}

static void forget_change(struct groups *groups, struct group *group)
{
    struct group **at = &groups->changed;

    while (group->is_changed && *at != NULL && *at != group) {
        at = &(*at)->next_changed;
    }
    if (group->is_changed && *at == group) {
        *at = group->next_changed;
    }
}

void groups_drop(struct groups *groups, struct group *group)
{
    forget_change(groups, group);
    take_out(groups, group);
    rule_window_deinit(&group->window);
    baseline_deinit(&group->baseline);
    ctr_slots_deinit(&group->slots);
    free(group);
}

void groups_drop_rule(struct groups *groups, int64_t rule)
{
    struct group *group = groups->oldest;

    while (group != NULL) {
        struct group *next = group->newer;

        if (group->row.rule == rule) {
            groups_drop(groups, group);
        }
        group = next;
    }
}

static enum lb_err
move_group(struct groups *from, struct groups *to, struct group *group)
{
    struct groups_shelf *shelf;

    make_room(to, group->row.rule, group->row.site);
    shelf = get_shelf(to, group->row.rule, group->row.site);
    if (shelf == NULL) {
        return LB_ENOMEM;
    }
    take_out(from, group);
    put_in(to, group, shelf);
    return LB_OK;
}

enum lb_err groups_move(struct groups *from, struct groups *to, int64_t rule)
{
    struct group *group = from->oldest;
    enum lb_err rc = LB_OK;

    groups_drop_rule(to, rule);
    while (group != NULL && rc == LB_OK) {
        struct group *next = group->newer;

        if (group->row.rule == rule) {
            rc = move_group(from, to, group);
        }
        group = next;
    }
    return rc;
}

struct group *groups_oldest(const struct groups *groups)
{
    return groups->oldest;
}

struct group *groups_next(const struct group *group)
{
    return group->newer;
}

size_t groups_count(const struct groups *groups)
{
    return groups->count;
}

void groups_set_waiting(struct groups *groups,
                        struct group *group,
                        bool is_waiting)
{
    if (group->is_waiting != is_waiting) {
        group->is_waiting = is_waiting;
        groups->waiting += is_waiting ? 1 : (size_t)-1;
    }
}

size_t groups_waiting(const struct groups *groups)
{
    return groups->waiting;
}
