/* destination.c - reading destinations, secrets, signatures. */
#include "alerts/destination.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/json.h"
#include "base/secret_read.h"

#define SECRETS_BYTES 1024 /* of a file of secrets */

static const struct destination_type *const types[] = {&webhook_type,
                                                       &slack_type};

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

static enum lb_err read_url(struct destination *destination,
                            struct lb_error *err)
{
    const char *url = lb_json_text(destination->body, "url");
    const char *env = lb_json_text(destination->body, "url_env");
    const char *path = lb_json_text(destination->body, "url_file");
    enum lb_err rc = LB_OK;

    if (url != NULL) {
        (void)snprintf(destination->url, sizeof(destination->url), "%s", url);
    } else if (env != NULL) {
        rc = lb_secret_read_env(env, destination->url, sizeof(destination->url),
                                err);
    } else if (path != NULL) {
        rc = lb_secret_read_file(path, destination->url,
                                 sizeof(destination->url), err);
    } else {
        rc = lb_err_set(err, LB_EINVAL, "it has no url");
    }
    destination->url[strcspn(destination->url, "\r\n")] = '\0';
    return rc;
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

enum lb_err destination_read(const cJSON *body,
                             struct destination *destination_out,
                             struct lb_error *err)
{
    const char *type = lb_json_text(body, "type");
    enum lb_err rc;

    memset(destination_out, 0, sizeof(*destination_out));
    destination_out->body = body;
    destination_out->id = lb_json_text(body, "id");
    for (size_t i = 0; type != NULL && i < sizeof(types) / sizeof(types[0]);
         i++) {
        if (strcmp(types[i]->name, type) == 0) {
            destination_out->type = types[i];
        }
    }
    if (destination_out->type == NULL || destination_out->id == NULL) {
        return lb_err_set(err, LB_EINVAL, "its type is not of this version");
    }
    destination_out->is_enabled =
        !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(body, "enabled"));
    destination_out->timeout_ms = read_duration(body, "timeout", 15000);
    destination_out->max_age_ms =
        read_duration(body, "max_age", INT64_C(96) * 3600000);
    read_retries(destination_out);
    rc = read_url(destination_out, err);
    return rc == LB_OK ? read_secrets(destination_out, err) : rc;
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
