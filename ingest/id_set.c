/* id_set.c - open addressing, in pieces by the first byte of the hash. */
#include "ingest/id_set.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

void id_set_init(struct id_set *set)
{
    memset(set, 0, sizeof(*set));
}

void id_set_deinit(struct id_set *set)
{
    for (size_t i = 0; i < ID_SET_PIECES; i++) {
        free(set->pieces[i].slots);
    }
    id_set_init(set);
}

static size_t piece_of(uint64_t hash)
{
    return (size_t)(hash >> 56);
}

/* A slot is the hash with the mark as its last bit; 0 stands for a free one. */
static uint64_t key_of(uint64_t hash)
{
    uint64_t key = hash & ~UINT64_C(1);

    return key == 0 ? 2 : key;
}

/* The slot of a key, or the free one where it would go. */
static size_t find(const struct id_set_piece *piece, uint64_t key)
{
    size_t at = (size_t)(key >> 1) & (piece->cap - 1);

    while (piece->slots[at] != 0 && key_of(piece->slots[at]) != key) {
        at = (at + 1) & (piece->cap - 1);
    }
    return at;
}

static enum lb_err grow(struct id_set_piece *piece)
{
    struct id_set_piece grown = {
        NULL, piece->cap == 0 ? FIRST_CAP : piece->cap * 2, piece->count};

    /* Written at once: memory that is read before takes two page faults, and
     * the second one interrupts all threads. */
    grown.slots = malloc(grown.cap * sizeof(*grown.slots));
    if (grown.slots == NULL) {
        return LB_ENOMEM;
    }
    memset(grown.slots, 0, grown.cap * sizeof(*grown.slots));
    for (size_t i = 0; i < piece->cap; i++) {
        if (piece->slots[i] != 0) {
            grown.slots[find(&grown, key_of(piece->slots[i]))] =
                piece->slots[i];
        }
    }
    free(piece->slots);
    *piece = grown;
    return LB_OK;
}

enum lb_err id_set_add(struct id_set *set, uint64_t hash, bool is_met)
{
    struct id_set_piece *piece = &set->pieces[piece_of(hash)];
    uint64_t key = key_of(hash);
    size_t at;

    /* Past four fifths searches for what is new get long: 13 slots there, 32 at
     * seven eighths (Knuth, TAOCP 3, 6.4). */
    if ((piece->count + 1) * 5 > piece->cap * 4 && grow(piece) != LB_OK) {
        return LB_ENOMEM;
    }
    at = find(piece, key);
    piece->count += piece->slots[at] == 0 ? 1 : 0;
    piece->slots[at] |= key | (is_met ? 1 : 0);
    return LB_OK;
}

enum id_set_found id_set_meet(struct id_set *set, uint64_t hash)
{
    struct id_set_piece *piece = &set->pieces[piece_of(hash)];
    uint64_t *slot;

    if (piece->cap == 0) {
        return ID_SET_NEW;
    }
    slot = &piece->slots[find(piece, key_of(hash))];
    if (*slot == 0) {
        return ID_SET_NEW;
    }
    if ((*slot & 1) != 0) {
        return ID_SET_MET;
    }
    *slot |= 1;
    return ID_SET_KNOWN;
}

void id_set_expect(const struct id_set *set, uint64_t hash)
{
    const struct id_set_piece *piece = &set->pieces[piece_of(hash)];

    if (piece->cap > 0) {
        __builtin_prefetch(&piece->slots[(hash >> 1) & (piece->cap - 1)]);
    }
}
