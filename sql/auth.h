/* auth.h - who asks: bearer tokens and the local socket.  The loop thread's. */
#ifndef LINKBELL_SQL_AUTH_H
#define LINKBELL_SQL_AUTH_H

#include <stdbool.h>

#include "base/client_rules.h"
#include "base/http_server.h"
#include "sql/catalog.h"
#include "sql/writer.h"

struct auth;

/* Parts are borrowed for its life; clients tells whose bad tokens count
 * together.
 */
LB_MUST_CHECK enum lb_err auth_new(struct writer *writer,
                                   struct catalog_holder *holder,
                                   const struct lb_client_rules *clients,
                                   struct auth **auth_out,
                                   struct lb_error *err);
void auth_free(struct auth *auth);

/* Who asks, once a check passed.  catalog is a reference that the request gives
 * back. */
struct auth_who {
    struct catalog *catalog;
    const struct catalog_token
        *token; /* NULL: the local socket, which may do all */
};

/* What became of a request's token. */
enum auth_verdict {
    AUTH_OK,
    AUTH_MISSING,
    AUTH_WRONG,
    AUTH_LIMITED, /* too many wrong ones came from that address */
    AUTH_LACKS_SCOPE,
    AUTH_NO_MEMORY
};

/* Checks that the request holds scope (one of enum catalog_scope) and answers
 * nothing.  On AUTH_OK the request keeps who asks (auth_who_of()).
 * is_key_taken: `?key=` may stand for the header. */
enum auth_verdict auth_find(struct auth *auth,
                            struct lb_http_request *request,
                            unsigned scope,
                            bool is_key_taken);

/* Checks that the request holds scope (one of enum catalog_scope).  On success
 * the request keeps the verdict (auth_who_of()); else 401, 403 or 429 was
 * answered and false is returned.  is_key_taken: `?key=` may stand for the
 * header. */
bool auth_check(struct auth *auth,
                struct lb_http_request *request,
                unsigned scope,
                bool is_key_taken);
const struct auth_who *auth_who_of(const struct lb_http_request *request);

/* Whether the asker may see a site. */
bool auth_may_site(const struct auth_who *who, int64_t site);
bool auth_has_scope(const struct auth_who *who, unsigned scope);

#endif
