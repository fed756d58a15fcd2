/* day_values.c - the values of days' dimensions as numbers. */
#include "aggregate/day_values.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"

#define TEXTS_BYTES ((size_t)1024 * 1024 * 1024)
#define FIRST_VALUES 64
#define PLACE_BITS 8 /* texts whose place is remembered: 256 */

/* Where a text lay when it was last looked up.  Something else may lie there
 * by now: what is found is compared. */
struct place {
    const char *text;
    uint32_t code; /* 0: free */
};

struct table {
    struct lb_arena *arena; /* owned; texts; NULL until there is one */
    const char **texts;     /* owned; by code */
    size_t count;           /* codes given, 0 included */
    size_t cap;
    uint32_t *slots; /* owned; open addressing, 2 * cap; 0: free */
    struct place places[1u << PLACE_BITS];
};

struct day_values {
    struct table *tables; /* owned */
    size_t table_count;
    uint32_t *map; /* owned */
    size_t map_count;
};

struct day_values *day_values_new(size_t dimension_count)
{
    struct day_values *values = calloc(1, sizeof(*values));

    if (values == NULL) {
        return NULL;
    }
    values->table_count = dimension_count;
    values->tables = calloc(dimension_count, sizeof(*values->tables));
    if (values->tables == NULL) {
        free(values);
        return NULL;
    }
    return values;
}

void day_values_free(struct day_values *values)
{
    if (values != NULL) {
        for (size_t i = 0; i < values->table_count; i++) {
            day_values_drop(values, i);
        }
        free(values->tables);
        free(values->map);
        free(values);
    }
}

void day_values_drop(struct day_values *values, size_t dimension)
{
    struct table *table = &values->tables[dimension];

    lb_arena_free(table->arena);
    free(table->texts);
    free(table->slots);
    memset(table, 0, sizeof(*table));
}

size_t day_values_count(const struct day_values *values, size_t dimension)
{
    const struct table *table = &values->tables[dimension];

    return table->count == 0 ? 1 : table->count;
}

size_t day_values_bytes(const struct day_values *values)
{
    size_t bytes = sizeof(*values) + values->map_count * sizeof(*values->map) +
                   values->table_count * sizeof(*values->tables);

    for (size_t i = 0; i < values->table_count; i++) {
        const struct table *table = &values->tables[i];

        bytes += table->arena == NULL ? 0 : lb_arena_held(table->arena);
        bytes +=
            table->cap * (sizeof(*table->texts) + 2 * sizeof(*table->slots));
    }
    return bytes;
}

const char *day_values_text(const struct day_values *values,
                            size_t dimension,
                            uint32_t code)
{
    return code == 0 ? NULL : values->tables[dimension].texts[code];
}

/* --- looking up ----------------------------------------------------------- */

static bool is_text(const char *kept, const char *text)
{
    return strncmp(kept, text, DAY_VALUES_BYTES) == 0;
}

static size_t home_of(const struct table *table, const char *text, size_t len)
{
    static const uint8_t key[LB_HASH_KEY_BYTES] = {4};

    return (size_t)lb_hash_sip_fast(key, text, len) & (table->cap * 2 - 1);
}

/* The slot of text, or the free one where it goes. */
static uint32_t *
find_slot(const struct table *table, const char *text, size_t len)
{
    size_t at = home_of(table, text, len);

    while (table->slots[at] != 0 &&
           !is_text(table->texts[table->slots[at]], text)) {
        at = (at + 1) & (table->cap * 2 - 1);
    }
    return &table->slots[at];
}

static enum lb_err grow(struct table *table)
{
    size_t cap = table->cap == 0 ? FIRST_VALUES : table->cap * 2;
    const char **texts = realloc(table->texts, cap * sizeof(*texts));
    uint32_t *slots = calloc(cap * 2, sizeof(*slots));

    table->texts = texts == NULL ? table->texts : texts;
    if (table->arena == NULL) {
        table->arena = lb_arena_new(TEXTS_BYTES);
    }
    if (texts == NULL || slots == NULL || table->arena == NULL) {
        free(slots);
        return LB_ENOMEM;
    }
    free(table->slots);
    table->slots = slots;
    table->cap = cap;
    table->texts[0] = NULL;
    table->count = table->count == 0 ? 1 : table->count;
    for (size_t i = 1; i < table->count; i++) {
        *find_slot(table, texts[i], strlen(texts[i])) = (uint32_t)i;
    }
    return LB_OK;
}

static enum lb_err
look_up(struct table *table, const char *text, uint32_t *code_out)
{
    size_t len = strnlen(text, DAY_VALUES_BYTES);
    uint32_t *slot;

    if (table->count >= table->cap && grow(table) != LB_OK) {
        return LB_ENOMEM;
    }
    slot = find_slot(table, text, len);
    if (*slot == 0) {
        const char *kept = lb_arena_text(table->arena, text, len);

        if (kept == NULL) {
            return LB_ENOMEM;
        }
        table->texts[table->count] = kept;
        *slot = (uint32_t)table->count++;
    }
    *code_out = *slot;
    return LB_OK;
}

enum lb_err day_values_code(struct day_values *values,
                            size_t dimension,
                            const char *text,
                            uint32_t *code_out)
{
    struct table *table = &values->tables[dimension];
    uint64_t spread = (uint64_t)(uintptr_t)text * UINT64_C(0x9e3779b97f4a7c15);
    struct place *place = &table->places[spread >> (64 - PLACE_BITS)];
    enum lb_err rc;

    *code_out = 0;
    if (text == NULL) {
        return LB_OK;
    }
    if (place->text == text && is_text(table->texts[place->code], text)) {
        *code_out = place->code;
        return LB_OK;
    }
    rc = look_up(table, text, code_out);
    *place = rc == LB_OK ? (struct place){text, *code_out} : *place;
    return rc;
}

uint32_t *day_values_map(struct day_values *values, size_t count)
{
    if (count > values->map_count) {
        uint32_t *map = calloc(count + count / 2, sizeof(*map));

        if (map == NULL) {
            return NULL;
        }
        free(values->map);
        values->map = map;
        values->map_count = count + count / 2;
    }
    return values->map;
}
