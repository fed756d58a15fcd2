/* axis.c - a dimension's values in a sealed segment.
 *
 * Values of the dictionary, and of what an event is, are few and come again in
 * each segment: they are kept by number.  Free texts are the segment's own. */
#include "aggregate/axis.h"

#include <stdlib.h>
#include <string.h>

#include "aggregate/rollup.h"
#include "base/hash.h"
#include "sql/log_store.h"

#define PARTS_MAX 5
#define ARENA_BYTES ((size_t)256 * 1024 * 1024)
#define JOINED_BYTES 1100
#define FIRST_BUCKETS 64

/* Which part of a joined text it is; 0 of 1: it stands alone. */
struct part {
    int number;
    int count;
};

static struct part part_of(enum entry_text text)
{
    int column = segment_column_of(text);

    if (column == SEGMENT_DICT + ENTRY_DICT_PLACE) {
        return (struct part){(int)text - ENTRY_TEXT_COUNTRY, 3};
    }
    if (column == SEGMENT_DICT + ENTRY_DICT_DEVICE) {
        return (struct part){(int)text - ENTRY_TEXT_DEVICE, 5};
    }
    return (struct part){0, 1};
}

static int column_of(const struct dimension *dimension)
{
    switch (dimension->kind) {
    case DIMENSION_TEXT:
        return segment_column_of(dimension->text);
    case DIMENSION_TYPE:
    case DIMENSION_TRAFFIC:
    case DIMENSION_QR:
        return SEGMENT_BITS;
    case DIMENSION_PROP:
        return SEGMENT_PROPS;
    case DIMENSION_SITE:
        return AXIS_SITE;
    case DIMENSION_TIME:
        break;
    }
    return AXIS_TIME;
}

bool axis_init(struct axis *axis, const struct dimension *dimension)
{
    memset(axis, 0, sizeof(*axis));
    axis->dimension = dimension;
    axis->column = column_of(dimension);
    axis->arena = lb_arena_new(ARENA_BYTES);
    return axis->arena != NULL;
}

void axis_deinit(struct axis *axis)
{
    lb_arena_free(axis->arena);
    free(axis->buckets);
    free(axis->known);
}

static enum lb_err no_memory(struct lb_error *err)
{
    return lb_err_set(err, LB_ENOMEM, "out of memory");
}

/* --- values that are kept ------------------------------------------------- */

static uint64_t hash_text(const char *text)
{
    static const uint8_t key[LB_HASH_KEY_BYTES] = {3};

    return text == NULL ? 0 : lb_hash_sip_fast(key, text, strlen(text));
}

static bool grow_buckets(struct axis *axis)
{
    size_t count =
        axis->bucket_count == 0 ? FIRST_BUCKETS : axis->bucket_count * 2;
    struct axis_value **buckets = calloc(count, sizeof(struct axis_value *));

    if (buckets == NULL) {
        return false;
    }
    for (size_t i = 0; i < axis->bucket_count; i++) {
        struct axis_value *value = axis->buckets[i];

        while (value != NULL) {
            struct axis_value *next = value->next;
            size_t at = (size_t)hash_text(value->text) & (count - 1);

            value->next = buckets[at];
            buckets[at] = value;
            value = next;
        }
    }
    free(axis->buckets);
    axis->buckets = buckets;
    axis->bucket_count = count;
    return true;
}

static bool is_text(const struct axis_value *value, const char *text)
{
    return text == NULL || value->text == NULL ? text == value->text
                                               : strcmp(value->text, text) == 0;
}

/* The value of text; NULL: out of memory. */
static struct axis_value *keep(struct axis *axis, const char *text)
{
    struct axis_value *value;
    size_t at;

    if (axis->value_count >= axis->bucket_count && !grow_buckets(axis)) {
        return NULL;
    }
    at = (size_t)hash_text(text) & (axis->bucket_count - 1);
    for (value = axis->buckets[at]; value != NULL; value = value->next) {
        if (is_text(value, text)) {
            return value;
        }
    }
    value = lb_arena_calloc(axis->arena, sizeof(*value));
    if (value == NULL) {
        return NULL;
    }
    if (text != NULL) {
        value->text = lb_arena_text(axis->arena, text, strlen(text));
        if (value->text == NULL) {
            return NULL;
        }
    }
    value->next = axis->buckets[at];
    axis->buckets[at] = value;
    axis->value_count++;
    return value;
}

static bool make_known(struct axis *axis, int64_t number)
{
    size_t cap = (size_t)number + (size_t)number / 2 + 64;
    struct axis_value **known;

    if ((size_t)number < axis->known_cap) {
        return true;
    }
    known = realloc(axis->known, cap * sizeof(struct axis_value *));
    if (known == NULL) {
        return false;
    }
    memset(known + axis->known_cap, 0,
           (cap - axis->known_cap) * sizeof(struct axis_value *));
    axis->known = known;
    axis->known_cap = cap;
    return true;
}

/* The value of a number of the dictionary, or of an event's bits. */
static struct axis_value *keep_number(struct axis *axis,
                                      int64_t number,
                                      const struct axis_context *context)
{
    const char *parts[PARTS_MAX];
    char joined[JOINED_BYTES];
    const char *text;

    if (number < 0 || !make_known(axis, number)) {
        return NULL;
    }
    if (axis->known[number] != NULL) {
        return axis->known[number];
    }
    if (axis->column == SEGMENT_BITS) {
        struct entry entry;

        memset(&entry, 0, sizeof(entry));
        entry_set_bits(&entry, number);
        text = dimension_value(axis->dimension, &entry, NULL, context->scratch);
    } else {
        struct part part = part_of(axis->dimension->text);

        text = dict_cache_text(context->cache, context->db, number);
        if (part.count > 1) {
            log_split(text, joined, sizeof(joined), parts, (size_t)part.count);
            text = parts[part.number];
        }
    }
    axis->known[number] = keep(axis, text);
    return axis->known[number];
}

/* --- the segment ---------------------------------------------------------- */

/* The place of a code's value, which is met for the first time. */
static enum lb_err find_place(struct axis *axis, size_t code)
{
    struct axis_value *value =
        keep_number(axis, axis->read->numbers[code], axis->context);

    if (value == NULL) {
        return LB_ENOMEM;
    }
    if (value->segment != axis->segment) {
        value->segment = axis->segment;
        value->place = (uint16_t)axis->count;
        axis->kept_texts[axis->count] = value->text;
        axis->kept[axis->count++] = value;
    }
    axis->places[code] = value->place;
    return LB_OK;
}

static enum lb_err
open_kept(struct axis *axis, struct segment *segment, struct lb_error *err)
{
    size_t count = axis->code_count;

    axis->segment = segment_store_info(segment)->number;
    axis->kept_texts =
        segment_store_alloc(segment, count * sizeof(*axis->kept_texts));
    axis->kept =
        segment_store_alloc(segment, count * sizeof(struct axis_value *));
    axis->places = segment_store_alloc(segment, count * sizeof(*axis->places));
    if (axis->kept_texts == NULL || axis->kept == NULL ||
        axis->places == NULL) {
        return no_memory(err);
    }
    memset(axis->places, 0xff, count * sizeof(*axis->places));
    axis->values = axis->kept_texts;
    axis->is_settled = false;
    return LB_OK;
}

enum lb_err axis_settle(struct axis *axis, struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t code = 0;
         axis->places != NULL && code < axis->code_count && rc == LB_OK;
         code++) {
        rc =
            axis->places[code] == AXIS_UNKNOWN ? find_place(axis, code) : LB_OK;
    }
    axis->is_settled = true;
    return rc == LB_OK ? rc : no_memory(err);
}

/* Properties may be of any number of values: they are the segment's own. */
static enum lb_err open_props(struct axis *axis,
                              const struct segment_column *column,
                              struct segment *segment,
                              const struct axis_context *context,
                              struct lb_error *err)
{
    const char **values =
        segment_store_alloc(segment, axis->code_count * sizeof(*values));

    if (values == NULL) {
        return no_memory(err);
    }
    for (size_t code = 0; code < axis->code_count; code++) {
        const char *value = dimension_prop(
            axis->dimension->name + 5, column->texts[code], context->scratch);
        size_t bytes = value == NULL ? 0 : strlen(value) + 1;
        char *copy = value == NULL ? NULL : segment_store_alloc(segment, bytes);

        if (value != NULL && copy == NULL) {
            return no_memory(err);
        }
        if (copy != NULL) {
            memcpy(copy, value, bytes);
        }
        values[code] = copy;
    }
    axis->count = axis->code_count;
    axis->values = values;
    return LB_OK;
}

static enum lb_err open_sites(struct axis *axis,
                              struct segment *segment,
                              const struct axis_context *context,
                              struct lb_error *err)
{
    const struct segment_directory *directory =
        segment_store_directory(segment);
    const char **values = segment_store_alloc(
        segment, (directory->site_count + 1) * sizeof(*values));

    if (values == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < directory->site_count; i++) {
        const struct catalog_site *site =
            catalog_site_by_number(context->catalog, directory->sites[i].site);

        values[i] = site == NULL ? NULL : site->id;
    }
    axis->code_count = directory->site_count;
    axis->count = directory->site_count;
    axis->values = values;
    return LB_OK;
}

enum lb_err axis_open(struct axis *axis,
                      struct segment *segment,
                      const struct axis_context *context,
                      struct lb_error *err)
{
    const struct segment_column *column;
    enum lb_err rc;

    axis->places = NULL;
    axis->kept = NULL;
    axis->count = 0;
    axis->is_settled = true;
    if (axis->column == AXIS_TIME) {
        return LB_OK;
    }
    if (axis->column == AXIS_SITE) {
        return open_sites(axis, segment, context, err);
    }
    rc = segment_store_column(segment, axis->column, &column, err);
    if (rc != LB_OK) {
        return rc;
    }
    axis->code_count = column->value_count;
    axis->read = column;
    axis->context = context;
    if (axis->column < SEGMENT_FIRST_TEXT) {
        return open_kept(axis, segment, err);
    }
    if (axis->column == SEGMENT_PROPS) {
        return open_props(axis, column, segment, context, err);
    }
    axis->count = column->value_count;
    axis->values = column->texts;
    return LB_OK;
}

bool axis_has_own_texts(const struct axis *axis)
{
    return axis->column >= SEGMENT_FIRST_TEXT && axis->column != SEGMENT_PROPS;
}

enum lb_err axis_combine(struct axis *axis,
                         const struct axis_rows *rows,
                         uint32_t stride,
                         uint32_t *combinations)
{
    const uint16_t *codes = rows->codes;

    if (axis->column == AXIS_SITE) {
        for (size_t i = 0; i < rows->count; i++) {
            combinations[i] += stride * (uint32_t)rows->site;
        }
        return LB_OK;
    }
    if (axis->column < 0 || axis->places == NULL) {
        for (size_t i = 0; i < rows->count; i++) {
            combinations[i] += stride * codes[rows->rows[i]];
        }
        return LB_OK;
    }
    for (size_t i = 0; i < rows->count; i++) {
        uint16_t code = codes[rows->rows[i]];

        if (axis->places[code] == AXIS_UNKNOWN &&
            find_place(axis, code) != LB_OK) {
            return LB_ENOMEM;
        }
        combinations[i] += stride * (uint32_t)axis->places[code];
    }
    return LB_OK;
}

void axis_number_times(const struct axis *axis,
                       const struct lb_zone *zone,
                       int64_t first_ms,
                       const int64_t *ts,
                       const struct axis_rows *rows,
                       uint16_t *times)
{
    enum lb_zone_grain grain = (enum lb_zone_grain)axis->dimension->grain;
    int64_t from_ms = 0;
    int64_t to_ms = 0;

    for (size_t i = 0; i < rows->count; i++) {
        uint16_t row = rows->rows[i];

        if (ts[row] < from_ms || ts[row] >= to_ms) {
            from_ms = lb_zone_bucket_start_ms(zone, grain, ts[row]);
            to_ms = lb_zone_bucket_next_ms(zone, grain, ts[row]);
        }
        times[row] = (uint16_t)((from_ms - first_ms) / ROLLUP_BUCKET_MS);
    }
}
