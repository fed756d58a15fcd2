/* token.c - tokens through the API. */
#include "sql/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "base/secret.h"

#define SITES_MAX 256
#define PREFIX_CHARS 8
#define ANSWER_BYTES ((size_t)4 * 1024 * 1024)
#define JSON_DEPTH 8

static const struct {
    const char *name;
    unsigned scope;
} scopes[] = {{"ingest", CATALOG_SCOPE_INGEST},
              {"read", CATALOG_SCOPE_READ},
              {"export", CATALOG_SCOPE_EXPORT},
              {"admin", CATALOG_SCOPE_ADMIN}};
#define SCOPE_COUNT (sizeof(scopes) / sizeof(scopes[0]))

struct token_api {
    struct auth *auth;
    struct writer *writer;
    struct catalog_holder *holder;
};

struct token_job {
    struct writer_job job; /* first */
    struct token_api *api;
    struct lb_http_request *http;
    struct catalog_token token;
    char id[32];
    char prefix[PREFIX_CHARS + 1];
    char text[LB_SECRET_TOKEN_BYTES];
    int64_t sites[SITES_MAX];
    bool is_revocation;
};

static void add_token(struct lb_buf *out,
                      const struct catalog *catalog,
                      const struct catalog_token *token,
                      const char *text)
{
    lb_json_add_comma(out);
    lb_buf_add_char(out, '{');
    if (text != NULL) {
        lb_buf_printf(out, "\"token\":\"%s\",", text);
    }
    lb_buf_add_text(out, "\"id\":");
    lb_json_add_string(out, token->id);
    if (text == NULL) {
        lb_buf_add_text(out, ",\"prefix\":");
        lb_json_add_string(out, token->prefix);
    }
    lb_buf_add_text(out, ",\"scopes\":[");
    for (size_t i = 0; i < SCOPE_COUNT; i++) {
        if ((token->scopes & scopes[i].scope) != 0) {
            lb_json_add_comma(out);
            lb_json_add_string(out, scopes[i].name);
        }
    }
    lb_buf_add_text(out,
                    token->is_all_sites ? "],\"sites\":null" : "],\"sites\":[");
    for (size_t i = 0; i < token->site_count && !token->is_all_sites; i++) {
        const struct catalog_site *site =
            catalog_site_by_number(catalog, token->sites[i]);

        if (site != NULL) {
            lb_json_add_comma(out);
            lb_json_add_string(out, site->id);
        }
    }
    lb_buf_printf(
        out, "%s,\"in_url\":%s,\"created\":", token->is_all_sites ? "" : "]",
        token->is_in_url ? "true" : "false");
    lb_json_add_time(out, token->created_at_ms);
    lb_buf_add_text(out, ",\"last_used\":");
    lb_json_add_time(out, token->last_used_at_ms);
    lb_buf_add_text(out, ",\"revoked\":");
    lb_json_add_time(out, token->revoked_at_ms);
    lb_buf_add_char(out, '}');
}

static void handle_list(struct lb_http_request *http, void *ctx)
{
    const struct catalog *catalog = auth_who_of(http)->catalog;
    struct lb_buf answer;

    (void)ctx;
    lb_buf_init(&answer, ANSWER_BYTES);
    lb_buf_add_text(&answer, "{\"data\":[");
    for (size_t i = 0; i < catalog_token_count(catalog); i++) {
        add_token(&answer, catalog, catalog_token_at(catalog, i), NULL);
    }
    lb_buf_add_text(&answer, "],\"next\":null}");
    lb_http_respond_json(http, 200, &answer);
    lb_buf_deinit(&answer);
}

static enum lb_err
run(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct token_job *change = (struct token_job *)job;

    if (change->is_revocation) {
        return catalog_revoke_token(change->api->holder, db, change->id, err);
    }
    return catalog_put_token(change->api->holder, db, &change->token, err);
}

static void
done(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct token_job *change = (struct token_job *)job;
    struct lb_buf answer;

    lb_buf_init(&answer, ANSWER_BYTES);
    if (rc == LB_ENOTFOUND) {
        lb_http_respond_error(change->http, 404, "not_found",
                              "There is no such live token.", NULL);
    } else if (rc != LB_OK) {
        lb_http_respond_error(change->http, 503,
                              rc == LB_EFULL ? "disk_full" : "not_ready",
                              err->text, NULL);
    } else if (change->is_revocation) {
        lb_http_respond(change->http, 204, NULL, "", 0);
    } else {
        add_token(&answer, auth_who_of(change->http)->catalog, &change->token,
                  change->text);
        lb_http_respond_json(change->http, 201, &answer);
    }
    lb_buf_deinit(&answer);
    free(change);
}

static void
invalid(struct lb_http_request *http, const char *field, const char *message)
{
    struct lb_buf answer;

    lb_buf_init(&answer, 1024);
    lb_buf_printf(&answer,
                  "{\"error\":{\"code\":\"invalid\",\"message\":\"%s\","
                  "\"hint\":null,\"field\":\"%s\"}}",
                  message, field);
    lb_http_respond_json(http, 422, &answer);
    lb_buf_deinit(&answer);
}

static unsigned read_scopes(const cJSON *list)
{
    const cJSON *item;
    unsigned bits = 0;

    cJSON_ArrayForEach (item, list) {
        unsigned found = 0;

        for (size_t i = 0; i < SCOPE_COUNT; i++) {
            found = cJSON_IsString(item) &&
                            strcmp(scopes[i].name, item->valuestring) == 0
                        ? scopes[i].scope
                        : found;
        }
        if (found == 0) {
            return 0;
        }
        bits |= found;
    }
    return bits;
}

static bool read_sites(struct token_job *change,
                       const cJSON *list,
                       const struct catalog *catalog)
{
    const cJSON *item;

    change->token.is_all_sites = list == NULL || cJSON_IsNull(list);
    change->token.sites = change->sites;
    cJSON_ArrayForEach (item, list) {
        const struct catalog_site *site =
            cJSON_IsString(item) ? catalog_site_find(catalog, item->valuestring)
                                 : NULL;

        if (site == NULL || change->token.site_count == SITES_MAX) {
            return false;
        }
        change->sites[change->token.site_count++] = site->number;
    }
    return true;
}

static bool fill_token(struct token_job *change)
{
    if (!lb_secret_id("tk_", change->id, sizeof(change->id)) ||
        !lb_secret_new_token(change->text)) {
        return false;
    }
    (void)snprintf(change->prefix, sizeof(change->prefix), "%.*s", PREFIX_CHARS,
                   change->text);
    lb_secret_sha256(change->text, strlen(change->text), change->token.hash);
    change->token.id = change->id;
    change->token.prefix = change->prefix;
    change->token.created_at_ms = lb_clock_wall_ms();
    return true;
}

static void submit(struct token_job *change)
{
    change->job.run = run;
    change->job.done = done;
    if (writer_submit(change->api->writer, &change->job) != LB_OK) {
        lb_http_respond_error(change->http, 503, "overloaded",
                              "Too much waits to be stored.", NULL);
        free(change);
    }
}

static void handle_create(struct lb_http_request *http, void *ctx)
{
    const struct catalog *catalog = auth_who_of(http)->catalog;
    struct lb_buf *body = lb_http_request_body(http);
    struct token_job *change = calloc(1, sizeof(*change));
    struct lb_json_fault fault;
    cJSON *json = NULL;

    if (change == NULL ||
        lb_json_parse(lb_buf_text(body), body->len, JSON_DEPTH, NULL, &json,
                      &fault) != LB_OK) {
        lb_http_respond_error(http, 400, "bad_json", "The body is not JSON.",
                              NULL);
        free(change);
        return;
    }
    change->api = ctx;
    change->http = http;
    change->token.scopes =
        read_scopes(cJSON_GetObjectItemCaseSensitive(json, "scopes"));
    change->token.is_in_url = lb_json_is_true(json, "in_url");
    if (change->token.scopes == 0) {
        invalid(http, "scopes",
                "scopes must be a list of ingest, read, export, admin");
    } else if (!read_sites(change,
                           cJSON_GetObjectItemCaseSensitive(json, "sites"),
                           catalog)) {
        invalid(http, "sites", "sites names a site that is not there");
    } else if (change->token.is_in_url &&
               (change->token.site_count != 1 ||
                (change->token.scopes &
                 (CATALOG_SCOPE_INGEST | CATALOG_SCOPE_ADMIN)) != 0)) {
        invalid(http, "in_url",
                "a token for URLs has scope read or export and one site");
    } else if (!fill_token(change)) {
        lb_http_respond_error(http, 500, "internal",
                              "No random bytes to be had.", NULL);
    } else {
        submit(change);
        change = NULL;
    }
    cJSON_Delete(json);
    free(change);
}

static void handle_revoke(struct lb_http_request *http, void *ctx)
{
    struct token_job *change = calloc(1, sizeof(*change));

    if (change == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return;
    }
    change->api = ctx;
    change->http = http;
    change->is_revocation = true;
    (void)snprintf(change->id, sizeof(change->id), "%s",
                   lb_http_request_param(http, "id"));
    submit(change);
}

static void check(struct lb_http_request *http, void *ctx)
{
    struct token_api *api = ctx;

    (void)auth_check(api->auth, http, CATALOG_SCOPE_ADMIN, false);
}

enum lb_err token_api_new(struct lb_http_server *server,
                          struct auth *auth,
                          struct writer *writer,
                          struct catalog_holder *holder,
                          struct token_api **api_out,
                          struct lb_error *err)
{
    struct token_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route routes[] = {
        {"GET", "/v1/tokens", check, handle_list, api, 0},
        {"POST", "/v1/tokens", check, handle_create, api, 65536},
        {"DELETE", "/v1/tokens/{id}", check, handle_revoke, api, 0},
    };
    enum lb_err rc = LB_OK;

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->auth = auth;
    api->writer = writer;
    api->holder = holder;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rc == LB_OK;
         i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

void token_api_free(struct token_api *api)
{
    free(api);
}
