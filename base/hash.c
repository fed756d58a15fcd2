/* hash.c - SipHash-2-4 and SipHash-1-3. */
#include "base/hash.h"

#include <string.h>

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t load_le(const uint8_t *bytes, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

/* Left to itself, the compiler calls it where it stands in loops. */
__attribute__((always_inline)) static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* Inlined for each of the two strengths. */
static inline uint64_t sip(const uint8_t key[LB_HASH_KEY_BYTES],
                           const uint8_t *in,
                           size_t len,
                           int word_rounds,
                           int last_rounds)
{
    uint64_t k0 = load_le(key, 8);
    uint64_t k1 = load_le(key + 8, 8);
    uint64_t v[4] = {
        k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
        k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
    size_t whole = len - len % 8;
    uint64_t last = (uint64_t)len << 56;

    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word;
        memcpy(&word, in + i, sizeof(word));
        v[3] ^= word;
        for (int j = 0; j < word_rounds; j++) {
            sip_round(v);
        }
        v[0] ^= word;
    }
    if (len > whole) {
        last |= load_le(in + whole, len - whole);
    }
    v[3] ^= last;
    for (int j = 0; j < word_rounds; j++) {
        sip_round(v);
    }
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < last_rounds; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t
lb_hash_sip(const uint8_t key[LB_HASH_KEY_BYTES], const void *bytes, size_t len)
{
    return sip(key, bytes, len, 2, 4);
}

uint64_t lb_hash_sip_fast(const uint8_t key[LB_HASH_KEY_BYTES],
                          const void *bytes,
                          size_t len)
{
    return sip(key, bytes, len, 1, 3);
}
