/* seen.c - the values of first_seen that a batch touches. */
#include "alerts/seen.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

struct seen {
    struct lb_secret_hmac key;
    struct alert_store_seen *rows; /* owned */
    uint32_t *slots;               /* owned; a power of two; row + 1, 0: free */
    size_t max;
    size_t count;
    size_t slot_count;
};

struct seen *seen_new(size_t max, const uint8_t key[ALERT_STORE_HASH_BYTES])
{
    struct seen *seen = calloc(1, sizeof(*seen));

    if (seen == NULL) {
        return NULL;
    }
    seen->max = max;
    seen->slot_count = 16;
    while (seen->slot_count < 2 * max) {
        seen->slot_count *= 2;
    }
    seen->rows = calloc(max, sizeof(*seen->rows));
    seen->slots = calloc(seen->slot_count, sizeof(*seen->slots));
    if (seen->rows == NULL || seen->slots == NULL) {
        seen_free(seen);
        return NULL;
    }
    lb_secret_hmac_init(&seen->key, key, ALERT_STORE_HASH_BYTES);
    return seen;
}

void seen_free(struct seen *seen)
{
    if (seen != NULL) {
        free(seen->rows);
        free(seen->slots);
        free(seen);
    }
}

void seen_clear(struct seen *seen)
{
    if (seen->count > 0) {
        memset(seen->slots, 0, seen->slot_count * sizeof(*seen->slots));
        seen->count = 0;
    }
}

static void
hash_values(const struct seen *seen, const char *values, uint8_t out[16])
{
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    SHA256_CTX message;

    lb_secret_hmac_start(&seen->key, &message);
    lb_secret_hmac_add(&message, values, strlen(values));
    lb_secret_hmac_finish(&seen->key, &message, digest);
    memcpy(out, digest, ALERT_STORE_HASH_BYTES);
}

struct alert_store_seen *
seen_get(struct seen *seen, int64_t rule, int64_t site, const char *values)
{
    return seen_get_until(seen, rule, site, 0, values);
}

struct alert_store_seen *seen_get_until(struct seen *seen,
                                        int64_t rule,
                                        int64_t site,
                                        int64_t expires_at_ms,
                                        const char *values)
{
    struct alert_store_seen row = {
        .expires_at_ms = expires_at_ms, .rule = rule, .site = site};
    uint64_t at;

    hash_values(seen, values, row.hash);
    memcpy(&at, row.hash, sizeof(at));
    at = (at + (uint64_t)rule * 31 + (uint64_t)site) & (seen->slot_count - 1);
    while (seen->slots[at] != 0) {
        struct alert_store_seen *found = &seen->rows[seen->slots[at] - 1];

        if (found->rule == rule && found->site == site &&
            found->expires_at_ms == expires_at_ms &&
            memcmp(found->hash, row.hash, sizeof(row.hash)) == 0) {
            return found;
        }
        at = (at + 1) & (seen->slot_count - 1);
    }
    if (seen->count == seen->max) {
        return NULL;
    }
    seen->rows[seen->count] = row;
    seen->slots[at] = (uint32_t)++seen->count;
    return &seen->rows[seen->count - 1];
}

static int compare_rows(const void *a, const void *b)
{
    const struct alert_store_seen *x = a;
    const struct alert_store_seen *y = b;

    if (x->expires_at_ms != y->expires_at_ms) {
        return x->expires_at_ms < y->expires_at_ms ? -1 : 1;
    }
    if (x->rule != y->rule) {
        return x->rule < y->rule ? -1 : 1;
    }
    if (x->site != y->site) {
        return x->site < y->site ? -1 : 1;
    }
    return memcmp(x->hash, y->hash, sizeof(x->hash));
}

void seen_sort(struct seen *seen)
{
    qsort(seen->rows, seen->count, sizeof(*seen->rows), compare_rows);
}

struct alert_store_seen *seen_rows(struct seen *seen)
{
    return seen->rows;
}

size_t seen_count(const struct seen *seen)
{
    return seen->count;
}

size_t seen_room(const struct seen *seen)
{
    return seen->max - seen->count;
}
