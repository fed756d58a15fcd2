/* day.c - one local day of a site, counted. */
#include "aggregate/day.h"

#include <stdlib.h>
#include <string.h>

#include "aggregate/day_rows.h"
#include "base/varint.h"

#define VERSION 1
#define FLAG_ADDITIVE 1u
#define FLAG_VISITS 2u
#define HEAD_TRAFFIC 3u
#define HEAD_VALUE 4u
#define HEAD_CURRENCY 8u
#define CURRENCY_BYTES 3

/* A dimension that is counted. */
struct counted {
    int number; /* enum day_dimension */
    struct dimension dimension;
};

struct day {
    int64_t local_day;
    bool is_additive;
    struct day_values *values; /* borrowed */
    struct day_rows *rows;     /* owned; of this part */
    struct counted counted[DAY_DIMENSION_COUNT];
    size_t counted_count;
    bool is_over[DAY_DIMENSION_COUNT];         /* past DAY_VALUES */
    struct day_sums sums[DAY_DIMENSION_COUNT]; /* of the parts so far */
    uint64_t part; /* visitors whose hash leaves that, divided by parts */
    uint64_t parts;
};

static const char *const names[DAY_DIMENSION_COUNT] = {
    "total",    "link",        "page",       "host",       "source",
    "channel",  "referrer",    "utm_source", "utm_medium", "utm_campaign",
    "utm_term", "utm_content", "country",    "region",     "city",
    "device",   "browser",     "os",         "name",       "reason",
    "click_id", "type",        "qr"};

/* The figures of a row, in the order of their bits. */
#define FIGURE(member) offsetof(struct tally_group, member)
static const size_t figures[] = {FIGURE(counts.events),
                                 FIGURE(counts.views),
                                 FIGURE(counts.clicks_raw),
                                 FIGURE(counts.clicks),
                                 FIGURE(counts.leads),
                                 FIGURE(counts.conversions),
                                 FIGURE(counts.orphan_clicks),
                                 FIGURE(visitors),
                                 FIGURE(viewers),
                                 FIGURE(clickers),
                                 FIGURE(viewers_clicked),
                                 FIGURE(clicks_without_visitor),
                                 FIGURE(amount_hundredths),
                                 FIGURE(visits)};
#define FIGURE_COUNT (sizeof(figures) / sizeof(figures[0]))
#define FIGURE_AMOUNT 12 /* the one that may be negative */

const char *day_dimension_name(enum day_dimension dimension)
{
    return names[dimension];
}

bool day_dimension_find(const struct dimension *dimension,
                        enum day_dimension *dimension_out)
{
    for (int i = DAY_TOTAL + 1; i < DAY_DIMENSION_COUNT; i++) {
        if (strcmp(dimension->name, names[i]) == 0) {
            *dimension_out = (enum day_dimension)i;
            return true;
        }
    }
    return false;
}

uint32_t day_texts(void)
{
    uint32_t texts = UINT32_C(1) << (unsigned)ENTRY_TEXT_CURRENCY;

    for (int i = DAY_TOTAL + 1; i < DAY_DIMENSION_COUNT; i++) {
        struct dimension dimension;

        if (dimension_find(names[i], false, &dimension)) {
            texts |= dimension_texts(&dimension);
        }
    }
    return texts;
}

/* --- counting ------------------------------------------------------------- */

struct day_values *day_values(void)
{
    return day_values_new(DAY_DIMENSION_COUNT);
}

struct day *day_new(struct day_values *values, int64_t local_day, unsigned mask)
{
    struct day *day = calloc(1, sizeof(*day));

    if (day == NULL) {
        return NULL;
    }
    day->local_day = local_day;
    day->is_additive = true;
    day->values = values;
    day->parts = 1;
    mask &= DAY_ALL_DIMENSIONS & ~(1u << DAY_TOTAL);
    day->rows = day_rows_new(mask);
    if (day->rows == NULL) {
        free(day);
        return NULL;
    }
    for (unsigned left = mask; left != 0; left &= left - 1) {
        struct counted *counted = &day->counted[day->counted_count++];

        counted->number = __builtin_ctz(left);
        (void)dimension_find(names[counted->number], false,
                             &counted->dimension);
    }
    return day;
}

void day_free(struct day *day)
{
    if (day == NULL) {
        return;
    }
    for (int i = 0; i < DAY_DIMENSION_COUNT; i++) {
        day_rows_free_sums(&day->sums[i]);
    }
    day_rows_free(day->rows);
    free(day);
}

void day_set_part(struct day *day, uint64_t part, uint64_t parts)
{
    day->part = part;
    day->parts = parts;
}

/* Visitors by their number, the other events by their own. */
static bool is_of_part(const struct day *day, const struct entry *entry)
{
    uint64_t number =
        (uint64_t)(entry->visitor == 0 ? entry->seq : entry->visitor) *
        UINT64_C(0x9e3779b97f4a7c15);

    return (number >> 32) % day->parts == day->part;
}

/* The event's key in a dimension: the value's number and the class. */
static enum lb_err find_key(const struct day *day,
                            const struct counted *counted,
                            const struct entry *entry,
                            uint32_t *key_out)
{
    const struct dimension *dimension = &counted->dimension;
    uint32_t code = 0;
    enum lb_err rc;

    *key_out = DAY_ROWS_NONE;
    /* A view makes no row where the dimension is the click's, but for type. */
    if (entry->type == ENTRY_VIEW && dimension->is_of_click &&
        counted->number != DAY_TYPE) {
        return LB_OK;
    }
    rc = day_values_code(day->values, (size_t)counted->number,
                         dimension_value(dimension, entry, NULL, NULL), &code);
    *key_out = code * ENTRY_TRAFFIC_COUNT + (uint32_t)entry->traffic;
    return rc;
}

enum lb_err day_add(struct day *day, const struct entry *entry)
{
    uint32_t keys[DAY_DIMENSION_COUNT];
    enum lb_err rc = LB_OK;

    day->is_additive =
        day->is_additive &&
        (entry->visitor == 0 || entry->visitor_day == day->local_day);
    if (day->is_over[DAY_TOTAL] ||
        (day->parts > 1 && !is_of_part(day, entry))) {
        return LB_OK;
    }
    for (size_t i = 0; i < day->counted_count && rc == LB_OK; i++) {
        const struct counted *counted = &day->counted[i];

        rc = find_key(day, counted, entry, &keys[counted->number]);
    }
    return rc == LB_OK ? day_rows_add(day->rows, entry, keys) : rc;
}

size_t day_event_bytes(const struct day *day)
{
    return day_rows_bytes(day->rows);
}

size_t day_sum_bytes(const struct day *day)
{
    size_t bytes = sizeof(*day);

    for (int i = 0; i < DAY_DIMENSION_COUNT; i++) {
        bytes += day->sums[i].cap * sizeof(*day->sums[i].list);
    }
    return bytes;
}

void day_drop(struct day *day, enum day_dimension dimension)
{
    for (size_t i = 0; i < day->counted_count; i++) {
        if (day->counted[i].number == (int)dimension) {
            memmove(&day->counted[i], &day->counted[i + 1],
                    (day->counted_count - i - 1) * sizeof(day->counted[i]));
            day->counted_count--;
            day_rows_drop(day->rows, (int)dimension);
            day_rows_free_sums(&day->sums[dimension]);
            return;
        }
    }
}

size_t day_visitor_events(const struct day *day)
{
    return day_rows_count(day->rows) / (day_rows_visitors(day->rows) + 1);
}

/* One value too many. */
static void give_up(struct day *day, int dimension)
{
    day_drop(day, (enum day_dimension)dimension);
    day->is_over[dimension] = true;
}

void day_give_up(struct day *day)
{
    while (day->counted_count > 0) {
        give_up(day, day->counted[0].number);
    }
    day->is_over[DAY_TOTAL] = true;
    day_rows_clear(day->rows);
}

static size_t map_size(const struct day *day, int dimension)
{
    return day_values_count(day->values, (size_t)dimension) *
           ENTRY_TRAFFIC_COUNT;
}

/* Whether a dimension's rows have more than DAY_VALUES keys. */
static enum lb_err
has_too_many(const struct day *day, int dimension, bool *has_out)
{
    const uint32_t *keys = day_rows_keys(day->rows, dimension);
    size_t rows = day_rows_count(day->rows);
    size_t size = map_size(day, dimension);
    uint32_t *map;
    size_t count = 0;

    *has_out = false;
    if (size <= DAY_VALUES || rows <= DAY_VALUES) {
        return LB_OK;
    }
    map = day_values_map(day->values, size);
    if (map == NULL) {
        return LB_ENOMEM;
    }
    for (size_t i = 0; i < rows; i++) {
        if (keys[i] != DAY_ROWS_NONE && map[keys[i]] == 0) {
            map[keys[i]] = 1;
            count++;
        }
    }
    memset(map, 0, size * sizeof(*map));
    *has_out = count > DAY_VALUES;
    return LB_OK;
}

enum lb_err day_check_values(struct day *day)
{
    enum lb_err rc = LB_OK;

    for (size_t i = day->counted_count; i-- > 0 && rc == LB_OK;) {
        int dimension = day->counted[i].number;
        bool has_any = false;

        rc = has_too_many(day, dimension, &has_any);
        if (has_any) {
            give_up(day, dimension);
        }
    }
    return rc;
}

static enum lb_err
sum_up(struct day *day, int dimension, const struct dimension *what)
{
    size_t size = what == NULL ? ENTRY_TRAFFIC_COUNT : map_size(day, dimension);
    const struct day_rows_wish wish = {
        .column = what == NULL ? -1 : dimension,
        .is_of_click = what != NULL && what->is_of_click,
        .max = DAY_VALUES,
        .map = day_values_map(day->values, size)};

    return wish.map == NULL
               ? LB_ENOMEM
               : day_rows_sum(day->rows, &wish, &day->sums[dimension]);
}

enum lb_err day_finish(struct day *day)
{
    enum lb_err rc = day_rows_sort(day->rows);

    rc = rc == LB_OK ? sum_up(day, DAY_TOTAL, NULL) : rc;
    for (size_t i = day->counted_count; i-- > 0 && rc == LB_OK;) {
        int dimension = day->counted[i].number;

        rc = sum_up(day, dimension, &day->counted[i].dimension);
        if (rc == LB_ELIMIT) {
            give_up(day, dimension);
            rc = LB_OK;
        }
    }
    day_rows_clear(day->rows);
    return rc;
}

/* --- the BLOB ------------------------------------------------------------- */

static int64_t figure_of(const struct tally_group *group, size_t index)
{
    int64_t value;

    memcpy(&value, (const char *)group + figures[index], sizeof(value));
    return value;
}

/* A sum as it is written. */
struct row {
    const char *value; /* NULL: without */
    unsigned traffic;
    const struct day_sum *sum;
};

static void fill_group(struct tally_group *group, const struct day_sum *sum)
{
    memset(group, 0, sizeof(*group));
    for (unsigned i = 0; i < DAY_ROWS_KINDS; i++) {
        struct entry event;

        if (sum->kinds[i] > 0) {
            day_rows_kind(i, &event);
            rollup_add_many(&group->counts, &event, sum->kinds[i]);
        }
    }
    group->visitors = sum->visitors;
    group->viewers = sum->viewers;
    group->clickers = sum->clickers;
    group->viewers_clicked = sum->viewers_clicked;
    group->clicks_without_visitor = sum->clicks_without_visitor;
    group->visits = sum->visits;
    group->amount_hundredths = sum->amount_hundredths;
    memcpy(group->currency, sum->currency, sizeof(group->currency));
}

static void put_figures(struct lb_buf *out, const struct tally_group *group)
{
    uint64_t mask = 0;

    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        mask |= figure_of(group, i) != 0 ? UINT64_C(1) << i : 0;
    }
    lb_varint_add(out, mask);
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        int64_t value = figure_of(group, i);

        if (value != 0 && i == FIGURE_AMOUNT) {
            lb_varint_add(out, lb_varint_zigzag(value));
        } else if (value != 0) {
            lb_varint_add(out, (uint64_t)value);
        }
    }
}

static void put_row(struct lb_buf *out, const struct row *row)
{
    bool has_currency = row->sum->currency[0] != '\0';
    struct tally_group group;

    lb_buf_add_char(out, (char)(row->traffic |
                                (row->value != NULL ? HEAD_VALUE : 0) |
                                (has_currency ? HEAD_CURRENCY : 0)));
    if (row->value != NULL) {
        lb_buf_add(out, row->value, strlen(row->value) + 1);
    }
    fill_group(&group, row->sum);
    put_figures(out, &group);
    if (has_currency) {
        lb_buf_add(out, row->sum->currency, CURRENCY_BYTES);
    }
}

/* By value, without one first, then by class: the same rows are the same bytes.
 */
static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;
    int order = a->value == NULL || b->value == NULL
                    ? (a->value != NULL) - (b->value != NULL)
                    : strcmp(a->value, b->value);

    return order != 0 ? order : (int)a->traffic - (int)b->traffic;
}

enum lb_err
day_encode(struct day *day, enum day_dimension dimension, struct lb_buf *out)
{
    const struct day_sums *sums = &day->sums[dimension];
    struct row *rows;

    if (day->is_over[dimension]) {
        return LB_ELIMIT;
    }
    rows = calloc(sums->count + 1, sizeof(*rows));
    if (rows == NULL) {
        return LB_ENOMEM;
    }
    for (size_t i = 0; i < sums->count; i++) {
        const struct day_sum *sum = &sums->list[i];

        rows[i].sum = sum;
        rows[i].traffic = sum->key % ENTRY_TRAFFIC_COUNT;
        rows[i].value = day_values_text(day->values, (size_t)dimension,
                                        sum->key / ENTRY_TRAFFIC_COUNT);
    }
    qsort(rows, sums->count, sizeof(*rows), compare_rows);
    lb_buf_add_char(out, VERSION);
    lb_buf_add_char(
        out, (char)((day->is_additive ? FLAG_ADDITIVE : 0) | FLAG_VISITS));
    for (size_t i = 0; i < sums->count; i++) {
        put_row(out, &rows[i]);
    }
    free(rows);
    return out->is_failed ? LB_ELIMIT : LB_OK;
}

enum lb_err
day_reader_init(struct day_reader *reader, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    if (bytes == NULL || len < 2 || at[0] != VERSION) {
        return LB_EFORMAT;
    }
    *reader = (struct day_reader){.at = at + 2,
                                  .end = at + len,
                                  .is_additive = (at[1] & FLAG_ADDITIVE) != 0,
                                  .has_visits = (at[1] & FLAG_VISITS) != 0};
    return LB_OK;
}

static bool take_varint(struct day_reader *reader, uint64_t *value_out)
{
    const uint8_t *at = lb_varint_take(reader->at, reader->end, value_out);

    reader->at = at == NULL ? reader->at : at;
    return at != NULL;
}

static bool take_figures(struct day_reader *reader, struct tally_group *group)
{
    uint64_t mask = 0;

    if (!take_varint(reader, &mask) || mask >> FIGURE_COUNT != 0) {
        return false;
    }
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        uint64_t value = 0;

        if ((mask & UINT64_C(1) << i) == 0) {
            continue;
        }
        if (!take_varint(reader, &value)) {
            return false;
        }
        if (i == FIGURE_AMOUNT) {
            value = (uint64_t)lb_varint_unzigzag(value);
        }
        memcpy((char *)group + figures[i], &value, sizeof(value));
    }
    return true;
}

static bool take_row(struct day_reader *reader, struct day_row *row)
{
    unsigned head = *reader->at++;

    memset(row, 0, sizeof(*row));
    row->traffic = (enum entry_traffic)(head & HEAD_TRAFFIC);
    if (head > (HEAD_TRAFFIC | HEAD_VALUE | HEAD_CURRENCY)) {
        return false;
    }
    if ((head & HEAD_VALUE) != 0) {
        const uint8_t *end =
            memchr(reader->at, '\0', (size_t)(reader->end - reader->at));

        if (end == NULL) {
            return false;
        }
        row->value = (const char *)reader->at;
        reader->at = end + 1;
    }
    if (!take_figures(reader, &row->sums)) {
        return false;
    }
    if ((head & HEAD_CURRENCY) != 0) {
        if (reader->end - reader->at < CURRENCY_BYTES) {
            return false;
        }
        memcpy(row->sums.currency, reader->at, CURRENCY_BYTES);
        reader->at += CURRENCY_BYTES;
    }
    return true;
}

bool day_reader_next(struct day_reader *reader, struct day_row *row_out)
{
    if (reader->is_damaged || reader->at >= reader->end) {
        return false;
    }
    reader->is_damaged = !take_row(reader, row_out);
    return !reader->is_damaged;
}

/* Where the varint behind at ends; NULL: it does not. */
static const uint8_t *skip_varint(const uint8_t *at, const uint8_t *end)
{
    for (int i = 0; i < LB_VARINT_BYTES && at < end; i++) {
        if (*at++ < 0x80) {
            return at;
        }
    }
    return NULL;
}

/* Behind the row at at, which is not the end; NULL: it is damaged. */
static const uint8_t *skip_row(const uint8_t *at, const uint8_t *end)
{
    struct day_reader head = {.end = end};
    unsigned flags = *at++;
    uint64_t mask = 0;

    if (flags > (HEAD_TRAFFIC | HEAD_VALUE | HEAD_CURRENCY)) {
        return NULL;
    }
    if ((flags & HEAD_VALUE) != 0) {
        at = memchr(at, '\0', (size_t)(end - at));
        if (at == NULL) {
            return NULL;
        }
        at++;
    }
    head.at = at;
    if (!take_varint(&head, &mask) || mask >> FIGURE_COUNT != 0) {
        return NULL;
    }
    at = head.at;
    for (; mask != 0 && at != NULL; mask &= mask - 1) {
        at = skip_varint(at, end);
    }
    if (at != NULL && (flags & HEAD_CURRENCY) != 0) {
        at = end - at < CURRENCY_BYTES ? NULL : at + CURRENCY_BYTES;
    }
    return at;
}

bool day_reader_is_sound(const struct day_reader *reader)
{
    const uint8_t *at = reader->at;

    while (at != NULL && at < reader->end) {
        at = skip_row(at, reader->end);
    }
    return at != NULL && !reader->is_damaged;
}
