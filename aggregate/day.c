/* day.c - one local day of a site, counted. */
#include "aggregate/day.h"

#include <stdlib.h>
#include <string.h>

#include "aggregate/visits.h"

#define VERSION 1
#define FLAG_ADDITIVE 1u
#define FLAG_VISITS 2u
#define HEAD_TRAFFIC 3u
#define HEAD_VALUE 4u
#define HEAD_CURRENCY 8u
#define CURRENCY_BYTES 3
#define VALUE_BYTES 2100 /* longer values are cut in keys, as in queries */
#define KEY_BYTES (VALUE_BYTES + 3)
#define NO_GROUP UINT32_MAX

struct day {
    int64_t local_day;
    bool is_additive;
    bool has_visits;
    struct visits *visits;             /* owned */
    bool is_over[DAY_DIMENSION_COUNT]; /* past DAY_VALUES */
    struct dimension dimensions[DAY_DIMENSION_COUNT];
    struct tally *tallies[DAY_DIMENSION_COUNT]; /* owned; NULL: not counted */
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

struct day *day_new(int64_t local_day, unsigned mask)
{
    struct day *day = calloc(1, sizeof(*day));

    if (day == NULL) {
        return NULL;
    }
    day->local_day = local_day;
    day->is_additive = true;
    day->has_visits = true;
    day->visits = visits_new(VISITS_NUMBERED);
    if (day->visits == NULL) {
        free(day);
        return NULL;
    }
    for (int i = 0; i < DAY_DIMENSION_COUNT; i++) {
        if (i != DAY_TOTAL && (mask & 1u << i) == 0) {
            continue;
        }
        if (i != DAY_TOTAL) {
            (void)dimension_find(names[i], false, &day->dimensions[i]);
        }
        day->tallies[i] = tally_new(DAY_VALUES);
        if (day->tallies[i] == NULL) {
            day_free(day);
            return NULL;
        }
    }
    return day;
}

void day_free(struct day *day)
{
    for (int i = 0; day != NULL && i < DAY_DIMENSION_COUNT; i++) {
        tally_free(day->tallies[i]);
    }
    if (day != NULL) {
        visits_free(day->visits);
    }
    free(day);
}

static bool is_of_click(const struct day *day, int dimension)
{
    return day->dimensions[dimension].is_of_click;
}

/* The event's group in a dimension; NO_GROUP: it has none there. */
static enum lb_err find_group(struct day *day,
                              int dimension,
                              const struct entry *entry,
                              uint32_t *group_out)
{
    char key[KEY_BYTES]; /* not cleared: it is long, and 18 are made an event */
    const char *value = NULL;
    size_t len = 1;

    *group_out = NO_GROUP;
    key[0] = (char)('0' + (int)entry->traffic);
    /* A view makes no row where the dimension is the click's, but for type. */
    if (day->tallies[dimension] == NULL || day->is_over[dimension] ||
        (entry->type == ENTRY_VIEW && is_of_click(day, dimension) &&
         dimension != DAY_TYPE)) {
        return LB_OK;
    }
    if (dimension != DAY_TOTAL) {
        value = dimension_value(&day->dimensions[dimension], entry, NULL, NULL);
    }
    if (value != NULL) {
        len = strnlen(value, VALUE_BYTES);
        key[1] = 'V';
        memcpy(key + 2, value, len);
        len += 2;
    }
    return tally_group_of(day->tallies[dimension], key, len, group_out);
}

/* One too many. */
static void give_up(struct day *day, int dimension)
{
    day_drop(day, (enum day_dimension)dimension);
    day->is_over[dimension] = true;
}

enum lb_err day_add(struct day *day, const struct entry *entry)
{
    struct tally_visit visit = {.number = 0};
    uint32_t groups[DAY_DIMENSION_COUNT];
    enum lb_err rc = visits_enter(day->visits, entry, &visit.number);

    if (rc == LB_ELIMIT) {
        day->has_visits = false;
        rc = LB_OK;
    }
    day->is_additive =
        day->is_additive &&
        (entry->visitor == 0 || entry->visitor_day == day->local_day);
    /* First where it goes in each, then it goes: memory comes meanwhile. */
    for (int i = 0; i < DAY_DIMENSION_COUNT && rc == LB_OK; i++) {
        rc = find_group(day, i, entry, &groups[i]);
        if (rc == LB_ELIMIT) {
            give_up(day, i);
            groups[i] = NO_GROUP;
            rc = LB_OK;
        } else if (rc == LB_OK && groups[i] != NO_GROUP) {
            tally_expect(day->tallies[i], groups[i], entry);
        }
    }
    for (int i = 0; i < DAY_DIMENSION_COUNT && rc == LB_OK; i++) {
        if (groups[i] != NO_GROUP) {
            rc = tally_add_to(day->tallies[i], groups[i], entry, &visit);
        }
    }
    return rc;
}

size_t day_bytes(const struct day *day)
{
    size_t bytes = sizeof(*day) + visits_bytes(day->visits);

    for (int i = 0; i < DAY_DIMENSION_COUNT; i++) {
        bytes += day->tallies[i] == NULL ? 0 : tally_bytes(day->tallies[i]);
    }
    return bytes;
}

void day_drop(struct day *day, enum day_dimension dimension)
{
    tally_free(day->tallies[dimension]);
    day->tallies[dimension] = NULL;
}

/* The total's key: the class alone. */
static size_t total_key(void *ctx, const char *key, size_t key_len, char *out)
{
    (void)ctx;
    (void)key_len;
    out[0] = key[0];
    return 1;
}

void day_finish(struct day *day)
{
    for (int i = DAY_TOTAL + 1; i < DAY_DIMENSION_COUNT; i++) {
        if (day->tallies[i] != NULL) {
            tally_finish(day->tallies[i],
                         is_of_click(day, i) ? day->tallies[DAY_TOTAL] : NULL,
                         total_key, NULL);
        }
    }
    tally_finish(day->tallies[DAY_TOTAL], NULL, NULL, NULL);
}

/* --- the BLOB ------------------------------------------------------------- */

static void put_varint(struct lb_buf *out, uint64_t value)
{
    while (value >= 0x80) {
        lb_buf_add_char(out, (char)(value | 0x80));
        value >>= 7;
    }
    lb_buf_add_char(out, (char)value);
}

static int64_t figure_of(const struct tally_group *group, size_t index)
{
    int64_t value;

    memcpy(&value, (const char *)group + figures[index], sizeof(value));
    return value;
}

static void put_row(struct lb_buf *out, const struct tally_group *group)
{
    unsigned traffic = (unsigned)(group->key[0] - '0');
    bool has_value = group->key_len > 1;
    bool has_currency = group->currency[0] != '\0';
    uint64_t mask = 0;

    lb_buf_add_char(out, (char)(traffic | (has_value ? HEAD_VALUE : 0) |
                                (has_currency ? HEAD_CURRENCY : 0)));
    if (has_value) {
        lb_buf_add(out, group->key + 2, group->key_len - 2);
        lb_buf_add_char(out, '\0');
    }
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        mask |= figure_of(group, i) != 0 ? UINT64_C(1) << i : 0;
    }
    put_varint(out, mask);
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        int64_t value = figure_of(group, i);

        if (value != 0 && i == FIGURE_AMOUNT) {
            put_varint(out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
        } else if (value != 0) {
            put_varint(out, (uint64_t)value);
        }
    }
    if (has_currency) {
        char currency[CURRENCY_BYTES + 1] = {0};

        memcpy(currency, group->currency, sizeof(group->currency));
        lb_buf_add(out, currency, CURRENCY_BYTES);
    }
}

/* By value, without one first, then by class: the same rows are the same bytes.
 */
static int compare_groups(const void *left, const void *right)
{
    const struct tally_group *a = *(const struct tally_group *const *)left;
    const struct tally_group *b = *(const struct tally_group *const *)right;
    size_t shorter = a->key_len < b->key_len ? a->key_len : b->key_len;
    int order = memcmp(a->key + 1, b->key + 1, shorter - 1);

    if (order == 0 && a->key_len != b->key_len) {
        order = a->key_len < b->key_len ? -1 : 1;
    }
    return order != 0 ? order : a->key[0] - b->key[0];
}

enum lb_err
day_encode(struct day *day, enum day_dimension dimension, struct lb_buf *out)
{
    const struct tally *tally = day->tallies[dimension];
    size_t count = tally == NULL ? 0 : tally_count(tally);
    const struct tally_group **groups;

    if (tally == NULL) {
        return LB_ELIMIT;
    }
    groups = calloc(count + 1, sizeof(struct tally_group *));
    if (groups == NULL) {
        return LB_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        groups[i] = tally_at(tally, i);
    }
    qsort(groups, count, sizeof(struct tally_group *), compare_groups);
    lb_buf_add_char(out, VERSION);
    lb_buf_add_char(out, (char)((day->is_additive ? FLAG_ADDITIVE : 0) |
                                (day->has_visits ? FLAG_VISITS : 0)));
    for (size_t i = 0; i < count; i++) {
        put_row(out, groups[i]);
    }
    free(groups);
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
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && reader->at < reader->end;
         shift += 7) {
        uint8_t byte = *reader->at++;

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value_out = value;
            return true;
        }
    }
    return false;
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
            value = value >> 1 ^ (~(value & 1) + 1);
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
