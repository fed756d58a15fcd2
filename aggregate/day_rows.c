/* day_rows.c - the events of a site's day as columns, and their sums. */
#include "aggregate/day_rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROWS 256
#define FIRST_PAIRS 256
#define MARK_TYPE 3u
#define MARK_DOUBLE 4u
#define MARK_ORPHAN 8u
#define MARK_CLASS_SHIFT 4
#define MARK_START 64u

/* A visitor of a period, numbered from 1 as they come. */
struct pair {
    int64_t day;
    int64_t visitor; /* 0: free */
    uint32_t who;
};

struct amount {
    uint32_t row;
    char currency[4];
    int64_t hundredths;
};

/* A row in the order of visitors, 0 (none) first, then of the log. */
struct place {
    int64_t ts_at_ms;
    uint32_t row;
    uint32_t who;
    uint32_t visit; /* from 1 within the visitor's, human or not */
    uint8_t marks;
};

struct day_rows {
    unsigned columns;
    size_t count;
    size_t cap;
    int64_t *ts; /* owned, as all arrays; at_ms */
    uint32_t *who;
    uint8_t *marks; /* MARK_ or-ed */
    uint32_t *keys[DAY_ROWS_COLUMNS];
    struct amount *amounts;
    size_t amount_count;
    size_t amount_cap;
    struct pair *pairs; /* open addressing */
    size_t pair_cap;
    size_t who_count;
    /* After day_rows_sort(). */
    struct place *order;
    int64_t (*first_views)[ENTRY_TRAFFIC_COUNT]; /* by who */
};

struct day_rows *day_rows_new(unsigned columns)
{
    struct day_rows *rows = calloc(1, sizeof(*rows));

    if (rows != NULL) {
        rows->columns = columns;
    }
    return rows;
}

void day_rows_free(struct day_rows *rows)
{
    if (rows == NULL) {
        return;
    }
    for (int i = 0; i < DAY_ROWS_COLUMNS; i++) {
        free(rows->keys[i]);
    }
    free(rows->ts);
    free(rows->who);
    free(rows->marks);
    free(rows->amounts);
    free(rows->pairs);
    free(rows->order);
    free(rows->first_views);
    free(rows);
}

void day_rows_drop(struct day_rows *rows, int column)
{
    rows->columns &= ~(1u << column);
    free(rows->keys[column]);
    rows->keys[column] = NULL;
}

size_t day_rows_count(const struct day_rows *rows)
{
    return rows->count;
}

size_t day_rows_visitors(const struct day_rows *rows)
{
    return rows->who_count;
}

const uint32_t *day_rows_keys(const struct day_rows *rows, int column)
{
    return rows->keys[column];
}

size_t day_rows_bytes(const struct day_rows *rows)
{
    size_t a_row =
        sizeof(*rows->ts) + sizeof(*rows->who) + sizeof(*rows->marks) +
        sizeof(*rows->order) +
        (size_t)__builtin_popcount(rows->columns) * sizeof(**rows->keys);

    return sizeof(*rows) + rows->cap * a_row +
           rows->pair_cap * sizeof(*rows->pairs) +
           rows->who_count * sizeof(*rows->first_views) +
           rows->amount_cap * sizeof(*rows->amounts);
}

/* --- taking events -------------------------------------------------------- */

static bool grow_array(void *array_at, size_t count, size_t size)
{
    void *array;

    memcpy(&array, array_at, sizeof(array));
    array = realloc(array, count * size);
    if (array != NULL) {
        memcpy(array_at, &array, sizeof(array));
    }
    return array != NULL;
}

static enum lb_err grow_rows(struct day_rows *rows)
{
    size_t cap = rows->cap == 0 ? FIRST_ROWS : rows->cap * 2;
    bool is_grown = cap < UINT32_MAX &&
                    grow_array(&rows->ts, cap, sizeof(*rows->ts)) &&
                    grow_array(&rows->who, cap, sizeof(*rows->who)) &&
                    grow_array(&rows->marks, cap, sizeof(*rows->marks));

    for (int i = 0; i < DAY_ROWS_COLUMNS && is_grown; i++) {
        is_grown = (rows->columns & 1u << i) == 0 ||
                   grow_array(&rows->keys[i], cap, sizeof(**rows->keys));
    }
    rows->cap = is_grown ? cap : rows->cap;
    return is_grown ? LB_OK : LB_ENOMEM;
}

static struct pair *
find_pair(const struct day_rows *rows, int64_t day, int64_t visitor)
{
    uint64_t hash = (uint64_t)visitor * UINT64_C(0x9e3779b97f4a7c15) ^
                    (uint64_t)day * UINT64_C(0xc2b2ae3d27d4eb4f);
    size_t at = (size_t)(hash ^ hash >> 31) & (rows->pair_cap - 1);

    while (rows->pairs[at].visitor != 0 &&
           (rows->pairs[at].visitor != visitor || rows->pairs[at].day != day)) {
        at = (at + 1) & (rows->pair_cap - 1);
    }
    return &rows->pairs[at];
}

static enum lb_err grow_pairs(struct day_rows *rows)
{
    struct pair *old = rows->pairs;
    size_t old_cap = rows->pair_cap;
    size_t cap = old_cap == 0 ? FIRST_PAIRS : old_cap * 2;
    struct pair *pairs = calloc(cap, sizeof(*pairs));

    if (pairs == NULL) {
        return LB_ENOMEM;
    }
    rows->pairs = pairs;
    rows->pair_cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i].visitor != 0) {
            *find_pair(rows, old[i].day, old[i].visitor) = old[i];
        }
    }
    free(old);
    return LB_OK;
}

static enum lb_err
number(struct day_rows *rows, const struct entry *entry, uint32_t *who_out)
{
    struct pair *pair;

    *who_out = 0;
    if (entry->visitor == 0) {
        return LB_OK;
    }
    if (rows->who_count * 4 >= rows->pair_cap * 3 &&
        grow_pairs(rows) != LB_OK) {
        return LB_ENOMEM;
    }
    pair = find_pair(rows, entry->visitor_day, entry->visitor);
    if (pair->visitor == 0) {
        *pair = (struct pair){entry->visitor_day, entry->visitor,
                              (uint32_t)++rows->who_count};
    }
    *who_out = pair->who;
    return LB_OK;
}

static enum lb_err add_amount(struct day_rows *rows, const struct entry *entry)
{
    const char *currency = entry->text[ENTRY_TEXT_CURRENCY];
    struct amount *amount;

    if (currency == NULL || currency[0] == '\0') {
        return LB_OK;
    }
    if (rows->amount_count == rows->amount_cap) {
        size_t cap = rows->amount_cap == 0 ? 16 : rows->amount_cap * 2;

        if (!grow_array(&rows->amounts, cap, sizeof(*rows->amounts))) {
            return LB_ENOMEM;
        }
        rows->amount_cap = cap;
    }
    amount = &rows->amounts[rows->amount_count++];
    *amount = (struct amount){.row = (uint32_t)rows->count,
                              .hundredths = entry->amount_hundredths};
    memcpy(amount->currency, currency,
           strnlen(currency, sizeof(amount->currency) - 1));
    return LB_OK;
}

enum lb_err day_rows_add(struct day_rows *rows,
                         const struct entry *entry,
                         const uint32_t *keys)
{
    size_t row = rows->count;
    enum lb_err rc = row == rows->cap ? grow_rows(rows) : LB_OK;

    rc = rc == LB_OK ? number(rows, entry, &rows->who[row]) : rc;
    rc = rc == LB_OK && entry->has_amount ? add_amount(rows, entry) : rc;
    if (rc != LB_OK) {
        return rc;
    }
    rows->ts[row] = entry->ts_at_ms;
    rows->marks[row] = (uint8_t)((unsigned)entry->type |
                                 (entry->is_double_tap ? MARK_DOUBLE : 0) |
                                 (entry->is_orphan ? MARK_ORPHAN : 0) |
                                 (unsigned)entry->traffic << MARK_CLASS_SHIFT |
                                 (entry->is_visit_start ? MARK_START : 0));
    for (unsigned left = rows->columns; left != 0; left &= left - 1) {
        int column = __builtin_ctz(left);

        rows->keys[column][row] = keys[column];
    }
    rows->count++;
    return LB_OK;
}

void day_rows_clear(struct day_rows *rows)
{
    rows->count = 0;
    rows->amount_count = 0;
    rows->who_count = 0;
    if (rows->pairs != NULL) {
        memset(rows->pairs, 0, rows->pair_cap * sizeof(*rows->pairs));
    }
}

/* --- by visitor ----------------------------------------------------------- */

static enum entry_type type_of(uint8_t marks)
{
    return (enum entry_type)(marks & MARK_TYPE);
}

static size_t class_of(uint8_t marks)
{
    return marks >> MARK_CLASS_SHIFT & 3u;
}

/* Where each visitor's rows begin, then the rows there. */
static void place_rows(struct day_rows *rows, uint32_t *starts)
{
    for (size_t i = 0; i < rows->count; i++) {
        starts[rows->who[i] + 1]++;
    }
    for (size_t i = 1; i <= rows->who_count; i++) {
        starts[i] += starts[i - 1];
    }
    for (size_t i = 0; i < rows->count; i++) {
        rows->order[starts[rows->who[i]]++] =
            (struct place){.ts_at_ms = rows->ts[i],
                           .row = (uint32_t)i,
                           .who = rows->who[i],
                           .marks = rows->marks[i]};
    }
}

/* A visitor's human events and the others are visits by themselves; the first
 * of a day begins one wherever it began in truth. */
static void note_visits(struct day_rows *rows)
{
    uint32_t visits[2] = {0, 0};
    uint32_t who = 0;

    for (size_t i = 0; i < rows->count; i++) {
        struct place *place = &rows->order[i];
        size_t kind = class_of(place->marks) == ENTRY_HUMAN ? 0 : 1;
        int64_t *first = &rows->first_views[place->who][class_of(place->marks)];

        if (place->who != who) {
            who = place->who;
            visits[0] = 0;
            visits[1] = 0;
        }
        if (visits[kind] == 0 || (place->marks & MARK_START) != 0) {
            visits[kind]++;
        }
        place->visit = visits[kind];
        if (type_of(place->marks) == ENTRY_VIEW && place->ts_at_ms < *first) {
            *first = place->ts_at_ms;
        }
    }
}

enum lb_err day_rows_sort(struct day_rows *rows)
{
    uint32_t *starts = calloc(rows->who_count + 2, sizeof(*starts));

    free(rows->order);
    free(rows->first_views);
    rows->order = malloc((rows->count + 1) * sizeof(*rows->order));
    rows->first_views =
        malloc((rows->who_count + 1) * sizeof(*rows->first_views));
    if (starts == NULL || rows->order == NULL || rows->first_views == NULL) {
        free(starts);
        return LB_ENOMEM;
    }
    for (size_t i = 0; i <= rows->who_count; i++) {
        for (size_t j = 0; j < ENTRY_TRAFFIC_COUNT; j++) {
            rows->first_views[i][j] = INT64_MAX;
        }
    }
    place_rows(rows, starts);
    note_visits(rows);
    free(starts);
    return LB_OK;
}

void day_rows_kind(unsigned kind, struct entry *entry_out)
{
    memset(entry_out, 0, sizeof(*entry_out));
    entry_out->type = type_of((uint8_t)kind);
    entry_out->is_double_tap = (kind & MARK_DOUBLE) != 0;
    entry_out->is_orphan = (kind & MARK_ORPHAN) != 0;
}

/* --- sums ----------------------------------------------------------------- */

void day_rows_free_sums(struct day_sums *sums)
{
    free(sums->list);
    *sums = (struct day_sums){.list = NULL};
}

static enum lb_err
take_sum(struct day_sums *sums, const struct day_rows_wish *wish, uint32_t key)
{
    if (sums->count >= wish->max) {
        return LB_ELIMIT;
    }
    if (sums->count == sums->cap) {
        size_t cap = sums->cap == 0 ? 8 : sums->cap * 2;

        if (!grow_array(&sums->list, cap, sizeof(*sums->list))) {
            return LB_ENOMEM;
        }
        sums->cap = cap;
    }
    sums->list[sums->count] = (struct day_sum){.key = key};
    wish->map[key] = (uint32_t)++sums->count;
    return LB_OK;
}

/* The visitor's events of the sum are through. */
static void end_visitor(struct day_sum *sum, int64_t first_view_ms)
{
    sum->visitors++;
    sum->viewers += sum->first_view_ms != INT64_MAX ? 1 : 0;
    sum->clickers += sum->last_click_ms != INT64_MIN ? 1 : 0;
    sum->viewers_clicked += sum->last_click_ms != INT64_MIN &&
                                    first_view_ms != INT64_MAX &&
                                    sum->last_click_ms >= first_view_ms
                                ? 1
                                : 0;
    sum->who = 0;
}

static void add_place(struct day_sum *sum, const struct place *place)
{
    enum entry_type type = type_of(place->marks);

    sum->kinds[place->marks & (DAY_ROWS_KINDS - 1)]++;
    if (place->who == 0) {
        sum->clicks_without_visitor += type == ENTRY_CLICK ? 1 : 0;
        return;
    }
    if (sum->who == 0) {
        sum->who = place->who;
        sum->visit = 0;
        sum->first_view_ms = INT64_MAX;
        sum->last_click_ms = INT64_MIN;
    }
    sum->visits += sum->visit != place->visit ? 1 : 0;
    sum->visit = place->visit;
    if (type == ENTRY_VIEW && place->ts_at_ms < sum->first_view_ms) {
        sum->first_view_ms = place->ts_at_ms;
    }
    if (type == ENTRY_CLICK && place->ts_at_ms > sum->last_click_ms) {
        sum->last_click_ms = place->ts_at_ms;
    }
}

static uint32_t key_of(const struct day_rows *rows,
                       const struct day_rows_wish *wish,
                       const struct place *place)
{
    return wish->column < 0 ? (uint32_t)class_of(place->marks)
                            : rows->keys[wish->column][place->row];
}

/* Ends the visitor whose rows lie from first to before end. */
static void end_visitors(const struct day_rows *rows,
                         const struct day_rows_wish *wish,
                         struct day_sums *sums,
                         size_t first,
                         size_t end)
{
    for (size_t i = first; i < end; i++) {
        const struct place *place = &rows->order[i];
        uint32_t key = key_of(rows, wish, place);
        struct day_sum *sum =
            key == DAY_ROWS_NONE ? NULL : &sums->list[wish->map[key] - 1];

        if (sum != NULL && sum->who != 0) {
            end_visitor(
                sum, wish->is_of_click
                         ? rows->first_views[place->who][class_of(place->marks)]
                         : sum->first_view_ms);
        }
    }
}

/* The key's sum, begun when it is the first. */
static enum lb_err find_sum(struct day_sums *sums,
                            const struct day_rows_wish *wish,
                            uint32_t key,
                            struct day_sum **sum_out)
{
    enum lb_err rc = wish->map[key] == 0 ? take_sum(sums, wish, key) : LB_OK;

    *sum_out = rc == LB_OK ? &sums->list[wish->map[key] - 1] : NULL;
    return rc;
}

static enum lb_err add_places(const struct day_rows *rows,
                              const struct day_rows_wish *wish,
                              struct day_sums *sums)
{
    size_t first = 0; /* of the visitor at hand */
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < rows->count && rc == LB_OK; i++) {
        const struct place *place = &rows->order[i];
        uint32_t key = key_of(rows, wish, place);
        struct day_sum *sum = NULL;

        if (place->who != rows->order[first].who) {
            end_visitors(rows, wish, sums, first, i);
            first = i;
        }
        rc = key == DAY_ROWS_NONE ? LB_OK : find_sum(sums, wish, key, &sum);
        if (sum != NULL) {
            add_place(sum, place);
        }
    }
    if (rc == LB_OK) {
        end_visitors(rows, wish, sums, first, rows->count);
    }
    return rc;
}

static void add_amounts(const struct day_rows *rows,
                        const struct day_rows_wish *wish,
                        struct day_sums *sums)
{
    for (size_t i = 0; i < rows->amount_count; i++) {
        const struct amount *amount = &rows->amounts[i];
        const struct place place = {.row = amount->row,
                                    .marks = rows->marks[amount->row]};
        uint32_t key = key_of(rows, wish, &place);
        struct day_sum *sum;

        if (key == DAY_ROWS_NONE) {
            continue;
        }
        sum = &sums->list[wish->map[key] - 1];
        sum->amount_hundredths += amount->hundredths;
        if (sum->currency[0] == '\0') {
            memcpy(sum->currency, amount->currency, sizeof(sum->currency));
        } else if (memcmp(sum->currency, amount->currency,
                          sizeof(sum->currency)) != 0) {
            memcpy(sum->currency, "*\0\0", sizeof(sum->currency));
        }
    }
}

enum lb_err day_rows_sum(const struct day_rows *rows,
                         const struct day_rows_wish *wish,
                         struct day_sums *sums)
{
    enum lb_err rc;

    assert(rows->order != NULL);
    for (size_t i = 0; i < sums->count; i++) {
        wish->map[sums->list[i].key] = (uint32_t)i + 1;
    }
    rc = add_places(rows, wish, sums);
    if (rc == LB_OK) {
        add_amounts(rows, wish, sums);
    }
    for (size_t i = 0; i < sums->count; i++) {
        wish->map[sums->list[i].key] = 0;
    }
    return rc;
}
