/* engine.c - deciding what rings. */
#include "alerts/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/digest.h"
#include "alerts/engine_state.h"
#include "alerts/pulls.h"
#include "alerts/rate.h"
#include "alerts/spike.h"
#include "alerts/threshold.h"
#include "base/clock.h"
#include "base/json.h"
#include "sql/own_key.h"

#define GROUP_BYTES 8192
#define IDLE_NOW_MS LB_MS_PER_MIN /* without a rule, now is that exact */

enum lb_err engine_new(struct db *db,
                       struct catalog_holder *holder,
                       const struct lb_config *config,
                       struct engine **engine_out,
                       struct lb_error *err)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    enum lb_err rc;

    *engine_out = NULL;
    if (engine == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    lb_buf_init(&engine->key, GROUP_BYTES);
    engine->holder = holder;
    engine->folds_utm = strcmp(config->utm_case, "keep") != 0;
    lb_config_base_url(config, engine->public_url);
    rc = own_key_get(db, "seen_key", engine->seen_key, err);
    rc = rc == LB_OK ? db_meta_get(db, "rules_now", 0, &engine->now_ms, err)
                     : rc;
    engine->saved_now_ms = engine->now_ms;
    engine->groups = groups_new();
    engine->seen = seen_new(ENGINE_CASES_MAX, engine->seen_key);
    engine->cases = calloc(ENGINE_CASES_MAX, sizeof(*engine->cases));
    if (rc == LB_OK && (engine->groups == NULL || engine->seen == NULL ||
                        engine->cases == NULL)) {
        rc = lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    if (rc != LB_OK) {
        engine_free(engine);
        return rc;
    }
    *engine_out = engine;
    return LB_OK;
}

enum lb_err engine_new_rehearsal(struct db *db,
                                 const struct lb_config *config,
                                 const struct engine_rehearsal *rehearsal,
                                 struct engine **engine_out,
                                 struct lb_error *err)
{
    enum lb_err rc = engine_new(db, NULL, config, engine_out, err);

    if (rc == LB_OK && *engine_out != NULL) {
        (*engine_out)->rehearsal = rehearsal;
    }
    return rc;
}

void engine_free(struct engine *engine)
{
    if (engine != NULL) {
        groups_free(engine->groups);
        by_site_free(engine->by_site);
        ruleset_free(engine->set);
        seen_free(engine->seen);
        lb_buf_deinit(&engine->key);
        free(engine->active);
        free(engine->cases);
        free(engine);
    }
}

void engine_set_wake(struct engine *engine, void (*wake)(void *ctx), void *ctx)
{
    engine->wake = wake;
    engine->wake_ctx = ctx;
}

/* --- entries that are no events
 * ------------------------------------------------------------------------ */

static struct digest digest_of(struct engine *engine,
                               const struct ruleset_rule *row,
                               struct group *books)
{
    return (struct digest){.groups = engine->groups,
                           .rule = &row->rule,
                           .site = ruleset_site(engine->set, books->row.site),
                           .books = books,
                           .public_url = engine->public_url,
                           .now_ms = engine->now_ms};
}

/* A group that may have turned as time went by; one that says nothing any more
 * is let go. */
static bool may_turn(struct engine *engine, struct group *group)
{
    const struct ruleset_rule *row = ruleset_find(engine->set, group->row.rule);
    int64_t oldest_ms;

    if (row != NULL && group->key[0] == '\0') {
        struct digest digest = digest_of(engine, row, group);

        return digest_is_due(&digest);
    }
    if (row != NULL && row->rule.kind == RULE_CTR) {
        return rate_is_over(&row->rule,
                            ruleset_site(engine->set, group->row.site), group,
                            engine->now_ms);
    }
    if (row != NULL && rule_is_of_baseline(&row->rule)) {
        return spike_is_due(ruleset_site(engine->set, group->row.site), group,
                            engine->now_ms);
    }
    if (row == NULL || !rule_is_timed(&row->rule) || group->key[0] == '\0') {
        return false;
    }
    if (!ruleset_covers(engine->set, row, group->row.site)) {
        groups_drop(engine->groups, group);
        return false;
    }
    oldest_ms = threshold_oldest(&row->rule, &engine->gaps, engine->now_ms);
    rule_window_move(&group->window, oldest_ms);
    if (group->row.state.since_at_ms != 0 ||
        threshold_judge(&row->rule, group, oldest_ms) != RULE_STAYS) {
        return true;
    }
    if (!group->row.state.is_firing && !group->is_changed &&
        !threshold_waits(&row->rule, group) &&
        rule_window_is_empty(&group->window)) {
        groups_drop(engine->groups, group);
    }
    return false;
}

static enum lb_err send_digest(struct engine *engine,
                               struct db *db,
                               const struct ruleset_rule *row,
                               struct group *books,
                               struct lb_error *err)
{
    struct digest digest = digest_of(engine, row, books);
    bool has_queued = false;
    enum lb_err rc;

    digest.db = db;
    rc = digest_send(&digest, &has_queued, err);
    engine->has_queued = engine->has_queued || has_queued;
    return rc;
}

static enum lb_err turn_group(struct engine *engine,
                              struct db *db,
                              const struct entry *entry,
                              struct group *group,
                              struct lb_error *err)
{
    const struct ruleset_rule *row = ruleset_find(engine->set, group->row.rule);
    struct engine_case one = {.entry = entry,
                              .rule = &row->rule,
                              .site =
                                  ruleset_site(engine->set, group->row.site),
                              .now_ms = engine->now_ms,
                              .group = group};

    if (group->key[0] == '\0') {
        return send_digest(engine, db, row, group, err);
    }
    if (row->rule.kind == RULE_CTR) {
        return rate_end(engine, db, &one, err);
    }
    if (rule_is_of_baseline(&row->rule)) {
        return spike_turn(engine, db, &one, err);
    }
    return engine_take_turn(
        engine, db, &one,
        threshold_oldest(&row->rule, &engine->gaps, one.now_ms), err);
}

/* Where they stand in memory decides nothing. */
static int compare_groups(const void *a, const void *b)
{
    const struct group *x = *(struct group *const *)a;
    const struct group *y = *(struct group *const *)b;

    if (x->row.rule != y->row.rule) {
        return x->row.rule < y->row.rule ? -1 : 1;
    }
    if (x->row.site != y->row.site) {
        return x->row.site < y->row.site ? -1 : 1;
    }
    return strcmp(x->key, y->key);
}

/* Time went by: each group is looked at. */
static enum lb_err judge_all(struct engine *engine,
                             struct db *db,
                             const struct entry *entry,
                             struct lb_error *err)
{
    struct group **turning =
        calloc(groups_count(engine->groups) + 1, sizeof(struct group *));
    struct group *group = groups_oldest(engine->groups);
    size_t count = 0;
    enum lb_err rc = LB_OK;

    if (turning == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    while (group != NULL) {
        struct group *next = groups_next(group);

        if (may_turn(engine, group)) {
            groups_note_change(engine->groups, group); /* so that it stays */
            turning[count++] = group;
        }
        group = next;
    }
    qsort(turning, count, sizeof(struct group *), compare_groups);
    rc = engine_load_groups(db, turning, count, err);
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        rc = turn_group(engine, db, entry, turning[i], err);
    }
    free(turning);
    return rc == LB_OK ? engine_save(engine, db, err) : rc;
}

/* What began later than now began now; an aligned window is what it was. */
static void set_back_state(struct engine *engine,
                           const struct rule *rule,
                           struct group *group)
{
    struct alert_store_state *state = &group->row.state;

    if (state->since_at_ms > engine->now_ms && !rule_is_aligned(rule)) {
        state->since_at_ms = engine->now_ms;
        groups_note_change(engine->groups, group);
    }
    if (state->digest_from_at_ms > engine->now_ms) {
        state->digest_from_at_ms = engine->now_ms;
        groups_note_change(engine->groups, group);
    }
}

static enum lb_err set_clock_back(struct engine *engine,
                                  const struct entry *entry,
                                  struct lb_error *err)
{
    const struct gaps *gaps = &engine->gaps;

    engine->now_ms = entry->received_at_ms;
    for (struct group *group = groups_oldest(engine->groups); group != NULL;
         group = groups_next(group)) {
        const struct ruleset_rule *row =
            ruleset_find(engine->set, group->row.rule);

        if (row != NULL) {
            set_back_state(engine, &row->rule, group);
        }
        if (row != NULL &&
            !threshold_set_back(&row->rule, group,
                                gaps->backs[gaps->back_count - 1].from_ms,
                                engine->now_ms)) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    return LB_OK;
}

/* data: {"rule":ID,"site":ID,"group":"{...}","until":ms}; without a site the
 * whole rule. */
static enum lb_err mute(struct engine *engine,
                        struct db *db,
                        const struct entry *entry,
                        struct lb_error *err)
{
    cJSON *data = entry->data == NULL ? NULL : cJSON_Parse(entry->data);
    const char *id = lb_json_text(data, "rule");
    const char *site_id = lb_json_text(data, "site");
    const char *key = lb_json_text(data, "group");
    const struct catalog_object *object =
        id == NULL
            ? NULL
            : catalog_object_find(engine->set->catalog, CATALOG_RULE, id);
    const struct ruleset_rule *row =
        object == NULL ? NULL : ruleset_find(engine->set, object->number);
    const struct catalog_site *site =
        site_id == NULL ? NULL
                        : catalog_site_find(engine->set->catalog, site_id);
    struct group *group = NULL;
    enum lb_err rc = LB_OK;

    /* They may be gone meanwhile. */
    if (row != NULL && (site_id == NULL || (site != NULL && key != NULL))) {
        group = groups_get(engine->groups, &row->rule,
                           site == NULL ? 0 : site->number,
                           site == NULL ? "" : key);
        rc = group == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                           : engine_load_groups(db, &group, 1, err);
    }
    if (rc == LB_OK && group != NULL) {
        group->row.state.muted_until_ms = lb_json_int(data, "until");
        groups_note_change(engine->groups, group);
        rc = engine_save(engine, db, err);
    }
    cJSON_Delete(data);
    return rc;
}

/* The events before it have been decided. */
static enum lb_err take_entry(struct engine *engine,
                              struct db *db,
                              const struct entry *entry,
                              struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    if (entry->kind == ENTRY_START || entry->kind == ENTRY_CLOCK_BACK) {
        engine_take_jump(&engine->gaps, entry);
    }
    if (entry->kind == ENTRY_CLOCK_BACK) {
        rc = set_clock_back(engine, entry, err);
    }
    engine_advance(engine, entry);
    if (rc == LB_OK && entry->kind == ENTRY_RULE_READY) {
        return engine_take_ready(engine, db, entry, err);
    }
    if (rc == LB_OK && entry->kind == ENTRY_MUTE) {
        return mute(engine, db, entry, err);
    }
    return rc == LB_OK ? judge_all(engine, db, entry, err) : rc;
}

static enum lb_err show_entry(struct engine *engine,
                              struct db *db,
                              const struct entry *entry,
                              struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    switch (entry->kind) {
    case ENTRY_EVENT:
        return engine_show_event(engine, db, entry, err);
    case ENTRY_START:
    case ENTRY_CLOCK_BACK:
    case ENTRY_TICK:
    case ENTRY_RULE_READY:
    case ENTRY_MUTE:
        rc = engine_flush(engine, db, err);
        return rc == LB_OK ? take_entry(engine, db, entry, err) : rc;
    case ENTRY_PULL:
        rc = engine_flush(engine, db, err);
        engine_advance(engine, entry);
        return rc == LB_OK ? pulls_take(engine, db, entry, err) : rc;
    case ENTRY_CONFIG:
    case ENTRY_COVERAGE:
    case ENTRY_NOTICE:
    case ENTRY_ENGAGEMENT:
        engine_advance(engine, entry); /* nothing to decide but the time */
        break;
    }
    return rc;
}

/* --- as a consumer
 * ------------------------------------------------------------------------ */

/* Saves when it is, when that is so much away from what was saved. */
static enum lb_err save_now(struct engine *engine,
                            struct db *db,
                            int64_t least_ms,
                            struct lb_error *err)
{
    int64_t away_ms = engine->now_ms - engine->saved_now_ms;

    if (away_ms < least_ms && -away_ms < least_ms) {
        return LB_OK;
    }
    engine->saved_now_ms = engine->now_ms;
    return db_meta_set(db, "rules_now", engine->now_ms, err);
}

static enum lb_err apply(void *ctx,
                         struct db *db,
                         const struct entry *const *entries,
                         size_t count,
                         struct lb_error *err)
{
    struct engine *engine = ctx;
    enum lb_err rc = engine_refresh(engine, db, err);

    if (rc == LB_OK && !engine->is_loaded) {
        engine->is_touched = true;
        rc = engine_load(engine, db, entries[0]->seq - 1, err);
    }
    if (rc == LB_OK && engine->set->count == 0) {
        for (size_t i = 0; i < count; i++) {
            engine_advance(engine, entries[i]);
        }
        return save_now(engine, db, IDLE_NOW_MS, err);
    }
    engine->is_touched = true;
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        rc = show_entry(engine, db, entries[i], err);
    }
    rc = rc == LB_OK ? engine_flush(engine, db, err) : rc;
    return rc == LB_OK ? save_now(engine, db, 1, err) : rc;
}

static void committed(void *ctx)
{
    struct engine *engine = ctx;

    if (engine->has_queued && engine->wake != NULL) {
        engine->wake(engine->wake_ctx);
    }
    engine->has_queued = false;
    engine->is_touched = false;
    engine->offered = NULL;
}

/* Rare: everything is read again. */
static void rolled_back(void *ctx)
{
    struct engine *engine = ctx;

    engine->has_queued = false;
    engine->offered = NULL;
    engine->case_count = 0;
    seen_clear(engine->seen);
    if (engine->is_touched) {
        engine->is_touched = false;
        engine->is_loaded = false;
        groups_clear(engine->groups);
        by_site_free(engine->by_site);
        engine->by_site = NULL;
        ruleset_free(engine->set);
        engine->set = NULL;
    }
}

struct cursor_consumer engine_consumer(struct engine *engine)
{
    return (struct cursor_consumer){"rules", engine, apply, committed,
                                    rolled_back};
}

void engine_offer(struct engine *engine, struct groups *learnt)
{
    engine->offered = learnt;
}

bool engine_is_waiting(const struct engine *engine)
{
    return groups_waiting(engine->groups) > 0;
}

bool engine_has_unready(const struct engine *engine)
{
    return engine->set != NULL && engine->unready > 0;
}

int64_t engine_now_ms(const struct engine *engine)
{
    return engine->now_ms;
}

/* --- erasing
 * ------------------------------------------------------------------------ */

static void unsee(void *ctx, const struct entry *entry)
{
    struct engine *engine = ctx;

    if (!engine->is_loaded || engine->set == NULL) {
        return;
    }
    engine->is_touched = true;
    for (size_t i = 0; i < engine->active_count; i++) {
        const struct rule *rule = &engine->set->rules[engine->active[i]].rule;
        const char *intent = NULL;
        struct group *group;

        lb_buf_clear(&engine->key);
        if (!rule_is_windowed(rule) ||
            !ruleset_matches(engine->set, engine->active[i], entry, &intent) ||
            !rule_group(rule, entry, ruleset_site(engine->set, entry->site)->id,
                        intent, &engine->key)) {
            continue;
        }
        group = groups_find(engine->groups, rule->number, entry->site,
                            lb_buf_text(&engine->key));
        if (group != NULL) {
            threshold_take_out(rule, group, entry);
        }
    }
}

/* The groups that name the visitor ("DAY.NUMBER"), or all of the site. */
static void forget_groups(void *ctx, int64_t site, const char *visitor)
{
    struct engine *engine = ctx;
    struct group *group = groups_oldest(engine->groups);
    char name[80];

    (void)snprintf(name, sizeof(name), "\"visitor\":\"%.48s\"",
                   visitor == NULL ? "" : visitor);
    engine->is_touched = true;
    while (group != NULL) {
        struct group *next = groups_next(group);

        if (group->row.site == site &&
            (visitor == NULL || strstr(group->key, name) != NULL)) {
            groups_drop(engine->groups, group);
        }
        group = next;
    }
}

void engine_hook(struct engine *engine, struct erase_hooks *hooks)
{
    hooks->rules = engine;
    hooks->unsee = unsee;
    hooks->forget_groups = forget_groups;
}
