/* rate.c - rules of kind ctr. */
#include "alerts/rate.h"

#include "alerts/slot_store.h"
#include "alerts/threshold.h"
#include "base/clock.h"

static struct ctr_counts counts_of(const struct entry *entry)
{
    return (struct ctr_counts){entry->type == ENTRY_VIEW,
                               entry->type == ENTRY_CLICK &&
                                   !entry->is_double_tap};
}

static void add(struct ctr_counts *counts, const struct ctr_counts *more)
{
    counts->views += more->views;
    counts->clicks += more->clicks;
}

enum lb_err rate_save(struct db *db, struct group *group, struct lb_error *err)
{
    struct group_rate *rate = &group->rate;
    enum lb_err rc;

    if (rate->pending.views == 0 && rate->pending.clicks == 0) {
        return LB_OK;
    }
    rc = slot_store_add(db, &group->row, rate->window.from_ms, &rate->pending,
                        err);
    rate->pending = (struct ctr_counts){0, 0};
    return rc;
}

/* The group's window becomes that of at_ms. */
static enum lb_err turn_to(struct db *db,
                           const struct engine_case *one,
                           int64_t at_ms,
                           struct lb_error *err)
{
    struct group_rate *rate = &one->group->rate;
    struct ctr_window before;
    enum lb_err rc;

    if (rate->window.from_ms <= at_ms && at_ms < rate->window.to_ms) {
        return LB_OK;
    }
    rc = rate_save(db, one->group, err);
    rate->window = ctr_window_at(one->site->zone, one->rule->window_ms, at_ms);
    before = rate->window;
    before.from_ms = rate->window.before_ms;
    before.to_ms = rate->window.from_ms;
    rc = rc == LB_OK
             ? slot_store_drop(db, &one->group->row, before.from_ms, err)
             : rc;
    rc = rc == LB_OK
             ? slot_store_sum(db, &one->group->row, &before, &rate->before, err)
             : rc;
    return rc == LB_OK ? slot_store_sum(db, &one->group->row, &rate->window,
                                        &rate->now, err)
                       : rc;
}

/* An event of before the window moves what it is compared with. */
static enum lb_err
count(struct db *db, const struct engine_case *one, struct lb_error *err)
{
    struct group_rate *rate = &one->group->rate;
    struct ctr_counts counts = counts_of(one->entry);
    int64_t ts_ms = threshold_time(one->entry);
    struct ctr_window window;

    if (ts_ms >= rate->window.from_ms) {
        add(&rate->now, &counts);
        add(&rate->pending, &counts);
        return LB_OK;
    }
    window = ctr_window_at(one->site->zone, one->rule->window_ms, ts_ms);
    if (window.from_ms < rate->window.before_ms) {
        return LB_OK;
    }
    add(&rate->before, &counts);
    return slot_store_add(db, &one->group->row, window.from_ms, &counts, err);
}

bool rate_is_over(const struct rule *rule,
                  const struct catalog_site *site,
                  const struct group *group,
                  int64_t now_ms)
{
    const struct alert_store_state *state = &group->row.state;

    return state->is_firing && site != NULL &&
           ctr_window_at(site->zone, rule->window_ms, now_ms).from_ms !=
               state->since_at_ms;
}

enum lb_err rate_end(struct engine *engine,
                     struct db *db,
                     const struct engine_case *one,
                     struct lb_error *err)
{
    struct group *group = one->group;
    enum lb_err rc = turn_to(db, one, group->row.state.since_at_ms, err);

    group->row.state.since_at_ms = 0;
    groups_set_waiting(engine->groups, group, false);
    return rc == LB_OK ? engine_end_firing(engine, db, one,
                                           ctr_share(&group->rate.now), err)
                       : rc;
}

static enum lb_err judge(struct engine *engine,
                         struct db *db,
                         const struct engine_case *one,
                         struct lb_error *err)
{
    struct group *group = one->group;
    const struct group_rate *rate = &group->rate;
    struct raise raise = {.group = group,
                          .value = ctr_share(&rate->now),
                          .expected = ctr_share(&rate->before),
                          .window_from_ms = rate->window.from_ms,
                          .window_to_ms = rate->window.to_ms};

    if (group->row.state.is_firing ||
        !ctr_is_drop(one->rule, &rate->before, &rate->now)) {
        return LB_OK;
    }
    raise.probability = ctr_probability(&rate->before, &rate->now);
    group->row.state.is_firing = true;
    group->row.state.since_at_ms = rate->window.from_ms;
    groups_note_change(engine->groups, group);
    groups_set_waiting(engine->groups, group, true);
    return engine_raise(engine, db, one, &raise, err);
}

enum lb_err rate_decide(struct engine *engine,
                        struct db *db,
                        const struct engine_case *one,
                        struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    if (rate_is_over(one->rule, one->site, one->group, one->now_ms)) {
        rc = rate_end(engine, db, one, err);
    }
    rc = rc == LB_OK ? turn_to(db, one, one->now_ms, err) : rc;
    rc = rc == LB_OK ? count(db, one, err) : rc;
    return rc == LB_OK ? judge(engine, db, one, err) : rc;
}

/* --- learning
 * ------------------------------------------------------------------------ */

int64_t rate_known_from(const struct rule *rule, int64_t at_ms)
{
    /* A day is an hour longer at times. */
    return at_ms - rule->window_ms - (CTR_DAYS + 1) * LB_MS_PER_DAY;
}

bool rate_learn(const struct rule *rule,
                const struct catalog_site *site,
                struct group *group,
                const struct entry *entry)
{
    struct ctr_counts counts = counts_of(entry);
    struct ctr_window window =
        ctr_window_at(site->zone, rule->window_ms, threshold_time(entry));

    return ctr_slots_add(&group->slots, window.from_ms, &counts);
}

static enum lb_err
save_slots(struct db *db, struct group *group, struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < group->slots.count && rc == LB_OK; i++) {
        rc = slot_store_add(db, &group->row, group->slots.slots[i].at_ms,
                            &group->slots.slots[i].counts, err);
    }
    ctr_slots_deinit(&group->slots);
    return rc;
}

enum lb_err rate_begin(struct engine *engine,
                       struct db *db,
                       int64_t rule,
                       struct lb_error *err)
{
    int64_t count = 0;
    enum lb_err rc = slot_store_forget(db, rule, INT64_MAX, &count, err);

    for (struct group *group = groups_oldest(engine->groups);
         group != NULL && rc == LB_OK; group = groups_next(group)) {
        if (group->row.rule == rule) {
            rc = save_slots(db, group, err);
        }
    }
    return rc;
}
