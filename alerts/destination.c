/* destination.c - reading destinations, secrets, signatures. */
#include "alerts/destination.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/config.h"
#include "base/json.h"
#include "base/secret_read.h"
#include "base/text.h"

#define SECRETS_BYTES 1024 /* of a file of secrets */
#define REQUEST_URL_BYTES 8192
#define REQUEST_HEADER_BYTES 8192
#define REQUEST_BODY_BYTES                                                     \
    ((size_t)128 * 1024 * 1024) /* of a stream's rows                          \
                                 */

#define DEFAULT_CONCURRENCY 4
#define CONCURRENCY_MAX 64

const struct destination_type *const destination_types[] = {
    &slack_type,         &webhook_type, &zapier_type,
    &discord_type,       &teams_type,   &telegram_type,
    &pagerduty_type,     &hubspot_type, &airtable_type,
    &google_sheets_type, &email_type,   &csv_type,
    &redis_stream_type,  &sqs_type,     &s3_type,
    &clickhouse_type,    NULL};

/* Delays after a failed attempt: Standard Webhooks' example with three early
 * steps added, so that a restart of the receiver costs a minute. */
static const char *const default_retries[] = {
    "5s", "30s", "2m", "10m", "30m", "2h", "5h", "10h", "14h", "20h", "24h"};

static enum lb_err add_secret(struct destination *destination,
                              const char *text,
                              const char *name,
                              struct lb_error *err)
{
    size_t at = destination->secret_count;

    if (at == DESTINATION_SECRETS) {
        return lb_err_set(
            err, LB_EINVAL,
            "more than two secrets; keep the new and the old one");
    }
    destination->secret_bytes[at] =
        lb_secret_from_webhook(text, destination->secrets[at]);
    if (destination->secret_bytes[at] == 0) {
        return lb_err_set(
            err, LB_EINVAL,
            "%s holds no secret (whsec_ and base64 of 24 to 64 bytes)", name);
    }
    destination->secret_count++;
    return LB_OK;
}

/* Each line of text is a secret. */
static enum lb_err add_secrets(struct destination *destination,
                               char *text,
                               const char *name,
                               struct lb_error *err)
{
    const char *line;
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && (line = lb_secret_read_line(&text)) != NULL) {
        rc = add_secret(destination, line, name, err);
    }
    return rc;
}

static enum lb_err read_secrets(struct destination *destination,
                                struct lb_error *err)
{
    const cJSON *names =
        cJSON_GetObjectItemCaseSensitive(destination->body, "secrets_env");
    const char *path = lb_json_text(destination->body, "secrets_file");
    char text[SECRETS_BYTES];
    const cJSON *name;
    enum lb_err rc = LB_OK;

    cJSON_ArrayForEach (name, names) {
        const char *variable = cJSON_IsString(name) ? name->valuestring : "";

        rc = lb_secret_read_env(variable, text, sizeof(text), err);
        rc = rc == LB_OK ? add_secrets(destination, text, variable, err) : rc;
        if (rc != LB_OK) {
            return rc;
        }
    }
    if (path != NULL) {
        rc = lb_secret_read_file(path, text, sizeof(text), err);
        rc = rc == LB_OK ? add_secrets(destination, text, path, err) : rc;
    }
    return rc;
}

const struct destination_type *destination_type_find(const char *name)
{
    for (size_t i = 0; name != NULL && destination_types[i] != NULL; i++) {
        if (strcmp(destination_types[i]->name, name) == 0) {
            return destination_types[i];
        }
    }
    return NULL;
}

const char *destination_outcome_name(enum destination_outcome outcome)
{
    static const char *const names[] = {"success",   "retry", "throttled",
                                        "permanent", "auth",  "disable",
                                        "next"};

    return names[outcome];
}

/* The first line of what KEY_env or KEY_file names; LB_ENOTFOUND: neither key
 * is there. */
static enum lb_err read_named(const cJSON *body,
                              const char *key,
                              char *out,
                              size_t out_bytes,
                              struct lb_error *err)
{
    char name[64];
    const char *env;
    const char *path;
    enum lb_err rc;

    (void)snprintf(name, sizeof(name), "%.40s_env", key);
    env = lb_json_text(body, name);
    (void)snprintf(name, sizeof(name), "%.40s_file", key);
    path = lb_json_text(body, name);
    if (env == NULL && path == NULL) {
        return lb_err_set(err, LB_ENOTFOUND, "it has no %.40s", key);
    }
    rc = env != NULL ? lb_secret_read_env(env, out, out_bytes, err)
                     : lb_secret_read_file(path, out, out_bytes, err);
    out[strcspn(out, "\r\n")] = '\0';
    if (rc == LB_OK && out[0] == '\0') {
        rc = lb_err_set(err, LB_EINVAL, "%.80s is empty",
                        env != NULL ? env : path);
    }
    return rc;
}

static enum lb_err read_url(struct destination *destination,
                            struct lb_error *err)
{
    const struct destination_type *type = destination->type;
    const char *key = type->url_key != NULL                ? type->url_key
                      : type->place == DESTINATION_SERVICE ? "base_url"
                      : type->place == DESTINATION_MAIL    ? "smtp"
                      : type->place == DESTINATION_FILE    ? "path"
                                                           : "url";
    const char *url = lb_json_text(destination->body, key);
    size_t len;

    if (type->may_have_url &&
        (lb_json_text(destination->body, "url_env") != NULL ||
         lb_json_text(destination->body, "url_file") != NULL)) {
        return read_named(destination->body, "url", destination->url,
                          sizeof(destination->url), err);
    }
    if (url == NULL && type->place == DESTINATION_SERVICE) {
        url = type->service;
    }
    if (url == NULL || type->place == DESTINATION_SECRET_URL) {
        return read_named(destination->body, "url", destination->url,
                          sizeof(destination->url), err);
    }
    (void)snprintf(destination->url, sizeof(destination->url), "%s", url);
    len = strlen(destination->url);
    if (type->place == DESTINATION_SERVICE && len > 0 &&
        destination->url[len - 1] == '/') {
        destination->url[len - 1] = '\0';
    }
    return LB_OK;
}

/* A name as RFC 9110, 5.6.2 has it that is linkbell's to give away. */
static bool may_be_header(const char *name)
{
    static const char *const own[] = {"webhook-", "host", "content-",
                                      "transfer-", "connection"};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strncasecmp(name, own[i], strlen(own[i])) == 0) {
            return false;
        }
    }
    return lb_text_is_made_of(name, "a-zA-Z0-9-", 64);
}

/* headers_env: {Name: VARIABLE}; their lines are kept with the destination. */
static enum lb_err read_headers(struct destination *destination,
                                struct lb_error *err)
{
    const cJSON *item;
    char value[DESTINATION_TOKEN_BYTES];
    size_t len = 0;

    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(
                                  destination->body, "headers_env")) {
        const char *name = cJSON_IsString(item) ? item->valuestring : "";
        size_t room = sizeof(destination->headers) - len;
        int more;
        enum lb_err rc;

        if (!may_be_header(item->string)) {
            return lb_err_set(err, LB_EINVAL,
                              "headers_env can't set the header %.64s",
                              item->string);
        }
        rc = lb_secret_read_env(name, value, sizeof(value), err);
        if (rc != LB_OK) {
            return rc;
        }
        value[strcspn(value, "\r\n")] = '\0';
        more = snprintf(destination->headers + len, room, "%s: %s\n",
                        item->string, value);
        if (more < 0 || (size_t)more >= room) {
            return lb_err_set(err, LB_ELIMIT, "headers_env is too long");
        }
        len += (size_t)more;
    }
    return LB_OK;
}

/* The token of a session, where there is one, is a header. */
static enum lb_err read_aws(struct destination *destination,
                            struct lb_error *err)
{
    char session[DESTINATION_HEADERS_BYTES - 64];
    enum lb_err rc =
        read_named(destination->body, "access_key", destination->user,
                   sizeof(destination->user), err);

    rc = rc == LB_OK
             ? read_named(destination->body, "secret_key", destination->token,
                          sizeof(destination->token), err)
             : rc;
    if (rc != LB_OK ||
        (lb_json_text(destination->body, "session_token_env") == NULL &&
         lb_json_text(destination->body, "session_token_file") == NULL)) {
        return rc;
    }
    rc = read_named(destination->body, "session_token", session,
                    sizeof(session), err);
    if (rc == LB_OK) {
        (void)snprintf(destination->headers, sizeof(destination->headers),
                       "X-Amz-Security-Token: %s\n", session);
    }
    return rc;
}

static enum lb_err read_login(struct destination *destination,
                              struct lb_error *err)
{
    enum lb_err rc;

    if (destination->type->login == DESTINATION_AWS) {
        return read_aws(destination, err);
    }
    if (destination->type->login == DESTINATION_NO_LOGIN ||
        (lb_json_text(destination->body, "user_env") == NULL &&
         lb_json_text(destination->body, "user_file") == NULL)) {
        return LB_OK;
    }
    rc = read_named(destination->body, "user", destination->user,
                    sizeof(destination->user), err);
    return rc == LB_OK
               ? read_named(destination->body, "password", destination->token,
                            sizeof(destination->token), err)
               : rc;
}

static void read_retries(struct destination *destination)
{
    const cJSON *list =
        cJSON_GetObjectItemCaseSensitive(destination->body, "retry");
    const cJSON *item;

    cJSON_ArrayForEach (item, list) {
        if (cJSON_IsString(item) &&
            destination->retry_count < DESTINATION_RETRIES &&
            lb_config_parse_duration(
                item->valuestring,
                &destination->retries_ms[destination->retry_count])) {
            destination->retry_count++;
        }
    }
    for (size_t i = 0; list == NULL &&
                       i < sizeof(default_retries) / sizeof(default_retries[0]);
         i++) {
        (void)lb_config_parse_duration(
            default_retries[i],
            &destination->retries_ms[destination->retry_count++]);
    }
}

static int64_t
read_duration(const cJSON *body, const char *key, int64_t fallback_ms)
{
    const char *text = lb_json_text(body, key);
    int64_t ms = 0;

    return text != NULL && lb_config_parse_duration(text, &ms) ? ms
                                                               : fallback_ms;
}

bool destination_read_rate(const char *text, int64_t *spacing_us_out)
{
    static const char units[] = "smhd";
    static const int64_t unit_us[] = {1000000, 60000000, INT64_C(3600000000),
                                      INT64_C(86400000000)};
    char *end = NULL;
    const char *unit;
    long count = strtol(text, &end, 10);
    long periods = 1;

    if (end == text || *end != '/' || count < 1 || count > 1000000) {
        return false;
    }
    text = end + 1;
    if (*text >= '0' && *text <= '9') {
        periods = strtol(text, &end, 10);
        text = end;
    }
    unit = *text == '\0' ? NULL : strchr(units, *text);
    if (unit == NULL || text[1] != '\0' || periods < 1 || periods > 1000) {
        return false;
    }
    *spacing_us_out = unit_us[unit - units] * periods / count;
    return true;
}

static void read_pace(struct destination *destination)
{
    const cJSON *body = destination->body;
    const struct destination_type *type = destination->type;
    const char *rate = lb_json_text(body, "rate");
    const char *usual =
        type->rate_of != NULL ? type->rate_of(body) : type->rate;
    int64_t concurrency = lb_json_int(body, "concurrency");

    if ((rate == NULL ||
         !destination_read_rate(rate, &destination->spacing_us)) &&
        usual != NULL) {
        (void)destination_read_rate(usual, &destination->spacing_us);
    }
    destination->is_ordered =
        type->is_serial || lb_json_is_true(body, "ordered") ||
        cJSON_GetObjectItemCaseSensitive(body, "stream") != NULL;
    destination->concurrency =
        destination->is_ordered ? 1
        : concurrency >= 1 && concurrency <= CONCURRENCY_MAX
            ? (int)concurrency
            : DEFAULT_CONCURRENCY;
}

bool destination_takes(const struct destination *destination, const char *field)
{
    const cJSON *fields =
        cJSON_GetObjectItemCaseSensitive(destination->body, "contact");
    const cJSON *item;

    if (fields == NULL) {
        return !destination->type->is_without_contact;
    }
    cJSON_ArrayForEach (item, fields) {
        if (cJSON_IsString(item) && strcmp(item->valuestring, field) == 0) {
            return true;
        }
    }
    return cJSON_IsString(fields) && strcmp(fields->valuestring, field) == 0;
}

/* https://user:password@host/; an @ in the path is none. */
static bool has_user_info(const char *url)
{
    const char *host = strstr(url, "://");

    return host != NULL &&
           memchr(host + 3, '@', strcspn(host + 3, "/?#")) != NULL;
}

bool destination_read_plain(const cJSON *body,
                            struct destination *destination_out)
{
    memset(destination_out, 0, sizeof(*destination_out));
    destination_out->body = body;
    destination_out->id = lb_json_text(body, "id");
    destination_out->type = destination_type_find(lb_json_text(body, "type"));
    if (destination_out->type == NULL || destination_out->id == NULL) {
        return false;
    }
    destination_out->is_enabled =
        !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(body, "enabled"));
    destination_out->timeout_ms = read_duration(body, "timeout", 15000);
    destination_out->max_age_ms =
        read_duration(body, "max_age", INT64_C(96) * 3600000);
    destination_out->digest_ms = read_duration(body, "digest", 0);
    read_retries(destination_out);
    read_pace(destination_out);
    return true;
}

enum lb_err destination_read(const cJSON *body,
                             struct destination *destination_out,
                             struct lb_error *err)
{
    enum lb_err rc;

    if (!destination_read_plain(body, destination_out)) {
        return lb_err_set(err, LB_EINVAL, "its type is not of this version");
    }
    rc = read_url(destination_out, err);
    if (rc == LB_OK && !destination_out->type->may_have_login &&
        has_user_info(destination_out->url)) {
        rc = lb_err_set(err, LB_EINVAL,
                        "its URL has user info; use headers_env");
    }
    if (rc == LB_OK && destination_out->type->may_have_url &&
        lb_json_text(body, "token_env") != NULL) {
        rc = read_named(body, "token", destination_out->token,
                        sizeof(destination_out->token), err);
    }
    if (rc == LB_OK && destination_out->type->token != NULL) {
        rc = read_named(body, destination_out->type->token,
                        destination_out->token, sizeof(destination_out->token),
                        err);
    }
    rc = rc == LB_OK ? read_login(destination_out, err) : rc;
    rc = rc == LB_OK ? read_headers(destination_out, err) : rc;
    return rc == LB_OK ? read_secrets(destination_out, err) : rc;
}

void destination_fingerprint(const struct destination *destination,
                             uint8_t out[LB_SECRET_SHA256_BYTES])
{
    SHA256_CTX hash;

    (void)SHA256_Init(&hash);
    (void)SHA256_Update(&hash, destination->url, strlen(destination->url) + 1);
    (void)SHA256_Update(&hash, destination->token,
                        strlen(destination->token) + 1);
    (void)SHA256_Update(&hash, destination->user,
                        strlen(destination->user) + 1);
    (void)SHA256_Update(&hash, destination->headers,
                        strlen(destination->headers) + 1);
    (void)SHA256_Update(&hash, destination->secrets,
                        sizeof(destination->secrets));
    (void)SHA256_Final(out, &hash);
}

bool destination_is_test(const char *body)
{
    static const char test[] = "{\"type\":\"test\"";

    return body != NULL && strncmp(body, test, sizeof(test) - 1) == 0;
}

void destination_request_init(struct destination_request *request)
{
    request->method = "POST";
    request->is_answer_long = false;
    request->sigv4[0] = '\0';
    request->has_login = false;
    request->mail_from[0] = '\0';
    request->mail_to[0] = '\0';
    lb_buf_init(&request->url, REQUEST_URL_BYTES);
    lb_buf_init(&request->headers, REQUEST_HEADER_BYTES);
    lb_buf_init(&request->body, REQUEST_BODY_BYTES);
}

void destination_request_deinit(struct destination_request *request)
{
    lb_buf_deinit(&request->url);
    lb_buf_deinit(&request->headers);
    lb_buf_deinit(&request->body);
}

void destination_judge(const struct destination_answer *answer,
                       struct destination_verdict *verdict)
{
    if (answer->status >= 200 && answer->status < 300) {
        verdict->outcome = DESTINATION_SUCCESS;
    } else if (answer->status == 413) {
        verdict->outcome = DESTINATION_PERMANENT;
        verdict->is_of_row = true; /* less of a batch may be taken */
    } else if (answer->status == 429) {
        verdict->outcome = DESTINATION_THROTTLED;
    } else {
        verdict->outcome = DESTINATION_RETRY;
    }
    if ((answer->status == 429 || answer->status == 503) &&
        answer->retry_after_ms > 0) {
        verdict->wait_ms = answer->retry_after_ms;
    }
}

void destination_add_signature(const struct destination *destination,
                               const struct destination_message *message,
                               const struct lb_buf *body,
                               struct lb_buf *headers)
{
    lb_buf_printf(headers, "webhook-id: %s\nwebhook-timestamp: %" PRId64 "\n",
                  message->id, message->now_s);
    if (destination->secret_count > 0) {
        lb_buf_add_text(headers, "webhook-signature: ");
        destination_sign(destination, message->id, message->now_s,
                         lb_buf_text(body), body->len, headers);
        lb_buf_add_char(headers, '\n');
    }
}

void destination_sign(const struct destination *destination,
                      const char *id,
                      int64_t at_s,
                      const char *body,
                      size_t len,
                      struct lb_buf *out)
{
    char head[128];
    int head_len = snprintf(head, sizeof(head), "%s.%" PRId64 ".", id, at_s);

    for (size_t i = 0; i < destination->secret_count; i++) {
        uint8_t digest[LB_SECRET_SHA256_BYTES];
        struct lb_secret_hmac hmac;
        SHA256_CTX message;

        lb_secret_hmac_init(&hmac, destination->secrets[i],
                            destination->secret_bytes[i]);
        lb_secret_hmac_start(&hmac, &message);
        lb_secret_hmac_add(&message, head, (size_t)head_len);
        lb_secret_hmac_add(&message, body, len);
        lb_secret_hmac_finish(&hmac, &message, digest);
        lb_buf_add_text(out, i == 0 ? "v1," : " v1,");
        lb_secret_add_base64(out, digest, sizeof(digest));
    }
}
