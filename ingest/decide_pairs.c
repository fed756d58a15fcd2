/* decide_pairs.c - a bounded map with an order of touches and a journal. */
#include "ingest/decide_pairs.h"

#include <stdlib.h>
#include <string.h>

#define BUCKET_BITS 18 /* over twice the usual maximum */
#define BUCKET_COUNT ((size_t)1 << BUCKET_BITS)
#define JOURNAL_MAX 0x3fffffffu

/* What this transaction touched, with the state from before, and in the order
 * of the last touches: places in the journal, plus 1; 0: none. */
struct journal {
    struct decide_pair *pair;
    struct decide_state before;
    uint32_t earlier;
    uint32_t later;
};

struct decide_pairs {
    struct decide_pair *buckets[BUCKET_COUNT]; /* owned */
    size_t count;
    size_t max;
    struct decide_pair *oldest; /* committed pairs */
    struct decide_pair *newest;
    struct journal *journal; /* owned */
    size_t journal_count;
    size_t journal_cap;
    uint32_t first_touched;
    uint32_t last_touched;
    struct decide_kept **garbage; /* owned; made and replaced by this
                                     transaction */
    size_t garbage_count;
    size_t garbage_cap;
};

struct decide_pairs *decide_pairs_new(size_t max)
{
    struct decide_pairs *pairs = calloc(1, sizeof(*pairs));

    if (pairs != NULL) {
        pairs->max = max;
    }
    return pairs;
}

static void free_pair(struct decide_pair *pair)
{
    free(pair->state.kept);
    free(pair);
}

static void clear_garbage(struct decide_pairs *pairs)
{
    for (size_t i = 0; i < pairs->garbage_count; i++) {
        free(pairs->garbage[i]);
    }
    pairs->garbage_count = 0;
}

void decide_pairs_free(struct decide_pairs *pairs)
{
    if (pairs == NULL) {
        return;
    }
    decide_pairs_commit(pairs);
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        while (pairs->buckets[i] != NULL) {
            struct decide_pair *pair = pairs->buckets[i];

            pairs->buckets[i] = pair->next;
            free_pair(pair);
        }
    }
    free(pairs->journal);
    free(pairs->garbage);
    free(pairs);
}

static size_t
bucket_of(int64_t site, int64_t day, int64_t visitor, bool is_human)
{
    uint64_t hash = (uint64_t)site * UINT64_C(0x9e3779b97f4a7c15) ^
                    (uint64_t)day * UINT64_C(0xc2b2ae3d27d4eb4f) ^
                    (uint64_t)visitor * UINT64_C(0x165667b19e3779f9) ^
                    (is_human ? UINT64_C(0x27d4eb2f165667c5) : 0);

    /* Most are human: whatever tells pairs apart spreads over all buckets. */
    hash ^= hash >> 29;
    return (size_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> (64 - BUCKET_BITS));
}

static size_t bucket_of_entry(const struct entry *entry)
{
    return bucket_of(entry->site, entry->visitor_day, entry->visitor,
                     entry->traffic == ENTRY_HUMAN);
}

static struct decide_pair *find(const struct decide_pairs *pairs,
                                const struct entry *entry)
{
    bool is_human = entry->traffic == ENTRY_HUMAN;
    struct decide_pair *pair = pairs->buckets[bucket_of_entry(entry)];

    while (pair != NULL &&
           (pair->visitor != entry->visitor || pair->site != entry->site ||
            pair->day != entry->visitor_day ||
            (pair->is_human != 0) != is_human)) {
        pair = pair->next;
    }
    return pair;
}

const struct decide_pair *decide_pairs_find(const struct decide_pairs *pairs,
                                            const struct entry *entry)
{
    return find(pairs, entry);
}

void decide_pairs_expect(const struct decide_pairs *pairs,
                         const struct entry *entry)
{
    __builtin_prefetch(&pairs->buckets[bucket_of_entry(entry)]);
}

void decide_pairs_expect_pair(const struct decide_pairs *pairs,
                              const struct entry *entry)
{
    __builtin_prefetch(pairs->buckets[bucket_of_entry(entry)]);
}

const char *decide_pairs_text(const struct decide_kept *kept, size_t index)
{
    const char *text;

    if (kept == NULL || kept->text_bytes == 0) {
        return NULL;
    }
    text = (const char *)&kept->taps[kept->tap_count];
    for (size_t i = 0; i < index; i++) {
        text += strlen(text) + 1;
    }
    return text[0] == '\0' ? NULL : text;
}

static void *grow(void *items, size_t *cap, size_t item_bytes)
{
    size_t more = *cap == 0 ? 1024 : *cap * 2;
    void *grown = realloc(items, more * item_bytes);

    *cap = grown == NULL ? *cap : more;
    return grown;
}

/* --- touches -----------------------------------------------------------------
 */

static struct decide_pair *new_pair(struct decide_pairs *pairs,
                                    const struct entry *entry)
{
    struct decide_pair **bucket = &pairs->buckets[bucket_of_entry(entry)];
    struct decide_pair *pair = calloc(1, sizeof(*pair));

    if (pair != NULL) {
        pair->site = entry->site;
        pair->day = (int32_t)entry->visitor_day;
        pair->visitor = entry->visitor;
        pair->is_human = entry->traffic == ENTRY_HUMAN ? 1 : 0;
        pair->is_new = 1;
        pair->state.last_ts_ms = INT64_MIN / 4;
        pair->next = *bucket;
        *bucket = pair;
        pairs->count++;
    }
    return pair;
}

static struct journal *journal_at(struct decide_pairs *pairs, uint32_t place)
{
    return &pairs->journal[place - 1];
}

/* What comes after a place; after none, the first one. */
static uint32_t *later_of(struct decide_pairs *pairs, uint32_t place)
{
    return place == 0 ? &pairs->first_touched
                      : &journal_at(pairs, place)->later;
}

/* Puts the pair at the end of what this transaction touched. */
static void note_touch(struct decide_pairs *pairs,
                       const struct decide_pair *pair)
{
    struct journal *own = journal_at(pairs, pair->journal);

    if (pairs->last_touched == pair->journal) {
        return;
    }
    if (own->later != 0) { /* it stands there, with others after it */
        journal_at(pairs, own->later)->earlier = own->earlier;
        *later_of(pairs, own->earlier) = own->later;
    }
    own->earlier = pairs->last_touched;
    own->later = 0;
    *later_of(pairs, own->earlier) = pair->journal;
    pairs->last_touched = pair->journal;
}

/* Room for one more change. */
static enum lb_err reserve_journal(struct decide_pairs *pairs)
{
    void *grown;

    if (pairs->journal_count < pairs->journal_cap) {
        return LB_OK;
    }
    grown = grow(pairs->journal, &pairs->journal_cap, sizeof(*pairs->journal));
    if (grown == NULL) {
        return LB_ENOMEM;
    }
    pairs->journal = grown;
    return LB_OK;
}

struct decide_pair *decide_pairs_open(struct decide_pairs *pairs,
                                      const struct entry *entry)
{
    struct decide_pair *pair = find(pairs, entry);

    if (pair == NULL || pair->journal == 0) {
        if (reserve_journal(pairs) != LB_OK) {
            return NULL;
        }
        pair = pair == NULL ? new_pair(pairs, entry) : pair;
        if (pair == NULL) {
            return NULL;
        }
        pairs->journal[pairs->journal_count++] =
            (struct journal){pair, pair->state, 0, 0};
        pair->journal = (uint32_t)pairs->journal_count & JOURNAL_MAX;
    }
    note_touch(pairs, pair);
    return pair;
}

static size_t kept_bytes(const struct decide_kept *kept)
{
    return sizeof(*kept) + kept->tap_count * sizeof(struct decide_tap) +
           kept->text_bytes;
}

/* Keeps what the journal does not have until the transaction ends. */
static enum lb_err keep_garbage(struct decide_pairs *pairs,
                                struct decide_kept *old)
{
    if (pairs->garbage_count == pairs->garbage_cap) {
        void *grown = grow(pairs->garbage, &pairs->garbage_cap,
                           sizeof(struct decide_kept *));

        if (grown == NULL) {
            return LB_ENOMEM;
        }
        pairs->garbage = grown;
    }
    pairs->garbage[pairs->garbage_count++] = old;
    return LB_OK;
}

/* The old one stays until the transaction ends: the journal has it, or else the
 * garbage, for whoever was given its texts. */
enum lb_err decide_pairs_replace(struct decide_pairs *pairs,
                                 struct decide_pair *pair,
                                 struct decide_kept *kept)
{
    struct decide_kept *old = pair->state.kept;

    if (old != NULL && old != journal_at(pairs, pair->journal)->before.kept &&
        keep_garbage(pairs, old) != LB_OK) {
        free(kept);
        return LB_ENOMEM;
    }
    pair->state.kept = kept;
    return LB_OK;
}

/* --- the transaction's end ---------------------------------------------------
 */

static void unlink_pair(struct decide_pairs *pairs, struct decide_pair *pair)
{
    struct decide_pair **at = &pairs->buckets[bucket_of(
        pair->site, pair->day, pair->visitor, pair->is_human != 0)];

    while (*at != pair) {
        at = &(*at)->next;
    }
    *at = pair->next;
    pairs->count--;
}

/* Takes a pair out of the order of touches. */
static void leave_order(struct decide_pairs *pairs, struct decide_pair *pair)
{
    if (pair->older != NULL) {
        pair->older->newer = pair->newer;
    } else {
        pairs->oldest = pair->newer;
    }
    if (pair->newer != NULL) {
        pair->newer->older = pair->older;
    } else {
        pairs->newest = pair->older;
    }
}

static void join_order(struct decide_pairs *pairs, struct decide_pair *pair)
{
    pair->older = pairs->newest;
    pair->newer = NULL;
    if (pairs->newest != NULL) {
        pairs->newest->newer = pair;
    } else {
        pairs->oldest = pair;
    }
    pairs->newest = pair;
}

static void clear_journal(struct decide_pairs *pairs)
{
    pairs->journal_count = 0;
    pairs->first_touched = 0;
    pairs->last_touched = 0;
    clear_garbage(pairs);
}

void decide_pairs_commit(struct decide_pairs *pairs)
{
    for (uint32_t at = pairs->first_touched; at != 0;) {
        struct journal *journal = journal_at(pairs, at);
        struct decide_pair *pair = journal->pair;

        if (journal->before.kept != pair->state.kept) {
            free(journal->before.kept);
        }
        if (pair->is_new == 0) {
            leave_order(pairs, pair);
        }
        join_order(pairs, pair);
        pair->is_new = 0;
        pair->journal = 0;
        at = journal->later;
    }
    clear_journal(pairs);
    while (pairs->count > pairs->max) {
        struct decide_pair *pair = pairs->oldest;

        leave_order(pairs, pair);
        unlink_pair(pairs, pair);
        free_pair(pair);
    }
}

void decide_pairs_rollback(struct decide_pairs *pairs)
{
    for (size_t i = 0; i < pairs->journal_count; i++) {
        struct journal *journal = &pairs->journal[i];
        struct decide_pair *pair = journal->pair;

        if (journal->before.kept != pair->state.kept) {
            free(pair->state.kept);
        }
        pair->state = journal->before;
        pair->journal = 0;
        if (pair->is_new != 0) {
            unlink_pair(pairs, pair);
            free_pair(pair);
        }
    }
    clear_journal(pairs);
}

/* The pair stays in its place, blank. */
static void blank(struct decide_pair *pair)
{
    struct decide_kept *kept = pair->state.kept;

    if (kept != NULL) {
        explicit_bzero(kept, kept_bytes(kept)); /* no taps, no texts */
    }
    memset(&pair->state, 0, sizeof(pair->state));
    pair->state.kept = kept;
    pair->state.received_ms = INT64_MIN / 4;
    pair->state.last_received_ms = INT64_MIN / 4;
    pair->state.last_ts_ms = INT64_MIN / 4;
}

/* The next pair of a chain, from pair on, that is the visitor's (0: anyone's)
 * on the site; NULL: there is none. */
static struct decide_pair *
next_meant(struct decide_pair *pair, int64_t site, int64_t day, int64_t visitor)
{
    while (pair != NULL &&
           (pair->site != site ||
            (visitor != 0 && (pair->day != day || pair->visitor != visitor)))) {
        pair = pair->next;
    }
    return pair;
}

void decide_pairs_forget(struct decide_pairs *pairs,
                         int64_t site,
                         int64_t day,
                         int64_t visitor)
{
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        struct decide_pair *pair =
            next_meant(pairs->buckets[i], site, day, visitor);

        while (pair != NULL) {
            blank(pair);
            pair = next_meant(pair->next, site, day, visitor);
        }
    }
}

size_t decide_pairs_count(const struct decide_pairs *pairs)
{
    return pairs->count;
}
