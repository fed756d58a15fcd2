/* hook_source.c - reading the sources of inbound webhooks. */
#include "ingest/hook_source.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret_read.h"

struct hook_source_set {
    size_t refs;
    struct catalog *catalog; /* owned reference */
    size_t count;
    struct hook_source sources[];
};

/* Each line of text is a secret. */
static enum lb_err add_secrets(struct hook_source *source,
                               char *text,
                               const char *place,
                               struct lb_error *err)
{
    const char *line;
    bool has_any = false;

    while ((line = lb_secret_read_line(&text)) != NULL) {
        has_any = true;
        if (!hook_sign_add_secret(&source->sign, line)) {
            return lb_err_set(err, LB_EINVAL,
                              "%s holds no secret for the scheme %s, or more "
                              "than two",
                              place,
                              hook_sign_scheme_name(source->sign.scheme));
        }
    }
    return has_any ? LB_OK
                   : lb_err_set(err, LB_ENOTFOUND, "%s is empty", place);
}

static enum lb_err read_secrets(struct hook_source *source,
                                struct lb_error *err)
{
    const cJSON *names =
        cJSON_GetObjectItemCaseSensitive(source->body, "secrets_env");
    const char *path = lb_json_text(source->body, "secrets_file");
    char text[HOOK_SOURCE_SECRETS_BYTES];
    const cJSON *name;
    enum lb_err rc = LB_OK;

    cJSON_ArrayForEach (name, names) {
        const char *variable = cJSON_IsString(name) ? name->valuestring : "";

        rc = rc == LB_OK ? lb_secret_read_env(variable, text, sizeof(text), err)
                         : rc;
        rc = rc == LB_OK ? add_secrets(source, text, variable, err) : rc;
    }
    if (rc == LB_OK && path != NULL) {
        rc = lb_secret_read_file(path, text, sizeof(text), err);
        rc = rc == LB_OK ? add_secrets(source, text, path, err) : rc;
    }
    return rc;
}

static void read_sign(struct hook_source *source)
{
    const char *scheme = lb_json_text(source->body, "scheme");
    const char *encoding = lb_json_text(source->body, "encoding");
    const char *header = lb_json_text(source->body, "header");
    const char *tolerance = lb_json_text(source->body, "tolerance");
    struct hook_sign *sign = &source->sign;
    int64_t ms = 0;

    sign->scheme = source->kind->scheme;
    sign->encoding = source->kind->encoding;
    sign->header = header == NULL ? source->kind->header : header;
    sign->timestamp_header = lb_json_text(source->body, "timestamp_header");
    sign->tolerance_s = HOOK_SIGN_TOLERANCE_S;
    if (scheme != NULL) {
        (void)hook_sign_scheme_find(scheme, &sign->scheme);
    }
    if (encoding != NULL) {
        (void)hook_sign_encoding_find(encoding, &sign->encoding);
    }
    if (tolerance != NULL && lb_config_parse_duration(tolerance, &ms)) {
        sign->tolerance_s = (ms + LB_MS_PER_S - 1) / LB_MS_PER_S;
    }
}

enum lb_err hook_source_read(const cJSON *body,
                             struct hook_source *source_out,
                             struct lb_error *err)
{
    const char *kind = lb_json_text(body, "kind");
    const char *dedupe = lb_json_text(body, "dedupe");
    const cJSON *cap = cJSON_GetObjectItemCaseSensitive(body, "daily_cap");
    struct hook_source *source = source_out;

    memset(source, 0, sizeof(*source));
    source->body = body;
    source->id = lb_json_text(body, "id");
    source->site = lb_json_text(body, "site");
    source->kind = kind == NULL ? NULL : hook_kind_find(kind);
    if (source->id == NULL || source->site == NULL || source->kind == NULL) {
        source->sign.scheme = HOOK_SIGN_HMAC;
        return lb_err_set(err, LB_EINVAL, "its kind is not of this version");
    }
    source->dedupe = HOOK_EVENT_DEDUPE_LEADS;
    if (dedupe != NULL) {
        (void)hook_event_dedupe_find(dedupe, &source->dedupe);
    }
    source->daily_cap =
        cap == NULL ? source->kind->daily_cap : lb_json_int(body, "daily_cap");
    read_sign(source);
    return source->sign.scheme == HOOK_SIGN_NONE ? LB_OK
                                                 : read_secrets(source, err);
}

/* --- the set -------------------------------------------------------------- */

struct hook_source_set *hook_source_set_new(struct catalog *catalog)
{
    size_t count = catalog_object_count(catalog, CATALOG_SOURCE);
    struct hook_source_set *set =
        calloc(1, sizeof(*set) + count * sizeof(set->sources[0]));

    if (set == NULL) {
        return NULL;
    }
    set->refs = 1;
    set->catalog = catalog_ref(catalog);
    for (size_t i = 0; i < count; i++) {
        const struct catalog_object *object =
            catalog_object_at(catalog, CATALOG_SOURCE, i);
        struct hook_source *source = &set->sources[set->count];
        struct lb_error err = {LB_OK, ""};

        if (hook_source_read(object->body, source, &err) != LB_OK) {
            source->sign.secret_count = 0;
            lb_log(LB_LOG_WARN, "source_unusable",
                   "source=%s text=\"%s\" hint=\"its deliveries are refused "
                   "until the next reload\"",
                   object->id, err.text);
        }
        source->number = object->number;
        set->count += source->id != NULL && source->kind != NULL ? 1 : 0;
    }
    return set;
}

struct hook_source_set *hook_source_set_ref(struct hook_source_set *set)
{
    set->refs++;
    return set;
}

void hook_source_set_unref(struct hook_source_set *set)
{
    if (set != NULL && --set->refs == 0) {
        catalog_unref(set->catalog);
        free(set);
    }
}

const struct catalog *hook_source_set_catalog(const struct hook_source_set *set)
{
    return set->catalog;
}

struct hook_source *hook_source_set_find(struct hook_source_set *set,
                                         const char *id)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->sources[i].id, id) == 0) {
            return &set->sources[i];
        }
    }
    return NULL;
}
