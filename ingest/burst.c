/* burst.c - the visitors of the last minutes.  They stand in one array; links
 * are places in it.  What a transaction changes can be taken back: times are
 * only added behind the old ones until it commits. */
#include "ingest/burst.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "ingest/traffic.h"

#define BUCKETS 131072 /* a power of two above BURST_VISITORS */
#define FEW 4          /* times that need no memory of their own */
#define NONE UINT32_MAX

/* What a transaction may change. */
struct state {
    int64_t last_ms; /* receive time of the last event */
    uint32_t first;  /* of the times that count */
    uint32_t count;
    bool is_held;
};

struct visitor {
    uint64_t key;
    int64_t site;
    struct state state;
    uint32_t next;  /* in the bucket, or of the free places */
    uint32_t older; /* in its queue */
    uint32_t newer;
    uint32_t change; /* in the journal; NONE: untouched */
    uint32_t room;   /* times that fit */
    union {
        uint32_t few[FEW];
        uint32_t *many; /* owned; room > FEW */
    } times;            /* receive times, the low 32 bits */
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
    struct visitor *visitors; /* owned */
    uint32_t visitor_room;
    uint32_t free; /* first free place */
    size_t count;
    struct change *changes; /* owned */
    uint32_t change_count;
    uint32_t change_room;
    uint32_t first_change; /* of the chain */
    uint32_t last_change;
    int64_t latest_ms;      /* receive time of the last event */
    struct queue queues[2]; /* by is_held: these wait for unequal times */
    uint32_t buckets[BUCKETS];
};

struct burst *burst_new(void)
{
    struct burst *burst = calloc(1, sizeof(*burst));

    if (burst != NULL) {
        memset(burst->buckets, 0xff, sizeof(burst->buckets));
        burst->free = NONE;
        burst->first_change = NONE;
        burst->last_change = NONE;
        burst->queues[0] = (struct queue){NONE, NONE};
        burst->queues[1] = (struct queue){NONE, NONE};
    }
    return burst;
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

static bool make_room(struct burst *burst)
{
    uint32_t room = burst->visitor_room == 0 ? 64 : burst->visitor_room * 2;
    struct visitor *visitors;

    if (burst->free != NONE) {
        return true;
    }
    visitors = realloc(burst->visitors, room * sizeof(*visitors));
    if (visitors == NULL) {
        return false;
    }
    burst->visitors = visitors;
    for (uint32_t at = room; at > burst->visitor_room; at--) {
        visitors[at - 1].next = burst->free;
        burst->free = at - 1;
    }
    burst->visitor_room = room;
    return true;
}

/* A visitor without events, in no queue yet; NONE: out of memory. */
static uint32_t add(struct burst *burst, uint64_t key, int64_t site)
{
    uint32_t at;

    if (!make_room(burst)) {
        return NONE;
    }
    at = burst->free;
    burst->free = burst->visitors[at].next;
    burst->visitors[at] =
        (struct visitor){.key = key,
                         .site = site,
                         .next = burst->buckets[key & (BUCKETS - 1)],
                         .older = NONE,
                         .newer = NONE,
                         .change = NONE,
                         .room = FEW};
    burst->buckets[key & (BUCKETS - 1)] = at;
    burst->count++;
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
    struct queue *queue = &burst->queues[visitor->state.is_held ? 1 : 0];

    visitor->older = queue->newest;
    visitor->newer = NONE;
    if (queue->newest == NONE) {
        queue->oldest = at;
    } else {
        burst->visitors[queue->newest].newer = at;
    }
    queue->newest = at;
}

/* is_held tells the queue in which the visitor stands. */
static void dequeue(struct burst *burst, uint32_t at, bool is_held)
{
    const struct visitor *visitor = &burst->visitors[at];
    struct queue *queue = &burst->queues[is_held ? 1 : 0];

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

static int64_t distance(int64_t a, int64_t b)
{
    return a < b ? b - a : a - b;
}

/* Nothing counts any more; what stands there stays for a rollback. */
static void clear(struct state *state)
{
    state->first += state->count;
    state->count = 0;
}

/* Times are less than a minute apart one by one, so their low bits tell. */
static bool is_outside(uint32_t time, int64_t now_ms)
{
    return labs((long)(int32_t)((uint32_t)now_ms - time)) >= BURST_WINDOW_MS;
}

static enum lb_err add_time(struct visitor *visitor, int64_t now_ms)
{
    struct state *state = &visitor->state;
    uint32_t at = state->first + state->count;

    if (at == visitor->room) {
        uint32_t room = visitor->room * 2;
        uint32_t *times = malloc(room * sizeof(*times));

        if (times == NULL) {
            return LB_ENOMEM;
        }
        memcpy(times, times_of(visitor), visitor->room * sizeof(*times));
        drop_times(visitor);
        visitor->times.many = times;
        visitor->room = room;
    }
    times_of(visitor)[at] = (uint32_t)now_ms;
    state->count++;
    return LB_OK;
}

/* One more event of the visitor. */
static enum lb_err
step(struct visitor *visitor, int64_t now_ms, int64_t per_minute)
{
    struct state *state = &visitor->state;
    int64_t since_ms = distance(now_ms, state->last_ms);
    enum lb_err rc = LB_OK;

    state->last_ms = now_ms;
    state->is_held = state->is_held && since_ms < BURST_QUIET_MS;
    if (since_ms >= BURST_WINDOW_MS) {
        clear(state);
    }
    while (state->count > 0 &&
           is_outside(times_of(visitor)[state->first], now_ms)) {
        state->first++;
        state->count--;
    }
    if (!state->is_held) {
        rc = add_time(visitor, now_ms);
        state->is_held = state->count > per_minute;
    }
    if (state->is_held) {
        clear(state);
    }
    return rc;
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
    burst->latest_ms = entry->received_at_ms;
    rc = step(visitor, entry->received_at_ms, per_minute);
    *is_burst_out = visitor->state.is_held;
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
        struct visitor *visitor = touch(burst, entry);

        visitor->state.is_held = true;
        clear(&visitor->state);
    }
    return rc;
}

/* One that this transaction touched keeps its place until the end, blank. */
static void forget(struct burst *burst, uint32_t at)
{
    struct visitor *visitor = &burst->visitors[at];

    if (visitor->change == NONE) {
        dequeue(burst, at, visitor->state.is_held);
        take_out(burst, at);
        return;
    }
    clear(&visitor->state);
    visitor->state.is_held = false;
    visitor->state.last_ms = 0;
}

void burst_forget(struct burst *burst,
                  int64_t site,
                  int64_t day,
                  int64_t visitor)
{
    uint64_t key = key_of(site, day, visitor);

    for (size_t i = 0; i < BUCKETS; i++) {
        uint32_t at = burst->buckets[i];

        while (at != NONE) {
            uint32_t next = burst->visitors[at].next;

            if (visitor == 0 ? burst->visitors[at].site == site
                             : burst->visitors[at].key == key) {
                forget(burst, at);
            }
            at = next;
        }
    }
}

/* --- the end of a transaction -----------------------------------------------
 */

static void settle(struct visitor *visitor)
{
    struct state *state = &visitor->state;
    uint32_t *times = times_of(visitor);

    if (state->count == 0) {
        drop_times(visitor);
    } else if (state->first > 0) {
        memmove(times, times + state->first, state->count * sizeof(*times));
    }
    state->first = 0;
}

/* Lets go those whose events change nothing any more, and those behind
 * BURST_VISITORS others. */
static void evict(struct burst *burst)
{
    static const int64_t kept_ms[2] = {BURST_WINDOW_MS, BURST_QUIET_MS};
    uint32_t oldest[2];

    for (int held = 0; held < 2; held++) {
        oldest[held] = burst->queues[held].oldest;
        while (oldest[held] != NONE &&
               burst->latest_ms - burst->visitors[oldest[held]].state.last_ms >=
                   kept_ms[held]) {
            dequeue(burst, oldest[held], held == 1);
            take_out(burst, oldest[held]);
            oldest[held] = burst->queues[held].oldest;
        }
    }
    while (burst->count > BURST_VISITORS) {
        int held =
            oldest[0] == NONE || (oldest[1] != NONE &&
                                  burst->visitors[oldest[1]].state.last_ms <
                                      burst->visitors[oldest[0]].state.last_ms)
                ? 1
                : 0;

        dequeue(burst, oldest[held], held == 1);
        take_out(burst, oldest[held]);
        oldest[held] = burst->queues[held].oldest;
    }
}

static void close_journal(struct burst *burst)
{
    burst->change_count = 0;
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
            dequeue(burst, change->visitor, change->state.is_held);
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
