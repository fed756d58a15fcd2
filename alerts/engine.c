/* engine.c - deciding what rings. */
#include "alerts/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/alert_store.h"
#include "alerts/message.h"
#include "alerts/rule.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "sql/dict.h"
#include "sql/log_store.h"

#define GROUP_BUCKETS 1024
#define GROUPS_MAX                                                             \
    100000 /* windows held, all rules together; then all begin anew */
#define GROUP_BYTES 8192
#define SEEN_AGAIN_MS LB_MS_PER_HOUR /* last_seen is that exact at worst */
#define SEEN_AGAIN_SHARE 16          /* and to this part of again_after */
#define CLOCK_BACK_MS (10 * LB_MS_PER_S)

/* The sliding window of a threshold rule's site and group. */
struct group {
    struct group *next;
    int64_t rule;
    int64_t site;
    struct rule_window window;
    bool is_firing;
    bool is_state_read;
    char key[];
};

struct engine {
    struct catalog_holder *holder;
    char public_url[LB_CONFIG_TEXT_BYTES];
    void (*wake)(void *ctx);
    void *wake_ctx;
    struct catalog *catalog; /* owned reference; what rules were read from */
    struct rule *rules;      /* owned */
    size_t rule_count;
    struct group *groups[GROUP_BUCKETS]; /* owned */
    size_t group_count;
    bool is_loaded; /* the windows hold what the log says */
    int64_t now_ms; /* receive time of the last entry */
    int64_t committed_now_ms;
    bool has_queued;
    bool is_quiet; /* filling windows: nothing fires */
};

static void clear_groups(struct engine *engine)
{
    for (size_t i = 0; i < GROUP_BUCKETS; i++) {
        while (engine->groups[i] != NULL) {
            struct group *group = engine->groups[i];

            engine->groups[i] = group->next;
            rule_window_deinit(&group->window);
            free(group);
        }
    }
    engine->group_count = 0;
    engine->is_loaded = false;
}

enum lb_err engine_new(struct catalog_holder *holder,
                       const struct lb_config *config,
                       struct engine **engine_out,
                       struct lb_error *err)
{
    struct engine *engine = calloc(1, sizeof(*engine));

    *engine_out = engine;
    if (engine == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    engine->holder = holder;
    (void)snprintf(engine->public_url, sizeof(engine->public_url), "%s",
                   config->public_url);
    if (engine->public_url[0] == '\0') {
        (void)snprintf(engine->public_url, sizeof(engine->public_url),
                       "http://%.400s", config->listen);
    }
    return LB_OK;
}

void engine_free(struct engine *engine)
{
    if (engine != NULL) {
        clear_groups(engine);
        catalog_unref(engine->catalog);
        free(engine->rules);
        free(engine);
    }
}

void engine_set_wake(struct engine *engine, void (*wake)(void *ctx), void *ctx)
{
    engine->wake = wake;
    engine->wake_ctx = ctx;
}

/* --- one alert
 * -------------------------------------------------------------------- */

struct decision {
    struct engine *engine;
    struct db *db;
    const struct rule *rule;
    const struct entry *entry;
    const struct catalog_site *site;
    const char *group;
    int64_t value;
    struct lb_error *err;
};

static void count_alert(const char *rule, const char *result)
{
    char labels[96];

    (void)snprintf(labels, sizeof(labels), "rule=\"%s\",result=\"%s\"", rule,
                   result);
    lb_metrics_add(lb_metrics_get(LB_METRIC_COUNTER, "linkbell_alerts_total",
                                  "Alerts by rule and what became of them.",
                                  labels),
                   1);
}

/* Why no message goes out; NULL when one does.  Counts the day's alerts. */
static enum lb_err hold_back(const struct decision *decision,
                             const char **reason_out)
{
    const struct rule *rule = decision->rule;
    int64_t now_ms = decision->entry->received_at_ms;
    int64_t day = lb_zone_local_day(decision->site->zone, now_ms);
    struct alert_store_state state;
    struct alert_store_state daily;
    enum lb_err rc = LB_OK;

    *reason_out = NULL;
    if (rule->cooldown_ms > 0) {
        rc = alert_store_get_state(decision->db, rule->number,
                                   decision->site->number, decision->group,
                                   &state, decision->err);
        if (rc == LB_OK && state.last_fired_at_ms != 0 &&
            now_ms - state.last_fired_at_ms < rule->cooldown_ms) {
            *reason_out = "cooldown";
            return LB_OK;
        }
        state.last_fired_at_ms = now_ms;
        rc = rc == LB_OK
                 ? alert_store_put_state(decision->db, rule->number,
                                         decision->site->number,
                                         decision->group, &state, decision->err)
                 : rc;
    }
    if (rc != LB_OK || rule->max_per_day == 0) {
        return rc;
    }
    rc = alert_store_get_state(decision->db, rule->number,
                               decision->site->number, "", &daily,
                               decision->err);
    if (daily.day != day) {
        daily.day = day;
        daily.day_count = 0;
    }
    if (rc == LB_OK && daily.day_count >= rule->max_per_day) {
        *reason_out = "max_per_day";
        return LB_OK;
    }
    daily.day_count++;
    return rc == LB_OK ? alert_store_put_state(decision->db, rule->number,
                                               decision->site->number, "",
                                               &daily, decision->err)
                       : rc;
}

static enum lb_err store_alert(const struct decision *decision,
                               struct alert_store_row *row,
                               const struct lb_buf *data)
{
    const struct rule *rule = decision->rule;
    struct lb_buf body;
    bool is_new = false;
    enum lb_err rc = hold_back(decision, &row->held_back);

    rc = rc == LB_OK
             ? alert_store_put(decision->db, row, &is_new, decision->err)
             : rc;
    if (rc != LB_OK || !is_new) {
        return rc;
    }
    count_alert(rule->id, row->held_back == NULL ? "fired" : row->held_back);
    if (row->held_back != NULL || rule->notify_count == 0) {
        return LB_OK;
    }
    lb_buf_init(&body, 2 * MESSAGE_BYTES);
    message_body("alert.fired", row->fired_at_ms, lb_buf_text(data), &body);
    rc = alert_store_queue(decision->db, row, "alert.fired", lb_buf_text(&body),
                           rule->notify, rule->notify_count, decision->err);
    decision->engine->has_queued = true;
    lb_buf_deinit(&body);
    return rc;
}

static enum lb_err raise_alert(const struct decision *decision)
{
    const struct rule *rule = decision->rule;
    char id[RULE_ALERT_ID_BYTES];
    char occasion[96];
    struct message_alert alert = {id,
                                  rule,
                                  decision->site,
                                  decision->group,
                                  decision->entry,
                                  decision->entry->received_at_ms,
                                  decision->value,
                                  0,
                                  0,
                                  decision->engine->public_url};
    struct alert_store_row row = {id,
                                  rule->id,
                                  decision->site->id,
                                  rule->severity,
                                  decision->entry->received_at_ms,
                                  NULL,
                                  NULL};
    struct lb_buf data;
    enum lb_err rc;

    if (rule->kind == RULE_THRESHOLD) {
        alert.window_to_ms = decision->engine->now_ms + 1;
        alert.window_from_ms = alert.window_to_ms - rule->window_ms;
        (void)snprintf(occasion, sizeof(occasion), "%lld-%lld",
                       (long long)alert.window_from_ms,
                       (long long)alert.window_to_ms);
    } else {
        (void)snprintf(occasion, sizeof(occasion), "%s",
                       decision->entry->text[ENTRY_TEXT_ID]);
    }
    rule_alert_id(rule->id, decision->site->id, decision->group, occasion, id);
    lb_buf_init(&data, MESSAGE_BYTES);
    message_data(&alert, &data);
    row.data = lb_buf_text(&data);
    rc = store_alert(decision, &row, &data);
    lb_buf_deinit(&data);
    return rc;
}

/* --- kinds
 * ------------------------------------------------------------------------- */

/* How far last_seen may lag behind, so that not every event writes. */
static int64_t exactness_ms(const struct rule *rule)
{
    int64_t share_ms = rule->again_after_ms / SEEN_AGAIN_SHARE;

    return share_ms < SEEN_AGAIN_MS ? share_ms : SEEN_AGAIN_MS;
}

static enum lb_err decide_first_seen(const struct decision *decision)
{
    const struct rule *rule = decision->rule;
    const struct entry *entry = decision->entry;
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    int64_t last_seen_ms = 0;
    bool is_new;
    enum lb_err rc;

    lb_secret_sha256(decision->group, strlen(decision->group), digest);
    rc = alert_store_get_seen(decision->db, rule->number, entry->site, digest,
                              &last_seen_ms, decision->err);
    if (rc != LB_OK) {
        return rc;
    }
    is_new = last_seen_ms == 0 ||
             (rule->again_after_ms > 0 &&
              entry->received_at_ms - last_seen_ms > rule->again_after_ms);
    if (is_new || (rule->again_after_ms > 0 &&
                   entry->received_at_ms - last_seen_ms > exactness_ms(rule))) {
        rc = alert_store_put_seen(decision->db, rule->number, entry->site,
                                  digest, entry->received_at_ms, decision->err);
    }
    if (rc != LB_OK || !is_new || entry->is_silent ||
        decision->engine->is_quiet ||
        entry->received_at_ms - rule->created_at_ms < rule->learn_ms) {
        return rc;
    }
    return raise_alert(decision);
}

static struct group *find_group(struct engine *engine,
                                const struct decision *decision)
{
    uint64_t hash =
        (uint64_t)decision->rule->number * 31 + (uint64_t)decision->entry->site;
    size_t len = strlen(decision->group);
    struct group *group;

    for (size_t i = 0; i < len; i++) {
        hash = hash * 131 + (unsigned char)decision->group[i];
    }
    for (group = engine->groups[hash % GROUP_BUCKETS]; group != NULL;
         group = group->next) {
        if (group->rule == decision->rule->number &&
            group->site == decision->entry->site &&
            strcmp(group->key, decision->group) == 0) {
            return group;
        }
    }
    if (engine->group_count >= GROUPS_MAX) {
        lb_log_limited(LB_LOG_WARN, "rule_groups",
                       "text=\"too many groups of threshold rules; their "
                       "windows begin anew\"");
        clear_groups(engine);
        engine->is_loaded = true;
    }
    group = calloc(1, sizeof(*group) + len + 1);
    if (group != NULL) {
        group->rule = decision->rule->number;
        group->site = decision->entry->site;
        memcpy(group->key, decision->group, len + 1);
        group->next = engine->groups[hash % GROUP_BUCKETS];
        engine->groups[hash % GROUP_BUCKETS] = group;
        engine->group_count++;
    }
    return group;
}

static enum lb_err
set_firing(const struct decision *decision, struct group *group, bool is_firing)
{
    struct alert_store_state state;
    enum lb_err rc = alert_store_get_state(
        decision->db, decision->rule->number, decision->entry->site,
        decision->group, &state, decision->err);

    group->is_firing = is_firing;
    state.is_firing = is_firing;
    return rc == LB_OK
               ? alert_store_put_state(decision->db, decision->rule->number,
                                       decision->entry->site, decision->group,
                                       &state, decision->err)
               : rc;
}

static enum lb_err decide_threshold(struct decision *decision)
{
    const struct rule *rule = decision->rule;
    struct engine *engine = decision->engine;
    struct group *group;
    double unit = rule->metric == RULE_VALUE ? 100 : 1;
    struct alert_store_state state;
    enum lb_err rc = LB_OK;

    if (decision->entry->is_silent || rule_weight(rule, decision->entry) == 0) {
        return LB_OK;
    }
    group = find_group(engine, decision);
    if (group == NULL) {
        return lb_err_set(decision->err, LB_ENOMEM, "out of memory");
    }
    if (!group->is_state_read) {
        rc = alert_store_get_state(decision->db, rule->number,
                                   decision->entry->site, decision->group,
                                   &state, decision->err);
        group->is_firing = state.is_firing;
        group->is_state_read = rc == LB_OK;
    }
    /* Being over is noticed with the event that comes after. */
    if (rc == LB_OK && group->is_firing && !engine->is_quiet) {
        struct entry nothing = *decision->entry;

        nothing.ts_at_ms = INT64_MIN;
        if ((double)rule_window_add(&group->window, rule, &nothing,
                                    engine->now_ms) /
                unit <=
            rule->clear) {
            rc = set_firing(decision, group, false);
        }
    }
    decision->value =
        rule_window_add(&group->window, rule, decision->entry, engine->now_ms);
    if (rc != LB_OK || decision->value < 0) {
        return rc == LB_OK
                   ? lb_err_set(decision->err, LB_ENOMEM, "out of memory")
                   : rc;
    }
    if (engine->is_quiet || group->is_firing ||
        (double)decision->value / unit <= rule->above) {
        return LB_OK;
    }
    rc = set_firing(decision, group, true);
    return rc == LB_OK ? raise_alert(decision) : rc;
}

static enum lb_err decide(struct engine *engine,
                          struct db *db,
                          const struct rule *rule,
                          const struct entry *entry,
                          const struct catalog_site *site,
                          struct lb_error *err)
{
    struct decision decision = {engine, db, rule, entry, site, NULL, 0, err};
    struct lb_buf group;
    enum lb_err rc = LB_OK;

    lb_buf_init(&group, GROUP_BYTES);
    if (rule_group(rule, entry, site->id, &group)) {
        decision.group = lb_buf_text(&group);
        switch (rule->kind) {
        case RULE_EVENT:
            rc = entry->is_silent || engine->is_quiet ? LB_OK
                                                      : raise_alert(&decision);
            break;
        case RULE_FIRST_SEEN:
            rc = decide_first_seen(&decision);
            break;
        case RULE_THRESHOLD:
            rc = decide_threshold(&decision);
            break;
        }
    }
    lb_buf_deinit(&group);
    return rc;
}

static const char *intent_of(const struct catalog_site *site,
                             const struct entry *entry)
{
    const char *slug = entry->text[ENTRY_TEXT_LINK];
    const struct catalog_link *link =
        slug == NULL ? NULL : catalog_link_find(site, slug);

    return link == NULL || link->intent[0] == '\0' ? NULL : link->intent;
}

/* only NULL: all rules. */
static enum lb_err show_entry(struct engine *engine,
                              struct db *db,
                              const struct entry *entry,
                              const struct rule *only,
                              struct lb_error *err)
{
    const struct catalog_site *site = NULL;
    enum lb_err rc = LB_OK;

    if (entry->received_at_ms > engine->now_ms ||
        engine->now_ms - entry->received_at_ms > CLOCK_BACK_MS) {
        if (!entry->is_silent) {
            engine->now_ms = entry->received_at_ms;
        }
    }
    if (entry->kind != ENTRY_EVENT) {
        return LB_OK;
    }
    for (size_t i = 0; i < engine->rule_count && rc == LB_OK; i++) {
        const struct rule *rule = &engine->rules[i];

        if (only != NULL && rule != only) {
            continue;
        }
        site = site == NULL
                   ? catalog_site_by_number(engine->catalog, entry->site)
                   : site;
        if (site != NULL &&
            rule_matches(rule, entry, site->id, intent_of(site, entry))) {
            rc = decide(engine, db, rule, entry, site, err);
        }
    }
    return rc;
}

/* --- learning
 * ----------------------------------------------------------------------- */

/* Shows the log before upto_seq to a rule (NULL: all), quietly. */
static enum lb_err show_log(struct engine *engine,
                            struct db *db,
                            const struct rule *only,
                            int64_t from_at_ms,
                            int64_t upto_seq,
                            struct lb_error *err)
{
    struct log_range range = {.upto_seq = upto_seq,
                              .from_at_ms = from_at_ms,
                              .to_at_ms = INT64_MAX,
                              .has_texts = true};
    struct dict_cache *cache = dict_cache_new();
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    enum lb_err rc = cache == NULL
                         ? lb_err_set(err, LB_ENOMEM, "out of memory")
                         : log_reader_open(db, cache, &range, &reader, err);

    engine->is_quiet = true;
    while (rc == LB_OK &&
           (rc = log_reader_next(reader, &entry, err)) == LB_OK &&
           entry != NULL) {
        rc = show_entry(engine, db, entry, only, err);
    }
    engine->is_quiet = false;
    log_reader_close(reader);
    dict_cache_free(cache);
    return rc;
}

static enum lb_err
read_rules(struct engine *engine, struct catalog *catalog, struct lb_error *err)
{
    size_t count = catalog_object_count(catalog, CATALOG_RULE);
    struct rule *rules = calloc(count + 1, sizeof(*rules));

    if (rules == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    free(engine->rules);
    engine->rules = rules;
    engine->rule_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct catalog_object *object =
            catalog_object_at(catalog, CATALOG_RULE, i);
        struct rule *rule = &rules[engine->rule_count];
        struct lb_error fault;

        if (rule_read(object->body, rule, &fault) != LB_OK) {
            lb_log(LB_LOG_WARN, "rule_ignored", "rule=%s text=\"%s\"",
                   object->id, fault.text);
            continue;
        }
        rule->number = object->number;
        rule->created_at_ms = object->created_at_ms;
        engine->rule_count++;
    }
    return LB_OK;
}

/* Rules as the catalog has them; new ones learn what the log holds before seq.
 */
static enum lb_err
refresh(struct engine *engine, struct db *db, int64_t seq, struct lb_error *err)
{
    struct catalog *catalog = catalog_current(engine->holder);
    bool is_same = engine->catalog != NULL &&
                   catalog_version(engine->catalog) == catalog_version(catalog);
    enum lb_err rc = LB_OK;

    if (is_same) {
        catalog_unref(catalog);
        return LB_OK;
    }
    rc = read_rules(engine, catalog, err);
    catalog_unref(engine->catalog);
    engine->catalog = catalog;
    clear_groups(engine);
    for (size_t i = 0; i < engine->rule_count && rc == LB_OK; i++) {
        bool is_ready = false;

        rc = alert_store_is_ready(db, engine->rules[i].number, &is_ready, err);
        /* One that is off learns when it is switched on. */
        if (rc == LB_OK && !is_ready && engine->rules[i].is_enabled) {
            if (engine->rules[i].kind == RULE_FIRST_SEEN) {
                rc = show_log(engine, db, &engine->rules[i], INT64_MIN, seq - 1,
                              err);
            }
            rc = rc == LB_OK ? alert_store_set_ready(
                                   db, engine->rules[i].number, seq, err)
                             : rc;
        }
    }
    return rc;
}

/* The windows hold what the log says of the time before seq. */
static enum lb_err load_windows(struct engine *engine,
                                struct db *db,
                                int64_t seq,
                                int64_t now_ms,
                                struct lb_error *err)
{
    int64_t longest_ms = 0;
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < engine->rule_count; i++) {
        const struct rule *rule = &engine->rules[i];

        if (rule->kind == RULE_THRESHOLD && rule->window_ms > longest_ms) {
            longest_ms = rule->window_ms;
        }
    }
    for (size_t i = 0; i < engine->rule_count && rc == LB_OK && longest_ms > 0;
         i++) {
        if (engine->rules[i].kind == RULE_THRESHOLD) {
            rc = show_log(engine, db, &engine->rules[i], now_ms - longest_ms,
                          seq - 1, err);
        }
    }
    engine->is_loaded = rc == LB_OK;
    return rc;
}

static enum lb_err apply(void *ctx,
                         struct db *db,
                         const struct entry *const *entries,
                         size_t count,
                         struct lb_error *err)
{
    struct engine *engine = ctx;
    enum lb_err rc = refresh(engine, db, entries[0]->seq, err);

    if (rc == LB_OK && !engine->is_loaded) {
        rc = load_windows(engine, db, entries[0]->seq,
                          entries[0]->received_at_ms, err);
    }
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        rc = show_entry(engine, db, entries[i], NULL, err);
    }
    return rc;
}

static void committed(void *ctx)
{
    struct engine *engine = ctx;

    if (engine->has_queued && engine->wake != NULL) {
        engine->wake(engine->wake_ctx);
    }
    engine->has_queued = false;
    engine->committed_now_ms = engine->now_ms;
}

/* Rare: the windows are read from the log again. */
static void rolled_back(void *ctx)
{
    struct engine *engine = ctx;

    engine->has_queued = false;
    engine->now_ms = engine->committed_now_ms;
    if (engine->group_count > 0) {
        clear_groups(engine);
    }
    catalog_unref(engine->catalog);
    engine->catalog = NULL;
}

static void forget_windows(void *ctx)
{
    clear_groups(ctx);
}

void engine_hook(struct engine *engine, struct erase_hooks *hooks)
{
    hooks->rules = engine;
    hooks->forget_windows = forget_windows;
}

struct cursor_consumer engine_consumer(struct engine *engine)
{
    return (struct cursor_consumer){"rules", engine, apply, committed,
                                    rolled_back};
}
