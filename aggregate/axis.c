/* axis.c - a dimension's values in a sealed segment. */
#include "aggregate/axis.h"

#include <string.h>

#include "sql/log_store.h"

#define PARTS_MAX 5

/* Where a text of an entry stands: a column, and which part of it. */
struct where {
    int column;
    int part;
    int parts; /* 1: it stands alone */
};

static struct where of_dict(enum entry_dict dict, int part, int parts)
{
    return (struct where){SEGMENT_DICT + (int)dict, part, parts};
}

static struct where find_text(enum entry_text text)
{
    switch ((int)text) {
    case ENTRY_TEXT_LINK:
        return of_dict(ENTRY_DICT_LINK, 0, 1);
    case ENTRY_TEXT_SOURCE:
        return of_dict(ENTRY_DICT_SOURCE, 0, 1);
    case ENTRY_TEXT_CHANNEL:
        return of_dict(ENTRY_DICT_CHANNEL, 0, 1);
    case ENTRY_TEXT_UTM_SOURCE:
        return of_dict(ENTRY_DICT_UTM_SOURCE, 0, 1);
    case ENTRY_TEXT_UTM_MEDIUM:
        return of_dict(ENTRY_DICT_UTM_MEDIUM, 0, 1);
    case ENTRY_TEXT_UTM_CAMPAIGN:
        return of_dict(ENTRY_DICT_UTM_CAMPAIGN, 0, 1);
    case ENTRY_TEXT_REASON:
        return of_dict(ENTRY_DICT_REASON, 0, 1);
    case ENTRY_TEXT_COUNTRY:
    case ENTRY_TEXT_REGION:
    case ENTRY_TEXT_CITY:
        return of_dict(ENTRY_DICT_PLACE, (int)text - ENTRY_TEXT_COUNTRY, 3);
    case ENTRY_TEXT_DEVICE:
    case ENTRY_TEXT_BROWSER:
    case ENTRY_TEXT_BROWSER_VERSION:
    case ENTRY_TEXT_OS:
    case ENTRY_TEXT_OS_VERSION:
        return of_dict(ENTRY_DICT_DEVICE, (int)text - ENTRY_TEXT_DEVICE, 5);
    default:
        break;
    }
    for (int column = SEGMENT_FIRST_TEXT; column < SEGMENT_ID; column++) {
        if (segment_text_of(column) == text) {
            return (struct where){column, 0, 1};
        }
    }
    return (struct where){SEGMENT_ID, 0, 1}; /* no dimension is an id */
}

void axis_init(struct axis *axis, const struct dimension *dimension)
{
    memset(axis, 0, sizeof(*axis));
    axis->dimension = dimension;
    switch (dimension->kind) {
    case DIMENSION_TEXT:
        axis->column = find_text(dimension->text).column;
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
    struct where where = find_text(axis->dimension->text);
    const char *text = dict_cache_text(context->cache, context->db, number);
    const char *parts[PARTS_MAX];
    char *joined;

    *value_out = text;
    if (where.parts == 1 || text == NULL) {
        return LB_OK;
    }
    joined = segment_store_alloc(segment, strlen(text) + 1);
    if (joined == NULL) {
        return LB_ENOMEM;
    }
    log_split(text, joined, strlen(text) + 1, parts, (size_t)where.parts);
    *value_out = parts[where.part];
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
