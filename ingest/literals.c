/* literals.c - Aho-Corasick over states in breadth-first order: a state's
 * children stand side by side, so the goto function is one byte a state. */
#include "ingest/literals.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT16_MAX
#define ROOT 0

struct text {
    const char *bytes;
    size_t len;
    uint16_t index; /* in the caller's list */
};

struct literals {
    size_t state_count;
    uint16_t root[256]; /* the root's goto; ROOT where it has no child */
    uint8_t *labels;    /* owned; byte that leads to a state */
    uint16_t *children; /* owned; first child; those of state s end where those
                           of s + 1 begin; state_count + 1 places */
    uint16_t *fails;    /* owned; the longest proper suffix that is a state */
    uint16_t *founds;   /* owned; first text that ends in a state; NONE: none */
    uint16_t *nexts; /* owned; by text: the next one that ends there as well */
};

/* A state while it is made: the texts that begin with it. */
struct range {
    size_t first;
    size_t last; /* behind the last */
    size_t depth;
};

static int compare_texts(const void *a, const void *b)
{
    const struct text *left = a;
    const struct text *right = b;
    size_t len = left->len < right->len ? left->len : right->len;
    int order = memcmp(left->bytes, right->bytes, len);

    if (order == 0 && left->len != right->len) {
        order = left->len < right->len ? -1 : 1;
    }
    return order != 0 ? order : (int)left->index - (int)right->index;
}

static size_t
sort_texts(const char *const *texts, size_t count, struct text *sorted_out)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        sorted_out[i] = (struct text){texts[i], strlen(texts[i]), (uint16_t)i};
        bytes += sorted_out[i].len;
    }
    qsort(sorted_out, count, sizeof(*sorted_out), compare_texts);
    return bytes;
}

static struct literals *allocate(size_t state_max, size_t text_count)
{
    struct literals *literals = calloc(1, sizeof(*literals));

    if (literals == NULL) {
        return NULL;
    }
    literals->labels = calloc(state_max, sizeof(*literals->labels));
    literals->children = calloc(state_max + 1, sizeof(*literals->children));
    literals->fails = calloc(state_max, sizeof(*literals->fails));
    literals->founds = calloc(state_max, sizeof(*literals->founds));
    literals->nexts = calloc(text_count + 1, sizeof(*literals->nexts));
    if (literals->labels == NULL || literals->children == NULL ||
        literals->fails == NULL || literals->founds == NULL ||
        literals->nexts == NULL) {
        literals_free(literals);
        return NULL;
    }
    return literals;
}

void literals_free(struct literals *literals)
{
    if (literals != NULL) {
        free(literals->labels);
        free(literals->children);
        free(literals->fails);
        free(literals->founds);
        free(literals->nexts);
        free(literals);
    }
}

static uint16_t
find_child(const struct literals *literals, size_t state, uint8_t byte)
{
    size_t end = literals->children[state + 1];

    for (size_t child = literals->children[state]; child < end; child++) {
        if (literals->labels[child] == byte) {
            return (uint16_t)child;
        }
    }
    return ROOT;
}

/* Notes the texts that end in a state: its own ones, then those of its suffix.
 * Returns how many texts are its own. */
static size_t note_ends(struct literals *literals,
                        size_t state,
                        const struct range *range,
                        const struct text *sorted)
{
    uint16_t *place = &literals->founds[state];
    size_t at = range->first;

    while (at < range->last && sorted[at].len == range->depth &&
           range->depth > 0) {
        *place = sorted[at].index;
        place = &literals->nexts[sorted[at].index];
        at++;
    }
    *place = state == ROOT ? NONE : literals->founds[literals->fails[state]];
    return at - range->first;
}

/* Makes the children of a state at the end of ranges. */
static void spread(struct literals *literals,
                   size_t state,
                   struct range *ranges,
                   const struct text *sorted)
{
    const struct range range = ranges[state];
    size_t at = range.first + note_ends(literals, state, &range, sorted);

    while (at < range.last && sorted[at].len == range.depth) {
        at++; /* empty texts */
    }
    literals->children[state] = (uint16_t)literals->state_count;
    while (at < range.last) {
        uint8_t label = (uint8_t)sorted[at].bytes[range.depth];
        size_t child = literals->state_count++;

        ranges[child] = (struct range){at, at, range.depth + 1};
        while (at < range.last &&
               (uint8_t)sorted[at].bytes[range.depth] == label) {
            at++;
        }
        ranges[child].last = at;
        literals->labels[child] = label;
    }
    literals->children[state + 1] = (uint16_t)literals->state_count;
}

/* The suffix links of a state's children; those of shallower ones stand. */
static void link_children(struct literals *literals, size_t state)
{
    for (size_t child = literals->children[state];
         child < literals->children[state + 1]; child++) {
        uint8_t label = literals->labels[child];
        size_t suffix = state;
        uint16_t fail = ROOT;

        if (state == ROOT) {
            literals->root[label] = (uint16_t)child;
            continue;
        }
        while (fail == ROOT && suffix != ROOT) {
            suffix = literals->fails[suffix];
            fail = suffix == ROOT ? literals->root[label]
                                  : find_child(literals, suffix, label);
        }
        literals->fails[child] = fail;
    }
}

struct literals *literals_new(const char *const *texts, size_t count)
{
    struct text *sorted = calloc(count + 1, sizeof(*sorted));
    struct literals *literals = NULL;
    struct range *ranges = NULL;
    size_t bytes;

    if (sorted == NULL || count > LITERALS_MAX) {
        free(sorted);
        return NULL;
    }
    bytes = sort_texts(texts, count, sorted);
    if (bytes <= LITERALS_BYTES_MAX) {
        literals = allocate(bytes + 1, count);
        ranges = calloc(bytes + 1, sizeof(*ranges));
    }
    if (literals != NULL && ranges != NULL) {
        ranges[ROOT] = (struct range){0, count, 0};
        literals->state_count = 1;
        for (size_t state = 0; state < literals->state_count; state++) {
            spread(literals, state, ranges, sorted);
            link_children(literals, state);
        }
    } else {
        literals_free(literals);
        literals = NULL;
    }
    free(ranges);
    free(sorted);
    return literals;
}

static size_t step(const struct literals *literals, size_t state, uint8_t byte)
{
    while (state != ROOT) {
        size_t child = find_child(literals, state, byte);

        if (child != ROOT) {
            return child;
        }
        state = literals->fails[state];
    }
    return literals->root[byte];
}

void literals_scan(const struct literals *literals,
                   const char *bytes,
                   size_t len,
                   literals_fn found,
                   void *ctx)
{
    size_t state = ROOT;

    for (size_t i = 0; i < len; i++) {
        state = step(literals, state, (uint8_t)bytes[i]);
        for (uint16_t text = literals->founds[state]; text != NONE;
             text = literals->nexts[text]) {
            found(ctx, text, i + 1);
        }
    }
}

size_t literals_states(const struct literals *literals)
{
    return literals->state_count;
}

size_t literals_bytes(const struct literals *literals)
{
    return sizeof(*literals) +
           literals->state_count *
               (sizeof(*literals->labels) + sizeof(*literals->children) +
                sizeof(*literals->fails) + sizeof(*literals->founds));
}
