/* hook_check.c - the faults of inbound sources. */
#include "ingest/hook_check.h"

#include <stdio.h>
#include <string.h>

#include "base/secret_read.h"
#include "base/text.h"
#include "ingest/hook_event.h"
#include "ingest/hook_kind.h"
#include "ingest/hook_map.h"
#include "ingest/hook_path.h"
#include "ingest/hook_sign.h"
#include "ingest/hook_source.h"

#define HEADER_BYTES 64
#define VARIABLE_BYTES 128
#define CAP_MOST 1000000
#define PROPS_MOST 30
#define DIGITS "0-9"
#define TOKEN "!#$%&'*+.^_`|~0-9A-Za-z-" /* RFC 9110, 5.6.2 */

static const char *const source_keys[] = {"id",
                                          "kind",
                                          "site",
                                          "scheme",
                                          "header",
                                          "encoding",
                                          "timestamp_header",
                                          "tolerance",
                                          "secrets_env",
                                          "secrets_file",
                                          "allow_unsigned",
                                          "dedupe",
                                          "daily_cap",
                                          NULL};
static const char *const map_keys[] = {"map", "each", NULL};
static const char *const type_keys[] = {"path", "is", NULL};
static const char *const schemes[] = {"hmac",       "standard", "header",
                                      "url_secret", "none",     NULL};
static const char *const encodings[] = {"auto", "hex", "sha256=hex", "base64",
                                        NULL};
static const char *const dedupes[] = {"off", "leads", "body", NULL};
static const char *const types[] = {"view", "click", "lead", "conversion",
                                    NULL};

/* What is looked at, for the functions below. */
struct check {
    const struct lb_yaml *source;
    const struct lb_yaml *root;
    const struct hook_kind *kind;
    enum hook_sign_scheme scheme;
    struct lb_config_faults *faults;
};

static bool is_in(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

static const char *text_of(const struct lb_yaml *node)
{
    return node != NULL && node->kind == LB_YAML_SCALAR ? node->text : "";
}

static const struct lb_yaml *find(const struct check *check, const char *key)
{
    return lb_yaml_find(check->source, key);
}

static void fault_at(const struct check *check,
                     const struct lb_yaml *node,
                     const char *key,
                     const char *what)
{
    lb_config_fault(check->faults, node->line, node->column, key, "%s", what);
}

static void
fault_missing(const struct check *check, const char *key, const char *what)
{
    lb_config_fault(check->faults, check->source->line, check->source->column,
                    key, "is missing: %s", what);
}

/* A word that is none of those it may be. */
static void fault_word(const struct check *check,
                       const struct lb_yaml *node,
                       const char *key,
                       const char *const *words)
{
    const char *near = lb_yaml_suggest(text_of(node), words);
    struct lb_buf list;

    lb_buf_init(&list, 1024);
    for (size_t i = 0; words[i] != NULL; i++) {
        lb_buf_printf(&list, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
    if (near != NULL) {
        lb_config_fault(check->faults, node->line, node->column, key,
                        "\"%.40s\" is none of %s; did you mean %s?",
                        text_of(node), lb_buf_text(&list), near);
    } else {
        lb_config_fault(check->faults, node->line, node->column, key,
                        "\"%.40s\" is none of %s", text_of(node),
                        lb_buf_text(&list));
    }
    lb_buf_deinit(&list);
}

static void fault_key(const struct check *check,
                      const struct lb_yaml *node,
                      const char *what,
                      const char *const *words)
{
    const char *near = lb_yaml_suggest(node->key, words);

    lb_config_fault(check->faults, node->key_line, node->key_column, node->key,
                    near == NULL ? "is no %s" : "is no %s; did you mean %s?",
                    what, near == NULL ? "" : near);
}

static void
check_word(const struct check *check, const char *key, const char *const *words)
{
    const struct lb_yaml *node = find(check, key);

    if (node != NULL && !is_in(text_of(node), words)) {
        fault_word(check, node, key, words);
    }
}

/* --- keys ----------------------------------------------------------------- */

static void check_keys(const struct check *check)
{
    for (const struct lb_yaml *node = check->source->child; node != NULL;
         node = node->next) {
        if (is_in(node->key, source_keys)) {
            continue;
        }
        if (!is_in(node->key, map_keys)) {
            const char *near = lb_yaml_suggest(node->key, source_keys);

            fault_key(check, node, "key of a source",
                      near == NULL ? map_keys : source_keys);
        } else if (!check->kind->has_map) {
            lb_config_fault(check->faults, node->key_line, node->key_column,
                            node->key,
                            "is for kind: generic; %s has a map of its own",
                            check->kind->name);
        }
    }
}

static void check_site(const struct check *check)
{
    const struct lb_yaml *sites = lb_yaml_find(check->root, "sites");
    const struct lb_yaml *node = find(check, "site");

    if (node == NULL) {
        fault_missing(check, "site", "the site that its events belong to");
        return;
    }
    for (const struct lb_yaml *site = sites == NULL ? NULL : sites->child;
         site != NULL; site = site->next) {
        if (strcmp(text_of(lb_yaml_find(site, "id")), text_of(node)) == 0 &&
            text_of(node)[0] != '\0') {
            return;
        }
    }
    lb_config_fault(
        check->faults, node->line, node->column, "site",
        "there is no site \"%.64s\"; add it under sites:", text_of(node));
}

/* A key that the scheme has no use for. */
static void
check_unused(const struct check *check, const char *key, const char *needs)
{
    const struct lb_yaml *node = find(check, key);

    if (node != NULL) {
        lb_config_fault(check->faults, node->key_line, node->key_column, key,
                        "is for %s; the scheme here is %s", needs,
                        hook_sign_scheme_name(check->scheme));
    }
}

static void check_header(const struct check *check, const char *key)
{
    const struct lb_yaml *node = find(check, key);

    if (node != NULL &&
        !lb_text_is_made_of(text_of(node), TOKEN, HEADER_BYTES)) {
        fault_at(check, node, key,
                 "must be the name of a header field, such as X-Signature");
    }
}

static void check_tolerance(const struct check *check)
{
    const struct lb_yaml *node = find(check, "tolerance");
    int64_t ms = 0;

    if (node != NULL &&
        (!lb_config_parse_duration(text_of(node), &ms) || ms == 0)) {
        fault_at(check, node, "tolerance",
                 "must be a duration such as 30s or 5m");
    }
}

static void check_scheme_keys(const struct check *check)
{
    bool is_hmac = check->scheme == HOOK_SIGN_HMAC;
    bool has_header = is_hmac || check->scheme == HOOK_SIGN_HEADER;
    bool has_time = check->scheme == HOOK_SIGN_STANDARD ||
                    (is_hmac && find(check, "timestamp_header") != NULL);

    if (!has_header) {
        check_unused(check, "header", "the schemes hmac and header");
    } else if (find(check, "header") == NULL && check->kind->header == NULL) {
        fault_missing(check, "header",
                      is_hmac ? "the header field that holds the signature"
                              : "the header field that holds the secret");
    }
    if (!is_hmac) {
        check_unused(check, "encoding", "the scheme hmac");
        check_unused(check, "timestamp_header", "the scheme hmac");
    }
    if (!has_time) {
        check_unused(check, "tolerance",
                     "the scheme standard, and for hmac with timestamp_header");
    }
    check_header(check, "header");
    check_header(check, "timestamp_header");
    check_word(check, "encoding", encodings);
    check_tolerance(check);
}

/* --- secrets -------------------------------------------------------------- */

/* Whether the text of a variable or file holds secrets of the scheme, and with
 * those before not too many. */
static void check_text(const struct check *check,
                       const struct lb_yaml *node,
                       const char *key,
                       char *text,
                       struct hook_sign *sign)
{
    const char *line = lb_secret_read_line(&text);

    if (line == NULL) {
        lb_config_fault(check->faults, node->line, node->column, key,
                        "%.80s is empty", node->text);
    }
    for (; line != NULL; line = lb_secret_read_line(&text)) {
        if (sign->secret_count == HOOK_SIGN_SECRETS) {
            lb_config_fault(check->faults, node->line, node->column, key,
                            "more than two secrets; keep the new and the old "
                            "one");
            return;
        }
        if (!hook_sign_add_secret(sign, line)) {
            lb_config_fault(
                check->faults, node->line, node->column, key, "%.80s %s",
                node->text,
                sign->scheme == HOOK_SIGN_URL_SECRET
                    ? "holds fewer than 24 characters"
                : sign->scheme == HOOK_SIGN_STANDARD
                    ? "holds no secret (whsec_ and base64 of 24 to 64 bytes)"
                    : "holds more than 512 bytes");
            return;
        }
    }
}

static void check_variable(const struct check *check,
                           const struct lb_yaml *node,
                           struct hook_sign *sign)
{
    char text[HOOK_SOURCE_SECRETS_BYTES];
    struct lb_error err;
    enum lb_err rc;

    if (!lb_text_is_made_of(text_of(node), "A-Za-z0-9_", VARIABLE_BYTES)) {
        fault_at(check, node, "secrets_env",
                 "must name a variable of the environment, never the secret "
                 "itself");
        return;
    }
    rc = lb_secret_read_env(node->text, text, sizeof(text), &err);
    if (rc == LB_OK) {
        check_text(check, node, "secrets_env", text, sign);
    } else if (rc == LB_ELIMIT) {
        fault_at(check, node, "secrets_env", err.text);
    }
}

static void check_variables(const struct check *check)
{
    const struct lb_yaml *list = find(check, "secrets_env");
    struct hook_sign sign = {.scheme = check->scheme};
    size_t count = 0;

    if (list->kind != LB_YAML_LIST || list->child == NULL) {
        fault_at(check, list, "secrets_env",
                 "must be a list of one or two variables, such as "
                 "[LINKMI_SECRET]");
        return;
    }
    for (const struct lb_yaml *node = list->child; node != NULL;
         node = node->next) {
        if (++count > HOOK_SIGN_SECRETS) {
            fault_at(check, node, "secrets_env",
                     "more than two secrets; keep the new and the old one");
            return;
        }
        check_variable(check, node, &sign);
    }
}

static void check_file(const struct check *check)
{
    const struct lb_yaml *node = find(check, "secrets_file");
    struct hook_sign sign = {.scheme = check->scheme};
    char text[HOOK_SOURCE_SECRETS_BYTES];
    struct lb_error err;
    enum lb_err rc;

    if (text_of(node)[0] == '\0') {
        fault_at(check, node, "secrets_file", "must name a file");
        return;
    }
    rc = lb_secret_read_file(node->text, text, sizeof(text), &err);
    if (rc == LB_OK) {
        check_text(check, node, "secrets_file", text, &sign);
    } else if (rc != LB_EIO) { /* the service may read what we may not */
        fault_at(check, node, "secrets_file", err.text);
    }
}

static bool is_loopback(const struct lb_yaml *root)
{
    const struct lb_yaml *server = lb_yaml_find(root, "server");
    const struct lb_yaml *listen =
        server == NULL ? NULL : lb_yaml_find(server, "listen");
    char host[LB_CONFIG_HOST_BYTES];
    int port;

    if (listen == NULL) {
        return true; /* the default is */
    }
    lb_config_parse_listen(text_of(listen), host, &port);
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "localhost") == 0;
}

static void check_unsigned(const struct check *check)
{
    const struct lb_yaml *scheme = find(check, "scheme");
    const struct lb_yaml *allowed = find(check, "allow_unsigned");

    check_unused(check, "secrets_env", "the schemes with a secret");
    check_unused(check, "secrets_file", "the schemes with a secret");
    if (strcmp(text_of(allowed), "true") != 0) {
        fault_at(check, allowed == NULL ? scheme : allowed, "allow_unsigned",
                 "must be true for scheme: none, which takes whatever comes");
    }
    if (!is_loopback(check->root)) {
        fault_at(check, scheme, "scheme",
                 "none is refused unless server.listen is a loopback address: "
                 "anybody could send events");
    }
}

static void check_secrets(const struct check *check)
{
    const struct lb_yaml *file = find(check, "secrets_file");
    bool has_env = find(check, "secrets_env") != NULL;

    if (check->scheme == HOOK_SIGN_NONE) {
        check_unsigned(check);
        return;
    }
    check_unused(check, "allow_unsigned", "the scheme none");
    if (has_env && file != NULL) {
        lb_config_fault(check->faults, file->key_line, file->key_column,
                        "secrets_file",
                        "stands beside secrets_env; use one of them");
    } else if (has_env) {
        check_variables(check);
    } else if (file != NULL) {
        check_file(check);
    } else {
        fault_missing(check, "secrets_env",
                      "the variable that holds the secret, or secrets_file");
    }
}

/* --- the map -------------------------------------------------------------- */

static void check_path(const struct check *check,
                       const struct lb_yaml *node,
                       const char *key)
{
    const char *fault = hook_path_fault(text_of(node));

    if (fault != NULL) {
        lb_config_fault(check->faults, node->line, node->column, key,
                        "\"%.60s\" is no path: %s", text_of(node), fault);
    }
}

/* A path or a constant; one that begins like a path must be one. */
static void check_value(const struct check *check, const struct lb_yaml *node)
{
    if (node->kind != LB_YAML_SCALAR) {
        fault_at(check, node, node->key,
                 "must be a path such as $.person.email, or a constant");
    } else if (hook_path_is_path(node->text)) {
        check_path(check, node, node->key);
    }
}

static void check_type_words(const struct check *check,
                             const struct lb_yaml *words)
{
    if (words->kind != LB_YAML_MAP || words->child == NULL) {
        fault_at(check, words, "is",
                 "must hold words and types, such as { \"form.sent\": lead }");
        return;
    }
    for (const struct lb_yaml *word = words->child; word != NULL;
         word = word->next) {
        if (!is_in(text_of(word), types)) {
            fault_word(check, word, word->key, types);
        }
    }
}

static void check_type(const struct check *check, const struct lb_yaml *type)
{
    const struct lb_yaml *path;
    const struct lb_yaml *words;

    if (type->kind == LB_YAML_SCALAR) {
        if (hook_path_is_path(type->text)) {
            check_path(check, type, "type");
        } else if (!is_in(type->text, types)) {
            fault_word(check, type, "type", types);
        }
        return;
    }
    path = lb_yaml_find(type, "path");
    words = lb_yaml_find(type, "is");
    if (type->kind != LB_YAML_MAP || path == NULL || words == NULL) {
        fault_at(check, type, "type",
                 "must be a type, a path, or { path: $.event, is: { \"sent\": "
                 "lead } }");
        return;
    }
    for (const struct lb_yaml *node = type->child; node != NULL;
         node = node->next) {
        if (!is_in(node->key, type_keys)) {
            fault_key(check, node, "key of type", type_keys);
        }
    }
    check_path(check, path, "path");
    check_type_words(check, words);
}

static void check_map(const struct check *check)
{
    const struct lb_yaml *map = find(check, "map");
    const struct lb_yaml *each = find(check, "each");
    int props = 0;

    if (each != NULL) {
        check_path(check, each, "each");
    }
    if (map == NULL) {
        fault_missing(check, "map",
                      "which fields make an event, such as { type: lead }");
        return;
    }
    if (map->kind != LB_YAML_MAP) {
        fault_at(check, map, "map",
                 "must hold fields and paths, such as { type: lead, "
                 "contact.email: $.email }");
        return;
    }
    if (lb_yaml_find(map, "type") == NULL) {
        lb_config_fault(check->faults, map->line, map->column, "type",
                        "is missing: view, click, lead or conversion, or how "
                        "to tell");
    }
    for (const struct lb_yaml *node = map->child; node != NULL;
         node = node->next) {
        if (!hook_map_is_field(node->key)) {
            fault_key(check, node, "field of an event", hook_map_fields());
        } else if (strcmp(node->key, "type") == 0) {
            check_type(check, node);
        } else {
            check_value(check, node);
        }
        props += strncmp(node->key, "props.", 6) == 0 ? 1 : 0;
        if (props == PROPS_MOST + 1) {
            fault_at(check, node, node->key, "an event has 30 props at most");
        }
    }
}

/* --- one source ----------------------------------------------------------- */

static void check_cap(const struct check *check)
{
    const struct lb_yaml *node = find(check, "daily_cap");
    long long cap = 0;

    if (node != NULL && (!lb_text_is_made_of(text_of(node), DIGITS, 9) ||
                         !lb_text_to_int(node->text, &cap) || cap > CAP_MOST)) {
        fault_at(check, node, "daily_cap",
                 "must be a whole number of deliveries in 24 hours, up to "
                 "1000000; 0 is off");
    }
}

/* The scheme that counts; false when there is none. */
static bool read_scheme(struct check *check)
{
    const struct lb_yaml *node = find(check, "scheme");

    check->scheme = check->kind->scheme;
    if (node == NULL) {
        if (!check->kind->has_scheme) {
            fault_missing(check, "scheme",
                          "hmac, standard, header, url_secret or none");
        }
        return check->kind->has_scheme;
    }
    if (!hook_sign_scheme_find(text_of(node), &check->scheme)) {
        fault_word(check, node, "scheme", schemes);
        return false;
    }
    return true;
}

void hook_check(const struct lb_yaml *source,
                const struct lb_yaml *root,
                struct lb_config_faults *faults)
{
    struct check check = {source, root, NULL, HOOK_SIGN_NONE, faults};
    const struct lb_yaml *kind = lb_yaml_find(source, "kind");

    if (kind == NULL) {
        fault_missing(&check, "kind", "linkmi, linkme, dub, bitly or generic");
        return;
    }
    check.kind = hook_kind_find(text_of(kind));
    if (check.kind == NULL) {
        fault_word(&check, kind, "kind", hook_kind_names());
        return;
    }
    check_keys(&check);
    check_site(&check);
    if (read_scheme(&check)) {
        check_scheme_keys(&check);
        check_secrets(&check);
    }
    check_word(&check, "dedupe", dedupes);
    check_cap(&check);
    if (check.kind->has_map) {
        check_map(&check);
    }
}
