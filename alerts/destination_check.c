/* destination_check.c - the faults of a destination in a configuration file. */
#include "alerts/destination_check.h"

#include <stdio.h>
#include <string.h>

#include "alerts/destination.h"
#include "alerts/stream.h"
#include "alerts/template.h"
#include "alerts/transform.h"
#include "base/text.h"

#define KEYS_MAX 64
#define TYPES_BYTES 512
#define WAITING_MOST 10000000

static const char *const common_keys[] = {
    "id",           "type",        "url",         "url_env",
    "url_file",     "rate",        "secrets_env", "secrets_file",
    "timeout",      "concurrency", "retry",       "max_age",
    "contact",      "enabled",     "ordered",     "base_url",
    "min_severity", "stream",      "transform",   "digest",
    "template",     "max_waiting", NULL};
static const char *const aws_keys[] = {"region",
                                       "access_key_env",
                                       "access_key_file",
                                       "secret_key_env",
                                       "secret_key_file",
                                       "session_token_env",
                                       "session_token_file",
                                       NULL};
static const char *const contact_fields[] = {"email", "name", "message",
                                             "phone", NULL};

static bool is_in(const char *word, const char *const *words)
{
    for (; words != NULL && *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

static void check_keys(const struct lb_yaml *map,
                       const struct destination_type *type,
                       struct lb_config_faults *faults)
{
    const char *all[KEYS_MAX];
    size_t count = 0;

    for (size_t i = 0; common_keys[i] != NULL; i++) {
        all[count++] = common_keys[i];
    }
    for (size_t i = 0; type->keys != NULL && type->keys[i] != NULL; i++) {
        all[count++] = type->keys[i];
    }
    for (size_t i = 0; type->login == DESTINATION_AWS && aws_keys[i] != NULL;
         i++) {
        all[count++] = aws_keys[i];
    }
    all[count] = NULL;
    for (const struct lb_yaml *node = map->child; node != NULL;
         node = node->next) {
        const char *near;

        if (is_in(node->key, all)) {
            continue;
        }
        near = lb_yaml_suggest(node->key, all);
        if (near != NULL) {
            lb_config_fault(faults, node->key_line, node->key_column, node->key,
                            "is no key of a destination of type %s; did you "
                            "mean %s?",
                            type->name, near);
        } else {
            lb_config_fault(faults, node->key_line, node->key_column, node->key,
                            "is no key of a destination of type %s",
                            type->name);
        }
    }
}

static const char *text_of(const struct lb_yaml *node)
{
    return node != NULL && node->kind == LB_YAML_SCALAR ? node->text : NULL;
}

/* A whole number in the range. */
static void check_count(const struct lb_yaml *map,
                        const char *key,
                        long long most,
                        struct lb_config_faults *faults)
{
    const struct lb_yaml *node = lb_yaml_find(map, key);
    const char *text = text_of(node);
    long long number = 0;

    if (node != NULL && (text == NULL || !lb_text_to_int(text, &number) ||
                         number < 1 || number > most)) {
        lb_config_fault(faults, node->line, node->column, key,
                        "must be a number from 1 to %lld", most);
    }
}

static void check_duration_at(const struct lb_yaml *node,
                              const char *key,
                              struct lb_config_faults *faults)
{
    const char *text = text_of(node);
    int64_t ms;

    if (text == NULL || !lb_config_parse_duration(text, &ms)) {
        lb_config_fault(faults, node->line, node->column, key,
                        "must be a duration such as 30s, 15m or 1d");
    }
}

static void check_times(const struct lb_yaml *destination,
                        struct lb_config_faults *faults)
{
    static const char *const keys[] = {"timeout", "max_age", "digest"};
    const struct lb_yaml *retry = lb_yaml_find(destination, "retry");
    const struct lb_yaml *rate = lb_yaml_find(destination, "rate");
    int64_t spacing_us;
    size_t count = 0;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct lb_yaml *node = lb_yaml_find(destination, keys[i]);

        if (node != NULL) {
            check_duration_at(node, keys[i], faults);
        }
    }
    if (retry != NULL && retry->kind != LB_YAML_LIST) {
        lb_config_fault(faults, retry->line, retry->column, "retry",
                        "must be a list of durations, such as [5s, 30s, 2m]");
        return;
    }
    for (const struct lb_yaml *item = retry == NULL ? NULL : retry->child;
         item != NULL; item = item->next) {
        check_duration_at(item, "retry", faults);
        if (++count == DESTINATION_RETRIES + 1) {
            lb_config_fault(faults, item->line, item->column, "retry",
                            "has more than %d delays", DESTINATION_RETRIES);
        }
    }
    if (rate != NULL && (text_of(rate) == NULL ||
                         !destination_read_rate(text_of(rate), &spacing_us))) {
        lb_config_fault(faults, rate->line, rate->column, "rate",
                        "must be messages per time, such as 5/s or 30/m");
    }
    check_count(destination, "concurrency", 64, faults);
    check_count(destination, "max_waiting", WAITING_MOST, faults);
}

static bool is_http(const char *url)
{
    return strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0;
}

void destination_check_url(const struct lb_yaml *node,
                           const char *key,
                           struct lb_config_faults *faults)
{
    const char *url = text_of(node);

    if (node != NULL &&
        (url == NULL || !is_http(url) || strpbrk(url, "@#\\ \t") != NULL ||
         strlen(url) >= DESTINATION_URL_BYTES / 2)) {
        lb_config_fault(
            faults, node->line, node->column, key,
            "must be an http or https URL without user info and fragment");
    }
}

static void check_place(const struct lb_yaml *destination,
                        enum destination_place place,
                        struct lb_config_faults *faults)
{
    const struct lb_yaml *url = lb_yaml_find(destination, "url");
    bool has_other = lb_yaml_find(destination, "url_env") != NULL ||
                     lb_yaml_find(destination, "url_file") != NULL;

    destination_check_url(lb_yaml_find(destination, "base_url"), "base_url",
                          faults);
    if (place == DESTINATION_SERVICE || place == DESTINATION_MAIL ||
        place == DESTINATION_FILE) {
        return;
    }
    if (url != NULL && place == DESTINATION_SECRET_URL) {
        lb_config_fault(
            faults, url->key_line, url->key_column, "url",
            "is a secret of this type; give it by url_env or url_file");
    } else if (url == NULL && !has_other) {
        lb_config_fault(faults, destination->line, destination->column,
                        place == DESTINATION_SECRET_URL ? "url_env" : "url",
                        "is missing");
    } else {
        destination_check_url(url, "url", faults);
    }
}

/* KEY_env or KEY_file has to be there. */
static void check_token(const struct lb_yaml *destination,
                        const char *token,
                        struct lb_config_faults *faults)
{
    const struct lb_yaml *plain = lb_yaml_find(destination, token);
    char env[48];
    char file[48];

    (void)snprintf(env, sizeof(env), "%s_env", token);
    (void)snprintf(file, sizeof(file), "%s_file", token);
    if (plain == NULL && lb_yaml_find(destination, env) == NULL &&
        lb_yaml_find(destination, file) == NULL) {
        lb_config_fault(faults, destination->line, destination->column, env,
                        "is missing; name the variable that holds it");
    }
}

static void check_aws(const struct lb_yaml *destination,
                      struct lb_config_faults *faults)
{
    const struct lb_yaml *region = lb_yaml_find(destination, "region");

    check_token(destination, "access_key", faults);
    check_token(destination, "secret_key", faults);
    if (region == NULL) {
        lb_config_fault(faults, destination->line, destination->column,
                        "region", "is missing");
    } else if (region->kind != LB_YAML_SCALAR ||
               !lb_text_is_made_of(region->text, "a-z0-9-", 40)) {
        lb_config_fault(faults, region->line, region->column, "region",
                        "must be a region such as eu-west-1");
    }
}

static void check_needs(const struct lb_yaml *destination,
                        const struct destination_type *type,
                        struct lb_config_faults *faults)
{
    for (size_t i = 0; type->needs != NULL && type->needs[i] != NULL; i++) {
        if (lb_yaml_find(destination, type->needs[i]) == NULL) {
            lb_config_fault(faults, destination->line, destination->column,
                            type->needs[i], "is missing");
        }
    }
}

static void check_contact(const struct lb_yaml *destination,
                          struct lb_config_faults *faults)
{
    const struct lb_yaml *contact = lb_yaml_find(destination, "contact");

    if (contact != NULL && contact->kind != LB_YAML_LIST) {
        lb_config_fault(faults, contact->line, contact->column, "contact",
                        "must be a list of email, name, message and phone");
        return;
    }
    for (const struct lb_yaml *item = contact == NULL ? NULL : contact->child;
         item != NULL; item = item->next) {
        if (text_of(item) == NULL || !is_in(item->text, contact_fields)) {
            lb_config_fault(faults, item->line, item->column, "contact",
                            "is none of email, name, message and phone");
        }
    }
}

static void check_severity(const struct lb_yaml *destination,
                           struct lb_config_faults *faults)
{
    static const char *const severities[] = {"info", "warning", "critical",
                                             NULL};
    const struct lb_yaml *least = lb_yaml_find(destination, "min_severity");

    if (least != NULL &&
        (text_of(least) == NULL || !is_in(least->text, severities))) {
        lb_config_fault(faults, least->line, least->column, "min_severity",
                        "must be info, warning or critical");
    }
}

/* Keys that say how alerts are told. */
static void check_words(const struct lb_yaml *destination,
                        const struct destination_type *type,
                        struct lb_config_faults *faults)
{
    const struct lb_yaml *digest = lb_yaml_find(destination, "digest");
    const struct lb_yaml *template = lb_yaml_find(destination, "template");

    if (digest != NULL && !type->may_digest) {
        lb_config_fault(faults, digest->key_line, digest->key_column, "digest",
                        "is for destinations that people read: slack, discord, "
                        "teams, telegram, email and webhook");
    } else if (digest != NULL &&
               lb_yaml_find(destination, "transform") != NULL) {
        lb_config_fault(faults, digest->key_line, digest->key_column, "digest",
                        "does not go with a transform, which is for each "
                        "alert; give the rules a digest instead");
    }
    if (template != NULL) {
        template_check(template, NULL, faults);
    }
}

static void check_signed(const struct lb_yaml *destination,
                         struct lb_config_faults *faults)
{
    const char *is_unsigned = text_of(lb_yaml_find(destination, "unsigned"));

    if (lb_yaml_find(destination, "secrets_env") == NULL &&
        lb_yaml_find(destination, "secrets_file") == NULL &&
        (is_unsigned == NULL || strcmp(is_unsigned, "true") != 0)) {
        lb_config_fault(faults, destination->line, destination->column,
                        "secrets_env",
                        "is missing; name the variable that holds the secret, "
                        "or say unsigned: true");
    }
}

static void fault_type(const struct lb_yaml *destination,
                       struct lb_config_faults *faults)
{
    const struct lb_yaml *type = lb_yaml_find(destination, "type");
    char names[TYPES_BYTES] = "";
    size_t len = 0;

    for (size_t i = 0; destination_types[i] != NULL; i++) {
        int more = snprintf(names + len, sizeof(names) - len, "%s%s",
                            i == 0 ? "" : ", ", destination_types[i]->name);

        len +=
            more > 0 && (size_t)more < sizeof(names) - len ? (size_t)more : 0;
    }
    lb_config_fault(faults, type == NULL ? destination->line : type->line,
                    type == NULL ? destination->column : type->column, "type",
                    "must be one of this version's: %s", names);
}

void destination_check(const struct lb_yaml *destination,
                       const struct lb_yaml *root,
                       struct lb_config_faults *faults)
{
    const struct destination_type *type =
        destination_type_find(text_of(lb_yaml_find(destination, "type")));

    (void)root;
    if (type == NULL) {
        fault_type(destination, faults);
        return;
    }
    check_keys(destination, type, faults);
    check_place(destination, type->place, faults);
    check_times(destination, faults);
    check_contact(destination, faults);
    check_severity(destination, faults);
    check_words(destination, type, faults);
    check_needs(destination, type, faults);
    if (type->login == DESTINATION_AWS) {
        check_aws(destination, faults);
    }
    if (type->token != NULL) {
        check_token(destination, type->token, faults);
    }
    if (is_in("unsigned", type->keys)) {
        check_signed(destination, faults);
    }
    stream_check(destination, type, faults);
    transform_check(destination, faults);
    if (type->check != NULL) {
        type->check(destination, faults);
    }
}
