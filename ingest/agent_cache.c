/* agent_cache.c - two answers a set, the one asked for last first. */
#include "ingest/agent_cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/secret.h"

#define WAYS 2
#define SETS (AGENT_CACHE_ANSWERS / WAYS) /* a power of two */

struct place {
    uint64_t hash; /* 0: free */
    struct agent_answer answer;
};

struct agent_cache {
    struct bot_list *bots;      /* owned */
    struct agent_table *agents; /* owned */
    uint8_t key[LB_HASH_KEY_BYTES];
    pthread_mutex_t lock; /* over what follows; nobody waits for it */
    struct place sets[SETS][WAYS];
};

enum lb_err agent_cache_new(struct agent_cache **cache_out,
                            struct lb_error *err)
{
    struct agent_cache *cache = calloc(1, sizeof(*cache));

    *cache_out = NULL;
    if (cache == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    (void)pthread_mutex_init(&cache->lock, NULL);
    cache->bots = bot_list_new();
    cache->agents = agent_table_new();
    if (cache->bots == NULL || cache->agents == NULL) {
        agent_cache_free(cache);
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    if (!lb_secret_random(cache->key, sizeof(cache->key))) {
        agent_cache_free(cache);
        return lb_err_set(err, LB_EIO, "no random bytes to be had");
    }
    *cache_out = cache;
    return LB_OK;
}

void agent_cache_free(struct agent_cache *cache)
{
    if (cache != NULL) {
        agent_table_free(cache->agents);
        bot_list_free(cache->bots);
        (void)pthread_mutex_destroy(&cache->lock);
        free(cache);
    }
}

/* With the lock: the answer moves to the front of its set. */
static void put_first(struct place set[WAYS], const struct place *place)
{
    set[1] = set[0];
    set[0] = *place;
}

static bool recall(struct agent_cache *cache,
                   uint64_t hash,
                   struct agent_answer *answer_out)
{
    struct place *set = cache->sets[hash & (SETS - 1)];
    bool is_known = false;

    if (pthread_mutex_trylock(&cache->lock) != 0) {
        return false;
    }
    if (set[1].hash == hash) {
        const struct place place = set[1];

        put_first(set, &place);
    }
    if (set[0].hash == hash) {
        *answer_out = set[0].answer;
        is_known = true;
    }
    (void)pthread_mutex_unlock(&cache->lock);
    return is_known;
}

static void keep(struct agent_cache *cache,
                 uint64_t hash,
                 const struct agent_answer *answer)
{
    const struct place place = {hash, *answer};

    if (pthread_mutex_trylock(&cache->lock) == 0) {
        put_first(cache->sets[hash & (SETS - 1)], &place);
        (void)pthread_mutex_unlock(&cache->lock);
    }
}

struct agent_answer
agent_cache_find(struct agent_cache *cache, const char *text, size_t len)
{
    struct agent_answer answer;
    uint64_t hash;

    len = len < AGENT_BYTES ? len : AGENT_BYTES;
    hash = lb_hash_sip_fast(cache->key, text, len);
    hash = hash == 0 ? 1 : hash;
    if (!recall(cache, hash, &answer)) {
        answer.agent = agent_read(cache->agents, text, len);
        answer.verdict = bot_judge(cache->bots, text, len);
        keep(cache, hash, &answer);
    }
    return answer;
}
