/* decide.c - what depends on a visitor's last half hour. */
#include "ingest/decide.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/decide_pairs.h"

#define TAPS 6 /* links of a visitor whose last counted click is kept */
#define TEXTS DECIDE_PAIRS_TEXTS
#define NUMBERS DECIDE_PAIRS_NUMBERS

static const enum entry_dict numbers[NUMBERS] = {
    ENTRY_DICT_SOURCE, ENTRY_DICT_CHANNEL, ENTRY_DICT_UTM_SOURCE,
    ENTRY_DICT_UTM_MEDIUM, ENTRY_DICT_UTM_CAMPAIGN};
static const enum entry_text texts[TEXTS] = {
    ENTRY_TEXT_REFERRER, ENTRY_TEXT_UTM_TERM, ENTRY_TEXT_UTM_CONTENT,
    ENTRY_TEXT_CLICK_ID};

struct decide {
    struct decide_pairs *pairs; /* owned */
    int64_t double_tap_ms;
    struct decide_attribution given;
};

struct decide *decide_new(int64_t double_tap_window_ms)
{
    struct decide *decide = calloc(1, sizeof(*decide));

    if (decide == NULL) {
        return NULL;
    }
    decide->double_tap_ms = double_tap_window_ms;
    decide->pairs = decide_pairs_new(DECIDE_PAIRS);
    if (decide->pairs == NULL) {
        free(decide);
        return NULL;
    }
    return decide;
}

void decide_free(struct decide *decide)
{
    if (decide != NULL) {
        decide_pairs_free(decide->pairs);
        free(decide);
    }
}

void decide_set_double_tap(struct decide *decide, int64_t window_ms)
{
    decide->double_tap_ms = window_ms;
}

static int64_t distance(int64_t a, int64_t b)
{
    return a < b ? b - a : a - b;
}

static bool is_same_text(const char *a, const char *b)
{
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

/* What was received longer ago than the window is forgotten. */
static bool is_recent(const struct entry *entry, int64_t received_ms)
{
    return entry->received_at_ms - received_ms <= DECIDE_WINDOW_MS;
}

/* The pair, unless it was touched too long ago. */
static const struct decide_pair *recall(const struct decide *decide,
                                        const struct entry *entry)
{
    const struct decide_pair *pair = decide_pairs_find(decide->pairs, entry);

    return pair != NULL && is_recent(entry, pair->state.received_ms) ? pair
                                                                     : NULL;
}

static bool is_double_tap(const struct decide *decide,
                          const struct decide_pair *pair,
                          const struct entry *entry)
{
    const struct decide_kept *kept = pair->state.kept;

    if (entry->type != ENTRY_CLICK || kept == NULL) {
        return false;
    }
    for (size_t i = 0; i < kept->tap_count; i++) {
        const struct decide_tap *tap = &kept->taps[i];

        if (is_recent(entry, tap->received_ms) &&
            tap->link == entry->dict[ENTRY_DICT_LINK] &&
            distance(tap->ts_ms, entry->ts_at_ms) < decide->double_tap_ms) {
            return true;
        }
    }
    return false;
}

/* Whether source or utm_* differ from the visit's. */
static bool is_other_campaign(const struct decide_pair *pair,
                              const struct entry *entry)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        if (numbers[i] != ENTRY_DICT_CHANNEL &&
            pair->state.dict[i] != entry->dict[numbers[i]]) {
            return true;
        }
    }
    return !is_same_text(decide_pairs_text(pair->state.kept, 1),
                         entry->text[ENTRY_TEXT_UTM_TERM]) ||
           !is_same_text(decide_pairs_text(pair->state.kept, 2),
                         entry->text[ENTRY_TEXT_UTM_CONTENT]);
}

/* Whether the pair's latest event is near enough to be of one visit. */
static bool is_near(const struct decide_pair *pair, const struct entry *entry)
{
    return is_recent(entry, pair->state.last_received_ms) &&
           distance(pair->state.last_ts_ms, entry->ts_at_ms) <=
               DECIDE_WINDOW_MS;
}

bool decide_has_visit(const struct decide *decide, const struct entry *entry)
{
    const struct decide_pair *pair =
        entry->visitor == 0 ? NULL : recall(decide, entry);

    return pair != NULL && is_near(pair, entry);
}

void decide_event(struct decide *decide,
                  struct entry *entry,
                  enum decide_own own,
                  const struct decide_attribution **from_out)
{
    const struct decide_pair *pair =
        entry->visitor == 0 ? NULL : recall(decide, entry);
    bool is_same_visit;
    bool is_repeat;

    *from_out = NULL;
    entry->is_double_tap = false;
    entry->is_orphan = false;
    entry->is_visit_start = false;
    if (entry->visitor == 0) {
        return;
    }
    entry->is_orphan = entry->type == ENTRY_CLICK;
    entry->is_visit_start = true;
    if (pair == NULL) {
        return;
    }
    if (entry->is_orphan && pair->state.has_view &&
        is_recent(entry, pair->state.view_received_ms)) {
        int64_t since_ms = entry->ts_at_ms - pair->state.last_view_ms;

        entry->is_orphan = since_ms < 0 || since_ms > DECIDE_WINDOW_MS;
    }
    entry->is_double_tap = is_double_tap(decide, pair, entry);
    is_same_visit = is_near(pair, entry);
    is_repeat = own == DECIDE_OWN_REFERRER &&
                is_same_text(decide_pairs_text(pair->state.kept, 0),
                             entry->text[ENTRY_TEXT_REFERRER]);
    if (is_same_visit && entry->traffic == ENTRY_HUMAN &&
        (own == DECIDE_OWN_NOTHING || is_repeat)) {
        for (size_t i = 0; i < NUMBERS; i++) {
            decide->given.dict[i] = pair->state.dict[i];
        }
        for (size_t i = 0; i < TEXTS; i++) {
            decide->given.text[i] = decide_pairs_text(pair->state.kept, i);
        }
        *from_out = &decide->given;
        entry->is_visit_start = false;
    } else {
        entry->is_visit_start =
            !is_same_visit || is_other_campaign(pair, entry);
    }
}

/* --- what is remembered ------------------------------------------------------
 */

/* A pair's taps and texts as they shall be. */
struct draft {
    bool is_changed;
    size_t tap_count;
    struct decide_tap taps[TAPS];
    const char *text[TEXTS];
};

static void draft_tap(struct draft *draft, const struct entry *entry)
{
    struct decide_tap *oldest = &draft->taps[0];
    struct decide_tap *place = NULL;

    for (size_t i = 0; i < draft->tap_count && place == NULL; i++) {
        struct decide_tap *tap = &draft->taps[i];

        place = tap->link == entry->dict[ENTRY_DICT_LINK] ? tap : NULL;
        oldest = tap->ts_ms < oldest->ts_ms ? tap : oldest;
    }
    if (place == NULL && draft->tap_count < TAPS) {
        place = &draft->taps[draft->tap_count++];
        place->ts_ms = INT64_MIN;
    }
    place = place == NULL ? oldest : place;
    if (entry->ts_at_ms >= place->ts_ms ||
        !is_recent(entry, place->received_ms)) {
        *place = (struct decide_tap){entry->dict[ENTRY_DICT_LINK],
                                     entry->ts_at_ms, entry->received_at_ms};
        draft->is_changed = true;
    }
}

static void draft_texts(struct draft *draft, const struct entry *entry)
{
    for (size_t i = 0; i < TEXTS; i++) {
        const char *text = entry->text[texts[i]];

        if (!is_same_text(draft->text[i], text)) {
            draft->is_changed = true;
        }
        draft->text[i] = text;
    }
}

/* NULL without taps and texts, or when out of memory. */
static struct decide_kept *make_kept(const struct draft *draft,
                                     bool *is_full_out)
{
    size_t len[TEXTS];
    size_t text_bytes = 0;
    struct decide_kept *kept;
    char *at;

    for (size_t i = 0; i < TEXTS; i++) {
        len[i] = draft->text[i] == NULL ? 0 : strlen(draft->text[i]);
        text_bytes += len[i] + 1;
    }
    if (text_bytes == TEXTS || text_bytes > UINT16_MAX) {
        text_bytes = 0;
    }
    if (text_bytes == 0 && draft->tap_count == 0) {
        return NULL;
    }
    kept = malloc(sizeof(*kept) + draft->tap_count * sizeof(struct decide_tap) +
                  text_bytes);
    if (kept == NULL) {
        *is_full_out = true;
        return NULL;
    }
    kept->text_bytes = (uint16_t)text_bytes;
    kept->tap_count = (uint16_t)draft->tap_count;
    memcpy(kept->taps, draft->taps,
           draft->tap_count * sizeof(struct decide_tap));
    at = (char *)&kept->taps[kept->tap_count];
    for (size_t i = 0; i < TEXTS && text_bytes > 0; i++) {
        memcpy(at, draft->text[i] == NULL ? "" : draft->text[i], len[i] + 1);
        at += len[i] + 1;
    }
    return kept;
}

static enum lb_err keep(struct decide *decide,
                        struct decide_pair *pair,
                        const struct entry *entry,
                        bool is_latest,
                        bool is_blank)
{
    const struct decide_kept *old = pair->state.kept;
    struct draft draft = {.is_changed = false};
    bool is_full = false;
    struct decide_kept *kept;

    if (old != NULL) {
        draft.is_changed = is_blank && old->tap_count > 0;
        draft.tap_count = is_blank ? 0 : old->tap_count;
        memcpy(draft.taps, old->taps,
               draft.tap_count * sizeof(struct decide_tap));
        for (size_t i = 0; i < TEXTS; i++) {
            draft.text[i] = decide_pairs_text(old, i);
        }
    }
    if (entry->type == ENTRY_CLICK && !entry->is_double_tap) {
        draft_tap(&draft, entry);
    }
    if (is_latest) {
        draft_texts(&draft, entry);
    }
    if (!draft.is_changed) {
        return LB_OK;
    }
    kept = make_kept(&draft, &is_full);
    return is_full ? LB_ENOMEM
                   : decide_pairs_replace(decide->pairs, pair, kept);
}

enum lb_err decide_remember(struct decide *decide, const struct entry *entry)
{
    struct decide_pair *pair;
    struct decide_state *state;
    bool is_blank;
    bool is_latest;

    if (entry->visitor == 0) {
        return LB_OK;
    }
    pair = decide_pairs_open(decide->pairs, entry);
    if (pair == NULL) {
        return LB_ENOMEM;
    }
    state = &pair->state;
    is_blank = !is_recent(entry, state->received_ms);
    if (is_blank) {
        state->has_view = false;
        state->last_ts_ms = INT64_MIN / 4;
    }
    state->received_ms = entry->received_at_ms;
    if (entry->type == ENTRY_VIEW &&
        (!state->has_view || !is_recent(entry, state->view_received_ms) ||
         entry->ts_at_ms >= state->last_view_ms)) {
        state->has_view = true;
        state->last_view_ms = entry->ts_at_ms;
        state->view_received_ms = entry->received_at_ms;
    }
    is_latest = entry->ts_at_ms >= state->last_ts_ms ||
                !is_recent(entry, state->last_received_ms);
    if (is_latest) {
        state->last_ts_ms = entry->ts_at_ms;
        state->last_received_ms = entry->received_at_ms;
        for (size_t i = 0; i < NUMBERS; i++) {
            /* The dictionary ends where its memory does, long before. */
            state->dict[i] = (uint32_t)entry->dict[numbers[i]];
        }
    }
    return keep(decide, pair, entry, is_latest, is_blank);
}

void decide_forget(struct decide *decide,
                   int64_t site,
                   int64_t day,
                   int64_t visitor)
{
    decide_pairs_forget(decide->pairs, site, day, visitor);
}

void decide_expect(const struct decide *decide, const struct entry *entry)
{
    decide_pairs_expect(decide->pairs, entry);
}

void decide_expect_pair(const struct decide *decide, const struct entry *entry)
{
    decide_pairs_expect_pair(decide->pairs, entry);
}

void decide_commit(struct decide *decide)
{
    decide_pairs_commit(decide->pairs);
}

void decide_rollback(struct decide *decide)
{
    decide_pairs_rollback(decide->pairs);
}

size_t decide_count(const struct decide *decide)
{
    return decide_pairs_count(decide->pairs);
}
