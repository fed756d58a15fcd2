/* auth.c - bearer tokens, their scopes, and a brake on guessing. */
#include "sql/auth.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/metrics.h"
#include "base/secret.h"

#define GUESS_SLOTS 4096 /* addresses whose bad tokens are counted */
#define GUESSES_PER_MINUTE 10
#define USE_PERIOD_MS LB_MS_PER_MIN /* last_used is that exact */
#define USED_TOKENS 256

struct guess {
    uint64_t address; /* keyed hash; in memory only */
    int64_t minute;
    unsigned count;
};

struct auth {
    struct writer *writer;
    struct catalog_holder *holder;
    const struct lb_client_rules *clients;
    uint8_t key[LB_HASH_KEY_BYTES];
    struct guess guesses[GUESS_SLOTS];
    struct {
        char id[32];
        int64_t noted_at_ms;
    } used[USED_TOKENS];
};

enum lb_err auth_new(struct writer *writer,
                     struct catalog_holder *holder,
                     const struct lb_client_rules *clients,
                     struct auth **auth_out,
                     struct lb_error *err)
{
    struct auth *auth = calloc(1, sizeof(*auth));

    *auth_out = auth;
    if (auth == NULL || !lb_secret_random(auth->key, sizeof(auth->key))) {
        free(auth);
        *auth_out = NULL;
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    auth->writer = writer;
    auth->holder = holder;
    auth->clients = clients;
    return LB_OK;
}

void auth_free(struct auth *auth)
{
    free(auth);
}

static struct guess *guess_of(struct auth *auth,
                              const struct lb_http_request *request)
{
    struct lb_ip client = lb_client_rules_find(auth->clients, request);
    /* A subscriber has a /64 of IPv6 at least. */
    uint64_t hash =
        lb_hash_sip(auth->key, client.bytes, client.len == 4 ? 4 : 8);
    struct guess *guess;

    guess = &auth->guesses[hash % GUESS_SLOTS];
    if (guess->address != hash ||
        guess->minute != lb_clock_mono_ms() / LB_MS_PER_MIN) {
        guess->address = hash;
        guess->minute = lb_clock_mono_ms() / LB_MS_PER_MIN;
        guess->count = 0;
    }
    return guess;
}

static enum auth_verdict judge_guess(struct auth *auth,
                                     const struct lb_http_request *request)
{
    struct guess *guess = guess_of(auth, request);

    if (++guess->count <= GUESSES_PER_MINUTE) {
        return AUTH_WRONG;
    }
    lb_metrics_limit_hit("bad_tokens");
    return AUTH_LIMITED;
}

struct use_job {
    struct writer_job job;
    struct auth *auth;
    int64_t at_ms;
    char id[32];
};

static enum lb_err
run_use(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct use_job *use = (struct use_job *)job;

    return catalog_use_token(use->auth->holder, db, use->id, use->at_ms, err);
}

static void
done_use(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    (void)rc;
    (void)err;
    free(job);
}

static void note_use(struct auth *auth, const struct catalog_token *token)
{
    int64_t now_ms = lb_clock_wall_ms();
    size_t slot = (size_t)(token->hash[0] ^ token->hash[1]) % USED_TOKENS;
    struct use_job *use;

    if (strcmp(auth->used[slot].id, token->id) == 0 &&
        now_ms - auth->used[slot].noted_at_ms < USE_PERIOD_MS &&
        now_ms >= auth->used[slot].noted_at_ms) {
        return;
    }
    use = calloc(1, sizeof(*use));
    if (use == NULL) {
        return;
    }
    memcpy(auth->used[slot].id, token->id,
           strnlen(token->id, sizeof(use->id) - 1) + 1);
    auth->used[slot].noted_at_ms = now_ms;
    memcpy(use->id, auth->used[slot].id, sizeof(use->id));
    use->auth = auth;
    use->at_ms = now_ms;
    use->job.run = run_use;
    use->job.done = done_use;
    if (writer_submit(auth->writer, &use->job) != LB_OK) {
        free(use);
    }
}

static const char *find_token_text(struct lb_http_request *request,
                                   bool is_key_taken,
                                   bool *is_in_url_out)
{
    const char *header = lb_http_request_header(request, "Authorization");

    *is_in_url_out = false;
    if (header != NULL) {
        if (strncasecmp(header, "Bearer ", 7) != 0) {
            return NULL;
        }
        header += 7;
        return header + strspn(header, " ");
    }
    *is_in_url_out = true;
    return is_key_taken ? lb_http_request_query(request, "key", 0) : NULL;
}

static void free_who(void *user)
{
    struct auth_who *who = user;

    catalog_unref(who->catalog);
    free(who);
}

enum auth_verdict auth_find(struct auth *auth,
                            struct lb_http_request *request,
                            unsigned scope,
                            bool is_key_taken)
{
    struct auth_who *who = calloc(1, sizeof(*who));
    uint8_t hash[LB_SECRET_SHA256_BYTES];
    bool is_in_url = false;
    const char *text;

    if (who == NULL) {
        return AUTH_NO_MEMORY;
    }
    who->catalog = catalog_current(auth->holder);
    lb_http_request_set_user(request, who, free_who);
    if (lb_http_request_is_local(request) &&
        lb_http_request_header(request, "Authorization") == NULL) {
        return AUTH_OK;
    }
    text = find_token_text(request, is_key_taken, &is_in_url);
    if (text != NULL && lb_secret_is_token(text)) {
        lb_secret_sha256(text, strlen(text), hash);
        who->token = catalog_token_find(who->catalog, hash);
    }
    if (who->token == NULL || who->token->revoked_at_ms != 0 ||
        (is_in_url && !who->token->is_in_url)) {
        enum auth_verdict verdict = judge_guess(auth, request);

        return verdict == AUTH_WRONG && text == NULL ? AUTH_MISSING : verdict;
    }
    if (!auth_has_scope(who, scope)) {
        return AUTH_LACKS_SCOPE;
    }
    note_use(auth, who->token);
    return AUTH_OK;
}

bool auth_check(struct auth *auth,
                struct lb_http_request *request,
                unsigned scope,
                bool is_key_taken)
{
    switch (auth_find(auth, request, scope, is_key_taken)) {
    case AUTH_OK:
        return true;
    case AUTH_MISSING:
    case AUTH_WRONG:
        lb_http_respond_header(request, "WWW-Authenticate", "Bearer");
        lb_http_respond_error(request, 401, "unauthorized",
                              "This needs a valid token.",
                              "Send Authorization: Bearer with a token of "
                              "`linkbell token create`.");
        break;
    case AUTH_LIMITED:
        lb_http_respond_header(request, "Retry-After", "60");
        lb_http_respond_error(
            request, 429, "rate_limited",
            "Too many bad tokens came from this address.",
            "Wait a minute, then use a token of `linkbell token create`.");
        break;
    case AUTH_LACKS_SCOPE:
        lb_http_respond_error(request, 403, "scope",
                              "This token lacks the scope that this needs.",
                              "Make one with `linkbell token create --scope`.");
        break;
    case AUTH_NO_MEMORY:
        lb_http_respond_error(request, 500, "internal", "Out of memory.", NULL);
        break;
    }
    return false;
}

const struct auth_who *auth_who_of(const struct lb_http_request *request)
{
    return lb_http_request_user(request);
}

bool auth_has_scope(const struct auth_who *who, unsigned scope)
{
    return who->token == NULL ||
           (who->token->scopes & (scope | CATALOG_SCOPE_ADMIN)) != 0;
}

bool auth_may_site(const struct auth_who *who, int64_t site)
{
    if (who->token == NULL || who->token->is_all_sites) {
        return true;
    }
    for (size_t i = 0; i < who->token->site_count; i++) {
        if (who->token->sites[i] == site) {
            return true;
        }
    }
    return false;
}
