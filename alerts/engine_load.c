/* engine_load.c - what the engine knows: the rules of the catalog, who of them
 * is ready, and groups as the log and the rows say. */
#include <stdlib.h>
#include <string.h>

#include "alerts/engine_state.h"
#include "alerts/pulls.h"
#include "alerts/rate.h"
#include "alerts/replay.h"
#include "alerts/spike.h"
#include "alerts/threshold.h"
#include "base/json.h"

#define ROWS_AT_ONCE 64

/* --- rules
 * ------------------------------------------------------------------------ */

static bool is_same_list(const char *const *a,
                         size_t a_count,
                         const char *const *b,
                         size_t b_count)
{
    bool is_same = a_count == b_count;

    for (size_t i = 0; is_same && i < a_count; i++) {
        is_same = strcmp(a[i], b[i]) == 0;
    }
    return is_same;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* A window holds what the rule looked at when it came. */
static bool looks_elsewhere(const struct rule *before, const struct rule *after)
{
    return after->kind != RULE_EVENT && after->kind != RULE_FIRST_SEEN &&
           (before->traffic != after->traffic ||
            before->is_below != after->is_below ||
            before->folds_utm != after->folds_utm ||
            !is_same_text(before->export_name, after->export_name) ||
            !is_same_list(before->sites, before->site_count, after->sites,
                          after->site_count));
}

static enum lb_err find_ready(struct engine *engine,
                              struct db *db,
                              struct ruleset_rule *row,
                              struct lb_error *err)
{
    const struct ruleset_rule *before =
        engine->set == NULL ? NULL
                            : ruleset_find(engine->set, row->rule.number);
    enum lb_err rc =
        alert_store_get_ready(db, row->rule.number, &row->ready_seq, err);
    bool is_kept =
        row->ready_seq == 0 ||
        (row->ready_seq > 0 && row->rule.is_enabled &&
         (before == NULL || !looks_elsewhere(&before->rule, &row->rule)));

    if (engine->rehearsal != NULL) {
        row->ready_seq = -1; /* before the first entry */
        return rc;
    }
    if (rc == LB_OK && !is_kept) {
        row->ready_seq = 0;
        groups_drop_rule(engine->groups, row->rule.number);
        rc = alert_store_set_ready(db, row->rule.number, 0, err);
    }
    return rc;
}

static void list_active(struct engine *engine)
{
    by_site_free(engine->by_site);
    engine->by_site = NULL;
    engine->active_count = 0;
    engine->unready = 0;
    for (size_t i = 0; i < engine->set->count; i++) {
        const struct ruleset_rule *row = &engine->set->rules[i];

        if (row->rule.is_enabled && row->ready_seq != 0) {
            engine->active[engine->active_count++] = i;
        } else if (row->rule.is_enabled) {
            engine->unready++;
        }
    }
}

static void drop_removed(struct engine *engine, const struct ruleset *next)
{
    for (size_t i = 0; engine->set != NULL && i < engine->set->count; i++) {
        int64_t number = engine->set->rules[i].rule.number;

        if (ruleset_find(next, number) == NULL) {
            groups_drop_rule(engine->groups, number);
        }
    }
}

/* Room for a list of so many rules. */
static bool make_list(struct engine *engine, size_t count)
{
    size_t *list = calloc(count + 1, sizeof(*list));

    if (list == NULL) {
        return false;
    }
    by_site_free(engine->by_site); /* which looks at the old one */
    engine->by_site = NULL;
    free(engine->active);
    engine->active = list;
    engine->active_count = 0;
    return true;
}

static enum lb_err take_over(struct engine *engine,
                             struct db *db,
                             struct catalog *catalog,
                             struct lb_error *err)
{
    struct ruleset *set = NULL;
    enum lb_err rc = ruleset_new(catalog, engine->folds_utm, &set, err);

    for (size_t i = 0; rc == LB_OK && i < set->count; i++) {
        rc = find_ready(engine, db, &set->rules[i], err);
    }
    if (rc == LB_OK && !make_list(engine, set->count)) {
        rc = lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    if (rc != LB_OK) {
        ruleset_free(set);
        return rc;
    }
    drop_removed(engine, set);
    ruleset_free(engine->set);
    engine->set = set;
    list_active(engine);
    return LB_OK;
}

enum lb_err
engine_refresh(struct engine *engine, struct db *db, struct lb_error *err)
{
    struct catalog *catalog = engine->rehearsal != NULL
                                  ? catalog_ref(engine->rehearsal->catalog)
                                  : catalog_current(engine->holder);
    enum lb_err rc = LB_OK;

    if (engine->set == NULL ||
        catalog_version(engine->set->catalog) != catalog_version(catalog)) {
        engine->is_touched = true;
        rc = take_over(engine, db, catalog, err);
    }
    catalog_unref(catalog);
    return rc;
}

/* --- rows
 * ------------------------------------------------------------------------ */

static void take_row(struct group *group)
{
    group->is_loaded = true;
    if (group->row.state.began_at_ms != 0) {
        group->began_at_ms = group->row.state.began_at_ms;
    }
}

/* Up to ROWS_AT_ONCE that are not loaded, from *next on. */
static size_t gather(struct group *const *groups,
                     size_t count,
                     size_t *next,
                     struct group **out)
{
    size_t used = 0;

    for (; *next < count && used < ROWS_AT_ONCE; (*next)++) {
        struct group *group = groups[*next];

        if (group != NULL && !group->is_loaded) {
            group->is_loaded = true; /* so that each comes once */
            out[used++] = group;
        }
    }
    return used;
}

enum lb_err engine_load_groups(struct db *db,
                               struct group *const *groups,
                               size_t count,
                               struct lb_error *err)
{
    struct alert_store_group *rows[ROWS_AT_ONCE];
    struct group *taken[ROWS_AT_ONCE];
    size_t next = 0;
    enum lb_err rc = LB_OK;

    while (next < count && rc == LB_OK) {
        size_t used = gather(groups, count, &next, taken);

        for (size_t i = 0; i < used; i++) {
            rows[i] = &taken[i]->row;
        }
        rc = alert_store_load(db, rows, used, err);
        for (size_t i = 0; i < used && rc == LB_OK; i++) {
            take_row(taken[i]);
        }
    }
    return rc;
}

enum lb_err
engine_save(struct engine *engine, struct db *db, struct lb_error *err)
{
    struct alert_store_group *rows[ROWS_AT_ONCE];
    size_t count;
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && (count = groups_take_changed(engine->groups, rows,
                                                       ROWS_AT_ONCE)) > 0) {
        rc = alert_store_save(db, rows, count, err);
    }
    return rc;
}

struct attachment {
    struct engine *engine;
    const struct rule *rule;
};

static enum lb_err attach(void *ctx, const struct alert_store_group *row)
{
    struct attachment *attachment = ctx;
    struct group *group = groups_get(attachment->engine->groups,
                                     attachment->rule, row->site, row->group);

    if (group == NULL) {
        return LB_ENOMEM;
    }
    group->row.state = row->state;
    take_row(group);
    if (group->key[0] == '\0' && row->state.digest_from_at_ms != 0) {
        groups_set_waiting(attachment->engine->groups, group, true);
    }
    if (rule_is_aligned(attachment->rule) && group->key[0] != '\0') {
        groups_set_waiting(attachment->engine->groups, group,
                           row->state.is_firing || group->is_waiting);
    }
    return LB_OK;
}

/* The groups that fire or have begun, and what is mute. */
static enum lb_err attach_rows(struct engine *engine,
                               struct db *db,
                               const struct rule *rule,
                               struct lb_error *err)
{
    struct attachment attachment = {engine, rule};
    enum lb_err rc =
        rule->kind == RULE_DROP ? spike_attach(engine, db, rule, err) : LB_OK;

    return rc == LB_OK
               ? alert_store_each(db, rule->number, attach, &attachment, err)
               : rc;
}

/* --- windows
 * ------------------------------------------------------------------------ */

/* A group that is past its limit when its rule begins to decide does not ring:
 * it is told of when it gets there again. */
static enum lb_err settle_quietly(struct engine *engine,
                                  struct db *db,
                                  const struct rule *rule,
                                  struct group *group,
                                  struct lb_error *err)
{
    enum lb_err rc = engine_load_groups(db, &group, 1, err);

    group->row.state.is_firing = true;
    group->row.state.since_at_ms = 0;
    group->last_at_ms = 0;
    group->row.state.began_at_ms = rule->is_below ? group->began_at_ms : 0;
    groups_note_change(engine->groups, group);
    return rc;
}

/* The group's window as of now; is_first: the rule begins to decide. */
static enum lb_err settle_group(struct engine *engine,
                                struct db *db,
                                const struct rule *rule,
                                struct group *group,
                                bool is_first,
                                struct lb_error *err)
{
    int64_t oldest_ms = threshold_oldest(rule, &engine->gaps, engine->now_ms);
    struct engine_case one = {
        .rule = rule, .now_ms = engine->now_ms, .group = group};
    enum rule_turn turn;
    enum lb_err rc = LB_OK;

    rule_window_move(&group->window, oldest_ms);
    if (is_first && !rule_window_clamp(&group->window, engine->now_ms)) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    if (is_first && group->last_at_ms > engine->now_ms) {
        group->last_at_ms = engine->now_ms;
    }
    /* A sign that came before it rang says nothing. */
    if (group->row.state.is_firing &&
        (!is_first || group->last_at_ms < oldest_ms)) {
        group->last_at_ms = 0;
    }
    turn = threshold_judge(rule, group, oldest_ms);
    if (is_first && turn == RULE_IS_OVER) {
        one.site = ruleset_site(engine->set, group->row.site);
        rc = engine_end_firing(
            engine, db, &one,
            rule_number(rule, rule_window_value(&group->window)), err);
    } else if (is_first && turn == RULE_FIRES) {
        rc = settle_quietly(engine, db, rule, group, err);
    }
    groups_set_waiting(engine->groups, group, threshold_waits(rule, group));
    return rc;
}

/* Windows as of now; number 0: of all rules, else of one that begins. */
static enum lb_err settle(struct engine *engine,
                          struct db *db,
                          int64_t number,
                          struct lb_error *err)
{
    struct group *group = groups_oldest(engine->groups);
    enum lb_err rc = LB_OK;

    for (; group != NULL && rc == LB_OK; group = groups_next(group)) {
        const struct ruleset_rule *row =
            ruleset_find(engine->set, group->row.rule);

        if (row != NULL && rule_is_timed(&row->rule) && group->key[0] != '\0' &&
            (number == 0 || number == row->rule.number)) {
            rc = settle_group(engine, db, &row->rule, group, number != 0, err);
        }
    }
    return rc == LB_OK ? engine_save(engine, db, err) : rc;
}

/* Reads the windows of rules (by place in set) from the log; first is one that
 * begins (NULL: none does). */
static enum lb_err read_windows(struct engine *engine,
                                struct db *db,
                                const struct ruleset_rule *first,
                                int64_t upto_seq,
                                struct lb_error *err)
{
    size_t place = first == NULL ? 0 : (size_t)(first - engine->set->rules);
    struct replay replay = {engine->set,
                            first == NULL ? engine->active : &place,
                            first == NULL ? engine->active_count : 1,
                            engine->groups,
                            NULL,
                            &engine->gaps,
                            engine->now_ms,
                            first != NULL,
                            faces_new()};
    struct replay_piece piece = {0, upto_seq, 0, 0};
    enum lb_err rc = replay.faces == NULL
                         ? lb_err_set(err, LB_ENOMEM, "out of memory")
                         : replay_read(&replay, db, &piece, err);

    faces_free(replay.faces);
    return rc;
}

struct jumps {
    struct entry entries[GAPS_MAX + GAPS_BACKS_MAX]; /* the newest first */
    char data[GAPS_MAX + GAPS_BACKS_MAX][64];
    size_t count;
};

static bool note_jump(void *ctx, const struct entry *entry)
{
    struct jumps *jumps = ctx;
    size_t len = entry->data == NULL ? 0 : strlen(entry->data);

    if (jumps->count == GAPS_MAX + GAPS_BACKS_MAX) {
        return false;
    }
    jumps->entries[jumps->count] = *entry;
    jumps->entries[jumps->count].data = NULL;
    if (len > 0 && len < sizeof(jumps->data[0])) {
        memcpy(jumps->data[jumps->count], entry->data, len + 1);
        jumps->entries[jumps->count].data = jumps->data[jumps->count];
    }
    jumps->count++;
    return true;
}

void engine_take_jump(struct gaps *gaps, const struct entry *entry)
{
    cJSON *data = entry->data == NULL ? NULL : cJSON_Parse(entry->data);
    int64_t from_ms = lb_json_int(
        data, entry->kind == ENTRY_CLOCK_BACK ? "from" : "down_from");

    cJSON_Delete(data);
    from_ms = from_ms == 0 ? entry->received_at_ms : from_ms;
    if (entry->kind == ENTRY_CLOCK_BACK) {
        gaps_set_back(gaps, entry->seq, from_ms, entry->received_at_ms);
    } else {
        gaps_add(gaps, from_ms, entry->received_at_ms);
    }
}

static enum lb_err read_jumps(struct gaps *gaps,
                              struct db *db,
                              int64_t upto_seq,
                              struct lb_error *err)
{
    struct jumps *jumps = calloc(1, sizeof(*jumps));
    enum lb_err rc;

    memset(gaps, 0, sizeof(*gaps));
    if (jumps == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    rc = alert_store_each_jump(db, upto_seq, note_jump, jumps, err);
    for (size_t i = jumps->count; rc == LB_OK && i > 0; i--) {
        engine_take_jump(gaps, &jumps->entries[i - 1]);
    }
    free(jumps);
    return rc;
}

enum lb_err engine_load(struct engine *engine,
                        struct db *db,
                        int64_t upto_seq,
                        struct lb_error *err)
{
    enum lb_err rc;

    groups_clear(engine->groups);
    rc = db_meta_get(db, "rules_now", 0, &engine->now_ms, err);
    engine->saved_now_ms = engine->now_ms;
    rc = rc == LB_OK ? read_jumps(&engine->gaps, db, upto_seq, err) : rc;
    for (size_t i = 0; i < engine->active_count && rc == LB_OK; i++) {
        rc = attach_rows(engine, db,
                         &engine->set->rules[engine->active[i]].rule, err);
    }
    rc = rc == LB_OK ? read_windows(engine, db, NULL, upto_seq, err) : rc;
    rc = rc == LB_OK ? pulls_read(engine, db, upto_seq, err) : rc;
    rc = rc == LB_OK ? settle(engine, db, 0, err) : rc;
    engine->is_loaded = rc == LB_OK;
    return rc;
}

/* --- lessons
 * ------------------------------------------------------------------------ */

enum lb_err engine_get_lessons(const struct engine *engine,
                               struct db *db,
                               struct engine_lessons *out,
                               struct lb_error *err)
{
    memset(out, 0, sizeof(*out));
    out->rules = calloc(engine->unready + 1, sizeof(*out->rules));
    if (out->rules == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < engine->set->count; i++) {
        const struct ruleset_rule *row = &engine->set->rules[i];

        if (row->rule.is_enabled && row->ready_seq == 0) {
            out->rules[out->rule_count++] = row->rule.number;
        }
    }
    out->catalog = catalog_ref(engine->set->catalog);
    out->folds_utm = engine->folds_utm;
    memcpy(out->seen_key, engine->seen_key, sizeof(out->seen_key));
    return read_jumps(&out->gaps, db, INT64_MAX, err);
}

bool engine_is_lesson(const struct engine *engine,
                      const struct catalog *catalog,
                      int64_t rule)
{
    const struct ruleset_rule *row = ruleset_find(engine->set, rule);
    const struct catalog_object *before;
    const struct catalog_object *now;

    if (row == NULL || !row->rule.is_enabled || row->ready_seq != 0) {
        return false;
    }
    before = catalog_object_find(catalog, CATALOG_RULE, row->rule.id);
    now = catalog_object_find(engine->set->catalog, CATALOG_RULE, row->rule.id);
    return before != NULL && now != NULL && before->number == rule &&
           cJSON_Compare(before->body, now->body, true);
}

/* --- a rule that has learnt
 * ------------------------------------------------------------------------ */

static enum lb_err take_count(void *ctx, int64_t site, int64_t count)
{
    struct attachment *attachment = ctx;
    struct group *group =
        groups_get(attachment->engine->groups, attachment->rule, site, "{}");

    if (group == NULL) {
        return LB_ENOMEM;
    }
    group->learnt = count;
    return LB_OK;
}

/* What a milestone's groups learnt is what they have counted. */
static enum lb_err take_totals(struct engine *engine,
                               struct db *db,
                               const struct rule *rule,
                               struct lb_error *err)
{
    struct attachment attachment = {engine, rule};
    enum lb_err rc = rule_counts_visitors(rule)
                         ? alert_store_count_seen(db, rule->number, take_count,
                                                  &attachment, err)
                         : LB_OK;

    for (struct group *group = groups_oldest(engine->groups);
         group != NULL && rc == LB_OK; group = groups_next(group)) {
        if (group->row.rule == rule->number && group->key[0] != '\0') {
            rc = engine_load_groups(db, &group, 1, err);
            group->row.state.total = group->learnt;
            groups_note_change(engine->groups, group);
        }
    }
    return rc == LB_OK ? engine_save(engine, db, err) : rc;
}

static enum lb_err begin_rule(struct engine *engine,
                              struct db *db,
                              const struct ruleset_rule *row,
                              int64_t seq,
                              struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    if (row->rule.kind == RULE_NOT_PULLED) {
        rc = pulls_read(engine, db, seq - 1, err);
    } else if (engine->offered != NULL && !rule_is_of_event(&row->rule)) {
        rc = groups_move(engine->offered, engine->groups, row->rule.number);
        rc = rc == LB_OK ? rc : lb_err_set(err, rc, "out of memory");
    } else if (!rule_is_of_event(&row->rule)) {
        groups_drop_rule(engine->groups, row->rule.number);
        rc = read_windows(engine, db, row, seq - 1, err);
    }
    rc = rc == LB_OK && row->rule.kind == RULE_MILESTONE
             ? take_totals(engine, db, &row->rule, err)
             : rc;
    rc = rc == LB_OK && row->rule.kind == RULE_CTR
             ? rate_begin(engine, db, row->rule.number, err)
             : rc;
    rc = rc == LB_OK && rule_is_of_baseline(&row->rule)
             ? spike_begin(engine, db, &row->rule, err)
             : rc;
    rc = rc == LB_OK ? attach_rows(engine, db, &row->rule, err) : rc;
    return rc == LB_OK ? settle(engine, db, row->rule.number, err) : rc;
}

enum lb_err engine_take_ready(struct engine *engine,
                              struct db *db,
                              const struct entry *entry,
                              struct lb_error *err)
{
    cJSON *data = entry->data == NULL ? NULL : cJSON_Parse(entry->data);
    struct ruleset_rule *row =
        ruleset_find(engine->set, lb_json_int(data, "rule"));
    enum lb_err rc;

    cJSON_Delete(data);
    /* It may have been removed, or switched off, meanwhile. */
    if (row == NULL || !row->rule.is_enabled || row->ready_seq != 0) {
        return LB_OK;
    }
    rc = alert_store_set_ready(db, row->rule.number, entry->seq, err);
    row->ready_seq = entry->seq;
    list_active(engine);
    return rc == LB_OK ? begin_rule(engine, db, row, entry->seq, err) : rc;
}
