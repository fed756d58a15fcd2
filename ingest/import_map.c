/* import_map.c - which column is which field. */
#include "ingest/import_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "ingest/import_native.h"

#define HEADER_BYTES ((size_t)64 * 1024)

static const char *const fields[] = {
    "type",          "site",         "id",
    "name",          "link",         "url",
    "referrer",      "ts",           "ip",
    "user_agent",    "visitor",      "country",
    "region",        "city",         "utm.source",
    "utm.medium",    "utm.campaign", "utm.term",
    "utm.content",   "value.amount", "value.currency",
    "contact.email", "contact.name", "contact.message",
    "contact.phone", "props",        NULL};

/* A field as above, props.KEY, or the form with an underscore (utm_source);
 * out is then the form with a dot. */
static bool read_field(const char *name, char *out, size_t out_bytes)
{
    static const char *const groups[] = {"utm_", "value_", "contact_"};

    if ((size_t)snprintf(out, out_bytes, "%s", name) >= out_bytes) {
        return false;
    }
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (strncmp(name, groups[i], strlen(groups[i])) == 0) {
            out[strlen(groups[i]) - 1] = '.';
        }
    }
    for (size_t i = 0; fields[i] != NULL; i++) {
        if (strcmp(out, fields[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, "props.", 6) == 0 && name[6] != '\0';
}

void import_map_free(struct import_map *columns)
{
    if (columns == NULL) {
        return;
    }
    for (size_t i = 0; i < columns->count; i++) {
        struct import_map_word *word = columns->columns[i].words;

        while (word != NULL) {
            struct import_map_word *next = word->next;

            free(word->from);
            free(word->to);
            free(word);
            word = next;
        }
        free(columns->columns[i].field);
        free(columns->columns[i].constant);
        free(columns->columns[i].after);
    }
    free(columns->time_format);
    free(columns);
}

/* NULL: no place or no memory. */
static struct import_map_column *
add_column(struct import_map *columns, const char *field, int cell)
{
    struct import_map_column *column = &columns->columns[columns->count];

    if (columns->count == IMPORT_CELLS_MAX) {
        return NULL;
    }
    *column = (struct import_map_column){.field = strdup(field), .cell = cell};
    if (column->field == NULL) {
        return NULL;
    }
    columns->count++;
    return column;
}

static enum lb_err use_names(struct import_map *columns,
                             const struct import_cells *cells,
                             struct lb_error *err)
{
    char field[128];

    for (size_t i = 0; i < cells->count; i++) {
        const char *name = cells->text[i];

        if (import_native_is_exported(name)) {
            columns->is_export = true;
            (void)snprintf(field, sizeof(field), "%s", name);
        } else if (!read_field(name, field, sizeof(field))) {
            return lb_err_set(err, LB_EFORMAT,
                              "column \"%.60s\" is no field of an event; name "
                              "columns with --map FILE",
                              name);
        }
        if (add_column(columns, field, (int)i) == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    return LB_OK;
}

static enum lb_err at_fault(struct lb_error *err,
                            const struct lb_yaml *node,
                            const char *what,
                            const char *word)
{
    return lb_err_set(err, LB_EFORMAT, "%u:%u: %s%.60s", node->line,
                      node->column, what, word);
}

static enum lb_err read_words(struct import_map_column *column,
                              const struct lb_yaml *is,
                              struct lb_error *err)
{
    for (const struct lb_yaml *item = is->child; item != NULL;
         item = item->next) {
        struct import_map_word *word;

        if (item->kind != LB_YAML_SCALAR) {
            return at_fault(err, item, "a value is a text: ", item->key);
        }
        word = calloc(1, sizeof(*word));
        if (word == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        word->next = column->words;
        column->words = word;
        word->from = strdup(item->key);
        word->to = strdup(item->text);
        if (word->from == NULL || word->to == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    return LB_OK;
}

static enum lb_err find_cell(const struct import_cells *cells,
                             const struct lb_yaml *name,
                             int *cell_out,
                             struct lb_error *err)
{
    *cell_out = name->kind == LB_YAML_SCALAR
                    ? import_cells_find(cells, name->text)
                    : IMPORT_MAP_CONSTANT;
    return *cell_out >= 0
               ? LB_OK
               : at_fault(err, name, "the file has no column ",
                          name->kind == LB_YAML_SCALAR ? name->text : "");
}

/* Of a rule's keys. */
struct rule {
    const struct lb_yaml *column;
    const struct lb_yaml *is;
    const struct lb_yaml *after;
    const struct lb_yaml *other;
};

static bool is_text(const struct lb_yaml *node)
{
    return node->kind == LB_YAML_SCALAR && node->text[0] != '\0';
}

/* { is: TEXT }, or { column: NAME } with a table, a text before it, or both. */
static bool is_rule(const struct rule *rule)
{
    if (rule->column == NULL) {
        return rule->is != NULL && rule->is->kind == LB_YAML_SCALAR &&
               rule->after == NULL && rule->other == NULL;
    }
    return (rule->is != NULL || rule->after != NULL) &&
           (rule->is == NULL || rule->is->kind == LB_YAML_MAP) &&
           (rule->after == NULL || is_text(rule->after)) &&
           (rule->other == NULL || rule->is != NULL);
}

static enum lb_err sort_rule(const struct lb_yaml *node,
                             struct rule *rule_out,
                             struct lb_error *err)
{
    const struct {
        const char *key;
        const struct lb_yaml **place;
    } keys[] = {{"column", &rule_out->column},
                {"is", &rule_out->is},
                {"after", &rule_out->after},
                {"else", &rule_out->other}};

    memset(rule_out, 0, sizeof(*rule_out));
    for (const struct lb_yaml *item = node->child; item != NULL;
         item = item->next) {
        size_t i = 0;

        while (i < sizeof(keys) / sizeof(keys[0]) &&
               strcmp(keys[i].key, item->key) != 0) {
            i++;
        }
        if (i == sizeof(keys) / sizeof(keys[0])) {
            return at_fault(err, item,
                            "a field has column, is, after and else, not ",
                            item->key);
        }
        *keys[i].place = item;
    }
    return LB_OK;
}

static enum lb_err read_other(struct import_map_column *column,
                              const struct lb_yaml *other,
                              struct lb_error *err)
{
    if (other->kind == LB_YAML_SCALAR && strcmp(other->text, "keep") == 0) {
        column->other = IMPORT_MAP_KEEP;
    } else if (other->kind == LB_YAML_SCALAR &&
               strcmp(other->text, "none") == 0) {
        column->other = IMPORT_MAP_NONE;
    } else {
        return at_fault(err, other, "else is keep or none, not ",
                        other->kind == LB_YAML_SCALAR ? other->text : "");
    }
    return LB_OK;
}

static enum lb_err read_rule(struct import_map *columns,
                             const struct import_cells *cells,
                             const struct lb_yaml *node,
                             const char *field,
                             struct lb_error *err)
{
    struct import_map_column *column;
    struct rule rule;
    int cell = IMPORT_MAP_CONSTANT;
    enum lb_err rc = sort_rule(node, &rule, err);

    if (rc == LB_OK && !is_rule(&rule)) {
        rc = at_fault(err, node,
                      "write { is: TEXT }, { column: NAME, is: { VALUE: TEXT "
                      "} } or { column: NAME, after: TEXT } for ",
                      field);
    }
    if (rc == LB_OK && rule.column != NULL) {
        rc = find_cell(cells, rule.column, &cell, err);
    }
    if (rc != LB_OK) {
        return rc;
    }
    column = add_column(columns, field, cell);
    if (column == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    if (rule.column == NULL && rule.is != NULL) {
        column->constant = strdup(rule.is->text);
    }
    if (rule.after != NULL) {
        column->after = strdup(rule.after->text);
    }
    if ((rule.column == NULL && column->constant == NULL) ||
        (rule.after != NULL && column->after == NULL)) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    rc = rule.other == NULL ? LB_OK : read_other(column, rule.other, err);
    return rc == LB_OK && rule.is != NULL && rule.column != NULL
               ? read_words(column, rule.is, err)
               : rc;
}

static enum lb_err use_map(struct import_map *columns,
                           const struct import_cells *cells,
                           const struct lb_yaml *map,
                           struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (const struct lb_yaml *node = map->child; node != NULL && rc == LB_OK;
         node = node->next) {
        char field[128];
        int cell = IMPORT_MAP_CONSTANT;

        if (strcmp(node->key, IMPORT_MAP_COUNT) == 0) {
            (void)snprintf(field, sizeof(field), IMPORT_MAP_COUNT);
            columns->has_count = true;
        } else if (!read_field(node->key, field, sizeof(field))) {
            const char *near = lb_yaml_suggest(node->key, fields);

            return lb_err_set(err, LB_EFORMAT,
                              "%u:%u: %.60s is no field of an event%s%s",
                              node->key_line, node->key_column, node->key,
                              near == NULL ? "" : "; did you mean ",
                              near == NULL ? "" : near);
        }
        if (node->kind == LB_YAML_MAP) {
            rc = read_rule(columns, cells, node, field, err);
            continue;
        }
        rc = find_cell(cells, node, &cell, err);
        if (rc == LB_OK && add_column(columns, field, cell) == NULL) {
            rc = lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    return rc;
}

static enum lb_err read_time_kind(struct import_map *columns,
                                  const struct lb_yaml *time,
                                  struct lb_error *err)
{
    static const char *const kinds[] = {"any", "rfc3339", "epoch_s",
                                        "epoch_ms"};

    for (int i = IMPORT_MAP_RFC3339; i <= IMPORT_MAP_EPOCH_MS; i++) {
        if (strcmp(time->text, kinds[i]) == 0) {
            columns->time = (enum import_map_time)i;
            return LB_OK;
        }
    }
    if (strchr(time->text, '%') == NULL) {
        return at_fault(err, time,
                        "time is rfc3339, epoch_s, epoch_ms or a format like "
                        "%d.%m.%Y %H:%M, not ",
                        time->text);
    }
    columns->time = IMPORT_MAP_TEXT;
    columns->time_format = strdup(time->text);
    return columns->time_format == NULL
               ? lb_err_set(err, LB_ENOMEM, "out of memory")
               : LB_OK;
}

static enum lb_err read_zone(struct import_map *columns,
                             const struct lb_yaml *node,
                             struct lb_error *err)
{
    return lb_zone_find(node->text, &columns->zone, err) == LB_OK
               ? LB_OK
               : at_fault(err, node, "there is no time zone ", node->text);
}

static enum lb_err unknown_setting(const struct lb_yaml *node,
                                   struct lb_error *err)
{
    static const char *const keys[] = {"columns", "delimiter", "time", "tz",
                                       NULL};
    const char *near = lb_yaml_suggest(node->key, keys);

    return lb_err_set(err, LB_EFORMAT,
                      "%u:%u: a map has columns, delimiter (one character), "
                      "time and tz, not this %.40s%s%s",
                      node->key_line, node->key_column, node->key,
                      near == NULL ? "" : "; did you mean ",
                      near == NULL ? "" : near);
}

static enum lb_err read_settings(struct import_map *columns,
                                 const struct lb_yaml *root,
                                 struct lb_error *err)
{
    bool is_map = root->kind == LB_YAML_MAP;
    enum lb_err rc = LB_OK;

    for (const struct lb_yaml *node = is_map ? root->child : NULL;
         node != NULL && rc == LB_OK; node = node->next) {
        bool is_scalar = node->kind == LB_YAML_SCALAR;

        if (strcmp(node->key, "columns") == 0 && node->kind == LB_YAML_MAP) {
            continue;
        }
        if (strcmp(node->key, "delimiter") == 0 && is_scalar &&
            strlen(node->text) == 1 && node->text[0] != '"') {
            columns->delimiter = node->text[0];
        } else if (strcmp(node->key, "time") == 0 && is_scalar) {
            rc = read_time_kind(columns, node, err);
        } else if (strcmp(node->key, "tz") == 0 && is_scalar) {
            rc = read_zone(columns, node, err);
        } else {
            rc = unknown_setting(node, err);
        }
    }
    if (rc == LB_OK && (!is_map || lb_yaml_find(root, "columns") == NULL)) {
        rc = lb_err_set(err, LB_EFORMAT,
                        "1:1: a map needs columns: { FIELD: COLUMN }");
    }
    return rc;
}

static enum lb_err read_header(struct import_map *columns,
                               const char *header,
                               const struct lb_yaml *map,
                               struct lb_error *err)
{
    struct lb_arena *arena = lb_arena_new(HEADER_BYTES);
    struct import_cells cells;
    enum lb_err rc = arena == NULL ? LB_ENOMEM : LB_OK;

    header += strncmp(header, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    rc = rc == LB_OK ? import_cells_read(header, strlen(header),
                                         columns->delimiter, arena, &cells)
                     : rc;
    if (rc != LB_OK) {
        rc = lb_err_set(err, LB_EFORMAT,
                        "the first row is no row of names, or has more than %d",
                        IMPORT_CELLS_MAX);
    } else {
        columns->cell_count = cells.count;
        rc = map == NULL
                 ? use_names(columns, &cells, err)
                 : use_map(columns, &cells, lb_yaml_find(map, "columns"), err);
    }
    lb_arena_free(arena);
    return rc;
}

enum lb_err import_map_new(const char *header,
                           const char *map,
                           struct import_map **columns_out,
                           struct lb_error *err)
{
    struct import_map *columns = calloc(1, sizeof(*columns));
    struct lb_yaml *root = NULL;
    enum lb_err rc = LB_OK;

    *columns_out = NULL;
    if (columns == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    columns->delimiter = ',';
    if (map != NULL) {
        rc = lb_yaml_parse(map, strlen(map), &root, err);
        rc = rc == LB_OK ? read_settings(columns, root, err) : rc;
    }
    rc = rc == LB_OK ? read_header(columns, header, root, err) : rc;
    lb_yaml_free(root);
    if (rc == LB_OK) {
        *columns_out = columns;
        columns = NULL;
    }
    import_map_free(columns);
    return rc;
}
