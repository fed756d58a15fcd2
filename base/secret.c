/* secret.c - random bytes, hashes, base64 and tokens. */
#include "base/secret.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/text.h"

#define BLOCK_BYTES 64 /* of SHA-256 */
#define TOKEN_BODY 43
#define TOKEN_CHECK 6
#define TOKEN_PREFIX "lb_"
#define WEBHOOK_PREFIX "whsec_"
#define WEBHOOK_LEAST 24 /* bytes of a key */

static const char base62[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char base64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool lb_secret_random(void *out, size_t len)
{
    return RAND_bytes(out, (int)len) == 1;
}

void lb_secret_sha256(const void *bytes,
                      size_t len,
                      uint8_t out[LB_SECRET_SHA256_BYTES])
{
    SHA256_CTX ctx;

    (void)SHA256_Init(&ctx);
    (void)SHA256_Update(&ctx, bytes, len);
    (void)SHA256_Final(out, &ctx);
}

void lb_secret_hmac_init(struct lb_secret_hmac *hmac,
                         const void *key,
                         size_t key_len)
{
    uint8_t block[BLOCK_BYTES] = {0};

    if (key_len > BLOCK_BYTES) {
        lb_secret_sha256(key, key_len, block);
    } else {
        memcpy(block, key, key_len);
    }
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        block[i] ^= 0x36;
    }
    (void)SHA256_Init(&hmac->inner);
    (void)SHA256_Update(&hmac->inner, block, sizeof(block));
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        block[i] ^= 0x36 ^ 0x5c;
    }
    (void)SHA256_Init(&hmac->outer);
    (void)SHA256_Update(&hmac->outer, block, sizeof(block));
    OPENSSL_cleanse(block, sizeof(block));
}

void lb_secret_hmac_start(const struct lb_secret_hmac *hmac,
                          SHA256_CTX *message)
{
    *message = hmac->inner;
}

void lb_secret_hmac_add(SHA256_CTX *message, const void *bytes, size_t len)
{
    (void)SHA256_Update(message, bytes, len);
}

void lb_secret_hmac_finish(const struct lb_secret_hmac *hmac,
                           SHA256_CTX *message,
                           uint8_t out[LB_SECRET_SHA256_BYTES])
{
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    SHA256_CTX outer = hmac->outer;

    (void)SHA256_Final(digest, message);
    (void)SHA256_Update(&outer, digest, sizeof(digest));
    (void)SHA256_Final(out, &outer);
}

bool lb_secret_is_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void lb_secret_add_base64(struct lb_buf *buf, const void *bytes, size_t len)
{
    const uint8_t *in = bytes;

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t word = (uint32_t)in[i] << 16 |
                        (left > 1 ? (uint32_t)in[i + 1] << 8 : 0u) |
                        (left > 2 ? in[i + 2] : 0u);
        const char out[4] = {base64[word >> 18 & 63], base64[word >> 12 & 63],
                             base64[word >> 6 & 63], base64[word & 63]};
        size_t used = left > 2 ? 4 : left + 1;

        lb_buf_add(buf, out, used);
        lb_buf_add(buf, "==", sizeof(out) - used);
    }
}

long lb_secret_from_base64(const char *text,
                           size_t len,
                           uint8_t *out,
                           size_t out_bytes)
{
    uint32_t word = 0;
    unsigned bits = 0;
    size_t used = 0;

    if (len % 4 == 0) {
        len -= len > 0 && text[len - 1] == '=' ? 1 : 0;
        len -= len > 0 && text[len - 1] == '=' ? 1 : 0;
    }
    if (len % 4 == 1) {
        return -1;
    }
    for (size_t i = 0; i < len; i++) {
        const char *at = text[i] == '\0' ? NULL : strchr(base64, text[i]);

        if (at == NULL) {
            return -1;
        }
        word = word << 6 | (uint32_t)(at - base64);
        bits += 6;
        if (bits < 8) {
            continue;
        }
        bits -= 8;
        if (used >= out_bytes) {
            return -1;
        }
        out[used++] = (uint8_t)(word >> bits);
    }
    return (word & ((1u << bits) - 1)) == 0 ? (long)used : -1;
}

size_t lb_secret_from_webhook(const char *text,
                              uint8_t out[LB_SECRET_WEBHOOK_BYTES])
{
    size_t prefix = sizeof(WEBHOOK_PREFIX) - 1;
    size_t skip = strncmp(text, WEBHOOK_PREFIX, prefix) == 0 ? prefix : 0;
    long bytes = lb_secret_from_base64(text + skip, strlen(text + skip), out,
                                       LB_SECRET_WEBHOOK_BYTES);

    return bytes < WEBHOOK_LEAST ? 0 : (size_t)bytes;
}

bool lb_secret_id(const char *prefix, char *out, size_t out_bytes)
{
    uint8_t bytes[8];
    char hex[17];

    if (!lb_secret_random(bytes, sizeof(bytes))) {
        return false;
    }
    lb_text_to_hex(bytes, sizeof(bytes), hex);
    (void)snprintf(out, out_bytes, "%s%s", prefix, hex);
    return true;
}

static void write_check(const char *body, char out[TOKEN_CHECK])
{
    uLong crc = crc32(0, (const Bytef *)body, TOKEN_BODY);

    for (int i = TOKEN_CHECK - 1; i >= 0; i--) {
        out[i] = base62[crc % 62];
        crc /= 62;
    }
}

bool lb_secret_new_token(char out[LB_SECRET_TOKEN_BYTES])
{
    uint8_t bytes[32];
    char *body = out + sizeof(TOKEN_PREFIX) - 1;

    if (!lb_secret_random(bytes, sizeof(bytes))) {
        return false;
    }
    memcpy(out, TOKEN_PREFIX, sizeof(TOKEN_PREFIX));
    /* 256 bits as a number in base 62: 43 digits. */
    for (int digit = TOKEN_BODY - 1; digit >= 0; digit--) {
        unsigned rest = 0;

        for (size_t i = 0; i < sizeof(bytes); i++) {
            rest = rest * 256 + bytes[i];
            bytes[i] = (uint8_t)(rest / 62);
            rest %= 62;
        }
        body[digit] = base62[rest];
    }
    write_check(body, body + TOKEN_BODY);
    body[TOKEN_BODY + TOKEN_CHECK] = '\0';
    return true;
}

static bool is_base62(const char *text)
{
    for (; *text != '\0'; text++) {
        if (!(*text >= '0' && *text <= '9') &&
            !(*text >= 'A' && *text <= 'Z') &&
            !(*text >= 'a' && *text <= 'z')) {
            return false;
        }
    }
    return true;
}

bool lb_secret_is_token(const char *text)
{
    const char *body = text + sizeof(TOKEN_PREFIX) - 1;
    char check[TOKEN_CHECK];

    if (strlen(text) != LB_SECRET_TOKEN_BYTES - 1 ||
        memcmp(text, TOKEN_PREFIX, sizeof(TOKEN_PREFIX) - 1) != 0 ||
        !is_base62(body)) {
        return false;
    }
    write_check(body, check);
    return memcmp(check, body + TOKEN_BODY, TOKEN_CHECK) == 0;
}

double lb_secret_share(void)
{
    uint32_t bits = 0;

    return lb_secret_random(&bits, sizeof(bits)) ? (double)bits / 4294967296.0
                                                 : 0.5;
}
