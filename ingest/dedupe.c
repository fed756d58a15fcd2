/* dedupe.c - a window of known event ids. */
#include "ingest/dedupe.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_IDS 4096 /* ids share one time a chunk */
#define SEGMENTS 128   /* of the index, each growing by itself */
#define FIRST_SLOTS 64
#define AHEAD 16 /* slots whose hashes are on their way */
#define MIN_PLACE_BITS 16
#define MAX_PLACE_BITS 30
#define DISTANCE_BITS 5
#define SLOT_USED (UINT32_C(1) << 31)

/* Ids in log order.  A place is the count of ids ever added before. */
struct chunk {
    int64_t received_at_ms; /* of the newest id */
    uint64_t hashes[CHUNK_IDS];
};

/* From hashes to places: open addressing.  A slot is 0 when free, else, from
 * the top: SLOT_USED; a tag, some bits of the hash; the distance from the slot
 * where the hash belongs, the greatest one meaning that or more; the last bits
 * of the place.  So searching and removing rarely look at other ids' hashes,
 * which lie all over the memory.  Segments grow by themselves: neither are two
 * large tables held at once, nor does a group wait for it long. */
struct segment {
    uint32_t *slots; /* owned */
    uint32_t slot_count;
    uint32_t ids;
};

struct dedupe {
    size_t max_ids;
    int64_t window_ms;
    struct chunk **chunks; /* owned ring, by place / CHUNK_IDS */
    size_t chunk_cap;      /* a power of two */
    uint64_t first;        /* place of the oldest id */
    uint64_t last;         /* place after the newest */
    uint64_t committed_last;
    unsigned place_bits; /* of a slot */
    unsigned distance_bits;
    struct segment segments[SEGMENTS];
    uint64_t evicted;
};

struct dedupe *dedupe_new(size_t max_ids, int64_t window_ms)
{
    struct dedupe *dedupe = calloc(1, sizeof(*dedupe));

    if (dedupe != NULL) {
        dedupe_set_limits(dedupe, max_ids, window_ms);
        /* Twice as many as the window holds: a group comes on top. */
        dedupe->place_bits = MIN_PLACE_BITS;
        while (dedupe->place_bits < MAX_PLACE_BITS &&
               UINT64_C(1) << dedupe->place_bits < max_ids * UINT64_C(2)) {
            dedupe->place_bits++;
        }
        dedupe->distance_bits = 31 - dedupe->place_bits < DISTANCE_BITS
                                    ? 31 - dedupe->place_bits
                                    : DISTANCE_BITS;
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
    for (size_t i = 0; i < SEGMENTS; i++) {
        free(dedupe->segments[i].slots);
    }
    free(dedupe->chunks);
    free(dedupe);
}

static struct chunk *chunk_of(const struct dedupe *dedupe, uint64_t place)
{
    return dedupe->chunks[place / CHUNK_IDS & (dedupe->chunk_cap - 1)];
}

static uint64_t hash_at(const struct dedupe *dedupe, uint64_t place)
{
    return chunk_of(dedupe, place)->hashes[place % CHUNK_IDS];
}

static uint64_t place_mask(const struct dedupe *dedupe)
{
    return (UINT64_C(1) << dedupe->place_bits) - 1;
}

/* The place that a slot stands for: unique within the window. */
static uint64_t place_of(const struct dedupe *dedupe, uint32_t slot)
{
    return dedupe->first + ((slot - dedupe->first) & place_mask(dedupe));
}

static uint32_t max_distance(const struct dedupe *dedupe)
{
    return (UINT32_C(1) << dedupe->distance_bits) - 1;
}

static uint32_t distance_part(const struct dedupe *dedupe, uint32_t distance)
{
    uint32_t max = max_distance(dedupe);

    return (distance < max ? distance : max) << dedupe->place_bits;
}

/* A slot for hash so far from where it belongs, but for its place. */
static uint32_t
slot_for(const struct dedupe *dedupe, uint64_t hash, uint32_t distance)
{
    uint32_t tag = (uint32_t)hash << dedupe->place_bits
                                  << dedupe->distance_bits;

    return SLOT_USED | tag | distance_part(dedupe, distance);
}

static size_t segment_of(uint64_t hash)
{
    return hash >> 57; /* one of SEGMENTS */
}

/* Scales 32 bits of the hash to the segment's size, which is no power of two.
 */
static uint32_t home_of(const struct segment *segment, uint64_t hash)
{
    return (uint32_t)((uint64_t)(uint32_t)(hash >> 25) * segment->slot_count >>
                      32);
}

static uint32_t after(const struct segment *segment, uint32_t at)
{
    return at + 1 == segment->slot_count ? 0 : at + 1;
}

/* The slot that holds hash, or the free one that ends the search. */
static uint32_t find_slot(const struct dedupe *dedupe,
                          const struct segment *segment,
                          uint64_t hash)
{
    uint32_t at = home_of(segment, hash);
    uint32_t distance = 0;

    while (segment->slots[at] != 0) {
        uint32_t other = segment->slots[at] ^ slot_for(dedupe, hash, distance);

        if (other >> dedupe->place_bits == 0 &&
            hash_at(dedupe, place_of(dedupe, segment->slots[at])) == hash) {
            break;
        }
        at = after(segment, at);
        distance++;
    }
    return at;
}

void dedupe_expect(const struct dedupe *dedupe, uint64_t hash)
{
    const struct segment *segment = &dedupe->segments[segment_of(hash)];

    if (segment->slot_count > 0) {
        __builtin_prefetch(&segment->slots[home_of(segment, hash)]);
    }
}

bool dedupe_has(const struct dedupe *dedupe, uint64_t hash)
{
    const struct segment *segment = &dedupe->segments[segment_of(hash)];

    return segment->ids > 0 &&
           segment->slots[find_slot(dedupe, segment, hash)] != 0;
}

/* A hash that is not there, in the first free slot. */
static void put(const struct dedupe *dedupe,
                struct segment *segment,
                uint64_t hash,
                uint64_t place)
{
    uint32_t at = home_of(segment, hash);
    uint32_t distance = 0;

    while (segment->slots[at] != 0) {
        at = after(segment, at);
        distance++;
    }
    segment->slots[at] = slot_for(dedupe, hash, distance) |
                         (uint32_t)(place & place_mask(dedupe));
    segment->ids++;
}

/* Steps from one slot on to another. */
static uint32_t steps(const struct segment *segment, uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + segment->slot_count - from;
}

static uint32_t distance_at(const struct dedupe *dedupe,
                            const struct segment *segment,
                            uint32_t at)
{
    uint32_t slot = segment->slots[at];
    uint32_t distance = slot >> dedupe->place_bits & max_distance(dedupe);
    uint64_t hash;

    if (distance == max_distance(dedupe)) {
        hash = hash_at(dedupe, place_of(dedupe, slot));
        distance = steps(segment, home_of(segment, hash), at);
    }
    return distance;
}

/* Empties the slot of hash and closes the gap (linear probing; Knuth, TAOCP 3,
 * 6.4 R). */
static void drop(struct dedupe *dedupe, uint64_t hash)
{
    struct segment *segment = &dedupe->segments[segment_of(hash)];
    uint32_t distance_mask = max_distance(dedupe) << dedupe->place_bits;
    uint32_t gap = find_slot(dedupe, segment, hash);

    for (uint32_t at = after(segment, gap); segment->slots[at] != 0;
         at = after(segment, at)) {
        uint32_t distance = distance_at(dedupe, segment, at);
        uint32_t shift = steps(segment, gap, at);

        if (distance >= shift) {
            segment->slots[gap] = (segment->slots[at] & ~distance_mask) |
                                  distance_part(dedupe, distance - shift);
            gap = at;
        }
    }
    segment->slots[gap] = 0;
    segment->ids--;
}

/* The first sizes differ, by what a segment grows, so that segments don't grow
 * all at the same time. */
static uint32_t next_size(const struct dedupe *dedupe,
                          const struct segment *segment)
{
    uint32_t number = (uint32_t)(segment - dedupe->segments);

    return segment->slot_count == 0
               ? FIRST_SLOTS + number * (FIRST_SLOTS / 2) / SEGMENTS
               : segment->slot_count + segment->slot_count / 2;
}

/* Hashes that are asked for ahead come in time. */
static void ask_for(const struct dedupe *dedupe, uint32_t slot)
{
    if (slot != 0) {
        uint64_t place = place_of(dedupe, slot);

        __builtin_prefetch(&chunk_of(dedupe, place)->hashes[place % CHUNK_IDS]);
    }
}

static enum lb_err grow_segment(const struct dedupe *dedupe,
                                struct segment *segment)
{
    struct segment grown = {NULL, next_size(dedupe, segment), 0};

    grown.slots = calloc(grown.slot_count, sizeof(*grown.slots));
    if (grown.slots == NULL) {
        return LB_ENOMEM;
    }
    for (uint32_t i = 0; i < segment->slot_count; i++) {
        uint32_t slot = segment->slots[i];

        if (i + AHEAD < segment->slot_count) {
            ask_for(dedupe, segment->slots[i + AHEAD]);
        }
        if (slot != 0) {
            uint64_t place = place_of(dedupe, slot);

            put(dedupe, &grown, hash_at(dedupe, place), place);
        }
    }
    free(segment->slots);
    *segment = grown;
    return LB_OK;
}

/* Past seven eighths searches would get long. */
static bool is_full(const struct segment *segment)
{
    return (segment->ids + 1) * 8 > segment->slot_count * 7;
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
    struct segment *segment = &dedupe->segments[segment_of(hash)];
    struct chunk *chunk;

    if (dedupe_count(dedupe) >= place_mask(dedupe) ||
        (is_full(segment) && grow_segment(dedupe, segment) != LB_OK) ||
        make_place(dedupe) != LB_OK) {
        return LB_ENOMEM;
    }
    chunk = chunk_of(dedupe, dedupe->last);
    chunk->hashes[dedupe->last % CHUNK_IDS] = hash;
    /* The chunk's time is its newest id's; one with an older time ages nobody.
     */
    if (dedupe->last % CHUNK_IDS == 0 ||
        chunk->received_at_ms < received_at_ms) {
        chunk->received_at_ms = received_at_ms;
    }
    put(dedupe, segment, hash, dedupe->last);
    dedupe->last++;
    return LB_OK;
}

static void drop_oldest(struct dedupe *dedupe)
{
    uint64_t place = dedupe->first;

    drop(dedupe, hash_at(dedupe, place));
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
        drop(dedupe, hash_at(dedupe, dedupe->last));
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
