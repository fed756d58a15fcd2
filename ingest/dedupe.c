/* dedupe.c - a window of known event ids. */
#include "ingest/dedupe.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_IDS 4096             /* ids share one time a chunk */
#define PLACES (UINT64_C(1) << 31) /* more than the window ever holds */

/* Ids in log order.  A place is the count of ids ever added before. */
struct chunk {
    struct chunk *next;
    int64_t received_at_ms; /* of the newest id */
    uint64_t hashes[CHUNK_IDS];
};

struct dedupe {
    size_t max_ids;
    int64_t window_ms;
    struct chunk **chunks; /* owned ring; chunk of place p is chunks[(p /
                              CHUNK_IDS) % cap] */
    size_t chunk_cap;
    uint64_t first; /* place of the oldest id */
    uint64_t last;  /* place after the newest */
    uint64_t committed_last;
    uint32_t *slots; /* owned; place modulo PLACES, plus 1; 0: free */
    size_t slot_count;
    uint64_t evicted;
};

struct dedupe *dedupe_new(size_t max_ids, int64_t window_ms)
{
    struct dedupe *dedupe = calloc(1, sizeof(*dedupe));

    if (dedupe != NULL) {
        dedupe_set_limits(dedupe, max_ids, window_ms);
    }
    return dedupe;
}

void dedupe_set_limits(struct dedupe *dedupe, size_t max_ids, int64_t window_ms)
{
    dedupe->max_ids = max_ids;
    dedupe->window_ms = window_ms;
}

void dedupe_free(struct dedupe *dedupe)
{
    if (dedupe == NULL) {
        return;
    }
    for (size_t i = 0; i < dedupe->chunk_cap; i++) {
        free(dedupe->chunks[i]);
    }
    free(dedupe->chunks);
    free(dedupe->slots);
    free(dedupe);
}

static struct chunk *chunk_of(const struct dedupe *dedupe, uint64_t place)
{
    return dedupe->chunks[place / CHUNK_IDS % dedupe->chunk_cap];
}

static uint32_t slot_value(uint64_t place)
{
    return (uint32_t)(place % PLACES) + 1;
}

/* The place that a slot stands for: unique within the window. */
static uint64_t place_of(const struct dedupe *dedupe, uint32_t slot)
{
    uint64_t place = dedupe->first - dedupe->first % PLACES + (slot - 1);

    return place < dedupe->first ? place + PLACES : place;
}

static uint64_t hash_at(const struct dedupe *dedupe, uint64_t place)
{
    return chunk_of(dedupe, place)->hashes[place % CHUNK_IDS];
}

static size_t home_of(const struct dedupe *dedupe, uint64_t hash)
{
    return (size_t)(hash ^ hash >> 32) & (dedupe->slot_count - 1);
}

/* The slot that holds hash, or the free one where it would go. */
static size_t find_slot(const struct dedupe *dedupe, uint64_t hash)
{
    size_t at = home_of(dedupe, hash);

    while (dedupe->slots[at] != 0 &&
           hash_at(dedupe, place_of(dedupe, dedupe->slots[at])) != hash) {
        at = (at + 1) & (dedupe->slot_count - 1);
    }
    return at;
}

bool dedupe_has(const struct dedupe *dedupe, uint64_t hash)
{
    return dedupe->slot_count > 0 &&
           dedupe->slots[find_slot(dedupe, hash)] != 0;
}

static enum lb_err grow_slots(struct dedupe *dedupe)
{
    size_t count = dedupe->slot_count == 0 ? 1024 : dedupe->slot_count * 2;
    uint32_t *slots = calloc(count, sizeof(*slots));

    if (slots == NULL) {
        return LB_ENOMEM;
    }
    free(dedupe->slots);
    dedupe->slots = slots;
    dedupe->slot_count = count;
    for (uint64_t place = dedupe->first; place < dedupe->last; place++) {
        slots[find_slot(dedupe, hash_at(dedupe, place))] = slot_value(place);
    }
    return LB_OK;
}

static enum lb_err grow_chunks(struct dedupe *dedupe)
{
    size_t cap = dedupe->chunk_cap == 0 ? 16 : dedupe->chunk_cap * 2;
    struct chunk **chunks = calloc(cap, sizeof(struct chunk *));

    if (chunks == NULL) {
        return LB_ENOMEM;
    }
    for (size_t i = 0; i < dedupe->chunk_cap; i++) {
        uint64_t number = dedupe->first / CHUNK_IDS + i;

        chunks[number % cap] = dedupe->chunks[number % dedupe->chunk_cap];
    }
    free(dedupe->chunks);
    dedupe->chunks = chunks;
    dedupe->chunk_cap = cap;
    return LB_OK;
}

static enum lb_err make_place(struct dedupe *dedupe)
{
    uint64_t number = dedupe->last / CHUNK_IDS;
    struct chunk **chunk;

    if ((dedupe->chunk_cap == 0 ||
         number - dedupe->first / CHUNK_IDS >= dedupe->chunk_cap) &&
        grow_chunks(dedupe) != LB_OK) {
        return LB_ENOMEM;
    }
    chunk = &dedupe->chunks[number % dedupe->chunk_cap];
    if (*chunk == NULL) {
        *chunk = calloc(1, sizeof(**chunk));
    }
    return *chunk == NULL ? LB_ENOMEM : LB_OK;
}

enum lb_err
dedupe_add(struct dedupe *dedupe, uint64_t hash, int64_t received_at_ms)
{
    size_t count = dedupe_count(dedupe);

    if (((count + 1) * 4 > dedupe->slot_count * 3 &&
         grow_slots(dedupe) != LB_OK) ||
        make_place(dedupe) != LB_OK) {
        return LB_ENOMEM;
    }
    chunk_of(dedupe, dedupe->last)->hashes[dedupe->last % CHUNK_IDS] = hash;
    /* The chunk's time is its newest id's; one with an older time ages nobody.
     */
    if (dedupe->last % CHUNK_IDS == 0 ||
        chunk_of(dedupe, dedupe->last)->received_at_ms < received_at_ms) {
        chunk_of(dedupe, dedupe->last)->received_at_ms = received_at_ms;
    }
    dedupe->slots[find_slot(dedupe, hash)] = slot_value(dedupe->last);
    dedupe->last++;
    return LB_OK;
}

/* Empties a slot and closes the gap (linear probing; Knuth, TAOCP 3, 6.4 R). */
static void remove_hash(struct dedupe *dedupe, uint64_t hash)
{
    size_t mask = dedupe->slot_count - 1;
    size_t at = find_slot(dedupe, hash);
    size_t next;

    if (dedupe->slots[at] == 0) {
        return;
    }
    for (next = (at + 1) & mask; dedupe->slots[next] != 0;
         next = (next + 1) & mask) {
        size_t home = home_of(
            dedupe, hash_at(dedupe, place_of(dedupe, dedupe->slots[next])));

        if (((next - home) & mask) >= ((next - at) & mask)) {
            dedupe->slots[at] = dedupe->slots[next];
            at = next;
        }
    }
    dedupe->slots[at] = 0;
}

static void drop_oldest(struct dedupe *dedupe)
{
    uint64_t place = dedupe->first;

    remove_hash(dedupe, hash_at(dedupe, place));
    dedupe->first++;
    if (dedupe->first % CHUNK_IDS == 0) {
        free(dedupe->chunks[place / CHUNK_IDS % dedupe->chunk_cap]);
        dedupe->chunks[place / CHUNK_IDS % dedupe->chunk_cap] = NULL;
    }
}

void dedupe_commit(struct dedupe *dedupe, int64_t now_ms)
{
    dedupe->committed_last = dedupe->last;
    while (dedupe_count(dedupe) > dedupe->max_ids) {
        drop_oldest(dedupe);
        dedupe->evicted++;
    }
    while (dedupe_count(dedupe) > 0 &&
           chunk_of(dedupe, dedupe->first)->received_at_ms <
               now_ms - dedupe->window_ms) {
        drop_oldest(dedupe);
    }
}

void dedupe_rollback(struct dedupe *dedupe)
{
    while (dedupe->last > dedupe->committed_last) {
        dedupe->last--;
        remove_hash(dedupe, hash_at(dedupe, dedupe->last));
    }
}

size_t dedupe_count(const struct dedupe *dedupe)
{
    return (size_t)(dedupe->last - dedupe->first);
}

uint64_t dedupe_evicted(const struct dedupe *dedupe)
{
    return dedupe->evicted;
}
