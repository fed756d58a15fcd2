/* burst.c - the visitors of the last minutes, 48 bytes each.  They stand in one
 * array; links are places in it.  Of receive times the low 32 bits are kept:
 * whom it holds was heard of in the last minutes.  What a transaction changes
 * can be taken back: times are only added behind the old ones until it commits.
 */
#include "ingest/burst.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "ingest/traffic.h"

#define BUCKETS 262144 /* a power of two, over twice BURST_VISITORS */
#define FEW 2          /* times that need no memory of their own */
#define HELD UINT16_MAX
#define NONE 0 /* places count from 1, so that empty memory is untouched */

/* What a transaction may change. */
struct state {
    uint32_t last;  /* receive time of the last event */
    uint16_t first; /* of the times that count */
    uint16_t count; /* HELD: in a burst; then none does */
};

struct visitor {
    uint64_t key;
    union {
        uint32_t few[FEW];
        uint32_t *many; /* owned; room > FEW */
    } times;
    struct state state;
    uint16_t room; /* times that fit */
    uint32_t site;
    uint32_t next;  /* in the bucket, or of the free places */
    uint32_t older; /* in its queue */
    uint32_t newer;
    uint32_t change; /* in the journal; NONE: untouched */
};

/* A visitor touched by this transaction; in a chain by the last touch. */
struct change {
    uint32_t visitor;
    uint32_t before;
    uint32_t after;
    bool is_new;
    struct state state; /* of before the transaction */
};

struct queue {
    uint32_t oldest;
    uint32_t newest;
};

struct burst {
    struct visitor *visitors; /* owned; the first one is nobody */
    uint32_t visitor_room;
    uint32_t used; /* places ever used; the rest is not touched */
    uint32_t free; /* first free one of these */
    size_t count;
    struct change *changes; /* owned; the first one is none */
    uint32_t change_count;
    uint32_t change_room;
    uint32_t first_change; /* of the chain */
    uint32_t last_change;
    uint32_t latest;        /* receive time of the last event */
    struct queue queues[2]; /* by is_held(): they wait for unequal times */
    uint32_t buckets[BUCKETS];
};

struct burst *burst_new(void)
{
    struct burst *burst = calloc(1, sizeof(*burst));

    if (burst != NULL) {
        burst->used = 1;
        burst->change_count = 1;
    }
    return burst;
}

static bool is_held(const struct state *state)
{
    return state->count == HELD;
}

static bool has_many(const struct visitor *visitor)
{
    return visitor->room > FEW;
}

static uint32_t *times_of(struct visitor *visitor)
{
    return has_many(visitor) ? visitor->times.many : visitor->times.few;
}

static void drop_times(struct visitor *visitor)
{
    if (has_many(visitor)) {
        free(visitor->times.many);
    }
    visitor->room = FEW;
}

void burst_free(struct burst *burst)
{
    if (burst == NULL) {
        return;
    }
    burst_commit(burst);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (uint32_t at = burst->buckets[i]; at != NONE;
             at = burst->visitors[at].next) {
            drop_times(&burst->visitors[at]);
        }
    }
    free(burst->visitors);
    free(burst->changes);
    free(burst);
}

/* --- places -----------------------------------------------------------------
 */

static uint64_t key_of(int64_t site, int64_t day, int64_t visitor)
{
    static const uint8_t key[LB_HASH_KEY_BYTES] = {1};
    const int64_t words[] = {site, day, visitor};

    return lb_hash_sip_fast(key, words, sizeof(words));
}

static uint32_t find(const struct burst *burst, uint64_t key)
{
    uint32_t at = burst->buckets[key & (BUCKETS - 1)];

    while (at != NONE && burst->visitors[at].key != key) {
        at = burst->visitors[at].next;
    }
    return at;
}

/* A free place; NONE: out of memory. */
static uint32_t take_place(struct burst *burst)
{
    uint32_t room = burst->visitor_room == 0 ? 64 : burst->visitor_room * 2;
    uint32_t at = burst->free;
    struct visitor *visitors;

    if (at != NONE) {
        burst->free = burst->visitors[at].next;
        return at;
    }
    if (burst->used >= burst->visitor_room) {
        visitors = realloc(burst->visitors, room * sizeof(*visitors));
        if (visitors == NULL) {
            return NONE;
        }
        burst->visitors = visitors;
        burst->visitor_room = room;
    }
    return burst->used++;
}

/* A visitor without events, in no queue yet; NONE: out of memory. */
static uint32_t add(struct burst *burst, uint64_t key, int64_t site)
{
    uint32_t *bucket = &burst->buckets[key & (BUCKETS - 1)];
    uint32_t at = take_place(burst);

    if (at != NONE) {
        burst->visitors[at] = (struct visitor){
            .key = key, .site = (uint32_t)site, .next = *bucket, .room = FEW};
        *bucket = at;
        burst->count++;
    }
    return at;
}

/* Takes a visitor that is in no queue out. */
static void take_out(struct burst *burst, uint32_t at)
{
    struct visitor *visitor = &burst->visitors[at];
    uint32_t *place = &burst->buckets[visitor->key & (BUCKETS - 1)];

    while (*place != at) {
        place = &burst->visitors[*place].next;
    }
    *place = visitor->next;
    drop_times(visitor);
    visitor->next = burst->free;
    burst->free = at;
    burst->count--;
}

/* --- queues -----------------------------------------------------------------
 */

static void enqueue(struct burst *burst, uint32_t at)
{
    struct visitor *visitor = &burst->visitors[at];
    struct queue *queue = &burst->queues[is_held(&visitor->state) ? 1 : 0];

    visitor->older = queue->newest;
    visitor->newer = NONE;
    if (queue->newest == NONE) {
        queue->oldest = at;
    } else {
        burst->visitors[queue->newest].newer = at;
    }
    queue->newest = at;
}

/* state is the one with which the visitor was enqueued. */
static void dequeue(struct burst *burst, uint32_t at, const struct state *state)
{
    const struct visitor *visitor = &burst->visitors[at];
    struct queue *queue = &burst->queues[is_held(state) ? 1 : 0];

    if (visitor->older == NONE) {
        queue->oldest = visitor->newer;
    } else {
        burst->visitors[visitor->older].newer = visitor->newer;
    }
    if (visitor->newer == NONE) {
        queue->newest = visitor->older;
    } else {
        burst->visitors[visitor->newer].older = visitor->older;
    }
}

/* --- the journal ------------------------------------------------------------
 */

static void chain(struct burst *burst, uint32_t number)
{
    struct change *change = &burst->changes[number];

    change->before = burst->last_change;
    change->after = NONE;
    if (burst->last_change == NONE) {
        burst->first_change = number;
    } else {
        burst->changes[burst->last_change].after = number;
    }
    burst->last_change = number;
}

static void unchain(struct burst *burst, uint32_t number)
{
    const struct change *change = &burst->changes[number];

    if (change->before == NONE) {
        burst->first_change = change->after;
    } else {
        burst->changes[change->before].after = change->after;
    }
    if (change->after == NONE) {
        burst->last_change = change->before;
    } else {
        burst->changes[change->after].before = change->before;
    }
}

static bool has_change_room(struct burst *burst)
{
    uint32_t room = burst->change_room == 0 ? 64 : burst->change_room * 2;
    struct change *changes;

    if (burst->change_count < burst->change_room) {
        return true;
    }
    changes = realloc(burst->changes, room * sizeof(*changes));
    if (changes == NULL) {
        return false;
    }
    burst->changes = changes;
    burst->change_room = room;
    return true;
}

/* The visitor, with its state of before this transaction in the journal. */
static struct visitor *touch(struct burst *burst, const struct entry *entry)
{
    uint64_t key = key_of(entry->site, entry->visitor_day, entry->visitor);
    uint32_t at = find(burst, key);
    bool is_new = at == NONE;
    struct visitor *visitor;

    if (!is_new && burst->visitors[at].change != NONE) {
        unchain(burst, burst->visitors[at].change);
        chain(burst, burst->visitors[at].change);
        return &burst->visitors[at];
    }
    if (!has_change_room(burst)) {
        return NULL;
    }
    at = is_new ? add(burst, key, entry->site) : at;
    if (at == NONE) {
        return NULL;
    }
    visitor = &burst->visitors[at];
    visitor->change = burst->change_count++;
    burst->changes[visitor->change] = (struct change){
        .visitor = at, .is_new = is_new, .state = visitor->state};
    chain(burst, visitor->change);
    return visitor;
}

/* --- events -----------------------------------------------------------------
 */

/* Between two receive times, in either direction. */
static int64_t distance(uint32_t a, uint32_t b)
{
    int64_t difference = (int32_t)(a - b);

    return difference < 0 ? -difference : difference;
}

/* Nothing counts any more; what stands there stays for a rollback. */
static void clear(struct state *state, bool becomes_held)
{
    if (!is_held(state)) {
        state->first = (uint16_t)(state->first + state->count);
    }
    state->count = becomes_held ? HELD : 0;
}

static enum lb_err add_time(struct visitor *visitor, uint32_t now)
{
    struct state *state = &visitor->state;
    size_t at = (size_t)state->first + state->count;

    if (at == visitor->room) {
        size_t room = (size_t)visitor->room * 2;
        uint32_t *times = room < HELD ? malloc(room * sizeof(*times)) : NULL;

        if (times == NULL) {
            return LB_ENOMEM;
        }
        memcpy(times, times_of(visitor), visitor->room * sizeof(*times));
        drop_times(visitor);
        visitor->times.many = times;
        visitor->room = (uint16_t)room;
    }
    times_of(visitor)[at] = now;
    state->count++;
    return LB_OK;
}

/* One more event of the visitor. */
static enum lb_err
step(struct visitor *visitor, uint32_t now, int64_t per_minute)
{
    struct state *state = &visitor->state;
    int64_t since_ms = distance(now, state->last);
    enum lb_err rc = LB_OK;

    state->last = now;
    if (is_held(state) && since_ms < BURST_QUIET_MS) {
        return LB_OK;
    }
    if (is_held(state) || since_ms >= BURST_WINDOW_MS) {
        clear(state, false);
    }
    while (state->count > 0 &&
           distance(times_of(visitor)[state->first], now) >= BURST_WINDOW_MS) {
        state->first++;
        state->count--;
    }
    rc = add_time(visitor, now);
    if (rc == LB_OK && state->count > per_minute) {
        clear(state, true);
    }
    return rc;
}

void burst_expect(const struct burst *burst, const struct entry *entry)
{
    uint64_t key = key_of(entry->site, entry->visitor_day, entry->visitor);

    __builtin_prefetch(&burst->buckets[key & (BUCKETS - 1)]);
}

enum lb_err burst_take(struct burst *burst,
                       const struct entry *entry,
                       int64_t per_minute,
                       bool *is_burst_out)
{
    struct visitor *visitor;
    enum lb_err rc;

    *is_burst_out = false;
    if (per_minute == 0) {
        return LB_OK;
    }
    visitor = touch(burst, entry);
    if (visitor == NULL) {
        return LB_ENOMEM;
    }
    burst->latest = (uint32_t)entry->received_at_ms;
    rc = step(visitor, burst->latest, per_minute);
    *is_burst_out = is_held(&visitor->state);
    return rc;
}

enum lb_err burst_remember(struct burst *burst,
                           const struct entry *entry,
                           int64_t per_minute)
{
    const char *reason = entry->text[ENTRY_TEXT_REASON];
    bool is_burst = false;
    enum lb_err rc = burst_take(burst, entry, per_minute, &is_burst);

    if (rc == LB_OK && per_minute != 0 && !is_burst && reason != NULL &&
        strcmp(reason, TRAFFIC_REASON_BURST) == 0) {
        clear(&touch(burst, entry)->state, true);
    }
    return rc;
}

/* One that this transaction touched keeps its place until the end, blank. */
static void forget(struct burst *burst, uint32_t at)
{
    struct visitor *visitor = &burst->visitors[at];

    if (visitor->change == NONE) {
        dequeue(burst, at, &visitor->state);
        take_out(burst, at);
        return;
    }
    clear(&visitor->state, false);
    visitor->state.last = burst->latest - (uint32_t)BURST_WINDOW_MS;
}

/* The next visitor of a chain, from at on, who is meant; NONE: there is none.
 */
static uint32_t
next_meant(const struct burst *burst, uint32_t at, int64_t site, uint64_t key)
{
    while (at != NONE && burst->visitors[at].site != (uint32_t)site &&
           burst->visitors[at].key != key) {
        at = burst->visitors[at].next;
    }
    return at;
}

void burst_forget(struct burst *burst,
                  int64_t site,
                  int64_t day,
                  int64_t visitor)
{
    uint64_t key = key_of(site, day, visitor);

    /* No site has number 0. */
    site = visitor == 0 ? site : 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        uint32_t at = next_meant(burst, burst->buckets[i], site, key);

        while (at != NONE) {
            uint32_t next = burst->visitors[at].next;

            forget(burst, at);
            at = next_meant(burst, next, site, key);
        }
    }
}

/* --- the end of a transaction -----------------------------------------------
 */

static void settle(struct visitor *visitor)
{
    struct state *state = &visitor->state;
    uint32_t *times = times_of(visitor);

    if (is_held(state) || state->count == 0) {
        drop_times(visitor);
    } else if (state->first > 0) {
        memmove(times, times + state->first, state->count * sizeof(*times));
    }
    state->first = 0;
}

/* Takes the one out that was quiet longest of those held, or of the others;
 * false when it was not quiet for quiet_ms. */
static bool evict_oldest(struct burst *burst, int held, int64_t quiet_ms)
{
    uint32_t at = burst->queues[held].oldest;

    if (at == NONE ||
        (int32_t)(burst->latest - burst->visitors[at].state.last) < quiet_ms) {
        return false;
    }
    dequeue(burst, at, &burst->visitors[at].state);
    take_out(burst, at);
    return true;
}

/* Lets go those whose events change nothing any more, and those behind
 * BURST_VISITORS others. */
static void evict(struct burst *burst)
{
    while (evict_oldest(burst, 0, BURST_WINDOW_MS)) {
    }
    while (evict_oldest(burst, 1, BURST_QUIET_MS)) {
    }
    while (burst->count > BURST_VISITORS) {
        uint32_t other = burst->queues[0].oldest;
        uint32_t held = burst->queues[1].oldest;
        bool is_held_older =
            other == NONE ||
            (held != NONE && (int32_t)(burst->visitors[held].state.last -
                                       burst->visitors[other].state.last) < 0);

        (void)evict_oldest(burst, is_held_older ? 1 : 0, INT32_MIN);
    }
}

static void close_journal(struct burst *burst)
{
    burst->change_count = 1;
    burst->first_change = NONE;
    burst->last_change = NONE;
}

void burst_commit(struct burst *burst)
{
    for (uint32_t i = burst->first_change; i != NONE;
         i = burst->changes[i].after) {
        const struct change *change = &burst->changes[i];
        struct visitor *visitor = &burst->visitors[change->visitor];

        if (!change->is_new) {
            dequeue(burst, change->visitor, &change->state);
        }
        visitor->change = NONE;
        settle(visitor);
        enqueue(burst, change->visitor);
    }
    close_journal(burst);
    evict(burst);
}

void burst_rollback(struct burst *burst)
{
    for (uint32_t i = burst->first_change; i != NONE;
         i = burst->changes[i].after) {
        const struct change *change = &burst->changes[i];
        struct visitor *visitor = &burst->visitors[change->visitor];

        visitor->state = change->state;
        visitor->change = NONE;
        if (change->is_new) {
            take_out(burst, change->visitor);
        }
    }
    close_journal(burst);
}

size_t burst_count(const struct burst *burst)
{
    return burst->count;
}
