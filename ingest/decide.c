/* decide.c - the memory of visitors' last half hour. */
#include "ingest/decide.h"

#include <stdlib.h>
#include <string.h>

#define BUCKET_COUNT 131072 /* a power of two above DECIDE_PAIRS */
#define TAPS 6 /* links of a visitor whose last counted click is kept */
#define TEXTS 4
#define NUMBERS 5

static const enum entry_dict numbers[NUMBERS] = {
    ENTRY_DICT_SOURCE, ENTRY_DICT_CHANNEL, ENTRY_DICT_UTM_SOURCE,
    ENTRY_DICT_UTM_MEDIUM, ENTRY_DICT_UTM_CAMPAIGN};
static const enum entry_text texts[TEXTS] = {
    ENTRY_TEXT_REFERRER, ENTRY_TEXT_UTM_TERM, ENTRY_TEXT_UTM_CONTENT,
    ENTRY_TEXT_CLICK_ID};

struct tap {
    int64_t link;
    int64_t ts_ms;
    int64_t received_ms;
};

struct pair_state {
    int64_t received_ms; /* when last touched */
    int64_t touched_seq;
    int64_t last_ts_ms;
    int64_t last_received_ms; /* of the event at last_ts_ms */
    int64_t last_view_ms;
    int64_t view_received_ms;
    bool has_view;
    struct tap taps[TAPS];
    int64_t dict[NUMBERS];
    char *blob;         /* owned; the texts; NULL: none */
    uint16_t at[TEXTS]; /* in blob, plus 1; 0: none */
};

struct pair {
    struct pair *next;
    int64_t site;
    int64_t day;
    int64_t visitor;
    bool is_human;
    bool is_new;     /* made by this transaction */
    bool is_touched; /* stands in the journal */
    struct pair_state state;
};

struct journal {
    struct pair *pair;
    struct pair_state before;
};

/* Touches in order; one that is not the pair's last is stale. */
struct touch {
    struct pair *pair;
    int64_t seq;
};

struct decide {
    struct pair *buckets[BUCKET_COUNT]; /* owned */
    size_t count;
    int64_t double_tap_ms;
    struct journal *journal; /* owned */
    size_t journal_count;
    size_t journal_cap;
    struct touch *touches; /* owned ring */
    size_t touch_first;
    size_t touch_count;
    size_t touch_cap; /* a power of two */
    char **garbage;   /* owned; blobs that this transaction replaced */
    size_t garbage_count;
    size_t garbage_cap;
    struct decide_attribution given;
};

struct decide *decide_new(int64_t double_tap_window_ms)
{
    struct decide *decide = calloc(1, sizeof(*decide));

    if (decide != NULL) {
        decide->double_tap_ms = double_tap_window_ms;
    }
    return decide;
}

void decide_set_double_tap(struct decide *decide, int64_t window_ms)
{
    decide->double_tap_ms = window_ms;
}

static void free_pair(struct pair *pair)
{
    free(pair->state.blob);
    free(pair);
}

static void clear_garbage(struct decide *decide)
{
    for (size_t i = 0; i < decide->garbage_count; i++) {
        free(decide->garbage[i]);
    }
    decide->garbage_count = 0;
}

void decide_free(struct decide *decide)
{
    if (decide == NULL) {
        return;
    }
    decide_commit(decide);
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        while (decide->buckets[i] != NULL) {
            struct pair *pair = decide->buckets[i];

            decide->buckets[i] = pair->next;
            free_pair(pair);
        }
    }
    free(decide->journal);
    free(decide->touches);
    free(decide->garbage);
    free(decide);
}

static struct pair **bucket_of(struct decide *decide,
                               int64_t site,
                               int64_t day,
                               int64_t visitor,
                               bool is_human)
{
    uint64_t hash = (uint64_t)site * UINT64_C(0x9e3779b97f4a7c15) ^
                    (uint64_t)day * UINT64_C(0xc2b2ae3d27d4eb4f) ^
                    (uint64_t)visitor * UINT64_C(0x165667b19e3779f9);

    hash ^= hash >> 29;
    return &decide
                ->buckets[(hash * 2 + (is_human ? 1 : 0)) & (BUCKET_COUNT - 1)];
}

static struct pair *find(struct decide *decide, const struct entry *entry)
{
    bool is_human = entry->traffic == ENTRY_HUMAN;
    struct pair *pair = *bucket_of(decide, entry->site, entry->visitor_day,
                                   entry->visitor, is_human);

    while (pair != NULL &&
           (pair->visitor != entry->visitor || pair->site != entry->site ||
            pair->day != entry->visitor_day || pair->is_human != is_human)) {
        pair = pair->next;
    }
    return pair;
}

static int64_t distance(int64_t a, int64_t b)
{
    return a < b ? b - a : a - b;
}

/* The pair, unless it was touched too long ago. */
static struct pair *recall(struct decide *decide, const struct entry *entry)
{
    struct pair *pair = find(decide, entry);

    return pair != NULL && entry->received_at_ms - pair->state.received_ms <=
                               DECIDE_WINDOW_MS
               ? pair
               : NULL;
}

static const char *text_of(const struct pair_state *state, size_t index)
{
    return state->at[index] == 0 ? NULL : state->blob + state->at[index] - 1;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* What was received longer ago than the window is forgotten. */
static bool is_recent(const struct entry *entry, int64_t received_ms)
{
    return entry->received_at_ms - received_ms <= DECIDE_WINDOW_MS;
}

static bool is_double_tap(const struct decide *decide,
                          const struct pair *pair,
                          const struct entry *entry)
{
    for (size_t i = 0; i < TAPS && entry->type == ENTRY_CLICK; i++) {
        const struct tap *tap = &pair->state.taps[i];

        if (tap->ts_ms != 0 && is_recent(entry, tap->received_ms) &&
            tap->link == entry->dict[ENTRY_DICT_LINK] &&
            distance(tap->ts_ms, entry->ts_at_ms) < decide->double_tap_ms) {
            return true;
        }
    }
    return false;
}

/* Whether source or utm_* differ from the visit's. */
static bool is_other_campaign(const struct pair *pair,
                              const struct entry *entry)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        if (numbers[i] != ENTRY_DICT_CHANNEL &&
            pair->state.dict[i] != entry->dict[numbers[i]]) {
            return true;
        }
    }
    return !is_same_text(text_of(&pair->state, 1),
                         entry->text[ENTRY_TEXT_UTM_TERM]) ||
           !is_same_text(text_of(&pair->state, 2),
                         entry->text[ENTRY_TEXT_UTM_CONTENT]);
}

void decide_event(struct decide *decide,
                  struct entry *entry,
                  enum decide_own own,
                  const struct decide_attribution **from_out)
{
    struct pair *pair = entry->visitor == 0 ? NULL : recall(decide, entry);
    bool is_near;
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
    is_near =
        is_recent(entry, pair->state.last_received_ms) &&
        distance(pair->state.last_ts_ms, entry->ts_at_ms) <= DECIDE_WINDOW_MS;
    is_repeat = own == DECIDE_OWN_REFERRER &&
                is_same_text(text_of(&pair->state, 0),
                             entry->text[ENTRY_TEXT_REFERRER]);
    if (is_near && entry->traffic == ENTRY_HUMAN &&
        (own == DECIDE_OWN_NOTHING || is_repeat)) {
        memcpy(decide->given.dict, pair->state.dict,
               sizeof(decide->given.dict));
        for (size_t i = 0; i < TEXTS; i++) {
            decide->given.text[i] = text_of(&pair->state, i);
        }
        *from_out = &decide->given;
        entry->is_visit_start = false;
    } else {
        entry->is_visit_start = !is_near || is_other_campaign(pair, entry);
    }
}

static void *grow(void *items, size_t *cap, size_t item_bytes)
{
    size_t more = *cap == 0 ? 1024 : *cap * 2;
    void *grown = realloc(items, more * item_bytes);

    *cap = grown == NULL ? *cap : more;
    return grown;
}

static enum lb_err
note_touch(struct decide *decide, struct pair *pair, int64_t seq)
{
    if (decide->touch_count == decide->touch_cap) {
        size_t cap = decide->touch_cap == 0 ? 4096 : decide->touch_cap * 2;
        struct touch *touches = calloc(cap, sizeof(*touches));

        if (touches == NULL) {
            return LB_ENOMEM;
        }
        for (size_t i = 0; i < decide->touch_count; i++) {
            touches[i] = decide->touches[(decide->touch_first + i) &
                                         (decide->touch_cap - 1)];
        }
        free(decide->touches);
        decide->touches = touches;
        decide->touch_first = 0;
        decide->touch_cap = cap;
    }
    decide->touches[(decide->touch_first + decide->touch_count++) &
                    (decide->touch_cap - 1)] = (struct touch){pair, seq};
    return LB_OK;
}

/* The pair with its state of before this transaction kept in the journal. */
static struct pair *open_pair(struct decide *decide, const struct entry *entry)
{
    struct pair *pair = find(decide, entry);

    if (pair != NULL && pair->is_touched) {
        return pair;
    }
    if (decide->journal_count == decide->journal_cap) {
        void *grown = grow(decide->journal, &decide->journal_cap,
                           sizeof(*decide->journal));

        if (grown == NULL) {
            return NULL;
        }
        decide->journal = grown;
    }
    if (pair == NULL) {
        struct pair **bucket =
            bucket_of(decide, entry->site, entry->visitor_day, entry->visitor,
                      entry->traffic == ENTRY_HUMAN);

        pair = calloc(1, sizeof(*pair));
        if (pair == NULL) {
            return NULL;
        }
        pair->site = entry->site;
        pair->day = entry->visitor_day;
        pair->visitor = entry->visitor;
        pair->is_human = entry->traffic == ENTRY_HUMAN;
        pair->is_new = true;
        pair->state.last_ts_ms = INT64_MIN / 4;
        pair->next = *bucket;
        *bucket = pair;
        decide->count++;
    }
    pair->is_touched = true;
    decide->journal[decide->journal_count++] =
        (struct journal){pair, pair->state};
    return pair;
}

static void keep_tap(struct pair_state *state, const struct entry *entry)
{
    struct tap *oldest = &state->taps[0];

    for (size_t i = 0; i < TAPS; i++) {
        struct tap *tap = &state->taps[i];

        if (tap->ts_ms != 0 && tap->link == entry->dict[ENTRY_DICT_LINK]) {
            oldest = tap;
            break;
        }
        oldest = tap->ts_ms < oldest->ts_ms ? tap : oldest;
    }
    if (entry->ts_at_ms >= oldest->ts_ms ||
        !is_recent(entry, oldest->received_ms)) {
        *oldest = (struct tap){entry->dict[ENTRY_DICT_LINK], entry->ts_at_ms,
                               entry->received_at_ms};
    }
}

static bool has_same_texts(const struct pair_state *state,
                           const struct entry *entry)
{
    for (size_t i = 0; i < TEXTS; i++) {
        if (!is_same_text(text_of(state, i), entry->text[texts[i]])) {
            return false;
        }
    }
    return true;
}

static enum lb_err keep_texts(struct decide *decide,
                              struct pair_state *state,
                              const struct entry *entry)
{
    size_t bytes = 0;
    char *blob = NULL;

    if (has_same_texts(state, entry)) {
        return LB_OK;
    }
    for (size_t i = 0; i < TEXTS; i++) {
        bytes += entry->text[texts[i]] == NULL
                     ? 0
                     : strlen(entry->text[texts[i]]) + 1;
    }
    if (decide->garbage_count == decide->garbage_cap) {
        void *grown =
            grow(decide->garbage, &decide->garbage_cap, sizeof(char *));

        if (grown == NULL) {
            return LB_ENOMEM;
        }
        decide->garbage = grown;
    }
    if (bytes > 0 && bytes < UINT16_MAX) {
        blob = malloc(bytes);
        if (blob == NULL) {
            return LB_ENOMEM;
        }
    }
    decide->garbage[decide->garbage_count++] = state->blob;
    state->blob = blob;
    bytes = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        const char *text = entry->text[texts[i]];

        state->at[i] = 0;
        if (text != NULL && blob != NULL) {
            memcpy(blob + bytes, text, strlen(text) + 1);
            state->at[i] = (uint16_t)(bytes + 1);
            bytes += strlen(text) + 1;
        }
    }
    return LB_OK;
}

enum lb_err decide_remember(struct decide *decide, const struct entry *entry)
{
    struct pair *pair;
    struct pair_state *state;
    enum lb_err rc = LB_OK;

    if (entry->visitor == 0) {
        return LB_OK;
    }
    pair = open_pair(decide, entry);
    if (pair == NULL || note_touch(decide, pair, entry->seq) != LB_OK) {
        return LB_ENOMEM;
    }
    state = &pair->state;
    if (entry->received_at_ms - state->received_ms > DECIDE_WINDOW_MS) {
        state->has_view = false;
        memset(state->taps, 0, sizeof(state->taps));
        state->last_ts_ms = INT64_MIN / 4;
    }
    state->received_ms = entry->received_at_ms;
    state->touched_seq = entry->seq;
    if (entry->type == ENTRY_VIEW &&
        (!state->has_view || !is_recent(entry, state->view_received_ms) ||
         entry->ts_at_ms >= state->last_view_ms)) {
        state->has_view = true;
        state->last_view_ms = entry->ts_at_ms;
        state->view_received_ms = entry->received_at_ms;
    }
    if (entry->type == ENTRY_CLICK && !entry->is_double_tap) {
        keep_tap(state, entry);
    }
    if (entry->ts_at_ms >= state->last_ts_ms ||
        !is_recent(entry, state->last_received_ms)) {
        state->last_ts_ms = entry->ts_at_ms;
        state->last_received_ms = entry->received_at_ms;
        for (size_t i = 0; i < NUMBERS; i++) {
            state->dict[i] = entry->dict[numbers[i]];
        }
        rc = keep_texts(decide, state, entry);
    }
    return rc;
}

static void unlink_pair(struct decide *decide, struct pair *pair)
{
    struct pair **at =
        bucket_of(decide, pair->site, pair->day, pair->visitor, pair->is_human);

    while (*at != pair) {
        at = &(*at)->next;
    }
    *at = pair->next;
    decide->count--;
}

/* Lets go what lies behind DECIDE_PAIRS others. */
static void evict(struct decide *decide)
{
    while (decide->touch_count > 0) {
        struct touch *touch = &decide->touches[decide->touch_first];
        bool is_last = touch->pair->state.touched_seq == touch->seq;

        if (is_last && decide->count <= DECIDE_PAIRS) {
            return;
        }
        decide->touch_first =
            (decide->touch_first + 1) & (decide->touch_cap - 1);
        decide->touch_count--;
        if (is_last) {
            unlink_pair(decide, touch->pair);
            free_pair(touch->pair);
        }
    }
}

void decide_commit(struct decide *decide)
{
    for (size_t i = 0; i < decide->journal_count; i++) {
        decide->journal[i].pair->is_new = false;
        decide->journal[i].pair->is_touched = false;
    }
    decide->journal_count = 0;
    clear_garbage(decide);
    evict(decide);
}

static bool is_garbage(const struct decide *decide, const char *blob)
{
    for (size_t i = 0; i < decide->garbage_count; i++) {
        if (decide->garbage[i] == blob) {
            return true;
        }
    }
    return false;
}

void decide_rollback(struct decide *decide)
{
    /* Touches of this transaction are the newest ones; they go first. */
    for (size_t i = decide->journal_count; i > 0; i--) {
        struct journal *journal = &decide->journal[i - 1];
        struct pair *pair = journal->pair;

        if (pair->state.blob != journal->before.blob &&
            !is_garbage(decide, pair->state.blob)) {
            free(pair->state.blob);
        }
        pair->state = journal->before;
        pair->is_touched = false;
        /* The blob of before is the pair's again, not garbage. */
        for (size_t j = 0; j < decide->garbage_count; j++) {
            decide->garbage[j] = decide->garbage[j] == pair->state.blob
                                     ? NULL
                                     : decide->garbage[j];
        }
    }
    while (decide->touch_count > 0) {
        struct touch *touch =
            &decide->touches[(decide->touch_first + decide->touch_count - 1) &
                             (decide->touch_cap - 1)];

        if (touch->seq == touch->pair->state.touched_seq) {
            break;
        }
        decide->touch_count--;
    }
    for (size_t i = 0; i < decide->journal_count; i++) {
        struct pair *pair = decide->journal[i].pair;

        if (pair->is_new) {
            unlink_pair(decide, pair);
            free_pair(pair);
        }
    }
    decide->journal_count = 0;
    clear_garbage(decide);
}

/* The pair stays in its place, blank: touches point to it. */
static void blank(struct pair *pair)
{
    int64_t seq = pair->state.touched_seq;

    if (pair->state.blob != NULL) {
        explicit_bzero(pair->state.blob, strlen(pair->state.blob));
        free(pair->state.blob);
    }
    memset(&pair->state, 0, sizeof(pair->state));
    pair->state.touched_seq = seq;
    pair->state.received_ms = INT64_MIN / 4;
    pair->state.last_received_ms = INT64_MIN / 4;
    pair->state.last_ts_ms = INT64_MIN / 4;
}

void decide_forget(struct decide *decide,
                   int64_t site,
                   int64_t day,
                   int64_t visitor)
{
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        for (struct pair *pair = decide->buckets[i]; pair != NULL;
             pair = pair->next) {
            if (pair->site == site &&
                (visitor == 0 ||
                 (pair->day == day && pair->visitor == visitor))) {
                blank(pair);
            }
        }
    }
}

size_t decide_count(const struct decide *decide)
{
    return decide->count;
}
