/* config.c - the table of settings. */
#include "base/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/text.h"

enum setting_type {
    SETTING_INT,
    SETTING_SIZE,
    SETTING_DURATION,
    SETTING_BOOL,
    SETTING_TEXT,
    SETTING_LIST,
    SETTING_NETWORKS, /* a list of addresses and networks */
    SETTING_CHOICE,   /* range holds the words, joined by '|' */
    SETTING_SHARE     /* a number from 0 to 1 */
};

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;
    const char *minimum; /* "" : no bound; written like a value of the type */
    const char *maximum;
    const char *fallback; /* the default; lists are separated by spaces */
    const char *unit;
    const char *help;
};

#define AT(field) offsetof(struct lb_config, field)

static const struct setting settings[] = {
#include "base/config_settings.inc"
};
#define SETTING_COUNT (sizeof(settings) / sizeof(settings[0]))

/* Sections that are somebody else's. */
static const char *const other_sections[] = {"sites", "sources", "destinations",
                                             "rules"};
#define OTHER_COUNT (sizeof(other_sections) / sizeof(other_sections[0]))

static bool is_list(const struct setting *setting)
{
    return setting->type == SETTING_LIST || setting->type == SETTING_NETWORKS;
}

static void *field_of(struct lb_config *config, const struct setting *setting)
{
    return (char *)config + setting->offset;
}

static bool parse_number(enum setting_type type, const char *text, int64_t *out)
{
    long long whole = 0;

    switch (type) {
    case SETTING_SIZE:
        return lb_config_parse_size(text, out);
    case SETTING_DURATION:
        return lb_config_parse_duration(text, out);
    case SETTING_INT:
    case SETTING_BOOL:
    case SETTING_TEXT:
    case SETTING_LIST:
    case SETTING_NETWORKS:
    case SETTING_CHOICE:
    case SETTING_SHARE:
        break;
    }
    if (!lb_text_to_int(text, &whole)) {
        return false;
    }
    *out = whole;
    return true;
}

static const char *shape_of(enum setting_type type)
{
    switch (type) {
    case SETTING_INT:
        return "a whole number";
    case SETTING_SIZE:
        return "a size such as 65536, 64KiB or 8MiB";
    case SETTING_DURATION:
        return "a duration such as 500ms, 30s, 15m, 72h or 400d";
    case SETTING_BOOL:
        return "true or false";
    case SETTING_TEXT:
        return "a text";
    case SETTING_LIST:
        return "a list";
    case SETTING_NETWORKS:
        return "a list of addresses and networks";
    case SETTING_CHOICE:
        return "one of the words";
    case SETTING_SHARE:
        return "a number from 0 to 1";
    }
    return "a value";
}

/* NULL, or what is wrong with text. */
static const char *set_number(struct lb_config *config,
                              const struct setting *setting,
                              const char *text)
{
    static _Thread_local char message[200];
    int64_t bound;
    int64_t value;

    if (!parse_number(setting->type, text, &value)) {
        (void)snprintf(message, sizeof(message), "\"%.40s\" is not %s", text,
                       shape_of(setting->type));
        return message;
    }
    if ((setting->minimum[0] != '\0' &&
         parse_number(setting->type, setting->minimum, &bound) &&
         value < bound) ||
        (setting->maximum[0] != '\0' &&
         parse_number(setting->type, setting->maximum, &bound) &&
         value > bound)) {
        (void)snprintf(message, sizeof(message),
                       "%.40s is out of range; it must be from %s to %s", text,
                       setting->minimum[0] == '\0' ? "0" : setting->minimum,
                       setting->maximum[0] == '\0' ? "any" : setting->maximum);
        return message;
    }
    *(int64_t *)field_of(config, setting) = value;
    return NULL;
}

static bool is_choice(const char *words, const char *text)
{
    size_t len = strlen(text);

    while (*words != '\0') {
        size_t word = strcspn(words, "|");

        if (word == len && strncmp(words, text, len) == 0) {
            return true;
        }
        words += word + (words[word] == '|' ? 1 : 0);
    }
    return false;
}

static const char *set_text(struct lb_config *config,
                            const struct setting *setting,
                            const char *text)
{
    char *field = field_of(config, setting);

    if (setting->type == SETTING_CHOICE && !is_choice(setting->maximum, text)) {
        static _Thread_local char message[160];

        (void)snprintf(message, sizeof(message), "\"%.40s\" is not one of %s",
                       text, setting->maximum);
        return message;
    }
    if (strlen(text) >= LB_CONFIG_TEXT_BYTES) {
        return "is longer than 511 bytes";
    }
    (void)snprintf(field, LB_CONFIG_TEXT_BYTES, "%s", text);
    return NULL;
}

static const char *set_scalar(struct lb_config *config,
                              const struct setting *setting,
                              const char *text)
{
    char *end = NULL;
    double share;

    switch (setting->type) {
    case SETTING_INT:
    case SETTING_SIZE:
    case SETTING_DURATION:
        return set_number(config, setting, text);
    case SETTING_TEXT:
    case SETTING_CHOICE:
        return set_text(config, setting, text);
    case SETTING_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
            return "must be true or false";
        }
        *(bool *)field_of(config, setting) = text[0] == 't';
        return NULL;
    case SETTING_SHARE:
        share = strtod(text, &end);
        if (end == text || *end != '\0' || !(share >= 0 && share <= 1)) {
            return "must be a number from 0 to 1";
        }
        *(double *)field_of(config, setting) = share;
        return NULL;
    case SETTING_LIST:
    case SETTING_NETWORKS:
        break;
    }
    return "must be a list";
}

static void clear_list(struct lb_config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->values[i]);
    }
    list->count = 0;
}

static const char *
add_value(struct lb_config_list *list, const char *text, size_t len)
{
    char *copy;

    if (list->count == LB_CONFIG_LIST_MAX) {
        return "has more than 64 values";
    }
    copy = strndup(text, len);
    if (copy == NULL) {
        return "out of memory";
    }
    list->values[list->count++] = copy;
    return NULL;
}

static const char *set_default(struct lb_config *config,
                               const struct setting *setting)
{
    const char *text = setting->fallback;
    const char *fault = NULL;

    if (!is_list(setting)) {
        return set_scalar(config, setting, text);
    }
    while (*text != '\0' && fault == NULL) {
        size_t len = strcspn(text, " ");

        fault = add_value(field_of(config, setting), text, len);
        text += len + (text[len] == ' ' ? 1 : 0);
    }
    return fault;
}

enum lb_err lb_config_init(struct lb_config *config, struct lb_error *err)
{
    memset(config, 0, sizeof(*config));
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *fault = set_default(config, &settings[i]);

        if (fault != NULL) {
            return lb_err_set(err, LB_EINTERNAL, "default of %s: %s",
                              settings[i].name, fault);
        }
    }
    return LB_OK;
}

void lb_config_deinit(struct lb_config *config)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (is_list(&settings[i])) {
            clear_list(field_of(config, &settings[i]));
        }
    }
}

/* One value of a list from the file. */
static const char *read_value(struct lb_config_list *list,
                              const struct setting *setting,
                              const struct lb_yaml *node)
{
    static _Thread_local char message[160];
    struct lb_ip_range range;

    if (node->kind != LB_YAML_SCALAR) {
        return "must be a list of texts";
    }
    if (setting->type == SETTING_NETWORKS &&
        !lb_ip_parse_range(node->text, &range)) {
        (void)snprintf(message, sizeof(message),
                       "\"%.60s\" is no address or network; write it like "
                       "10.0.0.0/8 or 2001:db8::/32",
                       node->text);
        return message;
    }
    return add_value(list, node->text, strlen(node->text));
}

static const char *read_list(struct lb_config *config,
                             const struct setting *setting,
                             const struct lb_yaml *node)
{
    struct lb_config_list *list = field_of(config, setting);
    const char *fault = NULL;

    clear_list(list);
    if (node->kind == LB_YAML_SCALAR) {
        return node->text[0] == '\0' ? NULL : read_value(list, setting, node);
    }
    if (node->kind == LB_YAML_MAP) {
        return "must be a list";
    }
    for (const struct lb_yaml *item = node->child;
         item != NULL && fault == NULL; item = item->next) {
        fault = read_value(list, setting, item);
    }
    return fault;
}

static void read_setting(struct lb_config *config,
                         const struct setting *setting,
                         const struct lb_yaml *node,
                         struct lb_config_faults *faults)
{
    const char *fault;

    if (is_list(setting)) {
        fault = read_list(config, setting, node);
    } else if (node->kind != LB_YAML_SCALAR) {
        fault = "must be one value";
    } else {
        fault = set_scalar(config, setting, node->text);
    }
    if (fault != NULL) {
        lb_config_fault(faults, node->line, node->column, setting->name, "%s",
                        fault);
    }
}

static const struct setting *find_setting(const char *path)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(settings[i].name, path) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

/* What follows "path." in a setting's name, all of it below "" itself; NULL
 * where it stands elsewhere. */
static const char *rest_below(const char *name, const char *path)
{
    size_t len = strlen(path);

    if (len == 0) {
        return name;
    }
    return strncmp(name, path, len) == 0 && name[len] == '.' ? name + len + 1
                                                             : NULL;
}

static bool has_settings_below(const char *path)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (rest_below(settings[i].name, path) != NULL) {
            return true;
        }
    }
    return false;
}

/* The names that may follow "prefix.", for a suggestion. */
static const char *
suggest_below(const char *prefix, const char *key, char *out, size_t out_bytes)
{
    const char *words[SETTING_COUNT + OTHER_COUNT + 1];
    char names[SETTING_COUNT][48];
    size_t count = 0;
    const char *near;

    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *rest = rest_below(settings[i].name, prefix);

        if (rest == NULL) {
            continue;
        }
        (void)snprintf(names[count], sizeof(names[count]), "%.*s",
                       (int)strcspn(rest, "."), rest);
        words[count] = names[count];
        count++;
    }
    for (size_t i = 0; i < OTHER_COUNT && prefix[0] == '\0'; i++) {
        words[count++] = other_sections[i];
    }
    words[count] = NULL;
    near = lb_yaml_suggest(key, words);
    (void)snprintf(out, out_bytes, near == NULL ? "%s" : "; did you mean %s?",
                   near == NULL ? "" : near);
    return out;
}

static void read_section(struct lb_config *config,
                         const struct lb_yaml *map,
                         const char *prefix,
                         struct lb_config_faults *faults)
{
    for (const struct lb_yaml *node = map->child; node != NULL;
         node = node->next) {
        const struct setting *setting;
        char path[160];
        char hint[80];

        (void)snprintf(path, sizeof(path), "%s%s%.60s", prefix,
                       prefix[0] == '\0' ? "" : ".", node->key);
        setting = strchr(node->key, '.') == NULL ? find_setting(path) : NULL;
        if (setting != NULL) {
            read_setting(config, setting, node, faults);
        } else if (has_settings_below(path) && node->kind == LB_YAML_MAP) {
            read_section(config, node, path, faults);
        } else if (has_settings_below(path)) {
            lb_config_fault(faults, node->line, node->column, path,
                            "must hold keys and values");
        } else if (prefix[0] != '\0' ||
                   !is_choice("sites|sources|destinations|rules", node->key)) {
            lb_config_fault(
                faults, node->key_line, node->key_column, path,
                "is no setting%s",
                suggest_below(prefix, node->key, hint, sizeof(hint)));
        }
    }
}

void lb_config_read(struct lb_config *config,
                    const struct lb_yaml *root,
                    struct lb_config_faults *faults)
{
    if (root->kind != LB_YAML_MAP) {
        lb_config_fault(faults, root->line, root->column, "file",
                        "must hold sections such as server: and sites:");
        return;
    }
    read_section(config, root, "", faults);
}

/* Adds text, or what stands for it when there is none. */
static void
add_text_or(struct lb_buf *buf, const char *text, const char *otherwise)
{
    lb_buf_add_text(buf, text[0] == '\0' ? otherwise : text);
}

static void add_default(struct lb_buf *buf, const struct setting *row)
{
    if (row->fallback[0] == '\0') {
        lb_buf_add_text(buf, "none");
    } else {
        lb_buf_printf(buf, "`%s`", row->fallback);
    }
}

/* What the setting takes: its words, its range, or what it looks like. */
static void add_range(struct lb_buf *buf, const struct setting *row)
{
    if (row->type == SETTING_CHOICE) {
        for (const char *c = row->maximum; *c != '\0'; c++) {
            lb_buf_add(buf, *c == '|' ? ", " : c, *c == '|' ? 2 : 1);
        }
    } else if (row->minimum[0] != '\0' || row->maximum[0] != '\0') {
        add_text_or(buf, row->minimum, "0");
        lb_buf_add_text(buf, " to ");
        add_text_or(buf, row->maximum, "any");
    } else {
        lb_buf_add_text(buf, shape_of(row->type));
    }
}

void lb_config_base_url(const struct lb_config *config,
                        char out[LB_CONFIG_TEXT_BYTES])
{
    bool is_public = config->public_url[0] != '\0';

    (void)snprintf(out, LB_CONFIG_TEXT_BYTES, "%s%.400s",
                   is_public ? "" : "http://",
                   is_public ? config->public_url : config->listen);
}

void lb_config_help(struct lb_buf *buf)
{
    lb_buf_add_text(buf, "| setting | default | range | meaning |\n"
                         "| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &settings[i];

        lb_buf_printf(buf, "| `%s` | ", row->name);
        add_default(buf, row);
        lb_buf_add_text(buf, " | ");
        add_range(buf, row);
        lb_buf_printf(buf, " | %s", row->help);
        if (row->unit[0] != '\0') {
            lb_buf_printf(buf, " (%s)", row->unit);
        }
        lb_buf_add_text(buf, " |\n");
    }
}
