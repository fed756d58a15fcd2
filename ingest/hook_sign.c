/* hook_sign.c - verifying inbound webhooks. */
#include "ingest/hook_sign.h"

#include <string.h>
#include <strings.h>

#include "base/secret.h"
#include "base/text.h"

#define DIGEST_BYTES LB_SECRET_SHA256_BYTES
#define HEX_DIGITS (2 * (size_t)DIGEST_BYTES)
#define BASE64_CHARS 44 /* of a digest, padded */
#define SHA256_PREFIX "sha256="
#define VERSION_PREFIX "v1,"
#define VALUES 16           /* of one webhook-signature that are looked at */
#define TIMESTAMP_DIGITS 12 /* some 30,000 years */
#define ID_BYTES 256

static const char *const schemes[HOOK_SIGN_SCHEME_COUNT] = {
    "hmac", "standard", "header", "url_secret", "none"};
static const char *const encodings[HOOK_SIGN_ENCODING_COUNT] = {
    "auto", "hex", "sha256=hex", "base64"};

const char *hook_sign_scheme_name(enum hook_sign_scheme scheme)
{
    return schemes[scheme];
}

const char *hook_sign_encoding_name(enum hook_sign_encoding encoding)
{
    return encodings[encoding];
}

bool hook_sign_scheme_find(const char *name, enum hook_sign_scheme *scheme_out)
{
    for (int i = 0; i < HOOK_SIGN_SCHEME_COUNT; i++) {
        if (strcmp(name, schemes[i]) == 0) {
            *scheme_out = (enum hook_sign_scheme)i;
            return true;
        }
    }
    return false;
}

bool hook_sign_encoding_find(const char *name,
                             enum hook_sign_encoding *encoding_out)
{
    for (int i = 0; i < HOOK_SIGN_ENCODING_COUNT; i++) {
        if (strcmp(name, encodings[i]) == 0) {
            *encoding_out = (enum hook_sign_encoding)i;
            return true;
        }
    }
    return false;
}

bool hook_sign_add_secret(struct hook_sign *sign, const char *text)
{
    struct hook_sign_secret *secret = &sign->secrets[sign->secret_count];
    size_t len = strlen(text);

    if (sign->secret_count == HOOK_SIGN_SECRETS || len == 0 ||
        len > sizeof(secret->bytes)) {
        return false;
    }
    if (sign->scheme == HOOK_SIGN_STANDARD) {
        secret->len = lb_secret_from_webhook(text, secret->bytes);
    } else {
        memcpy(secret->bytes, text, len);
        secret->len = len;
    }
    if (secret->len == 0 || (sign->scheme == HOOK_SIGN_URL_SECRET &&
                             secret->len < HOOK_SIGN_URL_LEAST)) {
        return false;
    }
    sign->secret_count++;
    return true;
}

const char *hook_sign_reason(enum hook_sign_verdict verdict)
{
    static const char *const reasons[] = {"none",     "missing", "malformed",
                                          "wrong",    "old",     "no_secret",
                                          "not_local"};

    return reasons[verdict];
}

/* --- digests -------------------------------------------------------------- */

static bool read_hex(const char *text, uint8_t out[DIGEST_BYTES])
{
    if (strlen(text) != HEX_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        int high = lb_text_hex(text[2 * i]);
        int low = lb_text_hex(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool read_base64(const char *text, size_t len, uint8_t out[DIGEST_BYTES])
{
    return (len == BASE64_CHARS || len == BASE64_CHARS - 1) &&
           lb_secret_from_base64(text, len, out, DIGEST_BYTES) == DIGEST_BYTES;
}

/* Whether text is a digest written in the given way. */
static bool read_as(enum hook_sign_encoding encoding,
                    const char *text,
                    uint8_t out[DIGEST_BYTES])
{
    size_t prefix = sizeof(SHA256_PREFIX) - 1;

    switch (encoding) {
    case HOOK_SIGN_HEX:
        return read_hex(text, out);
    case HOOK_SIGN_SHA256_HEX:
        return strncmp(text, SHA256_PREFIX, prefix) == 0 &&
               read_hex(text + prefix, out);
    case HOOK_SIGN_BASE64:
        return read_base64(text, strlen(text), out);
    case HOOK_SIGN_AUTO:
        break;
    }
    return false;
}

static bool read_digest(enum hook_sign_encoding wanted,
                        const char *text,
                        uint8_t out[DIGEST_BYTES],
                        enum hook_sign_encoding *encoding_out)
{
    for (int i = HOOK_SIGN_HEX; i < HOOK_SIGN_ENCODING_COUNT; i++) {
        *encoding_out = (enum hook_sign_encoding)i;
        if ((wanted == HOOK_SIGN_AUTO || wanted == *encoding_out) &&
            read_as(*encoding_out, text, out)) {
            return true;
        }
    }
    return false;
}

/* HMAC of head (each part followed by a dot) and body, under each secret; of a
 * source without any under an empty one, so that it takes the same time. */
static void make_digests(const struct hook_sign *sign,
                         const char *const *head,
                         size_t head_count,
                         const struct hook_sign_proof *proof,
                         uint8_t out[HOOK_SIGN_SECRETS][DIGEST_BYTES])
{
    for (size_t i = 0; i == 0 || i < sign->secret_count; i++) {
        const struct hook_sign_secret *secret = &sign->secrets[i];
        struct lb_secret_hmac hmac;
        SHA256_CTX message;

        lb_secret_hmac_init(&hmac, secret->bytes, secret->len);
        lb_secret_hmac_start(&hmac, &message);
        for (size_t j = 0; j < head_count; j++) {
            lb_secret_hmac_add(&message, head[j], strlen(head[j]));
            lb_secret_hmac_add(&message, ".", 1);
        }
        lb_secret_hmac_add(&message, proof->body, proof->len);
        lb_secret_hmac_finish(&hmac, &message, out[i]);
    }
}

static bool is_any(const uint8_t digests[HOOK_SIGN_SECRETS][DIGEST_BYTES],
                   size_t count,
                   const uint8_t given[DIGEST_BYTES])
{
    bool is_found = false;

    for (size_t i = 0; i < count; i++) {
        is_found =
            lb_secret_is_equal(digests[i], given, DIGEST_BYTES) || is_found;
    }
    return is_found;
}

/* --- times ---------------------------------------------------------------- */

static bool read_timestamp(const char *text, int64_t *at_s_out)
{
    long long at_s = 0;

    if (!lb_text_is_made_of(text, "0-9", TIMESTAMP_DIGITS) ||
        (text[0] == '0' && text[1] != '\0') || !lb_text_to_int(text, &at_s)) {
        return false;
    }
    *at_s_out = at_s;
    return true;
}

static bool is_fresh(const struct hook_sign *sign, int64_t at_s, int64_t now_s)
{
    int64_t away_s = now_s > at_s ? now_s - at_s : at_s - now_s;

    return away_s <= sign->tolerance_s;
}

/* --- schemes -------------------------------------------------------------- */

static enum hook_sign_verdict verify_hmac(const struct hook_sign *sign,
                                          const struct hook_sign_proof *proof,
                                          enum hook_sign_encoding *encoding_out)
{
    bool is_timed = sign->timestamp_header != NULL;
    const char *timestamp = proof->timestamp == NULL ? "" : proof->timestamp;
    uint8_t digests[HOOK_SIGN_SECRETS][DIGEST_BYTES];
    uint8_t given[DIGEST_BYTES] = {0};
    int64_t at_s = 0;
    bool is_right;
    bool is_read;

    make_digests(sign, &timestamp, is_timed ? 1 : 0, proof, digests);
    is_read = proof->value != NULL &&
              read_digest(sign->encoding, proof->value, given, encoding_out);
    is_right = is_any((const uint8_t(*)[DIGEST_BYTES])digests,
                      sign->secret_count, given);
    if (proof->value == NULL || (is_timed && proof->timestamp == NULL)) {
        return HOOK_SIGN_MISSING;
    }
    if (!is_read || (is_timed && !read_timestamp(timestamp, &at_s))) {
        return HOOK_SIGN_MALFORMED;
    }
    if (!is_right) {
        return HOOK_SIGN_WRONG;
    }
    return is_timed && !is_fresh(sign, at_s, proof->now_s) ? HOOK_SIGN_OLD
                                                           : HOOK_SIGN_RIGHT;
}

/* Whether one of the values, parted by spaces, is the signature. */
static bool is_signed(const struct hook_sign *sign,
                      const char *values,
                      const uint8_t digests[HOOK_SIGN_SECRETS][DIGEST_BYTES])
{
    size_t prefix = sizeof(VERSION_PREFIX) - 1;
    bool is_found = false;

    for (int i = 0; i < VALUES && *values != '\0'; i++) {
        size_t len = strcspn(values, " ");
        uint8_t given[DIGEST_BYTES];

        if (strncmp(values, VERSION_PREFIX, prefix) == 0 &&
            read_base64(values + prefix, len - prefix, given)) {
            is_found = is_any(digests, sign->secret_count, given) || is_found;
        }
        values += len + (values[len] == ' ' ? 1 : 0);
    }
    return is_found;
}

static enum hook_sign_verdict
verify_standard(const struct hook_sign *sign,
                const struct hook_sign_proof *proof)
{
    const char *head[2] = {proof->id == NULL ? "" : proof->id,
                           proof->timestamp == NULL ? "" : proof->timestamp};
    uint8_t digests[HOOK_SIGN_SECRETS][DIGEST_BYTES];
    int64_t at_s = 0;

    make_digests(sign, head, 2, proof, digests);
    if (proof->value == NULL || proof->id == NULL || proof->timestamp == NULL) {
        return HOOK_SIGN_MISSING;
    }
    /* A dot in the id would leave open where the id ends. */
    if (!lb_text_is_made_of(proof->id, "!-~", ID_BYTES) ||
        strchr(proof->id, '.') != NULL ||
        !read_timestamp(proof->timestamp, &at_s)) {
        return HOOK_SIGN_MALFORMED;
    }
    if (!is_signed(sign, proof->value,
                   (const uint8_t(*)[DIGEST_BYTES])digests)) {
        return HOOK_SIGN_WRONG;
    }
    return is_fresh(sign, at_s, proof->now_s) ? HOOK_SIGN_RIGHT : HOOK_SIGN_OLD;
}

/* Compares texts of any length by their digests: in the time that the given one
 * takes, whatever the secret is. */
static bool is_secret(const struct hook_sign *sign, const char *text)
{
    uint8_t given[DIGEST_BYTES];
    bool is_found = false;

    lb_secret_sha256(text, strlen(text), given);
    for (size_t i = 0; i < sign->secret_count; i++) {
        const struct hook_sign_secret *secret = &sign->secrets[i];
        uint8_t own[DIGEST_BYTES];

        lb_secret_sha256(secret->bytes, secret->len, own);
        is_found = lb_secret_is_equal(own, given, DIGEST_BYTES) || is_found;
    }
    return is_found;
}

static enum hook_sign_verdict verify_header(const struct hook_sign *sign,
                                            const struct hook_sign_proof *proof)
{
    static const char bearer[] = "Bearer ";
    bool has_bearer = proof->value != NULL &&
                      strcasecmp(sign->header, "Authorization") == 0 &&
                      strncmp(proof->value, bearer, sizeof(bearer) - 1) == 0;

    if (proof->value == NULL) {
        return HOOK_SIGN_MISSING;
    }
    return is_secret(sign, proof->value) ||
                   (has_bearer &&
                    is_secret(sign, proof->value + sizeof(bearer) - 1))
               ? HOOK_SIGN_RIGHT
               : HOOK_SIGN_WRONG;
}

enum hook_sign_verdict hook_sign_verify(const struct hook_sign *sign,
                                        const struct hook_sign_proof *proof,
                                        enum hook_sign_encoding *encoding_out)
{
    enum hook_sign_verdict verdict = HOOK_SIGN_WRONG;

    *encoding_out = sign->encoding;
    switch (sign->scheme) {
    case HOOK_SIGN_HMAC:
        verdict = verify_hmac(sign, proof, encoding_out);
        break;
    case HOOK_SIGN_STANDARD:
        verdict = verify_standard(sign, proof);
        break;
    case HOOK_SIGN_HEADER:
        verdict = verify_header(sign, proof);
        break;
    case HOOK_SIGN_URL_SECRET:
        if (proof->url_secret == NULL) {
            return HOOK_SIGN_MISSING;
        }
        verdict = is_secret(sign, proof->url_secret) ? HOOK_SIGN_RIGHT
                                                     : HOOK_SIGN_WRONG;
        break;
    case HOOK_SIGN_NONE:
        verdict = proof->is_near ? HOOK_SIGN_RIGHT : HOOK_SIGN_FAR;
        break;
    }
    if (proof->url_secret != NULL && sign->scheme != HOOK_SIGN_URL_SECRET) {
        return HOOK_SIGN_MALFORMED;
    }
    return sign->secret_count == 0 && sign->scheme != HOOK_SIGN_NONE
               ? HOOK_SIGN_NO_SECRET
               : verdict;
}
