/* v2_filter.c - filters of the stats dialect. */
#include "aggregate/v2_filter.h"

#include <stdlib.h>
#include <string.h>

#include "aggregate/v2_regex.h"
#include "aggregate/v2_text.h"
#include "base/text.h"

#define PAGE_GOAL "Visit /"

enum node_kind { NODE_CLAUSE, NODE_AND, NODE_OR, NODE_NOT, NODE_DONE };
enum op { OPERATOR_IS, OPERATOR_CONTAINS, OPERATOR_MATCHES };
enum verdict { VERDICT_NO, VERDICT_YES, VERDICT_LEFT_OUT };

struct v2_filter {
    enum node_kind kind;
    struct v2_filter *child; /* owned; first operand */
    struct v2_filter *next;  /* owned; next operand of the parent */
    uint32_t mark;           /* of NODE_DONE: its bit */
    /* Of a clause. */
    struct v2_dimension dimension;
    enum op op;
    bool is_negated;
    bool is_folded;            /* case makes no difference */
    char **values;             /* owned */
    struct v2_regex **regexes; /* owned; of OPERATOR_MATCHES */
    size_t value_count;
};

struct parsing {
    bool is_case_kept;
    size_t clauses;
    unsigned behaviours;
    struct lb_buf *fault;
};

/* Where a filter stands. */
struct place {
    unsigned depth;
    bool is_top;           /* in the list, or what a behaviour asks */
    bool is_behaviour_top; /* in the list, or under not there */
};

static const struct {
    const char *name;
    enum op op;
    bool is_negated;
} operators[] = {{"is", OPERATOR_IS, false},
                 {"is_not", OPERATOR_IS, true},
                 {"contains", OPERATOR_CONTAINS, false},
                 {"contains_not", OPERATOR_CONTAINS, true},
                 {"matches", OPERATOR_MATCHES, false},
                 {"matches_not", OPERATOR_MATCHES, true}};
#define OPERATORS (sizeof(operators) / sizeof(operators[0]))

static void free_values(struct v2_filter *filter)
{
    for (size_t i = 0; i < filter->value_count; i++) {
        free(filter->values[i]);
        if (filter->regexes != NULL) {
            v2_regex_free(filter->regexes[i]);
        }
    }
    free(filter->values);
    free(filter->regexes);
}

void v2_filter_free(struct v2_filter *filter)
{
    while (filter != NULL) {
        struct v2_filter *next = filter->next;

        v2_filter_free(filter->child);
        free_values(filter);
        free(filter);
        filter = next;
    }
}

/* --- parsing -------------------------------------------------------------- */

static enum lb_err fault(struct parsing *parsing, const char *text)
{
    lb_buf_add_text(parsing->fault, text);
    return LB_EINVAL;
}

static enum lb_err invalid(struct parsing *parsing, const cJSON *json)
{
    lb_buf_add_text(parsing->fault, "Invalid filter '");
    v2_text_add_json(parsing->fault, json);
    lb_buf_add_text(parsing->fault, "'.");
    return LB_EINVAL;
}

static enum lb_err no_memory(struct parsing *parsing)
{
    lb_buf_add_text(parsing->fault, "Out of memory.");
    return LB_ENOMEM;
}

/* The last of four may say {"case_sensitive": false}. */
static bool read_modifiers(const cJSON *json, struct v2_filter *clause)
{
    const cJSON *option;

    if (json == NULL) {
        return true;
    }
    if (!cJSON_IsObject(json)) {
        return false;
    }
    cJSON_ArrayForEach (option, json) {
        if (strcmp(option->string, "case_sensitive") != 0 ||
            !cJSON_IsBool(option)) {
            return false;
        }
        clause->is_folded = cJSON_IsFalse(option) != 0;
    }
    return true;
}

static bool is_country(const char *text)
{
    return strcmp(text, "(not set)") == 0 ||
           (strlen(text) == 2 && lb_text_is_made_of(text, "A-Za-z", 2));
}

static enum lb_err
add_value(struct parsing *parsing, struct v2_filter *clause, const char *text)
{
    char *value = strdup(text);

    if (value == NULL) {
        return LB_ENOMEM;
    }
    clause->values[clause->value_count++] = value;
    if (clause->is_folded ||
        (clause->dimension.is_folded && !parsing->is_case_kept &&
         clause->op != OPERATOR_MATCHES)) {
        lb_text_fold_all(value);
    }
    if (clause->op != OPERATOR_MATCHES) {
        return LB_OK;
    }
    clause->regexes[clause->value_count - 1] =
        v2_regex_new(text, clause->is_folded || (clause->dimension.is_folded &&
                                                 !parsing->is_case_kept));
    return clause->regexes[clause->value_count - 1] == NULL ? LB_EINVAL : LB_OK;
}

static enum lb_err read_values(struct parsing *parsing,
                               const cJSON *json,
                               const cJSON *list,
                               struct v2_filter *clause)
{
    size_t count = (size_t)cJSON_GetArraySize(list);
    const cJSON *item;
    enum lb_err rc = LB_OK;

    parsing->clauses += count;
    if (parsing->clauses > V2_FILTER_CLAUSES) {
        return fault(parsing,
                     "Invalid filters. Filters may hold 200 clauses at most.");
    }
    if (!cJSON_IsArray(list) || count == 0) {
        return invalid(parsing, json);
    }
    clause->values = calloc(count, sizeof(*clause->values));
    clause->regexes = clause->op == OPERATOR_MATCHES
                          ? calloc(count, sizeof(struct v2_regex *))
                          : NULL;
    if (clause->values == NULL ||
        (clause->op == OPERATOR_MATCHES && clause->regexes == NULL)) {
        return no_memory(parsing);
    }
    cJSON_ArrayForEach (item, list) {
        if (!cJSON_IsString(item)) {
            return invalid(parsing, json);
        }
        if (strcmp(clause->dimension.name, "visit:country") == 0 &&
            clause->op == OPERATOR_IS && !is_country(item->valuestring)) {
            return fault(parsing,
                         "Invalid visit:country filter, visit:country needs to "
                         "be a valid 2-letter country code.");
        }
        rc = add_value(parsing, clause, item->valuestring);
        if (rc != LB_OK) {
            return rc == LB_ENOMEM ? no_memory(parsing)
                                   : invalid(parsing, json);
        }
    }
    return LB_OK;
}

static enum lb_err check_place(struct parsing *parsing,
                               const struct v2_filter *clause,
                               const struct place *place)
{
    if (!place->is_top &&
        (clause->dimension.kind == V2_DIMENSION_GOAL ||
         strcmp(clause->dimension.name, "event:hostname") == 0)) {
        lb_buf_printf(parsing->fault,
                      "Invalid filters. Dimension `%s` can only be filtered at "
                      "the top level.",
                      clause->dimension.name);
        return LB_EINVAL;
    }
    return LB_OK;
}

static enum lb_err read_clause(struct parsing *parsing,
                               const cJSON *json,
                               const struct place *place,
                               struct v2_filter *clause)
{
    const cJSON *name = cJSON_GetArrayItem(json, 1);
    int size = cJSON_GetArraySize(json);
    enum lb_err rc;

    if (size < 3 || size > 4 || !cJSON_IsString(name) ||
        !v2_dimension_find(name->valuestring, &clause->dimension) ||
        clause->dimension.kind == V2_DIMENSION_TIME ||
        clause->dimension.kind == V2_DIMENSION_TIME_AUTO ||
        !read_modifiers(cJSON_GetArrayItem(json, 3), clause) ||
        (clause->dimension.kind == V2_DIMENSION_GOAL &&
         (clause->is_negated || clause->op == OPERATOR_MATCHES))) {
        return invalid(parsing, json);
    }
    rc = read_values(parsing, json, cJSON_GetArrayItem(json, 2), clause);
    return rc == LB_OK ? check_place(parsing, clause, place) : rc;
}

static enum lb_err read_filter(struct parsing *parsing,
                               const cJSON *json,
                               const struct place *place,
                               struct v2_filter **out);

static enum lb_err read_list(struct parsing *parsing,
                             const cJSON *list,
                             const struct place *place,
                             struct v2_filter **tail)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, list) {
        enum lb_err rc = read_filter(parsing, item, place, tail);

        if (rc != LB_OK) {
            return rc;
        }
        tail = &(*tail)->next;
    }
    return LB_OK;
}

static enum lb_err read_behaviour(struct parsing *parsing,
                                  const cJSON *inner,
                                  const struct place *place,
                                  struct v2_filter *node)
{
    const struct place within = {.depth = place->depth + 1, .is_top = true};

    if (!place->is_behaviour_top) {
        return fault(parsing,
                     "Invalid filters. Behavioral filters (has_done, "
                     "has_not_done) can only be used at the top level.");
    }
    if (parsing->behaviours == V2_FILTER_BEHAVIOURS) {
        return fault(parsing, "Invalid filters. There may be 32 behavioral "
                              "filters at most.");
    }
    node->kind = NODE_DONE;
    node->mark = UINT32_C(1) << parsing->behaviours++;
    return read_filter(parsing, inner, &within, &node->child);
}

/* What stands beside clauses: and, or, not and behaviours.  LB_ENOTFOUND: none
 * of these. */
static enum lb_err read_joined(struct parsing *parsing,
                               const cJSON *json,
                               const struct place *place,
                               struct v2_filter *node)
{
    const char *name = cJSON_GetArrayItem(json, 0)->valuestring;
    const cJSON *operand = cJSON_GetArrayItem(json, 1);
    struct place within = {.depth = place->depth + 1};
    bool is_done = strcmp(name, "has_done") == 0;
    bool is_not_done = strcmp(name, "has_not_done") == 0;

    if (strcmp(name, "and") == 0 || strcmp(name, "or") == 0) {
        node->kind = name[0] == 'a' ? NODE_AND : NODE_OR;
        return cJSON_GetArraySize(json) == 2 && cJSON_IsArray(operand) &&
                       operand->child != NULL
                   ? read_list(parsing, operand, &within, &node->child)
                   : invalid(parsing, json);
    }
    if (strcmp(name, "not") != 0 && !is_done && !is_not_done) {
        return LB_ENOTFOUND;
    }
    if (cJSON_GetArraySize(json) != 2 || !cJSON_IsArray(operand)) {
        return invalid(parsing, json);
    }
    if (is_done) {
        return read_behaviour(parsing, operand, place, node);
    }
    node->kind = NODE_NOT;
    if (!is_not_done) {
        within.is_behaviour_top = place->is_behaviour_top;
        return read_filter(parsing, operand, &within, &node->child);
    }
    node->child = calloc(1, sizeof(*node->child));
    return node->child == NULL
               ? no_memory(parsing)
               : read_behaviour(parsing, operand, place, node->child);
}

static bool find_operator(const char *name, struct v2_filter *clause)
{
    for (size_t i = 0; i < OPERATORS; i++) {
        if (strcmp(name, operators[i].name) == 0) {
            clause->op = operators[i].op;
            clause->is_negated = operators[i].is_negated;
            return true;
        }
    }
    return false;
}

static enum lb_err read_filter(struct parsing *parsing,
                               const cJSON *json,
                               const struct place *place,
                               struct v2_filter **out)
{
    const cJSON *name =
        cJSON_IsArray(json) ? cJSON_GetArrayItem(json, 0) : NULL;
    struct v2_filter *node;
    enum lb_err rc;

    if (place->depth > V2_FILTER_DEPTH) {
        return fault(parsing,
                     "Invalid filters. Filters may be nested 10 deep at most.");
    }
    if (name == NULL || !cJSON_IsString(name)) {
        return invalid(parsing, json);
    }
    node = calloc(1, sizeof(*node));
    *out = node;
    if (node == NULL) {
        return no_memory(parsing);
    }
    rc = read_joined(parsing, json, place, node);
    if (rc != LB_ENOTFOUND) {
        return rc;
    }
    if (!find_operator(name->valuestring, node)) {
        lb_buf_add_text(parsing->fault, "Unknown operator for filter '");
        v2_text_add_json(parsing->fault, json);
        lb_buf_add_text(parsing->fault, "'.");
        return LB_EINVAL;
    }
    return read_clause(parsing, json, place, node);
}

enum lb_err v2_filter_parse(const cJSON *list,
                            bool is_case_kept,
                            struct v2_filter **filter_out,
                            struct lb_buf *fault_out)
{
    struct parsing parsing = {.is_case_kept = is_case_kept, .fault = fault_out};
    const struct place top = {
        .depth = 1, .is_top = true, .is_behaviour_top = true};
    enum lb_err rc;

    *filter_out = NULL;
    if (list == NULL || list->child == NULL) {
        return LB_OK;
    }
    *filter_out = calloc(1, sizeof(**filter_out));
    if (*filter_out == NULL) {
        return no_memory(&parsing);
    }
    (*filter_out)->kind = NODE_AND;
    rc = read_list(&parsing, list, &top, &(*filter_out)->child);
    if (rc != LB_OK) {
        v2_filter_free(*filter_out);
        *filter_out = NULL;
    }
    return rc;
}

/* --- asking --------------------------------------------------------------- */

static bool
has_text(const struct v2_filter *clause, const char *value, size_t index)
{
    const char *wanted = clause->values[index];

    if (clause->op == OPERATOR_MATCHES) {
        return v2_regex_matches(clause->regexes[index], value);
    }
    if (!clause->is_folded) {
        return clause->op == OPERATOR_IS ? strcmp(value, wanted) == 0
                                         : strstr(value, wanted) != NULL;
    }
    if (clause->op == OPERATOR_IS) {
        return lb_text_is_same_folded(value, wanted);
    }
    return strcasestr(value, wanted) != NULL;
}

/* Whether a view is what "Visit /path" is about; '*' stands for any text. */
static bool
is_page_goal(const char *goal, const struct v2_event *event, bool is_folded)
{
    const char *page = event->entry->text[ENTRY_TEXT_PAGE];
    size_t skip = strlen(PAGE_GOAL) - 1;

    if (event->entry->type != ENTRY_VIEW ||
        (is_folded ? strncasecmp(goal, PAGE_GOAL, skip + 1)
                   : strncmp(goal, PAGE_GOAL, skip + 1)) != 0) {
        return false;
    }
    page = page == NULL ? "/" : page;
    return is_folded ? lb_text_matches_glob_folded(goal + skip, page)
                     : lb_text_matches_glob(goal + skip, page);
}

static bool is_any(const struct v2_filter *clause,
                   const char *value,
                   const struct v2_event *event)
{
    for (size_t i = 0; i < clause->value_count; i++) {
        if ((value != NULL && has_text(clause, value, i)) ||
            (clause->dimension.kind == V2_DIMENSION_GOAL &&
             clause->op == OPERATOR_IS &&
             is_page_goal(clause->values[i], event, clause->is_folded))) {
            return true;
        }
    }
    return false;
}

static enum verdict ask_clause(const struct v2_filter *clause,
                               const struct v2_filter_question *question)
{
    const struct v2_dimension *dimension = &clause->dimension;
    const char *value;

    if (question->side == V2_FILTER_VIEW && dimension->is_of_click) {
        if (dimension->kind != V2_DIMENSION_LINK || question->slug == NULL) {
            return VERDICT_LEFT_OUT;
        }
        value = question->slug;
    } else if (question->side == V2_FILTER_NO_GOAL &&
               dimension->kind == V2_DIMENSION_GOAL) {
        return VERDICT_LEFT_OUT;
    } else {
        value =
            v2_dimension_value(dimension, &question->event, question->scratch);
    }
    return is_any(clause, value, &question->event) != clause->is_negated
               ? VERDICT_YES
               : VERDICT_NO;
}

static enum verdict ask(const struct v2_filter *node,
                        const struct v2_filter_question *question)
{
    enum verdict stop = node->kind == NODE_AND ? VERDICT_NO : VERDICT_YES;
    enum verdict verdict = VERDICT_LEFT_OUT;

    if (node->kind == NODE_CLAUSE) {
        return ask_clause(node, question);
    }
    if (node->kind == NODE_DONE) {
        return question->event.visit != NULL &&
                       (question->event.visit->marks & node->mark) != 0
                   ? VERDICT_YES
                   : VERDICT_NO;
    }
    if (node->kind == NODE_NOT) {
        verdict = ask(node->child, question);
        return verdict == VERDICT_LEFT_OUT ? verdict
               : verdict == VERDICT_YES    ? VERDICT_NO
                                           : VERDICT_YES;
    }
    for (const struct v2_filter *child = node->child; child != NULL;
         child = child->next) {
        enum verdict part = ask(child, question);

        if (part == stop) {
            return stop;
        }
        verdict = part == VERDICT_LEFT_OUT ? verdict : part;
    }
    return verdict;
}

bool v2_filter_matches(const struct v2_filter *filter,
                       const struct v2_filter_question *question)
{
    return filter == NULL || ask(filter, question) != VERDICT_NO;
}

uint32_t v2_filter_behaviours(const struct v2_filter *filter,
                              const struct v2_filter_question *question)
{
    uint32_t marks = 0;

    for (; filter != NULL; filter = filter->next) {
        if (filter->kind == NODE_DONE) {
            marks |=
                ask(filter->child, question) == VERDICT_YES ? filter->mark : 0;
        } else {
            marks |= v2_filter_behaviours(filter->child, question);
        }
    }
    return marks;
}

static void add_traits(const struct v2_filter *filter,
                       bool is_in_behaviour,
                       struct v2_filter_traits *traits)
{
    for (; filter != NULL; filter = filter->next) {
        const struct v2_dimension *dimension = &filter->dimension;

        if (filter->kind != NODE_CLAUSE) {
            traits->has_behaviour =
                traits->has_behaviour || filter->kind == NODE_DONE;
            add_traits(filter->child,
                       is_in_behaviour || filter->kind == NODE_DONE, traits);
            continue;
        }
        traits->has_bot =
            traits->has_bot || dimension->kind == V2_DIMENSION_BOT;
        traits->needs_pages = traits->needs_pages || dimension->needs_pages;
        if (is_in_behaviour) {
            continue;
        }
        traits->has_goal =
            traits->has_goal || dimension->kind == V2_DIMENSION_GOAL;
        traits->has_link =
            traits->has_link || dimension->kind == V2_DIMENSION_LINK;
        traits->has_page =
            traits->has_page || strcmp(dimension->name, "event:page") == 0;
        traits->has_of_click = traits->has_of_click || dimension->is_of_click;
    }
}

struct v2_filter_traits v2_filter_traits_of(const struct v2_filter *filter)
{
    struct v2_filter_traits traits = {.has_goal = false};

    add_traits(filter, false, &traits);
    return traits;
}

/* The clause's value by which a view reaches it; NULL: none. */
static const char *goal_of(const struct v2_filter *clause,
                           const struct v2_event *event)
{
    if (clause->kind != NODE_CLAUSE ||
        clause->dimension.kind != V2_DIMENSION_GOAL ||
        clause->op != OPERATOR_IS) {
        return NULL;
    }
    for (size_t i = 0; i < clause->value_count; i++) {
        if (is_page_goal(clause->values[i], event, clause->is_folded)) {
            return clause->values[i];
        }
    }
    return NULL;
}

const char *v2_filter_page_goal(const struct v2_filter *filter,
                                const struct v2_event *event)
{
    const char *goal = NULL;

    /* Goals stand in the list itself. */
    for (const struct v2_filter *child = filter == NULL ? NULL : filter->child;
         child != NULL && goal == NULL; child = child->next) {
        goal = goal_of(child, event);
    }
    return goal;
}
