/* sender_rate.c - a table of senders that came just now. */
#include "ingest/sender_rate.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/secret.h"

#define SETS 1024
#define WAYS 4 /* slots in which a sender may stand */
#define TEXT_BYTES 64
#define US_PER_S INT64_C(1000000)
#define US_PER_MS 1000

struct slot {
    uint64_t sender;
    int64_t paid_until_us; /* monotonic; the future is what the sender owes */
};

struct sender_rate {
    uint8_t key[LB_HASH_KEY_BYTES];
    struct slot slots[SETS][WAYS];
};

struct sender_rate *sender_rate_new(void)
{
    struct sender_rate *rate = calloc(1, sizeof(*rate));

    if (rate != NULL && !lb_secret_random(rate->key, sizeof(rate->key))) {
        free(rate);
        rate = NULL;
    }
    return rate;
}

void sender_rate_free(struct sender_rate *rate)
{
    free(rate);
}

static uint64_t
hash(const struct sender_rate *rate, char kind, const void *bytes, size_t len)
{
    char text[1 + TEXT_BYTES] = {kind};
    uint64_t sender;

    len = len < TEXT_BYTES ? len : TEXT_BYTES;
    memcpy(text + 1, bytes, len);
    sender = lb_hash_sip_fast(rate->key, text, 1 + len);
    return sender == 0 ? 1 : sender;
}

uint64_t sender_rate_of_token(const struct sender_rate *rate, const char *id)
{
    return hash(rate, 't', id, strlen(id));
}

uint64_t sender_rate_of_source(const struct sender_rate *rate, const char *id)
{
    return hash(rate, 's', id, strlen(id));
}

uint64_t sender_rate_of_client(const struct sender_rate *rate,
                               const struct lb_ip *client)
{
    return hash(rate, 'c', client->bytes, client->len == 16 ? 8 : client->len);
}

/* The sender's slot, or that of whoever owes least: who floods keeps theirs. */
static struct slot *find(struct sender_rate *rate, uint64_t sender)
{
    struct slot *set = rate->slots[sender % SETS];
    struct slot *least = set;

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].sender == sender) {
            return &set[i];
        }
        least = set[i].paid_until_us < least->paid_until_us ? &set[i] : least;
    }
    *least = (struct slot){sender, 0};
    return least;
}

bool sender_rate_take(struct sender_rate *rate,
                      uint64_t sender,
                      size_t count,
                      int64_t per_second,
                      int64_t now_ms,
                      int64_t *wait_ms_out)
{
    struct slot *slot = find(rate, sender);
    int64_t now_us = now_ms * US_PER_MS;
    int64_t cost_us = (int64_t)count * US_PER_S / per_second;
    int64_t owed_us =
        slot->paid_until_us > now_us ? slot->paid_until_us - now_us : 0;

    *wait_ms_out = 0;
    if (owed_us > 0 && owed_us + cost_us > US_PER_S) {
        int64_t over_us = owed_us + cost_us - US_PER_S;

        over_us = over_us < owed_us ? over_us : owed_us;
        *wait_ms_out = (over_us + US_PER_MS - 1) / US_PER_MS;
        return false;
    }
    slot->paid_until_us = now_us + owed_us + cost_us;
    return true;
}
