/* segment_cache.c - unpacked columns that readers share. */
#include "sql/segment_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"

#define BUCKETS 4096 /* a power of two */
#define TRIES 16     /* to find one that nobody uses */
#define DISPLACES_OF 8

struct segment_cached {
    struct segment_cached *next; /* of its bucket */
    int64_t key;
    size_t place; /* in the list of all */
    size_t bytes;
    unsigned users;
    struct lb_arena *arena; /* owned */
    struct segment_column column;
    /* Owned; width bytes a code, or struct numbers; NULL: not unpacked yet. */
    _Atomic(void *) blocks[SEGMENT_BLOCKS];
};

/* A block of numbers as narrow as they can be. */
struct numbers {
    uint32_t width;    /* of each, in bytes */
    uint16_t narrow[]; /* or as many of 32 bits */
};

static uint32_t *wide_of(struct numbers *numbers)
{
    return (uint32_t *)(void *)numbers->narrow;
}

struct segment_cache {
    pthread_mutex_t lock;
    size_t max;
    struct lb_metric *hits;
    struct lb_metric *misses;
    struct lb_metric *gauge;
    /* By lock: */
    size_t bytes;
    struct segment_cached *buckets[BUCKETS];
    struct segment_cached **all; /* owned, and what it points to */
    size_t count;
    size_t cap;
    uint64_t random;
};

struct segment_cache *segment_cache_new(size_t max_bytes)
{
    struct segment_cache *cache = calloc(1, sizeof(*cache));

    if (cache == NULL || pthread_mutex_init(&cache->lock, NULL) != 0) {
        free(cache);
        return NULL;
    }
    cache->max = max_bytes;
    cache->random = 1;
    cache->hits = lb_metrics_get(
        LB_METRIC_COUNTER, "linkbell_segment_cache_reads_total",
        "Columns of segments that questions read.", "result=\"hit\"");
    cache->misses = lb_metrics_get(
        LB_METRIC_COUNTER, "linkbell_segment_cache_reads_total",
        "Columns of segments that questions read.", "result=\"miss\"");
    cache->gauge =
        lb_metrics_get(LB_METRIC_GAUGE, "linkbell_segment_cache_bytes",
                       "Memory of unpacked columns of segments.", "");
    return cache;
}

static void free_cached(struct segment_cached *cached)
{
    for (size_t i = 0; i < SEGMENT_BLOCKS; i++) {
        free(atomic_load(&cached->blocks[i]));
    }
    lb_arena_free(cached->arena);
    free(cached);
}

void segment_cache_free(struct segment_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    for (size_t i = 0; i < cache->count; i++) {
        free_cached(cache->all[i]);
    }
    free(cache->all);
    (void)pthread_mutex_destroy(&cache->lock);
    free(cache);
}

size_t segment_cache_bytes(struct segment_cache *cache)
{
    size_t bytes;

    (void)pthread_mutex_lock(&cache->lock);
    bytes = cache->bytes;
    (void)pthread_mutex_unlock(&cache->lock);
    return bytes;
}

/* SplitMix64's output function (Steele, Lea, Flood, 2014). */
static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

/* --- under the lock ------------------------------------------------------- */

static struct segment_cached **bucket_of(struct segment_cache *cache,
                                         int64_t key)
{
    return &cache->buckets[mix((uint64_t)key) & (BUCKETS - 1)];
}

static struct segment_cached *find(struct segment_cache *cache, int64_t key)
{
    struct segment_cached *cached = *bucket_of(cache, key);

    while (cached != NULL && cached->key != key) {
        cached = cached->next;
    }
    if (cached != NULL) {
        cached->users++;
    }
    return cached;
}

static void remove_cached(struct segment_cache *cache,
                          struct segment_cached *cached)
{
    struct segment_cached **at = bucket_of(cache, cached->key);

    while (*at != cached) {
        at = &(*at)->next;
    }
    *at = cached->next;
    cache->count--;
    cache->all[cached->place] = cache->all[cache->count];
    cache->all[cached->place]->place = cached->place;
    cache->bytes -= cached->bytes;
    free_cached(cached);
}

static uint64_t next_random(struct segment_cache *cache)
{
    cache->random += UINT64_C(0x9e3779b97f4a7c15);
    return mix(cache->random);
}

/* Where it is full few displace others: a round of more than there is room for
 * finds nearly all that was left by the one before. */
static bool may_come(struct segment_cache *cache, size_t bytes)
{
    return cache->bytes + bytes <= cache->max ||
           next_random(cache) % DISPLACES_OF == 0;
}

/* Until there is room for so many bytes more; false: all are in use. */
static bool make_room(struct segment_cache *cache, size_t bytes)
{
    unsigned tries = 0;

    while (cache->bytes + bytes > cache->max) {
        struct segment_cached *cached;

        if (cache->count == 0 || tries++ == TRIES) {
            return false;
        }
        cached = cache->all[next_random(cache) % cache->count];
        if (cached->users == 0) {
            remove_cached(cache, cached);
            tries = 0;
        }
    }
    return true;
}

static bool make_place(struct segment_cache *cache)
{
    size_t cap = cache->cap == 0 ? 256 : cache->cap * 2;
    struct segment_cached **all;

    if (cache->count < cache->cap) {
        return true;
    }
    all = realloc(cache->all, cap * sizeof(struct segment_cached *));
    if (all == NULL) {
        return false;
    }
    cache->all = all;
    cache->cap = cap;
    return true;
}

static bool add(struct segment_cache *cache, struct segment_cached *cached)
{
    struct segment_cached **bucket = bucket_of(cache, cached->key);

    if (!make_place(cache)) {
        return false;
    }
    cached->next = *bucket;
    *bucket = cached;
    cached->place = cache->count;
    cache->all[cache->count++] = cached;
    cache->bytes += cached->bytes;
    return true;
}

/* --- for readers ---------------------------------------------------------- */

struct segment_cached *segment_cache_take(struct segment_cache *cache,
                                          int64_t key)
{
    struct segment_cached *cached;

    (void)pthread_mutex_lock(&cache->lock);
    cached = find(cache, key);
    (void)pthread_mutex_unlock(&cache->lock);
    lb_metrics_add(cached == NULL ? cache->misses : cache->hits, 1);
    return cached;
}

struct segment_cached *segment_cache_put(struct segment_cache *cache,
                                         int64_t key,
                                         struct lb_arena *arena,
                                         const struct segment_column *column)
{
    struct segment_cached *cached = calloc(1, sizeof(*cached));
    struct segment_cached *other;
    bool is_put = false;

    if (cached == NULL) {
        return NULL;
    }
    cached->key = key;
    cached->users = 1;
    cached->bytes = sizeof(*cached) + lb_arena_held(arena);
    cached->column = *column;
    cached->column.bytes = NULL;
    cached->arena = arena;
    (void)pthread_mutex_lock(&cache->lock);
    other = find(cache, key);
    if (other == NULL) {
        is_put = may_come(cache, cached->bytes) &&
                 make_room(cache, cached->bytes) && add(cache, cached);
    }
    (void)pthread_mutex_unlock(&cache->lock);
    if (is_put) {
        return cached;
    }
    if (other != NULL) {
        lb_arena_free(arena);
    }
    free(cached);
    return other;
}

void segment_cache_release(struct segment_cache *cache,
                           struct segment_cached *cached)
{
    if (cached == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&cache->lock);
    cached->users--;
    lb_metrics_set(cache->gauge, (int64_t)cache->bytes);
    (void)pthread_mutex_unlock(&cache->lock);
}

const struct segment_column *
segment_cache_column(const struct segment_cached *cached)
{
    return &cached->column;
}

const uint16_t *segment_cache_codes(const struct segment_cached *cached,
                                    size_t block)
{
    return cached->column.width == 2 ? atomic_load(&cached->blocks[block])
                                     : NULL;
}

bool segment_cache_read(const struct segment_cached *cached,
                        size_t block,
                        size_t count,
                        uint16_t *codes_out)
{
    const void *codes = atomic_load(&cached->blocks[block]);
    const uint8_t *narrow = codes;

    if (codes == NULL) {
        return false;
    }
    if (cached->column.width == 2) {
        memcpy(codes_out, codes, count * sizeof(*codes_out));
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        codes_out[i] = narrow[i];
    }
    return true;
}

/* Takes made over. */
static void put_block(struct segment_cache *cache,
                      struct segment_cached *cached,
                      size_t block,
                      void *made,
                      size_t bytes)
{
    bool is_put = false;

    (void)pthread_mutex_lock(&cache->lock);
    if (atomic_load(&cached->blocks[block]) == NULL &&
        make_room(cache, bytes)) {
        atomic_store(&cached->blocks[block], made);
        cached->bytes += bytes;
        cache->bytes += bytes;
        is_put = true;
    }
    (void)pthread_mutex_unlock(&cache->lock);
    if (!is_put) {
        free(made);
    }
}

void segment_cache_put_codes(struct segment_cache *cache,
                             struct segment_cached *cached,
                             size_t block,
                             const uint16_t *codes,
                             size_t count)
{
    unsigned width = cached->column.width;
    size_t bytes = count * width;
    uint8_t *made = bytes == 0 ? NULL : malloc(bytes);

    if (made == NULL) {
        return; /* it is unpacked again the next time */
    }
    if (width == 2) {
        memcpy(made, codes, bytes);
    }
    for (size_t i = 0; i < count && width == 1; i++) {
        made[i] = (uint8_t)codes[i];
    }
    put_block(cache, cached, block, made, bytes);
}

bool segment_cache_read_numbers(const struct segment_cached *cached,
                                size_t block,
                                size_t count,
                                int64_t *numbers_out)
{
    struct numbers *kept = atomic_load(&cached->blocks[block]);
    const uint32_t *wide;

    if (kept == NULL) {
        return false;
    }
    wide = wide_of(kept);
    for (size_t i = 0; i < count && kept->width == sizeof(uint16_t); i++) {
        numbers_out[i] = kept->narrow[i];
    }
    for (size_t i = 0; i < count && kept->width == sizeof(uint32_t); i++) {
        numbers_out[i] = wide[i];
    }
    return true;
}

void segment_cache_put_numbers(struct segment_cache *cache,
                               struct segment_cached *cached,
                               size_t block,
                               const int64_t *numbers,
                               size_t count)
{
    uint64_t all = 0;
    struct numbers *made;
    uint32_t *wide;
    uint32_t width;
    size_t bytes;

    for (size_t i = 0; i < count; i++) {
        all |= (uint64_t)numbers[i];
    }
    if (all > UINT32_MAX) {
        return;
    }
    width = all > UINT16_MAX ? sizeof(uint32_t) : sizeof(uint16_t);
    bytes = sizeof(*made) + count * width;
    made = malloc(bytes);
    if (made == NULL) {
        return; /* they are unpacked again the next time */
    }
    made->width = width;
    wide = wide_of(made);
    for (size_t i = 0; i < count && width == sizeof(uint16_t); i++) {
        made->narrow[i] = (uint16_t)numbers[i];
    }
    for (size_t i = 0; i < count && width == sizeof(uint32_t); i++) {
        wide[i] = (uint32_t)numbers[i];
    }
    put_block(cache, cached, block, made, bytes);
}
