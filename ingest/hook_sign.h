/* hook_sign.h - whether an inbound webhook comes from whom it should: by an
 * HMAC over the body's bytes as sent, by Standard Webhooks 1.0.0
 * (https://www.standardwebhooks.com, scheme v1), or by a secret in a header or
 * in the path.  Pure; secrets are compared in constant time, and each live one
 * is tried whatever came before. */
#ifndef LINKBELL_INGEST_HOOK_SIGN_H
#define LINKBELL_INGEST_HOOK_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOOK_SIGN_SECRETS 2        /* live at a time: the new and the old */
#define HOOK_SIGN_SECRET_BYTES 512 /* of one, at most */
#define HOOK_SIGN_URL_LEAST 24     /* characters of a secret in a path */
#define HOOK_SIGN_TOLERANCE_S 300  /* unless the source says otherwise */

enum hook_sign_scheme {
    HOOK_SIGN_HMAC,
    HOOK_SIGN_STANDARD,
    HOOK_SIGN_HEADER,
    HOOK_SIGN_URL_SECRET,
    HOOK_SIGN_NONE
};
#define HOOK_SIGN_SCHEME_COUNT 5

/* How an HMAC is written. */
enum hook_sign_encoding {
    HOOK_SIGN_AUTO, /* whichever of the others it has the form of */
    HOOK_SIGN_HEX,
    HOOK_SIGN_SHA256_HEX, /* "sha256=" before it */
    HOOK_SIGN_BASE64
};
#define HOOK_SIGN_ENCODING_COUNT 4

/* The words of the configuration.  Static. */
const char *hook_sign_scheme_name(enum hook_sign_scheme scheme);
const char *hook_sign_encoding_name(enum hook_sign_encoding encoding);
bool hook_sign_scheme_find(const char *name, enum hook_sign_scheme *scheme_out);
bool hook_sign_encoding_find(const char *name,
                             enum hook_sign_encoding *encoding_out);

struct hook_sign_secret {
    uint8_t bytes[HOOK_SIGN_SECRET_BYTES];
    size_t len;
};

/* What a source asks for. */
struct hook_sign {
    enum hook_sign_scheme scheme;
    enum hook_sign_encoding encoding; /* of hmac */
    const char *header;               /* of hmac and header */
    const char *timestamp_header;     /* of hmac; NULL: none is signed */
    int64_t tolerance_s;
    struct hook_sign_secret secrets[HOOK_SIGN_SECRETS];
    size_t secret_count;
};

/* Takes a secret in its text form: decoded under standard, the text's bytes
 * otherwise.  False when it is none, or one more than there may be. */
bool hook_sign_add_secret(struct hook_sign *sign, const char *text);

/* What a request brings; a text is NULL when it is missing or stands there
 * twice. */
struct hook_sign_proof {
    const char *value;      /* of header, or of webhook-signature */
    const char *timestamp;  /* of timestamp_header, or of webhook-timestamp */
    const char *id;         /* of webhook-id */
    const char *url_secret; /* the path's last part, where it has one */
    bool is_near;           /* the peer is on this machine */
    const char *body;       /* as sent */
    size_t len;
    int64_t now_s;
};

enum hook_sign_verdict {
    HOOK_SIGN_RIGHT,
    HOOK_SIGN_MISSING,   /* a header or the path's secret */
    HOOK_SIGN_MALFORMED, /* not of the form that is asked for */
    HOOK_SIGN_WRONG,
    HOOK_SIGN_OLD,       /* or too far ahead */
    HOOK_SIGN_NO_SECRET, /* the source has none to compare with */
    HOOK_SIGN_FAR        /* unsigned, and not from this machine */
};

/* The word of a verdict in metrics.  Static. */
const char *hook_sign_reason(enum hook_sign_verdict verdict);

/* *encoding_out tells how a right HMAC was written. */
enum hook_sign_verdict hook_sign_verify(const struct hook_sign *sign,
                                        const struct hook_sign_proof *proof,
                                        enum hook_sign_encoding *encoding_out);

#endif
