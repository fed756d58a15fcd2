/* funnel.c - ways of visitors through steps. */
#include "aggregate/funnel.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"

#define TYPE_BYTES 16
#define VALUES_FIRST 1024
#define TEXTS_BYTES ((size_t)64 * 1024 * 1024)
#define NONE (-1)

struct event {
    int64_t site;
    int64_t day; /* the visitor's period */
    int64_t visitor;
    int64_t ts_at_ms;
    int32_t row;    /* of its value */
    uint32_t steps; /* bits of those that it matches */
};

/* How far a visitor came.  For each step the latest beginning of a way to it,
 * which leaves most time for what follows. */
struct way {
    bool is_there[FUNNEL_STEPS];
    int64_t began_at_ms[FUNNEL_STEPS];
    int32_t row[FUNNEL_STEPS];
    int deepest; /* NONE: nowhere */
    int32_t deepest_row;
};

struct funnel {
    struct funnel_step steps[FUNNEL_STEPS];
    size_t step_count;
    int64_t within_ms;
    struct event *events; /* owned */
    size_t event_count;
    size_t event_cap;
    struct lb_arena *texts;  /* owned: the rows' values */
    struct funnel_row *rows; /* owned */
    size_t row_count;
    size_t row_cap;
    int32_t *slots; /* owned: rows by value; twice row_cap */
    int32_t null_row;
    struct funnel_row totals;
};

enum lb_err funnel_read_step(const char *text,
                             size_t len,
                             struct funnel_step *step_out,
                             struct lb_error *err)
{
    const char *colon = memchr(text, ':', len);
    size_t type_len = colon == NULL ? len : (size_t)(colon - text);
    char type[TYPE_BYTES];

    if (len >= FUNNEL_LABEL_BYTES) {
        return lb_err_set(err, LB_EINVAL, "a step is too long");
    }
    memcpy(type, text, type_len < sizeof(type) ? type_len : 0);
    type[type_len < sizeof(type) ? type_len : 0] = '\0';
    memcpy(step_out->label, text, len);
    step_out->label[len] = '\0';
    step_out->has_text = colon != NULL;
    if (!entry_type_from_name(type, &step_out->type)) {
        return lb_err_set(err, LB_EINVAL,
                          "\"%.60s\" is no step: write view, click, lead or "
                          "conversion, or type:TEXT with a link or name",
                          step_out->label);
    }
    if (colon != NULL && colon[1] == '\0') {
        return lb_err_set(err, LB_EINVAL, "\"%.60s\" names nothing",
                          step_out->label);
    }
    if (step_out->has_text && step_out->type == ENTRY_VIEW) {
        return lb_err_set(err, LB_EINVAL,
                          "a view has neither link nor name: filter by page");
    }
    return LB_OK;
}

struct funnel *
funnel_new(const struct funnel_step *steps, size_t count, int64_t within_ms)
{
    struct funnel *funnel = calloc(1, sizeof(*funnel));

    if (funnel == NULL) {
        return NULL;
    }
    memcpy(funnel->steps, steps, count * sizeof(steps[0]));
    funnel->step_count = count;
    funnel->within_ms = within_ms;
    funnel->null_row = NONE;
    funnel->texts = lb_arena_new(TEXTS_BYTES);
    if (funnel->texts == NULL) {
        funnel_free(funnel);
        return NULL;
    }
    return funnel;
}

void funnel_free(struct funnel *funnel)
{
    if (funnel != NULL) {
        lb_arena_free(funnel->texts);
        free(funnel->events);
        free(funnel->rows);
        free(funnel->slots);
        free(funnel);
    }
}

/* --- values --------------------------------------------------------------- */

static size_t slot_of(const struct funnel *funnel, const char *value)
{
    static const uint8_t key[LB_HASH_KEY_BYTES] = {0};
    size_t mask = funnel->row_cap * 2 - 1;
    size_t at = (size_t)lb_hash_sip_fast(key, value, strlen(value)) & mask;

    while (funnel->slots[at] != NONE &&
           strcmp(funnel->rows[funnel->slots[at]].value, value) != 0) {
        at = (at + 1) & mask;
    }
    return at;
}

static bool grow_rows(struct funnel *funnel)
{
    size_t cap = funnel->row_cap == 0 ? VALUES_FIRST : funnel->row_cap * 2;
    struct funnel_row *rows =
        realloc(funnel->rows, cap * sizeof(struct funnel_row));
    int32_t *slots = malloc(cap * 2 * sizeof(int32_t));

    if (rows != NULL) {
        funnel->rows = rows;
    }
    if (rows == NULL || slots == NULL) {
        free(slots);
        return false;
    }
    free(funnel->slots);
    funnel->slots = slots;
    funnel->row_cap = cap;
    memset(slots, 0xff, cap * 2 * sizeof(int32_t));
    for (size_t i = 0; i < funnel->row_count; i++) {
        if (funnel->rows[i].value != NULL) {
            slots[slot_of(funnel, funnel->rows[i].value)] = (int32_t)i;
        }
    }
    return true;
}

/* The number of a value's row; NONE: there are too many, or no memory. */
static int32_t find_row(struct funnel *funnel, const char *value)
{
    size_t at = 0;
    struct funnel_row *row;

    if (value == NULL && funnel->null_row != NONE) {
        return funnel->null_row;
    }
    if (funnel->row_count == funnel->row_cap && !grow_rows(funnel)) {
        return NONE;
    }
    if (value != NULL) {
        at = slot_of(funnel, value);
        if (funnel->slots[at] != NONE) {
            return funnel->slots[at];
        }
        value = lb_arena_text(funnel->texts, value, strlen(value));
        if (value == NULL) {
            return NONE;
        }
        funnel->slots[at] = (int32_t)funnel->row_count;
    } else {
        funnel->null_row = (int32_t)funnel->row_count;
    }
    row = &funnel->rows[funnel->row_count];
    memset(row, 0, sizeof(*row));
    row->value = value;
    return (int32_t)funnel->row_count++;
}

/* --- events --------------------------------------------------------------- */

static uint32_t match_steps(const struct funnel *funnel,
                            const struct entry *entry)
{
    const char *text =
        entry->text[entry->type == ENTRY_CLICK ? ENTRY_TEXT_LINK
                                               : ENTRY_TEXT_NAME];
    uint32_t steps = 0;

    for (size_t i = 0; i < funnel->step_count; i++) {
        const struct funnel_step *step = &funnel->steps[i];
        const char *wanted = strchr(step->label, ':');

        if (step->type == entry->type &&
            (!step->has_text ||
             (text != NULL && strcmp(wanted + 1, text) == 0))) {
            steps |= 1u << i;
        }
    }
    return steps;
}

static bool grow_events(struct funnel *funnel)
{
    size_t cap = funnel->event_cap == 0 ? 4096 : funnel->event_cap * 2;
    struct event *events = realloc(funnel->events, cap * sizeof(struct event));

    if (events != NULL) {
        funnel->events = events;
        funnel->event_cap = cap;
    }
    return events != NULL;
}

enum lb_err funnel_add(struct funnel *funnel,
                       const struct entry *entry,
                       const char *value,
                       struct lb_error *err)
{
    uint32_t steps = entry->visitor == 0 ? 0 : match_steps(funnel, entry);
    int32_t row = 0;

    if (steps == 0) {
        return LB_OK;
    }
    if (funnel->event_count == FUNNEL_EVENTS ||
        funnel->row_count == FUNNEL_VALUES) {
        return lb_err_set(err, LB_ELIMIT,
                          "the funnel holds too many events at once: ask for "
                          "one site, a filter, or a dimension with fewer "
                          "values");
    }
    row = (steps & 1u) != 0 ? find_row(funnel, value) : 0;
    if (row == NONE ||
        (funnel->event_count == funnel->event_cap && !grow_events(funnel))) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    funnel->events[funnel->event_count++] = (struct event){
        entry->site, entry->visitor_day, entry->visitor, entry->ts_at_ms, row,
        steps};
    return LB_OK;
}

static int compare_numbers(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* A visitor's events together, by time; at one time the earlier step first, for
 * "at or after" holds then. */
static int compare_events(const void *left, const void *right)
{
    const struct event *a = left;
    const struct event *b = right;
    int order = compare_numbers(a->site, b->site);

    order = order != 0 ? order : compare_numbers(a->day, b->day);
    order = order != 0 ? order : compare_numbers(a->visitor, b->visitor);
    order = order != 0 ? order : compare_numbers(a->ts_at_ms, b->ts_at_ms);
    if (order != 0) {
        return order;
    }
    order =
        compare_numbers(a->steps & (~a->steps + 1), b->steps & (~b->steps + 1));
    return order != 0 ? order : compare_numbers(a->row, b->row);
}

static bool is_same_visitor(const struct event *a, const struct event *b)
{
    return a->site == b->site && a->day == b->day && a->visitor == b->visitor;
}

/* From the last step down, so that one event is no two steps. */
static void
go_on(const struct funnel *funnel, struct way *way, const struct event *event)
{
    for (int step = (int)funnel->step_count - 1; step >= 0; step--) {
        int64_t began_at_ms = event->ts_at_ms;
        int32_t row = event->row;

        if ((event->steps & 1u << step) == 0 ||
            (step > 0 && !way->is_there[step - 1])) {
            continue;
        }
        if (step > 0) {
            began_at_ms = way->began_at_ms[step - 1];
            row = way->row[step - 1];
        }
        if (event->ts_at_ms - began_at_ms > funnel->within_ms) {
            continue;
        }
        way->is_there[step] = true;
        way->began_at_ms[step] = began_at_ms;
        way->row[step] = row;
        if (step > way->deepest) {
            way->deepest = step;
            way->deepest_row = row;
        }
    }
}

static void count_way(struct funnel *funnel, const struct way *way)
{
    for (int step = 0; step <= way->deepest; step++) {
        funnel->totals.visitors[step]++;
        funnel->rows[way->deepest_row].visitors[step]++;
    }
}

void funnel_count(struct funnel *funnel)
{
    struct way way = {.deepest = NONE};

    if (funnel->event_count > 0) {
        qsort(funnel->events, funnel->event_count, sizeof(funnel->events[0]),
              compare_events);
    }
    for (size_t i = 0; i < funnel->event_count; i++) {
        if (i > 0 &&
            !is_same_visitor(&funnel->events[i - 1], &funnel->events[i])) {
            count_way(funnel, &way);
            way = (struct way){.deepest = NONE};
        }
        go_on(funnel, &way, &funnel->events[i]);
    }
    count_way(funnel, &way);
    funnel->event_count = 0;
}

const struct funnel_row *funnel_totals(const struct funnel *funnel)
{
    return &funnel->totals;
}

static int compare_rows(const void *left, const void *right)
{
    const struct funnel_row *a = left;
    const struct funnel_row *b = right;

    for (size_t i = 0; i < FUNNEL_STEPS; i++) {
        if (a->visitors[i] != b->visitors[i]) {
            return a->visitors[i] > b->visitors[i] ? -1 : 1;
        }
    }
    if (a->value == NULL || b->value == NULL) {
        return (a->value == NULL) - (b->value == NULL);
    }
    return strcmp(a->value, b->value);
}

const struct funnel_row *funnel_rows(struct funnel *funnel, size_t *count_out)
{
    size_t count = 0;

    for (size_t i = 0; i < funnel->row_count; i++) {
        if (funnel->rows[i].visitors[0] > 0) {
            funnel->rows[count++] = funnel->rows[i];
        }
    }
    funnel->row_count = count;
    if (count > 0) {
        qsort(funnel->rows, count, sizeof(funnel->rows[0]), compare_rows);
    }
    *count_out = count;
    return funnel->rows;
}
