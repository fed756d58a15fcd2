/* faces.c - whether somebody was met before. */
#include "alerts/faces.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define FIRST_SLOTS ((size_t)1 << 10)
#define MOST_SLOTS ((size_t)1 << 21) /* 16 MiB; half of them are in use */

struct generation {
    uint64_t *slots; /* owned; a power of two; 0: free */
    size_t slot_count;
    size_t count;
};

struct faces {
    struct generation now;
    struct generation before;
};

struct faces *faces_new(void)
{
    struct faces *faces = calloc(1, sizeof(*faces));

    if (faces != NULL) {
        faces->now.slot_count = FIRST_SLOTS;
        faces->now.slots = calloc(FIRST_SLOTS, sizeof(uint64_t));
        if (faces->now.slots == NULL) {
            faces_free(faces);
            return NULL;
        }
    }
    return faces;
}

void faces_free(struct faces *faces)
{
    if (faces != NULL) {
        free(faces->now.slots);
        free(faces->before.slots);
        free(faces);
    }
}

/* The slot of the hash, or the free one where it belongs. */
static uint64_t *find(const struct generation *in, uint64_t hash)
{
    size_t at = (size_t)hash & (in->slot_count - 1);

    while (in->slots[at] != 0 && in->slots[at] != hash) {
        at = (at + 1) & (in->slot_count - 1);
    }
    return &in->slots[at];
}

static bool grow(struct generation *in)
{
    struct generation more = {.slot_count = in->slot_count * 2,
                              .count = in->count};

    if (in->slot_count == MOST_SLOTS) {
        return false;
    }
    more.slots = calloc(more.slot_count, sizeof(uint64_t));
    if (more.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < in->slot_count; i++) {
        if (in->slots[i] != 0) {
            *find(&more, in->slots[i]) = in->slots[i];
        }
    }
    free(in->slots);
    *in = more;
    return true;
}

/* What came before goes, and what came now is what came before. */
static void turn(struct faces *faces)
{
    struct generation emptied = faces->before;

    if (emptied.slot_count != faces->now.slot_count) {
        free(emptied.slots);
        emptied =
            (struct generation){calloc(faces->now.slot_count, sizeof(uint64_t)),
                                faces->now.slot_count, 0};
    } else {
        emptied.count = 0;
        if (emptied.slots != NULL) {
            memset(emptied.slots, 0, emptied.slot_count * sizeof(uint64_t));
        }
    }
    if (emptied.slots == NULL) { /* all are forgotten then */
        faces->before = (struct generation){NULL, 0, 0};
        memset(faces->now.slots, 0, faces->now.slot_count * sizeof(uint64_t));
        faces->now.count = 0;
        return;
    }
    faces->before = faces->now;
    faces->now = emptied;
}

bool faces_is_new(struct faces *faces, const void *key, size_t len)
{
    static const uint8_t hash_key[LB_HASH_KEY_BYTES] = {7};
    uint64_t hash = lb_hash_sip_fast(hash_key, key, len);
    uint64_t *slot;

    hash = hash == 0 ? 1 : hash;
    if (*find(&faces->now, hash) == hash ||
        (faces->before.slots != NULL && *find(&faces->before, hash) == hash)) {
        return false;
    }
    if (faces->now.count * 2 >= faces->now.slot_count && !grow(&faces->now)) {
        turn(faces);
    }
    slot = find(&faces->now, hash);
    *slot = hash;
    faces->now.count++;
    return true;
}
