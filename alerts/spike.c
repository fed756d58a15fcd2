/* spike.c - rules of kind spike and drop. */
#include "alerts/spike.h"

#include "alerts/baseline_store.h"
#include "alerts/contributors.h"
#include "alerts/message.h"
#include "alerts/slot_store.h"
#include "alerts/threshold.h"
#include "base/clock.h"

#define BACK 0.5 /* of what is usual: a drop is over */
#define SLACK_MS                                                               \
    (2 * LB_MS_PER_HOUR) /* a window of days has 23 hours or 25                \
                          */

int64_t spike_expires_at_ms(const struct rule *rule,
                            const struct catalog_site *site,
                            const struct entry *entry)
{
    int64_t keep_ms =
        rule->window_ms > LB_MS_PER_DAY ? rule->window_ms : LB_MS_PER_DAY;

    return ctr_window_at(site->zone, rule->window_ms, threshold_time(entry))
               .to_ms +
           keep_ms + SLACK_MS;
}

enum lb_err spike_save(struct db *db,
                       const struct rule *rule,
                       struct group *group,
                       struct lb_error *err)
{
    struct baseline *baseline = &group->baseline;
    const struct ctr_counts counts = {baseline->pending, 0};
    enum lb_err rc = LB_OK;

    if (baseline->has_late) {
        rc = baseline_store_save(db, rule, &group->row, baseline, err);
    }
    baseline->has_late = false;
    baseline->pending = 0;
    return rc != LB_OK || counts.views == 0
               ? rc
               : slot_store_add(db, &group->row, baseline->window.from_ms,
                                &counts, err);
}

/* --- windows
 * ------------------------------------------------------------------------ */

static enum lb_err
read_count(struct db *db, const struct engine_case *one, struct lb_error *err)
{
    struct baseline *baseline = &one->group->baseline;
    struct ctr_counts counts;
    enum lb_err rc =
        slot_store_sum(db, &one->group->row, &baseline->window, &counts, err);

    baseline->count = counts.views;
    baseline->limit = 0;
    return rc;
}

/* What the rows say; a group without them begins at at_ms. */
static enum lb_err load(struct db *db,
                        const struct engine_case *one,
                        int64_t at_ms,
                        struct lb_error *err)
{
    struct baseline *baseline = &one->group->baseline;
    enum lb_err rc;

    if (baseline->past != NULL) {
        return LB_OK;
    }
    if (!baseline_begin(baseline, one->rule, one->site->zone, at_ms)) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    baseline->last_ms = baseline->window.from_ms;
    rc = baseline_store_load(db, one->rule, &one->group->row, baseline, err);
    if (rc == LB_ENOTFOUND) {
        return baseline_store_save(db, one->rule, &one->group->row, baseline,
                                   err);
    }
    baseline->window = ctr_window_at(one->site->zone, one->rule->window_ms,
                                     baseline->window.from_ms);
    return rc == LB_OK ? read_count(db, one, err) : rc;
}

static enum lb_err fire(struct engine *engine,
                        struct db *db,
                        const struct engine_case *one,
                        struct raise *raise,
                        struct lb_error *err)
{
    struct alert_store_state *state = &one->group->row.state;

    state->is_firing = true;
    state->since_at_ms = raise->window_from_ms;
    groups_note_change(engine->groups, one->group);
    groups_set_waiting(engine->groups, one->group, true);
    raise->group = one->group;
    return engine_raise(engine, db, one, raise, err);
}

static enum lb_err end(struct engine *engine,
                       struct db *db,
                       const struct engine_case *one,
                       struct lb_error *err)
{
    one->group->row.state.since_at_ms = 0;
    groups_set_waiting(engine->groups, one->group,
                       one->rule->kind == RULE_DROP);
    return engine_end_firing(
        engine, db, one, rule_number(one->rule, one->group->baseline.closed),
        err);
}

static int64_t limit_of(const struct engine_case *one)
{
    return baseline_limit(&one->group->baseline, one->rule, one->site->zone);
}

/* A drop rings at the end of its window.  What rang lasts until a window is as
 * usual: a drop's has half of it at least. */
static enum lb_err close_window(struct engine *engine,
                                struct db *db,
                                const struct engine_case *one,
                                struct lb_error *err)
{
    struct group *group = one->group;
    bool is_of_drop = one->rule->kind == RULE_DROP;
    struct raise raise = {.window_from_ms = group->baseline.window.from_ms,
                          .window_to_ms = group->baseline.window.to_ms};
    struct baseline_verdict verdict;
    double limit =
        engine->rehearsal == NULL ? 0 : rule_number(one->rule, limit_of(one));

    baseline_close(&group->baseline, one->rule, one->site->zone, &engine->gaps,
                   &verdict);
    raise.value = rule_number(one->rule, group->baseline.closed);
    if (engine->rehearsal != NULL) {
        engine->rehearsal->observe(engine->rehearsal->ctx, raise.window_from_ms,
                                   verdict.expected, limit);
    }
    if (group->row.state.is_firing) {
        return verdict.is_odd ||
                       (is_of_drop && raise.value < BACK * verdict.expected)
                   ? LB_OK
                   : end(engine, db, one, err);
    }
    if (!is_of_drop || !verdict.is_odd) {
        return LB_OK;
    }
    raise.expected = verdict.expected;
    raise.probability = verdict.probability;
    return fire(engine, db, one, &raise, err);
}

/* Many windows without an event are one silence; the last of them say it all.
 */
static void skip_far(const struct engine_case *one, int64_t at_ms)
{
    struct baseline *baseline = &one->group->baseline;
    int64_t from_ms = at_ms - BASELINE_WINDOWS * one->rule->window_ms;

    if (baseline->window.to_ms < from_ms) {
        baseline->window =
            ctr_window_at(one->site->zone, one->rule->window_ms, from_ms);
        baseline->count = 0;
        baseline->limit = 0;
    }
}

static enum lb_err close_all(struct engine *engine,
                             struct db *db,
                             const struct engine_case *one,
                             int64_t at_ms,
                             struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    skip_far(one, at_ms);
    while (rc == LB_OK && one->group->baseline.window.to_ms <= at_ms) {
        rc = close_window(engine, db, one, err);
    }
    return rc;
}

/* The window at hand becomes that of at_ms. */
static enum lb_err turn_to(struct engine *engine,
                           struct db *db,
                           const struct engine_case *one,
                           int64_t at_ms,
                           struct lb_error *err)
{
    struct group *group = one->group;
    struct baseline *baseline = &group->baseline;
    enum lb_err rc = load(db, one, at_ms, err);

    if (rc != LB_OK ||
        (baseline->window.from_ms <= at_ms && at_ms < baseline->window.to_ms)) {
        return rc;
    }
    rc = spike_save(db, one->rule, group, err);
    if (at_ms < baseline->window.from_ms) { /* the clock was set back */
        baseline->window =
            ctr_window_at(one->site->zone, one->rule->window_ms, at_ms);
    } else if (rc == LB_OK) {
        rc = close_all(engine, db, one, at_ms, err);
    }
    rc = rc == LB_OK
             ? slot_store_drop(db, &group->row, baseline->window.from_ms, err)
             : rc;
    rc = rc == LB_OK ? read_count(db, one, err) : rc;
    return rc == LB_OK
               ? baseline_store_save(db, one->rule, &group->row, baseline, err)
               : rc;
}

/* --- deciding
 * ------------------------------------------------------------------------ */

static enum lb_err judge(struct engine *engine,
                         struct db *db,
                         const struct engine_case *one,
                         struct lb_error *err)
{
    struct group *group = one->group;
    struct baseline *baseline = &group->baseline;
    const struct contributors what = {engine->set,
                                      one->rule,
                                      one->site,
                                      group->key,
                                      baseline->window.from_ms,
                                      baseline->window.to_ms,
                                      one->entry,
                                      engine->rehearsal != NULL};
    struct raise raise = {.value = rule_number(one->rule, baseline->count),
                          .window_from_ms = baseline->window.from_ms,
                          .window_to_ms = baseline->window.to_ms};
    struct baseline_verdict verdict;
    struct lb_buf contributors;
    enum lb_err rc;

    if (group->row.state.is_firing ||
        !baseline_is_spike(baseline, one->rule, one->site->zone, &verdict)) {
        return LB_OK;
    }
    lb_buf_init(&contributors, MESSAGE_BYTES);
    rc = contributors_write(
        &what, engine->rehearsal != NULL ? engine->rehearsal->log : db,
        &contributors, err);
    raise.expected = verdict.expected;
    raise.probability = verdict.probability;
    raise.contributors = lb_buf_text(&contributors);
    rc = rc == LB_OK ? fire(engine, db, one, &raise, err) : rc;
    lb_buf_deinit(&contributors);
    return rc;
}

/* Of visitors, one who was not met in the window. */
static int64_t weigh(const struct engine_case *one)
{
    if (!rule_counts_crowds(one->rule)) {
        return rule_weight(one->rule, one->entry);
    }
    if (one->seen->last_seen_at_ms != 0 ||
        one->seen->expires_at_ms < one->now_ms) {
        return 0;
    }
    one->seen->last_seen_at_ms = one->now_ms;
    one->seen->is_changed = true;
    return 1;
}

enum lb_err spike_decide(struct engine *engine,
                         struct db *db,
                         const struct engine_case *one,
                         struct lb_error *err)
{
    struct baseline *baseline = &one->group->baseline;
    int64_t weight = weigh(one);
    enum lb_err rc = turn_to(engine, db, one, one->now_ms, err);

    if (rc != LB_OK || weight == 0) {
        return rc;
    }
    if (threshold_time(one->entry) < baseline->window.from_ms) {
        baseline_add_late(baseline, one->rule, one->site->zone,
                          threshold_time(one->entry), weight);
        return LB_OK;
    }
    baseline->count += weight;
    baseline->pending += weight;
    if (one->rule->kind == RULE_DROP) {
        groups_set_waiting(engine->groups, one->group, true);
        return LB_OK;
    }
    return judge(engine, db, one, err);
}

bool spike_is_due(const struct catalog_site *site,
                  const struct group *group,
                  int64_t now_ms)
{
    if (site == NULL || group->key[0] == '\0') {
        return false;
    }
    return group->is_waiting && (group->baseline.past == NULL ||
                                 now_ms >= group->baseline.window.to_ms);
}

enum lb_err spike_turn(struct engine *engine,
                       struct db *db,
                       const struct engine_case *one,
                       struct lb_error *err)
{
    struct group *group = one->group;
    enum lb_err rc = turn_to(engine, db, one, one->now_ms, err);

    if (rc != LB_OK || one->now_ms - group->baseline.last_ms < SPIKE_IDLE_MS) {
        return rc;
    }
    if (group->row.state.is_firing) {
        rc = end(engine, db, one, err);
    }
    groups_set_waiting(engine->groups, group, false);
    baseline_deinit(&group->baseline);
    return rc == LB_OK ? baseline_store_drop(db, &group->row, err) : rc;
}

/* --- learning
 * ------------------------------------------------------------------------ */

int64_t spike_known_from(const struct rule *rule, int64_t at_ms)
{
    int64_t length_ms = BASELINE_WINDOWS * rule->window_ms;

    return at_ms -
           (length_ms < BASELINE_LEARN_MS || rule->window_ms >= LB_MS_PER_DAY
                ? length_ms
                : BASELINE_LEARN_MS);
}

bool spike_learn(const struct rule *rule,
                 const struct catalog_site *site,
                 struct group *group,
                 const struct entry *entry)
{
    struct ctr_counts counts = {rule_weight(rule, entry), 0};
    struct ctr_window window =
        ctr_window_at(site->zone, rule->window_ms, threshold_time(entry));

    return ctr_slots_add(&group->slots, window.from_ms, &counts);
}

static enum lb_err begin_group(struct engine *engine,
                               struct db *db,
                               const struct rule *rule,
                               struct group *group,
                               struct lb_error *err)
{
    const struct catalog_site *site =
        ruleset_site(engine->set, group->row.site);
    struct baseline *baseline = &group->baseline;
    enum lb_err rc;

    if (site == NULL || (group->slots.count == 0 && baseline->past == NULL)) {
        return LB_OK;
    }
    if (!baseline_learn(baseline, rule, site->zone, &engine->gaps,
                        &group->slots, engine->now_ms)) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < group->slots.count; i++) {
        if (group->slots.slots[i].at_ms == baseline->window.from_ms) {
            baseline->count += group->slots.slots[i].counts.views;
        }
    }
    ctr_slots_deinit(&group->slots);
    baseline->pending = baseline->count;
    groups_set_waiting(engine->groups, group, rule->kind == RULE_DROP);
    rc = spike_save(db, rule, group, err);
    return rc == LB_OK
               ? baseline_store_save(db, rule, &group->row, baseline, err)
               : rc;
}

enum lb_err spike_begin(struct engine *engine,
                        struct db *db,
                        const struct rule *rule,
                        struct lb_error *err)
{
    int64_t count = 0;
    enum lb_err rc =
        slot_store_forget(db, rule->number, INT64_MAX, &count, err);

    rc = rc == LB_OK ? baseline_store_forget(db, rule->number, err) : rc;
    for (struct group *group = groups_oldest(engine->groups);
         group != NULL && rc == LB_OK; group = groups_next(group)) {
        if (group->row.rule == rule->number && group->key[0] != '\0') {
            rc = begin_group(engine, db, rule, group, err);
        }
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
    groups_set_waiting(attachment->engine->groups, group, true);
    return LB_OK;
}

enum lb_err spike_attach(struct engine *engine,
                         struct db *db,
                         const struct rule *rule,
                         struct lb_error *err)
{
    struct attachment attachment = {engine, rule};

    return baseline_store_each(db, rule->number, attach, &attachment, err);
}
