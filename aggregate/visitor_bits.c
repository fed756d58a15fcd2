/* visitor_bits.c - visitors of groups as bits. */
#include "aggregate/visitor_bits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MOST 32
#define WORDS_MOST ((size_t)4 * 1024 * 1024) /* 32 MiB */
#define VISITOR_MOST ((int64_t)1 << 24)

/* Of one group. */
struct set {
    uint32_t words; /* of each of the two */
    uint64_t *any;  /* owned; those of clickers behind them */
};

struct visitor_bits_period {
    int64_t site;
    int64_t day;
    bool is_taken;
    uint32_t set_count;
    struct set *sets; /* owned; by group */
};

void visitor_bits_deinit(struct visitor_bits *bits)
{
    for (size_t i = 0; i < bits->cap; i++) {
        for (uint32_t j = 0; j < bits->periods[i].set_count; j++) {
            free(bits->periods[i].sets[j].any);
        }
        free(bits->periods[i].sets);
    }
    free(bits->periods);
    *bits = (struct visitor_bits){.periods = NULL};
}

size_t visitor_bits_bytes(const struct visitor_bits *bits)
{
    return bits->cap * sizeof(*bits->periods) +
           bits->set_count * sizeof(struct set) +
           bits->words * sizeof(uint64_t);
}

bool visitor_bits_are_wasteful(const struct visitor_bits *bits,
                               size_t group_count,
                               int64_t visitor)
{
    return group_count > GROUPS_MOST || bits->words > WORDS_MOST ||
           visitor >= VISITOR_MOST;
}

static size_t find(const struct visitor_bits *bits, int64_t site, int64_t day)
{
    uint64_t hash = (uint64_t)day * UINT64_C(0x9e3779b97f4a7c15) ^
                    (uint64_t)site * UINT64_C(0xff51afd7ed558ccd);
    size_t at = (size_t)(hash ^ hash >> 31) & (bits->cap - 1);

    assert(bits->periods != NULL);
    while (bits->periods[at].is_taken &&
           (bits->periods[at].day != day || bits->periods[at].site != site)) {
        at = (at + 1) & (bits->cap - 1);
    }
    return at;
}

static enum lb_err grow(struct visitor_bits *bits)
{
    struct visitor_bits_period *old = bits->periods;
    size_t old_cap = bits->cap;
    size_t cap = old_cap == 0 ? 64 : old_cap * 2;
    struct visitor_bits_period *periods = calloc(cap, sizeof(*periods));

    if (periods == NULL) {
        return LB_ENOMEM;
    }
    bits->periods = periods;
    bits->cap = cap;
    bits->last = 0;
    for (size_t i = 0; old != NULL && i < old_cap; i++) {
        if (old[i].is_taken) {
            periods[find(bits, old[i].site, old[i].day)] = old[i];
        }
    }
    free(old);
    return LB_OK;
}

static enum lb_err
grow_words(struct visitor_bits *bits, struct set *set, uint32_t word)
{
    uint32_t words = word + word / 2 + 8;
    uint64_t *any = calloc((size_t)words * 2, sizeof(*any));

    if (any == NULL) {
        return LB_ENOMEM;
    }
    if (set->words > 0) {
        memcpy(any, set->any, set->words * sizeof(*any));
        memcpy(any + words, set->any + set->words, set->words * sizeof(*any));
    }
    free(set->any);
    bits->words += (size_t)(words - set->words) * 2;
    set->any = any;
    set->words = words;
    return LB_OK;
}

/* Makes the entry's period the last one. */
static enum lb_err take_period(struct visitor_bits *bits,
                               const struct entry *entry)
{
    struct visitor_bits_period *period;

    if (bits->count * 4 >= bits->cap * 3 && grow(bits) != LB_OK) {
        return LB_ENOMEM;
    }
    bits->last = find(bits, entry->site, entry->visitor_day);
    period = &bits->periods[bits->last];
    if (!period->is_taken) {
        *period = (struct visitor_bits_period){
            .site = entry->site, .day = entry->visitor_day, .is_taken = true};
        bits->count++;
    }
    return LB_OK;
}

static enum lb_err grow_sets(struct visitor_bits *bits,
                             struct visitor_bits_period *period,
                             uint32_t group)
{
    uint32_t count = group + group / 2 + 1;
    struct set *sets = realloc(period->sets, count * sizeof(*sets));

    if (sets == NULL) {
        return LB_ENOMEM;
    }
    memset(sets + period->set_count, 0,
           (count - period->set_count) * sizeof(*sets));
    bits->set_count += count - period->set_count;
    period->sets = sets;
    period->set_count = count;
    return LB_OK;
}

enum lb_err visitor_bits_note(struct visitor_bits *bits,
                              uint32_t group,
                              const struct entry *entry)
{
    uint32_t word = (uint32_t)(entry->visitor / 64);
    uint64_t bit = UINT64_C(1) << (entry->visitor % 64);
    struct visitor_bits_period *period =
        bits->cap == 0 ? NULL : &bits->periods[bits->last];
    struct set *set;

    if (period == NULL || !period->is_taken ||
        period->day != entry->visitor_day || period->site != entry->site) {
        if (take_period(bits, entry) != LB_OK) {
            return LB_ENOMEM;
        }
        period = &bits->periods[bits->last];
    }
    if (group >= period->set_count && grow_sets(bits, period, group) != LB_OK) {
        return LB_ENOMEM;
    }
    set = &period->sets[group];
    if (word >= set->words && grow_words(bits, set, word) != LB_OK) {
        return LB_ENOMEM;
    }
    assert(set->any != NULL);
    set->any[word] |= bit;
    set->any[set->words + word] |= entry->type == ENTRY_CLICK ? bit : 0;
    return LB_OK;
}

static enum lb_err each_of(const struct visitor_bits_period *period,
                           uint32_t group,
                           enum lb_err (*each)(void *ctx,
                                               uint32_t group,
                                               const struct entry *entry),
                           void *ctx)
{
    const struct set *set = &period->sets[group];
    struct entry entry = {.site = period->site, .visitor_day = period->day};
    enum lb_err rc = LB_OK;

    for (int64_t visitor = 0; visitor < (int64_t)set->words * 64 && rc == LB_OK;
         visitor++) {
        uint64_t bit = UINT64_C(1) << visitor % 64;

        if ((set->any[visitor / 64] & bit) != 0) {
            entry.visitor = visitor;
            entry.type = (set->any[set->words + visitor / 64] & bit) != 0
                             ? ENTRY_CLICK
                             : ENTRY_LEAD;
            rc = each(ctx, group, &entry);
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
        for (uint32_t j = 0; j < bits->periods[i].set_count && rc == LB_OK;
             j++) {
            rc = each_of(&bits->periods[i], j, each, ctx);
        }
    }
    return rc;
}

/* Side by side in pairs, nibbles, bytes: the baseline processor has no
 * instruction for it. */
static int64_t count_bits(const uint64_t *words, uint32_t count)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t word = words[i];

        word -= word >> 1 & UINT64_C(0x5555555555555555);
        word = (word & UINT64_C(0x3333333333333333)) +
               (word >> 2 & UINT64_C(0x3333333333333333));
        word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
        sum += (int64_t)(word * UINT64_C(0x0101010101010101) >> 56);
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
        const struct visitor_bits_period *period = &bits->periods[i];

        for (uint32_t j = 0; j < period->set_count; j++) {
            const struct set *set = &period->sets[j];

            count(ctx, j, count_bits(set->any, set->words),
                  count_bits(set->any + set->words, set->words));
        }
    }
}
