/* import_repeat.c - all records as hashes, and the numbers of the few that come
 * more than once. */
#include "ingest/import_repeat.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/secret.h"
#include "ingest/id_set.h"

struct again {
    uint64_t hash; /* 0: free */
    uint32_t count;
};

struct import_repeat_count {
    uint8_t key[LB_HASH_KEY_BYTES];
    struct id_set seen;
    struct again *agains; /* owned; open addressing */
    size_t cap;           /* 0 or a power of two */
    size_t used;
};

struct import_repeat_count *import_repeat_new(void)
{
    struct import_repeat_count *count = calloc(1, sizeof(*count));

    if (count != NULL && !lb_secret_random(count->key, sizeof(count->key))) {
        free(count);
        return NULL;
    }
    return count;
}

void import_repeat_clear(struct import_repeat_count *count)
{
    id_set_deinit(&count->seen);
    free(count->agains);
    count->agains = NULL;
    count->cap = 0;
    count->used = 0;
}

void import_repeat_free(struct import_repeat_count *count)
{
    if (count != NULL) {
        import_repeat_clear(count);
        free(count);
    }
}

/* The place of a hash, or the free one where it would go. */
static struct again *find(struct again *agains, size_t cap, uint64_t hash)
{
    size_t at = (size_t)hash & (cap - 1);

    while (agains[at].hash != 0 && agains[at].hash != hash) {
        at = (at + 1) & (cap - 1);
    }
    return &agains[at];
}

static enum lb_err grow(struct import_repeat_count *count)
{
    size_t cap = count->cap == 0 ? 256 : count->cap * 2;
    struct again *agains = calloc(cap, sizeof(*agains));

    if (agains == NULL) {
        return LB_ENOMEM;
    }
    for (size_t i = 0; i < count->cap; i++) {
        if (count->agains[i].hash != 0) {
            *find(agains, cap, count->agains[i].hash) = count->agains[i];
        }
    }
    free(count->agains);
    count->agains = agains;
    count->cap = cap;
    return LB_OK;
}

uint64_t import_repeat_expect(const struct import_repeat_count *count,
                              const char *text,
                              size_t len)
{
    uint64_t hash = lb_hash_sip_fast(count->key, text, len) & ~UINT64_C(1);

    hash = hash == 0 ? 2 : hash;
    id_set_expect(&count->seen, hash);
    return hash;
}

enum lb_err import_repeat_add(struct import_repeat_count *count,
                              uint64_t number,
                              uint32_t *before_out)
{
    struct again *again;

    *before_out = 0;
    switch (id_set_meet(&count->seen, number)) {
    case ID_SET_NEW:
        return id_set_add(&count->seen, number, false);
    case ID_SET_KNOWN:
    case ID_SET_MET:
        break;
    }
    if ((count->used + 1) * 4 > count->cap * 3 && grow(count) != LB_OK) {
        return LB_ENOMEM;
    }
    again = find(count->agains, count->cap, number);
    if (again->hash == 0) {
        again->hash = number;
        count->used++;
    }
    *before_out = ++again->count;
    return LB_OK;
}
