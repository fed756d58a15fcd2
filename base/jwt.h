/* jwt.h - JSON Web Tokens signed with RS256 (RFC 7519, RFC 7518 3.3), as
 * services take them for an access token. */
#ifndef LINKBELL_BASE_JWT_H
#define LINKBELL_BASE_JWT_H

#include "base/buf.h"
#include "base/err.h"

/* Appends header "." claims "." signature, each base64url without padding.
 * header and claims are JSON; key is an RSA private key in PEM.  LB_EFORMAT: it
 * is none. */
LB_MUST_CHECK enum lb_err lb_jwt_sign(const char *header,
                                      const char *claims,
                                      const char *key,
                                      struct lb_buf *out,
                                      struct lb_error *err);

#endif
