/* filter.c - filter expressions. */
#include "aggregate/filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/dimension.h"
#include "base/text.h"

enum node_kind { NODE_CLAUSE, NODE_AND, NODE_OR, NODE_NOT };

struct filter {
    enum node_kind kind;
    struct filter *child; /* owned; first operand */
    struct filter *next;  /* owned; next operand of the parent */
    size_t clauses;       /* of the whole, at its root */
    /* Of a clause. */
    size_t number;
    struct dimension dimension;
    bool is_negated;
    bool is_contained; /* ~ : part of the text */
    char **values;     /* owned; NULL stands for null */
    size_t value_count;
};

struct parsing {
    const char *text;
    size_t at;
    unsigned depth;
    size_t clauses;     /* comparisons and values */
    size_t comparisons; /* so far */
    bool is_case_kept;
    struct lb_error *err;
};

void filter_free(struct filter *filter)
{
    while (filter != NULL) {
        struct filter *next = filter->next;

        filter_free(filter->child);
        for (size_t i = 0; i < filter->value_count; i++) {
            free(filter->values[i]);
        }
        free(filter->values);
        free(filter);
        filter = next;
    }
}

static void skip_space(struct parsing *parsing)
{
    while (parsing->text[parsing->at] == ' ' ||
           parsing->text[parsing->at] == '\t' ||
           parsing->text[parsing->at] == '\n' ||
           parsing->text[parsing->at] == '\r') {
        parsing->at++;
    }
}

static enum lb_err fault(struct parsing *parsing, const char *what)
{
    return lb_err_set(parsing->err, LB_EINVAL, "at character %zu: %s",
                      parsing->at + 1, what);
}

/* Length of a bare word: up to white space, a bracket, a comma or an operator.
 */
static size_t word_len(const char *text)
{
    return strcspn(text, " \t\r\n()[],=!~\"'");
}

static bool take_word(struct parsing *parsing, const char *word)
{
    size_t len = strlen(word);

    skip_space(parsing);
    if (word_len(parsing->text + parsing->at) != len ||
        strncmp(parsing->text + parsing->at, word, len) != 0) {
        return false;
    }
    parsing->at += len;
    return true;
}

static bool take_char(struct parsing *parsing, char c)
{
    skip_space(parsing);
    if (parsing->text[parsing->at] != c) {
        return false;
    }
    parsing->at++;
    return true;
}

static enum lb_err read_quoted(struct parsing *parsing, char **value_out)
{
    char quote = parsing->text[parsing->at++];
    char *value = malloc(strlen(parsing->text + parsing->at) + 1);
    size_t used = 0;

    if (value == NULL) {
        return lb_err_set(parsing->err, LB_ENOMEM, "out of memory");
    }
    while (parsing->text[parsing->at] != quote) {
        if (parsing->text[parsing->at] == '\\' &&
            parsing->text[parsing->at + 1] != '\0') {
            parsing->at++;
        }
        if (parsing->text[parsing->at] == '\0') {
            free(value);
            return fault(parsing, "the closing quote is missing");
        }
        value[used++] = parsing->text[parsing->at++];
    }
    parsing->at++;
    value[used] = '\0';
    *value_out = value;
    return LB_OK;
}

static enum lb_err read_value(struct parsing *parsing, struct filter *clause)
{
    char *value = NULL;
    char **values;
    enum lb_err rc;
    size_t len;

    skip_space(parsing);
    if (++parsing->clauses > FILTER_CLAUSES) {
        return fault(parsing, "there are more than 200 values; ask in parts");
    }
    values =
        realloc(clause->values, (clause->value_count + 1) * sizeof(*values));
    if (values == NULL) {
        return lb_err_set(parsing->err, LB_ENOMEM, "out of memory");
    }
    clause->values = values;
    if (parsing->text[parsing->at] == '"' ||
        parsing->text[parsing->at] == '\'') {
        rc = read_quoted(parsing, &value);
        if (rc != LB_OK) {
            return rc;
        }
    } else {
        len = word_len(parsing->text + parsing->at);
        if (len == 0) {
            return fault(parsing, "a value is missing: a word, a text in "
                                  "quotes, null, or a list in [ ]");
        }
        value = strndup(parsing->text + parsing->at, len);
        if (value == NULL) {
            return lb_err_set(parsing->err, LB_ENOMEM, "out of memory");
        }
        parsing->at += len;
        if (strcmp(value, "null") == 0) {
            free(value);
            value = NULL;
        }
    }
    if (value != NULL && clause->dimension.is_folded &&
        !parsing->is_case_kept) {
        lb_text_fold_all(value);
    }
    clause->values[clause->value_count++] = value;
    return LB_OK;
}

static enum lb_err read_values(struct parsing *parsing, struct filter *clause)
{
    enum lb_err rc;

    if (!take_char(parsing, '[')) {
        return read_value(parsing, clause);
    }
    do {
        rc = read_value(parsing, clause);
    } while (rc == LB_OK && take_char(parsing, ','));
    if (rc == LB_OK && !take_char(parsing, ']')) {
        return fault(parsing,
                     "a comma or the closing ] of the list is missing");
    }
    return rc;
}

static enum lb_err read_operator(struct parsing *parsing, struct filter *clause)
{
    const char *at;

    skip_space(parsing);
    at = parsing->text + parsing->at;
    if (strncmp(at, "==", 2) == 0 || strncmp(at, "!=", 2) == 0 ||
        strncmp(at, "!~", 2) == 0) {
        clause->is_negated = at[0] == '!';
        clause->is_contained = at[1] == '~';
        parsing->at += 2;
        return LB_OK;
    }
    if (at[0] == '~') {
        clause->is_contained = true;
        parsing->at++;
        return LB_OK;
    }
    return fault(parsing, "an operator is missing: ==, !=, ~ or !~");
}

static enum lb_err read_clause(struct parsing *parsing, struct filter *clause)
{
    char name[80];
    size_t len;
    enum lb_err rc;

    skip_space(parsing);
    len = word_len(parsing->text + parsing->at);
    if (len == 0 || len >= sizeof(name)) {
        return fault(parsing, "a dimension is missing, such as source, link, "
                              "utm_campaign or country");
    }
    memcpy(name, parsing->text + parsing->at, len);
    name[len] = '\0';
    if (!dimension_find(name, false, &clause->dimension)) {
        return lb_err_set(parsing->err, LB_EINVAL,
                          "at character %zu: \"%s\" is no dimension; try "
                          "source, link, page, utm_source, utm_medium, "
                          "utm_campaign, country, device, type or prop:KEY",
                          parsing->at + 1, name);
    }
    parsing->at += len;
    clause->number = parsing->comparisons++;
    rc = read_operator(parsing, clause);
    return rc == LB_OK ? read_values(parsing, clause) : rc;
}

static enum lb_err read_or(struct parsing *parsing, struct filter **out);

static enum lb_err read_factor(struct parsing *parsing, struct filter **out)
{
    struct filter *node;
    enum lb_err rc;

    *out = NULL;
    if (++parsing->depth > FILTER_DEPTH) {
        return fault(parsing, "brackets are nested more than 32 deep");
    }
    if (take_char(parsing, '(')) {
        rc = read_or(parsing, out);
        if (rc == LB_OK && !take_char(parsing, ')')) {
            rc = fault(parsing, "and, or, or the closing ) is missing");
        }
        parsing->depth--;
        return rc;
    }
    node = calloc(1, sizeof(*node));
    if (node == NULL) {
        return lb_err_set(parsing->err, LB_ENOMEM, "out of memory");
    }
    *out = node;
    if (take_word(parsing, "not")) {
        node->kind = NODE_NOT;
        rc = read_factor(parsing, &node->child);
    } else {
        rc = read_clause(parsing, node);
    }
    parsing->depth--;
    return rc;
}

/* Operands joined by word; one alone stands for itself. */
static enum lb_err read_joined(struct parsing *parsing,
                               enum node_kind kind,
                               const char *word,
                               enum lb_err (*read)(struct parsing *,
                                                   struct filter **),
                               struct filter **out)
{
    struct filter *first = NULL;
    struct filter **tail;
    struct filter *node;
    enum lb_err rc = read(parsing, &first);

    *out = first;
    if (rc != LB_OK || !take_word(parsing, word)) {
        return rc;
    }
    node = calloc(1, sizeof(*node));
    *out = node;
    if (node == NULL) {
        filter_free(first);
        return lb_err_set(parsing->err, LB_ENOMEM, "out of memory");
    }
    node->kind = kind;
    node->child = first;
    tail = &node->child;
    do {
        tail = *tail == NULL ? tail : &(*tail)->next;
        rc = read(parsing, tail);
    } while (rc == LB_OK && take_word(parsing, word));
    return rc;
}

static enum lb_err read_and(struct parsing *parsing, struct filter **out)
{
    return read_joined(parsing, NODE_AND, "and", read_factor, out);
}

static enum lb_err read_or(struct parsing *parsing, struct filter **out)
{
    return read_joined(parsing, NODE_OR, "or", read_and, out);
}

enum lb_err filter_parse(const char *text,
                         bool is_case_kept,
                         struct filter **filter_out,
                         struct lb_error *err)
{
    struct parsing parsing = {text, 0, 0, 0, 0, is_case_kept, err};
    enum lb_err rc;

    *filter_out = NULL;
    if (strlen(text) > FILTER_BYTES) {
        return lb_err_set(err, LB_EINVAL, "the filter is longer than %d bytes",
                          FILTER_BYTES);
    }
    skip_space(&parsing);
    if (text[parsing.at] == '\0') {
        return LB_OK;
    }
    rc = read_or(&parsing, filter_out);
    if (rc == LB_OK) {
        skip_space(&parsing);
        if (text[parsing.at] != '\0') {
            rc = fault(&parsing, "and, or, or the end is expected here");
        }
        if (*filter_out != NULL) {
            (*filter_out)->clauses = parsing.comparisons;
        }
    }
    if (rc != LB_OK) {
        filter_free(*filter_out);
        *filter_out = NULL;
    }
    return rc;
}

/* What a filter is asked about. */
struct asking {
    const struct entry *entry;
    const char *site;
    bool is_view_side;
    const char
        *slug; /* the link that stands in for the view's own; NULL: none */
    struct lb_buf *scratch;
};

static bool holds(const struct filter *clause, const char *value)
{
    bool is_found = false;

    for (size_t i = 0; i < clause->value_count && !is_found; i++) {
        const char *wanted = clause->values[i];

        if (wanted == NULL || value == NULL) {
            is_found = wanted == NULL && value == NULL;
        } else if (clause->is_contained) {
            is_found = strstr(value, wanted) != NULL;
        } else {
            is_found = strcmp(value, wanted) == 0;
        }
    }
    return is_found != clause->is_negated;
}

static enum filter_verdict ask_clause(const struct filter *clause,
                                      const struct asking *asking)
{
    const char *value;

    if (!asking->is_view_side || !clause->dimension.is_of_click) {
        value = dimension_value(&clause->dimension, asking->entry, asking->site,
                                asking->scratch);
    } else if (asking->slug != NULL &&
               clause->dimension.kind == DIMENSION_TEXT &&
               clause->dimension.text == ENTRY_TEXT_LINK) {
        value = asking->slug;
    } else {
        return FILTER_LEFT_OUT;
    }
    return holds(clause, value) ? FILTER_YES : FILTER_NO;
}

static enum filter_verdict ask(const struct filter *node,
                               const struct asking *asking)
{
    enum filter_verdict stop = node->kind == NODE_AND ? FILTER_NO : FILTER_YES;
    enum filter_verdict verdict = FILTER_LEFT_OUT;

    if (node->kind == NODE_CLAUSE) {
        return ask_clause(node, asking);
    }
    if (node->kind == NODE_NOT) {
        verdict = ask(node->child, asking);
        return verdict == FILTER_LEFT_OUT ? verdict
               : verdict == FILTER_YES    ? FILTER_NO
                                          : FILTER_YES;
    }
    for (const struct filter *child = node->child; child != NULL;
         child = child->next) {
        enum filter_verdict part = ask(child, asking);

        if (part == stop) {
            return stop;
        }
        verdict = part == FILTER_LEFT_OUT ? verdict : part;
    }
    return verdict;
}

bool filter_matches(const struct filter *filter,
                    const struct entry *entry,
                    const char *site,
                    bool is_view_side,
                    struct lb_buf *scratch)
{
    const struct asking asking = {entry, site, is_view_side, NULL, scratch};

    return filter == NULL || ask(filter, &asking) != FILTER_NO;
}

bool filter_matches_link(const struct filter *filter,
                         const struct entry *view,
                         const char *site,
                         const char *slug,
                         struct lb_buf *scratch)
{
    const struct asking asking = {view, site, true, slug, scratch};

    return filter == NULL || ask(filter, &asking) != FILTER_NO;
}

/* --- asked of many rows at once ------------------------------------------- */

size_t filter_clause_count(const struct filter *filter)
{
    return filter == NULL ? 0 : filter->clauses;
}

static const struct filter *find_clause(const struct filter *node,
                                        size_t number)
{
    for (; node != NULL; node = node->next) {
        const struct filter *found = node->kind != NODE_CLAUSE
                                         ? find_clause(node->child, number)
                                     : node->number == number ? node
                                                              : NULL;

        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

const struct dimension *filter_clause_dimension(const struct filter *filter,
                                                size_t clause)
{
    return &find_clause(filter, clause)->dimension;
}

const struct filter *filter_clause(const struct filter *filter, size_t clause)
{
    return find_clause(filter, clause);
}

bool filter_clause_holds(const struct filter *clause, const char *value)
{
    return holds(clause, value);
}

/* Where the texts that are a value lie: most are told by their length. */
static void find_equal(const char *value,
                       const char *const *texts,
                       size_t count,
                       uint8_t verdict,
                       uint8_t *verdicts)
{
    ptrdiff_t bytes = (ptrdiff_t)strlen(value) + 1;

    for (size_t i = 1; i + 1 < count; i++) {
        if (texts[i + 1] - texts[i] == bytes &&
            memcmp(texts[i], value, (size_t)bytes) == 0) {
            verdicts[i] = verdict;
        }
    }
    if (count > 1 && strcmp(texts[count - 1], value) == 0) {
        verdicts[count - 1] = verdict;
    }
}

void filter_clause_judge(const struct filter *clause,
                         const char *const *texts,
                         size_t count,
                         uint8_t *verdicts_out)
{
    uint8_t found = clause->is_negated ? FILTER_NO : FILTER_YES;

    if (clause->is_contained) {
        for (size_t i = 0; i < count; i++) {
            verdicts_out[i] = holds(clause, texts[i]) ? FILTER_YES : FILTER_NO;
        }
        return;
    }
    memset(verdicts_out, clause->is_negated ? FILTER_YES : FILTER_NO, count);
    for (size_t i = 0; i < clause->value_count; i++) {
        if (clause->values[i] != NULL) {
            find_equal(clause->values[i], texts, count, found, verdicts_out);
        } else if (count > 0) {
            verdicts_out[0] = found;
        }
    }
}

bool filter_needs_clause(const struct filter *filter, size_t clause)
{
    if (filter->kind == NODE_CLAUSE) {
        return filter->number == clause;
    }
    if (filter->kind != NODE_AND) {
        return false;
    }
    for (const struct filter *child = filter->child; child != NULL;
         child = child->next) {
        if (filter_needs_clause(child, clause)) {
            return true;
        }
    }
    return false;
}

/* Takes the verdicts of one more operand into those so far. */
static void
join(enum node_kind kind, const uint8_t *part, size_t count, uint8_t *verdicts)
{
    uint8_t stop = kind == NODE_AND ? FILTER_NO : FILTER_YES;

    for (size_t i = 0; i < count; i++) {
        if (verdicts[i] != stop && part[i] != FILTER_LEFT_OUT) {
            verdicts[i] = part[i];
        }
    }
}

void filter_judge(const struct filter *filter,
                  bool is_view_side,
                  const uint8_t *const *verdicts,
                  size_t count,
                  uint8_t *room,
                  uint8_t *verdicts_out)
{
    static const uint8_t turned[] = {[FILTER_NO] = FILTER_YES,
                                     [FILTER_YES] = FILTER_NO,
                                     [FILTER_LEFT_OUT] = FILTER_LEFT_OUT};

    if (filter->kind == NODE_CLAUSE) {
        if (is_view_side && filter->dimension.is_of_click) {
            memset(verdicts_out, FILTER_LEFT_OUT, count);
        } else {
            memcpy(verdicts_out, verdicts[filter->number], count);
        }
        return;
    }
    filter_judge(filter->child, is_view_side, verdicts, count, room,
                 verdicts_out);
    if (filter->kind == NODE_NOT) {
        for (size_t i = 0; i < count; i++) {
            verdicts_out[i] = turned[verdicts_out[i]];
        }
        return;
    }
    for (const struct filter *child = filter->child->next; child != NULL;
         child = child->next) {
        filter_judge(child, is_view_side, verdicts, count, room + count, room);
        join(filter->kind, room, count, verdicts_out);
    }
}

bool filter_is_of_click(const struct filter *filter)
{
    for (; filter != NULL; filter = filter->next) {
        if ((filter->kind == NODE_CLAUSE && filter->dimension.is_of_click) ||
            filter_is_of_click(filter->child)) {
            return true;
        }
    }
    return false;
}
