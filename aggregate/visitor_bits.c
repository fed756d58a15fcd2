/* visitor_bits.c - visitors of groups as bits. */
#include "aggregate/visitor_bits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MOST 32
#define WORDS_MOST ((size_t)4 * 1024 * 1024) /* 32 MiB */
#define VISITOR_MOST ((int64_t)1 << 24)

struct visitor_bits_set {
    int64_t site;
    int64_t day;
    uint32_t group;
    bool is_taken;
    uint32_t words; /* of each of the two */
    uint64_t *any;  /* owned */
    uint64_t *clickers;
};

void visitor_bits_deinit(struct visitor_bits *bits)
{
    for (size_t i = 0; i < bits->cap; i++) {
        free(bits->sets[i].any);
        free(bits->sets[i].clickers);
    }
    free(bits->sets);
    *bits = (struct visitor_bits){.sets = NULL};
}

size_t visitor_bits_bytes(const struct visitor_bits *bits)
{
    return bits->cap * sizeof(*bits->sets) + bits->words * sizeof(uint64_t);
}

bool visitor_bits_are_wasteful(const struct visitor_bits *bits,
                               size_t group_count,
                               int64_t visitor)
{
    return group_count > GROUPS_MOST || bits->words > WORDS_MOST ||
           visitor >= VISITOR_MOST;
}

static size_t home_of(const struct visitor_bits *bits,
                      int64_t site,
                      int64_t day,
                      uint32_t group)
{
    uint64_t hash = (uint64_t)day * UINT64_C(0x9e3779b97f4a7c15) ^
                    (uint64_t)site * UINT64_C(0xff51afd7ed558ccd) ^
                    (uint64_t)group * UINT64_C(0x165667b19e3779f9);

    return (size_t)(hash ^ hash >> 31) & (bits->cap - 1);
}

static size_t
find(const struct visitor_bits *bits, int64_t site, int64_t day, uint32_t group)
{
    size_t at = home_of(bits, site, day, group);

    assert(bits->sets != NULL);
    while (bits->sets[at].is_taken &&
           (bits->sets[at].day != day || bits->sets[at].site != site ||
            bits->sets[at].group != group)) {
        at = (at + 1) & (bits->cap - 1);
    }
    return at;
}

static enum lb_err grow(struct visitor_bits *bits)
{
    struct visitor_bits_set *old = bits->sets;
    size_t old_cap = bits->cap;
    size_t cap = old_cap == 0 ? 64 : old_cap * 2;
    struct visitor_bits_set *sets = calloc(cap, sizeof(*sets));

    if (sets == NULL) {
        return LB_ENOMEM;
    }
    bits->sets = sets;
    bits->cap = cap;
    bits->last = 0;
    for (size_t i = 0; old != NULL && i < old_cap; i++) {
        if (old[i].is_taken) {
            sets[find(bits, old[i].site, old[i].day, old[i].group)] = old[i];
        }
    }
    free(old);
    return LB_OK;
}

static enum lb_err grow_words(struct visitor_bits *bits,
                              struct visitor_bits_set *set,
                              uint32_t word)
{
    uint32_t words = word + word / 2 + 8;
    uint64_t *any = realloc(set->any, words * sizeof(*any));
    uint64_t *clickers;

    set->any = any == NULL ? set->any : any;
    clickers = realloc(set->clickers, words * sizeof(*clickers));
    set->clickers = clickers == NULL ? set->clickers : clickers;
    if (any == NULL || clickers == NULL) {
        return LB_ENOMEM;
    }
    memset(any + set->words, 0, (words - set->words) * sizeof(*any));
    memset(clickers + set->words, 0, (words - set->words) * sizeof(*clickers));
    bits->words += (size_t)(words - set->words) * 2;
    set->words = words;
    return LB_OK;
}

static enum lb_err
take_set(struct visitor_bits *bits, uint32_t group, const struct entry *entry)
{
    struct visitor_bits_set *set;

    if (bits->count * 4 >= bits->cap * 3 && grow(bits) != LB_OK) {
        return LB_ENOMEM;
    }
    bits->last = find(bits, entry->site, entry->visitor_day, group);
    set = &bits->sets[bits->last];
    if (!set->is_taken) {
        *set = (struct visitor_bits_set){.site = entry->site,
                                         .day = entry->visitor_day,
                                         .group = group,
                                         .is_taken = true};
        bits->count++;
    }
    return LB_OK;
}

enum lb_err visitor_bits_note(struct visitor_bits *bits,
                              uint32_t group,
                              const struct entry *entry)
{
    uint32_t word = (uint32_t)(entry->visitor / 64);
    uint64_t bit = UINT64_C(1) << (entry->visitor % 64);
    struct visitor_bits_set *set =
        bits->cap == 0 ? NULL : &bits->sets[bits->last];

    if (set == NULL || !set->is_taken || set->group != group ||
        set->day != entry->visitor_day || set->site != entry->site) {
        if (take_set(bits, group, entry) != LB_OK) {
            return LB_ENOMEM;
        }
        set = &bits->sets[bits->last];
    }
    if (word >= set->words && grow_words(bits, set, word) != LB_OK) {
        return LB_ENOMEM;
    }
    assert(set->any != NULL && set->clickers != NULL);
    set->any[word] |= bit;
    if (entry->type == ENTRY_CLICK) {
        set->clickers[word] |= bit;
    }
    return LB_OK;
}

static enum lb_err each_of(const struct visitor_bits_set *set,
                           enum lb_err (*each)(void *ctx,
                                               uint32_t group,
                                               const struct entry *entry),
                           void *ctx)
{
    struct entry entry = {.site = set->site, .visitor_day = set->day};
    enum lb_err rc = LB_OK;

    for (int64_t visitor = 0; visitor < (int64_t)set->words * 64 && rc == LB_OK;
         visitor++) {
        uint64_t bit = UINT64_C(1) << visitor % 64;

        if ((set->any[visitor / 64] & bit) != 0) {
            entry.visitor = visitor;
            entry.type = (set->clickers[visitor / 64] & bit) != 0 ? ENTRY_CLICK
                                                                  : ENTRY_LEAD;
            rc = each(ctx, set->group, &entry);
        }
    }
    return rc;
}

enum lb_err visitor_bits_each(const struct visitor_bits *bits,
                              enum lb_err (*each)(void *ctx,
                                                  uint32_t group,
                                                  const struct entry *entry),
                              void *ctx)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < bits->cap && rc == LB_OK; i++) {
        rc =
            bits->sets[i].is_taken ? each_of(&bits->sets[i], each, ctx) : LB_OK;
    }
    return rc;
}

static int64_t count_bits(const uint64_t *words, uint32_t count)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        sum += __builtin_popcountll(words[i]);
    }
    return sum;
}

void visitor_bits_count(const struct visitor_bits *bits,
                        void (*count)(void *ctx,
                                      uint32_t group,
                                      int64_t visitors,
                                      int64_t clickers),
                        void *ctx)
{
    for (size_t i = 0; i < bits->cap; i++) {
        const struct visitor_bits_set *set = &bits->sets[i];

        if (set->is_taken) {
            count(ctx, set->group, count_bits(set->any, set->words),
                  count_bits(set->clickers, set->words));
        }
    }
}
