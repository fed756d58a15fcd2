/* client_rate.c - a table of clients seen this second. */
#include "ingest/client_rate.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/secret.h"

#define SLOTS 4096 /* two clients that share one push each other out */

struct slot {
    uint64_t client; /* keyed hash */
    int64_t second;  /* monotonic */
    int64_t sent;
};

struct client_rate {
    uint8_t key[LB_HASH_KEY_BYTES];
    struct slot slots[SLOTS];
};

struct client_rate *client_rate_new(void)
{
    struct client_rate *rate = calloc(1, sizeof(*rate));

    if (rate != NULL && !lb_secret_random(rate->key, sizeof(rate->key))) {
        free(rate);
        rate = NULL;
    }
    return rate;
}

void client_rate_free(struct client_rate *rate)
{
    free(rate);
}

bool client_rate_take(struct client_rate *rate,
                      const struct lb_ip *client,
                      size_t count,
                      int64_t per_second,
                      int64_t now_ms)
{
    size_t len = client->len == 16 ? 8 : client->len;
    uint64_t hash = lb_hash_sip_fast(rate->key, client->bytes, len);
    struct slot *slot = &rate->slots[hash % SLOTS];
    int64_t second = now_ms / LB_MS_PER_S;

    if (slot->client != hash || slot->second != second) {
        *slot = (struct slot){hash, second, 0};
    }
    if (slot->sent > 0 && slot->sent + (int64_t)count > per_second) {
        return false;
    }
    slot->sent += (int64_t)count;
    return true;
}
