/* rule_window.c - sliding windows: sums by time, and distinct visitors. */
#include "alerts/rule_window.h"

#include <stdlib.h>
#include <string.h>

#define CELLS_AT_FIRST 4
#define CROWD_AT_FIRST 16

/* --- visitors: a heap with the one longest gone on top, and where each stands
 * ------------------------------------------------------------------------ */

struct person {
    int64_t ts_ms;
    int64_t visitor;
    uint32_t slot; /* of slots, that holds this one's place */
};

struct rule_window_crowd {
    struct person *heap; /* owned */
    uint32_t count;
    uint32_t cap;    /* a power of two */
    uint32_t *slots; /* owned; 2 * cap; place in heap + 1, 0: free */
};

static void free_crowd(struct rule_window_crowd *crowd)
{
    if (crowd != NULL) {
        free(crowd->heap);
        free(crowd->slots);
        free(crowd);
    }
}

static uint32_t first_slot(const struct rule_window_crowd *crowd,
                           int64_t visitor)
{
    uint64_t hash = (uint64_t)visitor * UINT64_C(0x9e3779b97f4a7c15);

    return (uint32_t)(hash >> 32) & (2 * crowd->cap - 1);
}

/* The slot that holds the visitor, or the free one where it would stand. */
static uint32_t find_slot(const struct rule_window_crowd *crowd,
                          int64_t visitor)
{
    uint32_t slot = first_slot(crowd, visitor);

    while (crowd->slots[slot] != 0 &&
           crowd->heap[crowd->slots[slot] - 1].visitor != visitor) {
        slot = (slot + 1) & (2 * crowd->cap - 1);
    }
    return slot;
}

static void put_at(struct rule_window_crowd *crowd,
                   uint32_t place,
                   const struct person *person)
{
    crowd->heap[place] = *person;
    crowd->slots[person->slot] = place + 1;
}

static bool is_before(const struct person *a, const struct person *b)
{
    return a->ts_ms != b->ts_ms ? a->ts_ms < b->ts_ms : a->visitor < b->visitor;
}

static void sift_up(struct rule_window_crowd *crowd, uint32_t place)
{
    struct person person = crowd->heap[place];

    while (place > 0 && is_before(&person, &crowd->heap[(place - 1) / 2])) {
        put_at(crowd, place, &crowd->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put_at(crowd, place, &person);
}

static void sift_down(struct rule_window_crowd *crowd, uint32_t place)
{
    struct person person = crowd->heap[place];

    for (;;) {
        uint32_t child = 2 * place + 1;

        if (child + 1 < crowd->count &&
            is_before(&crowd->heap[child + 1], &crowd->heap[child])) {
            child++;
        }
        if (child >= crowd->count || !is_before(&crowd->heap[child], &person)) {
            break;
        }
        put_at(crowd, place, &crowd->heap[child]);
        place = child;
    }
    put_at(crowd, place, &person);
}

/* Frees a slot and moves those behind it up, so that all are still found. */
static void free_slot(struct rule_window_crowd *crowd, uint32_t slot)
{
    uint32_t mask = 2 * crowd->cap - 1;
    uint32_t next = (slot + 1) & mask;

    crowd->slots[slot] = 0;
    while (crowd->slots[next] != 0) {
        struct person *person = &crowd->heap[crowd->slots[next] - 1];
        uint32_t home = first_slot(crowd, person->visitor);

        if (((next - home) & mask) >= ((next - slot) & mask)) {
            crowd->slots[slot] = crowd->slots[next];
            person->slot = slot;
            crowd->slots[next] = 0;
            slot = next;
        }
        next = (next + 1) & mask;
    }
}

static void remove_person(struct rule_window_crowd *crowd, uint32_t place)
{
    free_slot(crowd, crowd->heap[place].slot);
    crowd->count--;
    if (place == crowd->count) {
        return;
    }
    put_at(crowd, place, &crowd->heap[crowd->count]);
    if (place > 0 &&
        is_before(&crowd->heap[place], &crowd->heap[(place - 1) / 2])) {
        sift_up(crowd, place);
    } else {
        sift_down(crowd, place);
    }
}

static bool grow_crowd(struct rule_window_crowd *crowd)
{
    uint32_t cap = crowd->cap == 0 ? CROWD_AT_FIRST : 2 * crowd->cap;
    struct person *heap = realloc(crowd->heap, cap * sizeof(*heap));
    uint32_t *slots = calloc((size_t)2 * cap, sizeof(*slots));

    crowd->heap = heap == NULL ? crowd->heap : heap;
    if (heap == NULL || slots == NULL) {
        free(slots);
        return false;
    }
    free(crowd->slots);
    crowd->slots = slots;
    crowd->cap = cap;
    for (uint32_t i = 0; i < crowd->count; i++) {
        heap[i].slot = find_slot(crowd, heap[i].visitor);
        slots[heap[i].slot] = i + 1;
    }
    return true;
}

static bool
add_person(struct rule_window *window, int64_t ts_ms, int64_t visitor)
{
    struct rule_window_crowd *crowd = window->crowd;
    uint32_t slot;

    if (crowd == NULL) {
        crowd = calloc(1, sizeof(*crowd));
        window->crowd = crowd;
    }
    if (crowd == NULL || (crowd->count == crowd->cap && !grow_crowd(crowd))) {
        return false;
    }
    slot = find_slot(crowd, visitor);
    if (crowd->slots[slot] != 0) {
        uint32_t place = crowd->slots[slot] - 1;

        if (ts_ms > crowd->heap[place].ts_ms) {
            crowd->heap[place].ts_ms = ts_ms;
            sift_down(crowd, place);
        }
        return true;
    }
    if (crowd->count == RULE_WINDOW_VISITORS) {
        if (ts_ms <= crowd->heap[0].ts_ms) {
            return true;
        }
        remove_person(crowd, 0);
        slot = find_slot(crowd, visitor);
    }
    put_at(crowd, crowd->count++, &(struct person){ts_ms, visitor, slot});
    sift_up(crowd, crowd->count - 1);
    return true;
}

static void clamp_crowd(struct rule_window_crowd *crowd, int64_t now_ms)
{
    for (uint32_t i = 0; i < crowd->count; i++) {
        if (crowd->heap[i].ts_ms > now_ms) {
            crowd->heap[i].ts_ms = now_ms;
        }
    }
    for (uint32_t i = crowd->count / 2; i > 0; i--) {
        sift_down(crowd, i - 1);
    }
}

/* --- sums
 * ------------------------------------------------------------------------ */

static bool make_room(struct rule_window_cells *cells)
{
    uint32_t cap = cells->cap == 0 ? CELLS_AT_FIRST : cells->cap * 2;
    struct rule_window_cell *more;

    if (cells->first > 0 && cells->first >= cells->cap / 2) {
        memmove(cells->cells, cells->cells + cells->first,
                cells->count * sizeof(*cells->cells));
        cells->first = 0;
    }
    if (cells->first + cells->count < cells->cap) {
        return true;
    }
    more = realloc(cells->cells, cap * sizeof(*more));
    if (more == NULL) {
        return false;
    }
    cells->cells = more;
    cells->cap = cap;
    return true;
}

/* The place of the first cell at or after ts_ms; most often the end. */
static uint32_t find_cell(const struct rule_window_cells *cells, int64_t ts_ms)
{
    const struct rule_window_cell *at = cells->cells + cells->first;
    uint32_t low = 0;
    uint32_t high = cells->count;

    if (cells->count > 0 && at[cells->count - 1].ts_ms < ts_ms) {
        return cells->count;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (at[middle].ts_ms < ts_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool
has_cell(const struct rule_window_cells *cells, uint32_t place, int64_t ts_ms)
{
    return place < cells->count &&
           cells->cells[cells->first + place].ts_ms == ts_ms;
}

static bool
add_cell(struct rule_window_cells *cells, int64_t ts_ms, int64_t weight)
{
    uint32_t place = cells->count == 0 ? 0 : find_cell(cells, ts_ms);
    struct rule_window_cell *at;

    if (has_cell(cells, place, ts_ms)) {
        cells->cells[cells->first + place].weight += weight;
        return true;
    }
    if (!make_room(cells)) {
        return false;
    }
    at = cells->cells + cells->first + place;
    memmove(at + 1, at, (cells->count - place) * sizeof(*at));
    *at = (struct rule_window_cell){ts_ms, weight};
    cells->count++;
    return true;
}

static int64_t let_go(struct rule_window_cells *cells, int64_t oldest_ms)
{
    int64_t weight = 0;

    while (cells->count > 0 && cells->cells[cells->first].ts_ms < oldest_ms) {
        weight += cells->cells[cells->first].weight;
        cells->first++;
        cells->count--;
    }
    return weight;
}

static int64_t cut_after(struct rule_window_cells *cells, int64_t now_ms)
{
    int64_t weight = 0;

    while (cells->count > 0 &&
           cells->cells[cells->first + cells->count - 1].ts_ms > now_ms) {
        cells->count--;
        weight += cells->cells[cells->first + cells->count].weight;
    }
    return weight;
}

static bool take_cell(struct rule_window_cells *cells,
                      int64_t ts_ms,
                      int64_t weight,
                      int64_t *sum)
{
    uint32_t place = cells->count == 0 ? 0 : find_cell(cells, ts_ms);

    if (!has_cell(cells, place, ts_ms)) {
        return false;
    }
    cells->cells[cells->first + place].weight -= weight;
    *sum -= weight;
    return true;
}

static int64_t step_of(const struct rule_window *window, int64_t ts_ms)
{
    return ts_ms - ts_ms % window->step_ms;
}

/* A step that the window holds only in part counts not at all. */
static bool add_older(struct rule_window *window,
                      int64_t oldest_ms,
                      int64_t ts_ms,
                      int64_t weight)
{
    int64_t step_ms = step_of(window, ts_ms);

    if (step_ms < oldest_ms) {
        return true;
    }
    window->sum += weight;
    return add_cell(&window->older, step_ms, weight);
}

static bool add_weight(struct rule_window *window,
                       int64_t oldest_ms,
                       int64_t ts_ms,
                       int64_t weight)
{
    struct rule_window_cells *recent = &window->recent;
    struct rule_window_cell first;

    if (recent->count > 0 && ts_ms < recent->cells[recent->first].ts_ms &&
        (recent->count >= RULE_WINDOW_RECENT || window->older.count > 0)) {
        return add_older(window, oldest_ms, ts_ms, weight);
    }
    if (!add_cell(recent, ts_ms, weight)) {
        return false;
    }
    window->sum += weight;
    if (recent->count <= RULE_WINDOW_RECENT) {
        return true;
    }
    first = recent->cells[recent->first++];
    recent->count--;
    window->sum -= first.weight;
    return add_older(window, oldest_ms, first.ts_ms, first.weight);
}

/* --- windows
 * ------------------------------------------------------------------------ */

void rule_window_init(struct rule_window *window,
                      int64_t length_ms,
                      bool is_of_visitors)
{
    memset(window, 0, sizeof(*window));
    window->step_ms = (length_ms + RULE_WINDOW_STEPS - 1) / RULE_WINDOW_STEPS;
    window->step_ms = window->step_ms < 1 ? 1 : window->step_ms;
    window->is_of_visitors = is_of_visitors;
}

void rule_window_deinit(struct rule_window *window)
{
    free_crowd(window->crowd);
    free(window->recent.cells);
    free(window->older.cells);
    memset(window, 0, sizeof(*window));
}

int64_t rule_window_value(const struct rule_window *window)
{
    if (window->is_of_visitors) {
        return window->crowd == NULL ? 0 : window->crowd->count;
    }
    return window->sum;
}

bool rule_window_is_empty(const struct rule_window *window)
{
    return window->recent.count == 0 && window->older.count == 0 &&
           (window->crowd == NULL || window->crowd->count == 0);
}

void rule_window_move(struct rule_window *window, int64_t oldest_ms)
{
    struct rule_window_crowd *crowd = window->crowd;

    while (crowd != NULL && crowd->count > 0 &&
           crowd->heap[0].ts_ms < oldest_ms) {
        remove_person(crowd, 0);
    }
    window->sum -= let_go(&window->older, oldest_ms);
    window->sum -= let_go(&window->recent, oldest_ms);
}

bool rule_window_add(struct rule_window *window,
                     int64_t oldest_ms,
                     int64_t ts_ms,
                     int64_t weight,
                     int64_t visitor)
{
    if (ts_ms < oldest_ms) {
        return true;
    }
    return window->is_of_visitors
               ? add_person(window, ts_ms, visitor)
               : add_weight(window, oldest_ms, ts_ms, weight);
}

void rule_window_take_out(struct rule_window *window,
                          int64_t ts_ms,
                          int64_t weight,
                          int64_t visitor)
{
    struct rule_window_crowd *crowd = window->crowd;

    if (crowd != NULL && crowd->count > 0) {
        uint32_t slot = find_slot(crowd, visitor);

        if (crowd->slots[slot] != 0 &&
            crowd->heap[crowd->slots[slot] - 1].ts_ms == ts_ms) {
            remove_person(crowd, crowd->slots[slot] - 1);
        }
    }
    if (!window->is_of_visitors &&
        !take_cell(&window->recent, ts_ms, weight, &window->sum)) {
        (void)take_cell(&window->older, step_of(window, ts_ms), weight,
                        &window->sum);
    }
}

bool rule_window_clamp(struct rule_window *window, int64_t now_ms)
{
    int64_t ahead;

    if (window->crowd != NULL) {
        clamp_crowd(window->crowd, now_ms);
    }
    ahead = cut_after(&window->recent, now_ms);
    ahead += cut_after(&window->older, now_ms);
    window->sum -= ahead;
    return ahead == 0 || add_weight(window, INT64_MIN, now_ms, ahead);
}
