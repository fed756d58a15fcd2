/* visits.c - counting visits off. */
#include "aggregate/visits.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"

#define TEXTS_BYTES ((size_t)512 * 1024 * 1024)

/* A visitor's events of one kind, human or not. */
struct pair {
    int64_t site;
    int64_t day;
    int64_t visitor; /* 0: free */
    bool is_human;
    uint32_t first;
    uint32_t current; /* 0: none yet */
};

struct visits {
    enum visits_kind kind;
    bool is_again;
    uint32_t count;
    struct pair *pairs; /* owned; open addressing */
    size_t pair_cap;
    size_t pair_count;
    struct visit *list;        /* owned; by number - 1 */
    struct visit_pages *pages; /* owned; likewise */
    size_t list_cap;
    struct lb_arena *arena; /* owned; pages and hosts, each once */
    const char **texts;     /* owned; open addressing */
    size_t text_cap;
    size_t text_count;
};

struct visits *visits_new(enum visits_kind kind)
{
    struct visits *visits = calloc(1, sizeof(*visits));

    if (visits == NULL) {
        return NULL;
    }
    visits->kind = kind;
    visits->arena = lb_arena_new(TEXTS_BYTES);
    if (visits->arena == NULL) {
        free(visits);
        return NULL;
    }
    return visits;
}

void visits_free(struct visits *visits)
{
    if (visits != NULL) {
        lb_arena_free(visits->arena);
        free(visits->texts);
        free(visits->pairs);
        free(visits->list);
        free(visits->pages);
        free(visits);
    }
}

size_t visits_bytes(const struct visits *visits)
{
    return sizeof(*visits) + lb_arena_bytes(visits->arena) +
           visits->pair_cap * sizeof(*visits->pairs) +
           visits->list_cap *
               (sizeof(*visits->list) +
                (visits->pages == NULL ? 0 : sizeof(*visits->pages))) +
           visits->text_cap * sizeof(*visits->texts);
}

/* --- pages and hosts ------------------------------------------------------ */

static const char **text_slot(const struct visits *visits, const char *text)
{
    static const uint8_t key[LB_HASH_KEY_BYTES] = {3};
    size_t at =
        (size_t)lb_hash_sip(key, text, strlen(text)) & (visits->text_cap - 1);

    while (visits->texts[at] != NULL && strcmp(visits->texts[at], text) != 0) {
        at = (at + 1) & (visits->text_cap - 1);
    }
    return &visits->texts[at];
}

static enum lb_err grow_texts(struct visits *visits)
{
    const char **old = visits->texts;
    size_t old_cap = visits->text_cap;
    size_t cap = old_cap == 0 ? 64 : old_cap * 2;
    const char **texts = calloc(cap, sizeof(*texts));

    if (texts == NULL) {
        return LB_ENOMEM;
    }
    visits->texts = texts;
    visits->text_cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i] != NULL) {
            *text_slot(visits, old[i]) = old[i];
        }
    }
    free(old);
    return LB_OK;
}

static enum lb_err
keep_text(struct visits *visits, const char *text, const char **kept_out)
{
    const char **slot;

    *kept_out = NULL;
    if (text == NULL) {
        return LB_OK;
    }
    if (visits->text_count * 2 >= visits->text_cap &&
        grow_texts(visits) != LB_OK) {
        return LB_ENOMEM;
    }
    slot = text_slot(visits, text);
    if (*slot == NULL) {
        *slot = lb_arena_text(visits->arena, text, strlen(text));
        if (*slot == NULL) {
            return LB_ENOMEM;
        }
        visits->text_count++;
    }
    *kept_out = *slot;
    return LB_OK;
}

/* --- pairs ---------------------------------------------------------------- */

static struct pair *find_pair(const struct visits *visits,
                              const struct pair *who)
{
    uint64_t hash = (uint64_t)who->visitor * UINT64_C(0x9e3779b97f4a7c15) ^
                    (uint64_t)who->day * UINT64_C(0xc2b2ae3d27d4eb4f) ^
                    (uint64_t)who->site * UINT64_C(0xff51afd7ed558ccd) ^
                    (who->is_human ? 1u : 0u);
    size_t at = (size_t)(hash ^ hash >> 31) & (visits->pair_cap - 1);

    while (visits->pairs[at].visitor != 0 &&
           (visits->pairs[at].visitor != who->visitor ||
            visits->pairs[at].day != who->day ||
            visits->pairs[at].site != who->site ||
            visits->pairs[at].is_human != who->is_human)) {
        at = (at + 1) & (visits->pair_cap - 1);
    }
    return &visits->pairs[at];
}

static enum lb_err grow_pairs(struct visits *visits)
{
    struct pair *old = visits->pairs;
    size_t old_cap = visits->pair_cap;
    size_t cap = old_cap == 0 ? 64 : old_cap * 2;
    struct pair *pairs = calloc(cap, sizeof(*pairs));

    if (pairs == NULL) {
        return LB_ENOMEM;
    }
    visits->pairs = pairs;
    visits->pair_cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i].visitor != 0) {
            *find_pair(visits, &old[i]) = old[i];
        }
    }
    free(old);
    return LB_OK;
}

/* --- visits --------------------------------------------------------------- */

static enum lb_err grow_list(struct visits *visits)
{
    size_t cap = visits->list_cap == 0 ? 64 : visits->list_cap * 2;
    struct visit *list = realloc(visits->list, cap * sizeof(*list));
    struct visit_pages *pages = NULL;

    if (list == NULL) {
        return LB_ENOMEM;
    }
    visits->list = list;
    if (visits->kind == VISITS_PAGED) {
        pages = realloc(visits->pages, cap * sizeof(*pages));
        if (pages == NULL) {
            return LB_ENOMEM;
        }
        visits->pages = pages;
    }
    visits->list_cap = cap;
    return LB_OK;
}

static enum lb_err add_visit(struct visits *visits, uint32_t *number_out)
{
    if (visits->count >= VISITS_MAX) {
        return LB_ELIMIT;
    }
    if (visits->kind != VISITS_NUMBERED && visits->count == visits->list_cap &&
        grow_list(visits) != LB_OK) {
        return LB_ENOMEM;
    }
    if (visits->kind != VISITS_NUMBERED) {
        visits->list[visits->count] =
            (struct visit){.first_ms = INT64_MAX, .last_ms = INT64_MIN};
    }
    if (visits->kind == VISITS_PAGED) {
        visits->pages[visits->count] = (struct visit_pages){
            .first_view_ms = INT64_MAX, .last_view_ms = INT64_MIN};
    }
    *number_out = ++visits->count;
    return LB_OK;
}

static enum lb_err note_pages(struct visits *visits,
                              struct visit_pages *pages,
                              const struct entry *entry)
{
    const char *page = entry->text[ENTRY_TEXT_PAGE];
    const char *host = entry->text[ENTRY_TEXT_HOST];
    enum lb_err rc = LB_OK;

    if (entry->ts_at_ms < pages->first_view_ms) {
        pages->first_view_ms = entry->ts_at_ms;
        rc = keep_text(visits, page, &pages->entry_page);
        rc = rc == LB_OK ? keep_text(visits, host, &pages->entry_host) : rc;
    }
    if (rc == LB_OK && entry->ts_at_ms >= pages->last_view_ms) {
        pages->last_view_ms = entry->ts_at_ms;
        rc = keep_text(visits, page, &pages->exit_page);
        rc = rc == LB_OK ? keep_text(visits, host, &pages->exit_host) : rc;
    }
    return rc;
}

static void count_up(uint16_t *count, bool is_counted)
{
    *count =
        is_counted && *count < UINT16_MAX ? (uint16_t)(*count + 1) : *count;
}

static enum lb_err
note(struct visits *visits, uint32_t number, const struct entry *entry)
{
    struct visit *visit = visits_at(visits, number);

    if (entry->ts_at_ms < visit->first_ms) {
        visit->first_ms = entry->ts_at_ms;
    }
    if (entry->ts_at_ms > visit->last_ms) {
        visit->last_ms = entry->ts_at_ms;
    }
    if (entry->type != ENTRY_VIEW) {
        count_up(&visit->other_acts, !entry->is_passive);
        return LB_OK;
    }
    count_up(&visit->views, true);
    count_up(&visit->acts, !entry->is_passive);
    return visits->kind == VISITS_PAGED
               ? note_pages(visits, &visits->pages[number - 1], entry)
               : LB_OK;
}

/* The pair's next visit: a new one, or that of the first time round. */
static enum lb_err move_on(struct visits *visits, struct pair *pair)
{
    uint32_t number = 0;
    enum lb_err rc;

    if (visits->is_again) {
        pair->current = pair->current == 0
                            ? pair->first
                            : visits_at(visits, pair->current)->next;
        return LB_OK;
    }
    rc = add_visit(visits, &number);
    if (rc != LB_OK) {
        return rc;
    }
    if (pair->current == 0) {
        pair->first = number;
    } else if (visits->kind != VISITS_NUMBERED) {
        visits_at(visits, pair->current)->next = number;
    }
    pair->current = number;
    return LB_OK;
}

enum lb_err visits_enter(struct visits *visits,
                         const struct entry *entry,
                         uint32_t *number_out)
{
    const struct pair who = {.site = entry->site,
                             .day = entry->visitor_day,
                             .visitor = entry->visitor,
                             .is_human = entry->traffic == ENTRY_HUMAN};
    struct pair *pair;
    enum lb_err rc = LB_OK;

    *number_out = 0;
    if (entry->visitor == 0) {
        return LB_OK;
    }
    if (visits->pair_count * 4 >= visits->pair_cap * 3 &&
        grow_pairs(visits) != LB_OK) {
        return LB_ENOMEM;
    }
    pair = find_pair(visits, &who);
    if (pair->visitor == 0) {
        *pair = who;
        visits->pair_count++;
    }
    if (pair->current == 0 || entry->is_visit_start) {
        rc = move_on(visits, pair);
    }
    *number_out = pair->current;
    return rc == LB_OK && visits->kind != VISITS_NUMBERED && !visits->is_again
               ? note(visits, pair->current, entry)
               : rc;
}

void visits_rewind(struct visits *visits)
{
    visits->is_again = true;
    for (size_t i = 0; i < visits->pair_cap; i++) {
        visits->pairs[i].current = 0;
    }
}

uint32_t visits_current(const struct visits *visits,
                        int64_t site,
                        int64_t day,
                        int64_t visitor)
{
    const struct pair who = {
        .site = site, .day = day, .visitor = visitor, .is_human = true};

    return visits->pair_cap == 0 ? 0 : find_pair(visits, &who)->current;
}

struct visit *visits_at(struct visits *visits, uint32_t number)
{
    return &visits->list[number - 1];
}

const struct visit_pages *visits_pages_at(const struct visits *visits,
                                          uint32_t number)
{
    return visits->pages == NULL ? NULL : &visits->pages[number - 1];
}

bool visits_is_bounce(const struct visit *visit)
{
    return visit->views > 0 && visit->acts <= 1 && visit->other_acts == 0;
}
