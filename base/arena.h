/* arena.h - memory that is given back all at once.  One owner at a time, no
 * lock. A request's events lie in one arena that is freed with its answer. */
#ifndef LINKBELL_BASE_ARENA_H
#define LINKBELL_BASE_ARENA_H

#include <stddef.h>

struct lb_arena; /* a chain of blocks */

/* max_bytes bounds what the arena may hold in all.  NULL when out of memory. */
struct lb_arena *lb_arena_new(size_t max_bytes);
/* One whose blocks are as long as what is asked for: for few allocations that
 * stay. */
struct lb_arena *lb_arena_new_tight(size_t max_bytes);
void lb_arena_free(struct lb_arena *arena); /* NULL is fine */

/* Everything that was handed out is given back; one block stays for what
 * comes next. */
void lb_arena_clear(struct lb_arena *arena);

/* Memory aligned for any type, not cleared; NULL past the maximum or when out
 * of memory.  Good until the arena is freed. */
void *lb_arena_alloc(struct lb_arena *arena, size_t bytes);
void *lb_arena_calloc(struct lb_arena *arena, size_t bytes);

/* A NUL-terminated copy of len bytes; NULL as above. */
char *lb_arena_text(struct lb_arena *arena, const char *bytes, size_t len);

/* Bytes that it holds, handed out or not. */
size_t lb_arena_held(const struct lb_arena *arena);
/* Bytes handed out so far. */
size_t lb_arena_bytes(const struct lb_arena *arena);

#endif
