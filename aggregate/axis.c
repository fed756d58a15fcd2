/* axis.c - a dimension's values in a sealed segment. */
#include "aggregate/axis.h"

#include <string.h>

#include "sql/log_store.h"

#define PARTS_MAX 5

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

void axis_init(struct axis *axis, const struct dimension *dimension)
{
    memset(axis, 0, sizeof(*axis));
    axis->dimension = dimension;
    switch (dimension->kind) {
    case DIMENSION_TEXT:
        axis->column = segment_column_of(dimension->text);
        break;
    case DIMENSION_TYPE:
    case DIMENSION_TRAFFIC:
    case DIMENSION_QR:
        axis->column = SEGMENT_BITS;
        break;
    case DIMENSION_PROP:
        axis->column = SEGMENT_PROPS;
        break;
    case DIMENSION_SITE:
        axis->column = AXIS_SITE;
        break;
    case DIMENSION_TIME:
        axis->column = AXIS_TIME;
        break;
    }
}

static char *keep(struct segment *segment, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = segment_store_alloc(segment, bytes);

    if (copy != NULL) {
        memcpy(copy, text, bytes);
    }
    return copy;
}

static enum lb_err no_memory(struct lb_error *err)
{
    return lb_err_set(err, LB_ENOMEM, "out of memory");
}

/* A text of the dictionary, or the part of one that is joined. */
static enum lb_err read_word(const struct axis *axis,
                             int64_t number,
                             struct segment *segment,
                             const struct axis_context *context,
                             const char **value_out)
{
    struct part part = part_of(axis->dimension->text);
    const char *text = dict_cache_text(context->cache, context->db, number);
    const char *parts[PARTS_MAX];
    char *joined;

    *value_out = text;
    if (part.count == 1 || text == NULL) {
        return LB_OK;
    }
    joined = segment_store_alloc(segment, strlen(text) + 1);
    if (joined == NULL) {
        return LB_ENOMEM;
    }
    log_split(text, joined, strlen(text) + 1, parts, (size_t)part.count);
    *value_out = parts[part.number];
    return LB_OK;
}

/* The value of the column's code: what dimension_value() says of an entry. */
static enum lb_err read_value(const struct axis *axis,
                              const struct segment_column *column,
                              size_t code,
                              struct segment *segment,
                              const struct axis_context *context,
                              const char **value_out)
{
    struct entry entry;
    const char *value;

    if (axis->dimension->kind == DIMENSION_TEXT) {
        if (axis->column < SEGMENT_FIRST_TEXT) {
            return read_word(axis, column->numbers[code], segment, context,
                             value_out);
        }
        *value_out = column->texts[code];
        return LB_OK;
    }
    memset(&entry, 0, sizeof(entry));
    if (axis->column == SEGMENT_BITS) {
        entry_set_bits(&entry, column->numbers[code]);
    } else {
        entry.text[ENTRY_TEXT_PROPS] = column->texts[code];
    }
    value = dimension_value(axis->dimension, &entry, NULL, context->scratch);
    if (value != NULL && axis->dimension->kind == DIMENSION_PROP) {
        value = keep(segment, value);
        if (value == NULL) {
            return LB_ENOMEM;
        }
    }
    *value_out = value;
    return LB_OK;
}

static enum lb_err open_sites(struct axis *axis,
                              struct segment *segment,
                              const struct axis_context *context,
                              struct lb_error *err)
{
    const struct segment_directory *directory =
        segment_store_directory(segment);

    axis->count = directory->site_count;
    axis->values =
        segment_store_alloc(segment, (axis->count + 1) * sizeof(*axis->values));
    if (axis->values == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < axis->count; i++) {
        const struct catalog_site *site =
            catalog_site_by_number(context->catalog, directory->sites[i].site);

        axis->values[i] = site == NULL ? NULL : site->id;
    }
    return LB_OK;
}

enum lb_err axis_open(struct axis *axis,
                      struct segment *segment,
                      const struct axis_context *context,
                      struct lb_error *err)
{
    const struct segment_column *column;
    enum lb_err rc;

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
    axis->count = column->value_count;
    axis->values =
        segment_store_alloc(segment, (axis->count + 1) * sizeof(*axis->values));
    if (axis->values == NULL) {
        return no_memory(err);
    }
    for (size_t code = 0; code < axis->count && rc == LB_OK; code++) {
        rc = read_value(axis, column, code, segment, context,
                        &axis->values[code]);
    }
    return rc == LB_OK ? rc : no_memory(err);
}
