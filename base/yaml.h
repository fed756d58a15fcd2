/* yaml.h - a YAML 1.1 document (libyaml) as a tree whose nodes know their line
 * and column.  Aliases, duplicate keys, several documents and deep nesting are
 * refused. */
#ifndef LINKBELL_BASE_YAML_H
#define LINKBELL_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define LB_YAML_BYTES ((size_t)4 * 1024 * 1024)
#define LB_YAML_DEPTH 32

enum lb_yaml_kind { LB_YAML_SCALAR, LB_YAML_LIST, LB_YAML_MAP };

struct lb_yaml {
    enum lb_yaml_kind kind;
    char *key;       /* owned; in a map: its key, else NULL */
    char *text;      /* owned; of a scalar */
    bool is_quoted;  /* a quoted scalar is always text */
    unsigned line;   /* of the value, from 1 */
    unsigned column; /* from 1 */
    unsigned key_line;
    unsigned key_column;
    struct lb_yaml *child; /* owned; first of a list or map */
    struct lb_yaml *next;  /* owned */
};

/* Parses text; lb_yaml_free() the tree.  An empty document is an empty map. err
 * says "LINE:COL: what is wrong". */
LB_MUST_CHECK enum lb_err lb_yaml_parse(const char *text,
                                        size_t len,
                                        struct lb_yaml **root_out,
                                        struct lb_error *err);
void lb_yaml_free(struct lb_yaml *node); /* NULL is fine */

const struct lb_yaml *lb_yaml_find(const struct lb_yaml *map, const char *key);

/* The node as JSON: plain scalars that are numbers, true, false or null become
 * those. */
void lb_yaml_to_json(const struct lb_yaml *node, struct lb_buf *buf);

/* The nearest of words (NULL-terminated) to a misspelt one; NULL when none is
 * near. */
const char *lb_yaml_suggest(const char *word, const char *const *words);

#endif
