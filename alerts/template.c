/* template.c - a rule's own words. */
#include "alerts/template.h"

#include <string.h>

#include "base/json.h"

#define PATH_BYTES 128

/* The next {{path}} from text on: where it begins, where it ends, and the path
 * without the spaces around it.  NULL: there is none; *is_open_out: one that
 * does not end. */
static const char *find_path(const char *text,
                             const char **end_out,
                             char path[PATH_BYTES],
                             bool *is_open_out)
{
    const char *begin = strstr(text, "{{");
    const char *end = begin == NULL ? NULL : strstr(begin + 2, "}}");
    const char *from = begin == NULL ? NULL : begin + 2;
    size_t len;

    *is_open_out = begin != NULL && end == NULL;
    if (end == NULL) {
        return NULL;
    }
    *end_out = end + 2;
    while (from < end && *from == ' ') {
        from++;
    }
    while (end > from && end[-1] == ' ') {
        end--;
    }
    len = (size_t)(end - from);
    len = len < PATH_BYTES - 1 ? len : PATH_BYTES - 1;
    memcpy(path, from, len);
    path[len] = '\0';
    return begin;
}

/* --- rendering
 * ------------------------------------------------------------------------ */

/* "utm.source" of an object; a key may hold a dot itself. */
static const cJSON *find_item(const cJSON *data, const char *path)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(data, path);
    const char *dot = strchr(path, '.');
    char key[PATH_BYTES];

    while (item == NULL && dot != NULL) {
        const cJSON *inner;

        memcpy(key, path, (size_t)(dot - path));
        key[dot - path] = '\0';
        inner = cJSON_GetObjectItemCaseSensitive(data, key);
        if (cJSON_IsObject(inner)) {
            data = inner;
            path = dot + 1;
            item = cJSON_GetObjectItemCaseSensitive(data, path);
            dot = strchr(path, '.');
        } else {
            dot = strchr(dot + 1, '.');
        }
    }
    return item;
}

static void add_value(const cJSON *item, struct lb_buf *out)
{
    if (cJSON_IsString(item)) {
        lb_buf_add_text(out, item->valuestring);
    } else if (item != NULL && !cJSON_IsNull(item)) {
        lb_json_add_item(out, item);
    }
}

void template_render(const char *text, const cJSON *data, struct lb_buf *out)
{
    char path[PATH_BYTES];
    const char *end = NULL;
    bool is_open;
    const char *begin = find_path(text, &end, path, &is_open);

    while (begin != NULL) {
        lb_buf_add(out, text, (size_t)(begin - text));
        add_value(find_item(data, path), out);
        text = end;
        begin = find_path(text, &end, path, &is_open);
    }
    lb_buf_add_text(out, text);
}

/* --- checking
 * ------------------------------------------------------------------------ */

enum path_use {
    PATH_ALWAYS,
    PATH_OF_EVENT,  /* event, first_seen */
    PATH_OF_METRIC, /* what counts: all else but not_pulled */
    PATH_OF_WINDOW, /* what looks at a time */
    PATH_OF_CTR,
    PATH_USES
};

static const char *const paths[PATH_USES][40] = {
    {"alert", "rule", "kind", "severity", "site", "coverage", "summary",
     "stats_url", "dashboard_url", NULL},
    {"event.id",
     "event.type",
     "event.site",
     "event.ts",
     "event.received",
     "event.name",
     "event.link",
     "event.host",
     "event.page",
     "event.referrer",
     "event.source",
     "event.channel",
     "event.utm.source",
     "event.utm.medium",
     "event.utm.campaign",
     "event.utm.term",
     "event.utm.content",
     "event.click_id",
     "event.country",
     "event.region",
     "event.city",
     "event.device",
     "event.browser",
     "event.browser_version",
     "event.os",
     "event.os_version",
     "event.qr",
     "event.double_tap",
     "event.value.amount",
     "event.value.currency",
     "event.contact.email",
     "event.contact.name",
     "event.contact.message",
     "event.contact.phone",
     NULL},
    {"metric", "value", NULL},
    {"window.from", "window.to", NULL},
    {"expected", "probability", NULL}};

static bool is_kind(const char *kind, const char *one, const char *other)
{
    return strcmp(kind, one) == 0 || strcmp(kind, other) == 0;
}

/* kind NULL: of any. */
static bool is_used(const char *kind, enum path_use use)
{
    bool is_of_event;

    if (kind == NULL) {
        return true;
    }
    is_of_event = is_kind(kind, "event", "first_seen");
    switch (use) {
    case PATH_OF_EVENT:
        return is_of_event;
    case PATH_OF_METRIC:
        return !is_of_event && strcmp(kind, "not_pulled") != 0;
    case PATH_OF_WINDOW:
        return !is_of_event && strcmp(kind, "milestone") != 0;
    case PATH_OF_CTR:
        return strcmp(kind, "ctr") == 0 || is_kind(kind, "spike", "drop");
    case PATH_ALWAYS:
    case PATH_USES:
        break;
    }
    return true;
}

static bool is_in(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

static bool names(const struct lb_yaml *list, const char *word)
{
    if (list == NULL || list->kind == LB_YAML_SCALAR) {
        return list != NULL && strcmp(list->text, word) == 0;
    }
    for (const struct lb_yaml *item = list->child; item != NULL;
         item = item->next) {
        if (item->kind == LB_YAML_SCALAR && strcmp(item->text, word) == 0) {
            return true;
        }
    }
    return false;
}

static bool
may_exist(const char *path, const char *kind, const struct lb_yaml *rule)
{
    if (strncmp(path, "group.", 6) == 0) {
        return kind == NULL || names(lb_yaml_find(rule, "per"), path + 6) ||
               names(lb_yaml_find(rule, "key"), path + 6);
    }
    if (strncmp(path, "event.props.", 12) == 0 && path[12] != '\0') {
        return is_used(kind, PATH_OF_EVENT);
    }
    for (int use = 0; use < (int)PATH_USES; use++) {
        if (is_used(kind, (enum path_use)use) && is_in(path, paths[use])) {
            return true;
        }
    }
    return false;
}

/* The nearest path that the kind has; NULL: none is near. */
static const char *suggest(const char *path, const char *kind)
{
    const char *near = NULL;

    for (int use = 0; use < (int)PATH_USES && near == NULL; use++) {
        near = is_used(kind, (enum path_use)use)
                   ? lb_yaml_suggest(path, paths[use])
                   : NULL;
    }
    return near;
}

static void check_path(const char *path,
                       const char *kind,
                       const struct lb_yaml *node,
                       struct lb_config_faults *faults)
{
    const char *near = suggest(path, kind);

    if (kind == NULL) {
        lb_config_fault(faults, node->line, node->column, "template",
                        near == NULL ? "no alert has \"%.60s\"%s"
                                     : "no alert has \"%.60s\"; did you mean "
                                       "%s?",
                        path, near == NULL ? "" : near);
        return;
    }
    lb_config_fault(faults, node->line, node->column, "template",
                    near == NULL ? "an alert of kind %s has no \"%.60s\"%s%s"
                                 : "an alert of kind %s has no \"%.60s\"; did "
                                   "you mean %s?%s",
                    kind, path, near == NULL ? "" : near, "");
}

void template_check(const struct lb_yaml *node,
                    const struct lb_yaml *rule,
                    struct lb_config_faults *faults)
{
    const struct lb_yaml *kind =
        rule == NULL ? NULL : lb_yaml_find(rule, "kind");
    const char *name = rule == NULL ? NULL
                       : kind != NULL && kind->kind == LB_YAML_SCALAR
                           ? kind->text
                           : "event";
    char path[PATH_BYTES];
    const char *end = node->text;
    bool is_open = false;

    if (node->kind != LB_YAML_SCALAR || node->text[0] == '\0' ||
        strlen(node->text) > TEMPLATE_BYTES) {
        lb_config_fault(faults, node->line, node->column, "template",
                        "must be a text of 1 to %d bytes", TEMPLATE_BYTES);
        return;
    }
    while (find_path(end, &end, path, &is_open) != NULL) {
        if (!may_exist(path, name, rule)) {
            check_path(path, name, node, faults);
        }
    }
    if (is_open) {
        lb_config_fault(faults, node->line, node->column, "template",
                        "\"{{\" has no \"}}\" after it");
    }
}
