/* secret.h - random bytes, SHA-256, HMAC with a prepared key, base64, and the
 * form of tokens.  On OpenSSL's libcrypto. */
#ifndef LINKBELL_BASE_SECRET_H
#define LINKBELL_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/sha.h>

#include "base/buf.h"
#include "base/err.h"

#define LB_SECRET_SHA256_BYTES 32

/* False when the system has no random bytes to give. */
LB_MUST_CHECK bool lb_secret_random(void *out, size_t len);
/* A random number from 0 to below 1; 0.5 when there is none to be had. */
double lb_secret_share(void);

void lb_secret_sha256(const void *bytes,
                      size_t len,
                      uint8_t out[LB_SECRET_SHA256_BYTES]);

/* HMAC-SHA256 (RFC 2104); the key's blocks are hashed once, by
 * lb_secret_hmac_init(). */
struct lb_secret_hmac {
    SHA256_CTX inner;
    SHA256_CTX outer;
};
void lb_secret_hmac_init(struct lb_secret_hmac *hmac,
                         const void *key,
                         size_t key_len);
/* One message out of parts: start from the key, add, finish. */
void lb_secret_hmac_start(const struct lb_secret_hmac *hmac,
                          SHA256_CTX *message);
void lb_secret_hmac_add(SHA256_CTX *message, const void *bytes, size_t len);
void lb_secret_hmac_finish(const struct lb_secret_hmac *hmac,
                           SHA256_CTX *message,
                           uint8_t out[LB_SECRET_SHA256_BYTES]);

bool lb_secret_is_equal(const void *a,
                        const void *b,
                        size_t len); /* constant time */

/* Standard alphabet with padding (RFC 4648, 4). */
void lb_secret_add_base64(struct lb_buf *buf, const void *bytes, size_t len);
/* Strict; padding may be missing.  -1 for anything else or when out is too
 * small. */
long lb_secret_from_base64(const char *text,
                           size_t len,
                           uint8_t *out,
                           size_t out_bytes);

/* The key of Standard Webhooks in its text form: whsec_ (which may be missing)
 * and base64 of 24 to 64 bytes.  0 when text is none. */
#define LB_SECRET_WEBHOOK_BYTES 64
size_t lb_secret_from_webhook(const char *text,
                              uint8_t out[LB_SECRET_WEBHOOK_BYTES]);

/* "prefix" and 16 random hex digits. */
LB_MUST_CHECK bool
lb_secret_id(const char *prefix, char *out, size_t out_bytes);

/* "lb_", 43 characters that carry 256 random bits, 6 of checksum (CRC-32 of the
 * 43). */
#define LB_SECRET_TOKEN_BYTES 53 /* with NUL */
LB_MUST_CHECK bool lb_secret_new_token(char out[LB_SECRET_TOKEN_BYTES]);
bool lb_secret_is_token(const char *text);

#endif
