/* segment_cache.h - coded columns of sealed segments and visitors' numbers,
 * unpacked, that all readers share: the next question about them unpacks
 * nothing.  A segment never changes and its number is never used again, so
 * nothing goes stale.  When it is full, one of eight that are missing comes in,
 * for others at random: a question that needs more than there is room for still
 * finds its share, where the longest unused first would leave it none. */
#ifndef LINKBELL_SQL_SEGMENT_CACHE_H
#define LINKBELL_SQL_SEGMENT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "sql/segment.h"

struct segment_cache;

/* One column; taken by those that use it. */
struct segment_cached;

/* max_bytes 0: keeps nothing.  NULL: out of memory. */
struct segment_cache *segment_cache_new(size_t max_bytes);
void segment_cache_free(struct segment_cache *cache); /* NULL is fine */
/* Any thread, and so all below. */
size_t segment_cache_bytes(struct segment_cache *cache);

/* The column of that key (the segment's number times 64, and the column's);
 * NULL: it is not there. */
struct segment_cached *segment_cache_take(struct segment_cache *cache,
                                          int64_t key);
/* Puts what the arena holds, which goes over; column's values are in it, its
 * packed bytes are not kept.
 * Returns what is there now, taken: this one or another reader's; NULL: there
 * is no room, and the arena stays the caller's. */
struct segment_cached *segment_cache_put(struct segment_cache *cache,
                                         int64_t key,
                                         struct lb_arena *arena,
                                         const struct segment_column *column);
void segment_cache_release(struct segment_cache *cache,
                           struct segment_cached *cached);

const struct segment_column *
segment_cache_column(const struct segment_cached *cached);
/* The block's codes, good until the column is released; NULL: nobody has put
 * them yet, or they are kept as bytes. */
const uint16_t *segment_cache_codes(const struct segment_cached *cached,
                                    size_t block);
/* Writes the block's codes; false: nobody has put them yet. */
bool segment_cache_read(const struct segment_cached *cached,
                        size_t block,
                        size_t count,
                        uint16_t *codes_out);
/* Keeps the block's codes, if there is memory. */
void segment_cache_put_codes(struct segment_cache *cache,
                             struct segment_cached *cached,
                             size_t block,
                             const uint16_t *codes,
                             size_t count);

/* Likewise, of a column of numbers. */
bool segment_cache_read_numbers(const struct segment_cached *cached,
                                size_t block,
                                size_t count,
                                int64_t *numbers_out);
/* Keeps them where none is negative or past 32 bits. */
void segment_cache_put_numbers(struct segment_cache *cache,
                               struct segment_cached *cached,
                               size_t block,
                               const int64_t *numbers,
                               size_t count);

#endif
