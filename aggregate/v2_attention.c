/* v2_attention.c - how far and how long pages were read. */
#include "aggregate/v2_attention.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* What a cell is about: its numbers' meaning. */
enum cell_kind {
    CELL_FREE,
    CELL_VIEW, /* visit, page: the row of its latest view */
    CELL_SEEN, /* row, visit */
    CELL_DEPTH /* row, day, visitor: the greatest depth */
};

struct cell {
    enum cell_kind kind;
    uint64_t a;
    uint64_t b;
    uint64_t c;
    int64_t value;
};

struct v2_attention {
    struct cell *cells; /* owned; open addressing */
    size_t cell_cap;
    size_t cell_count;
    struct v2_attention_sums *sums; /* owned; by row */
    size_t row_cap;
};

struct v2_attention *v2_attention_new(void)
{
    return calloc(1, sizeof(struct v2_attention));
}

void v2_attention_free(struct v2_attention *attention)
{
    if (attention != NULL) {
        free(attention->cells);
        free(attention->sums);
        free(attention);
    }
}

static struct cell *find_cell(const struct v2_attention *attention,
                              const struct cell *who)
{
    uint64_t hash = who->a * UINT64_C(0x9e3779b97f4a7c15) ^
                    who->b * UINT64_C(0xc2b2ae3d27d4eb4f) ^
                    who->c * UINT64_C(0xff51afd7ed558ccd) ^
                    (uint64_t)who->kind * UINT64_C(0x165667b19e3779f9);
    size_t at = (size_t)(hash ^ hash >> 31) & (attention->cell_cap - 1);

    while (attention->cells[at].kind != CELL_FREE &&
           (attention->cells[at].kind != who->kind ||
            attention->cells[at].a != who->a ||
            attention->cells[at].b != who->b ||
            attention->cells[at].c != who->c)) {
        at = (at + 1) & (attention->cell_cap - 1);
    }
    return &attention->cells[at];
}

static enum lb_err grow(struct v2_attention *attention)
{
    struct cell *old = attention->cells;
    size_t old_cap = attention->cell_cap;
    size_t cap = old_cap == 0 ? 256 : old_cap * 2;
    struct cell *cells = calloc(cap, sizeof(*cells));

    if (cells == NULL) {
        return LB_ENOMEM;
    }
    attention->cells = cells;
    attention->cell_cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i].kind != CELL_FREE) {
            *find_cell(attention, &old[i]) = old[i];
        }
    }
    free(old);
    return LB_OK;
}

/* The cell of who, made when it is new; NULL: out of memory. */
static struct cell *take_cell(struct v2_attention *attention,
                              const struct cell *who,
                              bool *is_new_out)
{
    struct cell *cell;

    if (attention->cell_count * 4 >= attention->cell_cap * 3 &&
        grow(attention) != LB_OK) {
        return NULL;
    }
    cell = find_cell(attention, who);
    *is_new_out = cell->kind == CELL_FREE;
    if (*is_new_out) {
        *cell = *who;
        attention->cell_count++;
    }
    return cell;
}

static struct v2_attention_sums *take_sums(struct v2_attention *attention,
                                           size_t row)
{
    if (row >= attention->row_cap) {
        size_t cap = attention->row_cap == 0 ? 64 : attention->row_cap * 2;
        struct v2_attention_sums *sums;

        cap = cap > row ? cap : row + 1;
        sums = realloc(attention->sums, cap * sizeof(*sums));
        if (sums == NULL) {
            return NULL;
        }
        memset(sums + attention->row_cap, 0,
               (cap - attention->row_cap) * sizeof(*sums));
        attention->sums = sums;
        attention->row_cap = cap;
    }
    return &attention->sums[row];
}

static uint64_t page_number(const char *page)
{
    static const uint8_t key[LB_HASH_KEY_BYTES] = {4};

    return page == NULL ? 0 : lb_hash_sip(key, page, strlen(page));
}

static enum lb_err
see(struct v2_attention *attention, size_t row, uint32_t visit)
{
    const struct cell who = {.kind = CELL_SEEN, .a = row, .b = visit};
    struct v2_attention_sums *sums = take_sums(attention, row);
    bool is_new = false;

    if (sums == NULL || take_cell(attention, &who, &is_new) == NULL) {
        return LB_ENOMEM;
    }
    sums->visits += is_new ? 1 : 0;
    return LB_OK;
}

enum lb_err v2_attention_view(struct v2_attention *attention,
                              uint32_t visit,
                              const char *page,
                              size_t row)
{
    const struct cell who = {
        .kind = CELL_VIEW, .a = visit, .b = page_number(page)};
    struct cell *cell;
    bool is_new = false;
    enum lb_err rc;

    if (visit == 0) {
        return LB_OK;
    }
    cell = take_cell(attention, &who, &is_new);
    if (cell == NULL) {
        return LB_ENOMEM;
    }
    cell->value = (int64_t)row;
    rc = see(attention, V2_ATTENTION_TOTAL, visit);
    return rc == LB_OK && row != V2_ATTENTION_TOTAL ? see(attention, row, visit)
                                                    : rc;
}

static enum lb_err add_to_row(struct v2_attention *attention,
                              size_t row,
                              const struct engagement *engagement)
{
    const struct cell who = {.kind = CELL_DEPTH,
                             .a = row,
                             .b = (uint64_t)engagement->visitor_day,
                             .c = (uint64_t)engagement->visitor};
    struct v2_attention_sums *sums = take_sums(attention, row);
    struct cell *cell;
    bool is_new = false;

    if (sums == NULL) {
        return LB_ENOMEM;
    }
    sums->attention_ms += engagement->attention_ms;
    sums->has_attention = true;
    if (engagement->scroll_depth == ENGAGEMENT_UNKNOWN) {
        return LB_OK;
    }
    cell = take_cell(attention, &who, &is_new);
    if (cell == NULL) {
        return LB_ENOMEM;
    }
    sums->depth_visitors += is_new ? 1 : 0;
    if (engagement->scroll_depth > cell->value) {
        sums->depth_sum += engagement->scroll_depth - cell->value;
        cell->value = engagement->scroll_depth;
    }
    return LB_OK;
}

enum lb_err v2_attention_add(struct v2_attention *attention,
                             uint32_t visit,
                             const struct engagement *engagement)
{
    const struct cell who = {
        .kind = CELL_VIEW, .a = visit, .b = page_number(engagement->page)};
    const struct cell *view =
        attention->cell_cap == 0 ? NULL : find_cell(attention, &who);
    size_t row;
    enum lb_err rc;

    if (visit == 0 || view == NULL || view->kind == CELL_FREE) {
        return LB_OK;
    }
    row = (size_t)view->value;
    rc = add_to_row(attention, V2_ATTENTION_TOTAL, engagement);
    return rc == LB_OK && row != V2_ATTENTION_TOTAL
               ? add_to_row(attention, row, engagement)
               : rc;
}

struct v2_attention_sums v2_attention_of(const struct v2_attention *attention,
                                         size_t row)
{
    return row < attention->row_cap ? attention->sums[row]
                                    : (struct v2_attention_sums){0};
}
