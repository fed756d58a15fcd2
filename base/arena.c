/* arena.c - memory that is given back all at once. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK_BYTES ((size_t)4064) /* with malloc's header, a page */
/* Larger ones would be mapped and unmapped each time. */
#define ARENA_BLOCK_MAX ((size_t)64 * 1024)

struct arena_block {
    struct arena_block *next;
    size_t cap;
    size_t used;
    alignas(max_align_t) char data[];
};

struct lb_arena {
    struct arena_block *blocks; /* owned; newest first */
    size_t used;
    size_t max;
    bool is_tight;
};

struct lb_arena *lb_arena_new(size_t max_bytes)
{
    struct lb_arena *arena = calloc(1, sizeof(*arena));

    if (arena != NULL) {
        arena->max = max_bytes;
    }
    return arena;
}

struct lb_arena *lb_arena_new_tight(size_t max_bytes)
{
    struct lb_arena *arena = lb_arena_new(max_bytes);

    if (arena != NULL) {
        arena->is_tight = true;
    }
    return arena;
}

static void free_blocks(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;

        free(block);
        block = next;
    }
}

void lb_arena_free(struct lb_arena *arena)
{
    if (arena != NULL) {
        free_blocks(arena->blocks);
        free(arena);
    }
}

void lb_arena_clear(struct lb_arena *arena)
{
    if (arena->blocks != NULL) { /* the newest one is as large as any */
        free_blocks(arena->blocks->next);
        arena->blocks->next = NULL;
        arena->blocks->used = 0;
    }
    arena->used = 0;
}

static struct arena_block *add_block(struct lb_arena *arena, size_t bytes)
{
    size_t cap = ARENA_BLOCK_BYTES - sizeof(struct arena_block);
    struct arena_block *block;

    /* Blocks grow with the arena, so a large batch needs few of them. */
    if (arena->blocks != NULL) {
        cap = arena->blocks->cap * 2;
    }
    cap = cap > ARENA_BLOCK_MAX ? ARENA_BLOCK_MAX : cap;
    cap = cap < bytes || arena->is_tight ? bytes : cap;
    block = malloc(sizeof(*block) + cap);
    if (block == NULL) {
        return NULL;
    }
    block->cap = cap;
    block->used = 0;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *lb_arena_alloc(struct lb_arena *arena, size_t bytes)
{
    const size_t align = alignof(max_align_t);
    struct arena_block *block = arena->blocks;
    void *memory;

    if (bytes > arena->max || arena->used > arena->max - bytes) {
        return NULL;
    }
    bytes = (bytes + align - 1) & ~(align - 1);
    if (block == NULL || block->cap - block->used < bytes) {
        block = add_block(arena, bytes);
        if (block == NULL) {
            return NULL;
        }
    }
    memory = block->data + block->used;
    block->used += bytes;
    arena->used += bytes;
    return memory;
}

void *lb_arena_calloc(struct lb_arena *arena, size_t bytes)
{
    void *memory = lb_arena_alloc(arena, bytes);

    if (memory != NULL) {
        memset(memory, 0, bytes);
    }
    return memory;
}

char *lb_arena_text(struct lb_arena *arena, const char *bytes, size_t len)
{
    char *text = lb_arena_alloc(arena, len + 1);

    if (text != NULL) {
        if (len > 0) {
            memcpy(text, bytes, len);
        }
        text[len] = '\0';
    }
    return text;
}

size_t lb_arena_held(const struct lb_arena *arena)
{
    size_t bytes = sizeof(*arena);

    for (const struct arena_block *block = arena->blocks; block != NULL;
         block = block->next) {
        bytes += sizeof(*block) + block->cap;
    }
    return bytes;
}

size_t lb_arena_bytes(const struct lb_arena *arena)
{
    return arena->used;
}
