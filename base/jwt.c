/* jwt.c - JSON Web Tokens signed with RS256. */
#include "base/jwt.h"

#include <stdint.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/secret.h"

#define SIGNATURE_BYTES 1024 /* of a key of 8192 bits */
#define PART_BYTES ((size_t)16 * 1024)

/* RFC 4648, 5, without padding. */
static void add_base64url(struct lb_buf *out, const void *bytes, size_t len)
{
    struct lb_buf part;

    lb_buf_init(&part, PART_BYTES);
    lb_secret_add_base64(&part, bytes, len);
    for (size_t i = 0; i < part.len && part.data[i] != '='; i++) {
        char c = part.data[i];

        if (c == '+') {
            c = '-';
        } else if (c == '/') {
            c = '_';
        }
        lb_buf_add_char(out, c);
    }
    out->is_failed = out->is_failed || part.is_failed;
    lb_buf_deinit(&part);
}

static EVP_PKEY *read_key(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, (int)strlen(text));
    EVP_PKEY *key =
        bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    BIO_free(bio);
    if (key != NULL && EVP_PKEY_base_id(key) != EVP_PKEY_RSA) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

enum lb_err lb_jwt_sign(const char *header,
                        const char *claims,
                        const char *key,
                        struct lb_buf *out,
                        struct lb_error *err)
{
    uint8_t signature[SIGNATURE_BYTES];
    size_t len = sizeof(signature);
    EVP_PKEY *pkey = read_key(key);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct lb_buf text;
    enum lb_err rc = LB_OK;

    lb_buf_init(&text, PART_BYTES);
    add_base64url(&text, header, strlen(header));
    lb_buf_add_char(&text, '.');
    add_base64url(&text, claims, strlen(claims));
    if (pkey == NULL || ctx == NULL) {
        rc = lb_err_set(err, LB_EFORMAT, "there is no RSA key in PEM");
    } else if (text.is_failed ||
               EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey) != 1 ||
               EVP_DigestSign(ctx, signature, &len,
                              (const uint8_t *)lb_buf_text(&text),
                              text.len) != 1) {
        rc = lb_err_set(err, LB_EINTERNAL, "the token can't be signed");
    } else {
        lb_buf_add(out, lb_buf_text(&text), text.len);
        lb_buf_add_char(out, '.');
        add_base64url(out, signature, len);
    }
    lb_buf_deinit(&text);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return rc;
}
