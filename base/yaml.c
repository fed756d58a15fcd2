/* yaml.c - libyaml's events as a tree. */
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/json.h"
#include "base/text.h"

#define SUGGEST_BYTES 48

struct reading {
    yaml_parser_t parser;
    struct lb_error *err;
};

static enum lb_err
fault_at(struct reading *reading, const yaml_mark_t *mark, const char *text)
{
    return lb_err_set(reading->err, LB_EFORMAT, "%zu:%zu: %s", mark->line + 1,
                      mark->column + 1, text);
}

static enum lb_err next_event(struct reading *reading, yaml_event_t *event)
{
    const yaml_parser_t *parser = &reading->parser;

    if (yaml_parser_parse(&reading->parser, event) != 0) {
        return LB_OK;
    }
    return fault_at(reading, &parser->problem_mark,
                    parser->problem == NULL ? "not YAML" : parser->problem);
}

void lb_yaml_free(struct lb_yaml *node)
{
    while (node != NULL) {
        struct lb_yaml *next = node->next;

        lb_yaml_free(node->child);
        free(node->key);
        free(node->text);
        free(node);
        node = next;
    }
}

static enum lb_err new_node(struct reading *reading,
                            const yaml_event_t *event,
                            struct lb_yaml **out)
{
    struct lb_yaml *node = calloc(1, sizeof(*node));

    *out = node;
    if (node == NULL) {
        (void)lb_err_set(reading->err, LB_ENOMEM, "out of memory");
        return LB_ENOMEM; /* never LB_OK without a node */
    }
    node->line = (unsigned)event->start_mark.line + 1;
    node->column = (unsigned)event->start_mark.column + 1;
    if (event->type == YAML_SCALAR_EVENT) {
        const char *text = (const char *)event->data.scalar.value;

        node->kind = LB_YAML_SCALAR;
        node->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        if (strlen(text) != event->data.scalar.length) {
            return fault_at(reading, &event->start_mark, "a NUL inside a text");
        }
        node->text = strdup(text);
        return node->text == NULL
                   ? lb_err_set(reading->err, LB_ENOMEM, "out of memory")
                   : LB_OK;
    }
    node->kind =
        event->type == YAML_MAPPING_START_EVENT ? LB_YAML_MAP : LB_YAML_LIST;
    return LB_OK;
}

static enum lb_err
read_children(struct reading *reading, struct lb_yaml *parent, unsigned depth);

static enum lb_err read_node(struct reading *reading,
                             const yaml_event_t *event,
                             unsigned depth,
                             struct lb_yaml **out)
{
    enum lb_err rc;

    *out = NULL;
    if (event->type == YAML_ALIAS_EVENT) {
        return fault_at(reading, &event->start_mark, "aliases are not taken");
    }
    if (depth > LB_YAML_DEPTH) {
        return fault_at(reading, &event->start_mark, "nested too deeply");
    }
    rc = new_node(reading, event, out);
    if (rc == LB_OK && (*out)->kind != LB_YAML_SCALAR) {
        rc = read_children(reading, *out, depth + 1);
    }
    return rc;
}

/* Reads the key that event holds, then its value. */
static enum lb_err read_pair(struct reading *reading,
                             struct lb_yaml *map,
                             const yaml_event_t *key,
                             unsigned depth,
                             struct lb_yaml **out)
{
    yaml_event_t event;
    enum lb_err rc;

    *out = NULL;
    if (key->type != YAML_SCALAR_EVENT) {
        return fault_at(reading, &key->start_mark, "a key must be a text");
    }
    if (lb_yaml_find(map, (const char *)key->data.scalar.value) != NULL) {
        return fault_at(reading, &key->start_mark,
                        "this key stands here twice");
    }
    rc = next_event(reading, &event);
    if (rc != LB_OK) {
        return rc;
    }
    rc = read_node(reading, &event, depth, out);
    yaml_event_delete(&event);
    if (*out != NULL) {
        (*out)->key_line = (unsigned)key->start_mark.line + 1;
        (*out)->key_column = (unsigned)key->start_mark.column + 1;
        (*out)->key = strdup((const char *)key->data.scalar.value);
        rc = (*out)->key == NULL ? LB_ENOMEM : rc;
    }
    return rc;
}

static enum lb_err
read_children(struct reading *reading, struct lb_yaml *parent, unsigned depth)
{
    struct lb_yaml **tail = &parent->child;
    enum lb_err rc = LB_OK;
    bool is_end = false;

    while (rc == LB_OK && !is_end) {
        yaml_event_t event;

        rc = next_event(reading, &event);
        if (rc != LB_OK) {
            break;
        }
        is_end = event.type == YAML_MAPPING_END_EVENT ||
                 event.type == YAML_SEQUENCE_END_EVENT;
        if (!is_end) {
            rc = parent->kind == LB_YAML_MAP
                     ? read_pair(reading, parent, &event, depth, tail)
                     : read_node(reading, &event, depth, tail);
            tail = *tail == NULL ? tail : &(*tail)->next;
        }
        yaml_event_delete(&event);
    }
    return rc;
}

static enum lb_err take_event(struct reading *reading,
                              const yaml_event_t *event,
                              struct lb_yaml **root)
{
    switch ((int)event->type) {
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return LB_OK;
    case YAML_DOCUMENT_START_EVENT:
        return *root == NULL ? LB_OK
                             : fault_at(reading, &event->start_mark,
                                        "a second document; one file holds "
                                        "one");
    default:
        return read_node(reading, event, 1, root);
    }
}

static enum lb_err read_stream(struct reading *reading, struct lb_yaml **root)
{
    bool is_end = false;
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && !is_end) {
        yaml_event_t event;

        rc = next_event(reading, &event);
        if (rc != LB_OK) {
            break;
        }
        is_end = event.type == YAML_STREAM_END_EVENT;
        rc = take_event(reading, &event, root);
        yaml_event_delete(&event);
    }
    return rc;
}

enum lb_err lb_yaml_parse(const char *text,
                          size_t len,
                          struct lb_yaml **root_out,
                          struct lb_error *err)
{
    struct reading reading = {.err = err};
    enum lb_err rc;

    *root_out = NULL;
    if (len > LB_YAML_BYTES) {
        return lb_err_set(err, LB_ELIMIT, "1:1: larger than 4 MiB");
    }
    if (yaml_parser_initialize(&reading.parser) == 0) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    yaml_parser_set_input_string(&reading.parser, (const unsigned char *)text,
                                 len);
    rc = read_stream(&reading, root_out);
    yaml_parser_delete(&reading.parser);
    if (rc == LB_OK && *root_out == NULL) {
        *root_out = calloc(1, sizeof(**root_out));
        if (*root_out == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        (*root_out)->kind = LB_YAML_MAP;
    }
    if (rc != LB_OK) {
        lb_yaml_free(*root_out);
        *root_out = NULL;
    }
    return rc;
}

const struct lb_yaml *lb_yaml_find(const struct lb_yaml *map, const char *key)
{
    const struct lb_yaml *node = map == NULL ? NULL : map->child;

    while (node != NULL && (node->key == NULL || strcmp(node->key, key) != 0)) {
        node = node->next;
    }
    return node;
}

static bool is_number(const char *text)
{
    struct lb_json_fault fault;
    size_t len = strlen(text);

    return len > 0 && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9')) &&
           lb_json_check(text, len, 1, &fault) == LB_OK;
}

static bool is_null(const char *text)
{
    return text[0] == '\0' || strcmp(text, "~") == 0 ||
           strcmp(text, "null") == 0;
}

/* JSON's word or number, as it stands there. */
static bool is_bare(const char *text)
{
    return strcmp(text, "true") == 0 || strcmp(text, "false") == 0 ||
           is_number(text);
}

static void scalar_to_json(const struct lb_yaml *node, struct lb_buf *buf)
{
    if (!node->is_quoted && is_null(node->text)) {
        lb_buf_add_text(buf, "null");
    } else if (!node->is_quoted && is_bare(node->text)) {
        lb_buf_add_text(buf, node->text);
    } else {
        lb_json_add_string(buf, node->text);
    }
}

void lb_yaml_to_json(const struct lb_yaml *node, struct lb_buf *buf)
{
    if (node->kind == LB_YAML_SCALAR) {
        scalar_to_json(node, buf);
        return;
    }
    lb_buf_add_char(buf, node->kind == LB_YAML_MAP ? '{' : '[');
    for (const struct lb_yaml *child = node->child; child != NULL;
         child = child->next) {
        if (node->kind == LB_YAML_MAP) {
            lb_json_add_key(buf, child->key);
        } else if (child != node->child) {
            lb_buf_add_char(buf, ',');
        }
        lb_yaml_to_json(child, buf);
    }
    lb_buf_add_char(buf, node->kind == LB_YAML_MAP ? '}' : ']');
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edit distance with neighbours swapped counting one (Damerau; optimal
 * alignment). */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][SUGGEST_BYTES + 1];
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);

    if (a_len > SUGGEST_BYTES || b_len > SUGGEST_BYTES) {
        return SUGGEST_BYTES;
    }
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *now = rows[i % 3];
        const size_t *before = rows[(i + 2) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            bool is_same = lb_text_fold(a[i - 1]) == lb_text_fold(b[j - 1]);
            bool is_swapped =
                i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];

            now[j] = least(least(before[j] + 1, now[j - 1] + 1),
                           before[j - 1] + (is_same ? 0 : 1));
            now[j] = is_swapped ? least(now[j], rows[(i + 1) % 3][j - 2] + 1)
                                : now[j];
        }
    }
    return rows[a_len % 3][b_len];
}

const char *lb_yaml_suggest(const char *word, const char *const *words)
{
    size_t best = strlen(word) / 3 + 2;
    const char *nearest = NULL;

    for (; *words != NULL; words++) {
        size_t far = distance(word, *words);

        if (far < best) {
            best = far;
            nearest = *words;
        }
    }
    return nearest;
}
