/* engine_decide.c - deciding a batch of events: the keys that it touches are
 * named, loaded at once, decided in memory and saved at once. */
#include <string.h>

#include "alerts/engine_state.h"
#include "alerts/raise.h"
#include "alerts/rate.h"
#include "alerts/spike.h"
#include "alerts/threshold.h"
#include "base/clock.h"

#define SEEN_AGAIN_MS LB_MS_PER_HOUR /* last_seen is that exact at worst */
#define SEEN_AGAIN_SHARE 16          /* and to this part of again_after */

/* --- deciding
 * ------------------------------------------------------------------------ */

enum lb_err engine_raise(struct engine *engine,
                         struct db *db,
                         const struct engine_case *one,
                         struct raise *raise,
                         struct lb_error *err)
{
    enum lb_err rc;

    raise->db = db;
    raise->groups = engine->groups;
    raise->public_url = engine->public_url;
    raise->rule = one->rule;
    raise->site = one->site;
    raise->entry = one->entry;
    raise->now_ms = one->now_ms;
    raise->is_rehearsal = engine->rehearsal != NULL;
    rc = raise_alert(raise, err);
    engine->has_queued = engine->has_queued || raise->has_queued;
    return rc;
}

static enum lb_err decide_event(struct engine *engine,
                                struct db *db,
                                const struct engine_case *one,
                                struct lb_error *err)
{
    struct raise raise = {.group = one->group};

    return engine_raise(engine, db, one, &raise, err);
}

/* How far last_seen may lag behind, so that not every event writes. */
static int64_t exactness_ms(const struct rule *rule)
{
    int64_t share_ms = rule->again_after_ms / SEEN_AGAIN_SHARE;

    return share_ms < SEEN_AGAIN_MS ? share_ms : SEEN_AGAIN_MS;
}

/* Notes that the values were seen; returns whether they are new. */
static bool see(const struct engine_case *one)
{
    const struct rule *rule = one->rule;
    struct alert_store_seen *seen = one->seen;
    int64_t at_ms = one->entry->received_at_ms;
    bool is_again = rule->again_after_ms > 0;
    bool is_new;

    /* After a clock that was ahead was set back. */
    if (seen->last_seen_at_ms > one->now_ms && is_again &&
        !one->entry->is_silent) {
        seen->last_seen_at_ms = at_ms;
        seen->is_changed = true;
    }
    is_new = seen->last_seen_at_ms == 0 ||
             (is_again && at_ms - seen->last_seen_at_ms > rule->again_after_ms);
    if (is_new ||
        (is_again && at_ms - seen->last_seen_at_ms > exactness_ms(rule))) {
        seen->last_seen_at_ms = at_ms;
        seen->is_changed = true;
    }
    return is_new;
}

static enum lb_err decide_first_seen(struct engine *engine,
                                     struct db *db,
                                     const struct engine_case *one,
                                     struct lb_error *err)
{
    const struct rule *rule = one->rule;
    struct raise raise = {0};
    enum lb_err rc;

    if (!see(one)) {
        return LB_OK;
    }
    lb_buf_clear(&engine->key);
    (void)rule_group(rule, one->entry, one->site->id, one->intent,
                     &engine->key);
    raise.group = groups_get(engine->groups, rule, one->site->number,
                             lb_buf_text(&engine->key));
    if (raise.group == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    raise.is_learning =
        one->entry->received_at_ms - rule->created_at_ms < rule->learn_ms;
    rc = engine_load_groups(db, &raise.group, 1, err);
    return rc == LB_OK ? engine_raise(engine, db, one, &raise, err) : rc;
}

enum lb_err engine_end_firing(struct engine *engine,
                              struct db *db,
                              const struct engine_case *one,
                              double value,
                              struct lb_error *err)
{
    struct alert_store_state *state = &one->group->row.state;
    struct raise raise = {.db = db,
                          .groups = engine->groups,
                          .public_url = engine->public_url,
                          .rule = one->rule,
                          .site = one->site,
                          .group = one->group,
                          .value = value,
                          .now_ms = one->now_ms};
    enum lb_err rc = LB_OK;

    if (state->alert[0] != '\0') {
        rc = alert_store_resolve(db, state->alert, one->now_ms, err);
    }
    if (rc == LB_OK && state->alert[0] != '\0' && one->rule->is_resolving &&
        one->site != NULL) {
        rc = raise_resolved(&raise, err);
    }
    engine->has_queued = engine->has_queued || raise.has_queued;
    state->is_firing = false;
    state->alert[0] = '\0';
    groups_note_change(engine->groups, one->group);
    return rc;
}

/* A turn that is to hold for a while is none before; time in which nobody
 * listened is no such while. */
static enum rule_turn
hold(struct engine *engine, const struct engine_case *one, enum rule_turn turn)
{
    struct alert_store_state *state = &one->group->row.state;
    int64_t before_ms = state->since_at_ms;
    bool is_past = turn == RULE_FIRES && one->rule->for_ms > 0;

    if (is_past) {
        state->since_at_ms = before_ms == 0 ? one->now_ms : before_ms;
        turn = state->since_at_ms < gaps_oldest(&engine->gaps, one->now_ms,
                                                one->rule->for_ms)
                   ? RULE_FIRES
                   : RULE_STAYS;
    }
    if (turn != RULE_STAYS || !is_past) {
        state->since_at_ms = 0;
    }
    if (state->since_at_ms != before_ms) {
        groups_note_change(engine->groups, one->group);
    }
    return turn;
}

enum lb_err engine_take_turn(struct engine *engine,
                             struct db *db,
                             const struct engine_case *one,
                             int64_t oldest_ms,
                             struct lb_error *err)
{
    struct group *group = one->group;
    bool is_of_silence = rule_is_of_silence(one->rule);
    struct raise raise = {
        .group = group,
        .value = rule_number(one->rule, rule_window_value(&group->window)),
        .window_from_ms = is_of_silence ? group->last_at_ms : oldest_ms,
        .window_to_ms = is_of_silence ? one->now_ms : one->now_ms + 1};
    enum lb_err rc = LB_OK;

    switch (hold(engine, one, threshold_judge(one->rule, group, oldest_ms))) {
    case RULE_STAYS:
        break;
    case RULE_FIRES:
        group->row.state.is_firing = true;
        group->row.state.began_at_ms =
            one->rule->is_below ? group->began_at_ms : 0;
        groups_note_change(engine->groups, group);
        group->last_at_ms = 0;
        rc = engine_raise(engine, db, one, &raise, err);
        break;
    case RULE_IS_OVER:
        /* Of silence, the sign that ended it is one. */
        rc = engine_end_firing(engine, db, one, is_of_silence ? 1 : raise.value,
                               err);
        break;
    }
    groups_set_waiting(engine->groups, group,
                       threshold_waits(one->rule, group));
    return rc;
}

/* Time went by since the last entry: what held may hold no more, and what fired
 * may be over, before this event came. */
static enum lb_err catch_up(struct engine *engine,
                            struct db *db,
                            const struct engine_case *one,
                            int64_t oldest_ms,
                            struct lb_error *err)
{
    const struct alert_store_state *state = &one->group->row.state;
    enum rule_turn turn = threshold_judge(one->rule, one->group, oldest_ms);

    if (one->rule->is_below || turn == RULE_FIRES ||
        (!state->is_firing && state->since_at_ms == 0)) {
        return LB_OK;
    }
    return engine_take_turn(engine, db, one, oldest_ms, err);
}

static enum lb_err decide_threshold(struct engine *engine,
                                    struct db *db,
                                    const struct engine_case *one,
                                    struct lb_error *err)
{
    const struct rule *rule = one->rule;
    struct group *group = one->group;
    int64_t oldest_ms = threshold_oldest(rule, &engine->gaps, one->now_ms);
    enum lb_err rc = LB_OK;

    rule_window_move(&group->window, oldest_ms);
    rc = catch_up(engine, db, one, oldest_ms, err);
    if (rc == LB_OK &&
        !threshold_count(rule, &engine->gaps, group, one->entry, oldest_ms)) {
        rc = lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    if (rc == LB_OK && rule_is_of_silence(rule) &&
        threshold_judge(rule, group, oldest_ms) == RULE_FIRES) {
        /* A tick will tell. */
        groups_set_waiting(engine->groups, group, threshold_waits(rule, group));
        return LB_OK;
    }
    return rc == LB_OK ? engine_take_turn(engine, db, one, oldest_ms, err) : rc;
}

/* A count rings for the last multiple that it passed. */
static enum lb_err decide_milestone(struct engine *engine,
                                    struct db *db,
                                    const struct engine_case *one,
                                    struct lb_error *err)
{
    struct alert_store_state *state = &one->group->row.state;
    int64_t every = one->rule->every;
    int64_t before = state->total / every;
    struct raise raise = {.group = one->group};

    if (one->seen == NULL) {
        state->total += rule_weight(one->rule, one->entry);
    } else if (one->seen->last_seen_at_ms == 0) { /* a new face */
        one->seen->last_seen_at_ms = one->entry->received_at_ms;
        one->seen->is_changed = true;
        state->total++;
    }
    groups_note_change(engine->groups, one->group);
    if (state->total / every <= before) {
        return LB_OK;
    }
    raise.value = rule_number(one->rule, state->total / every * every);
    raise.window_to_ms = one->now_ms + 1;
    return engine_raise(engine, db, one, &raise, err);
}

/* --- a batch of events
 * ------------------------------------------------------------------------ */

static enum lb_err
decide_cases(struct engine *engine, struct db *db, struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < engine->case_count && rc == LB_OK; i++) {
        const struct engine_case *one = &engine->cases[i];

        switch (one->rule->kind) {
        case RULE_EVENT:
            rc = decide_event(engine, db, one, err);
            break;
        case RULE_FIRST_SEEN:
            rc = decide_first_seen(engine, db, one, err);
            break;
        case RULE_MILESTONE:
            rc = decide_milestone(engine, db, one, err);
            break;
        case RULE_CTR:
            rc = rate_decide(engine, db, one, err);
            break;
        case RULE_SPIKE:
        case RULE_DROP:
            rc = spike_decide(engine, db, one, err);
            break;
        case RULE_THRESHOLD:
        case RULE_BURST:
        case RULE_ABSENT:
        case RULE_NOT_PULLED:
            rc = decide_threshold(engine, db, one, err);
            break;
        }
    }
    return rc;
}

static enum lb_err
load_groups(struct engine *engine, struct db *db, struct lb_error *err)
{
    struct group *groups[256];
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < engine->case_count && rc == LB_OK;) {
        size_t count = 0;

        for (; i < engine->case_count && count < 256; i++) {
            groups[count++] = engine->cases[i].group;
        }
        rc = engine_load_groups(db, groups, count, err);
    }
    return rc;
}

enum lb_err
engine_flush(struct engine *engine, struct db *db, struct lb_error *err)
{
    enum lb_err rc;

    if (engine->case_count == 0) {
        return LB_OK;
    }
    rc = load_groups(engine, db, err);
    rc = rc == LB_OK ? alert_store_load_seen(db, seen_rows(engine->seen),
                                             seen_count(engine->seen), err)
                     : rc;
    rc = rc == LB_OK ? decide_cases(engine, db, err) : rc;
    for (size_t i = 0; i < engine->case_count && rc == LB_OK; i++) {
        const struct engine_case *one = &engine->cases[i];

        if (one->rule->kind == RULE_CTR) {
            rc = rate_save(db, one->group, err);
        } else if (rule_is_of_baseline(one->rule)) {
            rc = spike_save(db, one->rule, one->group, err);
        }
    }
    rc = rc == LB_OK ? engine_save(engine, db, err) : rc;
    rc = rc == LB_OK
             ? alert_store_save_seen(db, seen_rows(engine->seen),
                                     seen_count(engine->seen), false, err)
             : rc;
    engine->case_count = 0;
    seen_clear(engine->seen);
    return rc;
}

/* Names the keys that the case needs. */
static enum lb_err add_case(struct engine *engine,
                            const struct ruleset_rule *row,
                            const struct entry *entry,
                            const char *intent,
                            struct lb_error *err)
{
    const struct rule *rule = &row->rule;
    struct engine_case *one = &engine->cases[engine->case_count];
    char visitor[RULE_VISITOR_BYTES];

    *one = (struct engine_case){.entry = entry,
                                .rule = rule,
                                .site = ruleset_site(engine->set, entry->site),
                                .intent = intent,
                                .now_ms = engine->now_ms};
    lb_buf_clear(&engine->key);
    if ((!rule_is_of_event(rule) && rule_weight(rule, entry) == 0) ||
        !rule_group(rule, entry, one->site->id, intent, &engine->key)) {
        return LB_OK;
    }
    if (rule->kind == RULE_FIRST_SEEN) {
        one->seen = seen_get(engine->seen, rule->number, entry->site,
                             lb_buf_text(&engine->key));
    } else {
        one->group = groups_get(engine->groups, rule, entry->site,
                                lb_buf_text(&engine->key));
    }
    if (rule_counts_visitors(rule) && rule_visitor(entry, visitor)) {
        one->seen = seen_get(engine->seen, rule->number, entry->site, visitor);
    }
    if (rule_counts_crowds(rule) && rule_visitor(entry, visitor)) {
        lb_buf_add_text(&engine->key, visitor);
        one->seen = seen_get_until(engine->seen, rule->number, entry->site,
                                   spike_expires_at_ms(rule, one->site, entry),
                                   lb_buf_text(&engine->key));
    }
    if (one->seen == NULL && one->group == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    engine->case_count++;
    return LB_OK;
}

void engine_advance(struct engine *engine, const struct entry *entry)
{
    if (!entry->is_silent && entry->received_at_ms > engine->now_ms) {
        engine->now_ms = entry->received_at_ms;
    }
}

enum lb_err engine_show_event(struct engine *engine,
                              struct db *db,
                              const struct entry *entry,
                              struct lb_error *err)
{
    const struct by_site_list *list;
    enum lb_err rc = LB_OK;

    engine_advance(engine, entry);
    if (engine->by_site == NULL) {
        engine->by_site =
            by_site_new(engine->set, engine->active, engine->active_count);
    }
    list = engine->by_site == NULL
               ? NULL
               : by_site_get(engine->by_site, entry->site, entry->type);
    if (list == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < list->count && rc == LB_OK; i++) {
        size_t place = list->places[i];
        const char *intent = NULL;

        if (!ruleset_matches(engine->set, place, entry, &intent) ||
            entry->seq <= engine->set->rules[place].ready_seq) {
            continue;
        }
        rc = engine->case_count == ENGINE_CASES_MAX
                 ? engine_flush(engine, db, err)
                 : LB_OK;
        rc = rc == LB_OK ? add_case(engine, &engine->set->rules[place], entry,
                                    intent, err)
                         : rc;
    }
    return rc;
}
