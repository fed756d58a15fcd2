/* hash.h - SipHash-2-4, for keyed 64-bit hashes of short texts (Aumasson and
 * Bernstein, "SipHash: a fast short-input PRF", 2012). */
#ifndef LINKBELL_BASE_HASH_H
#define LINKBELL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define LB_HASH_KEY_BYTES 16

uint64_t lb_hash_sip(const uint8_t key[LB_HASH_KEY_BYTES],
                     const void *bytes,
                     size_t len);

/* SipHash-1-3: in half the time, for tables in memory whose hashes nobody sees.
 */
uint64_t lb_hash_sip_fast(const uint8_t key[LB_HASH_KEY_BYTES],
                          const void *bytes,
                          size_t len);

#endif
