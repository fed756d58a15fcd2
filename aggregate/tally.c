/* tally.c - exact counting by group. */
#include "aggregate/tally.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/visitor_bits.h"
#include "base/arena.h"
#include "base/hash.h"

#define KEYS_BYTES ((size_t)1024 * 1024 * 1024)
#define VIEW_KEY_BYTES 20480

/* A visitor within a group; numbers are a site's own. */
struct record {
    int64_t site;
    int64_t day;
    int64_t visitor; /* 0: free */
    uint32_t group;
    bool has_view;
    bool has_click;
    int64_t first_view_ms;
    int64_t last_click_ms;
};

struct tally {
    enum tally_wants wants;
    struct visitor_bits bits; /* of TALLY_VISITORS, while is_in_bits */
    bool is_in_bits;
    struct lb_arena *arena;     /* owned; keys */
    struct tally_group *groups; /* owned */
    size_t group_count;
    size_t group_cap;
    size_t max_groups;
    uint32_t *slots; /* owned; index of a group + 1; 0: free */
    size_t slot_count;
    struct record *records; /* owned; open addressing */
    /* owned; beside each record the latest visit counted, of a human and else;
     * NULL until a visit comes */
    uint32_t (*visits)[2];
    size_t record_cap;
    size_t record_count;
    uint32_t last; /* the group that was counted last */
};

static uint64_t hash_bytes(const char *bytes, size_t len)
{
    static const uint8_t key[LB_HASH_KEY_BYTES] = {1};

    return lb_hash_sip_fast(key, bytes, len);
}

struct tally *tally_new(size_t max_groups)
{
    return tally_new_of(max_groups, TALLY_ALL);
}

struct tally *tally_new_of(size_t max_groups, enum tally_wants wants)
{
    struct tally *tally = calloc(1, sizeof(*tally));

    if (tally == NULL) {
        return NULL;
    }
    tally->max_groups = max_groups;
    tally->wants = wants;
    tally->is_in_bits = wants == TALLY_VISITORS;
    tally->arena = lb_arena_new(KEYS_BYTES);
    if (tally->arena == NULL) {
        free(tally);
        return NULL;
    }
    return tally;
}

void tally_free(struct tally *tally)
{
    if (tally != NULL) {
        visitor_bits_deinit(&tally->bits);
        lb_arena_free(tally->arena);
        free(tally->groups);
        free(tally->slots);
        free(tally->records);
        free(tally->visits);
        free(tally);
    }
}

static bool is_key(const struct tally_group *group, const char *key, size_t len)
{
    return group->key_len == len && memcmp(group->key, key, len) == 0;
}

/* The slot of key, or the free one where it goes. */
static size_t find_slot(const struct tally *tally, const char *key, size_t len)
{
    size_t at = (size_t)hash_bytes(key, len) & (tally->slot_count - 1);

    while (tally->slots[at] != 0 &&
           !is_key(&tally->groups[tally->slots[at] - 1], key, len)) {
        at = (at + 1) & (tally->slot_count - 1);
    }
    return at;
}

static enum lb_err grow_groups(struct tally *tally)
{
    size_t cap = tally->group_cap == 0 ? 16 : tally->group_cap * 2;
    struct tally_group *groups = realloc(tally->groups, cap * sizeof(*groups));
    uint32_t *slots = calloc(cap * 2, sizeof(*slots));

    if (groups != NULL) {
        tally->groups = groups;
    }
    if (groups == NULL || slots == NULL) {
        free(slots);
        return LB_ENOMEM;
    }
    tally->group_cap = cap;
    free(tally->slots);
    tally->slots = slots;
    tally->slot_count = cap * 2;
    for (size_t i = 0; i < tally->group_count; i++) {
        slots[find_slot(tally, groups[i].key, groups[i].key_len)] =
            (uint32_t)i + 1;
    }
    return LB_OK;
}

static enum lb_err take_group(struct tally *tally,
                              const char *key,
                              size_t len,
                              uint32_t *index_out)
{
    struct tally_group *group;
    size_t slot;

    /* The same as before, or the one that came behind it the first time, as in
     * a counted day after another. */
    for (uint32_t at = tally->last;
         at < tally->group_count && at < tally->last + 2; at++) {
        if (is_key(&tally->groups[at], key, len)) {
            tally->last = at;
            *index_out = at;
            return LB_OK;
        }
    }
    if (tally->group_count == tally->group_cap && grow_groups(tally) != LB_OK) {
        return LB_ENOMEM;
    }
    slot = find_slot(tally, key, len);
    if (tally->slots[slot] == 0) {
        if (tally->group_count >= tally->max_groups) {
            return LB_ELIMIT;
        }
        group = &tally->groups[tally->group_count];
        memset(group, 0, sizeof(*group));
        group->key = lb_arena_text(tally->arena, key, len);
        group->key_len = len;
        if (group->key == NULL) {
            return LB_ENOMEM;
        }
        tally->slots[slot] = (uint32_t)++tally->group_count;
    }
    *index_out = tally->slots[slot] - 1;
    tally->last = *index_out;
    return LB_OK;
}

static size_t
record_home(const struct tally *tally, uint32_t group, const struct record *who)
{
    uint64_t hash = (uint64_t)who->visitor * UINT64_C(0x9e3779b97f4a7c15) ^
                    (uint64_t)who->day * UINT64_C(0xc2b2ae3d27d4eb4f) ^
                    (uint64_t)who->site * UINT64_C(0xff51afd7ed558ccd) ^
                    (uint64_t)group * UINT64_C(0x165667b19e3779f9);

    return (size_t)(hash ^ hash >> 31) & (tally->record_cap - 1);
}

/* The record of who's site, day and visitor, or the free one where it goes. */
static struct record *
find_record(const struct tally *tally, uint32_t group, const struct record *who)
{
    size_t at = record_home(tally, group, who);

    while (tally->records[at].visitor != 0 &&
           (tally->records[at].visitor != who->visitor ||
            tally->records[at].group != group ||
            tally->records[at].site != who->site ||
            tally->records[at].day != who->day)) {
        at = (at + 1) & (tally->record_cap - 1);
    }
    return &tally->records[at];
}

static enum lb_err grow_records(struct tally *tally)
{
    struct record *old = tally->records;
    uint32_t(*old_visits)[2] = tally->visits;
    size_t old_cap = tally->record_cap;
    size_t cap = old_cap == 0 ? 64 : old_cap * 2;
    struct record *records = calloc(cap, sizeof(*records));
    uint32_t(*visits)[2] =
        old_visits == NULL ? NULL : calloc(cap, sizeof(*visits));

    if (records == NULL || (old_visits != NULL && visits == NULL)) {
        free(records);
        free(visits);
        return LB_ENOMEM;
    }
    tally->records = records;
    tally->visits = visits;
    tally->record_cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        struct record *record;

        if (old[i].visitor == 0) {
            continue;
        }
        record = find_record(tally, old[i].group, &old[i]);
        *record = old[i];
        if (visits != NULL) {
            memcpy(visits[record - records], old_visits[i], sizeof(*visits));
        }
    }
    free(old);
    free(old_visits);
    return LB_OK;
}

static enum lb_err count_visit(struct tally *tally,
                               const struct record *record,
                               const struct entry *entry,
                               const struct tally_visit *visit)
{
    struct tally_group *group = &tally->groups[record->group];
    uint32_t *last;

    if (tally->visits == NULL) {
        tally->visits = calloc(tally->record_cap, sizeof(*tally->visits));
        if (tally->visits == NULL) {
            return LB_ENOMEM;
        }
    }
    last = &tally->visits[record - tally->records]
                         [entry->traffic == ENTRY_HUMAN ? 0 : 1];
    if (*last != visit->number) {
        *last = visit->number;
        group->visits++;
        group->bounces += visit->is_bounce ? 1 : 0;
        group->visit_ms += visit->length_ms;
    }
    return LB_OK;
}

static void
add_amount(struct tally_group *group, int64_t hundredths, const char *currency)
{
    if (currency == NULL || currency[0] == '\0') {
        return;
    }
    if (group->currency[0] == '\0') {
        memcpy(group->currency, currency,
               strnlen(currency, sizeof(group->currency) - 1));
    } else if (strcmp(group->currency, currency) != 0) {
        memcpy(group->currency, "*", 2);
    }
    group->amount_hundredths += hundredths;
}

static enum lb_err note_record(struct tally *tally,
                               uint32_t group,
                               const struct entry *entry,
                               struct record **record_out)
{
    const struct record who = {.site = entry->site,
                               .day = entry->visitor_day,
                               .visitor = entry->visitor,
                               .group = group};
    struct record *record;

    if (tally->record_count * 4 >= tally->record_cap * 3 &&
        grow_records(tally) != LB_OK) {
        return LB_ENOMEM;
    }
    record = find_record(tally, group, &who);
    if (record->visitor == 0) {
        *record = who;
        tally->record_count++;
    }
    if (entry->type == ENTRY_VIEW &&
        (!record->has_view || entry->ts_at_ms < record->first_view_ms)) {
        record->has_view = true;
        record->first_view_ms = entry->ts_at_ms;
    }
    if (entry->type == ENTRY_CLICK &&
        (!record->has_click || entry->ts_at_ms > record->last_click_ms)) {
        record->has_click = true;
        record->last_click_ms = entry->ts_at_ms;
    }
    *record_out = record;
    return LB_OK;
}

/* --- visitors as bits ----------------------------------------------------- */

static enum lb_err
bit_to_record(void *ctx, uint32_t group, const struct entry *entry)
{
    struct record *record;

    return note_record(ctx, group, entry, &record);
}

static enum lb_err leave_bits(struct tally *tally)
{
    enum lb_err rc = visitor_bits_each(&tally->bits, bit_to_record, tally);

    visitor_bits_deinit(&tally->bits);
    tally->is_in_bits = false;
    return rc;
}

static void
add_bits(void *ctx, uint32_t group, int64_t visitors, int64_t clickers)
{
    struct tally *tally = ctx;

    tally->groups[group].visitors += visitors;
    tally->groups[group].clickers += clickers;
}

/* --- one event ------------------------------------------------------------ */

static enum lb_err count_visitor(struct tally *tally,
                                 uint32_t group,
                                 const struct entry *entry,
                                 const struct tally_visit *visit)
{
    struct record *record;
    enum lb_err rc = LB_OK;

    if (entry->visitor == 0 || tally->wants == TALLY_COUNTS) {
        return LB_OK;
    }
    if (tally->is_in_bits &&
        visitor_bits_are_wasteful(&tally->bits, tally->group_count,
                                  entry->visitor)) {
        rc = leave_bits(tally);
    }
    if (rc != LB_OK || tally->is_in_bits) {
        return rc != LB_OK ? rc : visitor_bits_note(&tally->bits, group, entry);
    }
    rc = note_record(tally, group, entry, &record);
    return rc != LB_OK || visit == NULL || visit->number == 0
               ? rc
               : count_visit(tally, record, entry, visit);
}

enum lb_err tally_add_visitor(struct tally *tally,
                              uint32_t group,
                              const struct entry *entry)
{
    return count_visitor(tally, group, entry, NULL);
}

enum lb_err tally_group_of(struct tally *tally,
                           const char *key,
                           size_t key_len,
                           uint32_t *group_out)
{
    return take_group(tally, key, key_len, group_out);
}

void tally_add_counts(struct tally *tally,
                      uint32_t group,
                      const struct rollup_counts *counts,
                      int64_t clicks_without_visitor)
{
    rollup_merge(&tally->groups[group].counts, counts);
    tally->groups[group].clicks_without_visitor += clicks_without_visitor;
}

void tally_add_amount(struct tally *tally,
                      uint32_t group,
                      int64_t hundredths,
                      const char *currency)
{
    add_amount(&tally->groups[group], hundredths, currency);
}

enum lb_err tally_add(struct tally *tally,
                      const char *key,
                      size_t key_len,
                      const struct entry *entry)
{
    return tally_add_in_visit(tally, key, key_len, entry, NULL);
}

enum lb_err tally_add_in_visit(struct tally *tally,
                               const char *key,
                               size_t key_len,
                               const struct entry *entry,
                               const struct tally_visit *visit)
{
    struct tally_group *to;
    uint32_t group = 0;
    enum lb_err rc = take_group(tally, key, key_len, &group);

    if (rc != LB_OK) {
        return rc;
    }
    to = &tally->groups[group];
    rollup_add(&to->counts, entry);
    if (entry->type == ENTRY_CLICK && entry->visitor == 0) {
        to->clicks_without_visitor++;
    }
    if (entry->has_amount) {
        add_amount(to, entry->amount_hundredths,
                   entry->text[ENTRY_TEXT_CURRENCY]);
    }
    return count_visitor(tally, group, entry, visit);
}

enum lb_err tally_merge(struct tally *tally, const struct tally_group *sums)
{
    struct tally_group *group;
    uint32_t index = 0;
    enum lb_err rc = take_group(tally, sums->key, sums->key_len, &index);

    if (rc != LB_OK) {
        return rc;
    }
    group = &tally->groups[index];
    rollup_merge(&group->counts, &sums->counts);
    group->visitors += sums->visitors;
    group->viewers += sums->viewers;
    group->clickers += sums->clickers;
    group->viewers_clicked += sums->viewers_clicked;
    group->visits += sums->visits;
    group->clicks_without_visitor += sums->clicks_without_visitor;
    add_amount(group, sums->amount_hundredths, sums->currency);
    return LB_OK;
}

void tally_finish(
    struct tally *tally,
    struct tally *views,
    size_t (*view_key)(void *ctx, const char *key, size_t key_len, char *out),
    void *ctx)
{
    visitor_bits_count(&tally->bits, add_bits, tally);
    for (size_t i = 0; i < tally->record_cap; i++) {
        const struct record *record = &tally->records[i];
        const struct record *seen = record;
        struct tally_group *group;

        if (record->visitor == 0) {
            continue;
        }
        group = &tally->groups[record->group];
        group->visitors++;
        group->viewers += record->has_view ? 1 : 0;
        group->clickers += record->has_click ? 1 : 0;
        if (views != NULL) {
            char key[VIEW_KEY_BYTES];
            size_t len = view_key(ctx, group->key, group->key_len, key);
            const struct tally_group *found = tally_find(views, key, len);

            seen = found == NULL || views->record_cap == 0
                       ? NULL
                       : find_record(views, (uint32_t)(found - views->groups),
                                     record);
        }
        if (record->has_click && seen != NULL && seen->has_view &&
            record->last_click_ms >= seen->first_view_ms) {
            group->viewers_clicked++;
        }
    }
}

size_t tally_bytes(const struct tally *tally)
{
    return sizeof(*tally) + lb_arena_bytes(tally->arena) +
           visitor_bits_bytes(&tally->bits) +
           tally->group_cap * sizeof(*tally->groups) +
           tally->slot_count * sizeof(*tally->slots) +
           tally->record_cap *
               (sizeof(*tally->records) +
                (tally->visits == NULL ? 0 : sizeof(*tally->visits)));
}

size_t tally_count(const struct tally *tally)
{
    return tally->group_count;
}

const struct tally_group *tally_at(const struct tally *tally, size_t index)
{
    return &tally->groups[index];
}

const struct tally_group *
tally_find(const struct tally *tally, const char *key, size_t key_len)
{
    size_t slot;

    if (tally->slot_count == 0) {
        return NULL;
    }
    slot = find_slot(tally, key, key_len);
    return tally->slots[slot] == 0 ? NULL
                                   : &tally->groups[tally->slots[slot] - 1];
}
